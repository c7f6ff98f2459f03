// Tracing: stops, registers, memory, system calls, signals, events, and who may do what (ptrace(2)).
#define _GNU_SOURCE
#include "check.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__riscv)
enum { PC = 0, RESULT = 10, NUMBER = 17, BREAKPOINT_BEHIND = 0, WORDS = 32 };
static const unsigned long breakpoint = 0x00100073, breakpoint_mask = 0xffffffff;
#define ARCH 0xc00000f3u
#elif defined(__x86_64__)
enum { PC = 16, RESULT = 10, NUMBER = 15, BREAKPOINT_BEHIND = 1, WORDS = 27 };
static const unsigned long breakpoint = 0xcc, breakpoint_mask = 0xff;
#define ARCH AUDIT_ARCH_X86_64
#else
enum { PC = 32, RESULT = 0, NUMBER = 8, BREAKPOINT_BEHIND = 0, WORDS = 34 };
static const unsigned long breakpoint = 0xd4200000, breakpoint_mask = 0xffffffff;
#define ARCH AUDIT_ARCH_AARCH64
#endif

struct call_info {
    unsigned char op, pad[3];
    unsigned arch;
    unsigned long ip, sp;
    union {
        struct { unsigned long nr, args[6]; unsigned data; } entry;
        struct { long rval; unsigned char is_error; } exit;
    };
};

static char *self;
static volatile long cell = 42;
static volatile int handled;

__attribute__((noinline)) static long spot(long x) { __asm__ volatile("" : "+r"(x)); return x + 1; }
static void on_signal(int signal) { handled = signal; }

static int registers(pid_t p, unsigned long *r) {
    struct iovec v = {r, WORDS * sizeof *r};
    return ptrace(PTRACE_GETREGSET, p, NT_PRSTATUS, &v);
}
static int set_registers(pid_t p, unsigned long *r) {
    struct iovec v = {r, WORDS * sizeof *r};
    return ptrace(PTRACE_SETREGSET, p, NT_PRSTATUS, &v);
}
static int wait_for(pid_t p) {
    int status = -1;
    pid_t found;
    while ((found = waitpid(p, &status, __WALL)) < 0 && errno == EINTR) {}
    return found == p ? status : -1;
}
static int stopped(int status, int signal) { return WIFSTOPPED(status) && WSTOPSIG(status) == signal; }
static int event(int status, int which) { return status >> 8 == (SIGTRAP | which << 8); }

// A child that is traced and has stopped once.
static pid_t traced(void (*body)(void)) {
    pid_t p = fork();
    if (p == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) _exit(100);
        raise(SIGSTOP);
        body();
        _exit(99);
    }
    int status = wait_for(p);
    CHECK(stopped(status, SIGSTOP));
    return p;
}
static void last(pid_t p, int code) {
    int status = wait_for(p);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == code);
}

static void use_cell(void) { _exit(spot(cell) == 44 ? 7 : 8); }
static void memory_and_registers(void) {
    pid_t p = traced(use_cell);
    unsigned long r[WORDS], before;
    siginfo_t info;
    CHECK(ptrace(PTRACE_GETSIGINFO, p, 0, &info) == 0 && info.si_signo == SIGSTOP && info.si_pid == p);
    CHECK(registers(p, r) == 0 && r[PC] > 0x1000);
    errno = 0;
    CHECK(ptrace(PTRACE_PEEKDATA, p, &cell, 0) == 42 && errno == 0);
    CHECK(ptrace(PTRACE_POKEDATA, p, &cell, 43) == 0 && ptrace(PTRACE_PEEKDATA, p, &cell, 0) == 43 && cell == 42);
    FAILS(ptrace(PTRACE_PEEKDATA, p, 8, 0), EIO);
    FAILS(ptrace(PTRACE_POKEDATA, p, 8, 0), EIO);
    struct iovec small = {r, 16}, odd = {r, 15};
    CHECK(ptrace(PTRACE_GETREGSET, p, NT_PRSTATUS, &small) == 0 && small.iov_len == 16);
    FAILS(ptrace(PTRACE_GETREGSET, p, NT_PRSTATUS, &odd), EINVAL);
    FAILS(ptrace(PTRACE_GETREGSET, p, 0x7777, &small), EINVAL);
    FAILS(ptrace(PTRACE_GETREGSET, p, NT_PRSTATUS, 8), EFAULT);
    unsigned long floats[80];
    struct iovec f = {floats, sizeof floats};
    CHECK(ptrace(PTRACE_GETREGSET, p, NT_PRFPREG, &f) == 0 && f.iov_len >= 264);
    unsigned long mask = 0;
    CHECK(ptrace(PTRACE_GETSIGMASK, p, 8, &mask) == 0 && mask == 0);
    FAILS(ptrace(PTRACE_GETSIGMASK, p, 4, &mask), EINVAL);

    // A breakpoint in code that has not run, and in code that has.
    before = ptrace(PTRACE_PEEKTEXT, p, spot, 0);
    CHECK(ptrace(PTRACE_POKETEXT, p, spot, (before & ~breakpoint_mask) | breakpoint) == 0);
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    CHECK(stopped(wait_for(p), SIGTRAP));
    CHECK(registers(p, r) == 0 && r[PC] - BREAKPOINT_BEHIND == (unsigned long)spot);
    CHECK(ptrace(PTRACE_POKETEXT, p, spot, before) == 0);
    r[PC] = (unsigned long)spot;
    CHECK(set_registers(p, r) == 0);
    FAILS(ptrace(PTRACE_CONT, p, 0, 65), EIO);
    CHECK(ptrace(PTRACE_DETACH, p, 0, 0) == 0);
    FAILS(ptrace(PTRACE_CONT, p, 0, 0), ESRCH);
    last(p, 7);
}

static void make_calls(void) {
    for (int i = 0; i < 3; i++) {
        long r = syscall(SYS_getpriority, 0, 0x1234567, 3);
        if (i == 0 && r != -1) _exit(1);
        if (i == 1 && r != 77) _exit(2);
        if (i == 2 && !(r == -1 && errno == ENOSYS)) _exit(3);
    }
    _exit(5);
}
static void system_calls(void) {
    pid_t p = traced(make_calls);
    struct call_info info;
    unsigned long r[WORDS];
    CHECK(ptrace(PTRACE_SETOPTIONS, p, 0, PTRACE_O_TRACESYSGOOD) == 0);
    FAILS(ptrace(PTRACE_SETOPTIONS, p, 0, 1 << 15), EINVAL);
    CHECK(ptrace(PTRACE_GET_SYSCALL_INFO, p, sizeof info, &info) >= 24 && info.op == 0 && info.arch == ARCH);
    int seen = 0;
    for (;;) {
        CHECK(ptrace(PTRACE_SYSCALL, p, 0, 0) == 0);
        int status = wait_for(p);
        if (!WIFSTOPPED(status)) {
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
            break;
        }
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) { CHECK(0); break; }
        long size = ptrace(PTRACE_GET_SYSCALL_INFO, p, sizeof info, &info);
        if (info.op != 1 || info.entry.nr != SYS_getpriority) continue;
        CHECK(size == 80 && info.entry.args[1] == 0x1234567 && info.entry.args[2] == 3);
        seen++;
        if (seen == 3) {
            // No such call instead.
            CHECK(registers(p, r) == 0);
            r[NUMBER] = (unsigned long)-1;
            set_registers(p, r);
#if defined(__aarch64__)
            int none = -1;
            struct iovec v = {&none, sizeof none};
            ptrace(PTRACE_SETREGSET, p, NT_ARM_SYSTEM_CALL, &v);
#endif
        }
        CHECK(ptrace(PTRACE_SYSCALL, p, 0, 0) == 0);
        CHECK(stopped(wait_for(p), SIGTRAP | 0x80));
        size = ptrace(PTRACE_GET_SYSCALL_INFO, p, sizeof info, &info);
        CHECK(size == 33 && info.op == 2);
        if (seen < 3) CHECK(info.exit.rval == -ESRCH && info.exit.is_error == 1);
        CHECK(registers(p, r) == 0);
        if (seen == 2) r[RESULT] = 77;
        if (seen == 3) r[RESULT] = (unsigned long)-ENOSYS;
        CHECK(set_registers(p, r) == 0);
    }
    CHECK(seen == 3);
}

static void sleep_and_count(void) {
    signal(SIGUSR2, on_signal);
    signal(SIGUSR1, SIG_IGN);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    if (handled) _exit(1);
    kill(getpid(), SIGTERM);
    if (handled != SIGUSR2) _exit(2);
    struct timespec t = {0, 50000000};
    int error = clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
    if (error) _exit(3);
    _exit(6);
}
static void signals(void) {
    pid_t p = traced(sleep_and_count);
    siginfo_t info;
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    // Also what is ignored.
    CHECK(stopped(wait_for(p), SIGUSR1));
    CHECK(ptrace(PTRACE_GETSIGINFO, p, 0, &info) == 0 && info.si_code == SI_USER && info.si_pid == p);
    CHECK(ptrace(PTRACE_CONT, p, 0, SIGUSR1) == 0);
    CHECK(stopped(wait_for(p), SIGUSR2));
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    // Another one instead.
    CHECK(stopped(wait_for(p), SIGTERM));
    CHECK(ptrace(PTRACE_CONT, p, 0, SIGUSR2) == 0);
    usleep(10000);
    // What is taken away interrupts nothing.
    CHECK(kill(p, SIGWINCH) == 0);
    CHECK(stopped(wait_for(p), SIGWINCH));
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    last(p, 6);
}

// Every signal stops a traced process, whatever it does on it, also as the first thing to be told.
static void first_stops(void) {
    for (int signal_number = 1; signal_number <= SIGRTMAX; signal_number++) {
        if (signal_number == SIGKILL || (signal_number >= 32 && signal_number < SIGRTMIN)) continue;
        for (int ignores = 0; ignores < 2; ignores++) {
            pid_t p = fork();
            if (p == 0) {
                if (ignores) signal(signal_number, SIG_IGN);
                if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) _exit(100);
                errno = 0;
                if (ptrace(PTRACE_TRACEME, 0, 0, 0) != -1 || errno != EPERM) _exit(101);
                kill(getpid(), signal_number);
                _exit(2);
            }
            CHECK(stopped(wait_for(p), signal_number));
            siginfo_t info;
            CHECK(ptrace(PTRACE_GETSIGINFO, p, 0, &info) == 0 && info.si_code == SI_USER && info.si_pid == p);
            CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
            last(p, 2);
        }
    }
}

// Signals that wait: what is blocked, of the thread and of its process.
static void block_some(void) {
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    union sigval value = {.sival_int = 5};
    sigqueue(getpid(), SIGRTMIN + 3, value);
    sigqueue(getpid(), SIGRTMIN + 4, value);
    syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGHUP);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    raise(SIGHUP);
    _exit(3);
}
static void waiting_signals(void) {
    pid_t p = traced(block_some);
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    CHECK(stopped(wait_for(p), SIGHUP));
    siginfo_t found[4];
    memset(found, 0, sizeof found);
    struct __ptrace_peeksiginfo_args args = {0, 0, 4};
    CHECK(ptrace(PTRACE_PEEKSIGINFO, p, &args, found) == 1 && found[0].si_signo == SIGUSR2 && found[0].si_code == SI_TKILL);
    args.flags = 1;
    CHECK(ptrace(PTRACE_PEEKSIGINFO, p, &args, found) == 2 && found[0].si_signo == SIGRTMIN + 3 && found[1].si_value.sival_int == 5);
    args.off = 1;
    CHECK(ptrace(PTRACE_PEEKSIGINFO, p, &args, found) == 1 && found[0].si_signo == SIGRTMIN + 4);
    args.off = 2;
    CHECK(ptrace(PTRACE_PEEKSIGINFO, p, &args, found) == 0);
    args.off = 0;
    args.nr = 1;
    CHECK(ptrace(PTRACE_PEEKSIGINFO, p, &args, found) == 1 && found[0].si_signo == SIGRTMIN + 3);
    args.flags = 2;
    FAILS(ptrace(PTRACE_PEEKSIGINFO, p, &args, found), EINVAL);
    args.flags = 0;
    args.nr = -1;
    FAILS(ptrace(PTRACE_PEEKSIGINFO, p, &args, found), EINVAL);
    FAILS(ptrace(PTRACE_PEEKSIGINFO, p, 8, found), EFAULT);
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    last(p, 3);
}

static void die(void) { raise(SIGUSR1); _exit(1); }
static void crash(void) { *(volatile int *)16 = 1; _exit(1); }
static void deaths(void) {
    pid_t p = traced(die);
    siginfo_t info;
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    CHECK(stopped(wait_for(p), SIGUSR1));
    CHECK(ptrace(PTRACE_CONT, p, 0, SIGUSR1) == 0);
    int status = wait_for(p);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
    p = traced(crash);
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    CHECK(stopped(wait_for(p), SIGSEGV));
    CHECK(ptrace(PTRACE_GETSIGINFO, p, 0, &info) == 0 && info.si_addr == (void *)16 && info.si_code == SEGV_MAPERR);
    CHECK(ptrace(PTRACE_CONT, p, 0, SIGSEGV) == 0);
    status = wait_for(p);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    p = traced(die);
    CHECK(kill(p, SIGKILL) == 0);
    status = wait_for(p);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    FAILS(ptrace(PTRACE_CONT, p, 0, 0), ESRCH);
}

static void *thread(void *x) { spot(1); return x; }
static void make_others(void) {
    pid_t p = fork();
    if (p == 0) _exit(spot(1));
    int status;
    while (waitpid(p, &status, 0) < 0) {}
    if (!(WIFEXITED(status) && WEXITSTATUS(status) == 2)) _exit(1);
    p = vfork();
    if (p == 0) { execl(self, self, "again", NULL); _exit(3); }
    while (waitpid(p, &status, 0) < 0) {}
    if (!(WIFEXITED(status) && WEXITSTATUS(status) == 9)) _exit(2);
    pthread_t t;
    if (pthread_create(&t, NULL, thread, NULL) || pthread_join(t, NULL)) _exit(3);
    _exit(4);
}
static void events(void) {
    pid_t p = traced(make_others);
    long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT;
    CHECK(ptrace(PTRACE_SETOPTIONS, p, 0, options) == 0);
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    int count[8] = {0}, begun = 0, ended = 0;
    unsigned long made[8], r[WORDS];
    int known = 0;
    for (;;) {
        int status;
        pid_t who = waitpid(-1, &status, __WALL);
        if (who < 0) break;
        if (!WIFSTOPPED(status)) {
            ended++;
            if (who == p) CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 4);
            continue;
        }
        int which = status >> 16, deliver = 0;
        CHECK(registers(who, r) == 0 && r[PC] != 0);
        if (which) {
            unsigned long message = 0;
            CHECK(ptrace(PTRACE_GETEVENTMSG, who, 0, &message) == 0);
            if (which < 4) made[known++ & 7] = message;
            if (which == PTRACE_EVENT_EXEC) CHECK(message == (unsigned long)who);
            if (which < 8) count[which]++;
        } else if (WSTOPSIG(status) == SIGSTOP) {
            begun++;
        } else {
            deliver = WSTOPSIG(status);
        }
        CHECK(ptrace(PTRACE_CONT, who, 0, deliver) == 0);
    }
    CHECK(count[PTRACE_EVENT_FORK] == 1 && count[PTRACE_EVENT_VFORK] == 1 && count[PTRACE_EVENT_CLONE] == 1);
    CHECK(count[PTRACE_EVENT_EXEC] == 1 && count[PTRACE_EVENT_EXIT] == 4);
    CHECK(begun == 3 && ended == 4 && known == 3 && made[0] != made[1]);
}

static void start_again(void) { execl(self, self, "again", NULL); _exit(1); }
static void programs(void) {
    // Without an option a SIGTRAP tells of a new program.
    pid_t p = traced(start_again);
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    CHECK(stopped(wait_for(p), SIGTRAP));
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    last(p, 9);
    // A child that nobody has stopped before.
    p = fork();
    if (p == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        start_again();
    }
    CHECK(stopped(wait_for(p), SIGTRAP));
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    last(p, 9);
}

// Children that nobody traces are as they would be otherwise.
static void make_untraced(void) {
    signal(SIGUSR1, SIG_IGN);
    for (int way = 0; way < 2; way++) {
        pid_t p = way ? vfork() : fork();
        if (p == 0) {
            if (way) { execl(self, self, "usr1", NULL); _exit(2); }
            raise(SIGUSR1), raise(SIGCHLD), raise(SIGTERM);
            _exit(1);
        }
        int status;
        while (waitpid(p, &status, 0) < 0) {}
        if (way ? !(WIFEXITED(status) && WEXITSTATUS(status) == 9) : !(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM)) _exit(1 + way);
    }
    _exit(4);
}
static void untraced(void) {
    pid_t p = traced(make_untraced);
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    int status, children = 0;
    while (WIFSTOPPED(status = wait_for(p))) {
        children += WSTOPSIG(status) == SIGCHLD;
        CHECK(ptrace(PTRACE_CONT, p, 0, WSTOPSIG(status)) == 0);
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 4 && children >= 1);
}

static pid_t running(void) {
    int ends[2];
    char byte;
    if (pipe(ends) != 0) exit(2);
    pid_t p = fork();
    if (p == 0) {
        if (write(ends[1], "x", 1) != 1) _exit(1);
        for (;;) cell++;
    }
    CHECK(read(ends[0], &byte, 1) == 1);
    close(ends[0]), close(ends[1]);
    return p;
}
static void attaching(void) {
    unsigned long r[WORDS];
    int status;
    pid_t p = running();
    FAILS(ptrace(PTRACE_CONT, p, 0, 0), ESRCH);
    FAILS(ptrace(PTRACE_SEIZE, p, 1, 0), EIO);
    FAILS(ptrace(PTRACE_SEIZE, p, 0, 1 << 15), EIO);
    CHECK(ptrace(PTRACE_ATTACH, p, 0, 0) == 0);
    CHECK(stopped(wait_for(p), SIGSTOP));
    FAILS(ptrace(PTRACE_ATTACH, p, 0, 0), EPERM);
    CHECK(registers(p, r) == 0 && r[PC] != 0);
    FAILS(ptrace(PTRACE_INTERRUPT, p, 0, 0), EIO);
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    FAILS(registers(p, r), ESRCH);
    CHECK(waitpid(p, &status, WNOHANG | __WALL) == 0);
    CHECK(kill(p, SIGSTOP) == 0);
    CHECK(stopped(wait_for(p), SIGSTOP));
    CHECK(ptrace(PTRACE_DETACH, p, 0, 0) == 0);

    CHECK(ptrace(PTRACE_SEIZE, p, 0, PTRACE_O_EXITKILL) == 0);
    CHECK(ptrace(PTRACE_INTERRUPT, p, 0, 0) == 0);
    status = wait_for(p);
    CHECK(event(status, PTRACE_EVENT_STOP));
    CHECK(registers(p, r) == 0 && r[PC] != 0);
    long value = ptrace(PTRACE_PEEKDATA, p, &cell, 0);
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    usleep(20000);
    // The stop of a group, and its end.
    CHECK(kill(p, SIGSTOP) == 0);
    CHECK(stopped(wait_for(p), SIGSTOP));
    CHECK(ptrace(PTRACE_PEEKDATA, p, &cell, 0) != value);
    CHECK(ptrace(PTRACE_CONT, p, 0, SIGSTOP) == 0);
    status = wait_for(p);
    CHECK(status >> 8 == (SIGSTOP | PTRACE_EVENT_STOP << 8));
    CHECK(ptrace(PTRACE_LISTEN, p, 0, 0) == 0);
    CHECK(kill(p, SIGCONT) == 0);
    status = wait_for(p);
    CHECK(event(status, PTRACE_EVENT_STOP));
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    CHECK(stopped(wait_for(p), SIGCONT));
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    siginfo_t info = {0};
    CHECK(kill(p, SIGUSR1) == 0);
    CHECK(waitid(P_PID, p, &info, WSTOPPED | WNOWAIT | __WALL) == 0 && info.si_code == CLD_TRAPPED && info.si_status == SIGUSR1);
    CHECK(waitid(P_PID, p, &info, WSTOPPED | __WALL) == 0 && info.si_pid == p && info.si_status == SIGUSR1);
    CHECK(kill(p, SIGKILL) == 0);
    CHECK(WIFSIGNALED(wait_for(p)));

    FAILS(ptrace(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
    FAILS(ptrace(PTRACE_ATTACH, 0x3fffffff, 0, 0), ESRCH);
    FAILS(ptrace(PTRACE_SEIZE, 0x3fffffff, 1, 0), ESRCH);
}

// A signal that looks like what a tracer of host threads might believe.
static void forge(void) {
    static unsigned long words[200];
    for (int i = 0; i < 200; i++) words[i] = 0x4141414141414141;
    siginfo_t info = {0};
    unsigned long at = (unsigned long)words, asks = 7;
    info.si_signo = SIGSEGV, info.si_code = -0x5256;
    memcpy((char *)&info + 32, &at, 8);
    for (int i = 0; i < 2; i++) {
        syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGSEGV, &info);
        memcpy((char *)&info + 24, &asks, 8);
    }
    _exit(3);
}
static void forgeries(void) {
    pid_t p = traced(forge);
    for (int i = 0; i < 2; i++) {
        siginfo_t info;
        CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
        CHECK(stopped(wait_for(p), SIGSEGV));
        CHECK(ptrace(PTRACE_GETSIGINFO, p, 0, &info) == 0 && info.si_code < 0 && ptrace(PTRACE_PEEKDATA, p, &cell, 0) == 42);
    }
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    last(p, 3);
}

// Whoever traces ends: its tracees go on, or die with it.
static void orphans(void) {
    for (int kills = 0; kills < 2; kills++) {
        int ends[2];
        CHECK(pipe(ends) == 0);
        pid_t tracer = fork();
        if (tracer == 0) {
            pid_t p = fork();
            if (p == 0) {
                ptrace(PTRACE_TRACEME, 0, 0, 0);
                raise(SIGSTOP);
                usleep(20000);
                getppid();
                if (write(ends[1], "y", 1) != 1) _exit(1);
                _exit(0);
            }
            wait_for(p);
            ptrace(PTRACE_SETOPTIONS, p, 0, kills ? PTRACE_O_EXITKILL : 0);
            ptrace(PTRACE_SYSCALL, p, 0, 0);
            wait_for(p);
            _exit(0);
        }
        close(ends[1]);
        char byte;
        CHECK(read(ends[0], &byte, 1) == (kills ? 0 : 1));
        close(ends[0]);
        wait_for(tracer);
    }
}

static void filtered(void) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 321),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {4, program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) _exit(1);
    _exit(syscall(SYS_getppid) == getppid() ? 8 : 2);
}
static void filters(void) {
    pid_t p = traced(filtered);
    CHECK(ptrace(PTRACE_SETOPTIONS, p, 0, PTRACE_O_TRACESECCOMP) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
        CHECK(event(wait_for(p), PTRACE_EVENT_SECCOMP));
        unsigned long data = 0;
        struct call_info info;
        CHECK(ptrace(PTRACE_GETEVENTMSG, p, 0, &data) == 0 && data == 321);
        CHECK(ptrace(PTRACE_GET_SYSCALL_INFO, p, sizeof info, &info) == 84 && info.op == 3 && info.entry.nr == SYS_getppid);
    }
    CHECK(ptrace(PTRACE_CONT, p, 0, 0) == 0);
    last(p, 8);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        // What was ignored still is.
        if (strcmp(argv[1], "usr1") == 0) raise(SIGUSR1);
        return 9;
    }
    self = argv[0];
    // It traces nobody.
    if (under_qemu()) return finish();
    memory_and_registers();
    system_calls();
    signals();
    first_stops();
    waiting_signals();
    deaths();
    events();
    programs();
    untraced();
    attaching();
    forgeries();
    orphans();
    filters();
    return finish();
}
