//! What the interpreter does from a state on: every state on the way, and what it writes.

use super::world::{WINDOW, World};
use crate::cpu::{Exit, Hart};
use crate::interp;
use crate::isa::{Format, Insn, Isa, Op, csr};
use crate::mem::Memory;
use rustc_hash::FxHashMap;

/// Most instructions of a trace.
pub(super) const MOST: usize = 16384;
/// How often a trace of which the end is cut off has gone back, if it is not very long.
const BACK: usize = 10;

/// Why a trace ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The interpreter stopped.
    Exit(Exit),
    /// The next instruction accesses what is nowhere, which was not tried.
    Fails,
    /// It could go on.
    Cut,
    /// The next instruction reads a counter, which differs from one reading to the next.
    Counter,
}

/// Bytes that instruction `at` has overwritten, if it has been executed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    pub(super) at: usize,
    /// Where in the data.
    pub(super) offset: u64,
    /// At most 16, or 64 zeros.
    pub(super) len: usize,
    pub(super) new: [u8; 16],
}

/// An access of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) addr: u64,
    pub(super) len: u64,
    pub(super) writes: bool,
}

/// The trace of one run.
#[derive(Default)]
pub(super) struct Trace {
    /// Instructions that completed, and at the end perhaps the one that did not.
    pub(super) insns: Vec<Insn>,
    /// The state before each instruction that completed, and the last one.
    pub(super) states: Vec<Hart>,
    pub(super) writes: Vec<Write>,
    pub(super) end: Option<End>,
}

impl Trace {
    /// Executes `max` instructions from `hart` on, and more until it has gone back often enough
    /// that translated code, which polls there, is left before the end. What they write stays in
    /// memory. `decode` gives the instruction at an address. `trying`: an access that will fail is
    /// not made.
    pub(super) fn record(
        &mut self,
        mut hart: Hart,
        (memory, isa): (&Memory, &Isa),
        world: &mut World,
        (max, trying): (usize, bool),
        mut decode: impl FnMut(u64) -> Result<Insn, Exit>,
    ) {
        self.insns.clear();
        self.states.clear();
        self.writes.clear();
        let compressed = isa.has(crate::isa::Ext::Zca);
        debug_assert!(compressed, "jumps go to any even address");
        self.states.push(hart.clone());
        let mut back = 0;
        self.end = Some(loop {
            let n = self.states.len() - 1;
            if n > 0 && hart.pc <= self.states[n - 1].pc {
                // Not by a call or return, where translated code may not poll.
                let insn = &self.insns[n - 1];
                back +=
                    usize::from(matches!(insn.op.format(), Format::B | Format::J) && insn.rd == 0);
            }
            if n >= max && back >= BACK || n == MOST {
                break End::Cut;
            }
            let insn = match decode(hart.pc) {
                Ok(insn) => insn,
                Err(exit) => break End::Exit(exit),
            };
            if csr::reads_counter(&insn) {
                break End::Counter;
            }
            let place = place(&insn, &hart);
            self.insns.push(insn);
            if let Some(place) = place
                && !world.serve(memory, place.addr, place.len)
                && trying
            {
                break End::Fails;
            }
            let result = interp::execute(&mut hart, memory, &insn);
            // One that did not complete may have written in the first of two pages; a whole cache
            // block is in one.
            let wrote = |p: &Place| p.writes && (result.is_ok() || p.len <= 16);
            if let Some(place) = place.filter(wrote) {
                self.note(n, memory.effective(place.addr), place.len, memory);
            }
            if let Err(exit) = result {
                break End::Exit(exit);
            }
            self.states.push(hart.clone());
        });
    }

    fn note(&mut self, at: usize, addr: u64, len: u64, memory: &Memory) {
        let mut new = [0; 16];
        let offset = addr % WINDOW;
        if len <= 16 {
            World::read(memory, offset, &mut new[..len as usize]);
        }
        self.writes.push(Write { at, offset, len: len as usize, new });
    }

    /// The exit with which it ends, if it does with one.
    pub(super) fn exit(&self) -> Option<Exit> {
        match self.end {
            Some(End::Exit(exit)) => Some(exit),
            _ => None,
        }
    }

    /// Index of the last state.
    pub(super) fn last(&self) -> usize {
        self.states.len() - 1
    }

    /// The instruction at the last state, where it did not complete.
    pub(super) fn failed(&self) -> Option<&Insn> {
        self.insns.get(self.last())
    }

    /// Undoes what is written in memory.
    pub(super) fn undo(&self, memory: &Memory, world: &World) {
        for w in &self.writes {
            world.restore(memory, w.offset, w.len as u64);
        }
    }

    /// Writes to `data` what the first `n` instructions have written to memory, and what the one
    /// behind them did before it failed, if it was tried.
    pub(super) fn apply(&self, data: &mut [u8], n: usize, failed: bool) {
        for w in self.writes.iter().filter(|w| w.at < n || failed && w.at == n) {
            for i in 0..w.len {
                let byte = w.new.get(i).copied().unwrap_or(0);
                data[(w.offset as usize + i) % WINDOW as usize] = byte;
            }
        }
    }

    /// Undoes [`Self::apply`] for data that was `pristine`.
    pub(super) fn revert(&self, data: &mut [u8], pristine: &[u8]) {
        for w in &self.writes {
            for i in 0..w.len {
                let at = (w.offset as usize + i) % WINDOW as usize;
                data[at] = pristine[at];
            }
        }
    }

    /// The first state from `from` on that a guest cannot tell from `hart`.
    pub(super) fn find(&self, from: usize, hart: &Hart) -> Option<usize> {
        let found = self.states.get(from..)?.iter().position(|s| same(s, hart))?;
        Some(from + found)
    }

    /// True if the same byte of data was reached by two addresses, and written.
    pub(super) fn aliased(&self, memory: &Memory) -> bool {
        let mut seen: FxHashMap<u64, (u64, bool)> = FxHashMap::default();
        for (insn, state) in self.insns.iter().zip(&self.states) {
            let Some(place) = place(insn, state) else { continue };
            for addr in place.addr..place.addr.saturating_add(place.len) {
                let addr = memory.effective(addr);
                let (first, written) = seen.entry(addr % WINDOW).or_insert((addr, false));
                *written |= place.writes;
                if *first != addr && *written {
                    return true;
                }
            }
        }
        false
    }
}

/// True if a guest cannot tell the states apart.
pub(super) fn same(a: &Hart, b: &Hart) -> bool {
    (a.pc, a.fcsr()) == (b.pc, b.fcsr()) && a.x == b.x && a.f == b.f
}

/// What an instruction reads or writes if it succeeds.
pub(super) fn place(insn: &Insn, hart: &Hart) -> Option<Place> {
    let base = hart.x[usize::from(insn.rs1)];
    let at = |addr, len, writes| Some(Place { addr, len, writes });
    let offset = base.wrapping_add(insn.imm as u64);
    match insn.op.format() {
        Format::Load | Format::FpLoad => at(offset, width(insn.op), false),
        Format::Store | Format::FpStore => at(offset, width(insn.op), true),
        Format::Lr => at(base, width(insn.op), false),
        Format::Amo | Format::AmoPair => at(base, width(insn.op), true),
        Format::Cbo => at(base & !63, 64, insn.op == Op::CboZero),
        _ => None,
    }
}

/// Bytes of an access, from the last letter of its name that is not about signs.
fn width(op: Op) -> u64 {
    match op.mnemonic().trim_end_matches('u').bytes().last() {
        Some(b'b') => 1,
        Some(b'h') => 2,
        Some(b'w') => 4,
        Some(b'q') => 16,
        _ => 8,
    }
}
