// Radix-2 transform of complex structures, forth and back.
#include <math.h>

#include "bench.h"

enum { LOG = 12, N = 1 << LOG };
struct complex {
  double re, im;
};
static struct complex data[N], root[N / 2];

static void transform(struct complex *a, int back) {
  for (int i = 1, j = 0; i < N; i++) {
    int bit = N >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      struct complex t = a[i];
      a[i] = a[j], a[j] = t;
    }
  }
  for (int len = 2; len <= N; len <<= 1) {
    int step = N / len;
    for (int i = 0; i < N; i += len)
      for (int k = 0; k < len / 2; k++) {
        struct complex w = root[k * step], u = a[i + k], v = a[i + k + len / 2], p;
        if (back) w.im = -w.im;
        p.re = v.re * w.re - v.im * w.im;
        p.im = v.re * w.im + v.im * w.re;
        a[i + k].re = u.re + p.re, a[i + k].im = u.im + p.im;
        a[i + k + len / 2].re = u.re - p.re, a[i + k + len / 2].im = u.im - p.im;
      }
  }
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 4000);
  uint64_t seed = 5;
  for (int i = 0; i < N / 2; i++) {
    double angle = -2 * 3.141592653589793 * i / N;
    root[i].re = cos(angle), root[i].im = sin(angle);
  }
  for (int i = 0; i < N; i++) data[i].re = (double)(bench_random(&seed) >> 40), data[i].im = 0;
  double energy = 0;
  for (long round = 0; round < rounds; round++) {
    transform(data, 0);
    transform(data, 1);
    for (int i = 0; i < N; i++) data[i].re /= N, data[i].im /= N;
  }
  for (int i = 0; i < N; i++) energy += data[i].re * data[i].re;
  printf("fft %.6e\n", energy);
  return 0;
}
