//! Core dumps of the guest (core(5); kernel: `fs/coredump.c`).
//!
//! The host's kernel would dump us: another machine's registers, and hundreds of gigabytes of
//! addresses. So the signals whose default action is a core are recorded as soon as a core may be
//! wanted, and the thread that takes one stops the others, writes what the kernel of a RISC-V
//! machine would, and sees to it that the host dumps nothing where anybody finds it.
//!
//! Whoever waits for the process is told that there is a core (`WCOREDUMP`) by the host's kernel
//! alone, when it has dumped. So it is let dump once the guest's core is written: a page, into a
//! file system of memory that nobody else sees and that goes away with us ([`Hidden`]).

use crate::linux::abi::{Fd, Pod, SigInfo};
use crate::linux::fs::rootfs::Want;
use crate::linux::gdb::state as debug;
use crate::linux::host::{HostArg, host_call, host_fd, limit};
use crate::linux::lock::lock;
use crate::linux::process::{Process, Thread};
use crate::linux::signal::core_file::{
    self, MappedFile, ProcessNote, Segment, Source, Target, ThreadNote,
};
use crate::linux::task::limits;
use crate::mem::{Backing, Mapping};
use crate::sys::{async_signal, process};
use crate::util::PAGE_SIZE;
use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Signals whose default action is a core (signal(7)).
const SIGNALS: [i32; 10] = [
    libc::SIGQUIT,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGXCPU,
    libc::SIGXFSZ,
    libc::SIGSYS,
];

/// True if the default action of `signal` is a core.
pub(crate) fn is_core_signal(signal: i32) -> bool {
    SIGNALS.contains(&signal)
}

/// Signals with their default action are recorded, since a core may be wanted.
static RECORDS: AtomicBool = AtomicBool::new(false);

/// True if our handler is to record `signal` where the guest has the default action.
pub(crate) fn records(signal: i32) -> bool {
    RECORDS.load(Ordering::Relaxed) && is_core_signal(signal) || records_end(signal)
}

/// All signals that end the process are recorded, since somebody is to be told.
static TELLS: AtomicBool = AtomicBool::new(false);

/// True if our handler is to record `signal` where its default action ends the process.
pub(crate) fn records_end(signal: i32) -> bool {
    TELLS.load(Ordering::Relaxed) && debug::ends(signal)
}

/// To be called when a process starts and when its limit of cores changes: from now on the host
/// does default actions itself, or leaves them to us.
pub(crate) fn settle(process: &Process) {
    let limit = limits::core_limit();
    // A program gets a core whatever the limit is.
    let piped = || fs::read(PATTERN).is_ok_and(|p| p.first() == Some(&b'|'));
    let reported = process.options.on_crash.as_ref().is_some_and(|hook| hook.all);
    let wanted = limit != 0 || reported || piped();
    if process.options.tell_each_end && !TELLS.swap(true, Ordering::Relaxed) {
        (1..=64).for_each(|signal| process.mirror_default(signal));
    }
    if RECORDS.swap(wanted, Ordering::Relaxed) != wanted {
        for signal in SIGNALS {
            process.mirror_default(signal);
        }
    }
}

/// Longest time that is waited for threads to stop. One in a call of ours that cannot be
/// interrupted, such as `vfork`, is missing in the core.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tells what the calling thread was at, and waits for the end of the process.
pub(crate) fn stop(t: &Thread) -> ! {
    async_signal::set_mask(!0);
    lock(&t.process.core.stopped).push(note_of(t));
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn note_of(t: &Thread) -> ThreadNote {
    let stat = fs::read_to_string(format!("/proc/self/task/{}/stat", t.tid)).unwrap_or_default();
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let values: Vec<i64> = rest.split_whitespace().map(|v| v.parse().unwrap_or(0)).collect();
    // The first of `values` is field 3 of proc(5); times are in hundredths of a second.
    let field = |n: usize| values.get(n - 3).copied().unwrap_or(0);
    ThreadNote {
        tid: t.tid,
        sigmask: t.sigmask,
        hart: t.cpu.hart().clone(),
        family: [4, 5, 6].map(|n| field(n) as i32),
        times: [14, 15, 16, 17].map(|n| field(n) as u64 * 10_000),
    }
}

/// Stops the other threads. Returns what they and the calling one, the first, were at.
fn gather(t: &Thread) -> Vec<ThreadNote> {
    let pid = HostArg::value(u64::from(std::process::id()));
    let others: Vec<i32> = t.process.thread_ids().into_iter().filter(|&id| id != t.tid).collect();
    for &tid in &others {
        // It is never blocked, ends every call, and is never delivered any more.
        let _ = host_call(libc::SYS_tgkill, &[pid, tid.into(), libc::SIGSEGV.into()]);
    }
    let all = others.len().min(t.process.threads.load(Ordering::Acquire).saturating_sub(1));
    let begin = Instant::now();
    while lock(&t.process.core.stopped).len() < all && begin.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut threads = vec![note_of(t)];
    threads.append(&mut lock(&t.process.core.stopped));
    threads[1..].sort_by_key(|n| n.tid);
    threads
}

/// What a process that is about to die of a signal leaves to be done.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Dumped {
    hidden: Option<Hidden>,
    /// The host must not dump.
    refuse: bool,
}

/// Writes the core of a process that dies of `info`'s signal, if one is wanted. The other threads
/// never run again then.
pub(crate) fn dump(t: &Thread, info: &SigInfo) -> Dumped {
    /// `SUID_DUMP_USER`: the process may be dumped as its user.
    const DUMPABLE: u64 = 1;
    let mut dumped = Dumped::default();
    if !is_core_signal(info.signo) {
        return dumped;
    }
    if t.process.core.begun.swap(true, Ordering::Relaxed) {
        stop(t);
    }
    async_signal::set_mask(!0);
    let limit = limits::core_limit();
    let Some(pattern) = Pattern::read() else { return dumped };
    if limit == 0 && !pattern.pipe {
        return dumped;
    }
    dumped.refuse = true;
    let _raised = limit::raise();
    let dumpable = host_call(libc::SYS_prctl, &[libc::PR_GET_DUMPABLE.into()]) == Ok(DUMPABLE);
    let allowed = if pattern.pipe { limit != 1 } else { limit >= PAGE_SIZE };
    if dumpable && allowed {
        dumped.hidden = write(t, info, &pattern, limit);
    }
    dumped
}

impl Dumped {
    /// The last thing before the process dies: lets the host say that there is a core, or keeps it
    /// from making one.
    pub(crate) fn settle(self) {
        if self.hidden.is_some_and(|hidden| hidden.enter().is_some()) || !self.refuse {
            return;
        }
        let args = [libc::PR_SET_DUMPABLE.into(), 0.into()];
        // It cannot be refused.
        let _ = host_call(libc::SYS_prctl, &args);
    }
}

/// Writes the core to where the pattern says. For a file that is there, a place for the host's.
fn write(t: &Thread, info: &SigInfo, pattern: &Pattern, limit: u64) -> Option<Hidden> {
    let facts = Facts::of(t, info, limit);
    let (target, mut helper) = if pattern.pipe {
        let (file, helper) = start_helper(&pattern.words(&facts))?;
        (Target::new(file, u64::MAX, false), Some(helper))
    } else {
        (Target::new(create(t, &pattern.name(&facts))?, limit, true), None)
    };
    let threads = gather(t);
    let process = &t.process;
    let source = Source {
        mem: File::open("/proc/self/mem").ok()?,
        base: t.memory().base().0 as u64,
        pages: File::open("/proc/self/pagemap").ok(),
    };
    let ids = process::ids().1;
    let nice = host_call(libc::SYS_getpriority, &[0.into(), 0.into()]).map_or(0, |n| 20 - n as i8);
    let note = ProcessNote {
        pid: std::process::id() as i32,
        ids: lock(&process.credentials).as_ref().map_or([ids[0], ids[2]], |c| {
            let ids = c.ids();
            [ids[0], ids[2]]
        }),
        nice,
        name: read_trimmed("/proc/self/comm"),
        args: process.cmdline.clone(),
        auxv: process.auxv.clone(),
        siginfo: info.bytes().to_vec(),
    };
    let mappings = t.memory().mappings();
    let filter = Filter::read();
    let segments: Vec<Segment> =
        mappings.iter().flat_map(|(range, m)| segments(t, range, m, filter, &source)).collect();
    let files: Vec<MappedFile> =
        mappings.iter().filter_map(|(range, m)| file_of(range.clone(), m)).collect();
    // What does not fit is missing.
    let _ = core_file::write(&note, &threads, &files, &segments, &source, target);
    match &mut helper {
        // Its end is nobody's business, but the process is there as long as it lasts.
        Some(helper) => drop(helper.wait()),
        None => return Hidden::make(&pattern.name(&facts)),
    }
    None
}

fn file_of(range: std::ops::Range<u64>, m: &Mapping) -> Option<MappedFile> {
    let Backing::File { path, offset, .. } = &m.backing else { return None };
    Some(MappedFile { range, offset: *offset, name: path.as_os_str().as_bytes().to_vec() })
}

/// Bits of `/proc/self/coredump_filter`.
#[derive(Clone, Copy, Debug)]
struct Filter(u64);

impl Filter {
    const ANON_PRIVATE: u64 = 1;
    const ANON_SHARED: u64 = 2;
    const FILE_PRIVATE: u64 = 4;
    const FILE_SHARED: u64 = 8;
    const HEADERS: u64 = 16;
    /// `MMF_DUMP_FILTER_DEFAULT`, with huge pages.
    const DEFAULT: u64 = 0x33;

    fn read() -> Self {
        let text = fs::read_to_string("/proc/self/coredump_filter").unwrap_or_default();
        Self(u64::from_str_radix(text.trim(), 16).unwrap_or(Self::DEFAULT))
    }

    fn has(self, bit: u64) -> bool {
        self.0 & bit != 0
    }
}

/// What of a mapping goes into the core (`vma_dump_size`).
fn segments(
    t: &Thread,
    range: &std::ops::Range<u64>,
    m: &Mapping,
    filter: Filter,
    source: &Source,
) -> Vec<Segment> {
    let mem = t.memory();
    let mut all = Vec::new();
    let mut at = range.start;
    let left_out = mem.left_out_of_cores(range.clone());
    for out in left_out.iter().chain([&(range.end..range.end)]) {
        for (part, dumped) in [(at..out.start, true), (out.clone(), false)] {
            if part.start < part.end {
                let kept = if dumped { kept(t, &part, m, filter, source) } else { 0 };
                // `PF_X`, `PF_W` and `PF_R` are in the other order.
                let (r, w, x) = (m.prot.readable(), m.prot.writable(), m.prot.executable());
                let flags = u32::from(x) | u32::from(w) << 1 | u32::from(r) << 2;
                let sparse = matches!(m.backing, Backing::Anonymous(_)) && !m.shared;
                all.push(Segment { range: part, flags, kept, sparse });
            }
        }
        at = out.end;
    }
    all
}

/// Bytes of the start of `range` that are dumped.
fn kept(
    t: &Thread,
    range: &std::ops::Range<u64>,
    m: &Mapping,
    filter: Filter,
    source: &Source,
) -> u64 {
    let whole = range.end - range.start;
    let offset = match &m.backing {
        Backing::Anonymous(Some("[vdso]")) => return whole,
        Backing::Anonymous(_) if m.shared => {
            return if filter.has(Filter::ANON_SHARED) { whole } else { 0 };
        }
        Backing::File { path, .. } if m.shared => {
            let gone = path.as_os_str().as_bytes().ends_with(b" (deleted)");
            let bit = if gone { Filter::ANON_SHARED } else { Filter::FILE_SHARED };
            return if filter.has(bit) { whole } else { 0 };
        }
        Backing::Anonymous(_) => None,
        Backing::File { offset, .. } => Some(*offset),
    };
    if filter.has(Filter::ANON_PRIVATE) && source.has_own(range) {
        return whole;
    }
    let Some(offset) = offset else { return 0 };
    if filter.has(Filter::FILE_PRIVATE) {
        return whole;
    }
    let mut start = [0; 4];
    let headers = filter.has(Filter::HEADERS) && offset == 0 && m.prot.readable();
    let elf = headers && t.memory().read_bytes(range.start, &mut start).is_ok();
    if elf && start == *b"\x7fELF" { PAGE_SIZE } else { 0 }
}

/// Says where cores go.
const PATTERN: &str = "/proc/sys/kernel/core_pattern";

/// What it says.
#[derive(Debug)]
struct Pattern {
    text: Vec<u8>,
    /// A program is to get the core.
    pipe: bool,
    /// `/proc/sys/kernel/core_uses_pid`.
    adds_pid: bool,
}

impl Pattern {
    /// `None` where no core is written to a file or a program.
    fn read() -> Option<Self> {
        let text = read_trimmed(PATTERN);
        let adds_pid = read_trimmed("/proc/sys/kernel/core_uses_pid") == b"1";
        Self::parse(&text, adds_pid)
    }

    fn parse(text: &[u8], adds_pid: bool) -> Option<Self> {
        match text.first()? {
            // A socket's server asks the kernel about the process.
            b'@' => None,
            b'|' => Some(Self { text: text[1..].to_vec(), pipe: true, adds_pid }),
            _ => Some(Self { text: text.to_vec(), pipe: false, adds_pid }),
        }
    }

    /// The file's name.
    fn name(&self, facts: &Facts) -> Vec<u8> {
        let mut name = facts.expand(&self.text);
        let has_pid = self.text.windows(2).any(|w| w == b"%p");
        if self.adds_pid && !has_pid {
            name.extend(format!(".{}", facts.pid).bytes());
        }
        name
    }

    /// The program and its arguments.
    fn words(&self, facts: &Facts) -> Vec<Vec<u8>> {
        let words = self.text.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty());
        words.map(|w| facts.expand(w)).collect()
    }
}

/// What the specifiers of a pattern stand for.
#[derive(Debug, Default)]
struct Facts {
    pid: u32,
    tid: i32,
    user: u32,
    group: u32,
    signal: i32,
    time: u64,
    limit: u64,
    host: Vec<u8>,
    name: Vec<u8>,
    exe: Vec<u8>,
}

impl Facts {
    fn of(t: &Thread, info: &SigInfo, limit: u64) -> Self {
        let ids = process::ids().1;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            pid: std::process::id(),
            tid: t.tid,
            user: ids[0],
            group: ids[2],
            signal: info.signo,
            time: now.map_or(0, |d| d.as_secs()),
            limit,
            host: read_trimmed("/proc/sys/kernel/hostname"),
            name: read_trimmed(&format!("/proc/self/task/{}/comm", t.tid)),
            exe: t.process.exe.as_os_str().as_bytes().to_vec(),
        }
    }

    /// A pattern with its specifiers replaced (core(5)); unknown ones are dropped.
    fn expand(&self, pattern: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = pattern.iter();
        while let Some(&b) = rest.next() {
            if b != b'%' {
                out.push(b);
                continue;
            }
            let Some(specifier) = rest.next() else { break };
            // The value is one component of a path, and not a special one.
            let component = |bytes: &[u8]| {
                let mut text: Vec<u8> =
                    bytes.iter().map(|&b| if b == b'/' { b'!' } else { b }).collect();
                if matches!(text.as_slice(), b"." | b".." | b"") {
                    text.splice(..1.min(text.len()), *b"!");
                }
                text
            };
            let number = |n: u64| n.to_string().into_bytes();
            out.extend(match specifier {
                b'%' => b"%".to_vec(),
                b'p' | b'P' => number(self.pid.into()),
                b'i' | b'I' => number(self.tid as u64),
                b'u' => number(self.user.into()),
                b'g' => number(self.group.into()),
                b'd' => number(1),
                b's' => number(self.signal as u64),
                b't' => number(self.time),
                b'c' => number(self.limit),
                b'h' => component(&self.host),
                b'e' => component(&self.name),
                b'f' => component(self.exe.rsplit(|&b| b == b'/').next().unwrap_or_default()),
                b'E' => component(&self.exe),
                _ => continue,
            });
        }
        out
    }
}

/// A line of a file, nothing if it cannot be read.
fn read_trimmed(path: &str) -> Vec<u8> {
    let text = fs::read(path).unwrap_or_default();
    text.strip_suffix(b"\n").unwrap_or(&text).to_vec()
}

/// Makes the file of a core, in place of what has its name: a relative name is one in the current
/// directory.
fn create(t: &Thread, name: &[u8]) -> Option<File> {
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let open = |dir: Fd, name: &[u8]| {
        let name = CString::new(name).ok()?;
        let at = [dir.into(), HostArg::path(&name)];
        // There is mostly none.
        let _ = host_call(libc::SYS_unlinkat, &[at[0], at[1], 0.into()]);
        let args = [at[0], at[1], flags.into(), 0o600.into()];
        host_fd(libc::SYS_openat, &args).ok().map(File::from)
    };
    match t.process.options.files.world() {
        Some(world) if name.first() == Some(&b'/') => {
            let found = world.resolve(Fd::CWD, name, Want::Name).ok()?;
            open(Fd(found.at.fd()), found.name.as_deref()?)
        }
        _ => open(Fd::CWD, name),
    }
}

/// Starts the program that is to get the core, as far as a process can that is not the kernel.
fn start_helper(words: &[Vec<u8>]) -> Option<(File, std::process::Child)> {
    let (program, args) = words.split_first()?;
    let text = |bytes: &[u8]| std::ffi::OsStr::from_bytes(bytes).to_owned();
    let mut child = Command::new(text(program))
        .args(args.iter().map(|a| text(a)))
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let stdin = OwnedFd::from(child.stdin.take()?);
    Some((File::from(stdin), child))
}

/// An empty file system that no other process sees, as a directory for the host's core.
#[derive(Debug)]
struct Hidden {
    root: OwnedFd,
    /// The host looks the core's name up at the root, and not in the current directory.
    absolute: bool,
}

/// `fsopen`, `fsconfig` and `fsmount` (`linux/mount.h`).
const FSCONFIG_CMD_CREATE: i32 = 6;

impl Hidden {
    /// For a core of that name. `None` where the host does not let users have name spaces.
    fn make(name: &[u8]) -> Option<Self> {
        let [_, user, _, group] = process::ids().1;
        // Shared: descriptors and memory. The mount lives as long as its descriptor.
        let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_FILES;
        let mut found = None;
        let child = process::share(flags as u32 as u64, None, &Default::default(), &mut || {
            found = mount_memory(user, group);
            0
        });
        // Without a signal at its end it is not seen by who waits for any child.
        let all = libc::__WALL;
        let args = [child.ok()?.into(), HostArg::NULL, all.into(), HostArg::NULL];
        let _ = host_call(libc::SYS_wait4, &args);
        let at = Self { root: found?, absolute: name.first() == Some(&b'/') };
        let mut parts: Vec<&[u8]> =
            name.split(|&b| b == b'/').filter(|part| !part.is_empty()).collect();
        parts.pop();
        for n in 1..=parts.len() {
            let dir = CString::new(parts[..n].join(&b'/')).ok()?;
            let args = [at.root.as_raw_fd().into(), HostArg::path(&dir), 0o700.into()];
            // One that is there is as good.
            let _ = host_call(libc::SYS_mkdirat, &args);
        }
        Some(at)
    }

    /// Makes it the place where the host dumps: as little as counts for a core.
    fn enter(self) -> Option<()> {
        // Another process may share our current directory.
        let own = [HostArg::int(libc::CLONE_FS)];
        host_call(libc::SYS_unshare, &own).ok()?;
        fs::write("/proc/self/coredump_filter", "0").ok()?;
        host_call(libc::SYS_fchdir, &[self.root.as_raw_fd().into()]).ok()?;
        if self.absolute {
            let enter = || host_call(libc::SYS_chroot, &[HostArg::path(c".")]);
            // The root of a name space of users may. A process with other threads gets none: then
            // there is a core, and the host does not say so.
            let new = [HostArg::int(libc::CLONE_NEWUSER)];
            enter().or_else(|_| host_call(libc::SYS_unshare, &new).and_then(|_| enter())).ok()?;
        }
        limits::set_core_limit(PAGE_SIZE).ok().map(drop)
    }
}

/// In a process with name spaces of its own: mounts an empty file system for that user.
fn mount_memory(user: u32, group: u32) -> Option<OwnedFd> {
    fs::write("/proc/self/setgroups", "deny").ok()?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1")).ok()?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1")).ok()?;
    let cloexec = HostArg::int(1);
    let fs = host_fd(libc::SYS_fsopen, &[HostArg::path(c"tmpfs"), cloexec]).ok()?;
    let fd = HostArg::int(fs.as_raw_fd());
    let create = [fd, FSCONFIG_CMD_CREATE.into(), HostArg::NULL, HostArg::NULL, 0.into()];
    host_call(libc::SYS_fsconfig, &create).ok()?;
    host_fd(libc::SYS_fsmount, &[fd, cloexec, 0.into()]).ok()
}
