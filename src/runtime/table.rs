//! The table from guest addresses to code: one 4-byte arena offset for each even address.
//!
//! Addresses are reserved for all of it and memory is used by the page, so it costs twice the size
//! of the guest code that is executed. Translated code reads it without locks.
#![allow(unsafe_code, reason = "reads and writes table entries through raw pointers")]
//! # Safety
//! Entries are accessed as atomics inside bounds that are checked; the reservation lives as long
//! as the table.

use crate::sys::mmap::{ADVISE_POPULATE, ADVISE_UNDUMPED, HostProt, Reservation};
use crate::util::{CodePtr, HostAddr};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// Guest addresses from here on have no entry; code there is interpreted.
pub const MAX_TABLE: u64 = 1 << 39;

/// Bytes of guest code for whose entries memory is asked at once.
pub(super) const STEP: u64 = 16 << 10;

/// The table. Entry 0 means "not translated".
#[derive(Debug)]
pub(super) struct PcTable {
    memory: Reservation,
    entries: u64,
}

impl PcTable {
    /// A table for guest addresses below `size`, or [`MAX_TABLE`] if that is less.
    pub(super) fn new(size: u64) -> io::Result<Self> {
        let entries = size.min(MAX_TABLE) / 2;
        let bytes = entries as usize * 4;
        let memory = Reservation::new(bytes)?;
        memory.map_anon(0..bytes, HostProt::RW, false)?;
        // Few pages of it are there, and a core dump of the host would have the size of all.
        memory.advise(0..bytes, ADVISE_UNDUMPED)?;
        Ok(Self { memory, entries })
    }

    pub(super) fn base(&self) -> HostAddr {
        self.memory.base()
    }

    /// Number of entries.
    pub(super) fn limit(&self) -> u64 {
        self.entries
    }

    /// Sees to memory for the entries of the [`STEP`] bytes of code at `pc`, which are about to be
    /// used: it costs less than the page faults, two for each page that is read before it is written.
    pub(super) fn make_ready(&self, pc: u64) {
        let start = (pc / STEP * STEP).min(self.entries * 2);
        let end = (start + STEP).min(self.entries * 2);
        // A host that does not know this makes pages as they are touched.
        let _ = self.memory.advise(start as usize * 2..end as usize * 2, ADVISE_POPULATE);
    }

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
