//! RISC-V Linux programs at native speed on x86-64 and aarch64.
#![deny(unsafe_code)]
