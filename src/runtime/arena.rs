//! The memory of translated code: one memory, mapped writable and executable at two addresses.
#![allow(unsafe_code, reason = "writes to the writable view through raw pointers")]
//! # Safety
//! Writes go through the writable view, inside bounds that are checked. Code is written before
//! any jump to it is stored; what is rewritten while other threads may execute it is one 4-byte
//! displacement that does not cross a cache line.

use crate::sys::icache;
use crate::sys::mmap::{HostProt, Reservation, memfd};
use crate::util::{CodePtr, HostAddr};
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};

/// Code memory. The first half is for hot code, the second for cold.
#[derive(Debug)]
pub(super) struct Arena {
    exec: Reservation,
    /// The writable view; none where the host refused two views and `exec` is writable itself.
    write: Option<Reservation>,
    size: usize,
}

impl Arena {
    /// Reserves `size` bytes; memory is used as code is written.
    pub(super) fn new(size: usize) -> io::Result<Self> {
        match Self::dual(size) {
            Ok(arena) => Ok(arena),
            // No memfd, or none that may be executed: one view with all rights.
            Err(_) => {
                let exec = Reservation::new(size)?;
                exec.map_anon(0..size, HostProt::RWX, false)?;
                Ok(Self { exec, write: None, size })
            }
        }
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
        Ok(Self { exec, write: Some(write), size })
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

    /// Copies code to its place, where nothing is executed yet.
    pub(super) fn write(&self, at: CodePtr, code: &[u8]) {
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
