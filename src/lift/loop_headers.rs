//! Where loops begin: the targets of backward branches and jumps further on in a piece of code.
//!
//! Following the instructions one by one would cost as much as decoding them: each length hangs on
//! the one before. So all halfwords are tested at once, in loops that vectorise, and which of them
//! begin an instruction is arithmetic on bit sets. What the tests say about a page of code is kept
//! with it, as the blocks of a page look at the same code again and again.

use crate::isa;
use crate::util::PAGE_SIZE;

/// Loop heads: a bit for each halfword of a piece of code that is the target of a backward branch
/// or jump in it.
pub(super) struct LoopHeaders(u128);

/// Halfwords that are looked at: what 64 instructions may take.
const HALVES: usize = 128;

/// Halfwords that are tested at once.
const CHUNK: usize = 64;

/// Bytes of the next page that the code of a page may go on with.
pub const TAIL: usize = 384;

/// Chunks of a page and what it may go on with.
const CHUNKS: usize = (PAGE_SIZE as usize + TAIL) / 2 / CHUNK;

/// What the tests say about the halfwords of a page of code, as far as it has been looked at.
#[derive(Debug)]
pub struct PageScan {
    /// One bit for each chunk that has been tested.
    known: u64,
    /// What looks like the first half of an instruction of 32 bits, by chunk.
    wide: [u64; CHUNKS],
    /// What would be a backward branch or jump over less than [`HALVES`], if an instruction began
    /// there, by chunk.
    back: [u64; CHUNKS],
    /// How many halfwords it goes back.
    reach: [u8; CHUNKS * CHUNK],
}

impl Default for PageScan {
    fn default() -> Self {
        Self { known: 0, wide: [0; CHUNKS], back: [0; CHUNKS], reach: [0; CHUNKS * CHUNK] }
    }
}

impl LoopHeaders {
    /// Looks for heads in `code` from byte `start` on, which is even, as far ahead as `insns`
    /// instructions may reach. `scanned` is what is known of this code.
    pub(super) fn find(scanned: &mut PageScan, code: &[u8], start: usize, insns: u32) -> Self {
        let mut heads = 0;
        back_edges(scanned, code, start, insns, |from, reach| {
            if let Some(target) = from.checked_sub(reach) {
                heads |= 1 << target;
            }
        });
        Self(heads)
    }

    /// Offset in bytes of the last backward branch or jump to byte `start` of `code`, from there,
    /// if there is one as near as [`Self::find`] looks.
    pub(super) fn last_to_start(
        scanned: &mut PageScan,
        code: &[u8],
        start: usize,
        insns: u32,
    ) -> Option<usize> {
        let mut last = None;
        back_edges(scanned, code, start, insns, |from, reach| {
            if from == reach {
                last = Some(2 * from);
            }
        });
        last
    }

    /// Offset in bytes of the first head at byte `offset`, which is even, or behind it.
    pub(super) fn next(&self, offset: usize) -> usize {
        match self.0.checked_shr((offset / 2) as u32) {
            None | Some(0) => usize::MAX,
            Some(ahead) => offset + 2 * ahead.trailing_zeros() as usize,
        }
    }
}

/// Calls `found` for the backward branches and jumps in `code` from byte `start` on, which is even,
/// as far ahead as `insns` instructions may reach: how many halfwords from there it is, and how
/// many it goes back. `scanned` is what is known of this code.
fn back_edges(
    scanned: &mut PageScan,
    code: &[u8],
    start: usize,
    insns: u32,
    mut found: impl FnMut(usize, usize),
) {
    let ahead = ((code.len() - start) / 2).min(insns as usize * 2).min(HALVES);
    let first = start / 2;
    let (n, shift) = (first / CHUNK, first % CHUNK);
    let last = (n + 2).min(CHUNKS - 1);
    for n in n..=last {
        if scanned.known >> n & 1 == 0 {
            scanned.test(code, n);
        }
    }
    let join = |bits: &[u64; CHUNKS]| {
        let [a, b, c] = [n, n + 1, n + 2].map(|n| u128::from(bits.get(n).copied().unwrap_or(0)));
        // In two steps, as nothing may be left of the third.
        (a | b << 64) >> shift | c << 1 << (127 - shift)
    };
    let mut back =
        join(&scanned.back) & u128::MAX.checked_shr((HALVES - ahead) as u32).unwrap_or(0);
    if back != 0 {
        back &= !second_halves(join(&scanned.wide));
    }
    let reach = scanned.reach.get(first..).unwrap_or_default();
    for (base, mut half) in [(0, back as u64), (64, (back >> 64) as u64)] {
        while half != 0 {
            let n = base + half.trailing_zeros() as usize;
            half &= half - 1;
            found(n, usize::from(reach.get(n).copied().unwrap_or(0)));
        }
    }
}

impl PageScan {
    /// Nothing is known: the code is another.
    pub fn forget(&mut self) {
        self.known = 0;
    }

    /// Tests chunk `n` of `code`, behind whose end there are zeros: no instruction.
    #[cold]
    #[inline(never)]
    fn test(&mut self, code: &[u8], n: usize) {
        let mut halves = [0u16; CHUNK + 1];
        let (code, _) = code.get(n * CHUNK * 2..).unwrap_or_default().as_chunks();
        let read = halves.iter_mut().zip(code);
        read.for_each(|(half, &bytes)| *half = u16::from_le_bytes(bytes));
        self.wide[n] = set(halves.iter().map(|half| half & 3 == 3));
        let pairs = halves.iter().zip(&halves[1..]);
        let mut left = set(pairs.map(|(&a, &b)| narrow_back(a) | wide_back(a, b)));
        self.back[n] = left;
        while left != 0 {
            let i = left.trailing_zeros() as usize;
            left &= left - 1;
            let bits = u32::from(halves[i]) | u32::from(halves[i + 1]) << 16;
            let reach = isa::jump_offset(bits).unsigned_abs() as usize / 2;
            if reach < HALVES {
                self.reach[n * CHUNK + i] = reach as u8;
            } else {
                self.back[n] &= !(1 << i);
            }
        }
        self.known |= 1 << n;
    }
}

/// A bit for each halfword that passes a test.
#[inline(always)]
fn set(passes: impl Iterator<Item = bool>) -> u64 {
    // First a byte each, which vectorises, and then eight at a time: the product moves the lowest
    // bit of byte `n` to bit `56 + n`, and no two bits to one place.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut bytes = [0u8; CHUNK];
    bytes.iter_mut().zip(passes).for_each(|(byte, passes)| *byte = u8::from(passes));
    let eights = bytes.as_chunks().0.iter().map(|eight| u64::from_le_bytes(*eight));
    let bits = eights.map(|eight| (eight.wrapping_mul(GATHER) >> 56) as u8);
    let mut out = [0; CHUNK / 8];
    out.iter_mut().zip(bits).for_each(|(out, bits)| *out = bits);
    u64::from_le_bytes(out)
}

/// The halfwords that are the second half of an instruction, where `wide` are those that look like
/// the first half of one, and an instruction begins at bit 0.
///
/// A run of set bits in `wide` begins with a first half, as what is before it ends an instruction.
/// From there on halves take turns, up to and with the first halfword after the run.
fn second_halves(wide: u128) -> u128 {
    const EVEN: u128 = u128::MAX / 3;
    let starts = wide & !(wide << 1);
    // The carry of a start clears its run.
    let from_even = wide & !wide.wrapping_add(starts & EVEN);
    let from_odd = wide & !from_even;
    ((from_even | from_even << 1) & !EVEN) | ((from_odd | from_odd << 1) & EVEN)
}

/// Whether `half` and `next` are a conditional branch, or a jump that is not a call, of 32 bits and
/// with a negative offset: the sign is the highest bit.
#[inline(always)]
fn wide_back(half: u16, next: u16) -> bool {
    const BRANCH: u16 = 0b110_0011;
    const JAL_X0: u16 = 0b110_1111;
    ((half & 0x7f == BRANCH) | (half & 0xfff == JAL_X0)) & (next >> 15 != 0)
}

/// Whether `half` is `c.j`, `c.beqz` or `c.bnez` with a negative offset: the sign is bit 12.
#[inline(always)]
fn narrow_back(half: u16) -> bool {
    (half & 0xf003 == 0xb001) | (half & 0xd003 == 0xd001)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_halves_are_those_of_a_walk() {
        let mut wide: u128 = 0x1234_5678_9abc_def0_0fed_cba9_8765_4321;
        for _ in 0..1000 {
            wide = wide.wrapping_mul(0xda94_2042_e4dd_58b5_da94_2042_e4dd_58b5).rotate_left(61) | 1;
            let (mut at, mut walked) = (0, 0u128);
            while at < 128 {
                if wide >> at & 1 != 0 {
                    walked |= 1u128.checked_shl(at + 1).unwrap_or(0);
                    at += 1;
                }
                at += 1;
            }
            assert_eq!(second_halves(wide), walked, "{wide:#x}");
        }
    }
}
