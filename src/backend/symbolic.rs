//! What is known of each guest integer register at a point of a block, beyond "it is at home".
//!
//! A register's *home* is its host register or its slot. A register is *pending* when its home
//! does not hold its value; the value is then a constant, a sum over homes of other registers,
//! such a home shifted, bytes of a word that such a home holds, or the home's low half
//! sign-extended. Pending values cost nothing until somebody needs them at home, and many are
//! never needed there: they are folded into addresses and immediates, or overwritten.

use super::homes::Homes;
use crate::ir::{BinOp, Bytes, Width};
use crate::opt::RegSet;

/// A direction of shifting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShiftOp {
    /// To the left.
    Left,
    /// To the right, filling with zeros.
    Right,
    /// To the right, filling with the sign.
    Signed,
}

/// A shift by a constant: where to, of what width, how far.
pub type ShiftBy = (ShiftOp, Width, u8);

/// The value of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Val {
    /// What its home holds.
    Home,
    /// A constant.
    Const(u64),
    /// `home(a) + (home(b) << shift) + imm`; register 0 stands for "none".
    Lin {
        /// First term.
        a: u8,
        /// Second term.
        b: u8,
        /// 0 to 3.
        shift: u8,
        /// Constant term.
        imm: i32,
    },
    /// `home(a)` shifted by `n`; as a word, its low half is, and the result sign-extended.
    Shift {
        /// Where to.
        op: ShiftOp,
        /// Of 32 or of 64 bits.
        w: Width,
        /// What.
        a: u8,
        /// How far: 1 to 31 or 63.
        n: u8,
    },
    /// Bytes of `home(a)`, which holds a word that was loaded.
    Bytes {
        /// What.
        a: u8,
        /// Which of them.
        bytes: Bytes,
    },
}

/// The home of a register that pending values are made of and that is not written when the homes of
/// others are made ready for new values. Only [`Symbolic`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptHome(u8);

impl KeptHome {
    /// The register.
    #[must_use]
    pub const fn reg(self) -> u8 {
        self.0
    }
}

/// The state of all 32 registers.
#[derive(Clone, Debug)]
pub struct Symbolic {
    vals: [Val; 32],
    /// Registers whose `vals` is not what their home holds, or which are in `sext`.
    pending: RegSet,
    /// Registers whose home has a right low half and a zero upper half, and whose value is the
    /// low half sign-extended. Their `vals` is `Home`.
    sext: RegSet,
    /// Registers whose value is known to be its own low half sign-extended.
    narrow: RegSet,
}

impl Default for Symbolic {
    fn default() -> Self {
        Self::new()
    }
}

const fn bit(r: u8) -> RegSet {
    1 << r
}

impl Symbolic {
    /// The contract state: everything at home, nothing known.
    #[must_use]
    pub const fn new() -> Self {
        let mut vals = [Val::Home; 32];
        vals[0] = Val::Const(0);
        Self { vals, pending: 0, sext: 0, narrow: 1 }
    }

    /// Back to the contract state. Nothing may be pending.
    pub fn reset(&mut self, _homes: &mut Homes) {
        debug_assert_eq!(self.pending, 0, "pending values would be lost");
        *self = Self::new();
    }

    /// The value of `r`.
    #[must_use]
    pub fn val(&self, r: u8) -> Val {
        self.vals[r as usize]
    }

    /// The value if it is a constant.
    #[must_use]
    pub fn constant(&self, r: u8) -> Option<u64> {
        match self.vals[r as usize] {
            Val::Const(k) => Some(k),
            _ => None,
        }
    }

    /// True if the home of `r` needs something done before it holds the value.
    #[must_use]
    pub fn is_pending(&self, r: u8) -> bool {
        self.pending & bit(r) != 0
    }

    /// True if the home's low half must be sign-extended.
    #[must_use]
    pub fn is_sext(&self, r: u8) -> bool {
        self.sext & bit(r) != 0
    }

    /// True if the value is known to be its low half sign-extended.
    #[must_use]
    pub fn is_narrow(&self, r: u8) -> bool {
        self.narrow & bit(r) != 0
    }

    /// All pending registers.
    #[must_use]
    pub fn pending(&self) -> RegSet {
        self.pending
    }

    /// The pending registers, other than `r`, whose value is made of the home of `r`. They must be
    /// brought home before that home changes.
    #[must_use]
    pub fn dependents(&self, r: u8) -> RegSet {
        let mut out = 0;
        let mut left = self.pending & !self.sext & !bit(r);
        while left != 0 {
            let p = left.trailing_zeros();
            left &= left - 1;
            out |= match self.vals[p as usize] {
                Val::Lin { a, b, .. } if a == r || b == r => 1 << p,
                Val::Shift { a, .. } | Val::Bytes { a, .. } if a == r => 1 << p,
                _ => 0,
            };
        }
        out
    }

    /// The shift that `r` is, pending, and the home that it is made of, if that is kept.
    #[must_use]
    pub fn kept_shift(&self, r: u8) -> Option<(ShiftOp, Width, KeptHome, u8)> {
        match self.vals[r as usize] {
            Val::Shift { op, w, a, n } => Some((op, w, self.kept(a, bit(r))?, n)),
            _ => None,
        }
    }

    /// The home of `r`, of which the pending registers `users` are made, if it is kept: `r` is
    /// materialised (a pending sign-extension leaves the low half, of which alone others are made),
    /// or is among `users`, and so is made of its own home.
    pub(super) fn kept(&self, r: u8, users: RegSet) -> Option<KeptHome> {
        (!self.is_pending(r) || self.is_sext(r) || users & bit(r) != 0).then_some(KeptHome(r))
    }

    /// `r` is at home now, with a value about which nothing else is known than `narrow`.
    pub fn set_home(&mut self, _homes: &mut Homes, r: u8, narrow: bool) {
        self.vals[r as usize] = Val::Home;
        self.pending &= !bit(r);
        self.sext &= !bit(r);
        self.set_narrow(r, narrow);
    }

    /// The home's low half is right and its upper half zero; the value is its sign-extension.
    pub fn set_sext(&mut self, _homes: &mut Homes, r: u8) {
        self.vals[r as usize] = Val::Home;
        self.pending |= bit(r);
        self.sext |= bit(r);
        self.narrow |= bit(r);
    }

    /// The value is `k`; `at_home` says whether the home holds it.
    pub fn set_const(&mut self, _homes: &mut Homes, r: u8, k: u64, at_home: bool) {
        self.vals[r as usize] = Val::Const(k);
        self.sext &= !bit(r);
        self.pending = if at_home { self.pending & !bit(r) } else { self.pending | bit(r) };
        self.set_narrow(r, k == k as i32 as u64);
    }

    /// The value is a sum over homes.
    pub fn set_lin(&mut self, _homes: &mut Homes, r: u8, a: u8, b: u8, shift: u8, imm: i32) {
        self.vals[r as usize] = Val::Lin { a, b, shift, imm };
        self.sext &= !bit(r);
        self.pending |= bit(r);
        self.narrow &= !bit(r);
    }

    /// The value is a home, other than x0's, shifted.
    pub fn set_shift(&mut self, _homes: &mut Homes, r: u8, (op, w, n): ShiftBy, a: u8) {
        self.vals[r as usize] = Val::Shift { op, w, a, n };
        self.sext &= !bit(r);
        self.pending |= bit(r);
        // Bits that matter, with one for the sign.
        let bits = match op {
            _ if w == Width::W => 32,
            ShiftOp::Left => 64,
            ShiftOp::Right => 65 - n,
            ShiftOp::Signed => 64 - n,
        };
        self.set_narrow(r, bits <= 32);
    }

    /// The value is made of the word that the home of `a` holds.
    pub fn set_bytes(&mut self, homes: &mut Homes, r: u8, a: u8, size: u8, bytes: Bytes) {
        match bytes == Bytes::whole(size) {
            true if r == a => self.set_home(homes, r, false),
            true => self.set_lin(homes, r, a, 0, 0, 0),
            false => {
                self.vals[r as usize] = Val::Bytes { a, bytes };
                self.sext &= !bit(r);
                self.pending |= bit(r);
                self.set_narrow(r, bytes.is_narrow());
            }
        }
    }

    /// The value has been brought home.
    pub fn materialise(&mut self, r: u8) {
        self.pending &= !bit(r);
        self.sext &= !bit(r);
        let made_of_homes =
            |val| matches!(val, Val::Lin { .. } | Val::Shift { .. } | Val::Bytes { .. });
        if made_of_homes(self.vals[r as usize]) {
            self.vals[r as usize] = Val::Home;
        }
    }

    /// The value is known to be its low half sign-extended, wherever it is.
    pub fn mark_narrow(&mut self, r: u8) {
        self.narrow |= bit(r);
    }

    fn set_narrow(&mut self, r: u8, narrow: bool) {
        self.narrow = if narrow { self.narrow | bit(r) } else { self.narrow & !bit(r) };
    }
}

/// `x` shifted, as in [`Val::Shift`].
#[must_use]
pub fn shifted(op: ShiftOp, w: Width, x: u64, n: u8) -> u64 {
    let op = match op {
        ShiftOp::Left => BinOp::Sll,
        ShiftOp::Right => BinOp::Srl,
        ShiftOp::Signed => BinOp::Sra,
    };
    op.eval(w, x, n.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependents_are_found_and_forgotten() {
        let (mut s, mut homes) = (Symbolic::new(), Homes::new());
        s.set_lin(&mut homes, 5, 10, 11, 3, 8);
        s.set_lin(&mut homes, 6, 10, 0, 0, 8);
        s.set_lin(&mut homes, 10, 10, 0, 0, 16);
        assert_eq!(s.dependents(10), 1 << 5 | 1 << 6);
        assert_eq!(s.dependents(11), 1 << 5);
        s.materialise(5);
        assert_eq!(s.val(5), Val::Home);
        assert_eq!(s.dependents(11), 0);
    }
}
