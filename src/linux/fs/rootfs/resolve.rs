//! From a guest path to a descriptor that is inside (path_resolution(7); kernel: `fs/namei.c`).

use super::names::read_link;
use super::world::World;
use crate::linux::abi::{Errno, Fd, OpenHow};
use crate::linux::fs::proc::names;
use crate::linux::host::{HostArg, file_system, host_fd};
use std::borrow::Cow;
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// Most symbolic links that one lookup follows.
const MAX_LINKS: u32 = 40;
/// `NSFS_MAGIC`: files of `/proc/PID/ns`.
const NAMESPACES: u64 = 0x6e73_6673;

/// What of a path is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// The object, behind all links.
    Object,
    /// The object, or the place where it would be created.
    Create,
    /// The last component itself, though it be a link; with a slash behind it, the object.
    Entry,
    /// Directory and last component, to be created, removed or renamed.
    Name,
}

/// A directory or an object, and whether its descriptor is ours to close.
#[derive(Debug)]
pub(crate) enum Handle {
    /// Of a mount or of the guest, or `AT_FDCWD`.
    Borrowed(i32),
    /// Closed when dropped.
    Owned(OwnedFd),
}

impl Handle {
    /// The number.
    pub(crate) fn fd(&self) -> i32 {
        match self {
            Self::Borrowed(fd) => *fd,
            Self::Owned(fd) => fd.as_raw_fd(),
        }
    }
}

/// Where a guest path leads.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// The object, or the directory that holds `name`.
    pub at: Handle,
    /// Last component, not to be followed by anyone; absent if `at` is the object.
    pub name: Option<Vec<u8>>,
    /// The guest's absolute name without links, where it had to be found out.
    pub guest: Option<Vec<u8>>,
    /// What it is called where `/proc` is the root of the file system that it is on, if that is one
    /// of processes.
    pub proc: Option<Vec<u8>>,
    /// It may not be changed.
    pub read_only: bool,
    /// It is a mount point, which can be neither removed nor made.
    pub is_mount: bool,
    /// How many symbolic links led there.
    pub links: u32,
}

/// True once the host has said that it has no `openat2`.
static NO_OPENAT2: AtomicBool = AtomicBool::new(false);

/// True if the host is known not to have `openat2`.
pub(super) fn lacks_openat2() -> bool {
    NO_OPENAT2.load(Ordering::Relaxed)
}

const DIRECTORY: i32 = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
const ANYTHING: i32 = libc::O_PATH | libc::O_CLOEXEC;

/// `struct open_how` for a path with no links in it that does not leave its directory.
pub(crate) fn inside(flags: i32, mode: u32) -> OpenHow {
    let resolve = libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_BENEATH;
    OpenHow { flags: u64::from(flags as u32), mode: u64::from(mode), resolve }
}

/// Opens what `path`, which has no `..`, names below `dir`, for our own use.
///
/// # Errors
/// The host's; `ELOOP` if a component is a link.
pub(super) fn open_beneath(dir: i32, path: &[u8], flags: i32) -> Result<OwnedFd, Errno> {
    if lacks_openat2() {
        return open_by_steps(dir, path, flags);
    }
    let name = CString::new(path).map_err(|_| Errno::EINVAL)?;
    let how = inside(flags, 0);
    let size = size_of::<OpenHow>() as u64;
    let args = [dir.into(), HostArg::path(&name), HostArg::of(&how), size.into()];
    match host_fd(libc::SYS_openat2, &args) {
        // Some filters of system calls know no better answer than EPERM.
        Err(Errno::ENOSYS | Errno::EPERM) => {
            NO_OPENAT2.store(true, Ordering::Relaxed);
            open_by_steps(dir, path, flags)
        }
        other => other,
    }
}

/// As [`open_beneath`], without `openat2`.
fn open_by_steps(dir: i32, path: &[u8], flags: i32) -> Result<OwnedFd, Errno> {
    let mut at = Handle::Borrowed(dir);
    let mut parts = path.split(|&b| b == b'/').filter(|p| !p.is_empty()).peekable();
    while let Some(part) = parts.next() {
        let name = CString::new(part).map_err(|_| Errno::EINVAL)?;
        let here = if parts.peek().is_some() { DIRECTORY } else { flags };
        let args = [at.fd().into(), HostArg::path(&name), (here | libc::O_NOFOLLOW).into()];
        let next = host_fd(libc::SYS_openat, &args).map_err(|e| {
            let link = e == Errno::ENOTDIR && read_link(Fd(at.fd()), &name).is_ok();
            if link { Errno::ELOOP } else { e }
        })?;
        if read_link(Fd(next.as_raw_fd()), c"").is_ok() {
            return Err(Errno::ELOOP);
        }
        at = Handle::Owned(next);
    }
    match at {
        Handle::Owned(fd) => Ok(fd),
        Handle::Borrowed(dir) => {
            host_fd(libc::SYS_openat, &[dir.into(), HostArg::path(c"."), flags.into()])
        }
    }
}

/// The directory and the last component of a path that has neither `.` nor a slash at its end.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&b| b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

/// A path that the host may resolve in one step: without links, it stays below `dir` and meets no
/// mount point.
#[derive(Debug)]
pub(crate) struct Straight<'a> {
    /// Where it starts.
    pub dir: i32,
    /// Without slashes at its start; empty for `dir` itself.
    pub path: Cow<'a, [u8]>,
    /// It may not be changed.
    pub read_only: bool,
    /// How many links have been replaced by what they say.
    links: u32,
    /// It may lead to a file system of processes.
    maybe_proc: bool,
}

impl World {
    /// True if a path leads to a symbolic link.
    pub(crate) fn is_link(&self, path: &[u8]) -> bool {
        let Ok(found) = self.resolve(Fd::CWD, path, Want::Entry) else { return false };
        let name = found.name.and_then(|name| CString::new(name).ok());
        name.is_some_and(|name| read_link(Fd(found.at.fd()), &name).is_ok())
    }

    /// The path as one that goes straight, if it may be one. `last`: a link that it ends with may
    /// be followed.
    ///
    /// # Errors
    /// `ENOENT` for a start outside, `EBADF`, `ENOTDIR`.
    pub(crate) fn straight<'a>(
        &self,
        dir: Fd,
        path: &'a [u8],
        last: bool,
    ) -> Result<Option<Straight<'a>>, Errno> {
        let absolute = path.first() == Some(&b'/');
        let rest = &path[path.iter().take_while(|&&b| b == b'/').count()..];
        let odd = |p: &[u8]| matches!(p, b"" | b"." | b"..");
        let special = |p: &[u8]| names::is_special(p) || self.is_held(p);
        let specials = |path: &[u8]| path.split(|&b| b == b'/').any(special);
        let maybe_proc = self.own_mounts;
        let trimmed = rest.strip_suffix(b"/").unwrap_or(rest);
        if !trimmed.is_empty() && trimmed.split(|&b| b == b'/').any(odd) {
            return Ok(None);
        }
        if absolute {
            // From the last slash of those that the path starts with.
            let from = path.len() - rest.len() - 1;
            let whole = &path[from..from + 1 + trimmed.len()];
            let slash = &rest[trimmed.len()..];
            if let Some((place, links)) = self.shortcut(whole, last || !slash.is_empty()) {
                let m = &self.mounts[self.mount_of(&place).0];
                let below = [self.mount_of(&place).1, slash].concat();
                let usable = m.is_dir && !m.is_proc && !(self.own_mounts && specials(&place));
                let (dir, path) = (m.fd.as_raw_fd(), below.into());
                let straight = Straight { dir, path, read_only: m.read_only, links, maybe_proc };
                return Ok(usable.then_some(straight));
            }
            let whole = if trimmed.is_empty() { b"" } else { whole };
            let m = &self.mounts[self.mount_of(whole).0];
            if m.is_proc || !m.is_dir || (self.own_mounts && specials(whole)) {
                return Ok(None);
            }
            let used = m.guest.len().saturating_sub(1);
            let below = rest.get(used..).unwrap_or(b"");
            let path = below.strip_prefix(b"/").unwrap_or(below).into();
            let (dir, read_only) = (m.fd.as_raw_fd(), m.read_only);
            return Ok(Some(Straight { dir, path, read_only, links: 0, maybe_proc }));
        }
        let crosses = trimmed.split(|&b| b == b'/').any(|p| self.last_names.contains(p));
        if self.any_read_only || crosses || specials(trimmed) {
            return Ok(None);
        }
        if dir != Fd::CWD {
            self.is_inside(dir)?;
        }
        let path = rest.into();
        Ok(Some(Straight { dir: dir.0, path, read_only: false, links: 0, maybe_proc: true }))
    }

    /// Finds out where `path` leads, which is not empty; a relative one starts at `dir`. A path
    /// below a directory that is outside leads nowhere.
    ///
    /// # Errors
    /// Those of path_resolution(7).
    pub(crate) fn resolve(&self, dir: Fd, path: &[u8], want: Want) -> Result<Resolved, Errno> {
        if let Some(s) = self.straight(dir, path, want == Want::Object)? {
            match resolve_straight(&s, want) {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                // The walk may free the way.
                Err(Errno::EACCES) if self.is_faked() => {}
                Err(e) => return Err(e),
            }
        }
        let (place, at) = if path.first() == Some(&b'/') {
            (Vec::new(), self.open_place(b"")?)
        } else {
            self.start(dir)?
        };
        Walk::new(self, place, at, path).run(want)
    }
}

/// `None` if a link or another reason asks for the walk.
fn resolve_straight(s: &Straight<'_>, want: Want) -> Result<Option<Resolved>, Errno> {
    let found = |at, name: Option<&[u8]>| Resolved {
        at,
        name: name.map(<[u8]>::to_vec),
        guest: None,
        proc: None,
        read_only: s.read_only,
        is_mount: s.path.is_empty(),
        links: s.links,
    };
    let slash = s.path.last() == Some(&b'/');
    if s.path.is_empty() {
        return Ok(Some(found(Handle::Borrowed(s.dir), None)));
    }
    if want == Want::Create || (want == Want::Entry && slash) {
        return Ok(None);
    }
    let (at, name) = if want == Want::Object {
        let flags = if slash { DIRECTORY } else { ANYTHING };
        (open_beneath(s.dir, &s.path, flags).map(Handle::Owned), None)
    } else {
        let (dir, name) = split(s.path.strip_suffix(b"/").unwrap_or(&s.path));
        let name = &s.path[s.path.len() - name.len() - usize::from(slash)..];
        let at = if dir.is_empty() {
            Ok(Handle::Borrowed(s.dir))
        } else {
            open_beneath(s.dir, dir, DIRECTORY).map(Handle::Owned)
        };
        (at, Some(name))
    };
    match at {
        // A link there may stand for an object.
        Ok(at) if name.is_some() && s.maybe_proc && names::is_on_proc(at.fd()) => Ok(None),
        Ok(at) => Ok(Some(found(at, name))),
        Err(Errno::ELOOP) => Ok(None),
        Err(e) => Err(e),
    }
}

/// A lookup, component by component.
struct Walk<'a> {
    world: &'a World,
    /// Where it has come to: a place free of links, and its descriptor.
    place: Vec<u8>,
    at: Handle,
    /// Components still to go, the next one last.
    todo: Vec<Vec<u8>>,
    /// A slash ends the path: the object, and a directory.
    slash: bool,
    links: u32,
}

/// Stands for a component of a place that is too deep to have a name: no mount lies there, and the
/// way up goes by descriptors.
const NAMELESS: &[u8] = b"/\0";

/// True for such a place, and all below it.
fn is_nameless(place: &[u8]) -> bool {
    place.contains(&0)
}

/// A name of the guest as a place.
fn place_of(name: Vec<u8>) -> Vec<u8> {
    if name == b"/" { Vec::new() } else { name }
}

/// What a step has come to.
enum Step {
    On,
    Done(Resolved),
}

impl<'a> Walk<'a> {
    fn new(world: &'a World, place: Vec<u8>, at: Handle, path: &[u8]) -> Self {
        let mut walk = Self { world, place, at, todo: Vec::new(), slash: false, links: 0 };
        walk.push(path);
        walk
    }

    /// Puts the components of a path before what is still to go.
    fn push(&mut self, path: &[u8]) {
        if self.todo.is_empty() {
            self.slash |= path.ends_with(b"/");
        }
        let parts = path.split(|&b| b == b'/').filter(|p| !p.is_empty());
        self.todo.extend(parts.rev().map(<[u8]>::to_vec));
    }

    fn run(mut self, want: Want) -> Result<Resolved, Errno> {
        let mut links = 0;
        while let Some(part) = self.todo.pop() {
            if let Step::Done(found) = self.step(part, want)? {
                return Ok(found);
            }
            if self.links != links {
                links = self.links;
                if let Some(found) = self.leap(want)? {
                    return Ok(found);
                }
            }
        }
        let at = std::mem::replace(&mut self.at, Handle::Borrowed(-1));
        Ok(self.found(at, None))
    }

    /// Tries to go the rest of the way in one step, as behind a link it often goes straight.
    fn leap(&mut self, want: Want) -> Result<Option<Resolved>, Errno> {
        let odd = |p: &Vec<u8>| matches!(p.as_slice(), b"." | b"..");
        if want != Want::Object || self.todo.is_empty() || self.todo.iter().any(odd) {
            return Ok(None);
        }
        let rest: Vec<&[u8]> = self.todo.iter().rev().map(Vec::as_slice).collect();
        let rest = rest.join(&b'/');
        let whole = [&self.place, &b"/"[..], &rest].concat();
        let mount = self.world.mount_of(&whole).0;
        if mount != self.world.mount_of(&self.place).0
            || self.world.mounts[mount].is_proc
            || (self.world.own_mounts && names::is_on_proc(self.at.fd()))
        {
            return Ok(None);
        }
        let flags = if self.slash { DIRECTORY } else { ANYTHING };
        match open_beneath(self.at.fd(), &rest, flags) {
            Ok(fd) => {
                self.place = whole;
                Ok(Some(self.found(Handle::Owned(fd), None)))
            }
            Err(Errno::ELOOP) => Ok(None),
            // The walk may free the way.
            Err(Errno::EACCES) if self.world.is_faked() => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn found(&self, at: Handle, name: Option<Vec<u8>>) -> Resolved {
        let guest = match &name {
            Some(name) => [&self.place, &b"/"[..], name].concat(),
            None if self.place.is_empty() => b"/".to_vec(),
            None => self.place.clone(),
        };
        let place = if guest == b"/" { b"" } else { &guest[..] };
        let (mount, _) = self.world.mount_of(place);
        let read_only = self.world.mounts[mount].read_only;
        let is_mount = self.world.places.contains_key(place);
        let proc = self.world.proc_path(place, at.fd(), name.as_deref());
        let guest = (!is_nameless(place)).then_some(guest);
        Resolved { at, name, guest, proc, read_only, is_mount, links: self.links }
    }

    fn step(&mut self, part: Vec<u8>, want: Want) -> Result<Step, Errno> {
        let is_last = self.todo.is_empty();
        match part.as_slice() {
            b"." if is_last && want == Want::Name => return Ok(self.name(part)),
            b".." if is_last && want == Want::Name => return Ok(self.name(part)),
            b"." => return Ok(Step::On),
            b".." if is_nameless(&self.place) => {
                let up = [self.at.fd().into(), HostArg::path(c".."), DIRECTORY.into()];
                (self.place, self.at) = self.world.start_at(host_fd(libc::SYS_openat, &up)?)?;
                return Ok(Step::On);
            }
            b".." => {
                let up = self.place.iter().rposition(|&b| b == b'/').unwrap_or(0);
                self.place.truncate(up);
                self.at = self.world.open_place(&self.place)?;
                return Ok(Step::On);
            }
            _ => {}
        }
        let child = [&self.place, &b"/"[..], &part].concat();
        if let Some(&mount) = self.world.places.get(&child) {
            return self.enter(mount, child, is_last);
        }
        if self.world.is_held(&part)
            && self.proc_path(&child, &part).is_some_and(|path| names::is_descriptor(&path))
        {
            return Err(Errno::ENOENT);
        }
        if is_last && (want == Want::Name || (want == Want::Entry && !self.slash)) {
            return Ok(self.name(part));
        }
        let name = CString::new(part.as_slice()).map_err(|_| Errno::EINVAL)?;
        if is_last { self.last(part, &name, child, want) } else { self.pass(&name, child) }
    }

    /// The last component, in the directory where we are.
    fn name(&mut self, mut part: Vec<u8>) -> Step {
        let at = std::mem::replace(&mut self.at, Handle::Borrowed(-1));
        let mut found = self.found(at, Some(part.clone()));
        if self.slash {
            part.push(b'/');
        }
        found.name = Some(part);
        Step::Done(found)
    }

    /// Comes to a mount point.
    fn enter(&mut self, mount: usize, place: Vec<u8>, is_last: bool) -> Result<Step, Errno> {
        let m = &self.world.mounts[mount];
        if !m.is_dir && (!is_last || self.slash) {
            return Err(Errno::ENOTDIR);
        }
        self.place = place;
        self.at = Handle::Borrowed(m.fd.as_raw_fd());
        Ok(Step::On)
    }

    /// Opens a name where we are.
    fn open(&self, name: &CString, flags: i32) -> Result<OwnedFd, Errno> {
        let args = [self.at.fd().into(), HostArg::path(name), flags.into()];
        match host_fd(libc::SYS_openat, &args) {
            Err(Errno::EACCES) if self.world.unlock(self.at.fd()) => {
                host_fd(libc::SYS_openat, &args)
            }
            other => other,
        }
    }

    /// Goes into a directory, or to where a link leads.
    fn pass(&mut self, name: &CString, child: Vec<u8>) -> Result<Step, Errno> {
        let flags = DIRECTORY | libc::O_NOFOLLOW;
        match self.open(name, flags) {
            Ok(fd) => {
                self.at = Handle::Owned(fd);
                self.place = child;
                Ok(Step::On)
            }
            Err(Errno::ENOTDIR) => match read_link(Fd(self.at.fd()), name) {
                Ok(text) => self.follow(&text, name, &child),
                Err(Errno::EINVAL) => Err(Errno::ENOTDIR),
                Err(e) => Err(e),
            },
            Err(e) => Err(e),
        }
    }

    /// The object that a last component names, or where its link leads.
    fn last(
        &mut self,
        part: Vec<u8>,
        name: &CString,
        child: Vec<u8>,
        want: Want,
    ) -> Result<Step, Errno> {
        let flags = ANYTHING | libc::O_NOFOLLOW;
        let fd = match self.open(name, flags) {
            Err(Errno::ENOENT) if want == Want::Create && !self.slash => {
                return Ok(self.name(part));
            }
            other => other?,
        };
        if let Ok(text) = read_link(Fd(fd.as_raw_fd()), c"") {
            return self.follow(&text, name, &child);
        }
        if self.slash {
            let args = [fd.as_raw_fd().into(), HostArg::path(c"."), libc::O_PATH.into()];
            drop(host_fd(libc::SYS_openat, &args)?);
        }
        self.place = child;
        Ok(Step::Done(self.found(Handle::Owned(fd), None)))
    }

    /// Follows the link `name` where we are, whose text is `text`.
    fn follow(&mut self, text: &[u8], name: &CString, child: &[u8]) -> Result<Step, Errno> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::ELOOP);
        }
        match self.proc_path(child, name.as_bytes()) {
            Some(path) if names::is_magic(&path) => return self.jump(&path, name, child),
            Some(_) => {}
            None => self.world.remember(child, text),
        }
        self.push(text);
        if text.first() == Some(&b'/') { self.restart() } else { Ok(Step::On) }
    }

    /// The path in our `/proc` of a name where we are ([`World::proc_path`]).
    fn proc_path(&self, child: &[u8], name: &[u8]) -> Option<Vec<u8>> {
        self.world.proc_path(child, self.at.fd(), Some(name))
    }

    /// Continues at the root.
    fn restart(&mut self) -> Result<Step, Errno> {
        self.place.clear();
        self.at = self.world.open_place(b"")?;
        Ok(Step::On)
    }

    /// Follows a link of `/proc/PID`, which stands for an object and not for a name. `path` is
    /// the link's in our `/proc`.
    fn jump(&mut self, path: &[u8], name: &CString, child: &[u8]) -> Result<Step, Errno> {
        let is_last = self.todo.is_empty();
        if path.ends_with(b"/root") {
            self.push(b"/");
            return self.restart();
        }
        if names::is_own_dir(path) && path.ends_with(b"/exe") {
            self.push(self.world.exe.get().map_or(b"", Vec::as_slice));
            return self.restart();
        }
        if let Some(exe) = names::other_exe(path) {
            self.push(&exe);
            return self.restart();
        }
        let args = [self.at.fd().into(), HostArg::path(name), ANYTHING.into()];
        let object = host_fd(libc::SYS_openat, &args)?;
        let directory = [object.as_raw_fd().into(), HostArg::path(c"."), libc::O_PATH.into()];
        let is_dir = host_fd(libc::SYS_openat, &directory).is_ok();
        if !is_dir && (!is_last || self.slash) {
            return Err(Errno::ENOTDIR);
        }
        match self.world.name_of(Fd(object.as_raw_fd())) {
            Ok(name) => self.place = place_of(name),
            // A file that the guest has open is no secret to it, nor is a name space.
            Err(_)
                if !is_dir
                    && (names::is_own_dir(path)
                        || file_system(object.as_raw_fd()) == Ok(NAMESPACES)) =>
            {
                self.place = child.to_vec();
            }
            Err(_) => return Err(Errno::EACCES),
        }
        if is_last {
            return Ok(Step::Done(self.found(Handle::Owned(object), None)));
        }
        self.at = Handle::Owned(object);
        Ok(Step::On)
    }
}

impl World {
    /// The place of a directory from which a path starts, and its descriptor. It is opened before
    /// it is named, so that it is inside whatever the guest does to `fd` meanwhile.
    ///
    /// # Errors
    /// `EBADF`, `ENOTDIR`; `ENOENT` for what is outside.
    pub(crate) fn start(&self, fd: Fd) -> Result<(Vec<u8>, Handle), Errno> {
        let args = [fd.into(), HostArg::path(c"."), DIRECTORY.into()];
        match host_fd(libc::SYS_openat, &args) {
            Ok(at) => self.start_at(at),
            // A fake root may enter what is closed to its owner.
            Err(Errno::EACCES) if self.is_faked() => {
                let place = place_of(self.name_of(fd)?);
                let at = self.open_place(&place)?;
                Ok((place, at))
            }
            Err(e) => Err(e),
        }
    }

    /// As [`Self::start`], of a directory that has been opened for us.
    fn start_at(&self, at: OwnedFd) -> Result<(Vec<u8>, Handle), Errno> {
        let mut up: Option<OwnedFd> = None;
        let mut below = Vec::new();
        loop {
            let fd = up.as_ref().unwrap_or(&at).as_raw_fd();
            match self.name_of(Fd(fd)) {
                Ok(name) => return Ok(([place_of(name), below].concat(), Handle::Owned(at))),
                // The first directory above that has a name tells whether this one is inside.
                Err(Errno::ENAMETOOLONG) => {}
                Err(e) => return Err(e),
            }
            let args = [fd.into(), HostArg::path(c".."), DIRECTORY.into()];
            up = Some(host_fd(libc::SYS_openat, &args)?);
            below.extend_from_slice(NAMELESS);
        }
    }

    /// Opens the directory at a place that is free of links.
    pub(super) fn open_place(&self, place: &[u8]) -> Result<Handle, Errno> {
        let (mount, rest) = self.mount_of(place);
        let fd = self.mounts[mount].fd.as_raw_fd();
        if rest.is_empty() {
            return Ok(Handle::Borrowed(fd));
        }
        open_beneath(fd, rest, DIRECTORY).map(Handle::Owned)
    }
}
