//! Mappings that move, grow or show other parts of their file, and advice about them.

use super::map::{Advice, Backing, MapError, Mapping, Mark, Memory, mapped_prefix, whole_pages};
use crate::util::{PAGE_SIZE, Split, page_down, page_up};
use std::ops::Range;

impl Memory {
    /// Moves mappings: the pages of `old` go to `new`, which replaces what was there and may be
    /// longer if they are one mapping. With `leave`, what was moved stays mapped without its pages.
    /// An empty `old` shows the shared mapping that is there a second time.
    ///
    /// # Errors
    /// See [`MapError`]; `Invalid` if `old` and `new` overlap.
    pub fn remap(&self, old: Range<u64>, new: Range<u64>, leave: bool) -> Result<(), MapError> {
        let new = self.pages(new.start, new.end.wrapping_sub(new.start))?;
        let first = self.pages(old.start, (old.end - old.start).max(PAGE_SIZE))?;
        if old.start < new.end && new.start < old.end {
            return Err(MapError::Invalid);
        }
        let mut state = self.lock();
        state.check_seals(&first)?;
        state.check_seals(&new)?;
        // Where each part goes, the last one as long as there is room.
        let mut parts: Vec<(Range<u64>, Mapping)> = Vec::new();
        for (r, m) in state.map.overlapping(first.clone()) {
            let start = r.start.max(first.start);
            let to = new.start + (start - first.start);
            let end = if r.end >= first.end { new.end } else { to + (r.end - start) };
            parts.push((to..end, m.advance(start - r.start)));
        }
        if parts.first().is_none_or(|(to, _)| to.start != new.start) {
            return Err(MapError::NotMapped);
        }
        self.forget_code(&mut state, &old);
        self.forget_code(&mut state, &new);
        self.region.move_pages(self.offsets(&old), self.offsets(&new), leave)?;
        let left_out = state.undumped.get(first.start).is_some();
        state.undumped.remove(new.clone());
        if left_out {
            state.undumped.insert(new.clone(), Mark);
        }
        if !leave {
            state.undumped.remove(old.clone());
            state.map.remove(old);
        }
        state.map.remove(new);
        for (to, mapping) in parts {
            state.map.insert(to, mapping);
        }
        Ok(())
    }

    /// Extends the mapping that ends at `end` to `to`, where nothing is.
    ///
    /// # Errors
    /// See [`MapError`]; nothing has changed then.
    pub fn grow(&self, end: u64, to: u64) -> Result<(), MapError> {
        let more = self.pages(end, to.wrapping_sub(end))?;
        let last = self.pages(end.wrapping_sub(PAGE_SIZE), PAGE_SIZE)?;
        let mut state = self.lock();
        if state.map.overlapping(more.clone()).next().is_some() {
            return Err(MapError::Occupied);
        }
        state.check_seals(&last)?;
        let (r, m) = state.map.get(last.start).ok_or(MapError::NotMapped)?;
        let mapping = m.advance(more.start - r.start);
        self.forget_code(&mut state, &last);
        self.region.extend(self.offsets(&last), self.offsets(&more))?;
        state.map.insert(more, mapping);
        Ok(())
    }

    /// Lets whole pages of a shared mapping show their file from page `page` on.
    ///
    /// # Errors
    /// `Invalid` if the range is not all of one shared file.
    pub fn show_file_pages(&self, addr: u64, len: u64, page: u64) -> Result<(), MapError> {
        let range = self.pages(addr, len)?;
        let mut state = self.lock();
        state.check_seals(&range)?;
        let mut file = None;
        let one_file = mapped_prefix(&state.map, &range) == range
            && state.map.overlapping(range.clone()).all(|(_, m)| match &m.backing {
                Backing::File { path, dev, inode, .. } if m.shared => {
                    let this = (path.clone(), *dev, *inode, m.prot);
                    *file.get_or_insert_with(|| this.clone()) == this
                }
                _ => false,
            });
        if !one_file {
            return Err(MapError::Invalid);
        }
        self.forget_code(&mut state, &range);
        self.region.show_file_pages(self.offsets(&range), page)?;
        let (_, m) = state.map.get(range.start).ok_or(MapError::NotMapped)?;
        let mut mapping = m.clone();
        if let Backing::File { offset, .. } = &mut mapping.backing {
            *offset = page * PAGE_SIZE;
        }
        state.map.insert(range, mapping);
        Ok(())
    }

    /// Passes on advice. Contents that go are gone for the translator too.
    ///
    /// # Errors
    /// `NotMapped` if a part is not mapped; all others have been advised then, as by `madvise`.
    pub fn advise(&self, addr: u64, len: u64, advice: Advice) -> Result<(), MapError> {
        let range = whole_pages(addr, len)?;
        let mut state = self.lock();
        let (Advice::Discard(raw) | Advice::Other(raw)) = advice;
        if matches!(advice, Advice::Discard(_)) {
            let lasting =
                |m: &Mapping| m.prot.writable() || matches!(m.backing, Backing::File { .. });
            if state.map.overlapping(range.clone()).any(|(_, m)| !lasting(m)) {
                state.check_seals(&range)?;
            }
            self.forget_code(&mut state, &range);
        }
        match raw {
            libc::MADV_DONTDUMP => state.undumped.insert(range.clone(), Mark),
            libc::MADV_DODUMP => state.undumped.remove(range.clone()),
            _ => {}
        }
        let mut parts = runs(state.map.overlapping(range.clone()).map(|(r, _)| r), &range);
        if matches!(raw, libc::MADV_POPULATE_READ | libc::MADV_POPULATE_WRITE) {
            // They end at what is not mapped.
            parts.retain(|part| part.start == range.start);
        }
        for part in parts {
            self.region.advise(self.offsets(&part), raw)?;
        }
        if mapped_prefix(&state.map, &range) == range { Ok(()) } else { Err(MapError::NotMapped) }
    }

    /// Says that bytes of `range` are about to change, whatever its protection: translations of
    /// them are void.
    pub fn expect_rewrite(&self, range: Range<u64>) {
        let pages = page_down(range.start)..page_up(range.end).unwrap_or(u64::MAX);
        let mut state = self.lock();
        self.forget_code(&mut state, &pages);
    }

    /// Says whether children get the pages of a range.
    ///
    /// # Errors
    /// As [`Self::advise`].
    pub fn inherit(&self, addr: u64, len: u64, inherited: bool) -> Result<(), MapError> {
        let range = whole_pages(addr, len)?;
        let mut state = self.lock();
        state.map.update(range.clone(), |m| m.traits.dont_fork = !inherited);
        if mapped_prefix(&state.map, &range) == range { Ok(()) } else { Err(MapError::NotMapped) }
    }

    /// In a child of `fork`: unmaps what it is not to have ([`Self::inherit`]).
    pub fn drop_uninherited(&self) {
        let gone = |(_, m): &(Range<u64>, Mapping)| m.traits.dont_fork;
        for (range, _) in self.mappings().into_iter().filter(gone) {
            // What the host does not unmap stays as it was.
            let _ = self.unmap(range.start, range.end - range.start);
        }
    }

    /// The mapped parts of `range`, lowest first, as few as possible.
    #[must_use]
    pub fn mapped_parts(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let state = self.lock();
        runs(state.map.overlapping(range.clone()).map(|(r, _)| r), &range)
    }
}

/// What `ranges`, which ascend, cover of `within`.
fn runs(ranges: impl Iterator<Item = Range<u64>>, within: &Range<u64>) -> Vec<Range<u64>> {
    let mut all: Vec<Range<u64>> = Vec::new();
    for r in ranges {
        let r = r.start.max(within.start)..r.end.min(within.end);
        match all.last_mut() {
            Some(last) if last.end == r.start => last.end = r.end,
            _ => all.push(r),
        }
    }
    all
}
