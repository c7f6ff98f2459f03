//! What is said about a difference: enough to understand it without running anything again.

use super::program::{Case, DATA};
use super::rig::{Outcome, Setup, address};
use crate::cpu::Hart;
use crate::isa::{self, reg};
use std::fmt;

/// Two engines disagree about a case.
#[derive(Debug)]
pub struct Mismatch {
    /// The case, perhaps with instructions replaced by `nop`.
    pub case: Case,
    setup: Setup,
    expected: Outcome,
    got: Outcome,
    /// What the translator makes of the beginning of the program.
    translation: Option<String>,
    /// How to run it again.
    pub replay: Option<String>,
}

impl Mismatch {
    pub(super) fn new(
        case: &Case,
        setup: &Setup,
        expected: Outcome,
        got: Outcome,
        translation: Option<String>,
    ) -> Self {
        let (case, setup) = (case.clone(), setup.clone());
        Self { case, setup, expected, got, translation, replay: None }
    }

    /// Address of the program.
    #[must_use]
    pub fn address(&self) -> u64 {
        address(self.case.number)
    }

    fn code(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = &self.case.code;
        for (i, &start) in self.case.starts.iter().enumerate() {
            let start = usize::from(start);
            let end = self.case.starts.get(i + 1).map_or(code.len(), |&e| usize::from(e));
            let mut bytes = [0; 4];
            let n = (end - start).min(4);
            bytes[..n].copy_from_slice(&code[start..start + n]);
            let bits = u32::from_le_bytes(bytes);
            if bits == 0x13 || n == 2 && bits == 1 {
                continue;
            }
            let pc = self.address() + start as u64;
            match isa::decode(bits, &self.setup.isa) {
                Some(insn) => writeln!(f, "  {pc:8x}: {bits:08x}  {}", isa::disasm(&insn, pc))?,
                None => writeln!(f, "  {pc:8x}: {bits:08x}  (illegal)")?,
            }
        }
        Ok(())
    }

    fn memory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.expected.data.chunks(8).zip(self.got.data.chunks(8));
        for (i, (good, bad)) in pairs.enumerate().filter(|(_, (g, b))| g != b) {
            let hex = |b: &[u8]| b.iter().rev().map(|b| format!("{b:02x}")).collect::<String>();
            let start = &self.case.data[i * 8..][..good.len()];
            let at = DATA + i as u64 * 8;
            writeln!(f, "  {at:x} {}  {}  {}", hex(start), hex(good), hex(bad))?;
        }
        Ok(())
    }
}

/// Registers in which two states differ: at the start, as they should be, as they are.
pub(super) fn differing_registers(
    f: &mut fmt::Formatter<'_>,
    start: &Hart,
    good: &Hart,
    bad: &Hart,
) -> fmt::Result {
    let mut row = |name: &str, v: &dyn Fn(&Hart) -> u64| {
        let (g, b) = (v(good), v(bad));
        if g == b {
            return Ok(());
        }
        writeln!(f, "  {name:<5} {:016x}  {g:016x}  {b:016x}", v(start))
    };
    for r in 0..32 {
        row(reg::x_name(r), &|h| h.x[usize::from(r)])?;
    }
    for r in 0..32 {
        row(reg::f_name(r), &|h| h.f[usize::from(r)])?;
    }
    row("pc", &|h| h.pc)?;
    row("fcsr", &|h| u64::from(h.fcsr()))
}

/// All registers of the state in which a case begins.
pub(super) fn registers(f: &mut fmt::Formatter<'_>, h: &Hart) -> fmt::Result {
    writeln!(f, "registers at start:")?;
    for r in 0..32u8 {
        let (x, v) = (usize::from(r), reg::f_name(r));
        writeln!(f, "  {:<4} {:016x}  {v:<4} {:016x}", reg::x_name(r), h.x[x], h.f[x])?;
    }
    writeln!(f, "  fcsr {:x}", h.fcsr())
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setup { mode, isa, masked, hot } = &self.setup;
        writeln!(f, "case {}: the engines disagree ({mode:?}, {isa})", self.case.number)?;
        if !masked.is_empty() {
            writeln!(f, "without the host features {masked}")?;
        }
        if let Some(entries) = hot {
            writeln!(f, "loops are regions after {entries} entries")?;
        }
        writeln!(f, "program (instructions that do not matter are left out):")?;
        self.code(f)?;
        writeln!(f, "differences:  at start          interpreter       other engine")?;
        if self.expected.exit != self.got.exit {
            writeln!(f, "  exit  {:?}  {:?}", self.expected.exit, self.got.exit)?;
        }
        differing_registers(f, &self.case.hart, &self.expected.hart, &self.got.hart)?;
        self.memory(f)?;
        registers(f, &self.case.hart)?;
        if let Some(t) = &self.translation {
            writeln!(f, "translation:\n{t}")?;
        }
        match &self.replay {
            Some(r) => writeln!(f, "run it again: {r}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Mismatch {}
