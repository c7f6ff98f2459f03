//! Queues of requests that a program shares with the kernel (io_uring(7)): the host's, whose
//! submission queue the guest does not see.
//!
//! The guest writes entries with its own addresses into a submission queue that is ours. When it
//! enters the kernel, those it submits are copied, converted ([`convert`]) and put into the host's
//! queue, which nobody else reads or writes; what is in that queue and not being submitted is zero.
//! So it does not matter to us what the guest does to its queue meanwhile, or to the words of the
//! host's that it sees. The completion queue is the host's own, since it is filled at any time:
//! entries hold numbers only.
//!
//! The kernel reads what an entry's addresses lead to when it takes the entry
//! (`IORING_FEAT_SUBMIT_STABLE`), so that converted structures of ours are needed no longer than
//! that, and writes to addresses of the guest later. An operation is not served if its results
//! would have to be converted.
//!
//! Memory of the queues is ours (`IORING_SETUP_NO_MMAP`): the host's cannot be mapped at an address
//! of our choice. Where the guest has a ring mapped, there is first its submission queue, then the
//! host's memory of the ring, and the array of the submission queue. Rings are known by what
//! descriptors refer to, not by their numbers, in the process that has set them up and its
//! children.

mod convert;
mod enter;
mod entry;
mod register;
mod serve;
mod setup;

pub(super) use enter::sys_io_uring_enter;
pub(super) use register::sys_io_uring_register;
pub(super) use setup::sys_io_uring_setup;

use super::abi::{Errno, Fd, SysResult};
use super::host::{HostArg, file_identity, host_call};
use super::limits;
use super::mman::{find_room, min_addr};
use super::process::{Thread, lock};
use crate::mem::{Backing, Mapping, Prot};
use crate::sys::shared::SharedPages;
use crate::util::{PAGE_SIZE, page_up};
use entry::{Entry, SIZE, WORDS};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// Device and inode number of a ring's file: each has its own.
type Id = (u64, u64);

/// The numbers of a ring.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Entries of the submission queue, a power of two.
    entries: u32,
    /// Words of one entry.
    words: usize,
    /// The guest fills slots in their order, without an array that says which.
    no_array: bool,
    /// The guest believes that a thread of the kernel takes its entries (`IORING_SETUP_SQPOLL`).
    polled: bool,
    /// Bytes before the host's memory of the ring in the guest's mapping.
    host_at: usize,
    /// Bytes before the array of slots there. It is the last: programs that map the two queues
    /// separately take its end for that of all that belongs to the submission queue.
    array_at: usize,
    /// Where the host has the tail of its submission queue, from there.
    host_tail: usize,
    /// The same of head and tail of the completion queue.
    completions: [usize; 2],
}

/// Memory of a ring.
#[derive(Debug)]
struct Queues {
    /// The guest's submission queue without its array, the host's memory of the ring, and the
    /// array: the guest maps it.
    shown: SharedPages,
    /// The guest's entries.
    entries: SharedPages,
    /// The host's entries, and in a page behind them what processes with the ring share.
    host: SharedPages,
}

/// Offsets in the guest's submission queue.
mod at {
    pub(super) const HEAD: usize = 0;
    pub(super) const TAIL: usize = 4;
    pub(super) const MASK: usize = 8;
    pub(super) const ENTRIES: usize = 12;
    pub(super) const DROPPED: usize = 16;
}

/// What processes with the ring share, as words behind the host's entries.
#[derive(Clone, Copy)]
enum Common {
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
pub(super) struct Ring {
    id: Id,
    shape: Shape,
    queues: Arc<Queues>,
    /// Held while entries are put into the host's queue.
    submission: Mutex<()>,
}

impl Ring {
    fn common(&self, word: Common) -> &AtomicU32 {
        let size = self.shape.entries as usize * self.shape.words * 8;
        self.queues.host.word(size.next_multiple_of(PAGE_SIZE as usize) + 4 * word as usize)
    }

    /// A word of the guest's submission queue.
    fn guest(&self, offset: usize) -> &AtomicU32 {
        self.queues.shown.word(offset)
    }

    /// The tail of the host's queue.
    fn host_tail(&self) -> &AtomicU32 {
        self.queues.shown.word(self.shape.host_at + self.shape.host_tail)
    }

    /// Completions that the guest has not taken, as it says.
    fn completions(&self) -> u32 {
        let [head, tail] = self
            .shape
            .completions
            .map(|at| self.queues.shown.word(self.shape.host_at + at).load(Ordering::Acquire));
        tail.wrapping_sub(head)
    }

    /// A copy of the guest's entry in a slot; the words of a long one behind it, too.
    fn entry(&self, slot: u32) -> (Entry, [u64; WORDS]) {
        let mut both = [0; 2 * WORDS];
        let words = self.shape.words;
        self.queues.entries.load(slot as usize * words * 8, &mut both[..words]);
        let (first, rest) = both.split_at(WORDS);
        (Entry(std::array::from_fn(|i| first[i])), std::array::from_fn(|i| rest[i]))
    }

    /// Puts an entry into a slot of the host's queue.
    fn set_host_entry(&self, slot: u32, entry: &Entry, rest: &[u64; WORDS]) {
        let at = slot as usize * self.shape.words * 8;
        self.queues.host.store(at, &entry.0);
        if self.shape.words > WORDS {
            self.queues.host.store(at + SIZE, rest);
        }
    }

    /// Keeps others from submitting, also in processes that got the ring by `fork`.
    fn submit_alone(&self, fd: Option<Fd>) -> Alone<'_> {
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
    fn inherited(&self) -> Self {
        Self { queues: Arc::clone(&self.queues), submission: Mutex::default(), ..*self }
    }
}

/// Locks a ring's file for this process, or unlocks it.
fn file_lock(fd: Fd, kind: u64) -> SysResult {
    // struct flock: type and whence, start, length (0: all), process.
    let lock = [kind, 0_u64, 0, 0];
    host_call(libc::SYS_fcntl, &[fd.into(), libc::F_SETLKW.into(), HostArg::of(&lock)])
}

/// Nobody else submits.
struct Alone<'a> {
    _held: MutexGuard<'a, ()>,
    fd: Option<Fd>,
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
pub(super) struct Rings {
    known: BTreeMap<Id, Arc<Ring>>,
    /// Buffer rings that the guest maps (`IOU_PBUF_RING_MMAP`), by ring and group.
    buffers: BTreeMap<(Id, u16), Arc<SharedPages>>,
    /// With how many it is worth while to look for closed ones.
    full_at: usize,
}

impl Rings {
    /// Before `fork`: rings have two owners from then on.
    pub(super) fn before_fork(&self) {
        for ring in self.known.values() {
            ring.common(Common::Forked).store(1, Ordering::Relaxed);
        }
    }

    /// In the child.
    pub(super) fn after_fork(&mut self) {
        for ring in self.known.values_mut() {
            *ring = Arc::new(ring.inherited());
        }
    }

    fn is_full(&self) -> bool {
        /// Rings that are kept without asking whether they are in use.
        const FEW: usize = 16;
        self.known.len() >= self.full_at.max(FEW)
    }

    /// Forgets rings that have been closed.
    fn keep(&mut self, open: &BTreeSet<Id>) {
        self.known.retain(|id, ring| open.contains(id) || Arc::strong_count(ring) > 1);
        let known = &self.known;
        self.buffers.retain(|(id, _), _| known.contains_key(id));
        self.full_at = 2 * self.known.len();
    }
}

/// What the descriptors of all threads refer to; `None` if that cannot be found out.
fn open_files() -> Option<BTreeSet<Id>> {
    let _raised = limits::raise();
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
pub(super) type Registered = BTreeMap<u32, Arc<Ring>>;

/// The ring that a descriptor of the guest is, if it is one.
fn find(t: &Thread, fd: Fd) -> Option<Arc<Ring>> {
    let rings = lock(&t.process.rings);
    if rings.known.is_empty() {
        return None;
    }
    let file = file_identity(fd.0).ok()?;
    rings.known.get(&(file.dev, file.inode)).map(Arc::clone)
}

/// How a call names a ring.
#[derive(Clone, Copy)]
struct Name {
    number: u32,
    /// The number is an index of the thread's registered rings.
    registered: bool,
}

impl Name {
    fn fd(self) -> Option<Fd> {
        (!self.registered).then_some(Fd(self.number as i32))
    }

    /// # Errors
    /// `EOPNOTSUPP` for what is no ring, or one of another program; `EBADF`, `EINVAL`.
    fn ring(self, t: &Thread) -> Result<Arc<Ring>, Errno> {
        let found = match self.fd() {
            Some(fd) => find(t, fd),
            None => t.registered_rings.get(&self.number).map(Arc::clone),
        };
        if let Some(ring) = found {
            return Ok(ring);
        }
        // The host knows what is wrong with it.
        let flags = if self.registered { enter::REGISTERED_RING } else { 0 };
        let args = [self.number.into(), 0_u32.into(), 0_u32.into(), flags.into()];
        host_call(libc::SYS_io_uring_enter, &args)?;
        Err(Errno::EOPNOTSUPP)
    }
}

/// Parts of a ring that can be mapped, by the offset in its file (`IORING_OFF_*`).
const PARTS: u64 = 0xf800_0000;
const PART_SQ_RING: u64 = 0;
const PART_CQ_RING: u64 = 0x800_0000;
const PART_ENTRIES: u64 = 0x1000_0000;
const PART_BUFFERS: u64 = 0x8000_0000;
/// From this bit on the offset says of which group the buffers are.
const GROUP_SHIFT: u32 = 16;

/// Serves mmap(2) of a ring; `None` if the descriptor is none.
pub(super) fn map(
    t: &Thread,
    fd: i32,
    (addr, len): (u64, u64),
    (prot, shared): (Prot, bool),
    offset: u64,
) -> Option<SysResult> {
    let ring = find(t, Fd(fd))?;
    Some(map_part(t, &ring, (addr, len), (prot, shared), offset))
}

fn map_part(
    t: &Thread,
    ring: &Ring,
    (addr, len): (u64, u64),
    (prot, shared): (Prot, bool),
    offset: u64,
) -> SysResult {
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    let mem = t.memory();
    let len = page_up(len).filter(|&l| l <= mem.size()).ok_or(Errno::ENOMEM)?;
    // The kernel lets nobody choose the place; a private view, which nobody wants, we cannot make.
    if addr != 0 || !shared {
        return Err(Errno::EINVAL);
    }
    let buffers;
    let pages = match offset & PARTS {
        PART_SQ_RING | PART_CQ_RING => &ring.queues.shown,
        PART_ENTRIES => &ring.queues.entries,
        PART_BUFFERS => {
            let group = (offset & !PARTS) >> GROUP_SHIFT;
            let group = u16::try_from(group).map_err(|_| Errno::ENOMEM)?;
            buffers = lock(&t.process.rings).buffers.get(&(ring.id, group)).map(Arc::clone);
            buffers.as_deref().ok_or(Errno::ENOMEM)?
        }
        _ => return Err(Errno::ENOMEM),
    };
    if prot.executable() {
        return Err(Errno::EPERM);
    }
    let layout = lock(&t.process.layout);
    let at = find_room(mem, layout.mmap_top, len, false).ok_or(Errno::ENOMEM)?;
    if at < min_addr(mem) {
        return Err(Errno::ENOMEM);
    }
    t.process.may_map(len, false, None)?;
    let path = Arc::new(PathBuf::from("anon_inode:[io_uring]"));
    let backing = Backing::File { path, offset, dev: ring.id.0, inode: ring.id.1 };
    let mapping = Mapping { shared: true, backing, ..Mapping::anonymous(prot, None) };
    mem.map_shared(at, len, mapping, pages)?;
    Ok(at)
}

/// Takes note of a ring that the host has just set up as `fd`.
fn know(t: &Thread, fd: &impl AsRawFd, shape: Shape, queues: Queues) -> Result<(), Errno> {
    let file = file_identity(fd.as_raw_fd())?;
    let id = (file.dev, file.inode);
    let ring = Ring { id, shape, queues: Arc::new(queues), submission: Mutex::default() };
    let full = lock(&t.process.rings).is_full();
    let open = if full { open_files() } else { None };
    let mut rings = lock(&t.process.rings);
    if let Some(open) = open {
        rings.keep(&open);
    }
    rings.known.insert(id, Arc::new(ring));
    Ok(())
}
