//! How tools watch the runtime.

use crate::ir::Block;

/// A block that was just translated.
#[derive(Clone, Copy, Debug)]
pub struct TranslatedBlock<'a> {
    /// Guest address of its entry.
    pub pc: u64,
    /// The operations it was made from.
    pub ir: &'a Block,
    /// Host address at which the hot part runs.
    pub hot_at: u64,
    /// Host code on the likely path.
    pub hot: &'a [u8],
    /// Host address at which the cold part runs.
    pub cold_at: u64,
    /// Host code of exits and slow paths.
    pub cold: &'a [u8],
}

/// Told what the runtime does. Called with the code cache locked: it must not run guest code.
pub trait Observer: Send {
    /// A block was translated and is about to be published.
    fn translated(&mut self, block: &TranslatedBlock<'_>);
}
