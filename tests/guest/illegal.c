// Encodings that are illegal, reserved or not for user mode: each is one SIGILL at its own address.
#include "guest.h"

static volatile u64 hits, at, code, address;
static volatile u64 size;
static void on_illegal(int signal, struct siginfo *info, struct ucontext *context) {
  hits += signal == SIGILL;
  at = context->x[0];
  address = info->addr;
  code = (u64)info->code;
  context->x[0] += size;
}
#define ILLEGAL(bytes, text) do { \
    u64 pc_; \
    hits = 0; \
    size = bytes; \
    asm volatile("la %0, 1f\n .option push\n .option norelax\n 1: " text "\n .option pop" : "=r"(pc_) : : "t0", "t1", "ra", "memory"); \
    check(text " raises SIGILL", hits, 1); \
    check(text " pc", at, pc_); \
    check(text " si_addr", address, pc_); \
    check(text " si_code", code, 1); \
  } while (0)

int main(void) {
  on_signal(SIGILL, on_illegal, 0);
  for (int i = 0; i < 3; i++) {
    ILLEGAL(2, ".half 0");                       // Defined to be illegal.
    ILLEGAL(4, ".word 0xffffffff");
    ILLEGAL(2, ".half 0x0004");                  // c.addi4spn with a zero immediate.
    ILLEGAL(2, ".half 0x6101");                  // c.addi16sp with a zero immediate.
    ILLEGAL(2, ".half 0x4002");                  // c.lwsp to x0.
    ILLEGAL(2, ".half 0x6002");                  // c.ldsp to x0.
    ILLEGAL(2, ".half 0x2001");                  // c.addiw to x0.
    ILLEGAL(2, ".half 0x8002");                  // c.jr x0.
    ILLEGAL(2, ".half 0x9000");                  // Reserved in quadrant 0, by Zcb too.
    ILLEGAL(4, ".word 0x0000003b | 3 << 12");    // No OP-32 with funct3 3.
    ILLEGAL(4, ".word 0x00007003");              // A load of funct3 7.
    ILLEGAL(4, ".word 0x00004023");              // A store of funct3 4.
    ILLEGAL(4, ".word 0x00002063");              // A branch of funct3 2.
    ILLEGAL(4, ".word 0x00001067");              // jalr of funct3 1.
    ILLEGAL(4, ".word 0x04001013");              // slli with bit 26.
    ILLEGAL(4, ".word 0x1000202f | 1 << 20");    // lr.w with a non-zero rs2.
    ILLEGAL(4, ".word 0x0000502f");              // An AMO of no width.
    ILLEGAL(4, ".word 0x02000053 | 5 << 12");    // fadd.d with the reserved rounding mode 5.
    ILLEGAL(4, ".word 0x06007053");              // A float format that is not enabled.
    ILLEGAL(4, ".word 0x30200073");              // mret.
    ILLEGAL(4, ".word 0x10200073");              // sret.
    ILLEGAL(4, ".word 0x12000073");              // sfence.vma.
    ILLEGAL(4, "csrr t0, mstatus");
    ILLEGAL(4, "csrr t0, satp");
    ILLEGAL(4, "csrw cycle, t0");                // Read-only.
    ILLEGAL(4, "csrrwi zero, 0x800, 0");         // Not there.
    ILLEGAL(4, "csrr t0, 0x123");
  }
  // A reserved dynamic rounding mode is illegal for what rounds, and only for that.
  asm volatile("fsrmi 5");
  ILLEGAL(4, "fadd.d ft0, ft0, ft0, dyn");
  ILLEGAL(4, "fcvt.w.d t0, ft0, dyn");
  ILLEGAL(4, "fsqrt.s ft0, ft0, dyn");
  hits = 0;
  asm volatile("fadd.d ft0, ft0, ft0, rne\n fmin.d ft0, ft0, ft0\n feq.d t0, ft0, ft0\n fsgnj.d ft0, ft0, ft0\n fmv.x.d t0, ft0\n fsrmi 0" : : : "t0", "ft0");
  CHECK(hits, 0);
  return finish("illegal");
}
