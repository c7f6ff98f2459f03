//! Accesses that memory refuses.

/// Kind of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// A load.
    Read,
    /// A store or an atomic.
    Write,
    /// An instruction fetch.
    Execute,
}

/// An access that memory refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{access:?} fault at {addr:#x}")]
pub struct Fault {
    /// The first address that could not be accessed (Linux: `si_addr`). For an access that spans
    /// two pages this may be the start of the second.
    pub addr: u64,
    /// Kind of the access.
    pub access: Access,
    /// True if the page is mapped and its protection forbids the access (Linux: `SEGV_ACCERR`),
    /// false if nothing is mapped (`SEGV_MAPERR`).
    pub mapped: bool,
    /// True if what is mapped, a file or shared memory, ends before the page or cannot be had
    /// (Linux: `SIGBUS`).
    pub beyond_file: bool,
}
