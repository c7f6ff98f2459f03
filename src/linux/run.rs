//! The loop that runs a guest thread and serves what stops it.

use crate::cpu::Exit;
use crate::linux::abi::{Errno, SysResult};
use crate::linux::process::{Dispatch, Thread};
use crate::linux::seccomp::calls as seccomp;
use crate::linux::seccomp::user_dispatch;
use crate::linux::signal::core_dump;
use crate::linux::task::futex;
use crate::linux::{order, strace, table};

/// This loop, for handlers that start threads or ask what is served.
pub(crate) static DISPATCH: Dispatch =
    Dispatch { run, show_success: strace::succeeds, number: table::number_of_host };

/// Runs the thread until it ends.
pub(crate) fn run(t: &mut Thread) {
    while !t.ended {
        if t.process.core.begun() {
            core_dump::stop(t);
        }
        if t.signals.is_pending() {
            t.deliver_signals();
        }
        match t.cpu.run() {
            // A signal that came before the call is delivered before it is made.
            Exit::Ecall if !t.signals.is_pending() => {
                futex::tell_host(t);
                let shown = strace::begin(t);
                let allowed = match user_dispatch::dispatched(t) {
                    Some(refused) => Err(refused),
                    None if t.restriction.mode() == 0 => Ok(()),
                    None => seccomp::allow(t),
                };
                let result = match allowed {
                    Ok(()) => table::dispatch(t).or_else(|e| order::of_kernel(t, e)),
                    Err(refused) => refused,
                };
                t.memory().kernel_has_written();
                if let Some(call) = shown {
                    strace::end(t, &call, result);
                }
                finish(t, result);
            }
            Exit::Ecall | Exit::Interrupted | Exit::OutOfFuel => {}
            Exit::FenceI => {
                t.process.machine.flush_icache();
                let hart = t.cpu.hart_mut();
                hart.pc = hart.pc.wrapping_add(4);
            }
            fault
            @ (Exit::Ebreak | Exit::Illegal { .. } | Exit::Fault(_) | Exit::Misaligned(_)) => {
                t.raise_for(fault);
            }
        }
    }
}

/// Gives the guest the result of its call.
fn finish(t: &mut Thread, result: SysResult) {
    let value = match result {
        Err(Errno::RESTART | Errno::NO_RESULT) => return,
        Ok(value) => value,
        Err(e) => u64::from(e.0).wrapping_neg(),
    };
    let hart = t.cpu.hart_mut();
    hart.x[10] = value;
    hart.pc = hart.pc.wrapping_add(4);
}
