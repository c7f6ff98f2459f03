//! The address space: where things lie, and the calls that change it (mmap(2), brk(2), mremap(2)).
//!
//! The space has the shape of Sv39, 38 bits for the user, or of Sv48 with 47 (kernel:
//! `arch/riscv/include/asm/pgtable.h`, `TASK_SIZE`). Mappings are placed downwards from below the
//! stack, as the kernel places them, with two differences. What a dynamic linker maps (private file
//! mappings that are executable or `MAP_DENYWRITE`) goes below 2^31, where position-independent
//! programs go too: translated code names guest addresses of 31 bits in shorter instructions. And
//! in a large space everything goes where code can be translated ([`TRANSLATED`]), as far as it
//! finds room there.

use super::abi::{Errno, SysResult};
use super::host::{HostArg, host_call, kernel_address};
use super::limits::is_data;
use super::process::{Thread, lock};
use crate::mem::{Access, Advice, Backing, MapError, Mapping, Memory, Prot};
use crate::util::{PAGE_SIZE, page_down, page_up};
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// Lowest address that a program gets without asking for a place.
pub(super) const MIN_ADDR: u64 = 0x1_0000;

/// Where the main program goes if it is position-independent, in an address space of that size.
pub(super) fn pie_base(size: u64) -> u64 {
    const BASE: u64 = 0x1000_0000;
    BASE.min(page_down(size / 8))
}

/// Where libraries go, downwards from the end.
pub(super) const CODE_WINDOW: Range<u64> = 0x5000_0000..0x8000_0000;

/// Code is translated below this address and interpreted above it.
const TRANSLATED: u64 = crate::runtime::MAX_TABLE;

/// Free addresses between the stack's limit and other mappings (`stack_guard_gap`).
pub(super) const STACK_GAP: u64 = 256 * PAGE_SIZE;

/// Where things lie. The lock around it also orders changes of the address space, so that a place
/// found free is still free when it is taken.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Start of the heap that `brk` moves.
    pub brk_start: u64,
    /// Its current end, not rounded.
    pub brk: u64,
    /// Mappings are placed below this address.
    pub mmap_top: u64,
    /// How new mappings are locked (`mlockall` with `MCL_FUTURE`); absent if they are not.
    pub lock_future: Option<i32>,
}

const MAP_SHARED: u32 = 1;
const MAP_PRIVATE: u32 = 2;
const MAP_SHARED_VALIDATE: u32 = 3;
const MAP_TYPE: u32 = 0xf;
const MAP_FIXED: u32 = 0x10;
const MAP_ANONYMOUS: u32 = 0x20;
const MAP_DENYWRITE: u32 = 0x800;
const MAP_NORESERVE: u32 = 0x4000;
const MAP_POPULATE: u32 = 0x8000;
const MAP_HUGETLB: u32 = 0x4_0000;
const MAP_FIXED_NOREPLACE: u32 = 0x10_0000;

impl From<MapError> for Errno {
    fn from(e: MapError) -> Self {
        match e {
            MapError::Invalid => Self::EINVAL,
            MapError::Occupied => Self::EEXIST,
            MapError::Sealed => Self::EPERM,
            MapError::OutOfRange | MapError::NotMapped | MapError::NoSpace => Self::ENOMEM,
            MapError::Host(e) => Self::from(e),
        }
    }
}

/// Lowest address that a program may map (`vm.mmap_min_addr`).
pub(super) fn min_addr(mem: &Memory) -> u64 {
    mem.lowest().max(PAGE_SIZE)
}

/// Finds room for `len` bytes, as high as possible; `low` asks for the window of libraries first.
pub(super) fn find_room(mem: &Memory, top: u64, len: u64, low: bool) -> Option<u64> {
    // A host short of addresses gives us a space that does not reach the windows.
    let down = |within: Range<u64>| {
        (within.end <= top && within.start < within.end)
            .then(|| mem.find_free_down(len, PAGE_SIZE, within))
            .flatten()
    };
    let window = if low { down(CODE_WINDOW) } else { None };
    window
        .or_else(|| down(CODE_WINDOW.end..top.min(TRANSLATED)))
        .or_else(|| down(CODE_WINDOW.end..top))
        .or_else(|| down(MIN_ADDR..top))
}

pub(super) fn sys_brk(t: &mut Thread, addr: u64) -> SysResult {
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
        let heap =
            Mapping { prot: Prot::RW, shared: false, backing: Backing::Anonymous(Some("[heap]")) };
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

pub(super) fn sys_mmap(
    t: &mut Thread,
    addr: u64,
    len: u64,
    prot: u32,
    flags: u32,
    fd: i32,
    offset: u64,
) -> SysResult {
    if !offset.is_multiple_of(PAGE_SIZE) || len == 0 {
        return Err(Errno::EINVAL);
    }
    if !matches!(flags & MAP_TYPE, MAP_SHARED | MAP_PRIVATE | MAP_SHARED_VALIDATE) {
        return Err(Errno::EINVAL);
    }
    if flags & MAP_HUGETLB != 0 {
        return Err(Errno::ENOMEM);
    }
    let process = Arc::clone(&t.process);
    let mem = process.memory();
    let len = page_up(len).filter(|&l| l <= mem.size()).ok_or(Errno::ENOMEM)?;
    if flags & MAP_ANONYMOUS == 0 && offset.checked_add(len).is_none() {
        return Err(Errno::EOVERFLOW);
    }
    let shared = flags & MAP_TYPE != MAP_PRIVATE;
    let file = flags & MAP_ANONYMOUS == 0;
    let backing = if file { file_backing(t, fd, offset)? } else { Backing::Anonymous(None) };
    let low = file && !shared && (flags & MAP_DENYWRITE != 0 || prot & 4 != 0);
    let layout = lock(&process.layout);
    let at = place(mem, &layout, addr, len, flags, low)?;
    let mapping = Mapping { prot: Prot::from_linux(prot), shared, backing };
    let own_copy = is_data(&mapping);
    process.may_map(len, own_copy, Some(at..at + len))?;
    let fd = file.then(|| guest_fd(fd)).transpose()?;
    let fresh = flags & MAP_FIXED_NOREPLACE != 0;
    if fd.is_some() || flags & MAP_NORESERVE != 0 {
        mem.map(at, len, mapping, fd, fresh)?;
    } else {
        mem.map_counted(at, len, mapping, fresh)?;
    }
    lock_new(mem, &layout, at..at + len)?;
    drop(layout);
    if flags & MAP_POPULATE != 0 {
        // As for the kernel, a failure to populate is none of the call.
        let advice = if own_copy { libc::MADV_POPULATE_WRITE } else { libc::MADV_POPULATE_READ };
        let _ = mem.advise(at, len, Advice::Other(advice));
    }
    Ok(at)
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
    {
        return Ok(hint);
    }
    find_room(mem, layout.mmap_top, len, low).ok_or(Errno::ENOMEM)
}

/// What `/proc/self/maps` will say of a file.
fn file_backing(t: &Thread, fd: i32, offset: u64) -> Result<Backing, Errno> {
    let file = super::host::file_identity(fd)?;
    let link = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
    let path = t.process.file_name(&link);
    Ok(Backing::File { path: Arc::new(path), offset, dev: file.dev, inode: file.inode })
}

/// The guest's descriptor, as one that may be borrowed for a call.
fn guest_fd(fd: i32) -> Result<BorrowedFd<'static>, Errno> {
    super::host::borrow_fd(fd).ok_or(Errno::EBADF)
}

pub(super) fn sys_munmap(t: &mut Thread, addr: u64, len: u64) -> SysResult {
    let process = Arc::clone(&t.process);
    let _layout = lock(&process.layout);
    match process.memory().unmap(addr, len) {
        Err(MapError::OutOfRange) => Err(Errno::EINVAL),
        other => Ok(other.map(|()| 0)?),
    }
}

pub(super) fn sys_mprotect(t: &mut Thread, addr: u64, len: u64, prot: u32) -> SysResult {
    /// `PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM`.
    const KNOWN: u32 = 0xf;
    if !addr.is_multiple_of(PAGE_SIZE) || prot & !KNOWN != 0 {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    if page_up(len).and_then(|l| addr.checked_add(l)).is_none() {
        return Err(Errno::ENOMEM);
    }
    let process = Arc::clone(&t.process);
    let _layout = lock(&process.layout);
    process.memory().protect(addr, len, Prot::from_linux(prot))?;
    Ok(0)
}

const MREMAP_MAYMOVE: u32 = 1;
const MREMAP_FIXED: u32 = 2;
const MREMAP_DONTUNMAP: u32 = 4;

pub(super) fn sys_mremap(
    t: &mut Thread,
    old: u64,
    old_len: u64,
    new_len: u64,
    flags: u32,
    new: u64,
) -> SysResult {
    let fixed = flags & MREMAP_FIXED != 0;
    let leave = flags & MREMAP_DONTUNMAP != 0;
    if flags & !(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) != 0
        || ((fixed || leave) && flags & MREMAP_MAYMOVE == 0)
        || (leave && old_len != new_len)
        || !old.is_multiple_of(PAGE_SIZE)
    {
        return Err(Errno::EINVAL);
    }
    let process = Arc::clone(&t.process);
    let mem = process.memory();
    let old_len = page_up(old_len).filter(|&l| l != 0).ok_or(Errno::EINVAL)?;
    let new_len = page_up(new_len).filter(|&l| l != 0).ok_or(Errno::EINVAL)?;
    let old_end = old.checked_add(old_len).ok_or(Errno::EINVAL)?;
    if new_len > mem.size() {
        return Err(Errno::ENOMEM);
    }
    let layout = lock(&process.layout);
    if fixed {
        let end = new.checked_add(new_len).ok_or(Errno::EINVAL)?;
        let overlap = new < old_end && old < end;
        if !new.is_multiple_of(PAGE_SIZE) || end > mem.size() || overlap {
            return Err(Errno::EINVAL);
        }
        if new < min_addr(mem) {
            return Err(Errno::EPERM);
        }
    }
    let (range, mapping) = mem.mapping(old).ok_or(Errno::EFAULT)?;
    if leave && !matches!(mapping.backing, Backing::Anonymous(_)) {
        return Err(Errno::EINVAL);
    }
    let keep = old_len.min(new_len);
    if range.end < old + keep || (new_len > old_len && range.end < old_end) {
        return Err(Errno::EFAULT);
    }
    if leave {
        process.may_map(new_len, is_data(&mapping), None)?;
    }
    if !fixed && !leave && new_len <= old_len {
        if new_len < old_len {
            mem.unmap(old + new_len, old_len - new_len)?;
        }
        return Ok(old);
    }
    if new_len > old_len {
        process.may_map(new_len - old_len, is_data(&mapping), None)?;
    }
    if !fixed && !leave && grow_in_place(mem, &mapping, old_end, old + new_len)? {
        return Ok(old);
    }
    if flags & MREMAP_MAYMOVE == 0 {
        return Err(Errno::ENOMEM);
    }
    let to = if fixed {
        new
    } else {
        find_room(mem, layout.mmap_top, new_len, false).ok_or(Errno::ENOMEM)?
    };
    if keep < old_len {
        mem.unmap(old + keep, old_len - keep)?;
    }
    move_mapping(mem, old..old + keep, to..to + new_len, &mapping)?;
    if leave {
        // What stays behind is the same mapping without its pages.
        mem.map(old, old_len, mapping, None, true)?;
    }
    Ok(to)
}

/// Extends a private anonymous mapping that ends at `end`, if nothing is in the way.
fn grow_in_place(mem: &Memory, mapping: &Mapping, end: u64, to: u64) -> Result<bool, Errno> {
    let anonymous = matches!(mapping.backing, Backing::Anonymous(_)) && !mapping.shared;
    if !anonymous || to > mem.size() || !mem.is_free(end..to) {
        return Ok(false);
    }
    mem.map(end, to - end, mapping.clone(), None, true)?;
    Ok(true)
}

fn move_mapping(mem: &Memory, old: Range<u64>, new: Range<u64>, m: &Mapping) -> Result<(), Errno> {
    match mem.remap(old.clone(), new.clone()) {
        // The host keeps what is one mapping for the guest as several, which it moves singly.
        Err(MapError::Host(e)) if e.raw_os_error() == Some(libc::EFAULT) && !m.shared => {
            mem.map(new.start, new.end - new.start, m.clone(), None, false)?;
            let mut page = [0; PAGE_SIZE as usize];
            for at in (0..old.end - old.start).step_by(PAGE_SIZE as usize) {
                mem.read_bytes(old.start + at, &mut page)?;
                mem.write_bytes(new.start + at, &page)?;
            }
            Ok(mem.unmap(old.start, old.end - old.start)?)
        }
        other => Ok(other?),
    }
}

/// True if every page of the range is mapped.
fn fully_mapped(mem: &Memory, range: Range<u64>) -> bool {
    let mut at = range.start;
    while at < range.end {
        match mem.mapping(at) {
            Some((r, _)) => at = r.end,
            None => return false,
        }
    }
    true
}

/// Whole pages of a range that a call names; `ENOMEM` if one is not mapped.
fn mapped_pages(mem: &Memory, addr: u64, len: u64) -> Result<Range<u64>, Errno> {
    let end = addr.checked_add(len).and_then(page_up).ok_or(Errno::ENOMEM)?;
    let range = page_down(addr)..end;
    if fully_mapped(mem, range.clone()) { Ok(range) } else { Err(Errno::ENOMEM) }
}

const MADV_DONTNEED_LOCKED: i32 = 24;
const MADV_COLLAPSE: i32 = 25;

pub(super) fn sys_madvise(t: &mut Thread, addr: u64, len: u64, advice: i32) -> SysResult {
    if !addr.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let len = page_up(len).ok_or(Errno::EINVAL)?;
    if addr.checked_add(len).is_none() {
        return Err(Errno::EINVAL);
    }
    let what = match advice {
        libc::MADV_DONTNEED | MADV_DONTNEED_LOCKED => Advice::DontNeed,
        libc::MADV_REMOVE => Advice::Remove,
        0..=3 | libc::MADV_FREE | 12..=23 | MADV_COLLAPSE => Advice::Other(advice),
        // What a child of fork inherits is the host's business with the whole region.
        libc::MADV_DONTFORK | libc::MADV_DOFORK => return Ok(0),
        _ => return Err(Errno::EINVAL),
    };
    if len == 0 {
        return Ok(0);
    }
    t.memory().advise(addr, len, what)?;
    Ok(0)
}

pub(super) fn sys_mseal(t: &mut Thread, addr: u64, len: u64, flags: u64) -> SysResult {
    let len = page_up(len).filter(|l| addr.checked_add(*l).is_some());
    let (true, 0, Some(len)) = (addr.is_multiple_of(PAGE_SIZE), flags, len) else {
        return Err(Errno::EINVAL);
    };
    if len == 0 {
        return Ok(0);
    }
    let process = Arc::clone(&t.process);
    let _layout = lock(&process.layout);
    process.memory().seal(addr, len)?;
    Ok(0)
}

pub(super) fn sys_msync(t: &mut Thread, addr: u64, len: u64, flags: i32) -> SysResult {
    if !addr.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let range = mapped_pages(t.memory(), addr, len)?;
    let host = t.guest(addr, range.end - range.start, Access::Read)?;
    t.host(libc::SYS_msync, &[host, HostArg::value(len), HostArg::int(flags)])
}

pub(super) fn sys_mincore(t: &mut Thread, addr: u64, len: u64, vec: u64) -> SysResult {
    if !addr.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let range = mapped_pages(t.memory(), addr, len)?;
    let host = t.guest(addr, range.end - range.start, Access::Read)?;
    let vec = t.guest(vec, (range.end - range.start) / PAGE_SIZE, Access::Write)?;
    t.host(libc::SYS_mincore, &[host, HostArg::value(len), vec])
}

fn lock_pages(t: &Thread, number: i64, addr: u64, len: u64, flags: i32) -> SysResult {
    let range = mapped_pages(t.memory(), addr, len)?;
    let host = t.guest(range.start, range.end - range.start, Access::Read)?;
    t.host(number, &[host, HostArg::value(range.end - range.start), HostArg::int(flags)])
}

pub(super) fn sys_mlock(t: &mut Thread, addr: u64, len: u64) -> SysResult {
    lock_pages(t, libc::SYS_mlock, addr, len, 0)
}

pub(super) fn sys_mlock2(t: &mut Thread, addr: u64, len: u64, flags: i32) -> SysResult {
    lock_pages(t, libc::SYS_mlock2, addr, len, flags)
}

pub(super) fn sys_munlock(t: &mut Thread, addr: u64, len: u64) -> SysResult {
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
fn lock_new(mem: &Memory, layout: &Layout, range: Range<u64>) -> Result<(), Errno> {
    let Some(flags) = layout.lock_future else { return Ok(()) };
    lock_mapping(mem, &range, flags).map_err(|_| {
        let _ = mem.unmap(range.start, range.end - range.start);
        Errno::EAGAIN
    })
}

/// Locks the guest's memory, and not ours.
pub(super) fn sys_mlockall(t: &mut Thread, flags: u32) -> SysResult {
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

pub(super) fn sys_munlockall(t: &mut Thread) -> SysResult {
    lock(&t.process.layout).lock_future = None;
    host_call(libc::SYS_munlockall, &[])
}
