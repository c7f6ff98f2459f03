//! Floating point: arithmetic, comparisons, moves, loads and stores.
//!
//! Three things differ from the host, and each is dealt with where it can be seen:
//! - *Canonical NaNs.* FPCR.DN makes every NaN result RISC-V's canonical one.
//! - *NaN boxes.* Scalar operations on singles clear the upper half of their result, so results
//!   are boxed when something looks at all 64 bits: a store, a move, an exit
//!   ([`FloatState::unboxed`]). Operands that are not known to be boxed are checked.
//! - *Rounding.* The dynamic mode is in FPCR; the runtime lets the interpreter run as long as the
//!   guest chooses one that FPCR has not. A static mode takes the slow path, but for conversions
//!   to integers.
//!
//! Flags accrue in FPSR as they do in `fcsr`, with one difference: the host detects tininess
//! before rounding, RISC-V after it; see [`Emitter::underflowing`].

use super::asm::{Alu, At, Cc, Mem, Sz, Test};
use super::emit::Emitter;
use super::entry::{MRS_FPSR, MSR_FPSR};
use super::regs::{
    BOX, FLOAT_MAP, STATE, V29, V30, V31, X0, X1, X2, X16, ZR, field, float_slot, host_float,
};
use crate::backend::Recipe;
use crate::cpu::fflags;
use crate::ir::{FBinOp, FCmpOp, FReg, FUnOp, Fmt, Op, Reg, Rounding};
use crate::util::CodePtr;

/// Underflow in FPSR.
const UF: u64 = 0x08;

/// What is known of the floating-point registers, one bit each.
#[derive(Clone, Debug)]
pub(super) struct FloatState {
    /// Known to be NaN-boxed singles.
    boxed: u32,
    /// Of those, the ones whose upper half has still to be set. Only registers with a vector
    /// register.
    unboxed: u32,
}

impl FloatState {
    pub(super) const fn new() -> Self {
        Self { boxed: 0, unboxed: 0 }
    }
}

// Scalar operations on singles, without registers; see `ftype`.
const FADD: u32 = 0x1e20_2800;
const FSUB: u32 = 0x1e20_3800;
const FMUL: u32 = 0x1e20_0800;
const FDIV: u32 = 0x1e20_1800;
const FMINNM: u32 = 0x1e20_7800;
const FMAXNM: u32 = 0x1e20_6800;
const FSQRT: u32 = 0x1e21_c000;
const FABS: u32 = 0x1e20_c000;
const FNEG: u32 = 0x1e21_4000;
const FMADD: u32 = 0x1f00_0000;
pub(super) const FCMP: u32 = 0x1e20_2000;
/// Signals an invalid operation for quiet NaNs too.
const FCMPE: u32 = 0x1e20_2010;
pub(super) const FRINTX: u32 = 0x1e27_4000;
/// `fmov d, d`
const FMOV_D: u32 = 0x1e60_4000;
/// `fmov d, x` and `fmov x, d`
pub(super) const FMOV_FROM_X: u32 = 0x9e67_0000;
pub(super) const FMOV_TO_X: u32 = 0x9e66_0000;
/// On the low halves of vectors: `orr`, `eor`, and `bit` (insert the bits that a mask selects).
const ORR_V: u32 = 0x0ea0_1c00;
const EOR_V: u32 = 0x2e20_1c00;
const BIT_V: u32 = 0x2ea0_1c00;
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
                self.a.mov_imm(X0, bits);
                match host_float(fd.0) {
                    Some(x) => self.a.dn(FMOV_FROM_X, x, X0),
                    None => self.a.store_field(float_slot(fd.0), X0),
                }
                self.define(fd, bits >> 32 == 0xffff_ffff);
            }
            _ => unreachable!("not a floating-point operation"),
        }
    }

    // Operands and results.

    /// A vector register that holds `f`, of which all bits matter if `fmt` is `D`: its own, or
    /// `scratch`.
    pub(super) fn fuse(&mut self, fmt: Fmt, f: FReg, scratch: u8) -> u8 {
        if fmt == Fmt::D {
            self.fsettle(f);
        }
        host_float(f.0).unwrap_or_else(|| {
            self.a.mem(Mem::LoadD, scratch, At::Disp(STATE, float_slot(f.0)));
            scratch
        })
    }

    /// The register to compute `fd` in.
    pub(super) fn fdest(fd: FReg) -> u8 {
        host_float(fd.0).unwrap_or(V29)
    }

    /// `fd` has a new value at home.
    pub(super) fn define(&mut self, fd: FReg, boxed: bool) {
        let bit = 1 << fd.0;
        self.fp.unboxed &= !bit;
        self.fp.boxed = if boxed { self.fp.boxed | bit } else { self.fp.boxed & !bit };
    }

    /// `fd` has a new value in `dst`; a single has its upper half zero.
    pub(super) fn fdone(&mut self, fmt: Fmt, fd: FReg, dst: u8) {
        if host_float(fd.0).is_none() {
            if fmt == Fmt::S {
                self.a.dnm(ORR_V, dst, dst, BOX);
            }
            self.a.mem(Mem::StoreD, dst, At::Disp(STATE, float_slot(fd.0)));
            return self.define(fd, fmt == Fmt::S);
        }
        self.define(fd, fmt == Fmt::S);
        if fmt == Fmt::S {
            self.fp.unboxed |= 1 << fd.0;
        }
    }

    /// Boxes `f` if that has not been done, before somebody looks at its upper half.
    pub(super) fn fsettle(&mut self, f: FReg) {
        let bit = 1 << f.0;
        if self.fp.unboxed & bit != 0
            && let Some(x) = host_float(f.0)
        {
            self.a.dnm(ORR_V, x, x, BOX);
        }
        self.fp.unboxed &= !bit;
    }

    pub(super) fn flush_float(&mut self) {
        while self.fp.unboxed != 0 {
            self.fsettle(FReg(self.fp.unboxed.trailing_zeros() as u8));
        }
    }

    pub(super) fn reset_float(&mut self) {
        debug_assert!(!self.float_pending(), "boxes would be lost");
        self.fp = FloatState::new();
    }

    pub(super) fn float_pending(&self) -> bool {
        self.fp.unboxed != 0
    }

    pub(super) fn float_recipes(&mut self) {
        if !self.float_pending() {
            return;
        }
        for (f, _) in FLOAT_MAP {
            if self.fp.unboxed & 1 << f != 0 {
                self.a.buf.recipes.push(Recipe::Box(f));
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
        let slow = self.a.buf.cold_pos();
        for (i, f) in operands.iter().enumerate() {
            if unknown(self, f) && !operands[..i].contains(f) {
                self.compare_box(*f);
                self.a.jump_if(Test::Flags(Cc::Ne), slow);
            }
        }
        let (sym, fp) = (self.sym.clone(), self.fp.clone());
        self.in_cold(|e| {
            // Operands that are known to be boxed are so for the interpreter too.
            e.flush();
            e.call_helper();
            match result {
                Ok(fd) => e.define(fd, false),
                Err(rd) if rd.is_zero() => {}
                Err(rd) => e.sym.set_home(rd.0, false),
            }
            e.jump_to(e.next);
        });
        (self.sym, self.fp) = (sym, fp);
        for f in operands {
            self.fp.boxed |= 1 << f.0;
        }
    }

    /// Compares the upper half of `f` with all ones.
    fn compare_box(&mut self, f: FReg) {
        match host_float(f.0) {
            Some(x) => self.a.dn(UMOV_UPPER, X16, x),
            None => self.a.mem(Mem::LoadW, X16, At::Disp(STATE, float_slot(f.0) + 4)),
        }
        self.a.cmp_imm(Sz::W, X16, -1);
    }

    /// The slow path at `slow`: the interpreter executes the instruction on `operands`, then hot
    /// code goes on.
    pub(super) fn slow_path(&mut self, slow: CodePtr, operands: &[FReg]) {
        let back = self.a.pos();
        let fp = self.fp.clone();
        debug_assert_eq!(self.a.buf.cold_pos(), slow, "the slow path is where the checks jump to");
        self.in_cold(|e| {
            // Boxing an operand once more changes nothing.
            for f in operands {
                e.fsettle(*f);
            }
            e.call_helper();
            e.a.b(back);
        });
        self.fp = fp;
    }

    // Arithmetic.

    fn fbin(&mut self, op: FBinOp, fmt: Fmt, rm: Rounding, fd: FReg, a: FReg, b: FReg) {
        let opcode = match op {
            FBinOp::Add => FADD,
            FBinOp::Sub => FSUB,
            FBinOp::Mul => FMUL,
            FBinOp::Div => FDIV,
            FBinOp::Min => return self.fmin_max(FMINNM, fmt, fd, a, b),
            FBinOp::Max => return self.fmin_max(FMAXNM, fmt, fd, a, b),
            FBinOp::Minm | FBinOp::Maxm => return self.helper(0),
            FBinOp::Sgnj | FBinOp::Sgnjn | FBinOp::Sgnjx => return self.fsign(op, fmt, fd, a, b),
        };
        if rm != Rounding::Dyn {
            return self.helper(0);
        }
        self.check_boxed(fmt, &[a, b], Ok(fd));
        let x = self.fuse(fmt, a, V29);
        let y = self.fuse(fmt, b, V30);
        if matches!(op, FBinOp::Mul | FBinOp::Div) {
            let word = opcode | ftype(fmt);
            return self.underflowing(fmt, fd, &[a, b], |e, dst| e.a.dnm(word, dst, x, y));
        }
        let dst = Self::fdest(fd);
        self.a.dnm(opcode | ftype(fmt), dst, x, y);
        self.fdone(fmt, fd, dst);
    }

    fn fsqrt(&mut self, fmt: Fmt, fd: FReg, a: FReg) {
        self.check_boxed(fmt, &[a], Ok(fd));
        let x = self.fuse(fmt, a, V29);
        let dst = Self::fdest(fd);
        self.a.dn(FSQRT | ftype(fmt), dst, x);
        self.fdone(fmt, fd, dst);
    }

    fn fmuladd(
        &mut self,
        fmt: Fmt,
        rm: Rounding,
        (neg_product, neg_addend): (bool, bool),
        fd: FReg,
        [a, b, c]: [FReg; 3],
    ) {
        if rm != Rounding::Dyn {
            return self.helper(0);
        }
        self.check_boxed(fmt, &[a, b, c], Ok(fd));
        let x = self.fuse(fmt, a, V29);
        let y = self.fuse(fmt, b, V30);
        let z = self.fuse(fmt, c, V31);
        // Bit 21 negates the addend, bit 15 together with it the product: fmadd c + ab,
        // fmsub c - ab, fnmadd -c - ab, fnmsub -c + ab.
        let variant = u32::from(neg_addend) << 21 | u32::from(neg_product != neg_addend) << 15;
        let word = FMADD | ftype(fmt) | variant | u32::from(z) << 10;
        self.underflowing(fmt, fd, &[a, b, c], |e, dst| e.a.dnm(word, dst, x, y));
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
            return self.fdone(fmt, fd, dst);
        }
        emit(self, V31);
        let slow = self.a.buf.cold_pos();
        self.a.dn(MRS_FPSR, X16, 0);
        self.a.logic_imm(Alu::Ands, Sz::W, ZR, X16, UF);
        self.a.jump_if(Test::Flags(Cc::Ne), slow);
        let right = self.a.pos();
        self.fmove(dst, V31);
        let before = self.fp.clone();
        // In its slot before the slow path joins, which leaves the result there.
        let in_slot = host_float(fd.0).is_none();
        if in_slot {
            self.fdone(fmt, fd, dst);
        }
        let (back, after) = (self.a.pos(), std::mem::replace(&mut self.fp, before));
        self.in_cold(|e| {
            debug_assert_eq!(e.a.pos(), slow, "the slow path is where the checks jump to");
            e.a.load_field(X16, field!(known_fp));
            e.a.logic_imm(Alu::Ands, Sz::W, ZR, X16, UF);
            e.a.jump_if(Test::Flags(Cc::Ne), right);
            e.a.dn(MRS_FPSR, X16, 0);
            e.a.logic_imm(Alu::And, Sz::W, X16, X16, !UF);
            e.a.dn(MSR_FPSR, X16, 0);
            for f in operands {
                e.fsettle(*f);
            }
            e.call_helper();
            e.a.b(back);
        });
        self.fp = after;
        if !in_slot {
            self.fdone(fmt, fd, dst);
        }
    }

    /// The host's minimum and maximum of numbers differ from RISC-V's for signaling NaNs, for
    /// which they return NaN: if the result is one, the interpreter looks again.
    fn fmin_max(&mut self, opcode: u32, fmt: Fmt, fd: FReg, a: FReg, b: FReg) {
        self.check_boxed(fmt, &[a, b], Ok(fd));
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
            self.fdone(fmt, fd, dst);
            return self.slow_path(slow, &[a, b]);
        }
        self.slow_path(slow, &[a, b]);
        self.fdone(fmt, fd, dst);
    }

    pub(super) fn fmove(&mut self, dst: u8, from: u8) {
        if dst != from {
            self.a.dn(FMOV_D, dst, from);
        }
    }

    // Signs.

    fn fsign(&mut self, op: FBinOp, fmt: Fmt, fd: FReg, a: FReg, b: FReg) {
        if op == FBinOp::Sgnj && a == b && fmt == Fmt::D {
            return self.fcopy(fd, a);
        }
        self.check_boxed(fmt, &[a, b], Ok(fd));
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
                self.a.mov_imm(X16, if fmt == Fmt::D { 1 << 63 } else { 1 << 31 });
                self.a.dn(FMOV_FROM_X, V31, X16);
                self.fmove(V29, x);
                self.a.dnm(BIT_V, V29, sign, V31);
                self.fmove(dst, V29);
            }
        }
        self.fdone(fmt, fd, dst);
    }

    /// `fd = a`, all 64 bits, with what is known of them.
    fn fcopy(&mut self, fd: FReg, a: FReg) {
        if fd == a {
            return;
        }
        if host_float(fd.0).is_none() {
            self.fsettle(a);
        }
        let x = self.fuse(Fmt::S, a, V29);
        let dst = Self::fdest(fd);
        self.fmove(dst, x);
        let bit = |mask: u32| mask & 1 << a.0 != 0;
        let (boxed, unboxed) = (bit(self.fp.boxed), bit(self.fp.unboxed));
        self.fdone(Fmt::D, fd, dst);
        self.fp.boxed |= u32::from(boxed) << fd.0;
        self.fp.unboxed |= u32::from(unboxed) << fd.0;
    }

    // Comparisons.

    fn fcmp(&mut self, op: FCmpOp, fmt: Fmt, rd: Reg, a: FReg, b: FReg) {
        let dst = if rd.is_zero() { X2 } else { self.dest(rd) };
        self.check_boxed(fmt, &[a, b], Err(rd));
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
        self.a.cset(cc, dst);
        if !rd.is_zero() {
            self.done(rd, dst, true);
        }
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
        self.fdone(fmt, fd, dst);
    }

    pub(super) fn fload(&mut self, fmt: Fmt, fd: FReg, base: Reg, off: i32) {
        let mem = match fmt {
            Fmt::H => return self.helper(0),
            Fmt::S => Mem::LoadS,
            Fmt::D => Mem::LoadD,
        };
        let from = self.address(mem, base, off);
        let dst = Self::fdest(fd);
        self.fault_point();
        self.a.mem(mem, dst, from);
        self.fdone(fmt, fd, dst);
    }

    pub(super) fn fstore(&mut self, fmt: Fmt, fs: FReg, base: Reg, off: i32) {
        let mem = match fmt {
            Fmt::H => return self.helper(0),
            Fmt::S => Mem::StoreS,
            Fmt::D => Mem::StoreD,
        };
        let x = self.fuse(fmt, fs, V29);
        let to = self.address(mem, base, off);
        self.fault_point();
        self.a.mem(mem, x, to);
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
