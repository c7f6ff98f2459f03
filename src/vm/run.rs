//! An instance that executes, and the host functions that it calls meanwhile.
#![allow(unsafe_code, reason = "translated code calls host functions by way of the runtime")]
//! # Safety
//! Nothing takes an instance out of its store, or replaces what is in an [`InstanceState`] but its
//! registers, while it executes: host functions get a [`Caller`], which gives none of that away.

use super::error::{Error, Result, Trap};
use super::linker::{Caller, Handlers, Reg};
use super::store::{AsContext, AsContextMut, Handle, InstanceState};
use crate::cpu::{Exit, Hart};
use crate::runtime::{Cpu, Server, run_served};
use std::cell::Cell;
use std::sync::Arc;

thread_local! {
    /// Calls and runs of guests that are under way on this thread, one inside the other: it is the
    /// thread's stack that they take.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Why a run has ended.
pub(super) enum End {
    Exit(Exit),
    /// By a host function.
    Failed(Error),
}

/// An instance that executes. When this is dropped, also by a panic of a host function, it does not
/// any more, and has the registers in `outer` if it was inside a call then.
pub(super) struct Running<'a, C: AsContextMut> {
    pub(super) cx: &'a mut C,
    pub(super) outer: Option<Box<Hart>>,
    handle: Handle,
    /// What the latest host function returned, if it has failed.
    failed: Option<Error>,
    /// Instructions are counted.
    metered: bool,
}

impl<'a, C: AsContextMut> Running<'a, C> {
    /// Begins to execute an instance.
    ///
    /// # Errors
    /// [`Trap::TooDeep`](super::Trap).
    pub(super) fn begin(cx: &'a mut C, handle: Handle) -> Result<Self> {
        let limit = cx.store().engine().max_depth();
        DEPTH.with(|depth| {
            if depth.get() >= limit {
                return Err(Error::from(Trap::TooDeep { limit }));
            }
            depth.set(depth.get() + 1);
            Ok(())
        })?;
        let state = cx.store_mut().instance_mut(handle);
        let outer = (state.depth > 0).then(|| Box::new(state.cpu.hart().clone()));
        state.depth += 1;
        let metered = cx.store().engine().consumes_fuel();
        Ok(Self { cx, outer, handle, failed: None, metered })
    }

    /// Gives the store's fuel to the hart, which executes from now on.
    pub(super) fn give_fuel(&mut self) {
        if self.metered {
            let fuel = self.cx.store().fuel;
            self.state().cpu.set_fuel(fuel);
        }
    }

    /// Takes it back.
    pub(super) fn take_fuel(&mut self) {
        if self.metered {
            let fuel = self.state().cpu.fuel();
            self.cx.store_mut().fuel = fuel;
        }
    }

    fn state(&mut self) -> &mut InstanceState<C::Data> {
        self.cx.store_mut().instance_mut(self.handle)
    }

    /// Runs until something happens that no host function serves. `call`: a function that returns
    /// to the return pad.
    pub(super) fn run(&mut self, call: bool) -> End {
        let mut call = call;
        loop {
            if self.cx.store().must_stop() {
                return End::Exit(Exit::Interrupted);
            }
            self.give_fuel();
            let exit = run_served(self, std::mem::take(&mut call));
            self.take_fuel();
            if let Some(e) = self.failed.take() {
                return End::Failed(e);
            }
            match exit {
                // Left over from a request that another instance of the store has obeyed.
                Exit::Interrupted if !self.cx.store().must_stop() => {}
                exit => return End::Exit(exit),
            }
        }
    }

    /// Calls the host function for the `ecall` at which the hart stands, and moves the hart on.
    /// `None` if there is none.
    pub(super) fn serve_call(&mut self) -> Option<Result<()>> {
        self.state().cpu.charge();
        self.take_fuel();
        let result = self.call_host();
        if result.is_none() {
            self.cx.store_mut().fuel += u64::from(self.metered);
        }
        self.give_fuel();
        result
    }

    fn call_host(&mut self) -> Option<Result<()>> {
        let store = self.cx.store_mut();
        let state = store.instance(self.handle);
        let number = state.cpu.hart().x[usize::from(Reg::A7.0)];
        let handlers: *const Handlers<C::Data> = Arc::as_ptr(&state.handlers);
        // SAFETY: the instance holds them as long as it executes, see the module.
        let handlers = unsafe { &*handlers };
        let mut caller = Caller { store: &mut *store, instance: self.handle };
        let result = handlers.call(&mut caller, number)?;
        if result.is_ok() {
            let hart = store.instance_mut(self.handle).cpu.hart_mut();
            hart.pc = hart.pc.wrapping_add(4);
        }
        Some(result)
    }
}

// SAFETY: see the module; the handle leads to the same instance each time.
unsafe impl<C: AsContextMut> Server for Running<'_, C> {
    fn cpu(&mut self) -> &mut Cpu {
        &mut self.state().cpu
    }

    fn serve(&mut self) -> bool {
        match self.serve_call() {
            Some(Ok(())) => true,
            Some(Err(e)) => {
                self.failed = Some(e);
                false
            }
            None => false,
        }
    }
}

impl<C: AsContextMut> Drop for Running<'_, C> {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
        let outer = self.outer.take();
        let state = self.state();
        state.depth -= 1;
        if let Some(outer) = outer {
            let hart = state.cpu.hart_mut();
            *hart = *outer;
            hart.clear_reservation();
        }
    }
}
