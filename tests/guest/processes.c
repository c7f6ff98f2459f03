// fork, wait and exit codes; pipes between processes; a process that dies by a signal; execve of
// this program itself. (qemu-user runs the last step only where binfmt_misc knows it.)
#include "guest.h"

static i64 fork_(void) { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static volatile u64 children;
static void on_child(int signal, struct siginfo *info, struct ucontext *context) {
  (void)signal;
  (void)info;
  (void)context;
  children++;
}

int main(int argc, char **argv, char **environment) {
  if (argc == 3 && same(argv[1], "again", 6)) return argv[2][0] - '0';
  on_signal(SIGCHLD, on_child, SA_RESTART);
  i32 status;
  volatile u64 local = 1;
  for (int i = 0; i < 5; i++) {
    int ends[2];
    u8 byte = 0;
    syscall(SYS_pipe2, ends, 0);
    i64 child = fork_();
    if (child == 0) {
      local++;
      byte = (u8)(local + (u64)i);
      syscall(SYS_write, ends[1], &byte, 1);
      syscall(SYS_exit_group, 40 + i);
    }
    CHECK(child > 0, 1);
    CHECK(syscall(SYS_read, ends[0], &byte, 1), 1);
    CHECK(byte, 2 + i);
    CHECK(syscall(SYS_wait4, child, &status, 0, 0), child);
    CHECK(status, (40 + i) << 8);
    CHECK(local, 1);
    syscall(SYS_close, ends[0]);
    syscall(SYS_close, ends[1]);
  }
  CHECK(children, 5);
  i64 child = fork_();
  if (child == 0) *(volatile u32 *)8 = 1;
  CHECK(syscall(SYS_wait4, child, &status, 0, 0), child);
  CHECK(status & 127, SIGSEGV);
  child = fork_();
  if (child == 0) asm volatile(".word 0");
  CHECK(syscall(SYS_wait4, child, &status, 0, 0), child);
  CHECK(status & 127, SIGILL);
  child = fork_();
  if (child == 0) asm volatile("ebreak");
  CHECK(syscall(SYS_wait4, child, &status, 0, 0), child);
  CHECK(status & 127, SIGTRAP);
  child = fork_();
  if (child == 0) for (;;) continue;
  CHECK(syscall(SYS_kill, child, SIGKILL), 0);
  CHECK(syscall(SYS_wait4, child, &status, 0, 0), child);
  CHECK(status & 127, SIGKILL);
  CHECK(syscall(SYS_wait4, -1, &status, 0, 0), -10);
  child = fork_();
  if (child == 0) {
    char *again[] = {argv[0], "again", "7", 0};
    syscall(SYS_execve, "/proc/self/exe", again, environment);
    syscall(SYS_exit_group, 99);
  }
  CHECK(syscall(SYS_wait4, child, &status, 0, 0), child);
  CHECK(status, 7 << 8);
  char *nothing[] = {"x", 0};
  CHECK(syscall(SYS_execve, "/nowhere", nothing, environment), -ENOENT);
  CHECK(syscall(SYS_execve, "/tmp", nothing, environment), -13);
  return finish("processes");
}
