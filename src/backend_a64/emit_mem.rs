//! Loads, stores and fences.

use super::Emitter;
use super::asm::{Asm, At, Mem, Sz, a64};
use super::regs::{V29, V30, X0, X1, host_float, host_int};
use super::values::Opnd;
use crate::backend::emit::{Access, Host, LowerMemory};
use crate::ir::{FReg, Fence, Fmt, LoadKind, MemSize, Reg};
use crate::mem::Mode;

/// What the host calls an access.
pub(super) const fn kind(access: Access) -> Mem {
    match access {
        Access::Load(LoadKind { size, signed }) => match (size, signed) {
            (MemSize::B, false) => Mem::LoadB,
            (MemSize::B, true) => Mem::LoadSb,
            (MemSize::H, false) => Mem::LoadH,
            (MemSize::H, true) => Mem::LoadSh,
            (MemSize::W, false) => Mem::LoadW,
            (MemSize::W, true) => Mem::LoadSw,
            (MemSize::D | MemSize::Q, _) => Mem::LoadX,
        },
        Access::Store(size) => match size {
            MemSize::B => Mem::StoreB,
            MemSize::H => Mem::StoreH,
            MemSize::W => Mem::StoreW,
            MemSize::D | MemSize::Q => Mem::StoreX,
        },
        Access::FLoad(Fmt::D) => Mem::LoadD,
        Access::FLoad(_) => Mem::LoadS,
        Access::FStore(Fmt::D) => Mem::StoreD,
        Access::FStore(_) => Mem::StoreS,
    }
}

impl<'b> LowerMemory<'b, Asm<'b>> for Emitter<'b, '_> {
    fn address(&mut self, access: Access, base: Reg, off: i32) -> At {
        self.memory(kind(access), base, off)
    }

    fn store_operand(&mut self, size: MemSize, value: Opnd, to: At) {
        self.fault_point();
        self.a.access(Access::Store(size), value.reg(), to);
    }

    fn fence(&mut self, f: Fence) {
        let (before, after) = (f.pr || f.pw, f.sr || f.sw);
        if !before || !after {
            return;
        }
        if !f.pw {
            a64!(self.a ; dmb ishld);
        } else if !f.pr && !f.sr {
            a64!(self.a ; dmb ishst);
        } else {
            a64!(self.a ; dmb ish);
        }
    }
}

impl Emitter<'_, '_> {
    // Two neighbouring accesses in one instruction, if they are that: at `base` plus each offset.
    // Each of the two is as atomic as it would be alone. If the host faults, nothing has happened
    // that the interpreter would not do again: it begins with the first of the two. (The
    // architecture would let a pair across two pages, as it would an unaligned access, leave half
    // of it done.)

    pub(super) fn store_pair(
        &mut self,
        size: MemSize,
        base: Reg,
        first: (Reg, i32),
        second: (Reg, i32),
    ) -> bool {
        let mem = kind(Access::Store(size));
        let Some((low, high, off)) = self.neighbours(mem, first, second) else { return false };
        let sz = if mem == Mem::StoreX { Sz::X } else { Sz::W };
        // Bringing them home may change what `base` is made of, which is looked at after that.
        let (x, y) = (self.use_sz(sz, low, X0), self.use_sz(sz, high, X1));
        self.access_pair(mem, (x, y), base, off)
    }

    pub(super) fn load_pair(
        &mut self,
        kind: LoadKind,
        base: Reg,
        first: (Reg, i32),
        second: (Reg, i32),
    ) -> bool {
        let mem = super::emit_mem::kind(Access::Load(kind));
        let Some((low, high, off)) = self.neighbours(mem, first, second) else { return false };
        let (Some(x), Some(y)) = (host_int(low.0), host_int(high.0)) else { return false };
        if low == high || first.0 == base {
            return false;
        }
        self.settle_dependents(low.0);
        self.settle_dependents(high.0);
        let done = self.access_pair(mem, (x, y), base, off);
        if done {
            let narrow = mem == Mem::LoadSw;
            self.sym.set_home(low.0, narrow);
            self.sym.set_home(high.0, narrow);
        }
        done
    }

    pub(super) fn fstore_pair(
        &mut self,
        fmt: Fmt,
        base: Reg,
        first: (FReg, i32),
        second: (FReg, i32),
    ) -> bool {
        let mem = kind(Access::FStore(fmt));
        let Some((low, high, off)) = self.neighbours(mem, first, second) else { return false };
        let (x, y) = (self.fuse(fmt, low, V29), self.fuse(fmt, high, V30));
        self.access_pair(mem, (x, y), base, off)
    }

    pub(super) fn fload_pair(
        &mut self,
        fmt: Fmt,
        base: Reg,
        first: (FReg, i32),
        second: (FReg, i32),
    ) -> bool {
        let mem = kind(Access::FLoad(fmt));
        let Some((low, high, off)) = self.neighbours(mem, first, second) else { return false };
        let (Some(x), Some(y)) = (host_float(low.0), host_float(high.0)) else { return false };
        let done = low != high && self.access_pair(mem, (x, y), base, off);
        if done {
            self.fdone(fmt, low, x, true);
            self.fdone(fmt, high, y, true);
        }
        done
    }

    /// The registers of two neighbouring accesses, the one at the lower displacement first, and
    /// that displacement.
    fn neighbours<R>(&self, mem: Mem, one: (R, i32), other: (R, i32)) -> Option<(R, R, i32)> {
        let (low, high) = if one.1 < other.1 { (one, other) } else { (other, one) };
        let near = mem.log2() >= 2 && high.1.wrapping_sub(low.1) == 1 << mem.log2();
        (near && self.ctx.mode == Mode::Identity).then_some((low.0, high.0, low.1))
    }
}
