//! Branches, calls, returns, and the ways out of translated code.

use super::asm::{Alu, Cc, Map, Pp, Rm, Shift, Sz};
use super::emit::Emitter;
use super::regs::{RAX, RCX, field};
use super::values::Copies;
use crate::backend::{Counted, HANDLER_ROOM, LinkSite};
use crate::ir::{Cond, ExitKind, LoadKind, MemSize, Node, Op, Reg, Src};
use crate::mem::Mode;
use crate::util::{CodePtr, Counter};

pub(super) const fn condition(c: Cond) -> Cc {
    match c {
        Cond::Eq => Cc::E,
        Cond::Ne => Cc::Ne,
        Cond::Lt => Cc::L,
        Cond::Ge => Cc::Ge,
        Cond::Ltu => Cc::B,
        Cond::Geu => Cc::Ae,
    }
}

/// The link register whose calls and returns are the host's. Those by t0, the other link register
/// of the manual (it is for functions that save registers), are jumps.
const RA: Reg = Reg(1);

/// ModRM byte of `call rcx`.
const CALL: u8 = 0xd1;
/// ModRM byte of `jmp rcx`.
const JMP: u8 = 0xe1;

/// How a branch goes to its target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// At once: the contract holds.
    Direct,
    /// To the head of the loop that is being emitted.
    Head,
    /// Through cold code that brings home what is pending.
    Flush,
}

impl Emitter<'_, '_> {
    /// Lets the hart be stopped here: one load of a page that is made unreadable for that.
    pub(super) fn poll(&mut self) {
        self.fault_point();
        self.poll_load();
    }

    /// The load of [`Self::poll`] alone.
    pub(super) fn poll_load(&mut self) {
        // test [rbp - STATE_BIAS - 8], eax: the end of the page below the state.
        let at = Rm::S(-(crate::backend::STATE_BIAS as i32) - 8);
        self.a.ins(Pp::None, Map::One, Sz::D, 0x85, RAX, at);
    }

    /// Before a push on the stack of return addresses: faults if there would be less room left than
    /// handlers of the host need, and is executed again on an empty stack then.
    fn look_for_room(&mut self) {
        if self.ctx.handler_room {
            // test [rsp - HANDLER_ROOM], eax, with a SIB byte that names no index.
            self.a.bytes(&[0x85, 0x84, 0x24]);
            self.a.imm32((HANDLER_ROOM as i32).wrapping_neg());
        }
    }

    /// Emits the four bytes of a jump to `target`, and the stub it leads to until it is linked.
    fn link(&mut self, target: u64) {
        let site = self.a.pos();
        let id = self.a.buf.first_link + self.a.buf.links.len() as u32;
        let known = (self.ctx.lookup)(target).or_else(|| self.own_entry(target));
        // In the cold part the stub would lie in the middle of the code that jumps: it follows
        // the four bytes at once, and nothing falls into it since a jump precedes it.
        let stub = if self.a.cold { CodePtr(site.0 + 4) } else { self.a.buf.cold_pos() };
        let word = super::patch::rel32(site, known.unwrap_or(stub));
        self.a.bytes(&word.to_le_bytes());
        debug_assert_eq!(self.a.buf.cold_pos(), stub, "the stub is where the jump expects it");
        self.a.mov_jmp_in_cold(RAX, id, self.ctx.stubs.link);
        self.a.buf.links.push(LinkSite {
            site,
            target,
            stub,
            call: false,
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
        self.a.pad_for_patch(1);
        self.a.byte(0xe9);
        self.link(target);
    }

    #[inline(never)]
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
                self.forget_copies();
            }
            return;
        }
        if backward {
            // A loop: its head takes the contract, so values are brought home on the likely path.
            self.poll();
            if self.flush_for_back_edge(target) {
                let cc = self.compare(condition(cond), a, Src::Reg(b));
                return self.branch_on(cc, target, Way::Head);
            }
        } else {
            self.settle_lasting();
        }
        let cc = self.compare(condition(cond), a, Src::Reg(b));
        let way = if self.anything_pending() { Way::Flush } else { Way::Direct };
        self.branch_on(cc, target, way);
    }

    /// If `cc` holds, goes to a guest address.
    pub(super) fn branch_on(&mut self, cc: Cc, target: u64, way: Way) {
        match way {
            Way::Head => return self.branch_to_head(Some(cc)),
            Way::Direct => {
                self.a.pad_for_patch(2);
                self.a.bytes(&[0x0f, 0x80 | cc as u8]);
                return self.link(target);
            }
            Way::Flush => {}
        }
        let stub = self.a.buf.cold_pos();
        self.a.jcc(cc, stub);
        let sym = self.sym.clone();
        let fp = self.float_pending().then(|| self.fp.clone());
        self.in_cold(|e| {
            e.flush();
            e.jump_to(target);
        });
        self.sym = sym;
        if let Some(fp) = fp {
            self.fp = fp;
        }
    }

    #[inline(never)]
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

    #[inline(never)]
    pub(super) fn call(&mut self, target: u64, link: Reg, ret: u64, last: bool) {
        // Calls forward alone close no loop. They can only be many, which a hostile guest may want.
        if target <= self.pc || self.ctx.mode == Mode::Sandbox {
            self.poll();
        }
        self.set_const(link, ret);
        self.flush();
        if link == RA {
            self.look_for_room();
            self.a.pad_for_patch(1);
            self.a.byte(0xe8);
            self.link(target);
        } else {
            self.jump_to(target);
        }
        self.return_site(link, ret, last);
    }

    #[inline(never)]
    pub(super) fn call_indirect(&mut self, base: Reg, off: i32, link: Reg, ret: u64, last: bool) {
        self.flush();
        self.indirect_target(base, off);
        self.write_link(link, ret);
        self.dispatch(if link == RA { CALL } else { JMP });
        self.return_site(link, ret, last);
    }

    #[inline(never)]
    pub(super) fn jump_indirect(
        &mut self,
        base: Reg,
        off: i32,
        link: Reg,
        ret: u64,
        is_return: bool,
    ) {
        self.flush();
        if is_return && (base, off, link) == (RA, 0, Reg::ZERO) {
            self.a.byte(0xc3);
            return;
        }
        self.indirect_target(base, off);
        self.write_link(link, ret);
        self.dispatch(JMP);
    }

    /// Emits `load` and `jump`, an indirect one, if they go together to where a constant place in
    /// memory says: a comparison of what is there with what was there when the block was made, and
    /// a direct jump. False if they are something else.
    #[inline(never)]
    pub(super) fn jump_by_memory(&mut self, load: &Op, jump: &Node, last: bool) -> bool {
        let Op::Load { kind: LoadKind { size: MemSize::D, .. }, rd, base, off } = *load else {
            return false;
        };
        let (link, ret, is_call) = match jump.op {
            Op::JumpIndirect { base, off: 0, link, ret, is_return: false } if base == rd => {
                (link, ret, false)
            }
            Op::CallIndirect { base, off: 0, link, ret } if base == rd => (link, ret, true),
            _ => return false,
        };
        let Some(place) = self.sym.constant(base.0) else { return false };
        let Some(target) = (self.ctx.peek)(place.wrapping_add(i64::from(off) as u64)) else {
            return false;
        };
        let Some(guess) = i32::try_from(target).ok().filter(|_| target & 1 == 0) else {
            return false;
        };
        if rd.is_zero() {
            return false;
        }
        self.settle_dependents(rd.0);
        let at = self.address(base, off);
        self.fault_point();
        self.a.alu_imm(Alu::Cmp, Sz::Q, at, guess);
        self.a.bytes(&[0x0f, 0x80 | Cc::Ne as u8]);
        let wrong = self.a.pos();
        self.a.imm32(0);
        let (sym, fp, copies) = (self.sym.clone(), self.fp.clone(), self.copies.clone());
        let load_pc = std::mem::replace(&mut self.pc, jump.pc);

        self.set_const(rd, target);
        if target <= jump.pc || self.ctx.mode == Mode::Sandbox {
            self.poll();
        }
        if !link.is_zero() {
            self.set_const(link, ret);
        }
        self.flush();
        if is_call && link == RA {
            self.look_for_room();
        }
        self.a.pad_for_patch(1);
        self.a.byte(if is_call && link == RA { 0xe8 } else { 0xe9 });
        self.link(target);
        let back = self.a.pos();

        (self.sym, self.fp, self.copies) = (sym, fp, copies);
        self.pc = load_pc;
        let cold = self.a.buf.cold_pos();
        self.a.buf.patch(wrong, super::patch::rel32(wrong, cold));
        self.in_cold(|e| {
            e.load(LoadKind { size: MemSize::D, signed: true }, rd, base, off);
            e.pc = jump.pc;
            e.flush();
            e.indirect_target(rd, 0);
            e.write_link(link, ret);
            if is_call && link == RA {
                e.dispatch(CALL);
                e.a.jmp(back);
            } else {
                e.dispatch(JMP);
            }
        });
        self.copies = Copies::default();
        if is_call {
            self.return_site(link, ret, last);
        }
        true
    }

    /// rax = `base + off`. Bit 0 is left alone: a set one takes the slow path, which clears it.
    fn indirect_target(&mut self, base: Reg, off: i32) {
        if base.is_zero() {
            self.a.mov_imm(RAX, i64::from(off) as u64);
            return;
        }
        match self.settled(base) {
            Rm::R(h) if off != 0 => self.a.lea(Sz::Q, RAX, Rm::B(h, off)),
            home => {
                self.a.mov(Sz::Q, RAX, home);
                if off != 0 {
                    self.a.alu_imm(Alu::Add, Sz::Q, Rm::R(RAX), off);
                }
            }
        }
    }

    /// `link = ret` at home, keeping rax.
    fn write_link(&mut self, link: Reg, ret: u64) {
        self.forget_copies();
        if link.is_zero() {
            return;
        }
        match (self.settled(link), i32::try_from(ret)) {
            (Rm::R(h), _) => self.a.mov_imm_keep_flags(h, ret),
            (slot, Ok(ret)) => self.a.mov_mem_imm(Sz::Q, slot, ret),
            (slot, Err(_)) => {
                self.a.mov_imm_keep_flags(RCX, ret);
                self.a.mov_to(Sz::Q, slot, RCX);
            }
        }
        self.sym.set_home(link.0, false);
    }

    /// Goes to the guest address in rax through the table, by [`CALL`] or [`JMP`]. When the hart is
    /// to be stopped the table has no entries.
    ///
    /// Rotating moves bit 0 to the top, so that one comparison refuses odd addresses and those
    /// beyond the table. An empty entry is 0 and leads to the arena's first bytes, which are the
    /// lookup stub. All ways to that stub come with the rotated address.
    fn dispatch(&mut self, modrm: u8) {
        if modrm == CALL {
            self.look_for_room();
        }
        self.a.shift_imm(Shift::Ror, Sz::Q, Rm::R(RAX), 1);
        if self.a.cold {
            self.a.mov_imm_keep_flags(RCX, 0);
            self.a.alu(Alu::Cmp, Sz::Q, RAX, Rm::S(field!(table_limit)));
            let beyond = self.a.jcc_short(Cc::Ae);
            self.a.mov(Sz::Q, RCX, Rm::S(field!(table)));
            self.a.mov(Sz::D, RCX, Rm::X(RCX, RAX, 2, 0));
            self.a.bind_short(beyond);
            self.a.alu(Alu::Add, Sz::Q, RCX, Rm::S(field!(arena)));
            self.a.bytes(&[0xff, modrm]);
            return;
        }
        self.a.alu(Alu::Cmp, Sz::Q, RAX, Rm::S(field!(table_limit)));
        let cold = self.a.buf.cold_pos();
        self.a.jcc(Cc::Ae, cold);
        self.a.mov(Sz::Q, RCX, Rm::S(field!(table)));
        self.a.mov(Sz::D, RCX, Rm::X(RCX, RAX, 2, 0));
        self.a.alu(Alu::Add, Sz::Q, RCX, Rm::S(field!(arena)));
        let go = self.a.pos();
        self.a.bytes(&[0xff, modrm]);
        self.in_cold(|e| {
            e.a.mov(Sz::Q, RCX, Rm::S(field!(arena)));
            e.a.jmp(go);
        });
    }

    /// Where a callee returns to. By a host return it comes with the guest address that it returns
    /// to in ra, as the only host return there is stands for `jr ra`.
    fn return_site(&mut self, link: Reg, ret: u64, last: bool) {
        self.sym.reset();
        self.reset_float();
        self.forget_copies();
        if link == RA {
            let home = self.settled(RA);
            if let Ok(imm) = i32::try_from(ret) {
                self.a.alu_imm(Alu::Cmp, Sz::Q, home, imm);
            } else {
                self.a.mov_imm_keep_flags(RCX, ret);
                self.a.alu(Alu::Cmp, Sz::Q, RCX, home);
            }
            self.a.jcc(Cc::Ne, self.ctx.stubs.return_miss);
            self.count(Counted::Return);
        }
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
        self.a.mov_imm_keep_flags(RAX, counter as u64);
        // The call may meet the end of the stack of return addresses.
        self.fault_point();
        self.a.call(self.ctx.stubs.counter);
        let dst = self.int_dest(rd);
        self.a.mov(Sz::Q, dst, Rm::R(RAX));
        self.done(rd, dst, false);
    }

    /// Calls the helper stub for the instruction at the current pc. Homes are saved before and
    /// loaded again after it.
    pub(super) fn call_helper(&mut self) {
        self.store_pc();
        self.a.call(self.ctx.stubs.helper);
        // The last byte of the call: what follows it may be a fault point of its own.
        let CodePtr(next) = self.a.pos();
        self.fault_point_at(CodePtr(next - 1));
    }

    fn store_pc(&mut self) {
        let to = Rm::S(field!(hart.pc));
        if let Ok(pc) = i32::try_from(self.pc) {
            self.a.mov_mem_imm(Sz::Q, to, pc);
        } else {
            self.a.mov_imm_keep_flags(RAX, self.pc);
            self.a.mov_to(Sz::Q, to, RAX);
        }
    }

    #[inline(never)]
    pub(super) fn exit(&mut self, kind: ExitKind) {
        self.flush();
        self.store_pc();
        let code = match kind {
            ExitKind::Ecall => 0,
            ExitKind::Ebreak => 1,
            ExitKind::FenceI => 2,
            ExitKind::Fetch => 3,
        };
        self.a.mov_imm_keep_flags(RAX, code);
        self.a.jmp(self.ctx.stubs.exit);
    }
}
