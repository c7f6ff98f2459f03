//! Making processes and threads: clone(2), clone3(2), and with them fork and vfork, for which
//! riscv64 has no calls of their own.

use crate::linux::abi::{CloneArgs, Errno, GuestPtr, Pod, SysResult};
use crate::linux::exec::executable;
use crate::linux::gdb::park::{announce_child, await_decision};
use crate::linux::gdb::state::Debug;
use crate::linux::host::limit;
use crate::linux::lock::lock;
use crate::linux::process::{Options, Process, Thread};
use crate::linux::ptrace::stop;
use crate::linux::ptrace::tracees::Tracees;
use crate::linux::sample;
use crate::linux::signal::core_threads::Gathering;
use crate::linux::task::clone::{
    CLONE_CLEAR_SIGHAND, CLONE_DETACHED, CLONE_FILES, CLONE_FS, CLONE_INTO_CGROUP, CLONE_NEWNS,
    CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER, CLONE_PARENT, CLONE_PARENT_SETTID, CLONE_PIDFD,
    CLONE_SIGHAND, CLONE_THREAD, CLONE_VFORK, CLONE_VM, CSIGNAL, CloneRequest,
};
use crate::linux::task::peers;
use crate::linux::task::personality::Personality;
use crate::linux::task::thread::spawn;
use crate::sys::async_signal::{self, Slot};
use crate::sys::fd::Aside;
use crate::sys::process as sys;
use crate::sys::robust::RobustList;
use std::io;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

/// Makes a child that goes on with the thread as it is: a fork(2) that the guest has not asked for.
pub(super) fn fork_here(t: &mut Thread) -> SysResult {
    CloneRequest::new(libc::SIGCHLD as u64, 0, 0, 0, 0, 0).make(t)
}

impl CloneRequest {
    fn make(&self, t: &mut Thread) -> SysResult {
        let has = |bits| self.flags & bits == bits;
        let any = |bits| self.flags & bits != 0;
        let contradicts = (has(CLONE_SIGHAND) && !has(CLONE_VM))
            || has(CLONE_SIGHAND | CLONE_CLEAR_SIGHAND)
            || has(CLONE_PIDFD | CLONE_DETACHED)
            || has(CLONE_NEWNS | CLONE_FS)
            || has(CLONE_NEWUSER | CLONE_FS)
            || (has(CLONE_THREAD) && !has(CLONE_SIGHAND))
            || (has(CLONE_THREAD) && (self.more.new_time || self.more.cgroup.is_some()))
            || (has(CLONE_THREAD) && any(CLONE_NEWUSER | CLONE_NEWPID | CLONE_PIDFD));
        if contradicts {
            return Err(Errno::EINVAL);
        }
        if let Some(at) = self.pidfd {
            // The kernel makes no child either that it could not tell of.
            let at = GuestPtr::<i32>::new(at);
            at.write(t.memory(), &at.read(t.memory())?)?;
        }
        async_signal::set_mask(!0);
        if t.signals.is_pending() {
            return Err(Errno::RESTART);
        }
        stop::before_event(t);
        let result = if has(CLONE_THREAD) {
            t.start_thread(self)
        } else if has(CLONE_VM | CLONE_VFORK) {
            self.share(t, &mut |_| {})
        } else if has(CLONE_VM) {
            self.run_beside(t)
        } else {
            self.fork(t)
        };
        stop::after_event(t);
        async_signal::set_mask(t.sigmask);
        result
    }

    fn fork(&self, t: &mut Thread) -> SysResult {
        let flags = self.host_flags();
        let mut pidfd = -1;
        let waits = t.prepare_fork();
        let process = Arc::clone(&t.process);
        // No other thread holds these while the process is copied.
        let held = (
            lock(&process.layout),
            lock(&process.actions),
            (lock(&process.warned), lock(&process.credentials), process.core.hold()),
            process.options.files.world().map(|world| world.bound()),
            (lock(&process.on_exit), sample::hold()),
            (lock(&process.limits), lock(&process.aio), lock(&process.restrictions)),
            (limit::hold(), process.tracees.hold(), process.debug.hold()),
        );
        let rings = lock(&process.rings);
        rings.before_fork();
        let pid = process.machine.fork(|| {
            if self.more.is_some() {
                let flags = if self.pidfd.is_some() { flags | CLONE_PIDFD } else { flags };
                let (pid, fd) = sys::fork_into(flags, &self.more)?;
                pidfd = fd;
                Ok(pid)
            } else if flags == libc::SIGCHLD as u64 {
                // The C library's leaves its own locks in order, even if other threads hold them.
                let pid = sys::fork()?;
                if pid != 0 && self.pidfd.is_some() {
                    pidfd = sys::pidfd(pid)?;
                }
                Ok(pid)
            } else if self.pidfd.is_some() {
                sys::fork_with(flags | CLONE_PIDFD, Some(&mut pidfd))
            } else {
                sys::fork_with(flags, None)
            }
        });
        drop((held, rings));
        let pid = pid?;
        if pid != 0 {
            self.tell_parent(t, pid, pidfd);
            if let Some([_, answer]) = waits {
                t.has_forked(pid, answer);
            }
            return Ok(pid as u64);
        }
        limit::after_fork();
        t.process.core.after_fork();
        t.process.tracees.clear();
        t.tid = sys::ids().0;
        (t.robust_list, t.robust) = (0, None);
        lock(&t.process.layout).lock_future = None;
        t.memory().drop_uninherited();
        t.cpu.after_fork();
        t.process.threads.store(1, Ordering::Release);
        // Contexts are not inherited; what names them stays mapped.
        lock(&t.process.aio).clear();
        lock(&t.process.rings).after_fork();
        t.registered_rings.clear();
        t.user_dispatch = None;
        t.debuggee = None;
        lock(&t.process.restrictions).clear();
        t.inherit_restriction();
        sample::start(&t.process);
        self.start_child(t);
        settle_debugger(t, waits);
        (t.trace, t.begins) = t.inherited_trace();
        stop::at_start(t);
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
        if self.flags & CLONE_CLEAR_SIGHAND != 0 {
            t.process.clear_handlers();
        }
        if let Some(world) = t.process.options.files.world()
            && self.flags & CLONE_NEWNS != 0
        {
            world.enter_new_namespace();
        }
        self.set_child_registers(t.cpu.hart_mut());
        if let Some(at) = self.child_tid {
            let _ = GuestPtr::<i32>::new(at).write(t.memory(), &t.tid);
        }
        t.clear_child_tid = self.clear_tid.unwrap_or(0);
    }

    /// The child runs this very thread in our memory while we wait in the kernel, until it has
    /// started another program or ended. `started` is called in the child and told its id.
    fn share(&self, t: &mut Thread, started: &mut dyn FnMut(i32)) -> SysResult {
        let hart = t.cpu.hart().clone();
        let before = (t.tid, t.sigmask, t.altstack, t.clear_child_tid, t.robust_list);
        let (robust, trace) = (t.robust.take(), t.trace.clone());
        let waits = if self.flags & CLONE_FILES == 0 { t.prepare_fork() } else { None };
        let (debuggee, mut waits) = (t.debuggee.take(), waits);
        let mut followed = None;
        let parent = Arc::clone(&t.process);
        let signals = Arc::clone(&t.signals);
        let restriction = Arc::clone(&t.restriction);
        let shares_actions = self.flags & CLONE_SIGHAND != 0;
        let had_executable = executable::is_kept();
        let pidfd = AtomicI32::new(-1);
        let wanted = self.pidfd.is_some().then_some(&pidfd);
        let pid = sys::share(self.host_flags(), wanted, &self.more, &mut || {
            t.tid = sys::ids().0;
            t.robust_list = 0;
            t.process = Arc::new(child_of(&parent, shares_actions));
            t.inherit_restriction();
            let interrupter = t.cpu.interrupter();
            t.signals = Slot::new(Box::new(move || interrupter.interrupt()));
            let attached = t.signals.attach();
            self.tell_parent(t, t.tid, pidfd.load(Ordering::Relaxed));
            started(t.tid);
            if let (Some(debuggee), Some(ends)) = (&debuggee, waits.take()) {
                followed = announce_child(&t.process, debuggee, before.0, ends);
            }
            if let Some(debugger) = &followed {
                t.process.debug.set(Some(Arc::clone(debugger)));
                (1..=64).for_each(|signal| t.process.mirror_default(signal));
            }
            self.start_child(t);
            (t.trace, t.begins) = t.inherited_trace();
            async_signal::set_mask(t.sigmask);
            (t.process.dispatch.run)(t);
            drop(attached);
            0
        });
        if let Some(debugger) = followed {
            debugger.sharer_gone();
        }
        if pid.is_ok() && self.flags & CLONE_FILES == 0 {
            // What the child has opened for itself was in its own table of descriptors.
            if let Some(world) = t.process.options.files.world() {
                world.forget_opened();
            }
            if !had_executable {
                executable::forget();
            }
        }
        *t.cpu.hart_mut() = hart;
        (t.tid, t.sigmask, t.altstack, t.clear_child_tid, t.robust_list) = before;
        if let Some(childs) = std::mem::replace(&mut t.robust, robust) {
            drop(childs);
            t.robust.iter().for_each(RobustList::renew);
        }
        t.process = parent;
        t.signals = signals;
        t.restriction = restriction;
        (t.trace, t.begins, t.restart) = (trace, None, None);
        t.debuggee = debuggee;
        t.ended = false;
        t.signals.reattach();
        Ok(pid? as u64)
    }

    /// The child shares our memory, and nobody waits: a host thread does, and lends the child what
    /// the C library keeps for each thread.
    fn run_beside(&self, t: &Thread) -> SysResult {
        let (hart, sigmask, process) = (t.cpu.hart().clone(), t.sigmask, Arc::clone(&t.process));
        let request = Self { flags: self.flags | CLONE_VFORK, ..self.clone() };
        let restriction = Arc::clone(&t.restriction);
        let (report, started) = mpsc::sync_channel(1);
        let body = move || {
            let name = peers::name_helper();
            let thread = Thread::new(process, hart, sigmask, &restriction);
            let result = thread.map_err(Errno::from).and_then(|mut t| {
                let attached = t.signals.attach();
                let result = request.share(&mut t, &mut |pid| {
                    peers::set_name(&name);
                    let _ = report.send(Ok(pid as u64));
                });
                drop(attached);
                result
            });
            // If it was told already that there is a child, nobody listens.
            let _ = report.try_send(result);
        };
        spawn(t, body)?;
        started.recv().map_err(|_| Errno::EAGAIN)?
    }
}

/// In a new process with memory of its own: goes on without a debugger, or with its parent's, if
/// the client decides so where one waits for that.
fn settle_debugger(t: &Thread, waits: Option<[Aside; 2]>) {
    let process = &t.process;
    if !process.debug.is_on() {
        return;
    }
    process.machine.clear_breakpoints();
    let answer = waits.map_or_else(String::new, |[read, write]| {
        // Its end is the parent's.
        drop(write);
        await_decision(&read)
    });
    if answer.is_empty() || (process.dispatch.take_over_debugger)(process, &answer).is_err() {
        process.debug.after_fork();
        // Signals do again what they do without a debugger.
        (1..=64).for_each(|signal| process.mirror_default(signal));
    }
}

/// A process that shares memory with `parent`, and what lies where in it.
fn child_of(parent: &Process, shares_actions: bool) -> Process {
    let actions = if shares_actions {
        Arc::clone(&parent.actions)
    } else {
        Arc::new(Mutex::new(*lock(&parent.actions)))
    };
    Process {
        machine: Arc::clone(&parent.machine),
        options: Options { files: parent.options.files.fork(), ..parent.options.clone() },
        exe: parent.exe.clone(),
        exe_host: parent.exe_host.clone(),
        exe_file: parent.exe_file.clone(),
        cmdline: parent.cmdline.clone(),
        auxv: parent.auxv.clone(),
        environ: parent.environ.clone(),
        actions,
        layout: Arc::clone(&parent.layout),
        sigreturn: parent.sigreturn,
        threads: AtomicUsize::new(1),
        borrowed: true,
        robust_nodes: parent.robust_nodes.clone(),
        warned: Mutex::new(lock(&parent.warned).clone()),
        proc_device: parent.proc_device.copy(),
        personality: Personality::new(parent.personality.value()),
        credentials: Mutex::new(lock(&parent.credentials).clone()),
        on_exit: Mutex::new(None),
        tracees: Tracees::default(),
        rewritten: Arc::clone(&parent.rewritten),
        limits: Arc::new(Mutex::new(*lock(&parent.limits))),
        aio: Arc::clone(&parent.aio),
        rings: Arc::clone(&parent.rings),
        core: Gathering::default(),
        dispatch: parent.dispatch,
        restrictions: Mutex::new(Vec::new()),
        debug: Debug::default(),
    }
}

impl Thread {
    /// In a new process: the restriction of the thread that made it, as one of its own.
    fn inherit_restriction(&mut self) {
        self.restriction = Arc::new(self.restriction.inherited(self.tid));
        self.process.add_restriction(&self.restriction);
    }
}

impl From<Errno> for io::Error {
    fn from(e: Errno) -> Self {
        Self::from_raw_os_error(i32::from(e.0))
    }
}

/// riscv passes the arguments in the order of `CLONE_BACKWARDS`: TLS before the child's id.
pub(crate) fn sys_clone(
    t: &mut Thread,
    flags: u64,
    stack: u64,
    parent_tid: u64,
    tls: u64,
    child_tid: u64,
) -> SysResult {
    let (signal, flags) = (flags & CSIGNAL, flags & 0xffff_ff00);
    // Both would be written to the same place.
    let both = CLONE_PIDFD | CLONE_PARENT_SETTID;
    if flags & both == both {
        return Err(Errno::EINVAL);
    }
    let mut request = CloneRequest::new(flags, stack, parent_tid, child_tid, tls, parent_tid);
    request.exit_signal = signal;
    request.make(t)
}

/// Sizes of `struct clone_args` that there may be.
const CLONE_ARGS_SIZES: std::ops::RangeInclusive<usize> = 64..=4096;
/// Most nested process name spaces (`MAX_PID_NS_LEVEL`).
const MAX_NESTED: u64 = 32;

pub(crate) fn sys_clone3(t: &mut Thread, args: GuestPtr<CloneArgs>, size: usize) -> SysResult {
    let a = read_clone_args(t, args, size)?;
    let known = 0xffff_ffff | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP;
    let takes_no_signal = a.flags & (CLONE_THREAD | CLONE_PARENT) != 0;
    let invalid = a.flags & !known != 0
        || a.flags & (CLONE_DETACHED | (CSIGNAL & !CLONE_NEWTIME)) != 0
        || a.exit_signal > crate::linux::abi::NSIG as u64
        || (takes_no_signal && a.exit_signal != 0)
        || (a.stack == 0) != (a.stack_size == 0)
        || (a.set_tid == 0) != (a.set_tid_size == 0)
        || a.set_tid_size > MAX_NESTED
        || (a.flags & CLONE_INTO_CGROUP != 0 && a.cgroup > i32::MAX as u64);
    if invalid {
        return Err(Errno::EINVAL);
    }
    if a.stack != 0 {
        let end = a.stack.checked_add(a.stack_size).filter(|&end| end <= t.memory().size());
        end.ok_or(Errno::EINVAL)?;
    }
    let stack = a.stack.wrapping_add(a.stack_size);
    let mut request = CloneRequest::new(a.flags, stack, a.parent_tid, a.child_tid, a.tls, a.pidfd);
    request.exit_signal = a.exit_signal;
    let ids = GuestPtr::<i32>::new(a.set_tid);
    request.more.set_tid = ids.read_array(t.memory(), a.set_tid_size as usize)?;
    request.more.new_time = a.flags & CLONE_NEWTIME != 0;
    request.more.cgroup = (a.flags & CLONE_INTO_CGROUP != 0).then_some(a.cgroup as i32);
    request.make(t)
}

/// The structure in the size that the caller knows; fields that we do not know must be 0.
fn read_clone_args(t: &Thread, args: GuestPtr<CloneArgs>, size: usize) -> Result<CloneArgs, Errno> {
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
    t.memory().read_bytes(args.0.wrapping_add(known as u64), &mut rest)?;
    if rest.iter().any(|&b| b != 0) { Err(Errno::E2BIG) } else { Ok(a) }
}
