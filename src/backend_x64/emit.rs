//! A block from end to end, and where guest registers are.

use super::asm::{Alu, Asm, Map, Pp, Rm, Shift, Sz};
use super::features::Features;
use super::regs::{RAX, field, host_int};
use super::slots::{Copies, spares};
use crate::backend::{
    Ahead, CodeBuf, CountPoint, Counted, EmitContext, MAX_COUNTERS, RegSet, Symbolic, Val,
};
use crate::ir::{Block, Node, Op, Reg, Src};
use crate::util::CodePtr;

/// An operand of an integer instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opnd {
    /// Register or slot.
    Rm(Rm),
    /// Immediate, sign-extended to the operation's width.
    Imm(i32),
}

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
    pub(super) passing: RegSet,
    /// Registers whose value nobody will see: it is overwritten before it is read, before anything
    /// faults and before the block can be left. The current operation does not read it either.
    pub(super) dead: RegSet,
    /// The same, but that the current operation may read it.
    pub(super) dead_later: RegSet,
    pub(super) copies: Copies,
    /// The register that the current operation compares with zero, if any.
    compared: RegSet,
    /// Memory for what is known ahead of each node.
    ahead: &'b mut Vec<Ahead>,
}

impl<'b, 'c> Emitter<'b, 'c> {
    pub(super) fn new(
        buf: &'b mut CodeBuf,
        ctx: &'c EmitContext<'c>,
        cpu: Features,
        ahead: &'b mut Vec<Ahead>,
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
            passing: 0,
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
        Ahead::of(nodes, &mut ahead, |shape| spares(shape, cpu));
        let (mut rest, mut known) = (nodes, &ahead[..]);
        let mut before = None;
        while let ([node, following @ ..], [now, later @ ..]) = (rest, known) {
            let shape = node.shape();
            self.passing = now.passing;
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
        }
        *self.ahead = ahead;
        if open {
            self.pc = after;
            self.flush();
            self.jump_to(after);
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

    // Where registers are.

    /// Brings a pending register home, and before it those whose value is made of that home.
    #[inline]
    pub(super) fn settle(&mut self, r: u8) {
        if self.sym.is_pending(r) {
            self.settle_pending(r);
        }
    }

    fn settle_pending(&mut self, r: u8) {
        match self.sym.val(r) {
            Val::Const(k) => return self.settle_const(r, k),
            Val::Shift { op, w, a, n } => self.settle_shift(r, op, w, a, n),
            Val::Home | Val::Lin { .. } => {}
        }
        if !self.sym.is_sext(r) {
            self.settle_dependents(r);
        }
        if !self.sym.is_pending(r) {
            return;
        }
        let from = self.home(r);
        let dst = self.result_reg(r);
        if self.sym.is_sext(r) {
            self.a.movsxd(dst, from);
        } else {
            match self.sym.val(r) {
                Val::Home | Val::Shift { .. } | Val::Const(_) => {}
                Val::Lin { a, b: 0, imm: 0, .. } => {
                    let from = self.home(a);
                    self.move_home(r, dst, from);
                    return self.sym.settle(r);
                }
                Val::Lin { a, b, shift, imm } => self.compute(dst, (a, b, shift, imm)),
            }
        }
        self.write_home(r, dst);
        self.sym.settle(r);
    }

    /// Brings home the constant `k` that `r` is.
    fn settle_const(&mut self, r: u8, k: u64) {
        self.settle_dependents(r);
        if !self.write_home_imm(r, k) {
            let dst = self.result_reg(r);
            self.a.mov_imm_keep_flags(dst, k);
            self.write_home(r, dst);
        }
        self.sym.settle(r);
    }

    /// Brings home what is made of the home of `r`, which is about to change. (The low half, of
    /// which alone shifted words are made, stays when a pending sign-extension comes home.)
    pub(super) fn settle_dependents(&mut self, r: u8) {
        let mut left = self.sym.dependents(r);
        while left != 0 {
            let d = left.trailing_zeros() as u8;
            left &= left - 1;
            if self.dead & 1 << d != 0 {
                self.sym.set_home(d, false);
            } else {
                self.settle(d);
            }
        }
    }

    /// Brings everything home: the contract.
    #[inline]
    pub(super) fn flush(&mut self) {
        self.flush_int();
        if self.float_pending() {
            self.flush_float();
        }
    }

    /// Brings all integer registers home.
    pub(super) fn flush_int(&mut self) {
        self.settle_all(RegSet::MAX);
        self.store_held(RegSet::MAX);
    }

    /// Brings home what will have to be there sooner or later, before the block can be left: then
    /// leaving it needs no code of its own.
    pub(super) fn settle_lasting(&mut self) {
        self.settle_all(!self.passing);
        self.store_held(!self.passing);
    }

    /// Brings those of `registers` home that are pending. That which will be compared with zero
    /// comes last, since flags may then tell about it.
    fn settle_all(&mut self, registers: RegSet) {
        loop {
            let left = self.sym.pending() & registers;
            let others = left & !self.compared;
            match if others != 0 { others } else { left } {
                0 => return,
                set => self.settle(set.trailing_zeros() as u8),
            }
        }
    }

    /// True if the contract does not hold here.
    #[inline]
    pub(super) fn anything_pending(&self) -> bool {
        self.sym.pending() != 0 || self.copies.dirty() != 0 || self.float_pending()
    }

    /// `dst = home(a) + (home(b) << shift) + imm`. rax may be used.
    fn compute(&mut self, dst: u8, (a, b, shift, imm): (u8, u8, u8, i32)) {
        let [a_is_dst, b_is_dst] = [a, b].map(|q| q != 0 && self.home(q) == Rm::R(dst));
        match (a, b) {
            (0, 0) => self.a.mov_imm_keep_flags(dst, i64::from(imm) as u64),
            (_, 0) => self.add_imm_from(dst, a_is_dst, self.home(a), imm),
            (0, _) if shift == 0 => self.add_imm_from(dst, b_is_dst, self.home(b), imm),
            (0, _) => {
                self.a.mov(Sz::Q, dst, self.home(b));
                self.a.shift_imm(Shift::Shl, Sz::Q, Rm::R(dst), shift);
                if imm != 0 {
                    self.a.alu_imm(Alu::Add, Sz::Q, Rm::R(dst), imm);
                }
            }
            _ if shift == 0 && imm == 0 && a_is_dst => {
                self.a.alu(Alu::Add, Sz::Q, dst, self.home(b));
            }
            _ if shift == 0 && imm == 0 && b_is_dst => {
                self.a.alu(Alu::Add, Sz::Q, dst, self.home(a));
            }
            _ => match self.terms(a, b, shift) {
                (base, Some((index, shift))) => {
                    self.a.lea(Sz::Q, dst, Rm::X(base, index, shift, imm));
                }
                (sum, None) => self.add_imm_from(dst, sum == dst, Rm::R(sum), imm),
            },
        }
    }

    /// `home(a) + (home(b) << shift)` as base and index; rax and flags may be used.
    pub(super) fn terms(&mut self, a: u8, b: u8, shift: u8) -> (u8, Option<(u8, u8)>) {
        let index = match (self.home(a), self.home(b)) {
            (Rm::S(_), Rm::S(_)) => self.load_beside_rax(b),
            _ => self.home_in_reg(b, RAX),
        };
        match self.home(a) {
            slot @ Rm::S(_) if index == RAX => {
                if shift != 0 {
                    self.a.shift_imm(Shift::Shl, Sz::Q, Rm::R(RAX), shift);
                }
                self.a.alu(Alu::Add, Sz::Q, RAX, slot);
                (RAX, None)
            }
            _ => (self.home_in_reg(a, RAX), Some((index, shift))),
        }
    }

    fn add_imm_from(&mut self, dst: u8, same: bool, from: Rm, imm: i32) {
        match from {
            _ if same => self.a.alu_imm(Alu::Add, Sz::Q, Rm::R(dst), imm),
            Rm::R(h) if imm != 0 => self.a.lea(Sz::Q, dst, Rm::B(h, imm)),
            _ => {
                self.a.mov(Sz::Q, dst, from);
                if imm != 0 {
                    self.a.alu_imm(Alu::Add, Sz::Q, Rm::R(dst), imm);
                }
            }
        }
    }

    /// The register that holds what `rm` is, loading it into `scratch` if it is in memory.
    pub(super) fn in_reg(&mut self, rm: Rm, scratch: u8) -> u8 {
        match rm {
            Rm::R(h) => h,
            _ => {
                self.a.mov(Sz::Q, scratch, rm);
                scratch
            }
        }
    }

    /// All 64 bits of `r` as an operand.
    pub(super) fn use64(&mut self, r: Reg) -> Opnd {
        if let Some(k) = self.sym.constant(r.0)
            && let Ok(k) = i32::try_from(k as i64)
        {
            return Opnd::Imm(k);
        }
        self.settle(r.0);
        Opnd::Rm(self.home(r.0))
    }

    /// The low 32 bits of `r` as an operand; the upper ones may be anything.
    pub(super) fn use32(&mut self, r: Reg) -> Opnd {
        if let Some(k) = self.sym.constant(r.0) {
            return Opnd::Imm(k as i32);
        }
        if let Val::Shift { op, w, a, n } = self.sym.val(r.0) {
            self.settle_shift(r.0, op, w, a, n);
        }
        if !self.sym.is_sext(r.0) {
            self.settle(r.0);
        }
        Opnd::Rm(self.home(r.0))
    }

    /// As `use64` or `use32` by size.
    pub(super) fn use_sz(&mut self, sz: Sz, r: Reg) -> Opnd {
        match sz {
            Sz::D => self.use32(r),
            Sz::Q => self.use64(r),
        }
    }

    pub(super) fn use_src(&mut self, sz: Sz, src: Src) -> Opnd {
        match src {
            Src::Imm(i) => Opnd::Imm(i),
            Src::Reg(r) => self.use_sz(sz, r),
        }
    }

    /// The constant that `src` is, if it is one.
    pub(super) fn const_of(&self, src: Src) -> Option<u64> {
        match src {
            Src::Imm(i) => Some(i64::from(i) as u64),
            Src::Reg(r) => self.sym.constant(r.0),
        }
    }

    /// Puts an operand into `to`. Flags are unchanged; with `Sz::D` the upper half is anything.
    pub(super) fn load_opnd(&mut self, sz: Sz, to: u8, o: Opnd) {
        match o {
            Opnd::Rm(rm) if rm == Rm::R(to) => {}
            Opnd::Rm(rm) => self.a.mov(sz, to, rm),
            Opnd::Imm(i) => {
                let v = if sz == Sz::D { u64::from(i as u32) } else { i64::from(i) as u64 };
                self.a.mov_imm_keep_flags(to, v);
            }
        }
    }

    /// A register that holds the operand: its own, or `scratch`.
    pub(super) fn opnd_in_reg(&mut self, sz: Sz, o: Opnd, scratch: u8) -> u8 {
        match o {
            Opnd::Rm(Rm::R(h)) => h,
            _ => {
                self.load_opnd(sz, scratch, o);
                scratch
            }
        }
    }

    /// Makes the home of `rd` ready to be overwritten and returns the register to compute into:
    /// its host register, one for a copy, or rax.
    pub(super) fn dest(&mut self, rd: Reg) -> u8 {
        self.settle_dependents(rd.0);
        self.result_reg(rd.0)
    }

    /// The destination now holds a 64-bit result.
    pub(super) fn done(&mut self, rd: Reg, dst: u8, narrow: bool) {
        self.write_home(rd.0, dst);
        self.sym.set_home(rd.0, narrow);
    }

    /// The low half of the destination holds a 32-bit result and the upper half is zero; the
    /// value is the sign-extension.
    pub(super) fn done_word(&mut self, rd: Reg, dst: u8) {
        if host_int(rd.0).is_some() || self.passing & 1 << rd.0 != 0 {
            self.write_home(rd.0, dst);
            self.sym.set_sext(rd.0);
        } else {
            self.a.movsxd(dst, Rm::R(dst));
            self.done(rd, dst, true);
        }
    }

    /// `rd = value`, when somebody needs it.
    pub(super) fn set_const(&mut self, rd: Reg, value: u64) {
        if rd.is_zero() || self.sym.constant(rd.0) == Some(value) {
            return;
        }
        self.sym.set_const(rd.0, value, false);
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
