//! All blocks of all files, on all threads.

use super::error::{Error, Problem};
use super::finding::{Difference, Finding};
use super::image::{self, Image};
use super::rig::{Rig, SETUPS};
use super::scan::{self, Found, Scan};
use crate::fuzzing::Rng;
use crate::fuzzing::campaign::{Watched, watch};
use crate::isa::Isa;
use rustc_hash::{FxHashSet, FxHasher};
use std::collections::{BTreeMap, BinaryHeap};
use std::hash::Hasher as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// States from which each block is executed, if nothing else is asked for.
pub const STATES: u32 = 4;
/// Blocks that are executed with one setup before another is drawn.
const CHUNK: usize = 2048;
/// Differences of which what does not matter is left out, so that there is an end.
const MOST_SHRUNK: u64 = 500;

/// What to do.
#[derive(Clone, Debug)]
pub struct Harvest {
    /// Files and directories with code.
    pub from: Vec<PathBuf>,
    /// Everything follows from it.
    pub seed: u64,
    /// States from which each block is executed.
    pub states: u32,
    /// Threads.
    pub jobs: usize,
    /// Stop after this time.
    pub time: Duration,
    /// Stop after this many different blocks.
    pub blocks: u64,
    /// Execute so many blocks, drawn from all.
    pub sample: Option<usize>,
    /// Go on after a difference.
    pub keep_going: bool,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Files with code.
    pub files: u64,
    /// Places where a block can begin.
    pub places: u64,
    /// Different blocks that were executed.
    pub blocks: u64,
    /// Pieces of translated code that were executed and compared, most of them a block.
    pub executions: u64,
    /// States that could not be tried: they lead to a counter, to far addresses, or to one byte of
    /// memory by two addresses.
    pub left_out: u64,
    /// Blocks with differences.
    pub differences: u64,
}

/// Findings of one kind.
#[derive(Clone, Debug)]
pub struct Group {
    /// The first of them.
    pub first: Finding,
    /// How many there are.
    pub count: u64,
}

/// What a campaign has found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was done.
    pub reaped: Reaped,
    /// Differences, the most frequent kind first.
    pub groups: Vec<Group>,
    /// Files below directories of which no code could be taken, and why.
    pub damaged: Vec<String>,
}

/// Blocks of one file that are executed with one setup.
struct Chunk {
    image: Arc<Image>,
    functions: Arc<Vec<u64>>,
    number: u64,
    offsets: Vec<u64>,
}

struct Shared<'a> {
    plan: &'a Harvest,
    started: Instant,
    chunks: Mutex<Receiver<Chunk>>,
    files: AtomicU64,
    places: AtomicU64,
    blocks: AtomicU64,
    executions: AtomicU64,
    left_out: AtomicU64,
    differences: AtomicU64,
    stop: AtomicBool,
    groups: Mutex<BTreeMap<String, Group>>,
}

impl Shared<'_> {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.started.elapsed() >= self.plan.time
    }

    fn reaped(&self) -> Reaped {
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        Reaped {
            files: get(&self.files),
            places: get(&self.places),
            blocks: get(&self.blocks),
            executions: get(&self.executions),
            left_out: get(&self.left_out),
            differences: get(&self.differences),
        }
    }
}

fn lock<T>(m: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Executes the blocks of files with both engines; `report` is told of the progress now and then.
///
/// # Errors
/// A file or directory of which no code can be taken, or the host has no memory for the engines.
pub fn harvest(plan: &Harvest, mut report: impl FnMut(Reaped)) -> Result<Outcome, Error> {
    let paths = image::find(&plan.from)?;
    // What was named is looked at before anything is done.
    for path in plan.from.iter().filter(|path| path.is_file()) {
        read(path)?;
    }
    let (send, receive) = sync_channel(2 * plan.jobs.max(1));
    let shared = Shared {
        plan,
        started: Instant::now(),
        chunks: Mutex::new(receive),
        files: AtomicU64::new(0),
        places: AtomicU64::new(0),
        blocks: AtomicU64::new(0),
        executions: AtomicU64::new(0),
        left_out: AtomicU64::new(0),
        differences: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        groups: Mutex::new(BTreeMap::new()),
    };
    let watched: Vec<Watched> = (0..plan.jobs.max(1)).map(|_| Watched::default()).collect();
    let mut damaged = Vec::new();
    let result = std::thread::scope(|scope| {
        let workers: Vec<_> = watched.iter().map(|w| scope.spawn(|| worker(&shared, w))).collect();
        let (paths, damaged, shared) = (&paths, &mut damaged, &shared);
        let producer = scope.spawn(move || produce(shared, paths, damaged, &send));
        let mut beats = vec![(0, shared.started); watched.len()];
        while !workers.iter().all(|w| w.is_finished()) {
            std::thread::sleep(Duration::from_millis(20));
            for (w, beat) in watched.iter().zip(&mut beats) {
                watch(w, beat);
            }
            report(shared.reaped());
        }
        // Nobody takes what the producer still has.
        drop(std::mem::replace(&mut *lock(&shared.chunks), sync_channel(0).1));
        for worker in workers {
            worker.join().map_err(|_| io::Error::other("a fuzzing thread panicked"))??;
        }
        producer.join().map_err(|_| io::Error::other("the scanning thread panicked"))
    });
    let first = plan.from.first().map_or(Path::new(""), PathBuf::as_path);
    result.map_err(|e| Error::new(first, Problem::Io(e)))?;
    let reaped = shared.reaped();
    if reaped.files == 0
        && let Some(dir) = plan.from.iter().find(|path| path.is_dir())
    {
        return Err(Error::new(dir, Problem::NoFiles));
    }
    let groups = shared.groups.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|g| std::cmp::Reverse(g.count));
    Ok(Outcome { reaped, groups, damaged })
}

pub(super) fn read(path: &Path) -> Result<(Image, u64), Error> {
    let bytes = std::fs::read(path).map_err(|e| Error::new(path, Problem::Io(e)))?;
    let mut contents = FxHasher::default();
    contents.write(&bytes);
    Ok((Image::new(path, &bytes)?, contents.finish()))
}

/// Reads the files and hands out their blocks.
fn produce(
    shared: &Shared<'_>,
    paths: &[PathBuf],
    damaged: &mut Vec<String>,
    send: &SyncSender<Chunk>,
) {
    let mut out = Output { shared, send, number: 0, handed: 0 };
    let mut sample = shared.plan.sample.map(|size| Sample::new(size, shared.plan.seed));
    let mut files = FxHashSet::default();
    let mut keys = FxHashSet::default();
    for (file, path) in paths.iter().enumerate() {
        let image = match read(path) {
            Ok((image, contents)) if files.insert(contents) => Arc::new(image),
            Ok(_) => continue,
            Err(e) => {
                damaged.push(e.to_string());
                continue;
            }
        };
        shared.files.fetch_add(1, Ordering::Relaxed);
        let functions = Arc::new(scan::functions(&image, &Isa::default()));
        let mut offsets = Vec::new();
        for found in Scan::new(&image, &Isa::default()) {
            if shared.stopped() {
                return;
            }
            shared.places.fetch_add(1, Ordering::Relaxed);
            if !keys.insert(found.key) {
                continue;
            }
            match &mut sample {
                Some(sample) => sample.offer(found, file),
                None => offsets.push(found.offset),
            }
            if offsets.len() == CHUNK && !out.hand(&image, &functions, &mut offsets) {
                return;
            }
        }
        if !out.hand(&image, &functions, &mut offsets) {
            return;
        }
    }
    for (file, mut offsets) in sample.map(Sample::by_file).unwrap_or_default() {
        // It was read a moment ago.
        let Ok((image, _)) = read(&paths[file]) else { continue };
        let functions = Arc::new(scan::functions(&image, &Isa::default()));
        if !out.hand(&Arc::new(image), &functions, &mut offsets) {
            return;
        }
    }
}

/// Where blocks go to.
struct Output<'a> {
    shared: &'a Shared<'a>,
    send: &'a SyncSender<Chunk>,
    /// Chunks so far.
    number: u64,
    /// Blocks so far.
    handed: u64,
}

impl Output<'_> {
    /// Hands out blocks; false if no more are wanted.
    fn hand(&mut self, image: &Arc<Image>, functions: &Arc<Vec<u64>>, all: &mut Vec<u64>) -> bool {
        let wanted = self.shared.plan.blocks - self.handed;
        all.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
        self.handed += all.len() as u64;
        for offsets in all.chunks(CHUNK) {
            let (image, functions) = (Arc::clone(image), Arc::clone(functions));
            let chunk = Chunk { image, functions, number: self.number, offsets: offsets.to_vec() };
            self.number += 1;
            if self.send.send(chunk).is_err() {
                return false;
            }
        }
        all.clear();
        self.handed < self.shared.plan.blocks
    }
}

/// The blocks whose keys come first in an order that the seed says.
struct Sample {
    size: usize,
    seed: u64,
    /// Place in that order, file, offset.
    heap: BinaryHeap<(u64, usize, u64)>,
}

impl Sample {
    fn new(size: usize, seed: u64) -> Self {
        Self { size, seed, heap: BinaryHeap::new() }
    }

    fn offer(&mut self, found: Found, file: usize) {
        let place = Rng::new(self.seed, found.key).next_u64();
        if self.heap.len() == self.size && self.heap.peek().is_none_or(|last| last.0 <= place) {
            return;
        }
        self.heap.push((place, file, found.offset));
        if self.heap.len() > self.size {
            self.heap.pop();
        }
    }

    fn by_file(self) -> BTreeMap<usize, Vec<u64>> {
        let mut files: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for (_, file, offset) in self.heap {
            files.entry(file).or_default().push(offset);
        }
        files.values_mut().for_each(|offsets| offsets.sort_unstable());
        files
    }
}

fn worker(shared: &Shared<'_>, watched: &Watched) -> io::Result<()> {
    loop {
        let next = lock(&shared.chunks).recv();
        let Ok(chunk) = next else { return Ok(()) };
        if shared.stopped() {
            return Ok(());
        }
        let setup = Rng::new(!shared.plan.seed, chunk.number).below(SETUPS);
        let mut rig = Rig::new(&chunk.image, &chunk.functions, setup, shared.plan.seed)?;
        *lock(&watched.rig) = Some(rig.interrupter());
        for &offset in &chunk.offsets {
            if shared.stopped() {
                return Ok(());
            }
            watched.beat.fetch_add(1, Ordering::Relaxed);
            let before = rig.counts;
            let result = rig.check(offset, shared.plan.states);
            shared.blocks.fetch_add(1, Ordering::Relaxed);
            let after = rig.counts;
            shared.executions.fetch_add(after.executions - before.executions, Ordering::Relaxed);
            shared.left_out.fetch_add(after.left_out - before.left_out, Ordering::Relaxed);
            let Err(difference) = result else { continue };
            let nth = shared.differences.fetch_add(1, Ordering::Relaxed);
            if !shared.plan.keep_going {
                shared.stop.store(true, Ordering::Relaxed);
            }
            let panicked = difference.panicked();
            let difference =
                if nth < MOST_SHRUNK { rig.shrink(offset, difference) } else { difference };
            let finding = describe(&rig, &chunk.image, shared.plan, offset, difference);
            let mut groups = lock(&shared.groups);
            let kind = finding.kind.clone();
            groups.entry(kind).or_insert(Group { first: finding, count: 0 }).count += 1;
            drop(groups);
            if panicked {
                // What it left behind is of no use.
                rig = Rig::new(&chunk.image, &chunk.functions, setup, shared.plan.seed)?;
                *lock(&watched.rig) = Some(rig.interrupter());
            }
        }
    }
}

pub(super) fn describe(
    rig: &Rig<'_>,
    image: &Image,
    plan: &Harvest,
    offset: u64,
    difference: Box<Difference>,
) -> Finding {
    let states =
        if plan.states == STATES { String::new() } else { format!(" --states {}", plan.states) };
    let replay = format!(
        "rvnative fuzz --from {} --seed {}{states} --at {:#x} --setup {}",
        quoted(&image.path),
        plan.seed,
        image.low + offset,
        rig.number
    );
    Finding::new(image, offset, (rig.base(), &rig.setup, replay), difference)
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// Executes the block at address `addr` of the one file of `plan` with setup `setup`, again.
///
/// # Errors
/// No code can be taken from the file, or there is none at that address.
pub fn replay_at(plan: &Harvest, addr: u64, setup: u32) -> Result<Option<Finding>, Error> {
    let paths = image::find(&plan.from)?;
    let path = paths.first().map_or(Path::new(""), PathBuf::as_path);
    let (image, _) = read(path)?;
    let offset = addr.wrapping_sub(image.low);
    if image.part(offset).is_none() || offset & 1 != 0 {
        return Err(Error::new(path, Problem::NoPlace(addr)));
    }
    let functions = scan::functions(&image, &Isa::default());
    let rig = Rig::new(&image, &functions, setup % SETUPS, plan.seed);
    let mut rig = rig.map_err(|e| Error::new(path, Problem::Io(e)))?;
    let Err(difference) = rig.check(offset, plan.states) else { return Ok(None) };
    let difference = rig.shrink(offset, difference);
    Ok(Some(describe(&rig, &image, plan, offset, difference)))
}
