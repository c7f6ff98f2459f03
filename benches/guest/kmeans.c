// Clustering of points in single precision: distances, the least of them, and means.
#include "bench.h"

enum { POINTS = 6000, CLUSTERS = 12, DIMENSIONS = 3 };
static float point[POINTS][DIMENSIONS], center[CLUSTERS][DIMENSIONS], sum[CLUSTERS][DIMENSIONS];
static int count[CLUSTERS];

static long assign(void) {
  long moved = 0;
  memset(sum, 0, sizeof sum);
  memset(count, 0, sizeof count);
  for (int p = 0; p < POINTS; p++) {
    int best = 0;
    float least = 1e30f;
    for (int c = 0; c < CLUSTERS; c++) {
      float square = 0;
      for (int d = 0; d < DIMENSIONS; d++) {
        float x = point[p][d] - center[c][d];
        square += x * x;
      }
      if (square < least) least = square, best = c;
    }
    for (int d = 0; d < DIMENSIONS; d++) sum[best][d] += point[p][d];
    count[best]++;
    moved += best;
  }
  for (int c = 0; c < CLUSTERS; c++)
    for (int d = 0; d < DIMENSIONS; d++)
      if (count[c]) center[c][d] = 0.9f * center[c][d] + 0.1f * sum[c][d] / (float)count[c];
  return moved;
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 2500);
  uint64_t seed = 13;
  for (int p = 0; p < POINTS; p++)
    for (int d = 0; d < DIMENSIONS; d++) point[p][d] = (float)(bench_random(&seed) >> 40) / 16777216.0f;
  memcpy(center, point, sizeof center);
  double moved = 0;
  for (long round = 0; round < rounds; round++) moved += (double)assign();
  // Rounding decides where a few points go.
  printf("kmeans %.1e\n", moved / (double)rounds);
  return 0;
}
