//! Guest registers that have no host register of their own.
//!
//! Such a register's home is its slot. A host register that is free otherwise may hold a copy, so
//! that what was computed or loaded a moment ago is not loaded again, nor waited for. If the value
//! is overwritten later in the block, before the contract must hold, it is not even stored: the
//! home is then that host register, until another register takes its place. Copies are known within
//! a run of plain operations only.

use super::super::Emitter;
use super::super::asm::{Guest, Rm, Sz};
use super::super::features::Features;
use super::super::regs::{COPIES, RAX, RCX, RDX, slot};
use crate::backend::emit::HeldCopies;
use crate::backend::{FaultPoints, Homes, RestoreOp};
use crate::ir::OpClass;
use crate::opt::{Liveness, RegSet};
use std::cell::Cell;

/// One bit for each of [`COPIES`].
type Places = u8;
const ALL: Places = (1 << COPIES.len()) - 1;

/// The place that is host register `h`.
fn place_of(h: u8) -> Option<usize> {
    COPIES.iter().position(|c| *c == h)
}

/// Which host register holds a copy of what.
#[derive(Clone, Default)]
pub(in crate::backend_x64) struct Copies {
    /// Guest register of each of [`COPIES`].
    held: [Option<u8>; COPIES.len()],
    /// Guest registers among them whose slots are out of date.
    dirty: RegSet,
    /// Places that the current operation has taken for an operand or the result.
    pinned: Cell<Places>,
    /// Places that the current operation leaves alone otherwise.
    usable: Places,
    /// Guest registers that are read again while copies last.
    wanted: RegSet,
    /// Those that are read more than once.
    often: RegSet,
    /// The place that was used last.
    recent: Cell<usize>,
}

impl Copies {
    /// True if `r` is read more than once again while copies last.
    pub(in crate::backend_x64) const fn often(&self, r: u8) -> bool {
        self.often & 1 << r != 0
    }

    /// All copies: guest register, host register, and whether the slot is out of date.
    #[cfg(all(debug_assertions, feature = "tools"))]
    pub(in crate::backend_x64) fn held(&self) -> impl Iterator<Item = (u8, u8, bool)> {
        let pairs = self.held.into_iter().zip(COPIES).filter_map(|(r, h)| Some((r?, h)));
        pairs.map(|(r, h)| (r, h, self.dirty & 1 << r != 0))
    }

    fn position(&self, r: u8) -> Option<usize> {
        self.held.iter().position(|held| *held == Some(r))
    }

    /// Forgets the copy of `r`, which has changed in its slot.
    fn forget(&mut self, r: u8) {
        self.dirty &= !(1 << r);
        if let Some(n) = self.position(r) {
            self.held[n] = None;
        }
    }

    fn pin(&self, n: usize) {
        self.pinned.set(self.pinned.get() | 1 << n);
        self.recent.set(n);
    }

    /// A place for a copy of `r`: its own, a free one, or one whose copy is not wanted any more.
    /// With `replace`, any that the current operation has no use for.
    fn place(&self, r: u8, replace: bool) -> Option<usize> {
        if let Some(n) = self.position(r) {
            return Some(n);
        }
        if self.wanted & 1 << r == 0 {
            return None;
        }
        let free = |n: &usize| self.usable & !self.pinned.get() & 1 << n != 0;
        let idle = |n: &usize| self.held[*n].is_none_or(|q| self.wanted & 1 << q == 0);
        let all = || (0..COPIES.len()).filter(free);
        let older = |n: &usize| *n != self.recent.get();
        all().find(idle).or_else(|| all().find(older).or_else(|| all().next()).filter(|_| replace))
    }
}

impl HeldCopies for Copies {
    #[inline]
    fn dirty(&self) -> RegSet {
        self.dirty
    }

    fn restore_ops(&self, to: &mut FaultPoints) {
        let pairs = self.held.into_iter().zip(COPIES).filter_map(|(r, h)| Some((r?, h)));
        let dirty = pairs.filter(|(r, _)| self.dirty & 1 << r != 0);
        dirty.for_each(|(r, h)| to.push(RestoreOp::Held(r, h)));
    }

    fn forget(&mut self) {
        debug_assert_eq!(self.dirty, 0, "values would be lost");
        self.held = [None; COPIES.len()];
    }
}

impl Emitter<'_, '_> {
    /// Makes ready for an operation; `ahead` is what is known behind it.
    #[inline]
    pub(in crate::backend_x64) fn begin_copies(&mut self, liveness: &Liveness) {
        let usable = liveness.keeps;
        self.copies.usable = usable;
        (self.copies.wanted, self.copies.often) = (liveness.used, liveness.reused);
        self.copies.pinned.set(0);
        if usable != ALL {
            for n in (0..COPIES.len()).filter(|n| usable & 1 << n == 0) {
                self.vacate(n);
            }
        }
    }

    /// Stores those of `registers` whose slots are out of date. Flags are unchanged.
    pub(super) fn store_copies(&mut self, registers: RegSet) {
        for (held, h) in self.copies.held.into_iter().zip(COPIES) {
            if let Some(r) = held
                && self.copies.dirty & registers & 1 << r != 0
            {
                self.a.mov_to(Sz::Q, Rm::S(slot(r)), h);
                self.copies.dirty &= !(1 << r);
            }
        }
    }

    /// Makes place `n` free. Flags are unchanged.
    fn vacate(&mut self, n: usize) {
        if let Some(r) = self.copies.held[n] {
            self.store_copies(1 << r);
            self.copies.held[n] = None;
        }
    }

    /// A scratch register to be used while `other` is an operand too.
    pub(in crate::backend_x64) fn scratch_beside(&mut self, other: Rm) -> u8 {
        let uses = |h: u8| match other {
            Rm::R(r) | Rm::B(r, _) => r == h,
            Rm::S(_) => false,
            Rm::M(Guest { base, index, .. }) => {
                base == Some(h) || index.is_some_and(|(r, _)| r == h)
            }
            Rm::X(base, index, ..) => base == h || index == h,
        };
        if !uses(RAX) {
            return RAX;
        }
        // One of two places is free, as rax is one of two registers at most.
        let n = usize::from(uses(COPIES[0]));
        self.vacate(n);
        COPIES[n]
    }

    /// Where the home of a register is, or a copy of it.
    pub(super) fn home(&self, r: u8) -> Rm {
        debug_assert!(r != 0, "x0 has no home");
        if let Some(h) = self.map.int(r) {
            return Rm::R(h);
        }
        match self.copies.position(r) {
            Some(n) => {
                self.copies.pin(n);
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
                    self.vacate(n);
                    self.copies.held[n] = Some(r);
                    self.copies.pin(n);
                    COPIES[n]
                });
                self.a.mov(Sz::Q, to, rm);
                to
            }
        }
    }

    /// A register that holds the home of `r`, which is in its slot: not rax, if there is another.
    pub(super) fn load_beside_rax(&mut self, r: u8) -> u8 {
        let idle = (0..COPIES.len()).find(|n| {
            self.copies.usable & !self.copies.pinned.get() & 1 << n != 0
                && self.copies.held[*n].is_none_or(|q| self.copies.wanted & 1 << q == 0)
        });
        let to = idle.map_or(RAX, |n| {
            self.vacate(n);
            self.copies.held[n] = Some(r);
            self.copies.pin(n);
            COPIES[n]
        });
        self.a.mov(Sz::Q, to, Rm::S(slot(r)));
        to
    }

    /// The register to compute a new home of `r` into: its own, one for a copy, or `scratch`.
    pub(in crate::backend_x64) fn target(&mut self, r: u8, scratch: u8) -> u8 {
        self.map
            .int(r)
            .or_else(|| {
                self.copies.place(r, true).map(|n| {
                    // What is there is lost; the new copy is one when it is written home.
                    if self.copies.held[n] != Some(r) {
                        self.vacate(n);
                    }
                    self.copies.pin(n);
                    COPIES[n]
                })
            })
            .unwrap_or(scratch)
    }

    /// The home of `r`, which is computed in `from`, which came from [`Self::target`] or is a
    /// scratch register, is stored if it is a slot and the value lasts.
    pub(in crate::backend_x64) fn write_copy(&mut self, _homes: &mut Homes, r: u8, from: u8) {
        if self.map.int(r).is_some() {
            return;
        }
        self.copies.forget(r);
        let place = place_of(from);
        if let Some(n) = place {
            self.copies.held[n] = Some(r);
        }
        if place.is_some() && self.redefined & 1 << r != 0 {
            self.copies.dirty |= 1 << r;
        } else {
            self.a.mov_to(Sz::Q, Rm::S(slot(r)), from);
        }
    }

    /// Moves `from` home for `r`, by way of `to` if that is worth something: it came from
    /// [`Self::target`].
    pub(in crate::backend_x64) fn move_home(&mut self, homes: &mut Homes, r: u8, to: u8, from: Rm) {
        match from {
            Rm::R(h) if to == RAX => {
                self.copies.forget(r);
                self.a.mov_to(Sz::Q, Rm::S(slot(r)), h);
            }
            _ => {
                self.a.mov(Sz::Q, to, from);
                self.write_copy(homes, r, to);
            }
        }
    }

    /// As [`Self::write_copy`], for a constant; false if that needs a register.
    pub(super) fn write_home_imm(&mut self, _homes: &mut Homes, r: u8, value: u64) -> bool {
        match (self.map.int(r), i32::try_from(value as i64)) {
            (None, Ok(value)) => {
                self.a.mov_mem_imm(Sz::Q, Rm::S(slot(r)), value);
                self.copies.forget(r);
                true
            }
            _ => false,
        }
    }
}

/// The places for copies that the code of an operation neither uses as scratch registers nor calls
/// anybody who does.
#[inline]
pub(in crate::backend_x64) const fn spares(shape: OpClass, cpu: Features) -> Places {
    const _: () = assert!(COPIES[0] == RDX && COPIES[1] == RCX);
    match shape {
        OpClass::Simple
        | OpClass::Memory
        | OpClass::Word
        | OpClass::Branch
        | OpClass::BranchBack => ALL,
        // It brings everything home before anything else, and no copies are known behind it.
        OpClass::Leave => ALL,
        OpClass::Shift if cpu.bmi2 => ALL,
        OpClass::Shift | OpClass::Scratch | OpClass::FloatChoice => RDX_ALONE,
        OpClass::Long | OpClass::Other | OpClass::Helped => 0,
    }
}

const RDX_ALONE: Places = 1;
