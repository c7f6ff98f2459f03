//! Plans: how to take the operands out of an encoding, as data that the decoder follows.

use super::Format;
use super::imm::Imm;

/// Where a register number comes from: `(word >> shift & mask) + base`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    shift: u8,
    mask: u8,
    base: u8,
}

impl Field {
    /// Five bits from bit `shift` up.
    pub(super) const fn at(shift: u8) -> Field {
        Field { shift, mask: 31, base: 0 }
    }

    /// Three bits from bit `shift` up, which name x8 to x15.
    pub(super) const fn primed(shift: u8) -> Field {
        Field { shift, mask: 7, base: 8 }
    }

    /// Always `register`.
    pub(super) const fn fixed(register: u8) -> Field {
        Field { shift: 0, mask: 0, base: register }
    }

    /// The register number in `word`.
    #[inline]
    pub(super) const fn of(self, word: u32) -> u8 {
        (word >> (self.shift & 31)) as u8 & self.mask | self.base
    }
}

/// What makes operands reserved: a set of the conditions below. A set, so that the decoder tests all
/// without a branch for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Check(pub(super) u8);

impl Check {
    pub(super) const NONE: Check = Check(0);
    /// `imm` is zero.
    pub(super) const IMM: Check = Check(1);
    /// `rd` is zero.
    pub(super) const RD: Check = Check(2);
    /// `rs1` is zero.
    pub(super) const RS1: Check = Check(4);
    /// `rd` or `rs2` is odd.
    pub(super) const PAIRS: Check = Check(8);
    /// `rm` is 5 or 6.
    pub(super) const RM: Check = Check(16);
}

/// All operands of an encoding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) rd: Field,
    pub(super) rs1: Field,
    pub(super) rs2: Field,
    /// 31 where there is a third source register (bits 31:27), else 0.
    pub(super) rs3: u8,
    /// 7 where there is a rounding mode (bits 14:12), else 0.
    pub(super) rm: u8,
    pub(super) imm: Imm,
    pub(super) check: Check,
}

const NONE: Field = Field::fixed(0);
const RD: Field = Field::at(7);
const RS1: Field = Field::at(15);
const RS2: Field = Field::at(20);

impl Plan {
    const fn new(rd: Field, rs1: Field, rs2: Field, imm: Imm) -> Plan {
        Plan { rd, rs1, rs2, rs3: 0, rm: 0, imm, check: Check::NONE }
    }

    /// A plan for a 16-bit encoding.
    pub(super) const fn compressed(rd: Field, rs1: Field, rs2: Field, imm: Imm) -> Plan {
        Plan::new(rd, rs1, rs2, imm)
    }

    /// This plan, with a check.
    pub(super) const fn check(self, check: Check) -> Plan {
        Plan { check, ..self }
    }

    const fn rounded(self) -> Plan {
        Plan { rm: 7, check: Check::RM, ..self }
    }

    const fn fused(self) -> Plan {
        Plan { rs3: 31, ..self }
    }
}

impl Format {
    /// How to take the operands out of a word.
    pub(super) const fn plan(self) -> Plan {
        match self {
            Format::R | Format::Fp | Format::FpCmp | Format::Amo => {
                Plan::new(RD, RS1, RS2, Imm::None)
            }
            Format::AmoPair => Plan::new(RD, RS1, RS2, Imm::None).check(Check::PAIRS),
            Format::Unary | Format::Lr | Format::FpToInt | Format::IntToFp | Format::Fli => {
                Plan::new(RD, RS1, NONE, Imm::None)
            }
            Format::I | Format::Load | Format::Jalr | Format::FpLoad => {
                Plan::new(RD, RS1, NONE, Imm::I)
            }
            Format::Shamt6 | Format::Shamt5 => Plan::new(RD, RS1, NONE, Imm::Shift),
            Format::Store | Format::FpStore => Plan::new(NONE, RS1, RS2, Imm::S),
            Format::B => Plan::new(NONE, RS1, RS2, Imm::B),
            Format::U => Plan::new(RD, NONE, NONE, Imm::U),
            Format::J => Plan::new(RD, NONE, NONE, Imm::J),
            Format::Fence | Format::FenceTso => Plan::new(NONE, NONE, NONE, Imm::Unsigned12),
            Format::FenceI | Format::Bare => Plan::new(NONE, NONE, NONE, Imm::None),
            Format::Csr | Format::CsrImm => Plan::new(RD, RS1, NONE, Imm::Unsigned12),
            Format::Cbo => Plan::new(NONE, RS1, NONE, Imm::None),
            Format::MopR => Plan::new(RD, RS1, NONE, Imm::MopR),
            Format::MopRr => Plan::new(RD, RS1, RS2, Imm::MopRr),
            Format::FpR4 => Plan::new(RD, RS1, RS2, Imm::None).rounded().fused(),
            Format::FpRm => Plan::new(RD, RS1, RS2, Imm::None).rounded(),
            Format::FpUnaryRm | Format::FpToIntRm | Format::FpToIntRtz | Format::IntToFpRm => {
                Plan::new(RD, RS1, NONE, Imm::None).rounded()
            }
        }
    }
}
