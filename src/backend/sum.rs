//! Sums and rotations among the symbolic values of registers.

use super::homes::Homes;
use super::symbolic::{KeptHome, ShiftOp, Symbolic, Val};
use crate::ir::Width;

/// A sum over homes: (first, second, shift of the second, constant); register 0 is none.
pub type Sum = (u8, u8, u8, i32);

impl Symbolic {
    /// `r` as a sum over homes that a new value of `rd` may be made of: their homes will not
    /// change before the dependents are brought home, which a pending register's home may. `None`
    /// if `r` must be brought home first.
    #[must_use]
    pub fn sum(&self, rd: u8, r: u8) -> Option<Sum> {
        let stable = |q: u8| q == 0 || q == rd || !self.is_pending(q);
        match self.val(r) {
            Val::Const(k) => i32::try_from(k as i64).ok().map(|k| (0, 0, 0, k)),
            Val::Lin { a, b, shift, imm } => {
                (self.is_pending(r) && stable(a) && stable(b)).then_some((a, b, shift, imm))
            }
            Val::Home | Val::Shift { .. } | Val::Bytes { .. } => None,
        }
    }

    /// The value of `rd`, which is not x0, is a sum over homes.
    pub fn set_sum(&mut self, homes: &mut Homes, rd: u8, (a, b, shift, imm): Sum) {
        if (a, b) == (0, 0) {
            let value = i64::from(imm) as u64;
            if self.constant(rd) != Some(value) {
                self.set_const(homes, rd, value, false);
            }
            return;
        }
        // `home(rd) + 0` is no change, if nothing is pending that would make it one.
        if (a, b, imm) != (rd, 0, 0) || self.is_pending(rd) {
            self.set_lin(homes, rd, a, b, shift, imm);
        }
    }

    /// If `a` and `b` are pending shifts of one home that together, in a sum or an or of width
    /// `result`, rotate it (a sum of words of two shifted doublewords does not):
    /// its width, the home, and how far it is rotated to the right. `None` too if that home may be
    /// written before the rotation is computed.
    #[must_use]
    pub fn rotation(&self, result: Width, a: u8, b: u8) -> Option<(Width, KeptHome, u8)> {
        let (Val::Shift { op, w, a: from, n }, Val::Shift { op: op2, w: w2, a: from2, n: m }) =
            (self.val(a), self.val(b))
        else {
            return None;
        };
        let right = match (op, op2) {
            (ShiftOp::Left, ShiftOp::Right) => m,
            (ShiftOp::Right, ShiftOp::Left) => n,
            _ => return None,
        };
        let bits = match w {
            Width::W => 32,
            Width::D => 64,
        };
        if (w, from, n + m) != (w2, from2, bits) || (result, w) == (Width::W, Width::D) {
            return None;
        }
        Some((w, self.kept(from, 1 << a | 1 << b)?, right))
    }
}

/// The sum of two sums, if it has at most two terms of which one is shifted, and its constant
/// fits.
#[must_use]
pub fn join(x: Sum, y: Sum) -> Option<Sum> {
    let imm = x.3.checked_add(y.3)?;
    let ((xa, xb, xs, _), (ya, yb, ys, _)) = (x, y);
    match ((xa, xb), (ya, yb)) {
        (_, (0, 0)) => Some((xa, xb, xs, imm)),
        ((0, 0), _) => Some((ya, yb, ys, imm)),
        // One plain term each, or a plain one and a shifted one.
        ((_, 0), (_, 0)) => Some((xa, ya, 0, imm)),
        ((_, 0), (0, _)) => Some((xa, yb, ys, imm)),
        ((0, _), (_, 0)) => Some((ya, xb, xs, imm)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_have_two_terms_and_a_small_constant() {
        assert_eq!(join((10, 0, 0, 8), (11, 0, 0, 8)), Some((10, 11, 0, 16)));
        assert_eq!(join((0, 11, 3, 0), (10, 0, 0, 1)), Some((10, 11, 3, 1)));
        assert_eq!(join((10, 11, 0, 0), (12, 0, 0, 0)), None);
        assert_eq!(join((10, 0, 0, i32::MAX), (0, 0, 0, 1)), None);
    }

    #[test]
    fn nothing_is_made_of_homes_that_will_change() {
        let (mut s, mut homes) = (Symbolic::new(), Homes::new());
        s.set_lin(&mut homes, 5, 10, 0, 0, 8);
        assert_eq!(s.sum(6, 5), Some((10, 0, 0, 8)));
        s.set_lin(&mut homes, 10, 10, 0, 0, 16);
        assert_eq!(s.sum(6, 5), None);
        assert_eq!(s.sum(10, 5), Some((10, 0, 0, 8)));
        assert_eq!((s.sum(6, 0), s.sum(6, 11)), (Some((0, 0, 0, 0)), None));
    }

    #[test]
    fn two_shifts_that_meet_are_a_rotation() {
        let (mut s, mut homes) = (Symbolic::new(), Homes::new());
        s.set_shift(&mut homes, 5, (ShiftOp::Left, Width::W, 8), 10);
        s.set_shift(&mut homes, 6, (ShiftOp::Right, Width::W, 24), 10);
        let (w, from, right) = s.rotation(Width::D, 5, 6).expect("a rotation");
        assert_eq!((w, from.reg(), right), (Width::W, 10, 24));
        // Its source is about to be written.
        s.set_lin(&mut homes, 10, 11, 0, 0, 0);
        assert_eq!((s.rotation(Width::D, 5, 6), s.kept_shift(5)), (None, None));
        s.materialise(5);
        s.materialise(6);
        s.materialise(10);
        s.set_shift(&mut homes, 5, (ShiftOp::Left, Width::W, 8), 10);
        s.set_shift(&mut homes, 6, (ShiftOp::Right, Width::W, 23), 10);
        assert_eq!(s.rotation(Width::D, 5, 6), None);
    }
}
