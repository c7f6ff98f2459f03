//! Floating point: arithmetic, comparisons, moves, loads and stores.
//!
//! Three things differ from the host, and each is dealt with where it can be seen:
//! - *Canonical NaNs.* The host propagates payloads and its own default NaN is negative. Whether a
//!   result is NaN does not depend on payloads, so results stay as they are until something looks
//!   at the bits: a store, a move, an exit ([`FloatState::canon_d`]).
//! - *NaN boxes.* Scalar operations keep the upper bits of their first operand, so single results
//!   are boxed if that operand is; operands that are not known to be boxed are checked.
//! - *Rounding.* The dynamic mode is in MXCSR; the runtime lets the interpreter run as long as the
//!   guest chooses one that MXCSR has not. A static mode other than the dynamic one's takes the
//!   slow path.
//!
//! Flags accrue in MXCSR as they do in `fcsr`. What the host cannot do exactly is left to the
//! interpreter, instruction by instruction, on the cold path.

use super::asm::{Alu, Cc, Map, Pp, Rm, Shift, Sz};
use super::emit::Emitter;
use super::regs::{FLOAT_MAP, RAX, RCX, XMM0, XMM1, field, float_slot, host_float, host_int};
use crate::backend::Recipe;
use crate::cpu::fflags;
use crate::ir::{FBinOp, FCmpOp, FReg, FUnOp, Fmt, Op, Reg, Rounding};
use crate::util::CodePtr;

/// What is known of the floating-point registers, one bit each.
#[derive(Clone, Debug)]
pub(super) struct FloatState {
    /// Known to be NaN-boxed singles.
    boxed: u32,
    /// May hold a double NaN that is not canonical although the guest's is. Only registers with a
    /// vector register.
    canon_d: u32,
    /// The same for singles.
    canon_s: u32,
}

impl FloatState {
    pub(super) const fn new() -> Self {
        Self { boxed: 0, canon_d: 0, canon_s: 0 }
    }
}

/// Indices into `ThreadState::constants`.
const BOX: usize = 0;
const SIGN_D: usize = 2;
const MAGNITUDE_D: usize = 4;
const SIGN_S: usize = 6;
const MAGNITUDE_S: usize = 8;
const NAN_D: usize = 10;
const NAN_S: usize = 12;

/// A constant of the thread state as an operand.
const fn constant(index: usize) -> Rm {
    Rm::S(field!(constants) + 8 * index as i32)
}

/// Prefix of scalar operations.
pub(super) const fn scalar(fmt: Fmt) -> Pp {
    match fmt {
        Fmt::D => Pp::F2,
        Fmt::S | Fmt::H => Pp::F3,
    }
}

/// Prefix of comparisons and packed logic.
const fn packed(fmt: Fmt) -> Pp {
    match fmt {
        Fmt::D => Pp::P66,
        Fmt::S | Fmt::H => Pp::None,
    }
}

// Opcodes in map 0F.
const MOVU_LOAD: u8 = 0x10;
const MOVU_STORE: u8 = 0x11;
const MOVAPS: u8 = 0x28;
const SQRT: u8 = 0x51;
const AND: u8 = 0x54;
const OR: u8 = 0x56;
const XOR: u8 = 0x57;
const ADD: u8 = 0x58;
const MUL: u8 = 0x59;
const SUB: u8 = 0x5c;
const MIN: u8 = 0x5d;
const DIV: u8 = 0x5e;
const MAX: u8 = 0x5f;
const UCOMI: u8 = 0x2e;
const COMI: u8 = 0x2f;

impl Emitter<'_, '_> {
    pub(super) fn float(&mut self, op: &Op) {
        match *op {
            Op::FBin { op, fmt, rm, fd, a, b } => self.fbin(op, fmt, rm, fd, a, b),
            Op::FUn { op: FUnOp::Sqrt, fmt, rm: Rounding::Dyn, fd, a } => self.fsqrt(fmt, fd, a),
            Op::FUn { .. } => self.helper(0),
            Op::FMulAdd { fmt, rm, neg_product, neg_addend, fd, a, b, c } => {
                self.fmuladd(fmt, rm, (neg_product, neg_addend), fd, [a, b, c]);
            }
            Op::FCmp { op, fmt, rd, a, b } => self.fcmp(op, fmt, rd, a, b),
            Op::FClass { rd, .. } => self.helper(1 << rd.0),
            Op::FToInt { fmt, int, rm, rd, a } => self.float_to_int(fmt, int, rm, rd, a),
            Op::FFromInt { fmt, int, rm, fd, a } => self.float_from_int(fmt, int, rm, fd, a),
            Op::FConvert { from, to, rm, fd, a } => self.float_convert(from, to, rm, fd, a),
            Op::FMoveToInt { fmt, rd, a } => self.move_to_int(fmt, rd, a),
            Op::FMoveFromInt { fmt, fd, a } => self.move_from_int(fmt, fd, a),
            Op::FConst { fd, bits } => {
                self.a.mov_imm_keep_flags(RAX, bits);
                match host_float(fd.0) {
                    Some(x) => self.movq_to_vector(x, RAX),
                    None => self.a.mov_to(Sz::Q, Rm::S(float_slot(fd.0)), RAX),
                }
                self.define(fd, bits >> 32 == 0xffff_ffff);
            }
            _ => unreachable!("not a floating-point operation"),
        }
    }

    // Operands and results.

    /// Where a register is.
    pub(super) fn fhome(f: FReg) -> Rm {
        host_float(f.0).map_or(Rm::S(float_slot(f.0)), Rm::R)
    }

    /// A vector register that holds `f`: its own, or `scratch`.
    pub(super) fn fin_reg(&mut self, f: FReg, scratch: u8) -> u8 {
        match Self::fhome(f) {
            Rm::R(x) => x,
            slot => {
                self.a.ins(Pp::F2, Map::M0F, Sz::D, MOVU_LOAD, scratch, slot);
                scratch
            }
        }
    }

    /// The register to compute `fd` in.
    pub(super) fn fdest(fd: FReg) -> u8 {
        host_float(fd.0).unwrap_or(XMM0)
    }

    /// `fd` has a new value at home that is canonical.
    pub(super) fn define(&mut self, fd: FReg, boxed: bool) {
        let bit = 1 << fd.0;
        self.fp.canon_d &= !bit;
        self.fp.canon_s &= !bit;
        self.fp.boxed = if boxed { self.fp.boxed | bit } else { self.fp.boxed & !bit };
    }

    /// `fd` has a new value in `dst`, canonical already.
    pub(super) fn fdone(&mut self, fmt: Fmt, fd: FReg, dst: u8) {
        if host_float(fd.0).is_none() {
            self.a.ins(Pp::F2, Map::M0F, Sz::D, MOVU_STORE, dst, Rm::S(float_slot(fd.0)));
        }
        self.define(fd, fmt == Fmt::S);
    }

    /// `fd` has a new value in `dst` that may be a NaN of the host's kind.
    pub(super) fn fdone_arith(&mut self, fmt: Fmt, fd: FReg, dst: u8) {
        if host_float(fd.0).is_none() {
            self.canonicalize(fmt, dst);
        }
        self.fdone(fmt, fd, dst);
        if host_float(fd.0).is_some() {
            match fmt {
                Fmt::D => self.fp.canon_d |= 1 << fd.0,
                Fmt::S | Fmt::H => self.fp.canon_s |= 1 << fd.0,
            }
        }
    }

    /// Replaces a NaN in `x` by the canonical one.
    fn canonicalize(&mut self, fmt: Fmt, x: u8) {
        self.compare_float(UCOMI, fmt, x, Rm::R(x));
        if self.a.cold {
            return self.load_nan_if_unordered(fmt, x);
        }
        let cold = self.a.buf.cold_pos();
        self.a.jcc(Cc::P, cold);
        let back = self.a.pos();
        self.in_cold(|e| {
            e.load_nan(fmt, x);
            e.a.jmp(back);
        });
    }

    fn load_nan_if_unordered(&mut self, fmt: Fmt, x: u8) {
        let ordered = self.a.jcc_short(Cc::Np);
        self.load_nan(fmt, x);
        self.a.bind_short(ordered);
    }

    fn load_nan(&mut self, fmt: Fmt, x: u8) {
        let nan = if fmt == Fmt::D { NAN_D } else { NAN_S };
        self.a.ins(Pp::F2, Map::M0F, Sz::D, MOVU_LOAD, x, constant(nan));
    }

    /// Brings home the canonical NaNs of `f`, before somebody looks at its bits.
    pub(super) fn fsettle(&mut self, f: FReg) {
        let bit = 1 << f.0;
        let Some(x) = host_float(f.0) else { return };
        if self.fp.canon_d & bit != 0 {
            self.canonicalize(Fmt::D, x);
        } else if self.fp.canon_s & bit != 0 {
            self.canonicalize(Fmt::S, x);
        }
        self.fp.canon_d &= !bit;
        self.fp.canon_s &= !bit;
    }

    pub(super) fn flush_float(&mut self) {
        for fmt in [Fmt::D, Fmt::S] {
            let mut left = if fmt == Fmt::D { self.fp.canon_d } else { self.fp.canon_s };
            while left.count_ones() >= 2 {
                // One comparison tells whether either of two is a NaN.
                let mut next = || {
                    let f = left.trailing_zeros() as u8;
                    left &= left - 1;
                    host_float(f).unwrap_or(XMM0)
                };
                let (x, y) = (next(), next());
                self.canonicalize_two(fmt, x, y);
            }
            if left != 0 {
                self.canonicalize(fmt, host_float(left.trailing_zeros() as u8).unwrap_or(XMM0));
            }
        }
        self.fp.canon_d = 0;
        self.fp.canon_s = 0;
    }

    fn canonicalize_two(&mut self, fmt: Fmt, x: u8, y: u8) {
        if self.a.cold {
            self.canonicalize(fmt, x);
            return self.canonicalize(fmt, y);
        }
        self.compare_float(UCOMI, fmt, x, Rm::R(y));
        let cold = self.a.buf.cold_pos();
        self.a.jcc(Cc::P, cold);
        let back = self.a.pos();
        self.in_cold(|e| {
            for r in [x, y] {
                e.compare_float(UCOMI, fmt, r, Rm::R(r));
                e.load_nan_if_unordered(fmt, r);
            }
            e.a.jmp(back);
        });
    }

    pub(super) fn reset_float(&mut self) {
        debug_assert!(!self.float_pending(), "NaNs would be lost");
        self.fp = FloatState::new();
    }

    pub(super) fn float_pending(&self) -> bool {
        self.fp.canon_d | self.fp.canon_s != 0
    }

    pub(super) fn float_recipes(&mut self) {
        if !self.float_pending() {
            return;
        }
        for (f, _) in FLOAT_MAP {
            if self.fp.canon_d & 1 << f != 0 {
                self.a.buf.recipes.push(Recipe::CanonD(f));
            } else if self.fp.canon_s & 1 << f != 0 {
                self.a.buf.recipes.push(Recipe::CanonS(f));
            }
        }
    }

    /// Checks that `operands` are NaN-boxed singles, which is known from then on. If one is not,
    /// the interpreter executes the instruction, whose results are `result`, and the block is
    /// left, since what follows takes them for boxed.
    pub(super) fn check_boxed(&mut self, fmt: Fmt, operands: &[FReg], result: Result<FReg, Reg>) {
        let unknown = |e: &Self, f: &FReg| e.fp.boxed & 1 << f.0 == 0;
        if fmt != Fmt::S || !operands.iter().any(|f| unknown(self, f)) {
            return;
        }
        // A double NaN whose payload the host has taken from a boxed single looks boxed.
        for f in operands {
            if self.fp.canon_d & 1 << f.0 != 0 {
                self.fsettle(*f);
            }
        }
        let slow = self.a.buf.cold_pos();
        for f in operands {
            if unknown(self, f) {
                self.compare_box(*f);
                self.a.jcc(Cc::Ne, slow);
            }
        }
        let (sym, fp) = (self.sym.clone(), self.fp.clone());
        self.in_cold(|e| {
            e.call_helper();
            match result {
                Ok(fd) => e.define(fd, false),
                Err(rd) if rd.is_zero() => {}
                Err(rd) => e.sym.set_home(rd.0, false),
            }
            e.flush();
            e.jump_to(e.next);
        });
        (self.sym, self.fp) = (sym, fp);
        for f in operands {
            self.fp.boxed |= 1 << f.0;
        }
    }

    /// Compares the upper half of `f` with all ones.
    fn compare_box(&mut self, f: FReg) {
        match Self::fhome(f) {
            Rm::R(x) if self.cpu.sse41 => {
                self.a.ins(Pp::P66, Map::M0F3A, Sz::D, 0x16, x, Rm::R(RAX)); // pextrd
                self.a.byte(1);
                self.a.alu_imm(Alu::Cmp, Sz::D, Rm::R(RAX), -1);
            }
            Rm::R(x) => {
                self.movq_from_vector(RAX, x);
                self.a.shift_imm(Shift::Sar, Sz::Q, Rm::R(RAX), 32);
                self.a.alu_imm(Alu::Cmp, Sz::D, Rm::R(RAX), -1);
            }
            _ => self.a.alu_imm(Alu::Cmp, Sz::D, Rm::S(float_slot(f.0) + 4), -1),
        }
    }

    /// The slow path at `slow`: the interpreter executes the instruction, then hot code goes on.
    pub(super) fn slow_path(&mut self, slow: CodePtr) {
        let back = self.a.pos();
        debug_assert_eq!(self.a.buf.cold_pos(), slow, "the slow path is where the checks jump to");
        self.in_cold(|e| {
            e.call_helper();
            e.a.jmp(back);
        });
    }

    pub(super) fn compare_float(&mut self, op: u8, fmt: Fmt, a: u8, b: Rm) {
        self.a.ins(packed(fmt), Map::M0F, Sz::D, op, a, b);
    }

    /// `dst = a op b` on scalars; the other bits are those of `a`. xmm0 may be used.
    pub(super) fn scalar_op(&mut self, pp: Pp, op: u8, dst: u8, a: u8, b: Rm) {
        if self.cpu.avx {
            self.a.vex(pp, Map::M0F, false, op, dst, a, b);
        } else if b == Rm::R(dst) && a != dst {
            self.a.ins(Pp::None, Map::M0F, Sz::D, MOVAPS, XMM0, Rm::R(a));
            self.a.ins(pp, Map::M0F, Sz::D, op, XMM0, b);
            self.a.ins(Pp::None, Map::M0F, Sz::D, MOVAPS, dst, Rm::R(XMM0));
        } else {
            self.fmove(dst, a);
            self.a.ins(pp, Map::M0F, Sz::D, op, dst, b);
        }
    }

    pub(super) fn fmove(&mut self, dst: u8, from: u8) {
        if dst != from {
            self.a.ins(Pp::None, Map::M0F, Sz::D, MOVAPS, dst, Rm::R(from));
        }
    }

    /// All bits of `x` one.
    pub(super) fn all_ones(&mut self, x: u8) {
        self.a.ins(Pp::P66, Map::M0F, Sz::D, 0x76, x, Rm::R(x));
    }

    // Arithmetic.

    fn fbin(&mut self, op: FBinOp, fmt: Fmt, rm: Rounding, fd: FReg, a: FReg, b: FReg) {
        let opcode = match op {
            FBinOp::Add => ADD,
            FBinOp::Sub => SUB,
            FBinOp::Mul => MUL,
            FBinOp::Div => DIV,
            FBinOp::Min => return self.fmin_max(MIN, fmt, fd, a, b),
            FBinOp::Max => return self.fmin_max(MAX, fmt, fd, a, b),
            FBinOp::Minm | FBinOp::Maxm => return self.helper(0),
            FBinOp::Sgnj | FBinOp::Sgnjn | FBinOp::Sgnjx => return self.fsign(op, fmt, fd, a, b),
        };
        if rm != Rounding::Dyn {
            return self.helper(0);
        }
        self.check_boxed(fmt, &[a, b], Ok(fd));
        let x = self.fin_reg(a, XMM0);
        let dst = Self::fdest(fd);
        self.scalar_op(scalar(fmt), opcode, dst, x, Self::fhome(b));
        self.fdone_arith(fmt, fd, dst);
    }

    /// The slow path of an operation whose result is in `dst` on the hot path.
    fn slow_single(&mut self, slow: CodePtr, fd: FReg, dst: u8) {
        let back = self.a.pos();
        debug_assert_eq!(self.a.buf.cold_pos(), slow, "the slow path is where the checks jump to");
        self.in_cold(|e| {
            e.call_helper();
            if host_float(fd.0).is_none() {
                e.a.ins(Pp::F2, Map::M0F, Sz::D, MOVU_LOAD, dst, Rm::S(float_slot(fd.0)));
            }
            e.a.jmp(back);
        });
    }

    fn fsqrt(&mut self, fmt: Fmt, fd: FReg, a: FReg) {
        self.check_boxed(fmt, &[a], Ok(fd));
        self.all_ones(XMM1);
        let dst = Self::fdest(fd);
        self.scalar_op(scalar(fmt), SQRT, dst, XMM1, Self::fhome(a));
        self.fdone_arith(fmt, fd, dst);
    }

    fn fmuladd(
        &mut self,
        fmt: Fmt,
        rm: Rounding,
        (neg_product, neg_addend): (bool, bool),
        fd: FReg,
        [a, b, c]: [FReg; 3],
    ) {
        if !self.cpu.fma || rm != Rounding::Dyn {
            return self.helper(0);
        }
        self.check_boxed(fmt, &[a, b, c], Ok(fd));
        let slow = self.a.buf.cold_pos();
        let x = self.fin_reg(a, XMM0);
        self.fmove(XMM0, x);
        let y = self.fin_reg(b, XMM1);
        let opcode = match (neg_product, neg_addend) {
            (false, false) => 0xa9, // vfmadd213
            (false, true) => 0xab,  // vfmsub213
            (true, false) => 0xad,  // vfnmadd213
            (true, true) => 0xaf,   // vfnmsub213
        };
        self.a.vex(Pp::P66, Map::M0F38, fmt == Fmt::D, opcode, XMM0, y, Self::fhome(c));
        // A NaN may be an invalid product of infinity and zero plus a quiet NaN, of which the
        // host says nothing.
        self.compare_float(UCOMI, fmt, XMM0, Rm::R(XMM0));
        self.a.jcc(Cc::P, slow);
        let dst = Self::fdest(fd);
        self.fmove(dst, XMM0);
        self.slow_single(slow, fd, dst);
        self.fdone(fmt, fd, dst);
    }

    /// The host's minimum and maximum return the second operand for NaNs and for zeros of either
    /// sign: these cases are on the cold path.
    fn fmin_max(&mut self, opcode: u8, fmt: Fmt, fd: FReg, a: FReg, b: FReg) {
        self.check_boxed(fmt, &[a, b], Ok(fd));
        let slow = self.a.buf.cold_pos();
        let x = self.fin_reg(a, XMM0);
        let y = self.fin_reg(b, XMM1);
        self.compare_float(UCOMI, fmt, x, Rm::R(y));
        // Equal or unordered.
        let dst = Self::fdest(fd);
        let equal = self.a.jcc_short(Cc::E);
        self.scalar_op(scalar(fmt), opcode, dst, x, Rm::R(y));
        let done = self.a.jmp_short();
        self.a.bind_short(equal);
        self.a.jcc(Cc::P, slow);
        // Equal: only the signs of zeros may differ.
        let logic = if opcode == MIN { OR } else { AND };
        self.fmove(XMM0, x);
        self.a.ins(Pp::None, Map::M0F, Sz::D, logic, XMM0, Rm::R(y));
        self.fmove(dst, XMM0);
        self.a.bind_short(done);
        self.slow_single(slow, fd, dst);
        self.fdone(fmt, fd, dst);
    }

    // Signs.

    fn fsign(&mut self, op: FBinOp, fmt: Fmt, fd: FReg, a: FReg, b: FReg) {
        let (sign, magnitude) =
            if fmt == Fmt::D { (SIGN_D, MAGNITUDE_D) } else { (SIGN_S, MAGNITUDE_S) };
        if op == FBinOp::Sgnj && a == b && fmt == Fmt::D {
            return self.fcopy(fd, a);
        }
        self.fsettle(a);
        self.fsettle(b);
        self.check_boxed(fmt, &[a, b], Ok(fd));
        let x = self.fin_reg(a, XMM0);
        let dst = Self::fdest(fd);
        match op {
            _ if a != b => {
                // xmm1 = sign to take.
                let y = self.fin_reg(b, XMM1);
                self.fmove(XMM1, y);
                match op {
                    FBinOp::Sgnjn => {
                        self.a.ins(Pp::None, Map::M0F, Sz::D, XOR, XMM1, constant(sign));
                    }
                    FBinOp::Sgnjx => {
                        self.a.ins(Pp::None, Map::M0F, Sz::D, XOR, XMM1, Rm::R(x));
                    }
                    _ => {}
                }
                self.a.ins(Pp::None, Map::M0F, Sz::D, AND, XMM1, constant(sign));
                self.fmove(XMM0, x);
                self.a.ins(Pp::None, Map::M0F, Sz::D, AND, XMM0, constant(magnitude));
                self.a.ins(Pp::None, Map::M0F, Sz::D, OR, XMM0, Rm::R(XMM1));
                self.fmove(dst, XMM0);
            }
            FBinOp::Sgnjn => {
                self.fmove(dst, x);
                self.a.ins(Pp::None, Map::M0F, Sz::D, XOR, dst, constant(sign));
            }
            FBinOp::Sgnjx => {
                self.fmove(dst, x);
                self.a.ins(Pp::None, Map::M0F, Sz::D, AND, dst, constant(magnitude));
            }
            _ => self.fmove(dst, x),
        }
        self.fdone(fmt, fd, dst);
    }

    /// `fd = a`, all 64 bits, with what is known of them.
    fn fcopy(&mut self, fd: FReg, a: FReg) {
        if fd == a {
            return;
        }
        let x = self.fin_reg(a, XMM0);
        if host_float(fd.0).is_none() {
            self.fsettle(a);
        }
        let dst = Self::fdest(fd);
        self.fmove(dst, x);
        let bit = |mask: u32| mask & 1 << a.0 != 0;
        let (boxed, d, s) = (bit(self.fp.boxed), bit(self.fp.canon_d), bit(self.fp.canon_s));
        self.fdone(Fmt::D, fd, dst);
        self.fp.boxed |= u32::from(boxed) << fd.0;
        self.fp.canon_d |= u32::from(d) << fd.0;
        self.fp.canon_s |= u32::from(s) << fd.0;
    }

    // Comparisons.

    fn fcmp(&mut self, op: FCmpOp, fmt: Fmt, rd: Reg, a: FReg, b: FReg) {
        let dst = if rd.is_zero() { RAX } else { self.dest(rd) };
        self.check_boxed(fmt, &[a, b], Err(rd));
        match op {
            FCmpOp::Eq => {
                let x = self.fin_reg(a, XMM0);
                self.compare_float(UCOMI, fmt, x, Self::fhome(b));
                self.a.setcc(Cc::Np, RCX);
                self.a.setcc(Cc::E, RAX);
                self.a.ins8(Pp::None, Map::One, 0x22, RAX, Rm::R(RCX)); // and al, cl
            }
            // With the operands exchanged, "above" is false for NaNs.
            FCmpOp::Lt
            | FCmpOp::Le
            | FCmpOp::Ltq
            | FCmpOp::Leq
            | FCmpOp::LtKeep
            | FCmpOp::LeKeep => {
                let keep = matches!(op, FCmpOp::LtKeep | FCmpOp::LeKeep);
                let quiet = keep || matches!(op, FCmpOp::Ltq | FCmpOp::Leq);
                let strict = matches!(op, FCmpOp::Lt | FCmpOp::Ltq | FCmpOp::LtKeep);
                let y = self.fin_reg(b, XMM0);
                let opcode = if quiet { UCOMI } else { COMI };
                self.compare_float(opcode, fmt, y, Self::fhome(a));
                if keep {
                    self.restore_flags_if_unordered();
                }
                self.a.setcc(if strict { Cc::A } else { Cc::Ae }, RAX);
            }
        }
        self.a.movzx8(dst, Rm::R(RAX));
        if !rd.is_zero() {
            self.done(rd, dst, true);
        }
    }

    /// A NaN may have raised a flag: takes MXCSR as `read_flags` left it in the scratch field.
    fn restore_flags_if_unordered(&mut self) {
        let cold = self.a.buf.cold_pos();
        self.a.jcc(Cc::P, cold);
        let back = self.a.pos();
        self.in_cold(|e| {
            e.a.ins(Pp::None, Map::M0F, Sz::D, 0xae, 2, Rm::S(field!(scratch))); // ldmxcsr
            e.a.jmp(back);
        });
    }

    // Moves between register files, loads and stores.

    fn move_to_int(&mut self, fmt: Fmt, rd: Reg, a: FReg) {
        if rd.is_zero() {
            return;
        }
        if fmt == Fmt::H {
            return self.helper(1 << rd.0);
        }
        self.fsettle(a);
        let dst = self.dest(rd);
        match (Self::fhome(a), fmt) {
            (Rm::R(x), Fmt::D) => self.movq_from_vector(dst, x),
            (Rm::R(x), _) => self.a.ins(Pp::P66, Map::M0F, Sz::D, 0x7e, x, Rm::R(dst)),
            (slot, Fmt::D) => self.a.mov(Sz::Q, dst, slot),
            (slot, _) => self.a.mov(Sz::D, dst, slot),
        }
        if fmt == Fmt::D {
            self.done(rd, dst, false);
        } else {
            self.done_word(rd, dst);
        }
    }

    fn move_from_int(&mut self, fmt: Fmt, fd: FReg, a: Reg) {
        if fmt == Fmt::H {
            return self.helper(0);
        }
        if fmt == Fmt::D {
            let o = self.use64(a);
            match host_float(fd.0) {
                Some(x) => {
                    let r = self.opnd_in_reg(Sz::Q, o, RAX);
                    self.movq_to_vector(x, r);
                }
                None => {
                    let r = self.opnd_in_reg(Sz::Q, o, RAX);
                    self.a.mov_to(Sz::Q, Rm::S(float_slot(fd.0)), r);
                }
            }
            return self.define(fd, false);
        }
        let o = self.use32(a);
        let r = self.opnd_in_reg(Sz::D, o, RAX);
        let dst = Self::fdest(fd);
        self.a.ins(Pp::P66, Map::M0F, Sz::D, 0x6e, dst, Rm::R(r));
        self.a.ins(Pp::None, Map::M0F, Sz::D, OR, dst, constant(BOX));
        self.fdone(Fmt::S, fd, dst);
    }

    pub(super) fn fload(&mut self, fmt: Fmt, fd: FReg, base: Reg, off: i32) {
        if fmt == Fmt::H {
            return self.helper(0);
        }
        let from = self.address(base, off);
        self.fault_point();
        match (host_float(fd.0), fmt) {
            (None, Fmt::D) => {
                self.a.mov(Sz::Q, RCX, from);
                self.a.mov_to(Sz::Q, Rm::S(float_slot(fd.0)), RCX);
                self.define(fd, false);
            }
            (None, _) => {
                self.a.mov(Sz::D, RCX, from);
                self.a.mov_to(Sz::D, Rm::S(float_slot(fd.0)), RCX);
                self.a.mov_mem_imm(Sz::D, Rm::S(float_slot(fd.0) + 4), -1);
                self.define(fd, true);
            }
            (Some(x), _) => {
                self.a.ins(scalar(fmt), Map::M0F, Sz::D, MOVU_LOAD, x, from);
                if fmt == Fmt::S {
                    self.a.ins(Pp::None, Map::M0F, Sz::D, OR, x, constant(BOX));
                }
                self.define(fd, fmt == Fmt::S);
            }
        }
    }

    pub(super) fn fstore(&mut self, fmt: Fmt, fs: FReg, base: Reg, off: i32) {
        if fmt == Fmt::H {
            return self.helper(0);
        }
        self.fsettle(fs);
        let to = self.address_keep_rcx(base, off);
        match Self::fhome(fs) {
            Rm::R(x) => {
                self.fault_point();
                self.a.ins(scalar(fmt), Map::M0F, Sz::D, MOVU_STORE, x, to);
            }
            slot => {
                let sz = if fmt == Fmt::D { Sz::Q } else { Sz::D };
                self.a.mov(sz, RCX, slot);
                self.fault_point();
                self.a.mov_to(sz, to, RCX);
            }
        }
    }

    /// A host register for an integer result of a conversion.
    pub(super) fn int_dest(&mut self, rd: Reg) -> u8 {
        self.settle_dependents(rd.0);
        host_int(rd.0).unwrap_or(RAX)
    }
}

/// MXCSR for a rounding mode that the host has and accrued flags, all exceptions masked.
pub(super) fn mxcsr(frm: u8, flags: u8) -> u32 {
    // RISC-V: RNE RTZ RDN RUP; x86: nearest, down, up, zero.
    const ROUNDING: [u32; 4] = [0, 3, 1, 2];
    let mut word = 0x1f80 | ROUNDING[usize::from(frm & 3)] << 13;
    for (bit, flag) in FLAGS {
        if flags & flag != 0 {
            word |= bit;
        }
    }
    word
}

/// The accrued flags in MXCSR. There is no RISC-V flag for denormal operands.
pub(super) fn fflags(word: u32) -> u8 {
    FLAGS.iter().filter(|(bit, _)| word & bit != 0).map(|(_, flag)| flag).sum()
}

const FLAGS: [(u32, u8); 5] = [
    (0x01, fflags::NV),
    (0x04, fflags::DZ),
    (0x08, fflags::OF),
    (0x10, fflags::UF),
    (0x20, fflags::NX),
];
