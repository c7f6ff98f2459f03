// Dense double-precision matrix product, the inner loop in memory order.
#include "bench.h"

enum { N = 256 };
static double a[N][N], b[N][N], c[N][N];

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 90);
  uint64_t seed = 42;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      a[i][j] = (double)(bench_random(&seed) >> 44);
      b[i][j] = (double)(bench_random(&seed) >> 44);
    }
  double sum = 0;
  for (long round = 0; round < rounds; round++) {
    memset(c, 0, sizeof c);
    for (int i = 0; i < N; i++)
      for (int k = 0; k < N; k++) {
        double x = a[i][k];
        for (int j = 0; j < N; j++) c[i][j] += x * b[k][j];
      }
    for (int i = 0; i < N; i++) sum += c[i][(i + round) % N];
  }
  printf("matmul %.9e\n", sum);
  return 0;
}
