//! Rounding: the one place where bits are lost and where overflow, underflow and inexact arise.

use super::Round;
use super::fflags;
use super::format::{Format, infinity, zero};
use std::cmp::Ordering;

/// `n / 2^shift` rounded to an integer, and whether anything was lost. `negative` is the sign of
/// the number of which `n` is the magnitude.
pub(super) fn shift_right(n: u128, shift: u32, negative: bool, round: Round) -> (u128, bool) {
    if shift == 0 {
        return (n, false);
    }
    let whole = n.checked_shr(shift).unwrap_or(0);
    let rest = n - whole.checked_shl(shift).unwrap_or(0);
    // Half of 2^shift; beyond 2^128 the rest is always less.
    let versus_half = match 1u128.checked_shl(shift - 1) {
        Some(half) => rest.cmp(&half),
        None => Ordering::Less,
    };
    let up = match round {
        Round::NearestEven => {
            versus_half == Ordering::Greater || versus_half == Ordering::Equal && whole & 1 != 0
        }
        Round::NearestAway => versus_half != Ordering::Less,
        Round::Zero => false,
        Round::Down => negative && rest != 0,
        Round::Up => !negative && rest != 0,
    };
    (whole + u128::from(up), rest != 0)
}

/// `n >> shift` with the lowest bit set if any bit was lost ("jamming"): rounding it to fewer
/// bits gives what rounding `n` would give.
pub(super) fn shift_right_jam(n: u128, shift: u32) -> u128 {
    let (whole, lost) = shift_right(n, shift, false, Round::Zero);
    whole | u128::from(lost)
}

/// The datum of format `F` for the number `significand * 2^exponent` (negated if `negative`),
/// where the significand is not zero. Raises inexact, overflow and underflow; tininess is
/// detected after rounding.
pub(super) fn pack<F: Format>(
    negative: bool,
    significand: u128,
    exponent: i32,
    round: Round,
    flags: &mut u8,
) -> u64 {
    // Power of two of the leading bit, and of the lowest bit that the result can have.
    let leading = exponent + significand.ilog2() as i32;
    let quantum = (leading - F::FRACTION_BITS as i32).max(F::MIN_QUANTUM);
    let (rounded, inexact) = round_to_quantum(significand, exponent, quantum, negative, round);
    if inexact {
        *flags |= fflags::NX;
        // Tiny: below the smallest normal number even when rounded as if exponents had no limit.
        if leading < F::MIN_EXPONENT {
            let unlimited = leading - F::FRACTION_BITS as i32;
            let (n, _) = round_to_quantum(significand, exponent, unlimited, negative, round);
            if unlimited + (n.ilog2() as i32) < F::MIN_EXPONENT {
                *flags |= fflags::UF;
            }
        }
    }
    // The leading bit of a normal number adds one to the exponent field, as does a carry.
    let field = (quantum - F::MIN_QUANTUM) as u64;
    let magnitude = if field < 1 << F::EXPONENT_BITS {
        (field << F::FRACTION_BITS) + rounded as u64
    } else {
        u64::MAX
    };
    if magnitude >= F::INFINITY {
        return overflow::<F>(negative, round, flags);
    }
    zero::<F>(negative) | magnitude
}

/// `significand * 2^exponent / 2^quantum` as an integer, and whether anything was lost. No bit of
/// the result leaves the 128 because a significand's leading bit never moves up.
fn round_to_quantum(
    significand: u128,
    exponent: i32,
    quantum: i32,
    negative: bool,
    round: Round,
) -> (u128, bool) {
    if quantum <= exponent {
        (significand << (exponent - quantum), false)
    } else {
        shift_right(significand, (quantum - exponent) as u32, negative, round)
    }
}

/// Infinity, or the largest finite number where the mode rounds towards zero.
pub(super) fn overflow<F: Format>(negative: bool, round: Round, flags: &mut u8) -> u64 {
    *flags |= fflags::OF | fflags::NX;
    let to_infinity = match round {
        Round::NearestEven | Round::NearestAway => true,
        Round::Zero => false,
        Round::Down => negative,
        Round::Up => !negative,
    };
    infinity::<F>(negative) - u64::from(!to_infinity)
}
