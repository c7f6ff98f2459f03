//! Marks of translated code: which parts of blocks have been executed (`Options::mark`).
//!
//! A block that is new marks its parts as they are executed, and has each branch of the guest, so
//! that what was executed follows from its marks. That costs a store for each part. So, from time
//! to time, blocks that are executed again and again are forgotten, and translated without marks,
//! as far as their code is known to be executed.

use super::counts::BlockCounts;
use crate::backend::{CountPoint, Counted};
use crate::ir::{Block, Op};
use crate::mem::Memory;
use crate::util::{PAGE_SIZE, page_down};
use rustc_hash::{FxHashMap, FxHashSet};
use std::ops::Range;

/// Number of intervals in which a block was executed, from which on it is worth another
/// translation.
const OFTEN: u8 = 3;

/// A bit for each halfword of a page.
type PageBits = [u64; PAGE_SIZE as usize / 128];

/// Parts of a block, each with its mark, as ranges of addresses.
pub(super) type Parts = Vec<(usize, Range<u64>)>;

/// A block with marks.
struct MarkedBlock {
    pc: u64,
    counts: BlockCounts,
    parts: Box<[(usize, Range<u64>)]>,
    /// Number of intervals in which it was executed.
    seen: u8,
}

/// The blocks of a machine that have marks, and the code that is known to be executed.
#[derive(Default)]
pub(super) struct Marks {
    blocks: Vec<MarkedBlock>,
    executed: FxHashMap<u64, Box<PageBits>>,
}

impl Marks {
    /// Takes the parts of a block.
    pub(super) fn add(&mut self, pc: u64, counts: &BlockCounts, parts: &[(usize, Range<u64>)]) {
        self.blocks.push(MarkedBlock { pc, counts: counts.clone(), parts: parts.into(), seen: 0 });
    }

    /// Ends an interval. Returns the addresses of blocks that are executed often.
    pub(super) fn look(&mut self) -> FxHashSet<u64> {
        let mut often = FxHashSet::default();
        let executed = &mut self.executed;
        self.blocks.retain_mut(|block| {
            let mut any = false;
            for (mark, range) in &block.parts {
                if block.counts.take_mark(*mark) {
                    any = true;
                    set(executed, range);
                }
            }
            block.seen += u8::from(any);
            let renewed = block.seen == OFTEN;
            if renewed {
                often.insert(block.pc);
            }
            !renewed
        });
        often
    }

    /// Whether the instruction at `pc` is known to be executed.
    pub(super) fn knows(&self, pc: u64) -> bool {
        let bit = (pc % PAGE_SIZE / 2) as usize;
        self.executed.get(&page_down(pc)).is_some_and(|bits| bits[bit / 64] >> (bit % 64) & 1 != 0)
    }

    /// The number of instructions at a block's beginning that are known to be executed; `None` if
    /// all are.
    pub(super) fn known(&self, block: &Block, memory: &Memory) -> Option<u32> {
        let mut insns = 0;
        for &(start, len) in &block.ranges {
            let mut pc = start;
            while pc < start + u64::from(len) {
                if !self.knows(pc) {
                    return Some(insns);
                }
                pc += length(memory, pc);
                insns += 1;
            }
        }
        None
    }

    /// Forgets what is known of code that is not there any more.
    pub(super) fn forget(&mut self, range: &Range<u64>) {
        self.executed.retain(|page, _| page + PAGE_SIZE <= range.start || *page >= range.end);
    }
}

fn set(executed: &mut FxHashMap<u64, Box<PageBits>>, range: &Range<u64>) {
    for pc in range.clone().step_by(2) {
        let bits = executed
            .entry(page_down(pc))
            .or_insert_with(|| Box::new([0; PAGE_SIZE as usize / 128]));
        let bit = (pc % PAGE_SIZE / 2) as usize;
        bits[bit / 64] |= 1 << (bit % 64);
    }
}

/// Bytes of the instruction at `pc`.
fn length(memory: &Memory, pc: u64) -> u64 {
    let mut low = [0];
    let four = memory.read_bytes(pc, &mut low).is_ok() && low[0] & 3 == 3;
    if four { 4 } else { 2 }
}

/// The parts of a block, each with its mark, as ranges of addresses.
pub(super) fn parts(block: &Block, points: &[CountPoint], memory: &Memory) -> Parts {
    let begins = |point: &CountPoint| match point.counted {
        Counted::Guest(pc) => begin(block, memory, pc),
        _ => None,
    };
    let begins: Vec<_> = points.iter().map(begins).collect();
    let all = block.ranges.iter().map(|(_, len)| u64::from(*len)).sum();
    let mut out = Vec::new();
    for (n, point) in points.iter().enumerate() {
        match point.counted {
            Counted::Guest(_) => {
                let Some(first) = begins[n] else { continue };
                // Code is emitted more than once for a loop, in which case it begins again.
                let next = begins[n + 1..].iter().flatten().next().copied();
                let next = next.filter(|&at| at >= first);
                let end = next.unwrap_or(all);
                out.extend(ranges(block, first..end).map(|range| (n, range)));
            }
            Counted::Group { from, to, .. } => out.push((n, from..to)),
            Counted::Skipped(_) | Counted::Cold | Counted::Return => {}
        }
    }
    out
}

/// Where the part of a block begins whose first operation is at `pc`, in bytes of its code: behind
/// the instruction by which the part before can be left. Not all instructions have operations.
fn begin(block: &Block, memory: &Memory, pc: u64) -> Option<u64> {
    if pc == block.pc {
        return Some(0);
    }
    let Some(first) = block.nodes.iter().position(|node| node.pc == pc) else {
        // What follows the block.
        return offset(block, pc);
    };
    match block.nodes[..first].iter().rev().find(|node| node.op.is_branch_or_call()) {
        Some(left) => {
            let len = match left.op {
                // Two instructions may make one call.
                Op::Call { ret, .. } | Op::CallIndirect { ret, .. } => ret.wrapping_sub(left.pc),
                _ => length(memory, left.pc),
            };
            Some(offset(block, left.pc)? + len)
        }
        // Behind a loop, of which no iteration is left.
        None => offset(block, pc),
    }
}

/// Where the instruction at `pc` is among the bytes of a block's code.
fn offset(block: &Block, pc: u64) -> Option<u64> {
    let mut before = 0;
    for &(start, len) in &block.ranges {
        if (start..start + u64::from(len)).contains(&pc) {
            return Some(before + (pc - start));
        }
        before += u64::from(len);
    }
    None
}

/// The addresses of some bytes of a block's code.
fn ranges(block: &Block, bytes: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let mut before = 0;
    block.ranges.iter().filter_map(move |&(start, len)| {
        let (from, to) = (before, before + u64::from(len));
        before = to;
        let (first, end) = (bytes.start.max(from), bytes.end.min(to));
        (first < end).then(|| start + (first - from)..start + (end - from))
    })
}
