//! The decoder: an index over the two tables, and the operands of the 32-bit formats.

use std::sync::LazyLock;

use super::compressed::{CFormat, COMPRESSED, expand};
use super::imm::{self, bits};
use super::{ExtSet, Format, Insn, Isa, Op, Pattern, TABLE};

/// Decodes one instruction from `bits`, of which the upper half is ignored when the low two bits say
/// that the instruction is a 16-bit one.
///
/// `None` means illegal: reserved, unknown, or of an extension that `isa` lacks. HINTs decode as the
/// base instruction that they are an encoding of.
#[inline]
pub fn decode(bits: u32, isa: &Isa) -> Option<Insn> {
    if bits & 3 == 3 {
        let row = WIDE.find(bits, wide_keys(bits), isa)?;
        operands(row.op, row.format, bits)
    } else {
        let half = bits & 0xffff;
        let row = NARROW.find(half, narrow_keys(half), isa)?;
        expand(row.op, row.format, half)
    }
}

/// What the decoder needs of a row.
#[derive(Clone, Copy)]
struct Candidate<F> {
    pattern: Pattern,
    needs: ExtSet,
    op: Op,
    format: F,
}

/// Candidates under two keys of an encoding. The second key is looked at only where the first leaves
/// too many.
struct Index<F> {
    /// By first key: where the ranges begin in `lists`, and the mask for the second key.
    first: Vec<(u16, u8)>,
    /// Ranges of `rows`.
    lists: Vec<(u16, u16)>,
    /// Candidates; within a range those with more fixed bits come first.
    rows: Vec<Candidate<F>>,
}

/// Opcode and funct3, then funct7.
fn wide_keys(word: u32) -> (u32, u32) {
    (bits(word, 6, 2) << 3 | bits(word, 14, 12), bits(word, 31, 25))
}

/// Quadrant and the top six bits, then bits 6:5.
fn narrow_keys(half: u32) -> (u32, u32) {
    (bits(half, 1, 0) << 6 | bits(half, 15, 10), bits(half, 6, 5))
}

static WIDE: LazyLock<Index<Format>> = LazyLock::new(|| {
    let rows = TABLE.iter().map(|r| Candidate {
        pattern: r.pattern,
        needs: r.needs,
        op: r.op,
        format: r.format,
    });
    Index::new(rows.collect(), wide_keys, 256, 128)
});

static NARROW: LazyLock<Index<CFormat>> = LazyLock::new(|| {
    let rows = COMPRESSED.iter().map(|r| Candidate {
        pattern: r.pattern,
        needs: r.needs,
        op: r.op,
        format: r.format,
    });
    Index::new(rows.collect(), narrow_keys, 256, 4)
});

impl<F: Copy> Index<F> {
    /// Rows per list up to which the second key is not worth its table.
    const SHORT: usize = 2;

    fn new(
        mut rows: Vec<Candidate<F>>,
        keys: fn(u32) -> (u32, u32),
        firsts: usize,
        seconds: usize,
    ) -> Index<F> {
        rows.sort_by_key(|row| std::cmp::Reverse(row.pattern.mask.count_ones()));
        // A key is compatible with a row when it agrees with the row in the bits the row fixes.
        let fits = |key: u32, mask: u32, value: u32| key & mask == value;
        let mut index = Index { first: Vec::new(), lists: Vec::new(), rows: Vec::new() };
        for first in 0..firsts as u32 {
            let here: Vec<_> = rows
                .iter()
                .filter(|r| fits(first, keys(r.pattern.mask).0, keys(r.pattern.bits).0))
                .collect();
            let split = here.len() > Self::SHORT;
            let base = index.lists.len() as u16;
            index.first.push((base, if split { seconds as u8 - 1 } else { 0 }));
            for second in 0..if split { seconds as u32 } else { 1 } {
                let start = index.rows.len() as u16;
                let chosen = here.iter().filter(|r| {
                    !split || fits(second, keys(r.pattern.mask).1, keys(r.pattern.bits).1)
                });
                index.rows.extend(chosen.copied());
                index.lists.push((start, index.rows.len() as u16));
            }
        }
        index
    }

    /// The most specific row that matches `word` and that `isa` has.
    #[inline]
    fn find(&self, word: u32, (first, second): (u32, u32), isa: &Isa) -> Option<&Candidate<F>> {
        let (base, mask) = self.first[first as usize];
        let (start, end) = self.lists[usize::from(base) + (second & u32::from(mask)) as usize];
        self.rows[usize::from(start)..usize::from(end)]
            .iter()
            .find(|row| row.pattern.matches(word) && isa.exts().contains_all(row.needs))
    }
}

/// The operands of `word`, which matches a row with these `op` and `format`; `None` if they are
/// reserved.
fn operands(op: Op, format: Format, word: u32) -> Option<Insn> {
    let rd = bits(word, 11, 7) as u8;
    let rs1 = bits(word, 19, 15) as u8;
    let rs2 = bits(word, 24, 20) as u8;
    let rm = bits(word, 14, 12) as u8;
    let mut insn = Insn { op, rd: 0, rs1: 0, rs2: 0, rs3: 0, rm: 0, len: 4, imm: 0, bits: word };
    match format {
        Format::R | Format::Fp | Format::FpCmp | Format::Amo => {
            (insn.rd, insn.rs1, insn.rs2) = (rd, rs1, rs2);
        }
        Format::AmoPair => {
            if (rd | rs2) & 1 != 0 {
                return None;
            }
            (insn.rd, insn.rs1, insn.rs2) = (rd, rs1, rs2);
        }
        Format::Unary | Format::Lr | Format::FpToInt | Format::IntToFp | Format::Fli => {
            (insn.rd, insn.rs1) = (rd, rs1);
        }
        Format::I | Format::Load | Format::Jalr | Format::FpLoad => {
            (insn.rd, insn.rs1, insn.imm) = (rd, rs1, imm::i(word));
        }
        Format::Shamt6 => (insn.rd, insn.rs1, insn.imm) = (rd, rs1, bits(word, 25, 20) as i32),
        Format::Shamt5 => (insn.rd, insn.rs1, insn.imm) = (rd, rs1, bits(word, 24, 20) as i32),
        Format::Store | Format::FpStore => {
            (insn.rs1, insn.rs2, insn.imm) = (rs1, rs2, imm::s(word));
        }
        Format::B => (insn.rs1, insn.rs2, insn.imm) = (rs1, rs2, imm::b(word)),
        Format::U => (insn.rd, insn.imm) = (rd, imm::u(word)),
        Format::J => (insn.rd, insn.imm) = (rd, imm::j(word)),
        Format::Fence | Format::FenceTso => insn.imm = bits(word, 31, 20) as i32,
        Format::FenceI | Format::Bare => {}
        Format::Csr | Format::CsrImm => {
            (insn.rd, insn.rs1, insn.imm) = (rd, rs1, bits(word, 31, 20) as i32);
        }
        Format::Cbo => insn.rs1 = rs1,
        Format::MopR => (insn.rd, insn.rs1, insn.imm) = (rd, rs1, imm::mop_r(word)),
        Format::MopRr => {
            (insn.rd, insn.rs1, insn.rs2, insn.imm) = (rd, rs1, rs2, imm::mop_rr(word));
        }
        Format::FpR4 | Format::FpRm => {
            (insn.rd, insn.rs1, insn.rs2, insn.rm) = (rd, rs1, rs2, static_rm(rm)?);
            if format == Format::FpR4 {
                insn.rs3 = bits(word, 31, 27) as u8;
            }
        }
        Format::FpUnaryRm | Format::FpToIntRm | Format::FpToIntRtz | Format::IntToFpRm => {
            (insn.rd, insn.rs1, insn.rm) = (rd, rs1, static_rm(rm)?);
        }
    }
    Some(insn)
}

/// The rounding mode field, where 5 and 6 are reserved.
#[inline]
fn static_rm(rm: u8) -> Option<u8> {
    (rm != 5 && rm != 6).then_some(rm)
}

/// The 32-bit encoding of `insn`: of its expansion, if it was a 16-bit one.
///
/// Operands are cut to their fields; reserved fields become zero. Atomics take `aq` and `rl` from
/// `insn.bits`. For every legal `insn` with `len` 4, decoding the result gives the same operands.
pub fn encode(insn: &Insn) -> u32 {
    let row = insn.op.row();
    let rd = u32::from(insn.rd & 31) << 7;
    let rs1 = u32::from(insn.rs1 & 31) << 15;
    let rs2 = u32::from(insn.rs2 & 31) << 20;
    let rs3 = u32::from(insn.rs3 & 31) << 27;
    let rm = u32::from(insn.rm & 7) << 12;
    let value = insn.imm;
    let fields = match row.format {
        Format::R | Format::Fp | Format::FpCmp => rd | rs1 | rs2,
        Format::Amo | Format::AmoPair => rd | rs1 | rs2 | insn.bits & 3 << 25,
        Format::Lr => rd | rs1 | insn.bits & 3 << 25,
        Format::Unary | Format::FpToInt | Format::FpToIntRtz | Format::IntToFp | Format::Fli => {
            rd | rs1
        }
        Format::I | Format::Load | Format::Jalr | Format::FpLoad => rd | rs1 | imm::put_i(value),
        Format::Shamt6 => rd | rs1 | bits(value as u32, 5, 0) << 20,
        Format::Shamt5 => rd | rs1 | bits(value as u32, 4, 0) << 20,
        Format::Store | Format::FpStore => rs1 | rs2 | imm::put_s(value),
        Format::B => rs1 | rs2 | imm::put_b(value),
        Format::U => rd | imm::put_u(value),
        Format::J => rd | imm::put_j(value),
        Format::Fence => imm::put_i(value),
        Format::FenceTso | Format::FenceI | Format::Bare => 0,
        Format::Csr | Format::CsrImm => rd | rs1 | imm::put_i(value),
        Format::Cbo => rs1,
        Format::MopR => rd | rs1 | imm::put_mop_r(value),
        Format::MopRr => rd | rs1 | rs2 | imm::put_mop_rr(value),
        Format::FpR4 => rd | rs1 | rs2 | rs3 | rm,
        Format::FpRm => rd | rs1 | rs2 | rm,
        Format::FpUnaryRm | Format::FpToIntRm | Format::IntToFpRm => rd | rs1 | rm,
    };
    row.pattern.bits | fields & !row.pattern.mask
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
