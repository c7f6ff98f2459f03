//! `rvnative run`, and what is left of it when a guest starts another program.

use super::fail::{Failure, describe};
use super::flags::RunFlags;
use super::image::{self, Prepared};
use super::profile::Writer;
use super::settings::{Key, Settings};
use super::{afl, cache, coverage, crash, info, log, monitor, stats, trace};
use rvnative::cpu::Hart;
use rvnative::debug::{Coverage, JitDump, PerfMap, Profiler, Samples, Symbols, Tracer, dump};
use rvnative::image::{Container, Launch as ImageLaunch};
use rvnative::interp::Recorded;
use rvnative::linux::{Address, Command, LoadError, Reentry, RootFs};
use rvnative::mem::Memory;
use rvnative::runtime::{Difference, EngineKind, Observer, Options, TranslatedBlock};
use rvnative::sys::process::{Invocation, executed_as};
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(super) fn run(flags: RunFlags) -> Result<ExitCode, Failure> {
    run_watched(flags, None)
}

/// As [`run`]; `profile` gets what was executed.
pub(super) fn run_watched(flags: RunFlags, profile: Option<Writer>) -> Result<ExitCode, Failure> {
    if flags.settings.get(Key::Cpu).is_some_and(|spec| spec == "help") {
        info::cpus();
        return Ok(ExitCode::SUCCESS);
    }
    if flags.command.is_empty() && flags.image.is_none() {
        return Err(Failure::new("no program to run"));
    }
    let mut settings = flags.settings.clone();
    settings.complete(|name| std::env::var_os(name));
    if let Some(file) = settings.get(Key::StraceFile).map(Path::new) {
        // Programs that this one starts add to it.
        std::fs::File::create(file).map_err(|e| Failure::file(file, &e).code(Failure::SETUP))?;
    }
    for key in [Key::Coverage, Key::TraceFile, Key::Profile] {
        coverage::empty(&settings, key)?;
    }
    settings.trace_spec()?;
    if let Some(image) = &flags.image {
        let Prepared { container, launch } = image::prepare(image, &flags)?;
        settings.set(Key::RootFs, &container.root);
        let mut command = in_image(container, launch, &flags)?;
        if let Some(address) = flags.gdb {
            command.debugger(address);
        }
        return start(command, settings.machine()?, settings, (profile, true));
    }
    let Some((program, args)) = flags.command.split_first() else {
        return Err(Failure::new("no program to run"));
    };
    let mut command = match settings.get(Key::RootFs) {
        Some(root) => {
            let root = Path::new(root);
            let mut command = Command::new(find_inside(program, root, &host_path()));
            command.rootfs(root_fs(root, &flags)?);
            if let Some(dir) = &flags.workdir {
                command.current_dir(dir);
            }
            command
        }
        None => {
            if let Some(dir) = &flags.workdir {
                std::env::set_current_dir(dir)
                    .map_err(|e| Failure::file(dir, &e).code(Failure::SETUP))?;
            }
            Command::new(find(program, settings.get(Key::Sysroot)))
        }
    };
    command.args(args).inherit_closed_files();
    if let Some(name) = &flags.argv0 {
        command.arg0(name);
    } else {
        command.arg0(program);
    }
    if !flags.clear_env {
        share_environment(&mut command);
    }
    environment(&mut command, &flags);
    if let Some(address) = flags.gdb {
        command.debugger(address);
    }
    start(command, settings.machine()?, settings, (profile, true))
}

/// The program of an image.
fn in_image(
    container: Container,
    launch: ImageLaunch,
    flags: &RunFlags,
) -> Result<Command, Failure> {
    let Some((program, args)) = launch.command.split_first() else {
        return Err(Failure::new("no program to run"));
    };
    let mut files = root_fs(&container.root, flags)?;
    files.fake_root(true).owners_file(&container.owners).lease(container.lease)?;
    let path = launch.env.iter().find(|(name, _)| name == "PATH");
    let path = path.map(|(_, value)| value.clone()).unwrap_or_default();
    let mut command = Command::new(find_inside(program, &container.root, &path));
    command.rootfs(files).current_dir(&launch.workdir).args(args).inherit_closed_files();
    command.arg0(flags.argv0.as_ref().unwrap_or(program));
    command.user(launch.ids.0, launch.ids.1, launch.groups);
    let terminal = std::env::var_os("TERM").filter(|_| !flags.clear_env);
    if let Some(terminal) = terminal {
        command.env("TERM", terminal);
    }
    for (name, value) in &launch.env {
        command.env(name, value);
    }
    environment(&mut command, flags);
    Ok(command)
}

/// A program that is to be run by somebody who says what is to be run in another way than `run`.
pub(super) struct Launch {
    program: OsString,
    argv0: OsString,
    args: Vec<OsString>,
    /// The program's file, where the kernel has found it, and the name by which it was called.
    file: Option<(File, OsString)>,
    /// Where a debugger is waited for.
    debugger: Option<Address>,
    /// AFL++ is served.
    afl: bool,
}

impl Launch {
    /// From the words behind our own name and options: the program's path, where it is so its
    /// `argv[0]`, and its arguments. `None` if there is no program.
    pub(super) fn of_kernel(
        invocation: Invocation,
        words: &[OsString],
        preserves_argv0: bool,
    ) -> Option<Self> {
        let (program, rest) = words.split_first()?;
        let (argv0, args) = match rest.split_first() {
            Some((argv0, args)) if preserves_argv0 => (argv0, args),
            _ => (program, rest),
        };
        Some(Self {
            program: program.clone(),
            argv0: argv0.clone(),
            args: args.to_vec(),
            file: if invocation.is_for_program() { found(invocation, program) } else { None },
            debugger: None,
            afl: false,
        })
    }

    /// Waits for a debugger there.
    pub(super) fn debugged(&mut self, at: Address) {
        self.debugger = Some(at);
    }

    /// Serves AFL++, as the environment says.
    pub(super) fn for_afl(&mut self) {
        self.afl = true;
    }

    /// Gives the program another `argv[0]`.
    pub(super) fn called(&mut self, argv0: OsString) {
        self.argv0 = argv0;
    }

    /// Runs it; what is to be `changed` in the environment is so in this order.
    pub(super) fn run(
        self,
        settings: &Settings,
        changed: &[(OsString, Option<OsString>)],
    ) -> Result<ExitCode, Failure> {
        let mut command = match settings.get(Key::RootFs).map(Path::new) {
            Some(root) => {
                let mut command = Command::new(find_inside(&self.program, root, &host_path()));
                let files = RootFs::dir(root);
                command.rootfs(files.map_err(|e| Failure::file(root, &e).code(Failure::SETUP))?);
                command
            }
            None => Command::new(find(&self.program, settings.get(Key::Sysroot))),
        };
        command.arg0(self.argv0).args(self.args).inherit_closed_files();
        if let Some((file, called)) = self.file {
            command.program_file(file, called);
        }
        share_environment(&mut command);
        if let Some(address) = self.debugger {
            command.debugger(address);
        }
        for (name, value) in changed {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut machine = settings.machine()?;
        if self.afl {
            afl::set_up(&mut command, &mut machine, |name| std::env::var_os(name))?;
        }
        start(command, machine, settings.clone(), (None, true))
    }
}

/// The file of `program`, for which the kernel has started us, and the name that was called. `None`
/// if it cannot be read, which is found out again where it is said.
fn found(invocation: Invocation, program: &OsStr) -> Option<(File, OsString)> {
    let file = invocation.take_program().or_else(|| File::open(program).ok())?;
    let called = executed_as().map_or(program, |name| OsStr::from_bytes(name.to_bytes()));
    Some((file, called.to_owned()))
}

/// What a guest's `execve` makes of this command.
pub(super) fn reenter(reentry: Reentry) -> Result<ExitCode, Failure> {
    let settings = Settings::from_words(&reentry.flags);
    start(reentry.into_command(), settings.machine()?, settings, (None, false))
}

/// Gives the process to the guest; `first`: no guest has asked for it.
fn start(
    mut command: Command,
    mut machine: Options,
    mut settings: Settings,
    (profile, first): (Option<Writer>, bool),
) -> Result<ExitCode, Failure> {
    cache::set_up(&mut settings, &mut machine, first)?;
    let settings = &settings;
    log::set_up(settings.text(Key::Log)?, settings.get(Key::LogFile).map(Path::new))?;
    machine.count |= profile.is_some();
    watch(&mut command, settings, &machine, profile)?;
    command.machine(machine);
    std::panic::set_hook(Box::new(internal_error));
    if let (Some(dir), None) = (settings.get(Key::Sysroot), settings.get(Key::RootFs)) {
        let dir = Path::new(dir);
        let root = RootFs::prefix(dir).map_err(|e| Failure::file(dir, &e).code(Failure::SETUP))?;
        command.rootfs(root);
    }
    if let Some(bytes) = settings.stack_bytes()? {
        command.stack_size(bytes);
    }
    if let Some(release) = settings.text(Key::Uname)? {
        command.uname_release(release);
    }
    if let Some(seed) = settings.seed()? {
        command.random_seed(seed);
    }
    if let Some(trace) = settings.trace()? {
        command.strace(trace);
    }
    crash::watch(&mut command, settings, roots(settings));
    command.monitor(monitor::answer);
    command.host_exec(settings.get(Key::AllowHostExec).is_some());
    command.reentry_flags(settings.to_words());
    Err(load_failure(&command.exec()))
}

/// Directories below which the guest's files are.
fn roots(settings: &Settings) -> Vec<PathBuf> {
    let keys = [Key::RootFs, Key::Sysroot];
    keys.into_iter().filter_map(|key| settings.get(key)).map(PathBuf::from).collect()
}

/// Sets up what is to watch the run, and what is printed at its end.
fn watch(
    command: &mut Command,
    settings: &Settings,
    machine: &Options,
    profile: Option<Writer>,
) -> Result<(), Failure> {
    let perf_map = settings.get(Key::PerfMap).map(|_| PerfMap::create()).transpose()?;
    let jit_dump =
        settings.get(Key::JitDump).map(|_| JitDump::create(Symbols::new(roots(settings))));
    let profiler = (machine.count && !machine.mark).then(Profiler::default);
    let covered = machine.mark.then(|| Coverage::new(roots(settings)));
    let sampled = settings.get(Key::Profile).map(OsString::from);
    let samples = (sampled.is_some() || profile.is_some()).then(|| Samples::new(roots(settings)));
    if samples.is_some() || machine.mark {
        look_at_threads(command, samples.clone());
    }
    let program = command.program().display().to_string();
    let writer = coverage::Writer::new(settings, covered.as_ref());
    let tracer = trace::tracer(settings, Symbols::new(roots(settings)))?;
    let tools = Tools {
        perf_map,
        jit_dump: jit_dump.transpose()?,
        profiler: profiler.clone(),
        coverage: covered,
        tracer: tracer.clone(),
    };
    let printer = stats::Printer::new(settings, command.program(), profiler.as_ref())?;
    command.tell_each_end(writer.is_some() || tracer.is_some() || samples.is_some());
    let keeps = machine.kept_code.is_some();
    let others = keeps || profile.is_some() || samples.is_some() || printer.is_some();
    if others || writer.is_some() || tracer.is_some() {
        let roots = roots(settings);
        command.on_exit(move |machine, _| {
            machine.save_code();
            if let Some(tracer) = &tracer {
                tracer.flush();
            }
            if let (Some(name), Some(samples)) = (&sampled, &samples) {
                add_samples(name, &samples.folded(machine.memory(), &program));
            }
            if let Some(writer) = &writer {
                writer.write(machine);
            }
            if let Some(printer) = &printer {
                printer.print(machine);
            }
            if let (Some(writer), Some(profiler), Some(samples)) = (&profile, &profiler, &samples) {
                writer.write(machine, (profiler, samples), &roots);
            }
        });
    }
    if machine.engine == EngineKind::Verify || tools.are_any() {
        command.observer(Box::new(tools));
    }
    Ok(())
}

/// Has threads looked at from time to time: for samples, and for marks that are needed no more.
fn look_at_threads(command: &mut Command, samples: Option<Samples>) {
    let period = Duration::from_millis(if samples.is_some() { 1 } else { 20 });
    let (looks, next) = (AtomicU64::new(0), AtomicU64::new(2));
    command.sampler(period, move |machine, hart, micros| {
        if let Some(samples) = &samples {
            samples.take(machine.memory(), hart, micros);
        }
        // The longer it runs, the less is new.
        let look = looks.fetch_add(1, Ordering::Relaxed);
        if look >= next.load(Ordering::Relaxed) {
            next.store(look + 2 + look / 2, Ordering::Relaxed);
            machine.renew_marked();
        }
    });
}

/// Adds the samples of a process to the file of `--profile`.
fn add_samples(name: &OsStr, text: &str) {
    let path = coverage::path_of(name, std::process::id());
    let file = OpenOptions::new().create(true).append(true).open(&path);
    if let Err(e) = file.and_then(|mut file| file.write_all(text.as_bytes())) {
        let text = format!("rvnative: profile: {}: {}\n", path.display(), describe(&e));
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// A fault of ours: said in one piece, and the process dies as no guest would by itself.
fn internal_error(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let what = panic.payload_as_str().unwrap_or("no message");
    let text = format!("rvnative: internal error at {place}: {what}\n");
    let _ = std::io::stderr().write_all(text.as_bytes());
    std::process::abort();
}

/// Tools that watch the runtime.
struct Tools {
    perf_map: Option<PerfMap>,
    jit_dump: Option<JitDump>,
    profiler: Option<Profiler>,
    coverage: Option<Coverage>,
    tracer: Option<Tracer>,
}

impl Tools {
    fn are_any(&self) -> bool {
        let translations = self.perf_map.is_some() || self.jit_dump.is_some();
        translations || self.profiler.is_some() || self.coverage.is_some() || self.tracer.is_some()
    }
}

impl Observer for Tools {
    fn translated(&mut self, block: &TranslatedBlock<'_>) {
        if let Some(map) = &mut self.perf_map {
            map.translated(block);
        }
        if let Some(dump) = &mut self.jit_dump {
            dump.translated(block);
        }
        if let Some(profiler) = &mut self.profiler {
            profiler.translated(block);
        }
        if let Some(coverage) = &mut self.coverage {
            coverage.translated(block);
        }
    }

    fn interpreted(&mut self, memory: &Memory, ranges: &[Range<u64>]) {
        if let Some(coverage) = &mut self.coverage {
            coverage.interpreted(memory, ranges);
        }
    }

    fn executed(&mut self, memory: &Memory, thread: u64, hart: &Hart, step: &Recorded) -> bool {
        self.tracer.as_mut().is_some_and(|t| t.executed(memory, thread, hart, step))
    }

    /// The differing block as it was translated; the difference itself is the error that follows.
    fn differs(&mut self, difference: &Difference) {
        if let Some(translation) = &difference.translation {
            let text = format!("translation of {:#x}:\n{}", difference.pc, dump(translation));
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }
}

fn load_failure(e: &LoadError) -> Failure {
    let what = match e {
        LoadError::File { path, error } => format!("{}: {}", path.display(), describe(error)),
        LoadError::Host(error) => describe(error),
        e => e.to_string(),
    };
    let f = Failure::new(what).code(e.exit_code());
    match e.hint() {
        Some(hint) => f.hint(hint),
        None => f,
    }
}

/// The program's path: a name without `/` is looked for here, then on PATH.
fn find(program: &OsStr, sysroot: Option<&OsStr>) -> PathBuf {
    let given = PathBuf::from(program);
    if program.as_bytes().contains(&b'/') || given.is_file() {
        return given;
    }
    let found = std::env::split_paths(&host_path()).map(|dir| dir.join(program)).find(|p| {
        let below = sysroot.zip(p.strip_prefix("/").ok()).map(|(s, p)| Path::new(s).join(p));
        below.is_some_and(|b| b.is_file()) || p.is_file()
    });
    found.unwrap_or(given)
}

/// The root filesystem that the flags describe.
fn root_fs(root: &Path, flags: &RunFlags) -> Result<RootFs, Failure> {
    let failed = |e| Failure::file(root, &e).code(Failure::SETUP);
    let mut files = RootFs::dir(root).map_err(failed)?;
    files.fake_root(flags.fake_root);
    for bind in &flags.bind {
        let (bind, read_only) = match bind.as_bytes().strip_suffix(b":ro") {
            Some(rest) => (rest, true),
            None => (bind.as_bytes(), false),
        };
        let (host, guest) = match bind.iter().position(|&b| b == b':') {
            Some(at) => (&bind[..at], &bind[at + 1..]),
            None => (bind, bind),
        };
        files.bind(OsStr::from_bytes(host), OsStr::from_bytes(guest), read_only);
    }
    Ok(files)
}

/// Our own search path.
fn host_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// As [`find`], below a root directory, and in the directories of `path` first.
fn find_inside(program: &OsStr, root: &Path, path: &OsStr) -> PathBuf {
    let given = PathBuf::from(program);
    if program.as_bytes().contains(&b'/') {
        return given;
    }
    let usual = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut dirs = std::env::split_paths(path).chain(usual);
    let there = |dir: &PathBuf| {
        let file = dir.join(program);
        // A link is as good as a file: where it leads is known only inside.
        file.strip_prefix("/").is_ok_and(|f| root.join(f).symlink_metadata().is_ok())
    };
    dirs.find(there).map_or(given, |dir| dir.join(program))
}

/// Changes the guest's environment as the flags say.
fn environment(command: &mut Command, flags: &RunFlags) {
    for entry in &flags.env {
        let bytes = entry.as_bytes();
        match bytes.iter().position(|&b| b == b'=') {
            Some(at) => {
                command.env(OsStr::from_bytes(&bytes[..at]), OsStr::from_bytes(&bytes[at + 1..]));
            }
            None => {
                if let Some(value) = std::env::var_os(entry) {
                    command.env(entry, value);
                }
            }
        }
    }
    for name in &flags.unset_env {
        command.env_remove(name);
    }
}

/// Gives the guest our environment without `RVNATIVE_*`, unless that is to stay.
fn share_environment(command: &mut Command) {
    command.inherit_env();
    if std::env::var_os("RVNATIVE_KEEP_ENV").is_some_and(|v| v == "1") {
        return;
    }
    let ours = std::env::vars_os().map(|(name, _)| name);
    for name in ours.filter(|n| n.as_bytes().starts_with(b"RVNATIVE_")) {
        command.env_remove(name);
    }
}
