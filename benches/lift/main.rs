//! Speed of lifting and of the whole of translation over a real program, and how much superblocks
//! repeat.
//!
//! All blocks that can be reached from the program's functions are translated as running it would:
//! decoded, lifted, emitted, written to a fresh arena, entered into the table and linked. Times are
//! CPU time, the least of several machines.
//!
//! `cargo bench --bench lift -- FILE [TIMES]`, FILE being any riscv64 ELF file with symbols.
//! Without one it says so and does nothing. TIMES is how often everything is measured; once is
//! enough for `valgrind --tool=callgrind --toggle-collect='*lift::prepare*'`.
//!
//! `cargo bench --bench lift -- digest FILE...` measures nothing: it prints digests of the host
//! code, by which two builds of the translator are compared (see `digest`).

mod digest;

use std::collections::{BTreeMap, BTreeSet};

use goblin::elf::{Elf, program_header::PT_LOAD};
use rvnative::ir::{Block, Op};
use rvnative::isa::Isa;
use rvnative::lift::{Code, Lifter, Limits};
use rvnative::mem::Prot;
use rvnative::runtime::{Machine, Options};
use rvnative::util::page_down;
use std::sync::Arc;

fn main() {
    // Cargo adds an argument of its own.
    let mut args = std::env::args().skip(1).filter(|arg| !arg.starts_with('-'));
    let Some(path) = args.next() else {
        println!("lift: no ELF file named, nothing measured");
        return;
    };
    if path == "digest" {
        args.for_each(|path| digest::print(&path));
        return;
    }
    let times: u32 = args.next().map_or(20, |n| n.parse().expect("a number of times"));
    let file = std::fs::read(&path).expect("cannot read the file");
    let (code, entries) = program(&file);

    let starts = reach(code, &entries);
    let mut lifter = Lifter::new();
    let mut best = u64::MAX;
    let (mut insns, mut nodes) = (0, 0);
    for _ in 0..times {
        (insns, nodes) = (0, 0);
        let begin = cpu_time();
        for &pc in &starts {
            let block = lifter.lift(&mut { code }, &Isa::MAX, pc, &Limits::default());
            insns += u64::from(block.insns);
            nodes += block.nodes.len();
        }
        best = best.min(cpu_time() - begin);
    }
    let blocks = starts.len();
    let unique = distinct(code, &starts);
    println!("{blocks} blocks, {insns} instructions, {nodes} operations");
    println!("{:.1} instructions in a block", insns as f64 / blocks as f64);
    println!("{unique:.2} times each byte that is reached at all");
    println!("{:.1} ns per instruction to decode and lift", best as f64 / insns as f64);
    let all = (0..times).map(|_| translate(code, &starts)).min().unwrap_or(0);
    println!("{:.1} ns per instruction to translate", all as f64 / insns as f64);
}

/// The code of an ELF file, and the addresses of its functions.
fn program(file: &[u8]) -> (Code<'_>, Vec<u64>) {
    let elf = Elf::parse(file).expect("not an ELF file");
    let text = elf.program_headers.iter().find(|h| h.p_type == PT_LOAD && h.is_executable());
    let text = text.expect("no executable segment");
    let symbols = elf.syms.iter().chain(elf.dynsyms.iter());
    let entries = symbols.filter(|s| s.is_function()).map(|s| s.st_value).collect();
    (Code { start: text.p_vaddr, bytes: &file[text.file_range()] }, entries)
}

/// Nanoseconds of CPU time that this process has used, the kernel's for it included.
fn cpu_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec for the kernel to fill in.
    let rc = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(rc, 0, "the clock exists on every Linux");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Nanoseconds to translate all blocks in a new machine.
fn translate(code: Code<'_>, starts: &[u64]) -> u64 {
    // A small address space, as valgrind has no room for the usual one.
    let options = Options { isa: Isa::MAX, address_bits: 32, ..Options::default() };
    let (machine, shift) = machine(code, &options);
    let begin = cpu_time();
    prepare(&machine, starts, shift);
    let time = cpu_time() - begin;
    // Code that looks at flags is one reason to begin anew, where exact ones cost something.
    assert!(machine.stats().flushes <= 1, "the arena is too small for this program");
    time
}

/// A machine with `code` in its memory, and how far that has been moved: blocks depend on their
/// addresses, so it is as little as can be.
fn machine(code: Code<'_>, options: &Options) -> (Arc<Machine>, u64) {
    let shift = if code.start < 0x10000 { 0x10000 } else { 0 };
    let machine = Machine::new(options).expect("a machine");
    let (first, end) = (page_down(code.start), code.start + code.bytes.len() as u64);
    let memory = machine.memory();
    memory.map_zero(first + shift, end - first, Prot::RW).expect("room for the code");
    memory.write_bytes(code.start + shift, code.bytes).expect("it is writable");
    memory.protect(first + shift, end - first, Prot::RX).expect("it is mapped");
    (machine, shift)
}

/// A function of its own for valgrind.
#[inline(never)]
fn prepare(machine: &Machine, starts: &[u64], shift: u64) {
    machine.prepare(starts.iter().map(|pc| pc + shift)).expect("a code cache");
}

/// The blocks that are reached from `entries`, in order of address.
fn reach(code: Code<'_>, entries: &[u64]) -> Vec<u64> {
    let mut lifter = Lifter::new();
    let mut seen = BTreeSet::new();
    let mut todo = entries.to_vec();
    while let Some(pc) = todo.pop() {
        let inside = pc.wrapping_sub(code.start) < code.bytes.len() as u64;
        if inside && seen.insert(pc) {
            let block = lifter.lift(&mut { code }, &Isa::MAX, pc, &Limits::default());
            todo.extend(successors(block));
        }
    }
    seen.into_iter().collect()
}

fn successors(block: &Block) -> Vec<u64> {
    let targets = block.nodes.iter().filter_map(|node| match node.op {
        Op::Branch { target, .. } | Op::Jump { target } | Op::Call { target, .. } => Some(target),
        _ => None,
    });
    targets.chain(block.falls_through().then_some(block.next)).collect()
}

/// Bytes lifted, for each byte lifted at least once.
fn distinct(code: Code<'_>, starts: &[u64]) -> f64 {
    let mut lifter = Lifter::new();
    let mut times: BTreeMap<u64, u64> = BTreeMap::new();
    for &pc in starts {
        let block = lifter.lift(&mut { code }, &Isa::MAX, pc, &Limits::default());
        for &(start, len) in &block.ranges {
            for at in (start..start + u64::from(len)).step_by(2) {
                *times.entry(at).or_default() += 1;
            }
        }
    }
    times.values().sum::<u64>() as f64 / times.len() as f64
}
