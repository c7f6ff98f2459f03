//! Where blocks can begin in a piece of code, and which of them do the same.

use super::image::Image;
use crate::interp;
use crate::ir::{Block, Op};
use crate::isa::{self, Format, Insn, Isa};
use crate::lift::{CodeSource, Lifter, Limits, PageScan, Piece, TAIL};
use crate::util::PAGE_SIZE;
use rustc_hash::FxHasher;
use std::hash::{Hash, Hasher};

/// One bit for each even offset of an image.
#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(len: usize) -> Self {
        Self(vec![0; len / 128 + 1])
    }

    /// Sets the bit of `offset`; true if it was not set, and there is one.
    fn insert(&mut self, offset: u64) -> bool {
        let n = offset / 2;
        let Some(word) = self.0.get_mut((n / 64) as usize) else { return false };
        let bit = 1 << (n % 64);
        let new = *word & bit == 0 && offset & 1 == 0;
        *word |= if new { bit } else { 0 };
        new
    }

    /// The first offset from `offset` on whose bit is set.
    fn next(&self, offset: u64) -> Option<u64> {
        let n = offset.div_ceil(2);
        let mut word = (n / 64) as usize;
        let mut bits = *self.0.get(word)? & u64::MAX << (n % 64);
        while bits == 0 {
            word += 1;
            bits = *self.0.get(word)?;
        }
        Some((word as u64 * 64 + u64::from(bits.trailing_zeros())) * 2)
    }
}

/// Places of an image where blocks can begin, one after the other.
pub(super) struct Scan<'a> {
    image: &'a Image,
    isa: &'a Isa,
    starts: Bits,
    /// Up to where `starts` has been read.
    cursor: u64,
    /// What was found behind that.
    late: Vec<u64>,
    source: ImageSource<'a>,
    lifter: Lifter,
}

/// A place, and what its block does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) offset: u64,
    /// The same for blocks that do the same, wherever they are.
    pub(super) key: u64,
}

impl<'a> Scan<'a> {
    /// Looks for places where blocks can begin in `image`.
    pub(super) fn new(image: &'a Image, isa: &'a Isa) -> Self {
        let mut starts = Bits::new(image.bytes.len());
        sweep(image, isa, |at| {
            starts.insert(at);
        });
        let source = ImageSource { bytes: &image.bytes, pages: Vec::new(), clock: 0 };
        Self { image, isa, starts, cursor: 0, late: Vec::new(), source, lifter: Lifter::new() }
    }
}

impl Iterator for Scan<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let inside = |image: &Image, at| image.part(at).is_some();
        let offset = loop {
            let at = match self.late.pop() {
                Some(at) => at,
                None => {
                    let at = self.starts.next(self.cursor)?;
                    self.cursor = at + 2;
                    at
                }
            };
            if inside(self.image, at) {
                break at;
            }
        };
        let block = self.lifter.lift(&mut self.source, self.isa, offset, &Limits::default());
        let key = key(block, &self.image.bytes, self.isa);
        let mut found = |at: u64| {
            if self.starts.insert(at) && at < self.cursor {
                self.late.push(at);
            }
        };
        if block.falls_through() {
            found(block.next);
        }
        for node in &block.nodes {
            match node.op {
                Op::Branch { target, .. } | Op::Jump { target } => found(target),
                Op::Call { target, ret, .. } => {
                    found(target);
                    found(ret);
                }
                Op::CallIndirect { ret, .. } => found(ret),
                _ => {}
            }
        }
        Some(Found { offset, key })
    }
}

/// Says all places where a linear sweep finds that a block can begin: at the beginning of code, at
/// functions, at targets of branches and jumps, and behind what ends a block or may leave it.
fn sweep(image: &Image, isa: &Isa, mut found: impl FnMut(u64)) {
    image.functions().for_each(&mut found);
    for part in &image.parts {
        let mut at = part.range.start;
        let mut begins = true;
        while at < part.range.end {
            if begins {
                found(at);
            }
            let Ok(insn) = decode(&image.bytes, at, isa) else {
                // Data, or what is no instruction here: behind it something else may begin.
                begins = true;
                at += 2;
                continue;
            };
            if let Some(target) = target(&insn, at) {
                found(target);
            }
            begins = leaves(&insn);
            at += u64::from(insn.len);
        }
    }
}

/// Offsets of what is called, for who wants to be called: sorted, each once.
pub(super) fn functions(image: &Image, isa: &Isa) -> Vec<u64> {
    let mut all: Vec<u64> = image.functions().collect();
    for part in &image.parts {
        all.push(part.range.start);
        let mut at = part.range.start;
        while at < part.range.end {
            let insn = decode(&image.bytes, at, isa);
            if let Ok(insn) = &insn
                && insn.op.format() == Format::J
                && insn.rd != 0
                && let Some(target) = target(insn, at)
            {
                all.push(target);
            }
            at += insn.map_or(2, |i| u64::from(i.len));
        }
    }
    all.retain(|&at| at & 1 == 0 && image.part(at).is_some());
    all.sort_unstable();
    all.dedup();
    all
}

/// The instruction at `offset`.
pub(super) fn decode(bytes: &[u8], offset: u64, isa: &Isa) -> Result<Insn, ()> {
    let rest = bytes.get(offset as usize..).unwrap_or_default();
    let bits = match (rest.first_chunk::<4>(), rest.first_chunk::<2>()) {
        (Some(word), _) if word[0] & 3 == 3 => u32::from_le_bytes(*word),
        (_, Some(half)) if half[0] & 3 != 3 => u32::from(u16::from_le_bytes(*half)),
        _ => return Err(()),
    };
    interp::decode(bits, isa).map_err(|_| ())
}

/// Where a branch or direct jump goes to.
fn target(insn: &Insn, at: u64) -> Option<u64> {
    matches!(insn.op.format(), Format::B | Format::J).then(|| at.wrapping_add(insn.imm as u64))
}

/// True for what may go on elsewhere than behind itself, or not at all.
fn leaves(insn: &Insn) -> bool {
    matches!(insn.op.format(), Format::B | Format::J | Format::Jalr | Format::FenceI)
        || matches!(insn.op, isa::Op::Ecall | isa::Op::Ebreak)
}

/// A number for what a block does: its instructions without the addresses in them.
fn key(block: &Block, bytes: &[u8], isa: &Isa) -> u64 {
    let mut h = FxHasher::default();
    (block.insns, block.falls_through(), block.nodes.len()).hash(&mut h);
    let within = |target: u64| {
        let mut before = 0;
        block.ranges.iter().find_map(|&(start, len)| {
            let inside = target.wrapping_sub(start) < u64::from(len);
            before += if inside { 0 } else { u64::from(len) };
            inside.then(|| before + (target - start))
        })
    };
    // Registers that hold an address relative to the pc.
    let mut relative = 0u32;
    for &(start, len) in &block.ranges {
        let mut at = start;
        while at < start + u64::from(len) {
            let Ok(i) = decode(bytes, at, isa) else {
                bytes.get(at as usize..(at + 2) as usize).hash(&mut h);
                at += 2;
                continue;
            };
            let imm = match i.op.format() {
                Format::B | Format::J => {
                    let target = at.wrapping_add(i.imm as u64);
                    within(target).map_or(i64::from(target > at) - 2, |n| n as i64)
                }
                Format::U if i.op == isa::Op::Auipc => 0,
                Format::I
                | Format::Load
                | Format::Store
                | Format::FpLoad
                | Format::FpStore
                | Format::Jalr
                    if relative >> i.rs1 & 1 != 0 =>
                {
                    0
                }
                _ => i64::from(i.imm),
            };
            (i.op as u16, [i.rd, i.rs1, i.rs2, i.rs3, i.rm], imm).hash(&mut h);
            if super::super::pool::writes_x(i.op) {
                relative &= !(1 << i.rd);
            }
            if i.op == isa::Op::Auipc {
                relative |= 1 << i.rd & !1;
            }
            at += u64::from(i.len);
        }
    }
    h.finish()
}

/// Pages about which something is kept.
const PAGES: usize = 16;

/// An image as a source of code, page by page, as the runtime reads memory: so blocks end where
/// they do there.
struct ImageSource<'a> {
    bytes: &'a [u8],
    pages: Vec<(u64, PageScan)>,
    clock: usize,
}

impl CodeSource for ImageSource<'_> {
    fn bytes(&mut self, addr: u64) -> Option<&[u8]> {
        self.bytes.get(addr as usize..)
    }

    fn piece(&mut self, addr: u64) -> Option<Piece<'_>> {
        let page = addr / PAGE_SIZE * PAGE_SIZE;
        if addr >= self.bytes.len() as u64 {
            return None;
        }
        let end = (page as usize + PAGE_SIZE as usize + TAIL).min(self.bytes.len());
        let code = self.bytes.get(page as usize..end)?;
        let n = match self.pages.iter().position(|(p, _)| *p == page) {
            Some(n) => n,
            None if self.pages.len() < PAGES => {
                self.pages.push((page, PageScan::default()));
                self.pages.len() - 1
            }
            None => {
                self.clock = (self.clock + 1) % PAGES;
                self.pages[self.clock].0 = page;
                self.pages[self.clock].1.forget();
                self.clock
            }
        };
        let scanned = Some(&mut self.pages[n].1);
        Some(Piece { code, start: (addr - page) as usize, scanned })
    }
}
