// Code that changes: by fence.i, by riscv_flush_icache, by mprotect between writing and running,
// across a page boundary, while running in the page it changes, and thousands of times. Before
// that without any fence, as programs do that know only hardware on which it works.
#include "guest.h"

typedef u64 code_fn(u64);
static u32 addi(u32 rd, u32 rs, i32 imm) { return (u32)imm << 20 | rs << 15 | rd << 7 | 0x13; }
#define RET 0x00008067u
static void put(void *at, u32 bits) { memcpy(at, &bits, 4); }

int main(void) {
  u8 *code = map(4, PROT_READ | PROT_WRITE | PROT_EXEC);
  code_fn *run = (code_fn *)code;
  u8 *unfenced = map(1, PROT_READ | PROT_WRITE | PROT_EXEC);
  for (i32 i = 0; i < 300; i++) {
    put(unfenced, addi(10, 10, i));
    put(unfenced + 4, RET);
    CHECK(((code_fn *)unfenced)(1), 1 + (u64)i);
  }
  for (i32 i = 0; i < 1000; i++) {
    put(code, addi(10, 10, i));
    put(code + 4, RET);
    asm volatile("fence.i" : : : "memory");
    CHECK(run(5), 5 + (u64)i);
  }
  for (i32 i = 0; i < 1000; i++) {
    put(code, addi(10, 10, -i));
    syscall(SYS_riscv_flush_icache, code, code + 8, 0);
    CHECK(run(5000), 5000 - (u64)i);
  }
  // Never writable and executable at once.
  for (i32 i = 0; i < 200; i++) {
    CHECK(syscall(SYS_mprotect, code, PAGE, PROT_READ | PROT_WRITE), 0);
    put(code, addi(10, 0, i));
    CHECK(syscall(SYS_mprotect, code, PAGE, PROT_READ | PROT_EXEC), 0);
    syscall(SYS_riscv_flush_icache, code, code + 8, 0);
    CHECK(run(0), (u64)i);
  }
  syscall(SYS_mprotect, code, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
  // A four-byte instruction over two pages; then only its second half changes.
  code_fn *edge = (code_fn *)(code + PAGE - 2);
  for (i32 i = 0; i < 300; i++) {
    put(code + PAGE - 2, addi(10, 10, i));
    put(code + PAGE + 2, RET);
    asm volatile("fence.i" : : : "memory");
    CHECK(edge(1), 1 + (u64)i);
    u16 upper = (u16)(addi(10, 10, i + 1000) >> 16);
    memcpy(code + PAGE, &upper, 2);
    asm volatile("fence.i" : : : "memory");
    CHECK(edge(1), 1001 + (u64)i);
  }
  // The caller patches the callee between two calls.
  u64 sum = 0;
  for (i32 i = 0; i < 500; i++) {
    put(code + 64, addi(10, 10, 3));
    put(code + 68, RET);
    asm volatile("fence.i" : : : "memory");
    sum += ((code_fn *)(code + 64))((u64)i);
    u64 result;
    asm volatile("mv a0, %1\n jalr %2\n sw %3, 0(%2)\n fence.i\n jalr %2\n mv %0, a0"
                 : "=r"(result) : "r"((u64)i), "r"(code + 64), "r"(addi(10, 10, 100)) : "a0", "ra", "t0", "memory");
    CHECK(result, (u64)i + 103);
  }
  CHECK(sum, 499 * 500 / 2 + 1500);
  // Data in the page of running code: written often, and the code must stay right.
  put(code + 128, 0x00052583);            // lw a1, 0(a0)
  put(code + 132, addi(11, 11, 1));       // addi a1, a1, 1
  put(code + 136, 0x00b52023);            // sw a1, 0(a0)
  put(code + 140, 0x00058513);            // mv a0, a1
  put(code + 144, RET);
  asm volatile("fence.i" : : : "memory");
  put(code + 512, 0);
  for (u64 i = 1; i <= 3000; i++) CHECK(((code_fn *)(code + 128))((u64)(code + 512)), i);
  // A copy of the code elsewhere.
  memcpy(code + 2 * PAGE, code, PAGE);
  asm volatile("fence.i" : : : "memory");
  CHECK(((code_fn *)(code + 2 * PAGE + 128))((u64)(code + 512)), 3001);
  return finish("smc");
}
