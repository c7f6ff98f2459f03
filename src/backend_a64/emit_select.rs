//! Operations on a condition: `csel` and `fcsel`.

use super::Emitter;
use super::asm::{Sz, a64, scalar};
use super::emit_int::{alu, size};
use super::regs::{V29, V30, X0, X1, X16, X30};
use crate::backend::emit::{FloatValue, Host, LowerFloat, LowerSelect, Unless, Value};
use crate::backend::{Held, Homes, ShiftOp};
use crate::cpu::canonical;
use crate::ir::{BinOp, FReg, FSelectOp, Fmt, Reg, Src, Width};

impl LowerSelect for Emitter<'_, '_> {
    fn select(&mut self, homes: &mut Homes, unless: Unless, rd: Reg, value: Value) {
        if rd.is_zero() {
            return;
        }
        self.materialise_dependents(homes, rd.0);
        self.materialise(homes, rd.0);
        let (value, narrow) = self.select_value(homes, value);
        let narrow = narrow && self.sym.is_narrow(rd.0);
        let cc = self.compare_for_select(homes, unless);
        let old = self.materialised(homes, rd, X0);
        let dst = self.map.int(rd.0).unwrap_or(X0);
        self.a.csel(cc, Sz::X, dst, value.get(), old.get());
        self.done(homes, rd, dst, narrow);
    }

    fn fselect(&mut self, homes: &Homes, unless: Unless, fd: FReg, (op, fmt, a): FloatValue) {
        let set = |mask: u32, f: FReg| mask & 1 << f.0 != 0;
        let (value, boxed) = self.fselect_value(op, fmt, a);
        let both = boxed && set(self.fp.boxed, fd);
        let loose = (value != V30 && set(self.fp.loose, a)) || set(self.fp.loose, fd);
        let keeps_loose = both && self.map.float(fd.0).is_some();
        if !keeps_loose {
            self.tighten(fd);
            if value != V30 {
                self.tighten(a);
            }
        }
        let cc = self.compare_for_select(homes, unless);
        let old = self.fuse(Fmt::S, fd, V29);
        let dst = self.fdest(fd);
        self.a.fcsel(cc, dst, value, old);
        self.fdone(Fmt::D, fd, dst, false);
        self.fp.boxed |= u32::from(both) << fd.0;
        self.fp.loose |= u32::from(keeps_loose && loose) << fd.0;
    }
}

impl Emitter<'_, '_> {
    /// A register with `a op b`, x30 if not its own, and whether that is known to be narrow.
    fn select_value<'h>(&mut self, homes: &'h Homes, (op, w, a, b): Value) -> (Held<'h, u8>, bool) {
        let constant = |value: u64| (value, value == value as i32 as u64);
        let known = match (op, w, self.sym.constant(a.0), self.const_of(b)) {
            (BinOp::Add, Width::D, Some(x), Some(y)) => Some(constant(x.wrapping_add(y))),
            _ => None,
        };
        if let Some((value, narrow)) = known {
            self.a.mov_imm(X30, value);
            return (Held::new(homes, X30), narrow);
        }
        if (op, w, b) == (BinOp::Add, Width::D, Src::Imm(0)) {
            return (self.use64(homes, a, X30), self.sym.is_narrow(a.0));
        }
        let sz = size(w);
        // What is materialised for the second operand may use its register.
        self.use_src(homes, sz, b, X1);
        let x = self.use_sz(homes, sz, a, X0);
        if let (BinOp::Sll | BinOp::Srl | BinOp::Sra, Src::Imm(n)) = (op, b) {
            let by = match op {
                BinOp::Sll => ShiftOp::Left,
                BinOp::Srl => ShiftOp::Right,
                _ => ShiftOp::Signed,
            };
            self.a.shift(by, w, X30, x.get(), n as u8);
        } else {
            let y = self.use_src(homes, sz, b, X1);
            let Some(alu) = alu(op) else { unreachable!("{op:?} depends on no condition") };
            self.a.alu(alu, sz, X30, x.get(), y.get());
        }
        if w == Width::W {
            self.a.sxtw(X30, X30);
        }
        (Held::new(homes, X30), w == Width::W)
    }

    /// A register with `op a`, v30 if not its own, and whether that is known to be boxed. In v30 it
    /// is boxed properly.
    fn fselect_value(&mut self, op: FSelectOp, fmt: Fmt, a: FReg) -> (u8, bool) {
        if op == FSelectOp::Zero {
            let bits = if fmt == Fmt::D { 0 } else { 0xffff_ffff << 32 };
            self.a.mov_imm(X16, bits);
            a64!(self.a ; fmov D(V30), X(X16));
            return (V30, fmt == Fmt::S);
        }
        let boxed = self.fp.is_boxed(a);
        if op == FSelectOp::Move && (fmt == Fmt::D || boxed) {
            let x = self.fuse(Fmt::S, a, V30);
            return (x, boxed);
        }
        let x = self.fuse(Fmt::D, a, V30);
        self.fmove(V30, x);
        if fmt == Fmt::S && !boxed {
            let other = self.test_unboxed(a);
            let slow = self.a.buf.cold_pos();
            self.a.jump_if(other, slow);
            let back = self.a.pos();
            self.in_cold(|e| {
                e.a.mov_imm(X16, 0xffff_ffff << 32 | u64::from(canonical::NAN32));
                a64!(e.a ; fmov D(V30), X(X16));
                e.a.b(back);
            });
        }
        match op {
            FSelectOp::Neg => scalar!(self.a, fmt ; fneg V30, V30),
            FSelectOp::Abs => scalar!(self.a, fmt ; fabs V30, V30),
            FSelectOp::Move | FSelectOp::Zero => return (V30, true),
        }
        if fmt == Fmt::S {
            self.box_up(V30);
        }
        (V30, fmt == Fmt::S)
    }
}
