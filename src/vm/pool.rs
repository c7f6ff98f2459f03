//! Many instances of one kind: made from one state, and used again.

use super::engine::Engine;
use super::error::Result;
use super::instance::Instance;
use super::linker::Handlers;
use super::load;
use super::memory::map_error;
use super::snapshot::Snapshot;
use super::store::{InstanceState, Store};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Instances with one state and the host functions of one linker, all checks done:
/// [`Linker::instantiate_pre`](super::Linker::instantiate_pre). Cheap to clone, for use by any
/// thread.
pub struct InstancePre<T> {
    snapshot: Snapshot,
    handlers: Arc<Handlers<T>>,
}

impl<T> Clone for InstancePre<T> {
    fn clone(&self) -> Self {
        Self { snapshot: self.snapshot.clone(), handlers: Arc::clone(&self.handlers) }
    }
}

impl<T> InstancePre<T> {
    pub(super) fn new(snapshot: Snapshot, handlers: Arc<Handlers<T>>) -> Self {
        Self { snapshot, handlers }
    }

    /// Makes an instance. The host's kernel gives it pages of its own when it writes to them.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](super::ErrorKind) if the store is of another engine,
    /// [`ErrorKind::Io`](super::ErrorKind) if the host has no memory, addresses or mappings left.
    pub fn instantiate(&self, store: &mut Store<T>) -> Result<Instance> {
        self.engine().expect(store.engine())?;
        Ok(Instance(store.add(self.state()?)))
    }

    fn engine(&self) -> &Engine {
        self.snapshot.module().engine()
    }

    pub(super) fn state(&self) -> Result<InstanceState<T>> {
        let s = &self.snapshot;
        let machine = load::machine(s.module(), s.shares_code())?;
        machine.memory().show(s.image()).map_err(map_error)?;
        load::instance(machine, s.module(), s.layout().clone(), s.hart().clone(), &self.handlers)
    }
}

impl<T> std::fmt::Debug for InstancePre<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InstancePre({:?})", self.snapshot)
    }
}

/// Instances that are made once, and are as new for each user: when one is given back, the pages
/// that it has written to are what they were, and so are its registers. Nothing of one user reaches
/// the next.
///
/// ```
/// use rvnative::vm::{Engine, InstancePool, Linker, Module};
/// let engine = Engine::default();
/// let module = Module::new(&engine, include_bytes!("../../examples/guest/plugin.elf"))?;
/// let mut linker = Linker::<u32>::new(&engine);
/// linker.func(1, |c: &mut rvnative::vm::Caller<'_, u32>| *c.data_mut() += 1);
/// let pool = InstancePool::new(linker.instantiate_pre(&module)?, 16);
/// for _ in 0..3 {
///     let mut guest = pool.get(0)?;
///     let on_event = guest.instance().get_typed_func::<(u64, u64), u64>(&*guest, "on_event")?;
///     assert_eq!(on_event.call(&mut *guest, (1, 2))?, 1002);
///     assert_eq!(*guest.data(), 1);
/// }
/// assert_eq!(pool.idle(), 1);
/// # Ok::<(), rvnative::vm::Error>(())
/// ```
pub struct InstancePool<T>(Arc<Shared<T>>);

struct Shared<T> {
    pre: InstancePre<T>,
    max_idle: usize,
    idle: Mutex<Vec<InstanceState<T>>>,
}

impl<T> Clone for InstancePool<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> InstancePool<T> {
    /// A pool that keeps up to `max_idle` instances that nobody uses.
    #[must_use]
    pub fn new(pre: InstancePre<T>, max_idle: usize) -> Self {
        Self(Arc::new(Shared { pre, max_idle, idle: Mutex::default() }))
    }

    /// An instance, alone in a store with `data`. It comes back to the pool when it is dropped.
    ///
    /// # Errors
    /// As [`InstancePre::instantiate`], if there is no idle one.
    pub fn get(&self, data: T) -> Result<Pooled<T>> {
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let state = match idle {
            Some(state) => state,
            None => self.0.pre.state()?,
        };
        let mut store = Store::new(self.0.pre.engine(), data);
        let instance = Instance(store.add(state));
        Ok(Pooled { store: Some(store), instance, pool: Arc::clone(&self.0) })
    }

    /// How many instances nobody uses.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl<T> std::fmt::Debug for InstancePool<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InstancePool({} idle)", self.idle())
    }
}

impl<T> Shared<T> {
    /// Takes an instance back. One that the host cannot reset is dropped, and so are those that
    /// the user has made beside it.
    fn put(&self, store: Store<T>, instance: Instance) -> T {
        let (data, state) = store.into_parts(instance.0);
        if let Some(mut state) = state
            && self.has_room()
            && state.reset(&self.pre.snapshot).is_ok()
        {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < self.max_idle {
                idle.push(state);
            }
        }
        data
    }

    fn has_room(&self) -> bool {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len() < self.max_idle
    }
}

/// An instance of an [`InstancePool`], and the [`Store`] that it is alone in, which this is used
/// as.
pub struct Pooled<T> {
    /// Always there, until it is given back.
    store: Option<Store<T>>,
    instance: Instance,
    pool: Arc<Shared<T>>,
}

impl<T> Pooled<T> {
    /// The instance.
    #[must_use]
    pub fn instance(&self) -> Instance {
        self.instance
    }

    /// Gives the instance back, and the host's data to the caller.
    #[must_use]
    pub fn into_data(mut self) -> T {
        let Some(store) = self.store.take() else { unreachable!("it has not been given back") };
        self.pool.put(store, self.instance)
    }
}

impl<T> Deref for Pooled<T> {
    type Target = Store<T>;

    fn deref(&self) -> &Store<T> {
        let Some(store) = &self.store else { unreachable!("it has not been given back") };
        store
    }
}

impl<T> DerefMut for Pooled<T> {
    fn deref_mut(&mut self) -> &mut Store<T> {
        let Some(store) = &mut self.store else { unreachable!("it has not been given back") };
        store
    }
}

impl<T> Drop for Pooled<T> {
    fn drop(&mut self) {
        if let Some(store) = self.store.take() {
            self.pool.put(store, self.instance);
        }
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Pooled<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pooled({:?})", self.store)
    }
}
