//! Actions, masks, delivery and return (signal(7); kernel: `kernel/signal.c`,
//! `arch/riscv/kernel/signal.c`).
//!
//! The host's kernel keeps what is pending and does default actions and ignoring; we run handlers.
//! Guest actions are mirrored as host actions, guest masks as host masks (see
//! `sys::async_signal`), so a signal reaches us only when the guest has a handler for it and does
//! not block it. Exceptions are SIGSEGV, SIGBUS and SIGFPE, whose actions and masks are kept by us.

use crate::cpu::{Exit, Fault, Hart};
use crate::linux::abi::{
    Errno, Fd, GuestPtr, NSIG, Pod, SigAction, SigContext, SigInfo, SigSet, SigStack, SysResult,
    TimeSpec, UContext,
};
use crate::linux::args::host;
use crate::linux::gdb::state as debug;
use crate::linux::host::HostArg;
use crate::linux::lock::lock;
use crate::linux::mm::mman::grow_stack;
use crate::linux::process::{Process, Thread};
use crate::linux::ptrace::area::TRACE_CODE;
use crate::linux::ptrace::stop;
use crate::linux::signal::actions::{
    DEFAULT_ACTION, FRAME, NO_ALTSTACK, SA_NOCLDSTOP, SA_NOCLDWAIT, SA_RESTART, SIG_DFL, SIG_IGN,
    SS_AUTODISARM, SS_DISABLE, SS_ONSTACK, WaitMask, bit,
};
use crate::linux::signal::core_dump;
use crate::linux::signal::mirror::{self, UNCATCHABLE, mirror};
use crate::linux::signal::vector;
use crate::linux::task::exit;
use crate::mem::Access;
use crate::sys::async_signal::{self, ASKED_DEBUG, ASKED_LOOK, RawInfo, UNBLOCKABLE};
use std::sync::Arc;

const SA_SIGINFO: u64 = 4;
/// Has no effect here; programs learn from it that flags which there are not are taken away.
const SA_EXPOSE_TAGBITS: u64 = 0x800;
const SA_ONSTACK: u64 = 0x0800_0000;
const SA_NODEFER: u64 = 0x4000_0000;
const SA_RESETHAND: u64 = 0x8000_0000;

/// Flags that a program finds again when it asks for an action (`UAPI_SA_FLAGS`).
const SA_KNOWN: u64 = SA_NOCLDSTOP
    | SA_NOCLDWAIT
    | SA_SIGINFO
    | SA_EXPOSE_TAGBITS
    | SA_ONSTACK
    | SA_RESTART
    | SA_NODEFER
    | SA_RESETHAND;

/// Smallest alternate stack, `MINSIGSTKSZ` of riscv64.
const MINSIGSTKSZ: u64 = 2048;

impl Process {
    /// What the process does on `signal`.
    fn action(&self, signal: i32) -> SigAction {
        lock(&self.actions)[signal as usize]
    }

    /// Sets an action. Returns the one before.
    fn set_action(&self, signal: i32, action: SigAction) -> SigAction {
        let mut actions = lock(&self.actions);
        let before = std::mem::replace(&mut actions[signal as usize], action);
        mirror(signal, &action);
        before
    }

    /// The action to be done now: one with `SA_RESETHAND` is done once.
    fn take_action(&self, signal: i32) -> SigAction {
        let mut actions = lock(&self.actions);
        let action = actions[signal as usize];
        if action.handler > SIG_IGN && action.flags & SA_RESETHAND != 0 {
            actions[signal as usize].handler = SIG_DFL;
            mirror(signal, &actions[signal as usize]);
        }
        action
    }

    /// Gives every signal that has a handler its default action (`CLONE_CLEAR_SIGHAND`).
    pub(crate) fn clear_handlers(&self) {
        let mut actions = lock(&self.actions);
        for (signal, action) in actions.iter_mut().enumerate().skip(1) {
            if action.handler != SIG_IGN {
                *action = DEFAULT_ACTION;
                mirror(signal as i32, action);
            }
        }
    }
}

pub(crate) fn sys_rt_sigaction(
    t: &mut Thread,
    signal: i32,
    new: GuestPtr<SigAction>,
    old: GuestPtr<SigAction>,
    size: usize,
) -> SysResult {
    if size != 8 || !(1..=NSIG as i32).contains(&signal) {
        return Err(Errno::EINVAL);
    }
    let new = new.read_optional(t.memory())?;
    if new.is_some() && bit(signal) & UNCATCHABLE != 0 {
        return Err(Errno::EINVAL);
    }
    let before = match new {
        Some(mut action) => {
            action.mask &= !UNCATCHABLE;
            action.flags &= SA_KNOWN;
            t.process.set_action(signal, action)
        }
        None => t.process.action(signal),
    };
    old.write_optional(t.memory(), &before)?;
    Ok(0)
}

impl Thread {
    /// Sets the guest's mask, and the host's unless a signal waits for its delivery.
    pub(crate) fn set_sigmask(&mut self, mask: u64) -> Result<(), Errno> {
        // With everything blocked, what has been recorded is all that there is: it came before
        // the new mask and is delivered before the call is made again.
        async_signal::set_mask(!0);
        if self.signals.is_pending() {
            return Err(Errno::RESTART);
        }
        self.sigmask = mask & !UNCATCHABLE;
        async_signal::set_mask(self.sigmask);
        self.signals.recheck(self.sigmask);
        Ok(())
    }
}

pub(crate) fn sys_rt_sigprocmask(
    t: &mut Thread,
    how: i32,
    new: GuestPtr<SigSet>,
    old: GuestPtr<SigSet>,
    size: usize,
) -> SysResult {
    if size != 8 {
        return Err(Errno::EINVAL);
    }
    let before = t.sigmask;
    if let Some(set) = new.read_optional(t.memory())? {
        let mask = match how {
            libc::SIG_BLOCK => before | set.bits,
            libc::SIG_UNBLOCK => before & !set.bits,
            libc::SIG_SETMASK => set.bits,
            _ => return Err(Errno::EINVAL),
        };
        t.set_sigmask(mask)?;
    }
    old.write_optional(t.memory(), &SigSet { bits: before })?;
    Ok(0)
}

pub(crate) fn sys_rt_sigpending(t: &mut Thread, set: GuestPtr<SigSet>, size: usize) -> SysResult {
    if size > 8 {
        return Err(Errno::EINVAL);
    }
    let mut pending = SigSet { bits: 0 };
    t.host(libc::SYS_rt_sigpending, &[HostArg::of_mut(&mut pending), HostArg::value(8)])?;
    pending.bits |= t.signals.sent() & t.sigmask;
    t.memory().write_bytes(set.0, &pending.bytes()[..size])?;
    Ok(0)
}

pub(crate) fn sys_rt_sigsuspend(t: &mut Thread, set: GuestPtr<SigSet>, size: usize) -> SysResult {
    if size != 8 {
        return Err(Errno::EINVAL);
    }
    let bits = set.read(t.memory())?.bits;
    let mask = t.wait_mask(bits)?;
    let result = t.host(libc::SYS_rt_sigsuspend, &[HostArg::of(&mask.host), HostArg::value(8)]);
    t.waited(Some(&mask), result)
}

impl Thread {
    /// The mask for a call that waits with `mask` in place of the thread's own.
    ///
    /// # Errors
    /// `EINTR` if a signal that the host does not keep is due under that mask.
    pub(crate) fn wait_mask(&mut self, mask: u64) -> Result<WaitMask, Errno> {
        let guest = mask & !UNCATCHABLE;
        let wait = WaitMask { guest, host: SigSet { bits: guest & !UNBLOCKABLE } };
        if self.signals.sent() & !guest & self.sigmask != 0 {
            self.signals.recheck(guest);
            return self.waited(Some(&wait), Err(Errno::EINTR)).map(|_| wait);
        }
        Ok(wait)
    }

    /// To be told of the result of a call that was given a mask: if a signal ended it, its handler
    /// runs under that mask, and the thread's own returns with the handler
    /// (`set_user_sigmask` and `sigsuspend` in `kernel/signal.c`).
    pub(crate) fn waited(&mut self, mask: Option<&WaitMask>, result: SysResult) -> SysResult {
        if let (Some(mask), Err(Errno::EINTR)) = (mask, result)
            && self.signals.is_pending()
        {
            self.saved_sigmask = Some(self.sigmask);
            self.sigmask = mask.guest;
        }
        result
    }
}

/// Waits for one of the signals of a set (sigtimedwait(2)).
pub(crate) fn sys_rt_sigtimedwait(
    t: &mut Thread,
    set: GuestPtr<SigSet>,
    info: GuestPtr<SigInfo>,
    timeout: u64,
    size: usize,
) -> SysResult {
    if size != 8 {
        return Err(Errno::EINVAL);
    }
    let wanted = SigSet { bits: set.read(t.memory())?.bits & !UNCATCHABLE };
    let timeout = t.guest(timeout, size_of::<TimeSpec>() as u64, Access::Read)?;
    if let Some(raw) = t.signals.take_sent(wanted.bits) {
        let sent = info_of(&raw);
        info.write_optional(t.memory(), &sent)?;
        return Ok(sent.signo as u64);
    }
    let mut got = SigInfo::zeroed();
    let args = [HostArg::of(&wanted), HostArg::of_mut(&mut got), timeout, HostArg::value(8)];
    let signal = t.host(libc::SYS_rt_sigtimedwait, &args)?;
    info.write_optional(t.memory(), &got)?;
    Ok(signal)
}

/// The host's information, which has the guest's layout.
fn info_of(raw: &RawInfo) -> SigInfo {
    let mut info = SigInfo::zeroed();
    for (to, word) in info.bytes_mut().chunks_exact_mut(8).zip(raw) {
        to.copy_from_slice(&word.to_ne_bytes());
    }
    info
}

/// Information that the guest sends with a signal: a copy. What looks like our own word to a tracer
/// of host threads, which would believe what it says of host memory, gets another code. `None`: the
/// host says what is wrong with it.
fn sent_info(t: &Thread, at: u64) -> Option<SigInfo> {
    /// Bytes that the kernel reads (`struct kernel_siginfo`).
    const READ: usize = 48;
    let mut info = SigInfo::zeroed();
    t.memory().read_bytes(at, &mut info.bytes_mut()[..READ]).ok()?;
    if info.code == TRACE_CODE {
        info.code -= 1;
    }
    Some(info)
}

pub(crate) fn sys_rt_sigqueueinfo(t: &mut Thread, pid: i32, signal: i32, info: u64) -> SysResult {
    match sent_info(t, info) {
        Some(info) => host!(t, SYS_rt_sigqueueinfo, pid, signal, HostArg::of(&info)),
        None => host!(t, SYS_rt_sigqueueinfo, pid, signal, t.input(info, 128)?),
    }
}

pub(crate) fn sys_rt_tgsigqueueinfo(
    t: &mut Thread,
    process: i32,
    tid: i32,
    signal: i32,
    info: u64,
) -> SysResult {
    match sent_info(t, info) {
        Some(info) => host!(t, SYS_rt_tgsigqueueinfo, process, tid, signal, HostArg::of(&info)),
        None => host!(t, SYS_rt_tgsigqueueinfo, process, tid, signal, t.input(info, 128)?),
    }
}

pub(crate) fn sys_pidfd_send_signal(
    t: &mut Thread,
    fd: Fd,
    signal: i32,
    info: u64,
    flags: u32,
) -> SysResult {
    match sent_info(t, info) {
        Some(info) => host!(t, SYS_pidfd_send_signal, fd, signal, HostArg::of(&info), flags),
        None => host!(t, SYS_pidfd_send_signal, fd, signal, t.input(info, 128)?, flags),
    }
}

pub(crate) fn sys_sigaltstack(
    t: &mut Thread,
    new: GuestPtr<SigStack>,
    old: GuestPtr<SigStack>,
) -> SysResult {
    let new = new.read_optional(t.memory())?;
    let sp = t.cpu.hart().x[2];
    let before =
        SigStack { flags: t.altstack.flags | on_stack_flag(&t.altstack, sp), pad: 0, ..t.altstack };
    if let Some(new) = new {
        t.altstack = checked_altstack(&t.altstack, &new, sp)?;
    }
    old.write_optional(t.memory(), &before)?;
    Ok(0)
}

/// What `do_sigaltstack` makes of a new stack while the stack pointer is `sp`.
fn checked_altstack(current: &SigStack, new: &SigStack, sp: u64) -> Result<SigStack, Errno> {
    if is_on(current, sp) {
        return Err(Errno::EPERM);
    }
    match new.flags & !SS_AUTODISARM {
        SS_DISABLE => return Ok(SigStack { flags: new.flags, ..NO_ALTSTACK }),
        0 | SS_ONSTACK => {}
        _ => return Err(Errno::EINVAL),
    }
    if new.size < MINSIGSTKSZ {
        return Err(Errno::ENOMEM);
    }
    Ok(SigStack { sp: new.sp, flags: new.flags & SS_AUTODISARM, pad: 0, size: new.size })
}

/// True if `sp` is on the alternate stack. With `SS_AUTODISARM` a thread never is, since the stack
/// was given up on entry to the handler.
fn is_on(stack: &SigStack, sp: u64) -> bool {
    stack.flags & SS_AUTODISARM == 0 && sp > stack.sp && sp - stack.sp <= stack.size
}

fn on_stack_flag(stack: &SigStack, sp: u64) -> i32 {
    if stack.size == 0 {
        SS_DISABLE
    } else if is_on(stack, sp) {
        SS_ONSTACK
    } else {
        0
    }
}

impl Thread {
    /// Delivers what has been recorded, until nothing waits. The pc is at an instruction
    /// boundary; an `ecall` that has not been made is made after the handlers.
    pub(crate) fn deliver_signals(&mut self) {
        loop {
            if let Some(asked) = self.signals.take_asked() {
                if asked & ASKED_DEBUG != 0 {
                    self.let_debug();
                }
                let of_tracer = asked & !(ASKED_DEBUG | ASKED_LOOK);
                if of_tracer != 0
                    && let Some(info) = stop::attend(self, of_tracer)
                {
                    self.act_on(&info);
                }
                continue;
            }
            let Some(raw) = self.signals.take(self.sigmask) else { break };
            self.deliver(&info_of(&raw));
            async_signal::set_mask(self.sigmask);
            self.signals.recheck(self.sigmask);
        }
        if let Some(mask) = self.saved_sigmask.take() {
            // No handler was entered after all.
            self.sigmask = mask;
            self.settle_mask();
        }
        if let Some(made) = self.restart.take() {
            // No handler runs: the call that was interrupted is made again.
            let hart = self.cpu.hart_mut();
            (hart.pc, hart.x[10]) = (made.pc, made.a0);
        }
    }

    /// Makes the host's mask the guest's. While a signal waits for its delivery, everything stays
    /// blocked, and the delivery does it.
    fn settle_mask(&mut self) {
        async_signal::set_mask(!0);
        if !self.signals.is_full() {
            async_signal::set_mask(self.sigmask);
        }
        self.signals.recheck(self.sigmask);
    }

    /// Delivers one signal that is not blocked, as tracer and debugger want it if there are such.
    fn deliver(&mut self, info: &SigInfo) {
        let traced = stop::before_signal(self, info);
        let info = match traced {
            Some(info) if self.process.debug.is_on() => self.signal_for(info),
            other => other,
        };
        if let Some(info) = info {
            self.act_on(&info);
        }
    }

    /// What a system call's `EINTR` is to be: one that no signal of the guest's has ended is made
    /// again.
    pub(crate) fn interrupted(&self) -> Errno {
        if self.signals.is_only_asked() { Errno::RESTART } else { Errno::EINTR }
    }

    /// Somebody with the right to send us signals wants to debug the process.
    fn let_debug(&self) {
        if !self.process.debug.is_on() {
            async_signal::set_mask(!0);
            if let Err(e) = (self.process.dispatch.let_debug)(&self.process) {
                tracing::warn!("no debugger can connect: {e}");
            }
        }
    }

    /// Delivers a signal of the debugger's.
    pub(crate) fn deliver_unasked(&mut self, info: &SigInfo) {
        self.act_on(info);
        self.settle_mask();
    }

    /// Runs the action of one signal.
    fn act_on(&mut self, info: &SigInfo) {
        let action = self.process.take_action(info.signo);
        match action.handler {
            SIG_IGN => {}
            // The first process of a name space does not die of what is sent to it.
            SIG_DFL if info.code <= 0 && std::process::id() == 1 => {}
            SIG_DFL if core_dump::is_core_signal(info.signo) => exit::die_of_signal(self, info),
            SIG_DFL if mirror::records_all() => stop::default_action(self, info),
            SIG_DFL if debug::records(info.signo) || core_dump::records_end(info.signo) => {
                exit::die_of_signal(self, info)
            }
            // The action changed after the signal was recorded; the host does the default one.
            SIG_DFL => self.send_again(info),
            _ => self.enter_handler(info, &action),
        }
    }

    fn send_again(&self, info: &SigInfo) {
        let pid = HostArg::value(u64::from(std::process::id()));
        let args = [pid, HostArg::int(self.tid), HostArg::int(info.signo), HostArg::of(info)];
        if crate::linux::host::host_call(libc::SYS_rt_tgsigqueueinfo, &args).is_err() {
            let _ = crate::linux::host::host_call(libc::SYS_tgkill, &args[..3]);
        }
    }

    /// Raises a signal that the thread's own instruction caused: it cannot be blocked or ignored.
    pub(crate) fn force_signal(&mut self, info: &SigInfo) {
        let Some(mut info) = stop::before_signal(self, info) else { return };
        if self.process.debug.is_on() {
            let Some(kept) = self.signal_for(info) else { return };
            info = kept;
        }
        let info = &info;
        let signal = info.signo;
        let action = self.process.take_action(signal);
        if action.handler <= SIG_IGN || self.sigmask & bit(signal) != 0 {
            exit::die_of_signal(self, info);
        }
        self.enter_handler(info, &action);
        self.settle_mask();
    }

    /// Serves an exit of the hart that is the guest's own fault.
    pub(crate) fn raise_for(&mut self, exit: Exit) {
        let pc = self.cpu.hart().pc;
        let (signo, code, addr) = match exit {
            Exit::Illegal { .. } => (libc::SIGILL, ILL_ILLOPC, pc),
            Exit::Ebreak => (libc::SIGTRAP, libc::TRAP_BRKPT, pc),
            // The kernel names the instruction, not the data (`do_trap_store_misaligned`).
            Exit::Misaligned(_) => (libc::SIGBUS, libc::BUS_ADRALN, pc),
            Exit::Fault(f) if !f.mapped && grow_stack(self, f.addr) => return,
            Exit::Fault(f) => fault_signal(&f),
            Exit::Ecall | Exit::FenceI | Exit::Interrupted | Exit::OutOfFuel => return,
        };
        let mut info = SigInfo { signo, code, ..SigInfo::zeroed() };
        info.fields[0] = addr;
        self.force_signal(&info);
    }

    /// Builds a signal frame and continues in the handler (`setup_rt_frame` of the kernel).
    fn enter_handler(&mut self, info: &SigInfo, action: &SigAction) {
        let signal = info.signo;
        let Some(frame) = self.push_frame(info, action) else {
            let segv = SigInfo { signo: libc::SIGSEGV, code: SI_KERNEL, ..SigInfo::zeroed() };
            if signal == libc::SIGSEGV {
                exit::die_of_signal(self, &segv);
            }
            return self.force_signal(&segv);
        };
        let sigreturn = self.process.sigreturn;
        let hart = self.cpu.hart_mut();
        hart.x[1] = sigreturn;
        hart.x[2] = frame;
        hart.x[10] = signal as u64;
        hart.x[11] = frame;
        hart.x[12] = frame + size_of::<SigInfo>() as u64;
        hart.pc = action.handler;
        hart.clear_reservation();
        self.restart = None;
        self.saved_sigmask = None;
        self.sigmask |= action.mask;
        if action.flags & SA_NODEFER == 0 {
            self.sigmask |= bit(signal);
        }
        self.sigmask &= !UNCATCHABLE;
        if self.altstack.flags & SS_AUTODISARM != 0 {
            self.altstack = NO_ALTSTACK;
        }
    }

    /// Writes the frame; `None` if there is no room on the stack.
    fn push_frame(&self, info: &SigInfo, action: &SigAction) -> Option<u64> {
        let hart = self.cpu.hart();
        let alt = &self.altstack;
        let mut sp = hart.x[2];
        let size = FRAME + vector::room_now(hart);
        if is_on(alt, sp) && !is_on(alt, sp.wrapping_sub(size)) {
            return None;
        }
        if action.flags & SA_ONSTACK != 0 && alt.size != 0 && !is_on(alt, sp) {
            sp = alt.sp.wrapping_add(alt.size);
        }
        let frame = sp.wrapping_sub(size) & !15;
        let mut uc = UContext {
            stack: *alt,
            sigmask: self.saved_sigmask.unwrap_or(self.sigmask),
            mcontext: context_of(hart),
            ..UContext::zeroed()
        };
        let mem = self.memory();
        vector::save(mem, hart, &mut uc, frame + FRAME)?;
        GuestPtr::new(frame).write(mem, info).ok()?;
        GuestPtr::new(frame + size_of::<SigInfo>() as u64).write(mem, &uc).ok()?;
        Some(frame)
    }
}

const ILL_ILLOPC: i32 = 1;
const SI_KERNEL: i32 = 0x80;
const SEGV_MAPERR: i32 = 1;
const SEGV_ACCERR: i32 = 2;

/// Signal, code and address for an access that memory refused.
fn fault_signal(f: &Fault) -> (i32, i32, u64) {
    if f.beyond_file {
        (libc::SIGBUS, libc::BUS_ADRERR, f.addr)
    } else if f.mapped {
        (libc::SIGSEGV, SEGV_ACCERR, f.addr)
    } else {
        (libc::SIGSEGV, SEGV_MAPERR, f.addr)
    }
}

fn context_of(hart: &Hart) -> SigContext {
    let mut c = SigContext { pc: hart.pc, f: hart.f, fcsr: hart.fcsr(), ..SigContext::zeroed() };
    c.x.copy_from_slice(&hart.x[1..]);
    c
}

pub(crate) fn sys_rt_sigreturn(t: &mut Thread) -> SysResult {
    let frame = t.cpu.hart().x[2];
    let uc = GuestPtr::<UContext>::new(frame.wrapping_add(size_of::<SigInfo>() as u64));
    let read = uc.read(t.memory()).ok();
    let machine = Arc::clone(&t.process.machine);
    let vectors = |uc: &UContext| {
        let at = frame.wrapping_add(FRAME);
        vector::restore(machine.memory(), t.cpu.hart_mut(), uc, at).is_ok()
    };
    let Some(uc) = read.filter(vectors) else {
        let mut info = SigInfo { signo: libc::SIGSEGV, code: SI_KERNEL, ..SigInfo::zeroed() };
        info.fields[0] = 0;
        t.force_signal(&info);
        return Err(Errno::NO_RESULT);
    };
    t.set_sigmask(uc.sigmask)?;
    let hart = t.cpu.hart_mut();
    hart.pc = uc.mcontext.pc & !1;
    hart.x[1..].copy_from_slice(&uc.mcontext.x);
    hart.f = uc.mcontext.f;
    hart.set_fcsr(uc.mcontext.fcsr);
    hart.clear_reservation();
    let sp = hart.x[2];
    if let Ok(stack) = checked_altstack(&t.altstack, &uc.stack, sp) {
        t.altstack = stack;
    }
    Err(Errno::NO_RESULT)
}
