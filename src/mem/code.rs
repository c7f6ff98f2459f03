//! Which pages hold code that somebody has decoded or translated, and what happened to them.
//!
//! The RISC-V contract (Unprivileged manual, "Zifencei") is that stores to instruction memory
//! become visible to fetches at a `fence.i`, or at `riscv_flush_icache` for all harts. A writable
//! page that holds translations is therefore write-protected; the first store faults, marks the
//! page dirty and gives it back its write permission. At the next fence the dirty pages, and only
//! these, are invalid. Unmapping, remapping and protecting invalidate at once.
//!
//! Programs exist that generate code and execute no fence: they work on hardware whose instruction
//! caches follow stores. Until the guest has named a page in a fence, a store to its code
//! therefore invalidates at once too. Where that has happened often enough to patch every word of
//! the page, the stores are taken for data that lies beside code, and wait for a fence.

use super::map::{Mark, Memory, State};
use super::{Access, Fault};
use crate::sys::access::Refused;
use crate::sys::mmap::HostProt;
use crate::util::{PAGE_SIZE, RangeMap, page_down, page_up};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ThreadId;

/// What happened to pages that hold translated code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeEvent {
    /// The addresses mean something else now: translations of them are void at once.
    Void(Range<u64>),
}

/// Book-keeping of code pages, by page address.
#[derive(Default)]
pub(super) struct CodePages {
    /// Pages of which translations exist.
    watched: BTreeSet<u64>,
    /// Of these, the writable ones that the host has been told to protect.
    protected: Protected,
    /// Pages written since they were watched.
    dirty: BTreeSet<u64>,
    events: Vec<CodeEvent>,
    /// Addresses whose writer is known to execute fences.
    fenced: RangeMap<Mark>,
    /// How often a store to a page has invalidated it.
    patched: BTreeMap<u64, u64>,
    /// What the kernel may be writing on behalf of which thread.
    in_kernel: Vec<(ThreadId, Range<u64>)>,
    /// What the kernel may write at any time, as long as the addresses mean what they do.
    in_kernel_later: RangeMap<Mark>,
    /// How often the meaning of addresses or the host's protection of them has changed: every
    /// change goes through [`Memory::forget_code`] or is one of this file.
    changes: u64,
}

/// Pages, and how many rows of neighbours they make: the host has a mapping for each and for what
/// lies between them, and of these a process can have 65,530 ([mmap(2)], `vm.max_map_count`).
///
/// [mmap(2)]: https://man7.org/linux/man-pages/man2/mmap.2.html
#[derive(Default)]
struct Protected {
    pages: BTreeSet<u64>,
    rows: usize,
}

/// Rows of all memories of the process.
static ROWS: AtomicUsize = AtomicUsize::new(0);
/// Rows that all memories together have, beyond [`OWN_ROWS`] of each.
const MAX_ROWS: usize = 8192;
/// Rows that a memory may have whatever others have: what one block of code can be made from.
const OWN_ROWS: usize = 128;

impl Protected {
    fn contains(&self, page: u64) -> bool {
        self.pages.contains(&page)
    }

    /// True if `page` would be another row, and that too much for the host.
    fn is_full_for(&self, page: u64) -> bool {
        self.neighbours(page) == 0
            && self.rows >= OWN_ROWS
            && ROWS.load(Ordering::Relaxed) >= MAX_ROWS
    }

    /// True if there are too many rows, as pages have been taken out of their middle.
    fn is_over(&self) -> bool {
        self.rows > OWN_ROWS && ROWS.load(Ordering::Relaxed) > MAX_ROWS
    }

    fn neighbours(&self, page: u64) -> usize {
        let beside = [page.checked_sub(PAGE_SIZE), page.checked_add(PAGE_SIZE)];
        beside.iter().flatten().filter(|p| self.pages.contains(p)).count()
    }

    fn set_rows(&mut self, rows: usize) {
        ROWS.fetch_add(rows.wrapping_sub(self.rows), Ordering::Relaxed);
        self.rows = rows;
    }

    fn insert(&mut self, page: u64) {
        if self.pages.insert(page) {
            self.set_rows(self.rows + 1 - self.neighbours(page));
        }
    }

    fn remove(&mut self, page: u64) -> bool {
        let found = self.pages.remove(&page);
        if found {
            self.set_rows(self.rows + self.neighbours(page) - 1);
        }
        found
    }

    /// Takes all out, as rows.
    fn take(&mut self) -> Vec<Range<u64>> {
        let mut rows: Vec<Range<u64>> = Vec::with_capacity(self.rows);
        for page in std::mem::take(&mut self.pages) {
            match rows.last_mut() {
                Some(row) if row.end == page => row.end += PAGE_SIZE,
                _ => rows.push(page..page + PAGE_SIZE),
            }
        }
        debug_assert_eq!(rows.len(), self.rows, "rows are counted as they come and go");
        self.set_rows(0);
        rows
    }
}

impl Drop for Protected {
    fn drop(&mut self) {
        self.set_rows(0);
    }
}

/// Times that a page without fences is invalidated by stores: once for each word of it.
const MAX_PATCHED: u64 = PAGE_SIZE / 4;

impl CodePages {
    /// Takes note of a store to `page`: true if translations of it are void now, false if they
    /// stay until the next fence.
    fn patch(&mut self, page: u64) -> bool {
        if self.fenced.get(page).is_some() {
            return false;
        }
        let times = self.patched.entry(page).or_default();
        *times += 1;
        *times <= MAX_PATCHED
    }
}

impl CodePages {
    fn kernel_writes(&self, page: u64) -> bool {
        if self.in_kernel_later.get(page).is_some() {
            return true;
        }
        let overlaps = |r: &Range<u64>| r.start < page + PAGE_SIZE && r.end > page;
        self.in_kernel.iter().any(|(_, range)| overlaps(range))
    }
}

/// What an access meets that the map allows.
struct Seen {
    /// Changes of the map and of what is protected so far.
    changes: u64,
    /// True if a page of it has translated code, so that the host refuses stores.
    protected: bool,
}

/// Result of [`Memory::watch_code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// The first byte of the range that cannot be fetched, or its end.
    pub end: u64,
    /// Changes of the code change [`Memory::code_version`].
    pub steady: bool,
}

impl Memory {
    /// Says that the guest executes a fence when it has written code in the pages of `range`:
    /// stores to them need not be seen before.
    pub fn expect_fences(&self, range: Range<u64>) {
        let end = page_down(range.end.saturating_add(PAGE_SIZE - 1));
        self.lock().code.fenced.insert(page_down(range.start)..end, Mark);
    }

    /// Says that the bytes of `range` are being translated, as far as they can be fetched: up to
    /// where, and whether changes of them will be noticed. `None` if not even the first can be.
    /// Call it before reading them, so that a write in between is not missed.
    pub fn watch_code(&self, range: Range<u64>) -> Option<Watched> {
        if range.start >= self.size {
            return None;
        }
        let mut guard = self.lock();
        let state = &mut *guard;
        let mut end = range.start;
        let mut steady = true;
        let pages =
            |part: &Range<u64>| (page_down(part.start)..part.end).step_by(PAGE_SIZE as usize);
        for (part, mapping) in state.map.overlapping(range.start..range.end.min(self.size)) {
            if part.start > end || !mapping.prot.executable() {
                break;
            }
            let part = part.start.max(range.start)..part.end.min(range.end);
            end = part.end;
            for page in pages(&part) {
                state.code.watched.insert(page);
                if mapping.shared {
                    // Who maps it elsewhere may write to it there.
                    state.code.dirty.insert(page);
                }
                if mapping.prot.writable() && !state.code.protected.contains(page) {
                    if state.code.protected.is_full_for(page) {
                        self.unprotect_all(&mut state.code);
                        state.code.watched.insert(page);
                    }
                    let host = self.offsets(&(page..page + PAGE_SIZE));
                    // The kernel would report a fault for what it cannot write, where a hart tries
                    // again. If the host refuses, or so, the page is treated as written from the
                    // start.
                    state.code.changes += 1;
                    if !state.code.kernel_writes(page)
                        && self.region.protect(host, HostProt::READ).is_ok()
                    {
                        state.code.protected.insert(page);
                    } else {
                        state.code.dirty.insert(page);
                    }
                }
                steady &= !state.code.dirty.contains(&page);
            }
        }
        (end > range.start).then_some(Watched { end, steady })
    }

    /// Gives all pages their write permission back: translations of them are void.
    fn unprotect_all(&self, code: &mut CodePages) {
        code.changes += 1;
        for row in code.protected.take() {
            let watched: Vec<u64> = code.watched.range(row.clone()).copied().collect();
            for page in watched {
                code.watched.remove(&page);
            }
            // As in `unprotect_code`.
            let _ = self.region.protect(self.offsets(&row), HostProt::RW);
            code.events.push(CodeEvent::Void(row));
        }
        self.code_pending.store(true, Ordering::Release);
        self.code_changes();
    }

    /// Changes whenever watched code may have changed since it was read.
    #[must_use]
    pub fn code_version(&self) -> u64 {
        self.code_version.load(Ordering::Acquire)
    }

    fn code_changes(&self) {
        self.code_version.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes the pages that were written since they were watched: at a fence, translations of
    /// them are void. They are no longer watched, unless they were translated again since.
    #[must_use]
    pub fn take_dirty_code(&self) -> Vec<u64> {
        let mut state = self.lock();
        self.code_changes();
        let dirty = std::mem::take(&mut state.code.dirty);
        for page in &dirty {
            // One that was translated again after the write stays protected.
            if !state.code.protected.contains(*page) {
                state.code.watched.remove(page);
            }
        }
        dirty.into_iter().collect()
    }

    /// True if there are events that nobody has taken. Cheap: one load.
    #[must_use]
    #[inline]
    pub fn has_code_events(&self) -> bool {
        self.code_pending.load(Ordering::Acquire)
    }

    /// Takes what has happened to watched pages. Until it has been served nobody may run code of
    /// such a page, also whoever finds no events any more.
    #[must_use]
    pub fn take_code_events(&self) -> Vec<CodeEvent> {
        let mut state = self.lock();
        self.code_pending.store(false, Ordering::Release);
        std::mem::take(&mut state.code.events)
    }

    /// Before `range` changes its meaning: translations of it are void, and its pages have the
    /// protection again that the guest gave them, which they may keep (`remap`, `advise`).
    pub(super) fn forget_code(&self, state: &mut State, range: &Range<u64>) {
        state.shown = None;
        let code = &mut state.code;
        code.changes += 1;
        code.fenced.remove(range.clone());
        code.in_kernel_later.remove(range.clone());
        let patched: Vec<u64> = code.patched.range(range.clone()).map(|(p, _)| *p).collect();
        for page in patched {
            code.patched.remove(&page);
        }
        let pages: Vec<u64> = code.watched.range(range.clone()).copied().collect();
        debug_assert!(
            code.protected.pages.is_subset(&code.watched),
            "what is protected is watched"
        );
        for page in &pages {
            code.watched.remove(page);
            code.dirty.remove(page);
            if code.protected.remove(*page) {
                let host = self.offsets(&(*page..*page + PAGE_SIZE));
                // As in `unprotect_code`: the access that follows shows a failure.
                let _ = self.region.protect(host, HostProt::RW);
            }
        }
        if let (Some(&first), Some(&last)) = (pages.first(), pages.last()) {
            self.code_changes();
            code.events.push(CodeEvent::Void(first..last + PAGE_SIZE));
            self.code_pending.store(true, Ordering::Release);
        }
    }

    /// To be told of writes to `range` that are none of the guest's stores, nor of the kernel's on
    /// its behalf: translations of it are void.
    pub fn code_rewritten(&self, range: Range<u64>) {
        let end = page_up(range.end.min(self.size)).unwrap_or(self.size);
        let mut state = self.lock();
        self.forget_code(&mut state, &(page_down(range.start).min(end)..end));
    }

    /// Gives `range` back the write permission that translations of it took, because the guest or
    /// the kernel on its behalf is about to write. True if anything was protected.
    pub fn unprotect_code(&self, range: Range<u64>) -> bool {
        let mut state = self.lock();
        let first = page_down(range.start);
        let pages: Vec<u64> = state.code.protected.pages.range(first..range.end).copied().collect();
        for &page in &pages {
            state.code.protected.remove(page);
            if state.code.patch(page) {
                state.code.watched.remove(&page);
                state.code.events.push(CodeEvent::Void(page..page + PAGE_SIZE));
                self.code_pending.store(true, Ordering::Release);
            } else {
                state.code.dirty.insert(page);
            }
            let host = self.offsets(&(page..page + PAGE_SIZE));
            // A failure leaves the page read-only, and the access that follows faults as the
            // guest's own: nothing better is known.
            let _ = self.region.protect(host, HostProt::RW);
        }
        if !pages.is_empty() {
            state.code.changes += 1;
            self.code_changes();
        }
        if state.code.protected.is_over() {
            self.unprotect_all(&mut state.code);
        }
        !pages.is_empty()
    }

    /// Says that the kernel is about to write to `range` on behalf of the calling thread: until
    /// [`Self::kernel_has_written`] its pages are not protected.
    pub(super) fn kernel_will_write(&self, range: Range<u64>) {
        self.unprotect_code(range.clone());
        if self.has_writable_code.load(Ordering::Acquire) {
            self.lock().code.in_kernel.push((std::thread::current().id(), range.clone()));
            // What was protected in between.
            self.unprotect_code(range);
        }
    }

    /// Says that the kernel may write to `range` after the system call that asks for it
    /// (io_uring(7)): what there is to be executed of it is not protected any more, and is
    /// translated anew at every fence.
    pub fn kernel_writes_later(&self, range: Range<u64>) {
        if !self.has_writable_code.load(Ordering::Acquire) {
            return;
        }
        let pages = page_down(range.start)..page_up(range.end).unwrap_or(range.end);
        let mut state = self.lock();
        let executable: Vec<Range<u64>> = state
            .map
            .overlapping(pages.clone())
            .filter(|(_, m)| m.prot.executable())
            .map(|(r, _)| r.start.max(pages.start)..r.end.min(pages.end))
            .collect();
        for part in executable {
            state.code.in_kernel_later.insert(part, Mark);
        }
    }

    /// Says that the kernel has written what it was to write for the calling thread.
    pub fn kernel_has_written(&self) {
        if self.has_writable_code.load(Ordering::Acquire) {
            let me = std::thread::current().id();
            self.lock().code.in_kernel.retain(|(thread, _)| *thread != me);
        }
    }

    /// To be called in the child of `fork`, where the other threads are not.
    pub fn after_fork(&self) {
        self.lock().code.in_kernel.clear();
    }

    /// After a host fault on an access of `len` bytes at `addr`: `Ok` if the cause is gone and
    /// the access should be tried again, else the guest's fault.
    ///
    /// # Errors
    /// The fault that the guest must see.
    #[cold]
    pub fn resolve_fault(&self, addr: u64, len: u64, access: Access) -> Result<(), Fault> {
        let addr = self.effective(addr);
        let end = addr.saturating_add(len.max(1));
        if access == Access::Write && self.unprotect_code(addr..end) {
            return Ok(());
        }
        self.explain_fault(addr, len, access)
    }

    /// What a store of `len` bytes at `addr` would meet, without making it. Translated code in the
    /// page is left alone.
    ///
    /// # Errors
    /// The fault that the guest would see.
    pub(super) fn check_store(&self, addr: u64, len: u64) -> Result<(), Fault> {
        self.explain_fault(self.effective(addr), len, Access::Write)
    }

    /// The fault of an access: what the map refuses, or else what the host does, which is found out
    /// by trying. `Ok` if neither refuses it any more, or only because the page has translated code
    /// ([`Self::watch_code`] may have protected it since the access was tried). An access that the
    /// host refuses while the map allows it and nothing has changed would fault for ever: it is
    /// the guest's fault, and the host says which.
    fn explain_fault(&self, addr: u64, len: u64, access: Access) -> Result<(), Fault> {
        loop {
            let Seen { changes, protected } = self.refused_by_map(addr, len, access)?;
            let tried = if protected { Access::Read } else { access };
            let Err((at, host)) = self.probe(addr, len, tried) else { return Ok(()) };
            if self.lock().code.changes == changes {
                let fault = Fault { addr: at, access, mapped: true, beyond_file: false };
                return Err(match host {
                    Refused::Object => Fault { beyond_file: true, ..fault },
                    Refused::Nothing => Fault { mapped: false, ..fault },
                    Refused::Protected => fault,
                });
            }
        }
    }

    /// Looks for the first byte of the access that the map refuses. If it refuses none, what
    /// there is at this moment.
    fn refused_by_map(&self, addr: u64, len: u64, access: Access) -> Result<Seen, Fault> {
        let state = self.lock();
        let mut at = addr;
        loop {
            let found = state.map.get(at);
            let allowed = found.as_ref().is_some_and(|(_, m)| match access {
                Access::Read => m.prot.readable(),
                Access::Write => m.prot.writable(),
                Access::Execute => m.prot.executable(),
            });
            if !allowed {
                let mapped = found.is_some();
                return Err(Fault { addr: at, access, mapped, beyond_file: false });
            }
            let next = page_down(at) + PAGE_SIZE;
            if next - addr >= len {
                let mut protected = state.code.protected.pages.range(page_down(addr)..next);
                let protected = protected.next().is_some();
                return Ok(Seen { changes: state.code.changes, protected });
            }
            at = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Access, Advice, Memory, Mode, Prot};
    use super::CodeEvent;
    use crate::util::PAGE_SIZE;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// A memory in a process that recovers from faults of its own accesses.
    fn memory(mode: Mode, size: u64) -> std::io::Result<Memory> {
        crate::sys::signal::install_handlers()?;
        Memory::new(mode, size)
    }

    #[test]
    fn pages_that_keep_their_contents_are_writable_again() {
        let mem = memory(Mode::Guarded, 1 << 20).unwrap();
        mem.map_zero(0x10000, PAGE_SIZE, Prot::RWX).unwrap();
        assert!(mem.watch_code(0x10000..0x10004).is_some());
        mem.remap(0x10000..0x11000, 0x20000..0x21000, false).unwrap();
        mem.write_u32(0x20000, 7).unwrap();
        assert!(mem.watch_code(0x20000..0x20004).is_some());
        mem.advise(0x20000, PAGE_SIZE, Advice::Discard(libc::MADV_DONTNEED)).unwrap();
        mem.write_u32(0x20000, 8).unwrap();
        assert_eq!(mem.read_u32(0x20000), Ok(8));
    }

    #[test]
    fn scattered_code_takes_a_limited_number_of_mappings() {
        let pages = 4 * super::MAX_ROWS as u64;
        let mem = memory(Mode::Guarded, 1 << 28).unwrap();
        mem.map_zero(0x10000, pages * PAGE_SIZE, Prot::RWX).unwrap();
        let watch = |page: u64| {
            let at = 0x10000 + page * PAGE_SIZE;
            mem.watch_code(at..at + 4).unwrap();
        };
        let write = |page: u64| mem.write_u32(0x10000 + page * PAGE_SIZE, 1).unwrap();
        let rows = || mem.lock().code.protected.rows;
        let mut void = 0;
        for page in (0..pages).step_by(2) {
            watch(page);
            assert!(rows() <= super::MAX_ROWS, "{page}");
            void += mem.take_code_events().len();
        }
        assert!(void > 0);
        // Pages in between join rows, and stores divide them.
        let before = rows();
        watch(pages - 3);
        assert_eq!(rows(), before - 1);
        write(pages - 3);
        assert_eq!(rows(), before);
        (0..pages).for_each(watch);
        assert_eq!(rows(), 1);
        for page in (1..pages).step_by(2) {
            write(page);
            assert!(rows() <= super::MAX_ROWS, "{page}");
        }
    }

    #[test]
    fn stores_to_code_wait_only_for_fences_that_will_come() {
        let mem = memory(Mode::Guarded, 1 << 20).unwrap();
        mem.map_zero(0x10000, 2 * PAGE_SIZE, Prot::RWX).unwrap();
        let patch = |at| {
            assert!(mem.watch_code(at..at + 4).is_some());
            mem.write_u32(at, 7).unwrap();
            (mem.take_code_events(), mem.take_dirty_code())
        };
        let void = vec![CodeEvent::Void(0x10000..0x11000)];
        for _ in 0..PAGE_SIZE / 4 {
            assert_eq!(patch(0x10000), (void.clone(), vec![]));
        }
        assert_eq!(patch(0x10000), (vec![], vec![0x10000]));
        mem.expect_fences(0x11ff8..0x12000);
        assert_eq!(patch(0x11000), (vec![], vec![0x11000]));
        // Something else is there now.
        mem.map_zero(0x10000, 2 * PAGE_SIZE, Prot::RWX).unwrap();
        let _ = mem.take_code_events();
        assert_eq!(patch(0x10000), (void, vec![]));
        assert!(patch(0x11000).1.is_empty());
    }

    /// Whoever translates code of the page again between a store's fault and the search for its
    /// reason has changed nothing that the guest may see.
    #[test]
    fn stores_to_pages_that_others_translate_are_no_faults() {
        let mem = memory(Mode::Guarded, 1 << 20).unwrap();
        mem.map_zero(0x10000, PAGE_SIZE, Prot::RWX).unwrap();
        mem.expect_fences(0x10000..0x11000);
        let watch = || assert!(mem.watch_code(0x10000..0x10004).is_some());
        // At the moment in which it matters.
        watch();
        assert_eq!(mem.explain_fault(0x10010, 4, Access::Write), Ok(()));
        assert_eq!(mem.check_store(0x10010, 4), Ok(()));
        // At any.
        let done = AtomicBool::new(false);
        let meanwhile = |f: fn(&Memory)| {
            while !done.load(Ordering::Relaxed) {
                f(&mem);
            }
        };
        let refused = std::thread::scope(|s| {
            s.spawn(|| {
                meanwhile(|mem| {
                    let _ = mem.watch_code(0x10000..0x10004);
                });
            });
            s.spawn(|| {
                meanwhile(|mem| {
                    let _ = mem.kernel_range(0x10f00, 0x100, Access::Write);
                    mem.kernel_has_written();
                });
            });
            let refused = (0..100_000).find_map(|i| {
                let _ = mem.watch_code(0x10000..0x10004);
                mem.write_u32(0x10010, i).err()
            });
            done.store(true, Ordering::Relaxed);
            refused
        });
        assert_eq!(refused, None);
    }
}
