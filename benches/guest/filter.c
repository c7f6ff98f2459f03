// A chain of recursive filters over samples: 16-bit integers, single-precision signal,
// double-precision state, saturation.
#include "bench.h"

enum { SAMPLES = 16384, STAGES = 4 };
static int16_t in[SAMPLES], out[SAMPLES];
static struct {
  double b0, b1, b2, a1, a2, s1, s2;
} stage[STAGES];

__attribute__((noinline)) static long run(float gain) {
  long clipped = 0;
  for (int n = 0; n < SAMPLES; n++) {
    float signal = (float)in[n] * gain;
    for (int k = 0; k < STAGES; k++) {
      double x = signal, y = stage[k].b0 * x + stage[k].s1;
      stage[k].s1 = stage[k].b1 * x - stage[k].a1 * y + stage[k].s2;
      stage[k].s2 = stage[k].b2 * x - stage[k].a2 * y;
      signal = (float)y;
    }
    float scaled = signal * 32768.0f;
    if (scaled > 32767.0f) scaled = 32767.0f, clipped++;
    if (scaled < -32768.0f) scaled = -32768.0f, clipped++;
    out[n] = (int16_t)scaled;
  }
  return clipped;
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 1200);
  uint64_t seed = 31;
  for (int n = 0; n < SAMPLES; n++) in[n] = (int16_t)(bench_random(&seed) >> 48);
  for (int k = 0; k < STAGES; k++) {
    stage[k].b0 = 0.2, stage[k].b1 = 0.4, stage[k].b2 = 0.2;
    stage[k].a1 = -0.3 - 0.1 * k, stage[k].a2 = 0.1 + 0.02 * k;
  }
  double sum = 0;
  for (long round = 0; round < rounds; round++) {
    sum += (double)run((float)(1 + round % 3) / 32768.0f);
    sum += out[round % SAMPLES] / 4096;
  }
  printf("filter %.3e\n", sum);
  return 0;
}
