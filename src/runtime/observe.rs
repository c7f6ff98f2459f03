//! Interface by which tools watch the runtime.

use super::counts::BlockCounts;
use crate::backend::{CountPoint, LinkSite};
use crate::cpu::Hart;
use crate::interp::Recorded;
use crate::ir::Block;
use crate::mem::Memory;
use std::ops::Range;

/// A block that was just translated.
#[derive(Clone, Copy, Debug)]
pub struct TranslatedBlock<'a> {
    /// Guest address of its entry.
    pub pc: u64,
    /// The operations it was made from.
    pub ir: &'a Block,
    /// Host address at which the hot part runs.
    pub hot_at: u64,
    /// Guest memory.
    pub memory: &'a Memory,
    /// Host code on the likely path.
    pub hot: &'a [u8],
    /// Host address at which the cold part runs.
    pub cold_at: u64,
    /// Host code of exits and slow paths.
    pub cold: &'a [u8],
    /// Arena offsets of `hot[0]` and `cold[0]`.
    pub places: [u32; 2],
    /// Jumps that can be redirected.
    pub links: &'a [LinkSite],
    /// Fault points of the hot and of the cold part, packed (`backend::faults`).
    pub faults: [&'a [u8]; 2],
    /// What is counted in it, with `Options::count` or `Options::mark`.
    pub points: &'a [CountPoint],
    /// With `Options::mark`: the parts of the block, and which of the counters each overwrites.
    pub marks: &'a [(usize, Range<u64>)],
    /// The counters of `points`.
    pub counts: Option<&'a BlockCounts>,
}

/// Translated code has not done what the interpreter does.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Guest address at which both began.
    pub pc: u64,
    /// Instructions that the interpreter has executed, and what differs afterwards, as text.
    pub text: String,
    /// The translation, if it could be made again.
    pub translation: Option<super::Translation>,
}

/// Told what the runtime does. Called with the code cache locked: it must not run guest code.
pub trait Observer: Send {
    /// A block was translated and is about to be published.
    fn translated(&mut self, block: &TranslatedBlock<'_>);

    /// With `Options::mark`: the interpreter has executed the code of these ranges of addresses.
    fn interpreted(&mut self, _memory: &Memory, _ranges: &[Range<u64>]) {}

    /// With `Options::trace`: a thread, of which only it has the number, has executed an
    /// instruction, and its hart is as it is behind it. If false, no more are to be told.
    fn executed(&mut self, _: &Memory, _thread: u64, _: &Hart, _: &Recorded) -> bool {
        true
    }

    /// `EngineKind::Verify` has found a difference. The process ends when this returns.
    fn differs(&mut self, _difference: &Difference) {}
}
