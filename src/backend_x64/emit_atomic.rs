//! Atomic operations. The host's locked instructions are sequentially consistent, which is more
//! than any ordering bits ask for.

use super::asm::{Alu, Cc, Guest, Map, Pp, Rm, Sz};
use super::emit::Emitter;
use super::regs::{RAX, RCX, RDX, field};
use crate::backend::emit::LowerAtomic;
use crate::ir::{AmoOp, MemSize, Reg};

const LOCK: u8 = 0xf0;

impl LowerAtomic for Emitter<'_, '_> {
    #[inline(never)]
    fn amo(&mut self, op: AmoOp, size: MemSize, rd: Reg, base: Reg, src: Reg) {
        let at = self.atomic_address(size, base);
        let value = self.use64(src);
        match op {
            AmoOp::Swap => {
                self.load_opnd(Sz::Q, RAX, value);
                self.fault_point();
                self.sized(Map::One, 0x87, size, RAX, at);
            }
            AmoOp::Add => {
                self.load_opnd(Sz::Q, RAX, value);
                self.fault_point();
                self.lock_sized(Map::M0F, 0xc1, size, RAX, at);
            }
            AmoOp::And | AmoOp::Or | AmoOp::Xor if rd.is_zero() => {
                let number = match op {
                    AmoOp::And => Alu::And,
                    AmoOp::Or => Alu::Or,
                    _ => Alu::Xor,
                };
                self.load_opnd(Sz::Q, RAX, value);
                self.fault_point();
                self.lock_sized(Map::One, (number as u8) << 3 | 1, size, RAX, at);
            }
            _ => self.amo_loop(op, size, src, at),
        }
        self.atomic_result(size, rd, RAX);
        self.atomic_slow(size, rd);
    }

    #[inline(never)]
    fn load_reserved(&mut self, size: MemSize, rd: Reg, base: Reg) {
        let at = self.atomic_address(size, base);
        self.fault_point();
        if size == MemSize::W {
            self.a.movsxd(RAX, at);
        } else {
            self.a.mov(Sz::Q, RAX, at);
        }
        // The address that the guest gave, not the one it was reduced to.
        if base.is_zero() {
            self.a.mov_imm(RCX, 0);
        } else {
            let home = self.settled(base);
            self.a.mov(Sz::Q, RCX, home);
        }
        self.a.mov_to(Sz::Q, Rm::S(field!(hart.reservation.addr)), RCX);
        self.a.mov_to(Sz::Q, Rm::S(field!(hart.reservation.value)), RAX);
        self.a.mov_mem_imm(Sz::Q, Rm::S(field!(hart.reservation.size)), size.bytes() as i32);
        if !rd.is_zero() {
            let dst = self.dest(rd);
            self.a.mov(Sz::Q, dst, Rm::R(RAX));
            self.done(rd, dst, size == MemSize::W);
        }
        self.atomic_slow(size, rd);
    }

    #[inline(never)]
    fn store_conditional(&mut self, size: MemSize, rd: Reg, base: Reg, src: Reg) {
        let at = self.atomic_address(size, base);
        let value = self.use64(src);
        self.load_opnd(Sz::Q, RCX, value);
        if base.is_zero() {
            self.a.mov_imm(RAX, 0);
        } else {
            let home = self.settled(base);
            self.a.mov(Sz::Q, RAX, home);
        }
        self.a.alu(Alu::Cmp, Sz::Q, RAX, Rm::S(field!(hart.reservation.addr)));
        let other_address = self.a.jcc_short(Cc::Ne);
        let sized = Rm::S(field!(hart.reservation.size));
        self.a.alu_imm(Alu::Cmp, Sz::Q, sized, size.bytes() as i32);
        let other_size = self.a.jcc_short(Cc::Ne);
        self.a.mov(Sz::Q, RAX, Rm::S(field!(hart.reservation.value)));
        self.fault_point();
        self.lock_sized(Map::M0F, 0xb1, size, RCX, at);
        self.a.bind_short(other_address);
        self.a.bind_short(other_size);
        // All three ways come here with "equal" meaning success.
        self.a.setcc(Cc::Ne, RAX);
        self.a.movzx8(RAX, Rm::R(RAX));
        self.a.mov_mem_imm(Sz::Q, Rm::S(field!(hart.reservation.addr)), -1);
        if !rd.is_zero() {
            let dst = self.dest(rd);
            self.a.mov(Sz::Q, dst, Rm::R(RAX));
            self.done(rd, dst, true);
        }
        self.atomic_slow(size, rd);
    }

    #[inline(never)]
    fn cas(&mut self, size: MemSize, rd: Reg, base: Reg, src: Reg) {
        let at = self.atomic_address(size, base);
        let new = self.use64(src);
        self.load_opnd(Sz::Q, RCX, new);
        let expected = self.use64(rd);
        self.load_opnd(Sz::Q, RAX, expected);
        self.fault_point();
        self.lock_sized(Map::M0F, 0xb1, size, RCX, at);
        self.atomic_result(size, rd, RAX);
        self.atomic_slow(size, rd);
    }
}

impl Emitter<'_, '_> {
    /// Puts the address of an atomic access into rdx and leaves for the interpreter (which raises
    /// the guest's exception) if it is not naturally aligned. Everything else is at home then.
    fn atomic_address(&mut self, size: MemSize, base: Reg) -> Rm {
        self.flush();
        if base.is_zero() {
            self.a.mov_imm(RDX, 0);
        } else {
            let home = self.settled(base);
            self.a.mov(Sz::Q, RDX, home);
        }
        if size != MemSize::B {
            let cold = self.a.buf.cold_pos();
            self.a.test_imm8(RDX, size.bytes() as u8 - 1);
            self.a.jcc(Cc::Ne, cold);
        }
        Rm::M(Guest::at(RDX))
    }

    /// The slow path of [`Self::atomic_address`]: the interpreter does it all.
    fn atomic_slow(&mut self, size: MemSize, rd: Reg) {
        if size != MemSize::B {
            let back = self.a.pos();
            self.in_cold(|e| {
                e.call_helper();
                e.a.jmp(back);
            });
        }
        if !rd.is_zero() {
            self.sym.set_home(rd.0, false);
        }
    }

    /// Sign-extends eax or rax of `size` into the home of `rd`.
    fn atomic_result(&mut self, size: MemSize, rd: Reg, from: u8) {
        if rd.is_zero() {
            return;
        }
        let dst = self.dest(rd);
        match size {
            MemSize::B => self.a.ins(Pp::None, Map::M0F, Sz::Q, 0xbe, dst, Rm::R(from)),
            MemSize::H => self.a.ins(Pp::None, Map::M0F, Sz::Q, 0xbf, dst, Rm::R(from)),
            MemSize::W => self.a.movsxd(dst, Rm::R(from)),
            MemSize::D | MemSize::Q => self.a.mov(Sz::Q, dst, Rm::R(from)),
        }
        self.done(rd, dst, size != MemSize::D);
    }

    /// An instruction on memory of `size`, with the opcode of its 16- to 64-bit form; the one for
    /// bytes is one less.
    fn sized(&mut self, map: Map, op: u8, size: MemSize, reg: u8, rm: Rm) {
        match size {
            MemSize::B => self.a.ins8(Pp::None, map, op - 1, reg, rm),
            MemSize::H => self.a.ins(Pp::P66, map, Sz::D, op, reg, rm),
            MemSize::W => self.a.ins(Pp::None, map, Sz::D, op, reg, rm),
            MemSize::D | MemSize::Q => self.a.ins(Pp::None, map, Sz::Q, op, reg, rm),
        }
    }

    fn lock_sized(&mut self, map: Map, op: u8, size: MemSize, reg: u8, rm: Rm) {
        // A prefix comes before the operand-size and REX prefixes.
        self.a.byte(LOCK);
        self.sized(map, op, size, reg, rm);
    }

    /// Compare-and-swap until nobody was in between. Old value in rax, new one in rcx.
    fn amo_loop(&mut self, op: AmoOp, size: MemSize, src: Reg, at: Rm) {
        let value = self.use64(src);
        self.fault_point();
        match size {
            MemSize::B => self.a.ins(Pp::None, Map::M0F, Sz::D, 0xb6, RAX, at),
            MemSize::H => self.a.ins(Pp::None, Map::M0F, Sz::D, 0xb7, RAX, at),
            MemSize::W => self.a.mov(Sz::D, RAX, at),
            MemSize::D | MemSize::Q => self.a.mov(Sz::Q, RAX, at),
        }
        let again = self.a.pos();
        match op {
            AmoOp::And | AmoOp::Or | AmoOp::Xor => {
                self.load_opnd(Sz::Q, RCX, value);
                let alu = match op {
                    AmoOp::And => Alu::And,
                    AmoOp::Or => Alu::Or,
                    _ => Alu::Xor,
                };
                self.a.alu(alu, Sz::Q, RCX, Rm::R(RAX));
            }
            _ => self.amo_select(op, size, value),
        }
        // The loop's own access faults with nothing done either.
        self.fault_point();
        self.lock_sized(Map::M0F, 0xb1, size, RCX, at);
        self.a.jcc(Cc::Ne, again);
    }

    /// rcx = the operand if it is to replace the value in rax, else that value.
    fn amo_select(&mut self, op: AmoOp, size: MemSize, value: super::values::Opnd) {
        self.load_opnd(Sz::Q, RCX, value);
        // Small operands are compared at the top of a 32-bit register.
        let sz = if size == MemSize::D { Sz::Q } else { Sz::D };
        match size {
            MemSize::B | MemSize::H => {
                let signed = matches!(op, AmoOp::Min | AmoOp::Max);
                let opcode = match (size, signed) {
                    (MemSize::B, true) => 0xbe,
                    (MemSize::B, false) => 0xb6,
                    (_, true) => 0xbf,
                    (_, false) => 0xb7,
                };
                self.a.ins8(Pp::None, Map::M0F, opcode, RCX, Rm::R(RCX));
                self.a.ins8(Pp::None, Map::M0F, opcode, RAX, Rm::R(RAX));
            }
            _ => {}
        }
        let keep = match op {
            AmoOp::Min => Cc::L,
            AmoOp::Max => Cc::G,
            AmoOp::Minu => Cc::B,
            _ => Cc::A,
        };
        self.a.alu(Alu::Cmp, sz, RAX, Rm::R(RCX));
        self.a.cmov(keep, sz, RCX, Rm::R(RAX));
    }
}
