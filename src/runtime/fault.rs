//! From a host fault in translated code to the guest's state at that instruction.
//!
//! The signal handler only copies registers and continues at a stub that leaves translated code;
//! everything else happens here, outside of it. The exact fault (address, kind) is then found by
//! the interpreter, which executes the instruction again.
#![allow(unsafe_code, reason = "registers the arenas for the signal handler")]
//! # Safety
//! The handler reads only atomics of a static table, whose slots are filled before code of the
//! arena runs and emptied after the last hart has left it.

use super::pc_table;
use super::thread::{fp_trap, recovery, return_stack_overflow, save_registers};
use crate::backend::{RegMap, RestoreOp};
use crate::cpu::{Hart, canonical};
use crate::sys::signal::HostFaultInfo;
use crate::sys::ucontext::{Context, Registers};
use crate::util::HostAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Arenas in a part of the handler's table.
const SLOTS: usize = 256;

/// A part of the table of arenas, whose parts are never freed: the handler may look at them at any
/// time.
struct Part {
    /// Start, end and fault stub of each arena. A slot is free if its start is 0, and in use if its
    /// end is not.
    slots: [[AtomicUsize; 3]; SLOTS],
    /// Slots in use lie below this.
    used: AtomicUsize,
    next: OnceLock<Box<Part>>,
}

impl Part {
    const fn new() -> Self {
        Self {
            slots: [const { [AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0)] };
                SLOTS],
            used: AtomicUsize::new(0),
            next: OnceLock::new(),
        }
    }
}

static ARENAS: Part = Part::new();

/// An arena's entry in the handler's table.
#[derive(Debug)]
pub(super) struct Registered(&'static [AtomicUsize; 3]);

/// Makes the handler know an arena.
pub(super) fn register(start: HostAddr, len: usize, fault_stub: HostAddr) -> Registered {
    let mut part = &ARENAS;
    loop {
        for (i, slot) in part.slots.iter().enumerate() {
            let [from, to, stub] = slot;
            if from.compare_exchange(0, start.0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                stub.store(fault_stub.0, Ordering::Relaxed);
                to.store(start.0 + len, Ordering::Release);
                part.used.fetch_max(i + 1, Ordering::AcqRel);
                return Registered(slot);
            }
        }
        part = part.next.get_or_init(|| Box::new(Part::new()));
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let [from, to, _] = self.0;
        to.store(0, Ordering::Release);
        from.store(0, Ordering::Release);
    }
}

/// The host register that holds the state pointer in translated code.
const STATE_REGISTER: usize = super::host::STATE_REGISTER;
/// The host's stack pointer.
const STACK_REGISTER: usize = super::host::STACK_REGISTER;

/// The hook of the signal handler: true if the fault was in translated code, or was a part of a
/// table that was touched for the first time.
pub(super) fn hook(context: &mut Context, info: &HostFaultInfo) -> bool {
    let pc = context.pc().0;
    if pc_table::fill(info.addr) {
        return true;
    }
    let parts = std::iter::successors(Some(&ARENAS), |part| part.next.get().map(|next| &**next));
    let slots = parts.flat_map(|part| &part.slots[..part.used.load(Ordering::Acquire)]);
    for [from, to, stub] in slots {
        if pc >= to.load(Ordering::Acquire) || pc < from.load(Ordering::Relaxed) {
            continue;
        }
        let state = context.general(STATE_REGISTER);
        if let Some(at) = recovery(state) {
            if info.is_arithmetic() {
                context.set_fp_control(super::host::fp_untrap(context.fp_control()));
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

/// What makes the guest's state of the host's registers where translated code was left in the
/// middle of a unit.
#[derive(Debug)]
pub(super) struct Restore {
    /// The guest's pc there.
    pub(super) pc: u64,
    /// The unit's map of registers.
    pub(super) map: RegMap,
    /// Instructions that were paid for and have not been executed, this one among them.
    pub(super) unused: u32,
    /// What was pending.
    pub(super) restore_ops: Vec<RestoreOp>,
}

impl Restore {
    /// Makes `hart` what it was there. `saved` are the host's registers at that point, if what they
    /// hold by the unit's map is not in the hart yet.
    pub(super) fn apply(&self, hart: &mut Hart, saved: Option<&Registers>) {
        hart.pc = self.pc;
        if let Some(saved) = saved {
            self.map.ints().for_each(|(r, h)| hart.set_x(r, saved.general[usize::from(h)]));
            self.map
                .floats()
                .for_each(|(r, h)| hart.f[usize::from(r)] = saved.vector[usize::from(h)]);
            for restore_op in &self.restore_ops {
                if let RestoreOp::Held(r, h) = *restore_op {
                    hart.set_x(r, saved.general[usize::from(h)]);
                }
            }
        }
        let home = hart.x;
        for restore_op in &self.restore_ops {
            match *restore_op {
                RestoreOp::Int(r, value) => hart.set_x(r, evaluate(&home, r, value)),
                RestoreOp::Sext(r) => hart.set_x(r, home[usize::from(r)] as i32 as u64),
                RestoreOp::CanonD(r) => {
                    let f = &mut hart.f[usize::from(r)];
                    if f64::from_bits(*f).is_nan() {
                        *f = canonical::NAN64;
                    }
                }
                RestoreOp::Held(..) => {}
                RestoreOp::Box(r) => hart.f[usize::from(r)] |= u64::from(u32::MAX) << 32,
                RestoreOp::CanonS(r) => {
                    let f = &mut hart.f[usize::from(r)];
                    if f32::from_bits(*f as u32).is_nan() {
                        *f = u64::from(u32::MAX) << 32 | u64::from(canonical::NAN32);
                    }
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
        Val::Bytes { a, bytes } => bytes.of(home[usize::from(a)]),
        Val::Shift { op, w, a, n } => crate::backend::shifted(op, w, home[usize::from(a)], n),
        Val::Lin { a, b, shift, imm } => {
            let term = |q: u8| if q == 0 { 0 } else { home[usize::from(q)] };
            term(a).wrapping_add(term(b) << shift).wrapping_add(i64::from(imm) as u64)
        }
    }
}
