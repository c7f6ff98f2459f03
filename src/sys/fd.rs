//! Descriptors of our own in a process whose low descriptors are the guest's.
#![allow(unsafe_code, reason = "calls fcntl")]
//! # Safety
//! The only unsafe operations are a system call and taking possession of the descriptor that it
//! makes.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A copy of `fd` that is closed on exec, with a number that guests do not come across as long as
/// they take the lowest free one.
///
/// # Errors
/// What `fcntl` says.
pub fn keep_aside(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // The limit is 1024 by default, and may be lower.
    for lowest in [1000, 200, 3] {
        // SAFETY: `F_DUPFD_CLOEXEC` touches nothing but the descriptor table.
        let copy = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, lowest) };
        if copy >= 0 {
            // SAFETY: a descriptor that we just got and nobody else owns.
            return Ok(unsafe { OwnedFd::from_raw_fd(copy) });
        }
    }
    Err(io::Error::last_os_error())
}
