//! The traced thread's side of ptrace(2): it stops at boundaries between guest instructions, and
//! goes on as its tracer says (kernel: `kernel/ptrace.c`, `ptrace_stop` in `kernel/signal.c`).

use crate::linux::abi::{Errno, Pod as _, SigInfo, SysResult};
use crate::linux::host::{HostArg, host_call, limit};
use crate::linux::process::Thread;
use crate::linux::ptrace::area::{Area, Kind, Made, Mode, Report, TRACE_CODE};
use crate::linux::signal::mirror;
use crate::sys::async_signal::{self, ASKED_HELLO, ASKED_INTERRUPT, ASKED_STOP};
use std::sync::Arc;

/// What a tracer sees as the result of a call that is made again after a signal
/// (`ERESTARTNOHAND` if it was begun, `ERESTARTSYS` if not).
const BEGUN: u64 = 514;
const NOT_BEGUN: u64 = 512;
/// `PTRACE_EVENT_*`, as they stand in `si_code`.
const EVENT_EXEC: i32 = 4;
const EVENT_EXIT: i32 = 6;
const EVENT_SECCOMP: i32 = 7;
const EVENT_STOP: i32 = 128;
/// Bytes of an `ecall`, behind which the pc of a thread is that makes a system call.
const ECALL: u64 = 4;

/// The thread is traced from now on: it stops for what its tracer may want to know.
pub(crate) fn begin(t: &mut Thread) {
    t.trace = Some(Arc::new(Area::new()));
    mirror::record_all(&t.process);
}

/// The thread runs without a tracer.
fn end(t: &mut Thread) {
    t.trace = None;
    mirror::record_wanted(&t.process);
}

/// True if the host's kernel knows a tracer of the calling thread.
fn has_tracer() -> bool {
    let _raised = limit::raise();
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let tracer = status.lines().find_map(|l| l.strip_prefix("TracerPid:"));
    tracer.is_some_and(|n| n.trim() != "0")
}

/// `SIGTRAP` with that code, for `PTRACE_GETSIGINFO`.
fn trap_info(t: &Thread, code: i32) -> SigInfo {
    let mut info = SigInfo { signo: libc::SIGTRAP, code, ..SigInfo::zeroed() };
    info.fields[0] = t.tid as u64;
    info
}

/// Stops a thread that is traced until its tracer lets it go on. `None` if it has no tracer any
/// more: then nothing has happened.
fn stop(t: &mut Thread, mut report: Report, orig_a0: u64, skip: u64) -> Option<Report> {
    let area = Arc::clone(t.trace.as_ref()?);
    let mut shown = t.cpu.hart().clone();
    shown.pc = shown.pc.wrapping_add(skip);
    if let (Some(Kind::SyscallExit), Some(value)) = (report.kind(), t.shown_result.take()) {
        shown.x[10] = value;
    }
    report.set_state(&shown, orig_a0, t.sigmask);
    place(t, &mut report);
    area.say(&report);
    // Another signal of ours may have kept this one from being queued.
    while !area.is_answered() {
        queue_stop(t.tid, area.address());
        if !area.is_answered() && !has_tracer() {
            end(t);
            return None;
        }
    }
    let report = area.read();
    area.set_kind(Kind::Running);
    if report.is_changed() {
        let hart = t.cpu.hart_mut();
        report.load(hart);
        hart.pc = hart.pc.wrapping_sub(skip);
        t.restart = None;
        t.sigmask = *{ report }.sigmask() & !mirror::UNCATCHABLE;
        if !t.signals.is_full() {
            async_signal::set_mask(t.sigmask);
        }
        t.signals.recheck(t.sigmask);
    }
    adopt_writes(t);
    if report.mode() == Mode::Detach {
        end(t);
    }
    Some(report)
}

/// Has the host's kernel stop this thread: a signal of a traced thread waits for the tracer. The
/// tracer takes it away; without one, its handler does nothing.
fn queue_stop(tid: i32, area: u64) {
    let mut info = SigInfo { signo: libc::SIGSEGV, code: TRACE_CODE, ..SigInfo::zeroed() };
    info.fields[2] = area;
    let pid = std::process::id();
    let args = [pid.into(), tid.into(), libc::SIGSEGV.into(), HostArg::of(&info)];
    let _ = host_call(libc::SYS_rt_tgsigqueueinfo, &args);
}

/// Translations of what the tracer has written to are void.
fn adopt_writes(t: &Thread) {
    for range in t.process.rewritten.take() {
        t.memory().code_rewritten(range);
    }
}

/// Before a signal is delivered. What is to be delivered; `None` for nothing.
pub(crate) fn before_signal(t: &mut Thread, info: &SigInfo) -> Option<SigInfo> {
    if t.trace.is_none() {
        return Some(*info);
    }
    let a0 = t.cpu.hart().x[10];
    let Some(report) = stop(t, Report::new(Kind::Signal, 0, info), a0, 0) else {
        return Some(*info);
    };
    match report.signal() {
        0 => None,
        signal if signal == info.signo => Some(report.info()),
        signo => Some(SigInfo { signo, ..SigInfo::zeroed() }),
    }
}

/// Serves what somebody has asked of the thread by a signal: the bits of `ASKED_*`. A signal that
/// is to be delivered.
pub(crate) fn attend(t: &mut Thread, mut asked: u64) -> Option<SigInfo> {
    if t.trace.is_none() {
        if !has_tracer() {
            return None;
        }
        begin(t);
        asked |= ASKED_HELLO;
    }
    let a0 = t.cpu.hart().x[10];
    if asked & ASKED_HELLO != 0 {
        let info = trap_info(t, 0);
        stop(t, Report::new(Kind::Hello, 0, &info), a0, 0)?;
    }
    if asked & ASKED_INTERRUPT != 0 {
        let info = trap_info(t, libc::SIGTRAP | EVENT_STOP << 8);
        stop(t, Report::new(Kind::Interrupt, 0, &info), a0, 0)?;
    }
    if asked & ASKED_STOP == 0 {
        return None;
    }
    before_signal(t, &SigInfo { signo: libc::SIGSTOP, ..SigInfo::zeroed() })
}

/// Before a system call of a traced thread. True if it is not to be made, and a0 is its result.
pub(crate) fn before_call(t: &mut Thread) -> bool {
    let mode = t.trace.as_ref().map_or(Mode::Continue, |area| area.mode());
    if !matches!(mode, Mode::Syscall | Mode::Emulate) {
        return false;
    }
    let info = trap_info(t, libc::SIGTRAP);
    let a0 = t.cpu.hart().x[10];
    let stopped = stop(t, Report::new(Kind::SyscallEntry, 0, &info), a0, ECALL);
    stopped.is_some() && (mode == Mode::Emulate || is_refused(t))
}

/// True if the tracer has given the call a number that means none.
fn is_refused(t: &Thread) -> bool {
    t.syscall_number() as i32 == -1
}

/// After a system call with that result, which the registers already have.
pub(crate) fn after_call(t: &mut Thread, made: Made, result: SysResult) {
    let interrupted = result == Err(Errno::EINTR) && t.signals.is_pending();
    if interrupted && (t.trace.is_some() || t.signals.is_asked()) {
        // Made again, unless a handler runs.
        t.restart = Some(made);
    }
    let mode = match &t.trace {
        // A child comes back from a call of its parent's.
        Some(area) if !t.ended && made.tid == t.tid => area.mode(),
        _ => return,
    };
    match mode {
        Mode::Syscall => {
            let again = result == Err(Errno::RESTART);
            let info = trap_info(t, libc::SIGTRAP);
            t.shown_result = match result {
                Err(Errno::RESTART) => Some(NOT_BEGUN.wrapping_neg()),
                _ if t.restart.is_some() => Some(BEGUN.wrapping_neg()),
                _ => None,
            };
            let report = Report::new(Kind::SyscallExit, 0, &info);
            stop(t, report, made.a0, if again { ECALL } else { 0 });
        }
        Mode::Step => stepped(t),
        Mode::Continue | Mode::Emulate | Mode::Detach => {}
    }
}

/// True if the thread executes one instruction at a time.
pub(crate) fn steps(t: &Thread) -> bool {
    t.trace.as_ref().is_some_and(|area| area.mode() == Mode::Step)
}

/// After one instruction.
pub(crate) fn stepped(t: &mut Thread) {
    let mut info = trap_info(t, libc::TRAP_TRACE);
    info.fields[0] = t.cpu.hart().pc;
    let a0 = t.cpu.hart().x[10];
    let report = stop(t, Report::new(Kind::Signal, 0, &info), a0, 0);
    if let Some(signo) = report.map(|r| r.signal()).filter(|&s| s != 0 && s != libc::SIGTRAP) {
        let args = [std::process::id().into(), t.tid.into(), HostArg::int(signo)];
        let _ = host_call(libc::SYS_tgkill, &args);
    }
}

/// Asks the tracer about a call for which a filter says so, with the filter's data. `None` without
/// a tracer; else whether it is made.
pub(crate) fn before_filtered(t: &mut Thread, data: u32) -> Option<bool> {
    let info = trap_info(t, libc::SIGTRAP | EVENT_SECCOMP << 8);
    let a0 = t.cpu.hart().x[10];
    stop(t, Report::new(Kind::Seccomp, data.into(), &info), a0, ECALL)?;
    Some(!is_refused(t))
}

/// Before a thread ends with that status, as wait(2) tells it, if its tracer wants to know.
pub(crate) fn before_exit(t: &mut Thread, status: i32) {
    let wanted = |area: &Arc<Area>| area.options() & libc::PTRACE_O_TRACEEXIT as u64 != 0;
    if t.trace.as_ref().is_some_and(wanted) {
        let info = trap_info(t, libc::SIGTRAP | EVENT_EXIT << 8);
        let a0 = t.cpu.hart().x[10];
        stop(t, Report::new(Kind::Exit, status as u64, &info), a0, ECALL);
    }
}

/// Before a traced thread makes a process or thread: the host's kernel stops it then, and its
/// tracer reads its registers here.
pub(crate) fn before_event(t: &Thread) {
    let Some(area) = &t.trace else { return };
    let mode = area.mode();
    let mut report = Report::new(Kind::Event, 0, &trap_info(t, libc::SIGTRAP));
    let mut shown = t.cpu.hart().clone();
    shown.pc = shown.pc.wrapping_add(ECALL);
    report.set_state(&shown, shown.x[10], t.sigmask);
    place(t, &mut report);
    area.say(&report);
    area.set_mode(mode);
}

/// Says where guest memory is, and whose.
fn place(t: &Thread, report: &mut Report) {
    let (memory, rewritten) = (t.memory(), t.process.rewritten.address());
    report.set_place(memory.base().0 as u64, memory.size(), rewritten, std::process::id());
}

/// After that, in the maker.
pub(crate) fn after_event(t: &Thread) {
    if let Some(area) = &t.trace {
        area.set_kind(Kind::Running);
        adopt_writes(t);
    }
}

/// A thread begins that a traced one has made, or that goes on with another program: it stops
/// before its first instruction.
pub(crate) fn at_start(t: &mut Thread) {
    let Some(kind) = t.begins.take() else { return };
    let code = if kind == Kind::Exec { libc::SIGTRAP | EVENT_EXEC << 8 } else { 0 };
    let mut info = trap_info(t, code);
    if kind == Kind::Born {
        info.signo = libc::SIGSTOP;
    } else {
        mirror::record_all(&t.process);
    }
    let a0 = t.cpu.hart().x[10];
    let message = t.tid as u64;
    let Some(report) = stop(t, Report::new(kind, message, &info), a0, 0) else { return };
    if report.mode() == Mode::Syscall && kind == Kind::Exec {
        let made = Made { tid: t.tid, pc: t.cpu.hart().pc, a0 };
        after_call(t, made, Ok(0));
    }
}

impl Thread {
    /// For a thread that this one makes: traced if this one is.
    pub(crate) fn inherited_trace(&self) -> (Option<Arc<Area>>, Option<Kind>) {
        match &self.trace {
            Some(_) => (Some(Arc::new(Area::new())), Some(Kind::Born)),
            None => (None, None),
        }
    }
}

/// Does what a traced process's default action of a signal is: the host does it.
pub(crate) fn default_action(t: &Thread, info: &SigInfo) {
    if [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH].contains(&info.signo) {
        return;
    }
    if let Some(area) = &t.trace {
        area.set_kind(Kind::Group);
    }
    let process = Arc::clone(&t.process);
    // With our code the tracer knows that it has been told already.
    let again = SigInfo { code: TRACE_CODE, ..*info };
    let before = mirror::let_host_act(info.signo);
    let args = [std::process::id().into(), t.tid.into(), info.signo.into(), HostArg::of(&again)];
    let _ = host_call(libc::SYS_rt_tgsigqueueinfo, &args);
    async_signal::set_mask(before);
    mirror::record_again(&process, info.signo);
    if let Some(area) = &t.trace {
        area.set_kind(Kind::Running);
        adopt_writes(t);
    }
}
