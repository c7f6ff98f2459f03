//! Which of several errors a call answers with. A path is read here before anything else; the
//! kernel may find other errors first. So if a path cannot be read, or is empty, the host's kernel
//! is asked, with one of ours that is wrong in the same way: nothing can come of that but an error.

use crate::linux::abi::{Errno, GuestCStr, GuestPtr, PATH_MAX, SysResult};
use crate::linux::args::Arg::{self, R, S, V, W};
use crate::linux::host::HostArg;
use crate::linux::process::Thread;
use crate::mem::Access;
use crate::sys::syscall;

/// Calls that take paths (`S`), by number.
const CALLS: &[(u16, &[Arg])] = &[
    (5, &[S, R(1), R(1), V, V]),
    (6, &[S, R(1), R(1), V, V]),
    (8, &[S, R(1), W(1), V]),
    (9, &[S, R(1), W(1), V]),
    (11, &[S, W(1), V]),
    (12, &[S, W(1), V]),
    (14, &[S, R(1)]),
    (15, &[S, R(1)]),
    (27, &[V, S, V]),
    (33, &[V, S, V, V]),
    (34, &[V, S, V]),
    (35, &[V, S, V]),
    (36, &[S, V, S]),
    (37, &[V, S, V, S, V]),
    (43, &[S, W(1)]),
    (45, &[S, V]),
    (48, &[V, S, V]),
    (53, &[V, S, V]),
    (54, &[V, S, V, V, V]),
    (56, &[V, S, V, V]),
    (78, &[V, S, W(1), V]),
    (79, &[V, S, W(1), V]),
    (88, &[V, S, R(32), V]),
    (264, &[V, S, W(8), W(4), V]),
    (276, &[V, S, V, S, V]),
    (291, &[V, S, V, V, W(1)]),
    (428, &[V, S, V]),
    (433, &[V, S, V]),
    (437, &[V, S, R(24), V]),
    (439, &[V, S, V, V]),
    (442, &[V, S, V, R(32), V]),
    (452, &[V, S, V, V]),
];

/// A path that is too long.
static LONG: [u8; PATH_MAX + 1] = [b'x'; PATH_MAX + 1];

/// What takes the place of a path, and whether no call can succeed with it.
fn stand_in(t: &Thread, path: u64) -> (HostArg<'static>, bool) {
    match GuestCStr(path).read_path(t.memory()) {
        Err(Errno::ENAMETOOLONG) => (HostArg::slice(&LONG), true),
        Err(_) if path == 0 => (HostArg::NULL, true),
        Err(_) => (HostArg::NOWHERE, true),
        Ok(path) if path.is_empty() => (HostArg::path(c""), true),
        Ok(_) => (HostArg::path(c"/"), false),
    }
}

/// True if the path of a call is empty, and means nothing for that.
fn is_empty(t: &Thread, spec: &[Arg], raw: &[u64; 6]) -> bool {
    let mut paths = spec.iter().zip(raw).filter(|(arg, _)| **arg == S).map(|(_, &at)| at);
    let (Some(path), None) = (paths.next(), paths.next()) else { return false };
    // Flags come last.
    let flags = raw[spec.len() - 1];
    GuestPtr::<u8>::new(path).read(t.memory()) == Ok(0) && flags & libc::AT_EMPTY_PATH as u64 == 0
}

/// The error that the kernel answers with where a handler has found `error`.
pub(crate) fn of_kernel(t: &Thread, error: Errno) -> SysResult {
    let number = t.syscall_number();
    let found = CALLS.iter().find(|(n, _)| u64::from(*n) == number);
    let Some((number, spec)) = found else { return Err(error) };
    let raw = t.args();
    match error {
        Errno::EFAULT | Errno::ENAMETOOLONG => {}
        Errno::ENOENT if is_empty(t, spec, &raw) => {}
        _ => return Err(error),
    }
    let mut args = [HostArg::NULL; 6];
    let mut fails = false;
    for ((to, &from), arg) in args.iter_mut().zip(&raw).zip(*spec) {
        *to = match *arg {
            S => {
                let (path, bad) = stand_in(t, from);
                fails |= bad;
                path
            }
            R(n) => t.guest(from, n, Access::Read)?,
            W(n) => t.guest(from, n, Access::Write)?,
            _ => HostArg::value(from),
        };
    }
    let host = syscall::host_number(*number).filter(|_| fails);
    match host.map(|number| t.host(number, &args)) {
        Some(Err(e)) => Err(e),
        _ => Err(error),
    }
}
