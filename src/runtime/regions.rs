//! When loops are translated as a whole ([`crate::ir::Region`]).
//!
//! Most loops are executed a few times: their blocks are as good. So the blocks that go back to the
//! beginning of one count how often they are entered, and translated code is left when that was
//! often enough. The loop is tried then, and the region takes the place of the block that it begins
//! with, which nothing leads to any more. The blocks that have counted for it are translated anew,
//! without that.
//!
//! Where regions are to be tested, loops are tried as soon as they are known.

use super::cache::{CodeCache, Full, HEADROOM, Inner};
use super::counts::BlockCounts;
use super::host::Host;
use super::observe::Observer;
use super::options::{EngineKind, Options};
use super::source::GuestCode;
use super::stats::{Counters, add_alone};
use super::units::BlockKey;
use super::unlinked::UnlinkedBlock;
use crate::backend::{Backend, Countdown, EmitContext};
use crate::ir::{Block, Op, Region};
use crate::sys::time::thread_cpu_ns;
use crate::util::CodePtr;
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes that the code of a loop may take.
const MOST_BYTES: u64 = 4096;

/// Operations of a loop from which on it has the registers to itself if it is hot before one around
/// it: nearly all that is executed there is in the inner loop.
const OWN: usize = 20;

/// How often a hot loop waits for one within.
const PATIENCE: u8 = 3;

/// When a loop is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Never.
    Never,
    /// When it is hot.
    Hot,
    /// When it is known.
    Known,
}

/// A loop that a block counts for: where it begins, and the instruction that goes back there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HotLoop {
    head: u64,
    latch: u64,
}

impl HotLoop {
    /// Bits of a guest address. [`MOST_BYTES`] has fewer than are left.
    const ADDRESS: u32 = 48;

    /// From [`ThreadState::payload`](crate::backend::ThreadState::payload).
    pub(super) const fn from_payload(payload: u64) -> Self {
        let head = payload & ((1 << Self::ADDRESS) - 1);
        Self { head, latch: head + (payload >> Self::ADDRESS) }
    }

    const fn payload(self) -> u64 {
        self.head | (self.latch - self.head) << Self::ADDRESS
    }
}

/// What is known of the loop that begins at some address.
#[derive(Debug, Default)]
struct Known {
    /// The last instruction known that goes back there.
    latch: u64,
    /// It has been tried since that is known.
    tried: bool,
    /// How often it has waited for a loop within.
    waited: u8,
}

/// Loops that are hot, or known if they are tried then.
#[derive(Debug, Default)]
pub(super) struct Loops {
    by_head: FxHashMap<u64, Known>,
    /// Where those begin that have registers to themselves.
    own: Vec<u64>,
    /// Counters of blocks. Code that counts expects them to stay where they are.
    chunks: Vec<Box<[AtomicU32; Self::CHUNK]>>,
    /// Those in use.
    used: usize,
}

impl Loops {
    /// Counters that are allocated at once.
    const CHUNK: usize = 1024;

    fn latch(&self, head: u64) -> Option<u64> {
        self.by_head.get(&head).map(|known| known.latch)
    }

    /// The loop at `head`, to which the instruction at `at` goes back.
    fn met(&mut self, head: u64, at: u64) -> &mut Known {
        let known = self.by_head.entry(head).or_default();
        if known.latch < at {
            (known.latch, known.tried) = (at, false);
        }
        known
    }

    /// What `block` is to count, for a loop that has not been tried, if it goes back to one: so
    /// many entries.
    pub(super) fn countdown(&mut self, block: &Block, entries: u32) -> Option<Countdown> {
        if !block.goes_back() || block.pc >> HotLoop::ADDRESS != 0 {
            return None;
        }
        let tried = |head, latch| {
            self.by_head.get(&head).is_some_and(|known| known.tried && known.latch >= latch)
        };
        let (head, latch) = back_edges(block).find(|&(head, latch)| !tried(head, latch))?;
        let (chunk, n) = (self.used / Self::CHUNK, self.used % Self::CHUNK);
        self.used += 1;
        if chunk == self.chunks.len() {
            self.chunks.push(Box::new([const { AtomicU32::new(0) }; Self::CHUNK]));
        }
        let counter = &self.chunks[chunk][n];
        counter.store(entries, Ordering::Relaxed);
        let payload = HotLoop { head, latch }.payload();
        Some(Countdown { counter: (&raw const *counter).addr() as u64, payload })
    }

    /// Whether a loop that is hot is to be a region now. It is not if one within is so, with
    /// registers to itself; it waits if one within may become so.
    fn wants(&mut self, region: &Region) -> bool {
        let (head, mut waits) = (region.pc(), false);
        for (inner, _) in region.blocks.iter().flat_map(back_edges) {
            if inner != head && region.has(inner) {
                if self.own.contains(&inner) {
                    return false;
                }
                waits |= self.by_head.get(&inner).is_none_or(|inner| !inner.tried);
            }
        }
        let Some(known) = self.by_head.get_mut(&head).filter(|_| waits) else { return true };
        known.waited += 1;
        known.tried = known.waited > PATIENCE;
        known.tried
    }

    /// Says that a loop has become a region as it was hot.
    fn formed(&mut self, region: &Region) {
        if region.blocks.iter().map(|block| block.nodes.len()).sum::<usize>() >= OWN {
            self.own.push(region.pc());
        }
    }

    /// Forgets those that begin in `range`, where the code is not what it was.
    pub(super) fn forget(&mut self, range: &Range<u64>) {
        self.by_head.retain(|head, _| !range.contains(head));
        self.own.retain(|head| !range.contains(head));
    }

    /// Forgets all. No code that counts may be executed any more.
    pub(super) fn clear(&mut self) {
        self.by_head.clear();
        self.own.clear();
        self.used = 0;
    }
}

/// Where instructions of `block` go back to that is not far, and where they are.
pub(super) fn back_edges(block: &Block) -> impl Iterator<Item = (u64, u64)> {
    block.nodes.iter().filter_map(|node| match node.op {
        Op::Branch { target, .. } | Op::Jump { target } => {
            (node.pc.wrapping_sub(target) < MOST_BYTES).then_some((target, node.pc))
        }
        _ => None,
    })
}

impl CodeCache {
    /// When loops are translated as a whole. What is kept in files is blocks, and so is what tells
    /// of each of its parts, or pays for it.
    pub(super) fn regions_when(&self, key: BlockKey, options: &Options) -> When {
        let blocks =
            options.meter || options.mark || options.edges.is_some() || self.kept.is_some();
        match options.engine {
            _ if blocks || key != BlockKey::new(key.pc) => When::Never,
            EngineKind::Interpreter | EngineKind::Baseline => When::Never,
            EngineKind::Regions => When::Hot,
            EngineKind::EagerRegions | EngineKind::Verify => When::Known,
        }
    }

    /// Tries a loop that is hot, for which the block at `pc` has counted. Behind that there is
    /// other code for that block.
    pub(super) fn heat(
        &self,
        (hot, pc): (HotLoop, u64),
        code: GuestCode<'_>,
        options: &Options,
        counters: &Counters,
        observer: &mut Option<Box<dyn Observer>>,
    ) -> Result<(), Full> {
        let mut inner = self.lock();
        if !self.has_room(&inner) {
            return Err(Full::NoRoom);
        }
        let started = options.measure.then(thread_cpu_ns);
        let HotLoop { head, latch } = hot;
        let mut made = None;
        let known = inner.loops.met(head, latch);
        if !std::mem::replace(&mut known.tried, true)
            && self.table.get(head).is_some()
            && let Some(region) = self.form(&mut inner, (head, code), options)
            && inner.loops.wants(&region)
        {
            made = self.region(&mut inner, (&region, code), options, counters, observer);
            if made.is_some() {
                inner.loops.formed(&region);
            }
        }
        if made.is_none() || head != pc {
            if !self.has_room(&inner) {
                return Err(Full::NoRoom);
            }
            let key = (BlockKey::new(pc), When::Hot);
            self.block(&mut inner, key, code, options, counters, observer)?;
        }
        if let Some(started) = started {
            add_alone(&counters.translate_ns, thread_cpu_ns() - started);
        }
        Ok(())
    }

    /// Translates the loop that begins at the address, if it is one and that is worth it.
    pub(super) fn region_at(
        &self,
        inner: &mut Inner,
        (pc, code): (u64, GuestCode<'_>),
        options: &Options,
        counters: &Counters,
        observer: &mut Option<Box<dyn Observer>>,
    ) -> Option<CodePtr> {
        let region = self.form(inner, (pc, code), options)?;
        self.region(inner, (&region, code), options, counters, observer)
    }

    /// The loop that begins at the address.
    fn form(
        &self,
        inner: &mut Inner,
        (pc, code): (u64, GuestCode<'_>),
        options: &Options,
    ) -> Option<Region> {
        let latch = inner.loops.latch(pc);
        let mut source = inner.source.over(code);
        let from = (&mut source, &options.isa);
        inner.lifter.region(from, pc, latch, &BlockKey::new(pc).limits())
    }

    /// Translates a loop, if that is worth it.
    fn region(
        &self,
        inner: &mut Inner,
        (region, code): (&Region, GuestCode<'_>),
        options: &Options,
        counters: &Counters,
        observer: &mut Option<Box<dyn Observer>>,
    ) -> Option<CodePtr> {
        let pc = region.pc();
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
            countdown: None,
            serves: options.serve_calls,
            counters: counts.as_ref().map(BlockCounts::address),
            edges: None,
            marks: false,
        };
        let map = inner.backend.emit_region(region, &mut inner.buf, &context)?;
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
        note(counters, region, &listing);
        let id = inner.units.push(
            (pc, &map),
            listing.ranges.iter().copied(),
            inner.links.len(),
            &inner.buf,
        );
        if self.unlinked {
            let place = (CodePtr(inner.buf.hot_base), Host::UNROLL);
            let mut source = inner.source.over(code);
            let path = UnlinkedBlock::of_region(region, &mut source, &options.isa, place);
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
            if std::mem::replace(&mut inner.loops.met(head, at).tried, true) {
                continue;
            }
            // What is not translated yet will be a region from the start.
            let key = BlockKey::new(head);
            let known = self.table.get(head).is_some() || inner.unlinked.contains_key(&key);
            if known && self.has_room(inner) {
                self.region_at(inner, (head, code), options, counters, observer);
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
