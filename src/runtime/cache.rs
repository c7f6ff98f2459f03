//! The code cache: which guest code is translated, where, and how blocks are connected.

use super::arena::Arena;
use super::counts::{BlockCounts, Counts};
use super::fault::Restore;
use super::host::Host;
use super::kept::{KeptCode, Stored, code_of};
use super::links::Links;
use super::marks::{self, Marks};
use super::observe::{Observer, TranslatedBlock};
use super::options::{EngineKind, Options};
use super::pc_table::{PcTable, STEP};
use super::regions::{self, Loops, When};
use super::source::{GuestCode, Source};
use super::stats::{Counters, add, add_alone};
use super::units::{BlockKey, Meter, Units};
use super::unlinked::UnlinkedBlock;
use crate::backend::portable::{Entry, LINE, Made, Room};
use crate::backend::{Backend, CodeBuf, EmitContext, Stubs};
use crate::ir;
use crate::lift::{CodeSource, Lifter, Limits, names_flags};
use crate::mem::{Memory, Mode};
use crate::opt::facts;
use crate::sys::icache;
use crate::sys::time::thread_cpu_ns;
use crate::util::{CodePtr, PAGE_SIZE, PageMap, page_down};
use rustc_hash::{FxHashMap, FxHashSet};
use std::io;
use std::mem::take;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The cache must be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The arena has no room for another block.
    NoRoom,
    /// The guest is about to look at the accrued flags, and code does not keep them exactly.
    NeedsExactFlags,
}

/// One generation of translated code.
pub(super) struct CodeCache {
    /// Different for every cache of the process.
    pub(super) id: u64,
    pub(super) arena: Arena,
    pub(super) table: PcTable,
    pub(super) stubs: Stubs,
    /// Grows whenever blocks become invalid: return predictions older than that are void.
    pub(super) invalidations: AtomicU64,
    /// Blocks are not connected: each is left at its end, and found by [`CodeCache::find_unlinked`]
    /// only.
    pub(super) unlinked: bool,
    /// Accrued flags are exact, or cost nothing.
    pub(super) exact_flags: bool,
    /// The machine's.
    pub(super) counts: Arc<Counts>,
    marks: Arc<Mutex<Marks>>,
    /// Translations that are kept in files, if such as are made here can be.
    pub(super) kept: Option<Arc<KeptCode>>,
    inner: Mutex<Inner>,
}

pub(super) struct Inner {
    /// Blocks that are not connected.
    pub(super) unlinked: FxHashMap<BlockKey, Arc<UnlinkedBlock>>,
    pub(super) backend: Host,
    pub(super) buf: CodeBuf,
    pub(super) lifter: Lifter,
    pub(super) source: Source,
    /// Where the hot code of the first block is.
    first: u32,
    pub(super) hot: u32,
    pub(super) cold: u32,
    pub(super) units: Units,
    pub(super) links: Links,
    /// Parts of the table that have memory, by address / [`STEP`].
    pub(super) ready: FxHashSet<u64>,
    /// The one that was asked for last.
    pub(super) ready_last: u64,
    /// Blocks that read code of a page.
    pages: PageMap<Vec<u32>>,
    /// Several harts may execute the code, so conditional branches are not linked.
    pub(super) shared: bool,
    pub(super) loops: Loops,
    /// Blocks that only jump to where memory says, and have been executed once.
    stubs_seen: FxHashSet<u64>,
    /// Pages of guest code whose kept blocks have all been looked at, since they were invalidated.
    loaded: FxHashSet<u64>,
    /// Blocks of these that were of no use, as guest memory held something else.
    unfit: FxHashSet<u64>,
    /// Blocks that were written since, and are not reachable yet: address, number, and where their
    /// entries begin in `entries`.
    written: Vec<(u64, u32, usize)>,
    entries: Vec<(u64, CodePtr)>,
}

/// Bytes that a block may take of either part at most.
pub(super) const HEADROOM: u32 = 256 << 10;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl CodeCache {
    pub(super) fn new(
        options: &Options,
        guest_size: u64,
        (counts, marks): (&Arc<Counts>, &Arc<Mutex<Marks>>),
    ) -> io::Result<Self> {
        let arena = Arena::new(options.arena_size, options.mode == Mode::Sandbox)?;
        let table = PcTable::new(guest_size)?;
        let mut backend = Host::new(options.host_features);
        let mut buf = CodeBuf::default();
        let half = (arena.size() / 2) as u32;
        buf.start(0, [0, half], 0);
        let stubs = backend.emit_stubs(&mut buf);
        arena.write(CodePtr(0), &buf.hot);
        icache::sync_cores();
        let hot = align(buf.hot.len() as u32);
        let exact_flags =
            !Host::EXACT_FLAGS_COST || options.exact_flags || options.engine == EngineKind::Verify;
        let kept = options.kept_code.clone();
        let kept = kept.filter(|kept| kept.serves(options, exact_flags, &buf.hot));
        let inner = Inner {
            unlinked: FxHashMap::default(),
            backend,
            buf,
            lifter: Lifter::new(),
            source: Source::new(),
            first: hot,
            hot,
            cold: half,
            units: Units::default(),
            links: Links::default(),
            ready: FxHashSet::default(),
            ready_last: u64::MAX,
            pages: PageMap::default(),
            shared: false,
            loops: Loops::default(),
            stubs_seen: FxHashSet::default(),
            loaded: FxHashSet::default(),
            unfit: FxHashSet::default(),
            written: Vec::new(),
            entries: Vec::new(),
        };
        Ok(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            arena,
            table,
            stubs,
            invalidations: AtomicU64::new(0),
            unlinked: options.engine == EngineKind::Verify,
            exact_flags,
            kept,
            counts: Arc::clone(counts),
            marks: Arc::clone(marks),
            inner: Mutex::new(inner),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Taken with the cache locked, if both are.
    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the cache still, for `fork`.
    pub(super) fn freeze(&self) -> impl Drop + use<'_> {
        Frozen { _inner: self.lock() }
    }

    /// The block of a cache whose blocks are not connected, if it was translated.
    pub(super) fn find_unlinked(&self, key: BlockKey) -> Option<Arc<UnlinkedBlock>> {
        self.lock().unlinked.get(&key).cloned()
    }

    /// Code for `key`, translating it if there is none.
    pub(super) fn translate(
        &self,
        key: BlockKey,
        code: GuestCode<'_>,
        options: &Options,
        counters: &Counters,
        observer: &mut Option<Box<dyn Observer>>,
    ) -> Result<CodePtr, Full> {
        let pc = key.pc;
        let mut guard = self.lock();
        if let Some(code) = self.table.get(pc) {
            return Ok(code);
        }
        let started = options.measure.then(thread_cpu_ns);
        let inner = &mut *guard;
        if !self.has_room(inner) {
            return Err(Full::NoRoom);
        }
        let when = self.regions_when(key, options);
        let region = match when {
            When::Known => self.region_at(inner, (pc, code), options, counters, observer),
            _ => None,
        };
        let code = match region {
            Some(code) => code,
            None => self.block(inner, (key, when), code, options, counters, observer)?,
        };
        if let Some(started) = started {
            add_alone(&counters.translate_ns, thread_cpu_ns() - started);
        }
        Ok(code)
    }

    /// Code for the block of `key`, from where translations are kept or translated now. Loops that
    /// it belongs to are tried as `when` says.
    pub(super) fn block(
        &self,
        inner: &mut Inner,
        (key, when): (BlockKey, When),
        code: GuestCode<'_>,
        options: &Options,
        counters: &Counters,
        observer: &mut Option<Box<dyn Observer>>,
    ) -> Result<CodePtr, Full> {
        let (pc, guest) = (key.pc, code);
        // An observer wants to see how a block was made.
        let kept = self.kept.as_deref().filter(|_| observer.is_none());
        let mut compared = None;
        if let Some(kept) = kept.filter(|kept| kept.verifies()) {
            compared = kept.find(pc, code.memory, &mut inner.source.over(code));
        } else if let Some(kept) = kept
            && let Some(found) = self.load(inner, kept, (pc, code), counters)
        {
            return Ok(found);
        }
        let adds = kept.is_some_and(|kept| kept.adds(pc, code.memory)) || compared.is_some();
        let places = match &compared {
            Some(Stored { offsets, .. }) => [(inner.hot, 0), (inner.cold, 1)]
                .map(|(free, part)| offsets[part] + free.next_multiple_of(LINE)),
            None => [inner.hot, inner.cold],
        };
        let memory = code.memory;
        let mut source = inner.source.over(code);
        let known = options.mark && self.marks().knows(pc);
        let edges = options.edges.as_ref().and_then(|edges| edges.at(pc));
        let mut limits = if options.meter { METERED } else { key.limits() };
        if kept.is_some() {
            // Files depend on nothing but the code.
            limits.vectors = None;
        }
        let each_branch = limits.each_branch || options.mark && !known || edges.is_some();
        let own = Limits { each_branch, ..limits };
        let mut block = inner.lifter.lift(&mut source, &options.isa, pc, &own);
        if known && let Some(insns) = self.marks().known(block, memory) {
            let own = Limits { max_insns: insns.min(own.max_insns), ..own };
            block = inner.lifter.lift(&mut source, &options.isa, pc, &own);
        }
        // What is no code (zeros, where a guest has strayed) is not kept, and takes no table.
        let refused = !self.unlinked
            && matches!(block.nodes[..], [ir::Node { op: ir::Op::Exit(ir::ExitKind::Fetch), .. }]);
        if !refused {
            self.make_ready((&mut inner.ready, &mut inner.ready_last), pc);
        }
        let by_number = |pc| source.bytes(pc).is_some_and(|b| names_flags(b, &options.isa));
        if !self.exact_flags && facts::reads_flags(block, by_number) {
            return Err(Full::NeedsExactFlags);
        }
        inner.buf.relocatable = adds;
        inner.buf.start(pc, places, inner.links.len() as u32);
        let lookup = |pc: u64| self.table.get(pc);
        // Where a stub leads is not known before it has been executed once: it may be bound then.
        let provisional = !self.unlinked
            && !options.meter
            && facts::is_linkage_entry(block)
            && inner.stubs_seen.insert(pc);
        let peek = |addr: u64| if provisional { None } else { memory.read_u64(addr).ok() };
        let meter = options.meter.then(|| Meter::new(sizes(block, &mut source).into_iter()));
        let marked_code = options.mark && !known;
        let counts = (options.count || marked_code).then(|| self.counts.next());
        let countdown = match when {
            When::Hot => inner.loops.countdown(block, options.hot_entries),
            _ => None,
        };
        let context = EmitContext {
            mode: options.mode,
            stubs: self.stubs,
            exact_flags: self.exact_flags,
            lookup: &lookup,
            conditional_links: !inner.shared,
            peek: &peek,
            handler_room: options.foreign_handlers,
            meter: meter.map(|meter| meter.insns().max(1)),
            countdown,
            serves: options.serve_calls,
            counters: counts.as_ref().map(BlockCounts::address),
            edges,
            marks: marked_code,
        };
        inner.backend.emit_block(block, &mut inner.buf, &context);
        if counts.is_some() {
            self.counts.take(inner.buf.points.len());
        }
        let mut marked = Vec::new();
        if marked_code && let Some(counts) = &counts {
            marked = marks::parts(block, &inner.buf.points, memory);
            self.marks().add(pc, counts, &marked);
        }
        if let Some(o) = observer {
            o.translated(&self.shown(&inner.buf, (block, memory), &marked, counts.as_ref()));
        }
        add_alone(&counters.blocks, 1);
        add_alone(&counters.guest_insns, u64::from(block.insns));
        add_alone(&counters.guest_bytes, block.ranges.iter().map(|r| u64::from(r.1)).sum());
        let place = (CodePtr(inner.buf.hot_base), Host::UNROLL);
        let unlinked =
            self.unlinked.then(|| UnlinkedBlock::new(block, &mut source, &options.isa, place));
        // What is to be made again when it is known where it leads runs once and is not kept. Nor
        // is what depends on no code, as it cannot be fetched.
        let kept = !provisional && !refused && !block.ranges.is_empty();
        let ranges = if kept { &block.ranges[..] } else { &[] };
        let own = ranges.iter().copied();
        let id = inner.units.push((pc, Host::MAP), own, inner.links.len(), &inner.buf);
        meter.into_iter().for_each(|meter| inner.units.meter(meter));
        if let Some(files) = self.kept.as_deref().filter(|_| adds && kept)
            && let Some(code) = code_of(&mut source, ranges)
        {
            let peeked = inner.buf.peeked.clone();
            let made = Made { pc, insns: block.insns, ranges: ranges.to_vec(), peeked };
            #[cfg(debug_assertions)]
            {
                // The same at another place.
                let [hot, cold] = places;
                let mut other = CodeBuf { relocatable: true, ..CodeBuf::default() };
                other.start(pc, [hot + 13 * LINE, cold + 5 * LINE], inner.links.len() as u32 + 77);
                inner.backend.emit_block(block, &mut other, &context);
                Stored::new(&inner.buf, &made, &code).compare(&other, &made, &code);
            }
            match compared {
                Some(stored) => stored.compare(&inner.buf, &made, &code),
                None => files.add(&inner.buf, &made, memory, &code),
            }
        }
        let loops = match when {
            When::Known => regions::back_edges(block).filter(|edge| edge.0 != pc).collect(),
            _ => Vec::new(),
        };
        let code = self.publish(inner, (pc, id), kept, counters);
        if let Some(unlinked) = unlinked {
            inner.unlinked.insert(key, Arc::new(unlinked));
        }
        self.promote(inner, (&loops, guest), options, counters, observer);
        Ok(code)
    }

    /// What is in `buf`, for an observer: a translation of `ir`.
    pub(super) fn shown<'a>(
        &self,
        buf: &'a CodeBuf,
        (ir, memory): (&'a ir::Block, &'a Memory),
        marks: &'a [(usize, Range<u64>)],
        counts: Option<&'a BlockCounts>,
    ) -> TranslatedBlock<'a> {
        let base = self.arena.exec_base().0 as u64;
        TranslatedBlock {
            pc: ir.pc,
            ir,
            memory,
            hot_at: base + u64::from(buf.hot_base),
            hot: &buf.hot,
            cold_at: base + u64::from(buf.cold_base),
            cold: &buf.cold,
            places: [buf.hot_base, buf.cold_base],
            links: &buf.links,
            faults: [buf.hot_faults.packed(), buf.cold_faults.packed()],
            points: &buf.points,
            marks,
            counts,
        }
    }

    /// Whether there is room for any block.
    pub(super) fn has_room(&self, inner: &Inner) -> bool {
        let half = (self.arena.size() / 2) as u32;
        inner.hot + HEADROOM <= half && inner.cold + HEADROOM <= 2 * half
    }

    /// Sees to memory for the table's entry of `pc`; `ready` are the parts that have some.
    pub(super) fn make_ready(&self, (ready, last): (&mut FxHashSet<u64>, &mut u64), pc: u64) {
        if *last != pc / STEP {
            *last = pc / STEP;
            if ready.insert(pc / STEP) {
                self.table.make_ready(pc);
            }
        }
    }

    /// Code for `pc`, if its translation is kept. The first time that one is asked for in a page,
    /// all that are kept of the page are made reachable: it costs less than to come here for each.
    fn load(
        &self,
        inner: &mut Inner,
        kept: &KeptCode,
        (pc, code): (u64, GuestCode<'_>),
        counters: &Counters,
    ) -> Option<CodePtr> {
        let which = match inner.loaded.insert(page_down(pc)) {
            true => None,
            false if inner.unfit.contains(&pc) => Some(pc),
            false => return None,
        };
        kept.each(page_down(pc), which, code.memory, |entry| {
            self.make_ready((&mut inner.ready, &mut inner.ready_last), entry.pc());
            if self.table.get(entry.pc()).is_some() || !self.has_room(inner) {
                return;
            }
            if entry.fits(&mut inner.source.over(code), code.memory) {
                self.write_kept(inner, entry, counters);
            } else {
                inner.unfit.insert(entry.pc());
            }
        });
        if inner.written.is_empty() {
            return None;
        }
        if inner.shared {
            icache::sync_cores();
        }
        let (written, entries) = (take(&mut inner.written), take(&mut inner.entries));
        let starts = written.iter().map(|(.., start)| *start).skip(1).chain([entries.len()]);
        for (&(pc, id, start), end) in written.iter().zip(starts) {
            self.enter(inner, (pc, id), &entries[start..end]);
        }
        (inner.written, inner.entries) = (written, entries);
        inner.written.clear();
        inner.entries.clear();
        self.table.get(pc)
    }

    /// Writes a kept block to the next free place.
    fn write_kept(&self, inner: &mut Inner, entry: &Entry<'_>, counters: &Counters) {
        let ready = &inner.ready;
        // Where no code was met, the table need not be touched.
        let lookup = |pc: u64| ready.contains(&(pc / STEP)).then(|| self.table.get(pc)).flatten();
        let room = Room {
            free: [inner.hot, inner.cold],
            first_link: inner.links.len() as u32,
            lookup: &lookup,
            conditional_links: !inner.shared,
        };
        if entry.put::<Host>(&mut inner.buf, &room).is_none() {
            return;
        }
        add_alone(&counters.kept_blocks, 1);
        let links = inner.links.len();
        let id = inner.units.push((entry.pc(), Host::MAP), entry.ranges(), links, &inner.buf);
        inner.written.push((entry.pc(), id, inner.entries.len()));
        inner.entries.extend_from_slice(&inner.buf.entries);
        self.write(inner, counters);
    }

    /// Writes what is in the buffer to its place.
    fn write(&self, inner: &mut Inner, counters: &Counters) {
        self.arena.write(CodePtr(inner.buf.hot_base), &inner.buf.hot);
        self.arena.write(CodePtr(inner.buf.cold_base), &inner.buf.cold);
        add_alone(&counters.hot_bytes, inner.buf.hot.len() as u64);
        add_alone(&counters.cold_bytes, inner.buf.cold.len() as u64);
        inner.hot = align(inner.buf.hot_base + inner.buf.hot.len() as u32);
        inner.cold = inner.buf.cold_base + inner.buf.cold.len() as u32;

        add_alone(&counters.links, inner.buf.links.len() as u64);
        inner.buf.links.iter().for_each(|link| inner.links.push(link));
    }

    /// Writes what is in the buffer, unit `id` for the code at `pc`, to its place, and makes it
    /// reachable if it is kept.
    pub(super) fn publish(
        &self,
        inner: &mut Inner,
        (pc, id): (u64, u32),
        kept: bool,
        counters: &Counters,
    ) -> CodePtr {
        let start = CodePtr(inner.buf.hot_base);
        self.write(inner, counters);
        if inner.shared {
            icache::sync_cores();
        }
        if kept {
            let entries = take(&mut inner.buf.entries);
            self.enter(inner, (pc, id), &entries);
            inner.buf.entries = entries;
        }
        start
    }

    /// Makes unit `id` for the code at `pc`, which is written, reachable at its entries.
    fn enter(&self, inner: &mut Inner, (pc, id): (u64, u32), entries: &[(u64, CodePtr)]) {
        for page in inner.units.ranges_of(id).flat_map(pages_of) {
            let blocks = inner.pages.entry(page);
            if blocks.last() != Some(&id) {
                blocks.push(id);
            }
        }
        for &(entry, at) in entries {
            if !self.unlinked && (entry == pc || self.table.get(entry).is_none()) {
                self.table.set(entry, Some(at));
                self.relink(inner, entry, Some(at));
            }
        }
    }

    /// Redirects all jumps to guest address `pc`: to code, or back to their stubs.
    fn relink(&self, inner: &mut Inner, pc: u64, code: Option<CodePtr>) {
        let shared = inner.shared;
        inner.links.each_to(pc, |link| {
            let to = code.unwrap_or(link.stub);
            let fixed = link.inner || shared && link.conditional.is_some();
            if (code.is_none() || !fixed)
                && let Some(word) = Host::link_word(&link, to)
            {
                self.arena.patch(link.site, word);
            }
        });
    }

    /// Says whether several harts may execute the code. No hart does so while this is called.
    pub(super) fn set_shared(&self, shared: bool) {
        let mut inner = self.lock();
        if shared && !inner.shared {
            icache::sync_cores();
            for link in inner.links.iter().filter(|link| link.conditional.is_some()) {
                if let Some(word) = Host::link_word(&link, link.stub) {
                    self.arena.patch(link.site, word);
                }
            }
        }
        inner.shared = shared;
    }

    /// The guest address that link `id` leads to.
    pub(super) fn link_target(&self, id: u64) -> u64 {
        self.lock().links.target(id)
    }

    /// Forgets all blocks that were made from any byte of `range`.
    pub(super) fn invalidate(&self, range: Range<u64>, counters: &Counters) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        if let Some(kept) = &self.kept {
            kept.forget(&range);
        }
        let first = page_down(range.start);
        let mut pages: Vec<u64> = Vec::new();
        if range.end.saturating_sub(first) / PAGE_SIZE > inner.pages.len() as u64 {
            pages.extend(
                inner.pages.iter().map(|(p, _)| p).filter(|p| (first..range.end).contains(p)),
            );
        } else {
            pages.extend((first..range.end).step_by(PAGE_SIZE as usize));
        }
        let mut any = false;
        for page in pages {
            inner.loaded.remove(&page);
            if inner.pages.get(page).is_none_or(Vec::is_empty) {
                continue;
            }
            let mut blocks = std::mem::take(inner.pages.entry(page));
            // Those that died on account of another page are still here.
            blocks.retain(|&id| {
                let overlaps = |(a, n): (u64, u32)| a < range.end && a + u64::from(n) > range.start;
                let live = inner.units.is_live(id);
                if live && inner.units.ranges_of(id).any(overlaps) {
                    self.kill(inner, id);
                    add(&counters.invalidated, 1);
                    any = true;
                    return false;
                }
                live
            });
            *inner.pages.entry(page) = blocks;
        }
        if any {
            inner.unlinked.clear();
            inner.loops.forget(&range);
            self.invalidations.fetch_add(1, Ordering::Release);
        }
    }

    /// Forgets the blocks at these addresses.
    pub(super) fn forget_blocks(&self, pcs: &FxHashSet<u64>, counters: &Counters) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        for id in inner.units.ids() {
            let is_one = |(start, _): (u64, u32)| pcs.contains(&start);
            let begin = inner.units.ranges_of(id).next();
            if inner.units.is_live(id) && begin.is_some_and(is_one) {
                self.kill(inner, id);
                add(&counters.invalidated, 1);
            }
        }
        inner.unlinked.clear();
        self.invalidations.fetch_add(1, Ordering::Release);
    }

    /// Forgets all blocks, and lets new ones lie where they were. No hart may be inside of one.
    pub(super) fn clear(&self) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        // All entries of a block are addresses of its code.
        for (pc, len) in inner.units.all_ranges() {
            for pc in (pc..pc + u64::from(len)).step_by(2) {
                if self.table.get(pc).is_some() {
                    self.table.set(pc, None);
                }
            }
        }
        (inner.hot, inner.cold) = (inner.first, (self.arena.size() / 2) as u32);
        inner.unlinked.clear();
        inner.units.clear();
        inner.links.clear();
        inner.pages.clear();
        inner.stubs_seen.clear();
        inner.loaded.clear();
        inner.unfit.clear();
        inner.loops.clear();
        self.invalidations.fetch_add(1, Ordering::Release);
    }

    fn kill(&self, inner: &mut Inner, id: u32) {
        inner.units.bury(id);
        let code = inner.units.hot_of(id, inner.hot);
        let ranges: Vec<_> = inner.units.ranges_of(id).collect();
        for n in inner.units.links_of(id, inner.links.len()) {
            // Whoever is still in the block leaves it at its end: nobody redirects the link again.
            let link = inner.links.bury(n);
            if let Some(word) = Host::link_word(&link, link.stub) {
                self.arena.patch(link.site, word);
            }
        }
        // All entries of a block are addresses of its code.
        for pc in ranges.iter().flat_map(|&(pc, len)| (pc..pc + u64::from(len)).step_by(2)) {
            if self.table.get(pc).is_some_and(|at| code.contains(&at)) {
                self.table.set(pc, None);
                self.relink(inner, pc, None);
            }
        }
    }

    /// What restores the guest's state where code is left at a place of the arena.
    pub(super) fn restore(&self, at: CodePtr) -> Option<Restore> {
        self.lock().units.restore(at, at.0 as usize >= self.arena.size() / 2)
    }
}

/// The cache's lock, held.
struct Frozen<'a> {
    _inner: MutexGuard<'a, Inner>,
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {}
}

/// Limits of blocks of which all instructions are executed, unless one of them faults.
const METERED: Limits =
    Limits { max_insns: Meter::MOST, max_exits: 1, max_jumps: 4, each_branch: true, vectors: None };

/// Bytes of each instruction of a block, in the order of its ranges.
fn sizes(block: &ir::Block, source: &mut impl CodeSource) -> Vec<u64> {
    let mut sizes = Vec::with_capacity(block.insns as usize);
    for &(start, len) in &block.ranges {
        let mut at = start;
        while at < start + u64::from(len) {
            let wide = source.bytes(at).is_some_and(|b| b.first().is_some_and(|b| b & 3 == 3));
            sizes.push(if wide { 4 } else { 2 });
            at += if wide { 4 } else { 2 };
        }
    }
    debug_assert!(block.ranges.is_empty() || sizes.len() as u32 == block.insns);
    sizes
}

/// Blocks start at multiples of 16, as hosts like it.
const fn align(n: u32) -> u32 {
    (n + 15) & !15
}

/// The pages that a range touches.
fn pages_of((start, len): (u64, u32)) -> impl Iterator<Item = u64> {
    (page_down(start)..start + u64::from(len)).step_by(PAGE_SIZE as usize)
}
