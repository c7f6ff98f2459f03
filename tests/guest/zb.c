// Bit manipulation (Zba, Zbb, Zbs): every instruction, its 32-bit form and its edges.
#include "guest.h"

#define OP(op, a, b) ({ u64 r_; asm volatile(op " %0, %1, %2" : "=r"(r_) : "r"((u64)(a)), "r"((u64)(b))); r_; })
#define UN(op, a) ({ u64 r_; asm volatile(op " %0, %1" : "=r"(r_) : "r"((u64)(a))); r_; })
#define IM(op, a, n) ({ u64 r_; asm volatile(op " %0, %1, " #n : "=r"(r_) : "r"((u64)(a))); r_; })

int main(void) {
  CHECK(OP("add.uw", 0xffffffff00000001, 5), 6);
  CHECK(OP("sh1add", 3, 5), 11);
  CHECK(OP("sh2add", 3, 5), 17);
  CHECK(OP("sh3add", 3, 5), 29);
  CHECK(OP("sh1add.uw", 0xffffffff80000000, 1), 0x100000001);
  CHECK(OP("sh2add.uw", 0xffffffff80000000, 1), 0x200000001);
  CHECK(OP("sh3add.uw", 0xffffffff80000000, 1), 0x400000001);
  CHECK(IM("slli.uw", 0xffffffff80000001, 4), 0x800000010);
  CHECK(IM("slli.uw", 0xffffffff80000001, 33), 0x0000000200000000);
  CHECK(OP("andn", 0xff, 0x0f), 0xf0);
  CHECK(OP("orn", 0x0f, -1), 0x0f);
  CHECK(OP("xnor", 0x5, 0x3), ~0x6ul);
  CHECK(UN("clz", 0), 64);
  CHECK(UN("clz", 1), 63);
  CHECK(UN("clzw", 0xffffffff00000000), 32);
  CHECK(UN("clzw", 0x80000000), 0);
  CHECK(UN("ctz", 0), 64);
  CHECK(UN("ctz", 0x100), 8);
  CHECK(UN("ctzw", 0xffffffff00000000), 32);
  CHECK(UN("cpop", -1), 64);
  CHECK(UN("cpopw", 0xfffffffff000000f), 8);
  CHECK(OP("max", -1, 1), 1);
  CHECK(OP("maxu", -1, 1), -1);
  CHECK(OP("min", -1, 1), -1);
  CHECK(OP("minu", -1, 1), 1);
  CHECK(UN("sext.b", 0x180), 0xffffffffffffff80);
  CHECK(UN("sext.h", 0x18000), 0xffffffffffff8000);
  CHECK(UN("zext.h", -1), 0xffff);
  CHECK(OP("rol", 0x8000000000000001, 1), 3);
  CHECK(OP("rol", 1, 127), 0x8000000000000000);
  CHECK(OP("ror", 3, 1), 0x8000000000000001);
  CHECK(OP("rolw", 0x80000001, 1), 3);
  CHECK(OP("rolw", 0x40000000, 33), 0xffffffff80000000);
  CHECK(OP("rorw", 1, 1), 0xffffffff80000000);
  CHECK(OP("rorw", 0xffffffff00000002, 32), 2);
  CHECK(IM("rori", 1, 63), 2);
  CHECK(IM("roriw", 1, 31), 2);
  CHECK(UN("orc.b", 0x0100800000ff0010), 0xff00ff0000ff00ff);
  CHECK(UN("rev8", 0x0102030405060708), 0x0807060504030201);
  CHECK(OP("bclr", -1, 64), -2l);
  CHECK(OP("bext", 0x10, 68), 1);
  CHECK(OP("binv", 0, 63), 0x8000000000000000);
  CHECK(OP("bset", 0, 31), 0x80000000);
  CHECK(IM("bclri", -1, 63), 0x7fffffffffffffff);
  CHECK(IM("bexti", 0x8000000000000000, 63), 1);
  CHECK(IM("binvi", 1, 0), 0);
  CHECK(IM("bseti", 0, 40), 0x10000000000);
  return finish("zb");
}
