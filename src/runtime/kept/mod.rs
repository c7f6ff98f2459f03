//! Translations that are kept in files, for other processes and later ones.
//!
//! What is kept of a block is its code, with what must be changed in it for another place
//! ([`portable`](crate::backend::portable)). It is good wherever a process has the same guest code
//! at the same address: before it is used, the guest's bytes are compared with those that it was
//! made from, one by one, and they are watched as those of a translation are. So how a file is
//! found (`Segment`) need not be exact, and a block is used in the same cases in which a
//! translation of its own would be the same but for what was translated before it.
//!
//! There is one file for the code of a mapping of a file, at its address. Nothing is written while
//! the guest has something to do: [`KeptCode::save`] is for its end.

mod file;

use self::file::{KeptFile, MAX_FILE, Page, Subject, hash, merge};
use super::host::Host;
use super::options::Options;
use crate::backend::CodeBuf;
use crate::backend::portable::{Entry, Made, encode};
use crate::lift::CodeSource;
use crate::mem::{Backing, Memory};
use crate::sys::forks;
use crate::sys::private_dir::{Listed, PrivateDir};
use crate::util::{PAGE_SIZE, page_down};
use std::io;
use std::mem::take;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, OnceLock, TryLockError};
use std::time::SystemTime;

/// How kept translations are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptUse {
    /// They are used, and none are added.
    Read,
    /// They are used, and what had to be translated is added.
    ReadWrite,
    /// The same, but nothing is added of code that was not met before: the first process that
    /// executes the code of a mapping only leaves a note of it, which costs next to nothing.
    Auto,
    /// Each that would be used is made again and compared; a difference is a panic. None are added.
    Verify,
}

impl KeptUse {
    /// Whether files are written.
    fn writes(self) -> bool {
        matches!(self, Self::ReadWrite | Self::Auto)
    }
}

/// Translations in the files of a directory.
pub struct KeptCode {
    dir: PrivateDir,
    how: KeptUse,
    /// What translations depend on besides guest code: this program, and how it is set up. Known
    /// from the first code cache on.
    build: OnceLock<u64>,
    state: Mutex<State>,
}

impl std::fmt::Debug for KeptCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptCode").field("dir", &self.dir).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    /// Mappings of code that were looked at, the latest last.
    mappings: Vec<(Range<u64>, Option<usize>)>,
    segments: Vec<Segment>,
    /// The process ([`forks::epoch`]) that has made what is new.
    epoch: u64,
}

/// The code of a mapping.
struct Segment {
    subject: Subject,
    file: Option<KeptFile>,
    /// An earlier process has met the code.
    met: bool,
    /// This one leaves a note that it has.
    notes: bool,
    /// The page that was looked at last, for its memory too.
    page: Option<Page>,
    /// Entries to be added: addresses of blocks, and where they begin in `bytes`.
    new: Vec<(u64, usize)>,
    bytes: Vec<u8>,
}

/// A file of which more than this times the size of what is new would be written again is left as
/// it is: it would cost more than the next process gains.
const WORTH: usize = 32;
/// Bytes of a file that may be written for anything.
const SMALL: usize = 128 << 10;
/// The file of notes: a doubleword for each code that was met, at a place that follows from it. One
/// that takes the place of another, or is wrong, makes a difference to when code is kept only.
const NOTES: &str = "notes";
/// Places in it.
const NOTE_PLACES: u64 = 8192;
/// Bytes that all files may have together.
pub const MAX_KEPT: u64 = 1 << 30;
/// Bytes of new entries that are not kept in memory until the end.
const MUCH: usize = 16 << 20;

/// This program's file: no other one, and no later one of its name, has the same.
fn program() -> io::Result<u64> {
    let meta = std::fs::metadata("/proc/self/exe")?;
    let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
    let words = [meta.dev(), meta.ino(), meta.len()].into_iter();
    let words: Vec<_> = words.chain(times.map(|n| n as u64)).flat_map(u64::to_le_bytes).collect();
    Ok(hash(&words))
}

impl KeptCode {
    /// Translations in the files of the directory at `path`, which is made if it is not there and
    /// may be written to.
    ///
    /// # Errors
    /// As [`PrivateDir::check`]; `NotFound` if there is no directory.
    pub fn new(path: &Path, how: KeptUse) -> io::Result<Self> {
        let dir = PrivateDir::new(path);
        dir.check(how.writes())?;
        Ok(Self { dir, how, build: OnceLock::new(), state: Mutex::default() })
    }

    /// Whether code is kept for a code cache with these options whose stubs are `stubs`.
    pub(super) fn serves(&self, options: &Options, exact_flags: bool, stubs: &[u8]) -> bool {
        let Options { isa, mode, host_features, foreign_handlers, .. } = options;
        let plain = options.engine.only_translates()
            && !(options.meter || options.count || options.mark || options.trace)
            && !options.serve_calls
            && options.edges.is_none();
        let Ok(program) = program() else { return false };
        let text = format!(
            "{program} {} {isa:?} {mode:?} {host_features:?} {exact_flags} {foreign_handlers} {}",
            env!("CARGO_PKG_VERSION"),
            hash(stubs)
        );
        let build = hash(text.as_bytes());
        plain && *self.build.get_or_init(|| build) == build
    }

    /// Whether the block at `pc` is to be added.
    pub(super) fn adds(&self, pc: u64, memory: &Memory) -> bool {
        let met = |state: &mut State| Some(self.segment(state, pc, memory)?.met);
        match self.how {
            KeptUse::ReadWrite => true,
            KeptUse::Auto => self.with_state(met).flatten() == Some(true),
            KeptUse::Read | KeptUse::Verify => false,
        }
    }

    /// Whether blocks are to be compared with those that are made anew.
    pub(super) fn verifies(&self) -> bool {
        self.how == KeptUse::Verify
    }

    /// Calls `f` unless another thread, or one that a fork has left behind, is at it.
    fn with_state<T>(&self, f: impl FnOnce(&mut State) -> T) -> Option<T> {
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(e)) => e.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let epoch = forks::epoch();
        if state.epoch != epoch {
            // What is new is the parent's to add.
            state.epoch = epoch;
            state.segments.iter_mut().for_each(Segment::forget_new);
        }
        Some(f(&mut state))
    }

    /// Calls `f` with each block that is kept of `page`, or the one at `which` only. That need not
    /// be made from the guest code which is there now: see [`Entry::fits`].
    pub(super) fn each(
        &self,
        page: u64,
        which: Option<u64>,
        memory: &Memory,
        mut f: impl FnMut(&Entry<'_>),
    ) {
        self.with_state(|state| {
            let segment = self.segment(state, which.unwrap_or(page), memory)?;
            let page = segment.page(page)?;
            match which {
                Some(pc) => f(&page.entry(pc)?),
                None => {
                    page.all()
                        .filter_map(|(pc, bytes)| Entry::parse(pc, bytes))
                        .for_each(|e| f(&e));
                }
            }
            Some(())
        });
    }

    /// What is kept of the block at `pc`, if that was made from the guest code which is there now.
    pub(super) fn find(
        &self,
        pc: u64,
        memory: &Memory,
        source: &mut impl CodeSource,
    ) -> Option<Stored> {
        self.with_state(|state| {
            let segment = self.segment(state, pc, memory)?;
            let page = segment.page(page_down(pc))?;
            let entry = page.entry(pc).filter(|entry| entry.fits(source, memory))?;
            let (offsets, made) = (entry.offsets(), entry.made());
            let bytes = page.bytes(pc)?.to_vec();
            Some(Stored { bytes, offsets, made })
        })?
    }

    /// Adds the block in `buf`.
    pub(super) fn add(&self, buf: &CodeBuf, made: &Made, memory: &Memory, code: &[u8]) {
        let much = self.with_state(|state| {
            let segment = self.segment(state, made.pc, memory)?;
            let start = segment.bytes.len();
            if encode::<Host>(buf, made, code, &mut segment.bytes) {
                segment.new.push((made.pc, start));
            }
            Some(segment.bytes.len() > MUCH)
        });
        if much.flatten() == Some(true) {
            self.save();
        }
    }

    /// The code of the mapping at `pc`, if it is a file's.
    fn segment<'s>(
        &self,
        state: &'s mut State,
        pc: u64,
        memory: &Memory,
    ) -> Option<&'s mut Segment> {
        let known = state.mappings.iter().rposition(|(range, _)| range.contains(&pc));
        let found = match known {
            Some(n) => state.mappings[n].1,
            None => {
                let (range, mapping) = memory.mapping(pc)?;
                let subject = match &mapping.backing {
                    Backing::File { path, offset, .. } if !mapping.shared => {
                        self.subject(&range, *offset, path, memory)
                    }
                    _ => None,
                };
                let number = subject.map(|subject| {
                    let same = state.segments.iter().position(|s| s.subject == subject);
                    same.unwrap_or_else(|| {
                        state.segments.push(self.open(subject));
                        state.segments.len() - 1
                    })
                });
                state.mappings.push((range, number));
                number
            }
        };
        Some(&mut state.segments[found?])
    }

    /// What the file for a mapping is about: its address and size, and its first page.
    fn subject(
        &self,
        range: &Range<u64>,
        offset: u64,
        path: &Path,
        memory: &Memory,
    ) -> Option<Subject> {
        let build = *self.build.get()?;
        let mut first = vec![0; PAGE_SIZE as usize];
        memory.read_bytes(range.start, &mut first).ok()?;
        for word in [range.start, range.end, offset] {
            first.extend_from_slice(&word.to_le_bytes());
        }
        let name = path.to_string_lossy().into_owned();
        Some(Subject { build, key: hash(&first), name })
    }

    fn open(&self, subject: Subject) -> Segment {
        let file = self.file(&subject);
        let met = file.is_none() && self.how == KeptUse::Auto && self.was_met(&subject);
        Segment {
            notes: self.how == KeptUse::Auto && file.is_none() && !met,
            met: file.is_some() || met,
            file,
            subject,
            page: None,
            new: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Whether an earlier process has met this code.
    fn was_met(&self, subject: &Subject) -> bool {
        let (place, note) = subject.note();
        let view = self.dir.read(NOTES, NOTE_PLACES * 8);
        view.ok().and_then(|view| view.bytes(place as usize, 8)).as_deref() == Some(&note[..])
    }

    fn file(&self, subject: &Subject) -> Option<KeptFile> {
        let view = self.dir.read(&subject.file_name(), MAX_FILE).ok()?;
        let file = KeptFile::open(view)?;
        let same = (file.subject.build, file.subject.key) == (subject.build, subject.key);
        same.then_some(file)
    }

    /// Forgets where code lies that was mapped in `range`.
    pub(super) fn forget(&self, range: &Range<u64>) {
        self.with_state(|state| {
            state.mappings.retain(|(code, _)| code.end <= range.start || code.start >= range.end);
        });
    }

    /// Writes what is new, where it is worth it and no other process does the same. What cannot be
    /// written is not: it can be translated again.
    pub fn save(&self) {
        if !self.how.writes() {
            return;
        }
        self.with_state(|state| {
            let worth = |s: &&mut Segment| {
                let old = s.file.as_ref().map_or(0, KeptFile::len);
                !s.new.is_empty() && (old < SMALL || s.bytes.len() * WORTH > old)
            };
            let note = |s: &mut Segment| take(&mut s.notes).then(|| s.subject.note());
            let notes: Vec<_> = state.segments.iter_mut().filter_map(note).collect();
            if !notes.is_empty() {
                let _ = self.dir.put(NOTES, &notes);
            }
            let mut segments = state.segments.iter_mut().filter(worth).peekable();
            if segments.peek().is_none() {
                return;
            }
            let Ok(Some(_lock)) = self.dir.try_lock() else { return };
            for segment in segments {
                self.write(segment);
            }
            let _ = prune(&self.dir, MAX_KEPT);
        });
    }

    fn write(&self, segment: &mut Segment) {
        // Another process may have written it meanwhile.
        let old = self.file(&segment.subject);
        let large = |old: &KeptFile| (old.len() + segment.bytes.len()) as u64 > MAX_FILE / 4;
        let old = old.filter(|old| !large(old));
        let bytes = merge(&segment.subject, old.as_ref(), segment.entries());
        let _ = self.dir.replace(&segment.subject.file_name(), &bytes);
        segment.forget_new();
    }
}

impl Segment {
    fn forget_new(&mut self) {
        self.new.clear();
        self.bytes.clear();
    }

    /// What is new.
    fn entries(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let ends = self.new.iter().skip(1).map(|(_, start)| *start).chain([self.bytes.len()]);
        self.new.iter().zip(ends).map(|(&(pc, start), end)| (pc, &self.bytes[start..end]))
    }

    /// The entries of a page.
    fn page(&mut self, addr: u64) -> Option<&Page> {
        if self.page.as_ref().is_none_or(|page| page.addr() != addr) {
            let memory = self.page.take().map(Page::into_bytes).unwrap_or_default();
            self.page = self.file.as_ref()?.page(addr, memory);
        }
        self.page.as_ref()
    }
}

impl Entry<'_> {
    /// Whether the block was made from the guest code which is there now, and what was looked at
    /// besides is the same.
    pub(super) fn fits(&self, source: &mut impl CodeSource, memory: &Memory) -> bool {
        is_code(source, self.ranges(), self.code())
            && self.peeked().all(|(addr, value)| memory.read_u64(addr) == Ok(value))
    }
}

/// Calls `f` with the guest code of `ranges`, piece by piece, as long as it says so. False if it
/// does not, or if the code cannot be read.
fn each_piece(
    source: &mut impl CodeSource,
    mut ranges: impl Iterator<Item = (u64, u32)>,
    mut f: impl FnMut(&[u8]) -> bool,
) -> bool {
    ranges.all(|(start, len)| {
        let (mut at, mut left) = (start, len as usize);
        while left > 0 {
            let Some(bytes) = source.bytes(at).filter(|bytes| !bytes.is_empty()) else {
                return false;
            };
            let piece = &bytes[..bytes.len().min(left)];
            if !f(piece) {
                return false;
            }
            left -= piece.len();
            at = at.wrapping_add(piece.len() as u64);
        }
        true
    })
}

/// Whether the guest code of `ranges` is `code`.
fn is_code(
    source: &mut impl CodeSource,
    ranges: impl Iterator<Item = (u64, u32)>,
    code: &[u8],
) -> bool {
    let mut rest = code;
    let same = each_piece(source, ranges, |piece| {
        let Some(behind) = rest.strip_prefix(piece) else { return false };
        rest = behind;
        true
    });
    same && rest.is_empty()
}

/// The guest code of `ranges`.
pub(super) fn code_of(source: &mut impl CodeSource, ranges: &[(u64, u32)]) -> Option<Vec<u8>> {
    let mut code = Vec::new();
    each_piece(source, ranges.iter().copied(), |piece| {
        code.extend_from_slice(piece);
        true
    })
    .then_some(code)
}

/// A kept block that is compared with one that is made anew.
pub(super) struct Stored {
    bytes: Vec<u8>,
    /// Where in a cache line its parts begin, and those of the other one must.
    pub(super) offsets: [u32; 2],
    made: Made,
}

impl Stored {
    /// What would be kept of the block in `buf`, whose guest code is `code`; nothing if it is too
    /// large.
    #[cfg(debug_assertions)]
    pub(super) fn new(buf: &CodeBuf, made: &Made, code: &[u8]) -> Self {
        let mut bytes = Vec::new();
        encode::<Host>(buf, made, code, &mut bytes);
        Self { bytes, offsets: [0; 2], made: made.clone() }
    }

    /// Compares it with the block in `buf`, whose guest code is `code`.
    ///
    /// # Panics
    /// If they differ, though they were made from the same guest code. (How far a block goes may
    /// depend on what is behind it, so that may differ.)
    pub(super) fn compare(&self, buf: &CodeBuf, made: &Made, code: &[u8]) {
        let mut bytes = Vec::new();
        encode::<Host>(buf, made, code, &mut bytes);
        let same = bytes == self.bytes;
        assert!(
            same || *made != self.made,
            "the kept translation of {:#x} is not what is made of its code",
            made.pc
        );
    }
}

/// A file of kept code, for people.
#[derive(Clone, Debug)]
pub struct KeptFileInfo {
    /// Name of the file.
    pub file: String,
    /// What it is of, as the guest knew it; `None` if the file is not whole.
    pub of: Option<String>,
    /// Its size in bytes.
    pub size: u64,
    /// Blocks in it that are whole, and pages that are not.
    pub blocks: (usize, usize),
    /// When it was used last, within an hour.
    pub used: SystemTime,
}

/// What the directory at `path` holds, with everything in it looked at.
///
/// # Errors
/// As [`PrivateDir::check`].
pub fn kept_files(path: &Path) -> io::Result<Vec<KeptFileInfo>> {
    let dir = PrivateDir::new(path);
    let look = |listed: Listed| {
        let name = listed.name.to_string_lossy().into_owned();
        let file = dir.read(&name, MAX_FILE).ok().and_then(KeptFile::open);
        let file = file.filter(|file| file.subject.file_name() == name);
        let blocks = file.as_ref().map_or((0, 0), blocks_of);
        let (size, used) = (listed.size, listed.used);
        KeptFileInfo { file: name, of: file.map(|file| file.subject.name), size, blocks, used }
    };
    Ok(files(&dir)?.into_iter().map(look).collect())
}

/// The files of kept code.
fn files(dir: &PrivateDir) -> io::Result<Vec<Listed>> {
    let mut files = dir.list()?;
    files.retain(|file| file.name != NOTES);
    Ok(files)
}

/// Blocks that are whole, and pages that are not.
fn blocks_of(file: &KeptFile) -> (usize, usize) {
    let (mut blocks, mut bad) = (0, 0);
    for addr in file.pages() {
        let page = file.page(addr, Vec::new());
        let whole = page.as_ref().filter(|page| page.all().all(|(pc, _)| page.entry(pc).is_some()));
        match whole {
            Some(page) => blocks += page.all().count(),
            None => bad += 1,
        }
    }
    (blocks, bad)
}

/// Removes files that were not used for longest until all together have `most` bytes at most.
/// Returns the number of files and of bytes that were removed.
///
/// # Errors
/// As [`PrivateDir::check`].
pub fn prune_kept(path: &Path, most: u64) -> io::Result<(usize, u64)> {
    prune(&PrivateDir::new(path), most)
}

fn prune(dir: &PrivateDir, most: u64) -> io::Result<(usize, u64)> {
    let mut files = files(dir)?;
    let mut total: u64 = files.iter().map(|file| file.size).sum();
    let mut removed = (0, 0);
    if most == 0 {
        dir.remove(NOTES)?;
    }
    files.sort_by_key(|file| file.used);
    for file in files {
        if total <= most {
            break;
        }
        if let Some(name) = file.name.to_str() {
            dir.remove(name)?;
            removed = (removed.0 + 1, removed.1 + file.size);
        }
        total -= file.size;
    }
    Ok(removed)
}
