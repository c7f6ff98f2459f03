//! Branches, calls, returns, and the ways out of translated code.

use super::Emitter;
use super::asm::{Asm, At, Cc, Mem, Sz, Test, a64};
use super::patch;
use super::regs::{LR, X0, X1, X16, field, slot};
use crate::backend::emit::{Host, LoopHead, LowerExit};
use crate::backend::{Counted, Homes, LinkSite, Symbolic};
use crate::ir::{Cond, Reg};
use crate::opt::FloatFacts;
use crate::util::{CodePtr, Counter};

/// A taken branch: a conditional branch that leads to code behind the block, which brings home
/// what is pending and goes on to the target by a branch that can be redirected.
struct Later {
    branch: (CodePtr, u32),
    sym: Symbolic,
    fp: FloatFacts,
    target: u64,
}

/// What is emitted behind a block.
#[derive(Default)]
pub(super) struct Deferred {
    /// Taken branches.
    later: Vec<Later>,
    /// Branches of returns that do not go where the latest call was to return to, with the register
    /// that holds the guest address.
    misses: Vec<((CodePtr, u32), u8)>,
}

impl<'b> LowerExit<'b, Asm<'b>> for Emitter<'b, '_> {
    fn compare_for_branch(&mut self, homes: &Homes, cond: Cond, a: Reg, b: Reg) -> Test {
        self.compare_branch(homes, Asm::condition(cond), a, b)
    }

    fn branch_out(&mut self, _homes: &mut Homes, test: Test, target: u64) {
        if self.inside.is_none()
            && !self.anything_pending()
            && let Some(at) = self.own_entry(target)
        {
            // A loop within the block, which its poll can end.
            return self.a.jump_if(test, at);
        }
        self.branch_later(test, target);
    }

    fn branch_to_head(&mut self, _homes: &mut Homes, test: Option<Test>) {
        let Some(LoopHead { at, .. }) = self.head else {
            unreachable!("there is a head to jump to")
        };
        match test {
            Some(test) => self.a.jump_if(test, at),
            None => self.a.b(at),
        }
    }

    fn call_direct(&mut self, homes: &Homes, target: u64, link: Reg, ret: u64) {
        // Behind this instruction, the push, and the branch.
        self.push_return(homes, link, ret, 3);
        self.link(target, true);
    }

    fn indirect_target(&mut self, homes: &Homes, base: Reg, off: i32, link: Reg) -> u8 {
        if base.is_zero() {
            self.a.mov_imm(X0, i64::from(off) as u64);
            return X0;
        }
        let home = self.materialised(homes, base, X0).get();
        if off == 0 && base != link {
            return home;
        }
        self.a.add_imm(Sz::X, X0, home, off.into());
        X0
    }

    fn write_return_address(&mut self, _homes: &mut Homes, link: Reg, ret: u64) {
        let to = self.map.int(link.0).unwrap_or(X1);
        self.a.mov_imm(to, ret);
        if self.map.int(link.0).is_none() {
            self.a.store_field(slot(link.0), to);
        }
    }

    fn dispatch(&mut self, homes: &Homes, target: u8, call: Option<(Reg, u64)>) {
        if let Some((link, ret)) = call {
            // Behind this instruction, the push, and what follows below.
            self.push_return(homes, link, ret, 10);
        }
        a64!(self.a ; ror X(X0), X(target), 1);
        self.a.load_field(X16, field!(table_limit));
        self.a.cmp(Sz::X, X0, X16);
        let refused = self.a.pos();
        let cold = self.a.buf.cold_pos();
        self.a.jump_if(Test::Flags(Cc::HS), cold);
        // `table` and `arena` are neighbours.
        const { assert!(field!(arena) == field!(table) + 8) };
        a64!(self.a ; ldp X(X16), X(X1), [state, field!(table)]);
        self.a.mem(Mem::LoadW, X16, At::Index(X16, X0, true));
        let go = self.a.pos();
        debug_assert_eq!(go.0 - refused.0, 12, "the return address counts instructions");
        a64!(self.a ; add X(X16), X(X16), X(X1));
        match call {
            Some(_) => a64!(self.a ; blr X(X16)),
            None => a64!(self.a ; br X(X16)),
        }
        self.in_cold(|e| {
            e.a.load_field(X1, field!(arena));
            e.a.mov_imm(X16, 0);
            e.a.b(go);
        });
    }

    fn return_to(&mut self, _homes: &Homes, target: u8) {
        // The pair of the latest call: go there if it was to return to this guest address.
        a64!(self.a ; ldp X(LR), X(X16), [sp], 16);
        self.a.cmp(Sz::X, X16, target);
        let miss = self.a.branch_if(Test::Flags(Cc::NE));
        self.deferred.misses.push((miss, target));
        self.count(Counted::Return);
        a64!(self.a ; ret);
    }

    fn read_counter(&mut self, homes: &mut Homes, counter: Counter, rd: Reg) {
        self.flush(homes);
        self.a.mov_imm(X0, counter as u64);
        self.a.call(self.ctx.stubs.counter);
        self.reset_float();
        let dst = self.dest(homes, rd);
        self.a.mov(Sz::X, dst, X1);
        self.done(homes, rd, dst, false);
    }
}

impl Emitter<'_, '_> {
    /// Goes to a guest address if `test` holds.
    pub(super) fn branch_later(&mut self, test: Test, target: u64) {
        let branch = self.a.branch_if(test);
        let (sym, fp) = (self.sym.clone(), self.fp.clone());
        self.deferred.later.push(Later { branch, sym, fp, target });
    }

    /// Emits what taken branches lead to. Nothing may fall through to here.
    pub(super) fn taken_branches(&mut self, homes: &mut Homes) {
        for (branch, target) in std::mem::take(&mut self.deferred.misses) {
            self.a.bind(branch);
            self.count(Counted::Cold);
            self.a.mov(Sz::X, X0, target);
            self.a.b(self.ctx.stubs.return_miss);
        }
        for later in std::mem::take(&mut self.deferred.later) {
            let stub = self.a.pos();
            self.a.bind(later.branch);
            self.count(Counted::Cold);
            (self.sym, self.fp) = (later.sym, later.fp);
            if self.inside.is_none() && !self.anything_pending() {
                self.link_branch(later.branch, later.target, stub);
            }
            self.flush(homes);
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

    /// Pushes the pair of a call that returns behind `n` instructions from the one that says so.
    fn push_return(&mut self, _homes: &Homes, link: Reg, ret: u64, n: u32) {
        // The guest's return address is in the link register already.
        let guest = self.map.int(link.0).unwrap_or_else(|| {
            self.a.mov_imm(X1, ret);
            X1
        });
        self.look_for_room();
        let behind = 4 * n as i32;
        a64!(self.a ; adr X(LR), behind ; stp X(LR), X(guest), [sp, -16]!);
    }
}
