//! A block from end to end, and where guest registers are.

use super::asm::{Alu, Asm, At, Mem, Sz};
use super::emit_exit::Later;
use super::features::Features;
use super::regs::{STATE, X16, X17, X30, ZR, field, host_int, slot};
use crate::backend::{
    Ahead, CodeBuf, CountPoint, Counted, EmitContext, MAX_COUNTERS, RegSet, Symbolic, Val,
};
use crate::ir::{Block, Node, Op, Reg, Src};
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
    pub(super) passing: RegSet,
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
            passing: 0,
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
        Ahead::of(nodes, &mut ahead, |_| 0);
        let mut rest = nodes;
        while let [node, following @ ..] = rest {
            let at = nodes.len() - rest.len();
            let now = ahead[at];
            self.same_insn = at > 0 && nodes[at - 1].pc == node.pc;
            self.passing = now.passing;
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
        }
        if open {
            self.pc = after;
            self.flush();
            self.jump_to(after);
        }
        self.count_end(if open { after } else { u64::MAX });
        self.taken_branches();
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

    /// A register that holds what is in the home of `r`: that home, or `scratch`.
    pub(super) fn home_in_reg(&mut self, r: u8, scratch: u8) -> u8 {
        debug_assert!(r != 0, "x0 has no home");
        host_int(r).unwrap_or_else(|| {
            self.a.mem(Mem::LoadX, scratch, At::Disp(STATE, slot(r)));
            scratch
        })
    }

    /// Brings a pending register home, and before it those whose value is made of that home. Uses
    /// x16 and x17; flags are unchanged.
    pub(super) fn settle(&mut self, r: u8) {
        if !self.sym.is_pending(r) {
            return;
        }
        self.settle_dependents(r);
        let mut dst = host_int(r).unwrap_or(X16);
        if self.sym.is_sext(r) {
            let from = self.home_in_reg(r, X16);
            self.a.sxtw(dst, from);
        } else {
            match self.sym.val(r) {
                Val::Home => {}
                Val::Const(0) if host_int(r).is_none() => dst = ZR,
                Val::Const(k) => self.a.mov_imm(dst, k),
                Val::Shift { op, w, a, n } => {
                    let from = self.home_in_reg(a, X16);
                    self.a.shift(op, w, dst, from, n);
                }
                Val::Lin { a, b, shift, imm } => self.compute(dst, (a, b, shift, imm)),
            }
        }
        if host_int(r).is_none() {
            self.a.store_field(slot(r), dst);
        }
        self.sym.settle(r);
    }

    /// Brings home what is made of the home of `r`, which is about to change.
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
    pub(super) fn flush(&mut self) {
        self.flush_int();
        self.flush_float();
    }

    /// Brings all integer registers home.
    pub(super) fn flush_int(&mut self) {
        while self.sym.pending() != 0 {
            self.settle(self.sym.pending().trailing_zeros() as u8);
        }
    }

    /// Brings home what will have to be there sooner or later, before the block can be left: then
    /// leaving it needs no code of its own.
    pub(super) fn settle_lasting(&mut self) {
        loop {
            let left = self.sym.pending() & !self.passing;
            if left == 0 {
                return;
            }
            self.settle(left.trailing_zeros() as u8);
        }
    }

    /// `dst = home(a) + (home(b) << shift) + imm`. x16 and x17 may be used.
    pub(super) fn compute(&mut self, dst: u8, (a, b, shift, imm): (u8, u8, u8, i32)) {
        let imm = i64::from(imm);
        match (a, b) {
            (0, 0) => self.a.mov_imm(dst, imm as u64),
            (a, 0) => {
                let a = self.home_in_reg(a, X16);
                self.a.add_imm(Sz::X, dst, a, imm);
            }
            (0, b) => {
                let b = self.home_in_reg(b, X16);
                if shift == 0 {
                    self.a.add_imm(Sz::X, dst, b, imm);
                } else {
                    self.a.lsl_imm(Sz::X, dst, b, shift);
                    self.a.add_imm(Sz::X, dst, dst, imm);
                }
            }
            (a, b) => {
                let a = self.home_in_reg(a, X16);
                let b = self.home_in_reg(b, X17);
                self.a.alu_lsl(Alu::Add, Sz::X, dst, a, b, shift);
                self.a.add_imm(Sz::X, dst, dst, imm);
            }
        }
    }

    /// A register that holds all 64 bits of `r`: its own, `scratch`, or the zero register.
    pub(super) fn use64(&mut self, r: Reg, scratch: u8) -> u8 {
        match self.sym.constant(r.0) {
            Some(0) => return ZR,
            Some(k) if self.sym.is_pending(r.0) && host_int(r.0).is_none() => {
                self.a.mov_imm(scratch, k);
                return scratch;
            }
            _ => {}
        }
        self.settle(r.0);
        self.home_in_reg(r.0, scratch)
    }

    /// A register that holds the low 32 bits of `r`; the upper ones may be anything.
    pub(super) fn use32(&mut self, r: Reg, scratch: u8) -> u8 {
        match self.sym.constant(r.0) {
            Some(k) if k as u32 == 0 => return ZR,
            Some(k) if self.sym.is_pending(r.0) && host_int(r.0).is_none() => {
                self.a.mov_imm(scratch, u64::from(k as u32));
                return scratch;
            }
            _ => {}
        }
        if !self.sym.is_sext(r.0) {
            self.settle(r.0);
        }
        self.home_in_reg(r.0, scratch)
    }

    /// As `use64` or `use32` by size.
    pub(super) fn use_sz(&mut self, sz: Sz, r: Reg, scratch: u8) -> u8 {
        match sz {
            Sz::W => self.use32(r, scratch),
            Sz::X => self.use64(r, scratch),
        }
    }

    pub(super) fn use_src(&mut self, sz: Sz, src: Src, scratch: u8) -> u8 {
        match src {
            Src::Imm(0) => ZR,
            Src::Imm(i) => {
                let v = if sz == Sz::W { u64::from(i as u32) } else { i64::from(i) as u64 };
                self.a.mov_imm(scratch, v);
                scratch
            }
            Src::Reg(r) => self.use_sz(sz, r, scratch),
        }
    }

    /// The constant that `src` is, if it is one.
    pub(super) fn const_of(&self, src: Src) -> Option<u64> {
        match src {
            Src::Imm(i) => Some(i64::from(i) as u64),
            Src::Reg(r) => self.sym.constant(r.0),
        }
    }

    /// Makes the home of `rd` ready to be overwritten and returns the register to compute into:
    /// its host register, or x30. Operands that were put into x0 or x1 before stay there.
    pub(super) fn dest(&mut self, rd: Reg) -> u8 {
        self.settle_dependents(rd.0);
        host_int(rd.0).unwrap_or(X30)
    }

    /// The destination now holds a 64-bit result.
    pub(super) fn done(&mut self, rd: Reg, dst: u8, narrow: bool) {
        if host_int(rd.0).is_none() {
            self.a.store_field(slot(rd.0), dst);
        }
        self.sym.set_home(rd.0, narrow);
    }

    /// The low half of the destination holds a 32-bit result and the upper half is zero; the
    /// value is the sign-extension.
    pub(super) fn done_word(&mut self, rd: Reg, dst: u8) {
        if host_int(rd.0).is_some() {
            self.sym.set_sext(rd.0);
        } else if self.passing & 1 << rd.0 != 0 {
            self.a.store_field(slot(rd.0), dst);
            self.sym.set_sext(rd.0);
        } else {
            self.a.sxtw(dst, dst);
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
