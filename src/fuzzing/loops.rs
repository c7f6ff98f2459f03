//! Loops of kinds that are not executed as they are written: over arrays of floating-point numbers,
//! several iterations at once where nothing speaks against it, which something mostly does here or
//! there; and for the highest byte that is not zero.

use super::program::{BASE, Builder, EDGE, plain};
use crate::isa::{self, Ext, Insn, Op};

/// What differs between the two formats.
struct Format {
    size: i32,
    load: Op,
    store: Op,
    binary: [Op; 4],
    signs: [Op; 3],
    root: Op,
    fused: [Op; 4],
    compare: [Op; 5],
}

const DOUBLE: Format = Format {
    size: 8,
    load: Op::Fld,
    store: Op::Fsd,
    binary: [Op::FaddD, Op::FsubD, Op::FmulD, Op::FdivD],
    signs: [Op::FsgnjD, Op::FsgnjnD, Op::FsgnjxD],
    root: Op::FsqrtD,
    fused: [Op::FmaddD, Op::FmsubD, Op::FnmsubD, Op::FnmaddD],
    compare: [Op::FltD, Op::FleD, Op::FeqD, Op::FltqD, Op::FleqD],
};

const SINGLE: Format = Format {
    size: 4,
    load: Op::Flw,
    store: Op::Fsw,
    binary: [Op::FaddS, Op::FsubS, Op::FmulS, Op::FdivS],
    signs: [Op::FsgnjS, Op::FsgnjnS, Op::FsgnjxS],
    root: Op::FsqrtS,
    fused: [Op::FmaddS, Op::FmsubS, Op::FnmsubS, Op::FnmaddS],
    compare: [Op::FltS, Op::FleS, Op::FeqS, Op::FltqS, Op::FleqS],
};

/// Most iterations.
const ROUNDS: u32 = 40;

impl Builder<'_> {
    /// A loop over two or three arrays.
    pub(super) fn elementwise(&mut self) {
        let double = self.isa.has(Ext::D) && self.rng.chance(50);
        let f = if double { &DOUBLE } else { &SINGLE };
        let whole = self.rng.chance(40);
        let rounds = 1 + self.rng.below(ROUNDS) as i32;
        let rounds = if whole { (rounds + 7) & !7 } else { rounds };
        let [to, from, end, sum, offset] = self.distinct();
        self.pointer(to, rounds * f.size);
        if self.rng.chance(40) {
            // The arrays overlap.
            let ahead = (self.rng.below(24) as i32 - 12) * self.rng.pick(&[4, 8, 8]);
            self.insn(Op::Addi, from, to, 0, ahead);
        } else {
            self.pointer(from, rounds * f.size);
        }
        let bytes = self.rng.below(64) as i32 * 8;
        self.insn(Op::Addi, offset, 0, 0, bytes);
        self.insn(Op::Addi, end, to, 0, rounds * f.size);
        let names: [u8; 5] = std::array::from_fn(|_| self.name());
        let constant = self.name();

        if self.rng.chance(70) {
            self.insn(f.load, constant, to, 0, 0);
        }

        // Counted down instead of compared with an end, and something else that goes on.
        let counted = self.rng.chance(25);
        if counted {
            self.insn(Op::Addi, end, 0, 0, rounds);
        }
        let other = self.rng.chance(30).then(|| self.target());
        let other = other.filter(|r| ![0, to, from, end, sum, offset].contains(r));
        let by = self.rng.pick(&[1, -1, 4, 8, 16, 3, -2048]);

        let head = self.code.len();
        let stepped = self.rng.chance(50);
        let mut loads = vec![from, to];
        // The sum of a pointer and an offset, before or behind the pointer's step.
        let of = self.rng.pick(&[from, to]);
        let terms = if self.rng.chance(50) { (of, offset) } else { (offset, of) };
        let [early, late] = [25, 20].map(|percent| self.rng.chance(percent));
        if early {
            self.insn(Op::Add, sum, terms.0, terms.1, 0);
            loads.push(sum);
        }
        for name in &names[..2] {
            let (base, off) = (self.rng.pick(&loads), self.element(f));
            self.insn(f.load, *name, base, 0, off);
        }
        if stepped {
            self.insn(Op::Addi, to, to, 0, f.size);
        }
        if late {
            self.insn(Op::Add, sum, terms.0, terms.1, 0);
            let off = self.element(f);
            self.insn(f.load, names[1], sum, 0, off);
        }
        let value = self.element_value(f, &names, constant, sum);
        let back = if stepped { -f.size } else { 0 };
        self.insn(f.store, 0, to, value, back);
        if self.rng.chance(5) {
            self.insn(f.load, names[0], from, 0, 0);
        }
        let step = if self.rng.chance(90) { f.size } else { self.rng.pick(&[0, 4, 8, 16, -8]) };
        self.insn(Op::Addi, from, from, 0, step);
        if !stepped {
            self.insn(Op::Addi, to, to, 0, f.size);
        }
        if let Some(r) = other {
            self.insn(Op::Addi, r, r, 0, by);
        }
        if counted {
            self.insn(Op::Addi, end, end, 0, -1);
        }
        let to = if counted { 0 } else { to };
        let (x, y) = if self.rng.chance(80) && !counted { (to, end) } else { (end, to) };
        let hole = self.hole(Op::Bne, 0, x, y);
        self.fill(hole, head);
    }

    /// Computes what is stored, in `names`, from the first two of them and `constant`; `flag` can
    /// be used for comparisons.
    fn element_value(&mut self, f: &Format, names: &[u8; 5], constant: u8, flag: u8) -> u8 {
        let mut known = vec![names[0], names[1], constant];
        // Something is compared that was computed by the iteration before.
        if self.rng.chance(8) {
            let kept = self.name();
            self.selection(f, kept, names, flag);
        }
        // Nothing is computed now and then, so that the comparison alone raises flags.
        for _ in 0..self.rng.below(6) {
            let fd = self.rng.pick(names);
            self.computation(f, fd, &known);
            known.push(fd);
        }
        if self.rng.chance(30) {
            let kept = self.name();
            self.selection(f, kept, &known, flag);
        }
        if self.rng.chance(95) { self.rng.pick(&known) } else { self.name() }
    }

    /// The loop of libgcc's `__clzdi2`, mostly.
    pub(super) fn search(&mut self) {
        let [shifted, counter, byte, ..] = self.distinct();
        let value = self.reg();
        let from = if self.rng.chance(90) { 56 } else { 8 * (1 + self.rng.below(8) as i32) };
        self.insn(Op::Addi, counter, 0, 0, from);
        let head = self.code.len();
        self.insn(Op::Srl, shifted, value, counter, 0);
        let mask = if self.rng.chance(95) { 255 } else { 127 };
        self.insn(Op::Andi, byte, shifted, 0, mask);
        let out = self.hole(Op::Bne, 0, byte, 0);
        self.insn(Op::Addi, counter, counter, 0, -8);
        let back = self.hole(Op::Bne, 0, counter, 0);
        self.fill(back, head);
        let n = self.rng.below(3);
        self.filler(n);
        self.fill(out, self.code.len());
    }

    /// Integer registers, all different.
    fn distinct(&mut self) -> [u8; 5] {
        let mut all = [0; 5];
        for n in 0..all.len() {
            all[n] = loop {
                let r = self.target();
                if r != 0 && !all[..n].contains(&r) {
                    break r;
                }
            };
        }
        all
    }

    /// Lets `r` point to data, mostly with room for `bytes`.
    fn pointer(&mut self, r: u8, bytes: i32) {
        let (base, off) = if self.rng.chance(15) {
            (EDGE, self.rng.below(16) as i32 * 8 - bytes)
        } else {
            (BASE, self.rng.below(400) as i32 * 8 - 1600)
        };
        let odd = if self.rng.chance(5) { self.rng.below(8) as i32 } else { 0 };
        self.insn(Op::Addi, r, base, 0, off + odd);
    }

    /// A floating-point register, mostly one of those that compilers take first.
    fn name(&mut self) -> u8 {
        if self.rng.chance(95) {
            self.rng.pick(&[0, 1, 2, 8, 9, 10, 11, 12, 13, 14, 15, 18, 19])
        } else {
            self.rng.below(32) as u8
        }
    }

    fn element(&mut self, f: &Format) -> i32 {
        if self.rng.chance(70) { 0 } else { (self.rng.below(7) as i32 - 3) * f.size }
    }

    /// Lets `fd` be computed from `known`.
    fn computation(&mut self, f: &Format, fd: u8, known: &[u8]) {
        let operand = |b: &mut Self| if b.rng.chance(97) { b.rng.pick(known) } else { b.name() };
        let (rs1, rs2, rs3) = (operand(self), operand(self), operand(self));
        let (op, rs2) = match self.rng.below(10) {
            0..=5 => (self.rng.pick(&f.binary), rs2),
            6 => (self.rng.pick(&f.signs), rs1),
            7 => (f.root, 0),
            _ => (self.rng.pick(&f.fused), rs2),
        };
        let rm = if self.rng.chance(85) { 7 } else { self.rng.below(5) as u8 };
        let signs = f.signs.contains(&op);
        let insn = Insn { rs3, rm: if signs { 0 } else { rm }, ..plain(op, fd, rs1, rs2, 0) };
        self.word(isa::encode(&insn));
    }

    /// Lets `kept` be something else if a comparison among `known`, for which `flag` is used, says
    /// so, which it mostly does for no element.
    fn selection(&mut self, f: &Format, kept: u8, known: &[u8], flag: u8) {
        let (rs1, rs2, rs3) = (self.rng.pick(known), self.rng.pick(known), self.rng.pick(known));
        let rs2 = match self.rng.below(4) {
            0 | 1 => rs1,
            2 => kept,
            _ => rs2,
        };
        let all = if self.isa.has(Ext::Zfa) { f.compare.len() } else { 3 };
        let op = self.rng.pick(&f.compare[..all]);
        self.insn(op, flag, rs1, rs2, 0);
        let branch = self.rng.pick(&[Op::Beq, Op::Bne]);
        let hole = self.hole(branch, 0, flag, 0);
        self.insn(f.signs[0], kept, rs3, rs3, 0);
        self.fill(hole, self.code.len());
    }
}
