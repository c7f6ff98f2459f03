//! V and the extensions of vectors: the interpreter executes all of them.

use super::rule::Rule;
use crate::isa;
use crate::isa::table_v::for_each_vector_insn;

macro_rules! helpers {
    ($($op:ident $mn:literal $ext:ident $(+ $more:ident)* $fmt:ident $enc:literal;)*) => {
        pub(super) const RULES: &[(isa::Op, Rule)] = &[$((isa::Op::$op, Rule::Helper)),*];
    };
}
for_each_vector_insn!(helpers {});
