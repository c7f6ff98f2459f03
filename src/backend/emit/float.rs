//! Floating point: what is pending, and what must hold.

use super::{Emitter, Host, Lower, LowerArith, LowerConvert, LowerFloat, LowerFloatMove, Writes};
use crate::backend::{Homes, RestoreOp};
use crate::ir::{FBinOp, FReg, FUnOp, Fmt, IntFmt, Op, Rounding};
use crate::opt::{FloatFacts, FloatRules};
use crate::util::CodePtr;

impl<'b, H: Host<'b>> FloatRules for Emitter<'b, '_, H>
where
    Self: Lower<'b, H>,
{
    const OWN_NANS: bool = H::OWN_NANS;
    const KEEPS_UPPER_HALF: bool = H::KEEPS_UPPER_HALF;

    fn is_mapped(&self, f: FReg) -> bool {
        self.map.float(f.0).is_some()
    }

    fn joins_selects(&self) -> bool {
        LowerFloat::joins_selects(self)
    }

    fn lacks(&self, op: &Op) -> bool {
        match *op {
            Op::FClass { fmt: Fmt::H, .. }
            | Op::FMoveToInt { fmt: Fmt::H, .. }
            | Op::FMoveFromInt { fmt: Fmt::H, .. }
            | Op::FLoad { fmt: Fmt::H, .. }
            | Op::FStore { fmt: Fmt::H, .. } => true,
            Op::FConvert { from: Fmt::S, to: Fmt::D, .. } => false,
            Op::FConvert { from: Fmt::D, to: Fmt::S, rm, .. } => rm == Rounding::Rmm,
            Op::FConvert { .. } => true,
            _ if inexact(op) == Some(Rounding::Rmm) => true,
            _ => self.host_lacks(op),
        }
    }

    fn needs_rounding(&self, op: &Op) -> Option<Rounding> {
        let rm = inexact(op).or_else(|| self.host_needs_rounding(op))?;
        (rm != Rounding::Dyn).then_some(rm)
    }
}

/// The rounding mode of an operation whose result no host rounds but in the dynamic mode.
const fn inexact(op: &Op) -> Option<Rounding> {
    match *op {
        Op::FBin { op: FBinOp::Add | FBinOp::Sub | FBinOp::Mul | FBinOp::Div, rm, .. }
        | Op::FUn { op: FUnOp::Sqrt, rm, .. }
        | Op::FMulAdd { rm, .. }
        | Op::FConvert { from: Fmt::D, to: Fmt::S, rm, .. } => Some(rm),
        _ => None,
    }
}

/// True if each integer of a format is a number of `fmt`.
pub(crate) const fn is_exact(int: IntFmt, fmt: Fmt) -> bool {
    matches!((int, fmt), (IntFmt::W | IntFmt::Wu, Fmt::D))
}

impl<'b, H: Host<'b>> Emitter<'b, '_, H>
where
    Self: Lower<'b, H>,
{
    #[inline(never)]
    pub(crate) fn float(&mut self, homes: &mut Homes, op: &Op) {
        if self.lacks(op) {
            return self.helper(homes, op.writes());
        }
        match *op {
            Op::FBin { op, fmt, rm, fd, a, b } => self.fbin(homes, op, fmt, rm, fd, [a, b]),
            Op::FUn { op: FUnOp::Sqrt, fmt, rm, fd, a } => self.fsqrt(homes, fmt, rm, fd, a),
            Op::FUn { op, fmt, rm, fd, a } => self.fround(homes, op, fmt, rm, fd, a),
            Op::FMulAdd { fmt, rm, neg_product, neg_addend, fd, a, b, c } => {
                self.fmuladd(homes, fmt, rm, (neg_product, neg_addend), fd, [a, b, c]);
            }
            Op::FCmp { op, fmt, rd, a, b } => self.fcmp(homes, op, fmt, rd, a, b),
            Op::FMoveToInt { rd, .. } if rd.is_zero() => {}
            Op::FClass { fmt, rd, a } => self.fclass(homes, fmt, rd, a),
            Op::FToInt { fmt, int, rm, rd, a } => self.float_to_int(homes, (fmt, int, rm), rd, a),
            Op::FFromInt { fmt, int, rm, fd, a } => {
                self.float_from_int(homes, (fmt, int, rm), fd, a)
            }
            Op::FConvert { from, to, rm, fd, a } => self.fconvert(homes, from, to, rm, fd, a),
            Op::FMoveToInt { fmt, rd, a } => self.move_to_int(homes, fmt, rd, a),
            Op::FMoveFromInt { fmt, fd, a } => self.move_from_int(homes, fmt, fd, a),
            Op::FConst { fd, bits } => {
                self.load_bits(fd, bits);
                self.fp.define(fd, bits >> 32 == 0xffff_ffff);
            }
            _ => unreachable!("not a floating-point operation"),
        }
    }

    // Operands and results.

    /// The register to compute `fd` in.
    pub(crate) fn fdest(&self, fd: FReg) -> u8 {
        self.map.float(fd.0).unwrap_or(H::FLOAT_SCRATCH)
    }

    /// `fd` has a new value in `dst`, canonical already; the upper half of a single is all ones
    /// unless it is `loose`.
    pub(crate) fn fdone(&mut self, fmt: Fmt, fd: FReg, dst: u8, loose: bool) {
        let mapped = self.map.float(fd.0).is_some();
        let loose = loose && fmt == Fmt::S;
        if !mapped {
            if loose {
                self.box_up(dst);
            }
            self.a.store_float(fd.0, dst);
        }
        self.fp.define(fd, fmt == Fmt::S);
        self.fp.loose |= u32::from(loose && mapped) << fd.0;
    }

    /// `fd = a`, all 64 bits, with what is known of them.
    pub(crate) fn fcopy(&mut self, fd: FReg, a: FReg) {
        if fd == a {
            return;
        }
        let mapped = self.map.float(fd.0).is_some();
        if !mapped {
            self.fmaterialise(a);
        }
        let x = self.float_in_reg(a, H::FLOAT_SCRATCH);
        let dst = self.fdest(fd);
        self.a.float_move(dst, x);
        if !mapped {
            self.a.store_float(fd.0, dst);
        }
        self.fp.copy(fd, a, mapped);
    }

    /// Brings home what is pending of `f`, before somebody looks at its bits.
    pub(crate) fn fmaterialise(&mut self, f: FReg) {
        self.canonical(f);
        self.tighten(f);
    }

    // What must hold.

    /// Checks that the dynamic rounding mode is `rm`, which is known from then on, or else the
    /// interpreter executes the instruction and the block is left.
    pub(crate) fn check_rounding(
        &mut self,
        homes: &mut Homes,
        rm: Rounding,
        operands: &[FReg],
        writes: Writes,
    ) {
        if rm == Rounding::Dyn || self.fp.frm == Some(rm) {
            return;
        }
        let Some(code) = Self::rounding_code(rm) else {
            unreachable!("the interpreter executes what rounds in a mode that no host has");
        };
        // The test emits no cold code.
        let slow = self.a.buf.cold_pos();
        let other = self.test_rounding_is_not(code);
        self.a.jump_if(other, slow);
        self.interpret_and_leave(homes, operands, writes);
        self.fp.frm = Some(rm);
    }

    /// In cold code that begins here: the interpreter executes the instruction on `operands`, and
    /// the block is left. (None that comes here has a compressed form; a comparison that keeps the
    /// flags is followed by the instruction that restores them.)
    pub(crate) fn interpret_and_leave(
        &mut self,
        homes: &mut Homes,
        operands: &[FReg],
        writes: Writes,
    ) {
        let (sym, fp) = (self.sym.clone(), self.fp.clone());
        self.in_cold(|e| {
            e.ready_for_interpreter(homes, operands);
            e.call_helper(homes);
            match writes {
                Writes::Float(fd) => e.fp.define(fd, false),
                Writes::Int(rd) if rd.is_zero() => {}
                Writes::Int(rd) => e.sym.set_home(homes, rd.0, false),
            }
            e.flush(homes);
            e.jump_to(e.pc + 4);
        });
        (self.sym, self.fp) = (sym, fp);
    }

    /// The slow path at `slow`: the interpreter executes the instruction on `operands`, then hot
    /// code goes on.
    pub(crate) fn slow_path(&mut self, homes: &mut Homes, slow: CodePtr, operands: &[FReg]) {
        let back = self.a.pos();
        debug_assert_eq!(self.a.buf.cold_pos(), slow, "the slow path is where the checks jump to");
        self.in_cold(|e| {
            e.interpret(homes, operands);
            e.a.jump(back);
        });
    }

    // What is pending.

    /// Sets the upper half of a single whose bits somebody looks at.
    pub(crate) fn tighten(&mut self, f: FReg) {
        if self.fp.is_loose(f)
            && let Some(x) = self.map.float(f.0)
        {
            self.box_up(x);
            self.fp.loose &= !(1 << f.0);
        }
    }

    pub(crate) fn flush_float(&mut self) {
        self.flush_canon(0);
        self.flush_loose(0);
    }

    /// Boxes what is loose, but for those in `keep`.
    pub(crate) fn flush_loose(&mut self, keep: u32) {
        let mut left = self.fp.loose & !keep;
        while left != 0 {
            self.tighten(FReg(left.trailing_zeros() as u8));
            left &= left - 1;
        }
    }

    pub(crate) fn reset_float(&mut self) {
        debug_assert!(!self.fp.is_pending(), "values would be lost");
        self.fp = FloatFacts::default();
    }

    /// Says what is pending, for the fault point that comes next.
    pub(super) fn float_restore_ops(&mut self) {
        let faults = self.a.faults();
        let map = self.map;
        for (f, _) in map.floats() {
            let pending = |set: u32| set & 1 << f != 0;
            if pending(self.fp.loose) {
                faults.push(RestoreOp::Box(f));
            }
            if pending(self.fp.canon_d) {
                faults.push(RestoreOp::CanonD(f));
            } else if pending(self.fp.canon_s) {
                faults.push(RestoreOp::CanonS(f));
            }
        }
    }

    /// The value of `frm` for a mode that hosts have.
    pub(crate) const fn rounding_code(rm: Rounding) -> Option<u8> {
        match rm {
            Rounding::Rne => Some(0),
            Rounding::Rtz => Some(1),
            Rounding::Rdn => Some(2),
            Rounding::Rup => Some(3),
            Rounding::Rmm | Rounding::Dyn => None,
        }
    }
}
