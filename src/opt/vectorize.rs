//! Vectorisation: loops that do the same to each element of arrays, found so that a backend may
//! execute several iterations at once with vector instructions.
//!
//! A loop is *elementwise* if it is one block that ends with the branch back, its integer registers
//! are constant, advance by a constant, or are sums of two such, every access is to the next
//! element of an array, and its floating-point registers are constant or written before they are
//! read. It stores once, and nothing behind the store can fault or raise a flag.
//!
//! Then a group of iterations, executed operation by operation for all of them, does what they do
//! one after the other, provided that no load of a later iteration reads what an earlier one
//! stores: the store must not lie ahead of a load by more than nothing and less than the group's
//! length ([`AliasCheck`]).
//!
//! Conditional operations are taken for such that do nothing: a minimum that is looked for is found
//! once in a while. A group in which one does something is to be executed iteration by iteration.

use crate::ir::{BinOp, Block, Cond, FBinOp, FCmpOp, FReg, FUnOp, Fmt, Node, Op, Reg, Rounding};
use crate::ir::{Src, Width};

/// Most checks of the store against a load at a loop's entry.
const MOST_ALIAS_CHECKS: usize = 6;
/// Most operations of a loop.
const MOST_NODES: usize = 40;
/// Offsets and distances are below this, so that sums of them fit.
const FAR: u32 = 1 << 20;

/// An array whose elements are accessed in turn: it begins, but for a constant, at the sum of two
/// registers, the second of which may be the zero register. One of them advances by the size of an
/// element.
pub type Array = (Reg, Reg);

/// What an operation is in groups of iterations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Integer arithmetic, done for all iterations when the last group has been executed, or
    /// something that is not done in any.
    Deferred,
    /// Load or store of the element so many bytes from where the array with this index begins.
    Access(usize, i32),
    /// A comparison that gives this for all iterations, or else the group is left.
    Compare(bool),
    /// Arithmetic.
    Compute,
}

/// An induction variable: a register that advances.
#[derive(Clone, Copy)]
pub struct Induction {
    /// Which.
    pub reg: Reg,
    /// How far in one iteration.
    pub by: i32,
}

/// What a register that each iteration writes holds when the groups are done.
#[derive(Clone, Copy)]
pub enum LiveOut {
    /// The sum of two registers as they are then, and a constant.
    Sum(Array, i32),
    /// The result of a comparison.
    Flag(bool),
}

/// What must not hold at the entry: that one of the addresses from `lo` to `hi` behind the
/// beginning of an array that is loaded from is less than a group's length behind that of the
/// store, and not equal to it.
#[derive(Clone, Copy)]
pub struct AliasCheck {
    /// The index of the array.
    pub array: usize,
    /// Least offset from where it begins.
    pub lo: i32,
    /// Greatest offset.
    pub hi: i32,
}

/// An elementwise loop.
pub struct Elementwise<'a> {
    /// Its operations, but for the branch back.
    pub nodes: &'a [Node],
    /// What each of them is.
    pub roles: Vec<Role>,
    /// Where it goes on.
    pub after: u64,
    /// Format of all values.
    pub fmt: Fmt,
    /// Registers that advance.
    pub inductions: Vec<Induction>,
    /// Registers that are written otherwise, with what they hold in the end.
    pub live_outs: Vec<(Reg, LiveOut)>,
    /// The register that is compared, and with what: the loop goes on while they differ.
    pub counter: Induction,
    /// See `counter`.
    pub bound: Reg,
    /// The arrays.
    pub arrays: Vec<Array>,
    /// What is stored to: the index of the array, and the offset.
    pub store: (usize, i32),
    /// What must not hold at the entry.
    pub alias_checks: Vec<AliasCheck>,
    /// Floating-point registers that stay as they are, one bit each.
    pub constants: u32,
    /// Floating-point registers that are written.
    pub written: u32,
    /// The dynamic rounding mode must be this.
    pub rounding: Option<Rounding>,
    /// Flags may be raised.
    pub raises: bool,
    /// Registers one of which is a NaN right before the store if any result is.
    pub nans: Vec<FReg>,
}

/// Bytes of a value.
#[must_use]
pub const fn size_of(fmt: Fmt) -> i32 {
    match fmt {
        Fmt::H => 2,
        Fmt::S => 4,
        Fmt::D => 8,
    }
}

impl<'a> Elementwise<'a> {
    /// The loop that `block` begins with, if it is elementwise in groups of `bytes` of each array.
    #[must_use]
    pub fn find(block: &'a Block, bytes: i32) -> Option<Self> {
        let back = block.nodes.iter().position(|n| n.class().may_leave())?;
        let (nodes, branch) = (&block.nodes[..back], &block.nodes[back]);
        let Op::Branch { cond: Cond::Ne, a, b, target } = branch.op else { return None };
        if target != block.pc || back > MOST_NODES {
            return None;
        }
        let mut finder = Finder { nodes, ..Finder::default() };
        for n in 0..back {
            let role = finder.add(n)?;
            finder.roles.push(role);
        }
        let (counter, bound) = match (finder.induction(a), finder.induction(b)) {
            (Some(counter), None) => (counter, b),
            (None, Some(counter)) => (counter, a),
            _ => return None,
        };
        let after = block.nodes.get(back + 1).map_or(block.next, |n| n.pc);
        finder.finish(counter, bound, after, bytes)
    }
}

/// What is known of a loop whose operations are looked at one after the other.
#[derive(Default)]
struct Finder<'a> {
    nodes: &'a [Node],
    roles: Vec<Role>,
    fmt: Option<Fmt>,
    inductions: Vec<Induction>,
    live_outs: Vec<(Reg, LiveOut)>,
    /// Integer registers that must not be written.
    fixed: u32,
    arrays: Vec<Array>,
    loads: Vec<(usize, i32)>,
    store: Option<(usize, i32)>,
    written: u32,
    read: u32,
    /// Floating-point registers that conditional operations write.
    kept: u32,
    /// Results of arithmetic that may be NaNs, as far as it is not known which others are NaNs too.
    unseen: u32,
    /// For each register those that are no NaNs if it is none.
    implies: Implications,
    rounding: Option<Rounding>,
    raises: bool,
    nans: Vec<FReg>,
}

/// See [`Finder::implies`].
type Implications = [u32; 32];

impl<'a> Finder<'a> {
    fn induction(&self, r: Reg) -> Option<Induction> {
        self.inductions.iter().find(|s| s.reg == r).copied()
    }

    /// Takes the next operation; `None` if the loop is not elementwise.
    fn add(&mut self, n: usize) -> Option<Role> {
        match self.nodes[n].op {
            Op::Bin { op: BinOp::Add, w: Width::D, rd, a, b: Src::Imm(by) } if rd == a => {
                self.advance(rd, by)
            }
            Op::Bin { op: BinOp::Add, w: Width::D, rd, a, b: Src::Reg(b) } => self.sum(rd, a, b),
            Op::FStore { fmt, fs, base, off } => {
                self.has_format(fmt)?;
                let at = self.place(base, off)?;
                self.read |= 1 << fs.0;
                self.collect_nans(fs);
                if self.store.replace(at).is_some() {
                    return None;
                }
                Some(Role::Access(at.0, at.1))
            }
            Op::Select { cond, x, y: Reg::ZERO, rd, .. } => {
                self.expected(x, cond)?;
                self.fixed |= 1 << rd.0;
                Some(Role::Deferred)
            }
            Op::FSelect { cond, x, y: Reg::ZERO, fmt, fd, .. } => {
                self.has_format(fmt)?;
                self.expected(x, cond)?;
                self.kept |= 1 << fd.0;
                Some(Role::Deferred)
            }
            // Nothing else must come behind the store.
            _ if self.store.is_some() => None,
            Op::FLoad { fmt, fd, base, off } => {
                self.has_format(fmt)?;
                let at = self.place(base, off)?;
                self.loads.push(at);
                self.write(fd, &[], false)?;
                Some(Role::Access(at.0, at.1))
            }
            Op::FCmp { op: FCmpOp::Eq | FCmpOp::Lt | FCmpOp::Le, fmt, rd, a, b } => {
                self.has_format(fmt)?;
                self.read |= 1 << a.0 | 1 << b.0;
                self.raises = true;
                let expected = self.wanted(n, rd)?;
                self.set_live_out(rd, LiveOut::Flag(expected))?;
                Some(Role::Compare(expected))
            }
            ref op => self.arithmetic(op),
        }
    }

    fn arithmetic(&mut self, op: &Op) -> Option<Role> {
        let (fmt, rm, fd, operands) = match *op {
            Op::FBin { op, fmt, rm, fd, a, b } => match op {
                FBinOp::Add | FBinOp::Sub | FBinOp::Mul | FBinOp::Div => (fmt, rm, fd, [a, b, b]),
                // The sign of another operand says nothing of a NaN.
                FBinOp::Sgnj | FBinOp::Sgnjn | FBinOp::Sgnjx if a == b => {
                    (fmt, Rounding::Dyn, fd, [a; 3])
                }
                _ => return None,
            },
            Op::FUn { op: FUnOp::Sqrt, fmt, rm, fd, a } => (fmt, rm, fd, [a; 3]),
            Op::FMulAdd { fmt, rm, fd, a, b, c, .. } => (fmt, rm, fd, [a, b, c]),
            _ => return None,
        };
        self.has_format(fmt)?;
        match rm {
            Rounding::Dyn => {}
            Rounding::Rmm => return None,
            _ if *self.rounding.get_or_insert(rm) != rm => return None,
            _ => {}
        }
        operands.iter().for_each(|f| self.read |= 1 << f.0);
        self.raises = true;
        self.write(fd, &operands, true)?;
        Some(Role::Compute)
    }

    // Integer registers.

    fn advance(&mut self, reg: Reg, by: i32) -> Option<Role> {
        if reg.is_zero() || by.unsigned_abs() >= FAR {
            return None;
        }
        match self.inductions.iter_mut().find(|s| s.reg == reg) {
            Some(step) => step.by += by,
            None => self.inductions.push(Induction { reg, by }),
        }
        Some(Role::Deferred)
    }

    fn sum(&mut self, rd: Reg, a: Reg, b: Reg) -> Option<Role> {
        if rd == a || rd == b || a == b {
            return None;
        }
        let advanced = |r: Reg| self.induction(r).map_or(0, |s| s.by);
        let off = advanced(a) + advanced(b);
        self.set_live_out(rd, LiveOut::Sum((a, b), off))?;
        Some(Role::Deferred)
    }

    fn set_live_out(&mut self, rd: Reg, last: LiveOut) -> Option<()> {
        if rd.is_zero() {
            return None;
        }
        match self.live_outs.iter_mut().find(|(r, _)| *r == rd) {
            Some((_, old)) => *old = last,
            None => self.live_outs.push((rd, last)),
        }
        Some(())
    }

    /// The array and the offset at `base + off`.
    fn place(&mut self, base: Reg, off: i32) -> Option<(usize, i32)> {
        let (array, ahead) = match self.live_outs.iter().find(|(r, _)| *r == base) {
            Some((_, LiveOut::Sum(array, ahead))) => (*array, *ahead),
            Some(_) => return None,
            None => ((base, Reg::ZERO), self.induction(base).map_or(0, |s| s.by)),
        };
        let off = off.checked_add(ahead).filter(|off| off.unsigned_abs() < FAR)?;
        let known = self.arrays.iter().position(|a| *a == array);
        let index = known.unwrap_or_else(|| {
            self.arrays.push(array);
            self.arrays.len() - 1
        });
        Some((index, off))
    }

    /// What the comparison that operation `n` makes for `rd` must give so that the conditional
    /// operations which look at it do nothing. `None` if nothing looks at it.
    fn wanted(&self, n: usize, rd: Reg) -> Option<bool> {
        self.nodes[n + 1..].iter().find_map(|node| match node.op {
            Op::Select { cond, x, y: Reg::ZERO, .. }
            | Op::FSelect { cond, x, y: Reg::ZERO, .. }
                if x == rd =>
            {
                Some(cond == Cond::Ne)
            }
            _ => None,
        })
    }

    /// `None` unless an operation on condition that `x` and zero are not so does nothing.
    fn expected(&self, x: Reg, cond: Cond) -> Option<()> {
        let flag = self.live_outs.iter().find(|(r, _)| *r == x)?.1;
        matches!((flag, cond), (LiveOut::Flag(false), Cond::Eq) | (LiveOut::Flag(true), Cond::Ne))
            .then_some(())
    }

    // Floating-point registers.

    fn has_format(&mut self, fmt: Fmt) -> Option<()> {
        (*self.fmt.get_or_insert(fmt) == fmt && fmt != Fmt::H).then_some(())
    }

    fn write(&mut self, fd: FReg, operands: &[FReg], arithmetic: bool) -> Option<()> {
        let bit = 1 << fd.0;
        // Read before it is written for the first time: carried from one iteration to the next.
        if self.written & bit == 0 && self.read & bit != 0 {
            return None;
        }
        let with = |f: &FReg| self.implies[usize::from(f.0)] | 1 << f.0;
        let implied = operands.iter().fold(0, |set, f| set | with(f));
        self.implies.iter_mut().for_each(|set| *set &= !bit);
        self.written |= bit;
        self.implies[usize::from(fd.0)] = implied & !bit;
        self.unseen = if arithmetic { self.unseen | bit } else { self.unseen & !bit };
        Some(())
    }

    /// Finds out which registers tell about NaNs, `stored` for one.
    fn collect_nans(&mut self, stored: FReg) {
        let told = |f: u8, unseen: u32| (self.implies[usize::from(f)] | 1 << f) & unseen;
        let mut next = Some(stored.0);
        while let Some(f) = next {
            if told(f, self.unseen) != 0 {
                self.nans.push(FReg(f));
                self.unseen &= !told(f, self.unseen);
            }
            let unseen = self.unseen;
            next = (0..32)
                .filter(|f| unseen & 1 << f != 0)
                .max_by_key(|f| told(*f, unseen).count_ones());
        }
    }

    /// What is known when all operations have been looked at.
    fn finish(
        self,
        counter: Induction,
        bound: Reg,
        after: u64,
        bytes: i32,
    ) -> Option<Elementwise<'a>> {
        let (fmt, store) = (self.fmt?, self.store?);
        let advances = |r: Reg| self.induction(r).is_some_and(|s| s.by == size_of(fmt));
        let changes =
            |r: Reg| self.induction(r).is_some() || self.live_outs.iter().any(|(l, _)| *l == r);
        let good = |(a, b): &Array| advances(*a) && !changes(*b) || advances(*b) && !changes(*a);
        let fixed = (0..32).map(Reg).filter(|r| self.fixed & 1 << r.0 != 0).any(changes);
        let twice = self.live_outs.iter().any(|(r, _)| self.induction(*r).is_some());
        let sums = self.live_outs.iter().filter_map(|(_, last)| match last {
            LiveOut::Sum(array, _) => Some(array),
            LiveOut::Flag(_) => None,
        });
        let by = counter.by.unsigned_abs();
        if !self.arrays.iter().chain(sums).all(good)
            || fixed
            || twice
            || changes(bound)
            || !(by.is_power_of_two() && by <= 8)
            || self.kept & self.written != 0
        {
            return None;
        }
        let alias_checks = self.alias_checks(store, bytes)?;
        Some(Elementwise {
            nodes: self.nodes,
            roles: self.roles,
            after,
            fmt,
            counter,
            bound,
            store,
            alias_checks,
            constants: self.read & !self.written,
            written: self.written,
            inductions: self.inductions,
            live_outs: self.live_outs,
            arrays: self.arrays,
            rounding: self.rounding,
            raises: self.raises,
            nans: self.nans,
        })
    }

    fn alias_checks(&self, store: (usize, i32), bytes: i32) -> Option<Vec<AliasCheck>> {
        let mut alias_checks: Vec<AliasCheck> = Vec::new();
        for &(array, off) in &self.loads {
            if array == store.0 {
                if 0 < store.1 - off && store.1 - off < bytes {
                    return None;
                }
                continue;
            }
            match alias_checks.iter_mut().find(|c| c.array == array) {
                Some(c) => (c.lo, c.hi) = (c.lo.min(off), c.hi.max(off)),
                None => alias_checks.push(AliasCheck { array, lo: off, hi: off }),
            }
        }
        (alias_checks.len() <= MOST_ALIAS_CHECKS).then_some(alias_checks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A loop over pointers x14 and x15, to x13, with `body` in the middle.
    fn with(body: &str) -> Block {
        let lines: Vec<&str> = body.split("; ").collect();
        let mut text = format!("block 0x1000 insns {}\nrange 0x1000 64\n", lines.len() + 3);
        let steps = ["add.d x14, x14, 8", "add.d x15, x15, 8", "branch.ne x15, x13, 0x1000"];
        for (n, line) in lines.iter().chain(&steps).enumerate() {
            text += &format!("{:#x} {line}\n", 0x1000 + 4 * n);
        }
        text += &format!("next {:#x}\n", 0x1000 + 4 * (lines.len() + steps.len()));
        text.parse().unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    fn is_elementwise(body: &str) -> bool {
        Elementwise::find(&with(body), 32).is_some()
    }

    #[test]
    fn a_sum_is_elementwise() {
        let block = with(
            "fload.d f1, [x14 + 0]; fload.d f2, [x15 + 0]; fadd.d.dyn f2, f1, f2; fstore.d f2, [x15 + 0]",
        );
        let l = Elementwise::find(&block, 32).expect("elementwise");
        assert_eq!((l.written, l.constants, l.fmt, l.bound.0), (6, 0, Fmt::D, 13));
        assert!(l.nans == [FReg(2)]);
        assert_eq!(l.after, 0x101c);
        let [c] = l.alias_checks[..] else { panic!("one array against the other") };
        assert!((l.arrays[c.array], c.lo, c.hi) == ((Reg(14), Reg::ZERO), 0, 0));
    }

    #[test]
    fn values_carried_from_one_iteration_to_the_next_are_not() {
        assert!(!is_elementwise(
            "fload.d f1, [x14 + 0]; fadd.d.dyn f2, f1, f2; fstore.d f2, [x15 + 0]"
        ));
        assert!(!is_elementwise("fstore.d f2, [x15 + 0]; fload.d f2, [x14 + 0]"));
        // In memory: some bytes back, but not a whole group back, nor ahead.
        for (off, good) in [(-8, false), (-24, false), (-32, true), (0, true), (8, true)] {
            let load = format!("fload.d f1, [x15 + {off}]; fstore.d f1, [x15 + 0]");
            assert_eq!(is_elementwise(&load), good, "{off}");
        }
    }

    #[test]
    fn nothing_that_faults_or_raises_comes_behind_the_store() {
        let store = "fload.d f1, [x14 + 0]; fstore.d f1, [x15 + 0]";
        assert!(is_elementwise(store));
        for op in ["fload.d f2, [x14 + 0]", "fadd.d.dyn f2, f1, f1", "fstore.d f1, [x14 + 0]"] {
            assert!(!is_elementwise(&format!("{store}; {op}")), "{op}");
        }
    }

    #[test]
    fn conditions_are_taken_for_such_that_change_nothing() {
        let loop_with = |condition: &str| {
            with(&format!(
                "fload.d f1, [x14 + 0]; flt.d x10, f3, f1; unless.{condition}: move.d f3, f1; fstore.d f1, [x15 + 0]"
            ))
        };
        for (condition, expected) in [("eq x10, x0", false), ("ne x10, x0", true)] {
            let block = loop_with(condition);
            let l = Elementwise::find(&block, 32).expect("elementwise");
            assert!(l.roles.contains(&Role::Compare(expected)), "{condition}");
            assert_eq!(l.constants, 8);
        }
        for condition in ["eq x10, x11", "lt x10, x0"] {
            assert!(Elementwise::find(&loop_with(condition), 32).is_none(), "{condition}");
        }
    }

    #[test]
    fn every_result_is_told_about_by_one_that_is_looked_at() {
        let block = with(
            "fload.d f1, [x14 + 0]; fmul.d.dyn f2, f1, f1; fsub.d.dyn f3, f2, f1; fsqrt.d.dyn f4, f1; fstore.d f3, [x15 + 0]",
        );
        let l = Elementwise::find(&block, 32).expect("elementwise");
        assert!(l.nans == [FReg(3), FReg(4)]);
    }
}
