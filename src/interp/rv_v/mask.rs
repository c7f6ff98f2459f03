//! Masks: logical operations, counting, finding, and what is made of the first bit that is set.

use super::element::Exec;
use super::row::{Action, Eew, Operation, Row};
use super::{Hart, Op};

/// An operation on bits.
const fn logical(operation: Operation) -> Row {
    Row::unsigned(operation).of(Eew::Mask, Eew::Mask, Eew::Mask)
}

const fn of_mask(whole: fn(&mut Exec<'_>, &mut Hart), vd: Eew) -> Row {
    Row::new(Action::Whole(whole)).of(vd, Eew::Mask, Eew::Unused).needs_start()
}

pub(super) const ROWS: &[(Op, Row)] = &[
    (Op::VmandnMm, logical(|_, _, a, b| a & (1 - b))),
    (Op::VmandMm, logical(|_, _, a, b| a & b)),
    (Op::VmorMm, logical(|_, _, a, b| a | b)),
    (Op::VmxorMm, logical(|_, _, a, b| a ^ b)),
    (Op::VmornMm, logical(|_, _, a, b| a | (1 - b))),
    (Op::VmnandMm, logical(|_, _, a, b| 1 - (a & b))),
    (Op::VmnorMm, logical(|_, _, a, b| 1 - (a | b))),
    (Op::VmxnorMm, logical(|_, _, a, b| 1 - (a ^ b))),
    (Op::VcpopM, of_mask(count, Eew::Unused)),
    (Op::VfirstM, of_mask(first, Eew::Unused)),
    (Op::VmsbfM, of_mask(|e, _| around_first(e, true, false), Eew::Mask).apart()),
    (Op::VmsofM, of_mask(|e, _| around_first(e, false, true), Eew::Mask).apart()),
    (Op::VmsifM, of_mask(|e, _| around_first(e, true, true), Eew::Mask).apart()),
    (Op::ViotaM, of_mask(iota, Eew::Times(0)).apart()),
    (
        Op::VidV,
        Row::unsigned(|e, _, _, _| e.index as i128).of(Eew::Times(0), Eew::Unused, Eew::Unused),
    ),
];

impl Exec<'_> {
    /// The active elements whose bit of `vs2` is set.
    fn set_bits(&self) -> impl Iterator<Item = usize> {
        (0..self.vl).filter(|&n| self.active(n) && self.bit(self.i.rs2, n))
    }
}

fn count(e: &mut Exec<'_>, h: &mut Hart) {
    h.set_x(e.i.rd, e.set_bits().count() as u64);
}

fn first(e: &mut Exec<'_>, h: &mut Hart) {
    h.set_x(e.i.rd, e.set_bits().next().map_or(u64::MAX, |n| n as u64));
}

/// Writes bits that say whether an element is before the first one that is set, and the bit of that
/// one.
fn around_first(e: &mut Exec<'_>, before: bool, at: bool) {
    let first = e.set_bits().next().unwrap_or(usize::MAX);
    for n in 0..e.vl {
        if e.active(n) {
            e.set_bit(e.i.rd, n, if n == first { at } else { before && n < first });
        }
    }
}

/// Writes for each element how many are set before it.
fn iota(e: &mut Exec<'_>, _: &mut Hart) {
    let mut sum = 0;
    for n in 0..e.vl {
        if e.active(n) {
            e.set(e.i.rd, n, e.ty.sew, sum);
            sum += u64::from(e.bit(e.i.rs2, n));
        }
    }
}
