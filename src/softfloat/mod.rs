//! Floating-point arithmetic as RISC-V defines it (unprivileged manual, chapters "F", "D", "Zfa",
//! "Zfhmin"; IEEE 754-2019), in integers: results and exception flags depend on nothing of the
//! host.
//!
//! Reading order: `format` (what bits mean), `round` (the one place where results lose bits),
//! `arith`, `convert`, `compare`.
//!
//! Every number is taken apart into `significand * 2^exponent`, the operation is done exactly, or
//! so that the lowest bit tells whether anything was lost, and the result is rounded once.
//!
//! All values are passed as `u64`, of which a narrower format uses the low bits; the others are
//! ignored in operands and zero in results. NaN-boxing is up to the caller. Functions that take
//! `flags` add to them the exceptions they raise, as bits of [`fflags`].

/// Accrued exception flags (Unprivileged ISA manual, "Floating-Point Control and Status Register").
pub mod fflags {
    /// Inexact.
    pub const NX: u8 = 1;
    /// Underflow.
    pub const UF: u8 = 2;
    /// Overflow.
    pub const OF: u8 = 4;
    /// Divide by zero.
    pub const DZ: u8 = 8;
    /// Invalid operation.
    pub const NV: u8 = 16;
}

mod arith;
mod compare;
mod convert;
mod format;
mod round;

pub use arith::{add, div, mul, mul_add, sqrt, sub};
pub use compare::{
    Class, classify, equal, less_equal, less_equal_quiet, less_than, less_than_quiet, max, maximum,
    min, minimum,
};
pub use convert::{
    IntType, constant, convert, convert_to_odd, from_int, reciprocal_estimate,
    reciprocal_sqrt_estimate, round_to_int, round_to_int_exact, to_int, to_int_modular,
};
pub use format::{Bf16, F16, F32, F64, Format, Value};

/// How a result that cannot be represented is rounded (unprivileged manual, "Rounding mode
/// encoding").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Round {
    /// RNE: to nearest, ties to even.
    NearestEven = 0,
    /// RTZ: towards zero.
    Zero = 1,
    /// RDN: towards minus infinity.
    Down = 2,
    /// RUP: towards plus infinity.
    Up = 3,
    /// RMM: to nearest, ties away from zero.
    NearestAway = 4,
}

impl Round {
    /// All modes, in the order of their encodings.
    pub const ALL: [Self; 5] =
        [Self::NearestEven, Self::Zero, Self::Down, Self::Up, Self::NearestAway];

    /// The mode that an instruction's `rm` field asks for when `frm` holds the dynamic one; `None`
    /// if that is a reserved value, which makes the instruction illegal.
    #[must_use]
    pub fn of(rm: u8, frm: u8) -> Option<Self> {
        let mode = if rm == 7 { frm } else { rm };
        Self::ALL.get(usize::from(mode)).copied()
    }
}
