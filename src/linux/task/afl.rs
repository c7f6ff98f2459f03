//! What a fork server is told by who starts the program.

use crate::mem::Memory;
use crate::runtime::Edges;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Which code counts transitions.
#[derive(Clone, Debug)]
pub enum Counted {
    /// The program's own.
    Program,
    /// That of libraries too.
    All,
    /// That of these ranges.
    Ranges(Vec<Range<u64>>),
}

/// A fork server, and what its children count.
#[derive(Debug)]
pub struct ForkServer {
    edges: Arc<Edges>,
    entry: Option<u64>,
    counted: Counted,
    /// The entry was reached.
    reached: AtomicBool,
}

impl ForkServer {
    /// One whose children begin at `entry`, or the program's own, and count transitions in `edges`,
    /// which the machine has among its options.
    #[must_use]
    pub const fn new(edges: Arc<Edges>, entry: Option<u64>, counted: Counted) -> Self {
        Self { edges, entry, counted, reached: AtomicBool::new(false) }
    }

    /// Where it begins in a program with this entry.
    pub(crate) fn entry(&self, program: u64) -> u64 {
        self.entry.unwrap_or(program)
    }

    /// True if this was called before.
    pub(crate) fn was_reached(&self) -> bool {
        self.reached.swap(true, Ordering::Relaxed)
    }

    /// Has transitions counted from now on, in a program whose code is at `pc` too.
    pub(crate) fn count(&self, memory: &Memory, pc: u64) {
        self.edges.count(match &self.counted {
            Counted::Program => memory.mapping(pc).map(|(range, _)| range).into_iter().collect(),
            Counted::All => std::iter::once(0..u64::MAX).collect(),
            Counted::Ranges(ranges) => ranges.clone(),
        });
    }
}
