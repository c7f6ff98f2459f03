//! A, Zabha, Zacas, Zawrs, Zihintpause, and fences: what orders memory between harts.
//!
//! All atomics are sequentially consistent here, whatever their `aq` and `rl` bits say.

use super::rule::Rule;
use crate::ir::{AmoOp, Builder, Fence, MemSize, Op, Reg};
use crate::isa::{self, Insn};
use crate::opt;

/// Atomics and fences.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Atomic {
    /// Read-modify-write.
    Amo(AmoOp, MemSize),
    /// `lr`
    LoadReserved(MemSize),
    /// `sc`
    StoreConditional(MemSize),
    /// `amocas`
    Cas(MemSize),
    /// `fence`
    Fence,
    /// `fence.tso`
    FenceTso,
    /// `pause`
    Pause,
}

const fn amo(op: AmoOp, size: MemSize) -> Rule {
    Rule::Atomic(Atomic::Amo(op, size))
}

const fn lr(size: MemSize) -> Rule {
    Rule::Atomic(Atomic::LoadReserved(size))
}

const fn sc(size: MemSize) -> Rule {
    Rule::Atomic(Atomic::StoreConditional(size))
}

const fn cas(size: MemSize) -> Rule {
    Rule::Atomic(Atomic::Cas(size))
}

pub(super) const RULES: &[(isa::Op, Rule)] = &[
    (isa::Op::LrW, lr(MemSize::W)),
    (isa::Op::ScW, sc(MemSize::W)),
    (isa::Op::LrD, lr(MemSize::D)),
    (isa::Op::ScD, sc(MemSize::D)),
    (isa::Op::AmoswapW, amo(AmoOp::Swap, MemSize::W)),
    (isa::Op::AmoaddW, amo(AmoOp::Add, MemSize::W)),
    (isa::Op::AmoxorW, amo(AmoOp::Xor, MemSize::W)),
    (isa::Op::AmoandW, amo(AmoOp::And, MemSize::W)),
    (isa::Op::AmoorW, amo(AmoOp::Or, MemSize::W)),
    (isa::Op::AmominW, amo(AmoOp::Min, MemSize::W)),
    (isa::Op::AmomaxW, amo(AmoOp::Max, MemSize::W)),
    (isa::Op::AmominuW, amo(AmoOp::Minu, MemSize::W)),
    (isa::Op::AmomaxuW, amo(AmoOp::Maxu, MemSize::W)),
    (isa::Op::AmoswapD, amo(AmoOp::Swap, MemSize::D)),
    (isa::Op::AmoaddD, amo(AmoOp::Add, MemSize::D)),
    (isa::Op::AmoxorD, amo(AmoOp::Xor, MemSize::D)),
    (isa::Op::AmoandD, amo(AmoOp::And, MemSize::D)),
    (isa::Op::AmoorD, amo(AmoOp::Or, MemSize::D)),
    (isa::Op::AmominD, amo(AmoOp::Min, MemSize::D)),
    (isa::Op::AmomaxD, amo(AmoOp::Max, MemSize::D)),
    (isa::Op::AmominuD, amo(AmoOp::Minu, MemSize::D)),
    (isa::Op::AmomaxuD, amo(AmoOp::Maxu, MemSize::D)),
    (isa::Op::AmoswapB, amo(AmoOp::Swap, MemSize::B)),
    (isa::Op::AmoaddB, amo(AmoOp::Add, MemSize::B)),
    (isa::Op::AmoxorB, amo(AmoOp::Xor, MemSize::B)),
    (isa::Op::AmoandB, amo(AmoOp::And, MemSize::B)),
    (isa::Op::AmoorB, amo(AmoOp::Or, MemSize::B)),
    (isa::Op::AmominB, amo(AmoOp::Min, MemSize::B)),
    (isa::Op::AmomaxB, amo(AmoOp::Max, MemSize::B)),
    (isa::Op::AmominuB, amo(AmoOp::Minu, MemSize::B)),
    (isa::Op::AmomaxuB, amo(AmoOp::Maxu, MemSize::B)),
    (isa::Op::AmoswapH, amo(AmoOp::Swap, MemSize::H)),
    (isa::Op::AmoaddH, amo(AmoOp::Add, MemSize::H)),
    (isa::Op::AmoxorH, amo(AmoOp::Xor, MemSize::H)),
    (isa::Op::AmoandH, amo(AmoOp::And, MemSize::H)),
    (isa::Op::AmoorH, amo(AmoOp::Or, MemSize::H)),
    (isa::Op::AmominH, amo(AmoOp::Min, MemSize::H)),
    (isa::Op::AmomaxH, amo(AmoOp::Max, MemSize::H)),
    (isa::Op::AmominuH, amo(AmoOp::Minu, MemSize::H)),
    (isa::Op::AmomaxuH, amo(AmoOp::Maxu, MemSize::H)),
    (isa::Op::AmocasW, cas(MemSize::W)),
    (isa::Op::AmocasD, cas(MemSize::D)),
    (isa::Op::AmocasB, cas(MemSize::B)),
    (isa::Op::AmocasH, cas(MemSize::H)),
    (isa::Op::AmocasQ, Rule::Helper),
    (isa::Op::WrsNto, Rule::Helper),
    (isa::Op::WrsSto, Rule::Helper),
    (isa::Op::Pause, Rule::Atomic(Atomic::Pause)),
];

pub(super) fn lift(b: &mut Builder, what: Atomic, insn: &Insn) {
    let (rd, base, src) = (Reg(insn.rd), Reg(insn.rs1), Reg(insn.rs2));
    match what {
        Atomic::Amo(op, size) => opt::add(b, Op::Amo { op, size, rd, base, src }),
        Atomic::LoadReserved(size) => opt::add(b, Op::LoadReserved { size, rd, base }),
        Atomic::StoreConditional(size) => opt::add(b, Op::StoreConditional { size, rd, base, src }),
        Atomic::Cas(size) => opt::add(b, Op::Cas { size, rd, base, src }),
        Atomic::Fence => fence(b, insn.imm),
        Atomic::FenceTso => {
            // All orders but that of an earlier write and a later read.
            opt::add(b, Op::Fence(Fence { pr: true, pw: false, sr: true, sw: true }));
            opt::add(b, Op::Fence(Fence { pr: false, pw: true, sr: false, sw: true }));
        }
        Atomic::Pause => opt::add(b, Op::Pause),
    }
}

/// `fence` with `imm`: from bit 7 down predecessor i, o, r, w, then successor i, o, r, w. A user
/// program has no devices but those mapped as memory, so i counts as r and o as w.
fn fence(b: &mut Builder, imm: i32) {
    let any = |mask: i32| imm & mask != 0;
    let (pr, pw) = (any(0b1010_0000), any(0b0101_0000));
    let (sr, sw) = (any(0b1010), any(0b0101));
    // With an empty set it is a HINT.
    if (pr || pw) && (sr || sw) {
        opt::add(b, Op::Fence(Fence { pr, pw, sr, sw }));
    }
}
