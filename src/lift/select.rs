//! Branches over operations that may as well be executed conditionally.
//!
//! RV64GC has no conditional moves, so compilers branch over one or two instructions where they
//! select on other machines, and where the branch is mispredicted as often as not. Hosts have them.

use super::rule;
use crate::ir::{BinOp, Builder, FBinOp, FReg, FSelectOp, Fmt, Node, Op, Reg, Src, Width};
use crate::isa::{self, Insn, Isa};

/// Most instructions that are skipped. With more of them executing all costs more than it saves.
const MAX_SKIPPED: usize = 2;

/// Makes the last operation of `b`, if it is a branch over a few simple operations, those
/// operations on its condition. `code` is what follows the branch, whose instructions have not been
/// lifted, at `pc`; `insns` of them may be. The address of the instruction behind them; `None` if
/// nothing has changed.
pub(super) fn select(b: &mut Builder, code: &[u8], isa: &Isa, pc: u64, insns: u32) -> Option<u64> {
    let &Node { op: Op::Branch { target: end, .. }, pc: branch, .. } = b.block().nodes.last()?
    else {
        return None;
    };
    let len = usize::try_from(end.checked_sub(pc)?).ok()?;
    let code = code.get(..len).filter(|_| (2..=4 * MAX_SKIPPED).contains(&len))?;
    let (nodes, before) = (b.block().nodes.len(), b.block().insns);
    if lift_skipped(b, code, isa, pc, insns) && make_conditional(b, nodes - 1, branch) {
        return Some(end);
    }
    b.rewind(nodes, before);
    None
}

/// Lifts all of `code`, at `pc`. False if something is there that cannot be conditional.
fn lift_skipped(b: &mut Builder, code: &[u8], isa: &Isa, pc: u64, insns: u32) -> bool {
    let (mut at, mut left) = (0, insns.min(MAX_SKIPPED as u32));
    while let Some(&[low, high]) = code.get(at..).and_then(|rest| rest.first_chunk()) {
        let mut bits = u32::from(low) | u32::from(high) << 8;
        if bits & 3 == 3 {
            let Some(&wide) = code.get(at..).and_then(|rest| rest.first_chunk()) else {
                return false;
            };
            bits = u32::from_le_bytes(wide);
        }
        let simple = |insn: &Insn| left != 0 && rule::is_simple(insn.op);
        let Some(insn) = isa::decode(bits, isa).filter(simple) else { return false };
        left -= 1;
        let pc = pc.wrapping_add(at as u64);
        b.at(pc);
        rule::apply(b, insn, pc);
        at += usize::from(insn.len);
    }
    at == code.len()
}

/// Replaces the branch at index `at` and what follows it by operations on its condition, which
/// belong to the branch at `pc`: who comes from before them comes to it.
fn make_conditional(b: &mut Builder, at: usize, pc: u64) -> bool {
    let nodes = &b.block().nodes[at..];
    let &[Node { op: Op::Branch { cond, a: x, b: y, .. }, .. }, ref skipped @ ..] = nodes else {
        return false;
    };
    let compared = [x, y].into_iter().any(|r| is_fcmp_result(&b.block().nodes[..at], r));
    let mut made = [None; MAX_SKIPPED];
    let mut changed = 0;
    for (made, node) in made.iter_mut().zip(skipped) {
        // The condition must be what it was.
        if changed & (1u32 << x.0 | 1 << y.0) & !1 != 0 {
            return false;
        }
        changed |= node.writes();
        *made = match node.op {
            Op::Const { rd, value } => i32::try_from(value as i64).ok().map(|value| {
                let (op, w, a, b) = (BinOp::Add, Width::D, Reg::ZERO, Src::Imm(value));
                Op::Select { cond, x, y, op, w, rd, a, b }
            }),
            Op::Bin { op, w, rd, a, b } if op.may_be_conditional(b) => {
                Some(Op::Select { cond, x, y, op, w, rd, a, b })
            }
            // Only after a comparison: on other conditions hosts cannot select floats at once.
            _ if !compared => None,
            Op::FBin { op, fmt, fd, a, b, .. } if a == b => match op {
                FBinOp::Sgnj => Some(FSelectOp::Move),
                FBinOp::Sgnjn => Some(FSelectOp::Neg),
                FBinOp::Sgnjx => Some(FSelectOp::Abs),
                _ => None,
            }
            .map(|op| Op::FSelect { cond, x, y, op, fmt, fd, a }),
            Op::FMoveFromInt { fmt: fmt @ (Fmt::S | Fmt::D), fd, a: Reg::ZERO } => {
                Some(Op::FSelect { cond, x, y, op: FSelectOp::Zero, fmt, fd, a: FReg(0) })
            }
            _ => None,
        };
        if made.is_none() {
            return false;
        }
    }
    let insns = b.block().insns;
    b.rewind(at, insns);
    made.into_iter().flatten().for_each(|op| b.push_at(pc, op));
    true
}

/// Whether the last of `nodes` that writes `r` is a floating-point comparison.
fn is_fcmp_result(nodes: &[Node], r: Reg) -> bool {
    let last = nodes.iter().rev().find(|node| node.writes() & 1 << r.0 != 0);
    last.is_some_and(|node| matches!(node.op, Op::FCmp { .. }))
}
