//! What is known of floating-point registers at a point of a block, and what is known at the end
//! of an iteration of a loop.

use super::RegSet;
use crate::ir::{FBinOp, FCmpOp, FReg, FSelectOp, Fmt, Node, Op, Rounding};

/// What is known of the floating-point registers, one bit each. By default nothing is known, and
/// nothing pending.
#[derive(Clone, Debug, Default)]
pub struct FloatFacts {
    /// Known to be NaN-boxed singles.
    pub boxed: RegSet,
    /// Those of them whose upper half has not been set. Only registers with a vector register, as
    /// for all that is pending.
    pub loose: RegSet,
    /// May hold a double NaN that is not canonical although the guest's is. None on a host whose
    /// arithmetic makes canonical NaNs.
    pub canon_d: RegSet,
    /// The same for singles.
    pub canon_s: RegSet,
    /// For each register the others that are no NaNs either if it is none.
    pub implies: [RegSet; 32],
    /// Checked to be boxed in this block.
    pub checked: RegSet,
    /// The dynamic rounding mode, if it is known.
    pub frm: Option<Rounding>,
}

/// What a host does with floating-point operations, as far as it decides what is known.
pub trait FloatRules {
    /// Arithmetic makes NaNs that are canonical only when somebody looks at them.
    const OWN_NANS: bool;
    /// The upper half of a single that is computed from two operands is the first one's. Else it
    /// is no box.
    const KEEPS_UPPER_HALF: bool;

    /// True if `f` has a vector register.
    fn is_mapped(&self, f: FReg) -> bool;

    /// True if a comparison and a select on its result are emitted together.
    fn joins_selects(&self) -> bool;

    /// True if the interpreter executes `op`, since the host cannot.
    fn lacks(&self, op: &Op) -> bool;

    /// The mode that the dynamic one must be for `op`, if it has to be a certain one.
    fn needs_rounding(&self, op: &Op) -> Option<Rounding>;
}

const fn bit(f: FReg) -> RegSet {
    1 << f.0
}

impl FloatFacts {
    /// Registers that may hold NaNs of the host's kind.
    #[must_use]
    pub const fn canon(&self) -> RegSet {
        self.canon_d | self.canon_s
    }

    /// `f` and the registers that are no NaNs if it is none.
    #[must_use]
    pub fn with_implied(&self, f: FReg) -> RegSet {
        self.implies[usize::from(f.0)] | bit(f)
    }

    /// The same for several.
    #[must_use]
    pub fn with_all_implied(&self, operands: &[FReg]) -> RegSet {
        operands.iter().fold(0, |set, f| set | self.with_implied(*f))
    }

    /// True if the upper half of `f` has not been set.
    #[must_use]
    pub const fn is_loose(&self, f: FReg) -> bool {
        self.loose & bit(f) != 0
    }

    /// True if `f` is known to be a boxed single.
    #[must_use]
    pub const fn is_boxed(&self, f: FReg) -> bool {
        self.boxed & bit(f) != 0
    }

    /// True if somebody who looks at the registers must be kept waiting until they are brought
    /// home.
    #[inline]
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        self.canon() | self.loose != 0
    }

    /// `operands` have been found to be boxed.
    pub fn know_boxed(&mut self, operands: &[FReg]) {
        for f in operands {
            self.checked |= !self.boxed & bit(*f);
            self.boxed |= bit(*f);
        }
    }

    /// The registers in `set` are canonical now.
    pub const fn made_canonical(&mut self, set: RegSet) {
        self.canon_d &= !set;
        self.canon_s &= !set;
    }

    /// `fd` has a new value about which nothing is known but whether it is a boxed single.
    pub fn define(&mut self, fd: FReg, boxed: bool) {
        let others = !bit(fd);
        self.made_canonical(bit(fd));
        self.loose &= others;
        self.implies_only(fd, 0);
        self.boxed = self.boxed & others | RegSet::from(boxed) << fd.0;
    }

    /// `fd`, which has a vector register, is what the host's arithmetic makes of `operands`, of
    /// which nothing has changed since but `fd`: `implied` with it.
    pub fn define_arith(&mut self, fmt: Fmt, fd: FReg, implied: RegSet) {
        self.implies[usize::from(fd.0)] = implied & !bit(fd);
        match fmt {
            Fmt::D => self.canon_d |= bit(fd),
            Fmt::S | Fmt::H => self.canon_s |= bit(fd),
        }
    }

    /// `fd = a`, another register, with all that is known of it; with what is pending too if `fd`
    /// has a vector register.
    pub fn copy(&mut self, fd: FReg, a: FReg, mapped: bool) {
        let known = self.with_implied(a) & !bit(fd);
        self.define(fd, false);
        let take = |mask: RegSet| (mask >> a.0 & 1) << fd.0;
        self.boxed |= take(self.boxed);
        if mapped {
            self.loose |= take(self.loose);
            self.canon_d |= take(self.canon_d);
            self.canon_s |= take(self.canon_s);
            self.implies[usize::from(fd.0)] = known;
            self.implies[usize::from(a.0)] |= bit(fd);
        }
    }

    /// If `fd` is no NaN, then `others` are none, and nobody else tells about `fd`.
    pub fn implies_only(&mut self, fd: FReg, others: RegSet) {
        self.implies.iter_mut().for_each(|set| *set &= !bit(fd));
        self.implies[usize::from(fd.0)] = others & !bit(fd);
    }

    /// `fd` is now `a` or what it was. Neither is loose, unless both are boxed and `fd` has a
    /// vector register.
    pub fn merge(&mut self, fd: FReg, a: FReg) {
        if !self.is_boxed(a) {
            self.boxed &= !bit(fd);
        }
        if self.is_loose(a) {
            self.loose |= bit(fd);
        }
        let implied = self.implies[usize::from(fd.0)] & self.with_implied(a);
        self.implies_only(fd, implied);
    }

    /// What of this, which holds at a back-edge, is worth something at the loop's head, where it
    /// has to be checked.
    fn at_head(&self) -> Option<Self> {
        let state = Self {
            boxed: self.boxed & (self.checked | self.loose | self.canon_s),
            loose: self.loose,
            canon_d: self.canon_d,
            canon_s: self.canon_s,
            frm: self.frm,
            ..Self::default()
        };
        let useful = state.boxed | state.canon() != 0 || state.frm.is_some();
        useful.then_some(state)
    }

    /// What will hold at the last branch of `nodes` back to `pc`, where they begin, as far as it is
    /// worth something there. It is a forecast: what holds is known when the host code is made.
    #[must_use]
    pub fn at_back_edge(nodes: &[Node], pc: u64, rules: &impl FloatRules) -> Option<Self> {
        let (mut facts, mut edge, mut compared) = (Self::default(), None, None);
        for node in nodes {
            match node.op {
                Op::FCmp { op, .. } => {
                    let joins = !matches!(op, FCmpOp::LtKeep | FCmpOp::LeKeep);
                    compared = (joins && rules.joins_selects()).then_some(node.op);
                    facts.step(&node.op, rules);
                }
                Op::Select { .. } => {}
                Op::FSelect { .. } => {
                    let compare = compared.take();
                    let joined = compare.is_some_and(|c| facts.take_compared(&node.op, &c, rules));
                    if !joined {
                        facts.step(&node.op, rules);
                    }
                }
                Op::Branch { target, .. } | Op::Jump { target } => {
                    if target == pc {
                        edge = Some(facts.clone());
                    }
                    if target <= node.pc {
                        (facts.loose, facts.canon_d, facts.canon_s) = (0, 0, 0);
                    }
                }
                _ => facts.step(&node.op, rules),
            }
            if !matches!(node.op, Op::FCmp { .. } | Op::Select { .. }) {
                compared = None;
            }
        }
        edge?.at_head()
    }

    /// `select`, which is emitted with a comparison: what it takes because that is true is no NaN,
    /// as it was compared. False if it does not do so.
    fn take_compared(&mut self, select: &Op, compare: &Op, rules: &impl FloatRules) -> bool {
        let Op::FCmp { fmt, rd, a: x, b: y, .. } = *compare else { return false };
        let Op::FSelect { op: FSelectOp::Move, fmt: moved, fd, a, .. } = *select else {
            return false;
        };
        let moves = moved == Fmt::D || self.is_boxed(a);
        if select.on_result(rd) != Some(true) || ![x, y].contains(&a) || !moves {
            return false;
        }
        let (of_format, other) = match fmt {
            Fmt::D => (self.canon_d, self.canon_s),
            Fmt::S | Fmt::H => (self.canon_s, self.canon_d),
        };
        if of_format & bit(fd) == 0 && other & bit(fd) != 0 {
            self.canonical(fd);
        }
        self.merge_boxes(fd, a, rules);
        true
    }

    /// `op` is executed.
    fn step<R: FloatRules>(&mut self, op: &Op, rules: &R) {
        if matches!(op, Op::Helper { .. } | Op::ReadCounter { .. }) || rules.lacks(op) {
            *self = Self::default();
            return;
        }
        if let mode @ Some(_) = rules.needs_rounding(op) {
            self.frm = mode;
        }
        match *op {
            Op::FBin { op, fmt, fd, a, b, .. } => self.step_binary(op, fmt, fd, [a, b], rules),
            Op::FUn { fmt, fd, a, .. } => {
                self.look_at::<R>(fmt, &[a]);
                self.arith(fmt, fd, true, self.with_implied(a), rules);
            }
            Op::FMulAdd { fmt, fd, a, b, c, .. } => {
                self.look_at::<R>(fmt, &[a, b, c]);
                let addend = if (fd == a || fd == b) && fd != c { fd } else { c };
                let loose = !R::KEEPS_UPPER_HALF || self.is_loose(addend);
                // The result is looked at, so that a product of infinity and zero is found.
                self.made_canonical(self.with_all_implied(&[a, b, c]));
                self.result(fmt, fd, loose, rules);
            }
            Op::FConvert { from, to, fd, a, .. } => {
                self.look_at::<R>(from, &[a]);
                self.arith(to, fd, true, self.with_implied(a), rules);
            }
            Op::FCmp { fmt, a, b, .. } => self.look_at::<R>(fmt, &[a, b]),
            Op::FToInt { fmt, a, .. } => self.look_at::<R>(fmt, &[a]),
            Op::FClass { fmt, a, .. } => {
                self.canonical(a);
                self.look_at::<R>(fmt, &[a]);
            }
            Op::FMoveToInt { fmt, a, .. } | Op::FStore { fmt, fs: a, .. } => {
                self.canonical(a);
                if fmt == Fmt::D {
                    self.tighten(a);
                }
            }
            Op::FFromInt { fmt, fd, .. } | Op::FLoad { fmt, fd, .. } => {
                self.result(fmt, fd, true, rules);
            }
            Op::FMoveFromInt { fmt, fd, a } => {
                self.result(fmt, fd, !(R::OWN_NANS && a.is_zero()), rules);
            }
            Op::FConst { fd, bits } => self.define(fd, bits >> 32 == 0xffff_ffff),
            Op::FSelect { op, fmt, fd, a, .. } => self.step_select(op, fmt, fd, a, rules),
            _ => {}
        }
    }

    fn step_binary<R: FloatRules>(
        &mut self,
        op: FBinOp,
        fmt: Fmt,
        fd: FReg,
        operands: [FReg; 2],
        rules: &R,
    ) {
        let [a, b] = operands;
        let signs = matches!(op, FBinOp::Sgnj | FBinOp::Sgnjn | FBinOp::Sgnjx);
        if op == FBinOp::Sgnj && a == b {
            if fmt == Fmt::S {
                self.look_at::<R>(fmt, &operands);
            }
            let mapped = rules.is_mapped(fd);
            if !mapped {
                self.canonical(a);
                self.tighten(a);
            }
            if fd != a {
                self.copy(fd, a, mapped);
            }
            return;
        }
        if signs {
            operands.iter().for_each(|f| self.canonical(*f));
        }
        self.look_at::<R>(fmt, &operands);
        let extremum = matches!(op, FBinOp::Min | FBinOp::Max);
        let loose = !R::KEEPS_UPPER_HALF || self.is_loose(a) || extremum && self.is_loose(b);
        if signs || extremum {
            self.result(fmt, fd, loose, rules);
        } else {
            self.arith(fmt, fd, loose, self.with_all_implied(&operands), rules);
        }
    }

    fn step_select<R: FloatRules>(
        &mut self,
        op: FSelectOp,
        fmt: Fmt,
        fd: FReg,
        a: FReg,
        rules: &R,
    ) {
        if op == FSelectOp::Move && (fmt == Fmt::D || self.is_boxed(a)) {
            let both = |set: RegSet| set & bit(fd) != 0 && set & bit(a) != 0;
            if !both(self.canon_d) && !both(self.canon_s) {
                self.canonical(fd);
                self.canonical(a);
            }
            return self.merge_boxes(fd, a, rules);
        }
        self.canonical(fd);
        self.implies_only(fd, 0);
        let boxed = fmt == Fmt::S && self.is_boxed(fd);
        if R::OWN_NANS || !boxed || !rules.is_mapped(fd) {
            self.tighten(fd);
        }
        if op != FSelectOp::Zero {
            self.canonical(a);
            self.tighten(a);
        }
        self.boxed &= !bit(fd) | RegSet::from(boxed) << fd.0;
    }

    /// As [`Self::merge`]; what is loose of one alone is made tight.
    fn merge_boxes(&mut self, fd: FReg, a: FReg, rules: &impl FloatRules) {
        if !self.is_boxed(fd) || !self.is_boxed(a) || !rules.is_mapped(fd) {
            self.tighten(fd);
            self.tighten(a);
        }
        self.merge(fd, a);
    }

    /// Somebody looks at the upper half of `f`.
    const fn tighten(&mut self, f: FReg) {
        self.loose &= !bit(f);
    }

    /// Somebody looks at the bits of `f`.
    fn canonical(&mut self, f: FReg) {
        if self.canon() & bit(f) != 0 {
            self.made_canonical(self.with_implied(f));
        }
    }

    /// Operands are used, of which singles are checked to be boxed.
    fn look_at<R: FloatRules>(&mut self, fmt: Fmt, operands: &[FReg]) {
        if fmt != Fmt::S {
            return operands.iter().for_each(|f| self.tighten(*f));
        }
        if operands.iter().any(|f| !self.is_boxed(*f)) {
            for f in operands.iter().filter(|_| R::OWN_NANS) {
                if self.canon_d & bit(*f) != 0 {
                    self.canonical(*f);
                }
            }
            self.know_boxed(operands);
        }
    }

    /// `fd` has a canonical value; the upper half of a single may be `loose`.
    fn result(&mut self, fmt: Fmt, fd: FReg, loose: bool, rules: &impl FloatRules) {
        self.define(fd, fmt == Fmt::S);
        let loose = loose && fmt == Fmt::S && rules.is_mapped(fd);
        self.loose |= RegSet::from(loose) << fd.0;
    }

    /// `fd` has a result of the host's arithmetic on what `implied` tells about.
    fn arith<R: FloatRules>(
        &mut self,
        fmt: Fmt,
        fd: FReg,
        loose: bool,
        implied: RegSet,
        rules: &R,
    ) {
        self.result(fmt, fd, loose, rules);
        if R::OWN_NANS && rules.is_mapped(fd) {
            self.define_arith(fmt, fd, implied);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::block;
    use super::*;

    /// A host whose arithmetic makes NaNs of its own, or one whose does not. It has vector
    /// registers for all but f31, and no minimum that ignores NaNs.
    struct Rules<const OWN_NANS: bool>;

    impl<const OWN_NANS: bool> FloatRules for Rules<OWN_NANS> {
        const OWN_NANS: bool = OWN_NANS;
        const KEEPS_UPPER_HALF: bool = OWN_NANS;

        fn is_mapped(&self, f: FReg) -> bool {
            f.0 != 31
        }

        fn joins_selects(&self) -> bool {
            true
        }

        fn lacks(&self, op: &Op) -> bool {
            matches!(op, Op::FBin { op: FBinOp::Minm, .. })
        }

        fn needs_rounding(&self, op: &Op) -> Option<Rounding> {
            match *op {
                Op::FBin { op: FBinOp::Add | FBinOp::Mul, rm, .. } if rm != Rounding::Dyn => {
                    Some(rm)
                }
                _ => None,
            }
        }
    }

    /// The facts at the head of a loop: boxed, loose, canonical doubles and singles, rounding.
    type Head = (RegSet, RegSet, RegSet, RegSet, Option<Rounding>);

    fn head<const OWN_NANS: bool>(lines: &[&str]) -> Option<Head> {
        let block = block(lines);
        let facts = FloatFacts::at_back_edge(&block.nodes, block.pc, &Rules::<OWN_NANS>)?;
        Some((facts.boxed, facts.loose, facts.canon_d, facts.canon_s, facts.frm))
    }

    #[test]
    fn results_are_pending_at_the_head() {
        let sum = ["fadd.s.rtz f1, f1, f2", "fadd.d.dyn f31, f3, f4", "branch.ne x5, x0, 0x1000"];
        // The upper half of f1 is that of the operand, which has been checked to be a box.
        let rtz = Some(Rounding::Rtz);
        assert_eq!(head::<true>(&sum), Some((0b110, 0, 0, 0b10, rtz)));
        assert_eq!(head::<false>(&sum), Some((0b110, 0b10, 0, 0, rtz)));
        // A result that is stored has been looked at, and whatever it is made of.
        let stored = [
            "fmul.d.dyn f1, f1, f2",
            "fadd.d.dyn f3, f1, f3",
            "fstore.d f3, [x8 + 0]",
            "jump 0x1000",
        ];
        assert_eq!(head::<true>(&stored), None);
        let kept = ["fmul.d.dyn f1, f1, f2", "fadd.d.dyn f3, f4, f3", "fstore.d f3, [x8 + 0]"];
        let kept = [&kept[..], &["jump 0x1000"]].concat();
        assert_eq!(head::<true>(&kept), Some((0, 0, 0b10, 0, None)));
        assert_eq!(head::<false>(&kept), None);
    }

    #[test]
    fn nothing_is_pending_behind_the_interpreter_or_another_way_back() {
        let least = ["fadd.d.dyn f1, f1, f2", "fminm.d.dyn f3, f4, f5", "jump 0x1000"];
        assert_eq!(head::<true>(&least), None);
        let inner = ["fadd.d.dyn f1, f1, f2", "branch.eq x5, x0, 0x1000", "jump 0x1000"];
        assert_eq!(head::<true>(&inner), None);
        assert_eq!(head::<true>(&["fadd.d.dyn f1, f1, f2", "jump 0x2000"]), None);
    }

    #[test]
    fn what_is_taken_as_the_greater_is_no_nan() {
        let select = "unless.eq x5, x0: move.d f2, f1";
        let taken = ["fadd.d.dyn f1, f1, f4", "flt.d x5, f2, f1", select, "jump 0x1000"];
        assert_eq!(head::<true>(&taken), Some((0, 0, 0b10, 0, None)));
        let other = ["fadd.d.dyn f1, f1, f4", "flt.d x5, f2, f3", select, "jump 0x1000"];
        assert_eq!(head::<true>(&other), None);
    }
}
