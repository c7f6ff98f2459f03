// CRC-32 by table: a chain of dependent byte loads.
#include "bench.h"

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 900);
  static uint32_t table[256];
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int b = 0; b < 8; b++) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
    table[i] = c;
  }
  static uint8_t data[262144];
  uint64_t seed = 11;
  for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)bench_random(&seed);
  uint32_t crc = ~0u;
  for (long round = 0; round < rounds; round++)
    for (size_t i = 0; i < sizeof data; i++) crc = table[(crc ^ data[i]) & 255] ^ crc >> 8;
  printf("crc32 %08x\n", ~crc);
  return 0;
}
