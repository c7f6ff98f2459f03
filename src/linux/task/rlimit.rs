//! Calls that read and set limits (getrlimit(2)), and what limits forbid.

use crate::linux::abi::{Errno, GuestPtr, RLimit, SysResult};
use crate::linux::host::limit::{self, CAP_SYS_RESOURCE};
use crate::linux::host::{HostArg, has_capability};
use crate::linux::lock::lock;
use crate::linux::process::{Process, Thread};
use crate::linux::signal::core_dump;
use crate::linux::task::limits::{AS, DATA, FILES, INFINITY, KEPT, Limits, STACK};
use crate::linux::task::peers;
use crate::mem::{Mapping, Memory};
use crate::sys::mmap;
use crate::util::PAGE_SIZE;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

/// The memory of another guest process, with the host address of such limits.
fn other(pid: i32, writable: bool) -> Option<(File, u64)> {
    let _raised = limit::raise();
    let (number, found) = peers::find_by_id(pid)?;
    let path = format!("/proc/{number}/mem");
    let file = File::options().read(true).write(writable).open(path).ok()?;
    Some((file, found.limits))
}

/// A limit that another guest process keeps.
fn get_other(pid: i32, kept: usize) -> Option<RLimit> {
    let (memory, at) = other(pid, false)?;
    let mut bytes = [0; 16];
    memory.read_exact_at(&mut bytes, at + 16 * kept as u64).ok()?;
    let word = |i: usize| u64::from_ne_bytes(std::array::from_fn(|n| bytes[8 * i + n]));
    Some(RLimit { cur: word(0), max: word(1) })
}

/// Sets it. Who may not write to the process's memory changes nothing.
fn set_other(pid: i32, kept: usize, limit: &RLimit) {
    let bytes = [limit.cur.to_ne_bytes(), limit.max.to_ne_bytes()].concat();
    if let Some((memory, at)) = other(pid, true) {
        let _ = memory.write_all_at(&bytes, at + 16 * kept as u64);
    }
}

/// Bytes that are left for ourselves where the host holds us to a limit: for what is translated,
/// and for threads.
const OWN_ROOM: u64 = 8 << 20;

impl Process {
    /// The limits that are kept here.
    pub(crate) fn limits(&self) -> Limits {
        let mut limits = lock(&self.limits);
        if !self.borrowed {
            limits.adopt();
        }
        *limits
    }

    /// Refuses a mapping of `len` bytes where the host's limits, which could not be raised, would
    /// leave no room for ourselves.
    fn host_may_map(&self, len: u64, data: bool) -> Result<(), Errno> {
        /// They do not change any more: who lowers a guest's limits lowers those that we keep.
        static HOST: OnceLock<[u64; 2]> = OnceLock::new();
        let [addresses, most_data] = *HOST.get_or_init(mmap::limits);
        let counts = [
            self.memory().takes_addresses() && addresses != INFINITY,
            data && most_data != INFINITY,
        ];
        if !counts.contains(&true) {
            return Ok(());
        }
        let _raised = limit::raise();
        // Pages: all of them, then, as the sixth number, data and stack.
        let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let used = |n: usize| {
            text.split(' ').nth(n).and_then(|p| p.parse::<u64>().ok()).unwrap_or(0) * PAGE_SIZE
        };
        for (counts, used, limit) in
            [(counts[0], used(0), addresses), (counts[1], used(5), most_data)]
        {
            let room = OWN_ROOM.min(limit / 8);
            if counts && used.saturating_add(len).saturating_add(room) > limit {
                return Err(Errno::ENOMEM);
            }
        }
        Ok(())
    }

    /// Refuses a mapping of `len` bytes that the limits of addresses and data do not allow. Pages
    /// of `replaced` are going to be unmapped for it.
    pub(crate) fn may_map(
        &self,
        len: u64,
        data: bool,
        replaced: Option<Range<u64>>,
    ) -> Result<(), Errno> {
        self.host_may_map(len, data)?;
        let limits = self.limits().0;
        if limits[AS].cur == INFINITY && (limits[DATA].cur == INFINITY || !data) {
            return Ok(());
        }
        let used = usage(self.memory(), replaced);
        let over = |used: u64, limit: u64| used.saturating_add(len) > limit;
        if over(used.all, limits[AS].cur) || (data && over(used.data, limits[DATA].cur)) {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }
}

impl Process {
    /// Refuses to lock all memory, of which there are `mapped` bytes, where the limit does not
    /// allow it (`can_do_mlock` and `mlockall` of the kernel).
    pub(crate) fn may_lock(&self, mapped: u64) -> Result<(), Errno> {
        /// `CAP_IPC_LOCK`.
        const CAP_IPC_LOCK: u32 = 14;
        let limit = limit::get(0, libc::RLIMIT_MEMLOCK)?.cur;
        if has_capability(CAP_IPC_LOCK) || (limit != 0 && mapped <= limit) {
            return Ok(());
        }
        Err(if limit == 0 { Errno::EPERM } else { Errno::ENOMEM })
    }
}

/// True for what counts as data: private and writable (`is_data_mapping` of the kernel).
pub(crate) fn is_data(m: &Mapping) -> bool {
    m.prot.writable() && !m.shared
}

/// Bytes that are mapped.
struct Usage {
    all: u64,
    data: u64,
}

fn usage(mem: &Memory, without: Option<Range<u64>>) -> Usage {
    let without = without.unwrap_or(0..0);
    let mut used = Usage { all: 0, data: 0 };
    for (range, m) in mem.mappings() {
        let gone = range.end.min(without.end).saturating_sub(range.start.max(without.start));
        let len = range.end - range.start - gone;
        used.all += len;
        if is_data(&m) {
            used.data += len;
        }
    }
    used
}

pub(crate) fn sys_getrlimit(t: &mut Thread, resource: u32, old: GuestPtr<RLimit>) -> SysResult {
    let limit = current(t, 0, resource)?;
    old.write(t.memory(), &limit)?;
    Ok(0)
}

pub(crate) fn sys_setrlimit(t: &mut Thread, resource: u32, new: GuestPtr<RLimit>) -> SysResult {
    new.read(t.memory())?;
    sys_prlimit64(t, 0, resource, new, GuestPtr::new(0))
}

fn is_own(pid: i32) -> bool {
    pid == 0 || u32::try_from(pid) == Ok(std::process::id())
}

fn current(t: &Thread, pid: i32, resource: u32) -> Result<RLimit, Errno> {
    match KEPT.iter().position(|&k| k == resource) {
        Some(FILES) if is_own(pid) => limit::files(t.process.limits().0[FILES]),
        Some(i) if is_own(pid) => Ok(t.process.limits().0[i]),
        Some(i) if i != FILES => {
            let host = limit::get(pid, resource)?;
            Ok(get_other(pid, i).unwrap_or(host))
        }
        _ => limit::get(pid, resource),
    }
}

pub(crate) fn sys_prlimit64(
    t: &mut Thread,
    pid: i32,
    resource: u32,
    new: GuestPtr<RLimit>,
    old: GuestPtr<RLimit>,
) -> SysResult {
    let limit = new.read_optional(t.memory())?;
    let before = current(t, pid, resource)?;
    if let Some(limit) = limit {
        if limit.cur > limit.max {
            return Err(Errno::EINVAL);
        }
        match KEPT.iter().position(|&k| k == resource) {
            Some(i) if is_own(pid) => {
                if limit.max > before.max && !has_capability(CAP_SYS_RESOURCE) {
                    return Err(Errno::EPERM);
                }
                if i == FILES {
                    limit::set_files(limit)?;
                }
                let mut kept = lock(&t.process.limits);
                kept.0[i] = limit;
                if !t.process.borrowed {
                    kept.publish();
                }
                drop(kept);
                if i == STACK {
                    let _raised = limit::raise();
                    t.process.resize_stack(limit.cur);
                }
            }
            Some(i @ (AS | DATA | STACK)) => {
                if limit.max > before.max && !has_capability(CAP_SYS_RESOURCE) {
                    return Err(Errno::EPERM);
                }
                set_other(pid, i, &limit);
            }
            _ => {
                let args = [pid.into(), resource.into(), HostArg::of(&limit), HostArg::NULL];
                t.host(libc::SYS_prlimit64, &args)?;
                if resource == libc::RLIMIT_CORE && is_own(pid) {
                    core_dump::settle(&t.process);
                }
            }
        }
    }
    old.write_optional(t.memory(), &before)?;
    Ok(0)
}
