//! Filters of system calls (seccomp(2); kernel: `kernel/seccomp.c`).
//!
//! [`filter`] is what threads keep and what programs mean, below `process`; [`calls`] installs
//! filters and asks them, and [`listener`] serves those that another process answers.

pub(crate) mod calls;
pub(crate) mod filter;
pub(crate) mod listener;
