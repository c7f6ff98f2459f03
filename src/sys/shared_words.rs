//! A file of 64-bit words that several processes read and write at once.
#![allow(unsafe_code, reason = "hands out words of a shared mapping")]
//! # Safety
//! The words are only reached as atomics, which other processes may change at any time. A file
//! that is cut short under us raises SIGBUS, as any mapping does; nobody else knows of ours.

use memmap2::{MmapOptions, MmapRaw};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::AtomicU64;

/// The mapping of such a file.
#[derive(Debug)]
pub struct SharedWords {
    map: MmapRaw,
    len: usize,
}

impl SharedWords {
    /// Maps the first `len` words of a file that has as many.
    ///
    /// # Errors
    /// What the host says.
    pub fn new(file: &impl AsFd, len: usize) -> io::Result<Self> {
        let fd = file.as_fd().as_raw_fd();
        let map = MmapOptions::new().len(len * size_of::<u64>()).map_raw(fd)?;
        Ok(Self { map, len })
    }

    /// The word at an index.
    ///
    /// # Panics
    /// There is no such word.
    #[must_use]
    pub fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < self.len, "word {index} of {}", self.len);
        // SAFETY: the mapping holds `len` words, starts at a page, and lives as long as `self`.
        unsafe { &*self.map.as_mut_ptr().cast::<AtomicU64>().add(index) }
    }
}
