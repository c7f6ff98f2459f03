//! The main thread's stack under a limit that changes (getrlimit(2), `RLIMIT_STACK`; kernel:
//! `acct_stack_growth` in `mm/vma.c`): it is mapped as far as it may grow.

use crate::linux::lock::lock;
use crate::linux::process::Process;
use crate::mem::{Backing, Memory};
use crate::util::{PAGE_SIZE, page_up};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

impl Process {
    /// Lets the stack grow as far as `limit` bytes. What it has reached already stays, and it never
    /// grows beyond the place that it had when the program started.
    pub(crate) fn resize_stack(&self, limit: u64) {
        let layout = lock(&self.layout);
        let mem = self.memory();
        let named = |b: &Backing| matches!(b, Backing::Anonymous(Some("[stack]")));
        let Some((range, mapping)) =
            mem.mappings().into_iter().rev().find(|(_, m)| named(&m.backing))
        else {
            return;
        };
        let lowest = layout.mmap_top + crate::linux::mm::layout::STACK_GAP;
        let wanted = range.end - page_up(limit).unwrap_or(u64::MAX).min(range.end - lowest);
        // What cannot be done is as if the limit had been set later.
        if wanted < range.start {
            let more = wanted..range.start;
            if mem.is_free(more.clone()) {
                let _ = mem.map(more.start, more.end - more.start, mapping, None, true);
            }
        } else if let Some(reached) = lowest_touched(mem, &range) {
            let start = wanted.min(reached);
            if start > range.start {
                let _ = mem.unmap(range.start, start - range.start);
            }
        }
    }
}

/// The first page of a range that is there; `None` if the host does not tell.
fn lowest_touched(mem: &Memory, range: &Range<u64>) -> Option<u64> {
    /// Present, or swapped out.
    const THERE: u64 = 3 << 62;
    let file = File::open("/proc/self/pagemap").ok()?;
    let mut entries = vec![0; ((range.end - range.start) / PAGE_SIZE * 8) as usize];
    file.read_exact_at(&mut entries, (mem.base().0 as u64 + range.start) / PAGE_SIZE * 8).ok()?;
    let there = |e: &[u8]| e.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)) & THERE != 0;
    let first = entries.chunks_exact(8).position(there)?;
    Some(range.start + first as u64 * PAGE_SIZE)
}
