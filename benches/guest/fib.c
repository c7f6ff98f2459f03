// Recursive calls: nothing but call, return and a little stack traffic.
#include "bench.h"

__attribute__((noinline, optimize("no-inline", "no-optimize-sibling-calls"))) static uint64_t fib(
    unsigned n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 450);
  uint64_t sum = 0;
  for (long i = 0; i < rounds; i++) sum = bench_mix(sum, fib(27 + (i & 1)));
  printf("fib %016llx\n", (unsigned long long)sum);
  return 0;
}
