//! Zba, Zbb, Zbc and Zbs: bit manipulation.

use super::rule::Rule;
use crate::ir::BinOp as B;
use crate::ir::UnOp as U;
use crate::ir::Width::{D, W};
use crate::isa;

pub(super) const RULES: &[(isa::Op, Rule)] = &[
    (isa::Op::AddUw, Rule::Bin(B::AddUw, D)),
    (isa::Op::Sh1add, Rule::Bin(B::Sh1add, D)),
    (isa::Op::Sh2add, Rule::Bin(B::Sh2add, D)),
    (isa::Op::Sh3add, Rule::Bin(B::Sh3add, D)),
    (isa::Op::Sh1addUw, Rule::Bin(B::Sh1addUw, D)),
    (isa::Op::Sh2addUw, Rule::Bin(B::Sh2addUw, D)),
    (isa::Op::Sh3addUw, Rule::Bin(B::Sh3addUw, D)),
    (isa::Op::SlliUw, Rule::BinImm(B::SllUw, D)),
    (isa::Op::Andn, Rule::Bin(B::AndNot, D)),
    (isa::Op::Orn, Rule::Bin(B::OrNot, D)),
    (isa::Op::Xnor, Rule::Bin(B::XorNot, D)),
    (isa::Op::Max, Rule::Bin(B::Max, D)),
    (isa::Op::Maxu, Rule::Bin(B::Maxu, D)),
    (isa::Op::Min, Rule::Bin(B::Min, D)),
    (isa::Op::Minu, Rule::Bin(B::Minu, D)),
    (isa::Op::Rol, Rule::Bin(B::Rol, D)),
    (isa::Op::Ror, Rule::Bin(B::Ror, D)),
    (isa::Op::Rolw, Rule::Bin(B::Rol, W)),
    (isa::Op::Rorw, Rule::Bin(B::Ror, W)),
    (isa::Op::Rori, Rule::BinImm(B::Ror, D)),
    (isa::Op::Roriw, Rule::BinImm(B::Ror, W)),
    (isa::Op::Clz, Rule::Un(U::Clz, D)),
    (isa::Op::Ctz, Rule::Un(U::Ctz, D)),
    (isa::Op::Cpop, Rule::Un(U::Cpop, D)),
    (isa::Op::SextB, Rule::Un(U::SextB, D)),
    (isa::Op::SextH, Rule::Un(U::SextH, D)),
    (isa::Op::Clzw, Rule::Un(U::Clz, W)),
    (isa::Op::Ctzw, Rule::Un(U::Ctz, W)),
    (isa::Op::Cpopw, Rule::Un(U::Cpop, W)),
    (isa::Op::ZextH, Rule::Un(U::ZextH, D)),
    (isa::Op::OrcB, Rule::Un(U::OrcB, D)),
    (isa::Op::Rev8, Rule::Un(U::Rev8, D)),
    (isa::Op::Bclr, Rule::Bin(B::Bclr, D)),
    (isa::Op::Bclri, Rule::BinImm(B::Bclr, D)),
    (isa::Op::Bext, Rule::Bin(B::Bext, D)),
    (isa::Op::Bexti, Rule::BinImm(B::Bext, D)),
    (isa::Op::Binv, Rule::Bin(B::Binv, D)),
    (isa::Op::Binvi, Rule::BinImm(B::Binv, D)),
    (isa::Op::Bset, Rule::Bin(B::Bset, D)),
    (isa::Op::Bseti, Rule::BinImm(B::Bset, D)),
    (isa::Op::Clmul, Rule::Bin(B::Clmul, D)),
    (isa::Op::Clmulr, Rule::Bin(B::Clmulr, D)),
    (isa::Op::Clmulh, Rule::Bin(B::Clmulh, D)),
];
