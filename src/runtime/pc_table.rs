//! The table from guest addresses to code: one 4-byte arena offset for each even address.
//!
//! Addresses are reserved for all of it and memory is used by the page, so it costs twice the size
//! of the guest code that is executed. Translated code reads it without locks.
//!
//! Where a limit does not allow so many addresses or so much data, nothing of the table is mapped
//! before it is touched, and the fault handler maps it ([`fill`]).
#![allow(unsafe_code, reason = "reads and writes table entries through raw pointers")]
//! # Safety
//! Entries are accessed as atomics inside bounds that are checked; the reservation lives as long
//! as the table. What of it is not mapped is mapped by the fault handler when it is touched.

use crate::sys::mmap::{
    ADVISE_NO_HUGE, ADVISE_POPULATE, ADVISE_UNDUMPED, HostProt, Reservation, limits, map_in_handler,
};
use crate::util::{CodePtr, HostAddr, PAGE_SIZE};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Guest addresses from here on have no entry; code there is interpreted.
pub const MAX_TABLE: u64 = 1 << 39;

/// Bytes of guest code for whose entries memory is asked at once: a page, so that the table takes
/// no more than twice what the guest has in pages with code.
pub(super) const STEP: u64 = PAGE_SIZE;

/// The table. Entry 0 means "not translated".
#[derive(Debug)]
pub(super) struct PcTable {
    memory: Reservation,
    entries: u64,
    /// It is filled by the fault handler, and has a place among those that are.
    sparse: Option<Place>,
}

/// Places for tables that are not reserved, far below where the host maps by itself.
const PLACES: Range<usize> = 1 << 40..(1 << 40) + TAKEN.len() * PLACE;
/// Bytes of a place: the largest table.
const PLACE: usize = MAX_TABLE as usize * 2;
/// Bytes of a table that are mapped at once.
const CHUNK: usize = 128 << 10;

static TAKEN: [AtomicBool; 8] = [const { AtomicBool::new(false) }; 8];

/// One of them.
#[derive(Debug)]
struct Place(usize);

impl Place {
    fn take() -> io::Result<Self> {
        let free = |n: &usize| !TAKEN[*n].swap(true, Ordering::AcqRel);
        let found = (0..TAKEN.len()).find(free);
        found.map(Self).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        TAKEN[self.0].store(false, Ordering::Release);
    }
}

/// For the fault handler: maps the part of a table that was touched at `at`. False if that is in
/// no table, or if there is no memory. Async-signal-safe.
pub(super) fn fill(at: HostAddr) -> bool {
    if !PLACES.contains(&at.0) || !TAKEN[(at.0 - PLACES.start) / PLACE].load(Ordering::Acquire) {
        return false;
    }
    // SAFETY: the place is a table's, and holds nothing else.
    unsafe { map_in_handler(HostAddr(at.0 / CHUNK * CHUNK), CHUNK) }
}

impl PcTable {
    /// A table for guest addresses below `size`, or [`MAX_TABLE`] if that is less.
    pub(super) fn new(size: u64) -> io::Result<Self> {
        let entries = size.min(MAX_TABLE) / 2;
        let bytes = entries as usize * 4;
        let reserve = || {
            // The limit would not refuse the table, which replaces other pages, but all that
            // follows.
            if limits()[1] < bytes as u64 {
                return Err(io::Error::from(io::ErrorKind::OutOfMemory));
            }
            let memory = Reservation::new(bytes)?;
            memory.map_anon(0..bytes, HostProt::RW, false)?;
            // Few pages of it are there, and a core dump of the host would have the size of all.
            memory.advise(0..bytes, ADVISE_UNDUMPED)?;
            // A huge page for each place that has code would be five hundred times what it needs.
            let _ = memory.advise(0..bytes, ADVISE_NO_HUGE);
            Ok::<_, io::Error>(memory)
        };
        match reserve() {
            Ok(memory) => Ok(Self { memory, entries, sparse: None }),
            Err(e) if e.kind() == io::ErrorKind::OutOfMemory => {
                let place = Place::take()?;
                let base = HostAddr(PLACES.start + place.0 * PLACE);
                let memory = Reservation::new_unheld(base, bytes)?;
                Ok(Self { memory, entries, sparse: Some(place) })
            }
            Err(e) => Err(e),
        }
    }

    pub(super) fn base(&self) -> HostAddr {
        self.memory.base()
    }

    /// Number of entries.
    pub(super) fn limit(&self) -> u64 {
        self.entries
    }

    /// Sees to memory for the entries of the [`STEP`] bytes of code at `pc`, which are about to be
    /// used: it costs less than the page faults, two for each page that is read before it is
    /// written.
    pub(super) fn make_ready(&self, pc: u64) {
        if self.sparse.is_some() {
            return;
        }
        let start = (pc / STEP * STEP).min(self.entries * 2);
        let end = (start + STEP).min(self.entries * 2);
        // A host that does not know this makes pages as they are touched.
        let _ = self.memory.advise(start as usize * 2..end as usize * 2, ADVISE_POPULATE);
    }

    #[inline]
    fn entry(&self, pc: u64) -> Option<&AtomicU32> {
        if pc & 1 != 0 || pc / 2 >= self.entries {
            return None;
        }
        let at = (self.memory.base().0 + pc as usize / 2 * 4) as *mut u32;
        // SAFETY: in bounds by the check above, aligned by construction, alive as long as `self`;
        // everyone accesses entries atomically.
        Some(unsafe { AtomicU32::from_ptr(at) })
    }

    /// Code for `pc`.
    #[inline]
    pub(super) fn get(&self, pc: u64) -> Option<CodePtr> {
        let n = self.entry(pc)?.load(Ordering::Acquire);
        (n != 0).then_some(CodePtr(n))
    }

    /// Sets the code for `pc`; `None` empties the entry. Nothing happens beyond the table.
    pub(super) fn set(&self, pc: u64, code: Option<CodePtr>) {
        if let Some(e) = self.entry(pc) {
            e.store(code.map_or(0, |c| c.0), Ordering::Release);
        }
    }
}
