//! Host code for x86-64.
//!
//! Reading order: `regs` (which register is what), `asm` (encodings), `stubs` (common stubs),
//! `emit` (the primitives of the shared emitter, `backend::emit`), `values` (where guest registers
//! are), `emit_*` (what each kind of operation is lowered to), `patch`, `features`. All of it is
//! safe code: emitting is bytes, only running them is not.

mod asm;
#[cfg(all(debug_assertions, feature = "tools"))]
mod check;
mod emit;
mod emit_atomic;
mod emit_convert;
mod emit_exit;
mod emit_float;
mod emit_float_arith;
mod emit_float_move;
mod emit_int;
mod emit_mem;
mod emit_mul;
mod emit_select;
mod emit_vector;
mod emit_vector_float;
mod features;
mod patch;
mod regs;
mod stubs;
mod values;
mod vector_loop;

pub use features::Features;

use crate::backend::emit::emit_with_shared_emitter;
use crate::backend::{Backend, LinkSite, RegMap, ThreadState, Translator};
use crate::util::CodePtr;

/// The shared emitter for this host.
type Emitter<'b, 'c> = crate::backend::emit::Emitter<'b, 'c, asm::Asm<'b>>;

/// The translator of blocks for this host.
pub type X64 = Translator<Features>;

impl Backend for X64 {
    const NAME: &'static str = "x86-64";
    const EXACT_FLAGS_COST: bool = false;
    const IGNORES_TOP_BYTE: bool = false;
    const UNROLL: u32 = <asm::Asm<'_> as crate::backend::emit::Host>::UNROLL as u32;
    const NO_TRAPS: u32 = emit_float::ALL_MASKS;
    const CODE_ALIGN: u32 = 1;
    const MAP: &'static RegMap = &regs::MAP;

    emit_with_shared_emitter!();

    fn fp_word(frm: u8, fflags: u8) -> u32 {
        emit_float::mxcsr(frm, fflags)
    }

    fn link_word(link: &LinkSite, target: CodePtr) -> Option<u32> {
        Some(patch::rel32(link.site, target))
    }

    fn farther(word: u32, bytes: u32) -> u32 {
        word.wrapping_add(bytes)
    }

    fn set_link_id(code: &mut [u8], id: u32) -> Option<()> {
        *code.first_chunk_mut()? = id.to_le_bytes();
        Some(())
    }

    fn fp_trap(state: &mut ThreadState, word: u32) -> Option<u32> {
        Some(emit_float::fp_trap(state, word))
    }

    fn fp_untrap(word: u32) -> u32 {
        word & !emit_float::raised(word)
    }

    fn fp_flags(word: u32) -> u8 {
        emit_float::fflags(word)
    }
}
