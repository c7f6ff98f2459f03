//! The home of libc and of host facts: memory mappings, host signals, fault-tolerant accesses,
//! clocks. Nothing outside `sys`, `mem` and `linux` calls the host.

pub mod access;
pub mod async_signal;
pub mod fd;
mod features;
pub mod forks;
pub mod icache;
pub mod mmap;
pub mod namespace;
pub mod private_dir;
pub mod process;
pub mod robust;
pub mod segment;
pub mod shared;
pub mod shared_words;
pub mod signal;
pub mod standard;
pub mod syscall;
pub mod sysv;
pub mod time;

#[cfg_attr(target_arch = "x86_64", path = "ucontext_x64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "ucontext_a64.rs")]
pub mod ucontext;

pub use features::{HostA64, HostX64, host_features_a64, host_features_x64};
