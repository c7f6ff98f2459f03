//! Floating point: arithmetic, comparisons, moves, loads and stores.
//!
//! Three things differ from the host, and each is dealt with where it can be seen:
//! - *Canonical NaNs.* FPCR.DN makes every NaN result RISC-V's canonical one.
//! - *NaN boxes.* Scalar operations on singles clear the upper half of their result, so results
//!   are boxed when something looks at all 64 bits: a store, a move, an exit
//!   (`FloatState::loose`). Operands that are not known to be boxed are checked.
//! - *Rounding.* The dynamic mode is in FPCR; the runtime lets the interpreter run as long as the
//!   guest chooses one that FPCR has not. An operation with a static mode is executed here if the
//!   dynamic one is the same, which is checked once a block, or if the host has it in its encoding.
//!
//! Flags accrue in FPSR as they do in `fcsr`, with one difference: the host detects tininess
//! before rounding, RISC-V after it; see [`Emitter::underflowing`].

use super::Emitter;
use super::asm::{Alu, Asm, At, Cc, MRS_FPSR, MSR_FPSR, Mem, Sz, Test, Two};
use super::regs::{BOX, STATE, V29, V30, V31, X0, X1, X16, X30, ZR, field, float_slot, host_float};
use crate::backend::emit::{
    Access, Host, LowerArith, LowerFloat, LowerFloatMove, LowerMemory, Writes,
};
use crate::cpu::fflags;
use crate::ir::{Cond, FBinOp, FCmpOp, FReg, FUnOp, Fmt, Node, Op, Reg, Rounding};
use crate::util::CodePtr;

/// Number of the underflow flag in FPSR.
const UF_BIT: u8 = 3;

// Scalar operations on singles, without registers; see `ftype`.
const FADD: u32 = 0x1e20_2800;
const FSUB: u32 = 0x1e20_3800;
const FMUL: u32 = 0x1e20_0800;
const FDIV: u32 = 0x1e20_1800;
const FMINNM: u32 = 0x1e20_7800;
const FMAXNM: u32 = 0x1e20_6800;
/// These make NaN of a NaN.
const FMIN: u32 = 0x1e20_5800;
const FMAX: u32 = 0x1e20_4800;
const FSQRT: u32 = 0x1e21_c000;
pub(super) const FABS: u32 = 0x1e20_c000;
pub(super) const FNEG: u32 = 0x1e21_4000;
const FMADD: u32 = 0x1f00_0000;
pub(super) const FCMP: u32 = 0x1e20_2000;
/// Signals an invalid operation for quiet NaNs too.
const FCMPE: u32 = 0x1e20_2010;
/// In the mode of FPCR, raising the inexact flag, and not raising it.
pub(super) const FRINTX: u32 = 0x1e27_4000;
const FRINTI: u32 = 0x1e27_c000;
/// `fmov d, d`
pub(super) const FMOV_D: u32 = 0x1e60_4000;
/// `fmov d, x` and `fmov x, d`
pub(super) const FMOV_FROM_X: u32 = 0x9e67_0000;
pub(super) const FMOV_TO_X: u32 = 0x9e66_0000;
/// On the low halves of vectors: `and`, `orr`, `eor`, `bit` and `bif` (insert the bits that a mask
/// selects, or that it does not).
pub(super) const AND_V: u32 = 0x0e20_1c00;
pub(super) const ORR_V: u32 = 0x0ea0_1c00;
const EOR_V: u32 = 0x2e20_1c00;
const BIT_V: u32 = 0x2ea0_1c00;
const BIF_V: u32 = 0x2ee0_1c00;
/// `shl d, d, #31`
const SHL_31: u32 = 0x5f5f_5400;
/// `umov w, v.s[1]`
const UMOV_UPPER: u32 = 0x0e0c_3c00;

/// The type field of scalar operations.
pub(super) const fn ftype(fmt: Fmt) -> u32 {
    match fmt {
        Fmt::D => 1 << 22,
        Fmt::S | Fmt::H => 0,
    }
}

/// `fmov s, w` or `fmov d, x`.
pub(super) const fn fmov_from_int(sz: Sz) -> u32 {
    match sz {
        Sz::W => 0x1e27_0000,
        Sz::X => FMOV_FROM_X,
    }
}

/// `fmov w, s` or `fmov x, d`.
pub(super) const fn fmov_to_int(sz: Sz) -> u32 {
    match sz {
        Sz::W => 0x1e26_0000,
        Sz::X => FMOV_TO_X,
    }
}

impl<'b> LowerFloat<'b, Asm<'b>> for Emitter<'b, '_> {
    fn canonical(&mut self, _f: FReg) {}

    fn interpret_and_leave(&mut self, _operands: &[FReg], writes: Writes) {
        let (sym, fp) = (self.sym.clone(), self.fp.clone());
        self.in_cold(|e| {
            // Operands that are known to be boxed are so for the interpreter too.
            e.flush();
            e.call_helper();
            match writes {
                Writes::Float(fd) => e.fp.define(fd, false),
                Writes::Int(rd) if rd.is_zero() => {}
                Writes::Int(rd) => e.sym.set_home(rd.0, false),
            }
            e.jump_to(e.pc + 4);
        });
        (self.sym, self.fp) = (sym, fp);
    }

    fn interpret(&mut self, operands: &[FReg]) {
        let fp = self.fp.clone();
        for f in operands {
            self.tighten(*f);
        }
        self.call_helper();
        self.fp = fp;
    }

    fn float_in_reg(&mut self, f: FReg, scratch: u8) -> u8 {
        host_float(f.0).unwrap_or_else(|| {
            self.a.mem(Mem::LoadD, scratch, At::Disp(STATE, float_slot(f.0)));
            scratch
        })
    }

    fn box_up(&mut self, x: u8) {
        self.a.dnm(ORR_V, x, x, BOX);
    }

    fn flush_canon(&mut self, _keep: u32) {
        debug_assert_eq!(self.fp.canon(), 0, "arithmetic makes canonical NaNs");
    }

    fn test_nan(&mut self, _fmt: Fmt, _f: FReg) -> Test {
        unreachable!("no NaN is looked for")
    }

    fn test_unboxed(&mut self, f: FReg) -> Test {
        match host_float(f.0) {
            Some(x) => self.test_unboxed_in(x),
            None => {
                self.a.mem(Mem::LoadW, X16, At::Disp(STATE, float_slot(f.0) + 4));
                self.a.cmp_imm(Sz::W, X16, -1);
                Test::Flags(Cc::Ne)
            }
        }
    }

    fn test_unboxed_in(&mut self, x: u8) -> Test {
        self.a.dn(UMOV_UPPER, X16, x);
        self.a.cmp_imm(Sz::W, X16, -1);
        Test::Flags(Cc::Ne)
    }

    fn and_boxes(&mut self, all: Option<u8>, x: u8) -> u8 {
        let Some(all) = all else { return x };
        self.a.dnm(AND_V, V31, all, x);
        V31
    }

    fn test_rounding_is_not(&mut self, code: u8) -> Test {
        self.a.mem(Mem::LoadB, X16, At::Disp(STATE, field!(hart.frm)));
        if code == 0 {
            return Test::NotZero(Sz::W, X16);
        }
        self.a.cmp_imm(Sz::W, X16, code.into());
        Test::Flags(Cc::Ne)
    }
}

impl LowerArith for Emitter<'_, '_> {
    // Arithmetic.

    fn fbin(&mut self, op: FBinOp, fmt: Fmt, rm: Rounding, fd: FReg, a: FReg, b: FReg) {
        let opcode = match op {
            FBinOp::Add => FADD,
            FBinOp::Sub => FSUB,
            FBinOp::Mul => FMUL,
            FBinOp::Div => FDIV,
            FBinOp::Min => return self.fmin_max(FMINNM, fmt, fd, a, b),
            FBinOp::Max => return self.fmin_max(FMAXNM, fmt, fd, a, b),
            FBinOp::Minm => FMIN,
            FBinOp::Maxm => FMAX,
            FBinOp::Sgnj | FBinOp::Sgnjn | FBinOp::Sgnjx => return self.fsign(op, fmt, fd, a, b),
        };
        let rounds = !matches!(op, FBinOp::Minm | FBinOp::Maxm);
        if rounds && !self.check_rounding(rm, &[], Writes::Float(fd)) {
            return self.helper(0);
        }
        self.check_boxed(fmt, &[a, b], Writes::Float(fd));
        let x = self.fuse(fmt, a, V29);
        let y = self.fuse(fmt, b, V30);
        if matches!(op, FBinOp::Mul | FBinOp::Div) {
            let word = opcode | ftype(fmt);
            return self.underflowing(fmt, fd, &[a, b], |e, dst| e.a.dnm(word, dst, x, y));
        }
        let dst = Self::fdest(fd);
        self.a.dnm(opcode | ftype(fmt), dst, x, y);
        self.fdone(fmt, fd, dst, true);
    }

    fn fsqrt(&mut self, fmt: Fmt, rm: Rounding, fd: FReg, a: FReg) {
        if !self.check_rounding(rm, &[], Writes::Float(fd)) {
            return self.helper(0);
        }
        self.check_boxed(fmt, &[a], Writes::Float(fd));
        let x = self.fuse(fmt, a, V29);
        let dst = Self::fdest(fd);
        self.a.dn(FSQRT | ftype(fmt), dst, x);
        self.fdone(fmt, fd, dst, true);
    }

    fn fround(&mut self, op: FUnOp, fmt: Fmt, rm: Rounding, fd: FReg, a: FReg) {
        let opcode = match (op, rm) {
            (FUnOp::Sqrt, _) => unreachable!("rounds otherwise"),
            (FUnOp::RoundNx, _) if !self.check_rounding(rm, &[], Writes::Float(fd)) => {
                return self.helper(0);
            }
            (FUnOp::RoundNx, _) => FRINTX,
            (FUnOp::Round, Rounding::Dyn) => FRINTI,
            (FUnOp::Round, Rounding::Rne) => 0x1e24_4000,
            (FUnOp::Round, Rounding::Rup) => 0x1e24_c000,
            (FUnOp::Round, Rounding::Rdn) => 0x1e25_4000,
            (FUnOp::Round, Rounding::Rtz) => 0x1e25_c000,
            (FUnOp::Round, Rounding::Rmm) => 0x1e26_4000,
        };
        self.check_boxed(fmt, &[a], Writes::Float(fd));
        let x = self.fuse(fmt, a, V29);
        let dst = Self::fdest(fd);
        self.a.dn(opcode | ftype(fmt), dst, x);
        self.fdone(fmt, fd, dst, true);
    }

    fn fmuladd(
        &mut self,
        fmt: Fmt,
        rm: Rounding,
        (neg_product, neg_addend): (bool, bool),
        fd: FReg,
        [a, b, c]: [FReg; 3],
    ) {
        if !self.check_rounding(rm, &[], Writes::Float(fd)) {
            return self.helper(0);
        }
        self.check_boxed(fmt, &[a, b, c], Writes::Float(fd));
        let x = self.fuse(fmt, a, V29);
        let y = self.fuse(fmt, b, V30);
        let z = self.fuse(fmt, c, V31);
        // Bit 21 negates the addend, bit 15 together with it the product: fmadd c + ab,
        // fmsub c - ab, fnmadd -c - ab, fnmsub -c + ab.
        let variant = u32::from(neg_addend) << 21 | u32::from(neg_product != neg_addend) << 15;
        let word = FMADD | ftype(fmt) | variant | u32::from(z) << 10;
        self.underflowing(fmt, fd, &[a, b, c], |e, dst| e.a.dnm(word, dst, x, y));
    }
}

impl LowerFloatMove for Emitter<'_, '_> {
    fn load_bits(&mut self, fd: FReg, bits: u64) {
        self.a.mov_imm(X0, bits);
        match host_float(fd.0) {
            Some(x) => self.a.dn(FMOV_FROM_X, x, X0),
            None => self.a.store_field(float_slot(fd.0), X0),
        }
    }

    // Comparisons.

    fn fcmp(&mut self, op: FCmpOp, fmt: Fmt, rd: Reg, a: FReg, b: FReg) {
        let dst = if rd.is_zero() { X30 } else { self.dest(rd) };
        self.check_boxed(fmt, &[a, b], Writes::Int(rd));
        let cc = self.fcompare(op, fmt, a, b);
        self.a.cset(cc, dst);
        if !rd.is_zero() {
            self.done(rd, dst, true);
        }
    }

    fn fclass(&mut self, fmt: Fmt, rd: Reg, a: FReg) {
        // (operand size, bits of the fraction, infinity shifted left by one)
        let (sz, fraction, infinity) = match fmt {
            Fmt::D => (Sz::X, 52, 0xffe0_0000_0000_0000),
            Fmt::S => (Sz::W, 23, 0xff00_0000),
            Fmt::H => return self.helper(1 << rd.0),
        };
        let dst = if rd.is_zero() { X30 } else { self.dest(rd) };
        self.check_boxed(fmt, &[a], Writes::Int(rd));
        let x = self.fuse(fmt, a, V29);
        self.a.dn(fmov_to_int(sz), X0, x);
        // The exponent of a normal number is neither 0 nor all ones: plus one, it has bits besides
        // the lowest. Its sign is that of the sum.
        let exponent = match sz {
            Sz::W => {
                self.a.adds_imm(sz, X16, X0, 1 << 11, 12);
                0xfe << 23
            }
            Sz::X => {
                self.a.shr_imm(true, sz, X16, X0, fraction);
                self.a.adds_imm(sz, X16, X16, 1, 0);
                0x7fe
            }
        };
        self.a.logic_imm(Alu::And, Sz::W, X16, X16, exponent);
        let cold = self.a.buf.cold_pos();
        self.a.jump_if(Test::Zero(Sz::W, X16), cold);
        self.a.mov_imm(X16, 1 << 6);
        self.a.mov_imm(X1, 1 << 1);
        self.a.csel(Cc::Mi, Sz::W, dst, X1, X16);
        let back = self.a.pos();
        self.in_cold(|e| e.fclass_rare(sz, dst, (fraction, infinity), back));
        if !rd.is_zero() {
            self.done(rd, dst, true);
        }
    }

    // Moves between register files, loads and stores.

    fn move_to_int(&mut self, fmt: Fmt, rd: Reg, a: FReg) {
        if rd.is_zero() {
            return;
        }
        if fmt == Fmt::H {
            return self.helper(1 << rd.0);
        }
        let dst = self.dest(rd);
        let x = self.fuse(fmt, a, V29);
        if fmt == Fmt::D {
            self.a.dn(FMOV_TO_X, dst, x);
            self.done(rd, dst, false);
        } else {
            self.a.dn(fmov_to_int(Sz::W), dst, x);
            self.done_word(rd, dst);
        }
    }

    fn move_from_int(&mut self, fmt: Fmt, fd: FReg, a: Reg) {
        if fmt == Fmt::H {
            return self.helper(0);
        }
        let sz = if fmt == Fmt::D { Sz::X } else { Sz::W };
        let x = self.use_sz(sz, a, X1);
        let dst = Self::fdest(fd);
        self.a.dn(fmov_from_int(sz), dst, x);
        self.fdone(fmt, fd, dst, true);
    }

    fn fload(&mut self, fmt: Fmt, fd: FReg, base: Reg, off: i32) {
        if fmt == Fmt::H {
            return self.helper(0);
        }
        let from = self.address(Access::FLoad(fmt), base, off);
        let dst = Self::fdest(fd);
        self.fault_point();
        self.a.access(Access::FLoad(fmt), dst, from);
        self.fdone(fmt, fd, dst, true);
    }

    fn fstore(&mut self, fmt: Fmt, fs: FReg, base: Reg, off: i32) {
        if fmt == Fmt::H {
            return self.helper(0);
        }
        let x = self.fuse(fmt, fs, V29);
        let to = self.address(Access::FStore(fmt), base, off);
        self.fault_point();
        self.a.access(Access::FStore(fmt), x, to);
    }
}

impl Emitter<'_, '_> {
    // Operands and results.

    /// A vector register that holds `f`, of which all bits matter if `fmt` is `D`: its own, or
    /// `scratch`.
    pub(super) fn fuse(&mut self, fmt: Fmt, f: FReg, scratch: u8) -> u8 {
        if fmt == Fmt::D {
            self.tighten(f);
        }
        self.float_in_reg(f, scratch)
    }

    /// Checks that `operands` are NaN-boxed singles, which is known from then on. If one is not,
    /// the interpreter executes the instruction, and the block is
    /// left, since what follows takes them for boxed.
    pub(super) fn check_boxed(&mut self, fmt: Fmt, operands: &[FReg], writes: Writes) {
        let unknown = |e: &Self, f: &FReg| e.fp.boxed & 1 << f.0 == 0;
        if fmt != Fmt::S || !operands.iter().any(|f| unknown(self, f)) {
            return;
        }
        let slow = self.a.buf.cold_pos();
        for (i, f) in operands.iter().enumerate() {
            if unknown(self, f) && !operands[..i].contains(f) {
                let other = self.test_unboxed(*f);
                self.a.jump_if(other, slow);
            }
        }
        self.interpret_and_leave(operands, writes);
        for f in operands {
            self.fp.checked |= !self.fp.boxed & 1 << f.0;
            self.fp.boxed |= 1 << f.0;
        }
    }

    /// An operation on `operands` that may underflow, emitted by `emit` for a destination. (Sums
    /// do not: a tiny one is exact.)
    ///
    /// The host detects tininess before rounding and RISC-V after it, so the host's UF may be one
    /// too many. Where flags must be exact, UF is not set while it is not known to be accrued; once
    /// an operation has set it, the interpreter decides.
    pub(super) fn underflowing(
        &mut self,
        fmt: Fmt,
        fd: FReg,
        operands: &[FReg],
        emit: impl FnOnce(&mut Self, u8),
    ) {
        let dst = Self::fdest(fd);
        if !self.ctx.exact_flags {
            emit(self, dst);
            return self.fdone(fmt, fd, dst, true);
        }
        emit(self, V31);
        let slow = self.a.buf.cold_pos();
        self.a.dn(MRS_FPSR, X16, 0);
        self.a.jump_if(Test::Bit(UF_BIT, X16), slow);
        let right = self.a.pos();
        self.fmove(dst, V31);
        let before = self.fp.clone();
        // In its slot before the slow path joins, which leaves the result there.
        let in_slot = host_float(fd.0).is_none();
        if in_slot {
            self.fdone(fmt, fd, dst, true);
        }
        let (back, after) = (self.a.pos(), std::mem::replace(&mut self.fp, before));
        debug_assert_eq!(self.a.buf.cold_pos(), slow, "the slow path is where the checks jump to");
        self.in_cold(|e| {
            e.a.load_field(X16, field!(known_fp));
            e.a.jump_if(Test::Bit(UF_BIT, X16), right);
            e.a.dn(MRS_FPSR, X16, 0);
            e.a.logic_imm(Alu::And, Sz::W, X16, X16, !(1 << UF_BIT));
            e.a.dn(MSR_FPSR, X16, 0);
            for f in operands {
                e.tighten(*f);
            }
            e.call_helper();
            e.a.b(back);
        });
        self.fp = after;
        if !in_slot {
            self.fdone(fmt, fd, dst, true);
        }
    }

    /// The host's minimum and maximum of numbers differ from RISC-V's for signaling NaNs, for
    /// which they return NaN: if the result is one, the interpreter looks again.
    fn fmin_max(&mut self, opcode: u32, fmt: Fmt, fd: FReg, a: FReg, b: FReg) {
        self.check_boxed(fmt, &[a, b], Writes::Float(fd));
        let x = self.fuse(fmt, a, V29);
        let y = self.fuse(fmt, b, V30);
        let slow = self.a.buf.cold_pos();
        self.a.dnm(opcode | ftype(fmt), V31, x, y);
        self.a.dnm(FCMP | ftype(fmt), 0, V31, V31);
        self.a.jump_if(Test::Flags(Cc::Vs), slow);
        let dst = Self::fdest(fd);
        self.fmove(dst, V31);
        if host_float(fd.0).is_none() {
            // In its slot before the slow path joins, which leaves the result there.
            self.fdone(fmt, fd, dst, true);
            return self.slow_path(slow, &[a, b]);
        }
        self.slow_path(slow, &[a, b]);
        self.fdone(fmt, fd, dst, true);
    }

    pub(super) fn fmove(&mut self, dst: u8, from: u8) {
        self.a.float_move(dst, from);
    }

    // Signs.

    fn fsign(&mut self, op: FBinOp, fmt: Fmt, fd: FReg, a: FReg, b: FReg) {
        if op == FBinOp::Sgnj && a == b && fmt == Fmt::D {
            return self.fcopy(fd, a);
        }
        self.check_boxed(fmt, &[a, b], Writes::Float(fd));
        if op == FBinOp::Sgnj && a == b {
            return self.fcopy(fd, a);
        }
        let x = self.fuse(fmt, a, V29);
        let y = if a == b { x } else { self.fuse(fmt, b, V30) };
        let dst = Self::fdest(fd);
        match op {
            FBinOp::Sgnjn if a == b => self.a.dn(FNEG | ftype(fmt), dst, x),
            FBinOp::Sgnjx if a == b => self.a.dn(FABS | ftype(fmt), dst, x),
            _ => {
                let sign = match op {
                    FBinOp::Sgnjn => {
                        self.a.dn(FNEG | ftype(fmt), V30, y);
                        V30
                    }
                    FBinOp::Sgnjx => {
                        self.a.dnm(EOR_V, V30, x, y);
                        V30
                    }
                    _ => y,
                };
                // The mask: the sign.
                if fmt == Fmt::D {
                    self.a.dn(SHL_31, V31, BOX);
                } else {
                    self.a.mov_imm(X16, 1 << 31);
                    self.a.dn(FMOV_FROM_X, V31, X16);
                }
                if dst == sign {
                    self.a.dnm(BIF_V, dst, x, V31);
                } else {
                    self.fmove(dst, x);
                    self.a.dnm(BIT_V, dst, sign, V31);
                }
            }
        }
        self.fdone(fmt, fd, dst, true);
    }

    /// A comparison and the branch forward on its result, if the result is not needed for long: it
    /// is a constant on either path, and mostly overwritten before anybody wants it.
    pub(super) fn fcmp_branch(&mut self, compare: &Op, branch: &Node) -> bool {
        let Op::FCmp { op, fmt, rd, a, b } = *compare else { return false };
        let Op::Branch { cond, a: left, b: right, target } = branch.op else { return false };
        let on_result = (left == rd && right.is_zero()) || (left.is_zero() && right == rd);
        let if_true = match cond {
            Cond::Ne => true,
            Cond::Eq => false,
            Cond::Lt | Cond::Ge | Cond::Ltu | Cond::Geu => return false,
        };
        let redefined = self.redefined & 1 << rd.0 != 0;
        if rd.is_zero() || !on_result || !redefined || target <= branch.pc {
            return false;
        }
        self.settle_dependents(rd.0);
        self.check_boxed(fmt, &[a, b], Writes::Int(rd));
        self.sym.set_home(rd.0, false);
        self.settle_lasting();
        let cc = self.fcompare(op, fmt, a, b);
        self.pc = branch.pc;
        self.sym.set_const(rd.0, u64::from(if_true), false);
        self.branch_later(Test::Flags(if if_true { cc } else { cc.inverse() }), target);
        self.sym.set_const(rd.0, u64::from(!if_true), false);
        true
    }

    /// Compares boxed operands; the condition that holds if the result is true.
    fn fcompare(&mut self, op: FCmpOp, fmt: Fmt, a: FReg, b: FReg) -> Cc {
        let x = self.fuse(fmt, a, V29);
        let y = self.fuse(fmt, b, V30);
        // Unordered clears N and Z and sets C and V.
        let (opcode, cc) = match op {
            FCmpOp::Eq => (FCMP, Cc::Eq),
            FCmpOp::Lt => (FCMPE, Cc::Mi),
            FCmpOp::Le => (FCMPE, Cc::Ls),
            FCmpOp::Ltq | FCmpOp::LtKeep => (FCMP, Cc::Mi),
            FCmpOp::Leq | FCmpOp::LeKeep => (FCMP, Cc::Ls),
        };
        self.a.dnm(opcode | ftype(fmt), 0, x, y);
        if matches!(op, FCmpOp::LtKeep | FCmpOp::LeKeep) {
            self.restore_flags_if_unordered();
        }
        cc
    }

    /// x16 = the class of what is in x0 and not a normal number.
    fn fclass_rare(&mut self, sz: Sz, dst: u8, (fraction, infinity): (u8, u64), back: CodePtr) {
        self.a.lsl_imm(sz, X1, X0, 1);
        self.a.mov_imm(X16, infinity);
        self.a.cmp(sz, X1, X16);
        let nan = self.a.branch_if(Test::Flags(Cc::Hi));
        // 0 for zero, 1 for a subnormal number, 3 for infinity.
        self.a.mov_imm(X16, 3);
        let infinite = self.a.branch_if(Test::Flags(Cc::Eq));
        self.a.cmp(sz, X1, ZR);
        self.a.cset(Cc::Ne, X16);
        self.a.bind(infinite);
        let negative = self.a.branch_if(Test::Negative(sz, X0));
        self.a.mov_imm(X1, 1 << 4);
        self.a.two(Two::Lsl, Sz::W, dst, X1, X16);
        self.a.b(back);
        self.a.bind(negative);
        self.a.mov_imm(X1, 1 << 3);
        self.a.two(Two::Lsr, Sz::W, dst, X1, X16);
        self.a.b(back);
        self.a.bind(nan);
        // 1 << 8, or 1 << 9 if it is quiet.
        self.a.ubfx(X16, X0, fraction - 1, 1);
        self.a.add_imm(Sz::W, X16, X16, 1);
        self.a.lsl_imm(Sz::W, dst, X16, 8);
        self.a.b(back);
    }

    /// A NaN may have raised a flag: takes FPSR as `read_flags` left it in the scratch field.
    fn restore_flags_if_unordered(&mut self) {
        let cold = self.a.buf.cold_pos();
        self.a.jump_if(Test::Flags(Cc::Vs), cold);
        let back = self.a.pos();
        self.in_cold(|e| {
            e.a.load_field(X16, field!(scratch));
            e.a.dn(MSR_FPSR, X16, 0);
            e.a.b(back);
        });
    }
}

/// Default NaNs, which are RISC-V's canonical ones.
const FPCR_DN: u32 = 1 << 25;

/// FPCR for a rounding mode that the host has, with the flags of FPSR, whose bits FPCR does not
/// use, in their places.
pub(super) fn fp_word(frm: u8, flags: u8) -> u32 {
    // RISC-V: RNE RTZ RDN RUP; the host: nearest, up, down, zero.
    const ROUNDING: [u32; 4] = [0, 3, 2, 1];
    let mut word = FPCR_DN | ROUNDING[usize::from(frm & 3)] << 22;
    for (bit, flag) in FLAGS {
        if flags & flag != 0 {
            word |= bit;
        }
    }
    word
}

/// The accrued flags in such a word.
pub(super) fn fflags(word: u32) -> u8 {
    FLAGS.iter().filter(|(bit, _)| word & bit != 0).map(|(_, flag)| flag).sum()
}

const FLAGS: [(u32, u8); 5] = [
    (0x01, fflags::NV),
    (0x02, fflags::DZ),
    (0x04, fflags::OF),
    (0x08, fflags::UF),
    (0x10, fflags::NX),
];
