//! The memory of translated code.
//!
//! It is private memory with all rights: a child process has a copy of it and goes on with the code
//! that its parent has translated. Where guests are confined (`Mode::Sandbox`), or the host refuses
//! that, it is a shared memory that is mapped writable and executable at two addresses.
//!
//! Memory is asked for ahead of its use, in growing steps, and as huge pages behind the first
//! megabyte: a page fault for each 4 KiB of code costs as much as making it.
#![allow(unsafe_code, reason = "writes to the writable view through raw pointers")]
//! # Safety
//! Writes go through the writable view, inside bounds that are checked. Code is written before
//! any jump to it is stored; what is rewritten while other threads may execute it is one 4-byte
//! displacement that does not cross a cache line.

use crate::sys::icache;
use crate::sys::mmap::{ADVISE_HUGE, ADVISE_POPULATE, HostProt, Reservation, memfd};
use crate::util::{CodePtr, HostAddr};
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Code memory. The first half is for hot code, the second for cold.
#[derive(Debug)]
pub(super) struct Arena {
    exec: Reservation,
    /// The writable view, if `exec` is not writable itself.
    write: Option<Reservation>,
    size: usize,
    /// Up to where there is memory already, in either half. Only the writer of code looks at it.
    ready: [AtomicUsize; 2],
}

/// Least and greatest number of bytes that memory is asked for at once.
const STEP: (usize, usize) = (16 << 10, 1 << 20);
/// Size of a huge page.
const HUGE: usize = 2 << 20;
/// Bytes of code in a half behind which it is worth huge pages.
const LARGE: usize = 1 << 20;

impl Arena {
    /// Reserves `size` bytes. `apart`: writable and executable addresses are to differ.
    pub(super) fn new(size: usize, apart: bool) -> io::Result<Self> {
        if apart {
            Self::dual(size).or_else(|_| Self::single(size))
        } else {
            Self::single(size).or_else(|_| Self::dual(size))
        }
    }

    fn single(size: usize) -> io::Result<Self> {
        let exec = Reservation::new(size)?;
        exec.map_anon(0..size, HostProt::RWX, false)?;
        Ok(Self::of(exec, None, size))
    }

    fn dual(size: usize) -> io::Result<Self> {
        let file = memfd(c"rvnative-code", size)?;
        let exec = Reservation::new(size)?;
        exec.map_file(0..size, HostProt::RX, true, file.as_fd(), 0)?;
        let write = Reservation::new(size)?;
        write.map_file(0..size, HostProt::RW, true, file.as_fd(), 0)?;
        if !icache::views_agree(exec.base(), write.base()) {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        Ok(Self::of(exec, Some(write), size))
    }

    fn of(exec: Reservation, write: Option<Reservation>, size: usize) -> Self {
        Self { exec, write, size, ready: [AtomicUsize::new(0), AtomicUsize::new(size / 2)] }
    }

    /// A child process has the code, and neither it nor its parent sees what the other writes.
    pub(super) fn is_private(&self) -> bool {
        self.write.is_none()
    }

    /// Sees to memory up to `end`, in the half that ends there.
    fn make_ready(&self, end: usize) {
        let half = usize::from(end > self.size / 2);
        let from = self.ready[half].load(Ordering::Relaxed);
        if end <= from {
            return;
        }
        let view = self.write.as_ref().unwrap_or(&self.exec);
        let (start, limit) = (half * self.size / 2, (half + 1) * self.size / 2);
        let used = from - start;
        let step = (used / 2).next_power_of_two().clamp(STEP.0, STEP.1);
        let mut to = (end + step).next_multiple_of(STEP.0).min(limit);
        if used >= LARGE && self.is_private() {
            to = to.next_multiple_of(HUGE).min(limit);
            // A host without huge pages has small ones.
            let _ = view.advise(from..to, ADVISE_HUGE);
        }
        // One that does not know this makes pages as they are touched.
        let _ = view.advise(from..to, ADVISE_POPULATE);
        self.ready[half].store(to, Ordering::Relaxed);
    }

    /// First executable address.
    pub(super) fn exec_base(&self) -> HostAddr {
        self.exec.base()
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The place that an executable address is.
    pub(super) fn place(&self, at: HostAddr) -> Option<CodePtr> {
        self.exec.contains(at).then(|| CodePtr((at.0 - self.exec.base().0) as u32))
    }

    fn writable(&self, at: CodePtr, len: usize) -> *mut u8 {
        assert!(at.0 as usize + len <= self.size, "a write beyond the code arena");
        let base = self.write.as_ref().unwrap_or(&self.exec).base();
        (base.0 + at.0 as usize) as *mut u8
    }

    /// Copies code to its place, where nothing is executed yet. Other threads may reach it after
    /// [`icache::sync_cores`].
    pub(super) fn write(&self, at: CodePtr, code: &[u8]) {
        if code.is_empty() {
            return;
        }
        self.make_ready(at.0 as usize + code.len());
        let to = self.writable(at, code.len());
        // SAFETY: `writable` checked the bounds; the view is ours and no reference to it exists.
        unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), to, code.len()) };
        self.sync(at, to, code.len());
    }

    /// Replaces four bytes of code that may be executing.
    pub(super) fn patch(&self, at: CodePtr, word: u32) {
        let to = self.writable(at, 4);
        debug_assert!(at.0 & 63 <= 60, "a patch must not cross a cache line");
        if to.addr().is_multiple_of(4) {
            // SAFETY: in bounds and aligned; other threads only fetch these bytes as code.
            unsafe { AtomicU32::from_ptr(to.cast()) }.store(word, Ordering::Release);
        } else {
            // SAFETY: in bounds; within one cache line the host stores four bytes at once.
            unsafe { to.cast::<u32>().write_unaligned(word) };
        }
        self.sync(at, to, 4);
    }

    /// Lets instruction fetches see what was written.
    fn sync(&self, at: CodePtr, written: *mut u8, len: usize) {
        let exec = HostAddr(self.exec.base().0 + at.0 as usize);
        icache::sync(exec, HostAddr(written.addr()), len);
    }
}
