//! Namespaces of our own, and what is mounted there (unshare(2), mount(2)).
#![allow(unsafe_code, reason = "calls unshare and mount")]
//! # Safety
//! The only unsafe operations are system calls with constant strings.

use std::ffi::CStr;
use std::io;

/// Gives the calling process, which must have one thread, a user namespace of its own
/// (user_namespaces(7)), in which no users are mapped yet, and with `mounts` a mount namespace, in
/// which it may mount.
///
/// # Errors
/// What `unshare` says: `EPERM` where the machine forbids it, `EINVAL` with several threads.
pub fn unshare_users(mounts: bool) -> io::Result<()> {
    let flags = libc::CLONE_NEWUSER | if mounts { libc::CLONE_NEWNS } else { 0 };
    // SAFETY: takes no pointers.
    check(unsafe { libc::unshare(flags) })
}

/// Keeps what is mounted from here on in this mount namespace.
///
/// # Errors
/// What `mount` says.
pub fn make_mounts_private() -> io::Result<()> {
    mount(c"none", c"/", None, libc::MS_REC | libc::MS_PRIVATE)
}

/// Mounts binfmt_misc at its usual place: in a user namespace of one's own a table of its own
/// (Linux 6.7).
///
/// # Errors
/// What `mount` says: `EPERM` without the right to, or in a user namespace of an older kernel.
pub fn mount_binfmt_misc() -> io::Result<()> {
    mount(c"binfmt_misc", c"/proc/sys/fs/binfmt_misc", Some(c"binfmt_misc"), 0)
}

fn mount(source: &CStr, target: &CStr, kind: Option<&CStr>, flags: u64) -> io::Result<()> {
    let kind = kind.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: strings with their ends; no type for a change of what is mounted; no data.
    check(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind, flags, std::ptr::null()) })
}

fn check(result: i32) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
