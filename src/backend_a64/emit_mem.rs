//! Loads, stores and fences.

use super::asm::{Alu, At, Mem, Sz, fits};
use super::emit::Emitter;
use super::regs::{BASE, X0, X2, X16, X17, ZR, host_int};
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
            Mode::Identity | Mode::Guarded => self.address_guarded(mem, base, off),
            Mode::Sandbox => self.address_sandbox(base, off),
        }
    }

    fn address_guarded(&mut self, mem: Mem, base: Reg, off: i32) -> At {
        let (index, disp) = match self.sym.val(base.0) {
            Val::Const(k) => {
                self.a.mov_imm(X16, k.wrapping_add(i64::from(off) as u64));
                return At::Index(BASE, X16);
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
            return At::Index(BASE, index);
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
            Mode::Identity | Mode::Guarded => self.a.alu(Alu::Add, Sz::X, X17, BASE, X16),
            Mode::Sandbox => self.a.add_uxtw(X17, BASE, X16, 0),
        }
    }
}
