// Floating point where hosts differ from RISC-V: every rounding mode including RMM, saturating
// conversions, canonical NaNs, NaN-boxing, minimum and maximum, the invalid product in a fused
// multiply-add, flags and rounding modes changed within one block.
#include "guest.h"

static u64 flags_of(void) {
  u64 flags;
  asm volatile("frflags %0" : "=r"(flags));
  return flags;
}
// A double operation on bit patterns: its result; CHECKF also compares the flags it raises.
#define D2(op, a, b) ({ u64 r_; asm volatile("fsflags zero\n fmv.d.x ft0, %1\n fmv.d.x ft1, %2\n " op "\n fmv.x.d %0, ft2" : "=r"(r_) : "r"((u64)(a)), "r"((u64)(b)) : "ft0", "ft1", "ft2"); r_; })
#define S2(op, a, b) ({ u64 r_; asm volatile("fsflags zero\n fmv.w.x ft0, %1\n fmv.w.x ft1, %2\n " op "\n fmv.x.d %0, ft2" : "=r"(r_) : "r"((u64)(a)), "r"((u64)(b)) : "ft0", "ft1", "ft2"); r_; })
#define TO_X(op, a) ({ u64 r_; asm volatile("fsflags zero\n fmv.d.x ft0, %1\n " op : "=r"(r_) : "r"((u64)(a)) : "ft0"); r_; })
#define CHECKF(value, want, flags) do { check(#value, value, want); check("flags of " #value, flags_of(), flags); } while (0)
enum { NX = 1, UF = 2, OF = 4, DZ = 8, NV = 16 };
#define ONE 0x3ff0000000000000ul
#define THREE 0x4008000000000000ul
#define INF 0x7ff0000000000000ul
#define NAN_ 0x7ff8000000000000ul
#define SNAN 0x7ff0000000000001ul
#define QNAN 0xfff8000000001234ul
#define NEG 0x8000000000000000ul
#define BOX 0xffffffff00000000ul

int main(void) {
  // Arithmetic: results and flags; every NaN result is the canonical one.
  CHECKF(D2("fadd.d ft2, ft0, ft1", ONE, ONE), 0x4000000000000000, 0);
  CHECKF(D2("fdiv.d ft2, ft0, ft1", ONE, THREE), 0x3fd5555555555555, NX);
  CHECKF(D2("fdiv.d ft2, ft0, ft1", ONE, 0), INF, DZ);
  CHECKF(D2("fdiv.d ft2, ft0, ft1", 0, 0), NAN_, NV);
  CHECKF(D2("fsub.d ft2, ft0, ft1", INF, INF), NAN_, NV);
  CHECKF(D2("fadd.d ft2, ft0, ft1", QNAN, ONE), NAN_, 0);
  CHECKF(D2("fmul.d ft2, ft0, ft1", ONE, SNAN), NAN_, NV);
  CHECKF(D2("fmul.d ft2, ft0, ft1", 0x7fe0000000000000, 0x7fe0000000000000), INF, OF | NX);
  CHECKF(D2("fmul.d ft2, ft0, ft1", 0x0010000000000001, 0x3fe0000000000000), 0x0008000000000000, UF | NX);
  CHECKF(D2("fmul.d ft2, ft0, ft1", 0x0010000000000000, 0x3fe0000000000000), 0x0008000000000000, 0);
  CHECKF(D2("fsqrt.d ft2, ft0", 0xbff0000000000000, 0), NAN_, NV);
  CHECKF(D2("fsqrt.d ft2, ft0", NEG, 0), NEG, 0);
  // Fused multiply-add: one rounding; infinity times zero is invalid even with a quiet NaN addend.
  CHECKF(D2("fmadd.d ft2, ft0, ft1, ft1", 0x3ff0000000000001, 0x3ff0000000000001), 0x4000000000000002, NX);
  CHECKF(({ u64 r_; asm volatile("fsflags zero\n fmv.d.x ft0, %1\n fmv.d.x ft1, zero\n fmv.d.x ft3, %2\n fmadd.d ft2, ft0, ft1, ft3\n fmv.x.d %0, ft2" : "=r"(r_) : "r"(INF), "r"(QNAN) : "ft0", "ft1", "ft2", "ft3"); r_; }), NAN_, NV);
  CHECKF(D2("fnmsub.d ft2, ft0, ft1, ft0", ONE, ONE), 0, 0);
  CHECKF(D2("fnmadd.d ft2, ft0, ft1, ft0", ONE, ONE), 0xc000000000000000, 0);
  CHECKF(D2("fmsub.d ft2, ft0, ft1, ft0", ONE, ONE), 0, 0);
  // Minimum and maximum: zeros are ordered, a NaN operand loses, a signalling one is invalid.
  CHECKF(D2("fmin.d ft2, ft0, ft1", 0, NEG), NEG, 0);
  CHECKF(D2("fmin.d ft2, ft0, ft1", NEG, 0), NEG, 0);
  CHECKF(D2("fmax.d ft2, ft0, ft1", NEG, 0), 0, 0);
  CHECKF(D2("fmax.d ft2, ft0, ft1", 0, NEG), 0, 0);
  CHECKF(D2("fmin.d ft2, ft0, ft1", QNAN, ONE), ONE, 0);
  CHECKF(D2("fmax.d ft2, ft0, ft1", ONE, QNAN), ONE, 0);
  CHECKF(D2("fmin.d ft2, ft0, ft1", SNAN, ONE), ONE, NV);
  CHECKF(D2("fmax.d ft2, ft0, ft1", QNAN, QNAN), NAN_, 0);
  // Comparisons: feq is quiet, flt and fle are not.
  CHECKF(D2("feq.d t0, ft0, ft1\n fmv.d.x ft2, t0", QNAN, ONE), 0, 0);
  CHECKF(D2("feq.d t0, ft0, ft1\n fmv.d.x ft2, t0", SNAN, ONE), 0, NV);
  CHECKF(D2("flt.d t0, ft0, ft1\n fmv.d.x ft2, t0", QNAN, ONE), 0, NV);
  CHECKF(D2("fle.d t0, ft0, ft1\n fmv.d.x ft2, t0", ONE, ONE), 1, 0);
  CHECKF(D2("flt.d t0, ft0, ft1\n fmv.d.x ft2, t0", NEG, 0), 0, 0);
  // Conversions to integers saturate, NaN to the greatest; the 32-bit results are sign-extended.
  CHECKF(TO_X("fcvt.w.d %0, ft0, rtz", 0x41dfffffffc00000), 0x7fffffff, 0);
  CHECKF(TO_X("fcvt.w.d %0, ft0, rtz", 0x41e0000000000000), 0x7fffffff, NV);
  CHECKF(TO_X("fcvt.w.d %0, ft0, rtz", 0xc1e0000000000000), 0xffffffff80000000, 0);
  CHECKF(TO_X("fcvt.w.d %0, ft0, rtz", 0xc1e0000000100000), 0xffffffff80000000, NX);
  CHECKF(TO_X("fcvt.w.d %0, ft0, rtz", QNAN), 0x7fffffff, NV);
  CHECKF(TO_X("fcvt.wu.d %0, ft0, rtz", QNAN), -1, NV);
  CHECKF(TO_X("fcvt.wu.d %0, ft0, rtz", 0x41effffffff00000), -1, NX);
  CHECKF(TO_X("fcvt.wu.d %0, ft0, rtz", 0x41e0000000000000), 0xffffffff80000000, 0);
  CHECKF(TO_X("fcvt.wu.d %0, ft0, rtz", 0xbfe0000000000000), 0, NX);
  CHECKF(TO_X("fcvt.wu.d %0, ft0, rtz", 0xbff0000000000000), 0, NV);
  CHECKF(TO_X("fcvt.l.d %0, ft0, rtz", INF), 0x7fffffffffffffff, NV);
  CHECKF(TO_X("fcvt.l.d %0, ft0, rtz", 0xc3e0000000000000), 0x8000000000000000, 0);
  CHECKF(TO_X("fcvt.l.d %0, ft0, rtz", 0xfff0000000000000), 0x8000000000000000, NV);
  CHECKF(TO_X("fcvt.lu.d %0, ft0, rtz", 0x43e0000000000000), 0x8000000000000000, 0);
  CHECKF(TO_X("fcvt.lu.d %0, ft0, rtz", 0x43efffffffffffff), 0xfffffffffffff800, 0);
  CHECKF(TO_X("fcvt.lu.d %0, ft0, rtz", 0x43f0000000000000), -1, NV);
  CHECKF(TO_X("fcvt.lu.d %0, ft0, rtz", 0xbff0000000000000), 0, NV);
  // Every rounding mode at the half-way points: RNE, RTZ, RDN, RUP, RMM.
#define ROUND(a, rne, rtz, rdn, rup, rmm) do { \
    CHECK(TO_X("fcvt.l.d %0, ft0, rne", a), rne); CHECK(TO_X("fcvt.l.d %0, ft0, rtz", a), rtz); CHECK(TO_X("fcvt.l.d %0, ft0, rdn", a), rdn); \
    CHECK(TO_X("fcvt.l.d %0, ft0, rup", a), rup); CHECK(TO_X("fcvt.l.d %0, ft0, rmm", a), rmm); CHECK(flags_of(), NX); \
    CHECK(TO_X("fcvt.w.d %0, ft0, rmm", a), rmm); \
    for (u64 mode = 0; mode < 5; mode++) { \
      u64 want_[] = {(u64)(rne), (u64)(rtz), (u64)(rdn), (u64)(rup), (u64)(rmm)}, got_; \
      asm volatile("fsrm %1\n fmv.d.x ft0, %2\n fcvt.l.d %0, ft0, dyn\n fsrm zero" : "=r"(got_) : "r"(mode), "r"((u64)(a)) : "ft0"); \
      check("dyn " #a, got_, want_[mode]); \
    } } while (0)
  ROUND(0x3fe0000000000000, 0, 0, 0, 1, 1);          // 0.5
  ROUND(0x3ff8000000000000, 2, 1, 1, 2, 2);          // 1.5
  ROUND(0x4004000000000000, 2, 2, 2, 3, 3);          // 2.5
  ROUND(0xc004000000000000, -2l, -2l, -3l, -2l, -3l);  // -2.5
  ROUND(0x3fdfffffffffffff, 0, 0, 0, 1, 0);          // just below 0.5
  ROUND(0xbfe8000000000000, -1l, 0, -1l, 0, -1l);      // -0.75
  CHECKF(D2("fcvt.s.d ft2, ft0, rne", 0x3ff0000010000000, 0), BOX | 0x3f800000, NX);
  CHECKF(D2("fcvt.s.d ft2, ft0, rmm", 0x3ff0000010000000, 0), BOX | 0x3f800001, NX);
  CHECKF(D2("fcvt.s.d ft2, ft0, rup", 0x3ff0000000000001, 0), BOX | 0x3f800001, NX);
  CHECKF(D2("fcvt.s.d ft2, ft0, rtz", 0x7fefffffffffffff, 0), BOX | 0x7f7fffff, OF | NX);
  CHECKF(D2("fcvt.s.d ft2, ft0", QNAN, 0), BOX | 0x7fc00000, 0);
  CHECKF(D2("fcvt.d.s ft2, ft0", 0xffffffff7f800001, 0), NAN_, NV);
  CHECKF(D2("fcvt.d.s ft2, ft0", 0xffffffff3fc00000, 0), 0x3ff8000000000000, 0);
  CHECKF(D2("fadd.d ft2, ft0, ft1, rmm", ONE, 0x3ca0000000000000), 0x3ff0000000000001, NX);
  CHECKF(D2("fadd.d ft2, ft0, ft1, rne", ONE, 0x3ca0000000000000), ONE, NX);
  CHECKF(D2("fdiv.d ft2, ft0, ft1, rup", ONE, THREE), 0x3fd5555555555556, NX);
  CHECKF(D2("fadd.d ft2, ft0, ft1, rdn", ONE, 0xbff0000000000000), NEG, 0);
  CHECKF(D2("fsqrt.d ft2, ft0, rup", 0x4000000000000000, 0), 0x3ff6a09e667f3bcd, NX);
  CHECKF(D2("fsqrt.d ft2, ft0, rdn", 0x4000000000000000, 0), 0x3ff6a09e667f3bcc, NX);
  CHECKF(({ u64 r_; asm volatile("fsflags zero\n fcvt.d.l ft0, %1, rup\n fmv.x.d %0, ft0" : "=r"(r_) : "r"(0x20000000000001ul) : "ft0"); r_; }), 0x4340000000000001, NX);
  CHECKF(({ u64 r_; asm volatile("fsflags zero\n fcvt.d.lu ft0, %1\n fmv.x.d %0, ft0" : "=r"(r_) : "r"(-1l) : "ft0"); r_; }), 0x43f0000000000000, NX);
  CHECKF(({ u64 r_; asm volatile("fsflags zero\n fcvt.s.lu ft0, %1, rtz\n fmv.x.d %0, ft0" : "=r"(r_) : "r"(-1l) : "ft0"); r_; }), BOX | 0x5f7fffff, NX);
  CHECKF(({ u64 r_; asm volatile("fsflags zero\n fcvt.s.wu ft0, %1\n fmv.x.w %0, ft0" : "=r"(r_) : "r"(0xffffffff80000001) : "ft0"); r_; }), 0x4f000000, NX);
  // NaN-boxing: a single whose upper half is not all ones reads as the canonical NaN.
  CHECKF(D2("fadd.s ft2, ft0, ft1", 0x3f800000, BOX | 0x3f800000), BOX | 0x7fc00000, 0);
  CHECKF(D2("fsgnj.s ft2, ft0, ft0", 0x3f800000, 0), BOX | 0x7fc00000, 0);
  CHECKF(D2("fmv.x.w t0, ft0\n fmv.d.x ft2, t0", 0x12345678bf800000, 0), 0xffffffffbf800000, 0);
  CHECKF(D2("feq.s t0, ft0, ft0\n fmv.d.x ft2, t0", 0x3f800000, 0), 0, 0);
  CHECKF(D2("fclass.s t0, ft0\n fmv.d.x ft2, t0", 0x3f800000, 0), 0x200, 0);
  CHECKF(D2("fcvt.w.s t0, ft0\n fmv.d.x ft2, t0", 0x3f800000, 0), 0x7fffffff, NV);
  CHECKF(D2("fsd ft0, -8(sp)\n flw ft2, -8(sp)", 0x123456783f800000, 0), BOX | 0x3f800000, 0);
  CHECKF(D2("fsw ft0, -8(sp)\n lw t0, -8(sp)\n fmv.d.x ft2, t0", 0x123456783f800000, 0), 0x3f800000, 0);
  CHECKF(S2("fmul.s ft2, ft0, ft1", 0x7f7fffff, 0x40000000), BOX | 0x7f800000, OF | NX);
  CHECKF(S2("fmul.s ft2, ft0, ft1", 0x00800000, 0x3f000000), BOX | 0x00400000, 0);
  CHECKF(S2("fmul.s ft2, ft0, ft1", 0x00800001, 0x3f000000), BOX | 0x00400000, UF | NX);
  CHECKF(S2("fmul.s ft2, ft0, ft1", 0x3f7fffff, 0x00800000), BOX | 0x00800000, UF | NX);
  CHECKF(S2("fmin.s ft2, ft0, ft1", 0x80000000, 0), BOX | 0x80000000, 0);
  CHECKF(S2("fsgnjn.s ft2, ft0, ft1", 0x3f800000, 0), BOX | 0xbf800000, 0);
  CHECKF(S2("fsgnjx.s ft2, ft0, ft1", 0xbf800000, 0x80000000), BOX | 0x3f800000, 0);
  CHECKF(S2("fmadd.s ft2, ft0, ft1, ft0", 0x7f800000, 0), BOX | 0x7fc00000, NV);
  // Classes.
  static const u64 classes[][2] = {{0xfff0000000000000, 1}, {0xbff0000000000000, 2}, {0x8000000000000001, 4}, {NEG, 8}, {0, 16},
                                   {1, 32}, {ONE, 64}, {INF, 128}, {SNAN, 256}, {QNAN, 512}};
  for (int i = 0; i < 10; i++) CHECK(TO_X("fclass.d %0, ft0", classes[i][0]), classes[i][1]);
  // Flags and rounding mode written and used within one block.
  u64 a, b, c, d;
  asm volatile("fmv.d.x ft0, %4\n fmv.d.x ft1, %5\n fsflags zero\n fsrmi 3\n fdiv.d ft2, ft0, ft1\n frflags %0\n fsrmi 2\n fdiv.d ft3, ft0, ft1\n fsflagsi 16\n frcsr %1\n fsrmi 0\n fmv.x.d %2, ft2\n fmv.x.d %3, ft3"
               : "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d) : "r"(ONE), "r"(THREE) : "ft0", "ft1", "ft2", "ft3");
  CHECK(a, NX);
  CHECK(b, 2 << 5 | NV);
  CHECK(c, 0x3fd5555555555556);
  CHECK(d, 0x3fd5555555555555);
  asm volatile("fsflags zero\n fdiv.d ft2, %2, %3\n csrrc %0, fflags, %4\n frflags %1" : "=&r"(a), "=&r"(b) : "f"(1.0), "f"(3.0), "r"(1ul) : "ft2");
  CHECK(a, NX);
  CHECK(b, 0);
  asm volatile("fscsr zero");
  return finish("fp");
}
