//! The instructions that an `Isa` has, sorted by what a generator must do for their operands.

use crate::isa::{self, Format, Insn, Isa, Op};

/// What an instruction needs to be of use in a random program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Any registers and immediates.
    Int,
    /// An address in rs1 plus an immediate.
    Memory,
    /// An address in rs1.
    Atomic,
    /// An address in rs1; writes up to a whole cache block.
    Block,
    /// Any floating-point registers.
    Float,
    /// A CSR number.
    Csr,
    /// Nothing.
    System,
    /// Vectors: any registers, an address in rs1 of those that access memory.
    Vector,
    /// Conditional branches.
    Branch,
    /// Jumps, `ecall`, `ebreak`: placed by hand.
    Control,
}

pub(super) fn class(op: Op) -> Class {
    match op.format() {
        Format::R if op == Op::Vsetvl => Class::Vector,
        Format::R
        | Format::Unary
        | Format::I
        | Format::Shamt6
        | Format::Shamt5
        | Format::U
        | Format::MopR
        | Format::MopRr => Class::Int,
        Format::Load | Format::Store | Format::FpLoad | Format::FpStore => Class::Memory,
        Format::Lr | Format::Amo | Format::AmoPair => Class::Atomic,
        Format::Cbo => Class::Block,
        Format::FpR4
        | Format::FpRm
        | Format::FpUnaryRm
        | Format::Fp
        | Format::FpCmp
        | Format::FpToInt
        | Format::FpToIntRm
        | Format::FpToIntRtz
        | Format::IntToFp
        | Format::IntToFpRm
        | Format::Fli => Class::Float,
        Format::Csr | Format::CsrImm => Class::Csr,
        Format::B => Class::Branch,
        Format::Bare if op == Op::Ecall || op == Op::Ebreak => Class::Control,
        Format::Fence | Format::FenceTso | Format::FenceI | Format::Bare => Class::System,
        Format::J | Format::Jalr => Class::Control,
        _ => Class::Vector,
    }
}

/// True if the instruction writes the integer register `rd`.
pub(super) fn writes_x(op: Op) -> bool {
    match op.format() {
        Format::R
        | Format::Unary
        | Format::I
        | Format::Shamt6
        | Format::Shamt5
        | Format::Load
        | Format::U
        | Format::J
        | Format::Jalr
        | Format::Csr
        | Format::CsrImm
        | Format::Lr
        | Format::Amo
        | Format::AmoPair
        | Format::MopR
        | Format::MopRr
        | Format::FpCmp
        | Format::FpToInt
        | Format::FpToIntRm
        | Format::FpToIntRtz
        | Format::Vsetvli
        | Format::Vsetivli
        | Format::VecToX => true,
        Format::Store
        | Format::B
        | Format::Fence
        | Format::FenceTso
        | Format::FenceI
        | Format::Bare
        | Format::Cbo
        | Format::FpLoad
        | Format::FpStore
        | Format::FpR4
        | Format::FpRm
        | Format::FpUnaryRm
        | Format::Fp
        | Format::IntToFp
        | Format::IntToFpRm
        | Format::Fli
        | Format::VecVv
        | Format::VecVx
        | Format::VecVi
        | Format::VecVu
        | Format::VecVu6
        | Format::VecVf
        | Format::VecMacVv
        | Format::VecMacVx
        | Format::VecMacVf
        | Format::VecVvm
        | Format::VecVxm
        | Format::VecVim
        | Format::VecVfm
        | Format::VecUnary
        | Format::VecMvV
        | Format::VecMvX
        | Format::VecMvI
        | Format::VecMvF
        | Format::VecToF
        | Format::VecId
        | Format::VecMem
        | Format::VecMemStrided
        | Format::VecMemIndexed => false,
    }
}

/// What there is to choose from.
#[derive(Debug)]
pub(super) struct Pool {
    /// Every instruction.
    pub(super) all: Vec<Op>,
    pub(super) int: Vec<Op>,
    pub(super) memory: Vec<Op>,
    pub(super) atomic: Vec<Op>,
    pub(super) block: Vec<Op>,
    pub(super) float: Vec<Op>,
    pub(super) csr: Vec<Op>,
    pub(super) system: Vec<Op>,
    pub(super) vector: Vec<Op>,
    pub(super) branch: Vec<Op>,
    /// 16-bit encodings of what is not `Control` or `Branch`, by instruction.
    pub(super) compressed: Vec<Vec<Insn>>,
}

impl Pool {
    pub(super) fn new(isa: &Isa) -> Self {
        let all = isa::random::ops(isa);
        let of = |c| all.iter().copied().filter(|&op| class(op) == c).collect();
        let mut compressed: Vec<Vec<Insn>> = vec![Vec::new(); Op::COUNT];
        for half in 0..0x1_0000u32 {
            if let Some(insn) = isa::decode(half, isa).filter(|i| i.len == 2)
                && !matches!(class(insn.op), Class::Control | Class::Branch)
            {
                compressed[insn.op as usize].push(insn);
            }
        }
        compressed.retain(|c| !c.is_empty());
        Self {
            int: of(Class::Int),
            memory: of(Class::Memory),
            atomic: of(Class::Atomic),
            block: of(Class::Block),
            float: of(Class::Float),
            csr: of(Class::Csr),
            system: of(Class::System),
            vector: of(Class::Vector),
            branch: of(Class::Branch),
            compressed,
            all,
        }
    }
}
