//! Host clocks.
#![allow(unsafe_code, reason = "calls clock_gettime and sched_getcpu")]
//! # Safety
//! The only unsafe operations are calls that fill a local structure, or nothing.

use crate::util::Counter;

/// Nanoseconds of `CLOCK_MONOTONIC`.
#[must_use]
pub fn monotonic_ns() -> u64 {
    nanoseconds(libc::CLOCK_MONOTONIC)
}

/// What a counter is at; `number` is that of a [`Counter`].
#[must_use]
pub fn read(number: u64) -> u64 {
    if number == Counter::Processor as u64 {
        // SAFETY: the function has no parameters and changes nothing.
        return unsafe { libc::sched_getcpu() } as u64;
    }
    nanoseconds(number as libc::clockid_t)
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
    debug_assert_eq!(rc, 0, "every Linux has these clocks");
    (ts.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(ts.tv_nsec as u64)
}
