//! The emitter: all that is decided about host code, for every host.
//!
//! A host is an assembler ([`Host`]: registers, encodings, and primitives that decide nothing) and
//! what it lowers in its own way ([`Lower`], a trait for each kind of operation). Everything else
//! is written here once, over both: `block` (a block from end to end, fault points, counters),
//! `values` (where integer registers are), `int`, `memory`, `atomic`, `select`, `vector`
//! (operations), `exits`, `meter` (budgets of instructions), `loops` and `loop_head` (loops whose
//! head relies on more than the contract), `region` (loops of several blocks), and what is pending
//! of floating-point registers (`float`; what is known of them is [`crate::opt::FloatFacts`]).

mod atomic;
mod block;
#[cfg(all(debug_assertions, feature = "tools"))]
mod checker;
mod exits;
mod float;
mod host;
mod int;
mod loop_head;
mod loops;
mod lower;
mod memory;
mod meter;
mod region;
mod select;
mod values;
mod vector;

#[cfg(all(debug_assertions, feature = "tools"))]
pub(crate) use checker::Checker;
pub(crate) use float::is_exact;
pub(crate) use loop_head::LoopHead;
pub(crate) use region::{exchanges, map_of};

#[cfg(all(debug_assertions, feature = "tools"))]
pub(crate) use host::Aside;
pub(crate) use host::{Access, HeldCopies, Host, Place};
pub(crate) use lower::{
    Conversion, FloatValue, Lower, LowerArith, LowerAtomic, LowerBlock, LowerConvert, LowerExit,
    LowerFloat, LowerFloatMove, LowerInt, LowerMemory, LowerSelect, LowerValues, LowerVector,
    Unless, Value, Writes,
};
pub(crate) use vector::{Lanes, VectorUnit};

use vector::VectorFacts;

use region::Inside;

use super::{EmitContext, Out, RegMap, Symbolic};
use crate::opt::{FloatFacts, Liveness, RegSet};

/// Everything that is known while a block is emitted.
pub(crate) struct Emitter<'b, 'c, H: Host<'b>> {
    /// Where code goes.
    pub(crate) a: H,
    /// Where integer registers are.
    pub(crate) sym: Symbolic,
    /// What is known of floating-point registers.
    pub(crate) fp: FloatFacts,
    /// What is known of vectors.
    pub(crate) vectors: VectorFacts<H::Branch>,
    /// The loop that is being emitted, if back-edges need not keep the contract.
    pub(crate) head: Option<LoopHead>,
    /// The region that is being emitted, if it is no block.
    pub(crate) inside: Option<Inside>,
    pub(crate) ctx: &'c EmitContext<'c>,
    /// Which registers of the guest live in host registers.
    pub(crate) map: &'c RegMap,
    pub(crate) cpu: H::Features,
    /// Address of the guest instruction that is being emitted.
    pub(crate) pc: u64,
    /// Address of the one that follows it, if it does not jump.
    pub(crate) next: u64,
    /// The operation before belongs to the same instruction.
    pub(crate) same_insn: bool,
    /// Registers whose value now is overwritten by a later operation of the block before it must be
    /// at home.
    pub(crate) redefined: RegSet,
    /// Registers whose value nobody will see: it is overwritten before it is read, before anything
    /// faults and before the block can be left. The current operation does not read it either.
    pub(crate) dead: RegSet,
    /// The same, but that the current operation may read it.
    pub(crate) dead_later: RegSet,
    /// The register that comes home last, if any: flags may then tell about it.
    pub(crate) materialised_last: RegSet,
    pub(crate) copies: H::Copies,
    /// Code that is emitted behind the block.
    pub(crate) deferred: H::Deferred,
    /// Bytes of the word that was last loaded for each register to be made of.
    pub(crate) words: [u8; 32],
    /// Memory for what is known ahead of each node.
    ahead: &'b mut Vec<Liveness>,
}

impl<'b, 'c, H: Host<'b>> Emitter<'b, 'c, H> {
    pub(crate) fn new(
        out: Out<'b>,
        (ctx, map): (&'c EmitContext<'c>, &'c RegMap),
        cpu: H::Features,
        ahead: &'b mut Vec<Liveness>,
    ) -> Self {
        Self {
            a: H::new(out, ctx),
            sym: Symbolic::new(),
            fp: FloatFacts::default(),
            vectors: VectorFacts::default(),
            head: None,
            inside: None,
            ctx,
            map,
            cpu,
            pc: 0,
            next: 0,
            same_insn: false,
            redefined: 0,
            dead: 0,
            dead_later: 0,
            materialised_last: 0,
            copies: H::Copies::default(),
            deferred: H::Deferred::default(),
            words: [0; 32],
            ahead,
        }
    }
}

/// The functions of a [`Backend`](crate::backend::Backend) that emit, for a host's
/// [`Translator`](crate::backend::Translator): `emit_stubs` of its `stubs`, and the shared emitter
/// over its assembler.
macro_rules! emit_with_shared_emitter {
    () => {
        fn emit_stubs(&mut self, buf: &mut $crate::backend::CodeBuf) -> $crate::backend::Stubs {
            stubs::emit_stubs(buf)
        }

        fn emit_block(
            &mut self,
            block: &$crate::ir::Block,
            buf: &mut $crate::backend::CodeBuf,
            context: &$crate::backend::EmitContext<'_>,
        ) {
            let out = $crate::backend::Out::new(buf);
            Emitter::new(out, (context, Self::MAP), self.features, &mut self.ahead).block(block);
        }

        fn emit_region(
            &mut self,
            region: &$crate::ir::Region,
            buf: &mut $crate::backend::CodeBuf,
            context: &$crate::backend::EmitContext<'_>,
        ) -> Option<$crate::backend::RegMap> {
            let exchanges = $crate::backend::emit::exchanges(region, Self::MAP)?;
            let map = $crate::backend::emit::map_of(&exchanges, Self::MAP);
            let out = $crate::backend::Out::new(buf);
            let mut emitter = Emitter::new(out, (context, &map), self.features, &mut self.ahead);
            emitter.region(region, exchanges);
            Some(map)
        }
    };
}
pub(crate) use emit_with_shared_emitter;
