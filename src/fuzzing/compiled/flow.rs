//! How the blocks of a program begin and end.

use super::{RA, SP, Writer};
use crate::fuzzing::program::{DATA, MAX_CODE, plain};
use crate::isa::{self, Ext, Op};
use crate::lift::TAIL;
use crate::util::PAGE_SIZE;

const BRANCHES: [Op; 8] =
    [Op::Beq, Op::Bne, Op::Blt, Op::Bge, Op::Bltu, Op::Bgeu, Op::Beq, Op::Bne];

/// Functions of a program, each of which may call those behind it.
const FUNCTIONS: usize = 3;

impl Writer<'_, '_> {
    /// The whole program. Addresses that it jumps to by way of memory are put into `data`.
    pub(super) fn program(&mut self, data: &mut [u8]) {
        // Jumped to, so that a block begins behind what has set the state up.
        if self.b.rng.chance(30) {
            let n = self.b.rng.below(5);
            self.straight(n);
        }
        let segments = 1 + self.b.rng.below(4);
        for n in 0..segments {
            let last = n == segments - 1;
            self.segment(0, 0, if last { 6 } else { 10 });
        }
        if self.b.rng.chance(30) {
            self.by_memory(data);
        }
        self.end();
        let mut starts = [None; FUNCTIONS];
        // Functions add calls of later ones.
        for (n, start) in starts.iter_mut().enumerate() {
            if self.calls.iter().any(|&(_, function)| function == n) {
                *start = Some(self.b.here());
                self.function(n);
            }
        }
        for (hole, function) in std::mem::take(&mut self.calls) {
            if let Some(start) = starts[function] {
                self.b.fill(hole, start);
            }
        }
    }

    /// Straight code, and what ends it; `depth` loops are open, functions from `first` on may be
    /// called.
    fn segment(&mut self, depth: usize, first: usize, length: u32) {
        let n = 1 + self.b.rng.below(length);
        self.straight(n);
        if self.full() {
            return;
        }
        match self.b.rng.below(100) {
            0..=15 => self.skip(),
            16..=19 => self.skip_compared(),
            20..=27 => self.either(),
            28..=45 if depth < 2 => self.repeat(depth, first),
            46..=55 => self.jump(),
            56..=70 if first < FUNCTIONS => self.call(first),
            71..=74 => self.trip(depth),
            75..=77 => self.page_end(),
            // Falls through into whatever comes.
            _ => {}
        }
    }

    /// A branch over a few instructions.
    fn skip(&mut self) {
        let op = self.b.rng.pick(&BRANCHES);
        let (x, y) = (self.src(), if self.b.rng.chance(40) { 0 } else { self.src() });
        let hole = self.b.hole(op, 0, x, y);
        if self.b.rng.chance(40) {
            // As many as are made conditional.
            for _ in 0..1 + self.b.rng.below(2) {
                self.simple();
            }
        } else {
            let n = 1 + self.b.rng.below(5);
            self.straight(n);
        }
        let odd = !self.b.has_c() && self.b.rng.chance(2);
        // Where all instructions are aligned to 4 bytes, between two of them is no place to go.
        self.b.fill(hole, self.b.here() + if odd { 2 } else { 0 });
    }

    /// A branch over a few moves on a comparison of floating-point numbers, which may be among what
    /// is moved.
    fn skip_compared(&mut self) {
        if !self.b.isa.has(Ext::D) {
            return self.skip();
        }
        let double = [Op::FltD, Op::FleD, Op::FeqD, Op::FltqD, Op::FleqD];
        let single = [Op::FltS, Op::FleS, Op::FeqS, Op::FltqS, Op::FleqS];
        let (ops, moves) = match self.b.rng.below(2) {
            0 => (double, [Op::FsgnjD, Op::FsgnjnD, Op::FsgnjxD]),
            _ => (single, [Op::FsgnjS, Op::FsgnjnS, Op::FsgnjxS]),
        };
        let all = if self.b.isa.has(Ext::Zfa) { ops.len() } else { 3 };
        let op = self.b.rng.pick(&ops[..all]);
        let d = match self.dst() {
            0 => self.roles.scratch,
            d => d,
        };
        let (x, y) = (self.float(), self.float());
        self.put(plain(op, d, x, y, 0));
        let all = if self.b.rng.chance(85) { &[Op::Beq, Op::Bne][..] } else { &BRANCHES[..] };
        let branch = self.b.rng.pick(all);
        let hole = self.b.hole(branch, 0, d, 0);
        for _ in 0..1 + self.b.rng.below(2) {
            if self.b.rng.chance(50) {
                self.simple();
                continue;
            }
            let (to, from) = (self.float(), self.float());
            let op = if self.b.rng.chance(60) { moves[0] } else { self.b.rng.pick(&moves) };
            self.put(plain(op, to, from, from, 0));
        }
        self.b.fill(hole, self.b.here());
    }

    /// What compilers branch over where they would select.
    fn simple(&mut self) {
        let (rd, x, y) = (self.dst(), self.src(), self.src());
        let imm = self.small();
        let insn = match self.b.rng.below(10) {
            0..=3 => plain(Op::Addi, rd, x, 0, 0),
            4 => plain(Op::Addi, rd, 0, 0, imm),
            5 => plain(Op::Addi, rd, x, 0, imm),
            6 => plain(Op::Sub, rd, 0, x, 0),
            7 => plain(Op::Addw, rd, x, y, 0),
            8 => plain(Op::Slli, rd, x, 0, self.amount(64)),
            _ => self.operation(),
        };
        self.put(insn);
    }

    /// Two ways that meet again.
    fn either(&mut self) {
        let op = self.b.rng.pick(&BRANCHES);
        let (x, y) = (self.src(), self.src());
        let other = self.b.hole(op, 0, x, y);
        let n = 1 + self.b.rng.below(4);
        self.straight(n);
        let end = self.b.hole(Op::Jal, 0, 0, 0);
        self.b.fill(other, self.b.here());
        let n = 1 + self.b.rng.below(4);
        self.straight(n);
        self.b.fill(end, self.b.here());
    }

    /// A loop of a few rounds, which ends with any condition. Its head is fallen into or jumped to.
    fn repeat(&mut self, depth: usize, first: usize) {
        let counter = self.roles.counters[depth];
        let rounds = 1 + self.b.rng.below(5) as i32;
        self.b.insn(Op::Addi, counter, 0, 0, rounds);
        let n = self.b.rng.below(3);
        self.straight(n);
        let entry = self.b.rng.chance(25).then(|| self.b.hole(Op::Jal, 0, 0, 0));
        let head = self.b.here();
        let early = self.b.rng.chance(50);
        if early {
            self.b.insn(Op::Addi, counter, counter, 0, -1);
        }
        if let Some(hole) = entry {
            // Into the middle: at the test, as `while` loops are entered.
            let n = self.b.rng.below(4);
            self.straight(n);
            self.b.fill(hole, self.b.here());
        }
        let first = if self.b.rng.chance(30) { first } else { FUNCTIONS };
        for _ in 0..1 + self.b.rng.below(2) {
            self.segment(depth + 1, first, 7);
        }
        let out = self.b.rng.chance(20).then(|| {
            let op = self.b.rng.pick(&BRANCHES);
            let (x, y) = (self.src(), self.src());
            let hole = self.b.hole(op, 0, x, y);
            let n = self.b.rng.below(4);
            self.straight(n);
            hole
        });
        if !early {
            self.b.insn(Op::Addi, counter, counter, 0, -1);
        }
        self.back(counter, head);
        if let Some(out) = out {
            self.b.fill(out, self.b.here());
        }
    }

    /// Goes to `head` as long as `counter` is above zero.
    fn back(&mut self, counter: u8, head: usize) {
        let s = self.roles.scratch;
        let (op, x, y) = match self.b.rng.below(10) {
            0..=3 => (Op::Bne, counter, 0),
            4 => (Op::Blt, 0, counter),
            5 => (Op::Bltu, 0, counter),
            6 => (Op::Bge, counter, s),
            7 => (Op::Bgeu, counter, s),
            8 => (Op::Beq, s, 0),
            _ => {
                let out = self.b.hole(Op::Beq, 0, counter, 0);
                let jump = self.b.hole(Op::Jal, 0, 0, 0);
                self.b.fill(jump, head);
                return self.b.fill(out, self.b.here());
            }
        };
        match op {
            Op::Bge | Op::Bgeu => {
                self.b.insn(Op::Addi, s, 0, 0, 1);
            }
            Op::Beq => {
                self.b.insn(Op::Sltiu, s, counter, 0, 1);
            }
            _ => {}
        }
        let hole = self.b.hole(op, 0, x, y);
        self.b.fill(hole, head);
    }

    /// A jump forward, direct or through a register.
    fn jump(&mut self) {
        let n = self.b.rng.below(3);
        // Sometimes with a return address that is just a value, or in the other register for one.
        let link = match self.b.rng.below(10) {
            0 => self.dst(),
            1 => 5,
            _ => 0,
        };
        let link = if self.pool.contains(&link) { link } else { 0 };
        let hole = if self.b.rng.chance(60) {
            self.b.hole(Op::Jal, link, 0, 0)
        } else {
            let (s, odd) = (self.roles.scratch, i32::from(self.b.rng.chance(10)));
            self.b.far(s, link, odd)
        };
        for _ in 0..n {
            self.simple();
        }
        self.b.fill(hole, self.b.here());
    }

    /// A call of one of the functions from `first` on, or a jump to it where that will do.
    fn call(&mut self, first: usize) {
        let function = first + self.b.rng.below((FUNCTIONS - first) as u32) as usize;
        let hole = if self.b.rng.chance(65) {
            self.b.hole(Op::Jal, RA, 0, 0)
        } else {
            let s = if self.b.rng.chance(70) { self.roles.scratch } else { RA };
            self.b.far(s, RA, 0)
        };
        self.calls.push((hole, function));
    }

    /// A jump to where an instruction lies across the end of a page, or across the end of what is
    /// looked at of the next page from this one.
    fn page_end(&mut self) {
        let here = self.b.here() as u64;
        let left = 0u64.wrapping_sub(self.b.address + here) % PAGE_SIZE;
        let ahead = if self.b.rng.chance(50) { 0 } else { TAIL as u64 };
        let distance = left + ahead;
        // With room for the jump, and behind it for more.
        if distance < 8 || here + distance > MAX_CODE as u64 / 2 || !self.b.has_c() {
            return;
        }
        let hole = self.b.hole(Op::Jal, 0, 0, 0);
        while (self.b.here() as u64) < here + distance - 2 {
            self.b.half(0);
        }
        self.b.fill(hole, self.b.here());
        for _ in 0..2 {
            let insn = self.operation();
            self.b.word(isa::encode(&insn));
        }
    }

    /// A branch out of everything, to where the program ends or the function returns.
    fn trip(&mut self, depth: usize) {
        let op = self.b.rng.pick(&BRANCHES);
        let (x, y) = (self.src(), self.src());
        let over = self.b.hole(op, 0, x, y);
        let n = self.b.rng.below(3);
        self.straight(n);
        if self.returns {
            // With the stack as it was: no function that can be left has moved it.
            self.b.insn(Op::Jalr, 0, RA, 0, 0);
        } else if depth == 0 || self.b.rng.chance(50) {
            self.end();
        }
        self.b.fill(over, self.b.here());
    }

    /// A jump to where a place in memory says, as in the stubs by which library functions are
    /// called.
    fn by_memory(&mut self, data: &mut [u8]) {
        let s = self.roles.scratch;
        let n = self.b.rng.below(data.len() as u32 / 8) as usize * 8;
        // The lower part of the data is addressed with the same upper part.
        let n = n % 0x7f8;
        self.b.insn(Op::Lui, s, 0, 0, DATA as i32);
        self.b.insn(Op::Ld, s, s, 0, n as i32);
        let link = if self.b.rng.chance(30) { RA } else { 0 };
        self.b.insn(Op::Jalr, link, s, 0, 0);
        for _ in 0..self.b.rng.below(3) {
            self.simple();
        }
        let target = self.b.address + self.b.here() as u64;
        if let Some(place) = data.get_mut(n..n + 8) {
            place.copy_from_slice(&target.to_le_bytes());
        }
    }

    /// A function: with a frame if it calls others, and sometimes without.
    fn function(&mut self, number: usize) {
        (self.inner, self.returns) = (true, true);
        let later = number + 1;
        let calls = later < FUNCTIONS && self.b.rng.chance(50);
        let frame = 16 * (1 + self.b.rng.below(4) as i32);
        let saved: Vec<u8> = self.pool.iter().copied().take(self.b.rng.below(3) as usize).collect();
        let framed = calls || self.b.rng.chance(40);
        if framed {
            // `trip` returns at once, which it must not with a frame.
            self.returns = false;
            self.put(plain(Op::Addi, SP, SP, 0, -frame));
            self.put(plain(Op::Sd, 0, SP, RA, frame - 8));
            for (n, &r) in saved.iter().enumerate().filter(|&(n, _)| n < 1) {
                self.put(plain(Op::Sd, 0, SP, r, 8 * n as i32));
            }
        }
        let n = 1 + self.b.rng.below(6);
        self.straight(n);
        if calls {
            self.call(later);
            let n = self.b.rng.below(4);
            self.straight(n);
        } else if !framed {
            self.segment(2, FUNCTIONS, 4);
        }
        if framed {
            self.put(plain(Op::Ld, RA, SP, 0, frame - 8));
            for (n, &r) in saved.iter().enumerate().filter(|&(n, _)| n < 1) {
                self.put(plain(Op::Ld, r, SP, 0, 8 * n as i32));
            }
            self.put(plain(Op::Addi, SP, SP, 0, frame));
        }
        if number + 1 < FUNCTIONS && self.b.rng.chance(15) {
            // A tail call.
            let hole = self.b.hole(Op::Jal, 0, 0, 0);
            self.calls.push((hole, later));
        } else {
            self.put(plain(Op::Jalr, 0, RA, 0, 0));
        }
    }

    /// The end of the program.
    fn end(&mut self) {
        match self.b.rng.below(20) {
            0..=9 => {
                self.b.insn(Op::Ecall, 0, 0, 0, 0);
            }
            10 if self.b.has_c() => self.b.half(0x9002),
            10..=11 => {
                self.b.insn(Op::Ebreak, 0, 0, 0, 0);
            }
            // Behind a call it would go on there for ever.
            12..=13 if self.calls.is_empty() => {
                // A return to nowhere: what is in ra.
                self.put(plain(Op::Jalr, 0, RA, 0, 0));
            }
            14 if self.calls.is_empty() || !self.pool.contains(&RA) => {
                let r = self.any();
                let imm = self.small();
                self.put(plain(Op::Jalr, 0, r, 0, imm));
            }
            15 => self.b.half(0),
            16 => {
                self.b.insn(Op::FenceI, 0, 0, 0, 0);
                self.b.insn(Op::Ecall, 0, 0, 0, 0);
            }
            17 => {
                self.b.insn(Op::Sd, 0, 0, self.roles.base, 16);
            }
            18 => {
                // A jump to where nothing is.
                self.b.insn(Op::Jal, 0, 0, 0, -0xf_0000);
            }
            _ => {
                self.b.insn(Op::Ecall, 0, 0, 0, 0);
            }
        }
    }
}
