//! Mappings that move and grow (mremap(2), remap_file_pages(2)). The order of the checks is the
//! kernel's (`mm/mremap.c`).

use crate::linux::abi::{Errno, SysResult};
use crate::linux::lock::lock;
use crate::linux::mm::layout::{Layout, find_room, is_below_stack, min_addr};
use crate::linux::mm::mman::check_mappings;
use crate::linux::process::{Process, Thread};
use crate::linux::task::rlimit::is_data;
use crate::mem::{MapError, Mapping, Memory};
use crate::util::{PAGE_SIZE, Split, page_down, page_up};
use std::ops::Range;
use std::sync::Arc;

const MREMAP_MAYMOVE: u32 = 1;
const MREMAP_FIXED: u32 = 2;
const MREMAP_DONTUNMAP: u32 = 4;

/// A call, with lengths in whole pages.
struct Request {
    old: u64,
    old_len: u64,
    new: u64,
    new_len: u64,
    flags: u32,
}

impl Request {
    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// True if `new` is looked at.
    fn goes_to(&self) -> bool {
        self.has(MREMAP_FIXED | MREMAP_DONTUNMAP)
    }

    /// What is wrong with the arguments, whatever is mapped.
    fn check(&self, size: u64) -> Result<(), Errno> {
        let fits = |start: u64, len: u64| start.checked_add(len).is_some_and(|end| end <= size);
        let wrong = self.flags & !(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) != 0
            || !self.old.is_multiple_of(PAGE_SIZE)
            || self.new_len == 0
            || self.new_len > size;
        let old_end = self.old.wrapping_add(self.old_len);
        let wrong_place = !self.new.is_multiple_of(PAGE_SIZE)
            || !fits(self.new, self.new_len)
            || !self.has(MREMAP_MAYMOVE)
            || (self.has(MREMAP_DONTUNMAP) && self.old_len != self.new_len)
            || (self.old < self.new.wrapping_add(self.new_len) && self.new < old_end);
        if wrong || (self.goes_to() && wrong_place) { Err(Errno::EINVAL) } else { Ok(()) }
    }
}

pub(crate) fn sys_mremap(
    t: &mut Thread,
    old: u64,
    old_len: u64,
    new_len: u64,
    flags: u32,
    new: u64,
) -> SysResult {
    let pages = |len| page_up(len).unwrap_or(0);
    let r = Request { old, old_len: pages(old_len), new, new_len: pages(new_len), flags };
    let process = Arc::clone(&t.process);
    let mem = process.memory();
    r.check(mem.size())?;
    let layout = lock(&process.layout);
    let moves_only = r.has(MREMAP_FIXED) && r.old_len == r.new_len;
    let (range, mapping) = mem.mapping(old).ok_or(Errno::EFAULT)?;
    if !r.goes_to() && r.new_len <= r.old_len {
        if r.new_len < r.old_len {
            shrink(mem, old + r.new_len..old.wrapping_add(r.old_len))?;
        }
        return Ok(old);
    }
    if r.old_len == 0 && !mapping.shared {
        return Err(Errno::EINVAL);
    }
    let kept = r.old_len.min(r.new_len);
    if kept > range.end - old && !moves_only {
        return Err(Errno::EFAULT);
    }
    let more = r.new_len.saturating_sub(r.old_len);
    process.may_map(more, is_data(&mapping), None)?;
    check_mappings(|| true)?;
    let old_end = old.checked_add(r.old_len).ok_or(Errno::EINVAL)?;
    if !r.goes_to() && old_end == range.end && expands(mem, old_end, more) {
        mem.grow(old_end, old_end + more)?;
        return Ok(old);
    }
    if !r.has(MREMAP_MAYMOVE) {
        return Err(Errno::ENOMEM);
    }
    relocate(&process, &layout, &r, &mapping.advance(old - range.start))
}

/// True if nothing is in the way of `more` bytes from `end` on.
fn expands(mem: &Memory, end: u64, more: u64) -> bool {
    let to = end.checked_add(more).filter(|&to| to <= mem.size());
    to.is_some_and(|to| mem.is_free(end..to) && !is_below_stack(mem, to))
}

/// Unmaps what a smaller mapping leaves behind.
fn shrink(mem: &Memory, rest: Range<u64>) -> Result<(), Errno> {
    match mem.unmap(rest.start, rest.end.wrapping_sub(rest.start)) {
        Err(MapError::OutOfRange) => Err(Errno::EINVAL),
        other => Ok(other?),
    }
}

/// Moves the mapping to another place.
fn relocate(process: &Process, layout: &Layout, r: &Request, m: &Mapping) -> SysResult {
    let mem = process.memory();
    let leave = r.has(MREMAP_DONTUNMAP);
    if r.has(MREMAP_FIXED) && r.new < min_addr(mem) {
        return Err(Errno::EPERM);
    }
    let kept = r.old_len.min(r.new_len);
    if kept < r.old_len {
        shrink(mem, r.old + kept..r.old + r.old_len)?;
    }
    if leave {
        process.may_map(r.new_len, is_data(m), None)?;
    }
    let hint = r.new..r.new.wrapping_add(r.new_len);
    let to = if r.has(MREMAP_FIXED) || (leave && r.new >= min_addr(mem) && mem.is_free(hint)) {
        r.new
    } else {
        find_room(mem, layout.mmap_top, r.new_len, false).ok_or(Errno::ENOMEM)?
    };
    move_pages(mem, r.old..r.old + kept, to..to + r.new_len, m, leave)?;
    Ok(to)
}

fn move_pages(
    mem: &Memory,
    old: Range<u64>,
    new: Range<u64>,
    m: &Mapping,
    leave: bool,
) -> Result<(), Errno> {
    let one = mem.mapping(old.start).is_some_and(|(r, _)| r.end >= old.end);
    match mem.remap(old.clone(), new.clone(), leave) {
        // The host keeps what is one mapping for the guest as several, which it moves singly.
        Err(MapError::Host(e))
            if e.raw_os_error() == Some(libc::EFAULT) && one && !m.shared && !leave =>
        {
            mem.map(new.start, new.end - new.start, m.clone(), None, false)?;
            let mut page = [0; PAGE_SIZE as usize];
            for at in (0..old.end - old.start).step_by(PAGE_SIZE as usize) {
                mem.read_bytes(old.start + at, &mut page)?;
                mem.write_bytes(new.start + at, &page)?;
            }
            Ok(mem.unmap(old.start, old.end - old.start)?)
        }
        Err(MapError::NotMapped) => Err(Errno::EFAULT),
        other => Ok(other?),
    }
}

pub(crate) fn sys_remap_file_pages(
    t: &mut Thread,
    addr: u64,
    len: u64,
    prot: u32,
    page: u64,
) -> SysResult {
    let (start, len) = (page_down(addr), page_down(len));
    let end = start.checked_add(len).filter(|&end| end > start);
    let fits = page.checked_add(len / PAGE_SIZE).is_some();
    if prot != 0 || end.is_none() || !fits {
        return Err(Errno::EINVAL);
    }
    let process = Arc::clone(&t.process);
    let _layout = lock(&process.layout);
    if !process.memory().mapping(start).is_some_and(|(_, m)| m.shared) {
        return Err(Errno::EINVAL);
    }
    match process.memory().show_file_pages(start, len, page) {
        Err(MapError::OutOfRange) => Err(Errno::EINVAL),
        other => Ok(other.map(|()| 0)?),
    }
}
