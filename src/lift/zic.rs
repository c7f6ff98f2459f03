//! Zicond, Zicbom, Zicboz, Zifencei and Zimop.

use super::rule::Rule;
use crate::ir::{BinOp, ExitKind, Width};
use crate::isa;

pub(super) const RULES: &[(isa::Op, Rule)] = &[
    (isa::Op::CzeroEqz, Rule::Bin(BinOp::CzeroEqz, Width::D)),
    (isa::Op::CzeroNez, Rule::Bin(BinOp::CzeroNez, Width::D)),
    (isa::Op::FenceI, Rule::Exit(ExitKind::FenceI)),
    (isa::Op::CboInval, Rule::Helper),
    (isa::Op::CboClean, Rule::Helper),
    (isa::Op::CboFlush, Rule::Helper),
    (isa::Op::CboZero, Rule::Helper),
    (isa::Op::MopR, Rule::Zero),
    (isa::Op::MopRr, Rule::Zero),
];
