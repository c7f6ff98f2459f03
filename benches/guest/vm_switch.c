// A bytecode interpreter with one switch: one indirect jump that goes everywhere.
#include "vm_program.h"

static uint64_t run(uint64_t bound) {
  uint64_t r[16] = {0}, out = 0;
  static uint64_t memory[VM_MEMORY];
  uint32_t stack[16], depth = 0, pc = 0;
  r[1] = bound;
  for (;;) {
    const struct vm_insn *i = &vm_program[pc++];
    switch ((enum vm_op)i->op) {
      case LOADI: r[i->a] = (uint64_t)i->imm; break;
      case MOVE: r[i->a] = r[i->b]; break;
      case ADD: r[i->a] = r[i->b] + r[i->c]; break;
      case ADDI: r[i->a] = r[i->b] + (uint64_t)i->imm; break;
      case SUB: r[i->a] = r[i->b] - r[i->c]; break;
      case MUL: r[i->a] = r[i->b] * r[i->c]; break;
      case AND: r[i->a] = r[i->b] & r[i->c]; break;
      case XOR: r[i->a] = r[i->b] ^ r[i->c]; break;
      case SHR: r[i->a] = r[i->b] >> (r[i->c] & 63); break;
      case SHL: r[i->a] = r[i->b] << (r[i->c] & 63); break;
      case JUMP: pc = (uint32_t)i->imm; break;
      case JZ: if (!r[i->a]) pc = (uint32_t)i->imm; break;
      case JNZ: if (r[i->a]) pc = (uint32_t)i->imm; break;
      case JLT: if (r[i->a] < r[i->b]) pc = (uint32_t)i->imm; break;
      case LOAD: r[i->a] = memory[r[i->b] & (VM_MEMORY - 1)]; break;
      case STORE: memory[r[i->b] & (VM_MEMORY - 1)] = r[i->a]; break;
      case CALL: stack[depth++ & 15] = pc; pc = (uint32_t)i->imm; break;
      case RET: pc = stack[--depth & 15]; break;
      case NOT: r[i->a] = ~r[i->b]; break;
      case OUT: out = bench_mix(out, r[i->a]); break;
      case HALT: return out;
    }
  }
}

int main(int argc, char **argv) {
  uint64_t bound = (uint64_t)bench_scale(argc, argv, 400000);
  printf("vm_switch %016llx\n", (unsigned long long)run(bound));
  return 0;
}
