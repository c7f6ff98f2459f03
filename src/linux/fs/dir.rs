//! Names of files: directories, links, the working directory, watches on names.

use crate::linux::abi::{Errno, Fd, GuestCStr, SysResult};
use crate::linux::args::host;
use crate::linux::exec::executable;
use crate::linux::fs::host_path::Last;
use crate::linux::fs::proc::names::{Listing, ProcFile};
use crate::linux::fs::proc::{procfs, procmaps};
use crate::linux::host::HostArg;
use crate::linux::lock::lock;
use crate::linux::process::Thread;
use crate::linux::task::peers;
use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;

pub(crate) fn sys_getcwd(t: &mut Thread, buffer: u64, size: u64) -> SysResult {
    // Below a prefix the host's name is one that leads there, too.
    let Some(world) = t.process.options.files.world() else {
        return host!(t, SYS_getcwd, t.output(buffer, size)?, size);
    };
    let mut name = world.name_of(Fd::CWD)?;
    if name.ends_with(b" (deleted)") {
        return Err(Errno::ENOENT);
    }
    if name.contains(&0) {
        // Of a root that has been replaced.
        return Err(Errno::ENOENT);
    }
    name.push(0);
    if name.len() as u64 > size {
        return Err(Errno::ERANGE);
    }
    t.memory().write_bytes(buffer, &name)?;
    Ok(name.len() as u64)
}

/// Bytes of `struct linux_dirent64` before the name; the 16 bits at 16 are the length of all.
const DIRENT_NAME: usize = 19;

/// The entries of a buffer that getdents64(2) has filled whose names `shows` says yes to.
fn only(entries: &[u8], shows: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut kept = Vec::with_capacity(entries.len());
    let mut rest = entries;
    while rest.len() > DIRENT_NAME {
        let len = usize::from(u16::from_ne_bytes([rest[16], rest[17]]));
        let (entry, after) = rest.split_at(len.clamp(DIRENT_NAME, rest.len()));
        let name = entry[DIRENT_NAME..].split(|&b| b == 0).next().unwrap_or_default();
        if std::str::from_utf8(name).is_ok_and(&shows) {
            kept.extend_from_slice(entry);
        }
        rest = after;
    }
    kept
}

/// Directories of descriptors and of mappings are listed without those that are not the guest's.
pub(crate) fn sys_getdents64(t: &mut Thread, fd: Fd, buffer: u64, size: u32) -> SysResult {
    loop {
        let n = host!(t, SYS_getdents64, fd, t.output(buffer, size.into())?, size)?;
        let Some(listing) = procfs::listing(t, fd).filter(|_| n != 0) else { return Ok(n) };
        let mut entries = vec![0; n as usize];
        t.memory().read_bytes(buffer, &mut entries)?;
        let kept = match listing {
            Listing::Descriptors => {
                let hidden = crate::linux::fs::file::not_of_guest(t);
                let is_hidden = |name: &str| name.parse().is_ok_and(|n| hidden.contains(&n));
                only(&entries, |name| !is_hidden(name))
            }
            Listing::Mappings(who) => {
                let host = procfs::host_maps(who)?;
                let areas = procmaps::areas_of(t, who, &host)?;
                only(&entries, |name| name.starts_with('.') || areas.has_file(name))
            }
        };
        if !kept.is_empty() {
            t.memory().write_bytes(buffer, &kept)?;
            return Ok(kept.len() as u64);
        }
        // Nothing at all would be the end of the directory.
    }
}

pub(crate) fn sys_chdir(t: &mut Thread, path: GuestCStr) -> SysResult {
    let at = t.path(Fd::CWD, path, Last::Follow)?;
    host!(t, SYS_chdir, at.path.as_c_str())
}

pub(crate) fn sys_fchdir(t: &mut Thread, fd: Fd) -> SysResult {
    if let Some(world) = t.process.options.files.world() {
        world.start(fd)?;
    }
    host!(t, SYS_fchdir, fd)
}

pub(crate) fn sys_chroot(t: &mut Thread, path: GuestCStr) -> SysResult {
    if let Some(world) = t.process.options.files.world() {
        if lock(&t.process.credentials).as_ref().is_some_and(|c| !c.is_root()) {
            return Err(Errno::EPERM);
        }
        let path = path.read_path(t.memory())?;
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        return world.chroot(&path).map(|()| 0);
    }
    executable::keep();
    let at = t.new_path(Fd::CWD, path)?;
    host!(t, SYS_chroot, at.path.as_c_str())
}

pub(crate) fn sys_mkdirat(t: &mut Thread, dir: Fd, path: GuestCStr, mode: u32) -> SysResult {
    let at = t.new_path(dir, path)?.made()?;
    let real = t.real_mode(mode) | if t.marks(mode) { 0o100 } else { 0 };
    let made = || host!(t, SYS_mkdirat, at.dir, at.path.as_c_str(), real);
    let result = t.unlocked(&[at.dir], made)?;
    if t.marks(mode) {
        t.born(at.spot(), mode, None);
    }
    Ok(result)
}

pub(crate) fn sys_mknodat(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    mode: u32,
    dev: u32,
) -> SysResult {
    let at = t.new_path(dir, path)?.made()?;
    let kind = mode & libc::S_IFMT;
    let fakes = t.process.options.files.is_faked();
    let device = fakes && matches!(kind, libc::S_IFCHR | libc::S_IFBLK);
    let real = if device { mode & !libc::S_IFMT | libc::S_IFREG } else { mode };
    let (real, number) = (t.real_mode(real), if device { 0 } else { dev });
    let made = || host!(t, SYS_mknodat, at.dir, at.path.as_c_str(), real, number);
    let result = t.unlocked(&[at.dir], made)?;
    if device || t.marks(mode | 0o100) {
        t.born(at.spot(), mode, device.then_some((kind, dev)));
    }
    Ok(result)
}

pub(crate) fn sys_unlinkat(t: &mut Thread, dir: Fd, path: GuestCStr, flags: u32) -> SysResult {
    let at = t.new_path(dir, path)?.removed()?;
    t.dies(at.spot(), || {
        t.unlocked(&[at.dir], || host!(t, SYS_unlinkat, at.dir, at.path.as_c_str(), flags))
    })
}

/// The target is text, not a path that is looked up.
pub(crate) fn sys_symlinkat(
    t: &mut Thread,
    target: GuestCStr,
    dir: Fd,
    path: GuestCStr,
) -> SysResult {
    let at = t.new_path(dir, path)?.made()?;
    let target = t.string(target)?;
    let made = || host!(t, SYS_symlinkat, target, at.dir, at.path.as_c_str());
    let result = t.unlocked(&[at.dir], made)?;
    if t.marks(0o777) {
        t.born(at.spot(), 0o777, None);
    }
    Ok(result)
}

pub(crate) fn sys_linkat(
    t: &mut Thread,
    old_dir: Fd,
    old: GuestCStr,
    new_dir: Fd,
    new: GuestCStr,
    flags: u32,
) -> SysResult {
    let follow = flags & libc::AT_SYMLINK_FOLLOW as u32 != 0;
    let old = t.path(old_dir, old, if follow { Last::Follow } else { Last::Keep })?;
    let new = t.new_path(new_dir, new)?.made()?;
    let flags = flags | if old.object.is_some() { libc::AT_SYMLINK_FOLLOW as u32 } else { 0 };
    let (from, to) = (old.path.as_c_str(), new.path.as_c_str());
    t.unlocked(&[new.dir], || host!(t, SYS_linkat, old.dir, from, new.dir, to, flags))
}

pub(crate) fn sys_renameat2(
    t: &mut Thread,
    old_dir: Fd,
    old: GuestCStr,
    new_dir: Fd,
    new: GuestCStr,
    flags: u32,
) -> SysResult {
    let old = t.new_path(old_dir, old)?.removed()?;
    let new = t.new_path(new_dir, new)?.removed()?;
    let (from, to) = (old.path.as_c_str(), new.path.as_c_str());
    let rename = || host!(t, SYS_renameat2, old.dir, from, new.dir, to, flags);
    let rename = || t.unlocked(&[old.dir, new.dir], rename);
    // Two names of one file stay, and so do two files that change places.
    if flags != 0 { rename() } else { t.dies(new.spot(), rename) }
}

pub(crate) fn sys_readlinkat(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    buffer: u64,
    size: i32,
) -> SysResult {
    let at = t.path(dir, path, Last::Keep)?;
    let Ok(room) = u64::try_from(size) else { return Err(Errno::EINVAL) };
    let other = match at.proc {
        Some(ProcFile::OtherExe(pid)) => peers::find(pid),
        _ => None,
    };
    let target = if at.proc == Some(ProcFile::Exe) {
        t.process.exe_name().into_os_string().into_vec()
    } else if let Some(other) = other {
        other.exe
    } else if let Some(text) = t.process.options.files.magic_link(&at)? {
        text
    } else {
        // A link to an object is no link.
        let path = if at.object.is_some() { c"/" } else { at.path.as_c_str() };
        return host!(t, SYS_readlinkat, at.dir, path, t.output(buffer, room)?, size);
    };
    if size == 0 {
        return Err(Errno::EINVAL);
    }
    let n = target.len().min(size as usize);
    t.memory().write_bytes(buffer, &target[..n])?;
    Ok(n as u64)
}

pub(crate) fn sys_inotify_add_watch(
    t: &mut Thread,
    fd: Fd,
    path: GuestCStr,
    mask: u32,
) -> SysResult {
    let last = if mask & libc::IN_DONT_FOLLOW != 0 { Last::Keep } else { Last::Follow };
    let at = t.path(Fd::CWD, path, last)?;
    let mask = if at.object.is_some() { mask & !libc::IN_DONT_FOLLOW } else { mask };
    host!(t, SYS_inotify_add_watch, fd, at.whole().as_c_str(), mask)
}

/// The descriptors that events bring are opened with the flags of the guest's numbering.
pub(crate) fn sys_fanotify_init(t: &mut Thread, flags: u32, event_flags: u32) -> SysResult {
    t.has_host_files()?;
    host!(t, SYS_fanotify_init, flags, crate::linux::fs::file::host_open_flags(event_flags))
}

/// A null path means the directory itself.
pub(crate) fn sys_fanotify_mark(
    t: &mut Thread,
    fd: Fd,
    flags: u32,
    mask: u64,
    dir: Fd,
    path: GuestCStr,
) -> SysResult {
    if path.0 == 0 {
        return host!(t, SYS_fanotify_mark, fd, flags, mask, dir, HostArg::NULL);
    }
    let dont_follow = flags & libc::FAN_MARK_DONT_FOLLOW != 0;
    let at = t.path(dir, path, if dont_follow { Last::Keep } else { Last::Follow })?;
    host!(t, SYS_fanotify_mark, fd, flags, mask, at.dir, at.path.as_c_str())
}

impl Thread {
    /// For calls that administer the host's files.
    ///
    /// # Errors
    /// `EPERM` if the guest has a world of its own.
    pub(crate) fn has_host_files(&self) -> Result<(), Errno> {
        if self.process.options.files.world().is_some() { Err(Errno::EPERM) } else { Ok(()) }
    }
}

/// A path of the guest, or nothing for a null pointer.
pub(crate) fn optional_path(t: &Thread, path: GuestCStr) -> Result<Option<CString>, Errno> {
    if path.0 == 0 {
        return Ok(None);
    }
    Ok(Some(t.new_path(Fd::CWD, path)?.path))
}

/// As an argument: the path, or a null pointer.
pub(crate) fn optional_arg(path: Option<&CString>) -> HostArg<'_> {
    path.map_or(HostArg::NULL, |p| HostArg::path(p))
}

/// `quotactl` takes a block device by name and, depending on the command, an address or nothing.
pub(crate) fn sys_quotactl(
    t: &mut Thread,
    command: u32,
    special: GuestCStr,
    id: u32,
    data: GuestCStr,
) -> SysResult {
    t.has_host_files()?;
    let special = optional_path(t, special)?;
    // The largest structure is `struct fs_quota_statv`; Q_QUOTAON names a file.
    let data = t.output(data.0, 512)?;
    host!(t, SYS_quotactl, command, optional_arg(special.as_ref()), id, data)
}

pub(crate) fn sys_acct(t: &mut Thread, path: GuestCStr) -> SysResult {
    t.has_host_files()?;
    let path = optional_path(t, path)?;
    host!(t, SYS_acct, optional_arg(path.as_ref()))
}

/// `swapon` and `swapoff` name a file or device of the host.
pub(crate) fn sys_swapon(t: &mut Thread, path: GuestCStr, flags: u32) -> SysResult {
    t.has_host_files()?;
    let at = t.new_path(Fd::CWD, path)?;
    host!(t, SYS_swapon, at.path.as_c_str(), flags)
}

pub(crate) fn sys_swapoff(t: &mut Thread, path: GuestCStr) -> SysResult {
    t.has_host_files()?;
    let at = t.new_path(Fd::CWD, path)?;
    host!(t, SYS_swapoff, at.path.as_c_str())
}
