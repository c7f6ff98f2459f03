// Integer division and remainder of every width: gcd, modular powers, digits.
#include "bench.h"

static uint64_t gcd(uint64_t a, uint64_t b) {
  while (b) {
    uint64_t t = a % b;
    a = b, b = t;
  }
  return a;
}
static uint32_t power(uint32_t base, uint32_t exponent, uint32_t modulus) {
  uint64_t result = 1, b = base % modulus;
  for (; exponent; exponent >>= 1) {
    if (exponent & 1) result = result * b % modulus;
    b = b * b % modulus;
  }
  return (uint32_t)result;
}
static int32_t digits(int32_t n, int32_t base) {
  int32_t sum = 0;
  for (; n; n /= base) sum += n % base;
  return sum;
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 2300000);
  uint64_t seed = 29, sum = 0;
  for (long i = 0; i < rounds; i++) {
    uint64_t r = bench_random(&seed);
    sum = bench_mix(sum, gcd(r >> 4, (r >> 20 | 1) & 0xffffffffffull));
    sum = bench_mix(sum, power((uint32_t)r, (uint32_t)(r >> 40), (uint32_t)(r >> 32) | 1));
    sum = bench_mix(sum, (uint64_t)digits((int32_t)r, 3 + (int32_t)(r >> 60)));
    sum = bench_mix(sum, (uint64_t)((int64_t)r / ((int32_t)(r >> 13) | 1)));
  }
  printf("divmod %016llx\n", (unsigned long long)sum);
  return 0;
}
