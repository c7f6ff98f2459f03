// What every guest bench program shares: the scale argument, a small random number generator and
// a running checksum. Each program does its work `scale` times and prints one line.
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The amount of work in percent of the default: the first argument, or 100.
static inline long bench_scale(int argc, char **argv, long full) {
  long percent = argc > 1 ? strtol(argv[1], 0, 10) : 100;
  long work = full * percent / 100;
  return work > 0 ? work : 1;
}

// xorshift64*: the same sequence on every host.
static inline uint64_t bench_random(uint64_t *state) {
  uint64_t x = *state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  *state = x;
  return x * 0x2545f4914f6cdd1dull;
}

static inline uint64_t bench_mix(uint64_t sum, uint64_t value) {
  return (sum ^ value) * 0x100000001b3ull + (sum >> 29);
}

#endif
