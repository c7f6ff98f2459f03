// Loops over arrays of floating-point numbers, which a translator may execute several iterations at
// a time: arrays that overlap, NaNs among the results, faults and first flags in the middle, values
// that are selected now and then.
#include "guest.h"

enum { NX = 1, UF = 2, OF = 4, DZ = 8, NV = 16, MOST = 64 };
#define ONE 0x3ff0000000000000ul
#define THIRD 0x3fd5555555555555ul
#define INF 0x7ff0000000000000ul
#define NAN_ 0x7ff8000000000000ul
#define QNAN 0xfff8000000001234ul
#define ONE_S 0x3f800000u

// to[i] = to[i] + factor * from[i], for `n` doubles; the sum of all registers behind the loop.
static u64 accumulate(u64 *to, u64 *from, u64 factor, u64 n) {
  u64 *end = to + n, left, product;
  asm volatile("fmv.d.x fa0, %5\n 1: fld fa4, 0(%0)\n fld fa5, 0(%1)\n addi %0, %0, 8\n addi %1, %1, 8\n"
               "fmadd.d fa5, fa5, fa0, fa4\n fsd fa5, -8(%0)\n bne %0, %4, 1b\n fmv.x.d %2, fa4\n fmv.x.d %3, fa5"
               : "+r"(to), "+r"(from), "=&r"(left), "=&r"(product) : "r"(end), "r"(factor) : "fa0", "fa4", "fa5", "memory");
  return (u64)to + (u64)from + left + product;
}
// The same, one by one.
static u64 accumulate_each(u64 *to, u64 *from, u64 factor, u64 n) {
  u64 left = 0, product = 0;
  for (; n--; to++, from++) {
    asm volatile("fmv.d.x fa0, %4\n fld fa4, 0(%2)\n fld fa5, 0(%3)\n fmadd.d fa5, fa5, fa0, fa4\n"
                 "fsd fa5, 0(%2)\n fmv.x.d %0, fa4\n fmv.x.d %1, fa5"
                 : "=&r"(left), "=&r"(product) : "r"(to), "r"(from), "r"(factor) : "fa0", "fa4", "fa5", "memory");
  }
  return (u64)to + (u64)from + left + product;
}

// to[i] = from[i] * factor for `n` singles, counted down; the factor and the last result.
static void scale(u32 *to, u32 *from, u64 factor, u64 n, u64 result[2]) {
  asm volatile("fmv.d.x fa1, %4\n 1: flw fa2, 0(%1)\n addi %2, %2, -1\n fmul.s fa2, fa2, fa1\n fsw fa2, 0(%0)\n"
               "addi %0, %0, 4\n addi %1, %1, 4\n bnez %2, 1b\n fsd fa1, 0(%3)\n fsd fa2, 8(%3)"
               : "+r"(to), "+r"(from), "+r"(n) : "r"(result), "r"(factor) : "fa1", "fa2", "memory");
}

// to[i] = -from[i], arrays at the sum of two registers, and the greatest of those below infinity.
static u64 negate(u64 *to, u64 *from, u64 n) {
  u64 most, at = 0, base, flag;
  asm volatile("fmv.d.x fa0, zero\n 1: add %2, %4, %1\n fld fa1, 0(%2)\n add %2, %5, %1\n addi %1, %1, 8\n"
               "flt.d %3, fa0, fa1\n fneg.d fa2, fa1\n beqz %3, 2f\n fmv.d fa0, fa1\n 2: fsd fa2, 0(%2)\n bne %1, %6, 1b\n"
               "fmv.x.d %0, fa0\n"
               : "=&r"(most), "+r"(at), "=&r"(base), "=&r"(flag) : "r"(from), "r"(to), "r"(n * 8) : "fa0", "fa1", "fa2", "memory");
  return most + base - (u64)to - (n - 1) * 8 + flag;
}

static u64 a[MOST + 16], b[MOST + 16], c[MOST + 16];
static u32 s[MOST], t[MOST];

static void fill(void) {
  u64 seed = 88172645463325252ul;
  for (u64 i = 0; i < MOST + 16; i++) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    a[i] = b[i] = (seed >> 12) | ONE;
    c[i] = (seed << 9 >> 12) | ONE;
  }
}
static void compare(u64 got, u64 wanted) {
  CHECK(got, wanted);
  for (u64 i = 0; i < MOST + 16; i++) CHECK(a[i], b[i]);
}

static void overlaps(void) {
  for (u64 n = 1; n <= MOST; n++) {
    fill();
    compare(accumulate(a, c, THIRD, n), accumulate_each(b, c, THIRD, n) - (u64)b + (u64)a);
  }
  for (u64 ahead = 0; ahead < 14; ahead++)
    for (u64 n = 6; n <= MOST; n += 7) {
      fill();
      u64 shift = 2 * ((u64)a - (u64)b);
      compare(accumulate(a + 7, a + ahead, THIRD, n), accumulate_each(b + 7, b + ahead, THIRD, n) + shift);
      // Not by whole elements.
      fill();
      accumulate(a + 7, (u64 *)((u64)(a + ahead) + 4), THIRD, n);
      accumulate_each(b + 7, (u64 *)((u64)(b + ahead) + 4), THIRD, n);
      compare(0, 0);
    }
}

static void nans(void) {
  for (u64 i = 0; i < 20; i++) {
    fill();
    a[i] = b[i] = QNAN;
    compare(accumulate(a, c, THIRD, 20), accumulate_each(b, c, THIRD, 20) - (u64)b + (u64)a);
    CHECK(a[i], NAN_);
  }
}

static void singles(void) {
  u64 result[2];
  for (u64 n = 1; n < MOST; n++) {
    for (u64 i = 0; i < MOST; i++) t[i] = ONE_S + (u32)(i << 20), s[i] = 7;
    scale(s, t, 0xffffffff00000000 | ONE_S, n, result);
    CHECK(result[0], 0xffffffff00000000 | ONE_S);
    CHECK(result[1], 0xffffffff00000000 | t[n - 1]);
    for (u64 i = 0; i < MOST; i++) CHECK(s[i], i < n ? t[i] : 7);
    // A factor that is no single.
    scale(s, t, ONE_S, n, result);
    CHECK(result[0], ONE_S);
    CHECK(result[1], 0xffffffff7fc00000);
    for (u64 i = 0; i < n; i++) CHECK(s[i], 0x7fc00000);
  }
}

static void selections(void) {
  for (u64 n = 1; n < MOST; n++)
    for (u64 i = 0; i < n; i++) {
      for (u64 j = 0; j < n; j++) a[j] = 0x8000000000000000ul | j;
      a[i] = ONE;
      CHECK(negate(c, a, n), ONE + (i == n - 1));
      for (u64 j = 0; j < n; j++) CHECK(c[j], a[j] ^ 0x8000000000000000ul);
    }
}

// What a handler sees, which then lets the loop end.
static volatile u64 seen_flags, seen_to, seen_left, seen_product, faults;
static void on_fault(int signal, struct siginfo *info, struct ucontext *context) {
  (void)signal;
  (void)info;
  seen_flags = context->fcsr & 31;
  seen_to = context->x[15];
  seen_left = context->f[14];
  seen_product = context->f[15];
  faults++;
  context->x[0] = context->x[5];
}
// to[i] = to[i] + from[i] * factor until it faults, after setting the flags.
static void run_into(u64 *to, u64 *from, u64 flags) {
  register u64 *at asm("a5") = to;
  asm volatile("la t0, 2f\n fsflags %2\n fmv.d.x fa0, %3\n 1: fld fa4, 0(%0)\n fld fa5, 0(%1)\n fmadd.d fa5, fa5, fa0, fa4\n"
               "addi %1, %1, 8\n fsd fa5, 0(%0)\n addi %0, %0, 8\n bne %0, zero, 1b\n 2:"
               : "+r"(at), "+r"(from) : "r"(flags), "r"(ONE) : "t0", "fa0", "fa4", "fa5", "memory");
}

static void stops(void) {
  on_signal(SIGSEGV, on_fault, 0);
  u64 *page = (u64 *)map(3, PROT_READ | PROT_WRITE);
  u64 *last = page + PAGE / 4;
  syscall(SYS_mprotect, last, PAGE, PROT_READ);
  for (u64 i = 0; i < PAGE / 8; i++) last[(i64)i - PAGE / 8] = ONE;
  for (u64 n = 1; n < 40; n++)
    for (u64 inexact = 0; inexact < n + 3; inexact += 2) {
      // The store behind `n` elements faults; a result before, at or behind it is inexact.
      for (u64 i = 0; i < MOST; i++) c[i] = i == inexact ? THIRD : 0;
      for (u64 i = 1; i < 40; i++) last[-(i64)i] = ONE + i;
      faults = 0;
      run_into(last - n, c, n & 1 ? 0 : OF);
      CHECK(faults, 1);
      CHECK(seen_to, (u64)last);
      CHECK(seen_left, 0);
      CHECK(seen_product, n == inexact ? THIRD : 0);
      CHECK(seen_flags, (inexact < n ? NX : 0) | (n & 1 ? 0 : OF));
      for (u64 i = 1; i <= n; i++) CHECK(last[-(i64)i] == ONE + i, n - i != inexact);
    }
  syscall(SYS_mprotect, last, PAGE, 0);
  for (u64 n = 1; n < 40; n++) {
    // The load faults: what the iteration before has left is still there.
    for (u64 i = 0; i < MOST; i++) c[i] = i << 52;
    for (u64 i = 1; i < 40; i++) last[-(i64)i] = ONE;
    run_into(last - n, c, 31);
    CHECK(seen_to, (u64)last);
    CHECK(seen_left, ONE);
    CHECK(seen_product, last[-1]);
  }
}

int main(void) {
  overlaps();
  nans();
  singles();
  selections();
  stops();
  return finish("elementwise");
}
