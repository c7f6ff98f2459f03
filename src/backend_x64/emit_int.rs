//! Integer operations but multiplication and division.

use super::asm::{Alu, Cc, Map, Pp, Rm, Shift, Sz};
use super::emit::Emitter;
use super::regs::{RAX, RCX, RDX};
use super::values::Opnd;
use crate::backend::emit::LowerInt;
use crate::backend::{ShiftOp, Sum, Val, join};
use crate::ir::{BinOp, Reg, Src, UnOp, Width};
use crate::opt::fold;

pub(super) const fn size(w: Width) -> Sz {
    match w {
        Width::W => Sz::D,
        Width::D => Sz::Q,
    }
}

impl LowerInt for Emitter<'_, '_> {
    fn bin(&mut self, op: BinOp, w: Width, rd: Reg, a: Reg, b: Src) {
        if rd.is_zero() {
            return;
        }
        if let (Some(x), Some(y)) = (self.sym.constant(a.0), self.const_of(b))
            && let Some(v) = fold(op, w, x, y)
        {
            return self.set_const(rd, v);
        }
        match op {
            BinOp::Add if w == Width::D => self.add(rd, a, b),
            BinOp::Add => self.addw(rd, a, b),
            BinOp::Sub => self.sub(w, rd, a, b),
            BinOp::And => self.logic(Alu::And, rd, a, b),
            BinOp::Or => self.logic(Alu::Or, rd, a, b),
            BinOp::Xor => self.logic(Alu::Xor, rd, a, b),
            BinOp::AndNot => self.and_not(rd, a, b),
            BinOp::OrNot => self.logic_not(Alu::Or, rd, a, b),
            BinOp::XorNot => self.logic_not(Alu::Xor, rd, a, b),
            BinOp::Sll => self.shift(Shift::Shl, w, rd, a, b),
            BinOp::Srl => self.shift(Shift::Shr, w, rd, a, b),
            BinOp::Sra => self.shift(Shift::Sar, w, rd, a, b),
            BinOp::Rol => self.shift(Shift::Rol, w, rd, a, b),
            BinOp::Ror => self.shift(Shift::Ror, w, rd, a, b),
            BinOp::Slt => self.set_less(Cc::L, rd, a, b),
            BinOp::Sltu => self.set_less(Cc::B, rd, a, b),
            BinOp::Min => self.min_max(Cc::L, rd, a, b),
            BinOp::Minu => self.min_max(Cc::B, rd, a, b),
            BinOp::Max => self.min_max(Cc::G, rd, a, b),
            BinOp::Maxu => self.min_max(Cc::A, rd, a, b),
            BinOp::Sh1add => self.shift_add(1, rd, a, b),
            BinOp::Sh2add => self.shift_add(2, rd, a, b),
            BinOp::Sh3add => self.shift_add(3, rd, a, b),
            BinOp::AddUw => self.shift_add_word(0, rd, a, b),
            BinOp::Sh1addUw => self.shift_add_word(1, rd, a, b),
            BinOp::Sh2addUw => self.shift_add_word(2, rd, a, b),
            BinOp::Sh3addUw => self.shift_add_word(3, rd, a, b),
            BinOp::SllUw => self.shift_left_word(rd, a, b),
            BinOp::Bclr => self.single_bit(6, rd, a, b),
            BinOp::Binv => self.single_bit(7, rd, a, b),
            BinOp::Bset => self.single_bit(5, rd, a, b),
            BinOp::Bext => self.extract_bit(rd, a, b),
            BinOp::CzeroEqz => self.conditional_zero(Cc::E, rd, a, b),
            BinOp::CzeroNez => self.conditional_zero(Cc::Ne, rd, a, b),
            BinOp::Mul => self.mul(w, rd, a, b),
            BinOp::Mulh => self.mul_high(5, rd, a, b),
            BinOp::Mulhu => self.mul_high(4, rd, a, b),
            BinOp::Mulhsu => self.mul_high_signed_unsigned(rd, a, b),
            BinOp::Div | BinOp::Divu | BinOp::Rem | BinOp::Remu => self.divide(op, w, rd, a, b),
            BinOp::Clmul | BinOp::Clmulh | BinOp::Clmulr => self.clmul(op, rd, a, b),
        }
    }

    // One operand.

    fn un(&mut self, op: UnOp, w: Width, rd: Reg, a: Reg) {
        if rd.is_zero() {
            return;
        }
        let sz = size(w);
        match op {
            UnOp::ZextW => self.zext_word(rd, a),
            UnOp::SextB | UnOp::SextH | UnOp::ZextH => self.extend(op, rd, a),
            UnOp::Clz => self.count_zeros(0xbd, self.cpu.lzcnt, sz, rd, a),
            UnOp::Ctz => self.count_zeros(0xbc, self.cpu.bmi1, sz, rd, a),
            UnOp::Cpop => self.count_ones(sz, rd, a),
            UnOp::Rev8 => {
                let x = self.use64(a);
                let dst = self.dest(rd);
                self.load_opnd(Sz::Q, dst, x);
                self.a.bytes(&[0x48 | dst >> 3, 0x0f, 0xc8 | (dst & 7)]);
                self.done(rd, dst, false);
            }
            UnOp::OrcB => self.or_combine(rd, a),
        }
    }
}

impl Emitter<'_, '_> {
    // Sums.

    /// `r` as a sum over homes that a new value of `rd` may be made of.
    fn sum(&mut self, rd: Reg, r: Reg) -> Sum {
        self.sym.sum(rd.0, r.0).unwrap_or_else(|| {
            self.settle(r.0);
            (r.0, 0, 0, 0)
        })
    }

    fn set_sum(&mut self, rd: Reg, sum: Sum) {
        self.sym.set_sum(rd.0, sum);
        let (a, b, ..) = sum;
        // Each use of such a sum would load what is in a slot.
        let lasts = self.redefined & 1 << rd.0 == 0 || self.copies.often(rd.0);
        if a != 0 && b != 0 && lasts && (self.in_slot(a) || self.in_slot(b)) {
            self.settle(rd.0);
        }
    }

    fn add(&mut self, rd: Reg, a: Reg, b: Src) {
        if self.rotation(rd, a, b) {
            return;
        }
        // Bringing `b` home may change what `a` is made of, so `a` is looked at again after that.
        self.sum(rd, a);
        let y = match b {
            Src::Imm(i) => (0, 0, 0, i),
            Src::Reg(r) => self.sum(rd, r),
        };
        let x = self.sum(rd, a);
        let narrow = matches!(b, Src::Imm(0)) && self.sym.is_narrow(a.0);
        if let Some(sum) = join(x, y) {
            self.set_sum(rd, sum);
            if narrow {
                self.sym.mark_narrow(rd.0);
            }
            return;
        }
        // Too many terms: bring the larger one home.
        self.settle(a.0);
        if let Src::Reg(r) = b {
            self.settle(r.0);
            self.set_sum(rd, (a.0, r.0, 0, 0));
        } else {
            // The constant does not fit beside the one that is there.
            let y = self.sum(rd, a);
            match join(y, (0, 0, 0, imm_of(b))) {
                Some(sum) => self.set_sum(rd, sum),
                None => unreachable!("a home and a constant always join"),
            }
        }
    }

    fn shift_add(&mut self, n: u8, rd: Reg, a: Reg, b: Src) {
        let Src::Reg(b) = b else { unreachable!("no immediate form") };
        self.settle_unless_zero(a);
        self.settle_unless_zero(b);
        if a.is_zero() {
            return self.add(rd, b, Src::Imm(0));
        }
        self.set_sum(rd, (b.0, a.0, n, 0));
    }

    fn settle_unless_zero(&mut self, r: Reg) {
        if !r.is_zero() {
            self.settle(r.0);
        }
    }

    /// `(zext32(a) << n) + b`
    fn shift_add_word(&mut self, n: u8, rd: Reg, a: Reg, b: Src) {
        let Src::Reg(b) = b else { unreachable!("no immediate form") };
        if n == 0 && b.is_zero() {
            return self.un(UnOp::ZextW, Width::D, rd, a);
        }
        let y = self.use64(b);
        let x = self.use32(a);
        let dst = self.dest(rd);
        self.load_opnd(Sz::D, RCX, x);
        match y {
            Opnd::Imm(i) => {
                self.a.shift_imm(Shift::Shl, Sz::Q, Rm::R(RCX), n);
                self.a.lea(Sz::Q, dst, Rm::B(RCX, i));
            }
            Opnd::Rm(rm) => {
                let base = self.in_reg(rm, RAX);
                self.a.lea(Sz::Q, dst, Rm::X(base, RCX, n, 0));
            }
        }
        self.done(rd, dst, false);
    }

    fn shift_left_word(&mut self, rd: Reg, a: Reg, b: Src) {
        let x = self.use32(a);
        let dst = self.dest(rd);
        self.zero_extend(dst, x);
        let n = imm_of(b) as u8 & 63;
        if n != 0 {
            self.a.shift_imm(Shift::Shl, Sz::Q, Rm::R(dst), n);
        }
        self.done(rd, dst, false);
    }

    fn addw(&mut self, rd: Reg, a: Reg, b: Src) {
        if self.const_of(b) == Some(0) && self.sym.is_narrow(a.0) {
            return self.copy(rd, a);
        }
        if self.sym.constant(a.0).is_some()
            && let Src::Reg(r) = b
        {
            return self.addw(rd, r, Src::Reg(a));
        }
        let x = self.use32(a);
        let y = self.use_src(Sz::D, b);
        let dst = self.dest(rd);
        match (x, y) {
            (Opnd::Rm(from), Opnd::Imm(0)) => {
                self.a.movsxd(dst, from);
                return self.done(rd, dst, true);
            }
            (Opnd::Rm(Rm::R(h)), Opnd::Imm(i)) if h != dst => {
                self.a.lea(Sz::D, dst, Rm::B(h, i));
            }
            (Opnd::Rm(Rm::R(h)), Opnd::Rm(Rm::R(g))) if h != dst && g != dst => {
                self.a.lea(Sz::D, dst, Rm::X(h, g, 0, 0));
            }
            _ => self.two_operand(Alu::Add, Sz::D, dst, x, y, true),
        }
        self.done_word(rd, dst);
    }

    /// `rd = a` where that is known to be the same in every bit.
    fn copy(&mut self, rd: Reg, a: Reg) {
        if rd == a {
            return;
        }
        if let Some(k) = self.sym.constant(a.0) {
            return self.set_const(rd, k);
        }
        if self.sym.is_sext(a.0) {
            let x = self.use32(a);
            let dst = self.dest(rd);
            self.load_opnd(Sz::D, dst, x);
            return self.done_word(rd, dst);
        }
        self.settle(a.0);
        let dst = self.dest(rd);
        let from = self.settled(a);
        self.move_home(rd.0, dst, from);
        let narrow = self.sym.is_narrow(a.0);
        self.sym.set_home(rd.0, narrow);
    }

    fn sub(&mut self, w: Width, rd: Reg, a: Reg, b: Src) {
        let sz = size(w);
        if let Some(k) = self.const_of(b)
            && let Ok(k) = i32::try_from((k as i64).wrapping_neg())
        {
            return self.bin(BinOp::Add, w, rd, a, Src::Imm(k));
        }
        let x = self.use_sz(sz, a);
        let y = self.use_src(sz, b);
        let dst = self.dest(rd);
        if y == Opnd::Rm(Rm::R(dst)) && x != y {
            self.a.unary(3, sz, Rm::R(dst));
            if x != Opnd::Imm(0) {
                self.alu_opnd(Alu::Add, sz, dst, x);
            }
        } else if x == Opnd::Imm(0) {
            self.load_opnd(sz, dst, y);
            self.a.unary(3, sz, Rm::R(dst));
        } else {
            self.two_operand(Alu::Sub, sz, dst, x, y, false);
        }
        self.finish(w, rd, dst);
    }

    /// Marks a result of width `w`.
    pub(super) fn finish(&mut self, w: Width, rd: Reg, dst: u8) {
        match w {
            Width::W => self.done_word(rd, dst),
            Width::D => self.done(rd, dst, false),
        }
    }

    /// `dst op= o`
    pub(super) fn alu_opnd(&mut self, op: Alu, sz: Sz, dst: u8, o: Opnd) {
        match o {
            Opnd::Imm(i) => self.a.alu_imm(op, sz, Rm::R(dst), i),
            Opnd::Rm(rm) => self.a.alu(op, sz, dst, rm),
        }
    }

    /// `dst = x op y`. Unless `commutes`, `y` may be in `dst` only if `x` is too.
    fn two_operand(&mut self, op: Alu, sz: Sz, dst: u8, x: Opnd, y: Opnd, commutes: bool) {
        let (x, y) = if commutes && y == Opnd::Rm(Rm::R(dst)) { (y, x) } else { (x, y) };
        debug_assert!(y != Opnd::Rm(Rm::R(dst)) || x == y, "the second operand would be lost");
        self.load_opnd(sz, dst, x);
        self.alu_opnd(op, sz, dst, y);
    }

    // Logic.

    fn logic(&mut self, op: Alu, rd: Reg, a: Reg, b: Src) {
        // The second operand is the constant one.
        if let (Some(_), Src::Reg(r)) = (self.sym.constant(a.0), b)
            && self.sym.constant(r.0).is_none()
        {
            return self.logic(op, rd, r, Src::Reg(a));
        }
        if op != Alu::And && self.rotation(rd, a, b) {
            return;
        }
        match (op, self.const_of(b)) {
            (Alu::And, Some(k)) if k <= 0x7fff_ffff => return self.and_low(rd, a, k as i32),
            (Alu::And, Some(0xffff_ffff)) => return self.un(UnOp::ZextW, Width::D, rd, a),
            (Alu::Or | Alu::Xor, Some(0)) => return self.add(rd, a, Src::Imm(0)),
            _ => {}
        }
        let narrow = self.sym.is_narrow(a.0)
            && match b {
                Src::Imm(_) => true,
                Src::Reg(r) => self.sym.is_narrow(r.0),
            };
        // On sign-extended operands the low halves decide.
        let pending = |r: Reg| {
            let val = self.sym.val(r.0);
            let shift = matches!(val, Val::Shift { op, w: Width::W, .. } if op != ShiftOp::Right);
            shift || self.sym.is_sext(r.0)
        };
        let word = narrow && (pending(a) || matches!(b, Src::Reg(r) if pending(r)));
        let sz = if word { Sz::D } else { Sz::Q };
        let x = self.use_sz(sz, a);
        let y = self.use_src(sz, b);
        let dst = self.dest(rd);
        if op == Alu::Xor && y == Opnd::Imm(-1) {
            self.load_opnd(sz, dst, x);
            self.a.unary(2, sz, Rm::R(dst));
        } else {
            self.two_operand(op, sz, dst, x, y, true);
        }
        if word {
            self.done_word(rd, dst);
        } else {
            self.done(rd, dst, narrow);
        }
    }

    /// `a & k` for a `k` without upper bits.
    fn and_low(&mut self, rd: Reg, a: Reg, k: i32) {
        let x = self.use32(a);
        let dst = self.dest(rd);
        match (k, x) {
            (0xff, Opnd::Rm(rm)) => self.a.movzx8(dst, rm),
            (0xffff, Opnd::Rm(rm)) => self.a.ins(Pp::None, Map::M0F, Sz::D, 0xb7, dst, rm),
            _ => self.two_operand(Alu::And, Sz::D, dst, x, Opnd::Imm(k), true),
        }
        self.done(rd, dst, true);
    }

    fn and_not(&mut self, rd: Reg, a: Reg, b: Src) {
        if !self.cpu.bmi1 {
            return self.logic_not(Alu::And, rd, a, b);
        }
        let x = self.use64(a);
        let y = self.use_src(Sz::Q, b);
        let dst = self.dest(rd);
        let y = self.opnd_in_reg(Sz::Q, y, RCX);
        let x = match x {
            Opnd::Rm(rm) => rm,
            Opnd::Imm(_) => {
                self.load_opnd(Sz::Q, RAX, x);
                Rm::R(RAX)
            }
        };
        self.a.vex(Pp::None, Map::M0F38, true, 0xf2, dst, y, x);
        self.done(rd, dst, false);
    }

    /// `a op !b`
    fn logic_not(&mut self, op: Alu, rd: Reg, a: Reg, b: Src) {
        let x = self.use64(a);
        let y = self.use_src(Sz::Q, b);
        let dst = self.dest(rd);
        self.load_opnd(Sz::Q, RCX, y);
        self.a.unary(2, Sz::Q, Rm::R(RCX));
        self.two_operand(op, Sz::Q, dst, x, Opnd::Rm(Rm::R(RCX)), true);
        self.done(rd, dst, false);
    }

    // Shifts.

    fn shift(&mut self, op: Shift, w: Width, rd: Reg, a: Reg, b: Src) {
        let sz = size(w);
        if let Some(n) = self.const_of(b) {
            let n = n as u8 & if w == Width::W { 31 } else { 63 };
            return self.shift_const(op, w, rd, a, n);
        }
        let Src::Reg(b) = b else { unreachable!("constants were handled") };
        let x = self.use_sz(sz, a);
        let count = self.use32(b);
        let dst = self.dest(rd);
        let rotate = matches!(op, Shift::Rol | Shift::Ror);
        if self.cpu.bmi2 && !rotate {
            let x = match x {
                Opnd::Rm(rm) => rm,
                Opnd::Imm(_) => {
                    self.load_opnd(sz, RAX, x);
                    Rm::R(RAX)
                }
            };
            let n = match count {
                Opnd::Rm(Rm::R(h)) => h,
                _ => {
                    let scratch = self.scratch_beside(x);
                    self.load_opnd(Sz::D, scratch, count);
                    scratch
                }
            };
            let pp = match op {
                Shift::Shl => Pp::P66,
                Shift::Shr => Pp::F2,
                _ => Pp::F3,
            };
            self.a.vex(pp, Map::M0F38, sz == Sz::Q, 0xf7, dst, n, x);
        } else {
            self.load_opnd(Sz::D, RCX, count);
            self.load_opnd(sz, dst, x);
            self.a.shift_cl(op, sz, dst);
        }
        self.finish(w, rd, dst);
    }

    fn shift_const(&mut self, op: Shift, w: Width, rd: Reg, a: Reg, n: u8) {
        if n == 0 {
            return self.bin(BinOp::Add, w, rd, a, Src::Imm(0));
        }
        let sz = size(w);
        if op == Shift::Shl && w == Width::D && n <= 3 {
            self.settle_unless_zero(a);
            return self.set_sum(rd, (0, a.0, n, 0));
        }
        let op = match op {
            Shift::Rol => return self.rotate_const(w, rd, a, size(w).bits() - n),
            Shift::Ror => return self.rotate_const(w, rd, a, n),
            Shift::Shl => ShiftOp::Left,
            Shift::Shr => ShiftOp::Right,
            Shift::Sar => ShiftOp::Signed,
        };
        if self.extend_again(op, w, rd, a, n) {
            return;
        }
        // The home must hold what is shifted, and go on doing so until that is done.
        match self.use_sz(sz, a) {
            Opnd::Rm(_) => self.sym.set_shift(rd.0, op, w, a.0, n),
            x @ Opnd::Imm(_) => {
                let dst = self.dest(rd);
                self.load_opnd(sz, dst, x);
                self.shift_done(rd.0, op, w, dst, n);
            }
        }
    }

    /// Rotates to the right.
    fn rotate_const(&mut self, w: Width, rd: Reg, a: Reg, n: u8) {
        let sz = size(w);
        let x = self.use_sz(sz, a);
        let dst = self.dest(rd);
        match x {
            Opnd::Rm(rm) if self.cpu.bmi2 && rm != Rm::R(dst) => {
                self.a.vex(Pp::F2, Map::M0F3A, sz == Sz::Q, 0xf0, dst, 0, rm);
                self.a.byte(n);
            }
            _ => {
                self.load_opnd(sz, dst, x);
                self.a.shift_imm(Shift::Ror, sz, Rm::R(dst), n);
            }
        }
        self.finish(w, rd, dst);
    }

    /// A shift of what is pending as a doubleword shifted left by 32: an extension of the low half.
    /// False if it is something else.
    fn extend_again(&mut self, op: ShiftOp, w: Width, rd: Reg, a: Reg, n: u8) -> bool {
        let Some((ShiftOp::Left, Width::D, from, 32)) = self.sym.kept_shift(a.0) else {
            return false;
        };
        if w != Width::D || op == ShiftOp::Left || n > 32 || op == ShiftOp::Signed && n != 32 {
            return false;
        }
        // What was shifted up can be had from the result as well, if that takes its source's place.
        let again = from.reg() == rd.0 && a != rd;
        if again {
            self.sym.set_home(a.0, false);
        }
        let (dst, source) = self.dest_from(rd, from, 0);
        if op == ShiftOp::Signed {
            self.a.movsxd(dst, source);
        } else {
            self.a.mov(Sz::D, dst, source);
        }
        if n < 32 {
            self.a.shift_imm(Shift::Shl, Sz::Q, Rm::R(dst), 32 - n);
        }
        self.done(rd, dst, op == ShiftOp::Signed);
        if again {
            self.sym.set_shift(a.0, ShiftOp::Left, Width::D, rd.0, n);
        }
        true
    }

    /// Shifts `dst`, which is then the value of `r`.
    pub(super) fn shift_done(&mut self, r: u8, op: ShiftOp, w: Width, dst: u8, n: u8) {
        let host = match op {
            ShiftOp::Left => Shift::Shl,
            ShiftOp::Right => Shift::Shr,
            ShiftOp::Signed => Shift::Sar,
        };
        self.a.shift_imm(host, size(w), Rm::R(dst), n);
        match (op, w) {
            // A zero upper half is the sign-extension here.
            (ShiftOp::Right, Width::W) => self.done(Reg(r), dst, true),
            (ShiftOp::Right, Width::D) => self.done(Reg(r), dst, n > 32),
            (ShiftOp::Signed, Width::D) => self.done(Reg(r), dst, n >= 32),
            _ => self.finish(w, Reg(r), dst),
        }
    }

    /// The sum, or, or exclusive or of two pending shifts of one home that together rotate it;
    /// false if it is something else.
    fn rotation(&mut self, rd: Reg, a: Reg, b: Src) -> bool {
        let Src::Reg(b) = b else { return false };
        let Some((w, from, right)) = self.sym.rotation(Width::D, a.0, b.0) else { return false };
        let sz = size(w);
        let (dst, source) = self.dest_from(rd, from, 1 << a.0 | 1 << b.0);
        match source {
            rm if self.cpu.bmi2 && rm != Rm::R(dst) => {
                self.a.vex(Pp::F2, Map::M0F3A, sz == Sz::Q, 0xf0, dst, 0, rm);
                self.a.byte(right);
            }
            rm => {
                self.a.mov(sz, dst, rm);
                self.a.shift_imm(Shift::Ror, sz, Rm::R(dst), right);
            }
        }
        self.finish(w, rd, dst);
        true
    }

    // Comparisons.

    /// Emits a comparison of `a` with `b` for condition `cc`; the condition to use, which differs
    /// if the operands were exchanged.
    pub(super) fn compare(&mut self, cc: Cc, a: Reg, b: Src) -> Cc {
        if self.const_of(Src::Reg(a)).is_some()
            && let Src::Reg(r) = b
            && self.sym.constant(r.0).is_none()
        {
            return self.compare(exchange(cc), r, Src::Reg(a));
        }
        let narrow = |s: &Self, x: Src| match x {
            Src::Reg(r) => s.sym.is_narrow(r.0),
            Src::Imm(_) => true,
        };
        // The sign and the zeroness of a low half that was shifted up.
        if let (Val::Shift { op: ShiftOp::Left, w: Width::D, a, n: 32 }, Some(0)) =
            (self.sym.val(a.0), self.const_of(b))
            && !matches!(cc, Cc::B | Cc::Ae | Cc::Be | Cc::A)
        {
            self.compare_low_with_zero(a);
            return cc;
        }
        // Sign-extended values compare as their low halves do, also as unsigned numbers.
        let word = narrow(self, Src::Reg(a)) && narrow(self, b);
        let sz = if word { Sz::D } else { Sz::Q };
        let y = self.use_src(sz, b);
        let x = self.use_sz(sz, a);
        match (x, y) {
            (Opnd::Rm(Rm::R(h)), Opnd::Imm(0)) => match cc {
                Cc::E | Cc::Ne if self.a.flags_tell(h, sz) => {}
                // The overflow of what set the flags is not that of the comparison, which has none.
                Cc::L if self.a.flags_tell(h, sz) => return Cc::S,
                Cc::Ge if self.a.flags_tell(h, sz) => return Cc::Ns,
                _ => self.a.test(sz, h, h),
            },
            (Opnd::Rm(rm), Opnd::Imm(i)) => self.a.alu_imm(Alu::Cmp, sz, rm, i),
            (Opnd::Rm(Rm::R(h)), Opnd::Rm(rm)) => self.a.alu(Alu::Cmp, sz, h, rm),
            (Opnd::Rm(rm), Opnd::Rm(Rm::R(h))) => self.a.alu_to(Alu::Cmp, sz, rm, h),
            (x, y) => {
                self.load_opnd(sz, RAX, x);
                self.alu_opnd(Alu::Cmp, sz, RAX, y);
            }
        }
        cc
    }

    fn set_less(&mut self, cc: Cc, rd: Reg, a: Reg, b: Src) {
        // Before the comparison, since bringing values home changes flags.
        self.settle_dependents(rd.0);
        // `sltiu rd, rs, 1` and `sltu rd, x0, rs` are the usual ways to say "is (not) zero".
        let cc = match (cc, self.const_of(b), b) {
            (Cc::B, Some(1), _) => {
                self.compare(Cc::E, a, Src::Imm(0));
                Cc::E
            }
            (Cc::B, None, Src::Reg(b)) if a.is_zero() => {
                self.compare(Cc::Ne, b, Src::Imm(0));
                Cc::Ne
            }
            _ => self.compare(cc, a, b),
        };
        let dst = self.result_reg(rd.0);
        self.a.setcc(cc, RAX);
        self.a.movzx8(dst, Rm::R(RAX));
        self.done(rd, dst, true);
    }

    fn min_max(&mut self, cc: Cc, rd: Reg, a: Reg, b: Src) {
        let x = self.use64(a);
        let y = self.use_src(Sz::Q, b);
        let dst = self.dest(rd);
        self.load_opnd(Sz::Q, RAX, x);
        let y = self.opnd_in_reg(Sz::Q, y, RCX);
        self.a.alu(Alu::Cmp, Sz::Q, y, Rm::R(RAX));
        self.a.cmov(cc, Sz::Q, RAX, Rm::R(y));
        self.a.mov(Sz::Q, dst, Rm::R(RAX));
        self.done(rd, dst, false);
    }

    fn conditional_zero(&mut self, cc: Cc, rd: Reg, a: Reg, b: Src) {
        let Src::Reg(b) = b else { unreachable!("no immediate form") };
        let x = self.use64(a);
        let y = self.use64(b);
        let dst = self.dest(rd);
        let y = self.opnd_in_reg(Sz::Q, y, RCX);
        self.load_opnd(Sz::Q, RAX, x);
        self.a.mov_imm_keep_flags(RDX, 0);
        self.a.test(Sz::Q, y, y);
        self.a.cmov(cc, Sz::Q, RAX, Rm::R(RDX));
        self.a.mov(Sz::Q, dst, Rm::R(RAX));
        self.done(rd, dst, false);
    }

    // Single bits.

    /// `bts` (5), `btr` (6) or `btc` (7) by their number in opcode 0F BA.
    fn single_bit(&mut self, number: u8, rd: Reg, a: Reg, b: Src) {
        let x = self.use64(a);
        let y = self.use_src(Sz::D, b);
        let dst = self.dest(rd);
        match y {
            Opnd::Imm(n) => {
                self.load_opnd(Sz::Q, dst, x);
                self.a.ins(Pp::None, Map::M0F, Sz::Q, 0xba, number, Rm::R(dst));
                self.a.byte(n as u8 & 63);
            }
            Opnd::Rm(_) => {
                let n = self.opnd_in_reg(Sz::D, y, RCX);
                self.load_opnd(Sz::Q, RAX, x);
                self.a.ins(Pp::None, Map::M0F, Sz::Q, 0x83 | number << 3, n, Rm::R(RAX));
                self.a.mov(Sz::Q, dst, Rm::R(RAX));
            }
        }
        self.done(rd, dst, false);
    }

    fn extract_bit(&mut self, rd: Reg, a: Reg, b: Src) {
        let x = self.use64(a);
        let y = self.use_src(Sz::D, b);
        let dst = self.dest(rd);
        let x = self.opnd_in_reg(Sz::Q, x, RAX);
        match y {
            Opnd::Imm(n) => {
                self.a.ins(Pp::None, Map::M0F, Sz::Q, 0xba, 4, Rm::R(x));
                self.a.byte(n as u8 & 63);
            }
            Opnd::Rm(_) => {
                let n = self.opnd_in_reg(Sz::D, y, RCX);
                self.a.ins(Pp::None, Map::M0F, Sz::Q, 0xa3, n, Rm::R(x));
            }
        }
        self.a.setcc(Cc::B, RAX);
        self.a.movzx8(dst, Rm::R(RAX));
        self.done(rd, dst, true);
    }

    fn zext_word(&mut self, rd: Reg, a: Reg) {
        if rd == a && self.sym.is_sext(a.0) {
            // The upper half is zero already: the sign-extension is just not done.
            self.settle_dependents(rd.0);
            return self.sym.set_home(rd.0, false);
        }
        let x = self.use32(a);
        let dst = self.dest(rd);
        self.zero_extend(dst, x);
        self.done(rd, dst, false);
    }

    /// `dst =` the low half of an operand, the upper half zero.
    fn zero_extend(&mut self, dst: u8, x: Opnd) {
        match x {
            Opnd::Rm(rm) => self.a.mov(Sz::D, dst, rm),
            Opnd::Imm(_) => self.load_opnd(Sz::D, dst, x),
        }
    }

    fn extend(&mut self, op: UnOp, rd: Reg, a: Reg) {
        let x = self.use32(a);
        let dst = self.dest(rd);
        let from = match x {
            Opnd::Rm(rm) => rm,
            Opnd::Imm(_) => {
                self.load_opnd(Sz::D, RAX, x);
                Rm::R(RAX)
            }
        };
        match op {
            // A REX prefix is there for the 64-bit size, so any byte register can be named.
            UnOp::SextB => self.a.ins(Pp::None, Map::M0F, Sz::Q, 0xbe, dst, from),
            UnOp::SextH => self.a.ins(Pp::None, Map::M0F, Sz::Q, 0xbf, dst, from),
            _ => self.a.ins(Pp::None, Map::M0F, Sz::D, 0xb7, dst, from),
        }
        self.done(rd, dst, true);
    }

    /// `lzcnt` (BD) or `tzcnt` (BC), or `bsr` and `bsf`, whose opcodes are the same.
    fn count_zeros(&mut self, opcode: u8, exact: bool, sz: Sz, rd: Reg, a: Reg) {
        let x = self.use_sz(sz, a);
        let dst = self.dest(rd);
        let x = self.opnd_in_reg(sz, x, RCX);
        if exact {
            self.a.ins(Pp::F3, Map::M0F, sz, opcode, dst, Rm::R(x));
        } else {
            let bits: i32 = if sz == Sz::Q { 64 } else { 32 };
            // Result for zero, so that the correction below makes it the width.
            let none = if opcode == 0xbd { 2 * bits - 1 } else { bits };
            self.a.mov_imm_keep_flags(RDX, none as u64);
            self.a.ins(Pp::None, Map::M0F, sz, opcode, RAX, Rm::R(x));
            self.a.cmov(Cc::E, Sz::D, RAX, Rm::R(RDX));
            if opcode == 0xbd {
                self.a.alu_imm(Alu::Xor, Sz::D, Rm::R(RAX), bits - 1);
            }
            self.a.mov(Sz::D, dst, Rm::R(RAX));
        }
        self.done(rd, dst, true);
    }

    fn count_ones(&mut self, sz: Sz, rd: Reg, a: Reg) {
        if !self.cpu.popcnt {
            return self.helper(1 << rd.0);
        }
        let x = self.use_sz(sz, a);
        let dst = self.dest(rd);
        let x = self.opnd_in_reg(sz, x, RCX);
        self.a.ins(Pp::F3, Map::M0F, sz, 0xb8, dst, Rm::R(x));
        self.done(rd, dst, true);
    }

    /// Bit 7 of each byte of `((x & 0x7f..) + 0x7f..) | x` tells whether the byte is not zero.
    fn or_combine(&mut self, rd: Reg, a: Reg) {
        let x = self.use64(a);
        let dst = self.dest(rd);
        self.load_opnd(Sz::Q, RDX, x);
        self.a.mov_imm_keep_flags(RCX, 0x7f7f_7f7f_7f7f_7f7f);
        self.a.mov(Sz::Q, RAX, Rm::R(RDX));
        self.a.alu(Alu::And, Sz::Q, RAX, Rm::R(RCX));
        self.a.alu(Alu::Add, Sz::Q, RAX, Rm::R(RCX));
        self.a.alu(Alu::Or, Sz::Q, RAX, Rm::R(RDX));
        self.a.unary(2, Sz::Q, Rm::R(RCX));
        self.a.alu(Alu::And, Sz::Q, RAX, Rm::R(RCX));
        self.a.shift_imm(Shift::Shr, Sz::Q, Rm::R(RAX), 7);
        self.a.imul_imm(Sz::Q, dst, Rm::R(RAX), 255);
        self.done(rd, dst, false);
    }
}

fn imm_of(b: Src) -> i32 {
    match b {
        Src::Imm(i) => i,
        Src::Reg(_) => unreachable!("this operation has an immediate"),
    }
}

/// The condition after the operands of a comparison were exchanged.
const fn exchange(cc: Cc) -> Cc {
    match cc {
        Cc::B => Cc::A,
        Cc::A => Cc::B,
        Cc::Ae => Cc::Be,
        Cc::Be => Cc::Ae,
        Cc::L => Cc::G,
        Cc::G => Cc::L,
        Cc::Ge => Cc::Le,
        Cc::Le => Cc::Ge,
        other => other,
    }
}
