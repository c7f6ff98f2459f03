// Sorting through comparison function pointers: unpredictable branches and indirect calls.
#include "bench.h"

enum { N = 100000 };
struct item {
  uint32_t key;
  uint32_t tag;
};
static struct item items[N], work[N];
typedef int (*compare_fn)(const void *, const void *);

static int by_key(const void *a, const void *b) {
  uint32_t x = ((const struct item *)a)->key, y = ((const struct item *)b)->key;
  return x < y ? -1 : x > y;
}
static int by_tag(const void *a, const void *b) {
  uint32_t x = ((const struct item *)a)->tag, y = ((const struct item *)b)->tag;
  return x < y ? -1 : x > y;
}
static int by_key_down(const void *a, const void *b) { return by_key(b, a); }

static void swap(struct item *a, struct item *b) {
  struct item t = *a;
  *a = *b;
  *b = t;
}

// Written out here so that native and guest runs sort by the same algorithm.
static void sort(struct item *base, long n, compare_fn less) {
  while (n > 12) {
    struct item pivot = base[n / 2];
    long i = 0, j = n - 1;
    while (i <= j) {
      while (less(&base[i], &pivot) < 0) i++;
      while (less(&base[j], &pivot) > 0) j--;
      if (i <= j) swap(&base[i++], &base[j--]);
    }
    if (j + 1 < n - i) {
      sort(base, j + 1, less);
      base += i, n -= i;
    } else {
      sort(base + i, n - i, less);
      n = j + 1;
    }
  }
  for (long i = 1; i < n; i++)
    for (long j = i; j > 0 && less(&base[j - 1], &base[j]) > 0; j--) swap(&base[j - 1], &base[j]);
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 45);
  uint64_t seed = 5, sum = 0;
  for (int i = 0; i < N; i++) {
    uint64_t r = bench_random(&seed);
    items[i] = (struct item){(uint32_t)r, (uint32_t)(r >> 32)};
  }
  compare_fn orders[] = {by_key, by_tag, by_key_down};
  for (long round = 0; round < rounds; round++) {
    memcpy(work, items, sizeof work);
    sort(work, N, orders[round % 3]);
    for (int i = 0; i < N; i += 97) sum = bench_mix(sum, work[i].key);
  }
  printf("qsort %016llx\n", (unsigned long long)sum);
  return 0;
}
