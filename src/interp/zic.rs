//! Fences, cache-block operations, waiting hints and may-be-operations (unprivileged manual,
//! chapters "Zifencei", "CMO", "Zawrs", "Zihintpause", "Zimop").

use super::{Access, Data, Exit, Hart, Insn, Step, next, x};
use std::sync::atomic::{Ordering, fence as host_fence};

/// Bytes of a cache block, as Zic64b promises.
const CACHE_BLOCK: u64 = 64;

/// Any fence is a full one here.
pub(super) fn fence(_: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    host_fence(Ordering::SeqCst);
    next(i, pc)
}

pub(super) fn fence_i(_: &mut Hart, _: &impl Data, _: &Insn, _: u64) -> Step {
    Err(Exit::FenceI.into())
}

/// `pause`, `wrs.nto` and `wrs.sto`: waiting may end at any time, so it ends at once.
pub(super) fn pause(_: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    std::hint::spin_loop();
    next(i, pc)
}

/// `cbo.clean`, `cbo.flush` and `cbo.inval`: memory is coherent, so only the permission counts.
/// Any access to the block suffices, and the lack of all is reported as a store fault.
pub(super) fn cbo_manage(h: &mut Hart, m: &impl Data, i: &Insn, pc: u64) -> Step {
    let block = x(h, i.rs1) & !(CACHE_BLOCK - 1);
    match m.read_u8(block) {
        Ok(_) => next(i, pc),
        Err(fault) => Err(crate::mem::Fault { access: Access::Write, ..fault }.into()),
    }
}

pub(super) fn cbo_zero(h: &mut Hart, m: &impl Data, i: &Insn, pc: u64) -> Step {
    m.fill(x(h, i.rs1) & !(CACHE_BLOCK - 1), 0, CACHE_BLOCK)?;
    next(i, pc)
}

/// `mop.r.n` and `mop.rr.n` write zero until some extension gives them another meaning.
pub(super) fn mop(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    h.set_x(i.rd, 0);
    next(i, pc)
}
