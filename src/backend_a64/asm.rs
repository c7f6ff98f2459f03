//! The assembler: dynasm, which writes into the buffer of the block.
//!
//! Conditions known only here, and branches within a block or to other code, whose targets come
//! later or change, are not dynasm's to encode: the last part of this file and `patch` do that. A
//! register number 31 is the zero register unless a function says that it is the stack pointer.

use super::patch;
use super::regs::{STATE, X17, ZR};
use crate::backend::emit::Host;
use crate::backend::{Out, ShiftOp, writes_to_out};
use crate::ir::Width;
use crate::util::CodePtr;
use dynasmrt::aarch64::{encode_logical_immediate_32bit, encode_logical_immediate_64bit};
use dynasmrt::{AssemblyOffset, DynasmApi};

/// Assembles instructions, `state` being the register that points into the thread state.
macro_rules! a64 {
    ($a:expr ; $($t:tt)*) => {{
        #[allow(unused_imports, reason = "instructions without operands need none")]
        use ::dynasmrt::DynasmApi as _;
        ::dynasmrt::dynasm!($a
            ; .arch aarch64
            ; .alias state, x28
            ; $($t)*
        )
    }};
}
pub(super) use a64;

/// Assembles an instruction on registers of size `$sz`, and what may follow them.
macro_rules! sized {
    ($a:expr, $sz:expr ; $op:ident $($r:expr),+ $(; $($rest:tt)+)?) => {
        match $sz {
            Sz::W => a64!($a ; $op $(W($r)),+ $(, $($rest)+)?),
            Sz::X => a64!($a ; $op $(X($r)),+ $(, $($rest)+)?),
        }
    };
}
pub(super) use sized;

/// The same on scalar vector registers of format `$fmt`, which is not that of halves.
macro_rules! scalar {
    ($a:expr, $fmt:expr ; $op:ident $($r:expr),+) => {
        match $fmt {
            Fmt::D => a64!($a ; $op $(D($r)),+),
            Fmt::S | Fmt::H => a64!($a ; $op $(S($r)),+),
        }
    };
}
pub(super) use scalar;

/// System registers as `mrs` and `msr` encode them.
pub(super) const FPCR: u32 = 0x5a20;
pub(super) const FPSR: u32 = 0x5a21;

/// Operand size of an integer instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sz {
    /// 32 bits; the upper half of the result is zero.
    W,
    /// 64 bits.
    X,
}

/// A condition code, by its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cc(u8);

/// What a conditional branch asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// The flags.
    Flags(Cc),
    /// Whether a register is zero, or whether it is not.
    Zero(Sz, u8, bool),
    /// Whether the bit of this number of a register is set, or whether it is not. Only for branches
    /// within a block.
    Bit(u8, u8, bool),
}

/// Arithmetic and logic on two registers, of which the second may be shifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alu {
    Add,
    Sub,
    And,
    Bic,
    Or,
    Orn,
    Eor,
    Eon,
}

/// A shifted register: which, where to, how far.
pub(super) type Shifted = (u8, ShiftOp, u8);

/// Size and kind of a load or store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mem {
    StoreB,
    StoreH,
    StoreW,
    StoreX,
    LoadB,
    LoadH,
    LoadW,
    LoadX,
    LoadSb,
    LoadSh,
    LoadSw,
    StoreS,
    StoreD,
    LoadS,
    LoadD,
}

/// Address of a load or store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Register (31: the stack pointer) plus a displacement that fits, see [`fits`].
    Disp(u8, i32),
    /// Register plus register, which is shifted left by the access's log2 if the last is true.
    Index(u8, u8, bool),
    /// Register plus the low half of a register, zero-extended.
    IndexW(u8, u8),
}

impl Mem {
    /// Log2 of the bytes that it accesses.
    pub(super) const fn log2(self) -> u32 {
        match self {
            Self::StoreB | Self::LoadB | Self::LoadSb => 0,
            Self::StoreH | Self::LoadH | Self::LoadSh => 1,
            Self::StoreW | Self::LoadW | Self::LoadSw | Self::StoreS | Self::LoadS => 2,
            Self::StoreX | Self::LoadX | Self::StoreD | Self::LoadD => 3,
        }
    }
}

/// True if `disp` can be part of the instruction that accesses `mem`.
pub(super) const fn fits(mem: Mem, disp: i64) -> bool {
    is_scaled(disp, mem.log2()) && disp >> mem.log2() < 4096 || -256 <= disp && disp < 256
}

/// True if a displacement is a number of units of the access.
const fn is_scaled(disp: i64, log2: u32) -> bool {
    disp >= 0 && disp & ((1 << log2) - 1) == 0
}

const fn sf(sz: Sz) -> u32 {
    match sz {
        Sz::W => 0,
        Sz::X => 1 << 31,
    }
}

pub(super) const fn bits(sz: Sz) -> u8 {
    match sz {
        Sz::W => 32,
        Sz::X => 64,
    }
}

impl Cc {
    pub(super) const EQ: Self = Self(0);
    pub(super) const NE: Self = Self(1);
    pub(super) const HS: Self = Self(2);
    pub(super) const LO: Self = Self(3);
    pub(super) const MI: Self = Self(4);
    pub(super) const VS: Self = Self(6);
    pub(super) const HI: Self = Self(8);
    pub(super) const LS: Self = Self(9);
    pub(super) const GE: Self = Self(10);
    pub(super) const LT: Self = Self(11);
    pub(super) const GT: Self = Self(12);
    pub(super) const LE: Self = Self(13);

    /// The condition that holds if this one does not.
    pub(super) const fn inverse(self) -> Self {
        Self(self.0 ^ 1)
    }

    /// The condition after the operands of a comparison were exchanged.
    pub(super) const fn exchange(self) -> Self {
        match self {
            Self::LO => Self::HI,
            Self::HI => Self::LO,
            Self::HS => Self::LS,
            Self::LS => Self::HS,
            Self::LT => Self::GT,
            Self::GT => Self::LT,
            Self::GE => Self::LE,
            Self::LE => Self::GE,
            other => other,
        }
    }
}

/// True if there is a logical immediate for `value`.
pub(super) fn is_logical(sz: Sz, value: u64) -> bool {
    match sz {
        Sz::W => encode_logical_immediate_32bit(value as u32).is_some(),
        Sz::X => encode_logical_immediate_64bit(value).is_some(),
    }
}

/// A conditional branch whose target is out of its reach: it leads to a `b` at the block's end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Veneer {
    pub(super) at: CodePtr,
    word: u32,
    pub(super) target: CodePtr,
}

/// Where the next instruction goes.
pub(super) struct Asm<'b> {
    out: Out<'b>,
    pub(super) veneers: Vec<Veneer>,
}

writes_to_out!(Asm);

impl<'b> Asm<'b> {
    pub(super) fn new(out: Out<'b>) -> Self {
        Self { out, veneers: Vec::new() }
    }
}

const fn r(n: u8) -> u32 {
    n as u32
}

impl DynasmApi for Asm<'_> {
    fn offset(&self) -> AssemblyOffset {
        AssemblyOffset(self.pos().0 as usize)
    }

    fn push(&mut self, byte: u8) {
        self.code().push(byte);
    }

    fn align(&mut self, _alignment: usize, _with: u8) {
        unreachable!("instructions are aligned")
    }

    #[inline]
    fn push_u32(&mut self, word: u32) {
        self.code().append(word.to_le_bytes());
    }
}

impl Extend<u8> for Asm<'_> {
    fn extend<T: IntoIterator<Item = u8>>(&mut self, bytes: T) {
        bytes.into_iter().for_each(|byte| self.push(byte));
    }
}

impl<'a> Extend<&'a u8> for Asm<'_> {
    fn extend<T: IntoIterator<Item = &'a u8>>(&mut self, bytes: T) {
        bytes.into_iter().for_each(|byte| self.push(*byte));
    }
}

impl Asm<'_> {
    // Moves and constants.

    pub(super) fn mov(&mut self, sz: Sz, to: u8, from: u8) {
        if to != from || sz == Sz::W {
            sized!(self, sz ; mov to, from);
        }
    }

    /// `reg = value`, in as few instructions as it takes.
    pub(super) fn mov_imm(&mut self, reg: u8, value: u64) {
        let sz = if value >> 32 == 0 { Sz::W } else { Sz::X };
        let parts = usize::from(bits(sz)) / 16;
        let part = |i: usize| (value >> (16 * i)) as u16;
        let count = |skip: u16| (0..parts).filter(|i| part(*i) == skip).count();
        let (zeros, ones) = (count(0), count(0xffff));
        let single = ones.max(zeros) + 1 >= parts;
        if !single && is_logical(sz, value) {
            return match sz {
                Sz::W => a64!(self ; orr WSP(reg), wzr, value as u32),
                Sz::X => a64!(self ; orr XSP(reg), xzr, value),
            };
        }
        let inverted = ones > zeros;
        let skip = if inverted { 0xffff } else { 0 };
        // If all parts are alike, one of them.
        let first = (0..parts).find(|i| part(*i) != skip).unwrap_or(0);
        let (imm, shift) = (u32::from(part(first) ^ skip), 16 * first as u32);
        match inverted {
            true => sized!(self, sz ; movn reg ; imm, lsl shift),
            false => sized!(self, sz ; movz reg ; imm, lsl shift),
        }
        for i in (first + 1..parts).filter(|i| part(*i) != skip) {
            sized!(self, sz ; movk reg ; u32::from(part(i)), lsl 16 * i as u32);
        }
    }

    // Arithmetic.

    /// `to = a op b`
    pub(super) fn alu(&mut self, op: Alu, sz: Sz, to: u8, a: u8, b: u8) {
        match op {
            Alu::Add => sized!(self, sz ; add to, a, b),
            Alu::Sub => sized!(self, sz ; sub to, a, b),
            Alu::And => sized!(self, sz ; and to, a, b),
            Alu::Bic => sized!(self, sz ; bic to, a, b),
            Alu::Or => sized!(self, sz ; orr to, a, b),
            Alu::Orn => sized!(self, sz ; orn to, a, b),
            Alu::Eor => sized!(self, sz ; eor to, a, b),
            Alu::Eon => sized!(self, sz ; eon to, a, b),
        }
    }

    /// `to = a op (b shifted by n)` on doublewords.
    pub(super) fn alu_shifted(&mut self, op: Alu, to: u8, a: u8, (b, by, n): Shifted) {
        macro_rules! shifted {
            ($op:ident) => {
                match by {
                    ShiftOp::Left => a64!(self ; $op X(to), X(a), X(b), lsl n.into()),
                    ShiftOp::Right => a64!(self ; $op X(to), X(a), X(b), lsr n.into()),
                    ShiftOp::Signed => a64!(self ; $op X(to), X(a), X(b), asr n.into()),
                }
            };
        }
        match op {
            Alu::Add => shifted!(add),
            Alu::Sub => shifted!(sub),
            Alu::And => shifted!(and),
            Alu::Bic => shifted!(bic),
            Alu::Or => shifted!(orr),
            Alu::Orn => shifted!(orn),
            Alu::Eor => shifted!(eor),
            Alu::Eon => shifted!(eon),
        }
    }

    /// `to = a` shifted by `n`, which is not 0; a shifted word is sign-extended.
    pub(super) fn shift(&mut self, op: ShiftOp, w: Width, to: u8, a: u8, n: u8) {
        match (op, w) {
            (ShiftOp::Left, Width::D) => a64!(self ; lsl X(to), X(a), n.into()),
            (ShiftOp::Left, Width::W) => self.bfiz(true, to, a, n, 32 - n),
            (ShiftOp::Right, Width::D) => a64!(self ; lsr X(to), X(a), n.into()),
            // The highest bit is 0.
            (ShiftOp::Right, Width::W) => a64!(self ; lsr W(to), W(a), n.into()),
            (ShiftOp::Signed, Width::D) => a64!(self ; asr X(to), X(a), n.into()),
            (ShiftOp::Signed, Width::W) => self.bfx(true, to, a, n, 32 - n),
        }
    }

    /// `to = a + (zext32(b) << n)`; `a` 31 is the stack pointer.
    pub(super) fn add_uxtw(&mut self, to: u8, a: u8, b: u8, n: u8) {
        a64!(self ; add XSP(to), XSP(a), W(b), uxtw n.into());
    }

    /// `to = a + imm`; x17 may be used. Flags are unchanged.
    pub(super) fn add_imm(&mut self, sz: Sz, to: u8, a: u8, imm: i64) {
        if a == ZR {
            let v = if sz == Sz::W { u64::from(imm as u32) } else { imm as u64 };
            return self.mov_imm(to, v);
        }
        let n = imm.unsigned_abs();
        if n == 0 {
            return self.mov(sz, to, a);
        }
        if n >> 24 != 0 {
            debug_assert_ne!(a, X17, "the far constant's register");
            self.mov_imm(X17, imm as u64);
            return self.alu(Alu::Add, sz, to, a, X17);
        }
        let mut a = a;
        for (part, high) in [((n >> 12) as u32, true), ((n & 0xfff) as u32, false)] {
            match (part, imm < 0, sz, high) {
                (0, ..) => continue,
                (n, false, Sz::W, false) => a64!(self ; add WSP(to), WSP(a), n),
                (n, false, Sz::X, false) => a64!(self ; add XSP(to), XSP(a), n),
                (n, true, Sz::W, false) => a64!(self ; sub WSP(to), WSP(a), n),
                (n, true, Sz::X, false) => a64!(self ; sub XSP(to), XSP(a), n),
                (n, false, Sz::W, true) => a64!(self ; add WSP(to), WSP(a), n, lsl 12),
                (n, false, Sz::X, true) => a64!(self ; add XSP(to), XSP(a), n, lsl 12),
                (n, true, Sz::W, true) => a64!(self ; sub WSP(to), WSP(a), n, lsl 12),
                (n, true, Sz::X, true) => a64!(self ; sub XSP(to), XSP(a), n, lsl 12),
            }
            a = to;
        }
    }

    /// Sets the flags by `a - imm`, if the immediate fits.
    pub(super) fn cmp_imm(&mut self, sz: Sz, a: u8, imm: i64) -> bool {
        let n = imm.unsigned_abs();
        let high = n >= 4096;
        if high && (n & 0xfff != 0 || n >> 24 != 0) {
            return false;
        }
        let n = if high { n >> 12 } else { n } as u32;
        match (imm < 0, sz, high) {
            (false, Sz::W, false) => a64!(self ; cmp WSP(a), n),
            (false, Sz::X, false) => a64!(self ; cmp XSP(a), n),
            (true, Sz::W, false) => a64!(self ; cmn WSP(a), n),
            (true, Sz::X, false) => a64!(self ; cmn XSP(a), n),
            (false, Sz::W, true) => a64!(self ; cmp WSP(a), n, lsl 12),
            (false, Sz::X, true) => a64!(self ; cmp XSP(a), n, lsl 12),
            (true, Sz::W, true) => a64!(self ; cmn WSP(a), n, lsl 12),
            (true, Sz::X, true) => a64!(self ; cmn XSP(a), n, lsl 12),
        }
        true
    }

    /// Sets the flags by `a - b`.
    pub(super) fn cmp(&mut self, sz: Sz, a: u8, b: u8) {
        sized!(self, sz ; cmp a, b);
    }

    /// Sets the flags by `a - sext32(b)`; `a` is not 31.
    pub(super) fn cmp_sxtw(&mut self, a: u8, b: u8) {
        debug_assert_ne!(a, ZR, "the stack pointer");
        a64!(self ; cmp XSP(a), W(b), sxtw);
    }

    /// `to = a op imm` for `And`, `Or` or `Eor`, if there is such an immediate.
    pub(super) fn logic_imm(&mut self, op: Alu, sz: Sz, to: u8, a: u8, imm: u64) -> bool {
        if !is_logical(sz, imm) {
            return false;
        }
        match (op, sz) {
            (Alu::And, Sz::W) => a64!(self ; and WSP(to), W(a), imm as u32),
            (Alu::And, Sz::X) => a64!(self ; and XSP(to), X(a), imm),
            (Alu::Or, Sz::W) => a64!(self ; orr WSP(to), W(a), imm as u32),
            (Alu::Or, Sz::X) => a64!(self ; orr XSP(to), X(a), imm),
            (Alu::Eor, Sz::W) => a64!(self ; eor WSP(to), W(a), imm as u32),
            (Alu::Eor, Sz::X) => a64!(self ; eor XSP(to), X(a), imm),
            _ => unreachable!("{op:?} takes no immediate"),
        }
        true
    }

    /// Low `n` bits of `a`, 8, 16 or 32, sign- or zero-extended to 64 bits; 32 only signed.
    pub(super) fn extend_low(&mut self, signed: bool, to: u8, a: u8, n: u8) {
        match (signed, n) {
            (true, n) => self.bfx(true, to, a, 0, n),
            (false, 8) => a64!(self ; uxtb W(to), W(a)),
            (false, _) => a64!(self ; uxth W(to), W(a)),
        }
    }

    /// An instruction that was not dynasm's to encode.
    pub(super) fn word(&mut self, word: u32) {
        self.push_u32(word);
    }

    pub(super) fn sxtw(&mut self, to: u8, a: u8) {
        a64!(self ; sxtw X(to), W(a));
    }

    /// `to = zext32(a) << n`
    pub(super) fn lsl_uxtw(&mut self, to: u8, a: u8, n: u8) {
        self.bfiz(false, to, a, n, 32.min(64 - n));
    }

    /// The low `n` bits of `a`, sign- or zero-extended, shifted left by `by`.
    pub(super) fn bfiz(&mut self, signed: bool, to: u8, a: u8, by: u8, n: u8) {
        let (by, n) = (u32::from(by), u32::from(n));
        match signed {
            true => a64!(self ; sbfiz X(to), X(a), by, n),
            false => a64!(self ; ubfiz X(to), X(a), by, n),
        }
    }

    /// Bits `from..from + n` of `a`, sign- or zero-extended.
    pub(super) fn bfx(&mut self, signed: bool, to: u8, a: u8, from: u8, n: u8) {
        let (from, n) = (u32::from(from), u32::from(n));
        match signed {
            true => a64!(self ; sbfx X(to), X(a), from, n),
            false => a64!(self ; ubfx X(to), X(a), from, n),
        }
    }

    // Memory.

    /// A load or store of register `t`.
    pub(super) fn mem(&mut self, mem: Mem, t: u8, at: At) {
        macro_rules! access {
            ($t:ident, $op:ident, $near:ident, $log2:literal) => {
                match at {
                    At::Disp(base, disp) if is_scaled(disp.into(), $log2) => {
                        a64!(self ; $op $t(t), [XSP(base), disp as u32]);
                    }
                    At::Disp(base, disp) => a64!(self ; $near $t(t), [XSP(base), disp]),
                    At::Index(base, i, false) => a64!(self ; $op $t(t), [XSP(base), X(i)]),
                    At::Index(base, i, true) => {
                        a64!(self ; $op $t(t), [XSP(base), X(i), lsl $log2]);
                    }
                    At::IndexW(base, i) => a64!(self ; $op $t(t), [XSP(base), W(i), uxtw]),
                }
            };
        }
        match mem {
            Mem::StoreB => access!(W, strb, sturb, 0),
            Mem::StoreH => access!(W, strh, sturh, 1),
            Mem::StoreW => access!(W, str, stur, 2),
            Mem::StoreX => access!(X, str, stur, 3),
            Mem::LoadB => access!(W, ldrb, ldurb, 0),
            Mem::LoadH => access!(W, ldrh, ldurh, 1),
            Mem::LoadW => access!(W, ldr, ldur, 2),
            Mem::LoadX => access!(X, ldr, ldur, 3),
            Mem::LoadSb => access!(X, ldrsb, ldursb, 0),
            Mem::LoadSh => access!(X, ldrsh, ldursh, 1),
            Mem::LoadSw => access!(X, ldrsw, ldursw, 2),
            Mem::StoreS => access!(S, str, stur, 2),
            Mem::StoreD => access!(D, str, stur, 3),
            Mem::LoadS => access!(S, ldr, ldur, 2),
            Mem::LoadD => access!(D, ldr, ldur, 3),
        }
    }

    /// Two loads or stores next to each other, at `disp` bytes from `base`.
    pub(super) fn pair(&mut self, mem: Mem, (t, u): (u8, u8), base: u8, disp: i32) {
        match mem {
            Mem::StoreW => a64!(self ; stp W(t), W(u), [XSP(base), disp]),
            Mem::StoreX => a64!(self ; stp X(t), X(u), [XSP(base), disp]),
            Mem::StoreS => a64!(self ; stp S(t), S(u), [XSP(base), disp]),
            Mem::StoreD => a64!(self ; stp D(t), D(u), [XSP(base), disp]),
            Mem::LoadW => a64!(self ; ldp W(t), W(u), [XSP(base), disp]),
            Mem::LoadSw => a64!(self ; ldpsw X(t), X(u), [XSP(base), disp]),
            Mem::LoadX => a64!(self ; ldp X(t), X(u), [XSP(base), disp]),
            Mem::LoadS => a64!(self ; ldp S(t), S(u), [XSP(base), disp]),
            Mem::LoadD => a64!(self ; ldp D(t), D(u), [XSP(base), disp]),
            _ => unreachable!("no pairs of {mem:?}"),
        }
    }

    /// Loads a field of the thread state.
    pub(super) fn load_field(&mut self, to: u8, field: i32) {
        self.mem(Mem::LoadX, to, At::Disp(STATE, field));
    }

    /// Stores a field of the thread state.
    pub(super) fn store_field(&mut self, field: i32, from: u8) {
        self.mem(Mem::StoreX, from, At::Disp(STATE, field));
    }

    // Floating point.

    /// Copies the bits of a scalar vector register.
    pub(super) fn float_to_int(&mut self, sz: Sz, to: u8, from: u8) {
        match sz {
            Sz::W => a64!(self ; fmov W(to), S(from)),
            Sz::X => a64!(self ; fmov X(to), D(from)),
        }
    }

    /// The other way.
    pub(super) fn float_from_int(&mut self, sz: Sz, to: u8, from: u8) {
        match sz {
            Sz::W => a64!(self ; fmov S(to), W(from)),
            Sz::X => a64!(self ; fmov D(to), X(from)),
        }
    }

    /// `to =` FPSR
    pub(super) fn read_flags(&mut self, to: u8) {
        a64!(self ; mrs X(to), FPSR);
    }

    /// FPSR `= from`
    pub(super) fn write_flags(&mut self, from: u8) {
        a64!(self ; msr FPSR, X(from));
    }

    // What has a condition known only here.

    /// `to = cc ? a : b`
    pub(super) fn csel(&mut self, cc: Cc, sz: Sz, to: u8, a: u8, b: u8) {
        self.conditional(0x1a80_0000 | sf(sz), cc, to, a, b);
    }

    /// `to = cc ? a : !b`
    pub(super) fn csinv(&mut self, cc: Cc, sz: Sz, to: u8, a: u8, b: u8) {
        self.conditional(0x5a80_0000 | sf(sz), cc, to, a, b);
    }

    /// `to = cc ? 1 : 0`
    pub(super) fn cset(&mut self, cc: Cc, to: u8) {
        // `csinc to, zr, zr` with the inverse condition.
        self.conditional(0x1a80_0400, cc.inverse(), to, ZR, ZR);
    }

    /// `to = cc ? a : b` of scalar vector registers.
    pub(super) fn fcsel(&mut self, cc: Cc, to: u8, a: u8, b: u8) {
        self.conditional(0x1e60_0c00, cc, to, a, b);
    }

    fn conditional(&mut self, op: u32, cc: Cc, to: u8, a: u8, b: u8) {
        self.word(op | r(b) << 16 | r(cc.0) << 12 | r(a) << 5 | r(to));
    }

    // Control flow.

    pub(super) fn b(&mut self, target: CodePtr) {
        let site = self.pos();
        self.buf.note_distance(site, target);
        self.word(patch::b(site, target));
    }

    pub(super) fn test_word(test: Test) -> u32 {
        match test {
            Test::Flags(cc) => 0x5400_0000 | r(cc.0),
            Test::Zero(sz, reg, is) => 0x3400_0000 | u32::from(!is) << 24 | sf(sz) | r(reg),
            Test::Bit(n, reg, is) => {
                0x3600_0000 | u32::from(is) << 24 | r(n >> 5) << 31 | r(n & 31) << 19 | r(reg)
            }
        }
    }

    /// Gives a conditional branch of this block's code its target.
    pub(super) fn aim(&mut self, (at, word): (CodePtr, u32), target: CodePtr) {
        match patch::conditional(word, at, target) {
            Some(word) => self.buf.patch(at, word),
            None => unreachable!("a conditional branch too far"),
        }
    }

    /// Branches to `target`, wherever it is.
    pub(super) fn branch_to(&mut self, test: Test, target: CodePtr) {
        let site = self.pos();
        // At another place it might not reach that far.
        let moves = self.buf.relocatable
            && (target.0 < self.buf.hot_base || (target.0 >= self.buf.cold_base) != self.cold);
        if !moves && patch::conditional(Self::test_word(test), site, target).is_some() {
            let branch = self.branch_if(test);
            self.aim(branch, target);
        } else if self.cold {
            // What follows in the cold part is not known, so there is no place for a veneer.
            let over = self.branch_if(test.inverse());
            self.b(target);
            self.bind(over);
        } else {
            let (at, word) = self.branch_if(test);
            self.veneers.push(Veneer { at, word, target });
        }
    }

    /// Emits what branches out of reach lead to. Nothing may fall through to here.
    pub(super) fn emit_veneers(&mut self) {
        let mut made: Vec<(CodePtr, CodePtr)> = Vec::new();
        for veneer in std::mem::take(&mut self.veneers) {
            let at = match made.iter().find(|(target, _)| *target == veneer.target) {
                Some((_, at)) => *at,
                None => {
                    let at = self.pos();
                    self.b(veneer.target);
                    made.push((veneer.target, at));
                    at
                }
            };
            self.aim((veneer.at, veneer.word), at);
        }
    }
}

impl Test {
    /// Whether a register is negative, or whether it is not. Only for branches within a block.
    pub(super) const fn negative(sz: Sz, reg: u8, is: bool) -> Self {
        Self::Bit(bits(sz) - 1, reg, is)
    }

    pub(super) fn inverse(self) -> Self {
        match self {
            Self::Zero(sz, reg, is) => Self::Zero(sz, reg, !is),
            Self::Bit(n, reg, is) => Self::Bit(n, reg, !is),
            Self::Flags(cc) => Self::Flags(cc.inverse()),
        }
    }
}

#[cfg(all(test, feature = "tools"))]
mod tests;
