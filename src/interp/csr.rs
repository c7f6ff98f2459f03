//! Zicsr and the CSRs of the unprivileged architecture: floating-point control and status, and
//! counters.

use super::{Ext, Hart, Insn, Isa, Memory, Op, Step, Stop, illegal, next, x};
use crate::cpu::FFLAGS_MASK;
use crate::sys::time::monotonic_ns;

const FFLAGS: i32 = 0x001;
const FRM: i32 = 0x002;
const FCSR: i32 = 0x003;
const CYCLE: i32 = 0xc00;
const TIME: i32 = 0xc01;
const INSTRET: i32 = 0xc02;
const HPMCOUNTER3: i32 = 0xc03;
const HPMCOUNTER31: i32 = 0xc1f;

/// False for an access to a CSR that `isa` lacks; true for all other instructions.
pub(super) fn present(insn: &Insn, isa: &Isa) -> bool {
    let is_csr_op =
        matches!(insn.op, Op::Csrrw | Op::Csrrs | Op::Csrrc | Op::Csrrwi | Op::Csrrsi | Op::Csrrci);
    !is_csr_op
        || match insn.imm {
            FFLAGS | FRM | FCSR => isa.has(Ext::F),
            CYCLE | TIME | INSTRET => isa.has(Ext::Zicntr),
            HPMCOUNTER3..=HPMCOUNTER31 => isa.has(Ext::Zihpm),
            _ => false,
        }
}

/// Value of a CSR.
///
/// `time` counts nanoseconds of the host's monotonic clock. So do `cycle` and `instret`: what
/// programs use them for is to tell more work from less. The other counters count nothing.
fn read(h: &Hart, i: &Insn) -> Result<u64, Stop> {
    match i.imm {
        FFLAGS => Ok(u64::from(h.fflags)),
        FRM => Ok(u64::from(h.frm)),
        FCSR => Ok(u64::from(h.fcsr())),
        CYCLE | TIME | INSTRET => Ok(monotonic_ns()),
        HPMCOUNTER3..=HPMCOUNTER31 => Ok(0),
        _ => Err(illegal(i)),
    }
}

/// Writes a CSR; bits that it lacks are dropped. Counters are read-only.
fn write(h: &mut Hart, i: &Insn, value: u64) -> Result<(), Stop> {
    match i.imm {
        FFLAGS => h.fflags = value as u8 & FFLAGS_MASK,
        FRM => h.frm = value as u8 & 7,
        FCSR => h.set_fcsr(value as u32),
        _ => return Err(illegal(i)),
    }
    Ok(())
}

/// Reads, then writes `new` of the old value if there is something to write.
fn access(h: &mut Hart, i: &Insn, pc: u64, writes: bool, new: impl FnOnce(u64) -> u64) -> Step {
    let old = read(h, i)?;
    if writes {
        write(h, i, new(old))?;
    }
    h.set_x(i.rd, old);
    next(i, pc)
}

pub(super) fn csrrw(h: &mut Hart, _: &Memory, i: &Insn, pc: u64) -> Step {
    // With `rd` = x0 the CSR is not read, which shows for none of these.
    let value = x(h, i.rs1);
    access(h, i, pc, true, |_| value)
}

pub(super) fn csrrs(h: &mut Hart, _: &Memory, i: &Insn, pc: u64) -> Step {
    let mask = x(h, i.rs1);
    access(h, i, pc, i.rs1 != 0, |old| old | mask)
}

pub(super) fn csrrc(h: &mut Hart, _: &Memory, i: &Insn, pc: u64) -> Step {
    let mask = x(h, i.rs1);
    access(h, i, pc, i.rs1 != 0, |old| old & !mask)
}

pub(super) fn csrrwi(h: &mut Hart, _: &Memory, i: &Insn, pc: u64) -> Step {
    access(h, i, pc, true, |_| u64::from(i.rs1))
}

pub(super) fn csrrsi(h: &mut Hart, _: &Memory, i: &Insn, pc: u64) -> Step {
    access(h, i, pc, i.rs1 != 0, |old| old | u64::from(i.rs1))
}

pub(super) fn csrrci(h: &mut Hart, _: &Memory, i: &Insn, pc: u64) -> Step {
    access(h, i, pc, i.rs1 != 0, |old| old & !u64::from(i.rs1))
}
