//! Waiting for children and for threads that are traced (wait(2)): stops of the host's threads of
//! which the guest knows nothing are passed over, and the others are told as the guest's.

use crate::linux::abi::{Errno, GuestPtr, Pod as _, SigInfo, SysResult};
use crate::linux::args::host;
use crate::linux::host::{HostArg, host_call};
use crate::linux::process::{Process, Thread};
use crate::linux::ptrace::area::{Kind, Mode, TRACE_CODE};
use crate::linux::ptrace::tracees::{Stop, Tracee, ptrace};
use crate::mem::Access;
use crate::sys::async_signal::{ASKED_INTERRUPT, ASKED_STOP};
use std::time::Duration;

/// `PTRACE_EVENT_*` as the host tells of them.
const EVENT_FORK: u32 = 1;
const EVENT_VFORK: u32 = 2;
const EVENT_CLONE: u32 = 3;
const EVENT_EXEC: u32 = 4;
const EVENT_VFORK_DONE: u32 = 5;
const EVENT_EXIT: u32 = 6;
const EVENT_SECCOMP: u32 = 7;
const EVENT_STOP: u32 = 128;

const SIGTRAP: u32 = libc::SIGTRAP as u32;
const SIGSTOP: u32 = libc::SIGSTOP as u32;

/// Options that the host is told of: it attaches what is made, and stops for that.
const HOST_OPTIONS: u64 = (libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEVFORKDONE
    | libc::PTRACE_O_EXITKILL) as u32 as u64;

/// The host's options for those of the guest: it also tells of a new program, instead of sending
/// SIGTRAP.
pub(super) fn host_options(options: u64) -> u64 {
    (options & HOST_OPTIONS) | libc::PTRACE_O_TRACEEXEC as u64
}

fn resume(tid: i32, signal: u32) {
    // It may be dead.
    let _ = ptrace(libc::PTRACE_CONT, tid, 0, HostArg::value(signal.into()));
}

fn has(tracee: &Tracee, option: i32) -> bool {
    tracee.options & option as u32 as u64 != 0
}

fn event_message(tid: i32) -> u64 {
    let mut message = 0_u64;
    let to = HostArg::of_mut(&mut message);
    let _ = ptrace(libc::PTRACE_GETEVENTMSG, tid, 0, to);
    message
}

/// What the guest is to be told of a stop of the host's thread `tid`, whose status is `code`: a
/// signal, and above the low byte an event. `None`: it goes on, and the guest is told nothing.
fn guest_stop(process: &Process, tid: i32, code: u32) -> Option<u32> {
    let (signal, event) = (code & 0xff, code >> 8);
    let mut info = SigInfo::zeroed();
    let asked = ptrace(libc::PTRACE_GETSIGINFO, tid, 0, HostArg::of_mut(&mut info));
    if asked == Err(Errno::ESRCH) {
        // Not traced by this thread: a child that has stopped.
        return Some(code);
    }
    let all = &process.tracees;
    let known = all.find(tid);
    let mut tracee = known.unwrap_or_else(|| new_tracee(process, event, &info));
    if !tracee.prepared {
        let options = HostArg::value(host_options(tracee.options));
        tracee.prepared = ptrace(libc::PTRACE_SETOPTIONS, tid, 0, options).is_ok();
    }
    tracee.stop = None;
    let first = known.is_none();
    let ours = info.signo == libc::SIGSEGV && info.code == TRACE_CODE;
    let own = event == 0 && asked.is_ok() && ours && info.fields[1] == 0;
    let told = match event {
        0 if asked == Err(Errno::EINVAL) => {
            host_stop(&mut tracee, tid, 0);
            Some(code)
        }
        0 if own => own_stop(&mut tracee, tid, info.fields[2]),
        0 => {
            tracee.born |= first && !is_initial(&info);
            pass_signal(&mut tracee, tid, signal, &info, first);
            None
        }
        EVENT_FORK | EVENT_VFORK | EVENT_CLONE => {
            let child = event_message(tid) as i32;
            if all.find(child).is_none() {
                let (seized, options) = (tracee.seized, tracee.options);
                all.set(child, Tracee { seized, options, prepared: true, ..Tracee::default() });
            }
            // Threads of ours that run no guest are not told of.
            let by_guest = tracee.report(tid).is_some_and(|r| r.kind() == Some(Kind::Event));
            if by_guest {
                host_stop(&mut tracee, tid, event);
            }
            by_guest.then_some(code)
        }
        EVENT_STOP if signal == SIGTRAP && !tracee.born => None,
        EVENT_STOP if signal == SIGTRAP => {
            // The end of a group's stop: the guest is told where its registers are in order.
            let _ = ask(tid, &mut tracee, ASKED_INTERRUPT);
            None
        }
        EVENT_VFORK_DONE | EVENT_STOP => {
            host_stop(&mut tracee, tid, event);
            Some(code)
        }
        EVENT_EXEC => {
            tracee.area = 0;
            None
        }
        _ => None,
    };
    all.set(tid, tracee);
    // Whoever has got a signal goes on already.
    if told.is_none() && (event != 0 || own) {
        if own && let Some(mut report) = tracee.report(tid) {
            report.reply(tracee.mode, 0, tracee.options);
            let _ = tracee.answer(tid, &report);
        }
        resume(tid, 0);
    }
    told
}

/// A traced thread that nobody has told of: a child that has asked for it (`PTRACE_TRACEME`), or
/// what a traced one has made.
fn new_tracee(process: &Process, event: u32, info: &SigInfo) -> Tracee {
    let made = process.tracees.attached_by_maker();
    match made {
        Some(made) if event == EVENT_STOP || is_initial(info) => Tracee { prepared: true, ..made },
        _ => Tracee::default(),
    }
}

/// True for the SIGSTOP with which an attached child begins: nobody has sent it.
fn is_initial(info: &SigInfo) -> bool {
    info.signo == libc::SIGSTOP && info.code == libc::SI_USER && info.fields[0] == 0
}

/// True if a stopped host thread comes from kill(2). The kernel sends the SIGTRAP of a new program
/// as if the thread had done so itself, and ours lets it have that only later.
fn is_in_kill(tid: i32) -> bool {
    let _raised = crate::linux::host::limit::raise();
    let call = std::fs::read_to_string(format!("/proc/{tid}/syscall")).unwrap_or_default();
    call.split(' ').next().and_then(|number| number.parse().ok()) == Some(libc::SYS_kill)
}

/// Notes a stop of the host's that the guest is told of.
fn host_stop(tracee: &mut Tracee, tid: i32, event: u32) {
    let report = tracee.report(tid).filter(|r| r.kind() != Some(Kind::Running));
    tracee.stop = Some(Stop::Host { event, report });
}

/// A stop at a boundary between guest instructions, told by the words at `area`.
fn own_stop(tracee: &mut Tracee, tid: i32, area: u64) -> Option<u32> {
    tracee.area = area;
    let mut report = tracee.report(tid)?;
    if report.info().signo == libc::SIGSTOP
        && let (Some(Kind::Signal), Some(info)) = (report.kind(), tracee.stop_info)
    {
        report.set_info(&info);
    }
    let code = match report.kind()? {
        Kind::Signal => report.info().signo as u32,
        Kind::SyscallEntry | Kind::SyscallExit if has(tracee, libc::PTRACE_O_TRACESYSGOOD) => {
            SIGTRAP | 0x80
        }
        Kind::SyscallEntry | Kind::SyscallExit => SIGTRAP,
        Kind::Seccomp if has(tracee, libc::PTRACE_O_TRACESECCOMP) => SIGTRAP | EVENT_SECCOMP << 8,
        Kind::Born if tracee.seized => SIGTRAP | EVENT_STOP << 8,
        Kind::Born => SIGSTOP,
        Kind::Exec if has(tracee, libc::PTRACE_O_TRACEEXEC) => SIGTRAP | EVENT_EXEC << 8,
        Kind::Exec if !tracee.seized => SIGTRAP,
        Kind::Exit if has(tracee, libc::PTRACE_O_TRACEEXIT) => SIGTRAP | EVENT_EXIT << 8,
        Kind::Interrupt => SIGTRAP | EVENT_STOP << 8,
        Kind::Running
        | Kind::Hello
        | Kind::Seccomp
        | Kind::Exec
        | Kind::Event
        | Kind::Exit
        | Kind::Group => return None,
    };
    tracee.born = true;
    tracee.stop = Some(Stop::Own(report));
    Some(code)
}

/// Lets a host thread have a signal that it has not been given yet: its handler records it, and the
/// guest is told when it is to be delivered.
fn pass_signal(tracee: &mut Tracee, tid: i32, signal: u32, info: &SigInfo, first: bool) {
    if info.code == TRACE_CODE && info.signo != libc::SIGSEGV {
        // The default action of a signal of which the guest knows.
        return resume(tid, signal);
    }
    let by_user = signal == SIGTRAP && info.code == libc::SI_USER;
    if first && by_user && !is_in_kill(tid) || is_initial(info) {
        // The host's own program has begun, or an attached child.
        return resume(tid, 0);
    }
    match signal {
        // Nobody can catch it: what comes instead has the thread stop in order.
        SIGSTOP => {
            tracee.asked |= ASKED_STOP;
            tracee.stop_info = Some(*info);
        }
        _ if info.code == TRACE_CODE => tracee.asked |= info.fields[1],
        _ => return resume(tid, signal),
    }
    let mut asks = SigInfo { signo: libc::SIGSEGV, code: TRACE_CODE, ..SigInfo::zeroed() };
    asks.fields[1] = std::mem::take(&mut tracee.asked);
    let _ = ptrace(libc::PTRACE_SETSIGINFO, tid, 0, HostArg::of(&asks));
    resume(tid, libc::SIGSEGV as u32);
}

/// Asks a traced thread for something (`ASKED_*`). `None` if there is none.
pub(super) fn ask(tid: i32, tracee: &mut Tracee, what: u64) -> Option<()> {
    tracee.asked |= what;
    let process = match tracee.report(tid) {
        Some(report) => report.process(),
        None => process_of(tid)?,
    };
    let mut info = SigInfo { signo: libc::SIGSEGV, code: TRACE_CODE, ..SigInfo::zeroed() };
    info.fields[1] = what;
    let args = [process.into(), tid.into(), libc::SIGSEGV.into(), HostArg::of(&info)];
    host_call(libc::SYS_rt_tgsigqueueinfo, &args).ok().map(drop)
}

/// The process that a thread belongs to.
fn process_of(tid: i32) -> Option<i32> {
    let _raised = crate::linux::host::limit::raise();
    let status = std::fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    status.lines().find_map(|l| l.strip_prefix("Tgid:"))?.trim().parse().ok()
}

/// What is told of a thread that the host says has ended: `false` for one of which the guest does
/// not know.
fn guest_end(process: &Process, tid: i32) -> bool {
    process.tracees.remove(tid).is_none_or(|tracee| tracee.born || !tracee.prepared)
}

/// Longest pause between two looks at several traced threads.
const LONGEST_PAUSE: Duration = Duration::from_millis(5);

/// Before waiting for one of several traced threads: passes over stops of the others, which may
/// keep the one from coming to its own.
fn pass_others(t: &Thread, except: i32) {
    let options = libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    for tid in t.process.tracees.ids() {
        let stopped = t.process.tracees.find(tid).is_some_and(|tracee| tracee.stop.is_some());
        if tid == except || stopped {
            continue;
        }
        let mut info = SigInfo::zeroed();
        let to = HostArg::of_mut(&mut info);
        let args = [libc::P_PID.into(), tid.into(), to, options.into(), HostArg::NULL];
        if host_call(libc::SYS_waitid, &args).is_ok() && info.signo == libc::SIGCHLD {
            // One that is passed over is not there any more, though it was only looked at.
            let _ = guest_stop(&t.process, tid, info.fields[1] as u32);
        }
    }
}

/// Makes the host's call until it tells of something that is the guest's. `call` is given the
/// options to wait with; `pid` is the one thread that is waited for, if it is one.
fn wait(
    t: &Thread,
    pid: Option<i32>,
    options: i32,
    call: &mut dyn FnMut(i32) -> SysResult,
    told: &mut dyn FnMut() -> bool,
) -> SysResult {
    let mut pause = Duration::from_micros(50);
    loop {
        let others = pid.filter(|_| t.process.tracees.ids().len() > 1);
        let polls = others.is_some() && options & libc::WNOHANG == 0;
        let found = call(if polls { options | libc::WNOHANG } else { options })?;
        if told() {
            return Ok(found);
        }
        let Some(pid) = others.filter(|_| polls) else { continue };
        pass_others(t, pid);
        let time = crate::linux::abi::TimeSpec { tv_sec: 0, tv_nsec: pause.subsec_nanos().into() };
        if let Err(e @ (Errno::EINTR | Errno::RESTART)) =
            host!(t, SYS_nanosleep, HostArg::of(&time), HostArg::NULL)
        {
            return Err(e);
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

pub(crate) fn sys_wait4(
    t: &mut Thread,
    pid: i32,
    status: GuestPtr<i32>,
    options: i32,
    usage: u64,
) -> SysResult {
    let usage = t.guest(usage, 144, Access::Write)?;
    let mut found = 0_i32;
    let mut said = 0;
    let cell = std::cell::Cell::new((0_u64, 0_i32));
    let one = (pid > 0).then_some(pid);
    let result = wait(
        t,
        one,
        options,
        &mut |options| {
            let to = HostArg::of_mut(&mut found);
            let pid = host!(t, SYS_wait4, pid, to, options, usage)?;
            cell.set((pid, found));
            Ok(pid)
        },
        &mut || {
            let (pid, found) = cell.get();
            said = found;
            let tid = pid as i32;
            if pid == 0 {
                return options & libc::WNOHANG != 0;
            }
            if found & 0xff == 0x7f {
                let code = guest_stop(&t.process, tid, found as u32 >> 8);
                said = code.map_or(0, |code| (code << 8) as i32 | 0x7f);
                return code.is_some();
            }
            // Continued, or ended.
            found == 0xffff || guest_end(&t.process, tid)
        },
    );
    let pid = result?;
    if pid != 0 {
        status.write_optional(t.memory(), &said)?;
    }
    Ok(pid)
}

pub(crate) fn sys_waitid(
    t: &mut Thread,
    kind: i32,
    id: i32,
    info: GuestPtr<SigInfo>,
    options: i32,
    usage: u64,
) -> SysResult {
    let usage = t.guest(usage, 144, Access::Write)?;
    let cell = std::cell::Cell::new(SigInfo::zeroed());
    let mut said = SigInfo::zeroed();
    let one = (kind == libc::P_PID as i32).then_some(id);
    let result = wait(
        t,
        one,
        options,
        &mut |options| {
            let mut found = SigInfo::zeroed();
            let to = HostArg::of_mut(&mut found);
            let result = host!(t, SYS_waitid, kind, id, to, options, usage)?;
            cell.set(found);
            Ok(result)
        },
        &mut || {
            said = cell.get();
            let tid = said.fields[0] as i32;
            if said.signo == 0 {
                return options & libc::WNOHANG != 0;
            }
            let keeps = options & libc::WNOWAIT != 0;
            match said.code {
                libc::CLD_TRAPPED | libc::CLD_STOPPED => {
                    let code = guest_stop(&t.process, tid, said.fields[1] as u32);
                    said.fields[1] = said.fields[1] & !0xffff_ffff | u64::from(code.unwrap_or(0));
                    code.is_some()
                }
                libc::CLD_CONTINUED => true,
                _ if keeps => true,
                _ => guest_end(&t.process, tid),
            }
        },
    );
    if result.is_err() {
        said = SigInfo::zeroed();
    }
    // The kernel writes it whatever the result is.
    if !info.is_null() && result != Err(Errno::RESTART) {
        write_info(t, info, &said)?;
    }
    result
}

/// Writes what the kernel writes: the fields of SIGCHLD without times.
fn write_info(t: &Thread, to: GuestPtr<SigInfo>, info: &SigInfo) -> Result<(), Errno> {
    const WRITTEN: usize = 28;
    t.memory().write_bytes(to.0, &info.bytes()[..WRITTEN])?;
    Ok(())
}

/// Lets a traced thread go on as its tracer says.
pub(super) fn go_on(
    t: &Thread,
    tid: i32,
    mut tracee: Tracee,
    mode: Mode,
    signal: i32,
    request: u32,
) -> SysResult {
    let stop = tracee.stop.take().ok_or(Errno::ESRCH)?;
    tracee.mode = mode;
    let mut host_signal = 0;
    match stop {
        Stop::Own(mut report) => {
            report.reply(mode, signal, tracee.options);
            tracee.answer(tid, &report)?;
        }
        Stop::Host { event, .. } => {
            tracee.set_mode(tid, mode);
            host_signal = if event == 0 { 0 } else { signal };
        }
    }
    if mode == Mode::Detach {
        t.process.tracees.remove(tid);
    } else {
        t.process.tracees.set(tid, tracee);
    }
    ptrace(request, tid, 0, HostArg::int(host_signal))
}
