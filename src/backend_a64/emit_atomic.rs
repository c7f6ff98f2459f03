//! Atomic operations, all with acquire and release semantics, whatever ordering bits ask for.
//!
//! With FEAT_LSE each is one instruction; without it a loop around an exclusive pair, within which
//! there is no other access to memory.

use super::Emitter;
use super::asm::{Alu, Asm, At, Cc, Mem, Sz, Test, a64};
use super::regs::{STATE, X0, X1, X16, X30, ZR, field};
use super::values::Operand;
use crate::backend::Homes;
use crate::backend::emit::{Host, LowerAtomic};
use crate::ir::{AmoOp, MemSize, Reg};

/// Assembles an access of `$size` at the address in x17, by the instruction for bytes, for
/// halfwords, or for words and doublewords.
macro_rules! sizes {
    ($a:expr, $size:expr ; $([$w:ident])? $b:ident $h:ident $op:ident $($r:expr),+) => {
        match $size {
            MemSize::B => a64!($a ; $b $($w,)? $(W($r)),+, [x17]),
            MemSize::H => a64!($a ; $h $($w,)? $(W($r)),+, [x17]),
            MemSize::W => a64!($a ; $op $($w,)? $(W($r)),+, [x17]),
            MemSize::D | MemSize::Q => a64!($a ; $op $($w,)? $(X($r)),+, [x17]),
        }
    };
}

impl<'b> LowerAtomic<'b, Asm<'b>> for Emitter<'b, '_> {
    fn atomic_base(&mut self, homes: &Homes, base: Reg) {
        self.host_address(homes, base);
    }

    fn exchange(&mut self, op: AmoOp, size: MemSize, value: Operand<'_>, _wanted: bool) {
        let value = value.get().reg();
        if !self.cpu.lse {
            return self.amo_loop(op, size, value);
        }
        let operand = if op == AmoOp::And {
            self.a.alu(Alu::Orn, Sz::X, X0, ZR, value);
            X0
        } else {
            value
        };
        self.fault_point();
        macro_rules! lse {
            ($b:ident $h:ident $op:ident) => {
                sizes!(self.a, size ; $b $h $op operand, X1)
            };
        }
        match op {
            AmoOp::Swap => lse!(swpalb swpalh swpal),
            AmoOp::Add => lse!(ldaddalb ldaddalh ldaddal),
            // Clears the bits of its operand.
            AmoOp::And => lse!(ldclralb ldclralh ldclral),
            AmoOp::Xor => lse!(ldeoralb ldeoralh ldeoral),
            AmoOp::Or => lse!(ldsetalb ldsetalh ldsetal),
            AmoOp::Max => lse!(ldsmaxalb ldsmaxalh ldsmaxal),
            AmoOp::Min => lse!(ldsminalb ldsminalh ldsminal),
            AmoOp::Maxu => lse!(ldumaxalb ldumaxalh ldumaxal),
            AmoOp::Minu => lse!(lduminalb lduminalh lduminal),
        }
    }

    fn reserve(&mut self, _homes: &Homes, size: MemSize, _base: Reg) -> (MemSize, bool) {
        self.fault_point();
        sizes!(self.a, size ; ldarb ldarh ldar X1);
        if size == MemSize::W {
            self.a.sxtw(X1, X1);
        }
        // The address that the guest gave, not the one it was reduced to.
        self.a.store_field(field!(hart.reservation.addr), X16);
        self.a.store_field(field!(hart.reservation.value), X1);
        self.a.mov_imm(X16, u64::from(size.bytes()));
        self.a.store_field(field!(hart.reservation.size), X16);
        (size, size != MemSize::D)
    }

    fn store_if_reserved(
        &mut self,
        _homes: &Homes,
        size: MemSize,
        _base: Reg,
        value: Operand<'_>,
    ) -> bool {
        let sz = if size == MemSize::W { Sz::W } else { Sz::X };
        self.a.load_field(X1, field!(hart.reservation.addr));
        self.a.cmp(Sz::X, X1, X16);
        let other_address = self.a.branch_if(Test::Flags(Cc::NE));
        self.a.mem(Mem::LoadX, X1, At::Disp(STATE, field!(hart.reservation.size)));
        self.a.cmp_imm(Sz::X, X1, i64::from(size.bytes()));
        let other_size = self.a.branch_if(Test::Flags(Cc::NE));
        self.a.load_field(X30, field!(hart.reservation.value));
        self.compare_and_swap(size, X30, value.get().reg());
        self.a.cmp(sz, X1, X30);
        self.a.bind(other_address);
        self.a.bind(other_size);
        // All three ways come here with "equal" meaning success.
        self.a.cset(Cc::NE, X1);
        // No address is all ones.
        self.a.mov_imm(X16, u64::MAX);
        self.a.store_field(field!(hart.reservation.addr), X16);
        false
    }

    fn exchange_if(&mut self, size: MemSize, expected: Operand<'_>, new: Operand<'_>) {
        self.compare_and_swap(size, expected.get().reg(), new.get().reg());
    }
}

impl Emitter<'_, '_> {
    /// An exclusive pair until nobody was in between. Old value in x1, new one in x30.
    fn amo_loop(&mut self, op: AmoOp, size: MemSize, value: u8) {
        let again = self.a.pos();
        self.fault_point();
        sizes!(self.a, size ; ldaxrb ldaxrh ldaxr X1);
        let new = match op {
            AmoOp::Swap => value,
            AmoOp::Add => {
                self.a.alu(Alu::Add, Sz::X, X30, X1, value);
                X30
            }
            AmoOp::And | AmoOp::Or | AmoOp::Xor => {
                let alu = match op {
                    AmoOp::And => Alu::And,
                    AmoOp::Or => Alu::Or,
                    _ => Alu::Eor,
                };
                self.a.alu(alu, Sz::X, X30, X1, value);
                X30
            }
            _ => {
                self.amo_select(op, size, value);
                X30
            }
        };
        // Pages do not lose their rights between the two, but a write to a read-only one is first
        // seen here.
        self.fault_point();
        sizes!(self.a, size ; [w16] stlxrb stlxrh stlxr new);
        self.a.jump_if(Test::Zero(Sz::W, X16, false), again);
        a64!(self.a ; dmb ish);
    }

    /// x30 = the operand if it is to replace the value in x1, else that value.
    fn amo_select(&mut self, op: AmoOp, size: MemSize, value: u8) {
        let signed = matches!(op, AmoOp::Min | AmoOp::Max);
        let sz = if size == MemSize::D { Sz::X } else { Sz::W };
        let mut operand = value;
        if matches!(size, MemSize::B | MemSize::H) {
            let bits = 8 * size.bytes() as u8;
            self.a.extend_low(signed, X30, value, bits);
            self.a.extend_low(signed, X1, X1, bits);
            operand = X30;
        }
        let keep = match op {
            AmoOp::Min => Cc::LT,
            AmoOp::Max => Cc::GT,
            AmoOp::Minu => Cc::LO,
            _ => Cc::HI,
        };
        self.a.cmp(sz, X1, operand);
        self.a.csel(keep, sz, X30, X1, operand);
    }

    /// x1 = what is in memory at x17; if it equals `expected` (low bits), it becomes `new`.
    fn compare_and_swap(&mut self, size: MemSize, expected: u8, new: u8) {
        if self.cpu.lse {
            self.a.mov(Sz::X, X1, expected);
            self.fault_point();
            sizes!(self.a, size ; casalb casalh casal X1, new);
            return;
        }
        let again = self.a.pos();
        self.fault_point();
        sizes!(self.a, size ; ldaxrb ldaxrh ldaxr X1);
        match size {
            MemSize::B | MemSize::H => {
                // The pair of the value and the expected one must differ in low bits only.
                self.a.alu(Alu::Eor, Sz::W, X16, X1, expected);
                match size {
                    MemSize::B => a64!(self.a ; tst w16, 0xff),
                    _ => a64!(self.a ; tst w16, 0xffff),
                }
            }
            MemSize::W => self.a.cmp(Sz::W, X1, expected),
            MemSize::D | MemSize::Q => self.a.cmp(Sz::X, X1, expected),
        }
        let differs = self.a.branch_if(Test::Flags(Cc::NE));
        self.fault_point();
        sizes!(self.a, size ; [w16] stlxrb stlxrh stlxr new);
        self.a.jump_if(Test::Zero(Sz::W, X16, false), again);
        let done = self.a.pos();
        self.a.word(0);
        self.a.bind(differs);
        // The guest must be allowed to write in both cases.
        self.fault_point();
        sizes!(self.a, size ; [w16] stlxrb stlxrh stlxr X1);
        self.a.jump_if(Test::Zero(Sz::W, X16, false), again);
        let here = self.a.pos();
        self.a.buf.patch(done, super::patch::b(done, here));
        a64!(self.a ; dmb ish);
    }
}
