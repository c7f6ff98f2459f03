// Random walks: integers to doubles and back, histograms, rounding.
#include <math.h>

#include "bench.h"

enum { BINS = 64 };
static uint32_t histogram[BINS];

int main(int argc, char **argv) {
  long walks = bench_scale(argc, argv, 2500000);
  uint64_t seed = 23;
  double inside = 0, drift = 0;
  for (long n = 0; n < walks; n++) {
    double position = 0;
    for (int step = 0; step < 32; step++) {
      uint64_t r = bench_random(&seed);
      double a = (double)(uint32_t)r * 0x1p-32, b = (double)(int64_t)(r >> 11) * 0x1p-53;
      inside += a * a + b * b < 1.0;
      position += a - 0.5;
      int bin = (int)(position * 8.0) + BINS / 2;
      if (bin >= 0 && bin < BINS) histogram[bin]++;
    }
    drift += floor(position * 1000.0);
  }
  uint64_t sum = 0;
  for (int i = 0; i < BINS; i++) sum = bench_mix(sum, histogram[i]);
  printf("montecarlo %.0f %.0f %016llx\n", inside, drift, (unsigned long long)sum);
  return 0;
}
