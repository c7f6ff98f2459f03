// Binary trees from malloc and free: allocator paths and pointer chasing.
#include "bench.h"

struct node {
  struct node *left, *right;
};

static struct node *grow(int depth) {
  struct node *n = malloc(sizeof *n);
  if (!n) abort();
  n->left = depth ? grow(depth - 1) : 0;
  n->right = depth ? grow(depth - 1) : 0;
  return n;
}
static uint64_t count(const struct node *n) { return n->left ? 1 + count(n->left) + count(n->right) : 1; }
static void fell(struct node *n) {
  if (n->left) fell(n->left), fell(n->right);
  free(n);
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 1800);
  uint64_t sum = 0;
  struct node *keep = grow(15);
  for (long round = 0; round < rounds; round++) {
    struct node *n = grow(10 + round % 6);
    sum = bench_mix(sum, count(n));
    fell(n);
  }
  sum = bench_mix(sum, count(keep));
  fell(keep);
  printf("bintrees %016llx\n", (unsigned long long)sum);
  return 0;
}
