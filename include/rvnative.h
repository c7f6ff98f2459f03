/* For guest programs in C and C++: functions of the host, by name (rvnative::vm::Linker::define).
 *
 * Declare the function, in C++ as extern "C", and import it once in the program:
 *
 *     double scale(double x, int n);
 *     RVNATIVE_IMPORT(scale);
 *
 * Arguments and result go by the calling convention of the psABI, LP64D: up to seven integers and
 * pointers, and up to seven floating-point numbers. Link with symbols: not with -s. */
#ifndef RVNATIVE_H
#define RVNATIVE_H

/* The host knows the stub by what follows the ecall, a hint without an effect. */
#define RVNATIVE_IMPORT(name)                                                                    \
    __asm__(".pushsection .text." #name ", \"ax\", @progbits\n"                                  \
            ".globl " #name "\n"                                                                 \
            ".type " #name ", @function\n"                                                       \
            ".balign 4\n" #name ":\n"                                                            \
            "ecall\n"                                                                            \
            "slti zero, zero, 0x5e4\n"                                                           \
            "ret\n"                                                                              \
            ".size " #name ", . - " #name "\n"                                                   \
            ".popsection\n")

#endif
