//! Atomic operations. What ordering bits ask for, hosts give in any case.

use super::{Emitter, Host, Lower, LowerAtomic, LowerValues, Place};
use crate::backend::Homes;
use crate::ir::{AmoOp, MemSize, Reg, Width};
use crate::util::CodePtr;

impl<'b, H: Host<'b>> Emitter<'b, '_, H>
where
    Self: Lower<'b, H>,
{
    /// Takes the address of an atomic access, and leaves for the interpreter (which raises the
    /// guest's exception) if it is not naturally aligned. Everything else is at home then. The
    /// place of the slow path.
    fn atomic_address(&mut self, homes: &mut Homes, size: MemSize, base: Reg) -> CodePtr {
        self.flush(homes);
        self.atomic_base(homes, base);
        let slow = self.a.buf.cold_pos();
        if size != MemSize::B {
            let other = self.a.test_misaligned(size);
            self.a.jump_if(other, slow);
        }
        slow
    }

    /// The result, of which `size` is right, goes home; then comes the slow path of
    /// [`Self::atomic_address`]: the interpreter does it all.
    fn atomic_end(
        &mut self,
        homes: &mut Homes,
        slow: CodePtr,
        size: MemSize,
        rd: Reg,
        result: (MemSize, bool),
    ) {
        if !rd.is_zero() {
            let dst = self.dest(homes, rd);
            self.a.atomic_result(result.0, dst);
            self.done(homes, rd, dst, result.1);
        }
        if size != MemSize::B {
            let back = self.a.pos();
            debug_assert_eq!(self.a.buf.cold_pos(), slow, "the check jumps to the slow path");
            self.in_cold(|e| {
                e.call_helper(homes);
                e.a.jump(back);
            });
        }
        if !rd.is_zero() {
            self.sym.set_home(homes, rd.0, false);
        }
    }

    #[inline(never)]
    pub(super) fn amo(
        &mut self,
        homes: &mut Homes,
        op: AmoOp,
        size: MemSize,
        rd: Reg,
        base: Reg,
        src: Reg,
    ) {
        let slow = self.atomic_address(homes, size, base);
        let value = self.operand(homes, Width::D, src, Place::First);
        self.exchange(op, size, value, !rd.is_zero());
        self.atomic_end(homes, slow, size, rd, (size, size != MemSize::D));
    }

    #[inline(never)]
    pub(super) fn load_reserved(&mut self, homes: &mut Homes, size: MemSize, rd: Reg, base: Reg) {
        let slow = self.atomic_address(homes, size, base);
        let result = self.reserve(homes, size, base);
        self.atomic_end(homes, slow, size, rd, result);
    }

    #[inline(never)]
    pub(super) fn store_conditional(
        &mut self,
        homes: &mut Homes,
        size: MemSize,
        rd: Reg,
        base: Reg,
        src: Reg,
    ) {
        let slow = self.atomic_address(homes, size, base);
        let value = self.operand(homes, Width::D, src, Place::First);
        let narrow = self.store_if_reserved(homes, size, base, value);
        self.atomic_end(homes, slow, size, rd, (MemSize::D, narrow));
    }

    #[inline(never)]
    pub(super) fn cas(&mut self, homes: &mut Homes, size: MemSize, rd: Reg, base: Reg, src: Reg) {
        let slow = self.atomic_address(homes, size, base);
        let new = self.operand(homes, Width::D, src, Place::First);
        let expected = self.operand(homes, Width::D, rd, Place::Third);
        self.exchange_if(size, expected, new);
        self.atomic_end(homes, slow, size, rd, (size, size != MemSize::D));
    }
}
