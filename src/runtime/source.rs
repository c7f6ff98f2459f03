//! Copies of guest code for the lifter.
//!
//! Pages are copied whole, and kept: who writes to one, or unmaps it, changes the memory's code
//! version. So is the beginning of the page behind it once a block is near the end. Pages that can
//! change unnoticed, and the end of code, are read anew each time.

use super::breakpoints::Breakpoints;
use crate::lift::{CodeSource, PageScan, Piece, TAIL};
use crate::mem::Memory;
use crate::util::{PAGE_SIZE, page_down};

/// Bytes that are read at once where no page is kept: about what a block takes.
const PIECE: u64 = TAIL as u64;

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
    version: (u64, u64),
    bytes: Vec<u8>,
    scanned: PageScan,
}

impl Source {
    pub(super) fn new() -> Self {
        let page = || Page {
            addr: u64::MAX,
            version: (0, 0),
            bytes: Vec::new(),
            scanned: PageScan::default(),
        };
        Self { pages: std::array::from_fn(|_| page()), piece: Vec::new(), start: 0 }
    }

    /// The code of `memory` for one block.
    pub(super) fn over<'a>(&'a mut self, code: GuestCode<'a>) -> SourceOver<'a> {
        self.piece.clear();
        SourceOver { source: self, code, memory: code.memory }
    }
}

/// The code of a memory, and where a debugger stops it.
#[derive(Clone, Copy)]
pub(super) struct GuestCode<'a> {
    pub(super) memory: &'a Memory,
    pub(super) breakpoints: &'a Breakpoints,
    /// Instructions may have two bytes.
    pub(super) compressed: bool,
}

/// The code of a memory.
pub(super) struct SourceOver<'a> {
    source: &'a mut Source,
    code: GuestCode<'a>,
    memory: &'a Memory,
}

impl SourceOver<'_> {
    /// The slot that holds `page` up to byte `end`, if it can be kept.
    #[inline]
    fn page(&mut self, page: u64, end: u64) -> Option<usize> {
        let version = (self.memory.code_version(), self.code.breakpoints.version());
        let n = (page / PAGE_SIZE) as usize % SLOTS;
        let slot = &self.source.pages[n];
        if slot.addr == page && slot.version == version && slot.bytes.len() as u64 >= end {
            return Some(n);
        }
        self.read_page(n, page, version, if end > PAGE_SIZE { PIECE } else { 0 })
    }

    /// Reads `page` and the first `tail` bytes of the next one into slot `n`.
    #[cold]
    fn read_page(&mut self, n: usize, page: u64, version: (u64, u64), tail: u64) -> Option<usize> {
        // Watched before it is read, so that no write in between is missed.
        let end = page.saturating_add(PAGE_SIZE + tail);
        let watched = self.memory.watch_code(page..end)?;
        if !watched.steady || watched.end != end {
            return None;
        }
        let slot = &mut self.source.pages[n];
        // What is there already need not be read again.
        let there = if (slot.addr, slot.version) == (page, version) { PAGE_SIZE } else { 0 };
        slot.addr = u64::MAX;
        slot.bytes.resize((PAGE_SIZE + tail) as usize, 0);
        slot.scanned.forget();
        self.memory.read_bytes(page + there, &mut slot.bytes[there as usize..]).ok()?;
        self.code.breakpoints.mark(page, &mut slot.bytes, self.code.compressed);
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
        if let Some(n) = self.page(page, start as u64 + PIECE) {
            let Page { bytes, scanned, .. } = &mut self.source.pages[n];
            return Some(Piece { code: bytes, start, scanned: Some(scanned) });
        }
        self.read_piece(addr)
    }
}

impl SourceOver<'_> {
    #[cold]
    fn read_piece(&mut self, addr: u64) -> Option<Piece<'_>> {
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
            self.code.breakpoints.mark(addr, &mut s.piece, self.code.compressed);
        }
        Some(Piece { code: &s.piece, start: (addr - s.start) as usize, scanned: None })
    }
}
