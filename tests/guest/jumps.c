// Jumps that translators get wrong: jalr with rd equal to rs1, an odd target, links of compressed
// jumps, every link register, auipc at a half-word address, a jump into the middle of an
// instruction, and jumps by way of memory.
#include "guest.h"

#define RUN(text) ({ u64 r_; asm volatile(".option push\n.option norelax\n" text "\n.option pop" : "=r"(r_) : : "t0", "t1", "t2", "t3", "a0", "a1", "ra", "memory"); r_; })

int main(void) {
  // rd == rs1: the target is read before the link is written.
  CHECK(RUN("la t0, 1f\n jalr t0, 0(t0)\n 2: li %0, 0\n j 3f\n 1: la t1, 2b\n sub %0, t0, t1\n addi %0, %0, 7\n 3:"), 7);
  CHECK(RUN("la ra, 1f\n jalr ra, 0(ra)\n 2: li %0, 0\n j 3f\n 1: la t1, 2b\n sub %0, ra, t1\n addi %0, %0, 8\n 3:"), 8);
  // Bit 0 of the sum is cleared.
  CHECK(RUN("la t0, 1f\n jalr t1, 1(t0)\n li %0, 0\n j 3f\n 1: li %0, 9\n 3:"), 9);
  CHECK(RUN("la t0, 1f\n addi t0, t0, 3\n jalr zero, -2(t0)\n li %0, 0\n j 3f\n 1: li %0, 10\n 3:"), 10);
  // Compressed calls link two bytes on.
  CHECK(RUN("la t0, 1f\n .option rvc\n c.jalr t0\n 2: li %0, 0\n j 3f\n 1: la t1, 2b\n sub %0, ra, t1\n addi %0, %0, 11\n 3:"), 11);
  CHECK(RUN(".option rvc\n la t0, 1f\n c.jr t0\n li %0, 0\n j 3f\n 1: li %0, 12\n 3:"), 12);
  // Any register can link.
  CHECK(RUN("jal t3, 1f\n 2: li %0, 0\n j 3f\n 1: la t1, 2b\n sub %0, t3, t1\n addi %0, %0, 13\n 3:"), 13);
  CHECK(RUN("li %0, 0\n jal t0, 1f\n addi %0, %0, 1\n j 3f\n 1: addi %0, %0, 13\n jr t0\n 3:"), 14);
  // A call through t0 that swaps with ra: a coroutine jump.
  CHECK(RUN("li %0, 1\n la t0, 1f\n jalr ra, 0(t0)\n add %0, %0, %0\n jalr t0, 0(ra)\n j 3f\n 1: addi %0, %0, 4\n mv t2, ra\n la ra, 2f\n jr t2\n 2: addi %0, %0, 5\n 3:"), 15);
  // auipc at an address that is two modulo four.
  CHECK(RUN("j 5f\n .balign 4\n 5:\n .option rvc\n c.nop\n 1: auipc t0, 0\n la t1, 1b\n sub %0, t0, t1"), 0);
  CHECK(RUN("j 5f\n .balign 4\n 5:\n .option rvc\n c.nop\n jal t0, 1f\n 1: la t1, 1b\n sub %0, t0, t1"), 0);
  // lui with the upper half-word of another instruction inside: `addi t1, zero, 0x45` (c.li a0, 17
  // in its upper half) decoded from both ends.
  CHECK(RUN(".option rvc\n li a0, 0\n la t0, 1f + 2\n jr t0\n 1: .word 0x45450337\n mv %0, a0\n"), 17);
  CHECK(RUN(".option rvc\n li a0, 3\n li t1, 0\n li t2, 2\n la t0, 1f\n 0: jr t0\n 1: .word 0x45450337\n add a0, a0, t1\n la t0, 1b + 2\n addi t2, t2, -1\n bnez t2, 0b\n srli %0, t1, 12\n"), 0x45450);
  // A branch whose condition register is also the link of a jump before it.
  CHECK(RUN("li %0, 0\n li t0, 0\n jal t0, 1f\n 1: beqz t0, 2f\n addi %0, %0, 16\n 2:"), 16);
  // A taken branch of every condition over its own extreme.
  CHECK(RUN("li t0, -1\n li t1, 1\n li %0, 0\n blt t0, t1, 1f\n j 9f\n 1: bltu t1, t0, 2f\n j 9f\n 2: bge t1, t0, 3f\n j 9f\n 3: bgeu t0, t1, 4f\n j 9f\n 4: bne t0, t1, 5f\n j 9f\n 5: beq t0, t0, 6f\n j 9f\n 6: bge t0, t0, 7f\n j 9f\n 7: bgeu t1, t1, 8f\n j 9f\n 8: blt t0, zero, 10f\n j 9f\n 10: li %0, 17\n 9:"), 17);
  // A loop that changes its indirect target all the time.
  CHECK(RUN("li %0, 0\n li t2, 3000\n la t0, 1f\n la t1, 2f\n 0: jr t0\n 1: addi %0, %0, 1\n j 3f\n 2: addi %0, %0, 2\n 3: mv t3, t0\n mv t0, t1\n mv t1, t3\n addi t2, t2, -1\n bnez t2, 0b"), 4500);
  // Jumps and calls to where memory says, which changes its mind: as the stubs that bind functions.
  asm(".pushsection .data\n .balign 8\n jump_slot: .dword 0\n .popsection");
  CHECK(RUN("li %0, 0\n li t2, 3000\n la t0, 1f\n la a1, 2f\n 0: la t3, jump_slot\n sd t0, 0(t3)\n beq zero, zero, 5f\n 5: auipc t3, %%pcrel_hi(jump_slot)\n ld t3, %%pcrel_lo(5b)(t3)\n jalr t1, t3\n 6: nop\n 1: addi %0, %0, 1\n j 7f\n 2: addi %0, %0, 2\n 7: sub a0, t3, t0\n add %0, %0, a0\n la a0, 6b\n sub a0, t1, a0\n add %0, %0, a0\n mv t3, t0\n mv t0, a1\n mv a1, t3\n addi t2, t2, -1\n bnez t2, 0b"), 4500);
  CHECK(RUN("li %0, 0\n li t2, 3000\n la t0, 1f\n la a1, 2f\n 0: la t3, jump_slot\n sd t0, 0(t3)\n 5: auipc t3, %%pcrel_hi(jump_slot)\n ld t3, %%pcrel_lo(5b)(t3)\n jalr ra, t3\n mv t3, t0\n mv t0, a1\n mv a1, t3\n addi t2, t2, -1\n bnez t2, 0b\n j 3f\n 1: addi %0, %0, 1\n ret\n 2: addi %0, %0, 2\n ret\n 3:"), 4500);
  return finish("jumps");
}
