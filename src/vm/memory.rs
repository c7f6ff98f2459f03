//! The guest's memory as the host sees it.
//!
//! An instance has one hart, which runs only while its store is borrowed mutably; so whoever has
//! borrowed the store may have slices of guest memory.
#![allow(unsafe_code, reason = "makes views of memory that nobody else accesses")]
//! # Safety
//! Guest code runs, and mappings of its memory change, by functions that borrow the store mutably
//! only. A view borrows the store as long as it lives.

use super::error::{MemoryFault, Result, no_room};
use super::store::{AsContext, AsContextMut, Handle, Store};
use super::{Error, ErrorKind};
use crate::mem::{Access, Fault, MapError, Prot, View};
use crate::util::PAGE_SIZE;
use std::ffi::CStr;
use std::marker::PhantomData;
use std::ops::Range;

/// Numbers that can be read from guest memory as they are, little-endian.
pub trait Pod: Copy + sealed::Number {}

macro_rules! pods {
    ($($ty:ty: $load:expr, $store:expr;)*) => {$(
        impl Pod for $ty {}
        impl sealed::Number for $ty {
            type Bytes = [u8; size_of::<$ty>()];
            fn from_le(b: Self::Bytes) -> Self { <$ty>::from_le_bytes(b) }
            fn to_le(self) -> Self::Bytes { self.to_le_bytes() }
            fn zeroed() -> Self::Bytes { [0; size_of::<$ty>()] }
            #[inline]
            fn load(memory: &crate::mem::Memory, addr: u64) -> Result<Self, Fault> {
                let load: fn(&crate::mem::Memory, u64) -> Result<Self, Fault> = $load;
                load(memory, addr)
            }
            #[inline]
            fn store(self, memory: &crate::mem::Memory, addr: u64) -> Result<(), Fault> {
                let store: fn(&crate::mem::Memory, u64, Self) -> Result<(), Fault> = $store;
                store(memory, addr, self)
            }
        }
    )*};
}
pods! {
    u8: |m, a| m.read_u8(a), |m, a, v| m.write_u8(a, v);
    i8: |m, a| m.read_u8(a).map(|v| v as i8), |m, a, v| m.write_u8(a, v as u8);
    u16: |m, a| m.read_u16(a), |m, a, v| m.write_u16(a, v);
    i16: |m, a| m.read_u16(a).map(|v| v as i16), |m, a, v| m.write_u16(a, v as u16);
    u32: |m, a| m.read_u32(a), |m, a, v| m.write_u32(a, v);
    i32: |m, a| m.read_u32(a).map(|v| v as i32), |m, a, v| m.write_u32(a, v as u32);
    u64: |m, a| m.read_u64(a), |m, a, v| m.write_u64(a, v);
    i64: |m, a| m.read_u64(a).map(|v| v as i64), |m, a, v| m.write_u64(a, v as u64);
    f32: |m, a| m.read_u32(a).map(f32::from_bits), |m, a, v| m.write_u32(a, v.to_bits());
    f64: |m, a| m.read_u64(a).map(f64::from_bits), |m, a, v| m.write_u64(a, v.to_bits());
    u128: |m, a| {
        let mut bytes = [0; 16];
        m.read_bytes(a, &mut bytes).map(|()| u128::from_le_bytes(bytes))
    }, |m, a, v| m.write_bytes(a, &v.to_le_bytes());
    i128: |m, a| {
        let mut bytes = [0; 16];
        m.read_bytes(a, &mut bytes).map(|()| i128::from_le_bytes(bytes))
    }, |m, a, v| m.write_bytes(a, &v.to_le_bytes());
}

mod sealed {
    //! Keeps [`Pod`](super::Pod) to the types of this library.

    use crate::mem::{Fault, Memory};

    /// Conversion to and from memory order, and accesses to guest memory.
    pub trait Number: Sized {
        /// Bytes of the number in memory.
        type Bytes: AsRef<[u8]> + AsMut<[u8]>;
        /// The value of these bytes.
        fn from_le(b: Self::Bytes) -> Self;
        /// The bytes of this value.
        fn to_le(self) -> Self::Bytes;
        /// Bytes to be read into.
        fn zeroed() -> Self::Bytes;
        /// The number at a guest address.
        fn load(memory: &Memory, addr: u64) -> Result<Self, Fault>;
        /// Writes it to a guest address.
        fn store(self, memory: &Memory, addr: u64) -> Result<(), Fault>;
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

/// An address in guest memory and how many `T` are expected there: two arguments of a function, or
/// a structure of two words, in the guest's calling convention.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct GuestSlice<T> {
    start: GuestPtr<T>,
    len: u64,
}

impl<T> Clone for GuestSlice<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for GuestSlice<T> {}

impl<T> GuestSlice<T> {
    /// `len` elements from `start` on, whatever these are.
    #[must_use]
    pub const fn new(start: GuestPtr<T>, len: u64) -> Self {
        Self { start, len }
    }

    /// Where the first element is.
    #[must_use]
    pub const fn start(self) -> GuestPtr<T> {
        self.start
    }

    /// Number of elements.
    #[must_use]
    pub const fn len(self) -> u64 {
        self.len
    }

    /// True for no elements.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len == 0
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
    #[inline]
    pub fn read<P: Pod>(&self, cx: impl AsContext, p: GuestPtr<P>) -> Result<P, MemoryFault> {
        let len = size_of::<P>() as u64;
        P::load(self.of(&cx), p.addr()).map_err(|f| MemoryFault::new(f, len))
    }

    /// Writes a number at any alignment.
    ///
    /// # Errors
    /// The guest could not write there.
    #[inline]
    pub fn write<P: Pod>(
        &self,
        cx: impl AsContextMut,
        p: GuestPtr<P>,
        value: P,
    ) -> Result<(), MemoryFault> {
        let len = size_of::<P>() as u64;
        value.store(self.of(&cx), p.addr()).map_err(|f| MemoryFault::new(f, len))
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

    /// The `len` bytes at `addr`, in place. They are checked once, and a slice then.
    ///
    /// # Errors
    /// The guest could not read all of it.
    pub fn bytes<'a, C: AsContext + ?Sized>(
        &self,
        cx: &'a C,
        addr: u64,
        len: u64,
    ) -> Result<&'a [u8], MemoryFault> {
        let memory = cx.store().instance(self.0).cpu.machine().memory();
        // SAFETY: see the module; the slice borrows the store as the view would.
        let view = unsafe { View::new(memory) };
        // SAFETY: the slice is of guest memory, which lives as long as the store, not the view.
        bytes(&view, addr, len).map(|b| unsafe { std::slice::from_raw_parts(b.as_ptr(), b.len()) })
    }

    /// All of the instance's memory, in place, and the host's data.
    pub fn data_and_view<'a, T>(&self, store: &'a mut Store<T>) -> (&'a mut T, GuestMem<'a>) {
        let (data, instance) = store.data_and_instance(self.0);
        // SAFETY: see the module; the store is borrowed as long as the view lives.
        (data, GuestMem(unsafe { View::new(instance.cpu.machine().memory()) }))
    }

    /// Maps zero pages at `range`, which must be free and begin and end at multiples of 4096.
    ///
    /// # Errors
    /// The range is not free, or the host refuses.
    pub fn map(&self, cx: impl AsContextMut, range: Range<u64>, prot: Prot) -> Result<()> {
        let memory = self.of(&cx);
        let aligned = range.start < range.end && range.end.is_multiple_of(PAGE_SIZE);
        if !aligned || !memory.is_free(range.clone()) {
            return Err(Error::of(ErrorKind::Memory, "the range is not free or not aligned"));
        }
        self.expect_code(&cx, prot);
        memory.map_zero(range.start, range.end - range.start, prot).map_err(map_error)
    }

    /// The guest may execute what others with the same program may not.
    fn expect_code(self, cx: &impl AsContext, prot: Prot) {
        if prot.executable() {
            cx.store().instance(self.0).cpu.machine().leave_shared_code();
        }
    }

    /// Changes how the pages of `range` may be used.
    ///
    /// # Errors
    /// Part of the range is not mapped.
    pub fn protect(&self, cx: impl AsContextMut, range: Range<u64>, prot: Prot) -> Result<()> {
        let len = range.end.saturating_sub(range.start);
        self.expect_code(&cx, prot);
        self.of(&cx).protect(range.start, len, prot).map_err(map_error)
    }
}

fn bytes<'v>(view: &'v View<'_>, addr: u64, len: u64) -> Result<&'v [u8], MemoryFault> {
    let fault = MemoryFault { addr, len, access: Access::Read };
    let bytes = usize::try_from(len).map_err(|_| fault)?;
    view.bytes(addr, bytes).map_err(|f| MemoryFault::new(f, len))
}

/// An instance's memory in place, while its guest does not run: accesses are checked once, for the
/// guest's page protection, and are slices then. See [`Caller::split`](super::Caller::split) and
/// [`Memory::data_and_view`].
///
/// ```
/// use rvnative::vm::{Caller, Engine, Linker, Reg};
/// let mut linker = Linker::<Vec<u8>>::new(&Engine::default());
/// // Host function 1: takes the a1 bytes at a0 and leaves zeros.
/// linker.ecall(1, |c: &mut Caller<'_, Vec<u8>>| {
///     let (at, len) = (c.reg(Reg::A0), c.reg(Reg::A1));
///     let (data, mut memory) = c.split();
///     let bytes = memory.bytes_mut(at, len)?;
///     data.extend_from_slice(bytes);
///     bytes.fill(0);
///     Ok(())
/// });
/// ```
#[derive(Debug)]
pub struct GuestMem<'a>(View<'a>);

impl GuestMem<'_> {
    /// The `len` bytes at `addr`.
    ///
    /// # Errors
    /// The guest could not read all of it.
    pub fn bytes(&self, addr: u64, len: u64) -> Result<&[u8], MemoryFault> {
        bytes(&self.0, addr, len)
    }

    /// The `len` bytes at `addr`, to be written to.
    ///
    /// # Errors
    /// The guest could not write to all of it.
    pub fn bytes_mut(&mut self, addr: u64, len: u64) -> Result<&mut [u8], MemoryFault> {
        let fault = MemoryFault { addr, len, access: Access::Write };
        let bytes = usize::try_from(len).map_err(|_| fault)?;
        self.0.bytes_mut(addr, bytes).map_err(|f| MemoryFault::new(f, len))
    }

    /// The bytes of `slice`.
    ///
    /// # Errors
    /// The guest could not read all of it.
    pub fn slice(&self, slice: GuestSlice<u8>) -> Result<&[u8], MemoryFault> {
        self.bytes(slice.start.addr(), slice.len)
    }

    /// The bytes of `slice`, to be written to.
    ///
    /// # Errors
    /// The guest could not write to all of it.
    pub fn slice_mut(&mut self, slice: GuestSlice<u8>) -> Result<&mut [u8], MemoryFault> {
        self.bytes_mut(slice.start.addr(), slice.len)
    }

    /// Reads a number at any alignment.
    ///
    /// # Errors
    /// The guest could not read there.
    pub fn read<P: Pod>(&self, p: GuestPtr<P>) -> Result<P, MemoryFault> {
        let mut number = P::zeroed();
        number.as_mut().copy_from_slice(self.bytes(p.addr(), size_of::<P>() as u64)?);
        Ok(P::from_le(number))
    }

    /// Writes a number at any alignment.
    ///
    /// # Errors
    /// The guest could not write there.
    pub fn write<P: Pod>(&mut self, p: GuestPtr<P>, value: P) -> Result<(), MemoryFault> {
        let bytes = self.bytes_mut(p.addr(), size_of::<P>() as u64)?;
        bytes.copy_from_slice(value.to_le().as_ref());
        Ok(())
    }

    /// The string at `p`, which has less than `max` bytes.
    ///
    /// # Errors
    /// The guest could not read it, or there is no NUL within `max` bytes.
    pub fn c_str(&self, p: GuestPtr<CStr>, max: u64) -> Result<&CStr, MemoryFault> {
        let fault = MemoryFault { addr: p.addr(), len: max, access: Access::Read };
        let mut len = 0;
        // By the page, as the string may end before one that cannot be read.
        while len < max {
            let at = p.addr().wrapping_add(len);
            let room = PAGE_SIZE - at % PAGE_SIZE;
            let part = room.min(max - len);
            if let Some(nul) = self.bytes(at, part)?.iter().position(|&b| b == 0) {
                let whole = self.bytes(p.addr(), len + nul as u64 + 1)?;
                return CStr::from_bytes_with_nul(whole).map_err(|_| fault);
            }
            len += part;
        }
        Err(fault)
    }
}

pub(super) fn map_error(e: MapError) -> Error {
    match e {
        MapError::Host(e) => no_room(e),
        e => Error::of(ErrorKind::Memory, e),
    }
}
