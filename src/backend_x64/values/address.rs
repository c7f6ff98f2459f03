//! Addresses of guest memory.

use super::super::Emitter;
use super::super::asm::{Guest, Rm};
use super::super::regs::RAX;
use crate::backend::{Held, Homes, Val};
use crate::ir::Reg;
use crate::mem::Mode;

impl Emitter<'_, '_> {
    /// Operand for the guest memory at `base + off`. May use rax, which must then stay as it is
    /// until the access.
    pub(in crate::backend_x64) fn memory<'h>(
        &mut self,
        homes: &'h Homes,
        base: Reg,
        off: i32,
    ) -> Held<'h, Rm> {
        let sandbox = self.ctx.mode == Mode::Sandbox;
        let sum = match self.sym.val(base.0) {
            Val::Const(k) => {
                let at = k.wrapping_add(i64::from(off) as u64);
                if sandbox || at <= 0x7fff_ffff {
                    let at = Guest { base: None, index: None, disp: at as i32 };
                    return Held::new(homes, Rm::M(at));
                }
                self.a.mov_imm_keep_flags(RAX, at);
                return Held::new(homes, Rm::M(Guest::at(RAX)));
            }
            Val::Lin { a, b, shift, imm } if self.sym.is_pending(base.0) => {
                // In a sandbox the sum is taken modulo 2^32, so its constant may wrap.
                let disp = if sandbox { Some(imm.wrapping_add(off)) } else { imm.checked_add(off) };
                disp.map(|disp| (a, b, shift, disp))
            }
            _ => None,
        };
        let (a, b, shift, disp) = sum.unwrap_or_else(|| {
            // A pending sign-extension makes no difference to the low half.
            if !(sandbox && self.sym.is_sext(base.0)) {
                self.materialise(homes, base.0);
            }
            (base.0, 0, 0, off)
        });
        let (base, index) = match (a, b) {
            (0, 0) => (None, None),
            (0, _) => (None, Some((self.home_in_reg(b, RAX), shift))),
            (_, 0) => (Some(self.home_in_reg(a, RAX)), None),
            _ => {
                let (base, index) = self.terms(a, b, shift);
                (Some(base), index)
            }
        };
        Held::new(homes, Rm::M(Guest { base, index, disp }))
    }
}
