//! Random legal instructions, for fuzzing and tests: they follow from the tables.
//!
//! `next` is a stream of random 64-bit values; the same stream gives the same instructions.

use super::compressed::COMPRESSED;
use super::{Insn, Isa, Op, decode};

/// A random legal 32-bit encoding of `op`, all operands free. CSR numbers are any of the 4096.
///
/// The stream must be random enough to leave reserved operands: a constant stream may never return.
pub fn insn(op: Op, mut next: impl FnMut() -> u64) -> Insn {
    let pattern = op.row().pattern;
    loop {
        let word = next() as u32 & !pattern.mask | pattern.bits;
        // Another, more specific row may own the word (`pause` is a `fence`).
        if let Some(insn) = decode(word, &Isa::MAX).filter(|insn| insn.op == op) {
            return insn;
        }
    }
}

/// A random legal 16-bit encoding that `isa` has; `None` if it has no compressed instructions.
pub fn compressed(isa: &Isa, mut next: impl FnMut() -> u64) -> Option<Insn> {
    let rows: Vec<_> = COMPRESSED.iter().filter(|row| isa.exts().contains_all(row.needs)).collect();
    if rows.is_empty() {
        return None;
    }
    loop {
        let random = next();
        let pattern = rows[(random >> 32) as usize % rows.len()].pattern;
        let half = random as u32 & 0xffff & !pattern.mask | pattern.bits;
        if let Some(insn) = decode(half, isa) {
            return Some(insn);
        }
    }
}

/// The instructions that `isa` has, in table order: what a generator may choose from.
pub fn ops(isa: &Isa) -> Vec<Op> {
    Op::all().filter(|op| isa.exts().contains_all(op.row().needs)).collect()
}
