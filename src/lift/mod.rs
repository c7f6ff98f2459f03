//! From guest instructions to IR blocks.
//!
//! Reading order: `scan` (which instructions make a block, and why), `loop_headers` (where loops
//! begin), `region` (loops that are translated as a whole), `rule` (what an instruction becomes),
//! one table of rules per extension (`rv_i`, `rv_m`, `rv_a`, `rv_f`, `rv_zb`, `rv_v`, `csr`,
//! `zic`), `select` (branches over a few instructions), `search` (a loop of libgcc that becomes a
//! few operations). Operations go through `opt` as they are added.
//!
//! The tables together have exactly one rule for each instruction of `isa`; an instruction without
//! one, or with two, fails the build.

mod csr;
mod idioms;
mod loop_headers;
mod region;
mod rule;
mod rv_a;
mod rv_f;
mod rv_i;
mod rv_m;
mod rv_v;
mod rv_zb;
mod scan;
mod short_branch;
mod zic;

pub use csr::names_flags;
pub use loop_headers::{PageScan, TAIL};
pub use rule::is_helper;

use crate::ir::{Block, Builder, Region, VConfig};
use crate::isa::Isa;
use crate::opt;

/// Where instructions are read from.
pub trait CodeSource {
    /// The bytes at `addr` and after it, as many as can be fetched in one piece (a page or so);
    /// `None`, or fewer than two bytes, if `addr` cannot be fetched.
    ///
    /// The bytes must not change while the slice lives: hand out a copy of memory that others may
    /// write to.
    fn bytes(&mut self, addr: u64) -> Option<&[u8]>;

    /// The same, from who keeps what is found out about code.
    fn piece(&mut self, addr: u64) -> Option<Piece<'_>> {
        self.bytes(addr).map(|code| Piece { code, start: 0, scanned: None })
    }
}

/// A piece of code.
pub struct Piece<'a> {
    /// Code: with `scanned`, a page and perhaps the first [`TAIL`] bytes of the next.
    pub code: &'a [u8],
    /// Where in it the piece begins.
    pub start: usize,
    /// What is kept about `code`, which is as aligned as instructions are.
    pub scanned: Option<&'a mut PageScan>,
}

impl<'a> Piece<'a> {
    /// The piece itself.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.code.get(self.start..).unwrap_or_default()
    }
}

/// Code in one contiguous piece.
#[derive(Clone, Copy, Debug)]
pub struct Code<'a> {
    /// Guest address of the first byte.
    pub start: u64,
    /// The code.
    pub bytes: &'a [u8],
}

impl CodeSource for Code<'_> {
    fn bytes(&mut self, addr: u64) -> Option<&[u8]> {
        let offset = usize::try_from(addr.checked_sub(self.start)?).ok()?;
        self.bytes.get(offset..)
    }
}

/// How large a block may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Guest instructions; taken as at least 1 and at most 1024, so that a block's contiguous code
    /// crosses at most one page boundary.
    pub max_insns: u32,
    /// Places where the block can be left or resumed other than at its end: branches, calls,
    /// helpers. The block ends after the last one; taken as at least 1.
    pub max_exits: u32,
    /// Unconditional jumps that are followed.
    pub max_jumps: u32,
    /// Each branch of the guest is one of the block: none is if-converted, and no loop becomes one
    /// operation. So what is executed of a block follows from where it is left.
    pub each_branch: bool,
    /// What `vtype` and `vl` are taken to be where the block begins.
    pub vectors: Option<VConfig>,
}

impl Default for Limits {
    /// What is measured to be best: with four times as many exits a quarter more is translated, of
    /// which hardly any is executed.
    fn default() -> Self {
        Self { max_insns: 64, max_exits: 4, max_jumps: 4, each_branch: false, vectors: None }
    }
}

/// Lifts blocks, reusing the memory of the last one.
#[derive(Default)]
pub struct Lifter {
    builder: Builder,
    /// For code about which its source keeps nothing.
    scanned: PageScan,
}

impl Lifter {
    /// A lifter without buffers; they come with the first block.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lifts the block that starts at `pc`. Where it ends: see the policy at
    /// the top of `scan`.
    ///
    /// If `pc` cannot be fetched, or what is there is not an instruction of `isa`, the block is
    /// one [`crate::ir::ExitKind::Fetch`]. If it could not be fetched, the block has no `ranges`:
    /// it depends on no code and must not be kept.
    pub fn lift<S: CodeSource + ?Sized>(
        &mut self,
        source: &mut S,
        isa: &Isa,
        pc: u64,
        limits: &Limits,
    ) -> &Block {
        scan::scan((&mut self.builder, &mut self.scanned), source, isa, pc, limits);
        opt::merge_bytes(&mut self.builder);
        self.builder.block()
    }

    /// Lifts the loop that begins at `pc`, if there is one that can be translated as a whole. The
    /// last instruction that goes back there is at `latch`, or else looked for nearby. `limits` are
    /// those of its blocks.
    pub fn region<S: CodeSource + ?Sized>(
        &mut self,
        (source, isa): (&mut S, &Isa),
        pc: u64,
        latch: Option<u64>,
        limits: &Limits,
    ) -> Option<Region> {
        region::form((&mut self.builder, &mut self.scanned), (source, isa), (pc, latch), limits)
    }
}

#[cfg(test)]
mod tests;
