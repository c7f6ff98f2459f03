//! Counters that translated code increments (`Options::count`).

use crate::backend::{MAX_COUNTERS, UNMARKED};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a mark holds whose code was executed once, and not since.
const TAKEN: u64 = UNMARKED ^ 1;

/// Counters that are allocated at once.
const CHUNK: usize = 64 * MAX_COUNTERS;

/// All counters of a machine. They live as long as it does: code that increments them may.
#[derive(Debug, Default)]
pub(super) struct Counts {
    chunks: Mutex<Chunks>,
    /// What they begin with.
    first: u64,
}

#[derive(Debug, Default)]
struct Chunks {
    all: Vec<Arc<[AtomicU64]>>,
    /// Counters of the last chunk that are taken.
    used: usize,
}

/// The counters of one block.
#[derive(Clone, Debug)]
pub struct BlockCounts {
    chunk: Arc<[AtomicU64]>,
    first: usize,
}

impl BlockCounts {
    /// Counter `n`, which belongs to count point `n`. Threads that increment it at the same moment
    /// may count once.
    #[must_use]
    pub fn get(&self, n: usize) -> u64 {
        self.chunk.get(self.first + n).map_or(0, |c| c.load(Ordering::Relaxed))
    }

    /// True if the code of mark `n` was executed (`Options::mark`).
    #[must_use]
    pub fn is_marked(&self, n: usize) -> bool {
        self.get(n) != UNMARKED
    }

    /// True if the code of mark `n` was executed since this was last called.
    pub(super) fn take_mark(&self, n: usize) -> bool {
        // What is stored in between is of code that was executed.
        let Some(mark) = self.chunk.get(self.first + n) else { return false };
        let executed = !matches!(mark.load(Ordering::Relaxed), UNMARKED | TAKEN);
        if executed {
            mark.store(TAKEN, Ordering::Relaxed);
        }
        executed
    }

    /// Host address of the first.
    pub(super) fn address(&self) -> u64 {
        (&raw const self.chunk[self.first]).addr() as u64
    }
}

impl Counts {
    /// Counters that begin with `first`.
    pub(super) fn new(first: u64) -> Self {
        Self { chunks: Mutex::default(), first }
    }

    fn lock(&self) -> MutexGuard<'_, Chunks> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counters for the next block, [`MAX_COUNTERS`] at most.
    pub(super) fn next(&self) -> BlockCounts {
        let mut chunks = self.lock();
        if chunks.all.is_empty() || chunks.used + MAX_COUNTERS > CHUNK {
            chunks.all.push((0..CHUNK).map(|_| AtomicU64::new(self.first)).collect());
            chunks.used = 0;
        }
        let chunk = Arc::clone(&chunks.all[chunks.all.len() - 1]);
        BlockCounts { chunk, first: chunks.used }
    }

    /// Says that the block has taken `n` of the counters that [`Self::next`] gave.
    pub(super) fn take(&self, n: usize) {
        self.lock().used += n;
    }

    /// Begins anew, in a child process.
    pub(super) fn clear(&self) {
        let chunks = self.lock();
        chunks.all.iter().flat_map(|c| c.iter()).for_each(|c| c.store(0, Ordering::Relaxed));
    }
}
