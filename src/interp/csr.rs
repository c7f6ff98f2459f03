//! Zicsr and the CSRs of the unprivileged architecture: floating-point control and status,
//! counters, and those of vectors.

use super::{Data, Hart, Insn, Isa, Step, Stop, illegal, next, x};
use crate::cpu::FFLAGS_MASK;
use crate::isa::Format;
use crate::isa::csr::{
    CYCLE, FCSR, FFLAGS, FRM, HPMCOUNTER31, VCSR, VL, VLENB, VSTART, VTYPE, VXRM, VXSAT, counter,
    legal, writes,
};
use crate::sys::time;

/// False for an access to a CSR that `isa` lacks, or that user mode may not make; true for all
/// other instructions.
pub(super) fn present(insn: &Insn, isa: &Isa) -> bool {
    !matches!(insn.op.format(), Format::Csr | Format::CsrImm) || legal(insn, isa)
}

/// Number of the CSR that the instruction names.
fn number(i: &Insn) -> u16 {
    (i.imm & 0xfff) as u16
}

/// Value of a CSR. Counters that count nothing are 0. Of those of vectors a first access is a first
/// use.
fn read(h: &mut Hart, i: &Insn) -> Result<u64, Stop> {
    let vlenb = h.vector_unit.vlenb;
    match number(i) {
        n @ (VSTART..=VXRM | VCSR | VL..=VLENB) => {
            let v = h.vector_mut().ok_or_else(|| illegal(i))?;
            Ok(match n {
                VSTART => v.vstart.into(),
                VXSAT => u64::from(v.vcsr & 1),
                VXRM => u64::from(v.vcsr >> 1),
                VCSR => v.vcsr.into(),
                VL => v.vl.into(),
                VTYPE => v.vtype_csr(),
                _ => vlenb.into(),
            })
        }
        FFLAGS => Ok(u64::from(h.fflags)),
        FRM => Ok(u64::from(h.frm)),
        FCSR => Ok(u64::from(h.fcsr())),
        n @ CYCLE..=HPMCOUNTER31 => Ok(counter(n).map_or(0, |counter| time::read(counter as u64))),
        _ => Err(illegal(i)),
    }
}

/// Writes a CSR; bits that it lacks are dropped. Counters are read-only.
fn write(h: &mut Hart, i: &Insn, value: u64) -> Result<(), Stop> {
    match number(i) {
        FFLAGS => h.fflags = value as u8 & FFLAGS_MASK,
        FRM => h.frm = value as u8 & 7,
        FCSR => h.set_fcsr(value as u32),
        n => {
            // `vstart` has as many bits as the largest index of an element needs.
            let indices = h.vector_unit.vlenb * 8;
            let v = h.vector_mut().ok_or_else(|| illegal(i))?;
            match n {
                VSTART => v.vstart = value as u16 & (indices - 1),
                VXSAT => v.vcsr = v.vcsr & 6 | value as u8 & 1,
                VXRM => v.vcsr = v.vcsr & 1 | (value as u8 & 3) << 1,
                VCSR => v.vcsr = value as u8 & 7,
                _ => return Err(illegal(i)),
            }
        }
    }
    Ok(())
}

/// Reads, then writes `new` of the old value if the instruction writes. With `rd` = x0 `csrrw` does
/// not read, which shows for none of these CSRs.
fn access(h: &mut Hart, i: &Insn, pc: u64, new: impl FnOnce(u64) -> u64) -> Step {
    let old = read(h, i)?;
    if writes(i) {
        write(h, i, new(old))?;
    }
    h.set_x(i.rd, old);
    next(i, pc)
}

pub(super) fn csrrw(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    let value = x(h, i.rs1);
    access(h, i, pc, |_| value)
}

pub(super) fn csrrs(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    let mask = x(h, i.rs1);
    access(h, i, pc, |old| old | mask)
}

pub(super) fn csrrc(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    let mask = x(h, i.rs1);
    access(h, i, pc, |old| old & !mask)
}

pub(super) fn csrrwi(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    access(h, i, pc, |_| u64::from(i.rs1))
}

pub(super) fn csrrsi(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    access(h, i, pc, |old| old | u64::from(i.rs1))
}

pub(super) fn csrrci(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    access(h, i, pc, |old| old & !u64::from(i.rs1))
}
