//! RISC-V Linux programs at native speed on x86-64 and aarch64.
#![deny(unsafe_code)]

// In layer order: a module imports only from those above it.
pub mod util;

pub mod ir;
pub mod sys;

pub mod isa;

pub mod mem;

pub mod cpu;

pub mod backend;
pub mod interp;
pub mod lift;

pub mod backend_a64;
pub mod backend_x64;

pub mod runtime;

pub mod vm;

pub mod debug;
pub mod linux;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
