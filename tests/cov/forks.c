/* A parent and a child that work in functions of their own, while a thread does something. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile unsigned long sum;

__attribute__((noinline)) static void child_work(void) {
    for (unsigned long i = 0; i < 40000000; i++)
        sum += i * i;
}

__attribute__((noinline)) static void parent_work(void) {
    for (unsigned long i = 0; i < 40000000; i++)
        sum += i ^ sum;
}

static void *thread(void *nothing) {
    parent_work();
    return nothing;
}

int main(void) {
    pthread_t t;
    int status = 1;
    if (pthread_create(&t, 0, thread, 0))
        return 1;
    if (fork() == 0) {
        child_work();
        return 0;
    }
    parent_work();
    wait(&status);
    pthread_join(t, 0);
    return status != 0;
}
