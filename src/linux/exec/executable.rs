//! Our own executable, where its name may be lost: after another root directory or mount namespace
//! `/proc/self/exe` need not be there, and `execve` needs it.

use crate::linux::host::inherited_fd;
use crate::sys::fd::{Aside, keep_aside};
use crate::sys::process;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Mutex, PoisonError};

const NAME: &CStr = c"/proc/self/exe";

static KEPT: Mutex<Option<Aside>> = Mutex::new(None);

/// Keeps a descriptor of the executable, if it can be found. To be called while it can.
pub(crate) fn keep() {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.is_none() {
        *kept = File::open("/proc/self/exe").and_then(|file| keep_aside(file.as_fd())).ok();
    }
}

/// True if such a descriptor is kept.
pub(crate) fn is_kept() -> bool {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).is_some()
}

/// Keeps it no longer, and leaves it alone: it is in another process's table of descriptors.
pub(crate) fn forget() {
    if let Some(kept) = KEPT.lock().unwrap_or_else(PoisonError::into_inner).take() {
        kept.forget();
    }
}

/// Goes on keeping the descriptor by which this process was started, if it was.
pub(crate) fn take_over() {
    let name = process::executed_as().and_then(|name| name.to_str().ok());
    let Some(fd) = name.and_then(|n| n.strip_prefix("/dev/fd/")?.parse().ok()) else { return };
    if let Ok(fd) = inherited_fd(fd) {
        *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = keep_aside(fd.as_fd()).ok();
    }
}

/// Replaces the process by the executable `program`, which may be ours, with those arguments.
/// Returns only if that fails.
pub(crate) fn execute(program: &CStr, args: &[CString], env: &[CString]) -> io::Error {
    let error = process::execve(program, args, env);
    match &*KEPT.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(file) if program == NAME => process::execute_fd(file.as_raw_fd(), args, env),
        _ => error,
    }
}
