//! Paths that a call is given.
//!
//! Everything that names a file goes through [`Thread::path`] or [`Thread::new_path`], which
//! answer with a directory descriptor and a path; what names mean is in [`super::namespace`].

use crate::linux::abi::{Errno, Fd, GuestCStr};
use crate::linux::fs::host_path::{HostPath, Last};
use crate::linux::fs::namespace::Program;
use crate::linux::process::{Process, Thread};
use std::path::{Path, PathBuf};

impl Process {
    /// The running program, for lookups.
    pub(crate) fn program(&self) -> Program<'_> {
        Program { path: &self.exe_host, file: self.exe_file.as_deref() }
    }

    /// What the guest calls a file of the host: what is outside keeps the host's name, which means
    /// nothing here.
    pub(crate) fn file_name(&self, host: &Path) -> PathBuf {
        self.options.files.guest_name(host).unwrap_or_else(|| host.to_path_buf())
    }
}

impl Thread {
    /// Copies a path from the guest that names an existing object, or that creates one where
    /// nothing of that name is below the sysroot, and says where it leads.
    ///
    /// # Errors
    /// `EFAULT` and `ENAMETOOLONG`.
    pub(crate) fn path(&self, dir: Fd, path: GuestCStr, last: Last) -> Result<HostPath, Errno> {
        let path = path.read_path(self.memory())?;
        self.process.options.files.lookup(self.process.program(), dir, path, last)
    }

    /// Where a path of the guest's leads that is in no memory of its own.
    ///
    /// # Errors
    /// Those of path_resolution(7).
    pub(crate) fn located(&self, path: &[u8]) -> Result<HostPath, Errno> {
        let files = &self.process.options.files;
        let at = files.lookup(self.process.program(), Fd::CWD, path.to_vec(), Last::Follow)?;
        // Of an empty one the host knows what to say.
        if files.world().is_some() { at.named() } else { Ok(at) }
    }

    /// As [`Self::path`] for a path that is created, removed or renamed: a link at its end is meant
    /// itself.
    ///
    /// # Errors
    /// `EFAULT` and `ENAMETOOLONG`.
    pub(crate) fn new_path(&self, dir: Fd, path: GuestCStr) -> Result<HostPath, Errno> {
        let path = path.read_path(self.memory())?;
        self.process.options.files.lookup_new(self.process.program(), dir, path)
    }
}
