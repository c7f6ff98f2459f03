//! What a process and a thread remember of open files of `/proc` whose contents are made here.

use crate::linux::abi::Fd;
use crate::linux::host::{FileIdentity, file_identity};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The device of the file system on which files of `/proc` have been opened whose contents are made
/// here; 0 if none has.
#[derive(Debug, Default)]
pub(crate) struct ProcDevice(AtomicU64);

impl ProcDevice {
    /// For a process that gets the descriptors of another.
    pub(crate) fn copy(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }

    /// Takes note of a file that has been opened.
    pub(super) fn note(&self, file: &FileIdentity) {
        self.0.store(file.dev, Ordering::Relaxed);
    }

    /// True if a descriptor may be that of such a file.
    pub(super) fn may_have(&self, fd: Fd) -> bool {
        let device = self.0.load(Ordering::Relaxed);
        device != 0 && file_identity(fd.0).is_ok_and(|file| file.dev == device)
    }
}

/// What was last read from such a file: it is made once for all its pieces.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(super) fd: i32,
    pub(super) inode: u64,
    pub(super) text: Arc<Vec<u8>>,
}
