//! What a guest thread does while there is a debugger: it looks whether it may run, runs as far as
//! it may, tells of stops, and waits.

use crate::cpu::Exit;
use crate::gdb::{Action, Stop, What, agent};
use crate::interp::Watchpoint;
use crate::linux::abi::{Pod, SigInfo};
use crate::linux::gdb::debuggee::Debuggee;
use crate::linux::gdb::state::{Child, Debugger, Entry, Status, World};
use crate::linux::host::{HostArg, host_call, inherited_fd};
use crate::linux::process::{Process, Thread};
use crate::linux::signal::actions::bit;
use crate::sys::fd::{Aside, keep_aside};
use crate::util::PAGE_SIZE;
use std::any::Any;
use std::io::Read as _;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, MutexGuard, PoisonError};
use std::time::Duration;

/// Time that is waited for the server to give the conversation to another program.
const PATIENCE: Duration = Duration::from_secs(2);

/// Most bytes of a watchpoint that are compared around a system call.
const MOST: u64 = PAGE_SIZE;

impl Thread {
    /// At an instruction boundary: waits while the debugger wants it. Returns a signal that the
    /// thread is to get without being asked about it.
    pub(crate) fn checkpoint(&mut self) -> Option<SigInfo> {
        self.enroll();
        let debuggee = self.debuggee.as_mut()?;
        if std::mem::take(&mut debuggee.stepped) {
            return self.stop_for(What::Step, None);
        }
        let debugger = Arc::clone(&debuggee.debugger);
        let world = debugger.world();
        if !waits(&world, self.tid) {
            return None;
        }
        self.park(&debugger, world, false)
    }

    /// Makes the thread known to the debugger of its process.
    fn enroll(&mut self) {
        let Some(debugger) = self.process.debug.get() else {
            self.debuggee = None;
            return;
        };
        if self.debuggee.as_ref().is_some_and(|t| Arc::ptr_eq(&t.debugger, &debugger)) {
            return;
        }
        let wake = Arc::new(Condvar::new());
        let mut world = debugger.world();
        world.threads.insert(
            self.tid,
            Entry {
                hart: self.cpu.hart().clone(),
                status: Status::Running,
                changed: false,
                abandon: false,
                kicks: 0,
                action: Action::Continue,
                signal: None,
                siginfo: None,
                job: None,
                signals: Arc::clone(&self.signals),
                wake: Arc::clone(&wake),
            },
        );
        let points = Arc::clone(&world.points);
        let tell = world.tell_threads && world.threads.len() > 1;
        if tell {
            debugger.report(&mut world, self.tid, What::ThreadCreate);
        }
        drop(world);
        debugger.changed.notify_all();
        self.debuggee = Some(Box::new(Debuggee {
            debugger,
            wake,
            action: Action::Continue,
            points,
            stepped: false,
            first: false,
            signal: None,
            forked: None,
            before: Vec::new(),
        }));
    }

    /// Tells of a stop and waits until the client lets the thread go on.
    pub(crate) fn stop_for(&mut self, what: What, info: Option<SigInfo>) -> Option<SigInfo> {
        let debugger = Arc::clone(&self.debuggee.as_ref()?.debugger);
        let mut world = debugger.world();
        debugger.report(&mut world, self.tid, what);
        if let Some(entry) = world.threads.get_mut(&self.tid) {
            entry.siginfo = info;
        }
        self.park(&debugger, world, false)
    }

    /// Waits until the thread may go on. `from_call`: what the client has seen are the registers of
    /// a call that has been made meanwhile, which it keeps seeing.
    fn park<'a>(
        &mut self,
        debugger: &'a Debugger,
        mut world: MutexGuard<'a, World>,
        from_call: bool,
    ) -> Option<SigInfo> {
        let tid = self.tid;
        let wake = Arc::clone(&self.debuggee.as_ref()?.wake);
        let entry = world.threads.get_mut(&tid)?;
        if !from_call {
            (entry.hart, entry.changed) = (self.cpu.hart().clone(), false);
        }
        entry.status = Status::Parked;
        debugger.changed.notify_all();
        while waits(&world, tid) {
            if let Some(job) = world.threads.get_mut(&tid).and_then(|e| e.job.take()) {
                drop(world);
                job(self);
                debugger.changed.notify_all();
                world = debugger.world();
                continue;
            }
            world = wake.wait(world).unwrap_or_else(PoisonError::into_inner);
        }
        self.unpark(&mut world)
    }

    /// Takes over what the client has said.
    fn unpark(&mut self, world: &mut World) -> Option<SigInfo> {
        let points = Arc::clone(&world.points);
        let entry = world.threads.get_mut(&self.tid)?;
        entry.status = Status::Running;
        if std::mem::take(&mut entry.changed) {
            *self.cpu.hart_mut() = entry.hart.clone();
        }
        let signal = entry.signal.take();
        let debuggee = self.debuggee.as_mut()?;
        (debuggee.action, debuggee.points) = (entry.action.clone(), points);
        (debuggee.stepped, debuggee.first) = (false, true);
        debuggee.signal = signal;
        let signo = signal.filter(|&n| n != 0)?;
        Some(match &entry.siginfo {
            Some(info) if info.signo == signo => *info,
            _ => SigInfo { signo, code: libc::SI_USER, ..SigInfo::zeroed() },
        })
    }

    /// A signal is about to be delivered: asks the debugger, and returns what it is to be.
    pub(crate) fn signal_for(&mut self, info: SigInfo) -> Option<SigInfo> {
        self.enroll();
        let Some(debuggee) = &self.debuggee else { return Some(info) };
        let debugger = Arc::clone(&debuggee.debugger);
        let mut world = debugger.world();
        let pass = world.gone || world.pass & bit(info.signo) != 0;
        if let Some(entry) = world.threads.get_mut(&self.tid)
            && is_kick(&info, debugger.server)
            && entry.kicks > 0
        {
            entry.kicks -= 1;
            return None;
        }
        drop(world);
        if pass {
            return Some(info);
        }
        let result = self.stop_for(What::Signal(info.signo), Some(info));
        if let Some(debuggee) = &mut self.debuggee
            && result.is_some()
            && debuggee.action != Action::Continue
        {
            // A step into a handler ends at its first instruction.
            debuggee.stepped = true;
        }
        result
    }

    /// Executes guest code as far as the debugger lets it. [`Exit::Interrupted`] if there is
    /// nothing to be served.
    pub(crate) fn execute(&mut self) -> Exit {
        loop {
            let Some(debuggee) = &self.debuggee else { return self.cpu.run() };
            if debuggee.action != Action::Continue || !debuggee.points.data.is_empty() {
                return self.execute_singly();
            }
            let exit = self.cpu.run();
            if exit != Exit::Ebreak || !self.cpu.at_breakpoint() {
                return exit;
            }
            if let Some(hard) = self.breakpoint() {
                self.stop_for_good(What::Break { hard });
                return Exit::Interrupted;
            }
            if let Err(exit) = self.cpu.step() {
                return exit;
            }
        }
    }

    /// Tells of a stop at an instruction boundary. A signal that the client gives the thread then
    /// is delivered at the next one.
    fn stop_for_good(&mut self, what: What) {
        if let Some(info) = self.stop_for(what, None) {
            self.deliver_unasked(&info);
        }
    }

    /// The kind of the breakpoint at the pc, if one is there whose condition holds, or cannot be
    /// evaluated.
    fn breakpoint(&self) -> Option<bool> {
        let hart = self.cpu.hart();
        let points = &self.debuggee.as_ref()?.points;
        let mut read = |addr: u64, to: &mut [u8]| self.memory().read_bytes(addr, to).is_ok();
        let found = points.code.range((hart.pc, false)..=(hart.pc, true)).find(|(_, b)| {
            let holds = |c: &Vec<u8>| agent::evaluate(c, hart, &mut read) != Some(0);
            b.conditions.is_empty() || b.conditions.iter().any(holds)
        });
        found.map(|(_, b)| b.hard)
    }

    /// Executes one instruction after the other: a step, a range, or because of watchpoints.
    fn execute_singly(&mut self) -> Exit {
        loop {
            let Some(debuggee) = &mut self.debuggee else { return Exit::Interrupted };
            let stop = debuggee.debugger.stopping.load(Ordering::Acquire);
            if stop || self.signals.is_pending() || self.process.core.begun() {
                return Exit::Interrupted;
            }
            let first = std::mem::take(&mut debuggee.first);
            let points = Arc::clone(&debuggee.points);
            let leaves = match &debuggee.action {
                Action::Continue | Action::Stop => None,
                Action::Step => Some(0..0),
                Action::Range(range) => Some(range.clone()),
            };
            if !(first && leaves.is_some())
                && let Some(hard) = self.breakpoint()
            {
                self.stop_for_good(What::Break { hard });
                return Exit::Interrupted;
            }
            let touched = if points.data.is_empty() {
                self.cpu.step().map(|()| None)
            } else {
                self.cpu.step_watched(&points.data)
            };
            let done = |pc: u64| leaves.as_ref().is_some_and(|range| !range.contains(&pc));
            match touched {
                Ok(Some(touched)) => {
                    let kind = points.data[touched.which].kind;
                    self.stop_for_good(What::Watch(kind, touched.addr));
                    return Exit::Interrupted;
                }
                Ok(None) if done(self.cpu.hart().pc) => {
                    self.stop_for_good(What::Step);
                    return Exit::Interrupted;
                }
                Ok(None) => {}
                Err(exit) => {
                    if let Some(debuggee) = &mut self.debuggee {
                        debuggee.stepped = exit == Exit::FenceI && leaves.is_some();
                    }
                    return exit;
                }
            }
        }
    }

    /// Before a system call. False if it is not to be made: the debugger has changed the pc.
    pub(crate) fn before_call(&mut self) -> bool {
        let pc = self.cpu.hart().pc;
        let number = self.syscall_number();
        if self.catches(number)
            && let Some(info) = self.stop_for(What::SyscallEntry(number), None)
        {
            self.deliver_unasked(&info);
        }
        if self.cpu.hart().pc != pc {
            return false;
        }
        let Some(debuggee) = &self.debuggee else { return true };
        let watched = debuggee.points.written().map(|w| self.contents(w)).collect();
        let debugger = Arc::clone(&debuggee.debugger);
        if let Some(debuggee) = &mut self.debuggee {
            debuggee.before = watched;
        }
        let mut world = debugger.world();
        // The call is made only if the thread is known to be in it before it can be stopped.
        while waits(&world, self.tid) {
            if let Some(info) = self.park(&debugger, world, false) {
                self.deliver_unasked(&info);
                return false;
            }
            world = debugger.world();
        }
        if let Some(entry) = world.threads.get_mut(&self.tid) {
            (entry.status, entry.hart) = (Status::InCall, self.cpu.hart().clone());
            (entry.changed, entry.abandon) = (false, false);
        }
        drop(world);
        debugger.changed.notify_all();
        self.cpu.hart().pc == pc
    }

    /// After it, with its result in place; `number` is the call's.
    pub(crate) fn after_call(&mut self, number: u64) {
        let Some(debuggee) = &mut self.debuggee else { return };
        let debugger = Arc::clone(&debuggee.debugger);
        let before = std::mem::take(&mut debuggee.before);
        let mut world = debugger.world();
        let Some(entry) = world.threads.get_mut(&self.tid) else { return };
        if std::mem::take(&mut entry.abandon) {
            *self.cpu.hart_mut() = entry.hart.clone();
            let sent = self.signals.take_sent(bit(libc::SIGSEGV));
            entry.kicks -= u32::from(sent.is_some() && entry.kicks > 0);
        }
        entry.status = Status::Running;
        (debuggee.action, debuggee.points) = (entry.action.clone(), Arc::clone(&world.points));
        // The thread may have been let go on by a step into the call, or by one that began in it.
        debuggee.stepped = match &debuggee.action {
            Action::Step => true,
            Action::Range(range) => !range.contains(&self.cpu.hart().pc),
            Action::Continue | Action::Stop => false,
        };
        if waits(&world, self.tid) {
            debuggee.stepped = false;
            if let Some(info) = self.park(&debugger, world, true) {
                self.deliver_unasked(&info);
            }
        } else {
            drop(world);
        }
        self.tell_of_fork();
        self.tell_of_call(number, &before);
    }

    /// Before a fork: where the child will wait for the client's decision, and where the answer is
    /// written. `None` if the client does not want to know.
    pub(crate) fn prepare_fork(&self) -> Option<[Aside; 2]> {
        let debuggee = self.debuggee.as_ref().filter(|_| self.process.debug.is_on())?;
        if !debuggee.debugger.world().wanted.fork {
            return None;
        }
        let mut ends = [0_i32; 2];
        let args = [HostArg::of_mut(&mut ends), libc::O_CLOEXEC.into()];
        host_call(libc::SYS_pipe2, &args).ok()?;
        let keep = |fd: i32| {
            let fd = inherited_fd(fd).ok()?;
            keep_aside(fd.as_fd()).ok()
        };
        let [read, write] = ends.map(keep);
        Some([read?, write?])
    }

    /// In the parent: the client is told of the child when the call has returned.
    pub(crate) fn has_forked(&mut self, pid: i32, answer: Aside) {
        let parent = self.tid;
        if let Some(debuggee) = &mut self.debuggee {
            debuggee.forked = Some(Child { pid, parent, answer, shares: None });
        }
    }

    fn tell_of_fork(&mut self) {
        let Some(debuggee) = &mut self.debuggee else { return };
        let Some(child) = debuggee.forked.take() else { return };
        let pid = child.pid;
        let mut world = debuggee.debugger.world();
        if world.gone {
            // Nobody else would let it go.
            drop(world);
            return child.answer("");
        }
        world.child = Some(child);
        drop(world);
        self.stop_for_good(What::Fork(pid));
    }

    /// Stops for what a system call has done, if that is wanted.
    fn tell_of_call(&mut self, number: u64, before: &[(u64, Vec<u8>)]) {
        let changed = before.iter().find_map(|(addr, old)| {
            let mut now = vec![0; old.len()];
            self.memory().read_bytes(*addr, &mut now).ok()?;
            let at = old.iter().zip(&now).position(|(a, b)| a != b)?;
            Some(addr + at as u64)
        });
        if let Some(addr) = changed {
            self.stop_for_good(What::Watch(crate::interp::WatchKind::Write, addr));
        }
        if self.catches(number) {
            self.stop_for_good(What::SyscallReturn(number));
        }
    }

    /// What a watched range holds.
    fn contents(&self, w: &Watchpoint) -> (u64, Vec<u8>) {
        let mut bytes = vec![0; (w.range.end - w.range.start).min(MOST) as usize];
        if self.memory().read_bytes(w.range.start, &mut bytes).is_err() {
            bytes.clear();
        }
        (w.range.start, bytes)
    }

    fn catches(&self, number: u64) -> bool {
        let Some(debuggee) = &self.debuggee else { return false };
        let world = debuggee.debugger.world();
        world.catch.as_ref().is_some_and(|list| list.is_empty() || list.contains(&number))
    }

    /// The process is about to start another program: what that needs to go on with the client, if
    /// there is one.
    pub(crate) fn hand_over_debugger(&self) -> Option<String> {
        let debugger = self.process.debug.get()?;
        let mut world = debugger.world();
        if world.gone || debugger.socket.load(Ordering::Acquire) < 0 {
            return None;
        }
        world.exec = Some(None);
        debugger.ring();
        let asked = |w: &mut World| !w.gone && w.exec == Some(None);
        let wait = debugger.changed.wait_timeout_while(world, PATIENCE, asked);
        let text = wait.unwrap_or_else(PoisonError::into_inner).0.exec.clone().flatten()?;
        debugger.keep_connection(true);
        Some(text)
    }

    /// It could not be started: the conversation goes on here.
    pub(crate) fn keep_debugger(&self) {
        if let Some(debugger) = self.process.debug.get() {
            debugger.world().exec = None;
            debugger.keep_connection(false);
            debugger.changed.notify_all();
        }
    }

    /// The thread ends.
    pub(crate) fn debugged_no_more(&mut self) {
        if let Some(debuggee) = self.debuggee.take() {
            debuggee.debugger.thread_gone(self.tid);
        }
    }
}

/// True if the thread may not execute guest code.
fn waits(world: &World, tid: i32) -> bool {
    let held = world.threads.get(&tid).is_some_and(|e| e.action == Action::Stop || e.job.is_some());
    !world.gone && (world.stopped || held)
}

/// True for the signal by which a thread is taken out of a call, sent by the server's process.
fn is_kick(info: &SigInfo, server: u32) -> bool {
    let from = info.fields[0] as u32;
    info.signo == libc::SIGSEGV && info.code == libc::SI_TKILL && from == server
}

/// In a process that a fork has made: waits for the client's decision. The answer is empty if it is
/// to go on without a debugger.
pub(crate) fn await_decision(read: &Aside) -> String {
    let mut answer = Vec::new();
    let mut byte = [0];
    while matches!((&**read).read(&mut byte), Ok(1)) && byte != *b"\n" {
        answer.extend(byte);
    }
    String::from_utf8(answer).unwrap_or_default()
}

/// In a child that shares its parent's memory, whose thread `parent` waits in the kernel: tells the
/// client, and waits until it lets the child go. Returns the debugger of `child` if the client goes
/// on with it.
pub(crate) fn announce_child(
    child: &Arc<Process>,
    debuggee: &Debuggee,
    parent: i32,
    [read, write]: [Aside; 2],
) -> Option<Arc<Debugger>> {
    let debugger = &debuggee.debugger;
    let pid = std::process::id() as i32;
    let own = write.as_raw_fd();
    let mut world = debugger.world();
    if world.gone {
        return None;
    }
    // The server's descriptor, by the same number; ours is a copy.
    let shares: Arc<dyn Any + Send + Sync> = Arc::<Process>::clone(child);
    world.child = Some(Child { pid, parent, answer: write, shares: Some(shares) });
    debugger.stop_all(&mut world);
    debugger.push(&mut world, Stop::Thread { tid: parent, what: What::Fork(pid) });
    drop(world);
    let _ = host_call(libc::SYS_close, &[own.into()]);
    await_decision(&read);
    debugger.world().beside.take()
}
