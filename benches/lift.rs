//! Speed of decoding and lifting over a real program, and how much superblocks repeat.
//!
//! `cargo bench --bench lift -- FILE`, FILE being any riscv64 ELF file with symbols. Without one it
//! says so and does nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use goblin::elf::{Elf, program_header::PT_LOAD};
use rvnative::ir::{Block, Op};
use rvnative::isa::Isa;
use rvnative::lift::{Code, Lifter, Limits};

fn main() {
    // Cargo adds an argument of its own.
    let Some(path) = std::env::args().skip(1).find(|arg| !arg.starts_with('-')) else {
        println!("lift: no ELF file named, nothing measured");
        return;
    };
    let file = std::fs::read(&path).expect("cannot read the file");
    let elf = Elf::parse(&file).expect("not an ELF file");
    let text = elf.program_headers.iter().find(|h| h.p_type == PT_LOAD && h.is_executable());
    let text = text.expect("no executable segment");
    let code = Code { start: text.p_vaddr, bytes: &file[text.file_range()] };
    let symbols = elf.syms.iter().chain(elf.dynsyms.iter());
    let entries: Vec<u64> = symbols.filter(|s| s.is_function()).map(|s| s.st_value).collect();

    let starts = reach(code, &entries);
    let mut lifter = Lifter::new();
    let mut best = f64::MAX;
    let (mut insns, mut nodes) = (0, 0);
    for _ in 0..10 {
        (insns, nodes) = (0, 0);
        let begin = Instant::now();
        for &pc in &starts {
            let block = lifter.lift(&mut { code }, &Isa::MAX, pc, &Limits::default());
            insns += u64::from(block.insns);
            nodes += block.nodes.len();
        }
        best = best.min(begin.elapsed().as_nanos() as f64);
    }
    let blocks = starts.len();
    let unique = distinct(code, &starts);
    println!("{blocks} blocks, {insns} instructions, {nodes} operations");
    println!("{:.1} instructions in a block", insns as f64 / blocks as f64);
    println!("{unique:.2} times each byte that is reached at all");
    println!("{:.1} ns per instruction", best / insns as f64);
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
