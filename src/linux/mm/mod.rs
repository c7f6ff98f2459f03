//! The guest's address space: where things lie ([`layout`], which processes keep), and the calls
//! that map, protect, lock and advise (kernel: `mm/`).
//!
//! [`layout`] is below `process`; the calls are above it, and import `uring` for the rings that can
//! be mapped and `task` for limits.

pub(crate) mod advice;
pub(crate) mod layout;
pub(crate) mod mlock;
pub(crate) mod mman;
pub(crate) mod mremap;
pub(crate) mod numa;
pub(crate) mod process_vm;
pub(crate) mod stack_limit;
pub(crate) mod userfault;
