// A tiny register machine and the program both interpreter benches run on it: the Collatz lengths
// of the numbers below a bound, with a table of the results.
#ifndef VM_PROGRAM_H
#define VM_PROGRAM_H

#include "bench.h"

enum vm_op { LOADI, MOVE, ADD, ADDI, SUB, MUL, AND, XOR, SHR, SHL, JUMP, JZ, JNZ, JLT, LOAD, STORE, CALL, RET, NOT, OUT, HALT };
struct vm_insn {
  uint8_t op, a, b, c;
  int32_t imm;
};
enum { VM_MEMORY = 4096 };

// Registers: 0 n, 1 bound, 2 value, 3 length, 4 and 5 scratch, 6 one, 7 three, 8 sum, 9 mask.
static const struct vm_insn vm_program[] = {
    /* 0 */ {LOADI, 0, 0, 0, 1},
    /* 1 */ {LOADI, 6, 0, 0, 1},
    /* 2 */ {LOADI, 7, 0, 0, 3},
    /* 3 */ {LOADI, 8, 0, 0, 0},
    /* 4 */ {LOADI, 9, 0, 0, VM_MEMORY - 1},
    /* 5 */ {MOVE, 2, 0, 0, 0},
    /* 6 */ {LOADI, 3, 0, 0, 0},
    /* 7 */ {CALL, 0, 0, 0, 14},
    /* 8 */ {AND, 4, 0, 9, 0},
    /* 9 */ {STORE, 3, 4, 0, 0},
    /* 10 */ {ADDI, 0, 0, 0, 1},
    /* 11 */ {JLT, 0, 1, 0, 5},
    /* 12 */ {OUT, 8, 0, 0, 0},
    /* 13 */ {HALT, 0, 0, 0, 0},
    /* 14 */ {SUB, 5, 2, 6, 0},
    /* 15 */ {JZ, 5, 0, 0, 25},
    /* 16 */ {ADDI, 3, 3, 0, 1},
    /* 17 */ {AND, 5, 2, 6, 0},
    /* 18 */ {JNZ, 5, 0, 0, 21},
    /* 19 */ {SHR, 2, 2, 6, 0},
    /* 20 */ {JUMP, 0, 0, 0, 14},
    /* 21 */ {MUL, 2, 2, 7, 0},
    /* 22 */ {ADDI, 2, 2, 0, 1},
    /* 23 */ {XOR, 8, 8, 2, 0},
    /* 24 */ {JUMP, 0, 0, 0, 14},
    /* 25 */ {AND, 4, 0, 9, 0},
    /* 26 */ {LOAD, 5, 4, 0, 0},
    /* 27 */ {ADD, 8, 8, 5, 0},
    /* 28 */ {ADD, 8, 8, 3, 0},
    /* 29 */ {RET, 0, 0, 0, 0},
};

#endif
