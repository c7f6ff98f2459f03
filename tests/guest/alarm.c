// Asynchronous signals reach loops of every shape: a jump to itself, a loop without calls, one of
// calls, one through an indirect jump, one of atomics; the handler leaves by changing the pc.
// System calls that wait are interrupted or restarted.
#include "guest.h"

static volatile u64 alarms, leave_to, count, stop_at;

static void arm(u64 microseconds, u64 every) {
  u64 timer[4] = {0, every, 0, microseconds};
  syscall(SYS_setitimer, 0, timer, 0);
}
static void on_alarm(int signal, struct siginfo *info, struct ucontext *context) {
  (void)signal;
  (void)info;
  // Else a machine that needs longer for a signal than until the next does nothing else any more.
  if (++alarms == stop_at) arm(0, 0);
  if (leave_to) context->x[0] = leave_to;
}
// The timer repeats, so that one signal surely comes in the loop, however slow we are.
#define SPIN(text) do { \
    u64 before_ = alarms; \
    arm(3000, 20000); \
    asm volatile("la t0, 9f\n sd t0, 0(%1)\n" text "\n 9: sd zero, 0(%1)" : : "r"(&count), "r"(&leave_to) : "t0", "t1", "t2", "t3", "ra", "memory"); \
    arm(0, 0); \
    check("alarms in " text, alarms > before_, 1); \
  } while (0)

int main(void) {
  on_signal(SIGALRM, on_alarm, SA_RESTART);
  for (int i = 0; i < 5; i++) {
    SPIN("1: j 1b");
    SPIN(".option push\n .option norvc\n 1: j 1b\n .option pop");
    SPIN("1: addi t1, t1, 1\n addi t2, t2, 3\n xor t1, t1, t2\n j 1b");
    SPIN("1: beq zero, zero, 1b");
    SPIN("1: ld t1, 0(%0)\n addi t1, t1, 1\n sd t1, 0(%0)\n bnez t1, 1b");
    SPIN("1: jal ra, 2f\n j 1b\n 2: addi t1, t1, 1\n ret");
    SPIN("la t2, 2f\n 1: jalr ra, 0(t2)\n j 1b\n 2: addi t1, t1, 1\n ret");
    SPIN("la t2, 1f\n 1: jr t2");
    SPIN("1: amoadd.d zero, zero, (%0)\n j 1b");
    SPIN("1: li t1, 100\n 2: addi t1, t1, -1\n bnez t1, 2b\n j 1b");
  }
  // A flag that only the handler changes; many alarms while computing: no sum is disturbed.
  stop_at = alarms + 40;
  arm(500, 500);
  while (alarms < stop_at) {
    u64 part = 0;
    for (u64 i = 1; i <= 1000; i++) part += i * i % 7;
    CHECK(part, 2002);
  }
  // As fast as they come: one arrives while another is being looked at.
  stop_at = alarms + 5000;
  arm(20, 20);
  while (alarms < stop_at) count++;
  // Waiting system calls.
  // The timer repeats, so that one signal surely comes while the call waits, however slow we are.
  u64 wait[2] = {20, 0}, rest[2];
  arm(2000, 20000);
  CHECK(syscall(SYS_nanosleep, wait, rest), -EINTR);
  arm(0, 0);
  int ends[2];
  u8 byte;
  CHECK(syscall(SYS_pipe2, ends, 0), 0);
  on_signal(SIGALRM, on_alarm, 0);
  arm(2000, 20000);
  CHECK(syscall(SYS_read, ends[0], &byte, 1), -EINTR);
  arm(0, 0);
  return finish("alarm");
}
