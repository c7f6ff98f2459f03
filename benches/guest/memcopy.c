// memcpy, memset, memmove and memcmp over sizes from 1 byte to 64 KiB, by the C library.
#include "bench.h"

static uint8_t from[131072], to[131072];

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 16000);
  uint64_t seed = 31, sum = 0;
  for (size_t i = 0; i < sizeof from; i++) from[i] = (uint8_t)bench_random(&seed);
  for (long round = 0; round < rounds; round++) {
    for (int i = 0; i < 2000; i++) {
      uint64_t r = bench_random(&seed);
      size_t size = 1 + (r >> 32) % ((size_t)8 << (r & 7)), at = r >> 8 & 4095, into = r >> 20 & 4095;
      memcpy(to + into, from + at, size);
      if ((r >> 60) == 0) memset(to + at, (int)r & 255, size);
      sum += to[into + size / 2];
    }
    size_t size = 65536 - (size_t)(round & 63);
    memcpy(to + (round & 7), from, size);
    memmove(to + 64, to, size);
    sum = bench_mix(sum, (uint64_t)(memcmp(to + 128, from + 128, 4096) > 0) + to[round & 65535]);
    memset(to, (int)round & 255, size);
  }
  printf("memcopy %016llx\n", (unsigned long long)sum);
  return 0;
}
