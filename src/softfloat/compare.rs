//! Comparisons, minimum and maximum, and classification.

use super::fflags;
use super::format::invalid;
use super::{Format, Value};

/// A key by which numbers and infinities are ordered, minus zero just below plus zero.
fn order<F: Format>(bits: u64) -> i64 {
    let magnitude = (bits & (F::SIGN - 1)) as i64;
    if bits & F::SIGN != 0 { !magnitude } else { magnitude }
}

/// Which NaNs are among the operands: (any, a signaling one).
fn nans<F: Format>(a: u64, b: u64) -> (bool, bool) {
    let (a, b) = (Value::of::<F>(a), Value::of::<F>(b));
    (a.is_nan() || b.is_nan(), a.is_signaling() || b.is_signaling())
}

/// True if both are zeros, of whatever sign.
fn both_zero<F: Format>(a: u64, b: u64) -> bool {
    (a | b) & (F::SIGN - 1) == 0
}

/// The outcome of a comparison: false if unordered, which is invalid for any NaN if `signaling`,
/// else for a signaling NaN only.
fn compare<F: Format>(
    a: u64,
    b: u64,
    signaling: bool,
    flags: &mut u8,
    ordered: impl FnOnce(i64, i64) -> bool,
) -> bool {
    let (any, signal) = nans::<F>(a, b);
    if signal || any && signaling {
        *flags |= fflags::NV;
    }
    // Zeros compare equal whatever their signs.
    let (a, b) = if both_zero::<F>(a, b) { (0, 0) } else { (a, b) };
    !any && ordered(order::<F>(a), order::<F>(b))
}

/// `a == b`; quiet (`feq`).
pub fn equal<F: Format>(a: u64, b: u64, flags: &mut u8) -> bool {
    compare::<F>(a, b, false, flags, |a, b| a == b)
}

/// `a < b`; signaling (`flt`).
pub fn less_than<F: Format>(a: u64, b: u64, flags: &mut u8) -> bool {
    compare::<F>(a, b, true, flags, |a, b| a < b)
}

/// `a <= b`; signaling (`fle`).
pub fn less_equal<F: Format>(a: u64, b: u64, flags: &mut u8) -> bool {
    compare::<F>(a, b, true, flags, |a, b| a <= b)
}

/// `a < b`; quiet (`fltq`).
pub fn less_than_quiet<F: Format>(a: u64, b: u64, flags: &mut u8) -> bool {
    compare::<F>(a, b, false, flags, |a, b| a < b)
}

/// `a <= b`; quiet (`fleq`).
pub fn less_equal_quiet<F: Format>(a: u64, b: u64, flags: &mut u8) -> bool {
    compare::<F>(a, b, false, flags, |a, b| a <= b)
}

/// Chooses between two operands: minus zero is less than plus zero. With `numbers`, a NaN loses
/// against a number; otherwise any NaN gives a NaN.
fn choose<F: Format>(
    a: u64,
    b: u64,
    numbers: bool,
    flags: &mut u8,
    first: impl FnOnce(i64, i64) -> bool,
) -> u64 {
    let (any, signal) = nans::<F>(a, b);
    if signal {
        invalid::<F>(flags);
    }
    let (a_is_nan, b_is_nan) = (Value::of::<F>(a).is_nan(), Value::of::<F>(b).is_nan());
    let chosen = if any && (!numbers || a_is_nan && b_is_nan) {
        F::NAN
    } else if b_is_nan || !a_is_nan && first(order::<F>(a), order::<F>(b)) {
        a
    } else {
        b
    };
    chosen & (F::SIGN | (F::SIGN - 1))
}

/// The lesser operand, or the only number: IEEE 754-2019 `minimumNumber` (`fmin`).
pub fn min<F: Format>(a: u64, b: u64, flags: &mut u8) -> u64 {
    choose::<F>(a, b, true, flags, |a, b| a <= b)
}

/// The greater operand, or the only number: IEEE 754-2019 `maximumNumber` (`fmax`).
pub fn max<F: Format>(a: u64, b: u64, flags: &mut u8) -> u64 {
    choose::<F>(a, b, true, flags, |a, b| a >= b)
}

/// The lesser operand, or NaN: IEEE 754-2019 `minimum` (`fminm`).
pub fn minimum<F: Format>(a: u64, b: u64, flags: &mut u8) -> u64 {
    choose::<F>(a, b, false, flags, |a, b| a <= b)
}

/// The greater operand, or NaN: IEEE 754-2019 `maximum` (`fmaxm`).
pub fn maximum<F: Format>(a: u64, b: u64, flags: &mut u8) -> u64 {
    choose::<F>(a, b, false, flags, |a, b| a >= b)
}

/// What `fclass` tells apart; the value is the bit's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// Minus infinity.
    NegativeInfinity = 0,
    /// Negative normal number.
    NegativeNormal = 1,
    /// Negative subnormal number.
    NegativeSubnormal = 2,
    /// Minus zero.
    NegativeZero = 3,
    /// Plus zero.
    PositiveZero = 4,
    /// Positive subnormal number.
    PositiveSubnormal = 5,
    /// Positive normal number.
    PositiveNormal = 6,
    /// Plus infinity.
    PositiveInfinity = 7,
    /// Signaling NaN.
    SignalingNan = 8,
    /// Quiet NaN.
    QuietNan = 9,
}

/// The class of `bits`.
pub fn classify<F: Format>(bits: u64) -> Class {
    let pick = |negative, yes, no| if negative { yes } else { no };
    match Value::of::<F>(bits) {
        Value::Nan { signaling: true } => Class::SignalingNan,
        Value::Nan { signaling: false } => Class::QuietNan,
        Value::Infinity(n) => pick(n, Class::NegativeInfinity, Class::PositiveInfinity),
        Value::Zero(n) => pick(n, Class::NegativeZero, Class::PositiveZero),
        Value::Number { negative: n, .. } if bits & F::INFINITY == 0 => {
            pick(n, Class::NegativeSubnormal, Class::PositiveSubnormal)
        }
        Value::Number { negative: n, .. } => pick(n, Class::NegativeNormal, Class::PositiveNormal),
    }
}
