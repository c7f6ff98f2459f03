//! The decoder: an index over the two tables, and plans for the operands. And the encoder.

use std::sync::LazyLock;

use super::compressed::COMPRESSED;
use super::imm::{self, bits};
use super::plan::{Check, Plan};
use super::{ExtSet, Format, Insn, Isa, Op, Pattern, TABLE};

/// Decodes one instruction from `bits`, of which the upper half is ignored when the low two bits say
/// that the instruction is a 16-bit one.
///
/// `None` means illegal: reserved, unknown, or of an extension that `isa` lacks. HINTs decode as the
/// base instruction that they are an encoding of.
pub fn decode(bits: u32, isa: &Isa) -> Option<Insn> {
    if bits & 3 == 3 {
        WIDE.find(bits, wide_keys(bits), isa)?.operands(bits, 4)
    } else {
        let half = bits & 0xffff;
        NARROW.find(half, narrow_keys(half), isa)?.operands(half, 2)
    }
}

/// What the decoder needs of a row.
#[derive(Clone, Copy)]
struct Candidate {
    pattern: Pattern,
    needs: ExtSet,
    op: Op,
    plan: Plan,
}

impl Candidate {
    /// The instruction in `word`, which matches this row; `None` if its operands are reserved.
    #[inline(always)]
    fn operands(&self, word: u32, len: u8) -> Option<Insn> {
        let plan = &self.plan;
        let insn = Insn {
            op: self.op,
            rd: plan.rd.of(word),
            rs1: plan.rs1.of(word),
            rs2: plan.rs2.of(word),
            rs3: (word >> 27) as u8 & plan.rs3,
            rm: (word >> 12) as u8 & plan.rm,
            len,
            imm: plan.imm.of(word),
            bits: word,
        };
        let reserved = (u8::from(insn.imm == 0) * Check::IMM.0)
            | (u8::from(insn.rd == 0) * Check::RD.0)
            | (u8::from(insn.rs1 == 0) * Check::RS1.0)
            | (((insn.rd | insn.rs2) & 1) * Check::PAIRS.0)
            | (u8::from(matches!(insn.rm, 5 | 6)) * Check::RM.0);
        (reserved & plan.check.0 == 0).then_some(insn)
    }
}

/// Candidates under two keys of an encoding. The second key is looked at only where the first leaves
/// too many.
struct Index {
    /// By first key: where the ranges begin in `lists`, and the mask for the second key.
    first: [(u16, u8); 256],
    /// Ranges of `rows`.
    lists: Vec<(u16, u16)>,
    /// Candidates; within a range those with more fixed bits come first.
    rows: Vec<Candidate>,
}

/// The values of the two keys in a word. The second has at most eight bits.
type Keys = (u8, u8);

/// Opcode and funct3, then funct7.
#[inline]
fn wide_keys(word: u32) -> Keys {
    ((bits(word, 6, 2) << 3 | bits(word, 14, 12)) as u8, bits(word, 31, 25) as u8)
}

/// Quadrant and the top six bits, then bits 6:5.
#[inline]
fn narrow_keys(half: u32) -> Keys {
    ((bits(half, 1, 0) << 6 | bits(half, 15, 10)) as u8, bits(half, 6, 5) as u8)
}

static WIDE: LazyLock<Index> = LazyLock::new(|| {
    let rows = TABLE.iter().map(|r| Candidate {
        pattern: r.pattern,
        needs: r.needs,
        op: r.op,
        plan: r.format.plan(),
    });
    Index::new(rows.collect(), wide_keys)
});

static NARROW: LazyLock<Index> = LazyLock::new(|| {
    let rows = COMPRESSED.iter().map(|r| Candidate {
        pattern: r.pattern,
        needs: r.needs,
        op: r.op,
        plan: r.format.plan(),
    });
    Index::new(rows.collect(), narrow_keys)
});

impl Index {
    /// Rows per list up to which the second key is not worth its table.
    const SHORT: usize = 2;

    fn new(mut rows: Vec<Candidate>, keys: fn(u32) -> Keys) -> Index {
        rows.sort_by_key(|row| std::cmp::Reverse(row.pattern.mask.count_ones()));
        let widest = keys(u32::MAX);
        let mut by_first = vec![Vec::new(); 256];
        for row in &rows {
            let (mask, value) = (keys(row.pattern.mask).0, keys(row.pattern.bits).0);
            each_match(mask, value, widest.0, |first| by_first[usize::from(first)].push(row));
        }
        let mut index = Index { first: [(0, 0); 256], lists: Vec::new(), rows: Vec::new() };
        for (first, here) in by_first.iter().enumerate() {
            let last = if here.len() > Self::SHORT { widest.1 } else { 0 };
            index.first[first] = (index.lists.len() as u16, last);
            let mut by_second = vec![Vec::new(); usize::from(last) + 1];
            for row in here {
                let (mask, value) =
                    (keys(row.pattern.mask).1 & last, keys(row.pattern.bits).1 & last);
                each_match(mask, value, last, |second| by_second[usize::from(second)].push(**row));
            }
            for list in by_second {
                let start = index.rows.len() as u16;
                index.rows.extend(list);
                index.lists.push((start, index.rows.len() as u16));
            }
        }
        index
    }

    /// The most specific row that matches `word` and that `isa` has.
    #[inline(always)]
    fn find(&self, word: u32, (first, second): Keys, isa: &Isa) -> Option<&Candidate> {
        let (base, mask) = self.first[usize::from(first)];
        let (start, end) = self.lists[usize::from(base) + usize::from(second & mask)];
        self.rows[usize::from(start)..usize::from(end)]
            .iter()
            .find(|row| row.pattern.matches(word) && isa.exts().contains_all(row.needs))
    }
}

/// Calls `f` with every key within `all` that has `value` in the bits of `mask`.
fn each_match(mask: u8, value: u8, all: u8, mut f: impl FnMut(u8)) {
    let free = all & !mask;
    let mut subset = free;
    loop {
        f(value | subset);
        if subset == 0 {
            break;
        }
        subset = (subset - 1) & free;
    }
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
