// Jacobi iteration of a five-point stencil with a residual, boundaries held.
#include <math.h>

#include "bench.h"

enum { N = 256 };
static double grid[2][N][N];

static double sweep(double (*to)[N], double (*from)[N]) {
  double worst = 0;
  for (int i = 1; i < N - 1; i++)
    for (int j = 1; j < N - 1; j++) {
      double v = 0.25 * (from[i - 1][j] + from[i + 1][j] + from[i][j - 1] + from[i][j + 1]);
      double d = fabs(v - from[i][j]);
      if (d > worst) worst = d;
      to[i][j] = v;
    }
  return worst;
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 5000);
  for (int i = 0; i < N; i++) grid[0][0][i] = grid[1][0][i] = i, grid[0][i][0] = grid[1][i][0] = -i;
  double worst = 0;
  for (long round = 0; round < rounds; round++) worst = sweep(grid[~round & 1], grid[round & 1]);
  printf("stencil %.6e\n", worst);
  return 0;
}
