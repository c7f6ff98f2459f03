//! If-conversion: a branch over operations that may as well be executed conditionally.
//!
//! RV64GC has no conditional moves, so compilers branch over one or two instructions where they
//! select on other machines, and where the branch is mispredicted as often as not. Hosts have them.

use crate::ir::{BinOp, Builder, Cond, FBinOp, FReg, FSelectOp, Fmt, Node, Op, Reg, Src, Width};

/// Most operations that are skipped. With more of them executing all costs more than it saves.
pub const MAX_SKIPPED: usize = 2;

/// Replaces the branch at index `at` of the block and what follows it by operations on its
/// condition, which belong to the branch, so that control which reaches the branch reaches them.
/// False if nothing has changed, since one of the operations cannot be conditional.
pub fn if_convert(b: &mut Builder, at: usize) -> bool {
    let Some((&branch, skipped)) = b.block().nodes.get(at..).and_then(<[Node]>::split_first) else {
        return false;
    };
    let Op::Branch { cond, a: x, b: y, .. } = branch.op else { return false };
    let compared = [x, y].into_iter().any(|r| is_fcmp_result(&b.block().nodes[..at], r));
    if skipped.len() > MAX_SKIPPED {
        return false;
    }
    let mut converted = [None; MAX_SKIPPED];
    let mut changed = 0;
    for (converted, node) in converted.iter_mut().zip(skipped) {
        // The condition must be what it was.
        if changed & (1u32 << x.0 | 1 << y.0) & !1 != 0 {
            return false;
        }
        changed |= node.writes();
        *converted = conditional(&node.op, (cond, x, y), compared);
        if converted.is_none() {
            return false;
        }
    }
    let insns = b.block().insns;
    b.rewind(at, insns);
    converted.into_iter().flatten().for_each(|op| b.push_at(branch.pc, op));
    true
}

/// `op` unless a condition holds, if that is an operation. `compared` says that the condition is
/// the result of a floating-point comparison.
fn conditional(op: &Op, (cond, x, y): (Cond, Reg, Reg), compared: bool) -> Option<Op> {
    match *op {
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
    }
}

/// Whether the last of `nodes` that writes `r` is a floating-point comparison.
fn is_fcmp_result(nodes: &[Node], r: Reg) -> bool {
    let last = nodes.iter().rev().find(|node| node.writes() & 1 << r.0 != 0);
    last.is_some_and(|node| matches!(node.op, Op::FCmp { .. }))
}

#[cfg(test)]
mod tests {
    use super::super::check::{Random, State, build, text};
    use super::*;

    /// The block of `lines` with its first branch converted, if it can be.
    fn converted(lines: &[&str]) -> Option<Vec<String>> {
        let mut b = build(lines);
        let branch = |n: &Node| matches!(n.op, Op::Branch { .. });
        let at = b.block().nodes.iter().position(branch).expect("a branch");
        if_convert(&mut b, at).then(|| text(&b))
    }

    #[test]
    fn both_ways_end_in_the_same_state() {
        let skipped: [&[&str]; 5] = [
            &["add.d x5, x6, 1"],
            &["const x8, 0xfffffffffffffff0", "sub.w x5, x5, x7"],
            &["and.d x7, x5, x5", "or.d x7, x7, 5"],
            &["add.d x5, x5, x6", "const x8, 0x7"],
            &["xor.d x9, x9, -1"],
        ];
        let mut random = Random::default();
        for cond in ["eq", "ne", "lt", "ge", "ltu", "geu"] {
            for skipped in skipped {
                let branch = format!("branch.{cond} x6, x9, 0x100");
                let lines: Vec<&str> = [branch.as_str()].iter().chain(skipped).copied().collect();
                let after = converted(&lines).unwrap_or_else(|| panic!("{lines:?}"));
                assert_eq!(after.len(), skipped.len());
                for _ in 0..200 {
                    let mut expected = State::random(&mut random);
                    let mut actual = expected.clone();
                    // The branch is taken, or the rest is executed.
                    let before = build(&lines);
                    expected.run(&before.block().nodes);
                    let after: Vec<&str> = after.iter().map(String::as_str).collect();
                    actual.run(&build(&after).block().nodes);
                    assert_eq!(expected.registers.x, actual.registers.x, "{lines:?}");
                }
            }
        }
    }

    #[test]
    fn what_changes_the_condition_or_has_an_effect_keeps_its_branch() {
        let branch = "branch.eq x6, x9, 0x100";
        for skipped in [
            &["add.d x6, x6, 1", "add.d x5, x5, 1"][..],
            &["load.d x5, [x6 + 0]"],
            &["div.d x5, x6, x7"],
            &["const x5, 0x123456789"],
            &["fsgnj.d.rne f1, f2, f2"],
            &["add.d x5, x5, 1", "add.d x7, x7, 1", "add.d x8, x8, 1"],
        ] {
            let lines: Vec<&str> = [branch].iter().chain(skipped).copied().collect();
            assert_eq!(converted(&lines), None, "{lines:?}");
        }
        let lines = ["flt.d x6, f1, f2", "branch.ne x6, x0, 0x100", "fsgnj.d.rne f1, f2, f2"];
        let after = converted(&lines).expect("floats are selected after a comparison");
        assert_eq!(after[1], "unless.ne x6, x0: move.d f1, f2");
    }
}
