//! The loop that runs a guest thread and serves what stops it.

use crate::cpu::Exit;
use crate::linux::abi::{Errno, SysResult};
use crate::linux::gdb::attach;
use crate::linux::process::{Dispatch, Thread};
use crate::linux::ptrace::area::Made;
use crate::linux::ptrace::stop;
use crate::linux::seccomp::calls as seccomp;
use crate::linux::seccomp::user_dispatch;
use crate::linux::signal::core_dump;
use crate::linux::task::{fork_server, futex};
use crate::linux::{order, sample, strace, table};

/// This loop, for handlers that start threads or ask what is served.
pub(crate) static DISPATCH: Dispatch = Dispatch {
    run,
    show_success: strace::succeeds,
    take_over_debugger: attach::take_over,
    let_debug: attach::let_debug,
    number: table::number_of_host,
};

/// Runs the thread until it ends.
pub(crate) fn run(t: &mut Thread) {
    stop::at_start(t);
    while !t.ended {
        if t.process.core.begun() {
            core_dump::stop(t);
        }
        let debugged = t.process.debug.is_on();
        if debugged && let Some(info) = t.checkpoint() {
            t.deliver_unasked(&info);
        }
        if t.signals.is_pending() {
            t.deliver_signals();
        }
        match if debugged { t.execute() } else { next_exit(t) } {
            // A signal that came before the call is delivered before it is made.
            Exit::Ecall if !t.signals.is_pending() => {
                if debugged && !t.before_call() {
                    continue;
                }
                if let Some(vector) = &mut t.cpu.hart_mut().vector {
                    vector.clobber();
                }
                let number = t.syscall_number();
                futex::tell_host(t);
                let shown = strace::begin(t);
                let hart = t.cpu.hart();
                let made = Made { tid: t.tid, pc: hart.pc, a0: hart.x[10] };
                let allowed = match user_dispatch::dispatched(t) {
                    Some(refused) => Err(refused),
                    None if t.restriction.mode() == 0 => Ok(()),
                    None => seccomp::allow(t),
                };
                let result = match allowed {
                    Ok(()) if t.trace.is_some() && stop::before_call(t) => Ok(t.cpu.hart().x[10]),
                    Ok(()) => table::dispatch(t).or_else(|e| order::of_kernel(t, e)),
                    Err(refused) => refused,
                };
                let result = match result {
                    Err(Errno::EINTR) => Err(t.interrupted()),
                    other => other,
                };
                t.memory().kernel_has_written();
                if let Some(call) = shown {
                    strace::end(t, &call, result);
                }
                finish(t, result);
                if t.trace.is_some() || result == Err(Errno::EINTR) {
                    stop::after_call(t, made, result);
                }
                if debugged {
                    t.after_call(number);
                }
            }
            Exit::Interrupted => sample::take(t),
            Exit::Ecall | Exit::OutOfFuel => {}
            Exit::FenceI => {
                t.process.machine.flush_icache();
                let hart = t.cpu.hart_mut();
                hart.pc = hart.pc.wrapping_add(4);
            }
            // A fork server's, or that of a process which shares its memory with this one, whose
            // debugger it is.
            Exit::Ebreak if !debugged && t.cpu.at_breakpoint() => {
                if !fork_server::serve(t)
                    && let Err(exit) = t.cpu.step()
                {
                    t.raise_for(exit);
                }
            }
            fault
            @ (Exit::Ebreak | Exit::Illegal { .. } | Exit::Fault(_) | Exit::Misaligned(_)) => {
                t.raise_for(fault);
            }
        }
    }
}

/// Runs the thread up to what must be served.
fn next_exit(t: &mut Thread) -> Exit {
    if t.trace.is_none() || !stop::steps(t) {
        return t.cpu.run();
    }
    if let Err(exit) = t.cpu.step() {
        return exit;
    }
    stop::stepped(t);
    Exit::Interrupted
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
