//! Integer operations but multiplication and division.

use super::asm::{Alu, Cc, Sz, Test, Two, bits};
use super::emit::Emitter;
use super::regs::{V31, X0, X1, X30, ZR, host_int};
use crate::backend::emit::LowerInt;
use crate::backend::{KeptHome, ShiftOp, Sum, join};
use crate::ir::{BinOp, Reg, Src, UnOp, Width};
use crate::opt::fold;

pub(super) const fn size(w: Width) -> Sz {
    match w {
        Width::W => Sz::W,
        Width::D => Sz::X,
    }
}

/// Vector instructions by which ones are counted: `cnt v.8b` and `addv b, v.8b`.
const CNT: u32 = 0x0e20_5800;
const ADDV: u32 = 0x0e31_b800;

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
            BinOp::Xor => self.logic(Alu::Eor, rd, a, b),
            BinOp::AndNot => self.logic_not(Alu::Bic, rd, a, b),
            BinOp::OrNot => self.logic_not(Alu::Orn, rd, a, b),
            BinOp::XorNot => self.logic_not(Alu::Eon, rd, a, b),
            BinOp::Sll => self.shift(Two::Lsl, w, rd, a, b),
            BinOp::Srl => self.shift(Two::Lsr, w, rd, a, b),
            BinOp::Sra => self.shift(Two::Asr, w, rd, a, b),
            BinOp::Rol => self.rotate_left(w, rd, a, b),
            BinOp::Ror => self.shift(Two::Ror, w, rd, a, b),
            BinOp::Slt => self.set_less(Cc::Lt, rd, a, b),
            BinOp::Sltu => self.set_less(Cc::Lo, rd, a, b),
            BinOp::Min => self.min_max(Cc::Lt, rd, a, b),
            BinOp::Minu => self.min_max(Cc::Lo, rd, a, b),
            BinOp::Max => self.min_max(Cc::Gt, rd, a, b),
            BinOp::Maxu => self.min_max(Cc::Hi, rd, a, b),
            BinOp::Sh1add => self.shift_add(1, rd, a, b),
            BinOp::Sh2add => self.shift_add(2, rd, a, b),
            BinOp::Sh3add => self.shift_add(3, rd, a, b),
            BinOp::AddUw => self.shift_add_word(0, rd, a, b),
            BinOp::Sh1addUw => self.shift_add_word(1, rd, a, b),
            BinOp::Sh2addUw => self.shift_add_word(2, rd, a, b),
            BinOp::Sh3addUw => self.shift_add_word(3, rd, a, b),
            BinOp::SllUw => self.shift_left_word(rd, a, b),
            BinOp::Bclr => self.single_bit(Alu::Bic, rd, a, b),
            BinOp::Binv => self.single_bit(Alu::Eor, rd, a, b),
            BinOp::Bset => self.single_bit(Alu::Or, rd, a, b),
            BinOp::Bext => self.extract_bit(rd, a, b),
            BinOp::CzeroEqz => self.conditional_zero(Cc::Ne, rd, a, b),
            BinOp::CzeroNez => self.conditional_zero(Cc::Eq, rd, a, b),
            BinOp::Mul => self.mul(w, rd, a, b),
            BinOp::Mulh => self.mul_high(true, rd, a, b),
            BinOp::Mulhu => self.mul_high(false, rd, a, b),
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
            UnOp::Clz | UnOp::Ctz => self.count_zeros(op, sz, rd, a),
            UnOp::Cpop => self.count_ones(sz, rd, a),
            UnOp::Rev8 => {
                let x = self.use64(a, X0);
                let dst = self.dest(rd);
                self.a.rev(dst, x);
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

    fn add(&mut self, rd: Reg, a: Reg, b: Src) {
        if self.rotation(Width::D, rd, a, b) || self.three_shifted(Alu::Add, rd, a, b, true) {
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
            self.sym.set_sum(rd.0, sum);
            if narrow {
                self.sym.mark_narrow(rd.0);
            }
            return;
        }
        // Too many terms: bring the larger one home.
        self.settle(a.0);
        if let Src::Reg(r) = b {
            self.settle(r.0);
            self.sym.set_sum(rd.0, (a.0, r.0, 0, 0));
        } else {
            // The constant does not fit beside the one that is there.
            let y = self.sum(rd, a);
            match join(y, (0, 0, 0, imm_of(b))) {
                Some(sum) => self.sym.set_sum(rd.0, sum),
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
        self.sym.set_sum(rd.0, (b.0, a.0, n, 0));
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
        let y = self.use64(b, X1);
        let x = self.use32(a, X0);
        let dst = self.dest(rd);
        if y == ZR {
            self.a.lsl_uxtw(dst, x, n);
        } else {
            self.a.add_uxtw(dst, y, x, n);
        }
        self.done(rd, dst, false);
    }

    fn shift_left_word(&mut self, rd: Reg, a: Reg, b: Src) {
        let x = self.use32(a, X0);
        let dst = self.dest(rd);
        self.a.lsl_uxtw(dst, x, imm_of(b) as u8 & 63);
        self.done(rd, dst, false);
    }

    fn addw(&mut self, rd: Reg, a: Reg, b: Src) {
        if self.rotation(Width::W, rd, a, b) {
            return;
        }
        if self.const_of(b) == Some(0) && self.sym.is_narrow(a.0) {
            return self.copy(rd, a);
        }
        if self.sym.constant(a.0).is_some()
            && let Src::Reg(r) = b
        {
            return self.addw(rd, r, Src::Reg(a));
        }
        let x = self.use32(a, X0);
        let near = |k: u64| (k as i32).unsigned_abs() < 1 << 24;
        let dst = match self.const_of(b) {
            Some(k) if near(k) => {
                let dst = self.dest(rd);
                if k as i32 == 0 {
                    self.a.sxtw(dst, x);
                    return self.done(rd, dst, true);
                }
                self.a.add_imm(Sz::W, dst, x, i64::from(k as i32));
                dst
            }
            _ => {
                let y = self.use_src(Sz::W, b, X1);
                let dst = self.dest(rd);
                self.a.alu(Alu::Add, Sz::W, dst, x, y);
                dst
            }
        };
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
            let x = self.use32(a, X0);
            let dst = self.dest(rd);
            if self.redefined & 1 << rd.0 == 0 {
                self.a.sxtw(dst, x);
                return self.done(rd, dst, true);
            }
            self.a.mov(Sz::W, dst, x);
            return self.done_word(rd, dst);
        }
        let x = self.use64(a, X0);
        let dst = self.dest(rd);
        self.a.mov(Sz::X, dst, x);
        let narrow = self.sym.is_narrow(a.0);
        self.done(rd, dst, narrow);
    }

    fn sub(&mut self, w: Width, rd: Reg, a: Reg, b: Src) {
        if let Some(k) = self.const_of(b)
            && let Ok(k) = i32::try_from((k as i64).wrapping_neg())
        {
            return self.bin(BinOp::Add, w, rd, a, Src::Imm(k));
        }
        self.three_operand(Alu::Sub, w, rd, a, b);
    }

    /// `rd = a op b` on registers, with a result of width `w`.
    fn three_operand(&mut self, op: Alu, w: Width, rd: Reg, a: Reg, b: Src) {
        if w == Width::D && self.three_shifted(op, rd, a, b, false) {
            return;
        }
        let sz = size(w);
        let x = self.use_sz(sz, a, X0);
        let y = self.use_src(sz, b, X1);
        let dst = self.dest(rd);
        self.a.alu(op, sz, dst, x, y);
        self.finish(w, rd, dst);
    }

    /// As [`Self::three_operand`] on doublewords, if `b` is a pending shift, or `a` is one and the
    /// operands may be exchanged; false if not.
    fn three_shifted(&mut self, op: Alu, rd: Reg, a: Reg, b: Src, commutes: bool) -> bool {
        let Src::Reg(b) = b else { return false };
        let (a, b) = if commutes && self.shifted(b).is_none() { (b, a) } else { (a, b) };
        if self.shifted(b).is_none() || self.sym.constant(a.0).is_some() {
            return false;
        }
        let x = self.use64(a, X0);
        // Bringing `a` home may have brought `b` home.
        let Some((from, by, n)) = self.shifted(b) else {
            self.three_plain(op, rd, x, b);
            return true;
        };
        let (dst, y) = self.dest_from(rd, from, X1, 1 << b.0);
        self.a.alu_shifted(op, Sz::X, dst, x, (y, by, n));
        self.done(rd, dst, false);
        true
    }

    fn three_plain(&mut self, op: Alu, rd: Reg, x: u8, b: Reg) {
        let y = self.use64(b, X1);
        let dst = self.dest(rd);
        self.a.alu(op, Sz::X, dst, x, y);
        self.done(rd, dst, false);
    }

    /// The home that `r` is a pending shift of as a doubleword, where to and how far.
    fn shifted(&self, r: Reg) -> Option<(KeptHome, ShiftOp, u8)> {
        match self.sym.kept_shift(r.0)? {
            (op, Width::D, from, n) => Some((from, op, n)),
            _ => None,
        }
    }

    /// Marks a result of width `w`.
    pub(super) fn finish(&mut self, w: Width, rd: Reg, dst: u8) {
        match w {
            Width::W => self.done_word(rd, dst),
            Width::D => self.done(rd, dst, false),
        }
    }

    // Logic.

    fn logic(&mut self, op: Alu, rd: Reg, a: Reg, b: Src) {
        // The second operand is the constant one.
        if let (Some(_), Src::Reg(r)) = (self.sym.constant(a.0), b)
            && self.sym.constant(r.0).is_none()
        {
            return self.logic(op, rd, r, Src::Reg(a));
        }
        match (op, self.const_of(b)) {
            (Alu::And, Some(k)) if k <= 0x7fff_ffff => return self.and_low(rd, a, k),
            (Alu::And, Some(0xffff_ffff)) => return self.un(UnOp::ZextW, Width::D, rd, a),
            (Alu::Or | Alu::Eor, Some(0)) => return self.add(rd, a, Src::Imm(0)),
            _ => {}
        }
        if op != Alu::And && self.rotation(Width::D, rd, a, b)
            || self.three_shifted(op, rd, a, b, true)
        {
            return;
        }
        let narrow = self.sym.is_narrow(a.0)
            && match b {
                Src::Imm(_) => true,
                Src::Reg(r) => self.sym.is_narrow(r.0),
            };
        // On sign-extended operands the low halves decide.
        let pending = |r: Reg| self.sym.is_sext(r.0);
        let word = narrow && (pending(a) || matches!(b, Src::Reg(r) if pending(r)));
        let sz = if word { Sz::W } else { Sz::X };
        let x = self.use_sz(sz, a, X0);
        let dst = self.logic_operand(op, sz, rd, x, b);
        if word {
            self.done_word(rd, dst);
        } else {
            self.done(rd, dst, narrow);
        }
    }

    /// `rd = x op b`; the register it is in.
    fn logic_operand(&mut self, op: Alu, sz: Sz, rd: Reg, x: u8, b: Src) -> u8 {
        match self.const_of(b) {
            Some(u64::MAX) if op == Alu::Eor => {
                let dst = self.dest(rd);
                self.a.alu(Alu::Orn, sz, dst, ZR, x);
                return dst;
            }
            Some(k) if super::asm::logical_imm(sz, k).is_some() => {
                let dst = self.dest(rd);
                self.a.logic_imm(op, sz, dst, x, k);
                return dst;
            }
            _ => {}
        }
        let y = self.use_src(sz, b, X1);
        let dst = self.dest(rd);
        self.a.alu(op, sz, dst, x, y);
        dst
    }

    /// `a & k` for a `k` without upper bits.
    fn and_low(&mut self, rd: Reg, a: Reg, k: u64) {
        let x = self.use32(a, X0);
        let dst = self.dest(rd);
        if !self.a.logic_imm(Alu::And, Sz::W, dst, x, k) {
            self.a.mov_imm(X1, k);
            self.a.alu(Alu::And, Sz::W, dst, x, X1);
        }
        self.done(rd, dst, true);
    }

    /// `a op !b`
    fn logic_not(&mut self, op: Alu, rd: Reg, a: Reg, b: Src) {
        self.three_operand(op, Width::D, rd, a, b);
    }

    // Shifts.

    fn shift(&mut self, op: Two, w: Width, rd: Reg, a: Reg, b: Src) {
        let sz = size(w);
        if let Some(n) = self.const_of(b) {
            return self.shift_const(op, w, rd, a, n as u8 & (bits(sz) - 1));
        }
        let Src::Reg(b) = b else { unreachable!("constants were handled") };
        let x = self.use_sz(sz, a, X0);
        let n = self.use32(b, X1);
        let dst = self.dest(rd);
        self.a.two(op, sz, dst, x, n);
        self.finish(w, rd, dst);
    }

    fn rotate_left(&mut self, w: Width, rd: Reg, a: Reg, b: Src) {
        let sz = size(w);
        if let Some(n) = self.const_of(b) {
            let n = (bits(sz) - (n as u8 & (bits(sz) - 1))) & (bits(sz) - 1);
            return self.shift_const(Two::Ror, w, rd, a, n);
        }
        let x = self.use_sz(sz, a, X0);
        let n = self.use_src(Sz::W, b, X1);
        let dst = self.dest(rd);
        self.a.alu(Alu::Sub, Sz::W, X1, ZR, n);
        self.a.two(Two::Ror, sz, dst, x, X1);
        self.finish(w, rd, dst);
    }

    fn shift_const(&mut self, op: Two, w: Width, rd: Reg, a: Reg, n: u8) {
        if n == 0 {
            return self.bin(BinOp::Add, w, rd, a, Src::Imm(0));
        }
        let sz = size(w);
        if op == Two::Lsl && w == Width::D && n <= 3 {
            self.settle_unless_zero(a);
            return self.sym.set_sum(rd.0, (0, a.0, n, 0));
        }
        let op = match op {
            Two::Lsl => ShiftOp::Left,
            Two::Lsr => ShiftOp::Right,
            Two::Asr => ShiftOp::Signed,
            _ => {
                let x = self.use_sz(sz, a, X0);
                let dst = self.dest(rd);
                self.a.ror_imm(sz, dst, x, n);
                return self.finish(w, rd, dst);
            }
        };
        if let Some((ShiftOp::Left, v, from, left)) = self.sym.kept_shift(a.0)
            && w == v
            && op != ShiftOp::Left
        {
            return self.shift_pair(op == ShiftOp::Signed, w, rd, from, (left, n));
        }
        // The home must hold what is shifted, and go on doing so until that is done.
        match self.use_sz(sz, a, X0) {
            ZR => self.set_const(rd, 0),
            _ if self.sym.is_pending(a.0) && !self.sym.is_sext(a.0) => {
                // A constant that is not at home.
                let dst = self.dest(rd);
                self.a.shift(op, w, dst, X0, n);
                self.done(rd, dst, w == Width::W);
            }
            _ => self.sym.set_shift(rd.0, op, w, a.0, n),
        }
    }

    /// `rd = (from << left) >> right`, the shift to the right being arithmetic if `signed`; both
    /// are not 0.
    fn shift_pair(
        &mut self,
        signed: bool,
        w: Width,
        rd: Reg,
        from: KeptHome,
        (left, right): (u8, u8),
    ) {
        let width = bits(size(w));
        let (dst, x) = self.dest_from(rd, from, X0, 0);
        if right >= left {
            self.a.bfx(signed, dst, x, right - left, width - right);
        } else {
            self.a.bfiz(signed, dst, x, left - right, width - left);
        }
        // A result of 32 bits is sign-extended, as its highest bit is 0 if it is not signed.
        let field = width - right;
        self.done(rd, dst, w == Width::W || field < 32 || signed && field == 32);
    }

    /// The sum, or, or exclusive or of two pending shifts of one home that together rotate it;
    /// false if it is something else.
    fn rotation(&mut self, result: Width, rd: Reg, a: Reg, b: Src) -> bool {
        let Src::Reg(b) = b else { return false };
        let Some((w, from, right)) = self.sym.rotation(result, a.0, b.0) else { return false };
        let sz = size(w);
        if rd.is_zero() {
            return false;
        }
        let (dst, x) = self.dest_from(rd, from, X0, 1 << a.0 | 1 << b.0);
        self.a.ror_imm(sz, dst, x, right);
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
            return self.compare(cc.exchange(), r, Src::Reg(a));
        }
        let sz = self.compare_size(a, b);
        if let Some(k) = self.const_of(b) {
            let x = self.use_sz(sz, a, X0);
            // The zero register is the stack pointer in the form with an immediate.
            if x != ZR
                && self.a.cmp_imm(sz, x, if sz == Sz::W { i64::from(k as i32) } else { k as i64 })
            {
                return cc;
            }
        }
        if sz == Sz::X
            && let Src::Reg(b) = b
        {
            if self.sym.is_sext(b.0) && self.compare_extended(a, b) {
                return cc;
            }
            if self.sym.is_sext(a.0) && self.compare_extended(b, a) {
                return cc.exchange();
            }
        }
        let y = self.use_src(sz, b, X1);
        let x = self.use_sz(sz, a, X0);
        self.a.cmp(sz, x, y);
        cc
    }

    /// Compares `a` with `b`, whose sign-extension is pending and stays so; false if that is not
    /// possible.
    fn compare_extended(&mut self, a: Reg, b: Reg) -> bool {
        if self.sym.constant(a.0) == Some(0) {
            return false;
        }
        let x = self.use64(a, X0);
        let y = self.use32(b, X1);
        self.a.cmp_sxtw(x, y);
        true
    }

    /// Sign-extended values compare as their low halves do, also as unsigned numbers.
    fn compare_size(&self, a: Reg, b: Src) -> Sz {
        let narrow = |x: Src| match x {
            Src::Reg(r) => self.sym.is_narrow(r.0),
            Src::Imm(_) => true,
        };
        if narrow(Src::Reg(a)) && narrow(b) { Sz::W } else { Sz::X }
    }

    /// As [`Self::compare`], for a branch: a comparison with zero needs no flags.
    pub(super) fn compare_branch(&mut self, cc: Cc, a: Reg, b: Reg) -> Test {
        let equality = matches!(cc, Cc::Eq | Cc::Ne);
        let exchange = equality && self.sym.constant(a.0) == Some(0);
        let (a, b) = if exchange { (b, a) } else { (a, b) };
        if equality && self.sym.constant(b.0) == Some(0) {
            let sz = self.compare_size(a, Src::Reg(b));
            let x = self.use_sz(sz, a, X0);
            return if cc == Cc::Eq { Test::Zero(sz, x) } else { Test::NotZero(sz, x) };
        }
        if matches!(cc, Cc::Lt | Cc::Ge) && self.sym.constant(b.0) == Some(0) {
            let sz = self.compare_size(a, Src::Reg(b));
            let x = self.use_sz(sz, a, X0);
            return if cc == Cc::Lt { Test::Negative(sz, x) } else { Test::NotNegative(sz, x) };
        }
        Test::Flags(self.compare(cc, a, Src::Reg(b)))
    }

    fn set_less(&mut self, cc: Cc, rd: Reg, a: Reg, b: Src) {
        self.settle_dependents(rd.0);
        // `sltiu rd, rs, 1` and `sltu rd, x0, rs` are the usual ways to say "is (not) zero".
        let cc = match (cc, self.const_of(b), b) {
            (Cc::Lo, Some(1), _) => {
                self.compare(Cc::Eq, a, Src::Imm(0));
                Cc::Eq
            }
            (Cc::Lo, None, Src::Reg(b)) if a.is_zero() => {
                self.compare(Cc::Ne, b, Src::Imm(0));
                Cc::Ne
            }
            _ => self.compare(cc, a, b),
        };
        let dst = host_int(rd.0).unwrap_or(X30);
        self.a.cset(cc, dst);
        self.done(rd, dst, true);
    }

    fn min_max(&mut self, cc: Cc, rd: Reg, a: Reg, b: Src) {
        let x = self.use64(a, X0);
        let y = self.use_src(Sz::X, b, X1);
        let dst = self.dest(rd);
        self.a.cmp(Sz::X, x, y);
        self.a.csel(cc, Sz::X, dst, x, y);
        self.done(rd, dst, false);
    }

    /// `b` compared with zero: `cc ? a : 0`
    fn conditional_zero(&mut self, cc: Cc, rd: Reg, a: Reg, b: Src) {
        let x = self.use64(a, X0);
        let y = self.use_src(Sz::X, b, X1);
        let dst = self.dest(rd);
        self.a.cmp(Sz::X, y, ZR);
        self.a.csel(cc, Sz::X, dst, x, ZR);
        self.done(rd, dst, false);
    }

    // Single bits.

    fn single_bit(&mut self, op: Alu, rd: Reg, a: Reg, b: Src) {
        let x = self.use64(a, X0);
        if let Some(n) = self.const_of(b) {
            let bit = 1u64 << (n & 63);
            let dst = self.dest(rd);
            let (op, imm) = if op == Alu::Bic { (Alu::And, !bit) } else { (op, bit) };
            self.a.logic_imm(op, Sz::X, dst, x, imm);
            return self.done(rd, dst, false);
        }
        let y = self.use_src(Sz::W, b, X1);
        let dst = self.dest(rd);
        // A third scratch register, since `x` and `y` may be the other ones.
        self.a.mov_imm(X30, 1);
        self.a.two(Two::Lsl, Sz::X, X30, X30, y);
        self.a.alu(op, Sz::X, dst, x, X30);
        self.done(rd, dst, false);
    }

    fn extract_bit(&mut self, rd: Reg, a: Reg, b: Src) {
        let x = self.use64(a, X0);
        if let Some(n) = self.const_of(b) {
            let dst = self.dest(rd);
            self.a.ubfx(dst, x, n as u8 & 63, 1);
            return self.done(rd, dst, true);
        }
        let y = self.use_src(Sz::W, b, X1);
        let dst = self.dest(rd);
        self.a.two(Two::Lsr, Sz::X, dst, x, y);
        self.a.logic_imm(Alu::And, Sz::W, dst, dst, 1);
        self.done(rd, dst, true);
    }

    fn zext_word(&mut self, rd: Reg, a: Reg) {
        if rd == a && self.sym.is_sext(a.0) {
            // The upper half is zero already: the sign-extension is just not done.
            self.settle_dependents(rd.0);
            return self.sym.set_home(rd.0, false);
        }
        let x = self.use32(a, X0);
        let dst = self.dest(rd);
        self.a.mov(Sz::W, dst, x);
        self.done(rd, dst, false);
    }

    fn extend(&mut self, op: UnOp, rd: Reg, a: Reg) {
        let x = self.use32(a, X0);
        let dst = self.dest(rd);
        let width = if op == UnOp::SextB { 8 } else { 16 };
        self.a.extend(op != UnOp::ZextH, dst, x, width);
        self.done(rd, dst, true);
    }

    fn count_zeros(&mut self, op: UnOp, sz: Sz, rd: Reg, a: Reg) {
        let x = self.use_sz(sz, a, X0);
        let dst = self.dest(rd);
        if op == UnOp::Ctz {
            self.a.rbit(sz, dst, x);
            self.a.clz(sz, dst, dst);
        } else {
            self.a.clz(sz, dst, x);
        }
        self.done(rd, dst, true);
    }

    fn count_ones(&mut self, sz: Sz, rd: Reg, a: Reg) {
        let x = self.use_sz(sz, a, X0);
        let dst = self.dest(rd);
        let (to_vector, from_vector) =
            (super::emit_float::fmov_from_int(sz), super::emit_float::fmov_to_int(Sz::W));
        self.a.dn(to_vector, V31, x);
        self.a.dn(CNT, V31, V31);
        self.a.dn(ADDV, V31, V31);
        self.a.dn(from_vector, dst, V31);
        self.done(rd, dst, true);
    }

    /// Bit 7 of each byte of `((x & 0x7f..) + 0x7f..) | x` tells whether the byte is not zero.
    fn or_combine(&mut self, rd: Reg, a: Reg) {
        const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
        let x = self.use64(a, X0);
        let dst = self.dest(rd);
        self.a.mov_imm(X1, LOW);
        self.a.alu(Alu::And, Sz::X, X30, x, X1);
        self.a.alu(Alu::Add, Sz::X, X30, X30, X1);
        self.a.alu(Alu::Or, Sz::X, X30, X30, x);
        self.a.logic_imm(Alu::And, Sz::X, X30, X30, !LOW);
        // Each byte is 0x80 or 0: twice that, less its own low bit.
        self.a.shr_imm(false, Sz::X, X1, X30, 7);
        self.a.alu_lsl(Alu::Sub, Sz::X, X30, X30, X1, 0);
        self.a.alu_lsl(Alu::Or, Sz::X, dst, X30, X1, 7);
        self.done(rd, dst, false);
    }
}

fn imm_of(b: Src) -> i32 {
    match b {
        Src::Imm(i) => i,
        Src::Reg(_) => unreachable!("this operation has an immediate"),
    }
}
