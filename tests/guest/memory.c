// Loads and stores: extension, misaligned addresses within and across pages, displacements, x0 as
// base, destination and source, and the compressed forms.
#include "guest.h"

static u8 buffer[3 * PAGE] __attribute__((aligned(4096)));

#define LOAD(op, at) ({ u64 r_; asm volatile(op " %0, 0(%1)" : "=r"(r_) : "r"(at) : "memory"); r_; })
#define STORE(op, at, value) asm volatile(op " %0, 0(%1)" : : "r"((u64)(value)), "r"(at) : "memory")

static u64 bytes(const u8 *at, int size) {
  u64 value = 0;
  for (int i = size - 1; i >= 0; i--) value = value << 8 | at[i];
  return value;
}
static u64 extend(u64 value, int size) { return size == 8 ? value : (u64)((i64)(value << (64 - 8 * size)) >> (64 - 8 * size)); }

int main(void) {
  u64 seed = 12345;
  for (u64 i = 0; i < sizeof buffer; i++) {
    seed = seed * 6364136223846793005ul + 1442695040888963407ul;
    buffer[i] = (u8)(seed >> 56);
  }
  for (u64 i = 0; i < 40; i++) {
    u8 *at = buffer + PAGE - 20 + i;
    CHECK(LOAD("lb", at), extend(bytes(at, 1), 1));
    CHECK(LOAD("lbu", at), bytes(at, 1));
    CHECK(LOAD("lh", at), extend(bytes(at, 2), 2));
    CHECK(LOAD("lhu", at), bytes(at, 2));
    CHECK(LOAD("lw", at), extend(bytes(at, 4), 4));
    CHECK(LOAD("lwu", at), bytes(at, 4));
    CHECK(LOAD("ld", at), bytes(at, 8));
    u64 r;
    asm volatile("fld ft0, 0(%1)\n fmv.x.d %0, ft0" : "=r"(r) : "r"(at) : "ft0", "memory");
    CHECK(r, bytes(at, 8));
    asm volatile("flw ft0, 0(%1)\n fmv.x.d %0, ft0" : "=r"(r) : "r"(at) : "ft0", "memory");
    CHECK(r, 0xffffffff00000000 | bytes(at, 4));
  }
  for (u64 i = 0; i < 40; i++) {
    u8 *at = buffer + 2 * PAGE - 20 + i, before = at[-1], after = at[8];
    STORE("sd", at, 0x1122334455667788);
    CHECK(bytes(at, 8), 0x1122334455667788);
    STORE("sw", at, 0xaaaaaaaa99999999);
    CHECK(bytes(at, 8), 0x1122334499999999);
    STORE("sh", at, 0xbbbbbbbbbbbb7777);
    CHECK(bytes(at, 8), 0x1122334499997777);
    STORE("sb", at, 0x123456);
    CHECK(bytes(at, 8), 0x1122334499997756);
    CHECK(at[-1], before);
    CHECK(at[8], after);
  }
  u64 r;
  u8 *middle = buffer + PAGE;
  asm volatile("ld %0, -2048(%1)" : "=r"(r) : "r"(middle) : "memory");
  CHECK(r, bytes(middle - 2048, 8));
  asm volatile("ld %0, 2047(%1)" : "=r"(r) : "r"(middle) : "memory");
  CHECK(r, bytes(middle + 2047, 8));
  // The destination is the base; x0 takes nothing and gives zero.
  r = (u64)middle;
  asm volatile("lw %0, 4(%0)" : "+r"(r) : : "memory");
  CHECK(r, extend(bytes(middle + 4, 4), 4));
  asm volatile("ld zero, 0(%1)\n mv %0, zero" : "=r"(r) : "r"(middle) : "memory");
  CHECK(r, 0);
  asm volatile("sd zero, 8(%0)" : : "r"(middle) : "memory");
  CHECK(bytes(middle + 8, 8), 0);
  // The stored register is the base.
  u64 *slot = (u64 *)(middle + 16);
  asm volatile("sd %0, 0(%0)" : : "r"(slot) : "memory");
  CHECK(*slot, slot);
  // x0 written by everything that can, then read.
  asm volatile("addi zero, zero, 5\n li t0, 7\n add zero, t0, t0\n lui zero, 5\n auipc zero, 5\n slt zero, zero, t0\n mul zero, t0, t0\n jal zero, 1f\n 1: csrr zero, fcsr\n addw zero, t0, t0\n mv %0, zero" : "=r"(r) : : "t0");
  CHECK(r, 0);
  // Compressed loads and stores, stack-relative ones too.
  asm volatile("mv a0, %1\n li a1, 0x55\n .option push\n .option rvc\n c.sd a1, 248(a0)\n c.ld a2, 248(a0)\n c.sw a2, 124(a0)\n c.lw a3, 124(a0)\n c.addi16sp sp, -64\n c.sdsp a3, 56(sp)\n c.ldsp a4, 56(sp)\n c.swsp a4, 4(sp)\n c.lwsp a5, 4(sp)\n c.fldsp fa0, 56(sp)\n c.fsdsp fa0, 48(sp)\n c.ldsp a1, 48(sp)\n c.addi16sp sp, 64\n c.fsd fa0, 200(a0)\n c.fld fa1, 200(a0)\n .option pop\n fmv.x.d a2, fa1\n add %0, a5, a1\n add %0, %0, a2"
               : "=r"(r) : "r"(middle) : "a0", "a1", "a2", "a3", "a4", "a5", "fa0", "fa1", "memory");
  CHECK(r, 0xff);
  // A store then a narrower and a wider load of the same place, in one block.
  asm volatile("sd %1, 0(%2)\n sb zero, 1(%2)\n lwu t0, 0(%2)\n lh t1, 2(%2)\n ld t2, 0(%2)\n xor %0, t0, t1\n xor %0, %0, t2" : "=&r"(r) : "r"(0x8877665544332211), "r"(middle + 32) : "t0", "t1", "t2", "memory");
  CHECK(r, 0x44330011ul ^ 0x4433ul ^ 0x8877665544330011ul);
  return finish("memory");
}
