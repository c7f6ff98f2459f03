//! Addition, multiplication, division, square root and fused multiply-add.

use super::fflags;
use super::format::{infinity, invalid, propagate, zero};
use super::round::{pack, shift_right_jam};
use super::{Format, Round, Value};

/// A number that is not zero, exact.
#[derive(Clone, Copy)]
struct Exact {
    negative: bool,
    significand: u128,
    exponent: i32,
}

impl Exact {
    fn pack<F: Format>(self, round: Round, flags: &mut u8) -> u64 {
        pack::<F>(self.negative, self.significand, self.exponent, round, flags)
    }
}

/// Sign of a zero that is the sum of two numbers of different signs.
fn sum_zero<F: Format>(round: Round) -> u64 {
    zero::<F>(round == Round::Down)
}

/// The sum of two zeros.
fn add_zeros<F: Format>(a: bool, b: bool, round: Round) -> u64 {
    if a == b { zero::<F>(a) } else { sum_zero::<F>(round) }
}

/// The rounded sum of two numbers that are not zero, of at most 106 significant bits each.
fn add_numbers<F: Format>(a: Exact, b: Exact, round: Round, flags: &mut u8) -> u64 {
    // `high` has the greater exponent. Its leading bit goes up as far as needed, at most to bit
    // 126, which leaves room for the carry.
    let (high, low) = if a.exponent >= b.exponent { (a, b) } else { (b, a) };
    let distance = (high.exponent - low.exponent) as u32;
    let up = distance.min(high.significand.leading_zeros() - 1);
    let exponent = high.exponent - up as i32;
    // If bits of `low` are lost, then `high` has its leading bit at 126 and `low` is less than
    // 2^106, so that the difference keeps far more bits than any format has.
    let high_bits = high.significand << up;
    let low_bits = shift_right_jam(low.significand, distance - up);
    let (negative, significand) = if high.negative == low.negative {
        (high.negative, high_bits + low_bits)
    } else if high_bits >= low_bits {
        (high.negative, high_bits - low_bits)
    } else {
        (low.negative, low_bits - high_bits)
    };
    if significand == 0 {
        return sum_zero::<F>(round);
    }
    pack::<F>(negative, significand, exponent, round, flags)
}

fn add_values<F: Format>(a: Value, b: Value, round: Round, flags: &mut u8) -> u64 {
    use Value::{Infinity, Nan, Number, Zero};
    match (a, b) {
        (Nan { .. }, _) | (_, Nan { .. }) => propagate::<F>(&[a, b], flags),
        (Infinity(x), Infinity(y)) if x != y => invalid::<F>(flags),
        (Infinity(negative), _) | (_, Infinity(negative)) => infinity::<F>(negative),
        (Zero(x), Zero(y)) => add_zeros::<F>(x, y, round),
        (Number { negative, significand, exponent }, Zero(_))
        | (Zero(_), Number { negative, significand, exponent }) => {
            pack::<F>(negative, significand.into(), exponent, round, flags)
        }
        (
            Number { negative, significand, exponent },
            Number { negative: negative_b, significand: significand_b, exponent: exponent_b },
        ) => {
            let a = Exact { negative, significand: significand.into(), exponent };
            let b = Exact {
                negative: negative_b,
                significand: significand_b.into(),
                exponent: exponent_b,
            };
            add_numbers::<F>(a, b, round, flags)
        }
    }
}

/// `a + b`.
pub fn add<F: Format>(a: u64, b: u64, round: Round, flags: &mut u8) -> u64 {
    add_values::<F>(Value::of::<F>(a), Value::of::<F>(b), round, flags)
}

/// `a - b`.
pub fn sub<F: Format>(a: u64, b: u64, round: Round, flags: &mut u8) -> u64 {
    add::<F>(a, b ^ F::SIGN, round, flags)
}

/// `a * b`.
pub fn mul<F: Format>(a: u64, b: u64, round: Round, flags: &mut u8) -> u64 {
    match multiply::<F>(Value::of::<F>(a), Value::of::<F>(b), flags) {
        Product::Special(bits) => bits,
        Product::Zero(negative) => zero::<F>(negative),
        Product::Number(number) => number.pack::<F>(round, flags),
    }
}

/// An exact product.
enum Product {
    /// NaN or infinity.
    Special(u64),
    Zero(bool),
    Number(Exact),
}

fn multiply<F: Format>(a: Value, b: Value, flags: &mut u8) -> Product {
    use Value::{Infinity, Nan, Number, Zero};
    match (a, b) {
        (Nan { .. }, _) | (_, Nan { .. }) => Product::Special(propagate::<F>(&[a, b], flags)),
        (Infinity(_), Zero(_)) | (Zero(_), Infinity(_)) => Product::Special(invalid::<F>(flags)),
        (Infinity(x), Infinity(y) | Number { negative: y, .. })
        | (Number { negative: x, .. }, Infinity(y)) => Product::Special(infinity::<F>(x != y)),
        (Zero(x), Zero(y) | Number { negative: y, .. }) | (Number { negative: x, .. }, Zero(y)) => {
            Product::Zero(x != y)
        }
        (
            Number { negative, significand, exponent },
            Number { negative: negative_b, significand: significand_b, exponent: exponent_b },
        ) => Product::Number(Exact {
            negative: negative != negative_b,
            significand: u128::from(significand) * u128::from(significand_b),
            exponent: exponent + exponent_b,
        }),
    }
}

/// `a * b + c`, rounded once. Infinity times zero is invalid even if `c` is a quiet NaN.
pub fn mul_add<F: Format>(a: u64, b: u64, c: u64, round: Round, flags: &mut u8) -> u64 {
    let addend = Value::of::<F>(c);
    let product = multiply::<F>(Value::of::<F>(a), Value::of::<F>(b), flags);
    match (product, addend) {
        (Product::Special(bits), _) => add::<F>(bits, c, round, flags),
        (_, Value::Nan { .. }) => propagate::<F>(&[addend], flags),
        (_, Value::Infinity(negative)) => infinity::<F>(negative),
        (Product::Zero(x), Value::Zero(y)) => add_zeros::<F>(x, y, round),
        // Exact: `c` itself.
        (Product::Zero(_), Value::Number { .. }) => c & (F::SIGN | (F::SIGN - 1)),
        (Product::Number(p), Value::Zero(_)) => p.pack::<F>(round, flags),
        (Product::Number(p), Value::Number { negative, significand, exponent }) => {
            let c = Exact { negative, significand: significand.into(), exponent };
            add_numbers::<F>(p, c, round, flags)
        }
    }
}

/// `a / b`.
pub fn div<F: Format>(a: u64, b: u64, round: Round, flags: &mut u8) -> u64 {
    use Value::{Infinity, Nan, Number, Zero};
    let (a, b) = (Value::of::<F>(a), Value::of::<F>(b));
    match (a, b) {
        (Nan { .. }, _) | (_, Nan { .. }) => propagate::<F>(&[a, b], flags),
        (Infinity(_), Infinity(_)) | (Zero(_), Zero(_)) => invalid::<F>(flags),
        (Infinity(x), Zero(y) | Number { negative: y, .. }) => infinity::<F>(x != y),
        (Zero(x) | Number { negative: x, .. }, Infinity(y))
        | (Zero(x), Number { negative: y, .. }) => zero::<F>(x != y),
        (Number { negative: x, .. }, Zero(y)) => {
            *flags |= fflags::DZ;
            infinity::<F>(x != y)
        }
        (
            Number { negative, significand, exponent },
            Number { negative: negative_b, significand: significand_b, exponent: exponent_b },
        ) => {
            // Both significands have 53 bits at most and the same width: a quotient of 66 bits or
            // more, of which the lowest tells whether there is a remainder.
            const SCALE: u32 = 66;
            let (n, d) = (u128::from(significand) << SCALE, u128::from(significand_b));
            let quotient = (n / d) | u128::from(!n.is_multiple_of(d));
            let exponent = exponent - exponent_b - SCALE as i32;
            pack::<F>(negative != negative_b, quotient, exponent, round, flags)
        }
    }
}

/// The square root of `a`.
pub fn sqrt<F: Format>(a: u64, round: Round, flags: &mut u8) -> u64 {
    let value = Value::of::<F>(a);
    match value {
        Value::Nan { .. } => propagate::<F>(&[value], flags),
        Value::Zero(negative) => zero::<F>(negative),
        Value::Infinity(false) => infinity::<F>(false),
        Value::Infinity(true) | Value::Number { negative: true, .. } => invalid::<F>(flags),
        Value::Number { significand, exponent, .. } => {
            // An even exponent and as many bits as fit: at least 125, so a root of 63 or more.
            let wide = u128::from(significand);
            let up = wide.leading_zeros() - 1;
            let up = up - u32::from((exponent - up as i32) & 1 != 0);
            let n = wide << up;
            let root = n.isqrt();
            let root = root | u128::from(root * root != n);
            pack::<F>(false, root, (exponent - up as i32) / 2, round, flags)
        }
    }
}
