//! Typed arguments of system calls: addresses of guest memory, descriptors, numbers.

use super::errno::Errno;
use super::pod::Pod;
use crate::mem::Memory;
use std::fmt;
use std::marker::PhantomData;

/// An address in guest memory that a system call was given, typed by what should be there.
pub struct GuestPtr<T>(pub u64, PhantomData<fn() -> T>);

impl<T> Clone for GuestPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for GuestPtr<T> {}

impl<T> fmt::Debug for GuestPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl<T> GuestPtr<T> {
    /// The pointer with this address.
    #[must_use]
    pub const fn new(addr: u64) -> Self {
        Self(addr, PhantomData)
    }

    /// True for a null pointer.
    #[must_use]
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The same address with another type.
    #[must_use]
    pub const fn cast<U>(self) -> GuestPtr<U> {
        GuestPtr::new(self.0)
    }

    /// Address of the element `n` further on, wrapping.
    #[must_use]
    pub const fn add(self, n: u64) -> Self {
        Self::new(self.0.wrapping_add(n.wrapping_mul(size_of::<T>() as u64)))
    }
}

impl<T: Pod> GuestPtr<T> {
    /// Copies the value from guest memory.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn read(self, mem: &Memory) -> Result<T, Errno> {
        let mut value = T::zeroed();
        mem.read_bytes(self.0, value.bytes_mut())?;
        Ok(value)
    }

    /// As [`Self::read`], and `None` for a null pointer.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn read_optional(self, mem: &Memory) -> Result<Option<T>, Errno> {
        if self.is_null() { Ok(None) } else { self.read(mem).map(Some) }
    }

    /// Copies `n` values from guest memory. The caller bounds `n`.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn read_array(self, mem: &Memory, n: usize) -> Result<Vec<T>, Errno> {
        (0..n as u64).map(|i| self.add(i).read(mem)).collect()
    }

    /// Copies the value to guest memory.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn write(self, mem: &Memory, value: &T) -> Result<(), Errno> {
        Ok(mem.write_bytes(self.0, value.bytes())?)
    }

    /// As [`Self::write`], and nothing for a null pointer.
    ///
    /// # Errors
    /// `EFAULT`.
    pub fn write_optional(self, mem: &Memory, value: &T) -> Result<(), Errno> {
        if self.is_null() { Ok(()) } else { self.write(mem, value) }
    }
}

/// A guest pointer to a NUL-terminated string.
#[derive(Clone, Copy, Debug)]
pub struct GuestCStr(pub u64);

/// Longest path including the NUL (`linux/limits.h`).
pub const PATH_MAX: usize = 4096;

impl GuestCStr {
    /// Copies a path, without the NUL.
    ///
    /// # Errors
    /// `EFAULT`, or `ENAMETOOLONG` if there is no NUL within [`PATH_MAX`] bytes.
    pub fn read_path(self, mem: &Memory) -> Result<Vec<u8>, Errno> {
        mem.read_c_string(self.0, PATH_MAX)?.ok_or(Errno::ENAMETOOLONG)
    }
}

/// A file descriptor, or `AT_FDCWD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fd(pub i32);

impl Fd {
    /// The current directory, where an `*at` call takes a directory.
    pub const CWD: Self = Self(libc::AT_FDCWD);
}

/// A type that a system call takes in a register.
pub trait FromArg: Sized {
    /// From the register's 64 bits; narrower types take the low bits, as the kernel does.
    fn from_arg(raw: u64) -> Self;
}

macro_rules! from_arg {
    ($($ty:ty)*) => {$(
        impl FromArg for $ty {
            #[allow(clippy::cast_lossless, reason = "one text for all widths")]
            fn from_arg(raw: u64) -> Self {
                raw as $ty
            }
        }
    )*};
}
from_arg!(u32 u64 i32 i64 usize);

impl FromArg for Fd {
    fn from_arg(raw: u64) -> Self {
        Self(raw as i32)
    }
}
impl<T> FromArg for GuestPtr<T> {
    fn from_arg(raw: u64) -> Self {
        Self::new(raw)
    }
}
impl FromArg for GuestCStr {
    fn from_arg(raw: u64) -> Self {
        Self(raw)
    }
}
