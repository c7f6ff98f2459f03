//! Why a hart stopped.

pub use crate::mem::{Access, Fault};

/// Why guest execution stopped. In every case `hart.pc` is the address of the instruction that
/// caused it (for `Fault` with `Access::Execute`, the address that could not be fetched); whoever
/// serves an `ecall`, an `ebreak` or a `fence.i` moves the pc past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// `ecall`: an environment call; number in a7, arguments in a0..a5.
    Ecall,
    /// `ebreak` or `c.ebreak`.
    Ebreak,
    /// An encoding that is reserved, unknown, or of an extension that is not enabled. `bits` are
    /// the 16 or 32 bits of it.
    Illegal {
        /// The instruction's bits.
        bits: u32,
    },
    /// A load, store or fetch that memory refused.
    Fault(Fault),
    /// An atomic access that is not naturally aligned.
    Misaligned(Fault),
    /// `fence.i`: what was written to memory must be seen by later fetches.
    FenceI,
    /// Somebody asked this hart to stop; the state is at an instruction boundary.
    Interrupted,
    /// The instruction budget ran out; `pc` is the next instruction, not yet executed.
    OutOfFuel,
}
