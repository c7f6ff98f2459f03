//! Memory in which every address can be served.
//!
//! All data is one file of [`WINDOW`] bytes, which is mapped wherever an access goes: an access to
//! `a` reaches byte `a % WINDOW` of it. So there is little to compare and to restore after a run,
//! and whatever a wrong translation writes is found. Two addresses that are the same byte are what
//! no ordinary program has: differences in which they play a part are not believed
//! (`Trace::aliased`).

use super::image::Image;
use crate::fuzzing::Rng;
use crate::fuzzing::program::{special_float, special_int};
use crate::mem::{Backing, MapError, Mapping, Memory, Mode, Prot};
use crate::sys::mmap::memfd;
use crate::util::PAGE_SIZE;
use rustc_hash::FxHashSet;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of data.
pub(super) const WINDOW: u64 = 32 << 10;
/// A window that is always mapped, where registers point to.
pub(super) const DATA: u64 = 0x4000_0000;
/// Pages of which some can only be read and some are missing.
pub(super) const EDGE: u64 = 0x5000_0000;
/// What is done with the pages there.
const EDGE_PAGES: [Option<Prot>; 8] = [
    Some(Prot::RW),
    Some(Prot::R),
    Some(Prot::RW),
    None,
    Some(Prot::RW),
    None,
    Some(Prot::R),
    Some(Prot::RW),
];
/// Below is nothing, as in any program.
const LOWEST: u64 = 0x1_0000;
/// Windows that are mapped as they are asked for, before all are unmapped again.
const MOST_WINDOWS: usize = 1024;
/// Address bits in `Guarded` and `Identity` mode.
pub(super) const ADDRESS_BITS: u32 = 34;
/// Where code may lie, below and above 2 GiB: which of them fits an immediate of the host.
const PLACES: [u64; 2] = [0x6000_0000, 0x1_8000_0000];
/// The second in a sandbox.
const HIGH_IN_SANDBOX: u64 = 0xa000_0000;

/// What is in a machine's memory besides the code itself.
pub(super) struct World {
    file: File,
    backing: Arc<PathBuf>,
    /// What the data is before each run.
    pub(super) pristine: Vec<u8>,
    /// Where the image's first byte is.
    pub(super) base: u64,
    code: Range<u64>,
    /// Windows that were asked for.
    windows: FxHashSet<u64>,
    /// Scratch: what is there after a run.
    found: Vec<u8>,
}

/// Where the code of an image is in a memory of `mode`.
pub(super) fn place(mode: Mode, high: bool) -> u64 {
    match (mode, high) {
        (_, false) => PLACES[0],
        (Mode::Sandbox, true) => HIGH_IN_SANDBOX,
        (Mode::Identity | Mode::Guarded, true) => PLACES[1],
    }
}

impl World {
    /// Maps the code of `image` at `base`, and data: it follows from `seed` and `functions`, which
    /// are offsets in the image.
    ///
    /// # Errors
    /// The host refuses.
    pub(super) fn new(
        memory: &Memory,
        image: &Image,
        base: u64,
        seed: u64,
        functions: &[u64],
    ) -> io::Result<Self> {
        let len = image.bytes.len() as u64;
        let backing = Arc::new(PathBuf::from("harvest"));
        let world = Self {
            file: memfd(c"rvnative-data", WINDOW as usize)?,
            pristine: contents(seed, base, functions),
            base,
            code: base..base + len,
            windows: FxHashSet::default(),
            found: vec![0; WINDOW as usize],
            backing,
        };
        let code = Backing::File { path: Arc::clone(&world.backing), offset: 0, dev: 0, inode: 0 };
        let mapping = Mapping { backing: code, ..Mapping::anonymous(Prot::RX, None) };
        let mapped = memory.map(base, len, mapping, Some(image.file.as_fd()), true);
        mapped.map_err(io::Error::other)?;
        world.map(memory, DATA..DATA + WINDOW, Prot::RW).map_err(io::Error::other)?;
        for (page, prot) in (EDGE..).step_by(PAGE_SIZE as usize).zip(EDGE_PAGES) {
            if let Some(prot) = prot {
                let mapped = world.map(memory, page..page + PAGE_SIZE, prot);
                mapped.map_err(io::Error::other)?;
            }
        }
        memory.write_bytes(DATA, &world.pristine).map_err(io::Error::other)?;
        Ok(world)
    }

    fn map(&self, memory: &Memory, range: Range<u64>, prot: Prot) -> Result<(), MapError> {
        let path = Arc::clone(&self.backing);
        let backing = Backing::File { path, offset: range.start % WINDOW, dev: 0, inode: 0 };
        let mapping = Mapping { shared: true, backing, ..Mapping::anonymous(prot, None) };
        memory.map(range.start, range.end - range.start, mapping, Some(self.file.as_fd()), true)
    }

    /// Sees to data where `len` bytes at `addr` are about to be accessed; false if part of them is
    /// nowhere, so that the access will fail.
    pub(super) fn serve(&mut self, memory: &Memory, addr: u64, len: u64) -> bool {
        let last = addr.wrapping_add(len - 1);
        self.serve_byte(memory, addr)
            && (addr / WINDOW == last / WINDOW || self.serve_byte(memory, last))
    }

    #[inline]
    fn serve_byte(&mut self, memory: &Memory, addr: u64) -> bool {
        let at = memory.effective(addr);
        let start = at / WINDOW * WINDOW;
        // By far the most; and where some pages are missing on purpose.
        start == DATA || start == EDGE || self.serve_elsewhere(memory, at, start)
    }

    fn serve_elsewhere(&mut self, memory: &Memory, at: u64, start: u64) -> bool {
        if self.code.contains(&at) {
            return true;
        }
        if at < LOWEST || at >= memory.size() {
            return false;
        }
        let (mut range, code) = (start..start + WINDOW, &self.code);
        if range.start < code.end && code.start < range.end {
            // One side of it: the one that was asked for.
            if at < code.start { range.end = code.start } else { range.start = code.end }
        }
        !self.windows.insert(range.start) || self.map(memory, range, Prot::RW).is_ok()
    }

    /// Unmaps what was mapped by [`Self::serve`] if that has become much.
    pub(super) fn tidy(&mut self, memory: &Memory) {
        if self.windows.len() > MOST_WINDOWS {
            self.forget(memory);
        }
    }

    /// Unmaps what was mapped by [`Self::serve`].
    pub(super) fn forget(&mut self, memory: &Memory) {
        for start in std::mem::take(&mut self.windows) {
            let end = (start / WINDOW + 1) * WINDOW;
            let end = if start < self.code.start { end.min(self.code.start) } else { end };
            // It was mapped.
            let _ = memory.unmap(start, end - start);
        }
    }

    /// What is at byte `offset` of the data now, as far as `to` is long; the data is a ring.
    pub(super) fn read(memory: &Memory, offset: u64, to: &mut [u8]) {
        let (head, tail) = to.split_at_mut(to.len().min((WINDOW - offset) as usize));
        // The window there is never unmapped.
        let _ = memory.read_bytes(DATA + offset, head);
        let _ = memory.read_bytes(DATA, tail);
    }

    /// Makes `len` bytes at `offset` what they are before each run.
    pub(super) fn restore(&self, memory: &Memory, offset: u64, len: u64) {
        let mut from = offset;
        let end = offset + len;
        while from < end {
            let (at, n) = (from % WINDOW, (end - from).min(WINDOW - from % WINDOW));
            let bytes = &self.pristine[at as usize..(at + n) as usize];
            let _ = memory.write_bytes(DATA + at, bytes);
            from += n;
        }
    }

    /// Makes all data what it is before each run.
    pub(super) fn restore_all(&self, memory: &Memory) {
        self.restore(memory, 0, WINDOW);
    }

    /// All data as it is now.
    pub(super) fn all(&mut self, memory: &Memory) -> &[u8] {
        Self::read(memory, 0, &mut self.found);
        &self.found
    }
}

/// The data before each run: what real programs have in memory, addresses more than anything else.
fn contents(seed: u64, base: u64, functions: &[u64]) -> Vec<u8> {
    let mut rng = Rng::new(seed, 0x6461_7461);
    let mut bytes = Vec::with_capacity(WINDOW as usize);
    while (bytes.len() as u64) < WINDOW {
        let word = match rng.below(20) {
            0..=8 => pointer(&mut rng),
            9 | 10 => function(&mut rng, base, functions),
            11..=14 => u64::from(rng.below(256)),
            15 => rng.next_u64(),
            16 | 17 => special_int(&mut rng),
            _ => special_float(&mut rng),
        };
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// An address in the data, aligned as those of structures are.
pub(super) fn pointer(rng: &mut Rng) -> u64 {
    DATA + u64::from(rng.below(WINDOW as u32 / 16)) * 16
}

/// An address around pages that are not what they should be.
pub(super) fn edge(rng: &mut Rng) -> u64 {
    let page = EDGE + u64::from(rng.below(EDGE_PAGES.len() as u32 + 1)) * PAGE_SIZE;
    let align = rng.pick(&[1, 2, 4, 8, 8, 16]);
    (page + 128 - u64::from(rng.below(256))) / align * align
}

/// The address of a function, or data if there are none.
pub(super) fn function(rng: &mut Rng, base: u64, functions: &[u64]) -> u64 {
    if functions.is_empty() {
        return pointer(rng);
    }
    base + rng.pick(functions)
}
