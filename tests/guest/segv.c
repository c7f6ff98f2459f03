// Memory faults: address, code, pc and registers in the handler for loads and stores of every form;
// a handler that makes the page accessible and returns, as garbage collectors do.
#include "guest.h"

static u8 *page;
static volatile u64 faults, fault_addr, fault_pc, fault_code, fault_a1, fault_signal, fault_f0;
static volatile int unprotect;

static void on_fault(int signal, struct siginfo *info, struct ucontext *context) {
  faults++;
  fault_signal = (u64)signal;
  fault_addr = info->addr;
  fault_code = (u64)info->code;
  fault_pc = context->x[0];
  fault_a1 = context->x[11];
  fault_f0 = context->f[10];
  if (unprotect) syscall(SYS_mprotect, (info->addr & -4096ul), PAGE, PROT_READ | PROT_WRITE);
  else context->x[0] += (*(u16 *)context->x[0] & 3) == 3 ? 4 : 2;
}

// Run one instruction that faults at `address`, with marks in a1 and fa0; check all there is to see.
#define FAULTS(address, text) do { \
    u64 at_, kept_; \
    faults = 0; \
    asm volatile("mv t0, %2\n li a1, 0x1234567\n fmv.d.x fa0, a1\n addi a1, a1, 1\n la %0, 1f\n .option push\n .option norvc\n 1: " text "\n .option pop\n mv %1, a1" \
        : "=&r"(at_), "=&r"(kept_) : "r"((u64)(address)) : "t0", "t1", "a1", "a2", "fa0", "fa1", "memory"); \
    check(text " faults", faults, 1); \
    check(text " signal", fault_signal, SIGSEGV); \
    check(text " address", fault_addr, (u64)(address)); \
    check(text " pc", fault_pc, at_); \
    check(text " a1", fault_a1, 0x1234568); \
    check(text " fa0", fault_f0, 0x1234567); \
    check(text " a1 after", kept_, 0x1234568); \
  } while (0)
#define EVERY(address) \
  FAULTS(address, "lb a2, 0(t0)"); FAULTS(address, "lbu a2, 0(t0)"); FAULTS(address, "lh a2, 0(t0)"); FAULTS(address, "lhu a2, 0(t0)"); \
  FAULTS(address, "lw a2, 0(t0)"); FAULTS(address, "lwu a2, 0(t0)"); FAULTS(address, "ld a2, 0(t0)"); FAULTS(address, "ld zero, 0(t0)"); \
  FAULTS(address, "ld t0, 0(t0)"); \
  FAULTS(address, "sb a1, 0(t0)"); FAULTS(address, "sh a1, 0(t0)"); FAULTS(address, "sw a1, 0(t0)"); FAULTS(address, "sd a1, 0(t0)"); \
  FAULTS(address, "sd zero, 0(t0)"); FAULTS(address, "flw fa1, 0(t0)"); FAULTS(address, "fld fa1, 0(t0)"); FAULTS(address, "fsw fa1, 0(t0)"); \
  FAULTS(address, "fsd fa1, 0(t0)"); FAULTS(address, "lr.w a2, (t0)"); FAULTS(address, "lr.d a2, (t0)"); \
  FAULTS(address, "amoadd.w a2, a1, (t0)"); FAULTS(address, "amoadd.d a2, a1, (t0)"); FAULTS(address, "amoswap.d zero, a1, (t0)"); \
  FAULTS(address, "amomax.w a2, a1, (t0)"); FAULTS(address, "amominu.d a2, a1, (t0)")

int main(void) {
  page = map(4, PROT_READ | PROT_WRITE);
  on_signal(SIGSEGV, on_fault, 0);
  syscall(SYS_mprotect, page + PAGE, PAGE, 0);
  EVERY(page + PAGE + 16);
  CHECK(fault_code, 2);
  syscall(SYS_munmap, page + PAGE, PAGE);
  EVERY(page + PAGE + 32);
  CHECK(fault_code, 1);
  EVERY(8);
  // The top byte is part of an address, also where the hardware takes no notice of it.
  EVERY((u64)(page + PAGE + 32) | 5ul << 56);
  // Stores to a page that can only be read.
  syscall(SYS_mmap, page + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  FAULTS(page + PAGE, "sd a1, 0(t0)");
  CHECK(fault_code, 2);
  FAULTS(page + PAGE, "amoor.d a2, a1, (t0)");
  FAULTS(page + PAGE + 8, "sb a1, 0(t0)");
  // Addresses no user program can own: the kernel's half, and just below zero. (qemu-user 7.2 reports
  // the address 0 here when the host address is not canonical.)
  FAULTS(0x7ffffffffffff000, "lw a2, 0(t0)");
  FAULTS(0x8000000000000000, "sd a1, 0(t0)");
  FAULTS(-8l, "ld a2, 0(t0)");
  // Large displacements from a register near the end of the address range.
  faults = 0;
  asm volatile("li t0, 2040\n .option push\n .option norvc\n lw a2, -2040(t0)\n .option pop" : : : "t0", "a2", "memory");
  CHECK(faults, 1);
  CHECK(fault_addr, 0);
  // Make it accessible and go on: load, store, atomic, floating point, many times.
  unprotect = 1;
  u64 sum = 0;
  for (u64 i = 1; i <= 200; i++) {
    volatile u64 *at = (u64 *)(page + PAGE + 8 * (i % 64));
    syscall(SYS_mprotect, page + PAGE, PAGE, i & 1 ? 0 : PROT_READ);
    faults = 0;
    *at = i;
    CHECK(faults, 1);
    syscall(SYS_mprotect, page + PAGE, PAGE, 0);
    sum += *at;
    CHECK(faults, 2);
    syscall(SYS_mprotect, page + PAGE, PAGE, 0);
    __atomic_fetch_add(at, 5, __ATOMIC_SEQ_CST);
    CHECK(faults, 3);
    CHECK(*at, i + 5);
  }
  CHECK(sum, 20100);
  // A misaligned access over the edge of an unmapped page changes nothing and names the second page.
  unprotect = 0;
  page[PAGE - 4] = page[PAGE - 3] = page[PAGE - 2] = page[PAGE - 1] = 0x5a;
  syscall(SYS_mprotect, page + PAGE, PAGE, 0);
  faults = 0;
  asm volatile("sd %0, 0(%1)" : : "r"(-1l), "r"(page + PAGE - 4) : "memory");
  CHECK(faults, 1);
  return finish("segv");
}
