//! Copies of guest code for the lifter.
//!
//! Pages are copied whole, and kept: who writes to one, or unmaps it, changes the memory's code
//! version. What lies close to the end of a page, and pages that can change unnoticed, are read
//! anew each time.

use crate::lift::{CodeSource, Marks, Piece};
use crate::mem::Memory;
use crate::util::{PAGE_SIZE, page_down};

/// Bytes that are read at once where no page is kept: about what a block takes.
const PIECE: u64 = 384;

/// Copies of pages; the slot is the low bits of the page number.
const SLOTS: usize = 8;

/// The copies.
pub(super) struct Source {
    pages: [Page; SLOTS],
    /// Code from `start` on, of the block that is being lifted.
    piece: Vec<u8>,
    start: u64,
}

struct Page {
    addr: u64,
    version: u64,
    bytes: Vec<u8>,
    marks: Marks,
}

impl Source {
    pub(super) fn new() -> Self {
        let page =
            || Page { addr: u64::MAX, version: 0, bytes: Vec::new(), marks: Marks::default() };
        Self { pages: std::array::from_fn(|_| page()), piece: Vec::new(), start: 0 }
    }

    /// The code of `memory` for one block.
    pub(super) fn over<'a>(&'a mut self, memory: &'a Memory) -> SourceOver<'a> {
        self.piece.clear();
        SourceOver { source: self, memory }
    }
}

/// The code of a memory.
pub(super) struct SourceOver<'a> {
    source: &'a mut Source,
    memory: &'a Memory,
}

impl SourceOver<'_> {
    /// The slot that holds `page`, if it can be kept.
    fn page(&mut self, page: u64) -> Option<usize> {
        let version = self.memory.code_version();
        let n = (page / PAGE_SIZE) as usize % SLOTS;
        let slot = &mut self.source.pages[n];
        if slot.addr == page && slot.version == version {
            return Some(n);
        }
        // Watched before it is read, so that no write in between is missed.
        let watched = self.memory.watch_code(page..page.saturating_add(PAGE_SIZE))?;
        if !watched.steady || watched.end != page + PAGE_SIZE {
            return None;
        }
        slot.addr = u64::MAX;
        slot.bytes.resize(PAGE_SIZE as usize, 0);
        slot.marks.forget();
        self.memory.read_bytes(page, &mut slot.bytes).ok()?;
        (slot.addr, slot.version) = (page, version);
        Some(n)
    }
}

impl CodeSource for SourceOver<'_> {
    fn bytes(&mut self, addr: u64) -> Option<&[u8]> {
        self.piece(addr).map(|piece| piece.rest())
    }

    fn piece(&mut self, addr: u64) -> Option<Piece<'_>> {
        let page = page_down(addr);
        let start = (addr - page) as usize;
        if start as u64 + PIECE <= PAGE_SIZE
            && let Some(n) = self.page(page)
        {
            let Page { bytes, marks, .. } = &mut self.source.pages[n];
            return Some(Piece { code: bytes, start, marks: Some(marks) });
        }
        let s = &mut *self.source;
        let end = s.start + s.piece.len() as u64;
        if addr < s.start || addr.saturating_add(4) > end {
            let end = self.memory.watch_code(addr..addr.saturating_add(PIECE))?.end;
            s.piece.resize((end - addr) as usize, 0);
            s.start = addr;
            if self.memory.read_bytes(addr, &mut s.piece).is_err() {
                s.piece.clear();
                return None;
            }
        }
        Some(Piece { code: &s.piece, start: (addr - s.start) as usize, marks: None })
    }
}
