//! `vsetvli`, `vsetivli` and `vsetvl`.

use super::row::{Action, Row};
use super::{Hart, Insn, Op, Vector, x};
use crate::cpu::{VILL, vlmax};

pub(super) const ROWS: &[(Op, Row)] = &[
    (Op::Vsetvli, Row::new(Action::Config(|h, v, i| from_register(h, v, i, i.imm as u64)))),
    (Op::Vsetivli, Row::new(Action::Config(|h, v, i| set(h, v, i, i.imm as u64, i.rs1.into())))),
    (Op::Vsetvl, Row::new(Action::Config(|h, v, i| from_register(h, v, i, x(h, i.rs2))))),
];

/// The length comes from `rs1`; without one, from `rd`: the greatest, or the one there is.
///
/// To keep `vl` where VLMAX changes is reserved. It is kept as far as it goes.
fn from_register(h: &mut Hart, v: &mut Vector, i: &Insn, vtype: u64) {
    let length = match (i.rd, i.rs1) {
        (0, 0) => v.vl.into(),
        (_, 0) => u64::MAX,
        _ => x(h, i.rs1),
    };
    set(h, v, i, vtype, length);
}

fn set(h: &mut Hart, v: &mut Vector, i: &Insn, vtype: u64, length: u64) {
    let (ty, vl) = match vlmax(vtype, h.vector_unit.vlenb) {
        Some(vlmax) => (vtype as u8, length.min(vlmax.into()) as u16),
        None => (VILL, 0),
    };
    (v.vtype, v.vl, v.vstart) = (ty, vl, 0);
    h.set_x(i.rd, vl.into());
}
