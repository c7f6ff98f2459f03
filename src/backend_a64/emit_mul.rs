//! Multiplication and division.

use super::Emitter;
use super::asm::{Cc, Sz, a64, sized};
use super::regs::{V30, V31, X16, X30, ZR};
use crate::ir::BinOp;

impl Emitter<'_, '_> {
    /// The unsigned high half less `b` where `a` is negative.
    pub(super) fn mul_high_signed_unsigned(&mut self, dst: u8, x: u8, y: u8) {
        a64!(self.a
            ; asr X(X16), X(x), 63
            ; and X(X16), X(X16), X(y)
            ; umulh X(dst), X(x), X(y)
            ; sub X(dst), X(dst), X(X16)
        );
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
        let rest = matches!(op, BinOp::Rem | BinOp::Remu);
        let known = divisor.is_some_and(|k| if sz == Sz::W { k as u32 != 0 } else { k != 0 });
        let quotient = if rest || !known { X16 } else { dst };
        match op {
            BinOp::Div | BinOp::Rem => sized!(self.a, sz ; sdiv quotient, x, y),
            _ => sized!(self.a, sz ; udiv quotient, x, y),
        }
        if rest {
            sized!(self.a, sz ; msub dst, X16, y, x);
        } else if !known {
            self.a.cmp(sz, y, ZR);
            self.a.csinv(Cc::NE, sz, dst, X16, ZR);
        }
    }

    /// Needs FEAT_PMULL.
    pub(super) fn clmul(&mut self, op: BinOp, dst: u8, x: u8, y: u8) {
        a64!(self.a
            ; fmov D(V30), X(x)
            ; fmov D(V31), X(y)
            ; pmull V(V31).q1, V(V30).d1, V(V31).d1
        );
        match op {
            BinOp::Clmul => a64!(self.a ; fmov X(dst), D(V31)),
            BinOp::Clmulh => a64!(self.a ; umov X(dst), V(V31).d[1]),
            // Bits 126..63.
            _ => a64!(self.a
                ; fmov X(X16), D(V31)
                ; umov X(X30), V(V31).d[1]
                ; extr X(dst), X(X30), X(X16), 63
            ),
        }
    }
}
