//! Which guest code was executed: collected here, kept in files by `drcov`, told by source lines by
//! `lines`.
//!
//! A block of a file is a range of addresses that is executed as a whole. Where an instruction
//! faults, what follows it in its block counts as executed; interpreted code stops where it faults.
//! Code that no file has, as just-in-time compilers make it, is left out.

mod drcov;
mod lines;

pub use drcov::{Drcov, DrcovError, Module};
pub use lines::{Lines, SourceFile};

use super::symbols::read_head_below;
use crate::mem::{Backing, Memory};
use crate::runtime::{BlockCounts, Observer, TranslatedBlock};
use crate::util::page_down;
use crate::vm::elf::Elf;
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Collects what is executed, of a machine with `Options::mark`. Clones share what they collect.
#[derive(Clone)]
pub struct Coverage(Arc<Mutex<Collected>>);

struct Collected {
    /// Directories below which the guest's files are looked for first.
    roots: Vec<PathBuf>,
    /// What is known to be executed.
    done: Drcov,
    /// What was interpreted since.
    interpreted: Vec<Placed>,
    /// Translated blocks.
    blocks: Vec<Block>,
    /// Modules by device and inode of their files.
    modules: FxHashMap<(u64, u64), FileModule>,
}

/// A file that is mapped.
struct FileModule {
    number: u16,
    /// Where bytes of the file that are code are in memory, from the module's base.
    segments: Vec<(Range<u64>, u64)>,
}

/// Executed code as files have it: module, offset from its base, length.
type Placed = (u16, u32, u16);

/// A translated block.
struct Block {
    counts: BlockCounts,
    /// Its parts, each with its mark.
    parts: Box<[(usize, Placed)]>,
}

/// Bytes of a file in which its headers are.
const HEADERS: u64 = 64 << 10;

impl Coverage {
    /// Nothing is executed yet. `roots` are directories below which the guest's files are looked
    /// for first.
    #[must_use]
    pub fn new(roots: Vec<PathBuf>) -> Self {
        Self(Arc::new(Mutex::new(Collected {
            roots,
            done: Drcov::default(),
            interpreted: Vec::new(),
            blocks: Vec::new(),
            modules: FxHashMap::default(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was executed so far. The machine must have told of what it has interpreted
    /// (`Machine::tell_noted`).
    #[must_use]
    pub fn executed(&self) -> Drcov {
        let Collected { done, blocks, interpreted, .. } = &mut *self.lock();
        let mut new = std::mem::take(interpreted);
        for block in blocks {
            let executed = |(mark, _): &&(usize, _)| block.counts.is_marked(*mark);
            new.extend(block.parts.iter().filter(executed).map(|(_, part)| *part));
        }
        done.add(new);
        done.clone()
    }
}

impl Observer for Coverage {
    fn translated(&mut self, block: &TranslatedBlock<'_>) {
        let Some(counts) = block.counts else { return };
        let collected = &mut *self.lock();
        let mut parts = Vec::with_capacity(block.marks.len());
        let mut mapped = None;
        for (mark, range) in block.marks {
            if let Some(block) = collected.place(block.memory, range, &mut mapped) {
                parts.push((*mark, block));
            }
        }
        if !parts.is_empty() {
            collected.blocks.push(Block { counts: counts.clone(), parts: parts.into() });
        }
    }

    fn interpreted(&mut self, memory: &Memory, ranges: &[Range<u64>]) {
        let collected = &mut *self.lock();
        let mut mapped = None;
        for range in ranges {
            if let Some(block) = collected.place(memory, range, &mut mapped) {
                collected.interpreted.push(block);
            }
        }
    }
}

/// A mapping: its addresses, the number of the module, and how far from the module's base it
/// begins; `None` where no file is mapped.
type Mapped = Option<(Range<u64>, Option<(u16, u64)>)>;

impl Collected {
    /// Module, offset and length of a range of addresses; `None` if no file is mapped there.
    /// `mapped` is where the range before was, if that is known.
    fn place(
        &mut self,
        memory: &Memory,
        range: &Range<u64>,
        mapped: &mut Mapped,
    ) -> Option<Placed> {
        if !mapped.as_ref().is_some_and(|(addresses, _)| addresses.contains(&range.start)) {
            *mapped = self.mapped(memory, range.start);
        }
        let (addresses, module) = mapped.as_ref()?;
        let (number, place) = (*module)?;
        let start = u32::try_from(place + (range.start - addresses.start)).ok()?;
        Some((number, start, u16::try_from(range.end - range.start).ok()?))
    }

    /// What is mapped at `pc`.
    fn mapped(&mut self, memory: &Memory, pc: u64) -> Mapped {
        let (addresses, mapping) = memory.mapping(pc)?;
        let Backing::File { path, offset, dev, inode } = mapping.backing else {
            return Some((addresses, None));
        };
        if !self.modules.contains_key(&(dev, inode)) {
            let module = self.module(&path, offset + (pc - addresses.start), pc)?;
            self.modules.insert((dev, inode), module);
        }
        let FileModule { number, segments } = &self.modules[&(dev, inode)];
        let at = offset + (pc - addresses.start);
        let inside = |(file, _): &&(Range<u64>, u64)| file.contains(&at);
        let place = segments.iter().find(inside).and_then(|(file, place)| {
            (place + (at - file.start)).checked_sub(pc - addresses.start)
        });
        Some((addresses, place.map(|place| (*number, place))))
    }

    /// The module of a file, of which byte `at` is at address `pc`.
    fn module(&mut self, path: &Path, at: u64, pc: u64) -> Option<FileModule> {
        let head = read_head_below(&self.roots, path, HEADERS);
        let elf = head.and_then(|(bytes, len)| Elf::parse(&bytes, len).ok());
        let (segments, len) = match &elf {
            Some(elf) => {
                let first = page_down(elf.span().start);
                let code = elf.segments.iter().filter(|s| s.prot.executable());
                let place = |s: &crate::vm::elf::Segment| {
                    let file = page_down(s.file.start)..s.file.end;
                    (file, page_down(s.addr) - first)
                };
                (code.map(place).collect(), elf.span().end - first)
            }
            // As it is, for who can make something of it.
            None => (vec![(0..u64::MAX, 0)], u64::from(u32::MAX)),
        };
        let inside = |(file, _): &&(Range<u64>, u64)| file.contains(&at);
        let (file, place) = segments.iter().find(inside)?;
        let base = pc.wrapping_sub(place + (at - file.start));
        let entry = elf
            .as_ref()
            .map_or(0, |e| e.entry.wrapping_sub(page_down(e.span().start)).wrapping_add(base));
        let end = base.saturating_add(len);
        let number = self.done.module(Module { path: path.to_owned(), base, end, entry })?;
        Some(FileModule { number, segments })
    }
}
