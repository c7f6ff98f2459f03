//! Memory that stays in memory (mlock(2)).

use crate::linux::abi::{Errno, SysResult};
use crate::linux::host::{HostArg, host_call, kernel_address};
use crate::linux::lock::lock;
use crate::linux::mm::layout::Layout;
use crate::linux::process::Thread;
use crate::mem::{Access, Memory, Prot};
use crate::util::{PAGE_SIZE, page_down, page_up};
use std::ops::Range;
use std::sync::Arc;

/// Serves `mlock2` or `munlock`: whole pages up to the first that is not mapped.
fn lock_pages(t: &Thread, number: i64, addr: u64, len: u64, flags: i32) -> SysResult {
    let start = page_down(addr);
    let len = len.wrapping_add(addr % PAGE_SIZE);
    let len = page_up(len).unwrap_or(0);
    let end = start.checked_add(len).ok_or(Errno::EINVAL)?;
    if start == end {
        return Ok(0);
    }
    if number == libc::SYS_mlock2 {
        t.process.may_lock(0)?;
    }
    let parts = t.memory().mapped_parts(start..end);
    let Some(first) = parts.first().filter(|part| part.start == start) else {
        return Err(Errno::ENOMEM);
    };
    let len = first.end - start;
    let host = t.guest(start, len, Access::Read)?;
    t.host(number, &[host, HostArg::value(len), HostArg::int(flags)])?;
    if first.end == end { Ok(0) } else { Err(Errno::ENOMEM) }
}

pub(crate) fn sys_mlock(t: &mut Thread, addr: u64, len: u64) -> SysResult {
    lock_pages(t, libc::SYS_mlock2, addr, len, 0)
}

pub(crate) fn sys_mlock2(t: &mut Thread, addr: u64, len: u64, flags: i32) -> SysResult {
    if flags & !(libc::MLOCK_ONFAULT as i32) != 0 {
        return Err(Errno::EINVAL);
    }
    lock_pages(t, libc::SYS_mlock2, addr, len, flags)
}

pub(crate) fn sys_munlock(t: &mut Thread, addr: u64, len: u64) -> SysResult {
    lock_pages(t, libc::SYS_munlock, addr, len, 0)
}

const MCL_CURRENT: u32 = 1;
const MCL_FUTURE: u32 = 2;
const MCL_ONFAULT: u32 = 4;

/// Locks a mapping.
fn lock_mapping(mem: &Memory, range: &Range<u64>, flags: i32) -> Result<(), Errno> {
    let len = range.end - range.start;
    let at = kernel_address(mem, range.start, len, Access::Read)?;
    let accessible = mem.mapping(range.start).is_some_and(|(_, m)| m.prot != Prot::NONE);
    // Linux before 4.4 has no other, nor has qemu-user.
    let number = if flags == 0 { libc::SYS_mlock } else { libc::SYS_mlock2 };
    match host_call(number, &[at, HostArg::value(len), HostArg::int(flags)]) {
        // It is locked, though there is nothing to be brought in.
        Err(Errno::ENOMEM) if !accessible => Ok(()),
        other => other.map(drop),
    }
}

/// Locks a new mapping, if they all are, or takes it back.
pub(crate) fn lock_new(mem: &Memory, layout: &Layout, range: Range<u64>) -> Result<(), Errno> {
    let Some(flags) = layout.lock_future else { return Ok(()) };
    lock_mapping(mem, &range, flags).map_err(|_| {
        let _ = mem.unmap(range.start, range.end - range.start);
        Errno::EAGAIN
    })
}

/// Locks the guest's memory, and not ours.
pub(crate) fn sys_mlockall(t: &mut Thread, flags: u32) -> SysResult {
    if flags & !7 != 0 || flags & (MCL_CURRENT | MCL_FUTURE) == 0 {
        return Err(Errno::EINVAL);
    }
    let process = Arc::clone(&t.process);
    let mem = process.memory();
    let mut layout = lock(&process.layout);
    let how = if flags & MCL_ONFAULT != 0 { libc::MLOCK_ONFAULT as i32 } else { 0 };
    if flags & MCL_CURRENT != 0 {
        // As the kernel does, before anything is locked.
        process.may_lock(mem.mappings().iter().map(|(r, _)| r.end - r.start).sum())?;
        for (range, _) in mem.mappings() {
            // What could not be brought in stays to be brought in.
            let _ = lock_mapping(mem, &range, how);
        }
    } else {
        process.may_lock(0)?;
    }
    layout.lock_future = (flags & MCL_FUTURE != 0).then_some(how);
    Ok(0)
}

pub(crate) fn sys_munlockall(t: &mut Thread) -> SysResult {
    lock(&t.process.layout).lock_future = None;
    host_call(libc::SYS_munlockall, &[])
}
