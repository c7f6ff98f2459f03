//! Tracing of guest threads by guest processes (ptrace(2)). See [`tracees`] for how it works.

pub(super) mod area;
pub(super) mod calls;
pub(super) mod stop;
pub(super) mod tracees;
pub(super) mod wait;
