//! The guest's memory as the host sees it.
//!
//! Deliberately absent: slices of guest memory. Values are copied in and out, because other harts
//! may write at any time.

use super::error::{MemoryFault, Result, no_room};
use super::store::{AsContext, AsContextMut, Handle};
use super::{Error, ErrorKind};
use crate::mem::{Access, MapError, Prot};
use std::marker::PhantomData;
use std::ops::Range;

/// Numbers that can be read from guest memory as they are, little-endian.
pub trait Pod: Copy + sealed::Number {}

macro_rules! pods {
    ($($ty:ty)*) => {$(
        impl Pod for $ty {}
        impl sealed::Number for $ty {
            type Bytes = [u8; size_of::<$ty>()];
            fn from_le(b: Self::Bytes) -> Self { <$ty>::from_le_bytes(b) }
            fn to_le(self) -> Self::Bytes { self.to_le_bytes() }
            fn zeroed() -> Self::Bytes { [0; size_of::<$ty>()] }
        }
    )*};
}
pods!(u8 i8 u16 i16 u32 i32 u64 i64 u128 i128 f32 f64);

mod sealed {
    //! Keeps [`Pod`](super::Pod) to the types of this library.

    /// Conversion to and from memory order.
    pub trait Number {
        /// Bytes of the number in memory.
        type Bytes: AsRef<[u8]> + AsMut<[u8]>;
        /// The value of these bytes.
        fn from_le(b: Self::Bytes) -> Self;
        /// The bytes of this value.
        fn to_le(self) -> Self::Bytes;
        /// Bytes to be read into.
        fn zeroed() -> Self::Bytes;
    }
}

/// An address in guest memory at which a `T` is expected.
#[derive(Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct GuestPtr<T: ?Sized>(u64, PhantomData<fn() -> Box<T>>);

impl<T: ?Sized> Clone for GuestPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for GuestPtr<T> {}

impl<T: ?Sized> GuestPtr<T> {
    /// A pointer to guest address `addr`, which may be anything.
    #[must_use]
    pub const fn new(addr: u64) -> Self {
        Self(addr, PhantomData)
    }

    /// The guest address.
    #[must_use]
    pub const fn addr(self) -> u64 {
        self.0
    }
}

/// Handle of an instance's memory. Accesses obey the guest's page protection: what the guest
/// could not read or write is refused with a [`MemoryFault`].
///
/// # Panics
/// All functions panic if they are given another store than the instance's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory(pub(super) Handle);

impl Memory {
    fn of<C: AsContext>(self, cx: &C) -> &crate::mem::Memory {
        cx.store().instance(self.0).cpu.machine().memory()
    }

    /// Reads a number at any alignment.
    ///
    /// # Errors
    /// The guest could not read there.
    pub fn read<P: Pod>(&self, cx: impl AsContext, p: GuestPtr<P>) -> Result<P, MemoryFault> {
        let mut bytes = P::zeroed();
        self.read_into(cx, p.addr(), bytes.as_mut())?;
        Ok(P::from_le(bytes))
    }

    /// Writes a number at any alignment.
    ///
    /// # Errors
    /// The guest could not write there.
    pub fn write<P: Pod>(
        &self,
        cx: impl AsContextMut,
        p: GuestPtr<P>,
        value: P,
    ) -> Result<(), MemoryFault> {
        self.write_from(cx, p.addr(), value.to_le().as_ref())
    }

    /// Fills `buf` from the memory at `addr`.
    ///
    /// # Errors
    /// The guest could not read all of it; `buf` holds what was read before.
    pub fn read_into(
        &self,
        cx: impl AsContext,
        addr: u64,
        buf: &mut [u8],
    ) -> Result<(), MemoryFault> {
        let len = buf.len() as u64;
        self.of(&cx).read_bytes(addr, buf).map_err(|f| MemoryFault::new(f, len))
    }

    /// Writes `bytes` to the memory at `addr`.
    ///
    /// # Errors
    /// The guest could not write all of it; what lies before the fault has been written.
    pub fn write_from(
        &self,
        cx: impl AsContextMut,
        addr: u64,
        bytes: &[u8],
    ) -> Result<(), MemoryFault> {
        let len = bytes.len() as u64;
        self.of(&cx).write_bytes(addr, bytes).map_err(|f| MemoryFault::new(f, len))
    }

    /// The string at `addr` without its NUL; at most `max` bytes.
    ///
    /// # Errors
    /// The guest could not read it, or there is no NUL within `max` bytes.
    pub fn read_c_string(
        &self,
        cx: impl AsContext,
        addr: u64,
        max: u64,
    ) -> Result<Vec<u8>, MemoryFault> {
        let fault = MemoryFault { addr, len: max, access: Access::Read };
        let limit = usize::try_from(max).unwrap_or(usize::MAX);
        match self.of(&cx).read_c_string(addr, limit) {
            Ok(found) => found.ok_or(fault),
            Err(f) => Err(MemoryFault::new(f, max)),
        }
    }

    /// Maps zero pages at `range`, which must be free and begin and end at multiples of 4096.
    ///
    /// # Errors
    /// The range is not free, or the host refuses.
    pub fn map(&self, cx: impl AsContextMut, range: Range<u64>, prot: Prot) -> Result<()> {
        let memory = self.of(&cx);
        let aligned = range.start < range.end && range.end.is_multiple_of(crate::util::PAGE_SIZE);
        if !aligned || !memory.is_free(range.clone()) {
            return Err(Error::of(ErrorKind::Memory, "the range is not free or not aligned"));
        }
        memory.map_zero(range.start, range.end - range.start, prot).map_err(map_error)
    }

    /// Changes how the pages of `range` may be used.
    ///
    /// # Errors
    /// Part of the range is not mapped.
    pub fn protect(&self, cx: impl AsContextMut, range: Range<u64>, prot: Prot) -> Result<()> {
        let len = range.end.saturating_sub(range.start);
        self.of(&cx).protect(range.start, len, prot).map_err(map_error)
    }
}

pub(super) fn map_error(e: MapError) -> Error {
    match e {
        MapError::Host(e) => no_room(e),
        e => Error::of(ErrorKind::Memory, e),
    }
}
