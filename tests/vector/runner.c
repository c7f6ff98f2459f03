// Reads states and instructions from standard input, executes each, writes the states after it: see `run`.
// The layout of a state is that of `STATE` in generate.py.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
struct state { uint64_t vtype, vl, vstart, vcsr, fcsr, x[32], f[32]; uint8_t v[32*64]; uint8_t mem[8192]; uint64_t exit; uint32_t word, pad; };
static struct state s;
static volatile uint64_t died;
static unsigned long vlenb;
#define DATA 0x20000000ul
static uint32_t *code;
extern void enter(struct state *, void *code);
extern char back[];
static uint64_t fault_addr;
static void handler(int sig, siginfo_t *i, void *p) { ucontext_t *u = p; died = sig; fault_addr = (uint64_t)i->si_addr; u->uc_mcontext.__gregs[0] = (unsigned long)back; }
asm(".text\n.option push\n.option arch,+v\n.globl enter\nenter:\n"
"addi sp,sp,-256\n sd ra,0(sp)\n sd s0,8(sp)\n sd s1,16(sp)\n sd s2,24(sp)\n sd s3,32(sp)\n sd s4,40(sp)\n sd s5,48(sp)\n sd s6,56(sp)\n sd s7,64(sp)\n sd s8,72(sp)\n sd s9,80(sp)\n sd s10,88(sp)\n sd s11,96(sp)\n sd gp,104(sp)\n sd tp,112(sp)\n"
"fsd fs0,120(sp)\n fsd fs1,128(sp)\n fsd fs2,136(sp)\n fsd fs3,144(sp)\n fsd fs4,152(sp)\n fsd fs5,160(sp)\n fsd fs6,168(sp)\n fsd fs7,176(sp)\n fsd fs8,184(sp)\n fsd fs9,192(sp)\n fsd fs10,200(sp)\n fsd fs11,208(sp)\n"
"la t0, saved\n sd sp,0(t0)\n sd a0,8(t0)\n sd a1,16(t0)\n"
// vector registers
"addi t1,a0,552\n csrr t2,vlenb\n slli t2,t2,3\n vsetvli x0,x0,e8,m1,ta,ma\n"
"vl8re8.v v0,(t1)\n add t1,t1,t2\n vl8re8.v v8,(t1)\n add t1,t1,t2\n vl8re8.v v16,(t1)\n add t1,t1,t2\n vl8re8.v v24,(t1)\n"
"ld t1,0(a0)\n ld t2,8(a0)\n vsetvl x0,t2,t1\n ld t1,24(a0)\n csrw vcsr,t1\n ld t1,32(a0)\n fscsr t1\n"
"ld t1,16(a0)\n csrw vstart,t1\n"
#define LF(n) "fld f" #n ",(296+8*" #n ")(a0)\n"
LF(0) LF(1) LF(2) LF(3) LF(4) LF(5) LF(6) LF(7) LF(8) LF(9) LF(10) LF(11) LF(12) LF(13) LF(14) LF(15) LF(16) LF(17) LF(18) LF(19) LF(20) LF(21) LF(22) LF(23) LF(24) LF(25) LF(26) LF(27) LF(28) LF(29) LF(30) LF(31)
#define LX(n) "ld x" #n ",(40+8*" #n ")(a0)\n"
LX(1) LX(2) LX(5) LX(6) LX(7) LX(8) LX(9) LX(12) LX(13) LX(14) LX(15) LX(16) LX(17) LX(18) LX(19) LX(20) LX(21) LX(22) LX(23) LX(24) LX(25) LX(26) LX(27) LX(28) LX(29) LX(30)
"mv x31,a1\n" LX(11) LX(10) "jr x31\n"
".globl back\nback:\n la x31,saved\n sd a0,24(x31)\n sd a1,32(x31)\n ld a0,8(x31)\n"
#define SX(n) "sd x" #n ",(40+8*" #n ")(a0)\n"
SX(1) SX(2) SX(5) SX(6) SX(7) SX(8) SX(9) SX(12) SX(13) SX(14) SX(15) SX(16) SX(17) SX(18) SX(19) SX(20) SX(21) SX(22) SX(23) SX(24) SX(25) SX(26) SX(27) SX(28) SX(29) SX(30)
"ld t1,24(x31)\n sd t1,120(a0)\n ld t1,32(x31)\n sd t1,128(a0)\n"
#define SF(n) "fsd f" #n ",(296+8*" #n ")(a0)\n"
SF(0) SF(1) SF(2) SF(3) SF(4) SF(5) SF(6) SF(7) SF(8) SF(9) SF(10) SF(11) SF(12) SF(13) SF(14) SF(15) SF(16) SF(17) SF(18) SF(19) SF(20) SF(21) SF(22) SF(23) SF(24) SF(25) SF(26) SF(27) SF(28) SF(29) SF(30) SF(31)
"csrr t1,vtype\n sd t1,0(a0)\n csrr t1,vl\n sd t1,8(a0)\n csrr t1,vstart\n sd t1,16(a0)\n csrr t1,vcsr\n sd t1,24(a0)\n frcsr t1\n sd t1,32(a0)\n csrw vstart,zero\n"
"addi t1,a0,552\n csrr t2,vlenb\n slli t2,t2,3\n vsetvli x0,x0,e8,m1,ta,ma\n"
"vs8r.v v0,(t1)\n add t1,t1,t2\n vs8r.v v8,(t1)\n add t1,t1,t2\n vs8r.v v16,(t1)\n add t1,t1,t2\n vs8r.v v24,(t1)\n"
"fscsr zero\n ld sp,0(x31)\n"
"ld ra,0(sp)\n ld s0,8(sp)\n ld s1,16(sp)\n ld s2,24(sp)\n ld s3,32(sp)\n ld s4,40(sp)\n ld s5,48(sp)\n ld s6,56(sp)\n ld s7,64(sp)\n ld s8,72(sp)\n ld s9,80(sp)\n ld s10,88(sp)\n ld s11,96(sp)\n"
"fld fs0,120(sp)\n fld fs1,128(sp)\n fld fs2,136(sp)\n fld fs3,144(sp)\n fld fs4,152(sp)\n fld fs5,160(sp)\n fld fs6,168(sp)\n fld fs7,176(sp)\n fld fs8,184(sp)\n fld fs9,192(sp)\n fld fs10,200(sp)\n fld fs11,208(sp)\n addi sp,sp,256\n ret\n"
".pushsection .bss\n.balign 8\nsaved: .space 64\n.popsection\n.option pop\n");
int main(void) {
  struct sigaction a = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO|SA_ONSTACK|SA_NODEFER };
  static char stack[65536]; stack_t st = { .ss_sp = stack, .ss_size = sizeof stack }; sigaltstack(&st, 0);
  sigaction(SIGILL, &a, 0); sigaction(SIGSEGV, &a, 0);
  asm volatile(".option push\n.option arch,+v\ncsrr %0,vlenb\n.option pop" : "=r"(vlenb));
  char *m = mmap((void*)(DATA-4096), 8192+8192, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0);
  mprotect((void*)DATA, 8192, PROT_READ|PROT_WRITE); (void)m;
  code = mmap((void*)0x30000000, 4096*64, PROT_READ|PROT_WRITE|PROT_EXEC, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED, -1, 0);
  uint32_t *p = code;
  for (;;) {
    size_t n = fread(&s, 1, sizeof s, stdin);
    if (n != sizeof s) break;
    if ((char*)p - (char*)code > 4096*63) { p = code; }
    uint32_t *start = p;
    *p++ = s.word;
    int64_t off = (int64_t)back - (int64_t)p;
    int32_t hi = (off + 0x800) >> 12, lo = off - ((int64_t)hi << 12);
    *p++ = 0x00000f97 | (uint32_t)hi << 12;
    *p++ = 0x000f8067 | (uint32_t)lo << 20;
    __builtin___clear_cache((char*)start, (char*)p);
    memcpy((void*)DATA, s.mem, 8192);
    died = 0; fault_addr = 0;
    enter(&s, start);
    s.exit = died | fault_addr << 8 * (died == SIGSEGV);
    if (died == SIGILL) s.exit = SIGILL;
    memcpy(s.mem, (void*)DATA, 8192);
    fwrite(&s, 1, sizeof s, stdout);
  }
  fflush(stdout);
  return 0;
}
