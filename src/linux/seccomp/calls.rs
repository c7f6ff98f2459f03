//! Filters of system calls (seccomp(2)): classic BPF programs of the guest about the guest's calls,
//! evaluated here before a call is served (kernel: `kernel/seccomp.c`, `net/core/filter.c`).

use crate::linux::abi::{Errno, GuestPtr, Pod, SigInfo, SysResult};
use crate::linux::host::{HostArg, has_capability, host_call};
use crate::linux::lock::lock;
use crate::linux::process::{Process, Thread};
use crate::linux::ptrace::stop;
use crate::linux::seccomp::filter::{
    ARCH, DATA, Filter, MODE_FILTER, MODE_STRICT, RET_ACTION, RET_ALLOW, RET_DATA, RET_ERRNO,
    RET_KILL_PROCESS, RET_KILL_THREAD, RET_LOG, RET_TRACE, RET_TRAP, RET_USER_NOTIF, Restriction,
    Word, evaluate, is_valid,
};
use crate::linux::seccomp::listener;
use crate::linux::task::exit;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

const SET_MODE_STRICT: u32 = 0;
const SET_MODE_FILTER: u32 = 1;
const GET_ACTION_AVAIL: u32 = 2;
const GET_NOTIF_SIZES: u32 = 3;

const FLAG_TSYNC: u32 = 1;
const FLAG_LOG: u32 = 2;
const FLAG_SPEC_ALLOW: u32 = 4;
const FLAG_NEW_LISTENER: u32 = 8;
const FLAG_TSYNC_ESRCH: u32 = 16;
const FLAG_WAIT_KILLABLE: u32 = 32;

/// `SYS_SECCOMP`.
const SYS_SECCOMP: i32 = 1;
const CAP_SYS_ADMIN: u32 = 21;
/// Longest program (`BPF_MAXINSNS`), and of all that a thread has together.
const MAX_INSTRUCTIONS: usize = 4096;
const MAX_TOTAL: usize = 32768;
/// Largest error number.
const MAX_ERRNO: u32 = 4095;

/// What a thread's restriction says about a call.
enum Verdict {
    /// It is made.
    Allow,
    /// It is not made, and this is its result.
    Result(SysResult),
    /// `SIGSYS` with this error number.
    Trap(i32),
    /// The tracer is asked, and told this.
    Trace(u32),
    /// The filter's listener is asked.
    Ask,
    /// The thread ends, by this signal.
    KillThread(i32),
    /// The process ends.
    Kill,
}

fn verdict(t: &Thread) -> Verdict {
    if t.restriction.mode() == MODE_STRICT {
        // read, write, exit, rt_sigreturn.
        let allowed = matches!(t.syscall_number(), 63 | 64 | 93 | 139);
        return if allowed { Verdict::Allow } else { Verdict::KillThread(libc::SIGKILL) };
    }
    let mut data = [0; DATA];
    data[..4].copy_from_slice(&(t.syscall_number() as u32).to_le_bytes());
    data[4..8].copy_from_slice(&ARCH.to_le_bytes());
    let words = std::iter::once(t.cpu.hart().pc.wrapping_add(4)).chain(t.args());
    for (to, word) in data[8..].chunks_exact_mut(8).zip(words) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    let filters = lock(&t.restriction.filters).clone();
    // The newest program's say counts among equals.
    let (answer, listened) = std::iter::successors(filters.as_ref(), |f| f.before.as_ref())
        .map(|f| (evaluate(&f.program, &data), f.listened))
        .reduce(|all, one| {
            let rank = |value: u32| (value & RET_ACTION) as i32;
            if rank(one.0) < rank(all.0) { one } else { all }
        })
        .unwrap_or((RET_ALLOW, false));
    let value = answer & RET_DATA;
    match answer & RET_ACTION {
        RET_ALLOW | RET_LOG => Verdict::Allow,
        RET_ERRNO if value == 0 => Verdict::Result(Ok(0)),
        RET_ERRNO => Verdict::Result(Err(Errno(value.min(MAX_ERRNO) as u16))),
        RET_TRAP => Verdict::Trap(value as i32),
        RET_USER_NOTIF if listened => Verdict::Ask,
        RET_TRACE if t.trace.is_some() => Verdict::Trace(value),
        // Nobody listens and nobody traces.
        RET_USER_NOTIF | RET_TRACE => Verdict::Result(Err(Errno::ENOSYS)),
        RET_KILL_THREAD => Verdict::KillThread(libc::SIGSYS),
        _ => Verdict::Kill,
    }
}

/// Asks the thread's filters about the call that it is about to make.
///
/// # Errors
/// The result of a call that is not made.
pub(crate) fn allow(t: &mut Thread) -> Result<(), SysResult> {
    match verdict(t) {
        Verdict::Allow => Ok(()),
        Verdict::Result(result) => Err(result),
        Verdict::Trap(error) => Err(trap(t, SYS_SECCOMP, error)),
        Verdict::Trace(data) => match stop::before_filtered(t, data) {
            Some(true) => Ok(()),
            Some(false) => Err(Ok(t.cpu.hart().x[10])),
            None => Err(Err(Errno::ENOSYS)),
        },
        Verdict::Ask => listener::ask(t).map_or(Ok(()), Err),
        Verdict::KillThread(signal) if t.process.threads.load(Ordering::Acquire) > 1 => {
            Err(exit::sys_exit(t, signal))
        }
        verdict @ (Verdict::KillThread(_) | Verdict::Kill) => {
            let signo = match verdict {
                Verdict::KillThread(signal) => signal,
                _ => libc::SIGSYS,
            };
            exit::die_of_signal(t, &SigInfo { signo, code: SYS_SECCOMP, ..SigInfo::zeroed() })
        }
    }
}

/// Makes the call that the thread is at a SIGSYS with that code and error number.
pub(crate) fn trap(t: &mut Thread, code: i32, error: i32) -> SysResult {
    let pc = t.cpu.hart().pc.wrapping_add(4);
    let mut info = SigInfo { signo: libc::SIGSYS, code, ..SigInfo::zeroed() };
    info.errno = error;
    info.fields[0] = pc;
    info.fields[1] = (t.syscall_number() & 0xffff_ffff) | u64::from(ARCH) << 32;
    t.cpu.hart_mut().pc = pc;
    t.force_signal(&info);
    Err(Errno::NO_RESULT)
}

pub(crate) fn sys_seccomp(t: &mut Thread, operation: u32, flags: u32, arg: u64) -> SysResult {
    match operation {
        SET_MODE_STRICT if flags == 0 && arg == 0 => set_strict(t),
        SET_MODE_FILTER => set_filter(t, flags, GuestPtr::new(arg)),
        GET_ACTION_AVAIL if flags == 0 => {
            let action = GuestPtr::<u32>::new(arg).read(t.memory())?;
            let known = [
                RET_KILL_PROCESS,
                RET_KILL_THREAD,
                RET_TRAP,
                RET_ERRNO,
                RET_USER_NOTIF,
                RET_TRACE,
                RET_LOG,
                RET_ALLOW,
            ];
            if known.contains(&action) { Ok(0) } else { Err(Errno::EOPNOTSUPP) }
        }
        GET_NOTIF_SIZES if flags == 0 => {
            // `struct seccomp_notif`, its response, and `struct seccomp_data`.
            GuestPtr::<[u16; 3]>::new(arg).write(t.memory(), &[80, 24, DATA as u16])?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// `PR_SET_SECCOMP`, whose modes are numbered differently.
pub(crate) fn set_by_prctl(t: &mut Thread, mode: u64, filter: u64) -> SysResult {
    match mode as u32 {
        MODE_STRICT => set_strict(t),
        MODE_FILTER => set_filter(t, 0, GuestPtr::new(filter)),
        _ => Err(Errno::EINVAL),
    }
}

fn set_strict(t: &Thread) -> SysResult {
    if t.restriction.mode() == MODE_FILTER {
        return Err(Errno::EINVAL);
    }
    t.restriction.mode.store(MODE_STRICT, Ordering::Relaxed);
    Ok(0)
}

/// True if a thread that sets a filter cannot fool a program with more rights.
fn may_restrict() -> bool {
    let asked = [HostArg::int(libc::PR_GET_NO_NEW_PRIVS), 0.into(), 0.into(), 0.into(), 0.into()];
    host_call(libc::SYS_prctl, &asked) == Ok(1) || has_capability(CAP_SYS_ADMIN)
}

fn set_filter(t: &mut Thread, flags: u32, arg: GuestPtr<[u64; 2]>) -> SysResult {
    let has = |flag: u32| flags & flag != 0;
    let known = FLAG_TSYNC
        | FLAG_LOG
        | FLAG_SPEC_ALLOW
        | FLAG_NEW_LISTENER
        | FLAG_TSYNC_ESRCH
        | FLAG_WAIT_KILLABLE;
    // Two meanings of one result; and nobody to wait for.
    let contradicts = (has(FLAG_TSYNC) && has(FLAG_NEW_LISTENER) && !has(FLAG_TSYNC_ESRCH))
        || (has(FLAG_WAIT_KILLABLE) && !has(FLAG_NEW_LISTENER));
    if flags & !known != 0 || contradicts {
        return Err(Errno::EINVAL);
    }
    // `struct sock_fprog`: a count in 16 bits and, from byte 8 on, an address.
    let [count, at] = arg.read(t.memory())?;
    let count = usize::from(count as u16);
    if count == 0 || count > MAX_INSTRUCTIONS {
        return Err(Errno::EINVAL);
    }
    if !may_restrict() {
        return Err(Errno::EACCES);
    }
    let program = GuestPtr::<Word>::new(at).read_array(t.memory(), count)?;
    if !is_valid(&program) || t.restriction.mode() == MODE_STRICT {
        return Err(Errno::EINVAL);
    }
    let before = lock(&t.restriction.filters).clone();
    // The kernel counts four instructions more for each program.
    let total: usize = t.restriction.programs().iter().map(|f| f.program.len() + 4).sum();
    if total + count > MAX_TOTAL {
        return Err(Errno::ENOMEM);
    }
    let listened = has(FLAG_NEW_LISTENER);
    if listened && t.restriction.programs().iter().any(|f| f.listened) {
        return Err(Errno::EBUSY);
    }
    let mut targets = vec![Arc::clone(&t.restriction)];
    if has(FLAG_TSYNC) {
        targets = t.process.restrictions();
        if let Some(stray) = stray(t, &targets) {
            return if has(FLAG_TSYNC_ESRCH) { Err(Errno::ESRCH) } else { Ok(stray as u64) };
        }
        if !listened {
            listener::share_no_new_privs();
        }
    }
    let of_host = FLAG_TSYNC | FLAG_TSYNC_ESRCH | FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE;
    let result = if listened { listener::listen(flags & of_host)? } else { 0 };
    let filter = Arc::new(Filter { program, before, listened });
    for restriction in targets {
        restriction.install(Arc::clone(&filter));
    }
    Ok(result)
}

/// A thread that has not what this one has, or less, so that a filter cannot be installed for all.
fn stray(t: &Thread, all: &[Arc<Restriction>]) -> Option<i32> {
    let mine: Vec<_> = t.restriction.programs().iter().map(Arc::as_ptr).collect();
    let strays = |r: &&Arc<Restriction>| {
        let theirs = r.programs();
        r.mode() == MODE_STRICT || theirs.last().is_some_and(|f| !mine.contains(&Arc::as_ptr(f)))
    };
    all.iter().find(strays).map(|r| r.tid)
}

impl Process {
    /// The restrictions of all threads.
    fn restrictions(&self) -> Vec<Arc<Restriction>> {
        lock(&self.restrictions).iter().filter_map(Weak::upgrade).collect()
    }

    /// Ids of the threads that have not ended.
    pub(crate) fn thread_ids(&self) -> Vec<i32> {
        self.restrictions().iter().map(|r| r.tid).collect()
    }

    /// Keeps a new thread's restriction in mind.
    pub(crate) fn add_restriction(&self, restriction: &Arc<Restriction>) {
        let mut all = lock(&self.restrictions);
        all.retain(|r| r.strong_count() != 0);
        all.push(Arc::downgrade(restriction));
    }
}
