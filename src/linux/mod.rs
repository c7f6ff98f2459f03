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

pub mod abi;
mod advice;
mod aio;
mod args;
mod busy;
mod command;
mod core_dump;
mod core_file;
mod dir;
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
mod userfault;
mod vdso;

pub use crate::sys::process::with_room;
pub use abi::Errno;
pub use command::{Command, ExitStatus, Reentry};
pub use host::{Arg, HostArg, Pod, host_call};
pub use loader::LoadError;
pub use process::{Options, Process, Thread};
pub use rootfs::RootFs;
pub use table::{Support, Syscall, TABLE};
pub use trace::Trace;
