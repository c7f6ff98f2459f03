//! What a thread keeps of `PR_SET_SYSCALL_USER_DISPATCH`.

/// Which calls of a thread become SIGSYS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserDispatch {
    /// Calls whose return address is this far behind `offset`, or less, are made.
    pub(super) offset: u64,
    pub(super) len: u64,
    /// Address of the byte that says whether others are; 0: they are not.
    pub(super) selector: u64,
}
