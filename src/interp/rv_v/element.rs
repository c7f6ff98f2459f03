//! Elements, and the walk over them.

use super::legal::{self, Type};
use super::row::{Action, Eew, Operation, Row};
use super::{Hart, Insn, Op, Vector, x};
use crate::isa::Format;
use crate::softfloat::{self, Bf16, F16, F32, F64, Format as _, Round};

/// What an operation may need besides its operands, and what it leaves.
pub(super) struct Env {
    /// Bytes of an element as a power of two: of the destination, or what `vs2` has if that is a
    /// mask.
    pub(super) width: u8,
    /// The same of `vs2`.
    pub(super) source: u8,
    /// Number of the element.
    pub(super) index: usize,
    /// The element's bit of v0, where that is an operand.
    pub(super) carry: bool,
    /// Fixed-point rounding mode.
    pub(super) vxrm: u8,
    /// A result was saturated.
    pub(super) saturated: bool,
    /// Floating-point rounding mode.
    pub(super) round: Round,
    /// Exceptions.
    pub(super) fflags: u8,
}

impl Env {
    /// Bits of an element.
    pub(super) fn bits(&self) -> u32 {
        8 << self.width
    }
}

/// An instruction while it is executed.
pub(super) struct Exec<'a> {
    v: &'a mut Vector,
    pub(super) i: &'a Insn,
    vlenb: usize,
    pub(super) ty: Type,
    /// The first element, and the one behind the last.
    pub(super) start: usize,
    pub(super) vl: usize,
    pub(super) env: Env,
}

/// The low bits of `value` as an element of so many bytes (a power of two), extended.
pub(super) fn extend(value: u64, width: u8, signed: bool) -> i128 {
    let shift = 128 - (8 << width);
    let high = i128::from(value) << shift;
    if signed { high >> shift } else { (high as u128 >> shift) as i128 }
}

impl<'a> Exec<'a> {
    /// Makes ready for `i`; `None` if it is illegal.
    pub(super) fn new(h: &Hart, v: &'a mut Vector, i: &'a Insn, row: &Row) -> Option<Self> {
        let ty = legal::check(h, v, i, row)?;
        let width = |eew| match eew {
            Eew::Times(n) | Eew::First(n) => ty.sew.wrapping_add_signed(n),
            Eew::Bits16 => 1,
            Eew::Mask | Eew::Unused | Eew::Registers(_) => ty.sew,
        };
        let env = Env {
            width: if row.vd == Eew::Mask { width(row.vs2) } else { width(row.vd) },
            source: width(row.vs2),
            index: 0,
            carry: false,
            vxrm: v.vcsr >> 1,
            saturated: false,
            round: Round::of(7, h.frm).unwrap_or(Round::NearestEven),
            fflags: 0,
        };
        let (start, vl) = (v.vstart.into(), v.vl.into());
        Some(Self { v, i, vlenb: h.vector_unit.vlenb.into(), ty, start, vl, env })
    }

    /// What every instruction that completes leaves behind.
    pub(super) fn finish(self, h: &mut Hart) {
        self.v.vstart = 0;
        self.v.vcsr |= u8::from(self.env.saturated);
        h.fflags |= self.env.fflags;
    }

    /// Elements of SEW in a register.
    pub(super) fn per_register(&self) -> usize {
        self.vlenb >> self.ty.sew
    }

    /// Elements of SEW in a group.
    pub(super) fn vlmax(&self) -> usize {
        let per_register = self.per_register();
        if self.ty.lmul >= 0 { per_register << self.ty.lmul } else { per_register >> -self.ty.lmul }
    }

    /// Element `n` of the group that begins at register `r`, of `1 << width` bytes.
    pub(super) fn get(&self, r: u8, n: usize, width: u8) -> u64 {
        get(self.v, self.vlenb, r, n, width)
    }

    /// The same, extended.
    fn value(&self, r: u8, n: usize, width: u8, signed: bool) -> i128 {
        extend(self.get(r, n, width), width, signed)
    }

    /// Writes an element.
    pub(super) fn set(&mut self, r: u8, n: usize, width: u8, value: u64) {
        set(self.v, self.vlenb, r, n, width, value);
    }

    /// Bit `n` of register `r`.
    pub(super) fn bit(&self, r: u8, n: usize) -> bool {
        self.get(r, n / 8, 0) >> (n % 8) & 1 != 0
    }

    /// Writes a bit.
    pub(super) fn set_bit(&mut self, r: u8, n: usize, value: bool) {
        let byte = self.get(r, n / 8, 0) & !(1 << (n % 8)) | u64::from(value) << (n % 8);
        self.set(r, n / 8, 0, byte);
    }

    /// Whether element `n` is active.
    pub(super) fn active(&self, n: usize) -> bool {
        !self.i.masked() || self.bit(0, n)
    }

    /// The operand in place of `vs1`, where it is the same for all elements: the low bits of an
    /// integer register, a number, or the immediate.
    pub(super) fn scalar(&self, h: &Hart) -> Option<u64> {
        let i = self.i;
        match i.op.format() {
            Format::VecVx | Format::VecMacVx | Format::VecVxm | Format::VecMvX => Some(x(h, i.rs1)),
            Format::VecVf | Format::VecMacVf | Format::VecVfm | Format::VecMvF => {
                let nan = if i.op == Op::Vfwmaccbf16Vf { Bf16::NAN } else { F16::NAN };
                Some(number(h, i.rs1, self.ty.sew, nan))
            }
            Format::VecVi | Format::VecVu | Format::VecVu6 | Format::VecVim | Format::VecMvI => {
                Some(i.imm as u64)
            }
            _ => None,
        }
    }

    /// Does what the row says.
    pub(super) fn run(&mut self, h: &mut Hart, row: &Row) {
        match row.action {
            Action::Elements(op, signed2, signed1) => {
                self.each(h, row, op, [signed2, signed1], [false; 2]);
            }
            Action::Widened(op, widen2, widen1) => {
                self.each(h, row, op, [false; 2], [widen2, widen1]);
            }
            Action::Whole(whole) => whole(self, h),
            Action::Groups(groups) => groups(self),
            Action::Config(_) | Action::Access(_) => {}
        }
    }

    /// Computes the active elements in order.
    fn each(
        &mut self,
        h: &Hart,
        row: &Row,
        operation: Operation,
        signed: [bool; 2],
        widen: [bool; 2],
    ) {
        let (i, sew) = (self.i, self.ty.sew);
        let scalar = self.scalar(h).map(|value| extend(value, sew, signed[1]));
        let carries = matches!(
            i.op.format(),
            Format::VecVvm | Format::VecVxm | Format::VecVim | Format::VecVfm
        );
        for n in self.start..self.vl {
            if !carries && !self.active(n) {
                continue;
            }
            self.env.index = n;
            self.env.carry = carries && self.bit(0, n);
            let a = match row.vs2 {
                Eew::Unused => 0,
                Eew::Mask => self.bit(i.rs2, n).into(),
                _ => self.value(i.rs2, n, self.env.source, signed[0]),
            };
            let b = match (scalar, row.vs1) {
                (Some(scalar), _) => scalar,
                (None, Eew::Mask) => self.bit(i.rs1, n).into(),
                (None, _) => self.value(i.rs1, n, sew, signed[1]),
            };
            let a = if widen[0] { self.widen(a) } else { a };
            let b = if widen[1] { self.widen(b) } else { b };
            if row.vd == Eew::Mask {
                let result = operation(&mut self.env, 0, a, b);
                self.set_bit(i.rd, n, result != 0);
            } else {
                let width = self.env.width;
                let d = if row.reads_vd { self.value(i.rd, n, width, false) } else { 0 };
                let result = operation(&mut self.env, d, a, b);
                self.set(i.rd, n, width, result as u64);
            }
        }
    }

    /// A number of SEW, twice as wide.
    pub(super) fn widen(&mut self, value: i128) -> i128 {
        let (bits, flags) = (value as u64, &mut self.env.fflags);
        // Exact, so that rounding does not matter.
        match self.ty.sew {
            1 => softfloat::convert::<F16, F32>(bits, Round::Zero, flags).into(),
            _ => softfloat::convert::<F32, F64>(bits, Round::Zero, flags).into(),
        }
    }
}

/// A bfloat16 number as a single.
pub(super) fn widen_bf16(bits: i128, flags: &mut u8) -> i128 {
    softfloat::convert::<Bf16, F32>(bits as u64, Round::Zero, flags).into()
}

/// A floating-point register as a number of so many bytes: one that is not NaN-boxed counts as the
/// canonical NaN, which for 16 bits is told.
fn number(h: &Hart, r: u8, width: u8, nan16: u64) -> u64 {
    let value = h.f[usize::from(r & 31)];
    let boxed = |bits: u32, nan| if value >> bits == u64::MAX >> bits { value } else { nan };
    match width {
        1 => boxed(16, nan16),
        2 => boxed(32, F32::NAN),
        _ => value,
    }
}

/// Element `n` of the group that begins at register `r`, of `1 << width` bytes.
pub(super) fn get(v: &Vector, vlenb: usize, r: u8, n: usize, width: u8) -> u64 {
    let at = usize::from(r) * vlenb + (n << width);
    let bytes = v.bytes.get(at..at + (1 << width)).unwrap_or_default();
    let mut all = [0; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(all)
}

/// Writes an element.
pub(super) fn set(v: &mut Vector, vlenb: usize, r: u8, n: usize, width: u8, value: u64) {
    let at = usize::from(r) * vlenb + (n << width);
    if let Some(bytes) = v.bytes.get_mut(at..at + (1 << width)) {
        bytes.copy_from_slice(&value.to_le_bytes()[..1 << width]);
    }
}
