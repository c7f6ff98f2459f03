//! What the emitter needs of a host's assembler.

use crate::backend::{EmitContext, FaultPoints, Out};
use crate::ir::{Cond, Fmt, LoadKind, MemSize, OpClass};
use crate::opt::RegSet;
use crate::util::CodePtr;
use std::ops::DerefMut;

/// The assembler of a host: where code goes, and primitives without decisions.
pub(crate) trait Host<'b>: DerefMut<Target = Out<'b>> + Sized {
    /// What the host CPU can do.
    type Features: Copy;
    /// Which host registers hold copies of slots for a while.
    type Copies: HeldCopies;
    /// Code that is emitted behind the block.
    type Deferred: Default;
    /// What a conditional branch asks.
    type Test: Copy;
    /// A condition code.
    type Cc: Copy;
    /// An operand of an integer instruction: one that is [`Held`](crate::backend::Held).
    type Operand<'h>: Copy;
    /// A place in the guest's memory, which is made of such.
    type Address<'h>: Copy;
    /// A branch over a few instructions.
    type Skip;
    /// A conditional branch whose target is not known yet.
    type Branch: Copy;
    /// The simulated host that executes what was emitted.
    #[cfg(all(debug_assertions, feature = "tools"))]
    type Simulated: crate::backend::check::Host;
    /// See [`crate::opt::FloatRules::OWN_NANS`].
    const OWN_NANS: bool;
    /// See [`crate::opt::FloatRules::KEEPS_UPPER_HALF`].
    const KEEPS_UPPER_HALF: bool;
    /// How often a loop is emitted in a row at most.
    const UNROLL: usize;
    /// In a sandbox, calls forward poll too.
    const POLLS_AT_CALLS: bool;
    /// The code that is emitted behind a run of nodes is what execution goes on with there.
    const FALLS_THROUGH: bool;
    /// A sum of words that rotates one is a rotation.
    const ROTATES_WORDS: bool;
    /// What a load writes whose value nobody wants.
    const NOWHERE: u8;
    /// The vector register for results that go to a slot.
    const FLOAT_SCRATCH: u8;

    /// One that writes to `out`.
    fn new(out: Out<'b>, ctx: &EmitContext<'_>) -> Self;

    /// What is kept beyond an operation of a class; see `Liveness::of`.
    fn keeps(_shape: OpClass, _cpu: Self::Features) -> u8 {
        0
    }

    /// The condition code for what has been compared.
    fn condition(cond: Cond) -> Self::Cc;

    /// `to` = 1 if `cc` holds, else 0.
    fn set_if(&mut self, cc: Self::Cc, to: u8);

    /// Sign-extends the low half of a register. Flags are unchanged.
    fn sign_extend_word(&mut self, r: u8);

    /// An access to the guest's memory.
    fn access(&mut self, access: Access, reg: u8, at: Self::Address<'_>);

    /// Jumps to a place of this block's code.
    fn jump(&mut self, target: CodePtr);

    /// Jumps there if `test` holds.
    fn jump_if(&mut self, test: Self::Test, target: CodePtr);

    /// Emits a short branch on a condition, over code to be ended by [`Self::land`].
    fn skip_if(&mut self, cc: Self::Cc) -> Self::Skip;

    /// Where such a branch leads to.
    fn land(&mut self, skip: Self::Skip);

    /// Copies a vector register.
    fn float_move(&mut self, to: u8, from: u8);

    /// Stores a vector register to the slot of `f`.
    fn store_float(&mut self, f: u8, from: u8);

    /// Asks whether the address of an atomic access is not a multiple of `size`.
    fn test_misaligned(&mut self, size: MemSize) -> Self::Test;

    /// `to =` the result of an atomic operation, of which `size` is right, sign-extended.
    fn atomic_result(&mut self, size: MemSize, to: u8);

    /// Emits a conditional branch to where [`Self::bind`] will say.
    fn branch_if(&mut self, test: Self::Test) -> Self::Branch;

    /// Lets a branch lead to what comes next.
    fn bind(&mut self, branch: Self::Branch);

    /// Calls a stub.
    fn call(&mut self, target: CodePtr);

    /// The load that lets the hart be stopped.
    fn poll(&mut self);

    /// Asks whether less than `insns` instructions are left, of those that are to stay. What is
    /// left then is in the first scratch register.
    fn test_fuel(&mut self, insns: u32) -> Self::Test;

    /// Stores what is left, from there. Flags may change.
    fn store_fuel(&mut self);

    /// Takes 1 from the 32-bit counter at host address `at`, and asks whether it was 0. The scratch
    /// registers change.
    fn count_down(&mut self, at: u64) -> Self::Test;

    /// Loads from [`HANDLER_ROOM`](crate::backend::HANDLER_ROOM) bytes below the stack of return
    /// addresses.
    fn touch_handler_room(&mut self);

    /// Makes ready for [`Self::jump_word`].
    fn begin_jump(&mut self) {}

    /// The four bytes at `site` of a jump to `target`, or of a call.
    fn jump_word(&mut self, site: CodePtr, target: CodePtr, call: bool);

    /// Makes ready for code that is jumped to again and again.
    fn begin_loop(&mut self) {}

    /// Makes the jump whose four bytes are at `site` lead to `target`, code of the same block.
    fn aim_jump(&mut self, site: CodePtr, target: CodePtr);

    /// Loads the slot of integer register `r` into a host register. Flags are unchanged.
    fn load_slot(&mut self, to: u8, r: u8);

    /// Stores a host register to the slot of integer register `r`. Flags are unchanged.
    fn store_slot(&mut self, r: u8, from: u8);

    /// In the cold part: takes link `id` to the stub at `target`.
    fn link_stub(&mut self, id: u32, target: CodePtr);

    /// The guest's pc is `pc`.
    fn store_pc(&mut self, pc: u64);

    /// Leaves by the stub at `target`, for the reason `code`.
    fn exit(&mut self, code: u64, target: CodePtr);

    /// Emits what is to be found behind a block.
    fn end(&mut self) {}

    /// Increments the counter at a host address. Registers and flags are unchanged.
    fn increment(&mut self, counter: u64);

    /// Increments the byte of `edges` for the transition to `place` from the part before, and makes
    /// this one the part before. Registers and flags are unchanged.
    fn edge(&mut self, edges: u64, place: u16);

    /// Stores something to the counter at a host address that is not
    /// [`UNMARKED`](crate::backend::UNMARKED). Registers and flags are unchanged.
    fn mark(&mut self, counter: u64);

    /// Tells the host that this is a loop which waits.
    fn pause(&mut self);

    /// What a checker must know of this host alone.
    #[cfg(all(debug_assertions, feature = "tools"))]
    fn aside(&self, copies: &Self::Copies) -> Aside;
}

/// Where an operand goes that has no register of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The first scratch register for operands.
    First,
    /// The second one.
    Second,
    /// A third one, if the operation has no other use for it.
    Third,
}

/// An access to the guest's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Of an integer register.
    Load(LoadKind),
    /// The same.
    Store(MemSize),
    /// Of a vector register.
    FLoad(Fmt),
    /// The same.
    FStore(Fmt),
}

/// Host registers that hold copies of slots.
pub(crate) trait HeldCopies: Clone + Default {
    /// Guest registers whose slots are out of date, as a copy has the value.
    fn dirty(&self) -> RegSet;

    /// What a fault handler must know of them.
    fn restore_ops(&self, to: &mut FaultPoints);

    /// Forgets all copies. None may be the only place of a value.
    fn forget(&mut self);
}

/// No copies.
impl HeldCopies for () {
    fn dirty(&self) -> RegSet {
        0
    }

    fn restore_ops(&self, _to: &mut FaultPoints) {}

    fn forget(&mut self) {}
}

/// What only some hosts have, for their checker.
#[cfg(all(debug_assertions, feature = "tools"))]
#[derive(Default)]
pub(crate) struct Aside {
    /// From where on code was moved since the last time, and by how much.
    pub(crate) moved: Option<(CodePtr, u32)>,
    /// Copies of slots: guest register, host register, and whether the slot is out of date.
    pub(crate) copies: Vec<(u8, u8, bool)>,
    /// Conditional branches that have no target yet, of those whose it is known.
    pub(crate) unbound: Vec<(CodePtr, CodePtr)>,
}
