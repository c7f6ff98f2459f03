//! A riscv64 Linux process on a Linux host of another architecture.
//!
//! The design rule: the host kernel does the work wherever its semantics are the guest's, on guest
//! memory in place (guest address plus base). Here is what differs: structure layouts, addresses
//! inside structures, what a process learns about its machine, address-space layout, signal frames
//! and the start of programs.
//!
//! Reading order: `abi` (numbers and layouts), `process` (what a process and a thread are),
//! `table` (one line per system call), `run` (the loop that serves exits), then one file per
//! subsystem, in which a handler is named `sys_` plus the kernel's name.
//!
//! Invariants:
//! - A guest thread is a host thread with the same thread id, a guest process a host process, a
//!   guest descriptor the host's descriptor of the same number.
//! - The host's signal mask of a thread is the guest's, except that faults are never blocked, and
//!   that everything is blocked while a signal waits for its delivery.
//! - A handler returns `Err(Errno::RESTART)` only if it has had no effect.

#[doc(hidden)]
pub mod abi;
mod advice;
mod aio;
mod args;
mod busy;
mod command;
mod core_dump;
mod core_file;
mod crash;
mod dir;
#[doc(hidden)]
pub mod doc;
mod exec;
mod executable;
mod exit;
mod file;
mod fork;
mod futex;
mod host;
mod ids;
mod inherit;
mod ioctl;
mod ipc;
mod keys;
mod limits;
mod listener;
mod loader;
mod loop_info;
mod machine;
mod mlock;
mod mman;
mod mount;
mod mremap;
mod numa;
mod order;
mod others;
mod path;
mod personality;
mod poll;
mod prctl;
mod process;
mod process_vm;
mod procfd;
mod procfs;
mod procmaps;
mod procstat;
mod rootfs;
mod run;
mod seccomp;
mod setid;
mod shm;
mod signal;
mod socket;
mod stack;
mod stack_limit;
mod stat;
mod strace;
mod table;
mod thread;
mod time;
mod trace;
mod unix;
mod uring;
mod user_dispatch;
mod userfault;
mod vdso;

pub use command::{Command, ExitStatus, Reentry};
#[doc(hidden)]
pub use crash::Crash;
pub use loader::LoadError;
pub use rootfs::RootFs;
pub use trace::Trace;

// For the command and tests of this package, and without a promise.
#[doc(hidden)]
pub use {
    crate::sys::process::with_room,
    abi::Errno,
    host::{Arg, HostArg, Pod, host_call},
    process::{Options, Process, Thread},
    table::{Support, Syscall, TABLE},
};

/// What may be sent to other threads, and what is shared between them: part of what is promised.
const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<(ExitStatus, Reentry, RootFs, Trace, LoadError)>();
};
