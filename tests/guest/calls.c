// Calls and returns that do not pair: a changed return address, deep recursion, returns that skip
// frames, coroutines on several stacks, returns by other registers.
#include "guest.h"

// Return not to the caller but to where `to` points, with 42.
u64 divert(u64 to);
asm("divert: mv ra, a0\n li a0, 42\n ret\n");

static u64 diverted(void) {
  u64 result;
  asm volatile("la a0, 1f\n call divert\n li a0, 1\n 1: mv %0, a0" : "=r"(result) : : "a0", "ra", "memory");
  return result;
}

// Depth of recursion by 16-byte frames.
u64 recurse(u64 depth);
asm("recurse: beqz a0, 1f\n addi sp, sp, -16\n sd ra, 0(sp)\n addi a0, a0, -1\n call recurse\n addi a0, a0, 1\n ld ra, 0(sp)\n addi sp, sp, 16\n 1: ret\n");

u64 on_stack(u64 (*function)(u64), u64 argument, void *top);
asm("on_stack: addi a2, a2, -16\n sd ra, 0(a2)\n sd sp, 8(a2)\n mv sp, a2\n mv t0, a0\n mv a0, a1\n jalr t0\n ld ra, 0(sp)\n ld sp, 8(sp)\n ret\n");

// setjmp and longjmp of the callee-saved integer registers that matter here.
struct jump {
  u64 ra, sp, s[12];
};
__attribute__((returns_twice)) u64 set_jump(struct jump *at);
void long_jump(struct jump *to, u64 value);
asm("set_jump: sd ra, 0(a0)\n sd sp, 8(a0)\n sd s0, 16(a0)\n sd s1, 24(a0)\n sd s2, 32(a0)\n sd s3, 40(a0)\n sd s4, 48(a0)\n sd s5, 56(a0)\n"
    "sd s6, 64(a0)\n sd s7, 72(a0)\n sd s8, 80(a0)\n sd s9, 88(a0)\n sd s10, 96(a0)\n sd s11, 104(a0)\n li a0, 0\n ret\n"
    "long_jump: ld ra, 0(a0)\n ld sp, 8(a0)\n ld s0, 16(a0)\n ld s1, 24(a0)\n ld s2, 32(a0)\n ld s3, 40(a0)\n ld s4, 48(a0)\n ld s5, 56(a0)\n"
    "ld s6, 64(a0)\n ld s7, 72(a0)\n ld s8, 80(a0)\n ld s9, 88(a0)\n ld s10, 96(a0)\n ld s11, 104(a0)\n mv a0, a1\n ret\n");

static struct jump out;
__attribute__((noinline)) static u64 dive(u64 depth) {
  if (depth == 0) long_jump(&out, 99);
  return dive(depth - 1) + depth;
}

// Coroutines: each switch returns on another stack.
static u64 stack_of[2], produced;
void swap_stack(u64 *save, u64 load);
asm("swap_stack: addi sp, sp, -112\n sd ra, 0(sp)\n sd s0, 8(sp)\n sd s1, 16(sp)\n sd s2, 24(sp)\n sd s3, 32(sp)\n sd s4, 40(sp)\n sd s5, 48(sp)\n sd s6, 56(sp)\n sd s7, 64(sp)\n sd s8, 72(sp)\n sd s9, 80(sp)\n sd s10, 88(sp)\n sd s11, 96(sp)\n"
    "sd sp, 0(a0)\n mv sp, a1\n"
    "ld ra, 0(sp)\n ld s0, 8(sp)\n ld s1, 16(sp)\n ld s2, 24(sp)\n ld s3, 32(sp)\n ld s4, 40(sp)\n ld s5, 48(sp)\n ld s6, 56(sp)\n ld s7, 64(sp)\n ld s8, 72(sp)\n ld s9, 80(sp)\n ld s10, 88(sp)\n ld s11, 96(sp)\n addi sp, sp, 112\n ret\n");
__attribute__((noinline)) static void yield_at(u64 depth) {
  if (depth) {
    yield_at(depth - 1);
    asm volatile("");
    return;
  }
  swap_stack(&stack_of[1], stack_of[0]);
}
static void producer(void) {
  for (u64 i = 0;; i++) {
    produced += i;
    yield_at(i % 7);
  }
}

// Plenty of calls through pointers and plain ones, so that predictions overflow and wrap.
__attribute__((noinline)) static u64 tree(u64 n) { return n < 2 ? n : tree(n - 1) + tree(n - 2); }
typedef u64 step_fn(u64);
static u64 one(u64 x) { return x + 1; }
static u64 two(u64 x) { return x * 2; }
static u64 three(u64 x) { return x ^ 3; }
static step_fn *volatile steps[] = {one, two, three, one, three};

int main(void) {
  CHECK(diverted(), 42);
  for (int i = 0; i < 100; i++) CHECK(diverted(), 42);
  u64 pages = 8192;
  u8 *stack = map(pages, PROT_READ | PROT_WRITE);
  CHECK(on_stack(recurse, 1000000, stack + pages * PAGE), 1000000);
  CHECK(on_stack(recurse, 1000000, stack + pages * PAGE), 1000000);
  for (u64 i = 0; i < 200; i++) {
    u64 value = set_jump(&out);
    if (value == 0) dive(i);
    CHECK(value, 99);
  }
  u64 *top = (u64 *)(stack + 64 * PAGE) - 14;
  top[0] = (u64)producer;
  stack_of[1] = (u64)top;
  for (int i = 0; i < 1000; i++) swap_stack(&stack_of[0], stack_of[1]);
  CHECK(produced, 499500);
  CHECK(tree(20), 6765);
  u64 x = 1;
  for (int i = 0; i < 5000; i++) x = steps[i % 5](x) & 0xffffff;
  u64 y = 1;
  for (int i = 0; i < 5000; i++) y = (i % 5 == 0 || i % 5 == 3 ? y + 1 : i % 5 == 1 ? y * 2 : y ^ 3) & 0xffffff;
  CHECK(x, y);
  return finish("calls");
}
