//! Zicsr and the CSRs of the unprivileged architecture: floating-point control and status, and
//! counters.

use super::{Data, Hart, Insn, Isa, Step, Stop, illegal, next, x};
use crate::cpu::FFLAGS_MASK;
use crate::isa::Format;
use crate::isa::csr::{CYCLE, FCSR, FFLAGS, FRM, HPMCOUNTER31, counter, legal, writes};
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

/// Value of a CSR. Counters that count nothing are 0.
fn read(h: &Hart, i: &Insn) -> Result<u64, Stop> {
    match number(i) {
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
        _ => return Err(illegal(i)),
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
