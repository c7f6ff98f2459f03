// What tests/debugger/run lets gdb and lldb look at. The first argument says which part runs.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

volatile int global;
volatile long array[4] = {1, 2, 3, 4};
volatile double real = 1.5;
volatile int handled;

__attribute__((noinline)) int add(int a, int b)
{
    int sum = a + b;
    global = sum;
    return sum;
}

__attribute__((noinline)) int twice(int n)
{
    return add(n, n) + 1;
}

__attribute__((noinline)) void hit(long n)
{
    __asm__ volatile("" ::"r"(n) : "memory");
}

static int calls(void)
{
    int total = 0;
    for (int i = 0; i < 5; i++) {
        total += twice(i);
    }
    array[2] += total;
    real *= 2;
    printf("total %d, real %g\n", total, real);
    return total == 25 ? 0 : 1;
}

static int loop(long n)
{
    for (long i = 0; i < n; i++) {
        hit(i);
    }
    puts("loop done");
    return 0;
}

static void handler(int signal)
{
    handled = signal;
}

static int signals(void)
{
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    printf("handled %d\n", handled);
    volatile int *nowhere = (int *)8;
    if (handled == SIGUSR1) {
        *nowhere = 1;
    }
    return 0;
}

static pthread_barrier_t barrier;
__thread int own;

__attribute__((noinline)) void in_thread(long n)
{
    own = 100 + (int)n;
}

static void *thread(void *arg)
{
    pthread_barrier_wait(&barrier);
    in_thread((long)arg);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static int threads(void)
{
    pthread_t all[3];
    pthread_barrier_init(&barrier, NULL, 3);
    for (long i = 0; i < 3; i++) {
        pthread_create(&all[i], NULL, thread, (void *)i);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(all[i], NULL);
    }
    puts("threads done");
    return 0;
}

__attribute__((noinline)) void in_child(void)
{
    global = 7;
}

static int forks(void)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        in_child();
        _exit(3);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
    fflush(stdout);
    pid = vfork();
    if (pid == 0) {
        execl("/proc/self/exe", "debuggee", "calls", NULL);
        _exit(4);
    }
    waitpid(pid, &status, 0);
    printf("vforked %d\n", WEXITSTATUS(status));
    return 0;
}

/* The child has our memory until it ends or starts another program. */
static int vforks(const char *then)
{
    fflush(stdout);
    pid_t pid = vfork();
    if (pid == 0) {
        in_child();
        if (!strcmp(then, "execs")) {
            execl("/proc/self/exe", "debuggee", "calls", NULL);
        } else if (!strcmp(then, "fails")) {
            execl("/nowhere", "nobody", NULL);
        }
        _exit(4);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status)) {
        printf("vforked %d killed by %d\n", global, WTERMSIG(status));
    } else {
        printf("vforked %d exited with %d\n", global, WEXITSTATUS(status));
    }
    return 0;
}

static int kills(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    usleep(100000);
    kill(pid, SIGTERM);
    int status = 0;
    waitpid(pid, &status, 0);
    printf("killed by %d\n", WTERMSIG(status));
    return 0;
}

static int reads(void)
{
    static char buffer[16];
    int ends[2];
    if (pipe(ends) != 0 || write(ends[1], "hello", 6) != 6) {
        return 1;
    }
    ssize_t n = read(ends[0], buffer, sizeof buffer);
    printf("read %zd\n", n);
    return 0;
}

int main(int argc, char **argv)
{
    const char *part = argc > 1 ? argv[1] : "calls";
    if (!strcmp(part, "calls")) {
        return calls();
    } else if (!strcmp(part, "loop")) {
        return loop(argc > 2 ? atol(argv[2]) : 1000);
    } else if (!strcmp(part, "signals")) {
        return signals();
    } else if (!strcmp(part, "threads")) {
        return threads();
    } else if (!strcmp(part, "forks")) {
        return forks();
    } else if (!strcmp(part, "vforks")) {
        return vforks(argc > 2 ? argv[2] : "ends");
    } else if (!strcmp(part, "kills")) {
        return kills();
    } else if (!strcmp(part, "reads")) {
        return reads();
    } else if (!strcmp(part, "exec")) {
        execl("/proc/self/exe", "debuggee", "calls", NULL);
    } else if (!strcmp(part, "sleep")) {
        sleep(argc > 2 ? (unsigned)atoi(argv[2]) : 100);
        puts("slept");
        return 0;
    } else if (!strcmp(part, "spin")) {
        for (;;) {
            global++;
        }
    } else if (!strcmp(part, "trap")) {
        __asm__ volatile("ebreak");
    }
    return 9;
}
