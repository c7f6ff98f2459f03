//! Where a program spends its time, by samples of its calls.

use super::Symbols;
use super::backtrace::Unwinder;
use crate::cpu::Hart;
use crate::mem::Memory;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Collects samples of one process. Clones share what they collect.
#[derive(Clone)]
pub struct Samples(Arc<Mutex<Taken>>);

struct Taken {
    /// Whose they are.
    process: u32,
    roots: Vec<PathBuf>,
    unwinder: Unwinder,
    /// Microseconds by calls, of which the innermost is the first.
    stacks: FxHashMap<Box<[u64]>, u64>,
}

/// Calls of a sample at most.
const MOST: usize = 128;

impl Taken {
    /// In a child of the process whose samples these are: has its own from now on.
    fn begin_child(&mut self) {
        let process = std::process::id();
        if self.process != process {
            self.process = process;
            self.stacks.clear();
        }
    }
}

impl Samples {
    /// No samples, of the calling process. `roots` are directories below which the guest's files
    /// are looked for first.
    #[must_use]
    pub fn new(roots: Vec<PathBuf>) -> Self {
        Self(Arc::new(Mutex::new(Taken {
            process: std::process::id(),
            unwinder: Unwinder::new(roots.clone()),
            roots,
            stacks: FxHashMap::default(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a sample of a thread that stands for `micros` microseconds.
    pub fn take(&self, memory: &Memory, hart: &Hart, micros: u64) {
        let taken = &mut *self.lock();
        taken.begin_child();
        let chain = taken.unwinder.chain(memory, hart, MOST);
        *taken.stacks.entry(chain.into()).or_default() += micros;
    }

    /// Microseconds by the names of calls, of which the outermost is the first.
    #[must_use]
    pub fn by_name(&self, memory: &Memory) -> BTreeMap<Vec<String>, u64> {
        let mut taken = self.lock();
        taken.begin_child();
        let mut out = BTreeMap::new();
        let mut symbols = Symbols::new(taken.roots.clone());
        let mut names: FxHashMap<u64, String> = FxHashMap::default();
        for (stack, micros) in &taken.stacks {
            let name = |(n, &pc): (usize, &u64)| {
                // Where a call returns to may belong to another function.
                let at = if n == 0 { pc } else { pc.wrapping_sub(1) };
                let name = names.entry(at).or_insert_with(|| {
                    let name = symbols.function(memory, at);
                    name.unwrap_or_else(|| format!("{at:#x}"))
                });
                name.clone()
            };
            let mut stack: Vec<String> = stack.iter().enumerate().map(name).collect();
            stack.reverse();
            *out.entry(stack).or_default() += micros;
        }
        out
    }

    /// The same as lines that tools for flame graphs read: names with semicolons between them, and
    /// a number, here of microseconds. `title` is the outermost name.
    #[must_use]
    pub fn folded(&self, memory: &Memory, title: &str) -> String {
        let mut out = String::new();
        for (stack, micros) in self.by_name(memory) {
            let plain = |name: &str| name.replace([';', '\n'], ":");
            out += &plain(title);
            for name in stack {
                out.push(';');
                out += &plain(&name);
            }
            let _ = writeln!(out, " {micros}");
        }
        out
    }
}
