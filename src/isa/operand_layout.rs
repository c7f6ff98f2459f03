//! Plans: how to take the operands out of an encoding, as data that can be followed without a
//! branch for each format.

use super::imm::Imm;
use super::{Format, Insn, Op};

/// Register numbers, one to a byte: `rd`, `rs1`, `rs2`, `rs3` from the lowest up.
type Registers = u32;

const RD: Registers = 0x1f;
const RS1: Registers = 0x1f00;
const RS2: Registers = 0x1f_0000;
const RS3: Registers = 0x1f00_0000;

/// How to take the operands out of a 32-bit encoding, whose register fields never move.
#[derive(Clone, Copy, Debug)]
pub(super) struct OperandLayout {
    /// The registers that there are.
    registers: Registers,
    /// 7 where there is a rounding mode (bits 14:12), else 0.
    rm: u8,
    imm: Imm,
    /// Register bits that must be zero: an odd register of a pair is reserved.
    even: Registers,
}

/// The operands of an encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operands {
    /// `rd`, `rs1`, `rs2`, `rs3`.
    pub(super) registers: [u8; 4],
    pub(super) rm: u8,
    pub(super) imm: i32,
}

impl Operands {
    /// The instruction that has them.
    #[inline(always)]
    pub(super) fn insn(self, op: Op, len: u8, bits: u32) -> Insn {
        let Operands { registers: [rd, rs1, rs2, rs3], rm, imm } = self;
        Insn { op, rd, rs1, rs2, rs3, rm, len, imm, bits }
    }
}

impl OperandLayout {
    const fn new(registers: Registers, imm: Imm) -> OperandLayout {
        OperandLayout { registers, rm: 0, imm, even: 0 }
    }

    const fn rounded(registers: Registers) -> OperandLayout {
        OperandLayout { registers, rm: 7, imm: Imm::None, even: 0 }
    }

    /// The operands of `word`; `None` if they are reserved.
    #[inline(always)]
    pub(super) fn operands(&self, word: u32) -> Option<Operands> {
        let spread = word >> 7 & (RD | RS1) | word >> 4 & RS2 | word >> 3 & RS3;
        let registers = spread & self.registers;
        let rm = (word >> 12) as u8 & self.rm;
        // Rounding modes 5 and 6 are reserved; without one `rm` is 0.
        let reserved = registers & self.even != 0 || matches!(rm, 5 | 6);
        let operands = Operands { registers: registers.to_le_bytes(), rm, imm: self.imm.of(word) };
        (!reserved).then_some(operands)
    }
}

impl Format {
    /// How to take the operands out of a word.
    pub(super) const fn plan(self) -> OperandLayout {
        match self {
            Format::R | Format::Fp | Format::FpCmp | Format::Amo => {
                OperandLayout::new(RD | RS1 | RS2, Imm::None)
            }
            Format::AmoPair => {
                OperandLayout { even: 0x01_0001, ..OperandLayout::new(RD | RS1 | RS2, Imm::None) }
            }
            Format::Unary | Format::Lr | Format::FpToInt | Format::IntToFp | Format::Fli => {
                OperandLayout::new(RD | RS1, Imm::None)
            }
            Format::I | Format::Load | Format::Jalr | Format::FpLoad => {
                OperandLayout::new(RD | RS1, Imm::I)
            }
            Format::Shamt6 | Format::Shamt5 => OperandLayout::new(RD | RS1, Imm::Shift),
            Format::Store | Format::FpStore => OperandLayout::new(RS1 | RS2, Imm::S),
            Format::B => OperandLayout::new(RS1 | RS2, Imm::B),
            Format::U => OperandLayout::new(RD, Imm::U),
            Format::J => OperandLayout::new(RD, Imm::J),
            Format::Fence | Format::FenceTso => OperandLayout::new(0, Imm::Unsigned12),
            Format::FenceI | Format::Bare => OperandLayout::new(0, Imm::None),
            Format::Csr | Format::CsrImm => OperandLayout::new(RD | RS1, Imm::Unsigned12),
            Format::Cbo => OperandLayout::new(RS1, Imm::None),
            Format::MopR => OperandLayout::new(RD | RS1, Imm::MopR),
            Format::MopRr => OperandLayout::new(RD | RS1 | RS2, Imm::MopRr),
            Format::FpR4 => OperandLayout::rounded(RD | RS1 | RS2 | RS3),
            Format::FpRm => OperandLayout::rounded(RD | RS1 | RS2),
            Format::FpUnaryRm | Format::FpToIntRm | Format::FpToIntRtz | Format::IntToFpRm => {
                OperandLayout::rounded(RD | RS1)
            }
            Format::Vsetvli => OperandLayout::new(RD | RS1, Imm::Vtype11),
            Format::Vsetivli => OperandLayout::new(RD | RS1, Imm::Vtype10),
            Format::VecVv
            | Format::VecVx
            | Format::VecVf
            | Format::VecMacVv
            | Format::VecMacVx
            | Format::VecMacVf
            | Format::VecVvm
            | Format::VecVxm
            | Format::VecVfm
            | Format::VecMemStrided
            | Format::VecMemIndexed => OperandLayout::new(RD | RS1 | RS2, Imm::None),
            Format::VecVi | Format::VecVim => OperandLayout::new(RD | RS2, Imm::VectorSigned),
            Format::VecVu => OperandLayout::new(RD | RS2, Imm::VectorUnsigned),
            Format::VecVu6 => OperandLayout::new(RD | RS2, Imm::Vector6),
            Format::VecMvI => OperandLayout::new(RD, Imm::VectorSigned),
            Format::VecUnary | Format::VecToX | Format::VecToF => {
                OperandLayout::new(RD | RS2, Imm::None)
            }
            Format::VecMvV | Format::VecMvX | Format::VecMvF | Format::VecMem => {
                OperandLayout::new(RD | RS1, Imm::None)
            }
            Format::VecId => OperandLayout::new(RD, Imm::None),
        }
    }
}

/// Where a register number of a 16-bit encoding comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    /// Always this register.
    Fixed(u8),
    /// Bits 11:7.
    High,
    /// Bits 6:2.
    Low,
    /// Bits 9:7, which name x8 to x15.
    HighPrimed,
    /// Bits 4:2, which name x8 to x15.
    LowPrimed,
}

/// How to take the operands out of a 16-bit encoding:
/// the registers are `high & from_high | low & from_low | fixed`, byte by byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct CPlan {
    from_high: Registers,
    from_low: Registers,
    fixed: Registers,
    imm: Imm,
    /// The register that must not be zero.
    nonzero: Option<Registers>,
    /// Whether the immediate must not be zero.
    nonzero_imm: bool,
}

impl CPlan {
    /// A plan for `rd`, `rs1`, `rs2` and the immediate.
    pub(super) const fn new(rd: Field, rs1: Field, rs2: Field, imm: Imm) -> CPlan {
        let plan =
            CPlan { from_high: 0, from_low: 0, fixed: 0, imm, nonzero: None, nonzero_imm: false };
        plan.with(rd, 0).with(rs1, 8).with(rs2, 16)
    }

    const fn with(self, field: Field, shift: u32) -> CPlan {
        let (high, low, fixed) = match field {
            Field::Fixed(register) => (0, 0, register as Registers),
            Field::High => (31, 0, 0),
            Field::Low => (0, 31, 0),
            Field::HighPrimed => (7, 0, 8),
            Field::LowPrimed => (0, 7, 8),
        };
        CPlan {
            from_high: self.from_high | high << shift,
            from_low: self.from_low | low << shift,
            fixed: self.fixed | fixed << shift,
            ..self
        }
    }

    /// This plan where `rd` = x0 is reserved.
    pub(super) const fn nonzero_rd(self) -> CPlan {
        CPlan { nonzero: Some(RD), ..self }
    }

    /// This plan where `rs1` = x0 is reserved.
    pub(super) const fn nonzero_rs1(self) -> CPlan {
        CPlan { nonzero: Some(RS1), ..self }
    }

    /// This plan where an immediate of zero is reserved.
    pub(super) const fn nonzero_imm(self) -> CPlan {
        CPlan { nonzero_imm: true, ..self }
    }

    /// The operands of `half`; `None` if they are reserved.
    #[inline(always)]
    pub(super) fn operands(&self, half: u32) -> Option<Operands> {
        const EACH: Registers = 0x01_0101;
        let (high, low) = ((half >> 7 & 31) * EACH, (half >> 2 & 31) * EACH);
        let registers = high & self.from_high | low & self.from_low | self.fixed;
        let imm = self.imm.of(half);
        let reserved = self.nonzero.is_some_and(|register| registers & register == 0)
            || self.nonzero_imm && imm == 0;
        (!reserved).then_some(Operands { registers: registers.to_le_bytes(), rm: 0, imm })
    }
}
