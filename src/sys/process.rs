//! Making and replacing host processes.
#![allow(unsafe_code, reason = "calls fork, clone and execve")]
//! # Safety
//! `fork` copies the process with one thread; callers see to it that no lock of theirs is held by
//! another thread. A child of [`share`] runs in our memory while the calling thread waits in the
//! kernel, so its closure may use everything that the caller has borrowed.

use super::mmap::{HostProt, Reservation};
use super::syscall;
use crate::util::HostAddr;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::FromRawFd;
use std::os::unix::process::CommandExt;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// Starts a thread with `stack` bytes of stack, for which nobody waits.
///
/// Not one of the standard library's: these take a lock when they start and end, for a handler of
/// stack overflows that is not ours, and a child of a `fork` at that moment finds it taken for
/// ever.
///
/// # Errors
/// What `pthread_create` says.
pub fn spawn(stack: usize, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    type Body = Box<dyn FnOnce() + Send>;
    extern "C" fn start(body: *mut libc::c_void) -> *mut libc::c_void {
        // SAFETY: `spawn` made it of such a box, for this thread alone.
        let body: Box<Body> = unsafe { Box::from_raw(body.cast()) };
        body();
        std::ptr::null_mut()
    }
    let body: *mut Body = Box::into_raw(Box::new(Box::new(body)));
    // SAFETY: the attributes are initialised before and destroyed after their use; the thread owns
    // `body`, unless there is none.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        libc::pthread_attr_init(&raw mut attributes);
        libc::pthread_attr_setstacksize(&raw mut attributes, stack);
        libc::pthread_attr_setdetachstate(&raw mut attributes, libc::PTHREAD_CREATE_DETACHED);
        let mut thread = 0;
        let rc = libc::pthread_create(&raw mut thread, &raw const attributes, start, body.cast());
        libc::pthread_attr_destroy(&raw mut attributes);
        if rc != 0 {
            drop(Box::from_raw(body));
            return Err(io::Error::from_raw_os_error(rc));
        }
    }
    Ok(())
}

/// Calls a function with its argument on another stack, whose end is the first argument.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn on_stack(
    end: usize,
    body: extern "C" fn(*mut libc::c_void),
    arg: *mut libc::c_void,
) {
    std::arch::naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "mov rsp, rdi",
        "mov rdi, rdx",
        "call rsi",
        "mov rsp, rbp",
        "pop rbp",
        "ret",
    )
}

/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn on_stack(
    end: usize,
    body: extern "C" fn(*mut libc::c_void),
    arg: *mut libc::c_void,
) {
    std::arch::naked_asm!(
        "stp x29, x30, [sp, #-16]!",
        "mov x29, sp",
        "mov sp, x0",
        "mov x0, x2",
        "blr x1",
        "mov sp, x29",
        "ldp x29, x30, [sp], #16",
        "ret",
    )
}

/// Runs `body` with at least a mebibyte of stack: on another one, if the limit of the calling
/// thread's, the process's first, is lower (`RLIMIT_STACK`).
pub fn with_room<T>(body: impl FnOnce() -> T) -> T {
    const LEAST: u64 = 1 << 20;
    const OWN: usize = 4 << 20;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a local variable.
    let rc = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) };
    if rc != 0 || limit.rlim_cur >= LEAST {
        return body();
    }
    let page = super::mmap::host_page_size();
    let own = Reservation::new(page + OWN)
        .and_then(|own| own.map_anon(page..page + OWN, HostProt::RW, false).map(|()| own));
    // Without memory for another, this one may do.
    let Ok(own) = own else { return body() };
    struct Call<F, T>(Option<F>, Option<T>);
    extern "C" fn run<F: FnOnce() -> T, T>(call: *mut libc::c_void) {
        // SAFETY: the address of `call` below, whose frame waits for us.
        let call = unsafe { &mut *call.cast::<Call<F, T>>() };
        call.1 = call.0.take().map(|body| body());
    }
    fn entry<F: FnOnce() -> T, T>(_: &Call<F, T>) -> extern "C" fn(*mut libc::c_void) {
        run::<F, T>
    }
    let mut call = Call(Some(body), None);
    let run = entry(&call);
    let end = (own.base().0 + own.len()) & !15;
    // SAFETY: the stack is ours and big enough; a panic in `run` ends the process.
    unsafe { on_stack(end, run, (&raw mut call).cast()) };
    let Some(result) = call.1 else { unreachable!("it has returned") };
    result
}

/// As fork(2): 0 in the child.
///
/// # Errors
/// What `fork` says.
pub fn fork() -> io::Result<i32> {
    // SAFETY: see the module.
    let pid = unsafe { libc::fork() };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid) }
}

/// Runs `body` in a process that is no child of this one and outlives it, in a session of its own,
/// with no file of this one open but `/dev/null`. The calling process must have one thread.
///
/// # Errors
/// There can be no such process.
pub fn leave_behind(body: impl FnOnce()) -> io::Result<()> {
    let child = fork()?;
    if child == 0 {
        // SAFETY: a session, and a fork as above.
        let inner = unsafe {
            libc::setsid();
            libc::fork()
        };
        if inner == 0 {
            // SAFETY: nothing of this copy of the process is used below but what `body` has, which
            // opens what it needs; a panic ends it as its return does.
            unsafe {
                libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0);
                let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
                for fd in 0..3 {
                    libc::dup2(null, fd);
                }
                libc::close(null);
            }
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        }
        // SAFETY: without the exit handlers, which are this process's parent's to run.
        unsafe { libc::_exit(i32::from(inner < 0)) };
    }
    match wait(child)? {
        0 => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EAGAIN)),
    }
}

/// As [`fork`] with `CLONE_*` flags that concern neither memory nor threads, an exit signal in the
/// low byte, and where the kernel writes a pidfd (`CLONE_PIDFD`).
///
/// # Errors
/// What `clone` says.
pub fn fork_with(flags: u64, pidfd: Option<&mut i32>) -> io::Result<i32> {
    let parent_tid = pidfd.map_or(0, |p| std::ptr::from_mut(p) as u64);
    // Architectures differ in the order of the arguments behind these three, which are all 0.
    // SAFETY: without CLONE_VM and without a stack this is fork.
    let pid = unsafe { syscall::raw(libc::SYS_clone, [flags, 0, parent_tid, 0, 0, 0]) };
    if pid < 0 { Err(io::Error::from_raw_os_error(-pid as i32)) } else { Ok(pid as i32) }
}

/// What clone3(2) can be asked for and clone(2) cannot.
#[derive(Clone, Debug, Default)]
pub struct CloneMore {
    /// Process ids in the name spaces that the child is in, the innermost first.
    pub set_tid: Vec<i32>,
    /// Descriptor of the control group that the child starts in (`CLONE_INTO_CGROUP`).
    pub cgroup: Option<i32>,
    /// The child's children start in a new time name space (`CLONE_NEWTIME`).
    pub new_time: bool,
}

impl CloneMore {
    /// True if anything is asked for.
    #[must_use]
    pub fn is_some(&self) -> bool {
        !self.set_tid.is_empty() || self.cgroup.is_some() || self.new_time
    }
}

/// `struct clone_args` (`linux/sched.h`).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

impl CloneArgs {
    /// `flags` as for clone(2). The kernel reads `more` and writes `pidfd`.
    fn new(flags: u64, pidfd: *mut i32, more: &CloneMore) -> Self {
        const CSIGNAL: u64 = 0xff;
        const INTO_CGROUP: u64 = 1 << 33;
        const NEWTIME: u64 = 0x80;
        let into = if more.cgroup.is_some() { INTO_CGROUP } else { 0 };
        let time = if more.new_time { NEWTIME } else { 0 };
        Self {
            flags: flags & !CSIGNAL | into | time,
            pidfd: if flags & libc::CLONE_PIDFD as u64 != 0 { pidfd as u64 } else { 0 },
            exit_signal: flags & CSIGNAL,
            set_tid: if more.set_tid.is_empty() { 0 } else { more.set_tid.as_ptr() as u64 },
            set_tid_size: more.set_tid.len() as u64,
            cgroup: more.cgroup.map_or(0, |fd| fd as u64),
            ..Self::default()
        }
    }
}

/// As [`fork_with`] for what needs clone3(2). Returns the process id and, with `CLONE_PIDFD`, the
/// descriptor of the child.
///
/// # Errors
/// What `clone3` says.
pub fn fork_into(flags: u64, more: &CloneMore) -> io::Result<(i32, i32)> {
    let mut pidfd = -1;
    let args = CloneArgs::new(flags, &raw mut pidfd, more);
    let size = size_of::<CloneArgs>() as u64;
    // SAFETY: without CLONE_VM and without a stack this is fork; `args` and what it names are
    // local.
    let pid = unsafe { syscall::raw(libc::SYS_clone3, [&raw const args as u64, size, 0, 0, 0, 0]) };
    if pid < 0 { Err(io::Error::from_raw_os_error(-pid as i32)) } else { Ok((pid as i32, pidfd)) }
}

// clone3 with a stack: arguments, their size, a function and its argument for the child.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn clone3(
    args: *const CloneArgs,
    size: usize,
    child: extern "C" fn(*mut libc::c_void) -> i32,
    arg: *mut libc::c_void,
) -> i64 {
    std::arch::naked_asm!(
        "mov r8, rcx",
        "mov eax, 435",
        "syscall",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2:",
        "xor ebp, ebp",
        "mov rdi, r8",
        "call rdx",
        "mov edi, eax",
        "mov eax, 231",
        "syscall",
        "ud2",
    )
}

#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn clone3(
    args: *const CloneArgs,
    size: usize,
    child: extern "C" fn(*mut libc::c_void) -> i32,
    arg: *mut libc::c_void,
) -> i64 {
    std::arch::naked_asm!(
        "mov x8, #435",
        "svc #0",
        "cbz x0, 2f",
        "ret",
        "2:",
        "mov x29, #0",
        "mov x0, x3",
        "blr x2",
        "mov x8, #94",
        "svc #0",
        "brk #0",
    )
}

/// Reads words of the memory of another process (process_vm_readv(2)), by its id in our name
/// space.
///
/// # Errors
/// What the kernel says; `EFAULT` also if there are fewer.
pub fn read_memory(pid: i32, at: u64, words: &mut [u64]) -> io::Result<()> {
    let len = size_of_val(words);
    let here = [words.as_mut_ptr() as u64, len as u64];
    let there = [at, len as u64];
    let args = [pid as u64, here.as_ptr() as u64, 1, there.as_ptr() as u64, 1, 0];
    // SAFETY: the kernel writes `words`, which may hold anything, and reads our two vectors.
    match unsafe { syscall::raw(libc::SYS_process_vm_readv, args) } {
        n if n < 0 => Err(io::Error::from_raw_os_error(-n as i32)),
        n if n as usize == len => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EFAULT)),
    }
}

/// A descriptor of a child that nobody has waited for, closed by `execve`.
///
/// # Errors
/// What `pidfd_open` says.
pub fn pidfd(pid: i32) -> io::Result<i32> {
    // SAFETY: takes and returns numbers.
    let fd = unsafe { syscall::raw(libc::SYS_pidfd_open, [pid as u64, 0, 0, 0, 0, 0]) };
    if fd < 0 { Err(io::Error::from_raw_os_error(-fd as i32)) } else { Ok(fd as i32) }
}

/// Bytes of stack for a child of [`share`].
const CHILD_STACK: usize = 2 << 20;

/// Runs `child` in a new process that shares this one's memory, on a stack of its own, and waits
/// until it has been replaced or has ended: vfork(2). `flags` are further `CLONE_*` flags and the
/// exit signal; `pidfd` is where the kernel puts a descriptor of the child before it runs
/// (`CLONE_PIDFD`), `more` what clone(2) knows nothing of. The value of `child` is its exit code,
/// if it returns.
///
/// # Errors
/// What `clone` says, or that there is no memory for the stack.
pub fn share(
    flags: u64,
    pidfd: Option<&AtomicI32>,
    more: &CloneMore,
    mut child: &mut dyn FnMut() -> i32,
) -> io::Result<i32> {
    extern "C" fn start(arg: *mut libc::c_void) -> i32 {
        // SAFETY: `arg` is the address of `child` below, whose frame waits for us.
        let child = unsafe { &mut *arg.cast::<&mut dyn FnMut() -> i32>() };
        child()
    }
    let page = super::mmap::host_page_size();
    let stack = Reservation::new(page + CHILD_STACK)?;
    stack.map_anon(page..page + CHILD_STACK, HostProt::RW, false)?;
    let bottom = stack.base().0 + page;
    let top = (bottom + CHILD_STACK) & !15;
    let mut flags = flags as i32 | libc::CLONE_VM | libc::CLONE_VFORK;
    flags |= if pidfd.is_some() { libc::CLONE_PIDFD } else { 0 };
    let pidfd = pidfd.map_or(std::ptr::null_mut(), AtomicI32::as_ptr);
    if more.is_some() {
        let mut args = CloneArgs::new(flags as u32 as u64, pidfd, more);
        (args.stack, args.stack_size) = (bottom as u64, (top - bottom) as u64);
        let arg = (&raw mut child).cast();
        // SAFETY: as below.
        let pid = unsafe { clone3(&raw const args, size_of::<CloneArgs>(), start, arg) };
        let failed = || io::Error::from_raw_os_error(-pid as i32);
        return if pid < 0 { Err(failed()) } else { Ok(pid as i32) };
    }
    // SAFETY: CLONE_VFORK keeps this frame and the calling thread's local storage still until the
    // child is done with both; the stack is the child's alone.
    let pid = unsafe {
        libc::clone(start, top as *mut libc::c_void, flags, (&raw mut child).cast(), pidfd)
    };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid) }
}

/// Runs `child` in a new thread of this process with the ids that `more` asks for, which only
/// clone3(2) gives. It uses the calling thread's local storage: that thread waits in the kernel,
/// with all signals blocked, until the other has ended.
///
/// # Errors
/// What `clone3` says, or that there is no memory for the stack: then `child` has not run.
pub fn lend(more: &CloneMore, mut child: &mut dyn FnMut()) -> io::Result<()> {
    extern "C" fn start(arg: *mut libc::c_void) -> i32 {
        // SAFETY: `arg` is the address of `child` below, whose frame waits for us.
        let child = unsafe { &mut *arg.cast::<&mut dyn FnMut()>() };
        child();
        // SAFETY: ends this thread alone; nothing on its stack is used any more.
        unsafe { syscall::raw(libc::SYS_exit, [0; 6]) };
        unreachable!("the thread has ended")
    }
    let page = super::mmap::host_page_size();
    let stack = Reservation::new(page + CHILD_STACK)?;
    stack.map_anon(page..page + CHILD_STACK, HostProt::RW, false)?;
    let running = AtomicI32::new(1);
    let flags = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM
        | libc::CLONE_CHILD_CLEARTID;
    let mut args = CloneArgs::new(flags as u64, std::ptr::null_mut(), more);
    args.child_tid = running.as_ptr() as u64;
    (args.stack, args.stack_size) = ((stack.base().0 + page) as u64, CHILD_STACK as u64);
    let arg = (&raw mut child).cast();
    // SAFETY: the new thread alone uses the stack, and this thread's local storage, while we wait;
    // the kernel writes `running` at its end.
    let tid = unsafe { clone3(&raw const args, size_of::<CloneArgs>(), start, arg) };
    if tid < 0 {
        return Err(io::Error::from_raw_os_error(-tid as i32));
    }
    while running.load(Ordering::Acquire) != 0 {
        let word = running.as_ptr() as u64;
        // SAFETY: waits for a change of a word of ours.
        unsafe { syscall::raw(libc::SYS_futex, [word, libc::FUTEX_WAIT as u64, 1, 0, 0, 0]) };
    }
    Ok(())
}

/// The name by which this process was executed, if the kernel tells (`AT_EXECFN`).
#[must_use]
pub fn executed_as() -> Option<&'static CStr> {
    // SAFETY: a query of the vector that the process was started with.
    let name = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const libc::c_char;
    // SAFETY: not null, it is a string behind the initial stack, which stays.
    (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) })
}

/// What the kernel tells an interpreter that it has started for somebody else's program
/// (`fs/binfmt_misc.c`), and what it tells everybody of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// Behind the program's path stands its `argv[0]` (flag P, since Linux 5.12).
    pub preserves_argv0: bool,
    /// The program comes open (flag O).
    pub program: Option<i32>,
    /// Rights were gained by starting the program (flag C, set-id bits, capabilities): the
    /// environment is not to be trusted (`AT_SECURE`).
    pub secure: bool,
}

impl Invocation {
    /// That of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let entry = |kind| {
            // SAFETY: queries of the vector that the process was started with.
            unsafe {
                *libc::__errno_location() = 0;
                let value = libc::getauxval(kind);
                (*libc::__errno_location() != libc::ENOENT).then_some(value)
            }
        };
        Self {
            // `AT_FLAGS_PRESERVE_ARGV0` (`linux/binfmts.h`).
            preserves_argv0: entry(libc::AT_FLAGS).is_some_and(|flags| flags & 1 != 0),
            program: entry(libc::AT_EXECFD).and_then(|fd| i32::try_from(fd).ok()),
            secure: entry(libc::AT_SECURE).is_some_and(|secure| secure != 0),
        }
    }

    /// True if the kernel has started this process to run a program, which stands first among the
    /// arguments. (Without the flags O and P it does not tell.)
    #[must_use]
    pub fn is_for_program(&self) -> bool {
        self.preserves_argv0 || self.program.is_some()
    }

    /// The program's file, for who asks first.
    #[must_use]
    pub fn take_program(&self) -> Option<File> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        let fd = self.program?;
        // SAFETY: the kernel has opened it for this process, and this is done once.
        (!TAKEN.swap(true, Ordering::Relaxed)).then(|| unsafe { File::from_raw_fd(fd) })
    }
}

/// Pointers to strings, and a null pointer.
fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
}

/// Replaces the process by the open file `fd`, which stays open there. Returns only if that fails.
pub fn execute_fd(fd: i32, args: &[CString], env: &[CString]) -> io::Error {
    let (args, env) = (pointers(args), pointers(env));
    let flags = libc::AT_EMPTY_PATH as u64;
    let empty = c"".as_ptr() as u64;
    let call = [fd as u64, empty, args.as_ptr() as u64, env.as_ptr() as u64, flags, 0];
    // SAFETY: changes a flag of a descriptor; then, arrays of strings that end with null pointers.
    let result = unsafe {
        libc::fcntl(fd, libc::F_SETFD, 0);
        syscall::raw(libc::SYS_execveat, call)
    };
    // SAFETY: as above.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    io::Error::from_raw_os_error(-result as i32)
}

/// As execve(2): returns only if it fails.
#[must_use]
pub fn execve(path: &CStr, args: &[CString], env: &[CString]) -> io::Error {
    let (args, env) = (pointers(args), pointers(env));
    // SAFETY: NULL-terminated arrays of strings that outlive the call.
    unsafe { libc::execve(path.as_ptr(), args.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Lets the child of `command` have no files but the standard ones and `fds`, which keep their
/// numbers, whatever other calls of `execve` close.
pub fn keep_only_in_child(command: &mut std::process::Command, fds: Vec<i32>) {
    let keep = move || {
        close_others_on_exec();
        let failed = fds.iter().any(|&fd| {
            // SAFETY: changes a flag of a descriptor of the child.
            unsafe { libc::fcntl(fd, libc::F_SETFD, 0) < 0 }
        });
        if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    // SAFETY: what runs in the child are system calls, and reads of a list from before the fork.
    unsafe { command.pre_exec(keep) };
}

/// Has all descriptors but the standard ones closed by `execve`. Async-signal-safe.
fn close_others_on_exec() {
    // SAFETY: changes flags of descriptors.
    let done = unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    if done == 0 {
        return;
    }
    // Before Linux 5.11.
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes to a local variable.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    for fd in 3..limit.rlim_cur.min(1 << 20) as i32 {
        // SAFETY: as above; one that is not open stays so.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Waits for a child. Returns the status word of wait(2).
///
/// # Errors
/// What `waitpid` says.
pub fn wait(pid: i32) -> io::Result<i32> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is a local variable.
        if unsafe { libc::waitpid(pid, &raw mut status, 0) } >= 0 {
            return Ok(status);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Ids of the calling thread and of its process's user and group: thread, then real and effective
/// user, real and effective group.
#[must_use]
pub fn ids() -> (i32, [u32; 4]) {
    // SAFETY: these calls only return numbers.
    unsafe { (libc::gettid(), [libc::getuid(), libc::geteuid(), libc::getgid(), libc::getegid()]) }
}

/// The part of the kernel's `struct prctl_mm_map` (`linux/prctl.h`) before its pointer: where code,
/// data, heap, stack, arguments and environment are.
const MM_FIELDS: usize = 11;

/// Where a program is that this process runs, for `/proc`.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its code; the host's program's if absent.
    pub code: Option<Range<HostAddr>>,
    /// Its data; the host's program's if absent.
    pub data: Option<Range<HostAddr>>,
    /// Its initial stack pointer.
    pub stack: HostAddr,
    /// Its arguments, one behind the other, each with its NUL.
    pub args: Range<HostAddr>,
    /// Its environment, likewise.
    pub env: Range<HostAddr>,
}

/// Makes `/proc/PID/cmdline`, `environ` and `stat` of this process show that program, as long as
/// its strings lie there, and `auxv` a copy of these bytes.
///
/// # Errors
/// What `prctl` says; `EIO` if `/proc` does not tell what is to stay as it is. Nothing has changed
/// then.
pub fn show_program(shown: &Shown, auxv: &[u8]) -> io::Result<()> {
    #[repr(C)]
    struct Map {
        fields: [u64; MM_FIELDS],
        auxv: u64,
        auxv_size: u32,
        exe_fd: u32,
    }
    const PR_SET_MM_MAP: libc::c_ulong = 14;
    let unknown = || io::Error::from_raw_os_error(libc::EIO);
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(')').ok_or_else(unknown)?;
    let values: Vec<u64> = rest.split_whitespace().map(|v| v.parse().unwrap_or(0)).collect();
    // The first of `values` is field 3 of proc(5).
    let field = |n: usize| values.get(n - 3).copied().ok_or_else(unknown);
    let start = |r: &Option<Range<HostAddr>>, n| match r {
        Some(r) => Ok(r.start.0 as u64),
        None => field(n),
    };
    let end = |r: &Option<Range<HostAddr>>, n| match r {
        Some(r) => Ok(r.end.0 as u64),
        None => field(n),
    };
    // SAFETY: asks where the heap ends.
    let brk = unsafe { libc::sbrk(0) } as u64;
    let map = Map {
        fields: [
            start(&shown.code, 26)?,
            end(&shown.code, 27)?,
            start(&shown.data, 45)?,
            end(&shown.data, 46)?,
            field(47)?,
            brk,
            shown.stack.0 as u64,
            shown.args.start.0 as u64,
            shown.args.end.0 as u64,
            shown.env.start.0 as u64,
            shown.env.end.0 as u64,
        ],
        auxv: auxv.as_ptr() as u64,
        auxv_size: auxv.len() as u32,
        exe_fd: u32::MAX,
    };
    let size = size_of::<Map>() as libc::c_ulong;
    // SAFETY: `map` is the structure that the option reads; what it changes is what `/proc` shows.
    let rc = unsafe { libc::prctl(libc::PR_SET_MM, PR_SET_MM_MAP, &raw const map, size, 0) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
