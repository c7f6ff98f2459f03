//! What the host does on the guest's signals: what the guest asked for, or, of a traced process,
//! that its threads are told of each.

use crate::linux::abi::{NSIG, SigAction};
use crate::linux::gdb::state as debug;
use crate::linux::lock::lock;
use crate::linux::process::Process;
use crate::linux::signal::actions::{
    DEFAULT_ACTION, SA_NOCLDSTOP, SA_NOCLDWAIT, SA_RESTART, SIG_DFL, SIG_IGN, bit,
};
use crate::linux::signal::core_dump;
use crate::sys::async_signal::{self, Disposition, UNBLOCKABLE};
use crate::sys::signal as sys_signal;
use std::sync::atomic::{AtomicU32, Ordering};

/// SIGKILL and SIGSTOP: never caught, never blocked.
pub(crate) const UNCATCHABLE: u64 = bit(libc::SIGKILL) | bit(libc::SIGSTOP);

/// The process whose threads are told of all signals, also of those that are ignored or have their
/// default action, since somebody traces it; 0 for none. A child of vfork has our memory, and
/// actions of its own.
static RECORDS_ALL: AtomicU32 = AtomicU32::new(0);

/// True if threads are told of all signals.
pub(crate) fn records_all() -> bool {
    let process = RECORDS_ALL.load(Ordering::Relaxed);
    process != 0 && process == std::process::id()
}

/// Has threads of the process told of all signals.
pub(crate) fn record_all(process: &Process) {
    RECORDS_ALL.store(std::process::id(), Ordering::Relaxed);
    mirror_actions(process);
}

/// The inverse of [`record_all`], also for a child, which has inherited what the host does; and
/// what is to be done before another program is started, which inherits what is ignored.
pub(crate) fn record_wanted(process: &Process) {
    if records_all() {
        RECORDS_ALL.store(0, Ordering::Relaxed);
    }
    mirror_actions(process);
}

fn mirror_actions(process: &Process) {
    let actions = lock(&process.actions);
    for (signal, action) in actions.iter().enumerate().skip(1) {
        mirror(signal as i32, action);
    }
}

/// Has the host do its default action on a signal that is about to be sent to the calling thread.
/// The thread's mask before, which lets only that signal through.
pub(crate) fn let_host_act(signal: i32) -> u64 {
    if bit(signal) & (UNCATCHABLE | UNBLOCKABLE) == 0 {
        let _ = async_signal::set_disposition(signal, Disposition::Default);
    }
    async_signal::set_mask(!bit(signal))
}

/// After [`let_host_act`] and the signal.
pub(crate) fn record_again(process: &Process, signal: i32) {
    if bit(signal) & UNBLOCKABLE == 0 {
        let actions = lock(&process.actions);
        mirror(signal, &actions[signal as usize]);
    }
}

/// The actions that a new program starts with: what was ignored stays ignored.
pub(crate) fn inherited_actions() -> [SigAction; NSIG + 1] {
    let mut actions = [DEFAULT_ACTION; NSIG + 1];
    for (n, action) in actions.iter_mut().enumerate().skip(1) {
        if async_signal::is_ignored(n as i32) {
            action.handler = SIG_IGN;
        } else if n as i32 == libc::SIGPIPE {
            mirror(libc::SIGPIPE, &DEFAULT_ACTION);
        }
    }
    actions
}

/// Makes the host do what the guest asked for.
pub(super) fn mirror(signal: i32, action: &SigAction) {
    if bit(signal) & UNCATCHABLE != 0 {
        return;
    }
    if bit(signal) & UNBLOCKABLE != 0 {
        // What is ignored interrupts nothing.
        let restart = action.flags & SA_RESTART != 0 || action.handler == SIG_IGN;
        return sys_signal::set_restart(signal, restart);
    }
    let what = match action.handler {
        SIG_DFL | SIG_IGN if records_all() => Disposition::Record {
            restart: true,
            no_child_stop: action.flags & SA_NOCLDSTOP != 0,
            no_child_wait: action.handler == SIG_IGN || action.flags & SA_NOCLDWAIT != 0,
        },
        SIG_DFL if core_dump::records(signal) || debug::records(signal) => {
            Disposition::Record { restart: true, no_child_stop: false, no_child_wait: false }
        }
        SIG_DFL => Disposition::Default,
        SIG_IGN => Disposition::Ignore,
        _ => Disposition::Record {
            restart: action.flags & SA_RESTART != 0,
            no_child_stop: action.flags & SA_NOCLDSTOP != 0,
            no_child_wait: action.flags & SA_NOCLDWAIT != 0,
        },
    };
    // Every signal that is left can be set.
    let _ = async_signal::set_disposition(signal, what);
}

impl Process {
    /// Makes the host do what the guest wants for the signals that C libraries keep for themselves:
    /// the host's own takes one of them (SIGSETXID) when it starts its first thread.
    pub(crate) fn mirror_library_signals(&self) {
        for signal in 32..34 {
            mirror(signal, &lock(&self.actions)[signal as usize]);
        }
    }

    /// Makes the host do what it is to do on `signal`, if the guest has the default action for it.
    pub(crate) fn mirror_default(&self, signal: i32) {
        let actions = lock(&self.actions);
        if actions[signal as usize].handler == SIG_DFL {
            mirror(signal, &actions[signal as usize]);
        }
    }
}
