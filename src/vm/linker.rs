//! What a guest can ask of the host, and making instances that can ask it.

use super::engine::{Engine, Module};
use super::error::{Error, ErrorKind, Result, no_room};
use super::host_func::IntoHostFunc;
use super::instance::Instance;
use super::memory::{GuestMem, Memory, map_error};
use super::store::{AsContext, AsContextMut, Handle, InstanceState, Store, sealed};
use crate::mem::Prot;
use crate::runtime::{Cpu, Machine};
use crate::util::{PAGE_SIZE, page_down, page_up};
use rustc_hash::FxHashMap;
use std::sync::Arc;

type Handler<T> = Box<dyn Fn(&mut Caller<'_, T>) -> Result<()> + Send + Sync>;
type Fallback<T> = Box<dyn Fn(&mut Caller<'_, T>, u64) -> Result<()> + Send + Sync>;

/// Host functions by `ecall` number.
pub(super) struct Handlers<T> {
    by_number: FxHashMap<u64, Arc<Handler<T>>>,
    fallback: Option<Arc<Fallback<T>>>,
}

impl<T> Clone for Handlers<T> {
    fn clone(&self) -> Self {
        Self { by_number: self.by_number.clone(), fallback: self.fallback.clone() }
    }
}

impl<T> Handlers<T> {
    /// Calls the host function for `number`; `None` if there is none.
    pub(super) fn call(&self, caller: &mut Caller<'_, T>, number: u64) -> Option<Result<()>> {
        match (self.by_number.get(&number), &self.fallback) {
            (Some(f), _) => Some(f(caller)),
            (None, Some(f)) => Some(f(caller, number)),
            (None, None) => None,
        }
    }
}

/// Host functions for guests. A guest calls one by `ecall` with its number in a7; arguments and
/// result are in a0 to a6 by whatever convention host and guest share.
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

/// Bytes of stack for calls from the host, unless the configuration says otherwise.
pub(super) const STACK_SIZE: u64 = 1 << 20;
/// Bytes below the stack that stay unmapped.
const STACK_GUARD: u64 = 64 << 10;
/// `ebreak`.
const EBREAK: u32 = 0x0010_0073;

impl<T: 'static> Linker<T> {
    /// A linker without host functions.
    #[must_use]
    pub fn new(engine: &Engine) -> Self {
        let handlers = Handlers { by_number: FxHashMap::default(), fallback: None };
        Self { handlers: Arc::new(handlers), engine: engine.clone() }
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

    /// Serves every other `ecall`; `f` also gets the number.
    pub fn ecall_fallback(
        &mut self,
        f: impl Fn(&mut Caller<'_, T>, u64) -> Result<(), Error> + Send + Sync + 'static,
    ) -> &mut Self {
        let f: Fallback<T> = Box::new(f);
        Arc::make_mut(&mut self.handlers).fallback = Some(Arc::new(f));
        self
    }

    /// Loads `module` into a memory of its own, with its pc at the program's entry and a stack.
    /// Nothing is executed.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if linker, store and module are not of one engine, [`ErrorKind::Load`]
    /// if the program does not fit into the address space, [`ErrorKind::Io`] if the host has no
    /// memory, addresses or mappings left.
    pub fn instantiate(&self, store: &mut Store<T>, module: &Module) -> Result<Instance> {
        if !self.engine.is(store.engine()) || !self.engine.is(module.engine()) {
            let m = "linker, store and module are of different engines";
            return Err(Error::of(ErrorKind::Config, m));
        }
        let options = self.engine.options();
        let machine = match module.code() {
            Some(code) => Machine::sharing(options, code),
            None => Machine::new(options),
        };
        let machine = machine.map_err(no_room)?;
        load(machine.memory(), module)?;
        let memory = machine.memory();
        let size = self.engine.stack_size();
        let (guard, stack) = map_stack(memory, size)?;
        let pad = memory.find_free_down(PAGE_SIZE, PAGE_SIZE, PAGE_SIZE..memory.size());
        let pad = pad.ok_or_else(|| Error::of(ErrorKind::Load, "no free page for the host"))?;
        memory.map_zero(pad, PAGE_SIZE, Prot::RW).map_err(map_error)?;
        memory.write_u32(pad, EBREAK).map_err(|f| Error::of(ErrorKind::Memory, f))?;
        memory.protect(pad, PAGE_SIZE, Prot::RX).map_err(map_error)?;
        // For ever: what calls return to is known without a look at it.
        memory.seal(pad, PAGE_SIZE).map_err(map_error)?;
        if module.code().is_some() {
            // There may be translations of it already.
            for (range, _) in memory.mappings().iter().filter(|(_, m)| m.prot.executable()) {
                let _ = memory.watch_code(range.clone());
            }
        }
        let mut cpu = Cpu::new(machine).map_err(no_room)?;
        cpu.set_call_return(pad);
        let hart = cpu.hart_mut();
        hart.pc = module.entry();
        hart.x[usize::from(Reg::SP.0)] = stack.end;
        hart.x[usize::from(Reg::RA.0)] = pad;
        // The program's own start-up code sets gp (psABI, "Global-pointer relaxation"); functions
        // may be called without it.
        hart.x[usize::from(Reg::GP.0)] = module.find("__global_pointer$").unwrap_or(0);
        let state = InstanceState {
            cpu,
            module: module.clone(),
            handlers: Arc::clone(&self.handlers),
            return_pad: pad,
            stack_top: stack.end,
            stack_guard: guard,
            depth: 0,
        };
        Ok(Instance(store.add(state)))
    }
}

impl<T> std::fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Linker({} functions)", self.handlers.by_number.len())
    }
}

/// Copies the segments of a program with fixed addresses into memory.
fn load(memory: &crate::mem::Memory, module: &Module) -> Result<()> {
    let span = module.elf().span();
    if span.end > memory.size() || page_down(span.start) == 0 {
        let m = format!("the program's addresses {span:#x?} do not fit into the address space");
        return Err(Error::of(ErrorKind::Load, m));
    }
    let pages = |s: &super::elf::Segment| {
        let end = page_up(s.addr + s.size).unwrap_or(u64::MAX);
        page_down(s.addr)..end
    };
    for s in &module.elf().segments {
        let range = pages(s);
        let part = &module.bytes()[s.file.start as usize..s.file.end as usize];
        // Two segments may share a page; what the first has put there must stay.
        let first = if memory.is_free(range.start..range.start + PAGE_SIZE) {
            range.start
        } else {
            range.start + PAGE_SIZE
        };
        if first < range.end {
            memory.map_zero(first, range.end - first, Prot::RW).map_err(map_error)?;
        }
        memory.write_bytes(s.addr, part).map_err(|f| Error::of(ErrorKind::Load, f))?;
    }
    for s in &module.elf().segments {
        let range = pages(s);
        // A shared page may be used as either segment says.
        let shared = memory.mapping(range.start).map_or(Prot::NONE, |(_, m)| m.prot);
        memory.protect(range.start, range.end - range.start, s.prot).map_err(map_error)?;
        let both = Prot::from_linux(shared.linux() | s.prot.linux());
        let before = module.elf().segments.iter().any(|o| {
            o.addr < s.addr && page_up(o.addr + o.size).is_some_and(|end| end > range.start)
        });
        if before {
            memory.protect(range.start, PAGE_SIZE, both).map_err(map_error)?;
        }
    }
    Ok(())
}

/// Maps a stack of `size` bytes as high as possible; returns the guard below it and the stack.
fn map_stack(
    memory: &crate::mem::Memory,
    size: u64,
) -> Result<(std::ops::Range<u64>, std::ops::Range<u64>)> {
    let no_place = || Error::of(ErrorKind::Load, format!("no room for a stack of {size} bytes"));
    let size = page_up(size.max(PAGE_SIZE)).ok_or_else(no_place)?;
    let whole =
        size.checked_add(STACK_GUARD).filter(|w| *w < memory.size()).ok_or_else(no_place)?;
    let start = memory.find_free_down(whole, PAGE_SIZE, PAGE_SIZE..memory.size());
    let guard = start.map(|s| s..s + STACK_GUARD).ok_or_else(no_place)?;
    let stack = guard.end..guard.end + size;
    memory.map_zero(stack.start, size, Prot::RW).map_err(map_error)?;
    Ok((guard, stack))
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
