//! The public library.

pub mod elf;
