//! What operations of floating point do, on which formats, and how they round.

/// Floating-point formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fmt {
    /// Half precision (loads, stores, moves and conversions only).
    H,
    /// Single precision.
    S,
    /// Double precision.
    D,
}

/// Integer formats of conversions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntFmt {
    /// Signed 32 bits.
    W,
    /// Unsigned 32 bits; a result is sign-extended all the same.
    Wu,
    /// Signed 64 bits.
    L,
    /// Unsigned 64 bits.
    Lu,
}

/// Rounding mode of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// To nearest, ties to even.
    Rne,
    /// Towards zero.
    Rtz,
    /// Down.
    Rdn,
    /// Up.
    Rup,
    /// To nearest, ties away from zero.
    Rmm,
    /// As the dynamic rounding mode says.
    Dyn,
}

/// Floating-point operations with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FBinOp {
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
    /// Quotient.
    Div,
    /// minimumNumber.
    Min,
    /// maximumNumber.
    Max,
    /// minimum (NaN if either is NaN).
    Minm,
    /// maximum (NaN if either is NaN).
    Maxm,
    /// `a` with the sign of `b`.
    Sgnj,
    /// `a` with the opposite sign of `b`.
    Sgnjn,
    /// `a` with the exclusive or of both signs.
    Sgnjx,
}

/// Floating-point operations with one operand and a result of the same format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FUnOp {
    /// Square root.
    Sqrt,
    /// Round to integer, without the inexact flag.
    Round,
    /// Round to integer, with the inexact flag.
    RoundNx,
}

/// Floating-point comparisons; the result is 0 or 1 in an integer register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FCmpOp {
    /// Equal, quiet.
    Eq,
    /// Less, signalling.
    Lt,
    /// Less or equal, signalling.
    Le,
    /// Less, quiet.
    Ltq,
    /// Less or equal, quiet.
    Leq,
    /// Less, and the accrued flags stay as the `ReadFlags` right before found them.
    LtKeep,
    /// Less or equal, likewise.
    LeKeep,
}

/// What a conditional floating-point operation gives its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FSelectOp {
    /// The operand.
    Move,
    /// The operand with the opposite sign.
    Neg,
    /// The operand without its sign.
    Abs,
    /// Zero, whatever the operand.
    Zero,
}
