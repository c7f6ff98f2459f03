//! An address space as large as the one that the host gives to its own programs (Sv48: 47 bits):
//! what the host's program occupies stays its own, with room to grow, and the guest gets all the
//! rest.

use crate::sys::mmap::{Reservation, occupied};
use crate::util::HostAddr;
use std::io;
use std::ops::Range;

/// Size of that space in bytes.
pub(super) const SIZE: u64 = 1 << 47;

/// From here on everything is the host's, if something of it is there: x86-64 puts stack, libraries
/// and mappings within 2 TiB of the end, and what is mapped later goes below them.
const HIGH: usize = 0x7b00_0000_0000;

/// Room behind what lies lower, for a heap that grows by `brk`.
const ROOM: usize = 64 << 30;

/// Reserves all addresses from `lowest` on that the host does not need.
pub(super) fn reserve(lowest: usize) -> io::Result<Reservation> {
    let len = SIZE as usize - lowest;
    let holes = holes(&occupied()?, SIZE as usize);
    let offset = |a: usize| a.saturating_sub(lowest);
    let holes = holes.iter().map(|h| offset(h.start)..offset(h.end)).collect();
    Reservation::new_around(HostAddr(lowest), len, holes)
}

/// What stays the host's of addresses below `end`, if it has something at `occupied`.
fn holes(occupied: &[Range<usize>], end: usize) -> Vec<Range<usize>> {
    let mut holes: Vec<Range<usize>> = Vec::new();
    for range in occupied.iter().filter(|r| r.start < end) {
        let hole = if range.end > HIGH { HIGH..end } else { range.start..range.end + ROOM };
        match holes.last_mut() {
            Some(last) if last.end >= hole.start => {
                last.start = last.start.min(hole.start);
                last.end = last.end.max(hole.end);
            }
            _ => holes.push(hole),
        }
    }
    holes.iter_mut().for_each(|hole| hole.end = hole.end.min(end));
    holes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_keeps_what_it_has_and_some_room() {
        let end = SIZE as usize;
        let program = [0x5555_5555_4000..0x5555_5556_0000, 0x5555_5557_0000..0x5555_5559_0000];
        let high =
            [0x7fff_0000_0000..0x7fff_0001_0000, 0xffff_ffff_ff60_0000..0xffff_ffff_ff60_1000];
        let all = [&program[..], &high[..]].concat();
        let low = 0x5555_5555_4000..0x5555_5559_0000 + ROOM;
        assert_eq!(holes(&all, end), [low.clone(), HIGH..end]);
        assert_eq!(holes(&program, end), [low]);
        // A host with more bits has everything beyond.
        let beyond = 0xaaaa_0000_0000..0xaaaa_0001_0000;
        assert!(holes(&[beyond.clone(), beyond], end).is_empty());
    }
}
