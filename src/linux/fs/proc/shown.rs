//! What a process and a thread remember of open files of `/proc` whose contents are made here.

use crate::linux::abi::Fd;
use crate::linux::host::{FileIdentity, file_identity, file_system};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The device of the file system on which files of `/proc` have been opened whose contents are made
/// here; 0 if none has, and [`SEVERAL`] if there are more than one.
#[derive(Debug, Default)]
pub(crate) struct ProcDevice(AtomicU64);

/// No device.
const SEVERAL: u64 = u64::MAX;

impl ProcDevice {
    /// For a process that gets the descriptors of another.
    pub(crate) fn copy(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }

    /// Takes note of a file that has been opened.
    pub(super) fn note(&self, file: &FileIdentity) {
        let only = self.0.compare_exchange(0, file.dev, Ordering::Relaxed, Ordering::Relaxed);
        if only.is_err_and(|known| known != file.dev) {
            self.0.store(SEVERAL, Ordering::Relaxed);
        }
    }

    /// True if a descriptor may be that of such a file.
    pub(super) fn may_have(&self, fd: Fd) -> bool {
        match self.0.load(Ordering::Relaxed) {
            0 => false,
            SEVERAL => file_system(fd.0) == Ok(libc::PROC_SUPER_MAGIC as u64),
            device => file_identity(fd.0).is_ok_and(|file| file.dev == device),
        }
    }
}

/// What was last read from such a file: it is made once for all its pieces.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(super) fd: i32,
    pub(super) inode: u64,
    pub(super) text: Arc<Vec<u8>>,
}
