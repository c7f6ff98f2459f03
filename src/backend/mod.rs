//! What both hosts share: the thread state that translated code works on, the code buffer, the
//! symbolic register state, and the shape of what an emitter hands to the runtime.
//!
//! Contract at block boundaries: every guest register that has a host register is in it, every
//! other one is in its slot of [`ThreadState`], and nothing is pending. It holds at every entry
//! that [`CodeBuf::entries`] names, at every direct and indirect jump, and after every return.

mod buf;
#[cfg(all(debug_assertions, feature = "tools"))]
pub mod check;
mod code;
pub(crate) mod emit;
pub mod faults;
mod homes;
pub mod portable;
mod regmap;
mod state;
mod sum;
mod symbolic;

pub(crate) use buf::writes_to_out;
pub use buf::{CodeBuf, CountPoint, Counted, LinkSite, Out, Reloc, RelocKind};
pub use code::Code;
pub use faults::{FaultPoints, RestoreOp};
pub use homes::{Held, Homes};
pub use regmap::RegMap;
pub(crate) use state::field;
pub use state::{
    CONSTANTS, Constants, ExitReason, FLAGS_UNKNOWN, HANDLER_ROOM, STATE_BIAS, ThreadState,
    float_slot, slot,
};
pub use sum::{Sum, join};
pub use symbolic::{KeptHome, ShiftBy, ShiftOp, Symbolic, Val, shifted};

use crate::ir::{Block, Region};
use crate::mem::Mode;
use crate::opt::Liveness;
use crate::util::CodePtr;
use dynasmrt::DynasmApi;
use dynasmrt::relocations::Relocation;

/// Places in the arena that all blocks refer to, made once per arena by
/// [`Backend::emit_stubs`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Stubs {
    /// `extern "C" fn(*mut ThreadState, *const u8) -> u64`: enters translated code.
    pub enter: CodePtr,
    /// As `enter`, as a call of a guest function: when it returns to [`ThreadState::call_return`],
    /// translated code is left with [`ExitReason::Return`].
    pub enter_call: CodePtr,
    /// Target of an unlinked jump: link id in the first scratch register.
    pub link: CodePtr,
    /// Indirect jump that missed: guest address in the first scratch register.
    pub lookup: CodePtr,
    /// A return that did not match: guest address in ra or, for aarch64, the first scratch
    /// register.
    pub return_miss: CodePtr,
    /// What the sentinel at the bottom of the return stack leads to.
    pub return_empty: CodePtr,
    /// Leaves with [`ExitReason::Exit`]; the block has set pc and kind.
    pub exit: CodePtr,
    /// Leaves with [`ExitReason::Fuel`]; the block has set the pc.
    pub fuel: CodePtr,
    /// Leaves with [`ExitReason::Hot`]; the block has set the pc, and says which loop is hot.
    pub hot: CodePtr,
    /// Calls the interpreter for one instruction.
    pub helper: CodePtr,
    /// Calls [`ThreadState::counter`]: number of the counter and what it is at in the first scratch
    /// register of x86-64; for aarch64 the latter is in the second.
    pub counter: CodePtr,
    /// Calls [`ThreadState::serve`] for an environment call at `hart.pc`. Returns if that says to
    /// go on behind it.
    pub serve: CodePtr,
    /// Where the fault handler continues: registers have been saved by the handler.
    pub fault: CodePtr,
}

/// Assembles stubs, in which `R` is what labels need.
pub(crate) type StubAssembler<R> = dynasmrt::VecAssembler<R>;

/// Tells where the next instruction of a stub will lie.
type Here<'a, R> = dyn Fn(&StubAssembler<R>) -> CodePtr + 'a;

/// Assembles all stubs at the start of an arena: the ways out, of which the lookup stub is the
/// first thing in the arena, since an empty table entry is 0 and leads there, and those to enter,
/// to call the helper, to read a counter, to enter by a call, to serve environment calls, and to
/// leave for want of fuel or as a block is hot.
pub(crate) fn assemble_stubs<R: Relocation>(
    buf: &mut CodeBuf,
    leaves: fn(&mut StubAssembler<R>, &mut Stubs, &Here<'_, R>),
    [enter, helper, counter, enter_call, serve, fuel, hot]: [fn(&mut StubAssembler<R>); 7],
) -> Stubs {
    let mut ops = StubAssembler::new(0);
    let base = buf.hot_base;
    let here = |ops: &StubAssembler<R>| CodePtr(base + ops.offset().0 as u32);
    let mut stubs = Stubs { lookup: here(&ops), ..Stubs::default() };
    leaves(&mut ops, &mut stubs, &here);
    stubs.enter = here(&ops);
    enter(&mut ops);
    stubs.helper = here(&ops);
    helper(&mut ops);
    stubs.counter = here(&ops);
    counter(&mut ops);
    stubs.enter_call = here(&ops);
    enter_call(&mut ops);
    stubs.serve = here(&ops);
    serve(&mut ops);
    stubs.fuel = here(&ops);
    fuel(&mut ops);
    stubs.hot = here(&ops);
    hot(&mut ops);
    match ops.finalize() {
        Ok(code) => buf.hot.extend_from_slice(&code),
        Err(e) => unreachable!("the stubs' labels are all bound: {e}"),
    }
    stubs
}

/// What an emitter must know besides the block.
pub struct EmitContext<'a> {
    /// How guest addresses become host addresses.
    pub mode: Mode,
    /// The common stubs.
    pub stubs: Stubs,
    /// Accrued flags must be exact, on a host where that costs something
    /// ([`Backend::EXACT_FLAGS_COST`]).
    pub exact_flags: bool,
    /// Entry of a guest address that is translated already.
    pub lookup: &'a dyn Fn(u64) -> Option<CodePtr>,
    /// Conditional branches may be linked ([`LinkSite::conditional`]).
    pub conditional_links: bool,
    /// The doubleword that is at a guest address now, if it can be read: a hint, which may be wrong
    /// by the time the block is executed.
    pub peek: &'a dyn Fn(u64) -> Option<u64>,
    /// [`HANDLER_ROOM`] bytes are kept free below the stack of return addresses.
    pub handler_room: bool,
    /// What the block costs of [`ThreadState::fuel`], if that is metered: its instructions.
    pub meter: Option<u32>,
    /// What the block is to count each time that it is entered.
    pub countdown: Option<Countdown>,
    /// Environment calls go through [`Stubs::serve`], and what follows them is jumped to.
    pub serves: bool,
    /// Host address of [`MAX_COUNTERS`] 64-bit counters that the block shall increment as it is
    /// executed.
    pub counters: Option<u64>,
    /// Host address of [`EDGES`] bytes that count transitions between parts of guest code, as AFL
    /// defines them: each part increments the byte whose number is its own place plus half of that
    /// of the part before, both hashed.
    pub edges: Option<u64>,
    /// Nothing is incremented: guest code that is executed overwrites its counter, which holds
    /// [`UNMARKED`] before. The block has each branch of the guest's code.
    pub marks: bool,
}

/// A count of how often code of a loop may be entered before the loop is hot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Countdown {
    /// Host address of a 32-bit counter, from which the code takes 1. If it is 0 already, the code
    /// leaves by [`Stubs::hot`].
    pub counter: u64,
    /// What [`ThreadState::payload`] is then.
    pub payload: u64,
}

/// What a counter holds whose code was not executed ([`EmitContext::marks`]). Code overwrites it
/// with a register, whichever is cheapest, so this is a value that no program has.
pub const UNMARKED: u64 = 0x9d3c_51e6_7f0a_b284;

/// Counters of transitions ([`EmitContext::edges`]): all that 16 bits can tell apart.
pub const EDGES: usize = 1 << 16;

/// Counters that one block may have. A path that would need more is not counted.
pub const MAX_COUNTERS: usize = 1024;

/// Emits blocks for a host with features `F`: what is kept from one block to the next.
#[derive(Debug)]
pub struct Translator<F> {
    pub(crate) features: F,
    /// Memory for what is known ahead of each node.
    pub(crate) ahead: Vec<Liveness>,
}

impl<F> Translator<F> {
    /// One that uses `features`.
    #[must_use]
    pub const fn new(features: F) -> Self {
        Self { features, ahead: Vec::new() }
    }
}

/// A host.
pub trait Backend {
    /// For messages.
    const NAME: &'static str;
    /// The host raises the underflow flag in cases where RISC-V does not, and finding out costs
    /// instructions: code for guests that never look at flags does without.
    const EXACT_FLAGS_COST: bool;
    /// The host's accesses take no notice of the top byte of an address: one that differs from the
    /// guest's memory in nothing else is none of a fault in translated code. Finding out would cost
    /// two instructions at most accesses.
    const IGNORES_TOP_BYTE: bool;
    /// How often a block may execute its instructions before it polls.
    const UNROLL: u32;
    /// [`ThreadState::no_traps`] of a thread whose floating-point exceptions never trap.
    const NO_TRAPS: u32;
    /// What places of instructions are multiples of.
    const CODE_ALIGN: u32;
    /// Where guest registers live.
    const MAP: &'static RegMap;

    /// Emits the common stubs; called once, on an empty arena.
    fn emit_stubs(&mut self, buf: &mut CodeBuf) -> Stubs;

    /// Emits one block at the buffer's position.
    fn emit_block(&mut self, block: &Block, buf: &mut CodeBuf, context: &EmitContext<'_>);

    /// Emits a region at the buffer's position, and returns its map of registers. Nothing is
    /// emitted, and the result is `None`, if it is no better than its blocks would be. Nothing is
    /// to be metered or marked, and no edges counted.
    fn emit_region(
        &mut self,
        region: &Region,
        buf: &mut CodeBuf,
        context: &EmitContext<'_>,
    ) -> Option<RegMap>;

    /// The four bytes to store at a link site so that it leads to `target`; `None` if it does not
    /// reach so far.
    fn link_word(link: &LinkSite, target: CodePtr) -> Option<u32>;

    /// The word of a [`RelocKind::Stub`] or [`RelocKind::Other`] when the distance that it holds
    /// has grown by `bytes`, modulo 2^32.
    fn farther(word: u32, bytes: u32) -> u32;

    /// Makes the code at the beginning of `code`, a [`RelocKind::Link`], load `id`. `None` if
    /// `code` is shorter.
    fn set_link_id(code: &mut [u8], id: u32) -> Option<()>;

    /// The host's floating-point control and status word for a guest's rounding mode (0 to 3) and
    /// accrued flags. Exceptions whose flag is not set trap if the host can.
    fn fp_word(frm: u8, fflags: u8) -> u32;

    /// Translated code, at an operation that has not been executed, has raised an exception that
    /// traps. What the control and status word, which is `word` now, is to be when the operation
    /// is executed again, or `None` if that is not what happened.
    fn fp_trap(state: &mut ThreadState, word: u32) -> Option<u32>;

    /// What such a word was before the operation that has raised an exception which traps.
    fn fp_untrap(word: u32) -> u32;

    /// The accrued flags in such a word.
    fn fp_flags(word: u32) -> u8;
}

/// A host's features: a switch for each, with its name as `--host-features` takes it.
macro_rules! features {
    ($($(#[$doc:meta])* $field:ident: $name:literal),+ $(,)?) => {
        /// Optional instructions that the emitter uses if they are there.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Features {
            $($(#[$doc])* pub $field: bool,)+
        }

        impl Features {
            /// Only what every CPU of this architecture has.
            pub const BASELINE: Self = Self { $($field: false,)+ };

            /// Switches a feature by name. `None` if there is no such name.
            pub fn set(&mut self, name: &str, on: bool) -> Option<()> {
                match name {
                    $($name => self.$field = on,)+
                    _ => return None,
                }
                Some(())
            }

            /// Names of all features, and whether each is on.
            #[must_use]
            pub fn list(self) -> Vec<(&'static str, bool)> {
                vec![$(($name, self.$field)),+]
            }
        }
    };
}
pub(crate) use features;
