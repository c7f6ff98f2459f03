// Bit manipulation: population counts, leading and trailing zeros, byte swaps, Morton codes.
#include "bench.h"

static uint64_t spread(uint64_t x) {
  x &= 0xffffffff;
  x = (x | x << 16) & 0x0000ffff0000ffffull;
  x = (x | x << 8) & 0x00ff00ff00ff00ffull;
  x = (x | x << 4) & 0x0f0f0f0f0f0f0f0full;
  x = (x | x << 2) & 0x3333333333333333ull;
  return (x | x << 1) & 0x5555555555555555ull;
}
static uint64_t reverse(uint64_t x) {
  x = (x >> 1 & 0x5555555555555555ull) | (x & 0x5555555555555555ull) << 1;
  x = (x >> 2 & 0x3333333333333333ull) | (x & 0x3333333333333333ull) << 2;
  x = (x >> 4 & 0x0f0f0f0f0f0f0f0full) | (x & 0x0f0f0f0f0f0f0f0full) << 4;
  return __builtin_bswap64(x);
}
static int ones(uint64_t x) {
  int n = 0;
  for (; x; x &= x - 1) n++;
  return n;
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 28000000);
  uint64_t seed = 43, sum = 0;
  for (long i = 0; i < rounds; i++) {
    uint64_t r = bench_random(&seed);
    sum += spread(r) ^ spread(r >> 32) << 1;
    sum ^= reverse(r);
    sum += (uint64_t)ones(r & 0xffffff) << 7;
    uint32_t w = (uint32_t)r;
    sum += (w << 13 | w >> 19) + (uint32_t)__builtin_bswap32(w);
    sum = sum << 17 | sum >> 47;
  }
  printf("bits %016llx\n", (unsigned long long)sum);
  return 0;
}
