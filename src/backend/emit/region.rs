//! Regions: loops of several blocks, with a register map of their own.
//!
//! In a loop, registers that have slots may be used more often than some that have host registers.
//! A region gives the latter's host registers to the former: they are exchanged where the region is
//! entered, and back where it is left. All else is as in blocks: inside, what goes to another block
//! of the region brings everything home first, by the region's map. So does what leaves it, and the
//! contract holds once registers have been exchanged.

use super::{Emitter, Host, Lower};
use crate::backend::{Counted, Homes, LinkSite, RegMap, Symbolic};
use crate::ir::{Block, Node, Op, Region};
use crate::opt::{FloatFacts, Loop};
use crate::util::CodePtr;

/// Instructions that an exchange takes: two where the region is entered, two where it is left.
const PRICE: f32 = 4.0;
/// Uses that it must save besides.
const PROFIT: f32 = 2.0;
/// How probable it is that a branch back within the region is taken.
const BACK: f32 = 0.9;
/// The same for one forward.
const FORWARD: f32 = 0.5;
/// The same for one that leaves it.
const LEAVES: f32 = 0.1;
/// Times that executions are passed on along edges: most have left a region by then.
const ROUNDS: usize = 24;

/// A host register that is another guest register's in the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    host: u8,
    /// Whose it is by the contract.
    contract: u8,
    /// Whose it is in the region.
    inside: u8,
}

/// The exchanges that are worth it in `region`; `None` if there are none.
pub(crate) fn exchanges(region: &Region, map: &RegMap) -> Option<Vec<Exchange>> {
    let uses = uses(region);
    let mut slots: Vec<u8> = (1..32).filter(|&r| map.int(r).is_none()).collect();
    let mut mapped: Vec<(u8, u8)> = map.ints().collect();
    let used = |r: &u8| uses[usize::from(*r)];
    slots.sort_by(|a, b| used(b).total_cmp(&used(a)));
    mapped.sort_by(|a, b| used(&a.0).total_cmp(&used(&b.0)));
    let pairs = slots.into_iter().zip(mapped);
    let worth = pairs.take_while(|(r, (out, _))| used(r) > used(out) + PRICE + PROFIT);
    let all: Vec<_> =
        worth.map(|(inside, (contract, host))| Exchange { host, contract, inside }).collect();
    (!all.is_empty()).then_some(all)
}

/// The map in a region with these exchanges.
pub(crate) fn map_of(exchanges: &[Exchange], map: &RegMap) -> RegMap {
    let mut map = *map;
    exchanges.iter().for_each(|x| map.give(x.inside, x.contract));
    map
}

/// How often each register is used from when the region is entered to when it is left, as far as
/// that can be guessed.
fn uses(region: &Region) -> [f32; 32] {
    let blocks = &region.blocks;
    let place = |pc| blocks.iter().position(|block| block.pc == pc);
    let edges: Vec<Vec<(usize, f32)>> = blocks
        .iter()
        .map(|block| {
            let mut edges = Vec::new();
            let left = shares(region, block, |_, target, share| {
                edges.extend(place(target).map(|to| (to, share)));
            });
            let behind = block.falls_through().then_some(block.next);
            edges.extend(behind.and_then(place).map(|to| (to, left)));
            edges
        })
        .collect();
    let mut executed = vec![0.0; blocks.len()];
    let mut arriving = vec![0.0; blocks.len()];
    arriving[0] = 1.0;
    for _ in 0..ROUNDS {
        let mut next = vec![0.0; blocks.len()];
        for (n, times) in arriving.iter().enumerate() {
            executed[n] += times;
            edges[n].iter().for_each(|(to, share)| next[*to] += times * share);
        }
        arriving = next;
    }
    let mut uses = [0.0; 32];
    for (block, times) in blocks.iter().zip(executed) {
        let mut from = 0;
        let mut count = |nodes: &[Node], share: f32| {
            for set in nodes.iter().flat_map(|node| [node.reads(), node.writes()]) {
                (0..32).filter(|r| set & 1 << r != 0).for_each(|r| uses[r] += times * share);
            }
        };
        let mut here = 1.0;
        let left = shares(region, block, |n, _, share| {
            count(&block.nodes[from..=n], here);
            (from, here) = (n + 1, here - share);
        });
        count(&block.nodes[from..], left);
    }
    uses
}

/// Calls `taken` for each branch of `block` with its number, its target and which share of the
/// block's executions takes it. What share comes to its end.
fn shares(region: &Region, block: &Block, mut taken: impl FnMut(usize, u64, f32)) -> f32 {
    let mut left = 1.0;
    for (n, node) in block.nodes.iter().enumerate() {
        let (target, probable) = match node.op {
            Op::Branch { target, .. } if !region.has(target) => (target, LEAVES),
            Op::Branch { target, .. } if target <= node.pc => (target, BACK),
            Op::Branch { target, .. } => (target, FORWARD),
            Op::Jump { target } => (target, 1.0),
            _ => continue,
        };
        let share = left * probable;
        taken(n, target, share);
        left -= share;
    }
    left
}

/// The region that is being emitted.
pub(crate) struct Inside {
    exchanges: Vec<Exchange>,
    /// Its blocks, and where the code of those is that are being or have been emitted.
    blocks: Vec<(u64, Option<CodePtr>)>,
    /// Where jumps to blocks of it have their words, and which they go to.
    pub(crate) jumps: Vec<(CodePtr, u64)>,
    /// The block whose code follows that of the current one.
    pub(crate) following: Option<u64>,
    /// Where the code of the current block is not contiguous: the address behind a piece of it, and
    /// that of the next, for those that are still to come.
    gaps: Vec<(u64, u64)>,
}

impl Inside {
    /// Where the code of the block at `pc` begins, if that is known.
    fn place(&self, pc: u64) -> Option<CodePtr> {
        self.blocks.iter().find(|block| block.0 == pc)?.1
    }
}

impl<'b, H: Host<'b>> Emitter<'b, '_, H>
where
    Self: Lower<'b, H>,
{
    /// Emits `region` at the buffer's position, with these exchanges, by which its map is made.
    pub(crate) fn region(&mut self, region: &Region, exchanges: Vec<Exchange>) {
        let homes = &mut Homes::new();
        let start = self.a.pos();
        self.a.buf.entries.push((region.pc(), start));
        self.count(Counted::Cold);
        let blocks = region.blocks.iter().map(|block| (block.pc, None)).collect();
        let (jumps, gaps) = (Vec::new(), Vec::new());
        self.inside = Some(Inside { exchanges, blocks, jumps, following: None, gaps });
        self.exchange_for_region();
        for (n, block) in region.blocks.iter().enumerate() {
            let behind = region.blocks[n..].iter();
            let is_head = behind.flat_map(Block::successors).any(|pc| pc == block.pc);
            if is_head {
                self.a.begin_loop();
            }
            self.block_inside(homes, block, region.blocks.get(n + 1));
        }
        self.inside = None;
        self.a.end();
    }

    /// Emits a block of the region, which `following` follows.
    fn block_inside(&mut self, homes: &mut Homes, block: &Block, following: Option<&Block>) {
        let at = self.a.pos();
        if let Some(inside) = &mut self.inside {
            let known = inside.blocks.iter_mut().filter(|known| known.0 == block.pc);
            known.for_each(|known| known.1 = Some(at));
            let waiting = inside.jumps.iter().filter(|jump| jump.1 == block.pc);
            waiting.for_each(|jump| self.a.aim_jump(jump.0, at));
            inside.following = following.map(|block| block.pc);
            let run = |pair: &[(u64, u32)]| (pair[0].0 + u64::from(pair[0].1), pair[1].0);
            inside.gaps = block.ranges.windows(2).map(run).filter(|gap| gap.0 != gap.1).collect();
        }
        (self.sym, self.fp) = (Symbolic::new(), FloatFacts::default());
        self.count(Counted::Guest(block.pc));
        let row = match Loop::of(block) {
            Some(l) if H::UNROLL > 1 && block.loops() => {
                l.unrolled(H::UNROLL, super::loops::MAX_ROW)
            }
            _ => None,
        };
        self.nodes(homes, row.as_ref().unwrap_or(&block.nodes), block.next);
        let last = block.nodes.last().map_or(block.pc, |node| node.pc);
        self.end_part(if block.falls_through() { block.next } else { last + 1 });
    }

    /// Ends what is counted if other code lies between it and `next`, which comes then. Whether it
    /// does.
    #[inline]
    pub(super) fn end_part_at_gap(&mut self, next: u64) -> bool {
        let Some(inside) = &mut self.inside else { return false };
        let Some(&(end, start)) = inside.gaps.first() else { return false };
        let gap = next >= start && self.ctx.counters.is_some();
        if gap {
            inside.gaps.remove(0);
            self.end_part(end);
        }
        gap
    }

    /// Whether a block of the region that is being emitted begins at `pc`.
    pub(crate) fn is_inside(&self, pc: u64) -> bool {
        self.inside.as_ref().is_some_and(|r| r.blocks.iter().any(|block| block.0 == pc))
    }

    /// Goes on at `after` behind the current block. The contract holds, or that of the region.
    pub(super) fn go_on_at(&mut self, after: u64) {
        let follows = self.inside.as_ref().is_some_and(|r| r.following == Some(after));
        if !(H::FALLS_THROUGH && follows) {
            self.jump_to(after);
        }
    }

    /// Emits the four bytes of a jump to the block of the region at `target`. Back-edges lead out
    /// of it once it is not valid any more; each cycle has one, as blocks are in order.
    pub(crate) fn link_inside(&mut self, target: u64) {
        let site = self.a.pos();
        let Some(inside) = &mut self.inside else { return };
        let place = inside.place(target);
        inside.jumps.push((site, target));
        self.a.jump_word(site, place.unwrap_or(site), false);
        if place.is_none() {
            return;
        }
        let stub = if self.a.cold { self.a.pos() } else { self.a.buf.cold_pos() };
        let (call, inner, conditional) = (false, true, None);
        self.a.buf.links.push(LinkSite { site, target, stub, call, inner, conditional });
        if self.a.cold {
            self.leave_for(target);
        } else {
            self.in_cold(|e| e.leave_for(target));
        }
    }

    /// Leaves the region, if one is being emitted, for `target`.
    pub(super) fn leave_for(&mut self, target: u64) {
        self.exchange_for_contract();
        self.a.begin_jump();
        self.link(target, false);
    }

    /// With the contract holding, makes the region's hold, if one is being emitted.
    pub(super) fn exchange_for_region(&mut self) {
        let exchanges = self.inside.as_ref().map_or(&[][..], |inside| &inside.exchanges);
        for x in exchanges {
            self.a.store_slot(x.contract, x.host);
            self.a.load_slot(x.host, x.inside);
        }
    }

    /// The other way.
    pub(super) fn exchange_for_contract(&mut self) {
        let exchanges = self.inside.as_ref().map_or(&[][..], |inside| &inside.exchanges);
        for x in exchanges {
            self.a.store_slot(x.inside, x.host);
            self.a.load_slot(x.host, x.contract);
        }
    }
}
