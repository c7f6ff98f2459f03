//! Host code for aarch64.
//!
//! Reading order: `regs` (which register is what), `asm` (the assembler), `stubs` (common stubs),
//! `emit` (the primitives of the shared emitter, `backend::emit`), `values` (where guest registers
//! are), `emit_*` (what each kind of operation is lowered to), `patch`, `features`. File for file
//! the counterpart of `backend_x64`. All of it is safe code: emitting is bytes, only running them
//! is not.

#![allow(clippy::useless_conversion, reason = "dynasm converts what it takes as a register")]

mod asm;
#[cfg(all(debug_assertions, feature = "tools"))]
mod check;
mod emit;
mod emit_atomic;
mod emit_convert;
mod emit_exit;
mod emit_float;
mod emit_int;
mod emit_mem;
mod emit_mul;
mod emit_select;
mod emit_vector;
mod features;
mod patch;
mod regs;
mod stubs;
mod values;

pub use features::Features;

use crate::backend::emit::emit_with_shared_emitter;
use crate::backend::{Backend, LinkSite, RegMap, ThreadState, Translator};
use crate::util::CodePtr;

/// The shared emitter for this host.
type Emitter<'b, 'c> = crate::backend::emit::Emitter<'b, 'c, asm::Asm<'b>>;

/// The translator of blocks for this host.
pub type A64 = Translator<Features>;

impl Backend for A64 {
    const NAME: &'static str = "aarch64";
    const EXACT_FLAGS_COST: bool = true;
    const IGNORES_TOP_BYTE: bool = true;
    const UNROLL: u32 = <asm::Asm<'_> as crate::backend::emit::Host>::UNROLL as u32;
    const NO_TRAPS: u32 = 0;
    const CODE_ALIGN: u32 = 4;
    const MAP: &'static RegMap = &regs::MAP;

    emit_with_shared_emitter!();

    fn link_word(link: &LinkSite, target: CodePtr) -> Option<u32> {
        match link.conditional {
            Some(word) => patch::conditional(word, link.site, target),
            None if link.call => Some(patch::bl(link.site, target)),
            None => Some(patch::b(link.site, target)),
        }
    }

    fn farther(word: u32, bytes: u32) -> u32 {
        patch::farther(word, bytes)
    }

    fn set_link_id(code: &mut [u8], id: u32) -> Option<()> {
        let code: &mut [u8; 8] = code.first_chunk_mut()?;
        let [low, high] = patch::load_id(id);
        *code = (u64::from(low) | u64::from(high) << 32).to_le_bytes();
        Some(())
    }

    fn fp_word(frm: u8, fflags: u8) -> u32 {
        emit_float::fp_word(frm, fflags)
    }

    fn fp_untrap(word: u32) -> u32 {
        word
    }

    fn fp_trap(_state: &mut ThreadState, _word: u32) -> Option<u32> {
        None
    }

    fn fp_flags(word: u32) -> u8 {
        emit_float::fflags(word)
    }
}
