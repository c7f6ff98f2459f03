// What a handler changes in its context holds after it returns: pc, integer and floating-point
// registers, fcsr. What it uses itself does not leak. NaN-boxing survives the frame.
#include "guest.h"

static volatile u64 seen_pc, seen_f[3], seen_fcsr, runs;

static void on_trap(int signal, struct siginfo *info, struct ucontext *context) {
  (void)signal;
  (void)info;
  runs++;
  seen_pc = context->x[0];
  seen_f[0] = context->f[10];
  seen_f[1] = context->f[11];
  seen_fcsr = context->fcsr;
  // Clobber everything a handler may clobber, and the flags and rounding mode too.
  asm volatile("li t0, -1\n li t1, -1\n li t2, -1\n li a1, -1\n li a2, -1\n li t6, -1\n fmv.d.x fa0, t0\n fmv.d.x ft0, t0\n fmv.d.x fa1, t0\n li t0, 0xff\n fscsr t0"
               : : : "t0", "t1", "t2", "t6", "a1", "a2", "fa0", "fa1", "ft0");
  context->x[0] += (*(u16 *)context->x[0] & 3) == 3 ? 4 : 2;
  context->x[12] = 0xabcdef;         // a2
  context->f[12] = 0x400921fb54442d18;  // fa2
  context->fcsr = context->fcsr | 0x01;
}

int main(void) {
  on_signal(SIGTRAP, on_trap, 0);
  on_signal(SIGILL, on_trap, 0);
  u64 pc, a1, a2, f0, f1, f2, t6, fcsr;
#define STOP(text) \
  asm volatile("li a1, 0x11\n li a2, 0x22\n li t6, 0x66\n li t0, 0x3f800000\n fmv.w.x fa0, t0\n li t0, 0x7ff0123456789abc\n fmv.d.x fa1, t0\n fmv.d.x fa2, zero\n" \
               "li t0, 0x42\n fscsr t0\n la %0, 1f\n .option push\n .option norvc\n 1: " text "\n .option pop\n frcsr %6\n fmv.x.d %3, fa0\n fmv.x.d %4, fa1\n fmv.x.d %5, fa2\n mv %1, a1\n mv %2, a2\n mv %7, t6" \
               : "=&r"(pc), "=&r"(a1), "=&r"(a2), "=&r"(f0), "=&r"(f1), "=&r"(f2), "=&r"(fcsr), "=&r"(t6) : : "t0", "t6", "a1", "a2", "fa0", "fa1", "fa2", "memory"); \
  check(text " pc", seen_pc, pc); \
  check(text " a1", a1, 0x11); \
  check(text " a2", a2, 0xabcdef); \
  check(text " t6", t6, 0x66); \
  check(text " fa0 seen", seen_f[0], 0xffffffff3f800000); \
  check(text " fa1 seen", seen_f[1], 0x7ff0123456789abc); \
  check(text " fa0", f0, 0xffffffff3f800000); \
  check(text " fa1", f1, 0x7ff0123456789abc); \
  check(text " fa2", f2, 0x400921fb54442d18); \
  check(text " fcsr seen", seen_fcsr, 0x42); \
  check(text " fcsr", fcsr, 0x43)
  STOP("ebreak");
  STOP(".option rvc\n c.ebreak");
  STOP(".word 0xffffffff");
  STOP("csrw 0x7c0, zero");
  CHECK(runs, 4);
  asm volatile("fscsr zero");
  // A handler that jumps elsewhere: out of an endless loop.
  asm volatile("1: ebreak\n ebreak\n" : : : "a2", "fa2");
  CHECK(runs, 6);
  return finish("sigreturn");
}
