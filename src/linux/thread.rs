//! Threads (clone(2) with `CLONE_THREAD`): each a host thread.

use super::abi::{Errno, GuestPtr, SysResult};
use super::fork::CloneRequest;
use super::process::Thread;
use super::{run, signal};
use crate::cpu::Hart;
use crate::runtime::Cpu;
use crate::sys::async_signal::{self, Slot};
use crate::sys::process;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};

/// Host stack of a guest thread in bytes: room for the interpreter, the translator and a handler.
const HOST_STACK: usize = 1 << 20;

pub(super) fn sys_set_tid_address(t: &mut Thread, addr: u64) -> SysResult {
    t.clear_child_tid = addr;
    Ok(t.tid as u64)
}

impl Thread {
    /// A thread of `process` with the given registers, run by the calling host thread, which has
    /// all signals blocked.
    pub(super) fn new(
        process: Arc<super::Process>,
        hart: Hart,
        sigmask: u64,
    ) -> std::io::Result<Self> {
        let mut cpu = Cpu::new(Arc::clone(&process.machine))?;
        *cpu.hart_mut() = hart;
        let interrupter = cpu.interrupter();
        let signals = Slot::new(Box::new(move || interrupter.interrupt()));
        Ok(Self {
            cpu,
            process,
            tid: process::ids().0,
            sigmask,
            altstack: signal::NO_ALTSTACK,
            signals,
            clear_child_tid: 0,
            robust_list: 0,
            ended: false,
        })
    }

    /// Starts another thread of the process. Returns its id.
    pub(super) fn start_thread(&mut self, request: &CloneRequest) -> SysResult {
        async_signal::set_mask(!0);
        if self.signals.is_pending() {
            return Err(Errno::RESTART);
        }
        let result = self.start_blocked(request);
        async_signal::set_mask(self.sigmask);
        result
    }

    fn start_blocked(&mut self, request: &CloneRequest) -> SysResult {
        let mut hart = *self.cpu.hart();
        request.set_child_registers(&mut hart);
        let (process, sigmask) = (Arc::clone(&self.process), self.sigmask);
        let request = *request;
        let (report, started) = mpsc::sync_channel(1);
        process.threads.fetch_add(1, Ordering::AcqRel);
        let body = move || {
            let count = Arc::clone(&process);
            match Self::new(process, hart, sigmask) {
                Ok(mut t) => {
                    let attached = t.signals.attach();
                    request.announce(&mut t);
                    let _ = report.send(Ok(t.tid as u64));
                    async_signal::set_mask(sigmask);
                    run::run(&mut t);
                    drop(attached);
                }
                Err(e) => {
                    count.threads.fetch_sub(1, Ordering::AcqRel);
                    let _ = report.send(Err(Errno::from(e)));
                }
            }
        };
        let spawned = std::thread::Builder::new().stack_size(HOST_STACK).spawn(body);
        self.process.mirror_library_signals();
        if spawned.is_err() {
            self.process.threads.fetch_sub(1, Ordering::AcqRel);
            return Err(Errno::EAGAIN);
        }
        started.recv().map_err(|_| Errno::EAGAIN)?
    }
}

impl CloneRequest {
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
