//! Instructions that become one operation together.
//!
//! Two instructions are fused only if the second overwrites what the first wrote, and the first can
//! neither fault nor be seen otherwise: then no state between the two is ever visible. What spans
//! more (constants, address arithmetic, pending extensions) is the backend's to see.

use crate::ir::{BinOp, Builder, Op, Reg, Src, UnOp, Width};

/// Adds `rd = a op other`; `rd` is not zero.
pub(super) fn bin(b: &mut Builder, op: BinOp, w: Width, rd: Reg, a: Reg, other: Reg) {
    match op {
        BinOp::Add if other.is_zero() => bin_imm(b, op, w, rd, a, 0),
        BinOp::Add if a.is_zero() => bin_imm(b, op, w, rd, other, 0),
        BinOp::AddUw if other.is_zero() => b.push(Op::Un { op: UnOp::ZextW, w: Width::D, rd, a }),
        _ => b.push(Op::Bin { op, w, rd, a, b: Src::Reg(other) }),
    }
}

/// Adds `rd = a op imm`; `rd` is not zero.
pub(super) fn bin_imm(b: &mut Builder, op: BinOp, w: Width, rd: Reg, a: Reg, imm: i32) {
    if (op, w, imm, rd) == (BinOp::Add, Width::D, 0, a) {
        return;
    }
    let new = Op::Bin { op, w, rd, a, b: Src::Imm(imm) };
    let last = b.block().nodes.last().filter(|node| node.writes() & 1 << a.0 != 0);
    if last.is_none() && !a.is_zero() {
        return b.push(new);
    }
    let constant = match last.map(|node| node.op) {
        _ if a.is_zero() => Some(0),
        Some(Op::Const { value, .. }) => Some(value),
        _ => None,
    };
    let (op, last_is_dead) = if let Some(value) = constant.and_then(|value| fold(&new, value)) {
        (Op::Const { rd, value }, rd == a)
    } else if let Some(op) = last.and_then(|last| shifts(&last.op, &new)) {
        (op, true)
    } else {
        (new, false)
    };
    // A zero operand is no operation's result.
    if last_is_dead && !a.is_zero() {
        b.replace_last(op);
    } else {
        b.push(op);
    }
}

/// The result of `op`, which has a constant second operand, when the first is `a`.
fn fold(op: &Op, a: u64) -> Option<u64> {
    let Op::Bin { op, w, b: Src::Imm(imm), .. } = *op else { return None };
    let b = imm as u64;
    let sext = |value: u32| value as i32 as u64;
    let low = a as u32;
    Some(match (op, w) {
        (BinOp::Add, Width::D) => a.wrapping_add(b),
        (BinOp::Add, Width::W) => sext(low.wrapping_add(b as u32)),
        (BinOp::And, Width::D) => a & b,
        (BinOp::Or, Width::D) => a | b,
        (BinOp::Xor, Width::D) => a ^ b,
        (BinOp::Sll, Width::D) => a << (b & 63),
        (BinOp::Sll, Width::W) => sext(low << (b & 31)),
        (BinOp::Srl, Width::D) => a >> (b & 63),
        (BinOp::Srl, Width::W) => sext(low >> (b & 31)),
        (BinOp::Sra, Width::D) => (a as i64 >> (b & 63)) as u64,
        (BinOp::Sra, Width::W) => sext((low as i32 >> (b & 31)) as u32),
        (BinOp::SllUw, Width::D) => u64::from(low) << (b & 63),
        _ => return None,
    })
}

/// A shift left and then right of one register in place: an extension of its low bits.
fn shifts(first: &Op, second: &Op) -> Option<Op> {
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
    use super::*;

    /// The result of `op` on `a`.
    fn eval(op: &Op, a: u64) -> u64 {
        match *op {
            Op::Un { op: UnOp::ZextW, .. } => u64::from(a as u32),
            Op::Un { op: UnOp::ZextH, .. } => u64::from(a as u16),
            Op::Un { op: UnOp::SextH, .. } => a as i16 as u64,
            Op::Un { op: UnOp::SextB, .. } => a as i8 as u64,
            _ => fold(op, a).expect("an operation that can be folded"),
        }
    }

    #[test]
    fn fused_shifts_do_what_both_do() {
        let values = [0, 1, 0x7f, 0x80, 0x8000, 0x7fff_ffff, 0x8000_0000, u64::MAX, 1 << 63];
        let mixed = (0..64).map(|n| 0x9e37_79b9_7f4a_7c15u64.rotate_left(n));
        let values: Vec<u64> = values.into_iter().chain(mixed).collect();
        let (rd, a) = (Reg(5), Reg(6));
        let mut fused = 0;
        for (w, bits) in [(Width::W, 32), (Width::D, 64)] {
            for (left, right) in (0..bits).flat_map(|left| (0..bits).map(move |r| (left, r))) {
                let first = Op::Bin { op: BinOp::Sll, w, rd, a, b: Src::Imm(left) };
                for op in [BinOp::Srl, BinOp::Sra] {
                    let second = Op::Bin { op, w, rd, a: rd, b: Src::Imm(right) };
                    let Some(both) = shifts(&first, &second) else { continue };
                    fused += 1;
                    for &value in &values {
                        let expected = eval(&second, eval(&first, value));
                        assert_eq!(eval(&both, value), expected, "{first}; {second}; {both}");
                    }
                }
            }
        }
        assert_eq!(fused, 41);
    }
}
