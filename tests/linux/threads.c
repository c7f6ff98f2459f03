// Threads and processes: mutexes, condition variables, cancellation, robust mutexes, fork with
// threads, vfork, exec, exit of threads and processes; and changes of the address space.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "check.h"

extern char **environ;
static atomic_long total;
static __thread long mine;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static long shared, turn;

static void *add(void *unused) {
    for (int i = 0; i < 20000; i++) {
        atomic_fetch_add(&total, 1);
        pthread_mutex_lock(&mutex);
        shared++;
        pthread_mutex_unlock(&mutex);
        mine++;
    }
    return (void *)mine + (long)unused;
}
static void *take_turns(void *me) {
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(&mutex);
        while (turn != (long)me) pthread_cond_wait(&turned, &mutex);
        turn = !(long)me;
        pthread_cond_broadcast(&turned);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}
static void *spin(void *unused) {
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (volatile long x = 0;; x++) if (x < 0) return unused;
}
static void *doze(void *unused) { while (sleep(100) >= 0) {} return unused; }
static void *same(void *value) { return value; }
static void *lock_and_end(void *robust) { pthread_mutex_lock(robust); return NULL; }

static void together(void) {
    pthread_t t[200];
    void *result;
    for (int i = 0; i < 8; i++) CHECK(pthread_create(&t[i], NULL, add, NULL) == 0);
    for (int i = 0; i < 8; i++) CHECK(pthread_join(t[i], &result) == 0 && (long)result == 20000);
    CHECK(total == 160000 && shared == 160000);
    for (long i = 0; i < 2; i++) pthread_create(&t[i], NULL, take_turns, (void *)i);
    for (long i = 0; i < 2; i++) CHECK(pthread_join(t[i], NULL) == 0);
    pthread_create(&t[0], NULL, spin, NULL);
    pthread_create(&t[1], NULL, doze, NULL);
    usleep(20000);
    CHECK(setuid(getuid()) == 0); // Signals every thread.
    for (int i = 0; i < 2; i++) pthread_cancel(t[i]);
    for (int i = 0; i < 2; i++) CHECK(pthread_join(t[i], &result) == 0 && result == PTHREAD_CANCELED);
    for (long i = 0; i < 200; i++) CHECK(pthread_create(&t[i], NULL, same, (void *)i) == 0);
    for (long i = 0; i < 200; i++) CHECK(pthread_join(t[i], &result) == 0 && (long)result == i);
    pthread_mutexattr_t attributes;
    pthread_mutex_t robust;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    pthread_create(&t[0], NULL, lock_and_end, &robust);
    pthread_join(t[0], NULL);
    CHECK(pthread_mutex_lock(&robust) == EOWNERDEAD);
}

static void *fork_often(void *unused) {
    for (int i = 0; i < 20; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            void *p = malloc(1000);
            mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            free(p);
            _exit(3);
        }
        CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3);
    }
    return unused;
}
static void *map_often(void *unused) {
    for (int i = 0; i < 300; i++) {
        char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        p[100] = 1;
        munmap(p, 65536);
    }
    return unused;
}
static void *join_and_end(void *first) {
    pthread_join(*(pthread_t *)first, NULL);
    _exit(5);
}
static void spinners(void) {
    pthread_t t;
    for (int i = 0; i < 3; i++) pthread_create(&t, NULL, spin, NULL);
    usleep(5000);
}
static int status_of(pid_t child) {
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

static void processes(const char *self) {
    pthread_t t[4], first = pthread_self();
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, i < 2 ? fork_often : map_often, NULL);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    pid_t child = fork();
    if (child == 0) { spinners(); exit(9); }
    CHECK(WEXITSTATUS(status_of(child)) == 9);
    child = fork();
    if (child == 0) {
        pthread_create(&t[0], NULL, join_and_end, &first);
        pthread_exit(NULL);
    }
    CHECK(WEXITSTATUS(status_of(child)) == 5);
    child = fork();
    if (child == 0) { spinners(); execl(self, self, "again", NULL); _exit(1); }
    CHECK(WEXITSTATUS(status_of(child)) == 42);
    child = fork();
    if (child == 0) { spinners(); raise(SIGTERM); }
    CHECK(WTERMSIG(status_of(child)) == SIGTERM);
    volatile int seen = 0;
    child = vfork();
    if (child == 0) {
        seen = 42;
        execl("/nonexistent", "x", NULL);
        _exit(errno == ENOENT ? 7 : 1);
    }
    CHECK(seen == 42 && WEXITSTATUS(status_of(child)) == 7);
    char *arguments[] = {"x", NULL};
    CHECK(posix_spawn(&child, "/nonexistent", NULL, NULL, arguments, environ) == ENOENT);
    CHECK(posix_spawn(&child, "/", NULL, NULL, arguments, environ) == EACCES);
    char *again[] = {(char *)self, "again", NULL};
    CHECK(posix_spawn(&child, self, NULL, NULL, again, environ) == 0 && WEXITSTATUS(status_of(child)) == 42);
}

static void futexes(void) {
    atomic_int *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = fork();
    if (child == 0) {
        usleep(20000);
        *word = 1;
        syscall(SYS_futex, word, FUTEX_WAKE, 10, 0, 0, 0);
        _exit(0);
    }
    while (*word == 0) syscall(SYS_futex, word, FUTEX_WAIT, 0, 0, 0, 0);
    CHECK(status_of(child) == 0);
    struct timespec moment = {0, 10000000};
    int zero = 0;
    FAILS(syscall(SYS_futex, &zero, FUTEX_WAIT, 0, &moment, 0, 0), ETIMEDOUT);
    FAILS(syscall(SYS_futex, &zero, FUTEX_WAIT, 1, &moment, 0, 0), EAGAIN);
    cpu_set_t cpus;
    CHECK(sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) > 0 && sched_getcpu() >= 0);
}

static void addresses(void) {
    int rw = PROT_READ | PROT_WRITE, anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
    char *p = mmap(NULL, 4 * 4096, rw, anonymous, -1, 0);
    p[0] = 1, p[3 * 4096] = 2;
    char *q = mremap(p, 4 * 4096, 64 * 4096, MREMAP_MAYMOVE);
    CHECK(q != MAP_FAILED && q[0] == 1 && q[3 * 4096] == 2 && q[60 * 4096] == 0);
    CHECK(munmap(q + 4096, 4096) == 0);
    FAILS(mremap(q, 3 * 4096, 8 * 4096, MREMAP_MAYMOVE), EFAULT);
    FAILS(mprotect(q, 3 * 4096, PROT_READ), ENOMEM);
    FAILS(mprotect(q + 1, 4096, PROT_READ), EINVAL);
    FAILS(msync(q, 3 * 4096, MS_SYNC), ENOMEM);
    CHECK(madvise(q + 2 * 4096, 2 * 4096, MADV_DONTNEED) == 0 && q[3 * 4096] == 0);
    FAILS(mmap(NULL, 0, rw, anonymous, -1, 0), EINVAL);
    FAILS(mmap(NULL, 4096, rw, MAP_ANONYMOUS, -1, 0), EINVAL);
    FAILS(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 99, 0), EBADF);
    FAILS(mmap(NULL, 1UL << 62, rw, anonymous, -1, 0), ENOMEM);
    FAILS(mmap(q, 4096, PROT_READ, MAP_FIXED_NOREPLACE | anonymous, -1, 0), EEXIST);
    FAILS(munmap((void *)1, 4096), EINVAL);
    FAILS(munmap(q, 0), EINVAL);
    char *heap = sbrk(100000);
    heap[99999] = 1;
    CHECK(sbrk(0) == heap + 100000 && brk(heap) == 0 && sbrk(0) == heap);
}

int main(int argc, char **argv) {
    if (argc > 1) return 42;
    together();
    processes(argv[0]);
    futexes();
    addresses();
    return finish();
}
