//! Samples of what threads are at, for profiles.
//!
//! A thread of ours has all others stop at their next poll or indirect jump, where their registers
//! are known, and each tells of itself with the CPU time it has used since the last time. So what
//! is sampled are backward jumps, calls and returns, and who waits in a call is not.

use crate::linux::lock::lock;
use crate::linux::process::{Process, Thread};
use crate::linux::task::peers;
use crate::sys::process::spawn;
use crate::sys::time::thread_cpu_ns;
use std::cell::Cell;
use std::sync::{Arc, Mutex, MutexGuard};

/// Bytes of the stack of the thread that asks for samples.
const STACK: usize = 64 << 10;

thread_local! {
    /// The CPU time of the thread for which there are samples.
    static SAMPLED: Cell<u64> = const { Cell::new(0) };
}

/// Held while a sample is told of: whoever is told may have locks of its own.
static TELLING: Mutex<()> = Mutex::new(());

/// Held while the process is copied.
pub(crate) fn hold() -> MutexGuard<'static, ()> {
    lock(&TELLING)
}

/// Has samples taken of the process from now on, if its options say so; to be called again in a
/// child.
pub(crate) fn start(process: &Arc<Process>) {
    let Some(sampler) = &process.options.sampler else { return };
    let (period, process) = (sampler.period, Arc::downgrade(process));
    let started = spawn(STACK, move || {
        peers::name_helper();
        while let Some(process) = process.upgrade() {
            process.machine.interrupt_all();
            drop(process);
            std::thread::sleep(period);
        }
    });
    if let Err(e) = started {
        tracing::warn!("no samples are taken: {e}");
    }
}

/// To be called when the thread was interrupted, perhaps for a sample.
pub(crate) fn take(t: &Thread) {
    let Some(sampler) = &t.process.options.sampler else { return };
    let now = thread_cpu_ns();
    let used = now.saturating_sub(SAMPLED.get());
    // A signal may have come in between.
    if u128::from(used) * 2 < sampler.period.as_nanos() {
        return;
    }
    let telling = hold();
    (sampler.hook)(&t.process.machine, t.cpu.hart(), used / 1000);
    drop(telling);
    // What taking a sample takes is nobody's.
    SAMPLED.set(thread_cpu_ns());
}
