//! RV64I: integer operations, loads, stores and jumps.

use super::rule::{Flow, Rule};
use crate::ir::BinOp as B;
use crate::ir::Width::{D, W};
use crate::ir::{Builder, Cond, ExitKind, MemSize, Op, Reg};
use crate::isa::{self, Insn, reg};
use crate::opt;

use super::rv_a::Atomic;

pub(super) const RULES: &[(isa::Op, Rule)] = &[
    (isa::Op::Lui, Rule::Const),
    (isa::Op::Auipc, Rule::PcRelative),
    (isa::Op::Jal, Rule::Jal),
    (isa::Op::Jalr, Rule::Jalr),
    (isa::Op::Beq, Rule::Branch(Cond::Eq)),
    (isa::Op::Bne, Rule::Branch(Cond::Ne)),
    (isa::Op::Blt, Rule::Branch(Cond::Lt)),
    (isa::Op::Bge, Rule::Branch(Cond::Ge)),
    (isa::Op::Bltu, Rule::Branch(Cond::Ltu)),
    (isa::Op::Bgeu, Rule::Branch(Cond::Geu)),
    (isa::Op::Lb, Rule::Load(MemSize::B, true)),
    (isa::Op::Lh, Rule::Load(MemSize::H, true)),
    (isa::Op::Lw, Rule::Load(MemSize::W, true)),
    (isa::Op::Ld, Rule::Load(MemSize::D, false)),
    (isa::Op::Lbu, Rule::Load(MemSize::B, false)),
    (isa::Op::Lhu, Rule::Load(MemSize::H, false)),
    (isa::Op::Lwu, Rule::Load(MemSize::W, false)),
    (isa::Op::Sb, Rule::Store(MemSize::B)),
    (isa::Op::Sh, Rule::Store(MemSize::H)),
    (isa::Op::Sw, Rule::Store(MemSize::W)),
    (isa::Op::Sd, Rule::Store(MemSize::D)),
    (isa::Op::Addi, Rule::BinImm(B::Add, D)),
    (isa::Op::Slti, Rule::BinImm(B::Slt, D)),
    (isa::Op::Sltiu, Rule::BinImm(B::Sltu, D)),
    (isa::Op::Xori, Rule::BinImm(B::Xor, D)),
    (isa::Op::Ori, Rule::BinImm(B::Or, D)),
    (isa::Op::Andi, Rule::BinImm(B::And, D)),
    (isa::Op::Slli, Rule::BinImm(B::Sll, D)),
    (isa::Op::Srli, Rule::BinImm(B::Srl, D)),
    (isa::Op::Srai, Rule::BinImm(B::Sra, D)),
    (isa::Op::Add, Rule::Bin(B::Add, D)),
    (isa::Op::Sub, Rule::Bin(B::Sub, D)),
    (isa::Op::Sll, Rule::Bin(B::Sll, D)),
    (isa::Op::Slt, Rule::Bin(B::Slt, D)),
    (isa::Op::Sltu, Rule::Bin(B::Sltu, D)),
    (isa::Op::Xor, Rule::Bin(B::Xor, D)),
    (isa::Op::Srl, Rule::Bin(B::Srl, D)),
    (isa::Op::Sra, Rule::Bin(B::Sra, D)),
    (isa::Op::Or, Rule::Bin(B::Or, D)),
    (isa::Op::And, Rule::Bin(B::And, D)),
    (isa::Op::Addiw, Rule::BinImm(B::Add, W)),
    (isa::Op::Slliw, Rule::BinImm(B::Sll, W)),
    (isa::Op::Srliw, Rule::BinImm(B::Srl, W)),
    (isa::Op::Sraiw, Rule::BinImm(B::Sra, W)),
    (isa::Op::Addw, Rule::Bin(B::Add, W)),
    (isa::Op::Subw, Rule::Bin(B::Sub, W)),
    (isa::Op::Sllw, Rule::Bin(B::Sll, W)),
    (isa::Op::Srlw, Rule::Bin(B::Srl, W)),
    (isa::Op::Sraw, Rule::Bin(B::Sra, W)),
    (isa::Op::Fence, Rule::Atomic(Atomic::Fence)),
    (isa::Op::FenceTso, Rule::Atomic(Atomic::FenceTso)),
    (isa::Op::Ecall, Rule::Exit(ExitKind::Ecall)),
    (isa::Op::Ebreak, Rule::Exit(ExitKind::Ebreak)),
];

/// Whether the return-address prediction hints of `jal` and `jalr` name `r` (unprivileged manual,
/// "Unconditional Jumps": x1 and the alternate link register x5).
const fn is_link(r: u8) -> bool {
    matches!(r, reg::RA | reg::T0)
}

pub(super) fn branch(b: &mut Builder, cond: Cond, insn: &Insn, pc: u64) -> Flow {
    let target = pc.wrapping_add(insn.imm as u64);
    opt::add(b, Op::Branch { cond, a: Reg(insn.rs1), b: Reg(insn.rs2), target });
    Flow::Exit
}

pub(super) fn jal(b: &mut Builder, insn: &Insn, pc: u64) -> Flow {
    direct(b, insn, pc, pc.wrapping_add(insn.imm as u64))
}

/// Goes to `target`, with `rd` as the link register.
fn direct(b: &mut Builder, insn: &Insn, pc: u64, target: u64) -> Flow {
    let link = Reg(insn.rd);
    let ret = pc.wrapping_add(u64::from(insn.len));
    // A call of what follows only reads the pc: nothing will return to it.
    if is_link(insn.rd) && target != ret {
        opt::add(b, Op::Call { target, link, ret });
        return Flow::Exit;
    }
    if !link.is_zero() {
        opt::add(b, Op::Const { rd: link, value: ret });
    }
    Flow::Jump(target)
}

pub(super) fn jalr(b: &mut Builder, insn: &Insn, pc: u64) -> Flow {
    let (link, base, off) = (Reg(insn.rd), Reg(insn.rs1), insn.imm);
    let ret = pc.wrapping_add(u64::from(insn.len));
    if let Some(value) = opt::constant(b, base) {
        let target = value.wrapping_add(off as u64) & !1;
        // The link register is about to be written: what `auipc` wrote there is never seen.
        if link == base && !base.is_zero() {
            b.drop_last();
        }
        return direct(b, insn, pc, target);
    }
    if is_link(insn.rd) {
        // With `rs1` the other link register the manual says pop, then push (coroutines). Without
        // the pop the prediction of one later return fails, which is always allowed.
        opt::add(b, Op::CallIndirect { base, off, link, ret });
        return Flow::Exit;
    }
    let is_return = is_link(insn.rs1);
    opt::add(b, Op::JumpIndirect { base, off, link, ret, is_return });
    Flow::End
}
