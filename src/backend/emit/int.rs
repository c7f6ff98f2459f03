//! Integer operations.

use super::{Emitter, Host, Lower, LowerInt, LowerValues, Place};
use crate::backend::{Homes, ShiftBy, ShiftOp, Sum, join};
use crate::ir::{BinOp, Cond, Reg, Src, UnOp, Width};
use crate::opt::fold;

impl<'b, H: Host<'b>> Emitter<'b, '_, H>
where
    Self: Lower<'b, H>,
{
    pub(crate) fn bin(&mut self, homes: &mut Homes, op: BinOp, w: Width, rd: Reg, a: Reg, b: Src) {
        if rd.is_zero() {
            return;
        }
        if let (Some(x), Some(y)) = (self.sym.constant(a.0), self.const_of(b))
            && let Some(v) = fold(op, w, x, y)
        {
            return self.set_const(homes, rd, v);
        }
        match op {
            BinOp::Add if w == Width::D => self.add(homes, rd, a, b),
            BinOp::Add => self.addw(homes, rd, a, b),
            BinOp::Sub => self.sub(homes, w, rd, a, b),
            BinOp::And | BinOp::Or | BinOp::Xor => self.logic(homes, op, rd, a, b),
            BinOp::Sll | BinOp::Srl | BinOp::Sra | BinOp::Rol | BinOp::Ror => {
                self.shift(homes, op, w, rd, a, b);
            }
            BinOp::Slt => self.set_less(homes, Cond::Lt, rd, a, b),
            BinOp::Sltu => self.set_less(homes, Cond::Ltu, rd, a, b),
            BinOp::Sh1add => self.shift_add(homes, 1, rd, a, b),
            BinOp::Sh2add => self.shift_add(homes, 2, rd, a, b),
            BinOp::Sh3add => self.shift_add(homes, 3, rd, a, b),
            BinOp::AddUw => self.shift_add_word(homes, 0, rd, a, b),
            BinOp::Sh1addUw => self.shift_add_word(homes, 1, rd, a, b),
            BinOp::Sh2addUw => self.shift_add_word(homes, 2, rd, a, b),
            BinOp::Sh3addUw => self.shift_add_word(homes, 3, rd, a, b),
            BinOp::SllUw => {
                let x = self.operand(homes, Width::W, a, Place::First);
                let dst = self.dest(homes, rd);
                self.shift_left_word(dst, x, imm_of(b) as u8 & 63);
                self.done(homes, rd, dst, false);
            }
            _ if self.lacks(op) => self.helper(homes, 1 << rd.0),
            _ => self.plain(homes, op, w, rd, a, b),
        }
    }

    /// An operation without anything special about it.
    fn plain(&mut self, homes: &mut Homes, op: BinOp, w: Width, rd: Reg, a: Reg, b: Src) {
        if w == Width::D && self.with_shifted(homes, op, rd, a, b) {
            return;
        }
        let (of_x, of_y) = widths(op, w);
        let known = self.const_of(b);
        let x = self.operand(homes, of_x, a, Place::First);
        let y = self.second(homes, op, of_y, b);
        let dst = self.dest(homes, rd);
        self.compute(op, w, dst, (x, y), known);
        match op {
            BinOp::Bext => self.done(homes, rd, dst, true),
            _ => self.finish(homes, of_x, rd, dst),
        }
    }

    // Sums.

    /// `r` as a sum over homes that a new value of `rd` may be made of.
    fn sum(&mut self, homes: &Homes, rd: Reg, r: Reg) -> Sum {
        self.sym.sum(rd.0, r.0).unwrap_or_else(|| {
            self.materialise(homes, r.0);
            (r.0, 0, 0, 0)
        })
    }

    #[inline]
    fn set_sum(&mut self, homes: &mut Homes, rd: Reg, sum: Sum) {
        self.sym.set_sum(homes, rd.0, sum);
        if self.sum_is_dear(rd, sum) {
            self.materialise(homes, rd.0);
        }
    }

    fn add(&mut self, homes: &mut Homes, rd: Reg, a: Reg, b: Src) {
        if self.rotation(homes, Width::D, rd, a, b)
            || self.with_shifted(homes, BinOp::Add, rd, a, b)
        {
            return;
        }
        // Bringing `b` home may change what `a` is made of, so `a` is looked at again after that.
        self.sum(homes, rd, a);
        let y = match b {
            Src::Imm(i) => (0, 0, 0, i),
            Src::Reg(r) => self.sum(homes, rd, r),
        };
        let x = self.sum(homes, rd, a);
        let narrow = matches!(b, Src::Imm(0)) && self.sym.is_narrow(a.0);
        if let Some(sum) = join(x, y) {
            self.set_sum(homes, rd, sum);
            if narrow {
                self.sym.mark_narrow(rd.0);
            }
            return;
        }
        // Too many terms: bring the larger one home.
        self.materialise(homes, a.0);
        if let Src::Reg(r) = b {
            self.materialise(homes, r.0);
            self.set_sum(homes, rd, (a.0, r.0, 0, 0));
        } else {
            // The constant does not fit beside the one that is there.
            let y = self.sum(homes, rd, a);
            match join(y, (0, 0, 0, imm_of(b))) {
                Some(sum) => self.set_sum(homes, rd, sum),
                None => unreachable!("a home and a constant always join"),
            }
        }
    }

    fn shift_add(&mut self, homes: &mut Homes, n: u8, rd: Reg, a: Reg, b: Src) {
        let Src::Reg(b) = b else { unreachable!("no immediate form") };
        self.materialise_unless_zero(homes, a);
        self.materialise_unless_zero(homes, b);
        if a.is_zero() {
            return self.add(homes, rd, b, Src::Imm(0));
        }
        self.set_sum(homes, rd, (b.0, a.0, n, 0));
    }

    /// `(zext32(a) << n) + b`
    fn shift_add_word(&mut self, homes: &mut Homes, n: u8, rd: Reg, a: Reg, b: Src) {
        let Src::Reg(b) = b else { unreachable!("no immediate form") };
        if n == 0 && b.is_zero() {
            return self.un(homes, UnOp::ZextW, Width::D, rd, a);
        }
        let y = self.operand(homes, Width::D, b, Place::Second);
        let x = self.operand(homes, Width::W, a, Place::First);
        let dst = self.dest(homes, rd);
        self.add_shifted_word(dst, (x, n), y);
        self.done(homes, rd, dst, false);
    }

    fn addw(&mut self, homes: &mut Homes, rd: Reg, a: Reg, b: Src) {
        if H::ROTATES_WORDS && self.rotation(homes, Width::W, rd, a, b) {
            return;
        }
        if self.const_of(b) == Some(0) && self.sym.is_narrow(a.0) {
            return self.copy(homes, rd, a);
        }
        if self.sym.constant(a.0).is_some()
            && let Src::Reg(r) = b
        {
            return self.addw(homes, rd, r, Src::Reg(a));
        }
        let x = self.operand(homes, Width::W, a, Place::First);
        let y = self.second(homes, BinOp::Add, Width::W, b);
        let dst = self.dest(homes, rd);
        let extended = self.add_words(dst, x, y);
        if extended { self.done(homes, rd, dst, true) } else { self.done_word(homes, rd, dst) }
    }

    /// `rd = a` where that is known to be the same in every bit.
    fn copy(&mut self, homes: &mut Homes, rd: Reg, a: Reg) {
        if rd == a {
            return;
        }
        match self.sym.constant(a.0) {
            Some(k) => self.set_const(homes, rd, k),
            None => self.copy_home(homes, rd, a),
        }
    }

    fn sub(&mut self, homes: &mut Homes, w: Width, rd: Reg, a: Reg, b: Src) {
        if let Some(k) = self.const_of(b)
            && let Ok(k) = i32::try_from((k as i64).wrapping_neg())
        {
            return self.bin(homes, BinOp::Add, w, rd, a, Src::Imm(k));
        }
        self.plain(homes, BinOp::Sub, w, rd, a, b);
    }

    // Logic.

    fn logic(&mut self, homes: &mut Homes, op: BinOp, rd: Reg, a: Reg, b: Src) {
        // The second operand is the constant one.
        if let (Some(_), Src::Reg(r)) = (self.sym.constant(a.0), b)
            && self.sym.constant(r.0).is_none()
        {
            return self.logic(homes, op, rd, r, Src::Reg(a));
        }
        match (op, self.const_of(b)) {
            (BinOp::And, Some(k)) if k <= 0x7fff_ffff => {
                let x = self.operand(homes, Width::W, a, Place::First);
                let dst = self.dest(homes, rd);
                self.and_low(dst, x, k as i32);
                return self.done(homes, rd, dst, true);
            }
            (BinOp::And, Some(0xffff_ffff)) => return self.un(homes, UnOp::ZextW, Width::D, rd, a),
            (BinOp::Or | BinOp::Xor, Some(0)) => return self.add(homes, rd, a, Src::Imm(0)),
            _ => {}
        }
        if op != BinOp::And && self.rotation(homes, Width::D, rd, a, b)
            || self.with_shifted(homes, op, rd, a, b)
        {
            return;
        }
        let narrow = self.sym.is_narrow(a.0) && self.is_narrow(b);
        // On sign-extended operands the low halves decide.
        let pending = |r: Reg| self.low_half_will_do(r);
        let word = narrow && (pending(a) || matches!(b, Src::Reg(r) if pending(r)));
        let w = if word { Width::W } else { Width::D };
        let x = self.operand(homes, w, a, Place::First);
        let y = self.second(homes, op, w, b);
        let dst = self.dest(homes, rd);
        self.compute(op, w, dst, (x, y), None);
        match w {
            Width::W => self.done_word(homes, rd, dst),
            Width::D => self.done(homes, rd, dst, narrow),
        }
    }

    // Shifts.

    fn shift(&mut self, homes: &mut Homes, op: BinOp, w: Width, rd: Reg, a: Reg, b: Src) {
        let Some(n) = self.const_of(b) else { return self.plain(homes, op, w, rd, a, b) };
        let bits = if w == Width::W { 32 } else { 64 };
        let n = n as u8 & (bits - 1);
        if n == 0 {
            return self.bin(homes, BinOp::Add, w, rd, a, Src::Imm(0));
        }
        if op == BinOp::Sll && w == Width::D && n <= 3 {
            self.materialise_unless_zero(homes, a);
            return self.set_sum(homes, rd, (0, a.0, n, 0));
        }
        match op {
            BinOp::Rol => self.rotate_const(homes, w, rd, a, bits - n),
            BinOp::Ror => self.rotate_const(homes, w, rd, a, n),
            BinOp::Sll => self.shift_const(homes, (ShiftOp::Left, w, n), rd, a),
            BinOp::Srl => self.shift_const(homes, (ShiftOp::Right, w, n), rd, a),
            _ => self.shift_const(homes, (ShiftOp::Signed, w, n), rd, a),
        }
    }

    fn shift_const(&mut self, homes: &mut Homes, by: ShiftBy, rd: Reg, a: Reg) {
        if self.shift_again(homes, by, rd, a) {
            return;
        }
        // The home must hold what is shifted, and go on doing so until that is done. (It is no
        // constant, as that of constants would be one.)
        self.operand(homes, by.1, a, Place::First);
        self.sym.set_shift(homes, rd.0, by, a.0);
    }

    /// Rotates to the right.
    fn rotate_const(&mut self, homes: &mut Homes, w: Width, rd: Reg, a: Reg, n: u8) {
        let x = self.operand(homes, w, a, Place::First);
        let dst = self.dest(homes, rd);
        self.rotate_right(w, dst, x, n);
        self.finish(homes, w, rd, dst);
    }

    /// The sum, or, or exclusive or of two pending shifts of one home that together rotate it;
    /// false if it is something else.
    fn rotation(&mut self, homes: &mut Homes, result: Width, rd: Reg, a: Reg, b: Src) -> bool {
        let Src::Reg(b) = b else { return false };
        let Some((w, from, right)) = self.sym.rotation(result, a.0, b.0) else { return false };
        let (dst, x) = self.dest_from(homes, rd, from, Place::First, 1 << a.0 | 1 << b.0);
        self.rotate_home(w, dst, x, right);
        self.finish(homes, w, rd, dst);
        true
    }

    // Comparisons.

    fn set_less(&mut self, homes: &mut Homes, cond: Cond, rd: Reg, a: Reg, b: Src) {
        // Before the comparison, since bringing values home may change flags.
        self.materialise_dependents(homes, rd.0);
        // `sltiu rd, rs, 1` and `sltu rd, x0, rs` are the usual ways to say "is (not) zero".
        let cc = match (cond, self.const_of(b), b) {
            (Cond::Ltu, Some(1), _) => {
                self.compare_with(homes, Cond::Eq, a, Src::Imm(0));
                H::condition(Cond::Eq)
            }
            (Cond::Ltu, None, Src::Reg(b)) if a.is_zero() => {
                self.compare_with(homes, Cond::Ne, b, Src::Imm(0));
                H::condition(Cond::Ne)
            }
            _ => self.compare_with(homes, cond, a, b),
        };
        let dst = self.result_reg(rd.0);
        self.a.set_if(cc, dst);
        self.done(homes, rd, dst, true);
    }

    // One operand.

    pub(crate) fn un(&mut self, homes: &mut Homes, op: UnOp, w: Width, rd: Reg, a: Reg) {
        if rd.is_zero() {
            return;
        }
        if op == UnOp::ZextW && rd == a && self.sym.is_sext(a.0) {
            // The upper half is zero already: the sign-extension is just not done.
            self.materialise_dependents(homes, rd.0);
            return self.sym.set_home(homes, rd.0, false);
        }
        if self.lacks_un(op) {
            return self.helper(homes, 1 << rd.0);
        }
        let of_x = match op {
            UnOp::ZextW | UnOp::SextB | UnOp::SextH | UnOp::ZextH => Width::W,
            UnOp::Clz | UnOp::Ctz | UnOp::Cpop => w,
            UnOp::Rev8 | UnOp::OrcB => Width::D,
        };
        let x = self.operand(homes, of_x, a, Place::First);
        let dst = self.dest(homes, rd);
        self.compute_un(op, w, dst, x);
        self.done(homes, rd, dst, !matches!(op, UnOp::ZextW | UnOp::Rev8 | UnOp::OrcB));
    }
}

/// How much of its operands an operation of width `w` needs. The former is also how much of its
/// result there is, but of comparisons.
const fn widths(op: BinOp, w: Width) -> (Width, Width) {
    match op {
        BinOp::Sll | BinOp::Srl | BinOp::Sra | BinOp::Rol | BinOp::Ror => (w, Width::W),
        BinOp::Bclr | BinOp::Binv | BinOp::Bset | BinOp::Bext => (Width::D, Width::W),
        BinOp::Sub | BinOp::Mul | BinOp::Div | BinOp::Divu | BinOp::Rem | BinOp::Remu => (w, w),
        _ => (Width::D, Width::D),
    }
}

fn imm_of(b: Src) -> i32 {
    match b {
        Src::Imm(i) => i,
        Src::Reg(_) => unreachable!("this operation has an immediate"),
    }
}
