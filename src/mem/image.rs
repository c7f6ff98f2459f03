//! The contents of a memory, kept in a file of its own, and memories that begin as its copies: the
//! host's kernel copies each page when it is first written to.

use super::map::{Backing, MapError, Mapping, Memory, Prot, State};
use crate::sys::mmap::{HostProt, memfd};
use crate::util::PAGE_SIZE;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A part of an image: whole pages that lie one behind the other in guest memory and in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Guest addresses.
    pub range: Range<u64>,
    /// Permissions.
    pub prot: Prot,
    /// Where its contents begin in the file.
    offset: u64,
}

/// What was mapped in a memory, and what it held. Zeros take no memory, but for some beside others.
#[derive(Debug)]
pub struct Image {
    id: u64,
    /// Lowest address first.
    parts: Vec<Part>,
    /// Numbers of the chunks, of [`CHUNK`] bytes from address 0 on, that are not all zero.
    held: BTreeSet<u64>,
    file: File,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);
const PAGE: usize = PAGE_SIZE as usize;
/// Bytes that are of the file together, or zero.
const CHUNK: u64 = 64 * PAGE_SIZE;
/// Mappings that an image takes beside one for each part, at most.
const MAX_SPLITS: usize = 256;

impl Image {
    /// An image with these mappings, which begin and end at page addresses, lowest first, and do
    /// not meet. All pages are zero.
    ///
    /// # Errors
    /// The host has no memory for it; `InvalidInput` if they are not as described.
    pub fn zero(mappings: impl IntoIterator<Item = (Range<u64>, Prot)>) -> io::Result<Self> {
        let (mut parts, mut offset, mut last) = (Vec::new(), 0, 0);
        for (range, prot) in mappings {
            let aligned = range.start % PAGE_SIZE == 0 && range.end % PAGE_SIZE == 0;
            if !aligned || range.start < last || range.end <= range.start || range.end >> 48 != 0 {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            last = range.end;
            let len = range.end - range.start;
            parts.push(Part { range, prot, offset });
            offset += len;
        }
        let file = memfd(c"rvnative-image", offset as usize)?;
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Ok(Self { id, parts, held: BTreeSet::new(), file })
    }

    /// The image of `memory`, in which nobody may write meanwhile. Only what `may_hold` says of a
    /// range is looked at; the rest must be zero.
    ///
    /// # Errors
    /// The host has no memory for it; `Unsupported` if a part is shared with others, or a file.
    pub fn of(memory: &Memory, may_hold: impl Fn(&Range<u64>) -> bool) -> io::Result<Self> {
        let mappings = memory.mappings();
        let own = |m: &Mapping| !m.shared && matches!(m.backing, Backing::Anonymous(_));
        if !mappings.iter().all(|(_, m)| own(m)) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut image = Self::zero(mappings.into_iter().map(|(range, m)| (range, m.prot)))?;
        for part in image.parts.clone() {
            let hidden = !part.prot.readable();
            let host = memory.offsets(&part.range);
            if hidden {
                memory.region.protect(host.clone(), HostProt::READ)?;
            }
            let copied = chunks(&part.range)
                .filter(&may_hold)
                .try_for_each(|chunk| image.copy_chunk(memory, &chunk));
            if hidden {
                memory.region.protect(host, HostProt::NONE)?;
            }
            copied?;
        }
        Ok(image)
    }

    fn copy_chunk(&mut self, memory: &Memory, chunk: &Range<u64>) -> io::Result<()> {
        let mut bytes = vec![0; (chunk.end - chunk.start) as usize];
        memory
            .read_bytes(chunk.start, &mut bytes)
            .map_err(|_| io::Error::from(io::ErrorKind::Other))?;
        let mut pages = (chunk.start..).step_by(PAGE).zip(bytes.chunks(PAGE));
        pages.try_for_each(|(addr, page)| self.set_page(addr, page))
    }

    /// What is mapped, lowest address first.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Where the contents of guest address `addr` are in the file, and how many bytes follow.
    fn place(&self, addr: u64) -> Option<(u64, u64)> {
        let after = self.parts.partition_point(|part| part.range.start <= addr);
        let part = self.parts[..after].last().filter(|part| addr < part.range.end)?;
        Some((part.offset + (addr - part.range.start), part.range.end - addr))
    }

    /// Sets the contents of the page at `addr`, which has none yet.
    ///
    /// # Errors
    /// There is no such page, or the host has no memory.
    pub fn set_page(&mut self, addr: u64, page: &[u8]) -> io::Result<()> {
        let (offset, _) = self.place(addr).ok_or(io::ErrorKind::InvalidInput)?;
        if page.iter().all(|&b| b == 0) {
            return Ok(());
        }
        self.held.insert(addr / CHUNK);
        self.file.write_all_at(page, offset)
    }

    /// Fills `to` with what is at guest address `addr`, which is all in one part.
    ///
    /// # Errors
    /// It is not.
    pub fn read(&self, addr: u64, to: &mut [u8]) -> io::Result<()> {
        match self.place(addr) {
            Some((offset, room)) if to.len() as u64 <= room => self.file.read_exact_at(to, offset),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Calls `f` with each page that is not all zero, lowest address first.
    ///
    /// # Errors
    /// Those of `f`, and the host's.
    pub fn pages(&self, mut f: impl FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut page = [0; PAGE];
        for part in &self.parts {
            for run in self.held_in(&part.range) {
                for addr in run.step_by(PAGE) {
                    self.read(addr, &mut page)?;
                    if page.iter().any(|&b| b != 0) {
                        f(addr, &page)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The runs of pages in `range` that are in chunks that are not all zero.
    fn held_in(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for chunk in self.held.range(range.start / CHUNK..=(range.end - 1) / CHUNK) {
            let start = (chunk * CHUNK).max(range.start);
            let end = ((chunk + 1) * CHUNK).min(range.end);
            match runs.last_mut() {
                Some(run) if run.end == start => run.end = end,
                _ => runs.push(start..end),
            }
        }
        runs
    }
}

/// The parts of `range` that are in different chunks.
fn chunks(range: &Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
    let Range { start, end } = *range;
    let numbers = start / CHUNK..end.div_ceil(CHUNK);
    numbers.map(move |n| (n * CHUNK).max(start)..((n + 1) * CHUNK).min(end))
}

impl Memory {
    /// Makes the memory what `image` says, but for what is sealed: that stays. Nobody may use the
    /// memory meanwhile.
    ///
    /// If it was the same image's before, and nothing has been mapped, unmapped or protected since,
    /// that takes time for the pages that have been written to.
    ///
    /// # Errors
    /// See [`MapError`]. What is mapped then is not said.
    pub fn show(&self, image: &Image) -> Result<(), MapError> {
        let mut state = self.lock();
        if state.shown == Some(image.id) {
            for part in image.parts.iter().filter(|part| part.prot.writable()) {
                self.forget_code(&mut state, &part.range);
                self.region.advise(self.offsets(&part.range), libc::MADV_DONTNEED)?;
            }
        } else {
            state.shown = None;
            let old: Vec<_> = state.map.iter().map(|(range, _)| range).collect();
            for range in old {
                self.take_away(&mut state, range)?;
            }
            let mut splits = 0;
            for part in &image.parts {
                self.put(&mut state, image, part, &mut splits)?;
            }
        }
        state.shown = Some(image.id);
        Ok(())
    }

    /// Unmaps a mapping that is not sealed.
    fn take_away(&self, state: &mut State, range: Range<u64>) -> Result<(), MapError> {
        if state.check_seals(&range).is_err() {
            return Ok(());
        }
        self.forget_code(state, &range);
        self.region.unmap(self.offsets(&range))?;
        state.undumped.remove(range.clone());
        state.map.remove(range);
        Ok(())
    }

    /// Maps a part: of the file what is not zero, and fresh pages for the rest, which guests that
    /// only read them share with all the world.
    fn put(
        &self,
        state: &mut State,
        image: &Image,
        part: &Part,
        splits: &mut usize,
    ) -> Result<(), MapError> {
        self.pages(part.range.start, part.range.end - part.range.start)?;
        if state.check_seals(&part.range).is_err() {
            return Ok(());
        }
        self.note_prot(part.prot);
        let kind = libc::MAP_PRIVATE | libc::MAP_NORESERVE;
        let prot = part.prot.host();
        let mut held = image.held_in(&part.range);
        *splits += 2 * held.len();
        if *splits > MAX_SPLITS {
            held = vec![part.range.clone()];
        }
        if held != [part.range.clone()] {
            self.region.map_as(self.offsets(&part.range), prot, kind, None, 0)?;
        }
        for run in held {
            let offset = part.offset + (run.start - part.range.start);
            let file = Some(image.file.as_fd());
            self.region.map_as(self.offsets(&run), prot, kind, file, offset)?;
        }
        state.map.insert(part.range.clone(), Mapping::anonymous(part.prot, None));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::Mode;

    const P: u64 = PAGE_SIZE;

    /// A memory with three mappings, of which one is hidden.
    fn memory() -> Memory {
        let m = Memory::new(Mode::Sandbox, 0).unwrap();
        m.map_zero(16 * P, 4 * P, Prot::RW).unwrap();
        m.map_zero(20 * P, P, Prot::RW).unwrap();
        m.map_zero(32 * P, P, Prot::RW).unwrap();
        for at in [16, 18, 20, 32] {
            m.write_u64(at * P + 8, at).unwrap();
        }
        m.protect(20 * P, P, Prot::RX).unwrap();
        m.protect(32 * P, P, Prot::NONE).unwrap();
        m
    }

    #[test]
    fn copies_are_equal_and_apart() {
        let first = memory();
        let image = Image::of(&first, |_| true).unwrap();
        let mut pages = Vec::new();
        image
            .pages(|addr, page| {
                pages.push((addr / P, page[8]));
                Ok(())
            })
            .unwrap();
        assert_eq!(pages, [(16, 16), (18, 18), (20, 20), (32, 32)]);
        let copies = [(); 2].map(|()| Memory::new(Mode::Sandbox, 0).unwrap());
        for copy in &copies {
            copy.show(&image).unwrap();
            assert_eq!(copy.mappings(), first.mappings());
            assert_eq!(copy.read_u64(18 * P + 8), Ok(18));
        }
        copies[0].write_u64(18 * P + 8, 1).unwrap();
        assert_eq!(copies[1].read_u64(18 * P + 8), Ok(18));
        assert_eq!(first.read_u64(18 * P + 8), Ok(18));
        assert!(copies[0].write_u64(20 * P, 1).is_err() && copies[0].read_u64(32 * P).is_err());
        copies[0].protect(32 * P, P, Prot::RW).unwrap();
        assert_eq!(copies[0].read_u64(32 * P + 8), Ok(32));
    }

    #[test]
    fn a_memory_becomes_what_it_was() {
        let m = memory();
        let image = Image::of(&m, |_| true).unwrap();
        let before = m.mappings();
        for changed in [false, true, true, false] {
            m.show(&image).unwrap();
            m.write_u64(16 * P + 8, 1).unwrap();
            m.write_u64(17 * P, 1).unwrap();
            if changed {
                m.map_zero(40 * P, P, Prot::RW).unwrap();
                m.unmap(18 * P, P).unwrap();
                m.protect(20 * P, P, Prot::RW).unwrap();
                m.write_u64(20 * P + 8, 1).unwrap();
            }
            m.show(&image).unwrap();
            assert_eq!(m.mappings(), before);
            let seen = [16, 17, 18, 20].map(|at| m.read_u64(at * P + 8).unwrap());
            assert_eq!(seen, [16, 0, 18, 20]);
            assert_eq!(m.read_u64(17 * P), Ok(0));
        }
    }

    #[test]
    fn large_parts_of_zeros_take_no_memory() {
        let m = Memory::new(Mode::Sandbox, 0).unwrap();
        let range = 16 * P..16 * P + (1 << 30);
        m.map_zero(range.start, 1 << 30, Prot::RW).unwrap();
        let words = [range.start, range.start + CHUNK, range.start + 40 * CHUNK, range.end - 8];
        words.iter().for_each(|&at| m.write_u64(at, at).unwrap());
        let image = Image::of(&m, |part| words.iter().any(|at| part.contains(at))).unwrap();
        let runs = image.held_in(&range);
        assert_eq!(runs.len(), 3);
        assert!(words.iter().all(|at| runs.iter().any(|run| run.contains(at))));
        let copy = Memory::new(Mode::Sandbox, 0).unwrap();
        for _ in 0..2 {
            copy.show(&image).unwrap();
            assert_eq!(copy.mappings(), m.mappings());
            assert!(words.iter().all(|&at| copy.read_u64(at) == Ok(at)));
            assert_eq!(copy.read_u64(range.start + 20 * CHUNK), Ok(0));
            copy.fill(range.start, 7, 60 * CHUNK).unwrap();
        }
        // As scattered as can be: not a mapping for each.
        let mut image = Image::zero([(range.clone(), Prot::RW)]).unwrap();
        for at in range.clone().step_by(2 * CHUNK as usize) {
            image.set_page(at, &[1; PAGE]).unwrap();
        }
        let mappings = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
        let before = mappings();
        copy.show(&image).unwrap();
        assert!(mappings() < before + 2 * MAX_SPLITS);
        assert_eq!(copy.read_u8(range.start + 2 * CHUNK), Ok(1));
        assert_eq!(copy.read_u8(range.start + CHUNK), Ok(0));
    }

    #[test]
    fn what_is_sealed_stays() {
        let m = memory();
        m.seal(20 * P, P).unwrap();
        let image = Image::of(&m, |_| true).unwrap();
        m.map_zero(40 * P, P, Prot::RW).unwrap();
        m.show(&image).unwrap();
        assert_eq!(m.mappings(), memory().mappings());
        assert_eq!(m.read_u64(20 * P + 8), Ok(20));
    }

    #[test]
    fn mappings_that_are_none_are_refused() {
        let refused = |ranges: &[(u64, u64)]| {
            Image::zero(ranges.iter().map(|r| (r.0..r.1, Prot::RW))).is_err()
        };
        assert!(refused(&[(1, P)]) && refused(&[(0, P + 1)]) && refused(&[(P, P)]));
        assert!(refused(&[(2 * P, 3 * P), (P, 2 * P)]) && refused(&[(0, 2 * P), (P, 3 * P)]));
        assert!(refused(&[(0, 1 << 60)]));
        let mut image = Image::zero([(P..2 * P, Prot::RW)]).unwrap();
        assert!(image.set_page(2 * P, &[1; PAGE]).is_err());
        assert!(image.read(P, &mut [0; PAGE + 1]).is_err());
        // Beyond the memory.
        let image = Image::zero([(1 << 32..(1 << 32) + P, Prot::RW)]).unwrap();
        assert!(Memory::new(Mode::Sandbox, 0).unwrap().show(&image).is_err());
    }
}
