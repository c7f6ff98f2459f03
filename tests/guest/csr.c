// Control and status registers a user program sees: counters that advance, the views of fcsr,
// reads and writes through every CSR instruction, x0 on either side.
#include "guest.h"

#define READ(name) ({ u64 r_; asm volatile("csrr %0, " name : "=r"(r_)); r_; })

int main(void) {
  u64 cycles = READ("cycle"), instructions = READ("instret"), time = READ("time");
  for (volatile u64 i = 0; i < 200000; i++) continue;
  CHECK(READ("cycle") > cycles, 1);
  CHECK(READ("instret") > instructions, 1);
  u64 wait[2] = {0, 2000000};
  syscall(SYS_nanosleep, wait, 0);
  CHECK(READ("time") > time, 1);
  u64 a, b, c;
  asm volatile("li t0, 0xff\n fscsr t0\n frcsr %0\n frflags %1\n frrm %2" : "=&r"(a), "=&r"(b), "=&r"(c) : : "t0");
  CHECK(a, 0xff);
  CHECK(b, 0x1f);
  CHECK(c, 7);
  asm volatile("li t0, -1\n csrw fcsr, t0\n csrr %0, fcsr\n csrwi fflags, 0\n csrr %1, fcsr\n csrwi frm, 2\n csrr %2, fcsr" : "=&r"(a), "=&r"(b), "=&r"(c) : : "t0");
  CHECK(a, 0xff);
  CHECK(b, 0xe0);
  CHECK(c, 0x40);
  asm volatile("csrrw %0, fflags, %3\n csrrs %1, fflags, %4\n csrrc %2, fflags, %3" : "=&r"(a), "=&r"(b), "=&r"(c) : "r"(5ul), "r"(10ul));
  CHECK(a, 0);
  CHECK(b, 5);
  CHECK(c, 15);
  CHECK(READ("fflags"), 10);
  asm volatile("csrrwi %0, frm, 1\n csrrsi %1, frm, 4\n csrrci %2, frm, 1" : "=&r"(a), "=&r"(b), "=&r"(c));
  CHECK(a, 2);
  CHECK(b, 1);
  CHECK(c, 5);
  CHECK(READ("frm"), 4);
  // The source is the destination; x0 as source only reads, as destination only writes.
  asm volatile("li %0, 3\n csrrw %0, fflags, %0\n csrr %1, fflags\n csrrs %2, fflags, zero" : "=&r"(a), "=&r"(b), "=&r"(c));
  CHECK(a, 10);
  CHECK(b, 3);
  CHECK(c, 3);
  asm volatile("csrrw zero, fflags, zero\n csrrsi zero, fflags, 9\n csrrci %0, fflags, 0\n csrrs zero, fflags, zero" : "=&r"(a));
  CHECK(a, 9);
  asm volatile("csrr zero, cycle\n csrrs zero, time, zero\n csrrci zero, instret, 0\n mv %0, zero" : "=r"(a));
  CHECK(a, 0);
  // Flags stick until they are cleared.
  asm volatile("fscsr zero\n fdiv.d ft0, %1, %2\n fadd.d ft0, %1, %1\n frflags %0\n fscsr zero" : "=r"(a) : "f"(1.0), "f"(0.0) : "ft0");
  CHECK(a, 8);
  return finish("csr");
}
