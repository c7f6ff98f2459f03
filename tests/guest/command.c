// What the tests of the library's commands ask a program to do: each argument is one thing.
#include "guest.h"

int main(int argc, char **argv, char **environment) {
  char text[4096];
  if (argc == 1) return finish("command");
  for (int i = 1; i < argc; i++) {
    if (same(argv[i], "cat", 4)) {
      for (i64 n; (n = syscall(SYS_read, 0, text, sizeof text)) > 0;) syscall(SYS_write, 1, text, n);
    } else if (same(argv[i], "env", 4)) {
      for (char **e = environment; *e; e++) print(*e), print("\n");
    } else if (same(argv[i], "cwd", 4)) {
      syscall(SYS_getcwd, text, sizeof text);
      print(text), print("\n");
    } else if (same(argv[i], "name", 5)) {
      print(argv[0]), print("\n");
    } else if (same(argv[i], "uname", 6)) {
      syscall(SYS_uname, text);
      print(text + 2 * 65), print("\n");
    } else if (same(argv[i], "error", 6)) {
      syscall(SYS_write, 2, "error\n", 6);
    } else if (same(argv[i], "files", 6)) {
      // Descriptors that are open.
      for (i64 fd = 0; fd < 1024; fd++)
        if (syscall(SYS_fcntl, fd, 1) >= 0) print_hex(fd), print("\n");
    } else if (same(argv[i], "signals", 8)) {
      u64 mask = 0, action[4] = {0};
      syscall(SYS_rt_sigprocmask, 0, 0, &mask, 8);
      syscall(SYS_rt_sigaction, 13, 0, action, 8);
      print_hex(mask), print(" "), print_hex(action[0]), print("\n");
    } else if (same(argv[i], "list", 5)) {
      // The names in the root directory.
      i64 fd = syscall(SYS_openat, -100, "/", 0200000);
      for (i64 n; (n = syscall(SYS_getdents64, fd, text, sizeof text)) > 0;)
        for (char *at = text; at < text + n; at += *(u16 *)(at + 16)) print(at + 19), print("\n");
    } else if (same(argv[i], "again", 6)) {
      // The rest, in a program that takes this one's place.
      argv[i] = argv[0];
      syscall(SYS_execve, "/proc/self/exe", argv + i, environment);
      return 99;
    } else if (same(argv[i], "wait", 5)) {
      for (;;) syscall(SYS_futex, text, 0, 0, 0);
    } else {
      return argv[i][0] - '0';
    }
  }
  return 0;
}
