//! Signals and cores (kernel: `kernel/signal.c`, `fs/coredump.c`).
//!
//! [`actions`] and [`core_threads`] are what processes and threads keep, below `process`.
//! [`core_dump`] writes a core by way of [`core_file`], tools are told of a [`crash`], and
//! [`mirror`] makes the host do what the guest asked for, and [`calls`] serves calls, delivers and
//! returns, with the [`vector`] state in frames.

pub(crate) mod actions;
pub(crate) mod calls;
pub(crate) mod core_dump;
pub(crate) mod core_file;
pub(crate) mod core_threads;
pub(crate) mod crash;
pub(crate) mod mirror;
pub(crate) mod vector;
