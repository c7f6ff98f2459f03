//! Multiplication and division.

use super::Emitter;
use super::asm::{Alu, Cc, Map, Pp, Rm, Shift, Sz};
use super::emit_int::size;
use super::regs::{RAX, RCX, RDX, XMM0, XMM1};
use super::values::Opnd;
use crate::ir::{BinOp, Width};

impl Emitter<'_, '_> {
    pub(super) fn mul(&mut self, sz: Sz, dst: u8, mut x: Opnd, mut y: Opnd) {
        if matches!(x, Opnd::Imm(_)) || y == Opnd::Rm(Rm::R(dst)) {
            (x, y) = (y, x);
        }
        match (x, y) {
            (Opnd::Rm(rm), Opnd::Imm(i)) => self.a.imul_imm(sz, dst, rm, i),
            (x, Opnd::Rm(rm)) => {
                self.load_opnd(sz, dst, x);
                self.a.imul(sz, dst, rm);
            }
            (x, Opnd::Imm(i)) => {
                self.load_opnd(sz, dst, x);
                self.a.imul_imm(sz, dst, Rm::R(dst), i);
            }
        }
    }

    /// `mul` (4) or `imul` (5) by their number in opcode F7; the high half.
    pub(super) fn mul_high(&mut self, number: u8, dst: u8, x: Opnd, y: Opnd) {
        // The one-operand forms take no immediate.
        let y = self.operand_rm(Sz::Q, y, RCX);
        self.load_opnd(Sz::Q, RAX, x);
        self.a.unary(number, Sz::Q, y);
        self.a.mov(Sz::Q, dst, Rm::R(RDX));
    }

    /// The unsigned high half less `b` where `a` is negative.
    pub(super) fn mul_high_signed_unsigned(&mut self, dst: u8, x: Opnd, y: Opnd) {
        self.load_opnd(Sz::Q, RCX, y);
        self.load_opnd(Sz::Q, RAX, x);
        self.a.unary(4, Sz::Q, Rm::R(RCX));
        // `dst` may be the home of `a`, so its sign is taken first.
        self.load_opnd(Sz::Q, RAX, x);
        self.a.shift_imm(Shift::Sar, Sz::Q, Rm::R(RAX), 63);
        self.a.alu(Alu::And, Sz::Q, RAX, Rm::R(RCX));
        self.a.alu(Alu::Sub, Sz::Q, RDX, Rm::R(RAX));
        self.a.mov(Sz::Q, dst, Rm::R(RDX));
    }

    /// Division. The host traps on a zero divisor and on overflow, RISC-V defines both; they are
    /// on a cold path.
    pub(super) fn divide(
        &mut self,
        op: BinOp,
        w: Width,
        dst: u8,
        (x, y): (Opnd, Opnd),
        divisor: Option<u64>,
    ) {
        let sz = size(w);
        let signed = matches!(op, BinOp::Div | BinOp::Rem);
        let remainder = matches!(op, BinOp::Rem | BinOp::Remu);
        self.load_opnd(sz, RCX, y);
        self.load_opnd(sz, RAX, x);
        // A constant other than 0 and -1 needs no check.
        let plain = divisor.is_some_and(|k| {
            let k = if w == Width::W { k as i32 as i64 } else { k as i64 };
            k != 0 && k != -1
        });
        let cold = self.a.buf.cold_pos();
        if !plain {
            if signed {
                self.a.lea(sz, RDX, Rm::B(RCX, 1));
                self.a.alu_imm(Alu::Cmp, sz, Rm::R(RDX), 1);
                self.a.jcc(Cc::BE, cold);
            } else {
                self.a.test(sz, RCX, RCX);
                self.a.jcc(Cc::E, cold);
            }
        }
        if signed {
            if sz == Sz::Q {
                self.a.byte(0x48);
            }
            self.a.byte(0x99); // cdq, cqo
            self.a.unary(7, sz, Rm::R(RCX));
        } else {
            self.a.alu(Alu::Xor, Sz::D, RDX, Rm::R(RDX));
            self.a.unary(6, sz, Rm::R(RCX));
        }
        let back = self.a.pos();
        if !plain {
            self.in_cold(|e| {
                e.a.alu(Alu::Xor, Sz::D, RDX, Rm::R(RDX));
                e.a.test(sz, RCX, RCX);
                let zero = e.a.jcc_short(Cc::E);
                // Divisor -1: quotient -a, remainder 0. For unsigned division it does not come
                // here.
                e.a.unary(3, sz, Rm::R(RAX));
                e.a.jmp(back);
                e.a.bind_short(zero);
                // Divisor 0: quotient -1, remainder a.
                e.a.mov(sz, RDX, Rm::R(RAX));
                e.a.mov_imm_keep_flags(RAX, if sz == Sz::Q { u64::MAX } else { 0xffff_ffff });
                e.a.jmp(back);
            });
        }
        self.a.mov(sz, dst, Rm::R(if remainder { RDX } else { RAX }));
    }

    /// Needs `pclmulqdq`.
    pub(super) fn clmul(&mut self, op: BinOp, dst: u8, x: Opnd, y: Opnd) {
        let x = self.opnd_in_reg(Sz::Q, x, RAX);
        let y = self.opnd_in_reg(Sz::Q, y, RCX);
        self.movq_to_vector(XMM0, x);
        self.movq_to_vector(XMM1, y);
        self.pclmul(XMM0, XMM1, 0);
        if op == BinOp::Clmul {
            return self.movq_from_vector(dst, XMM0);
        }
        // psrldq xmm1, 8 of a copy: the high half.
        self.a.ins(Pp::P66, Map::M0F, Sz::D, 0x6f, XMM1, Rm::R(XMM0));
        self.a.ins(Pp::P66, Map::M0F, Sz::D, 0x73, 3, Rm::R(XMM1));
        self.a.byte(8);
        if op == BinOp::Clmulh {
            self.movq_from_vector(dst, XMM1);
        } else {
            // Bits 126..63: the high half moved left by one, with bit 63 of the low one.
            self.movq_from_vector(RAX, XMM0);
            self.movq_from_vector(RCX, XMM1);
            self.a.ins(Pp::None, Map::M0F, Sz::Q, 0xa4, RAX, Rm::R(RCX)); // shld rcx, rax, 1
            self.a.byte(1);
            self.a.mov(Sz::Q, dst, Rm::R(RCX));
        }
    }

    /// `movq xmm, r64`
    pub(super) fn movq_to_vector(&mut self, to: u8, from: u8) {
        self.a.ins(Pp::P66, Map::M0F, Sz::Q, 0x6e, to, Rm::R(from));
    }

    /// `movq r64, xmm`
    pub(super) fn movq_from_vector(&mut self, to: u8, from: u8) {
        self.a.ins(Pp::P66, Map::M0F, Sz::Q, 0x7e, from, Rm::R(to));
    }
}
