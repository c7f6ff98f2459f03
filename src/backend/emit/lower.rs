//! What each host lowers in its own way.

use super::host::{Access, Host, Place};
use crate::backend::{Homes, ShiftBy, Sum};
use crate::ir::{
    AmoOp, BinOp, Block, Cond, FBinOp, FCmpOp, FReg, FSelectOp, FUnOp, Fence, Fmt, IntFmt, MemSize,
    Node, Op, Reg, Rounding, Src, UnOp, Width,
};
use crate::opt::{Liveness, RegSet};
use crate::util::Counter;

/// A condition on which nothing happens.
pub(crate) type Unless = (Cond, Reg, Reg);

/// What a register is set to: an operation, its width, and its operands.
pub(crate) type Value = (BinOp, Width, Reg, Src);

/// The same of a floating-point register.
pub(crate) type FloatValue = (FSelectOp, Fmt, FReg);

/// The formats of a conversion, and how it rounds.
pub(crate) type Conversion = (Fmt, IntFmt, Rounding);

/// What each host lowers in its own way.
pub(crate) trait Lower<'b, H: Host<'b>>:
    LowerBlock
    + LowerValues<'b, H>
    + LowerInt<'b, H>
    + LowerSelect
    + LowerMemory<'b, H>
    + LowerAtomic<'b, H>
    + LowerFloat<'b, H>
    + LowerArith
    + LowerFloatMove
    + LowerConvert
    + LowerVector
    + LowerExit<'b, H>
{
}

/// Around operations.
pub(crate) trait LowerBlock {
    /// Makes ready for a run of nodes.
    fn begin_run(&mut self) {}

    /// Makes ready for a node; the other is what is known behind it.
    fn begin_node(&mut self, _node: &Node, _ahead: &Liveness) {}

    /// Emits `op` together with the first of `following`, if they are something together: how many
    /// of them, or none if nothing has been emitted.
    fn fuse_with_next(&mut self, homes: &mut Homes, op: &Op, following: &[Node]) -> usize;

    /// Emits what was deferred until after a run of nodes, behind which execution goes on at an
    /// address; nowhere if that is -1.
    fn end_run(&mut self, _homes: &mut Homes, _end: u64) {}

    /// Emits iterations of a loop in groups, if the block begins with one that this is good for.
    fn grouped(&mut self, _homes: &mut Homes, _block: &Block) -> bool {
        false
    }
}

/// Where integer registers are.
pub(crate) trait LowerValues<'b, H: Host<'b>> {
    /// Brings `r` home, which is pending, and before it those whose value is made of that home.
    fn materialise_pending(&mut self, homes: &mut Homes, r: u8);

    /// The same of its low half at least: the sign-extension of that may be what is pending then.
    fn materialise_low_pending(&mut self, homes: &mut Homes, r: u8) {
        self.materialise_pending(homes, r);
    }

    /// Stores those registers whose slots are out of date. Flags are unchanged.
    fn store_held(&mut self, _registers: RegSet) {}

    /// Keeps what holds a copy of the home of a register from being used for anything else by the
    /// current operation.
    fn pin(&mut self, _r: u8) {}

    /// What the home of `r` holds, in `place` if it has to be loaded.
    fn home_of<'h>(&mut self, homes: &'h Homes, r: u8, place: Place) -> H::Operand<'h>;

    /// The value of `r`, or its low half (the upper one may then be anything), in `place` if it has
    /// no register of its own and must be in one, until that place is used again.
    fn operand<'h>(&mut self, homes: &'h Homes, w: Width, r: Reg, place: Place) -> H::Operand<'h>;

    /// The register to compute a new home of `r` into.
    fn result_reg(&mut self, r: u8) -> u8;

    /// The new home of `r` is in `from`, which came from [`Self::result_reg`]. Flags are unchanged.
    fn write_home(&mut self, homes: &mut Homes, r: u8, from: u8);
}

/// Integer operations. Those that have a destination `dst` change no home but that.
pub(crate) trait LowerInt<'b, H: Host<'b>> {
    /// True of operations that the host cannot do.
    fn lacks(&self, op: BinOp) -> bool;

    /// The same.
    fn lacks_un(&self, _op: UnOp) -> bool {
        false
    }

    /// The second operand of an operation, as far as the instruction for it takes it.
    fn second<'h>(&mut self, homes: &'h Homes, op: BinOp, w: Width, b: Src) -> H::Operand<'h>;

    /// `dst = x op y`, of width `w` with the upper half zero or anything; `known` is `y` if that is
    /// a constant.
    fn compute(
        &mut self,
        op: BinOp,
        w: Width,
        dst: u8,
        operands: (H::Operand<'_>, H::Operand<'_>),
        known: Option<u64>,
    );

    /// `dst = op x`, extended to 64 bits.
    fn compute_un(&mut self, op: UnOp, w: Width, dst: u8, x: H::Operand<'_>);

    /// Reverses the bytes of the word of this size, 4 or 8, that `to` holds, zero-extended.
    fn reverse_bytes(&mut self, to: u8, size: MemSize);

    /// `dst = x + y` in 32 bits; whether it is sign-extended.
    fn add_words(&mut self, dst: u8, x: H::Operand<'_>, y: H::Operand<'_>) -> bool;

    /// `dst = x & k`, where only the low half of `x` is right.
    fn and_low(&mut self, dst: u8, x: H::Operand<'_>, k: i32);

    /// `dst = (zext32(x) << n) + y`
    fn add_shifted_word(&mut self, dst: u8, x: (H::Operand<'_>, u8), y: H::Operand<'_>);

    /// `dst = zext32(x) << n`
    fn shift_left_word(&mut self, dst: u8, x: H::Operand<'_>, n: u8);

    /// `dst = x` rotated to the right, of width `w`.
    fn rotate_right(&mut self, w: Width, dst: u8, x: H::Operand<'_>, n: u8);

    /// As [`Self::rotate_right`], of the home of a register.
    fn rotate_home(&mut self, w: Width, dst: u8, x: H::Operand<'_>, n: u8) {
        self.rotate_right(w, dst, x, n);
    }

    /// Emits `rd = a op b` as an instruction that shifts an operand, if one of them is a pending
    /// shift that the host has such an instruction for; false if not.
    fn with_shifted(&mut self, _homes: &mut Homes, _op: BinOp, _rd: Reg, _a: Reg, _b: Src) -> bool {
        false
    }

    /// Emits the shift of what is a pending shift itself, if both are one instruction; false if
    /// not.
    fn shift_again(&mut self, homes: &mut Homes, by: ShiftBy, rd: Reg, a: Reg) -> bool;

    /// True if an operation on the low half of `r` alone is cheaper, as the rest is pending.
    fn low_half_will_do(&self, r: Reg) -> bool;

    /// True if the sum that a register is now had better be computed at once.
    fn sum_is_dear(&mut self, _rd: Reg, _sum: Sum) -> bool {
        false
    }

    /// `rd = a`, neither constant nor the same.
    fn copy_home(&mut self, homes: &mut Homes, rd: Reg, a: Reg);

    /// Compares; the condition code to use, which differs from that of `cond` if the operands were
    /// exchanged.
    fn compare_with(&mut self, homes: &Homes, cond: Cond, a: Reg, b: Src) -> H::Cc;
}

/// Operations on a condition.
pub(crate) trait LowerSelect {
    /// `rd = a op b`, unless the condition holds.
    fn select(&mut self, homes: &mut Homes, unless: Unless, rd: Reg, value: Value);
    /// `fd = op a`, unless the condition holds.
    fn fselect(&mut self, homes: &Homes, unless: Unless, fd: FReg, value: FloatValue);
}

/// Loads, stores and fences.
pub(crate) trait LowerMemory<'b, H: Host<'b>> {
    /// Where the guest memory at `base + off` is, for `access`. May use scratch registers, but not
    /// [`Place::First`], which must then stay as they are until the access.
    fn address<'h>(
        &mut self,
        homes: &'h Homes,
        access: Access,
        base: Reg,
        off: i32,
    ) -> H::Address<'h>;

    /// Stores `value` there, which may fault.
    fn store_operand(&mut self, size: MemSize, value: H::Operand<'_>, to: H::Address<'_>);

    fn fence(&mut self, fence: Fence);
}

/// What an instruction writes that the interpreter may execute instead.
#[derive(Clone, Copy)]
pub(crate) enum Writes {
    /// A floating-point register.
    Float(FReg),
    /// An integer register.
    Int(Reg),
}

/// Floating point.
pub(crate) trait LowerFloat<'b, H: Host<'b>> {
    /// True if the host has nothing for `op`, which no other host lacks; see
    /// [`crate::opt::FloatRules::lacks`].
    fn host_lacks(&self, op: &Op) -> bool;
    /// The rounding mode of an operation that only this host rounds in the dynamic mode; see
    /// [`crate::opt::FloatRules::needs_rounding`].
    fn host_needs_rounding(&self, _op: &Op) -> Option<Rounding> {
        None
    }
    /// See [`crate::opt::FloatRules::joins_selects`].
    fn joins_selects(&self) -> bool {
        false
    }
    /// The upper half of a vector register all ones.
    fn box_up(&mut self, x: u8);
    /// A vector register that holds `f`, pending or not: its own, or `scratch`.
    fn float_in_reg(&mut self, f: FReg, scratch: u8) -> u8;
    /// Makes a register canonical, before somebody looks at its low half.
    fn canonical(&mut self, _f: FReg) {}
    /// Lets the interpreter execute the instruction, which looks at no other registers than
    /// `operands`. What is pending stays so; the upper halves of operands are set, which they may
    /// be once more.
    fn interpret(&mut self, homes: &mut Homes, operands: &[FReg]);
    /// In cold code, makes ready for the interpreter, which looks at `operands`: the upper halves
    /// of those are set, which they may be once more. What is pending otherwise may stay so.
    fn ready_for_interpreter(&mut self, homes: &mut Homes, operands: &[FReg]);
    /// Makes all registers canonical but those in a set.
    fn flush_canon(&mut self, _keep: u32) {}
    /// Asks whether `f` is a NaN. Raises no flags.
    fn test_nan(&mut self, fmt: Fmt, f: FReg) -> H::Test;
    /// Asks whether `f` is no boxed single.
    fn test_unboxed(&mut self, f: FReg) -> H::Test;
    /// The same of a vector register.
    fn test_unboxed_in(&mut self, x: u8) -> H::Test;
    /// A vector register that holds a boxed single if `x` does, and `all`, if there is one.
    fn and_boxes(&mut self, all: Option<u8>, x: u8) -> u8;
    /// Asks whether the dynamic rounding mode is another one than that whose number is `code`.
    fn test_rounding_is_not(&mut self, code: u8) -> H::Test;
}

/// Floating-point arithmetic.
pub(crate) trait LowerArith {
    fn fbin(
        &mut self,
        homes: &mut Homes,
        op: FBinOp,
        fmt: Fmt,
        rm: Rounding,
        fd: FReg,
        ab: [FReg; 2],
    );
    fn fsqrt(&mut self, homes: &mut Homes, fmt: Fmt, rm: Rounding, fd: FReg, a: FReg);
    /// Rounds to an integral number.
    fn fround(&mut self, homes: &mut Homes, op: FUnOp, fmt: Fmt, rm: Rounding, fd: FReg, a: FReg);
    fn fmuladd(
        &mut self,
        homes: &mut Homes,
        fmt: Fmt,
        rm: Rounding,
        neg: (bool, bool),
        fd: FReg,
        abc: [FReg; 3],
    );
}

/// Comparisons, classes, moves between register files, loads and stores.
pub(crate) trait LowerFloatMove {
    /// `fd` is the constant `bits`.
    fn load_bits(&mut self, fd: FReg, bits: u64);
    fn fcmp(&mut self, homes: &mut Homes, op: FCmpOp, fmt: Fmt, rd: Reg, a: FReg, b: FReg);
    fn fclass(&mut self, homes: &mut Homes, fmt: Fmt, rd: Reg, a: FReg);
    fn move_to_int(&mut self, homes: &mut Homes, fmt: Fmt, rd: Reg, a: FReg);
    fn move_from_int(&mut self, homes: &Homes, fmt: Fmt, fd: FReg, a: Reg);
    fn fload(&mut self, homes: &Homes, fmt: Fmt, fd: FReg, base: Reg, off: i32);
    fn fstore(&mut self, homes: &Homes, fmt: Fmt, fs: FReg, base: Reg, off: i32);
}

/// Conversions, accrued flags and the rounding mode.
pub(crate) trait LowerConvert {
    fn float_to_int(&mut self, homes: &mut Homes, how: Conversion, rd: Reg, a: FReg);
    fn float_from_int(&mut self, homes: &mut Homes, how: Conversion, fd: FReg, a: Reg);
    fn fconvert(&mut self, homes: &mut Homes, from: Fmt, to: Fmt, rm: Rounding, fd: FReg, a: FReg);
    fn read_flags(&mut self, homes: &mut Homes, rd: Reg);
    fn swap_flags(&mut self, homes: &mut Homes, rd: Reg, a: Src);
    fn read_rounding(&mut self, homes: &mut Homes, rd: Reg);
}

/// Vectors.
pub(crate) trait LowerVector {
    /// Emits `op`, an operation of vectors: by [`Emitter::vector_op`](super::Emitter::vector_op),
    /// or, if the host has no vector instructions that are good for it, by
    /// [`Emitter::vector_helper`](super::Emitter::vector_helper).
    fn vector(&mut self, homes: &mut Homes, op: &Op);
}

/// Atomic operations, on the address that [`Self::atomic_base`] has made ready. Results are where
/// [`Host::atomic_result`] takes them from.
pub(crate) trait LowerAtomic<'b, H: Host<'b>> {
    /// Makes the guest address in `base` ready, which is at home or x0.
    fn atomic_base(&mut self, homes: &Homes, base: Reg);

    /// What is in memory, which `op` then changes; without `wanted`, the former may be forgotten.
    fn exchange(&mut self, op: AmoOp, size: MemSize, value: H::Operand<'_>, wanted: bool);

    /// Loads and reserves: how much of the result is right, and whether it is narrow at last.
    fn reserve(&mut self, homes: &Homes, size: MemSize, base: Reg) -> (MemSize, bool);

    /// Stores `value` if the reservation holds. 0 if so, else 1; whether that is known to be
    /// narrow.
    fn store_if_reserved(
        &mut self,
        homes: &Homes,
        size: MemSize,
        base: Reg,
        value: H::Operand<'_>,
    ) -> bool;

    /// What is in memory, which becomes `new` if it is `expected`.
    fn exchange_if(&mut self, size: MemSize, expected: H::Operand<'_>, new: H::Operand<'_>);
}

/// Branches, calls, returns, and the ways out of translated code.
pub(crate) trait LowerExit<'b, H: Host<'b>> {
    /// Compares for a branch: what it asks.
    fn compare_for_branch(&mut self, homes: &Homes, cond: Cond, a: Reg, b: Reg) -> H::Test;

    /// If `test` holds, goes to a guest address, by way of code that brings home what is pending.
    fn branch_out(&mut self, homes: &mut Homes, test: H::Test, target: u64);

    /// Jumps to the head of the loop that is being emitted, on a condition or always.
    fn branch_to_head(&mut self, homes: &mut Homes, test: Option<H::Test>);

    /// Calls `target`, with the return address in `link` already.
    fn call_direct(&mut self, homes: &Homes, target: u64, link: Reg, ret: u64);

    /// A register that holds `base + off` and stays as it is when `link` is written. Bit 0 is left
    /// alone: a set one takes the slow path, which clears it.
    fn indirect_target(&mut self, homes: &Homes, base: Reg, off: i32, link: Reg) -> u8;

    /// `link = ret` at home, where `link` is not x0.
    fn write_return_address(&mut self, homes: &mut Homes, link: Reg, ret: u64);

    /// Goes to the guest address in `target`, which came from [`Self::indirect_target`], through
    /// the table; as a call, if `call` says by which link register, and where that returns to. When
    /// the hart is to be stopped the table has no entries.
    ///
    /// Rotating moves bit 0 to the top, so that one comparison refuses odd addresses and those
    /// beyond the table. An empty entry is 0 and leads to the arena's first bytes, which are the
    /// lookup stub. All ways to that stub come with the rotated address.
    fn dispatch(&mut self, homes: &Homes, target: u8, call: Option<(Reg, u64)>);

    /// Returns by what is in a register, if that needs nothing in a register of its own.
    fn return_at_once(&mut self, _base: Reg, _off: i32, _link: Reg) -> bool {
        false
    }

    /// Returns to the guest address in `target`, which came from [`Self::indirect_target`].
    fn return_to(&mut self, homes: &Homes, target: u8);

    /// Behind a call: makes sure that what returned here was to, if the return itself did not.
    fn check_return(&mut self, _homes: &Homes, _link: Reg, _ret: u64) {}

    fn read_counter(&mut self, homes: &mut Homes, counter: Counter, rd: Reg);
}
