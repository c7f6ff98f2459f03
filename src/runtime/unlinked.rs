//! Blocks that are not connected with others, and what the interpreter needs to execute what they
//! do (`EngineKind::Verify`).

use crate::interp::{Path, Taken};
use crate::ir::{Block, Node, Op, Region};
use crate::isa::{self, Format, Insn, Isa, csr};
use crate::lift::CodeSource;
use crate::mem::Overlay;
use crate::util::CodePtr;
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicU32, Ordering};

/// Times that a block with a loop is left at its first poll, before it may run to its end: most of
/// what would make it run for ever is found out there.
const FIRST_TIMES: u32 = 4;
/// Times that a block runs in pieces after it was found not to end soon.
const PIECES: u32 = 64;
/// The most of them.
const MOST_PIECES: u32 = 1 << 20;

/// A block that is not connected.
pub(super) struct UnlinkedBlock {
    pub(super) code: CodePtr,
    /// Instructions of the block.
    pub(super) path: Path<Overlay>,
    /// Most instructions of the guest between two polls.
    pub(super) between_polls: u64,
    /// The first instruction on the path that reads a counter.
    pub(super) counter: Option<u32>,
    /// The first that may go back to where the block was entered or can be entered, so that it may
    /// run for ever.
    pub(super) back: Option<u32>,
    /// A store-conditional is among its instructions, which fails if others write in between.
    pub(super) conditional: bool,
    /// Times left that it is left at its first poll.
    polled: AtomicU32,
    /// Times left that it runs in pieces, and times that it will the next time.
    pieces: AtomicU32,
    next_pieces: AtomicU32,
    /// Times in a row that what it did may have been due to others.
    pub(super) races: AtomicU32,
}

impl UnlinkedBlock {
    /// The block that was translated to `code`, from `source`.
    pub(super) fn new(
        block: &Block,
        source: &mut impl CodeSource,
        isa: &Isa,
        (code, unroll): (CodePtr, u32),
    ) -> Self {
        let insns = instructions(block, source, isa);
        let mut entries: Vec<u64> = std::iter::once(block.pc)
            .chain(block.nodes.iter().filter_map(return_address))
            .collect();
        entries.sort_unstable();
        entries.dedup();
        let leaving: FxHashMap<u64, Option<u64>> =
            block.nodes.iter().filter(|n| leaves(n)).map(|n| (n.pc, target(n))).collect();
        let taken = |pc| if leaving.contains_key(&pc) { Taken::Entry } else { Taken::Inside };
        let goes_back = |pc: &u64| {
            let to = leaving.get(pc).copied().flatten();
            to.is_some_and(|to| to <= *pc && entries.binary_search(&to).is_ok())
        };
        let find = |f: &dyn Fn(&(u64, Insn)) -> bool| insns.iter().position(f).map(|n| n as u32);
        let back = find(&|(pc, _)| goes_back(pc));
        let counter = find(&|(_, insn)| csr::reads_counter(insn));
        let conditional =
            insns.iter().any(|(_, insn)| matches!(insn.op, isa::Op::ScW | isa::Op::ScD));
        let between_polls = u64::from(unroll) * insns.len() as u64;
        let steps: Vec<_> = insns.iter().map(|&(pc, insn)| (pc, insn, taken(pc))).collect();
        Self {
            code,
            path: Path::new(steps, entries, isa),
            between_polls,
            counter,
            back,
            conditional,
            polled: AtomicU32::new(if back.is_some() { FIRST_TIMES } else { 0 }),
            pieces: AtomicU32::new(0),
            next_pieces: AtomicU32::new(PIECES),
            races: AtomicU32::new(0),
        }
    }

    /// The region that was translated to `code`, from `source`.
    pub(super) fn of_region(
        region: &Region,
        source: &mut impl CodeSource,
        isa: &Isa,
        (code, unroll): (CodePtr, u32),
    ) -> Self {
        let mut pieces = Vec::with_capacity(region.blocks.len());
        for block in &region.blocks {
            let mut insns = instructions(block, source, isa);
            let last = block.nodes.last().map_or(block.pc, |node| node.pc);
            if let Some(at) = insns.iter().position(|insn| insn.0 == last) {
                let next = insns[at..].iter().position(|insn| insn.0 == block.next);
                insns.truncate(match next {
                    Some(n) if block.falls_through() => at + n,
                    None if block.falls_through() => insns.len(),
                    _ => at + 1,
                });
            }
            let leaves = |pc| block.nodes.iter().any(|node| node.pc == pc && leaves(node));
            let taken = |pc| if leaves(pc) { Taken::Entry } else { Taken::Inside };
            pieces.push(insns.iter().map(|&(pc, insn)| (pc, insn, taken(pc))).collect::<Vec<_>>());
        }
        let all: usize = pieces.iter().map(Vec::len).sum();
        // What does not end soon is executed block by block.
        let first = pieces.first().map(|piece| piece.len() as u32);
        Self {
            code,
            path: Path::of_pieces(pieces, isa),
            between_polls: u64::from(unroll) * all as u64,
            counter: None,
            back: first,
            conditional: false,
            polled: AtomicU32::new(FIRST_TIMES),
            pieces: AtomicU32::new(0),
            next_pieces: AtomicU32::new(PIECES),
            races: AtomicU32::new(0),
        }
    }

    /// Whether this execution is left at the first poll.
    pub(super) fn is_polled(&self) -> bool {
        count_down(&self.polled)
    }

    /// Whether this execution is one in pieces.
    pub(super) fn in_pieces(&self) -> bool {
        count_down(&self.pieces)
    }

    /// Says that the block has not ended soon.
    pub(super) fn is_long(&self) {
        let times = self.next_pieces.load(Ordering::Relaxed);
        self.pieces.store(times, Ordering::Relaxed);
        self.next_pieces.store((2 * times).min(MOST_PIECES), Ordering::Relaxed);
    }
}

/// Takes one off, if there is one.
fn count_down(n: &AtomicU32) -> bool {
    let left = n.load(Ordering::Relaxed);
    if left != 0 {
        n.store(left - 1, Ordering::Relaxed);
    }
    left != 0
}

/// All instructions of a block in order, with their addresses.
fn instructions(block: &Block, source: &mut impl CodeSource, isa: &Isa) -> Vec<(u64, Insn)> {
    let mut half =
        |at| -> Option<u16> { Some(u16::from_le_bytes(*source.bytes(at)?.first_chunk()?)) };
    let mut insns = Vec::new();
    for &(start, len) in &block.ranges {
        let mut pc = start;
        while pc < start + u64::from(len) {
            let Some(low) = half(pc) else { return insns };
            let wide = low & 3 == 3;
            let Some(high) = (if wide { half(pc + 2) } else { Some(0) }) else { return insns };
            let bits = u32::from(high) << 16 | u32::from(low);
            let Some(insn) = isa::decode(bits, isa) else { return insns };
            if matches!(insn.op.format(), Format::Csr | Format::CsrImm)
                && !isa::csr::legal(&insn, isa)
            {
                return insns;
            }
            insns.push((pc, insn));
            pc += u64::from(insn.len);
        }
    }
    insns
}

/// True for an operation that may go elsewhere than to the next.
fn leaves(node: &Node) -> bool {
    matches!(
        node.op,
        Op::Branch { .. }
            | Op::Jump { .. }
            | Op::Call { .. }
            | Op::CallIndirect { .. }
            | Op::JumpIndirect { .. }
    )
}

/// Successor of the block, if there is just one.
fn target(node: &Node) -> Option<u64> {
    match node.op {
        Op::Branch { target, .. } | Op::Jump { target } | Op::Call { target, .. } => Some(target),
        _ => None,
    }
}

/// Return address of a call.
fn return_address(node: &Node) -> Option<u64> {
    match node.op {
        Op::Call { ret, .. } | Op::CallIndirect { ret, .. } => Some(ret),
        _ => None,
    }
}
