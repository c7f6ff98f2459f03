//! Environment calls that are served without leaving translated code.
//!
//! Translated code calls the server by way of a stub, with all registers in the hart, and goes on
//! behind the call unless something has changed that the loop around must look at. The server may
//! run guest code again, of the same hart too.
#![allow(unsafe_code, reason = "translated code comes back with raw pointers")]
//! # Safety
//! No reference to the server, the hart or the thread state exists while translated code runs:
//! [`run`] keeps raw pointers, which [`serve`] makes references of and gives up before it returns.
//! A panic does not cross translated code.

use super::cpu::Cpu;
use super::host::{load_fp, note_fp, prepare_memory};
use super::stats::add_alone;
use crate::backend::{ExitReason, ThreadState};
use crate::cpu::Exit;
use crate::util::{CodePtr, HostAddr};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Owner of a hart, which serves its environment calls.
///
/// # Safety
/// [`Self::cpu`] is the same hart each time, and lives as long as the server; [`Self::serve`]
/// neither moves nor drops it.
pub unsafe trait Server {
    /// The hart.
    fn cpu(&mut self) -> &mut Cpu;

    /// Serves the environment call at which the hart stands, and moves the pc behind it. False: it
    /// does not, and the run ends with [`Exit::Ecall`].
    fn serve(&mut self) -> bool;
}

/// What [`serve`] needs of a run, and has found.
struct Frame<S> {
    server: *mut S,
    /// The server has said so.
    served: bool,
    panic: Option<Box<dyn Any + Send>>,
}

/// As [`Cpu::run`], with environment calls that the server serves. `call`: the hart is at the
/// beginning of a function that returns to [`Cpu::set_call_return`].
pub fn run<S: Server>(server: &mut S, call: bool) -> Exit {
    let mut call = call;
    loop {
        let cpu = server.cpu();
        let stopped = match cpu.ready_code() {
            Some(code) => match enter(server, code, call) {
                Ok(stopped) => server.cpu().without_fence(stopped),
                Err(NotServed) => return Exit::Ecall,
            },
            None => cpu.run_some(),
        };
        call = false;
        match stopped {
            Some(Exit::Ecall) if server.serve() => {}
            Some(Exit::Ecall) => return Exit::Ecall,
            Some(exit) => return exit,
            None => {}
        }
    }
}

/// The server has been asked to serve an environment call, and has not.
struct NotServed;

/// Runs the code at `code` until it is left: as [`Cpu::left`].
fn enter<S: Server>(server: &mut S, code: CodePtr, call: bool) -> Result<Option<Exit>, NotServed> {
    let cpu = server.cpu();
    let entry = cpu.begin_serving(code, call);
    let state = entry.state();
    let mut frame = Frame { server: &raw mut *server, served: false, panic: None };
    let at = (&raw mut frame).expose_provenance() as u64;
    // SAFETY: the state is the hart's, and nobody refers to it now.
    let outer = unsafe {
        let outer = ((*state).serve, (*state).frame);
        ((*state).serve, (*state).frame) = (serve::<S> as *const () as u64, at);
        outer
    };
    // SAFETY: nothing refers to the state, the hart or the server meanwhile.
    let reason = ExitReason::from_raw(unsafe { entry.enter() });
    // SAFETY: as above.
    unsafe { ((*state).serve, (*state).frame) = outer };
    let cpu = server.cpu();
    cpu.end_serving();
    if reason == ExitReason::Return {
        return Ok(Some(cpu.returned()));
    }
    if reason != ExitReason::Serve {
        return Ok(cpu.left(reason));
    }
    match frame.panic.take() {
        Some(payload) => resume_unwind(payload),
        None if frame.served => Ok(None),
        None => Err(NotServed),
    }
}

/// What the serve stub calls: 0 to go on behind the environment call.
extern "C" fn serve<S: Server>(state: *mut ThreadState) -> u32 {
    // SAFETY: translated code of this thread has called, and works on the state no more.
    let (frame, word, known) = unsafe {
        note_fp(&mut *state);
        ((*state).frame, (*state).guest_fp, (*state).known_fp)
    };
    let frame = std::ptr::with_exposed_provenance_mut::<Frame<S>>(frame as usize);
    // SAFETY: `enter` waits for translated code and has stored the address of its frame.
    let frame = unsafe { &mut *frame };
    // SAFETY: as above; `enter` uses the server no more before it has come back.
    let server = unsafe { &mut *frame.server };
    let before = server.cpu().before_serving();
    let result = catch_unwind(AssertUnwindSafe(|| server.serve()));
    let cpu = server.cpu();
    frame.served = match result {
        Ok(served) => served,
        Err(payload) => {
            frame.panic = Some(payload);
            false
        }
    };
    if !(frame.served && cpu.may_go_on(&before)) {
        return 1;
    }
    let state = cpu.state_mut();
    if (state.hart.frm, state.hart.fflags) == before.fp {
        (state.guest_fp, state.known_fp) = (word, known);
    } else {
        load_fp(state);
    }
    prepare_memory(HostAddr(state.memory_base as usize));
    0
}

/// What [`ThreadState::serve`] is where nobody serves.
pub(super) extern "C" fn nobody(state: *mut ThreadState) -> u32 {
    // SAFETY: as in `serve`.
    unsafe { note_fp(&mut *state) };
    1
}

/// What a hart was before a call was served.
pub(super) struct Before {
    /// Address of the environment call.
    pc: u64,
    /// Rounding mode and accrued flags.
    fp: (u8, u8),
    /// The code cache, and how often blocks of it have been invalidated.
    version: (u64, u64),
}

impl Cpu {
    #[inline]
    fn before_serving(&mut self) -> Before {
        add_alone(&self.machine().counters.ecalls, 1);
        self.give_back();
        let hart = self.hart();
        Before { pc: hart.pc, fp: (hart.frm, hart.fflags), version: self.version() }
    }

    /// True if translated code may go on behind the call.
    #[inline]
    fn may_go_on(&self, before: &Before) -> bool {
        self.hart().pc == before.pc.wrapping_add(4)
            && self.version() == before.version
            && self.is_undisturbed(self.cache())
    }
}
