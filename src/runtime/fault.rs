//! From a host fault in translated code to the guest's state at that instruction.
//!
//! The signal handler only copies registers and continues at a stub that leaves translated code;
//! everything else happens here, outside of it. The exact fault (address, kind) is then found by
//! the interpreter, which executes the instruction again.
#![allow(unsafe_code, reason = "registers the arenas for the signal handler")]
//! # Safety
//! The handler reads only atomics of a static table, whose slots are filled before code of the
//! arena runs and emptied after the last hart has left it.

use super::table;
use super::thread::{fp_trap, recovery, return_stack_overflow, save_registers};
use crate::backend::Recipe;
use crate::cpu::{Hart, canonical};
use crate::sys::signal::HostFaultInfo;
use crate::sys::ucontext::Context;
use crate::util::HostAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Arenas that exist at one time: one a machine, more while a full one is being left.
const SLOTS: usize = 1024;

/// Start, end and fault stub of each arena. A slot is free if its end is 0.
static ARENAS: [[AtomicUsize; 3]; SLOTS] =
    [const { [AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0)] }; SLOTS];
/// Slots in use lie below this.
static USED: AtomicUsize = AtomicUsize::new(0);

/// An arena's entry in the handler's table.
#[derive(Debug)]
pub(super) struct Registered(usize);

/// Makes the handler know an arena; `None` if there are too many.
pub(super) fn register(start: HostAddr, len: usize, fault_stub: HostAddr) -> Option<Registered> {
    for (i, [from, to, stub]) in ARENAS.iter().enumerate() {
        if from.compare_exchange(0, start.0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            stub.store(fault_stub.0, Ordering::Relaxed);
            to.store(start.0 + len, Ordering::Release);
            USED.fetch_max(i + 1, Ordering::AcqRel);
            return Some(Registered(i));
        }
    }
    None
}

impl Drop for Registered {
    fn drop(&mut self) {
        let [from, to, _] = &ARENAS[self.0];
        to.store(0, Ordering::Release);
        from.store(0, Ordering::Release);
    }
}

/// The host register that holds the state pointer in translated code.
const STATE_REGISTER: usize = super::select::STATE_REGISTER;
/// The host's stack pointer.
const STACK_REGISTER: usize = super::select::STACK_REGISTER;

/// The hook of the signal handler: true if the fault was in translated code, or was a part of a
/// table that was touched for the first time.
pub(super) fn hook(context: &mut Context, info: &HostFaultInfo) -> bool {
    let pc = context.pc().0;
    if table::fill(info.addr) {
        return true;
    }
    for [from, to, stub] in &ARENAS[..USED.load(Ordering::Acquire)] {
        if pc >= to.load(Ordering::Acquire) || pc < from.load(Ordering::Relaxed) {
            continue;
        }
        let state = context.general(STATE_REGISTER);
        if let Some(at) = recovery(state) {
            if info.is_arithmetic() {
                context.set_fp_control(super::select::fp_untrap(context.fp_control()));
            }
            context.set_pc(at);
            return true;
        }
        if info.is_arithmetic() {
            let Some(word) = fp_trap(state, context.fp_control()) else { return false };
            context.set_fp_control(word);
            return true;
        }
        if let Some(top) = return_stack_overflow(state, info.addr) {
            // Too many calls without a return: predictions are dropped, the push is done again.
            context.set_general(STACK_REGISTER, top);
            return true;
        }
        save_registers(state, context, info.addr);
        context.set_pc(HostAddr(stub.load(Ordering::Relaxed)));
        return true;
    }
    false
}

/// Brings home what was pending when translated code was left in the middle of a block; `general`
/// are the host's registers at that point, where it is a fault.
pub(super) fn apply(hart: &mut Hart, recipes: &[Recipe], general: &[u64]) {
    for recipe in recipes {
        if let Recipe::Held(r, host) = *recipe {
            hart.set_x(r, general[usize::from(host)]);
        }
    }
    let home = hart.x;
    for recipe in recipes {
        match *recipe {
            Recipe::Int(r, value) => hart.set_x(r, evaluate(&home, r, value)),
            Recipe::Sext(r) => hart.set_x(r, home[usize::from(r)] as i32 as u64),
            Recipe::CanonD(r) => {
                let f = &mut hart.f[usize::from(r)];
                if f64::from_bits(*f).is_nan() {
                    *f = canonical::NAN64;
                }
            }
            Recipe::Held(..) => {}
            Recipe::Box(r) => hart.f[usize::from(r)] |= u64::from(u32::MAX) << 32,
            Recipe::CanonS(r) => {
                let f = &mut hart.f[usize::from(r)];
                if f32::from_bits(*f as u32).is_nan() {
                    *f = u64::from(u32::MAX) << 32 | u64::from(canonical::NAN32);
                }
            }
        }
    }
}

fn evaluate(home: &[u64; 32], r: u8, value: crate::backend::Val) -> u64 {
    use crate::backend::Val;
    match value {
        Val::Home => home[usize::from(r)],
        Val::Const(k) => k,
        Val::Shift { op, w, a, n } => crate::backend::shifted(op, w, home[usize::from(a)], n),
        Val::Lin { a, b, shift, imm } => {
            let term = |q: u8| if q == 0 { 0 } else { home[usize::from(q)] };
            term(a).wrapping_add(term(b) << shift).wrapping_add(i64::from(imm) as u64)
        }
    }
}
