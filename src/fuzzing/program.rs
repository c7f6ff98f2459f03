//! Random programs: a main part and a few functions, with loops that end.
//!
//! Some registers have a fixed use, so that most accesses succeed and all loops end; the rest is
//! random. A program ends with `ecall`, `ebreak`, an illegal instruction or a fault.

use super::compiled;
use super::pool::{Class, Pool, class, writes_x};
use super::rig::{ADDRESS_BITS, Setup};
use super::rng::Rng;
use super::vectors;
use crate::cpu::Hart;
use crate::isa::{self, Ext, Format, Insn, Isa, Op};
use crate::mem::Mode;

/// Where the data is: two pages to write, then a page to read, then nothing.
pub(super) const DATA: u64 = 0x40_0000;
/// Bytes of data that can be written.
pub(super) const DATA_LEN: usize = 0x2000;
/// Bytes behind them that can only be read.
pub(super) const READ_ONLY_LEN: u64 = 0x1000;
/// Most bytes of a program.
pub(super) const MAX_CODE: usize = 0x6f2;

/// Points into the middle of the data; never written.
pub(super) const BASE: u8 = 27;
/// Loop counters of the outer and the inner loop; written by loops only.
const COUNTERS: [u8; 2] = [26, 25];
/// Addresses for instructions without an immediate, and targets of jumps.
const SCRATCH: u8 = 24;
/// Points to where nothing of the guest or the host is; never written.
const WILD: u8 = 22;
/// Keeps the return address of a function that calls another.
const SAVED_RA: u8 = 23;
/// Return address.
const RA: u8 = 1;
/// Registers that random instructions do not write.
const RESERVED: [u8; 7] = [RA, BASE, COUNTERS[0], COUNTERS[1], SCRATCH, SAVED_RA, WILD];
/// Registers that mostly point into the data, for the short forms; rarely written.
const POINTERS: [u8; 2] = [2, 9];
/// Points to where the writable data ends.
pub(super) const EDGE: u8 = 8;

/// What a case is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One instruction of any kind with special operands.
    Single,
    /// A program with branches, loops and calls: of instructions at random, or `Compiled`.
    Block,
    /// A program as compilers write it.
    Compiled,
}

/// One case: a program and the state in which it starts.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its number in the campaign.
    pub number: u64,
    /// What it is made of.
    pub kind: Kind,
    /// The program.
    pub code: Vec<u8>,
    /// Offsets of its instructions.
    pub starts: Vec<u16>,
    /// Registers at the start; the pc is set by whoever places the code.
    pub hart: Box<Hart>,
    /// The writable data at the start.
    pub data: Vec<u8>,
}

impl Case {
    /// Case `number`, whose decisions are those of `rng`.
    pub(super) fn new(
        mut rng: Rng,
        number: u64,
        kind: Kind,
        setup: &Setup,
        pool: &Pool,
        address: u64,
    ) -> Self {
        let isa = &setup.isa;
        let sandbox = setup.mode == Mode::Sandbox;
        // The state has numbers of its own, so that whoever chooses the bytes decides about the
        // program.
        let mut state = Rng::new(rng.next_u64(), 0);
        let mut hart = Box::new(registers(&mut state, isa));
        let mut data = vec![0; DATA_LEN];
        for part in data.chunks_exact_mut(8) {
            part.copy_from_slice(&state.next_u64().to_le_bytes());
        }
        let favourites = std::array::from_fn(|_| rng.below(32) as u8);
        let mut b = Builder {
            rng,
            state,
            isa,
            pool,
            sandbox,
            address,
            code: Vec::new(),
            starts: Vec::new(),
            favourites,
            calls: vec![],
        };
        match kind {
            Kind::Single => b.single(),
            Kind::Block if b.rng.chance(30) => b.program(),
            Kind::Block | Kind::Compiled => compiled::write(&mut b, &mut hart, &mut data),
        }
        b.code.truncate(MAX_CODE);
        let end = b.code.len() as u16;
        b.starts.retain(|&s| s < end);
        Self { number, kind, code: b.code, starts: b.starts, hart, data }
    }
}

/// A value at which arithmetic changes its ways, or a random one.
pub(super) fn special_int(rng: &mut Rng) -> u64 {
    let bit = 1u64 << rng.below(64);
    match rng.below(12) {
        0 => 0,
        1 => 1,
        2 => u64::MAX,
        3 => i64::MIN as u64,
        4 => i64::MAX as u64,
        5 => rng.pick(&[i32::MIN as u64, i32::MAX as u64, u64::from(u32::MAX), 1 << 32]),
        6 => bit,
        7 => bit.wrapping_sub(1),
        8 => !bit,
        9 => u64::from(rng.below(256)).wrapping_sub(128),
        10 => rng.next_u64() as i32 as u64,
        _ => rng.next_u64(),
    }
}

/// Bits of a floating-point register: special values of either width, boxed rightly or wrongly.
pub(super) fn special_float(rng: &mut Rng) -> u64 {
    const DOUBLES: [u64; 20] = [
        0,
        0x3ff0_0000_0000_0000,
        0x3ff8_0000_0000_0000,
        0x7ff0_0000_0000_0000,
        0x7ff8_0000_0000_0000,
        0x7ff4_0000_0000_0000,
        0x7fff_ffff_ffff_ffff,
        0x0000_0000_0000_0001,
        0x000f_ffff_ffff_ffff,
        0x0010_0000_0000_0000,
        0x7fef_ffff_ffff_ffff,
        0x4330_0000_0000_0000,
        0x43e0_0000_0000_0000,
        0x43f0_0000_0000_0000,
        0x41df_ffff_ffc0_0000,
        0x41ef_ffff_ffe0_0000,
        0x36a0_0000_0000_0000,
        0x3810_0000_0000_0000,
        0x47ef_ffff_f000_0000,
        0x3ca0_0000_0000_0000,
    ];
    const SINGLES: [u32; 18] = [
        0,
        0x3f80_0000,
        0x3fc0_0000,
        0x7f80_0000,
        0x7fc0_0000,
        0x7fa0_0000,
        0x7fff_ffff,
        1,
        0x007f_ffff,
        0x0080_0000,
        0x7f7f_ffff,
        0x4b00_0000,
        0x4f00_0000,
        0x4f80_0000,
        0x5f00_0000,
        0x5f80_0000,
        0x3380_0000,
        0x4780_0000,
    ];
    const HALVES: [u16; 10] =
        [0, 0x3c00, 0x7c00, 0x7e00, 0x7d00, 1, 0x03ff, 0x0400, 0x7bff, 0x3555];
    let sign = rng.next_u64();
    match rng.below(12) {
        0..=3 => rng.pick(&DOUBLES) ^ sign << 63,
        4..=7 => u64::from(rng.pick(&SINGLES) ^ (sign as u32) << 31) | 0xffff_ffff << 32,
        8 => u64::from(rng.pick(&HALVES) ^ (sign as u16) << 15) | 0xffff_ffff_ffff << 16,
        // A box that is not all ones.
        9 => u64::from(rng.pick(&SINGLES)) | rng.next_u64() << 32,
        10 => rng.next_u64() | 0xffff_ffff << 32,
        _ => rng.next_u64(),
    }
}

fn registers(rng: &mut Rng, isa: &Isa) -> Hart {
    let mut h = Hart::with_isa(isa);
    for r in 1..32 {
        h.x[r] = special_int(rng);
    }
    for r in 0..32 {
        h.f[r] = special_float(rng);
    }
    let end = DATA + DATA_LEN as u64;
    h.x[usize::from(BASE)] = DATA + DATA_LEN as u64 / 2;
    h.x[usize::from(SCRATCH)] = DATA + DATA_LEN as u64 / 2;
    h.x[usize::from(POINTERS[0])] = DATA + 0x800;
    h.x[usize::from(POINTERS[1])] = DATA + 0x1400 + u64::from(rng.below(16));
    h.x[usize::from(EDGE)] = end - u64::from(rng.below(64)) + rng.pick(&[0, 0, READ_ONLY_LEN]);
    // Unmapped, in the guard below or above, or no address of any host.
    h.x[usize::from(WILD)] = match rng.below(4) {
        0 => rng.next_u64() >> 31 | 1 << 28,
        1 => 0u64.wrapping_sub(u64::from(rng.below(1 << 31))),
        2 => (1 << ADDRESS_BITS) + u64::from(rng.below(1 << 31)),
        _ => 1 << 62 | rng.next_u64() >> 3,
    };
    h.frm = if rng.chance(4) { rng.below(8) as u8 } else { rng.below(5) as u8 };
    h.fflags = if rng.chance(50) { 0 } else { rng.below(32) as u8 };
    vectors::start(rng, &mut h);
    h
}

/// A place whose offset is not known yet, and the instruction there.
#[derive(Clone, Copy)]
pub(super) struct Hole {
    at: usize,
    insn: Insn,
    /// True if the address is made by an `auipc` here and an `addi` behind it.
    pair: bool,
}

pub(super) struct Builder<'a> {
    pub(super) rng: Rng,
    /// For values, not for decisions.
    state: Rng,
    pub(super) isa: &'a Isa,
    pub(super) pool: &'a Pool,
    /// Any address is a guest address; otherwise some name memory of the host, which the
    /// interpreter refuses and translated code accesses.
    sandbox: bool,
    /// Where the program will be.
    pub(super) address: u64,
    pub(super) code: Vec<u8>,
    starts: Vec<u16>,
    favourites: [u8; 6],
    /// Calls to be filled in, with the function they go to.
    calls: Vec<(Hole, usize)>,
}

/// Functions of a program: the first two call the third.
const FUNCTIONS: usize = 3;
/// Returns to the instruction behind the one that follows the call.
const SKIPPING: usize = 1;

impl Builder<'_> {
    pub(super) fn half(&mut self, bits: u16) {
        self.starts.push(self.code.len() as u16);
        self.code.extend(bits.to_le_bytes());
    }

    pub(super) fn word(&mut self, bits: u32) {
        self.starts.push(self.code.len() as u16);
        self.code.extend(bits.to_le_bytes());
    }

    pub(super) fn insn(&mut self, op: Op, rd: u8, rs1: u8, rs2: u8, imm: i32) -> usize {
        let at = self.code.len();
        self.word(isa::encode(&plain(op, rd, rs1, rs2, imm)));
        at
    }

    /// Offset of the next instruction.
    pub(super) fn here(&self) -> usize {
        self.code.len()
    }

    /// Any 64 bits, as a value.
    pub(super) fn state_bits(&mut self) -> u64 {
        self.state.next_u64()
    }

    /// An operation on integers.
    pub(super) fn pool_int(&mut self) -> Op {
        self.rng.pick(&self.pool.int)
    }

    /// An operation on floating-point numbers; there is one.
    pub(super) fn pool_float(&mut self) -> Op {
        self.rng.pick(&self.pool.float)
    }

    /// An instruction that is about the machine, not about registers; there is one.
    pub(super) fn pool_system(&mut self) -> Op {
        self.rng.pick(&self.pool.system)
    }

    /// An atomic operation of its own, if there is one.
    pub(super) fn pool_amo(&mut self) -> Option<Op> {
        let op = (!self.pool.atomic.is_empty()).then(|| self.rng.pick(&self.pool.atomic))?;
        (op.format() == Format::Amo && !matches!(op, Op::ScW | Op::ScD)).then_some(op)
    }

    /// Puts an address into `r` and jumps there, with `link` as return address; the lowest bit of
    /// the address is `odd`, and of no meaning.
    pub(super) fn far(&mut self, r: u8, link: u8, odd: i32) -> Hole {
        let at = self.insn(Op::Auipc, r, 0, 0, 0);
        self.insn(Op::Addi, r, r, 0, 0);
        self.insn(Op::Jalr, link, r, 0, odd);
        Hole { at, insn: plain(Op::Auipc, r, 0, 0, 0), pair: true }
    }

    /// Emits an instruction whose offset is filled in later.
    pub(super) fn hole(&mut self, op: Op, rd: u8, rs1: u8, rs2: u8) -> Hole {
        let insn = plain(op, rd, rs1, rs2, 0);
        Hole { at: self.insn(op, rd, rs1, rs2, 0), insn, pair: false }
    }

    /// Lets a hole lead to `target`.
    pub(super) fn fill(&mut self, hole: Hole, target: usize) {
        let offset = target as i32 - hole.at as i32;
        let mut put = |at: usize, insn: &Insn| {
            if let Some(place) = self.code.get_mut(at..at + 4) {
                place.copy_from_slice(&isa::encode(insn).to_le_bytes());
            }
        };
        if hole.pair {
            put(hole.at + 4, &plain(Op::Addi, hole.insn.rd, hole.insn.rd, 0, offset));
        } else {
            put(hole.at, &Insn { imm: offset, ..hole.insn });
        }
    }

    pub(super) fn has_c(&self) -> bool {
        self.isa.has(Ext::Zca)
    }

    pub(super) fn reg(&mut self) -> u8 {
        if self.rng.chance(70) { self.rng.pick(&self.favourites) } else { self.rng.below(32) as u8 }
    }

    /// A register that may be written.
    pub(super) fn target(&mut self) -> u8 {
        loop {
            let r = self.reg();
            let pointer = POINTERS.contains(&r) || r == EDGE;
            let rarely = self.sandbox && self.rng.chance(10);
            if !RESERVED.contains(&r) && (!pointer || rarely) {
                return r;
            }
        }
    }

    /// A register to address memory with.
    pub(super) fn base(&mut self) -> u8 {
        match self.rng.below(100) {
            0..=1 => EDGE,
            2 if self.sandbox => self.reg(),
            2 => WILD,
            3..=20 => self.rng.pick(&POINTERS),
            _ => BASE,
        }
    }

    fn single(&mut self) {
        let op = self.rng.pick(&self.pool.all);
        match class(op) {
            Class::Control | Class::Branch => {
                let (rd, rs1, rs2) = (self.reg(), self.reg(), self.reg());
                let imm = self.rng.pick(&[4, 8, 12, 16, -4, 2, 6, 0x400, -0x400]);
                self.insn(op, rd, rs1, rs2, imm);
            }
            Class::Vector => {
                self.configuration();
                self.random(op);
            }
            _ => self.random(op),
        }
        if self.rng.chance(30) && self.has_c() {
            self.compressed();
        }
        self.insn(Op::Ebreak, 0, 0, 0, 0);
    }

    fn program(&mut self) {
        let items = 4 + self.rng.below(20);
        self.items(items, 0, true);
        self.terminator();
        let mut starts = [0; FUNCTIONS];
        for (function, start) in starts.iter_mut().enumerate() {
            *start = self.code.len();
            self.function(function);
        }
        for (hole, function) in std::mem::take(&mut self.calls) {
            self.fill(hole, starts[function]);
        }
    }

    fn terminator(&mut self) {
        match self.rng.below(20) {
            0..=13 => self.insn(Op::Ecall, 0, 0, 0, 0),
            14..=16 => self.insn(Op::Ebreak, 0, 0, 0, 0),
            17 => {
                let r = self.reg();
                self.insn(Op::Jalr, 0, r, 0, 0)
            }
            18 if self.has_c() => {
                self.half(0x9002);
                0
            }
            _ => {
                let mut bits = 0;
                while isa::decode(bits, self.isa).is_some() {
                    bits = self.rng.next_u64() as u32 | 3;
                }
                self.word(bits);
                0
            }
        };
    }

    fn function(&mut self, function: usize) {
        let leaf = function == FUNCTIONS - 1;
        let calls = !leaf && self.rng.chance(50);
        if calls {
            self.insn(Op::Addi, SAVED_RA, RA, 0, 0);
        }
        let items = 1 + self.rng.below(5);
        self.items(items, 2, false);
        if calls {
            self.call(FUNCTIONS - 1, true);
            self.insn(Op::Addi, RA, SAVED_RA, 0, 0);
        }
        if function == SKIPPING {
            self.insn(Op::Jalr, 0, RA, 0, 4);
        } else if self.has_c() && self.rng.chance(50) {
            self.half(0x8082);
        } else {
            self.insn(Op::Jalr, 0, RA, 0, 0);
        }
    }

    /// `n` random items; `depth` loops are open.
    fn items(&mut self, n: u32, depth: usize, calls: bool) {
        for _ in 0..n {
            if self.code.len() > MAX_CODE / 2 {
                return;
            }
            match self.rng.below(100) {
                0..=6 => self.forward(),
                7 if !self.pool.float.is_empty() && self.rng.chance(75) => self.elementwise(),
                8 if self.rng.chance(30) => self.search(),
                7..=9 if depth < COUNTERS.len() => self.repeat(depth, calls),
                10..=15 if calls => {
                    let function = self.rng.below(FUNCTIONS as u32) as usize;
                    self.call(function, false);
                }
                16 => self.jump_over(),
                17 => self.bytes_of_word(),
                18..=22 if !self.pool.atomic.is_empty() => self.atomic(),
                23 if !self.pool.block.is_empty() => {
                    let op = self.rng.pick(&self.pool.block);
                    self.random(op);
                }
                63..=68 if !self.pool.vector.is_empty() => self.vectors(),
                24..=25 if !self.pool.csr.is_empty() => {
                    let op = self.rng.pick(&self.pool.csr);
                    self.random(op);
                }
                26 => {
                    let op = self.rng.pick(&self.pool.system);
                    self.random(op);
                }
                27..=42 if !self.pool.float.is_empty() => {
                    let op = self.rng.pick(&self.pool.float);
                    self.random(op);
                }
                43..=44 if !self.pool.float.is_empty() => self.compare_floats(),
                45..=62 => {
                    let op = self.rng.pick(&self.pool.memory);
                    self.random(op);
                }
                63..=74 if self.has_c() => self.compressed(),
                _ => {
                    let op = self.rng.pick(&self.pool.int);
                    self.random(op);
                }
            }
        }
    }

    /// Instructions with nothing but operands, to be jumped over.
    pub(super) fn filler(&mut self, n: u32) {
        for _ in 0..n {
            if self.has_c() && self.rng.chance(30) {
                self.compressed();
            } else {
                let memory = self.rng.chance(25);
                let op = self.rng.pick(if memory { &self.pool.memory } else { &self.pool.int });
                self.random(op);
            }
        }
    }

    /// A conditional branch forward.
    fn forward(&mut self) {
        let n = self.rng.below(5);
        if self.has_c() && self.rng.chance(30) {
            // c.beqz, c.bnez (manual, "Compressed Instruction Formats", CB).
            let at = self.code.len();
            let bits = 0xc001 | (self.rng.below(2) << 13 | self.rng.below(8) << 7) as u16;
            self.half(bits);
            self.filler(n);
            let o = (self.code.len() - at) as u16;
            let imm = (o >> 8 & 1) << 12 | (o >> 3 & 3) << 10 | (o >> 6 & 3) << 5;
            let imm = imm | (o >> 1 & 3) << 3 | (o >> 5 & 1) << 2;
            self.code[at..at + 2].copy_from_slice(&(bits | imm).to_le_bytes());
            return;
        }
        let (rs1, rs2) = (self.reg(), if self.rng.chance(25) { 0 } else { self.reg() });
        let op = self.rng.pick(&self.pool.branch);
        let hole = self.hole(op, 0, rs1, rs2);
        if self.rng.chance(40) {
            self.skipped(&[]);
        } else {
            self.filler(n);
        }
        self.fill(hole, self.code.len());
    }

    /// One or two instructions that only move or compute, as compilers branch over where they would
    /// select; floats mostly among `floats`, which were compared.
    fn skipped(&mut self, floats: &[u8]) {
        for _ in 0..1 + self.rng.below(2) {
            let double = self.isa.has(Ext::D) && self.rng.chance(50);
            if !self.pool.float.is_empty()
                && self.rng.chance(if floats.is_empty() { 10 } else { 60 })
            {
                let all = if double {
                    [Op::FsgnjD, Op::FsgnjnD, Op::FsgnjxD, Op::FmvDX]
                } else {
                    [Op::FsgnjS, Op::FsgnjnS, Op::FsgnjxS, Op::FmvWX]
                };
                let op = if self.rng.chance(60) { all[0] } else { self.rng.pick(&all) };
                let known = |s: &mut Self| {
                    if floats.is_empty() || s.rng.chance(20) { s.reg() } else { s.rng.pick(floats) }
                };
                let (fd, from) = (known(self), known(self));
                let from = if op == all[3] { 0 } else { from };
                self.insn(op, fd, from, from, 0);
                continue;
            }
            let (rd, rs1, rs2) = (self.target(), self.reg(), self.reg());
            let imm = self.rng.below(64) as i32 - 32;
            match self.rng.below(8) {
                0 => self.insn(Op::Addi, rd, 0, 0, imm),
                1 => self.insn(Op::Addi, rd, rs1, 0, imm),
                2 => self.insn(Op::Sub, rd, 0, rs2, 0),
                3 => self.insn(Op::Addw, rd, rs1, rs2, 0),
                4 => self.insn(Op::Slli, rd, rs1, 0, imm & 31),
                5 => self.insn(Op::Xor, rd, rs1, rs2, 0),
                _ => self.insn(Op::Addi, rd, rs1, 0, 0),
            };
        }
    }

    /// An unconditional jump forward, direct or through a register.
    fn jump_over(&mut self) {
        let n = self.rng.below(3);
        let hole = if self.rng.chance(50) { self.hole(Op::Jal, 0, 0, 0) } else { self.indirect(0) };
        self.filler(n);
        self.fill(hole, self.code.len());
    }

    /// Puts an address into `SCRATCH` and jumps there, with `link` as return address.
    fn indirect(&mut self, link: u8) -> Hole {
        let at = self.insn(Op::Auipc, SCRATCH, 0, 0, 0);
        self.insn(Op::Addi, SCRATCH, SCRATCH, 0, 0);
        if self.has_c() && link <= 1 && self.rng.chance(40) {
            // c.jr, c.jalr.
            self.half(0x8002 | u16::from(link) << 12 | u16::from(SCRATCH) << 7);
        } else {
            // The lowest bit of the sum is cleared.
            let odd = i32::from(self.rng.chance(20));
            self.insn(Op::Jalr, link, SCRATCH, 0, odd);
        }
        Hole { at, insn: plain(Op::Auipc, SCRATCH, 0, 0, 0), pair: true }
    }

    /// A loop of one to eight rounds.
    fn repeat(&mut self, depth: usize, calls: bool) {
        let counter = COUNTERS[depth];
        let rounds = 1 + self.rng.below(8) as i32;
        self.insn(Op::Addi, counter, 0, 0, rounds);
        let head = self.code.len();
        let items = 1 + self.rng.below(5);
        if !self.pool.float.is_empty() && self.rng.chance(40) {
            self.floats(items + 3);
        } else {
            let calls = calls && self.rng.chance(50);
            self.items(items, depth + 1, calls);
        }
        self.insn(Op::Addi, counter, counter, 0, -1);
        let out = self.rng.chance(15).then(|| self.hole(Op::Beq, 0, counter, 0));
        if out.is_some() && !self.pool.float.is_empty() {
            self.compare_floats();
        }
        let hole = self.hole(Op::Bne, 0, counter, 0);
        self.fill(hole, head);
        if let Some(out) = out {
            self.fill(out, self.code.len());
        }
    }

    /// `n` instructions that have to do with floating point.
    fn floats(&mut self, n: u32) {
        for _ in 0..n {
            let op = match self.rng.below(10) {
                0 => {
                    self.compare_floats();
                    continue;
                }
                1..=2 => self.rng.pick(&self.pool.memory),
                3 => self.rng.pick(&self.pool.int),
                _ => self.rng.pick(&self.pool.float),
            };
            self.random(op);
        }
    }

    /// A comparison of floating-point numbers as compilers use it: between saving and restoring the
    /// flags, before a branch, with the saved flags overwritten soon.
    fn compare_floats(&mut self) {
        let quiet = [Op::FltqD, Op::FleqD, Op::FltqS, Op::FleqS];
        let all = [Op::FltD, Op::FleD, Op::FeqD, Op::FltS, Op::FleS, Op::FeqS];
        let ops = match self.isa.has(Ext::D) {
            true if self.isa.has(Ext::Zfa) && self.rng.chance(25) => &quiet[..],
            true => &all[..],
            false => &all[3..],
        };
        let (rd, saved) = (self.target(), self.target());
        let keeps = !self.pool.csr.is_empty() && self.rng.chance(60);
        const FFLAGS: i32 = 1;
        if keeps {
            self.insn(Op::Csrrs, saved, 0, 0, FFLAGS);
        }
        let op = self.rng.pick(ops);
        let (a, b) = (self.reg(), self.reg());
        self.insn(op, rd, a, b, 0);
        if keeps {
            self.insn(Op::Csrrw, 0, saved, 0, FFLAGS);
        }
        if self.rng.chance(80) {
            let branch = self.rng.pick(&[Op::Bne, Op::Beq]);
            let hole = self.hole(branch, 0, rd, 0);
            if self.rng.chance(60) {
                self.skipped(&[a, b]);
            } else {
                let n = self.rng.below(3);
                self.filler(n);
            }
            self.fill(hole, self.code.len());
        }
        if keeps && self.rng.chance(70) {
            for _ in 0..self.rng.below(5) {
                let memory = self.rng.chance(30);
                let op = self.rng.pick(if memory { &self.pool.memory } else { &self.pool.float });
                self.random(op);
            }
            let from = self.reg();
            self.insn(Op::Addi, saved, from, 0, 1);
        }
    }

    fn call(&mut self, function: usize, direct: bool) {
        let hole = if direct || self.rng.chance(60) {
            self.hole(Op::Jal, RA, 0, 0)
        } else {
            self.indirect(RA)
        };
        self.calls.push((hole, function));
        if function == SKIPPING {
            let (rd, rs1) = (self.target(), self.reg());
            let imm = self.rng.below(64) as i32;
            self.insn(Op::Addi, rd, rs1, 0, imm);
        }
    }

    /// An atomic with a good address, mostly; `sc` with the `lr` before it.
    fn atomic(&mut self) {
        let op = self.rng.pick(&self.pool.atomic);
        let mut offset = (self.rng.below(256) as i32 - 128) * 16;
        if self.rng.chance(3) {
            offset += self.rng.below(16) as i32;
        }
        self.insn(Op::Addi, SCRATCH, BASE, 0, offset.clamp(-2048, 2047));
        let load = match op {
            Op::ScW => Some(Op::LrW),
            Op::ScD => Some(Op::LrD),
            _ => None,
        };
        if let Some(load) = load.filter(|_| self.rng.chance(85)) {
            let rd = self.target();
            self.insn(load, rd, SCRATCH, 0, 0);
            let n = self.rng.below(3);
            self.filler(n);
        }
        self.random(op);
    }

    fn compressed(&mut self) {
        for _ in 0..20 {
            let n = self.rng.below(self.pool.compressed.len() as u32) as usize;
            let i = self.rng.pick(&self.pool.compressed[n]);
            let pointer = |r| POINTERS.contains(&r);
            let base = match class(i.op) {
                Class::Memory => pointer(i.rs1) || i.rs1 == EDGE && self.rng.chance(3),
                _ => true,
            };
            let odd = RESERVED.contains(&i.rd)
                || (pointer(i.rd) || i.rd == EDGE) && !(self.sandbox && self.rng.chance(10));
            if base && !(writes_x(i.op) && odd) {
                return self.half(i.bits as u16);
            }
        }
        self.half(1);
    }

    /// `op` with random operands of the right kind.
    pub(super) fn random(&mut self, op: Op) {
        let mut i = isa::random::insn(op, || self.rng.next_u64());
        if writes_x(op) {
            i.rd = self.target();
        }
        match class(op) {
            Class::Int | Class::Float => {
                self.sources(&mut i);
                if matches!(op, Op::Addi | Op::Addiw) && self.rng.chance(50) {
                    i.imm = self.rng.below(64) as i32 - 32;
                }
            }
            Class::Memory => {
                i.rs2 = self.data_source(&i);
                i.rs1 = self.base();
                if self.rng.chance(75) {
                    i.imm &= !7;
                }
            }
            Class::Atomic => {
                i.rs2 = self.reg();
                if op.format() == Format::AmoPair {
                    i.rs2 &= 30;
                    // The odd register of the pair is written too.
                    i.rd = self.rng.pick(&[0, 4, 6, 10, 12, 14, 16, 18, 20, 28, 30]);
                }
                i.rs1 = if self.rng.chance(97) { SCRATCH } else { self.base() };
            }
            Class::Block => i.rs1 = if self.rng.chance(97) { BASE } else { self.base() },
            Class::Csr => self.csr(&mut i),
            Class::Vector => self.vector_operands(&mut i),
            Class::System | Class::Branch | Class::Control => {}
        }
        self.word(isa::encode(&i));
    }

    /// Sources from the favourites, so that results are used.
    fn sources(&mut self, i: &mut Insn) {
        if i.op.format() != Format::Fli {
            i.rs1 = self.reg();
        }
        i.rs2 = self.reg();
        if self.rng.chance(60) {
            i.rs3 = self.reg();
            if !writes_x(i.op) {
                i.rd = self.reg();
            }
        }
        if i.op.format() == Format::FpR4 || self.rng.chance(50) {
            // The mode in `frm`, most of the time.
            i.rm = if i.rm == 0 || self.rng.chance(50) { i.rm } else { 7 };
        }
    }

    fn data_source(&mut self, i: &Insn) -> u8 {
        if i.op.format() == Format::FpStore { self.rng.below(32) as u8 } else { self.reg() }
    }

    /// `fflags`, `frm`, `fcsr`, with legal rounding modes most of the time. The counters are not
    /// the same on two engines.
    fn csr(&mut self, i: &mut Insn) {
        i.imm = match self.rng.below(40) {
            0 => 0xc03 + self.rng.below(21) as i32,
            1 => self.rng.pick(&[0x000, 0x004, 0x300, 0xc20, 0xfff]),
            2..=20 => 1,
            21..=30 => 2,
            _ => 3,
        };
        let immediate = i.op.format() == Format::CsrImm;
        if i.imm == 1 || self.rng.chance(5) {
            if !immediate {
                i.rs1 = self.reg();
            }
            return;
        }
        // Through a register, only reads of what would set `frm`; by immediate, small modes.
        i.rs1 = if immediate { self.rng.below(5) as u8 } else { 0 };
        if i.op == Op::Csrrw {
            i.op = Op::Csrrs;
        }
        if matches!(i.op, Op::Csrrsi | Op::Csrrci) && i.imm == 2 {
            i.op = Op::Csrrwi;
        }
    }
}

pub(super) fn plain(op: Op, rd: u8, rs1: u8, rs2: u8, imm: i32) -> Insn {
    Insn { op, rd, rs1, rs2, rs3: 0, rm: 0, len: 4, imm, bits: 0 }
}
