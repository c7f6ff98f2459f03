//! Classes of operations by their effects: computed once, when an operation is added to a block and
//! its kind is known, for passes and emitters that look at many operations.

use super::{BinOp, Cond, Fmt, Op, Reg, Src, UnOp};

/// Class of an operation: whether it may fault or leave the block, and how many temporaries hosts
/// need to compute it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OpClass {
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
    /// A load of a word that registers are made of which the code that follows overwrites: they
    /// are dead behind it, and not if it faults.
    Word,
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

impl OpClass {
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
    /// For a branch, or for what happens unless a condition holds, on the result of a comparison:
    /// whether it happens if that is true. `None` if it is about something else.
    #[must_use]
    pub fn on_result(&self, result: Reg) -> Option<bool> {
        let (cond, x, y, branches) = match *self {
            Self::Branch { cond, a, b, .. } => (cond, a, b, true),
            Self::Select { cond, x, y, .. } | Self::FSelect { cond, x, y, .. } => {
                (cond, x, y, false)
            }
            _ => return None,
        };
        if result.is_zero() || (x, y) != (result, Reg::ZERO) && (x, y) != (Reg::ZERO, result) {
            return None;
        }
        match cond {
            Cond::Eq => Some(!branches),
            Cond::Ne => Some(branches),
            Cond::Lt | Cond::Ge | Cond::Ltu | Cond::Geu => None,
        }
    }

    /// True if no node may follow.
    #[must_use]
    pub const fn ends_block(&self) -> bool {
        matches!(self, Self::Jump { .. } | Self::JumpIndirect { .. } | Self::Exit(_))
    }

    /// True if what follows may be executed more or less often: after branches and calls.
    #[must_use]
    pub const fn is_branch_or_call(&self) -> bool {
        matches!(self, Self::Branch { .. } | Self::Call { .. } | Self::CallIndirect { .. })
    }

    /// The class of an operation at `pc`.
    #[inline(always)]
    #[must_use]
    pub const fn class(&self, pc: u64) -> OpClass {
        match *self {
            Self::Bin { op, b, .. } => of_bin(op, matches!(b, Src::Imm(_))),
            Self::Un { op, .. } => match op {
                UnOp::Clz | UnOp::Ctz | UnOp::Cpop | UnOp::OrcB => OpClass::Long,
                UnOp::ZextW | UnOp::SextB | UnOp::SextH | UnOp::ZextH | UnOp::Rev8 => {
                    OpClass::Simple
                }
            },
            Self::Const { .. } | Self::Bytes { .. } => OpClass::Simple,
            Self::Select { .. } => OpClass::Scratch,
            Self::FSelect { .. } => OpClass::FloatChoice,
            Self::FLoad { fmt: Fmt::S | Fmt::D, .. } | Self::Load { .. } | Self::Store { .. } => {
                OpClass::Memory
            }
            Self::LoadWord { .. } => OpClass::Word,
            Self::Branch { target, .. } => {
                if target <= pc {
                    OpClass::BranchBack
                } else {
                    OpClass::Branch
                }
            }
            Self::Amo { .. }
            | Self::LoadReserved { .. }
            | Self::StoreConditional { .. }
            | Self::Cas { .. }
            | Self::Helper { .. } => OpClass::Helped,
            Self::Jump { .. }
            | Self::Call { .. }
            | Self::CallIndirect { .. }
            | Self::JumpIndirect { .. }
            | Self::Exit(_) => OpClass::Leave,
            _ => OpClass::Other,
        }
    }
}

#[inline(always)]
const fn of_bin(op: BinOp, by_constant: bool) -> OpClass {
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
        | BinOp::Sh3add => OpClass::Simple,
        BinOp::Sll | BinOp::Srl | BinOp::Sra if !by_constant => OpClass::Shift,
        BinOp::Sll | BinOp::Srl | BinOp::Sra => OpClass::Simple,
        BinOp::Rol | BinOp::Ror if by_constant => OpClass::Simple,
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
        | BinOp::CzeroNez => OpClass::Long,
        _ => OpClass::Scratch,
    }
}
