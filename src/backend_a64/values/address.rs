//! Addresses of guest memory.

use super::super::Emitter;
use super::super::asm::{Alu, At, Mem, Sz, fits};
use super::super::regs::{BASE, X16, X17, ZR};
use crate::backend::{Held, Homes, Val};
use crate::ir::Reg;
use crate::mem::Mode;

impl Emitter<'_, '_> {
    /// Where the guest memory at `base + off` is. Uses x16 and x17; x16 must then stay as it is
    /// until the access.
    pub(in crate::backend_a64) fn memory<'h>(
        &mut self,
        homes: &'h Homes,
        mem: Mem,
        base: Reg,
        off: i32,
    ) -> Held<'h, At> {
        let at = match self.ctx.mode {
            Mode::Identity => self.address_identity(homes, mem, base, off),
            Mode::Guarded => self.address_guarded(homes, mem, base, off),
            Mode::Sandbox => self.address_sandbox(homes, base, off),
        };
        Held::new(homes, at)
    }

    /// The guest's address is the host's: sums and displacements go into the instruction as far
    /// as it has room for them.
    fn address_identity(&mut self, homes: &Homes, mem: Mem, base: Reg, off: i32) -> At {
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
                self.materialise(homes, base.0);
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

    fn address_guarded(&mut self, homes: &Homes, mem: Mem, base: Reg, off: i32) -> At {
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
                self.materialise(homes, base.0);
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
    fn address_sandbox(&mut self, homes: &Homes, base: Reg, off: i32) -> At {
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
                let h = self.use32(homes, base, X16).get();
                if off == 0 && h != ZR {
                    return At::IndexW(BASE, h);
                }
                self.a.add_imm(Sz::W, X16, h, off.into());
            }
        }
        At::IndexW(BASE, X16)
    }

    /// Emits the access if its displacement is in reach.
    pub(in crate::backend_a64) fn access_pair(
        &mut self,
        _homes: &Homes,
        mem: Mem,
        (x, y): (Held<'_, u8>, Held<'_, u8>),
        base: Reg,
        off: i32,
    ) -> bool {
        let (at, disp) = match self.sym.val(base.0) {
            Val::Home if !self.sym.is_sext(base.0) => (base.0, off),
            Val::Lin { a, b: 0, imm, .. } if a != 0 && self.sym.is_pending(base.0) => {
                (a, imm.saturating_add(off))
            }
            _ => return false,
        };
        let scaled = disp >> mem.log2();
        if scaled << mem.log2() != disp || !(-64..64).contains(&scaled) {
            return false;
        }
        let at = self.home_in_reg(at, X16);
        self.fault_point();
        self.a.pair(mem, (x.get(), y.get()), at, disp);
        true
    }

    /// x17 = host address of the guest address in `base`, which is at home; x16 = that address.
    pub(in crate::backend_a64) fn host_address(&mut self, _homes: &Homes, base: Reg) {
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
