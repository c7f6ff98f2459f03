// Division and multiplication at their edges: zero divisors, overflow, the high half, and the
// 32-bit forms, whose results are sign-extended. RISC-V unprivileged manual, chapter M.
#include "guest.h"

#define OP(op, a, b) ({ u64 r_; asm volatile(op " %0, %1, %2" : "=r"(r_) : "r"((u64)(a)), "r"((u64)(b))); r_; })
#define MIN64 0x8000000000000000ul
#define MIN32 0x80000000ul

int main(void) {
  CHECK(OP("div", 7, 0), -1);
  CHECK(OP("divu", 7, 0), -1);
  CHECK(OP("rem", -7l, 0), -7l);
  CHECK(OP("remu", 7, 0), 7);
  CHECK(OP("div", MIN64, -1), MIN64);
  CHECK(OP("rem", MIN64, -1), 0);
  CHECK(OP("div", -7l, 2), -3l);
  CHECK(OP("rem", -7l, 2), -1l);
  CHECK(OP("div", 7, -2l), -3l);
  CHECK(OP("rem", 7, -2l), 1);
  CHECK(OP("divu", -1, 2), 0x7fffffffffffffff);
  CHECK(OP("remu", -1, 10), 5);
  CHECK(OP("divw", 7, 0), -1);
  CHECK(OP("divuw", 7, 0), -1);
  CHECK(OP("remw", 0xffffffff80000007, 0), 0xffffffff80000007);
  CHECK(OP("remuw", 0x80000007, 0), 0xffffffff80000007);
  CHECK(OP("divw", MIN32, -1), 0xffffffff80000000);
  CHECK(OP("remw", MIN32, -1), 0);
  CHECK(OP("divw", 0x123456780000000a, 0xffffffff00000003), 3);
  CHECK(OP("divuw", 0xfffffffe, 1), 0xfffffffffffffffe);
  CHECK(OP("remuw", 0xfffffffe, 0xffffffff), 0xfffffffffffffffe);
  CHECK(OP("divuw", 0xdeadbeef00000064, 0xdeadbeef0000000a), 10);
  CHECK(OP("mulh", MIN64, MIN64), 0x4000000000000000);
  CHECK(OP("mulh", -1, -1), 0);
  CHECK(OP("mulh", -1, 1), -1);
  CHECK(OP("mulhu", -1, -1), 0xfffffffffffffffe);
  CHECK(OP("mulhsu", -1, -1), -1);
  CHECK(OP("mulhsu", -1, 1), -1);
  CHECK(OP("mulhsu", MIN64, -1), 0x8000000000000000);
  CHECK(OP("mulhsu", 1, -1), 0);
  CHECK(OP("mulhsu", 2, -1), 1);
  CHECK(OP("mulw", 0x7fffffff, 0x7fffffff), 1);
  CHECK(OP("mulw", 0x10000, 0x8000), 0xffffffff80000000);
  CHECK(OP("sraw", 0xffffffff80000000, 63), -1);
  CHECK(OP("sraw", 0x80000000, 33), 0xffffffffc0000000);
  CHECK(OP("srlw", 0xffffffff80000000, 32), 0xffffffff80000000);
  CHECK(OP("srlw", 0xffffffff80000000, 1), 0x40000000);
  CHECK(OP("sllw", 1, 31), 0xffffffff80000000);
  CHECK(OP("sllw", 1, 32), 1);
  CHECK(OP("sra", MIN64, 127), -1);
  CHECK(OP("srl", MIN64, 64), MIN64);
  CHECK(OP("sll", 1, 65), 2);
  CHECK(OP("addw", 0x7fffffff, 1), 0xffffffff80000000);
  CHECK(OP("subw", MIN32, 1), 0x7fffffff);
  u64 r;
  asm volatile("sraiw %0, %1, 31" : "=r"(r) : "r"(0xffffffff80000000));
  CHECK(r, -1);
  asm volatile("srliw %0, %1, 31" : "=r"(r) : "r"(0xffffffff80000000));
  CHECK(r, 1);
  asm volatile("srai %0, %1, 63" : "=r"(r) : "r"(MIN64));
  CHECK(r, -1);
  // Source and destination the same register, and the quotient and remainder pair.
  u64 q = 1000003;
  asm volatile("div %0, %0, %1\n\tmul %0, %0, %1" : "+r"(q) : "r"(1000ul));
  CHECK(q, 1000000);
  asm volatile("li t0, 17\n\tli t1, 5\n\tdiv t2, t0, t1\n\trem t0, t0, t1\n\tslli t2, t2, 8\n\tor %0, t2, t0" : "=r"(r) : : "t0", "t1", "t2");
  CHECK(r, 0x302);
  asm volatile("li t0, -5\n\tmulh t0, t0, t0\n\tmv %0, t0" : "=r"(r) : : "t0");
  CHECK(r, 0);
  asm volatile("div zero, %1, %1\n\tmv %0, zero" : "=r"(r) : "r"(3ul));
  CHECK(r, 0);
  return finish("muldiv");
}
