// The kinds of processes and threads that clone makes, robust and priority-inheriting mutexes
// however their owner ends, and the rarer futex operations.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "check.h"

static char stack[4][65536] __attribute__((aligned(16)));
static volatile int value, moved;
static atomic_int tid_word = -1;
static int probe_fd;

static void nothing(int s) { (void)s; }
static int status_of(pid_t child) {
    int status = -1;
    return waitpid(child, &status, __WALL) == child ? status : -1;
}
static int child(void *how) {
    value = (int)(long)how;
    signal(SIGUSR1, SIG_IGN);
    close(probe_fd);
    moved = chdir("/");
    usleep(20000); // The parent goes on meanwhile.
    value++;
    syscall(SYS_exit, 3);
    return 0;
}
static int start(int flags, int how) {
    value = 0;
    signal(SIGUSR1, nothing);
    probe_fd = dup(0);
    return clone(child, stack[0] + sizeof stack[0], flags | SIGCHLD, (void *)(long)how, NULL, NULL, (void *)&tid_word);
}
static int ignored(int s) {
    struct sigaction a;
    sigaction(s, NULL, &a);
    return a.sa_handler == SIG_IGN;
}
static int is_open(void) { return fcntl(probe_fd, F_GETFD) >= 0; }

static void sharing(void) {
    char before[4096], after[4096];
    CHECK(getcwd(before, sizeof before) != NULL);
    // All shared but the thread group.
    tid_word = -1;
    pid_t pid = start(CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_CHILD_CLEARTID, 10);
    CHECK(pid > 0);
    while (tid_word != 0) syscall(SYS_futex, &tid_word, FUTEX_WAIT, -1, NULL, NULL, 0);
    CHECK(value == 11 && WEXITSTATUS(status_of(pid)) == 3 && ignored(SIGUSR1) && !is_open());
    // Memory alone.
    pid = start(CLONE_VM, 20);
    CHECK(pid > 0 && WEXITSTATUS(status_of(pid)) == 3 && value == 21 && !ignored(SIGUSR1) && is_open());
    close(probe_fd);
    // Nothing but descriptors.
    pid = start(CLONE_FILES, 30);
    CHECK(pid > 0 && WEXITSTATUS(status_of(pid)) == 3 && value == 0 && !ignored(SIGUSR1) && !is_open());
    // Memory, and the parent waits.
    pid = start(CLONE_VM | CLONE_VFORK, 40);
    CHECK(pid > 0 && value == 41 && WEXITSTATUS(status_of(pid)) == 3 && is_open());
    close(probe_fd);
    // The parent waits for a copy.
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    pid = start(CLONE_VFORK, 50);
    clock_gettime(CLOCK_MONOTONIC, &b);
    CHECK(pid > 0 && value == 0 && (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec >= 20000000);
    CHECK(WEXITSTATUS(status_of(pid)) == 3 && getcwd(after, sizeof after) != NULL && strcmp(before, after) == 0);
    close(probe_fd);
    FAILS(clone(child, stack[0] + sizeof stack[0], CLONE_SIGHAND, NULL), EINVAL);
    FAILS(clone(child, stack[0] + sizeof stack[0], CLONE_THREAD | CLONE_VM, NULL), EINVAL);
}

static void descriptors_and_handlers(void) {
    int pidfd = -1;
    struct clone_args args = {.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD};
    signal(SIGUSR1, nothing);
    signal(SIGUSR2, SIG_IGN);
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        struct sigaction a;
        sigaction(SIGUSR1, NULL, &a);
        _exit(a.sa_handler != SIG_DFL || !ignored(SIGUSR2));
    }
    siginfo_t info;
    CHECK(pid > 0 && pidfd >= 0 && waitid((idtype_t)3 /* P_PIDFD */, (id_t)pidfd, &info, WEXITED) == 0 && info.si_pid == pid && info.si_status == 0);
    close(pidfd);
    pidfd = -1;
    pid = clone(child, stack[0] + sizeof stack[0], CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, (void *)60L, &pidfd);
    CHECK(pid > 0 && pidfd >= 0 && (fcntl(pidfd, F_GETFD) & FD_CLOEXEC) && WEXITSTATUS(status_of(pid)) == 3);
    close(pidfd);
    args.flags = CLONE_SIGHAND;
    FAILS(syscall(SYS_clone3, &args, sizeof args), EINVAL);
    FAILS(syscall(SYS_clone3, &args, 8), EINVAL);
}

// The process's status is its last thread's if all threads end by themselves, or its first one's
// before Linux 6.1.
static void *end_later(void *unused) {
    usleep(20000);
    syscall(SYS_exit, 9);
    return unused;
}
static void last_thread(void) {
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t t;
        pthread_create(&t, NULL, end_later, NULL);
        syscall(SYS_exit, 4);
    }
    int code = WEXITSTATUS(status_of(pid));
    CHECK(code == 9 || code == 4);
}

struct shared { pthread_mutex_t robust[4], inherit; atomic_int ready; pthread_cond_t cond; pthread_barrier_t barrier; };

static void make_mutex(pthread_mutex_t *m, int inherit) {
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    if (inherit) pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
    CHECK(pthread_mutex_init(m, &a) == 0);
}

// Owners of process-shared mutexes end in every way there is; who waits is told.
static void owners(const char *self) {
    struct shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int how = 0; how < 6; how++) {
        for (int waiting = 0; waiting < 2; waiting++) {
            for (int i = 0; i < 4; i++) make_mutex(&s->robust[i], i == 3);
            s->ready = 0;
            pid_t pid = fork();
            if (pid == 0) {
                struct rlimit none = {0, 0};
                setrlimit(RLIMIT_CORE, &none);
                signal(SIGTERM, SIG_DFL);
                for (int i = 0; i < 4; i++) pthread_mutex_lock(&s->robust[i]);
                pthread_mutex_unlock(&s->robust[1]);
                s->ready = 1;
                if (waiting) usleep(30000);
                switch (how) {
                case 0: _exit(0);
                case 1: syscall(SYS_exit, 0); break;
                case 2: raise(SIGTERM); break;
                case 3: *(volatile int *)16 = 1; break;
                case 4: execl(self, self, "again", NULL); break;
                case 5: for (;;) pause();
                }
                _exit(1);
            }
            while (!s->ready) usleep(100);
            if (!waiting || how == 5) {
                usleep(2000);
                if (how == 5) kill(pid, SIGKILL);
                status_of(pid);
            }
            for (int i = 0; i < 4; i++) {
                int rc = pthread_mutex_lock(&s->robust[i]);
                CHECK(rc == (i == 1 ? 0 : EOWNERDEAD));
                if (rc == EOWNERDEAD) CHECK(pthread_mutex_consistent(&s->robust[i]) == 0);
                CHECK(pthread_mutex_unlock(&s->robust[i]) == 0);
            }
            if (waiting && how != 5) status_of(pid);
        }
    }
    munmap(s, sizeof *s);
}

static pthread_mutex_t inherit;
static long sum;
static void *add(void *unused) {
    for (int i = 0; i < 5000; i++) {
        if (pthread_mutex_lock(&inherit) != 0) break;
        sum++;
        if (i % 64 == 0) sched_yield();
        pthread_mutex_unlock(&inherit);
    }
    return unused;
}
static void *lock_and_end(void *m) { pthread_mutex_lock(m); return NULL; }

static void inheriting(void) {
    pthread_mutexattr_t a;
    pthread_t t[4];
    pthread_mutexattr_init(&a);
    CHECK(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT) == 0 && pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK) == 0);
    CHECK(pthread_mutex_init(&inherit, &a) == 0);
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, add, NULL);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    CHECK(sum == 20000);
    CHECK(pthread_mutex_lock(&inherit) == 0 && pthread_mutex_lock(&inherit) == EDEADLK);
    struct timespec past = {1, 0};
    CHECK(pthread_mutex_unlock(&inherit) == 0 && pthread_mutex_unlock(&inherit) == EPERM);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_t robust;
    CHECK(pthread_mutex_init(&robust, &a) == 0);
    pthread_create(&t[0], NULL, lock_and_end, &robust);
    pthread_join(t[0], NULL);
    CHECK(pthread_mutex_timedlock(&robust, &past) == EOWNERDEAD && pthread_mutex_consistent(&robust) == 0 && pthread_mutex_unlock(&robust) == 0);
}

static long futex(void *at, int op, int val, void *time, void *at2, int val3) {
    return syscall(SYS_futex, at, op, val, time, at2, val3);
}
static atomic_int words[2], woken;
static void *wait_word(void *private) {
    while (words[0] == 0) futex(&words[0], FUTEX_WAIT | (private ? FUTEX_PRIVATE_FLAG : 0), 0, NULL, NULL, 0);
    woken++;
    return NULL;
}
static void operations(void) {
    void *junk = (void *)-2L; // What an operation does not use is not looked at.
    pthread_t t[3];
    for (long private = 0; private < 2; private++) {
        int flag = private ? FUTEX_PRIVATE_FLAG : 0;
        words[0] = words[1] = woken = 0;
        for (int i = 0; i < 3; i++) pthread_create(&t[i], NULL, wait_word, (void *)private);
        usleep(200000);
        CHECK(futex(&words[0], FUTEX_CMP_REQUEUE | flag, 0, (void *)3, &words[1], 1) == -1 && errno == EAGAIN);
        CHECK(futex(&words[0], FUTEX_CMP_REQUEUE | flag, 0, (void *)3, &words[1], 0) == 3);
        words[0] = 1;
        CHECK(futex(&words[0], FUTEX_WAKE | flag, 5, junk, junk, -1) == 0);
        // Adds 5 to the second word, and wakes there if it was 0.
        CHECK(futex(&words[0], FUTEX_WAKE_OP | flag, 1, (void *)1, &words[1], FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0)) == 1 && words[1] == 5);
        CHECK(futex(&words[1], FUTEX_WAKE | flag, 5, junk, junk, -1) == 2);
        for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
        CHECK(woken == 3);
    }
    struct { uint64_t val, at; uint32_t flags, reserved; } vector[2] = {{1, (uintptr_t)&words[0], 2, 0}, {9, (uintptr_t)&words[1], 2, 0}};
    FAILS(syscall(SYS_futex_waitv, vector, 2, 0, NULL, 0), EAGAIN);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    vector[1].val = 5;
    FAILS(syscall(SYS_futex_waitv, vector, 2, 0, &now, CLOCK_MONOTONIC), ETIMEDOUT);
    FAILS(futex((char *)words + 1, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
    FAILS(futex(words, 77, 0, NULL, NULL, 0), ENOSYS);
    FAILS(futex((void *)8, FUTEX_WAKE_OP, 0, NULL, &words[1], 0), EFAULT);
}

static atomic_int unlimited;
static void *named(void *unused) {
    char path[64], name[32] = "", got[16];
    prctl(PR_SET_NAME, "worker-thread-name-too-long");
    CHECK(prctl(PR_GET_NAME, got) == 0 && strcmp(got, "worker-thread-n") == 0);
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", (int)gettid());
    int fd = open(path, O_RDONLY);
    CHECK(read(fd, name, 31) > 0 && strcmp(name, "worker-thread-n\n") == 0);
    close(fd);
    cpu_set_t one, all;
    sched_getaffinity(0, sizeof all, &all);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE; i++) if (CPU_ISSET(i, &all)) { CPU_SET(i, &one); break; }
    CHECK(pthread_setaffinity_np(pthread_self(), sizeof one, &one) == 0 && pthread_getaffinity_np(pthread_self(), sizeof all, &all) == 0 && CPU_COUNT(&all) == 1);
    struct sched_param p;
    int policy;
    CHECK(pthread_getschedparam(pthread_self(), &policy, &p) == 0 && policy == SCHED_OTHER);
    while (!unlimited) usleep(1000);
    return unused;
}
static void many(void) {
    enum { COUNT = 1500 };
    static pthread_t t[COUNT];
    pthread_attr_t a;
    pthread_attr_init(&a);
    pthread_attr_setstacksize(&a, 65536);
    int started = 0;
    while (started < COUNT && pthread_create(&t[started], &a, started ? wait_word : named, NULL) == 0) {
        if (started == 0) words[0] = 0;
        started++;
    }
    CHECK(started == COUNT);
    unlimited = 1;
    words[0] = 1;
    futex(words, FUTEX_WAKE, COUNT, NULL, NULL, 0);
    for (int i = 0; i < started; i++) CHECK(pthread_join(t[i], NULL) == 0);
}

int main(int argc, char **argv) {
    if (argc > 1) return 42;
    (void)moved;
    // Its processes share no memory, and it does not tell who waits for a mutex that its owner has
    // ended.
    if (!under_qemu()) {
        sharing();
        descriptors_and_handlers();
        owners(argv[0]);
        inheriting();
    }
    last_thread();
    operations();
    many();
    return finish();
}
