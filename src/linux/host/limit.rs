//! Limits of the host that we need for ourselves: its soft limit of descriptors, which is the
//! guest's, is raised while we need descriptors of our own ([`raise`]).

use super::call::{HostArg, has_capability, host_call, new_fd};
use crate::linux::abi::{Errno, RLimit, SysResult};
use crate::linux::lock::lock;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard};

/// `CAP_SYS_RESOURCE`.
pub(crate) const CAP_SYS_RESOURCE: u32 = 24;

/// A limit of a process of the host; 0 is the calling one.
///
/// # Errors
/// As prlimit(2).
pub(crate) fn get(pid: i32, resource: u32) -> Result<RLimit, Errno> {
    let mut limit = RLimit { cur: 0, max: 0 };
    let args = [pid.into(), resource.into(), HostArg::NULL, HostArg::of_mut(&mut limit)];
    host_call(libc::SYS_prlimit64, &args)?;
    Ok(limit)
}

/// Sets a limit of the calling process.
///
/// # Errors
/// As prlimit(2).
pub(crate) fn set(resource: u32, limit: &RLimit) -> SysResult {
    let args = [0.into(), resource.into(), HostArg::of(limit), HostArg::NULL];
    host_call(libc::SYS_prlimit64, &args)
}

/// Descriptors that we want to be able to have.
const OWN_FILES: u64 = 256;

/// How often the host's soft limit of descriptors has been raised, and what it is otherwise.
static RAISED: Mutex<(u32, u64)> = Mutex::new((0, 0));

/// While it lives we may have descriptors that the guest's limit does not allow. Another thread
/// of the guest may then get some too.
pub(crate) struct Raised(());

/// Raises the host's soft limit of descriptors as far as possible.
pub(crate) fn raise() -> Raised {
    let mut raised = lock(&RAISED);
    if raised.0 == 0
        && let Ok(limit) = get(0, libc::RLIMIT_NOFILE)
    {
        raised.1 = limit.cur;
        // The soft limit may always be as high as the hard one, which only some may raise.
        let max = match limit.max < OWN_FILES && has_capability(CAP_SYS_RESOURCE) {
            true => OWN_FILES,
            false => limit.max,
        };
        let _ = set(libc::RLIMIT_NOFILE, &RLimit { cur: max, max });
    }
    raised.0 += 1;
    Raised(())
}

impl Drop for Raised {
    fn drop(&mut self) {
        let mut raised = lock(&RAISED);
        raised.0 -= 1;
        if raised.0 == 0 {
            lower(raised.1);
        }
    }
}

/// Sets the host's soft limit of descriptors.
fn lower(soft: u64) {
    if let Ok(limit) = get(0, libc::RLIMIT_NOFILE) {
        let _ = set(libc::RLIMIT_NOFILE, &RLimit { cur: soft, ..limit });
    }
}

/// Keeps other threads from raising the limit, while the process is copied.
pub(crate) fn hold() -> MutexGuard<'static, (u32, u64)> {
    lock(&RAISED)
}

/// In a new process: the threads that have raised the limit are not there.
pub(crate) fn after_fork() {
    let mut raised = lock(&RAISED);
    if raised.0 != 0 {
        raised.0 = 0;
        lower(raised.1);
    }
}

/// The guest's limit of descriptors, of which it has `kept`: another process may have set it.
///
/// # Errors
/// The host's.
pub(crate) fn files(kept: RLimit) -> Result<RLimit, Errno> {
    let raised = lock(&RAISED);
    let host = get(0, libc::RLIMIT_NOFILE)?;
    let cur = if raised.0 == 0 { host.cur } else { raised.1 };
    Ok(RLimit { cur, max: kept.max.min(host.max) })
}

/// Gives the host the guest's limit of descriptors; its own hard limit is never lowered.
///
/// # Errors
/// The host's.
pub(crate) fn set_files(limit: RLimit) -> SysResult {
    let mut raised = lock(&RAISED);
    let max = get(0, libc::RLIMIT_NOFILE)?.max.max(limit.max);
    raised.1 = limit.cur;
    set(libc::RLIMIT_NOFILE, &RLimit { cur: if raised.0 == 0 { limit.cur } else { max }, max })
}

/// As [`host_call`], of a call that answers with a new descriptor, for our own use.
///
/// # Errors
/// The host's error.
pub(crate) fn host_fd(number: i64, args: &[HostArg<'_>]) -> Result<OwnedFd, Errno> {
    match new_fd(number, args) {
        // The guest's limit is not ours.
        Err(Errno::EMFILE) => {
            let _raised = raise();
            new_fd(number, args)
        }
        other => other,
    }
}
