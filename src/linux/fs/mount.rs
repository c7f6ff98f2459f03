//! Mounts and mount namespaces. With a root filesystem of the guest's own they are the host's
//! kernel's where the guest has made itself a mount namespace ([`super::rootfs`]); elsewhere what
//! is mounted is fixed.

use crate::linux::abi::{Errno, Fd, GuestCStr, GuestPtr, SysResult};
use crate::linux::args::{Arg, host};
use crate::linux::exec::executable;
use crate::linux::fs::dir::{optional_arg, optional_path};
use crate::linux::fs::host_path::{HostPath, Last};
use crate::linux::fs::rootfs::{Worlds, fd_path, overlay_options};
use crate::linux::host::HostArg;
use crate::linux::process::Thread;
use crate::linux::task::clone::CLONE_NEWNS;
use std::ffi::CString;
use std::fs;
use std::sync::Arc;

/// The mount namespace of the calling thread.
fn namespace() -> Option<std::path::PathBuf> {
    fs::read_link("/proc/thread-self/ns/mnt").ok()
}

pub(crate) fn sys_unshare(t: &mut Thread, flags: u64) -> SysResult {
    let result = host!(t, SYS_unshare, flags)?;
    if let Some(world) = t.process.options.files.world()
        && flags & CLONE_NEWNS != 0
    {
        world.enter_new_namespace();
    }
    Ok(result)
}

pub(crate) fn sys_setns(t: &mut Thread, fd: Fd, kind: u32) -> SysResult {
    let Some(world) = t.process.options.files.world() else {
        executable::keep();
        return host!(t, SYS_setns, fd, kind);
    };
    let before = namespace();
    let result = host!(t, SYS_setns, fd, kind)?;
    if namespace() != before {
        world.enter_namespace();
    }
    Ok(result)
}

impl Thread {
    /// The world in which the guest mounts; `None` if it has the host's files.
    ///
    /// # Errors
    /// `EPERM` where what is mounted is fixed.
    fn mounts(&self) -> Result<Option<Arc<Worlds>>, Errno> {
        match self.process.options.files.world() {
            Some(world) if world.has_own_mounts() => Ok(Some(Arc::clone(world))),
            Some(_) => Err(Errno::EPERM),
            None => Ok(None),
        }
    }

    /// A path that is mounted, or is mounted on.
    fn mount_path(&self, dir: Fd, path: GuestCStr, last: Last) -> Result<HostPath, Errno> {
        match self.mounts()? {
            Some(_) => self.path(dir, path, last),
            None => self.new_path(dir, path),
        }
    }
}

/// True for a kind of file system that is on no device.
fn is_without_device(kind: &[u8]) -> bool {
    let known = fs::read("/proc/filesystems").unwrap_or_default();
    // What the host has not loaded yet it may load by that name; those on devices are few.
    let on_device = known.split(|&b| b == b'\n').any(|line| line.strip_prefix(b"\t") == Some(kind));
    !on_device
}

/// What is mounted, in the host's terms: the guest's device, or a text that is only shown.
fn source_of(t: &Thread, kind: &[u8], source: GuestCStr) -> Result<Option<HostPath>, Errno> {
    if source.0 == 0 {
        return Ok(None);
    }
    if !is_without_device(kind) {
        return t.path(Fd::CWD, source, Last::Follow).map(Some);
    }
    let text = source.read_path(t.memory())?;
    let mut shown = HostPath::of_fd(Fd::CWD);
    shown.path = CString::new(text).map_err(|_| Errno::EINVAL)?;
    Ok(Some(shown))
}

/// Bytes of the data that are read at most.
const DATA: usize = 4096;

/// The data of an overlay name directories of the guest.
fn data_of(t: &Thread, kind: &[u8], data: GuestCStr) -> Result<(CString, Vec<HostPath>), Errno> {
    let text = t.memory().read_c_string(data.0, DATA)?.ok_or(Errno::EINVAL)?;
    let mut held = Vec::new();
    let text = if kind == b"overlay" {
        overlay_options(&text, |path| {
            let found = t.located(path)?;
            let host = found.whole().into_bytes();
            held.push(found);
            Ok(host)
        })?
    } else {
        text
    };
    Ok((CString::new(text).map_err(|_| Errno::EINVAL)?, held))
}

/// The data is a string for every file system that an unprivileged process can mount; at most a
/// page is read.
pub(crate) fn sys_mount(
    t: &mut Thread,
    source: GuestCStr,
    target: GuestCStr,
    kind: GuestCStr,
    flags: u64,
    data: GuestCStr,
) -> SysResult {
    /// How mounts and unmounts go from one namespace to another.
    const PROPAGATION: u64 =
        libc::MS_SHARED | libc::MS_PRIVATE | libc::MS_SLAVE | libc::MS_UNBINDABLE;
    if t.mounts()?.is_none() {
        let source = optional_path(t, source)?;
        let target = optional_path(t, target)?;
        let (source, target) = (optional_arg(source.as_ref()), optional_arg(target.as_ref()));
        return host!(t, SYS_mount, source, target, t.string(kind)?, flags, t.string(data)?);
    }
    let at = t.path(Fd::CWD, target, Last::Follow)?.named()?;
    let magic = flags & libc::MS_MGC_MSK == libc::MS_MGC_VAL;
    let flags = if magic { flags & !libc::MS_MGC_MSK } else { flags };
    let has = |bits: u64| flags & bits != 0;
    if has(libc::MS_REMOUNT) || (has(PROPAGATION) && !has(libc::MS_BIND)) {
        let (none, path) = (HostArg::NULL, at.path.as_c_str());
        return host!(t, SYS_mount, none, path, none, flags, t.string(data)?);
    }
    let (from, name, options);
    let mut held = Vec::new();
    let mut args = [HostArg::NULL; 3];
    if has(libc::MS_BIND | libc::MS_MOVE) {
        from = Some(t.path(Fd::CWD, source, Last::Follow)?.named()?);
    } else {
        let bytes = kind.read_path(t.memory())?;
        from = source_of(t, &bytes, source)?;
        if data.0 != 0 {
            (options, held) = data_of(t, &bytes, data)?;
            args[2] = HostArg::path(&options);
        }
        name = CString::new(bytes).map_err(|_| Errno::EINVAL)?;
        args[1] = HostArg::path(&name);
    }
    if let Some(from) = &from {
        args[0] = HostArg::path(&from.path);
    }
    let result = host!(t, SYS_mount, args[0], at.path.as_c_str(), args[1], flags, args[2]);
    drop(held);
    result
}

pub(crate) fn sys_umount2(t: &mut Thread, target: GuestCStr, flags: u32) -> SysResult {
    /// `UMOUNT_NOFOLLOW`, and all flags that there are.
    const NOFOLLOW: u32 = 8;
    const KNOWN: u32 = 15;
    let Some(world) = t.mounts()? else {
        let at = t.new_path(Fd::CWD, target)?;
        return host!(t, SYS_umount2, at.path.as_c_str(), flags);
    };
    if flags & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    let last = if flags & NOFOLLOW != 0 { Last::Keep } else { Last::Follow };
    let at = t.path(Fd::CWD, target, last)?.named()?;
    let object = at.object.ok_or(Errno::EINVAL)?;
    let place = world.name_of(Fd(object))?;
    if place == b"/" {
        // The root, or what lies on top of it.
        host!(t, SYS_umount2, fd_path(object).as_c_str(), flags & !NOFOLLOW)?;
    } else {
        drop(at);
        if world.take_away(&place) {
            return Ok(0);
        }
        let (_held, path) = world.mount_point(&place)?;
        host!(t, SYS_umount2, path.as_c_str(), flags | NOFOLLOW)?;
    }
    world.taken_away(&place);
    Ok(0)
}

pub(crate) fn sys_pivot_root(t: &mut Thread, new: GuestCStr, old: GuestCStr) -> SysResult {
    if let Some(world) = t.mounts()? {
        let (new, old) = (new.read_path(t.memory())?, old.read_path(t.memory())?);
        if new.is_empty() || old.is_empty() {
            return Err(Errno::ENOENT);
        }
        return world.pivot(&new, &old).map(|()| 0);
    }
    executable::keep();
    let new = t.new_path(Fd::CWD, new)?;
    let old = t.new_path(Fd::CWD, old)?;
    host!(t, SYS_pivot_root, new.path.as_c_str(), old.path.as_c_str())
}

pub(crate) fn sys_open_tree(t: &mut Thread, dir: Fd, path: GuestCStr, flags: u32) -> SysResult {
    let keep = flags & libc::AT_SYMLINK_NOFOLLOW as u32 != 0;
    let at = t.mount_path(dir, path, if keep { Last::Keep } else { Last::Follow })?;
    // OPEN_TREE_CLOEXEC is O_CLOEXEC, which is the same everywhere.
    host!(t, SYS_open_tree, at.dir, at.path.as_c_str(), at.flags(flags))
}

pub(crate) fn sys_move_mount(
    t: &mut Thread,
    from_dir: Fd,
    from: GuestCStr,
    to_dir: Fd,
    to: GuestCStr,
    flags: u32,
) -> SysResult {
    /// `MOVE_MOUNT_F_SYMLINKS`, `MOVE_MOUNT_T_SYMLINKS`.
    const FOLLOW: [u32; 2] = [1, 0x10];
    let last = |bit| if flags & bit != 0 { Last::Follow } else { Last::Keep };
    let from = t.mount_path(from_dir, from, last(FOLLOW[0]))?;
    let to = t.mount_path(to_dir, to, last(FOLLOW[1]))?;
    // The way to an object goes through a link.
    let link = |at: &HostPath, bit| if at.object.is_some() { bit } else { 0 };
    let flags = flags | link(&from, FOLLOW[0]) | link(&to, FOLLOW[1]);
    host!(t, SYS_move_mount, from.dir, from.path.as_c_str(), to.dir, to.path.as_c_str(), flags)
}

pub(crate) fn sys_fspick(t: &mut Thread, dir: Fd, path: GuestCStr, flags: u32) -> SysResult {
    /// `FSPICK_SYMLINK_NOFOLLOW`.
    const NOFOLLOW: u32 = 2;
    let keep = flags & NOFOLLOW != 0;
    let at = t.mount_path(dir, path, if keep { Last::Keep } else { Last::Follow })?;
    let flags = if at.object.is_some() { flags & !NOFOLLOW } else { flags };
    host!(t, SYS_fspick, at.dir, at.path.as_c_str(), flags)
}

/// Commands whose value is a text, `aux` bytes, and a path.
const FSCONFIG_SET_STRING: u32 = 1;
const FSCONFIG_SET_BINARY: u32 = 2;
const FSCONFIG_SET_PATH: u32 = 3;

/// Parameters whose text names files.
const PATHS: [&[u8]; 6] =
    [b"source", b"lowerdir", b"lowerdir+", b"datadir+", b"upperdir", b"workdir"];

pub(crate) fn sys_fsconfig(
    t: &mut Thread,
    fd: Fd,
    command: u32,
    key: GuestCStr,
    value: u64,
    aux: i32,
) -> SysResult {
    if t.mounts()?.is_some() && matches!(command, FSCONFIG_SET_STRING | FSCONFIG_SET_PATH) {
        let name = key.read_path(t.memory())?;
        let is_path = command == FSCONFIG_SET_PATH || PATHS.contains(&name.as_slice());
        let text = GuestCStr(value).read_path(t.memory())?;
        // Otherwise it is only shown.
        if is_path && (name != b"source" || text.first() == Some(&b'/')) {
            let dir = if command == FSCONFIG_SET_PATH { Fd(aux) } else { Fd::CWD };
            let at = t.path(dir, GuestCStr(value), Last::Follow)?.named()?;
            let aux = if command == FSCONFIG_SET_PATH { libc::AT_FDCWD } else { 0 };
            return host!(t, SYS_fsconfig, fd, command, t.string(key)?, at.path.as_c_str(), aux);
        }
    }
    let len = if command == FSCONFIG_SET_BINARY { u64::try_from(aux).unwrap_or(1) } else { 1 };
    host!(t, SYS_fsconfig, fd, command, t.string(key)?, t.input(value, len)?, aux)
}

/// `struct mount_attr` holds no addresses.
pub(crate) fn sys_mount_setattr(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    flags: u32,
    attr: GuestPtr<u64>,
    size: u64,
) -> SysResult {
    let keep = flags & libc::AT_SYMLINK_NOFOLLOW as u32 != 0;
    let at = t.mount_path(dir, path, if keep { Last::Keep } else { Last::Follow })?;
    let flags = at.flags(flags);
    host!(t, SYS_mount_setattr, at.dir, at.path.as_c_str(), flags, t.input(attr.0, size)?, size)
}

impl Thread {
    /// The host's mounts mean nothing in a world of the guest's own: it gets the answer of a kernel
    /// before 6.8, for which programs have `mountinfo`.
    fn asks_for_mounts(&mut self, number: u16, spec: &[Arg]) -> SysResult {
        self.has_host_files().map_err(|_| Errno::ENOSYS)?;
        self.pass(number, spec)
    }
}

pub(crate) fn sys_statmount(t: &mut Thread) -> SysResult {
    t.asks_for_mounts(457, &[Arg::R(24), Arg::WN(2), Arg::V, Arg::V])
}

pub(crate) fn sys_listmount(t: &mut Thread) -> SysResult {
    t.asks_for_mounts(458, &[Arg::R(24), Arg::WE(2, 8), Arg::V, Arg::V])
}
