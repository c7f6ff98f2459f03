//! Which blocks make a region: a loop that is translated as a whole.
//!
//! A loop head that a backward branch or jump not far ahead goes to begins one. Blocks are those
//! that would be made anyway ([`super::scan`]), ended behind their last branch within the loop;
//! what is at addresses between the head and the last instruction that goes back to it is in the
//! loop, if it leads back to the head. Where there are calls, atomics or instructions for the
//! interpreter, the region is left, as what is translated of these relies on the contract; so it is
//! at loops of one block with floating point in them, whose code relies on more.

use super::loop_headers::{LoopHeaders, PageScan};
use super::{CodeSource, Limits, scan};
use crate::ir::{Block, Builder, Fmt, Op, Region};
use crate::isa::Isa;
use crate::opt;
use std::ops::RangeInclusive;

/// Most blocks of a region.
const MAX_BLOCKS: usize = 80;
/// Most operations, those counted twice that are in two blocks.
const MAX_NODES: usize = 1024;

/// The region that begins at `pc`; see [`super::Lifter::region`].
pub(super) fn form<S: CodeSource + ?Sized>(
    (builder, scanned): (&mut Builder, &mut PageScan),
    (source, isa): (&mut S, &Isa),
    (pc, latch): (u64, Option<u64>),
    limits: &Limits,
) -> Option<Region> {
    let near = last_nearby(source, scanned, pc, limits.max_insns);
    let inside = pc..=near.max(latch)?;
    let apart = latch > near;
    let limits = Limits { max_exits: if apart { 1 } else { limits.max_exits }, ..*limits };
    let mut lift = |at| {
        scan::scan((&mut *builder, &mut *scanned), source, isa, at, &limits);
        opt::merge_bytes(builder);
        part_of(builder.block().clone(), &inside)
    };
    let mut blocks = vec![lift(pc)?];
    complete(&mut blocks, &inside, apart, &mut lift)?;
    keep_what_goes_back(&mut blocks, pc);
    blocks.sort_by_key(|block| block.pc);
    (blocks.first()?.pc == pc).then_some(Region { blocks })
}

/// Address of the last instruction that goes back to `pc`, as near as a look ahead finds it.
fn last_nearby<S: CodeSource + ?Sized>(
    source: &mut S,
    scanned: &mut PageScan,
    pc: u64,
    insns: u32,
) -> Option<u64> {
    let piece = source.piece(pc)?;
    let last = match piece.scanned {
        Some(kept) => LoopHeaders::last_to_start(kept, piece.code, piece.start, insns),
        None => {
            scanned.forget();
            LoopHeaders::last_to_start(scanned, piece.rest(), 0, insns)
        }
    };
    Some(pc + last? as u64)
}

/// Adds the blocks of the loop at addresses `inside` that those in `blocks` lead to; `apart` if no
/// two are to have code in common. `None` if they are too many.
fn complete(
    blocks: &mut Vec<Block>,
    inside: &RangeInclusive<u64>,
    apart: bool,
    lift: &mut dyn FnMut(u64) -> Option<Block>,
) -> Option<()> {
    let mut outside: Vec<u64> = Vec::new();
    let mut n = 0;
    while n < blocks.len() {
        let successors: Vec<u64> = blocks[n].successors().collect();
        n += 1;
        for pc in successors {
            let known = outside.contains(&pc) || blocks.iter().any(|block| block.pc == pc);
            if known || !inside.contains(&pc) {
                continue;
            }
            match lift(pc) {
                Some(mut block) => {
                    if apart {
                        blocks.iter_mut().for_each(|other| end_before(other, pc));
                        blocks.iter().for_each(|other| end_before(&mut block, other.pc));
                    }
                    blocks.push(block);
                }
                None => outside.push(pc),
            }
            let nodes: usize = blocks.iter().map(|block| block.nodes.len()).sum();
            if blocks.len() > MAX_BLOCKS || nodes > MAX_NODES {
                return None;
            }
        }
    }
    Some(())
}

/// Ends `block` before the instruction at `pc`, if that is in it and not its first.
fn end_before(block: &mut Block, pc: u64) {
    let at = block.nodes.iter().position(|node| node.pc == pc);
    if let Some(end) = at.and_then(|at| at.checked_sub(1))
        && may_end_behind(block, end)
    {
        block.end_behind(end);
    }
}

/// Whether no word is loaded up to node `n` that something is made of behind it, where the block
/// could be left.
fn may_end_behind(block: &Block, n: usize) -> bool {
    let mut rest = block.nodes[n + 1..].iter().map(|node| node.op);
    let word = rest.find(|op| matches!(op, Op::LoadWord { .. } | Op::Bytes { .. }));
    !matches!(word, Some(Op::Bytes { .. }))
}

/// What of `block` is in a loop at addresses `inside`, up to the first operation of a wrong kind.
/// `None` if none of its branches goes there.
fn part_of(mut block: Block, inside: &RangeInclusive<u64>) -> Option<Block> {
    let fit = block.nodes.iter().position(|node| !is_fit(&node.op));
    if let Some(unfit) = fit {
        let pc = block.nodes[unfit].pc;
        let end = block.nodes[..unfit].iter().rposition(|node| node.pc != pc)?;
        if !may_end_behind(&block, end) {
            return None;
        }
        block.end_behind(end);
    }
    let pc = block.pc;
    let goes = |op: &Op, own: bool| match op {
        Op::Branch { target, .. } | Op::Jump { target } if own => *target == pc,
        Op::Branch { target, .. } | Op::Jump { target } => inside.contains(target),
        _ => false,
    };
    let last = |own| block.nodes.iter().rposition(|node| goes(&node.op, own));
    // What is behind a loop of one block is a block of its own.
    let end = last(true).or_else(|| {
        let all = block.falls_through() && inside.contains(&block.next);
        if all { block.nodes.len().checked_sub(1) } else { last(false) }
    });
    block.end_behind(end?);
    // In such a loop more holds than the contract, or iterations are executed in groups.
    let floats = block.loops() && block.nodes.iter().any(|node| is_float(&node.op));
    (!floats).then_some(block)
}

/// Whether an operation may be in a region.
const fn is_fit(op: &Op) -> bool {
    is_float(op)
        || matches!(
            op,
            Op::Const { .. }
                | Op::Bin { .. }
                | Op::Un { .. }
                | Op::Load { .. }
                | Op::LoadWord { .. }
                | Op::Bytes { .. }
                | Op::Store { .. }
                | Op::Fence(_)
                | Op::Select { .. }
                | Op::Branch { .. }
                | Op::Jump { .. }
        )
}

/// The same of those with floating-point registers. What has to do with flags or the rounding mode
/// itself is not among them, nor what the interpreter executes.
const fn is_float(op: &Op) -> bool {
    match op {
        Op::FLoad { fmt, .. } | Op::FStore { fmt, .. } => !matches!(fmt, Fmt::H),
        Op::FBin { .. }
        | Op::FUn { .. }
        | Op::FMulAdd { .. }
        | Op::FCmp { .. }
        | Op::FClass { .. }
        | Op::FToInt { .. }
        | Op::FFromInt { .. }
        | Op::FConvert { .. }
        | Op::FMoveToInt { .. }
        | Op::FMoveFromInt { .. }
        | Op::FConst { .. }
        | Op::FSelect { .. } => true,
        _ => false,
    }
}

/// Forgets the blocks from which the one at `pc` cannot be reached.
fn keep_what_goes_back(blocks: &mut Vec<Block>, pc: u64) {
    let mut back = vec![pc];
    let mut seen = 0;
    let mut goes_back = vec![false; blocks.len()];
    while let Some(&target) = back.get(seen) {
        seen += 1;
        for (block, goes) in blocks.iter().zip(&mut goes_back) {
            if !*goes && block.successors().any(|to| to == target) {
                *goes = true;
                back.push(block.pc);
            }
        }
    }
    let mut goes_back = goes_back.into_iter();
    blocks.retain(|_| goes_back.next().unwrap_or(false));
}

#[cfg(test)]
mod tests {
    use super::super::{Code, Lifter};
    use super::*;
    use crate::isa::{Insn, Op as Guest, encode};

    const START: u64 = 0x1000;

    fn insn(op: Guest, rd: u8, rs1: u8, rs2: u8, imm: i32) -> u32 {
        encode(&Insn { op, rd, rs1, rs2, rs3: 0, rm: 0, len: 4, imm, bits: 0 })
    }

    fn add(rd: u8) -> u32 {
        insn(Guest::Addi, rd, rd, 0, 1)
    }

    /// `bne t0, t1` over so many instructions.
    fn branch(insns: i32) -> u32 {
        insn(Guest::Bne, 0, 5, 6, 4 * insns)
    }

    fn region(words: &[u32], latch: Option<u64>) -> Option<Region> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut code = Code { start: START, bytes: &bytes };
        Lifter::new().region((&mut code, &Isa::MAX), START, latch, &Limits::default())
    }

    /// Addresses of the blocks, in instructions from the start, and where each goes on.
    fn shape(region: &Region) -> Vec<(u64, Vec<u64>)> {
        let place = |pc: u64| pc.wrapping_sub(START) / 4;
        let blocks = region.blocks.iter();
        blocks.map(|block| (place(block.pc), block.successors().map(place).collect())).collect()
    }

    #[test]
    fn a_loop_with_a_loop_and_a_way_round_is_one_region() {
        let code = [
            add(10),
            branch(5), // to the end of the outer loop
            add(11),
            add(11), // the inner loop
            branch(-1),
            branch(9), // out of both
            add(12),   // the end
            branch(-7),
            add(13),
        ];
        let found = region(&code, None).expect("a region");
        let expected = [(0, vec![6, 3]), (3, vec![3, 5]), (5, vec![14, 0, 8]), (6, vec![0, 8])];
        assert_eq!(shape(&found), expected);
        let listing = found.listing();
        assert_eq!((listing.pc, listing.ranges), (START, vec![(START, 36)]));
    }

    #[test]
    fn what_is_left_to_blocks_ends_a_region() {
        // A call on one of two ways back.
        let call = insn(Guest::Jal, 1, 0, 0, 0x400);
        let code = [add(10), branch(3), call, branch(-3), add(11), branch(-5), add(12)];
        let found = region(&code, None).expect("a region");
        assert_eq!(shape(&found), [(0, vec![4, 2]), (4, vec![0, 6])]);
        assert!(region(&[add(10), call, branch(-2)], None).is_none());
        assert!(region(&[add(10), add(10)], None).is_none());
        // A loop of one block whose code relies on more than the contract.
        let float = insn(Guest::FaddD, 1, 2, 3, 0);
        assert!(region(&[float, branch(-1), add(1)], None).is_none());
    }

    #[test]
    fn large_loops_are_of_blocks_with_nothing_in_common() {
        // Ways round everywhere: each begins a block, which would go on to the end.
        let ways = |n: usize| [branch(4), add(10), add(11), add(12)].repeat(n);
        let code = [&[add(10)][..], &ways(18), &[branch(-73), add(13)]].concat();
        let last = 73;
        assert!(region(&code, None).is_none(), "it ends too far from its head");
        let found = region(&code, Some(START + 4 * last)).expect("a region");
        let mut nodes: Vec<u64> =
            found.blocks.iter().flat_map(|block| block.nodes.iter().map(|n| n.pc)).collect();
        let all = nodes.len();
        nodes.dedup();
        assert_eq!((nodes.len(), all as u64), (all, last + 1));
        let huge = [&[add(10)][..], &ways(160), &[branch(-641)]].concat();
        assert!(region(&huge, Some(START + 4 * 641)).is_none());
    }
}
