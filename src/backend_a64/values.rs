//! Where the values of guest integer registers are.
//!
//! Operands are in registers here, or constants where an instruction takes them; see
//! `backend::emit`, `values`, for when they stay as they are.

mod address;

use super::Emitter;
use super::asm::{Asm, At, Mem, Sz, a64};
use super::emit_int::size;
use super::regs::{STATE, X0, X1, X16, X17, X30, ZR, slot};
use crate::backend::emit::{LowerValues, Place};
use crate::backend::{Held, Homes, ShiftOp, Val};
use crate::ir::{Bytes, Reg, Src, Width};

/// An operand of an integer instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opnd {
    /// A register.
    Reg(u8),
    /// A constant that the instruction takes.
    Imm(u64),
}

impl Opnd {
    /// The register, of an operand that is no constant.
    pub(super) fn reg(self) -> u8 {
        match self {
            Self::Reg(h) => h,
            Self::Imm(_) => unreachable!("the instruction takes no constant"),
        }
    }
}

const fn scratch(place: Place) -> u8 {
    match place {
        Place::First => X0,
        Place::Second => X1,
        Place::Third => X30,
    }
}

/// One that is held.
pub(super) type Operand<'h> = Held<'h, Opnd>;

impl<'b> LowerValues<'b, Asm<'b>> for Emitter<'b, '_> {
    fn materialise_pending(&mut self, homes: &mut Homes, r: u8) {
        self.materialise_dependents(homes, r);
        let mut dst = self.map.int(r).unwrap_or(X16);
        if self.sym.is_sext(r) {
            let from = self.home_in_reg(r, X16);
            self.a.sxtw(dst, from);
        } else {
            match self.sym.val(r) {
                Val::Home => {}
                Val::Const(0) if self.map.int(r).is_none() => dst = ZR,
                Val::Const(k) => self.a.mov_imm(dst, k),
                Val::Shift { op, w, a, n } => {
                    let from = self.home_in_reg(a, X16);
                    self.a.shift(op, w, dst, from, n);
                }
                Val::Bytes { a, bytes } => {
                    let from = self.home_in_reg(a, X16);
                    self.extract_bytes(dst, from, bytes);
                }
                Val::Lin { a, b, shift, imm } => self.compute(dst, (a, b, shift, imm)),
            }
        }
        if self.map.int(r).is_none() {
            self.a.store_field(slot(r), dst);
        }
        self.sym.materialise(r);
    }

    fn home_of<'h>(&mut self, homes: &'h Homes, r: u8, place: Place) -> Operand<'h> {
        Held::new(homes, Opnd::Reg(self.home_in_reg(r, scratch(place))))
    }

    fn operand<'h>(&mut self, homes: &'h Homes, w: Width, r: Reg, place: Place) -> Operand<'h> {
        self.use_sz(homes, size(w), r, scratch(place)).map(Opnd::Reg)
    }

    fn result_reg(&mut self, r: u8) -> u8 {
        // Operands that were put into x0 or x1 before stay there.
        self.map.int(r).unwrap_or(X30)
    }

    fn write_home(&mut self, _homes: &mut Homes, r: u8, from: u8) {
        if self.map.int(r).is_none() {
            self.a.store_field(slot(r), from);
        }
    }
}

impl Emitter<'_, '_> {
    /// A register that holds what is in the home of `r`: that home, or `scratch`.
    fn home_in_reg(&mut self, r: u8, scratch: u8) -> u8 {
        debug_assert!(r != 0, "x0 has no home");
        self.map.int(r).unwrap_or_else(|| {
            self.a.mem(Mem::LoadX, scratch, At::Disp(STATE, slot(r)));
            scratch
        })
    }

    /// `dst` = those bytes of `word`.
    fn extract_bytes(&mut self, dst: u8, word: u8, bytes: Bytes) {
        let Bytes { from, len, to, signed } = bytes;
        self.a.bfx(false, dst, word, 8 * from, 8 * len);
        if to != 0 {
            self.a.shift(ShiftOp::Left, Width::D, dst, dst, 8 * to);
        }
        if signed {
            self.a.sxtw(dst, dst);
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
                    a64!(self.a ; lsl X(dst), X(b), shift.into());
                    self.a.add_imm(Sz::X, dst, dst, imm);
                }
            }
            (a, b) => {
                let a = self.home_in_reg(a, X16);
                let b = self.home_in_reg(b, X17);
                a64!(self.a ; add X(dst), X(a), X(b), lsl shift.into());
                self.a.add_imm(Sz::X, dst, dst, imm);
            }
        }
    }

    /// A register that holds all 64 bits of `r`: its own, `to`, or the zero register.
    pub(super) fn use64<'h>(&mut self, homes: &'h Homes, r: Reg, to: u8) -> Held<'h, u8> {
        match self.sym.constant(r.0) {
            Some(0) => return Held::new(homes, ZR),
            Some(k) if self.sym.is_pending(r.0) && self.map.int(r.0).is_none() => {
                self.a.mov_imm(to, k);
                return Held::new(homes, to);
            }
            _ => {}
        }
        self.materialise(homes, r.0);
        Held::new(homes, self.home_in_reg(r.0, to))
    }

    /// A register that holds the low 32 bits of `r`; the upper ones may be anything.
    pub(super) fn use32<'h>(&mut self, homes: &'h Homes, r: Reg, to: u8) -> Held<'h, u8> {
        match self.sym.constant(r.0) {
            Some(k) if k as u32 == 0 => return Held::new(homes, ZR),
            Some(k) if self.sym.is_pending(r.0) && self.map.int(r.0).is_none() => {
                self.a.mov_imm(to, u64::from(k as u32));
                return Held::new(homes, to);
            }
            _ => {}
        }
        self.materialise_low(homes, r.0);
        Held::new(homes, self.home_in_reg(r.0, to))
    }

    /// As `use64` or `use32` by size.
    pub(super) fn use_sz<'h>(&mut self, homes: &'h Homes, sz: Sz, r: Reg, to: u8) -> Held<'h, u8> {
        match sz {
            Sz::W => self.use32(homes, r, to),
            Sz::X => self.use64(homes, r, to),
        }
    }

    pub(super) fn use_src<'h>(&mut self, homes: &'h Homes, sz: Sz, b: Src, to: u8) -> Held<'h, u8> {
        match b {
            Src::Imm(0) => Held::new(homes, ZR),
            Src::Imm(i) => {
                let v = if sz == Sz::W { u64::from(i as u32) } else { i64::from(i) as u64 };
                self.a.mov_imm(to, v);
                Held::new(homes, to)
            }
            Src::Reg(r) => self.use_sz(homes, sz, r, to),
        }
    }

    /// A register that holds the home of `r`, which is materialised: that home, or `to`.
    pub(super) fn materialised<'h>(&mut self, homes: &'h Homes, r: Reg, to: u8) -> Held<'h, u8> {
        debug_assert!(!self.sym.is_pending(r.0), "the home of x{} has another value", r.0);
        Held::new(homes, self.home_in_reg(r.0, to))
    }
}
