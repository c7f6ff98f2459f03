//! Floating point: arithmetic, comparisons, moves, loads and stores.
//!
//! Three things differ from the host, and each is dealt with where it can be seen:
//! - *Canonical NaNs.* FPCR.DN makes every NaN result RISC-V's canonical one.
//! - *NaN boxes.* Scalar operations on singles clear the upper half of their result, so results
//!   are boxed when something looks at all 64 bits: a store, a move, an exit
//!   (`FloatFacts::loose`). Operands that are not known to be boxed are checked.
//! - *Rounding.* The dynamic mode is in FPCR; the runtime lets the interpreter run as long as the
//!   guest chooses one that FPCR has not. An operation with a static mode is executed here if the
//!   dynamic one is the same, which is checked once a block, or if the host has it in its encoding.
//!
//! Flags accrue in FPSR as they do in `fcsr`, with one difference: the host detects tininess
//! before rounding, RISC-V after it; see [`Emitter::underflowing`].

use super::Emitter;
use super::asm::{Alu, Asm, At, Cc, Mem, Sz, Test, a64, scalar, sized};
use super::regs::{BOX, STATE, V29, V30, V31, X0, X1, X16, X30, ZR, field, float_slot};
use crate::backend::Homes;
use crate::backend::emit::{
    Access, Host, LowerArith, LowerFloat, LowerFloatMove, LowerMemory, Writes, is_exact,
};
use crate::cpu::fflags;
use crate::ir::{FBinOp, FCmpOp, FReg, FUnOp, Fmt, Node, Op, Reg, Rounding};
use crate::util::CodePtr;

/// Number of the underflow flag in FPSR.
const UF_BIT: u8 = 3;

impl<'b> LowerFloat<'b, Asm<'b>> for Emitter<'b, '_> {
    fn host_lacks(&self, op: &Op) -> bool {
        self.host_needs_rounding(op) == Some(Rounding::Rmm)
    }

    fn host_needs_rounding(&self, op: &Op) -> Option<Rounding> {
        match *op {
            Op::FUn { op: FUnOp::RoundNx, rm, .. } => Some(rm),
            Op::FFromInt { fmt, int, rm, .. } if !is_exact(int, fmt) => Some(rm),
            _ => None,
        }
    }

    fn ready_for_interpreter(&mut self, homes: &mut Homes, _operands: &[FReg]) {
        // Operands that are known to be boxed are so for the interpreter too.
        self.flush(homes);
    }

    fn interpret(&mut self, homes: &mut Homes, operands: &[FReg]) {
        let fp = self.fp.clone();
        for f in operands {
            self.tighten(*f);
        }
        self.call_helper(homes);
        self.fp = fp;
    }

    fn float_in_reg(&mut self, f: FReg, scratch: u8) -> u8 {
        self.map.float(f.0).unwrap_or_else(|| {
            self.a.mem(Mem::LoadD, scratch, At::Disp(STATE, float_slot(f.0)));
            scratch
        })
    }

    fn box_up(&mut self, x: u8) {
        a64!(self.a ; orr V(x).b8, V(x).b8, V(BOX).b8);
    }

    fn test_nan(&mut self, _fmt: Fmt, _f: FReg) -> Test {
        unreachable!("no NaN is looked for")
    }

    fn test_unboxed(&mut self, f: FReg) -> Test {
        match self.map.float(f.0) {
            Some(x) => self.test_unboxed_in(x),
            None => {
                self.a.mem(Mem::LoadW, X16, At::Disp(STATE, float_slot(f.0) + 4));
                self.a.cmp_imm(Sz::W, X16, -1);
                Test::Flags(Cc::NE)
            }
        }
    }

    fn test_unboxed_in(&mut self, x: u8) -> Test {
        a64!(self.a ; umov W(X16), V(x).s[1]);
        self.a.cmp_imm(Sz::W, X16, -1);
        Test::Flags(Cc::NE)
    }

    fn and_boxes(&mut self, all: Option<u8>, x: u8) -> u8 {
        let Some(all) = all else { return x };
        a64!(self.a ; and V(V31).b8, V(all).b8, V(x).b8);
        V31
    }

    fn test_rounding_is_not(&mut self, code: u8) -> Test {
        self.a.mem(Mem::LoadB, X16, At::Disp(STATE, field!(hart.frm)));
        if code == 0 {
            return Test::Zero(Sz::W, X16, false);
        }
        self.a.cmp_imm(Sz::W, X16, code.into());
        Test::Flags(Cc::NE)
    }
}

impl LowerArith for Emitter<'_, '_> {
    // Arithmetic.

    fn fbin(
        &mut self,
        homes: &mut Homes,
        op: FBinOp,
        fmt: Fmt,
        rm: Rounding,
        fd: FReg,
        [a, b]: [FReg; 2],
    ) {
        match op {
            FBinOp::Min | FBinOp::Max => return self.fmin_max(homes, op, fmt, fd, a, b),
            FBinOp::Sgnj | FBinOp::Sgnjn | FBinOp::Sgnjx => {
                return self.fsign(homes, op, fmt, fd, a, b);
            }
            _ => {}
        }
        if !matches!(op, FBinOp::Minm | FBinOp::Maxm) {
            self.check_rounding(homes, rm, &[], Writes::Float(fd));
        }
        self.check_boxed(homes, fmt, &[a, b], Writes::Float(fd));
        let x = self.fuse(fmt, a, V29);
        let y = self.fuse(fmt, b, V30);
        if matches!(op, FBinOp::Mul | FBinOp::Div) {
            return self.underflowing(homes, fmt, fd, &[a, b], |e, dst| match op {
                FBinOp::Mul => scalar!(e.a, fmt ; fmul dst, x, y),
                _ => scalar!(e.a, fmt ; fdiv dst, x, y),
            });
        }
        let dst = self.fdest(fd);
        match op {
            FBinOp::Add => scalar!(self.a, fmt ; fadd dst, x, y),
            FBinOp::Sub => scalar!(self.a, fmt ; fsub dst, x, y),
            // These make NaN of a NaN.
            FBinOp::Minm => scalar!(self.a, fmt ; fmin dst, x, y),
            _ => scalar!(self.a, fmt ; fmax dst, x, y),
        }
        self.fdone(fmt, fd, dst, true);
    }

    fn fsqrt(&mut self, homes: &mut Homes, fmt: Fmt, rm: Rounding, fd: FReg, a: FReg) {
        self.check_rounding(homes, rm, &[], Writes::Float(fd));
        self.check_boxed(homes, fmt, &[a], Writes::Float(fd));
        let x = self.fuse(fmt, a, V29);
        let dst = self.fdest(fd);
        scalar!(self.a, fmt ; fsqrt dst, x);
        self.fdone(fmt, fd, dst, true);
    }

    fn fround(&mut self, homes: &mut Homes, op: FUnOp, fmt: Fmt, rm: Rounding, fd: FReg, a: FReg) {
        if op == FUnOp::RoundNx {
            self.check_rounding(homes, rm, &[], Writes::Float(fd));
        }
        self.check_boxed(homes, fmt, &[a], Writes::Float(fd));
        let x = self.fuse(fmt, a, V29);
        let dst = self.fdest(fd);
        match (op, rm) {
            (FUnOp::Sqrt, _) => unreachable!("rounds otherwise"),
            // In the mode of FPCR, raising the inexact flag, and not raising it.
            (FUnOp::RoundNx, _) => scalar!(self.a, fmt ; frintx dst, x),
            (FUnOp::Round, Rounding::Dyn) => scalar!(self.a, fmt ; frinti dst, x),
            (FUnOp::Round, Rounding::Rne) => scalar!(self.a, fmt ; frintn dst, x),
            (FUnOp::Round, Rounding::Rup) => scalar!(self.a, fmt ; frintp dst, x),
            (FUnOp::Round, Rounding::Rdn) => scalar!(self.a, fmt ; frintm dst, x),
            (FUnOp::Round, Rounding::Rtz) => scalar!(self.a, fmt ; frintz dst, x),
            (FUnOp::Round, Rounding::Rmm) => scalar!(self.a, fmt ; frinta dst, x),
        }
        self.fdone(fmt, fd, dst, true);
    }

    fn fmuladd(
        &mut self,
        homes: &mut Homes,
        fmt: Fmt,
        rm: Rounding,
        neg: (bool, bool),
        fd: FReg,
        [a, b, c]: [FReg; 3],
    ) {
        self.check_rounding(homes, rm, &[], Writes::Float(fd));
        self.check_boxed(homes, fmt, &[a, b, c], Writes::Float(fd));
        let x = self.fuse(fmt, a, V29);
        let y = self.fuse(fmt, b, V30);
        let z = self.fuse(fmt, c, V31);
        self.underflowing(homes, fmt, fd, &[a, b, c], |e, dst| match neg {
            (false, false) => scalar!(e.a, fmt ; fmadd dst, x, y, z),
            (true, false) => scalar!(e.a, fmt ; fmsub dst, x, y, z),
            (true, true) => scalar!(e.a, fmt ; fnmadd dst, x, y, z),
            (false, true) => scalar!(e.a, fmt ; fnmsub dst, x, y, z),
        });
    }
}

impl LowerFloatMove for Emitter<'_, '_> {
    fn load_bits(&mut self, fd: FReg, bits: u64) {
        self.a.mov_imm(X0, bits);
        match self.map.float(fd.0) {
            Some(x) => a64!(self.a ; fmov D(x), X(X0)),
            None => self.a.store_field(float_slot(fd.0), X0),
        }
    }

    // Comparisons.

    fn fcmp(&mut self, homes: &mut Homes, op: FCmpOp, fmt: Fmt, rd: Reg, a: FReg, b: FReg) {
        let dst = if rd.is_zero() { X30 } else { self.dest(homes, rd) };
        self.check_boxed(homes, fmt, &[a, b], Writes::Int(rd));
        let cc = self.fcompare(op, fmt, a, b);
        self.a.cset(cc, dst);
        if !rd.is_zero() {
            self.done(homes, rd, dst, true);
        }
    }

    fn fclass(&mut self, homes: &mut Homes, fmt: Fmt, rd: Reg, a: FReg) {
        // (operand size, bits of the fraction, infinity shifted left by one)
        let (sz, fraction, infinity) = match fmt {
            Fmt::D => (Sz::X, 52, 0xffe0_0000_0000_0000),
            Fmt::S | Fmt::H => (Sz::W, 23, 0xff00_0000),
        };
        let dst = if rd.is_zero() { X30 } else { self.dest(homes, rd) };
        self.check_boxed(homes, fmt, &[a], Writes::Int(rd));
        let x = self.fuse(fmt, a, V29);
        self.a.float_to_int(sz, X0, x);
        // The exponent of a normal number is neither 0 nor all ones: plus one, it has bits besides
        // the lowest. Its sign is that of the sum.
        let exponent = match sz {
            Sz::W => {
                a64!(self.a ; adds W(X16), WSP(X0), 1 << 11, lsl 12);
                0xfe << 23
            }
            Sz::X => {
                a64!(self.a ; asr X(X16), X(X0), fraction.into() ; adds X(X16), XSP(X16), 1);
                0x7fe
            }
        };
        self.a.logic_imm(Alu::And, Sz::W, X16, X16, exponent);
        let cold = self.a.buf.cold_pos();
        self.a.jump_if(Test::Zero(Sz::W, X16, true), cold);
        self.a.mov_imm(X16, 1 << 6);
        self.a.mov_imm(X1, 1 << 1);
        self.a.csel(Cc::MI, Sz::W, dst, X1, X16);
        let back = self.a.pos();
        self.in_cold(|e| e.fclass_rare(sz, dst, (fraction, infinity), back));
        if !rd.is_zero() {
            self.done(homes, rd, dst, true);
        }
    }

    // Moves between register files, loads and stores.

    fn move_to_int(&mut self, homes: &mut Homes, fmt: Fmt, rd: Reg, a: FReg) {
        let dst = self.dest(homes, rd);
        let x = self.fuse(fmt, a, V29);
        if fmt == Fmt::D {
            self.a.float_to_int(Sz::X, dst, x);
            self.done(homes, rd, dst, false);
        } else {
            self.a.float_to_int(Sz::W, dst, x);
            self.done_word(homes, rd, dst);
        }
    }

    fn move_from_int(&mut self, homes: &Homes, fmt: Fmt, fd: FReg, a: Reg) {
        let sz = if fmt == Fmt::D { Sz::X } else { Sz::W };
        let x = self.use_sz(homes, sz, a, X1);
        let dst = self.fdest(fd);
        self.a.float_from_int(sz, dst, x.get());
        self.fdone(fmt, fd, dst, true);
    }

    fn fload(&mut self, homes: &Homes, fmt: Fmt, fd: FReg, base: Reg, off: i32) {
        let from = self.address(homes, Access::FLoad(fmt), base, off);
        let dst = self.fdest(fd);
        self.fault_point();
        self.a.access(Access::FLoad(fmt), dst, from);
        self.fdone(fmt, fd, dst, true);
    }

    fn fstore(&mut self, homes: &Homes, fmt: Fmt, fs: FReg, base: Reg, off: i32) {
        let x = self.fuse(fmt, fs, V29);
        let to = self.address(homes, Access::FStore(fmt), base, off);
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
    pub(super) fn check_boxed(
        &mut self,
        homes: &mut Homes,
        fmt: Fmt,
        operands: &[FReg],
        writes: Writes,
    ) {
        if fmt != Fmt::S || operands.iter().all(|f| self.fp.is_boxed(*f)) {
            return;
        }
        let slow = self.a.buf.cold_pos();
        for (i, f) in operands.iter().enumerate() {
            if !self.fp.is_boxed(*f) && !operands[..i].contains(f) {
                let other = self.test_unboxed(*f);
                self.a.jump_if(other, slow);
            }
        }
        self.interpret_and_leave(homes, operands, writes);
        self.fp.know_boxed(operands);
    }

    /// An operation on `operands` that may underflow, emitted by `emit` for a destination. (Sums
    /// do not: a tiny one is exact.)
    ///
    /// The host detects tininess before rounding and RISC-V after it, so the host's UF may be one
    /// too many. Where flags must be exact, UF is not set while it is not known to be accrued; once
    /// an operation has set it, the interpreter decides.
    pub(super) fn underflowing(
        &mut self,
        homes: &mut Homes,
        fmt: Fmt,
        fd: FReg,
        operands: &[FReg],
        emit: impl FnOnce(&mut Self, u8),
    ) {
        let dst = self.fdest(fd);
        if !self.ctx.exact_flags {
            emit(self, dst);
            return self.fdone(fmt, fd, dst, true);
        }
        emit(self, V31);
        let slow = self.a.buf.cold_pos();
        self.a.read_flags(X16);
        self.a.jump_if(Test::Bit(UF_BIT, X16, true), slow);
        let right = self.a.pos();
        self.fmove(dst, V31);
        let before = self.fp.clone();
        // In its slot before the slow path joins, which leaves the result there.
        let in_slot = self.map.float(fd.0).is_none();
        if in_slot {
            self.fdone(fmt, fd, dst, true);
        }
        let (back, after) = (self.a.pos(), std::mem::replace(&mut self.fp, before));
        debug_assert_eq!(self.a.buf.cold_pos(), slow, "the slow path is where the checks jump to");
        self.in_cold(|e| {
            e.a.load_field(X16, field!(known_fp));
            e.a.jump_if(Test::Bit(UF_BIT, X16, true), right);
            e.a.read_flags(X16);
            e.a.logic_imm(Alu::And, Sz::W, X16, X16, !(1 << UF_BIT));
            e.a.write_flags(X16);
            for f in operands {
                e.tighten(*f);
            }
            e.call_helper(homes);
            e.a.b(back);
        });
        self.fp = after;
        if !in_slot {
            self.fdone(fmt, fd, dst, true);
        }
    }

    /// The host's minimum and maximum of numbers differ from RISC-V's for signaling NaNs, for
    /// which they return NaN: if the result is one, the interpreter looks again.
    fn fmin_max(&mut self, homes: &mut Homes, op: FBinOp, fmt: Fmt, fd: FReg, a: FReg, b: FReg) {
        self.check_boxed(homes, fmt, &[a, b], Writes::Float(fd));
        let x = self.fuse(fmt, a, V29);
        let y = self.fuse(fmt, b, V30);
        let slow = self.a.buf.cold_pos();
        match op {
            FBinOp::Min => scalar!(self.a, fmt ; fminnm V31, x, y),
            _ => scalar!(self.a, fmt ; fmaxnm V31, x, y),
        }
        scalar!(self.a, fmt ; fcmp V31, V31);
        self.a.jump_if(Test::Flags(Cc::VS), slow);
        let dst = self.fdest(fd);
        self.fmove(dst, V31);
        if self.map.float(fd.0).is_none() {
            // In its slot before the slow path joins, which leaves the result there.
            self.fdone(fmt, fd, dst, true);
            return self.slow_path(homes, slow, &[a, b]);
        }
        self.slow_path(homes, slow, &[a, b]);
        self.fdone(fmt, fd, dst, true);
    }

    pub(super) fn fmove(&mut self, dst: u8, from: u8) {
        self.a.float_move(dst, from);
    }

    // Signs.

    fn fsign(&mut self, homes: &mut Homes, op: FBinOp, fmt: Fmt, fd: FReg, a: FReg, b: FReg) {
        if op == FBinOp::Sgnj && a == b && fmt == Fmt::D {
            return self.fcopy(fd, a);
        }
        self.check_boxed(homes, fmt, &[a, b], Writes::Float(fd));
        if op == FBinOp::Sgnj && a == b {
            return self.fcopy(fd, a);
        }
        let x = self.fuse(fmt, a, V29);
        let y = if a == b { x } else { self.fuse(fmt, b, V30) };
        let dst = self.fdest(fd);
        match op {
            FBinOp::Sgnjn if a == b => scalar!(self.a, fmt ; fneg dst, x),
            FBinOp::Sgnjx if a == b => scalar!(self.a, fmt ; fabs dst, x),
            _ => {
                let sign = match op {
                    FBinOp::Sgnjn => {
                        scalar!(self.a, fmt ; fneg V30, y);
                        V30
                    }
                    FBinOp::Sgnjx => {
                        a64!(self.a ; eor V(V30).b8, V(x).b8, V(y).b8);
                        V30
                    }
                    _ => y,
                };
                // The mask: the sign.
                if fmt == Fmt::D {
                    a64!(self.a ; shl D(V31), D(BOX), 31);
                } else {
                    self.a.mov_imm(X16, 1 << 31);
                    a64!(self.a ; fmov D(V31), X(X16));
                }
                if dst == sign {
                    a64!(self.a ; bif V(dst).b8, V(x).b8, V(V31).b8);
                } else {
                    self.fmove(dst, x);
                    a64!(self.a ; bit V(dst).b8, V(sign).b8, V(V31).b8);
                }
            }
        }
        self.fdone(fmt, fd, dst, true);
    }

    /// A comparison and the branch forward on its result, if the result is not needed for long: it
    /// is a constant on either path, and mostly overwritten before anybody wants it.
    pub(super) fn fcmp_branch(&mut self, homes: &mut Homes, compare: &Op, branch: &Node) -> bool {
        let Op::FCmp { op, fmt, rd, a, b } = *compare else { return false };
        let Op::Branch { target, .. } = branch.op else { return false };
        let Some(if_true) = branch.op.on_result(rd) else { return false };
        if self.redefined & 1 << rd.0 == 0 || target <= branch.pc {
            return false;
        }
        self.materialise_dependents(homes, rd.0);
        self.check_boxed(homes, fmt, &[a, b], Writes::Int(rd));
        self.sym.set_home(homes, rd.0, false);
        self.materialise_live_out(homes);
        let cc = self.fcompare(op, fmt, a, b);
        self.pc = branch.pc;
        self.sym.set_const(homes, rd.0, u64::from(if_true), false);
        self.branch_later(Test::Flags(if if_true { cc } else { cc.inverse() }), target);
        self.sym.set_const(homes, rd.0, u64::from(!if_true), false);
        true
    }

    /// Compares boxed operands; the condition that holds if the result is true.
    fn fcompare(&mut self, op: FCmpOp, fmt: Fmt, a: FReg, b: FReg) -> Cc {
        let x = self.fuse(fmt, a, V29);
        let y = self.fuse(fmt, b, V30);
        match op {
            // Signals an invalid operation for quiet NaNs too.
            FCmpOp::Lt | FCmpOp::Le => scalar!(self.a, fmt ; fcmpe x, y),
            _ => scalar!(self.a, fmt ; fcmp x, y),
        }
        if matches!(op, FCmpOp::LtKeep | FCmpOp::LeKeep) {
            self.restore_flags_if_unordered();
        }
        // Unordered clears N and Z and sets C and V.
        match op {
            FCmpOp::Eq => Cc::EQ,
            FCmpOp::Lt | FCmpOp::Ltq | FCmpOp::LtKeep => Cc::MI,
            FCmpOp::Le | FCmpOp::Leq | FCmpOp::LeKeep => Cc::LS,
        }
    }

    /// x16 = the class of what is in x0 and not a normal number.
    fn fclass_rare(&mut self, sz: Sz, dst: u8, (fraction, infinity): (u8, u64), back: CodePtr) {
        sized!(self.a, sz ; lsl X1, X0 ; 1);
        self.a.mov_imm(X16, infinity);
        self.a.cmp(sz, X1, X16);
        let nan = self.a.branch_if(Test::Flags(Cc::HI));
        // 0 for zero, 1 for a subnormal number, 3 for infinity.
        self.a.mov_imm(X16, 3);
        let infinite = self.a.branch_if(Test::Flags(Cc::EQ));
        self.a.cmp(sz, X1, ZR);
        self.a.cset(Cc::NE, X16);
        self.a.bind(infinite);
        let negative = self.a.branch_if(Test::negative(sz, X0, true));
        self.a.mov_imm(X1, 1 << 4);
        a64!(self.a ; lsl W(dst), W(X1), W(X16));
        self.a.b(back);
        self.a.bind(negative);
        self.a.mov_imm(X1, 1 << 3);
        a64!(self.a ; lsr W(dst), W(X1), W(X16));
        self.a.b(back);
        self.a.bind(nan);
        // 1 << 8, or 1 << 9 if it is quiet.
        self.a.bfx(false, X16, X0, fraction - 1, 1);
        self.a.add_imm(Sz::W, X16, X16, 1);
        a64!(self.a ; lsl W(dst), W(X16), 8);
        self.a.b(back);
    }

    /// A NaN may have raised a flag: takes FPSR as `read_flags` left it in the scratch field.
    fn restore_flags_if_unordered(&mut self) {
        let cold = self.a.buf.cold_pos();
        self.a.jump_if(Test::Flags(Cc::VS), cold);
        let back = self.a.pos();
        self.in_cold(|e| {
            e.a.load_field(X16, field!(scratch));
            e.a.write_flags(X16);
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
