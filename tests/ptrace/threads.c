// What tests/ptrace/run debugs: calls, threads, a child, a signal, or work without end.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int total;
static volatile long turns;

__attribute__((noinline)) static int add(int a, int b) {
    total += a;
    return a + b;
}
static void *few(void *p) {
    for (int i = 0; i < 3; i++) add(i, (int)(long)p);
    return p;
}
static void *spin(void *p) {
    for (;;) turns++;
    return p;
}
static void handle(int signal) { printf("handled %d\n", signal); }

int main(int argc, char **argv) {
    pthread_t t;
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "spin") == 0) {
        pthread_create(&t, NULL, spin, NULL);
        for (;;) usleep(1000);
    }
    if (strcmp(what, "signal") == 0) {
        signal(SIGUSR1, handle);
        raise(SIGUSR1);
        return 0;
    }
    int sum = 0;
    for (int i = 0; i < 5; i++) sum = add(sum, i);
    pthread_create(&t, NULL, few, (void *)7);
    pthread_join(t, NULL);
    if (strcmp(what, "x") == 0) {
        if (fork() == 0) {
            execl("/usr/bin/true", "true", (char *)NULL);
            _exit(3);
        }
        wait(NULL);
    }
    printf("sum %d total %d\n", sum, total);
    return 0;
}
