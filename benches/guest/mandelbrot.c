// The Mandelbrot set in single precision: dependent float arithmetic and a compare per step.
#include "bench.h"

enum { SIZE = 512, LIMIT = 120 };

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 10);
  double inside = 0;
  for (long round = 0; round < rounds; round++) {
    float shift = (float)round * 1e-4f;
    for (int py = 0; py < SIZE; py++)
      for (int px = 0; px < SIZE; px++) {
        float cr = 3.0f * (float)px / SIZE - 2.2f + shift, ci = 2.4f * (float)py / SIZE - 1.2f;
        float r = 0, i = 0, rr = 0, ii = 0;
        int n = 0;
        while (n < LIMIT && rr + ii < 4.0f) {
          i = 2.0f * r * i + ci;
          r = rr - ii + cr;
          rr = r * r;
          ii = i * i;
          n++;
        }
        inside += n == LIMIT;
      }
  }
  // Contraction to fused multiply-add moves a few points across the border.
  printf("mandelbrot %.2f\n", inside / ((double)rounds * SIZE * SIZE));
  return 0;
}
