//! Programs as compilers write them: few registers that are used again at once, values that take
//! several instructions to make, and blocks that begin and end in every way.
//!
//! Reading order: this file (what a program consists of), `flow` (how blocks end), `idioms` (what
//! several instructions do together), `shapes` (what real programs were seen to do).
//!
//! Idioms are woven into each other, as the schedulers of compilers do it: between two instructions
//! of one there are those of others, and now and then one that overwrites what has just been read.
//! So a result lands on an operand of what a translator has not computed yet.

mod flow;
mod idioms;
mod shapes;

use super::program::{Builder, DATA, DATA_LEN, Hole, MAX_CODE, plain};
use crate::cpu::Hart;
use crate::isa::{self, Insn, Isa, Op};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::LazyLock;

/// Where the base register points.
const MIDDLE: u64 = DATA + DATA_LEN as u64 / 2;
/// Where the stack pointer points, with room on both sides.
const STACK: u64 = DATA + 0x800;

/// Stack pointer and return address.
const SP: u8 = 2;
const RA: u8 = 1;

/// Registers with a fixed use in one program; which they are differs from program to program, so
/// that each use meets each kind of home.
#[derive(Clone, Copy)]
struct Roles {
    /// Points into the data; never written.
    base: u8,
    /// Count the rounds of the outer and the inner loop; written by loops only.
    counters: [u8; 2],
    /// Addresses of jumps, conditions of loops; free between them.
    scratch: u8,
}

/// Instructions that belong together, of which some have been written.
struct Idiom {
    steps: VecDeque<Insn>,
    /// Registers that nothing else should write before the last of them.
    pins: u32,
}

/// Writes one program.
pub(super) struct Writer<'b, 'a> {
    b: &'b mut Builder<'a>,
    roles: Roles,
    /// The registers that the program uses, two to six mostly.
    pool: Vec<u8>,
    /// The same for floating point.
    floats: [u8; 3],
    open: Vec<Idiom>,
    /// What was read last.
    recent: [u8; 4],
    /// Calls and jumps to functions that are not written yet.
    calls: Vec<(Hole, usize)>,
    /// In a function, which has its spills below the stack pointer, as return addresses are above.
    inner: bool,
    /// In a function that can be left by a return at any place.
    returns: bool,
}

/// 16-bit encodings of what has one.
static SHORT: LazyLock<FxHashMap<Operands, u16>> = LazyLock::new(|| {
    let short = |half| isa::decode(half, &Isa::MAX).filter(|i| i.len == 2);
    (0..0x1_0000u32).filter_map(|half| Some((operands(&short(half)?), half as u16))).collect()
});

type Operands = (Op, u8, u8, u8, i32);

fn operands(i: &Insn) -> Operands {
    (i.op, i.rd, i.rs1, i.rs2, i.imm)
}

/// Writes a program with `b`, whose initial registers and data are `hart` and `data`.
pub(super) fn write(b: &mut Builder<'_>, hart: &mut Hart, data: &mut [u8]) {
    let mut w = Writer::new(b);
    for r in w.pool.clone() {
        // Random bits, in which a wrong half shows, more often than special values.
        if w.b.rng.chance(60) {
            hart.x[usize::from(r)] = (hart.x[usize::from(r)] ^ w.b.state_bits()).rotate_left(7);
        }
    }
    hart.x[usize::from(w.roles.base)] = MIDDLE;
    hart.x[usize::from(SP)] = STACK;
    w.program(data);
}

impl<'b, 'a> Writer<'b, 'a> {
    fn new(b: &'b mut Builder<'a>) -> Self {
        let mut free: Vec<u8> = (3..32).collect();
        let mut take = |b: &mut Builder<'_>| {
            let n = b.rng.below(free.len() as u32) as usize;
            free.swap_remove(n)
        };
        let roles = Roles { base: take(b), counters: [take(b), take(b)], scratch: take(b) };
        let count = if b.rng.chance(90) { 2 + b.rng.below(5) } else { 7 + b.rng.below(6) };
        if b.rng.chance(25) {
            // Those that most of the short encodings are for.
            free.retain(|r| (8..16).contains(r));
        }
        if b.rng.chance(5) {
            free.push(RA);
        }
        let mut pool = Vec::new();
        while pool.len() < count as usize && !free.is_empty() {
            let n = b.rng.below(free.len() as u32) as usize;
            pool.push(free.swap_remove(n));
        }
        let floats = std::array::from_fn(|_| b.rng.below(32) as u8);
        Self {
            b,
            roles,
            pool,
            floats,
            open: Vec::new(),
            recent: [0; 4],
            calls: Vec::new(),
            inner: false,
            returns: false,
        }
    }

    /// A register to read.
    fn src(&mut self) -> u8 {
        match self.b.rng.below(32) {
            0 => 0,
            1 => self.roles.base,
            2..=9 => self.b.rng.pick(&self.recent),
            _ => self.b.rng.pick(&self.pool),
        }
    }

    /// A register of the pool.
    fn any(&mut self) -> u8 {
        self.b.rng.pick(&self.pool)
    }

    /// A register to write.
    fn dst(&mut self) -> u8 {
        let pinned = self.open.iter().fold(0, |set, idiom| set | idiom.pins);
        if self.b.rng.chance(1) {
            return 0;
        }
        for _ in 0..4 {
            let r = self.any();
            if pinned & 1 << r == 0 {
                return r;
            }
        }
        self.any()
    }

    /// Writes `n` instructions without jumps, and some more to end most of what has begun.
    fn straight(&mut self, n: u32) {
        for _ in 0..n {
            self.step();
        }
        while !self.open.is_empty() && self.b.rng.chance(90) {
            self.go_on();
        }
        self.open.clear();
    }

    fn step(&mut self) {
        if self.full() {
            return;
        }
        match self.b.rng.below(100) {
            0..=54 if !self.open.is_empty() => self.go_on(),
            0..=75 if self.open.len() < 3 => {
                let idiom = self.idiom();
                self.open.push(idiom);
                self.go_on();
            }
            76..=87 => self.overwrite(),
            _ => {
                let insn = self.operation();
                self.put(insn);
            }
        }
    }

    /// Writes the next instruction of an idiom.
    fn go_on(&mut self) {
        let n = self.b.rng.below(self.open.len().max(1) as u32) as usize;
        let Some(idiom) = self.open.get_mut(n) else { return };
        let next = idiom.steps.pop_front();
        if idiom.steps.is_empty() {
            self.open.swap_remove(n);
        }
        if let Some(insn) = next {
            self.put(insn);
        }
    }

    /// Writes an instruction that overwrites what was read last.
    fn overwrite(&mut self) {
        let rd = self.b.rng.pick(&self.recent);
        if !self.pool.contains(&rd) {
            return;
        }
        let (a, b) = (self.any(), self.any());
        let imm = self.small();
        let insn = match self.b.rng.below(8) {
            0..=2 => plain(Op::Addi, rd, a, 0, 0),
            3 => plain(Op::Addi, rd, 0, 0, imm),
            4 => plain(Op::Add, rd, a, b, 0),
            5 => plain(Op::Addi, rd, a, 0, imm),
            6 => self.load(rd),
            _ => Insn { rd, ..self.operation() },
        };
        self.put(insn);
    }

    /// No room for more.
    fn full(&self) -> bool {
        self.b.here() > MAX_CODE * 3 / 4
    }

    /// Writes `insn`, sometimes in its short form, if there is such an instruction here.
    fn put(&mut self, insn: Insn) {
        if !self.b.isa.exts().contains_all(insn.op.row().needs) {
            return;
        }
        self.recent = [insn.rs1, insn.rs2, self.recent[0], self.recent[1]];
        if self.b.has_c() && self.b.rng.chance(40) {
            let short = SHORT.get(&operands(&insn)).copied();
            let legal = |&half: &u16| isa::decode(u32::from(half), self.b.isa).is_some();
            if let Some(half) = short.filter(legal) {
                return self.b.half(half);
            }
        }
        self.b.word(isa::encode(&insn));
    }

    /// A small constant, or one at which encodings change.
    fn small(&mut self) -> i32 {
        match self.b.rng.below(8) {
            0 => self.b.rng.pick(&[0, 1, -1, 255, 127, -128, 2047, -2048, 1024]),
            1 => self.b.rng.below(4096) as i32 - 2048,
            2..=3 => 8 * self.b.rng.below(16) as i32,
            _ => self.b.rng.below(64) as i32 - 32,
        }
    }

    /// A shift amount for `bits` bits.
    fn amount(&mut self, bits: u32) -> i32 {
        let n = match self.b.rng.below(8) {
            0 => self.b.rng.pick(&[0, 1, 2, 3, 4, 31, 32, 33, 63]),
            1..=3 => self.b.rng.pick(&[1, 2, 3, 16, 24, 32, 48, 56]),
            4 => 32 - self.b.rng.below(4),
            _ => self.b.rng.below(bits),
        };
        (n & (bits - 1)) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::pool::Pool;
    use crate::fuzzing::program::{Case, Kind};
    use crate::fuzzing::rig::Setup;
    use crate::fuzzing::rng::Rng;
    use crate::mem::Mode;

    fn programs(isa: &str, count: u64) -> impl Iterator<Item = (Case, Vec<Insn>)> {
        let isa: Isa = isa.parse().unwrap();
        let setup = Setup { mode: Mode::Guarded, isa, masked: "", hot: None };
        let pool = Pool::new(&isa);
        (0..count).map(move |n| {
            let case = Case::new(Rng::new(1, n), n, Kind::Compiled, &setup, &pool, 0x10_0000);
            let at = |&start: &u16| {
                let mut bytes = [0; 4];
                let rest = &case.code[usize::from(start)..];
                let len = rest.len().min(4);
                bytes[..len].copy_from_slice(&rest[..len]);
                isa::decode(u32::from_le_bytes(bytes), &isa)
            };
            let insns = case.starts.iter().filter_map(at).collect();
            (case, insns)
        })
    }

    /// Where `insns` shift `s` and, before they use that, overwrite `s` with something made of `x`,
    /// which the result is put into: the number of such places, by whether a copy or a sum
    /// overwrites, and whether the use extends or rotates.
    fn overwritten(insns: &[Insn], found: &mut [[u32; 2]; 2]) {
        for (n, up) in insns.iter().enumerate() {
            if up.op != Op::Slli || up.rd == up.rs1 || up.rs1 == 0 {
                continue;
            }
            let mut copy = None;
            for i in insns.iter().skip(n + 1).take(6) {
                let uses = [i.rs1, i.rs2].contains(&up.rd);
                if let Some((x, sum)) = copy.filter(|&(x, _)| uses && i.rd == x) {
                    let _: u8 = x;
                    match i.op {
                        Op::Srli | Op::Srai if up.imm == 32 => found[usize::from(sum)][0] += 1,
                        Op::Or | Op::Xor | Op::Add => found[usize::from(sum)][1] += 1,
                        _ => {}
                    }
                }
                if i.rd == up.rs1 && matches!(i.op, Op::Addi | Op::Add) {
                    let moves = i.op == Op::Add && i.rs1 == 0 || i.op == Op::Addi && i.imm == 0;
                    copy = Some((if i.rs1 == 0 { i.rs2 } else { i.rs1 }, !moves));
                } else if i.rd == up.rd {
                    break;
                }
            }
        }
    }

    /// What the first ten million random programs never had.
    #[test]
    fn sources_of_shifts_are_overwritten_before_the_shifts_are_used() {
        let mut found = [[0; 2]; 2];
        programs("max", 5000).for_each(|(_, insns)| overwritten(&insns, &mut found));
        assert!(found.iter().flatten().all(|&n| n >= 3), "{found:?}");
    }

    #[test]
    fn programs_have_what_compilers_write_and_end_in_every_way() {
        for isa in ["max", "rv64gc", "rv64imafd_zba_zbb_zbs"] {
            let mut seen = std::collections::HashSet::new();
            let (mut pools, mut sizes) = ([0; 32], 0);
            for (case, insns) in programs(isa, 2000) {
                seen.extend(insns.iter().map(|i| i.op));
                sizes += insns.len();
                insns.iter().for_each(|i| pools[usize::from(i.rd)] += 1);
                assert!(case.code.len() <= MAX_CODE);
            }
            let branches = [Op::Beq, Op::Bne, Op::Blt, Op::Bge, Op::Bltu, Op::Bgeu];
            let ends = [Op::Jal, Op::Jalr, Op::Ecall, Op::Ebreak, Op::FenceI];
            let work =
                [Op::Slli, Op::Srliw, Op::Lui, Op::Auipc, Op::Lwu, Op::Sd, Op::Divuw, Op::ScD];
            for op in branches.iter().chain(&ends).chain(&work) {
                assert!(seen.contains(op), "{isa}: no {op:?}");
            }
            // Any register but x0 is written about as often as any other, whatever its home.
            let usual = &pools[3..];
            let (least, most) = (usual.iter().min().unwrap(), usual.iter().max().unwrap());
            assert!(*most < 6 * least, "{isa}: {pools:?}");
            assert!((10..100).contains(&(sizes / 2000)), "{isa}: {} on average", sizes / 2000);
        }
    }
}
