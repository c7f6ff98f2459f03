//! The tracer's side of ptrace(2) (kernel: `kernel/ptrace.c`, `arch/riscv/kernel/ptrace.c`).

use crate::linux::abi::{Errno, GuestPtr, IoVec, Pod as _, SigInfo, SysResult};
use crate::linux::host::{HostArg, host_call};
use crate::linux::process::Thread;
use crate::linux::ptrace::area::{Kind, Mode, Report, TRACE_CODE};
use crate::linux::ptrace::stop;
use crate::linux::ptrace::tracees::{Stop, Tracee, ptrace};
use crate::linux::ptrace::wait::{ask, go_on, host_options};
use crate::linux::seccomp::filter::ARCH;
use crate::linux::task::peers;
use crate::sys::async_signal::{ASKED_HELLO, ASKED_INTERRUPT};

const TRACEME: u64 = 0;
const PEEKTEXT: u64 = 1;
const PEEKDATA: u64 = 2;
const POKETEXT: u64 = 4;
const POKEDATA: u64 = 5;
const CONT: u64 = 7;
const KILL: u64 = 8;
const SINGLESTEP: u64 = 9;
const ATTACH: u64 = 16;
const DETACH: u64 = 17;
const SYSCALL: u64 = 24;
const SYSEMU: u64 = 31;
const SETOPTIONS: u64 = 0x4200;
const GETEVENTMSG: u64 = 0x4201;
const GETSIGINFO: u64 = 0x4202;
const SETSIGINFO: u64 = 0x4203;
const GETREGSET: u64 = 0x4204;
const SETREGSET: u64 = 0x4205;
const SEIZE: u64 = 0x4206;
const INTERRUPT: u64 = 0x4207;
const LISTEN: u64 = 0x4208;
const PEEKSIGINFO: u64 = 0x4209;
const GETSIGMASK: u64 = 0x420a;
const SETSIGMASK: u64 = 0x420b;
const GET_SYSCALL_INFO: u64 = 0x420e;

/// `PTRACE_O_*` that there are (`PTRACE_O_MASK`), without that for suspending filters, which only a
/// checkpointing tool with privileges may set.
const OPTIONS: u64 = 0xff | 1 << 20;

/// `NT_PRSTATUS`, `NT_PRFPREG`.
const PRSTATUS: u64 = 1;
const PRFPREG: u64 = 2;

/// Highest signal.
const MOST_SIGNALS: u64 = 64;

pub(crate) fn sys_ptrace(
    t: &mut Thread,
    request: u64,
    pid: i32,
    addr: u64,
    data: u64,
) -> SysResult {
    match request {
        TRACEME => return trace_me(t),
        ATTACH => return attach(t, pid, false, 0),
        SEIZE => return attach(t, pid, true, data | if addr == 0 { 0 } else { !OPTIONS }),
        _ => {}
    }
    let mut tracee = t.process.tracees.find(pid).ok_or(Errno::ESRCH)?;
    match request {
        KILL => {
            let _ = host_call(libc::SYS_tkill, &[pid.into(), HostArg::int(libc::SIGKILL)]);
            Ok(0)
        }
        INTERRUPT if !tracee.seized => Err(Errno::EIO),
        INTERRUPT => {
            let asked = ask(pid, &mut tracee, ASKED_INTERRUPT);
            t.process.tracees.set(pid, tracee);
            asked.map(|()| 0).ok_or(Errno::ESRCH)
        }
        PEEKTEXT | PEEKDATA => peek(t, pid, &tracee, addr, data),
        POKETEXT | POKEDATA => poke(t, pid, &tracee, addr, data),
        CONT => resume(t, pid, tracee, Mode::Continue, data),
        SYSCALL => resume(t, pid, tracee, Mode::Syscall, data),
        SINGLESTEP => resume(t, pid, tracee, Mode::Step, data),
        SYSEMU => resume(t, pid, tracee, Mode::Emulate, data),
        DETACH => {
            let signal = valid_signal(data)?;
            go_on(t, pid, tracee, Mode::Detach, signal, DETACH as u32)
        }
        LISTEN => listen(t, pid, tracee),
        _ => inspect(t, request, pid, tracee, addr, data),
    }
}

/// Requests about a thread that is stopped.
fn inspect(
    t: &Thread,
    request: u64,
    pid: i32,
    mut tracee: Tracee,
    addr: u64,
    data: u64,
) -> SysResult {
    let stop = tracee.stop.ok_or(Errno::ESRCH)?;
    match request {
        SETOPTIONS => {
            if data & !OPTIONS != 0 {
                return Err(Errno::EINVAL);
            }
            let host = HostArg::value(host_options(data));
            ptrace(libc::PTRACE_SETOPTIONS, pid, 0, host)?;
            (tracee.options, tracee.prepared) = (data, true);
            t.process.tracees.set(pid, tracee);
            Ok(0)
        }
        GETEVENTMSG => {
            GuestPtr::<u64>::new(data).write(t.memory(), &message(pid, &stop)?)?;
            Ok(0)
        }
        GETSIGINFO => {
            let info = match &stop {
                Stop::Own(report) => report.info(),
                Stop::Host { .. } => {
                    let mut info = SigInfo::zeroed();
                    let to = HostArg::of_mut(&mut info);
                    ptrace(libc::PTRACE_GETSIGINFO, pid, 0, to)?;
                    info
                }
            };
            GuestPtr::<SigInfo>::new(data).write(t.memory(), &info)?;
            Ok(0)
        }
        SETSIGINFO => {
            let info = GuestPtr::<SigInfo>::new(data).read(t.memory())?;
            change(t, pid, tracee, |report| report.set_info(&info))
        }
        GETREGSET | SETREGSET => register_set(t, request, pid, tracee, addr, data),
        GETSIGMASK | SETSIGMASK if addr != 8 => Err(Errno::EINVAL),
        GETSIGMASK => {
            let mask = *registers(&stop)?.sigmask();
            GuestPtr::<u64>::new(data).write(t.memory(), &mask)?;
            Ok(0)
        }
        SETSIGMASK => {
            let mask = GuestPtr::<u64>::new(data).read(t.memory())?;
            change(t, pid, tracee, |report| {
                *report.sigmask() = mask;
                report.set_changed();
            })
        }
        PEEKSIGINFO => pending(t, pid, addr, data),
        GET_SYSCALL_INFO => syscall_info(t, &stop, addr, data),
        _ => Err(Errno::EIO),
    }
}

/// `PTRACE_PEEKSIGINFO`: signals that wait for a thread or, with the one flag that there is, for
/// its process. `what` is a `struct ptrace_peeksiginfo_args`. Returns how many were written to
/// `to`.
fn pending(t: &Thread, pid: i32, what: u64, to: u64) -> SysResult {
    const SHARED: u64 = 1;
    let [skipped, rest] = GuestPtr::<[u64; 2]>::new(what).read(t.memory())?;
    let (flags, most) = (rest & 0xffff_ffff, (rest >> 32) as i32);
    let most = usize::try_from(most).map_err(|_| Errno::EINVAL)?;
    if flags & !SHARED != 0 {
        return Err(Errno::EINVAL);
    }
    let (mut skipped, mut written) = (skipped, 0);
    for n in 0_u64.. {
        let (args, mut info) = ([n, flags | 1 << 32], SigInfo::zeroed());
        let args = [
            HostArg::value(PEEKSIGINFO),
            pid.into(),
            HostArg::of(&args),
            HostArg::of_mut(&mut info),
        ];
        if written == most || host_call(libc::SYS_ptrace, &args)? == 0 {
            break;
        }
        if info.code == TRACE_CODE {
            // Ours.
            continue;
        }
        if skipped > 0 {
            skipped -= 1;
            continue;
        }
        GuestPtr::<SigInfo>::new(to).add(written as u64).write(t.memory(), &info)?;
        written += 1;
    }
    Ok(written as u64)
}

fn trace_me(t: &mut Thread) -> SysResult {
    ptrace(libc::PTRACE_TRACEME, 0, 0, HostArg::NULL)?;
    stop::begin(t);
    Ok(0)
}

/// Attaches to a guest's thread. Who is none cannot be told what to do.
fn attach(t: &Thread, pid: i32, seized: bool, options: u64) -> SysResult {
    let own = u32::try_from(pid) == Ok(std::process::id());
    match peers::find_by_id(pid) {
        Some((number, _)) if peers::is_helper(number) => return Err(Errno::ESRCH),
        Some(_) => {}
        None if own => {}
        None => {
            let exists = host_call(libc::SYS_kill, &[pid.into(), 0.into()]);
            let gone = pid <= 0 || exists == Err(Errno::ESRCH);
            return Err(if gone { Errno::ESRCH } else { Errno::EPERM });
        }
    }
    if options & !OPTIONS != 0 {
        return Err(Errno::EIO);
    }
    let (request, host) = match seized {
        true => (libc::PTRACE_SEIZE, host_options(options)),
        false => (libc::PTRACE_ATTACH, 0),
    };
    ptrace(request, pid, 0, HostArg::value(host))?;
    let mut tracee = Tracee { seized, options, born: true, prepared: seized, ..Tracee::default() };
    if seized {
        // It does not stop for the guest to see, but learns that it is traced.
        let _ = ask(pid, &mut tracee, ASKED_HELLO);
    }
    t.process.tracees.set(pid, tracee);
    Ok(0)
}

/// A signal for a thread to go on with; 0 for none.
fn valid_signal(data: u64) -> Result<i32, Errno> {
    if data > MOST_SIGNALS { Err(Errno::EIO) } else { Ok(data as i32) }
}

fn resume(t: &Thread, pid: i32, tracee: Tracee, mode: Mode, data: u64) -> SysResult {
    let signal = valid_signal(data)?;
    go_on(t, pid, tracee, mode, signal, libc::PTRACE_CONT)
}

/// Leaves a thread of a stopped group stopped, and lets it tell when the group goes on.
fn listen(t: &Thread, pid: i32, mut tracee: Tracee) -> SysResult {
    match tracee.stop {
        Some(Stop::Host { .. }) if tracee.seized => {}
        Some(_) => return Err(Errno::EIO),
        None => return Err(Errno::ESRCH),
    }
    ptrace(LISTEN as u32, pid, 0, HostArg::NULL)?;
    tracee.stop = None;
    t.process.tracees.set(pid, tracee);
    Ok(0)
}

/// What the thread has said at its stop, with registers.
fn registers(stop: &Stop) -> Result<Report, Errno> {
    match stop {
        Stop::Own(report) | Stop::Host { report: Some(report), .. } => Ok(*report),
        // Between instructions of the host.
        Stop::Host { report: None, .. } => Err(Errno::EIO),
    }
}

/// Changes what a thread goes on with.
fn change(t: &Thread, pid: i32, mut tracee: Tracee, edit: impl FnOnce(&mut Report)) -> SysResult {
    match &mut tracee.stop {
        Some(Stop::Own(report)) => edit(report),
        Some(Stop::Host { .. }) => return Err(Errno::EIO),
        None => return Err(Errno::ESRCH),
    }
    t.process.tracees.set(pid, tracee);
    Ok(0)
}

fn message(pid: i32, stop: &Stop) -> Result<u64, Errno> {
    match stop {
        Stop::Own(report) => Ok(report.message()),
        Stop::Host { .. } => {
            let mut message = 0_u64;
            ptrace(libc::PTRACE_GETEVENTMSG, pid, 0, HostArg::of_mut(&mut message))?;
            Ok(message)
        }
    }
}

fn register_set(
    t: &Thread,
    request: u64,
    pid: i32,
    tracee: Tracee,
    which: u64,
    vector: u64,
) -> SysResult {
    let stop = tracee.stop.ok_or(Errno::ESRCH)?;
    let mut report = registers(&stop)?;
    let at = GuestPtr::<IoVec>::new(vector);
    let IoVec { base, len } = at.read(t.memory())?;
    let set = match which {
        PRSTATUS => report.integer(),
        PRFPREG => report.float(),
        _ => return Err(Errno::EINVAL),
    };
    if !len.is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    let words = set.len().min((len / 8) as usize);
    let done = words as u64 * 8;
    if request == GETREGSET {
        let bytes: Vec<u8> = set[..words].iter().flat_map(|w| w.to_le_bytes()).collect();
        t.memory().write_bytes(base, &bytes)?;
    } else {
        let new = GuestPtr::<u64>::new(base).read_array(t.memory(), words)?;
        change(t, pid, tracee, |report| {
            let set = if which == PRSTATUS { report.integer() } else { report.float() };
            set[..words].copy_from_slice(&new);
            report.set_changed();
        })?;
    }
    at.write(t.memory(), &IoVec { base, len: done })?;
    Ok(0)
}

/// Where a word of the thread's memory is in its host process.
fn host_word(pid: i32, tracee: &Tracee, addr: u64) -> Result<u64, Errno> {
    let stop = tracee.stop.ok_or(Errno::ESRCH)?;
    let at = match registers(&stop) {
        Ok(report) => report.host_addr(addr, 8),
        Err(_) => peers::find_by_id(pid).and_then(|(_, other)| other.host_addr(addr, 8)),
    };
    at.ok_or(Errno::EIO)
}

fn peek(t: &Thread, pid: i32, tracee: &Tracee, addr: u64, to: u64) -> SysResult {
    let at = host_word(pid, tracee, addr)?;
    let mut word = 0_u64;
    ptrace(libc::PTRACE_PEEKDATA, pid, at, HostArg::of_mut(&mut word))?;
    GuestPtr::<u64>::new(to).write(t.memory(), &word)?;
    Ok(0)
}

fn poke(t: &Thread, pid: i32, tracee: &Tracee, addr: u64, word: u64) -> SysResult {
    let at = host_word(pid, tracee, addr)?;
    ptrace(libc::PTRACE_POKEDATA, pid, at, HostArg::value(word))?;
    let process = tracee.stop.as_ref().and_then(|stop| registers(stop).ok()).map(|r| r.process());
    if let Some(process) = process {
        t.process.tracees.wrote(|p| p == process, &(addr..addr.wrapping_add(8)));
    }
    Ok(0)
}

/// `struct ptrace_syscall_info`, of which the guest has room for `size` bytes at `to`. Returns how
/// many there are.
fn syscall_info(t: &Thread, stop: &Stop, size: u64, to: u64) -> SysResult {
    const NONE: u64 = 0;
    const ENTRY: u64 = 1;
    const EXIT: u64 = 2;
    const SECCOMP: u64 = 3;
    let mut report = registers(stop)?;
    let orig_a0 = report.orig_a0();
    let (kind, message) = (report.kind(), report.message());
    let x = report.integer();
    let call = [x[17], orig_a0, x[11], x[12], x[13], x[14], x[15]];
    let (op, rest) = match (kind, stop) {
        (Some(Kind::SyscallEntry), Stop::Own(_)) => (ENTRY, call.to_vec()),
        (Some(Kind::SyscallExit), Stop::Own(_)) => {
            let failed = x[10] > (-4096_i64) as u64;
            (EXIT, vec![x[10], failed.into()])
        }
        (Some(Kind::Seccomp), Stop::Own(_)) => {
            (SECCOMP, call.iter().copied().chain([message]).collect())
        }
        _ => (NONE, Vec::new()),
    };
    let mut bytes = (op | u64::from(ARCH) << 32).to_le_bytes().to_vec();
    for word in [x[0], x[2]].into_iter().chain(rest) {
        bytes.extend(word.to_le_bytes());
    }
    // `is_error` is one byte, the filter's data are four.
    let whole = match op {
        EXIT => bytes.len() - 7,
        SECCOMP => bytes.len() - 4,
        _ => bytes.len(),
    };
    let n = whole.min(size as usize);
    t.memory().write_bytes(to, &bytes[..n])?;
    Ok(whole as u64)
}
