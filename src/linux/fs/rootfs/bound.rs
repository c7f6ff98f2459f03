//! Sockets that a process has bound to paths of its world.

use crate::linux::host::file_identity;
use std::collections::{HashMap, HashSet};
use std::os::fd::{AsRawFd, OwnedFd};

/// What this process has bound, and what it knows.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    /// Directories that were seen inside: device and inode number.
    pub(super) inside: HashSet<(u64, u64)>,
    /// Directories that sockets were bound in, by device and inode number: a name may have been
    /// given to another one meanwhile.
    pub(super) dirs: HashMap<(u64, u64), OwnedFd>,
    /// The guest's addresses by the host's.
    pub(super) addresses: HashMap<Vec<u8>, Vec<u8>>,
}

impl Bound {
    /// Descriptors of the directories.
    pub(super) fn held(&self) -> impl Iterator<Item = i32> + '_ {
        self.dirs.values().map(AsRawFd::as_raw_fd)
    }

    /// Leaves descriptors alone that are not what they were opened as in this process's table.
    pub(super) fn forget_opened(&mut self) {
        let is_here = |key: &(u64, u64), fd: &mut OwnedFd| {
            file_identity(fd.as_raw_fd()).is_ok_and(|f| (f.dev, f.inode) == *key)
        };
        for (_, fd) in self.dirs.extract_if(|key, fd| !is_here(key, fd)) {
            std::mem::forget(fd);
        }
    }
}
