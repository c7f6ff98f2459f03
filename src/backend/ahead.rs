//! What the rest of a block says about the registers at a point of it.

use super::RegSet;
use crate::ir::{Node, Shape};

/// What is known of registers behind a node by looking at the nodes that follow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ahead {
    /// Overwritten before everything must be at home.
    pub passing: RegSet,
    /// Overwritten before anybody can see them; none if the node does more than compute.
    pub dead: RegSet,
    /// Read again before something is kept no longer.
    pub again: RegSet,
    /// The same, more than once.
    pub often: RegSet,
    /// What the emitter keeps beyond the node itself, in its own terms.
    pub keeps: u8,
}

impl Ahead {
    /// Puts what is known behind each of `nodes` into the first of `out`. `keeps` says of an
    /// operation what is kept beyond it; if that is 0, nothing that [`Self::again`] is about is,
    /// and neither is anything beyond who leaves the block.
    #[inline]
    pub fn of(nodes: &[Node], out: &mut Vec<Self>, keeps: impl Fn(Shape) -> u8) {
        if out.len() < nodes.len() {
            out.resize(nodes.len(), Self::default());
        }
        let mut now = Self::default();
        for (out, node) in out[..nodes.len()].iter_mut().zip(nodes).rev() {
            let (reads, writes, shape) = (node.reads(), node.writes(), node.shape());
            now.keeps = keeps(shape);
            // Sets are all or nothing, so that nothing is decided by a branch.
            let open = all(!brings_home(shape));
            let plain = all(shape.is_plain());
            now.dead &= plain;
            *out = now;
            let kept = all(now.keeps != 0 && shape != Shape::Leave);
            now.passing = (now.passing | writes) & open;
            now.dead = (now.dead | writes) & !reads & plain;
            let (again, often) = (now.again & !writes, now.often & !writes);
            now.often = (often | again & reads) & kept;
            now.again = (again | reads) & kept;
        }
    }
}

/// All registers, or none.
#[inline]
const fn all(yes: bool) -> RegSet {
    (yes as RegSet).wrapping_neg()
}

/// True of a shape for which everything is brought home.
#[inline]
const fn brings_home(shape: Shape) -> bool {
    matches!(shape, Shape::BranchBack | Shape::Helped | Shape::Leave)
}
