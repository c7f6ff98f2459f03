//! GuestProcess guest processes: what they are, and where their memory lies in their host process.
//!
//! A guest process describes itself behind the strings on its stack, where the host's `/proc` says
//! that the environment ends (`sys::process::show_program`). Who may look into a process finds it
//! there; for everyone else, and on hosts that do not let us say where the strings are, it is an
//! unknown program of the host.

use crate::linux::host::{HostArg, host_call, host_fd, limit};
use crate::linux::task::limits;
use crate::mem::Memory;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::OnceLock;

/// First word of a description.
const MARK: &[u8] = b"rvnative-guest-2";

/// What a guest process says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GuestProcess {
    /// Host address of its guest address 0.
    pub base: u64,
    /// Size of its address space in bytes.
    pub size: u64,
    /// Host address of the limits that it keeps.
    pub limits: u64,
    /// Path of its program as the guest knows it.
    pub exe: Vec<u8>,
    /// Where the host finds the program.
    pub exe_host: Vec<u8>,
}

/// What a process writes behind its strings about itself: four strings with NULs.
pub(crate) fn describe(mem: &Memory, exe: &Path, exe_host: &Path) -> Vec<u8> {
    let limits = limits::public_address();
    let place = format!("{:x} {:x} {limits:x}", mem.base().0, mem.size());
    let (exe, host) = (exe.as_os_str().as_bytes(), exe_host.as_os_str().as_bytes());
    [MARK, place.as_bytes(), exe, host, b""].join(&0)
}

/// The inverse of [`describe`]; `bytes` begin with the name that was executed.
fn parse(bytes: &[u8]) -> Option<GuestProcess> {
    let mut strings = bytes.split(|&b| b == 0).skip(1);
    if strings.next()? != MARK {
        return None;
    }
    let mut place = std::str::from_utf8(strings.next()?).ok()?.split(' ');
    let mut number = || u64::from_str_radix(place.next()?, 16).ok();
    let (base, size, limits) = (number()?, number()?, number()?);
    let (exe, exe_host) = (strings.next()?.to_vec(), strings.next()?.to_vec());
    Some(GuestProcess { base, size, limits, exe, exe_host })
}

/// Device and inode of our own executable.
fn own_file() -> Option<(u64, u64)> {
    static OWN: OnceLock<Option<(u64, u64)>> = OnceLock::new();
    let identity = |m: fs::Metadata| (m.dev(), m.ino());
    *OWN.get_or_init(|| fs::metadata("/proc/self/exe").ok().map(identity))
}

/// The guest process with that number in `/proc`; `None` for any other, and for one that we may not
/// look into.
pub(crate) fn find(pid: u32) -> Option<GuestProcess> {
    /// Three paths at most, and a line.
    const LONGEST: usize = 3 * 4096 + 256;
    let file = fs::metadata(format!("/proc/{pid}/exe")).ok()?;
    if Some((file.dev(), file.ino())) != own_file() {
        return None;
    }
    let _raised = limit::raise();
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let end = stat.iter().rposition(|&b| b == b')')?;
    let stat = String::from_utf8_lossy(&stat[end + 1..]).into_owned();
    // The first word is field 3 of proc(5), the end of the environment is field 51.
    let env_end: u64 = stat.split_whitespace().nth(51 - 3)?.parse().ok()?;
    let mut bytes = vec![0; LONGEST];
    let n = File::open(format!("/proc/{pid}/mem")).ok()?.read_at(&mut bytes, env_end).ok()?;
    parse(&bytes[..n])
}

/// Our own number in `/proc`: another than our id in a name space of processes which that has not.
fn own_in_proc() -> Option<u32> {
    fs::read_link("/proc/self").ok()?.to_str()?.parse().ok()
}

/// The number in `/proc` of what has the id `id` in our own name space, a process or a thread.
pub(crate) fn in_proc(id: u32) -> Option<u32> {
    /// `PIDFD_THREAD`, of Linux 6.9.
    const THREAD: i32 = libc::O_EXCL;
    if own_in_proc() == Some(std::process::id()) {
        return Some(id);
    }
    let open = |flags: i32| host_fd(libc::SYS_pidfd_open, &[id.into(), flags.into()]);
    let fd = open(0).or_else(|_| open(THREAD)).ok()?;
    of_descriptor(fd.as_raw_fd())
}

/// The number in `/proc` of the process that a descriptor stands for.
pub(crate) fn of_descriptor(fd: i32) -> Option<u32> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    info.lines().find_map(|l| l.strip_prefix("Pid:"))?.trim().parse().ok()
}

/// True for our own number in `/proc`.
pub(crate) fn is_own(number: u32) -> bool {
    own_in_proc() == Some(number)
}

/// The guest process that has that id in our own name space, with its number in `/proc`.
pub(crate) fn find_by_id(id: i32) -> Option<(u32, GuestProcess)> {
    let number = in_proc(u32::try_from(id).ok()?)?;
    Some((number, find(number)?))
}

impl GuestProcess {
    /// The host address of `len` bytes at a guest address; `None` outside its address space.
    pub(crate) fn host_addr(&self, addr: u64, len: u64) -> Option<u64> {
        let end = addr.checked_add(len)?;
        (end <= self.size).then(|| self.base + addr)
    }
}

/// The name of host threads that run no guest (`comm`).
const HELPER: &[u8; 16] = b"rvnative-helper\0";

/// Gives the calling thread the name of those that run no guest. Returns the one before.
pub(crate) fn name_helper() -> [u8; 16] {
    let mut name = [0_u8; 16];
    let args = [HostArg::int(libc::PR_GET_NAME), HostArg::of_mut(&mut name)];
    let _ = host_call(libc::SYS_prctl, &args);
    set_name(HELPER);
    name
}

/// Names the calling thread, as `PR_SET_NAME` does.
pub(crate) fn set_name(name: &[u8; 16]) {
    let args = [HostArg::int(libc::PR_SET_NAME), HostArg::of(name)];
    let _ = host_call(libc::SYS_prctl, &args);
}

/// True for a thread of a guest process, with that number in `/proc`, that runs no guest.
pub(crate) fn is_helper(number: u32) -> bool {
    let name = fs::read(format!("/proc/{number}/comm")).unwrap_or_default();
    name.strip_suffix(b"\n") == HELPER.strip_suffix(b"\0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_understood() {
        let bytes = b"./a\0rvnative-guest-2\x001000 4000 77\0/bin/a\0/root/bin/a\0rest";
        let other = parse(bytes).unwrap();
        let (exe, exe_host) = (b"/bin/a".to_vec(), b"/root/bin/a".to_vec());
        assert_eq!(other, GuestProcess { base: 0x1000, size: 0x4000, limits: 0x77, exe, exe_host });
        assert_eq!(other.host_addr(0x3ff8, 8), Some(0x4ff8));
        assert_eq!(other.host_addr(0x3ff8, 9), None);
        assert_eq!(parse(b"./a\0something else\0\0\0"), None);
        assert_eq!(parse(b""), None);
    }
}
