//! Resource limits (getrlimit(2)). Those of addresses, data and stack are kept here and hold for
//! the guest's memory: the host's would hit our own, whose reservation alone exceeds any. All
//! others are the host's, but the hard limit of descriptors is kept here too: we raise the soft one
//! while we need descriptors of our own ([`raise`]).

use crate::linux::abi::{Errno, GuestPtr, RLimit, SysResult};
use crate::linux::host::limit::{self, CAP_SYS_RESOURCE, get, raise, set};
use crate::linux::host::{HostArg, has_capability};
use crate::linux::lock::lock;
use crate::linux::process::{Process, Thread};
use crate::linux::{core_dump, others};
use crate::mem::{Mapping, Memory};
use crate::sys::mmap;
use crate::util::PAGE_SIZE;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// No limit.
const INFINITY: u64 = u64::MAX;

/// Resources whose limits are kept here, by their place in [`Limits`].
const KEPT: [u32; 4] =
    [libc::RLIMIT_AS, libc::RLIMIT_DATA, libc::RLIMIT_STACK, libc::RLIMIT_NOFILE];
const AS: usize = 0;
const DATA: usize = 1;
const STACK: usize = 2;
const FILES: usize = 3;

/// Limits that another guest process may look at and change, as [`Limits::to_words`] gives them:
/// of addresses, data and stack. The host's own of this process would hit more than its guest.
static PUBLIC: [AtomicU64; 2 * FILES] = [const { AtomicU64::new(INFINITY) }; 2 * FILES];

/// Host address of what [`other`] reads.
pub(crate) fn public_address() -> u64 {
    std::ptr::from_ref(&PUBLIC) as u64
}

/// The memory of another guest process, with the host address of such limits.
fn other(pid: i32, writable: bool) -> Option<(File, u64)> {
    let _raised = raise();
    let (number, found) = others::find_by_id(pid)?;
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

/// Numbers in which [`Limits`] are handed on.
pub(crate) const WORDS: usize = 2 * KEPT.len();

/// Soft limit of the stack that we want for ourselves, in bytes: the kernel derives from it how
/// long arguments may be.
const OWN_STACK: u64 = 64 << 20;

/// The limits that are kept here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits([RLimit; KEPT.len()]);

impl Limits {
    /// The host's limits become the guest's, and we get what we may have.
    pub(crate) fn take_over() -> Self {
        let host = |resource| get(0, resource).unwrap_or(RLimit { cur: INFINITY, max: INFINITY });
        let limits = KEPT.map(host);
        for (resource, limit) in KEPT.into_iter().zip(limits) {
            let wanted = match resource {
                libc::RLIMIT_STACK => OWN_STACK,
                // Which numbers the guest gets is the host's to decide.
                libc::RLIMIT_NOFILE => limit.cur,
                _ => INFINITY,
            };
            let max = match wanted > limit.max && has_capability(CAP_SYS_RESOURCE) {
                true => wanted,
                false => limit.max,
            };
            let raised = RLimit { cur: wanted.min(max), max };
            if raised.cur > limit.cur {
                // Without it, less is possible.
                let _ = set(resource, &raised);
            }
        }
        Self(limits)
    }

    /// Before a program of the host takes our place: it is to have the guest's limits.
    pub(crate) fn hand_over(&self) {
        for (resource, limit) in KEPT.into_iter().zip(&self.0) {
            // A limit that cannot be set is the host's to keep.
            let _ = set(resource, limit);
        }
    }

    /// Soft and hard limits in turn, for a program that inherits the limits.
    pub(crate) fn to_words(self) -> [u64; WORDS] {
        std::array::from_fn(|i| if i % 2 == 0 { self.0[i / 2].cur } else { self.0[i / 2].max })
    }

    /// The inverse of [`Self::to_words`].
    pub(crate) fn from_words(words: [u64; WORDS]) -> Self {
        Self(std::array::from_fn(|i| RLimit { cur: words[2 * i], max: words[2 * i + 1] }))
    }

    /// Lets the host hold the guest to its limit of descriptors, and other guests see the limits.
    pub(crate) fn settle(&self) {
        self.publish();
        // It was the host's before a program of the guest was started.
        let _ = limit::set_files(self.0[FILES]);
    }

    /// Lets other guests read the limits, and change them.
    fn publish(&self) {
        for (word, value) in PUBLIC.iter().zip(self.to_words()) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Takes what another guest may have changed.
    fn adopt(&mut self) {
        let mut words = self.to_words();
        for (word, value) in words.iter_mut().zip(&PUBLIC) {
            *word = value.load(Ordering::Relaxed);
        }
        *self = Self::from_words(words);
    }

    /// Bytes that a mapping that grows down may have.
    pub(crate) fn stack_limit(&self) -> u64 {
        self.0[STACK].cur
    }

    /// Bytes of the main thread's stack.
    pub(crate) fn stack(&self) -> u64 {
        /// Without a limit, within reason.
        const UNLIMITED: u64 = 64 << 20;
        /// With a limit below this, the kernel still gives room for what `execve` passes.
        const LEAST: u64 = 256 << 10;
        let wanted = self.0[STACK].cur;
        let size = if wanted < 1 << 32 { wanted.max(LEAST) } else { UNLIMITED };
        // For the host it is data, as for the kernel no stack is.
        size.min((mmap::limits()[1] / 8).max(LEAST))
    }

    /// Bytes that arguments and environment of a program may have, with their addresses
    /// (`bprm_stack_limits` of the kernel).
    pub(crate) fn arguments(&self) -> u64 {
        const MOST: u64 = 6 << 20;
        const LEAST: u64 = 128 << 10;
        (self.0[STACK].cur / 4).clamp(LEAST, MOST)
    }

    /// The lines of `/proc/self/limits` about what is kept here.
    pub(crate) fn correct(&self, host: &str) -> String {
        let names = ["Max address space", "Max data size", "Max stack size", "Max open files"];
        let mut out = String::with_capacity(host.len());
        for line in host.lines() {
            match names.iter().position(|n| line.starts_with(n)) {
                Some(i) => {
                    let text = |n: u64| match n {
                        INFINITY => "unlimited".to_owned(),
                        n => n.to_string(),
                    };
                    let RLimit { cur, max } = self.0[i];
                    let unit = if i == FILES { "files" } else { "bytes" };
                    let line =
                        format!("{:<26}{:<21}{:<21}{unit:<10}", names[i], text(cur), text(max));
                    out.push_str(&line);
                }
                None => out.push_str(line),
            }
            out.push('\n');
        }
        out
    }
}

/// Bytes that a core may have.
pub(crate) fn core_limit() -> u64 {
    get(0, libc::RLIMIT_CORE).map_or(0, |l| l.cur)
}

/// Sets the soft limit of cores, as far as the hard one allows.
pub(crate) fn set_core_limit(bytes: u64) -> SysResult {
    let limit = get(0, libc::RLIMIT_CORE)?;
    set(libc::RLIMIT_CORE, &RLimit { cur: bytes.min(limit.max), ..limit })
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
        let _raised = raise();
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
        let limit = get(0, libc::RLIMIT_MEMLOCK)?.cur;
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
            let host = get(pid, resource)?;
            Ok(get_other(pid, i).unwrap_or(host))
        }
        _ => get(pid, resource),
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
                    let _raised = raise();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_survive_a_program_that_inherits_them() {
        let limits = Limits::from_words([1, 2, 3, 4, 5, INFINITY, 6, 7]);
        assert_eq!(Limits::from_words(limits.to_words()), limits);
        let text = "Max cpu time              unlimited            unlimited            seconds   \n\
                    Max stack size            8388608              unlimited            bytes     \n";
        assert_eq!(
            limits.correct(text).lines().nth(1).unwrap(),
            "Max stack size            5                    unlimited            bytes     "
        );
    }

    #[test]
    fn arguments_may_have_a_quarter_of_the_stack_within_bounds() {
        let stack = |n| Limits::from_words([0, 0, 0, 0, n, INFINITY, 0, 0]).arguments();
        assert_eq!(stack(8 << 20), 2 << 20);
        assert_eq!(stack(4096), 128 << 10);
        assert_eq!(stack(INFINITY), 6 << 20);
    }
}
