//! What the rest of a block says about the registers at a point of it.

use super::RegSet;
use crate::ir::{Node, Op};

/// What is known of registers behind a node by looking at the nodes that follow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ahead {
    /// Overwritten before everything must be at home.
    pub passing: RegSet,
    /// Overwritten before anybody can see them.
    pub dead: RegSet,
    /// Read again before something is kept no longer.
    pub again: RegSet,
    /// The same, more than once.
    pub often: RegSet,
}

impl Ahead {
    /// Puts what is known behind each of `nodes` into `out`. `keeps` says of an operation whether
    /// what [`Self::again`] is about is kept beyond it.
    pub fn of(nodes: &[Node], out: &mut Vec<Self>, keeps: impl Fn(&Op) -> bool) {
        out.clear();
        out.resize(nodes.len(), Self::default());
        let mut now = Self::default();
        for (out, node) in out.iter_mut().zip(nodes).rev() {
            *out = now;
            let (reads, writes) = (node.reads(), node.writes());
            now.passing = if comes_home(&node.op, node.pc) { 0 } else { now.passing | writes };
            now.dead = if is_plain(&node.op) { (now.dead | writes) & !reads } else { 0 };
            (now.again, now.often) = if keeps(&node.op) {
                let (again, often) = (now.again & !writes, now.often & !writes);
                (again | reads, often | again & reads)
            } else {
                (0, 0)
            };
        }
    }
}

/// True if an operation only computes: it neither faults nor leaves the block.
#[inline]
#[must_use]
pub const fn is_plain(op: &Op) -> bool {
    matches!(op, Op::Const { .. } | Op::Bin { .. } | Op::Un { .. } | Op::Select { .. })
}

/// True if everything is brought home for an operation.
const fn comes_home(op: &Op, pc: u64) -> bool {
    match *op {
        Op::Branch { target, .. } => target <= pc,
        Op::Amo { .. }
        | Op::LoadReserved { .. }
        | Op::StoreConditional { .. }
        | Op::Cas { .. }
        | Op::Helper { .. }
        | Op::Jump { .. }
        | Op::Call { .. }
        | Op::CallIndirect { .. }
        | Op::JumpIndirect { .. }
        | Op::Exit(_) => true,
        _ => false,
    }
}
