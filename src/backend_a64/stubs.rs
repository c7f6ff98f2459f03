//! The common stubs: entering and leaving translated code, calling the interpreter, and where
//! jumps go that have no better place yet.

use super::asm::{FPCR, FPSR, a64};
use super::regs::{BASE, BOX, FLOAT_MAP, INT_MAP, field, float_slot, slot};
use crate::backend::{CodeBuf, ExitReason, STATE_BIAS, StubAssembler, Stubs, assemble_stubs};
use crate::util::CodePtr;
use dynasmrt::DynasmLabelApi;
use dynasmrt::aarch64::Aarch64Relocation;

type Ops = StubAssembler<Aarch64Relocation>;

/// Bytes of the frame that `enter` makes on the host's stack.
const FRAME: u32 = 160;

/// Emits the stubs at the start of an arena.
pub(super) fn emit_stubs(buf: &mut CodeBuf) -> Stubs {
    assemble_stubs(buf, leaves, [enter, helper, counter, enter_call, serve, fuel, hot])
}

/// The ways out. Each sets the kind in x1 and the payload in x0.
fn leaves(ops: &mut Ops, stubs: &mut Stubs, here: &dyn Fn(&Ops) -> CodePtr) {
    a64!(ops
        ; ->lookup:
        // Rotated addresses come here, see `dispatch`.
        ; ror x0, x0, 63
        ; movz w1, ExitReason::Lookup as u32
        ; b ->leave
    );
    stubs.link = here(ops);
    a64!(ops
        ; movz w1, ExitReason::Link as u32
        ; b ->leave
    );
    stubs.exit = here(ops);
    a64!(ops
        ; movz w1, ExitReason::Exit as u32
        ; ->leave:
        ; str x0, [state, field!(payload) as u32]
    );
    save(ops);
    save_return_sp(ops);
    a64!(ops ; ->unwind:);
    leave_frame(ops);
    // The fault handler has saved all registers.
    stubs.fault = here(ops);
    a64!(ops
        ; movz w1, ExitReason::Fault as u32
        ; b ->unwind
    );
    // The sentinel's guest address was the one to return to.
    stubs.return_empty = here(ops);
    a64!(ops ; mov x0, x16);
    // A return that was predicted wrongly: no prediction is worth anything then.
    stubs.return_miss = here(ops);
    a64!(ops
        ; ldr x16, [state, field!(return_top) as u32]
        ; mov sp, x16
        ; ror x0, x0, 1
        ; ldr x16, [state, field!(table_limit) as u32]
        ; cmp x0, x16
        ; b.hs ->lookup
        ; ldr x16, [state, field!(table) as u32]
        ; add x16, x16, x0, lsl 2
        ; ldr w16, [x16]
        ; ldr x1, [state, field!(arena) as u32]
        ; add x16, x16, x1
        ; br x16
    );
}

/// What the procedure call standard wants kept.
const SAVED: [(u8, u8); 6] = [(19, 20), (21, 22), (23, 24), (25, 26), (27, 28), (29, 30)];
const SAVED_FLOAT: [(u8, u8); 4] = [(8, 9), (10, 11), (12, 13), (14, 15)];

/// `extern "C" fn(state: *mut ThreadState, code: *const u8) -> u64`
fn enter(ops: &mut Ops) {
    to_guest(ops);
    a64!(ops ; br x1);
}

/// The same; a guest's return to `call_return` arrives behind the host's call.
fn enter_call(ops: &mut Ops) {
    to_guest(ops);
    a64!(ops
        ; ldr x16, [state, field!(call_return) as u32]
        // Behind this instruction, the push, and the call.
        ; adr x30, 12
        ; stp x30, x16, [sp, -16]!
        ; blr x1
        ; movz w1, ExitReason::Return as u32
        ; b ->leave
    );
}

/// Makes the host's registers the guest's, for the state in x0; x1 is kept.
fn to_guest(ops: &mut Ops) {
    a64!(ops ; sub sp, sp, FRAME);
    let mut at = 0;
    for (x, y) in SAVED {
        a64!(ops ; stp X(x), X(y), [sp, at]);
        at += 16;
    }
    for (x, y) in SAVED_FLOAT {
        a64!(ops ; stp D(x), D(y), [sp, at]);
        at += 16;
    }
    a64!(ops
        ; add state, x0, STATE_BIAS as u32
        ; mov x16, sp
        ; str x16, [state, field!(host_sp) as u32]
        ; mrs x16, FPCR
        ; str w16, [state, field!(host_fp) as u32]
        ; ldr X(BASE), [state, field!(memory_base) as u32]
        // Code that another thread has published through the table.
        ; isb
    );
    restore(ops);
    load_return_sp(ops);
}

/// Returns to whoever called `enter`, with the kind in x1.
fn leave_frame(ops: &mut Ops) {
    a64!(ops
        ; ldr x16, [state, field!(host_sp) as u32]
        ; mov sp, x16
        ; ldr w16, [state, field!(host_fp) as u32]
        ; msr FPCR, x16
        ; mov x0, x1
    );
    let mut at = 0;
    for (x, y) in SAVED {
        a64!(ops ; ldp X(x), X(y), [sp, at]);
        at += 16;
    }
    for (x, y) in SAVED_FLOAT {
        a64!(ops ; ldp D(x), D(y), [sp, at]);
        at += 16;
    }
    a64!(ops
        ; add sp, sp, FRAME
        ; ret
    );
}

/// Lets the function at `helper` execute the instruction at `hart.pc`. It returns 0 to go on.
fn helper(ops: &mut Ops) {
    outside(ops, |ops| {
        a64!(ops
            ; ldr w16, [state, field!(host_fp) as u32]
            ; msr FPCR, x16
            ; sub x0, state, STATE_BIAS as u32
            ; ldr x16, [state, field!(helper) as u32]
            ; blr x16
            ; movz w1, ExitReason::Helper as u32
            ; cbnz w0, ->unwind
        );
    });
}

/// Calls the function at `counter` with x0; its result is in x1.
fn counter(ops: &mut Ops) {
    outside(ops, |ops| {
        a64!(ops
            ; ldr x16, [state, field!(counter) as u32]
            ; blr x16
            ; mov x1, x0
        );
    });
}

/// Leaves at the entry of a block.
fn fuel(ops: &mut Ops) {
    a64!(ops
        ; movz w1, ExitReason::Fuel as u32
        ; b ->leave
    );
}

/// Leaves at the entry of a block that is to be translated anew.
fn hot(ops: &mut Ops) {
    a64!(ops
        ; movz w1, ExitReason::Hot as u32
        ; b ->leave
    );
}

/// Lets the function at `serve` serve the environment call at `hart.pc`. It returns 0 to go on.
///
/// The function may run other guest code in the same state, so what this needs afterwards is on the
/// host's stack: where to go on, the stack of return addresses, and the host's stack as it was.
fn serve(ops: &mut Ops) {
    save(ops);
    a64!(ops
        ; mov x1, sp
        ; str x1, [state, field!(return_sp) as u32]
        ; ldr x2, [state, field!(host_sp) as u32]
        ; mov sp, x2
        ; stp x2, xzr, [sp, -16]!
        ; stp x30, x1, [sp, -16]!
        ; ldr w16, [state, field!(host_fp) as u32]
        ; msr FPCR, x16
        ; sub x0, state, STATE_BIAS as u32
        ; ldr x16, [state, field!(serve) as u32]
        ; blr x16
        ; ldp x30, x1, [sp], 16
        ; ldr x2, [sp], 16
        ; str x2, [state, field!(host_sp) as u32]
        ; cbnz w0, >stop
    );
    // x1 and x30 are no registers of the guest's.
    restore(ops);
    // What a function of the host has published through the table.
    a64!(ops
        ; isb
        ; mov sp, x1
        ; ret
        ; stop:
        ; movz w1, ExitReason::Serve as u32
        ; b ->unwind
    );
}

/// Emits by `call` a call of a function on the host's stack, with the guest's registers saved, and
/// the way back.
fn outside(ops: &mut Ops, call: fn(&mut Ops)) {
    a64!(ops ; stp x30, xzr, [sp, -16]!);
    save(ops);
    save_return_sp(ops);
    a64!(ops
        ; ldr x16, [state, field!(host_sp) as u32]
        ; mov sp, x16
    );
    call(ops);
    restore(ops);
    load_return_sp(ops);
    a64!(ops
        ; ldp x30, x16, [sp], 16
        ; ret
    );
}

fn save_return_sp(ops: &mut Ops) {
    a64!(ops
        ; mov x16, sp
        ; str x16, [state, field!(return_sp) as u32]
    );
}

fn load_return_sp(ops: &mut Ops) {
    a64!(ops
        ; ldr x16, [state, field!(return_sp) as u32]
        ; mov sp, x16
    );
}

/// x1 is kept.
fn save(ops: &mut Ops) {
    for (guest, host) in INT_MAP {
        match u32::try_from(slot(guest)) {
            Ok(at) => a64!(ops ; str X(host), [state, at]),
            Err(_) => a64!(ops ; stur X(host), [state, slot(guest)]),
        }
    }
    for (guest, host) in FLOAT_MAP {
        a64!(ops ; str D(host), [state, float_slot(guest) as u32]);
    }
    a64!(ops
        ; mrs x16, FPCR
        ; mrs x17, FPSR
        ; and w17, w17, 0x1f
        ; orr w16, w16, w17
        ; str w16, [state, field!(guest_fp) as u32]
    );
}

/// x1 is kept.
fn restore(ops: &mut Ops) {
    for (guest, host) in INT_MAP {
        match u32::try_from(slot(guest)) {
            Ok(at) => a64!(ops ; ldr X(host), [state, at]),
            Err(_) => a64!(ops ; ldur X(host), [state, slot(guest)]),
        }
    }
    for (guest, host) in FLOAT_MAP {
        a64!(ops ; ldr D(host), [state, float_slot(guest) as u32]);
    }
    a64!(ops
        ; ldr x16, [state, field!(constants) as u32]
        ; fmov D(BOX), x16
        ; ldr w16, [state, field!(guest_fp) as u32]
        ; str x16, [state, field!(known_fp) as u32]
        ; and w17, w16, 0x1f
        ; msr FPSR, x17
        ; and w16, w16, 0xffff_ffe0
        ; msr FPCR, x16
    );
}
