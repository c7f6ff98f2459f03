//! Where the values of integer registers are.
//!
//! An operand must not change before it is used. That none is held across a new value of a register
//! is what [`Homes`] is for, by which the borrow checker sees it. What it cannot see is kept by
//! hand here and in the hosts' `values`:
//!
//! - Bringing one register home may bring others home before it, and writes their homes. An operand
//!   belongs to a register that is materialised, whose home is not among those.
//! - The home of a register that is pending may be written by that. Nobody outside of the hosts'
//!   `values` can see it: what is made of such a home is made of it there, in one step, or comes
//!   from [`Emitter::dest_from`], which returns the home and the destination together, after all
//!   that had to be brought home for it.
//! - The register that comes from [`Emitter::dest`] may be that of an operand. It is written by the
//!   instruction that uses the operand, or behind it.

use super::{Emitter, Host, Lower, LowerValues, Place};
use crate::backend::{Homes, KeptHome};
use crate::ir::{Reg, Src, Width};
use crate::opt::RegSet;

impl<'b, H: Host<'b>> Emitter<'b, '_, H>
where
    Self: Lower<'b, H>,
{
    /// Brings a pending register home, and before it those whose value is made of that home:
    /// operands stay as they are. Flags may change on some hosts.
    #[inline]
    pub(crate) fn materialise(&mut self, _homes: &Homes, r: u8) {
        if self.sym.is_pending(r) {
            self.materialise_pending(&mut Homes::new(), r);
        }
    }

    /// The same of its low half at least: the sign-extension of that may be what is pending then.
    #[inline]
    pub(crate) fn materialise_low(&mut self, _homes: &Homes, r: u8) {
        if self.sym.is_pending(r) && !self.sym.is_sext(r) {
            self.materialise_low_pending(&mut Homes::new(), r);
        }
    }

    pub(crate) fn materialise_unless_zero(&mut self, homes: &Homes, r: Reg) {
        if !r.is_zero() {
            self.materialise(homes, r.0);
        }
    }

    /// Brings home what is made of the home of `r`, which is about to change. (The low half, of
    /// which alone shifted words are made, stays when a pending sign-extension comes home.)
    pub(crate) fn materialise_dependents(&mut self, homes: &Homes, r: u8) {
        let mut left = self.sym.dependents(r);
        while left != 0 {
            let d = left.trailing_zeros() as u8;
            left &= left - 1;
            if self.dead & 1 << d != 0 {
                self.sym.set_home(&mut Homes::new(), d, false);
            } else {
                self.materialise(homes, d);
            }
        }
    }

    /// Brings all integer registers home.
    pub(crate) fn flush_int(&mut self, homes: &mut Homes) {
        self.materialise_all(homes, RegSet::MAX);
        self.store_held(RegSet::MAX);
    }

    /// Brings home what will have to be there sooner or later, before the block can be left: then
    /// leaving it needs no code of its own.
    pub(crate) fn materialise_live_out(&mut self, homes: &mut Homes) {
        self.materialise_all(homes, !self.redefined);
        self.store_held(!self.redefined);
    }

    /// Brings those of `registers` home that are pending. That which will be compared with zero
    /// comes last, since flags may then tell about it.
    fn materialise_all(&mut self, homes: &mut Homes, registers: RegSet) {
        loop {
            let left = self.sym.pending() & registers;
            let others = left & !self.materialised_last;
            match if others != 0 { others } else { left } {
                0 => return,
                set => self.materialise(homes, set.trailing_zeros() as u8),
            }
        }
    }

    /// The constant that `src` is, if it is one.
    pub(crate) fn const_of(&self, src: Src) -> Option<u64> {
        match src {
            Src::Imm(i) => Some(i64::from(i) as u64),
            Src::Reg(r) => self.sym.constant(r.0),
        }
    }

    /// True if `src` is known to be its low half sign-extended.
    pub(crate) fn is_narrow(&self, src: Src) -> bool {
        match src {
            Src::Imm(_) => true,
            Src::Reg(r) => self.sym.is_narrow(r.0),
        }
    }

    /// Makes the home of `rd` ready to be overwritten and returns the register to compute into.
    /// Operands stay where they are.
    pub(crate) fn dest(&mut self, homes: &Homes, rd: Reg) -> u8 {
        self.materialise_dependents(homes, rd.0);
        self.result_reg(rd.0)
    }

    /// As [`Self::dest`], and the home of `from`, of which the new value of `rd` is made, in
    /// `place` if it has to be loaded. Of the registers in `halves`, which this operation reads,
    /// those that nobody reads later are not computed if the home that they are made of changes.
    pub(crate) fn dest_from<'h>(
        &mut self,
        homes: &'h Homes,
        rd: Reg,
        from: KeptHome,
        place: Place,
        halves: RegSet,
    ) -> (u8, H::Operand<'h>) {
        // So that a copy stays where it is.
        self.pin(from.reg());
        let seen = self.dead;
        self.dead |= self.dead_later & halves;
        let dst = self.dest(homes, rd);
        self.dead = seen;
        (dst, self.home_of(homes, from.reg(), place))
    }

    /// The destination now holds a 64-bit result.
    pub(crate) fn done(&mut self, homes: &mut Homes, rd: Reg, dst: u8, narrow: bool) {
        self.write_home(homes, rd.0, dst);
        self.sym.set_home(homes, rd.0, narrow);
    }

    /// The low half of the destination holds a 32-bit result and the upper half is zero; the
    /// value is the sign-extension.
    pub(crate) fn done_word(&mut self, homes: &mut Homes, rd: Reg, dst: u8) {
        if self.map.int(rd.0).is_some() || self.redefined & 1 << rd.0 != 0 {
            self.write_home(homes, rd.0, dst);
            self.sym.set_sext(homes, rd.0);
        } else {
            self.a.sign_extend_word(dst);
            self.done(homes, rd, dst, true);
        }
    }

    /// The destination holds a result of width `w`.
    pub(crate) fn finish(&mut self, homes: &mut Homes, w: Width, rd: Reg, dst: u8) {
        match w {
            Width::W => self.done_word(homes, rd, dst),
            Width::D => self.done(homes, rd, dst, false),
        }
    }

    /// `rd = value`, when somebody needs it.
    pub(crate) fn set_const(&mut self, homes: &mut Homes, rd: Reg, value: u64) {
        if rd.is_zero() || self.sym.constant(rd.0) == Some(value) {
            return;
        }
        self.sym.set_const(homes, rd.0, value, false);
    }
}
