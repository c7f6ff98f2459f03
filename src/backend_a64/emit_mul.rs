//! Multiplication and division.

use super::Emitter;
use super::asm::{Alu, Cc, Sz, Two};
use super::emit_float::{FMOV_FROM_X, FMOV_TO_X};
use super::regs::{V30, V31, X16, X30, ZR};
use crate::ir::BinOp;

/// `pmull vd.1q, vn.1d, vm.1d`
const PMULL: u32 = 0x0ee0_e000;
/// `umov x, v.d[1]`
const UMOV_HIGH: u32 = 0x4e18_3c00;

impl Emitter<'_, '_> {
    /// The unsigned high half less `b` where `a` is negative.
    pub(super) fn mul_high_signed_unsigned(&mut self, dst: u8, x: u8, y: u8) {
        self.a.shr_imm(true, Sz::X, X16, x, 63);
        self.a.alu(Alu::And, Sz::X, X16, X16, y);
        self.a.mul_high(false, dst, x, y);
        self.a.alu(Alu::Sub, Sz::X, dst, dst, X16);
    }

    /// Division. The host's quotient is RISC-V's but for a zero divisor, for which it is zero; so
    /// the remainder that follows from it is right in all cases.
    pub(super) fn divide(
        &mut self,
        op: BinOp,
        sz: Sz,
        dst: u8,
        (x, y): (u8, u8),
        divisor: Option<u64>,
    ) {
        let signed = matches!(op, BinOp::Div | BinOp::Rem);
        let two = if signed { Two::Sdiv } else { Two::Udiv };
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
    }

    /// Needs FEAT_PMULL.
    pub(super) fn clmul(&mut self, op: BinOp, dst: u8, x: u8, y: u8) {
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
    }
}
