//! Open files: opening, reading and writing in pieces, flags, locks, moving data between files.

use crate::linux::abi::{Errno, Fd, GuestCStr, GuestPtr, IoVec, OpenHow, SysResult};
use crate::linux::args::host;
use crate::linux::fs::host_path::Last;
use crate::linux::fs::iovec::Buffers;
use crate::linux::fs::proc::{procfd, procfs};
use crate::linux::fs::{busy, rootfs};
use crate::linux::host::HostArg;
use crate::linux::process::Thread;
use crate::mem::Access;

/// Guest open flags and the host's (`asm-generic/fcntl.h`; arm and arm64 swap some). Bits that
/// are in neither column of any row have the same meaning everywhere.
const OPEN_FLAGS: [(u32, i32); 4] = [
    (0o40000, libc::O_DIRECT),
    (0o200_000, libc::O_DIRECTORY),
    (0o400_000, libc::O_NOFOLLOW),
    (O_LARGEFILE, HOST_O_LARGEFILE),
];

/// `O_LARGEFILE` of the guest, which 64-bit kernels set in each open file.
const O_LARGEFILE: u32 = 0o100_000;
/// The host's: its C library may call it 0. Where arm's numbers are used, it has changed places
/// with `O_NOFOLLOW`.
const HOST_O_LARGEFILE: i32 = match libc::O_LARGEFILE {
    0 if libc::O_NOFOLLOW == 0o100_000 => 0o400_000,
    0 => 0o100_000,
    known => known,
};
/// `O_CREAT`.
const O_CREAT: u32 = 0o100;
/// `O_EXCL`.
const O_EXCL: u32 = 0o200;
/// `O_NOFOLLOW` of the guest.
const O_NOFOLLOW: u32 = 0o400_000;

/// The host's open flags for the guest's.
pub(crate) fn host_open_flags(guest: u32) -> i32 {
    let known = OPEN_FLAGS.iter().fold(0, |all, &(g, h)| all | g | h as u32);
    OPEN_FLAGS
        .iter()
        .filter(|&&(g, _)| guest & g != 0)
        .fold((guest & !known) as i32, |flags, &(_, h)| flags | h)
}

/// The guest's open flags for the host's.
pub(crate) fn guest_open_flags(host: i32) -> u32 {
    let known = OPEN_FLAGS.iter().fold(0, |all, &(g, h)| all | g | h as u32);
    OPEN_FLAGS
        .iter()
        .filter(|&&(_, h)| host & h != 0)
        .fold(host as u32 & !known, |flags, &(g, _)| flags | g)
}

/// What the last component means to an open with these flags.
pub(crate) fn last_of_open(flags: u32) -> Last {
    let exclusive = flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL;
    if flags & O_NOFOLLOW != 0 || exclusive { Last::Keep } else { Last::Follow }
}

pub(crate) fn sys_openat(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    flags: u32,
    mode: u32,
) -> SysResult {
    if let Some(world) = t.process.options.files.world() {
        return rootfs::open::open(t, world, dir, path, host_open_flags(flags), mode);
    }
    let at = t.path(dir, path, last_of_open(flags))?;
    procfs::may_open(t, at.proc)?;
    busy::may_open(at.dir, &at.path, host_open_flags(flags))?;
    let fd = host!(t, SYS_openat, at.dir, at.path.as_c_str(), host_open_flags(flags), mode)?;
    procfd::opened(t, at.proc, fd);
    Ok(fd)
}

pub(crate) fn sys_openat2(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    how: GuestPtr<OpenHow>,
    size: u64,
) -> SysResult {
    if size < size_of::<OpenHow>() as u64 {
        return Err(Errno::EINVAL);
    }
    if size > crate::util::PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    let guest = how.read(t.memory())?;
    // A later kernel's fields must be zero, as for our own.
    let mut rest = vec![0; size as usize - size_of::<OpenHow>()];
    t.memory().read_bytes(how.add(1).0, &mut rest)?;
    if rest.iter().any(|&b| b != 0) {
        return Err(Errno::E2BIG);
    }
    let flags = u32::try_from(guest.flags).map_err(|_| Errno::EINVAL)?;
    if let Some(world) = t.process.options.files.world() {
        let how = OpenHow { flags: host_open_flags(flags) as u32 as u64, ..guest };
        return rootfs::open::open_with(t, world, dir, path, how);
    }
    // A call that restricts the resolution knows what tree it is in: no prefix then.
    let at = if guest.resolve == 0 {
        t.path(dir, path, last_of_open(flags))?
    } else {
        t.new_path(dir, path)?
    };
    procfs::may_open(t, at.proc)?;
    busy::may_open(at.dir, &at.path, host_open_flags(flags))?;
    let how = OpenHow { flags: host_open_flags(flags) as u32 as u64, ..guest };
    let size = size_of::<OpenHow>() as u64;
    let fd = host!(t, SYS_openat2, at.dir, at.path.as_c_str(), HostArg::of(&how), size)?;
    procfd::opened(t, at.proc, fd);
    Ok(fd)
}

/// One buffer.
fn buffer(base: u64, len: u64) -> Result<Vec<IoVec>, Errno> {
    Ok(vec![IoVec { base, len }])
}

pub(crate) fn sys_read(t: &mut Thread, fd: Fd, to: u64, len: u64) -> SysResult {
    let made = procfd::read(t, fd, None, |_| buffer(to, len));
    made.unwrap_or_else(|| host!(t, SYS_read, fd, t.output(to, len)?, len))
}

pub(crate) fn sys_write(t: &mut Thread, fd: Fd, from: u64, len: u64) -> SysResult {
    let made = procfd::write(t, fd, None, |_| buffer(from, len));
    made.unwrap_or_else(|| host!(t, SYS_write, fd, t.input(from, len)?, len))
}

pub(crate) fn sys_pread64(t: &mut Thread, fd: Fd, to: u64, len: u64, at: u64) -> SysResult {
    let made = procfd::read(t, fd, Some(at), |_| buffer(to, len));
    made.unwrap_or_else(|| host!(t, SYS_pread64, fd, t.output(to, len)?, len, at))
}

pub(crate) fn sys_pwrite64(t: &mut Thread, fd: Fd, from: u64, len: u64, at: u64) -> SysResult {
    let made = procfd::write(t, fd, Some(at), |_| buffer(from, len));
    made.unwrap_or_else(|| host!(t, SYS_pwrite64, fd, t.input(from, len)?, len, at))
}

pub(crate) fn sys_sendfile(t: &mut Thread, to: Fd, from: Fd, offset: u64, len: u64) -> SysResult {
    let made = procfd::send(t, from, GuestPtr::new(offset), to, len);
    made.unwrap_or_else(|| host!(t, SYS_sendfile, to, from, t.output(offset, 8)?, len))
}

pub(crate) fn sys_splice(
    t: &mut Thread,
    from: Fd,
    from_at: u64,
    to: Fd,
    to_at: u64,
    len: u64,
    flags: u32,
) -> SysResult {
    let made = procfd::send(t, from, GuestPtr::new(from_at), to, len);
    made.unwrap_or_else(|| {
        let (from_at, to_at) = (t.output(from_at, 8)?, t.output(to_at, 8)?);
        host!(t, SYS_splice, from, from_at, to, to_at, len, flags)
    })
}

/// The guest has not the descriptors that hold its world, nor those of tools.
fn of_guest(t: &Thread, fd: Fd) -> Result<(), Errno> {
    if t.process.options.files.holds(fd) { Err(Errno::EBADF) } else { Ok(()) }
}

/// Numbers of the descriptors that are not the guest's.
pub(crate) fn not_of_guest(t: &Thread) -> Vec<i32> {
    t.process.options.files.held()
}

pub(crate) fn sys_close(t: &mut Thread, fd: Fd) -> SysResult {
    of_guest(t, fd)?;
    host!(t, SYS_close, fd)
}

pub(crate) fn sys_dup3(t: &mut Thread, old: Fd, new: Fd, flags: u32) -> SysResult {
    of_guest(t, new)?;
    host!(t, SYS_dup3, old, new, host_open_flags(flags))
}

pub(crate) fn sys_close_range(t: &mut Thread, first: u32, last: u32, flags: u32) -> SysResult {
    let mut held: Vec<u32> = not_of_guest(t).into_iter().map(|fd| fd as u32).collect();
    held.retain(|fd| (first..=last).contains(fd));
    held.sort_unstable();
    let mut from = first;
    for fd in held {
        if from < fd {
            host!(t, SYS_close_range, from, fd - 1, flags)?;
        }
        from = fd + 1;
    }
    if from > last && from != first {
        return Ok(0);
    }
    host!(t, SYS_close_range, from, last, flags)
}

pub(crate) fn sys_pipe2(t: &mut Thread, ends: u64, flags: u32) -> SysResult {
    host!(t, SYS_pipe2, t.output(ends, 8)?, host_open_flags(flags))
}

/// `fcntl` commands whose argument is the address of so many bytes (`asm-generic/fcntl.h`).
const FCNTL_POINTERS: [(i32, u64); 13] = [
    (libc::F_GETLK, 32),
    (libc::F_SETLK, 32),
    (libc::F_SETLKW, 32),
    (libc::F_OFD_GETLK, 32),
    (libc::F_OFD_SETLK, 32),
    (libc::F_OFD_SETLKW, 32),
    (15, 8),   // F_SETOWN_EX
    (16, 8),   // F_GETOWN_EX
    (17, 8),   // F_GETOWNER_UIDS
    (1035, 8), // F_GET_RW_HINT
    (1036, 8), // F_SET_RW_HINT
    (1037, 8), // F_GET_FILE_RW_HINT
    (1038, 8), // F_SET_FILE_RW_HINT
];

pub(crate) fn sys_fcntl(t: &mut Thread, fd: Fd, command: i32, arg: u64) -> SysResult {
    of_guest(t, fd)?;
    if let Some(&(_, len)) = FCNTL_POINTERS.iter().find(|&&(c, _)| c == command) {
        return host!(t, SYS_fcntl, fd, command, t.output(arg, len)?);
    }
    match command {
        libc::F_GETFL => {
            let flags = host!(t, SYS_fcntl, fd, command)?;
            Ok(u64::from(guest_open_flags(flags as i32)))
        }
        libc::F_SETFL => host!(t, SYS_fcntl, fd, command, host_open_flags(arg as u32)),
        // Everything else takes a number or nothing.
        _ => host!(t, SYS_fcntl, fd, command, arg),
    }
}

pub(crate) fn sys_readv(t: &mut Thread, fd: Fd, iov: u64, count: u64) -> SysResult {
    if let Some(made) = procfd::read(t, fd, None, |t| procfd::vector(t, iov, count)) {
        return made;
    }
    let v = Buffers::new(t, iov, count, Access::Write);
    host!(t, SYS_readv, fd, v.arg(), count)
}

pub(crate) fn sys_writev(t: &mut Thread, fd: Fd, iov: u64, count: u64) -> SysResult {
    if let Some(made) = procfd::write(t, fd, None, |t| procfd::vector(t, iov, count)) {
        return made;
    }
    let v = Buffers::new(t, iov, count, Access::Read);
    host!(t, SYS_writev, fd, v.arg(), count)
}

pub(crate) fn sys_preadv(
    t: &mut Thread,
    fd: Fd,
    iov: u64,
    count: u64,
    low: u64,
    high: u64,
) -> SysResult {
    if let Some(made) = procfd::read(t, fd, Some(low), |t| procfd::vector(t, iov, count)) {
        return made;
    }
    let v = Buffers::new(t, iov, count, Access::Write);
    host!(t, SYS_preadv, fd, v.arg(), count, low, high)
}

pub(crate) fn sys_pwritev(
    t: &mut Thread,
    fd: Fd,
    iov: u64,
    count: u64,
    low: u64,
    high: u64,
) -> SysResult {
    if let Some(made) = procfd::write(t, fd, Some(low), |t| procfd::vector(t, iov, count)) {
        return made;
    }
    let v = Buffers::new(t, iov, count, Access::Read);
    host!(t, SYS_pwritev, fd, v.arg(), count, low, high)
}

/// The `high` half of the position means nothing on 64-bit machines.
pub(crate) fn sys_preadv2(
    t: &mut Thread,
    fd: Fd,
    iov: u64,
    count: u64,
    low: u64,
    _high: u64,
    flags: u32,
) -> SysResult {
    let at = (low != u64::MAX).then_some(low);
    if let Some(made) = procfd::read(t, fd, at, |t| procfd::vector(t, iov, count)) {
        return made;
    }
    let v = Buffers::new(t, iov, count, Access::Write);
    host!(t, SYS_preadv2, fd, v.arg(), count, low, 0_u64, flags)
}

/// The `high` half of the position means nothing on 64-bit machines.
pub(crate) fn sys_pwritev2(
    t: &mut Thread,
    fd: Fd,
    iov: u64,
    count: u64,
    low: u64,
    _high: u64,
    flags: u32,
) -> SysResult {
    let v = Buffers::new(t, iov, count, Access::Read);
    host!(t, SYS_pwritev2, fd, v.arg(), count, low, 0_u64, flags)
}

/// Pages go into the pipe or come out of it, depending on which end `fd` is.
pub(crate) fn sys_vmsplice(t: &mut Thread, fd: Fd, iov: u64, count: u64, flags: u32) -> SysResult {
    /// `SPLICE_F_ALL`.
    const FLAGS: u32 = 15;
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let status = host!(t, SYS_fcntl, fd, libc::F_GETFL)? as i32;
    let reads = status & libc::O_ACCMODE == libc::O_RDONLY;
    let access = if reads { Access::Write } else { Access::Read };
    let v = Buffers::new(t, iov, count, access);
    host!(t, SYS_vmsplice, fd, v.arg(), count, flags)
}

pub(crate) fn sys_truncate(t: &mut Thread, path: GuestCStr, length: u64) -> SysResult {
    let at = t.path(Fd::CWD, path, Last::Follow)?.changed()?;
    if i64::try_from(length).is_ok() {
        busy::may_open(at.dir, &at.path, libc::O_WRONLY)?;
    }
    host!(t, SYS_truncate, at.path.as_c_str(), length)
}

/// `struct file_handle` without the handle itself.
const FILE_HANDLE: u64 = 8;
/// Longest handle (`MAX_HANDLE_SZ`, `linux/exportfs.h`).
const MAX_HANDLE: u32 = 128;

pub(crate) fn sys_name_to_handle_at(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    handle: GuestPtr<u32>,
    mount_id: u64,
    flags: u32,
) -> SysResult {
    let follow = flags & libc::AT_SYMLINK_FOLLOW as u32 != 0;
    let at = t.path(dir, path, if follow { Last::Follow } else { Last::Keep })?;
    // The kernel looks for the file first.
    let handle = match handle.read(t.memory()) {
        Ok(room) if room > MAX_HANDLE => return Err(Errno::EINVAL),
        Ok(room) => t.output(handle.0, FILE_HANDLE + u64::from(room))?,
        Err(_) => HostArg::NOWHERE,
    };
    // AT_HANDLE_MNT_ID_UNIQUE makes it 8 bytes.
    let mount_id = t.output(mount_id, 8)?;
    let flags = flags | if at.object.is_some() { libc::AT_SYMLINK_FOLLOW as u32 } else { 0 };
    host!(t, SYS_name_to_handle_at, at.dir, at.path.as_c_str(), handle, mount_id, flags)
}

pub(crate) fn sys_open_by_handle_at(
    t: &mut Thread,
    mount: Fd,
    handle: GuestPtr<u32>,
    flags: u32,
) -> SysResult {
    let len = handle.read(t.memory())?;
    if len == 0 || len > MAX_HANDLE {
        return Err(Errno::EINVAL);
    }
    if t.process.options.files.world().is_some() {
        // A handle may name any file of the file system.
        return Err(Errno::EPERM);
    }
    let handle = t.input(handle.0, FILE_HANDLE + u64::from(len))?;
    host!(t, SYS_open_by_handle_at, mount, handle, host_open_flags(flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_flags_keep_their_meaning_on_the_host() {
        assert_eq!(
            host_open_flags(0o200_000 | 0o2_000_000 | 1),
            libc::O_DIRECTORY | libc::O_CLOEXEC | libc::O_WRONLY
        );
        assert_eq!(host_open_flags(0o40000), libc::O_DIRECT);
        assert_eq!(host_open_flags(0o400_000), libc::O_NOFOLLOW);
        assert_eq!(host_open_flags(0o20_200_000), libc::O_TMPFILE);
        assert_eq!(host_open_flags(0o10_000_000), libc::O_PATH);
        for bit in 0..26 {
            assert_eq!(guest_open_flags(host_open_flags(1 << bit)), 1 << bit, "bit {bit}");
        }
    }
}
