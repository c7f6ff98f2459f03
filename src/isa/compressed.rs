//! The 16-bit encodings: a second table, each row an encoding of an instruction of the first.

use super::imm::{bits, sext};
use super::op::{Pattern, pattern};
use super::{Ext, ExtSet, Insn, Op, reg};

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
    /// Its fields.
    pub(super) format: CFormat,
    /// Its fixed bits, in the low half.
    pub(super) pattern: Pattern,
    /// What it is an encoding of.
    pub(super) op: Op,
}

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

// Where two rows match one halfword, the row with more fixed bits wins.
define_compressed! {
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

/// The expansion of `half`, which matches a row with these `op` and `format`; `None` if its operands
/// are reserved.
pub(super) fn expand(op: Op, format: CFormat, half: u32) -> Option<Insn> {
    // Full register fields, and the primed ones.
    let (rd, rs2) = (bits(half, 11, 7) as u8, bits(half, 6, 2) as u8);
    let (high, low) = (bits(half, 9, 7) as u8 + 8, bits(half, 4, 2) as u8 + 8);
    let imm6 = sext(bits(half, 12, 12) << 5 | bits(half, 6, 2), 6);
    let shamt = imm6 & 63;
    let off4 = bits(half, 5, 5) << 6 | bits(half, 12, 10) << 3 | bits(half, 6, 6) << 2;
    let off8 = bits(half, 6, 5) << 6 | bits(half, 12, 10) << 3;
    let off1 = bits(half, 5, 5) << 1 | bits(half, 6, 6);
    let off2 = bits(half, 5, 5) << 1;

    let (rd, rs1, rs2, imm) = match format {
        CFormat::Ciw => (low, reg::SP, 0, nonzero(addi4spn(half))?),
        CFormat::Cl1 => (low, high, 0, off1 as i32),
        CFormat::Cl2 => (low, high, 0, off2 as i32),
        CFormat::Cl4 => (low, high, 0, off4 as i32),
        CFormat::Cl8 => (low, high, 0, off8 as i32),
        CFormat::Cs1 => (0, high, low, off1 as i32),
        CFormat::Cs2 => (0, high, low, off2 as i32),
        CFormat::Cs4 => (0, high, low, off4 as i32),
        CFormat::Cs8 => (0, high, low, off8 as i32),
        CFormat::Ci => (rd, rd, 0, imm6),
        CFormat::CiNotZero if rd == 0 => return None,
        CFormat::CiNotZero => (rd, rd, 0, imm6),
        CFormat::CiLoad => (rd, 0, 0, imm6),
        CFormat::CiUpper => (rd, 0, 0, nonzero(imm6)? << 12),
        CFormat::CiStack => (reg::SP, reg::SP, 0, nonzero(addi16sp(half))?),
        CFormat::Cmop | CFormat::CrBare => (0, 0, 0, 0),
        CFormat::CiShift => (rd, rd, 0, shamt),
        CFormat::CbShift => (high, high, 0, shamt),
        CFormat::CbImm => (high, high, 0, imm6),
        CFormat::Ca => (high, high, low, 0),
        CFormat::Cu => (high, high, 0, 0),
        CFormat::CuByte => (high, high, 0, 255),
        CFormat::CuNot => (high, high, 0, -1),
        CFormat::Cj => (0, 0, 0, jump_offset(half)),
        CFormat::Cb => (0, high, 0, branch_offset(half)),
        CFormat::CiSp4 | CFormat::CiSp8 if rd == 0 => return None,
        CFormat::CiSp4 => (rd, reg::SP, 0, load_sp4(half)),
        CFormat::CiSp8 | CFormat::CiSp8Float => (rd, reg::SP, 0, load_sp8(half)),
        CFormat::CssSp4 => {
            (0, reg::SP, rs2, (bits(half, 8, 7) << 6 | bits(half, 12, 9) << 2) as i32)
        }
        CFormat::CssSp8 => {
            (0, reg::SP, rs2, (bits(half, 9, 7) << 6 | bits(half, 12, 10) << 3) as i32)
        }
        CFormat::CrJump if rd == 0 => return None,
        CFormat::CrJump => (0, rd, 0, 0),
        CFormat::CrLink => (reg::RA, rd, 0, 0),
        CFormat::CrMove => (rd, 0, rs2, 0),
        CFormat::CrAdd => (rd, rd, rs2, 0),
    };
    Some(Insn { op, rd, rs1, rs2, rs3: 0, rm: 0, len: 2, imm, bits: half })
}

/// The name of the most specific row that matches `half`; empty if there is none.
pub(super) fn name(half: u32) -> &'static str {
    COMPRESSED
        .iter()
        .filter(|row| row.pattern.matches(half))
        .max_by_key(|row| row.pattern.mask.count_ones())
        .map_or("", |row| row.mnemonic)
}

fn nonzero(imm: i32) -> Option<i32> {
    (imm != 0).then_some(imm)
}

fn addi4spn(half: u32) -> i32 {
    (bits(half, 10, 7) << 6
        | bits(half, 12, 11) << 4
        | bits(half, 5, 5) << 3
        | bits(half, 6, 6) << 2) as i32
}

fn addi16sp(half: u32) -> i32 {
    let imm = bits(half, 12, 12) << 9
        | bits(half, 4, 3) << 7
        | bits(half, 5, 5) << 6
        | bits(half, 2, 2) << 5
        | bits(half, 6, 6) << 4;
    sext(imm, 10)
}

fn jump_offset(half: u32) -> i32 {
    let imm = bits(half, 12, 12) << 11
        | bits(half, 8, 8) << 10
        | bits(half, 10, 9) << 8
        | bits(half, 6, 6) << 7
        | bits(half, 7, 7) << 6
        | bits(half, 2, 2) << 5
        | bits(half, 11, 11) << 4
        | bits(half, 5, 3) << 1;
    sext(imm, 12)
}

fn branch_offset(half: u32) -> i32 {
    let imm = bits(half, 12, 12) << 8
        | bits(half, 6, 5) << 6
        | bits(half, 2, 2) << 5
        | bits(half, 11, 10) << 3
        | bits(half, 4, 3) << 1;
    sext(imm, 9)
}

fn load_sp4(half: u32) -> i32 {
    (bits(half, 3, 2) << 6 | bits(half, 12, 12) << 5 | bits(half, 6, 4) << 2) as i32
}

fn load_sp8(half: u32) -> i32 {
    (bits(half, 4, 2) << 6 | bits(half, 12, 12) << 5 | bits(half, 6, 5) << 3) as i32
}
