//! Floating-point arithmetic, and what only changes signs.

use super::Emitter;
use super::asm::{Alu, Cc, Map, Pp, Rm, Shift, Sz};
use super::emit_float::{
    ALL_MASKS, MAGNITUDE_D, MAGNITUDE_S, MASKS, OR, SIGN_D, SIGN_S, UCOMI, XOR, constant, scalar,
};
use super::regs::{RAX, XMM0, XMM1, field};
use crate::backend::Homes;
use crate::backend::emit::{LowerArith, LowerFloat, Writes};
use crate::cpu::fflags;
use crate::ir::{FBinOp, FReg, FUnOp, Fmt, Rounding};

// Opcodes in map 0F.
const SQRT: u8 = 0x51;
pub(super) const AND: u8 = 0x54;
pub(super) const ADD: u8 = 0x58;
pub(super) const MUL: u8 = 0x59;
pub(super) const SUB: u8 = 0x5c;

/// Number of the bit of RISC-V's flag for invalid operations.
const NV_BIT: u8 = fflags::NV.trailing_zeros() as u8;
pub(super) const MIN: u8 = 0x5d;
pub(super) const DIV: u8 = 0x5e;
pub(super) const MAX: u8 = 0x5f;

/// The opcode in map 0F38 of `vfmadd` or one of its kin, in the form whose destination is a factor
/// (213); that whose destination is the addend (231) lies 0x10 above.
pub(super) const fn fma_213((neg_product, neg_addend): (bool, bool)) -> u8 {
    0xa9 + ((neg_product as u8) << 2) + ((neg_addend as u8) << 1)
}

impl LowerArith for Emitter<'_, '_> {
    fn fbin(
        &mut self,
        homes: &mut Homes,
        op: FBinOp,
        fmt: Fmt,
        rm: Rounding,
        fd: FReg,
        [a, b]: [FReg; 2],
    ) {
        let opcode = match op {
            FBinOp::Add => ADD,
            FBinOp::Sub => SUB,
            FBinOp::Mul => MUL,
            FBinOp::Div => DIV,
            FBinOp::Min => return self.fmin_max(homes, MIN, fmt, fd, a, b),
            FBinOp::Max => return self.fmin_max(homes, MAX, fmt, fd, a, b),
            FBinOp::Minm | FBinOp::Maxm => unreachable!("the interpreter executes it"),
            FBinOp::Sgnj | FBinOp::Sgnjn | FBinOp::Sgnjx => {
                return self.fsign(homes, op, fmt, fd, a, b);
            }
        };
        self.check_boxed(homes, fmt, &[a, b], Writes::Float(fd));
        self.check_rounding(homes, rm, &[a, b], Writes::Float(fd));
        let loose = self.fp.is_loose(a);
        let x = self.float_in_reg(a, XMM0);
        let dst = self.fdest(fd);
        self.scalar_op(scalar(fmt), opcode, dst, x, self.fhome(b));
        self.fdone_arith(fmt, fd, dst, loose, &[a, b]);
    }

    fn fsqrt(&mut self, homes: &mut Homes, fmt: Fmt, rm: Rounding, fd: FReg, a: FReg) {
        self.check_boxed(homes, fmt, &[a], Writes::Float(fd));
        self.check_rounding(homes, rm, &[a], Writes::Float(fd));
        let dst = self.fdest(fd);
        self.scalar_unary(scalar(fmt), Map::M0F, SQRT, dst, self.fhome(a));
        self.fdone_arith(fmt, fd, dst, true, &[a]);
    }

    fn fround(&mut self, homes: &mut Homes, op: FUnOp, fmt: Fmt, rm: Rounding, fd: FReg, a: FReg) {
        let Some(mode) = Self::round_immediate(rm) else {
            unreachable!("the interpreter rounds in this mode");
        };
        let quiet = if op == FUnOp::RoundNx { 0 } else { 8 };
        self.check_boxed(homes, fmt, &[a], Writes::Float(fd));
        let dst = self.fdest(fd);
        self.round(fmt, dst, self.fhome(a), mode | quiet);
        self.fdone_arith(fmt, fd, dst, true, &[a]);
    }

    fn fmuladd(
        &mut self,
        homes: &mut Homes,
        fmt: Fmt,
        rm: Rounding,
        neg: (bool, bool),
        fd: FReg,
        abc: [FReg; 3],
    ) {
        self.check_boxed(homes, fmt, &abc, Writes::Float(fd));
        self.check_rounding(homes, rm, &abc, Writes::Float(fd));
        let [a, b, c] = abc;
        let mapped = self.map.float(fd.0).is_some();
        // The factors must outlive the operation, for the slow path.
        let (a, b) = if fd == b || self.map.float(a.0).is_none() { (b, a) } else { (a, b) };
        let wide = fmt == Fmt::D;
        let known = self.fp.with_all_implied(&[a, b, c]);
        let (dst, loose, factors);
        if mapped && fd == a && fd != c {
            let x = self.fdest(fd);
            self.fmove(XMM0, x);
            let y = self.float_in_reg(b, XMM1);
            self.a.vex(Pp::P66, Map::M0F38, wide, fma_213(neg), x, y, self.fhome(c));
            factors = (XMM0, Rm::R(if b == a { XMM0 } else { y }));
            (dst, loose) = (x, self.fp.is_loose(a));
        } else {
            let into = if mapped && fd != a && fd != b { self.fdest(fd) } else { XMM0 };
            let z = self.float_in_reg(c, into);
            self.fmove(into, z);
            let x = self.float_in_reg(a, XMM1);
            self.a.vex(Pp::P66, Map::M0F38, wide, fma_213(neg) + 0x10, into, x, self.fhome(b));
            factors = (x, self.fhome(b));
            (dst, loose) = (into, self.fp.is_loose(c));
        }
        let overwritten = if dst == XMM0 { 0 } else { 1 << fd.0 };
        self.fma_nan(fmt, dst, factors, known & !overwritten);
        let home = self.fdest(fd);
        self.fmove(home, dst);
        self.fdone(fmt, fd, home, loose);
    }
}

impl Emitter<'_, '_> {
    /// The immediate of `round` for a mode; with 8 added it raises no inexact flag.
    pub(super) const fn round_immediate(rm: Rounding) -> Option<u8> {
        match rm {
            Rounding::Rne => Some(0),
            Rounding::Rdn => Some(1),
            Rounding::Rup => Some(2),
            Rounding::Rtz => Some(3),
            Rounding::Dyn => Some(4),
            Rounding::Rmm => None,
        }
    }

    /// `dst = a` rounded to an integer: `roundsd`, `roundss`. Needs SSE4.1.
    pub(super) fn round(&mut self, fmt: Fmt, dst: u8, a: Rm, immediate: u8) {
        let opcode = if fmt == Fmt::D { 0x0b } else { 0x0a };
        self.scalar_unary(Pp::P66, Map::M0F3A, opcode, dst, a);
        self.a.byte(immediate);
    }

    /// If the result in `dst` is a NaN, makes it canonical, and all of `known`, which are NaNs only
    /// then. The product of infinity and zero is invalid even if the addend is a quiet NaN, which
    /// the host says nothing of.
    fn fma_nan(&mut self, fmt: Fmt, dst: u8, (x, y): (u8, Rm), known: u32) {
        self.compare_float(UCOMI, fmt, dst, Rm::R(dst));
        let cold = self.a.buf.cold_pos();
        self.a.jcc(Cc::P, cold);
        let back = self.a.pos();
        self.in_cold(|e| {
            e.invalid_product(RAX, |e| {
                e.a.vex(scalar(fmt), Map::M0F, false, MUL, dst, x, y);
            });
            e.load_nan(fmt, dst);
            e.canonicalize_each(known);
            e.a.jmp(back);
        });
        self.fp.made_canonical(known);
    }

    /// Accrues the flag for an invalid operation if the product that `multiply` computes raises it,
    /// and no other. A scratch register is lost.
    pub(super) fn invalid_product(&mut self, scratch: u8, multiply: impl FnOnce(&mut Self)) {
        // None of the flags may trap.
        let (before, after) = (Rm::S(field!(scratch)), Rm::S(field!(scratch) + 4));
        self.a.ins(Pp::None, Map::M0F, Sz::D, 0xae, 3, before); // stmxcsr
        self.a.mov(Sz::D, scratch, before);
        self.a.alu_imm(Alu::Or, Sz::D, Rm::R(scratch), ALL_MASKS as i32);
        self.a.mov_to(Sz::D, after, scratch);
        self.a.ins(Pp::None, Map::M0F, Sz::D, 0xae, 2, after); // ldmxcsr
        multiply(self);
        self.a.ins(Pp::None, Map::M0F, Sz::D, 0xae, 3, after);
        self.a.mov(Sz::D, scratch, after);
        self.a.alu_imm(Alu::And, Sz::D, Rm::R(scratch), 1);
        self.a.alu_to(Alu::Or, Sz::D, before, scratch);
        self.a.shift_imm(Shift::Shl, Sz::D, Rm::R(scratch), NV_BIT);
        self.a.alu_to(Alu::Or, Sz::D, Rm::S(field!(known_fp)), scratch);
        self.a.shift_imm(Shift::Shl, Sz::D, Rm::R(scratch), MASKS as u8 - NV_BIT);
        self.a.alu_to(Alu::Or, Sz::D, before, scratch);
        self.a.ins(Pp::None, Map::M0F, Sz::D, 0xae, 2, before);
    }

    /// The host's minimum and maximum return the second operand for NaNs and for zeros of either
    /// sign: these cases are on the cold path.
    fn fmin_max(&mut self, homes: &mut Homes, opcode: u8, fmt: Fmt, fd: FReg, a: FReg, b: FReg) {
        self.check_boxed(homes, fmt, &[a, b], Writes::Float(fd));
        let loose = self.fp.is_loose(a) || self.fp.is_loose(b);
        let x = self.float_in_reg(a, XMM0);
        let y = self.float_in_reg(b, XMM1);
        let dst = self.fdest(fd);
        self.compare_float(UCOMI, fmt, x, Rm::R(y));
        let cold = self.a.buf.cold_pos();
        self.a.jcc(Cc::E, cold);
        self.scalar_op(scalar(fmt), opcode, dst, x, Rm::R(y));
        let back = self.a.pos();
        self.in_cold(|e| {
            let unordered = e.a.jcc_short(Cc::P);
            // Equal: only the signs of zeros may differ.
            let logic = if opcode == MIN { OR } else { AND };
            e.scalar_op(Pp::None, logic, dst, x, Rm::R(y));
            e.a.jmp(back);
            e.a.bind_short(unordered);
            e.interpret_float(homes, &[a, b], fd, dst);
            e.a.jmp(back);
        });
        self.fdone(fmt, fd, dst, loose);
    }

    // Signs.

    fn fsign(&mut self, homes: &mut Homes, op: FBinOp, fmt: Fmt, fd: FReg, a: FReg, b: FReg) {
        let (sign, magnitude) =
            if fmt == Fmt::D { (SIGN_D, MAGNITUDE_D) } else { (SIGN_S, MAGNITUDE_S) };
        if op == FBinOp::Sgnj && a == b {
            if fmt == Fmt::S {
                self.check_boxed(homes, fmt, &[a], Writes::Float(fd));
            }
            return self.fcopy(fd, a);
        }
        self.canonical(a);
        self.canonical(b);
        self.check_boxed(homes, fmt, &[a, b], Writes::Float(fd));
        let loose = self.fp.is_loose(a);
        let x = self.float_in_reg(a, XMM0);
        let dst = self.fdest(fd);
        match op {
            _ if a != b => {
                // xmm1 = sign to take.
                let y = self.float_in_reg(b, XMM1);
                let y = match op {
                    FBinOp::Sgnjn => {
                        self.scalar_op(Pp::None, XOR, XMM1, y, constant(sign));
                        XMM1
                    }
                    FBinOp::Sgnjx => {
                        self.scalar_op(Pp::None, XOR, XMM1, y, Rm::R(x));
                        XMM1
                    }
                    _ => y,
                };
                self.scalar_op(Pp::None, AND, XMM1, y, constant(sign));
                self.scalar_op(Pp::None, AND, XMM0, x, constant(magnitude));
                self.scalar_op(Pp::None, OR, dst, XMM0, Rm::R(XMM1));
            }
            FBinOp::Sgnjn => self.scalar_op(Pp::None, XOR, dst, x, constant(sign)),
            _ => self.scalar_op(Pp::None, AND, dst, x, constant(magnitude)),
        }
        self.fdone(fmt, fd, dst, loose);
    }
}
