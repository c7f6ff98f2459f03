//! Loads, stores and fences.

use super::asm::{Alu, At, LDP, LDP_D, Mem, STP, STP_D, Sz, fits};
use super::emit::Emitter;
use super::regs::{BASE, V29, V30, X0, X1, X16, X17, X30, ZR, host_float, host_int};
use crate::backend::Val;
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
        let to = if rd.is_zero() { ZR } else { host_int(rd.0).unwrap_or(X30) };
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
            self.fdone(fmt, low, x);
            self.fdone(fmt, high, y);
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

    /// Emits the access if its displacement is in reach.
    fn access_pair(&mut self, op: u32, log2: u8, regs: (u8, u8), base: Reg, off: i32) -> bool {
        let (at, disp) = match self.sym.val(base.0) {
            Val::Home if !self.sym.is_sext(base.0) => (base.0, off),
            Val::Lin { a, b: 0, imm, .. } if a != 0 && self.sym.is_pending(base.0) => {
                (a, imm.saturating_add(off))
            }
            _ => return false,
        };
        let scaled = disp >> log2;
        if scaled << log2 != disp || !(-64..64).contains(&scaled) {
            return false;
        }
        let at = self.home_in_reg(at, X16);
        self.fault_point();
        self.a.pair(op, regs, at, scaled);
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
