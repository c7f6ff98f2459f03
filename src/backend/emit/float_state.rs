//! What is known of floating-point registers at a point of a block.

use crate::ir::{FReg, Rounding};
use crate::util::CodePtr;

/// What is known of the floating-point registers, one bit each.
#[derive(Clone, Debug)]
pub(crate) struct FloatState {
    /// Known to be NaN-boxed singles.
    pub(crate) boxed: u32,
    /// Those of them whose upper half has not been set. Only registers with a vector register, as
    /// for all that is pending.
    pub(crate) loose: u32,
    /// May hold a double NaN that is not canonical although the guest's is. None on a host whose
    /// arithmetic makes canonical NaNs.
    pub(crate) canon_d: u32,
    /// The same for singles.
    pub(crate) canon_s: u32,
    /// For each register the others that are no NaNs either if it is none.
    pub(crate) implies: [u32; 32],
    /// Checked to be boxed in this block.
    pub(crate) checked: u32,
    /// The dynamic rounding mode, if it is known.
    pub(crate) frm: Option<Rounding>,
}

impl FloatState {
    pub(crate) const fn new() -> Self {
        Self { boxed: 0, loose: 0, canon_d: 0, canon_s: 0, implies: [0; 32], checked: 0, frm: None }
    }

    /// Registers that may hold NaNs of the host's kind.
    pub(crate) fn canon(&self) -> u32 {
        self.canon_d | self.canon_s
    }

    /// `f` and the registers that are no NaNs if it is none.
    pub(crate) fn with_implied(&self, f: FReg) -> u32 {
        self.implies[usize::from(f.0)] | 1 << f.0
    }

    pub(crate) fn is_loose(&self, f: FReg) -> bool {
        self.loose & 1 << f.0 != 0
    }

    pub(crate) fn is_boxed(&self, f: FReg) -> bool {
        self.boxed & 1 << f.0 != 0
    }

    /// `operands` have been found to be boxed.
    pub(crate) fn know_boxed(&mut self, operands: &[FReg]) {
        for f in operands {
            self.checked |= !self.boxed & 1 << f.0;
            self.boxed |= 1 << f.0;
        }
    }

    /// True if somebody who looks at the registers must be kept waiting until they are brought
    /// home.
    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        self.canon() | self.loose != 0
    }

    /// `fd` has a new value about which nothing is known but whether it is a boxed single.
    pub(crate) fn define(&mut self, fd: FReg, boxed: bool) {
        let others = !(1u32 << fd.0);
        self.canon_d &= others;
        self.canon_s &= others;
        self.loose &= others;
        self.implies.iter_mut().for_each(|set| *set &= others);
        self.implies[usize::from(fd.0)] = 0;
        self.boxed = self.boxed & others | u32::from(boxed) << fd.0;
    }

    /// What of this, which holds at a back-edge, is worth something at the loop's head, where it
    /// has to be checked.
    pub(crate) fn at_head(&self) -> Option<Self> {
        let state = Self {
            boxed: self.boxed & (self.checked | self.loose | self.canon_s),
            loose: self.loose,
            canon_d: self.canon_d,
            canon_s: self.canon_s,
            frm: self.frm,
            ..Self::new()
        };
        let useful = state.boxed | state.canon() != 0 || state.frm.is_some();
        useful.then_some(state)
    }
}

/// The head of a loop, where more holds than the contract.
#[derive(Clone)]
pub(crate) struct LoopHead {
    /// Guest address.
    pub(crate) pc: u64,
    /// Where the code is.
    pub(crate) at: CodePtr,
    /// What holds there.
    pub(crate) state: FloatState,
}

impl LoopHead {
    /// True if a place where `fp` holds may lead to the head once some of what is pending has been
    /// brought home. What is pending at the head must be pending there: the value might be a NaN
    /// that came from memory as it is.
    pub(crate) fn fits(&self, fp: &FloatState) -> bool {
        let missing = |head: u32, here: u32| head & !here != 0;
        let s = &self.state;
        !missing(s.boxed, fp.boxed)
            && !missing(s.canon_d, fp.canon_d)
            && !missing(s.canon_s, fp.canon_s)
            && (s.frm.is_none() || s.frm == fp.frm)
    }
}
