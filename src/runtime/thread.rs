//! The memory of one hart's state: a page to poll, the state, and the stack of return addresses.
#![allow(unsafe_code, reason = "owns the state in mapped memory and runs translated code")]
//! # Safety
//! The state lives in a reservation that the [`Thread`] owns, at an address that never changes.
//! References to it are only made through `&self` and `&mut self`, and never while translated
//! code runs on this thread. Other threads touch `table_limit` and `fuel_floor` alone, as atomics.

use super::host::{fp_flags, fp_word};
use crate::backend::{HANDLER_ROOM, STATE_BIAS, ThreadState};
use crate::cpu::Hart;
use crate::sys::mmap::{HostProt, Reservation};
use crate::sys::ucontext::Registers;
use crate::util::{CodePtr, HostAddr};
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Bytes of a stack of return addresses: 32768 calls deep, and room behind them.
const RETURN_STACK: usize = (256 << 10) + HANDLER_ROOM;

/// One hart's state and what belongs to it.
#[derive(Debug)]
pub(super) struct Thread {
    memory: Arc<Reservation>,
    state: NonNull<ThreadState>,
    page: usize,
}

// SAFETY: the memory is owned; nothing in it belongs to a particular thread.
unsafe impl Send for Thread {}

impl Thread {
    pub(super) fn new() -> io::Result<Self> {
        let page = crate::sys::mmap::host_page_size();
        let state = size_of::<ThreadState>().next_multiple_of(page);
        let memory = Arc::new(Reservation::new(page + state + page + RETURN_STACK)?);
        memory.map_anon(0..page, HostProt::READ, false)?;
        memory.map_anon(page..page + state, HostProt::RW, false)?;
        let stack = page + state + page;
        memory.map_anon(stack..stack + RETURN_STACK, HostProt::RW, false)?;
        let at = (memory.base().0 + page) as *mut ThreadState;
        // SAFETY: fresh zeroed memory of sufficient size and alignment that we own; all fields
        // are integers.
        let state = unsafe {
            at.write(ThreadState {
                hart: Hart::new(),
                memory_base: 0,
                table: 0,
                arena: 0,
                table_limit: 0,
                host_sp: 0,
                return_sp: 0,
                return_top: (memory.base().0 + memory.len() - 16) as u64,
                payload: 0,
                helper: 0,
                context: 0,
                fuel: 0,
                fuel_floor: 0,
                serve: 0,
                frame: 0,
                call_return: 0,
                guest_fp: 0,
                host_fp: 0,
                known_fp: 0,
                no_traps: 0,
                fp_traps: 0,
                recovery: 0,
                counter: 0,
                scratch: 0,
                constants: crate::backend::CONSTANTS,
                flags_of_word: std::array::from_fn(|word| fp_flags(word as u32)),
                word_of_flags: std::array::from_fn(|flags| fp_word(0, flags as u8)),
                counting: [0; 2],
                edge: 0,
                fault: Registers::new(),
            });
            NonNull::new_unchecked(at)
        };
        Ok(Self { memory, state, page })
    }

    #[inline]
    pub(super) fn state(&self) -> &ThreadState {
        // SAFETY: see the module.
        unsafe { self.state.as_ref() }
    }

    #[inline]
    pub(super) fn state_mut(&mut self) -> &mut ThreadState {
        // SAFETY: see the module.
        unsafe { self.state.as_mut() }
    }

    /// Handle by which other threads stop the hart.
    pub(super) fn remote(&self) -> Remote {
        Remote { memory: Arc::clone(&self.memory), page: self.page, state: self.state }
    }

    /// Drops all return predictions.
    pub(super) fn reset_returns(&mut self, return_empty: HostAddr) {
        let top = self.state().return_top;
        // SAFETY: the top word of the return stack, which is ours and mapped.
        unsafe { (top as *mut u64).write(return_empty.0 as u64) };
        self.state_mut().return_sp = top;
    }

    /// Takes the latest return address off the stack.
    pub(super) fn pop_return(&mut self) -> HostAddr {
        let state = self.state_mut();
        // SAFETY: translated code has just pushed a word there.
        let at = unsafe { (state.return_sp as *const u64).read() };
        state.return_sp += super::host::RETURN_ENTRY;
        HostAddr(at as usize)
    }

    /// True if `at` is in the page that is polled.
    pub(super) fn is_poll(&self, at: HostAddr) -> bool {
        at.0.wrapping_sub(self.memory.base().0) < self.page
    }

    /// Runs translated code at `code` of the arena at `arena`, by its stub `stub`, until it is
    /// left; the raw [`crate::backend::ExitReason`].
    pub(super) fn enter(&mut self, arena: HostAddr, stub: CodePtr, code: CodePtr) -> u64 {
        // SAFETY: nothing refers to the state meanwhile.
        unsafe { self.entry(arena, stub, code).enter() }
    }

    /// Makes this thread ready to do that at once, when no reference to this exists any more.
    #[inline]
    pub(super) fn entry(&mut self, arena: HostAddr, stub: CodePtr, code: CodePtr) -> Entry {
        super::host::prepare_memory(HostAddr(self.state().memory_base as usize));
        let at = |code: CodePtr| arena.0 + code.0 as usize;
        Entry { state: self.state.as_ptr(), stub: at(stub), code: at(code) }
    }
}

/// Translated code that is about to be entered.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    state: *mut ThreadState,
    stub: usize,
    code: usize,
}

impl Entry {
    /// The state that the code works on.
    #[inline]
    pub(super) fn state(&self) -> *mut ThreadState {
        self.state
    }

    /// Runs the code until it is left; the raw [`crate::backend::ExitReason`].
    ///
    /// # Safety
    /// The thread state is as [`Thread::entry`] left it, the arena is alive until this comes back,
    /// and nothing refers to the state meanwhile.
    #[inline]
    pub(super) unsafe fn enter(self) -> u64 {
        type Enter = unsafe extern "C" fn(*mut ThreadState, *const u8) -> u64;
        // SAFETY: the stub was emitted with this signature and keeps the C calling convention.
        let enter: Enter = unsafe { std::mem::transmute::<usize, Enter>(self.stub) };
        // SAFETY: `code` is an entry of the same arena, and the state was set up for it; the rest
        // is the caller's promise.
        unsafe { enter(self.state, self.code as *const u8) }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // The state's memory goes as it is.
        self.state_mut().hart.vector = None;
    }
}

/// If `fault` is a push beyond the end of the return stack of the state that translated code's
/// state register points to, or the look at that end before a push: the empty position, at which it
/// can be tried again.
/// Async-signal-safe.
pub(super) fn return_stack_overflow(state_register: u64, fault: HostAddr) -> Option<u64> {
    let state = (state_register - STATE_BIAS as u64) as *const ThreadState;
    // SAFETY: translated code runs with the state register pointing into its state.
    let top = unsafe { (*state).return_top };
    let bottom = top + 16 - RETURN_STACK as u64;
    let below = bottom.wrapping_sub(fault.0 as u64);
    (1..=4096).contains(&below).then_some(top)
}

/// Where translated code goes on that has faulted, if it has said so ([`ThreadState::recovery`]).
/// Async-signal-safe.
pub(super) fn recovery(state_register: u64) -> Option<HostAddr> {
    let state = (state_register - STATE_BIAS as u64) as *const ThreadState;
    // SAFETY: translated code runs with the state register pointing into its state.
    let at = unsafe { (*state).recovery };
    (at != 0).then_some(HostAddr(at as usize))
}

/// Saves the registers of interrupted translated code in its state. Async-signal-safe.
pub(super) fn save_registers(
    state_register: u64,
    context: &crate::sys::ucontext::Context,
    fault: HostAddr,
) {
    let state = (state_register - STATE_BIAS as u64) as *mut ThreadState;
    // SAFETY: translated code of this very thread was interrupted, so nobody else refers to its
    // state now.
    let registers = unsafe { &mut (*state).fault };
    context.save(registers);
    registers.fault_addr = fault;
}

/// What the control and status word of translated code that was interrupted is to be after an
/// exception of floating-point arithmetic; see [`crate::backend::Backend::fp_trap`].
pub(super) fn fp_trap(state_register: u64, word: u32) -> Option<u32> {
    let state = (state_register - STATE_BIAS as u64) as *mut ThreadState;
    // SAFETY: as in `save_registers`.
    super::host::fp_trap(unsafe { &mut *state }, word)
}

/// How other threads stop a hart. Shares the memory, so that it may outlive the [`Thread`].
#[derive(Debug)]
pub(super) struct Remote {
    memory: Arc<Reservation>,
    page: usize,
    state: NonNull<ThreadState>,
}

// SAFETY: the state is in the memory, which is owned; what is accessed of it is atomic.
unsafe impl Send for Remote {}
// SAFETY: as above.
unsafe impl Sync for Remote {}

impl Remote {
    /// Makes the hart leave translated code at its next poll, indirect jump or block that is
    /// metered. Async-signal-safe.
    pub(super) fn arm(&self) {
        self.set(0, i64::MAX, HostProt::NONE);
    }

    /// Undoes [`Self::arm`]; `limit` is the number of table entries.
    pub(super) fn disarm(&self, limit: u64) {
        self.set(limit, 0, HostProt::READ);
    }

    fn set(&self, limit: u64, floor: i64, prot: HostProt) {
        let state = self.state.as_ptr();
        // SAFETY: the memory is alive, and other threads access the fields only atomically.
        unsafe {
            AtomicU64::from_ptr(&raw mut (*state).table_limit).store(limit, Ordering::Release);
            AtomicI64::from_ptr(&raw mut (*state).fuel_floor).store(floor, Ordering::Release);
        }
        // SAFETY: the page is part of the memory and holds nothing.
        unsafe { crate::sys::mmap::protect_page(self.memory.base(), self.page, prot) };
    }
}
