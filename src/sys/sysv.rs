//! Shared memory of System V, by its number.
#![allow(unsafe_code, reason = "attaches a segment")]
//! # Safety
//! A segment is never detached, so that what is in it lives as long as the process. It is reached
//! as atomics alone, since anybody may change it at any time. A segment cannot be cut short.

use std::io;
use std::sync::atomic::AtomicU8;

/// The first `N` bytes of the segment `id`, which stays attached.
///
/// # Errors
/// What the host says; `EINVAL` if it is shorter.
pub fn attach<const N: usize>(id: i32) -> io::Result<&'static [AtomicU8; N]> {
    // SAFETY: all zeros is a value of a structure of numbers.
    let mut about: libc::shmid_ds = unsafe { std::mem::zeroed() };
    // SAFETY: `about` has room for what is asked for.
    if unsafe { libc::shmctl(id, libc::IPC_STAT, &raw mut about) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if about.shm_segsz < N {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // SAFETY: the kernel chooses where the segment goes, which is where nothing is.
    let at = unsafe { libc::shmat(id, std::ptr::null(), 0) };
    if at.addr() == usize::MAX {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: so many bytes are mapped there, readable and writable, and stay so.
    Ok(unsafe { &*at.cast::<[AtomicU8; N]>() })
}
