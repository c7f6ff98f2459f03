//! Loops of one block with floating point: what is known and pending at the back-edge is so at the
//! head too, but for the first time.
//!
//! The block's entry checks it (boxes, NaNs, the rounding mode) and goes to the head proper, where
//! back-edges lead from then on. If a check fails, one iteration is executed by a copy of the loop
//! that relies on nothing; its back-edges lead to the entry again.
//!
//! Before all that, at the entry, iterations may be executed in groups: see `emit_vector`.

use super::asm::{Alu, Cc, Map, Pp, Rm, Sz};
use super::emit::Emitter;
use super::emit_float::FloatState;
use super::emit_float_arith::AND;
use super::regs::{XMM0, field, float_slot, host_float};
use crate::backend::{Counted, LinkSite};
use crate::ir::{Block, FReg, Fmt, Node, Rounding};
use crate::opt::Loop;
use crate::util::CodePtr;

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

    /// True if a place where `fp` holds may lead to the head once some of what is pending has been
    /// brought home. What is pending at the head must be pending there: the value might be a NaN
    /// that came from memory as it is.
    fn fits(&self, fp: &FloatState) -> bool {
        let missing = |head: u32, here: u32| head & !here != 0;
        let s = &self.state;
        !missing(s.boxed, fp.boxed)
            && !missing(s.canon_d, fp.canon_d)
            && !missing(s.canon_s, fp.canon_s)
            && (s.frm.is_none() || s.frm == fp.frm)
    }
}

impl Emitter<'_, '_> {
    /// Emits `block` if it begins with a loop that this is good for; false if not.
    #[inline(never)]
    pub(super) fn float_loop(&mut self, block: &Block) -> bool {
        let Some(l) = Loop::of(block) else { return false };
        let vectors = self.vector_loop(block);
        if !vectors && !l.has_float() {
            return false;
        }
        let state = match self.state_at_back_edge(block.pc, l.nodes) {
            Some(state) => state,
            // What has not been executed in groups is not tried again.
            None if vectors => FloatState::new(),
            None => return false,
        };
        self.count(Counted::Cold);
        let checks = self.check_head(&state);
        self.head = Some(LoopHead { pc: block.pc, at: self.a.pos(), state: state.clone() });
        self.fp = state;
        self.count(Counted::Guest(block.pc));
        self.nodes(&block.nodes, block.next);

        if checks.is_empty() {
            return true;
        }
        self.bind(&checks);
        (self.head, self.fp) = (None, FloatState::new());
        self.sym = crate::backend::Symbolic::new();
        self.count(Counted::Guest(block.pc));
        self.nodes(l.nodes, l.after);
        true
    }

    /// What holds at the last branch of `nodes` back to `pc`, as far as it is worth something at
    /// the head: found out by emitting the loop for nothing.
    fn state_at_back_edge(&mut self, pc: u64, nodes: &[Node]) -> Option<FloatState> {
        let mark = self.a.buf.mark();
        self.probe = Some((pc, None));
        self.nodes(nodes, pc);
        let (_, edge) = self.probe.take()?;
        self.a.buf.rewind(&mark);
        self.fp = FloatState::new();
        self.sym = crate::backend::Symbolic::new();
        let edge = edge?;
        let state = FloatState {
            boxed: edge.boxed & (edge.checked | edge.loose | edge.canon_s),
            loose: edge.loose,
            canon_d: edge.canon_d,
            canon_s: edge.canon_s,
            frm: edge.frm,
            ..FloatState::new()
        };
        let useful = state.boxed | state.canon() != 0 || state.frm.is_some();
        useful.then_some(state)
    }

    /// Goes to a place yet unknown unless `state` holds or can be taken to hold: the displacements
    /// to be filled in.
    fn check_head(&mut self, state: &FloatState) -> Vec<CodePtr> {
        let mut sites = Vec::new();
        self.jump_unless_boxed(state.boxed, &mut sites);
        // Values that no arithmetic has made may be signalling NaNs: no flags must be raised.
        for (fmt, set) in [(Fmt::D, state.canon_d), (Fmt::S, state.canon_s)] {
            for f in (0..32).filter(|f| set & 1 << f != 0) {
                self.compare_nan(fmt, FReg(f));
                self.jump_to_be_bound(Cc::A, &mut sites);
            }
        }
        self.jump_unless_rounding(state.frm, &mut sites);
        sites
    }

    /// Goes to a place yet unknown unless all registers in `set` are boxed singles.
    pub(super) fn jump_unless_boxed(&mut self, set: u32, sites: &mut Vec<CodePtr>) {
        let mut boxes = None;
        for f in (0..32).filter(|f| set & 1 << f != 0) {
            match (host_float(f), boxes) {
                (Some(x), None) => {
                    self.fmove(XMM0, x);
                    boxes = Some(XMM0);
                }
                (Some(x), Some(all)) => self.scalar_op(Pp::None, AND, all, all, Rm::R(x)),
                (None, _) => {
                    self.a.alu_imm(Alu::Cmp, Sz::D, Rm::S(float_slot(f) + 4), -1);
                    self.jump_to_be_bound(Cc::Ne, sites);
                }
            }
        }
        if let Some(all) = boxes {
            self.compare_box_in(all);
            self.jump_to_be_bound(Cc::Ne, sites);
        }
    }

    /// Goes to a place yet unknown unless the dynamic rounding mode is `mode`, if there is one.
    pub(super) fn jump_unless_rounding(
        &mut self,
        mode: Option<Rounding>,
        sites: &mut Vec<CodePtr>,
    ) {
        if let Some(code) = mode.and_then(Self::rounding_code) {
            self.a.ins(Pp::None, Map::One, Sz::D, 0x80, 7, Rm::S(field!(hart.frm))); // cmp byte
            self.a.byte(code);
            self.jump_to_be_bound(Cc::Ne, sites);
        }
    }

    /// Jumps on a condition to where [`Self::bind`] says.
    pub(super) fn jump_to_be_bound(&mut self, cc: Cc, sites: &mut Vec<CodePtr>) {
        self.a.bytes(&[0x0f, 0x80 | cc as u8]);
        sites.push(self.a.pos());
        self.a.imm32(0);
    }

    /// Lets jumps lead to what comes next.
    pub(super) fn bind(&mut self, sites: &[CodePtr]) {
        let here = self.a.pos();
        for site in sites {
            self.a.buf.patch(*site, super::patch::rel32(*site, here));
        }
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
                self.flush_canon(head.state.canon());
                self.flush_loose(head.state.loose);
                true
            }
            _ => {
                self.flush();
                false
            }
        }
    }

    /// Jumps to the head of the loop, on a condition or always, by a jump that is only redirected
    /// when the block is not valid any more.
    pub(super) fn branch_to_head(&mut self, cc: Option<Cc>) {
        let Some(LoopHead { pc, at, .. }) = self.head else {
            unreachable!("there is a head to jump to")
        };
        match cc {
            Some(cc) => {
                self.a.pad_for_patch(2);
                self.a.bytes(&[0x0f, 0x80 | cc as u8]);
            }
            None => {
                self.a.pad_for_patch(1);
                self.a.byte(0xe9);
            }
        }
        let (site, stub) = (self.a.pos(), self.a.buf.cold_pos());
        self.a.rel(at);
        self.a.buf.links.push(LinkSite {
            site,
            target: pc,
            stub,
            call: false,
            inner: true,
            conditional: None,
        });
        let (sym, fp) = (self.sym.clone(), self.fp.clone());
        self.in_cold(|e| {
            e.flush();
            e.jump_to(pc);
        });
        (self.sym, self.fp) = (sym, fp);
    }
}
