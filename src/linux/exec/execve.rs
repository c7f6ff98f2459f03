//! Starting another program (execve(2); kernel: `fs/exec.c`, `fs/binfmt_script.c`): our own
//! executable is started again, told what to run. What the guest sees as errors is checked before.

use crate::linux::abi::{Errno, Fd, GuestCStr, GuestPtr, SysResult};
use crate::linux::exec::executable;
use crate::linux::exec::inherit::Inherited;
use crate::linux::exec::loader::{Image, LoadError};
use crate::linux::exec::reentry::Reentry;
use crate::linux::exec::settings::{self, First};
use crate::linux::fs::namespace::{Located, open_path};
use crate::linux::fs::rootfs::Handle;
use crate::linux::host::{host_call, limit, path_of};
use crate::linux::lock::lock;
use crate::linux::process::{Options, Process, Thread};
use crate::linux::signal::mirror;
use crate::linux::task::exit;
use crate::linux::task::limits::Limits;
use crate::sys::async_signal;
use crate::sys::fd::Aside;
use crate::sys::process;
use std::ffi::{CStr, CString, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A program that can be started: an ELF file, after `#!` lines have been followed.
#[derive(Debug)]
pub(crate) struct Program {
    /// Where the host finds it.
    pub host: PathBuf,
    /// Where the guest finds it.
    pub guest: PathBuf,
    /// The name that was called: it names the process, also where a `#!` line leads elsewhere.
    pub called: PathBuf,
    /// Arguments, with those that `#!` lines add.
    pub args: Vec<Vec<u8>>,
    /// The descriptor that the host path leads through, if it does.
    pub held: Option<Handle>,
}

/// Scripts whose interpreters are scripts, at most (`BINPRM_BUF_SIZE` and the limit in
/// `search_binary_handler`).
const MAX_SCRIPTS: u32 = 5;
/// Bytes of a file's start that the kernel looks at.
const HEAD: usize = 256;

/// Finds out what starting `guest` means. `args` are those of the call.
pub(crate) fn find_program(
    options: &Options,
    guest: &Path,
    mut args: Vec<Vec<u8>>,
) -> Result<Program, LoadError> {
    let called = guest.to_owned();
    let mut guest = guest.to_owned();
    for depth in 0.. {
        let failed = |error| LoadError::File { path: guest.clone(), error };
        let Located { host, held } = options.files.locate(&guest).map_err(|e| failed(e.into()))?;
        let head = read_head(&host).map_err(failed)?;
        let Some(script) = head.strip_prefix(b"#!") else {
            return Ok(Program { host, guest, called, args, held });
        };
        let refused = || LoadError::File {
            path: guest.clone(),
            error: io::Error::from_raw_os_error(libc::ENOEXEC),
        };
        if depth > MAX_SCRIPTS {
            break;
        }
        let (interpreter, argument) = parse_script(script).ok_or_else(refused)?;
        let mut new = vec![interpreter.to_vec()];
        new.extend(argument.map(<[u8]>::to_vec));
        new.push(guest.as_os_str().as_bytes().to_vec());
        new.extend(args.into_iter().skip(1));
        args = new;
        guest = path_of(interpreter);
    }
    Err(LoadError::File { path: guest, error: io::Error::from_raw_os_error(libc::ELOOP) })
}

/// What the kernel says about executing a file.
fn may_execute(path: &Path) -> Result<(), Errno> {
    match crate::linux::host::check_execute(path) {
        // A kernel before 6.14, which does not answer.
        Err(Errno::EINVAL | Errno::ENOSYS) => Ok(()),
        other => other,
    }
}

/// The first bytes of a file that may be executed.
fn read_head(path: &Path) -> io::Result<Vec<u8>> {
    may_execute(path)?;
    let meta = std::fs::metadata(path)?;
    let executable = meta.mode() & 0o111 != 0 && crate::linux::host::may_execute(path);
    if !meta.is_file() || !executable {
        return Err(io::Error::from_raw_os_error(libc::EACCES));
    }
    let mut head = Vec::new();
    File::open(path)?.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Interpreter and optional argument of a `#!` line, of which `script` is what follows the mark: of
/// a longer line as much as the kernel looks at, if the interpreter's name ends there
/// (`fs/binfmt_script.c`).
fn parse_script(script: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let text = |from: usize, to: usize| {
        let part = &script[from.min(script.len())..to.min(script.len())];
        part.split(|&b| b == 0).next().unwrap_or_default()
    };
    let start = script.iter().position(|b| !blank(b))?;
    let line = match script.iter().position(|&b| b == b'\n') {
        Some(end) => end,
        None if script.len() < HEAD - 2 => script.len(),
        None => {
            script[start..].iter().position(|b| blank(b) || *b == 0)?;
            HEAD - 3
        }
    };
    let end = script[..line].iter().rposition(|b| !blank(b))? + 1;
    if start >= end {
        return None;
    }
    match script[start..end].iter().position(|b| blank(b) || *b == 0) {
        Some(n) if script[start + n] != 0 => {
            let argument = start + n + script[start + n..end].iter().position(|b| !blank(b))?;
            Some((text(start, start + n), Some(text(argument, end))))
        }
        _ => Some((text(start, end), None)),
    }
}

/// Longest argument or variable (`MAX_ARG_STRLEN`).
const MAX_STRING: usize = 128 << 10;

/// Counts a NULL-terminated array of addresses, as the kernel does before it looks at a string.
fn count_strings(t: &Thread, array: GuestPtr<u64>) -> Result<u64, Errno> {
    if array.is_null() {
        return Ok(0);
    }
    for n in 0.. {
        if array.add(n).read(t.memory())? == 0 {
            return Ok(n);
        }
    }
    Err(Errno::E2BIG)
}

/// Arguments, or variables of an environment.
type Strings = Vec<Vec<u8>>;

/// Copies arguments and environment, which may have as many bytes as the limit of the stack allows:
/// many addresses may name the same long string.
fn read_strings(
    t: &Thread,
    args: GuestPtr<u64>,
    env: GuestPtr<u64>,
) -> Result<(Strings, Strings), Errno> {
    let counts = [count_strings(t, args)?, count_strings(t, env)?];
    let most = t.process.limits().arguments();
    let addresses = (counts[0].max(1) + counts[1]) * 8;
    let mut room: u64 = most.checked_sub(addresses).filter(|&r| r != 0).ok_or(Errno::E2BIG)?;
    let mut copy = |array: GuestPtr<u64>, n: u64| -> Result<Strings, Errno> {
        let mut all = Vec::new();
        for i in (0..n).rev() {
            let at = array.add(i).read(t.memory())?;
            let string = t.memory().read_c_string(at, MAX_STRING)?.ok_or(Errno::E2BIG)?;
            room = room.checked_sub(string.len() as u64 + 1).ok_or(Errno::E2BIG)?;
            all.push(string);
        }
        all.reverse();
        Ok(all)
    };
    // The kernel copies the environment first, and the last string of each.
    let env = copy(env, counts[1])?;
    Ok((copy(args, counts[0])?, env))
}

impl From<LoadError> for Errno {
    /// What execve(2) says in such a case.
    fn from(e: LoadError) -> Self {
        match e {
            LoadError::File { error, .. }
            | LoadError::Interpreter { error, .. }
            | LoadError::Host(error) => Self::from(error),
            LoadError::Elf { .. } => Self::ENOEXEC,
            LoadError::Addresses { .. } | LoadError::Memory(_) | LoadError::Reserve(_) => {
                Self::ENOMEM
            }
            LoadError::TooLong => Self::E2BIG,
            LoadError::NoReentry => Self::EPERM,
        }
    }
}

pub(crate) fn sys_execve(
    t: &mut Thread,
    path: GuestCStr,
    args: GuestPtr<u64>,
    env: GuestPtr<u64>,
) -> SysResult {
    sys_execveat(t, Fd::CWD, path, args, env, 0)
}

pub(crate) fn sys_execveat(
    t: &mut Thread,
    dir: Fd,
    path: GuestCStr,
    args: GuestPtr<u64>,
    env: GuestPtr<u64>,
    flags: i32,
) -> SysResult {
    let given = path.read_path(t.memory())?;
    if given.is_empty() && flags & libc::AT_EMPTY_PATH == 0 {
        return Err(Errno::ENOENT);
    }
    if flags & !(libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    // The next program, which is us, needs descriptors before it can know its limit.
    let _raised = limit::raise();
    let path = named(t, dir, &given, flags)?;
    let strings = read_strings(t, args, env);
    if strings.is_err() {
        // A program that is not there is found out first.
        find_program(&t.process.options, &path, vec![Vec::new()])?;
    }
    let (args, env) = strings?;
    let by_fd = given.is_empty() || (dir != Fd::CWD && given.first() != Some(&b'/'));
    exec(t, &path, by_fd.then_some((dir.0, &given)), args, env)
}

/// Where descriptors go that must survive until a program is loaded.
const SPARE_FD: i32 = 100;

/// A path to an open file.
pub(crate) fn fd_path(fd: i32) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{fd}"))
}

impl Process {
    /// True if the name of the executable still leads to it.
    pub(crate) fn has_exe_name(&self, file: &Aside) -> bool {
        let id = |m: std::fs::Metadata| (m.dev(), m.ino());
        let named = std::fs::metadata(&self.exe_host).ok().map(id);
        named.is_some()
            && named == file.metadata().ok().map(id)
            && !self.exe_host.starts_with("/proc")
    }

    /// What `/proc/self/exe` says.
    pub(crate) fn exe_name(&self) -> PathBuf {
        match &self.exe_file {
            Some(file) if !self.has_exe_name(file) => {
                let link = std::fs::read_link(fd_path(file.as_raw_fd()));
                link.map_or_else(|_| self.exe.clone(), |link| self.file_name(&link))
            }
            _ => self.exe.clone(),
        }
    }
}

/// The inverse of [`fd_path`] and [`open_path`].
fn open_file(path: &Path) -> Option<i32> {
    let own = format!("/proc/{}/fd", std::process::id());
    let number = path.strip_prefix("/proc/self/fd").or_else(|_| path.strip_prefix(own));
    number.ok()?.to_str()?.parse().ok()
}

/// The standard descriptors that are closed, or will be by `execve`. Rust's start-up code opens
/// something in their place, so the next program's has to be told.
fn closed_standard_files() -> Vec<i32> {
    let open = |fd: i32| {
        let flags = host_call(libc::SYS_fcntl, &[fd.into(), libc::F_GETFD.into()]);
        flags.is_ok_and(|f| f as i32 & libc::FD_CLOEXEC == 0)
    };
    (0..3).filter(|&fd| !open(fd)).collect()
}

/// The path of the program that the arguments of execveat name.
fn named(t: &Thread, dir: Fd, path: &[u8], flags: i32) -> Result<PathBuf, Errno> {
    let relative = path.first() != Some(&b'/') && dir != Fd::CWD;
    if relative && (!path.is_empty() || flags & libc::AT_EMPTY_PATH != 0) {
        host_call(libc::SYS_fcntl, &[dir.into(), libc::F_GETFD.into()])?;
    }
    if path.is_empty() {
        return Ok(if dir == Fd::CWD { PathBuf::from(".") } else { fd_path(dir.0) });
    }
    let files = &t.process.options.files;
    let path = path_of(path);
    let named =
        if path.is_absolute() || dir == Fd::CWD { path } else { files.directory(dir)?.join(path) };
    if flags & libc::AT_SYMLINK_NOFOLLOW != 0 && files.is_link(&named) {
        return Err(Errno::ELOOP);
    }
    Ok(named)
}

/// Makes sure that the program's host path leads to it after `execve`, when descriptors may be
/// closed that it leads through. The result is a descriptor that has to stay open until then.
///
/// # Errors
/// The host's.
fn keep_reachable(t: &Thread, program: &mut Program) -> Result<Option<i32>, Errno> {
    let held = program.held.as_ref().map(Handle::fd);
    let Some(fd) = held.or_else(|| open_file(&program.host)) else { return Ok(None) };
    match std::fs::canonicalize(&program.host) {
        // In a world of the guest's own, what a host path means may change.
        Ok(real) if held.is_none() => {
            program.host = real;
            Ok(None)
        }
        _ => {
            if held.is_none() {
                let name = std::fs::read_link(&program.host)?;
                program.guest = t.process.file_name(&name);
            }
            // No name leads to it: a descriptor that stays open until it is loaded.
            let args = [fd.into(), libc::F_DUPFD.into(), SPARE_FD.into()];
            let fd = host_call(libc::SYS_fcntl, &args)? as i32;
            program.host = fd_path(fd);
            Ok(Some(fd))
        }
    }
}

/// Names a program that was found by way of the descriptor `fd` as the kernel does.
///
/// # Errors
/// `ENOENT` if it is a script and its interpreter will not find the descriptor open.
fn called_by_fd(program: &mut Program, path: &Path, fd: i32, rest: &[u8]) -> Result<(), Errno> {
    let slash: &[u8] = if rest.is_empty() { b"" } else { b"/" };
    let called = [format!("/dev/fd/{fd}").as_bytes(), slash, rest].concat();
    if program.guest != path {
        let flags = host_call(libc::SYS_fcntl, &[fd.into(), libc::F_GETFD.into()])?;
        if flags as i32 & libc::FD_CLOEXEC != 0 {
            return Err(Errno::ENOENT);
        }
        // The script's name is an argument of its interpreter.
        let name = path.as_os_str().as_bytes();
        program.args.iter_mut().skip(1).filter(|a| *a == name).for_each(|a| a.clone_from(&called));
    }
    program.called = path_of(&called);
    Ok(())
}

fn exec(
    t: &mut Thread,
    path: &Path,
    by_fd: Option<(i32, &Vec<u8>)>,
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
) -> SysResult {
    // The link means the guest's program, where the host's would be us.
    let own = path == Path::new("/proc/self/exe");
    let gone = t.process.exe_file.as_ref().filter(|file| !t.process.has_exe_name(file));
    let path = match gone {
        Some(file) if own => open_path(file),
        _ if own => t.process.exe.clone(),
        _ => path.to_owned(),
    };
    let args = if args.is_empty() { vec![Vec::new()] } else { args };
    let mut program = find_program(&t.process.options, &path, args)?;
    if let Some((fd, rest)) = by_fd {
        called_by_fd(&mut program, &path, fd, rest)?;
    }
    match check(&t.process.options, &program) {
        Err(LoadError::Elf { .. }) if t.process.options.host_exec => {
            return exec_host(t, &program, &env);
        }
        other => other?,
    }
    let again = own_program(&t.process.options)?;
    let again = CString::new(again.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    let mut close = closed_standard_files();
    close.extend(keep_reachable(t, &mut program)?);
    async_signal::set_mask(!0);
    if t.signals.is_pending() {
        return Err(Errno::RESTART);
    }
    let credentials = new_credentials(t, &program);
    let debug = t.hand_over_debugger().unwrap_or_default();
    let traced = t.trace.is_some();
    let reentry = Reentry {
        flags: t.process.options.reentry.clone(),
        host: program.host,
        guest: program.guest,
        called: program.called,
        sigmask: t.sigmask,
        inherited: Some(Inherited::of(t)),
        settings: settings::to_words(&t.process.options),
        first: First::default(),
        close,
        credentials,
        debug,
        world: t.process.options.files.world().map_or_else(Vec::new, |w| w.to_words()),
        args: program.args,
        env,
    };
    exit::before_exec(t);
    if let Some(world) = t.process.options.files.world() {
        world.keep_open();
    }
    (t.process.dispatch.show_success)(t);
    // What is ignored stays so, though a tracer wants to be told of it.
    if traced || mirror::records_all() {
        mirror::record_wanted(&t.process);
    }
    let result = match replace(&again, &reentry) {
        Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP if may_leave_to_kernel(t, &reentry) => {
            exec_by_kernel(t, &reentry)
        }
        error => error,
    };
    if traced {
        mirror::record_all(&t.process);
    }
    t.keep_debugger();
    if open_file(&reentry.host).is_some() {
        // Ours, or as good as never opened.
        let _ = reentry.close.last().map(|&fd| host_call(libc::SYS_close, &[fd.into()]));
    }
    async_signal::set_mask(t.sigmask);
    Err(result)
}

/// Who the guest believes to be afterwards, as text; empty without a fake root.
fn new_credentials(t: &Thread, program: &Program) -> String {
    let held = lock(&t.process.credentials);
    let (Some(c), Some(world)) = (&*held, t.process.options.files.world()) else {
        return String::new();
    };
    let fd = program.held.as_ref().map(Handle::fd);
    fd.map_or_else(|| c.to_text(), |fd| world.for_program(c, fd).to_text())
}

/// Starts a program of the host, which then runs without us.
fn exec_host(t: &Thread, program: &Program, env: &[Vec<u8>]) -> SysResult {
    // Its machine is not the guest's: what the kernel has no loader for it refuses.
    (t.process.dispatch.show_success)(t);
    Err(execute_as_is(t, &program.host, &program.args, env))
}

/// Lets the kernel start a program as it starts any. Returns only if that fails.
fn execute_as_is(t: &Thread, path: &Path, args: &[Vec<u8>], env: &[Vec<u8>]) -> Errno {
    let strings = |all: &[Vec<u8>]| all.iter().map(|s| CString::new(s.as_slice())).collect();
    let args: Result<Vec<_>, _> = strings(args);
    let env: Result<Vec<_>, _> = strings(env);
    let path = CString::new(path.as_os_str().as_bytes());
    let (Ok(path), Ok(args), Ok(env)) = (path, args, env) else { return Errno::EINVAL };
    t.process.limits().hand_over();
    let error = process::execve(&path, &args, &env);
    Limits::take_over();
    Errno::from(error)
}

/// True if the kernel, which has started us for a program of the guest's machine, will do so again,
/// and nothing would be lost that only we hand on: the way out where our executable is not to be
/// found, as in another root directory without `/proc`.
fn may_leave_to_kernel(t: &Thread, reentry: &Reentry) -> bool {
    process::Invocation::of_process().is_for_program()
        && t.process.options.reentry_program.is_none()
        && reentry.world.is_empty()
        && reentry.debug.is_empty()
        && reentry.inherited.as_ref().is_none_or(|i| i.filters.is_empty() && !i.traced)
        && !reentry.host.starts_with("/proc")
}

/// Lets the kernel start the program of `reentry`, with us as its interpreter. Returns only if that
/// fails.
fn exec_by_kernel(t: &Thread, reentry: &Reentry) -> Errno {
    // The kernel hands on the mask as it is.
    async_signal::set_mask(t.sigmask);
    if t.signals.is_pending() {
        return Errno::RESTART;
    }
    execute_as_is(t, &reentry.host, &reentry.args, &reentry.env)
}

/// Starts ourselves again, or what `program` is. Returns only if that fails.
fn replace(program: &CStr, reentry: &Reentry) -> Errno {
    let strings: Result<Vec<CString>, _> =
        reentry.to_args().into_iter().map(CString::new).collect();
    match strings {
        Ok(strings) => Errno::from(executable::execute(program, &strings, &own_environment())),
        Err(_) => Errno::EINVAL,
    }
}

/// The executable that a program becomes: one that looks for a [`Reentry`].
///
/// # Errors
/// [`LoadError::NoReentry`].
pub(crate) fn own_program(options: &Options) -> Result<PathBuf, LoadError> {
    match &options.reentry_program {
        Some(path) => Ok(path.clone()),
        None if Reentry::is_expected() => Ok("/proc/self/exe".into()),
        None => Err(LoadError::NoReentry),
    }
}

/// What steers the C library.
pub(crate) const TUNABLES: &str = "GLIBC_TUNABLES";

/// What steers the C library that we are linked with stays as we were started with it.
fn own_environment() -> Vec<CString> {
    let set = |value: OsString| [TUNABLES.as_bytes(), b"=", value.as_bytes()].concat();
    let tunables = std::env::var_os(TUNABLES).map(set);
    tunables.and_then(|t| CString::new(t).ok()).into_iter().collect()
}

/// The errors that loading would find after the point of no return.
pub(crate) fn check(options: &Options, program: &Program) -> Result<(), LoadError> {
    let image = Image::open(&program.host)?;
    if let Some(path) = &image.elf.interpreter {
        let path = path_of(path);
        let missing = |path: PathBuf, error| LoadError::Interpreter {
            program: program.guest.clone(),
            path,
            error,
        };
        let found = match options.files.locate(&path) {
            Ok(found) => found,
            Err(e) => return Err(missing(path, e.into())),
        };
        let failed = |error: Errno| missing(path.clone(), error.into());
        may_execute(&found.host).map_err(failed)?;
        Image::open(&found.host).map_err(|e| match e {
            LoadError::File { error, .. } => missing(path, error),
            other => other,
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreter_lines() {
        let parse = |s: &'static str| parse_script(s.as_bytes());
        assert_eq!(parse("/bin/sh\n"), Some((&b"/bin/sh"[..], None)));
        assert_eq!(parse(" \t/bin/sh  -e -x \nrest"), Some((&b"/bin/sh"[..], Some(&b"-e -x"[..]))));
        assert_eq!(parse("\n"), None);
        assert_eq!(parse("/bin/sh"), Some((&b"/bin/sh"[..], None)));
        // As long as what the kernel looks at, and one longer.
        let mut long = [b'x'; HEAD - 2];
        assert_eq!(parse_script(&long), None);
        long[HEAD - 3] = b' ';
        assert_eq!(parse_script(&long), Some((&long[..HEAD - 3], None)));
    }
}
