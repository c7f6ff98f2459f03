//! Code units: the pieces of a code cache, each with what it was made from, the jumps in it, and
//! what restores the guest's state where it may be left.
//!
//! A block is a unit. Units lie in the arena in the order of their numbers, in either part.

use super::fault::Restore;
use crate::backend::{CodeBuf, RegMap, faults};
use crate::ir::VConfig;
use crate::lift::Limits;
use crate::util::{Chunks, CodePtr};
use std::ops::Range;

/// What a unit is a translation of: the guest code at an address, made for a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct BlockKey {
    /// Guest address of its entry.
    pub(super) pc: u64,
    /// What else decides how it is translated.
    pub(super) mode: TransMode,
}

/// What decides how guest code is translated, besides the code and what is the same for a whole
/// cache (the ISA, the memory's mode, whether flags are exact). The table of code and links between
/// units know those of the default mode only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TransMode {
    /// Most guest instructions.
    pub(super) max_insns: u32,
    /// What `vtype` and `vl` are taken to be where it begins. The code is right whatever they are.
    pub(super) vectors: Option<VConfig>,
}

impl Default for TransMode {
    fn default() -> Self {
        Self { max_insns: Limits::default().max_insns, vectors: None }
    }
}

impl BlockKey {
    /// The key of the code at `pc` in the default mode.
    pub(super) fn new(pc: u64) -> Self {
        Self { pc, mode: TransMode::default() }
    }

    /// How large the block may grow.
    pub(super) fn limits(self) -> Limits {
        let TransMode { max_insns, vectors } = self.mode;
        Limits { max_insns, vectors, ..Limits::default() }
    }
}

/// All units of a cache.
#[derive(Default)]
pub(super) struct Units {
    all: Chunks<Unit>,
    /// Guest code that units were made from, each unit's in a row.
    ranges: Chunks<(u64, u32)>,
    /// Packed fault points, in pieces that are never moved.
    points: Vec<Vec<u8>>,
    /// Where the instructions of each metered unit are; all units are, or none.
    meters: Vec<Meter>,
    /// Maps of registers; see [`Self::map`].
    maps: Vec<RegMap>,
}

/// Where the instructions of a unit begin: a bit for each two bytes of code, in the order of its
/// ranges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Meter(u128);

impl Meter {
    /// Most instructions of a unit that is metered.
    pub(super) const MOST: u32 = 64;

    /// Of code that consists of these instructions, by their first bytes, with their sizes.
    pub(super) fn new(sizes: impl Iterator<Item = u64>) -> Self {
        let mut at = 0;
        let mut bits = 0;
        for size in sizes {
            bits |= 1 << (at / 2);
            at += size;
        }
        Self(bits)
    }

    /// Number of instructions.
    pub(super) fn insns(self) -> u32 {
        self.0.count_ones()
    }

    /// Number of those from byte `at` of the code on.
    fn from(self, at: u64) -> u32 {
        if at < 256 { (self.0 >> (at / 2)).count_ones() } else { 0 }
    }
}

/// Bytes of points that memory is asked for at once.
const PIECE: usize = 64 << 10;

/// A unit. Its ranges and links end where the next unit's begin.
struct Unit {
    pc: u64,
    /// Which registers of the guest are in host registers throughout, by its number.
    map: u32,
    hot: u32,
    cold: u32,
    /// The piece of its points, and where in it they begin: hot ones, then cold ones.
    at: (u16, u16),
    /// Bytes of hot and cold points.
    len: [u32; 2],
    ranges: u32,
    links: u32,
    /// It is still valid.
    live: bool,
}

impl Units {
    /// Adds what is in `buf`, the translation of the code at `pc`, which was made from `ranges` and
    /// whose links are the next `links` of the cache. Returns its number.
    pub(super) fn push(
        &mut self,
        (pc, map): (u64, &RegMap),
        ranges: impl Iterator<Item = (u64, u32)>,
        links: usize,
        buf: &CodeBuf,
    ) -> u32 {
        let (hot, cold) = (buf.hot_faults.packed(), buf.cold_faults.packed());
        let len = hot.len() + cold.len();
        if self.points.last().is_none_or(|piece| piece.capacity() - piece.len() <= len) {
            self.points.push(Vec::with_capacity(PIECE.max(len)));
        }
        let last = self.points.len() - 1;
        let piece = &mut self.points[last];
        let at = (last as u16, piece.len() as u16);
        piece.extend_from_slice(hot);
        piece.extend_from_slice(cold);
        let first_range = self.ranges.len() as u32;
        let map = self.map(map);
        ranges.for_each(|range| self.ranges.push(range));
        self.all.push(Unit {
            pc,
            map,
            hot: buf.hot_base,
            cold: buf.cold_base,
            at,
            len: [hot.len() as u32, cold.len() as u32],
            ranges: first_range,
            links: links as u32,
            live: true,
        });
        self.all.len() as u32 - 1
    }

    /// Says where the instructions of the unit are that was added last.
    pub(super) fn meter(&mut self, meter: Meter) {
        self.meters.push(meter);
    }

    /// Instructions of unit `id` from `pc` on, if it is metered.
    fn insns_from(&self, id: usize, pc: u64) -> u32 {
        let Some(meter) = self.meters.get(id) else { return 0 };
        let mut before = 0;
        for (start, len) in self.ranges_of(id as u32) {
            if (start..start + u64::from(len)).contains(&pc) {
                return meter.from(before + (pc - start));
            }
            before += u64::from(len);
        }
        0
    }

    /// Forgets all units.
    pub(super) fn clear(&mut self) {
        self.points.truncate(1);
        self.points.iter_mut().for_each(Vec::clear);
        self.all.clear();
        self.ranges.clear();
        self.meters.clear();
        self.maps.clear();
    }

    /// The number of `map`, or a new one. That of blocks, which most units have, is one of the
    /// first two: regions differ from it, and the first unit may be one.
    fn map(&mut self, map: &RegMap) -> u32 {
        let known = self.maps.iter().take(2).position(|other| other == map);
        let number = known.unwrap_or_else(|| {
            self.maps.push(*map);
            self.maps.len() - 1
        });
        number as u32
    }

    /// The numbers of all units.
    pub(super) fn ids(&self) -> Range<u32> {
        0..self.all.len() as u32
    }

    /// Whether unit `id` is valid.
    pub(super) fn is_live(&self, id: u32) -> bool {
        self.all[id as usize].live
    }

    /// Says that unit `id` is not valid any more.
    pub(super) fn bury(&mut self, id: u32) {
        self.all[id as usize].live = false;
    }

    /// Guest code that unit `id` was made from: addresses and lengths.
    pub(super) fn ranges_of(&self, id: u32) -> impl Iterator<Item = (u64, u32)> {
        let end = self.all.get(id as usize + 1).map_or(self.ranges.len(), |u| u.ranges as usize);
        (self.all[id as usize].ranges as usize..end).map(|n| self.ranges[n])
    }

    /// Guest code that all units were made from.
    pub(super) fn all_ranges(&self) -> impl Iterator<Item = (u64, u32)> {
        self.ranges.iter().copied()
    }

    /// Numbers of the links of unit `id`, where there are `links` in all.
    pub(super) fn links_of(&self, id: u32, links: usize) -> Range<usize> {
        let end = self.all.get(id as usize + 1).map_or(links, |u| u.links as usize);
        self.all[id as usize].links as usize..end
    }

    /// Where the hot code of unit `id` lies, if that of the last unit ends at `end`.
    pub(super) fn hot_of(&self, id: u32, end: u32) -> Range<CodePtr> {
        let end = self.all.get(id as usize + 1).map_or(end, |u| u.hot);
        CodePtr(self.all[id as usize].hot)..CodePtr(end)
    }

    /// What restores the guest's state where code is left at `place`, which is in the cold part or
    /// not.
    pub(super) fn restore(&self, place: CodePtr, cold: bool) -> Option<Restore> {
        let start = |u: &Unit| if cold { u.cold } else { u.hot };
        let n = self.all.partition_point(|u| start(u) <= place.0).checked_sub(1)?;
        let unit = &self.all[n];
        let (piece, at) = (usize::from(unit.at.0), usize::from(unit.at.1));
        let [hot, cold_len] = unit.len.map(|len| len as usize);
        let points = if cold { at + hot..at + hot + cold_len } else { at..at + hot };
        let (pc, restore_ops) =
            faults::find(&self.points[piece][points], (start(unit), unit.pc), place)?;
        let map = self.maps[unit.map as usize];
        Some(Restore { pc, map, restore_ops, unused: self.insns_from(n, pc) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::RestoreOp;

    static MAP: RegMap = RegMap::new(&[], &[]);

    #[test]
    fn what_belongs_to_a_unit_is_found_by_place_and_number() {
        let mut units = Units::default();
        for n in 1..5 {
            let mut buf = CodeBuf::default();
            buf.start(0x2000, [n * 1000, 100_000 + n * 1000], 0);
            // The last unit has no points, and the third is made from no code.
            if n < 4 {
                buf.hot_faults.point(CodePtr(n * 1000), 5);
                buf.hot_faults.push(RestoreOp::Held(31, 15));
                buf.hot_faults.point(CodePtr(n * 1000 + 7), u64::from(n));
                buf.cold_faults.point(CodePtr(100_300 + n * 1000), 6);
            }
            let ranges = [(u64::from(n) << 12, n), (0, 2)];
            let ranges = if n == 3 { &[] } else { &ranges[..] };
            assert_eq!(
                units.push((0x2000, &MAP), ranges.iter().copied(), 10 * n as usize, &buf),
                n - 1
            );
        }
        let at = |place, cold| units.restore(CodePtr(place), cold).map(|r| (r.pc, r.restore_ops));
        for n in 1..4 {
            assert_eq!(at(n * 1000, false), Some((5, vec![])));
            assert_eq!(
                at(n * 1000 + 7, false),
                Some((u64::from(n), vec![RestoreOp::Held(31, 15)]))
            );
            assert_eq!(at(n * 1000 + 8, false), None);
            assert_eq!(at(100_300 + n * 1000, true), Some((6, vec![])));
            assert_eq!(at(100_000 + n * 1000, true), None);
        }
        assert_eq!(at(4001, false), None);
        assert_eq!(at(0, false), None);
        let ranges = |id| units.ranges_of(id).collect::<Vec<_>>();
        assert_eq!((ranges(1), ranges(2)), (vec![(2 << 12, 2), (0, 2)], vec![]));
        assert_eq!((ranges(3), units.all_ranges().count()), (vec![(4 << 12, 4), (0, 2)], 6));
        assert_eq!((units.links_of(0, 50), units.links_of(3, 50)), (10..20, 40..50));
        assert_eq!(units.hot_of(2, 4096), CodePtr(3000)..CodePtr(4000));
        assert_eq!(units.hot_of(3, 4096), CodePtr(4000)..CodePtr(4096));
        units.bury(1);
        assert_eq!([0, 1, 2].map(|id| units.is_live(id)), [true, false, true]);
        units.clear();
        assert!(units.restore(CodePtr(1000), false).is_none());
    }
}
