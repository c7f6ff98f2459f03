//! Accesses to guest memory that report a host fault instead of dying of it.
#![allow(unsafe_code, reason = "declares and calls assembly routines on raw addresses")]
//! # Safety
//! Every routine is a leaf between the symbols `rvn_access_begin` and `rvn_access_end`, keeps
//! nothing on the stack, and has no effect before its one access. When the host raises
//! SIGSEGV or SIGBUS with a pc in that range, the handler continues at `rvn_access_fault`
//! (see [`recover`]), which returns with the fault mark set. A bad address therefore yields
//! [`HostFault`]; where several bytes are moved at once, those of the failed access are tried again
//! one by one. What the routines cannot know is whether a *good* address is guest memory: that
//! is the caller's promise, and all callers are in `mem`.

use crate::util::HostAddr;
use std::cell::Cell;

/// The host refused an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostFault;

/// What a routine returns: in two registers on both hosts.
#[repr(C)]
struct Outcome {
    value: u64,
    fault: u64,
}

#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".text",
    ".balign 16",
    ".globl rvn_access_begin",
    "rvn_access_begin:",
    ".globl rvn_load_1",
    "rvn_load_1: xor edx, edx",
    "movzx eax, byte ptr [rdi]",
    "ret",
    ".globl rvn_load_2",
    "rvn_load_2: xor edx, edx",
    "movzx eax, word ptr [rdi]",
    "ret",
    ".globl rvn_load_4",
    "rvn_load_4: xor edx, edx",
    "mov eax, [rdi]",
    "ret",
    ".globl rvn_load_8",
    "rvn_load_8: xor edx, edx",
    "mov rax, [rdi]",
    "ret",
    ".globl rvn_store_1",
    "rvn_store_1: xor edx, edx",
    "mov [rdi], sil",
    "ret",
    ".globl rvn_store_2",
    "rvn_store_2: xor edx, edx",
    "mov [rdi], si",
    "ret",
    ".globl rvn_store_4",
    "rvn_store_4: xor edx, edx",
    "mov [rdi], esi",
    "ret",
    ".globl rvn_store_8",
    "rvn_store_8: xor edx, edx",
    "mov [rdi], rsi",
    "ret",
    // (address, expected, new) -> value found
    ".globl rvn_cas_1",
    "rvn_cas_1: mov rax, rsi",
    "mov rcx, rdx",
    "xor edx, edx",
    "lock cmpxchg [rdi], cl",
    "movzx eax, al",
    "ret",
    ".globl rvn_cas_2",
    "rvn_cas_2: mov rax, rsi",
    "mov rcx, rdx",
    "xor edx, edx",
    "lock cmpxchg [rdi], cx",
    "movzx eax, ax",
    "ret",
    ".globl rvn_cas_4",
    "rvn_cas_4: mov rax, rsi",
    "mov rcx, rdx",
    "xor edx, edx",
    "lock cmpxchg [rdi], ecx",
    "mov eax, eax",
    "ret",
    ".globl rvn_cas_8",
    "rvn_cas_8: mov rax, rsi",
    "mov rcx, rdx",
    "xor edx, edx",
    "lock cmpxchg [rdi], rcx",
    "ret",
    // (address, pointer to expected, pointer to new) -> 1 if it was exchanged; *expected = found
    ".globl rvn_cas_16",
    "rvn_cas_16: mov r8, rsi",
    "mov r9, rdx",
    "mov r10, rbx",
    "mov rax, [r8]",
    "mov rdx, [r8 + 8]",
    "mov rbx, [r9]",
    "mov rcx, [r9 + 8]",
    ".globl rvn_cas_16_access",
    "rvn_cas_16_access: lock cmpxchg16b [rdi]",
    "mov rbx, r10",
    "mov [r8], rax",
    "mov [r8 + 8], rdx",
    "setz al",
    "movzx eax, al",
    "xor edx, edx",
    "ret",
    // (to, from, bytes): value is the number of bytes not copied
    ".globl rvn_copy",
    "rvn_copy: mov rcx, rdx",
    ".globl rvn_copy_bytes",
    "rvn_copy_bytes:",
    "xor edx, edx",
    "rep movsb",
    "xor eax, eax",
    "ret",
    // (to, byte, bytes)
    ".globl rvn_fill",
    "rvn_fill: mov rcx, rdx",
    "mov eax, esi",
    ".globl rvn_fill_bytes",
    "rvn_fill_bytes:",
    "xor edx, edx",
    "rep stosb",
    "xor eax, eax",
    "ret",
    ".globl rvn_access_end",
    "rvn_access_end:",
    ".globl rvn_access_fault",
    "rvn_access_fault: mov rax, rcx",
    "mov edx, 1",
    "ret",
    ".globl rvn_access_fault_16",
    "rvn_access_fault_16: mov rbx, r10",
    "mov edx, 1",
    "ret",
);

#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".text",
    ".balign 16",
    ".globl rvn_access_begin",
    "rvn_access_begin:",
    ".globl rvn_load_1",
    "rvn_load_1: ldrb w0, [x0]",
    "mov x1, xzr",
    "ret",
    ".globl rvn_load_2",
    "rvn_load_2: ldrh w0, [x0]",
    "mov x1, xzr",
    "ret",
    ".globl rvn_load_4",
    "rvn_load_4: ldr w0, [x0]",
    "mov x1, xzr",
    "ret",
    ".globl rvn_load_8",
    "rvn_load_8: ldr x0, [x0]",
    "mov x1, xzr",
    "ret",
    ".globl rvn_store_1",
    "rvn_store_1: strb w1, [x0]",
    "mov x1, xzr",
    "ret",
    ".globl rvn_store_2",
    "rvn_store_2: strh w1, [x0]",
    "mov x1, xzr",
    "ret",
    ".globl rvn_store_4",
    "rvn_store_4: str w1, [x0]",
    "mov x1, xzr",
    "ret",
    ".globl rvn_store_8",
    "rvn_store_8: str x1, [x0]",
    "mov x1, xzr",
    "ret",
    // Exclusive pairs rather than LSE: ARMv8.0 has no other. A value that differs is stored back,
    // since the guest must be allowed to write in both cases.
    ".globl rvn_cas_1",
    "rvn_cas_1: and w1, w1, #0xff",
    "1: ldaxrb w3, [x0]",
    "cmp w3, w1",
    "b.ne 2f",
    "stlxrb w4, w2, [x0]",
    "cbnz w4, 1b",
    "b 3f",
    "2: stlxrb w4, w3, [x0]",
    "cbnz w4, 1b",
    "3: dmb ish",
    "mov w0, w3",
    "mov x1, xzr",
    "ret",
    ".globl rvn_cas_2",
    "rvn_cas_2: and w1, w1, #0xffff",
    "1: ldaxrh w3, [x0]",
    "cmp w3, w1",
    "b.ne 2f",
    "stlxrh w4, w2, [x0]",
    "cbnz w4, 1b",
    "b 3f",
    "2: stlxrh w4, w3, [x0]",
    "cbnz w4, 1b",
    "3: dmb ish",
    "mov w0, w3",
    "mov x1, xzr",
    "ret",
    ".globl rvn_cas_4",
    "rvn_cas_4:",
    "1: ldaxr w3, [x0]",
    "cmp w3, w1",
    "b.ne 2f",
    "stlxr w4, w2, [x0]",
    "cbnz w4, 1b",
    "b 3f",
    "2: stlxr w4, w3, [x0]",
    "cbnz w4, 1b",
    "3: dmb ish",
    "mov w0, w3",
    "mov x1, xzr",
    "ret",
    ".globl rvn_cas_8",
    "rvn_cas_8:",
    "1: ldaxr x3, [x0]",
    "cmp x3, x1",
    "b.ne 2f",
    "stlxr w4, x2, [x0]",
    "cbnz w4, 1b",
    "b 3f",
    "2: stlxr w4, x3, [x0]",
    "cbnz w4, 1b",
    "3: dmb ish",
    "mov x0, x3",
    "mov x1, xzr",
    "ret",
    ".globl rvn_cas_16",
    "rvn_cas_16: ldp x3, x4, [x1]",
    "ldp x5, x6, [x2]",
    ".globl rvn_cas_16_access",
    "rvn_cas_16_access:",
    "1: ldaxp x7, x8, [x0]",
    "cmp x7, x3",
    "ccmp x8, x4, #0, eq",
    "cset w9, eq",
    "csel x10, x5, x7, eq",
    "csel x11, x6, x8, eq",
    // The store makes the pair of loads single-copy atomic, so it is done in both cases.
    "stlxp w12, x10, x11, [x0]",
    "cbnz w12, 1b",
    "dmb ish",
    "stp x7, x8, [x1]",
    "mov w0, w9",
    "mov x1, xzr",
    "ret",
    // Addresses and count change behind a pair's access only, for what continues after a fault.
    ".globl rvn_copy",
    "rvn_copy: mov x3, x2",
    "1: cmp x3, #16",
    "b.lo rvn_copy_bytes",
    "ldp x4, x5, [x1]",
    "stp x4, x5, [x0]",
    "add x1, x1, #16",
    "add x0, x0, #16",
    "sub x3, x3, #16",
    "b 1b",
    ".globl rvn_copy_bytes",
    "rvn_copy_bytes:",
    "1: cbz x3, 2f",
    "ldrb w4, [x1], #1",
    "strb w4, [x0], #1",
    "sub x3, x3, #1",
    "b 1b",
    "2: mov x0, xzr",
    "mov x1, xzr",
    "ret",
    ".globl rvn_fill",
    "rvn_fill: mov x3, x2",
    "mov x4, #0x0101010101010101",
    "and x1, x1, #0xff",
    "mul x1, x1, x4",
    "1: cmp x3, #16",
    "b.lo rvn_fill_bytes",
    "stp x1, x1, [x0]",
    "add x0, x0, #16",
    "sub x3, x3, #16",
    "b 1b",
    ".globl rvn_fill_bytes",
    "rvn_fill_bytes:",
    "1: cbz x3, 2f",
    "strb w1, [x0], #1",
    "sub x3, x3, #1",
    "b 1b",
    "2: mov x0, xzr",
    "mov x1, xzr",
    "ret",
    ".globl rvn_access_end",
    "rvn_access_end:",
    ".globl rvn_access_fault",
    "rvn_access_fault: mov x0, x3",
    "mov x1, #1",
    "ret",
    ".globl rvn_access_fault_16",
    "rvn_access_fault_16: mov x1, #1",
    "ret",
);

unsafe extern "C" {
    safe static rvn_access_begin: u8;
    safe static rvn_access_end: u8;
    safe static rvn_access_fault: u8;
    safe static rvn_access_fault_16: u8;
    safe static rvn_cas_16_access: u8;
    safe static rvn_copy_bytes: u8;
    safe static rvn_fill_bytes: u8;
    fn rvn_load_1(at: usize) -> Outcome;
    fn rvn_load_2(at: usize) -> Outcome;
    fn rvn_load_4(at: usize) -> Outcome;
    fn rvn_load_8(at: usize) -> Outcome;
    fn rvn_store_1(at: usize, value: u64) -> Outcome;
    fn rvn_store_2(at: usize, value: u64) -> Outcome;
    fn rvn_store_4(at: usize, value: u64) -> Outcome;
    fn rvn_store_8(at: usize, value: u64) -> Outcome;
    fn rvn_cas_1(at: usize, expected: u64, new: u64) -> Outcome;
    fn rvn_cas_2(at: usize, expected: u64, new: u64) -> Outcome;
    fn rvn_cas_4(at: usize, expected: u64, new: u64) -> Outcome;
    fn rvn_cas_8(at: usize, expected: u64, new: u64) -> Outcome;
    fn rvn_cas_16(at: usize, expected: *mut u128, new: *const u128) -> Outcome;
    fn rvn_copy(to: usize, from: usize, len: usize) -> Outcome;
    fn rvn_fill(to: usize, byte: u64, len: usize) -> Outcome;
}

/// Why the host refused an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Nothing is mapped there (`SEGV_MAPERR`).
    Nothing,
    /// The mapping does not allow it (other causes of SIGSEGV).
    Protected,
    /// What is mapped ends before, or cannot be had (SIGBUS).
    Object,
}

thread_local! {
    static LAST: Cell<Refused> = const { Cell::new(Refused::Nothing) };
}

/// Why the calling thread's last access that yielded [`HostFault`] was refused.
#[must_use]
pub fn refused() -> Refused {
    LAST.get()
}

/// Where to continue if the host faulted at `pc` inside one of the routines, with `signal` and
/// `code`; `None` if `pc` is elsewhere. Async-signal-safe.
#[must_use]
pub fn recover(pc: HostAddr, signal: i32, code: i32) -> Option<HostAddr> {
    let begin = &raw const rvn_access_begin as usize;
    let end = &raw const rvn_access_end as usize;
    if !(begin..end).contains(&pc.0) {
        return None;
    }
    /// `SEGV_MAPERR`.
    const MAPERR: i32 = 1;
    LAST.set(match signal {
        libc::SIGBUS => Refused::Object,
        _ if code == MAPERR => Refused::Nothing,
        _ => Refused::Protected,
    });
    let wide = &raw const rvn_cas_16_access as usize;
    let copy = rvn_copy as *const () as usize;
    let fill = rvn_fill as *const () as usize;
    let (copy_bytes, fill_bytes) = (&raw const rvn_copy_bytes, &raw const rvn_fill_bytes);
    let to = match pc.0 {
        at if (wide..copy).contains(&at) => &raw const rvn_access_fault_16,
        at if (copy..copy_bytes as usize).contains(&at) => copy_bytes,
        at if (fill..fill_bytes as usize).contains(&at) => fill_bytes,
        _ => &raw const rvn_access_fault,
    };
    Some(HostAddr(to as usize))
}

fn result(o: Outcome) -> Result<u64, HostFault> {
    if o.fault == 0 { Ok(o.value) } else { Err(HostFault) }
}

macro_rules! load_store {
    ($size:literal, $load:ident, $store:ident, $cas:ident, $rl:ident, $rs:ident, $rc:ident) => {
        #[doc = concat!("Loads ", $size, " byte(s), zero-extended.")]
        ///
        /// # Safety
        /// `at` is guest memory or faults.
        ///
        /// # Errors
        /// The host refused the access.
        pub unsafe fn $load(at: HostAddr) -> Result<u64, HostFault> {
            // SAFETY: see the module; the caller promises that `at` is guest memory or faults.
            result(unsafe { $rl(at.0) })
        }
        #[doc = concat!("Stores the low ", $size, " byte(s) of `value`.")]
        ///
        /// # Safety
        /// `at` is guest memory or faults.
        ///
        /// # Errors
        /// The host refused the access.
        pub unsafe fn $store(at: HostAddr, value: u64) -> Result<(), HostFault> {
            // SAFETY: see the module; the caller promises that `at` is guest memory or faults.
            result(unsafe { $rs(at.0, value) }).map(|_| ())
        }
        #[doc = concat!("Compares ", $size, " byte(s) with `expected` and, if equal, stores `new`, as one sequentially consistent access. Returns what was found.")]
        ///
        /// # Safety
        /// `at` is guest memory or faults.
        ///
        /// # Errors
        /// The host refused the access.
        pub unsafe fn $cas(at: HostAddr, expected: u64, new: u64) -> Result<u64, HostFault> {
            // SAFETY: see the module; the caller promises that `at` is guest memory or faults.
            result(unsafe { $rc(at.0, expected, new) })
        }
    };
}

load_store!("1", load_1, store_1, cas_1, rvn_load_1, rvn_store_1, rvn_cas_1);
load_store!("2", load_2, store_2, cas_2, rvn_load_2, rvn_store_2, rvn_cas_2);
load_store!("4", load_4, store_4, cas_4, rvn_load_4, rvn_store_4, rvn_cas_4);
load_store!("8", load_8, store_8, cas_8, rvn_load_8, rvn_store_8, rvn_cas_8);

/// Compares 16 bytes at a 16-byte aligned address with `expected` and, if equal, stores `new`.
/// Returns what was found.
///
/// # Safety
/// `at` is guest memory or faults.
///
/// # Errors
/// The host refused the access.
pub unsafe fn cas_16(at: HostAddr, expected: u128, new: u128) -> Result<u128, HostFault> {
    let mut found = expected;
    // SAFETY: see the module; `found` and `new` outlive the call, and the caller promises that
    // `at` is guest memory or faults.
    result(unsafe { rvn_cas_16(at.0, &mut found, &new) }).map(|_| found)
}

/// Copies `len` bytes between guest memory and a buffer, lowest first.
///
/// # Safety
/// Each of both ranges is guest memory, faults, or is a buffer valid for the access; they do not
/// overlap.
///
/// # Errors
/// The number of bytes that were not copied when the host refused one.
pub unsafe fn copy(to: HostAddr, from: HostAddr, len: usize) -> Result<(), usize> {
    // SAFETY: see the module; the caller promises what the ranges are.
    let o = unsafe { rvn_copy(to.0, from.0, len) };
    if o.fault == 0 { Ok(()) } else { Err(o.value as usize) }
}

/// Sets `len` bytes of guest memory to `byte`.
///
/// # Safety
/// The range is guest memory or faults.
///
/// # Errors
/// The number of bytes that were not set when the host refused one.
pub unsafe fn fill(to: HostAddr, byte: u8, len: usize) -> Result<(), usize> {
    // SAFETY: see the module; the caller promises what the range is.
    let o = unsafe { rvn_fill(to.0, u64::from(byte), len) };
    if o.fault == 0 { Ok(()) } else { Err(o.value as usize) }
}
