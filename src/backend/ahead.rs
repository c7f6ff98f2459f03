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
    /// What the emitter keeps beyond the node itself, in its own terms.
    pub keeps: u8,
}

impl Ahead {
    /// Puts what is known behind each of `nodes` into `out`. `keeps` says of an operation what is
    /// kept beyond it; if that is 0, nothing that [`Self::again`] is about is.
    pub fn of(nodes: &[Node], out: &mut Vec<Self>, keeps: impl Fn(&Op) -> u8) {
        out.clear();
        out.resize(nodes.len(), Self::default());
        let mut now = Self::default();
        for (out, node) in out.iter_mut().zip(nodes).rev() {
            let (reads, writes) = (node.reads(), node.writes());
            now.keeps = keeps(&node.op);
            *out = now;
            (now.passing, now.dead) = match kind(&node.op) {
                Kind::Plain => (now.passing | writes, (now.dead | writes) & !reads),
                Kind::ComesHome => (0, 0),
                Kind::Branch if goes_back(node) => (0, 0),
                Kind::Branch | Kind::Other => (now.passing | writes, 0),
            };
            (now.again, now.often) = if now.keeps != 0 {
                let (again, often) = (now.again & !writes, now.often & !writes);
                (again | reads, often | again & reads)
            } else {
                (0, 0)
            };
        }
    }
}

/// True of a branch whose target is not further on.
const fn goes_back(node: &Node) -> bool {
    matches!(node.op, Op::Branch { target, .. } if target <= node.pc)
}

/// Kinds of operations.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Only computes: it neither faults nor leaves the block.
    Plain,
    /// Everything is brought home for it.
    ComesHome,
    /// Everything is if it goes backward.
    Branch,
    /// May fault.
    Other,
}

#[inline]
const fn kind(op: &Op) -> Kind {
    match *op {
        Op::Const { .. } | Op::Bin { .. } | Op::Un { .. } | Op::Select { .. } => Kind::Plain,
        Op::Branch { .. } => Kind::Branch,
        Op::Amo { .. }
        | Op::LoadReserved { .. }
        | Op::StoreConditional { .. }
        | Op::Cas { .. }
        | Op::Helper { .. }
        | Op::Jump { .. }
        | Op::Call { .. }
        | Op::CallIndirect { .. }
        | Op::JumpIndirect { .. }
        | Op::Exit(_) => Kind::ComesHome,
        _ => Kind::Other,
    }
}

/// True if an operation only computes: it neither faults nor leaves the block.
#[inline]
#[must_use]
pub const fn is_plain(op: &Op) -> bool {
    matches!(kind(op), Kind::Plain)
}
