// Extensions, rotations and other uses of shifts whose source is overwritten before they are used, by a
// value that is made of the register which the result lands on. A translator that puts off such shifts
// must still shift what the source was.
#include "guest.h"

// Runs `body` as a block of its own on registers that hold r, s, t, and returns what two of them are
// then, mixed, so that neither can be wrong alone.
#define RUN(R, S, T, H, G, body) ({ u64 r_, s_; asm volatile( \
  "mv " R ", %2\n mv " S ", %3\n mv " T ", %4\n j 1f\n .balign 4\n1:\n" body "\n j 2f\n .balign 4\n2:\n mv %0, " R "\n mv %1, " S \
  : "=&r"(r_), "=&r"(s_) : "r"(r), "r"(s), "r"(t) : R, S, T, H, G); r_ * 3 + s_; })
#define BOTH(result, source) ((u64)(result) * 3 + (u64)(source))

// What overwrites the source S of the shifts: a sum, a copy, a scaled sum, a constant sum, a shift, a word.
#define OVERWRITE(X, R, S, T, H, G) \
  X(R, S, T, H, G, "add " S ", " R ", " T, r + t) \
  X(R, S, T, H, G, "mv " S ", " R, r) \
  X(R, S, T, H, G, "slli " S ", " R ", 3", r << 3) \
  X(R, S, T, H, G, "addi " S ", " R ", -77", r - 77) \
  X(R, S, T, H, G, "srli " S ", " R ", 9", r >> 9) \
  X(R, S, T, H, G, "addw " S ", " R ", " T, (i32)(r + t))

#define ONE(R, S, T, H, G, over, source, first, then, result) \
  check(over "; " then, RUN(R, S, T, H, G, first "\n " over "\n " then), BOTH(result, source));
#define EACH(R, S, T, H, G, over, source) \
  ONE(R, S, T, H, G, over, source, "slli " H ", " S ", 32", "srli " R ", " H ", 32", (u32)s) \
  ONE(R, S, T, H, G, over, source, "slli " H ", " S ", 32", "srli " R ", " H ", 29", (u64)(u32)s << 3) \
  ONE(R, S, T, H, G, over, source, "slli " H ", " S ", 32", "srai " R ", " H ", 32", (i32)s) \
  ONE(R, S, T, H, G, over, source, "slli " H ", " S ", 48", "srai " R ", " H ", 48", (short)s) \
  ONE(R, S, T, H, G, over, source, "slli " H ", " S ", 48", "srli " R ", " H ", 40", (u64)(u16)s << 8) \
  ONE(R, S, T, H, G, over, source, "slliw " H ", " S ", 24", "sraiw " R ", " H ", 24", (signed char)s) \
  ONE(R, S, T, H, G, over, source, "slliw " H ", " S ", 16", "srliw " R ", " H ", 16", (u16)s) \
  ONE(R, S, T, H, G, over, source, "slli " H ", " S ", 5", "sub " R ", " T ", " H, t - (s << 5)) \
  ONE(R, S, T, H, G, over, source, "srai " H ", " S ", 5", "xor " R ", " H ", " T, ((i64)s >> 5) ^ t) \
  ONE(R, S, T, H, G, over, source, "slli " H ", " S ", 20\n srli " G ", " S ", 44", "or " R ", " H ", " G, s << 20 | s >> 44) \
  ONE(R, S, T, H, G, over, source, "srli " H ", " S ", 1\n slli " G ", " S ", 63", "add " R ", " H ", " G, s >> 1 | s << 63) \
  ONE(R, S, T, H, G, over, source, "slliw " H ", " S ", 7\n srliw " G ", " S ", 25", "xor " R ", " H ", " G, (i32)((u32)s << 7 | (u32)s >> 25)) \
  ONE(R, S, T, H, G, over, source, "srli " H ", " S ", 55\n slli " G ", " S ", 9", "addw " R ", " G ", " H, (i32)(s << 9 | s >> 55)) \
  ONE(R, S, T, H, G, over, source, "slli " H ", " S ", 8\n srli " G ", " S ", 56", "or " R ", " G ", " H "\n add " R ", " R ", " G, (s << 8 | s >> 56) + (s >> 56)) \
  ONE(R, S, T, H, G, over, source, "slli " H ", " S ", 32", "srli " R ", " H ", 32\n add " R ", " R ", " H, (u32)s + (s << 32)) \
  ONE(R, S, T, H, G, over, source, "slli " H ", " S ", 32", "mv " T ", " R "\n srli " R ", " H ", 32\n add " R ", " R ", " T, (u32)s + r) \
  ONE(R, S, T, H, G, over, source, "slli " H ", " S ", 32", "bltz " H ", 3f\n srli " R ", " H ", 32\n 3:", (i32)s < 0 ? r : (u32)s)

// The registers that translators keep in registers of the host, and those that they do not.
static __attribute__((noinline)) void low(u64 r, u64 s, u64 t) { OVERWRITE(EACH, "a0", "a1", "a2", "a3", "a4") }
static __attribute__((noinline)) void mixed(u64 r, u64 s, u64 t) { OVERWRITE(EACH, "a5", "s6", "a4", "s7", "t4") }
static __attribute__((noinline)) void high(u64 r, u64 s, u64 t) { OVERWRITE(EACH, "s8", "s9", "s10", "t5", "t6") }

int main(void) {
  static const u64 values[] = { 0x0123456789abcdef, 0x7f0ebf80, 0xffffffff80000000, 3 };
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) {
      volatile u64 r = values[i], s = values[j], t = values[(i + j + 1) & 3];
      low(r, s, t);
      mixed(r, s, t);
      high(r, s, t);
    }
  return finish("extensions");
}
