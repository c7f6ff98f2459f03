//! Loads, stores and fences.

use super::Emitter;
use super::asm::{Alu, Asm, Map, Pp, Rm, Sz};
use super::regs::RSP;
use super::values::{Operand, Opnd};
use crate::backend::emit::{Access, Host, LowerMemory};
use crate::backend::{Held, Homes};
use crate::ir::{Fence, MemSize, Reg};

impl<'b> LowerMemory<'b, Asm<'b>> for Emitter<'b, '_> {
    fn address<'h>(&mut self, homes: &'h Homes, _: Access, base: Reg, off: i32) -> Held<'h, Rm> {
        self.memory(homes, base, off)
    }

    fn store_operand(&mut self, size: MemSize, value: Operand<'_>, to: Held<'_, Rm>) {
        let sz = if size == MemSize::D { Sz::Q } else { Sz::D };
        match value.get() {
            Opnd::Imm(i) => {
                self.fault_point();
                match size {
                    MemSize::B => {
                        self.a.ins(Pp::None, Map::One, Sz::D, 0xc6, 0, to.get());
                        self.a.byte(i as u8);
                    }
                    MemSize::H => {
                        self.a.ins(Pp::P66, Map::One, Sz::D, 0xc7, 0, to.get());
                        self.a.bytes(&(i as i16).to_le_bytes());
                    }
                    _ => self.a.mov_mem_imm(sz, to.get(), i),
                }
            }
            Opnd::Rm(rm) => {
                let from = match rm {
                    Rm::R(h) => h,
                    slot => {
                        let scratch = self.scratch_beside(to.get());
                        self.a.mov(sz, scratch, slot);
                        scratch
                    }
                };
                self.fault_point();
                self.a.access(Access::Store(size), from, to);
            }
        }
    }

    fn fence(&mut self, f: Fence) {
        if f.pw && f.sr {
            // lock or dword [rsp - 64], 0
            self.a.byte(0xf0);
            self.a.alu_imm(Alu::Or, Sz::D, Rm::B(RSP, -64), 0);
        }
    }
}
