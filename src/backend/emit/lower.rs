//! What each host lowers in its own way.

use super::host::Host;
use crate::ir::{
    AmoOp, BinOp, Block, Cond, FBinOp, FCmpOp, FReg, FSelectOp, FUnOp, Fence, Fmt, IntFmt,
    LoadKind, MemSize, Node, Op, Reg, Rounding, Src, UnOp, Width,
};
use crate::opt::Liveness;
use crate::util::Counter;

/// A condition on which nothing happens.
pub(crate) type Unless = (Cond, Reg, Reg);

/// What each host lowers in its own way.
pub(crate) trait Lower<'b, H: Host<'b>>:
    LowerBlock
    + LowerValues
    + LowerInt
    + LowerSelect
    + LowerMemory
    + LowerAtomic
    + LowerFloat<'b, H>
    + LowerFloatOps
    + LowerExit<'b, H>
{
}

impl<'b, H: Host<'b>, T> Lower<'b, H> for T where
    T: LowerBlock
        + LowerValues
        + LowerInt
        + LowerSelect
        + LowerMemory
        + LowerAtomic
        + LowerFloat<'b, H>
        + LowerFloatOps
        + LowerExit<'b, H>
{
}

/// Around operations.
pub(crate) trait LowerBlock {
    /// Makes ready for a run of nodes.
    fn begin_run(&mut self);

    /// Makes ready for `node`; `ahead` is what is known behind it.
    fn begin_node(&mut self, node: &Node, ahead: &Liveness);

    /// Emits `op` together with the first of `following`, if they are something together: how many
    /// of them, or none if nothing has been emitted.
    fn joined(&mut self, op: &Op, following: &[Node]) -> usize;

    /// Emits what was deferred until after a run of nodes, behind which execution goes on at `end`;
    /// nowhere if that is -1.
    fn end_run(&mut self, end: u64);

    /// Emits iterations of a loop in groups, if `block` begins with one that this is good for.
    fn grouped(&mut self, block: &Block) -> bool;
}

/// Where integer registers are.
pub(crate) trait LowerValues {
    /// Brings all integer registers home.
    fn flush_int(&mut self);
    /// Brings home what will have to be there sooner or later, before the block can be left: then
    /// leaving it needs no code of its own.
    fn settle_lasting(&mut self);
}

/// Integer operations.
pub(crate) trait LowerInt {
    fn bin(&mut self, op: BinOp, w: Width, rd: Reg, a: Reg, b: Src);
    fn un(&mut self, op: UnOp, w: Width, rd: Reg, a: Reg);
}

/// Operations on a condition.
pub(crate) trait LowerSelect {
    /// `rd = a op b`, unless the condition holds.
    fn select(&mut self, unless: Unless, op: (BinOp, Width), rd: Reg, a: Reg, b: Src);
    /// `fd = op a`, unless the condition holds.
    fn fselect(&mut self, unless: Unless, op: (FSelectOp, Fmt), fd: FReg, a: FReg);
}

/// Loads, stores and fences.
pub(crate) trait LowerMemory {
    fn load(&mut self, kind: LoadKind, rd: Reg, base: Reg, off: i32);
    fn store(&mut self, size: MemSize, src: Reg, base: Reg, off: i32);
    fn fence(&mut self, fence: Fence);
}

/// Floating point.
pub(crate) trait LowerFloat<'b, H: Host<'b>> {
    /// The upper half of a vector register all ones.
    fn box_up(&mut self, x: u8);
    /// Makes all registers canonical but those in `keep`.
    fn flush_canon(&mut self, keep: u32);
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

/// Operations on floating point.
pub(crate) trait LowerFloatOps: LowerArith + LowerFloatMove + LowerConvert {}

impl<T: LowerArith + LowerFloatMove + LowerConvert> LowerFloatOps for T {}

/// Floating-point arithmetic.
pub(crate) trait LowerArith {
    fn fbin(&mut self, op: FBinOp, fmt: Fmt, rm: Rounding, fd: FReg, a: FReg, b: FReg);
    fn fsqrt(&mut self, fmt: Fmt, rm: Rounding, fd: FReg, a: FReg);
    /// Rounds to an integral number.
    fn fround(&mut self, op: FUnOp, fmt: Fmt, rm: Rounding, fd: FReg, a: FReg);
    fn fmuladd(&mut self, fmt: Fmt, rm: Rounding, neg: (bool, bool), fd: FReg, abc: [FReg; 3]);
}

/// Comparisons, classes, moves between register files, loads and stores.
pub(crate) trait LowerFloatMove {
    /// `fd` is the constant `bits`.
    fn load_bits(&mut self, fd: FReg, bits: u64);
    fn fcmp(&mut self, op: FCmpOp, fmt: Fmt, rd: Reg, a: FReg, b: FReg);
    fn fclass(&mut self, fmt: Fmt, rd: Reg, a: FReg);
    fn move_to_int(&mut self, fmt: Fmt, rd: Reg, a: FReg);
    fn move_from_int(&mut self, fmt: Fmt, fd: FReg, a: Reg);
    fn fload(&mut self, fmt: Fmt, fd: FReg, base: Reg, off: i32);
    fn fstore(&mut self, fmt: Fmt, fs: FReg, base: Reg, off: i32);
}

/// Conversions, accrued flags and the rounding mode.
pub(crate) trait LowerConvert {
    fn float_to_int(&mut self, fmt: Fmt, int: IntFmt, rm: Rounding, rd: Reg, a: FReg);
    fn float_from_int(&mut self, fmt: Fmt, int: IntFmt, rm: Rounding, fd: FReg, a: Reg);
    fn float_convert(&mut self, from: Fmt, to: Fmt, rm: Rounding, fd: FReg, a: FReg);
    fn read_flags(&mut self, rd: Reg);
    fn swap_flags(&mut self, rd: Reg, a: Src);
    fn read_rounding(&mut self, rd: Reg);
}

/// Atomic operations.
pub(crate) trait LowerAtomic {
    fn amo(&mut self, op: AmoOp, size: MemSize, rd: Reg, base: Reg, src: Reg);
    fn load_reserved(&mut self, size: MemSize, rd: Reg, base: Reg);
    fn store_conditional(&mut self, size: MemSize, rd: Reg, base: Reg, src: Reg);
    fn cas(&mut self, size: MemSize, rd: Reg, base: Reg, src: Reg);
}

/// Branches, calls, returns, and the ways out of translated code.
pub(crate) trait LowerExit<'b, H: Host<'b>> {
    /// Compares for a branch: what it asks.
    fn compare_for_branch(&mut self, cond: Cond, a: Reg, b: Reg) -> H::Test;

    /// If `test` holds, goes to a guest address, by way of code that brings home what is pending.
    fn branch_out(&mut self, test: H::Test, target: u64);

    /// Jumps to the head of the loop that is being emitted, on a condition or always.
    fn branch_to_head(&mut self, test: Option<H::Test>);

    /// Calls `target`, with the return address in `link` already.
    fn call_direct(&mut self, target: u64, link: Reg, ret: u64);

    /// A register that holds `base + off` and stays as it is when `link` is written. Bit 0 is left
    /// alone: a set one takes the slow path, which clears it.
    fn indirect_target(&mut self, base: Reg, off: i32, link: Reg) -> u8;

    /// `link = ret` at home, where `link` is not x0.
    fn write_return_address(&mut self, link: Reg, ret: u64);

    /// Goes to the guest address in `target`, which came from [`Self::indirect_target`], through
    /// the table; as a call, if `call` says by which link register, and where that returns to. When
    /// the hart is to be stopped the table has no entries.
    ///
    /// Rotating moves bit 0 to the top, so that one comparison refuses odd addresses and those
    /// beyond the table. An empty entry is 0 and leads to the arena's first bytes, which are the
    /// lookup stub. All ways to that stub come with the rotated address.
    fn dispatch(&mut self, target: u8, call: Option<(Reg, u64)>);

    /// Returns by what is in `base`, if that needs nothing in a register of its own.
    fn return_at_once(&mut self, base: Reg, off: i32, link: Reg) -> bool;

    /// Returns to the guest address in `target`, which came from [`Self::indirect_target`].
    fn return_to(&mut self, target: u8);

    /// Behind a call: makes sure that what returned here was to.
    fn check_return(&mut self, link: Reg, ret: u64);

    fn read_counter(&mut self, counter: Counter, rd: Reg);
}
