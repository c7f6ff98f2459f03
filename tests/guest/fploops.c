// Floating point across back-edges and comparisons: values that are NaNs, are not boxed, or come
// from memory as they are, on the first iteration and on later ones; rounding modes that change
// between runs of a loop; comparisons between saving and restoring the flags, with faults behind.
#include "guest.h"

enum { NX = 1, UF = 2, OF = 4, DZ = 8, NV = 16 };
#define ONE 0x3ff0000000000000ul
#define INF 0x7ff0000000000000ul
#define NAN_ 0x7ff8000000000000ul
#define SNAN 0x7ff0000000000001ul
#define QNAN 0xfff8000000001234ul
#define BOX 0xffffffff00000000ul
#define ONE_S 0x3f800000ul

static u64 flags_of(void) {
  u64 flags;
  asm volatile("frflags %0" : "=r"(flags));
  return flags;
}

// Adds `step` to `sum` and stores both operands and the result, `n` times; `extra` is loaded at the
// end of an iteration and stored at the beginning of the next.
static u64 stored[4];
static void doubles(u64 sum, u64 step, u64 extra, u64 n) {
  asm volatile("fsflags zero\n fmv.d.x fa0, %2\n fmv.d.x fa1, %3\n fmv.d.x fa2, %4\n fmv.d.x fa3, %4\n"
               "1: fsd fa2, 16(%1)\n fadd.d fa3, fa0, fa1\n fsub.d fa0, fa3, fa1\n fadd.d fa0, fa0, fa1\n"
               "fld fa2, 24(%1)\n addi %0, %0, -1\n bnez %0, 1b\n fsd fa0, 0(%1)\n fsd fa3, 8(%1)"
               : "+r"(n) : "r"(stored), "r"(sum), "r"(step), "r"(extra) : "fa0", "fa1", "fa2", "fa3", "memory");
}
static void singles(u64 sum, u64 step, u64 temporary, u64 n) {
  asm volatile("fsflags zero\n fmv.d.x fa0, %2\n fmv.d.x fa1, %3\n fmv.d.x fa2, %4\n"
               "1: flw fa2, 24(%1)\n fmul.s fa2, fa2, fa1\n fadd.s fa0, fa0, fa2\n"
               "addi %0, %0, -1\n bnez %0, 1b\n fsd fa0, 0(%1)\n fsd fa1, 8(%1)\n fsd fa2, 16(%1)"
               : "+r"(n) : "r"(stored), "r"(sum), "r"(step), "r"(temporary) : "fa0", "fa1", "fa2", "memory");
}
// `n` times fd = 1 + 2^-53 with the static mode "up", under the dynamic mode `frm`.
static u64 rounded(u64 frm, u64 n) {
  u64 r;
  asm volatile("fsrm %2\n fmv.d.x fa0, %3\n fmv.d.x fa1, %4\n 1: fadd.d fa2, fa0, fa1, rup\n addi %1, %1, -1\n bnez %1, 1b\n"
               "fmv.x.d %0, fa2\n fsrmi 0" : "=&r"(r), "+r"(n) : "r"(frm), "r"(ONE), "r"(0x3ca0000000000000ul) : "fa0", "fa1", "fa2");
  return r;
}

// A quiet comparison and the branch on it: bit 0 the result, bit 1 the branch, and the flags above.
#define QUIET(op, a, b, flags) ({ u64 r_, t_; asm volatile("fsflags %4\n fmv.d.x fa0, %2\n fmv.d.x fa1, %3\n frflags %1\n" \
    op " %0, fa0, fa1\n fsflags %1\n beqz %0, 1f\n ori %0, %0, 2\n 1: frflags %1\n slli %1, %1, 8\n or %0, %0, %1" \
    : "=&r"(r_), "=&r"(t_) : "r"((u64)(a)), "r"((u64)(b)), "r"((u64)(flags)) : "fa0", "fa1"); r_; })

// The saved flags are still what they were when a load behind a square root faults.
static volatile u64 seen_saved, seen_flags, seen_pc;
static void on_fault(int signal, struct siginfo *info, struct ucontext *context) {
  (void)signal;
  (void)info;
  seen_saved = context->x[14];
  seen_flags = context->fcsr & 31;
  seen_pc = context->x[0];
  context->x[0] = context->x[5];
}
static void fault(u64 number, u64 flags, volatile u8 *at) {
  asm volatile("la t0, 2f\n la t1, 1f\n fsflags %2\n fmv.d.x fa0, %1\n fmv.d.x fa1, zero\n li a4, 99\n"
               "frflags a4\n flt.d a5, fa0, fa1\n fsflags a4\n bnez a5, 2f\n fsqrt.d fa2, fa0\n fadd.d fa2, fa2, fa2\n"
               "1: ld a5, 0(%3)\n mv a4, t0\n 2: sd t1, 0(%0)"
               : : "r"(stored), "r"(number), "r"(flags), "r"(at) : "t0", "t1", "a4", "a5", "fa0", "fa1", "fa2", "memory");
}

// Counts down in floating point: the comparison closes the loop.
static u64 countdown(u64 from) {
  u64 n = 0;
  asm volatile("fcvt.d.l fa0, %1\n fmv.d.x fa1, %2\n fmv.d.x fa2, zero\n"
               "1: fsub.d fa0, fa0, fa1\n addi %0, %0, 1\n flt.d a5, fa2, fa0\n bnez a5, 1b\n"
               "add %0, %0, a5" : "+r"(n) : "r"(from), "r"(ONE) : "a5", "fa0", "fa1", "fa2");
  return n;
}
static u64 count_unequal(u64 from) {
  u64 n = 0;
  asm volatile("fcvt.s.l fa0, %1\n fmv.w.x fa1, %2\n fmv.w.x fa2, zero\n"
               "1: fsub.s fa0, fa0, fa1\n addi %0, %0, 1\n feq.s a5, fa2, fa0\n beqz a5, 1b\n"
               "add %0, %0, a5" : "+r"(n) : "r"(from), "r"(ONE_S) : "a5", "fa0", "fa1", "fa2");
  return n;
}

// The flags that an operation raises, alone, and what has accrued with those of the one before.
static u64 raised(const char *what, u64 a, u64 b) {
  u64 flags;
  (void)what;
#define CASE(name, op) if (what[0] == name[0] && what[1] == name[1]) asm volatile("fsflags zero\n fmv.d.x fa0, %1\n fmv.d.x fa1, %2\n" op "\n frflags %0" : "=r"(flags) : "r"(a), "r"(b) : "fa0", "fa1", "fa2", "t0")
  CASE("mul", "fmul.d fa2, fa0, fa1");
  else CASE("div", "fdiv.d fa2, fa0, fa1");
  else CASE("eq", "feq.d t0, fa0, fa1");
  else CASE("long", "fcvt.l.d t0, fa0");
  else CASE("single", "fcvt.s.d fa2, fa0");
  else CASE("fma", "fmadd.d fa2, fa0, fa1, fa0\n fmv.x.d t0, fa2");
  else CASE("all", "fmul.d fa2, fa0, fa1\n fdiv.d fa2, fa2, fa2\n fsflagsi 8\n fadd.d fa2, fa0, fa1");
  else flags = 99;
  return flags;
}
static void flags_each(void) {
  const u64 least = 0x0010000000000000ul, half = 0x3fe0000000000000ul, third = 0x3fd5555555555555ul, most = 0x7feffffffffffffful;
  CHECK(raised("mul", ONE, half), 0);
  CHECK(raised("mul", least, half), 0);  // Tiny and exact.
  CHECK(raised("mul", least, third), UF | NX);
  CHECK(raised("mul", most, most), OF | NX);
  CHECK(raised("mul", third, third), NX);
  CHECK(raised("mul", INF, 0), NV);
  CHECK(raised("div", ONE, 0), DZ);
  CHECK(raised("div", ONE, SNAN), NV);
  CHECK(raised("eq", ONE, QNAN), 0);
  CHECK(raised("eq", ONE, SNAN), NV);
  CHECK(raised("long", third, 0), NX);
  CHECK(raised("long", INF, 0), NV);
  CHECK(raised("single", 0x3690000000000000ul, 0), UF | NX);
  CHECK(raised("single", 0x3700000000000000ul, 0), 0);
  CHECK(raised("fma", INF, 0), NV);
  CHECK(raised("all", least, half), 8 | NX);
}

int main(void) {
  // More often than a translator may rely on flags being raised for the first time.
  for (u64 n = 0; n < 40; n++) flags_each();
  for (u64 n = 1; n < 4; n++) {
    // A NaN from memory keeps its payload, whatever arithmetic did to other registers.
    stored[3] = QNAN;
    doubles(ONE, ONE, SNAN, n);
    CHECK(stored[0], 0x4000000000000000ul + (n == 1 ? 0 : n == 2 ? 0x8000000000000ul : 0x10000000000000ul));
    CHECK(stored[2], n == 1 ? SNAN : QNAN);
    CHECK(flags_of(), 0);
    doubles(QNAN, ONE, ONE, n);
    CHECK(stored[0], NAN_);
    CHECK(stored[1], NAN_);
    CHECK(flags_of(), 0);
    doubles(SNAN, ONE, ONE, n);
    CHECK(stored[0], NAN_);
    CHECK(flags_of(), NV);
    doubles(INF, INF | 1ul << 63, ONE, n);
    CHECK(stored[0], NAN_);
    CHECK(flags_of(), NV);
    // Singles: not boxed at first, and registers that hold anything when the loop begins.
    stored[3] = ONE_S;
    singles(BOX, BOX | ONE_S, SNAN, n);
    CHECK(stored[0], BOX | (n == 1 ? 0x3f800000 : n == 2 ? 0x40000000 : 0x40400000));
    CHECK(stored[2], BOX | ONE_S);
    CHECK(flags_of(), 0);
    singles(BOX, ONE_S, ONE, n);
    CHECK(stored[0], BOX | 0x7fc00000);
    CHECK(stored[1], ONE_S);
    CHECK(flags_of(), 0);
    singles(ONE, BOX | ONE_S, BOX | 0x7f800001, n);
    CHECK(stored[0], BOX | 0x7fc00000);
    CHECK(flags_of(), 0);
    stored[3] = 0x7f800001;
    singles(BOX, BOX | ONE_S, ONE, n);
    CHECK(stored[0], BOX | 0x7fc00000);
    CHECK(stored[2], BOX | 0x7fc00000);
    CHECK(flags_of(), NV);
    for (u64 frm = 0; frm < 5; frm++) CHECK(rounded(frm, n), ONE + 1);
  }

  for (u64 flags = 0; flags < 32; flags++) {
    CHECK(QUIET("flt.d", 0, ONE, flags), 3 | flags << 8);
    CHECK(QUIET("flt.d", ONE, ONE, flags), flags << 8);
    CHECK(QUIET("fle.d", ONE, ONE, flags), 3 | flags << 8);
    CHECK(QUIET("fle.d", INF, ONE, flags), flags << 8);
    CHECK(QUIET("flt.d", QNAN, ONE, flags), flags << 8);
    CHECK(QUIET("fle.d", ONE, SNAN, flags), flags << 8);
    CHECK(QUIET("fle.d", NAN_, NAN_, flags), flags << 8);
    CHECK(QUIET("flt.s", BOX, BOX | ONE_S, flags), 3 | flags << 8);
    CHECK(QUIET("flt.s", BOX, ONE_S, flags), flags << 8);
    CHECK(QUIET("fle.s", BOX | 0x7f800001, BOX | ONE_S, flags), flags << 8);
  }

  on_signal(SIGSEGV, on_fault, 0);
  volatile u8 *page = map(1, 0);
  for (u64 flags = 0; flags < 32; flags++) {
    // 2 has no exact root.
    fault(0x4000000000000000ul, flags, page);
    CHECK(seen_saved, flags);
    CHECK(seen_flags, flags | NX);
    CHECK(seen_pc, stored[0]);
  }
  syscall(SYS_mprotect, page, PAGE, PROT_READ);
  seen_pc = 0;
  fault(0x4000000000000000ul, 0, page);
  CHECK(seen_pc, 0);

  CHECK(countdown(1000), 1000);
  CHECK(countdown(0), 1);
  CHECK(count_unequal(777), 778);
  return finish("fploops");
}
