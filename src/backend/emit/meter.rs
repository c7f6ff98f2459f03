//! What blocks cost where the guest has a budget of instructions, and how often they may be entered
//! before they are hot.
//!
//! A block that is metered is left at its end only, or by what may fault in it. So all that it may
//! execute is paid for at its entry, or it is left there; whoever leaves it by a fault gives back
//! what was not executed. Each cycle of the guest's passes an entry, where a hart that is to stop
//! is told that it has nothing left, so there are no polls.

use super::{Emitter, Host, Lower};
use crate::backend::Countdown;

impl<'b, H: Host<'b>> Emitter<'b, '_, H>
where
    Self: Lower<'b, H>,
{
    /// Takes `insns` of the hart's instructions, or leaves at `pc`.
    pub(super) fn meter(&mut self, pc: u64, insns: u32) {
        let short = self.a.test_fuel(insns);
        let cold = self.a.buf.cold_pos();
        self.a.jump_if(short, cold);
        self.a.store_fuel();
        self.in_cold(|e| {
            e.a.store_pc(pc);
            e.a.exit(0, e.ctx.stubs.fuel);
        });
    }

    /// Counts an entry of the block at `pc` down, or leaves.
    pub(super) fn count_down(&mut self, pc: u64, countdown: Countdown) {
        let was_zero = self.a.count_down(countdown.counter);
        let cold = self.a.buf.cold_pos();
        self.a.jump_if(was_zero, cold);
        self.in_cold(|e| {
            e.a.store_pc(pc);
            e.a.exit(countdown.payload, e.ctx.stubs.hot);
        });
    }
}
