//! Which instructions make a block.
//!
//! A block is a superblock: one entry, many exits, laid out along the path that is likely taken.
//! Longer blocks let the backend keep values in registers and constants in mind, and save jumps;
//! the price is code that is translated more than once. The policy:
//!
//! - A conditional branch is assumed not taken. Forward ones skip rare code more often than not;
//!   after a backward one comes what follows the loop.
//! - A branch over one or two instructions that only compute is no branch but makes them
//!   conditional (see `select`).
//! - A forward `jal x0` is followed (at most `Limits::max_jumps` of them) if its target can be
//!   fetched and is not a loop head. A backward one ends the block with a jump: it almost always
//!   closes a loop. As a block only ever goes forward, it never meets itself, and each cycle in
//!   guest code has a block that starts at the target of its backward edge. Were backward jumps
//!   followed, blocks of a loop longer than a block would begin at ever new places.
//! - After a call the block goes on at the return address, so that returning is no more than a
//!   host return into the middle of it.
//! - A block ends *before* a loop head: an address that a backward branch or jump further on goes
//!   to. The head then is a block of its own, and the loop runs in it rather than in a copy of its
//!   first iteration. Heads are found by a look ahead over the raw encodings, which costs a
//!   fraction of decoding; what it misses (loops longer than the look-ahead) costs speed only. So
//!   does what it finds in data.
//! - Indirect jumps, environment calls, breakpoints and `fence.i` end a block. So do the limits,
//!   and an instruction that cannot be fetched or decoded: it gets a block of its own, if it is
//!   ever reached, which says so. Without compressed instructions, a branch or jump to a target that
//!   is not aligned to 4 bytes is such an instruction: the interpreter faults on it if it is taken.
//!   (Of `jalr` only the target could tell. It is found out there, one instruction late.)

use super::rule::{self, Flow};
use super::select::select;
use super::{CodeSource, Limits};
use crate::ir::{Builder, ExitKind, Op};
use crate::isa::{self, Ext, Format, Insn, Isa};

/// Most instructions of a block.
const MAX_INSNS: u32 = 1024;

/// Lifts the block at `pc` into `builder`.
pub(super) fn scan<S: CodeSource + ?Sized>(
    builder: &mut Builder,
    source: &mut S,
    isa: &Isa,
    pc: u64,
    limits: &Limits,
) {
    builder.start(pc);
    let mut scan = Scan {
        builder,
        isa,
        compressed: isa.has(Ext::Zca),
        start: pc,
        pc,
        run: pc,
        jumped: false,
        insns_left: limits.max_insns.clamp(1, MAX_INSNS),
        exits_left: limits.max_exits.max(1),
        jumps_left: limits.max_jumps,
    };
    loop {
        let Some(code) = source.bytes(scan.pc).filter(|code| code.len() >= 2) else {
            scan.unfetchable();
            return;
        };
        match scan.piece(code) {
            Step::Go => {}
            Step::Done => return,
            Step::Straddle(low) => {
                let high =
                    source.bytes(scan.pc.wrapping_add(2)).and_then(|code| code.first_chunk());
                let Some(&high) = high else {
                    scan.unfetchable();
                    return;
                };
                let bits = u32::from(low) | u32::from(u16::from_le_bytes(high)) << 16;
                if scan.insn(bits, &[]) == Step::Done {
                    return;
                }
            }
        }
    }
}

/// What comes after an instruction or a piece of code.
#[derive(PartialEq, Eq)]
enum Step {
    /// Lifting goes on at `pc`.
    Go,
    /// An instruction at `pc` whose low half, this, is the last of a piece of code.
    Straddle(u16),
    /// The block is complete.
    Done,
}

struct Scan<'a> {
    builder: &'a mut Builder,
    isa: &'a Isa,
    /// Instructions need not be aligned to 4 bytes.
    compressed: bool,
    /// Entry of the block.
    start: u64,
    /// The next instruction.
    pc: u64,
    /// Where the contiguous code that `pc` is in begins.
    run: u64,
    /// A jump to `pc` is being followed: nothing of its target has been lifted.
    jumped: bool,
    insns_left: u32,
    exits_left: u32,
    jumps_left: u32,
}

impl Scan<'_> {
    /// Lifts from `code`, which is what can be read at `pc`.
    fn piece(&mut self, code: &[u8]) -> Step {
        let heads = Heads::find(code, self.insns_left);
        let base = self.pc;
        loop {
            let offset = self.pc.wrapping_sub(base) as usize;
            if heads.contains(offset) && self.pc != self.start {
                return self.stop();
            }
            let rest = code.get(offset..).unwrap_or_default();
            let bits = if let Some(&wide) = rest.first_chunk() {
                u32::from_le_bytes(wide)
            } else if let Some(&half) = rest.first_chunk() {
                let half = u16::from_le_bytes(half);
                if half & 3 == 3 {
                    return Step::Straddle(half);
                }
                u32::from(half)
            } else {
                return Step::Go;
            };
            let len = if bits & 3 == 3 { 4 } else { 2 };
            let rest = rest.get(len..).unwrap_or_default();
            let rest = &rest[..rest.len().min(heads.distance(offset + len))];
            if self.insn(bits, rest) == Step::Done {
                return Step::Done;
            }
            if self.jumped {
                return Step::Go;
            }
        }
    }

    /// Lifts one instruction, behind which there is `rest` up to the next loop head, or a branch and
    /// what it skips.
    #[inline(always)]
    fn insn(&mut self, bits: u32, rest: &[u8]) -> Step {
        if self.insns_left == 0 || self.exits_left == 0 {
            return self.stop();
        }
        let pc = self.pc;
        let Some(insn) = isa::decode_here(bits, self.isa) else {
            return self.illegal(if bits & 3 == 3 { 4 } else { 2 });
        };
        if !self.compressed && misaligned(&insn, pc) {
            return self.illegal(4);
        }
        if matches!(insn.op.format(), Format::Csr | Format::CsrImm)
            && !isa::csr::legal(&{ insn }, self.isa)
        {
            return self.illegal(4);
        }
        self.insns_left -= 1;
        self.jumped = false;
        self.pc = pc.wrapping_add(u64::from(insn.len));
        self.builder.at(pc);
        match rule::apply(self.builder, insn, pc) {
            Flow::Next => Step::Go,
            Flow::Exit => {
                let left = self.insns_left;
                if let Some(skipped) = select(self.builder, rest, self.isa, self.pc, left) {
                    self.insns_left -= skipped.insns;
                    self.pc = skipped.end;
                    return Step::Go;
                }
                self.exits_left -= 1;
                Step::Go
            }
            Flow::Jump(target) => {
                self.end_run();
                if target <= pc || self.jumps_left == 0 {
                    self.builder.push(Op::Jump { target });
                    return Step::Done;
                }
                self.jumps_left -= 1;
                (self.pc, self.run, self.jumped) = (target, target, true);
                Step::Go
            }
            Flow::End => {
                self.end_run();
                Step::Done
            }
        }
    }

    /// Ends the block before `pc`.
    fn stop(&mut self) -> Step {
        if self.jumped {
            self.builder.push(Op::Jump { target: self.pc });
        } else {
            self.end_run();
            self.builder.set_next(self.pc);
        }
        Step::Done
    }

    /// Ends the block before an instruction of `len` bytes that is not legal.
    fn illegal(&mut self, len: u64) -> Step {
        if self.pc != self.start {
            return self.stop();
        }
        self.builder.at(self.pc);
        self.builder.push(Op::Exit(ExitKind::Fetch));
        self.pc = self.pc.wrapping_add(len);
        self.end_run();
        Step::Done
    }

    /// Ends the block before an instruction that cannot be fetched, or only in part.
    fn unfetchable(&mut self) {
        if self.pc != self.start {
            self.stop();
            return;
        }
        self.builder.at(self.pc);
        self.builder.push(Op::Exit(ExitKind::Fetch));
    }

    /// Says that the code from `run` up to `pc` was read.
    fn end_run(&mut self) {
        let len = self.pc.wrapping_sub(self.run);
        if len != 0 {
            self.builder.read_range(self.run, len as u32);
        }
    }
}

/// Whether, where all instructions are aligned to 4 bytes, `insn` at `pc` is not, or goes or may go
/// to one that is not.
fn misaligned(insn: &Insn, pc: u64) -> bool {
    let format = insn.op.format();
    let relative = matches!(format, Format::B | Format::J);
    pc & 2 != 0 || relative && insn.imm & 2 != 0 || format == Format::Jalr
}

/// Loop heads: a bit for each halfword of a piece of code that is the target of a backward branch or
/// jump in it.
struct Heads(u128);

/// Halfwords that are looked at: what 64 instructions may take.
const HALVES: usize = 128;

impl Heads {
    /// Looks for heads in `code`, as far ahead as `insns` instructions may reach.
    ///
    /// Following the instructions one by one would cost as much as decoding them: each length hangs
    /// on the one before. So all halfwords are tested at once, in loops that vectorise, and which of
    /// them begin an instruction is arithmetic on bit sets.
    fn find(code: &[u8], insns: u32) -> Self {
        // Zeros are not an instruction.
        let mut halves = [0u16; HALVES + 1];
        let (code, _) = code.as_chunks();
        let ahead = code.len().min(insns as usize * 2).min(HALVES);
        let read = halves.iter_mut().zip(&code[..ahead]);
        read.for_each(|(half, &bytes)| *half = u16::from_le_bytes(bytes));
        let next = halves[1..].iter();
        let jumps = set(halves.iter().zip(next).map(|(&a, &b)| narrow_back(a) | wide_back(a, b)));
        if jumps == 0 {
            return Self(0);
        }
        let wide = set(halves[..HALVES].iter().map(|half| half & 3 == 3));
        let mut back = jumps & !second_halves(wide);
        let mut heads = 0;
        while back != 0 {
            let n = back.trailing_zeros() as usize;
            back &= back - 1;
            let bits = u32::from(halves[n]) | u32::from(halves[n + 1]) << 16;
            if let Some(target) = n.checked_add_signed(isa::jump_offset(bits) as isize / 2) {
                heads |= 1 << target;
            }
        }
        Self(heads)
    }

    /// Bytes from `offset`, which is even, to the next head that is not before it.
    fn distance(&self, offset: usize) -> usize {
        let ahead = u32::try_from(offset / 2).ok().and_then(|n| self.0.checked_shr(n));
        ahead
            .filter(|bits| *bits != 0)
            .map_or(usize::MAX, |bits| bits.trailing_zeros() as usize * 2)
    }

    /// Whether there is a head at byte `offset`, which is even.
    fn contains(&self, offset: usize) -> bool {
        offset < HALVES * 2 && self.0 >> (offset / 2) & 1 != 0
    }
}

/// A bit for each halfword that passes a test.
#[inline(always)]
fn set(passes: impl Iterator<Item = bool>) -> u128 {
    // First a byte each, which vectorises, and then eight at a time: the product moves the lowest
    // bit of byte `n` to bit `56 + n`, and no two bits to one place.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut bytes = [0u8; HALVES];
    bytes.iter_mut().zip(passes).for_each(|(byte, passes)| *byte = u8::from(passes));
    let eights = bytes.as_chunks().0.iter().map(|eight| u64::from_le_bytes(*eight));
    let bits = eights.map(|eight| (eight.wrapping_mul(GATHER) >> 56) as u8);
    let mut out = [0; HALVES / 8];
    out.iter_mut().zip(bits).for_each(|(out, bits)| *out = bits);
    u128::from_le_bytes(out)
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
