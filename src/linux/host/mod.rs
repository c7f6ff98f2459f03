//! The host's kernel, as the rest of `linux` sees it: system calls, and limits that are ours.
//!
//! Everything but `abi` may import this, which imports `abi` only.

mod call;
pub(crate) mod limit;

pub(crate) use call::{
    FileIdentity, NOWHERE, address_of, borrow_fd, check_execute, clock_gettime, file_identity,
    file_system, guest_address, has_capability, inherited_fd, interruptible_call, kernel_address,
    may_execute, path_of, random,
};
pub use call::{HostArg, host_call};
pub(crate) use limit::host_fd;
