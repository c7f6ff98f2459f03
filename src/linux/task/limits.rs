//! Resource limits (getrlimit(2)). Those of addresses, data and stack are kept here and hold for
//! the guest's memory: the host's would hit our own, whose reservation alone exceeds any. All
//! others are the host's, but the hard limit of descriptors is kept here too: we raise the soft one
//! while we need descriptors of our own ([`limit`]).

use crate::linux::abi::{RLimit, SysResult};
use crate::linux::host::has_capability;
use crate::linux::host::limit::{self, CAP_SYS_RESOURCE, get, set};
use crate::sys::mmap;
use std::sync::atomic::{AtomicU64, Ordering};

/// No limit.
pub(super) const INFINITY: u64 = u64::MAX;

/// Resources whose limits are kept here, by their place in [`Limits`].
pub(super) const KEPT: [u32; 4] =
    [libc::RLIMIT_AS, libc::RLIMIT_DATA, libc::RLIMIT_STACK, libc::RLIMIT_NOFILE];
pub(super) const AS: usize = 0;
pub(super) const DATA: usize = 1;
pub(super) const STACK: usize = 2;
pub(super) const FILES: usize = 3;

/// Limits that another guest process may look at and change, as [`Limits::to_words`] gives them:
/// of addresses, data and stack. The host's own of this process would hit more than its guest.
static PUBLIC: [AtomicU64; 2 * FILES] = [const { AtomicU64::new(INFINITY) }; 2 * FILES];

/// Host address of them, which another guest process reads.
pub(crate) fn public_address() -> u64 {
    std::ptr::from_ref(&PUBLIC) as u64
}

/// Numbers in which [`Limits`] are handed on.
pub(crate) const WORDS: usize = 2 * KEPT.len();

/// Soft limit of the stack that we want for ourselves, in bytes: the kernel derives from it how
/// long arguments may be.
const OWN_STACK: u64 = 64 << 20;

/// The limits that are kept here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits(pub(super) [RLimit; KEPT.len()]);

impl Limits {
    /// The host's limits become the guest's, and we get what we may have.
    pub(crate) fn take_over() -> Self {
        let host = |resource| get(0, resource).unwrap_or(RLimit { cur: INFINITY, max: INFINITY });
        let limits = KEPT.map(host);
        for (resource, limit) in KEPT.into_iter().zip(limits) {
            let wanted = match resource {
                libc::RLIMIT_STACK => OWN_STACK,
                // Which numbers the guest gets is the host's to decide.
                libc::RLIMIT_NOFILE => limit.cur,
                _ => INFINITY,
            };
            let max = match wanted > limit.max && has_capability(CAP_SYS_RESOURCE) {
                true => wanted,
                false => limit.max,
            };
            let raised = RLimit { cur: wanted.min(max), max };
            if raised.cur > limit.cur {
                // Without it, less is possible.
                let _ = set(resource, &raised);
            }
        }
        Self(limits)
    }

    /// Before a program of the host takes our place: it is to have the guest's limits.
    pub(crate) fn hand_over(&self) {
        for (resource, limit) in KEPT.into_iter().zip(&self.0) {
            // A limit that cannot be set is the host's to keep.
            let _ = set(resource, limit);
        }
    }

    /// Soft and hard limits in turn, for a program that inherits the limits.
    pub(crate) fn to_words(self) -> [u64; WORDS] {
        std::array::from_fn(|i| if i % 2 == 0 { self.0[i / 2].cur } else { self.0[i / 2].max })
    }

    /// The inverse of [`Self::to_words`].
    pub(crate) fn from_words(words: [u64; WORDS]) -> Self {
        Self(std::array::from_fn(|i| RLimit { cur: words[2 * i], max: words[2 * i + 1] }))
    }

    /// Lets the host hold the guest to its limit of descriptors, and other guests see the limits.
    pub(crate) fn settle(&self) {
        self.publish();
        // It was the host's before a program of the guest was started.
        let _ = limit::set_files(self.0[FILES]);
    }

    /// Lets other guests read the limits, and change them.
    pub(super) fn publish(&self) {
        for (word, value) in PUBLIC.iter().zip(self.to_words()) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Takes what another guest may have changed.
    pub(super) fn adopt(&mut self) {
        let mut words = self.to_words();
        for (word, value) in words.iter_mut().zip(&PUBLIC) {
            *word = value.load(Ordering::Relaxed);
        }
        *self = Self::from_words(words);
    }

    /// Bytes that a mapping that grows down may have.
    pub(crate) fn stack_limit(&self) -> u64 {
        self.0[STACK].cur
    }

    /// Bytes of the main thread's stack.
    pub(crate) fn stack(&self) -> u64 {
        /// Without a limit, within reason.
        const UNLIMITED: u64 = 64 << 20;
        /// With a limit below this, the kernel still gives room for what `execve` passes.
        const LEAST: u64 = 256 << 10;
        let wanted = self.0[STACK].cur;
        let size = if wanted < 1 << 32 { wanted.max(LEAST) } else { UNLIMITED };
        // For the host it is data, as for the kernel no stack is.
        size.min((mmap::limits()[1] / 8).max(LEAST))
    }

    /// Bytes that arguments and environment of a program may have, with their addresses
    /// (`bprm_stack_limits` of the kernel).
    pub(crate) fn arguments(&self) -> u64 {
        const MOST: u64 = 6 << 20;
        const LEAST: u64 = 128 << 10;
        (self.0[STACK].cur / 4).clamp(LEAST, MOST)
    }

    /// The lines of `/proc/self/limits` about what is kept here.
    pub(crate) fn correct(&self, host: &str) -> String {
        let names = ["Max address space", "Max data size", "Max stack size", "Max open files"];
        let mut out = String::with_capacity(host.len());
        for line in host.lines() {
            match names.iter().position(|n| line.starts_with(n)) {
                Some(i) => {
                    let text = |n: u64| match n {
                        INFINITY => "unlimited".to_owned(),
                        n => n.to_string(),
                    };
                    let RLimit { cur, max } = self.0[i];
                    let unit = if i == FILES { "files" } else { "bytes" };
                    let line =
                        format!("{:<26}{:<21}{:<21}{unit:<10}", names[i], text(cur), text(max));
                    out.push_str(&line);
                }
                None => out.push_str(line),
            }
            out.push('\n');
        }
        out
    }
}

/// Bytes that a core may have.
pub(crate) fn core_limit() -> u64 {
    get(0, libc::RLIMIT_CORE).map_or(0, |l| l.cur)
}

/// Sets the soft limit of cores, as far as the hard one allows.
pub(crate) fn set_core_limit(bytes: u64) -> SysResult {
    let limit = get(0, libc::RLIMIT_CORE)?;
    set(libc::RLIMIT_CORE, &RLimit { cur: bytes.min(limit.max), ..limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_survive_a_program_that_inherits_them() {
        let limits = Limits::from_words([1, 2, 3, 4, 5, INFINITY, 6, 7]);
        assert_eq!(Limits::from_words(limits.to_words()), limits);
        let text = "Max cpu time              unlimited            unlimited            seconds   \n\
                    Max stack size            8388608              unlimited            bytes     \n";
        assert_eq!(
            limits.correct(text).lines().nth(1).unwrap(),
            "Max stack size            5                    unlimited            bytes     "
        );
    }

    #[test]
    fn arguments_may_have_a_quarter_of_the_stack_within_bounds() {
        let stack = |n| Limits::from_words([0, 0, 0, 0, n, INFINITY, 0, 0]).arguments();
        assert_eq!(stack(8 << 20), 2 << 20);
        assert_eq!(stack(4096), 128 << 10);
        assert_eq!(stack(INFINITY), 6 << 20);
    }
}
