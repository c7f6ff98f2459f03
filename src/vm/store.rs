//! The store: the host's data and the instances that can see it.

use super::engine::Engine;
use super::error::{Error, Result, Trap};
use super::linker::Handlers;
use crate::cpu::Hart;
use crate::runtime::{Cpu, Interrupter};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

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
}

/// Number of an instance, and of the store that owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle {
    store: u64,
    index: usize,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// Calls and runs of guests that are under way on this thread, one inside the other: it is the
    /// thread's stack that they take.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// State of one instance.
pub(super) struct InstanceState<T> {
    pub(super) cpu: Cpu,
    pub(super) module: super::Module,
    pub(super) handlers: Arc<Handlers<T>>,
    /// Address of an `ebreak` to which calls from the host return.
    pub(super) return_pad: u64,
    /// One past the highest address of the stack.
    pub(super) stack_top: u64,
    /// Addresses below the stack that are kept free.
    pub(super) stack_guard: std::ops::Range<u64>,
    /// Calls from the host that are under way, one inside the other.
    pub(super) depth: u32,
}

impl<T> Store<T> {
    /// An empty store.
    #[must_use]
    pub fn new(engine: &Engine, data: T) -> Self {
        let interrupt = Arc::new(Interrupt::default());
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Self { id, engine: engine.clone(), data, instances: Vec::new(), interrupt }
    }

    /// The engine it was made with.
    #[must_use]
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

    /// A handle with which another thread or a signal handler can stop this store's guests.
    #[must_use]
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle(Arc::clone(&self.interrupt))
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

    /// Takes a request to stop, if there is one.
    pub(super) fn take_interrupt(&self) -> bool {
        self.interrupt.requested.swap(false, Ordering::AcqRel)
    }
}

const OTHER_STORE: &str = "an instance is used with the store that it was made in";

/// An instance that executes. When this is dropped, also by a panic of a host function, it does not
/// any more, and has the registers in `outer` if it was inside a call then.
pub(super) struct Running<'a, C: AsContextMut> {
    pub(super) cx: &'a mut C,
    pub(super) outer: Option<Hart>,
    handle: Handle,
}

impl<'a, C: AsContextMut> Running<'a, C> {
    /// Begins to execute an instance.
    ///
    /// # Errors
    /// [`Trap::TooDeep`](super::Trap).
    pub(super) fn begin(cx: &'a mut C, handle: Handle) -> Result<Self> {
        let limit = cx.store().engine.max_depth();
        let outer = cx.store().instance(handle).outer_registers();
        DEPTH.with(|depth| {
            if depth.get() >= limit {
                return Err(Error::from(Trap::TooDeep { limit }));
            }
            depth.set(depth.get() + 1);
            Ok(())
        })?;
        cx.store_mut().instance_mut(handle).depth += 1;
        Ok(Self { cx, outer, handle })
    }
}

impl<C: AsContextMut> Drop for Running<'_, C> {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
        let state = self.cx.store_mut().instance_mut(self.handle);
        state.depth -= 1;
        if let Some(outer) = self.outer.take() {
            let hart = state.cpu.hart_mut();
            *hart = outer;
            hart.clear_reservation();
        }
    }
}

impl<T> InstanceState<T> {
    /// The registers, if a call from the host is under way.
    fn outer_registers(&self) -> Option<Hart> {
        (self.depth > 0).then(|| self.cpu.hart().clone())
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({} instances, {:?})", self.instances.len(), self.data)
    }
}

/// Shared by a store and its handles.
#[derive(Default)]
struct Interrupt {
    requested: AtomicBool,
    head: Node,
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
        let mut node = Some(&self.0.head);
        while let Some(this) = node {
            this.items.iter().map_while(OnceLock::get).for_each(Interrupter::interrupt);
            node = this.next.get().map(|next| &**next);
        }
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
