//! What a guest process and a guest thread consist of.

use super::abi::{Errno, Fd, NSIG, SigAction, SigStack};
use super::aio;
use super::core_dump::Gathering;
use super::crash;
use super::host::path_of;
use super::ids::Credentials;
use super::limits::Limits;
use super::mman::Layout;
use super::path::{Last, Names};
use super::personality::Personality;
use super::procfd::{ProcDevice, Shown};
use super::rootfs::{Handle, Want, Worlds, fd_path};
use super::seccomp::{Restriction, Restrictions};
use super::trace::Trace;
use super::uring;
use super::user_dispatch::UserDispatch;
use crate::mem::Memory;
use crate::runtime::{Cpu, Machine};
use crate::sys::async_signal::Slot;
use crate::sys::fd::Aside;
use crate::sys::robust::{Nodes, RobustList};
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// What a process is started with, besides program, arguments and environment.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A directory in which absolute paths are looked up before the host's root (`-L`).
    pub sysroot: Option<PathBuf>,
    /// All the files that the guest can name, if these are not the host's (`-C`).
    pub(super) world: Option<Arc<Worlds>>,
    /// Who the guest believes to be when the program starts, with a fake root.
    pub(super) credentials: Option<Credentials>,
    /// Size of the main thread's stack in bytes; the soft `RLIMIT_STACK` if absent.
    pub stack_size: Option<u64>,
    /// Which system calls are printed, and where; none if absent.
    pub strace: Option<Arc<Trace>>,
    /// Lets the guest start programs of the host.
    pub host_exec: bool,
    /// What `uname` reports as release; the host's if absent.
    pub uname_release: Option<String>,
    /// Who is told of a crash.
    pub(super) on_crash: Option<crash::Hook>,
    /// Arguments for our own command line that a program started by `execve` inherits, in the
    /// order of the command line, such as `--jit off`.
    pub reentry: Vec<std::ffi::OsString>,
    /// What a guest's `execve` starts, if it is not this process's own program.
    pub reentry_program: Option<PathBuf>,
}

impl Options {
    /// Where the host finds what the guest calls `path`: in its world, or below the sysroot if it
    /// is there.
    ///
    /// # Errors
    /// In a world of the guest's own, those of path_resolution(7).
    pub(super) fn locate(&self, path: &Path) -> Result<Located, Errno> {
        let bytes = path.as_os_str().as_bytes();
        if let Some(world) = &self.world {
            let found = world.resolve(Fd::CWD, bytes, Want::Object)?;
            let host = path_of(fd_path(found.at.fd()).as_bytes());
            return Ok(Located { host, held: Some(found.at) });
        }
        let names = Names { sysroot: self.sysroot.as_deref(), exe: Path::new(""), exe_file: None };
        let inside = names.find(Fd::CWD, bytes, Last::Follow);
        Ok(Located { host: inside.unwrap_or_else(|| path.to_owned()), held: None })
    }
}

/// A file of the guest, as the host finds it.
#[derive(Debug)]
pub(super) struct Located {
    /// Host path.
    pub host: PathBuf,
    /// The descriptor that the path leads through, if it does.
    pub held: Option<Handle>,
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
    pub(super) exe_file: Option<Arc<Aside>>,
    /// Arguments, with NULs, as `/proc/self/cmdline` shows them.
    pub cmdline: Vec<u8>,
    /// The auxiliary vector, as `/proc/self/auxv` shows it.
    pub auxv: Vec<u8>,
    /// Initial environment, with NULs, as `/proc/self/environ` shows it.
    pub environ: Vec<u8>,
    /// What the process does on each signal; index 0 is unused.
    pub(super) actions: Arc<Mutex<[SigAction; NSIG + 1]>>,
    /// Where things lie in the address space.
    pub(super) layout: Arc<Mutex<Layout>>,
    /// Address of the guest code that returns from a signal handler.
    pub(super) sigreturn: u64,
    /// Number of threads that have not ended.
    pub(super) threads: AtomicUsize,
    /// The memory is that of another process too (`CLONE_VM`).
    pub(super) borrowed: bool,
    /// Where the host finds what robust futexes threads own; none if it refuses.
    pub(super) robust_nodes: OnceLock<Option<Arc<Nodes>>>,
    /// System calls of which the guest has been told that there are none.
    pub(super) warned: Mutex<BTreeSet<u64>>,
    /// Limits that are kept here.
    pub(super) limits: Arc<Mutex<Limits>>,
    /// Contexts of asynchronous requests.
    pub(super) aio: Arc<Mutex<aio::Contexts>>,
    /// Rings of requests.
    pub(super) rings: Arc<Mutex<uring::Rings>>,
    /// What its threads are at, once it dies with a core.
    pub(super) core: Gathering,
    /// Filters of all threads' system calls.
    pub(super) restrictions: Mutex<Restrictions>,
    /// What `personality` was last told.
    pub(super) personality: Personality,
    /// Where files of `/proc` have been opened whose contents are made here.
    pub(super) proc_device: ProcDevice,
    /// Who the guest believes to be, with a fake root.
    pub(super) credentials: Mutex<Option<Credentials>>,
    /// Called once when the process ends, if its end is ours to see.
    pub(super) on_exit: Mutex<Option<ExitHook>>,
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

/// Locks a mutex whose data stays valid whatever its holders do.
pub(super) fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub(super) sigmask: u64,
    /// The mask to go back to while `sigmask` is that of a call which a signal has ended.
    pub(super) saved_sigmask: Option<u64>,
    /// Alternate signal stack.
    pub(super) altstack: SigStack,
    /// What the host's signal handler tells this thread.
    pub(super) signals: Arc<Slot>,
    /// Where 0 is written, and a futex woken, when the thread ends (0: nowhere).
    pub(super) clear_child_tid: u64,
    /// Head of the list of robust futexes (0: none).
    pub(super) robust_list: u64,
    /// What the host's kernel knows of it (none before the thread has owned a robust futex).
    pub(super) robust: Option<RobustList>,
    /// Filters of its system calls.
    pub(super) restriction: Arc<Restriction>,
    /// What it last read of a file whose contents are made here.
    pub(super) shown: Option<Shown>,
    /// Rings that it names by an index.
    pub(super) registered_rings: uring::Registered,
    /// System calls that it serves itself.
    pub(super) user_dispatch: Option<UserDispatch>,
    /// True once the thread has made its last system call.
    pub(super) ended: bool,
}

/// Called when the process ends or starts another program: for statistics.
pub(super) type ExitHook = Arc<dyn Fn(&Machine, super::ExitStatus) + Send + Sync>;

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

    /// Reports a system call that is not served, once per process and number.
    pub(super) fn warn_unsupported(&self, number: u64, name: &str, reason: &str) -> Errno {
        if lock(&self.process.warned).insert(number) {
            tracing::warn!("unsupported system call {name} ({number}): {reason}");
        }
        Errno::ENOSYS
    }
}
