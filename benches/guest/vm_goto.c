// The same bytecode with computed goto: each handler jumps to the next by its own indirect jump.
#include "vm_program.h"

static uint64_t run(uint64_t bound) {
  static const void *const labels[] = {
      [LOADI] = &&loadi, [MOVE] = &&move, [ADD] = &&add, [ADDI] = &&addi, [SUB] = &&sub,
      [MUL] = &&mul, [AND] = &&and, [XOR] = &&xor, [SHR] = &&shr, [SHL] = &&shl, [JUMP] = &&jump,
      [JZ] = &&jz, [JNZ] = &&jnz, [JLT] = &&jlt, [LOAD] = &&load, [STORE] = &&store,
      [CALL] = &&call, [RET] = &&ret, [NOT] = &&not, [OUT] = &&output, [HALT] = &&halt};
  uint64_t r[16] = {0}, out = 0;
  static uint64_t memory[VM_MEMORY];
  uint32_t stack[16], depth = 0;
  const struct vm_insn *i, *next = vm_program;
  r[1] = bound;
#define NEXT() do { i = next++; goto *labels[i->op]; } while (0)
  NEXT();
loadi: r[i->a] = (uint64_t)i->imm; NEXT();
move: r[i->a] = r[i->b]; NEXT();
add: r[i->a] = r[i->b] + r[i->c]; NEXT();
addi: r[i->a] = r[i->b] + (uint64_t)i->imm; NEXT();
sub: r[i->a] = r[i->b] - r[i->c]; NEXT();
mul: r[i->a] = r[i->b] * r[i->c]; NEXT();
and: r[i->a] = r[i->b] & r[i->c]; NEXT();
xor: r[i->a] = r[i->b] ^ r[i->c]; NEXT();
shr: r[i->a] = r[i->b] >> (r[i->c] & 63); NEXT();
shl: r[i->a] = r[i->b] << (r[i->c] & 63); NEXT();
jump: next = vm_program + i->imm; NEXT();
jz: if (!r[i->a]) next = vm_program + i->imm; NEXT();
jnz: if (r[i->a]) next = vm_program + i->imm; NEXT();
jlt: if (r[i->a] < r[i->b]) next = vm_program + i->imm; NEXT();
load: r[i->a] = memory[r[i->b] & (VM_MEMORY - 1)]; NEXT();
store: memory[r[i->b] & (VM_MEMORY - 1)] = r[i->a]; NEXT();
call: stack[depth++ & 15] = (uint32_t)(next - vm_program); next = vm_program + i->imm; NEXT();
ret: next = vm_program + stack[--depth & 15]; NEXT();
not: r[i->a] = ~r[i->b]; NEXT();
output: out = bench_mix(out, r[i->a]); NEXT();
halt: return out;
}

int main(int argc, char **argv) {
  uint64_t bound = (uint64_t)bench_scale(argc, argv, 400000);
  printf("vm_goto %016llx\n", (unsigned long long)run(bound));
  return 0;
}
