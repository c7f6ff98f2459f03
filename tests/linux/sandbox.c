// Programs that confine themselves: strict mode, filters for all threads, listeners.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV 32
#endif
#ifdef __riscv
#define OUR_ARCH 0xc00000f3
#elif defined __aarch64__
#define OUR_ARCH 0xc00000b7
#else
#define OUR_ARCH 0xc000003e
#endif

static void no_new_privs(void) { prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

// A filter with that action for one call.
static long filter(int nr, unsigned action, unsigned flags) {
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog p = {4, f};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

// What a child that runs f ends with.
static int child(void (*f)(void)) {
    fflush(stdout);
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        f();
        _exit(failures ? 1 : 0);
    }
    waitpid(pid, &status, 0);
    return status;
}

static void strict_allowed(void) {
    int p[2];
    char c = 'x';
    pipe(p);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    int ok = write(p[1], &c, 1) == 1 && read(p[0], &c, 1) == 1;
    syscall(SYS_exit, ok ? 42 : 43);
}
static void strict_getpid(void) { syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL), syscall(SYS_getpid); }
static void strict_exit_group(void) { prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), syscall(SYS_exit_group, 0); }
static void strict_bad_number(void) { prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), syscall(5000); }

static volatile int strict_on;
static void *strict_thread(void *arg) {
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    strict_on = 1;
    syscall(SYS_getpid);
    return arg;
}
// Only the thread that makes the call ends.
static void strict_in_thread(void) {
    pthread_t t;
    pthread_create(&t, NULL, strict_thread, NULL);
    while (!strict_on) usleep(1000);
    usleep(50000);
    _exit(77);
}

static int listener;
static struct { int nr; unsigned arch; unsigned long args[2]; int pid, self; } seen;
enum { ANSWER, ERROR, LET_GO, ADD_FD, ADD_AND_ANSWER } how;

static void *listen_once(void *arg) {
    struct seccomp_notif n;
    struct pollfd p = {listener, POLLIN, 0};
    memset(&n, 0, sizeof n);
    CHECK(poll(&p, 1, 10000) == 1 && p.revents == POLLIN);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n) != 0) return NULL;
    seen.nr = n.data.nr, seen.arch = n.data.arch, seen.pid = n.pid;
    seen.args[0] = n.data.args[0], seen.args[1] = n.data.args[1];
    CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id) == 0);
    unsigned long other = n.id + 1000;
    FAILS(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &other), ENOENT);
    struct seccomp_notif_resp r = {n.id, 77, 0, 0};
    if (how == ERROR) r.val = 0, r.error = -EUCLEAN;
    if (how == LET_GO) {
        r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        FAILS(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r), EINVAL);
        r.val = 0;
    }
    if (how >= ADD_FD) {
        int fd = open("/dev/zero", O_RDONLY);
        struct seccomp_notif_addfd a = {n.id, 0, fd, 0, O_CLOEXEC};
        if (how == ADD_AND_ANSWER) {
            a.flags = SECCOMP_ADDFD_FLAG_SEND;
            CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a) > 2);
            return NULL;
        }
        a.flags = SECCOMP_ADDFD_FLAG_SETFD, a.newfd = 150;
        CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a) == 150);
        close(fd);
    }
    CHECK(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r) == 0);
    return NULL;
}

// The result of mkdirat, answered in that way by another thread.
static long asked(int way) {
    pthread_t t;
    how = way;
    pthread_create(&t, NULL, listen_once, NULL);
    errno = 0;
    long result = syscall(SYS_mkdirat, -1, "asked", 0700, 0, 0, 0);
    int error = errno;
    pthread_join(t, NULL);
    errno = error;
    return result;
}

static void listened(void) {
    no_new_privs();
    FAILS(filter(SYS_mkdirat, 0, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), EINVAL);
    FAILS(filter(SYS_mkdirat, 0, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC), EINVAL);
    FAILS(filter(SYS_mkdirat, 0, 1 << 20), EINVAL);
    // Without a listener nobody is asked.
    CHECK(filter(SYS_symlinkat, SECCOMP_RET_USER_NOTIF, 0) == 0);
    FAILS(symlinkat("a", -1, "b"), ENOSYS);
    listener = filter(SYS_mkdirat, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    CHECK(listener >= 0 && (fcntl(listener, F_GETFD) & FD_CLOEXEC));
    FAILS(filter(SYS_mkdirat, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER), EBUSY);
    CHECK(asked(ANSWER) == 77);
    CHECK(seen.nr == SYS_mkdirat && seen.arch == OUR_ARCH && seen.pid == getpid());
    CHECK((int)seen.args[0] == -1 && strcmp((char *)seen.args[1], "asked") == 0);
    FAILS(asked(ERROR), EUCLEAN);
    FAILS(asked(LET_GO), EBADF);
    CHECK(asked(ADD_FD) == 77);
    char c = 1;
    CHECK(read(150, &c, 1) == 1 && c == 0 && (fcntl(150, F_GETFD) & FD_CLOEXEC));
    long fd = asked(ADD_AND_ANSWER);
    CHECK(fd > 2 && read(fd, &c, 1) == 1);
    // What is not zero is refused, and other descriptors know of no notifications.
    char garbage[80] = {1};
    FAILS(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, garbage), EINVAL);
    FAILS(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, NULL), EFAULT);
    FAILS(ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, 1000), EINVAL);
    int zero = open("/dev/zero", O_RDONLY);
    memset(garbage, 0, sizeof garbage);
    FAILS(ioctl(zero, SECCOMP_IOCTL_NOTIF_RECV, garbage), ENOTTY);
    // A listener that has gone answers as if there were none.
    close(listener);
    FAILS(mkdirat(-1, "asked", 0700), ENOSYS);
}

// A parent listens to a child, which an inherited filter asks about after it has forked again.
static void listened_child(void) {
    no_new_privs();
    listener = filter(SYS_mkdirat, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    pid_t pid = fork();
    if (pid == 0) _exit(mkdirat(-1, "x", 0) == 77 ? 5 : 6);
    how = ANSWER;
    listen_once(NULL);
    int status;
    waitpid(pid, &status, 0);
    CHECK(WEXITSTATUS(status) == 5 && seen.pid == pid);
}

static volatile int go, other_error, other_privs;
static void *other_thread(void *arg) {
    while (!go) usleep(1000);
    other_error = mkdirat(-1, "x", 0) < 0 ? errno : 0;
    other_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    return arg;
}
static void synced(void) {
    pthread_t t;
    pthread_create(&t, NULL, other_thread, NULL);
    no_new_privs();
    CHECK(filter(SYS_mkdirat, SECCOMP_RET_ERRNO | 55, SECCOMP_FILTER_FLAG_TSYNC) == 0);
    go = 1;
    pthread_join(t, NULL);
    CHECK(other_error == 55 && other_privs == 1);
}

static void actions(void) {
    unsigned known[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO,
        SECCOMP_RET_USER_NOTIF, SECCOMP_RET_TRACE, SECCOMP_RET_LOG, SECCOMP_RET_ALLOW};
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        CHECK(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &known[i]) == 0);
    unsigned unknown = 0x7fff0001;
    FAILS(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &unknown), EOPNOTSUPP);
    struct seccomp_notif_sizes sizes;
    CHECK(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0);
    CHECK(sizes.seccomp_notif == 80 && sizes.seccomp_notif_resp == 24 && sizes.seccomp_data == 64);
    no_new_privs();
    CHECK(filter(SYS_mkdirat, SECCOMP_RET_LOG, SECCOMP_FILTER_FLAG_LOG) == 0);
    FAILS(mkdirat(-1, "x", 0), EBADF);
    CHECK(filter(SYS_mkdirat, SECCOMP_RET_TRACE, 0) == 0);
    FAILS(mkdirat(-1, "x", 0), ENOSYS);
    CHECK(filter(SYS_mkdirat, SECCOMP_RET_ERRNO, 0) == 0);
    CHECK(mkdirat(-1, "x", 0) == 0);
}

// The first process of a name space dies of its own faults, and of nothing that it sends to itself.
static int first_process(int kind) {
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) _exit(99);
        pid = fork();
        if (pid == 0) {
            if (kind == SIGSEGV) *(volatile int *)8 = 1;
#ifdef __x86_64__
            if (kind == SIGILL) __asm__ volatile("ud2");
            if (kind == SIGTRAP) __asm__ volatile("int3");
#elif defined __riscv
            if (kind == SIGILL) __asm__ volatile("unimp");
            if (kind == SIGTRAP) __asm__ volatile("ebreak");
#endif
            raise(kind);
            _exit(7);
        }
        waitpid(pid, &status, 0);
        _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    }
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
}

static volatile char selector;
static volatile int served, code_of_call, number_of_call;

// Serves a call itself; its own are made.
static void serve(int sig, siginfo_t *info, void *context) {
    selector = 0;
    served += sig == SIGSYS, code_of_call = info->si_code, number_of_call = info->si_syscall;
    ucontext_t *c = context;
#ifdef __riscv
    c->uc_mcontext.__gregs[10] = 4242;
#elif defined __aarch64__
    c->uc_mcontext.regs[0] = 4242;
#else
    c->uc_mcontext.gregs[REG_RAX] = 4242;
#endif
}

static void dispatched_to_odd(void) {
    prctl(59, 1, 0, 0, &selector), selector = 7;
    syscall(SYS_getppid);
}
static void dispatched_to_nothing(void) {
    prctl(59, 1, 0, 0, 8);
    syscall(SYS_getppid);
}
static void not_inherited(void) {
    prctl(59, 1, 0, 0, &selector);
    pid_t pid = fork();
    if (pid == 0) {
        selector = 1;
        _exit(syscall(SYS_getppid) <= 0);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    _exit(status);
}

// PR_SET_SYSCALL_USER_DISPATCH
static void user_dispatch(void) {
    struct sigaction action = {.sa_sigaction = serve, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGSYS, &action, NULL) == 0);
    FAILS(prctl(59, 0, 1, 0, 0), EINVAL);
    FAILS(prctl(59, 0, 0, 1, 0), EINVAL);
    FAILS(prctl(59, 1, 10, -5L, 0), EINVAL);
    FAILS(prctl(59, 1, 10, 0, 0), EINVAL);
    FAILS(prctl(59, 9, 0, 0, 0), EINVAL);
    FAILS(prctl(59, 1, 0, 0, -1L), EFAULT);
    CHECK(prctl(59, 1, 0, 0, &selector) == 0 && syscall(SYS_getppid) == getppid());
    selector = 1;
    long answer = syscall(SYS_getppid);
    CHECK(answer == 4242 && served == 1 && code_of_call == 2 && number_of_call == SYS_getppid);
    selector = 1;
    answer = syscall(123456);
    CHECK(answer == 4242 && served == 2 && number_of_call == 123456);
    // All calls are made from where they are allowed.
    CHECK(prctl(59, 1, 1, -3L, &selector) == 0);
    selector = 1;
    answer = syscall(SYS_getpid);
    selector = 0;
    CHECK(answer == getpid() && served == 2);
    CHECK(prctl(59, 0, 0, 0, 0) == 0);
    signal(SIGSYS, SIG_DFL);
    int status = child(dispatched_to_odd);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    status = child(dispatched_to_nothing);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    CHECK(child(not_inherited) == 0);
}

int main(void) {
    if (under_qemu()) return finish();
    user_dispatch();
    int status = child(strict_allowed);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    void (*forbidden[])(void) = {strict_getpid, strict_exit_group, strict_bad_number};
    for (int i = 0; i < 3; i++) {
        status = child(forbidden[i]);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    status = child(strict_in_thread);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 77);
    CHECK(child(listened) == 0);
    CHECK(child(listened_child) == 0);
    CHECK(child(synced) == 0);
    CHECK(child(actions) == 0);
    if (first_process(SIGTERM) == 99) puts("left out: name spaces");
    else {
        CHECK(first_process(SIGTERM) == 7 && first_process(SIGKILL) == 7);
        CHECK(first_process(SIGSEGV) == 128 + SIGSEGV);
        CHECK(first_process(SIGILL) == 128 + SIGILL && first_process(SIGTRAP) == 128 + SIGTRAP);
    }
    return finish();
}
