//! The calls that change the address space (mmap(2), brk(2), mprotect(2)).

use crate::linux::abi::{Errno, SysResult};
use crate::linux::lock::lock;
use crate::linux::mm::layout::{Layout, MIN_ADDR, STACK_GAP, find_room, is_below_stack, min_addr};
use crate::linux::mm::mlock::lock_new;
use crate::linux::process::Thread;
use crate::linux::task::rlimit::is_data;
use crate::linux::uring::map;
use crate::mem::{Advice, Backing, MapError, Mapping, Memory, Prot, Traits};
use crate::util::{PAGE_SIZE, page_down, page_up};
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

const MAP_SHARED: u32 = 1;
const MAP_PRIVATE: u32 = 2;
const MAP_SHARED_VALIDATE: u32 = 3;
const MAP_DROPPABLE: u32 = 8;
const MAP_TYPE: u32 = 0xf;
const MAP_FIXED: u32 = 0x10;
const MAP_ANONYMOUS: u32 = 0x20;
/// Bits that have a meaning on a host of another architecture: `MAP_32BIT`, `MAP_ABOVE4G`.
const MAP_OF_OTHERS: u32 = 0xc0;
const MAP_GROWSDOWN: u32 = 0x100;
const MAP_DENYWRITE: u32 = 0x800;
const MAP_NORESERVE: u32 = 0x4000;
const MAP_POPULATE: u32 = 0x8000;
const MAP_NONBLOCK: u32 = 0x1_0000;
const MAP_HUGETLB: u32 = 0x4_0000;
const MAP_FIXED_NOREPLACE: u32 = 0x10_0000;

pub(crate) fn sys_brk(t: &mut Thread, addr: u64) -> SysResult {
    let process = Arc::clone(&t.process);
    let mem = process.memory();
    let mut layout = lock(&process.layout);
    let (Some(old), Some(new)) = (page_up(layout.brk), page_up(addr)) else {
        return Ok(layout.brk);
    };
    if addr < layout.brk_start || new > layout.mmap_top {
        return Ok(layout.brk);
    }
    let changed = if new > old {
        let heap = Mapping::anonymous(Prot::RW, Some("[heap]"));
        let allowed = process.may_map(new - old, true, None).is_ok();
        allowed
            && mem.is_free(old..new)
            && mem.map_counted(old, new - old, heap, true).is_ok()
            && lock_new(mem, &layout, old..new).is_ok()
    } else if new < old {
        mem.unmap(new, old - new).is_ok()
    } else {
        true
    };
    if changed {
        layout.brk = addr;
    }
    Ok(layout.brk)
}

pub(crate) fn sys_mmap(
    t: &mut Thread,
    addr: u64,
    len: u64,
    prot: u32,
    flags: u32,
    fd: i32,
    offset: u64,
) -> SysResult {
    if !offset.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let file = flags & MAP_ANONYMOUS == 0;
    let kind = flags & MAP_TYPE;
    let shared = matches!(kind, MAP_SHARED | MAP_SHARED_VALIDATE);
    if file
        && let Some(made) = map::map(t, fd, (addr, len), (Prot::from_linux(prot), shared), offset)
    {
        return made;
    }
    let backing = if file { file_backing(t, fd, offset)? } else { anonymous(shared) };
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    if flags & MAP_HUGETLB != 0 {
        return Err(if file { Errno::EINVAL } else { Errno::ENOMEM });
    }
    let process = Arc::clone(&t.process);
    let mem = process.memory();
    let len = page_up(len).filter(|&l| l <= mem.size()).ok_or(Errno::ENOMEM)?;
    let prot = t.process.personality.protection(prot);
    let low = file && !shared && (flags & MAP_DENYWRITE != 0 || prot & 4 != 0);
    let layout = lock(&process.layout);
    let at = place(mem, &layout, addr, len, flags, low)?;
    check_kind(flags)?;
    if mem.count() > max_mappings() {
        return Err(Errno::ENOMEM);
    }
    check_mappings(|| true)?;
    let traits = Traits {
        grows_down: flags & MAP_GROWSDOWN != 0,
        droppable: kind == MAP_DROPPABLE,
        dont_fork: false,
    };
    let mapping = Mapping { prot: Prot::from_linux(prot), shared, traits, backing };
    let own_copy = is_data(&mapping);
    process.may_map(len, own_copy, Some(at..at + len))?;
    let fd = file.then(|| guest_fd(fd)).transpose()?;
    let fresh = flags & MAP_FIXED_NOREPLACE != 0;
    // Files count nothing, whatever they are, nor does what nobody may touch: so the host keeps
    // that with what is reserved around it, where it counts as many mappings as the guest has.
    let untouched = !shared && mapping.prot == Prot::NONE;
    let uncounted = if file || untouched { MAP_NORESERVE as i32 } else { 0 };
    mem.map_as(at, len, mapping, fd, fresh, host_kind(flags) | uncounted)?;
    lock_new(mem, &layout, at..at + len)?;
    drop(layout);
    if flags & MAP_POPULATE != 0 {
        // As for the kernel, a failure to populate is none of the call.
        let advice = if own_copy { libc::MADV_POPULATE_WRITE } else { libc::MADV_POPULATE_READ };
        let _ = mem.advise(at, len, Advice::Other(advice));
    }
    Ok(at)
}

/// Refuses combinations that the host is not told of.
fn check_kind(flags: u32) -> Result<(), Errno> {
    let anonymous = flags & MAP_ANONYMOUS != 0;
    let known = match flags & MAP_TYPE {
        MAP_SHARED => true,
        MAP_PRIVATE | MAP_DROPPABLE => return Ok(()),
        _ => !anonymous,
    };
    let grows = flags & MAP_GROWSDOWN != 0 && anonymous;
    if known && !grows { Ok(()) } else { Err(Errno::EINVAL) }
}

/// The flags that tell the host what kind of mapping it is, without those that say where it goes
/// or that are served here.
fn host_kind(flags: u32) -> i32 {
    let ours = MAP_FIXED
        | MAP_FIXED_NOREPLACE
        | MAP_ANONYMOUS
        | MAP_POPULATE
        | MAP_NONBLOCK
        | MAP_OF_OTHERS;
    // Of files it is an error, which the host finds in its turn.
    let grows = if flags & MAP_ANONYMOUS != 0 { MAP_GROWSDOWN } else { 0 };
    (flags & !(ours | grows)) as i32
}

/// How many mappings a process may have (`vm.max_map_count`).
fn max_mappings() -> usize {
    /// What the kernel starts with.
    const DEFAULT: usize = 65530;
    static MOST: OnceLock<usize> = OnceLock::new();
    *MOST.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
        text.trim().parse().unwrap_or(DEFAULT)
    })
}

/// Calls that may give the host two more mappings each, until its mappings have to be counted.
static UNCOUNTED: OnceLock<AtomicI64> = OnceLock::new();

/// Checks that the host has mappings left for one more of the guest's, or one that is split; it
/// needs one for each gap between them as well. Those that we need ourselves are left over. `more`
/// tells whether a call makes more of them.
///
/// # Errors
/// `ENOMEM`.
pub(crate) fn check_mappings(more: impl FnOnce() -> bool) -> Result<(), Errno> {
    /// What we need: for code in pages that the guest may write to, for threads, for the heap.
    const OURS: i64 = 1024;
    let most = max_mappings() as i64 - OURS;
    // There are few at the start.
    let uncounted = UNCOUNTED.get_or_init(|| AtomicI64::new((most - OURS) / 2));
    if uncounted.fetch_sub(1, Ordering::Relaxed) > 0 {
        return Ok(());
    }
    let maps = std::fs::read("/proc/self/maps").map_err(|_| Errno::ENOMEM)?;
    let left = (most - maps.iter().filter(|&&b| b == b'\n').count() as i64) / 2;
    uncounted.store(left, Ordering::Relaxed);
    if left > 0 || !more() { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// True if a change of `range` alone splits a mapping.
pub(crate) fn splits(mem: &Memory, range: &Range<u64>) -> bool {
    let inside = |at| mem.mapping_from(at).is_some_and(|(mapping, _)| mapping.start < at);
    inside(range.start) || inside(range.end)
}

/// What `/proc/self/maps` will say of memory without a file of the guest's: what is shared is one
/// of the kernel's.
fn anonymous(shared: bool) -> Backing {
    if !shared {
        return Backing::Anonymous(None);
    }
    let path = Arc::new(PathBuf::from("/dev/zero (deleted)"));
    Backing::File { path, offset: 0, dev: libc::makedev(0, 1), inode: 0 }
}

/// The address for a new mapping.
fn place(
    mem: &Memory,
    layout: &Layout,
    addr: u64,
    len: u64,
    flags: u32,
    low: bool,
) -> Result<u64, Errno> {
    if flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0 {
        if !addr.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        if addr.checked_add(len).is_none_or(|end| end > mem.size()) {
            return Err(Errno::ENOMEM);
        }
        return if addr < min_addr(mem) { Err(Errno::EPERM) } else { Ok(addr) };
    }
    // A hint is rounded down and used if nothing is in the way.
    let hint = page_down(addr).max(MIN_ADDR);
    if page_down(addr) != 0
        && let Some(end) = hint.checked_add(len).filter(|&end| end <= mem.size())
        && mem.is_free(hint..end)
        && !is_below_stack(mem, end)
    {
        return Ok(hint);
    }
    find_room(mem, layout.mmap_top, len, low).ok_or(Errno::ENOMEM)
}

/// What `/proc/self/maps` will say of a file.
fn file_backing(t: &Thread, fd: i32, offset: u64) -> Result<Backing, Errno> {
    let file = crate::linux::host::file_identity(fd)?;
    let link = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
    let path = t.process.file_name(&link);
    Ok(Backing::File { path: Arc::new(path), offset, dev: file.dev, inode: file.inode })
}

/// The guest's descriptor, as one that may be borrowed for a call.
fn guest_fd(fd: i32) -> Result<BorrowedFd<'static>, Errno> {
    crate::linux::host::borrow_fd(fd).ok_or(Errno::EBADF)
}

pub(crate) fn sys_munmap(t: &mut Thread, addr: u64, len: u64) -> SysResult {
    let process = Arc::clone(&t.process);
    let _layout = lock(&process.layout);
    let mem = process.memory();
    check_mappings(|| {
        let end = page_up(len).and_then(|len| addr.checked_add(len)).unwrap_or(addr);
        let there = mem.mapping_from(addr).map(|(mapping, _)| mapping);
        there.is_some_and(|mapping| mapping.start < addr && end < mapping.end)
    })?;
    match mem.unmap(addr, len) {
        Err(MapError::OutOfRange) => Err(Errno::EINVAL),
        other => Ok(other.map(|()| 0)?),
    }
}

pub(crate) fn sys_mprotect(t: &mut Thread, addr: u64, len: u64, prot: u32) -> SysResult {
    /// `PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM`.
    const KNOWN: u32 = 0xf;
    const PROT_GROWSDOWN: u32 = 0x0100_0000;
    const PROT_GROWSUP: u32 = 0x0200_0000;
    let grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);
    let prot = prot & !grows;
    if grows == PROT_GROWSDOWN | PROT_GROWSUP || !addr.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    let end = page_up(len).and_then(|l| addr.checked_add(l)).filter(|&end| end > addr);
    let end = end.ok_or(Errno::ENOMEM)?;
    if prot & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    let process = Arc::clone(&t.process);
    let mem = process.memory();
    let _layout = lock(&process.layout);
    let mut start = addr;
    if grows != 0 {
        let (range, mapping) = mem.mapping_from(addr).ok_or(Errno::ENOMEM)?;
        if range.start >= end || (grows == PROT_GROWSUP && range.start > addr) {
            return Err(Errno::ENOMEM);
        }
        if grows == PROT_GROWSUP || !mapping.traits.grows_down {
            return Err(Errno::EINVAL);
        }
        start = range.start;
    }
    check_mappings(|| splits(mem, &(start..end)))?;
    let prot = process.personality.protection(prot);
    mem.protect(start, end - start, Prot::from_linux(prot))?;
    Ok(0)
}

/// Extends a mapping that grows down (`MAP_GROWSDOWN`) to an address below at which there was a
/// fault. False if none is to be extended.
pub(crate) fn grow_stack(t: &Thread, addr: u64) -> bool {
    let process = &t.process;
    let mem = process.memory();
    let layout = lock(&process.layout);
    let Some((above, mapping)) = mem.mapping_from(addr) else { return false };
    let page = page_down(addr);
    if above.contains(&addr) {
        // Another thread may have let it grow since the access was tried.
        return mapping.traits.grows_down && mem.read_u8(addr).is_ok();
    }
    if !mapping.traits.grows_down || page < min_addr(mem) {
        return false;
    }
    let below = mem.mapping_from(page.saturating_sub(STACK_GAP)).filter(|(r, _)| r.end <= page);
    let too_near = below.is_some_and(|(_, m)| m.prot != Prot::NONE && !m.traits.grows_down);
    let grown = above.start - page;
    if too_near
        || above.end - page > process.limits().stack_limit()
        || process.may_map(grown, is_data(&mapping), None).is_err()
    {
        return false;
    }
    mem.map(page, grown, mapping, None, true).is_ok()
        && lock_new(mem, &layout, page..above.start).is_ok()
}
