//! All fault points of a cache, block by block.

use crate::backend::{CodeBuf, Recipe, faults};
use crate::util::CodePtr;

/// Packed fault points.
#[derive(Debug, Default)]
pub(super) struct FaultMap {
    bytes: Vec<u8>,
    /// In order of their places, in either part of the arena.
    blocks: Vec<Packed>,
}

/// A block's address, where it lies, and its points in `bytes`.
#[derive(Clone, Copy, Debug)]
struct Packed {
    pc: u64,
    hot: u32,
    cold: u32,
    hot_at: u32,
    cold_at: u32,
}

impl FaultMap {
    /// Adds the points of the block at `pc`, which lies behind all others.
    pub(super) fn push(&mut self, pc: u64, buf: &CodeBuf) {
        let hot_at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(buf.hot_faults.packed());
        let cold_at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(buf.cold_faults.packed());
        self.blocks.push(Packed { pc, hot: buf.hot_base, cold: buf.cold_base, hot_at, cold_at });
    }

    /// The guest's pc at `place`, which is in the cold part or not, and what is pending there.
    pub(super) fn find(&self, place: CodePtr, cold: bool) -> Option<(u64, Vec<Recipe>)> {
        let start = |b: &Packed| if cold { b.cold } else { b.hot };
        let n = self.blocks.partition_point(|b| start(b) <= place.0).checked_sub(1)?;
        let block = &self.blocks[n];
        let end = if cold {
            self.blocks.get(n + 1).map_or(self.bytes.len() as u32, |b| b.hot_at)
        } else {
            block.cold_at
        };
        let at = if cold { block.cold_at } else { block.hot_at };
        faults::find(&self.bytes[at as usize..end as usize], (start(block), block.pc), place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_found_in_their_blocks() {
        let mut map = FaultMap::default();
        for n in 1..5 {
            let mut buf = CodeBuf::default();
            buf.start(0x2000, [n * 1000, 100_000 + n * 1000], 0);
            // The last block has none.
            if n < 4 {
                buf.hot_faults.begin(CodePtr(n * 1000), 5);
                buf.hot_faults.begin(CodePtr(n * 1000 + 7), u64::from(n));
                buf.hot_faults.push(Recipe::Held(31, 15));
                buf.cold_faults.begin(CodePtr(100_300 + n * 1000), 6);
            }
            map.push(0x2000, &buf);
        }
        let at = |place, cold| map.find(CodePtr(place), cold);
        for n in 1..4 {
            assert_eq!(at(n * 1000, false), Some((5, vec![])));
            assert_eq!(at(n * 1000 + 7, false), Some((u64::from(n), vec![Recipe::Held(31, 15)])));
            assert_eq!(at(n * 1000 + 8, false), None);
            assert_eq!(at(100_300 + n * 1000, true), Some((6, vec![])));
            assert_eq!(at(100_000 + n * 1000, true), None);
        }
        assert_eq!(at(4001, false), None);
        assert_eq!(at(0, false), None);
    }
}
