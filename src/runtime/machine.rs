//! What the harts of one guest share: memory, the code cache, and each other's addresses.

use super::baton::Baton;
use super::breakpoints::Breakpoints;
use super::cache::{CodeCache, Full};
use super::counts::Counts;
use super::cpu::Shared;
use super::fault;
use super::marks::Marks;
use super::observe::{Difference, Observer};
use super::options::{EngineKind, Options};
use super::regions::HotLoop;
use super::shared_code::SharedCode;
use super::source::GuestCode;
use super::stats::{Counters, Stats, add};
use super::stop::InvalidationLock;
use super::units::BlockKey;
use crate::backend::UNMARKED;
use crate::cpu::{Exit, Hart};
use crate::interp::{self, Noted};
use crate::isa::{Ext, Isa, Op};
use crate::mem::{CodeEvent, Memory, Mode};
use crate::sys::mmap::limits;
use crate::sys::{forks, signal};
use crate::util::{CodePtr, HostAddr, PAGE_SIZE};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// One guest address space with the code translated from it.
pub struct Machine {
    memory: Arc<Memory>,
    options: Options,
    pub(super) counters: Counters,
    /// Counters that translated code increments.
    counts: Arc<Counts>,
    /// Which of it was executed, with [`Options::mark`].
    marks: Arc<Mutex<Marks>>,
    /// The current one; `None` with the interpreter alone.
    generation: Mutex<Option<Arc<Generation>>>,
    /// Id of the current generation, or 0 with the interpreter alone.
    generation_id: AtomicU64,
    /// Of the process that translates ([`forks::epoch`]), or [`MUST_LEAVE`].
    epoch: AtomicU64,
    /// The current generation is not the machine's alone.
    shares: AtomicBool,
    /// Grows whenever decoded instructions may be out of date.
    pub(super) code_epoch: AtomicU64,
    /// Taken while translations are invalidated.
    invalidation: InvalidationLock,
    /// With `EngineKind::Verify`, held while guest code runs.
    pub(super) baton: Baton,
    observer: Mutex<Option<Box<dyn Observer>>>,
    /// There is an observer.
    observed: AtomicBool,
    harts: Mutex<Vec<Weak<Shared>>>,
    pub(super) breakpoints: Breakpoints,
    /// With [`Options::mark`], what the interpreter has executed and the observer does not know.
    pub(super) noted: Option<Noted>,
    /// With [`Options::trace`], until the observer has enough.
    traced: AtomicBool,
}

/// A code cache that the fault handler knows.
pub(super) struct Generation {
    /// Before `cache`, since the handler must forget the arena before it is unmapped.
    _registered: fault::Registered,
    pub(super) cache: CodeCache,
}

/// Host code of a block, for dumps.
#[derive(Clone, Debug)]
pub struct Translation {
    /// The operations.
    pub ir: crate::ir::Block,
    /// Host address of `hot`.
    pub hot_at: u64,
    /// Host code on the likely path.
    pub hot: Vec<u8>,
    /// Host address of `cold`.
    pub cold_at: u64,
    /// Host code of exits and slow paths.
    pub cold: Vec<u8>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("memory", &self.memory).finish_non_exhaustive()
    }
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

/// No process's epoch: the machine needs a code cache of its own.
const MUST_LEAVE: u64 = 0;

/// Smallest address space that is tried, as a power of two.
const MIN_ADDRESS_BITS: u32 = 28;

/// Bytes of a code cache under limits of addresses and data, of which it takes a sixteenth.
fn arena_size(wanted: usize, limits: [u64; 2]) -> usize {
    const LEAST: usize = 2 << 20;
    let share = limits.into_iter().min().map_or(u64::MAX, |l| l / 16).max(LEAST as u64);
    let share = 1_usize << share.min(1 << 62).ilog2();
    wanted.min(share.max(LEAST))
}

impl Machine {
    /// Reserves memory and sets up the engine. Installs the process's fault handlers if that has
    /// not been done.
    ///
    /// # Errors
    /// What the host says: `ENOMEM` if it has not even addresses for a small guest.
    pub fn new(options: &Options) -> io::Result<Arc<Self>> {
        Self::with_code(options, None)
    }

    /// As [`Self::new`], for a guest with the same code as others of the same options: with their
    /// translations, if guest addresses are relative ([`Mode::Sandbox`]). Before the guest runs its
    /// memory must be loaded, and watched ([`Memory::watch_code`]) wherever it can be executed;
    /// none of that may be writable. Whoever lets it execute more must say so
    /// ([`Self::leave_shared_code`]).
    ///
    /// # Errors
    /// As there.
    pub fn sharing(options: &Options, code: &SharedCode) -> io::Result<Arc<Self>> {
        let shares = options.mode == Mode::Sandbox && options.engine.only_translates();
        Self::with_code(options, shares.then_some(code))
    }

    fn with_code(options: &Options, code: Option<&SharedCode>) -> io::Result<Arc<Self>> {
        signal::install(fault::hook)?;
        let mut options = options.clone();
        options.arena_size = arena_size(options.arena_size, limits());
        let counts = Arc::new(Counts::new(if options.mark { UNMARKED } else { 0 }));
        let marks = Arc::default();
        let (memory, generation) = loop {
            match Self::reserve(&mut options, code, (&counts, &marks)) {
                Err(e)
                    if options.mode == Mode::Guarded
                        && options.address_bits > MIN_ADDRESS_BITS
                        && e.kind() == io::ErrorKind::OutOfMemory =>
                {
                    options.address_bits -= 1;
                    options.arena_size = options.arena_size.min(16 << 20);
                }
                other => break other?,
            }
        };
        let generation_id = AtomicU64::new(generation.as_ref().map_or(0, |g| g.cache.id));
        let noted = options.mark.then(Noted::default);
        Ok(Arc::new(Self {
            memory: Arc::new(memory),
            counters: Counters::default(),
            counts,
            marks,
            generation: Mutex::new(generation),
            generation_id,
            epoch: AtomicU64::new(forks::epoch()),
            shares: AtomicBool::new(code.is_some()),
            code_epoch: AtomicU64::new(0),
            invalidation: InvalidationLock::new(),
            baton: Baton::default(),
            observer: Mutex::new(None),
            observed: AtomicBool::new(false),
            harts: Mutex::new(Vec::new()),
            breakpoints: Breakpoints::default(),
            noted,
            traced: AtomicBool::new(options.trace),
            options,
        }))
    }

    fn reserve(
        options: &mut Options,
        code: Option<&SharedCode>,
        counts: (&Arc<Counts>, &Arc<Mutex<Marks>>),
    ) -> io::Result<(Memory, Option<Arc<Generation>>)> {
        let size = 1 << options.address_bits;
        let memory = match Memory::new(options.mode, size) {
            // Something lies there, such as the memory of another machine.
            Err(_) if options.mode == Mode::Identity => {
                options.mode = Mode::Guarded;
                Memory::new(options.mode, size)?
            }
            other => other?,
        };
        let make = || Self::make_generation(options, memory.size(), counts);
        let generation = match (options.engine, code) {
            (EngineKind::Interpreter, _) => None,
            (_, Some(code)) => Some(code.generation(make)?),
            (_, None) => Some(make()?),
        };
        Ok((memory, generation))
    }

    fn make_generation(
        options: &Options,
        size: u64,
        counts: (&Arc<Counts>, &Arc<Mutex<Marks>>),
    ) -> io::Result<Arc<Generation>> {
        let cache = CodeCache::new(options, size, counts)?;
        let base = cache.arena.exec_base();
        let stub = HostAddr(base.0 + cache.stubs.fault.0 as usize);
        let registered = fault::register(base, cache.arena.size(), stub);
        Ok(Arc::new(Generation { _registered: registered, cache }))
    }

    /// The guest's memory.
    #[must_use]
    #[inline]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Instructions that the guest may use.
    #[must_use]
    pub fn isa(&self) -> &Isa {
        &self.options.isa
    }

    /// The same, for who keeps it.
    pub(super) fn shared_memory(&self) -> Arc<Memory> {
        Arc::clone(&self.memory)
    }

    /// How the machine was set up; the address space may be smaller than was asked for.
    #[must_use]
    #[inline]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }

    /// Instructions that translated code let the interpreter execute, by kind.
    #[must_use]
    pub fn helper_calls(&self) -> Vec<(Op, u64)> {
        self.counters.helpers.list()
    }

    /// Sets who is told of translations; `None` for nobody.
    pub fn set_observer(&self, observer: Option<Box<dyn Observer>>) {
        let mut current = lock(&self.observer);
        self.observed.store(observer.is_some(), Ordering::Release);
        *current = observer;
    }

    /// Tells the observer what the interpreter has noted.
    pub fn tell_noted(&self) {
        let Some(noted) = &self.noted else { return };
        let ranges = std::mem::take(&mut *lock(noted));
        if !ranges.is_empty()
            && let Some(o) = &mut *lock(&self.observer)
        {
            o.interpreted(&self.memory, &ranges);
        }
    }

    /// True if the observer is told of each instruction.
    #[inline]
    pub(super) fn is_traced(&self) -> bool {
        self.traced.load(Ordering::Relaxed)
    }

    /// As [`interp::step`] for the hart with a number, and tells the observer.
    pub(super) fn step_traced(&self, number: u64, hart: &mut Hart) -> Result<(), Exit> {
        interp::step_recorded(hart, &self.memory, self.isa(), |hart, step| {
            let told =
                lock(&self.observer).as_mut().map(|o| o.executed(&self.memory, number, hart, step));
            if told == Some(false) {
                self.traced.store(false, Ordering::Relaxed);
            }
        })
    }

    /// As [`interp::step`], and tells the observer.
    pub(super) fn step_noted(&self, hart: &mut Hart) -> Result<(), Exit> {
        let pc = self.memory.effective(hart.pc);
        let len = self.memory.fetch_u16(pc).map_or(2, |low| if low & 3 == 3 { 4 } else { 2 });
        let result = interp::step(hart, &self.memory, self.isa());
        if matches!(result, Ok(()) | Err(Exit::Ecall | Exit::Ebreak | Exit::FenceI)) {
            if let Some(noted) = &self.noted {
                lock(noted).push(pc..pc + len);
            }
            self.tell_noted();
        }
        result
    }

    /// With [`Options::mark`]: has code that is executed often translated without marks, by the
    /// calls of this in whose intervals it was executed. To be called by a hart that is not
    /// running.
    pub fn renew_marked(&self) {
        if !self.options.mark {
            return;
        }
        let turn = self.invalidation.take();
        let often = lock(&self.marks).look();
        if !often.is_empty()
            && let Some(generation) = self.generation()
        {
            generation.cache.forget_blocks(&often, &self.counters);
        }
        drop(turn);
        self.kick_all();
    }

    /// Keeps new translations for other processes ([`Options::kept_code`]): for the end of this
    /// one.
    pub fn save_code(&self) {
        if let Some(kept) = &self.options.kept_code {
            kept.save();
        }
    }

    pub(super) fn translates(&self) -> bool {
        self.options.engine != EngineKind::Interpreter
    }

    #[inline]
    pub(super) fn generation_id(&self) -> u64 {
        self.generation_id.load(Ordering::Acquire)
    }

    /// `None` with the interpreter alone.
    pub(super) fn generation(&self) -> Option<Arc<Generation>> {
        lock(&self.generation).clone()
    }

    /// Sees to a code cache that is this process's own: the host may have called `fork` itself.
    /// Cheap if it has not.
    ///
    /// # Errors
    /// What the host says to a new code cache. The old one must not be used then.
    #[inline]
    pub(super) fn own_generation(&self) -> io::Result<()> {
        if self.is_own_process() { Ok(()) } else { self.renew(forks::epoch()) }
    }

    /// True unless this process is a child of `fork` that has not noticed it yet.
    #[inline]
    pub(super) fn is_own_process(&self) -> bool {
        self.epoch.load(Ordering::Acquire) == forks::epoch()
    }

    /// True if translations have to be invalidated before any guest code is run.
    #[inline]
    pub(super) fn has_code_events(&self) -> bool {
        self.memory.has_code_events() || self.invalidation.busy()
    }

    #[cold]
    fn renew(&self, epoch: u64) -> io::Result<()> {
        let mut current = lock(&self.generation);
        self.renew_shared(&mut current)?;
        self.epoch.store(epoch, Ordering::Release);
        Ok(())
    }

    /// True if the guest has the code still that others have whose translations it shares.
    #[must_use]
    pub fn shares_code(&self) -> bool {
        self.shares.load(Ordering::Acquire)
            && self.epoch.load(Ordering::Acquire) != MUST_LEAVE
            && !self.has_code_events()
    }

    /// From now on translations are the machine's own. It must be stopped.
    pub fn leave_shared_code(&self) {
        if self.shares.load(Ordering::Acquire) {
            self.epoch.store(MUST_LEAVE, Ordering::Release);
        }
    }

    /// Replaces a code cache that is shared with other machines or, in a child process, with the
    /// parent.
    fn renew_shared(&self, current: &mut Option<Arc<Generation>>) -> io::Result<()> {
        let shares = self.shares.load(Ordering::Acquire);
        let stays = |g: &Arc<Generation>| !shares && g.cache.arena.is_private();
        if let Some(old) = current.as_ref().filter(|g| !stays(g)) {
            let options = Options { exact_flags: old.cache.exact_flags, ..self.options.clone() };
            let new =
                Self::make_generation(&options, self.memory.size(), (&self.counts, &self.marks))?;
            new.cache.set_shared(lock(&self.harts).len() > 1);
            self.generation_id.store(new.cache.id, Ordering::Release);
            self.shares.store(false, Ordering::Release);
            *current = Some(new);
        }
        Ok(())
    }

    pub(super) fn verifies(&self) -> bool {
        self.options.engine == EngineKind::Verify
    }

    /// Tells the observer of a difference between translated code and the interpreter.
    pub(super) fn differs(&self, difference: &Difference) {
        if let Some(o) = &mut *lock(&self.observer) {
            o.differs(difference);
        }
    }

    /// Code for `pc` in `generation`; `None` if that is full, and a new one is current then.
    pub(super) fn translate(
        &self,
        generation: &Generation,
        key: BlockKey,
    ) -> io::Result<Option<CodePtr>> {
        let (cache, options) = (&generation.cache, &self.options);
        self.with_observer(cache, |observer| {
            cache.translate(key, self.code(), options, &self.counters, observer)
        })
    }

    /// Sees to a loop in `generation` that is hot, for which the block at an address has counted.
    /// If there is no room for it, a new generation is current then.
    pub(super) fn heat(&self, generation: &Generation, hot: (HotLoop, u64)) -> io::Result<()> {
        let (cache, options) = (&generation.cache, &self.options);
        let heat =
            |observer: &mut _| cache.heat(hot, self.code(), options, &self.counters, observer);
        self.with_observer(cache, heat).map(|_| ())
    }

    /// What `translate` makes, in `cache`; `None` if that is full, and a new one is current then.
    fn with_observer<T>(
        &self,
        cache: &CodeCache,
        translate: impl FnOnce(&mut Option<Box<dyn Observer>>) -> Result<T, Full>,
    ) -> io::Result<Option<T>> {
        let result = if self.observed.load(Ordering::Acquire) {
            translate(&mut lock(&self.observer))
        } else {
            translate(&mut None)
        };
        match result {
            Ok(made) => Ok(Some(made)),
            Err(why) => {
                self.replace_generation(cache.id, why)?;
                Ok(None)
            }
        }
    }

    /// Translates the blocks at `pcs` as running them would, as far as they are addresses of code
    /// and the engine translates.
    ///
    /// # Errors
    /// What the host says to a new code cache, if the old one is full.
    pub fn prepare(&self, pcs: impl IntoIterator<Item = u64>) -> io::Result<()> {
        let Some(mut generation) = self.generation() else { return Ok(()) };
        for pc in pcs {
            if pc & 1 == 0
                && pc / 2 < generation.cache.table.limit()
                && self.translate(&generation, BlockKey::new(pc))?.is_none()
                && let Some(new) = self.generation()
            {
                generation = new;
            }
        }
        Ok(())
    }

    /// Makes a new generation unless somebody has replaced `old` already.
    fn replace_generation(&self, old: u64, why: Full) -> io::Result<()> {
        let mut current = lock(&self.generation);
        if let Some(full) = current.as_ref().filter(|g| g.cache.id == old) {
            let exact_flags = full.cache.exact_flags || why == Full::NeedsExactFlags;
            let options = Options { exact_flags, ..self.options.clone() };
            let new =
                Self::make_generation(&options, self.memory.size(), (&self.counts, &self.marks))?;
            new.cache.set_shared(lock(&self.harts).len() > 1);
            self.generation_id.store(new.cache.id, Ordering::Release);
            self.shares.store(false, Ordering::Release);
            *current = Some(new);
            add(&self.counters.flushes, 1);
        }
        Ok(())
    }

    /// Makes all writes to code visible to the fetches of the calling hart: `fence.i`.
    pub(super) fn fence_i(&self) {
        let turn = self.invalidation.take();
        for page in self.memory.take_dirty_code() {
            self.invalidate(page..page + PAGE_SIZE);
        }
        drop(turn);
        self.serve_code_events();
    }

    /// Makes all writes to code visible to the fetches of all harts: `riscv_flush_icache`.
    pub fn flush_icache(&self) {
        self.fence_i();
        self.kick_all();
    }

    /// Forgets translations of what was unmapped or protected since the last call. Returns when
    /// that is done, also if another hart does it.
    pub(super) fn serve_code_events(&self) {
        // The events are taken with the lock held.
        if self.has_code_events() {
            let _turn = self.invalidation.take();
            for CodeEvent::Void(range) in self.memory.take_code_events() {
                self.invalidate(range);
            }
            self.kick_all();
        }
    }

    fn invalidate(&self, range: std::ops::Range<u64>) {
        self.code_epoch.fetch_add(1, Ordering::AcqRel);
        if self.options.mark {
            lock(&self.marks).forget(&range);
        }
        if self.shares.load(Ordering::Acquire) {
            self.leave_shared_code();
        } else if let Some(generation) = self.generation() {
            generation.cache.invalidate(range, &self.counters);
        }
    }

    /// The code to translate.
    fn code(&self) -> GuestCode<'_> {
        GuestCode {
            memory: &self.memory,
            breakpoints: &self.breakpoints,
            compressed: self.isa().has(Ext::Zca),
        }
    }

    /// Makes every hart that comes to `pc` stop there with [`Exit::Ebreak`](crate::cpu::Exit), or
    /// no longer. Memory stays as it is. For harts that run at this moment it holds soon.
    pub fn set_breakpoint(&self, pc: u64, on: bool) {
        let pc = self.memory.effective(pc);
        if self.breakpoints.set(pc, on) {
            self.forget_code(pc..pc.saturating_add(4));
        }
    }

    /// True if execution stops at `pc`, other than by what is in memory there.
    #[must_use]
    pub fn is_breakpoint(&self, pc: u64) -> bool {
        self.breakpoints.contains(self.memory.effective(pc))
    }

    /// Removes all breakpoints.
    pub fn clear_breakpoints(&self) {
        for pc in self.breakpoints.all() {
            self.set_breakpoint(pc, false);
        }
    }

    /// Forgets translations of a range of addresses, such as one that somebody has written to who
    /// is not the guest.
    pub fn forget_code(&self, range: std::ops::Range<u64>) {
        let turn = self.invalidation.take();
        self.invalidate(range);
        drop(turn);
        self.kick_all();
    }

    /// Forgets all translations at once, if the caller has the machine's only hart, which is not
    /// running.
    pub(super) fn forget_translations(&self) -> bool {
        let harts = lock(&self.harts);
        let alone = harts.iter().filter(|h| h.strong_count() > 0).count() <= 1;
        let alone = alone && !self.shares.load(Ordering::Acquire);
        if alone {
            // Whoever adds a hart waits for the lock.
            if let Some(generation) = self.generation() {
                generation.cache.clear();
            }
        }
        alone
    }

    pub(super) fn add_hart(&self, hart: &Arc<Shared>) {
        let several = {
            let mut harts = lock(&self.harts);
            harts.retain(|h| h.strong_count() > 0);
            harts.push(Arc::downgrade(hart));
            harts.len() > 1
        };
        if let Some(generation) = self.generation()
            && !self.shares.load(Ordering::Acquire)
        {
            generation.cache.set_shared(several);
        }
    }

    /// True if there are several harts.
    pub(super) fn has_several_harts(&self) -> bool {
        lock(&self.harts).iter().filter(|h| h.strong_count() > 0).count() > 1
    }

    /// Makes [`Cpu::run`](super::Cpu::run) return for every hart, as
    /// [`Interrupter::interrupt`](super::Interrupter::interrupt) does.
    pub fn interrupt_all(&self) {
        for hart in lock(&self.harts).iter().filter_map(Weak::upgrade) {
            hart.interrupt();
        }
    }

    /// Makes all harts look at what has changed.
    pub(super) fn kick_all(&self) {
        for hart in lock(&self.harts).iter().filter_map(Weak::upgrade) {
            hart.kick();
        }
    }

    /// Runs `fork`, which calls the host's and returns 0 in the child. Locks are held across it, so
    /// that the child finds them free. The child goes on with the parent's translations if their
    /// memory is private; else it gets a code cache of its own. The one hart that goes on there
    /// must say so ([`Cpu::after_fork`](super::Cpu::after_fork)).
    ///
    /// # Errors
    /// What `fork` returns, or in the child that there is no memory for a code cache.
    pub fn fork(&self, fork: impl FnOnce() -> io::Result<i32>) -> io::Result<i32> {
        // Its holder may wait for the invalidation lock.
        let _baton = self.verifies().then(|| self.baton.hold());
        let _turn = self.invalidation.take();
        let mut current = lock(&self.generation);
        let mut harts = lock(&self.harts);
        let _observer = lock(&self.observer);
        let _breakpoints = self.breakpoints.hold();
        let old = current.clone();
        let cache = old.as_ref().map(|g| g.cache.freeze());
        let marks = lock(&self.marks);
        let memory = self.memory.freeze();
        let result = fork();
        drop(memory);
        drop(marks);
        drop(cache);
        if matches!(result, Ok(0)) {
            self.counters.clear();
            if !self.options.mark {
                self.counts.clear();
            }
            harts.clear();
            self.renew_shared(&mut current)?;
            self.epoch.store(forks::epoch(), Ordering::Release);
            self.memory.after_fork();
        }
        result
    }

    /// Translates the block at `pc` for a look at it, without keeping it.
    ///
    /// # Errors
    /// What the host says to a code cache of its own.
    pub fn translate_for_dump(&self, pc: u64) -> io::Result<Translation> {
        use std::sync::mpsc::{Sender, channel};
        struct Keep(Sender<Translation>);
        impl Observer for Keep {
            fn translated(&mut self, block: &super::TranslatedBlock<'_>) {
                // The receiver lives until the translation is done.
                let _ = self.0.send(Translation {
                    ir: block.ir.clone(),
                    hot_at: block.hot_at,
                    hot: block.hot.to_vec(),
                    cold_at: block.cold_at,
                    cold: block.cold.to_vec(),
                });
            }
        }
        let (send, receive) = channel();
        let mut observer: Option<Box<dyn Observer>> = Some(Box::new(Keep(send)));
        let cache =
            CodeCache::new(&self.options, self.memory.size(), (&Arc::default(), &Arc::default()))?;
        let counters = Counters::default();
        // A new cache has room for any one block.
        let options = Options { count: false, mark: false, ..self.options.clone() };
        let key = BlockKey::new(pc);
        let _ = cache.translate(key, self.code(), &options, &counters, &mut observer);
        receive.try_recv().map_err(io::Error::other)
    }
}
