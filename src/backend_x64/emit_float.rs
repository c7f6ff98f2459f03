//! Floating point.

use super::emit::Emitter;
use crate::cpu::fflags;
use crate::ir::{FReg, Fmt, Op, Reg};

/// What is known of the floating-point registers.
#[derive(Clone, Debug)]
pub(super) struct FloatState {}

impl FloatState {
    pub(super) const fn new() -> Self {
        Self {}
    }
}

impl Emitter<'_, '_> {
    pub(super) fn float(&mut self, op: &Op) {
        let writes = match *op {
            Op::FCmp { rd, .. }
            | Op::FClass { rd, .. }
            | Op::FToInt { rd, .. }
            | Op::FMoveToInt { rd, .. } => 1 << rd.0,
            _ => 0,
        };
        self.helper(writes);
    }

    pub(super) fn fload(&mut self, _fmt: Fmt, _fd: FReg, _base: Reg, _off: i32) {
        self.helper(0);
    }

    pub(super) fn fstore(&mut self, _fmt: Fmt, _fs: FReg, _base: Reg, _off: i32) {
        self.helper(0);
    }

    pub(super) fn flush_float(&mut self) {}

    pub(super) fn reset_float(&mut self) {
        self.fp = FloatState::new();
    }

    pub(super) fn float_pending(&self) -> bool {
        false
    }

    pub(super) fn float_recipes(&mut self) {}
}

/// MXCSR for a rounding mode that the host has and accrued flags, all exceptions masked.
pub(super) fn mxcsr(frm: u8, flags: u8) -> u32 {
    // RISC-V: RNE RTZ RDN RUP; x86: nearest, down, up, zero.
    const ROUNDING: [u32; 4] = [0, 3, 1, 2];
    let mut word = 0x1f80 | ROUNDING[usize::from(frm & 3)] << 13;
    for (bit, flag) in FLAGS {
        if flags & flag != 0 {
            word |= bit;
        }
    }
    word
}

/// The accrued flags in MXCSR. There is no RISC-V flag for denormal operands.
pub(super) fn fflags(word: u32) -> u8 {
    FLAGS.iter().filter(|(bit, _)| word & bit != 0).map(|(_, flag)| flag).sum()
}

const FLAGS: [(u32, u8); 5] = [
    (0x01, fflags::NV),
    (0x04, fflags::DZ),
    (0x08, fflags::OF),
    (0x10, fflags::UF),
    (0x20, fflags::NX),
];
