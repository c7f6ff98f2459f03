//! The interpreter: the reference for what every instruction does, and the fallback of the
//! translator. One file per extension, one function per instruction.
//!
//! Reading order: `rv_i` for the shape of an instruction, `dispatch` for the table of all, then any
//! extension; `block` for how it runs fast, `path` for how it keeps to what translated code does,
//! `watch` and `record` for who wants to know what an instruction accesses.
//!
//! Invariants:
//! - An instruction that does not complete changes nothing: every function here reads its
//!   operands and accesses memory before it writes a register. Of a vector access that faults the
//!   elements before that one are done, and `vstart` is its number.
//! - `x0` is never written; an access to memory happens also when its result goes to `x0`.
//! - No host floating point: results and flags come from `softfloat`.

use crate::cpu::{Access, Exit, Fault, Hart};
use crate::isa::{self, Ext, Insn, Isa, Op};
use crate::mem::{Data, Memory};

/// Instructions that compute `rd` from `rs1` and `rs2` and cannot trap.
macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident |$a:ident, $b:ident| $value:expr;)*) => {$(
        $(#[$doc])*
        pub(super) fn $name(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
            let ($a, $b) = (x(h, i.rs1), x(h, i.rs2));
            h.set_x(i.rd, $value);
            next(i, pc)
        }
    )*};
}

/// Instructions that compute `rd` from `rs1` and the immediate, sign-extended to 64 bits, and
/// cannot trap.
macro_rules! immediate {
    ($($(#[$doc:meta])* $name:ident |$a:ident, $imm:ident| $value:expr;)*) => {$(
        $(#[$doc])*
        pub(super) fn $name(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
            let ($a, $imm) = (x(h, i.rs1), i.imm as u64);
            h.set_x(i.rd, $value);
            next(i, pc)
        }
    )*};
}

/// Instructions that compute `rd` from `rs1` and cannot trap.
macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident |$a:ident| $value:expr;)*) => {$(
        $(#[$doc])*
        pub(super) fn $name(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
            let $a = x(h, i.rs1);
            h.set_x(i.rd, $value);
            next(i, pc)
        }
    )*};
}

mod block;
mod csr;
mod dispatch;
mod path;
mod record;
mod rv_a;
mod rv_f;
mod rv_i;
mod rv_m;
mod rv_v;
mod rv_zb;
mod watch;
mod zic;

pub use block::{Interp, Noted};
pub use path::{End, Path, Place, Taken};
pub use record::{MemoryAccess, Recorded, step_recorded};
pub use watch::{Touched, WatchKind, Watchpoint, step_watched};

/// Why an instruction did not complete. Boxed, so that a [`Step`] is returned in two registers.
struct Stop(Box<Exit>);

impl From<Exit> for Stop {
    #[cold]
    fn from(exit: Exit) -> Self {
        Self(Box::new(exit))
    }
}

impl From<Fault> for Stop {
    #[cold]
    fn from(fault: Fault) -> Self {
        Exit::Fault(fault).into()
    }
}

/// The address of the next instruction, or why this one did not complete.
type Step = Result<u64, Stop>;

/// What an instruction does to hart and memory; the last argument is its address. It does not
/// touch `hart.pc`.
type Handler<M> = fn(&mut Hart, &M, &Insn, u64) -> Step;

/// Value of an integer register.
#[inline(always)]
fn x(h: &Hart, r: u8) -> u64 {
    h.x[(r & 31) as usize]
}

/// The low 32 bits, sign-extended: how every `*w` instruction returns its result.
#[inline(always)]
fn word(v: u64) -> u64 {
    v as i32 as u64
}

/// Goes on with the instruction behind this one.
#[inline(always)]
fn next(i: &Insn, pc: u64) -> Step {
    Ok(pc.wrapping_add(u64::from(i.len)))
}

/// The instruction is illegal after all, for a reason that the decoder cannot see.
#[cold]
fn illegal(i: &Insn) -> Stop {
    Exit::Illegal { bits: i.bits }.into()
}

/// Executes one decoded instruction, which is the one at `hart.pc`, and moves the pc on.
///
/// The caller has decoded for the right `Isa`; jumps may go to any even address, as they may
/// with compressed instructions (see [`step`] for a hart without).
///
/// # Errors
/// Why it did not complete; hart and memory are unchanged then, except that a store which spans
/// two pages may have written its part in the first, and that of a vector access what comes before
/// the element that faults is done.
pub fn execute(hart: &mut Hart, mem: &Memory, insn: &Insn) -> Result<(), Exit> {
    run(dispatch::handler(insn.op), hart, mem, insn)
}

/// Fetches, decodes and executes the instruction at `hart.pc`.
///
/// # Errors
/// As [`execute`]; also `Fault` with `Access::Execute` for what cannot be fetched, with the
/// address of the parcel that could not, and `Illegal` for what cannot be decoded.
pub fn step(hart: &mut Hart, mem: &Memory, isa: &Isa) -> Result<(), Exit> {
    let insn = fetch(mem, isa, hart.pc)?;
    run(handler_for(&insn, isa), hart, mem, &insn)
}

fn run(handler: Handler<Memory>, hart: &mut Hart, mem: &Memory, insn: &Insn) -> Result<(), Exit> {
    match handler(hart, mem, insn, hart.pc) {
        Ok(pc) => {
            hart.pc = pc;
            Ok(())
        }
        Err(stop) => Err(*stop.0),
    }
}

/// Fetches and decodes the instruction at `pc`.
///
/// # Errors
/// It cannot be fetched, or is none of `isa`.
pub fn fetch(mem: &Memory, isa: &Isa, pc: u64) -> Result<Insn, Exit> {
    let low = u32::from(mem.fetch_u16(pc).map_err(Exit::Fault)?);
    let bits = if low & 3 == 3 {
        let high = mem.fetch_u16(pc.wrapping_add(2)).map_err(Exit::Fault)?;
        u32::from(high) << 16 | low
    } else {
        low
    };
    decode(bits, isa)
}

/// Decodes an instruction that has been fetched; the upper half of `bits` is zero if it has 16
/// bits.
///
/// # Errors
/// It is none of `isa`.
pub fn decode(bits: u32, isa: &Isa) -> Result<Insn, Exit> {
    let insn = isa::decode(bits, isa).ok_or(Exit::Illegal { bits })?;
    if csr::present(&insn, isa) { Ok(insn) } else { Err(Exit::Illegal { bits }) }
}

/// The function that executes `insn` on a hart with `isa`.
fn handler_for<M: Data>(insn: &Insn, isa: &Isa) -> Handler<M> {
    if !isa.has(Ext::Zca) && rv_i::jumps(insn.op) {
        rv_i::jump_without_c
    } else {
        dispatch::handler(insn.op)
    }
}

/// An access whose address is not a multiple of its size, where that matters.
#[cold]
fn misaligned(addr: u64, access: Access) -> Stop {
    Exit::Misaligned(Fault { addr, access, mapped: true, beyond_file: false }).into()
}
