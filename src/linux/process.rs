//! What a guest process and a guest thread consist of.

use crate::cpu::Hart;
use crate::linux::abi::{NSIG, SigAction, SigStack};
use crate::linux::fs::aio_contexts;
use crate::linux::fs::namespace::Namespace;
use crate::linux::fs::proc::shown::{ProcDevice, Shown};
use crate::linux::gdb::debuggee::Debuggee;
use crate::linux::gdb::state::{Debug, Monitor};
use crate::linux::mm::layout::Layout;
use crate::linux::ptrace::area::{Area, Kind, Made, Rewritten};
use crate::linux::ptrace::tracees::Tracees;
use crate::linux::seccomp::dispatch_range::UserDispatch;
use crate::linux::seccomp::filter::{Restriction, Restrictions};
use crate::linux::signal::core_threads::Gathering;
use crate::linux::signal::crash;
use crate::linux::status::ExitStatus;
use crate::linux::task::afl::ForkServer;
use crate::linux::task::credentials::Credentials;
use crate::linux::task::limits::Limits;
use crate::linux::task::personality::Personality;
use crate::linux::trace::Trace;
use crate::linux::uring::ring;
use crate::mem::Memory;
use crate::runtime::{Cpu, Machine};
use crate::sys::async_signal::Slot;
use crate::sys::fd::Aside;
use crate::sys::robust::{Nodes, RobustList};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// What a process is started with, besides program, arguments and environment.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The files that the guest can name.
    pub(crate) files: Namespace,
    /// Who the guest believes to be when the program starts, with a fake root.
    pub(crate) credentials: Option<Credentials>,
    /// Size of the main thread's stack in bytes; the soft `RLIMIT_STACK` if absent.
    pub stack_size: Option<u64>,
    /// Which system calls are printed, and where; none if absent.
    pub strace: Option<Arc<Trace>>,
    /// Lets the guest start programs of the host.
    pub host_exec: bool,
    /// What `uname` reports as release; the host's if absent.
    pub uname_release: Option<String>,
    /// Commands of a debugger's user that are for us.
    pub(crate) monitor: Option<Monitor>,
    /// A program that crashes waits for a debugger.
    pub(crate) debug_crashes: bool,
    /// Somebody is to be told of each end of a process, also by a signal with its default action.
    pub(crate) tell_each_end: bool,
    /// Who is told of what threads are at.
    pub(crate) sampler: Option<Sampler>,
    /// Who starts the program again and again from its entry.
    pub(crate) fork_server: Option<Arc<ForkServer>>,
    /// Who is told of a crash.
    pub(crate) on_crash: Option<crash::Hook>,
    /// Arguments for our own command line that a program started by `execve` inherits, in the
    /// order of the command line, such as `--jit off`.
    pub reentry: Vec<std::ffi::OsString>,
    /// What a guest's `execve` starts, if it is not this process's own program.
    pub reentry_program: Option<PathBuf>,
}

/// What all threads of a guest process share.
pub struct Process {
    /// Memory and translations.
    pub machine: Arc<Machine>,
    /// What the process was started with.
    pub options: Options,
    /// Path of the executable as the guest knows it (`/proc/self/exe`).
    pub exe: PathBuf,
    /// Where the host finds the executable.
    pub exe_host: PathBuf,
    /// The executable's file, open: it may have no name any more. None in a world of the guest's
    /// own, which knows its files.
    pub(crate) exe_file: Option<Arc<Aside>>,
    /// Arguments, with NULs, as `/proc/self/cmdline` shows them.
    pub cmdline: Vec<u8>,
    /// The auxiliary vector, as `/proc/self/auxv` shows it.
    pub auxv: Vec<u8>,
    /// Initial environment, with NULs, as `/proc/self/environ` shows it.
    pub environ: Vec<u8>,
    /// What the process does on each signal; index 0 is unused.
    pub(crate) actions: Arc<Mutex<[SigAction; NSIG + 1]>>,
    /// Where things lie in the address space.
    pub(crate) layout: Arc<Mutex<Layout>>,
    /// Address of the guest code that returns from a signal handler.
    pub(crate) sigreturn: u64,
    /// Number of threads that have not ended.
    pub(crate) threads: AtomicUsize,
    /// The memory is that of another process too (`CLONE_VM`).
    pub(crate) borrowed: bool,
    /// Where the host finds what robust futexes threads own; none if it refuses.
    pub(crate) robust_nodes: OnceLock<Option<Arc<Nodes>>>,
    /// Requests of ioctl(2) of which the user has been told that there are none.
    pub(crate) warned: Mutex<BTreeSet<u64>>,
    /// Limits that are kept here.
    pub(crate) limits: Arc<Mutex<Limits>>,
    /// Contexts of asynchronous requests.
    pub(crate) aio: Arc<Mutex<aio_contexts::Contexts>>,
    /// Rings of requests.
    pub(crate) rings: Arc<Mutex<ring::Rings>>,
    /// What its threads are at, once it dies with a core.
    pub(crate) core: Gathering,
    /// Filters of all threads' system calls.
    pub(crate) restrictions: Mutex<Restrictions>,
    /// What `personality` was last told.
    pub(crate) personality: Personality,
    /// Where files of `/proc` have been opened whose contents are made here.
    pub(crate) proc_device: ProcDevice,
    /// Who the guest believes to be, with a fake root.
    pub(crate) credentials: Mutex<Option<Credentials>>,
    /// Threads that this process traces.
    pub(crate) tracees: Tracees,
    /// Where its tracer says what it has written to.
    pub(crate) rewritten: Arc<Rewritten>,
    /// The loop that runs its threads.
    pub(crate) dispatch: &'static Dispatch,
    /// Its debugger.
    pub(crate) debug: Debug,
    /// Called once when the process ends, if its end is ours to see.
    pub(crate) on_exit: Mutex<Option<ExitHook>>,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("exe", &self.exe).finish_non_exhaustive()
    }
}

impl Process {
    /// The guest's memory.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        self.machine.memory()
    }
}

/// One guest thread, owned by the host thread that runs it.
pub struct Thread {
    /// Registers, and the means to run them.
    pub cpu: Cpu,
    /// What it shares with the other threads.
    pub process: Arc<Process>,
    /// Thread id, the host's.
    pub tid: i32,
    /// Blocked signals: bit `n - 1` is signal `n`.
    pub(crate) sigmask: u64,
    /// The mask to go back to while `sigmask` is that of a call which a signal has ended.
    pub(crate) saved_sigmask: Option<u64>,
    /// Alternate signal stack.
    pub(crate) altstack: SigStack,
    /// What the host's signal handler tells this thread.
    pub(crate) signals: Arc<Slot>,
    /// Where 0 is written, and a futex woken, when the thread ends (0: nowhere).
    pub(crate) clear_child_tid: u64,
    /// Head of the list of robust futexes (0: none).
    pub(crate) robust_list: u64,
    /// What the host's kernel knows of it (none before the thread has owned a robust futex).
    pub(crate) robust: Option<RobustList>,
    /// Filters of its system calls.
    pub(crate) restriction: Arc<Restriction>,
    /// What it last read of a file whose contents are made here.
    pub(crate) shown: Option<Shown>,
    /// Rings that it names by an index.
    pub(crate) registered_rings: ring::Registered,
    /// System calls that it serves itself.
    pub(crate) user_dispatch: Option<UserDispatch>,
    /// What `PR_RISCV_V_GET_CONTROL` says.
    pub(crate) vector_control: u64,
    /// What its tracer and it tell each other; none if it is not traced.
    pub(crate) trace: Option<Arc<Area>>,
    /// What its tracer is told before its first instruction.
    pub(crate) begins: Option<Kind>,
    /// Of a traced thread, a call that a signal has ended, which is made again if no handler runs.
    pub(crate) restart: Option<Made>,
    /// What its tracer is shown as the result of such a call.
    pub(crate) shown_result: Option<u64>,
    /// What it knows of the process's debugger.
    pub(crate) debuggee: Option<Box<Debuggee>>,
    /// True once the thread has made its last system call.
    pub(crate) ended: bool,
}

/// What handlers need of the loop that calls them, which stands above them all.
pub(crate) struct Dispatch {
    /// Runs a thread until it ends.
    pub run: fn(&mut Thread),
    /// Shows a call that is about to succeed and does not return, where calls are traced.
    pub show_success: fn(&Thread),
    /// Goes on with the conversation with a debugger that another process had, which said this.
    pub take_over_debugger: fn(&Arc<Process>, &str) -> std::io::Result<()>,
    /// Lets a debugger connect to a process that runs. Says where.
    pub let_debug: fn(&Arc<Process>) -> std::io::Result<PathBuf>,
    /// The guest's number of the system call that the host numbers so, if it is served.
    pub number: fn(i64) -> Option<u16>,
}

/// Who takes samples: of a machine's thread, which stand for so many microseconds.
type SampleHook = dyn Fn(&Machine, &Hart, u64) + Send + Sync;

/// How samples of threads are taken.
#[derive(Clone)]
pub(crate) struct Sampler {
    /// CPU time from one to the next.
    pub period: Duration,
    pub hook: Arc<SampleHook>,
}

impl std::fmt::Debug for Sampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sampler({:?})", self.period)
    }
}

/// Called when the process ends or starts another program: for statistics.
pub(crate) type ExitHook = Arc<dyn Fn(&Machine, ExitStatus) + Send + Sync>;

impl std::fmt::Debug for Thread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Thread({})", self.tid)
    }
}

impl Thread {
    /// The guest's memory.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        self.process.machine.memory()
    }

    /// Number of the system call being made (a7).
    #[must_use]
    pub fn syscall_number(&self) -> u64 {
        self.cpu.hart().x[17]
    }

    /// Its arguments (a0..a5).
    #[must_use]
    pub fn args(&self) -> [u64; 6] {
        let x = &self.cpu.hart().x;
        [x[10], x[11], x[12], x[13], x[14], x[15]]
    }

    /// Not zero while a signal waits for delivery: interruptible host calls are not entered then.
    #[must_use]
    pub fn signal_flag(&self) -> &AtomicU32 {
        self.signals.flag()
    }
}
