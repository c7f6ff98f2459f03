//! Atomic operations. The host's locked instructions are sequentially consistent, which is more
//! than any ordering bits ask for.

use super::Emitter;
use super::asm::{Alu, Asm, Cc, Guest, Map, Pp, Rm, Sz};
use super::regs::{RAX, RCX, RDX, field};
use super::values::{Operand, Opnd};
use crate::backend::Homes;
use crate::backend::emit::{Host, LowerAtomic};
use crate::ir::{AmoOp, MemSize, Reg};

const LOCK: u8 = 0xf0;

/// Where atomic accesses go: the guest address is in rdx.
const AT: Rm = Rm::M(Guest::at(RDX));

impl<'b> LowerAtomic<'b, Asm<'b>> for Emitter<'b, '_> {
    fn atomic_base(&mut self, homes: &Homes, base: Reg) {
        self.copy_base(homes, base, RDX);
    }

    fn exchange(&mut self, op: AmoOp, size: MemSize, value: Operand<'_>, wanted: bool) {
        let value = value.get();
        match op {
            AmoOp::Swap => {
                self.load_opnd(Sz::Q, RAX, value);
                self.fault_point();
                self.sized(Map::One, 0x87, size, RAX, AT);
            }
            AmoOp::Add => {
                self.load_opnd(Sz::Q, RAX, value);
                self.fault_point();
                self.lock_sized(Map::M0F, 0xc1, size, RAX, AT);
            }
            AmoOp::And | AmoOp::Or | AmoOp::Xor if !wanted => {
                let number = match op {
                    AmoOp::And => Alu::And,
                    AmoOp::Or => Alu::Or,
                    _ => Alu::Xor,
                };
                self.load_opnd(Sz::Q, RAX, value);
                self.fault_point();
                self.lock_sized(Map::One, (number as u8) << 3 | 1, size, RAX, AT);
            }
            _ => self.amo_loop(op, size, value, AT),
        }
    }

    fn reserve(&mut self, homes: &Homes, size: MemSize, base: Reg) -> (MemSize, bool) {
        self.fault_point();
        if size == MemSize::W {
            self.a.movsxd(RAX, AT);
        } else {
            self.a.mov(Sz::Q, RAX, AT);
        }
        // The address that the guest gave, not the one it was reduced to.
        self.copy_base(homes, base, RCX);
        self.a.mov_to(Sz::Q, Rm::S(field!(hart.reservation.addr)), RCX);
        self.a.mov_to(Sz::Q, Rm::S(field!(hart.reservation.value)), RAX);
        self.a.mov_mem_imm(Sz::Q, Rm::S(field!(hart.reservation.size)), size.bytes() as i32);
        (MemSize::D, size == MemSize::W)
    }

    fn store_if_reserved(
        &mut self,
        homes: &Homes,
        size: MemSize,
        base: Reg,
        value: Operand<'_>,
    ) -> bool {
        self.load_opnd(Sz::Q, RCX, value.get());
        self.copy_base(homes, base, RAX);
        self.a.alu(Alu::Cmp, Sz::Q, RAX, Rm::S(field!(hart.reservation.addr)));
        let other_address = self.a.jcc_short(Cc::NE);
        let sized = Rm::S(field!(hart.reservation.size));
        self.a.alu_imm(Alu::Cmp, Sz::Q, sized, size.bytes() as i32);
        let other_size = self.a.jcc_short(Cc::NE);
        self.a.mov(Sz::Q, RAX, Rm::S(field!(hart.reservation.value)));
        self.fault_point();
        self.lock_sized(Map::M0F, 0xb1, size, RCX, AT);
        self.a.bind_short(other_address);
        self.a.bind_short(other_size);
        // All three ways come here with "equal" meaning success.
        self.a.set_if(Cc::NE, RAX);
        self.a.mov_mem_imm(Sz::Q, Rm::S(field!(hart.reservation.addr)), -1);
        true
    }

    fn exchange_if(&mut self, size: MemSize, expected: Operand<'_>, new: Operand<'_>) {
        self.load_opnd(Sz::Q, RCX, new.get());
        self.load_opnd(Sz::Q, RAX, expected.get());
        self.fault_point();
        self.lock_sized(Map::M0F, 0xb1, size, RCX, AT);
    }
}

impl Emitter<'_, '_> {
    /// `to` = the guest address in `base`, which is at home or x0. Flags may change.
    fn copy_base(&mut self, homes: &Homes, base: Reg, to: u8) {
        if base.is_zero() {
            self.a.mov_imm(to, 0);
        } else {
            let home = self.materialised(homes, base);
            self.a.mov(Sz::Q, to, home.get());
        }
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
    fn amo_loop(&mut self, op: AmoOp, size: MemSize, value: Opnd, at: Rm) {
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
        self.a.jcc(Cc::NE, again);
    }

    /// rcx = the operand if it is to replace the value in rax, else that value.
    fn amo_select(&mut self, op: AmoOp, size: MemSize, value: Opnd) {
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
