//! What operations mean: one evaluator, independent of interpreter and emitters.
//!
//! Integer operations are here, those of floating point in `eval_float`; both are exact. What
//! atomics, counters and the interpreter give is left to the caller ([`Flow::Unknown`]), who knows
//! by [`Op::writes`] and [`Op::float_writes`] which registers are concerned.

use super::{BinOp, Cond, ExitKind, Fmt, LoadKind, Op, Reg, Src, UnOp, Width, eval_float};

/// The registers that operations work on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Registers {
    /// Integer registers, of which the first stays 0.
    pub x: [u64; 32],
    /// Floating-point registers.
    pub f: [u64; 32],
    /// Accrued exception flags.
    pub fflags: u8,
    /// The dynamic rounding mode.
    pub frm: u8,
    /// The words that [`Op::LoadWord`] has loaded, by its destination.
    pub words: [u64; 32],
}

impl Registers {
    /// Writes an integer register; a write to the zero register is dropped.
    pub(super) const fn set(&mut self, rd: Reg, value: u64) {
        if !rd.is_zero() {
            self.x[rd.0 as usize] = value;
        }
    }
}

/// The guest's memory, as an evaluation sees it. Addresses are those of the guest, 64 bits.
pub trait Memory {
    /// Reads `bytes` bytes (1, 2, 4 or 8) in the order of the guest, zero-extended.
    fn load(&mut self, addr: u64, bytes: u32) -> u64;

    /// Writes the low `bytes` bytes of `value`.
    fn store(&mut self, addr: u64, bytes: u32, value: u64);
}

/// Where execution goes on behind an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// At the next one.
    Next,
    /// At a guest address.
    Goto(u64),
    /// At a guest address that has been called; some time at the next operation.
    Call(u64),
    /// Outside of translated code.
    Leave(ExitKind),
    /// At the next one, and what the operation writes is not known: its registers are as before. It
    /// is an atomic, a counter or the interpreter's, or its rounding mode is reserved.
    Unknown,
}

/// Executes `op`.
pub fn eval(op: &Op, registers: &mut Registers, memory: &mut impl Memory) -> Flow {
    if eval_float::eval(op, registers).is_some() {
        return Flow::Next;
    }
    let Registers { x, f, fflags, frm, words } = registers;
    let source = |x: &[u64; 32], b: Src| match b {
        Src::Reg(r) => x[usize::from(r.0)],
        Src::Imm(i) => i64::from(i) as u64,
    };
    let get = |x: &[u64; 32], r: Reg| x[usize::from(r.0)];
    let address = |x: &[u64; 32], r: Reg, off: i32| get(x, r).wrapping_add(i64::from(off) as u64);
    let set = |x: &mut [u64; 32], r: Reg, value: u64| {
        if !r.is_zero() {
            x[usize::from(r.0)] = value;
        }
        Flow::Next
    };
    match *op {
        Op::Const { rd, value } => set(x, rd, value),
        Op::Bin { op, w, rd, a, b } => {
            let value = op.eval(w, get(x, a), source(x, b));
            set(x, rd, value)
        }
        Op::Un { op, w, rd, a } => {
            let value = op.eval(w, get(x, a));
            set(x, rd, value)
        }
        Op::Select { cond, x: p, y: q, op, w, rd, a, b } => {
            let value = op.eval(w, get(x, a), source(x, b));
            if cond.holds(get(x, p), get(x, q)) { Flow::Next } else { set(x, rd, value) }
        }
        Op::Load { kind, rd, base, off } => {
            let value = kind.extend(memory.load(address(x, base, off), kind.size.bytes()));
            set(x, rd, value)
        }
        Op::LoadWord { size, reverse, rd, bytes, base, off } => {
            let read = memory.load(address(x, base, off), size.bytes());
            let reversed = read.swap_bytes() >> (64 - 8 * size.bytes());
            let word = if reverse { reversed } else { read };
            words[usize::from(rd.0)] = word;
            set(x, rd, bytes.of(word))
        }
        Op::Bytes { rd, bytes, word } => set(x, rd, bytes.of(words[usize::from(word.0)])),
        Op::Store { size, src, base, off } => {
            memory.store(address(x, base, off), size.bytes(), get(x, src));
            Flow::Next
        }
        Op::Branch { cond, a, b, target } => {
            if cond.holds(get(x, a), get(x, b)) {
                Flow::Goto(target)
            } else {
                Flow::Next
            }
        }
        Op::Jump { target } => Flow::Goto(target),
        Op::Call { target, link, ret } => {
            set(x, link, ret);
            Flow::Call(target)
        }
        Op::CallIndirect { base, off, link, ret } => {
            let target = address(x, base, off) & !1;
            set(x, link, ret);
            Flow::Call(target)
        }
        Op::JumpIndirect { base, off, link, ret, is_return: _ } => {
            let target = address(x, base, off) & !1;
            set(x, link, ret);
            Flow::Goto(target)
        }
        Op::Exit(kind) => Flow::Leave(kind),
        Op::Fence(_) | Op::Pause => Flow::Next,
        Op::FLoad { fmt, fd, base, off } => {
            let bits = memory.load(address(x, base, off), fmt.bytes());
            f[usize::from(fd.0)] = fmt.boxed(bits);
            Flow::Next
        }
        Op::FStore { fmt, fs, base, off } => {
            memory.store(address(x, base, off), fmt.bytes(), f[usize::from(fs.0)]);
            Flow::Next
        }
        Op::FMoveToInt { fmt, rd, a } => set(x, rd, fmt.signed(f[usize::from(a.0)])),
        Op::FMoveFromInt { fmt, fd, a } => {
            f[usize::from(fd.0)] = fmt.boxed(get(x, a));
            Flow::Next
        }
        Op::FConst { fd, bits } => {
            f[usize::from(fd.0)] = bits;
            Flow::Next
        }
        Op::ReadFlags { rd } => set(x, rd, u64::from(*fflags)),
        Op::SwapFlags { rd, a } => {
            let (old, new) = (*fflags, source(x, a) as u8 & 0x1f);
            *fflags = new;
            set(x, rd, u64::from(old))
        }
        Op::ReadRounding { rd } => set(x, rd, u64::from(*frm)),
        _ => Flow::Unknown,
    }
}

impl Fmt {
    const fn bytes(self) -> u32 {
        match self {
            Self::H => 2,
            Self::S => 4,
            Self::D => 8,
        }
    }

    /// Its low bits in a register, as an integer with a sign.
    const fn signed(self, bits: u64) -> u64 {
        let unused = 64 - 8 * self.bytes();
        ((bits << unused) as i64 >> unused) as u64
    }

    /// The value of a register whose low bits are those of `bits`, NaN-boxed.
    const fn boxed(self, bits: u64) -> u64 {
        match self {
            Self::D => bits,
            Self::S => bits | 0xffff_ffff << 32,
            Self::H => bits | 0xffff_ffff_ffff << 16,
        }
    }
}

impl LoadKind {
    /// The value of a register that `raw`, which was read, is loaded into.
    #[must_use]
    pub const fn extend(self, raw: u64) -> u64 {
        let unused = 64 - 8 * self.size.bytes();
        if self.signed { ((raw << unused) as i64 >> unused) as u64 } else { raw }
    }
}

impl Cond {
    /// Whether it holds for two values.
    #[must_use]
    pub const fn holds(self, x: u64, y: u64) -> bool {
        match self {
            Self::Eq => x == y,
            Self::Ne => x != y,
            Self::Lt => (x as i64) < y as i64,
            Self::Ge => x as i64 >= y as i64,
            Self::Ltu => x < y,
            Self::Geu => x >= y,
        }
    }

    /// The condition that holds exactly when this one does not.
    #[must_use]
    pub const fn inverse(self) -> Self {
        match self {
            Self::Eq => Self::Ne,
            Self::Ne => Self::Eq,
            Self::Lt => Self::Ge,
            Self::Ge => Self::Lt,
            Self::Ltu => Self::Geu,
            Self::Geu => Self::Ltu,
        }
    }
}

impl Width {
    /// The value of a register for a result of this width.
    const fn result(self, value: u64) -> u64 {
        match self {
            Self::W => value as i32 as u64,
            Self::D => value,
        }
    }

    /// The operand as a signed number.
    const fn signed(self, x: u64) -> i64 {
        match self {
            Self::W => x as i32 as i64,
            Self::D => x as i64,
        }
    }

    /// The operand as an unsigned number.
    const fn unsigned(self, x: u64) -> u64 {
        match self {
            Self::W => x as u32 as u64,
            Self::D => x,
        }
    }
}

impl BinOp {
    /// `a op b`.
    #[must_use]
    pub fn eval(self, w: Width, a: u64, b: u64) -> u64 {
        let word = w == Width::W;
        let n = (b & if word { 31 } else { 63 }) as u32;
        let wide = |x: u64, y: u64| u128::from(x) * u128::from(y);
        let low = a & 0xffff_ffff;
        let bit = 1u64 << (b & 63);
        w.result(match self {
            Self::Add => a.wrapping_add(b),
            Self::Sub => a.wrapping_sub(b),
            Self::And => a & b,
            Self::Or => a | b,
            Self::Xor => a ^ b,
            Self::AndNot => a & !b,
            Self::OrNot => a | !b,
            Self::XorNot => !(a ^ b),
            Self::Sll => a << n,
            Self::Srl => w.unsigned(a) >> n,
            Self::Sra => (w.signed(a) >> n) as u64,
            Self::Rol if word => u64::from((a as u32).rotate_left(n)),
            Self::Rol => a.rotate_left(n),
            Self::Ror if word => u64::from((a as u32).rotate_right(n)),
            Self::Ror => a.rotate_right(n),
            Self::Slt => u64::from((a as i64) < b as i64),
            Self::Sltu => u64::from(a < b),
            Self::Min => (a as i64).min(b as i64) as u64,
            Self::Minu => a.min(b),
            Self::Max => (a as i64).max(b as i64) as u64,
            Self::Maxu => a.max(b),
            Self::Sh1add => (a << 1).wrapping_add(b),
            Self::Sh2add => (a << 2).wrapping_add(b),
            Self::Sh3add => (a << 3).wrapping_add(b),
            Self::AddUw => low.wrapping_add(b),
            Self::Sh1addUw => (low << 1).wrapping_add(b),
            Self::Sh2addUw => (low << 2).wrapping_add(b),
            Self::Sh3addUw => (low << 3).wrapping_add(b),
            Self::SllUw => low << (b & 63),
            Self::Bclr => a & !bit,
            Self::Bext => u64::from(a & bit != 0),
            Self::Binv => a ^ bit,
            Self::Bset => a | bit,
            Self::Mul => a.wrapping_mul(b),
            Self::Mulh => ((i128::from(a as i64) * i128::from(b as i64)) >> 64) as u64,
            Self::Mulhsu => ((i128::from(a as i64) * i128::from(b)) >> 64) as u64,
            Self::Mulhu => (wide(a, b) >> 64) as u64,
            Self::Div | Self::Divu | Self::Rem | Self::Remu => self.divide(w, a, b),
            Self::Clmul => carry_less(a, b) as u64,
            Self::Clmulh => (carry_less(a, b) >> 64) as u64,
            Self::Clmulr => (carry_less(a, b) >> 63) as u64,
            Self::CzeroEqz if b == 0 => 0,
            Self::CzeroNez if b != 0 => 0,
            Self::CzeroEqz | Self::CzeroNez => a,
        })
    }

    /// Division, before the result is extended.
    const fn divide(self, w: Width, a: u64, b: u64) -> u64 {
        let (x, y) = (w.signed(a), w.signed(b));
        let (ux, uy) = (w.unsigned(a), w.unsigned(b));
        match self {
            Self::Div | Self::Divu if uy == 0 => u64::MAX,
            Self::Div => x.wrapping_div(y) as u64,
            Self::Divu => ux / uy,
            _ if uy == 0 => a,
            Self::Rem => x.wrapping_rem(y) as u64,
            _ => ux % uy,
        }
    }
}

/// The product of two polynomials over the field of two elements.
fn carry_less(a: u64, b: u64) -> u128 {
    (0..64).filter(|n| b >> n & 1 != 0).fold(0, |sum, n| sum ^ u128::from(a) << n)
}

impl UnOp {
    /// `op a`.
    #[must_use]
    pub fn eval(self, w: Width, a: u64) -> u64 {
        let word = w == Width::W;
        match self {
            Self::Clz if word => u64::from((a as u32).leading_zeros()),
            Self::Clz => u64::from(a.leading_zeros()),
            Self::Ctz if word => u64::from((a as u32).trailing_zeros()),
            Self::Ctz => u64::from(a.trailing_zeros()),
            Self::Cpop => u64::from(w.unsigned(a).count_ones()),
            Self::SextB => a as i8 as u64,
            Self::SextH => a as i16 as u64,
            Self::ZextH => u64::from(a as u16),
            Self::ZextW => u64::from(a as u32),
            Self::Rev8 => a.swap_bytes(),
            Self::OrcB => {
                let bytes = a.to_le_bytes().map(|byte| if byte == 0 { 0 } else { 0xff });
                u64::from_le_bytes(bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory that is its own address, and the last write to it.
    #[derive(Default)]
    struct Echo(Option<(u64, u32, u64)>);

    impl Memory for Echo {
        fn load(&mut self, addr: u64, bytes: u32) -> u64 {
            addr & (u64::MAX >> (64 - 8 * bytes))
        }

        fn store(&mut self, addr: u64, bytes: u32, value: u64) {
            self.0 = Some((addr, bytes, value));
        }
    }

    const MINUS: u64 = u64::MAX;
    const LOW: u64 = 1 << 63;

    #[test]
    fn operations_give_what_the_manual_says() {
        // x5 = op of x6 and x7.
        let cases = [
            ("add.w x5, x6, x7", 0x7fff_ffff, 1, 0xffff_ffff_8000_0000),
            ("sub.d x5, x6, x7", 0, 1, MINUS),
            ("andnot.d x5, x6, x7", 0xff, 0x0f, 0xf0),
            ("ornot.d x5, x6, x7", 0, MINUS, 0),
            ("xornot.d x5, x6, x7", 5, 5, MINUS),
            ("sll.w x5, x6, x7", 3, 63, 0xffff_ffff_8000_0000),
            ("srl.w x5, x6, x7", MINUS, 32, MINUS),
            ("srl.w x5, x6, 1", MINUS, 0, 0x7fff_ffff),
            ("sra.d x5, x6, x7", LOW, 127, MINUS),
            ("rol.w x5, x6, x7", 0x8000_0001, 1, 3),
            ("ror.w x5, x6, 1", 1, 0, 0xffff_ffff_8000_0000),
            ("ror.d x5, x6, x7", 1, 1, LOW),
            ("slt.d x5, x6, x7", MINUS, 0, 1),
            ("sltu.d x5, x6, -1", 5, 0, 1),
            ("max.d x5, x6, x7", MINUS, 1, 1),
            ("maxu.d x5, x6, x7", MINUS, 1, MINUS),
            ("sh3add.d x5, x6, x7", 2, 1, 17),
            ("sh2adduw.d x5, x6, x7", MINUS, 1, 0x3_ffff_fffd),
            ("slluw.d x5, x6, 4", MINUS, 0, 0xf_ffff_fff0),
            ("bclr.d x5, x6, x7", MINUS, 63 + 64, MINUS >> 1),
            ("bext.d x5, x6, 63", LOW, 0, 1),
            ("mulh.d x5, x6, x7", MINUS, MINUS, 0),
            ("mulhu.d x5, x6, x7", MINUS, MINUS, MINUS - 1),
            ("mulhsu.d x5, x6, x7", MINUS, MINUS, MINUS),
            ("div.d x5, x6, x7", LOW, MINUS, LOW),
            ("rem.d x5, x6, x7", LOW, MINUS, 0),
            ("div.w x5, x6, x7", 0x8000_0000, 0xffff_ffff, 0xffff_ffff_8000_0000),
            ("divu.w x5, x6, x7", 7, 1 << 32, MINUS),
            ("remu.w x5, x6, x7", 0x8000_0000, 1 << 32, 0xffff_ffff_8000_0000),
            ("rem.w x5, x6, x7", MINUS - 6, 4, MINUS - 2),
            ("clmul.d x5, x6, x7", 3, 3, 5),
            ("clmulh.d x5, x6, x7", LOW, 2, 1),
            ("clmulr.d x5, x6, x7", LOW, 1, 1),
            ("czeroeqz.d x5, x6, x7", 9, 0, 0),
            ("czeronez.d x5, x6, x7", 9, 0, 9),
            ("clz.w x5, x6", 1 << 40, 0, 32),
            ("ctz.d x5, x6", 1 << 40, 0, 40),
            ("cpop.w x5, x6", MINUS, 0, 32),
            ("sextb.d x5, x6", 0x180, 0, 0xffff_ffff_ffff_ff80),
            ("zextw.d x5, x6", MINUS, 0, 0xffff_ffff),
            ("rev8.d x5, x6", 1, 0, 1 << 56),
            ("orcb.d x5, x6", 0x0100_0000_0000_0020, 0, 0xff00_0000_0000_00ff),
            ("load.b x5, [x6 + 8]", 0xf0, 0, 0xffff_ffff_ffff_fff8),
            ("load.wu x5, [x6 + -1]", 0, 0, 0xffff_ffff),
            ("unless.eq x6, x7: add.d x5, x6, 1", 1, 2, 2),
            ("unless.ne x6, x7: add.d x5, x6, 1", 1, 2, 55),
        ];
        for (text, a, b, expected) in cases {
            let op: Op = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            let mut all = Registers::default();
            (all.x[5], all.x[6], all.x[7]) = (55, a, b);
            assert_eq!(eval(&op, &mut all, &mut Echo::default()), Flow::Next, "{text}");
            let x = all.x;
            assert_eq!(x[5], expected, "{text}: {:#x}, not {expected:#x}", x[5]);
            assert_eq!((x[0], x[6], x[7]), (0, a, b), "{text}");
        }
    }

    #[test]
    fn memory_and_ways_out() {
        let mut memory = Echo::default();
        let mut all = Registers::default();
        (all.x[5], all.x[6]) = (0x1001, 0x55);
        let mut run = |text: &str| eval(&text.parse::<Op>().expect(text), &mut all, &mut memory);
        assert_eq!(run("store.h x6, [x5 + -2]"), Flow::Next);
        assert_eq!(run("branch.ltu x6, x5, 0x20"), Flow::Goto(0x20));
        assert_eq!(run("branch.geu x6, x5, 0x20"), Flow::Next);
        assert_eq!(run("jump 0x30"), Flow::Goto(0x30));
        assert_eq!(run("call 0x40, x1 = 0x50"), Flow::Call(0x40));
        assert_eq!(run("return [x5 + 4], x5 = 0x60"), Flow::Goto(0x1004));
        assert_eq!(run("add.d x0, x6, 1"), Flow::Next);
        assert_eq!(run("helper reads {x3} writes {x6}"), Flow::Unknown);
        let x = all.x;
        assert_eq!((x[0], x[1], x[5], x[6]), (0, 0x50, 0x60, 0x55));
        assert_eq!(memory.0, Some((0xfff, 2, 0x55)));
    }

    #[test]
    fn floats_are_moved() {
        const SINGLE: u64 = 0xffff_ffff_3f80_0000;
        let mut memory = Echo::default();
        let mut all = Registers::default();
        (all.x[6], all.f[1], all.f[2]) = (0x8000_0000, SINGLE, 1 << 63 | 5);
        let mut run = |text: &str| eval(&text.parse::<Op>().expect(text), &mut all, &mut memory);
        assert_eq!(run("fload.s f3, [x6 + 4]"), Flow::Next);
        assert_eq!(run("fmovetoint.s x7, f3"), Flow::Next);
        assert_eq!(run("fmovefromint.h f4, x6"), Flow::Next);
        assert_eq!(run("fsgnjn.d.rne f5, f1, f2"), Flow::Next);
        assert_eq!(run("unless.eq x6, x0: neg.d f8, f2"), Flow::Next);
        assert_eq!(run("unless.eq x0, x0: abs.d f9, f2"), Flow::Next);
        assert_eq!(run("fstore.s f1, [x6 + 0]"), Flow::Next);
        assert_eq!(memory.0, Some((0x8000_0000, 4, SINGLE)));
        assert_eq!(all.x[7], 0xffff_ffff_8000_0004);
        assert_eq!(all.f[3], 0xffff_ffff_8000_0004);
        assert_eq!(all.f[4], 0xffff_ffff_ffff_0000);
        assert_eq!(all.f[5], 0x7fff_ffff_3f80_0000);
        assert_eq!((all.f[6], all.f[8], all.f[9]), (0, 5, 0));
    }

    #[test]
    fn floats_are_computed_with_their_flags() {
        const ONE: u64 = 0x3ff0_0000_0000_0000;
        let mut memory = Echo::default();
        let mut all = Registers { frm: 2, ..Registers::default() };
        (all.f[1], all.f[2], all.f[3]) = (ONE, 0x4008_0000_0000_0000, 0x7ff0_0000_0000_0001);
        let mut run = |text: &str| eval(&text.parse::<Op>().expect(text), &mut all, &mut memory);
        assert_eq!(run("fdiv.d.rup f4, f1, f2"), Flow::Next);
        assert_eq!(run("fdiv.d.dyn f5, f1, f2"), Flow::Next);
        assert_eq!(run("readflags x5"), Flow::Next);
        assert_eq!(run("flt.d x6, f1, f2"), Flow::Next);
        assert_eq!(run("fltkeep.d x7, f3, f2"), Flow::Next);
        assert_eq!(run("swapflags x8, 2"), Flow::Next);
        assert_eq!(run("flt.d x9, f3, f2"), Flow::Next);
        // Doubles are no boxed singles.
        assert_eq!(run("fadd.s.rne f6, f1, f2"), Flow::Next);
        assert_eq!(run("readrounding x10"), Flow::Next);
        assert_eq!((all.f[4], all.f[5]), (0x3fd5_5555_5555_5556, 0x3fd5_5555_5555_5555));
        assert_eq!(all.x[5..11], [1, 1, 0, 1, 0, 2]);
        assert_eq!((all.f[6], all.fflags), (0xffff_ffff_7fc0_0000, 0x12));
        all.frm = 5;
        let reserved = "fdiv.d.dyn f4, f1, f2".parse().expect("an operation");
        assert_eq!(eval(&reserved, &mut all, &mut memory), Flow::Unknown);
    }
}
