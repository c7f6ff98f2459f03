//! Error numbers, and what a system call answers.

use crate::mem::{Fault, MapError};
use std::fmt;

/// A Linux error number. All hosts that we run on use the numbers of `asm-generic/errno.h`, as
/// riscv64 does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub u16);

/// What a handler returns: the value for a0, or the error whose negative goes there.
pub type SysResult = Result<u64, Errno>;

macro_rules! errnos {
    ($($name:ident)*) => {
        #[allow(missing_docs, reason = "the names of errno(3)")]
        impl Errno {
            $(pub const $name: Self = Self(libc::$name as u16);)*

            /// Name as in errno(3), such as `ENOENT`; `None` for a number without one.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match i32::from(self.0) {
                    $(libc::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

errnos! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT
    ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG
    ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY
    ELOOP ENOMSG EIDRM ENOSTR ENODATA ETIME ENOSR ENOLINK EPROTO EBADMSG EOVERFLOW EILSEQ EUSERS
    ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT
    EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET
    ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED
    EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EDQUOT ECANCELED EOWNERDEAD ENOTRECOVERABLE
}

impl Errno {
    /// Never seen by the guest: a signal waits for delivery and the call has had no effect. The
    /// call is made again after the delivery (the kernel's `ERESTARTNOINTR`).
    pub const RESTART: Self = Self(513);

    /// Never seen by the guest: the call has set the registers itself, and the pc.
    pub const NO_RESULT: Self = Self(514);

    /// The error of the last failed libc call.
    #[must_use]
    pub fn last() -> Self {
        Self::from(std::io::Error::last_os_error())
    }

    /// Turns what a raw system call returned (a value, or a negated error) into a result.
    ///
    /// # Errors
    /// The error that the value stands for.
    #[allow(clippy::cast_sign_loss, reason = "negative values are errors")]
    pub fn check(raw: i64) -> SysResult {
        if (-4095..0).contains(&raw) { Err(Self(-raw as u16)) } else { Ok(raw as u64) }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Errno {}

impl From<std::io::Error> for Errno {
    fn from(e: std::io::Error) -> Self {
        Self(e.raw_os_error().map_or(libc::EIO, |n| n) as u16)
    }
}

impl From<Fault> for Errno {
    fn from(_: Fault) -> Self {
        Self::EFAULT
    }
}

impl From<MapError> for Errno {
    fn from(e: MapError) -> Self {
        match e {
            MapError::Invalid => Self::EINVAL,
            MapError::Occupied => Self::EEXIST,
            MapError::Sealed => Self::EPERM,
            MapError::OutOfRange | MapError::NotMapped | MapError::NoSpace => Self::ENOMEM,
            MapError::Host(e) => Self::from(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_raw_calls() {
        assert_eq!(Errno::check(-2), Err(Errno::ENOENT));
        assert_eq!(Errno::check(-4096), Ok(-4096_i64 as u64));
        assert_eq!(Errno::check(7), Ok(7));
        assert_eq!(format!("{}", Errno::EOWNERDEAD), "EOWNERDEAD");
        assert_eq!(format!("{:?}", Errno(999)), "errno 999");
    }
}
