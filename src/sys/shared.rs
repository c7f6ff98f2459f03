//! Pages that the kernel, other processes and the guest read and write while we do.
#![allow(unsafe_code, reason = "hands out words of a shared mapping")]
//! # Safety
//! The words are only reached as atomics, since anybody may change them at any time. The pages are
//! anonymous shared memory, which cannot be cut short, and stay mapped as long as their owner
//! lives.

use super::mmap::{HostProt, Reservation, host_page_size};
use crate::util::HostAddr;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Shared pages, zero at first. Children of `fork` have the same ones.
#[derive(Debug)]
pub struct SharedPages {
    memory: Reservation,
}

impl SharedPages {
    /// At least `len` bytes in whole pages.
    ///
    /// # Errors
    /// What `mmap` says.
    pub fn new(len: usize) -> io::Result<Self> {
        let len = len.next_multiple_of(host_page_size());
        let memory = Reservation::new(len)?;
        memory.map_anon(0..len, HostProt::RW, true)?;
        Ok(Self { memory })
    }

    /// Address of the first byte.
    #[must_use]
    pub fn base(&self) -> HostAddr {
        self.memory.base()
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.memory.len()
    }

    /// True for no pages.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.memory.is_empty()
    }

    /// The 32-bit word at a byte offset.
    ///
    /// # Panics
    /// There is no such word.
    #[must_use]
    pub fn word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4) && offset < self.len(), "word at {offset}");
        // SAFETY: inside the pages, aligned, and they live as long as `self`.
        unsafe { &*((self.base().0 + offset) as *const AtomicU32) }
    }

    fn word64(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8) && offset < self.len(), "word at {offset}");
        // SAFETY: as in `word`.
        unsafe { &*((self.base().0 + offset) as *const AtomicU64) }
    }

    /// Reads `to.len()` words from byte offset `offset` on, each one once.
    ///
    /// # Panics
    /// There are not as many.
    pub fn load(&self, offset: usize, to: &mut [u64]) {
        for (i, word) in to.iter_mut().enumerate() {
            *word = self.word64(offset + 8 * i).load(Ordering::Relaxed);
        }
    }

    /// Writes words from byte offset `offset` on.
    ///
    /// # Panics
    /// There are not as many.
    pub fn store(&self, offset: usize, from: &[u64]) {
        for (i, &word) in from.iter().enumerate() {
            self.word64(offset + 8 * i).store(word, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_where_they_were_put() {
        let pages = SharedPages::new(1).unwrap();
        pages.store(8, &[0x1_0000_0002, 3]);
        let mut back = [0; 3];
        pages.load(0, &mut back);
        assert_eq!(back, [0, 0x1_0000_0002, 3]);
        assert_eq!(pages.word(12).load(Ordering::Relaxed), 1);
    }

    #[test]
    #[should_panic(expected = "word at")]
    fn there_are_no_words_behind_the_pages() {
        let pages = SharedPages::new(1).unwrap();
        pages.load(pages.len() - 8, &mut [0; 2]);
    }
}
