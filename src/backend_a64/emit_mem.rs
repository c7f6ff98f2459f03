//! Loads, stores and fences.

use super::asm::{Alu, At, Mem, Sz, fits};
use super::emit::Emitter;
use super::entry::STP;
use super::regs::{BASE, X0, X1, X2, X16, X17, ZR, host_int};
use crate::backend::Val;
use crate::ir::{Fence, LoadKind, MemSize, Reg};
use crate::mem::Mode;

/// `dmb ish`, and the forms that order loads with everything and stores with stores.
pub(super) const DMB: u32 = 0xd503_3bbf;
const DMB_LOADS: u32 = 0xd503_39bf;
const DMB_STORES: u32 = 0xd503_3abf;

impl Emitter<'_, '_> {
    /// Where the guest memory at `base + off` is. Uses x16 and x17; x16 must then stay as it is
    /// until the access.
    pub(super) fn address(&mut self, mem: Mem, base: Reg, off: i32) -> At {
        match self.ctx.mode {
            Mode::Identity => self.address_identity(mem, base, off),
            Mode::Guarded => self.address_guarded(mem, base, off),
            Mode::Sandbox => self.address_sandbox(base, off),
        }
    }

    /// The guest's address is the host's: sums and displacements go into the instruction as far
    /// as it has room for them.
    fn address_identity(&mut self, mem: Mem, base: Reg, off: i32) -> At {
        if let Val::Const(k) = self.sym.val(base.0) {
            return self.address_constant(mem, k.wrapping_add(i64::from(off) as u64));
        }
        let (a, b, shift, disp) = match self.sym.val(base.0) {
            Val::Lin { a, b, shift, imm }
                if self.sym.is_pending(base.0) && imm.checked_add(off).is_some() =>
            {
                (a, b, shift, imm + off)
            }
            _ => {
                self.settle(base.0);
                (base.0, 0, 0, off)
            }
        };
        let at = if b == 0 {
            self.home_in_reg(a, X16)
        } else if a != 0 && disp == 0 && (shift == 0 || u32::from(shift) == mem.log2()) {
            let a = self.home_in_reg(a, X16);
            let b = self.home_in_reg(b, X17);
            return At::Index(a, b, shift != 0);
        } else {
            self.compute(X16, (a, b, shift, 0));
            X16
        };
        self.displaced(mem, at, disp)
    }

    /// `at + disp`, with as much of `disp` as possible in the access.
    fn displaced(&mut self, mem: Mem, at: u8, disp: i32) -> At {
        if fits(mem, disp.into()) {
            return At::Disp(at, disp);
        }
        let low = disp & 0xfff;
        let high = disp - low;
        if fits(mem, low.into()) && high.unsigned_abs() < 1 << 24 {
            self.a.add_imm(Sz::X, X16, at, high.into());
            return At::Disp(X16, low);
        }
        self.a.add_imm(Sz::X, X16, at, disp.into());
        At::Disp(X16, 0)
    }

    /// The constant address `k`, of which the low bits go into the access.
    fn address_constant(&mut self, mem: Mem, k: u64) -> At {
        let low = [0xffff, 0xfff].map(|mask| (k & mask) as i32);
        let low = low.into_iter().find(|l| fits(mem, (*l).into())).unwrap_or(0);
        self.a.mov_imm(X16, k - low as u64);
        At::Disp(X16, low)
    }

    fn address_guarded(&mut self, mem: Mem, base: Reg, off: i32) -> At {
        let (index, disp) = match self.sym.val(base.0) {
            Val::Const(k) => {
                self.a.mov_imm(X16, k.wrapping_add(i64::from(off) as u64));
                return At::Index(BASE, X16, false);
            }
            Val::Lin { a, b: 0, imm, .. }
                if a != 0 && self.sym.is_pending(base.0) && imm.checked_add(off).is_some() =>
            {
                (self.home_in_reg(a, X16), imm.wrapping_add(off))
            }
            _ => {
                self.settle(base.0);
                (self.home_in_reg(base.0, X16), off)
            }
        };
        if disp == 0 {
            return At::Index(BASE, index, false);
        }
        self.a.alu(Alu::Add, Sz::X, X16, BASE, index);
        if fits(mem, disp.into()) {
            return At::Disp(X16, disp);
        }
        self.a.add_imm(Sz::X, X16, X16, disp.into());
        At::Disp(X16, 0)
    }

    /// The address modulo 2^32, exactly: computed in 32 bits, used as an unsigned index.
    fn address_sandbox(&mut self, base: Reg, off: i32) -> At {
        match self.sym.val(base.0) {
            Val::Const(k) => {
                let at = k.wrapping_add(i64::from(off) as u64) as u32;
                self.a.mov_imm(X16, at.into());
            }
            Val::Lin { a, b, shift, imm } if a != 0 && self.sym.is_pending(base.0) => {
                self.compute(X16, (a, b, shift, imm.wrapping_add(off)));
            }
            _ => {
                // A pending sign-extension makes no difference to the low half.
                let h = self.use32(base, X16);
                if off == 0 && h != ZR {
                    return At::IndexW(BASE, h);
                }
                self.a.add_imm(Sz::W, X16, h, off.into());
            }
        }
        At::IndexW(BASE, X16)
    }

    pub(super) fn load(&mut self, kind: LoadKind, rd: Reg, base: Reg, off: i32) {
        let to = if rd.is_zero() { ZR } else { host_int(rd.0).unwrap_or(X2) };
        if !rd.is_zero() {
            self.settle_dependents(rd.0);
        }
        let mem = match (kind.size, kind.signed) {
            (MemSize::B, false) => Mem::LoadB,
            (MemSize::B, true) => Mem::LoadSb,
            (MemSize::H, false) => Mem::LoadH,
            (MemSize::H, true) => Mem::LoadSh,
            (MemSize::W, false) => Mem::LoadW,
            (MemSize::W, true) => Mem::LoadSw,
            (MemSize::D | MemSize::Q, _) => Mem::LoadX,
        };
        let from = self.address(mem, base, off);
        self.fault_point();
        self.a.mem(mem, to, from);
        if !rd.is_zero() {
            let narrow = match kind.size {
                MemSize::B | MemSize::H => true,
                MemSize::W => kind.signed,
                MemSize::D | MemSize::Q => false,
            };
            self.done(rd, to, narrow);
        }
    }

    pub(super) fn store(&mut self, size: MemSize, src: Reg, base: Reg, off: i32) {
        let value = match size {
            MemSize::D | MemSize::Q => self.use64(src, X0),
            MemSize::B | MemSize::H | MemSize::W => self.use32(src, X0),
        };
        let mem = match size {
            MemSize::B => Mem::StoreB,
            MemSize::H => Mem::StoreH,
            MemSize::W => Mem::StoreW,
            MemSize::D | MemSize::Q => Mem::StoreX,
        };
        let to = self.address(mem, base, off);
        self.fault_point();
        self.a.mem(mem, value, to);
    }

    /// Two neighbouring stores in one instruction, if they are that: at `base` plus each offset. If
    /// the host faults, nothing has happened that the interpreter would not do again: it begins with
    /// the first of the two.
    pub(super) fn store_pair(&mut self, base: Reg, first: (Reg, i32), second: (Reg, i32)) -> bool {
        let (low, high) = if first.1 < second.1 { (first, second) } else { (second, first) };
        if self.ctx.mode != Mode::Identity || low.1.wrapping_add(8) != high.1 {
            return false;
        }
        // Bringing them home may change what `base` is made of, which is looked at after that.
        let (x, y) = (self.use64(low.0, X0), self.use64(high.0, X1));
        let (at, disp) = match self.sym.val(base.0) {
            Val::Home if !self.sym.is_sext(base.0) => (base.0, low.1),
            Val::Lin { a, b: 0, imm, .. } if a != 0 && self.sym.is_pending(base.0) => {
                (a, imm.saturating_add(low.1))
            }
            _ => return false,
        };
        if disp % 8 != 0 || !(-512..512).contains(&disp) {
            return false;
        }
        let at = self.home_in_reg(at, X16);
        self.fault_point();
        self.a.pair(STP, (x, y), at, disp / 8);
        true
    }

    /// RVWMO's fences by what they order.
    pub(super) fn fence(&mut self, f: Fence) {
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

    /// x17 = host address of the guest address in `base`, which is at home; x16 = that address.
    pub(super) fn host_address(&mut self, base: Reg) {
        if base.is_zero() {
            self.a.mov_imm(X16, 0);
        } else {
            let home = self.home_in_reg(base.0, X16);
            self.a.mov(Sz::X, X16, home);
        }
        match self.ctx.mode {
            Mode::Identity => self.a.mov(Sz::X, X17, X16),
            Mode::Guarded => self.a.alu(Alu::Add, Sz::X, X17, BASE, X16),
            Mode::Sandbox => self.a.add_uxtw(X17, BASE, X16, 0),
        }
    }
}
