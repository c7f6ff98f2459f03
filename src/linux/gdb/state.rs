//! What the threads of a process and the server of its debugger share.

use crate::cpu::Hart;
use crate::gdb::{Action, Condition, Stop, Wanted, What};
use crate::interp::{WatchKind, Watchpoint};
use crate::linux::abi::SigInfo;
use crate::linux::host::{HostArg, host_call, host_fd};
use crate::linux::lock::lock;
use crate::runtime::Machine;
use crate::sys::async_signal::Slot;
use crate::sys::fd::{Aside, close_aside, keep_aside};
use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The debugger of a process, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Debug {
    on: AtomicBool,
    debugger: Mutex<Option<Arc<Debugger>>>,
}

impl Debug {
    /// True if there is a debugger. All that a process costs which has none.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    /// The debugger.
    pub(crate) fn get(&self) -> Option<Arc<Debugger>> {
        if self.is_on() { lock(&self.debugger).clone() } else { None }
    }

    /// Gives the process a debugger, or takes it away.
    pub(crate) fn set(&self, debugger: Option<Arc<Debugger>>) {
        let mut current = lock(&self.debugger);
        RECORDS.store(debugger.is_some(), Ordering::Release);
        self.on.store(debugger.is_some(), Ordering::Release);
        *current = debugger;
    }

    /// Held while the process is copied.
    pub(crate) fn hold(&self) -> MutexGuard<'_, Option<Arc<Debugger>>> {
        lock(&self.debugger)
    }

    /// In a new process with memory of its own: the debugger is its parent's alone.
    pub(crate) fn after_fork(&self) {
        let debugger = lock(&self.debugger).take();
        RECORDS.store(false, Ordering::Release);
        if let Some(debugger) = &debugger {
            debugger.close();
        }
        self.on.store(false, Ordering::Release);
    }
}

/// What a command gives.
type Answer = dyn Fn(&Machine, &str) -> String + Send + Sync;

/// Answers commands of a debugger's user.
#[derive(Clone)]
pub(crate) struct Monitor(pub(crate) Arc<Answer>);

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Monitor")
    }
}

/// Signals with their default action come to us first, so that the debugger is told.
static RECORDS: AtomicBool = AtomicBool::new(false);

/// True if our handler is to record `signal` where the guest has the default action, which is to
/// end the process: the others are of no interest, and would end calls that they do not end.
pub(crate) fn records(signal: i32) -> bool {
    RECORDS.load(Ordering::Acquire) && ends(signal)
}

/// True if the default action of `signal` ends the process.
pub(crate) fn ends(signal: i32) -> bool {
    const HARMLESS: [i32; 8] = [
        libc::SIGCHLD,
        libc::SIGURG,
        libc::SIGWINCH,
        libc::SIGCONT,
        libc::SIGSTOP,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
    ];
    !HARMLESS.contains(&signal)
}

/// What is asked of a thread that is stopped, where the server cannot do it.
pub(crate) type Job = Box<dyn FnOnce(&mut dyn Any) + Send>;

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It may execute guest code.
    Running,
    /// It is in a system call.
    InCall,
    /// It waits for us.
    Parked,
}

/// A thread as the server sees it.
pub(crate) struct Entry {
    /// Its registers: as they are, if it is parked; those of the call, if it is in one.
    pub hart: Hart,
    pub status: Status,
    /// The client has set registers.
    pub changed: bool,
    /// Its call is to be forgotten.
    pub abandon: bool,
    /// Signals of our own that are under way to it.
    pub kicks: u32,
    /// How it goes on.
    pub action: Action,
    /// With which signal.
    pub signal: Option<i32>,
    /// The last signal.
    pub siginfo: Option<SigInfo>,
    pub job: Option<Job>,
    /// Signals that wait for it.
    pub signals: Arc<Slot>,
    pub wake: Arc<Condvar>,
}

/// A breakpoint.
#[derive(Clone, Debug)]
pub(crate) struct Breakpoint {
    pub hard: bool,
    pub conditions: Vec<Condition>,
}

/// Where execution stops.
#[derive(Clone, Debug, Default)]
pub(crate) struct Points {
    /// A pc may have one of each kind.
    pub code: BTreeMap<(u64, bool), Breakpoint>,
    pub data: Vec<Watchpoint>,
}

impl Points {
    /// True if stores to a range are watched, also such as the kernel makes.
    pub(crate) fn written(&self) -> impl Iterator<Item = &Watchpoint> {
        self.data.iter().filter(|w| w.kind != WatchKind::Read)
    }
}

/// A process that a fork has made, and that waits until the client has decided about it.
#[derive(Debug)]
pub(crate) struct Child {
    pub pid: i32,
    /// The thread that made it.
    pub parent: i32,
    /// Where it waits for an answer: nothing, or what it needs to go on with the conversation.
    pub answer: Aside,
    /// The process, if it shares our memory: who serves us serves it too, if it is followed.
    pub shares: Option<Arc<dyn Any + Send + Sync>>,
}

impl Child {
    /// Lets it go on: with the conversation if that is said, else by itself.
    pub(crate) fn answer(self, text: &str) {
        let _ = (&*self.answer).write_all(format!("{text}\n").as_bytes());
    }
}

/// What is locked.
#[derive(Default)]
pub(crate) struct World {
    /// No thread may execute guest code.
    pub stopped: bool,
    /// By thread id.
    pub threads: BTreeMap<i32, Entry>,
    /// What the client has not been told of.
    pub events: VecDeque<Stop>,
    pub points: Arc<Points>,
    /// System calls at which to stop; empty: all.
    pub catch: Option<Vec<u64>>,
    /// Bit `n - 1`: signal `n` goes to the program without a stop.
    pub pass: u64,
    pub tell_threads: bool,
    pub wanted: Wanted,
    /// A client has gone or never come: everything goes on as if there were none.
    pub gone: bool,
    /// The last event was sent.
    pub told: bool,
    /// A thread starts another program: the inner one is what that needs to go on with the
    /// conversation.
    pub exec: Option<Option<String>>,
    /// What a fork has made waits to be told whether it is followed.
    pub child: Option<Child>,
    /// The debugger of a process that shares our memory and is followed.
    pub beside: Option<Arc<Debugger>>,
}

impl World {
    /// The thread whose registers and memory `tid` has.
    pub(crate) fn parent_of(&self, tid: i32) -> i32 {
        self.child.as_ref().filter(|c| c.pid == tid).map_or(tid, |c| c.parent)
    }

    /// The process that a fork has made; -1 if none waits.
    pub(crate) fn child_id(&self) -> i32 {
        self.child.as_ref().map_or(-1, |c| c.pid)
    }
}

impl Entry {
    /// Its registers, or those of what it has made by a fork.
    pub(crate) fn hart_for(&self, child: bool) -> Hart {
        let mut hart = self.hart.clone();
        if child {
            hart.x[10] = 0;
        }
        hart
    }
}

/// A process's debugger.
pub(crate) struct Debugger {
    world: Mutex<World>,
    /// A thread has stopped, or the server has done something.
    pub changed: Condvar,
    /// `World::stopped`, for who executes one instruction after the other.
    pub stopping: AtomicBool,
    /// An event counter by which the server learns of events.
    pub doorbell: Arc<Aside>,
    /// The connection's descriptor.
    pub socket: AtomicI32,
    /// The process that the server is a thread of.
    pub server: u32,
    machine: Arc<Machine>,
}

impl std::fmt::Debug for Debugger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Debugger")
    }
}

impl Debugger {
    /// A debugger for the threads of `machine`; `stopped`: they wait for it.
    ///
    /// # Errors
    /// The host has no descriptor for it.
    pub(crate) fn new(machine: Arc<Machine>, stopped: bool) -> std::io::Result<Arc<Self>> {
        let flags = libc::EFD_CLOEXEC | libc::EFD_NONBLOCK;
        let event = host_fd(libc::SYS_eventfd2, &[0.into(), flags.into()])?;
        Ok(Arc::new(Self {
            world: Mutex::new(World { stopped, ..World::default() }),
            changed: Condvar::new(),
            stopping: AtomicBool::new(stopped),
            doorbell: Arc::new(keep_aside(event.as_fd())?),
            socket: AtomicI32::new(-1),
            server: std::process::id(),
            machine,
        }))
    }

    /// A debugger for a process that shares our memory, with our server and what its client has
    /// said about signals and system calls. Its threads wait.
    pub(crate) fn beside(&self) -> Arc<Self> {
        let world = self.world();
        let beside = World {
            stopped: true,
            catch: world.catch.clone(),
            pass: world.pass,
            wanted: world.wanted,
            ..World::default()
        };
        Arc::new(Self {
            world: Mutex::new(beside),
            changed: Condvar::new(),
            stopping: AtomicBool::new(true),
            doorbell: Arc::clone(&self.doorbell),
            socket: AtomicI32::new(self.socket.load(Ordering::Acquire)),
            server: self.server,
            machine: Arc::clone(&self.machine),
        })
    }

    /// Lets the connection survive an `execve` of the calling process, or no longer.
    pub(crate) fn keep_connection(&self, on: bool) {
        let flags = if on { 0 } else { libc::FD_CLOEXEC };
        let fd = self.socket.load(Ordering::Acquire);
        let _ = host_call(libc::SYS_fcntl, &[fd.into(), libc::F_SETFD.into(), flags.into()]);
    }

    /// A process that shares our memory is no more, or has started another program.
    pub(crate) fn sharer_gone(&self) {
        let mut world = self.world();
        if world.exec.take().is_some() {
            world.gone = true;
        } else if !world.gone {
            // It would have told of any other end.
            self.push(&mut world, Stop::Killed(libc::SIGKILL));
        }
        drop(world);
        self.changed.notify_all();
        self.ring();
    }

    /// In a copy of the process: closes the descriptors, whose owner is the thread of the server,
    /// which is not in the copy.
    pub(crate) fn close(&self) {
        for fd in [self.doorbell.as_raw_fd(), self.socket.load(Ordering::Acquire)] {
            close_aside(fd);
        }
    }

    /// The state.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Asks all threads to stop. They do so at their next instruction.
    pub(crate) fn stop_all(&self, world: &mut World) {
        world.stopped = true;
        self.stopping.store(true, Ordering::Release);
        self.machine.interrupt_all();
    }

    /// Lets all threads go on that are to.
    pub(crate) fn resume_all(&self, world: &mut World) {
        world.stopped = false;
        self.stopping.store(false, Ordering::Release);
        for entry in world.threads.values() {
            entry.wake.notify_all();
        }
    }

    /// Tells the server of an event.
    pub(crate) fn push(&self, world: &mut World, stop: Stop) {
        world.events.push_back(stop);
        self.ring();
    }

    /// Makes the server look.
    pub(crate) fn ring(&self) {
        let one = 1_u64;
        // It is full only if it has rung already.
        let fd = self.doorbell.as_raw_fd();
        let _ = host_call(libc::SYS_write, &[fd.into(), HostArg::of(&one), HostArg::value(8)]);
    }

    /// Tells the server of a stop of `tid`, and stops all threads; `false` if it need not be told,
    /// as all are stopped and the thread will come here again.
    pub(crate) fn report(&self, world: &mut World, tid: i32, what: What) -> bool {
        let comes_again = matches!(what, What::Break { .. } | What::Step);
        if world.gone || comes_again && world.stopped {
            return false;
        }
        self.stop_all(world);
        self.push(world, Stop::Thread { tid, what });
        true
    }

    /// A thread is no more.
    pub(crate) fn thread_gone(&self, tid: i32) {
        self.world().threads.remove(&tid);
        self.changed.notify_all();
        self.ring();
    }

    /// Tells of the end of the process, and waits until the client knows.
    pub(crate) fn process_gone(&self, stop: Stop) {
        const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);
        let mut world = self.world();
        if world.gone || self.socket.load(Ordering::Acquire) < 0 {
            return;
        }
        world.told = false;
        self.push(&mut world, stop);
        // While all is stopped the client is told nothing, however long that takes.
        while !world.told && !world.gone {
            let waited = self.changed.wait_timeout(world, PATIENCE);
            let (now, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            world = now;
            if timeout.timed_out() && !world.stopped {
                return;
            }
        }
    }
}
