// Code on the stack, where the program asks for a stack that can be executed: what nested
// functions whose address is taken need.
#include "guest.h"

typedef u64 code_fn(u64);

// What gcc calls after it has written a trampoline: the C library's name of the system call.
void __riscv_flush_icache(void *start, void *end, u64 flags) {
  syscall(SYS_riscv_flush_icache, start, end, flags);
}

static u64 run_on_stack(u32 number) {
  u32 code[2] = {0x00050513 | number << 20, 0x00008067};  // addi a0, a0, number; ret
  __riscv_flush_icache(code, code + 2, 0);
  return ((code_fn *)code)(1000);
}

int main(void) {
  for (u32 i = 0; i < 500; i++) CHECK(run_on_stack(i), 1000 + i);
  u64 base = 7;
  u64 add(u64 x) { return x + base++; }
  code_fn *volatile nested = add;
  for (u64 i = 0; i < 500; i++) CHECK(nested(i), 2 * i + 7);
  return finish("execstack");
}
