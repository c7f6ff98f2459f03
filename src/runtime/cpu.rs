//! One hart: the loop around translated code and interpreter.

use super::cache::CodeCache;
use super::helpers::{HelperContext, interpret_one, read_counter};
use super::host::{NO_TRAPS, fp_flags, load_fp, note_fp};
use super::lockstep::Lockstep;
use super::machine::{Generation, Machine};
use super::regions::HotLoop;
use super::serve::nobody;
use super::stats::add;
use super::stop::StopRequests;
use super::thread::{Entry, Remote, Thread};
use super::units::BlockKey;
use super::unlinked::UnlinkedBlock;
use crate::backend::{ExitReason, ThreadState};
use crate::cpu::{Exit, Hart, Vector, VectorUnit};
use crate::interp::{self, Interp, Watchpoint};
use crate::ir::ExitKind;
use crate::sys::signal::ensure_alt_stack;
use crate::sys::ucontext::Registers;
use crate::util::{CodePtr, HostAddr};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stop request: `run` returns.
const INTERRUPT: u32 = 1;
/// Something has changed that the hart must look at.
const KICK: u32 = 2;

/// Part of a hart that other threads access.
pub(super) struct Shared {
    requests: StopRequests,
    /// The interpreter's stop flag: set while there is a request.
    stop: AtomicBool,
    remote: Remote,
}

impl Shared {
    fn raise(&self, flag: u32) {
        self.requests.raise(flag, || self.arm());
    }

    fn arm(&self) {
        self.stop.store(true, Ordering::Release);
        self.remote.arm();
    }

    pub(super) fn interrupt(&self) {
        self.raise(INTERRUPT);
    }

    pub(super) fn kick(&self) {
        self.raise(KICK);
    }
}

/// Stops a hart from anywhere.
#[derive(Clone)]
pub struct Interrupter(Arc<Shared>);

impl std::fmt::Debug for Interrupter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interrupter")
    }
}

impl Interrupter {
    /// Makes [`Cpu::run`] return [`Exit::Interrupted`] soon, or at once when it is called next.
    /// Async-signal-safe.
    pub fn interrupt(&self) {
        self.0.interrupt();
    }
}

/// One hart.
pub struct Cpu {
    machine: Arc<Machine>,
    thread: Thread,
    shared: Arc<Shared>,
    context: Box<HelperContext>,
    /// `None` with the interpreter alone.
    generation: Option<Arc<Generation>>,
    /// The cache's count of invalidations at which the return stack was last in order.
    returns_at: u64,
    interp: Interp,
    interp_epoch: u64,
    /// Runs of translated code under way whose environment calls are served, one inside the other.
    serving: u32,
    /// Code caches from which one of them has come.
    left_behind: Vec<Arc<Generation>>,
    /// With `EngineKind::Verify`, but while it is used.
    pub(super) lockstep: Option<Box<Lockstep>>,
}

impl std::fmt::Debug for Cpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cpu").field("hart", self.hart()).finish_non_exhaustive()
    }
}

impl Cpu {
    /// A hart of `machine`, all registers zero.
    ///
    /// # Errors
    /// The host has no memory for its state.
    pub fn new(machine: Arc<Machine>) -> io::Result<Self> {
        let mut thread = Thread::new()?;
        let shared = Arc::new(Shared {
            requests: StopRequests::new(),
            stop: AtomicBool::new(false),
            remote: thread.remote(),
        });
        machine.add_hart(&shared);
        let mut context = Box::new(HelperContext { machine: Arc::as_ptr(&machine), exit: None });
        let state = thread.state_mut();
        state.hart.vector_unit = VectorUnit::of(machine.isa());
        state.context = &raw mut *context as u64;
        state.helper = interpret_one as *const () as u64;
        state.counter = read_counter as *const () as u64;
        state.serve = nobody as *const () as u64;
        state.no_traps = if machine.options().fp_traps { 0 } else { NO_TRAPS };
        state.memory_base = machine.memory().base().0 as u64;
        let generation = machine.generation();
        let mut cpu = Self {
            thread,
            shared,
            context,
            generation,
            returns_at: 0,
            serving: 0,
            left_behind: Vec::new(),
            interp: match &machine.noted {
                Some(noted) => Interp::noting(Arc::clone(noted)),
                None => Interp::new(),
            },
            interp_epoch: machine.code_epoch.load(Ordering::Acquire),
            lockstep: machine.verifies().then(|| Box::new(Lockstep::new(&machine))),
            machine,
        };
        cpu.adopt_generation();
        Ok(cpu)
    }

    /// The hart's state.
    #[must_use]
    #[inline]
    pub fn hart(&self) -> &Hart {
        &self.thread.state().hart
    }

    /// The hart's state, to be changed between runs.
    #[inline]
    pub fn hart_mut(&mut self) -> &mut Hart {
        &mut self.thread.state_mut().hart
    }

    /// The machine it belongs to.
    #[must_use]
    #[inline]
    pub fn machine(&self) -> &Arc<Machine> {
        &self.machine
    }

    /// Something to stop this hart with.
    #[must_use]
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(Arc::clone(&self.shared))
    }

    /// Runs until something must be served. `fence.i` is served here.
    pub fn run(&mut self) -> Exit {
        let may_translate = self.may_translate();
        let _turn = self.take_turn();
        loop {
            if let Some(exit) = self.run_once(may_translate) {
                return exit;
            }
        }
    }

    /// As [`Self::run`], but may come back before something must be served.
    pub(super) fn run_some(&mut self) -> Option<Exit> {
        let may_translate = self.may_translate();
        let _turn = self.take_turn();
        self.run_once(may_translate)
    }

    fn run_once(&mut self, may_translate: bool) -> Option<Exit> {
        if self.take_flags() {
            return Some(Exit::Interrupted);
        }
        self.machine.serve_code_events();
        // What has just been served may have been a change of code that was shared.
        let may_translate = may_translate && self.machine.own_generation().is_ok();
        let stopped = if self.machine.is_traced() {
            self.run_singly()
        } else if may_translate && self.hart().frm <= 3 {
            if self.machine.verifies() { self.run_verified() } else { self.run_translated() }
        } else {
            self.run_interpreted()
        };
        self.without_fence(stopped)
    }

    /// Serves `fence.i`.
    #[inline]
    pub(super) fn without_fence(&mut self, stopped: Option<Exit>) -> Option<Exit> {
        if stopped != Some(Exit::FenceI) {
            return stopped;
        }
        self.machine.memory().expect_fences(0..u64::MAX);
        self.machine.fence_i();
        self.hart_mut().pc = self.hart().pc.wrapping_add(4);
        self.charge();
        None
    }

    /// Instructions that the hart may still execute, with
    /// [`Options::meter`](super::Options::meter): each that completes is one. What an exit reports,
    /// such as an environment call, is to be charged by whoever serves it.
    #[must_use]
    #[inline]
    pub fn fuel(&self) -> u64 {
        self.thread.state().fuel as u64
    }

    /// Sets what [`Self::fuel`] is, to 2^63 - 1 at most.
    #[inline]
    pub fn set_fuel(&mut self, insns: u64) {
        self.thread.state_mut().fuel = i64::try_from(insns).unwrap_or(i64::MAX);
    }

    /// Charges one instruction, where they are metered.
    #[inline]
    pub fn charge(&mut self) {
        if self.machine.options().meter {
            self.thread.state_mut().fuel -= 1;
        }
    }

    /// What comes of a pc at which nothing is left. A function that has returned is done.
    fn out_of_fuel(&self) -> Exit {
        let state = self.thread.state();
        let returned = state.hart.pc == state.call_return && state.call_return != 0;
        if returned { Exit::Ebreak } else { Exit::OutOfFuel }
    }

    /// Sets the guest address to which functions return that are called from outside; there is an
    /// `ebreak` at it, for ever.
    pub fn set_call_return(&mut self, pc: u64) {
        self.thread.state_mut().call_return = pc;
    }

    /// Translated code for the pc, if there is some and nothing else must be looked at.
    #[inline]
    pub(super) fn ready_code(&self) -> Option<CodePtr> {
        let cache = &self.generation.as_ref()?.cache;
        let ready = self.is_undisturbed(cache) && ensure_alt_stack().is_ok();
        if ready { cache.table.get(self.hart().pc) } else { None }
    }

    /// True if code of `cache` may go on where it is left now, and be entered where it was before.
    #[inline]
    pub(super) fn is_undisturbed(&self, cache: &CodeCache) -> bool {
        cache.id == self.machine.generation_id()
            && cache.invalidations.load(Ordering::Acquire) == self.returns_at
            && !self.shared.requests.any()
            && !self.machine.has_code_events()
            && !self.machine.is_traced()
            && self.machine.is_own_process()
            && self.hart().frm <= 3
    }

    /// Makes the state ready for code at `code`, which is called or jumped to.
    #[inline]
    pub(super) fn begin_serving(&mut self, code: CodePtr, call: bool) -> Entry {
        self.serving += 1;
        let cache = self.cache();
        let stub = if call { cache.stubs.enter_call } else { cache.stubs.enter };
        let arena = cache.arena.exec_base();
        load_fp(self.thread.state_mut());
        self.thread.entry(arena, stub, code)
    }

    /// The code has been left.
    #[inline]
    pub(super) fn end_serving(&mut self) {
        self.serving -= 1;
        if self.serving == 0 && !self.left_behind.is_empty() {
            self.left_behind.clear();
        }
        let state = self.thread.state_mut();
        note_fp(state);
    }

    #[inline]
    pub(super) fn state_mut(&mut self) -> &mut ThreadState {
        self.thread.state_mut()
    }

    /// True if translated code can be run here: there is a code cache that is not another
    /// process's, and a stack for the fault handler. The interpreter needs neither.
    fn may_translate(&self) -> bool {
        self.machine.translates()
            && ensure_alt_stack().is_ok()
            && self.machine.own_generation().is_ok()
    }

    /// To be called in the child of [`Machine::fork`], where this hart is the only one.
    pub fn after_fork(&self) {
        self.machine.add_hart(&self.shared);
    }

    /// Executes translated code from the pc on until it is left: at a jump to what has not been
    /// translated, by an exit, and if `armed` at the first poll or indirect jump. Only the block
    /// at the pc is translated for it. `None`: the hart is at an instruction boundary, perhaps the
    /// same as before, from which it can go on. For who compares engines piece by piece.
    pub fn run_piece(&mut self, armed: bool) -> Option<Exit> {
        if !self.may_translate() {
            return self.step().err();
        }
        if self.take_flags() {
            return Some(Exit::Interrupted);
        }
        self.machine.serve_code_events();
        if self.hart().frm > 3 {
            return self.step().err();
        }
        let code = loop {
            self.adopt_changes();
            let pc = self.hart().pc;
            if let Some(code) = self.cache().table.get(pc) {
                break code;
            }
            match self.translate(pc) {
                Some(Ok(code)) => break code,
                Some(Err(exit)) => return exit,
                None => {}
            }
        };
        if armed {
            self.shared.remote.arm();
        }
        let exit = self.enter(code);
        if armed {
            self.disarm();
        }
        exit
    }

    /// Translates the code at `pc` for later, if there is some that can be.
    pub fn translate_ahead(&mut self, pc: u64) {
        self.machine.serve_code_events();
        self.adopt_changes();
        if let Some(generation) = &self.generation
            && pc & 1 == 0
            && pc / 2 < generation.cache.table.limit()
        {
            // What cannot be translated now may be so when it is executed.
            let _ = self.machine.translate(generation, BlockKey::new(pc));
        }
    }

    /// Forgets all translations of the machine, and predictions of returns, as if nothing had been
    /// executed yet. False if it has other harts: then nothing has changed.
    pub fn forget_translations(&mut self) -> bool {
        self.machine.forget_translations()
    }

    /// Executes one instruction with the interpreter.
    ///
    /// # Errors
    /// Why it did not complete.
    pub fn step(&mut self) -> Result<(), Exit> {
        let metered = self.machine.options().meter;
        if metered && self.fuel() == 0 {
            return Err(self.out_of_fuel());
        }
        let result = self.step_unmetered();
        if metered && result.is_ok() {
            self.charge();
        }
        result
    }

    fn step_unmetered(&mut self) -> Result<(), Exit> {
        let hart = &mut self.thread.state_mut().hart;
        let (memory, isa) = (self.machine.memory(), self.machine.isa());
        if self.machine.is_traced() {
            let number = Arc::as_ptr(&self.shared).addr() as u64;
            return self.machine.step_traced(number, hart);
        }
        if self.machine.noted.is_some() {
            return self.machine.step_noted(hart);
        }
        interp::step(hart, memory, isa)
    }

    /// As [`Self::step`], and says which of `watchpoints` the instruction has touched.
    ///
    /// # Errors
    /// Why it did not complete.
    pub fn step_watched(
        &mut self,
        watchpoints: &[Watchpoint],
    ) -> Result<Option<interp::Touched>, Exit> {
        let hart = &mut self.thread.state_mut().hart;
        interp::step_watched(hart, self.machine.memory(), self.machine.isa(), watchpoints)
    }

    /// Takes stop requests; true if `run` must return.
    fn take_flags(&mut self) -> bool {
        if !self.shared.requests.any() {
            return false;
        }
        let taken = self.shared.requests.take();
        self.disarm();
        taken & INTERRUPT != 0
    }

    /// Lets translated code run on, unless there is a stop request.
    fn disarm(&self) {
        let disarm = || {
            self.shared.stop.store(false, Ordering::Release);
            self.shared.remote.disarm(self.table_limit());
        };
        self.shared.requests.disarm(disarm, || self.shared.arm());
    }

    fn run_interpreted(&mut self) -> Option<Exit> {
        if self.machine.breakpoints.any() {
            return self.run_singly();
        }
        let epoch = self.machine.code_epoch.load(Ordering::Acquire);
        if epoch != self.interp_epoch {
            self.interp.clear();
            self.interp_epoch = epoch;
        }
        // With a rounding mode that only the interpreter knows, it runs until that changes.
        let mut budget = if self.machine.translates() { 64 } else { u64::MAX };
        let metered = self.machine.options().meter;
        if metered {
            budget = budget.min(self.fuel());
            if budget == 0 {
                return Some(self.out_of_fuel());
            }
        }
        let hart = &mut self.thread.state_mut().hart;
        let (memory, isa) = (self.machine.memory(), self.machine.isa());
        let (exit, n) = self.interp.run(hart, memory, isa, budget, &self.shared.stop);
        self.machine.tell_noted();
        add(&self.machine.counters.interpreted, n);
        if metered {
            self.thread.state_mut().fuel -= n as i64;
        }
        match exit {
            Exit::OutOfFuel if metered && self.fuel() == 0 => Some(self.out_of_fuel()),
            Exit::OutOfFuel => None,
            // The loop looks at the flags; if they were taken already, we must not stop again.
            Exit::Interrupted => {
                self.disarm();
                None
            }
            exit => Some(exit),
        }
    }

    /// As [`Self::run_interpreted`], looking for a breakpoint at each instruction, of which the
    /// observer may be told.
    fn run_singly(&mut self) -> Option<Exit> {
        /// Instructions until the loop around looks whether there is something else to do.
        const BUDGET: u32 = 64;
        for _ in 0..BUDGET {
            if self.at_breakpoint() {
                return Some(Exit::Ebreak);
            }
            if let Err(exit) = self.step() {
                return Some(exit);
            }
        }
        None
    }

    /// True if the machine has a breakpoint at the pc.
    #[must_use]
    pub fn at_breakpoint(&self) -> bool {
        self.machine.is_breakpoint(self.hart().pc)
    }

    /// Runs translated code until it must be left for good (`Some`) or for something that the
    /// loop around looks at.
    fn run_translated(&mut self) -> Option<Exit> {
        self.adopt_changes();
        let pc = self.hart().pc;
        let code = match self.cache().table.get(pc) {
            Some(code) => code,
            None => match self.translate(pc)? {
                Ok(code) => code,
                Err(exit) => return exit,
            },
        };
        self.enter(code)
    }

    /// Takes note of a new code cache and of invalidated blocks.
    pub(super) fn adopt_changes(&mut self) {
        if self.cache().id != self.machine.generation_id() {
            let old = std::mem::replace(&mut self.generation, self.machine.generation());
            if self.serving > 0 {
                self.left_behind.extend(old);
            }
            self.adopt_generation();
        }
        let invalidations = self.cache().invalidations.load(Ordering::Acquire);
        if invalidations != self.returns_at {
            self.returns_at = invalidations;
            let empty = self.return_empty();
            self.thread.reset_returns(empty);
        }
    }

    /// Runs the code at `code` until it is left.
    pub(super) fn enter(&mut self, code: CodePtr) -> Option<Exit> {
        let state = self.thread.state_mut();
        load_fp(state);
        let (base, stub) = (self.cache().arena.exec_base(), self.cache().stubs.enter);
        let kind = self.thread.enter(base, stub, code);
        let state = self.thread.state_mut();
        note_fp(state);
        self.left(ExitReason::from_raw(kind))
    }

    /// The block for `key` in a cache whose blocks are not connected; `None` if there is none.
    pub(super) fn unlinked_block(&mut self, key: BlockKey) -> Option<Arc<UnlinkedBlock>> {
        if key.pc & 1 != 0 || key.pc / 2 >= self.table_limit() {
            return None;
        }
        if let Some(found) = self.cache().find_unlinked(key) {
            return Some(found);
        }
        while let Some(generation) = self.generation.clone()
            && let Ok(None) = self.machine.translate(&generation, key)
        {
            self.adopt_changes();
        }
        self.cache().find_unlinked(key)
    }

    /// Runs a block that is not connected. `polled`: it is left at the next poll too.
    pub(super) fn enter_unlinked(&mut self, code: CodePtr, polled: bool) -> Option<Exit> {
        let empty = self.return_empty();
        self.thread.reset_returns(empty);
        if polled {
            self.shared.remote.arm();
        }
        let exit = self.enter(code);
        if polled {
            self.disarm();
        }
        exit
    }

    /// Has a loop seen to for which the block at the pc has counted.
    fn heat(&mut self, hot: HotLoop) -> Option<Exit> {
        let generation = self.generation.as_ref()?;
        // Without memory for a new code cache the block goes on as it is.
        let _ = self.machine.heat(generation, (hot, self.thread.state().hart.pc));
        None
    }

    /// What the blocks of the code cache depend on.
    #[inline]
    pub(super) fn version(&self) -> (u64, u64) {
        (self.cache().id, self.returns_at)
    }

    /// Code for `pc`. `None`: the loop must go round again. An inner `Err` is what to return
    /// from [`Self::run_translated`].
    fn translate(&mut self, pc: u64) -> Option<Result<CodePtr, Option<Exit>>> {
        let generation = self.generation.as_ref();
        let Some(generation) = generation.filter(|g| pc & 1 == 0 && pc / 2 < g.cache.table.limit())
        else {
            // No block begins there; the interpreter knows what happens.
            return Some(Err(self.run_interpreted()));
        };
        let mut key = BlockKey::new(pc);
        key.mode.vectors = self.hart().vector.as_deref().and_then(Vector::config);
        match self.machine.translate(generation, key) {
            // Other pages with code may have lost their protection for this one's.
            Ok(Some(_)) if self.machine.memory().has_code_events() => None,
            Ok(Some(code)) => Some(Ok(code)),
            Ok(None) => None,
            // No memory for a new code cache: slowly is better than not at all.
            Err(_) => Some(Err(self.step().err())),
        }
    }

    /// What comes of leaving translated code for a reason.
    pub(super) fn left(&mut self, kind: ExitReason) -> Option<Exit> {
        if matches!(kind, ExitReason::Exit | ExitReason::Serve) {
            self.give_back();
        }
        let counters = &self.machine.counters;
        let payload = self.thread.state().payload;
        match kind {
            ExitReason::Link => {
                add(&counters.link_exits, 1);
                self.hart_mut().pc = self.cache().link_target(payload);
                None
            }
            ExitReason::Lookup => {
                add(&counters.lookup_exits, 1);
                self.hart_mut().pc = payload & !1;
                if self.thread.state().table_limit == 0 {
                    self.disarm();
                }
                None
            }
            ExitReason::Exit => match ExitKind::from_raw(payload) {
                ExitKind::Ecall => {
                    add(&counters.ecalls, 1);
                    Some(Exit::Ecall)
                }
                ExitKind::Ebreak => Some(Exit::Ebreak),
                ExitKind::FenceI => Some(Exit::FenceI),
                ExitKind::Fetch => self.step().err(),
            },
            ExitReason::Return => Some(self.returned()),
            ExitReason::Serve => {
                add(&counters.ecalls, 1);
                Some(Exit::Ecall)
            }
            ExitReason::Fuel if self.thread.state().fuel_floor != 0 => {
                self.disarm();
                None
            }
            // Fewer than a block has: the interpreter counts them.
            ExitReason::Fuel => self.run_interpreted(),
            ExitReason::Hot => self.heat(HotLoop::from_payload(payload)),
            ExitReason::Helper => {
                // The fault point is the last byte of the call.
                let at = HostAddr(self.thread.pop_return().0 - 1);
                let next = self.hart().pc;
                // The stub has brought the map's registers home, and no other one holds anything
                // across a call.
                self.recover(at, None);
                self.hart_mut().pc = next;
                if self.context.exit.is_none() {
                    self.charge();
                }
                self.context.exit.take()
            }
            ExitReason::Fault => {
                add(&counters.faults, 1);
                self.left_by_fault()
            }
        }
    }

    /// The function that was called has returned.
    #[inline]
    pub(super) fn returned(&mut self) -> Exit {
        let state = self.thread.state_mut();
        state.hart.pc = state.call_return;
        Exit::Ebreak
    }

    /// Gives back what was paid for an instruction that has not been executed: the last of its
    /// block.
    #[inline]
    pub(super) fn give_back(&mut self) {
        if self.machine.options().meter {
            self.thread.state_mut().fuel += 1;
        }
    }

    fn left_by_fault(&mut self) -> Option<Exit> {
        let saved = self.thread.state().fault;
        let state = self.thread.state_mut();
        state.return_sp = saved.general[super::host::STACK_REGISTER];
        state.guest_fp = saved.fp_control;
        state.hart.fflags = fp_flags(saved.fp_control);
        self.recover(saved.pc, Some(&saved));
        if self.thread.is_poll(saved.fault_addr) {
            // Who was slow to arm may have done so after its flag was taken.
            self.disarm();
            return None;
        }
        // The interpreter finds the exact fault, or that its cause is gone.
        self.step().err()
    }

    /// Makes the hart's state that at host address `at`, where translated code was left with
    /// `saved` in the host's registers, or with the map's registers in their slots.
    fn recover(&mut self, at: HostAddr, saved: Option<&Registers>) {
        let cache = self.cache();
        let Some(restore) = cache.arena.place(at).and_then(|place| cache.restore(place)) else {
            // Every instruction that may fault has a fault point: this is a bug of the emitter.
            unreachable!("translated code was left at {at}, where it cannot be left")
        };
        restore.apply(self.hart_mut(), saved);
        self.thread.state_mut().fuel += i64::from(restore.unused);
    }

    /// The code cache of a hart that translates.
    #[inline]
    pub(super) fn cache(&self) -> &CodeCache {
        let Some(generation) = &self.generation else {
            unreachable!("the interpreter runs no translated code")
        };
        &generation.cache
    }

    /// Entries of the table.
    fn table_limit(&self) -> u64 {
        self.generation.as_ref().map_or(0, |g| g.cache.table.limit())
    }

    fn return_empty(&self) -> HostAddr {
        let cache = self.cache();
        HostAddr(cache.arena.exec_base().0 + cache.stubs.return_empty.0 as usize)
    }

    /// Makes the state ready for code of `self.generation`.
    fn adopt_generation(&mut self) {
        if self.generation.is_none() {
            return;
        }
        let empty = self.return_empty();
        let cache = self.cache();
        let returns_at = cache.invalidations.load(Ordering::Acquire);
        let (table, limit) = (cache.table.base().0 as u64, cache.table.limit());
        let arena = cache.arena.exec_base().0 as u64;
        self.returns_at = returns_at;
        let state = self.thread.state_mut();
        (state.table, state.arena) = (table, arena);
        let remote = &self.shared.remote;
        self.shared.requests.disarm(|| remote.disarm(limit), || remote.arm());
        self.thread.reset_returns(empty);
    }
}
