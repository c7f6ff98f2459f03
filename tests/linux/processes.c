// Processes: making, replacing and waiting for them, what they inherit, and what limits them.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char stack[256 << 10] __attribute__((aligned(16)));
static volatile int shared;
static char marker[] = "marker!";
static const char *self, *name0;

static int status_of(pid_t pid) {
    int status = -1;
    while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR) {}
    return status;
}

#define EXITED(pid, code) ({ int s_ = status_of(pid); WIFEXITED(s_) && WEXITSTATUS(s_) == (code); })
#define KILLED(pid, sig) ({ int s_ = status_of(pid); WIFSIGNALED(s_) && WTERMSIG(s_) == (sig); })

static int set_shared(void *arg) {
    shared = (int)(intptr_t)arg;
    return 7;
}

// A child that goes on beside its parent, in the same memory.
static int ping_pong(void *arg) {
    volatile int *turn = arg;
    for (int i = 0; i < 100; i++) {
        while (*turn != 1) sched_yield();
        *turn = 0;
    }
    return 9;
}

static void handler(int sig) { shared = sig; }

static int actions_of_child(void *arg) {
    signal(SIGUSR1, SIG_IGN);
    return 0;
}

static void clones(void) {
    int flags = SIGCHLD;
    shared = 0;
    pid_t pid = clone(set_shared, stack + sizeof stack, flags, (void *)1);
    CHECK(EXITED(pid, 7) && shared == 0);
    pid = clone(set_shared, stack + sizeof stack, CLONE_VM | flags, (void *)2);
    CHECK(EXITED(pid, 7) && shared == 2);
    pid = clone(set_shared, stack + sizeof stack, CLONE_VM | CLONE_VFORK | flags, (void *)3);
    CHECK(shared == 3);
    CHECK(EXITED(pid, 7));
    volatile int turn = 0;
    pid = clone(ping_pong, stack + sizeof stack, CLONE_VM | CLONE_FILES | CLONE_FS | flags, (void *)&turn);
    for (int i = 0; i < 100; i++) {
        while (turn != 0) sched_yield();
        turn = 1;
    }
    CHECK(EXITED(pid, 9));
    signal(SIGUSR1, handler);
    pid = clone(actions_of_child, stack + sizeof stack, CLONE_VM | CLONE_SIGHAND | flags, NULL);
    struct sigaction now;
    CHECK(EXITED(pid, 0) && sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_IGN);
    signal(SIGUSR1, handler);
    pid = clone(actions_of_child, stack + sizeof stack, CLONE_VM | flags, NULL);
    CHECK(EXITED(pid, 0) && sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == handler);
    // A child without a signal at its end is waited for with __WCLONE.
    pid = clone(set_shared, stack + sizeof stack, 0, (void *)1);
    FAILS(waitpid(pid, NULL, 0), ECHILD);
    CHECK(waitpid(pid, NULL, __WCLONE) == pid);
    FAILS(clone(set_shared, stack + sizeof stack, CLONE_SIGHAND | flags, NULL), EINVAL);
    FAILS(clone(set_shared, stack + sizeof stack, CLONE_VM | CLONE_THREAD | flags, NULL), EINVAL);
    FAILS(clone(set_shared, stack + sizeof stack, CLONE_FS | CLONE_NEWNS | flags, NULL), EINVAL);
    int tid = 0, ctid = 0;
    pid = clone(set_shared, stack + sizeof stack, CLONE_PARENT_SETTID | CLONE_VM | CLONE_CHILD_SETTID | flags, (void *)4, &tid, NULL, &ctid);
    CHECK(tid == pid);
    CHECK(EXITED(pid, 7) && ctid == pid);
    ctid = 1;
    pid = clone(set_shared, stack + sizeof stack, CLONE_VM | CLONE_CHILD_CLEARTID | flags, (void *)4, NULL, NULL, &ctid);
    CHECK(EXITED(pid, 7) && ctid == 0);
}

static long clone3(struct clone_args *args, size_t size) { return syscall(SYS_clone3, args, size); }

static void clone3s(void) {
    int fd = -1;
    struct clone_args args = {.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&fd, .exit_signal = SIGCHLD};
    pid_t pid = clone3(&args, sizeof args);
    if (pid == 0) _exit(3);
    CHECK(pid > 0 && fd >= 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    CHECK(poll(&p, 1, 10000) == 1);
    siginfo_t info;
    CHECK(waitid(P_PIDFD, fd, &info, WEXITED | WNOWAIT) == 0 && info.si_status == 3 && info.si_pid == pid);
    CHECK(waitid(P_PIDFD, fd, &info, WEXITED) == 0);
    FAILS(waitid(P_PIDFD, fd, &info, WEXITED), ECHILD);
    close(fd);
    args = (struct clone_args){.flags = CLONE_PIDFD | CLONE_VFORK, .pidfd = (uintptr_t)&fd, .exit_signal = SIGCHLD};
    pid = clone3(&args, sizeof args);
    if (pid == 0) _exit(4);
    CHECK(EXITED(pid, 4) && fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    close(fd);
    // Handlers go, what is ignored stays.
    signal(SIGUSR1, handler);
    signal(SIGUSR2, SIG_IGN);
    args = (struct clone_args){.flags = 1ULL << 32, .exit_signal = SIGCHLD};
    pid = clone3(&args, sizeof args);
    if (pid == 0) {
        struct sigaction one, two;
        sigaction(SIGUSR1, NULL, &one);
        sigaction(SIGUSR2, NULL, &two);
        _exit(one.sa_handler == SIG_DFL && two.sa_handler == SIG_IGN ? 0 : 1);
    }
    CHECK(EXITED(pid, 0));
    signal(SIGUSR2, SIG_DFL);
    FAILS(clone3(&args, 63), EINVAL);
    FAILS(clone3(&args, 5000), E2BIG);
    FAILS(clone3((void *)-1, sizeof args), EFAULT);
    args = (struct clone_args){.flags = SIGCHLD};
    FAILS(clone3(&args, sizeof args), EINVAL);
    args = (struct clone_args){.exit_signal = 65};
    FAILS(clone3(&args, sizeof args), EINVAL);
    args = (struct clone_args){.stack_size = 4096};
    FAILS(clone3(&args, sizeof args), EINVAL);
    args = (struct clone_args){.flags = CLONE_SIGHAND | 1ULL << 32, .exit_signal = SIGCHLD};
    FAILS(clone3(&args, sizeof args), EINVAL);
    args = (struct clone_args){.flags = CLONE_THREAD, .exit_signal = SIGCHLD};
    FAILS(clone3(&args, sizeof args), EINVAL);
}

static void spawns(void) {
    pid_t pid = -1;
    char *const argv[] = {"no", NULL};
    CHECK(posix_spawn(&pid, "/nonexistent/program", NULL, NULL, argv, environ) == ENOENT);
    CHECK(posix_spawn(&pid, "/", NULL, NULL, argv, environ) == EACCES);
    // What a vfork child writes and its error are the parent's.
    volatile int seen = 0;
    pid = vfork();
    if (pid == 0) {
        execl("/nonexistent/program", "x", NULL);
        seen = errno;
        _exit(0);
    }
    CHECK(seen == ENOENT && EXITED(pid, 0));
    char *const again[] = {(char *)self, "exit", "42", NULL};
    CHECK(posix_spawn(&pid, self, NULL, NULL, again, environ) == 0);
    CHECK(EXITED(pid, 42));
}

static pid_t run(const char *what, const char *arg) {
    pid_t pid = fork();
    if (pid == 0) {
        execl(self, self, what, arg, NULL);
        _exit(99);
    }
    return pid;
}

static void write_file(const char *path, const char *text, int mode) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    if (write(fd, text, strlen(text)) < 0) perror(path);
    fchmod(fd, mode);
    close(fd);
}

static char *const none[] = {"x", "exit", "98", NULL};

static void exec_errors(void) {
    FAILS(execv("", none), ENOENT);
    FAILS(execv("/nonexistent", none), ENOENT);
    FAILS(execv((char *)-1, none), EFAULT);
    FAILS(execv(self, (char *const *)-1), EFAULT);
    char *const bad[] = {(char *)-1, NULL};
    FAILS(execv(self, bad), EFAULT);
    FAILS(execv("/", none), EACCES);
    FAILS(execv("/dev/null", none), EACCES);
    write_file("plain", "data", 0644);
    FAILS(execv("plain", none), EACCES);
    FAILS(execv("plain/x", none), ENOTDIR);
    write_file("text", "no program\n", 0755);
    FAILS(execv("text", none), ENOEXEC);
    write_file("empty", "", 0755);
    FAILS(execv("empty", none), ENOEXEC);
    write_file("broken", "\177ELF\2\1\1", 0755);
    FAILS(execv("broken", none), ENOEXEC);
    write_file("script", "#!/nonexistent/interpreter\n", 0755);
    FAILS(execv("script", none), ENOENT);
    write_file("script", "#!\n", 0755);
    FAILS(execv("script", none), ENOEXEC);
    write_file("script", "#!/\n", 0755);
    FAILS(execv("script", none), EACCES);
    char cwd[3000], line[4000];
    CHECK(getcwd(cwd, sizeof cwd) != NULL);
    snprintf(line, sizeof line, "#!%s/loop\n", cwd);
    if (strlen(line) < 255) {
        write_file("loop", line, 0755);
        FAILS(execv("loop", none), ELOOP);
    }
    CHECK(symlink("circle", "circle") == 0);
    FAILS(execv("circle", none), ELOOP);
    char name[5000];
    memset(name, 'a', sizeof name);
    name[300] = 0;
    FAILS(execv(name, none), ENAMETOOLONG);
    name[300] = 'a', name[4999] = 0;
    FAILS(execv(name, none), ENAMETOOLONG);
    // A string may have 128 KiB with its NUL.
    char *big = malloc(131073);
    memset(big, 'b', 131072);
    big[131072] = 0;
    char *const one[] = {"x", big, NULL};
    FAILS(execv(self, one), E2BIG);
    struct rlimit before, low = {.rlim_cur = 8 << 20, .rlim_max = RLIM_INFINITY};
    getrlimit(RLIMIT_STACK, &before);
    low.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_STACK, &low);
    char **many = calloc(30002, sizeof *many);
    for (int i = 0; i < 30000; i++) many[i] = "0123456789012345678901234567890123456789012345678901234567890123456789";
    FAILS(execv(self, many), E2BIG);
    many[2] = 0;
    setrlimit(RLIMIT_STACK, &before);
    FAILS(execveat(-1, "plain", none, environ, 0), EBADF);
    FAILS(execveat(AT_FDCWD, "circle", none, environ, AT_SYMLINK_NOFOLLOW), ELOOP);
    FAILS(execveat(AT_FDCWD, "", none, environ, 0), ENOENT);
    FAILS(execveat(AT_FDCWD, self, none, environ, 0x10), EINVAL);
    // A file that is open for writing is not executed.
    int fd = open("busy", O_RDWR | O_CREAT, 0755);
    int in = open(self, O_RDONLY);
    char buffer[4096];
    for (ssize_t n; (n = read(in, buffer, sizeof buffer)) > 0;) CHECK(write(fd, buffer, n) == n);
    FAILS(execv("busy", none), ETXTBSY);
    close(fd);
    pid_t pid = fork();
    if (pid == 0) {
        execl("./busy", "busy", "exit", "5", NULL);
        _exit(99);
    }
    CHECK(EXITED(pid, 5));
    close(in);
    free(big);
    free(many);
}

static void scripts(void) {
    char line[5000];
    snprintf(line, sizeof line, "#!%s script arg\n", self);
    write_file("hello", line, 0755);
    pid_t pid = fork();
    if (pid == 0) {
        execl("./hello", "zero", "one", NULL);
        _exit(99);
    }
    CHECK(EXITED(pid, 21));
    // By descriptor; a script that is closed at once cannot be read by its interpreter.
    int fd = open("hello", O_RDONLY);
    pid = fork();
    if (pid == 0) {
        char *const args[] = {"zero", NULL};
        fexecve(fd, args, environ);
        _exit(99);
    }
    CHECK(EXITED(pid, 22));
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    FAILS(execveat(fd, "", none, environ, AT_EMPTY_PATH), ENOENT);
    close(fd);
    int in = open(self, O_RDONLY | O_CLOEXEC);
    pid = fork();
    if (pid == 0) {
        char *const args[] = {"name", "exit", "11", NULL};
        execveat(in, "", args, environ, AT_EMPTY_PATH);
        _exit(99);
    }
    CHECK(EXITED(pid, 11));
    int mem = memfd_create("program", MFD_CLOEXEC);
    char buffer[4096];
    for (ssize_t n; (n = read(in, buffer, sizeof buffer)) > 0;) CHECK(write(mem, buffer, n) == n);
    pid = fork();
    if (pid == 0) {
        // Still open for writing.
        char *const args[] = {"name", "exit", "12", NULL};
        fexecve(mem, args, environ);
        if (errno != ETXTBSY) _exit(98);
        char path[40];
        snprintf(path, sizeof path, "/proc/self/fd/%d", mem);
        int ro = open(path, O_RDONLY | O_CLOEXEC);
        close(mem);
        fexecve(ro, args, environ);
        _exit(99);
    }
    close(mem);
    CHECK(EXITED(pid, 12));
    close(in);
}

// What the program that is started finds; its exit code is the number of the first wrong thing.
static int inherited(void) {
    struct sigaction a;
    sigaction(SIGUSR1, NULL, &a);
    if (a.sa_handler != SIG_DFL) return 1;
    sigaction(SIGUSR2, NULL, &a);
    if (a.sa_handler != SIG_IGN) return 2;
    sigset_t set;
    sigprocmask(SIG_BLOCK, NULL, &set);
    if (!sigismember(&set, SIGTERM) || sigismember(&set, SIGINT)) return 3;
    sigpending(&set);
    if (!sigismember(&set, SIGTERM)) return 4;
    if (fcntl(50, F_GETFD) >= 0 || fcntl(51, F_GETFD) != 0) return 5;
    struct rlimit l;
    getrlimit(RLIMIT_AS, &l);
    if (l.rlim_cur != 900 << 20) return 6;
    getrlimit(RLIMIT_DATA, &l);
    if (l.rlim_cur != 800 << 20) return 7;
    getrlimit(RLIMIT_STACK, &l);
    if (l.rlim_cur != 3 << 20) return 8;
    getrlimit(RLIMIT_NOFILE, &l);
    if (l.rlim_cur != 200) return 9;
    if (umask(0) != 0123) return 10;
    errno = 0;
    if (getpriority(PRIO_PROCESS, 0) != 3) return 11;
    if (personality(0xffffffff) != ADDR_NO_RANDOMIZE) return 12;
    int value = 0;
    if (prctl(PR_GET_PDEATHSIG, &value) || value != SIGHUP) return 13;
    if (prctl(PR_GET_KEEPCAPS)) return 14;
    struct itimerval t;
    if (getitimer(ITIMER_REAL, &t) || t.it_value.tv_sec < 100) return 15;
    stack_t ss;
    if (sigaltstack(NULL, &ss) || ss.ss_flags != SS_DISABLE) return 16;
    char name[16];
    if (prctl(PR_GET_NAME, name) || strncmp(name, strrchr(self, '/') + 1, 15)) return 17;
    if (prctl(PR_GET_TIMERSLACK) != 12345) return 18;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return 19;
    return 0;
}

static void inherit(void) {
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGUSR1, handler);
        signal(SIGUSR2, SIG_IGN);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        raise(SIGTERM);
        dup3(0, 50, O_CLOEXEC);
        dup2(0, 51);
        struct rlimit l;
        getrlimit(RLIMIT_AS, &l), l.rlim_cur = 900 << 20, setrlimit(RLIMIT_AS, &l);
        getrlimit(RLIMIT_DATA, &l), l.rlim_cur = 800 << 20, setrlimit(RLIMIT_DATA, &l);
        getrlimit(RLIMIT_STACK, &l), l.rlim_cur = 3 << 20, setrlimit(RLIMIT_STACK, &l);
        getrlimit(RLIMIT_NOFILE, &l), l.rlim_cur = 200, setrlimit(RLIMIT_NOFILE, &l);
        umask(0123);
        setpriority(PRIO_PROCESS, 0, 3);
        personality(ADDR_NO_RANDOMIZE);
        prctl(PR_SET_PDEATHSIG, SIGHUP);
        prctl(PR_SET_KEEPCAPS, 1);
        prctl(PR_SET_TIMERSLACK, 12345);
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        struct itimerval t = {.it_value.tv_sec = 200};
        setitimer(ITIMER_REAL, &t, NULL);
        stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
        sigaltstack(&ss, NULL);
        prctl(PR_SET_NAME, "other");
        execl(self, self, "inherited", NULL);
        _exit(99);
    }
    int status = status_of(pid);
    if (status) printf("inherited: %d\n", WEXITSTATUS(status));
    CHECK(status == 0);
}

// With few numbers for descriptors, or none that is free.
static void few_descriptors(void) {
    pid_t pid = fork();
    if (pid == 0) {
        failures = 0;
        struct rlimit l;
        getrlimit(RLIMIT_NOFILE, &l);
        for (int fd = 3; fd < 100; fd++) close(fd);
        l.rlim_cur = 4;
        CHECK(setrlimit(RLIMIT_NOFILE, &l) == 0);
        int fd = open("/proc/self/status", O_RDONLY);
        CHECK(fd == 3);
        FAILS(open("/proc/self/status", O_RDONLY), EMFILE);
        FAILS(open("/", O_RDONLY), EMFILE);
        FAILS(dup(0), EMFILE);
        FAILS(fcntl(0, F_DUPFD, 4), EINVAL);
        FAILS(dup2(0, 4), EBADF);
        CHECK(access("/proc/self/exe", X_OK) == 0);
        // Programs start in spite of it, also if they are found by way of a descriptor.
        CHECK(EXITED(run("exit", "6"), 6));
        close(fd);
        CHECK((fd = open(self, O_RDONLY)) == 3);
        pid_t child = fork();
        if (child == 0) {
            execveat(fd, "", (char *const[]){"x", "exit", "8", NULL}, environ, AT_EMPTY_PATH);
            _exit(99);
        }
        CHECK(EXITED(child, 8));
        l.rlim_max = 4;
        CHECK(setrlimit(RLIMIT_NOFILE, &l) == 0);
        CHECK(EXITED(run("descriptors", "4"), 0));
        l.rlim_cur = l.rlim_max = 3;
        CHECK(setrlimit(RLIMIT_NOFILE, &l) == 0);
        CHECK(EXITED(run("exit", "7"), 7));
        CHECK(getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur == 3 && l.rlim_max == 3);
        _exit(failures);
    }
    CHECK(EXITED(pid, 0));
}

// In a program with such limits, whose descriptor 3 is open.
static int has_limit(unsigned long n) {
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur != n || l.rlim_max != n) return 1;
    if (open("/", O_RDONLY) != -1 || errno != EMFILE) return 2;
    close(3);
    char text[4096] = "", line[100];
    int fd = open("/proc/self/limits", O_RDONLY);
    if (fd != 3 || read(fd, text, sizeof text - 1) <= 0) return 3;
    snprintf(line, sizeof line, "Max open files            %-21lu%-21lufiles", n, n);
    return strstr(text, line) ? 0 : 4;
}

static void limits(void) {
    pid_t pid = fork();
    if (pid == 0) {
        failures = 0;
        struct rlimit l = {.rlim_cur = 200 << 20, .rlim_max = 200 << 20};
        CHECK(setrlimit(RLIMIT_AS, &l) == 0);
        CHECK(mmap(NULL, 300 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
        void *p = mmap(NULL, 50 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(p != MAP_FAILED);
        // The same pages again cost nothing.
        CHECK(mmap(p, 50 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
        CHECK(malloc(180 << 20) == NULL && errno == ENOMEM);
        CHECK(mremap(p, 50 << 20, 250 << 20, MREMAP_MAYMOVE) == MAP_FAILED && errno == ENOMEM);
        CHECK(sbrk(180 << 20) == (void *)-1 && errno == ENOMEM);
        munmap(p, 50 << 20);
        l.rlim_cur = 100 << 20;
        CHECK(setrlimit(RLIMIT_DATA, &l) == 0);
        CHECK(mmap(NULL, 120 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
        CHECK(mmap(NULL, 120 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
        l.rlim_cur = 201 << 20;
        FAILS(setrlimit(RLIMIT_AS, &l), EINVAL);
        FAILS(setrlimit(99, &l), EINVAL);
        FAILS(setrlimit(RLIMIT_AS, (void *)-1), EFAULT);
        FAILS(getrlimit(RLIMIT_AS, (void *)-1), EFAULT);
        _exit(failures);
    }
    CHECK(EXITED(pid, 0));
    pid = fork();
    if (pid == 0) {
        failures = 0;
        struct rlimit l = {.rlim_cur = 1000, .rlim_max = 1000};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &l);
        int fd = open("big", O_WRONLY | O_CREAT, 0644);
        char data[2000] = "";
        CHECK(write(fd, data, sizeof data) == 1000);
        FAILS(write(fd, data, 1), EFBIG);
        FAILS(ftruncate(fd, 1001), EFBIG);
        // Programs start in spite of it.
        pid_t child = run("exit", "6");
        CHECK(EXITED(child, 6));
        _exit(failures);
    }
    CHECK(EXITED(pid, 0));
    pid = fork();
    if (pid == 0) {
        failures = 0;
        struct rlimit l = {.rlim_cur = 64 << 10, .rlim_max = RLIM_INFINITY};
        getrlimit(RLIMIT_STACK, &l);
        l.rlim_cur = 200 << 10;
        setrlimit(RLIMIT_STACK, &l);
        CHECK(KILLED(run("recurse", "4000"), SIGSEGV));
        CHECK(EXITED(run("recurse", "100"), 0));
        l.rlim_cur = 32 << 20;
        if (setrlimit(RLIMIT_STACK, &l) == 0) CHECK(EXITED(run("recurse", "20000"), 0));
        _exit(failures);
    }
    CHECK(EXITED(pid, 0));
    pid = fork();
    if (pid == 0) {
        failures = 0;
        struct rlimit l = {.rlim_cur = 1, .rlim_max = 2};
        setrlimit(RLIMIT_CPU, &l);
        for (volatile long i = 0;; i++) {}
    }
    CHECK(KILLED(pid, SIGXCPU));
}

static int __attribute__((noinline)) recurse(int n) {
    volatile char frame[1000];
    frame[0] = n;
    return n ? recurse(n - 1) + frame[0] * 0 : 0;
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
#define IF_CALL(nr, value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), RETURN(value)

static siginfo_t trapped;
static void on_sys(int sig, siginfo_t *info, void *uc) { trapped = *info; }

static void seccomp_filters(void) {
    pid_t pid = fork();
    if (pid == 0) {
        failures = 0;
        struct sock_filter code[] = {
            LOAD(nr),
            IF_CALL(SYS_getppid, SECCOMP_RET_ERRNO | 77),
            IF_CALL(SYS_sethostname, SECCOMP_RET_TRAP | 5),
            IF_CALL(SYS_setdomainname, SECCOMP_RET_KILL_PROCESS),
            RETURN(SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {sizeof code / sizeof *code, code};
        CHECK(prctl(PR_GET_SECCOMP) == 0);
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        FAILS(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (void *)-1), EFAULT);
        FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x10000, &program), EINVAL);
        struct sock_fprog empty = {0, code};
        FAILS(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &empty), EINVAL);
        CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
        CHECK(prctl(PR_GET_SECCOMP) == 2);
        errno = 0;
        CHECK(syscall(SYS_getppid) == -1 && errno == 77);
        struct sigaction a = {.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO};
        sigaction(SIGSYS, &a, NULL);
        syscall(SYS_sethostname, NULL, 0);
        CHECK(trapped.si_signo == SIGSYS && trapped.si_code == 1 && trapped.si_errno == 5);
        CHECK(trapped.si_syscall == SYS_sethostname);
        uint32_t action = SECCOMP_RET_KILL_PROCESS;
        CHECK(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0);
        action = 0x12345678;
        FAILS(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), EOPNOTSUPP);
        // Children and other programs have the same filters.
        pid_t child = fork();
        if (child == 0) _exit(syscall(SYS_getppid) == -1 && errno == 77 ? 0 : 1);
        CHECK(EXITED(child, 0));
        CHECK(EXITED(run("parent", NULL), 77));
        child = fork();
        if (child == 0) syscall(SYS_setdomainname, NULL, 0);
        CHECK(KILLED(child, SIGSYS));
        _exit(failures);
    }
    CHECK(EXITED(pid, 0));
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
        if (write(1, "", 0) == 0) syscall(SYS_getpid);
        syscall(SYS_exit, 0);
    }
    CHECK(KILLED(pid, SIGKILL) || 1);
}

static void waits(void) {
    FAILS(waitpid(getpid(), NULL, 0), ECHILD);
    FAILS(waitpid(-1, NULL, 0x1234), EINVAL);
    siginfo_t info;
    FAILS(waitid(P_ALL, 0, &info, 0), EINVAL);
    FAILS(waitid(99, 0, &info, WEXITED), EINVAL);
    int ends[2], status;
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        raise(SIGSTOP);
        _exit(read(ends[0], &status, 1) == 1 ? 17 : 1);
    }
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    CHECK(waitpid(pid, &status, WNOHANG) == 0);
    kill(pid, SIGCONT);
    CHECK(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
    // One that has ended meanwhile is not one that goes on.
    CHECK(write(ends[1], "x", 1) == 1);
    close(ends[0]);
    close(ends[1]);
    struct rusage usage;
    CHECK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0 && info.si_code == CLD_EXITED && info.si_status == 17);
    CHECK(wait4(pid, &status, 0, &usage) == pid && WEXITSTATUS(status) == 17);
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        abort();
    }
    setpgid(pid, pid);
    CHECK(waitpid(-pid, &status, 0) == pid && WTERMSIG(status) == SIGABRT);
    signal(SIGCHLD, SIG_IGN);
    pid = fork();
    if (pid == 0) _exit(0);
    FAILS(waitpid(pid, &status, 0), ECHILD);
    signal(SIGCHLD, SIG_DFL);
    // A subreaper gets the children of its children.
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    int value = 0;
    CHECK(prctl(PR_GET_CHILD_SUBREAPER, &value) == 0 && value == 1);
    pid = fork();
    if (pid == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0) {
            while (getppid() != 1 && getppid() == (pid_t)(intptr_t)0) {}
            _exit(23);
        }
        _exit(0);
    }
    CHECK(EXITED(pid, 0));
    CHECK(EXITED(-1, 23));
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    // A parent's end is told by a signal.
    CHECK(pipe(ends) == 0);
    pid = fork();
    if (pid == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            CHECK(write(ends[1], "x", 1) == 1);
            for (;;) pause();
        }
        char c;
        CHECK(read(ends[0], &c, 1) == 1);
        _exit(0);
    }
    CHECK(EXITED(pid, 0));
    close(ends[1]);
    char c;
    struct pollfd p = {.fd = ends[0], .events = POLLIN};
    CHECK(poll(&p, 1, 10000) == 1 && read(ends[0], &c, 1) == 0);
    close(ends[0]);
}

static void names(void) {
    char path[64], text[4096] = "", link[4096] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", getpid());
    int fd = open(path, O_RDONLY);
    CHECK(read(fd, text, sizeof text - 1) > 0 && !strncmp(text, strrchr(self, '/') + 1, 15 < strlen(strrchr(self, '/') + 1) ? 15 : strlen(strrchr(self, '/') + 1)));
    close(fd);
    fd = open("/proc/self/cmdline", O_RDONLY);
    memset(text, 0, sizeof text);
    CHECK(read(fd, text, sizeof text - 1) > 0 && !strcmp(text, name0));
    close(fd);
    // Of another process.
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[0], 0);
        close(ends[1]);
        execl(self, "another", "read", "it", NULL);
        _exit(99);
    }
    close(ends[0]);
    for (int i = 0; i < 1000 && strcmp(text, "another"); i++) {
        usleep(10000);
        snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
        fd = open(path, O_RDONLY);
        memset(text, 0, sizeof text);
        CHECK(read(fd, text, sizeof text - 1) >= 0);
        close(fd);
    }
    CHECK(!memcmp(text, "another\0read\0it", 16));
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    CHECK(readlink(path, link, sizeof link - 1) > 0 && !strcmp(link, self));
    struct stat one, two;
    CHECK(stat(path, &one) == 0 && stat(self, &two) == 0 && one.st_ino == two.st_ino);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(EXITED(pid, 13));
    close(ends[1]);
}

static void memory_of_others(void) {
    char text[8] = "";
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        while (read(ends[0], text, 1) < 0) {}
        _exit(strcmp(marker, "written"));
    }
    struct iovec local = {text, 8}, remote = {(void *)&marker, 8};
    memset(text, 0, 8);
    CHECK(process_vm_readv(pid, &local, 1, &remote, 1, 0) == 8 && !memcmp(text, "marker!", 8));
    memcpy(text, "written", 8);
    CHECK(process_vm_writev(pid, &local, 1, &remote, 1, 0) == 8 && !strcmp((char *)marker, "marker!"));
    remote.iov_base = (void *)8;
    FAILS(process_vm_readv(pid, &local, 1, &remote, 1, 0), EFAULT);
    FAILS(process_vm_readv(-1, &local, 1, &remote, 1, 0), ESRCH);
    close(ends[0]);
    close(ends[1]);
    CHECK(EXITED(pid, 0));
}

int main(int argc, char **argv) {
    static char path[4096];
    CHECK(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
    self = path;
    name0 = argv[0];
    if (argc > 1) {
        if (!strcmp(argv[1], "exit")) return atoi(argv[2]);
        if (!strcmp(argv[1], "recurse")) return recurse(atoi(argv[2]));
        if (!strcmp(argv[1], "descriptors")) return has_limit(strtoul(argv[2], NULL, 10));
        if (!strcmp(argv[1], "inherited")) return inherited();
        if (!strcmp(argv[1], "parent")) return syscall(SYS_getppid) == -1 ? errno : 0;
        char c;
        if (!strcmp(argv[1], "read")) return read(0, &c, 1) == 1 ? 13 : 14;
        if (!strcmp(argv[1], "script arg")) {
            char name[16] = "";
            prctl(PR_GET_NAME, name);
            if (argc == 4 && !strcmp(argv[2], "./hello") && !strcmp(argv[3], "one") && !strcmp(name, "hello")) return 21;
            if (argc == 3 && !strncmp(argv[2], "/dev/fd/", 8)) return 22;
            printf("%d: %s %s %s %s\n", argc, argv[0], argv[2], argc > 3 ? argv[3] : "", name);
        }
        return 1;
    }
    if (!under_qemu()) clones(); // Its processes share no memory.
    clone3s();
    spawns();
    exec_errors();
    scripts();
    inherit();
    limits();
    few_descriptors();
    seccomp_filters();
    waits();
    names();
    memory_of_others();
    return finish();
}
