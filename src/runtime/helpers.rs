//! Functions that translated code calls.
#![allow(unsafe_code, reason = "is called with a raw pointer to the thread state")]
//! # Safety
//! The helper stub calls with the state of the thread it runs on; `context` points to a
//! [`HelperContext`] that the hart's `Cpu` keeps alive while it is inside translated code. No
//! other reference to either exists then.

use super::host::{load_fp, note_fp};
use super::machine::Machine;
use super::stats::add;
use crate::backend::ThreadState;
use crate::cpu::Exit;
use crate::interp;
use crate::sys::time;

/// What a helper needs besides the state.
#[derive(Debug)]
pub(super) struct HelperContext {
    pub(super) machine: *const Machine,
    /// Why the interpreter stopped; `None` if translated code must be left all the same.
    pub(super) exit: Option<Exit>,
}

// SAFETY: the pointer is to the machine that the same `Cpu` holds an `Arc` of.
unsafe impl Send for HelperContext {}

/// What [`ThreadState::counter`] is.
pub(super) extern "C" fn read_counter(number: u64) -> u64 {
    time::read(number)
}

/// Executes the instruction at `hart.pc`. 0: go on behind it; 1: leave translated code.
pub(super) extern "C" fn interpret_one(state: *mut ThreadState) -> u32 {
    // SAFETY: see the module.
    let state = unsafe { &mut *state };
    // SAFETY: see the module.
    let context = unsafe { &mut *(state.context as *mut HelperContext) };
    // SAFETY: see the module.
    let machine = unsafe { &*context.machine };
    add(&machine.counters.helper_calls, 1);
    note_fp(state);
    let (memory, isa) = (machine.memory(), machine.isa());
    let result = interp::fetch(memory, isa, state.hart.pc).and_then(|insn| {
        add(&machine.counters.helpers.0[insn.op as usize], 1);
        // No jump has a helper, so none can be misaligned.
        interp::execute(&mut state.hart, memory, &insn)
    });
    load_fp(state);
    context.exit = result.err();
    // Translated code has no word for rounding modes above 3.
    u32::from(context.exit.is_some() || state.hart.frm > 3)
}
