//! Where the values of guest integer registers are.
//!
//! An operand that an emitter holds must not change before it is used. Bringing one register home
//! may bring others home before it, and writes their homes. So:
//!
//! - What [`Emitter::use64`] and its relatives return belongs to a register that is settled, or is
//!   a scratch register. No other register's way home writes that; only a new value of the register
//!   does.
//! - The home of a register that is pending may be written at any of these steps. Nobody outside
//!   of this module can see it: what is made of such a home is made of it here, in one step, or
//!   comes from [`Emitter::dest_from`], which returns the home and the destination together, after
//!   all that had to be brought home for it.

mod address;

use super::asm::{Alu, At, Mem, Sz};
use super::emit::Emitter;
use super::regs::{STATE, X16, X17, X30, ZR, host_int, slot};
use crate::backend::emit::LowerValues;
use crate::backend::{KeptHome, Val};
use crate::ir::{Reg, Src};
use crate::opt::RegSet;

impl LowerValues for Emitter<'_, '_> {
    fn flush_int(&mut self) {
        while self.sym.pending() != 0 {
            self.settle(self.sym.pending().trailing_zeros() as u8);
        }
    }

    fn settle_lasting(&mut self) {
        loop {
            let left = self.sym.pending() & !self.redefined;
            if left == 0 {
                return;
            }
            self.settle(left.trailing_zeros() as u8);
        }
    }
}

impl Emitter<'_, '_> {
    /// A register that holds what is in the home of `r`: that home, or `scratch`.
    fn home_in_reg(&mut self, r: u8, scratch: u8) -> u8 {
        debug_assert!(r != 0, "x0 has no home");
        host_int(r).unwrap_or_else(|| {
            self.a.mem(Mem::LoadX, scratch, At::Disp(STATE, slot(r)));
            scratch
        })
    }

    /// Brings a pending register home, and before it those whose value is made of that home. Uses
    /// x16 and x17; flags are unchanged.
    pub(super) fn settle(&mut self, r: u8) {
        if !self.sym.is_pending(r) {
            return;
        }
        self.settle_dependents(r);
        let mut dst = host_int(r).unwrap_or(X16);
        if self.sym.is_sext(r) {
            let from = self.home_in_reg(r, X16);
            self.a.sxtw(dst, from);
        } else {
            match self.sym.val(r) {
                Val::Home => {}
                Val::Const(0) if host_int(r).is_none() => dst = ZR,
                Val::Const(k) => self.a.mov_imm(dst, k),
                Val::Shift { op, w, a, n } => {
                    let from = self.home_in_reg(a, X16);
                    self.a.shift(op, w, dst, from, n);
                }
                Val::Lin { a, b, shift, imm } => self.compute(dst, (a, b, shift, imm)),
            }
        }
        if host_int(r).is_none() {
            self.a.store_field(slot(r), dst);
        }
        self.sym.settle(r);
    }

    /// Brings home what is made of the home of `r`, which is about to change.
    pub(super) fn settle_dependents(&mut self, r: u8) {
        let mut left = self.sym.dependents(r);
        while left != 0 {
            let d = left.trailing_zeros() as u8;
            left &= left - 1;
            if self.dead & 1 << d != 0 {
                self.sym.set_home(d, false);
            } else {
                self.settle(d);
            }
        }
    }

    /// `dst = home(a) + (home(b) << shift) + imm`. x16 and x17 may be used.
    fn compute(&mut self, dst: u8, (a, b, shift, imm): (u8, u8, u8, i32)) {
        let imm = i64::from(imm);
        match (a, b) {
            (0, 0) => self.a.mov_imm(dst, imm as u64),
            (a, 0) => {
                let a = self.home_in_reg(a, X16);
                self.a.add_imm(Sz::X, dst, a, imm);
            }
            (0, b) => {
                let b = self.home_in_reg(b, X16);
                if shift == 0 {
                    self.a.add_imm(Sz::X, dst, b, imm);
                } else {
                    self.a.lsl_imm(Sz::X, dst, b, shift);
                    self.a.add_imm(Sz::X, dst, dst, imm);
                }
            }
            (a, b) => {
                let a = self.home_in_reg(a, X16);
                let b = self.home_in_reg(b, X17);
                self.a.alu_lsl(Alu::Add, Sz::X, dst, a, b, shift);
                self.a.add_imm(Sz::X, dst, dst, imm);
            }
        }
    }

    /// A register that holds all 64 bits of `r`: its own, `scratch`, or the zero register.
    pub(super) fn use64(&mut self, r: Reg, scratch: u8) -> u8 {
        match self.sym.constant(r.0) {
            Some(0) => return ZR,
            Some(k) if self.sym.is_pending(r.0) && host_int(r.0).is_none() => {
                self.a.mov_imm(scratch, k);
                return scratch;
            }
            _ => {}
        }
        self.settle(r.0);
        self.home_in_reg(r.0, scratch)
    }

    /// A register that holds the low 32 bits of `r`; the upper ones may be anything.
    pub(super) fn use32(&mut self, r: Reg, scratch: u8) -> u8 {
        match self.sym.constant(r.0) {
            Some(k) if k as u32 == 0 => return ZR,
            Some(k) if self.sym.is_pending(r.0) && host_int(r.0).is_none() => {
                self.a.mov_imm(scratch, u64::from(k as u32));
                return scratch;
            }
            _ => {}
        }
        if !self.sym.is_sext(r.0) {
            self.settle(r.0);
        }
        self.home_in_reg(r.0, scratch)
    }

    /// As `use64` or `use32` by size.
    pub(super) fn use_sz(&mut self, sz: Sz, r: Reg, scratch: u8) -> u8 {
        match sz {
            Sz::W => self.use32(r, scratch),
            Sz::X => self.use64(r, scratch),
        }
    }

    pub(super) fn use_src(&mut self, sz: Sz, src: Src, scratch: u8) -> u8 {
        match src {
            Src::Imm(0) => ZR,
            Src::Imm(i) => {
                let v = if sz == Sz::W { u64::from(i as u32) } else { i64::from(i) as u64 };
                self.a.mov_imm(scratch, v);
                scratch
            }
            Src::Reg(r) => self.use_sz(sz, r, scratch),
        }
    }

    /// The constant that `src` is, if it is one.
    pub(super) fn const_of(&self, src: Src) -> Option<u64> {
        match src {
            Src::Imm(i) => Some(i64::from(i) as u64),
            Src::Reg(r) => self.sym.constant(r.0),
        }
    }

    /// Makes the home of `rd` ready to be overwritten and returns the register to compute into:
    /// its host register, or x30. Operands that were put into x0 or x1 before stay there.
    pub(super) fn dest(&mut self, rd: Reg) -> u8 {
        self.settle_dependents(rd.0);
        host_int(rd.0).unwrap_or(X30)
    }

    /// As [`Self::dest`], and a register that holds the home of `from`, of which the new value of
    /// `rd` is made: that home, or `scratch`. Of the registers in `halves`, which this operation
    /// reads, those that nobody reads later are not computed if the home that they are made of
    /// changes.
    pub(super) fn dest_from(
        &mut self,
        rd: Reg,
        from: KeptHome,
        scratch: u8,
        halves: RegSet,
    ) -> (u8, u8) {
        let seen = self.dead;
        self.dead |= self.dead_later & halves;
        let dst = self.dest(rd);
        self.dead = seen;
        (dst, self.home_in_reg(from.reg(), scratch))
    }

    /// A register that holds the home of `r`, which is settled: that home, or `scratch`.
    pub(super) fn settled_in_reg(&mut self, r: Reg, scratch: u8) -> u8 {
        debug_assert!(!self.sym.is_pending(r.0), "the home of x{} has another value", r.0);
        self.home_in_reg(r.0, scratch)
    }

    /// The destination now holds a 64-bit result.
    pub(super) fn done(&mut self, rd: Reg, dst: u8, narrow: bool) {
        if host_int(rd.0).is_none() {
            self.a.store_field(slot(rd.0), dst);
        }
        self.sym.set_home(rd.0, narrow);
    }

    /// The low half of the destination holds a 32-bit result and the upper half is zero; the
    /// value is the sign-extension.
    pub(super) fn done_word(&mut self, rd: Reg, dst: u8) {
        if host_int(rd.0).is_some() {
            self.sym.set_sext(rd.0);
        } else if self.redefined & 1 << rd.0 != 0 {
            self.a.store_field(slot(rd.0), dst);
            self.sym.set_sext(rd.0);
        } else {
            self.a.sxtw(dst, dst);
            self.done(rd, dst, true);
        }
    }
}
