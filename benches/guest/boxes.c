// Rays against boxes in single precision: minima, maxima and branches on comparisons.
#include <math.h>

#include "bench.h"

enum { BOXES = 512, RAYS = 256 };
static struct {
  float low[3], high[3];
} boxes[BOXES];
static struct {
  float from[3], inverse[3];
} rays[RAYS];

static float number(uint64_t *seed) { return (float)(bench_random(seed) >> 40) / 16777216.0f; }

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 110);
  uint64_t seed = 29;
  for (int i = 0; i < BOXES; i++)
    for (int d = 0; d < 3; d++) {
      boxes[i].low[d] = number(&seed) * 10;
      boxes[i].high[d] = boxes[i].low[d] + number(&seed) * 2;
    }
  for (int i = 0; i < RAYS; i++)
    for (int d = 0; d < 3; d++) rays[i].from[d] = number(&seed) - 2, rays[i].inverse[d] = 1 / (number(&seed) + 0.01f);
  long hits = 0;
  double total = 0;
  for (long round = 0; round < rounds; round++)
    for (int r = 0; r < RAYS; r++) {
      float nearest = 1e30f;
      for (int i = 0; i < BOXES; i++) {
        float enter = 0, leave = nearest;
        for (int d = 0; d < 3; d++) {
          float t1 = (boxes[i].low[d] - rays[r].from[d]) * rays[r].inverse[d];
          float t2 = (boxes[i].high[d] - rays[r].from[d]) * rays[r].inverse[d];
          enter = fmaxf(enter, fminf(t1, t2));
          leave = fminf(leave, fmaxf(t1, t2));
        }
        if (enter <= leave) nearest = enter, hits++;
      }
      if (nearest < 1e30f) total += (double)nearest;
    }
  printf("boxes %.3e %.3e\n", (double)hits, total);
  return 0;
}
