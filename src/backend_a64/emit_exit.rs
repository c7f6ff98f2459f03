//! Branches, calls, returns, and the ways out of translated code.

use super::asm::{Alu, At, BLR, BR, Cc, LDP, LDP_POP, Mem, STP_PUSH, Sz, Test};
use super::emit::Emitter;
use super::emit_float::FloatState;
use super::patch;
use super::regs::{LR, SP, STATE, X0, X1, X16, ZR, field, host_int, slot};
use crate::backend::{Counted, HANDLER_ROOM, LinkSite, STATE_BIAS, Symbolic};
use crate::ir::{Cond, ExitKind, Reg};
use crate::util::{CodePtr, Counter};

/// A taken branch: a conditional branch that leads to code behind the block, which brings home
/// what is pending and goes on to the target by a branch that can be redirected.
pub(super) struct Later {
    branch: (CodePtr, u32),
    sym: Symbolic,
    fp: FloatState,
    target: u64,
}

const RET: u32 = 0xd65f_03c0;

pub(super) const fn condition(c: Cond) -> Cc {
    match c {
        Cond::Eq => Cc::Eq,
        Cond::Ne => Cc::Ne,
        Cond::Lt => Cc::Lt,
        Cond::Ge => Cc::Ge,
        Cond::Ltu => Cc::Lo,
        Cond::Geu => Cc::Hs,
    }
}

impl Emitter<'_, '_> {
    /// Lets the hart be stopped here: one load of a page that is made unreadable for that. Each
    /// endless path goes backward or through the table again and again: calls forward, and the
    /// returns from them, come to an end.
    fn poll(&mut self) {
        self.fault_point();
        // The end of the page below the state.
        self.a.mem(Mem::LoadW, ZR, At::Disp(STATE, -(STATE_BIAS as i32) - 8));
    }

    /// Before a push on the stack of return addresses: faults if there would be less room left than
    /// handlers of the host need, and is executed again on an empty stack then. Changes x30.
    fn look_for_room(&mut self) {
        if self.ctx.handler_room {
            self.a.mov_imm(LR, (HANDLER_ROOM as u64).wrapping_neg());
            self.a.mem(Mem::LoadW, ZR, At::Index(SP, LR, false));
        }
    }

    /// Emits a jump (or the jump of a call) to `target`, and the stub it leads to until it is
    /// linked.
    fn link(&mut self, target: u64, call: bool) {
        let site = self.a.pos();
        let id = self.a.buf.first_link + self.a.buf.links.len() as u32;
        let known = (self.ctx.lookup)(target).or_else(|| self.own_entry(target));
        let was_cold = self.a.cold;
        // In the cold part the stub would lie in the middle of the code that jumps: it follows
        // the jump at once, and nothing falls into it.
        debug_assert!(!(call && was_cold), "calls are hot");
        let stub = if was_cold { CodePtr(site.0 + 4) } else { self.a.buf.cold_pos() };
        let to = known.unwrap_or(stub);
        self.a.word(if call { patch::bl(site, to) } else { patch::b(site, to) });
        self.a.cold = true;
        debug_assert_eq!(self.a.pos(), stub, "the stub is where the jump expects it");
        self.a.mov_imm(X0, u64::from(id));
        self.a.b(self.ctx.stubs.link);
        self.a.cold = was_cold;
        self.a.buf.links.push(LinkSite {
            site,
            target,
            stub,
            call,
            inner: false,
            conditional: None,
        });
    }

    /// The place of an entry that this block has made already.
    fn own_entry(&self, target: u64) -> Option<CodePtr> {
        self.a.buf.entries.iter().find(|(pc, _)| *pc == target).map(|(_, at)| *at)
    }

    /// Jumps to a guest address; the contract holds.
    pub(super) fn jump_to(&mut self, target: u64) {
        self.link(target, false);
    }

    pub(super) fn branch(&mut self, cond: Cond, a: Reg, b: Reg, target: u64) {
        let backward = target <= self.pc;
        if let (Some(x), Some(y)) = (self.sym.constant(a.0), self.sym.constant(b.0)) {
            if cond.holds(x, y) {
                // What follows is dead unless somebody jumps there; it is emitted all the same,
                // which needs a state, so the contract's is as good as any.
                if backward {
                    self.poll();
                }
                self.flush();
                self.jump_to(target);
                self.sym.reset();
                self.reset_float();
            }
            return;
        }
        if backward {
            // A loop: its head takes the contract, so values are brought home on the likely path.
            self.poll();
            if self.flush_for_back_edge(target) {
                let test = self.compare_branch(condition(cond), a, b);
                return self.branch_to_head(Some(test));
            }
        } else {
            self.settle_lasting();
        }
        let test = self.compare_branch(condition(cond), a, b);
        if self.sym.pending() == 0
            && !self.float_pending()
            && let Some(at) = self.own_entry(target)
        {
            // A loop within the block, which its poll can end.
            return self.a.jump_if(test, at);
        }
        self.branch_later(test, target);
    }

    /// Goes to a guest address if `test` holds.
    pub(super) fn branch_later(&mut self, test: Test, target: u64) {
        let branch = self.a.branch_if(test);
        let (sym, fp) = (self.sym.clone(), self.fp.clone());
        self.later.push(Later { branch, sym, fp, target });
    }

    /// Emits what taken branches lead to. Nothing may fall through to here.
    pub(super) fn taken_branches(&mut self) {
        for (branch, target) in std::mem::take(&mut self.misses) {
            self.a.bind(branch);
            self.count(Counted::Cold);
            self.a.mov(Sz::X, X0, target);
            self.a.b(self.ctx.stubs.return_miss);
        }
        for later in std::mem::take(&mut self.later) {
            let stub = self.a.pos();
            self.a.bind(later.branch);
            self.count(Counted::Cold);
            (self.sym, self.fp) = (later.sym, later.fp);
            if self.sym.pending() == 0 && !self.float_pending() {
                self.link_branch(later.branch, later.target, stub);
            }
            self.flush();
            self.jump_to(later.target);
        }
    }

    /// Makes a conditional branch that leads to `stub` one that may lead to `target` at once.
    fn link_branch(&mut self, (site, word): (CodePtr, u32), target: u64, stub: CodePtr) {
        if self.ctx.conditional_links
            && let Some(to) = (self.ctx.lookup)(target)
            && let Some(linked) = patch::conditional(word, site, to)
        {
            self.a.buf.patch(site, linked);
        }
        let conditional = Some(word);
        self.a.buf.links.push(LinkSite {
            site,
            target,
            stub,
            call: false,
            inner: false,
            conditional,
        });
    }

    pub(super) fn jump(&mut self, target: u64) {
        if target <= self.pc {
            if self.same_insn {
                // The instruction has written its link: who stops here has jumped.
                self.pc = target;
            }
            self.poll();
            if self.flush_for_back_edge(target) {
                return self.branch_to_head(None);
            }
        }
        self.flush();
        self.jump_to(target);
    }

    pub(super) fn call(&mut self, target: u64, link: Reg, ret: u64, last: bool) {
        if target <= self.pc {
            self.poll();
        }
        self.set_const(link, ret);
        self.flush();
        self.push_return(link, ret);
        self.link(target, true);
        self.return_site(ret, last);
    }

    pub(super) fn call_indirect(&mut self, base: Reg, off: i32, link: Reg, ret: u64, last: bool) {
        self.flush();
        let target = self.indirect_target(base, off, link);
        self.write_link(link, ret);
        self.dispatch(target, Some((link, ret)));
        self.return_site(ret, last);
    }

    pub(super) fn jump_indirect(
        &mut self,
        base: Reg,
        off: i32,
        link: Reg,
        ret: u64,
        is_return: bool,
    ) {
        self.flush();
        let target = self.indirect_target(base, off, link);
        self.write_link(link, ret);
        if is_return {
            // The pair of the latest call: go there if it was to return to this guest address.
            self.a.pair(LDP_POP, (LR, X16), SP, 2);
            self.a.cmp(Sz::X, X16, target);
            let miss = self.a.branch_if(Test::Flags(Cc::Ne));
            self.misses.push((miss, target));
            self.count(Counted::Return);
            self.a.word(RET);
        } else {
            self.dispatch(target, None);
        }
    }

    /// Pushes the pair of a call whose branch is the next instruction.
    fn push_return(&mut self, link: Reg, ret: u64) {
        // The guest's return address is in the link register already.
        let guest = host_int(link.0).unwrap_or_else(|| {
            self.a.mov_imm(X1, ret);
            X1
        });
        self.look_for_room();
        // Behind this instruction, the push, and the branch.
        self.a.adr(LR, 12);
        self.a.pair(STP_PUSH, (LR, guest), SP, -2);
    }

    /// A register that holds `base + off` and stays as it is when `link` is written: x0, or the
    /// home of `base`. Bit 0 is left alone: a set one takes the slow path, which clears it.
    fn indirect_target(&mut self, base: Reg, off: i32, link: Reg) -> u8 {
        if base.is_zero() {
            self.a.mov_imm(X0, i64::from(off) as u64);
            return X0;
        }
        let home = self.settled_in_reg(base, X0);
        if off == 0 && base != link {
            return home;
        }
        self.a.add_imm(Sz::X, X0, home, off.into());
        X0
    }

    /// `link = ret` at home, keeping x0.
    fn write_link(&mut self, link: Reg, ret: u64) {
        if link.is_zero() {
            return;
        }
        let to = host_int(link.0).unwrap_or(X1);
        self.a.mov_imm(to, ret);
        if host_int(link.0).is_none() {
            self.a.store_field(slot(link.0), to);
        }
        self.sym.set_home(link.0, false);
    }

    /// Goes to the guest address in `target` through the table; as a call, if `call` says where
    /// that returns to.
    ///
    /// Rotating moves bit 0 to the top, so that one comparison refuses odd addresses and those
    /// beyond the table. An empty entry is 0 and leads to the arena's first bytes, which are the
    /// lookup stub. All ways to that stub come with the rotated address.
    fn dispatch(&mut self, target: u8, call: Option<(Reg, u64)>) {
        if let Some((link, ret)) = call {
            let guest = host_int(link.0).unwrap_or_else(|| {
                self.a.mov_imm(X1, ret);
                X1
            });
            self.look_for_room();
            // Behind this instruction, the push, and what follows below.
            self.a.adr(LR, 4 * 10);
            self.a.pair(STP_PUSH, (LR, guest), SP, -2);
        }
        self.a.ror_imm(Sz::X, X0, target, 1);
        self.a.load_field(X16, field!(table_limit));
        self.a.cmp(Sz::X, X0, X16);
        let refused = self.a.pos();
        let cold = self.a.buf.cold_pos();
        self.a.jump_if(Test::Flags(Cc::Hs), cold);
        // `table` and `arena` are neighbours.
        const { assert!(field!(arena) == field!(table) + 8) };
        self.a.pair(LDP, (X16, X1), STATE, field!(table) / 8);
        self.a.mem(Mem::LoadW, X16, At::Index(X16, X0, true));
        let go = self.a.pos();
        debug_assert_eq!(go.0 - refused.0, 12, "the return address counts instructions");
        self.a.alu(Alu::Add, Sz::X, X16, X16, X1);
        self.a.dn(if call.is_some() { BLR } else { BR }, 0, X16);
        self.in_cold(|e| {
            e.a.load_field(X1, field!(arena));
            e.a.mov_imm(X16, 0);
            e.a.b(go);
        });
    }

    /// Where a callee returns to: the guest address is the one that was pushed.
    fn return_site(&mut self, ret: u64, last: bool) {
        self.sym.reset();
        self.reset_float();
        if last {
            return;
        }
        let at = self.a.pos();
        if self.own_entry(ret).is_none() {
            self.a.buf.entries.push((ret, at));
        }
    }

    /// Lets the interpreter execute the current instruction, which writes the integer registers
    /// in `writes`.
    pub(super) fn helper(&mut self, writes: u32) {
        self.flush();
        self.call_helper();
        for r in 1..32 {
            if writes & 1 << r != 0 {
                self.sym.set_home(r, false);
            }
        }
        self.reset_float();
    }

    pub(super) fn read_counter(&mut self, counter: Counter, rd: Reg) {
        self.flush();
        self.a.mov_imm(X0, counter as u64);
        self.a.bl(self.ctx.stubs.counter);
        self.reset_float();
        let dst = self.dest(rd);
        self.a.mov(Sz::X, dst, X1);
        self.done(rd, dst, false);
    }

    /// Calls the helper stub for the instruction at the current pc. Homes are saved before and
    /// loaded again after it.
    pub(super) fn call_helper(&mut self) {
        self.store_pc();
        self.a.bl(self.ctx.stubs.helper);
        // The last byte of the call: what follows it may be a fault point of its own.
        let CodePtr(next) = self.a.pos();
        self.fault_point_at(CodePtr(next - 1));
    }

    fn store_pc(&mut self) {
        self.a.mov_imm(X16, self.pc);
        self.a.store_field(field!(hart.pc), X16);
    }

    pub(super) fn exit(&mut self, kind: ExitKind) {
        self.flush();
        self.store_pc();
        let code = match kind {
            ExitKind::Ecall => 0,
            ExitKind::Ebreak => 1,
            ExitKind::FenceI => 2,
            ExitKind::Fetch => 3,
        };
        self.a.mov_imm(X0, code);
        self.a.b(self.ctx.stubs.exit);
    }
}
