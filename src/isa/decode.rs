//! The decoder: an index over the two tables; for operands see `plan`. And the encoder.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::compressed::COMPRESSED;
use super::imm::{self, bits};
use super::visit::{Visitor, visit};
use super::{ExtSet, Format, Insn, Isa, Pattern, TABLE};

/// Decodes one instruction from `bits`, of which the upper half is ignored when the low two bits
/// say that the instruction is a 16-bit one.
///
/// `None` means illegal: reserved, unknown, or of an extension that `isa` lacks. HINTs decode as
/// the base instruction that they are an encoding of.
pub fn decode(bits: u32, isa: &Isa) -> Option<Insn> {
    visit::<Decoder>(bits, isa, &mut ())
}

struct Decoder;

impl Visitor for Decoder {
    type State<'a> = ();
    type Result = Insn;

    #[inline(always)]
    fn visit((): &mut (), insn: Insn) -> Insn {
        insn
    }
}

/// The row of [`TABLE`] that `word` is an encoding of.
#[inline(always)]
pub(super) fn find_wide(word: u32, isa: &Isa) -> Option<u16> {
    WIDE.find(word, wide_keys(word), isa)
}

/// The row of [`COMPRESSED`] that `half` is an encoding of.
#[inline(always)]
pub(super) fn find_narrow(half: u32, isa: &Isa) -> Option<u16> {
    NARROW.find(half, narrow_keys(half), isa)
}

/// Index by which the row of an encoding is found.
#[derive(Clone, Copy)]
struct Candidate {
    pattern: Pattern,
    needs: ExtSet,
    row: u16,
    /// Whether the list of candidates ends here.
    last: bool,
}

/// Lists of candidates under two keys of an encoding. The second key is looked at only where the
/// first leaves too many.
///
/// The sizes are powers of two that suffice, so that indices need not be compared with them.
struct Index<const STARTS: usize, const ROWS: usize> {
    /// By first key: where its part of `starts` begins, and the mask for the second key.
    first: [(u16, u8); 256],
    /// Index in `rows` at which the list begins.
    starts: [u16; STARTS],
    /// The lists; within a list those with more fixed bits come first.
    rows: [Candidate; ROWS],
}

/// The values of the two keys in a word. The second has at most eight bits.
type Keys = (u8, u8);

/// Opcode and funct3, then funct7.
#[inline(always)]
fn wide_keys(word: u32) -> Keys {
    ((bits(word, 6, 2) << 3 | bits(word, 14, 12)) as u8, bits(word, 31, 25) as u8)
}

/// Quadrant and the top six bits, then bits 6:5.
#[inline(always)]
fn narrow_keys(half: u32) -> Keys {
    ((bits(half, 1, 0) << 6 | bits(half, 15, 10)) as u8, bits(half, 6, 5) as u8)
}

static WIDE: LazyLock<Index<16384, 1024>> =
    LazyLock::new(|| Index::new(TABLE.iter().map(|r| (r.pattern, r.needs)), wide_keys));

static NARROW: LazyLock<Index<512, 128>> =
    LazyLock::new(|| Index::new(COMPRESSED.iter().map(|r| (r.pattern, r.needs)), narrow_keys));

impl<const STARTS: usize, const ROWS: usize> Index<STARTS, ROWS> {
    /// Candidates up to which the second key is not worth its part of `starts`.
    const SHORT: usize = 2;

    fn new(rows: impl Iterator<Item = (Pattern, ExtSet)>, keys: fn(u32) -> Keys) -> Self {
        let candidate = |(row, (pattern, needs))| Candidate { pattern, needs, row, last: true };
        let mut rows: Vec<_> = (0..).zip(rows).map(candidate).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.pattern.mask.count_ones()));
        let widest = keys(u32::MAX);
        let mut by_first = vec![Vec::new(); 256];
        for (i, row) in rows.iter().enumerate() {
            let (mask, value) = (keys(row.pattern.mask).0, keys(row.pattern.bits).0);
            each_match(mask, value, widest.0, |first| by_first[usize::from(first)].push(i));
        }
        // The rows as they are serve as lists of one; a row that matches nothing is the empty list.
        let nothing = Candidate { pattern: Pattern { mask: 0, bits: 1 }, ..rows[0] };
        let empty = rows.len();
        rows.push(nothing);
        let mut first_keys = [(0, 0); 256];
        let mut starts = Vec::new();
        // Lists are shared: many second keys lead to the same.
        let mut known = BTreeMap::new();
        let mut by_second = vec![Vec::new(); usize::from(widest.1) + 1];
        for (first, here) in by_first.iter().enumerate() {
            let split = if here.len() > Self::SHORT { widest.1 } else { 0 };
            first_keys[first] = (starts.len() as u16, split);
            for &i in here {
                let pattern = rows[i].pattern;
                let (mask, value) = (keys(pattern.mask).1 & split, keys(pattern.bits).1 & split);
                each_match(mask, value, split, |second| by_second[usize::from(second)].push(i));
            }
            for list in &mut by_second[..=usize::from(split)] {
                let start = match list[..] {
                    [] => empty,
                    [only] => only,
                    _ => *known.entry(list.clone()).or_insert_with_key(|list| add(&mut rows, list)),
                };
                starts.push(start as u16);
                list.clear();
            }
        }
        assert!(starts.len() <= STARTS && rows.len() <= ROWS, "the index has no room for all");
        let (mut all_starts, mut all_rows) = ([0; STARTS], [nothing; ROWS]);
        all_starts[..starts.len()].copy_from_slice(&starts);
        all_rows[..rows.len()].copy_from_slice(&rows);
        Self { first: first_keys, starts: all_starts, rows: all_rows }
    }

    /// The number of the most specific row that matches `word` and that `isa` has.
    #[inline(always)]
    fn find(&self, word: u32, (first, second): Keys, isa: &Isa) -> Option<u16> {
        let (base, mask) = self.first[usize::from(first)];
        let start = self.starts[usize::from(base + u16::from(second & mask)) % STARTS];
        let mut at = usize::from(start);
        loop {
            let row = &self.rows[at % ROWS];
            if row.pattern.matches(word) && isa.exts().contains_all(row.needs) {
                return Some(row.row);
            }
            if row.last {
                return None;
            }
            at += 1;
        }
    }
}

/// Adds to `rows` the list of those in `list`, and returns where it begins.
fn add(rows: &mut Vec<Candidate>, list: &[usize]) -> usize {
    let start = rows.len();
    for (n, &i) in list.iter().enumerate() {
        rows.push(Candidate { last: n + 1 == list.len(), ..rows[i] });
    }
    start
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
/// Operands are cut to their fields; reserved fields become zero. Atomics take `aq` and `rl`, and
/// vector instructions mask and number of fields, from `insn.bits`. For every legal `insn` with
/// `len` 4, decoding the result gives the same operands.
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
        Format::Vsetvli | Format::Vsetivli => rd | rs1 | imm::put_i(value),
        // Bits 31:29 are the number of fields of a segment, 25 is the mask.
        Format::VecMem => rd | rs1 | insn.bits & 0xe200_0000,
        Format::VecMemStrided | Format::VecMemIndexed => rd | rs1 | rs2 | insn.bits & 0xe200_0000,
        Format::VecVv
        | Format::VecVx
        | Format::VecVf
        | Format::VecMacVv
        | Format::VecMacVx
        | Format::VecMacVf
        | Format::VecVvm
        | Format::VecVxm
        | Format::VecVfm
        | Format::VecMvV
        | Format::VecMvX
        | Format::VecMvF
        | Format::VecUnary
        | Format::VecToX
        | Format::VecToF
        | Format::VecId => rd | rs1 | rs2 | insn.bits & 1 << 25,
        Format::VecVi | Format::VecVim | Format::VecVu | Format::VecVu6 | Format::VecMvI => {
            rd | rs2 | imm::put_vector(value) | insn.bits & 1 << 25
        }
    };
    row.pattern.bits | fields & !row.pattern.mask
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
