//! Floating point: what is pending, and what must hold.

use super::{
    Emitter, FloatState, Host, Lower, LowerArith, LowerConvert, LowerFloat, LowerFloatMove,
};
use crate::backend::Recipe;
use crate::ir::{FReg, FUnOp, Op, Rounding};

impl<'b, H: Host<'b>> Emitter<'b, '_, H>
where
    Self: Lower<'b, H>,
{
    #[inline(never)]
    pub(super) fn float(&mut self, op: &Op) {
        match *op {
            Op::FBin { op, fmt, rm, fd, a, b } => self.fbin(op, fmt, rm, fd, a, b),
            Op::FUn { op: FUnOp::Sqrt, fmt, rm, fd, a } => self.fsqrt(fmt, rm, fd, a),
            Op::FUn { op, fmt, rm, fd, a } => self.fround(op, fmt, rm, fd, a),
            Op::FMulAdd { fmt, rm, neg_product, neg_addend, fd, a, b, c } => {
                self.fmuladd(fmt, rm, (neg_product, neg_addend), fd, [a, b, c]);
            }
            Op::FCmp { op, fmt, rd, a, b } => self.fcmp(op, fmt, rd, a, b),
            Op::FClass { fmt, rd, a } => self.fclass(fmt, rd, a),
            Op::FToInt { fmt, int, rm, rd, a } => self.float_to_int(fmt, int, rm, rd, a),
            Op::FFromInt { fmt, int, rm, fd, a } => self.float_from_int(fmt, int, rm, fd, a),
            Op::FConvert { from, to, rm, fd, a } => self.float_convert(from, to, rm, fd, a),
            Op::FMoveToInt { fmt, rd, a } => self.move_to_int(fmt, rd, a),
            Op::FMoveFromInt { fmt, fd, a } => self.move_from_int(fmt, fd, a),
            Op::FConst { fd, bits } => {
                self.load_bits(fd, bits);
                self.fp.define(fd, bits >> 32 == 0xffff_ffff);
            }
            _ => unreachable!("not a floating-point operation"),
        }
    }

    // What is pending.

    /// Sets the upper half of a single whose bits somebody looks at.
    pub(crate) fn tighten(&mut self, f: FReg) {
        if self.fp.is_loose(f)
            && let Some(x) = H::host_float(f.0)
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
        self.fp = FloatState::new();
    }

    /// Says what is pending, for the fault point that comes next.
    pub(super) fn float_recipes(&mut self) {
        let faults = self.a.faults();
        for &(f, _) in H::FLOATS {
            let pending = |set: u32| set & 1 << f != 0;
            if pending(self.fp.loose) {
                faults.push(Recipe::Box(f));
            }
            if pending(self.fp.canon_d) {
                faults.push(Recipe::CanonD(f));
            } else if pending(self.fp.canon_s) {
                faults.push(Recipe::CanonS(f));
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
