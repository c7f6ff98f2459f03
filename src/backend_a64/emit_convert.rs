//! Conversions between integers and floating point, and between floating-point formats.
//!
//! The host's conversions to integers take the rounding mode from their encoding and saturate as
//! RISC-V's do, but for NaN, which they make 0. The dynamic mode is had by rounding to an integral
//! number first, which could raise the inexact flag for a number that is out of range: such
//! numbers are left to the interpreter.

use super::Emitter;
use super::asm::{At, Cc, Mem, Sz, Test, a64, scalar};
use super::regs::{STATE, V29, V30, X0, X1, X16, X30, field};
use crate::backend::Homes;
use crate::backend::emit::{Conversion, Host, LowerConvert, Writes, is_exact};
use crate::ir::{FReg, Fmt, IntFmt, Reg, Rounding, Src};

/// Assembles a conversion between an integer and a floating-point register.
macro_rules! convert {
    ($a:expr, $sz:expr, $fmt:expr ; $op:ident $to:ident = $from:ident) => {
        match ($sz, $fmt) {
            (Sz::W, Fmt::D) => a64!($a ; $op W($to), D($from)),
            (Sz::X, Fmt::D) => a64!($a ; $op X($to), D($from)),
            (Sz::W, _) => a64!($a ; $op W($to), S($from)),
            (Sz::X, _) => a64!($a ; $op X($to), S($from)),
        }
    };
}

const fn int_size(int: IntFmt) -> (Sz, bool) {
    match int {
        IntFmt::W => (Sz::W, true),
        IntFmt::Wu => (Sz::W, false),
        IntFmt::L => (Sz::X, true),
        IntFmt::Lu => (Sz::X, false),
    }
}

impl LowerConvert for Emitter<'_, '_> {
    fn float_to_int(&mut self, homes: &mut Homes, (fmt, int, rm): Conversion, rd: Reg, a: FReg) {
        if rm == Rounding::Dyn {
            return self.float_to_int_dynamic(homes, fmt, int, rd, a);
        }
        let (sz, signed) = int_size(int);
        let dst = if rd.is_zero() { X0 } else { self.dest(homes, rd) };
        self.check_boxed(homes, fmt, &[a], Writes::Int(rd));
        let x = self.fuse(fmt, a, V29);
        match (rm, signed) {
            (Rounding::Rne, true) => convert!(self.a, sz, fmt ; fcvtns dst = x),
            (Rounding::Rne, false) => convert!(self.a, sz, fmt ; fcvtnu dst = x),
            (Rounding::Rup, true) => convert!(self.a, sz, fmt ; fcvtps dst = x),
            (Rounding::Rup, false) => convert!(self.a, sz, fmt ; fcvtpu dst = x),
            (Rounding::Rdn, true) => convert!(self.a, sz, fmt ; fcvtms dst = x),
            (Rounding::Rdn, false) => convert!(self.a, sz, fmt ; fcvtmu dst = x),
            (Rounding::Rmm, true) => convert!(self.a, sz, fmt ; fcvtas dst = x),
            (Rounding::Rmm, false) => convert!(self.a, sz, fmt ; fcvtau dst = x),
            (Rounding::Rtz | Rounding::Dyn, _) => self.truncate(fmt, int, dst, x),
        }
        if !rd.is_zero() {
            let cold = self.a.buf.cold_pos();
            scalar!(self.a, fmt ; fcmp x, x);
            self.a.jump_if(Test::Flags(Cc::VS), cold);
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
                Sz::W => self.done_word(homes, rd, dst),
                Sz::X => self.done(homes, rd, dst, false),
            }
        }
    }

    fn float_from_int(&mut self, homes: &mut Homes, (fmt, int, rm): Conversion, fd: FReg, a: Reg) {
        if !is_exact(int, fmt) {
            self.check_rounding(homes, rm, &[], Writes::Float(fd));
        }
        let (sz, signed) = int_size(int);
        let x = self.use_sz(homes, sz, a, X1).get();
        let dst = self.fdest(fd);
        match (sz, fmt, signed) {
            (Sz::W, Fmt::D, true) => a64!(self.a ; scvtf D(dst), W(x)),
            (Sz::W, Fmt::D, false) => a64!(self.a ; ucvtf D(dst), W(x)),
            (Sz::X, Fmt::D, true) => a64!(self.a ; scvtf D(dst), X(x)),
            (Sz::X, Fmt::D, false) => a64!(self.a ; ucvtf D(dst), X(x)),
            (Sz::W, _, true) => a64!(self.a ; scvtf S(dst), W(x)),
            (Sz::W, _, false) => a64!(self.a ; ucvtf S(dst), W(x)),
            (Sz::X, _, true) => a64!(self.a ; scvtf S(dst), X(x)),
            (Sz::X, _, false) => a64!(self.a ; ucvtf S(dst), X(x)),
        }
        self.fdone(fmt, fd, dst, true);
    }

    fn fconvert(&mut self, homes: &mut Homes, from: Fmt, to: Fmt, rm: Rounding, fd: FReg, a: FReg) {
        let narrows = to == Fmt::S;
        if narrows {
            self.check_rounding(homes, rm, &[], Writes::Float(fd));
        }
        self.check_boxed(homes, from, &[a], Writes::Float(fd));
        let x = self.fuse(from, a, V29);
        if narrows {
            return self.underflowing(homes, to, fd, &[a], |e, dst| a64!(e.a ; fcvt S(dst), D(x)));
        }
        let dst = self.fdest(fd);
        a64!(self.a ; fcvt D(dst), S(x));
        self.fdone(to, fd, dst, true);
    }

    // The five flags of FPSR are those of `fcsr` in reverse order.

    fn read_flags(&mut self, homes: &mut Homes, rd: Reg) {
        let dst = self.dest(homes, rd);
        self.a.read_flags(X16);
        // For comparisons that do not change the flags.
        self.a.store_field(field!(scratch), X16);
        self.reverse_flags(dst, X16);
        self.done(homes, rd, dst, true);
    }

    fn swap_flags(&mut self, homes: &mut Homes, rd: Reg, a: Src) {
        let new = self.use_src(homes, Sz::W, a, X0);
        let dst = if rd.is_zero() { X30 } else { self.dest(homes, rd) };
        self.reverse_flags(X1, new.get());
        self.a.read_flags(X16);
        self.a.write_flags(X1);
        if self.ctx.exact_flags {
            self.a.store_field(field!(known_fp), X1);
        }
        if !rd.is_zero() {
            self.reverse_flags(dst, X16);
            self.done(homes, rd, dst, true);
        }
    }

    fn read_rounding(&mut self, homes: &mut Homes, rd: Reg) {
        let dst = self.dest(homes, rd);
        self.a.mem(Mem::LoadB, dst, At::Disp(STATE, field!(hart.frm)));
        self.done(homes, rd, dst, true);
    }
}

impl Emitter<'_, '_> {
    fn float_to_int_dynamic(&mut self, homes: &mut Homes, fmt: Fmt, int: IntFmt, rd: Reg, a: FReg) {
        let (sz, signed) = int_size(int);
        let dst = if rd.is_zero() { X0 } else { self.dest(homes, rd) };
        self.check_boxed(homes, fmt, &[a], Writes::Int(rd));
        let x = self.fuse(fmt, a, V29);
        let slow = self.a.buf.cold_pos();
        // The exponent with the sign above it: not too large, and no sign if there is none.
        let (mantissa, bias, width) = if fmt == Fmt::D { (52, 1023, 11) } else { (23, 127, 8) };
        let limit = bias + if sz == Sz::W { 30 } else { 62 };
        a64!(self.a ; fmov X(X16), D(x));
        self.a.bfx(false, X16, X16, mantissa, if signed { width } else { width + 1 });
        self.a.cmp_imm(Sz::W, X16, limit);
        self.a.jump_if(Test::Flags(Cc::HS), slow);
        scalar!(self.a, fmt ; frintx V30, x);
        self.truncate(fmt, int, dst, V30);
        // Home before the slow path joins, which leaves the result there.
        if !rd.is_zero() {
            if sz == Sz::W {
                self.a.sxtw(dst, dst);
            }
            self.done(homes, rd, dst, sz == Sz::W);
        }
        self.slow_path(homes, slow, &[a]);
    }

    /// `dst = x` rounded to zero.
    fn truncate(&mut self, fmt: Fmt, int: IntFmt, dst: u8, x: u8) {
        match int_size(int) {
            (sz, true) => convert!(self.a, sz, fmt ; fcvtzs dst = x),
            (sz, false) => convert!(self.a, sz, fmt ; fcvtzu dst = x),
        }
    }

    /// `to =` the low five bits of `from` in reverse order.
    fn reverse_flags(&mut self, to: u8, from: u8) {
        a64!(self.a ; rbit W(to), W(from) ; lsr W(to), W(to), 27);
    }
}
