// Polynomials and Newton's method: chains of multiply-add without memory.
#include <math.h>

#include "bench.h"

static double sine(double x) {
  static const double c[] = {1.0, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880, -1.0 / 39916800, 1.0 / 6227020800};
  double s = x * x, r = c[6];
  for (int i = 5; i >= 0; i--) r = r * s + c[i];
  return r * x;
}

static double cube_root(double a) {
  double x = a > 1 ? a / 3 : a;
  for (int i = 0; i < 60; i++) {
    double next = x - (x * x * x - a) / (3 * x * x);
    if (fabs(next - x) < 1e-12 * x) break;
    x = next;
  }
  return x;
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 4000000);
  double sum = 0;
  for (long round = 0; round < rounds; round++) {
    double x = (double)(round % 1571) * 0.001;
    for (int k = 0; k < 8; k++) sum += sine(x + k * 0.01);
    sum += cube_root(0.5 + x);
  }
  printf("horner %.6e\n", sum);
  return 0;
}
