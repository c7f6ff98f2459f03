//! The address space: where things lie in it.
//!
//! The space has the shape of Sv39, 38 bits for the user, or of Sv48 with 47 (kernel:
//! `arch/riscv/include/asm/pgtable.h`, `TASK_SIZE`). Mappings are placed downwards from below the
//! stack, as the kernel places them, with two differences. What a dynamic linker maps (private file
//! mappings that are executable or `MAP_DENYWRITE`) goes below 2^31, where position-independent
//! programs go too: translated code names guest addresses of 31 bits in shorter instructions. And
//! in a large space everything goes where code can be translated ([`TRANSLATED`]), as far as it
//! finds room there.

use crate::mem::Memory;
use crate::util::{PAGE_SIZE, page_down};
use std::ops::Range;

/// Lowest address that a program gets without asking for a place.
pub(crate) const MIN_ADDR: u64 = 0x1_0000;

/// Where the main program goes if it is position-independent, in an address space of that size.
pub(crate) fn pie_base(size: u64) -> u64 {
    const BASE: u64 = 0x1000_0000;
    BASE.min(page_down(size / 8))
}

/// Where libraries go, downwards from the end.
pub(crate) const CODE_WINDOW: Range<u64> = 0x5000_0000..0x8000_0000;

/// Code is translated below this address and interpreted above it.
const TRANSLATED: u64 = crate::runtime::MAX_TABLE;

/// Free addresses between the stack's limit and other mappings (`stack_guard_gap`).
pub(crate) const STACK_GAP: u64 = 256 * PAGE_SIZE;

/// Where things lie. The lock around it also orders changes of the address space, so that a place
/// found free is still free when it is taken.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// Start of the heap that `brk` moves.
    pub brk_start: u64,
    /// Its current end, not rounded.
    pub brk: u64,
    /// Mappings are placed below this address.
    pub mmap_top: u64,
    /// The initial stack pointer.
    pub start_stack: u64,
    /// How new mappings are locked (`mlockall` with `MCL_FUTURE`); absent if they are not.
    pub lock_future: Option<i32>,
}

/// Lowest address that a program may map (`vm.mmap_min_addr`).
pub(crate) fn min_addr(mem: &Memory) -> u64 {
    mem.lowest().max(PAGE_SIZE)
}

/// Finds room for `len` bytes, as high as possible; `low` asks for the window of libraries first.
pub(crate) fn find_room(mem: &Memory, top: u64, len: u64, low: bool) -> Option<u64> {
    // A host short of addresses gives us a space that does not reach the windows.
    let down = |mut within: Range<u64>| {
        while within.end <= top && within.start < within.end {
            let at = mem.find_free_down(len, PAGE_SIZE, within.clone())?;
            if !is_below_stack(mem, at + len) {
                return Some(at);
            }
            let (stack, _) = mem.mapping_from(at + len)?;
            within.end = stack.start.saturating_sub(STACK_GAP);
        }
        None
    };
    let window = if low { down(CODE_WINDOW) } else { None };
    window
        .or_else(|| down(CODE_WINDOW.end..top.min(TRANSLATED)))
        .or_else(|| down(CODE_WINDOW.end..top))
        .or_else(|| down(MIN_ADDR..top))
}

/// True if a mapping that ends at `end` would be in the way of one that grows down.
pub(crate) fn is_below_stack(mem: &Memory, end: u64) -> bool {
    mem.mapping_from(end).is_some_and(|(r, m)| m.traits.grows_down && r.start - end < STACK_GAP)
}
