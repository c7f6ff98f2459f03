//! Operations on a condition.

use super::{Emitter, Host, Lower, LowerInt, Unless};
use crate::backend::{Counted, Homes, MAX_COUNTERS};
use crate::ir::Src;

impl<'b, H: Host<'b>> Emitter<'b, '_, H>
where
    Self: Lower<'b, H>,
{
    /// Compares; the condition on which something happens.
    pub(crate) fn compare_for_select(&mut self, homes: &Homes, (cond, x, y): Unless) -> H::Cc {
        let cc = self.compare_with(homes, cond.inverse(), x, Src::Reg(y));
        if !self.same_insn {
            self.count_skipped(cc);
        }
        cc
    }

    /// Counts how often the instructions behind the branch are skipped, if that is asked for.
    pub(crate) fn count_skipped(&mut self, unless: H::Cc) {
        if self.ctx.counters.is_none() || self.a.buf.points.len() + 2 > MAX_COUNTERS {
            return;
        }
        let start = self.a.pos();
        let over = self.a.skip_if(unless);
        self.count(Counted::Skipped(self.pc));
        self.a.land(over);
        if let Some(point) = self.a.buf.points.last_mut() {
            point.start = start;
        }
        self.count(Counted::Guest(self.pc));
    }
}
