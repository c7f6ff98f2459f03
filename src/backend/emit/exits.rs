//! Branches, calls, returns, and the ways out of translated code.

use super::{Emitter, HeldCopies, Host, Lower, LowerExit};
use crate::backend::{Homes, LinkSite};
use crate::ir::{Cond, ExitKind, Reg};
use crate::mem::Mode;
use crate::util::CodePtr;

impl<'b, H: Host<'b>> Emitter<'b, '_, H>
where
    Self: Lower<'b, H>,
{
    /// Lets the hart be stopped here: one load of a page that is made unreadable for that. Each
    /// endless path goes backward or through the table again and again: calls forward, and the
    /// returns from them, come to an end.
    pub(crate) fn poll(&mut self) {
        if self.ctx.meter.is_some() {
            return;
        }
        self.fault_point();
        self.a.poll();
    }

    /// Before a push on the stack of return addresses: faults if there would be less room left than
    /// handlers of the host need, and is executed again on an empty stack then.
    pub(crate) fn look_for_room(&mut self) {
        if self.ctx.handler_room {
            self.a.touch_handler_room();
        }
    }

    /// Emits the four bytes of a jump to `target`, of a call if that is another instruction, and
    /// the stub it leads to until it is linked.
    pub(crate) fn link(&mut self, target: u64, call: bool) {
        let site = self.a.pos();
        let id = self.a.buf.first_link + self.a.buf.links.len() as u32;
        let known = (self.ctx.lookup)(target).or_else(|| self.own_entry(target));
        // In the cold part the stub would lie in the middle of the code that jumps: it follows
        // the four bytes at once, and nothing falls into it since a jump precedes it.
        debug_assert!(!(call && self.a.cold), "calls are hot");
        let stub = if self.a.cold { CodePtr(site.0 + 4) } else { self.a.buf.cold_pos() };
        self.a.jump_word(site, known.unwrap_or(stub), call);
        debug_assert_eq!(self.a.buf.cold_pos(), stub, "the stub is where the jump expects it");
        self.a.link_stub(id, self.ctx.stubs.link);
        let (inner, conditional) = (false, None);
        self.a.buf.links.push(LinkSite { site, target, stub, call, inner, conditional });
    }

    /// The place of an entry that this block has made already.
    pub(crate) fn own_entry(&self, target: u64) -> Option<CodePtr> {
        self.a.buf.entries.iter().find(|(pc, _)| *pc == target).map(|(_, at)| *at)
    }

    /// Jumps to a guest address; the contract holds, or that of the region.
    pub(crate) fn jump_to(&mut self, target: u64) {
        if self.is_inside(target) {
            self.a.begin_jump();
            self.link_inside(target);
        } else {
            self.leave_for(target);
        }
    }

    #[inline(never)]
    pub(crate) fn branch(&mut self, homes: &mut Homes, cond: Cond, a: Reg, b: Reg, target: u64) {
        let backward = target <= self.pc;
        if let (Some(x), Some(y)) = (self.sym.constant(a.0), self.sym.constant(b.0)) {
            if cond.holds(x, y) {
                // What follows is dead unless somebody jumps there; it is emitted all the same,
                // which needs a state, so the contract's is as good as any.
                if backward {
                    self.poll();
                }
                self.flush(homes);
                self.jump_to(target);
                self.forget(homes);
            }
            return;
        }
        if backward {
            // A loop: its head takes the contract, so values are brought home on the likely path.
            self.poll();
            if self.flush_for_back_edge(homes, target) {
                let test = self.compare_for_branch(homes, cond, a, b);
                return self.branch_to_head(homes, Some(test));
            }
        } else {
            self.materialise_live_out(homes);
        }
        let test = self.compare_for_branch(homes, cond, a, b);
        self.branch_out(homes, test, target);
    }

    /// Control may come from elsewhere: the contract holds, and nothing else is known.
    pub(crate) fn forget(&mut self, homes: &mut Homes) {
        self.sym.reset(homes);
        self.reset_float();
        self.copies.forget();
        self.vectors.forget();
    }

    #[inline(never)]
    pub(crate) fn jump(&mut self, homes: &mut Homes, target: u64) {
        if target <= self.pc {
            if self.same_insn {
                // The instruction has written its link: who stops here has jumped.
                self.pc = target;
            }
            self.poll();
            if self.flush_for_back_edge(homes, target) {
                return self.branch_to_head(homes, None);
            }
        }
        self.flush(homes);
        self.jump_to(target);
    }

    #[inline(never)]
    pub(super) fn call(&mut self, homes: &mut Homes, target: u64, link: Reg, ret: u64, last: bool) {
        // Calls forward alone close no loop. They can only be many, which a hostile guest may want.
        if target <= self.pc || H::POLLS_AT_CALLS && self.ctx.mode == Mode::Sandbox {
            self.poll();
        }
        self.set_const(homes, link, ret);
        self.flush(homes);
        self.call_direct(homes, target, link, ret);
        self.return_site(homes, link, ret, last);
    }

    #[inline(never)]
    pub(super) fn call_indirect(
        &mut self,
        homes: &mut Homes,
        base: Reg,
        off: i32,
        link: Reg,
        ret: u64,
        last: bool,
    ) {
        self.flush(homes);
        let target = self.target_and_link(homes, base, off, (link, ret));
        self.dispatch(homes, target, Some((link, ret)));
        self.return_site(homes, link, ret, last);
    }

    #[inline(never)]
    pub(super) fn jump_indirect(
        &mut self,
        homes: &mut Homes,
        base: Reg,
        off: i32,
        (link, ret): (Reg, u64),
        is_return: bool,
    ) {
        self.flush(homes);
        if is_return && self.return_at_once(base, off, link) {
            return;
        }
        let target = self.target_and_link(homes, base, off, (link, ret));
        if is_return {
            self.return_to(homes, target);
        } else {
            self.dispatch(homes, target, None);
        }
    }

    /// A register that holds `base + off`, as it was before `link = ret` at home.
    pub(crate) fn target_and_link(
        &mut self,
        homes: &mut Homes,
        base: Reg,
        off: i32,
        (link, ret): (Reg, u64),
    ) -> u8 {
        // The register that it is in is not that of `link`: so it is the one that can be kept.
        let target = self.indirect_target(homes, base, off, link);
        self.copies.forget();
        if !link.is_zero() {
            self.write_return_address(homes, link, ret);
            self.sym.set_home(homes, link.0, false);
        }
        target
    }

    /// Where a callee returns to.
    #[inline]
    pub(crate) fn return_site(&mut self, homes: &mut Homes, link: Reg, ret: u64, last: bool) {
        self.forget(homes);
        self.check_return(homes, link, ret);
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
    pub(crate) fn helper(&mut self, homes: &mut Homes, writes: u32) {
        self.flush(homes);
        self.call_helper(homes);
        self.vectors.forget();
        for r in 1..32 {
            if writes & 1 << r != 0 {
                self.sym.set_home(homes, r, false);
            }
        }
        self.reset_float();
    }

    /// Calls the helper stub for the instruction at the current pc. Homes are saved before and
    /// loaded again after it.
    pub(crate) fn call_helper(&mut self, _homes: &mut Homes) {
        self.exchange_for_contract();
        self.a.store_pc(self.pc);
        self.a.call(self.ctx.stubs.helper);
        // The last byte of the call: what follows it may be a fault point of its own.
        let CodePtr(next) = self.a.pos();
        self.fault_point_at(CodePtr(next - 1));
        self.exchange_for_region();
    }

    #[inline(never)]
    pub(super) fn exit(&mut self, homes: &mut Homes, kind: ExitKind) {
        self.flush(homes);
        self.a.store_pc(self.pc);
        if kind == ExitKind::Ecall && self.ctx.serves {
            self.a.call(self.ctx.stubs.serve);
            self.jump_to(self.pc.wrapping_add(4));
        } else {
            self.a.exit(kind as u64, self.ctx.stubs.exit);
        }
    }
}
