//! What an emitter believes of floating-point registers, which is compared as that of integer
//! registers is.
//!
//! What arithmetic gives is not modelled: a simulated host writes random values, and the guest's
//! are taken from them. That nothing else changes, where values are, and whether they are boxed
//! and canonical, is.

use super::guest::Random;
use crate::ir::{FBinOp, Fmt, Op};

/// The upper half of a NaN-boxed single.
const BOX: u64 = 0xffff_ffff << 32;
/// RISC-V's NaNs.
const NAN_D: u64 = 0x7ff8 << 48;
const NAN_S: u32 = 0x7fc0_0000;

/// The belief, one bit for each register.
#[derive(Clone, Copy, Default)]
pub struct Floats {
    /// NaN-boxed singles.
    pub boxed: u32,
    /// Those of them whose home has another upper half.
    pub loose: u32,
    /// Doubles whose home may be a NaN of the host's kind, of which the guest has its own.
    pub canon_d: u32,
    /// The same for singles.
    pub canon_s: u32,
}

fn is_nan(bits: u64, single: bool) -> bool {
    if single { f32::from_bits(bits as u32).is_nan() } else { f64::from_bits(bits).is_nan() }
}

/// `bits` with RISC-V's NaN, if it is any.
fn canonical(bits: u64, single: bool) -> u64 {
    match (is_nan(bits, single), single) {
        (false, _) => bits,
        (true, true) => bits & BOX | u64::from(NAN_S),
        (true, false) => NAN_D,
    }
}

/// Whether arithmetic makes the same of both.
pub(super) fn same_number(one: u64, other: u64) -> bool {
    one == other || [false, true].iter().any(|s| canonical(one, *s) == canonical(other, *s))
}

/// Whether an operation has to do with floating-point registers.
pub(super) const fn concerns(op: &Op) -> bool {
    matches!(op, Op::Helper { .. }) || op.float_reads() | op.float_writes() != 0
}

/// Whether the result of an operation depends on more than bits that are moved.
pub(super) const fn is_arithmetic(op: &Op) -> bool {
    match *op {
        Op::FBin { op, fmt, .. } => {
            fmt as u8 != Fmt::D as u8 || !matches!(op, FBinOp::Sgnj | FBinOp::Sgnjn | FBinOp::Sgnjx)
        }
        Op::FSelect { fmt, .. } => fmt as u8 != Fmt::D as u8,
        Op::FUn { .. }
        | Op::FMulAdd { .. }
        | Op::FCmp { .. }
        | Op::FClass { .. }
        | Op::FToInt { .. }
        | Op::FFromInt { .. }
        | Op::FConvert { .. }
        | Op::ReadFlags { .. }
        | Op::SwapFlags { .. }
        | Op::ReadRounding { .. } => true,
        _ => false,
    }
}

/// A value as registers have them: as often single as double, and now and then a NaN.
pub(super) fn any_value(random: &mut Random) -> u64 {
    let (value, r) = (random.value(), random.next_u64());
    match r & 15 {
        0 => value | 0x7ff8 << 48,
        1 => value | BOX | 0x7fc0_0000,
        2..9 => value | BOX,
        _ => value,
    }
}

impl Floats {
    /// The value of `r`, whose home holds `home`.
    pub(super) fn value(&self, r: u8, home: u64) -> u64 {
        let is = |set: u32| set & 1 << r != 0;
        let value = if is(self.loose) { home | BOX } else { home };
        if is(self.canon_d) || is(self.canon_s) {
            canonical(value, is(self.canon_s))
        } else {
            value
        }
    }

    /// Why the belief about `r`, whose home holds `home` and whose value is `value`, is wrong, if
    /// it is.
    pub(super) fn wrong(&self, r: u8, home: u64, value: u64) -> Option<String> {
        let found = self.value(r, home);
        if found != value {
            Some(format!("is {found:#x}"))
        } else if self.boxed & 1 << r != 0 && value >> 32 != BOX >> 32 {
            Some("is said to be boxed".to_owned())
        } else {
            None
        }
    }

    /// True if `r` has become a boxed single since `before`, and `value` is none: the code left the
    /// block for that, if it was executed as conditions told.
    pub(super) fn has_been_checked(&self, before: &Self, r: u8, value: u64) -> bool {
        (self.boxed & !before.boxed) & 1 << r != 0 && value < BOX
    }

    /// What the home of `r` may hold that holds `home`, if it has to be as is believed.
    pub(super) const fn adopt(&self, r: u8, home: u64) -> u64 {
        if self.boxed & !self.loose & 1 << r != 0 { home | BOX } else { home }
    }
}

/// What the interpreter gives for an operation that reads the registers `reads` and writes a
/// floating-point register: a NaN of one, otherwise `random`.
pub(super) fn result(op: &Op, f: &[u64; 32], random: u64) -> u64 {
    let reads = op.float_reads();
    let (from, to) = formats(op);
    let nan = (0..32).any(|r| reads & 1 << r != 0 && is_nan(f[r], from == Fmt::S));
    match (nan, to) {
        (true, Fmt::D) => NAN_D,
        (true, _) => BOX | u64::from(NAN_S),
        (false, Fmt::S) => BOX | random,
        (false, _) => random,
    }
}

/// The formats of operands and of the result.
const fn formats(op: &Op) -> (Fmt, Fmt) {
    match *op {
        Op::FConvert { from, to, .. } => (from, to),
        Op::FBin { fmt, .. }
        | Op::FUn { fmt, .. }
        | Op::FMulAdd { fmt, .. }
        | Op::FFromInt { fmt, .. }
        | Op::FSelect { fmt, .. } => (fmt, fmt),
        _ => (Fmt::D, Fmt::D),
    }
}
