// Where a signal handler returns to. Debuggers and unwinders find the interrupted registers by the
// table, which says where in the frame (sp) each one is; others know the frame by the two instructions.

// Of `struct rt_sigframe`: siginfo (128), then ucontext, whose registers begin at 176 with the pc.
#define REGISTERS (128 + 176)
#define FLOATS (REGISTERS + 32 * 8)

// DW_CFA_expression: register \number is at sp + \offset (DW_OP_breg2, SLEB128 of two bytes).
.macro saved number, offset
    .cfi_escape 0x10, \number, 3, 0x72, ((\offset) & 0x7f) | 0x80, ((\offset) >> 7) & 0x7f
.endm

    .text
    .balign 8
    .option norvc
    .globl __vdso_rt_sigreturn
    .type __vdso_rt_sigreturn, @function
    .cfi_startproc
    .cfi_signal_frame
    // The return address is the pc, column 64.
    .cfi_return_column 64
    // DW_CFA_def_cfa_expression: what is at sp + 16 + REGISTERS.
    .cfi_escape 0x0f, 4, 0x72, ((REGISTERS + 16) & 0x7f) | 0x80, (REGISTERS + 16) >> 7, 0x06
    saved 64, REGISTERS
    .set n, 1
    .rept 31
    saved n, REGISTERS + 8 * n
    .set n, n + 1
    .endr
    .set n, 0
    .rept 32
    saved 32 + n, FLOATS + 8 * n
    .set n, n + 1
    .endr
    // Unwinders look up the instruction before the one that a call returns to.
    nop
__vdso_rt_sigreturn:
    li a7, 139
    ecall
    .cfi_endproc
    .size __vdso_rt_sigreturn, . - __vdso_rt_sigreturn
