//! Conversions between integers and floating point, and between floating-point formats.
//!
//! The host's conversions to integers take the rounding mode from their encoding and saturate as
//! RISC-V's do, but for NaN, which they make 0. The dynamic mode is had by rounding to an integral
//! number first, which could raise the inexact flag for a number that is out of range: such
//! numbers are left to the interpreter.

use super::Emitter;
use super::asm::{At, Cc, MRS_FPSR, MSR_FPSR, Mem, Sz, Test};
use super::emit_float::{FCMP, FMOV_TO_X, FRINTX, ftype};
use super::regs::{STATE, V29, V30, X0, X1, X16, X30, field};
use crate::backend::emit::{Host, LowerConvert, Writes};
use crate::ir::{FReg, Fmt, IntFmt, Reg, Rounding, Src};

/// `fcvtns`, with `sf`, type, rounding mode and signedness zero.
const FCVT_TO_INT: u32 = 0x1e20_0000;
/// `scvtf`
const SCVTF: u32 = 0x1e22_0000;
const UNSIGNED: u32 = 1 << 16;
/// `fcvt d, s` and `fcvt s, d`
const FCVT_D_S: u32 = 0x1e22_c000;
const FCVT_S_D: u32 = 0x1e62_4000;

const fn int_size(int: IntFmt) -> (Sz, bool) {
    match int {
        IntFmt::W => (Sz::W, true),
        IntFmt::Wu => (Sz::W, false),
        IntFmt::L => (Sz::X, true),
        IntFmt::Lu => (Sz::X, false),
    }
}

const fn sf(sz: Sz) -> u32 {
    match sz {
        Sz::W => 0,
        Sz::X => 1 << 31,
    }
}

impl LowerConvert for Emitter<'_, '_> {
    fn float_to_int(&mut self, fmt: Fmt, int: IntFmt, rm: Rounding, rd: Reg, a: FReg) {
        // Bits 20:19 and 18:16: nearest even, up, down, zero; nearest away has a code of its own.
        let mode: u32 = match rm {
            Rounding::Rne => 0,
            Rounding::Rup => 1 << 19,
            Rounding::Rdn => 2 << 19,
            Rounding::Rtz => 3 << 19,
            Rounding::Rmm => 4 << 16,
            Rounding::Dyn => return self.float_to_int_dynamic(fmt, int, rd, a),
        };
        let (sz, signed) = int_size(int);
        let dst = if rd.is_zero() { X0 } else { self.dest(rd) };
        self.check_boxed(fmt, &[a], Writes::Int(rd));
        let x = self.fuse(fmt, a, V29);
        let unsigned = if signed { 0 } else { UNSIGNED };
        self.a.dn(FCVT_TO_INT | sf(sz) | ftype(fmt) | mode | unsigned, dst, x);
        if !rd.is_zero() {
            let cold = self.a.buf.cold_pos();
            self.a.dnm(FCMP | ftype(fmt), 0, x, x);
            self.a.jump_if(Test::Flags(Cc::Vs), cold);
            let back = self.a.pos();
            let greatest = match int {
                IntFmt::W => i32::MAX as u64,
                IntFmt::Wu => u64::from(u32::MAX),
                IntFmt::L => i64::MAX as u64,
                IntFmt::Lu => u64::MAX,
            };
            self.in_cold(|e| {
                e.a.mov_imm(dst, greatest);
                e.a.b(back);
            });
            match sz {
                Sz::W => self.done_word(rd, dst),
                Sz::X => self.done(rd, dst, false),
            }
        }
    }

    fn float_from_int(&mut self, fmt: Fmt, int: IntFmt, rm: Rounding, fd: FReg, a: Reg) {
        let exact = fmt == Fmt::D && matches!(int, IntFmt::W | IntFmt::Wu);
        if !exact && !self.check_rounding(rm, &[], Writes::Float(fd)) {
            return self.helper(0);
        }
        let (sz, signed) = int_size(int);
        let x = self.use_sz(sz, a, X1);
        let dst = Self::fdest(fd);
        let unsigned = if signed { 0 } else { UNSIGNED };
        self.a.dn(SCVTF | sf(sz) | ftype(fmt) | unsigned, dst, x);
        self.fdone(fmt, fd, dst, true);
    }

    fn float_convert(&mut self, from: Fmt, to: Fmt, rm: Rounding, fd: FReg, a: FReg) {
        let op = match (from, to) {
            (Fmt::S, Fmt::D) => FCVT_D_S,
            (Fmt::D, Fmt::S) if self.check_rounding(rm, &[], Writes::Float(fd)) => FCVT_S_D,
            _ => return self.helper(0),
        };
        self.check_boxed(from, &[a], Writes::Float(fd));
        let x = self.fuse(from, a, V29);
        if to == Fmt::S {
            return self.underflowing(to, fd, &[a], |e, dst| e.a.dn(op, dst, x));
        }
        let dst = Self::fdest(fd);
        self.a.dn(op, dst, x);
        self.fdone(to, fd, dst, true);
    }

    // The five flags of FPSR are those of `fcsr` in reverse order.

    fn read_flags(&mut self, rd: Reg) {
        let dst = self.dest(rd);
        self.a.dn(MRS_FPSR, X16, 0);
        // For comparisons that do not change the flags.
        self.a.store_field(field!(scratch), X16);
        self.reverse_flags(dst, X16);
        self.done(rd, dst, true);
    }

    fn swap_flags(&mut self, rd: Reg, a: Src) {
        let new = self.use_src(Sz::W, a, X0);
        let dst = if rd.is_zero() { X30 } else { self.dest(rd) };
        self.reverse_flags(X1, new);
        self.a.dn(MRS_FPSR, X16, 0);
        self.a.dn(MSR_FPSR, X1, 0);
        if self.ctx.exact_flags {
            self.a.store_field(field!(known_fp), X1);
        }
        if !rd.is_zero() {
            self.reverse_flags(dst, X16);
            self.done(rd, dst, true);
        }
    }

    fn read_rounding(&mut self, rd: Reg) {
        let dst = self.dest(rd);
        self.a.mem(Mem::LoadB, dst, At::Disp(STATE, field!(hart.frm)));
        self.done(rd, dst, true);
    }
}

impl Emitter<'_, '_> {
    fn float_to_int_dynamic(&mut self, fmt: Fmt, int: IntFmt, rd: Reg, a: FReg) {
        let (sz, signed) = int_size(int);
        let dst = if rd.is_zero() { X0 } else { self.dest(rd) };
        self.check_boxed(fmt, &[a], Writes::Int(rd));
        let x = self.fuse(fmt, a, V29);
        let slow = self.a.buf.cold_pos();
        // The exponent with the sign above it: not too large, and no sign if there is none.
        let (mantissa, bias, width) = if fmt == Fmt::D { (52, 1023, 11) } else { (23, 127, 8) };
        let limit = bias + if sz == Sz::W { 30 } else { 62 };
        self.a.dn(FMOV_TO_X, X16, x);
        self.a.ubfx(X16, X16, mantissa, if signed { width } else { width + 1 });
        self.a.cmp_imm(Sz::W, X16, limit);
        self.a.jump_if(Test::Flags(Cc::Hs), slow);
        self.a.dn(FRINTX | ftype(fmt), V30, x);
        let unsigned = if signed { 0 } else { UNSIGNED };
        self.a.dn(FCVT_TO_INT | sf(sz) | ftype(fmt) | 3 << 19 | unsigned, dst, V30);
        // Home before the slow path joins, which leaves the result there.
        if !rd.is_zero() {
            if sz == Sz::W {
                self.a.sxtw(dst, dst);
            }
            self.done(rd, dst, sz == Sz::W);
        }
        self.slow_path(slow, &[a]);
    }

    /// `to =` the low five bits of `from` in reverse order.
    fn reverse_flags(&mut self, to: u8, from: u8) {
        self.a.rbit(Sz::W, to, from);
        self.a.shr_imm(false, Sz::W, to, to, 27);
    }
}
