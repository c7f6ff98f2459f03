//! All integration tests, as one program: linking once is faster than linking many times.

mod cache;
mod cli;
mod command;
mod coverage;
mod engines;
mod faults;
mod fuel;
mod host;
mod insns;
mod instructions;
mod limits;
mod pool;
mod relocation;
mod snapshots;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod softfloat;
mod tidy;
mod vm;
