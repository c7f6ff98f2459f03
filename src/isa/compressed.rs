//! The 16-bit encodings: a second table, each row an encoding of an instruction of the first.

use super::imm::Imm;
use super::op::{Pattern, pattern};
use super::operand_layout::{CPlan, Field};
use super::{Ext, ExtSet, Op, reg};

/// Where a 16-bit encoding keeps its operands (manual, "Compressed Instruction Formats"). A primed
/// register field has three bits and names x8 to x15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CFormat {
    /// rd', x2, non-zero multiple of 4.
    Ciw,
    /// rd', offset(rs1') in bytes, halfwords, words and doublewords.
    Cl1,
    Cl2,
    Cl4,
    Cl8,
    /// rs2', offset(rs1').
    Cs1,
    Cs2,
    Cs4,
    Cs8,
    /// rd = rs1, immediate.
    Ci,
    /// The same where rd = x0 is reserved.
    CiNotZero,
    /// rd, x0, immediate.
    CiLoad,
    /// rd, non-zero immediate times 4096.
    CiUpper,
    /// x2, x2, non-zero multiple of 16.
    CiStack,
    /// x0, x0, 0.
    Cmop,
    /// rd = rs1, shift amount.
    CiShift,
    /// rd' = rs1', shift amount.
    CbShift,
    /// rd' = rs1', immediate.
    CbImm,
    /// rd' = rs1', rs2'.
    Ca,
    /// rd' = rs1'.
    Cu,
    /// rd' = rs1', 255.
    CuByte,
    /// rd' = rs1', -1.
    CuNot,
    /// x0, jump offset.
    Cj,
    /// rs1', x0, branch offset.
    Cb,
    /// rd, offset(x2); rd = x0 is reserved.
    CiSp4,
    CiSp8,
    /// f rd, offset(x2).
    CiSp8Float,
    /// rs2, offset(x2).
    CssSp4,
    CssSp8,
    /// x0 or x1, 0(rs1); rs1 = x0 is reserved where it is a jump without link.
    CrJump,
    CrLink,
    /// rd, x0, rs2.
    CrMove,
    /// rd = rs1, rs2.
    CrAdd,
    /// No operands.
    CrBare,
}

/// One row: a 16-bit encoding.
#[derive(Clone, Copy, Debug)]
pub(super) struct CRow {
    /// Name, with its `c.`.
    pub(super) mnemonic: &'static str,
    /// The extensions that must all be there.
    pub(super) needs: ExtSet,
    /// Operand fields.
    pub(super) format: CFormat,
    /// Fixed bits of the encoding, in the low half.
    pub(super) pattern: Pattern,
    /// Operation that it stands for.
    pub(super) op: Op,
}

/// Hands all rows to the macro `$m`. Where two rows match one halfword, the row with more fixed
/// bits wins.
macro_rules! for_each_compressed {
    ($m:ident) => {
        $m! {
            // Quadrant 0.
            "c.addi4spn" Zca     Ciw        Addi  "000 ........ ... 00";
            "c.fld"      Zcd     Cl8        Fld   "001 ... ... .. ... 00";
            "c.lw"       Zca     Cl4        Lw    "010 ... ... .. ... 00";
            "c.ld"       Zca     Cl8        Ld    "011 ... ... .. ... 00";
            "c.lbu"      Zcb     Cl1        Lbu   "100 000 ... .. ... 00";
            "c.lhu"      Zcb     Cl2        Lhu   "100 001 ... 0. ... 00";
            "c.lh"       Zcb     Cl2        Lh    "100 001 ... 1. ... 00";
            "c.sb"       Zcb     Cs1        Sb    "100 010 ... .. ... 00";
            "c.sh"       Zcb     Cs2        Sh    "100 011 ... 0. ... 00";
            "c.fsd"      Zcd     Cs8        Fsd   "101 ... ... .. ... 00";
            "c.sw"       Zca     Cs4        Sw    "110 ... ... .. ... 00";
            "c.sd"       Zca     Cs8        Sd    "111 ... ... .. ... 00";

            // Quadrant 1.
            "c.addi"     Zca     Ci         Addi  "000 . ..... ..... 01";
            "c.addiw"    Zca     CiNotZero  Addiw "001 . ..... ..... 01";
            "c.li"       Zca     CiLoad     Addi  "010 . ..... ..... 01";
            "c.lui"      Zca     CiUpper    Lui   "011 . ..... ..... 01";
            "c.addi16sp" Zca     CiStack    Addi  "011 . 00010 ..... 01";
            "c.mop.n"    Zcmop   Cmop       Addi  "011 0 0...1 00000 01";
            "c.srli"     Zca     CbShift    Srli  "100 . 00 ... ..... 01";
            "c.srai"     Zca     CbShift    Srai  "100 . 01 ... ..... 01";
            "c.andi"     Zca     CbImm      Andi  "100 . 10 ... ..... 01";
            "c.sub"      Zca     Ca         Sub   "100 0 11 ... 00 ... 01";
            "c.xor"      Zca     Ca         Xor   "100 0 11 ... 01 ... 01";
            "c.or"       Zca     Ca         Or    "100 0 11 ... 10 ... 01";
            "c.and"      Zca     Ca         And   "100 0 11 ... 11 ... 01";
            "c.subw"     Zca     Ca         Subw  "100 1 11 ... 00 ... 01";
            "c.addw"     Zca     Ca         Addw  "100 1 11 ... 01 ... 01";
            "c.mul"      Zcb+M   Ca         Mul   "100 1 11 ... 10 ... 01";
            "c.zext.b"   Zcb     CuByte     Andi  "100 1 11 ... 11 000 01";
            "c.sext.b"   Zcb+Zbb Cu         SextB "100 1 11 ... 11 001 01";
            "c.zext.h"   Zcb+Zbb Cu         ZextH "100 1 11 ... 11 010 01";
            "c.sext.h"   Zcb+Zbb Cu         SextH "100 1 11 ... 11 011 01";
            "c.zext.w"   Zcb+Zba Cu         AddUw "100 1 11 ... 11 100 01";
            "c.not"      Zcb     CuNot      Xori  "100 1 11 ... 11 101 01";
            "c.j"        Zca     Cj         Jal   "101 ........... 01";
            "c.beqz"     Zca     Cb         Beq   "110 ... ... ..... 01";
            "c.bnez"     Zca     Cb         Bne   "111 ... ... ..... 01";

            // Quadrant 2.
            "c.slli"     Zca     CiShift    Slli  "000 . ..... ..... 10";
            "c.fldsp"    Zcd     CiSp8Float Fld   "001 . ..... ..... 10";
            "c.lwsp"     Zca     CiSp4      Lw    "010 . ..... ..... 10";
            "c.ldsp"     Zca     CiSp8      Ld    "011 . ..... ..... 10";
            "c.mv"       Zca     CrMove     Add   "100 0 ..... ..... 10";
            "c.jr"       Zca     CrJump     Jalr  "100 0 ..... 00000 10";
            "c.add"      Zca     CrAdd      Add   "100 1 ..... ..... 10";
            "c.jalr"     Zca     CrLink     Jalr  "100 1 ..... 00000 10";
            "c.ebreak"   Zca     CrBare     Ebreak "100 1 00000 00000 10";
            "c.fsdsp"    Zcd     CssSp8     Fsd   "101 ...... ..... 10";
            "c.swsp"     Zca     CssSp4     Sw    "110 ...... ..... 10";
            "c.sdsp"     Zca     CssSp8     Sd    "111 ...... ..... 10";
        }
    };
}
pub(super) use for_each_compressed;

macro_rules! define_compressed {
    ($($mn:literal $ext:ident $(+ $more:ident)* $fmt:ident $op:ident $enc:literal;)*) => {
        /// All rows.
        pub(super) static COMPRESSED: &[CRow] = &[$(CRow {
            mnemonic: $mn,
            needs: ExtSet::EMPTY.with(Ext::$ext)$(.with(Ext::$more))*,
            format: CFormat::$fmt,
            pattern: const { pattern::<16>($enc) },
            op: Op::$op,
        }),*];
    };
}
for_each_compressed!(define_compressed);

impl CFormat {
    /// How to take the operands out of a halfword.
    pub(super) const fn plan(self) -> CPlan {
        const NONE: Field = Field::Fixed(0);
        const SP: Field = Field::Fixed(reg::SP);
        const RA: Field = Field::Fixed(reg::RA);
        use Field::{High, HighPrimed, Low, LowPrimed};
        match self {
            CFormat::Ciw => CPlan::new(LowPrimed, SP, NONE, Imm::CAddi4spn).nonzero_imm(),
            CFormat::Cl1 => CPlan::new(LowPrimed, HighPrimed, NONE, Imm::COff1),
            CFormat::Cl2 => CPlan::new(LowPrimed, HighPrimed, NONE, Imm::COff2),
            CFormat::Cl4 => CPlan::new(LowPrimed, HighPrimed, NONE, Imm::COff4),
            CFormat::Cl8 => CPlan::new(LowPrimed, HighPrimed, NONE, Imm::COff8),
            CFormat::Cs1 => CPlan::new(NONE, HighPrimed, LowPrimed, Imm::COff1),
            CFormat::Cs2 => CPlan::new(NONE, HighPrimed, LowPrimed, Imm::COff2),
            CFormat::Cs4 => CPlan::new(NONE, HighPrimed, LowPrimed, Imm::COff4),
            CFormat::Cs8 => CPlan::new(NONE, HighPrimed, LowPrimed, Imm::COff8),
            CFormat::Ci => CPlan::new(High, High, NONE, Imm::C6),
            CFormat::CiNotZero => CPlan::new(High, High, NONE, Imm::C6).nonzero_rd(),
            CFormat::CiLoad => CPlan::new(High, NONE, NONE, Imm::C6),
            CFormat::CiUpper => CPlan::new(High, NONE, NONE, Imm::CUpper).nonzero_imm(),
            CFormat::CiStack => CPlan::new(SP, SP, NONE, Imm::CAddi16sp).nonzero_imm(),
            CFormat::Cmop | CFormat::CrBare => CPlan::new(NONE, NONE, NONE, Imm::None),
            CFormat::CiShift => CPlan::new(High, High, NONE, Imm::CShift),
            CFormat::CbShift => CPlan::new(HighPrimed, HighPrimed, NONE, Imm::CShift),
            CFormat::CbImm => CPlan::new(HighPrimed, HighPrimed, NONE, Imm::C6),
            CFormat::Ca => CPlan::new(HighPrimed, HighPrimed, LowPrimed, Imm::None),
            CFormat::Cu => CPlan::new(HighPrimed, HighPrimed, NONE, Imm::None),
            CFormat::CuByte => CPlan::new(HighPrimed, HighPrimed, NONE, Imm::C255),
            CFormat::CuNot => CPlan::new(HighPrimed, HighPrimed, NONE, Imm::CMinus1),
            CFormat::Cj => CPlan::new(NONE, NONE, NONE, Imm::CJump),
            CFormat::Cb => CPlan::new(NONE, HighPrimed, NONE, Imm::CBranch),
            CFormat::CiSp4 => CPlan::new(High, SP, NONE, Imm::CLoadSp4).nonzero_rd(),
            CFormat::CiSp8 => CPlan::new(High, SP, NONE, Imm::CLoadSp8).nonzero_rd(),
            CFormat::CiSp8Float => CPlan::new(High, SP, NONE, Imm::CLoadSp8),
            CFormat::CssSp4 => CPlan::new(NONE, SP, Low, Imm::CStoreSp4),
            CFormat::CssSp8 => CPlan::new(NONE, SP, Low, Imm::CStoreSp8),
            CFormat::CrJump => CPlan::new(NONE, High, NONE, Imm::None).nonzero_rs1(),
            CFormat::CrLink => CPlan::new(RA, High, NONE, Imm::None),
            CFormat::CrMove => CPlan::new(High, NONE, Low, Imm::None),
            CFormat::CrAdd => CPlan::new(High, High, Low, Imm::None),
        }
    }
}

/// The name of the most specific row that matches `half`; empty if there is none.
pub(super) fn name(half: u32) -> &'static str {
    COMPRESSED
        .iter()
        .filter(|row| row.pattern.matches(half))
        .max_by_key(|row| row.pattern.mask.count_ones())
        .map_or("", |row| row.mnemonic)
}
