// An LZ77 compressor with hash chains, and its decompressor: the result must equal the input.
#include "bench.h"

enum { SIZE = 1 << 19, HASHES = 1 << 14, WINDOW = 1 << 15, MIN = 4, MAX = 64 };
static uint8_t input[SIZE], packed[SIZE * 2], output[SIZE];
static int32_t head[HASHES], chain[WINDOW];

static void generate(void) {
  static const char *const words[] = {"the ", "binary ", "translator ", "maps ", "guest ", "registers ", "to ",
                                      "host ", "registers, ", "and ", "jumps ", "to a ", "block. ", "\n"};
  uint64_t seed = 47;
  for (size_t at = 0; at < SIZE;) {
    uint64_t r = bench_random(&seed);
    const char *w = words[(r >> 33) % 14];
    if ((r & 31) == 0) {
      for (int i = 0; i < 8 && at < SIZE; i++) input[at++] = (uint8_t)(r >> (8 * i));
    } else {
      while (*w && at < SIZE) input[at++] = (uint8_t)*w++;
    }
  }
}

static uint32_t hash(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v * 2654435761u >> 18;
}

static size_t compress(void) {
  size_t out = 0, at = 0;
  memset(head, 0xff, sizeof head);
  while (at < SIZE) {
    int best = 0, distance = 0;
    if (at + MAX < SIZE) {
      uint32_t h = hash(input + at);
      int tries = 8;
      for (int32_t from = head[h]; from >= 0 && (int32_t)at - from < WINDOW && tries--; from = chain[from % WINDOW]) {
        int len = 0;
        while (len < MAX && input[(size_t)from + (size_t)len] == input[at + (size_t)len]) len++;
        if (len > best) best = len, distance = (int)at - from;
      }
      chain[at % WINDOW] = head[h];
      head[h] = (int32_t)at;
    }
    if (best >= MIN) {
      packed[out++] = (uint8_t)(128 | best);
      packed[out++] = (uint8_t)distance;
      packed[out++] = (uint8_t)(distance >> 8);
      at += (size_t)best;
    } else {
      packed[out++] = input[at] & 127;
      packed[out++] = input[at] >> 7;
      at++;
    }
  }
  return out;
}

static int expand(size_t size) {
  size_t at = 0;
  for (size_t i = 0; i < size;) {
    if (packed[i] & 128) {
      int len = packed[i] & 127, distance = packed[i + 1] | packed[i + 2] << 8;
      for (i += 3; len--; at++) output[at] = output[at - (size_t)distance];
    } else {
      output[at++] = (uint8_t)(packed[i] | packed[i + 1] << 7);
      i += 2;
    }
  }
  return at == SIZE && !memcmp(input, output, SIZE);
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 130);
  uint64_t sum = 0;
  generate();
  for (long round = 0; round < rounds; round++) {
    size_t size = compress();
    if (!expand(size)) {
      printf("lz: the expanded text differs\n");
      return 1;
    }
    sum = bench_mix(sum, size);
    input[(size_t)round * 997 % SIZE] ^= 1;
  }
  printf("lz %016llx\n", (unsigned long long)sum);
  return 0;
}
