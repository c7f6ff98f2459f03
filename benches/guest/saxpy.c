// Single-precision vector kernels: saxpy, a dot product, conversions, minimum and maximum.
#include "bench.h"

enum { N = 8192 };
static float x[N], y[N];
static int q[N];

__attribute__((noinline)) static void saxpy(float a) {
  for (int i = 0; i < N; i++) y[i] = a * x[i] + y[i] * 0.5f;
}
__attribute__((noinline)) static float dot(void) {
  float s = 0;
  for (int i = 0; i < N; i++) s += x[i] * y[i];
  return s;
}
__attribute__((noinline)) static void quantize(float low, float high) {
  for (int i = 0; i < N; i++) {
    float v = y[i] < low ? low : y[i];
    v = v > high ? high : v;
    q[i] = (int)(v * 16.0f);
  }
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 22000);
  uint64_t seed = 7;
  for (int i = 0; i < N; i++) {
    x[i] = (float)(bench_random(&seed) >> 40) / 16777216.0f - 0.25f;
    y[i] = (float)(bench_random(&seed) >> 40) / 16777216.0f;
  }
  double sum = 0;
  for (long round = 0; round < rounds; round++) {
    saxpy((float)(round & 3) * 0.25f);
    sum += dot();
    quantize(-1.0f, 1.0f);
    sum += (double)q[round % N] * 1e-6;
  }
  printf("saxpy %.3e\n", sum);
  return 0;
}
