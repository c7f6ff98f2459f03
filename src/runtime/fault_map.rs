//! All fault points of a cache, block by block.

use crate::backend::{CodeBuf, Recipe, faults};
use crate::util::{Chunks, CodePtr};

/// Packed fault points.
#[derive(Debug, Default)]
pub(super) struct FaultMap {
    /// The points, in pieces that are never moved.
    pieces: Vec<Vec<u8>>,
    /// In order of their places, in either part of the arena.
    blocks: Chunks<Packed>,
}

/// Bytes of points that memory is asked for at once.
const PIECE: usize = 64 << 10;

/// A block's address, where it lies, and its points.
#[derive(Clone, Copy, Debug)]
struct Packed {
    pc: u64,
    hot: u32,
    cold: u32,
    /// The piece of its points, and where in it they begin: hot ones, then cold ones.
    at: (u16, u16),
    /// Bytes of hot and cold points.
    len: [u32; 2],
}

impl FaultMap {
    /// Adds the points of the block at `pc`, which lies behind all others.
    pub(super) fn push(&mut self, pc: u64, buf: &CodeBuf) {
        let (hot, cold) = (buf.hot_faults.packed(), buf.cold_faults.packed());
        let len = hot.len() + cold.len();
        if self.pieces.last().is_none_or(|piece| piece.capacity() - piece.len() <= len) {
            self.pieces.push(Vec::with_capacity(PIECE.max(len)));
        }
        let last = self.pieces.len() - 1;
        let piece = &mut self.pieces[last];
        let at = (last as u16, piece.len() as u16);
        piece.extend_from_slice(hot);
        piece.extend_from_slice(cold);
        let len = [hot.len() as u32, cold.len() as u32];
        self.blocks.push(Packed { pc, hot: buf.hot_base, cold: buf.cold_base, at, len });
    }

    /// Forgets all blocks.
    pub(super) fn clear(&mut self) {
        self.pieces.truncate(1);
        self.pieces.iter_mut().for_each(Vec::clear);
        self.blocks.clear();
    }

    /// The guest's pc at `place`, which is in the cold part or not, and what is pending there.
    pub(super) fn find(&self, place: CodePtr, cold: bool) -> Option<(u64, Vec<Recipe>)> {
        let start = |b: &Packed| if cold { b.cold } else { b.hot };
        let n = self.blocks.partition_point(|b| start(b) <= place.0).checked_sub(1)?;
        let block = &self.blocks[n];
        let (piece, at) = (usize::from(block.at.0), usize::from(block.at.1));
        let [hot, cold_len] = block.len.map(|len| len as usize);
        let points = if cold { at + hot..at + hot + cold_len } else { at..at + hot };
        faults::find(&self.pieces[piece][points], (start(block), block.pc), place)
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
                buf.hot_faults.point(CodePtr(n * 1000), 5);
                buf.hot_faults.push(Recipe::Held(31, 15));
                buf.hot_faults.point(CodePtr(n * 1000 + 7), u64::from(n));
                buf.cold_faults.point(CodePtr(100_300 + n * 1000), 6);
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
