//! Vectors: the interpreter executes them.

use super::Emitter;
use crate::backend::Homes;
use crate::backend::emit::LowerVector;
use crate::ir::Op;

impl LowerVector for Emitter<'_, '_> {
    fn vector(&mut self, homes: &mut Homes, op: &Op) {
        self.vector_helper(homes, op);
    }
}
