//! What the code cache must know of a block.

use crate::ir::{Block, FCmpOp, Node, Op};

/// True if the block reads the accrued floating-point flags, other than around a comparison that
/// keeps them. `helper_reads` says so of the instruction at an address that the interpreter
/// executes.
pub fn reads_flags(block: &Block, mut helper_reads: impl FnMut(u64) -> bool) -> bool {
    let keeps = |n: Option<&Node>| {
        matches!(n.map(|n| n.op), Some(Op::FCmp { op: FCmpOp::LtKeep | FCmpOp::LeKeep, .. }))
    };
    let nodes = &block.nodes;
    nodes.iter().enumerate().any(|(i, n)| match n.op {
        Op::ReadFlags { .. } => !keeps(nodes.get(i + 1)),
        Op::SwapFlags { rd, .. } => !rd.is_zero(),
        Op::Helper { .. } => helper_reads(n.pc),
        _ => false,
    })
}

/// True if the block only jumps to an address that it loads from a constant place, as the entries
/// of procedure linkage tables do, by which a dynamic program calls functions of libraries.
#[must_use]
pub fn is_linkage_entry(block: &Block) -> bool {
    let [before @ .., Node { op: Op::JumpIndirect { is_return: false, .. }, .. }] =
        block.nodes.as_slice()
    else {
        return false;
    };
    matches!(
        before,
        [Node { op: Op::Const { rd, .. }, .. }, Node { op: Op::Load { base, .. }, .. }]
            if rd == base
    )
}

#[cfg(test)]
mod tests {
    use super::super::check::block;
    use super::*;

    #[test]
    fn flags_around_a_comparison_that_keeps_them_are_not_read() {
        let reads = |lines: &[&str]| reads_flags(&block(lines), |pc| pc == 0x1004);
        assert!(reads(&["readflags x5"]));
        assert!(!reads(&["readflags x5", "fltkeep.d x6, f1, f2"]));
        assert!(reads(&["readflags x5", "flt.d x6, f1, f2"]));
        assert!(reads(&["swapflags x5, 0"]) && !reads(&["swapflags x0, x5"]));
        let helper = "helper reads {x3} writes {x4}";
        assert!(!reads(&[helper]) && reads(&["add.d x5, x5, 1", helper]));
    }

    #[test]
    fn linkage_entries_only_load_and_jump() {
        let (constant, load) = ("const x28, 0x5000", "load.d x28, [x28 + 24]");
        let jump = "jump [x28 + 0], x6 = 0x100c";
        let entry = |lines: &[&str]| is_linkage_entry(&block(lines));
        assert!(entry(&[constant, load, jump]));
        assert!(!entry(&[load, jump]) && !entry(&[constant, load]));
        assert!(!entry(&[constant, "load.d x28, [x29 + 24]", jump]));
        assert!(!entry(&[constant, load, "return [x28 + 0], x0 = 0x100c"]));
    }
}
