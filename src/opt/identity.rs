//! Operations with x0 as an operand, and moves of a register to itself.

use crate::ir::{BinOp, Builder, Op, Src, UnOp, Width};

/// Operations with two operands.
#[inline(always)]
pub(super) const fn concerns(op: &Op) -> bool {
    matches!(op, Op::Bin { .. })
}

/// Makes sums with x0 sums with a constant, or nothing.
pub(super) fn rewrite(_: &mut Builder, op: Op) -> Option<Op> {
    let new = match op {
        Op::Bin { op: BinOp::Add, w, rd, a, b: Src::Reg(b) } if b.is_zero() => {
            Op::Bin { op: BinOp::Add, w, rd, a, b: Src::Imm(0) }
        }
        Op::Bin { op: BinOp::Add, w, rd, a, b: Src::Reg(b) } if a.is_zero() => {
            Op::Bin { op: BinOp::Add, w, rd, a: b, b: Src::Imm(0) }
        }
        Op::Bin { op: BinOp::AddUw, rd, a, b: Src::Reg(b), .. } if b.is_zero() => {
            Op::Un { op: UnOp::ZextW, w: Width::D, rd, a }
        }
        op => op,
    };
    let nothing = matches!(new,
        Op::Bin { op: BinOp::Add, w: Width::D, rd, a, b: Src::Imm(0) } if rd == a);
    (!nothing).then_some(new)
}

#[cfg(test)]
mod tests {
    use super::super::check::added;

    #[test]
    fn moves_are_sums_with_a_constant_and_those_to_oneself_are_nothing() {
        let lines = [
            ("add.d x5, x6, x0", &["add.d x5, x6, 0"][..]),
            ("add.w x5, x0, x6", &["add.w x5, x6, 0"]),
            ("adduw.d x5, x6, x0", &["zextw.d x5, x6"]),
            ("add.d x5, x5, x0", &[]),
            ("add.w x5, x5, 0", &["add.w x5, x5, 0"]),
        ];
        for (before, after) in lines {
            assert_eq!(added(&[before]), after, "{before}");
        }
    }
}
