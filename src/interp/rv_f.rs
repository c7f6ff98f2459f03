//! F, D, Zfhmin and Zfa (unprivileged manual, the chapters of these names). One function serves
//! all formats; `softfloat` does the arithmetic.

use super::rv_i::address;
use super::{Data, Hart, Insn, Step, Stop, illegal, next, x};
use crate::softfloat::{self, Format, IntType, Round};

/// All bits of a format.
const fn mask<F: Format>() -> u64 {
    F::SIGN | (F::SIGN - 1)
}

/// A register as an operand: a narrower value that is not NaN-boxed counts as the canonical NaN.
#[inline]
fn read<F: Format>(h: &Hart, r: u8) -> u64 {
    let v = raw(h, r);
    if v | mask::<F>() == u64::MAX { v & mask::<F>() } else { F::NAN }
}

/// All 64 bits of a register, whatever they are.
#[inline]
fn raw(h: &Hart, r: u8) -> u64 {
    h.f[(r & 31) as usize]
}

/// Writes a register, NaN-boxed.
#[inline]
fn write<F: Format>(h: &mut Hart, r: u8, bits: u64) {
    h.f[(r & 31) as usize] = bits | !mask::<F>();
}

/// The rounding mode that the instruction names, or that `frm` does.
fn rounding(h: &Hart, i: &Insn) -> Result<Round, Stop> {
    Round::of(i.rm, h.frm).ok_or_else(|| illegal(i))
}

macro_rules! loads_and_stores {
    ($($load:ident $read:ident $store:ident $write:ident $ty:ty;)*) => {$(
        pub(super) fn $load(h: &mut Hart, m: &impl Data, i: &Insn, pc: u64) -> Step {
            let v = m.$read(address(h, i))?;
            h.f[(i.rd & 31) as usize] = u64::from(v) | !u64::from(<$ty>::MAX);
            next(i, pc)
        }

        pub(super) fn $store(h: &mut Hart, m: &impl Data, i: &Insn, pc: u64) -> Step {
            m.$write(address(h, i), raw(h, i.rs2) as $ty)?;
            next(i, pc)
        }
    )*};
}

loads_and_stores! {
    flh read_u16 fsh write_u16 u16;
    flw read_u32 fsw write_u32 u32;
    fld read_u64 fsd write_u64 u64;
}

macro_rules! arithmetic {
    ($($name:ident;)*) => {$(
        pub(super) fn $name<F: Format>(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
            let round = rounding(h, i)?;
            let (a, b) = (read::<F>(h, i.rs1), read::<F>(h, i.rs2));
            let result = softfloat::$name::<F>(a, b, round, &mut h.fflags);
            write::<F>(h, i.rd, result);
            next(i, pc)
        }
    )*};
}

arithmetic! { add; sub; mul; div; }

/// `rd = ±(rs1 * rs2) ± rs3`; changing the sign of an operand is exact.
fn fused<F: Format>(
    h: &mut Hart,
    i: &Insn,
    pc: u64,
    negate_product: bool,
    negate_addend: bool,
) -> Step {
    let round = rounding(h, i)?;
    let sign = |negate| if negate { F::SIGN } else { 0 };
    let a = read::<F>(h, i.rs1) ^ sign(negate_product);
    let (b, c) = (read::<F>(h, i.rs2), read::<F>(h, i.rs3) ^ sign(negate_addend));
    let result = softfloat::mul_add::<F>(a, b, c, round, &mut h.fflags);
    write::<F>(h, i.rd, result);
    next(i, pc)
}

macro_rules! fused {
    ($($name:ident $negate_product:literal $negate_addend:literal;)*) => {$(
        pub(super) fn $name<F: Format>(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
            fused::<F>(h, i, pc, $negate_product, $negate_addend)
        }
    )*};
}

fused! {
    fmadd false false;
    fmsub false true;
    fnmsub true false;
    fnmadd true true;
}

macro_rules! rounded {
    ($($name:ident;)*) => {$(
        pub(super) fn $name<F: Format>(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
            let round = rounding(h, i)?;
            let result = softfloat::$name::<F>(read::<F>(h, i.rs1), round, &mut h.fflags);
            write::<F>(h, i.rd, result);
            next(i, pc)
        }
    )*};
}

rounded! { sqrt; round_to_int; round_to_int_exact; }

macro_rules! sign_injections {
    ($($name:ident |$a:ident, $b:ident| $sign:expr;)*) => {$(
        pub(super) fn $name<F: Format>(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
            let ($a, $b) = (read::<F>(h, i.rs1), read::<F>(h, i.rs2));
            write::<F>(h, i.rd, $a & !F::SIGN | $sign & F::SIGN);
            next(i, pc)
        }
    )*};
}

sign_injections! {
    fsgnj |a, b| b;
    fsgnjn |a, b| !b;
    fsgnjx |a, b| (a ^ b);
}

macro_rules! choices {
    ($($name:ident;)*) => {$(
        pub(super) fn $name<F: Format>(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
            let (a, b) = (read::<F>(h, i.rs1), read::<F>(h, i.rs2));
            let result = softfloat::$name::<F>(a, b, &mut h.fflags);
            write::<F>(h, i.rd, result);
            next(i, pc)
        }
    )*};
}

choices! { min; max; minimum; maximum; }

macro_rules! comparisons {
    ($($name:ident;)*) => {$(
        pub(super) fn $name<F: Format>(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
            let (a, b) = (read::<F>(h, i.rs1), read::<F>(h, i.rs2));
            let result = softfloat::$name::<F>(a, b, &mut h.fflags);
            h.set_x(i.rd, u64::from(result));
            next(i, pc)
        }
    )*};
}

comparisons! { equal; less_than; less_equal; less_than_quiet; less_equal_quiet; }

pub(super) fn fclass<F: Format>(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    let class = softfloat::classify::<F>(read::<F>(h, i.rs1));
    h.set_x(i.rd, 1 << class as u8);
    next(i, pc)
}

fn to_int<F: Format>(h: &mut Hart, i: &Insn, pc: u64, to: IntType) -> Step {
    let round = rounding(h, i)?;
    let result = softfloat::to_int::<F>(read::<F>(h, i.rs1), to, round, &mut h.fflags);
    h.set_x(i.rd, result);
    next(i, pc)
}

fn from_int<F: Format>(h: &mut Hart, i: &Insn, pc: u64, from: IntType) -> Step {
    let round = rounding(h, i)?;
    let result = softfloat::from_int::<F>(x(h, i.rs1), from, round, &mut h.fflags);
    write::<F>(h, i.rd, result);
    next(i, pc)
}

macro_rules! integer_conversions {
    ($($to:ident $from:ident $ty:ident;)*) => {$(
        pub(super) fn $to<F: Format>(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
            to_int::<F>(h, i, pc, IntType::$ty)
        }

        pub(super) fn $from<F: Format>(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
            from_int::<F>(h, i, pc, IntType::$ty)
        }
    )*};
}

integer_conversions! {
    fcvt_w fcvt_from_w I32;
    fcvt_wu fcvt_from_wu U32;
    fcvt_l fcvt_from_l I64;
    fcvt_lu fcvt_from_lu U64;
}

pub(super) fn fcvtmod_w<F: Format>(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    let result = softfloat::to_int_modular::<F>(read::<F>(h, i.rs1), &mut h.fflags);
    h.set_x(i.rd, result);
    next(i, pc)
}

/// From one format to another.
pub(super) fn fcvt<From: Format, To: Format>(
    h: &mut Hart,
    _: &impl Data,
    i: &Insn,
    pc: u64,
) -> Step {
    let round = rounding(h, i)?;
    let result = softfloat::convert::<From, To>(read::<From>(h, i.rs1), round, &mut h.fflags);
    write::<To>(h, i.rd, result);
    next(i, pc)
}

/// To an integer register: the format's low bits as they are, sign-extended.
pub(super) fn fmv_to_x<F: Format>(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    let low = raw(h, i.rs1) & mask::<F>();
    h.set_x(i.rd, if low & F::SIGN != 0 { low | !mask::<F>() } else { low });
    next(i, pc)
}

/// From an integer register.
pub(super) fn fmv_from_x<F: Format>(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    write::<F>(h, i.rd, x(h, i.rs1));
    next(i, pc)
}

pub(super) fn fli<F: Format>(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    write::<F>(h, i.rd, softfloat::constant::<F>(i.rs1));
    next(i, pc)
}
