//! The vector state of a hart (unprivileged manual, chapter "V").

use crate::ir::VConfig;
use crate::isa::{Ext, Isa};

/// Bytes of the longest vector register that is supported (VLEN = 512).
pub const MAX_VLENB: usize = 64;

/// Value of [`Vector::vtype`] where `vill` is set: a reserved LMUL, so that one byte tells the
/// type.
pub const VILL: u8 = 0x04;

/// What of an [`Isa`] vector instructions depend on when they are executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct VectorUnit {
    /// Bytes of a vector register: 16, 32 or 64; 0 if vector instructions are illegal.
    pub vlenb: u16,
    /// Zvfh is there.
    pub half: bool,
    /// Zvfhmin is there.
    pub half_conversions: bool,
    /// Zvknhb is there.
    pub sha512: bool,
}

impl VectorUnit {
    /// No vector instruction is legal.
    pub const OFF: Self = Self { vlenb: 0, half: false, half_conversions: false, sha512: false };

    /// The vector unit of a hart with `isa`.
    #[must_use]
    pub const fn of(isa: &Isa) -> Self {
        Self {
            vlenb: isa.vlenb(),
            half: isa.has(Ext::Zvfh),
            half_conversions: isa.has(Ext::Zvfhmin),
            sha512: isa.has(Ext::Zvknhb),
        }
    }
}

/// Vector registers, and the CSRs that belong to them. `repr(C)`: fields have fixed offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Vector {
    /// The 32 registers, [`VectorUnit::vlenb`] bytes each, without gaps: a group of registers is a
    /// slice. Bytes are in memory order.
    pub bytes: [u8; 32 * MAX_VLENB],
    /// The low eight bits of `vtype`, or [`VILL`].
    pub vtype: u8,
    /// 0. From `vtype` on there are eight bytes which translated code compares and sets at once.
    zero: u8,
    /// `vl`, at most 512.
    pub vl: u16,
    /// `vstart`, below 512.
    pub vstart: u16,
    /// 0, likewise.
    zeros: u16,
    /// `vcsr`: `vxsat` in bit 0, `vxrm` in bits 2:1.
    pub vcsr: u8,
}

impl Default for Vector {
    fn default() -> Self {
        Self::new()
    }
}

impl Vector {
    /// The state at the first vector instruction of a thread, as Linux makes it: all zero.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; 32 * MAX_VLENB], vtype: 0, zero: 0, vl: 0, vstart: 0, zeros: 0, vcsr: 0 }
    }

    /// The eight bytes at [`Self::vtype`] where `vtype` and `vl` are these, and `vstart` is 0.
    #[must_use]
    pub const fn config_word(vtype: u8, vl: u16) -> i32 {
        vtype as i32 | (vl as i32) << 16
    }

    /// The register `r`, of a hart whose registers have `vlenb` bytes.
    #[must_use]
    pub fn register(&self, r: u8, vlenb: usize) -> &[u8] {
        let at = usize::from(r & 31) * vlenb;
        self.bytes.get(at..at + vlenb).unwrap_or_default()
    }

    /// The register `r`, to be written.
    pub fn register_mut(&mut self, r: u8, vlenb: usize) -> &mut [u8] {
        let at = usize::from(r & 31) * vlenb;
        self.bytes.get_mut(at..at + vlenb).unwrap_or_default()
    }

    /// `vtype` as the guest reads it.
    #[must_use]
    pub const fn vtype_csr(&self) -> u64 {
        if self.vtype == VILL { 1 << 63 } else { self.vtype as u64 }
    }

    /// Writes `vtype` and `vl` as `vsetvl` would, to whatever is supported of them; `vstart` is cut
    /// to its bits.
    pub fn set_config(&mut self, vtype: u64, vl: u64, vlenb: u16) {
        let vlmax = u64::from(vlmax(vtype, vlenb).unwrap_or(0));
        self.vtype = if vlmax == 0 { VILL } else { vtype as u8 };
        self.vl = vl.min(vlmax) as u16;
        self.vstart &= vlenb * 8 - 1;
    }

    /// `vtype` and `vl`, where operations can be for them.
    #[must_use]
    pub const fn config(&self) -> Option<VConfig> {
        if self.vtype == VILL || self.vl == 0 {
            return None;
        }
        Some(VConfig { vtype: self.vtype, vl: self.vl })
    }

    /// What Linux does to vector state at each system call: registers of ones, `vl` 0, and `vill`.
    pub fn clobber(&mut self) {
        if self.vtype != VILL {
            self.bytes.fill(0xff);
            (self.vtype, self.vl, self.vstart) = (VILL, 0, 0);
        }
    }
}

/// VLMAX for `vtype`; `None` if it is not supported, which sets `vill`.
#[must_use]
pub fn vlmax(vtype: u64, vlenb: u16) -> Option<u16> {
    let (lmul, sew) = (lmul_log2(vtype as u8), vtype >> 3 & 7);
    // The smallest LMUL must hold an element of the largest width: ELEN is 64.
    if vtype >> 8 != 0 || vtype & 7 == u64::from(VILL) || sew > 3 || lmul + 3 < sew as i32 {
        return None;
    }
    Some(if lmul >= 0 { vlenb >> sew << lmul } else { vlenb >> sew >> -lmul })
}

/// The power of two that LMUL is for a `vtype`: -3 to 3, or -4 if it is reserved.
#[must_use]
pub const fn lmul_log2(vtype: u8) -> i32 {
    ((vtype << 5) as i8 >> 5) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supported_types() {
        let vlmax = |vtype| vlmax(vtype, 16);
        // e8,m1 to m8; e8,mf8 to mf2.
        assert_eq!([0, 1, 2, 3].map(vlmax), [16, 32, 64, 128].map(Some));
        assert_eq!([5, 6, 7].map(vlmax), [2, 4, 8].map(Some));
        // e64: LMUL of 1 and more, and of fractions none, however long registers are.
        assert_eq!([0x18, 0x1b].map(vlmax), [2, 16].map(Some));
        assert_eq!([0x1f, 0x1e, 0x1d, 0x16, 0x15, 0x0d].map(vlmax), [None; 6]);
        assert_eq!(super::vlmax(0x1f, 64), None);
        assert_eq!([0x17, 0x0e].map(vlmax), [2, 2].map(Some));
        // Reserved LMUL and SEW; any bit above the eight.
        assert_eq!([0x04, 0x20, 0x38, 0x100, 1 << 63].map(vlmax), [None; 5]);
        assert_eq!(vlmax(0xc0), Some(16));
    }

    #[test]
    fn type_and_lengths_are_one_word() {
        use std::mem::offset_of;
        let at = offset_of!(Vector, vtype);
        assert_eq!(
            (at % 8, offset_of!(Vector, vl), offset_of!(Vector, vstart)),
            (0, at + 2, at + 4)
        );
        assert_eq!(offset_of!(Vector, vcsr), at + 8);
        assert_eq!(Vector::config_word(0xd0, 4), 0x0004_00d0);
    }

    #[test]
    fn a_configuration_from_outside_is_made_a_supported_one() {
        let mut v = Vector { vstart: 0xffff, ..Vector::new() };
        v.set_config(3, 1000, 16);
        assert_eq!((v.vtype, v.vl, v.vstart), (3, 128, 127));
        v.set_config(4, 1, 16);
        assert_eq!((v.vtype, v.vl, v.vtype_csr()), (VILL, 0, 1 << 63));
    }
}
