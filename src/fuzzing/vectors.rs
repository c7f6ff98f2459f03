//! Vector instructions of random programs.

use super::program::Builder;
use super::rng::Rng;
use crate::cpu::{Hart, vlmax};
use crate::isa::{Format, Insn, Op, csr};

/// Fills the vector state of a hart, which most of the time has some.
pub(super) fn start(rng: &mut Rng, h: &mut Hart) {
    let vlenb = h.vector_unit.vlenb;
    if rng.chance(10) {
        return;
    }
    let Some(v) = h.vector_mut() else { return };
    for part in v.bytes[..32 * usize::from(vlenb)].chunks_exact_mut(8) {
        let bits = match rng.below(4) {
            0 => super::program::special_int(rng),
            1 => super::program::special_float(rng),
            2 => u64::from(rng.below(256)) * 0x0101_0101_0101_0101,
            _ => rng.next_u64(),
        };
        part.copy_from_slice(&bits.to_le_bytes());
    }
    v.vcsr = rng.below(8) as u8;
    let vtype = u64::from(rng.below(256));
    v.set_config(vtype, length(rng, vtype, vlenb), vlenb);
}

/// A vector length: none, one, all, all but one, or any.
fn length(rng: &mut Rng, vtype: u64, vlenb: u16) -> u64 {
    let all = u64::from(vlmax(vtype, vlenb).unwrap_or(1));
    match rng.below(5) {
        0 => u64::from(rng.below(2)),
        1 => all - 1,
        2 => u64::from(rng.below(all as u32 + 1)),
        _ => all,
    }
}

impl Builder<'_> {
    /// A few vector instructions, mostly behind one that sets type and length.
    pub(super) fn vectors(&mut self) {
        if self.rng.chance(80) {
            self.configuration();
        }
        for _ in 0..1 + self.rng.below(5) {
            let op = self.rng.pick(&self.pool.vector);
            self.random(op);
        }
    }

    /// Sets type and length.
    pub(super) fn configuration(&mut self) {
        let rd = self.target();
        // Elements and groups that go together, mostly.
        let (sew, lmul) = (self.rng.below(4), self.rng.pick(&[0, 0, 0, 1, 2, 3, 7, 6, 5]));
        let policy = self.rng.below(4) << 6;
        let vtype = (policy | sew << 3 | lmul) as i32;
        if self.rng.chance(25) {
            // Of as many elements as a register says, fewer than there may be as often as not.
            let (length, from) = (self.target(), self.reg());
            let mask = self.rng.pick(&[1, 3, 7, 31, 127, 1023]);
            self.insn(Op::Andi, length, from, 0, mask);
            self.insn(Op::Vsetvli, rd, length, 0, vtype);
        } else if self.rng.chance(50) {
            self.insn(Op::Vsetvli, if rd == 0 { 11 } else { rd }, 0, 0, vtype);
        } else {
            let length = self.rng.below(32) as u8;
            self.insn(Op::Vsetivli, rd, length, 0, vtype);
        }
        if self.rng.chance(5) {
            let which = self.rng.pick(&[csr::VSTART, csr::VCSR, csr::VXRM]);
            let value = self.rng.below(8) as u8;
            self.insn(Op::Csrrwi, 0, value, 0, which.into());
        }
    }

    /// Operands that are legal more often than at random: numbers of registers that groups of two
    /// or four begin at, no mask, one field.
    pub(super) fn vector_operands(&mut self, i: &mut Insn) {
        let align = self.rng.pick(&[0x1f, 0x1e, 0x1c, 0x1c, 0x18]);
        let x_rs1 = matches!(
            i.op.format(),
            Format::Vsetvli
                | Format::R
                | Format::VecVx
                | Format::VecMacVx
                | Format::VecVxm
                | Format::VecMvX
        );
        let memory =
            matches!(i.op.format(), Format::VecMem | Format::VecMemStrided | Format::VecMemIndexed);
        if memory {
            i.rs1 = self.base();
            i.rd &= align;
            if self.rng.chance(70) {
                i.bits &= 0x1fff_ffff;
            }
        } else if x_rs1 {
            i.rs1 = self.reg();
        } else if i.op.format() != Format::Vsetivli {
            i.rs1 &= align;
        }
        match i.op.format() {
            Format::VecMemStrided | Format::R => i.rs2 = self.reg(),
            Format::VecToX => i.rs2 &= align,
            _ => {
                i.rs2 &= align;
                i.rd &= align;
            }
        }
        if self.rng.chance(50) {
            i.bits |= 1 << 25;
        }
    }
}
