//! An encoder for the instructions that blocks are made of.
//!
//! dynasm's dynamic registers rule out every short form (8-bit displacements and immediates, no
//! SIB, no superfluous REX), which would make hot code half as large again; so the few shapes that
//! blocks use are written here, always in their shortest form. Fixed code (`stubs`) is dynasm's.

use super::regs::RBP;
use crate::backend::{Out, writes_to_out};
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

/// All of a legacy-encoded instruction but its operands, in what fits a register.
#[derive(Clone, Copy)]
struct Form {
    /// The opcode, with the bytes before it that name its map.
    op: u32,
    /// Their number.
    op_len: u8,
    /// Mandatory prefix, or 0.
    pp: u8,
    /// What a REX prefix has to have besides the bits of operands; 0x40 if there must be one.
    rex: u8,
}

impl Form {
    #[inline(always)]
    const fn new(pp: Pp, map: Map, op: u8, rex: u8) -> Self {
        let op = op as u32;
        let (op, op_len) = match map {
            Map::One => (op, 1),
            Map::M0F => (0x0f | op << 8, 2),
            Map::M0F38 => (0x380f | op << 16, 3),
            Map::M0F3A => (0x3a0f | op << 16, 3),
        };
        let pp = match pp {
            Pp::None => 0,
            Pp::P66 => 0x66,
            Pp::F3 => 0xf3,
            Pp::F2 => 0xf2,
        };
        Self { op, op_len, pp, rex }
    }
}

/// Operand size of a general instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sz {
    /// 32 bits.
    D,
    /// 64 bits.
    Q,
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

/// A condition code, by the number in opcodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cc(pub(super) u8);

impl Cc {
    pub(super) const O: Self = Self(0);
    pub(super) const B: Self = Self(2);
    pub(super) const AE: Self = Self(3);
    pub(super) const E: Self = Self(4);
    pub(super) const NE: Self = Self(5);
    pub(super) const BE: Self = Self(6);
    pub(super) const A: Self = Self(7);
    pub(super) const S: Self = Self(8);
    pub(super) const NS: Self = Self(9);
    pub(super) const P: Self = Self(10);
    pub(super) const NP: Self = Self(11);
    pub(super) const L: Self = Self(12);
    pub(super) const GE: Self = Self(13);
    pub(super) const LE: Self = Self(14);
    pub(super) const G: Self = Self(15);

    /// The condition that holds exactly when this one does not.
    pub(super) const fn inverse(self) -> Self {
        Self(self.0 ^ 1)
    }
}

/// Where the next instruction goes.
pub(super) struct Asm<'b> {
    out: Out<'b>,
    /// How guest addresses become host addresses.
    pub(super) mode: Mode,
    /// A register, the size and the end of the last instruction that set flags by its value, or of
    /// others behind it that keep both.
    pub(super) flags: Option<(u8, Sz, CodePtr)>,
    /// Start and end of the last arithmetic instruction without guest memory.
    arithmetic: (CodePtr, CodePtr),
    /// From where on code was moved for prefixes that pad, and by how many bytes; the latest time.
    #[cfg(debug_assertions)]
    pub(super) moved: std::cell::Cell<Option<(CodePtr, u32)>>,
}

writes_to_out!(Asm);

impl<'b> Asm<'b> {
    pub(super) fn new(out: Out<'b>, mode: Mode) -> Self {
        Self {
            out,
            mode,
            flags: None,
            arithmetic: (CodePtr(0), CodePtr(0)),
            #[cfg(debug_assertions)]
            moved: std::cell::Cell::default(),
        }
    }

    /// Whether ZF and SF are those of the value of `reg`, compared with zero as `sz`; the value is
    /// the sign-extension of its low half if `sz` is that.
    pub(super) fn flags_tell(&self, reg: u8, sz: Sz) -> bool {
        let at = self.pos();
        self.flags.is_some_and(|(r, set, end)| r == reg && end == at && (set == sz || set == Sz::Q))
    }

    /// Says that the last instruction has set flags by the result in `to`.
    fn sets_flags(&mut self, to: Rm, sz: Sz) {
        self.flags = match to {
            Rm::R(r) => Some((r, sz, self.pos())),
            _ => None,
        };
    }

    /// Emits by `f` an instruction that keeps flags and writes no other register than `writes`.
    fn keeps_flags(&mut self, writes: Option<u8>, f: impl FnOnce(&mut Self)) {
        let known = self.flags.filter(|(r, _, end)| *end == self.pos() && Some(*r) != writes);
        f(self);
        self.flags = known.map(|(r, sz, _)| (r, sz, self.pos()));
    }

    #[inline]
    pub(super) fn byte(&mut self, b: u8) {
        self.code().push(b);
    }

    #[inline]
    pub(super) fn bytes<const N: usize>(&mut self, b: &[u8; N]) {
        self.code().append(*b);
    }

    pub(super) fn imm32(&mut self, v: i32) {
        self.bytes(&v.to_le_bytes());
    }

    /// Extension bits X and B, and ModRM, SIB and displacement, lowest byte first, with their
    /// length.
    #[inline(always)]
    fn operand(reg: u8, rm: Rm) -> (u8, (u64, u32)) {
        match rm {
            Rm::R(r) => (r >> 3, (u64::from(0xc0 | (reg & 7) << 3 | (r & 7)), 1)),
            Rm::S(disp) => Self::based(reg, RBP, None, disp),
            Rm::M(Guest { base: Some(base), index, disp }) => Self::based(reg, base, index, disp),
            Rm::M(Guest { base: None, index, disp }) => {
                // Neither base nor instruction pointer: a SIB byte whose base is 5, in mode 0.
                let (index, scale) = index.unwrap_or((4, 0));
                let sib = scale << 6 | (index & 7) << 3 | 5;
                let modrm = u64::from((reg & 7) << 3 | 4);
                let x = (index >> 3) << 1;
                (x, (modrm | u64::from(sib) << 8 | u64::from(disp as u32) << 16, 6))
            }
            Rm::B(base, disp) => Self::based(reg, base, None, disp),
            Rm::X(base, index, scale, disp) => Self::based(reg, base, Some((index, scale)), disp),
        }
    }

    #[inline(always)]
    fn based(reg: u8, base: u8, index: Option<(u8, u8)>, disp: i32) -> (u8, (u64, u32)) {
        // Base codes 5 and 13 have no form without displacement; 4 and 12 need a SIB byte.
        let (mode, disp_len) = match i8::try_from(disp) {
            Ok(0) if base & 7 != 5 => (0, 0),
            Ok(_) => (0x40, 1),
            Err(_) => (0x80, 4),
        };
        let modrm = mode | (reg & 7) << 3;
        // Too many bytes of a short displacement do no harm: they are behind the end.
        let disp = u64::from(disp as u32);
        if index.is_none() && base & 7 != 4 {
            return (base >> 3, (u64::from(modrm | (base & 7)) | disp << 8, 1 + disp_len));
        }
        let (index, scale) = index.unwrap_or((4, 0));
        let sib = scale << 6 | (index & 7) << 3 | (base & 7);
        let bits = u64::from(modrm | 4) | u64::from(sib) << 8 | disp << 16;
        ((index >> 3) << 1 | base >> 3, (bits, 2 + disp_len))
    }

    /// What makes the sum of a guest address a host address: nothing, or the segment whose base is
    /// the host address of guest address 0, with the sum taken modulo 2^32 in a sandbox. The
    /// prefixes and their number.
    #[inline]
    fn guest_prefix(&self, rm: Rm) -> (u64, u32) {
        match self.mode {
            _ if !matches!(rm, Rm::M(_)) => (0, 0),
            Mode::Identity => (0, 0),
            Mode::Guarded => (0x65, 1),
            Mode::Sandbox => (0x6765, 2),
        }
    }

    /// An instruction whose opcode is one byte, the most by far: mostly it fits a register.
    fn plain(&mut self, op: u8, sz: Sz, reg: u8, rm: Rm) {
        let rex = u8::from(sz == Sz::Q) << 3 | (reg >> 3) << 2;
        match rm {
            Rm::R(r) => {
                let modrm = 0xc0 | (reg & 7) << 3 | (r & 7);
                self.plain_word(op, rex | r >> 3, (u64::from(modrm), 1));
            }
            Rm::S(disp) => {
                let (_, operand) = Self::based(reg, RBP, None, disp);
                self.plain_word(op, rex, operand);
            }
            Rm::M(Guest { base: Some(base), index: None, disp }) if self.mode == Mode::Identity => {
                let (b, operand) = Self::based(reg, base, None, disp);
                self.plain_word(op, rex | b, operand);
            }
            _ => self.legacy(Form::new(Pp::None, Map::One, op, rex & 8), reg, rm),
        }
    }

    /// An instruction whose operand is at most six bytes.
    #[inline(always)]
    fn plain_word(&mut self, op: u8, rex: u8, (operand, len): (u64, u32)) {
        let word = operand << 8 | u64::from(op);
        let (word, len) = match rex {
            0 => (word, len + 1),
            _ => (word << 8 | u64::from(rex | 0x40), len + 2),
        };
        self.code().put_word(word, len);
    }

    fn legacy(&mut self, form: Form, reg: u8, rm: Rm) {
        let (xb, tail) = Self::operand(reg, rm);
        let (mut head, mut len) = self.guest_prefix(rm);
        if form.pp != 0 {
            head |= u64::from(form.pp) << (8 * len);
            len += 1;
        }
        let rex = form.rex | (reg >> 3) << 2 | xb;
        if rex != 0 {
            head |= u64::from(rex | 0x40) << (8 * len);
            len += 1;
        }
        head |= u64::from(form.op) << (8 * len);
        self.code().put((head, len + u32::from(form.op_len)), tail);
    }

    /// An instruction without prefix or with the given one.
    #[inline(always)]
    pub(super) fn ins(&mut self, pp: Pp, map: Map, sz: Sz, op: u8, reg: u8, rm: Rm) {
        if pp == Pp::None && map == Map::One {
            self.plain(op, sz, reg, rm);
        } else {
            self.legacy(Form::new(pp, map, op, u8::from(sz == Sz::Q) << 3), reg, rm);
        }
    }

    /// An instruction on 8-bit registers.
    #[inline(always)]
    pub(super) fn ins8(&mut self, pp: Pp, map: Map, op: u8, reg: u8, rm: Rm) {
        // Of registers 4 to 7 the low byte can be named only where there is a prefix.
        let high = |r: u8| (4..8).contains(&r);
        let force = high(reg) || matches!(rm, Rm::R(r) if high(r));
        self.legacy(Form::new(pp, map, op, u8::from(force) << 6), reg, rm);
    }

    /// A VEX-encoded instruction on 128 bits or less; `w` is VEX.W.
    #[expect(clippy::too_many_arguments, reason = "an encoding has this many fields")]
    pub(super) fn vex(&mut self, pp: Pp, map: Map, w: bool, op: u8, reg: u8, vvvv: u8, rm: Rm) {
        self.vex_tail(pp as u8, map, w, op, reg, vvvv, rm);
    }

    /// The same on 256 bits.
    #[expect(clippy::too_many_arguments, reason = "an encoding has this many fields")]
    pub(super) fn vex256(&mut self, pp: Pp, map: Map, w: bool, op: u8, reg: u8, vvvv: u8, rm: Rm) {
        self.vex_tail(4 | pp as u8, map, w, op, reg, vvvv, rm);
    }

    /// `tail` are VEX.L and VEX.pp.
    #[expect(clippy::too_many_arguments, reason = "an encoding has this many fields")]
    fn vex_tail(&mut self, tail: u8, map: Map, w: bool, op: u8, reg: u8, vvvv: u8, rm: Rm) {
        let (prefix, prefixes) = self.guest_prefix(rm);
        let (xb, operand) = Self::operand(reg, rm);
        let tail = (!vvvv & 15) << 3 | tail;
        let (head, len) = if xb == 0 && !w && map == Map::M0F {
            ([0xc5, ((reg >> 3) ^ 1) << 7 | tail, op, 0], 3)
        } else {
            let one = ((reg >> 3) ^ 1) << 7 | (xb ^ 3) << 5 | map as u8;
            ([0xc4, one, u8::from(w) << 7 | tail, op], 4)
        };
        let head = prefix | u64::from(u32::from_le_bytes(head)) << (8 * prefixes);
        self.code().put((head, prefixes + len), operand);
    }

    // Moves.

    pub(super) fn mov(&mut self, sz: Sz, to: u8, from: Rm) {
        match from {
            Rm::R(r) if r == to && sz == Sz::Q => {}
            _ => self.keeps_flags(Some(to), |a| a.ins(Pp::None, Map::One, sz, 0x8b, to, from)),
        }
    }

    pub(super) fn mov_to(&mut self, sz: Sz, to: Rm, from: u8) {
        let writes = if let Rm::R(r) = to { Some(r) } else { None };
        self.keeps_flags(writes, |a| a.ins(Pp::None, Map::One, sz, 0x89, from, to));
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
        self.keeps_flags(Some(reg), |a| a.mov_imm_plain(reg, value));
    }

    fn mov_imm_plain(&mut self, reg: u8, value: u64) {
        let b = reg >> 3;
        let op = 0xb8 | u64::from(reg & 7);
        if value >> 32 == 0 {
            let head = if b == 0 { (op, 1) } else { (0x41 | op << 8, 2) };
            self.code().put(head, (value, 4));
        } else if value as i64 == i64::from(value as i32) {
            self.ins(Pp::None, Map::One, Sz::Q, 0xc7, 0, Rm::R(reg));
            self.imm32(value as i32);
        } else {
            self.code().put((0x48 | u64::from(b) | op << 8, 2), (value, 8));
        }
    }

    /// `to = imm`, sign-extended; memory operands.
    pub(super) fn mov_mem_imm(&mut self, sz: Sz, to: Rm, imm: i32) {
        self.keeps_flags(None, |a| {
            a.ins(Pp::None, Map::One, sz, 0xc7, 0, to);
            a.imm32(imm);
        });
    }

    pub(super) fn movsxd(&mut self, to: u8, from: Rm) {
        // The low half stays if it is extended in place, and so does what flags say of it.
        let word = matches!(self.flags, Some((_, Sz::D, _)));
        let writes = if from == Rm::R(to) && word { None } else { Some(to) };
        self.keeps_flags(writes, |a| a.ins(Pp::None, Map::One, Sz::Q, 0x63, to, from));
    }

    pub(super) fn lea(&mut self, sz: Sz, to: u8, from: Rm) {
        self.keeps_flags(Some(to), |a| a.ins(Pp::None, Map::One, sz, 0x8d, to, from));
    }

    // Arithmetic.

    pub(super) fn alu(&mut self, op: Alu, sz: Sz, to: u8, from: Rm) {
        let start = self.pos();
        self.ins(Pp::None, Map::One, sz, (op as u8) << 3 | 3, to, from);
        self.ends_arithmetic(start, from);
        if op != Alu::Cmp {
            self.sets_flags(Rm::R(to), sz);
        }
    }

    pub(super) fn alu_to(&mut self, op: Alu, sz: Sz, to: Rm, from: u8) {
        let start = self.pos();
        self.ins(Pp::None, Map::One, sz, (op as u8) << 3 | 1, from, to);
        self.ends_arithmetic(start, to);
    }

    pub(super) fn alu_imm(&mut self, op: Alu, sz: Sz, to: Rm, imm: i32) {
        let start = self.pos();
        if let Ok(i) = i8::try_from(imm) {
            self.ins(Pp::None, Map::One, sz, 0x83, op as u8, to);
            self.byte(i as u8);
        } else {
            self.ins(Pp::None, Map::One, sz, 0x81, op as u8, to);
            self.imm32(imm);
        }
        self.ends_arithmetic(start, to);
        if op != Alu::Cmp {
            self.sets_flags(to, sz);
        }
    }

    pub(super) fn test(&mut self, sz: Sz, a: u8, b: u8) {
        let start = self.pos();
        self.ins(Pp::None, Map::One, sz, 0x85, b, Rm::R(a));
        self.ends_arithmetic(start, Rm::R(a));
    }

    fn ends_arithmetic(&mut self, start: CodePtr, operand: Rm) {
        if !matches!(operand, Rm::M(_)) {
            self.arithmetic = (start, self.pos());
        }
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
        if !matches!(op, Shift::Rol | Shift::Ror) {
            self.sets_flags(to, sz);
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
        self.ins8(Pp::None, Map::M0F, 0x90 | cc.0, 0, Rm::R(to));
    }

    pub(super) fn bswap(&mut self, sz: Sz, to: u8) {
        let wide = if sz == Sz::Q { 8 } else { 0 };
        self.bytes(&[0x40 | wide | to >> 3, 0x0f, 0xc8 | (to & 7)]);
    }

    pub(super) fn movzx8(&mut self, to: u8, from: Rm) {
        self.ins8(Pp::None, Map::M0F, 0xb6, to, from);
    }

    pub(super) fn cmov(&mut self, cc: Cc, sz: Sz, to: u8, from: Rm) {
        self.ins(Pp::None, Map::M0F, sz, 0x40 | cc.0, to, from);
    }

    // Control flow. Displacements of 32 bits only: targets are mostly far or unknown.

    /// `jmp` to a known place.
    pub(super) fn jmp(&mut self, target: CodePtr) {
        self.jump_by(&[0xe9], target);
    }

    /// `reg = value` and a jump to a known place, in the cold part wherever other code goes; flags
    /// unchanged.
    pub(super) fn mov_jmp_in_cold(&mut self, reg: u8, value: u32, target: CodePtr) {
        debug_assert!(reg < 8, "no REX prefix");
        let mov = u64::from(0xb8 | reg) | u64::from(value) << 8;
        let site = CodePtr(self.buf.cold_pos().0 + 6);
        let word = super::patch::rel32(site, target);
        self.buf.note_distance(site, target);
        self.buf.cold.put((mov, 5), (0xe9 | u64::from(word) << 8, 5));
    }

    /// `jcc` to a known place.
    pub(super) fn jcc(&mut self, cc: Cc, target: CodePtr) {
        self.jump_by(&[0x0f, 0x80 | cc.0], target);
    }

    /// A jump to a known place whose opcode is `op`.
    #[inline]
    pub(super) fn jump_by<const N: usize>(&mut self, op: &[u8; N], target: CodePtr) {
        self.bytes(op);
        self.rel(target);
    }

    #[inline]
    pub(super) fn rel(&mut self, target: CodePtr) {
        let site = self.pos();
        self.buf.note_distance(site, target);
        self.bytes(&super::patch::rel32(site, target).to_le_bytes());
    }

    /// `jcc` forward over a few bytes; bind it with [`Self::bind_short`].
    pub(super) fn jcc_short(&mut self, cc: Cc) -> ShortLabel {
        self.bytes(&[0x70 | cc.0, 0]);
        ShortLabel { at: self.code().len(), cold: self.cold, bound: false }
    }

    pub(super) fn bind_short(&mut self, mut label: ShortLabel) {
        debug_assert_eq!(label.cold, self.cold, "a short jump stays in its part");
        let distance = self.code().len() - label.at;
        debug_assert!(distance < 128, "too far for a short jump");
        let at = label.at - 1;
        self.code()[at] = distance as u8;
        label.bound = true;
        self.flags = None;
    }

    /// Lets hot code go on at a multiple of `bytes`, a power of two, behind instructions that do
    /// nothing.
    pub(super) fn align_hot(&mut self, bytes: u32) {
        // nop word [rax + rax], with a displacement of 32 bits, and shorter ones.
        const NOP: u64 = 0x84_1f0f66;
        let mut missing = self.buf.hot_pos().0.wrapping_neg() & (bytes - 1);
        while missing >= 9 {
            self.buf.hot.put((NOP, 5), (0, 4));
            missing -= 9;
        }
        let nop: u64 = match missing {
            0 => return,
            1 => 0x90,
            2 => 0x9066,
            3 => 0x1f_0f,
            4 => 0x40_1f0f,
            5 => 0x44_1f0f,
            6 => 0x44_1f0f66,
            7 => 0x80_1f0f,
            _ => 0x84_1f0f,
        };
        self.buf.hot.put_word(nop, missing);
    }

    /// Pads so that the four bytes at `ahead` bytes from here do not cross a cache line: they will
    /// be replaced by one store while other threads may fetch them. A comparison right before a
    /// conditional jump is made longer, by prefixes without a meaning, so that the host still takes
    /// both as one; elsewhere it is one no-operation.
    pub(super) fn pad_for_patch(&mut self, ahead: u32) {
        const SS: u8 = 0x36;
        const NOPS: [u64; 3] = [0x90, 0x9066, 0x1f_0f];
        let here = self.pos();
        let at = (here.0 + ahead) & 63;
        if at <= 60 {
            return;
        }
        let missing = 64 - at;
        let (start, end) = self.arithmetic;
        let out = self.code();
        if end == here && ahead == 2 {
            let at = out.len() - (end.0 - start.0) as usize;
            (0..missing).for_each(|_| out.push(SS));
            out[at..].rotate_right(missing as usize);
            #[cfg(debug_assertions)]
            self.moved.set(Some((start, missing)));
        } else {
            out.put((NOPS[missing as usize - 1], missing), (0, 0));
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

#[cfg(all(test, feature = "tools"))]
mod tests;
