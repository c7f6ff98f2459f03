//! Trees of files that hold what an image says, reached by descriptors alone.
//!
//! A directory is found by openat2(2) with the tree's root as its root (`RESOLVE_IN_ROOT`): links
//! lead where they will lead the guest, and nothing leads out, whoever changes the tree meanwhile.
//! Everything else is done to one name in such a directory, and never follows a link.

use super::limits;
use crate::linux::{FileOwners, OwnerEntry};
use rustix::fs::{
    self, AtFlags, Dir as Listing, FileType, Mode, OFlags, RawMode, ResolveFlags, Stat, Timespec,
    Timestamps, XattrFlags,
};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// A tree.
#[derive(Debug)]
pub(super) struct Tree {
    root: OwnedFd,
    /// The host's path of the root, as the kernel says it.
    place: Vec<u8>,
}

/// A directory of a tree.
#[derive(Debug)]
pub(super) struct Dir {
    pub fd: OwnedFd,
    /// Its path in the tree, which has no links; without a slash at its start.
    pub path: Vec<u8>,
}

impl Dir {
    /// The path of a name in it.
    pub(super) fn join(&self, name: &CStr) -> Vec<u8> {
        let slash: &[u8] = if self.path.is_empty() { b"" } else { b"/" };
        [&self.path, slash, name.to_bytes()].concat()
    }
}

/// What the kernel says of an open file's path.
fn place_of(fd: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
    Ok(fs::readlink(link, Vec::new())?.into_bytes())
}

/// The text of a name.
pub(super) fn c_name(name: &[u8]) -> io::Result<CString> {
    CString::new(name).map_err(|_| io::Error::other("a name holds a NUL"))
}

impl Tree {
    /// The tree in a directory of the host.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = fs::open(path, flags, Mode::empty())?;
        let place = place_of(root.as_fd())?;
        Ok(Self { root, place })
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Opens what a path leads to.
    pub(super) fn open_in(
        &self,
        path: &[u8],
        flags: OFlags,
        resolve: ResolveFlags,
    ) -> io::Result<OwnedFd> {
        let path = c_name(if path.is_empty() { b"." } else { path })?;
        let resolve = resolve | ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            let flags = flags | OFlags::CLOEXEC;
            match fs::openat2(&self.root, &path, flags, Mode::empty(), resolve) {
                // Something was renamed meanwhile.
                Err(Errno::AGAIN) => {}
                Err(Errno::NOSYS) => {
                    return Err(io::Error::other("this kernel has no openat2 (Linux 5.6)"));
                }
                other => return Ok(other?),
            }
        }
    }

    /// The directory that a path leads to.
    pub(super) fn dir(&self, path: &[u8]) -> io::Result<Dir> {
        let fd = self.open_in(path, OFlags::PATH | OFlags::DIRECTORY, ResolveFlags::empty())?;
        let place = place_of(fd.as_fd())?;
        let path = place.strip_prefix(&*self.place);
        let path = path.ok_or_else(|| io::Error::other("the tree was moved"))?;
        let path = path.strip_prefix(b"/").unwrap_or(path).to_vec();
        if path.iter().filter(|&&b| b == b'/').count() >= limits::DEPTH {
            return Err(io::Error::other("too many directories within each other"));
        }
        Ok(Dir { fd, path })
    }

    /// Makes a directory where a path leads that lacks some, with all that it lacks.
    pub(super) fn make_dirs(&self, path: &[u8]) -> io::Result<Dir> {
        let mut made = self.dir(b"")?;
        let parts: Vec<_> = path.split(|&b| b == b'/').filter(|p| !p.is_empty()).collect();
        for end in 1..=parts.len() {
            let so_far = parts[..end].join(&b'/');
            made = match self.dir(&so_far) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    fs::mkdirat(&made.fd, c_name(parts[end - 1])?, Mode::from_raw_mode(0o755))?;
                    self.dir(&so_far)?
                }
                other => other?,
            };
        }
        Ok(made)
    }

    /// Up to `most` bytes of the file that a path leads to.
    pub(super) fn read(&self, path: &[u8], most: u64) -> io::Result<Vec<u8>> {
        // A FIFO must not wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let file = File::from(self.open_in(path, flags, ResolveFlags::empty())?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Gives files in the tree what a table says of them.
    pub(super) fn set_owners<'a>(
        &self,
        entries: impl Iterator<Item = (&'a [u8], OwnerEntry)>,
        table: &FileOwners,
    ) -> io::Result<()> {
        for (path, entry) in entries {
            let (dir, name) = match path.iter().rposition(|&b| b == b'/') {
                Some(slash) => (&path[..slash], &path[slash + 1..]),
                None => (&b""[..], path),
            };
            let dir = self.dir(dir)?;
            table.set(dir.fd.as_fd(), &c_name(name)?, entry)?;
        }
        Ok(())
    }
}

/// What a name in a directory is; `None` if there is no such name.
pub(super) fn look_at(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<Option<Stat>> {
    match fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

pub(super) fn is_dir(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

pub(super) fn permissions(mode: u32) -> Mode {
    Mode::from_raw_mode(mode as RawMode & 0o7777)
}

pub(super) fn modified(stat: &Stat) -> Timespec {
    Timespec { tv_sec: stat.st_mtime as _, tv_nsec: stat.st_mtime_nsec as _ }
}

/// Both times.
pub(super) fn times(time: Timespec) -> Timestamps {
    Timestamps { last_access: time, last_modification: time }
}

/// Opens a directory by its name, not following it.
pub(super) fn open_dir(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(fs::openat(dir, name, flags, Mode::empty())?)
}

/// Names in an open directory, and what they are as far as the directory says.
pub(super) fn names(dir: BorrowedFd<'_>) -> io::Result<Vec<(CString, FileType)>> {
    let mut names = Vec::new();
    for entry in Listing::read_from(dir)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    Ok(names)
}

/// Gives a file the attributes that a user may give. Those of the kernel and of root (`security`,
/// `trusted`) would have no effect on a guest.
pub(super) fn set_attributes(file: BorrowedFd<'_>, all: &[(Vec<u8>, Vec<u8>)]) -> io::Result<()> {
    for (name, value) in all.iter().filter(|(name, _)| name.starts_with(b"user.")) {
        match fs::fsetxattr(file, &**name, value, XattrFlags::empty()) {
            // The file system has none.
            Ok(()) | Err(Errno::NOTSUP) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// The attributes of a file that a user may give.
pub(super) fn attributes(file: BorrowedFd<'_>) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut list = Vec::new();
    match fs::flistxattr_query(file) {
        Ok(0) | Err(Errno::NOTSUP) => return Ok(list),
        Ok(_) => {}
        Err(e) => return Err(e.into()),
    }
    let mut names = vec![0; 1 << 16];
    let length = fs::flistxattr(file, &mut names[..])?;
    for name in names[..length].split(|&b| b == 0).filter(|n| n.starts_with(b"user.")) {
        let mut value = vec![0; 1 << 16];
        let length = fs::fgetxattr(file, name, &mut value[..])?;
        value.truncate(length);
        list.push((name.to_vec(), value));
    }
    Ok(list)
}

/// Removes a name and, if it is a directory, all below it.
pub(super) fn remove(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    /// Deeper directories are moved to the top, so that there are never many descriptors.
    const DEEP: usize = 64;
    fn clear(
        dir: BorrowedFd<'_>,
        depth: usize,
        top: BorrowedFd<'_>,
        moved: &mut u64,
    ) -> io::Result<()> {
        for (name, kind) in names(dir)? {
            let is_dir = match kind {
                FileType::Unknown => look_at(dir, &name)?.is_some_and(|s| is_dir(&s)),
                kind => kind == FileType::Directory,
            };
            if !is_dir {
                fs::unlinkat(dir, &name, AtFlags::empty())?;
            } else if depth >= DEEP {
                *moved += 1;
                fs::renameat(dir, &name, top, format!(".moved-by-removal-{moved}"))?;
            } else {
                let inner = enter(dir, &name)?;
                clear(inner.as_fd(), depth + 1, top, moved)?;
                fs::unlinkat(dir, &name, AtFlags::REMOVEDIR)?;
            }
        }
        Ok(())
    }
    /// Opens a directory that is closed to us perhaps.
    fn enter(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
        match open_dir(dir, name) {
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                fs::chmodat(dir, name, Mode::RWXU, AtFlags::empty())?;
            }
            Ok(inner)
                if fs::accessat(&inner, ".", fs::Access::WRITE_OK, AtFlags::empty()).is_err() =>
            {
                fs::fchmod(&inner, Mode::RWXU)?;
                return Ok(inner);
            }
            other => return other,
        }
        open_dir(dir, name)
    }
    let Some(stat) = look_at(dir, name)? else { return Ok(()) };
    if !is_dir(&stat) {
        return Ok(fs::unlinkat(dir, name, AtFlags::empty())?);
    }
    let top = enter(dir, name)?;
    let mut moved = 0;
    loop {
        let before = moved;
        clear(top.as_fd(), 0, top.as_fd(), &mut moved)?;
        if moved == before {
            return Ok(fs::unlinkat(dir, name, AtFlags::REMOVEDIR)?);
        }
    }
}

/// How files of a tree become those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// They are the same files: neither tree may change them.
    Links,
    /// They are copies, which share their blocks where the file system can.
    Copies,
}

/// Copies a tree into an empty directory.
pub(super) struct Copier<'a> {
    sharing: Sharing,
    to: &'a Tree,
    /// Where files with several names have been copied to, by inode number.
    copied: HashMap<u64, Vec<u8>>,
    /// The file system can share blocks, as far as is known.
    clones: bool,
    /// Is called with the bytes of each file.
    progress: &'a dyn Fn(u64),
}

impl<'a> Copier<'a> {
    pub(super) fn new(sharing: Sharing, to: &'a Tree, progress: &'a dyn Fn(u64)) -> Self {
        Self { sharing, to, copied: HashMap::new(), clones: true, progress }
    }

    pub(super) fn copy(mut self, from: &Tree) -> io::Result<()> {
        let source = open_dir(from.root(), c".")?;
        let target = open_dir(self.to.root(), c".")?;
        self.directory(source.as_fd(), target.as_fd(), &[])
    }

    fn directory(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        path: &[u8],
    ) -> io::Result<()> {
        for (name, _) in names(from)? {
            let Some(stat) = look_at(from, &name)? else { continue };
            let slash: &[u8] = if path.is_empty() { b"" } else { b"/" };
            let here = [path, slash, name.to_bytes()].concat();
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    fs::mkdirat(to, &name, Mode::RWXU)?;
                    let (from, to) = (open_dir(from, &name)?, open_dir(to, &name)?);
                    self.directory(from.as_fd(), to.as_fd(), &here)?;
                }
                _ if self.link(from, to, &name)? => {}
                FileType::Symlink => {
                    let target = fs::readlinkat(from, &name, Vec::new())?;
                    fs::symlinkat(&target, to, &name)?;
                    let times = times(modified(&stat));
                    fs::utimensat(to, &name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
                }
                FileType::RegularFile => self.file(from, to, &name, &stat, here)?,
                FileType::Fifo => {
                    fs::mknodat(to, &name, FileType::Fifo, permissions(stat.st_mode), 0)?;
                    let times = times(modified(&stat));
                    fs::utimensat(to, &name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
                }
                // Images have no sockets, and devices are files.
                _ => {}
            }
        }
        let stat = fs::fstat(from)?;
        set_attributes(to, &attributes(from)?)?;
        fs::fchmod(to, permissions(stat.st_mode))?;
        fs::futimens(to, &times(modified(&stat)))?;
        Ok(())
    }

    /// Makes it the same file, if that is wanted and can be had.
    fn link(&self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> io::Result<bool> {
        if self.sharing == Sharing::Copies {
            return Ok(false);
        }
        match fs::linkat(from, name, to, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::MLINK | Errno::PERM) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    fn file(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &CStr,
        stat: &Stat,
        path: Vec<u8>,
    ) -> io::Result<()> {
        if let Some(first) = self.copied.get(&stat.st_ino) {
            return Ok(fs::linkat(self.to.root(), &**first, to, name, AtFlags::empty())?);
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let source = File::from(fs::openat(from, name, flags, Mode::empty())?);
        let target = new_file(to, name)?;
        self.content(&source, &target, stat)?;
        set_attributes(target.as_fd(), &attributes(source.as_fd())?)?;
        fs::fchmod(&target, permissions(stat.st_mode))?;
        fs::futimens(&target, &times(modified(stat)))?;
        if stat.st_nlink > 1 {
            self.copied.insert(stat.st_ino, path);
        }
        (self.progress)(stat.st_size as u64);
        Ok(())
    }

    fn content(&mut self, source: &File, target: &File, stat: &Stat) -> io::Result<()> {
        if stat.st_size == 0 {
            return Ok(());
        }
        if self.clones {
            if fs::ioctl_ficlone(target, source).is_ok() {
                return Ok(());
            }
            self.clones = false;
        }
        let size = stat.st_size as u64;
        if stat.st_blocks as u64 * 512 >= size {
            io::copy(&mut { source }, &mut { target })?;
            return Ok(());
        }
        target.set_len(size)?;
        let mut at = 0;
        while at < size {
            let start = match fs::seek(source, fs::SeekFrom::Data(at)) {
                Ok(start) => start,
                // Only a hole is left.
                Err(Errno::NXIO) => break,
                Err(e) => return Err(e.into()),
            };
            at = fs::seek(source, fs::SeekFrom::Hole(start))?;
            fs::seek(source, fs::SeekFrom::Start(start))?;
            fs::seek(target, fs::SeekFrom::Start(start))?;
            io::copy(&mut source.take(at - start), &mut { target })?;
        }
        Ok(())
    }
}

/// Makes a file that was not there.
pub(super) fn new_file(dir: BorrowedFd<'_>, name: &CStr) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(fs::openat(dir, name, flags, Mode::RUSR | Mode::WUSR)?))
}
