//! Clocks (clock_gettime(2)). What has no special case here is passed through by the table.

use crate::linux::abi::{Errno, GuestPtr, SysResult, TimeSpec};
use crate::linux::host;
use crate::linux::process::Thread;

/// Programs ask for the time often and on hardware enter no kernel for it; the host's vDSO serves.
pub(crate) fn sys_clock_gettime(t: &mut Thread, clock: i32, to: GuestPtr<TimeSpec>) -> SysResult {
    let now = host::clock_gettime(clock)?;
    to.write(t.memory(), &now)?;
    Ok(0)
}

/// Interrupted calls are made again with their own number, so that there is never one to restart.
pub(crate) fn sys_restart_syscall(_: &mut Thread) -> SysResult {
    Err(Errno::EINTR)
}
