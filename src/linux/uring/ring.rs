//! A ring: its memory and what processes that have it share; the rings of a process.

use super::entry::{Entry, SIZE, WORDS};
use crate::linux::abi::{Errno, Fd, SysResult};
use crate::linux::host::{HostArg, host_call, limit};
use crate::linux::lock::lock;
use crate::sys::shared::SharedPages;
use crate::util::PAGE_SIZE;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// Device and inode number of a ring's file: each has its own.
pub(super) type Id = (u64, u64);

/// The numbers of a ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Entries of the submission queue, a power of two.
    pub(super) entries: u32,
    /// Words of one entry.
    pub(super) words: usize,
    /// The guest fills slots in their order, without an array that says which.
    pub(super) no_array: bool,
    /// The guest believes that a thread of the kernel takes its entries (`IORING_SETUP_SQPOLL`).
    pub(super) polled: bool,
    /// Bytes before the host's memory of the ring in the guest's mapping.
    pub(super) host_at: usize,
    /// Bytes before the array of slots there. It is the last: programs that map the two queues
    /// separately take its end for that of all that belongs to the submission queue.
    pub(super) array_at: usize,
    /// Where the host has the tail of its submission queue, from there.
    pub(super) host_tail: usize,
    /// The same of head and tail of the completion queue.
    pub(super) completions: [usize; 2],
}

/// Memory of a ring.
#[derive(Debug)]
pub(super) struct Queues {
    /// The guest's submission queue without its array, the host's memory of the ring, and the
    /// array: the guest maps it.
    pub(super) shown: SharedPages,
    /// The guest's entries.
    pub(super) entries: SharedPages,
    /// The host's entries, and in a page behind them what processes with the ring share.
    pub(super) host: SharedPages,
}

/// Offsets in the guest's submission queue.
pub(super) mod at {
    pub(crate) const HEAD: usize = 0;
    pub(crate) const TAIL: usize = 4;
    pub(crate) const MASK: usize = 8;
    pub(crate) const ENTRIES: usize = 12;
    pub(crate) const DROPPED: usize = 16;
}

/// What processes with the ring share, as words behind the host's entries.
#[derive(Clone, Copy)]
pub(super) enum Common {
    /// The head of the guest's queue.
    Head,
    /// The head of the host's.
    HostHead,
    /// Not 0 once more than one process has the ring.
    Forked,
    /// Not 0 once there are restrictions: nothing is served here, where they do not hold.
    Restricted,
}

/// A ring.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(super) id: Id,
    pub(super) shape: Shape,
    pub(super) queues: Arc<Queues>,
    /// Held while entries are put into the host's queue.
    pub(super) submission: Mutex<()>,
}

impl Ring {
    pub(super) fn common(&self, word: Common) -> &AtomicU32 {
        let size = self.shape.entries as usize * self.shape.words * 8;
        self.queues.host.word(size.next_multiple_of(PAGE_SIZE as usize) + 4 * word as usize)
    }

    /// A word of the guest's submission queue.
    pub(super) fn guest(&self, offset: usize) -> &AtomicU32 {
        self.queues.shown.word(offset)
    }

    /// The tail of the host's queue.
    pub(super) fn host_tail(&self) -> &AtomicU32 {
        self.queues.shown.word(self.shape.host_at + self.shape.host_tail)
    }

    /// Completions that the guest has not taken, as it says.
    pub(super) fn completions(&self) -> u32 {
        let [head, tail] = self
            .shape
            .completions
            .map(|at| self.queues.shown.word(self.shape.host_at + at).load(Ordering::Acquire));
        tail.wrapping_sub(head)
    }

    /// A copy of the guest's entry in a slot; the words of a long one behind it, too.
    pub(super) fn entry(&self, slot: u32) -> (Entry, [u64; WORDS]) {
        let mut both = [0; 2 * WORDS];
        let words = self.shape.words;
        self.queues.entries.load(slot as usize * words * 8, &mut both[..words]);
        let (first, rest) = both.split_at(WORDS);
        (Entry(std::array::from_fn(|i| first[i])), std::array::from_fn(|i| rest[i]))
    }

    /// Puts an entry into a slot of the host's queue.
    pub(super) fn set_host_entry(&self, slot: u32, entry: &Entry, rest: &[u64; WORDS]) {
        let at = slot as usize * self.shape.words * 8;
        self.queues.host.store(at, &entry.0);
        if self.shape.words > WORDS {
            self.queues.host.store(at + SIZE, rest);
        }
    }

    /// Keeps others from submitting, also in processes that got the ring by `fork`.
    pub(super) fn submit_alone(&self, fd: Option<Fd>) -> Alone<'_> {
        let held = lock(&self.submission);
        let forked = self.common(Common::Forked).load(Ordering::Relaxed) != 0;
        let fd = fd.filter(|_| forked);
        if let Some(fd) = fd {
            // A lock that cannot be had protects the guest from itself only.
            while file_lock(fd, libc::F_WRLCK as u64) == Err(Errno::EINTR) {}
        }
        Alone { _held: held, fd }
    }

    /// The same ring in a child process, where other threads hold no locks.
    pub(super) fn inherited(&self) -> Self {
        Self { queues: Arc::clone(&self.queues), submission: Mutex::default(), ..*self }
    }
}

/// Locks a ring's file for this process, or unlocks it.
pub(super) fn file_lock(fd: Fd, kind: u64) -> SysResult {
    // struct flock: type and whence, start, length (0: all), process.
    let lock = [kind, 0_u64, 0, 0];
    host_call(libc::SYS_fcntl, &[fd.into(), libc::F_SETLKW.into(), HostArg::of(&lock)])
}

/// Nobody else submits.
pub(super) struct Alone<'a> {
    pub(super) _held: MutexGuard<'a, ()>,
    pub(super) fd: Option<Fd>,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if let Some(fd) = self.fd {
            let _ = file_lock(fd, libc::F_UNLCK as u64);
        }
    }
}

/// Rings of a process.
#[derive(Debug, Default)]
pub(crate) struct Rings {
    pub(super) known: BTreeMap<Id, Arc<Ring>>,
    /// Buffer rings that the guest maps (`IOU_PBUF_RING_MMAP`), by ring and group.
    pub(super) buffers: BTreeMap<(Id, u16), Arc<SharedPages>>,
    /// With how many it is worth while to look for closed ones.
    pub(super) full_at: usize,
}

impl Rings {
    /// Before `fork`: rings have two owners from then on.
    pub(crate) fn before_fork(&self) {
        for ring in self.known.values() {
            ring.common(Common::Forked).store(1, Ordering::Relaxed);
        }
    }

    /// In the child.
    pub(crate) fn after_fork(&mut self) {
        for ring in self.known.values_mut() {
            *ring = Arc::new(ring.inherited());
        }
    }

    pub(super) fn is_full(&self) -> bool {
        /// Rings that are kept without asking whether they are in use.
        const FEW: usize = 16;
        self.known.len() >= self.full_at.max(FEW)
    }

    /// Forgets rings that have been closed.
    pub(super) fn keep(&mut self, open: &BTreeSet<Id>) {
        self.known.retain(|id, ring| open.contains(id) || Arc::strong_count(ring) > 1);
        let known = &self.known;
        self.buffers.retain(|(id, _), _| known.contains_key(id));
        self.full_at = 2 * self.known.len();
    }
}

/// What the descriptors of all threads refer to; `None` if that cannot be found out.
pub(super) fn open_files() -> Option<BTreeSet<Id>> {
    let _raised = limit::raise();
    let mut open = BTreeSet::new();
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let Ok(files) = std::fs::read_dir(task.ok()?.path().join("fd")) else { continue };
        for file in files.flatten() {
            use std::os::unix::fs::MetadataExt;
            if let Ok(found) = std::fs::metadata(file.path()) {
                open.insert((found.dev(), found.ino()));
            }
        }
    }
    Some(open)
}

/// The rings that a thread has registered (`IORING_REGISTER_RING_FDS`), by index.
pub(crate) type Registered = BTreeMap<u32, Arc<Ring>>;
