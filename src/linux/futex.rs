//! Futexes (futex(2)): the host's, on guest memory in place; and robust lists
//! (set_robust_list(2)), which are walked when a thread ends.

use super::abi::{Errno, GuestPtr, SysResult};
use super::host::{HostArg, host_call};
use super::process::Thread;
use crate::mem::Access;

const FUTEX_WAIT: i32 = 0;
const FUTEX_WAKE: i32 = 1;
const FUTEX_LOCK_PI: i32 = 6;
const FUTEX_WAIT_BITSET: i32 = 9;
const FUTEX_WAIT_REQUEUE_PI: i32 = 11;
const FUTEX_LOCK_PI2: i32 = 13;
/// `FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME`.
const FUTEX_FLAGS: i32 = 128 | 256;

pub(super) fn sys_futex(
    t: &mut Thread,
    addr: u64,
    op: i32,
    val: u32,
    timeout: u64,
    addr2: u64,
    val3: u32,
) -> SysResult {
    let timed = matches!(
        op & !FUTEX_FLAGS,
        FUTEX_WAIT | FUTEX_LOCK_PI | FUTEX_WAIT_BITSET | FUTEX_WAIT_REQUEUE_PI | FUTEX_LOCK_PI2
    );
    // Only these leave the words to the threads themselves.
    let read_only = matches!(op & !FUTEX_FLAGS, 0 | 1 | 3 | 4 | FUTEX_WAIT_BITSET | 10);
    let access = if read_only { Access::Read } else { Access::Write };
    let args = [
        t.guest(addr, 4, access)?,
        HostArg::int(op),
        HostArg::value(u64::from(val)),
        if timed { t.guest(timeout, 16, Access::Read)? } else { HostArg::value(timeout) },
        t.guest(addr2, 4, access)?,
        HostArg::value(u64::from(val3)),
    ];
    t.host(libc::SYS_futex, &args)
}

/// `futex_wake` of Linux 6.7.
pub(super) fn sys_futex_wake(
    t: &mut Thread,
    addr: u64,
    mask: u64,
    nr: i32,
    flags: u32,
) -> SysResult {
    const SYS_FUTEX_WAKE: i64 = 454;
    let addr = t.guest(addr, 4, Access::Read)?;
    let args = [addr, HostArg::value(mask), HostArg::int(nr), HostArg::value(u64::from(flags))];
    t.host(SYS_FUTEX_WAKE, &args)
}

/// `futex_wait` of Linux 6.7.
pub(super) fn sys_futex_wait(
    t: &mut Thread,
    addr: u64,
    val: u64,
    mask: u64,
    flags: u32,
    timeout: u64,
    clock: i32,
) -> SysResult {
    const SYS_FUTEX_WAIT: i64 = 455;
    let args = [
        t.guest(addr, 4, Access::Read)?,
        HostArg::value(val),
        HostArg::value(mask),
        HostArg::value(u64::from(flags)),
        t.guest(timeout, 16, Access::Read)?,
        HostArg::int(clock),
    ];
    t.host(SYS_FUTEX_WAIT, &args)
}

/// Most futexes that one `futex_waitv` may name.
const FUTEX_WAITV_MAX: u32 = 128;

pub(super) fn sys_futex_waitv(
    t: &mut Thread,
    waiters: GuestPtr<[u64; 3]>,
    n: u32,
    flags: u32,
    timeout: u64,
    clock: i32,
) -> SysResult {
    if n == 0 || n > FUTEX_WAITV_MAX || waiters.is_null() {
        return Err(Errno::EINVAL);
    }
    // struct futex_waitv: value, address, flags and a reserved word.
    let mut list = waiters.read_array(t.memory(), n as usize)?;
    for w in &mut list {
        w[1] = t.host_addr(w[1], 4, Access::Read)?;
    }
    let args = [
        HostArg::slice(&list),
        HostArg::value(u64::from(n)),
        HostArg::value(u64::from(flags)),
        t.guest(timeout, 16, Access::Read)?,
        HostArg::int(clock),
    ];
    t.host(libc::SYS_futex_waitv, &args)
}

/// Size of `struct robust_list_head`.
const ROBUST_HEAD: usize = 24;

pub(super) fn sys_set_robust_list(t: &mut Thread, head: u64, len: usize) -> SysResult {
    if len != ROBUST_HEAD {
        return Err(Errno::EINVAL);
    }
    t.robust_list = head;
    Ok(0)
}

pub(super) fn sys_get_robust_list(
    t: &mut Thread,
    tid: i32,
    head: GuestPtr<u64>,
    len: GuestPtr<u64>,
) -> SysResult {
    if tid != 0 && tid != t.tid {
        return Err(Errno::EPERM);
    }
    len.write(t.memory(), &(ROBUST_HEAD as u64))?;
    head.write(t.memory(), &t.robust_list)?;
    Ok(0)
}

/// Tells the others that this thread ends: robust futexes, then `CLONE_CHILD_CLEARTID`.
pub(super) fn at_thread_exit(t: &mut Thread) {
    if t.robust_list != 0 {
        // A list that cannot be read is left, as the kernel leaves it.
        let _ = release_robust(t);
    }
    if t.clear_child_tid != 0 {
        let at = GuestPtr::<u32>::new(t.clear_child_tid);
        if at.write(t.memory(), &0).is_ok() {
            let _ = wake(t, at.0, 1);
        }
    }
}

fn wake(t: &Thread, addr: u64, n: i32) -> SysResult {
    let addr = t.guest(addr, 4, Access::Read)?;
    host_call(libc::SYS_futex, &[addr, HostArg::int(FUTEX_WAKE), HostArg::int(n)])
}

/// Longest robust list that is walked (`ROBUST_LIST_LIMIT`).
const ROBUST_LIMIT: u32 = 2048;

const FUTEX_WAITERS: u32 = 0x8000_0000;
const FUTEX_OWNER_DIED: u32 = 0x4000_0000;
const FUTEX_TID_MASK: u32 = 0x3fff_ffff;

fn release_robust(t: &Thread) -> Result<(), Errno> {
    let head = t.robust_list;
    let [first, offset, pending] = GuestPtr::<[u64; 3]>::new(head).read(t.memory())?;
    let mut entry = first;
    for _ in 0..ROBUST_LIMIT {
        if entry & !1 == head {
            break;
        }
        let next = GuestPtr::<u64>::new(entry & !1).read(t.memory())?;
        if entry & !1 != pending & !1 {
            owner_died(t, (entry & !1).wrapping_add(offset), entry & 1 != 0)?;
        }
        entry = next;
    }
    if pending & !1 != 0 {
        owner_died(t, (pending & !1).wrapping_add(offset), pending & 1 != 0)?;
    }
    Ok(())
}

/// Marks a futex whose owner ends (`handle_futex_death`).
fn owner_died(t: &Thread, addr: u64, pi: bool) -> Result<(), Errno> {
    let mem = t.memory();
    loop {
        let word = mem.read_u32(addr)?;
        if word & FUTEX_TID_MASK != t.tid as u32 {
            return Ok(());
        }
        let new = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
        if mem.cas_u32(addr, word, new)? == word {
            if !pi && word & FUTEX_WAITERS != 0 {
                wake(t, addr, 1)?;
            }
            return Ok(());
        }
    }
}
