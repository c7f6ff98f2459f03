//! Which host register is what.
//!
//! | host | use |
//! |---|---|
//! | x0, x1 | scratch: operands |
//! | x16, x17 | scratch of moves between homes, of addresses and of far constants |
//! | x2-x15, x19-x26, x29 | guest registers, see [`INT_MAP`] |
//! | x18 | the platform's, never touched |
//! | x27 | host address of guest address 0 |
//! | x28 | `ThreadState` + `STATE_BIAS` |
//! | x30 | link register, for the pairs of `bl` and `ret` that the host predicts; between them scratch: results that go to a slot |
//! | sp | stack of pairs (host return address, guest return address), nothing else |
//! | v0-v27 | guest floating-point registers, see [`FLOAT_MAP`] |
//! | v28 | upper half of a NaN box: ones above, zeros below |
//! | v29-v31 | scratch |
//!
//! The map is data. In slots are the integer registers that compiled programs use least, in what
//! they execute and in what they consist of: s8, s9, t2, t4, t5, t6, gp and tp.

use crate::backend::RegMap;
pub(super) use crate::backend::{field, float_slot, slot};

pub(super) const X0: u8 = 0;
pub(super) const X1: u8 = 1;
pub(super) const X16: u8 = 16;
pub(super) const X17: u8 = 17;
/// Host address of guest address 0.
pub(super) const BASE: u8 = 27;
/// `ThreadState` + `STATE_BIAS`.
pub(super) const STATE: u8 = 28;
pub(super) const LR: u8 = 30;
/// The same as a scratch register, between calls.
pub(super) const X30: u8 = LR;
/// Register 31 where it is the zero register.
pub(super) const ZR: u8 = 31;
/// Register 31 where it is the stack pointer.
pub(super) const SP: u8 = 31;

/// Upper half of a NaN box.
pub(super) const BOX: u8 = 28;
pub(super) const V29: u8 = 29;
pub(super) const V30: u8 = 30;
pub(super) const V31: u8 = 31;

/// (guest register, host register).
pub(super) const INT_MAP: [(u8, u8); 23] = [
    (23, 2), // s7
    (10, 3), // a0
    (11, 4),
    (12, 5),
    (13, 6),
    (14, 7),
    (15, 8),
    (16, 9),
    (17, 10), // a7
    (5, 11),  // t0
    (6, 12),
    (26, 13), // s10
    (28, 14), // t3
    (27, 15), // s11
    (8, 19),  // s0
    (9, 20),
    (18, 21),
    (19, 22),
    (20, 23),
    (21, 24),
    (22, 25), // s6
    (2, 26),  // sp
    (1, 29),  // ra
];

/// (guest floating-point register, host vector register): all but ft8 to ft11.
pub(super) const FLOAT_MAP: [(u8, u8); 28] = {
    let mut map = [(0, 0); 28];
    let mut i = 0;
    while i < 28 {
        map[i] = (i as u8, i as u8);
        i += 1;
    }
    map
};

/// Both.
pub(super) static MAP: RegMap = RegMap::new(&INT_MAP, &FLOAT_MAP);
