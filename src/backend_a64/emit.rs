//! What blocks are emitted with here.

use super::Emitter;
use super::asm::{Asm, At, Cc, Mem, Sz, Test, a64};
use super::emit_exit::Deferred;
use super::emit_mem::kind;
use super::features::Features;
use super::patch;
use super::regs::{LR, SP, STATE, V29, X0, X1, X16, X17, ZR, field, float_slot, slot};
use super::values::Operand;
#[cfg(all(debug_assertions, feature = "tools"))]
use crate::backend::emit::Aside;
use crate::backend::emit::{Access, Host, Lower, LowerBlock};
use crate::backend::{Counted, EmitContext, HANDLER_ROOM, Held, Homes, Out, RelocKind, STATE_BIAS};
use crate::ir::{Cond, MemSize, Node, Op};
use crate::util::CodePtr;

impl<'b> Host<'b> for Asm<'b> {
    type Features = Features;
    type Copies = ();
    type Deferred = Deferred;
    type Test = Test;
    type Cc = Cc;
    type Operand<'h> = Operand<'h>;
    type Address<'h> = Held<'h, At>;
    type Branch = (CodePtr, u32);
    type Skip = (CodePtr, u32);
    #[cfg(all(debug_assertions, feature = "tools"))]
    type Simulated = super::check::Machine;
    const OWN_NANS: bool = false;
    const KEEPS_UPPER_HALF: bool = false;
    const UNROLL: usize = 4;
    const POLLS_AT_CALLS: bool = false;
    const FALLS_THROUGH: bool = false;
    const ROTATES_WORDS: bool = true;
    const NOWHERE: u8 = ZR;
    const FLOAT_SCRATCH: u8 = V29;

    fn new(out: Out<'b>, _ctx: &EmitContext<'_>) -> Self {
        Self::new(out)
    }

    fn condition(cond: Cond) -> Cc {
        match cond {
            Cond::Eq => Cc::EQ,
            Cond::Ne => Cc::NE,
            Cond::Lt => Cc::LT,
            Cond::Ge => Cc::GE,
            Cond::Ltu => Cc::LO,
            Cond::Geu => Cc::HS,
        }
    }

    fn set_if(&mut self, cc: Cc, to: u8) {
        self.cset(cc, to);
    }

    fn sign_extend_word(&mut self, r: u8) {
        self.sxtw(r, r);
    }

    fn access(&mut self, access: Access, reg: u8, at: Held<'_, At>) {
        self.mem(kind(access), reg, at.get());
    }

    fn jump(&mut self, target: CodePtr) {
        self.b(target);
    }

    fn jump_if(&mut self, test: Test, target: CodePtr) {
        self.branch_to(test, target);
    }

    fn skip_if(&mut self, cc: Cc) -> (CodePtr, u32) {
        self.branch_if(Test::Flags(cc))
    }

    fn land(&mut self, skip: (CodePtr, u32)) {
        self.bind(skip);
    }

    fn float_move(&mut self, to: u8, from: u8) {
        if to != from {
            a64!(self ; fmov D(to), D(from));
        }
    }

    fn store_float(&mut self, f: u8, from: u8) {
        self.mem(Mem::StoreD, from, At::Disp(STATE, float_slot(f)));
    }

    fn test_misaligned(&mut self, size: MemSize) -> Test {
        a64!(self ; tst X(X16), u64::from(size.bytes()) - 1);
        Test::Flags(Cc::NE)
    }

    fn atomic_result(&mut self, size: MemSize, to: u8) {
        match size {
            MemSize::B | MemSize::H | MemSize::W => {
                self.extend_low(true, to, X1, 8 * size.bytes() as u8);
            }
            MemSize::D | MemSize::Q => self.mov(Sz::X, to, X1),
        }
    }

    fn branch_if(&mut self, test: Test) -> (CodePtr, u32) {
        let (at, word) = (self.pos(), Self::test_word(test));
        self.word(word);
        (at, word)
    }

    fn bind(&mut self, branch: (CodePtr, u32)) {
        let here = self.pos();
        self.aim(branch, here);
    }

    fn call(&mut self, target: CodePtr) {
        let site = self.pos();
        self.buf.note_distance(site, target);
        self.word(patch::bl(site, target));
    }

    fn poll(&mut self) {
        // The end of the page below the state.
        self.mem(Mem::LoadW, ZR, At::Disp(STATE, -(STATE_BIAS as i32) - 8));
    }

    fn test_fuel(&mut self, insns: u32) -> Test {
        self.load_field(X0, field!(fuel));
        self.load_field(X1, field!(fuel_floor));
        self.add_imm(Sz::X, X0, X0, -i64::from(insns));
        self.cmp(Sz::X, X0, X1);
        Test::Flags(Cc::LT)
    }

    fn store_fuel(&mut self) {
        self.store_field(field!(fuel), X0);
    }

    fn count_down(&mut self, at: u64) -> Test {
        self.mov_imm(X0, at);
        self.mem(Mem::LoadW, X1, At::Disp(X0, 0));
        a64!(self ; subs W(X1), WSP(X1), 1);
        self.mem(Mem::StoreW, X1, At::Disp(X0, 0));
        Test::Flags(Cc::LO)
    }

    fn touch_handler_room(&mut self) {
        self.mov_imm(LR, (HANDLER_ROOM as u64).wrapping_neg());
        self.mem(Mem::LoadW, ZR, At::Index(SP, LR, false));
    }

    fn jump_word(&mut self, site: CodePtr, target: CodePtr, call: bool) {
        self.word(if call { patch::bl(site, target) } else { patch::b(site, target) });
    }

    fn aim_jump(&mut self, site: CodePtr, target: CodePtr) {
        self.buf.note_distance(site, target);
        self.buf.patch(site, patch::b(site, target));
    }

    fn load_slot(&mut self, to: u8, r: u8) {
        self.load_field(to, slot(r));
    }

    fn store_slot(&mut self, r: u8, from: u8) {
        self.store_field(slot(r), from);
    }

    fn link_stub(&mut self, id: u32, target: CodePtr) {
        let was_cold = std::mem::replace(&mut self.cold, true);
        if self.buf.relocatable {
            let (site, kind) = (self.pos(), RelocKind::Link(id - self.buf.first_link));
            self.buf.note(site, kind);
            patch::load_id(id).into_iter().for_each(|word| self.word(word));
        } else {
            self.mov_imm(X0, u64::from(id));
        }
        self.b(target);
        self.cold = was_cold;
    }

    fn store_pc(&mut self, pc: u64) {
        self.mov_imm(X16, pc);
        self.store_field(field!(hart.pc), X16);
    }

    fn exit(&mut self, code: u64, target: CodePtr) {
        self.mov_imm(X0, code);
        self.b(target);
    }

    fn end(&mut self) {
        self.emit_veneers();
    }

    fn increment(&mut self, counter: u64) {
        self.store_field(field!(counting), X16);
        self.store_field(field!(counting) + 8, X17);
        self.mov_imm(X16, counter);
        self.mem(Mem::LoadX, X17, At::Disp(X16, 0));
        self.add_imm(Sz::X, X17, X17, 1);
        self.mem(Mem::StoreX, X17, At::Disp(X16, 0));
        self.load_field(X16, field!(counting));
        self.load_field(X17, field!(counting) + 8);
    }

    fn edge(&mut self, edges: u64, place: u16) {
        self.store_field(field!(counting), X16);
        self.store_field(field!(counting) + 8, X17);
        self.load_field(X16, field!(edge));
        self.add_imm(Sz::X, X16, X16, place.into());
        a64!(self ; uxth W(X16), W(X16));
        self.mov_imm(X17, edges);
        a64!(self ; add X(X16), X(X16), X(X17));
        self.mem(Mem::LoadB, X17, At::Disp(X16, 0));
        self.add_imm(Sz::W, X17, X17, 1);
        self.mem(Mem::StoreB, X17, At::Disp(X16, 0));
        self.mov_imm(X16, u64::from(place / 2));
        self.store_field(field!(edge), X16);
        self.load_field(X16, field!(counting));
        self.load_field(X17, field!(counting) + 8);
    }

    fn mark(&mut self, counter: u64) {
        self.store_field(field!(counting), X16);
        self.mov_imm(X16, counter);
        self.mem(Mem::StoreX, ZR, At::Disp(X16, 0));
        self.load_field(X16, field!(counting));
    }

    fn pause(&mut self) {
        a64!(self ; yield);
    }

    #[cfg(all(debug_assertions, feature = "tools"))]
    fn aside(&self, (): &()) -> Aside {
        let unbound = self.veneers.iter().map(|v| (v.at, v.target)).collect();
        Aside { moved: None, copies: Vec::new(), unbound }
    }
}

impl<'b> Lower<'b, Asm<'b>> for Emitter<'b, '_> {}

impl LowerBlock for Emitter<'_, '_> {
    fn fuse_with_next(&mut self, homes: &mut Homes, op: &Op, following: &[Node]) -> usize {
        let Some(second) = following.first() else { return 0 };
        usize::from(self.pair(homes, op, &second.op) || self.fcmp_branch(homes, op, second))
    }

    fn end_run(&mut self, homes: &mut Homes, end: u64) {
        if self.counts() {
            // What follows is not behind it.
            self.count(Counted::Guest(end));
        }
        self.taken_branches(homes);
    }
}
