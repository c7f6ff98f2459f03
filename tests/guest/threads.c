// Threads by clone: shared memory, atomics, a futex lock, thread pointers, exit while others run,
// the join by CLONE_CHILD_CLEARTID, and code that one changes while another runs it.
#include "guest.h"

enum { THREADS = 4, ROUNDS = 20000 };
#define CLONE_FLAGS (0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x80000 | 0x200000 | 0x100000 | 0x1000000)
static volatile u64 counter, guarded, in_lock;
static volatile i32 lock, tids[THREADS], parents[THREADS];
static volatile u64 thread_pointers[THREADS], message, flag;

i64 start_thread(u64 flags, void *stack, volatile i32 *parent, u64 tp, volatile i32 *child, u64 argument, void (*body)(u64));
asm("start_thread: mv t0, a5\n mv t1, a6\n li a7, 220\n ecall\n bnez a0, 1f\n mv a0, t0\n jalr t1\n li a7, 93\n li a0, 0\n ecall\n 1: ret\n");

static void take(void) {
  i32 expected = 0;
  while (!__atomic_compare_exchange_n(&lock, &expected, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
    syscall(SYS_futex, &lock, 128, expected, 0);
    expected = 0;
  }
}
static void release(void) {
  __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
  syscall(SYS_futex, &lock, 129, 1);
}
static void body(u64 index) {
  u64 tp;
  asm volatile("mv %0, tp" : "=r"(tp));
  thread_pointers[index] = tp;
  for (int i = 0; i < ROUNDS; i++) {
    __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
    if (i % 16 == 0) {
      take();
      if (in_lock++) guarded += 1000000;
      guarded++;
      in_lock--;
      release();
    }
  }
  // Message passing: the store before a release is seen after the acquire.
  if (index == 0) {
    message = 12345;
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
  } else if (index == 1) {
    while (!__atomic_load_n(&flag, __ATOMIC_ACQUIRE)) syscall(SYS_sched_yield);
    CHECK(message, 12345);
  }
}

// A loop that ends when another thread makes its branch a no-operation: integers, or floating point
// whose values are pending at the back-edge.
static volatile u32 *code;
static void patch(u64 branch) {
  u64 wait[2] = {0, 20000000};
  syscall(SYS_nanosleep, wait, 0);
  code[branch] = 0x00000013;
  syscall(SYS_riscv_flush_icache, code, code + 8, 0);
}
static void patched_loop(u32 first) {
  static volatile i32 tid;
  code[0] = first;
  code[1] = 0x00150513;  // addi a0, a0, 1
  code[2] = 0xfe051ce3;  // bnez a0, the first
  code[3] = 0x00008067;  // ret
  syscall(SYS_riscv_flush_icache, code, code + 8, 0);
  u8 *stack = map(16, PROT_READ | PROT_WRITE);
  tid = -1;
  start_thread(CLONE_FLAGS, stack + 16 * PAGE, &tid, 0, &tid, 2, patch);
  ((u64(*)(u64))code)(1);
  for (i32 now; (now = tid) != 0;) syscall(SYS_futex, &tid, 0, now, 0);
}

int main(void) {
  for (u64 i = 0; i < THREADS; i++) {
    u8 *stack = map(16, PROT_READ | PROT_WRITE);
    tids[i] = -1;
    i64 tid = start_thread(CLONE_FLAGS, stack + 16 * PAGE, &parents[i], 0x1000 + i, &tids[i], i, body);
    CHECK(tid > 0, 1);
    CHECK(parents[i], tid);
  }
  for (u64 i = 0; i < THREADS; i++)
    for (i32 now; (now = tids[i]) != 0;) syscall(SYS_futex, &tids[i], 0, now, 0);
  CHECK(counter, THREADS * ROUNDS);
  CHECK(guarded, THREADS * ROUNDS / 16);
  for (u64 i = 0; i < THREADS; i++) CHECK(thread_pointers[i], 0x1000 + i);
  code = (volatile u32 *)map(1, PROT_READ | PROT_WRITE | PROT_EXEC);
  patched_loop(0x00158593);  // addi a1, a1, 1
  patched_loop(0x02b57553);  // fadd.d fa0, fa0, fa1
  patched_loop(0x00b57553);  // fadd.s fa0, fa0, fa1
  // Leaving with a thread still running ends the process.
  u8 *stack = map(16, PROT_READ | PROT_WRITE);
  volatile i32 unused;
  void spin(u64);
  start_thread(CLONE_FLAGS, stack + 16 * PAGE, &unused, 0, &unused, 0, spin);
  return finish("threads");
}
void spin(u64 argument) {
  (void)argument;
  for (;;) __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
}
