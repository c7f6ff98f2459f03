//! Applying a layer, which is a tar archive of what it adds and of marks for what it takes away.
//!
//! The marks (whiteouts: `.wh.NAME` for a name, `.wh..wh..opq` for all that lower layers have in a
//! directory) concern lower layers only, wherever they stand in the archive. So a mark removes what
//! is there except for what this layer has made.

use super::owners::Owners;
use super::tar::{Entry, Kind, Reader};
use super::tree::{
    self, Dir, Tree, c_name, is_dir, look_at, modified, new_file, open_dir, permissions,
    set_attributes, times,
};
use super::{Error, Result, limits};
use crate::linux::OwnerEntry;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, Timespec};
use std::collections::{BTreeMap, HashMap};
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::fd::AsFd as _;
use std::rc::Rc;

/// Begins the name of a mark.
const MARK: &[u8] = b".wh.";
/// What the file systems of the first container tools kept beside files, and the mark that has
/// been kept of it.
const OWN_MARK: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// How something came into this layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    /// As the directory of something else.
    Implied,
    /// By an entry of its own.
    Entry,
}

/// A layer that is being applied.
struct Layer<'a> {
    tree: &'a Tree,
    owners: &'a mut Owners,
    /// What this layer has made, by paths without links.
    made: HashMap<Vec<u8>, Made>,
    /// Times of directories, which change until everything is in its place.
    times: BTreeMap<Vec<u8>, Timespec>,
    /// The directory of the entry before, and the path that led to it.
    last: Option<(Vec<u8>, Rc<Dir>)>,
}

/// Applies the layer in an archive to a tree, and to what is known of the tree's files.
///
/// # Errors
/// The archive or an entry of it is wrong, or the host refuses it. The tree is of no use then.
pub(super) fn apply<R: Read>(
    reader: &mut Reader<R>,
    tree: &Tree,
    owners: &mut Owners,
) -> Result<()> {
    let (made, times) = (HashMap::new(), BTreeMap::new());
    let mut layer = Layer { tree, owners, made, times, last: None };
    while let Some(entry) = reader.next().map_err(Error::host("its tar archive"))? {
        let shown = String::from_utf8_lossy(&entry.path).into_owned();
        let shown: String = shown.chars().take(200).collect();
        layer.entry(&entry, reader).map_err(Error::host(shown.escape_debug()))?;
    }
    layer.settle().map_err(Error::host("times of directories"))
}

fn refused<T>(why: &str) -> io::Result<T> {
    Err(io::Error::other(why))
}

/// The parts of an entry's path.
fn parts(path: &[u8]) -> io::Result<Vec<&[u8]>> {
    if path.len() > limits::PATH {
        return refused("the path is too long");
    }
    let parts = path.split(|&b| b == b'/').filter(|part| !matches!(*part, b"" | b"."));
    let parts: Vec<_> = parts.collect();
    if parts.contains(&&b".."[..]) {
        return refused("the path leads up by `..`");
    }
    if parts.iter().any(|part| part.contains(&0)) {
        return refused("the path holds a NUL");
    }
    if parts.len() > limits::DEPTH {
        return refused("too many directories within each other");
    }
    Ok(parts)
}

impl Layer<'_> {
    fn entry<R: Read>(&mut self, entry: &Entry, reader: &mut Reader<R>) -> io::Result<()> {
        let parts = parts(&entry.path)?;
        if parts.iter().any(|part| part.starts_with(OWN_MARK) && *part != OPAQUE) {
            return Ok(());
        }
        let Some((name, above)) = parts.split_last() else {
            return match entry.kind {
                Kind::Directory => {
                    self.set_directory(&self.tree.dir(b"")?, c".", entry, Vec::new())
                }
                _ => refused("the root is no directory"),
            };
        };
        if let Some(marked) = name.strip_prefix(MARK) {
            return self.mark(above, marked, *name == OPAQUE);
        }
        let dir = self.dir(above, 0)?;
        let name = c_name(name)?;
        let path = dir.join(&name);
        if entry.kind == Kind::Directory {
            if !look_at(dir.fd.as_fd(), &name)?.is_some_and(|stat| is_dir(&stat)) {
                self.remove(&dir, &name)?;
                fs::mkdirat(&dir.fd, &name, Mode::RWXU)?;
            }
            return self.set_directory(&dir, &name, entry, path);
        }
        self.make(&dir, &name, &path, entry, reader)?;
        self.made.insert(path, Made::Entry);
        Ok(())
    }

    /// Removes what has a name.
    fn remove(&mut self, dir: &Dir, name: &CStr) -> io::Result<()> {
        let Some(stat) = look_at(dir.fd.as_fd(), name)? else { return Ok(()) };
        if matches!(FileType::from_raw_mode(stat.st_mode), FileType::Directory | FileType::Symlink)
        {
            // It may be the directory that was used last, or have led there.
            self.last = None;
        }
        tree::remove(dir.fd.as_fd(), name)?;
        self.owners.remove(&dir.join(name));
        Ok(())
    }

    /// The directory with a path; what it lacks is made, in the place of other files if need be.
    fn dir(&mut self, parts: &[&[u8]], links: u32) -> io::Result<Rc<Dir>> {
        let path = parts.join(&b'/');
        if let Some((last, dir)) = &self.last
            && *last == path
        {
            return Ok(Rc::clone(dir));
        }
        let dir = match self.tree.dir(&path) {
            Ok(dir) => dir,
            Err(e)
                if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
            {
                let Some((name, above)) = parts.split_last() else { return Err(e) };
                let above = self.dir(above, links)?;
                self.make_dir(&above, &c_name(name)?, links)?;
                self.tree.dir(&path)?
            }
            Err(e) => return Err(e),
        };
        if !self.times.contains_key(&dir.path) {
            let stat = fs::statat(&dir.fd, c"", AtFlags::EMPTY_PATH)?;
            self.times.insert(dir.path.clone(), modified(&stat));
        }
        let mut ancestor = &dir.path[..];
        while !self.made.contains_key(ancestor) {
            self.made.insert(ancestor.to_vec(), Made::Implied);
            let Some(slash) = ancestor.iter().rposition(|&b| b == b'/') else { break };
            ancestor = &ancestor[..slash];
        }
        let dir = Rc::new(dir);
        self.last = Some((path, Rc::clone(&dir)));
        Ok(dir)
    }

    /// Makes a directory that no entry describes, or did not yet: or the one that a link says.
    fn make_dir(&mut self, dir: &Dir, name: &CStr, links: u32) -> io::Result<()> {
        let found = look_at(dir.fd.as_fd(), name)?;
        match found.map(|stat| FileType::from_raw_mode(stat.st_mode)) {
            Some(FileType::Directory) => return Ok(()),
            Some(FileType::Symlink) => {
                if links >= 40 {
                    return refused("too many links");
                }
                let target = fs::readlinkat(&dir.fd, name, Vec::new())?.into_bytes();
                let base: &[u8] = if target.starts_with(b"/") { b"" } else { &dir.path };
                let mut parts: Vec<&[u8]> = Vec::new();
                for part in base.split(|&b| b == b'/').chain(target.split(|&b| b == b'/')) {
                    match part {
                        b"" | b"." => {}
                        b".." => {
                            parts.pop();
                        }
                        part => parts.push(part),
                    }
                }
                return self.dir(&parts, links + 1).map(drop);
            }
            Some(_) => self.remove(dir, name)?,
            None => {}
        }
        Ok(fs::mkdirat(&dir.fd, name, Mode::from_raw_mode(0o755))?)
    }

    /// Gives a directory what its entry says.
    fn set_directory(
        &mut self,
        dir: &Dir,
        name: &CStr,
        entry: &Entry,
        path: Vec<u8>,
    ) -> io::Result<()> {
        let fd = open_dir(dir.fd.as_fd(), name)?;
        let (owner, real) = OwnerEntry::of(entry.owner, 0o040_000 | entry.mode, None);
        for (old, _) in tree::attributes(fd.as_fd())? {
            fs::fremovexattr(&fd, &*old)?;
        }
        set_attributes(fd.as_fd(), &entry.attributes)?;
        fs::fchmod(&fd, permissions(real))?;
        self.owners.set(path.clone(), owner);
        self.times.insert(path.clone(), time(entry));
        self.made.insert(path, Made::Entry);
        Ok(())
    }

    /// Makes anything but a directory, in the place of what has its name.
    fn make<R: Read>(
        &mut self,
        dir: &Dir,
        name: &CStr,
        path: &[u8],
        entry: &Entry,
        reader: &mut Reader<R>,
    ) -> io::Result<()> {
        if let Kind::HardLink(target) = &entry.kind {
            return self.link(dir, name, path, target);
        }
        self.remove(dir, name)?;
        let (kind, number) = match entry.kind {
            Kind::Symlink(ref target) => {
                fs::symlinkat(c_name(target)?, &dir.fd, name)?;
                let (owner, _) = OwnerEntry::of(entry.owner, 0o120_777, None);
                self.owners.set(path.to_vec(), owner);
                let times = times(time(entry));
                fs::utimensat(&dir.fd, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
                return Ok(());
            }
            Kind::Fifo => (0o010_000, None),
            Kind::Device(kind, major, minor) => (kind, Some(device_number(major, minor)?)),
            _ => (0o100_000, None),
        };
        let (owner, real) = OwnerEntry::of(entry.owner, kind | entry.mode, number);
        if entry.kind == Kind::Fifo {
            fs::mknodat(&dir.fd, name, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
            // The name is ours: it was not there.
            fs::chmodat(&dir.fd, name, permissions(real), AtFlags::empty())?;
            let times = times(time(entry));
            fs::utimensat(&dir.fd, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        } else {
            let file = new_file(dir.fd.as_fd(), name)?;
            if entry.kind == Kind::File {
                write_data(&file, entry, reader)?;
            }
            set_attributes(file.as_fd(), &entry.attributes)?;
            fs::fchmod(&file, permissions(real))?;
            fs::futimens(&file, &times(time(entry)))?;
        }
        self.owners.set(path.to_vec(), owner);
        Ok(())
    }

    /// Gives a file another name. What the entry says of its mode and owner is not applied: the
    /// file may be part of other trees.
    fn link(&mut self, dir: &Dir, name: &CStr, path: &[u8], target: &[u8]) -> io::Result<()> {
        let parts = parts(target)?;
        let Some((target, above)) = parts.split_last() else {
            return refused("a hard link to the root");
        };
        let target = c_name(target)?;
        let no_target = |e: io::Error| match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                io::Error::other("a hard link to what is not there")
            }
            _ => e,
        };
        let source = self.tree.dir(&above.join(&b'/')).map_err(no_target)?;
        let Some(stat) = look_at(source.fd.as_fd(), &target)? else {
            return refused("a hard link to what is not there");
        };
        if is_dir(&stat) {
            return refused("a hard link to a directory");
        }
        let from = source.join(&target);
        if from == path {
            return Ok(());
        }
        if path.len() < from.len() && from.starts_with(path) && from[path.len()] == b'/' {
            return refused("a hard link in the place of its own directory");
        }
        self.remove(dir, name)?;
        fs::linkat(&source.fd, &target, &dir.fd, name, AtFlags::empty())?;
        let owner = self.owners.get(&from);
        self.owners.set(path.to_vec(), owner);
        Ok(())
    }

    /// Applies a mark in the directory `above`.
    fn mark(&mut self, above: &[&[u8]], marked: &[u8], opaque: bool) -> io::Result<()> {
        if matches!(marked, b"" | b"." | b"..") {
            return refused("a whiteout of no name");
        }
        let dir = match self.tree.dir(&above.join(&b'/')) {
            Err(e)
                if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
            {
                return Ok(());
            }
            dir => dir?,
        };
        if !self.times.contains_key(&dir.path) {
            let stat = fs::statat(&dir.fd, c"", AtFlags::EMPTY_PATH)?;
            self.times.insert(dir.path.clone(), modified(&stat));
        }
        if opaque {
            return self.keep_made(&dir);
        }
        let name = c_name(marked)?;
        let path = dir.join(&name);
        match self.made.get(&path) {
            None => self.remove(&dir, &name),
            Some(made) => self.keep_name(&dir, &name, *made),
        }
    }

    /// Removes from a directory what this layer has not made.
    fn keep_made(&mut self, dir: &Dir) -> io::Result<()> {
        let listed = open_dir(dir.fd.as_fd(), c".")?;
        for (name, _) in tree::names(listed.as_fd())? {
            let path = dir.join(&name);
            match self.made.get(&path) {
                None => self.remove(dir, &name)?,
                Some(made) => self.keep_name(dir, &name, *made)?,
            }
        }
        Ok(())
    }

    /// Takes away what lower layers have below a name that this layer has made.
    fn keep_name(&mut self, dir: &Dir, name: &CStr, made: Made) -> io::Result<()> {
        if !look_at(dir.fd.as_fd(), name)?.is_some_and(|stat| is_dir(&stat)) {
            return Ok(());
        }
        let inner = Dir { fd: open_dir(dir.fd.as_fd(), name)?, path: dir.join(name) };
        if made == Made::Implied {
            // The lower layer's directory is gone, and with it what it was like.
            fs::fchmod(&inner.fd, Mode::from_raw_mode(0o755))?;
            self.owners.set(inner.path.clone(), OwnerEntry::default());
        }
        self.keep_made(&inner)
    }

    /// Gives directories their times.
    fn settle(&self) -> io::Result<()> {
        for (path, time) in &self.times {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            match self.tree.open_in(path, flags, ResolveFlags::NO_SYMLINKS) {
                Ok(dir) => fs::futimens(&dir, &times(*time))?,
                // It has been removed since.
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) || e.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

fn time(entry: &Entry) -> Timespec {
    Timespec { tv_sec: entry.mtime.0, tv_nsec: entry.mtime.1.into() }
}

/// A device's number as the kernel writes it in 32 bits (`new_encode_dev`).
fn device_number(major: u32, minor: u32) -> io::Result<u32> {
    if major > 0xfff || minor > 0xf_ffff {
        return refused("no device has such a number");
    }
    Ok((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12))
}

/// Writes an entry's data to its file.
fn write_data<R: Read>(file: &File, entry: &Entry, reader: &mut Reader<R>) -> io::Result<()> {
    let mut copy = |length: u64| {
        if io::copy(&mut reader.take(length), &mut { file })? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    };
    let Some(parts) = &entry.parts else { return copy(entry.size) };
    for &(at, length) in parts {
        { file }.seek(SeekFrom::Start(at))?;
        copy(length)?;
    }
    file.set_len(entry.size)
}
