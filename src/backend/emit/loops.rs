//! Loops of one block. Where the host gains by it, short ones are emitted several times in a row,
//! so that only every few times there is a poll, and values are brought home.
//!
//! If there is floating point in it, what is known and pending at the back-edge is so at the head
//! too, but for the first time. The block's entry checks it (boxes, NaNs, the rounding mode) and
//! goes to the head proper, where back-edges lead from then on. If a check fails, one iteration is
//! executed by a copy of the loop that relies on nothing; its back-edges lead to the entry again.
//!
//! Before all that, at the entry, iterations may be executed in groups: see
//! [`LowerBlock::grouped`].

use super::{Emitter, Host, LoopHead, Lower, LowerBlock, LowerFloat};
use crate::backend::{Counted, Homes, Symbolic};
use crate::ir::{Block, FReg, Fmt, Rounding};
use crate::opt::{FloatFacts, Loop};

/// Operations at most of a row of iterations.
pub(super) const MAX_ROW: usize = 64;

impl<'b, H: Host<'b>> Emitter<'b, '_, H>
where
    Self: Lower<'b, H>,
{
    /// Emits `block` if it begins with a loop that this is good for; false if not.
    #[inline(never)]
    pub(super) fn loop_block(&mut self, homes: &mut Homes, block: &Block) -> bool {
        let Some(l) = Loop::of(block) else { return false };
        // Whether a vector operation looks at numbers is known only when it is emitted.
        if l.moves_numbers_to_vectors() {
            return false;
        }
        // With reservations, how often a loop polls is how often it may fail.
        if H::UNROLL > 1 && l.reserves() {
            return false;
        }
        // Which parts are executed is told of guest code as it is.
        let rows = H::UNROLL > 1 && self.ctx.edges.is_none() && !self.ctx.marks;
        let row = if rows { l.unrolled(H::UNROLL, MAX_ROW) } else { None };
        let grouped = self.grouped(homes, block);
        let facts = if grouped || l.has_float() {
            FloatFacts::at_back_edge(row.as_deref().unwrap_or(l.nodes), block.pc, self)
        } else {
            None
        };
        let (all, end) = match &row {
            Some(row) => (row.as_slice(), l.after),
            None => (block.nodes.as_slice(), block.next),
        };
        let facts = match facts {
            Some(facts) => facts,
            // What has not been executed in groups is not tried again.
            None if grouped => FloatFacts::default(),
            None if row.is_some() => {
                self.count(Counted::Guest(block.pc));
                self.nodes(homes, all, end);
                self.end_part(end);
                return true;
            }
            None => return false,
        };
        self.count(Counted::Cold);
        let checks = self.check_head(&facts);
        self.head = Some(LoopHead { pc: block.pc, at: self.a.pos(), facts: facts.clone() });
        self.fp = facts;
        self.count(Counted::Guest(block.pc));
        self.nodes(homes, all, end);
        if row.is_some() {
            self.end_part(end);
        }

        if checks.is_empty() {
            return true;
        }
        checks.into_iter().for_each(|check| self.a.bind(check));
        (self.head, self.fp) = (None, FloatFacts::default());
        self.sym = Symbolic::new();
        self.count(Counted::Guest(block.pc));
        self.nodes(homes, l.nodes, l.after);
        true
    }

    /// Goes to a place yet unknown unless `facts` hold or can be taken to hold: the branches.
    fn check_head(&mut self, facts: &FloatFacts) -> Vec<H::Branch> {
        let mut branches = Vec::new();
        self.branch_unless_boxed(facts.boxed, &mut branches);
        // Values that no arithmetic has made may be signalling NaNs: no flags must be raised.
        for (fmt, set) in [(Fmt::D, facts.canon_d), (Fmt::S, facts.canon_s)] {
            for f in (0..32).filter(|f| set & 1 << f != 0) {
                let nan = self.test_nan(fmt, FReg(f));
                branches.push(self.a.branch_if(nan));
            }
        }
        self.branch_unless_rounding(facts.frm, &mut branches);
        branches
    }

    /// Goes to a place yet unknown unless all registers in `set` are boxed singles.
    pub(crate) fn branch_unless_boxed(&mut self, set: u32, branches: &mut Vec<H::Branch>) {
        let mut boxes = None;
        for f in (0..32).filter(|f| set & 1 << f != 0) {
            match self.map.float(f) {
                Some(x) => boxes = Some(self.and_boxes(boxes, x)),
                None => {
                    let other = self.test_unboxed(FReg(f));
                    branches.push(self.a.branch_if(other));
                }
            }
        }
        if let Some(all) = boxes {
            let other = self.test_unboxed_in(all);
            branches.push(self.a.branch_if(other));
        }
    }

    /// Goes to a place yet unknown unless the dynamic rounding mode is `mode`, if there is one.
    pub(crate) fn branch_unless_rounding(
        &mut self,
        mode: Option<Rounding>,
        branches: &mut Vec<H::Branch>,
    ) {
        if let Some(code) = mode.and_then(Self::rounding_code) {
            let other = self.test_rounding_is_not(code);
            branches.push(self.a.branch_if(other));
        }
    }

    /// Makes ready for a jump back to `target`. True if it is to be one to the head of the loop, or
    /// else the contract holds.
    pub(crate) fn flush_for_back_edge(&mut self, homes: &mut Homes, target: u64) -> bool {
        match self.head.clone() {
            Some(head) if head.pc == target && head.fits(&self.fp) => {
                self.flush_int(homes);
                self.flush_canon(head.facts.canon());
                self.flush_loose(head.facts.loose);
                true
            }
            _ => {
                self.flush(homes);
                false
            }
        }
    }
}
