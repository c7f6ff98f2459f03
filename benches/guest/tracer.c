// Rays against spheres, with shadows and one mirror: vectors by value, square roots, branches.
#include <math.h>

#include "bench.h"

enum { SIZE = 160, SPHERES = 9 };
typedef struct {
  double x, y, z;
} vec;
static struct {
  vec center;
  double radius, mirror;
} spheres[SPHERES];

static vec add(vec a, vec b) { return (vec){a.x + b.x, a.y + b.y, a.z + b.z}; }
static vec sub(vec a, vec b) { return (vec){a.x - b.x, a.y - b.y, a.z - b.z}; }
static vec times(vec a, double f) { return (vec){a.x * f, a.y * f, a.z * f}; }
static double dot(vec a, vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static vec unit(vec a) { return times(a, 1 / sqrt(dot(a, a))); }

__attribute__((noinline)) static int hit(vec from, vec to, double *distance) {
  int found = -1;
  for (int i = 0; i < SPHERES; i++) {
    vec d = sub(spheres[i].center, from);
    double b = dot(d, to), square = b * b - dot(d, d) + spheres[i].radius * spheres[i].radius;
    if (square < 0) continue;
    double root = sqrt(square), t = b - root > 1e-6 ? b - root : b + root;
    if (t > 1e-6 && t < *distance) *distance = t, found = i;
  }
  return found;
}

static double shade(vec from, vec to, int depth) {
  double distance = 1e30, dark = 1e30;
  int i = hit(from, to, &distance);
  if (i < 0) return 0.2 + 0.3 * to.y;
  vec at = add(from, times(to, distance)), normal = unit(sub(at, spheres[i].center));
  vec light = unit((vec){0.5, 1, -0.7});
  double bright = fmax(dot(normal, light), 0.1);
  if (bright > 0.1 && hit(at, light, &dark) >= 0) bright = 0.1;
  if (depth == 0) return bright;
  vec mirrored = sub(to, times(normal, 2 * dot(to, normal)));
  return bright * (1 - spheres[i].mirror) + spheres[i].mirror * shade(at, mirrored, depth - 1);
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 150);
  uint64_t seed = 17;
  for (int i = 0; i < SPHERES; i++) {
    spheres[i].center.x = (double)(i % 3) - 1, spheres[i].center.y = (double)(i / 3) - 1;
    spheres[i].center.z = 3 + (double)(bench_random(&seed) % 100) / 100;
    spheres[i].radius = 0.3 + (double)(bench_random(&seed) % 20) / 100;
    spheres[i].mirror = 0.5;
  }
  double sum = 0;
  for (long round = 0; round < rounds; round++)
    for (int y = 0; y < SIZE; y++)
      for (int x = 0; x < SIZE; x++) {
        vec to = {(double)x / SIZE - 0.5, 0.5 - (double)y / SIZE, 1};
        sum += shade((vec){0, 0, (double)round * -0.01}, unit(to), 2);
      }
  printf("tracer %.2e\n", sum);
  return 0;
}
