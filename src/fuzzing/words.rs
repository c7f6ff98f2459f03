//! Words that are put together from bytes, in either order, whole or nearly: the translator loads
//! what is whole at once.

use super::program::{Builder, EDGE};
use crate::isa::Op;

impl Builder<'_> {
    /// Loads, shifts and sums that make a word, with other instructions between them.
    pub(super) fn bytes_of_word(&mut self) {
        let len = self.rng.pick(&[2, 4, 4, 8, 8]);
        let base = if self.rng.chance(10) { EDGE } else { self.base() };
        let off = self.rng.below(32) as i32 - 16;
        let reversed = self.rng.chance(40);
        let (sum, byte, other) = (self.target(), self.target(), self.target());
        let first = self.rng.below(len as u32) as i32;
        for n in 0..len {
            let at = (first + n) % len;
            let r = match n {
                0 => sum,
                _ if self.rng.chance(50) => byte,
                _ => other,
            };
            // Seldom one that is missing, there twice, or changed by somebody.
            let strange = i32::from(self.rng.chance(1));
            self.insn(Op::Lbu, r, base, 0, off + at + strange);
            self.between();
            let up = 8 * if reversed { len - 1 - at } else { at };
            if up != 0 {
                let word = len == 4 && up == 24 && self.rng.chance(50);
                self.insn(if word { Op::Slliw } else { Op::Slli }, r, r, 0, up);
            }
            self.between();
            if n != 0 {
                let op = if self.rng.chance(90) { Op::Or } else { Op::Add };
                let (a, b) = if self.rng.chance(50) { (sum, r) } else { (r, sum) };
                self.insn(op, sum, a, b, 0);
            }
        }
        if len == 4 && self.rng.chance(30) {
            self.insn(Op::Addiw, sum, sum, 0, 0);
        }
    }

    /// Another instruction now and then.
    fn between(&mut self) {
        if self.rng.chance(6) {
            self.filler(1);
        }
    }
}
