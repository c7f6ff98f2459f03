//! The table: one row per 32-bit instruction. Everything else in `isa` follows from it.
//!
//! A row is `Op "mnemonic" Extension[+Extension...] Format "32-bit
//! pattern";`. Patterns are read from bit 31 down to bit 0; `.` is a bit of an operand, spaces are
//! for the eye. Where two rows match one word, the row with more fixed bits wins; the overlap test
//! lists every such pair by name. Source: the unprivileged manual, 20240411 and later ("RV32/64G
//! Instruction Set Listings"), and the ratified specifications of the extensions that came after
//! it.

/// Hands all rows to the macro `$m`, those of vectors (`table_v`) last.
macro_rules! for_each_insn { ($m:ident) => { $crate::isa::table_v::for_each_vector_insn! { $m {
    // RV64I (unprivileged manual, chapters 2 and 4). HINTs are base rows with rd = x0.
    Lui        "lui"         I            U           ".................... ..... 0110111";
    Auipc      "auipc"       I            U           ".................... ..... 0010111";
    Jal        "jal"         I            J           ".................... ..... 1101111";
    Jalr       "jalr"        I            Jalr        "............ ..... 000 ..... 1100111";
    Beq        "beq"         I            B           "....... ..... ..... 000 ..... 1100011";
    Bne        "bne"         I            B           "....... ..... ..... 001 ..... 1100011";
    Blt        "blt"         I            B           "....... ..... ..... 100 ..... 1100011";
    Bge        "bge"         I            B           "....... ..... ..... 101 ..... 1100011";
    Bltu       "bltu"        I            B           "....... ..... ..... 110 ..... 1100011";
    Bgeu       "bgeu"        I            B           "....... ..... ..... 111 ..... 1100011";
    Lb         "lb"          I            Load        "............ ..... 000 ..... 0000011";
    Lh         "lh"          I            Load        "............ ..... 001 ..... 0000011";
    Lw         "lw"          I            Load        "............ ..... 010 ..... 0000011";
    Ld         "ld"          I            Load        "............ ..... 011 ..... 0000011";
    Lbu        "lbu"         I            Load        "............ ..... 100 ..... 0000011";
    Lhu        "lhu"         I            Load        "............ ..... 101 ..... 0000011";
    Lwu        "lwu"         I            Load        "............ ..... 110 ..... 0000011";
    Sb         "sb"          I            Store       "....... ..... ..... 000 ..... 0100011";
    Sh         "sh"          I            Store       "....... ..... ..... 001 ..... 0100011";
    Sw         "sw"          I            Store       "....... ..... ..... 010 ..... 0100011";
    Sd         "sd"          I            Store       "....... ..... ..... 011 ..... 0100011";
    Addi       "addi"        I            I           "............ ..... 000 ..... 0010011";
    Slti       "slti"        I            I           "............ ..... 010 ..... 0010011";
    Sltiu      "sltiu"       I            I           "............ ..... 011 ..... 0010011";
    Xori       "xori"        I            I           "............ ..... 100 ..... 0010011";
    Ori        "ori"         I            I           "............ ..... 110 ..... 0010011";
    Andi       "andi"        I            I           "............ ..... 111 ..... 0010011";
    Slli       "slli"        I            Shamt6      "000000 ...... ..... 001 ..... 0010011";
    Srli       "srli"        I            Shamt6      "000000 ...... ..... 101 ..... 0010011";
    Srai       "srai"        I            Shamt6      "010000 ...... ..... 101 ..... 0010011";
    Add        "add"         I            R           "0000000 ..... ..... 000 ..... 0110011";
    Sub        "sub"         I            R           "0100000 ..... ..... 000 ..... 0110011";
    Sll        "sll"         I            R           "0000000 ..... ..... 001 ..... 0110011";
    Slt        "slt"         I            R           "0000000 ..... ..... 010 ..... 0110011";
    Sltu       "sltu"        I            R           "0000000 ..... ..... 011 ..... 0110011";
    Xor        "xor"         I            R           "0000000 ..... ..... 100 ..... 0110011";
    Srl        "srl"         I            R           "0000000 ..... ..... 101 ..... 0110011";
    Sra        "sra"         I            R           "0100000 ..... ..... 101 ..... 0110011";
    Or         "or"          I            R           "0000000 ..... ..... 110 ..... 0110011";
    And        "and"         I            R           "0000000 ..... ..... 111 ..... 0110011";
    Addiw      "addiw"       I            I           "............ ..... 000 ..... 0011011";
    Slliw      "slliw"       I            Shamt5      "0000000 ..... ..... 001 ..... 0011011";
    Srliw      "srliw"       I            Shamt5      "0000000 ..... ..... 101 ..... 0011011";
    Sraiw      "sraiw"       I            Shamt5      "0100000 ..... ..... 101 ..... 0011011";
    Addw       "addw"        I            R           "0000000 ..... ..... 000 ..... 0111011";
    Subw       "subw"        I            R           "0100000 ..... ..... 000 ..... 0111011";
    Sllw       "sllw"        I            R           "0000000 ..... ..... 001 ..... 0111011";
    Srlw       "srlw"        I            R           "0000000 ..... ..... 101 ..... 0111011";
    Sraw       "sraw"        I            R           "0100000 ..... ..... 101 ..... 0111011";

    // Two `fence` encodings with a meaning of their own: the specific row wins over `fence`.
    Fence      "fence"       I            Fence       "............ ..... 000 ..... 0001111";
    FenceTso   "fence.tso"   I            FenceTso    "1000 0011 0011 ..... 000 ..... 0001111";
    Pause      "pause"       Zihintpause  Bare        "0000 0001 0000 00000 000 00000 0001111";
    Ecall      "ecall"       I            Bare        "000000000000 00000 000 00000 1110011";
    Ebreak     "ebreak"      I            Bare        "000000000001 00000 000 00000 1110011";

    // Zifencei. The unused fields are reserved for finer fences and ignored (chapter 6).
    FenceI     "fence.i"     Zifencei     FenceI      "............ ..... 001 ..... 0001111";

    // Zicsr (chapter 7).
    Csrrw      "csrrw"       Zicsr        Csr         "............ ..... 001 ..... 1110011";
    Csrrs      "csrrs"       Zicsr        Csr         "............ ..... 010 ..... 1110011";
    Csrrc      "csrrc"       Zicsr        Csr         "............ ..... 011 ..... 1110011";
    Csrrwi     "csrrwi"      Zicsr        CsrImm      "............ ..... 101 ..... 1110011";
    Csrrsi     "csrrsi"      Zicsr        CsrImm      "............ ..... 110 ..... 1110011";
    Csrrci     "csrrci"      Zicsr        CsrImm      "............ ..... 111 ..... 1110011";

    // M (chapter 13).
    Mul        "mul"         M            R           "0000001 ..... ..... 000 ..... 0110011";
    Mulh       "mulh"        M            R           "0000001 ..... ..... 001 ..... 0110011";
    Mulhsu     "mulhsu"      M            R           "0000001 ..... ..... 010 ..... 0110011";
    Mulhu      "mulhu"       M            R           "0000001 ..... ..... 011 ..... 0110011";
    Div        "div"         M            R           "0000001 ..... ..... 100 ..... 0110011";
    Divu       "divu"        M            R           "0000001 ..... ..... 101 ..... 0110011";
    Rem        "rem"         M            R           "0000001 ..... ..... 110 ..... 0110011";
    Remu       "remu"        M            R           "0000001 ..... ..... 111 ..... 0110011";
    Mulw       "mulw"        M            R           "0000001 ..... ..... 000 ..... 0111011";
    Divw       "divw"        M            R           "0000001 ..... ..... 100 ..... 0111011";
    Divuw      "divuw"       M            R           "0000001 ..... ..... 101 ..... 0111011";
    Remw       "remw"        M            R           "0000001 ..... ..... 110 ..... 0111011";
    Remuw      "remuw"       M            R           "0000001 ..... ..... 111 ..... 0111011";

    // A (chapter 14): Zalrsc, then Zaamo.
    LrW        "lr.w"        Zalrsc       Lr          "00010 . . 00000 ..... 010 ..... 0101111";
    ScW        "sc.w"        Zalrsc       Amo         "00011 . . ..... ..... 010 ..... 0101111";
    LrD        "lr.d"        Zalrsc       Lr          "00010 . . 00000 ..... 011 ..... 0101111";
    ScD        "sc.d"        Zalrsc       Amo         "00011 . . ..... ..... 011 ..... 0101111";
    AmoswapW   "amoswap.w"   Zaamo        Amo         "00001 . . ..... ..... 010 ..... 0101111";
    AmoaddW    "amoadd.w"    Zaamo        Amo         "00000 . . ..... ..... 010 ..... 0101111";
    AmoxorW    "amoxor.w"    Zaamo        Amo         "00100 . . ..... ..... 010 ..... 0101111";
    AmoandW    "amoand.w"    Zaamo        Amo         "01100 . . ..... ..... 010 ..... 0101111";
    AmoorW     "amoor.w"     Zaamo        Amo         "01000 . . ..... ..... 010 ..... 0101111";
    AmominW    "amomin.w"    Zaamo        Amo         "10000 . . ..... ..... 010 ..... 0101111";
    AmomaxW    "amomax.w"    Zaamo        Amo         "10100 . . ..... ..... 010 ..... 0101111";
    AmominuW   "amominu.w"   Zaamo        Amo         "11000 . . ..... ..... 010 ..... 0101111";
    AmomaxuW   "amomaxu.w"   Zaamo        Amo         "11100 . . ..... ..... 010 ..... 0101111";
    AmoswapD   "amoswap.d"   Zaamo        Amo         "00001 . . ..... ..... 011 ..... 0101111";
    AmoaddD    "amoadd.d"    Zaamo        Amo         "00000 . . ..... ..... 011 ..... 0101111";
    AmoxorD    "amoxor.d"    Zaamo        Amo         "00100 . . ..... ..... 011 ..... 0101111";
    AmoandD    "amoand.d"    Zaamo        Amo         "01100 . . ..... ..... 011 ..... 0101111";
    AmoorD     "amoor.d"     Zaamo        Amo         "01000 . . ..... ..... 011 ..... 0101111";
    AmominD    "amomin.d"    Zaamo        Amo         "10000 . . ..... ..... 011 ..... 0101111";
    AmomaxD    "amomax.d"    Zaamo        Amo         "10100 . . ..... ..... 011 ..... 0101111";
    AmominuD   "amominu.d"   Zaamo        Amo         "11000 . . ..... ..... 011 ..... 0101111";
    AmomaxuD   "amomaxu.d"   Zaamo        Amo         "11100 . . ..... ..... 011 ..... 0101111";

    // Zabha: the same on bytes and halfwords.
    AmoswapB   "amoswap.b"   Zabha        Amo         "00001 . . ..... ..... 000 ..... 0101111";
    AmoaddB    "amoadd.b"    Zabha        Amo         "00000 . . ..... ..... 000 ..... 0101111";
    AmoxorB    "amoxor.b"    Zabha        Amo         "00100 . . ..... ..... 000 ..... 0101111";
    AmoandB    "amoand.b"    Zabha        Amo         "01100 . . ..... ..... 000 ..... 0101111";
    AmoorB     "amoor.b"     Zabha        Amo         "01000 . . ..... ..... 000 ..... 0101111";
    AmominB    "amomin.b"    Zabha        Amo         "10000 . . ..... ..... 000 ..... 0101111";
    AmomaxB    "amomax.b"    Zabha        Amo         "10100 . . ..... ..... 000 ..... 0101111";
    AmominuB   "amominu.b"   Zabha        Amo         "11000 . . ..... ..... 000 ..... 0101111";
    AmomaxuB   "amomaxu.b"   Zabha        Amo         "11100 . . ..... ..... 000 ..... 0101111";
    AmoswapH   "amoswap.h"   Zabha        Amo         "00001 . . ..... ..... 001 ..... 0101111";
    AmoaddH    "amoadd.h"    Zabha        Amo         "00000 . . ..... ..... 001 ..... 0101111";
    AmoxorH    "amoxor.h"    Zabha        Amo         "00100 . . ..... ..... 001 ..... 0101111";
    AmoandH    "amoand.h"    Zabha        Amo         "01100 . . ..... ..... 001 ..... 0101111";
    AmoorH     "amoor.h"     Zabha        Amo         "01000 . . ..... ..... 001 ..... 0101111";
    AmominH    "amomin.h"    Zabha        Amo         "10000 . . ..... ..... 001 ..... 0101111";
    AmomaxH    "amomax.h"    Zabha        Amo         "10100 . . ..... ..... 001 ..... 0101111";
    AmominuH   "amominu.h"   Zabha        Amo         "11000 . . ..... ..... 001 ..... 0101111";
    AmomaxuH   "amomaxu.h"   Zabha        Amo         "11100 . . ..... ..... 001 ..... 0101111";

    // Zacas. The quad form names even/odd register pairs; an odd `rd` or `rs2` is reserved.
    AmocasW    "amocas.w"    Zacas        Amo         "00101 . . ..... ..... 010 ..... 0101111";
    AmocasD    "amocas.d"    Zacas        Amo         "00101 . . ..... ..... 011 ..... 0101111";
    AmocasQ    "amocas.q"    Zacas        AmoPair     "00101 . . ..... ..... 100 ..... 0101111";
    AmocasB    "amocas.b"    Zabha+Zacas  Amo         "00101 . . ..... ..... 000 ..... 0101111";
    AmocasH    "amocas.h"    Zabha+Zacas  Amo         "00101 . . ..... ..... 001 ..... 0101111";

    // Zawrs.
    WrsNto     "wrs.nto"     Zawrs        Bare        "000000001101 00000 000 00000 1110011";
    WrsSto     "wrs.sto"     Zawrs        Bare        "000000011101 00000 000 00000 1110011";

    // F (chapter 20).
    Flw        "flw"         F            FpLoad      "............ ..... 010 ..... 0000111";
    Fsw        "fsw"         F            FpStore     "....... ..... ..... 010 ..... 0100111";
    FmaddS     "fmadd.s"     F            FpR4        "..... 00 ..... ..... ... ..... 1000011";
    FmsubS     "fmsub.s"     F            FpR4        "..... 00 ..... ..... ... ..... 1000111";
    FnmsubS    "fnmsub.s"    F            FpR4        "..... 00 ..... ..... ... ..... 1001011";
    FnmaddS    "fnmadd.s"    F            FpR4        "..... 00 ..... ..... ... ..... 1001111";
    FaddS      "fadd.s"      F            FpRm        "0000000 ..... ..... ... ..... 1010011";
    FsubS      "fsub.s"      F            FpRm        "0000100 ..... ..... ... ..... 1010011";
    FmulS      "fmul.s"      F            FpRm        "0001000 ..... ..... ... ..... 1010011";
    FdivS      "fdiv.s"      F            FpRm        "0001100 ..... ..... ... ..... 1010011";
    FsqrtS     "fsqrt.s"     F            FpUnaryRm   "0101100 00000 ..... ... ..... 1010011";
    FsgnjS     "fsgnj.s"     F            Fp          "0010000 ..... ..... 000 ..... 1010011";
    FsgnjnS    "fsgnjn.s"    F            Fp          "0010000 ..... ..... 001 ..... 1010011";
    FsgnjxS    "fsgnjx.s"    F            Fp          "0010000 ..... ..... 010 ..... 1010011";
    FminS      "fmin.s"      F            Fp          "0010100 ..... ..... 000 ..... 1010011";
    FmaxS      "fmax.s"      F            Fp          "0010100 ..... ..... 001 ..... 1010011";
    FleS       "fle.s"       F            FpCmp       "1010000 ..... ..... 000 ..... 1010011";
    FltS       "flt.s"       F            FpCmp       "1010000 ..... ..... 001 ..... 1010011";
    FeqS       "feq.s"       F            FpCmp       "1010000 ..... ..... 010 ..... 1010011";
    FclassS    "fclass.s"    F            FpToInt     "1110000 00000 ..... 001 ..... 1010011";
    FcvtWS     "fcvt.w.s"    F            FpToIntRm   "1100000 00000 ..... ... ..... 1010011";
    FcvtWuS    "fcvt.wu.s"   F            FpToIntRm   "1100000 00001 ..... ... ..... 1010011";
    FcvtLS     "fcvt.l.s"    F            FpToIntRm   "1100000 00010 ..... ... ..... 1010011";
    FcvtLuS    "fcvt.lu.s"   F            FpToIntRm   "1100000 00011 ..... ... ..... 1010011";
    FcvtSW     "fcvt.s.w"    F            IntToFpRm   "1101000 00000 ..... ... ..... 1010011";
    FcvtSWu    "fcvt.s.wu"   F            IntToFpRm   "1101000 00001 ..... ... ..... 1010011";
    FcvtSL     "fcvt.s.l"    F            IntToFpRm   "1101000 00010 ..... ... ..... 1010011";
    FcvtSLu    "fcvt.s.lu"   F            IntToFpRm   "1101000 00011 ..... ... ..... 1010011";
    FmvXW      "fmv.x.w"     F            FpToInt     "1110000 00000 ..... 000 ..... 1010011";
    FmvWX      "fmv.w.x"     F            IntToFp     "1111000 00000 ..... 000 ..... 1010011";

    // D (chapter 21).
    Fld        "fld"         D            FpLoad      "............ ..... 011 ..... 0000111";
    Fsd        "fsd"         D            FpStore     "....... ..... ..... 011 ..... 0100111";
    FmaddD     "fmadd.d"     D            FpR4        "..... 01 ..... ..... ... ..... 1000011";
    FmsubD     "fmsub.d"     D            FpR4        "..... 01 ..... ..... ... ..... 1000111";
    FnmsubD    "fnmsub.d"    D            FpR4        "..... 01 ..... ..... ... ..... 1001011";
    FnmaddD    "fnmadd.d"    D            FpR4        "..... 01 ..... ..... ... ..... 1001111";
    FaddD      "fadd.d"      D            FpRm        "0000001 ..... ..... ... ..... 1010011";
    FsubD      "fsub.d"      D            FpRm        "0000101 ..... ..... ... ..... 1010011";
    FmulD      "fmul.d"      D            FpRm        "0001001 ..... ..... ... ..... 1010011";
    FdivD      "fdiv.d"      D            FpRm        "0001101 ..... ..... ... ..... 1010011";
    FsqrtD     "fsqrt.d"     D            FpUnaryRm   "0101101 00000 ..... ... ..... 1010011";
    FsgnjD     "fsgnj.d"     D            Fp          "0010001 ..... ..... 000 ..... 1010011";
    FsgnjnD    "fsgnjn.d"    D            Fp          "0010001 ..... ..... 001 ..... 1010011";
    FsgnjxD    "fsgnjx.d"    D            Fp          "0010001 ..... ..... 010 ..... 1010011";
    FminD      "fmin.d"      D            Fp          "0010101 ..... ..... 000 ..... 1010011";
    FmaxD      "fmax.d"      D            Fp          "0010101 ..... ..... 001 ..... 1010011";
    FleD       "fle.d"       D            FpCmp       "1010001 ..... ..... 000 ..... 1010011";
    FltD       "flt.d"       D            FpCmp       "1010001 ..... ..... 001 ..... 1010011";
    FeqD       "feq.d"       D            FpCmp       "1010001 ..... ..... 010 ..... 1010011";
    FclassD    "fclass.d"    D            FpToInt     "1110001 00000 ..... 001 ..... 1010011";
    FcvtWD     "fcvt.w.d"    D            FpToIntRm   "1100001 00000 ..... ... ..... 1010011";
    FcvtWuD    "fcvt.wu.d"   D            FpToIntRm   "1100001 00001 ..... ... ..... 1010011";
    FcvtLD     "fcvt.l.d"    D            FpToIntRm   "1100001 00010 ..... ... ..... 1010011";
    FcvtLuD    "fcvt.lu.d"   D            FpToIntRm   "1100001 00011 ..... ... ..... 1010011";
    FcvtDW     "fcvt.d.w"    D            IntToFpRm   "1101001 00000 ..... ... ..... 1010011";
    FcvtDWu    "fcvt.d.wu"   D            IntToFpRm   "1101001 00001 ..... ... ..... 1010011";
    FcvtDL     "fcvt.d.l"    D            IntToFpRm   "1101001 00010 ..... ... ..... 1010011";
    FcvtDLu    "fcvt.d.lu"   D            IntToFpRm   "1101001 00011 ..... ... ..... 1010011";
    FmvXD      "fmv.x.d"     D            FpToInt     "1110001 00000 ..... 000 ..... 1010011";
    FmvDX      "fmv.d.x"     D            IntToFp     "1111001 00000 ..... 000 ..... 1010011";
    FcvtSD     "fcvt.s.d"    D            FpUnaryRm   "0100000 00001 ..... ... ..... 1010011";
    FcvtDS     "fcvt.d.s"    D            FpUnaryRm   "0100001 00000 ..... ... ..... 1010011";

    // Zfhmin (chapter 23).
    Flh        "flh"         Zfhmin       FpLoad      "............ ..... 001 ..... 0000111";
    Fsh        "fsh"         Zfhmin       FpStore     "....... ..... ..... 001 ..... 0100111";
    FmvXH      "fmv.x.h"     Zfhmin       FpToInt     "1110010 00000 ..... 000 ..... 1010011";
    FmvHX      "fmv.h.x"     Zfhmin       IntToFp     "1111010 00000 ..... 000 ..... 1010011";
    FcvtSH     "fcvt.s.h"    Zfhmin       FpUnaryRm   "0100000 00010 ..... ... ..... 1010011";
    FcvtHS     "fcvt.h.s"    Zfhmin       FpUnaryRm   "0100010 00000 ..... ... ..... 1010011";
    FcvtDH     "fcvt.d.h"    Zfhmin+D     FpUnaryRm   "0100001 00010 ..... ... ..... 1010011";
    FcvtHD     "fcvt.h.d"    Zfhmin+D     FpUnaryRm   "0100010 00001 ..... ... ..... 1010011";

    // Zfh (chapter 23).
    FmaddH     "fmadd.h"     Zfh          FpR4        "..... 10 ..... ..... ... ..... 1000011";
    FmsubH     "fmsub.h"     Zfh          FpR4        "..... 10 ..... ..... ... ..... 1000111";
    FnmsubH    "fnmsub.h"    Zfh          FpR4        "..... 10 ..... ..... ... ..... 1001011";
    FnmaddH    "fnmadd.h"    Zfh          FpR4        "..... 10 ..... ..... ... ..... 1001111";
    FaddH      "fadd.h"      Zfh          FpRm        "0000010 ..... ..... ... ..... 1010011";
    FsubH      "fsub.h"      Zfh          FpRm        "0000110 ..... ..... ... ..... 1010011";
    FmulH      "fmul.h"      Zfh          FpRm        "0001010 ..... ..... ... ..... 1010011";
    FdivH      "fdiv.h"      Zfh          FpRm        "0001110 ..... ..... ... ..... 1010011";
    FsqrtH     "fsqrt.h"     Zfh          FpUnaryRm   "0101110 00000 ..... ... ..... 1010011";
    FsgnjH     "fsgnj.h"     Zfh          Fp          "0010010 ..... ..... 000 ..... 1010011";
    FsgnjnH    "fsgnjn.h"    Zfh          Fp          "0010010 ..... ..... 001 ..... 1010011";
    FsgnjxH    "fsgnjx.h"    Zfh          Fp          "0010010 ..... ..... 010 ..... 1010011";
    FminH      "fmin.h"      Zfh          Fp          "0010110 ..... ..... 000 ..... 1010011";
    FmaxH      "fmax.h"      Zfh          Fp          "0010110 ..... ..... 001 ..... 1010011";
    FleH       "fle.h"       Zfh          FpCmp       "1010010 ..... ..... 000 ..... 1010011";
    FltH       "flt.h"       Zfh          FpCmp       "1010010 ..... ..... 001 ..... 1010011";
    FeqH       "feq.h"       Zfh          FpCmp       "1010010 ..... ..... 010 ..... 1010011";
    FclassH    "fclass.h"    Zfh          FpToInt     "1110010 00000 ..... 001 ..... 1010011";
    FcvtWH     "fcvt.w.h"    Zfh          FpToIntRm   "1100010 00000 ..... ... ..... 1010011";
    FcvtWuH    "fcvt.wu.h"   Zfh          FpToIntRm   "1100010 00001 ..... ... ..... 1010011";
    FcvtLH     "fcvt.l.h"    Zfh          FpToIntRm   "1100010 00010 ..... ... ..... 1010011";
    FcvtLuH    "fcvt.lu.h"   Zfh          FpToIntRm   "1100010 00011 ..... ... ..... 1010011";
    FcvtHW     "fcvt.h.w"    Zfh          IntToFpRm   "1101010 00000 ..... ... ..... 1010011";
    FcvtHWu    "fcvt.h.wu"   Zfh          IntToFpRm   "1101010 00001 ..... ... ..... 1010011";
    FcvtHL     "fcvt.h.l"    Zfh          IntToFpRm   "1101010 00010 ..... ... ..... 1010011";
    FcvtHLu    "fcvt.h.lu"   Zfh          IntToFpRm   "1101010 00011 ..... ... ..... 1010011";

    // Zfbfmin.
    FcvtBf16S  "fcvt.bf16.s" Zfbfmin      FpUnaryRm   "0100010 01000 ..... ... ..... 1010011";
    FcvtSBf16  "fcvt.s.bf16" Zfbfmin      FpUnaryRm   "0100000 00110 ..... ... ..... 1010011";

    // Zfa (chapter 25).
    FliS       "fli.s"       Zfa          Fli         "1111000 00001 ..... 000 ..... 1010011";
    FminmS     "fminm.s"     Zfa          Fp          "0010100 ..... ..... 010 ..... 1010011";
    FmaxmS     "fmaxm.s"     Zfa          Fp          "0010100 ..... ..... 011 ..... 1010011";
    FroundS    "fround.s"    Zfa          FpUnaryRm   "0100000 00100 ..... ... ..... 1010011";
    FroundnxS  "froundnx.s"  Zfa          FpUnaryRm   "0100000 00101 ..... ... ..... 1010011";
    FleqS      "fleq.s"      Zfa          FpCmp       "1010000 ..... ..... 100 ..... 1010011";
    FltqS      "fltq.s"      Zfa          FpCmp       "1010000 ..... ..... 101 ..... 1010011";
    FliD       "fli.d"       Zfa+D        Fli         "1111001 00001 ..... 000 ..... 1010011";
    FminmD     "fminm.d"     Zfa+D        Fp          "0010101 ..... ..... 010 ..... 1010011";
    FmaxmD     "fmaxm.d"     Zfa+D        Fp          "0010101 ..... ..... 011 ..... 1010011";
    FroundD    "fround.d"    Zfa+D        FpUnaryRm   "0100001 00100 ..... ... ..... 1010011";
    FroundnxD  "froundnx.d"  Zfa+D        FpUnaryRm   "0100001 00101 ..... ... ..... 1010011";
    FleqD      "fleq.d"      Zfa+D        FpCmp       "1010001 ..... ..... 100 ..... 1010011";
    FltqD      "fltq.d"      Zfa+D        FpCmp       "1010001 ..... ..... 101 ..... 1010011";
    FcvtmodWD  "fcvtmod.w.d" Zfa+D        FpToIntRtz  "1100001 01000 ..... 001 ..... 1010011";
    FliH       "fli.h"       Zfa+Zfh      Fli         "1111010 00001 ..... 000 ..... 1010011";
    FminmH     "fminm.h"     Zfa+Zfh      Fp          "0010110 ..... ..... 010 ..... 1010011";
    FmaxmH     "fmaxm.h"     Zfa+Zfh      Fp          "0010110 ..... ..... 011 ..... 1010011";
    FroundH    "fround.h"    Zfa+Zfh      FpUnaryRm   "0100010 00100 ..... ... ..... 1010011";
    FroundnxH  "froundnx.h"  Zfa+Zfh      FpUnaryRm   "0100010 00101 ..... ... ..... 1010011";
    FleqH      "fleq.h"      Zfa+Zfh      FpCmp       "1010010 ..... ..... 100 ..... 1010011";
    FltqH      "fltq.h"      Zfa+Zfh      FpCmp       "1010010 ..... ..... 101 ..... 1010011";

    // Zba (chapter 31).
    AddUw      "add.uw"      Zba          R           "0000100 ..... ..... 000 ..... 0111011";
    Sh1add     "sh1add"      Zba          R           "0010000 ..... ..... 010 ..... 0110011";
    Sh2add     "sh2add"      Zba          R           "0010000 ..... ..... 100 ..... 0110011";
    Sh3add     "sh3add"      Zba          R           "0010000 ..... ..... 110 ..... 0110011";
    Sh1addUw   "sh1add.uw"   Zba          R           "0010000 ..... ..... 010 ..... 0111011";
    Sh2addUw   "sh2add.uw"   Zba          R           "0010000 ..... ..... 100 ..... 0111011";
    Sh3addUw   "sh3add.uw"   Zba          R           "0010000 ..... ..... 110 ..... 0111011";
    SlliUw     "slli.uw"     Zba          Shamt6      "000010 ...... ..... 001 ..... 0011011";

    // Zbb. `zext.h` is `packw` with `rs2` = x0, which Zbkb would widen.
    Andn       "andn"        Zbb          R           "0100000 ..... ..... 111 ..... 0110011";
    Orn        "orn"         Zbb          R           "0100000 ..... ..... 110 ..... 0110011";
    Xnor       "xnor"        Zbb          R           "0100000 ..... ..... 100 ..... 0110011";
    Max        "max"         Zbb          R           "0000101 ..... ..... 110 ..... 0110011";
    Maxu       "maxu"        Zbb          R           "0000101 ..... ..... 111 ..... 0110011";
    Min        "min"         Zbb          R           "0000101 ..... ..... 100 ..... 0110011";
    Minu       "minu"        Zbb          R           "0000101 ..... ..... 101 ..... 0110011";
    Rol        "rol"         Zbb          R           "0110000 ..... ..... 001 ..... 0110011";
    Ror        "ror"         Zbb          R           "0110000 ..... ..... 101 ..... 0110011";
    Rolw       "rolw"        Zbb          R           "0110000 ..... ..... 001 ..... 0111011";
    Rorw       "rorw"        Zbb          R           "0110000 ..... ..... 101 ..... 0111011";
    Rori       "rori"        Zbb          Shamt6      "011000 ...... ..... 101 ..... 0010011";
    Roriw      "roriw"       Zbb          Shamt5      "0110000 ..... ..... 101 ..... 0011011";
    Clz        "clz"         Zbb          Unary       "0110000 00000 ..... 001 ..... 0010011";
    Ctz        "ctz"         Zbb          Unary       "0110000 00001 ..... 001 ..... 0010011";
    Cpop       "cpop"        Zbb          Unary       "0110000 00010 ..... 001 ..... 0010011";
    SextB      "sext.b"      Zbb          Unary       "0110000 00100 ..... 001 ..... 0010011";
    SextH      "sext.h"      Zbb          Unary       "0110000 00101 ..... 001 ..... 0010011";
    Clzw       "clzw"        Zbb          Unary       "0110000 00000 ..... 001 ..... 0011011";
    Ctzw       "ctzw"        Zbb          Unary       "0110000 00001 ..... 001 ..... 0011011";
    Cpopw      "cpopw"       Zbb          Unary       "0110000 00010 ..... 001 ..... 0011011";
    ZextH      "zext.h"      Zbb          Unary       "0000100 00000 ..... 100 ..... 0111011";
    OrcB       "orc.b"       Zbb          Unary       "0010100 00111 ..... 101 ..... 0010011";
    Rev8       "rev8"        Zbb          Unary       "0110101 11000 ..... 101 ..... 0010011";

    // Zbs.
    Bclr       "bclr"        Zbs          R           "0100100 ..... ..... 001 ..... 0110011";
    Bclri      "bclri"       Zbs          Shamt6      "010010 ...... ..... 001 ..... 0010011";
    Bext       "bext"        Zbs          R           "0100100 ..... ..... 101 ..... 0110011";
    Bexti      "bexti"       Zbs          Shamt6      "010010 ...... ..... 101 ..... 0010011";
    Binv       "binv"        Zbs          R           "0110100 ..... ..... 001 ..... 0110011";
    Binvi      "binvi"       Zbs          Shamt6      "011010 ...... ..... 001 ..... 0010011";
    Bset       "bset"        Zbs          R           "0010100 ..... ..... 001 ..... 0110011";
    Bseti      "bseti"       Zbs          Shamt6      "001010 ...... ..... 001 ..... 0010011";

    // Zbc.
    Clmul      "clmul"       Zbc          R           "0000101 ..... ..... 001 ..... 0110011";
    Clmulr     "clmulr"      Zbc          R           "0000101 ..... ..... 010 ..... 0110011";
    Clmulh     "clmulh"      Zbc          R           "0000101 ..... ..... 011 ..... 0110011";

    // Zicond.
    CzeroEqz   "czero.eqz"   Zicond       R           "0000111 ..... ..... 101 ..... 0110011";
    CzeroNez   "czero.nez"   Zicond       R           "0000111 ..... ..... 111 ..... 0110011";

    // Zicbom and Zicboz. (Zicbop and Zihintntl are HINTs: `ori` and `add` with `rd` = x0.)
    CboInval   "cbo.inval"   Zicbom       Cbo         "000000000000 ..... 010 00000 0001111";
    CboClean   "cbo.clean"   Zicbom       Cbo         "000000000001 ..... 010 00000 0001111";
    CboFlush   "cbo.flush"   Zicbom       Cbo         "000000000010 ..... 010 00000 0001111";
    CboZero    "cbo.zero"    Zicboz       Cbo         "000000000100 ..... 010 00000 0001111";

    // Zimop: `mop.r.n` with n in 0..32, `mop.rr.n` with n in 0..8; the number is in `imm`.
    MopR       "mop.r"       Zimop        MopR        "1.00..0 111.. ..... 100 ..... 1110011";
    MopRr      "mop.rr"      Zimop        MopRr       "1.00..1 ..... ..... 100 ..... 1110011";
} } } }
pub(crate) use for_each_insn;
