//! An encoder for the instructions that blocks are made of, and for branches whose target is out
//! of a conditional branch's reach.
//!
//! Encodings are those of the Arm Architecture Reference Manual, chapter C4. A register number 31
//! is the zero register unless a function says that it is the stack pointer. Fixed code (`entry`)
//! is dynasm's.

use super::patch;
use super::regs::{STATE, X17, ZR};
use crate::backend::emit::Host;
use crate::backend::{Out, ShiftOp, writes_to_out};
use crate::ir::Width;
use crate::util::CodePtr;

/// `stp`/`ldp` of two integer registers at a displacement, for [`Asm::pair`].
pub(super) const STP: u32 = 0xa900_0000;
pub(super) const LDP: u32 = 0xa940_0000;
/// The same of two vector registers' low halves.
pub(super) const STP_D: u32 = 0x6d00_0000;
pub(super) const LDP_D: u32 = 0x6d40_0000;
/// With the base register changed before or after the access.
pub(super) const STP_PUSH: u32 = 0xa980_0000;
pub(super) const LDP_POP: u32 = 0xa8c0_0000;
/// `br` and `blr` without their register.
pub(super) const BR: u32 = 0xd61f_0000;
pub(super) const BLR: u32 = 0xd63f_0000;
/// `mrs` and `msr` of the accrued exceptions without their register.
pub(super) const MRS_FPSR: u32 = 0xd53b_4420;
pub(super) const MSR_FPSR: u32 = 0xd51b_4420;

/// Operand size of an integer instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sz {
    /// 32 bits; the upper half of the result is zero.
    W,
    /// 64 bits.
    X,
}

/// Condition codes, by their encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cc {
    Eq = 0,
    Ne = 1,
    Hs = 2,
    Lo = 3,
    Mi = 4,
    Pl = 5,
    Vs = 6,
    Vc = 7,
    Hi = 8,
    Ls = 9,
    Ge = 10,
    Lt = 11,
    Gt = 12,
    Le = 13,
}

/// What a conditional branch asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// The flags.
    Flags(Cc),
    /// Whether a register is zero.
    Zero(Sz, u8),
    /// Whether a register is not zero.
    NotZero(Sz, u8),
    /// Whether a register is negative. Only for branches within a block.
    Negative(Sz, u8),
    /// Whether a register is not negative. Only for branches within a block.
    NotNegative(Sz, u8),
    /// Whether one of the low 32 bits of a register, by its number, is set. Only for branches
    /// within a block.
    Bit(u8, u8),
    /// Whether it is not. Only for branches within a block.
    NotBit(u8, u8),
}

/// Arithmetic and logic on a register and a shifted register: the fixed bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Alu {
    Add = 0x0b00_0000,
    Sub = 0x4b00_0000,
    Subs = 0x6b00_0000,
    And = 0x0a00_0000,
    Ands = 0x6a00_0000,
    Bic = 0x0a20_0000,
    Or = 0x2a00_0000,
    Orn = 0x2a20_0000,
    Eor = 0x4a00_0000,
    Eon = 0x4a20_0000,
}

/// Two-source operations: the fixed bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Two {
    Udiv = 0x1ac0_0800,
    Sdiv = 0x1ac0_0c00,
    Lsl = 0x1ac0_2000,
    Lsr = 0x1ac0_2400,
    Asr = 0x1ac0_2800,
    Ror = 0x1ac0_2c00,
}

/// A shifted register: which, where to, how far.
pub(super) type Shifted = (u8, ShiftOp, u8);

/// Size and kind of a load or store: bits 31:30, 26 and 23:22 of its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Mem {
    StoreB = 0x0000_0000,
    StoreH = 0x4000_0000,
    StoreW = 0x8000_0000,
    StoreX = 0xc000_0000,
    LoadB = 0x0040_0000,
    LoadH = 0x4040_0000,
    LoadW = 0x8040_0000,
    LoadX = 0xc040_0000,
    LoadSb = 0x0080_0000,
    LoadSh = 0x4080_0000,
    LoadSw = 0x8080_0000,
    StoreS = 0x8400_0000,
    StoreD = 0xc400_0000,
    LoadS = 0x8440_0000,
    LoadD = 0xc440_0000,
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
        self as u32 >> 30
    }
}

/// True if `disp` can be part of the instruction that accesses `mem`.
pub(super) const fn fits(mem: Mem, disp: i64) -> bool {
    let log2 = mem.log2();
    let scaled = disp >= 0 && disp >> log2 < 4096 && disp & ((1 << log2) - 1) == 0;
    scaled || -256 <= disp && disp < 256
}

const fn sf(sz: Sz) -> u32 {
    match sz {
        Sz::W => 0,
        Sz::X => 1 << 31,
    }
}

/// `sf` and `N` of bit-field operations.
const fn sf_n(sz: Sz) -> u32 {
    match sz {
        Sz::W => 0,
        Sz::X => 1 << 31 | 1 << 22,
    }
}

pub(super) const fn bits(sz: Sz) -> u8 {
    match sz {
        Sz::W => 32,
        Sz::X => 64,
    }
}

impl Cc {
    const ALL: [Self; 14] = [
        Self::Eq,
        Self::Ne,
        Self::Hs,
        Self::Lo,
        Self::Mi,
        Self::Pl,
        Self::Vs,
        Self::Vc,
        Self::Hi,
        Self::Ls,
        Self::Ge,
        Self::Lt,
        Self::Gt,
        Self::Le,
    ];

    /// The condition that holds if this one does not.
    pub(super) fn inverse(self) -> Self {
        match Self::ALL.iter().find(|c| **c as u32 == self as u32 ^ 1) {
            Some(inverse) => *inverse,
            None => unreachable!("conditions come in pairs"),
        }
    }

    /// The condition after the operands of a comparison were exchanged.
    pub(super) const fn exchange(self) -> Self {
        match self {
            Self::Lo => Self::Hi,
            Self::Hi => Self::Lo,
            Self::Hs => Self::Ls,
            Self::Ls => Self::Hs,
            Self::Lt => Self::Gt,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            Self::Le => Self::Ge,
            other => other,
        }
    }
}

/// `N:immr:imms` of a logical immediate, in place; `None` if there is none for `value`.
///
/// Such a value is an element of 2, 4, 8, 16, 32 or 64 bits, repeated, and the element is a run of
/// ones, rotated.
pub(super) fn logical_imm(sz: Sz, value: u64) -> Option<u32> {
    let value = match sz {
        Sz::W => value & 0xffff_ffff | value << 32,
        Sz::X => value,
    };
    if value == 0 || value == u64::MAX {
        return None;
    }
    let mut size = 64;
    while size > 2 {
        let half = size / 2;
        let mask = (1u64 << half) - 1;
        if value & mask != value >> half & mask {
            break;
        }
        size = half;
    }
    let mask = if size == 64 { u64::MAX } else { (1 << size) - 1 };
    let element = value & mask;
    let ones = element.count_ones();
    // The element rotated right by `start` is the run at the bottom.
    let rotated =
        |by: u32| if by == 0 { element } else { (element >> by | element << (size - by)) & mask };
    let start = (0..size).find(|&by| rotated(by) == (1 << ones) - 1)?;
    let immr = (size - start) % size;
    let (n, imms) = match size {
        64 => (1, ones - 1),
        _ => (0, !(2 * size - 1) & 0x3f | (ones - 1)),
    };
    Some(n << 22 | immr << 16 | imms << 10)
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

impl Asm<'_> {
    pub(super) fn word(&mut self, word: u32) {
        self.code().append(word.to_le_bytes());
    }

    // Moves and constants.

    pub(super) fn mov(&mut self, sz: Sz, to: u8, from: u8) {
        if to != from || sz == Sz::W {
            self.alu(Alu::Or, sz, to, ZR, from);
        }
    }

    /// `reg = value`, in as few instructions as it takes.
    pub(super) fn mov_imm(&mut self, reg: u8, value: u64) {
        let sz = if value >> 32 == 0 { Sz::W } else { Sz::X };
        let width = u32::from(bits(sz));
        let parts = |v: u64| (0..width / 16).map(move |i| (i, (v >> (16 * i)) as u16));
        let zeros = parts(value).filter(|p| p.1 == 0).count();
        let ones = parts(value).filter(|p| p.1 == 0xffff).count();
        let single = ones + 1 >= width as usize / 16 || zeros + 1 >= width as usize / 16;
        if !single && let Some(imm) = logical_imm(sz, value) {
            return self.word(0x3200_0000 | sf(sz) | imm | r(ZR) << 5 | r(reg));
        }
        let (first, skip) = if ones > zeros { (0x1280_0000, 0xffff) } else { (0x5280_0000, 0) };
        let mut op = first;
        for (i, part) in parts(value).filter(|p| p.1 != skip) {
            let imm = if op == 0x1280_0000 { !part } else { part };
            self.word(op | sf(sz) | i << 21 | u32::from(imm) << 5 | r(reg));
            op = 0x7280_0000;
        }
        if op == first {
            // All parts are alike: zero, or all ones.
            self.word(op | sf(sz) | r(reg));
        }
    }

    // Arithmetic.

    /// `to = a op b`
    pub(super) fn alu(&mut self, op: Alu, sz: Sz, to: u8, a: u8, b: u8) {
        self.alu_lsl(op, sz, to, a, b, 0);
    }

    /// `to = a op (b shifted by n)`
    pub(super) fn alu_shifted(&mut self, op: Alu, sz: Sz, to: u8, a: u8, (b, by, n): Shifted) {
        let kind = match by {
            ShiftOp::Left => 0,
            ShiftOp::Right => 1 << 22,
            ShiftOp::Signed => 2 << 22,
        };
        self.word(op as u32 | sf(sz) | kind | r(b) << 16 | r(n) << 10 | r(a) << 5 | r(to));
    }

    /// `to = a` shifted by `n`, which is not 0; a shifted word is sign-extended.
    pub(super) fn shift(&mut self, op: ShiftOp, w: Width, to: u8, a: u8, n: u8) {
        match (op, w) {
            (ShiftOp::Left, Width::D) => self.lsl_imm(Sz::X, to, a, n),
            (ShiftOp::Left, Width::W) => self.bfiz(true, to, a, n, 32 - n),
            (ShiftOp::Right, Width::D) => self.shr_imm(false, Sz::X, to, a, n),
            // The highest bit is 0.
            (ShiftOp::Right, Width::W) => self.shr_imm(false, Sz::W, to, a, n),
            (ShiftOp::Signed, Width::D) => self.shr_imm(true, Sz::X, to, a, n),
            (ShiftOp::Signed, Width::W) => self.bfx(true, to, a, n, 32 - n),
        }
    }

    /// `to = a op (b << n)`
    pub(super) fn alu_lsl(&mut self, op: Alu, sz: Sz, to: u8, a: u8, b: u8, n: u8) {
        self.word(op as u32 | sf(sz) | r(b) << 16 | r(n) << 10 | r(a) << 5 | r(to));
    }

    /// `to = a + (zext32(b) << n)`; `a` 31 is the stack pointer.
    pub(super) fn add_uxtw(&mut self, to: u8, a: u8, b: u8, n: u8) {
        self.word(0x8b20_4000 | r(b) << 16 | r(n) << 10 | r(a) << 5 | r(to));
    }

    /// `to = a + imm`; x17 may be used. Flags are unchanged.
    pub(super) fn add_imm(&mut self, sz: Sz, to: u8, a: u8, imm: i64) {
        if a == ZR {
            let v = if sz == Sz::W { u64::from(imm as u32) } else { imm as u64 };
            return self.mov_imm(to, v);
        }
        let op = if imm < 0 { 0x5100_0000 } else { 0x1100_0000 } | sf(sz);
        let n = imm.unsigned_abs();
        let (low, high) = ((n & 0xfff) as u32, (n >> 12) as u32);
        match (low, high) {
            (0, 0) => self.mov(sz, to, a),
            (_, 0) => self.word(op | low << 10 | r(a) << 5 | r(to)),
            (0, h) if n >> 24 == 0 => self.word(op | 1 << 22 | h << 10 | r(a) << 5 | r(to)),
            (_, h) if n >> 24 == 0 => {
                self.word(op | 1 << 22 | h << 10 | r(a) << 5 | r(to));
                self.word(op | low << 10 | r(to) << 5 | r(to));
            }
            _ => {
                debug_assert_ne!(a, X17, "the far constant's register");
                self.mov_imm(X17, imm as u64);
                self.alu(Alu::Add, sz, to, a, X17);
            }
        }
    }

    /// `to = a + (imm << shift)` for 12 bits and a shift of 0 or 12, and the flags of it.
    pub(super) fn adds_imm(&mut self, sz: Sz, to: u8, a: u8, imm: u16, shift: u8) {
        debug_assert!(imm < 1 << 12 && matches!(shift, 0 | 12));
        let shifted = u32::from(shift / 12) << 22;
        self.word(0x3100_0000 | sf(sz) | shifted | u32::from(imm) << 10 | r(a) << 5 | r(to));
    }

    /// Sets the flags by `a - imm`, if the immediate fits.
    pub(super) fn cmp_imm(&mut self, sz: Sz, a: u8, imm: i64) -> bool {
        let op = if imm < 0 { 0x3100_0000 } else { 0x7100_0000 } | sf(sz) | r(ZR);
        let n = imm.unsigned_abs();
        if n < 4096 {
            self.word(op | (n as u32) << 10 | r(a) << 5);
        } else if n & 0xfff == 0 && n >> 24 == 0 {
            self.word(op | 1 << 22 | (n as u32 >> 12) << 10 | r(a) << 5);
        } else {
            return false;
        }
        true
    }

    /// Sets the flags by `a - b`.
    pub(super) fn cmp(&mut self, sz: Sz, a: u8, b: u8) {
        self.alu(Alu::Subs, sz, ZR, a, b);
    }

    /// Sets the flags by `a - sext32(b)`; `a` is not 31.
    pub(super) fn cmp_sxtw(&mut self, a: u8, b: u8) {
        debug_assert_ne!(a, ZR, "the stack pointer");
        self.word(0xeb20_c000 | r(b) << 16 | r(a) << 5 | r(ZR));
    }

    /// `to = a op imm` for `And`, `Ands`, `Or` or `Eor`, if there is such an immediate.
    pub(super) fn logic_imm(&mut self, op: Alu, sz: Sz, to: u8, a: u8, imm: u64) -> bool {
        let Some(field) = logical_imm(sz, imm) else { return false };
        let opcode = (op as u32 & 0x6000_0000) | 0x1200_0000;
        self.word(opcode | sf(sz) | field | r(a) << 5 | r(to));
        true
    }

    /// `sbfm`: `signed`, else `ubfm`.
    fn bfm(&mut self, signed: bool, sz: Sz, to: u8, a: u8, (immr, imms): (u8, u8)) {
        let op = if signed { 0x1300_0000 } else { 0x5300_0000 };
        self.word(op | sf_n(sz) | r(immr) << 16 | r(imms) << 10 | r(a) << 5 | r(to));
    }

    /// Low `n` bits of `a`, sign- or zero-extended to 64 bits.
    pub(super) fn extend(&mut self, signed: bool, to: u8, a: u8, n: u8) {
        self.bfm(signed, if signed { Sz::X } else { Sz::W }, to, a, (0, n - 1));
    }

    pub(super) fn sxtw(&mut self, to: u8, a: u8) {
        self.extend(true, to, a, 32);
    }

    pub(super) fn lsl_imm(&mut self, sz: Sz, to: u8, a: u8, n: u8) {
        let width = bits(sz);
        self.bfm(false, sz, to, a, ((width - n) & (width - 1), width - 1 - n));
    }

    /// `to = zext32(a) << n`
    pub(super) fn lsl_uxtw(&mut self, to: u8, a: u8, n: u8) {
        self.bfm(false, Sz::X, to, a, ((64 - n) & 63, 31.min(63 - n)));
    }

    /// `lsr`, or `asr` if `signed`.
    pub(super) fn shr_imm(&mut self, signed: bool, sz: Sz, to: u8, a: u8, n: u8) {
        self.bfm(signed, sz, to, a, (n, bits(sz) - 1));
    }

    /// The low `n` bits of `a`, sign- or zero-extended, shifted left by `by`.
    pub(super) fn bfiz(&mut self, signed: bool, to: u8, a: u8, by: u8, n: u8) {
        self.bfm(signed, Sz::X, to, a, ((64 - by) & 63, n - 1));
    }

    /// Bits `from..from + n` of `a`, sign- or zero-extended.
    pub(super) fn bfx(&mut self, signed: bool, to: u8, a: u8, from: u8, n: u8) {
        self.bfm(signed, Sz::X, to, a, (from, from + n - 1));
    }

    /// Bits `from..from + n` of `a`, zero-extended.
    pub(super) fn ubfx(&mut self, to: u8, a: u8, from: u8, n: u8) {
        self.bfx(false, to, a, from, n);
    }

    pub(super) fn ror_imm(&mut self, sz: Sz, to: u8, a: u8, n: u8) {
        self.extr(sz, to, a, a, n);
    }

    /// Low half of `(high:low) >> n`.
    pub(super) fn extr(&mut self, sz: Sz, to: u8, high: u8, low: u8, n: u8) {
        self.word(0x1380_0000 | sf_n(sz) | r(low) << 16 | r(n) << 10 | r(high) << 5 | r(to));
    }

    pub(super) fn two(&mut self, op: Two, sz: Sz, to: u8, a: u8, b: u8) {
        self.word(op as u32 | sf(sz) | r(b) << 16 | r(a) << 5 | r(to));
    }

    /// `to = c + a * b`, or `c - a * b`.
    pub(super) fn madd(&mut self, subtract: bool, sz: Sz, to: u8, (a, b, c): (u8, u8, u8)) {
        let op = 0x1b00_0000 | u32::from(subtract) << 15;
        self.word(op | sf(sz) | r(b) << 16 | r(c) << 10 | r(a) << 5 | r(to));
    }

    /// High half of the product.
    pub(super) fn mul_high(&mut self, signed: bool, to: u8, a: u8, b: u8) {
        let op = if signed { 0x9b40_7c00 } else { 0x9bc0_7c00 };
        self.word(op | r(b) << 16 | r(a) << 5 | r(to));
    }

    /// `to = cc ? a : b`
    pub(super) fn csel(&mut self, cc: Cc, sz: Sz, to: u8, a: u8, b: u8) {
        self.word(0x1a80_0000 | sf(sz) | r(b) << 16 | (cc as u32) << 12 | r(a) << 5 | r(to));
    }

    /// `to = cc ? a : !b`
    pub(super) fn csinv(&mut self, cc: Cc, sz: Sz, to: u8, a: u8, b: u8) {
        self.word(0x5a80_0000 | sf(sz) | r(b) << 16 | (cc as u32) << 12 | r(a) << 5 | r(to));
    }

    /// `to = cc ? 1 : 0`
    pub(super) fn cset(&mut self, cc: Cc, to: u8) {
        // `csinc to, zr, zr` with the inverse condition.
        self.word(0x1a9f_07e0 | (cc as u32 ^ 1) << 12 | r(to));
    }

    pub(super) fn clz(&mut self, sz: Sz, to: u8, a: u8) {
        self.word(0x5ac0_1000 | sf(sz) | r(a) << 5 | r(to));
    }

    pub(super) fn rbit(&mut self, sz: Sz, to: u8, a: u8) {
        self.word(0x5ac0_0000 | sf(sz) | r(a) << 5 | r(to));
    }

    /// All eight bytes in reverse order.
    pub(super) fn rev(&mut self, to: u8, a: u8) {
        self.word(0xdac0_0c00 | r(a) << 5 | r(to));
    }

    // Memory.

    /// A load or store of register `t`.
    pub(super) fn mem(&mut self, mem: Mem, t: u8, at: At) {
        let op = 0x3800_0000 | mem as u32 | r(t);
        let word = match at {
            At::Disp(base, disp) => {
                let log2 = mem.log2();
                debug_assert!(fits(mem, disp.into()), "displacement {disp}");
                let scaled = disp >= 0 && disp & ((1 << log2) - 1) == 0;
                r(base) << 5
                    | if scaled {
                        1 << 24 | (disp as u32 >> log2) << 10
                    } else {
                        (disp as u32 & 0x1ff) << 12
                    }
            }
            At::Index(base, index, scaled) => {
                0x0020_6800 | u32::from(scaled) << 12 | r(index) << 16 | r(base) << 5
            }
            At::IndexW(base, index) => 0x0020_4800 | r(index) << 16 | r(base) << 5,
        };
        self.word(op | word);
    }

    /// Loads a field of the thread state.
    pub(super) fn load_field(&mut self, to: u8, field: i32) {
        self.mem(Mem::LoadX, to, At::Disp(STATE, field));
    }

    /// Stores a field of the thread state.
    pub(super) fn store_field(&mut self, field: i32, from: u8) {
        self.mem(Mem::StoreX, from, At::Disp(STATE, field));
    }

    /// `ldp`, `stp` and their forms with write-back: `op` has all bits but registers and
    /// displacement, which is in units of 8 bytes.
    pub(super) fn pair(&mut self, op: u32, (a, b): (u8, u8), base: u8, disp: i32) {
        let imm = (disp as u32 & 0x7f) << 15;
        self.word(op | imm | r(b) << 10 | r(base) << 5 | r(a));
    }

    /// An instruction with three register fields: `op | m << 16 | n << 5 | d`.
    pub(super) fn dnm(&mut self, op: u32, d: u8, n: u8, m: u8) {
        self.word(op | r(m) << 16 | r(n) << 5 | r(d));
    }

    /// An instruction with two register fields.
    pub(super) fn dn(&mut self, op: u32, d: u8, n: u8) {
        self.word(op | r(n) << 5 | r(d));
    }

    // Control flow.

    pub(super) fn b(&mut self, target: CodePtr) {
        let word = patch::b(self.pos(), target);
        self.word(word);
    }

    /// `to =` the executable address that lies `bytes` from here.
    pub(super) fn adr(&mut self, to: u8, bytes: u32) {
        self.word(0x1000_0000 | (bytes & 3) << 29 | (bytes >> 2) << 5 | r(to));
    }

    pub(super) const fn test_word(test: Test) -> u32 {
        match test {
            Test::Flags(cc) => 0x5400_0000 | cc as u32,
            Test::Zero(sz, reg) => 0x3400_0000 | sf(sz) | r(reg),
            Test::NotZero(sz, reg) => 0x3500_0000 | sf(sz) | r(reg),
            Test::Negative(sz, reg) => 0x3700_0000 | sign_bit(sz) | r(reg),
            Test::NotNegative(sz, reg) => 0x3600_0000 | sign_bit(sz) | r(reg),
            Test::Bit(n, reg) => 0x3700_0000 | r(n) << 19 | r(reg),
            Test::NotBit(n, reg) => 0x3600_0000 | r(n) << 19 | r(reg),
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
        if patch::conditional(Self::test_word(test), self.pos(), target).is_some() {
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

/// The number of the highest bit, as `tbz` and `tbnz` have it.
const fn sign_bit(sz: Sz) -> u32 {
    match sz {
        Sz::W => 31 << 19,
        Sz::X => 1 << 31 | 31 << 19,
    }
}

impl Test {
    pub(super) fn inverse(self) -> Self {
        match self {
            Self::Zero(sz, reg) => Self::NotZero(sz, reg),
            Self::NotZero(sz, reg) => Self::Zero(sz, reg),
            Self::Negative(sz, reg) => Self::NotNegative(sz, reg),
            Self::NotNegative(sz, reg) => Self::Negative(sz, reg),
            Self::Bit(n, reg) => Self::NotBit(n, reg),
            Self::NotBit(n, reg) => Self::Bit(n, reg),
            Self::Flags(cc) => Self::Flags(cc.inverse()),
        }
    }
}
