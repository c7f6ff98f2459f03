//! Which host register is what.
//!
//! | host | use |
//! |---|---|
//! | rax | scratch |
//! | rcx, rdx | scratch, or registers that live in slots: see `values::slots` |
//! | rbx rsi rdi r8-r15 | guest registers, see [`INT_MAP`] |
//! | rbp | `ThreadState` + `STATE_BIAS` |
//! | rsp | stack of host return addresses, nothing else |
//! | gs | host address of guest address 0, where that is not 0 |
//! | xmm0, xmm1 | scratch |
//! | xmm2-xmm15 | guest floating-point registers, see [`FLOAT_MAP`] |
//!
//! The map is data: the most used registers of compiled programs (a5 a4 a3 a0 a2 sp a1 s0 a6 s1
//! cover about 80% of operands) in host registers, those of them that are used most in the ones
//! with short encodings.

use crate::backend::RegMap;
pub(super) use crate::backend::{field, float_slot, slot};

pub(super) const RAX: u8 = 0;
pub(super) const RCX: u8 = 1;
pub(super) const RDX: u8 = 2;
pub(super) const RSP: u8 = 4;
pub(super) const RBP: u8 = 5;

/// Home of ra, which the stub for mispredicted returns must know.
pub(super) const RA_HOME: u8 = 15;

/// Registers for copies of what is in slots, see `values::slots`; scratch for operations that keep
/// none.
pub(super) const COPIES: [u8; 2] = [RDX, RCX];

/// Scratch vector registers.
pub(super) const XMM0: u8 = 0;
pub(super) const XMM1: u8 = 1;

/// (guest register, host register).
pub(super) const INT_MAP: [(u8, u8); 11] = [
    (15, 3),  // a5 rbx
    (14, 6),  // a4 rsi
    (10, 7),  // a0 rdi
    (13, 8),  // a3 r8
    (12, 9),  // a2 r9
    (2, 10),  // sp r10
    (11, 11), // a1 r11
    (8, 12),  // s0 r12
    (16, 13), // a6 r13
    (9, 14),  // s1 r14
    (1, RA_HOME),
];

/// (guest floating-point register, host vector register).
pub(super) const FLOAT_MAP: [(u8, u8); 14] = [
    (10, 2), // fa0
    (11, 3),
    (12, 4),
    (13, 5),
    (14, 6),
    (15, 7),
    (8, 8), // fs0
    (9, 9),
    (18, 10), // fs2
    (19, 11),
    (20, 12), // fs4
    (0, 13),  // ft0
    (1, 14),
    (2, 15),
];

/// Both.
pub(super) static MAP: RegMap = RegMap::new(&INT_MAP, &FLOAT_MAP);
