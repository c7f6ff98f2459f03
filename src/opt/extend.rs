//! Shifts left and then right of one register in place, which compilers use where there is no Zbb,
//! as extensions of its low bits.

use crate::ir::{BinOp, Builder, Op, Src, UnOp, Width};

/// Shifts to the right by a constant.
#[inline(always)]
pub(super) const fn concerns(op: &Op) -> bool {
    matches!(op, Op::Bin { op: BinOp::Srl | BinOp::Sra, b: Src::Imm(_), .. })
}

/// Takes back a shift to the left, of which the one to the right makes an extension.
pub(super) fn rewrite(b: &mut Builder, op: Op) -> Option<Op> {
    let extension = b.block().nodes.last().and_then(|first| extension(&first.op, &op));
    if extension.is_some() {
        b.drop_last();
    }
    extension.or(Some(op))
}

/// What two shifts of one register do together, if that is an extension.
fn extension(first: &Op, second: &Op) -> Option<Op> {
    let Op::Bin { op: BinOp::Sll, w, rd: mid, a, b: Src::Imm(left) } = *first else { return None };
    let Op::Bin { op, w: w2, rd, a: again, b: Src::Imm(right) } = *second else { return None };
    if w != w2 || mid != rd || again != rd {
        return None;
    }
    let un = |op| Some(Op::Un { op, w: Width::D, rd, a });
    let bin = |op, w, imm| Some(Op::Bin { op, w, rd, a, b: Src::Imm(imm) });
    match (op, w, left, right) {
        (BinOp::Srl, Width::D, 32, 32) => un(UnOp::ZextW),
        (BinOp::Srl, Width::D, 32, 1..32) => bin(BinOp::SllUw, Width::D, 32 - right),
        (BinOp::Srl, Width::D, 48, 48) | (BinOp::Srl, Width::W, 16, 16) => un(UnOp::ZextH),
        (BinOp::Srl, Width::D, 56, 56) | (BinOp::Srl, Width::W, 24, 24) => {
            bin(BinOp::And, Width::D, 0xff)
        }
        (BinOp::Sra, Width::D, 32, 32) => bin(BinOp::Add, Width::W, 0),
        (BinOp::Sra, Width::D, 48, 48) | (BinOp::Sra, Width::W, 16, 16) => un(UnOp::SextH),
        (BinOp::Sra, Width::D, 56, 56) | (BinOp::Sra, Width::W, 24, 24) => un(UnOp::SextB),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{VALUES, result};
    use super::*;
    use crate::ir::Reg;

    #[test]
    fn extensions_do_what_both_shifts_do() {
        let (rd, a) = (Reg(5), Reg(6));
        let mut found = 0;
        for (w, bits) in [(Width::W, 32), (Width::D, 64)] {
            for (left, right) in (0..bits).flat_map(|left| (0..bits).map(move |r| (left, r))) {
                let first = Op::Bin { op: BinOp::Sll, w, rd, a, b: Src::Imm(left) };
                for op in [BinOp::Srl, BinOp::Sra] {
                    let second = Op::Bin { op, w, rd, a: rd, b: Src::Imm(right) };
                    let Some(both) = extension(&first, &second) else { continue };
                    found += 1;
                    let mixed = (0..64).map(|n| 0x9e37_79b9_7f4a_7c15u64.rotate_left(n));
                    for value in VALUES.into_iter().chain(mixed) {
                        let expected = result(&[first, second], rd, (a, value));
                        let actual = result(&[both], rd, (a, value));
                        assert_eq!(actual, expected, "{first}; {second}; {both}");
                    }
                }
            }
        }
        assert_eq!(found, 41);
    }
}
