//! The call trace (`--strace`): one line for each system call.
//!
//! What a call is given is decoded before it is made, since it may not come back and since it may
//! overwrite what it was given. Arguments that calls fill in are shown as addresses.

use crate::linux::abi::{Errno, SysResult};
use crate::linux::args::Arg;
use crate::linux::fs::ioctl;
use crate::linux::process::Thread;
use crate::linux::table;
use crate::linux::trace::Trace;
use std::fmt::Write as _;

/// How an argument is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Show {
    /// A signed number.
    Dec,
    /// An unsigned number.
    Unsigned,
    /// An address or a set of bits.
    Hex,
    /// A mode.
    Oct,
    /// A descriptor or `AT_FDCWD`.
    Dir,
    /// A string that ends with NUL.
    Str,
    /// Bytes that the argument of this index counts.
    Data(u8),
    /// Flags of `open`.
    Open,
    /// `PROT_*`.
    Prot,
    /// `MAP_*`.
    Map,
    /// `CLONE_*`.
    Clone,
    /// `AT_*`.
    At,
    /// A signal.
    Signal,
    /// A command of `fcntl`.
    Fcntl,
    /// A request of `ioctl`.
    Ioctl,
    /// An operation of `futex`.
    Futex,
    /// A NULL-terminated vector of strings.
    Strings,
    /// A number or an address, whichever it looks like.
    Word,
}
use Show::{
    At, Clone as CloneFlags, Data, Dec, Dir, Fcntl, Futex, Hex, Ioctl, Map, Oct, Open, Prot,
    Signal, Str, Strings, Unsigned, Word,
};

macro_rules! shown {
    ($($($name:literal)|+ => [$($arg:expr),*];)*) => {
        /// How the arguments of a call are shown; other calls show six words.
        fn arguments(name: &str) -> Option<&'static [Show]> {
            Some(match name {
                $($($name)|+ => &[$($arg),*],)*
                _ => return None,
            })
        }
    };
}

shown! {
    "read" | "getdents64" => [Dec, Hex, Unsigned];
    "write" => [Dec, Data(2), Unsigned];
    "pread64" => [Dec, Hex, Unsigned, Dec];
    "pwrite64" => [Dec, Data(2), Unsigned, Dec];
    "readv" | "writev" => [Dec, Hex, Unsigned];
    "preadv" | "pwritev" => [Dec, Hex, Unsigned, Dec];
    "preadv2" | "pwritev2" => [Dec, Hex, Unsigned, Dec, Dec, Hex];
    "openat" => [Dir, Str, Open, Oct];
    "openat2" => [Dir, Str, Hex, Unsigned];
    "close" | "dup" | "fsync" | "fdatasync" | "fchdir" | "syncfs" | "epoll_create1" => [Dec];
    "dup3" => [Dec, Dec, Open];
    "pipe2" => [Hex, Open];
    "close_range" => [Unsigned, Unsigned, Hex];
    "fcntl" => [Dec, Fcntl, Hex];
    "ioctl" => [Dec, Ioctl, Hex];
    "lseek" => [Dec, Dec, Dec];
    "ftruncate" => [Dec, Dec];
    "truncate" => [Str, Dec];
    "fallocate" => [Dec, Hex, Dec, Dec];
    "newfstatat" => [Dir, Str, Hex, At];
    "fstat" | "fstatfs" => [Dec, Hex];
    "statfs" => [Str, Hex];
    "statx" => [Dir, Str, At, Hex, Hex];
    "faccessat" => [Dir, Str, Oct];
    "faccessat2" => [Dir, Str, Oct, At];
    "fchmod" => [Dec, Oct];
    "fchmodat" => [Dir, Str, Oct];
    "fchmodat2" => [Dir, Str, Oct, At];
    "fchown" => [Dec, Dec, Dec];
    "fchownat" => [Dir, Str, Dec, Dec, At];
    "utimensat" => [Dir, Str, Hex, At];
    "readlinkat" => [Dir, Str, Hex, Unsigned];
    "getcwd" => [Hex, Unsigned];
    "chdir" | "chroot" => [Str];
    "mkdirat" => [Dir, Str, Oct];
    "mknodat" => [Dir, Str, Oct, Hex];
    "unlinkat" => [Dir, Str, At];
    "symlinkat" => [Str, Dir, Str];
    "linkat" => [Dir, Str, Dir, Str, At];
    "renameat2" => [Dir, Str, Dir, Str, Hex];
    "umask" => [Oct];
    "memfd_create" => [Str, Hex];
    "flock" => [Dec, Hex];
    "sendfile" => [Dec, Dec, Hex, Unsigned];
    "ppoll" => [Hex, Unsigned, Hex, Hex, Unsigned];
    "pselect6" => [Dec, Hex, Hex, Hex, Hex, Hex];
    "epoll_ctl" => [Dec, Dec, Dec, Hex];
    "epoll_pwait" => [Dec, Hex, Dec, Dec, Hex, Unsigned];
    "eventfd2" => [Unsigned, Open];
    "socket" => [Dec, Hex, Dec];
    "socketpair" => [Dec, Hex, Dec, Hex];
    "bind" | "connect" => [Dec, Hex, Dec];
    "listen" | "shutdown" => [Dec, Dec];
    "accept" | "getsockname" | "getpeername" => [Dec, Hex, Hex];
    "accept4" => [Dec, Hex, Hex, Open];
    "sendto" => [Dec, Data(2), Unsigned, Hex, Hex, Dec];
    "recvfrom" => [Dec, Hex, Unsigned, Hex, Hex, Hex];
    "sendmsg" | "recvmsg" => [Dec, Hex, Hex];
    "setsockopt" => [Dec, Dec, Dec, Hex, Dec];
    "getsockopt" => [Dec, Dec, Dec, Hex, Hex];
    "brk" => [Hex];
    "mmap" => [Hex, Unsigned, Prot, Map, Dec, Hex];
    "munmap" => [Hex, Unsigned];
    "mprotect" => [Hex, Unsigned, Prot];
    "mremap" => [Hex, Unsigned, Unsigned, Hex, Hex];
    "madvise" => [Hex, Unsigned, Dec];
    "clone" => [CloneFlags, Hex, Hex, Hex, Hex];
    "clone3" => [Hex, Unsigned];
    "execve" => [Str, Strings, Hex];
    "execveat" => [Dir, Str, Strings, Hex, At];
    "exit" | "exit_group" => [Dec];
    "wait4" => [Dec, Hex, Hex, Hex];
    "waitid" => [Dec, Dec, Hex, Hex, Hex];
    "kill" | "tkill" => [Dec, Signal];
    "tgkill" => [Dec, Dec, Signal];
    "rt_sigaction" => [Signal, Hex, Hex, Unsigned];
    "rt_sigprocmask" => [Dec, Hex, Hex, Unsigned];
    "rt_sigsuspend" => [Hex, Unsigned];
    "sigaltstack" | "nanosleep" => [Hex, Hex];
    "rt_sigreturn" | "getpid" | "getppid" | "gettid" | "getuid" | "geteuid" | "getgid" | "getegid"
        | "setsid" | "sched_yield" | "sync" => [];
    "futex" => [Hex, Futex, Unsigned, Hex, Hex, Hex];
    "set_tid_address" => [Hex];
    "set_robust_list" => [Hex, Unsigned];
    "clock_gettime" | "clock_getres" => [Dec, Hex];
    "clock_nanosleep" => [Dec, Hex, Hex, Hex];
    "getrandom" => [Hex, Unsigned, Hex];
    "prlimit64" => [Dec, Dec, Hex, Hex];
    "prctl" => [Dec, Hex, Hex, Hex, Hex];
    "uname" | "sysinfo" => [Hex];
    "riscv_hwprobe" => [Hex, Unsigned, Unsigned, Hex, Hex];
    "riscv_flush_icache" => [Hex, Hex, Hex];
}

/// Names of bits, with the guest's values.
type Bits = &'static [(u64, &'static str)];

const OPEN_BITS: Bits = &[
    (0o100, "O_CREAT"),
    (0o200, "O_EXCL"),
    (0o400, "O_NOCTTY"),
    (0o1000, "O_TRUNC"),
    (0o2000, "O_APPEND"),
    (0o4000, "O_NONBLOCK"),
    (0o10000, "O_DSYNC"),
    (0o40000, "O_DIRECT"),
    (0o100_000, "O_LARGEFILE"),
    (0o200_000, "O_DIRECTORY"),
    (0o400_000, "O_NOFOLLOW"),
    (0o1_000_000, "O_NOATIME"),
    (0o2_000_000, "O_CLOEXEC"),
    (0o4_000_000, "__O_SYNC"),
    (0o10_000_000, "O_PATH"),
    (0o20_000_000, "__O_TMPFILE"),
];
const PROT_BITS: Bits = &[(1, "PROT_READ"), (2, "PROT_WRITE"), (4, "PROT_EXEC")];
const MAP_BITS: Bits = &[
    (1, "MAP_SHARED"),
    (2, "MAP_PRIVATE"),
    (0x10, "MAP_FIXED"),
    (0x20, "MAP_ANONYMOUS"),
    (0x100, "MAP_GROWSDOWN"),
    (0x2000, "MAP_LOCKED"),
    (0x4000, "MAP_NORESERVE"),
    (0x8000, "MAP_POPULATE"),
    (0x2_0000, "MAP_STACK"),
    (0x4_0000, "MAP_HUGETLB"),
    (0x10_0000, "MAP_FIXED_NOREPLACE"),
];
const CLONE_BITS: Bits = &[
    (0x100, "CLONE_VM"),
    (0x200, "CLONE_FS"),
    (0x400, "CLONE_FILES"),
    (0x800, "CLONE_SIGHAND"),
    (0x1000, "CLONE_PIDFD"),
    (0x4000, "CLONE_VFORK"),
    (0x8000, "CLONE_PARENT"),
    (0x1_0000, "CLONE_THREAD"),
    (0x2_0000, "CLONE_NEWNS"),
    (0x4_0000, "CLONE_SYSVSEM"),
    (0x8_0000, "CLONE_SETTLS"),
    (0x10_0000, "CLONE_PARENT_SETTID"),
    (0x20_0000, "CLONE_CHILD_CLEARTID"),
    (0x100_0000, "CLONE_CHILD_SETTID"),
    (0x1000_0000, "CLONE_NEWUSER"),
];
const AT_BITS: Bits = &[
    (0x100, "AT_SYMLINK_NOFOLLOW"),
    (0x200, "AT_REMOVEDIR"),
    (0x400, "AT_SYMLINK_FOLLOW"),
    (0x800, "AT_NO_AUTOMOUNT"),
    (0x1000, "AT_EMPTY_PATH"),
];
const FCNTL_COMMANDS: [&str; 17] = [
    "F_DUPFD",
    "F_GETFD",
    "F_SETFD",
    "F_GETFL",
    "F_SETFL",
    "F_GETLK",
    "F_SETLK",
    "F_SETLKW",
    "F_SETOWN",
    "F_GETOWN",
    "F_SETSIG",
    "F_GETSIG",
    "12",
    "13",
    "14",
    "F_SETOWN_EX",
    "F_GETOWN_EX",
];
const FUTEX_OPS: [&str; 14] = [
    "FUTEX_WAIT",
    "FUTEX_WAKE",
    "FUTEX_FD",
    "FUTEX_REQUEUE",
    "FUTEX_CMP_REQUEUE",
    "FUTEX_WAKE_OP",
    "FUTEX_LOCK_PI",
    "FUTEX_UNLOCK_PI",
    "FUTEX_TRYLOCK_PI",
    "FUTEX_WAIT_BITSET",
    "FUTEX_WAKE_BITSET",
    "FUTEX_WAIT_REQUEUE_PI",
    "FUTEX_CMP_REQUEUE_PI",
    "FUTEX_LOCK_PI2",
];
const SIGNALS: [&str; 32] = [
    "0",
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// Appends the names of the bits that are set; `first` comes before them, or alone.
fn push_bits(out: &mut String, first: &str, mut value: u64, names: Bits) {
    let start = out.len();
    out.push_str(first);
    for &(bit, name) in names {
        if value & bit != 0 {
            value &= !bit;
            if out.len() > start {
                out.push('|');
            }
            out.push_str(name);
        }
    }
    if value != 0 {
        let bar = if out.len() > start { "|" } else { "" };
        let _ = write!(out, "{bar}{value:#x}");
    } else if out.len() == start {
        out.push('0');
    }
}

/// Appends a name from a list, or the number.
fn push_name(out: &mut String, names: &[&str], value: u64) {
    match usize::try_from(value).ok().and_then(|i| names.get(i)) {
        Some(name) => out.push_str(name),
        None => {
            let _ = write!(out, "{value}");
        }
    }
}

/// Bytes of a string or buffer that are shown.
const SHOWN: usize = 48;

/// Appends bytes in quotes, cut to [`SHOWN`].
fn push_quoted(out: &mut String, bytes: &[u8], more: bool) {
    let shown = &bytes[..bytes.len().min(SHOWN)];
    let dots = if more || shown.len() < bytes.len() { "..." } else { "" };
    let _ = write!(out, "\"{}\"{dots}", shown.escape_ascii());
}

/// Appends a string of the guest, or its address if it cannot be read.
fn push_string(out: &mut String, t: &Thread, addr: u64) {
    match t.memory().read_c_string(addr, SHOWN * 4) {
        Ok(Some(s)) if addr != 0 => push_quoted(out, &s, false),
        _ if addr == 0 => out.push_str("NULL"),
        _ => {
            let _ = write!(out, "{addr:#x}");
        }
    }
}

/// Appends a vector of strings, of which few are shown.
fn push_strings(out: &mut String, t: &Thread, addr: u64) {
    out.push('[');
    for i in 0..16 {
        match t.memory().read_u64(addr.wrapping_add(8 * i)) {
            Ok(0) | Err(_) => break,
            Ok(s) => {
                if i > 0 {
                    out.push_str(", ");
                }
                push_string(out, t, s);
            }
        }
    }
    out.push(']');
}

fn push_argument(out: &mut String, t: &Thread, show: Show, args: &[u64; 6], i: usize) {
    let v = args[i];
    let _ = match show {
        Dec => write!(out, "{}", v as i64),
        Unsigned => write!(out, "{v}"),
        // Small numbers, also negative ones of 32 bits, are no addresses.
        Word if (-4096..65536).contains(&i64::from(v as i32))
            && (v >> 32 == 0 || v as i64 == i64::from(v as i32)) =>
        {
            write!(out, "{}", v as i32)
        }
        Word => write!(out, "{v:#x}"),
        Hex if v == 0 => write!(out, "NULL"),
        Hex => write!(out, "{v:#x}"),
        Oct => write!(out, "{v:#03o}"),
        Dir if v as i32 == libc::AT_FDCWD => write!(out, "AT_FDCWD"),
        Dir => write!(out, "{}", v as i32),
        Str => return push_string(out, t, v),
        Strings => return push_strings(out, t, v),
        Data(n) => return push_data(out, t, v, args[usize::from(n)]),
        Open => {
            let mode = ["O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"][(v & 3) as usize];
            return push_bits(out, mode, v & 0xffff_fffc, OPEN_BITS);
        }
        Prot if v == 0 => write!(out, "PROT_NONE"),
        Prot => return push_bits(out, "", v, PROT_BITS),
        Map => return push_bits(out, "", v, MAP_BITS),
        CloneFlags => {
            push_bits(out, "", v & !0xff, CLONE_BITS);
            out.push('|');
            return push_name(out, &SIGNALS, v & 0xff);
        }
        At => return push_bits(out, "", v, AT_BITS),
        Signal => return push_name(out, &SIGNALS, v),
        Fcntl => return push_name(out, &FCNTL_COMMANDS, v),
        Futex => {
            push_name(out, &FUTEX_OPS, v & 0x7f);
            return if v & 0x80 != 0 {
                out.push_str("_PRIVATE")
            };
        }
        Ioctl => match ioctl::name(v as u32) {
            Some(name) => write!(out, "{name}"),
            None => write!(out, "{v:#x}"),
        },
    };
}

/// Appends the start of a buffer.
fn push_data(out: &mut String, t: &Thread, addr: u64, len: u64) {
    let n = len.min(SHOWN as u64) as usize;
    let mut bytes = [0; SHOWN];
    if t.memory().read_bytes(addr, &mut bytes[..n]).is_ok() {
        push_quoted(out, &bytes[..n], len > n as u64);
    } else {
        let _ = write!(out, "{addr:#x}");
    }
}

/// Calls that do not return: shown before they are made.
const LAST_CALLS: [&str; 3] = ["exit", "exit_group", "rt_sigreturn"];

/// The call that the thread is about to make, for [`end`]; `None` if nothing is traced.
#[inline]
pub(crate) fn begin(t: &Thread) -> Option<String> {
    begin_shown(t, t.process.options.strace.as_ref()?)
}

#[cold]
fn begin_shown(t: &Thread, trace: &Trace) -> Option<String> {
    if !trace.shows(t.syscall_number()) {
        return None;
    }
    let line = call(t);
    if table::name(t.syscall_number()).is_some_and(|name| LAST_CALLS.contains(&name)) {
        trace.print(&format!("{line} = ?\n"));
    }
    Some(line)
}

/// Prints an `execve` that is about to succeed.
pub(crate) fn succeeds(t: &Thread) {
    if let Some(line) = begin(t) {
        end(t, &line, Ok(0));
    }
}

/// Prints a call of [`begin`] with what came of it. A call that has set the registers itself has
/// nothing more to say.
pub(crate) fn end(t: &Thread, call: &str, result: SysResult) {
    if result != Err(Errno::NO_RESULT)
        && let Some(trace) = &t.process.options.strace
    {
        trace.print(&format!("{call}{}\n", outcome(result)));
    }
}

/// The call that the thread is about to make, as far as it is known before.
fn call(t: &Thread) -> String {
    let number = t.syscall_number();
    let args = t.args();
    let mut line = format!("{} ", t.tid);
    let name = table::name(number);
    match name {
        Some(name) => line.push_str(name),
        None => {
            let _ = write!(line, "syscall_{number}");
        }
    }
    line.push('(');
    let known = name.and_then(arguments).map(<[Show]>::to_vec);
    let shown = known.unwrap_or_else(|| by_table(number));
    for (i, &show) in shown.iter().enumerate() {
        if i > 0 {
            line.push_str(", ");
        }
        push_argument(&mut line, t, show, &args, i);
    }
    line.push(')');
    line
}

/// How the arguments of a call are shown of which nothing else is known than the table says.
fn by_table(number: u64) -> Vec<Show> {
    let Some(line) = table::find(number) else { return vec![Word; 6] };
    let show = |arg: &Arg| match *arg {
        Arg::S => Str,
        Arg::RN(count) => Data(count),
        _ => Word,
    };
    match line.spec {
        [] => vec![Word; line.arity.into()],
        spec => spec.iter().map(show).collect(),
    }
}

/// What follows the call when it has returned.
fn outcome(result: SysResult) -> String {
    match result {
        Ok(value) if value as i64 > 0xffff_ffff => format!(" = {value:#x}"),
        Ok(value) => format!(" = {}", value as i64),
        Err(Errno::RESTART) => " = ? (to be made again after a signal)".to_owned(),
        Err(e) => {
            let text = std::io::Error::from_raw_os_error(i32::from(e.0)).to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            format!(" = -1 {e} ({text})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(first: &str, value: u64, names: Bits) -> String {
        let mut out = String::new();
        push_bits(&mut out, first, value, names);
        out
    }

    #[test]
    fn bits_are_named_and_the_rest_is_a_number() {
        assert_eq!(bits("O_RDWR", 0o2_000_100, OPEN_BITS), "O_RDWR|O_CREAT|O_CLOEXEC");
        assert_eq!(bits("", 3, PROT_BITS), "PROT_READ|PROT_WRITE");
        assert_eq!(bits("", 0, AT_BITS), "0");
        assert_eq!(bits("", 0x9_0000_0001, MAP_BITS), "MAP_SHARED|0x900000000");
    }

    #[test]
    fn strings_are_escaped_and_cut() {
        let mut out = String::new();
        push_quoted(&mut out, b"a\n\xff", false);
        assert_eq!(out, r#""a\n\xff""#);
        out.clear();
        push_quoted(&mut out, &[b'x'; SHOWN + 1], false);
        assert_eq!(out, format!("\"{}\"...", "x".repeat(SHOWN)));
    }

    #[test]
    fn outcomes_read_like_strace() {
        assert_eq!(outcome(Ok(3)), " = 3");
        assert_eq!(outcome(Ok(0x20_0000_0000)), " = 0x2000000000");
        assert_eq!(outcome(Err(Errno::ENOENT)), " = -1 ENOENT (No such file or directory)");
    }

    #[test]
    fn every_call_that_is_shown_is_in_the_table() {
        for name in ["openat", "mmap", "riscv_hwprobe", "execveat"] {
            assert!(arguments(name).is_some());
        }
        assert!(table::TABLE.iter().filter(|s| arguments(s.name).is_some()).count() > 100);
    }
}
