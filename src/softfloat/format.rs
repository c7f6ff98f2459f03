//! The binary interchange formats and what their bits mean.

use super::fflags;

/// A binary interchange format of at most 64 bits.
pub trait Format: Copy {
    /// Bits of the trailing significand field.
    const FRACTION_BITS: u32;
    /// Bits of the exponent field.
    const EXPONENT_BITS: u32;

    /// The sign bit.
    const SIGN: u64 = 1 << (Self::FRACTION_BITS + Self::EXPONENT_BITS);
    /// The trailing significand field.
    const FRACTION: u64 = (1 << Self::FRACTION_BITS) - 1;
    /// Positive infinity; also the exponent field.
    const INFINITY: u64 = Self::SIGN - 1 - Self::FRACTION;
    /// The positive quiet NaN without payload, which all operations return for a NaN.
    const NAN: u64 = Self::INFINITY | Self::QUIET;
    /// The bit that tells a quiet NaN from a signaling one.
    const QUIET: u64 = 1 << (Self::FRACTION_BITS - 1);
    /// Exponent of the smallest normal number.
    const MIN_EXPONENT: i32 = 2 - (1 << (Self::EXPONENT_BITS - 1));
    /// Exponent of the lowest bit of the smallest normal number: all numbers are multiples of 2
    /// to that power.
    const MIN_QUANTUM: i32 = Self::MIN_EXPONENT - Self::FRACTION_BITS as i32;
}

/// Half precision, binary16.
#[derive(Clone, Copy, Debug)]
pub struct F16;
/// Single precision, binary32.
#[derive(Clone, Copy, Debug)]
pub struct F32;
/// Double precision, binary64.
#[derive(Clone, Copy, Debug)]
pub struct F64;

/// bfloat16: single precision without the low half of its significand.
#[derive(Clone, Copy, Debug)]
pub struct Bf16;

impl Format for Bf16 {
    const FRACTION_BITS: u32 = 7;
    const EXPONENT_BITS: u32 = 8;
}

impl Format for F16 {
    const FRACTION_BITS: u32 = 10;
    const EXPONENT_BITS: u32 = 5;
}

impl Format for F32 {
    const FRACTION_BITS: u32 = 23;
    const EXPONENT_BITS: u32 = 8;
}

impl Format for F64 {
    const FRACTION_BITS: u32 = 52;
    const EXPONENT_BITS: u32 = 11;
}

/// Class and value of a datum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Not a number.
    Nan {
        /// Signaling, not quiet.
        signaling: bool,
    },
    /// An infinity; `true` is negative.
    Infinity(bool),
    /// A zero; `true` is negative.
    Zero(bool),
    /// A number that is not zero: `significand * 2^exponent`, negated if `negative`.
    Number {
        /// The sign.
        negative: bool,
        /// Not zero, and normalized to the format's width also for subnormal numbers.
        significand: u64,
        /// Power of two of the significand's lowest bit.
        exponent: i32,
    },
}

impl Value {
    /// What `bits` stand for in format `F`.
    pub fn of<F: Format>(bits: u64) -> Self {
        let negative = bits & F::SIGN != 0;
        let fraction = bits & F::FRACTION;
        let field = bits & F::INFINITY;
        if field == F::INFINITY {
            return match fraction {
                0 => Self::Infinity(negative),
                _ => Self::Nan { signaling: fraction & F::QUIET == 0 },
            };
        }
        if field == 0 {
            if fraction == 0 {
                return Self::Zero(negative);
            }
            let shift = fraction.leading_zeros() - (63 - F::FRACTION_BITS);
            return Self::Number {
                negative,
                significand: fraction << shift,
                exponent: F::MIN_QUANTUM - shift as i32,
            };
        }
        let biased = (field >> F::FRACTION_BITS) as i32;
        Self::Number {
            negative,
            significand: fraction | (F::FRACTION + 1),
            exponent: F::MIN_QUANTUM + biased - 1,
        }
    }

    /// True for any NaN.
    pub fn is_nan(self) -> bool {
        matches!(self, Self::Nan { .. })
    }

    /// True for a signaling NaN.
    pub fn is_signaling(self) -> bool {
        self == Self::Nan { signaling: true }
    }
}

/// Zero of the given sign.
pub(super) fn zero<F: Format>(negative: bool) -> u64 {
    if negative { F::SIGN } else { 0 }
}

/// Infinity of the given sign.
pub(super) fn infinity<F: Format>(negative: bool) -> u64 {
    zero::<F>(negative) | F::INFINITY
}

/// The result of an operation that has none: a NaN, with the invalid flag.
pub(super) fn invalid<F: Format>(flags: &mut u8) -> u64 {
    *flags |= fflags::NV;
    F::NAN
}

/// The result of an operation of which an operand is a NaN; a signaling one is invalid.
pub(super) fn propagate<F: Format>(operands: &[Value], flags: &mut u8) -> u64 {
    if operands.iter().any(|v| v.is_signaling()) { invalid::<F>(flags) } else { F::NAN }
}
