//! System calls that the program serves itself (`PR_SET_SYSCALL_USER_DISPATCH`; kernel:
//! `kernel/entry/syscall_user_dispatch.c`).

use crate::linux::abi::{Errno, GuestPtr, Pod as _, SigInfo, SysResult};
use crate::linux::process::Thread;
use crate::linux::seccomp::calls as seccomp;
use crate::linux::seccomp::dispatch_range::UserDispatch;
use crate::linux::task::exit;

/// Serves the option of prctl(2).
pub(crate) fn set(t: &mut Thread, mode: u64, offset: u64, len: u64, selector: u64) -> SysResult {
    /// `PR_SYS_DISPATCH_OFF`, `PR_SYS_DISPATCH_ON`.
    const OFF: u64 = 0;
    const ON: u64 = 1;
    let wraps = offset != 0 && offset.wrapping_add(len) <= offset;
    match mode {
        OFF if offset | len | selector == 0 => t.user_dispatch = None,
        ON if !wraps => {
            if selector >= t.memory().size() {
                return Err(Errno::EFAULT);
            }
            t.user_dispatch = Some(UserDispatch { offset, len, selector });
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// What a system call comes to that is not made; `None` for one that is.
#[inline]
pub(crate) fn dispatched(t: &mut Thread) -> Option<SysResult> {
    let chosen = t.user_dispatch?;
    dispatch(t, chosen)
}

#[cold]
fn dispatch(t: &mut Thread, chosen: UserDispatch) -> Option<SysResult> {
    /// `SYSCALL_DISPATCH_FILTER_ALLOW`, `SYSCALL_DISPATCH_FILTER_BLOCK`.
    const ALLOW: u8 = 0;
    const BLOCK: u8 = 1;
    /// `SYS_USER_DISPATCH`.
    const SYS_USER_DISPATCH: i32 = 2;
    let UserDispatch { offset, len, selector } = chosen;
    let pc = t.cpu.hart().pc.wrapping_add(4);
    if pc.wrapping_sub(offset) < len {
        return None;
    }
    let chosen = match selector {
        0 => Ok(BLOCK),
        at => GuestPtr::<u8>::new(at).read(t.memory()),
    };
    let signo = match chosen {
        Ok(ALLOW) => return None,
        Ok(BLOCK) => return Some(seccomp::trap(t, SYS_USER_DISPATCH, 0)),
        Ok(_) => libc::SIGSYS,
        Err(_) => libc::SIGSEGV,
    };
    exit::die_of_signal(t, &SigInfo { signo, ..SigInfo::zeroed() })
}
