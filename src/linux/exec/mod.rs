//! Programs: from the name of one to a thread at its entry point (kernel: `fs/exec.c`,
//! `fs/binfmt_elf.c`, `fs/binfmt_script.c`).
//!
//! [`executable`] and [`setid`] import the host only; [`loader`], [`stack`] and [`vdso`] make the
//! memory of a program; [`execve`] starts another in our place, which [`reentry`] tells what it
//! inherits ([`inherit`]) and what the library was told ([`settings`]).

pub(crate) mod executable;
pub(crate) mod execve;
pub(crate) mod inherit;
pub(crate) mod loader;
pub(crate) mod reentry;
pub(crate) mod setid;
pub(crate) mod settings;
pub(crate) mod stack;
pub(crate) mod vdso;
