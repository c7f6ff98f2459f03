//! Futexes (futex(2)): the host's, on guest memory in place; and robust lists
//! (set_robust_list(2)), which are walked when a thread ends.

use crate::linux::abi::{Errno, GuestPtr, SysResult};
use crate::linux::host::{HostArg, host_call, kernel_address};
use crate::linux::process::Thread;
use crate::mem::{Access, Memory};
use crate::sys::robust::{self, Nodes, Owned, RobustList, Told};

const FUTEX_WAIT: i32 = 0;
const FUTEX_WAKE: i32 = 1;
const FUTEX_REQUEUE: i32 = 3;
const FUTEX_CMP_REQUEUE: i32 = 4;
const FUTEX_WAKE_OP: i32 = 5;
const FUTEX_LOCK_PI: i32 = 6;
const FUTEX_WAIT_BITSET: i32 = 9;
const FUTEX_WAIT_REQUEUE_PI: i32 = 11;
const FUTEX_CMP_REQUEUE_PI: i32 = 12;
const FUTEX_LOCK_PI2: i32 = 13;
/// `FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME`.
const FUTEX_FLAGS: i32 = 128 | 256;

pub(crate) fn sys_futex(
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
    // For other operations the register may hold anything.
    let second = matches!(
        op & !FUTEX_FLAGS,
        FUTEX_REQUEUE
            | FUTEX_CMP_REQUEUE
            | FUTEX_WAKE_OP
            | FUTEX_WAIT_REQUEUE_PI
            | FUTEX_CMP_REQUEUE_PI
    );
    // Only these leave the words to the threads themselves.
    let read_only = matches!(op & !FUTEX_FLAGS, 0 | 1 | 3 | 4 | FUTEX_WAIT_BITSET | 10);
    let access = if read_only { Access::Read } else { Access::Write };
    let args = [
        t.guest(addr, 4, access)?,
        HostArg::int(op),
        HostArg::value(u64::from(val)),
        if timed { t.guest(timeout, 16, Access::Read)? } else { HostArg::value(timeout) },
        if second { t.guest(addr2, 4, access)? } else { HostArg::NULL },
        HostArg::value(u64::from(val3)),
    ];
    t.host(libc::SYS_futex, &args)
}

/// `futex_wake` of Linux 6.7.
pub(crate) fn sys_futex_wake(
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
pub(crate) fn sys_futex_wait(
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

pub(crate) fn sys_futex_waitv(
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

/// `futex_requeue` of Linux 6.7: from the first of two futexes to the second.
pub(crate) fn sys_futex_requeue(
    t: &mut Thread,
    waiters: GuestPtr<[u64; 3]>,
    flags: u32,
    wake: i32,
    requeue: i32,
) -> SysResult {
    const SYS_FUTEX_REQUEUE: i64 = 456;
    if flags != 0 || waiters.is_null() {
        return Err(Errno::EINVAL);
    }
    let mut list = waiters.read_array(t.memory(), 2)?;
    for w in &mut list {
        w[1] = t.host_addr(w[1], 4, Access::Read)?;
    }
    let args = [HostArg::slice(&list), flags.into(), wake.into(), requeue.into()];
    t.host(SYS_FUTEX_REQUEUE, &args)
}

pub(crate) fn sys_set_robust_list(t: &mut Thread, head: u64, len: usize) -> SysResult {
    if len != robust::HEAD {
        return Err(Errno::EINVAL);
    }
    t.robust_list = head;
    tell_others(t, 0);
    Ok(0)
}

/// Lets those who may look into the process know where the thread's list is, and where it makes a
/// call that somebody is asked about.
pub(crate) fn tell_others(t: &mut Thread, pc: u64) {
    if t.robust.is_none() {
        // A host that refuses lets nobody know.
        t.robust = RobustList::register().ok();
    }
    if let Some(list) = &t.robust {
        list.tell(Told { list: t.robust_list, pc });
    }
}

pub(crate) fn sys_get_robust_list(
    t: &mut Thread,
    tid: i32,
    head: GuestPtr<u64>,
    len: GuestPtr<u64>,
) -> SysResult {
    let list = if tid == 0 || tid == t.tid { t.robust_list } else { robust::told(tid)?.list };
    len.write(t.memory(), &(robust::HEAD as u64))?;
    head.write(t.memory(), &list)?;
    Ok(0)
}

/// At the end of a thread, when nothing of it is left: `CLONE_CHILD_CLEARTID`.
pub(crate) fn clear_tid(memory: &Memory, addr: u64) {
    if addr != 0 && GuestPtr::<u32>::new(addr).write(memory, &0).is_ok() {
        wake(memory, addr, 1);
    }
}

/// Wakes waiters of a futex that lies in memory.
fn wake(memory: &Memory, addr: u64, n: i32) {
    let _ = kernel_address(memory, addr, 4, Access::Read)
        .map(|at| host_call(libc::SYS_futex, &[at, HostArg::int(FUTEX_WAKE), HostArg::int(n)]));
}

/// Longest robust list that is walked (`ROBUST_LIST_LIMIT`).
const ROBUST_LIMIT: usize = 2048;

const FUTEX_WAITERS: u32 = 0x8000_0000;
const FUTEX_OWNER_DIED: u32 = 0x4000_0000;
const FUTEX_TID_MASK: u32 = 0x3fff_ffff;

/// A robust futex in the guest's list: address of its word, and whether it inherits priorities.
type RobustFutex = (u64, bool);

/// The list of a thread: what it owns, and what it is about to take or give back. It may be any
/// shape: what is counted are steps. A list that cannot be read ends there, and what is pending is
/// passed over, as by the kernel.
fn read_robust(t: &Thread) -> (Vec<RobustFutex>, Option<RobustFutex>) {
    let mut owned = Vec::new();
    let head = t.robust_list;
    let Ok([first, offset, pending]) = GuestPtr::<[u64; 3]>::new(head).read(t.memory()) else {
        return (owned, None);
    };
    let futex = |entry: u64| ((entry & !1).wrapping_add(offset), entry & 1 != 0);
    let mut entry = first;
    for _ in 0..ROBUST_LIMIT {
        if entry & !1 == head {
            break;
        }
        if entry & !1 != pending & !1 {
            owned.push(futex(entry));
        }
        match t.memory().read_u64(entry & !1) {
            Ok(next) => entry = next,
            Err(_) => return (owned, None),
        }
    }
    (owned, (pending & !1 != 0).then(|| futex(pending)))
}

/// Futexes that lie beyond are not made known to the host's kernel: their list is walked when a
/// thread ends by itself.
const MOST_NODES: u64 = 1 << 39;

/// Before a system call, in which the process may be killed: makes the host's kernel know what
/// robust futexes the thread owns. Costs two loads if it owns none.
#[inline]
pub(crate) fn tell_host(t: &mut Thread) {
    let head = t.robust_list;
    if head == 0 {
        return;
    }
    let memory = t.memory();
    let first = memory.read_u64(head).unwrap_or(head);
    let pending = memory.read_u64(head.wrapping_add(16)).unwrap_or(0);
    let empty = first & !1 == head && pending & !1 == 0;
    if !empty || t.robust.as_ref().is_some_and(|list| !list.is_empty()) {
        tell_owned(t);
    }
}

/// Makes the host's kernel know what robust futexes the thread owns.
fn tell_owned(t: &mut Thread) {
    if let Some(list) = &mut t.robust {
        let process = &t.process;
        list.use_nodes(|| {
            let nodes = process.robust_nodes.get_or_init(|| {
                let memory = process.memory();
                Nodes::new(memory.base(), memory.size().min(MOST_NODES) as usize).ok()
            });
            nodes.clone()
        });
    }
    let (owned, pending) = read_robust(t);
    if let Some(list) = &t.robust {
        let node = |(addr, pi): RobustFutex| Owned { offset: addr, pi };
        let owned: Vec<Owned> = owned.into_iter().map(node).collect();
        list.set(&owned, pending.map(node));
    }
}

/// At the end of a thread: hands over what robust futexes it owns.
pub(crate) fn release_robust(t: &mut Thread) {
    if t.robust_list != 0 {
        let (owned, pending) = read_robust(t);
        for (futex, is_pending) in
            owned.into_iter().map(|f| (f, false)).chain(pending.map(|f| (f, true)))
        {
            // What cannot be reached is left, as the kernel leaves it.
            if owner_died(t, futex, is_pending).is_err() {
                break;
            }
        }
    }
    t.robust_list = 0;
    t.robust = None;
}

/// Marks a futex whose owner ends (`handle_futex_death`).
fn owner_died(t: &Thread, (addr, pi): RobustFutex, pending: bool) -> Result<(), Errno> {
    let mem = t.memory();
    if !addr.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    loop {
        let word = mem.read_u32(addr)?;
        if pending && !pi && word == 0 {
            // It was given back, and the one who waits for it not yet woken.
            wake(mem, addr, 1);
        }
        if word & FUTEX_TID_MASK != t.tid as u32 {
            return Ok(());
        }
        let new = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
        if mem.cas_u32(addr, word, new)? == word {
            if !pi && word & FUTEX_WAITERS != 0 {
                wake(mem, addr, 1);
            }
            return Ok(());
        }
    }
}
