//! Which of the standard descriptors a process was started without. Rust's start-up code opens
//! something in their place, so it is found out before: by a function that the C library's start-up
//! code calls.
#![allow(unsafe_code, reason = "a function in .init_array; calls fcntl")]
//! # Safety
//! The function has the type that the C library calls (its arguments are ignored), and uses nothing
//! that is set up later: a system call and an atomic.

use std::sync::atomic::{AtomicU8, Ordering};

/// Bit `n`: descriptor `n` was not open.
static CLOSED: AtomicU8 = AtomicU8::new(0);

#[used]
// SAFETY: the section holds addresses of such functions.
#[unsafe(link_section = ".init_array")]
static CHECK: extern "C" fn() = check;

extern "C" fn check() {
    for fd in 0..3 {
        // SAFETY: asks for the flags of a descriptor.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
            CLOSED.fetch_or(1 << fd, Ordering::Relaxed);
        }
    }
}

/// Standard descriptors that were not open when the process started.
#[must_use]
pub fn closed_at_start() -> Vec<i32> {
    let closed = CLOSED.load(Ordering::Relaxed);
    (0..3).filter(|fd| closed & 1 << fd != 0).collect()
}
