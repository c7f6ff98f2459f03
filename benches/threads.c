// Work for one or more threads, the same in total however many there are:
//   threads TEST THREADS    prints nanoseconds of elapsed time and of CPU time for each operation
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int threads;
static long share; // Operations of one thread.
static pthread_barrier_t start;
static atomic_long counter;
static atomic_uint small;
static long plain;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static uint32_t *numbers, *room;
static long count;

// No memory is shared.
static void own(long id) {
    uint64_t x = id + 1;
    for (long i = 0; i < share; i++) x = (x ^ x >> 7) * 0x9e3779b97f4a7c15;
    atomic_fetch_add(&counter, x & 1);
}

// One instruction on a shared word.
static void amo(long id) {
    (void)id;
    for (long i = 0; i < share; i++) atomic_fetch_add(&counter, 1);
}

// A shared word by load-reserved and store-conditional.
static void cas(long id) {
    (void)id;
    for (long i = 0; i < share; i++) {
        unsigned seen = atomic_load_explicit(&small, memory_order_relaxed);
        while (!atomic_compare_exchange_weak(&small, &seen, seen * 5 + 1)) {}
    }
}

static void mutexes(long id) {
    (void)id;
    for (long i = 0; i < share; i++) {
        pthread_mutex_lock(&mutex);
        plain++;
        pthread_mutex_unlock(&mutex);
    }
}

// One of a hundred writes.
static void rwlocks(long id) {
    (void)id;
    for (long i = 0; i < share; i++) {
        if (i % 100) pthread_rwlock_rdlock(&rwlock);
        else pthread_rwlock_wrlock(&rwlock), plain++;
        pthread_rwlock_unlock(&rwlock);
    }
}

// Threads take turns, so that each operation is a futex call.
static void turns(long id) {
    for (long i = 0; i < share; i++) {
        pthread_mutex_lock(&mutex);
        while (plain % threads != id) pthread_cond_wait(&turned, &mutex);
        plain++;
        pthread_cond_broadcast(&turned);
        pthread_mutex_unlock(&mutex);
    }
}

static void *nothing(void *unused) {
    return unused;
}

// Threads that end at once.
static void births(long id) {
    (void)id;
    for (long i = 0; i < share; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, nothing, NULL) != 0) abort();
        pthread_join(thread, NULL);
    }
}

// Memory of a shared allocator.
static void blocks(long id) {
    void *all[64] = {0};
    for (long i = 0; i < share; i++) {
        int at = (i * 7 + id) % 64;
        free(all[at]);
        all[at] = malloc(16 + i % 5 * 48);
    }
    for (int i = 0; i < 64; i++) free(all[i]);
}

static void merge_sort(uint32_t *a, uint32_t *b, long n) {
    if (n < 2) return;
    merge_sort(a, b, n / 2);
    merge_sort(a + n / 2, b, n - n / 2);
    memcpy(b, a, n / 2 * sizeof *a);
    for (long i = 0, j = n / 2, to = 0; i < n / 2; to++) a[to] = j < n && a[j] < b[i] ? a[j++] : b[i++];
}

static void sort(long id) {
    long n = count / threads;
    merge_sort(numbers + id * n, room + id * n, n);
}

static const struct {
    const char *name;
    void (*run)(long);
    long operations;
} tests[] = {
    {"own", own, 60000000}, {"amo", amo, 12000000}, {"cas", cas, 6000000}, {"mutex", mutexes, 6000000},
    {"rwlock", rwlocks, 3000000}, {"turns", turns, 100000}, {"births", births, 6000}, {"malloc", blocks, 6000000},
    {"sort", sort, 1 << 21},
};

static int test;

static void *work(void *id) {
    pthread_barrier_wait(&start);
    tests[test].run((long)id);
    return NULL;
}

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv) {
    int known = sizeof tests / sizeof *tests;
    while (argc > 1 && test < known && strcmp(tests[test].name, argv[1])) test++;
    threads = argc > 2 ? atoi(argv[2]) : 1;
    if (test == known || threads < 1 || threads > 64) return 2;
    count = tests[test].operations;
    share = count / threads;
    numbers = malloc(count * sizeof *numbers);
    room = malloc(count * sizeof *room);
    for (long i = 0; tests[test].run == sort && i < count; i++) numbers[i] = i * 2654435761u ^ i >> 3;
    pthread_barrier_init(&start, NULL, threads + 1);
    pthread_t all[64];
    for (long i = 0; i < threads; i++) pthread_create(&all[i], NULL, work, (void *)i);
    double cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);
    pthread_barrier_wait(&start);
    for (int i = 0; i < threads; i++) pthread_join(all[i], NULL);
    wall = now(CLOCK_MONOTONIC) - wall, cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("%.2f %.2f\n", wall / count, cpu / count);
    return 0;
}
