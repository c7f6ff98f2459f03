//! What the guest tells and asks about its memory: madvise(2), mseal(2), msync(2), mincore(2).

use crate::linux::abi::{Errno, SysResult};
use crate::linux::host::{HostArg, has_capability};
use crate::linux::lock::lock;
use crate::linux::mm::mman::{check_mappings, splits};
use crate::linux::process::Thread;
use crate::mem::{Access, Advice};
use crate::util::{PAGE_SIZE, page_up};
use std::ops::Range;
use std::sync::Arc;

/// The end of a range of whole pages that a call names.
///
/// # Errors
/// `EINVAL` if it does not start at a page, `wraps` if it leaves the address space.
fn whole_pages(addr: u64, len: u64, wraps: Errno) -> Result<Range<u64>, Errno> {
    if !addr.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let end = page_up(len).and_then(|l| addr.checked_add(l)).ok_or(wraps)?;
    Ok(addr..end)
}

/// Advice that our C library does not name yet (`linux/mman.h`).
const MADV_DONTNEED_LOCKED: i32 = 24;
const MADV_COLLAPSE: i32 = 25;
const MADV_GUARD_INSTALL: i32 = 102;
const MADV_GUARD_REMOVE: i32 = 103;

/// What is to be done about advice.
enum Plan {
    /// The host is told.
    Tell(Advice),
    /// Children have the pages, or have them not.
    Inherit(bool),
}

fn plan(advice: i32) -> Result<Plan, Errno> {
    /// `CAP_SYS_ADMIN`.
    const CAP_SYS_ADMIN: u32 = 21;
    Ok(match advice {
        libc::MADV_DONTNEED | MADV_DONTNEED_LOCKED | libc::MADV_REMOVE | MADV_GUARD_INSTALL => {
            Plan::Tell(Advice::Discard(advice))
        }
        0..=3 | libc::MADV_FREE | 12..=23 | MADV_COLLAPSE | MADV_GUARD_REMOVE => {
            Plan::Tell(Advice::Other(advice))
        }
        libc::MADV_DONTFORK => Plan::Inherit(false),
        libc::MADV_DOFORK => Plan::Inherit(true),
        // To break the host's memory is no guest's business.
        libc::MADV_HWPOISON | libc::MADV_SOFT_OFFLINE if !has_capability(CAP_SYS_ADMIN) => {
            return Err(Errno::EPERM);
        }
        _ => return Err(Errno::EINVAL),
    })
}

pub(crate) fn sys_madvise(t: &mut Thread, addr: u64, len: u64, advice: i32) -> SysResult {
    advise(t, addr, len, advice)
}

/// Serves madvise(2) for one range.
///
/// # Errors
/// Those of madvise(2).
pub(crate) fn advise(t: &Thread, addr: u64, len: u64, advice: i32) -> SysResult {
    let plan = plan(advice)?;
    let range = whole_pages(addr, len, Errno::EINVAL)?;
    let len = range.end - range.start;
    if len == 0 {
        return Ok(0);
    }
    if advice == libc::MADV_POPULATE_WRITE {
        t.memory().unprotect_code(range.clone());
    }
    // Advice that the host keeps for a mapping splits it.
    if matches!(advice, 0..=2 | libc::MADV_DONTFORK | libc::MADV_DOFORK | 12..=19) {
        check_mappings(|| splits(t.memory(), &range)).map_err(|_| Errno::EAGAIN)?;
    }
    match plan {
        Plan::Tell(advice) => t.memory().advise(addr, len, advice)?,
        Plan::Inherit(yes) => {
            let process = Arc::clone(&t.process);
            let _layout = lock(&process.layout);
            process.memory().inherit(addr, len, yes)?;
        }
    }
    Ok(0)
}

pub(crate) fn sys_mseal(t: &mut Thread, addr: u64, len: u64, flags: u64) -> SysResult {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let range = whole_pages(addr, len, Errno::EINVAL)?;
    if range.is_empty() {
        return Ok(0);
    }
    let process = Arc::clone(&t.process);
    let _layout = lock(&process.layout);
    process.memory().seal(addr, range.end - addr)?;
    Ok(0)
}

pub(crate) fn sys_msync(t: &mut Thread, addr: u64, len: u64, flags: i32) -> SysResult {
    const KNOWN: i32 = libc::MS_ASYNC | libc::MS_INVALIDATE | libc::MS_SYNC;
    let both = libc::MS_ASYNC | libc::MS_SYNC;
    if flags & !KNOWN != 0 || flags & both == both {
        return Err(Errno::EINVAL);
    }
    // The kernel's sum wraps: nothing is at the end of the address space.
    if addr.is_multiple_of(PAGE_SIZE) && len != 0 && page_up(len).is_none() {
        return Ok(0);
    }
    let range = whole_pages(addr, len, Errno::ENOMEM)?;
    let parts = t.memory().mapped_parts(range.clone());
    for part in &parts {
        let len = part.end - part.start;
        let host = t.guest(part.start, len, Access::Read)?;
        t.host(libc::SYS_msync, &[host, HostArg::value(len), HostArg::int(flags)])?;
    }
    if range.is_empty() || parts == [range] { Ok(0) } else { Err(Errno::ENOMEM) }
}

pub(crate) fn sys_mincore(t: &mut Thread, addr: u64, len: u64, vec: u64) -> SysResult {
    if !addr.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    if addr.checked_add(len).is_none_or(|end| end > t.memory().size()) {
        return Err(Errno::ENOMEM);
    }
    let range = whole_pages(addr, len, Errno::ENOMEM)?;
    let pages = (range.end - range.start) / PAGE_SIZE;
    if vec.checked_add(pages).is_none_or(|end| end > t.memory().size()) {
        return Err(Errno::EFAULT);
    }
    if range.is_empty() {
        return Ok(0);
    }
    let parts = t.memory().mapped_parts(range.clone());
    let first = parts.first().filter(|part| part.start == addr).ok_or(Errno::ENOMEM)?;
    let len = first.end - first.start;
    let host = t.guest(addr, len, Access::Read)?;
    let vec = t.guest(vec, len / PAGE_SIZE, Access::Write)?;
    t.host(libc::SYS_mincore, &[host, HostArg::value(len), vec])?;
    if *first == range { Ok(0) } else { Err(Errno::ENOMEM) }
}
