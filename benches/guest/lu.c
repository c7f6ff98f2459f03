// LU decomposition with partial pivoting over rows reached by pointers, then a solve.
#include <math.h>

#include "bench.h"

enum { N = 160 };
static double store[N][N], *row[N], right[N];

static void fill(uint64_t *seed) {
  for (int i = 0; i < N; i++) {
    row[i] = store[i];
    for (int j = 0; j < N; j++) row[i][j] = (double)(bench_random(seed) >> 40) * 0x1p-24 - 0.5;
    right[i] = (double)(bench_random(seed) >> 40) * 0x1p-24;
  }
}

static double solve(void) {
  for (int k = 0; k < N; k++) {
    int best = k;
    for (int i = k + 1; i < N; i++)
      if (fabs(row[i][k]) > fabs(row[best][k])) best = i;
    double *t = row[k], r = right[k];
    row[k] = row[best], right[k] = right[best];
    row[best] = t, right[best] = r;
    for (int i = k + 1; i < N; i++) {
      double f = row[i][k] / row[k][k];
      for (int j = k + 1; j < N; j++) row[i][j] -= f * row[k][j];
      right[i] -= f * right[k];
    }
  }
  for (int i = N - 1; i >= 0; i--) {
    for (int j = i + 1; j < N; j++) right[i] -= row[i][j] * right[j];
    right[i] /= row[i][i];
  }
  return right[0];
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 300);
  uint64_t seed = 3;
  double sum = 0;
  for (long round = 0; round < rounds; round++) {
    fill(&seed);
    sum += fabs(solve()) < 1e6;
  }
  printf("lu %.1f\n", sum);
  return 0;
}
