// A string-keyed hash map: byte loops, string compares, chains and growth.
#include "bench.h"

struct entry {
  struct entry *next;
  uint64_t hash, value;
  char key[16];
};
static struct entry **buckets;
static uint64_t mask, used;

static uint64_t hash(const char *s) {
  uint64_t h = 0xcbf29ce484222325ull;
  while (*s) h = (h ^ (uint8_t)*s++) * 0x100000001b3ull;
  return h ^ h >> 32;
}

static void double_size(void) {
  uint64_t bigger = mask * 2 + 1;
  struct entry **fresh = calloc(bigger + 1, sizeof *fresh);
  if (!fresh) abort();
  for (uint64_t i = 0; i <= mask; i++)
    for (struct entry *e = buckets[i], *next; e; e = next) {
      next = e->next;
      e->next = fresh[e->hash & bigger];
      fresh[e->hash & bigger] = e;
    }
  free(buckets);
  buckets = fresh, mask = bigger;
}

static struct entry *find(const char *key) {
  uint64_t h = hash(key);
  for (struct entry *e = buckets[h & mask]; e; e = e->next)
    if (e->hash == h && !strcmp(e->key, key)) return e;
  if (++used > mask) double_size();
  struct entry *e = calloc(1, sizeof *e);
  if (!e) abort();
  e->hash = h;
  strcpy(e->key, key);
  e->next = buckets[h & mask];
  return buckets[h & mask] = e;
}

static void format(char *to, uint64_t n) {
  char digits[16];
  int len = 0;
  do digits[len++] = (char)('a' + n % 26);
  while (n /= 26);
  memcpy(to, "key-", 4);
  to += 4;
  while (len) *to++ = digits[--len];
  *to = 0;
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 14000000);
  mask = 255;
  buckets = calloc(mask + 1, sizeof *buckets);
  uint64_t seed = 17, sum = 0;
  char key[24];
  for (long i = 0; i < rounds; i++) {
    uint64_t r = bench_random(&seed);
    format(key, (r >> 40) % (r & 1 ? 50000 : 500));
    sum = bench_mix(sum, ++find(key)->value);
  }
  printf("hashmap %016llx %llu\n", (unsigned long long)sum, (unsigned long long)used);
  return 0;
}
