//! Zvbb (and Zvkb, a part of it): bit manipulation; Zvbc: carry-less multiplication.

use super::Op;
use super::element::Env;
use super::row::{Eew, Operation, Row};

const fn unary(operation: Operation) -> Row {
    Row { vs1: Eew::Unused, ..Row::unsigned(operation) }
}

/// The element's bits, the highest on top of a word.
fn top(e: &Env, a: i128) -> u64 {
    (a as u64) << (64 - e.bits())
}

fn rotate_left(e: &mut Env, _: i128, a: i128, b: i128) -> i128 {
    let amount = b as u32 & (e.bits() - 1);
    a << amount | a >> (e.bits() - amount)
}

fn rotate_right(e: &mut Env, d: i128, a: i128, b: i128) -> i128 {
    rotate_left(e, d, a, -b)
}

/// Product of two polynomials over GF(2).
fn carryless_product(a: i128, b: i128) -> i128 {
    (0..64).filter(|n| b >> n & 1 != 0).fold(0, |sum, n| sum ^ a << n)
}

const ANDN: Row = Row::unsigned(|_, _, a, b| a & !b);
const ROL: Row = Row::unsigned(rotate_left);
const ROR: Row = Row::unsigned(rotate_right);
const WIDE_SLL: Row = Row::unsigned(|e, _, a, b| a << (b as u32 & (e.bits() - 1))).widens();
/// Elements of 64 bits alone.
const CLMUL: Row = Row::unsigned(|_, _, a, b| carryless_product(a, b)).groups(3, 1);
const CLMULH: Row = Row::unsigned(|_, _, a, b| carryless_product(a, b) >> 64).groups(3, 1);

pub(super) const ROWS: &[(Op, Row)] = &[
    (Op::VandnVv, ANDN),
    (Op::VandnVx, ANDN),
    (Op::Vbrev8V, unary(|_, _, a, _| (a as u64).swap_bytes().reverse_bits().into())),
    (Op::Vrev8V, unary(|e, _, a, _| top(e, a).swap_bytes().into())),
    (Op::VrolVv, ROL),
    (Op::VrolVx, ROL),
    (Op::VrorVv, ROR),
    (Op::VrorVx, ROR),
    (Op::VrorVi, ROR),
    (Op::VbrevV, unary(|e, _, a, _| top(e, a).reverse_bits().into())),
    (Op::VclzV, unary(|e, _, a, _| top(e, a).leading_zeros().min(e.bits()).into())),
    (Op::VctzV, unary(|e, _, a, _| a.trailing_zeros().min(e.bits()).into())),
    (Op::VcpopV, unary(|_, _, a, _| a.count_ones().into())),
    (Op::VwsllVv, WIDE_SLL),
    (Op::VwsllVx, WIDE_SLL),
    (Op::VwsllVi, WIDE_SLL),
    (Op::VclmulVv, CLMUL),
    (Op::VclmulVx, CLMUL),
    (Op::VclmulhVv, CLMULH),
    (Op::VclmulhVx, CLMULH),
];
