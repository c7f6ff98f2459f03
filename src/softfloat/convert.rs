//! Conversions between formats and to and from integers, and rounding to an integral number.

use super::fflags;
use super::format::{infinity, invalid, propagate, zero};
use super::round::{overflow, pack, shift_right};
use super::{F32, Format, Round, Value};

/// `bits` of format `From` as a datum of format `To`.
pub fn convert<From: Format, To: Format>(bits: u64, round: Round, flags: &mut u8) -> u64 {
    let value = Value::of::<From>(bits);
    match value {
        Value::Nan { .. } => propagate::<To>(&[value], flags),
        Value::Infinity(negative) => infinity::<To>(negative),
        Value::Zero(negative) => zero::<To>(negative),
        Value::Number { negative, significand, exponent } => {
            pack::<To>(negative, significand.into(), exponent, round, flags)
        }
    }
}

/// Integers that numbers are converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntType {
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 8 bits.
    U8,
    /// Signed, 16 bits.
    I16,
    /// Unsigned, 16 bits.
    U16,
    /// Signed, 32 bits.
    I32,
    /// Unsigned, 32 bits.
    U32,
    /// Signed, 64 bits.
    I64,
    /// Unsigned, 64 bits.
    U64,
}

impl IntType {
    /// Least and greatest value.
    fn limits(self) -> (i128, i128) {
        match self {
            Self::I8 => (i8::MIN.into(), i8::MAX.into()),
            Self::U8 => (0, u8::MAX.into()),
            Self::I16 => (i16::MIN.into(), i16::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::I32 => (i32::MIN.into(), i32::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::I64 => (i64::MIN.into(), i64::MAX.into()),
            Self::U64 => (0, u64::MAX.into()),
        }
    }

    /// As an integer register holds it: 32-bit results are sign-extended, unsigned ones too.
    fn register(self, value: i128) -> u64 {
        match self {
            Self::I32 | Self::U32 => value as i32 as u64,
            Self::I64 | Self::U64 => value as u64,
            // Only elements of vectors are as short, which have no upper bits.
            Self::I8 | Self::U8 | Self::I16 | Self::U16 => value as u64,
        }
    }
}

/// `significand * 2^exponent` as an integer, and whether anything was lost. Magnitudes from 2^64
/// up, which no integer type has, may come out as any number that large.
fn integral(negative: bool, significand: u64, exponent: i32, round: Round) -> (i128, bool) {
    let significand = u128::from(significand);
    let (magnitude, inexact) = if exponent >= 0 {
        // Normalized significands have 11 bits or more: beyond 2^64 in any case.
        (significand << exponent.min(64), false)
    } else {
        shift_right(significand, exponent.unsigned_abs(), negative, round)
    };
    let magnitude = magnitude as i128;
    (if negative { -magnitude } else { magnitude }, inexact)
}

/// `bits` as an integer of type `to`, as an integer register holds it. What has no such integer
/// is invalid and gives the nearest limit, NaN the greatest.
pub fn to_int<F: Format>(bits: u64, to: IntType, round: Round, flags: &mut u8) -> u64 {
    let (min, max) = to.limits();
    let (value, flag) = match Value::of::<F>(bits) {
        Value::Zero(_) => (0, 0),
        Value::Nan { .. } | Value::Infinity(false) => (max, fflags::NV),
        Value::Infinity(true) => (min, fflags::NV),
        Value::Number { negative, significand, exponent } => {
            match integral(negative, significand, exponent, round) {
                (value, _) if value < min => (min, fflags::NV),
                (value, _) if value > max => (max, fflags::NV),
                (value, inexact) => (value, if inexact { fflags::NX } else { 0 }),
            }
        }
    };
    *flags |= flag;
    to.register(value)
}

/// `bits` rounded towards zero, modulo 2^32 and sign-extended (`fcvtmod.w.d`); 0 for infinity and
/// NaN. The flags are those of the conversion to a signed 32-bit integer.
pub fn to_int_modular<F: Format>(bits: u64, flags: &mut u8) -> u64 {
    let saturated = to_int::<F>(bits, IntType::I32, Round::Zero, flags);
    match Value::of::<F>(bits) {
        Value::Number { negative, significand, exponent } if exponent >= 0 => {
            let low =
                u64::from(significand as u32).checked_shl(exponent as u32).unwrap_or(0) as i32;
            (if negative { low.wrapping_neg() } else { low }) as u64
        }
        Value::Number { negative, significand, exponent } => {
            integral(negative, significand, exponent, Round::Zero).0 as i32 as u64
        }
        Value::Zero(_) => saturated,
        Value::Nan { .. } | Value::Infinity(_) => 0,
    }
}

/// The integer in `register`, taken as `from`, as a datum of format `F`. Shorter types use the low
/// bits of the register.
pub fn from_int<F: Format>(register: u64, from: IntType, round: Round, flags: &mut u8) -> u64 {
    let value: i128 = match from {
        IntType::I8 => (register as i8).into(),
        IntType::U8 => (register as u8).into(),
        IntType::I16 => (register as i16).into(),
        IntType::U16 => (register as u16).into(),
        IntType::I32 => (register as i32).into(),
        IntType::U32 => (register as u32).into(),
        IntType::I64 => (register as i64).into(),
        IntType::U64 => register.into(),
    };
    if value == 0 { 0 } else { pack::<F>(value < 0, value.unsigned_abs(), 0, round, flags) }
}

/// `bits` rounded to an integral number of the same format, without telling if it was one
/// already (`fround`).
pub fn round_to_int<F: Format>(bits: u64, round: Round, flags: &mut u8) -> u64 {
    let value = Value::of::<F>(bits);
    match value {
        Value::Nan { .. } => propagate::<F>(&[value], flags),
        Value::Number { negative, significand, exponent } if exponent < 0 => {
            let shift = exponent.unsigned_abs();
            match shift_right(significand.into(), shift, negative, round).0 {
                0 => zero::<F>(negative),
                // Exact: a rounded significand has no more bits than before, or is a power of two.
                n => pack::<F>(negative, n, 0, round, flags),
            }
        }
        Value::Infinity(_) | Value::Zero(_) | Value::Number { .. } => {
            bits & (F::SIGN | (F::SIGN - 1))
        }
    }
}

/// As [`round_to_int`], but inexact if the result is another number (`froundnx`).
pub fn round_to_int_exact<F: Format>(bits: u64, round: Round, flags: &mut u8) -> u64 {
    let rounded = round_to_int::<F>(bits, round, flags);
    let changed = rounded != bits & (F::SIGN | (F::SIGN - 1));
    if changed && !Value::of::<F>(bits).is_nan() {
        *flags |= fflags::NX;
    }
    rounded
}

/// `bits` of format `From` as a datum of format `To`, rounded to odd: what cannot be represented
/// goes to the neighbour whose lowest bit is set (`vfncvt.rod.f.f.w`), so that it can be rounded
/// again.
pub fn convert_to_odd<From: Format, To: Format>(bits: u64, flags: &mut u8) -> u64 {
    let mut raised = 0;
    let truncated = convert::<From, To>(bits, Round::Zero, &mut raised);
    *flags |= raised;
    truncated | u64::from(raised & fflags::NX != 0)
}

/// The seven leading bits of the reciprocal of `bits` (`vfrec7`; manual, "Vector Floating-Point
/// Reciprocal Estimate Instruction").
pub fn reciprocal_estimate<F: Format>(bits: u64, round: Round, flags: &mut u8) -> u64 {
    let value = Value::of::<F>(bits);
    match value {
        Value::Nan { .. } => propagate::<F>(&[value], flags),
        Value::Infinity(negative) => zero::<F>(negative),
        Value::Zero(negative) => {
            *flags |= fflags::DZ;
            infinity::<F>(negative)
        }
        Value::Number { negative, significand, exponent } => {
            // The number is (1 + fraction) * 2^power, the fraction of seven bits taken at its
            // middle.
            let index = significand >> (F::FRACTION_BITS - 7) & 127;
            let power = exponent + F::FRACTION_BITS as i32;
            let twice = 257 + 2 * index;
            let estimate = (65536 + twice / 2) / twice;
            // The result would be 2^(B + 1) or more, B being the bias of exponents.
            if power < F::MIN_EXPONENT - 2 {
                return overflow::<F>(negative, round, flags);
            }
            // Exact, also where it is subnormal.
            pack::<F>(negative, estimate.into(), -power - 8, Round::Zero, &mut 0)
        }
    }
}

/// The seven leading bits of the reciprocal of the square root of `bits` (`vfrsqrt7`; manual,
/// "Vector Floating-Point Reciprocal Square-Root Estimate Instruction").
pub fn reciprocal_sqrt_estimate<F: Format>(bits: u64, flags: &mut u8) -> u64 {
    let value = Value::of::<F>(bits);
    match value {
        Value::Nan { .. } => propagate::<F>(&[value], flags),
        Value::Zero(negative) => {
            *flags |= fflags::DZ;
            infinity::<F>(negative)
        }
        Value::Infinity(false) => zero::<F>(false),
        Value::Infinity(true) | Value::Number { negative: true, .. } => invalid::<F>(flags),
        Value::Number { significand, exponent, .. } => {
            // The number is (1 + fraction) * 2^power, the fraction of six bits taken at its middle;
            // of an odd power one belongs to the number under the root.
            let index = significand >> (F::FRACTION_BITS - 6) & 63;
            let power = exponent + F::FRACTION_BITS as i32;
            let odd = power & 1;
            let radicand = (129 + 2 * index) << odd;
            let estimate = ((1u64 << 25) / radicand).isqrt().div_ceil(2);
            pack::<F>(false, estimate.into(), -(power - odd) / 2 - 8, Round::Zero, &mut 0)
        }
    }
}

/// The constants of `fli`, in single precision, which has them all exactly (chapter "Zfa", table
/// of immediates). Entry 1 is not a constant but the smallest normal number of each format.
const CONSTANTS: [f32; 32] = [
    -1.0,
    f32::MIN_POSITIVE,
    1.0 / 65536.0,
    1.0 / 32768.0,
    0.003_906_25,
    0.007_812_5,
    0.0625,
    0.125,
    0.25,
    0.3125,
    0.375,
    0.4375,
    0.5,
    0.625,
    0.75,
    0.875,
    1.0,
    1.25,
    1.5,
    1.75,
    2.0,
    2.5,
    3.0,
    4.0,
    8.0,
    16.0,
    128.0,
    256.0,
    32768.0,
    65536.0,
    f32::INFINITY,
    f32::NAN,
];

/// The constant that `fli` loads for `index` (its low five bits).
pub fn constant<F: Format>(index: u8) -> u64 {
    match index & 31 {
        1 => F::FRACTION + 1,
        n => {
            let bits = u64::from(CONSTANTS[usize::from(n)].to_bits());
            convert::<F32, F>(bits, Round::NearestEven, &mut 0)
        }
    }
}
