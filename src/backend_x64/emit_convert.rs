//! Conversions between integers and floating point, and between floating-point formats.
//!
//! The host's conversions to signed integers agree with RISC-V's but for the value they return
//! when the operand is out of range, which they mark by the most negative number. To unsigned
//! integers there are none, so the operand's range is checked first: a conversion that went wrong
//! could have raised flags that cannot be taken back.

use super::Emitter;
use super::asm::{Alu, Cc, Map, Pp, Rm, Shift, Sz};
use super::emit_float::{ROUNDING_MASK, scalar};
use super::regs::{RAX, RBP, RCX, RDX, XMM0, XMM1, field};
use super::values::Opnd;
use crate::backend::Homes;
use crate::backend::emit::{Conversion, LowerConvert, LowerFloat, Writes, is_exact};
use crate::ir::{FReg, Fmt, IntFmt, Reg, Rounding, Src};
use crate::util::CodePtr;

impl LowerConvert for Emitter<'_, '_> {
    fn float_to_int(&mut self, homes: &mut Homes, (fmt, int, rm): Conversion, rd: Reg, a: FReg) {
        let unsigned = matches!(int, IntFmt::Wu | IntFmt::Lu);
        let rounds = !matches!(rm, Rounding::Rtz | Rounding::Dyn);
        let dst = if rd.is_zero() { RAX } else { self.int_dest(homes, rd) };
        self.check_boxed(homes, fmt, &[a], Writes::Int(rd));
        let slow = self.a.buf.cold_pos();
        let sz = if int == IntFmt::W { Sz::D } else { Sz::Q };
        if unsigned {
            let x = self.float_in_reg(a, XMM0);
            self.unsigned_range(fmt, int, x, slow);
        }
        // cvtt truncates, cvt uses MXCSR's mode.
        match rm {
            Rounding::Rtz => self.convert_to_int(0x2c, fmt, sz, RAX, self.fhome(a)),
            Rounding::Dyn => self.convert_to_int(0x2d, fmt, sz, RAX, self.fhome(a)),
            Rounding::Rmm => self.round_away(fmt, sz, a, slow),
            Rounding::Rne | Rounding::Rdn | Rounding::Rup => {
                let mode = Self::round_immediate(rm).unwrap_or_default();
                // What is too large for an integer has no fraction, but for doubles and words:
                // there the inexact flag must wait until the range is known.
                let quiet = if (fmt, int) == (Fmt::D, IntFmt::W) { 8 } else { 0 };
                self.round(fmt, XMM0, self.fhome(a), mode | quiet);
                self.convert_to_int(0x2c, fmt, sz, RAX, Rm::R(XMM0));
            }
        }
        if !unsigned && rm != Rounding::Rmm {
            // Subtracting 1 overflows for the most negative number alone.
            self.a.alu_imm(Alu::Cmp, sz, Rm::R(RAX), 1);
            self.a.jcc(Cc::O, slow);
        }
        if rm == Rounding::Rmm || rounds && (fmt, int) == (Fmt::D, IntFmt::W) {
            // Raises the inexact flag.
            self.round(fmt, XMM0, self.fhome(a), 3);
        }
        // Home before the slow path joins, which leaves the result there.
        if !rd.is_zero() {
            if sz == Sz::D || int == IntFmt::Wu {
                self.a.movsxd(dst, Rm::R(RAX));
                self.done(homes, rd, dst, true);
            } else {
                self.a.mov(Sz::Q, dst, Rm::R(RAX));
                self.done(homes, rd, dst, false);
            }
        }
        self.slow_path(homes, slow, &[a]);
    }

    fn float_from_int(&mut self, homes: &mut Homes, (fmt, int, rm): Conversion, fd: FReg, a: Reg) {
        let dst = self.fdest(fd);
        if rm != Rounding::Dyn && !is_exact(int, fmt) {
            return self.float_from_few_bits(homes, fmt, int, fd, a);
        }
        let (sz, from) = match int {
            IntFmt::W => (Sz::D, self.use32(homes, a).get()),
            IntFmt::L => (Sz::Q, self.use64(homes, a).get()),
            IntFmt::Wu => {
                match self.use32(homes, a).get() {
                    Opnd::Rm(rm) => self.a.mov(Sz::D, RAX, rm),
                    o @ Opnd::Imm(_) => self.load_opnd(Sz::D, RAX, o),
                }
                (Sz::Q, Opnd::Rm(Rm::R(RAX)))
            }
            IntFmt::Lu => return self.float_from_u64(homes, fmt, fd, a),
        };
        let from = match from {
            Opnd::Rm(rm) => rm,
            Opnd::Imm(_) => {
                self.load_opnd(sz, RAX, from);
                Rm::R(RAX)
            }
        };
        self.convert_int(fmt, sz, dst, from);
        self.fdone(fmt, fd, dst, true);
    }

    fn fconvert(&mut self, homes: &mut Homes, from: Fmt, to: Fmt, rm: Rounding, fd: FReg, a: FReg) {
        self.check_boxed(homes, from, &[a], Writes::Float(fd));
        if to == Fmt::S {
            self.check_rounding(homes, rm, &[a], Writes::Float(fd));
        }
        let dst = self.fdest(fd);
        // cvtss2sd, cvtsd2ss: the prefix is the operand's.
        self.scalar_unary(scalar(from), Map::M0F, 0x5a, dst, self.fhome(a));
        self.fdone_arith(to, fd, dst, true, &[a]);
    }

    // Accrued flags and the rounding mode.

    #[inline(never)]
    fn read_flags(&mut self, homes: &mut Homes, rd: Reg) {
        let dst = self.int_dest(homes, rd);
        self.flags_into(dst);
        self.done(homes, rd, dst, true);
    }

    #[inline(never)]
    fn swap_flags(&mut self, homes: &mut Homes, rd: Reg, a: Src) {
        let new = self.use_src(homes, Sz::D, a);
        let dst = if rd.is_zero() { RAX } else { self.int_dest(homes, rd) };
        self.load_opnd(Sz::D, RCX, new.get());
        self.a.alu_imm(Alu::And, Sz::D, Rm::R(RCX), 31);
        if !rd.is_zero() {
            self.flags_into(dst);
        }
        // The rounding mode is as it was when translated code was entered.
        self.a.mov(Sz::D, RDX, Rm::S(field!(guest_fp)));
        self.a.alu_imm(Alu::And, Sz::D, Rm::R(RDX), ROUNDING_MASK as i32);
        self.a.alu(Alu::Or, Sz::D, RDX, Rm::S(field!(no_traps)));
        self.a.alu(Alu::Or, Sz::D, RDX, Rm::X(RBP, RCX, 2, field!(word_of_flags)));
        let scratch = Rm::S(field!(scratch));
        self.a.mov_to(Sz::D, scratch, RDX);
        // Without traps this has [`FLAGS_UNKNOWN`].
        self.a.alu(Alu::Or, Sz::D, RCX, Rm::S(field!(no_traps)));
        self.a.mov_to(Sz::D, Rm::S(field!(known_fp)), RCX);
        self.a.ins(Pp::None, Map::M0F, Sz::D, 0xae, 2, scratch); // ldmxcsr
        if !rd.is_zero() {
            self.done(homes, rd, dst, true);
        }
    }

    #[inline(never)]
    fn read_rounding(&mut self, homes: &mut Homes, rd: Reg) {
        let dst = self.int_dest(homes, rd);
        self.a.movzx8(dst, Rm::S(field!(hart.frm)));
        self.done(homes, rd, dst, true);
    }
}

impl Emitter<'_, '_> {
    fn convert_to_int(&mut self, opcode: u8, fmt: Fmt, sz: Sz, to: u8, from: Rm) {
        self.a.ins(scalar(fmt), Map::M0F, sz, opcode, to, from);
    }

    /// rax = `a` rounded to the nearest integer, ties away from zero, without raising flags, or
    /// `slow`: what truncation leaves is doubled and truncated once more. xmm0 and xmm1 are used.
    fn round_away(&mut self, fmt: Fmt, sz: Sz, a: FReg, slow: CodePtr) {
        const TRUNCATE_QUIETLY: u8 = 3 | 8;
        const SUB: u8 = 0x5c;
        const ADD: u8 = 0x58;
        self.round(fmt, XMM0, self.fhome(a), TRUNCATE_QUIETLY);
        self.convert_to_int(0x2c, fmt, Sz::Q, RAX, Rm::R(XMM0));
        self.a.alu_imm(Alu::Cmp, Sz::Q, Rm::R(RAX), 1);
        self.a.jcc(Cc::O, slow);
        let x = self.float_in_reg(a, XMM1);
        self.scalar_op(scalar(fmt), SUB, XMM1, x, Rm::R(XMM0));
        self.scalar_op(scalar(fmt), ADD, XMM1, XMM1, Rm::R(XMM1));
        self.round(fmt, XMM1, Rm::R(XMM1), TRUNCATE_QUIETLY);
        self.convert_to_int(0x2c, fmt, Sz::Q, RCX, Rm::R(XMM1));
        self.a.alu(Alu::Add, Sz::Q, RAX, Rm::R(RCX));
        if sz == Sz::D {
            self.a.movsxd(RCX, Rm::R(RAX));
            self.a.alu(Alu::Cmp, Sz::Q, RCX, Rm::R(RAX));
            self.a.jcc(Cc::NE, slow);
        }
    }

    /// Goes to `slow` unless `x` is a number, not negative, and surely in range: the bits of such
    /// numbers are ordered as they are.
    fn unsigned_range(&mut self, fmt: Fmt, int: IntFmt, x: u8, slow: CodePtr) {
        // For 32 bits 2^32 - 1, since rounding might reach 2^32 above it.
        let bound = match (fmt, int) {
            (Fmt::D, IntFmt::Wu) => f64::from(u32::MAX).to_bits(),
            (Fmt::D, _) => 9_223_372_036_854_775_808f64.to_bits(),
            (_, IntFmt::Wu) => u64::from(4_294_967_040f32.to_bits()),
            (..) => u64::from(9_223_372_036_854_775_808f32.to_bits()),
        };
        if fmt == Fmt::D {
            self.movq_from_vector(RAX, x);
            self.a.mov_imm_keep_flags(RCX, bound);
            self.a.alu(Alu::Cmp, Sz::Q, RAX, Rm::R(RCX));
        } else {
            self.a.ins(Pp::P66, Map::M0F, Sz::D, 0x7e, x, Rm::R(RAX));
            self.a.alu_imm(Alu::Cmp, Sz::D, Rm::R(RAX), bound as u32 as i32);
        }
        self.a.jcc(Cc::AE, slow);
    }

    /// A static rounding mode makes no difference to integers that the format can hold; the
    /// interpreter converts others.
    fn float_from_few_bits(&mut self, homes: &mut Homes, fmt: Fmt, int: IntFmt, fd: FReg, a: Reg) {
        let dst = self.fdest(fd);
        self.materialise(homes, a.0);
        match (int, self.use64(homes, a).get()) {
            (IntFmt::W, Opnd::Rm(rm)) => self.a.movsxd(RAX, rm),
            (IntFmt::Wu, Opnd::Rm(rm)) => self.a.mov(Sz::D, RAX, rm),
            (IntFmt::Wu, o @ Opnd::Imm(_)) => self.load_opnd(Sz::D, RAX, o),
            (_, o) => self.load_opnd(Sz::Q, RAX, o),
        }
        let slow = self.a.buf.cold_pos();
        self.a.mov(Sz::Q, RCX, Rm::R(RAX));
        self.a.shift_imm(Shift::Sar, Sz::Q, Rm::R(RCX), if fmt == Fmt::D { 53 } else { 24 });
        if int == IntFmt::Lu {
            self.a.test(Sz::Q, RCX, RCX);
            self.a.jcc(Cc::NE, slow);
        } else {
            // 0 or -1.
            self.a.alu_imm(Alu::Add, Sz::Q, Rm::R(RCX), 1);
            self.a.alu_imm(Alu::Cmp, Sz::Q, Rm::R(RCX), 1);
            self.a.jcc(Cc::A, slow);
        }
        self.convert_int(fmt, Sz::Q, dst, Rm::R(RAX));
        self.slow_float(homes, slow, &[], fd, dst);
        self.fdone(fmt, fd, dst, true);
    }

    /// `dst = from`.
    fn convert_int(&mut self, fmt: Fmt, sz: Sz, dst: u8, from: Rm) {
        self.zero(dst);
        self.a.ins(scalar(fmt), Map::M0F, sz, 0x2a, dst, from);
    }

    /// Numbers with the top bit set are halved, with what is lost kept in the last bit so that
    /// rounding sees it, and the result doubled.
    fn float_from_u64(&mut self, homes: &mut Homes, fmt: Fmt, fd: FReg, a: Reg) {
        let o = self.use64(homes, a);
        let dst = self.fdest(fd);
        self.load_opnd(Sz::Q, RAX, o.get());
        let cold = self.a.buf.cold_pos();
        self.a.test(Sz::Q, RAX, RAX);
        self.a.jcc(Cc::S, cold);
        self.convert_int(fmt, Sz::Q, dst, Rm::R(RAX));
        let back = self.a.pos();
        self.in_cold(|e| {
            e.a.mov(Sz::D, RCX, Rm::R(RAX));
            e.a.alu_imm(Alu::And, Sz::D, Rm::R(RCX), 1);
            e.a.shift_imm(Shift::Shr, Sz::Q, Rm::R(RAX), 1);
            e.a.alu(Alu::Or, Sz::Q, RAX, Rm::R(RCX));
            e.convert_int(fmt, Sz::Q, dst, Rm::R(RAX));
            e.scalar_op(scalar(fmt), 0x58, dst, dst, Rm::R(dst));
            e.a.jmp(back);
        });
        self.fdone(fmt, fd, dst, true);
    }

    /// `dst` = the accrued flags. Reading MXCSR costs as much as ten additions, so it is read only
    /// where they are not known without (see [`super::emit_float::fp_trap`]).
    fn flags_into(&mut self, dst: u8) {
        let cold = self.a.buf.cold_pos();
        self.a.ins(Pp::None, Map::M0F, Sz::D, 0xbe, dst, Rm::S(field!(known_fp))); // movsx, byte
        self.a.test(Sz::D, dst, dst);
        self.a.jcc(Cc::S, cold);
        let back = self.a.pos();
        self.in_cold(|e| {
            let scratch = Rm::S(field!(scratch));
            e.a.ins(Pp::None, Map::M0F, Sz::D, 0xae, 3, scratch); // stmxcsr
            e.a.mov(Sz::D, RAX, scratch);
            e.a.alu_imm(Alu::And, Sz::D, Rm::R(RAX), 63);
            e.a.movzx8(dst, Rm::X(RBP, RAX, 0, field!(flags_of_word)));
            e.a.jmp(back);
        });
    }
}
