//! Host signal handlers for faults, with the handlers that stood before as fallback.
#![allow(unsafe_code, reason = "installs signal handlers and alternate stacks")]
//! # Safety
//! The handler touches only its own frame, atomics, and what the registered [`FaultHook`] does;
//! a hook must be async-signal-safe: no locks, no allocation, no panics.

use super::access;
use super::ucontext::Context;
use crate::util::HostAddr;
use std::cell::OnceCell;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Asked about each synchronous fault that is not one of [`access`]'s. True: it has changed the
/// context and execution goes on. False: not ours.
pub type FaultHook = fn(&mut Context, &HostFaultInfo) -> bool;

/// Description of a fault by the kernel.
#[derive(Clone, Copy, Debug)]
pub struct HostFaultInfo {
    /// Signal number: SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGTRAP.
    pub signal: i32,
    /// `si_code`.
    pub code: i32,
    /// `si_addr`; 0 for an address that is not canonical.
    pub addr: HostAddr,
}

impl HostFaultInfo {
    /// True for an exception of arithmetic (SIGFPE).
    #[must_use]
    pub fn is_arithmetic(&self) -> bool {
        self.signal == libc::SIGFPE
    }
}

/// The signals for which a handler is installed. Of translated code SIGFPE means that a
/// floating-point operation has raised an exception for the first time.
pub const FAULT_SIGNALS: [i32; 3] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE];

static HOOK: AtomicUsize = AtomicUsize::new(0);
static PREVIOUS: OnceLock<[libc::sigaction; FAULT_SIGNALS.len()]> = OnceLock::new();
/// Previous handlers that were there for one signal only (`SA_RESETHAND`), which has come.
static SPENT: [AtomicBool; FAULT_SIGNALS.len()] =
    [const { AtomicBool::new(false) }; FAULT_SIGNALS.len()];

/// Installs the fault handlers, once per process, and makes `hook` the one that is asked.
/// Handlers that stood there are called for faults that are not ours.
///
/// # Errors
/// What `sigaction` says.
pub fn install(hook: FaultHook) -> io::Result<()> {
    HOOK.store(hook as usize, Ordering::Release);
    install_handlers()
}

/// Installs the fault handlers, once per process, which is what [`access`] needs. The hook, if
/// there is one, stays.
///
/// # Errors
/// What `sigaction` says.
pub fn install_handlers() -> io::Result<()> {
    static DONE: OnceLock<Result<(), i32>> = OnceLock::new();
    DONE.get_or_init(|| install_once().map_err(|e| e.raw_os_error().unwrap_or(libc::EINVAL)))
        .map_err(io::Error::from_raw_os_error)
}

fn install_once() -> io::Result<()> {
    // The previous handlers are recorded before ours can run, so that the handler finds them.
    // SAFETY: `sigaction` structures are plain data for which all zero is valid.
    let mut previous: [libc::sigaction; FAULT_SIGNALS.len()] = unsafe { std::mem::zeroed() };
    for (slot, &signal) in previous.iter_mut().zip(&FAULT_SIGNALS) {
        // SAFETY: a query; `slot` is a valid place for the answer.
        if unsafe { libc::sigaction(signal, std::ptr::null(), slot) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    let _ = PREVIOUS.set(previous);
    FAULT_SIGNALS.iter().try_for_each(|&signal| install_handler(signal, false))
}

fn install_handler(signal: i32, restart: bool) -> io::Result<()> {
    // SAFETY: all zero is a valid sigaction.
    let mut new: libc::sigaction = unsafe { std::mem::zeroed() };
    new.sa_sigaction = handler as *const () as usize;
    new.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
    if restart {
        new.sa_flags |= libc::SA_RESTART;
    }
    // No other signal comes while the handler runs: what its handler did to the mask of the code it
    // returns to would be undone when this one returns.
    let others = FAULT_SIGNALS.iter().fold(!0, |mask: u64, s| mask & !(1 << (s - 1)));
    // SAFETY: the kernel's mask is the first word of the C library's, whose functions leave out
    // signals that it keeps for itself.
    unsafe { *(&raw mut new.sa_mask).cast::<u64>() = others };
    // SAFETY: `new` is valid and `handler` has the signature that SA_SIGINFO asks for.
    let rc = unsafe { libc::sigaction(signal, &new, std::ptr::null_mut()) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Says whether host calls that one of [`FAULT_SIGNALS`] interrupts, because somebody sent it, are
/// to be restarted (`SA_RESTART`). The handlers must be installed.
pub fn set_restart(signal: i32, restart: bool) {
    debug_assert!(FAULT_SIGNALS.contains(&signal), "other signals have dispositions");
    // Replacing a handler by itself with another flag cannot be refused.
    let _ = install_handler(signal, restart);
}

/// Installed for [`FAULT_SIGNALS`].
extern "C" fn handler(signal: i32, info: *mut libc::siginfo_t, uc: *mut libc::c_void) {
    // SAFETY: `uc` is the kernel's third argument, used only within this invocation.
    let mut context = unsafe { Context::new(uc) };
    // SAFETY: `info` is the kernel's second argument; all of [`FAULT_SIGNALS`] carry an address.
    let (code, addr) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    // A positive si_code is the kernel's own: the instruction at pc faulted. Others were sent.
    if code > 0 {
        if let Some(to) = access::recover(context.pc(), signal, code) {
            context.set_pc(to);
            return;
        }
        let hook = HOOK.load(Ordering::Acquire);
        if hook != 0 {
            // SAFETY: only `install` stores here, and it stores a `FaultHook`.
            let hook: FaultHook = unsafe { std::mem::transmute::<usize, FaultHook>(hook) };
            if hook(&mut context, &HostFaultInfo { signal, code, addr: HostAddr(addr) }) {
                return;
            }
        }
    }
    chain(signal, info, uc, code > 0);
}

/// Gives a signal that is not ours to whoever stood there before, as the kernel would have done it:
/// under the handler's mask, once only if it asked for that, and not at all if it was ignored.
/// `fault`: it was not sent.
fn chain(signal: i32, info: *mut libc::siginfo_t, uc: *mut libc::c_void, fault: bool) {
    let place = FAULT_SIGNALS.iter().position(|&s| s == signal);
    let previous = place.and_then(|i| Some((PREVIOUS.get()?[i], &SPENT[i])));
    let (action, flags) = match previous {
        Some((p, spent)) => {
            let once = p.sa_flags & libc::SA_RESETHAND != 0;
            let gone = once && spent.swap(true, Ordering::AcqRel);
            (if gone { libc::SIG_DFL } else { p.sa_sigaction }, p.sa_flags)
        }
        None => (libc::SIG_DFL, 0),
    };
    // The kernel lets nobody ignore a fault.
    if action == libc::SIG_IGN && !fault {
        return;
    }
    if action == libc::SIG_DFL || action == libc::SIG_IGN {
        // SAFETY: restores the default action; the faulting instruction runs again and the
        // process dies as it would have without us. A sent signal is raised again.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
        return;
    }
    let own = if flags & libc::SA_NODEFER != 0 { 0 } else { 1 << (signal - 1) };
    if let Some((p, _)) = previous {
        // SAFETY: the kernel's masks are the first words of the C library's, in the frame that the
        // kernel made and in what `sigaction` told.
        let mask: u64 = unsafe {
            let interrupted = &raw const (*uc.cast::<libc::ucontext_t>()).uc_sigmask;
            *interrupted.cast::<u64>() | *(&raw const p.sa_mask).cast::<u64>() | own
        };
        let args = [libc::SIG_SETMASK as u64, &raw const mask as u64, 0, 8, 0, 0];
        // SAFETY: sets the calling thread's mask; the return from the handler sets it again.
        unsafe { super::syscall::raw(libc::SYS_rt_sigprocmask, args) };
    }
    if flags & libc::SA_SIGINFO != 0 {
        type Full = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);
        // SAFETY: the previous owner installed this address with SA_SIGINFO.
        let f: Full = unsafe { std::mem::transmute::<usize, Full>(action) };
        f(signal, info, uc);
    } else {
        // SAFETY: the previous owner installed this address without SA_SIGINFO.
        let f = unsafe { std::mem::transmute::<usize, extern "C" fn(i32)>(action) };
        f(signal);
    }
}

/// An alternate signal stack with a guard page below it. Translated code runs with the host stack
/// pointer on a small stack of return addresses, so every thread that runs guest code needs one.
/// Rust's own is too small for a frame with AVX-512 state.
struct AltStack(super::mmap::Reservation);

/// Bytes of an alternate stack: room for several nested frames of the largest context.
const ALT_STACK: usize = 128 << 10;

thread_local! {
    /// The thread's. It is the thread's for good: what was made first would have to go last, and
    /// nobody keeps to that.
    static STACK: OnceCell<AltStack> = const { OnceCell::new() };
}

/// Sees to an alternate signal stack for the calling thread, which keeps it until it ends.
///
/// # Errors
/// What `mmap` or `sigaltstack` say, or that the thread is about to end.
#[inline]
pub fn ensure_alt_stack() -> io::Result<()> {
    let ensure = |stack: &OnceCell<AltStack>| {
        if stack.get().is_some() { Ok(()) } else { AltStack::install().map(|s| _ = stack.set(s)) }
    };
    STACK.try_with(ensure).unwrap_or_else(|e| Err(io::Error::other(e)))
}

impl AltStack {
    /// Makes one and makes it current for this thread.
    #[cold]
    fn install() -> io::Result<Self> {
        let guard = super::mmap::host_page_size();
        let memory = super::mmap::Reservation::new(guard + ALT_STACK)?;
        memory.map_anon(guard..guard + ALT_STACK, super::mmap::HostProt::RW, false)?;
        let stack = Self(memory);
        let new = libc::stack_t { ss_sp: stack.start(), ss_flags: 0, ss_size: ALT_STACK };
        // SAFETY: the memory is ours until `drop`, which takes it out of use first.
        if unsafe { libc::sigaltstack(&new, std::ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(stack)
    }

    fn start(&self) -> *mut libc::c_void {
        (self.0.base().0 + super::mmap::host_page_size()) as *mut libc::c_void
    }
}

impl Drop for AltStack {
    fn drop(&mut self) {
        // What was there before this may be gone: a thread that ends needs none.
        // SAFETY: a query, and then disables a stack on which nobody runs.
        unsafe {
            let mut current: libc::stack_t = std::mem::zeroed();
            libc::sigaltstack(std::ptr::null(), &mut current);
            if current.ss_sp == self.start() {
                current.ss_flags = libc::SS_DISABLE;
                libc::sigaltstack(&current, std::ptr::null_mut());
            }
        }
    }
}
