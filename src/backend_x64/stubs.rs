//! The common stubs: entering and leaving translated code, calling the interpreter, and where
//! jumps go that have no better place yet.

#![allow(clippy::useless_conversion, reason = "dynasm converts what it takes as a register")]

use super::regs::{FLOAT_MAP, INT_MAP, RA_HOME, RBP, field, float_slot, slot};
use crate::backend::{CodeBuf, ExitReason, STATE_BIAS, StubAssembler, Stubs, assemble_stubs};
use crate::util::CodePtr;
use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynasmApi, DynasmLabelApi, dynasm};

type Ops = StubAssembler<X64Relocation>;

macro_rules! x64 {
    ($ops:expr ; $($t:tt)*) => {
        dynasm!($ops
            ; .arch x64
            ; $($t)*
        )
    };
}

/// Emits the stubs at the start of an arena.
pub(super) fn emit_stubs(buf: &mut CodeBuf) -> Stubs {
    assemble_stubs(buf, leaves, [enter, helper, counter, enter_call, serve, fuel, hot])
}

fn align(ops: &mut Ops) {
    while !ops.offset().0.is_multiple_of(16) {
        ops.push(0xcc);
    }
}

/// The ways out. Each sets the kind in ecx and the payload in rax.
fn leaves(ops: &mut Ops, stubs: &mut Stubs, here: &dyn Fn(&Ops) -> CodePtr) {
    x64!(ops
        ; ->lookup:
        ; rol rax, 1
        ; mov ecx, ExitReason::Lookup as i32
        ; jmp ->leave
    );
    align(ops);
    stubs.link = here(ops);
    x64!(ops
        ; mov ecx, ExitReason::Link as i32
        ; jmp ->leave
    );
    stubs.exit = here(ops);
    x64!(ops
        ; mov ecx, ExitReason::Exit as i32
        ; ->leave:
        ; mov [rbp + field!(payload)], rax
    );
    save(ops);
    x64!(ops
        ; mov [rbp + field!(return_sp)], rsp
        ; ->unwind:
        ; mov rsp, [rbp + field!(host_sp)]
        ; ldmxcsr [rbp + field!(host_fp)]
        ; mov eax, ecx
        ; add rsp, 8
        ; pop r15
        ; pop r14
        ; pop r13
        ; pop r12
        ; pop rbx
        ; pop rbp
        ; ret
    );
    align(ops);
    // The fault handler has saved all registers.
    stubs.fault = here(ops);
    x64!(ops
        ; mov ecx, ExitReason::Fault as i32
        ; jmp ->unwind
    );
    align(ops);
    // A return to the address in ra that was predicted wrongly: no prediction is worth anything
    // then.
    stubs.return_miss = here(ops);
    stubs.return_empty = here(ops);
    x64!(ops
        ; ->return_miss:
        ; mov rsp, [rbp + field!(return_top)]
        ; mov rax, Rq(RA_HOME)
        ; ror rax, 1
        ; cmp rax, [rbp + field!(table_limit)]
        ; jae ->lookup
        ; mov rcx, [rbp + field!(table)]
        ; mov ecx, [rcx + rax * 4]
        ; add rcx, [rbp + field!(arena)]
        ; jmp rcx
    );
    align(ops);
}

/// `extern "C" fn(state: *mut ThreadState, code: *const u8) -> u64`
fn enter(ops: &mut Ops) {
    to_guest(ops);
    x64!(ops ; jmp rax);
    align(ops);
}

/// The same; the guest's return arrives behind the host's call, with the guest address in ra.
fn enter_call(ops: &mut Ops) {
    to_guest(ops);
    x64!(ops
        ; call rax
        ; mov rax, Rq(RA_HOME)
        ; cmp rax, [rbp + field!(call_return)]
        ; jne ->return_miss
        ; mov ecx, ExitReason::Return as i32
        ; jmp ->leave
    );
    align(ops);
}

/// Makes the host's registers the guest's, for the state in rdi; moves rsi to rax.
fn to_guest(ops: &mut Ops) {
    x64!(ops
        ; push rbp
        ; push rbx
        ; push r12
        ; push r13
        ; push r14
        ; push r15
        ; sub rsp, 8
        ; lea rbp, [rdi + STATE_BIAS as i32]
        ; mov [rbp + field!(host_sp)], rsp
        ; stmxcsr [rbp + field!(host_fp)]
        ; mov rax, rsi
    );
    restore(ops);
    x64!(ops ; mov rsp, [rbp + field!(return_sp)]);
}

/// Lets the function at `helper` execute the instruction at `hart.pc`. It returns 0 to go on.
fn helper(ops: &mut Ops) {
    save(ops);
    x64!(ops
        ; mov [rbp + field!(return_sp)], rsp
        ; mov rsp, [rbp + field!(host_sp)]
        ; ldmxcsr [rbp + field!(host_fp)]
        ; lea rdi, [rbp - STATE_BIAS as i32]
        ; call QWORD [rbp + field!(helper)]
        ; mov ecx, ExitReason::Helper as i32
        ; test eax, eax
        ; jnz ->unwind
    );
    restore(ops);
    x64!(ops
        ; mov rsp, [rbp + field!(return_sp)]
        ; ret
    );
    align(ops);
}

/// Leaves at the entry of a block.
fn fuel(ops: &mut Ops) {
    x64!(ops
        ; mov ecx, ExitReason::Fuel as i32
        ; jmp ->leave
    );
}

/// Leaves at the entry of a block that is to be translated anew.
fn hot(ops: &mut Ops) {
    x64!(ops
        ; mov ecx, ExitReason::Hot as i32
        ; jmp ->leave
    );
}

/// Lets the function at `serve` serve the environment call at `hart.pc`. It returns 0 to go on.
///
/// The function may run other guest code in the same state, so what this needs afterwards is on the
/// host's stack: where to go on, the stack of return addresses, and the host's stack as it was.
fn serve(ops: &mut Ops) {
    save(ops);
    x64!(ops
        ; pop rax
        ; mov rcx, rsp
        ; mov [rbp + field!(return_sp)], rcx
        ; mov rsp, [rbp + field!(host_sp)]
        ; push rax
        ; push rcx
        ; push QWORD [rbp + field!(host_sp)]
        ; sub rsp, 8
        ; ldmxcsr [rbp + field!(host_fp)]
        ; lea rdi, [rbp - STATE_BIAS as i32]
        ; call QWORD [rbp + field!(serve)]
        ; add rsp, 8
        ; pop QWORD [rbp + field!(host_sp)]
        ; pop rcx
        ; pop rdx
        ; test eax, eax
        ; jnz >stop
    );
    restore(ops);
    x64!(ops
        ; mov rsp, rcx
        ; push rdx
        ; ret
        ; stop:
        ; mov ecx, ExitReason::Serve as i32
        ; jmp ->unwind
    );
    align(ops);
}

/// Host registers of guest registers that a function may overwrite.
const CLOBBERED: [u8; 8] = [1, 2, 6, 7, 8, 9, 10, 11];

/// Calls the function at `counter` with rax, and has its result there. Nothing else changes: what
/// the function computes with neither reads nor sets the guest's floating-point state.
fn counter(ops: &mut Ops) {
    let room = 8 * FLOAT_MAP.len() as i32;
    x64!(ops
        ; mov [rbp + field!(return_sp)], rsp
        ; mov rsp, [rbp + field!(host_sp)]
    );
    for r in CLOBBERED {
        x64!(ops ; push Rq(r));
    }
    x64!(ops ; sub rsp, room);
    for (i, (_, host)) in FLOAT_MAP.iter().enumerate() {
        x64!(ops ; movsd [rsp + 8 * i as i32], Rx(*host));
    }
    x64!(ops
        ; mov rdi, rax
        ; call QWORD [rbp + field!(counter)]
    );
    for (i, (_, host)) in FLOAT_MAP.iter().enumerate() {
        x64!(ops ; movsd Rx(*host), [rsp + 8 * i as i32]);
    }
    x64!(ops ; add rsp, room);
    for r in CLOBBERED.into_iter().rev() {
        x64!(ops ; pop Rq(r));
    }
    x64!(ops
        ; mov rsp, [rbp + field!(return_sp)]
        ; ret
    );
}

fn save(ops: &mut Ops) {
    for (guest, host) in INT_MAP {
        x64!(ops ; mov [Rq(RBP) + slot(guest)], Rq(host));
    }
    for (guest, host) in FLOAT_MAP {
        x64!(ops ; movsd [rbp + float_slot(guest)], Rx(host));
    }
    x64!(ops ; stmxcsr [rbp + field!(guest_fp)]);
}

fn restore(ops: &mut Ops) {
    for (guest, host) in INT_MAP {
        x64!(ops ; mov Rq(host), [Rq(RBP) + slot(guest)]);
    }
    for (guest, host) in FLOAT_MAP {
        x64!(ops ; movsd Rx(host), [rbp + float_slot(guest)]);
    }
    x64!(ops ; ldmxcsr [rbp + field!(guest_fp)]);
}
