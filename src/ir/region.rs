//! Loops of several blocks.

use super::{Block, Op};

/// A loop without calls: blocks that go to each other, the one first that it is entered at. They
/// are in order of their addresses, and may have code in common, as blocks do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// The blocks: at least one.
    pub blocks: Vec<Block>,
}

impl Region {
    /// Address of the entry.
    ///
    /// # Panics
    /// There is no block.
    #[must_use]
    pub fn pc(&self) -> u64 {
        self.blocks[0].pc
    }

    /// Whether a block of it begins at `pc`.
    #[must_use]
    pub fn has(&self, pc: u64) -> bool {
        self.blocks.iter().any(|block| block.pc == pc)
    }

    /// All of it as one block, for who wants to see what there is: operations block by block, and
    /// each piece of guest code once.
    #[must_use]
    pub fn listing(&self) -> Block {
        let mut out = Block { pc: self.pc(), ..Block::default() };
        let mut ranges: Vec<(u64, u32)> = Vec::new();
        for block in &self.blocks {
            out.nodes.extend_from_slice(&block.nodes);
            out.insns += block.insns;
            ranges.extend_from_slice(&block.ranges);
            out.next = block.next;
        }
        ranges.sort_unstable();
        for (start, len) in ranges {
            let end = start + u64::from(len);
            match out.ranges.last_mut() {
                Some((first, n)) if start <= *first + u64::from(*n) => {
                    *n = (*n).max((end - *first) as u32);
                }
                _ => out.ranges.push((start, len)),
            }
        }
        out
    }
}

impl Block {
    /// Addresses at which execution may go on, other than by calls and what is in registers.
    pub fn successors(&self) -> impl Iterator<Item = u64> {
        let target = |op: Op| match op {
            Op::Branch { target, .. } | Op::Jump { target } => Some(target),
            _ => None,
        };
        let behind = self.falls_through().then_some(self.next);
        self.nodes.iter().filter_map(move |node| target(node.op)).chain(behind)
    }

    /// Ends it behind node `n`, where it goes on at what was behind that. The code that it was made
    /// from is as before.
    pub fn end_behind(&mut self, n: usize) {
        if let Some(following) = self.nodes.get(n + 1) {
            self.next = following.pc;
        }
        self.nodes.truncate(n + 1);
    }
}
