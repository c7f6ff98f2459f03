/* Two threads that use a library. */
#include <pthread.h>
#include <stdio.h>

int count(int n);

static void *thread(void *arg)
{
    return (void *)(long)count((int)(long)arg);
}

int main(void)
{
    pthread_t t;
    void *result;
    pthread_create(&t, NULL, thread, (void *)100);
    pthread_join(t, &result);
    printf("%ld %d\n", (long)result, count(1000));
    return 0;
}
