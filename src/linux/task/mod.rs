//! Processes and threads: how they start and end, wait for each other, who they are and what they
//! may use (kernel: `kernel/`).
//!
//! [`credentials`], [`limits`] and [`personality`] are what processes keep, and [`peers`] tells of
//! other guest processes: all are below `process`. The rest are calls.

pub(crate) mod afl;
pub(crate) mod clone;
pub(crate) mod credentials;
pub(crate) mod exit;
pub(crate) mod fork;
pub(crate) mod fork_server;
pub(crate) mod futex;
pub(crate) mod ids;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod peers;
pub(crate) mod personality;
pub(crate) mod prctl;
pub(crate) mod rlimit;
pub(crate) mod thread;
