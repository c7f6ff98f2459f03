//! Memory and other resources of other processes.

use crate::linux::abi::{Errno, Fd, GuestPtr, IoVec, SysResult};
use crate::linux::args::host;
use crate::linux::fs::iovec::{MAX_IOV, import_iovec};
use crate::linux::fs::proc::{procfs, procmaps};
use crate::linux::host::{HostArg, host_call};
use crate::linux::process::Thread;
use crate::linux::task::peers;
use crate::mem::Access;
use crate::util::{PAGE_SIZE, page_up};

/// The vectors of `process_vm_readv` and its kin.
fn process_vectors(
    t: &Thread,
    pid: i32,
    local: (u64, u64),
    remote: (u64, u64),
    reads: bool,
) -> Result<[Vec<IoVec>; 2], Errno> {
    let (to, from) = (Access::Write, Access::Read);
    let (here, there) = if reads { (to, from) } else { (from, to) };
    let local = import_iovec(t, local.0, local.1, here)?;
    if local.iter().all(|v| v.len == 0) {
        return Ok([local, Vec::new()]);
    }
    if u32::try_from(pid) == Ok(std::process::id()) {
        return Ok([local, import_iovec(t, remote.0, remote.1, there)?]);
    }
    Ok([local, other_vector(t, pid, remote)?])
}

/// A vector of buffers in another guest process.
fn other_vector(t: &Thread, pid: i32, (at, count): (u64, u64)) -> Result<Vec<IoVec>, Errno> {
    // One that is no guest's keeps its memory to itself.
    let unknown = || {
        let exists = host_call(libc::SYS_kill, &[pid.into(), 0.into()]);
        if exists == Err(Errno::ESRCH) || pid <= 0 { Errno::ESRCH } else { Errno::EPERM }
    };
    let (_, other) = peers::find_by_id(pid).ok_or_else(unknown)?;
    if count > MAX_IOV {
        return Err(Errno::EINVAL);
    }
    let mut vector = GuestPtr::<IoVec>::new(at).read_array(t.memory(), count as usize)?;
    for v in &mut vector {
        // An address that cannot be reads as one where nothing is.
        v.base = other.host_addr(v.base, v.len).unwrap_or(0);
    }
    Ok(vector)
}

/// The number in `/proc` of the process that a descriptor stands for.
fn pid_of(fd: Fd) -> Result<u32, Errno> {
    host_call(libc::SYS_fcntl, &[fd.into(), libc::F_GETFD.into()])?;
    peers::of_descriptor(fd.0).ok_or(Errno::EBADF)
}

pub(crate) fn sys_process_madvise(
    t: &mut Thread,
    fd: Fd,
    vector: u64,
    count: u64,
    advice: i32,
    flags: u32,
) -> SysResult {
    if flags != 0 || count > MAX_IOV {
        return Err(Errno::EINVAL);
    }
    let vector = GuestPtr::<IoVec>::new(vector).read_array(t.memory(), count as usize)?;
    if vector.iter().any(|v| i64::try_from(v.len).is_err()) {
        return Err(Errno::EINVAL);
    }
    let fits = |v: &IoVec| v.base.checked_add(v.len).is_some_and(|end| end <= t.memory().size());
    if !vector.iter().all(fits) {
        return Err(Errno::EFAULT);
    }
    let pid = pid_of(fd)?;
    let own = peers::is_own(pid);
    if !own && ![libc::MADV_COLD, libc::MADV_PAGEOUT, libc::MADV_WILLNEED, 25].contains(&advice) {
        return Err(Errno::EINVAL);
    }
    let mut done = 0;
    for v in vector {
        let result = if own {
            crate::linux::mm::advice::advise(t, v.base, v.len, advice)
        } else {
            advise_other(t, fd, pid, v, advice)
        };
        match result {
            Ok(_) => done += v.len,
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// Advice about memory of another guest process.
fn advise_other(t: &Thread, fd: Fd, pid: u32, v: IoVec, advice: i32) -> SysResult {
    if !v.base.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let other = peers::find(pid).ok_or(Errno::EPERM)?;
    let maps = procfs::host_maps(Some(pid))?;
    let end = page_up(v.base + v.len).ok_or(Errno::EINVAL)?;
    let areas = procmaps::areas_of(t, Some(pid), &maps)?;
    let mapped = procmaps::readable_from(&areas, v.base..end) == end - v.base;
    let there = [IoVec { base: other.host_addr(v.base, v.len).unwrap_or(0), ..v }];
    host!(t, SYS_process_madvise, fd, HostArg::slice(&there), 1, advice, 0)?;
    if mapped { Ok(v.len) } else { Err(Errno::ENOMEM) }
}

pub(crate) fn sys_process_vm_readv(
    t: &mut Thread,
    pid: i32,
    local: u64,
    local_count: u64,
    remote: u64,
    remote_count: u64,
    flags: u64,
) -> SysResult {
    let [here, there] =
        process_vectors(t, pid, (local, local_count), (remote, remote_count), true)?;
    if flags == 0 && there.is_empty() {
        return Ok(0);
    }
    let (here, there) = (HostArg::slice(&here), HostArg::slice(&there));
    host!(t, SYS_process_vm_readv, pid, here, local_count, there, remote_count, flags)
}

pub(crate) fn sys_process_vm_writev(
    t: &mut Thread,
    pid: i32,
    local: u64,
    local_count: u64,
    remote: u64,
    remote_count: u64,
    flags: u64,
) -> SysResult {
    let [here, there] =
        process_vectors(t, pid, (local, local_count), (remote, remote_count), false)?;
    if flags == 0 && there.is_empty() {
        return Ok(0);
    }
    let (here, there) = (HostArg::slice(&here), HostArg::slice(&there));
    host!(t, SYS_process_vm_writev, pid, here, local_count, there, remote_count, flags)
}

pub(crate) fn sys_kcmp(
    t: &mut Thread,
    first: i32,
    second: i32,
    kind: i32,
    one: u64,
    other: u64,
) -> SysResult {
    /// `KCMP_EPOLL_TFD`: a `struct kcmp_epoll_slot` is what the first is compared with.
    const EPOLL_TFD: i32 = 7;
    let other = if kind == EPOLL_TFD { t.input(other, 12)? } else { other.into() };
    host!(t, SYS_kcmp, first, second, kind, one, other)
}
