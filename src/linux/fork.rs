//! Making processes and threads: clone(2), clone3(2), and with them fork and vfork, for which
//! riscv64 has no calls of their own.

use super::abi::{CloneArgs, Errno, GuestPtr, SysResult};
use super::host::Pod;
use super::process::{Process, Thread, lock};
use super::run;
use crate::cpu::Hart;
use crate::sys::async_signal::{self, Slot};
use crate::sys::process as sys;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const CSIGNAL: u64 = 0xff;
const CLONE_VM: u64 = 0x100;
const CLONE_FS: u64 = 0x200;
const CLONE_FILES: u64 = 0x400;
const CLONE_SIGHAND: u64 = 0x800;
const CLONE_PIDFD: u64 = 0x1000;
const CLONE_VFORK: u64 = 0x4000;
const CLONE_THREAD: u64 = 0x1_0000;
const CLONE_SYSVSEM: u64 = 0x4_0000;
const CLONE_SETTLS: u64 = 0x8_0000;
const CLONE_PARENT_SETTID: u64 = 0x10_0000;
const CLONE_CHILD_CLEARTID: u64 = 0x20_0000;
const CLONE_DETACHED: u64 = 0x40_0000;
const CLONE_CHILD_SETTID: u64 = 0x100_0000;

/// What a new thread of the same process must share: host threads share all of it.
const THREAD_SHARES: u64 = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND;

/// Flags that we serve ourselves and do not tell the host of.
const OURS: u64 = CLONE_VM
    | CLONE_VFORK
    | CLONE_SETTLS
    | CLONE_PARENT_SETTID
    | CLONE_CHILD_CLEARTID
    | CLONE_CHILD_SETTID
    | CLONE_DETACHED
    | CLONE_PIDFD;

/// A call of clone or clone3, taken apart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CloneRequest {
    flags: u64,
    exit_signal: u64,
    /// Initial stack pointer; 0 keeps the parent's.
    stack: u64,
    tls: Option<u64>,
    /// Where the child's id goes in the parent's memory.
    pub parent_tid: Option<u64>,
    /// Where it goes in the child's.
    pub child_tid: Option<u64>,
    /// Where 0 goes when the child ends.
    pub clear_tid: Option<u64>,
    pidfd: Option<u64>,
}

impl CloneRequest {
    fn new(flags: u64, stack: u64, parent_tid: u64, child_tid: u64, tls: u64, pidfd: u64) -> Self {
        let on = |bit, value| (flags & bit != 0).then_some(value);
        Self {
            flags: flags & !CSIGNAL,
            exit_signal: flags & CSIGNAL,
            stack,
            tls: on(CLONE_SETTLS, tls),
            parent_tid: on(CLONE_PARENT_SETTID, parent_tid),
            child_tid: on(CLONE_CHILD_SETTID, child_tid),
            clear_tid: on(CLONE_CHILD_CLEARTID, child_tid),
            pidfd: on(CLONE_PIDFD, pidfd),
        }
    }

    /// Makes the parent's registers the child's: behind the call, with 0 as its result.
    pub(super) fn set_child_registers(&self, hart: &mut Hart) {
        hart.x[10] = 0;
        hart.pc = hart.pc.wrapping_add(4);
        if self.stack != 0 {
            hart.x[2] = self.stack;
        }
        if let Some(tls) = self.tls {
            hart.x[4] = tls;
        }
        hart.clear_reservation();
    }

    fn make(&self, t: &mut Thread) -> SysResult {
        let shares = |bits| self.flags & bits == bits;
        let contradicts = (shares(CLONE_SIGHAND) && !shares(CLONE_VM))
            || (shares(CLONE_THREAD) && !shares(CLONE_SIGHAND));
        if contradicts {
            return Err(Errno::EINVAL);
        }
        if shares(CLONE_THREAD) {
            // Host threads share everything, so a thread with a table of its own cannot be had.
            return if shares(THREAD_SHARES) { t.start_thread(self) } else { Err(Errno::EINVAL) };
        }
        async_signal::set_mask(!0);
        if t.signals.is_pending() {
            return Err(Errno::RESTART);
        }
        let result = if shares(CLONE_VM | CLONE_VFORK) { self.vfork(t) } else { self.fork(t) };
        async_signal::set_mask(t.sigmask);
        result
    }

    fn fork(&self, t: &mut Thread) -> SysResult {
        let flags = (self.flags & !OURS & !CLONE_SIGHAND & !CLONE_SYSVSEM) | self.exit_signal;
        let mut pidfd = -1;
        let process = Arc::clone(&t.process);
        // No other thread holds these while the process is copied.
        let held = (
            lock(&process.layout),
            lock(&process.actions),
            lock(&process.warned),
            lock(&process.on_exit),
        );
        let pid = process.machine.fork(|| {
            if self.pidfd.is_some() {
                sys::fork_with(flags | CLONE_PIDFD, Some(&mut pidfd))
            } else if flags == libc::SIGCHLD as u64 {
                sys::fork()
            } else {
                sys::fork_with(flags, None)
            }
        });
        drop(held);
        let pid = pid?;
        if pid != 0 {
            self.tell_parent(t, pid, pidfd);
            return Ok(pid as u64);
        }
        t.tid = sys::ids().0;
        t.robust_list = 0;
        t.process.threads.store(1, Ordering::Release);
        self.start_child(t);
        Err(Errno::NO_RESULT)
    }

    fn tell_parent(&self, t: &Thread, pid: i32, pidfd: i32) {
        for (at, value) in [(self.parent_tid, pid), (self.pidfd, pidfd)] {
            if let Some(at) = at {
                let _ = GuestPtr::<i32>::new(at).write(t.memory(), &value);
            }
        }
    }

    /// Registers and thread ids of a child process.
    fn start_child(&self, t: &mut Thread) {
        self.set_child_registers(t.cpu.hart_mut());
        if let Some(at) = self.child_tid {
            let _ = GuestPtr::<i32>::new(at).write(t.memory(), &t.tid);
        }
        t.clear_child_tid = self.clear_tid.unwrap_or(0);
    }

    /// The child runs this very thread in our memory while we wait in the kernel, until it has
    /// started another program or ended.
    fn vfork(&self, t: &mut Thread) -> SysResult {
        let hart = *t.cpu.hart();
        let before = (t.tid, t.sigmask, t.altstack, t.clear_child_tid, t.robust_list);
        let parent = Arc::clone(&t.process);
        let signals = Arc::clone(&t.signals);
        let flags = (self.flags & !OURS & !CLONE_SIGHAND & !CLONE_SYSVSEM) | self.exit_signal;
        let pid = sys::share(flags, &mut || {
            t.tid = sys::ids().0;
            t.robust_list = 0;
            t.process = Arc::new(child_of(&parent));
            let interrupter = t.cpu.interrupter();
            t.signals = Slot::new(Box::new(move || interrupter.interrupt()));
            let attached = t.signals.attach();
            self.start_child(t);
            async_signal::set_mask(t.sigmask);
            run::run(t);
            drop(attached);
            0
        });
        *t.cpu.hart_mut() = hart;
        (t.tid, t.sigmask, t.altstack, t.clear_child_tid, t.robust_list) = before;
        t.process = parent;
        t.signals = signals;
        t.ended = false;
        t.signals.reattach();
        let pid = pid?;
        self.tell_parent(t, pid, -1);
        Ok(pid as u64)
    }
}

/// A process that shares memory with `parent`, and what lies where in it, but not its actions.
fn child_of(parent: &Process) -> Process {
    Process {
        machine: Arc::clone(&parent.machine),
        options: parent.options.clone(),
        exe: parent.exe.clone(),
        exe_host: parent.exe_host.clone(),
        cmdline: parent.cmdline.clone(),
        auxv: parent.auxv.clone(),
        environ: parent.environ.clone(),
        actions: Mutex::new(*lock(&parent.actions)),
        layout: Arc::clone(&parent.layout),
        sigreturn: parent.sigreturn,
        threads: AtomicUsize::new(1),
        warned: Mutex::new(lock(&parent.warned).clone()),
        personality: AtomicU32::new(parent.personality.load(Ordering::Relaxed)),
        on_exit: Mutex::new(None),
    }
}

impl From<Errno> for io::Error {
    fn from(e: Errno) -> Self {
        Self::from_raw_os_error(i32::from(e.0))
    }
}

/// riscv passes the arguments in the order of `CLONE_BACKWARDS`: TLS before the child's id.
pub(super) fn sys_clone(
    t: &mut Thread,
    flags: u64,
    stack: u64,
    parent_tid: u64,
    tls: u64,
    child_tid: u64,
) -> SysResult {
    let flags = flags & 0xffff_ffff;
    CloneRequest::new(flags, stack, parent_tid, child_tid, tls, parent_tid).make(t)
}

/// Sizes of `struct clone_args` that there have been.
const CLONE_ARGS_SIZES: std::ops::RangeInclusive<usize> = 64..=4096;

pub(super) fn sys_clone3(t: &mut Thread, args: GuestPtr<CloneArgs>, size: usize) -> SysResult {
    if size < *CLONE_ARGS_SIZES.start() {
        return Err(Errno::EINVAL);
    }
    if size > *CLONE_ARGS_SIZES.end() {
        return Err(Errno::E2BIG);
    }
    let mut a = CloneArgs::zeroed();
    let known = size.min(size_of::<CloneArgs>());
    t.memory().read_bytes(args.0, &mut a.bytes_mut()[..known])?;
    let mut rest = vec![0; size - known];
    t.memory().read_bytes(args.0 + known as u64, &mut rest)?;
    if rest.iter().any(|&b| b != 0) {
        return Err(Errno::E2BIG);
    }
    let whole_stack = (a.stack == 0) == (a.stack_size == 0);
    if a.set_tid_size != 0
        || a.flags & CSIGNAL != 0
        || a.exit_signal & !CSIGNAL != 0
        || !whole_stack
    {
        return Err(Errno::EINVAL);
    }
    /// `CLONE_INTO_CGROUP`.
    const INTO_CGROUP: u64 = 1 << 33;
    if a.flags & INTO_CGROUP != 0 {
        return Err(Errno::EINVAL);
    }
    let flags = a.flags | a.exit_signal;
    let stack = a.stack.wrapping_add(a.stack_size);
    CloneRequest::new(flags, stack, a.parent_tid, a.child_tid, a.tls, a.pidfd).make(t)
}
