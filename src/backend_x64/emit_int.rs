//! Integer operations.

use super::Emitter;
use super::asm::{Alu, Asm, Cc, Map, Pp, Rm, Shift, Sz};
use super::regs::{RAX, RCX, RDX};
use super::values::{Operand, Opnd};
use crate::backend::emit::{Host, LowerInt, Place};
use crate::backend::{Homes, ShiftBy, ShiftOp, Sum, Val};
use crate::ir::{BinOp, Cond, MemSize, Reg, Src, UnOp, Width};

pub(super) const fn size(w: Width) -> Sz {
    match w {
        Width::W => Sz::D,
        Width::D => Sz::Q,
    }
}

impl<'b> LowerInt<'b, Asm<'b>> for Emitter<'b, '_> {
    fn lacks(&self, op: BinOp) -> bool {
        matches!(op, BinOp::Clmul | BinOp::Clmulh | BinOp::Clmulr) && !self.cpu.pclmul
    }

    fn lacks_un(&self, op: UnOp) -> bool {
        op == UnOp::Cpop && !self.cpu.popcnt
    }

    fn second<'h>(&mut self, homes: &'h Homes, _: BinOp, w: Width, b: Src) -> Operand<'h> {
        self.use_src(homes, size(w), b)
    }

    fn compute(
        &mut self,
        op: BinOp,
        w: Width,
        dst: u8,
        (x, y): (Operand<'_>, Operand<'_>),
        known: Option<u64>,
    ) {
        let (x, y) = (x.get(), y.get());
        match op {
            BinOp::And => self.logical(Alu::And, size(w), dst, x, y),
            BinOp::Or => self.logical(Alu::Or, size(w), dst, x, y),
            BinOp::Xor => self.logical(Alu::Xor, size(w), dst, x, y),
            BinOp::AndNot if self.cpu.bmi1 => self.and_not(dst, x, y),
            BinOp::AndNot => self.logic_not(Alu::And, dst, x, y),
            BinOp::OrNot => self.logic_not(Alu::Or, dst, x, y),
            BinOp::XorNot => self.logic_not(Alu::Xor, dst, x, y),
            BinOp::Sub => self.subtract(size(w), dst, x, y),
            BinOp::Sll => self.shift_by(Shift::Shl, size(w), dst, x, y),
            BinOp::Srl => self.shift_by(Shift::Shr, size(w), dst, x, y),
            BinOp::Sra => self.shift_by(Shift::Sar, size(w), dst, x, y),
            BinOp::Rol => self.shift_by(Shift::Rol, size(w), dst, x, y),
            BinOp::Ror => self.shift_by(Shift::Ror, size(w), dst, x, y),
            BinOp::Min => self.min_max(Cc::L, dst, x, y),
            BinOp::Minu => self.min_max(Cc::B, dst, x, y),
            BinOp::Max => self.min_max(Cc::G, dst, x, y),
            BinOp::Maxu => self.min_max(Cc::A, dst, x, y),
            BinOp::CzeroEqz => self.conditional_zero(Cc::E, dst, x, y),
            BinOp::CzeroNez => self.conditional_zero(Cc::NE, dst, x, y),
            BinOp::Bclr => self.single_bit(6, dst, x, y),
            BinOp::Binv => self.single_bit(7, dst, x, y),
            BinOp::Bset => self.single_bit(5, dst, x, y),
            BinOp::Bext => self.extract_bit(dst, x, y),
            BinOp::Mul => self.mul(size(w), dst, x, y),
            BinOp::Mulh => self.mul_high(5, dst, x, y),
            BinOp::Mulhu => self.mul_high(4, dst, x, y),
            BinOp::Mulhsu => self.mul_high_signed_unsigned(dst, x, y),
            BinOp::Div | BinOp::Divu | BinOp::Rem | BinOp::Remu => {
                self.divide(op, w, dst, (x, y), known);
            }
            BinOp::Clmul | BinOp::Clmulh | BinOp::Clmulr => self.clmul(op, dst, x, y),
            _ => unreachable!("{op:?} is made of others"),
        }
    }

    fn compute_un(&mut self, op: UnOp, w: Width, dst: u8, x: Operand<'_>) {
        let x = x.get();
        match op {
            UnOp::ZextW => self.zero_extend(dst, x),
            UnOp::SextB | UnOp::SextH | UnOp::ZextH => self.extend(op, dst, x),
            UnOp::Clz => self.count_zeros(0xbd, self.cpu.lzcnt, size(w), dst, x),
            UnOp::Ctz => self.count_zeros(0xbc, self.cpu.bmi1, size(w), dst, x),
            UnOp::Cpop => {
                let x = self.opnd_in_reg(size(w), x, RCX);
                self.a.ins(Pp::F3, Map::M0F, size(w), 0xb8, dst, Rm::R(x));
            }
            UnOp::Rev8 => {
                self.load_opnd(Sz::Q, dst, x);
                self.a.bswap(Sz::Q, dst);
            }
            UnOp::OrcB => self.or_combine(dst, x),
        }
    }

    fn reverse_bytes(&mut self, to: u8, size: MemSize) {
        let sz = if size == MemSize::D { Sz::Q } else { Sz::D };
        self.a.bswap(sz, to);
    }

    fn add_words(&mut self, dst: u8, x: Operand<'_>, y: Operand<'_>) -> bool {
        match (x.get(), y.get()) {
            (Opnd::Rm(from), Opnd::Imm(0)) => {
                self.a.movsxd(dst, from);
                return true;
            }
            (Opnd::Rm(Rm::R(h)), Opnd::Imm(i)) if h != dst => {
                self.a.lea(Sz::D, dst, Rm::B(h, i));
            }
            (Opnd::Rm(Rm::R(h)), Opnd::Rm(Rm::R(g))) if h != dst && g != dst => {
                self.a.lea(Sz::D, dst, Rm::X(h, g, 0, 0));
            }
            (x, y) => self.two_operand(Alu::Add, Sz::D, dst, x, y, true),
        }
        false
    }

    fn and_low(&mut self, dst: u8, x: Operand<'_>, k: i32) {
        match (k, x.get()) {
            (0xff, Opnd::Rm(rm)) => self.a.movzx8(dst, rm),
            (0xffff, Opnd::Rm(rm)) => self.a.ins(Pp::None, Map::M0F, Sz::D, 0xb7, dst, rm),
            (_, x) => self.two_operand(Alu::And, Sz::D, dst, x, Opnd::Imm(k), true),
        }
    }

    fn add_shifted_word(&mut self, dst: u8, (x, n): (Operand<'_>, u8), y: Operand<'_>) {
        self.load_opnd(Sz::D, RCX, x.get());
        match y.get() {
            Opnd::Imm(i) => {
                self.a.shift_imm(Shift::Shl, Sz::Q, Rm::R(RCX), n);
                self.a.lea(Sz::Q, dst, Rm::B(RCX, i));
            }
            Opnd::Rm(rm) => {
                let base = self.in_reg(rm, RAX);
                self.a.lea(Sz::Q, dst, Rm::X(base, RCX, n, 0));
            }
        }
    }

    fn shift_left_word(&mut self, dst: u8, x: Operand<'_>, n: u8) {
        self.zero_extend(dst, x.get());
        if n != 0 {
            self.a.shift_imm(Shift::Shl, Sz::Q, Rm::R(dst), n);
        }
    }

    fn rotate_right(&mut self, w: Width, dst: u8, x: Operand<'_>, n: u8) {
        let sz = size(w);
        match x.get() {
            Opnd::Rm(rm) if self.cpu.bmi2 && rm != Rm::R(dst) => {
                self.a.vex(Pp::F2, Map::M0F3A, sz == Sz::Q, 0xf0, dst, 0, rm);
                self.a.byte(n);
            }
            x => {
                self.load_opnd(sz, dst, x);
                self.a.shift_imm(Shift::Ror, sz, Rm::R(dst), n);
            }
        }
    }

    fn rotate_home(&mut self, w: Width, dst: u8, x: Operand<'_>, n: u8) {
        if w == Width::W && x.get() == Opnd::Rm(Rm::R(dst)) {
            self.a.mov(Sz::D, dst, Rm::R(dst));
        }
        self.rotate_right(w, dst, x, n);
    }

    fn shift_again(&mut self, homes: &mut Homes, (op, w, n): ShiftBy, rd: Reg, a: Reg) -> bool {
        // Of what is pending as a doubleword shifted left by 32: an extension of the low half.
        let Some((ShiftOp::Left, Width::D, from, 32)) = self.sym.kept_shift(a.0) else {
            return false;
        };
        if w != Width::D || op == ShiftOp::Left || n > 32 || op == ShiftOp::Signed && n != 32 {
            return false;
        }
        // What was shifted up can be had from the result as well, if that takes its source's place.
        let again = from.reg() == rd.0 && a != rd;
        if again {
            self.sym.set_home(homes, a.0, false);
        }
        let (dst, source) = self.dest_from(homes, rd, from, Place::First, 0);
        let Opnd::Rm(source) = source.get() else { unreachable!("a home is no constant") };
        if op == ShiftOp::Signed {
            self.a.movsxd(dst, source);
        } else {
            self.a.mov(Sz::D, dst, source);
        }
        if n < 32 {
            self.a.shift_imm(Shift::Shl, Sz::Q, Rm::R(dst), 32 - n);
        }
        self.done(homes, rd, dst, op == ShiftOp::Signed);
        if again {
            self.sym.set_shift(homes, a.0, (ShiftOp::Left, Width::D, n), rd.0);
        }
        true
    }

    fn low_half_will_do(&self, r: Reg) -> bool {
        let val = self.sym.val(r.0);
        let shift = matches!(val, Val::Shift { op, w: Width::W, .. } if op != ShiftOp::Right);
        shift || self.sym.is_sext(r.0)
    }

    #[inline]
    fn sum_is_dear(&mut self, rd: Reg, (a, b, ..): Sum) -> bool {
        // Each use of such a sum would load what is in a slot.
        let lasts = self.redefined & 1 << rd.0 == 0 || self.copies.often(rd.0);
        a != 0 && b != 0 && lasts && (self.in_slot(a) || self.in_slot(b))
    }

    fn copy_home(&mut self, homes: &mut Homes, rd: Reg, a: Reg) {
        if self.sym.is_sext(a.0) {
            let x = self.use32(homes, a);
            let dst = self.dest(homes, rd);
            self.load_opnd(Sz::D, dst, x.get());
            return self.done_word(homes, rd, dst);
        }
        self.materialise(homes, a.0);
        let dst = self.dest(homes, rd);
        let from = self.materialised(homes, a).get();
        self.move_home(homes, rd.0, dst, from);
        let narrow = self.sym.is_narrow(a.0);
        self.sym.set_home(homes, rd.0, narrow);
    }

    fn compare_with(&mut self, homes: &Homes, cond: Cond, a: Reg, b: Src) -> Cc {
        self.compare(homes, Asm::condition(cond), a, b)
    }
}

impl Emitter<'_, '_> {
    fn subtract(&mut self, sz: Sz, dst: u8, x: Opnd, y: Opnd) {
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

    fn logical(&mut self, op: Alu, sz: Sz, dst: u8, x: Opnd, y: Opnd) {
        if op == Alu::Xor && y == Opnd::Imm(-1) {
            self.load_opnd(sz, dst, x);
            self.a.unary(2, sz, Rm::R(dst));
        } else {
            self.two_operand(op, sz, dst, x, y, true);
        }
    }

    fn and_not(&mut self, dst: u8, x: Opnd, y: Opnd) {
        let y = self.opnd_in_reg(Sz::Q, y, RCX);
        let x = self.operand_rm(Sz::Q, x, RAX);
        self.a.vex(Pp::None, Map::M0F38, true, 0xf2, dst, y, x);
    }

    /// `x op !y`
    fn logic_not(&mut self, op: Alu, dst: u8, x: Opnd, y: Opnd) {
        self.load_opnd(Sz::Q, RCX, y);
        self.a.unary(2, Sz::Q, Rm::R(RCX));
        self.two_operand(op, Sz::Q, dst, x, Opnd::Rm(Rm::R(RCX)), true);
    }

    // Shifts.

    fn shift_by(&mut self, op: Shift, sz: Sz, dst: u8, x: Opnd, count: Opnd) {
        let rotate = matches!(op, Shift::Rol | Shift::Ror);
        if self.cpu.bmi2 && !rotate {
            let x = self.operand_rm(sz, x, RAX);
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
    }

    /// Shifts `dst`, which is then the value of `r`.
    pub(super) fn shift_done(&mut self, homes: &mut Homes, r: u8, (op, w, n): ShiftBy, dst: u8) {
        let host = match op {
            ShiftOp::Left => Shift::Shl,
            ShiftOp::Right => Shift::Shr,
            ShiftOp::Signed => Shift::Sar,
        };
        self.a.shift_imm(host, size(w), Rm::R(dst), n);
        match (op, w) {
            // A zero upper half is the sign-extension here.
            (ShiftOp::Right, Width::W) => self.done(homes, Reg(r), dst, true),
            (ShiftOp::Right, Width::D) => self.done(homes, Reg(r), dst, n > 32),
            (ShiftOp::Signed, Width::D) => self.done(homes, Reg(r), dst, n >= 32),
            _ => self.finish(homes, w, Reg(r), dst),
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
            return self.compare(homes, exchange(cc), r, Src::Reg(a));
        }
        // The sign and the zeroness of a low half that was shifted up.
        if let (Val::Shift { op: ShiftOp::Left, w: Width::D, a, n: 32 }, Some(0)) =
            (self.sym.val(a.0), self.const_of(b))
            && !matches!(cc, Cc::B | Cc::AE | Cc::BE | Cc::A)
        {
            self.compare_low_with_zero(homes, a);
            return cc;
        }
        // Sign-extended values compare as their low halves do, also as unsigned numbers.
        let word = self.is_narrow(Src::Reg(a)) && self.is_narrow(b);
        let sz = if word { Sz::D } else { Sz::Q };
        let y = self.use_src(homes, sz, b);
        let x = self.use_sz(homes, sz, a);
        match (x.get(), y.get()) {
            (Opnd::Rm(Rm::R(h)), Opnd::Imm(0)) => match cc {
                Cc::E | Cc::NE if self.a.flags_tell(h, sz) => {}
                // The overflow of what set the flags is not that of the comparison, which has none.
                Cc::L if self.a.flags_tell(h, sz) => return Cc::S,
                Cc::GE if self.a.flags_tell(h, sz) => return Cc::NS,
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

    fn min_max(&mut self, cc: Cc, dst: u8, x: Opnd, y: Opnd) {
        self.load_opnd(Sz::Q, RAX, x);
        let y = self.opnd_in_reg(Sz::Q, y, RCX);
        self.a.alu(Alu::Cmp, Sz::Q, y, Rm::R(RAX));
        self.a.cmov(cc, Sz::Q, RAX, Rm::R(y));
        self.a.mov(Sz::Q, dst, Rm::R(RAX));
    }

    fn conditional_zero(&mut self, cc: Cc, dst: u8, x: Opnd, y: Opnd) {
        let y = self.opnd_in_reg(Sz::Q, y, RCX);
        self.load_opnd(Sz::Q, RAX, x);
        self.a.mov_imm_keep_flags(RDX, 0);
        self.a.test(Sz::Q, y, y);
        self.a.cmov(cc, Sz::Q, RAX, Rm::R(RDX));
        self.a.mov(Sz::Q, dst, Rm::R(RAX));
    }

    // Single bits.

    /// `bts` (5), `btr` (6) or `btc` (7) by their number in opcode 0F BA.
    fn single_bit(&mut self, number: u8, dst: u8, x: Opnd, y: Opnd) {
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
    }

    fn extract_bit(&mut self, dst: u8, x: Opnd, y: Opnd) {
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
        self.a.set_if(Cc::B, dst);
    }

    // One operand.

    /// `dst =` the low half of an operand, the upper half zero.
    fn zero_extend(&mut self, dst: u8, x: Opnd) {
        match x {
            Opnd::Rm(rm) => self.a.mov(Sz::D, dst, rm),
            Opnd::Imm(_) => self.load_opnd(Sz::D, dst, x),
        }
    }

    fn extend(&mut self, op: UnOp, dst: u8, x: Opnd) {
        let from = self.operand_rm(Sz::D, x, RAX);
        match op {
            // A REX prefix is there for the 64-bit size, so any byte register can be named.
            UnOp::SextB => self.a.ins(Pp::None, Map::M0F, Sz::Q, 0xbe, dst, from),
            UnOp::SextH => self.a.ins(Pp::None, Map::M0F, Sz::Q, 0xbf, dst, from),
            _ => self.a.ins(Pp::None, Map::M0F, Sz::D, 0xb7, dst, from),
        }
    }

    /// `lzcnt` (BD) or `tzcnt` (BC), or `bsr` and `bsf`, whose opcodes are the same.
    fn count_zeros(&mut self, opcode: u8, exact: bool, sz: Sz, dst: u8, x: Opnd) {
        let x = self.opnd_in_reg(sz, x, RCX);
        if exact {
            return self.a.ins(Pp::F3, Map::M0F, sz, opcode, dst, Rm::R(x));
        }
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

    /// Bit 7 of each byte of `((x & 0x7f..) + 0x7f..) | x` tells whether the byte is not zero.
    fn or_combine(&mut self, dst: u8, x: Opnd) {
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
    }
}

/// The condition after the operands of a comparison were exchanged.
const fn exchange(cc: Cc) -> Cc {
    match cc {
        Cc::B => Cc::A,
        Cc::A => Cc::B,
        Cc::AE => Cc::BE,
        Cc::BE => Cc::AE,
        Cc::L => Cc::G,
        Cc::G => Cc::L,
        Cc::GE => Cc::LE,
        Cc::LE => Cc::GE,
        other => other,
    }
}
