//! The files of `/proc` that must tell about the guest and not about the program that runs it.

use super::abi::{Errno, Fd, SysResult};
use super::host::{HostArg, host_call};
use super::ids::Credentials;
use super::limits;
use super::others;
use super::path::HostPath;
use super::process::{Thread, lock};
use super::rootfs::MountFormat;
use crate::isa::Isa;
use crate::mem::{Backing, Mapping};
use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// A file of `/proc` that the guest must see differently from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProcFile {
    /// `/proc/self/exe`: a link to the program.
    Exe,
    /// `/proc/self/maps`.
    Maps,
    /// `/proc/self/smaps`.
    Smaps,
    /// `/proc/self/cmdline`.
    Cmdline,
    /// `/proc/self/auxv`.
    Auxv,
    /// `/proc/self/environ`.
    Environ,
    /// `/proc/self/stat`.
    Stat,
    /// `/proc/self/statm`.
    Statm,
    /// `/proc/self/status`.
    Status,
    /// `/proc/self/limits`.
    Limits,
    /// `/proc/self/mounts` and its like, in a world of the guest's own.
    Mounts(MountFormat),
    /// `/proc/cpuinfo`.
    CpuInfo,
    /// Files that show the memory of this process by host addresses, `/proc/self/mem` above all:
    /// they cannot be opened.
    Hidden,
    /// `/proc/PID/exe` of another guest process.
    OtherExe(u32),
    /// `/proc/PID/maps` of another guest process.
    OtherMaps(u32),
    /// `/proc/PID/stat` of another guest process.
    OtherStat(u32),
    /// `/proc/PID/statm` of another guest process.
    OtherStatm(u32),
    /// `/proc/PID/status` of another guest process.
    OtherStatus(u32),
}

impl ProcFile {
    /// The same file of another process, if that is a guest; `None` if it is as the host shows it.
    fn of_other(self, pid: &[u8]) -> Option<Self> {
        let pid = std::str::from_utf8(pid).ok()?.parse().ok()?;
        let file = match self {
            Self::Exe => Self::OtherExe(pid),
            Self::Maps => Self::OtherMaps(pid),
            Self::Stat => Self::OtherStat(pid),
            Self::Statm => Self::OtherStatm(pid),
            Self::Status => Self::OtherStatus(pid),
            Self::Mounts(_) => self,
            Self::Smaps | Self::Hidden => Self::Hidden,
            _ => return None,
        };
        others::find(pid).map(|_| file)
    }

    /// By the name in a directory of a process.
    fn of_process(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"exe" => Self::Exe,
            b"maps" => Self::Maps,
            b"smaps" => Self::Smaps,
            b"cmdline" => Self::Cmdline,
            b"auxv" => Self::Auxv,
            b"environ" => Self::Environ,
            b"stat" => Self::Stat,
            b"statm" => Self::Statm,
            b"status" => Self::Status,
            b"limits" => Self::Limits,
            b"mounts" => Self::Mounts(MountFormat::Mounts),
            b"mountinfo" => Self::Mounts(MountFormat::MountInfo),
            b"mountstats" => Self::Mounts(MountFormat::MountStats),
            // Of our memory, or where we are in it.
            b"mem" | b"pagemap" | b"clear_refs" | b"smaps_rollup" | b"numa_maps" | b"syscall"
            | b"stack" => Self::Hidden,
            _ => return None,
        })
    }
}

/// Recognises a path that leads to one of the files, also by way of `/proc/<own pid>`,
/// `/proc/thread-self`, `/proc/self/task/<tid>`, and relative to an open or the current directory.
pub(super) fn classify(dir: Fd, path: &[u8]) -> Option<ProcFile> {
    let name = path.rsplit(|&b| b == b'/').next()?;
    let known = ProcFile::of_process(name);
    if known.is_none() && name != b"cpuinfo" {
        return None;
    }
    let absolute = if path.first() == Some(&b'/') {
        path.to_vec()
    } else {
        let mut whole = directory(dir)?;
        whole.push(b'/');
        whole.extend_from_slice(path);
        whole
    };
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in absolute.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            // No directory of processes that leads here is behind a link, but for `self`.
            b".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    match parts.as_slice() {
        [b"proc", b"cpuinfo"] => Some(ProcFile::CpuInfo),
        [b"proc", b"self" | b"thread-self", _] => known,
        [b"proc", b"self", b"task", tid, _] if is_number(tid) => known,
        [b"proc", pid, _] if is_own(pid) => known,
        [b"proc", pid, b"task", tid, _] if is_own(pid) && is_number(tid) => known,
        [b"proc", pid, _] | [b"proc", pid, b"task", _, _] if is_number(pid) => {
            known.and_then(|file| file.of_other(pid))
        }
        _ => None,
    }
}

/// A name that paths to the files above end with.
pub(super) fn is_special(name: &[u8]) -> bool {
    name == b"cpuinfo" || ProcFile::of_process(name).is_some()
}

/// A link that stands for an object and not for its text, by its path below `/proc`.
pub(super) fn is_magic(path: &[u8]) -> bool {
    path.split(|&b| b == b'/').next().is_some_and(is_number)
}

/// A path below `/proc` that leads into the directory of the calling process.
pub(super) fn is_own_dir(path: &[u8]) -> bool {
    path.split(|&b| b == b'/').next().is_some_and(is_own)
}

/// The program of another guest process, whose link `exe` is at that path below `/proc`.
pub(super) fn other_exe(path: &[u8]) -> Option<Vec<u8>> {
    let pid = path.strip_suffix(b"/exe")?.split(|&b| b == b'/').next()?;
    let pid = std::str::from_utf8(pid).ok()?.parse().ok()?;
    others::find(pid).map(|other| other.exe)
}

/// The directory of descriptors at that path below `/proc`: whose it is.
fn descriptors<'a>(parts: &[&'a [u8]]) -> Option<&'a [u8]> {
    match *parts {
        [pid, b"fd" | b"fdinfo"] | [pid, b"task", _, b"fd" | b"fdinfo"] if is_number(pid) => {
            Some(pid)
        }
        _ => None,
    }
}

/// True for an open directory that lists the descriptors of a guest process.
pub(super) fn lists_descriptors(dir: Fd) -> bool {
    let path = directory(dir).unwrap_or_default();
    let parts: Vec<&[u8]> = path.split(|&b| b == b'/').collect();
    parts.strip_prefix(&[&b""[..], b"proc"]).and_then(descriptors).is_some_and(is_guest)
}

/// True for a path below `/proc` that names a descriptor of a guest process.
pub(super) fn is_descriptor(path: &[u8]) -> bool {
    let parts: Vec<&[u8]> = path.split(|&b| b == b'/').collect();
    parts.split_last().and_then(|(_, dir)| descriptors(dir)).is_some_and(is_guest)
}

/// True for the id of a guest process that we may look into.
fn is_guest(pid: &[u8]) -> bool {
    let number = || std::str::from_utf8(pid).ok()?.parse().ok();
    is_own(pid) || number().is_some_and(|pid| others::find(pid).is_some())
}

fn is_number(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(u8::is_ascii_digit)
}

/// The number of the calling process in the host's `/proc`, which a name space of processes of its
/// own does not change, or in one that the guest has mounted in such a name space.
fn is_own(name: &[u8]) -> bool {
    fs::read_link("/proc/self").is_ok_and(|own| own.as_os_str().as_bytes() == name)
        || std::process::id().to_string().as_bytes() == name
}

/// Path of an open directory, or of the current one.
fn directory(dir: Fd) -> Option<Vec<u8>> {
    let path = if dir == Fd::CWD {
        fs::read_link("/proc/self/cwd")
    } else {
        fs::read_link(format!("/proc/self/fd/{}", dir.0))
    };
    Some(path.ok()?.into_os_string().into_vec())
}

/// What the guest finds in the file; `None` for the link, which is opened as what it points to.
///
/// # Errors
/// What the host says about the file that the content is made from.
pub(super) fn content(t: &Thread, at: &HostPath) -> Result<Option<Vec<u8>>, Errno> {
    let Some(proc) = at.proc else { return Ok(None) };
    let _raised = limits::raise();
    let mappings = || t.memory().mappings();
    let other = |pid| others::find(pid).ok_or(Errno::ENOENT);
    let other_mapped = |pid| Ok::<_, Errno>(other(pid)?.mapped(&host_maps(pid)?));
    Ok(Some(match proc {
        ProcFile::Hidden => return Err(Errno::EACCES),
        ProcFile::Exe | ProcFile::OtherExe(_) => return Ok(None),
        ProcFile::Mounts(format) => match &t.process.options.world {
            Some(world) => world.mount_table(format),
            None => return Ok(None),
        },
        ProcFile::OtherMaps(pid) => {
            let name =
                |path: &str| t.process.file_name(path.as_ref()).to_string_lossy().into_owned();
            other(pid)?.maps(&host_maps(pid)?, name).into_bytes()
        }
        ProcFile::OtherStat(pid) => {
            // Addresses are shown as to somebody who may not look into the process.
            let mapped = other_mapped(pid)?;
            with_fields(&host_text(at)?, |number| match number {
                23 => Some(mapped),
                26..=30 | 45..=51 => Some(0),
                _ => None,
            })
            .into_bytes()
        }
        ProcFile::OtherStatm(pid) => statm(&host_text(at)?, other_mapped(pid)?).into_bytes(),
        ProcFile::OtherStatus(pid) => status(&host_text(at)?, other_mapped(pid)?).into_bytes(),
        ProcFile::Maps => maps(&mappings(), false).into_bytes(),
        ProcFile::Smaps => maps(&mappings(), true).into_bytes(),
        // What the guest has made of its strings is in its memory, where the host looks if it can.
        ProcFile::Cmdline if others::find(std::process::id()).is_some() => {
            fs::read("/proc/self/cmdline")?
        }
        ProcFile::Cmdline => t.process.cmdline.clone(),
        ProcFile::Auxv => t.process.auxv.clone(),
        ProcFile::Environ => t.process.environ.clone(),
        ProcFile::Stat => stat(&host_text(at)?, &mappings(), t).into_bytes(),
        ProcFile::Statm => statm(&host_text(at)?, mapped_bytes(&mappings())).into_bytes(),
        ProcFile::Status => {
            let mut text = status(&host_text(at)?, mapped_bytes(&mappings()));
            if let Some(c) = &*lock(&t.process.credentials) {
                text = with_ids(&text, c);
            }
            filtered(&text, t.restriction.mode(), t.restriction.count()).into_bytes()
        }
        ProcFile::Limits => t.process.limits().correct(&host_text(at)?).into_bytes(),
        ProcFile::CpuInfo => {
            let host = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
            let cpus = host.lines().filter(|l| l.starts_with("processor")).count();
            cpu_info(t.cpu.machine().isa(), t.memory().size(), cpus.max(1)).into_bytes()
        }
    }))
}

/// The host's `/proc/PID/maps`.
fn host_maps(pid: u32) -> Result<String, Errno> {
    Ok(String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/maps"))?).into_owned())
}

/// The host's text of a file in the directory of a process.
fn host_text(at: &HostPath) -> Result<String, Errno> {
    let mut path = Vec::new();
    if at.path.as_bytes().first() != Some(&b'/') {
        path = directory(at.dir).ok_or(Errno::ENOENT)?;
        path.push(b'/');
    }
    path.extend_from_slice(at.path.as_bytes());
    let bytes = fs::read(std::ffi::OsStr::from_bytes(&path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Opens a file with this content that is nobody else's.
///
/// # Errors
/// As `open` on a read-only file that exists.
pub(super) fn open(content: &[u8], flags: i32) -> SysResult {
    if flags & libc::O_DIRECTORY != 0 {
        return Err(Errno::ENOTDIR);
    }
    if flags & (libc::O_CREAT | libc::O_EXCL) == libc::O_CREAT | libc::O_EXCL {
        return Err(Errno::EEXIST);
    }
    if flags & libc::O_ACCMODE != libc::O_RDONLY {
        return Err(Errno::EACCES);
    }
    let cloexec = if flags & libc::O_CLOEXEC != 0 { libc::MFD_CLOEXEC } else { 0 };
    let fd = host_call(libc::SYS_memfd_create, &[HostArg::path(c"proc"), cloexec.into()])?;
    let mut rest = content;
    while !rest.is_empty() {
        let args = [fd.into(), HostArg::slice(rest), (rest.len() as u64).into()];
        match host_call(libc::SYS_write, &args) {
            Ok(n) => rest = &rest[(n as usize).min(rest.len())..],
            Err(e) => {
                host_call(libc::SYS_close, &[fd.into()])?;
                return Err(e);
            }
        }
    }
    host_call(libc::SYS_lseek, &[fd.into(), 0.into(), libc::SEEK_SET.into()])?;
    Ok(fd)
}

/// Column in which a name starts (kernel: `show_vma_header_prefix` and `seq_pad`).
const NAME_COLUMN: usize = 73;

/// The lines of `maps`; with `details`, what `smaps` tells about each.
fn maps(mappings: &[(Range<u64>, Mapping)], details: bool) -> String {
    let mut out = String::new();
    for (range, m) in mappings {
        let flag = |on, c| if on { c } else { '-' };
        let (offset, dev, inode, name) = match &m.backing {
            Backing::Anonymous(name) => (0, 0, 0, name.map(str::to_owned)),
            Backing::File { path, offset, dev, inode } => {
                (*offset, *dev, *inode, Some(path.to_string_lossy().replace('\n', "\\012")))
            }
        };
        let start = out.len();
        let _ = write!(
            out,
            "{:08x}-{:08x} {}{}{}{} {offset:08x} {:02x}:{:02x} {inode} ",
            range.start,
            range.end,
            flag(m.prot.linux() & 1 != 0, 'r'),
            flag(m.prot.writable(), 'w'),
            flag(m.prot.executable(), 'x'),
            if m.shared { 's' } else { 'p' },
            libc::major(dev),
            libc::minor(dev),
        );
        if let Some(name) = name {
            let width = out.len() - start;
            out.extend(std::iter::repeat_n(' ', NAME_COLUMN.saturating_sub(width)));
            out.push_str(&name);
        }
        out.push('\n');
        if details {
            push_details(&mut out, (range.end - range.start) >> 10);
        }
    }
    out
}

/// What is known without asking the host about each page: sizes, and that nothing is counted.
fn push_details(out: &mut String, kib: u64) {
    let _ = writeln!(out, "{:<16}{kib:>8} kB", "Size:");
    for name in ["KernelPageSize:", "MMUPageSize:"] {
        let _ = writeln!(out, "{name:<16}{:>8} kB", 4);
    }
    for name in [
        "Rss:",
        "Pss:",
        "Shared_Clean:",
        "Shared_Dirty:",
        "Private_Clean:",
        "Private_Dirty:",
        "Referenced:",
        "Anonymous:",
        "AnonHugePages:",
        "Swap:",
        "SwapPss:",
        "Locked:",
    ] {
        let _ = writeln!(out, "{name:<16}{:>8} kB", 0);
    }
}

/// Bytes that the guest has mapped.
fn mapped_bytes(mappings: &[(Range<u64>, Mapping)]) -> u64 {
    mappings.iter().map(|(r, _)| r.end - r.start).sum()
}

/// The range of the anonymous mapping that `maps` calls `name`.
fn named(mappings: &[(Range<u64>, Mapping)], name: &'static str) -> Option<Range<u64>> {
    let wanted = Backing::Anonymous(Some(name));
    mappings.iter().find(|(_, m)| m.backing == wanted).map(|(r, _)| r.clone())
}

/// `/proc/self/stat` of the host with the guest's addresses (fields numbered as in proc(5)).
fn stat(host: &str, mappings: &[(Range<u64>, Mapping)], t: &Thread) -> String {
    let program = |x: bool| {
        let mut all = mappings.iter().filter(|(_, m)| {
            m.prot.executable() == x
                && matches!(&m.backing, Backing::File { path, .. } if **path == t.process.exe)
        });
        all.next().map(|(range, _)| range.clone())
    };
    let (code, data) = (program(true), program(false));
    let (stack, heap) = (named(mappings, "[stack]"), named(mappings, "[heap]"));
    with_fields(host, |number| match number {
        23 => Some(mapped_bytes(mappings)),
        26 => code.as_ref().map(|r| r.start),
        27 => code.as_ref().map(|r| r.end),
        // An address at the oldest end: collectors scan from here.
        28 => stack.as_ref().map(|r| r.end - 16),
        45 => data.as_ref().map(|r| r.start),
        46 => data.as_ref().map(|r| r.end),
        47 => heap.as_ref().map(|r| r.start),
        // Where arguments and environment lie is the start-up code's secret.
        29 | 30 | 48..=51 => Some(0),
        _ => None,
    })
}

/// `/proc/PID/stat` with other numbers in the fields for which there are some.
fn with_fields(host: &str, value: impl Fn(usize) -> Option<u64>) -> String {
    let Some(end) = host.rfind(')') else { return host.to_owned() };
    let mut out = host[..=end].to_owned();
    // The first word behind the name is field 3.
    for (i, word) in host[end + 1..].split_whitespace().enumerate() {
        let _ = match value(i + 3) {
            Some(n) => write!(out, " {n}"),
            None => write!(out, " {word}"),
        };
    }
    out.push('\n');
    out
}

/// `/proc/self/status` with the ids that the guest believes to have.
fn with_ids(text: &str, c: &Credentials) -> String {
    let line = |line: &str| match line.split_once(':').and_then(|(k, _)| Some((k, c.status(k)?))) {
        Some((key, value)) => format!("{key}:\t{value}\n"),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// `/proc/self/statm` of the host with the guest's size, in pages.
fn statm(host: &str, mapped: u64) -> String {
    let rest = host.split_once(' ').map_or("", |(_, rest)| rest);
    format!("{} {rest}", mapped / crate::util::PAGE_SIZE)
}

/// `/proc/self/status` of the host with the guest's sizes.
fn status(host: &str, mapped: u64) -> String {
    let kib = mapped >> 10;
    let mut out = String::with_capacity(host.len());
    for line in host.lines() {
        match line.split_once(':') {
            Some((key @ ("VmPeak" | "VmSize"), _)) => {
                let _ = writeln!(out, "{key}:\t{kib:>8} kB");
            }
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

/// `/proc/self/status` with the guest's filters of system calls.
fn filtered(status: &str, mode: u32, filters: usize) -> String {
    let mut out = String::with_capacity(status.len());
    for line in status.lines() {
        let _ = match line.split_once(':') {
            Some(("Seccomp", _)) => writeln!(out, "Seccomp:\t{mode}"),
            Some(("Seccomp_filters", _)) => writeln!(out, "Seccomp_filters:\t{filters}"),
            _ => writeln!(out, "{line}"),
        };
    }
    out
}

/// `/proc/cpuinfo` as riscv kernels print it (`arch/riscv/kernel/cpu.c`).
fn cpu_info(isa: &Isa, address_space: u64, cpus: usize) -> String {
    let isa = isa.march_string();
    let mmu = match address_space.ilog2() {
        0..=38 => "sv39",
        39..=47 => "sv48",
        _ => "sv57",
    };
    let mut out = String::new();
    for cpu in 0..cpus {
        let _ = writeln!(out, "processor\t: {cpu}\nhart\t\t: {cpu}\nisa\t\t: {isa}");
        let _ = writeln!(out, "mmu\t\t: {mmu}\nuarch\t\t: rvnative\nmvendorid\t: 0x0");
        let _ = writeln!(out, "marchid\t\t: 0x0\nmimpid\t\t: 0x0\nhart isa\t: {isa}\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::Prot;
    use std::path::PathBuf;
    use std::sync::Arc;

    fn some_mappings() -> Vec<(Range<u64>, Mapping)> {
        let path = Arc::new(PathBuf::from("/bin/guest"));
        let file = Backing::File { path, offset: 0x1000, dev: libc::makedev(8, 1), inode: 42 };
        let code = Mapping { backing: file, ..Mapping::anonymous(Prot::RX, None) };
        let stack = Mapping::anonymous(Prot::RW, Some("[stack]"));
        let plain = Mapping { shared: true, ..Mapping::anonymous(Prot::NONE, None) };
        vec![
            (0x10000..0x12000, code),
            (0x3f_0000_0000..0x3f_0000_1000, plain),
            (0x3f_ffff_0000..0x3f_ffff_f000, stack),
        ]
    }

    #[test]
    fn detours_lead_to_the_same_files() {
        let own = format!("/proc/{}/task/1/../../mem", std::process::id());
        for path in
            ["/proc/self/syscall", "/proc/../proc/self/fd/.././mem", "//proc//self/mem", &own]
        {
            assert!(matches!(classify(Fd::CWD, path.as_bytes()), Some(ProcFile::Hidden)), "{path}");
        }
        for path in ["/proc/mem", "/tmp/self/mem", "/proc/self/../mem"] {
            assert!(classify(Fd::CWD, path.as_bytes()).is_none(), "{path}");
        }
    }

    #[test]
    fn maps_has_the_kernels_columns() {
        let text = maps(&some_mappings(), false);
        let lines: Vec<_> = text.lines().collect();
        let name = format!("{:<73}/bin/guest", "00010000-00012000 r-xp 00001000 08:01 42");
        assert_eq!(lines[0], name);
        assert_eq!(lines[1], "3f00000000-3f00001000 ---s 00000000 00:00 0 ");
        assert_eq!(lines[2].find("[stack]"), Some(73));
        assert!(maps(&some_mappings(), true).contains("Size:                  8 kB\n"));
    }

    #[test]
    fn files_of_the_process_are_recognised_however_they_are_named() {
        let own = std::process::id();
        for path in [
            "/proc/self/maps".to_owned(),
            "//proc/./self//maps".to_owned(),
            "/proc/thread-self/maps".to_owned(),
            format!("/proc/{own}/maps"),
            format!("/proc/{own}/task/{own}/maps"),
            "/proc/self/task/7/maps".to_owned(),
        ] {
            assert_eq!(classify(Fd::CWD, path.as_bytes()), Some(ProcFile::Maps), "{path}");
        }
        let dir = fs::File::open("/proc/self").unwrap();
        let fd = Fd(std::os::fd::AsRawFd::as_raw_fd(&dir));
        assert_eq!(classify(fd, b"exe"), Some(ProcFile::Exe));
        for path in ["/proc/1/maps", "/proc/maps", "/etc/stat", "/proc/self/fd/maps", "maps", ""] {
            assert_eq!(classify(Fd::CWD, path.as_bytes()), None, "{path}");
        }
        assert_eq!(classify(Fd::CWD, b"/proc/cpuinfo"), Some(ProcFile::CpuInfo));
    }

    #[test]
    fn directories_of_descriptors() {
        let own = std::process::id();
        for path in ["fd/7", "fdinfo/7", "task/3/fd/7"] {
            assert!(is_descriptor(format!("{own}/{path}").as_bytes()), "{path}");
        }
        for path in [format!("{own}/fd"), format!("{own}/task/7"), "self/fd/7".to_owned()] {
            assert!(!is_descriptor(path.as_bytes()), "{path}");
        }
        let dir = fs::File::open("/proc/self/fd").unwrap();
        assert!(lists_descriptors(Fd(std::os::fd::AsRawFd::as_raw_fd(&dir))));
    }

    #[test]
    fn cpu_info_has_a_block_for_each_processor() {
        let isa: Isa = "rv64gc".parse().unwrap();
        let text = cpu_info(&isa, 1 << 38, 2);
        assert!(text.starts_with("processor\t: 0\nhart\t\t: 0\nisa\t\t: rv64i"), "{text}");
        assert!(text.contains("\nmmu\t\t: sv39\n"));
        assert_eq!(text.matches("\n\n").count(), 2);
    }

    #[test]
    fn sizes_in_status_are_the_guests() {
        let host = "Name:\tx\nVmPeak:\t99999999 kB\nVmSize:\t99999999 kB\nVmRSS:\t 12 kB\n";
        let kib = (0x2000 + 0x1000 + 0xf000) >> 10;
        let mapped = mapped_bytes(&some_mappings());
        let text = status(host, mapped);
        assert_eq!(
            text,
            format!("Name:\tx\nVmPeak:\t{kib:>8} kB\nVmSize:\t{kib:>8} kB\nVmRSS:\t 12 kB\n")
        );
        assert_eq!(statm("100 5 6 7\n", mapped), "18 5 6 7\n");
    }

    #[test]
    fn a_made_file_is_read_from_the_start_and_cannot_be_written() {
        let fd = open(b"hello", libc::O_RDONLY | libc::O_CLOEXEC).unwrap();
        let text = fs::read_to_string(format!("/proc/self/fd/{fd}")).unwrap();
        assert_eq!(text, "hello");
        host_call(libc::SYS_close, &[fd.into()]).unwrap();
        assert_eq!(open(b"", libc::O_RDWR), Err(Errno::EACCES));
        assert_eq!(open(b"", libc::O_DIRECTORY), Err(Errno::ENOTDIR));
    }
}
