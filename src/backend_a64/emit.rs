//! A block from end to end, and where guest registers are.

use super::asm::{Alu, Asm, At, Mem, Sz};
use super::emit_exit::Later;
use super::features::Features;
use super::regs::{STATE, X2, X16, X17, ZR, field, host_int, slot};
use crate::backend::{
    Ahead, CodeBuf, CountPoint, Counted, EmitContext, FaultPoint, MAX_COUNTERS, Recipe, RegSet,
    Symbolic, Val, is_plain,
};
use crate::ir::{Block, MemSize, Op, Reg, Src};
use crate::util::CodePtr;

/// Everything that is known while a block is emitted.
pub(super) struct Emitter<'b, 'c> {
    pub(super) a: Asm<'b>,
    pub(super) sym: Symbolic,
    pub(super) fp: super::emit_float::FloatState,
    pub(super) ctx: &'c EmitContext<'c>,
    pub(super) cpu: Features,
    /// Address of the guest instruction that is being emitted.
    pub(super) pc: u64,
    /// Address of the one that follows it, if it does not jump.
    pub(super) next: u64,
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
            ctx,
            cpu,
            pc: 0,
            next: 0,
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
        self.count(Counted::Guest(block.pc));
        let mut open = true;
        let mut done = false;
        let mut ahead = Vec::new();
        Ahead::of(&block.nodes, &mut ahead, |_| false);
        for (i, node) in block.nodes.iter().enumerate() {
            let following = block.nodes.get(i + 1);
            if std::mem::take(&mut done) {
                continue;
            }
            self.pc = node.pc;
            self.dead_later = if is_plain(&node.op) { ahead[i].dead } else { 0 };
            self.dead = self.dead_later & !node.reads();
            if following.is_some_and(|f| self.pair(&node.op, &f.op)) {
                done = true;
                continue;
            }
            self.next = following.map_or(block.next, |n| n.pc);
            let last = following.is_none();
            self.op(&node.op, last);
            open = !node.op.ends_block();
            if open && node.op.may_leave() {
                self.count(Counted::Guest(self.next));
            }
        }
        if open {
            self.pc = block.next;
            self.flush();
            self.jump_to(block.next);
        }
        self.taken_branches();
        self.a.emit_veneers();
    }

    /// Emits two operations that are one instruction here, if they are.
    fn pair(&mut self, first: &Op, second: &Op) -> bool {
        match (*first, *second) {
            (
                Op::Store { size: MemSize::D, src, base, off },
                Op::Store { size: MemSize::D, src: src2, base: base2, off: off2 },
            ) if base == base2 => self.store_pair(base, (src, off), (src2, off2)),
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
        while self.sym.pending() != 0 {
            self.settle(self.sym.pending().trailing_zeros() as u8);
        }
        self.flush_float();
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
    /// its host register, or x2. Operands that were put into x0 or x1 before stay there.
    pub(super) fn dest(&mut self, rd: Reg) -> u8 {
        self.settle_dependents(rd.0);
        host_int(rd.0).unwrap_or(X2)
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
        let first = self.a.buf.recipes.len() as u32;
        let mut left = self.sym.pending();
        while left != 0 {
            let r = left.trailing_zeros() as u8;
            left &= left - 1;
            let recipe =
                if self.sym.is_sext(r) { Recipe::Sext(r) } else { Recipe::Int(r, self.sym.val(r)) };
            self.a.buf.recipes.push(recipe);
        }
        self.float_recipes();
        let count = self.a.buf.recipes.len() as u32 - first;
        let point = FaultPoint { host, first, count, pc: self.pc };
        if self.a.cold {
            self.a.buf.cold_faults.push(point);
        } else {
            self.a.buf.hot_faults.push(point);
        }
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
