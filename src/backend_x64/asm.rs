//! An encoder for the instructions that blocks are made of.
//!
//! dynasm's dynamic registers rule out every short form (8-bit displacements and immediates, no
//! SIB, no superfluous REX), which would make hot code half as large again; so the few shapes that
//! blocks use are written here, always in their shortest form. Fixed code (`entry`) is dynasm's.

use super::regs::RBP;
use crate::backend::CodeBuf;
use crate::mem::Mode;
use crate::util::CodePtr;

/// A register or memory operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rm {
    /// A register.
    R(u8),
    /// `[rbp + disp]`: a slot or field of the thread state.
    S(i32),
    /// Guest memory.
    M(Guest),
    /// `[base + disp]`.
    B(u8, i32),
    /// `[base + index << scale + disp]`.
    X(u8, u8, u8, i32),
}

/// A guest address: the sum of what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guest {
    pub(super) base: Option<u8>,
    /// A register and how far it is shifted left, 0 to 3.
    pub(super) index: Option<(u8, u8)>,
    pub(super) disp: i32,
}

impl Guest {
    /// What a register says.
    pub(super) const fn at(base: u8) -> Self {
        Self { base: Some(base), index: None, disp: 0 }
    }
}

/// Mandatory prefix; the values are those of VEX.pp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pp {
    None = 0,
    P66 = 1,
    F3 = 2,
    F2 = 3,
}

/// Opcode map; the values are those of VEX.mmmmm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Map {
    One = 0,
    M0F = 1,
    M0F38 = 2,
    M0F3A = 3,
}

/// Operand size of a general instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sz {
    /// 32 bits.
    D,
    /// 64 bits.
    Q,
}

impl Sz {
    /// Number of bits.
    pub(super) const fn bits(self) -> u8 {
        match self {
            Self::D => 32,
            Self::Q => 64,
        }
    }
}

/// Two-operand arithmetic, by the number in its opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alu {
    Add = 0,
    Or = 1,
    And = 4,
    Sub = 5,
    Xor = 6,
    Cmp = 7,
}

/// Shifts and rotates, by the number in their opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shift {
    Rol = 0,
    Ror = 1,
    Shl = 4,
    Shr = 5,
    Sar = 7,
}

/// Condition codes, by the number in their opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cc {
    O = 0,
    B = 2,
    Ae = 3,
    E = 4,
    Ne = 5,
    Be = 6,
    A = 7,
    S = 8,
    P = 10,
    Np = 11,
    L = 12,
    Ge = 13,
    Le = 14,
    G = 15,
}

/// Where the next instruction goes.
pub(super) struct Asm<'b> {
    pub(super) buf: &'b mut CodeBuf,
    pub(super) cold: bool,
    /// How guest addresses become host addresses.
    pub(super) mode: Mode,
}

impl Asm<'_> {
    pub(super) fn pos(&self) -> CodePtr {
        if self.cold { self.buf.cold_pos() } else { self.buf.hot_pos() }
    }

    fn out(&mut self) -> &mut Vec<u8> {
        if self.cold { &mut self.buf.cold } else { &mut self.buf.hot }
    }

    pub(super) fn byte(&mut self, b: u8) {
        self.out().push(b);
    }

    pub(super) fn bytes(&mut self, b: &[u8]) {
        self.out().extend_from_slice(b);
    }

    pub(super) fn imm32(&mut self, v: i32) {
        self.bytes(&v.to_le_bytes());
    }

    /// Appends the low `len` bytes of `bits`, 16 at most: all of them are written and the rest is
    /// cut off, which is faster than one by one.
    fn put(&mut self, bits: u128, len: u32) {
        let out = self.out();
        let end = out.len() + len as usize;
        out.extend_from_slice(&bits.to_le_bytes());
        out.truncate(end);
    }

    /// ModRM, SIB and displacement, lowest byte first, and their length.
    fn modrm(reg: u8, rm: Rm) -> (u64, u32) {
        let reg = (reg & 7) << 3;
        match rm {
            Rm::R(r) => (u64::from(0xc0 | reg | (r & 7)), 1),
            Rm::S(disp) => Self::based(reg, RBP, None, disp),
            Rm::M(Guest { base: Some(base), index, disp }) => Self::based(reg, base, index, disp),
            Rm::M(Guest { base: None, index, disp }) => {
                // Neither base nor instruction pointer: a SIB byte whose base is 5, in mode 0.
                let (index, scale) = index.unwrap_or((4, 0));
                let sib = scale << 6 | (index & 7) << 3 | 5;
                (u64::from(reg | 4) | u64::from(sib) << 8 | u64::from(disp as u32) << 16, 6)
            }
            Rm::B(base, disp) => Self::based(reg, base, None, disp),
            Rm::X(base, index, scale, disp) => Self::based(reg, base, Some((index, scale)), disp),
        }
    }

    fn based(reg: u8, base: u8, index: Option<(u8, u8)>, disp: i32) -> (u64, u32) {
        // Base codes 5 and 13 have no form without displacement; 4 and 12 need a SIB byte.
        let (mode, disp, disp_len) = match i8::try_from(disp) {
            Ok(0) if base & 7 != 5 => (0, 0, 0),
            Ok(d) => (0x40, u64::from(d as u8), 1),
            Err(_) => (0x80, u64::from(disp as u32), 4),
        };
        let sib = match index {
            Some((index, scale)) => Some(scale << 6 | (index & 7) << 3 | (base & 7)),
            None if base & 7 == 4 => Some(0x24),
            None => None,
        };
        match sib {
            Some(sib) => {
                let both = u64::from(mode | reg | 4) | u64::from(sib) << 8;
                (both | disp << 16, 2 + disp_len)
            }
            None => (u64::from(mode | reg | (base & 7)) | disp << 8, 1 + disp_len),
        }
    }

    /// Extension bits (X, B) of an operand.
    fn xb(rm: Rm) -> (u8, u8) {
        match rm {
            Rm::R(r) => (0, r >> 3),
            Rm::S(_) => (0, 0),
            Rm::M(g) => (g.index.map_or(0, |(i, _)| i >> 3), g.base.map_or(0, |b| b >> 3)),
            Rm::B(b, _) => (0, b >> 3),
            Rm::X(b, i, _, _) => (i >> 3, b >> 3),
        }
    }

    /// What makes the sum of a guest address a host address: nothing, or the segment whose base is
    /// the host address of guest address 0, with the sum taken modulo 2^32 in a sandbox. The prefixes
    /// and their number.
    fn guest_prefix(&self, rm: Rm) -> (u64, u32) {
        match self.mode {
            _ if !matches!(rm, Rm::M(_)) => (0, 0),
            Mode::Identity => (0, 0),
            Mode::Guarded => (0x65, 1),
            Mode::Sandbox => (0x6765, 2),
        }
    }

    /// A legacy-encoded instruction. `force_rex` is for byte registers 4 to 7.
    #[expect(clippy::too_many_arguments, reason = "an encoding has this many fields")]
    fn legacy(&mut self, pp: Pp, map: Map, sz: Sz, op: u8, reg: u8, rm: Rm, force_rex: bool) {
        let (mut head, mut len) = self.guest_prefix(rm);
        let mut add = |bits: u64, n: u32| {
            head |= bits << (8 * len);
            len += n;
        };
        match pp {
            Pp::None => {}
            Pp::P66 => add(0x66, 1),
            Pp::F3 => add(0xf3, 1),
            Pp::F2 => add(0xf2, 1),
        }
        let (x, b) = Self::xb(rm);
        let rex = 0x40 | u8::from(sz == Sz::Q) << 3 | (reg >> 3) << 2 | x << 1 | b;
        if rex != 0x40 || force_rex {
            add(rex.into(), 1);
        }
        match map {
            Map::One => {}
            Map::M0F => add(0x0f, 1),
            Map::M0F38 => add(0x380f, 2),
            Map::M0F3A => add(0x3a0f, 2),
        }
        add(op.into(), 1);
        let (tail, tail_len) = Self::modrm(reg, rm);
        self.put(u128::from(head) | u128::from(tail) << (8 * len), len + tail_len);
    }

    /// An instruction without prefix or with the given one.
    pub(super) fn ins(&mut self, pp: Pp, map: Map, sz: Sz, op: u8, reg: u8, rm: Rm) {
        self.legacy(pp, map, sz, op, reg, rm, false);
    }

    /// An instruction on 8-bit registers.
    pub(super) fn ins8(&mut self, pp: Pp, map: Map, op: u8, reg: u8, rm: Rm) {
        let high = |r: u8| (4..8).contains(&r);
        let force = high(reg) || matches!(rm, Rm::R(r) if high(r));
        self.legacy(pp, map, Sz::D, op, reg, rm, force);
    }

    /// A VEX-encoded instruction on 128 bits or less; `w` is VEX.W.
    #[expect(clippy::too_many_arguments, reason = "an encoding has this many fields")]
    pub(super) fn vex(&mut self, pp: Pp, map: Map, w: bool, op: u8, reg: u8, vvvv: u8, rm: Rm) {
        let (prefix, prefixes) = self.guest_prefix(rm);
        let (x, b) = Self::xb(rm);
        let tail = (!vvvv & 15) << 3 | pp as u8;
        let (head, len) = if x == 0 && b == 0 && !w && map == Map::M0F {
            ([0xc5, ((reg >> 3) ^ 1) << 7 | tail, op, 0], 3)
        } else {
            let one = ((reg >> 3) ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | map as u8;
            ([0xc4, one, u8::from(w) << 7 | tail, op], 4)
        };
        let head = prefix | u64::from(u32::from_le_bytes(head)) << (8 * prefixes);
        let len = prefixes + len;
        let (tail, tail_len) = Self::modrm(reg, rm);
        self.put(u128::from(head) | u128::from(tail) << (8 * len), len + tail_len);
    }

    // Moves.

    pub(super) fn mov(&mut self, sz: Sz, to: u8, from: Rm) {
        if from != Rm::R(to) || sz == Sz::D {
            self.ins(Pp::None, Map::One, sz, 0x8b, to, from);
        }
    }

    pub(super) fn mov_to(&mut self, sz: Sz, to: Rm, from: u8) {
        self.ins(Pp::None, Map::One, sz, 0x89, from, to);
    }

    /// `reg = value`, flags may change.
    pub(super) fn mov_imm(&mut self, reg: u8, value: u64) {
        if value == 0 {
            self.alu(Alu::Xor, Sz::D, reg, Rm::R(reg));
        } else {
            self.mov_imm_keep_flags(reg, value);
        }
    }

    /// `reg = value`, flags unchanged.
    pub(super) fn mov_imm_keep_flags(&mut self, reg: u8, value: u64) {
        let b = reg >> 3;
        if let Ok(v) = u32::try_from(value) {
            if b != 0 {
                self.byte(0x41);
            }
            self.byte(0xb8 | (reg & 7));
            self.imm32(v as i32);
        } else if value as i64 == i64::from(value as i32) {
            self.ins(Pp::None, Map::One, Sz::Q, 0xc7, 0, Rm::R(reg));
            self.imm32(value as i32);
        } else {
            self.bytes(&[0x48 | b, 0xb8 | (reg & 7)]);
            self.bytes(&value.to_le_bytes());
        }
    }

    /// `to = imm`, sign-extended; memory operands.
    pub(super) fn mov_mem_imm(&mut self, sz: Sz, to: Rm, imm: i32) {
        self.ins(Pp::None, Map::One, sz, 0xc7, 0, to);
        self.imm32(imm);
    }

    pub(super) fn movsxd(&mut self, to: u8, from: Rm) {
        self.ins(Pp::None, Map::One, Sz::Q, 0x63, to, from);
    }

    pub(super) fn lea(&mut self, sz: Sz, to: u8, from: Rm) {
        self.ins(Pp::None, Map::One, sz, 0x8d, to, from);
    }

    // Arithmetic.

    pub(super) fn alu(&mut self, op: Alu, sz: Sz, to: u8, from: Rm) {
        self.ins(Pp::None, Map::One, sz, (op as u8) << 3 | 3, to, from);
    }

    pub(super) fn alu_to(&mut self, op: Alu, sz: Sz, to: Rm, from: u8) {
        self.ins(Pp::None, Map::One, sz, (op as u8) << 3 | 1, from, to);
    }

    pub(super) fn alu_imm(&mut self, op: Alu, sz: Sz, to: Rm, imm: i32) {
        if let Ok(i) = i8::try_from(imm) {
            self.ins(Pp::None, Map::One, sz, 0x83, op as u8, to);
            self.byte(i as u8);
        } else {
            self.ins(Pp::None, Map::One, sz, 0x81, op as u8, to);
            self.imm32(imm);
        }
    }

    pub(super) fn test(&mut self, sz: Sz, a: u8, b: u8) {
        self.ins(Pp::None, Map::One, sz, 0x85, b, Rm::R(a));
    }

    pub(super) fn test_imm8(&mut self, a: u8, imm: u8) {
        self.ins8(Pp::None, Map::One, 0xf6, 0, Rm::R(a));
        self.byte(imm);
    }

    pub(super) fn shift_imm(&mut self, op: Shift, sz: Sz, to: Rm, n: u8) {
        if n == 1 {
            self.ins(Pp::None, Map::One, sz, 0xd1, op as u8, to);
        } else {
            self.ins(Pp::None, Map::One, sz, 0xc1, op as u8, to);
            self.byte(n);
        }
    }

    /// Shift by cl.
    pub(super) fn shift_cl(&mut self, op: Shift, sz: Sz, to: u8) {
        self.ins(Pp::None, Map::One, sz, 0xd3, op as u8, Rm::R(to));
    }

    /// `neg`, `not`, `mul`, `imul`, `div`, `idiv` by their number in opcode F7.
    pub(super) fn unary(&mut self, number: u8, sz: Sz, rm: Rm) {
        self.ins(Pp::None, Map::One, sz, 0xf7, number, rm);
    }

    pub(super) fn imul(&mut self, sz: Sz, to: u8, from: Rm) {
        self.ins(Pp::None, Map::M0F, sz, 0xaf, to, from);
    }

    pub(super) fn imul_imm(&mut self, sz: Sz, to: u8, from: Rm, imm: i32) {
        if let Ok(i) = i8::try_from(imm) {
            self.ins(Pp::None, Map::One, sz, 0x6b, to, from);
            self.byte(i as u8);
        } else {
            self.ins(Pp::None, Map::One, sz, 0x69, to, from);
            self.imm32(imm);
        }
    }

    /// `to = 0 or 1`, upper bits unchanged.
    pub(super) fn setcc(&mut self, cc: Cc, to: u8) {
        self.ins8(Pp::None, Map::M0F, 0x90 | cc as u8, 0, Rm::R(to));
    }

    pub(super) fn movzx8(&mut self, to: u8, from: Rm) {
        self.ins8(Pp::None, Map::M0F, 0xb6, to, from);
    }

    pub(super) fn cmov(&mut self, cc: Cc, sz: Sz, to: u8, from: Rm) {
        self.ins(Pp::None, Map::M0F, sz, 0x40 | cc as u8, to, from);
    }

    // Control flow. Displacements of 32 bits only: targets are mostly far or unknown.

    /// `jmp` to a known place.
    pub(super) fn jmp(&mut self, target: CodePtr) {
        self.byte(0xe9);
        self.rel(target);
    }

    /// `jcc` to a known place.
    pub(super) fn jcc(&mut self, cc: Cc, target: CodePtr) {
        self.bytes(&[0x0f, 0x80 | cc as u8]);
        self.rel(target);
    }

    /// `call` of a known place.
    pub(super) fn call(&mut self, target: CodePtr) {
        self.byte(0xe8);
        self.rel(target);
    }

    pub(super) fn rel(&mut self, target: CodePtr) {
        let word = super::patch::rel32(self.pos(), target);
        self.bytes(&word.to_le_bytes());
    }

    /// `jcc` forward over a few bytes; bind it with [`Self::bind_short`].
    pub(super) fn jcc_short(&mut self, cc: Cc) -> ShortLabel {
        self.bytes(&[0x70 | cc as u8, 0]);
        ShortLabel { at: self.out().len(), cold: self.cold, bound: false }
    }

    pub(super) fn bind_short(&mut self, mut label: ShortLabel) {
        debug_assert_eq!(label.cold, self.cold, "a short jump stays in its part");
        let distance = self.out().len() - label.at;
        debug_assert!(distance < 128, "too far for a short jump");
        let at = label.at - 1;
        self.out()[at] = distance as u8;
        label.bound = true;
    }

    /// Pads with no-operations so that the four bytes at `ahead` bytes from here do not cross a
    /// cache line: they will be replaced by one store while other threads may fetch them.
    pub(super) fn pad_for_patch(&mut self, ahead: u32) {
        let at = (self.pos().0 + ahead) & 63;
        if at > 60 {
            for _ in 0..64 - at {
                self.byte(0x90);
            }
        }
    }
}

/// A short forward jump whose target is not known yet.
#[must_use]
pub(super) struct ShortLabel {
    at: usize,
    cold: bool,
    bound: bool,
}

impl Drop for ShortLabel {
    fn drop(&mut self) {
        debug_assert!(self.bound || std::thread::panicking(), "a short jump was never bound");
    }
}
