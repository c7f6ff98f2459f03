//! Operations on a condition: `cmov`, and blends of vectors.

use super::Emitter;
use super::asm::{Alu, Cc, Map, Pp, Rm, Shift, Sz};
use super::emit_float::{
    BOX, MAGNITUDE_D, MAGNITUDE_S, MOVU_LOAD, MOVU_STORE, SIGN_D, SIGN_S, XOR, constant, scalar,
};
use super::emit_float_arith::{AND, MAX, MIN};
use super::emit_int::size;
use super::regs::{RAX, RCX, XMM0, XMM1, float_slot};
use super::values::{Operand, Opnd};
use crate::backend::emit::{
    FloatValue, LowerFloat, LowerSelect, LowerValues, Unless, Value, Writes,
};
use crate::backend::{Held, Homes};
use crate::ir::{BinOp, FCmpOp, FReg, FSelectOp, Fmt, Node, Op, Reg, Src, Width};

impl LowerSelect for Emitter<'_, '_> {
    #[inline(never)]
    fn select(&mut self, homes: &mut Homes, unless: Unless, rd: Reg, value: Value) {
        if rd.is_zero() {
            return;
        }
        // Bringing values home changes flags.
        self.materialise_dependents(homes, rd.0);
        self.materialise(homes, rd.0);
        let (value, narrow) = match self.select_plain(homes, value) {
            Some(plain) => plain,
            None => {
                // The comparison must not need rcx then.
                for r in [unless.1, unless.2] {
                    if !self.sym.is_sext(r.0) {
                        self.materialise(homes, r.0);
                    }
                }
                self.select_computed(homes, value)
            }
        };
        let cc = self.compare_for_select(homes, unless);
        let (dst, narrow) = self.conditional_move(homes, cc, rd, (value, narrow));
        self.done(homes, rd, dst, narrow);
    }

    #[inline(never)]
    fn fselect(&mut self, homes: &Homes, unless: Unless, fd: FReg, (op, fmt, a): FloatValue) {
        let from = self.fselect_value(op, fmt, fd, a);
        let cc = self.compare_for_select(homes, unless);
        match self.map.float(fd.0) {
            Some(dst) if self.cpu.avx => {
                self.a.setcc(cc, RAX);
                self.a.movzx8(RAX, Rm::R(RAX));
                self.a.ins(Pp::P66, Map::M0F, Sz::D, 0x6e, XMM0, Rm::R(RAX)); // movd
                self.shift_left(XMM0, 63);
                self.blend(dst, dst, from, XMM0);
            }
            mapped => {
                let over = self.a.jcc_short(cc.inverse());
                match mapped {
                    Some(dst) => self.fmove(dst, from),
                    None => {
                        let slot = Rm::S(float_slot(fd.0));
                        self.a.ins(Pp::F2, Map::M0F, Sz::D, MOVU_STORE, from, slot);
                    }
                }
                self.a.bind_short(over);
            }
        }
    }
}

impl Emitter<'_, '_> {
    /// `a op b` if that is a constant or at home somewhere, and whether it is narrow.
    fn select_plain<'h>(
        &mut self,
        homes: &'h Homes,
        (op, w, a, b): Value,
    ) -> Option<(Operand<'h>, bool)> {
        if (op, w) != (BinOp::Add, Width::D) {
            return None;
        }
        if let (Some(x), Some(y)) = (self.sym.constant(a.0), self.const_of(b))
            && let Ok(value) = i32::try_from(x.wrapping_add(y) as i64)
        {
            return Some((Held::new(homes, Opnd::Imm(value)), true));
        }
        (b == Src::Imm(0)).then(|| (self.use64(homes, a), self.sym.is_narrow(a.0)))
    }

    /// `a op b` in rcx, and whether it is narrow.
    fn select_computed<'h>(
        &mut self,
        homes: &'h Homes,
        (op, w, a, b): Value,
    ) -> (Operand<'h>, bool) {
        let sz = size(w);
        // What is materialised for the second operand changes nothing about the first.
        let x = self.use_sz(homes, sz, a);
        let y = self.use_src(homes, sz, b);
        self.load_opnd(sz, RCX, x.get());
        let shift = match op {
            BinOp::Sll => Some(Shift::Shl),
            BinOp::Srl => Some(Shift::Shr),
            BinOp::Sra => Some(Shift::Sar),
            _ => None,
        };
        match (shift, y.get()) {
            (Some(shift), Opnd::Imm(n)) => self.a.shift_imm(shift, sz, Rm::R(RCX), n as u8),
            (_, y) => {
                let alu = match op {
                    BinOp::Sub => Alu::Sub,
                    BinOp::And => Alu::And,
                    BinOp::Or => Alu::Or,
                    BinOp::Xor => Alu::Xor,
                    _ => Alu::Add,
                };
                self.alu_opnd(alu, sz, RCX, y);
            }
        }
        if w == Width::W {
            self.a.movsxd(RCX, Rm::R(RCX));
        }
        (Held::new(homes, Opnd::Rm(Rm::R(RCX))), w == Width::W)
    }

    /// The value of `rd`, or `value` if `cc` holds: the register that it is in, and whether it is
    /// narrow. Nothing is pending of `rd` or made of its home; the value is not in rax.
    fn conditional_move(
        &mut self,
        homes: &Homes,
        cc: Cc,
        rd: Reg,
        (value, narrow): (Operand<'_>, bool),
    ) -> (u8, bool) {
        let from = match value.get() {
            Opnd::Rm(rm) => rm,
            Opnd::Imm(value) => {
                self.a.mov_imm_keep_flags(RCX, i64::from(value) as u64);
                Rm::R(RCX)
            }
        };
        let home = self.materialised(homes, rd).get();
        let dst = self.target(rd.0, RAX);
        if home != Rm::R(dst) {
            self.a.mov(Sz::Q, dst, home);
        }
        self.a.cmov(cc, Sz::Q, dst, from);
        (dst, narrow && self.sym.is_narrow(rd.0))
    }

    /// Shifts the low 64 bits of `x`. Needs AVX.
    fn shift_left(&mut self, x: u8, n: u8) {
        self.a.vex(Pp::P66, Map::M0F, false, 0x73, 6, x, Rm::R(x)); // vpsllq
        self.a.byte(n);
    }

    /// `dst = b` where the sign of `mask` is set, else `a`. Needs AVX.
    fn blend(&mut self, dst: u8, a: u8, b: u8, mask: u8) {
        self.a.vex(Pp::P66, Map::M0F3A, false, 0x4b, dst, a, Rm::R(b)); // vblendvpd
        self.a.byte(mask << 4);
    }

    /// A register with `op a`, its own or xmm1. What is known of `fd` is what will be known of it
    /// when it has that value or still its own.
    fn fselect_value(&mut self, op: FSelectOp, fmt: Fmt, fd: FReg, a: FReg) -> u8 {
        let bit = |f: FReg| 1u32 << f.0;
        let boxed = self.fp.boxed & bit(a) != 0;
        let (sign, magnitude) =
            if fmt == Fmt::D { (SIGN_D, MAGNITUDE_D) } else { (SIGN_S, MAGNITUDE_S) };
        if op == FSelectOp::Move && (fmt == Fmt::D || boxed) {
            self.merge(fd, a);
            return self.float_in_reg(a, XMM1);
        }
        // The value will be as it is at the end: so must be what may stay.
        self.fmaterialise(fd);
        self.fp.implies_only(fd, 0);
        if op == FSelectOp::Zero {
            if fmt == Fmt::D {
                self.zero(XMM1);
                self.fp.boxed &= !bit(fd);
            } else {
                self.a.ins(Pp::F2, Map::M0F, Sz::D, MOVU_LOAD, XMM1, constant(BOX));
            }
            return XMM1;
        }
        self.fmaterialise(a);
        let x = self.float_in_reg(a, XMM1);
        self.fmove(XMM1, x);
        if fmt == Fmt::S && !boxed {
            self.compare_box(a);
            let slow = self.a.buf.cold_pos();
            self.a.jcc(Cc::NE, slow);
            let back = self.a.pos();
            self.in_cold(|e| {
                e.load_nan(Fmt::S, XMM1);
                e.a.jmp(back);
            });
        }
        match op {
            FSelectOp::Neg => self.scalar_op(Pp::None, XOR, XMM1, XMM1, constant(sign)),
            FSelectOp::Abs => self.scalar_op(Pp::None, AND, XMM1, XMM1, constant(magnitude)),
            FSelectOp::Move | FSelectOp::Zero => {}
        }
        if fmt == Fmt::D {
            self.fp.boxed &= !bit(fd);
        }
        XMM1
    }

    /// `fd` is about to become `a` or stay as it is: brings home of both what is not pending of
    /// the other too, and takes back what is not known of the other too.
    fn merge(&mut self, fd: FReg, a: FReg) {
        let (fd_bit, a_bit) = (1u32 << fd.0, 1u32 << a.0);
        let both = |mask: u32| mask & fd_bit != 0 && mask & a_bit != 0;
        if !both(self.fp.canon_d) && !both(self.fp.canon_s) {
            self.canonical(fd);
            self.canonical(a);
        }
        self.merge_boxes(fd, a);
    }

    /// As [`Self::merge`], if `a` is known not to be a NaN where it is taken.
    fn merge_boxes(&mut self, fd: FReg, a: FReg) {
        if !self.fp.is_boxed(fd) || !self.fp.is_boxed(a) || self.map.float(fd.0).is_none() {
            self.tighten(fd);
            self.tighten(a);
        }
        self.fp.merge(fd, a);
    }

    // A floating-point comparison and what happens on its result.

    /// Emits `compare` and those of `following` whose condition is its result and that take no
    /// detour through it: how many, or none if `compare` has not been emitted.
    #[inline(never)]
    pub(super) fn fcmp_select(
        &mut self,
        homes: &mut Homes,
        compare: &Op,
        following: &[Node],
    ) -> usize {
        let Op::FCmp { op, fmt, rd, a, b } = *compare else { return 0 };
        let predicate = match op {
            FCmpOp::Eq => 0x00,
            FCmpOp::Lt => 0x01,
            FCmpOp::Le => 0x02,
            FCmpOp::Ltq => 0x11,
            FCmpOp::Leq => 0x12,
            FCmpOp::LtKeep | FCmpOp::LeKeep => return 0,
        };
        let Some(if_true) = following.first().and_then(|node| node.op.on_result(rd)) else {
            return 0;
        };
        // One that selects a float is enough: what is pending of it is dealt with beforehand.
        let mut float = None;
        let fits = |n: &&Node| {
            let fits = n.op.on_result(rd) == Some(if_true)
                && self.selects_at_once(&n.op, op, fmt, [a, b])
                && (float.is_none() || !matches!(n.op, Op::FSelect { .. }));
            if fits && matches!(n.op, Op::FSelect { .. }) {
                float = Some(n.op);
            }
            fits
        };
        let group = &following[..following.iter().take_while(fits).count()];
        if group.is_empty() || !self.cpu.avx {
            return 0;
        }
        self.materialise_dependents(homes, rd.0);
        self.check_boxed(homes, fmt, &[a, b], Writes::Int(rd));
        self.materialise_selected(homes, fmt, [a, b], if_true, group);
        let extremum = float.filter(|_| if_true).and_then(|op| extremum(&op, compare));
        let masked = op == FCmpOp::Eq || float.is_some() && extremum.is_none();
        if masked {
            let x = self.float_in_reg(a, XMM0);
            self.a.vex(scalar(fmt), Map::M0F, false, 0xc2, XMM1, x, self.fhome(b)); // vcmpsd
            self.a.byte(predicate);
        }
        let dst = self.result_reg(rd.0);
        let cc = if masked && float.is_some() == (group.len() == 1) {
            self.a.ins(Pp::P66, Map::M0F, Sz::D, 0x7e, XMM1, Rm::R(dst)); // movd
            self.a.alu_imm(Alu::And, Sz::D, Rm::R(dst), 1);
            Cc::NE
        } else {
            let cc = self.fcompare(op, fmt, a, b);
            self.a.setcc(cc, RAX);
            self.a.movzx8(dst, Rm::R(RAX));
            cc
        };
        self.done(homes, rd, dst, true);
        let cc = if if_true { cc } else { cc.inverse() };
        self.pc = group[0].pc;
        self.count_skipped(cc);
        for node in group {
            if let Op::Select { rd, a, b, .. } = node.op {
                let plain = self.select_plain(homes, (BinOp::Add, Width::D, a, b));
                let Some(value) = plain else { unreachable!("it was found to be plain") };
                let (dst, narrow) = self.conditional_move(homes, cc, rd, value);
                self.done(homes, rd, dst, narrow);
            }
        }
        match (float, extremum) {
            (Some(Op::FSelect { fd, .. }), Some((opcode, x, y))) => {
                let x = self.float_in_reg(x, XMM0);
                self.scalar_op(scalar(fmt), opcode, self.fdest(fd), x, self.fhome(y));
            }
            (Some(Op::FSelect { fd, a: from, .. }), None) => {
                self.select_by_mask(fmt, fd, from, if_true);
            }
            _ => {}
        }
        group.len()
    }

    /// Brings home what the selects of `group` need at home, which happen if a comparison of
    /// `operands` is true or, without `if_true`, false.
    fn materialise_selected(
        &mut self,
        homes: &Homes,
        fmt: Fmt,
        operands: [FReg; 2],
        if_true: bool,
        group: &[Node],
    ) {
        for node in group {
            match node.op {
                Op::Select { rd: to, a: from, .. } => {
                    self.materialise_dependents(homes, to.0);
                    self.materialise(homes, to.0);
                    self.materialise(homes, from.0);
                }
                // What is taken is no NaN: it was compared.
                Op::FSelect { fd, a: from, .. } if if_true && operands.contains(&from) => {
                    if self.fp.canon() & 1 << fd.0 != 0 && self.canon_format(fd.0) != fmt {
                        self.canonical(fd);
                    }
                    self.merge_boxes(fd, from);
                }
                Op::FSelect { fd, a: from, .. } => self.merge(fd, from),
                _ => {}
            }
        }
    }

    /// `fd = from` where the mask of a comparison in xmm1 is set or, without `if_true`, clear.
    fn select_by_mask(&mut self, fmt: Fmt, fd: FReg, from: FReg, if_true: bool) {
        let (dst, from) = (self.fdest(fd), self.float_in_reg(from, XMM0));
        if fmt == Fmt::S {
            self.shift_left(XMM1, 32);
        }
        let (kept, taken) = if if_true { (dst, from) } else { (from, dst) };
        self.blend(dst, kept, taken, XMM1);
    }

    /// True if `op`, on the result of a comparison of `operands`, leaves flags and xmm1 alone.
    fn selects_at_once(&self, op: &Op, compare: FCmpOp, fmt: Fmt, operands: [FReg; 2]) -> bool {
        match *op {
            Op::Select { x, y, op: BinOp::Add, w: Width::D, rd, a, b: Src::Imm(imm), .. } => {
                let result = if x.is_zero() { y } else { x };
                compare != FCmpOp::Eq && rd != result && a != result && (a.is_zero() || imm == 0)
            }
            Op::FSelect { op: FSelectOp::Move, fmt: format, fd, a, .. } => {
                let boxed = self.fp.boxed & 1 << a.0 != 0 || fmt == Fmt::S && operands.contains(&a);
                self.map.float(fd.0).is_some() && (format == Fmt::D || boxed)
            }
            _ => false,
        }
    }
}

/// The opcode and the operands of the host's minimum or maximum that `op` is, if it happens on the
/// truth of `compare`. Those of the host are the second operand for NaNs and equal operands, and
/// raise the flags of this comparison.
fn extremum(op: &Op, compare: &Op) -> Option<(u8, FReg, FReg)> {
    let Op::FCmp { op: FCmpOp::Lt, fmt, a, b, .. } = *compare else { return None };
    match *op {
        Op::FSelect { op: FSelectOp::Move, fmt: same, fd, a: from, .. } if same == fmt => {
            if (from, fd) == (a, b) {
                Some((MIN, a, b))
            } else if (from, fd) == (b, a) {
                Some((MAX, b, a))
            } else {
                None
            }
        }
        _ => None,
    }
}
