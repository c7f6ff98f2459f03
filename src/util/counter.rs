//! What the host counts and a guest reads without a system call.

/// A counter of the host: nanoseconds of a clock, by its number for `clock_gettime` (linux/time.h),
/// or where the thread runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Counter {
    /// `CLOCK_REALTIME`.
    Realtime = 0,
    /// `CLOCK_MONOTONIC`.
    Monotonic = 1,
    /// `CLOCK_MONOTONIC_RAW`.
    MonotonicRaw = 4,
    /// `CLOCK_REALTIME_COARSE`.
    RealtimeCoarse = 5,
    /// `CLOCK_MONOTONIC_COARSE`.
    MonotonicCoarse = 6,
    /// `CLOCK_BOOTTIME`.
    Boottime = 7,
    /// `CLOCK_TAI`.
    Tai = 11,
    /// The number of the processor (getcpu(2)); no clock.
    Processor = 64,
}
