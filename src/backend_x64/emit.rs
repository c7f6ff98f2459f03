//! A block from end to end.

use super::asm::{Asm, Map, Pp, Rm, Sz};
use super::features::Features;
use super::regs::{RAX, field};
use super::values::{Copies, spares};
use crate::backend::{CodeBuf, CountPoint, Counted, EmitContext, MAX_COUNTERS, Symbolic};
use crate::ir::{Block, Node, Op, Reg};
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
    /// The operation before belongs to the same instruction.
    pub(super) same_insn: bool,
    /// Registers whose value now is overwritten by a later operation of the block before it must be
    /// at home.
    pub(super) redefined: RegSet,
    /// Registers whose value nobody will see: it is overwritten before it is read, before anything
    /// faults and before the block can be left. The current operation does not read it either.
    pub(super) dead: RegSet,
    /// The same, but that the current operation may read it.
    pub(super) dead_later: RegSet,
    pub(super) copies: Copies,
    /// The register that the current operation compares with zero, if any.
    pub(super) compared: RegSet,
    /// Memory for what is known ahead of each node.
    ahead: &'b mut Vec<Liveness>,
}

impl<'b, 'c> Emitter<'b, 'c> {
    pub(super) fn new(
        buf: &'b mut CodeBuf,
        ctx: &'c EmitContext<'c>,
        cpu: Features,
        ahead: &'b mut Vec<Liveness>,
    ) -> Self {
        let a = Asm::new(buf, ctx.mode);
        let fp = super::emit_float::FloatState::new();
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
            same_insn: false,
            redefined: 0,
            dead: 0,
            dead_later: 0,
            copies: Copies::default(),
            compared: 0,
            ahead,
        }
    }

    /// Emits `block` at the buffer's position.
    pub(super) fn block(&mut self, block: &Block) {
        let start = self.a.pos();
        self.a.buf.entries.push((block.pc, start));
        if !block.loops() || !self.float_loop(block) {
            self.count(Counted::Guest(block.pc));
            self.nodes(&block.nodes, block.next);
        }
    }

    /// Emits `nodes`, after which execution goes on at `after`.
    pub(super) fn nodes(&mut self, nodes: &[Node], after: u64) {
        let mut open = true;
        self.copies = Copies::default();
        self.a.flags = None;
        let mut ahead = std::mem::take(self.ahead);
        let cpu = self.cpu;
        Liveness::of(nodes, &mut ahead, |shape| spares(shape, cpu));
        let (mut rest, mut known) = (nodes, &ahead[..]);
        let mut before = None;
        #[cfg(all(debug_assertions, feature = "tools"))]
        let mut checker = super::check::Checker::new(self, nodes, after);
        while let ([node, following @ ..], [now, later @ ..]) = (rest, known) {
            let shape = node.shape();
            self.redefined = now.redefined;
            self.dead_later = now.dead;
            self.dead = now.dead & !node.reads();
            self.begin_copies(now);
            self.compared = match node.op {
                Op::Branch { a, b: Reg::ZERO, .. } if shape.may_leave() => 1 << a.0,
                _ => 0,
            };
            self.same_insn = before == Some(node.pc);
            self.pc = node.pc;
            self.next = following.first().map_or(after, |n| n.pc);
            (rest, known) = (following, later);
            let mut last = node;
            match self.joined(&node.op, following) {
                0 => self.op(&node.op, following),
                n => {
                    (rest, known) = (&following[n..], &later[n..]);
                    last = &following[n - 1];
                }
            }
            before = Some(last.pc);
            if last.shape().may_leave() {
                open = !last.op.ends_block();
                if open && last.op.may_leave() {
                    self.count(Counted::Guest(rest.first().map_or(after, |n| n.pc)));
                }
            }
            #[cfg(all(debug_assertions, feature = "tools"))]
            checker.emitted(self, nodes.len() - rest.len());
        }
        *self.ahead = ahead;
        if open {
            self.pc = after;
            self.flush();
            self.jump_to(after);
            #[cfg(all(debug_assertions, feature = "tools"))]
            checker.ended(self);
        }
    }

    /// Emits `op` together with the first of `following`, if they are something together: how many
    /// of them, or none if nothing has been emitted.
    #[inline]
    fn joined(&mut self, op: &Op, following: &[Node]) -> usize {
        let Some(next) = following.first() else { return 0 };
        match (op, &next.op) {
            (Op::FCmp { .. }, Op::Branch { .. }) => {
                usize::from(self.fcmp_branch(op, &next.op, next.pc))
            }
            (Op::FCmp { .. }, Op::Select { .. } | Op::FSelect { .. }) => {
                self.fcmp_select(op, following)
            }
            (Op::Load { .. }, Op::JumpIndirect { .. } | Op::CallIndirect { .. }) => {
                usize::from(self.jump_by_memory(op, next, following.len() == 1))
            }
            _ => 0,
        }
    }

    /// Emits `op`, after which `following` come.
    // What is called is not inlined, so that an operation bears the cost of its own code alone.
    #[inline(always)]
    fn op(&mut self, op: &Op, following: &[Node]) {
        let last = following.is_empty();
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
            Op::Pause => self.a.bytes(&[0xf3, 0x90]),
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
        if self.anything_pending() {
            self.recipes();
        }
        let pc = self.pc;
        self.a.faults().point(host, pc);
    }

    /// Says what is pending, for the fault point that comes next.
    #[inline(never)]
    fn recipes(&mut self) {
        let faults = self.a.faults();
        self.copies.recipes().for_each(|recipe| faults.push(recipe));
        faults.push_pending(&self.sym);
        if self.float_pending() {
            self.float_recipes();
        }
    }

    /// Counts how often what follows is executed, if that is asked for. Registers and flags are
    /// unchanged.
    #[inline]
    pub(super) fn count(&mut self, counted: Counted) {
        if let Some(counters) = self.ctx.counters {
            self.count_in(counters, counted);
        }
    }

    fn count_in(&mut self, counters: u64, counted: Counted) {
        let n = self.a.buf.points.len();
        if n == MAX_COUNTERS {
            return;
        }
        let counter = (counters + n as u64 * 8).to_le_bytes();
        let start = self.a.pos();
        self.a.mov_to(Sz::Q, Rm::S(field!(counting)), RAX);
        self.a.bytes(&[0x48, 0xa1]); // mov rax, [counter]
        self.a.bytes(&counter);
        self.a.lea(Sz::Q, RAX, Rm::B(RAX, 1));
        self.a.bytes(&[0x48, 0xa3]); // mov [counter], rax
        self.a.bytes(&counter);
        self.a.mov(Sz::Q, RAX, Rm::S(field!(counting)));
        let end = self.a.pos();
        self.a.buf.points.push(CountPoint { start, end, counted });
    }

    /// Runs `f` with the emitter writing to the cold part.
    pub(super) fn in_cold(&mut self, f: impl FnOnce(&mut Self)) {
        debug_assert!(!self.a.cold, "cold code has no colder part");
        self.a.cold = true;
        self.count(Counted::Cold);
        let copies = self.copies.clone();
        f(self);
        self.copies = copies;
        self.a.cold = false;
    }

    /// Carry-less product of the two scratch vectors into the first: `pclmulqdq`.
    pub(super) fn pclmul(&mut self, to: u8, from: u8, imm: u8) {
        self.a.ins(Pp::P66, Map::M0F3A, Sz::D, 0x44, to, Rm::R(from));
        self.a.byte(imm);
    }
}
