//! Structures that are copied as bytes.
#![allow(unsafe_code, reason = "copies plain structures as bytes")]
//! # Safety
//! Only types that are [`Pod`] are copied as bytes: `repr(C)`, without padding and valid for all
//! bit patterns.

use super::structs;

/// A structure that may be copied to and from guest memory, or given to the kernel, as bytes.
///
/// # Safety
/// The type is `repr(C)` or primitive, has no padding bytes, no references, and is valid for every
/// bit pattern.
pub unsafe trait Pod: Copy + 'static {
    /// All bytes zero.
    #[must_use]
    fn zeroed() -> Self {
        // SAFETY: the trait's contract says that every bit pattern is valid.
        unsafe { std::mem::zeroed() }
    }

    /// The bytes of `self`.
    #[must_use]
    fn bytes(&self) -> &[u8] {
        // SAFETY: the trait's contract says that there is no padding.
        unsafe {
            std::slice::from_raw_parts(std::ptr::from_ref(self).cast::<u8>(), size_of::<Self>())
        }
    }

    /// The bytes of `self`, to be overwritten.
    #[must_use]
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `bytes`, and any bytes may be written.
        unsafe {
            std::slice::from_raw_parts_mut(std::ptr::from_mut(self).cast::<u8>(), size_of::<Self>())
        }
    }
}

macro_rules! pod {
    ($($ty:ty),* $(,)?) => {$(
        // SAFETY: primitive, or `repr(C)` with explicit padding fields only (tested in `structs`).
        unsafe impl Pod for $ty {}
    )*};
}

pod!(u8, u16, u32, u64, i32, i64);
pod!(
    structs::TimeSpec,
    structs::TimeVal,
    structs::ITimerSpec,
    structs::ITimerVal,
    structs::IoVec,
    structs::Stat
);
pod!(
    structs::SigAction,
    structs::SigInfo,
    structs::SigStack,
    structs::SigContext,
    structs::UContext,
    structs::RLimit
);
pod!(
    structs::EpollEvent,
    structs::CloneArgs,
    structs::UtsName,
    structs::SysInfo,
    structs::HwProbe,
    structs::OpenHow
);
pod!(structs::MsgHdr, structs::MMsgHdr, structs::SigSet, structs::SigEvent);
pod!(structs::StatxTime, structs::Statx, structs::XattrArgs, structs::VectorContext);

// SAFETY: an array has no padding of its own.
unsafe impl<T: Pod, const N: usize> Pod for [T; N] {}
