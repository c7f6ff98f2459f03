// Threads, signals, code that changes, and fork, all at once for a given time; everything that is
// sent, added or computed is counted, and nothing may be lost or doubled.
//
//   soak SECONDS
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 4, PAGE = 4096, KINDS = 8 };
static atomic_int stop, failed;
static atomic_long work[KINDS];
static const char *const names[KINDS] = {"generated", "shared code", "forks", "threads", "signals", "alarms", "faults", "pipe bytes"};

#define CHECK(e) do { if (!(e)) { fail(1); fprintf(stderr, "soak: line %d: %s (errno %d)\n", __LINE__, #e, errno); } } while (0)

// Remembers the first reason; may be called in a handler.
static void fail(int why) {
    int none = 0;
    atomic_compare_exchange_strong(&failed, &none, why);
}

#if defined __riscv
// lui a0, n; addi a0, a0, n; ret
static void emit(void *at, int n) {
    uint32_t upper = ((uint32_t)n + 0x800) & 0xfffff000, code[3] = {0x537 | upper, 0x50513 | (((uint32_t)n & 0xfff) << 20), 0x8067};
    memcpy(at, code, sizeof code);
    __builtin___clear_cache((char *)at, (char *)at + sizeof code);
}
#elif defined __x86_64__
static void emit(void *at, int n) { // mov eax, n; ret
    unsigned char code[6] = {0xb8, 0, 0, 0, 0, 0xc3};
    memcpy(code + 1, &n, 4);
    memcpy(at, code, sizeof code);
}
#else
#error "no code generator for this machine"
#endif
static int call(void *at) { return ((int (*)(void))at)(); }
static void *map(int prot) {
    void *p = mmap(NULL, 2 * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}
enum { RWX = PROT_READ | PROT_WRITE | PROT_EXEC, RW = PROT_READ | PROT_WRITE, RX = PROT_READ | PROT_EXEC };

// Code of its own in a page that is always writable, in one that is so in turns, and in new ones.
static void generate(unsigned rounds, unsigned seed) {
    char *always = map(RWX), *turns = map(RW);
    for (unsigned i = 0; i < rounds; i++) {
        int n = (int)(i * 2654435761u + seed) >> 4;
        char *at = always + i % 200 * 16;
        emit(at, n);
        CHECK(call(at) == n);
        if (i % 8 == 0) {
            CHECK(mprotect(turns, PAGE, RW) == 0);
            emit(turns + 32, n + 1);
            CHECK(mprotect(turns, PAGE, RX) == 0);
            CHECK(call(turns + 32) == n + 1);
        }
        if (i % 32 == 0) {
            char *fresh = map(RWX);
            emit(fresh + PAGE - 6, n + 2); // Across a page boundary.
            CHECK(call(fresh + PAGE - 6) == n + 2);
            munmap(fresh, 2 * PAGE);
        }
    }
    munmap(always, 2 * PAGE);
    munmap(turns, 2 * PAGE);
}
static void *generator(void *seed) {
    while (!stop) { generate(200, (unsigned)(uintptr_t)seed); work[0] += 200; }
    return NULL;
}

// Functions that all call while one writes others of the same page; each returns its place.
static char *common;
static void *common_writer(void *unused) {
    for (unsigned i = 0; !stop; i++) {
        int place = (int)(i % 64);
        emit(common + place * 32 + 16, (int)i);
        CHECK(call(common + place * 32 + 16) == (int)i);
        if (i % 16 == 0) usleep(50);
    }
    return unused;
}
static void *common_caller(void *unused) {
    while (!stop) {
        for (int place = 0; place < 64; place++) CHECK(call(common + place * 32) == place * 3);
        work[1] += 64;
    }
    return unused;
}

// The kernel writes to pages whose code others run.
static int ends[2];
static void *pipe_writer(void *unused) {
    char bytes[256];
    memset(bytes, 'x', sizeof bytes);
    while (!stop) {
        if (write(ends[1], bytes, sizeof bytes) >= 0) continue;
        CHECK(errno == EINTR || errno == EAGAIN);
        usleep(100);
    }
    return unused;
}
static void *pipe_reader(void *unused) {
    while (!stop) {
        ssize_t n = read(ends[0], common + PAGE - 256, 256);
        if (n < 0) CHECK(errno == EINTR || errno == EAGAIN);
        else work[7] += n;
        if (n < 0) usleep(100);
    }
    return unused;
}

// Queued signals with a number each, to each worker; alarms to whoever gets them.
static pthread_t workers[WORKERS];
static atomic_long sent[WORKERS];
static atomic_int ready;
static volatile long received[WORKERS];
static __thread long self = -1;
static __thread volatile int depth;
static void on_queued(int s, siginfo_t *i, void *u) {
    (void)s, (void)u;
    if (self < 0 || received[self] != i->si_value.sival_int) {
        fail(2);
        fprintf(stderr, "soak: worker %ld: signal %d with %d instead of %ld\n", self, s, i->si_value.sival_int, self < 0 ? -1 : received[self]);
        return;
    }
    received[self]++;
    work[4]++;
}
static void on_alarm(int s) { (void)s; work[5]++; }
static __thread sigjmp_buf back;
static void on_fault(int s, siginfo_t *i, void *u) {
    (void)s, (void)u;
    if (self < 0 || i->si_addr != (void *)24) {
        fprintf(stderr, "soak: worker %ld: fault at %p\n", self, i->si_addr);
        _exit(3);
    }
    siglongjmp(back, 1);
}
static void *worker(void *which) {
    self = (long)which;
    unsigned long sum = 0;
    ready++;
    while (stop < 2) {
        for (int i = 0; i < 20000; i++) sum = sum * 6364136223846793005u + 1;
        if (!sigsetjmp(back, 1)) { *(volatile long *)24 = (long)sum; fail(4); }
        work[6]++;
        if (self == 0) usleep(20);
        if (self == 1) generate(4, (unsigned)sum);
    }
    return (void *)(sum & 1);
}
static void *sender(void *unused) {
    while (!stop) {
        for (int w = 0; w < WORKERS; w++) {
            if (pthread_sigqueue(workers[w], SIGRTMIN + 3 + w, (union sigval){.sival_int = (int)sent[w]}) == 0) sent[w]++;
        }
        if (sent[0] % 50 == 0) usleep(200);
    }
    return unused;
}

static void *short_life(void *n) { generate(4, (unsigned)(uintptr_t)n); return n; }
// Without a handler that may be interrupted anywhere, through which nobody could unwind.
static void *long_life(void *unused) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (;;) usleep(1000);
    return unused;
}
static void *churn(void *unused) {
    while (!stop) {
        pthread_t t[4];
        void *result;
        for (long i = 0; i < 4; i++) CHECK(pthread_create(&t[i], NULL, i == 3 ? long_life : short_life, (void *)i) == 0);
        pthread_cancel(t[3]);
        for (long i = 0; i < 4; i++) CHECK(pthread_join(t[i], &result) == 0 && result == (i == 3 ? PTHREAD_CANCELED : (void *)i));
        work[3] += 4;
    }
    return unused;
}
static void *forker(void *program) {
    for (int i = 0; !stop; i++) {
        // qemu's vfork is a fork, and what other threads hold at that moment is held for ever in the child.
        pid_t pid = i % 3 == 2 && !getenv("UNDER_QEMU") ? vfork() : fork();
        if (pid == 0) {
            if (i % 3 == 2) { execl(program, program, "again", NULL); _exit(1); }
            pthread_t t;
            char *memory = malloc(100000);
            memset(memory, 1, 100000);
            generate(50, (unsigned)i);
            if (i % 3 == 1 && pthread_create(&t, NULL, short_life, NULL) == 0) pthread_join(t, NULL);
            free(memory);
            _exit(failed ? 1 : i & 63);
        }
        int status = -1;
        CHECK(pid > 0);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (i % 3 == 2 ? 42 : i & 63));
        work[2]++;
    }
    return NULL;
}

static void handle(int signal, void (*f)(int, siginfo_t *, void *), int flags) {
    struct sigaction a = {.sa_sigaction = f, .sa_flags = flags | SA_SIGINFO | SA_RESTART};
    sigaction(signal, &a, NULL);
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    if (strcmp(argv[1], "again") == 0) return 42;
    int seconds = atoi(argv[1]);
    common = map(RWX);
    for (int place = 0; place < 64; place++) emit(common + place * 32, place * 3), emit(common + place * 32 + 16, 0);
    CHECK(pipe2(ends, O_NONBLOCK) == 0);
    for (int w = 0; w < WORKERS; w++) handle(SIGRTMIN + 3 + w, on_queued, 0);
    handle(SIGSEGV, on_fault, 0);
    handle(SIGALRM, (void (*)(int, siginfo_t *, void *))on_alarm, 0);
    struct itimerval often = {{0, 3000}, {0, 3000}};
    setitimer(ITIMER_REAL, &often, NULL);
    for (long w = 0; w < WORKERS; w++) pthread_create(&workers[w], NULL, worker, (void *)w);
    while (ready < WORKERS) usleep(1000);
    struct { void *(*run)(void *); void *arg; } others[] = {
        {sender, NULL}, {generator, (void *)1}, {generator, (void *)2}, {common_writer, NULL}, {common_caller, NULL},
        {common_caller, NULL}, {pipe_writer, NULL}, {pipe_reader, NULL}, {churn, NULL}, {forker, argv[0]}, {forker, argv[0]},
    };
    enum { OTHERS = sizeof others / sizeof *others };
    pthread_t t[OTHERS];
    for (int i = 0; i < OTHERS; i++) CHECK(pthread_create(&t[i], NULL, others[i].run, others[i].arg) == 0);
    long before[KINDS] = {0};
    time_t start = time(NULL), since[KINDS];
    for (int i = 0; i < KINDS; i++) since[i] = start;
    while (!failed && time(NULL) - start < seconds) {
        usleep(100000);
        time_t now = time(NULL);
        for (int i = 0; i < KINDS; i++) {
            // A machine with ten times more to do than processors leaves a kind alone for 20 seconds.
            if (work[i] != before[i]) before[i] = work[i], since[i] = now;
            else if (now - since[i] >= 60) { fail(5); fprintf(stderr, "soak: no progress: %s\n", names[i]); }
        }
    }
    stop = 1;
    for (int i = 0; i < OTHERS; i++) pthread_join(t[i], NULL);
    for (int i = 0; i < 100 && !failed; i++) {
        int all = 1;
        for (int w = 0; w < WORKERS; w++) all &= received[w] == sent[w];
        if (all) break;
        usleep(100000);
    }
    stop = 2;
    for (int w = 0; w < WORKERS; w++) {
        pthread_join(workers[w], NULL);
        CHECK(received[w] == sent[w]);
    }
    for (int i = 0; i < KINDS; i++) printf("%s %ld%s", names[i], (long)work[i], i == KINDS - 1 ? "\n" : ", ");
    if (failed) fprintf(stderr, "soak: failed (%d)\n", failed);
    return failed != 0;
}
