//! Counters.

use crate::isa::Op;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident)*) => {
        /// Counters of a machine since its start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// The counters behind [`Stats`].
        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $name: AtomicU64,)*
            pub(super) helpers: ByOp,
        }

        impl Counters {
            pub(super) fn read(&self) -> Stats {
                Stats { $($name: self.$name.load(Ordering::Relaxed),)* }
            }

            /// Begins anew, in a child process.
            pub(super) fn clear(&self) {
                $(self.$name.store(0, Ordering::Relaxed);)*
                self.helpers.0.iter().for_each(|n| n.store(0, Ordering::Relaxed));
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
    /// Loops translated as a whole; their blocks are among `blocks`.
    regions
    /// Blocks that were not, as their translations were kept (`Options::kept_code`).
    kept_blocks
    /// Guest instructions in them.
    guest_insns
    /// Bytes of guest code in them.
    guest_bytes
    /// Bytes of host code on likely paths.
    hot_bytes
    /// Bytes of host code on unlikely paths.
    cold_bytes
    /// Nanoseconds of CPU time spent translating, with `Options::measure`.
    translate_ns
    /// Jumps between blocks that were linked.
    links
    /// Times that translated code was left for a jump not yet linked.
    link_exits
    /// Times that translated code was left for an indirect jump that the table did not know.
    lookup_exits
    /// Instructions that translated code let the interpreter execute.
    helper_calls
    /// Environment calls.
    ecalls
    /// Host faults in translated code, polls that stopped it among them.
    faults
    /// Blocks that became invalid.
    invalidated
    /// Times that a full code cache was replaced.
    flushes
    /// Guest instructions that the interpreter engine retired.
    interpreted
    /// Guest instructions of blocks that both engines have executed with the same result.
    verified
    /// Executions of blocks whose results differed since somebody else wrote to memory meanwhile.
    races
}

/// Helper calls by instruction.
#[derive(Debug)]
pub(super) struct ByOp(pub(super) [AtomicU64; Op::COUNT]);

impl Default for ByOp {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; Op::COUNT])
    }
}

impl ByOp {
    /// Those that were called for.
    pub(super) fn list(&self) -> Vec<(Op, u64)> {
        let all = Op::all().zip(&self.0).map(|(op, n)| (op, n.load(Ordering::Relaxed)));
        all.filter(|(_, n)| *n != 0).collect()
    }
}

/// As [`add`], where hardly anybody else does so at the same moment (whose count may be lost): at a
/// third of the price.
pub(super) fn add_alone(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Ordering::Relaxed) + n, Ordering::Relaxed);
}

pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}
