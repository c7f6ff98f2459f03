//! Starting a guest program: the door of the Linux layer.

use crate::cpu::Hart;
use crate::linux::abi::{Errno, Fd};
use crate::linux::exec::execve::{self, find_program};
use crate::linux::exec::inherit::Inherited;
use crate::linux::exec::loader::{self, Image, LoadError};
use crate::linux::exec::reentry::Reentry;
use crate::linux::exec::settings::First;
use crate::linux::exec::stack::{self, Contents};
use crate::linux::exec::{executable, setid, settings, vdso};
use crate::linux::fs::busy;
use crate::linux::fs::namespace::{Namespace, open_path};
use crate::linux::fs::proc::shown::ProcDevice;
use crate::linux::fs::rootfs::{Handle, RootFs, Want, World, Worlds, fd_path};
use crate::linux::gdb::attach;
use crate::linux::gdb::socket::Address;
use crate::linux::gdb::state::{Debug, Monitor};
use crate::linux::host::limit;
use crate::linux::mm::layout::{self, Layout};
use crate::linux::process::{ExitHook, Options, Process, Sampler, Thread};
use crate::linux::ptrace::area::{Area, Kind, Rewritten};
use crate::linux::ptrace::tracees::Tracees;
use crate::linux::signal::core_dump;
use crate::linux::signal::core_threads::Gathering;
use crate::linux::signal::crash::{self, Crash};
use crate::linux::signal::mirror;
use crate::linux::signal::vector;
use crate::linux::spawn::{self, Child, Output, Stdio, Streams};
use crate::linux::status::ExitStatus;
use crate::linux::task::afl::ForkServer;
use crate::linux::task::credentials::Credentials;
use crate::linux::task::peers;
use crate::linux::task::personality::Personality;
use crate::linux::trace::Trace;
use crate::linux::{host, run, sample};
use crate::mem::{Backing, Mapping, Memory, Mode};
use crate::runtime::{self, Machine};
use crate::sys::fd::{Aside, keep_aside};
use crate::sys::standard::closed_at_start;
use crate::sys::{async_signal, process};
use crate::util::HostAddr;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// A guest program to be started, in the manner of [`std::process::Command`].
///
/// ```no_run
/// use rvnative::linux::{Command, Reentry, RootFs};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     // The program is this executable started anew, which then becomes the program.
///     if let Some(reentry) = Reentry::from_args(std::env::args_os()) {
///         return Err(reentry.into_command().exec().into());
///     }
///     let output = Command::new("/usr/bin/python3")
///         .args(["-c", "print(6 * 7)"])
///         .rootfs(RootFs::prefix("./debian-riscv64")?)
///         .output()?;
///     assert!(output.status.success());
///     assert_eq!(output.stdout, b"42\n");
///     Ok(())
/// }
/// ```
///
/// [`spawn`](Self::spawn), [`output`](Self::output) and [`status`](Self::status) work from any
/// thread of any process whose `main` looks for a [`Reentry`] first, as above; what the program may
/// do it may do as a process of its own. [`exec`](Self::exec) makes this process the guest's.
pub struct Command {
    program: PathBuf,
    /// Where the host finds the program, and what it was called.
    host_program: Option<(PathBuf, PathBuf)>,
    /// The program's file, if it is open already, and what was called.
    file: Option<(File, PathBuf)>,
    /// What the program's random bytes follow from.
    seed: Option<u64>,
    args: Vec<Vec<u8>>,
    arg0: Option<Vec<u8>>,
    env: Vec<Vec<u8>>,
    sigmask: Option<u64>,
    inherited: Option<Inherited>,
    close: Vec<i32>,
    options: Options,
    machine: runtime::Options,
    on_exit: Option<ExitHook>,
    observer: Option<Box<dyn runtime::Observer>>,
    root: RootFs,
    /// What [`World::to_words`] says, if a guest has started this program.
    world: Vec<Vec<u8>>,
    directory: Option<PathBuf>,
    /// Who a guest with a fake root believes to be at first.
    user: Credentials,
    /// Where a debugger is waited for.
    debugger: Option<Address>,
    /// What the program before this one has said about its debugger; empty if it had none.
    handed_over: String,
    /// Standard files of a program that is started beside us.
    pub(super) streams: Streams,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Command").field("program", &self.program).finish_non_exhaustive()
    }
}

fn variable(key: &OsStr, value: &OsStr) -> Vec<u8> {
    [key.as_bytes(), b"=", value.as_bytes()].concat()
}

fn has_key(entry: &[u8], key: &OsStr) -> bool {
    entry.strip_prefix(key.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='))
}

impl Command {
    /// A program by its path: as the guest sees it, where that differs. Its environment is empty
    /// unless something is put there.
    #[must_use]
    pub fn new(program: impl AsRef<Path>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            host_program: None,
            file: None,
            seed: None,
            args: Vec::new(),
            arg0: None,
            env: Vec::new(),
            sigmask: None,
            inherited: None,
            close: Vec::new(),
            options: Options::default(),
            machine: runtime::Options::default(),
            on_exit: None,
            observer: None,
            root: RootFs::host(),
            world: Vec::new(),
            directory: None,
            user: Credentials::default(),
            debugger: None,
            handed_over: String::new(),
            streams: Streams::default(),
        }
    }

    /// The program's path.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.args.push(arg.as_ref().as_bytes().to_vec());
        self
    }

    /// Adds arguments.
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&mut self, args: I) -> &mut Self {
        for arg in args {
            self.arg(arg);
        }
        self
    }

    /// Sets `argv[0]`, which is the program's path otherwise.
    pub fn arg0(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.arg0 = Some(arg.as_ref().as_bytes().to_vec());
        self
    }

    /// Sets a variable of the guest's environment.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.env_remove(&key);
        self.env.push(variable(key.as_ref(), value.as_ref()));
        self
    }

    /// Sets variables of the guest's environment.
    pub fn envs<I, K, V>(&mut self, vars: I) -> &mut Self
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        for (key, value) in vars {
            self.env(key, value);
        }
        self
    }

    /// Sets all variables of this process's environment.
    pub fn inherit_env(&mut self) -> &mut Self {
        self.envs(std::env::vars_os())
    }

    /// Removes a variable.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Self {
        self.env.retain(|e| !has_key(e, key.as_ref()));
        self
    }

    /// Removes all variables.
    pub fn env_clear(&mut self) -> &mut Self {
        self.env.clear();
        self
    }

    /// Which files the guest sees.
    pub fn rootfs(&mut self, root: RootFs) -> &mut Self {
        self.options.files = root.prefix.clone().map_or(Namespace::Host, Namespace::Sysroot);
        self.root = root;
        self
    }

    /// Directory to start in, as the guest sees it; otherwise the caller's, or the root where the
    /// guest cannot see that.
    pub fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Self {
        self.directory = Some(dir.as_ref().to_owned());
        self
    }

    /// Who a program with a fake root ([`RootFs::fake_root`]) believes to be: user, group and
    /// supplementary groups; root otherwise.
    #[doc(hidden)]
    pub fn user(&mut self, user: u32, group: u32, groups: Vec<u32>) -> &mut Self {
        self.user = Credentials::of(user, group, groups);
        self
    }

    /// Starts the program without those of its standard descriptors that this process was started
    /// without. Whatever is open in their place, such as what Rust opens, is closed.
    pub fn inherit_closed_files(&mut self) -> &mut Self {
        self.close = closed_at_start();
        self
    }

    /// Size of the main thread's stack in bytes.
    pub fn stack_size(&mut self, bytes: u64) -> &mut Self {
        self.options.stack_size = Some(bytes);
        self
    }

    /// Prints the system calls that `trace` names.
    pub fn strace(&mut self, trace: Trace) -> &mut Self {
        self.options.strace = Some(Arc::new(trace));
        self
    }

    /// Lets the guest start programs of the host, which run without us and see the host's files.
    pub fn host_exec(&mut self, on: bool) -> &mut Self {
        self.options.host_exec = on;
        self
    }

    /// What `uname` reports as release of the kernel.
    pub fn uname_release(&mut self, release: impl Into<String>) -> &mut Self {
        self.options.uname_release = Some(release.into());
        self
    }

    /// Takes the program from `file`, which the caller may have been given by the kernel
    /// (binfmt_misc, flag O); the path of [`Self::new`] is its name only. `called` is the name that
    /// was called, of a script perhaps whose interpreter the program is (`AT_EXECFN`). The guest
    /// does not get the descriptor.
    pub fn program_file(&mut self, file: File, called: impl AsRef<Path>) -> &mut Self {
        self.file = Some((file, called.as_ref().to_owned()));
        self
    }

    /// Lets the 16 random bytes that the program finds by `AT_RANDOM` follow from `seed`. What it
    /// asks the kernel for (`getrandom`) is random as before.
    pub fn random_seed(&mut self, seed: u64) -> &mut Self {
        self.seed = Some(seed);
        self
    }

    /// Engine and instruction set.
    #[doc(hidden)]
    pub fn machine(&mut self, options: runtime::Options) -> &mut Self {
        self.machine = options;
        self
    }

    /// Flags that a program started by the guest with `execve` finds in [`Reentry::flags`].
    pub fn reentry_flags<I: IntoIterator<Item = S>, S: Into<OsString>>(
        &mut self,
        flags: I,
    ) -> &mut Self {
        self.options.reentry = flags.into_iter().map(Into::into).collect();
        self
    }

    /// The executable that a guest's `execve` starts, which must look for a [`Reentry`] as the
    /// `rvnative` command of the same version does; this process's own if nothing is said. If that
    /// has never looked for one, `execve` fails with `EPERM`: started again, it would do something
    /// else than the guest asked for.
    pub fn reentry_program(&mut self, path: impl AsRef<Path>) -> &mut Self {
        self.options.reentry_program = Some(path.as_ref().to_owned());
        self
    }

    /// Calls `hook` when the process ends, unless its end is the host's doing (a fatal signal from
    /// elsewhere), and, with exit code 0, before it starts another program. The same goes for its
    /// children, unless they share its memory (`vfork`).
    #[doc(hidden)]
    pub fn on_exit(
        &mut self,
        hook: impl Fn(&Machine, ExitStatus) + Send + Sync + 'static,
    ) -> &mut Self {
        self.on_exit = Some(Arc::new(hook));
        self
    }

    /// Calls `hook` when a fault of the program ends the process or a child of it; with `all` also
    /// when such a signal was sent by somebody, as abort(3) does.
    #[doc(hidden)]
    pub fn on_crash(
        &mut self,
        all: bool,
        hook: impl Fn(&Crash<'_>) + Send + Sync + 'static,
    ) -> &mut Self {
        self.options.on_crash = Some(crash::Hook { all, tell: Arc::new(hook) });
        self
    }

    /// Lets a debugger connect that speaks gdb's remote protocol, and waits for it unless the
    /// address says otherwise.
    #[doc(hidden)]
    pub fn debugger(&mut self, address: Address) -> &mut Self {
        self.debugger = Some(address);
        self
    }

    /// Lets a program that crashes wait for a debugger at [`debugger_socket`].
    ///
    /// [`debugger_socket`]: crate::linux::debugger_socket
    #[doc(hidden)]
    pub fn debug_crashes(&mut self, on: bool) -> &mut Self {
        self.options.debug_crashes = on;
        self
    }

    /// Calls the hook of [`Self::on_exit`] also when a signal from elsewhere ends the process by
    /// its default action, unless that is SIGKILL.
    #[doc(hidden)]
    pub fn tell_each_end(&mut self, on: bool) -> &mut Self {
        self.options.tell_each_end = on;
        self
    }

    /// Calls `hook` with the machine and the registers of each thread of the process that has used
    /// a `period` of CPU time, and with the microseconds that it has used since the last time.
    #[doc(hidden)]
    pub fn sampler(
        &mut self,
        period: Duration,
        hook: impl Fn(&Machine, &Hart, u64) + Send + Sync + 'static,
    ) -> &mut Self {
        self.options.sampler = Some(Sampler { period, hook: Arc::new(hook) });
        self
    }

    /// Lets `hook` answer commands of the debugger's user that are for us (`monitor`).
    #[doc(hidden)]
    pub fn monitor(
        &mut self,
        hook: impl Fn(&Machine, &str) -> String + Send + Sync + 'static,
    ) -> &mut Self {
        self.options.monitor = Some(Monitor(Arc::new(hook)));
        self
    }

    /// Has the program started again and again from its entry, for AFL.
    #[doc(hidden)]
    pub fn fork_server(&mut self, server: ForkServer) -> &mut Self {
        self.options.fork_server = Some(Arc::new(server));
        self
    }

    /// Who is told of translations.
    #[doc(hidden)]
    pub fn observer(&mut self, observer: Box<dyn runtime::Observer>) -> &mut Self {
        self.observer = Some(observer);
        self
    }

    /// Replaces the calling process by the guest program: returns only if it cannot be started.
    /// To be called on the process's first thread, with no other threads that matter: signals,
    /// descriptors and exit of the process are the guest's from now on.
    ///
    /// For the guest to start further programs, the first act of `main` in the calling executable
    /// must be to look for a [`Reentry`] in its arguments; see also [`Self::reentry_program`].
    pub fn exec(&mut self) -> LoadError {
        match self.start() {
            Ok(mut t) => {
                let attached = t.signals.attach();
                async_signal::set_mask(t.sigmask);
                run::run(&mut t);
                drop(attached);
                // The loop ends with the process.
                std::process::abort()
            }
            Err(e) => e,
        }
    }

    /// The program's standard input, which is this process's otherwise, or nothing
    /// ([`Self::output`]).
    pub fn stdin(&mut self, file: impl Into<Stdio>) -> &mut Self {
        self.streams.stdin = Some(file.into());
        self
    }

    /// The program's standard output, which is this process's otherwise, or captured
    /// ([`Self::output`]).
    pub fn stdout(&mut self, file: impl Into<Stdio>) -> &mut Self {
        self.streams.stdout = Some(file.into());
        self
    }

    /// The program's standard error, as [`Self::stdout`].
    pub fn stderr(&mut self, file: impl Into<Stdio>) -> &mut Self {
        self.streams.stderr = Some(file.into());
        self
    }

    /// Starts the program as a process of its own: [`Self::reentry_program`], or this process's
    /// executable, is started and becomes it. That takes neither memory nor descriptors of this
    /// process, but the standard ones, and it works while other threads run. Signals have their
    /// default actions and none is blocked.
    ///
    /// What is wrong with the program is an error here; if it cannot be loaded for another reason,
    /// such as a lack of memory, the other process's `main` is told ([`Self::exec`]).
    ///
    /// # Errors
    /// The program cannot be started; [`LoadError::NoReentry`] if no executable is known that
    /// becomes it.
    pub fn spawn(&mut self) -> Result<Child, LoadError> {
        self.start_beside((&Stdio::inherit(), &Stdio::inherit()))
    }

    /// Runs the program as [`Self::spawn`] does, and waits for its end. What it writes is
    /// collected, and there is nothing for it to read, unless something else has been said.
    ///
    /// # Errors
    /// As there.
    pub fn output(&mut self) -> Result<Output, LoadError> {
        let child = self.start_beside((&Stdio::null(), &Stdio::piped()))?;
        Ok(child.wait_with_output()?)
    }

    /// Runs the program as [`Self::spawn`] does, and waits for its end.
    ///
    /// # Errors
    /// As there.
    pub fn status(&mut self) -> Result<ExitStatus, LoadError> {
        Ok(self.spawn()?.wait()?)
    }

    /// Starts the program; `otherwise` are standard input and output that nothing was said of.
    fn start_beside(&mut self, otherwise: (&Stdio, &Stdio)) -> Result<Child, LoadError> {
        let own = execve::own_program(&self.options)?;
        self.make_world()?;
        let directory = self.directory_beside()?;
        let arg0 =
            self.arg0.clone().unwrap_or_else(|| self.program.as_os_str().as_bytes().to_vec());
        let mut args = vec![arg0];
        args.extend(self.args.iter().cloned());
        let mut program = match &self.file {
            Some((file, called)) => execve::Program {
                host: execve::fd_path(file.as_raw_fd()),
                guest: self.program.clone(),
                called: called.clone(),
                args,
                held: None,
            },
            None => {
                let at = directory.as_deref().unwrap_or(Path::new("")).join(&self.program);
                let program = find_program(&self.options, &at, args)?;
                execve::check(&self.options, &program)?;
                program
            }
        };
        // What no name may lead to over there goes by a descriptor.
        let file = self.file.as_ref().map(|(file, _)| file.as_raw_fd());
        let held = file.or_else(|| program.held.as_ref().map(Handle::fd));
        program.host = match held {
            Some(fd) => execve::fd_path(fd),
            None => std::path::absolute(&program.host)?,
        };
        let world = self.options.files.world();
        let open = world.into_iter().flat_map(|w| w.inherited().collect::<Vec<_>>()).chain(held);
        let credentials = self.options.credentials.as_ref().map(Credentials::to_text);
        let reentry = Reentry {
            flags: self.options.reentry.clone(),
            host: program.host,
            guest: program.guest,
            called: program.called,
            sigmask: 0,
            inherited: None,
            settings: settings::to_words(&self.options),
            first: First { directory, seed: self.seed },
            debug: String::new(),
            close: held.into_iter().chain(self.close.iter().copied()).collect(),
            world: world.map_or_else(Vec::new, |w| w.to_words()),
            credentials: credentials.unwrap_or_default(),
            args: program.args,
            env: self.env.clone(),
        };
        let (words, open) = (reentry.to_args(), open.collect());
        Ok(spawn::start(&own, words, execve::TUNABLES, &self.streams, otherwise, open)?)
    }

    /// Where a program starts that is to run beside this one, if not where this one is.
    fn directory_beside(&self) -> Result<Option<PathBuf>, LoadError> {
        match (&self.directory, self.options.files.world()) {
            (Some(dir), None) => {
                let failed = |error| LoadError::File { path: dir.clone(), error };
                if !std::fs::metadata(dir).map_err(failed)?.is_dir() {
                    return Err(failed(io::ErrorKind::NotADirectory.into()));
                }
                Ok(Some(std::path::absolute(dir)?))
            }
            (None, Some(world)) if world.name_of(Fd::CWD).is_err() => Ok(Some("/".into())),
            (dir, _) => Ok(dir.clone()),
        }
    }

    /// Opens what the guest is to see.
    fn make_world(&mut self) -> Result<(), LoadError> {
        if !self.world.is_empty() {
            // Without its world the program must not run.
            let world = World::from_words(&self.world).ok_or(Errno::EBADF);
            let world = world.map_err(std::io::Error::from)?;
            self.options.files = Namespace::Rootfs(Arc::new(Worlds::new(world)));
            self.world.clear();
        }
        if self.options.files.world().is_none() {
            let world = World::open(&self.root)
                .map_err(|(path, e)| LoadError::File { path, error: e.into() })?;
            if let Some(world) = world {
                self.options.files = Namespace::Rootfs(Arc::new(Worlds::new(world)));
            }
            self.options.credentials = self.options.files.is_faked().then(|| self.user.clone());
        }
        Ok(())
    }

    /// Goes where the guest starts. A program that a guest has started stays where it is.
    fn enter_directory(&self) -> Result<(), LoadError> {
        let Some(world) = self.options.files.world() else {
            if let Some(dir) = &self.directory {
                std::env::set_current_dir(dir)
                    .map_err(|error| LoadError::File { path: dir.clone(), error })?;
            }
            return Ok(());
        };
        if self.directory.is_none() && world.name_of(Fd::CWD).is_ok() {
            return Ok(());
        }
        let dir = self.directory.clone().unwrap_or_else(|| "/".into());
        let at = dir.as_os_str().as_bytes();
        let found = world.resolve(Fd::CWD, at, Want::Object);
        let gone = found.and_then(|f| {
            host::host_call(libc::SYS_chdir, &[host::HostArg::path(&fd_path(f.at.fd()))])
        });
        gone.map(|_| ()).map_err(|e| LoadError::File { path: dir, error: e.into() })
    }

    /// Everything up to the first instruction. All signals are blocked afterwards.
    fn start(&mut self) -> Result<Thread, LoadError> {
        let inherited = self.inherited.take().unwrap_or_else(Inherited::from_host);
        if self.host_program.is_some() {
            executable::take_over();
        }
        // Dropped when everything is loaded.
        let _raised = limit::raise();
        inherited.limits.settle();
        self.make_world()?;
        if self.host_program.is_none() || self.directory.is_some() {
            self.enter_directory()?;
        }
        let (program, image) = self.open_program()?;
        busy::mark(&image.file);
        let (exe_host, exe, exe_file) = self.executable(&program, &image);
        set_name(&program.called, &exe);

        async_signal::record_sent_faults()?;
        let machine = self.make_machine(&image)?;
        let mem = machine.memory();
        let size = self.options.stack_size.unwrap_or_else(|| inherited.limits.stack());
        let stack = loader::map_stack(mem, size, image.elf.exec_stack)?;
        let top = loader::mmap_top(&stack);
        let loaded = loader::load(mem, top, &image, &exe, |p| Ok(self.options.files.locate(p)?))?;
        let vdso = vdso::map(mem, machine.isa(), top)?;
        if self.options.credentials.is_none() {
            setid::apply(&image.file);
        }
        let description = peers::describe(mem, &exe, &exe_host);
        let contents = Contents {
            args: &program.args,
            env: &self.env,
            execfn: program.called.as_os_str().as_bytes(),
            description: &description,
            loaded: &loaded,
            hwcap: machine.isa().hwcap(),
            vector_room: vector::room(machine.isa().vlenb()),
            vdso: vdso.image,
            ids: self.options.credentials.as_ref().map_or(process::ids().1, Credentials::ids),
            random: self.seed.map_or_else(host::random, stack::random_from),
        };
        let built = stack::build(mem, &stack, &contents)?;
        show_program(mem, &stack, &contents, &exe, &built);
        let layout = Layout {
            brk_start: loaded.brk,
            brk: loaded.brk,
            mmap_top: top,
            start_stack: built.sp,
            lock_future: None,
        };

        let before = async_signal::set_mask(!0);
        let process = Arc::new(Process {
            options: self.options.clone(),
            exe,
            exe_host,
            exe_file,
            cmdline: joined(&program.args),
            auxv: built.auxv,
            environ: joined(&self.env),
            actions: Arc::new(Mutex::new(mirror::inherited_actions())),
            layout: Arc::new(Mutex::new(layout)),
            sigreturn: vdso.sigreturn,
            threads: AtomicUsize::new(1),
            borrowed: false,
            robust_nodes: OnceLock::new(),
            warned: Mutex::new(BTreeSet::new()),
            limits: Arc::new(Mutex::new(inherited.limits)),
            aio: Arc::default(),
            rings: Arc::default(),
            core: Gathering::default(),
            dispatch: &run::DISPATCH,
            restrictions: Mutex::default(),
            proc_device: ProcDevice::default(),
            tracees: Tracees::default(),
            rewritten: Rewritten::new(),
            personality: Personality::new(inherited.personality),
            debug: Debug::default(),
            credentials: Mutex::new(self.options.credentials.clone()),
            on_exit: Mutex::new(self.on_exit.take()),
            machine,
        });
        core_dump::settle(&process);
        self.attach_debugger(&process)?;
        if let Some(server) = &process.options.fork_server {
            process.machine.set_breakpoint(server.entry(loaded.entry), true);
        }
        sample::start(&process);
        for &fd in &self.close {
            // One that is not open is as it should be.
            let _ = host::host_call(libc::SYS_close, &[fd.into()]);
        }
        let sigmask = self.sigmask.unwrap_or(before);
        first_thread(process, (loaded.start, built.sp), sigmask, &inherited)
    }

    /// Lets a debugger connect, or go on where the program before this one was.
    fn attach_debugger(&self, process: &Arc<Process>) -> Result<(), LoadError> {
        match &self.debugger {
            Some(address) => attach::listen(process, address).map_err(|e| {
                let error = io::Error::new(e.kind(), format!("no debugger can connect: {e}"));
                LoadError::Host(error)
            })?,
            None if self.handed_over.is_empty() => {}
            None => attach::take_over(process, &self.handed_over)?,
        }
        Ok(())
    }

    /// Finds the program, unless that has been done, and reads its file's headers.
    fn open_program(&mut self) -> Result<(execve::Program, Image), LoadError> {
        let arg0 =
            self.arg0.clone().unwrap_or_else(|| self.program.as_os_str().as_bytes().to_vec());
        let mut args = vec![arg0];
        args.extend(self.args.iter().cloned());
        let file = self.file.take();
        let program = match (self.host_program.take(), &file) {
            (Some((host, called)), _) => {
                execve::Program { host, guest: self.program.clone(), called, args, held: None }
            }
            (None, Some((file, called))) => execve::Program {
                host: execve::fd_path(file.as_raw_fd()),
                guest: self.program.clone(),
                called: called.clone(),
                args,
                held: None,
            },
            (None, None) => find_program(&self.options, &self.program, args)?,
        };
        let image = match file {
            Some((file, _)) => Image::from_file(file, &program.host)?,
            None => Image::open(&program.host)?,
        };
        Ok((program, image))
    }

    /// The engine and the memory for a program.
    fn make_machine(&mut self, image: &Image) -> Result<Arc<Machine>, LoadError> {
        let low = !image.elf.relocatable && image.elf.span().start < layout::MIN_ADDR;
        if low && self.machine.mode == Mode::Identity {
            // The host may keep addresses that low to itself.
            self.machine.mode = Mode::Guarded;
        }
        let machine = Machine::new(&self.machine).map_err(LoadError::Reserve)?;
        machine.set_observer(self.observer.take());
        Ok(machine)
    }
}

impl Command {
    /// Where the host finds a program, where the guest does, and its file, for when no name leads
    /// to it.
    fn executable(
        &self,
        program: &execve::Program,
        image: &Image,
    ) -> (PathBuf, PathBuf, Option<Arc<Aside>>) {
        let keep = || keep_aside(image.file.as_fd()).ok().map(Arc::new);
        let file = if self.options.files.world().is_none() { keep() } else { None };
        let (host, exe) = match (std::fs::canonicalize(&program.host), &file) {
            (Ok(host), _) => (host.clone(), self.guest_name(&host, &program.guest)),
            (Err(_), Some(file)) => (open_path(file), program.guest.clone()),
            (Err(_), None) => {
                (program.host.clone(), self.guest_name(&program.host, &program.guest))
            }
        };
        (host, exe, file)
    }

    /// The guest's name of its program's file; `called` is what the program was called.
    fn guest_name(&self, host: &Path, called: &Path) -> PathBuf {
        let name = self.options.files.guest_name(host).unwrap_or_else(|| called.to_owned());
        if let Some(world) = self.options.files.world() {
            let _ = world.exe.set(name.as_os_str().as_bytes().to_vec());
        }
        name
    }
}

/// The thread that begins at `pc` with the stack pointer `sp`.
fn first_thread(
    process: Arc<Process>,
    (pc, sp): (u64, u64),
    sigmask: u64,
    inherited: &Inherited,
) -> Result<Thread, LoadError> {
    let mut hart = crate::cpu::Hart::with_isa(process.machine.isa());
    hart.pc = pc;
    hart.x[2] = sp;
    let mut thread = Thread::new(process, hart, sigmask, &inherited.restriction())?;
    if inherited.traced {
        thread.trace = Some(Arc::new(Area::new()));
        thread.begins = Some(Kind::Exec);
    }
    Ok(thread)
}

/// Makes the host's `/proc` show where the guest's program is, its arguments, environment and
/// auxiliary vector. A host that refuses shows ours.
fn show_program(
    mem: &Memory,
    stack: &std::ops::Range<u64>,
    contents: &Contents<'_>,
    exe: &Path,
    built: &stack::Stack,
) {
    let len = |all: &[Vec<u8>]| all.iter().map(|s| s.len() as u64 + 1).sum::<u64>();
    let at = stack::strings(stack, contents);
    let args = at..at + len(contents.args);
    let env = args.end..args.end + len(contents.env);
    let host = |a: u64| HostAddr(mem.base().0 + a as usize);
    let host_range = |r: &std::ops::Range<u64>| host(r.start)..host(r.end);
    let mappings = mem.mappings();
    let part = |executable: bool| {
        let of_program = |m: &Mapping| match &m.backing {
            Backing::File { path, .. } => **path == *exe && m.prot.executable() == executable,
            Backing::Anonymous(_) => false,
        };
        let found = mappings.iter().find(|(_, m)| of_program(m));
        found.map(|(range, _)| host_range(range))
    };
    let shown = process::Shown {
        code: part(true),
        data: part(false),
        stack: host(built.sp),
        args: host_range(&args),
        env: host_range(&env),
    };
    let _ = process::show_program(&shown, &built.auxv);
}

/// Strings with a NUL behind each.
fn joined(all: &[Vec<u8>]) -> Vec<u8> {
    all.iter().flat_map(|s| s.iter().copied().chain([0])).collect()
}

/// What the kernel calls the thread: the last component of the name that was called, or the file's
/// if that was a descriptor.
fn set_name(called: &Path, file: &Path) {
    let path = if called.starts_with("/dev/fd") { file } else { called };
    let mut name = [0_u8; 16];
    let file = path.file_name().map_or(&b""[..], OsStr::as_bytes);
    let file = file.strip_suffix(b" (deleted)").unwrap_or(file);
    let n = file.len().min(15);
    name[..n].copy_from_slice(&file[..n]);
    peers::set_name(&name);
}

impl Reentry {
    /// The command to run. The caller adds what [`Self::flags`] ask for.
    #[must_use]
    pub fn into_command(self) -> Command {
        let mut command = Command::new(&self.guest);
        command.host_program = Some((self.host, self.called));
        let mut args = self.args.into_iter();
        command.arg0 = args.next();
        command.args = args.collect();
        command.env = self.env;
        // A program that a host has started gets what this process has.
        command.sigmask = self.inherited.is_some().then_some(self.sigmask);
        command.inherited = self.inherited;
        command.close = self.close;
        command.directory = self.first.directory;
        command.seed = self.first.seed;
        command.options = settings::from_words(&self.settings).unwrap_or_default();
        command.options.reentry = self.flags;
        command.handed_over = self.debug;
        command.world = self.world;
        command.options.credentials = Credentials::from_text(&self.credentials);
        command
    }
}
