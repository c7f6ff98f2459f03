//! The names of files of `/proc` that must tell about the guest and not about the program that runs
//! it.

use crate::linux::abi::Fd;
use crate::linux::host::{HostArg, file_identity, file_system, host_fd};
use crate::linux::task::peers;
use std::ffi::CString;
use std::fmt::Write as _;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The process that a file tells about: the calling one if absent, else another guest.
pub(crate) type Who = Option<u32>;

/// A file of `/proc` that the guest must see differently from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcFile {
    /// `/proc/self/exe`: a link to the program.
    Exe,
    /// `/proc/PID/exe` of another guest process.
    OtherExe(u32),
    /// `maps`.
    Maps(Who),
    /// `smaps`.
    Smaps(Who),
    /// `smaps_rollup`.
    Rollup(Who),
    /// `numa_maps`.
    NumaMaps(Who),
    /// `pagemap`: the host's own, by guest addresses.
    Pagemap(Who),
    /// `mem`.
    Mem(Who),
    /// `stat`.
    Stat(Who),
    /// `statm`.
    Statm(Who),
    /// `status`.
    Status(Who),
    /// `syscall`.
    Syscall(Who),
    /// `cmdline` of the calling process.
    Cmdline,
    /// `auxv` of the calling process.
    Auxv,
    /// `environ` of the calling process.
    Environ,
    /// `limits` of the calling process.
    Limits,
    /// `personality` of the calling process.
    Personality,
    /// `mounts` and its like, in a world of the guest's own.
    Mounts(MountFormat),
    /// `/proc/cpuinfo`.
    CpuInfo,
}

impl ProcFile {
    /// The same file of another process, if that is a guest; `None` if it is as the host shows it.
    fn of_other(self, pid: &[u8]) -> Option<Self> {
        let pid = std::str::from_utf8(pid).ok()?.parse().ok()?;
        let who = Some(pid);
        let file = match self {
            Self::Exe => Self::OtherExe(pid),
            Self::Maps(_) => Self::Maps(who),
            Self::Smaps(_) => Self::Smaps(who),
            Self::Rollup(_) => Self::Rollup(who),
            Self::NumaMaps(_) => Self::NumaMaps(who),
            Self::Pagemap(_) => Self::Pagemap(who),
            Self::Mem(_) => Self::Mem(who),
            Self::Stat(_) => Self::Stat(who),
            Self::Statm(_) => Self::Statm(who),
            Self::Status(_) => Self::Status(who),
            Self::Syscall(_) => Self::Syscall(who),
            Self::Mounts(_) => self,
            _ => return None,
        };
        peers::find(pid).map(|_| file)
    }

    /// By the name in a directory of a process.
    fn of_process(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"exe" => Self::Exe,
            b"maps" => Self::Maps(None),
            b"smaps" => Self::Smaps(None),
            b"smaps_rollup" => Self::Rollup(None),
            b"numa_maps" => Self::NumaMaps(None),
            b"pagemap" => Self::Pagemap(None),
            b"mem" => Self::Mem(None),
            b"cmdline" => Self::Cmdline,
            b"auxv" => Self::Auxv,
            b"environ" => Self::Environ,
            b"stat" => Self::Stat(None),
            b"statm" => Self::Statm(None),
            b"status" => Self::Status(None),
            b"syscall" => Self::Syscall(None),
            b"limits" => Self::Limits,
            b"personality" => Self::Personality,
            b"mounts" => Self::Mounts(MountFormat::Mounts),
            b"mountinfo" => Self::Mounts(MountFormat::MountInfo),
            b"mountstats" => Self::Mounts(MountFormat::MountStats),
            _ => return None,
        })
    }
}

/// Recognises a path that leads to one of the files, also by way of `/proc/<own pid>`,
/// `/proc/thread-self`, `/proc/self/task/<tid>`, and relative to an open or the current directory.
pub(crate) fn classify(dir: Fd, path: &[u8]) -> Option<ProcFile> {
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
pub(crate) fn is_special(name: &[u8]) -> bool {
    name == b"cpuinfo" || ProcFile::of_process(name).is_some()
}

/// The components of a path behind `/proc`.
fn below_proc(path: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    Some(path.strip_prefix(b"/proc/")?.split(|&b| b == b'/'))
}

/// A link that stands for an object and not for its text, by its path in our `/proc`.
pub(crate) fn is_magic(path: &[u8]) -> bool {
    below_proc(path).and_then(|mut parts| parts.next()).is_some_and(is_number)
}

/// True if an open file is on a file system of processes.
pub(crate) fn is_on_proc(fd: i32) -> bool {
    file_system(fd) == Ok(libc::PROC_SUPER_MAGIC as u64)
}

/// The path in our `/proc` of an open file, or of `name` in an open directory, on any file system
/// of processes, by what is mounted where; `None` on another. Numbers of processes in a `/proc`
/// that the guest has mounted are those of its name space, taken for the caller's.
pub(crate) fn path_by_mount(fd: i32, name: Option<&[u8]>) -> Option<Vec<u8>> {
    if !is_on_proc(fd) {
        return None;
    }
    let mut path = path_on_mount(fd)?;
    if let Some(name) = name {
        path.extend_from_slice(b"/");
        path.extend_from_slice(name);
    }
    let rest = path.strip_prefix(b"/").unwrap_or(&path);
    let first = rest.split(|&b| b == b'/').next().unwrap_or_default();
    let device = |file| Some(file_identity(file).ok()?.dev);
    let ours = fs::File::open("/proc").ok();
    let is_ours = ours.is_some_and(|ours| device(ours.as_raw_fd()) == device(fd));
    if is_ours || !is_number(first) {
        return Some([&b"/proc/"[..], rest].concat());
    }
    let id = std::str::from_utf8(first).ok().and_then(|id| id.parse().ok());
    // Nobody has the number 0.
    let ours = id.and_then(peers::in_proc).unwrap_or(0).to_string();
    Some([&b"/proc/"[..], ours.as_bytes(), &rest[first.len()..]].concat())
}

/// The host's number of the mount that an open file lies on.
pub(crate) fn mount_id(fd: i32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/thread-self/fdinfo/{fd}")).ok()?;
    let id = text.lines().find_map(|line| line.strip_prefix("mnt_id:"))?;
    Some(id.trim().to_owned())
}

/// A path as the files that list mounts have it.
pub(crate) fn escaped(path: &[u8]) -> String {
    let mut out = String::new();
    for c in String::from_utf8_lossy(path).chars() {
        match c {
            ' ' | '\t' | '\n' | '\\' | '#' => {
                let _ = write!(out, "\\{:03o}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out
}

/// The path of an open file in its file system of processes. A mount of another namespace is the
/// host's, and one that is nowhere yet is taken for whole.
fn path_on_mount(fd: i32) -> Option<Vec<u8>> {
    let link = fs::read_link(format!("/proc/thread-self/fd/{fd}")).ok()?;
    let host = link.into_os_string().into_vec();
    let id = mount_id(fd)?;
    let table = fs::read("/proc/thread-self/mountinfo").ok()?;
    let table = String::from_utf8_lossy(&table);
    let line = table.lines().find(|line| line.split(' ').next() == Some(&id));
    let Some(line) = line else {
        return Some(host.strip_prefix(b"/proc").map(<[u8]>::to_vec).unwrap_or(host));
    };
    let mut fields = line.split(' ').skip(3);
    let (root, place) = (fields.next()?, fields.next()?);
    let host = escaped(&host);
    let rest = host.strip_prefix(place.trim_end_matches('/'))?;
    Some([root.trim_end_matches('/').as_bytes(), rest.as_bytes()].concat())
}

/// As [`classify`], of a path without a world: also on a `/proc` that the guest has mounted
/// elsewhere.
pub(crate) fn classify_anywhere(dir: Fd, path: &[u8]) -> Option<ProcFile> {
    let known = classify(dir, path);
    let at = path.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1);
    let (parent, name) = path.split_at(at);
    let starts = || if path.first() == Some(&b'/') { Some(path.to_vec()) } else { directory(dir) };
    if known.is_some() || !is_special(name) || starts()?.starts_with(b"/proc/") {
        return known;
    }
    let parent = CString::new(if parent.is_empty() { b"." } else { parent }).ok()?;
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    let args = [dir.into(), HostArg::path(&parent), flags.into()];
    let parent = host_fd(libc::SYS_openat, &args).ok()?;
    classify(Fd::CWD, &path_by_mount(parent.as_raw_fd(), Some(name))?)
}

/// A path of our `/proc` that leads into the directory of the calling process.
pub(crate) fn is_own_dir(path: &[u8]) -> bool {
    below_proc(path).and_then(|mut parts| parts.next()).is_some_and(is_own)
}

/// The program of another guest process, whose link `exe` is at that path of our `/proc`.
pub(crate) fn other_exe(path: &[u8]) -> Option<Vec<u8>> {
    let pid = below_proc(path.strip_suffix(b"/exe")?)?.next()?;
    let pid = std::str::from_utf8(pid).ok()?.parse().ok()?;
    peers::find(pid).map(|other| other.exe)
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

/// A directory of a guest process that lists ours beside the guest's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// `fd`, `fdinfo`.
    Descriptors,
    /// `map_files`.
    Mappings(Who),
}

/// Which of these a directory of our `/proc` is.
pub(super) fn listing_at(path: &[u8]) -> Option<Listing> {
    let parts: Vec<&[u8]> = path.split(|&b| b == b'/').collect();
    match parts.strip_prefix(&[&b""[..], b"proc"])? {
        [pid, b"map_files"] if is_own(pid) => Some(Listing::Mappings(None)),
        [pid, b"map_files"] if is_guest(pid) => {
            Some(Listing::Mappings(std::str::from_utf8(pid).ok()?.parse().ok()))
        }
        rest => descriptors(rest).filter(|pid| is_guest(pid)).map(|_| Listing::Descriptors),
    }
}

/// True for a path of our `/proc` that names a descriptor of a guest process.
pub(crate) fn is_descriptor(path: &[u8]) -> bool {
    let parts: Vec<&[u8]> = below_proc(path).into_iter().flatten().collect();
    parts.split_last().and_then(|(_, dir)| descriptors(dir)).is_some_and(is_guest)
}

/// True for the id of a guest process that we may look into.
fn is_guest(pid: &[u8]) -> bool {
    let number = || std::str::from_utf8(pid).ok()?.parse().ok();
    is_own(pid) || number().is_some_and(|pid| peers::find(pid).is_some())
}

/// True for a name of a process or thread.
pub(crate) fn is_number(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(u8::is_ascii_digit)
}

/// The number of the calling process in our `/proc`, which a name space of processes of its own
/// does not change.
fn is_own(name: &[u8]) -> bool {
    fs::read_link("/proc/self").is_ok_and(|own| own.as_os_str().as_bytes() == name)
}

/// The host's path of an open file, or of the current directory.
pub(super) fn directory(dir: Fd) -> Option<Vec<u8>> {
    let path = if dir == Fd::CWD {
        fs::read_link("/proc/self/cwd")
    } else {
        fs::read_link(format!("/proc/self/fd/{}", dir.0))
    };
    Some(path.ok()?.into_os_string().into_vec())
}

/// The files that list mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MountFormat {
    Mounts,
    MountInfo,
    MountStats,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detours_lead_to_the_same_files() {
        let own = format!("/proc/{}/task/1/../../mem", std::process::id());
        for path in
            ["/proc/self/syscall", "/proc/../proc/self/fd/.././mem", "//proc//self/mem", &own]
        {
            assert!(
                matches!(
                    classify(Fd::CWD, path.as_bytes()),
                    Some(ProcFile::Mem(None) | ProcFile::Syscall(None))
                ),
                "{path}"
            );
        }
        for path in ["/proc/mem", "/tmp/self/mem", "/proc/self/../mem"] {
            assert!(classify(Fd::CWD, path.as_bytes()).is_none(), "{path}");
        }
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
            assert_eq!(classify(Fd::CWD, path.as_bytes()), Some(ProcFile::Maps(None)), "{path}");
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
            assert!(is_descriptor(format!("/proc/{own}/{path}").as_bytes()), "{path}");
        }
        for path in
            [format!("/proc/{own}/fd"), format!("/proc/{own}/task/7"), "/proc/self/fd/7".into()]
        {
            assert!(!is_descriptor(path.as_bytes()), "{path}");
        }
        let dir = fs::File::open("/proc/self/fd").unwrap();
        let listing = |dir: &fs::File| {
            listing_at(&directory(Fd(std::os::fd::AsRawFd::as_raw_fd(dir))).unwrap())
        };
        assert_eq!(listing(&dir), Some(Listing::Descriptors));
        let dir = fs::File::open("/proc/self/map_files").unwrap();
        assert_eq!(listing(&dir), Some(Listing::Mappings(None)));
        assert_eq!(listing(&fs::File::open("/proc/self").unwrap()), None);
    }
}
