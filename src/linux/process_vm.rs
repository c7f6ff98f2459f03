//! Memory and other resources of other processes.

use super::abi::{Errno, IoVec, SysResult};
use super::args::host;
use super::file::import_iovec;
use super::host::HostArg;
use super::process::Thread;
use crate::mem::Access;

/// The vectors of `process_vm_readv` and its kin. Only the process itself is served: where another
/// one's guest memory lies in its host memory is not known.
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
    if u32::try_from(pid) != Ok(std::process::id()) {
        return Err(Errno::EPERM);
    }
    Ok([local, import_iovec(t, remote.0, remote.1, there)?])
}

pub(super) fn sys_process_vm_readv(
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
    let (here, there) = (HostArg::slice(&here), HostArg::slice(&there));
    host!(t, SYS_process_vm_readv, pid, here, local_count, there, remote_count, flags)
}

pub(super) fn sys_process_vm_writev(
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
    let (here, there) = (HostArg::slice(&here), HostArg::slice(&there));
    host!(t, SYS_process_vm_writev, pid, here, local_count, there, remote_count, flags)
}

pub(super) fn sys_kcmp(
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
