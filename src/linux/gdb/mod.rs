//! A process under a debugger: what [`crate::gdb`] asks for, done with the threads of a guest.
//!
//! [`state`] and [`debuggee`] are what processes and threads keep, below `process`; [`park`] is
//! what a guest thread does between instructions while there is a debugger; [`server`] is the
//! thread that talks with it, over a [`socket`], and [`files`] and [`libraries`] answer what it
//! asks about those. By [`attach`] a process comes by a debugger.
//!
//! A thread in a system call counts as stopped: it runs no guest code before it has looked whether
//! it may ([`park`]). So no call is interrupted for a debugger, and no program sees an `EINTR` that
//! it would not have seen otherwise. Only a thread whose registers were set, for a function that
//! the user calls, is taken out of its call.

pub(crate) mod attach;
pub(crate) mod debuggee;
mod files;
mod libraries;
pub(crate) mod park;
pub(crate) mod server;
pub(crate) mod socket;
pub(crate) mod state;
