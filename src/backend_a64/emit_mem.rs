//! Loads, stores and fences.

use super::Emitter;
use super::asm::{Asm, At, LDP, LDP_D, Mem, STP, STP_D, Sz};
use super::regs::{V29, V30, X0, X1, host_float, host_int};
use super::values::Opnd;
use crate::backend::emit::{Access, Host, LowerMemory};
use crate::ir::{FReg, Fence, Fmt, LoadKind, MemSize, Reg};
use crate::mem::Mode;

/// `dmb ish`, and the forms that order loads with everything and stores with stores.
pub(super) const DMB: u32 = 0xd503_3bbf;
const DMB_LOADS: u32 = 0xd503_39bf;
const DMB_STORES: u32 = 0xd503_3abf;
/// Pairs of words, and of singles; those of doublewords are in `entry`.
const STP_W: u32 = 0x2900_0000;
const LDP_W: u32 = 0x2940_0000;
const LDPSW: u32 = 0x6940_0000;
const STP_S: u32 = 0x2d00_0000;
const LDP_S: u32 = 0x2d40_0000;

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
        self.a.word(if !f.pw {
            DMB_LOADS
        } else if !f.pr && !f.sr {
            DMB_STORES
        } else {
            DMB
        });
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
        let (op, sz, log2) = match size {
            MemSize::D => (STP, Sz::X, 3),
            MemSize::W => (STP_W, Sz::W, 2),
            MemSize::B | MemSize::H | MemSize::Q => return false,
        };
        let Some((low, high, off)) = self.neighbours(log2, first, second) else { return false };
        // Bringing them home may change what `base` is made of, which is looked at after that.
        let (x, y) = (self.use_sz(sz, low, X0), self.use_sz(sz, high, X1));
        self.access_pair(op, log2, (x, y), base, off)
    }

    pub(super) fn load_pair(
        &mut self,
        kind: LoadKind,
        base: Reg,
        first: (Reg, i32),
        second: (Reg, i32),
    ) -> bool {
        let (op, log2) = match (kind.size, kind.signed) {
            (MemSize::D, _) => (LDP, 3),
            (MemSize::W, false) => (LDP_W, 2),
            (MemSize::W, true) => (LDPSW, 2),
            _ => return false,
        };
        let Some((low, high, off)) = self.neighbours(log2, first, second) else { return false };
        let (Some(x), Some(y)) = (host_int(low.0), host_int(high.0)) else { return false };
        if low == high || first.0 == base {
            return false;
        }
        self.settle_dependents(low.0);
        self.settle_dependents(high.0);
        let done = self.access_pair(op, log2, (x, y), base, off);
        if done {
            let narrow = kind.signed && kind.size == MemSize::W;
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
        let (op, log2) = match fmt {
            Fmt::D => (STP_D, 3),
            Fmt::S => (STP_S, 2),
            Fmt::H => return false,
        };
        let Some((low, high, off)) = self.neighbours(log2, first, second) else { return false };
        let (x, y) = (self.fuse(fmt, low, V29), self.fuse(fmt, high, V30));
        self.access_pair(op, log2, (x, y), base, off)
    }

    pub(super) fn fload_pair(
        &mut self,
        fmt: Fmt,
        base: Reg,
        first: (FReg, i32),
        second: (FReg, i32),
    ) -> bool {
        let (op, log2) = match fmt {
            Fmt::D => (LDP_D, 3),
            Fmt::S => (LDP_S, 2),
            Fmt::H => return false,
        };
        let Some((low, high, off)) = self.neighbours(log2, first, second) else { return false };
        let (Some(x), Some(y)) = (host_float(low.0), host_float(high.0)) else { return false };
        let done = low != high && self.access_pair(op, log2, (x, y), base, off);
        if done {
            self.fdone(fmt, low, x, true);
            self.fdone(fmt, high, y, true);
        }
        done
    }

    /// The registers of two neighbouring accesses, the one at the lower displacement first, and
    /// that displacement.
    fn neighbours<R>(&self, log2: u8, one: (R, i32), other: (R, i32)) -> Option<(R, R, i32)> {
        let (low, high) = if one.1 < other.1 { (one, other) } else { (other, one) };
        let near = high.1.wrapping_sub(low.1) == 1 << log2;
        (near && self.ctx.mode == Mode::Identity).then_some((low.0, high.0, low.1))
    }
}
