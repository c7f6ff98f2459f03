//! Where the values of guest integer registers are.
//!
//! An operand that an emitter holds must not change before it is used. Bringing one register home
//! may bring others home before it, and writes their homes. So:
//!
//! - What [`Emitter::use64`] and its relatives return belongs to a register that is settled. No
//!   other register's way home writes that home; only a new value of the register does.
//! - The home of a register that is pending may be written at any of these steps. Nobody outside
//!   of this module can see it: what is made of such a home is made of it here, in one step, or
//!   comes from [`Emitter::dest_from`], which returns the home and the destination together, after
//!   all that had to be brought home for it.

mod address;
mod slots;

pub(super) use slots::{Copies, spares};

use super::asm::{Alu, Rm, Shift, Sz};
use super::emit::Emitter;
use super::emit_int::size;
use super::regs::{RAX, host_int};
use crate::backend::emit::LowerValues;
use crate::backend::{KeptHome, ShiftOp, Val};
use crate::ir::{Reg, Src, Width};
use crate::opt::RegSet;

/// An operand of an integer instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opnd {
    /// Register or slot.
    Rm(Rm),
    /// Immediate, sign-extended to the operation's width.
    Imm(i32),
}

impl LowerValues for Emitter<'_, '_> {
    fn flush_int(&mut self) {
        self.settle_all(RegSet::MAX);
        self.store_held(RegSet::MAX);
    }

    fn settle_lasting(&mut self) {
        self.settle_all(!self.redefined);
        self.store_held(!self.redefined);
    }
}

impl Emitter<'_, '_> {
    /// Brings a pending register home, and before it those whose value is made of that home.
    #[inline]
    pub(super) fn settle(&mut self, r: u8) {
        if self.sym.is_pending(r) {
            self.settle_pending(r);
        }
    }

    fn settle_pending(&mut self, r: u8) {
        match self.sym.val(r) {
            Val::Const(k) => return self.settle_const(r, k),
            Val::Shift { op, w, a, n } => self.settle_shift(r, op, w, a, n),
            Val::Home | Val::Lin { .. } => {}
        }
        if !self.sym.is_sext(r) {
            self.settle_dependents(r);
        }
        if !self.sym.is_pending(r) {
            return;
        }
        let from = self.home(r);
        let dst = self.result_reg(r);
        if self.sym.is_sext(r) {
            self.a.movsxd(dst, from);
        } else {
            match self.sym.val(r) {
                Val::Home | Val::Shift { .. } | Val::Const(_) => {}
                Val::Lin { a, b: 0, imm: 0, .. } => {
                    let from = self.home(a);
                    self.move_home(r, dst, from);
                    return self.sym.settle(r);
                }
                Val::Lin { a, b, shift, imm } => self.compute(dst, (a, b, shift, imm)),
            }
        }
        self.write_home(r, dst);
        self.sym.settle(r);
    }

    /// Brings home the constant `k` that `r` is.
    fn settle_const(&mut self, r: u8, k: u64) {
        self.settle_dependents(r);
        if !self.write_home_imm(r, k) {
            let dst = self.result_reg(r);
            self.a.mov_imm_keep_flags(dst, k);
            self.write_home(r, dst);
        }
        self.sym.settle(r);
    }

    /// Brings home what is made of the home of `r`, which is about to change. (The low half, of
    /// which alone shifted words are made, stays when a pending sign-extension comes home.)
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

    /// Brings those of `registers` home that are pending. That which will be compared with zero
    /// comes last, since flags may then tell about it.
    fn settle_all(&mut self, registers: RegSet) {
        loop {
            let left = self.sym.pending() & registers;
            let others = left & !self.settled_last;
            match if others != 0 { others } else { left } {
                0 => return,
                set => self.settle(set.trailing_zeros() as u8),
            }
        }
    }

    /// `dst = home(a) + (home(b) << shift) + imm`. rax may be used.
    fn compute(&mut self, dst: u8, (a, b, shift, imm): (u8, u8, u8, i32)) {
        let [a_is_dst, b_is_dst] = [a, b].map(|q| q != 0 && self.home(q) == Rm::R(dst));
        match (a, b) {
            (0, 0) => self.a.mov_imm_keep_flags(dst, i64::from(imm) as u64),
            (_, 0) => self.add_imm_from(dst, a_is_dst, self.home(a), imm),
            (0, _) if shift == 0 => self.add_imm_from(dst, b_is_dst, self.home(b), imm),
            (0, _) => {
                self.a.mov(Sz::Q, dst, self.home(b));
                self.a.shift_imm(Shift::Shl, Sz::Q, Rm::R(dst), shift);
                if imm != 0 {
                    self.a.alu_imm(Alu::Add, Sz::Q, Rm::R(dst), imm);
                }
            }
            _ if shift == 0 && imm == 0 && a_is_dst => {
                self.a.alu(Alu::Add, Sz::Q, dst, self.home(b));
            }
            _ if shift == 0 && imm == 0 && b_is_dst => {
                self.a.alu(Alu::Add, Sz::Q, dst, self.home(a));
            }
            _ => match self.terms(a, b, shift) {
                (base, Some((index, shift))) => {
                    self.a.lea(Sz::Q, dst, Rm::X(base, index, shift, imm));
                }
                (sum, None) => self.add_imm_from(dst, sum == dst, Rm::R(sum), imm),
            },
        }
    }

    /// `home(a) + (home(b) << shift)` as base and index; rax and flags may be used.
    fn terms(&mut self, a: u8, b: u8, shift: u8) -> (u8, Option<(u8, u8)>) {
        let index = match (self.home(a), self.home(b)) {
            (Rm::S(_), Rm::S(_)) => self.load_beside_rax(b),
            _ => self.home_in_reg(b, RAX),
        };
        match self.home(a) {
            slot @ Rm::S(_) if index == RAX => {
                if shift != 0 {
                    self.a.shift_imm(Shift::Shl, Sz::Q, Rm::R(RAX), shift);
                }
                self.a.alu(Alu::Add, Sz::Q, RAX, slot);
                (RAX, None)
            }
            _ => (self.home_in_reg(a, RAX), Some((index, shift))),
        }
    }

    fn add_imm_from(&mut self, dst: u8, same: bool, from: Rm, imm: i32) {
        match from {
            _ if same => self.a.alu_imm(Alu::Add, Sz::Q, Rm::R(dst), imm),
            Rm::R(h) if imm != 0 => self.a.lea(Sz::Q, dst, Rm::B(h, imm)),
            _ => {
                self.a.mov(Sz::Q, dst, from);
                if imm != 0 {
                    self.a.alu_imm(Alu::Add, Sz::Q, Rm::R(dst), imm);
                }
            }
        }
    }

    /// The register that holds what `rm` is, loading it into `scratch` if it is in memory.
    pub(super) fn in_reg(&mut self, rm: Rm, scratch: u8) -> u8 {
        match rm {
            Rm::R(h) => h,
            _ => {
                self.a.mov(Sz::Q, scratch, rm);
                scratch
            }
        }
    }

    /// All 64 bits of `r` as an operand.
    pub(super) fn use64(&mut self, r: Reg) -> Opnd {
        if let Some(k) = self.sym.constant(r.0)
            && let Ok(k) = i32::try_from(k as i64)
        {
            return Opnd::Imm(k);
        }
        self.settle(r.0);
        Opnd::Rm(self.home(r.0))
    }

    /// The low 32 bits of `r` as an operand; the upper ones may be anything.
    pub(super) fn use32(&mut self, r: Reg) -> Opnd {
        if let Some(k) = self.sym.constant(r.0) {
            return Opnd::Imm(k as i32);
        }
        if let Val::Shift { op, w, a, n } = self.sym.val(r.0) {
            self.settle_shift(r.0, op, w, a, n);
        }
        if !self.sym.is_sext(r.0) {
            self.settle(r.0);
        }
        Opnd::Rm(self.home(r.0))
    }

    /// As `use64` or `use32` by size.
    pub(super) fn use_sz(&mut self, sz: Sz, r: Reg) -> Opnd {
        match sz {
            Sz::D => self.use32(r),
            Sz::Q => self.use64(r),
        }
    }

    pub(super) fn use_src(&mut self, sz: Sz, src: Src) -> Opnd {
        match src {
            Src::Imm(i) => Opnd::Imm(i),
            Src::Reg(r) => self.use_sz(sz, r),
        }
    }

    /// The constant that `src` is, if it is one.
    pub(super) fn const_of(&self, src: Src) -> Option<u64> {
        match src {
            Src::Imm(i) => Some(i64::from(i) as u64),
            Src::Reg(r) => self.sym.constant(r.0),
        }
    }

    /// Puts an operand into `to`. Flags are unchanged; with `Sz::D` the upper half is anything.
    pub(super) fn load_opnd(&mut self, sz: Sz, to: u8, o: Opnd) {
        match o {
            Opnd::Rm(rm) if rm == Rm::R(to) => {}
            Opnd::Rm(rm) => self.a.mov(sz, to, rm),
            Opnd::Imm(i) => {
                let v = if sz == Sz::D { u64::from(i as u32) } else { i64::from(i) as u64 };
                self.a.mov_imm_keep_flags(to, v);
            }
        }
    }

    /// A register that holds the operand: its own, or `scratch`.
    pub(super) fn opnd_in_reg(&mut self, sz: Sz, o: Opnd, scratch: u8) -> u8 {
        match o {
            Opnd::Rm(Rm::R(h)) => h,
            _ => {
                self.load_opnd(sz, scratch, o);
                scratch
            }
        }
    }

    /// Makes the home of `rd` ready to be overwritten and returns the register to compute into:
    /// its host register, one for a copy, or rax.
    pub(super) fn dest(&mut self, rd: Reg) -> u8 {
        self.settle_dependents(rd.0);
        self.result_reg(rd.0)
    }

    /// As [`Self::dest`], and the home of `from`, of which the new value of `rd` is made. Of the
    /// registers in `halves`, which this operation reads, those that nobody reads later are not
    /// computed if the home that they are made of changes.
    pub(super) fn dest_from(&mut self, rd: Reg, from: KeptHome, halves: RegSet) -> (u8, Rm) {
        // So that a copy stays where it is.
        self.home(from.reg());
        let seen = self.dead;
        self.dead |= self.dead_later & halves;
        let dst = self.dest(rd);
        self.dead = seen;
        (dst, self.home(from.reg()))
    }

    /// The home of a register that is settled.
    pub(super) fn settled(&self, r: Reg) -> Rm {
        debug_assert!(!self.sym.is_pending(r.0), "the home of x{} has another value", r.0);
        self.home(r.0)
    }

    /// True if what the home of `r` holds would have to be loaded.
    pub(super) fn in_slot(&self, r: u8) -> bool {
        r != 0 && matches!(self.home(r), Rm::S(_))
    }

    /// Compares the low half of what the home of `r` holds with zero.
    pub(super) fn compare_low_with_zero(&mut self, r: u8) {
        match self.home(r) {
            Rm::R(h) => self.a.test(Sz::D, h, h),
            rm => self.a.alu_imm(Alu::Cmp, Sz::D, rm, 0),
        }
    }

    /// Computes the pending shift that `r` is. A word shifted left is then a pending
    /// sign-extension.
    fn settle_shift(&mut self, r: u8, op: ShiftOp, w: Width, a: u8, n: u8) {
        let dst = self.dest(Reg(r));
        let from = Opnd::Rm(self.home(a));
        self.load_opnd(size(w), dst, from);
        self.shift_done(r, op, w, dst, n);
    }

    /// The destination now holds a 64-bit result.
    pub(super) fn done(&mut self, rd: Reg, dst: u8, narrow: bool) {
        self.write_home(rd.0, dst);
        self.sym.set_home(rd.0, narrow);
    }

    /// The low half of the destination holds a 32-bit result and the upper half is zero; the
    /// value is the sign-extension.
    pub(super) fn done_word(&mut self, rd: Reg, dst: u8) {
        if host_int(rd.0).is_some() || self.redefined & 1 << rd.0 != 0 {
            self.write_home(rd.0, dst);
            self.sym.set_sext(rd.0);
        } else {
            self.a.movsxd(dst, Rm::R(dst));
            self.done(rd, dst, true);
        }
    }
}
