//! The common stubs: entering and leaving translated code, calling the interpreter, and where
//! jumps go that have no better place yet.
//!
//! The lookup stub is the first thing in the arena: an empty table entry is 0 and leads there.

use super::asm::{Alu, Asm, At, Cc, Mem, Sz, Test};
use super::regs::{
    BASE, BOX, FLOAT_MAP, INT_MAP, LR, SP, STATE, X0, X1, X16, X17, ZR, field, float_slot, slot,
};
use crate::backend::{CodeBuf, LeaveKind, STATE_BIAS, Stubs};
use crate::util::CodePtr;

/// `stp`/`ldp` of two integer registers at a displacement.
pub(super) const STP: u32 = 0xa900_0000;
pub(super) const LDP: u32 = 0xa940_0000;
/// The same of two vector registers' low halves.
pub(super) const STP_D: u32 = 0x6d00_0000;
pub(super) const LDP_D: u32 = 0x6d40_0000;
/// With the base register changed before or after the access.
pub(super) const STP_PUSH: u32 = 0xa980_0000;
pub(super) const LDP_POP: u32 = 0xa8c0_0000;

const MRS_FPCR: u32 = 0xd53b_4400;
const MSR_FPCR: u32 = 0xd51b_4400;
pub(super) const MRS_FPSR: u32 = 0xd53b_4420;
pub(super) const MSR_FPSR: u32 = 0xd51b_4420;
const RET: u32 = 0xd65f_03c0;
const ISB: u32 = 0xd503_3fdf;
/// `br` and `blr` without their register.
pub(super) const BR: u32 = 0xd61f_0000;
pub(super) const BLR: u32 = 0xd63f_0000;

/// Bytes of the frame that `enter` makes on the host's stack.
const FRAME: i64 = 160;

/// Emits the stubs at the start of an arena.
pub(super) fn emit_stubs(buf: &mut CodeBuf) -> Stubs {
    let mut a = Asm { buf, cold: false, veneers: Vec::new() };
    let mut stubs = Stubs { lookup: a.pos(), ..Stubs::default() };
    // Rotated addresses come here, see `dispatch`.
    a.ror_imm(Sz::X, X0, X0, 63);
    a.mov_imm(X1, LeaveKind::Lookup as u64);
    let to_leave = hole(&mut a);
    stubs.link = a.pos();
    a.mov_imm(X1, LeaveKind::Link as u64);
    let link_to_leave = hole(&mut a);
    stubs.exit = a.pos();
    a.mov_imm(X1, LeaveKind::Exit as u64);
    let leave = a.pos();
    for at in [to_leave, link_to_leave] {
        a.buf.patch(at, super::patch::b(at, leave));
    }
    a.store_field(field!(payload), X0);
    save(&mut a);
    save_return_sp(&mut a);
    let unwind = a.pos();
    leave_frame(&mut a);
    // The fault handler has saved all registers.
    stubs.fault = a.pos();
    a.mov_imm(X1, LeaveKind::Fault as u64);
    a.b(unwind);
    returns(&mut a, &mut stubs);
    stubs.enter = a.pos();
    enter(&mut a);
    stubs.helper = a.pos();
    helper(&mut a, unwind);
    stubs
}

/// Room for a branch.
fn hole(a: &mut Asm<'_>) -> CodePtr {
    let at = a.pos();
    a.word(0);
    at
}

/// Returns to whoever called `enter`, with the kind in x1.
fn leave_frame(a: &mut Asm<'_>) {
    a.load_field(X16, field!(host_sp));
    a.add_imm_sp(SP, X16);
    a.mem(Mem::LoadW, X16, At::Disp(STATE, field!(host_fp)));
    a.dn(MSR_FPCR, X16, 0);
    a.mov(Sz::X, X0, X1);
    for (i, pair) in SAVED.iter().enumerate() {
        a.pair(LDP, *pair, SP, 2 * i as i32);
    }
    for (i, pair) in SAVED_FLOAT.iter().enumerate() {
        a.pair(LDP_D, *pair, SP, 12 + 2 * i as i32);
    }
    a.word(0x9100_0000 | (FRAME as u32) << 10 | 31 << 5 | 31);
    a.word(RET);
}

/// What the procedure call standard wants kept.
const SAVED: [(u8, u8); 6] = [(19, 20), (21, 22), (23, 24), (25, 26), (27, 28), (29, 30)];
const SAVED_FLOAT: [(u8, u8); 4] = [(8, 9), (10, 11), (12, 13), (14, 15)];

/// A return that was predicted wrongly: no prediction is worth anything then.
fn returns(a: &mut Asm<'_>, stubs: &mut Stubs) {
    // The sentinel's guest address was the one to return to.
    stubs.return_empty = a.pos();
    a.mov(Sz::X, X0, X16);
    stubs.return_miss = a.pos();
    a.load_field(X16, field!(return_top));
    a.add_imm_sp(SP, X16);
    a.ror_imm(Sz::X, X0, X0, 1);
    a.load_field(X16, field!(table_limit));
    a.cmp(Sz::X, X0, X16);
    a.jump_if(Test::Flags(Cc::Hs), stubs.lookup);
    a.load_field(X16, field!(table));
    a.alu_lsl(Alu::Add, Sz::X, X16, X16, X0, 2);
    a.mem(Mem::LoadW, X16, At::Disp(X16, 0));
    a.load_field(X1, field!(arena));
    a.alu(Alu::Add, Sz::X, X16, X16, X1);
    a.dn(BR, 0, X16);
}

/// `extern "C" fn(state: *mut ThreadState, code: *const u8) -> u64`
fn enter(a: &mut Asm<'_>) {
    a.word(0xd100_0000 | (FRAME as u32) << 10 | 31 << 5 | 31);
    for (i, pair) in SAVED.iter().enumerate() {
        a.pair(STP, *pair, SP, 2 * i as i32);
    }
    for (i, pair) in SAVED_FLOAT.iter().enumerate() {
        a.pair(STP_D, *pair, SP, 12 + 2 * i as i32);
    }
    a.add_imm(Sz::X, STATE, X0, STATE_BIAS as i64);
    a.add_imm_sp(X16, SP);
    a.store_field(field!(host_sp), X16);
    a.dn(MRS_FPCR, X16, 0);
    a.mem(Mem::StoreW, X16, At::Disp(STATE, field!(host_fp)));
    a.load_field(BASE, field!(memory_base));
    // Code that another thread has published through the table.
    a.word(ISB);
    restore(a);
    load_return_sp(a);
    a.dn(BR, 0, X1);
}

/// Lets the function at `helper` execute the instruction at `hart.pc`. It returns 0 to go on.
fn helper(a: &mut Asm<'_>, unwind: CodePtr) {
    a.pair(STP_PUSH, (LR, ZR), SP, -2);
    save(a);
    save_return_sp(a);
    a.load_field(X16, field!(host_sp));
    a.add_imm_sp(SP, X16);
    a.mem(Mem::LoadW, X16, At::Disp(STATE, field!(host_fp)));
    a.dn(MSR_FPCR, X16, 0);
    a.word(0xd100_0000 | (STATE_BIAS as u32) << 10 | u32::from(STATE) << 5 | u32::from(X0));
    a.load_field(X16, field!(helper));
    a.dn(BLR, 0, X16);
    a.mov_imm(X1, LeaveKind::Helper as u64);
    a.jump_if(Test::NotZero(Sz::W, X0), unwind);
    restore(a);
    load_return_sp(a);
    a.pair(LDP_POP, (LR, X16), SP, 2);
    a.word(RET);
}

fn save_return_sp(a: &mut Asm<'_>) {
    a.add_imm_sp(X16, SP);
    a.store_field(field!(return_sp), X16);
}

fn load_return_sp(a: &mut Asm<'_>) {
    a.load_field(X16, field!(return_sp));
    a.add_imm_sp(SP, X16);
}

/// x1 is kept.
fn save(a: &mut Asm<'_>) {
    for (guest, host) in INT_MAP {
        a.store_field(slot(guest), host);
    }
    for (guest, host) in FLOAT_MAP {
        a.mem(Mem::StoreD, host, At::Disp(STATE, float_slot(guest)));
    }
    a.dn(MRS_FPCR, X16, 0);
    a.dn(MRS_FPSR, X17, 0);
    a.logic_imm(Alu::And, Sz::W, X17, X17, 0x1f);
    a.alu(Alu::Or, Sz::W, X16, X16, X17);
    a.mem(Mem::StoreW, X16, At::Disp(STATE, field!(guest_fp)));
}

/// x1 is kept.
fn restore(a: &mut Asm<'_>) {
    for (guest, host) in INT_MAP {
        a.load_field(host, slot(guest));
    }
    for (guest, host) in FLOAT_MAP {
        a.mem(Mem::LoadD, host, At::Disp(STATE, float_slot(guest)));
    }
    a.load_field(X16, field!(constants));
    a.dn(super::emit_float::FMOV_FROM_X, BOX, X16);
    a.mem(Mem::LoadW, X16, At::Disp(STATE, field!(guest_fp)));
    a.store_field(field!(known_fp), X16);
    a.logic_imm(Alu::And, Sz::W, X17, X16, 0x1f);
    a.dn(MSR_FPSR, X17, 0);
    a.logic_imm(Alu::And, Sz::W, X16, X16, !0x1f);
    a.dn(MSR_FPCR, X16, 0);
}
