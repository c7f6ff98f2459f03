//! Running a program: calls by name, or from wherever its pc stands.

use super::error::{Error, ErrorKind, Result, Trap, trap_of};
use super::host_func::Arguments;
use super::linker::Reg;
use super::memory::{GuestPtr, GuestSlice, Memory};
use super::run::{End, Running};
use super::store::{AsContext, AsContextMut, Handle};
use crate::cpu::{Access, Exit, Hart};
use std::marker::PhantomData;

/// Handle of a loaded program: a memory and a hart in a [`Store`](super::Store).
///
/// # Panics
/// All functions panic if they are given another store than the one it was made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance(pub(super) Handle);

/// Why [`Instance::resume`] came back.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The program returned from its entry function.
    Returned,
    /// A host function ended the guest with [`Trap::Exit`].
    Exited(i32),
    /// Somebody asked for it; see [`InterruptHandle`](super::InterruptHandle).
    Interrupt,
    /// At an `ebreak`, which has not been executed: its address.
    Breakpoint(u64),
    /// One instruction has been executed.
    Stepped,
    /// At an `ecall` for which there is no host function: its number. Serve it, move the pc
    /// beyond it ([`Instance::set_state`]) and resume.
    Ecall(u64),
    /// Anything else.
    Trap(Trap),
}

/// The registers of a hart.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HartState {
    /// Integer registers.
    pub x: [u64; 32],
    /// Floating-point registers as bits; narrower values NaN-boxed.
    pub f: [u64; 32],
    /// Address of the next instruction.
    pub pc: u64,
    /// Rounding mode and accrued exceptions.
    pub fcsr: u32,
}

impl Instance {
    /// Memory of the instance.
    #[must_use]
    pub fn memory(&self) -> Memory {
        Memory(self.0)
    }

    /// Address of a symbol of the program.
    #[must_use]
    pub fn symbol(&self, cx: impl AsContext, name: &str) -> Option<u64> {
        cx.store().instance(self.0).module.find(name)
    }

    /// A function of the program by name. Only the caller knows its type.
    ///
    /// # Errors
    /// [`ErrorKind::Link`] if there is no such symbol.
    pub fn get_typed_func<P: Params, R: Results>(
        &self,
        cx: impl AsContext,
        name: &str,
    ) -> Result<TypedFunc<P, R>> {
        match self.symbol(cx, name) {
            Some(addr) => Ok(self.func_at(addr)),
            None => {
                let m = format!("the program has no symbol `{name}`");
                Err(Error::of(ErrorKind::Link, m))
            }
        }
    }

    /// The function at `addr`. Only the caller knows that there is one, and its type.
    #[must_use]
    pub fn func_at<P: Params, R: Results>(&self, addr: u64) -> TypedFunc<P, R> {
        TypedFunc { instance: *self, addr, types: PhantomData }
    }

    /// Executes from the current pc until something stops the program.
    ///
    /// # Errors
    /// What a host function returned, unless it was [`Trap::Exit`]; [`ErrorKind::Host`] if the
    /// instance executes already, and this is a host function that it has called.
    pub fn resume(&self, mut cx: impl AsContextMut) -> Result<Stop> {
        let mut running = self.begin(&mut cx)?;
        let end = running.run(false);
        self.stop(&*running.cx, end)
    }

    /// Begins to execute where the pc stands.
    fn begin<'a, C: AsContextMut>(&self, cx: &'a mut C) -> Result<Running<'a, C>> {
        if cx.store().instance(self.0).depth > 0 {
            return Err(Error::msg("the instance executes already"));
        }
        Running::begin(cx, self.0)
    }

    /// Executes one instruction; an `ecall` that has a host function is one with it.
    ///
    /// # Errors
    /// As [`Self::resume`].
    pub fn step(&self, mut cx: impl AsContextMut) -> Result<Stop> {
        let mut running = self.begin(&mut cx)?;
        running.give_fuel();
        let cpu = &mut running.cx.store_mut().instance_mut(self.0).cpu;
        let stopped = match cpu.step() {
            Err(Exit::FenceI) => {
                cpu.machine().flush_icache();
                cpu.hart_mut().pc += 4;
                cpu.charge();
                Ok(())
            }
            stopped => stopped,
        };
        let served = match stopped {
            Ok(()) => Some(Ok(())),
            Err(Exit::Ecall) => running.serve_call(),
            Err(exit) => return self.stop(&*running.cx, End::Exit(exit)),
        };
        running.take_fuel();
        match served {
            Some(Ok(())) => Ok(Stop::Stepped),
            Some(Err(e)) => self.stop(&*running.cx, End::Failed(e)),
            None => self.stop(&*running.cx, End::Exit(Exit::Ecall)),
        }
    }

    fn stop(&self, cx: &impl AsContext, end: End) -> Result<Stop> {
        let exit = match end {
            End::Exit(exit) => exit,
            End::Failed(e) => {
                return match e.downcast_ref::<Trap>() {
                    Some(Trap::Exit(code)) => Ok(Stop::Exited(*code)),
                    _ => Err(e),
                };
            }
        };
        let state = cx.store().instance(self.0);
        let pc = state.cpu.hart().pc;
        Ok(match trap(cx, self.0, exit) {
            Trap::Breakpoint { .. } if pc == state.layout.return_pad => Stop::Returned,
            Trap::Breakpoint { pc } => Stop::Breakpoint(pc),
            Trap::UnhandledEcall { number, .. } => Stop::Ecall(number),
            Trap::Interrupted => Stop::Interrupt,
            trap => Stop::Trap(trap),
        })
    }

    /// The registers.
    #[must_use]
    pub fn state(&self, cx: impl AsContext) -> HartState {
        let h = cx.store().instance(self.0).cpu.hart();
        HartState { x: h.x, f: h.f, pc: h.pc, fcsr: h.fcsr() }
    }

    /// Sets all registers; `x[0]` and the upper bits of `fcsr` are ignored.
    pub fn set_state(&self, mut cx: impl AsContextMut, state: &HartState) {
        let hart = cx.store_mut().instance_mut(self.0).cpu.hart_mut();
        hart.x = state.x;
        hart.x[0] = 0;
        hart.f = state.f;
        hart.pc = state.pc;
        hart.set_fcsr(state.fcsr);
        hart.clear_reservation();
    }
}

/// The trap that an exit amounts to.
fn trap<C: AsContext>(cx: &C, index: Handle, exit: Exit) -> Trap {
    let state = cx.store().instance(index);
    let hart = state.cpu.hart();
    match exit {
        Exit::Fault(f)
            if f.access != Access::Execute && state.layout.stack_guard.contains(&f.addr) =>
        {
            Trap::StackOverflow { pc: hart.pc }
        }
        _ => trap_of(exit, hart.pc).unwrap_or(Trap::UnhandledEcall {
            pc: hart.pc,
            number: hart.x[usize::from(Reg::A7.0)],
        }),
    }
}

/// A guest function that takes `P` and returns `R` by the psABI's calling convention
/// (RISC-V Calling Conventions, LP64D): integers in a0 to a7, floating-point values in fa0 to fa7.
pub struct TypedFunc<P, R> {
    instance: Instance,
    addr: u64,
    types: PhantomData<fn(P) -> R>,
}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, R> Copy for TypedFunc<P, R> {}

impl<P, R> std::fmt::Debug for TypedFunc<P, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TypedFunc({:#x})", self.addr)
    }
}

impl<P: Params, R: Results> TypedFunc<P, R> {
    /// Calls the function and waits for its return. A host function may call the guest that
    /// called it: the guest's registers are the same afterwards, `fcsr` apart. Otherwise sp, ra,
    /// gp, tp and the pc are, and the others are what the function has left in them.
    ///
    /// # Errors
    /// A [`Trap`], or what a host function returned. The hart stays as it stood then
    /// ([`Instance::state`]), unless a host function of the same guest has made the call: its
    /// caller has the registers again that it had before, also after a panic.
    pub fn call(&self, mut cx: impl AsContextMut, params: P) -> Result<R> {
        let handle = self.instance.0;
        let mut running = Running::begin(&mut cx, handle)?;
        let state = running.cx.store_mut().instance_mut(handle);
        let (pad, stack_top) = (state.layout.return_pad, state.layout.stack_top);
        let hart = state.cpu.hart_mut();
        let kept = KEPT.map(|r| hart.x[r]);
        let pc = hart.pc;
        hart.x[SP] = if running.outer.is_some() { hart.x[SP] & !15 } else { stack_top };
        hart.x[RA] = pad;
        hart.pc = self.addr;
        hart.clear_reservation();
        params.put(&mut Registers::of(hart));
        let end = running.run(true);
        let hart = running.cx.store_mut().instance_mut(handle).cpu.hart_mut();
        match end {
            End::Failed(e) => Err(e),
            End::Exit(Exit::Ebreak) if hart.pc == pad => {
                let result = R::take(hart);
                match running.outer.take() {
                    Some(outer) => {
                        let fcsr = hart.fcsr();
                        *hart = *outer;
                        hart.set_fcsr(fcsr);
                    }
                    None => {
                        KEPT.iter().zip(kept).for_each(|(&r, value)| hart.x[r] = value);
                        hart.pc = pc;
                    }
                }
                hart.clear_reservation();
                Ok(result)
            }
            End::Exit(exit) => Err(trap(&*running.cx, handle, exit).into()),
        }
    }
}

const RA: usize = Reg::RA.0 as usize;
const SP: usize = Reg::SP.0 as usize;
/// Registers that a call leaves as they were: those that functions are found by.
const KEPT: [usize; 4] = [RA, SP, Reg::GP.0 as usize, Reg::TP.0 as usize];

/// Registers that take the arguments of a call, in the order of the psABI.
#[doc(hidden)]
pub struct Registers<'a> {
    hart: &'a mut Hart,
    next_x: usize,
    next_f: usize,
}

impl<'a> Registers<'a> {
    /// Those of a function that is to be called, or of what it returns.
    pub(super) fn of(hart: &'a mut Hart) -> Self {
        Self { hart, next_x: 10, next_f: 10 }
    }

    fn x(&mut self, value: u64) {
        self.hart.x[self.next_x] = value;
        self.next_x += 1;
    }

    fn f(&mut self, bits: u64) {
        self.hart.f[self.next_f] = bits;
        self.next_f += 1;
    }
}

/// Types of the calling convention's registers: of one, or, as [`GuestSlice`] is, of two.
pub trait AbiTy: Sized {
    /// Integer registers that it takes.
    #[doc(hidden)]
    const INTEGERS: usize = 1;
    #[doc(hidden)]
    fn put(self, to: &mut Registers<'_>);
    #[doc(hidden)]
    fn arg(from: &mut Arguments<'_>) -> Self;
    #[doc(hidden)]
    fn take(hart: &Hart) -> Self {
        Self::arg(&mut Arguments::of(hart))
    }
}

macro_rules! integers {
    ($($ty:ty as $wide:ty;)*) => {$(
        impl AbiTy for $ty {
            // Narrow integers are extended as their type says; 32-bit ones always with the sign.
            fn put(self, to: &mut Registers<'_>) { to.x(self as $wide as u64) }
            fn arg(from: &mut Arguments<'_>) -> Self { from.x() as Self }
        }
    )*};
}
integers! {
    u64 as u64; i64 as i64; u32 as i32; i32 as i32;
    u16 as u64; i16 as i64; u8 as u64; i8 as i64;
}

impl AbiTy for bool {
    fn put(self, to: &mut Registers<'_>) {
        to.x(u64::from(self));
    }

    fn arg(from: &mut Arguments<'_>) -> Self {
        from.x() & 0xff != 0
    }
}

impl AbiTy for f64 {
    const INTEGERS: usize = 0;

    fn put(self, to: &mut Registers<'_>) {
        to.f(self.to_bits());
    }

    fn arg(from: &mut Arguments<'_>) -> Self {
        Self::from_bits(from.f())
    }
}

impl AbiTy for f32 {
    const INTEGERS: usize = 0;

    fn put(self, to: &mut Registers<'_>) {
        to.f(u64::from(self.to_bits()) | 0xffff_ffff << 32);
    }

    fn arg(from: &mut Arguments<'_>) -> Self {
        Self::from_bits(from.f() as u32)
    }
}

impl<T: ?Sized> AbiTy for GuestPtr<T> {
    fn put(self, to: &mut Registers<'_>) {
        to.x(self.addr());
    }

    fn arg(from: &mut Arguments<'_>) -> Self {
        Self::new(from.x())
    }
}

impl<T> AbiTy for GuestSlice<T> {
    const INTEGERS: usize = 2;

    fn put(self, to: &mut Registers<'_>) {
        to.x(self.start().addr());
        to.x(self.len());
    }

    fn arg(from: &mut Arguments<'_>) -> Self {
        let start = GuestPtr::new(from.x());
        Self::new(start, from.x())
    }
}

/// Arguments of a guest function: a tuple of up to eight [`AbiTy`], in no more than eight registers
/// of either kind.
pub trait Params {
    #[doc(hidden)]
    fn put(self, to: &mut Registers<'_>);
}

macro_rules! params {
    ($(($($name:ident)*);)*) => {$(
        impl<$($name: AbiTy),*> Params for ($($name,)*) {
            #[allow(non_snake_case, reason = "the names of types serve as names of values")]
            fn put(self, _to: &mut Registers<'_>) {
                const { assert!(0 $(+ $name::INTEGERS)* <= 8, "eight registers take arguments") };
                let ($($name,)*) = self;
                $($name.put(_to);)*
            }
        }
    )*};
}
params! {
    (); (A); (A B); (A B C); (A B C D); (A B C D E); (A B C D E F); (A B C D E F G);
    (A B C D E F G H);
}

/// Result of a guest function: nothing or an [`AbiTy`].
pub trait Results: Sized {
    #[doc(hidden)]
    fn take(hart: &Hart) -> Self;
}

impl Results for () {
    fn take(_hart: &Hart) -> Self {}
}

impl<T: AbiTy> Results for T {
    fn take(hart: &Hart) -> Self {
        <T as AbiTy>::take(hart)
    }
}
