//! Contexts of asynchronous requests, as a process keeps them.

use std::collections::BTreeMap;

/// `struct iocb` as words (`linux/aio_abi.h`): data, key and flags, operation and descriptor,
/// buffer, length, offset, reserved, flags and descriptor to notify.
pub(super) type Request = [u64; 8];

/// The contexts of a process, by the name that the guest knows.
pub(crate) type Contexts = BTreeMap<u64, Context>;

/// One context.
#[derive(Debug)]
pub(crate) struct Context {
    /// The host's name of it.
    pub(super) host: u64,
    /// Requests that have not been reported as complete, by the address of our copy.
    pub(super) submitted: BTreeMap<u64, Submitted>,
}

/// A request that the host works on.
#[derive(Debug)]
pub(super) struct Submitted {
    /// Our copy, whose address names the request for the host.
    pub(super) _copy: Box<Request>,
    /// Where the guest has it.
    pub(super) guest: u64,
}
