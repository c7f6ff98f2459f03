//! Vectors, with AVX2 in registers of 128 bits.
//!
//! rax has the address of the vector state, and rcx that of memory.

use super::Emitter;
use super::asm::{Alu, Asm, Cc, Guest, Map, Pp, Rm, Sz};
use super::regs::{RAX, RCX, RDX, field};
use crate::backend::Homes;
use crate::backend::emit::{Lanes, LowerVector, VectorUnit};
use crate::cpu::Vector;
use crate::ir::{FReg, Op, Reg, VBinOp, VConfig, VSrc};
use std::mem::offset_of;

/// Where in the vector state type and lengths are.
const CONFIG: i32 = offset_of!(Vector, vtype) as i32;

/// A vector instruction with mandatory prefix 66: its map, VEX.W and opcode.
type Code = (Map, bool, u8);

impl LowerVector for Emitter<'_, '_> {
    fn vector(&mut self, homes: &mut Homes, op: &Op) {
        if self.cpu.avx2 {
            self.vector_op(homes, op);
        } else {
            self.vector_helper(homes, op);
        }
    }
}

impl<'b> VectorUnit<'b, Asm<'b>> for Emitter<'b, '_> {
    fn has_lanes(&self, op: VBinOp, sew: u8, b: VSrc) -> bool {
        match op {
            VBinOp::Move => true,
            VBinOp::Sll | VBinOp::Srl | VBinOp::Sra => match b {
                VSrc::Group(_) => shift_by_lanes(op, sew).is_some(),
                _ => shift_by_one(op, sew).is_some(),
            },
            VBinOp::Macc | VBinOp::Madd => code(VBinOp::Mul, sew).is_some(),
            VBinOp::Nmsac | VBinOp::Nmsub => {
                code(VBinOp::Mul, sew).is_some() && matches!(b, VSrc::Group(_))
            }
            _ if op.fused().is_some() => sew >= 2 && self.cpu.fma,
            _ if op.is_float() => sew >= 2,
            VBinOp::Rsub => !matches!(b, VSrc::Group(_)),
            _ if op.narrower() != 0 => true,
            _ => code(op, sew).is_some(),
        }
    }

    fn find_vectors(&mut self) {
        self.a.mov(Sz::Q, RAX, Rm::S(field!(hart.vector)));
    }

    fn test_no_vectors(&mut self) -> Cc {
        self.a.test(Sz::Q, RAX, RAX);
        Cc::E
    }

    fn test_started(&mut self) -> Cc {
        let at = offset_of!(Vector, vstart) as i32;
        // movzx ecx, word [rax + vstart]
        self.a.ins(Pp::None, Map::M0F, Sz::D, 0xb7, RCX, Rm::B(RAX, at));
        self.a.test(Sz::D, RCX, RCX);
        Cc::NE
    }

    fn test_config_is_not(&mut self, config: VConfig) -> Cc {
        self.a.alu_imm(Alu::Cmp, Sz::Q, Rm::B(RAX, CONFIG), word(config));
        Cc::NE
    }

    fn store_config(&mut self, config: VConfig) {
        self.a.mov_mem_imm(Sz::Q, Rm::B(RAX, CONFIG), word(config));
    }

    fn test_less(&mut self, homes: &Homes, r: Reg, n: u16) -> Cc {
        let home = self.materialised(homes, r).get();
        self.a.alu_imm(Alu::Cmp, Sz::Q, home, n.into());
        Cc::B
    }

    fn vector_base(&mut self, homes: &Homes, base: Reg) -> u8 {
        let home = self.materialised(homes, base).get();
        self.in_reg(home, RCX)
    }

    fn load_piece(&mut self, scratch: u8, at: u16, n: u8) {
        // What is not asked for is within the state.
        let whole = if matches!(n, 4 | 8) { n } else { 16 };
        self.load_part(scratch, whole, piece(at));
    }

    fn store_piece(&mut self, scratch: u8, at: u16, n: u8) {
        for (from, part) in parts(n) {
            self.store_part(scratch, from, part, piece(at + u16::from(from)));
        }
    }

    fn load_guest(&mut self, scratch: u8, base: u8, disp: i32, n: u8) {
        for (from, part) in parts(n) {
            let place = guest(base, disp + i32::from(from));
            if from == 0 && part >= 4 {
                self.fault_point();
                self.load_part(scratch, part, place);
                continue;
            }
            if from == 0 {
                self.lane((Map::M0F, false, XOR), scratch, scratch, Rm::R(scratch));
            }
            let insert = match part {
                4 => (Map::M0F3A, false, 0x22),
                2 => (Map::M0F, false, 0xc4),
                _ => (Map::M0F3A, false, 0x20),
            };
            self.fault_point();
            self.lane(insert, scratch, scratch, place);
            self.a.byte(from / part);
        }
    }

    fn store_guest(&mut self, scratch: u8, base: u8, disp: i32, n: u8) {
        for (from, part) in parts(n) {
            self.fault_point();
            self.store_part(scratch, from, part, guest(base, disp + i32::from(from)));
        }
    }

    fn splat(&mut self, homes: &Homes, sew: u8, r: Reg) {
        let mut from = self.materialised(homes, r).get();
        if let Rm::R(_) = from {
            self.lane((Map::M0F, sew == 3, MOVE_IN), 1, 0, from);
            from = Rm::R(1);
        }
        self.fill(sew, from);
    }

    fn splat_float(&mut self, sew: u8, f: FReg) {
        self.fill(sew, self.fhome(f));
    }

    fn splat_constant(&mut self, sew: u8, value: i32) {
        match value {
            0 => self.lane((Map::M0F, false, XOR), 1, 1, Rm::R(1)),
            -1 => self.lane((Map::M0F, false, SAME_32), 1, 1, Rm::R(1)),
            _ => {
                self.a.mov_imm(RAX, i64::from(value) as u64);
                self.lane((Map::M0F, sew == 3, MOVE_IN), 1, 0, Rm::R(RAX));
                self.fill(sew, Rm::R(1));
            }
        }
    }

    fn shift_amount(&mut self, homes: &Homes, sew: u8, r: Reg) {
        let home = self.materialised(homes, r).get();
        self.a.mov(Sz::D, RDX, home);
        self.a.alu_imm(Alu::And, Sz::D, Rm::R(RDX), (8 << sew) - 1);
        self.lane((Map::M0F, false, MOVE_IN), 1, 0, Rm::R(RDX));
    }

    fn float_lanes(&mut self, op: VBinOp, sew: u8, a: u16, b: VSrc, vd: u16, n: u8) {
        self.packed_float(op, sew, (a, vd), b, n);
    }

    fn sum_in_order(&mut self, sew: u8, init: u16, a: u16, count: u16) {
        self.numbers_in_order(sew, init, a, count);
    }

    fn fold(&mut self, op: VBinOp, sew: u8, n: u8) {
        let mut half = n / 2;
        while half >= 1 << sew {
            // vpsrldq xmm1, xmm0, half
            self.lane((Map::M0F, false, 0x73), 3, 1, Rm::R(0));
            self.a.byte(half);
            self.lanes_with(op, sew, Lanes::Scratch);
            half /= 2;
        }
    }

    fn element_to_int(&mut self, homes: &mut Homes, rd: Reg, sew: u8, at: u16) {
        let dst = self.dest(homes, rd);
        match sew {
            0 => self.a.ins(Pp::None, Map::M0F, Sz::Q, 0xbe, dst, piece(at)),
            1 => self.a.ins(Pp::None, Map::M0F, Sz::Q, 0xbf, dst, piece(at)),
            2 => self.a.movsxd(dst, piece(at)),
            _ => self.a.mov(Sz::Q, dst, piece(at)),
        }
        self.done(homes, rd, dst, false);
    }

    fn element_to_float(&mut self, x: u8, sew: u8, at: u16) {
        self.load_part(x, 1 << sew, piece(at));
    }

    fn lanes(&mut self, op: VBinOp, sew: u8, a: Option<u16>, b: Lanes, vd: u16, n: u8) {
        let at_a = a.unwrap_or(0);
        match op {
            VBinOp::Sll | VBinOp::Srl | VBinOp::Sra => {
                self.load_piece(0, at_a, n);
                self.shift_lanes(op, sew, b, n);
            }
            VBinOp::Macc | VBinOp::Nmsac => {
                self.load_piece(0, at_a, n);
                self.lanes_with(VBinOp::Mul, sew, b);
                if op == VBinOp::Macc {
                    self.lanes_with(VBinOp::Add, sew, Lanes::At(vd));
                } else {
                    self.load_piece(1, vd, n);
                    self.lanes_with(VBinOp::Rsub, sew, Lanes::Scratch);
                }
            }
            VBinOp::Madd | VBinOp::Nmsub => {
                self.load_piece(0, vd, n);
                self.lanes_with(VBinOp::Mul, sew, b);
                if op == VBinOp::Madd {
                    self.lanes_with(VBinOp::Add, sew, Lanes::At(at_a));
                } else {
                    self.load_piece(1, at_a, n);
                    self.lanes_with(VBinOp::Rsub, sew, Lanes::Scratch);
                }
            }
            _ if op.narrower() != 0 => {
                if let Lanes::At(at) = b {
                    self.lane(extension(op, sew), 0, 0, piece(at));
                }
            }
            _ => {
                if let Some(a) = a {
                    self.load_piece(0, a, n);
                }
                let b = match b {
                    // As much as was stored, which may still be under way.
                    Lanes::At(at) if n < 16 => {
                        self.load_piece(1, at, n);
                        Lanes::Scratch
                    }
                    b => b,
                };
                self.lanes_with(op, sew, b);
            }
        }
    }
}

impl Emitter<'_, '_> {
    /// A vector instruction with mandatory prefix 66.
    fn lane(&mut self, (map, w, op): Code, reg: u8, first: u8, rm: Rm) {
        self.a.vex(Pp::P66, map, w, op, reg, first, rm);
    }

    /// xmm1 is filled with the low element of `from`.
    fn fill(&mut self, sew: u8, from: Rm) {
        let op = [0x78, 0x79, 0x58, 0x59][usize::from(sew & 3)];
        self.lane((Map::M0F38, false, op), 1, 0, from);
    }

    /// Loads 4, 8 or 16 bytes.
    fn load_part(&mut self, x: u8, bytes: u8, from: Rm) {
        match bytes {
            4 => self.lane((Map::M0F, false, MOVE_IN), x, 0, from),
            8 => self.a.vex(Pp::F3, Map::M0F, false, 0x7e, x, 0, from),
            _ => self.a.vex(Pp::F3, Map::M0F, false, 0x6f, x, 0, from),
        }
    }

    /// Stores so many bytes, a power of two, from byte `at` of a register on.
    fn store_part(&mut self, x: u8, at: u8, bytes: u8, to: Rm) {
        match (bytes, at) {
            (16, _) => return self.a.vex(Pp::F3, Map::M0F, false, 0x7f, x, 0, to),
            (8, 0) => return self.lane((Map::M0F, false, 0xd6), x, 0, to),
            (4, 0) => return self.lane((Map::M0F, false, 0x7e), x, 0, to),
            (8, _) => self.lane((Map::M0F3A, true, 0x16), x, 0, to),
            (4, _) => self.lane((Map::M0F3A, false, 0x16), x, 0, to),
            (2, _) => self.lane((Map::M0F3A, false, 0x15), x, 0, to),
            _ => self.lane((Map::M0F3A, false, 0x14), x, 0, to),
        }
        self.a.byte(at / bytes);
    }

    /// xmm0 = xmm0 `op` `b`
    fn lanes_with(&mut self, op: VBinOp, sew: u8, b: Lanes) {
        let rm = match b {
            Lanes::At(at) => piece(at),
            Lanes::Scratch | Lanes::Imm(_) => Rm::R(1),
        };
        if op == VBinOp::Rsub {
            if let Some(code) = code(VBinOp::Sub, sew) {
                self.lane(code, 0, 1, Rm::R(0));
            }
        } else if let Some(code) = code(op, sew) {
            self.lane(code, 0, 0, rm);
        }
    }

    /// xmm0 is shifted by `b`.
    fn shift_lanes(&mut self, op: VBinOp, sew: u8, b: Lanes, n: u8) {
        let bits = 8i32 << sew;
        match b {
            Lanes::Imm(amount) => {
                let code = (Map::M0F, false, 0x70 + sew);
                let which = match op {
                    VBinOp::Sll => 6,
                    VBinOp::Srl => 2,
                    _ => 4,
                };
                self.lane(code, which, 0, Rm::R(0));
                self.a.byte((amount & (bits - 1)) as u8);
            }
            Lanes::Scratch => {
                if let Some(code) = shift_by_one(op, sew) {
                    self.lane(code, 0, 0, Rm::R(1));
                }
            }
            Lanes::At(at) => {
                // Only the low bits of amounts count.
                self.load_piece(1, at, n);
                let (code, rest) =
                    ((Map::M0F, false, 0x70 + sew), (bits - bits.ilog2() as i32) as u8);
                for which in [6, 2] {
                    self.lane(code, which, 1, Rm::R(1));
                    self.a.byte(rest);
                }
                if let Some(code) = shift_by_lanes(op, sew) {
                    self.lane(code, 0, 0, Rm::R(1));
                }
            }
        }
    }
}

/// `vpxor`
const XOR: u8 = 0xef;
/// `vpcmpeqd`
const SAME_32: u8 = 0x76;
/// `vmovd` and `vmovq` to a vector register.
const MOVE_IN: u8 = 0x6e;

/// The instruction for `op` with operands of this width.
fn code(op: VBinOp, sew: u8) -> Option<Code> {
    // By width; 0 if there is none.
    let (map, ops) = match op {
        VBinOp::Add => (Map::M0F, [0xfc, 0xfd, 0xfe, 0xd4]),
        VBinOp::Sub => (Map::M0F, [0xf8, 0xf9, 0xfa, 0xfb]),
        VBinOp::And => (Map::M0F, [0xdb; 4]),
        VBinOp::Or => (Map::M0F, [0xeb; 4]),
        VBinOp::Xor => (Map::M0F, [XOR; 4]),
        VBinOp::Min if sew == 1 => (Map::M0F, [0, 0xea, 0, 0]),
        VBinOp::Min => (Map::M0F38, [0x38, 0, 0x39, 0]),
        VBinOp::Minu if sew == 0 => (Map::M0F, [0xda, 0, 0, 0]),
        VBinOp::Minu => (Map::M0F38, [0, 0x3a, 0x3b, 0]),
        VBinOp::Max if sew == 1 => (Map::M0F, [0, 0xee, 0, 0]),
        VBinOp::Max => (Map::M0F38, [0x3c, 0, 0x3d, 0]),
        VBinOp::Maxu if sew == 0 => (Map::M0F, [0xde, 0, 0, 0]),
        VBinOp::Maxu => (Map::M0F38, [0, 0x3e, 0x3f, 0]),
        VBinOp::Mul if sew == 1 => (Map::M0F, [0, 0xd5, 0, 0]),
        VBinOp::Mul => (Map::M0F38, [0, 0, 0x40, 0]),
        VBinOp::Mulh => (Map::M0F, [0, 0xe5, 0, 0]),
        VBinOp::Mulhu => (Map::M0F, [0, 0xe4, 0, 0]),
        _ => return None,
    };
    let op = ops[usize::from(sew & 3)];
    (op != 0).then_some((map, false, op))
}

/// The extension to elements of this width.
fn extension(op: VBinOp, sew: u8) -> Code {
    let first =
        if matches!(op, VBinOp::Zext2 | VBinOp::Zext4 | VBinOp::Zext8) { 0x30 } else { 0x20 };
    // From 1 byte to 2, 4 and 8; from 2 to 4 and 8; from 4 to 8.
    let from = sew.saturating_sub(op.narrower());
    (Map::M0F38, false, first + [0, 3, 5][usize::from(from.min(2))] + op.narrower() - 1)
}

/// The shift of all elements by what the low half of a register holds, or by a constant.
fn shift_by_one(op: VBinOp, sew: u8) -> Option<Code> {
    let first = match op {
        VBinOp::Sll => 0xf0,
        VBinOp::Srl => 0xd0,
        VBinOp::Sra if sew != 3 => 0xe0,
        _ => return None,
    };
    (sew != 0).then_some((Map::M0F, false, first + sew))
}

/// The shift of each element by an amount of its own.
fn shift_by_lanes(op: VBinOp, sew: u8) -> Option<Code> {
    let op = match op {
        VBinOp::Sll => 0x47,
        VBinOp::Srl => 0x45,
        VBinOp::Sra if sew != 3 => 0x46,
        _ => return None,
    };
    (sew >= 2).then_some((Map::M0F38, sew == 3, op))
}

/// Type and lengths in memory.
const fn word(config: VConfig) -> i32 {
    Vector::config_word(config.vtype, config.vl)
}

/// The vector registers from a byte on.
pub(super) fn piece(at: u16) -> Rm {
    Rm::B(RAX, offset_of!(Vector, bytes) as i32 + i32::from(at))
}

/// Guest memory.
fn guest(base: u8, disp: i32) -> Rm {
    Rm::M(Guest { base: Some(base), index: None, disp })
}

/// Powers of two that `n` bytes, at most 16, are the sum of, with where each begins.
fn parts(n: u8) -> impl Iterator<Item = (u8, u8)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let part = 1 << (n - at).checked_ilog2()?;
        at += part;
        Some((at - part, part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_aligned_and_add_up() {
        for n in 1..=16 {
            assert!(parts(n).all(|(at, part)| at % part == 0), "{n}");
            assert_eq!(parts(n).map(|(_, part)| part).sum::<u8>(), n);
        }
        assert_eq!(parts(13).collect::<Vec<_>>(), [(0, 8), (8, 4), (12, 1)]);
    }
}
