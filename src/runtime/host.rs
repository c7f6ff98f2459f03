//! The host's backend: the one place that names it.

use crate::backend::{Backend, ThreadState};
use crate::util::HostAddr;

#[cfg(target_arch = "x86_64")]
pub use crate::backend_x64::Features as HostFeatures;
#[cfg(target_arch = "x86_64")]
pub(super) type Host = crate::backend_x64::X64;

#[cfg(target_arch = "aarch64")]
pub use crate::backend_a64::Features as HostFeatures;
#[cfg(target_arch = "aarch64")]
pub(super) type Host = crate::backend_a64::A64;

/// Name of the backend that translates for this host.
#[must_use]
pub fn backend_name() -> &'static str {
    Host::NAME
}

/// See [`Backend::IGNORES_TOP_BYTE`].
#[must_use]
pub fn ignores_top_byte() -> bool {
    Host::IGNORES_TOP_BYTE
}

/// Number of the host register that holds the state pointer in translated code.
#[cfg(target_arch = "x86_64")]
pub(super) const STATE_REGISTER: usize = 5;
/// Number of the host register that holds the state pointer in translated code.
#[cfg(target_arch = "aarch64")]
pub(super) const STATE_REGISTER: usize = 28;
/// Number of the host's stack pointer.
#[cfg(target_arch = "x86_64")]
pub(super) const STACK_REGISTER: usize = 4;
/// Number of the host's stack pointer.
#[cfg(target_arch = "aarch64")]
pub(super) const STACK_REGISTER: usize = 31;

/// Bytes of an entry of the stack of return addresses.
#[cfg(target_arch = "x86_64")]
pub(super) const RETURN_ENTRY: u64 = 8;
/// Bytes of an entry of the stack of return addresses: the host's and the guest's.
#[cfg(target_arch = "aarch64")]
pub(super) const RETURN_ENTRY: u64 = 16;

/// Makes this thread ready to run code that works on memory whose guest address 0 is at `base`.
#[cfg(target_arch = "x86_64")]
pub(super) fn prepare_memory(base: HostAddr) {
    if base.0 != 0 {
        crate::sys::segment::set_gs_base(base);
    }
}
/// Makes this thread ready to run code that works on memory whose guest address 0 is at `base`:
/// nothing to do, as the code takes it from the thread state.
#[cfg(target_arch = "aarch64")]
pub(super) fn prepare_memory(_base: HostAddr) {}

/// See [`Backend::NO_TRAPS`].
pub(super) const NO_TRAPS: u32 = Host::NO_TRAPS;

/// See [`Backend::fp_word`].
#[inline]
pub(super) fn fp_word(frm: u8, fflags: u8) -> u32 {
    Host::fp_word(frm, fflags)
}

/// Makes the state's control and status word one for the guest's rounding mode and flags.
#[inline]
pub(super) fn load_fp(state: &mut ThreadState) {
    let (frm, flags) = (state.hart.frm, state.hart.fflags);
    let word =
        if frm == 0 { state.word_of_flags[usize::from(flags & 31)] } else { fp_word(frm, flags) };
    state.guest_fp = word | state.no_traps;
    state.known_fp = u64::from(u32::from(flags) | state.no_traps);
}

/// Makes the hart's accrued flags those of the control and status word.
#[inline]
pub(super) fn note_fp(state: &mut ThreadState) {
    state.hart.fflags = state.flags_of_word[(state.guest_fp & 63) as usize];
}

/// See [`Backend::fp_untrap`].
pub(super) fn fp_untrap(word: u32) -> u32 {
    Host::fp_untrap(word)
}

/// See [`Backend::fp_trap`].
pub(super) fn fp_trap(state: &mut ThreadState, word: u32) -> Option<u32> {
    Host::fp_trap(state, word)
}

/// See [`Backend::fp_flags`].
#[inline]
pub(super) fn fp_flags(word: u32) -> u8 {
    Host::fp_flags(word)
}
