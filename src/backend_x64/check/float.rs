//! Instructions that move and compare floating-point values, of which the low halves of vector
//! registers are known.

use super::{Machine, mask};
use crate::backend::check::Guest;
use iced_x86::{Instruction, InstructionInfo, Mnemonic, OpAccess, OpKind};

impl Machine {
    /// Executes an instruction that moves or compares floating-point values; `None` if it is
    /// another one.
    pub(super) fn vector(&mut self, i: &Instruction, guest: &mut Guest<'_>) -> Option<()> {
        let last = i.op_count().checked_sub(1)?;
        let from_memory = i.op_kind(last) == OpKind::Memory;
        match i.mnemonic() {
            Mnemonic::Movsd | Mnemonic::Vmovsd | Mnemonic::Movq | Mnemonic::Vmovq => {
                let value = self.vector_source(i, last, 8, guest)?;
                self.vector_result(i, 8, value, guest)
            }
            Mnemonic::Movss | Mnemonic::Vmovss
                if !from_memory && i.op0_kind() != OpKind::Memory =>
            {
                let low = self.vector_source(i, last, 4, guest)?;
                let other = self.vector_source(i, last - 1, 8, guest)?;
                self.vector_result(i, 8, other & !mask(4) | low, guest)
            }
            Mnemonic::Movss | Mnemonic::Vmovss | Mnemonic::Movd | Mnemonic::Vmovd => {
                let value = self.vector_source(i, last, 4, guest)?;
                self.vector_result(i, 4, value, guest)
            }
            Mnemonic::Movaps | Mnemonic::Vmovaps if i.op0_kind() == OpKind::Register => {
                let value = self.vector_source(i, 1, 8, guest)?;
                self.vector_result(i, 8, value, guest)
            }
            Mnemonic::Pextrd | Mnemonic::Vpextrd if i.immediate8() == 1 => {
                let value = self.vector_source(i, 1, 8, guest)? >> 32;
                self.vector_result(i, 4, value, guest)
            }
            Mnemonic::Ucomisd
            | Mnemonic::Vucomisd
            | Mnemonic::Comisd
            | Mnemonic::Vcomisd
            | Mnemonic::Ucomiss
            | Mnemonic::Vucomiss
            | Mnemonic::Comiss
            | Mnemonic::Vcomiss => self.compare(i, guest),
            Mnemonic::Vcmpsd | Mnemonic::Vcmpss => self.compare_as_mask(i, guest),
            Mnemonic::Vblendvpd | Mnemonic::Vblendvps => self.blend(i, guest),
            _ => self.vector_logic(i, guest),
        }
    }

    /// What an instruction writes to vector registers that is not known: random, and as arithmetic
    /// does it, a NaN of the host's if an operand is one, now and then another.
    pub(super) fn arithmetic_result(&mut self, i: &Instruction, info: &InstructionInfo) -> u64 {
        let random = self.random.next_u64();
        let name = format!("{:?}", i.mnemonic());
        let (from_single, to_single) = if name.ends_with("ss2sd") {
            (true, false)
        } else if name.ends_with("sd2ss") {
            (false, true)
        } else if name.ends_with("ss") || name.ends_with("sd") {
            (name.ends_with("ss"), name.ends_with("ss"))
        } else {
            return random;
        };
        let nan = |x: u64| match from_single {
            true => f32::from_bits(x as u32).is_nan(),
            false => f64::from_bits(x).is_nan(),
        };
        let read = |access| {
            matches!(access, OpAccess::Read | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
        };
        let mut sources = info
            .used_registers()
            .iter()
            .filter(|used| used.register().is_vector_register() && read(used.access()));
        let found = sources.any(|used| nan(self.vectors[used.register().number() & 15]));
        match (found || random & 3 == 0, to_single) {
            (true, true) => random & !mask(4) | 0xffc0_0001,
            (true, false) => 0xfff8 << 48 | 1,
            (false, true) => random & !(1 << 30),
            (false, false) => random & !(1 << 62),
        }
    }

    fn vector_logic(&mut self, i: &Instruction, guest: &mut Guest<'_>) -> Option<()> {
        let operate: fn(u64, u64) -> u64 = match i.mnemonic() {
            Mnemonic::Andps | Mnemonic::Andpd | Mnemonic::Vandps | Mnemonic::Vandpd => |a, b| a & b,
            Mnemonic::Orps | Mnemonic::Orpd | Mnemonic::Vorps | Mnemonic::Vorpd => |a, b| a | b,
            Mnemonic::Xorps | Mnemonic::Xorpd | Mnemonic::Vxorps | Mnemonic::Vxorpd => |a, b| a ^ b,
            Mnemonic::Andnps | Mnemonic::Andnpd | Mnemonic::Vandnps | Mnemonic::Vandnpd => {
                |a, b| !a & b
            }
            _ => return None,
        };
        let first = i.op_count() - 2;
        let a = self.vector_source(i, first, 8, guest)?;
        let b = self.vector_source(i, first + 1, 8, guest)?;
        self.vector_result(i, 8, operate(a, b), guest)
    }

    fn compare(&mut self, i: &Instruction, guest: &mut Guest<'_>) -> Option<()> {
        let single = matches!(
            i.mnemonic(),
            Mnemonic::Ucomiss | Mnemonic::Vucomiss | Mnemonic::Comiss | Mnemonic::Vcomiss
        );
        let bytes = if single { 4 } else { 8 };
        let (a, b) = (self.number(i, 0, bytes, guest)?, self.number(i, 1, bytes, guest)?);
        let unordered = a.is_nan() || b.is_nan();
        self.flags.zero = unordered || a == b;
        self.flags.carry = unordered || a < b;
        self.flags.parity = unordered;
        (self.flags.sign, self.flags.overflow) = (false, false);
        Some(())
    }

    /// All ones in the low element if a condition holds, else zero.
    fn compare_as_mask(&mut self, i: &Instruction, guest: &mut Guest<'_>) -> Option<()> {
        let single = i.mnemonic() == Mnemonic::Vcmpss;
        let bytes = if single { 4 } else { 8 };
        let (x, y) = (self.number(i, 1, bytes, guest)?, self.number(i, 2, bytes, guest)?);
        // Bit 4 only tells which NaNs raise a flag.
        let holds = match i.immediate8() & 15 {
            0 => x == y,
            1 => x < y,
            2 => x <= y,
            3 => x.is_nan() || y.is_nan(),
            7 => !x.is_nan() && !y.is_nan(),
            _ => return None,
        };
        let rest = self.vector_source(i, 1, 8, guest)? & !mask(bytes);
        self.vector_result(i, 8, rest | if holds { mask(bytes) } else { 0 }, guest)
    }

    /// Elements of one operand or the other, as the highest bits of a third tell.
    fn blend(&mut self, i: &Instruction, guest: &mut Guest<'_>) -> Option<()> {
        let bits = if i.mnemonic() == Mnemonic::Vblendvps { 32 } else { 64 };
        let [a, b, chosen] = [1, 2, 3].map(|op| self.vector_source(i, op, 8, guest));
        let (a, b, chosen) = (a?, b?, chosen?);
        let mut value = a;
        for at in (0..64).step_by(bits) {
            if chosen >> (at + bits - 1) & 1 != 0 {
                let element = mask(bits as u32 / 8) << at;
                value = value & !element | b & element;
            }
        }
        self.vector_result(i, 8, value, guest)
    }

    /// The number in the low `bytes` bytes of an operand.
    fn number(
        &mut self,
        i: &Instruction,
        op: u32,
        bytes: u32,
        guest: &mut Guest<'_>,
    ) -> Option<f64> {
        let bits = self.vector_source(i, op, bytes, guest)?;
        Some(if bytes == 4 { f32::from_bits(bits as u32).into() } else { f64::from_bits(bits) })
    }

    /// The low `bytes` bytes of an operand: a vector register, a general one, or memory.
    fn vector_source(
        &mut self,
        i: &Instruction,
        op: u32,
        bytes: u32,
        guest: &mut Guest<'_>,
    ) -> Option<u64> {
        Some(match i.op_kind(op) {
            OpKind::Register if i.op_register(op).is_xmm() => {
                self.vectors[i.op_register(op).number() & 15] & mask(bytes)
            }
            OpKind::Register if i.op_register(op).is_gpr() => {
                self.registers[i.op_register(op).full_register().number()] & mask(bytes)
            }
            OpKind::Memory => self.read_operand(i, bytes, guest),
            _ => return None,
        })
    }

    /// Writes `value` to the first operand: to memory `bytes` bytes of it.
    fn vector_result(
        &mut self,
        i: &Instruction,
        bytes: u32,
        value: u64,
        guest: &mut Guest<'_>,
    ) -> Option<()> {
        match i.op0_kind() {
            OpKind::Register if i.op0_register().is_xmm() => {
                self.vectors[i.op0_register().number() & 15] = value;
            }
            OpKind::Register if i.op0_register().is_gpr() => {
                self.set_sized(i.op0_register(), value);
            }
            OpKind::Memory => self.write_operand(i, bytes, value, guest),
            _ => return None,
        }
        Some(())
    }
}
