//! Loads and stores.

use super::{Access, Emitter, Host, Lower, LowerMemory, LowerValues, Place};
use crate::backend::Homes;
use crate::ir::{LoadKind, MemSize, Reg, Width};

impl<'b, H: Host<'b>> Emitter<'b, '_, H>
where
    Self: Lower<'b, H>,
{
    pub(crate) fn load(&mut self, homes: &mut Homes, kind: LoadKind, rd: Reg, base: Reg, off: i32) {
        let access = Access::Load(kind);
        if !rd.is_zero() {
            self.materialise_dependents(homes, rd.0);
        }
        let from = self.address(homes, access, base, off);
        let to = if rd.is_zero() { H::NOWHERE } else { self.result_reg(rd.0) };
        self.fault_point();
        self.a.access(access, to, from);
        if rd.is_zero() {
            return;
        }
        let narrow = match kind.size {
            MemSize::B | MemSize::H => true,
            MemSize::W => kind.signed,
            MemSize::D | MemSize::Q => false,
        };
        self.done(homes, rd, to, narrow);
    }

    #[inline(never)]
    pub(crate) fn store(&mut self, homes: &Homes, size: MemSize, src: Reg, base: Reg, off: i32) {
        let w = match size {
            MemSize::D | MemSize::Q => Width::D,
            MemSize::B | MemSize::H | MemSize::W => Width::W,
        };
        // Bringing it home may change what `base` is made of, which is looked at after that.
        let value = self.operand(homes, w, src, Place::First);
        let to = self.address(homes, Access::Store(size), base, off);
        self.store_operand(size, value, to);
    }
}
