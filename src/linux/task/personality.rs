//! The execution domain of a process (personality(2)).

use crate::linux::host::{HostArg, host_call};
use std::sync::atomic::{AtomicU32, Ordering};

const UNAME26: u32 = 0x002_0000;
const READ_IMPLIES_EXEC: u32 = 0x040_0000;
const STICKY_TIMEOUTS: u32 = 0x400_0000;
/// What the host serves: the others would change where our own memory lies.
const HOSTS: u32 = UNAME26 | STICKY_TIMEOUTS;

/// What a process has told `personality`.
#[derive(Debug)]
pub(crate) struct Personality(AtomicU32);

impl Personality {
    /// For a process that has inherited `value`.
    pub(crate) fn new(value: u32) -> Self {
        Self(AtomicU32::new(value))
    }

    /// Sets it.
    pub(super) fn set(&self, value: u32) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Its number.
    pub(crate) fn value(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// What a guest that asks for `prot` (`PROT_*`) gets.
    pub(crate) fn protection(&self, prot: u32) -> u32 {
        let executable = self.value() & READ_IMPLIES_EXEC != 0 && prot & 1 != 0;
        if executable { prot | 4 } else { prot }
    }

    /// True if releases of the kernel are told as programs of its time know them.
    pub(crate) fn tells_old_release(&self) -> bool {
        self.value() & UNAME26 != 0
    }

    /// Lets the host do what is its own to do, for the calling thread.
    pub(crate) fn tell_host(&self) {
        if let Ok(before) = host_call(libc::SYS_personality, &[HostArg::value(0xffff_ffff)]) {
            let wanted = before as u32 & !HOSTS | self.value() & HOSTS;
            // That it is refused would be new.
            let _ = host_call(libc::SYS_personality, &[wanted.into()]);
        }
    }
}

/// What the host's process has.
pub(crate) fn of_host() -> u32 {
    host_call(libc::SYS_personality, &[HostArg::value(0xffff_ffff)]).map_or(0, |p| p as u32)
}
