//! F, D, Zfhmin and Zfa: floating point.

use super::rule::Rule;
use crate::cpu::canonical;
use crate::ir::FBinOp as B;
use crate::ir::Fmt::{self, D, H, S};
use crate::ir::{Builder, FBinOp, FCmpOp, FReg, FUnOp, IntFmt, Op, Reg, Rounding};
use crate::isa::{self, Insn};
use crate::opt;

/// Floating-point instructions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Float {
    /// Load.
    Load(Fmt),
    /// Store.
    Store(Fmt),
    /// `fd = fs1 op fs2`, rounded.
    Arith(FBinOp, Fmt),
    /// `fd = fs1 op fs2`, where nothing is rounded.
    Exact(FBinOp, Fmt),
    /// `fd = op fs1`
    Un(FUnOp, Fmt),
    /// Fused multiply-add.
    MulAdd {
        /// Format.
        fmt: Fmt,
        /// The product is negated.
        neg_product: bool,
        /// The addend is negated.
        neg_addend: bool,
    },
    /// `rd = fs1 op fs2`
    Cmp(FCmpOp, Fmt),
    /// `fclass`
    Class(Fmt),
    /// To an integer.
    ToInt(Fmt, IntFmt),
    /// From an integer.
    FromInt(Fmt, IntFmt),
    /// Between formats: from, to.
    Convert(Fmt, Fmt),
    /// `fmv.x`
    MoveToInt(Fmt),
    /// `fmv` from an integer register.
    MoveFromInt(Fmt),
    /// `fli`: to double precision rather than single.
    Const(bool),
}

const fn fp(what: Float) -> Rule {
    Rule::Float(what)
}

const fn mul_add(fmt: Fmt, neg_product: bool, neg_addend: bool) -> Rule {
    fp(Float::MulAdd { fmt, neg_product, neg_addend })
}

pub(super) const RULES: &[(isa::Op, Rule)] = &[
    (isa::Op::Flw, fp(Float::Load(S))),
    (isa::Op::Fsw, fp(Float::Store(S))),
    (isa::Op::Fld, fp(Float::Load(D))),
    (isa::Op::Fsd, fp(Float::Store(D))),
    (isa::Op::Flh, fp(Float::Load(H))),
    (isa::Op::Fsh, fp(Float::Store(H))),
    (isa::Op::FmaddS, mul_add(S, false, false)),
    (isa::Op::FmsubS, mul_add(S, false, true)),
    (isa::Op::FnmsubS, mul_add(S, true, false)),
    (isa::Op::FnmaddS, mul_add(S, true, true)),
    (isa::Op::FaddS, fp(Float::Arith(B::Add, S))),
    (isa::Op::FsubS, fp(Float::Arith(B::Sub, S))),
    (isa::Op::FmulS, fp(Float::Arith(B::Mul, S))),
    (isa::Op::FdivS, fp(Float::Arith(B::Div, S))),
    (isa::Op::FsgnjS, fp(Float::Exact(B::Sgnj, S))),
    (isa::Op::FsgnjnS, fp(Float::Exact(B::Sgnjn, S))),
    (isa::Op::FsgnjxS, fp(Float::Exact(B::Sgnjx, S))),
    (isa::Op::FminS, fp(Float::Exact(B::Min, S))),
    (isa::Op::FmaxS, fp(Float::Exact(B::Max, S))),
    (isa::Op::FminmS, fp(Float::Exact(B::Minm, S))),
    (isa::Op::FmaxmS, fp(Float::Exact(B::Maxm, S))),
    (isa::Op::FsqrtS, fp(Float::Un(FUnOp::Sqrt, S))),
    (isa::Op::FroundS, fp(Float::Un(FUnOp::Round, S))),
    (isa::Op::FroundnxS, fp(Float::Un(FUnOp::RoundNx, S))),
    (isa::Op::FleS, fp(Float::Cmp(FCmpOp::Le, S))),
    (isa::Op::FltS, fp(Float::Cmp(FCmpOp::Lt, S))),
    (isa::Op::FeqS, fp(Float::Cmp(FCmpOp::Eq, S))),
    (isa::Op::FleqS, fp(Float::Cmp(FCmpOp::Leq, S))),
    (isa::Op::FltqS, fp(Float::Cmp(FCmpOp::Ltq, S))),
    (isa::Op::FclassS, fp(Float::Class(S))),
    (isa::Op::FcvtWS, fp(Float::ToInt(S, IntFmt::W))),
    (isa::Op::FcvtSW, fp(Float::FromInt(S, IntFmt::W))),
    (isa::Op::FcvtWuS, fp(Float::ToInt(S, IntFmt::Wu))),
    (isa::Op::FcvtSWu, fp(Float::FromInt(S, IntFmt::Wu))),
    (isa::Op::FcvtLS, fp(Float::ToInt(S, IntFmt::L))),
    (isa::Op::FcvtSL, fp(Float::FromInt(S, IntFmt::L))),
    (isa::Op::FcvtLuS, fp(Float::ToInt(S, IntFmt::Lu))),
    (isa::Op::FcvtSLu, fp(Float::FromInt(S, IntFmt::Lu))),
    (isa::Op::FliS, fp(Float::Const(false))),
    (isa::Op::FmaddD, mul_add(D, false, false)),
    (isa::Op::FmsubD, mul_add(D, false, true)),
    (isa::Op::FnmsubD, mul_add(D, true, false)),
    (isa::Op::FnmaddD, mul_add(D, true, true)),
    (isa::Op::FaddD, fp(Float::Arith(B::Add, D))),
    (isa::Op::FsubD, fp(Float::Arith(B::Sub, D))),
    (isa::Op::FmulD, fp(Float::Arith(B::Mul, D))),
    (isa::Op::FdivD, fp(Float::Arith(B::Div, D))),
    (isa::Op::FsgnjD, fp(Float::Exact(B::Sgnj, D))),
    (isa::Op::FsgnjnD, fp(Float::Exact(B::Sgnjn, D))),
    (isa::Op::FsgnjxD, fp(Float::Exact(B::Sgnjx, D))),
    (isa::Op::FminD, fp(Float::Exact(B::Min, D))),
    (isa::Op::FmaxD, fp(Float::Exact(B::Max, D))),
    (isa::Op::FminmD, fp(Float::Exact(B::Minm, D))),
    (isa::Op::FmaxmD, fp(Float::Exact(B::Maxm, D))),
    (isa::Op::FsqrtD, fp(Float::Un(FUnOp::Sqrt, D))),
    (isa::Op::FroundD, fp(Float::Un(FUnOp::Round, D))),
    (isa::Op::FroundnxD, fp(Float::Un(FUnOp::RoundNx, D))),
    (isa::Op::FleD, fp(Float::Cmp(FCmpOp::Le, D))),
    (isa::Op::FltD, fp(Float::Cmp(FCmpOp::Lt, D))),
    (isa::Op::FeqD, fp(Float::Cmp(FCmpOp::Eq, D))),
    (isa::Op::FleqD, fp(Float::Cmp(FCmpOp::Leq, D))),
    (isa::Op::FltqD, fp(Float::Cmp(FCmpOp::Ltq, D))),
    (isa::Op::FclassD, fp(Float::Class(D))),
    (isa::Op::FcvtWD, fp(Float::ToInt(D, IntFmt::W))),
    (isa::Op::FcvtDW, fp(Float::FromInt(D, IntFmt::W))),
    (isa::Op::FcvtWuD, fp(Float::ToInt(D, IntFmt::Wu))),
    (isa::Op::FcvtDWu, fp(Float::FromInt(D, IntFmt::Wu))),
    (isa::Op::FcvtLD, fp(Float::ToInt(D, IntFmt::L))),
    (isa::Op::FcvtDL, fp(Float::FromInt(D, IntFmt::L))),
    (isa::Op::FcvtLuD, fp(Float::ToInt(D, IntFmt::Lu))),
    (isa::Op::FcvtDLu, fp(Float::FromInt(D, IntFmt::Lu))),
    (isa::Op::FliD, fp(Float::Const(true))),
    (isa::Op::FcvtSD, fp(Float::Convert(D, S))),
    (isa::Op::FcvtDS, fp(Float::Convert(S, D))),
    (isa::Op::FmvXW, fp(Float::MoveToInt(S))),
    (isa::Op::FmvWX, fp(Float::MoveFromInt(S))),
    (isa::Op::FmvXD, fp(Float::MoveToInt(D))),
    (isa::Op::FmvDX, fp(Float::MoveFromInt(D))),
    (isa::Op::FmvXH, fp(Float::MoveToInt(H))),
    (isa::Op::FmvHX, fp(Float::MoveFromInt(H))),
    (isa::Op::FcvtSH, Rule::Helper),
    (isa::Op::FcvtHS, Rule::Helper),
    (isa::Op::FcvtDH, Rule::Helper),
    (isa::Op::FcvtHD, Rule::Helper),
    (isa::Op::FcvtmodWD, Rule::Helper),
    (isa::Op::FmaddH, Rule::Helper),
    (isa::Op::FmsubH, Rule::Helper),
    (isa::Op::FnmsubH, Rule::Helper),
    (isa::Op::FnmaddH, Rule::Helper),
    (isa::Op::FaddH, Rule::Helper),
    (isa::Op::FsubH, Rule::Helper),
    (isa::Op::FmulH, Rule::Helper),
    (isa::Op::FdivH, Rule::Helper),
    (isa::Op::FsqrtH, Rule::Helper),
    (isa::Op::FsgnjH, Rule::Helper),
    (isa::Op::FsgnjnH, Rule::Helper),
    (isa::Op::FsgnjxH, Rule::Helper),
    (isa::Op::FminH, Rule::Helper),
    (isa::Op::FmaxH, Rule::Helper),
    (isa::Op::FleH, Rule::Helper),
    (isa::Op::FltH, Rule::Helper),
    (isa::Op::FeqH, Rule::Helper),
    (isa::Op::FclassH, Rule::Helper),
    (isa::Op::FcvtWH, Rule::Helper),
    (isa::Op::FcvtWuH, Rule::Helper),
    (isa::Op::FcvtLH, Rule::Helper),
    (isa::Op::FcvtLuH, Rule::Helper),
    (isa::Op::FcvtHW, Rule::Helper),
    (isa::Op::FcvtHWu, Rule::Helper),
    (isa::Op::FcvtHL, Rule::Helper),
    (isa::Op::FcvtHLu, Rule::Helper),
    (isa::Op::FcvtBf16S, Rule::Helper),
    (isa::Op::FcvtSBf16, Rule::Helper),
    (isa::Op::FliH, Rule::Helper),
    (isa::Op::FminmH, Rule::Helper),
    (isa::Op::FmaxmH, Rule::Helper),
    (isa::Op::FroundH, Rule::Helper),
    (isa::Op::FroundnxH, Rule::Helper),
    (isa::Op::FleqH, Rule::Helper),
    (isa::Op::FltqH, Rule::Helper),
];

impl Float {
    /// Whether it only moves values, raising no flags.
    pub(super) const fn is_simple(self) -> bool {
        matches!(self, Self::Exact(B::Sgnj | B::Sgnjn | B::Sgnjx, _) | Self::MoveFromInt(S | D))
    }
}

pub(super) fn lift(b: &mut Builder, what: Float, insn: &Insn) {
    let (rd, fd) = (Reg(insn.rd), FReg(insn.rd));
    let (base, off) = (Reg(insn.rs1), insn.imm);
    let (a, fb) = (FReg(insn.rs1), FReg(insn.rs2));
    let rm = rounding(insn.rm);
    let op = match what {
        Float::Load(fmt) => Op::FLoad { fmt, fd, base, off },
        Float::Store(fmt) => Op::FStore { fmt, fs: fb, base, off },
        Float::Arith(op, fmt) => Op::FBin { op, fmt, rm, fd, a, b: fb },
        Float::Exact(op, fmt) => Op::FBin { op, fmt, rm: Rounding::Rne, fd, a, b: fb },
        Float::Un(op, fmt) => Op::FUn { op, fmt, rm, fd, a },
        Float::MulAdd { fmt, neg_product, neg_addend } => {
            Op::FMulAdd { fmt, rm, neg_product, neg_addend, fd, a, b: fb, c: FReg(insn.rs3) }
        }
        Float::Cmp(op, fmt) => Op::FCmp { op, fmt, rd, a, b: fb },
        // These two do nothing but write `rd`.
        Float::Class(_) | Float::MoveToInt(_) if rd.is_zero() => return,
        Float::Class(fmt) => Op::FClass { fmt, rd, a },
        Float::MoveToInt(fmt) => Op::FMoveToInt { fmt, rd, a },
        Float::ToInt(fmt, int) => Op::FToInt { fmt, int, rm, rd, a },
        Float::FromInt(fmt, int) => Op::FFromInt { fmt, int, rm, fd, a: base },
        Float::Convert(from, to) => Op::FConvert { from, to, rm, fd, a },
        Float::MoveFromInt(fmt) => Op::FMoveFromInt { fmt, fd, a: base },
        Float::Const(double) => Op::FConst { fd, bits: constant(double, insn.rs1) },
    };
    opt::add(b, op);
}

/// The mode that `rm` names; the decoder lets through 0..=4 and 7 only.
const fn rounding(rm: u8) -> Rounding {
    match rm {
        0 => Rounding::Rne,
        1 => Rounding::Rtz,
        2 => Rounding::Rdn,
        3 => Rounding::Rup,
        4 => Rounding::Rmm,
        _ => Rounding::Dyn,
    }
}

/// Constant number `index` of `fli` (unprivileged manual, "Load-Immediate Instructions" of Zfa),
/// as a register holds it.
fn constant(double: bool, index: u8) -> u64 {
    const SMALLEST_NORMAL: u8 = 1;
    const NAN: u8 = 31;
    let value = FLI[usize::from(index & 31)];
    if double {
        return match index {
            SMALLEST_NORMAL => f64::MIN_POSITIVE.to_bits(),
            NAN => canonical::NAN64,
            _ => value.to_bits(),
        };
    }
    let bits = match index {
        SMALLEST_NORMAL => f32::MIN_POSITIVE.to_bits(),
        NAN => canonical::NAN32,
        // Exact: every other constant is a single-precision number.
        _ => (value as f32).to_bits(),
    };
    u64::from(bits) | u64::from(u32::MAX) << 32
}

/// The constants of `fli`. The second is the smallest normal number of the format.
#[rustfmt::skip]
const FLI: [f64; 32] = [
    -1.0, f64::MIN_POSITIVE, 1.0 / 65536.0, 1.0 / 32768.0, 1.0 / 256.0, 1.0 / 128.0, 0.0625, 0.125,
    0.25, 0.3125, 0.375, 0.4375, 0.5, 0.625, 0.75, 0.875,
    1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0,
    8.0, 16.0, 128.0, 256.0, 32768.0, 65536.0, f64::INFINITY, f64::NAN,
];
