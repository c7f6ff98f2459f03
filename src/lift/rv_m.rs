//! M: multiplication and division.

use super::rule::Rule;
use crate::ir::BinOp as B;
use crate::ir::Width::{D, W};
use crate::isa;

pub(super) const RULES: &[(isa::Op, Rule)] = &[
    (isa::Op::Mul, Rule::Bin(B::Mul, D)),
    (isa::Op::Mulh, Rule::Bin(B::Mulh, D)),
    (isa::Op::Mulhsu, Rule::Bin(B::Mulhsu, D)),
    (isa::Op::Mulhu, Rule::Bin(B::Mulhu, D)),
    (isa::Op::Div, Rule::Bin(B::Div, D)),
    (isa::Op::Divu, Rule::Bin(B::Divu, D)),
    (isa::Op::Rem, Rule::Bin(B::Rem, D)),
    (isa::Op::Remu, Rule::Bin(B::Remu, D)),
    (isa::Op::Mulw, Rule::Bin(B::Mul, W)),
    (isa::Op::Divw, Rule::Bin(B::Div, W)),
    (isa::Op::Divuw, Rule::Bin(B::Divu, W)),
    (isa::Op::Remw, Rule::Bin(B::Rem, W)),
    (isa::Op::Remuw, Rule::Bin(B::Remu, W)),
];
