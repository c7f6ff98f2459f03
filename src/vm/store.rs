//! The store: the host's data and the instances that can see it.

use super::engine::Engine;
use super::linker::Handlers;
use crate::runtime::{Cpu, Interrupter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Owner of the host's data and of all instances made in it. Host functions reach the data
/// through [`Caller`](super::Caller); when the store is dropped, so is the guests' memory.
pub struct Store<T> {
    engine: Engine,
    data: T,
    instances: Vec<InstanceState<T>>,
    interrupt: Arc<Interrupt>,
}

/// What belongs to one instance.
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
        Self { engine: engine.clone(), data, instances: Vec::new(), interrupt }
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

    pub(super) fn add(&mut self, state: InstanceState<T>) -> usize {
        self.interrupt.head.append(state.cpu.interrupter());
        self.instances.push(state);
        self.instances.len() - 1
    }

    /// An instance of this store.
    ///
    /// # Panics
    /// If `index` is that of an instance of another store, which is a mistake of the host.
    pub(super) fn instance(&self, index: usize) -> &InstanceState<T> {
        self.instances.get(index).expect("an instance is used with the store that it was made in")
    }

    /// As [`Self::instance`].
    pub(super) fn instance_mut(&mut self, index: usize) -> &mut InstanceState<T> {
        self.instances
            .get_mut(index)
            .expect("an instance is used with the store that it was made in")
    }

    /// Takes a request to stop, if there is one.
    pub(super) fn take_interrupt(&self) -> bool {
        self.interrupt.requested.swap(false, Ordering::AcqRel)
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
#[derive(Default)]
struct Node {
    item: OnceLock<(Interrupter, Box<Node>)>,
}

impl Node {
    fn append(&self, interrupter: Interrupter) {
        let mut node = self;
        while let Some((_, next)) = node.item.get() {
            node = next;
        }
        // Only the store appends, and it is borrowed mutably: nobody was faster.
        let _ = node.item.set((interrupter, Box::default()));
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
        let mut node = &self.0.head;
        while let Some((interrupter, next)) = node.item.get() {
            interrupter.interrupt();
            node = next;
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

/// What gives full access to a store.
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
