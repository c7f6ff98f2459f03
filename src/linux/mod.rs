//! A riscv64 Linux process on a Linux host of another architecture.
//!
//! The design rule: the host kernel does the work wherever its semantics are the guest's, on guest
//! memory in place (guest address plus base). Here is what differs: structure layouts, addresses
//! inside structures, what a process learns about its machine, address-space layout, signal frames
//! and the start of programs.
//!
//! Reading order: `abi` (numbers and layouts), `process` (what a process and a thread are),
//! `table` (one line per system call), `run` (the loop that serves exits), then one folder per
//! subsystem, in which a handler is named `sys_` plus the kernel's name. What a subsystem keeps in
//! processes and threads is in files below `process`, its calls are in files above it.
//!
//! Invariants:
//! - A guest thread is a host thread with the same thread id, a guest process a host process, a
//!   guest descriptor the host's descriptor of the same number.
//! - The host's signal mask of a thread is the guest's, except that faults are never blocked, and
//!   that everything is blocked while a signal waits for its delivery.
//! - A handler returns `Err(Errno::RESTART)` only if it has had no effect.

#[doc(hidden)]
pub mod abi;
mod args;
mod command;
#[doc(hidden)]
pub mod doc;
mod exec;
mod fs;
mod gdb;
mod host;
mod ipc;
mod lock;
mod machine;
mod mm;
mod net;
mod order;
mod process;
mod ptrace;
mod run;
mod sample;
mod seccomp;
mod signal;
mod spawn;
mod status;
mod strace;
mod table;
mod task;
mod time;
mod trace;
mod trace_calls;
mod uring;

pub use command::Command;
pub use exec::loader::LoadError;
pub use exec::reentry::Reentry;
pub use fs::rootfs::RootFs;
#[doc(hidden)]
pub use gdb::attach::{request as request_debugger, socket_of as debugger_socket};
#[doc(hidden)]
pub use gdb::socket::Address;
#[doc(hidden)]
pub use signal::crash::Crash;
pub use spawn::{Child, Output, Stdio};
pub use status::ExitStatus;
#[doc(hidden)]
pub use task::afl::{Counted, ForkServer};
pub use trace::Trace;

// For the command and tests of this package, and without a promise.
#[doc(hidden)]
pub use {
    crate::sys::process::with_room,
    abi::{Errno, Pod},
    args::Arg,
    fs::rootfs::{Entry as OwnerEntry, FileOwners},
    host::{HostArg, host_call},
    process::{Options, Process, Thread},
    table::{Support, Syscall, TABLE},
};

/// What may be sent to other threads, and what is shared between them: part of what is promised.
const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<(ExitStatus, Reentry, RootFs, Trace, LoadError)>();
};
