//! What the unprivileged architecture calls the state of a hart.

use super::vector::{Vector, VectorUnit};
use crate::isa::Isa;

/// All five accrued exception flags of `fcsr`.
pub const FFLAGS_MASK: u8 = 0x1f;

/// Canonical NaNs, which every arithmetic instruction returns for a NaN result.
pub mod canonical {
    /// Single precision.
    pub const NAN32: u32 = 0x7fc0_0000;
    /// Double precision.
    pub const NAN64: u64 = 0x7ff8_0000_0000_0000;
}

/// Value of [`Reservation::addr`] when there is no reservation. No aligned address equals it.
pub const RESERVATION_NONE: u64 = u64::MAX;

/// What the last `lr` reserved. `sc` succeeds if address and size are the same and memory still
/// holds the value that `lr` read (value compare, as QEMU and other translators do).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Reservation {
    /// Guest address, or [`RESERVATION_NONE`].
    pub addr: u64,
    /// The value read, sign-extended from its size.
    pub value: u64,
    /// Bytes: 4 or 8.
    pub size: u64,
}

/// Registers of one hart. `repr(C)`: translated code reads and writes the fields by offset.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Hart {
    /// Integer registers. `x[0]` is 0 at every instruction boundary.
    pub x: [u64; 32],
    /// Floating-point registers, narrower values NaN-boxed.
    pub f: [u64; 32],
    /// Address of the next instruction.
    pub pc: u64,
    /// Reservation made by `lr`.
    pub reservation: Reservation,
    /// Accrued exceptions, the low five bits of `fcsr`.
    pub fflags: u8,
    /// Dynamic rounding mode, 0..=7; 5, 6 and 7 make instructions that use it illegal.
    pub frm: u8,
    /// What vector instructions there are.
    pub vector_unit: VectorUnit,
    /// Vector state, from the first vector instruction on. (Most programs execute none; a hart
    /// without is small and quickly copied.)
    pub vector: Option<Box<Vector>>,
}

impl Default for Hart {
    fn default() -> Self {
        Self::new()
    }
}

impl Hart {
    /// All registers zero, rounding to nearest even, no reservation, no vectors.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            x: [0; 32],
            f: [0; 32],
            pc: 0,
            reservation: Reservation { addr: RESERVATION_NONE, value: 0, size: 0 },
            fflags: 0,
            frm: 0,
            vector_unit: VectorUnit::OFF,
            vector: None,
        }
    }

    /// As [`Self::new`], with the vectors of `isa`.
    #[must_use]
    pub const fn with_isa(isa: &Isa) -> Self {
        let mut hart = Self::new();
        hart.vector_unit = VectorUnit::of(isa);
        hart
    }

    /// The vector state, made if there is none yet; `None` if the hart has no vectors.
    pub fn vector_mut(&mut self) -> Option<&mut Vector> {
        (self.vector_unit.vlenb != 0).then(|| &mut **self.vector.get_or_insert_default())
    }

    /// Writes an integer register; a write to `x0` is dropped.
    pub const fn set_x(&mut self, rd: u8, value: u64) {
        if rd != 0 {
            self.x[(rd & 31) as usize] = value;
        }
    }

    /// `fcsr` as the guest reads it: `frm` in bits 7:5, `fflags` in 4:0.
    #[must_use]
    pub const fn fcsr(&self) -> u32 {
        ((self.frm as u32) << 5) | self.fflags as u32
    }

    /// Writes `fcsr`; bits above 7 are dropped.
    pub const fn set_fcsr(&mut self, value: u32) {
        self.frm = ((value >> 5) & 7) as u8;
        self.fflags = (value as u8) & FFLAGS_MASK;
    }

    /// Drops the reservation, as a trap return or a context switch may do.
    pub const fn clear_reservation(&mut self) {
        self.reservation = Reservation { addr: RESERVATION_NONE, value: 0, size: 0 };
    }
}
