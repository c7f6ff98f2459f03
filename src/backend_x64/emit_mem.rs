//! Loads, stores and fences.

use super::asm::{Alu, Map, Pp, Rm, Sz};
use super::emit::Emitter;
use super::regs::{RAX, RSP};
use super::values::Opnd;
use crate::backend::emit::LowerMemory;
use crate::ir::{Fence, LoadKind, MemSize, Reg};

impl LowerMemory for Emitter<'_, '_> {
    fn load(&mut self, kind: LoadKind, rd: Reg, base: Reg, off: i32) {
        if !rd.is_zero() {
            self.settle_dependents(rd.0);
        }
        let from = self.address(base, off);
        let to = if rd.is_zero() { RAX } else { self.target(rd.0, RAX) };
        self.fault_point();
        match (kind.size, kind.signed) {
            (MemSize::B, false) => self.a.ins(Pp::None, Map::M0F, Sz::D, 0xb6, to, from),
            (MemSize::B, true) => self.a.ins(Pp::None, Map::M0F, Sz::Q, 0xbe, to, from),
            (MemSize::H, false) => self.a.ins(Pp::None, Map::M0F, Sz::D, 0xb7, to, from),
            (MemSize::H, true) => self.a.ins(Pp::None, Map::M0F, Sz::Q, 0xbf, to, from),
            (MemSize::W, false) => self.a.mov(Sz::D, to, from),
            (MemSize::W, true) => self.a.movsxd(to, from),
            (MemSize::D | MemSize::Q, _) => self.a.mov(Sz::Q, to, from),
        }
        if !rd.is_zero() {
            let narrow = match kind.size {
                MemSize::B | MemSize::H => true,
                MemSize::W => kind.signed,
                MemSize::D | MemSize::Q => false,
            };
            self.done(rd, to, narrow);
        }
    }

    #[inline(never)]
    fn store(&mut self, size: MemSize, src: Reg, base: Reg, off: i32) {
        let value = match size {
            MemSize::D | MemSize::Q => self.use64(src),
            MemSize::B | MemSize::H | MemSize::W => self.use32(src),
        };
        let to = self.address(base, off);
        let sz = if size == MemSize::D { Sz::Q } else { Sz::D };
        match value {
            Opnd::Imm(i) => {
                self.fault_point();
                match size {
                    MemSize::B => {
                        self.a.ins(Pp::None, Map::One, Sz::D, 0xc6, 0, to);
                        self.a.byte(i as u8);
                    }
                    MemSize::H => {
                        self.a.ins(Pp::P66, Map::One, Sz::D, 0xc7, 0, to);
                        self.a.bytes(&(i as i16).to_le_bytes());
                    }
                    _ => self.a.mov_mem_imm(sz, to, i),
                }
            }
            Opnd::Rm(rm) => {
                let from = match rm {
                    Rm::R(h) => h,
                    slot => {
                        let scratch = self.scratch_beside(to);
                        self.a.mov(sz, scratch, slot);
                        scratch
                    }
                };
                self.fault_point();
                match size {
                    MemSize::B => self.a.ins8(Pp::None, Map::One, 0x88, from, to),
                    MemSize::H => self.a.ins(Pp::P66, Map::One, Sz::D, 0x89, from, to),
                    _ => self.a.mov_to(sz, to, from),
                }
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
