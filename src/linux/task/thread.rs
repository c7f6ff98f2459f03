//! Threads (clone(2) with `CLONE_THREAD`): each a host thread.

use crate::cpu::Hart;
use crate::linux::abi::{Errno, GuestPtr, SysResult};
use crate::linux::args::host;
use crate::linux::host::{HostArg, host_call};
use crate::linux::process::{Process, Thread};
use crate::linux::seccomp::filter::Restriction;
use crate::linux::signal::actions;
use crate::linux::task::clone::CloneRequest;
use crate::linux::task::prctl::VECTORS_ON;
use crate::linux::task::{futex, peers};
use crate::runtime::Cpu;
use crate::sys::async_signal::{self, Slot};
use crate::sys::process;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};

/// Host stack of a guest thread in bytes: room for the interpreter, the translator and a handler.
const HOST_STACK: usize = 1 << 20;

pub(crate) fn sys_set_tid_address(t: &mut Thread, addr: u64) -> SysResult {
    t.clear_child_tid = addr;
    Ok(t.tid as u64)
}

impl Thread {
    /// A thread of `process` with the given registers, run by the calling host thread, which has
    /// all signals blocked.
    pub(crate) fn new(
        process: Arc<Process>,
        hart: Hart,
        sigmask: u64,
        restriction: &Restriction,
    ) -> std::io::Result<Self> {
        let mut cpu = Cpu::new(Arc::clone(&process.machine))?;
        *cpu.hart_mut() = hart;
        let interrupter = cpu.interrupter();
        let signals = Slot::new(Box::new(move || interrupter.interrupt()));
        let tid = process::ids().0;
        let restriction = Arc::new(restriction.inherited(tid));
        process.add_restriction(&restriction);
        Ok(Self {
            cpu,
            process,
            tid,
            sigmask,
            saved_sigmask: None,
            altstack: actions::NO_ALTSTACK,
            signals,
            clear_child_tid: 0,
            robust_list: 0,
            robust: None,
            restriction,
            shown: None,
            registered_rings: Default::default(),
            user_dispatch: None,
            vector_control: VECTORS_ON,
            trace: None,
            begins: None,
            restart: None,
            shown_result: None,
            debuggee: None,
            ended: false,
        })
    }

    /// Starts another thread of the process. Returns its id.
    /// All signals are blocked.
    pub(crate) fn start_thread(&self, request: &CloneRequest) -> SysResult {
        let mut hart = self.cpu.hart().clone();
        request.set_child_registers(&mut hart);
        let (process, sigmask) = (Arc::clone(&self.process), self.sigmask);
        let request = request.clone();
        let restriction = Arc::clone(&self.restriction);
        let (report, started) = mpsc::sync_channel(1);
        process.threads.fetch_add(1, Ordering::AcqRel);
        let more = request.more().clone();
        let trace = self.inherited_trace();
        let (refuse, threads) = (report.clone(), Arc::clone(&process));
        let body = move || {
            let count = Arc::clone(&process);
            let started = || Ok(Self::new(process, hart, sigmask, &restriction)?);
            match request.unshare().and_then(|()| started()) {
                Ok(mut t) => {
                    let attached = t.signals.attach();
                    request.announce(&mut t);
                    (t.trace, t.begins) = trace;
                    let _ = report.send(Ok(t.tid as u64));
                    async_signal::set_mask(sigmask);
                    (t.process.dispatch.run)(&mut t);
                    // Whoever waits for the end finds the thread's memory gone too.
                    let clear_child_tid = t.clear_child_tid;
                    drop(attached);
                    drop(t);
                    futex::clear_tid(count.memory(), clear_child_tid);
                }
                Err(e) => {
                    count.threads.fetch_sub(1, Ordering::AcqRel);
                    let _ = report.send(Err(e));
                }
            }
        };
        let start = move || {
            if more.set_tid.is_empty() {
                return body();
            }
            // The C library makes no threads with chosen ids: this one lends another what it keeps.
            let mut body = Some(body);
            let name = peers::name_helper();
            let lent = process::lend(&more, &mut || {
                peers::set_name(&name);
                if let Some(body) = body.take() {
                    body();
                }
            });
            if let Err(e) = lent {
                threads.threads.fetch_sub(1, Ordering::AcqRel);
                let _ = refuse.send(Err(e.into()));
            }
        };
        if let Err(e) = spawn(self, start) {
            self.process.threads.fetch_sub(1, Ordering::AcqRel);
            return Err(e);
        }
        started.recv().map_err(|_| Errno::EAGAIN)?
    }
}

/// Starts a host thread, with all signals blocked as they are in the calling one.
///
/// # Errors
/// `EAGAIN`, as clone(2) says it.
pub(crate) fn spawn(t: &Thread, body: impl FnOnce() + Send + 'static) -> Result<(), Errno> {
    let spawned = process::spawn(HOST_STACK, body);
    t.process.mirror_library_signals();
    spawned.map_err(|_| Errno::EAGAIN)
}

impl CloneRequest {
    /// Gives the calling host thread what it is to have for itself.
    fn unshare(&self) -> Result<(), Errno> {
        match self.unshared() {
            0 => Ok(()),
            flags => host_call(libc::SYS_unshare, &[HostArg::value(flags)]).map(drop),
        }
    }

    /// Writes the thread id where the request asks for it, before anyone runs guest code.
    fn announce(&self, t: &mut Thread) {
        let tid = t.tid;
        for at in [self.parent_tid, self.child_tid].into_iter().flatten() {
            // As the kernel does, a bad address is passed over.
            let _ = GuestPtr::<i32>::new(at).write(t.memory(), &tid);
        }
        t.clear_child_tid = self.clear_tid.unwrap_or(0);
    }
}

/// Commands that restart sequences of `rseq`, which there is not (`CONFIG_RSEQ`).
const RSEQ_COMMANDS: i32 = libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ
    | libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ;

pub(crate) fn sys_membarrier(t: &mut Thread, command: i32, flags: u32, cpu: i32) -> SysResult {
    if command & RSEQ_COMMANDS != 0 {
        return Err(Errno::EINVAL);
    }
    let known = host!(t, SYS_membarrier, command, flags, cpu)?;
    let query = command == libc::MEMBARRIER_CMD_QUERY;
    Ok(if query { known & !(RSEQ_COMMANDS as u64) } else { known })
}
