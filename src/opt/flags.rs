//! Comparisons that are to raise no flags, which compilers write as
//! `frflags r; flt.d x, a, b; fsflags r`.
//!
//! Setting the flags is dear on hosts, so the comparison becomes one that keeps them, and nothing
//! sets them. It stands for two instructions: who leaves the first to the interpreter goes on at
//! the second.

use crate::ir::{Builder, FCmpOp, Fmt, Op, Reg, Src};

/// Writes of the accrued flags.
#[inline(always)]
pub(super) const fn concerns(op: &Op) -> bool {
    matches!(op, Op::SwapFlags { .. })
}

/// Makes the comparison before one that keeps the flags, if they were read right before it.
pub(super) fn rewrite(b: &mut Builder, op: Op) -> Option<Op> {
    let keeps = keeping(b, &op);
    if keeps.is_some() {
        b.drop_last();
    }
    keeps.or(Some(op))
}

fn keeping(b: &Builder, op: &Op) -> Option<Op> {
    let Op::SwapFlags { rd: Reg::ZERO, a: Src::Reg(saved) } = *op else { return None };
    let [.., read, compare] = b.block().nodes.as_slice() else { return None };
    match (read.op, compare.op) {
        (Op::ReadFlags { rd: r }, Op::FCmp { op, fmt: fmt @ (Fmt::S | Fmt::D), rd, a, b })
            if r == saved && rd != saved =>
        {
            let op = match op {
                FCmpOp::Lt => FCmpOp::LtKeep,
                FCmpOp::Le => FCmpOp::LeKeep,
                _ => return None,
            };
            Some(Op::FCmp { op, fmt, rd, a, b })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::added;

    #[test]
    fn a_comparison_between_reading_and_setting_the_flags_keeps_them() {
        let lines = |r: &str, saved: &str| {
            let compare = format!("flt.d {r}, f1, f2");
            added(&[&format!("readflags {saved}"), &compare, "swapflags x0, x5"])
        };
        assert_eq!(lines("x6", "x5"), ["readflags x5", "fltkeep.d x6, f1, f2"]);
        // Other flags are set then.
        assert_eq!(lines("x6", "x7").len(), 3);
        assert_eq!(lines("x5", "x5").len(), 3);
    }
}
