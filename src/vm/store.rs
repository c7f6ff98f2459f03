//! The store: the host's data and the instances that can see it.

use super::engine::Engine;
use super::error::{Error, ErrorKind, Result, Trap};
use super::linker::Handlers;
use super::load::Layout;
use crate::runtime::{Cpu, Interrupter};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// Owner of the host's data and of all instances made in it. Host functions reach the data
/// through [`Caller`](super::Caller); when the store is dropped, so is the guests' memory.
///
/// It may be made, used and dropped on different threads, and stores in any order.
pub struct Store<T> {
    id: u64,
    engine: Engine,
    data: T,
    instances: Vec<InstanceState<T>>,
    interrupt: Arc<Interrupt>,
    /// Instructions that its guests may execute together. While one executes, its hart has them.
    pub(super) fuel: u64,
}

/// Number of an instance, and of the store that owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle {
    store: u64,
    index: usize,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// State of one instance.
pub(super) struct InstanceState<T> {
    pub(super) cpu: Cpu,
    pub(super) module: super::Module,
    pub(super) handlers: Arc<Handlers<T>>,
    pub(super) layout: Layout,
    /// Calls from the host that are under way, one inside the other.
    pub(super) depth: u32,
}

impl<T> Store<T> {
    /// An empty store.
    #[must_use]
    pub fn new(engine: &Engine, data: T) -> Self {
        let interrupt = Arc::new(Interrupt::default());
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Self { id, engine: engine.clone(), data, instances: Vec::new(), interrupt, fuel: 0 }
    }

    /// The engine it was made with.
    #[must_use]
    #[inline]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The host's data.
    #[must_use]
    pub fn data(&self) -> &T {
        &self.data
    }

    /// The host's data.
    #[must_use]
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.data
    }

    /// Gives the data back and drops the instances.
    #[must_use]
    pub fn into_data(self) -> T {
        self.data
    }

    /// Sets how many instructions the store's guests may still execute
    /// ([`Config::consume_fuel`](super::Config::consume_fuel)); more than 2<sup>63</sup> - 1 are
    /// as many as that.
    ///
    /// ```
    /// # use rvnative::vm::{Config, Engine, Linker, Module, Store, Trap};
    /// let engine = Engine::new(Config::new().consume_fuel(true))?;
    /// let module = Module::new(&engine, include_bytes!("../../examples/guest/plugin.elf"))?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Linker::new(&engine).instantiate(&mut store, &module)?;
    /// let spin = instance.get_typed_func::<(), ()>(&store, "spin")?;
    /// store.set_fuel(1_000_000)?;
    /// let error = spin.call(&mut store, ()).unwrap_err();
    /// assert_eq!(error.downcast_ref(), Some(&Trap::OutOfFuel));
    /// assert_eq!(store.get_fuel()?, 0);
    /// # Ok::<(), rvnative::vm::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`](super::ErrorKind) if the engine does not count instructions.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.check_fuel()?;
        self.fuel = fuel.min(i64::MAX as u64);
        Ok(())
    }

    /// How many instructions the store's guests may still execute.
    ///
    /// # Errors
    /// As [`Self::set_fuel`].
    pub fn get_fuel(&self) -> Result<u64> {
        self.check_fuel()?;
        Ok(self.fuel)
    }

    /// Takes `fuel` as if guests had executed so many instructions; what is left.
    ///
    /// # Errors
    /// [`Trap::OutOfFuel`](super::Trap) if there was less, of which nothing is left then; as
    /// [`Self::set_fuel`].
    pub fn consume_fuel(&mut self, fuel: u64) -> Result<u64> {
        self.check_fuel()?;
        let left = self.fuel.checked_sub(fuel);
        self.fuel = left.unwrap_or(0);
        left.ok_or_else(|| Trap::OutOfFuel.into())
    }

    fn check_fuel(&self) -> Result<()> {
        if self.engine.consumes_fuel() {
            return Ok(());
        }
        Err(Error::of(ErrorKind::Config, "the engine does not count instructions"))
    }

    /// A handle with which another thread or a signal handler can stop this store's guests.
    #[must_use]
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle(Arc::clone(&self.interrupt))
    }

    /// The data, and the instance, unless it is of another store: the host may have exchanged them.
    pub(super) fn into_parts(mut self, handle: Handle) -> (T, Option<InstanceState<T>>) {
        let own = handle.store == self.id && handle.index < self.instances.len();
        let state = own.then(|| self.instances.swap_remove(handle.index));
        (self.data, state)
    }

    pub(super) fn add(&mut self, state: InstanceState<T>) -> Handle {
        self.interrupt.head.append(state.cpu.interrupter());
        self.instances.push(state);
        Handle { store: self.id, index: self.instances.len() - 1 }
    }

    /// An instance of this store.
    ///
    /// # Panics
    /// If `handle` is that of an instance of another store, which is a mistake of the host.
    pub(super) fn instance(&self, handle: Handle) -> &InstanceState<T> {
        assert_eq!(handle.store, self.id, "{OTHER_STORE}");
        &self.instances[handle.index]
    }

    /// As [`Self::instance`].
    pub(super) fn instance_mut(&mut self, handle: Handle) -> &mut InstanceState<T> {
        assert_eq!(handle.store, self.id, "{OTHER_STORE}");
        &mut self.instances[handle.index]
    }

    /// The data, and an instance.
    pub(super) fn data_and_instance(&mut self, handle: Handle) -> (&mut T, &InstanceState<T>) {
        assert_eq!(handle.store, self.id, "{OTHER_STORE}");
        (&mut self.data, &self.instances[handle.index])
    }

    /// Lets the store's guests run until the engine's epoch is `ticks` further
    /// ([`Engine::increment_epoch`](super::Engine::increment_epoch)). From then on they stop with
    /// [`Trap::Interrupted`], also those that are called later, until this is called again. Without
    /// it they run as long as they like.
    ///
    /// ```
    /// # use rvnative::vm::{Engine, Linker, Module, Store, Trap};
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, include_bytes!("../../examples/guest/plugin.elf"))?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Linker::new(&engine).instantiate(&mut store, &module)?;
    /// let spin = instance.get_typed_func::<(), ()>(&store, "spin")?;
    /// // A thread that ticks; here it does so for one call.
    /// let clock = engine.clone();
    /// let ticker = std::thread::spawn(move || {
    ///     for _ in 0..3 {
    ///         std::thread::sleep(std::time::Duration::from_millis(1));
    ///         clock.increment_epoch();
    ///     }
    /// });
    /// store.set_epoch_deadline(2);
    /// let error = spin.call(&mut store, ()).unwrap_err();
    /// assert_eq!(error.downcast_ref(), Some(&Trap::Interrupted));
    /// # ticker.join().unwrap();
    /// # Ok::<(), rvnative::vm::Error>(())
    /// ```
    pub fn set_epoch_deadline(&mut self, ticks: u64) {
        self.engine.epochs().set_deadline(&self.interrupt, ticks);
    }

    /// True if the store's guests must not run (any longer).
    pub(super) fn must_stop(&self) -> bool {
        self.take_interrupt() || self.engine.epochs().is_past(&self.interrupt)
    }

    /// Takes a request to stop, if there is one.
    fn take_interrupt(&self) -> bool {
        let requested = &self.interrupt.requested;
        requested.load(Ordering::Acquire) && requested.swap(false, Ordering::AcqRel)
    }
}

const OTHER_STORE: &str = "an instance is used with the store that it was made in";

impl<T: std::fmt::Debug> std::fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({} instances, {:?})", self.instances.len(), self.data)
    }
}

/// Shared by a store and its handles.
#[derive(Default)]
pub(super) struct Interrupt {
    requested: AtomicBool,
    /// The epoch from which on no guest runs; 0 for none.
    deadline: AtomicU64,
    /// The engine's epochs know it.
    listed: AtomicBool,
    head: Node,
}

impl Interrupt {
    /// Makes all guests that run stop, and look whether they must. Async-signal-safe.
    fn kick(&self) {
        let mut node = Some(&self.head);
        while let Some(this) = node {
            this.items.iter().map_while(OnceLock::get).for_each(Interrupter::interrupt);
            node = this.next.get().map(|next| &**next);
        }
    }
}

/// A number that only grows, and the stores that stop at some value of it. The lock orders the two.
pub(super) struct Epochs {
    /// From 1 on, so that 0 is no deadline.
    current: AtomicU64,
    waiting: Mutex<Vec<Weak<Interrupt>>>,
}

impl Default for Epochs {
    fn default() -> Self {
        Self { current: AtomicU64::new(1), waiting: Mutex::default() }
    }
}

impl std::fmt::Debug for Epochs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Epochs({})", self.current.load(Ordering::Relaxed))
    }
}

impl Epochs {
    fn set_deadline(&self, interrupt: &Arc<Interrupt>, ticks: u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = self.current.load(Ordering::Acquire).saturating_add(ticks);
        interrupt.deadline.store(deadline, Ordering::Release);
        if !interrupt.listed.swap(true, Ordering::Relaxed) {
            // Where nobody counts, stores that are gone must not stay: looked for when there are
            // twice as many.
            if waiting.len().is_power_of_two() {
                waiting.retain(|store| store.strong_count() > 0);
            }
            waiting.push(Arc::downgrade(interrupt));
        }
    }

    fn is_past(&self, interrupt: &Interrupt) -> bool {
        let deadline = interrupt.deadline.load(Ordering::Acquire);
        deadline != 0 && deadline <= self.current.load(Ordering::Acquire)
    }

    /// The next epoch: stops the guests whose deadline it is.
    pub(super) fn increment(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.current.fetch_add(1, Ordering::AcqRel);
        waiting.retain(|store| {
            let Some(interrupt) = store.upgrade() else { return false };
            if self.is_past(&interrupt) {
                interrupt.kick();
            }
            true
        });
    }
}

/// A list that only grows, so that a signal handler can walk it without a lock.
struct Node {
    items: [OnceLock<Interrupter>; 64],
    next: OnceLock<Box<Node>>,
}

impl Default for Node {
    fn default() -> Self {
        Self { items: [const { OnceLock::new() }; 64], next: OnceLock::new() }
    }
}

impl Node {
    fn append(&self, interrupter: Interrupter) {
        let mut node = self;
        while let Some(next) = node.next.get() {
            node = next;
        }
        let node = match node.items.last() {
            Some(last) if last.get().is_some() => node.next.get_or_init(Box::default),
            _ => node,
        };
        // Only the store appends, and it is borrowed mutably: nobody was faster.
        if let Some(free) = node.items.iter().find(|item| item.get().is_none()) {
            let _ = free.set(interrupter);
        }
    }
}

/// Stops the guests of one store from outside; see [`Store::interrupt_handle`].
#[derive(Clone)]
pub struct InterruptHandle(Arc<Interrupt>);

impl InterruptHandle {
    /// Makes the guest that runs now stop soon with [`Trap::Interrupted`](super::Trap), or the
    /// next one at its start if none runs. Async-signal-safe.
    pub fn interrupt(&self) {
        self.0.requested.store(true, Ordering::Release);
        self.0.kick();
    }
}

impl std::fmt::Debug for InterruptHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InterruptHandle")
    }
}

/// What gives read access to a store: the store itself or a [`Caller`](super::Caller).
pub trait AsContext: sealed::Sealed {
    /// Type of the host's data.
    type Data;

    #[doc(hidden)]
    fn store(&self) -> &Store<Self::Data>;
}

/// Exclusive access to a store, for calls that change it.
pub trait AsContextMut: AsContext {
    #[doc(hidden)]
    fn store_mut(&mut self) -> &mut Store<Self::Data>;
}

impl<T> AsContext for Store<T> {
    type Data = T;

    fn store(&self) -> &Store<T> {
        self
    }
}

impl<T> AsContextMut for Store<T> {
    fn store_mut(&mut self) -> &mut Store<T> {
        self
    }
}

impl<C: AsContext> AsContext for &C {
    type Data = C::Data;

    fn store(&self) -> &Store<C::Data> {
        (**self).store()
    }
}

impl<C: AsContext> AsContext for &mut C {
    type Data = C::Data;

    fn store(&self) -> &Store<C::Data> {
        (**self).store()
    }
}

impl<C: AsContextMut> AsContextMut for &mut C {
    fn store_mut(&mut self) -> &mut Store<C::Data> {
        (**self).store_mut()
    }
}

pub(super) mod sealed {
    //! Keeps the context traits to the types of this library.

    /// Implemented by stores, callers and references to them.
    pub trait Sealed {}
    impl<T> Sealed for super::Store<T> {}
    impl<C: Sealed> Sealed for &C {}
    impl<C: Sealed> Sealed for &mut C {}
}
