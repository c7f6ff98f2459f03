//! Zicsr. Few programs read CSRs often; the interpreter knows them all.

use super::rule::Rule;
use crate::isa;

pub(super) const RULES: &[(isa::Op, Rule)] = &[
    (isa::Op::Csrrw, Rule::Helper),
    (isa::Op::Csrrs, Rule::Helper),
    (isa::Op::Csrrc, Rule::Helper),
    (isa::Op::Csrrwi, Rule::Helper),
    (isa::Op::Csrrsi, Rule::Helper),
    (isa::Op::Csrrci, Rule::Helper),
];
