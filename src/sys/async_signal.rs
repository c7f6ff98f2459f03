//! Asynchronous host signals on behalf of a guest: recorded where they arrive, delivered by others.
#![allow(unsafe_code, reason = "installs signal handlers and changes signal masks")]
//! # Safety
//! The handler touches the calling thread's [`Slot`], which outlives the thread's [`Attached`]
//! mark, and the frame that the kernel made. It allocates nothing and takes no lock.
//!
//! A slot holds one signal. That is enough, because the handler leaves with everything blocked, and
//! whoever takes the signal out unblocks again: what else arrives waits in the host's kernel, in
//! its order and with its `siginfo`. The faults' signals ([`super::signal::FAULT_SIGNALS`]) are
//! never blocked; if somebody *sends* one, it waits in a place of its own, one for each.

use super::signal::FAULT_SIGNALS;
use super::syscall;
use super::ucontext::Context;
use std::cell::{Cell, UnsafeCell};
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A `siginfo_t` as 64-bit words.
pub type RawInfo = [u64; 16];

/// The signals that are never blocked: a bit `n - 1` for signal `n`.
pub const UNBLOCKABLE: u64 = {
    let mut bits = 0;
    let mut i = 0;
    while i < FAULT_SIGNALS.len() {
        bits |= 1 << (FAULT_SIGNALS[i] - 1);
        i += 1;
    }
    bits
};

/// `si_code` of a SIGSEGV that is between processes of ours, of which their guests know nothing:
/// user space may send any negative one. The first word of its fields behind process and user has
/// bits of `ASKED_*`, or 0 for what only a tracer is to see.
pub const TRACE_CODE: i32 = -0x5256;
/// The thread shall tell its tracer where its state is.
pub const ASKED_HELLO: u64 = 1;
/// The thread shall stop.
pub const ASKED_INTERRUPT: u64 = 2;
/// A SIGSTOP has come, which its tracer has taken away.
pub const ASKED_STOP: u64 = 4;
/// The process shall let a debugger connect.
pub const ASKED_DEBUG: u64 = 8;
/// The thread shall look whether there is a debugger.
pub const ASKED_LOOK: u64 = 16;

/// What the handler leaves for one thread.
pub struct Slot {
    /// 1 while a signal waits in `info`, or a bit in `sent`.
    flag: AtomicU32,
    /// True while `info` holds a signal.
    full: AtomicU32,
    info: UnsafeCell<RawInfo>,
    /// Bits of fault signals that were sent, and whose place in `faults` is filled.
    sent: AtomicU64,
    /// Bits of fault signals whose place somebody fills or has filled.
    claimed: AtomicU64,
    /// Bits of `ASKED_*`.
    asked: AtomicU64,
    faults: [[AtomicU64; 16]; FAULT_SIGNALS.len()],
    notify: Box<dyn Fn() + Send + Sync>,
}

// SAFETY: `info` is written by the handler on the owning thread while `full` is 0, and read by the
// same thread while it is 1; other threads never touch it.
unsafe impl Sync for Slot {}
// SAFETY: as above; nothing in it is bound to a thread before `attach`.
unsafe impl Send for Slot {}

thread_local! {
    static CURRENT: Cell<*const Slot> = const { Cell::new(std::ptr::null()) };
}

/// While this lives, the calling thread's signals go to a slot.
pub struct Attached {
    _slot: Arc<Slot>,
    _this_thread: PhantomData<*const ()>,
}

impl Drop for Attached {
    fn drop(&mut self) {
        CURRENT.set(std::ptr::null());
    }
}

impl std::fmt::Debug for Attached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attached")
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Slot(flag {})", self.flag.load(Ordering::Relaxed))
    }
}

impl Slot {
    /// An empty slot. `notify` is called from the handler and must be async-signal-safe.
    #[must_use]
    pub fn new(notify: Box<dyn Fn() + Send + Sync>) -> Arc<Self> {
        Arc::new(Self {
            flag: AtomicU32::new(0),
            full: AtomicU32::new(0),
            info: UnsafeCell::new([0; 16]),
            sent: AtomicU64::new(0),
            claimed: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            faults: [const { [const { AtomicU64::new(0) }; 16] }; FAULT_SIGNALS.len()],
            notify,
        })
    }

    /// Directs the calling thread's signals to this slot.
    #[must_use]
    pub fn attach(self: &Arc<Self>) -> Attached {
        CURRENT.set(Arc::as_ptr(self));
        Attached { _slot: Arc::clone(self), _this_thread: PhantomData }
    }

    /// Directs the calling thread's signals here again, after another slot of the same thread had
    /// them. The caller still holds the [`Attached`] of this slot.
    pub fn reattach(self: &Arc<Self>) {
        CURRENT.set(Arc::as_ptr(self));
    }

    /// Not 0 while a signal waits.
    #[must_use]
    pub fn flag(&self) -> &AtomicU32 {
        &self.flag
    }

    /// True if a signal waits. To be called by the owning thread.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.flag.load(Ordering::Acquire) != 0
    }

    /// True if the slot holds a signal, which nobody may let the next one overwrite: the thread's
    /// signals stay blocked until it is taken out. To be called by the owning thread, with its
    /// signals blocked if the answer is to last.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire) != 0
    }

    /// Bits of fault signals that were sent and not yet taken.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }

    /// True if somebody has asked the thread for something by a signal with [`TRACE_CODE`].
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire) != 0
    }

    /// True if that is all that waits. To be called by the owning thread.
    #[must_use]
    pub fn is_only_asked(&self) -> bool {
        self.is_asked() && !self.is_full() && self.sent() == 0
    }

    /// Takes what the thread has been asked for, if anything.
    #[must_use]
    pub fn take_asked(&self) -> Option<u64> {
        (self.is_asked()).then(|| self.asked.swap(0, Ordering::AcqRel))
    }

    /// Takes the signal out; the thread's signals stay blocked until [`set_mask`], even if they
    /// were not. Fault signals that were sent are taken unless `blocked` has them. To be called by
    /// the owning thread.
    #[must_use]
    pub fn take(&self, blocked: u64) -> Option<RawInfo> {
        self.flag.store(0, Ordering::Release);
        if !self.is_full() && self.sent() & !blocked != 0 {
            set_mask(!0);
        }
        if self.is_full() {
            // SAFETY: `full` says that the handler has written it and will not write again.
            let info = unsafe { *self.info.get() };
            self.full.store(0, Ordering::Release);
            self.recheck(blocked);
            return Some(info);
        }
        let info = self.take_sent(!blocked);
        self.recheck(blocked);
        info
    }

    /// Takes a fault signal out that was sent and is one of `wanted`. To be called by the owning
    /// thread.
    #[must_use]
    pub fn take_sent(&self, wanted: u64) -> Option<RawInfo> {
        let ready = self.sent() & wanted;
        let place = FAULT_SIGNALS.iter().position(|s| ready & (1 << (s - 1)) != 0)?;
        let bit = 1 << (FAULT_SIGNALS[place] - 1);
        let info = self.faults[place].each_ref().map(|word| word.load(Ordering::Relaxed));
        self.sent.fetch_and(!bit, Ordering::AcqRel);
        self.claimed.fetch_and(!bit, Ordering::AcqRel);
        Some(info)
    }

    /// Keeps a fault signal that was sent. As with all but real-time signals, one that waits
    /// already stands for those that follow. Async-signal-safe, also against itself.
    fn keep_sent(&self, signal: i32, info: &RawInfo) {
        let bit = 1 << (signal - 1);
        let Some(place) = FAULT_SIGNALS.iter().position(|&s| s == signal) else { return };
        if self.claimed.fetch_or(bit, Ordering::AcqRel) & bit == 0 {
            for (word, value) in self.faults[place].iter().zip(info) {
                word.store(*value, Ordering::Relaxed);
            }
            self.sent.fetch_or(bit, Ordering::AcqRel);
        }
    }

    /// After the mask has lost signals: sent fault signals that are no longer blocked are due.
    pub fn recheck(&self, blocked: u64) {
        if self.sent() & !blocked != 0 || self.is_asked() {
            self.flag.store(1, Ordering::Release);
        }
    }
}

/// What the host does on a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The default action, by the host's kernel.
    Default,
    /// Nothing.
    Ignore,
    /// Our handler records it.
    Record {
        /// `SA_RESTART`: host calls that the kernel can restart are reported as not made.
        restart: bool,
        /// `SA_NOCLDSTOP`.
        no_child_stop: bool,
        /// `SA_NOCLDWAIT`.
        no_child_wait: bool,
    },
}

/// `struct sigaction` as the kernel has it.
#[repr(C)]
#[derive(Default)]
struct KernelAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

const SA_RESTORER: u64 = 0x0400_0000;

/// Sets what the host does on `signal`, any of 1..=64, also those that libc keeps for itself. For
/// SIGKILL and SIGSTOP nothing can be set.
///
/// # Errors
/// What `rt_sigaction` says.
pub fn set_disposition(signal: i32, what: Disposition) -> io::Result<()> {
    let mut new = KernelAction { mask: !UNBLOCKABLE, ..KernelAction::default() };
    match what {
        Disposition::Default => new.handler = libc::SIG_DFL,
        Disposition::Ignore => new.handler = libc::SIG_IGN,
        Disposition::Record { restart, no_child_stop, no_child_wait } => {
            new.handler = handler as *const () as usize;
            let mut flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            for (on, bit) in [
                (restart, libc::SA_RESTART),
                (no_child_stop, libc::SA_NOCLDSTOP),
                (no_child_wait, libc::SA_NOCLDWAIT),
            ] {
                flags |= if on { bit } else { 0 };
            }
            new.flags = flags as u64;
        }
    }
    if cfg!(target_arch = "x86_64") {
        new.flags |= SA_RESTORER;
        new.restorer = syscall::sigreturn_trampoline().0;
    }
    let args = [signal as u64, &raw const new as u64, 0, 8, 0, 0];
    // SAFETY: `new` is a kernel sigaction whose handler has the signature of SA_SIGINFO.
    let rc = unsafe { syscall::raw(libc::SYS_rt_sigaction, args) };
    if rc < 0 { Err(io::Error::from_raw_os_error(-rc as i32)) } else { Ok(()) }
}

/// 1 if the process was started with SIGPIPE ignored. Rust's start-up code ignores it always, which
/// programs started by us must not inherit.
static PIPE_WAS_IGNORED: AtomicU32 = AtomicU32::new(0);

extern "C" fn note_sigpipe() {
    PIPE_WAS_IGNORED.store(u32::from(is_ignored_now(libc::SIGPIPE)), Ordering::Relaxed);
}

#[used]
// SAFETY: the C library calls the functions of this array before `main`; ours makes one system
// call.
#[unsafe(link_section = ".init_array")]
static NOTE_SIGPIPE: extern "C" fn() = note_sigpipe;

/// True if the process was started with `signal` ignored, or ignores it now.
#[must_use]
pub fn is_ignored(signal: i32) -> bool {
    if signal == libc::SIGPIPE {
        return PIPE_WAS_IGNORED.load(Ordering::Relaxed) != 0;
    }
    is_ignored_now(signal)
}

fn is_ignored_now(signal: i32) -> bool {
    let mut old = KernelAction::default();
    let args = [signal as u64, 0, &raw mut old as u64, 8, 0, 0];
    // SAFETY: a query into a local structure.
    let rc = unsafe { syscall::raw(libc::SYS_rt_sigaction, args) };
    rc == 0 && old.handler == libc::SIG_IGN
}

/// Blocks exactly the signals of `mask` for the calling thread, but never the faults' signals.
/// Returns what was blocked before.
pub fn set_mask(mask: u64) -> u64 {
    let new = mask & !UNBLOCKABLE;
    let mut old = 0_u64;
    let how = libc::SIG_SETMASK as u64;
    let args = [how, &raw const new as u64, &raw mut old as u64, 8, 0, 0];
    // SAFETY: two local masks of the size that is passed.
    let rc = unsafe { syscall::raw(libc::SYS_rt_sigprocmask, args) };
    debug_assert_eq!(rc, 0, "a mask can always be set");
    old
}

/// Ends the process by the default action of `signal`, so that its parent sees it killed by that
/// signal.
pub fn die_of(signal: i32) -> ! {
    let _ = set_disposition(signal, Disposition::Default);
    set_mask(!(1 << (signal - 1)));
    // SAFETY: sends a signal to ourselves; what it does to the process is intended.
    unsafe {
        let pid = libc::getpid();
        libc::syscall(libc::SYS_tgkill, pid, libc::gettid(), signal);
    }
    // The first process of a name space gets no signal that it has no handler for, but for faults.
    fault_by(signal);
    // SAFETY: as above.
    unsafe {
        // Signals whose default action is not to end a process do not come here; if one does,
        // there is no better end.
        libc::abort();
    }
}

/// Executes what raises that signal, if it is one for which there is such an instruction.
fn fault_by(signal: i32) {
    // SAFETY: the default action of the signal has been set, and ends the process.
    unsafe {
        match signal {
            #[cfg(target_arch = "x86_64")]
            libc::SIGILL => std::arch::asm!("ud2"),
            #[cfg(target_arch = "x86_64")]
            libc::SIGTRAP => std::arch::asm!("int3"),
            #[cfg(target_arch = "aarch64")]
            libc::SIGILL => std::arch::asm!("udf #0"),
            #[cfg(target_arch = "aarch64")]
            libc::SIGTRAP => std::arch::asm!("brk #0"),
            _ => {}
        }
    }
}

/// Records faults' signals that were sent, for [`super::signal::install`] to chain to. Must be
/// called before that.
///
/// # Errors
/// What `rt_sigaction` says.
pub fn record_sent_faults() -> io::Result<()> {
    let what = Disposition::Record { restart: true, no_child_stop: false, no_child_wait: false };
    FAULT_SIGNALS.iter().try_for_each(|&s| set_disposition(s, what))
}

extern "C" fn handler(signal: i32, info: *mut libc::siginfo_t, uc: *mut libc::c_void) {
    let slot = CURRENT.get();
    let bit = 1_u64 << (signal - 1);
    // SAFETY: the kernel's second argument.
    let code = unsafe { (*info).si_code };
    if bit & UNBLOCKABLE != 0 && code > 0 {
        // A fault of our own that nobody claimed: the instruction runs again and kills us.
        let _ = set_disposition(signal, Disposition::Default);
        return;
    }
    let traced = signal == libc::SIGSEGV && code == TRACE_CODE;
    // SAFETY: `info` has 128 bytes.
    let asked = if traced { unsafe { (*info.cast::<RawInfo>())[3] } } else { 0 };
    if traced && (asked == 0 || slot.is_null()) {
        return;
    }
    // SAFETY: a slot stays alive as long as it is attached.
    let Some(slot) = (unsafe { slot.as_ref() }) else {
        return hand_on(signal, info, uc);
    };
    if traced {
        slot.asked.fetch_or(asked, Ordering::AcqRel);
    } else if bit & UNBLOCKABLE != 0 {
        // SAFETY: `info` has 128 bytes.
        slot.keep_sent(signal, unsafe { &*info.cast::<RawInfo>() });
    } else {
        // SAFETY: `full` is 0, since everything is blocked while it is 1; `info` has 128 bytes.
        unsafe { *slot.info.get() = *info.cast::<RawInfo>() };
        slot.full.store(1, Ordering::Release);
        block_all(uc);
    }
    slot.flag.store(1, Ordering::Release);
    (slot.notify)();
    // SAFETY: the kernel's third argument, used within this invocation.
    let mut context = unsafe { Context::new(uc) };
    if let Some(to) = syscall::abort_pc(context.pc()) {
        context.set_pc(to);
    }
}

/// Makes the interrupted thread continue with everything blocked.
fn block_all(uc: *mut libc::c_void) {
    let uc: *mut libc::ucontext_t = uc.cast();
    // SAFETY: the kernel's frame; its mask is the first word of `uc_sigmask`.
    unsafe { *(&raw mut (*uc).uc_sigmask).cast::<u64>() = !UNBLOCKABLE };
}

/// A thread of ours that runs no guest got a signal of the process: another thread shall have it.
fn hand_on(signal: i32, info: *mut libc::siginfo_t, uc: *mut libc::c_void) {
    block_all(uc);
    // SAFETY: queues the same signal for the process; `info` is the kernel's.
    unsafe {
        let pid = libc::getpid();
        if libc::syscall(libc::SYS_rt_sigqueueinfo, pid, signal, info) < 0 {
            libc::kill(pid, signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_signal_waits_with_its_information_and_blocks_the_next() {
        let sig = libc::SIGRTMIN() + 3;
        let what =
            Disposition::Record { restart: false, no_child_stop: false, no_child_wait: false };
        set_disposition(sig, what).unwrap();
        let slot = Slot::new(Box::new(|| {}));
        let _attached = slot.attach();
        let before = set_mask(0);
        for value in [11, 22] {
            let value = libc::sigval { sival_ptr: value as *mut libc::c_void };
            // SAFETY: sends a signal with a value to this very thread.
            assert_eq!(unsafe { libc::pthread_sigqueue(libc::pthread_self(), sig, value) }, 0);
        }
        for value in [11, 22] {
            assert!(slot.is_pending());
            let info = slot.take(0).unwrap();
            assert_eq!(info[0] as i32, sig);
            assert_eq!(info[3], value);
            set_mask(0);
        }
        assert!(!slot.is_pending());
        set_mask(before);
        set_disposition(sig, Disposition::Default).unwrap();
    }
}
