//! The states in which blocks are executed, and how they are changed so that more of a block is.

use super::trace::{End, Trace};
use super::world::{EDGE, WINDOW, edge, function, pointer};
use crate::cpu::{Access, Exit, Hart};
use crate::fuzzing::Rng;
use crate::fuzzing::pool::writes_x;
use crate::fuzzing::program::{special_float, special_int};
use crate::isa::{Format, Insn, Op, reg};

/// Where code and data of a run are.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// Address of the image's first byte.
    pub(super) base: u64,
    /// Offsets of functions in the image.
    pub(super) functions: &'a [u64],
    /// Addresses are taken modulo 2^32.
    pub(super) sandbox: bool,
}

/// Return address and stack pointer.
const RA: usize = 1;
const SP: usize = 2;

/// Chances in 100 of what an integer register holds.
struct Mix {
    pointer: u32,
    small: u32,
    special: u32,
    edge: u32,
}

/// The kinds of states take turns.
const MIXES: [Mix; 4] = [
    Mix { pointer: 70, small: 20, special: 0, edge: 0 },
    Mix { pointer: 40, small: 30, special: 25, edge: 0 },
    Mix { pointer: 15, small: 15, special: 65, edge: 0 },
    Mix { pointer: 50, small: 20, special: 10, edge: 20 },
];

/// State `n` of a block. The pc is set by the caller.
pub(super) fn start(rng: &mut Rng, n: u32, around: Surroundings<'_>) -> Hart {
    let mix = &MIXES[n as usize % MIXES.len()];
    let mut hart = Hart::new();
    for r in 1..32 {
        let stack = r == SP && rng.chance(90);
        let choice = if stack { 0 } else { rng.below(100) };
        let limits = [
            mix.pointer,
            mix.pointer + mix.small,
            mix.pointer + mix.small + mix.special,
            mix.pointer + mix.small + mix.special + mix.edge,
        ];
        hart.x[r] = match limits.iter().position(|&limit| choice < limit) {
            Some(0) => pointer(rng),
            Some(1) => u64::from(rng.below(64)),
            Some(2) => special_int(rng),
            Some(3) => edge(rng),
            _ => function(rng, around.base, around.functions),
        };
        // Garbage above an address is none of a difference in a sandbox.
        if around.sandbox && rng.chance(15) {
            hart.x[r] ^= rng.next_u64() << 32;
        }
    }
    if rng.chance(60) {
        hart.x[RA] = function(rng, around.base, around.functions);
    }
    // Comparisons that succeed, and pointers to the same.
    for _ in 0..rng.below(4) {
        let (from, to) = (rng.below(32) as usize, 1 + rng.below(31) as usize);
        hart.x[to] = hart.x[from];
    }
    for f in &mut hart.f {
        *f = special_float(rng);
    }
    hart.frm = if rng.chance(75) { 0 } else { rng.below(4) as u8 };
    hart.fflags = if rng.chance(50) { 0 } else { rng.below(32) as u8 };
    hart
}

/// Changes the state in which a trace began so that it may come further; false if it has come far
/// enough, or nothing helps.
pub(super) fn steer(rng: &mut Rng, trace: &Trace, hart: &mut Hart) -> bool {
    match trace.end {
        Some(End::Exit(Exit::Fault(fault))) if fault.access != Access::Execute => {
            // What is not served on purpose stays a fault.
            let wanted = fault.addr / WINDOW * WINDOW == EDGE;
            !wanted && other_address(rng, trace, hart)
        }
        Some(End::Fails) => other_address(rng, trace, hart),
        Some(End::Exit(Exit::Misaligned(_))) => rng.chance(80) && other_address(rng, trace, hart),
        Some(End::Cut) => leave_loop(rng, trace, hart),
        _ => false,
    }
}

/// Gives the register from which the address of the last access was computed another value.
fn other_address(rng: &mut Rng, trace: &Trace, hart: &mut Hart) -> bool {
    let Some(insn) = trace.failed() else { return false };
    let Some((r, scaled)) = origin(rng, trace, insn.rs1) else { return false };
    let small = scaled || rng.chance(25);
    hart.x[r] = if small {
        u64::from(rng.below(64))
    } else {
        // Well in the middle, whatever the offset.
        pointer(rng).wrapping_sub(insn.imm as u64 & !15)
    };
    true
}

/// The register at the start from which what `r` holds at the end was computed, and whether it was
/// multiplied or the like on the way; one of them where there are more.
fn origin(rng: &mut Rng, trace: &Trace, r: u8) -> Option<(usize, bool)> {
    let (mut r, mut before, mut scaled) = (r, trace.last(), false);
    loop {
        let written = |i: &Insn| writes_x(i.op) && i.rd == r;
        let Some(at) = trace.insns[..before].iter().rposition(written) else {
            return (r != 0).then_some((usize::from(r), scaled));
        };
        let insn = &trace.insns[at];
        before = at;
        r = match insn.op.format() {
            Format::R => {
                scaled |= !matches!(insn.op, Op::Add | Op::Sub | Op::Addw | Op::Subw);
                match (insn.rs1, insn.rs2) {
                    (0, other) | (other, 0) => other,
                    (first, second) => rng.pick(&[first, second]),
                }
            }
            Format::Shamt5 | Format::Shamt6 => {
                scaled = true;
                insn.rs1
            }
            Format::I | Format::Unary => insn.rs1,
            // Another pointer may find another address.
            Format::Load | Format::Lr | Format::Amo => {
                scaled = false;
                insn.rs1
            }
            _ => return None,
        };
    }
}

/// Lets a loop end after a few iterations, by the value that a condition compares with.
fn leave_loop(rng: &mut Rng, trace: &Trace, hart: &mut Hart) -> bool {
    let states = &trace.states;
    let back = |n: &usize| states[n + 1].pc <= states[*n].pc;
    let Some(last) = (0..trace.last()).rev().find(back) else { return false };
    let before = (0..last).rev().find(|&n| states[n].pc == states[last].pc);
    let Some(before) = before else { return false };
    let branch = |n: &usize| trace.insns[*n].op.format() == Format::B;
    let branches: Vec<usize> = (before + 1..=last).filter(branch).collect();
    if branches.is_empty() {
        return false;
    }
    let at = rng.pick(&branches);
    let insn = &trace.insns[at];
    let taken = states[at + 1].pc != states[at].pc.wrapping_add(u64::from(insn.len));
    let times: Vec<usize> = (0..=last).filter(|&n| states[n].pc == states[at].pc).collect();
    let when = times[(1 + rng.below(4) as usize).min(times.len() - 1)];
    let (first, second) = (usize::from(insn.rs1), usize::from(insn.rs2));
    let (a, b) = (states[when].x[first], states[when].x[second]);
    let fixed =
        |r: usize| r != 0 && !trace.insns.iter().any(|i| writes_x(i.op) && usize::from(i.rd) == r);
    if fixed(second) {
        hart.x[second] = match (insn.op, taken) {
            (Op::Beq, true) | (Op::Bne, false) => a.wrapping_add(1),
            (Op::Beq, false) | (Op::Bne, true) => a,
            (Op::Blt | Op::Bltu, true) | (Op::Bge | Op::Bgeu, false) => a,
            _ => a.wrapping_add(1),
        };
    } else if fixed(first) {
        hart.x[first] = match (insn.op, taken) {
            (Op::Beq, true) | (Op::Bne, false) => b.wrapping_add(1),
            (Op::Beq, false) | (Op::Bne, true) => b,
            (Op::Blt | Op::Bltu, true) | (Op::Bge | Op::Bgeu, false) => b,
            _ => b.wrapping_sub(1),
        };
    } else if second == 0 && first != 0 {
        // A counter.
        hart.x[first] = hart.x[first].wrapping_sub(a);
    } else {
        return false;
    }
    true
}

/// Names of the registers whose values differ.
pub(super) fn differing(a: &Hart, b: &Hart) -> Vec<&'static str> {
    let mut names = Vec::new();
    for r in 0..32 {
        let n = usize::from(r);
        names.extend((a.x[n] != b.x[n]).then(|| reg::x_name(r)));
        names.extend((a.f[n] != b.f[n]).then(|| reg::f_name(r)));
    }
    names
}
