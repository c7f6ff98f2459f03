//! Elementwise loops in groups of iterations, with 256-bit vectors (AVX2, FMA).
//!
//! What is emitted comes before the ordinary code of the block and falls into it, at the contract,
//! for the iterations that are left: after the last whole group, or before one that has to be
//! executed one by one. That is so of a group whose results have a NaN, which would have to be made
//! canonical, and of one in the middle of which the host faults, whatever for: memory, a poll, an
//! exception of arithmetic that sets a flag for the first time. `ThreadState::recovery` is where
//! the fault handler then continues, at the end of this code. Nothing of the group has happened
//! then, as its store is the last that can fault, but that registers may hold values which their
//! iteration overwrites before anybody looks at them: each vector register is used as its guest
//! register alone.
//!
//! While groups are executed rax is how far the arrays are behind, in bytes; registers that advance
//! stand where they stood at the entry.

use super::Emitter;
use super::asm::{Alu, Cc, Guest, Map, Pp, Rm, Shift, Sz};
use super::emit_float::{
    BOX, MAGNITUDE_D, MAGNITUDE_S, MOVAPS, MOVU_LOAD, MOVU_STORE, OR, SIGN_D, SIGN_S, XOR,
    constant, packed,
};
use super::emit_float_arith::AND;
use super::regs::{COPIES, RAX, RCX, XMM0, XMM1, field, slot};
use crate::backend::emit::Host;
use crate::backend::{Counted, Homes, RegMap, RelocKind};
use crate::ir::{Block, FBinOp, FCmpOp, FReg, Fmt, Op, Reg};
use crate::mem::Mode;
use crate::opt::{AliasCheck, Array, Elementwise, Induction, LiveOut, Role, size_of};
use crate::util::CodePtr;

/// Bytes of a vector, which are those of an array that a group has.
const GROUP: i32 = 32;
/// `vcmppd` and `vcmpps`, whose last byte is the condition.
const COMPARE: u8 = 0xc2;
const UNORDERED: u8 = 3;

/// Host registers that arrays are reached by.
struct Pointers {
    /// For each array the register that holds where it begins.
    of: Vec<u8>,
    /// Those of them that must be loaded.
    loaded: Vec<(u8, Array)>,
    /// Guest registers whose host registers are used for that, and which are in their slots then.
    moved: Vec<(u8, u8)>,
}

impl Emitter<'_, '_> {
    /// Emits groups of iterations if `block` begins with a loop that they are good for. The
    /// contract holds before and behind them.
    pub(super) fn vector_loop(&mut self, homes: &mut Homes, block: &Block) -> bool {
        if !(self.cpu.avx2 && self.cpu.fma) {
            return false;
        }
        let Some(l) = Elementwise::find(block, GROUP) else { return false };
        let Some(pointers) = pointers(self.map, &l) else { return false };
        if (0..32).any(|f| (l.constants | l.written) & 1 << f != 0 && self.map.float(f).is_none()) {
            return false;
        }
        self.count(Counted::Cold);
        let singly = self.check_entry(homes, &l);
        let recovery = self.begin_groups(homes, &l, &pointers);

        let head = self.a.pos();
        self.count(Counted::Group {
            from: block.pc,
            to: l.after,
            iterations: (GROUP / size_of(l.fmt)) as u32,
        });
        self.a.poll();
        let early = self.group(&l, &pointers.of);
        self.a.alu_imm(Alu::Add, Sz::Q, Rm::R(RAX), GROUP);
        self.a.alu(Alu::Cmp, Sz::Q, RAX, Rm::S(field!(scratch)));
        self.a.jcc(Cc::BE, head);

        self.count(Counted::Cold);
        let here = self.a.pos();
        self.a.buf.note(recovery, RelocKind::Place);
        self.a.buf.patch(recovery, here.0);
        early.into_iter().for_each(|branch| self.a.bind(branch));
        self.end_groups(homes, &l, &pointers);
        self.compare_counter(homes, &l);
        let done = self.a.buf.cold_pos();
        self.a.jcc(Cc::E, done);
        self.in_cold(|e| e.jump_to(l.after));
        singly.into_iter().for_each(|branch| self.a.bind(branch));
        true
    }

    /// Jumps to a place yet unknown unless some groups at least can be executed; the displacements
    /// to be filled in. How far the loop goes, in bytes of an array, is in rax.
    fn check_entry(&mut self, homes: &Homes, l: &Elementwise<'_>) -> Vec<CodePtr> {
        let mut sites = Vec::new();
        self.branch_unless_rounding(l.rounding, &mut sites);
        if l.raises {
            // Where exceptions do not trap, flags could be set by iterations after a fault's.
            self.a.ins(Pp::None, Map::One, Sz::D, 0x80, 7, Rm::S(field!(known_fp)));
            self.a.byte(0);
            sites.push(self.a.branch_if(Cc::S));
        }
        if l.fmt == Fmt::S {
            // What the loop writes is boxed.
            self.branch_unless_boxed(l.constants, &mut sites);
        }
        for check in &l.alias_checks {
            self.check_alias(homes, &l.arrays, l.store, check, &mut sites);
        }
        let Induction { reg: counter, by } = l.counter;
        let (high, low) = if by > 0 { (l.bound, counter) } else { (counter, l.bound) };
        self.copy_home(homes, RAX, high);
        if !low.is_zero() {
            self.a.alu(Alu::Sub, Sz::Q, RAX, self.materialised(homes, low).get());
        }
        let log = |n: i32| n.unsigned_abs().trailing_zeros() as i8;
        match log(size_of(l.fmt)) - log(by) {
            0 => {}
            n @ 1.. => self.a.shift_imm(Shift::Shl, Sz::Q, Rm::R(RAX), n as u8),
            n => self.a.shift_imm(Shift::Shr, Sz::Q, Rm::R(RAX), n.unsigned_abs()),
        }
        // Where there are conditions, some of the attempts are made in vain.
        let conditions = l.roles.iter().any(|p| matches!(p, Role::Compare(_)));
        let least = if conditions { 4 } else { 2 };
        self.a.alu_imm(Alu::Cmp, Sz::Q, Rm::R(RAX), least * GROUP);
        sites.push(self.a.branch_if(Cc::B));
        sites
    }

    fn check_alias(
        &mut self,
        homes: &Homes,
        arrays: &[Array],
        (stored, off): (usize, i32),
        c: &AliasCheck,
        sites: &mut Vec<CodePtr>,
    ) {
        let sz = if self.ctx.mode == Mode::Sandbox { Sz::D } else { Sz::Q };
        self.begin_of(homes, RCX, arrays[stored]);
        let (a, b) = arrays[c.array];
        for r in [a, b].iter().filter(|r| !r.is_zero()) {
            self.a.alu(Alu::Sub, sz, RCX, self.materialised(homes, *r).get());
        }
        self.a.alu_imm(Alu::Add, sz, Rm::R(RCX), off - c.lo - 1);
        self.a.alu_imm(Alu::Cmp, sz, Rm::R(RCX), c.hi - c.lo + GROUP - 1);
        sites.push(self.a.branch_if(Cc::B));
    }

    /// `to` = where an array begins.
    fn begin_of(&mut self, homes: &Homes, to: u8, (a, b): Array) {
        self.copy_home(homes, to, a);
        if !b.is_zero() {
            self.a.alu(Alu::Add, Sz::Q, to, self.materialised(homes, b).get());
        }
    }

    fn copy_home(&mut self, homes: &Homes, to: u8, r: Reg) {
        if r.is_zero() {
            self.a.mov_imm(to, 0);
        } else {
            self.a.mov(Sz::Q, to, self.materialised(homes, r).get());
        }
    }

    /// Makes ready for the first group: where the place in the arena is to be filled in at which
    /// groups end.
    fn begin_groups(&mut self, homes: &Homes, l: &Elementwise<'_>, pointers: &Pointers) -> CodePtr {
        self.a.alu_imm(Alu::Sub, Sz::Q, Rm::R(RAX), GROUP);
        self.a.mov_to(Sz::Q, Rm::S(field!(scratch)), RAX);
        self.a.mov(Sz::Q, RCX, Rm::S(field!(arena)));
        self.a.bytes(&[0x48, 0x81, 0xc1]); // add rcx, imm32
        let recovery = self.a.pos();
        self.a.imm32(0);
        self.a.mov_to(Sz::Q, Rm::S(field!(recovery)), RCX);
        for (guest, host) in &pointers.moved {
            self.a.mov_to(Sz::Q, Rm::S(slot(*guest)), *host);
        }
        for (to, array) in &pointers.loaded {
            self.begin_of(homes, *to, *array);
        }
        for (_, x) in self.map.floats().filter(|(f, _)| l.constants & 1 << f != 0) {
            self.broadcast(l.fmt, x, Rm::R(x));
        }
        self.a.mov_imm(RAX, 0);
        recovery
    }

    /// All elements of `to` are what `from` holds.
    fn broadcast(&mut self, fmt: Fmt, to: u8, from: Rm) {
        let op = if fmt == Fmt::D { 0x19 } else { 0x18 };
        self.a.vex256(Pp::P66, Map::M0F38, false, op, to, 0, from);
    }

    /// Emits what a group does: places to be filled in that leave it in the middle.
    fn group(&mut self, l: &Elementwise<'_>, pointers: &[u8]) -> Vec<CodePtr> {
        let (mut early, pp) = (Vec::new(), packed(l.fmt));
        for (node, role) in l.nodes.iter().zip(&l.roles) {
            match (node.op, *role) {
                (_, Role::Deferred) => {}
                (op, Role::Access(array, disp)) => {
                    let index = Some((RAX, 0));
                    let at = Rm::M(Guest { base: Some(pointers[array]), index, disp });
                    match op {
                        Op::FLoad { fd, .. } => self.vector(pp, MOVU_LOAD, self.x(fd), 0, at),
                        Op::FStore { fs, .. } => {
                            self.check_nans(l, &mut early);
                            self.vector(pp, MOVU_STORE, self.x(fs), 0, at);
                        }
                        _ => unreachable!("no access"),
                    }
                }
                (Op::FCmp { op, a, b, .. }, Role::Compare(expected)) => {
                    let unexpected = match op {
                        FCmpOp::Lt => 1,
                        FCmpOp::Le => 2,
                        _ => 0,
                    } | if expected { 4 } else { 0 };
                    self.vector(pp, COMPARE, XMM0, self.x(a), Rm::R(self.x(b)));
                    self.a.byte(unexpected);
                    self.leave_if_any(&mut early);
                }
                (Op::FBin { op, fd, a, b, .. }, _) => self.vector_fbin(op, l.fmt, fd, a, b),
                (Op::FUn { fd, a, .. }, _) => {
                    self.vector(pp, 0x51, self.x(fd), 0, Rm::R(self.x(a)))
                }
                (Op::FMulAdd { neg_product, neg_addend, fd, a, b, c, .. }, _) => {
                    self.vector_fmuladd(l.fmt, (neg_product, neg_addend), fd, [a, b, c]);
                }
                _ => unreachable!("not elementwise"),
            }
        }
        early
    }

    /// Leaves the group if one of its results is a NaN.
    fn check_nans(&mut self, l: &Elementwise<'_>, early: &mut Vec<CodePtr>) {
        for (n, pair) in l.nans.chunks(2).enumerate() {
            let to = if n == 0 { XMM0 } else { XMM1 };
            let second = pair.last().copied().unwrap_or(pair[0]);
            self.vector(packed(l.fmt), COMPARE, to, self.x(pair[0]), Rm::R(self.x(second)));
            self.a.byte(UNORDERED);
            if n > 0 {
                self.vector(Pp::None, OR, XMM0, XMM0, Rm::R(XMM1));
            }
        }
        if !l.nans.is_empty() {
            self.leave_if_any(early);
        }
    }

    /// Leaves the group if a comparison in the scratch register holds for any element.
    fn leave_if_any(&mut self, early: &mut Vec<CodePtr>) {
        self.a.vex256(Pp::P66, Map::M0F38, false, 0x17, XMM0, 0, Rm::R(XMM0)); // vptest
        early.push(self.a.branch_if(Cc::NE));
    }

    fn vector(&mut self, pp: Pp, op: u8, to: u8, a: u8, b: Rm) {
        self.a.vex256(pp, Map::M0F, false, op, to, a, b);
    }

    fn vector_fbin(&mut self, op: FBinOp, fmt: Fmt, fd: FReg, a: FReg, b: FReg) {
        let pp = packed(fmt);
        let code = match op {
            FBinOp::Add => 0x58,
            FBinOp::Sub => 0x5c,
            FBinOp::Mul => 0x59,
            FBinOp::Div => 0x5e,
            FBinOp::Sgnj => return self.vector(pp, MOVAPS, self.x(fd), 0, Rm::R(self.x(a))),
            FBinOp::Sgnjn | FBinOp::Sgnjx => {
                let (code, index) = match (op, fmt) {
                    (FBinOp::Sgnjn, Fmt::D) => (XOR, SIGN_D),
                    (FBinOp::Sgnjn, _) => (XOR, SIGN_S),
                    (_, Fmt::D) => (AND, MAGNITUDE_D),
                    _ => (AND, MAGNITUDE_S),
                };
                self.broadcast(fmt, XMM0, constant(index));
                return self.vector(pp, code, self.x(fd), self.x(a), Rm::R(XMM0));
            }
            _ => unreachable!("not elementwise"),
        };
        self.vector(pp, code, self.x(fd), self.x(a), Rm::R(self.x(b)));
    }

    fn vector_fmuladd(&mut self, fmt: Fmt, neg: (bool, bool), fd: FReg, operands: [FReg; 3]) {
        let [a, b, c] = operands.map(|f| self.x(f));
        let fd = self.x(fd);
        // The sum is in the place of the addend, or of a factor.
        let (form, first, second) = match fd {
            _ if fd == c => (0xb0, a, b),
            _ if fd == a => (0xa0, b, c),
            _ if fd == b => (0xa0, a, c),
            _ => {
                self.vector(packed(fmt), MOVAPS, fd, 0, Rm::R(c));
                (0xb0, a, b)
            }
        };
        let op = match neg {
            (false, false) => 0x8, // vfmadd
            (false, true) => 0xa,  // vfmsub
            (true, false) => 0xc,  // vfnmadd
            (true, true) => 0xe,   // vfnmsub
        };
        self.a.vex256(Pp::P66, Map::M0F38, fmt == Fmt::D, form | op, fd, first, Rm::R(second));
    }

    /// From groups back to the contract.
    fn end_groups(&mut self, homes: &mut Homes, l: &Elementwise<'_>, pointers: &Pointers) {
        self.a.mov_mem_imm(Sz::Q, Rm::S(field!(recovery)), 0);
        for (guest, host) in &pointers.moved {
            self.a.mov(Sz::Q, *host, Rm::S(slot(*guest)));
        }
        let map = self.map;
        let mapped = |set: u32| map.floats().filter(move |(f, _)| set & 1 << f != 0);
        let mut none = Vec::new();
        self.a.test(Sz::Q, RAX, RAX);
        none.push(self.a.branch_if(Cc::E));
        for (_, x) in mapped(l.written) {
            self.a.vex256(Pp::P66, Map::M0F3A, false, 0x19, x, 0, Rm::R(XMM0)); // vextractf128
            self.a.byte(1);
            if l.fmt == Fmt::D {
                self.a.vex(Pp::P66, Map::M0F, false, 0x15, x, XMM0, Rm::R(XMM0)); // vunpckhpd
            } else {
                self.a.vex(Pp::P66, Map::M0F3A, false, 0x04, x, 0, Rm::R(XMM0)); // vpermilps
                self.a.byte(0xff);
                self.a.vex(Pp::None, Map::M0F, false, OR, x, x, constant(BOX));
            }
        }
        for step in &l.inductions {
            self.advance(homes, l.fmt, *step);
        }
        for (r, last) in &l.live_outs {
            match *last {
                LiveOut::Sum(array, off) => {
                    self.begin_of(homes, RCX, array);
                    self.a.alu_imm(Alu::Add, Sz::Q, Rm::R(RCX), off - size_of(l.fmt));
                }
                LiveOut::Flag(value) => self.a.mov_imm(RCX, value.into()),
            }
            self.a.mov_to(Sz::Q, self.materialised(homes, *r).get(), RCX);
        }
        none.into_iter().for_each(|branch| self.a.bind(branch));
        if l.fmt == Fmt::S {
            for (_, x) in mapped(l.constants) {
                self.a.vex(Pp::None, Map::M0F, false, OR, x, x, constant(BOX));
            }
        }
        self.a.bytes(&[0xc5, 0xf8, 0x77]); // vzeroupper
    }

    /// Advances a register as the groups, whose bytes are in rax, would have.
    fn advance(&mut self, homes: &mut Homes, fmt: Fmt, step: Induction) {
        let size = size_of(fmt);
        let home = self.materialised(homes, step.reg).get();
        if step.by == size {
            return self.a.alu_to(Alu::Add, Sz::Q, home, RAX);
        }
        self.a.mov(Sz::Q, RCX, Rm::R(RAX));
        self.a.shift_imm(Shift::Shr, Sz::Q, Rm::R(RCX), size.trailing_zeros() as u8);
        self.a.imul_imm(Sz::Q, RCX, Rm::R(RCX), step.by);
        self.a.alu_to(Alu::Add, Sz::Q, home, RCX);
    }

    /// The vector register of a floating-point register that has one.
    fn x(&self, f: FReg) -> u8 {
        self.map.float(f.0).unwrap_or(XMM0)
    }

    fn compare_counter(&mut self, homes: &Homes, l: &Elementwise<'_>) {
        let counter = self.materialised(homes, l.counter.reg).get();
        if l.bound.is_zero() {
            return self.a.alu_imm(Alu::Cmp, Sz::Q, counter, 0);
        }
        self.copy_home(homes, RAX, l.bound);
        self.a.alu(Alu::Cmp, Sz::Q, RAX, counter);
    }
}

/// Which host registers point to the arrays of `l`: those of their guest registers, others that
/// hold no copies here, and those of registers that the loop does not use.
fn pointers(map: &RegMap, l: &Elementwise<'_>) -> Option<Pointers> {
    let mut used = 1 << l.bound.0;
    for node in l.nodes {
        used |= node.reads() | node.writes();
    }
    let unused = map.ints().filter(|(guest, _)| used & 1 << guest == 0);
    let mut spare = COPIES.iter().map(|host| (0, *host)).chain(unused);
    let mut pointers = Pointers { of: Vec::new(), loaded: Vec::new(), moved: Vec::new() };
    for &(a, b) in &l.arrays {
        let home = map.int(a.0).filter(|_| b.is_zero());
        let host = match home {
            Some(host) => host,
            None => {
                let (guest, host) = spare.next()?;
                if guest != 0 {
                    pointers.moved.push((guest, host));
                }
                pointers.loaded.push((host, (a, b)));
                host
            }
        };
        pointers.of.push(host);
    }
    Some(pointers)
}
