//! Vectors of buffers (`struct iovec`).

use crate::linux::abi::{Errno, GuestPtr, IoVec};
use crate::linux::host::{HostArg, NOWHERE, address_of};
use crate::linux::process::Thread;
use crate::mem::Access;

/// Longest vector of buffers (`UIO_MAXIOV`, `linux/uio.h`).
pub(crate) const MAX_IOV: u64 = 1024;

/// A vector of buffers of the guest, for the host. `access` is what the kernel does with them.
///
/// # Errors
/// `EINVAL` for a vector that is too long or a length that is negative, `EFAULT` if the vector or
/// a buffer lies outside the address space.
pub(crate) fn import_iovec(
    t: &Thread,
    iov: u64,
    count: u64,
    access: Access,
) -> Result<Vec<IoVec>, Errno> {
    if count > MAX_IOV {
        return Err(Errno::EINVAL);
    }
    let mut vector = GuestPtr::<IoVec>::new(iov).read_array(t.memory(), count as usize)?;
    if vector.iter().any(|v| i64::try_from(v.len).is_err()) {
        return Err(Errno::EINVAL);
    }
    for v in &mut vector {
        v.base = t.host_addr(v.base, v.len, access)?;
    }
    Ok(vector)
}

/// Buffers of the guest, for the host, which is to find what is wrong with them in its turn.
pub(crate) struct Buffers(Option<Vec<IoVec>>);

impl Buffers {
    /// Those of a vector of `count`. `access` is what the kernel does with them.
    pub(crate) fn new(t: &Thread, iov: u64, count: u64, access: Access) -> Self {
        // Of a longer vector the kernel looks at the count alone.
        let count = if count > MAX_IOV { 0 } else { count };
        let vector = GuestPtr::<IoVec>::new(iov).read_array(t.memory(), count as usize);
        let mut vector = vector.ok();
        for v in vector.iter_mut().flatten() {
            // A length that cannot be is beyond every address.
            v.base = t.host_addr(v.base, v.len, access).unwrap_or_default();
        }
        Self(vector)
    }

    /// As an argument.
    pub(super) fn arg(&self) -> HostArg<'_> {
        self.0.as_ref().map_or(HostArg::NOWHERE, |v| HostArg::slice(v))
    }

    /// As [`Self::arg`], for a structure that holds the address and is used before the buffers go.
    pub(crate) fn address(&self) -> u64 {
        self.0.as_ref().map_or(NOWHERE, |v| address_of(v))
    }
}
