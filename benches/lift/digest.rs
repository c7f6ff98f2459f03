//! Digests of the host code that a program is translated to, for comparing two builds of the
//! translator: a change that promises the same code shows the same digests.
//!
//! A line for each way of translating: how guest addresses become host addresses, and what of the
//! host may be used. A digest covers, block after block in order of address, the host code of both
//! parts, where it lies, the jumps that can be redirected, and the fault points with their restore
//! operations. None of it depends on where the host has put the arena or the guest's memory.
//!
//! Code that no function's blocks reach (in a program without symbols, most of it) is taken from
//! its first byte on, so that all of the program is translated, tables between functions too.
//!
//! `ONLY=text` restricts it to the ways whose names contain that. `BLOCKS=1` prints a line for each
//! block too, for finding the one that differs.

use super::{machine, program, reach};
use rvnative::ir::Block;
use rvnative::isa::Isa;
use rvnative::lift::{Code, Lifter, Limits};
use rvnative::mem::Mode;
use rvnative::runtime::{HostFeatures, Observer, Options, TranslatedBlock};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of code that are translated at once: more would not fit into an arena.
const PART: usize = 8 << 20;

/// Prints the digests of the program in the file `path`.
pub(super) fn print(path: &str) {
    let file = std::fs::read(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let (code, entries) = program(&file);
    let starts = cover(code, entries);
    let only = std::env::var("ONLY").unwrap_or_default();
    for (name, options) in ways().into_iter().filter(|(name, _)| name.contains(&only)) {
        let mut sum = Sum::default();
        for part in starts
            .chunk_by(|a, b| (a - code.start) as usize / PART == (b - code.start) as usize / PART)
        {
            sum = translate(code, part, &options, sum);
        }
        let Sum { blocks, bytes, hash, .. } = sum;
        println!("{:016x} {name}: {blocks} blocks, {bytes} bytes of {path}", hash.0);
    }
}

/// The ways of translating, with their names.
fn ways() -> Vec<(String, Options)> {
    let options = |mode, host_features| Options {
        isa: Isa::MAX,
        mode,
        address_bits: 32,
        host_features,
        arena_size: 512 << 20,
        ..Options::default()
    };
    let host = HostFeatures::detect();
    let mut ways = Vec::new();
    for mode in [Mode::Identity, Mode::Guarded, Mode::Sandbox] {
        for (name, features) in [("host", host), ("baseline", HostFeatures::BASELINE)] {
            ways.push((format!("{mode:?} {name}"), options(mode, features)));
        }
    }
    for (name, _) in host.list().into_iter().filter(|(_, on)| *on) {
        let mut features = host;
        features.set(name, false).expect("a feature's name");
        ways.push((format!("Identity without {name}"), options(Mode::Identity, features)));
    }
    let plain = options(Mode::Identity, host);
    let exact = Options { exact_flags: true, ..plain.clone() };
    ways.push(("Identity exact-flags".into(), exact));
    ways.push(("Identity foreign-handlers".into(), Options { foreign_handlers: true, ..plain }));
    ways
}

/// The digest so far.
#[derive(Clone, Copy, Debug)]
struct Sum {
    blocks: usize,
    bytes: usize,
    hash: Fnv,
    /// A line for each block is printed.
    each: bool,
}

impl Default for Sum {
    fn default() -> Self {
        let each = std::env::var_os("BLOCKS").is_some();
        Self { blocks: 0, bytes: 0, hash: Fnv::default(), each }
    }
}

/// A hash like FNV-1a, of eight bytes at a time.
#[derive(Clone, Copy, Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn number(&mut self, n: u64) {
        self.0 = (self.0 ^ n).wrapping_mul(0x0100_0000_01b3);
        // The product alone never brings high bits down.
        self.0 ^= self.0 >> 32;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        for eight in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..eight.len()].copy_from_slice(eight);
            self.number(u64::from_le_bytes(word));
        }
    }
}

/// Adds each block that is translated to the digest.
struct Digester(Arc<Mutex<Sum>>);

impl Observer for Digester {
    fn translated(&mut self, block: &TranslatedBlock<'_>) {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = sum.hash;
        if sum.each {
            sum.hash = Fnv::default();
        }
        let hash = &mut sum.hash;
        hash.number(block.pc);
        block.places.iter().for_each(|place| hash.number(u64::from(*place)));
        for bytes in [block.hot, block.cold].iter().chain(&block.faults) {
            hash.bytes(bytes);
        }
        for link in block.links {
            let flags = u64::from(link.call) | u64::from(link.inner) << 1;
            let word = link.conditional.map_or(u64::MAX, u64::from);
            let places = u64::from(link.site.0) << 32 | u64::from(link.stub.0);
            [places, link.target, flags, word].into_iter().for_each(|n| hash.number(n));
        }
        if sum.each {
            println!(
                "{:#x} {:016x} {} bytes",
                block.pc,
                sum.hash.0,
                block.hot.len() + block.cold.len()
            );
            let Fnv(this) = std::mem::replace(&mut sum.hash, before);
            sum.hash.number(this);
        }
        sum.blocks += 1;
        sum.bytes += block.hot.len() + block.cold.len();
    }
}

/// The digest of `starts`, which follow what `sum` is the digest of.
fn translate(code: Code<'_>, starts: &[u64], options: &Options, sum: Sum) -> Sum {
    let (machine, shift) = machine(code, options);
    assert_eq!(machine.memory().mode(), options.mode, "the host has no room for it");
    let sum = Arc::new(Mutex::new(sum));
    machine.set_observer(Some(Box::new(Digester(Arc::clone(&sum)))));
    // What is made anew when it is known where it leads is made again.
    for _ in 0..2 {
        machine.prepare(starts.iter().map(|pc| pc + shift)).expect("a code cache");
    }
    let flushes = machine.stats().flushes;
    assert!(flushes == 0 || !options.exact_flags && flushes == 1, "the arena is too small");
    machine.set_observer(None);
    let sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
    *sum
}

/// The blocks that are reached from `entries`, and from all code that is not.
fn cover(code: Code<'_>, entries: Vec<u64>) -> Vec<u64> {
    let mut entries = entries;
    let mut covered = vec![false; code.bytes.len().div_ceil(2)];
    let mut lifter = Lifter::new();
    let mut starts = reach(code, &entries);
    let mut mark = |covered: &mut [bool], starts: &[u64]| {
        for &pc in starts {
            let block: &Block = lifter.lift(&mut { code }, &Isa::MAX, pc, &Limits::default());
            for &(start, len) in &block.ranges {
                let from = (start - code.start) as usize / 2;
                covered[from..from + len as usize / 2].fill(true);
            }
        }
    };
    mark(&mut covered, &starts);
    for n in 0..covered.len() {
        if !covered[n] {
            let pc = code.start + 2 * n as u64;
            mark(&mut covered, &[pc]);
            entries.push(pc);
            covered[n] = true;
        }
    }
    starts = reach(code, &entries);
    starts
}
