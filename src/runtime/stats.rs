//! Counters.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident)*) => {
        /// What a machine has done so far.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// The counters behind [`Stats`].
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $name: AtomicU64,)*
        }

        impl Counters {
            pub(super) fn read(&self) -> Stats {
                Stats { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }

        impl Stats {
            /// Names and values, in order.
            #[must_use]
            pub fn list(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

stats! {
    /// Blocks translated.
    blocks
    /// Guest instructions in them.
    guest_insns
    /// Bytes of guest code in them.
    guest_bytes
    /// Bytes of host code on likely paths.
    hot_bytes
    /// Bytes of host code on unlikely paths.
    cold_bytes
    /// Nanoseconds spent translating.
    translate_ns
    /// Jumps between blocks that were linked.
    links
    /// Times that translated code was left for a jump not yet linked.
    link_exits
    /// Times that translated code was left for an indirect jump that the table did not know.
    lookup_exits
    /// Instructions that translated code let the interpreter execute.
    helper_calls
    /// Host faults in translated code.
    faults
    /// Blocks that became invalid.
    invalidated
    /// Times that a full code cache was replaced.
    flushes
    /// Guest instructions that the interpreter engine retired.
    interpreted
}

pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}
