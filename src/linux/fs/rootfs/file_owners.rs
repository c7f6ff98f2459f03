//! A table of owners that is filled before a guest has its root.

use super::fake::{NEVER_REAL, needed, stat};
use super::owners::{Entry, Owners};
use crate::linux::abi::Fd;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

impl Entry {
    /// What a file needs to have the owner, the mode (permissions and type) and, if it is a
    /// device, the number; and the permissions with which the host has it.
    #[must_use]
    pub fn of(owner: (u32, u32), mode: u32, device: Option<u32>) -> (Self, u32) {
        let wanted = mode & 0o7777;
        let real = wanted & !NEVER_REAL | needed(mode as u16);
        let differs = real != wanted || device.is_some();
        let entry = Self {
            owner: (owner != (0, 0)).then_some(owner),
            mode: differs.then_some(wanted),
            device: device.map(|number| (mode & libc::S_IFMT, number)),
        };
        (entry, real)
    }
}

/// A table of owners for a root directory that nobody uses yet.
#[derive(Debug)]
pub struct FileOwners(Owners);

impl FileOwners {
    /// Makes the file.
    ///
    /// # Errors
    /// The host's.
    pub fn create(path: &Path) -> io::Result<Self> {
        Owners::new(Owners::file(path)?).map(Self)
    }

    /// Remembers what is different about the file `name` in a directory, without following it.
    ///
    /// # Errors
    /// The host's; `StorageFull` if the table is.
    pub fn set(&self, dir: BorrowedFd<'_>, name: &CStr, entry: Entry) -> io::Result<()> {
        let x = stat((Fd(dir.as_raw_fd()), name))?;
        if self.0.set(&x, entry) { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }
}
