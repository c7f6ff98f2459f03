//! Copies of guest registers that have no host register of their own.
//!
//! Such a register's home is its slot, which always holds what a home must. A host register that
//! is free otherwise may hold a copy, so that what was computed or loaded a moment ago is not
//! loaded again, nor waited for. Copies are known within a run of plain operations only.

use super::asm::{Rm, Sz};
use super::emit::Emitter;
use super::regs::{COPIES, RAX, host_int, slot};
use crate::backend::RegSet;
use crate::ir::{BinOp, Fmt, Op, UnOp};
use std::cell::Cell;

/// Which host register holds a copy of what.
#[derive(Clone, Default)]
pub(super) struct Copies {
    /// Guest register of each of [`COPIES`].
    held: [Option<u8>; COPIES.len()],
    /// Those that the current operation has taken for an operand, one bit each.
    pinned: Cell<u8>,
    /// Whether the current operation leaves the host registers alone.
    usable: bool,
    /// Guest registers that are read again while copies last.
    wanted: RegSet,
}

impl Copies {
    fn position(&self, r: u8) -> Option<usize> {
        self.held.iter().position(|held| *held == Some(r))
    }

    /// Forgets the copy of `r`, which has changed in its slot.
    fn forget(&mut self, r: u8) {
        if let Some(n) = self.position(r) {
            self.held[n] = None;
        }
    }

    /// A place for a copy of `r`: its own, a free one, or one whose copy is not wanted any more.
    /// With `replace`, any that the current operation has no use for.
    fn place(&self, r: u8, replace: bool) -> Option<usize> {
        if !self.usable {
            return None;
        }
        if let Some(n) = self.position(r) {
            return Some(n);
        }
        if self.wanted & 1 << r == 0 {
            return None;
        }
        let free = |n: &usize| self.pinned.get() & 1 << n == 0;
        let idle = |n: &usize| self.held[*n].is_none_or(|q| self.wanted & 1 << q == 0);
        let all = || (0..COPIES.len()).filter(free);
        all().find(idle).or_else(|| all().next().filter(|_| replace))
    }
}

impl Emitter<'_, '_> {
    /// Makes ready for `op`, behind which the registers in `wanted` are read while copies last.
    pub(super) fn begin_copies(&mut self, op: &Op, wanted: RegSet) {
        self.copies.usable = keeps_copies(op);
        self.copies.wanted = wanted;
        self.copies.pinned.set(0);
        if !self.copies.usable {
            self.forget_copies();
        }
    }

    /// Forgets all copies: control may come from elsewhere.
    pub(super) fn forget_copies(&mut self) {
        self.copies.held = [None; COPIES.len()];
    }

    /// Where the home of a register is, or a copy of it.
    pub(super) fn home(&self, r: u8) -> Rm {
        debug_assert!(r != 0, "x0 has no home");
        if let Some(h) = host_int(r) {
            return Rm::R(h);
        }
        match self.copies.position(r) {
            Some(n) => {
                self.copies.pinned.set(self.copies.pinned.get() | 1 << n);
                Rm::R(COPIES[n])
            }
            None => Rm::S(slot(r)),
        }
    }

    /// A register that holds the home of `r`: its own, a copy that will be of use again, or
    /// `scratch`.
    pub(super) fn home_in_reg(&mut self, r: u8, scratch: u8) -> u8 {
        let rm = self.home(r);
        match rm {
            Rm::R(h) => h,
            _ => {
                let to = self.copies.place(r, false).map_or(scratch, |n| {
                    self.copies.held[n] = Some(r);
                    self.copies.pinned.set(self.copies.pinned.get() | 1 << n);
                    COPIES[n]
                });
                self.a.mov(Sz::Q, to, rm);
                to
            }
        }
    }

    /// The register to compute a new home of `r` into: its own, one for a copy, or `scratch`.
    pub(super) fn target(&mut self, r: u8, scratch: u8) -> u8 {
        host_int(r)
            .or_else(|| {
                self.copies.place(r, true).map(|n| {
                    // What is there is lost; the new copy is one when it is written to the slot.
                    if self.copies.held[n] != Some(r) {
                        self.copies.held[n] = None;
                    }
                    COPIES[n]
                })
            })
            .unwrap_or(scratch)
    }

    /// The home of `r`, which is computed in `from`, which came from [`Self::target`] or is a
    /// scratch register, is written back if it is a slot.
    pub(super) fn write_home(&mut self, r: u8, from: u8) {
        if host_int(r).is_some() {
            return;
        }
        self.a.mov_to(Sz::Q, Rm::S(slot(r)), from);
        self.copies.forget(r);
        if let Some(n) = COPIES.iter().position(|h| *h == from) {
            self.copies.held[n] = Some(r);
        }
    }

    /// As [`Self::write_home`], for a constant; false if that needs a register.
    pub(super) fn write_home_imm(&mut self, r: u8, value: u64) -> bool {
        match (host_int(r), i32::try_from(value as i64)) {
            (None, Ok(value)) => {
                self.a.mov_mem_imm(Sz::Q, Rm::S(slot(r)), value);
                self.copies.forget(r);
                true
            }
            _ => false,
        }
    }

    /// The scratch register for results.
    pub(super) fn result_reg(&mut self, r: u8) -> u8 {
        self.target(r, RAX)
    }
}

/// True if the code of `op` neither uses the registers of [`COPIES`] nor calls anybody.
pub(super) const fn keeps_copies(op: &Op) -> bool {
    match *op {
        Op::Bin { op, .. } => !matches!(
            op,
            BinOp::Mulh
                | BinOp::Mulhu
                | BinOp::Mulhsu
                | BinOp::Div
                | BinOp::Divu
                | BinOp::Rem
                | BinOp::Remu
                | BinOp::Clmul
                | BinOp::Clmulh
                | BinOp::Clmulr
                | BinOp::CzeroEqz
                | BinOp::CzeroNez
        ),
        Op::Un { op, .. } => !matches!(op, UnOp::Clz | UnOp::Ctz | UnOp::Cpop | UnOp::OrcB),
        Op::FLoad { fmt, .. } => matches!(fmt, Fmt::S | Fmt::D),
        Op::Const { .. }
        | Op::Load { .. }
        | Op::Store { .. }
        | Op::Branch { .. }
        | Op::Select { .. }
        | Op::FSelect { .. } => true,
        _ => false,
    }
}
