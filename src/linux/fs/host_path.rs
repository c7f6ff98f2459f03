//! A path of the guest in the host's terms.

use crate::linux::abi::{Errno, Fd};
use crate::linux::fs::proc::names::{self, ProcFile};
use crate::linux::fs::rootfs::{Handle, Resolved, fd_path};
use std::ffi::CString;

/// If the last component is a symbolic link: is it meant, or what it points to?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// What it points to.
    Follow,
    /// The link itself (`O_NOFOLLOW`, `AT_SYMLINK_NOFOLLOW`, `readlink`).
    Keep,
}

/// A guest path in the host's terms.
#[derive(Debug)]
pub(crate) struct HostPath {
    /// Directory where a relative path starts.
    pub dir: Fd,
    /// The path to give to the host.
    pub path: CString,
    /// The file of `/proc` that it is, where the guest must see something else than the host.
    pub proc: Option<ProcFile>,
    /// In a world of the guest's own: the descriptor of the object, to which `path` leads by way
    /// of a link.
    pub object: Option<i32>,
    /// In a world of the guest's own: it is on a read-only mount.
    pub read_only: bool,
    /// In a world of the guest's own: it is a mount point.
    pub is_mount: bool,
    /// The guest's name without links, where a world had to find it out.
    pub guest: Option<Vec<u8>>,
    /// What `dir` or `path` leads through.
    _held: Option<Handle>,
}

impl HostPath {
    pub(super) fn new(dir: Fd, path: Vec<u8>) -> Result<Self, Errno> {
        Ok(Self { path: CString::new(path).map_err(|_| Errno::EINVAL)?, ..Self::of_fd(dir) })
    }

    /// The same path, as that file of `/proc`.
    pub(super) fn with_proc(mut self, proc: Option<ProcFile>) -> Self {
        self.proc = proc;
        self
    }

    /// The open file `fd` itself, for calls with `AT_EMPTY_PATH`.
    pub(crate) fn of_fd(fd: Fd) -> Self {
        Self {
            dir: fd,
            path: CString::default(),
            proc: None,
            object: None,
            read_only: false,
            is_mount: false,
            guest: None,
            _held: None,
        }
    }

    /// What a lookup in a world has found.
    pub(crate) fn of_world(found: Resolved) -> Result<Self, Errno> {
        let proc = found.proc.as_ref().and_then(|name| names::classify(Fd::CWD, name));
        let fd = found.at.fd();
        let (dir, path, object) = match found.name {
            Some(name) => (Fd(fd), CString::new(name).map_err(|_| Errno::EINVAL)?, None),
            None => (Fd::CWD, fd_path(fd), Some(fd)),
        };
        Ok(Self {
            dir,
            path,
            proc,
            object,
            read_only: found.read_only,
            is_mount: found.is_mount,
            guest: found.guest,
            _held: Some(found.at),
        })
    }

    /// The path for a call that takes no directory.
    pub(crate) fn whole(&self) -> CString {
        if self.dir == Fd::CWD || self.path.as_bytes().first() == Some(&b'/') {
            return self.path.clone();
        }
        let dir = fd_path(self.dir.0).into_bytes();
        CString::new([&dir, &b"/"[..], self.path.as_bytes()].concat()).unwrap_or_default()
    }

    /// The guest's flags `AT_*` for the host: the way to an object goes through a link.
    pub(crate) fn flags(&self, guest: u32) -> u32 {
        match self.object {
            Some(_) => guest & !(libc::AT_SYMLINK_NOFOLLOW as u32),
            None => guest,
        }
    }

    /// The path, where an empty one does not mean the descriptor.
    ///
    /// # Errors
    /// `ENOENT`.
    pub(crate) fn named(self) -> Result<Self, Errno> {
        if self.path.is_empty() { Err(Errno::ENOENT) } else { Ok(self) }
    }

    /// Which of two calls to make: `link` does not follow one, `object` does.
    pub(crate) fn number(&self, link: i64, object: i64) -> i64 {
        if self.object.is_some() { object } else { link }
    }

    /// The path, of what is about to be changed.
    ///
    /// # Errors
    /// `EROFS`.
    pub(crate) fn changed(self) -> Result<Self, Errno> {
        if self.read_only { Err(Errno::EROFS) } else { Ok(self) }
    }

    /// The path, of what is about to be made.
    ///
    /// # Errors
    /// `EEXIST`, `EROFS`.
    pub(crate) fn made(self) -> Result<Self, Errno> {
        if self.is_mount { Err(Errno::EEXIST) } else { self.changed() }
    }

    /// The path, of what is about to be removed or renamed.
    ///
    /// # Errors
    /// `EBUSY`, `EROFS`.
    pub(crate) fn removed(self) -> Result<Self, Errno> {
        if self.is_mount { Err(Errno::EBUSY) } else { self.changed() }
    }
}
