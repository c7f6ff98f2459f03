//! Loads, stores and fences.

use super::Emitter;
use super::asm::{Asm, At, Mem, Sz, a64};
use super::regs::{V29, V30, X0, X1};
use super::values::Operand;
use crate::backend::emit::{Access, Host, LowerMemory};
use crate::backend::{Held, Homes};
use crate::ir::{FReg, Fence, Fmt, LoadKind, MemSize, Op, Reg};
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
    fn address<'h>(
        &mut self,
        homes: &'h Homes,
        access: Access,
        base: Reg,
        off: i32,
    ) -> Held<'h, At> {
        self.memory(homes, kind(access), base, off)
    }

    fn store_operand(&mut self, size: MemSize, value: Operand<'_>, to: Held<'_, At>) {
        self.fault_point();
        self.a.access(Access::Store(size), value.get().reg(), to);
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
    /// Emits two neighbouring accesses as one instruction, if they are that. Each of the two is as
    /// atomic as it would be alone. If the host faults, nothing has happened that the interpreter
    /// would not do again: it begins with the first of the two. (The architecture would let a pair
    /// across two pages, as it would an unaligned access, leave half of it done.)
    pub(super) fn pair(&mut self, homes: &mut Homes, first: &Op, second: &Op) -> bool {
        let Some((access, r, base, at)) = parts(first) else { return false };
        let Some((access2, r2, base2, at2)) = parts(second) else { return false };
        let mem = kind(access);
        let (low, high, off) = if at < at2 { (r, r2, at) } else { (r2, r, at2) };
        let near = mem.log2() >= 2 && at.max(at2).wrapping_sub(off) == 1 << mem.log2();
        if !near || (access, base) != (access2, base2) || self.ctx.mode != Mode::Identity {
            return false;
        }
        let (x, y) = match access {
            Access::Store(_) => {
                let sz = if mem == Mem::StoreX { Sz::X } else { Sz::W };
                // Bringing them home may change what `base` is made of, which is looked at later.
                (self.use_sz(homes, sz, Reg(low), X0), self.use_sz(homes, sz, Reg(high), X1))
            }
            Access::FStore(fmt) => {
                let (x, y) = (self.fuse(fmt, FReg(low), V29), self.fuse(fmt, FReg(high), V30));
                (Held::new(homes, x), Held::new(homes, y))
            }
            Access::Load(_) => {
                let (Some(x), Some(y)) = (self.map.int(low), self.map.int(high)) else {
                    return false;
                };
                if low == high || r == base.0 {
                    return false;
                }
                self.materialise_dependents(homes, low);
                self.materialise_dependents(homes, high);
                (Held::new(homes, x), Held::new(homes, y))
            }
            Access::FLoad(_) => match (self.map.float(low), self.map.float(high)) {
                (Some(x), Some(y)) if low != high => (Held::new(homes, x), Held::new(homes, y)),
                _ => return false,
            },
        };
        if !self.access_pair(homes, mem, (x, y), base, off) {
            return false;
        }
        for r in [low, high] {
            match access {
                Access::Load(_) => self.sym.set_home(homes, r, mem == Mem::LoadSw),
                Access::FLoad(fmt) => self.fdone(fmt, FReg(r), self.fdest(FReg(r)), true),
                Access::Store(_) | Access::FStore(_) => {}
            }
        }
        true
    }
}

/// Kind, register, base and displacement of an access that may have a neighbour.
const fn parts(op: &Op) -> Option<(Access, u8, Reg, i32)> {
    Some(match *op {
        Op::Store { size, src, base, off } => (Access::Store(size), src.0, base, off),
        Op::Load { kind, rd, base, off } => (Access::Load(kind), rd.0, base, off),
        Op::FStore { fmt: Fmt::H, .. } | Op::FLoad { fmt: Fmt::H, .. } => return None,
        Op::FStore { fmt, fs, base, off } => (Access::FStore(fmt), fs.0, base, off),
        Op::FLoad { fmt, fd, base, off } => (Access::FLoad(fmt), fd.0, base, off),
        _ => return None,
    })
}
