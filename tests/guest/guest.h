// What the guest test programs share: a start without a C library, system calls, signals, and
// checks. A program checks itself; it prints `ok NAME` and exits with 0, or says what differed and
// exits with 1. Structures follow the kernel's riscv64 ABI.
#ifndef GUEST_H
#define GUEST_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef int i32;
typedef long i64;

enum {
  SYS_getcwd = 17, SYS_dup = 23, SYS_dup3 = 24, SYS_fcntl = 25, SYS_mkdirat = 34, SYS_unlinkat = 35, SYS_openat = 56,
  SYS_close = 57, SYS_pipe2 = 59, SYS_getdents64 = 61, SYS_lseek = 62, SYS_read = 63, SYS_write = 64, SYS_writev = 66,
  SYS_pread64 = 67, SYS_readlinkat = 78, SYS_newfstatat = 79, SYS_fstat = 80, SYS_exit = 93, SYS_exit_group = 94,
  SYS_set_tid_address = 96, SYS_futex = 98, SYS_nanosleep = 101, SYS_setitimer = 103, SYS_clock_gettime = 113,
  SYS_sched_yield = 124, SYS_kill = 129, SYS_tgkill = 131, SYS_sigaltstack = 132, SYS_rt_sigaction = 134,
  SYS_rt_sigprocmask = 135, SYS_rt_sigpending = 136, SYS_times = 153, SYS_uname = 160, SYS_getpid = 172, SYS_gettid = 178,
  SYS_brk = 214, SYS_munmap = 215, SYS_mremap = 216, SYS_clone = 220, SYS_execve = 221, SYS_mmap = 222, SYS_mprotect = 226,
  SYS_riscv_flush_icache = 259, SYS_wait4 = 260, SYS_getrandom = 278
};
enum { PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4, MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_FIXED = 16, MAP_ANONYMOUS = 32 };
enum { SIGHUP = 1, SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGKILL = 9, SIGUSR1 = 10, SIGSEGV = 11, SIGUSR2 = 12, SIGALRM = 14, SIGCHLD = 17 };
#define SA_SIGINFO 4ul
#define SA_ONSTACK 0x08000000ul
#define SA_RESTART 0x10000000ul
#define SA_NODEFER 0x40000000ul
#define SA_RESETHAND 0x80000000ul
enum { EPERM = 1, ENOENT = 2, EINTR = 4, EBADF = 9, ENOMEM = 12, EFAULT = 14, EINVAL = 22, ESPIPE = 29, ENOSYS = 38, PAGE = 4096 };

struct siginfo {
  i32 signo, error, code, pad;
  u64 addr;
  u64 rest[13];
};
struct stack {
  void *sp;
  i32 flags, pad;
  u64 size;
};
struct ucontext {
  u64 flags, link;
  struct stack stack;
  u64 mask, unused[15], align;
  u64 x[32];  // x[0] is the pc.
  u64 f[32];
  u32 fcsr;
};
struct sigaction {
  void (*handler)(int, struct siginfo *, struct ucontext *);
  u64 flags, mask;
};

static inline i64 syscall6(i64 n, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  register u64 a0 asm("a0") = a, a1 asm("a1") = b, a2 asm("a2") = c, a3 asm("a3") = d, a4 asm("a4") = e, a5 asm("a5") = f;
  register i64 a7 asm("a7") = n;
  asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
  return (i64)a0;
}
#define SYSCALL_PICK(n, a, b, c, d, e, f, ...) syscall6(n, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (u64)(f))
#define syscall(...) SYSCALL_PICK(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

void *memset(void *to, int value, u64 size) {
  for (volatile u8 *p = to; size--;) *p++ = (u8)value;
  return to;
}
void *memcpy(void *to, const void *from, u64 size) {
  volatile u8 *p = to;
  for (const u8 *q = from; size--;) *p++ = *q++;
  return to;
}
static inline u64 length(const char *s) {
  u64 n = 0;
  while (s[n]) n++;
  return n;
}
static inline int same(const void *a, const void *b, u64 size) {
  const u8 *p = a, *q = b;
  while (size--)
    if (*p++ != *q++) return 0;
  return 1;
}

static inline void print(const char *s) { syscall(SYS_write, 1, s, length(s)); }
static inline void print_hex(u64 value) {
  char text[19] = "0x";
  int digits = 1;
  while (digits < 16 && value >> (4 * digits)) digits++;
  for (int i = 0; i < digits; i++) text[2 + i] = "0123456789abcdef"[value >> (4 * (digits - 1 - i)) & 15];
  text[2 + digits] = 0;
  print(text);
}

static int failures;
static inline void check(const char *what, u64 got, u64 want) {
  if (got == want) return;
  failures++;
  print(what);
  print(": got ");
  print_hex(got);
  print(", want ");
  print_hex(want);
  print("\n");
}
#define CHECK(got, want) check(#got, (u64)(got), (u64)(want))
static inline int finish(const char *name) {
  if (failures) return 1;
  print("ok ");
  print(name);
  print("\n");
  return 0;
}

typedef void handler_fn(int, struct siginfo *, struct ucontext *);
static inline i64 on_signal(int signal, handler_fn *handler, u64 flags) {
  struct sigaction action = {handler, flags | SA_SIGINFO, 0};
  return syscall(SYS_rt_sigaction, signal, &action, 0, 8);
}
static inline u8 *map(u64 pages, int protection) {
  return (u8 *)syscall(SYS_mmap, 0, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

#ifndef NO_START
// The stack pointer at entry addresses argc; the arguments and the environment follow.
asm(".globl _start\n_start:\n.option push\n.option norelax\nla gp, __global_pointer$\n.option pop\n"
    "li ra, 0\nld a0, 0(sp)\naddi a1, sp, 8\nslli a2, a0, 3\nadd a2, a2, a1\naddi a2, a2, 8\n"
    "andi sp, sp, -16\ncall main\nli a7, 94\necall\n");
#endif

#endif
