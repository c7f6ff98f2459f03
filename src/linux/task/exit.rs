//! How threads and processes end (exit(2), exit_group(2); kernel: `kernel/exit.c`).

use crate::gdb::Stop;
use crate::linux::abi::{Errno, SigInfo, SysResult};
use crate::linux::host::{HostArg, host_call};
use crate::linux::lock::lock;
use crate::linux::process::Thread;
use crate::linux::ptrace::stop;
use crate::linux::signal::core_dump;
use crate::linux::signal::crash::{Crash, Hook};
use crate::linux::status::ExitStatus;
use crate::linux::task::futex;
use crate::sys::async_signal;
use std::sync::atomic::Ordering;

/// Ends the calling thread; the process with it, if it is the last one.
pub(crate) fn sys_exit(t: &mut Thread, code: i32) -> SysResult {
    if t.process.threads.load(Ordering::Acquire) > 1 {
        stop::before_exit(t, (code & 0xff) << 8);
    }
    async_signal::set_mask(!0);
    if t.process.threads.fetch_sub(1, Ordering::AcqRel) == 1 {
        // Since Linux 6.1 the process's code is that of the thread that ended last.
        return sys_exit_group(t, code);
    }
    // What was recorded for this thread and not delivered: another thread shall have it, unless it
    // was sent to this one.
    while let Some(info) = t.signals.take(0) {
        if info[1] as u32 as i32 != libc::SI_TKILL {
            let pid = HostArg::value(u64::from(std::process::id()));
            let signal = HostArg::value(info[0] & 0x7f);
            let _ = host_call(libc::SYS_rt_sigqueueinfo, &[pid, signal, HostArg::slice(&info)]);
        }
    }
    futex::release_robust(t);
    t.debugged_no_more();
    if t.tid == std::process::id() as i32 {
        // The process's first thread: returning from it would end the process.
        futex::clear_tid(t.memory(), t.clear_child_tid);
        let _ = host_call(libc::SYS_exit, &[HostArg::int(code)]);
    }
    t.ended = true;
    Err(Errno::NO_RESULT)
}

/// Ends all threads.
pub(crate) fn sys_exit_group(t: &mut Thread, code: i32) -> SysResult {
    stop::before_exit(t, (code & 0xff) << 8);
    at_end(t, ExitStatus::exited(code));
    futex::release_robust(t);
    if t.process.borrowed {
        // Somebody may wait for it in the memory that is left.
        futex::clear_tid(t.memory(), t.clear_child_tid);
    }
    let _ = host_call(libc::SYS_exit_group, &[HostArg::int(code)]);
    Err(Errno::NO_RESULT)
}

/// Ends the process as the default action of `info`'s signal does.
pub(crate) fn die_of_signal(t: &mut Thread, info: &SigInfo) -> ! {
    tell(t, info);
    stop::before_exit(t, info.signo);
    if t.process.options.debug_crashes && FAULTS.contains(&info.signo) && !t.process.debug.is_on() {
        async_signal::set_mask(!0);
        if (t.process.dispatch.let_debug)(&t.process).is_ok() {
            // The program dies of it in any case once the client has seen enough.
            t.signal_for(*info);
        }
    }
    let dumped = core_dump::dump(t, info);
    at_end(t, ExitStatus::killed(info.signo));
    futex::release_robust(t);
    dumped.settle();
    async_signal::die_of(info.signo)
}

/// Signals by which the kernel tells a program of a fault of its own, or by which it gives up
/// (abort(3)).
const FAULTS: [i32; 7] = [
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGSYS,
];

/// Tells who wants to know that `t` dies of the signal of `info`.
fn tell(t: &Thread, info: &SigInfo) {
    let Some(Hook { tell, .. }) = &t.process.options.on_crash else { return };
    if !FAULTS.contains(&info.signo) {
        return;
    }
    let from_kernel = info.code > 0 && info.signo != libc::SIGSYS;
    tell(&Crash {
        signal: info.signo,
        code: info.code,
        address: from_kernel.then_some(info.fields[0]),
        hart: t.cpu.hart(),
        memory: t.memory(),
        isa: t.process.machine.isa(),
        program: &t.process.exe,
        thread: t.tid,
    });
}

/// Before another program takes the place of this one.
pub(crate) fn before_exec(t: &Thread) {
    let hook = lock(&t.process.on_exit).clone();
    if let Some(hook) = hook {
        hook(&t.process.machine, ExitStatus::exited(0));
    }
}

fn at_end(t: &Thread, status: ExitStatus) {
    if let Some(debugger) = t.process.debug.get() {
        debugger.process_gone(match status.signal() {
            Some(signal) => Stop::Killed(signal),
            None => Stop::Exited(status.code().unwrap_or(0)),
        });
    }
    let hook = lock(&t.process.on_exit).take();
    if let Some(hook) = hook {
        hook(&t.process.machine, status);
    }
}
