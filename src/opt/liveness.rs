//! Liveness: what the rest of a block says about the registers at a point of it.

use super::RegSet;
use crate::ir::{Node, OpClass};

/// Registers behind a node, by what the nodes that follow do with them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Liveness {
    /// Redefined before the next sync point (back-edge, helper, exit), where everything must be at
    /// home: they need not be written back.
    pub redefined: RegSet,
    /// Redefined before anything reads them, faults or leaves the block; none if the node does
    /// more than compute, or than load a word that is kept and computed with.
    pub dead: RegSet,
    /// Used again before a node beyond which the emitter keeps nothing.
    pub used: RegSet,
    /// Used again more than once, likewise.
    pub reused: RegSet,
    /// What the emitter keeps beyond the node itself, in its own terms.
    pub keeps: u8,
}

impl Liveness {
    /// Computes, backward, what holds behind each of `nodes`, and puts it into the first of `out`.
    /// `keeps` says of an operation what is kept beyond it; if that is 0, nothing that
    /// [`Self::used`] is about is, and neither is anything beyond an operation that leaves the
    /// block.
    #[inline]
    pub fn of(nodes: &[Node], out: &mut Vec<Self>, keeps: impl Fn(OpClass) -> u8) {
        if out.len() < nodes.len() {
            out.resize(nodes.len(), Self::default());
        }
        let mut now = Self::default();
        for (out, node) in out[..nodes.len()].iter_mut().zip(nodes).rev() {
            let (reads, writes, shape) = (node.reads(), node.writes(), node.class());
            now.keeps = keeps(shape);
            // Sets are all or nothing, so that nothing is decided by a branch.
            let open = all(!is_sync_point(shape));
            let plain = all(shape.is_plain());
            now.dead &= plain | all(shape == OpClass::Word);
            *out = now;
            let kept = all(now.keeps != 0 && shape != OpClass::Leave);
            now.redefined = (now.redefined | writes) & open;
            now.dead = (now.dead | writes) & !reads & plain;
            let (used, reused) = (now.used & !writes, now.reused & !writes);
            now.reused = (reused | used & reads) & kept;
            now.used = (used | reads) & kept;
        }
    }
}

/// All registers, or none.
#[inline]
const fn all(yes: bool) -> RegSet {
    (yes as RegSet).wrapping_neg()
}

/// True of a class for which everything must be at home.
#[inline]
const fn is_sync_point(shape: OpClass) -> bool {
    matches!(shape, OpClass::BranchBack | OpClass::Helped | OpClass::Leave)
}

#[cfg(test)]
mod tests {
    use super::super::check::build;
    use super::*;

    /// What holds behind the first of `lines`.
    fn first(lines: &[&str]) -> Liveness {
        let mut out = Vec::new();
        Liveness::of(&build(lines).block().nodes, &mut out, |_| 1);
        out[0]
    }

    #[test]
    fn a_value_is_dead_if_nothing_can_see_it_and_redefined_if_a_fault_can() {
        let x5 = 1 << 5;
        let bits = |l: Liveness| (l.redefined & x5 != 0, l.dead & x5 != 0);
        let define = "add.d x5, x6, 1";
        assert_eq!(bits(first(&[define, "const x5, 0x1"])), (true, true));
        assert_eq!(bits(first(&[define, "add.d x7, x5, 1", "const x5, 0x1"])), (true, false));
        assert_eq!(bits(first(&[define, "load.d x7, [x8 + 0]", "const x5, 0x1"])), (true, false));
        assert_eq!(bits(first(&[define, "jump 0x2000"])), (false, false));
        let back = "branch.ne x7, x0, 0x1000";
        assert_eq!(bits(first(&[define, back, "const x5, 0x1"])), (false, false));
    }

    #[test]
    fn uses_are_counted_up_to_the_next_definition() {
        let (use_it, x5) = ("add.d x7, x5, 1", 1 << 5);
        let bits = |lines: &[&str]| (first(lines).used & x5 != 0, first(lines).reused & x5 != 0);
        assert_eq!(bits(&["const x5, 0x1", use_it]), (true, false));
        assert_eq!(bits(&["const x5, 0x1", use_it, use_it]), (true, true));
        assert_eq!(bits(&["const x5, 0x1", "const x5, 0x2", use_it]), (false, false));
        assert_eq!(bits(&["const x5, 0x1", "jump 0x2000", use_it]), (false, false));
    }
}
