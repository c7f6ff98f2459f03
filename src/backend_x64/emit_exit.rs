//! Branches, calls, returns, and the ways out of translated code.

use super::Emitter;
use super::asm::{Alu, Asm, Cc, Rm, Shift, Sz};
use super::regs::{RAX, RCX, field};
use super::values::Copies;
use crate::backend::emit::{Host, LoopHead, LowerExit, LowerInt};
use crate::backend::{Counted, Homes, LinkSite};
use crate::ir::{Cond, LoadKind, MemSize, Node, Op, Reg, Src};
use crate::mem::Mode;
use crate::util::Counter;

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

impl<'b> LowerExit<'b, Asm<'b>> for Emitter<'b, '_> {
    #[inline]
    fn compare_for_branch(&mut self, homes: &Homes, cond: Cond, a: Reg, b: Reg) -> Cc {
        self.compare_with(homes, cond, a, Src::Reg(b))
    }

    #[inline]
    fn branch_out(&mut self, homes: &mut Homes, cc: Cc, target: u64) {
        let way = if self.anything_pending() { Way::Flush } else { Way::Direct };
        self.branch_on(homes, cc, target, way);
    }

    fn branch_to_head(&mut self, homes: &mut Homes, cc: Option<Cc>) {
        let Some(LoopHead { pc, at, .. }) = self.head else {
            unreachable!("there is a head to jump to")
        };
        match cc {
            Some(cc) => {
                self.a.pad_for_patch(2);
                self.a.bytes(&[0x0f, 0x80 | cc.0]);
            }
            None => {
                self.a.pad_for_patch(1);
                self.a.byte(0xe9);
            }
        }
        let (site, stub) = (self.a.pos(), self.a.buf.cold_pos());
        self.a.rel(at);
        self.a.buf.links.push(LinkSite {
            site,
            target: pc,
            stub,
            call: false,
            inner: true,
            conditional: None,
        });
        let (sym, fp) = (self.sym.clone(), self.fp.clone());
        self.in_cold(|e| {
            e.flush(homes);
            e.jump_to(pc);
        });
        (self.sym, self.fp) = (sym, fp);
    }

    #[inline]
    fn call_direct(&mut self, _homes: &Homes, target: u64, link: Reg, _ret: u64) {
        if link == RA {
            self.look_for_room();
            self.a.pad_for_patch(1);
            self.a.byte(0xe8);
            self.link(target, false);
        } else {
            self.jump_to(target);
        }
    }

    fn indirect_target(&mut self, homes: &Homes, base: Reg, off: i32, _link: Reg) -> u8 {
        if base.is_zero() {
            self.a.mov_imm(RAX, i64::from(off) as u64);
            return RAX;
        }
        match self.materialised(homes, base).get() {
            Rm::R(h) if off != 0 => self.a.lea(Sz::Q, RAX, Rm::B(h, off)),
            home => {
                self.a.mov(Sz::Q, RAX, home);
                if off != 0 {
                    self.a.alu_imm(Alu::Add, Sz::Q, Rm::R(RAX), off);
                }
            }
        }
        RAX
    }

    fn write_return_address(&mut self, homes: &mut Homes, link: Reg, ret: u64) {
        match (self.materialised(homes, link).get(), i32::try_from(ret)) {
            (Rm::R(h), _) => self.a.mov_imm_keep_flags(h, ret),
            (slot, Ok(ret)) => self.a.mov_mem_imm(Sz::Q, slot, ret),
            (slot, Err(_)) => {
                self.a.mov_imm_keep_flags(RCX, ret);
                self.a.mov_to(Sz::Q, slot, RCX);
            }
        }
    }

    fn dispatch(&mut self, _homes: &Homes, _target: u8, call: Option<(Reg, u64)>) {
        let modrm = if matches!(call, Some((RA, _))) { CALL } else { JMP };
        if modrm == CALL {
            self.look_for_room();
        }
        self.a.shift_imm(Shift::Ror, Sz::Q, Rm::R(RAX), 1);
        if self.a.cold {
            self.a.mov_imm_keep_flags(RCX, 0);
            self.a.alu(Alu::Cmp, Sz::Q, RAX, Rm::S(field!(table_limit)));
            let beyond = self.a.jcc_short(Cc::AE);
            self.a.mov(Sz::Q, RCX, Rm::S(field!(table)));
            self.a.mov(Sz::D, RCX, Rm::X(RCX, RAX, 2, 0));
            self.a.bind_short(beyond);
            self.a.alu(Alu::Add, Sz::Q, RCX, Rm::S(field!(arena)));
            self.a.bytes(&[0xff, modrm]);
            return;
        }
        self.a.alu(Alu::Cmp, Sz::Q, RAX, Rm::S(field!(table_limit)));
        let cold = self.a.buf.cold_pos();
        self.a.jcc(Cc::AE, cold);
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

    fn return_at_once(&mut self, base: Reg, off: i32, link: Reg) -> bool {
        let host = (base, off, link) == (RA, 0, Reg::ZERO);
        if host {
            self.a.byte(0xc3);
        }
        host
    }

    fn return_to(&mut self, homes: &Homes, target: u8) {
        self.dispatch(homes, target, None);
    }

    #[inline]
    fn check_return(&mut self, homes: &Homes, link: Reg, ret: u64) {
        // By a host return it comes with the guest address that it returns to in ra, as the only
        // host return there is stands for `jr ra`.
        if link == RA {
            let home = self.materialised(homes, RA).get();
            if let Ok(imm) = i32::try_from(ret) {
                self.a.alu_imm(Alu::Cmp, Sz::Q, home, imm);
            } else {
                self.a.mov_imm_keep_flags(RCX, ret);
                self.a.alu(Alu::Cmp, Sz::Q, RCX, home);
            }
            self.a.jcc(Cc::NE, self.ctx.stubs.return_miss);
            self.count(Counted::Return);
        }
    }

    fn read_counter(&mut self, homes: &mut Homes, counter: Counter, rd: Reg) {
        self.flush(homes);
        self.a.mov_imm_keep_flags(RAX, counter as u64);
        // The call may meet the end of the stack of return addresses.
        self.fault_point();
        self.a.call(self.ctx.stubs.counter);
        let dst = self.int_dest(homes, rd);
        self.a.mov(Sz::Q, dst, Rm::R(RAX));
        self.done(homes, rd, dst, false);
    }
}

impl Emitter<'_, '_> {
    /// If `cc` holds, goes to a guest address.
    pub(super) fn branch_on(&mut self, homes: &mut Homes, cc: Cc, target: u64, way: Way) {
        match way {
            Way::Head => return self.branch_to_head(homes, Some(cc)),
            // Who leaves a region does so through cold code.
            Way::Direct if self.inside.is_none() || self.is_inside(target) => {
                self.a.pad_for_patch(2);
                self.a.bytes(&[0x0f, 0x80 | cc.0]);
                return match self.inside {
                    Some(_) => self.link_inside(target),
                    None => self.link(target, false),
                };
            }
            Way::Direct | Way::Flush => {}
        }
        let stub = self.a.buf.cold_pos();
        self.a.jcc(cc, stub);
        let sym = self.sym.clone();
        let fp = self.fp.is_pending().then(|| self.fp.clone());
        self.in_cold(|e| {
            e.flush(homes);
            e.jump_to(target);
        });
        self.sym = sym;
        if let Some(fp) = fp {
            self.fp = fp;
        }
    }

    /// Emits `load` and `jump`, an indirect one, if they go together to where a constant place in
    /// memory says: a comparison of what is there with what was there when the block was made, and
    /// a direct jump. False if they are something else.
    #[inline(never)]
    pub(super) fn jump_by_memory(
        &mut self,
        homes: &mut Homes,
        load: &Op,
        jump: &Node,
        last: bool,
    ) -> bool {
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
        let looked_at = place.wrapping_add(i64::from(off) as u64);
        let Some(target) = (self.ctx.peek)(looked_at) else {
            return false;
        };
        let Some(guess) = i32::try_from(target).ok().filter(|_| target & 1 == 0) else {
            return false;
        };
        if rd.is_zero() {
            return false;
        }
        if self.a.buf.relocatable {
            self.a.buf.peeked.push((looked_at, target));
        }
        self.materialise_dependents(homes, rd.0);
        let at = self.memory(homes, base, off);
        self.fault_point();
        self.a.alu_imm(Alu::Cmp, Sz::Q, at.get(), guess);
        let wrong = self.a.branch_if(Cc::NE);
        let (sym, fp, copies) = (self.sym.clone(), self.fp.clone(), self.copies.clone());
        let load_pc = std::mem::replace(&mut self.pc, jump.pc);

        self.set_const(homes, rd, target);
        if target <= jump.pc || self.ctx.mode == Mode::Sandbox {
            self.poll();
        }
        if !link.is_zero() {
            self.set_const(homes, link, ret);
        }
        self.flush(homes);
        if is_call && link == RA {
            self.look_for_room();
        }
        self.a.pad_for_patch(1);
        self.a.byte(if is_call && link == RA { 0xe8 } else { 0xe9 });
        self.link(target, false);
        let back = self.a.pos();

        (self.sym, self.fp, self.copies) = (sym, fp, copies);
        self.pc = load_pc;
        let cold = self.a.buf.cold_pos();
        self.a.buf.note_distance(wrong, cold);
        self.a.buf.patch(wrong, super::patch::rel32(wrong, cold));
        self.in_cold(|e| {
            e.load(homes, LoadKind { size: MemSize::D, signed: true }, rd, base, off);
            e.pc = jump.pc;
            e.flush(homes);
            let target = e.target_and_link(homes, rd, 0, (link, ret));
            e.dispatch(homes, target, is_call.then_some((link, ret)));
            if is_call && link == RA {
                e.a.jmp(back);
            }
        });
        self.copies = Copies::default();
        if is_call {
            self.return_site(homes, link, ret, last);
        }
        true
    }
}
