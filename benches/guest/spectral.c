// Spectral norm: double divisions with integer index arithmetic.
#include <math.h>

#include "bench.h"

enum { N = 500 };
static double u[N], v[N], t[N];

static double entry(int i, int j) { return 1.0 / (double)((i + j) * (i + j + 1) / 2 + i + 1); }

static void times(const double *from, double *to) {
  for (int i = 0; i < N; i++) {
    double s = 0;
    for (int j = 0; j < N; j++) s += entry(i, j) * from[j];
    to[i] = s;
  }
}
static void times_transposed(const double *from, double *to) {
  for (int i = 0; i < N; i++) {
    double s = 0;
    for (int j = 0; j < N; j++) s += entry(j, i) * from[j];
    to[i] = s;
  }
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 450);
  for (int i = 0; i < N; i++) u[i] = 1;
  for (long round = 0; round < rounds; round++) {
    times(round & 1 ? v : u, t);
    times_transposed(t, round & 1 ? u : v);
    if (round % 8 == 7) {
      double top = 0;
      for (int i = 0; i < N; i++) top = u[i] > top ? u[i] : top;
      for (int i = 0; i < N; i++) u[i] /= top, v[i] /= top;
    }
  }
  double uv = 0, vv = 0;
  for (int i = 0; i < N; i++) uv += u[i] * v[i], vv += v[i] * v[i];
  printf("spectral %.7f\n", rounds > 4 ? sqrt(fabs(uv / vv)) : 0.0);
  return 0;
}
