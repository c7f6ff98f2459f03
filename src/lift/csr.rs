//! Zicsr. The accrued floating-point flags are read and written around comparisons that must not
//! raise any, and by the C library's elementary functions; the rest the interpreter knows.

use super::rule::{Rule, helper};
use crate::ir::{Builder, Op, Reg, Src};
use crate::isa::{self, Format, Insn, Isa, csr};
use crate::opt;

pub(super) const RULES: &[(isa::Op, Rule)] = &[
    (isa::Op::Csrrw, Rule::Csr),
    (isa::Op::Csrrs, Rule::Csr),
    (isa::Op::Csrrc, Rule::Csr),
    (isa::Op::Csrrwi, Rule::Csr),
    (isa::Op::Csrrsi, Rule::Csr),
    (isa::Op::Csrrci, Rule::Csr),
];

/// Lifts an access to a CSR; false if the interpreter does it.
pub(super) fn lift(b: &mut Builder, insn: &Insn) -> bool {
    let rd = Reg(insn.rd);
    let only_reads =
        matches!(insn.op, isa::Op::Csrrs | isa::Op::Csrrc | isa::Op::Csrrsi | isa::Op::Csrrci)
            && insn.rs1 == 0;
    let counter = csr::counter(insn.imm as u16).filter(|_| only_reads && !rd.is_zero());
    let op = match (insn.imm as u16, insn.op, counter) {
        (.., Some(counter)) => Op::ReadCounter { counter, rd },
        (csr::FFLAGS | csr::FRM, ..) if only_reads && rd.is_zero() => return true,
        (csr::FFLAGS, ..) if only_reads => Op::ReadFlags { rd },
        (csr::FRM, ..) if only_reads => Op::ReadRounding { rd },
        (csr::FFLAGS, isa::Op::Csrrw, _) => Op::SwapFlags { rd, a: Src::Reg(Reg(insn.rs1)) },
        (csr::FFLAGS, isa::Op::Csrrwi, _) => Op::SwapFlags { rd, a: Src::Imm(i32::from(insn.rs1)) },
        _ => {
            helper(b, insn);
            return false;
        }
    };
    opt::add(b, op);
    true
}

/// Whether the instruction whose bytes these are accesses the accrued flags by number, `fcsr`
/// included.
#[must_use]
pub fn names_flags(code: &[u8], isa: &Isa) -> bool {
    let Some(bits) = code.first_chunk().map(|word| u32::from_le_bytes(*word)) else { return false };
    isa::decode(bits, isa).is_some_and(|insn| {
        matches!(insn.op.format(), Format::Csr | Format::CsrImm)
            && matches!(insn.imm as u16, csr::FFLAGS | csr::FCSR)
    })
}
