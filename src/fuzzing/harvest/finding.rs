//! What is said about a difference: enough to understand it without running anything again.

use super::image::Image;
use super::rig::Setup;
use super::start::differing;
use super::world::DATA;
use crate::cpu::{Exit, Hart};
use crate::fuzzing::report::{differing_registers, registers};
use crate::isa::{self, Insn};
use std::fmt;
use std::fmt::Write as _;

/// How translated code differs from the interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// It was left in a state that the interpreter was never in.
    State,
    /// It stopped with this, and the interpreter with something else or in another state.
    Exit(Exit),
    /// Memory differs; true after an exit.
    Memory(bool),
    /// The engine itself failed, with this message.
    Panic(String),
}

/// A difference, in terms of the rig.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    /// Number of the state in which the block began.
    pub(super) state: u32,
    pub(super) start: Hart,
    pub(super) expected: Hart,
    pub(super) got: Hart,
    /// The interpreter's, if it stopped.
    pub(super) expected_exit: Option<Exit>,
    pub(super) what: Got,
    /// Words of the data that differ: where, at the start, as they should be, as they are.
    pub(super) memory: Vec<(u64, u64, u64, u64)>,
    /// What the interpreter executed.
    pub(super) code: Vec<(u64, Insn)>,
    /// Where translated code was entered.
    pub(super) pieces: Vec<u64>,
    /// IR and host code of the last pieces.
    pub(super) translations: Vec<String>,
}

impl Difference {
    /// True if translated code may just have run further than the interpreter. Memory alone tells
    /// so if a loop has the same registers each time round.
    pub(super) fn may_be_ahead(&self) -> bool {
        matches!(self.what, Got::State | Got::Exit(_) | Got::Memory(false))
    }

    /// True if the engine itself failed.
    pub(super) fn panicked(&self) -> bool {
        matches!(self.what, Got::Panic(_))
    }

    /// Words that differ.
    pub(super) fn words(start: &[u8], good: &[u8], bad: &[u8]) -> Vec<(u64, u64, u64, u64)> {
        let words = |data: &[u8]| -> Vec<u64> {
            data.as_chunks().0.iter().map(|w| u64::from_le_bytes(*w)).collect()
        };
        let (start, good, bad) = (words(start), words(good), words(bad));
        let differ = (0..good.len()).filter(|&n| good[n] != bad[n]);
        differ.map(|n| (DATA + 8 * n as u64, start[n], good[n], bad[n])).collect()
    }

    /// What differs, in a word or two.
    fn class(&self) -> &'static str {
        let names = differing(&self.expected, &self.got);
        match &self.what {
            Got::Panic(_) => "the translator fails",
            Got::Memory(_) => "memory",
            Got::Exit(exit) if Some(*exit) != self.expected_exit => "exit",
            _ if self.expected.pc != self.got.pc => "pc",
            _ if names.iter().any(|n| !n.starts_with('f')) => "integer registers",
            _ if !names.is_empty() => "floating-point registers",
            _ => "fcsr",
        }
    }

    /// Instructions without those that were replaced by `nop`.
    fn matters(&self) -> impl Iterator<Item = &(u64, Insn)> {
        self.code.iter().filter(|(_, i)| i.bits != 0x13 && !(i.len == 2 && i.bits == 1))
    }

    /// Differences of one kind have the same cause, most likely.
    pub(super) fn kind(&self) -> String {
        let mut seen = Vec::new();
        let mut text = format!("{}:", self.class());
        for (pc, insn) in self.matters() {
            if !seen.contains(pc) {
                seen.push(*pc);
                let _ = write!(text, " {}", insn.op.mnemonic());
            }
        }
        text
    }
}

/// A difference, for people.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What it has in common with others that are likely to have the same cause: what differs, and
    /// the instructions that matter.
    pub kind: String,
    /// File, address, and symbol or section of the block.
    pub place: String,
    /// The command that shows it again.
    pub replay: String,
    setup: Setup,
    difference: Box<Difference>,
    /// What to subtract from a pc for the address in the file.
    bias: u64,
}

impl Finding {
    pub(super) fn new(
        image: &Image,
        offset: u64,
        (base, setup, replay): (u64, &Setup, String),
        difference: Box<Difference>,
    ) -> Self {
        Self {
            kind: difference.kind(),
            place: format!("{}: {}", image.path.display(), image.name(offset)),
            replay,
            setup: setup.clone(),
            difference,
            bias: base.wrapping_sub(image.low),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let d = &self.difference;
        let Setup { mode, isa, masked, .. } = &self.setup;
        writeln!(f, "{}: the engines disagree ({mode:?}, {isa})", self.place)?;
        if !masked.is_empty() {
            writeln!(f, "without the host features {masked}")?;
        }
        writeln!(f, "what was executed (instructions that do not matter are left out):")?;
        for (pc, insn) in d.matters() {
            let entered = if d.pieces.contains(pc) { '>' } else { ' ' };
            writeln!(f, "{entered} {pc:8x}: {:08x}  {}", insn.bits, isa::disasm(insn, *pc))?;
        }
        let entries: Vec<String> = d.pieces.iter().map(|pc| format!("{pc:#x}")).collect();
        writeln!(f, "translated code was entered at {}", entries.join(", "))?;
        writeln!(f, "addresses of the file are less by {:#x}", self.bias)?;
        writeln!(f, "differences:  at start          interpreter       other engine")?;
        match &d.what {
            Got::Panic(text) => writeln!(f, "  the translator fails: {text}")?,
            Got::Exit(exit) if Some(*exit) != d.expected_exit => {
                writeln!(f, "  exit  {:?}  {exit:?}", d.expected_exit)?;
            }
            Got::Exit(_) | Got::State | Got::Memory(_) => {}
        }
        differing_registers(f, &d.start, &d.expected, &d.got)?;
        for (at, start, good, bad) in &d.memory {
            writeln!(f, "  {at:x} {start:016x}  {good:016x}  {bad:016x}")?;
        }
        registers(f, &d.start)?;
        for text in &d.translations {
            writeln!(f, "translation:\n{text}")?;
        }
        writeln!(f, "run it again: {}", self.replay)
    }
}
