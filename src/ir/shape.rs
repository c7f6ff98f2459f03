//! What operations have in common, for who looks at many of them: it is found out once, where the
//! kind of the operation is known, instead of by a decision about each again and again.

use super::{BinOp, Fmt, Op, Src, UnOp};

/// How an operation behaves towards the registers that it does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Shape {
    /// Only computes, by what hosts do with any registers.
    Simple,
    /// A shift by a register.
    Shift,
    /// Only computes, by what takes a scratch register or two.
    Scratch,
    /// Only computes, by what takes more than that.
    Long,
    /// A load or store.
    Memory,
    /// A choice between floating-point registers.
    FloatChoice,
    /// Anything else that goes on behind itself, and may fault.
    Other,
    /// A branch forward.
    Branch,
    /// A branch whose target is not further on.
    BranchBack,
    /// A jump, a call or an exit: everything must be in place for it.
    Leave,
    /// The same for an atomic, and for what the interpreter executes.
    Helped,
}

impl Shape {
    /// It neither faults nor leaves the block.
    #[inline]
    #[must_use]
    pub const fn is_plain(self) -> bool {
        matches!(self, Self::Simple | Self::Shift | Self::Scratch | Self::Long)
    }

    /// The block may be left by it, other than by a fault or through the interpreter.
    #[inline]
    #[must_use]
    pub const fn may_leave(self) -> bool {
        matches!(self, Self::Branch | Self::BranchBack | Self::Leave)
    }
}

impl Op {
    /// The shape of an operation at `pc`.
    #[inline(always)]
    #[must_use]
    pub const fn shape(&self, pc: u64) -> Shape {
        match *self {
            Self::Bin { op, b, .. } => of_bin(op, matches!(b, Src::Imm(_))),
            Self::Un { op, .. } => match op {
                UnOp::Clz | UnOp::Ctz | UnOp::Cpop | UnOp::OrcB => Shape::Long,
                UnOp::ZextW | UnOp::SextB | UnOp::SextH | UnOp::ZextH | UnOp::Rev8 => Shape::Simple,
            },
            Self::Const { .. } => Shape::Simple,
            Self::Select { .. } => Shape::Scratch,
            Self::FSelect { .. } => Shape::FloatChoice,
            Self::FLoad { fmt: Fmt::S | Fmt::D, .. } | Self::Load { .. } | Self::Store { .. } => {
                Shape::Memory
            }
            Self::Branch { target, .. } => {
                if target <= pc {
                    Shape::BranchBack
                } else {
                    Shape::Branch
                }
            }
            Self::Amo { .. }
            | Self::LoadReserved { .. }
            | Self::StoreConditional { .. }
            | Self::Cas { .. }
            | Self::Helper { .. } => Shape::Helped,
            Self::Jump { .. }
            | Self::Call { .. }
            | Self::CallIndirect { .. }
            | Self::JumpIndirect { .. }
            | Self::Exit(_) => Shape::Leave,
            _ => Shape::Other,
        }
    }
}

#[inline(always)]
const fn of_bin(op: BinOp, by_constant: bool) -> Shape {
    match op {
        BinOp::Add
        | BinOp::Sub
        | BinOp::And
        | BinOp::Or
        | BinOp::Xor
        | BinOp::Slt
        | BinOp::Sltu
        | BinOp::Mul
        | BinOp::Sh1add
        | BinOp::Sh2add
        | BinOp::Sh3add => Shape::Simple,
        BinOp::Sll | BinOp::Srl | BinOp::Sra if !by_constant => Shape::Shift,
        BinOp::Sll | BinOp::Srl | BinOp::Sra => Shape::Simple,
        BinOp::Rol | BinOp::Ror if by_constant => Shape::Simple,
        BinOp::Mulh
        | BinOp::Mulhu
        | BinOp::Mulhsu
        | BinOp::Div
        | BinOp::Divu
        | BinOp::Rem
        | BinOp::Remu
        | BinOp::Clmul
        | BinOp::Clmulh
        | BinOp::Clmulr
        | BinOp::CzeroEqz
        | BinOp::CzeroNez => Shape::Long,
        _ => Shape::Scratch,
    }
}
