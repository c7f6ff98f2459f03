//! Host clocks.
#![allow(unsafe_code, reason = "calls clock_gettime")]
//! # Safety
//! The only unsafe operation is a system call that fills a local structure.

/// Nanoseconds of `CLOCK_MONOTONIC`.
#[must_use]
pub fn monotonic_ns() -> u64 {
    nanoseconds(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds of `CLOCK_REALTIME`.
#[must_use]
pub fn calendar_ns() -> u64 {
    nanoseconds(libc::CLOCK_REALTIME)
}

/// Nanoseconds of `CLOCK_THREAD_CPUTIME_ID`: what the calling thread has had of a processor.
#[must_use]
pub fn thread_cpu_ns() -> u64 {
    nanoseconds(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn nanoseconds(clock: libc::clockid_t) -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` is a valid timespec for the duration of the call.
    let rc = unsafe { libc::clock_gettime(clock, &mut ts) };
    debug_assert_eq!(rc, 0, "every Linux has both clocks");
    (ts.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(ts.tv_nsec as u64)
}
