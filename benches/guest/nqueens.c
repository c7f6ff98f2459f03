// N queens by bit masks: recursion with branches.
#include "bench.h"

static uint64_t place(uint32_t all, uint32_t columns, uint32_t left, uint32_t right) {
  if (columns == all) return 1;
  uint64_t found = 0;
  for (uint32_t open = all & ~(columns | left | right); open;) {
    uint32_t bit = open & -open;
    open ^= bit;
    found += place(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
  }
  return found;
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 140);
  uint64_t sum = 0;
  for (long round = 0; round < rounds; round++) sum = bench_mix(sum, place((1u << (11 + round % 2)) - 1, 0, 0, 0));
  printf("nqueens %016llx\n", (unsigned long long)sum);
  return 0;
}
