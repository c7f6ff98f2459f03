//! A block from end to end.

#[cfg(all(debug_assertions, feature = "tools"))]
use super::Checker;
use super::{
    Emitter, HeldCopies, Host, Lower, LowerBlock, LowerConvert, LowerExit, LowerFloatMove,
    LowerMemory, LowerSelect, LowerVector,
};
use crate::backend::{CountPoint, Counted, Homes, MAX_COUNTERS};
use crate::ir::{Block, Fmt, Node, Op};
use crate::opt::Liveness;
use crate::util::CodePtr;

impl<'b, H: Host<'b>> Emitter<'b, '_, H>
where
    Self: Lower<'b, H>,
{
    /// Emits `block` at the buffer's position.
    pub(crate) fn block(&mut self, block: &Block) {
        let homes = &mut Homes::new();
        let start = self.a.pos();
        self.a.buf.entries.push((block.pc, start));
        if let Some(insns) = self.ctx.meter {
            self.meter(block.pc, insns);
        }
        if let Some(countdown) = self.ctx.countdown {
            self.count_down(block.pc, countdown);
        }
        // Iterations that are executed together could not be paid for or counted one by one.
        let each = self.ctx.meter.is_some() || self.ctx.countdown.is_some();
        if each || !block.loops() || !self.loop_block(homes, block) {
            self.count(Counted::Guest(block.pc));
            self.nodes(homes, &block.nodes, block.next);
        }
        self.a.end();
    }

    /// Emits `nodes`, after which execution goes on at `after`.
    pub(crate) fn nodes(&mut self, homes: &mut Homes, nodes: &[Node], after: u64) {
        let mut open = true;
        self.begin_run();
        self.vectors.forget();
        let mut ahead = std::mem::take(self.ahead);
        let cpu = self.cpu;
        Liveness::of(nodes, &mut ahead, |class| H::keeps(class, cpu));
        let (mut rest, mut known) = (nodes, &ahead[..]);
        let mut before = None;
        #[cfg(all(debug_assertions, feature = "tools"))]
        let mut checker =
            self.ctx.edges.is_none().then(|| Checker::<H::Simulated>::new(self, nodes, after));
        while let ([node, following @ ..], [now, later @ ..]) = (rest, known) {
            self.redefined = now.redefined;
            self.dead_later = now.dead;
            self.dead = now.dead & !node.reads();
            self.begin_node(node, now);
            self.same_insn = before == Some(node.pc);
            self.pc = node.pc;
            self.next = following.first().map_or(after, |n| n.pc);
            if self.end_part_at_gap(node.pc) {
                self.count(Counted::Guest(node.pc));
            }
            (rest, known) = (following, later);
            if self.vectors.has_misses() {
                self.enter_second_copy(homes);
            }
            let mut last = node;
            match self.fuse_with_next(homes, &node.op, following) {
                0 => self.op(homes, &node.op, following.is_empty()),
                n => {
                    (rest, known) = (&following[n..], &later[n..]);
                    last = &following[n - 1];
                }
            }
            before = Some(last.pc);
            if last.class().may_leave() {
                open = !last.op.ends_block();
            }
            self.count_behind(last, rest, after, open);
            #[cfg(all(debug_assertions, feature = "tools"))]
            checker.iter_mut().for_each(|c| c.emitted(self, nodes.len() - rest.len()));
        }
        *self.ahead = ahead;
        if open {
            self.pc = after;
            self.flush(homes);
            self.go_on_at(after);
            if self.ctx.marks {
                self.end_part(after);
            }
            #[cfg(all(debug_assertions, feature = "tools"))]
            checker.iter_mut().for_each(|c| c.ended(self));
        }
        self.end_run(homes, if open { after } else { u64::MAX });
        #[cfg(all(debug_assertions, feature = "tools"))]
        checker.iter_mut().for_each(|c| c.taken(self));
        if self.vectors.has_misses() {
            self.second_copy(homes, nodes, after);
        }
    }

    /// Emits `op`, the last one or not.
    // What is called is not inlined, so that an operation bears the cost of its own code alone.
    #[inline(always)]
    fn op(&mut self, homes: &mut Homes, op: &Op, last: bool) {
        match *op {
            Op::Const { rd, value } => self.set_const(homes, rd, value),
            Op::Bin { op, w, rd, a, b } => self.bin(homes, op, w, rd, a, b),
            Op::Un { op, w, rd, a } => self.un(homes, op, w, rd, a),
            Op::Load { kind, rd, base, off } => self.load(homes, kind, rd, base, off),
            Op::LoadWord { size, reverse, rd, bytes, base, off } => {
                self.load_word(homes, (size, reverse), rd, bytes, (base, off));
            }
            Op::Bytes { rd, bytes, word } => self.bytes(homes, rd, bytes, word),
            Op::Store { size, src, base, off } => self.store(homes, size, src, base, off),
            Op::FLoad { fmt: Fmt::H, .. } | Op::FStore { fmt: Fmt::H, .. } => self.helper(homes, 0),
            Op::FLoad { fmt, fd, base, off } => self.fload(homes, fmt, fd, base, off),
            Op::FStore { fmt, fs, base, off } => self.fstore(homes, fmt, fs, base, off),
            Op::Amo { op, size, rd, base, src } => self.amo(homes, op, size, rd, base, src),
            Op::LoadReserved { size, rd, base } => self.load_reserved(homes, size, rd, base),
            Op::StoreConditional { size, rd, base, src } => {
                self.store_conditional(homes, size, rd, base, src);
            }
            Op::Cas { size, rd, base, src } => self.cas(homes, size, rd, base, src),
            Op::Fence(f) => self.fence(f),
            Op::Pause => self.a.pause(),
            Op::FBin { .. }
            | Op::FUn { .. }
            | Op::FMulAdd { .. }
            | Op::FCmp { .. }
            | Op::FClass { .. }
            | Op::FToInt { .. }
            | Op::FFromInt { .. }
            | Op::FConvert { .. }
            | Op::FMoveToInt { .. }
            | Op::FMoveFromInt { .. }
            | Op::FConst { .. } => self.float(homes, op),
            Op::ReadFlags { rd } => self.read_flags(homes, rd),
            Op::SwapFlags { rd, a } => self.swap_flags(homes, rd, a),
            Op::ReadRounding { rd } => self.read_rounding(homes, rd),
            Op::ReadCounter { counter, rd } => self.read_counter(homes, counter, rd),
            Op::Helper { reads: _, writes } => self.helper(homes, writes),
            Op::VSet { .. }
            | Op::VRetype { .. }
            | Op::VLoad { .. }
            | Op::VStore { .. }
            | Op::VLoadWhole { .. }
            | Op::VStoreWhole { .. }
            | Op::VBin { .. }
            | Op::VMove { .. }
            | Op::VReduce { .. }
            | Op::VToInt { .. }
            | Op::VToFloat { .. }
            | Op::VHelper { .. } => self.vector(homes, op),
            Op::Branch { cond, a, b, target } => self.branch(homes, cond, a, b, target),
            Op::Select { cond, x, y, op, w, rd, a, b } => {
                self.select(homes, (cond, x, y), rd, (op, w, a, b));
            }
            Op::FSelect { cond, x, y, op, fmt, fd, a } => {
                self.fselect(homes, (cond, x, y), fd, (op, fmt, a));
            }
            Op::Jump { target } => self.jump(homes, target),
            Op::Call { target, link, ret } => self.call(homes, target, link, ret, last),
            Op::CallIndirect { base, off, link, ret } => {
                self.call_indirect(homes, base, off, link, ret, last);
            }
            Op::JumpIndirect { base, off, link, ret, is_return } => {
                self.jump_indirect(homes, base, off, (link, ret), is_return);
            }
            Op::Exit(kind) => self.exit(homes, kind),
        }
    }

    /// Brings everything home: the contract.
    #[inline]
    pub(crate) fn flush(&mut self, homes: &mut Homes) {
        self.flush_int(homes);
        if self.fp.is_pending() {
            self.flush_float();
        }
    }

    // Faults.

    /// True if the contract does not hold here.
    #[inline]
    pub(crate) fn anything_pending(&self) -> bool {
        self.sym.pending() != 0 || self.copies.dirty() != 0 || self.fp.is_pending()
    }

    /// Says that the next host instruction may fault, on behalf of the current guest instruction.
    #[inline]
    pub(crate) fn fault_point(&mut self) {
        self.fault_point_at(self.a.pos());
    }

    /// As [`Self::fault_point`], for host address `host`.
    pub(crate) fn fault_point_at(&mut self, host: CodePtr) {
        if self.anything_pending() {
            self.restore_ops();
        }
        let pc = self.pc;
        self.a.faults().point(host, pc);
    }

    /// Says what is pending, for the fault point that comes next.
    #[inline(never)]
    fn restore_ops(&mut self) {
        let faults = self.a.faults();
        self.copies.restore_ops(faults);
        faults.push_pending(&self.sym);
        if self.fp.is_pending() {
            self.float_restore_ops();
        }
    }

    // Counters.

    /// Counts how often what follows is executed, if that is asked for. Registers and flags are
    /// unchanged.
    #[inline]
    pub(crate) fn count(&mut self, counted: Counted) {
        if let Some(counters) = self.ctx.counters {
            self.count_in(counters, counted);
        }
        if let (Some(edges), Counted::Guest(pc)) = (self.ctx.edges, counted) {
            self.a.edge(edges, place_of(pc));
        }
    }

    /// True if something is asked for that [`Self::count`] emits.
    #[inline]
    pub(crate) fn counts(&self) -> bool {
        self.ctx.counters.is_some() || self.ctx.edges.is_some()
    }

    fn count_in(&mut self, counters: u64, counted: Counted) {
        let n = self.a.buf.points.len();
        let at = counters + n as u64 * 8;
        if n == MAX_COUNTERS || self.ctx.marks && !counted.is_guest_code() {
            return;
        }
        let start = self.a.pos();
        if self.ctx.marks {
            self.a.mark(at)
        } else {
            self.a.increment(at)
        }
        let end = self.a.pos();
        self.a.buf.points.push(CountPoint { start, end, counted });
    }

    /// Says that the last part that is counted or marked ends where `after` begins, which is not
    /// part of what was emitted.
    pub(super) fn end_part(&mut self, after: u64) {
        let n = self.a.buf.points.len();
        if self.ctx.counters.is_some() && n < MAX_COUNTERS {
            let at = self.a.pos();
            let counted = Counted::Guest(after);
            self.a.buf.points.push(CountPoint { start: at, end: at, counted });
        }
    }

    /// Counts how often `rest` is executed, which follows `last`, in a run behind which execution
    /// goes on at `after`, if that is asked for.
    #[inline]
    fn count_behind(&mut self, last: &Node, rest: &[Node], after: u64, open: bool) {
        if !self.counts() {
            return;
        }
        let next = rest.first().map_or(after, |n| n.pc);
        // The same guest code once more, in a row of iterations.
        let again = H::UNROLL > 1 && !rest.is_empty() && next < last.pc;
        if again {
            self.count(Counted::Guest(after));
        }
        if open && (again || last.op.is_branch_or_call()) {
            self.end_part_at_gap(next);
            self.count(Counted::Guest(next));
        }
    }

    /// Runs `f` with the emitter writing to the cold part.
    pub(crate) fn in_cold(&mut self, f: impl FnOnce(&mut Self)) {
        debug_assert!(!self.a.cold, "cold code has no colder part");
        self.a.cold = true;
        self.count(Counted::Cold);
        let copies = self.copies.clone();
        f(self);
        self.copies = copies;
        self.a.cold = false;
    }
}

/// The place of code among the counters of transitions: neighbours lie apart.
const fn place_of(pc: u64) -> u16 {
    (pc.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16
}
