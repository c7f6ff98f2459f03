//! Accesses to guest memory that report a host fault instead of dying of it.
#![allow(unsafe_code, reason = "declares and calls assembly routines on raw addresses")]
//! # Safety
//! Every routine is a leaf of `routines`, keeps nothing on the stack, and has no effect before
//! its one access. When the host raises SIGSEGV or SIGBUS with a pc in one of them, the handler
//! continues at `Routine::Fault` (see [`recover`]), which returns with the fault mark set. The
//! types that routines are called by are those that their code is written for. A bad address yields
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

/// Bytes from the start of one routine to the start of the next.
const SLOT: usize = 64;

/// The routines, by the place of each among [`routines`].
#[derive(Clone, Copy)]
#[repr(usize)]
enum Routine {
    Load1,
    Load2,
    Load4,
    Load8,
    Store1,
    Store2,
    Store4,
    Store8,
    Cas1,
    Cas2,
    Cas4,
    Cas8,
    Cas16,
    Copy,
    CopyBytes,
    Fill,
    FillBytes,
    /// Where the others continue after a fault.
    Fault,
    /// Where [`Routine::Cas16`] does.
    Fault16,
}

/// All routines one after the other, [`SLOT`] bytes each, in the order of [`Routine`]. One function
/// with a mangled name and local labels: a program may have several versions of this library.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn routines() {
    std::arch::naked_asm!(
        "20: movzx eax, byte ptr [rdi]",
        "xor edx, edx",
        "ret",
        ".org 20b + 64",
        "movzx eax, word ptr [rdi]",
        "xor edx, edx",
        "ret",
        ".org 20b + 64 * 2",
        "mov eax, [rdi]",
        "xor edx, edx",
        "ret",
        ".org 20b + 64 * 3",
        "mov rax, [rdi]",
        "xor edx, edx",
        "ret",
        ".org 20b + 64 * 4",
        "mov [rdi], sil",
        "xor edx, edx",
        "ret",
        ".org 20b + 64 * 5",
        "mov [rdi], si",
        "xor edx, edx",
        "ret",
        ".org 20b + 64 * 6",
        "mov [rdi], esi",
        "xor edx, edx",
        "ret",
        ".org 20b + 64 * 7",
        "mov [rdi], rsi",
        "xor edx, edx",
        "ret",
        // (address, expected, new) -> value found
        ".org 20b + 64 * 8",
        "mov rax, rsi",
        "lock cmpxchg [rdi], dl",
        "movzx eax, al",
        "xor edx, edx",
        "ret",
        ".org 20b + 64 * 9",
        "mov rax, rsi",
        "lock cmpxchg [rdi], dx",
        "movzx eax, ax",
        "xor edx, edx",
        "ret",
        ".org 20b + 64 * 10",
        "mov rax, rsi",
        "lock cmpxchg [rdi], edx",
        "mov eax, eax",
        "xor edx, edx",
        "ret",
        ".org 20b + 64 * 11",
        "mov rax, rsi",
        "lock cmpxchg [rdi], rdx",
        "xor edx, edx",
        "ret",
        // (address, pointer to expected, pointer to new) -> 1 if it was exchanged; *expected =
        // found
        ".org 20b + 64 * 12",
        "mov r8, rsi",
        "mov r9, rdx",
        "mov r10, rbx",
        "mov rax, [r8]",
        "mov rdx, [r8 + 8]",
        "mov rbx, [r9]",
        "mov rcx, [r9 + 8]",
        "lock cmpxchg16b [rdi]",
        "mov rbx, r10",
        "mov [r8], rax",
        "mov [r8 + 8], rdx",
        "setz al",
        "movzx eax, al",
        "xor edx, edx",
        "ret",
        // (to, from, bytes): value is the number of bytes not copied
        ".org 20b + 64 * 13",
        "mov rcx, rdx",
        "xor edx, edx",
        "rep movsb",
        "xor eax, eax",
        "ret",
        // (to, byte, bytes)
        ".org 20b + 64 * 15",
        "mov rcx, rdx",
        "mov eax, esi",
        "xor edx, edx",
        "rep stosb",
        "xor eax, eax",
        "ret",
        ".org 20b + 64 * 17",
        "mov rax, rcx",
        "mov edx, 1",
        "ret",
        ".org 20b + 64 * 18",
        "mov rbx, r10",
        "mov edx, 1",
        "ret",
    )
}

/// As on x86-64.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn routines() {
    std::arch::naked_asm!(
        "20: ldrb w0, [x0]",
        "mov x1, xzr",
        "ret",
        ".org 20b + 64",
        "ldrh w0, [x0]",
        "mov x1, xzr",
        "ret",
        ".org 20b + 64 * 2",
        "ldr w0, [x0]",
        "mov x1, xzr",
        "ret",
        ".org 20b + 64 * 3",
        "ldr x0, [x0]",
        "mov x1, xzr",
        "ret",
        ".org 20b + 64 * 4",
        "strb w1, [x0]",
        "mov x1, xzr",
        "ret",
        ".org 20b + 64 * 5",
        "strh w1, [x0]",
        "mov x1, xzr",
        "ret",
        ".org 20b + 64 * 6",
        "str w1, [x0]",
        "mov x1, xzr",
        "ret",
        ".org 20b + 64 * 7",
        "str x1, [x0]",
        "mov x1, xzr",
        "ret",
        // Exclusive pairs rather than LSE: ARMv8.0 has no other. A value that differs is stored
        // back, since the guest must be allowed to write in both cases.
        ".org 20b + 64 * 8",
        "and w1, w1, #0xff",
        "2: ldaxrb w3, [x0]",
        "cmp w3, w1",
        "b.ne 3f",
        "stlxrb w4, w2, [x0]",
        "cbnz w4, 2b",
        "b 4f",
        "3: stlxrb w4, w3, [x0]",
        "cbnz w4, 2b",
        "4: dmb ish",
        "mov w0, w3",
        "mov x1, xzr",
        "ret",
        ".org 20b + 64 * 9",
        "and w1, w1, #0xffff",
        "2: ldaxrh w3, [x0]",
        "cmp w3, w1",
        "b.ne 3f",
        "stlxrh w4, w2, [x0]",
        "cbnz w4, 2b",
        "b 4f",
        "3: stlxrh w4, w3, [x0]",
        "cbnz w4, 2b",
        "4: dmb ish",
        "mov w0, w3",
        "mov x1, xzr",
        "ret",
        ".org 20b + 64 * 10",
        "2: ldaxr w3, [x0]",
        "cmp w3, w1",
        "b.ne 3f",
        "stlxr w4, w2, [x0]",
        "cbnz w4, 2b",
        "b 4f",
        "3: stlxr w4, w3, [x0]",
        "cbnz w4, 2b",
        "4: dmb ish",
        "mov w0, w3",
        "mov x1, xzr",
        "ret",
        ".org 20b + 64 * 11",
        "2: ldaxr x3, [x0]",
        "cmp x3, x1",
        "b.ne 3f",
        "stlxr w4, x2, [x0]",
        "cbnz w4, 2b",
        "b 4f",
        "3: stlxr w4, x3, [x0]",
        "cbnz w4, 2b",
        "4: dmb ish",
        "mov x0, x3",
        "mov x1, xzr",
        "ret",
        ".org 20b + 64 * 12",
        "ldp x3, x4, [x1]",
        "ldp x5, x6, [x2]",
        "2: ldaxp x7, x8, [x0]",
        "cmp x7, x3",
        "ccmp x8, x4, #0, eq",
        "cset w9, eq",
        "csel x10, x5, x7, eq",
        "csel x11, x6, x8, eq",
        // The store makes the pair of loads single-copy atomic, so it is done in both cases.
        "stlxp w12, x10, x11, [x0]",
        "cbnz w12, 2b",
        "dmb ish",
        "stp x7, x8, [x1]",
        "mov w0, w9",
        "mov x1, xzr",
        "ret",
        // Addresses and count change behind a pair's access only, for what continues after a
        // fault.
        ".org 20b + 64 * 13",
        "mov x3, x2",
        "2: cmp x3, #16",
        "b.lo 5f",
        "ldp x4, x5, [x1]",
        "stp x4, x5, [x0]",
        "add x1, x1, #16",
        "add x0, x0, #16",
        "sub x3, x3, #16",
        "b 2b",
        ".org 20b + 64 * 14",
        "5: cbz x3, 6f",
        "ldrb w4, [x1], #1",
        "strb w4, [x0], #1",
        "sub x3, x3, #1",
        "b 5b",
        "6: mov x0, xzr",
        "mov x1, xzr",
        "ret",
        ".org 20b + 64 * 15",
        "mov x3, x2",
        "mov x4, #0x0101010101010101",
        "and x1, x1, #0xff",
        "mul x1, x1, x4",
        "2: cmp x3, #16",
        "b.lo 5f",
        "stp x1, x1, [x0]",
        "add x0, x0, #16",
        "sub x3, x3, #16",
        "b 2b",
        ".org 20b + 64 * 16",
        "5: cbz x3, 6f",
        "strb w1, [x0], #1",
        "sub x3, x3, #1",
        "b 5b",
        "6: mov x0, xzr",
        "mov x1, xzr",
        "ret",
        ".org 20b + 64 * 17",
        "mov x0, x3",
        "mov x1, #1",
        "ret",
        ".org 20b + 64 * 18",
        "mov x1, #1",
        "ret",
    )
}

type Load = unsafe extern "C" fn(usize) -> Outcome;
type Store = unsafe extern "C" fn(usize, u64) -> Outcome;
type Cas = unsafe extern "C" fn(usize, u64, u64) -> Outcome;
type Cas16 = unsafe extern "C" fn(usize, *mut u128, *const u128) -> Outcome;
type Copy3 = unsafe extern "C" fn(usize, usize, usize) -> Outcome;
type Fill = unsafe extern "C" fn(usize, u64, usize) -> Outcome;

/// Address of a routine.
#[inline]
fn address(routine: Routine) -> usize {
    routines as *const () as usize + routine as usize * SLOT
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
    let slot = pc.0.wrapping_sub(address(Routine::Load1)) / SLOT;
    if slot >= Routine::Fault as usize {
        return None;
    }
    /// `SEGV_MAPERR`.
    const MAPERR: i32 = 1;
    LAST.set(match signal {
        libc::SIGBUS => Refused::Object,
        _ if code == MAPERR => Refused::Nothing,
        _ => Refused::Protected,
    });
    // The host has an instruction for a whole copy or fill, or pairs that are tried again by bytes.
    let by_bytes = cfg!(target_arch = "aarch64");
    let to = if slot == Routine::Cas16 as usize {
        Routine::Fault16
    } else if by_bytes && slot == Routine::Copy as usize {
        Routine::CopyBytes
    } else if by_bytes && slot == Routine::Fill as usize {
        Routine::FillBytes
    } else {
        Routine::Fault
    };
    Some(HostAddr(address(to)))
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
            let f = unsafe { std::mem::transmute::<usize, Load>(address(Routine::$rl)) };
            // SAFETY: as above.
            result(unsafe { f(at.0) })
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
            let f = unsafe { std::mem::transmute::<usize, Store>(address(Routine::$rs)) };
            // SAFETY: as above.
            result(unsafe { f(at.0, value) }).map(|_| ())
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
            let f = unsafe { std::mem::transmute::<usize, Cas>(address(Routine::$rc)) };
            // SAFETY: as above.
            result(unsafe { f(at.0, expected, new) })
        }
    };
}

load_store!("1", load_1, store_1, cas_1, Load1, Store1, Cas1);
load_store!("2", load_2, store_2, cas_2, Load2, Store2, Cas2);
load_store!("4", load_4, store_4, cas_4, Load4, Store4, Cas4);
load_store!("8", load_8, store_8, cas_8, Load8, Store8, Cas8);

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
    let f = unsafe { std::mem::transmute::<usize, Cas16>(address(Routine::Cas16)) };
    // SAFETY: as above.
    result(unsafe { f(at.0, &mut found, &new) }).map(|_| found)
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
    let f = unsafe { std::mem::transmute::<usize, Copy3>(address(Routine::Copy)) };
    // SAFETY: as above.
    let o = unsafe { f(to.0, from.0, len) };
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
    let f = unsafe { std::mem::transmute::<usize, Fill>(address(Routine::Fill)) };
    // SAFETY: as above.
    let o = unsafe { f(to.0, u64::from(byte), len) };
    if o.fault == 0 { Ok(()) } else { Err(o.value as usize) }
}
