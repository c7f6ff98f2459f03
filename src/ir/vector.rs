//! Operands of vector operations.
//!
//! What a vector instruction does depends on `vtype` and `vl`. An operation names those that it is
//! for, and what they make of the instruction's registers: where other ones hold when it is
//! executed, the interpreter executes the instruction.

/// A `vtype` that is supported, and a `vl` that is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VConfig {
    /// The low eight bits of `vtype`; all others are 0.
    pub vtype: u8,
    /// Number of elements, at most 512.
    pub vl: u16,
}

impl VConfig {
    /// Bytes of an element, as a power of two.
    #[must_use]
    pub const fn sew(self) -> u8 {
        self.vtype >> 3 & 3
    }

    /// Bytes of all elements, if each has as many as `vtype` says.
    #[must_use]
    pub const fn bytes(self) -> u16 {
        self.vl << self.sew()
    }
}

/// A group of vector registers: where it begins among the bytes of all registers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VGroup(pub u16);

/// Second operand of a vector operation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum VSrc {
    /// Elements.
    Group(VGroup),
    /// The low bits of an integer register, for all elements.
    X(super::Reg),
    /// A constant, sign-extended to the width of an element, for all elements.
    Imm(i32),
    /// A floating-point register, for all elements: the canonical NaN if it is not NaN-boxed for
    /// their width.
    F(super::FReg),
}

/// Operations on elements, `vd = a op b`. Shift amounts are taken modulo the width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VBinOp {
    /// `b`
    Move,
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `b - a`
    Rsub,
    /// `a & b`
    And,
    /// `a | b`
    Or,
    /// `a ^ b`
    Xor,
    /// Signed minimum.
    Min,
    /// Unsigned minimum.
    Minu,
    /// Signed maximum.
    Max,
    /// Unsigned maximum.
    Maxu,
    /// `a << b`
    Sll,
    /// Logical `a >> b`.
    Srl,
    /// Arithmetic `a >> b`.
    Sra,
    /// Low half of the product.
    Mul,
    /// High half of the signed product.
    Mulh,
    /// High half of the unsigned product.
    Mulhu,
    /// `vd + a * b`
    Macc,
    /// `vd - a * b`
    Nmsac,
    /// `vd * b + a`
    Madd,
    /// `a - vd * b`
    Nmsub,
    /// `b`, which is half as wide, zero-extended.
    Zext2,
    /// `b`, which is a quarter as wide, zero-extended.
    Zext4,
    /// `b`, which is an eighth as wide, zero-extended.
    Zext8,
    /// `b`, which is half as wide, sign-extended.
    Sext2,
    /// `b`, which is a quarter as wide, sign-extended.
    Sext4,
    /// `b`, which is an eighth as wide, sign-extended.
    Sext8,
    /// Of numbers, rounded in the dynamic mode: `a + b`
    FAdd,
    /// Of numbers: `a - b`
    FSub,
    /// Of numbers: `b - a`
    FRsub,
    /// Of numbers: `a * b`
    FMul,
    /// Of numbers: `a / b`
    FDiv,
    /// Of numbers: `b / a`
    FRdiv,
    /// Of numbers, rounded once: `b * a + vd`
    FMacc,
    /// Of numbers, rounded once: `-(b * a) - vd`
    FNmacc,
    /// Of numbers, rounded once: `b * a - vd`
    FMsac,
    /// Of numbers, rounded once: `-(b * a) + vd`
    FNmsac,
    /// Of numbers, rounded once: `b * vd + a`
    FMadd,
    /// Of numbers, rounded once: `-(b * vd) - a`
    FNmadd,
    /// Of numbers, rounded once: `b * vd - a`
    FMsub,
    /// Of numbers, rounded once: `-(b * vd) + a`
    FNmsub,
}

/// How an operation multiplies and adds numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VFused {
    /// The destination is a factor and `a` the addend, not the other way round.
    pub multiplies_vd: bool,
    /// The product is negated.
    pub neg_product: bool,
    /// The addend is negated.
    pub neg_addend: bool,
}

impl VBinOp {
    /// How many times elements of the second operand are narrower, as a power of two.
    #[must_use]
    pub const fn narrower(self) -> u8 {
        match self {
            Self::Zext2 | Self::Sext2 => 1,
            Self::Zext4 | Self::Sext4 => 2,
            Self::Zext8 | Self::Sext8 => 3,
            _ => 0,
        }
    }

    /// Whether elements are numbers: the result is rounded, and canonical if it is a NaN.
    #[must_use]
    pub const fn is_float(self) -> bool {
        let two = matches!(
            self,
            Self::FAdd | Self::FSub | Self::FRsub | Self::FMul | Self::FDiv | Self::FRdiv
        );
        two || self.fused().is_some()
    }

    /// How it multiplies and adds numbers, if it does both.
    #[must_use]
    pub const fn fused(self) -> Option<VFused> {
        let (multiplies_vd, neg_product, neg_addend) = match self {
            Self::FMacc => (false, false, false),
            Self::FNmacc => (false, true, true),
            Self::FMsac => (false, false, true),
            Self::FNmsac => (false, true, false),
            Self::FMadd => (true, false, false),
            Self::FNmadd => (true, true, true),
            Self::FMsub => (true, false, true),
            Self::FNmsub => (true, true, false),
            _ => return None,
        };
        Some(VFused { multiplies_vd, neg_product, neg_addend })
    }
}
