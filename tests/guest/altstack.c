// Signal stacks and masks: a handler on its own stack, a nested one on the same stack, blocked and
// pending signals, SA_NODEFER, SA_RESETHAND, and a stack overflow survived on the other stack.
#include "guest.h"

static u8 space[32768] __attribute__((aligned(16)));
static volatile u64 depth, deepest, inside, ran[64], order;

static int on_alternate(void *sp) { return (u8 *)sp >= space && (u8 *)sp < space + sizeof space; }

static void nested(int signal, struct siginfo *info, struct ucontext *context) {
  (void)info;
  (void)context;
  int here;
  inside += (u64)on_alternate(&here);
  ran[signal]++;
  if (++depth > deepest) deepest = depth;
  struct stack now;
  syscall(SYS_sigaltstack, 0, &now);
  CHECK(now.flags, 1);
  if (signal == SIGUSR1 && depth < 3) syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid), depth == 1 ? SIGUSR2 : SIGUSR1);
  if (signal == SIGUSR2) syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid), SIGUSR1);
  depth--;
}
static void count(int signal, struct siginfo *info, struct ucontext *context) {
  (void)info;
  (void)context;
  ran[signal]++;
  order = order * 16 + (u64)signal;
}
static struct { u64 ra, sp; } back;
static void overflow(int signal, struct siginfo *info, struct ucontext *context) {
  (void)info;
  int here;
  inside += (u64)on_alternate(&here);
  ran[signal]++;
  context->x[0] = back.ra;
  context->x[2] = back.sp;
}
u64 endless(void *save);
asm("endless: sd ra, 0(a0)\n sd sp, 8(a0)\n 1: addi sp, sp, -256\n sd ra, 0(sp)\n jal ra, 1b\n");

int main(void) {
  struct stack stack = {space, 0, 0, sizeof space}, old;
  CHECK(syscall(SYS_sigaltstack, &stack, 0), 0);
  CHECK(syscall(SYS_sigaltstack, 0, &old), 0);
  CHECK(old.sp, space);
  CHECK(old.size, sizeof space);
  CHECK(old.flags, 0);
  u64 pid = (u64)syscall(SYS_getpid), tid = (u64)syscall(SYS_gettid);
  on_signal(SIGUSR1, nested, SA_ONSTACK | SA_NODEFER);
  on_signal(SIGUSR2, nested, SA_ONSTACK);
  syscall(SYS_tgkill, pid, tid, SIGUSR1);
  CHECK(deepest, 3);
  CHECK(inside, 3);
  CHECK(ran[SIGUSR1], 2);
  CHECK(ran[SIGUSR2], 1);
  // Blocked signals stay pending and run, lowest first, once unblocked.
  u64 both = 1ul << (SIGUSR1 - 1) | 1ul << (SIGUSR2 - 1), was, pending;
  on_signal(SIGUSR1, count, 0);
  on_signal(SIGUSR2, count, 0);
  ran[SIGUSR1] = ran[SIGUSR2] = 0;
  CHECK(syscall(SYS_rt_sigprocmask, 0, &both, &was, 8), 0);
  syscall(SYS_tgkill, pid, tid, SIGUSR2);
  syscall(SYS_tgkill, pid, tid, SIGUSR1);
  syscall(SYS_tgkill, pid, tid, SIGUSR1);
  CHECK(ran[SIGUSR1] + ran[SIGUSR2], 0);
  syscall(SYS_rt_sigpending, &pending, 8);
  CHECK(pending & both, both);
  CHECK(syscall(SYS_rt_sigprocmask, 1, &both, 0, 8), 0);
  CHECK(ran[SIGUSR1], 1);
  CHECK(ran[SIGUSR2], 1);
  // SA_RESETHAND: the second read of the action is the default.
  struct sigaction action;
  on_signal(SIGUSR1, count, SA_RESETHAND);
  syscall(SYS_kill, pid, SIGUSR1);
  CHECK(ran[SIGUSR1], 2);
  syscall(SYS_rt_sigaction, SIGUSR1, 0, &action, 8);
  CHECK(action.handler, 0);
  // A handler for a stack overflow can only run on the other stack.
  on_signal(SIGSEGV, overflow, SA_ONSTACK);
  inside = 0;
  for (int i = 1; i <= 3; i++) {
    endless(&back);
    CHECK(ran[SIGSEGV], i);
    CHECK(inside, i);
  }
  stack.flags = 2;
  CHECK(syscall(SYS_sigaltstack, &stack, 0), 0);
  stack.flags = 0, stack.size = 100;
  CHECK(syscall(SYS_sigaltstack, &stack, 0), -ENOMEM);
  CHECK(syscall(SYS_rt_sigaction, SIGKILL, &action, 0, 8), -EINVAL);
  CHECK(syscall(SYS_rt_sigaction, 65, &action, 0, 8), -EINVAL);
  return finish("altstack");
}
