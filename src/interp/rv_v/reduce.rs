//! Reductions. The first element of `vs1` starts them, the elements of `vs2` follow in order, also
//! where any order is allowed.

use super::element::{Exec, extend};
use super::row::{Action, Eew, Operation, Row};
use super::{Hart, Op, float};

/// A reduction with elements of SEW, taken as unsigned integers or as numbers.
const fn unsigned(whole: fn(&mut Exec<'_>, &mut Hart)) -> Row {
    let row = Row::new(Action::Whole(whole));
    row.of(Eew::First(0), Eew::Times(0), Eew::First(0)).needs_start()
}

/// The same into an element twice as wide.
const fn wide(whole: fn(&mut Exec<'_>, &mut Hart)) -> Row {
    unsigned(whole).of(Eew::First(1), Eew::Times(0), Eew::First(1))
}

pub(super) const ROWS: &[(Op, Row)] = &[
    (Op::VredsumVs, unsigned(|e, _| fold(e, false, |_, _, a, b| a + b))),
    (Op::VredandVs, unsigned(|e, _| fold(e, false, |_, _, a, b| a & b))),
    (Op::VredorVs, unsigned(|e, _| fold(e, false, |_, _, a, b| a | b))),
    (Op::VredxorVs, unsigned(|e, _| fold(e, false, |_, _, a, b| a ^ b))),
    (Op::VredminuVs, unsigned(|e, _| fold(e, false, |_, _, a, b| a.min(b)))),
    (Op::VredminVs, unsigned(|e, _| fold(e, true, |_, _, a, b| a.min(b)))),
    (Op::VredmaxuVs, unsigned(|e, _| fold(e, false, |_, _, a, b| a.max(b)))),
    (Op::VredmaxVs, unsigned(|e, _| fold(e, true, |_, _, a, b| a.max(b)))),
    (Op::VwredsumuVs, wide(|e, _| fold(e, false, |_, _, a, b| a + b))),
    (Op::VwredsumVs, wide(|e, _| fold(e, true, |_, _, a, b| a + b))),
    (Op::VfredusumVs, unsigned(|e, _| fold(e, false, float::add)).float()),
    (Op::VfredosumVs, unsigned(|e, _| fold(e, false, float::add)).float()),
    (Op::VfredminVs, unsigned(|e, _| fold(e, false, float::min)).float()),
    (Op::VfredmaxVs, unsigned(|e, _| fold(e, false, float::max)).float()),
    (Op::VfwredusumVs, wide(widened_sum).floats(true, true)),
    (Op::VfwredosumVs, wide(widened_sum).floats(true, true)),
];

fn fold(e: &mut Exec<'_>, signed: bool, operation: Operation) {
    fold_with(e, signed, |_, element| element, operation);
}

fn widened_sum(e: &mut Exec<'_>, _: &mut Hart) {
    fold_with(e, false, |e, element| e.widen(element), float::add);
}

/// Reduces what `of` makes of each active element. With no elements nothing is written.
fn fold_with(
    e: &mut Exec<'_>,
    signed: bool,
    of: fn(&mut Exec<'_>, i128) -> i128,
    operation: Operation,
) {
    let (vs1, vs2, width) = (e.i.rs1, e.i.rs2, e.env.width);
    let mut sum = extend(e.get(vs1, 0, width), width, signed);
    for n in 0..e.vl {
        if e.active(n) {
            let element = extend(e.get(vs2, n, e.ty.sew), e.ty.sew, signed);
            let element = of(e, element);
            sum = operation(&mut e.env, 0, sum, element);
        }
    }
    if e.vl != 0 {
        e.set(e.i.rd, 0, width, sum as u64);
    }
}
