//! Opening files of the guest's world for the guest.

use super::names::{fd_path, read_link};
use super::resolve::{Handle, Want, inside, lacks_openat2, open_beneath, split};
use super::world::World;
use crate::linux::abi::{Errno, Fd, GuestCStr, OpenHow, Pod, Statx, SysResult};
use crate::linux::args::host;
use crate::linux::fs::busy;
use crate::linux::fs::host_path::HostPath;
use crate::linux::fs::proc::{procfd, procfs};
use crate::linux::host::{HostArg, host_call, host_fd, limit};
use crate::linux::process::Thread;
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, OwnedFd};

/// How often a lookup is made again because a name became a link meanwhile.
const MAX_RACES: u32 = 100;

/// What `openat` knows; it passes over other flags, which `openat2` refuses.
const KNOWN_FLAGS: i32 = 0o37_777_703 | libc::O_ACCMODE;
/// What `openat` heeds beside `O_PATH`.
const PATH_FLAGS: i32 = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;

/// Serves openat(2); `flags` are the host's.
pub(crate) fn open(
    t: &Thread,
    world: &World,
    dir: Fd,
    path: GuestCStr,
    flags: i32,
    mode: u32,
) -> SysResult {
    let path = path.read_path(t.memory())?;
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let known = if flags & libc::O_PATH != 0 { PATH_FLAGS } else { KNOWN_FLAGS };
    let flags = flags & known;
    let creates = flags & libc::O_CREAT != 0;
    let tmpfile = flags & libc::O_TMPFILE == libc::O_TMPFILE;
    let mode = if creates || tmpfile { mode & 0o7777 } else { 0 };
    // Programs are made executable later, so that most files are made without.
    if (creates || tmpfile) && t.marks(mode | 0o100) {
        return create(t, world, dir, &path, flags, mode);
    }
    again(t, world, dir, &path, flags, mode)
}

/// Opens, however often names become links meanwhile.
fn again(t: &Thread, world: &World, dir: Fd, path: &[u8], flags: i32, mode: u32) -> SysResult {
    for _ in 0..MAX_RACES {
        match once(t, world, dir, path, flags, mode) {
            Ok(Some(fd)) => return Ok(fd),
            Ok(None) => {}
            Err(Errno::EACCES) if world.is_faked() => {
                let found = world.resolve(dir, path, Want::Create)?;
                if !world.unlock(found.at.fd()) {
                    return Err(Errno::EACCES);
                }
            }
            Err(e) => return Err(e),
        }
    }
    Err(Errno::ELOOP)
}

/// Opens a file, perhaps a new one, of which something must be remembered if it is new.
fn create(t: &Thread, world: &World, dir: Fd, path: &[u8], flags: i32, mode: u32) -> SysResult {
    let real = t.real_mode(mode);
    let born = |fd: u64| t.born((Fd(fd as i32), c""), mode, None);
    if flags & libc::O_CREAT == 0 {
        return again(t, world, dir, path, flags, real).inspect(|&fd| born(fd));
    }
    let exclusive = flags & libc::O_EXCL != 0;
    // A link that leads nowhere is neither there nor can it be made.
    for _ in 0..3 {
        if !exclusive {
            match again(t, world, dir, path, flags & !libc::O_CREAT, 0) {
                Err(Errno::ENOENT) => {}
                other => return other,
            }
        }
        match again(t, world, dir, path, flags | libc::O_EXCL, real) {
            Err(Errno::EEXIST) if !exclusive => {}
            other => return other.inspect(|&fd| born(fd)),
        }
    }
    again(t, world, dir, path, flags, real).inspect(|&fd| born(fd))
}

/// Serves openat2(2); the flags are the host's.
pub(crate) fn open_with(
    t: &Thread,
    world: &World,
    dir: Fd,
    path: GuestCStr,
    how: OpenHow,
) -> SysResult {
    let unknown = !u64::from(KNOWN_FLAGS as u32);
    if how.flags & unknown != 0 {
        return Err(Errno::EINVAL);
    }
    let flags = how.flags as u32 as i32;
    let own_root = how.resolve & (libc::RESOLVE_BENEATH | libc::RESOLVE_IN_ROOT) != 0;
    if how.resolve == 0 {
        return open(t, world, dir, path, flags, how.mode as u32);
    }
    let text = path.read_path(t.memory())?;
    if text.is_empty() {
        return Err(Errno::ENOENT);
    }
    let name = |path: &[u8]| CString::new(path).map_err(|_| Errno::EINVAL);
    let size = size_of::<OpenHow>() as u64;
    if own_root {
        // The host keeps it below a directory that is inside.
        let start = if dir == Fd::CWD { dir } else { world.start(dir).map(|_| dir)? };
        return host!(t, SYS_openat2, start, name(&text)?.as_c_str(), HostArg::of(&how), size);
    }
    if how.resolve & libc::RESOLVE_NO_SYMLINKS == 0 {
        return open(t, world, dir, path, flags, how.mode as u32);
    }
    let links = world.resolve(dir, &text, Want::Create)?.links;
    if links != 0 {
        return Err(Errno::ELOOP);
    }
    open(t, world, dir, path, flags, how.mode as u32)
}

/// True for flags with which an open may change a file or directory.
fn changes(flags: i32) -> bool {
    let writes = matches!(flags & libc::O_ACCMODE, libc::O_WRONLY | libc::O_RDWR);
    flags & libc::O_PATH == 0 && (writes || flags & (libc::O_CREAT | libc::O_TRUNC) != 0)
}

/// Frees the number of a descriptor of ours, so that the guest gets the lowest that it has not.
fn aside(fd: OwnedFd) -> OwnedFd {
    /// Where guests that open the lowest free number do not come.
    const FROM: i32 = 1000;
    let args = [fd.as_raw_fd().into(), libc::F_DUPFD_CLOEXEC.into(), FROM.into()];
    let dup = || host_fd(libc::SYS_fcntl, &args);
    // What is not possible at all is not worth an error.
    let high = dup().or_else(|_| {
        let _raised = limit::raise();
        dup()
    });
    high.unwrap_or(fd)
}

/// One try; `None` if a name has become a link meanwhile.
fn once(
    t: &Thread,
    world: &World,
    dir: Fd,
    path: &[u8],
    flags: i32,
    mode: u32,
) -> Result<Option<u64>, Errno> {
    let exclusive = flags & (libc::O_CREAT | libc::O_EXCL) == libc::O_CREAT | libc::O_EXCL;
    let keeps = flags & libc::O_NOFOLLOW != 0 || exclusive;
    if let Some(s) = world.straight(dir, path, !keeps)?
        && !(s.read_only && changes(flags))
    {
        let name = if s.path.is_empty() { b"." } else { &s.path[..] };
        match open_here(t, s.dir, name, flags, mode) {
            Err(Errno::ELOOP) => {}
            // The walk may free the way.
            Err(Errno::EACCES) if world.is_faked() => {}
            other => return other.map(Some),
        }
    }
    let want = match flags & libc::O_CREAT {
        _ if keeps => Want::Entry,
        0 => Want::Object,
        _ => Want::Create,
    };
    let mut found = world.resolve(dir, path, want)?;
    if let Handle::Owned(fd) = found.at {
        found.at = Handle::Owned(aside(fd));
    }
    let at = HostPath::of_world(found)?;
    procfs::may_open(t, at.proc)?;
    let opened = open_found(t, &at, flags, mode, (keeps, exclusive))?;
    if let Some(fd) = opened {
        procfd::opened(t, at.proc, fd);
    }
    Ok(opened)
}

/// Opens what a lookup has found; `None` if it has become a link meanwhile. `keeps` says that a
/// link is not followed, `exclusive` that nothing may be there.
fn open_found(
    t: &Thread,
    at: &HostPath,
    flags: i32,
    mode: u32,
    (keeps, exclusive): (bool, bool),
) -> Result<Option<u64>, Errno> {
    if at.read_only && changes(flags) {
        unchanged(at, flags)?;
    }
    if let Some(fd) = at.object {
        if exclusive {
            return Err(Errno::EEXIST);
        }
        let flags = flags & !libc::O_NOFOLLOW;
        let path = fd_path(fd);
        busy::may_open(Fd::CWD, &path, flags)?;
        return host!(t, SYS_openat, libc::AT_FDCWD, path.as_c_str(), flags, mode).map(Some);
    }
    if keeps {
        busy::may_open(at.dir, &at.path, flags)?;
        return host!(t, SYS_openat, at.dir, at.path.as_c_str(), flags, mode).map(Some);
    }
    match open_here(t, at.dir.0, at.path.to_bytes(), flags, mode) {
        // It was no link a moment ago.
        Err(Errno::ELOOP) => Ok(None),
        other => other.map(Some),
    }
}

/// Refuses what would change a file or a directory on a read-only mount: devices, pipes and
/// sockets may be written to there.
fn unchanged(at: &HostPath, flags: i32) -> Result<(), Errno> {
    let writes = flags & libc::O_ACCMODE != libc::O_RDONLY || flags & libc::O_TRUNC != 0;
    let there = match at.object {
        Some(fd) => file_type(Fd(fd), c""),
        None => file_type(at.dir, &at.path),
    };
    match there {
        Ok(libc::S_IFREG | libc::S_IFDIR) if writes => Err(Errno::EROFS),
        Ok(_) => Ok(()),
        Err(Errno::ENOENT) if flags & libc::O_CREAT != 0 => Err(Errno::EROFS),
        Err(e) => Err(e),
    }
}

/// `S_IFMT` of the mode of a file that is not followed.
fn file_type(dir: Fd, path: &CStr) -> Result<u32, Errno> {
    let mut x = Statx::zeroed();
    let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH;
    let mask = libc::STATX_TYPE;
    let args = [dir.into(), path.into(), flags.into(), mask.into(), HostArg::of_mut(&mut x)];
    host_call(libc::SYS_statx, &args)?;
    Ok(u32::from(x.mode) & libc::S_IFMT)
}

/// Opens a path without links below `dir` for the guest.
fn open_here(t: &Thread, dir: i32, path: &[u8], flags: i32, mode: u32) -> SysResult {
    let whole = CString::new(path).map_err(|_| Errno::EINVAL)?;
    busy::may_open(Fd(dir), &whole, flags | libc::O_NOFOLLOW)?;
    if !lacks_openat2() {
        let how = inside(flags, mode);
        let size = size_of::<OpenHow>() as u64;
        match host!(t, SYS_openat2, dir, whole.as_c_str(), HostArg::of(&how), size) {
            Err(Errno::ENOSYS) => {}
            other => return other,
        }
    }
    let (parent, name) = split(path.strip_suffix(b"/").unwrap_or(path));
    let flags_here = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    let parent = aside(open_beneath(dir, parent, flags_here)?);
    let parent = Fd(parent.as_raw_fd());
    let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
    if file_type(parent, &name).is_ok_and(|kind| kind == libc::S_IFLNK) {
        return Err(Errno::ELOOP);
    }
    let fd = host!(t, SYS_openat, parent, name.as_c_str(), flags | libc::O_NOFOLLOW, mode)?;
    if flags & libc::O_PATH != 0 && read_link(Fd(fd as i32), c"").is_ok() {
        host!(t, SYS_close, fd)?;
        return Err(Errno::ELOOP);
    }
    Ok(fd)
}
