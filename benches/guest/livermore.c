// Loops in the manner of the Livermore kernels: hydrodynamics, recurrences, a tridiagonal solver,
// an equation of state, integration, first differences and a search for the least.
#include "bench.h"

enum { N = 1000 };
static double x[N + 20], y[N + 20], z[N + 20], u[N + 20], v[N + 20], w[N + 20];

__attribute__((noinline)) static void hydro(double q, double r, double t) {
  for (int k = 0; k < N; k++) x[k] = q + y[k] * (r * z[k + 10] + t * z[k + 11]);
}
__attribute__((noinline)) static void tridiagonal(void) {
  for (int i = 1; i < N; i++) w[i] = z[i] * (y[i] - w[i - 1]);
}
__attribute__((noinline)) static void state(double q, double r, double t) {
  for (int k = 0; k < N; k++)
    v[k] = u[k] + r * (z[k] + r * y[k]) + t * (u[k + 3] + r * (u[k + 2] + r * u[k + 1]) + t * (u[k + 6] + q * (u[k + 5] + q * u[k + 4])));
}
__attribute__((noinline)) static double inner(void) {
  double s = 0;
  for (int k = 0; k < N; k++) s += z[k] * x[k];
  return s;
}
__attribute__((noinline)) static void recurrence(void) {
  double s = 0.1;
  for (int k = 0; k < N; k++) {
    w[k] = u[k] + s * v[k];
    s = w[k] - s * 0.5;
  }
}
__attribute__((noinline)) static void difference(void) {
  for (int k = 0; k < N; k++) v[k] = y[k + 1] - y[k];
}
__attribute__((noinline)) static int least(void) {
  int m = 0;
  for (int k = 1; k < N; k++)
    if (x[k] < x[m]) m = k;
  return m;
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 25000);
  uint64_t seed = 19;
  for (int i = 0; i < N + 20; i++) {
    y[i] = (double)(bench_random(&seed) >> 40) * 0x1p-24, z[i] = (double)(bench_random(&seed) >> 40) * 0x1p-24;
    u[i] = (double)(bench_random(&seed) >> 40) * 0x1p-24;
  }
  double sum = 0;
  for (long round = 0; round < rounds; round++) {
    hydro(0.5, 0.25, (double)(round & 7) * 0.125);
    tridiagonal();
    state(0.5, 0.25, 0.125);
    sum += inner();
    recurrence();
    difference();
    sum += (double)least();
  }
  printf("livermore %.6e\n", sum);
  return 0;
}
