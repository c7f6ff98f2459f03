//! What a process and a thread keep of signals: actions, masks, alternate stacks, and the shape of
//! a frame (sigaction(2), sigaltstack(2)).

use crate::linux::abi::{SigAction, SigInfo, SigSet, SigStack, UContext};

/// `SIG_DFL`.
pub(crate) const SIG_DFL: u64 = 0;
/// `SIG_IGN`.
pub(crate) const SIG_IGN: u64 = 1;

pub(crate) const SA_NOCLDSTOP: u64 = 1;
pub(crate) const SA_NOCLDWAIT: u64 = 2;
pub(crate) const SA_RESTART: u64 = 0x1000_0000;

pub(super) const SS_ONSTACK: i32 = 1;
pub(super) const SS_DISABLE: i32 = 2;
pub(super) const SS_AUTODISARM: i32 = i32::MIN;

/// Size of `struct rt_sigframe`: a `siginfo_t` and a `struct ucontext`.
pub(crate) const FRAME: u64 = (size_of::<SigInfo>() + size_of::<UContext>()) as u64;

/// Code that a handler returns to: `li a7, 139; ecall`, as in the kernel's vDSO (unwinders look
/// for exactly these instructions).
/// In the image of [`crate::linux::exec::vdso`].
pub(crate) const SIGRETURN_CODE: [u32; 2] = [0x08b0_0893, 0x0000_0073];

/// Bit of a signal in a mask.
pub(crate) const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// No action for any signal.
pub(crate) const DEFAULT_ACTION: SigAction = SigAction { handler: SIG_DFL, flags: 0, mask: 0 };

/// No alternate stack.
pub(crate) const NO_ALTSTACK: SigStack = SigStack { sp: 0, flags: SS_DISABLE, pad: 0, size: 0 };

/// The mask that a call such as `ppoll` sets while it waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WaitMask {
    pub(super) guest: u64,
    /// As the host takes it: faults' signals are never blocked.
    pub host: SigSet,
}
