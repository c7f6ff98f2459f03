// A hand-written lexer and a table-driven state machine over generated source text.
#include "bench.h"

static char text[1 << 18];
static uint8_t kind[256], states[8][8];

static size_t generate(void) {
  static const char *const words[] = {"while", "if", "return", "int", "x", "counter", "table_42", "else", "do"};
  static const char *const marks[] = {"+", "-", "==", "(", ")", "{", "}", ";", "<=", "/* note */", "\"text \\\" end\""};
  uint64_t seed = 37;
  size_t at = 0;
  while (at < sizeof text - 64) {
    uint64_t r = bench_random(&seed);
    const char *s = r & 1 ? words[(r >> 8) % 9] : marks[(r >> 8) % 11];
    char number[16];
    if ((r >> 60) < 3) snprintf(number, sizeof number, "%u", (unsigned)(r >> 30) & 0xffff), s = number;
    size_t n = strlen(s);
    memcpy(text + at, s, n);
    at += n;
    text[at++] = (r >> 50 & 15) ? ' ' : '\n';
  }
  text[at] = 0;
  return at;
}

static int letter(int c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static int digit(int c) { return c >= '0' && c <= '9'; }

static uint64_t lex(const char *p) {
  uint64_t sum = 0, line = 1;
  for (;;) {
    switch (*p) {
      case 0: return bench_mix(sum, line);
      case '\n': line++;  // Fall through.
      case ' ': p++; continue;
      case '/':
        if (p[1] == '*') {
          for (p += 2; *p && !(p[0] == '*' && p[1] == '/');) p++;
          p += 2;
          sum = bench_mix(sum, 1);
          continue;
        }
        break;
      case '"':
        for (p++; *p && *p != '"'; p++)
          if (*p == '\\') p++;
        p++;
        sum = bench_mix(sum, 2);
        continue;
      case '=': case '<': case '>':
        if (p[1] == '=') p++;
        break;
    }
    if (letter(*p)) {
      uint32_t h = 5381;
      while (letter(*p) || digit(*p)) h = h * 33 + (uint8_t)*p++;
      sum = bench_mix(sum, h);
    } else if (digit(*p)) {
      uint64_t v = 0;
      while (digit(*p)) v = v * 10 + (uint64_t)(*p++ - '0');
      sum = bench_mix(sum, v);
    } else {
      sum = bench_mix(sum, (uint8_t)*p++);
    }
  }
}

static uint64_t walk(const char *p, size_t n) {
  uint64_t counts[8] = {0};
  uint8_t state = 0;
  for (size_t i = 0; i < n; i++) {
    state = states[state][kind[(uint8_t)p[i]]];
    counts[state]++;
  }
  uint64_t sum = 0;
  for (int i = 0; i < 8; i++) sum = bench_mix(sum, counts[i]);
  return sum;
}

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 500);
  uint64_t seed = 41, sum = 0;
  size_t n = generate();
  for (int c = 0; c < 256; c++) kind[c] = letter(c) ? 1 : digit(c) ? 2 : c == ' ' ? 3 : c == '\n' ? 4 : c == '"' ? 5 : 6;
  for (int s = 0; s < 8; s++)
    for (int k = 0; k < 8; k++) states[s][k] = bench_random(&seed) >> 61;
  for (long round = 0; round < rounds; round++) sum = bench_mix(sum, lex(text) + walk(text, n));
  printf("lexer %016llx\n", (unsigned long long)sum);
  return 0;
}
