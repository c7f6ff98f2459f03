//! What several instructions do together.

use super::{DATA, Idiom, SP, Writer};
use crate::fuzzing::program::plain;
use crate::isa::{self, Ext, Format, Insn, Op};

/// Operations on words.
const WORDS: [Op; 10] = [
    Op::Addw,
    Op::Subw,
    Op::Addiw,
    Op::Addiw,
    Op::Mulw,
    Op::Slliw,
    Op::Srliw,
    Op::Sraiw,
    Op::Sllw,
    Op::Srlw,
];

/// What compilers compute most.
const USUAL: [Op; 24] = [
    Op::Add,
    Op::Add,
    Op::Addi,
    Op::Addi,
    Op::Sub,
    Op::And,
    Op::Andi,
    Op::Andi,
    Op::Or,
    Op::Ori,
    Op::Xor,
    Op::Xori,
    Op::Slli,
    Op::Slli,
    Op::Srli,
    Op::Srai,
    Op::Slt,
    Op::Sltu,
    Op::Slti,
    Op::Sltiu,
    Op::Addw,
    Op::Addiw,
    Op::Mul,
    Op::Sll,
];

const LOADS: [Op; 9] = [Op::Ld, Op::Ld, Op::Ld, Op::Lw, Op::Lw, Op::Lwu, Op::Lbu, Op::Lb, Op::Lhu];
const STORES: [Op; 5] = [Op::Sd, Op::Sd, Op::Sw, Op::Sb, Op::Sh];

impl Writer<'_, '_> {
    /// An idiom with random operands.
    pub(super) fn idiom(&mut self) -> Idiom {
        let mut pins = 0;
        let steps = match self.b.rng.below(100) {
            0..=13 => self.extension(&mut pins),
            14..=22 => self.rotation(&mut pins),
            23..=28 => self.constant(&mut pins),
            29..=34 => self.words(&mut pins),
            35..=42 => self.indexed(&mut pins),
            43..=47 => self.pointer(&mut pins),
            48..=52 => self.spill(),
            53..=56 => self.truth(&mut pins),
            57..=60 => self.choice(&mut pins),
            61..=63 => self.constants(&mut pins),
            64..=67 => self.floats(&mut pins),
            68..=69 => self.atomic(&mut pins),
            70..=72 => self.pc_relative(&mut pins),
            73 => self.fault(&mut pins),
            74..=76 => self.bits(&mut pins),
            77..=78 => self.system(&mut pins),
            _ => self.shape(&mut pins),
        };
        Idiom { steps: steps.into(), pins }
    }

    /// A register for a value between two instructions, which is mostly left alone until then.
    fn between(&mut self, pins: &mut u32) -> u8 {
        let r = self.dst();
        if self.b.rng.chance(65) {
            *pins |= 1 << r;
        }
        r
    }

    /// A register that must be left alone.
    pub(super) fn pinned(&mut self, pins: &mut u32) -> u8 {
        let r = match self.dst() {
            0 => self.any(),
            r => r,
        };
        *pins |= 1 << r;
        r
    }

    /// Any operation on integers.
    pub(super) fn operation(&mut self) -> Insn {
        let op = match self.b.rng.below(100) {
            0..=69 => self.b.rng.pick(&USUAL),
            70..=79 => self.b.rng.pick(&WORDS),
            _ => self.b.pool_int(),
        };
        self.operands_of(op)
    }

    /// `op`, which is on integers, with operands.
    fn operands_of(&mut self, op: Op) -> Insn {
        let (rd, rs1, rs2) = (self.dst(), self.src(), self.src());
        match op.format() {
            Format::R => plain(op, rd, rs1, rs2, 0),
            Format::Unary => plain(op, rd, rs1, 0, 0),
            Format::I => plain(op, rd, rs1, 0, self.small()),
            Format::Shamt6 => plain(op, rd, rs1, 0, self.amount(64)),
            Format::Shamt5 => plain(op, rd, rs1, 0, self.amount(32)),
            Format::U => plain(op, rd, 0, 0, self.upper()),
            _ => {
                let insn = isa::random::insn(op, || self.b.rng.next_u64());
                Insn { rd, rs1, rs2, ..insn }
            }
        }
    }

    /// The upper part of a constant.
    fn upper(&mut self) -> i32 {
        match self.b.rng.below(6) {
            0 => i32::MIN,
            // Where encodings of hosts end.
            1 => 1 << (12 + self.b.rng.below(20)),
            2 => -0x1000 - (1 << (12 + self.b.rng.below(18))),
            3 => self.b.rng.pick(&[0, 0x1000, 0x7fff_f000, -0x1000, DATA as i32]),
            _ => self.b.rng.next_u64() as i32 & !0xfff,
        }
    }

    /// A load of `rd` from the data or the stack.
    pub(super) fn load(&mut self, rd: u8) -> Insn {
        let op = self.b.rng.pick(&LOADS);
        let (base, off) = self.place();
        plain(op, rd, base, 0, off)
    }

    fn store(&mut self) -> Insn {
        let op = self.b.rng.pick(&STORES);
        let ((base, off), rs2) = (self.place(), self.src());
        plain(op, 0, base, rs2, off)
    }

    /// A place in memory.
    fn place(&mut self) -> (u8, i32) {
        if self.b.rng.chance(50) { (SP, self.slot()) } else { (self.roles.base, self.offset()) }
    }

    /// Offset of a spill: few, so that what is stored is loaded.
    pub(super) fn slot(&mut self) -> i32 {
        let slots = if self.b.rng.chance(70) { 4 } else { 32 };
        let n = self.b.rng.below(slots) as i32;
        if self.inner { -8 * (n + 1) } else { 8 * n }
    }

    /// Offset in the data.
    pub(super) fn offset(&mut self) -> i32 {
        let odd = if self.b.rng.chance(5) { self.b.rng.below(8) as i32 } else { 0 };
        8 * (self.b.rng.below(128) as i32 - 64) + odd
    }

    /// Extensions by two shifts, one of which may scale.
    fn extension(&mut self, pins: &mut u32) -> Vec<Insn> {
        let (s, t) = (self.src(), self.between(pins));
        let d = if self.b.rng.chance(30) { s } else { self.dst() };
        if self.b.rng.chance(15) {
            let n = self.b.rng.pick(&[16, 24, 8, 31, 1]);
            let down = self.b.rng.pick(&[Op::Srliw, Op::Sraiw]);
            return vec![plain(Op::Slliw, t, s, 0, n), plain(down, d, t, 0, n)];
        }
        let n = if self.b.rng.chance(65) { 32 } else { self.b.rng.pick(&[48, 56, 16, 33, 31, 63]) };
        let m = match self.b.rng.below(10) {
            0..=5 => n,
            6..=8 => n - self.b.rng.below(4) as i32,
            _ => self.amount(64),
        };
        let down = self.b.rng.pick(&[Op::Srli, Op::Srli, Op::Srai]);
        let mut steps = vec![plain(Op::Slli, t, s, 0, n), plain(down, d, t, 0, m)];
        if self.b.rng.chance(25) {
            // What was shifted up is used twice.
            let again = self.dst();
            let op = self.b.rng.pick(&[Op::Srli, Op::Srai]);
            let m = if self.b.rng.chance(50) { n } else { self.amount(64) };
            steps.push(plain(op, again, t, 0, m));
        }
        if self.b.rng.chance(10) {
            // Its sign, or whether it is zero.
            let (op, d) = (self.b.rng.pick(&[Op::Slt, Op::Slti, Op::Sltiu, Op::Sltu]), self.dst());
            let imm = if op.format() == Format::I { self.b.rng.pick(&[0, 1]) } else { 0 };
            steps.insert(1, plain(op, d, t, 0, imm));
        }
        steps
    }

    /// A rotation by two shifts, or nearly one.
    fn rotation(&mut self, pins: &mut u32) -> Vec<Insn> {
        let s = self.src();
        let (t, u) = (self.between(pins), self.between(pins));
        let word = self.b.rng.chance(40);
        let bits = if word { 32 } else { 64 };
        let n = 1 + self.b.rng.below(bits - 1) as i32;
        let m = if self.b.rng.chance(92) { bits as i32 - n } else { self.amount(bits) };
        let other = if self.b.rng.chance(95) { s } else { self.src() };
        let (left, right) = if word { (Op::Slliw, Op::Srliw) } else { (Op::Slli, Op::Srli) };
        let mut shifts = [plain(left, t, s, 0, n), plain(right, u, other, 0, m)];
        if self.b.rng.chance(50) {
            shifts.reverse();
        }
        let op = self.b.rng.pick(&[Op::Or, Op::Or, Op::Xor, Op::Add, Op::Addw]);
        let (x, y) = if self.b.rng.chance(50) { (t, u) } else { (u, t) };
        let d = if self.b.rng.chance(25) { s } else { self.dst() };
        vec![shifts[0], shifts[1], plain(op, d, x, y, 0)]
    }

    /// A constant of 32 or 64 bits.
    fn constant(&mut self, pins: &mut u32) -> Vec<Insn> {
        let t = self.between(pins);
        let d = if self.b.rng.chance(80) { t } else { self.dst() };
        let low = self.b.rng.pick(&[Op::Addi, Op::Addiw, Op::Addiw, Op::Xori, Op::Ori]);
        let (upper, small) = (self.upper(), self.small());
        let mut steps = vec![plain(Op::Lui, t, 0, 0, upper), plain(low, d, t, 0, small)];
        if self.b.rng.chance(40) {
            let (n, small) = (self.amount(64), self.small());
            steps.push(plain(Op::Slli, d, d, 0, n));
            steps.push(plain(Op::Addi, d, d, 0, small));
        }
        steps
    }

    /// Operations on words, and an extension of the result.
    fn words(&mut self, pins: &mut u32) -> Vec<Insn> {
        let t = self.between(pins);
        let op = self.b.rng.pick(&WORDS);
        let mut steps = vec![Insn { rd: t, ..self.operands_of(op) }];
        if self.b.rng.chance(50) {
            let op = self.b.rng.pick(&WORDS);
            let (next, r) = (self.operands_of(op), self.between(pins));
            steps.push(Insn { rd: r, rs1: t, ..next });
        }
        let last = steps[steps.len() - 1].rd;
        let d = if self.b.rng.chance(40) { last } else { self.dst() };
        let by = self.src();
        steps.extend(match self.b.rng.below(8) {
            0 => vec![plain(Op::Addiw, d, last, 0, 0)],
            1 => vec![plain(Op::Slli, d, last, 0, 32), plain(Op::Srli, d, d, 0, 32)],
            2 => vec![plain(Op::AddUw, d, last, 0, 0)],
            3 => vec![plain(Op::Andi, d, last, 0, 255)],
            4 => vec![plain(Op::Add, d, last, by, 0)],
            5 => vec![plain(Op::Sltu, d, by, last, 0)],
            6 => vec![plain(Op::Addi, d, last, 0, 0)],
            _ => vec![],
        });
        steps
    }

    /// An access at a scaled index.
    fn indexed(&mut self, pins: &mut u32) -> Vec<Insn> {
        let (i, p) = (self.pinned(pins), self.pinned(pins));
        let (s, k) = (self.src(), self.b.rng.below(4) as i32);
        let mask = self.b.rng.pick(&[7, 15, 63, 127, 255]);
        let base = self.roles.base;
        let mut steps = vec![plain(Op::Andi, i, s, 0, mask)];
        if self.b.rng.chance(30) {
            steps.push(plain(Op::Slli, i, i, 0, 32));
            steps.push(plain(Op::Srli, i, i, 0, 32 - k));
            steps.push(plain(Op::Add, p, i, base, 0));
        } else if self.b.isa.has(Ext::Zba) && self.b.rng.chance(50) {
            let plain_ops = [Op::Add, Op::Sh1add, Op::Sh2add, Op::Sh3add];
            let words = [Op::AddUw, Op::Sh1addUw, Op::Sh2addUw, Op::Sh3addUw];
            let all = if self.b.rng.chance(50) { plain_ops } else { words };
            steps.push(plain(all[k as usize], p, i, base, 0));
        } else {
            let t = if self.b.rng.chance(50) { i } else { self.pinned(pins) };
            if k != 0 {
                steps.push(plain(Op::Slli, t, i, 0, k));
            }
            let t = if k != 0 { t } else { i };
            let (x, y) = if self.b.rng.chance(50) { (t, base) } else { (base, t) };
            steps.push(plain(Op::Add, p, x, y, 0));
        }
        for _ in 0..1 + self.b.rng.below(3) {
            let off = self.b.rng.pick(&[0, 0, 4, 8, 16, -8]);
            let access = if self.b.rng.chance(60) {
                let rd = if self.b.rng.chance(20) { p } else { self.dst() };
                Insn { imm: off, rs1: p, ..self.load(rd) }
            } else {
                Insn { imm: off, rs1: p, ..self.store() }
            };
            steps.push(access);
            if access.rd == p {
                break;
            }
        }
        steps
    }

    /// A pointer that moves from one access to the next.
    fn pointer(&mut self, pins: &mut u32) -> Vec<Insn> {
        let p = self.pinned(pins);
        let (base, off) = (self.roles.base, self.offset());
        let mut steps = vec![plain(Op::Addi, p, base, 0, off)];
        for _ in 0..1 + self.b.rng.below(3) {
            let off = 8 * self.b.rng.below(8) as i32;
            let rd = self.dst();
            let access = if self.b.rng.chance(60) { self.load(rd) } else { self.store() };
            if access.rd == p {
                continue;
            }
            steps.push(Insn { rs1: p, imm: off, ..access });
            if self.b.rng.chance(50) {
                let step = self.b.rng.pick(&[8, 4, 1, 16, -8]);
                steps.push(plain(Op::Addi, p, p, 0, step));
            }
        }
        steps
    }

    /// A register saved to the stack and read again, perhaps into another.
    fn spill(&mut self) -> Vec<Insn> {
        let (slot, r) = (self.slot(), self.src());
        let to = if self.b.rng.chance(50) { r } else { self.dst() };
        let to = if self.pool.contains(&to) { to } else { 0 };
        let (store, load) = self.b.rng.pick(&[
            (Op::Sd, Op::Ld),
            (Op::Sd, Op::Ld),
            (Op::Sw, Op::Lw),
            (Op::Sw, Op::Lwu),
            (Op::Sd, Op::Lw),
        ]);
        vec![plain(store, 0, SP, r, slot), plain(load, to, SP, 0, slot)]
    }

    /// A comparison as a value, and what is made of it.
    fn truth(&mut self, pins: &mut u32) -> Vec<Insn> {
        let t = self.between(pins);
        let (x, y, d) = (self.src(), self.src(), self.dst());
        let op = self.b.rng.pick(&[Op::Slt, Op::Sltu, Op::Slti, Op::Sltiu, Op::Sltiu]);
        let imm = if op.format() == Format::I { self.small() } else { 0 };
        let y = if op.format() == Format::I { 0 } else { y };
        let imm = if op == Op::Sltiu && self.b.rng.chance(60) { 1 } else { imm };
        let mut steps = vec![plain(op, t, x, y, imm)];
        let z = self.src();
        steps.extend(match self.b.rng.below(6) {
            0 => vec![plain(Op::Sub, t, 0, t, 0), plain(Op::And, d, t, z, 0)],
            1 => vec![plain(Op::Addi, t, t, 0, -1), plain(Op::And, d, t, z, 0)],
            2 => vec![plain(Op::Xori, d, t, 0, 1)],
            3 => vec![plain(Op::Add, d, t, z, 0)],
            4 => vec![plain(Op::Slli, d, t, 0, 3)],
            _ => vec![],
        });
        steps
    }

    /// One of two values without a branch.
    fn choice(&mut self, pins: &mut u32) -> Vec<Insn> {
        let (t, u, c) = (self.between(pins), self.between(pins), self.src());
        let (x, y, d) = (self.src(), self.src(), self.dst());
        match self.b.rng.below(3) {
            0 => {
                let steps = [
                    plain(Op::CzeroEqz, t, x, c, 0),
                    plain(Op::CzeroNez, u, y, c, 0),
                    plain(Op::Or, d, t, u, 0),
                ];
                steps.into()
            }
            1 => {
                let op = self.b.rng.pick(&[Op::Min, Op::Max, Op::Minu, Op::Maxu]);
                vec![plain(op, d, x, y, 0)]
            }
            _ => {
                let sign = self.b.rng.pick(&[63, 31, 62]);
                let steps = [
                    plain(Op::Srai, t, x, 0, sign),
                    plain(Op::Xor, u, x, t, 0),
                    plain(Op::Sub, d, u, t, 0),
                ];
                steps.into()
            }
        }
    }

    /// An operation on two constants.
    fn constants(&mut self, pins: &mut u32) -> Vec<Insn> {
        let (a, b) = (self.between(pins), self.between(pins));
        let (x, y) = (self.small(), self.small());
        let mut steps = vec![plain(Op::Addi, a, 0, 0, x), plain(Op::Addi, b, 0, 0, y)];
        if self.b.rng.chance(50) {
            steps[0] = plain(Op::Lui, a, 0, 0, self.upper());
        }
        if self.b.rng.chance(40) {
            let n = self.amount(64);
            steps.push(plain(Op::Slli, a, a, 0, n));
        }
        let insn = self.operation();
        let (rs1, rs2) = match self.b.rng.below(4) {
            0 => (self.src(), b),
            1 => (a, self.src()),
            _ => (a, b),
        };
        // Fields that the format does not have are not encoded.
        steps.push(Insn { rs1, rs2, ..insn });
        steps
    }

    /// Single bits.
    fn bits(&mut self, pins: &mut u32) -> Vec<Insn> {
        let (t, s, d) = (self.between(pins), self.src(), self.dst());
        let n = self.amount(64);
        match self.b.rng.below(4) {
            0 => vec![plain(Op::Srli, t, s, 0, n), plain(Op::Andi, d, t, 0, 1)],
            1 => vec![plain(Op::Addi, t, 0, 0, 1), plain(Op::Sll, d, t, s, 0)],
            2 => vec![plain(Op::Srl, t, s, d, 0), plain(Op::Andi, d, t, 0, self.small())],
            _ => {
                let op = self.b.rng.pick(&[Op::Bexti, Op::Bseti, Op::Bclri, Op::Binvi, Op::Rori]);
                vec![plain(op, d, s, 0, n)]
            }
        }
    }

    /// Something relative to the code: an address, or a constant that is part of it.
    fn pc_relative(&mut self, pins: &mut u32) -> Vec<Insn> {
        let p = self.pinned(pins);
        let d = if self.b.rng.chance(60) { p } else { self.dst() };
        let off = self.b.rng.below(64) as i32 & !1;
        let second = if self.b.rng.chance(50) {
            plain(Op::Addi, d, p, 0, off)
        } else {
            plain(self.b.rng.pick(&LOADS), d, p, 0, off)
        };
        vec![plain(Op::Auipc, p, 0, 0, 0), second]
    }

    /// An access that fails, which ends the program.
    fn fault(&mut self, pins: &mut u32) -> Vec<Insn> {
        if !self.b.rng.chance(20) {
            return vec![plain(Op::Addi, self.dst(), self.src(), 0, 0)];
        }
        let (p, r) = (self.pinned(pins), self.any());
        match self.b.rng.below(3) {
            0 => vec![plain(Op::Lui, p, 0, 0, 0x40_2000), plain(Op::Sd, 0, p, r, 8)],
            1 => vec![plain(Op::Lui, p, 0, 0, 0x40_3000), plain(Op::Lw, r, p, 0, 16)],
            _ => vec![plain(Op::Addi, p, 0, 0, 8), plain(Op::Ld, r, p, 0, 0)],
        }
    }

    /// Flags of floating point, and what is mostly left to the interpreter.
    fn system(&mut self, pins: &mut u32) -> Vec<Insn> {
        const FFLAGS: i32 = 1;
        const FRM: i32 = 2;
        let (s, d) = (self.src(), self.dst());
        match self.b.rng.below(8) {
            0 => vec![plain(Op::Csrrs, d, 0, 0, self.b.rng.pick(&[FFLAGS, FRM, FFLAGS | FRM]))],
            1..=3 => {
                let op = self.b.rng.pick(&[Op::Csrrw, Op::Csrrs, Op::Csrrc]);
                vec![plain(op, d, s, 0, FFLAGS)]
            }
            4 => {
                let op = self.b.rng.pick(&[Op::Csrrwi, Op::Csrrsi, Op::Csrrci]);
                vec![plain(op, d, self.b.rng.below(32) as u8, 0, FFLAGS)]
            }
            5 => vec![plain(Op::Csrrwi, d, self.b.rng.below(5) as u8, 0, FRM)],
            6 => self.cache_block(pins),
            _ => {
                let op = self.b.pool_system();
                vec![isa::random::insn(op, || self.b.rng.next_u64())]
            }
        }
    }

    /// An operation on a cache block, or on a pair of registers.
    fn cache_block(&mut self, pins: &mut u32) -> Vec<Insn> {
        let p = self.pinned(pins);
        let (base, off) = (self.roles.base, self.offset() & !15);
        let point = plain(Op::Addi, p, base, 0, off);
        let fixed = |r: u8| {
            let roles = &self.roles;
            r < 4 || r == p || r == roles.base || r == roles.scratch || roles.counters.contains(&r)
        };
        let pairs: Vec<u8> =
            self.pool.iter().map(|r| r & 30).filter(|&r| !fixed(r) && !fixed(r + 1)).collect();
        if pairs.is_empty() || self.b.rng.chance(40) {
            let op = self.b.rng.pick(&[Op::CboZero, Op::CboClean, Op::CboFlush, Op::CboInval]);
            return vec![point, plain(op, 0, p, 0, 0)];
        }
        let (rd, rs2) = (self.b.rng.pick(&pairs), self.b.rng.pick(&pairs));
        let mut out = vec![point];
        if self.b.rng.chance(60) {
            // What is there is expected, so that the other pair is stored.
            out.extend([0, 1].map(|n| plain(Op::Ld, rd + n, p, 0, 8 * i32::from(n))));
            let half = rs2 + self.b.rng.below(2) as u8;
            let (from, small) = (self.any(), self.small());
            out.push(plain(Op::Addi, half, from, 0, small));
        }
        out.push(plain(Op::AmocasQ, rd, p, rs2, 0));
        out
    }

    pub(super) fn float(&mut self) -> u8 {
        self.b.rng.pick(&self.floats)
    }

    /// Floating point between memory and integers.
    fn floats(&mut self, _: &mut u32) -> Vec<Insn> {
        if !self.b.isa.has(Ext::D) {
            return vec![self.store()];
        }
        let (a, b) = (self.float(), self.float());
        let ((base, off), (to, at)) = (self.place(), self.place());
        let (x, d) = (self.src(), self.dst());
        let single = self.b.rng.chance(30);
        let by = |double, one| if single { one } else { double };
        let mut steps = vec![match self.b.rng.below(4) {
            0 => plain(by(Op::FmvDX, Op::FmvWX), a, x, 0, 0),
            1 => plain(by(Op::FcvtDW, Op::FcvtSW), a, x, 0, 0),
            _ => plain(by(Op::Fld, Op::Flw), a, base, 0, off),
        }];
        if self.b.rng.chance(70) {
            let op = self.b.pool_float();
            let insn = isa::random::insn(op, || self.b.rng.next_u64());
            let rm = if insn.rm == 0 || self.b.rng.chance(20) { insn.rm } else { 7 };
            let (rs3, to, y) = (self.float(), self.float(), self.src());
            let to_int = matches!(
                op.format(),
                Format::FpCmp | Format::FpToInt | Format::FpToIntRm | Format::FpToIntRtz
            );
            let of_int = matches!(op.format(), Format::IntToFp | Format::IntToFpRm);
            let rd = if to_int { self.dst() } else { to };
            let rs1 = match op.format() {
                Format::Fli => insn.rs1,
                _ if of_int => y,
                _ => a,
            };
            let rs2 = if matches!(op.format(), Format::FpRm | Format::FpR4) { b } else { insn.rs2 };
            steps.push(Insn { rd, rs1, rs2, rs3, rm, ..insn });
        }
        steps.push(match self.b.rng.below(5) {
            0 => plain(by(Op::FmvXD, Op::FmvXW), d, a, 0, 0),
            1 => plain(by(Op::FltD, Op::FltS), d, a, b, 0),
            2 => plain(by(Op::FsgnjD, Op::FsgnjS), b, a, a, 0),
            3 => Insn { rm: 1, ..plain(by(Op::FcvtWD, Op::FcvtLS), d, a, 0, 0) },
            _ => plain(by(Op::Fsd, Op::Fsw), 0, to, a, at),
        });
        steps
    }

    /// An atomic operation, or a pair of them.
    fn atomic(&mut self, pins: &mut u32) -> Vec<Insn> {
        let p = self.pinned(pins);
        let (base, s, d) = (self.roles.base, self.src(), self.dst());
        let off = self.offset() & !7;
        let mut steps = vec![plain(Op::Addi, p, base, 0, off)];
        if self.b.rng.chance(60) {
            let Some(op) = self.b.pool_amo() else { return steps };
            steps.push(plain(op, d, p, s, 0));
        } else {
            let old = if self.b.rng.chance(80) { self.pinned(pins) } else { d };
            let (lr, sc) =
                if self.b.rng.chance(50) { (Op::LrW, Op::ScW) } else { (Op::LrD, Op::ScD) };
            steps.push(plain(lr, old, p, 0, 0));
            if self.b.rng.chance(8) {
                // Another address whose lower half is the same.
                let t = self.pinned(pins);
                steps.push(plain(Op::Addi, t, 0, 0, 1));
                steps.push(plain(Op::Slli, t, t, 0, 32));
                steps.push(plain(Op::Add, p, p, t, 0));
            }
            // Of another size it fails.
            let sc = if self.b.rng.chance(8) { self.b.rng.pick(&[Op::ScW, Op::ScD]) } else { sc };
            steps.push(plain(sc, d, p, s, 0));
        }
        steps
    }
}
