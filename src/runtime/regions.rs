//! When loops are translated as a whole ([`crate::ir::Region`]).
//!
//! A loop whose end is near its beginning is tried when its beginning is translated. Others are
//! when the block is translated that goes back: the region then takes the place of the block that
//! the loop was entered by, which nothing leads to any more.

use super::cache::{CodeCache, HEADROOM, Inner};
use super::counts::BlockCounts;
use super::host::Host;
use super::observe::Observer;
use super::options::Options;
use super::source::GuestCode;
use super::stats::{Counters, add_alone};
use super::units::BlockKey;
use super::unlinked::UnlinkedBlock;
use crate::backend::{Backend, EmitContext};
use crate::ir::{Block, Op, Region};
use crate::util::CodePtr;
use std::sync::Arc;

/// Bytes that the code of a loop may take.
const MOST_BYTES: u64 = 1024;

/// The instructions of `block` that go back, other than to its beginning, where that is not far:
/// where they go, and where they are.
pub(super) fn back_edges(block: &Block) -> Vec<(u64, u64)> {
    let back = |target: u64, pc: u64| {
        let far = pc.wrapping_sub(target);
        (target != block.pc && far < MOST_BYTES).then_some((target, pc))
    };
    let edges = block.nodes.iter().filter_map(|node| match node.op {
        Op::Branch { target, .. } | Op::Jump { target } => back(target, node.pc),
        _ => None,
    });
    edges.collect()
}

impl CodeCache {
    /// Whether loops are translated as a whole. What is kept in files is blocks, and so is what
    /// tells of each of its parts, or pays for it.
    pub(super) fn makes_regions(&self, key: BlockKey, options: &Options) -> bool {
        let blocks =
            options.meter || options.mark || options.edges.is_some() || self.kept.is_some();
        !blocks && key == BlockKey::new(key.pc)
    }

    /// Translates the loop that begins at the address, if it is one and that is worth it.
    pub(super) fn region(
        &self,
        inner: &mut Inner,
        (pc, code): (u64, GuestCode<'_>),
        options: &Options,
        counters: &Counters,
        observer: &mut Option<Box<dyn Observer>>,
    ) -> Option<CodePtr> {
        let limits = BlockKey::new(pc).limits();
        let latch = inner.latches.get(&pc).copied();
        let mut source = inner.source.over(code);
        let mapped = Host::MAP.ints().fold(0, |set, (r, _)| set | 1 << r);
        let from = (&mut source, &options.isa);
        let region = inner.lifter.region(from, pc, latch, (&limits, mapped))?;
        inner.buf.relocatable = false;
        inner.buf.start(pc, [inner.hot, inner.cold], inner.links.len() as u32);
        let counts = options.count.then(|| self.counts.next());
        let context = EmitContext {
            mode: options.mode,
            stubs: self.stubs,
            exact_flags: self.exact_flags,
            lookup: &|pc| self.table.get(pc),
            conditional_links: !inner.shared,
            peek: &|addr| code.memory.read_u64(addr).ok(),
            handler_room: options.foreign_handlers,
            meter: None,
            serves: options.serve_calls,
            counters: counts.as_ref().map(BlockCounts::address),
            edges: None,
            marks: false,
        };
        let map = inner.backend.emit_region(&region, &mut inner.buf, &context)?;
        // It has only been made sure that there is room for a block.
        if inner.buf.hot.len().max(inner.buf.cold.len()) > HEADROOM as usize {
            return None;
        }
        if counts.is_some() {
            self.counts.take(inner.buf.points.len());
        }
        self.make_ready((&mut inner.ready, &mut inner.ready_last), pc);
        let listing = region.listing();
        if let Some(observer) = observer {
            let shown = self.shown(&inner.buf, (&listing, code.memory), &[], counts.as_ref());
            observer.translated(&shown);
        }
        add_alone(&counters.regions, 1);
        note(counters, &region, &listing);
        let id = inner.units.push(
            (pc, &map),
            listing.ranges.iter().copied(),
            inner.links.len(),
            &inner.buf,
        );
        if self.unlinked {
            let place = (CodePtr(inner.buf.hot_base), Host::UNROLL);
            let mut source = inner.source.over(code);
            let path = UnlinkedBlock::of_region(&region, &mut source, &options.isa, place);
            inner.unlinked.insert(BlockKey::new(pc), Arc::new(path));
        }
        Some(self.publish(inner, (pc, id), true, counters))
    }

    /// Looks at loops that instructions just translated are known to go back to the beginning of.
    pub(super) fn promote(
        &self,
        inner: &mut Inner,
        (back_edges, code): (&[(u64, u64)], GuestCode<'_>),
        options: &Options,
        counters: &Counters,
        observer: &mut Option<Box<dyn Observer>>,
    ) {
        for &(head, at) in back_edges {
            let latch = inner.latches.entry(head).or_insert(0);
            if *latch >= at {
                continue;
            }
            *latch = at;
            // What is not translated yet will be a region from the start.
            let key = BlockKey::new(head);
            let known = self.table.get(head).is_some() || inner.unlinked.contains_key(&key);
            if known && self.has_room(inner) {
                self.region(inner, (head, code), options, counters, observer);
            }
        }
    }
}

/// Adds the region to what has been translated.
fn note(counters: &Counters, region: &Region, listing: &Block) {
    add_alone(&counters.blocks, region.blocks.len() as u64);
    add_alone(&counters.guest_insns, u64::from(listing.insns));
    add_alone(&counters.guest_bytes, listing.ranges.iter().map(|r| u64::from(r.1)).sum());
}
