//! Zicsr. The accrued floating-point flags are read and written around comparisons that must not
//! raise any, and by the C library's elementary functions; the rest the interpreter knows.

use super::rule::{Rule, helper};
use crate::ir::{Builder, FCmpOp, Fmt, Op, Reg, Src};
use crate::isa::{self, Insn, csr};

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
    if !restores_flags(b, &op) {
        b.push(op);
    }
    true
}

/// `frflags r; flt.d x, a, b; fsflags r` is how compilers write a comparison that raises nothing.
/// Setting the flags is dear on hosts, so the comparison is made one that keeps them. It stands for
/// two instructions: who leaves the first to the interpreter goes on at the second.
fn restores_flags(b: &mut Builder, op: &Op) -> bool {
    let Op::SwapFlags { rd: Reg::ZERO, a: Src::Reg(saved) } = *op else { return false };
    let [.., read, compare] = b.block().nodes.as_slice() else { return false };
    let keep = match (read.op, compare.op) {
        (Op::ReadFlags { rd: r }, Op::FCmp { op, fmt: fmt @ (Fmt::S | Fmt::D), rd, a, b })
            if r == saved && rd != saved =>
        {
            let op = match op {
                FCmpOp::Lt => FCmpOp::LtKeep,
                FCmpOp::Le => FCmpOp::LeKeep,
                _ => return false,
            };
            Op::FCmp { op, fmt, rd, a, b }
        }
        _ => return false,
    };
    b.replace_last(keep);
    true
}
