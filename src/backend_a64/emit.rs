//! A block from end to end.

use super::asm::{Asm, At, Mem, Sz};
use super::emit_exit::Later;
use super::features::Features;
use super::regs::{X16, X17, field};
use crate::backend::{CodeBuf, CountPoint, Counted, EmitContext, MAX_COUNTERS, Symbolic};
use crate::ir::{Block, Node, Op};
use crate::opt::{Liveness, RegSet};
use crate::util::CodePtr;

/// Everything that is known while a block is emitted.
pub(super) struct Emitter<'b, 'c> {
    pub(super) a: Asm<'b>,
    pub(super) sym: Symbolic,
    pub(super) fp: super::emit_float::FloatState,
    /// The loop that is being emitted, if back-edges need not keep the contract.
    pub(super) head: Option<super::emit_float_loop::LoopHead>,
    /// Where a loop begins that is emitted for nothing, and what holds at its back-edge.
    pub(super) probe: Option<(u64, Option<super::emit_float::FloatState>)>,
    pub(super) ctx: &'c EmitContext<'c>,
    pub(super) cpu: Features,
    /// Address of the guest instruction that is being emitted.
    pub(super) pc: u64,
    /// Address of the one that follows it, if it does not jump.
    pub(super) next: u64,
    /// Registers whose value now is overwritten by a later operation of the block before it must be
    /// at home.
    pub(super) redefined: RegSet,
    /// The operation before belongs to the same instruction.
    pub(super) same_insn: bool,
    /// Registers whose value nobody will see: it is overwritten before it is read, before anything
    /// faults and before the block can be left. The current operation does not read it either.
    pub(super) dead: RegSet,
    /// The same, but that the current operation may read it.
    pub(super) dead_later: RegSet,
    /// Taken branches, which are emitted behind the block.
    pub(super) later: Vec<Later>,
    /// Branches of returns that do not go where the latest call was to return to, with the register
    /// that holds the guest address.
    pub(super) misses: Vec<((CodePtr, u32), u8)>,
}

impl<'b, 'c> Emitter<'b, 'c> {
    pub(super) fn new(buf: &'b mut CodeBuf, ctx: &'c EmitContext<'c>, cpu: Features) -> Self {
        let a = Asm { buf, cold: false, veneers: Vec::new() };
        let fp = super::emit_float::FloatState::new();
        let (later, misses) = (Vec::new(), Vec::new());
        Self {
            a,
            sym: Symbolic::new(),
            fp,
            head: None,
            probe: None,
            ctx,
            cpu,
            pc: 0,
            next: 0,
            redefined: 0,
            same_insn: false,
            dead: 0,
            dead_later: 0,
            later,
            misses,
        }
    }

    /// Emits `block` at the buffer's position.
    pub(super) fn block(&mut self, block: &Block) {
        let start = self.a.pos();
        self.a.buf.entries.push((block.pc, start));
        if !self.loop_block(block) {
            self.count(Counted::Guest(block.pc));
            self.nodes(&block.nodes, block.next);
        }
        self.a.emit_veneers();
    }

    /// Emits `nodes`, after which execution goes on at `after`.
    pub(super) fn nodes(&mut self, nodes: &[Node], after: u64) {
        let mut open = true;
        let mut ahead = Vec::new();
        Liveness::of(nodes, &mut ahead, |_| 0);
        let mut rest = nodes;
        #[cfg(all(debug_assertions, feature = "tools"))]
        let mut checker = super::check::Checker::new(self, nodes, after);
        while let [node, following @ ..] = rest {
            let at = nodes.len() - rest.len();
            let now = ahead[at];
            self.same_insn = at > 0 && nodes[at - 1].pc == node.pc;
            self.redefined = now.redefined;
            self.dead_later = now.dead;
            self.dead = self.dead_later & !node.reads();
            self.pc = node.pc;
            self.next = following.first().map_or(after, |n| n.pc);
            rest = following;
            let mut done = node;
            if let Some(second) = following.first()
                && (self.pair(&node.op, &second.op) || self.fcmp_branch(&node.op, second))
            {
                (done, rest) = (second, &following[1..]);
            } else {
                self.op(&node.op, following.is_empty());
            }
            open = !done.op.ends_block();
            let next = rest.first().map_or(after, |n| n.pc);
            let again = !rest.is_empty() && next < done.pc;
            if again {
                self.count_end(after);
            }
            if open && (again || done.op.may_leave()) {
                self.count(Counted::Guest(next));
            }
            #[cfg(all(debug_assertions, feature = "tools"))]
            checker.emitted(self, nodes.len() - rest.len());
        }
        if open {
            self.pc = after;
            self.flush();
            self.jump_to(after);
            #[cfg(all(debug_assertions, feature = "tools"))]
            checker.ended(self);
        }
        self.count_end(if open { after } else { u64::MAX });
        self.taken_branches();
        #[cfg(all(debug_assertions, feature = "tools"))]
        checker.taken(self);
    }

    /// Emits two operations that are one instruction here, if they are.
    fn pair(&mut self, first: &Op, second: &Op) -> bool {
        match (*first, *second) {
            (
                Op::Store { size, src, base, off },
                Op::Store { size: size2, src: src2, base: base2, off: off2 },
            ) if (size, base) == (size2, base2) => {
                self.store_pair(size, base, (src, off), (src2, off2))
            }
            (
                Op::Load { kind, rd, base, off },
                Op::Load { kind: kind2, rd: rd2, base: base2, off: off2 },
            ) if (kind, base) == (kind2, base2) => {
                self.load_pair(kind, base, (rd, off), (rd2, off2))
            }
            (
                Op::FStore { fmt, fs, base, off },
                Op::FStore { fmt: fmt2, fs: fs2, base: base2, off: off2 },
            ) if (fmt, base) == (fmt2, base2) => {
                self.fstore_pair(fmt, base, (fs, off), (fs2, off2))
            }
            (
                Op::FLoad { fmt, fd, base, off },
                Op::FLoad { fmt: fmt2, fd: fd2, base: base2, off: off2 },
            ) if (fmt, base) == (fmt2, base2) => self.fload_pair(fmt, base, (fd, off), (fd2, off2)),
            _ => false,
        }
    }

    fn op(&mut self, op: &Op, last: bool) {
        match *op {
            Op::Const { rd, value } => self.set_const(rd, value),
            Op::Bin { op, w, rd, a, b } => self.bin(op, w, rd, a, b),
            Op::Un { op, w, rd, a } => self.un(op, w, rd, a),
            Op::Load { kind, rd, base, off } => self.load(kind, rd, base, off),
            Op::Store { size, src, base, off } => self.store(size, src, base, off),
            Op::FLoad { fmt, fd, base, off } => self.fload(fmt, fd, base, off),
            Op::FStore { fmt, fs, base, off } => self.fstore(fmt, fs, base, off),
            Op::Amo { op, size, rd, base, src } => self.amo(op, size, rd, base, src),
            Op::LoadReserved { size, rd, base } => self.load_reserved(size, rd, base),
            Op::StoreConditional { size, rd, base, src } => {
                self.store_conditional(size, rd, base, src);
            }
            Op::Cas { size, rd, base, src } => self.cas(size, rd, base, src),
            Op::Fence(f) => self.fence(f),
            Op::Pause => self.a.word(0xd503_203f),
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
            | Op::FConst { .. } => self.float(op),
            Op::ReadFlags { rd } => self.read_flags(rd),
            Op::SwapFlags { rd, a } => self.swap_flags(rd, a),
            Op::ReadRounding { rd } => self.read_rounding(rd),
            Op::ReadCounter { counter, rd } => self.read_counter(counter, rd),
            Op::Helper { reads: _, writes } => self.helper(writes),
            Op::Branch { cond, a, b, target } => self.branch(cond, a, b, target),
            Op::Select { cond, x, y, op, w, rd, a, b } => {
                self.select((cond, x, y), (op, w), rd, a, b);
            }
            Op::FSelect { cond, x, y, op, fmt, fd, a } => {
                self.fselect((cond, x, y), (op, fmt), fd, a);
            }
            Op::Jump { target } => self.jump(target),
            Op::Call { target, link, ret } => self.call(target, link, ret, last),
            Op::CallIndirect { base, off, link, ret } => {
                self.call_indirect(base, off, link, ret, last);
            }
            Op::JumpIndirect { base, off, link, ret, is_return } => {
                self.jump_indirect(base, off, link, ret, is_return);
            }
            Op::Exit(kind) => self.exit(kind),
        }
    }

    // Faults.

    /// Says that the next host instruction may fault, on behalf of the current guest instruction.
    pub(super) fn fault_point(&mut self) {
        self.fault_point_at(self.a.pos());
    }

    /// As [`Self::fault_point`], for host address `host`.
    pub(super) fn fault_point_at(&mut self, host: CodePtr) {
        self.a.faults().push_pending(&self.sym);
        if self.float_pending() {
            self.float_recipes();
        }
        let pc = self.pc;
        self.a.faults().point(host, pc);
    }

    /// Counts how often what follows is executed, if that is asked for. Registers and flags are
    /// unchanged.
    pub(super) fn count(&mut self, counted: Counted) {
        let n = self.a.buf.points.len();
        let Some(counters) = self.ctx.counters.filter(|_| n < MAX_COUNTERS) else { return };
        let start = self.a.pos();
        self.a.store_field(field!(counting), X16);
        self.a.store_field(field!(counting) + 8, X17);
        self.a.mov_imm(X16, counters + n as u64 * 8);
        self.a.mem(Mem::LoadX, X17, At::Disp(X16, 0));
        self.a.add_imm(Sz::X, X17, X17, 1);
        self.a.mem(Mem::StoreX, X17, At::Disp(X16, 0));
        self.a.load_field(X16, field!(counting));
        self.a.load_field(X17, field!(counting) + 8);
        let end = self.a.pos();
        self.a.buf.points.push(CountPoint { start, end, counted });
    }

    /// Runs `f` with the emitter writing to the cold part.
    pub(super) fn in_cold(&mut self, f: impl FnOnce(&mut Self)) {
        debug_assert!(!self.a.cold, "cold code has no colder part");
        self.a.cold = true;
        self.count(Counted::Cold);
        f(self);
        self.a.cold = false;
    }
}
