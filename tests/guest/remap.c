// Mappings under code and data: code made inaccessible, replaced, unmapped and mapped again; brk
// up to a mapping; mremap; wild jumps.
#include "guest.h"

static volatile u64 faults, fault_addr, fault_pc, fault_code;
static void on_fault(int signal, struct siginfo *info, struct ucontext *context) {
  (void)signal;
  faults++;
  fault_addr = info->addr;
  fault_pc = context->x[0];
  fault_code = (u64)info->code;
  context->x[0] = context->x[1];  // Return from the call that went wrong.
  context->x[10] = 0xbad;
}
static void put(void *at, u32 bits) { memcpy(at, &bits, 4); }
typedef u64 code_fn(u64);
static u64 call(u64 target) {
  u64 result;
  asm volatile("li a0, 1\n jalr ra, 0(%1)\n mv %0, a0" : "=r"(result) : "r"(target) : "a0", "ra", "t0", "memory");
  return result;
}
#define WILD(target, code) do { \
    faults = 0; \
    CHECK(call((u64)(target)), 0xbad); \
    CHECK(faults, 1); \
    CHECK(fault_pc, (u64)(target) & -2ul); \
    CHECK(fault_addr, (u64)(target) & -2ul); \
    CHECK(fault_code, code); \
  } while (0)

int main(void) {
  on_signal(SIGSEGV, on_fault, 0);
  u8 *code = map(3, PROT_READ | PROT_WRITE | PROT_EXEC);
  put(code, 0x00750513);  // addi a0, a0, 7
  put(code + 4, 0x00008067);
  asm volatile("fence.i" : : : "memory");
  for (int i = 0; i < 50; i++) {
    CHECK(call((u64)code), 8);
    syscall(SYS_mprotect, code, PAGE, 0);
    WILD(code, 2);
    syscall(SYS_mprotect, code, PAGE, PROT_READ | PROT_WRITE);
    WILD(code, 2);
    syscall(SYS_mprotect, code, PAGE, PROT_READ | PROT_EXEC);
    CHECK(call((u64)code), 8);
    syscall(SYS_mprotect, code, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
  }
  // New memory over the old text: other code at the same place.
  for (int i = 1; i < 50; i++) {
    CHECK(syscall(SYS_mmap, code, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), code);
    put(code, 0x00050513 | (u32)i << 20);
    put(code + 4, 0x00008067);
    asm volatile("fence.i" : : : "memory");
    CHECK(call((u64)code), (u64)i + 1);
  }
  syscall(SYS_munmap, code, PAGE);
  WILD(code, 1);
  WILD(code + 2, 1);
  CHECK(syscall(SYS_mmap, code, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), code);
  put(code, 0x00850513);
  put(code + 4, 0x00008067);
  asm volatile("fence.i" : : : "memory");
  CHECK(call((u64)code), 9);
  // Wild jumps: nowhere, data, the edges of the address space, an odd address.
  static u32 data[2] = {0x00750513, 0x00008067};
  WILD(0, 1);
  WILD(data, 2);
  WILD(0x1000, 1);
  WILD(0x123456789a0, 1);
  WILD(-2l, 1);
  WILD(0x8000000000000000, 1);
  WILD(0x4001, 1);
  // An instruction whose second half is missing: the fault is at the missing half.
  syscall(SYS_munmap, code + PAGE, PAGE);
  u16 half = 0x0513;
  memcpy(code + PAGE - 2, &half, 2);
  asm volatile("fence.i" : : : "memory");
  faults = 0;
  CHECK(call((u64)(code + PAGE - 2)), 0xbad);
  CHECK(faults, 1);
  CHECK(fault_pc, code + PAGE - 2);
  CHECK(fault_addr, code + PAGE);
  // brk grows and shrinks, and stops where something else is mapped.
  u64 start = (u64)syscall(SYS_brk, 0), top = start + 10 * PAGE;
  CHECK(syscall(SYS_brk, top), top);
  *(volatile u64 *)(top - 8) = 1;
  CHECK(*(volatile u64 *)(top - 16), 0);
  CHECK(syscall(SYS_brk, start + PAGE), start + PAGE);
  CHECK(syscall(SYS_brk, top), top);
  CHECK(*(volatile u64 *)(top - 8), 0);
  u64 wall = (top + 16 * PAGE) & -4096ul;
  if (syscall(SYS_mmap, wall, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == (i64)wall) {
    *(volatile u64 *)wall = 77;
    CHECK(syscall(SYS_brk, wall + 4 * PAGE), top);
    CHECK(*(volatile u64 *)wall, 77);
  }
  // mremap moves the contents along.
  u8 *small = map(1, PROT_READ | PROT_WRITE);
  for (int i = 0; i < PAGE; i++) small[i] = (u8)(i * 7);
  u8 *large = (u8 *)syscall(SYS_mremap, small, PAGE, 64 * PAGE, 1);
  int intact = 1;
  for (int i = 0; i < PAGE; i++) intact &= large[i] == (u8)(i * 7);
  CHECK(intact, 1);
  large[64 * PAGE - 1] = 1;
  CHECK(syscall(SYS_munmap, 1, PAGE), -EINVAL);
  CHECK(syscall(SYS_mprotect, large + 1, PAGE, PROT_READ), -EINVAL);
  CHECK(syscall(SYS_mmap, 0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), -EINVAL);
  CHECK(syscall(SYS_mprotect, 0x10, PAGE, PROT_READ), -EINVAL);
  return finish("remap");
}
