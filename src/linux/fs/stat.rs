//! What is known about files: status, access checks, modes, owners, times, extended attributes.

use crate::linux::abi::{Errno, Fd, GuestCStr, GuestPtr, Stat, Statx, SysResult, XattrArgs};
use crate::linux::args::host;
use crate::linux::fs::host_path::{HostPath, Last};
use crate::linux::host::HostArg;
use crate::linux::process::Thread;
use crate::mem::Access;
use std::cmp::Ordering;

/// Size of `struct statfs`, the same on all 64-bit hosts.
const STATFS: u64 = 120;
/// The path may be empty: the descriptor itself is meant.
const AT_EMPTY_PATH: u32 = libc::AT_EMPTY_PATH as u32;

/// Follow the last link, unless the flags have `AT_SYMLINK_NOFOLLOW`.
fn last(flags: u32) -> Last {
    if flags & libc::AT_SYMLINK_NOFOLLOW as u32 != 0 { Last::Keep } else { Last::Follow }
}

/// A path that may be null where `AT_EMPTY_PATH` says that the descriptor itself is meant.
fn path_or_fd(t: &Thread, dir: Fd, path: GuestCStr, flags: u32) -> Result<HostPath, Errno> {
    if path.0 == 0 && flags & AT_EMPTY_PATH != 0 {
        return Ok(HostPath::of_fd(dir));
    }
    path_or_empty(t, dir, path, flags)
}

/// A path that may be empty where `AT_EMPTY_PATH` says that the descriptor itself is meant.
fn path_or_empty(t: &Thread, dir: Fd, path: GuestCStr, flags: u32) -> Result<HostPath, Errno> {
    let at = t.path(dir, path, last(flags))?;
    if flags & AT_EMPTY_PATH != 0 { Ok(at) } else { at.named() }
}

/// A device number as `struct stat` holds it (`new_encode_dev`, `linux/kdev_t.h`).
fn encode_dev(major: u32, minor: u32) -> u64 {
    u64::from((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12))
}

/// `struct stat` of the guest from the host's `struct statx`, which is the same on all hosts.
fn stat_from(x: &Statx) -> Stat {
    Stat {
        st_dev: encode_dev(x.dev_major, x.dev_minor),
        st_ino: x.ino,
        st_mode: u32::from(x.mode),
        st_nlink: x.nlink,
        st_uid: x.uid,
        st_gid: x.gid,
        st_rdev: encode_dev(x.rdev_major, x.rdev_minor),
        pad1: 0,
        st_size: x.size as i64,
        st_blksize: x.blksize as i32,
        pad2: 0,
        st_blocks: x.blocks as i64,
        st_atime: x.atime.sec,
        st_atime_nsec: u64::from(x.atime.nsec),
        st_mtime: x.mtime.sec,
        st_mtime_nsec: u64::from(x.mtime.nsec),
        st_ctime: x.ctime.sec,
        st_ctime_nsec: u64::from(x.ctime.nsec),
        unused: [0; 2],
    }
}

/// Asks the host for what `struct stat` holds and writes it for the guest.
fn stat(t: &Thread, at: &HostPath, flags: u32, to: GuestPtr<Stat>) -> SysResult {
    let mut x = <Statx as crate::linux::abi::Pod>::zeroed();
    // As `stat` does, automounts are left alone.
    let flags = flags | libc::AT_NO_AUTOMOUNT as u32;
    let (dir, path, flags) = match at.object {
        Some(fd) => (Fd(fd), c"", flags | AT_EMPTY_PATH),
        None => (at.dir, at.path.as_c_str(), flags),
    };
    host!(t, SYS_statx, dir, path, flags, libc::STATX_BASIC_STATS, HostArg::of_mut(&mut x))?;
    t.process.options.files.show(&mut x);
    to.write(t.memory(), &stat_from(&x))?;
    Ok(0)
}

pub(crate) fn sys_newfstatat(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    to: GuestPtr<Stat>,
    flags: u32,
) -> SysResult {
    let allowed = libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT | libc::AT_EMPTY_PATH;
    if flags & !(allowed as u32) != 0 {
        return Err(Errno::EINVAL);
    }
    let at = path_or_fd(t, dir, path, flags)?;
    stat(t, &at, flags, to)
}

pub(crate) fn sys_fstat(t: &mut Thread, fd: Fd, to: GuestPtr<Stat>) -> SysResult {
    // AT_FDCWD is no descriptor to this call.
    if fd.0 < 0 {
        return Err(Errno::EBADF);
    }
    stat(t, &HostPath::of_fd(fd), AT_EMPTY_PATH, to)
}

pub(crate) fn sys_statx(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    flags: u32,
    mask: u32,
    to: u64,
) -> SysResult {
    let at = path_or_fd(t, dir, path, flags)?;
    if t.process.options.files.is_faked() {
        let mut x = <Statx as crate::linux::abi::Pod>::zeroed();
        let mask = mask | libc::STATX_BASIC_STATS;
        let (path, flags) = (at.path.as_c_str(), at.flags(flags));
        host!(t, SYS_statx, at.dir, path, flags, mask, HostArg::of_mut(&mut x))?;
        t.process.options.files.show(&mut x);
        GuestPtr::new(to).write(t.memory(), &x)?;
        return Ok(0);
    }
    let to = t.output(to, size_of::<Statx>() as u64)?;
    host!(t, SYS_statx, at.dir, at.path.as_c_str(), at.flags(flags), mask, to)
}

pub(crate) fn sys_statfs(t: &mut Thread, path: GuestCStr, to: u64) -> SysResult {
    let at = t.path(Fd::CWD, path, Last::Follow)?;
    host!(t, SYS_statfs, at.whole().as_c_str(), t.output(to, STATFS)?)
}

pub(crate) fn sys_faccessat(t: &mut Thread, dir: Fd, path: GuestCStr, mode: u32) -> SysResult {
    let at = t.path(dir, path, Last::Follow)?.named()?;
    if let Some(answer) = t.may(&at, mode, false) {
        return answer;
    }
    host!(t, SYS_faccessat, at.dir, at.path.as_c_str(), mode)
}

pub(crate) fn sys_faccessat2(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    mode: u32,
    flags: u32,
) -> SysResult {
    let at = path_or_empty(t, dir, path, flags)?;
    let effective = flags & libc::AT_EACCESS as u32 != 0;
    if let Some(answer) = t.may(&at, mode, effective) {
        return answer;
    }
    host!(t, SYS_faccessat2, at.dir, at.path.as_c_str(), mode, at.flags(flags))
}

pub(crate) fn sys_fchmodat(t: &mut Thread, dir: Fd, path: GuestCStr, mode: u32) -> SysResult {
    let at = t.path(dir, path, Last::Follow)?.named()?.changed()?;
    let path = at.path.as_c_str();
    t.set_mode(at.spot(), mode, |mode| host!(t, SYS_fchmodat, at.dir, path, mode))
}

pub(crate) fn sys_fchmod(t: &mut Thread, fd: Fd, mode: u32) -> SysResult {
    t.set_mode((fd, c""), mode, |mode| host!(t, SYS_fchmod, fd, mode))
}

pub(crate) fn sys_fchmodat2(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    mode: u32,
    flags: u32,
) -> SysResult {
    let at = path_or_empty(t, dir, path, flags)?.changed()?;
    // The same number on all hosts; libc does not name it on each.
    const SYS_FCHMODAT2: i64 = 452;
    let path = HostArg::from(at.path.as_c_str());
    let flags = at.flags(flags);
    t.set_mode(at.spot(), mode, |mode| {
        t.host(SYS_FCHMODAT2, &[at.dir.into(), path, mode.into(), flags.into()])
    })
}

pub(crate) fn sys_fchownat(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    user: u32,
    group: u32,
    flags: u32,
) -> SysResult {
    let at = path_or_empty(t, dir, path, flags)?.changed()?;
    let path = at.path.as_c_str();
    t.set_owner(at.spot(), user, group, || {
        host!(t, SYS_fchownat, at.dir, path, user, group, at.flags(flags))
    })
}

pub(crate) fn sys_fchown(t: &mut Thread, fd: Fd, user: u32, group: u32) -> SysResult {
    t.set_owner((fd, c""), user, group, || host!(t, SYS_fchown, fd, user, group))
}

/// A null path means the descriptor itself, as for `futimens`.
pub(crate) fn sys_utimensat(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    times: u64,
    flags: u32,
) -> SysResult {
    let times = t.input(times, 32)?;
    if path.0 == 0 {
        return host!(t, SYS_utimensat, dir, HostArg::NULL, times, flags);
    }
    let at = t.path(dir, path, last(flags))?.changed()?;
    host!(t, SYS_utimensat, at.dir, at.path.as_c_str(), times, at.flags(flags))
}

/// The calls on extended attributes that take a path, with and without following a link.
macro_rules! xattr {
    ($($set:ident $get:ident $list:ident $remove:ident $last:ident:
       $host_set:ident $host_get:ident $host_list:ident $host_remove:ident
       $object_set:ident $object_get:ident $object_list:ident $object_remove:ident;)*) => {$(
        pub(crate) fn $set(
            t: &mut Thread,
            path: GuestCStr,
            name: GuestCStr,
            value: u64,
            size: u64,
            flags: u32,
        ) -> SysResult {
            let at = t.path(Fd::CWD, path, Last::$last)?.changed()?;
            let number = at.number(libc::$host_set, libc::$object_set);
            let (name, value) = (t.string(name)?, t.input(value, size)?);
            t.host(number, &[(&*at.whole()).into(), name, value, size.into(), flags.into()])
        }

        pub(crate) fn $get(
            t: &mut Thread,
            path: GuestCStr,
            name: GuestCStr,
            value: u64,
            size: u64,
        ) -> SysResult {
            let at = t.path(Fd::CWD, path, Last::$last)?;
            let number = at.number(libc::$host_get, libc::$object_get);
            let (name, value) = (t.string(name)?, t.output(value, size)?);
            t.host(number, &[(&*at.whole()).into(), name, value, size.into()])
        }

        pub(crate) fn $list(t: &mut Thread, path: GuestCStr, list: u64, size: u64) -> SysResult {
            let at = t.path(Fd::CWD, path, Last::$last)?;
            let number = at.number(libc::$host_list, libc::$object_list);
            t.host(number, &[(&*at.whole()).into(), t.output(list, size)?, size.into()])
        }

        pub(crate) fn $remove(t: &mut Thread, path: GuestCStr, name: GuestCStr) -> SysResult {
            let at = t.path(Fd::CWD, path, Last::$last)?.changed()?;
            let number = at.number(libc::$host_remove, libc::$object_remove);
            t.host(number, &[(&*at.whole()).into(), t.string(name)?])
        }
    )*};
}

xattr! {
    sys_setxattr sys_getxattr sys_listxattr sys_removexattr Follow:
        SYS_setxattr SYS_getxattr SYS_listxattr SYS_removexattr
        SYS_setxattr SYS_getxattr SYS_listxattr SYS_removexattr;
    sys_lsetxattr sys_lgetxattr sys_llistxattr sys_lremovexattr Keep:
        SYS_lsetxattr SYS_lgetxattr SYS_llistxattr SYS_lremovexattr
        SYS_setxattr SYS_getxattr SYS_listxattr SYS_removexattr;
}

/// Numbers that all hosts share and libc does not name yet.
mod number {
    pub(crate) const SETXATTRAT: i64 = 463;
    pub(crate) const GETXATTRAT: i64 = 464;
    pub(crate) const LISTXATTRAT: i64 = 465;
    pub(crate) const REMOVEXATTRAT: i64 = 466;
    pub(crate) const FILE_GETATTR: i64 = 468;
    pub(crate) const FILE_SETATTR: i64 = 469;
}

/// The `struct xattr_args` of the host for the guest's.
fn xattr_args(
    t: &Thread,
    args: GuestPtr<XattrArgs>,
    size: u64,
    access: Access,
) -> Result<XattrArgs, Errno> {
    match size.cmp(&(size_of::<XattrArgs>() as u64)) {
        Ordering::Less => Err(Errno::EINVAL),
        Ordering::Greater => Err(Errno::E2BIG),
        Ordering::Equal => {
            let args = args.read(t.memory())?;
            Ok(XattrArgs { value: t.host_addr(args.value, u64::from(args.size), access)?, ..args })
        }
    }
}

pub(crate) fn sys_setxattrat(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    flags: u32,
    name: GuestCStr,
    args: GuestPtr<XattrArgs>,
    size: u64,
) -> SysResult {
    let at = path_or_fd(t, dir, path, flags)?.changed()?;
    let args = xattr_args(t, args, size, Access::Read)?;
    let name = t.string(name)?;
    let (path, args) = (HostArg::path(&at.path), HostArg::of(&args));
    t.host(
        number::SETXATTRAT,
        &[at.dir.into(), path, at.flags(flags).into(), name, args, size.into()],
    )
}

pub(crate) fn sys_getxattrat(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    flags: u32,
    name: GuestCStr,
    args: GuestPtr<XattrArgs>,
    size: u64,
) -> SysResult {
    let at = path_or_fd(t, dir, path, flags)?;
    let args = xattr_args(t, args, size, Access::Write)?;
    let name = t.string(name)?;
    let (path, args) = (HostArg::path(&at.path), HostArg::of(&args));
    t.host(
        number::GETXATTRAT,
        &[at.dir.into(), path, at.flags(flags).into(), name, args, size.into()],
    )
}

pub(crate) fn sys_listxattrat(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    flags: u32,
    list: u64,
    size: u64,
) -> SysResult {
    let at = path_or_fd(t, dir, path, flags)?;
    let list = t.output(list, size)?;
    let path = HostArg::path(&at.path);
    t.host(number::LISTXATTRAT, &[at.dir.into(), path, at.flags(flags).into(), list, size.into()])
}

pub(crate) fn sys_removexattrat(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    flags: u32,
    name: GuestCStr,
) -> SysResult {
    let at = path_or_fd(t, dir, path, flags)?.changed()?;
    let name = t.string(name)?;
    let path = HostArg::path(&at.path);
    t.host(number::REMOVEXATTRAT, &[at.dir.into(), path, at.flags(flags).into(), name])
}

pub(crate) fn sys_file_getattr(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    attr: u64,
    size: u64,
    flags: u32,
) -> SysResult {
    let at = path_or_fd(t, dir, path, flags)?;
    let attr = t.output(attr, size)?;
    let path = HostArg::path(&at.path);
    t.host(number::FILE_GETATTR, &[at.dir.into(), path, attr, size.into(), at.flags(flags).into()])
}

pub(crate) fn sys_file_setattr(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    attr: u64,
    size: u64,
    flags: u32,
) -> SysResult {
    let at = path_or_fd(t, dir, path, flags)?.changed()?;
    let attr = t.input(attr, size)?;
    let path = HostArg::path(&at.path);
    t.host(number::FILE_SETATTR, &[at.dir.into(), path, attr, size.into(), at.flags(flags).into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_are_encoded_as_the_kernel_does() {
        assert_eq!(encode_dev(8, 1), 0x801);
        assert_eq!(encode_dev(259, 0x12345), 0x1231_0345);
    }
}
