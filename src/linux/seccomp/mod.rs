//! Filters of system calls (seccomp(2); kernel: `kernel/seccomp.c`).
//!
//! [`filter`] is what threads keep and what programs mean, below `process`; [`calls`] installs
//! filters and asks them, and [`listener`] serves those that another process answers.
//! [`user_dispatch`] hands calls to the program itself, by what [`dispatch_range`] keeps.

pub(crate) mod calls;
pub(crate) mod dispatch_range;
pub(crate) mod filter;
pub(crate) mod listener;
pub(crate) mod user_dispatch;
