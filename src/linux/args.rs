//! Short forms for arguments of host system calls.

use super::abi::{Errno, Fd, GuestCStr};
use super::host::HostArg;
use super::process::Thread;
use crate::mem::Access;
use std::ffi::CStr;

impl From<i32> for HostArg<'_> {
    fn from(v: i32) -> Self {
        HostArg::int(v)
    }
}
impl From<u32> for HostArg<'_> {
    fn from(v: u32) -> Self {
        HostArg::value(u64::from(v))
    }
}
impl From<u64> for HostArg<'_> {
    fn from(v: u64) -> Self {
        HostArg::value(v)
    }
}
impl From<Fd> for HostArg<'_> {
    fn from(v: Fd) -> Self {
        HostArg::int(v.0)
    }
}
impl<'a> From<&'a CStr> for HostArg<'a> {
    fn from(v: &'a CStr) -> Self {
        HostArg::path(v)
    }
}

/// `host!(t, SYS_name, argument, ...)`: makes the host's system call on behalf of the guest thread
/// `t`; arguments are numbers, descriptors, `&CStr` or `HostArg`s.
macro_rules! host {
    ($t:expr, $number:ident $(, $arg:expr)* $(,)?) => {
        $t.host(libc::$number, &[$($crate::linux::host::HostArg::from($arg)),*])
    };
}
pub(super) use host;

impl Thread {
    /// `len` bytes of guest memory that the kernel reads.
    ///
    /// # Errors
    /// `EFAULT` for a range that leaves the guest's address space.
    pub(super) fn input(&self, addr: u64, len: u64) -> Result<HostArg<'static>, Errno> {
        self.guest(addr, len, Access::Read)
    }

    /// `len` bytes of guest memory that the kernel writes.
    ///
    /// # Errors
    /// `EFAULT` for a range that leaves the guest's address space.
    pub(super) fn output(&self, addr: u64, len: u64) -> Result<HostArg<'static>, Errno> {
        self.guest(addr, len, Access::Write)
    }

    /// A string of the guest that the kernel reads and that is not a path.
    ///
    /// # Errors
    /// `EFAULT` if it starts outside the guest's address space.
    pub(super) fn string(&self, s: GuestCStr) -> Result<HostArg<'static>, Errno> {
        self.guest(s.0, 1, Access::Read)
    }
}
