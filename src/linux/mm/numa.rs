//! Policies of where memory lies (numa(7)): the host's, for the guest's memory in place.

use crate::linux::abi::{Errno, GuestPtr, SysResult};
use crate::linux::args::host;
use crate::linux::host::{HostArg, address_of, host_call};
use crate::linux::process::Thread;
use crate::mem::Access;

/// A set of nodes of `bits - 1` bits, as the kernel counts, that it reads or writes.
fn nodes(t: &Thread, at: u64, bits: u64, access: Access) -> Result<HostArg<'static>, Errno> {
    t.guest(at, bits.saturating_sub(1).div_ceil(64).saturating_mul(8), access)
}

pub(crate) fn sys_mbind(
    t: &mut Thread,
    start: u64,
    len: u64,
    mode: u64,
    mask: u64,
    bits: u64,
    flags: u32,
) -> SysResult {
    let start = t.guest(start, len, Access::Read)?;
    host!(t, SYS_mbind, start, len, mode, nodes(t, mask, bits, Access::Read)?, bits, flags)
}

pub(crate) fn sys_get_mempolicy(
    t: &mut Thread,
    mode: u64,
    mask: u64,
    bits: u64,
    addr: u64,
    flags: u64,
) -> SysResult {
    /// `MPOL_F_ADDR`.
    const BY_ADDRESS: u64 = 2;
    let addr = match flags & BY_ADDRESS {
        0 => addr.into(),
        _ => t.guest(addr, 1, Access::Read)?,
    };
    let (mode, mask) = (t.output(mode, 4)?, nodes(t, mask, bits, Access::Write)?);
    host!(t, SYS_get_mempolicy, mode, mask, bits, addr, flags)
}

pub(crate) fn sys_set_mempolicy(t: &mut Thread, mode: i32, mask: u64, bits: u64) -> SysResult {
    host!(t, SYS_set_mempolicy, mode, nodes(t, mask, bits, Access::Read)?, bits)
}

pub(crate) fn sys_migrate_pages(
    t: &mut Thread,
    pid: i32,
    bits: u64,
    old: u64,
    new: u64,
) -> SysResult {
    let (old, new) = (nodes(t, old, bits, Access::Read)?, nodes(t, new, bits, Access::Read)?);
    host!(t, SYS_migrate_pages, pid, bits, old, new)
}

pub(crate) fn sys_set_mempolicy_home_node(
    t: &mut Thread,
    start: u64,
    len: u64,
    node: u64,
    flags: u64,
) -> SysResult {
    const SET_MEMPOLICY_HOME_NODE: i64 = 450;
    let start = t.guest(start, len, Access::Read)?;
    t.host(SET_MEMPOLICY_HOME_NODE, &[start, len.into(), node.into(), flags.into()])
}

/// Pages that one call may name.
const MAX_PAGES: u64 = 1 << 20;

pub(crate) fn sys_move_pages(
    t: &mut Thread,
    pid: i32,
    count: u64,
    pages: GuestPtr<u64>,
    to: u64,
    status: u64,
    flags: i32,
) -> SysResult {
    if pid != 0 && u32::try_from(pid) != Ok(std::process::id()) {
        let exists = host_call(libc::SYS_kill, &[pid.into(), 0.into()]);
        return Err(if pid < 0 || exists == Err(Errno::ESRCH) {
            Errno::ESRCH
        } else {
            Errno::EPERM
        });
    }
    if count > MAX_PAGES {
        return Err(Errno::E2BIG);
    }
    let addresses = pages.read_array(t.memory(), count as usize)?;
    // An address that cannot be a page's is one that the kernel finds nothing at.
    let host = |a: u64| t.host_addr(a, 1, Access::Read).unwrap_or(u64::MAX);
    let addresses: Vec<u64> = addresses.into_iter().map(host).collect();
    let list = if address_of(&addresses) == 0 { HostArg::NULL } else { HostArg::slice(&addresses) };
    let (to, status) = (t.input(to, count * 4)?, t.output(status, count * 4)?);
    host!(t, SYS_move_pages, pid, count, list, to, status, flags)
}
