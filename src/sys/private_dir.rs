//! A directory of files that nobody but this user may read or write.
//!
//! What is in them is trusted, so whoever could write to them could do what this process may. So a
//! directory or file that is not the user's own, that others may read or write, that is a symbolic
//! link, or that has a second name is refused, and so is everything in a process that has other
//! rights than the user who has started it (credentials(7), `AT_SECURE` of getauxval(3)).
//!
//! No descriptor is kept: the directory is opened for each use, and must still be the same.
#![allow(unsafe_code, reason = "opens files relative to a descriptor; reads a view of a file")]
//! # Safety
//! System calls get paths that end with NUL, and descriptors that are open; those they make are
//! nobody else's. A view lies in a reservation of its own and is read through [`access`], so that
//! a file that gets shorter is an error.

use super::access;
use super::mmap::{HostProt, Reservation, host_page_size};
use super::process::ids;
use super::signal::install_handlers;
use crate::util::HostAddr;
use std::ffi::{CString, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

/// The directory.
#[derive(Debug)]
pub struct PrivateDir {
    path: PathBuf,
    /// Device and inode, once it was used.
    identity: OnceLock<(u64, u64)>,
}

/// A file in it, as a listing has it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name.
    pub name: OsString,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written or last used ([`PrivateDir::read`]).
    pub used: SystemTime,
}

/// The name of the file that is locked.
const LOCK: &str = "lock";
/// How the names of files begin that are being written.
const UNFINISHED: &str = "new-";
/// After that long, whoever was writing one is gone.
const ABANDONED: Duration = Duration::from_secs(600);
/// How old the time of a file's last use may be.
const USE_STEP: Duration = Duration::from_secs(3600);

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

/// Refuses a process that has other rights than who has started it.
fn check_process() -> io::Result<()> {
    let [user, effective, group, effective_group] = ids().1;
    // SAFETY: only returns a number.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    if user == effective && group == effective_group && !secure {
        Ok(())
    } else {
        Err(refused("this process has other rights than who has started it"))
    }
}

/// Refuses what is not the user's alone.
fn check_owner(meta: &Metadata) -> io::Result<()> {
    if meta.uid() != ids().1[1] {
        Err(refused("it is another user's"))
    } else if meta.mode() & 0o077 != 0 {
        Err(refused("other users have access to it"))
    } else {
        Ok(())
    }
}

/// `name` as a path for the kernel.
fn c_string(name: &std::ffi::OsStr) -> io::Result<CString> {
    CString::new(name.as_bytes()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

/// The file `name` of `dir`, itself and not what it links to, opened with `flags`; a new one has
/// mode 0600.
fn open_in(dir: &File, name: &str, flags: i32) -> io::Result<File> {
    let name = c_string(name.as_ref())?;
    let flags = flags | libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: see the module.
    let fd = unsafe { libc::openat(dir.as_raw_fd(), name.as_ptr(), flags, 0o600) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: see the module.
    let file = unsafe { File::from_raw_fd(fd) };
    let meta = file.metadata()?;
    if !meta.is_file() || meta.nlink() > 1 {
        return Err(refused("it is no file, or has another name"));
    }
    check_owner(&meta)?;
    Ok(file)
}

/// Refuses a file of more bytes than the process may write, which the kernel would by a signal.
fn check_size(bytes: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a local variable.
    let rc = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    if rc != 0 || limit.rlim_cur < bytes {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    Ok(())
}

fn remove_in(dir: &File, name: &str) {
    if let Ok(name) = c_string(name.as_ref()) {
        // SAFETY: see the module.
        unsafe { libc::unlinkat(dir.as_raw_fd(), name.as_ptr(), 0) };
    }
}

impl PrivateDir {
    /// The directory at `path`, an absolute one. It need not be there.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: OnceLock::new() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it.
    fn open(&self) -> io::Result<File> {
        check_process()?;
        let path = c_string(self.path.as_os_str())?;
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        // SAFETY: see the module.
        let fd = unsafe { libc::open(path.as_ptr(), flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: see the module.
        let dir = unsafe { File::from_raw_fd(fd) };
        let meta = dir.metadata()?;
        check_owner(&meta)?;
        let identity = (meta.dev(), meta.ino());
        if *self.identity.get_or_init(|| identity) != identity {
            // The guest may have changed what paths mean, by chroot(2) or mounts.
            return Err(refused("it is another directory than before"));
        }
        Ok(dir)
    }

    /// Finds out whether it can be used, and makes it if it is not there and `create` is set.
    ///
    /// # Errors
    /// What the host says; `PermissionDenied` if it is not the user's alone, or in a process that
    /// has other rights than its user.
    pub fn check(&self, create: bool) -> io::Result<()> {
        match self.open() {
            Err(e) if create && e.kind() == io::ErrorKind::NotFound => {
                check_process()?;
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
                self.open().map(drop)
            }
            other => other.map(drop),
        }
    }

    /// A view of the file `name`, of `most` bytes at most.
    ///
    /// # Errors
    /// As [`Self::check`]; `InvalidData` if it is empty or larger.
    pub fn read(&self, name: &str, most: u64) -> io::Result<View> {
        let file = open_in(&self.open()?, name, libc::O_RDONLY)?;
        let meta = file.metadata()?;
        if meta.len() == 0 || meta.len() > most {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        let now = SystemTime::now();
        let old =
            meta.modified().is_ok_and(|at| now.duration_since(at).is_ok_and(|d| d > USE_STEP));
        if old {
            // On a file system that cannot be written to, nothing is removed either.
            let _ = file.set_modified(now);
        }
        View::of(&file, meta.len() as usize)
    }

    /// Makes `bytes` the content of the file `name`, at once or not at all.
    ///
    /// # Errors
    /// As [`Self::check`]; `FileTooLarge` if it is more than the process may write
    /// (`RLIMIT_FSIZE`).
    pub fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        check_size(bytes.len() as u64)?;
        let dir = self.open()?;
        let new = format!("{UNFINISHED}{}", std::process::id());
        remove_in(&dir, &new);
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
        let mut file = open_in(&dir, &new, flags)?;
        let renamed = file.write_all(bytes).and_then(|()| {
            let (from, to) = (c_string(new.as_ref())?, c_string(name.as_ref())?);
            let fd = dir.as_raw_fd();
            // SAFETY: see the module.
            let rc = unsafe { libc::renameat(fd, from.as_ptr(), fd, to.as_ptr()) };
            if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        });
        if renamed.is_err() {
            remove_in(&dir, &new);
        }
        renamed
    }

    /// Writes to places of the file `name`, which is made if it is not there. Others may do so at
    /// the same time.
    ///
    /// # Errors
    /// As [`Self::replace`].
    pub fn put(&self, name: &str, pieces: &[(u64, [u8; 8])]) -> io::Result<()> {
        check_size(pieces.iter().map(|(at, _)| at + 8).max().unwrap_or(0))?;
        let file = open_in(&self.open()?, name, libc::O_WRONLY | libc::O_CREAT)?;
        pieces.iter().try_for_each(|(at, bytes)| file.write_all_at(bytes, *at))
    }

    /// Keeps other processes from doing the same until what is returned is dropped. `None` if one
    /// does already.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn try_lock(&self) -> io::Result<Option<File>> {
        let file = open_in(&self.open()?, LOCK, libc::O_RDWR | libc::O_CREAT)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(e)) => Err(e),
        }
    }

    /// All files but those that are not finished; such as nobody writes any more are removed.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn list(&self) -> io::Result<Vec<Listed>> {
        let dir = self.open()?;
        let mut all = Vec::new();
        // The directory's own path would be looked up again.
        for entry in std::fs::read_dir(format!("/proc/self/fd/{}", dir.as_raw_fd()))? {
            let entry = entry?;
            let Ok(meta) = entry.metadata() else { continue };
            let (name, used) =
                (entry.file_name(), meta.modified().unwrap_or(SystemTime::UNIX_EPOCH));
            if !meta.is_file() || name == LOCK {
                continue;
            }
            if let Some(text) = name.to_str().filter(|text| text.starts_with(UNFINISHED)) {
                let age = SystemTime::now().duration_since(used).unwrap_or_default();
                if age > ABANDONED {
                    remove_in(&dir, text);
                }
                continue;
            }
            all.push(Listed { name, size: meta.len(), used });
        }
        Ok(all)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn remove(&self, name: &str) -> io::Result<()> {
        remove_in(&self.open()?, name);
        Ok(())
    }
}

/// What a file holds, as far as it is still there when it is looked at.
#[derive(Debug)]
pub struct View {
    memory: Reservation,
    len: usize,
}

impl View {
    fn of(file: &File, len: usize) -> io::Result<Self> {
        install_handlers()?;
        let size = len.next_multiple_of(host_page_size());
        let memory = Reservation::new(size)?;
        memory.map_file(0..size, HostProt::READ, false, file.as_fd(), 0)?;
        Ok(Self { memory, len })
    }

    /// Its length in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True if there is no byte.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A copy of `len` bytes from `at` on. `None` if they are not there.
    #[must_use]
    pub fn bytes(&self, at: usize, len: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read(at, len, &mut bytes)?;
        Some(bytes)
    }

    /// Makes `bytes` a copy of `len` bytes from `at` on. `None`, and it is empty, if they are not
    /// there.
    #[must_use]
    pub fn read(&self, at: usize, len: usize, bytes: &mut Vec<u8>) -> Option<()> {
        bytes.clear();
        if at.checked_add(len)? > self.len {
            return None;
        }
        bytes.reserve(len);
        let (to, from) = (HostAddr(bytes.as_mut_ptr().addr()), self.memory.base().0 + at);
        // SAFETY: see the module; the buffer has room for that much, and is ours.
        unsafe { access::copy(to, HostAddr(from), len) }.ok()?;
        // SAFETY: all of them have been copied.
        unsafe { bytes.set_len(len) };
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    struct Scratch(PathBuf);

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_directory_must_be_private_and_stay_the_same() {
        let name = format!("rvnative-private-{}", std::process::id());
        let scratch = Scratch(std::env::temp_dir().join(name));
        let path = scratch.0.join("a/b");
        let dir = PrivateDir::new(&path);
        assert_eq!(dir.check(false).map_err(|e| e.kind()), Err(io::ErrorKind::NotFound));
        dir.check(true).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        dir.replace("f", b"content").unwrap();
        assert_eq!(std::fs::metadata(path.join("f")).unwrap().mode() & 0o777, 0o600);
        let view = dir.read("f", 7).unwrap();
        assert_eq!((view.len(), view.bytes(3, 4)), (7, Some(b"tent".to_vec())));
        assert_eq!((view.bytes(4, 4), view.bytes(usize::MAX, 2)), (None, None));
        assert!(dir.read("f", 6).is_err());

        let lock = dir.try_lock().unwrap();
        assert!(lock.is_some() && dir.try_lock().unwrap().is_none());
        drop(lock);
        assert!(dir.try_lock().unwrap().is_some());
        let names = || dir.list().unwrap().into_iter().map(|f| f.name).collect::<Vec<_>>();
        assert_eq!(names(), ["f"]);
        dir.remove("f").unwrap();
        assert!(names().is_empty());

        let open = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            dir.check(false).map_err(|e| e.kind())
        };
        for mode in [0o701, 0o710, 0o702, 0o740] {
            assert_eq!(open(mode), Err(io::ErrorKind::PermissionDenied), "{mode:o}");
        }
        assert_eq!(open(0o700), Ok(()));
        // Another directory by the same name, as after chroot(2), and a link to the same one.
        std::fs::rename(&path, scratch.0.join("moved")).unwrap();
        PrivateDir::new(&path).check(true).unwrap();
        assert_eq!(dir.check(false).map_err(|e| e.kind()), Err(io::ErrorKind::PermissionDenied));
        std::fs::remove_dir(&path).unwrap();
        symlink(scratch.0.join("moved"), &path).unwrap();
        assert!(dir.check(false).is_err() && PrivateDir::new(&path).check(true).is_err());
    }
}
