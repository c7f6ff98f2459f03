//! Multiplication and division.

use super::asm::Two;
use super::asm::{Alu, Cc, Sz};
use super::emit::Emitter;
use super::emit_float::{FMOV_FROM_X, FMOV_TO_X};
use super::emit_int::size;
use super::regs::{V30, V31, X0, X1, X16, X30, ZR};
use crate::ir::{BinOp, Reg, Src, Width};

/// `pmull vd.1q, vn.1d, vm.1d`
const PMULL: u32 = 0x0ee0_e000;
/// `umov x, v.d[1]`
const UMOV_HIGH: u32 = 0x4e18_3c00;

impl Emitter<'_, '_> {
    pub(super) fn mul(&mut self, w: Width, rd: Reg, a: Reg, b: Src) {
        let sz = size(w);
        let x = self.use_sz(sz, a, X0);
        let y = self.use_src(sz, b, X1);
        let dst = self.dest(rd);
        self.a.madd(false, sz, dst, (x, y, ZR));
        self.finish(w, rd, dst);
    }

    /// The high half.
    pub(super) fn mul_high(&mut self, signed: bool, rd: Reg, a: Reg, b: Src) {
        let x = self.use64(a, X0);
        let y = self.use_src(Sz::X, b, X1);
        let dst = self.dest(rd);
        self.a.mul_high(signed, dst, x, y);
        self.done(rd, dst, false);
    }

    /// The unsigned high half less `b` where `a` is negative.
    pub(super) fn mul_high_signed_unsigned(&mut self, rd: Reg, a: Reg, b: Src) {
        let x = self.use64(a, X0);
        let y = self.use_src(Sz::X, b, X1);
        let dst = self.dest(rd);
        self.a.shr_imm(true, Sz::X, X16, x, 63);
        self.a.alu(Alu::And, Sz::X, X16, X16, y);
        self.a.mul_high(false, dst, x, y);
        self.a.alu(Alu::Sub, Sz::X, dst, dst, X16);
        self.done(rd, dst, false);
    }

    /// Division. The host's quotient is RISC-V's but for a zero divisor, for which it is zero; so
    /// the remainder that follows from it is right in all cases.
    pub(super) fn divide(&mut self, op: BinOp, w: Width, rd: Reg, a: Reg, b: Src) {
        let sz = size(w);
        let signed = matches!(op, BinOp::Div | BinOp::Rem);
        let two = if signed { Two::Sdiv } else { Two::Udiv };
        let divisor = self.const_of(b);
        let x = self.use_sz(sz, a, X0);
        let y = self.use_src(sz, b, X1);
        let dst = self.dest(rd);
        if matches!(op, BinOp::Rem | BinOp::Remu) {
            self.a.two(two, sz, X16, x, y);
            self.a.madd(true, sz, dst, (X16, y, x));
        } else {
            let not_zero =
                divisor.is_some_and(|k| if sz == Sz::W { k as u32 != 0 } else { k != 0 });
            if not_zero {
                self.a.two(two, sz, dst, x, y);
            } else {
                self.a.two(two, sz, X16, x, y);
                self.a.cmp(sz, y, ZR);
                self.a.csinv(Cc::Ne, sz, dst, X16, ZR);
            }
        }
        self.finish(w, rd, dst);
    }

    pub(super) fn clmul(&mut self, op: BinOp, rd: Reg, a: Reg, b: Src) {
        if !self.cpu.pmull {
            return self.helper(1 << rd.0);
        }
        let x = self.use64(a, X0);
        let y = self.use_src(Sz::X, b, X1);
        let dst = self.dest(rd);
        self.a.dn(FMOV_FROM_X, V30, x);
        self.a.dn(FMOV_FROM_X, V31, y);
        self.a.dnm(PMULL, V31, V30, V31);
        match op {
            BinOp::Clmul => self.a.dn(FMOV_TO_X, dst, V31),
            BinOp::Clmulh => self.a.dn(UMOV_HIGH, dst, V31),
            _ => {
                // Bits 126..63.
                self.a.dn(FMOV_TO_X, X16, V31);
                self.a.dn(UMOV_HIGH, X30, V31);
                self.a.extr(Sz::X, dst, X30, X16, 63);
            }
        }
        self.done(rd, dst, false);
    }
}
