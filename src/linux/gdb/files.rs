//! Files that a debugger reads and writes: by the guest's paths, with the guest's `/proc`.

use crate::gdb::FileError;
use crate::linux::abi::{Errno, Fd};
use crate::linux::fs::host_path::{HostPath, Last};
use crate::linux::fs::proc::names::ProcFile;
use crate::linux::host::host_fd;
use crate::linux::process::Process;
use crate::sys::fd::{Aside, keep_aside};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

/// What is open for the client.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<i32, Open>);

#[derive(Debug)]
enum Open {
    Host(Aside),
    /// A file of `/proc` that tells of the guest.
    Made(Vec<u8>),
}

/// What opening a path has to do.
pub(super) enum Found {
    /// It is open.
    Opened(i32),
    /// A thread of the guest has to make the content.
    Made(ProcFile, Vec<u8>),
}

impl From<Errno> for FileError {
    fn from(e: Errno) -> Self {
        Self(e.0.into())
    }
}

fn error(e: &io::Error) -> FileError {
    FileError(e.raw_os_error().unwrap_or(libc::EIO))
}

/// Flags of gdb's File-I/O protocol as the host's.
fn host_flags(flags: u32) -> i32 {
    const OPTIONS: [(u32, i32); 4] = [
        (0x8, libc::O_APPEND),
        (0x200, libc::O_CREAT),
        (0x400, libc::O_TRUNC),
        (0x800, libc::O_EXCL),
    ];
    let given = OPTIONS.iter().filter(|(bit, _)| flags & bit != 0);
    given.fold((flags & 3) as i32 | libc::O_CLOEXEC | libc::O_NONBLOCK, |all, (_, flag)| all | flag)
}

impl Process {
    fn find(&self, path: &[u8], last: Last, new: bool) -> Result<HostPath, Errno> {
        let files = &self.options.files;
        if new {
            files.lookup_new(self.program(), Fd::CWD, path.to_vec())
        } else {
            files.lookup(self.program(), Fd::CWD, path.to_vec(), last)
        }
    }
}

impl Files {
    fn add(&mut self, open: Open) -> i32 {
        let fd = (0..).find(|fd| !self.0.contains_key(fd)).unwrap_or(0);
        self.0.insert(fd, open);
        fd
    }

    /// Keeps a file whose content was made.
    pub(super) fn add_made(&mut self, content: Vec<u8>) -> i32 {
        self.add(Open::Made(content))
    }

    pub(super) fn open(
        &mut self,
        process: &Process,
        path: &[u8],
        flags: u32,
        mode: u32,
    ) -> Result<Found, FileError> {
        /// A client that opens and never closes shall not use up the guest's descriptors.
        const MOST: usize = 10;
        if self.0.len() >= MOST {
            return Err(FileError(libc::EMFILE));
        }
        let flags = host_flags(flags);
        let at = process.find(path, Last::Follow, flags & libc::O_CREAT != 0)?;
        if let Some(file) =
            at.proc.filter(|f| !matches!(f, ProcFile::Mem(_) | ProcFile::Pagemap(_)))
        {
            return Ok(Found::Made(file, at.whole().into_bytes()));
        }
        let args = [at.dir.into(), at.path.as_c_str().into(), flags.into(), (mode & 0o777).into()];
        let fd = host_fd(libc::SYS_openat, &args)?;
        let kept = keep_aside(fd.as_fd()).map_err(|e| error(&e))?;
        Ok(Found::Opened(self.add(Open::Host(kept))))
    }

    fn get(&self, fd: i32) -> Result<&Open, FileError> {
        self.0.get(&fd).ok_or(FileError(libc::EBADF))
    }

    pub(super) fn read(&self, fd: i32, offset: u64, len: usize) -> Result<Vec<u8>, FileError> {
        match self.get(fd)? {
            Open::Made(content) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
                Ok(content[from..from.saturating_add(len).min(content.len())].to_vec())
            }
            Open::Host(file) => {
                let mut bytes = vec![0; len];
                let n = file.read_at(&mut bytes, offset).map_err(|e| error(&e))?;
                bytes.truncate(n);
                Ok(bytes)
            }
        }
    }

    pub(super) fn write(&self, fd: i32, offset: u64, bytes: &[u8]) -> Result<usize, FileError> {
        match self.get(fd)? {
            Open::Made(_) => Err(FileError(libc::EBADF)),
            Open::Host(file) => file.write_at(bytes, offset).map_err(|e| error(&e)),
        }
    }

    pub(super) fn stat(&self, fd: i32) -> Result<[u64; 3], FileError> {
        match self.get(fd)? {
            Open::Made(content) => Ok([content.len() as u64, 0o100_444, 0]),
            Open::Host(file) => {
                let m = file.metadata().map_err(|e| error(&e))?;
                Ok([m.size(), m.mode().into(), m.mtime() as u64])
            }
        }
    }

    pub(super) fn close(&mut self, fd: i32) -> Result<(), FileError> {
        self.0.remove(&fd).map(drop).ok_or(FileError(libc::EBADF))
    }
}

/// Where a symbolic link of the guest leads.
pub(super) fn read_link(process: &Process, path: &[u8]) -> Result<Vec<u8>, FileError> {
    let at = process.find(path, Last::Keep, false)?;
    if at.proc == Some(ProcFile::Exe) {
        return Ok(process.exe.as_os_str().as_bytes().to_vec());
    }
    let whole = at.whole();
    let to = std::fs::read_link(OsStr::from_bytes(whole.as_bytes())).map_err(|e| error(&e))?;
    Ok(to.into_os_string().into_vec())
}

/// Removes a file of the guest.
pub(super) fn unlink(process: &Process, path: &[u8]) -> Result<(), FileError> {
    let at = process.find(path, Last::Keep, true)?;
    std::fs::remove_file(OsStr::from_bytes(at.whole().as_bytes())).map_err(|e| error(&e))
}
