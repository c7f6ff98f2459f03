//! Descriptors of our own in a process whose low descriptors are the guest's.
#![allow(unsafe_code, reason = "calls fcntl")]
//! # Safety
//! The only unsafe operations are a system call and taking possession of the descriptor that it
//! makes.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};
use std::sync::atomic::{AtomicI32, Ordering};

/// An open file that is not the guest's.
#[derive(Debug)]
pub struct Aside(File);

/// Numbers of all there are. Without a lock, which another thread might hold in a fork.
static ALL: [AtomicI32; 16] = [const { AtomicI32::new(NONE) }; 16];
const NONE: i32 = -1;

/// A copy of `fd` that is closed on exec, with a number that guests do not come across as long as
/// they take the lowest free one.
///
/// # Errors
/// What `fcntl` says; `EMFILE` if there are sixteen.
pub fn keep_aside(fd: BorrowedFd<'_>) -> io::Result<Aside> {
    // The limit is 1024 by default, and may be lower.
    for lowest in [1000, 200, 3] {
        // SAFETY: `F_DUPFD_CLOEXEC` touches nothing but the descriptor table.
        let copy = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, lowest) };
        if copy >= 0 {
            // SAFETY: a descriptor that we just got and nobody else owns.
            let file = unsafe { File::from_raw_fd(copy) };
            return if replace(NONE, copy) {
                Ok(Aside(file))
            } else {
                Err(io::Error::from_raw_os_error(libc::EMFILE))
            };
        }
    }
    Err(io::Error::last_os_error())
}

/// Another descriptor for the file of `fd`, a number that somebody has agreed on with who started
/// the process.
///
/// # Errors
/// What `fcntl` says: `EBADF` if it is not open.
pub fn duplicate(fd: i32) -> io::Result<File> {
    // SAFETY: as in `keep_aside`.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 200) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that we just got and nobody else owns.
    Ok(unsafe { File::from_raw_fd(copy) })
}

/// Replaces one number in the list; false if it is not there.
fn replace(old: i32, new: i32) -> bool {
    let swap = |n: &AtomicI32| n.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire);
    ALL.iter().any(|n| swap(n).is_ok())
}

/// Numbers of the descriptors that were kept aside.
pub fn kept_aside() -> impl Iterator<Item = i32> {
    ALL.iter().map(|n| n.load(Ordering::Acquire)).filter(|&n| n != NONE)
}

/// Closes a descriptor that was kept aside by the process that this one is a copy of, and whose
/// owner will not be dropped here.
pub fn close_aside(fd: i32) {
    if replace(fd, NONE) {
        // SAFETY: nobody in this process uses it any more, as the caller says.
        unsafe { libc::close(fd) };
    }
}

impl Aside {
    /// Leaves the descriptor alone: its number means nothing in this process's table.
    pub fn forget(self) {
        replace(self.0.as_raw_fd(), NONE);
        std::mem::forget(self);
    }
}

impl Deref for Aside {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        replace(self.0.as_raw_fd(), NONE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn what_is_kept_aside_is_known_until_it_is_closed() {
        let aside = keep_aside(std::io::stderr().as_fd()).unwrap();
        let fd = aside.as_raw_fd();
        assert!(kept_aside().any(|n| n == fd));
        drop(aside);
        assert!(!kept_aside().any(|n| n == fd));
    }
}
