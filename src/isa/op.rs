//! `Op`, one variant per row of the table, and what a row says about it.

use super::ext::{Ext, ExtSet};
use super::table::for_each_insn;

/// The fixed bits of an encoding: a word matches when `word & mask == bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Bits that are fixed.
    pub mask: u32,
    /// Their values; zero outside `mask`.
    pub bits: u32,
}

impl Pattern {
    /// Whether `word` has all fixed bits of this pattern.
    #[inline]
    pub const fn matches(self, word: u32) -> bool {
        word & self.mask == self.bits
    }
}

/// Reads a pattern of `WIDTH` bits; anything but `0`, `1`, `.` and spaces fails the build.
pub(crate) const fn pattern<const WIDTH: usize>(s: &str) -> Pattern {
    let s = s.as_bytes();
    let (mut mask, mut bits, mut n, mut i) = (0u32, 0u32, 0, 0);
    while i < s.len() {
        let (fixed, one) = match s[i] {
            b' ' => {
                i += 1;
                continue;
            }
            b'0' => (1, 0),
            b'1' => (1, 1),
            b'.' => (0, 0),
            _ => panic!("pattern: only 0, 1, '.' and spaces"),
        };
        mask = mask << 1 | fixed;
        bits = bits << 1 | one;
        n += 1;
        i += 1;
    }
    assert!(n == WIDTH, "pattern: wrong number of bits");
    Pattern { mask, bits }
}

/// Which fields an encoding has and what they mean.
///
/// Names after the manual's formats; the operands are given in assembly order. "x" is an integer
/// register, "f" a floating-point register, "v" a vector register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// x rd, x rs1, x rs2.
    R,
    /// x rd, x rs1.
    Unary,
    /// x rd, x rs1, 12-bit immediate.
    I,
    /// x rd, x rs1, 6-bit shift amount.
    Shamt6,
    /// x rd, x rs1, 5-bit shift amount.
    Shamt5,
    /// x rd, imm(x rs1).
    Load,
    /// x rs2, imm(x rs1).
    Store,
    /// x rs1, x rs2, branch offset.
    B,
    /// x rd, upper immediate.
    U,
    /// x rd, jump offset.
    J,
    /// x rd, imm(x rs1): the jump through a register.
    Jalr,
    /// `imm` = bits 31:20 (fm, predecessor set, successor set); `rd` and `rs1` are reserved and
    /// ignored.
    Fence,
    /// As `Fence` with the sets fixed.
    FenceTso,
    /// `fence.i`: all fields reserved and ignored.
    FenceI,
    /// No operands.
    Bare,
    /// x rd, CSR, x rs1.
    Csr,
    /// x rd, CSR, 5-bit zero-extended immediate (in `rs1`).
    CsrImm,
    /// x rd, (x rs1), with aq and rl.
    Lr,
    /// x rd, x rs2, (x rs1), with aq and rl.
    Amo,
    /// As `Amo` where `rd` and `rs2` name even/odd register pairs and so must be even.
    AmoPair,
    /// (x rs1).
    Cbo,
    /// x rd, x rs1; `imm` = n of `mop.r.n`.
    MopR,
    /// x rd, x rs1, x rs2; `imm` = n of `mop.rr.n`.
    MopRr,
    /// f rd, imm(x rs1).
    FpLoad,
    /// f rs2, imm(x rs1).
    FpStore,
    /// f rd, f rs1, f rs2, f rs3, rm.
    FpR4,
    /// f rd, f rs1, f rs2, rm.
    FpRm,
    /// f rd, f rs1, rm.
    FpUnaryRm,
    /// f rd, f rs1, f rs2.
    Fp,
    /// x rd, f rs1, f rs2.
    FpCmp,
    /// x rd, f rs1.
    FpToInt,
    /// x rd, f rs1, rm.
    FpToIntRm,
    /// x rd, f rs1, rm fixed to round towards zero.
    FpToIntRtz,
    /// f rd, x rs1.
    IntToFp,
    /// f rd, x rs1, rm.
    IntToFpRm,
    /// f rd, index of the constant (in `rs1`).
    Fli,
    /// x rd, x rs1, `vtype` (11 bits).
    Vsetvli,
    /// x rd, 5-bit zero-extended immediate (in `rs1`), `vtype` (10 bits).
    Vsetivli,
    /// v rd, v rs2, v rs1, mask. (The mask of vector formats is bit 25, fixed where there is none.)
    VecVv,
    /// v rd, v rs2, x rs1, mask.
    VecVx,
    /// v rd, v rs2, 5-bit signed immediate, mask.
    VecVi,
    /// v rd, v rs2, 5-bit unsigned immediate, mask.
    VecVu,
    /// v rd, v rs2, 6-bit unsigned immediate, mask.
    VecVu6,
    /// v rd, v rs2, f rs1, mask.
    VecVf,
    /// v rd, v rs1, v rs2, mask: multiply-add, whose operands assembly has in this order.
    VecMacVv,
    /// v rd, x rs1, v rs2, mask.
    VecMacVx,
    /// v rd, f rs1, v rs2, mask.
    VecMacVf,
    /// v rd, v rs2, v rs1, v0 as an operand.
    VecVvm,
    /// v rd, v rs2, x rs1, v0 as an operand.
    VecVxm,
    /// v rd, v rs2, 5-bit signed immediate, v0 as an operand.
    VecVim,
    /// v rd, v rs2, f rs1, v0 as an operand.
    VecVfm,
    /// v rd, v rs2, mask.
    VecUnary,
    /// v rd, v rs1.
    VecMvV,
    /// v rd, x rs1.
    VecMvX,
    /// v rd, 5-bit signed immediate.
    VecMvI,
    /// v rd, f rs1.
    VecMvF,
    /// x rd, v rs2, mask.
    VecToX,
    /// f rd, v rs2.
    VecToF,
    /// v rd, mask.
    VecId,
    /// v rd, (x rs1), mask; also of stores, and with bits 31:29 for the number of fields.
    VecMem,
    /// v rd, (x rs1), x rs2, mask.
    VecMemStrided,
    /// v rd, (x rs1), v rs2, mask.
    VecMemIndexed,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The instruction.
    pub op: Op,
    /// Its name in assembly; `mop.r` and `mop.rr` lack their number.
    pub mnemonic: &'static str,
    /// The extensions that must all be there.
    pub needs: ExtSet,
    /// Operand fields.
    pub format: Format,
    /// Fixed bits of the encoding.
    pub pattern: Pattern,
}

macro_rules! define_op {
    ($($op:ident $mn:literal $ext:ident $(+ $more:ident)* $fmt:ident $enc:literal;)*) => {
        /// An instruction: one variant per row of the table, named after the mnemonic.
        ///
        /// Compressed instructions have no variants: they are other encodings of these.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Op { $(#[doc = concat!("`", $mn, "`")] $op),* }

        /// All rows; the row of `op` is at index `op as usize`.
        pub static TABLE: &[Row] = &[$(Row {
            op: Op::$op,
            mnemonic: $mn,
            needs: ExtSet::EMPTY.with(Ext::$ext)$(.with(Ext::$more))*,
            format: Format::$fmt,
            pattern: const { pattern::<32>($enc) },
        }),*];
    };
}
for_each_insn!(define_op);

impl Op {
    /// Number of operations.
    pub const COUNT: usize = TABLE.len();

    /// All instructions, in table order.
    pub fn all() -> impl ExactSizeIterator<Item = Op> + Clone {
        TABLE.iter().map(|row| row.op)
    }

    /// The row of this instruction.
    #[inline]
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The name in assembly, such as `amoadd.w`.
    pub fn mnemonic(self) -> &'static str {
        self.row().mnemonic
    }

    /// The fields of the encoding.
    #[inline]
    pub fn format(self) -> Format {
        self.row().format
    }
}
