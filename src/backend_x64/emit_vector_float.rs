//! Arithmetic of vectors of numbers.
//!
//! Flags accrue in MXCSR, which has the dynamic rounding mode, as those of scalars do. A result is
//! looked at before it is stored: where it is a NaN, it becomes the canonical one on the cold path.

use super::Emitter;
use super::asm::{Cc, Map, Pp, Rm};
use super::emit_float_arith::{ADD, DIV, MUL, SUB, fma_213};
use super::emit_vector::piece;
use super::regs::RDX;
use crate::backend::emit::VectorUnit;
use crate::ir::{VBinOp, VSrc};

/// `vcmpps` and `vcmppd`; 3 asks whether either operand is a NaN.
const COMPARE: u8 = 0xc2;
const UNORDERED: u8 = 3;

/// Prefix of operations on numbers of this width: on all lanes, or on the low one.
const fn prefix(sew: u8, all: bool) -> Pp {
    match (sew, all) {
        (2, true) => Pp::None,
        (2, false) => Pp::F3,
        (_, true) => Pp::P66,
        (_, false) => Pp::F2,
    }
}

impl Emitter<'_, '_> {
    /// xmm0 = `op` of the numbers at `a` and `vd` and of `b`, all of 16 bytes or one. xmm1 is lost.
    pub(super) fn packed_float(
        &mut self,
        op: VBinOp,
        sew: u8,
        (a, vd): (u16, u16),
        b: VSrc,
        n: u8,
    ) {
        let pp = prefix(sew, n == 16);
        if let Some(fused) = op.fused() {
            let (factor, addend) = if fused.multiplies_vd { (vd, a) } else { (a, vd) };
            self.number(1, sew, b, n);
            self.load_piece(0, addend, n);
            let code = fma_213((fused.neg_product, fused.neg_addend)) + 0x10 - u8::from(n == 16);
            self.a.vex(Pp::P66, Map::M0F38, sew == 3, code, 0, 1, piece(factor));
            return self.canonical_lanes(sew, |e| {
                e.invalid_product(RDX, |e| {
                    e.number(1, sew, b, n);
                    e.a.vex(pp, Map::M0F, false, MUL, 1, 1, piece(factor));
                });
            });
        }
        let (opcode, reversed) = match op {
            VBinOp::FAdd => (ADD, false),
            VBinOp::FSub => (SUB, false),
            VBinOp::FRsub => (SUB, true),
            VBinOp::FMul => (MUL, false),
            VBinOp::FRdiv => (DIV, true),
            _ => (DIV, false),
        };
        match b {
            VSrc::Group(group) => {
                self.load_piece(0, a, n);
                self.a.vex(pp, Map::M0F, false, opcode, 0, 0, piece(group.0));
            }
            _ if reversed => {
                self.number(0, sew, b, n);
                self.a.vex(pp, Map::M0F, false, opcode, 0, 0, piece(a));
            }
            _ => {
                self.number(1, sew, b, n);
                self.load_piece(0, a, n);
                self.a.vex(pp, Map::M0F, false, opcode, 0, 0, Rm::R(1));
            }
        }
        self.canonical_lanes(sew, |_| {});
    }

    /// xmm0 = the number at `init` plus those at `a`, one after the other. xmm1 is lost.
    pub(super) fn numbers_in_order(&mut self, sew: u8, init: u16, a: u16, count: u16) {
        self.load_piece(0, init, 1 << sew);
        for n in 0..count {
            self.a.vex(prefix(sew, false), Map::M0F, false, ADD, 0, 0, piece(a + (n << sew)));
        }
        self.canonical_lanes(sew, |_| {});
    }

    /// Loads an operand: `n` bytes, or the same number in all lanes.
    fn number(&mut self, x: u8, sew: u8, b: VSrc, n: u8) {
        match b {
            VSrc::Group(group) => self.load_piece(x, group.0, n),
            VSrc::F(f) => {
                let home = self.fhome(f);
                let op = if sew == 3 { 0x59 } else { 0x58 };
                self.a.vex(Pp::P66, Map::M0F38, false, op, x, 0, home);
            }
            VSrc::X(_) | VSrc::Imm(_) => unreachable!("a number is in no integer register"),
        }
    }

    /// Makes NaNs in xmm0 canonical, of which there are none in lanes that do not matter. `cold` is
    /// emitted where there are some; it may use xmm1.
    fn canonical_lanes(&mut self, sew: u8, cold: impl FnOnce(&mut Self)) {
        self.unordered_lanes(sew);
        // vptest xmm1, xmm1
        self.a.vex(Pp::P66, Map::M0F38, false, 0x17, 1, 0, Rm::R(1));
        let to = self.a.buf.cold_pos();
        self.a.jcc(Cc::NE, to);
        let back = self.a.pos();
        self.in_cold(|e| {
            cold(e);
            e.unordered_lanes(sew);
            // vandnps: zero where there are NaNs.
            e.a.vex(Pp::None, Map::M0F, false, 0x55, 0, 1, Rm::R(0));
            // Of all ones: exponent and the first bit behind it.
            let (shift, fraction) = if sew == 3 { (0x73, 52) } else { (0x72, 23) };
            e.a.vex(Pp::P66, Map::M0F, false, shift, 2, 1, Rm::R(1));
            e.a.byte(fraction);
            e.a.vex(Pp::P66, Map::M0F, false, shift, 6, 1, Rm::R(1));
            e.a.byte(fraction - 1);
            e.a.vex(Pp::None, Map::M0F, false, 0x56, 0, 0, Rm::R(1));
            e.a.jmp(back);
        });
    }

    /// xmm1 = all ones in lanes of xmm0 that are NaNs.
    fn unordered_lanes(&mut self, sew: u8) {
        self.a.vex(prefix(sew, true), Map::M0F, false, COMPARE, 1, 0, Rm::R(0));
        self.a.byte(UNORDERED);
    }
}
