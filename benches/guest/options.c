// Option prices in closed form: exponentials, logarithms, square roots and the error function.
#include <math.h>

#include "bench.h"

enum { N = 4096 };
static struct option {
  double spot, strike, rate, volatility, years;
} options[N];

static double normal(double x) { return 0.5 * erfc(-x * 0.7071067811865476); }

static double price(const struct option *o, int put) {
  double spread = o->volatility * sqrt(o->years);
  double d1 = (log(o->spot / o->strike) + (o->rate + 0.5 * o->volatility * o->volatility) * o->years) / spread;
  double d2 = d1 - spread, discount = o->strike * exp(-o->rate * o->years);
  return put ? discount * normal(-d2) - o->spot * normal(-d1) : o->spot * normal(d1) - discount * normal(d2);
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 1800);
  uint64_t seed = 11;
  for (int i = 0; i < N; i++) {
    struct option *o = &options[i];
    o->spot = 50 + (double)(bench_random(&seed) % 10000) / 100;
    o->strike = 50 + (double)(bench_random(&seed) % 10000) / 100;
    o->rate = (double)(bench_random(&seed) % 100) / 1000;
    o->volatility = 0.05 + (double)(bench_random(&seed) % 100) / 200;
    o->years = 0.1 + (double)(bench_random(&seed) % 100) / 25;
  }
  double sum = 0;
  for (long round = 0; round < rounds; round++)
    for (int i = 0; i < N; i++) sum += price(&options[i], (i ^ (int)round) & 1);
  printf("options %.6e\n", sum);
  return 0;
}
