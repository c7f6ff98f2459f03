// Sieve of Eratosthenes over bytes: short loops with strided stores.
#include "bench.h"

enum { LIMIT = 1 << 20 };
static uint8_t composite[LIMIT];

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 450);
  uint64_t sum = 0;
  for (long round = 0; round < rounds; round++) {
    memset(composite, 0, sizeof composite);
    for (uint32_t i = 2; i * i < LIMIT; i++)
      if (!composite[i])
        for (uint32_t j = i * i; j < LIMIT; j += i) composite[j] = 1;
    uint32_t primes = 0;
    for (uint32_t i = 2 + (round & 7); i < LIMIT; i++) primes += !composite[i];
    sum = bench_mix(sum, primes);
  }
  printf("sieve %016llx\n", (unsigned long long)sum);
  return 0;
}
