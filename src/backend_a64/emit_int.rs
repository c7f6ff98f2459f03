//! Integer operations.

use super::Emitter;
use super::asm::{Alu, Asm, Cc, Sz, Test, a64, bits, is_logical, sized};
use super::regs::{V31, X0, X1, X30, ZR};
use super::values::{Operand, Opnd};
use crate::backend::emit::{Host, LowerInt, Place};
use crate::backend::{Held, Homes, KeptHome, ShiftBy, ShiftOp};
use crate::ir::{BinOp, Cond, MemSize, Reg, Src, UnOp, Width};

pub(super) const fn size(w: Width) -> Sz {
    match w {
        Width::W => Sz::W,
        Width::D => Sz::X,
    }
}

/// The instruction on two registers that an operation is, if it is one.
pub(super) const fn alu(op: BinOp) -> Option<Alu> {
    Some(match op {
        BinOp::Add => Alu::Add,
        BinOp::Sub => Alu::Sub,
        BinOp::And => Alu::And,
        BinOp::Or => Alu::Or,
        BinOp::Xor => Alu::Eor,
        BinOp::AndNot => Alu::Bic,
        BinOp::OrNot => Alu::Orn,
        BinOp::XorNot => Alu::Eon,
        _ => return None,
    })
}

impl<'b> LowerInt<'b, Asm<'b>> for Emitter<'b, '_> {
    fn lacks(&self, op: BinOp) -> bool {
        matches!(op, BinOp::Clmul | BinOp::Clmulh | BinOp::Clmulr) && !self.cpu.pmull
    }

    fn second<'h>(&mut self, homes: &'h Homes, op: BinOp, w: Width, b: Src) -> Operand<'h> {
        let sz = size(w);
        let takes = |k: u64| match op {
            BinOp::Add => (k as i32).unsigned_abs() < 1 << 24,
            BinOp::Xor if k == u64::MAX => true,
            BinOp::And | BinOp::Or | BinOp::Xor => is_logical(sz, k),
            BinOp::Bclr | BinOp::Binv | BinOp::Bset | BinOp::Bext => true,
            _ => false,
        };
        match self.const_of(b) {
            Some(k) if takes(k) => Held::new(homes, Opnd::Imm(k)),
            _ => self.use_src(homes, sz, b, X1).map(Opnd::Reg),
        }
    }

    fn compute(
        &mut self,
        op: BinOp,
        w: Width,
        dst: u8,
        (x, y): (Operand<'_>, Operand<'_>),
        known: Option<u64>,
    ) {
        let (sz, x, y) = (size(w), x.get().reg(), y.get());
        match op {
            BinOp::And | BinOp::Or | BinOp::Xor => self.logical(op, sz, dst, x, y),
            BinOp::Sub | BinOp::AndNot | BinOp::OrNot | BinOp::XorNot => {
                let Some(op) = alu(op) else { unreachable!("it is one instruction") };
                self.a.alu(op, sz, dst, x, y.reg());
            }
            BinOp::Sll => sized!(self.a, sz ; lsl dst, x, y.reg()),
            BinOp::Srl => sized!(self.a, sz ; lsr dst, x, y.reg()),
            BinOp::Sra => sized!(self.a, sz ; asr dst, x, y.reg()),
            BinOp::Ror => sized!(self.a, sz ; ror dst, x, y.reg()),
            BinOp::Rol => {
                a64!(self.a ; neg W(X1), W(y.reg()));
                sized!(self.a, sz ; ror dst, x, X1);
            }
            BinOp::Min => self.min_max(Cc::LT, dst, x, y.reg()),
            BinOp::Minu => self.min_max(Cc::LO, dst, x, y.reg()),
            BinOp::Max => self.min_max(Cc::GT, dst, x, y.reg()),
            BinOp::Maxu => self.min_max(Cc::HI, dst, x, y.reg()),
            BinOp::CzeroEqz => self.conditional_zero(Cc::NE, dst, x, y.reg()),
            BinOp::CzeroNez => self.conditional_zero(Cc::EQ, dst, x, y.reg()),
            BinOp::Bclr => self.single_bit(Alu::Bic, dst, x, y),
            BinOp::Binv => self.single_bit(Alu::Eor, dst, x, y),
            BinOp::Bset => self.single_bit(Alu::Or, dst, x, y),
            BinOp::Bext => self.extract_bit(dst, x, y),
            BinOp::Mul => sized!(self.a, sz ; mul dst, x, y.reg()),
            BinOp::Mulh => a64!(self.a ; smulh X(dst), X(x), X(y.reg())),
            BinOp::Mulhu => a64!(self.a ; umulh X(dst), X(x), X(y.reg())),
            BinOp::Mulhsu => self.mul_high_signed_unsigned(dst, x, y.reg()),
            BinOp::Div | BinOp::Divu | BinOp::Rem | BinOp::Remu => {
                self.divide(op, sz, dst, (x, y.reg()), known);
            }
            BinOp::Clmul | BinOp::Clmulh | BinOp::Clmulr => self.clmul(op, dst, x, y.reg()),
            _ => unreachable!("{op:?} is made of others"),
        }
    }

    fn compute_un(&mut self, op: UnOp, w: Width, dst: u8, x: Operand<'_>) {
        let (sz, x) = (size(w), x.get().reg());
        match op {
            UnOp::ZextW => self.a.mov(Sz::W, dst, x),
            UnOp::SextB => self.a.extend_low(true, dst, x, 8),
            UnOp::SextH => self.a.extend_low(true, dst, x, 16),
            UnOp::ZextH => self.a.extend_low(false, dst, x, 16),
            UnOp::Clz => sized!(self.a, sz ; clz dst, x),
            UnOp::Ctz => {
                sized!(self.a, sz ; rbit dst, x);
                sized!(self.a, sz ; clz dst, dst);
            }
            UnOp::Cpop => self.count_ones(sz, dst, x),
            UnOp::Rev8 => a64!(self.a ; rev X(dst), X(x)),
            UnOp::OrcB => self.or_combine(dst, x),
        }
    }

    fn reverse_bytes(&mut self, to: u8, size: MemSize) {
        match size {
            MemSize::D => a64!(self.a ; rev X(to), X(to)),
            _ => a64!(self.a ; rev W(to), W(to)),
        }
    }

    fn add_words(&mut self, dst: u8, x: Operand<'_>, y: Operand<'_>) -> bool {
        let (x, y) = (x.get().reg(), y.get());
        match y {
            Opnd::Imm(k) if k as i32 == 0 => self.a.sxtw(dst, x),
            Opnd::Imm(k) => self.a.add_imm(Sz::W, dst, x, i64::from(k as i32)),
            Opnd::Reg(y) => self.a.alu(Alu::Add, Sz::W, dst, x, y),
        }
        matches!(y, Opnd::Imm(k) if k as i32 == 0)
    }

    fn and_low(&mut self, dst: u8, x: Operand<'_>, k: i32) {
        let (x, k) = (x.get().reg(), u64::from(k as u32));
        if !self.a.logic_imm(Alu::And, Sz::W, dst, x, k) {
            self.a.mov_imm(X1, k);
            self.a.alu(Alu::And, Sz::W, dst, x, X1);
        }
    }

    fn add_shifted_word(&mut self, dst: u8, (x, n): (Operand<'_>, u8), y: Operand<'_>) {
        match y.get().reg() {
            ZR => self.a.lsl_uxtw(dst, x.get().reg(), n),
            y => self.a.add_uxtw(dst, y, x.get().reg(), n),
        }
    }

    fn shift_left_word(&mut self, dst: u8, x: Operand<'_>, n: u8) {
        self.a.lsl_uxtw(dst, x.get().reg(), n);
    }

    fn rotate_right(&mut self, w: Width, dst: u8, x: Operand<'_>, n: u8) {
        sized!(self.a, size(w) ; ror dst, x.get().reg() ; n.into());
    }

    fn with_shifted(&mut self, homes: &mut Homes, op: BinOp, rd: Reg, a: Reg, b: Src) -> bool {
        let (Some(alu), Src::Reg(b)) = (alu(op), b) else { return false };
        let commutes = matches!(op, BinOp::Add | BinOp::And | BinOp::Or | BinOp::Xor);
        let (a, b) = if commutes && self.shifted(b).is_none() { (b, a) } else { (a, b) };
        if self.shifted(b).is_none() || self.sym.constant(a.0).is_some() {
            return false;
        }
        let x = self.use64(homes, a, X0);
        // Bringing `a` home may have brought `b` home.
        let dst = match self.shifted(b) {
            Some((from, by, n)) => {
                let (dst, y) = self.dest_from(homes, rd, from, Place::Second, 1 << b.0);
                self.a.alu_shifted(alu, dst, x.get(), (y.get().reg(), by, n));
                dst
            }
            None => {
                let y = self.use64(homes, b, X1);
                let dst = self.dest(homes, rd);
                self.a.alu(alu, Sz::X, dst, x.get(), y.get());
                dst
            }
        };
        self.done(homes, rd, dst, false);
        true
    }

    fn shift_again(&mut self, homes: &mut Homes, by: ShiftBy, rd: Reg, a: Reg) -> bool {
        let (op, w, right) = by;
        let (from, left) = match self.sym.kept_shift(a.0) {
            Some((ShiftOp::Left, v, from, n)) if w == v && op != ShiftOp::Left => (from, n),
            _ => return false,
        };
        let (signed, width) = (op == ShiftOp::Signed, bits(size(w)));
        let (dst, x) = self.dest_from(homes, rd, from, Place::First, 0);
        let x = x.get().reg();
        if right >= left {
            self.a.bfx(signed, dst, x, right - left, width - right);
        } else {
            self.a.bfiz(signed, dst, x, left - right, width - left);
        }
        // A result of 32 bits is sign-extended, as its highest bit is 0 if it is not signed.
        let field = width - right;
        self.done(homes, rd, dst, w == Width::W || field < 32 || signed && field == 32);
        true
    }

    fn low_half_will_do(&self, r: Reg) -> bool {
        self.sym.is_sext(r.0)
    }

    fn copy_home(&mut self, homes: &mut Homes, rd: Reg, a: Reg) {
        if self.sym.is_sext(a.0) {
            let x = self.use32(homes, a, X0);
            let dst = self.dest(homes, rd);
            if self.redefined & 1 << rd.0 == 0 {
                self.a.sxtw(dst, x.get());
                return self.done(homes, rd, dst, true);
            }
            self.a.mov(Sz::W, dst, x.get());
            return self.done_word(homes, rd, dst);
        }
        let x = self.use64(homes, a, X0);
        let dst = self.dest(homes, rd);
        self.a.mov(Sz::X, dst, x.get());
        let narrow = self.sym.is_narrow(a.0);
        self.done(homes, rd, dst, narrow);
    }

    fn compare_with(&mut self, homes: &Homes, cond: Cond, a: Reg, b: Src) -> Cc {
        self.compare(homes, Asm::condition(cond), a, b)
    }
}

impl Emitter<'_, '_> {
    /// The home that `r` is a pending shift of as a doubleword, where to and how far.
    fn shifted(&self, r: Reg) -> Option<(KeptHome, ShiftOp, u8)> {
        match self.sym.kept_shift(r.0)? {
            (op, Width::D, from, n) => Some((from, op, n)),
            _ => None,
        }
    }

    fn logical(&mut self, op: BinOp, sz: Sz, dst: u8, x: u8, y: Opnd) {
        let Some(alu) = alu(op) else { unreachable!("it is one instruction") };
        match y {
            Opnd::Imm(u64::MAX) if op == BinOp::Xor => self.a.alu(Alu::Orn, sz, dst, ZR, x),
            Opnd::Imm(k) => {
                self.a.logic_imm(alu, sz, dst, x, k);
            }
            Opnd::Reg(y) => self.a.alu(alu, sz, dst, x, y),
        }
    }

    // Comparisons.

    /// Emits a comparison of `a` with `b` for condition `cc`; the condition to use, which differs
    /// if the operands were exchanged.
    pub(super) fn compare(&mut self, homes: &Homes, cc: Cc, a: Reg, b: Src) -> Cc {
        if self.const_of(Src::Reg(a)).is_some()
            && let Src::Reg(r) = b
            && self.sym.constant(r.0).is_none()
        {
            return self.compare(homes, cc.exchange(), r, Src::Reg(a));
        }
        let sz = self.compare_size(a, b);
        if let Some(k) = self.const_of(b) {
            let x = self.use_sz(homes, sz, a, X0).get();
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
            if self.sym.is_sext(b.0) && self.compare_extended(homes, a, b) {
                return cc;
            }
            if self.sym.is_sext(a.0) && self.compare_extended(homes, b, a) {
                return cc.exchange();
            }
        }
        let y = self.use_src(homes, sz, b, X1);
        let x = self.use_sz(homes, sz, a, X0);
        self.a.cmp(sz, x.get(), y.get());
        cc
    }

    /// Compares `a` with `b`, whose sign-extension is pending and stays so; false if that is not
    /// possible.
    fn compare_extended(&mut self, homes: &Homes, a: Reg, b: Reg) -> bool {
        if self.sym.constant(a.0) == Some(0) {
            return false;
        }
        let x = self.use64(homes, a, X0);
        let y = self.use32(homes, b, X1);
        self.a.cmp_sxtw(x.get(), y.get());
        true
    }

    /// Sign-extended values compare as their low halves do, also as unsigned numbers.
    fn compare_size(&self, a: Reg, b: Src) -> Sz {
        if self.is_narrow(Src::Reg(a)) && self.is_narrow(b) { Sz::W } else { Sz::X }
    }

    /// As [`Self::compare`], for a branch: a comparison with zero needs no flags.
    pub(super) fn compare_branch(&mut self, homes: &Homes, cc: Cc, a: Reg, b: Reg) -> Test {
        let equality = matches!(cc, Cc::EQ | Cc::NE);
        let exchange = equality && self.sym.constant(a.0) == Some(0);
        let (a, b) = if exchange { (b, a) } else { (a, b) };
        if self.sym.constant(b.0) == Some(0) && (equality || matches!(cc, Cc::LT | Cc::GE)) {
            let sz = self.compare_size(a, Src::Reg(b));
            let x = self.use_sz(homes, sz, a, X0).get();
            return match cc {
                Cc::EQ | Cc::NE => Test::Zero(sz, x, cc == Cc::EQ),
                _ => Test::negative(sz, x, cc == Cc::LT),
            };
        }
        Test::Flags(self.compare(homes, cc, a, Src::Reg(b)))
    }

    fn min_max(&mut self, cc: Cc, dst: u8, x: u8, y: u8) {
        self.a.cmp(Sz::X, x, y);
        self.a.csel(cc, Sz::X, dst, x, y);
    }

    /// `y` compared with zero: `cc ? x : 0`
    fn conditional_zero(&mut self, cc: Cc, dst: u8, x: u8, y: u8) {
        self.a.cmp(Sz::X, y, ZR);
        self.a.csel(cc, Sz::X, dst, x, ZR);
    }

    // Single bits.

    fn single_bit(&mut self, op: Alu, dst: u8, x: u8, y: Opnd) {
        match y {
            Opnd::Imm(n) => {
                let bit = 1u64 << (n & 63);
                let (op, imm) = if op == Alu::Bic { (Alu::And, !bit) } else { (op, bit) };
                self.a.logic_imm(op, Sz::X, dst, x, imm);
            }
            Opnd::Reg(y) => {
                // A third scratch register, since `x` and `y` may be the other ones.
                self.a.mov_imm(X30, 1);
                a64!(self.a ; lsl X(X30), X(X30), X(y));
                self.a.alu(op, Sz::X, dst, x, X30);
            }
        }
    }

    fn extract_bit(&mut self, dst: u8, x: u8, y: Opnd) {
        match y {
            Opnd::Imm(n) => self.a.bfx(false, dst, x, n as u8 & 63, 1),
            Opnd::Reg(y) => {
                a64!(self.a ; lsr X(dst), X(x), X(y) ; and WSP(dst), W(dst), 1);
            }
        }
    }

    // One operand.

    fn count_ones(&mut self, sz: Sz, dst: u8, x: u8) {
        self.a.float_from_int(sz, V31, x);
        a64!(self.a
            ; cnt V(V31).b8, V(V31).b8
            ; addv B(V31), V(V31).b8
            ; fmov W(dst), S(V31)
        );
    }

    /// Bit 7 of each byte of `((x & 0x7f..) + 0x7f..) | x` tells whether the byte is not zero.
    fn or_combine(&mut self, dst: u8, x: u8) {
        const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
        self.a.mov_imm(X1, LOW);
        a64!(self.a
            ; and X(X30), X(x), X(X1)
            ; add X(X30), X(X30), X(X1)
            ; orr X(X30), X(X30), X(x)
            ; and XSP(X30), X(X30), !LOW
            // Each byte is 0x80 or 0: twice that, less its own low bit.
            ; lsr X(X1), X(X30), 7
            ; sub X(X30), X(X30), X(X1)
            ; orr X(dst), X(X30), X(X1), lsl 7
        );
    }
}
