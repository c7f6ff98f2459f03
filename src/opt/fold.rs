//! Constant folding: an operation whose operands are constants is a constant.
//!
//! Here only what the operation right before has made a constant is known; the emitter, which knows
//! all constants of a block, asks [`fold`] too.

use crate::ir::{BinOp, Builder, Op, Reg, Src, Width};

/// Operations with a constant second operand.
#[inline(always)]
pub(super) const fn concerns(op: &Op) -> bool {
    matches!(op, Op::Bin { b: Src::Imm(_), .. })
}

/// Makes the operation a constant if its first operand is one. A constant that the result replaces
/// is never seen, and taken back.
pub(super) fn rewrite(b: &mut Builder, op: Op) -> Option<Op> {
    let Op::Bin { op: bin, w, rd, a, b: Src::Imm(imm) } = op else { return Some(op) };
    // What each of these gives is worth knowing before the block is complete: constants and
    // addresses are made of them.
    let cheap = matches!(
        bin,
        BinOp::Add
            | BinOp::And
            | BinOp::Or
            | BinOp::Xor
            | BinOp::Sll
            | BinOp::Srl
            | BinOp::Sra
            | BinOp::SllUw
    );
    let Some(value) = constant(b, a).filter(|_| cheap) else { return Some(op) };
    if rd == a && !a.is_zero() {
        b.drop_last();
    }
    Some(Op::Const { rd, value: bin.eval(w, value, i64::from(imm) as u64) })
}

/// The value of `r`, if the last operation has made it a constant, or if it is x0.
#[must_use]
pub fn constant(b: &Builder, r: Reg) -> Option<u64> {
    if r.is_zero() {
        return Some(0);
    }
    match b.block().nodes.last()?.op {
        Op::Const { rd, value } if rd == r => Some(value),
        _ => None,
    }
}

/// The value of an operation on two constants; `None` where it is not worth knowing.
#[must_use]
pub fn fold(op: BinOp, w: Width, a: u64, b: u64) -> Option<u64> {
    let cheap = matches!(
        op,
        BinOp::Add
            | BinOp::Sub
            | BinOp::And
            | BinOp::Or
            | BinOp::Xor
            | BinOp::Sll
            | BinOp::Srl
            | BinOp::Sra
            | BinOp::Slt
            | BinOp::Sltu
    );
    cheap.then(|| op.eval(w, a, b))
}

#[cfg(test)]
mod tests {
    use super::super::check::added;
    use super::*;

    #[test]
    fn word_operations_fold_to_sign_extended_values() {
        assert_eq!(fold(BinOp::Add, Width::W, 0x7fff_ffff, 1), Some(0xffff_ffff_8000_0000));
        assert_eq!(fold(BinOp::Srl, Width::W, u64::MAX, 0), Some(u64::MAX));
        assert_eq!(fold(BinOp::Srl, Width::W, u64::MAX, 1), Some(0x7fff_ffff));
    }

    #[test]
    fn a_constant_is_taken_back_only_if_it_is_replaced() {
        assert_eq!(added(&["const x5, 0x7ffff000", "add.d x5, x5, 1"]), ["const x5, 0x7ffff001"]);
        let both = ["const x5, 0x5", "const x6, 0xa"];
        assert_eq!(added(&["const x5, 0x5", "sll.d x6, x5, 1"]), both);
        assert_eq!(added(&["const x5, 0x5", "add.d x6, x7, 1"])[1], "add.d x6, x7, 1");
        assert_eq!(added(&["const x5, 0x5", "or.d x0, x0, 3"])[0], "const x5, 0x5");
    }
}
