//! Sequences of instructions that are frequent in real programs, from `ngrams.txt`.
//!
//! The table has operations, which of their operands are the same, and the constants that matter.
//! The rest is filled in so that most accesses meet the data.

use super::{SP, Writer};
use crate::fuzzing::program::plain;
use crate::isa::{Format, Insn, Op};
use std::sync::LazyLock;

/// `fuzz/ngrams` makes it.
static TABLE: &str = include_str!("ngrams.txt");

/// All sequences that it has.
static SHAPES: LazyLock<Vec<Vec<Step>>> = LazyLock::new(|| {
    let line = |line: &str| line.split(';').map(step).collect();
    TABLE.lines().filter_map(line).collect()
});

/// A register of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Zero,
    Stack,
    /// One that can be any, by number.
    Any(u8),
}

/// Most registers of a sequence.
const NAMES: usize = 16;

/// One instruction.
#[derive(Clone, Copy, Debug)]
struct Step {
    op: Op,
    rd: Name,
    rs1: Name,
    rs2: Name,
    /// `None`: any.
    imm: Option<i32>,
}

/// What a register must be where a sequence begins, or before one of its instructions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    Pointer,
    Index,
}

/// Reads an instruction of the table; `None` if it is none.
fn step(text: &str) -> Option<Step> {
    let mut words = text.split(' ');
    let mnemonic = words.next()?;
    let op = Op::all().find(|op| op.mnemonic() == mnemonic)?;
    let mut next = || words.next();
    let reg = |word: Option<&str>| match word? {
        "0" => Some(Name::Zero),
        "sp" => Some(Name::Stack),
        letter => {
            let n = letter.bytes().next()?.checked_sub(b'a')?;
            (usize::from(n) < NAMES).then_some(Name::Any(n))
        }
    };
    let imm = |word: Option<&str>| match word? {
        "?" => Some(None),
        number => Some(Some(number.parse().ok()?)),
    };
    let mut s = Step { op, rd: Name::Zero, rs1: Name::Zero, rs2: Name::Zero, imm: None };
    match op.format() {
        Format::R => (s.rd, s.rs1, s.rs2) = (reg(next())?, reg(next())?, reg(next())?),
        Format::Unary => (s.rd, s.rs1) = (reg(next())?, reg(next())?),
        Format::I | Format::Shamt6 | Format::Shamt5 => {
            (s.rd, s.rs1, s.imm) = (reg(next())?, reg(next())?, imm(next())?);
        }
        Format::U => (s.rd, s.imm) = (reg(next())?, imm(next())?),
        Format::Load => (s.rd, s.imm, s.rs1) = (reg(next())?, imm(next())?, reg(next())?),
        Format::Store => (s.rs2, s.imm, s.rs1) = (reg(next())?, imm(next())?, reg(next())?),
        _ => return None,
    }
    Some(s)
}

impl Writer<'_, '_> {
    /// A sequence of the table.
    pub(super) fn shape(&mut self, pins: &mut u32) -> Vec<Insn> {
        let steps = &SHAPES[self.b.rng.below(SHAPES.len() as u32) as usize];
        let (needs, fixes) = needs(steps);
        let regs = self.names(steps);
        let reg = |name| match name {
            Name::Zero => 0,
            Name::Stack => SP,
            Name::Any(n) => regs[usize::from(n)],
        };
        let mut made = Vec::with_capacity(steps.len() + 3);
        let base = self.roles.base;
        for (n, need) in needs.into_iter().enumerate() {
            match need {
                Need::Nothing => {}
                Need::Pointer => made.push(plain(Op::Addi, regs[n], base, 0, self.offset())),
                Need::Index => made.push(plain(Op::Andi, regs[n], regs[n], 0, 0x78)),
            }
            if need != Need::Nothing {
                *pins |= 1 << regs[n];
            }
        }
        for (s, fix) in steps.iter().zip(fixes) {
            let (rd, rs1, rs2) = (reg(s.rd), reg(s.rs1), reg(s.rs2));
            // The stack pointer stays where it is.
            let rd = if rd == SP { self.any() } else { rd };
            let access = matches!(s.op.format(), Format::Load | Format::Store);
            let imm = match s.imm {
                _ if access && rs1 == SP => self.slot(),
                Some(imm) => imm,
                None if access => 8 * self.b.rng.below(16) as i32,
                None if s.op.format() == Format::U => self.b.rng.next_u64() as i32 & !0xfff,
                None => self.small(),
            };
            match fix {
                Need::Pointer => made.push(plain(Op::Addi, rd, base, 0, self.offset())),
                Need::Index => {
                    made.push(plain(s.op, rd, rs1, rs2, imm));
                    made.push(plain(Op::Andi, rd, rd, 0, 0x78));
                }
                Need::Nothing => made.push(plain(s.op, rd, rs1, rs2, imm)),
            }
        }
        made
    }

    /// Registers for the names of a sequence: all different if there are enough, sometimes any.
    fn names(&mut self, steps: &[Step]) -> [u8; NAMES] {
        let different = self.b.rng.chance(70);
        let first = self.b.rng.below(self.pool.len() as u32) as usize;
        let mut regs = [0; NAMES];
        let used = steps.iter().flat_map(|s| [s.rd, s.rs1, s.rs2]);
        let count = used.filter_map(|name| match name {
            Name::Any(n) => Some(n + 1),
            _ => None,
        });
        let count = usize::from(count.max().unwrap_or(0)).min(NAMES);
        for (n, r) in regs[..count].iter_mut().enumerate() {
            *r = if different { self.pool[(first + n) % self.pool.len()] } else { self.any() };
        }
        regs
    }
}

/// What the registers of a sequence must be at its beginning so that its accesses succeed, and what
/// must be done about the results of its instructions, which cannot be what is needed by
/// themselves.
fn needs(steps: &[Step]) -> ([Need; NAMES], Vec<Need>) {
    let mut needs = [Need::Nothing; NAMES];
    let mut fixes = vec![Need::Nothing; steps.len()];
    fn want(needs: &mut [Need; NAMES], name: Name, need: Need) -> bool {
        match name {
            Name::Any(n) => {
                let known = &mut needs[usize::from(n)];
                if *known != Need::Pointer {
                    *known = need;
                }
                true
            }
            Name::Stack => need == Need::Pointer,
            Name::Zero => need == Need::Index,
        }
    }
    for (at, (s, fix)) in steps.iter().zip(&mut fixes).enumerate().rev() {
        if let Name::Any(n) = s.rd
            && s.op.format() != Format::Store
        {
            let need = std::mem::replace(&mut needs[usize::from(n)], Need::Nothing);
            let near = s.imm.is_some_and(|imm| imm.unsigned_abs() <= 256);
            let good = match (need, s.op) {
                (Need::Nothing, _) => true,
                (need, Op::Addi) if near => want(&mut needs, s.rs1, need),
                (need, Op::Add) if s.rs1 == Name::Zero => want(&mut needs, s.rs2, need),
                (Need::Pointer, Op::Add | Op::Sh1add | Op::Sh2add | Op::Sh3add) => {
                    // What was shifted is the index.
                    let scaled = |s: &&Step| matches!(s.op, Op::Slli | Op::Srli);
                    let writer = steps[..at].iter().rev().find(|b| b.rd == s.rs2);
                    let swap = s.op == Op::Add && writer.as_ref().is_some_and(scaled);
                    let (index, pointer) = if swap { (s.rs2, s.rs1) } else { (s.rs1, s.rs2) };
                    want(&mut needs, pointer, Need::Pointer) && want(&mut needs, index, Need::Index)
                }
                (Need::Index, Op::Andi) if near => true,
                (Need::Index, Op::Slli) if s.imm.is_some_and(|n| n <= 3) => {
                    want(&mut needs, s.rs1, need)
                }
                _ => false,
            };
            if !good {
                *fix = need;
            }
        }
        if matches!(s.op.format(), Format::Load | Format::Store) {
            want(&mut needs, s.rs1, Need::Pointer);
        }
    }
    (needs, fixes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        for line in TABLE.lines() {
            let read: Option<Vec<Step>> = line.split(';').map(step).collect();
            assert!(read.is_some_and(|steps| !steps.is_empty()), "`{line}`");
        }
        assert!(SHAPES.len() > 400, "{}", SHAPES.len());
        assert!(TABLE.len() < 40 << 10, "the table is to stay small");
    }

    #[test]
    fn bases_are_pointers_and_indexes_small() {
        let steps: Vec<Step> =
            "slli a b 3;add a c a;ld d 8 a;ld e 0 d".split(';').map(|s| step(s).unwrap()).collect();
        let (needs, fixes) = needs(&steps);
        let [a, b, c, ..] = needs;
        assert!(a == Need::Nothing && b == Need::Index && c == Need::Pointer);
        // What is loaded is no pointer by itself.
        assert!(fixes == [Need::Nothing, Need::Nothing, Need::Pointer, Need::Nothing]);
    }
}
