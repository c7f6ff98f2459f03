//! Where the values of guest integer registers are.
//!
//! Operands are in memory as well as in registers here, and may be constants; see
//! `backend::emit`, `values`, for when they stay as they are.

mod address;
mod slots;

pub(super) use slots::{Copies, spares};

use super::Emitter;
use super::asm::{Alu, Asm, Rm, Shift, Sz};
use super::emit_int::size;
use super::regs::RAX;
use crate::backend::emit::{LowerValues, Place};
use crate::backend::{Held, Homes, ShiftBy, Val};
use crate::ir::{Bytes, Reg, Src, Width};
use crate::opt::RegSet;

/// An operand of an integer instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opnd {
    /// Register or slot.
    Rm(Rm),
    /// Immediate, sign-extended to the operation's width.
    Imm(i32),
}

/// One that is held.
pub(super) type Operand<'h> = Held<'h, Opnd>;

impl<'b> LowerValues<'b, Asm<'b>> for Emitter<'b, '_> {
    fn materialise_pending(&mut self, homes: &mut Homes, r: u8) {
        match self.sym.val(r) {
            Val::Const(k) => return self.materialise_const(homes, r, k),
            Val::Shift { op, w, a, n } => self.materialise_shift(homes, r, (op, w, n), a),
            Val::Bytes { a, bytes } => return self.materialise_bytes(homes, r, bytes, a),
            Val::Home | Val::Lin { .. } => {}
        }
        if !self.sym.is_sext(r) {
            self.materialise_dependents(homes, r);
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
                Val::Home | Val::Shift { .. } | Val::Bytes { .. } | Val::Const(_) => {}
                Val::Lin { a, b: 0, imm: 0, .. } => {
                    let from = self.home(a);
                    self.move_home(homes, r, dst, from);
                    return self.sym.materialise(r);
                }
                Val::Lin { a, b, shift, imm } => self.compute(dst, (a, b, shift, imm)),
            }
        }
        self.write_home(homes, r, dst);
        self.sym.materialise(r);
    }

    fn materialise_low_pending(&mut self, homes: &mut Homes, r: u8) {
        match self.sym.val(r) {
            Val::Shift { op, w, a, n } => self.materialise_shift(homes, r, (op, w, n), a),
            _ => self.materialise_pending(homes, r),
        }
    }

    fn store_held(&mut self, registers: RegSet) {
        self.store_copies(registers);
    }

    fn pin(&mut self, r: u8) {
        self.home(r);
    }

    fn home_of<'h>(&mut self, homes: &'h Homes, r: u8, _place: Place) -> Operand<'h> {
        Held::new(homes, Opnd::Rm(self.home(r)))
    }

    fn operand<'h>(&mut self, homes: &'h Homes, w: Width, r: Reg, _: Place) -> Operand<'h> {
        self.use_sz(homes, size(w), r)
    }

    fn result_reg(&mut self, r: u8) -> u8 {
        self.target(r, RAX)
    }

    fn write_home(&mut self, homes: &mut Homes, r: u8, from: u8) {
        self.write_copy(homes, r, from);
    }
}

impl Emitter<'_, '_> {
    /// Brings home the constant `k` that `r` is.
    fn materialise_const(&mut self, homes: &mut Homes, r: u8, k: u64) {
        self.materialise_dependents(homes, r);
        if !self.write_home_imm(homes, r, k) {
            let dst = self.result_reg(r);
            self.a.mov_imm_keep_flags(dst, k);
            self.write_home(homes, r, dst);
        }
        self.sym.materialise(r);
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
    pub(super) fn use64<'h>(&mut self, homes: &'h Homes, r: Reg) -> Operand<'h> {
        if let Some(k) = self.sym.constant(r.0)
            && let Ok(k) = i32::try_from(k as i64)
        {
            return Held::new(homes, Opnd::Imm(k));
        }
        self.materialise(homes, r.0);
        Held::new(homes, Opnd::Rm(self.home(r.0)))
    }

    /// The low 32 bits of `r` as an operand; the upper ones may be anything.
    pub(super) fn use32<'h>(&mut self, homes: &'h Homes, r: Reg) -> Operand<'h> {
        if let Some(k) = self.sym.constant(r.0) {
            return Held::new(homes, Opnd::Imm(k as i32));
        }
        self.materialise_low(homes, r.0);
        Held::new(homes, Opnd::Rm(self.home(r.0)))
    }

    /// As `use64` or `use32` by size.
    pub(super) fn use_sz<'h>(&mut self, homes: &'h Homes, sz: Sz, r: Reg) -> Operand<'h> {
        match sz {
            Sz::D => self.use32(homes, r),
            Sz::Q => self.use64(homes, r),
        }
    }

    pub(super) fn use_src<'h>(&mut self, homes: &'h Homes, sz: Sz, src: Src) -> Operand<'h> {
        match src {
            Src::Imm(i) => Held::new(homes, Opnd::Imm(i)),
            Src::Reg(r) => self.use_sz(homes, sz, r),
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

    /// The operand in a register or slot: its own, or `scratch`.
    pub(super) fn operand_rm(&mut self, sz: Sz, o: Opnd, scratch: u8) -> Rm {
        match o {
            Opnd::Rm(rm) => rm,
            Opnd::Imm(_) => {
                self.load_opnd(sz, scratch, o);
                Rm::R(scratch)
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

    /// The home of a register that is materialised.
    pub(super) fn materialised<'h>(&self, homes: &'h Homes, r: Reg) -> Held<'h, Rm> {
        debug_assert!(!self.sym.is_pending(r.0), "the home of x{} has another value", r.0);
        Held::new(homes, self.home(r.0))
    }

    /// True if what the home of `r` holds would have to be loaded.
    pub(super) fn in_slot(&self, r: u8) -> bool {
        r != 0 && matches!(self.home(r), Rm::S(_))
    }

    /// Compares the low half of what the home of `r` holds with zero.
    pub(super) fn compare_low_with_zero(&mut self, _homes: &Homes, r: u8) {
        match self.home(r) {
            Rm::R(h) => self.a.test(Sz::D, h, h),
            rm => self.a.alu_imm(Alu::Cmp, Sz::D, rm, 0),
        }
    }

    /// Computes the bytes of a word that `r` is.
    fn materialise_bytes(&mut self, homes: &mut Homes, r: u8, bytes: Bytes, a: u8) {
        let dst = self.dest(homes, Reg(r));
        let (from, to) = (self.home(a), Rm::R(dst));
        let Bytes { from: first, len, to: place, signed } = bytes;
        match (first, len) {
            (0, 1) => self.a.movzx8(dst, from),
            (0, 4) => self.a.mov(Sz::D, dst, from),
            _ => {
                self.a.mov(Sz::Q, dst, from);
                let above = 8 * (8 - first - len);
                if above != 0 {
                    self.a.shift_imm(Shift::Shl, Sz::Q, to, above);
                }
                if len != 8 {
                    self.a.shift_imm(Shift::Shr, Sz::Q, to, 8 * (8 - len));
                }
            }
        }
        if place != 0 {
            self.a.shift_imm(Shift::Shl, Sz::Q, to, 8 * place);
        }
        if signed {
            self.a.movsxd(dst, to);
        }
        self.done(homes, Reg(r), dst, bytes.is_narrow());
    }

    /// Computes the pending shift that `r` is. A word shifted left is then a pending
    /// sign-extension.
    fn materialise_shift(&mut self, homes: &mut Homes, r: u8, by: ShiftBy, a: u8) {
        let dst = self.dest(homes, Reg(r));
        let from = Opnd::Rm(self.home(a));
        self.load_opnd(size(by.1), dst, from);
        self.shift_done(homes, r, by, dst);
    }
}
