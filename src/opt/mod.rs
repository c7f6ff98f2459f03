//! The optimiser: passes over the IR, which know neither guest encodings nor hosts.
//!
//! A block goes through them in this order:
//!
//! 1. [`add`], as `lift` makes the operations: each goes through the list `rewrites` below, which
//!    see it and what has been added before. They look back only, so that there is no second walk
//!    over the block, and so that `lift` sees their results when it decides where the block ends.
//! 2. [`if_convert()`], where `lift` finds a branch over a few instructions.
//! 3. [`merge_bytes`], when `lift` has found all operations of the block.
//! 4. Of a finished block, when it is emitted: [`Loop`] and [`Loop::unrolled`], [`Elementwise`]
//!    (vectorisation), [`FloatFacts`] and [`Liveness`], of which each host takes what it can use;
//!    [`facts`] tell the code cache how to treat it.
//!
//! What a rewrite or a conversion may do: no state at an access to memory, at a way out, or at any
//! other operation with an effect differs from what it was without it, for any registers. `check`
//! (tests) holds all of them to that, by [`crate::ir::eval`]. [`merge_bytes`] alone makes other
//! accesses, and its own tests see to the rest.
//!
//! Deliberately elsewhere: what is known of values while host code is made of them, and where they
//! are (`backend::symbolic`), since it depends on the host's registers.

mod byte_words;
#[cfg(test)]
mod check;
mod extend;
pub mod facts;
mod flags;
mod float_facts;
mod fold;
mod identity;
mod if_convert;
mod liveness;
mod loops;
mod vectorize;

pub use byte_words::merge_bytes;
pub use float_facts::{FloatFacts, FloatRules};
pub use fold::{constant, fold};
pub use if_convert::{MAX_SKIPPED, if_convert};
pub use liveness::Liveness;
pub use loops::Loop;
pub use vectorize::{AliasCheck, Array, Elementwise, Induction, LiveOut, Role, size_of};

use crate::ir::{Builder, Op};

/// A set of registers, one bit each.
pub type RegSet = u32;

/// Makes [`add`] of the rewrites, in order. Each is a module with
///
/// - `fn concerns(op: &Op) -> bool`, constant where the kind of the operation is known, and
/// - `fn rewrite(b: &mut Builder, op: Op) -> Option<Op>`: what is to be added in place of an
///   operation that it concerns, `None` for nothing. It may take back operations before it, with
///   [`Builder::drop_last`].
macro_rules! rewrites {
    ($($pass:ident)*) => {
        /// Adds an operation of the current instruction to the block, as the rewrites leave it.
        // Inlined so that operations which concern no rewrite are added at once.
        #[inline(always)]
        pub fn add(b: &mut Builder, op: Op) {
            if $($pass::concerns(&op))||* {
                rewrite(b, op);
            } else {
                b.push(op);
            }
        }

        fn rewrite(b: &mut Builder, mut op: Op) {
            $(
                if $pass::concerns(&op) {
                    match $pass::rewrite(b, op) {
                        Some(new) => op = new,
                        None => return,
                    }
                }
            )*
            b.push(op);
        }

        /// Name, and what it makes of an operation, of each rewrite.
        #[cfg(test)]
        const REWRITES: &[check::Rewrite] = &[$((stringify!($pass), |b, op| {
            if $pass::concerns(&op) { $pass::rewrite(b, op) } else { Some(op) }
        })),*];
    };
}

rewrites! {
    identity
    fold
    extend
    flags
}
