//! What a guest can ask of the host, and making instances that can ask it.

use super::engine::{Engine, Module};
use super::error::{Error, ErrorKind, Result, Trap};
use super::host_func::IntoHostFunc;
use super::instance::Instance;
use super::load::load_apart;
use super::memory::{GuestMem, Memory};
use super::pool::InstancePre;
use super::snapshot::Snapshot;
use super::store::{AsContext, AsContextMut, Handle, Store, sealed};
use rustc_hash::FxHashMap;
use std::sync::Arc;

type Handler<T> = Box<dyn Fn(&mut Caller<'_, T>) -> Result<()> + Send + Sync>;
type Fallback<T> = Box<dyn Fn(&mut Caller<'_, T>, u64) -> Result<()> + Send + Sync>;

/// Host functions: those that the `ecall` at an address is for, and those by its number.
pub(super) struct Handlers<T> {
    by_number: FxHashMap<u64, Arc<Handler<T>>>,
    by_name: FxHashMap<String, Arc<Handler<T>>>,
    /// What the imports of one module are, by their addresses ([`Linker::resolve`]).
    by_pc: FxHashMap<u64, Arc<Handler<T>>>,
    fallback: Option<Arc<Fallback<T>>>,
    unknown_traps: bool,
}

impl<T> Default for Handlers<T> {
    fn default() -> Self {
        Self {
            by_number: FxHashMap::default(),
            by_name: FxHashMap::default(),
            by_pc: FxHashMap::default(),
            fallback: None,
            unknown_traps: false,
        }
    }
}

impl<T> Clone for Handlers<T> {
    fn clone(&self) -> Self {
        Self {
            by_number: self.by_number.clone(),
            by_name: self.by_name.clone(),
            by_pc: self.by_pc.clone(),
            fallback: self.fallback.clone(),
            unknown_traps: self.unknown_traps,
        }
    }
}

impl<T> Handlers<T> {
    /// Calls the host function for `number`; `None` if there is none.
    pub(super) fn call(&self, caller: &mut Caller<'_, T>, number: u64) -> Option<Result<()>> {
        if !self.by_pc.is_empty()
            && let Some(f) = self.by_pc.get(&caller.pc())
        {
            return Some(f(caller));
        }
        match (self.by_number.get(&number), &self.fallback) {
            (Some(f), _) => Some(f(caller)),
            (None, Some(f)) => Some(f(caller, number)),
            (None, None) => None,
        }
    }
}

/// Host functions for guests. A guest calls one by its name, as it calls any function
/// ([`Self::define`]), or by `ecall` with its number in a7; arguments and result are in a0 to a6
/// then, by whatever convention host and guest share.
///
/// ```
/// use rvnative::vm::{Caller, Engine, Linker, Reg, Trap};
/// let mut linker = Linker::<Vec<u64>>::new(&Engine::default());
/// linker.ecall(1, |c: &mut Caller<'_, Vec<u64>>| {
///     let value = c.reg(Reg::A0);
///     c.data_mut().push(value);
///     Ok(())
/// });
/// linker.ecall(93, |c: &mut Caller<'_, Vec<u64>>| Err(Trap::Exit(c.reg(Reg::A0) as i32).into()));
/// ```
pub struct Linker<T> {
    handlers: Arc<Handlers<T>>,
    engine: Engine,
}

impl<T: 'static> Linker<T> {
    /// A linker without host functions.
    #[must_use]
    pub fn new(engine: &Engine) -> Self {
        Self { handlers: Arc::default(), engine: engine.clone() }
    }

    /// Serves `ecall` with `number` in a7 by `f`; execution goes on behind the `ecall` when it
    /// returns `Ok`. A later function for the same number replaces an earlier one; instances that
    /// have been made keep what they were made with.
    pub fn ecall(
        &mut self,
        number: u64,
        f: impl Fn(&mut Caller<'_, T>) -> Result<(), Error> + Send + Sync + 'static,
    ) -> &mut Self {
        let f: Handler<T> = Box::new(f);
        Arc::make_mut(&mut self.handlers).by_number.insert(number, Arc::new(f));
        self
    }

    /// As [`Self::ecall`], by a function of up to seven typed arguments, which a guest passes by
    /// the psABI's calling convention: integers and pointers in a0 to a6, floating-point values in
    /// fa0 to fa7, each kind in its order. It returns nothing, a value, or a [`Result`] of either.
    ///
    /// ```
    /// use rvnative::vm::{Caller, Engine, GuestPtr, Linker, MemoryFault};
    /// use std::ffi::CStr;
    /// let mut linker = Linker::<Vec<String>>::new(&Engine::default());
    /// linker.func(1, |_: &mut Caller<'_, Vec<String>>, x: f64, n: i32| x * f64::from(n));
    /// linker.func(2, |c: &mut Caller<'_, Vec<String>>, text: GuestPtr<CStr>| {
    ///     let (log, memory) = c.split();
    ///     log.push(memory.c_str(text, 1000)?.to_string_lossy().into_owned());
    ///     Ok::<_, MemoryFault>(log.len() as u64)
    /// });
    /// ```
    pub fn func<P>(&mut self, number: u64, f: impl IntoHostFunc<T, P>) -> &mut Self {
        self.ecall(number, move |c| f.call(c))
    }

    /// Serves calls of the function `name` by `f`, which has up to seven typed arguments, passed as
    /// for [`Self::func`].
    ///
    /// A program imports a function by a stub of that name, which is three instructions: an
    /// `ecall`, a hint that marks it, and a return. In C, with `include/rvnative.h`:
    ///
    /// ```c
    /// #include <rvnative.h>
    /// double scale(double x, int n);
    /// RVNATIVE_IMPORT(scale);
    /// ```
    ///
    /// The stubs are found by the program's symbols, so it must not be stripped of them.
    ///
    /// ```
    /// use rvnative::vm::{Caller, Engine, GuestSlice, Linker, MemoryFault, Module, Store};
    /// let engine = Engine::default();
    /// let module = Module::new(&engine, include_bytes!("../../examples/guest/imports.elf"))?;
    /// assert_eq!(module.imports().collect::<Vec<_>>(), ["host_scale", "host_log"]);
    /// let mut linker = Linker::<Vec<String>>::new(&engine);
    /// linker.define("host_scale", |_: &mut Caller<'_, _>, x: f64, n: i32| x * f64::from(n))?;
    /// linker.define("host_log", |c: &mut Caller<'_, Vec<String>>, text: GuestSlice<u8>| {
    ///     let (log, memory) = c.split();
    ///     log.push(String::from_utf8_lossy(memory.slice(text)?).into_owned());
    ///     Ok::<_, MemoryFault>(())
    /// })?;
    /// let mut store = Store::new(&engine, Vec::new());
    /// let instance = linker.instantiate(&mut store, &module)?;
    /// let area = instance.get_typed_func::<(f64,), f64>(&store, "thrice")?;
    /// assert_eq!(area.call(&mut store, (1.5,))?, 4.5);
    /// assert_eq!(store.data(), &["thrice"]);
    /// # Ok::<(), rvnative::vm::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Link`] if there is a function of that name already.
    pub fn define<P>(&mut self, name: &str, f: impl IntoHostFunc<T, P>) -> Result<&mut Self> {
        let by_name = &mut Arc::make_mut(&mut self.handlers).by_name;
        if by_name.contains_key(name) {
            let m = format!("there is a host function `{name}` already");
            return Err(Error::of(ErrorKind::Link, m));
        }
        let f: Handler<T> = Box::new(move |c| f.call(c));
        by_name.insert(name.to_owned(), Arc::new(f));
        Ok(self)
    }

    /// Makes instances also of programs that import functions which this linker does not have, and
    /// such a call a trap ([`Trap::UnknownImport`]), instead of refusing the program.
    pub fn unknown_imports_trap(&mut self, on: bool) -> &mut Self {
        Arc::make_mut(&mut self.handlers).unknown_traps = on;
        self
    }

    /// The host functions of an instance of `module`.
    fn resolve(&self, module: &Module) -> Result<Arc<Handlers<T>>> {
        let mut found = FxHashMap::default();
        for (name, pc) in module.import_stubs() {
            let f = match self.handlers.by_name.get(name) {
                Some(f) => Arc::clone(f),
                None if self.handlers.unknown_traps => {
                    let f: Handler<T> =
                        Box::new(|c| Err(Trap::UnknownImport { pc: c.pc() }.into()));
                    Arc::new(f)
                }
                None => {
                    let m = format!("the program imports `{name}`, which the host does not have");
                    return Err(Error::of(ErrorKind::Link, m));
                }
            };
            found.insert(pc, f);
        }
        if found.is_empty() {
            return Ok(Arc::clone(&self.handlers));
        }
        Ok(Arc::new(Handlers { by_pc: found, ..Handlers::clone(&self.handlers) }))
    }

    /// Serves every other `ecall`; `f` also gets the number.
    pub fn ecall_fallback(
        &mut self,
        f: impl Fn(&mut Caller<'_, T>, u64) -> Result<(), Error> + Send + Sync + 'static,
    ) -> &mut Self {
        let f: Fallback<T> = Box::new(f);
        Arc::make_mut(&mut self.handlers).fallback = Some(Arc::new(f));
        self
    }

    /// Makes an instance of `module`: a memory of its own, with its pc at the program's entry and a
    /// stack. Nothing is executed.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if linker, store and module are not of one engine, [`ErrorKind::Link`]
    /// if the program imports a function that the linker does not have, [`ErrorKind::Load`] if it
    /// does not fit into the address space, [`ErrorKind::Io`] if the host has no memory, addresses
    /// or mappings left.
    pub fn instantiate(&self, store: &mut Store<T>, module: &Module) -> Result<Instance> {
        self.engine.expect(store.engine())?;
        self.engine.expect(module.engine())?;
        let state = match self.instantiate_pre(module).and_then(|pre| pre.state()) {
            // With a file and some memory less, and in a smaller address space.
            Err(e) if matches!(e.kind(), ErrorKind::Io | ErrorKind::Memory) => {
                load_apart(module, &self.resolve(module)?)
            }
            state => state,
        };
        Ok(Instance(store.add(state?)))
    }

    /// Does for `module` once what all instances have in common: checks, and a first memory, of
    /// which each instance gets copies of the pages that it writes to.
    ///
    /// # Errors
    /// As [`Self::instantiate`].
    pub fn instantiate_pre(&self, module: &Module) -> Result<InstancePre<T>> {
        self.engine.expect(module.engine())?;
        self.instantiate_snapshot(&module.initial()?)
    }

    /// As [`Self::instantiate_pre`], of instances that go on where another one was, perhaps in
    /// another process: with its memory and registers, and with the host functions of this linker.
    ///
    /// # Errors
    /// As there.
    pub fn instantiate_snapshot(&self, snapshot: &Snapshot) -> Result<InstancePre<T>> {
        self.engine.expect(snapshot.module().engine())?;
        Ok(InstancePre::new(snapshot.clone(), self.resolve(snapshot.module())?))
    }
}

impl<T> std::fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Handlers { by_number, by_name, .. } = &*self.handlers;
        write!(f, "Linker({} functions)", by_number.len() + by_name.len())
    }
}

/// An integer register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reg(pub(super) u8);

impl Reg {
    /// Return address.
    pub const RA: Reg = Reg(1);
    /// Stack pointer.
    pub const SP: Reg = Reg(2);
    /// Global pointer.
    pub const GP: Reg = Reg(3);
    /// Thread pointer.
    pub const TP: Reg = Reg(4);
    /// First argument and result.
    pub const A0: Reg = Reg(10);
    /// Second argument and result.
    pub const A1: Reg = Reg(11);
    /// Third argument.
    pub const A2: Reg = Reg(12);
    /// Fourth argument.
    pub const A3: Reg = Reg(13);
    /// Fifth argument.
    pub const A4: Reg = Reg(14);
    /// Sixth argument.
    pub const A5: Reg = Reg(15);
    /// Seventh argument.
    pub const A6: Reg = Reg(16);
    /// Number of an environment call.
    pub const A7: Reg = Reg(17);

    /// Register `x0` to `x31`.
    #[must_use]
    pub const fn x(n: u8) -> Option<Reg> {
        if n < 32 { Some(Reg(n)) } else { None }
    }
}

/// What a host function sees: the host's data, and the guest that called.
pub struct Caller<'a, T> {
    pub(super) store: &'a mut Store<T>,
    pub(super) instance: Handle,
}

impl<T> Caller<'_, T> {
    /// The host's data.
    #[must_use]
    pub fn data(&self) -> &T {
        self.store.data()
    }

    /// The host's data.
    #[must_use]
    pub fn data_mut(&mut self) -> &mut T {
        self.store.data_mut()
    }

    /// The instance that called.
    #[must_use]
    pub fn instance(&self) -> Instance {
        Instance(self.instance)
    }

    /// The caller's memory.
    #[must_use]
    pub fn memory(&self) -> Memory {
        Memory(self.instance)
    }

    /// The host's data, and the caller's memory in place.
    #[must_use]
    pub fn split(&mut self) -> (&mut T, GuestMem<'_>) {
        Memory(self.instance).data_and_view(self.store)
    }

    /// A register of the caller.
    #[must_use]
    pub fn reg(&self, r: Reg) -> u64 {
        self.store.instance(self.instance).cpu.hart().x[usize::from(r.0)]
    }

    /// Writes a register of the caller; writes to `x0` are dropped.
    pub fn set_reg(&mut self, r: Reg, value: u64) {
        self.store.instance_mut(self.instance).cpu.hart_mut().set_x(r.0, value);
    }

    /// How many instructions the store's guests may still execute; the `ecall` is paid for.
    ///
    /// # Errors
    /// As [`Store::get_fuel`].
    pub fn get_fuel(&self) -> Result<u64> {
        self.store.get_fuel()
    }

    /// Sets how many these are, as [`Store::set_fuel`].
    ///
    /// # Errors
    /// As there.
    pub fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.store.set_fuel(fuel)
    }

    /// Takes `fuel` for what this function does, as [`Store::consume_fuel`].
    ///
    /// # Errors
    /// As there; the host function should return it.
    pub fn consume_fuel(&mut self, fuel: u64) -> Result<u64> {
        self.store.consume_fuel(fuel)
    }

    /// Address of the `ecall`.
    #[must_use]
    pub fn pc(&self) -> u64 {
        self.store.instance(self.instance).cpu.hart().pc
    }
}

impl<T> std::fmt::Debug for Caller<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Caller(pc {:#x})", self.pc())
    }
}

impl<T> sealed::Sealed for Caller<'_, T> {}

impl<T> AsContext for Caller<'_, T> {
    type Data = T;

    fn store(&self) -> &Store<T> {
        self.store
    }
}

impl<T> AsContextMut for Caller<'_, T> {
    fn store_mut(&mut self) -> &mut Store<T> {
        self.store
    }
}
