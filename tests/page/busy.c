// What tests/page/run profiles: some functions that call each other and take a while.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 200000

static unsigned char composite[SIZE];
static unsigned table[4096];

static int sieve(int rounds) {
    int primes = 0;
    for (int r = 0; r < rounds; r++) {
        memset(composite, 0, sizeof composite);
        primes = 0;
        for (int i = 2; i < SIZE; i++) {
            if (composite[i])
                continue;
            primes++;
            for (int n = 2 * i; n < SIZE; n += i)
                composite[n] = 1;
        }
    }
    return primes;
}

static unsigned mix(unsigned x) {
    x ^= x >> 16;
    x *= 0x7feb352d;
    x ^= x >> 15;
    x *= 0x846ca68b;
    return x ^ x >> 16;
}

static unsigned shuffle(int rounds) {
    unsigned sum = 0;
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < 4096; i++) {
            unsigned n = mix(i + r) % 4096;
            unsigned kept = table[i];
            table[i] = table[n] + i;
            table[n] = kept;
        }
        sum += table[r % 4096];
    }
    return sum;
}

static long fib(int n) {
    if (n < 2)
        return n;
    return fib(n - 1) + fib(n - 2);
}

static int report(const char *name, long value) {
    return printf("%s: %ld\n", name, value);
}

int main(void) {
    report("primes", sieve(12));
    report("shuffled", shuffle(400));
    report("fib", fib(26));
    return 0;
}
