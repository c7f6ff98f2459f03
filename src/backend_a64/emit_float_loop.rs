//! Loops of one block. Short ones are emitted several times in a row, so that only every few times
//! there is a poll, and values are brought home.
//!
//! If there is floating point in it, what is known and pending at the back-edge is so at the head
//! too, but for the first time. The block's entry checks it (boxes, the rounding mode) and goes to
//! the head proper, where back-edges lead from then on. If a check fails, one iteration is executed
//! by a copy of the loop that relies on nothing; its back-edges lead to the entry again.

use super::asm::{At, Cc, Mem, Sz, Test};
use super::emit::Emitter;
use super::emit_float::{AND_V, FloatState};
use super::regs::{STATE, V31, X16, float_slot, host_float};
use crate::backend::{Counted, Symbolic};
use crate::ir::{Block, Node};
use crate::opt::Loop;
use crate::util::CodePtr;

/// How often a loop is emitted in a row at most.
pub(super) const UNROLL: usize = 4;
/// Operations of such a row at most.
const MAX_ROW: usize = 64;

/// The head of a loop, where more holds than the contract.
#[derive(Clone)]
pub(super) struct LoopHead {
    /// Guest address.
    pc: u64,
    /// Where the code is.
    at: CodePtr,
    /// What holds there.
    state: FloatState,
}

impl LoopHead {
    /// Where its code is, and what holds there.
    #[cfg(all(debug_assertions, feature = "tools"))]
    pub(super) const fn place(&self) -> (CodePtr, &FloatState) {
        (self.at, &self.state)
    }

    /// True if a place where `fp` holds may lead to the head.
    fn fits(&self, fp: &FloatState) -> bool {
        self.state.boxed & !fp.boxed == 0 && (self.state.frm.is_none() || self.state.frm == fp.frm)
    }
}

impl Emitter<'_, '_> {
    /// Emits `block` if it begins with a loop that this is good for; false if not.
    pub(super) fn loop_block(&mut self, block: &Block) -> bool {
        // With reservations, how often a loop polls is how often it may fail.
        let Some(l) = Loop::of(block).filter(|l| !l.reserves()) else { return false };
        let row = l.unrolled(UNROLL, MAX_ROW);
        let state = if l.has_float() {
            self.state_at_back_edge(block.pc, row.as_deref().unwrap_or(l.nodes))
        } else {
            None
        };
        let (all, end) = match &row {
            Some(row) => (row.as_slice(), l.after),
            None => (block.nodes.as_slice(), block.next),
        };
        let Some(state) = state else {
            if row.is_none() {
                return false;
            }
            self.count(Counted::Guest(block.pc));
            self.nodes(all, end);
            return true;
        };
        self.count(Counted::Cold);
        let checks = self.check_head(&state);
        self.head = Some(LoopHead { pc: block.pc, at: self.a.pos(), state: state.clone() });
        self.fp = state;
        self.count(Counted::Guest(block.pc));
        self.nodes(all, end);

        for check in checks {
            self.a.bind(check);
        }
        (self.head, self.fp) = (None, FloatState::new());
        self.sym = Symbolic::new();
        self.count(Counted::Guest(block.pc));
        self.nodes(l.nodes, l.after);
        true
    }

    /// What holds at the last branch of `nodes` back to `pc`, as far as it is worth something at
    /// the head: found out by emitting the loop for nothing.
    fn state_at_back_edge(&mut self, pc: u64, nodes: &[Node]) -> Option<FloatState> {
        let mark = self.a.buf.mark();
        let veneers = self.a.veneers.len();
        self.probe = Some((pc, None));
        self.nodes(nodes, pc);
        let (_, edge) = self.probe.take()?;
        self.a.buf.rewind(&mark);
        self.a.veneers.truncate(veneers);
        self.fp = FloatState::new();
        self.sym = Symbolic::new();
        let edge = edge?;
        let state = FloatState {
            boxed: edge.boxed & (edge.checked | edge.unboxed),
            unboxed: edge.unboxed,
            frm: edge.frm,
            ..FloatState::new()
        };
        let useful = state.boxed != 0 || state.frm.is_some();
        useful.then_some(state)
    }

    /// Goes to a place yet unknown unless `state` holds or can be taken to hold: the branches.
    fn check_head(&mut self, state: &FloatState) -> Vec<(CodePtr, u32)> {
        let mut branches = Vec::new();
        let mut boxes = None;
        for f in (0..32).filter(|f| state.boxed & 1 << f != 0) {
            match (host_float(f), boxes) {
                (Some(x), None) => boxes = Some(x),
                (Some(x), Some(all)) => {
                    self.a.dnm(AND_V, V31, all, x);
                    boxes = Some(V31);
                }
                (None, _) => {
                    let upper = At::Disp(STATE, float_slot(f) + 4);
                    self.a.mem(Mem::LoadW, X16, upper);
                    self.a.cmp_imm(Sz::W, X16, -1);
                    branches.push(self.a.branch_if(Test::Flags(Cc::Ne)));
                }
            }
        }
        if let Some(all) = boxes {
            self.compare_box_in(all);
            branches.push(self.a.branch_if(Test::Flags(Cc::Ne)));
        }
        if let Some(code) = state.frm.and_then(Self::rounding_code) {
            let test = self.compare_rounding(code);
            branches.push(self.a.branch_if(test));
        }
        branches
    }

    /// Makes ready for a jump back to `target`. True if [`Self::branch_to_head`] is to be used, or
    /// else the contract holds.
    pub(super) fn flush_for_back_edge(&mut self, target: u64) -> bool {
        if let Some((pc, edge)) = &mut self.probe
            && *pc == target
        {
            *edge = Some(self.fp.clone());
        }
        match self.head.clone() {
            Some(head) if head.pc == target && head.fits(&self.fp) => {
                self.flush_int();
                self.flush_boxes(head.state.unboxed);
                true
            }
            _ => {
                self.flush();
                false
            }
        }
    }

    /// Jumps to the head of the loop, on a condition or always.
    pub(super) fn branch_to_head(&mut self, test: Option<Test>) {
        let Some(LoopHead { at, .. }) = self.head else {
            unreachable!("there is a head to jump to")
        };
        match test {
            Some(test) => self.a.jump_if(test, at),
            None => self.a.b(at),
        }
    }

    /// Leaves no doubt where the part that is counted ends, if what follows is not behind it.
    pub(super) fn count_end(&mut self, end: u64) {
        if self.ctx.counters.is_some() {
            self.count(Counted::Guest(end));
        }
    }
}
