// Atomic memory operations and reservations: every operation in both widths, sources that are the
// destination, results that are sign-extended, and what makes a store-conditional fail.
#include "guest.h"

static volatile u64 cell[8] __attribute__((aligned(64)));
static volatile u64 runs;

static void on_usr1(int signal, struct siginfo *info, struct ucontext *context) {
  (void)signal;
  (void)info;
  (void)context;
  runs++;
  __atomic_fetch_add(&cell[0], 1, __ATOMIC_SEQ_CST);
}

#define AMO(op, memory, operand, old, after) do { \
    u64 r_; \
    cell[0] = memory; \
    asm volatile(op " %0, %1, (%2)" : "=&r"(r_) : "r"((u64)(operand)), "r"(cell) : "memory"); \
    check(op " old", r_, old); \
    check(op " after", cell[0], after); \
  } while (0)

int main(void) {
  AMO("amoadd.d", 5, 7, 5, 12);
  AMO("amoswap.d", 5, 7, 5, 7);
  AMO("amoand.d", 12, 10, 12, 8);
  AMO("amoor.d", 12, 10, 12, 14);
  AMO("amoxor.d", 12, 10, 12, 6);
  AMO("amomin.d", 5, -7l, 5, -7l);
  AMO("amomax.d", 5, -7l, 5, 5);
  AMO("amominu.d", 5, -7l, 5, 5);
  AMO("amomaxu.d", 5, -7l, 5, -7l);
  AMO("amoadd.w", 0x123456787fffffff, 1, 0x7fffffff, 0x1234567880000000);
  AMO("amoadd.w", 0x1234567880000000, -1l, 0xffffffff80000000, 0x123456787fffffff);
  AMO("amoswap.w", 0x1111111180000000, 0x7700000022, 0xffffffff80000000, 0x1111111100000022);
  AMO("amoand.w", 0x11111111fffffff0, 0xffffffff0000ffff, 0xfffffffffffffff0, 0x111111110000fff0);
  AMO("amoor.w", 0x1111111100000001, 0x80000000, 1, 0x1111111180000001);
  AMO("amoxor.w", 0x1111111180000000, 0x80000001, 0xffffffff80000000, 0x1111111100000001);
  AMO("amomin.w", 0x1111111180000000, 5, 0xffffffff80000000, 0x1111111180000000);
  AMO("amomax.w", 0x1111111180000000, 5, 0xffffffff80000000, 0x1111111100000005);
  AMO("amominu.w", 0x1111111180000000, 5, 0xffffffff80000000, 0x1111111100000005);
  AMO("amomaxu.w", 0x1111111180000000, 5, 0xffffffff80000000, 0x1111111180000000);
  AMO("amomin.w", 0x1111111100000005, 0xff00000004, 5, 0x1111111100000004);
  AMO("amoadd.d.aqrl", 1, 1, 1, 2);
  // rd is also the operand, or the address, or zero.
  u64 r = 7;
  cell[0] = 5;
  asm volatile("amoadd.d %0, %0, (%1)" : "+&r"(r) : "r"(cell) : "memory");
  CHECK(r, 5);
  CHECK(cell[0], 12);
  r = (u64)cell;
  asm volatile("amoadd.d %0, %1, (%0)" : "+&r"(r) : "r"(3ul) : "memory");
  CHECK(r, 12);
  CHECK(cell[0], 15);
  asm volatile("amoxor.d zero, %0, (%1)" : : "r"(15ul), "r"(cell) : "memory");
  CHECK(cell[0], 0);
  cell[0] = 9;
  asm volatile("amoadd.w %0, zero, (%1)" : "=r"(r) : "r"(cell) : "memory");
  CHECK(r, 9);
  r = 0xffffffff80000001;
  cell[0] = 0;
  asm volatile("amominu.w %0, %0, (%1)" : "+&r"(r) : "r"(cell) : "memory");
  CHECK(r, 0);
  CHECK(cell[0], 0);
  // Reservations.
  u64 old, failed;
  cell[0] = 0xfffffffff0000000;
  asm volatile("1: lr.d %0, (%2)\n addi t0, %0, 1\n sc.d %1, t0, (%2)\n bnez %1, 1b" : "=&r"(old), "=&r"(failed) : "r"(cell) : "t0", "memory");
  CHECK(old, 0xfffffffff0000000);
  CHECK(cell[0], 0xfffffffff0000001);
  asm volatile("1: lr.w %0, (%2)\n addi t0, %0, 1\n sc.w %1, t0, (%2)\n bnez %1, 1b" : "=&r"(old), "=&r"(failed) : "r"(cell) : "t0", "memory");
  CHECK(old, 0xfffffffff0000001);
  CHECK(cell[0], 0xfffffffff0000002);
  asm volatile("lr.d %0, (%2)\n sc.d zero, %0, (%2)\n sc.d %1, zero, (%2)" : "=&r"(old), "=&r"(failed) : "r"(cell) : "memory");
  CHECK(failed, 1);
  CHECK(cell[0], 0xfffffffff0000002);
  asm volatile("lr.d %0, (%2)\n sc.d %1, zero, (%3)" : "=&r"(old), "=&r"(failed) : "r"(cell), "r"(cell + 4) : "memory");
  CHECK(failed, 1);
  asm volatile("lr.d %0, (%2)\n sc.d %1, %1, (%2)" : "=&r"(old), "+&r"(failed) : "r"(cell) : "memory");
  CHECK(failed, 0);
  CHECK(cell[0], 1);
  // The value changed by a signal handler between: the store must not happen.
  on_signal(SIGUSR1, on_usr1, 0);
  u64 pid = (u64)syscall(SYS_getpid), tid = (u64)syscall(SYS_gettid);
  for (int i = 0; i < 100; i++) {
    cell[0] = 1000;
    register u64 a0 asm("a0") = pid, a1 asm("a1") = tid, a2 asm("a2") = SIGUSR1, a7 asm("a7") = SYS_tgkill;
    asm volatile("lr.d %1, (%3)\n ecall\n sc.d %2, zero, (%3)" : "+r"(a0), "=&r"(old), "=&r"(failed) : "r"(cell), "r"(a1), "r"(a2), "r"(a7) : "memory");
    CHECK(failed, 1);
    CHECK(cell[0], 1001);
  }
  CHECK(runs, 100);
  // A compare-and-swap loop with a branch out of the middle.
  cell[0] = 40;
  asm volatile("1: lr.w %0, (%2)\n bne %0, %3, 2f\n sc.w %1, %4, (%2)\n bnez %1, 1b\n 2:" : "=&r"(old), "=&r"(failed) : "r"(cell), "r"(40ul), "r"(41ul) : "memory");
  CHECK(cell[0], 41);
  asm volatile("1: lr.w %0, (%2)\n bne %0, %3, 2f\n sc.w %1, %4, (%2)\n bnez %1, 1b\n 2:" : "=&r"(old), "=&r"(failed) : "r"(cell), "r"(40ul), "r"(42ul) : "memory");
  CHECK(cell[0], 41);
  CHECK(old, 41);
  asm volatile("fence rw, rw\n fence.tso\n fence r, w\n fence w, r\n fence iorw, iorw" : : : "memory");
  return finish("atomics");
}
