//! Robust lists that the host's kernel walks when a thread ends, however it ends
//! (set_robust_list(2); kernel: `exit_robust_list` in `kernel/futex/core.c`).
//!
//! The kernel tells everybody who may look into a process where the list of each of its threads is
//! (get_robust_list(2)). So behind the head stands what others are to know of a thread.
#![allow(unsafe_code, reason = "registers a list with the kernel and writes its nodes")]
//! # Safety
//! The kernel reads the list when the thread ends: its head is never freed before the list is taken
//! out of use, and its nodes lie in a reservation that is shared and never unmapped while a list
//! uses it. A futex is reached from its node by one distance for all nodes; the kernel checks each
//! address itself, and changes a word only if the thread's own id is in it.

use super::mmap::{HostProt, Reservation};
use super::syscall;
use crate::util::HostAddr;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Room for a node beside each futex word of a region of memory.
#[derive(Debug)]
pub struct Nodes {
    memory: Reservation,
    /// What leads from a node to its futex word.
    distance: u64,
}

impl Nodes {
    /// Room for the region of `len` bytes at `base`. Addresses are reserved; memory is used by the
    /// page.
    ///
    /// # Errors
    /// What `mmap` says.
    pub fn new(base: HostAddr, len: usize) -> io::Result<Arc<Self>> {
        let page = super::mmap::host_page_size();
        let memory = Reservation::new(len + page)?;
        memory.map_anon(0..len + page, HostProt::RW, false)?;
        memory.advise(0..len + page, super::mmap::ADVISE_UNDUMPED)?;
        let distance = (base.0 as u64).wrapping_sub(memory.base().0 as u64);
        Ok(Arc::new(Self { memory, distance }))
    }

    /// Address of the node for the word at `offset` bytes of the region.
    fn at(&self, offset: u64) -> Option<u64> {
        let inside = offset <= (self.memory.len() - size_of::<u64>()) as u64;
        inside.then(|| self.memory.base().0 as u64 + offset)
    }

    fn write(&self, node: u64, next: u64) {
        // SAFETY: `at` made the address, which is inside our memory; the kernel reads nodes at
        // any alignment.
        unsafe { (node as *mut u64).write_unaligned(next) };
    }
}

/// `struct robust_list_head`, and what others are to know.
#[repr(C)]
#[derive(Debug)]
struct Head {
    next: AtomicU64,
    distance: AtomicU64,
    pending: AtomicU64,
    mark: u64,
    told: [AtomicU64; TOLD],
}

/// Size of `struct robust_list_head` in bytes.
pub const HEAD: usize = 24;
/// What tells our lists from those of others, which end with the head.
const MARK: u64 = u64::from_le_bytes(*b"rvthread");
/// Number of words that a thread tells.
const TOLD: usize = 2;

/// What a thread tells those who may look into its process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Its guest's robust list; 0 if it has none.
    pub list: u64,
    /// Where it makes the system call about which somebody is asked.
    pub pc: u64,
}

/// What a thread with that id in our name space has told; zeros if it has told nothing.
///
/// # Errors
/// What `get_robust_list` says.
pub fn told(tid: i32) -> io::Result<Told> {
    let (mut head, mut len) = (0_u64, 0_u64);
    let (to, len) = (&raw mut head as u64, &raw mut len as u64);
    // SAFETY: the kernel writes two words, which are ours.
    let rc = unsafe { syscall::raw(libc::SYS_get_robust_list, [tid as u64, to, len, 0, 0, 0]) };
    if rc < 0 {
        return Err(io::Error::from_raw_os_error(-rc as i32));
    }
    let mut words = [0; 1 + TOLD];
    if head == 0 || super::process::read_memory(tid, head + HEAD as u64, &mut words).is_err() {
        return Ok(Told::default());
    }
    let [mark, list, pc] = words;
    Ok(if mark == MARK { Told { list, pc } } else { Told::default() })
}

/// A futex whose owner is the calling thread: its word's offset in the region, and whether it
/// inherits priorities (`FUTEX_LOCK_PI`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owned {
    /// Bytes from the start of the region.
    pub offset: u64,
    /// Inherits priorities.
    pub pi: bool,
}

/// The calling thread's list.
#[derive(Debug)]
pub struct RobustList {
    head: Box<Head>,
    nodes: Option<Arc<Nodes>>,
    _this_thread: PhantomData<*const ()>,
}

impl RobustList {
    /// Registers an empty list for the calling thread, in place of the C library's.
    ///
    /// # Errors
    /// What `set_robust_list` says.
    pub fn register() -> io::Result<Self> {
        let word = || AtomicU64::new(0);
        let told = std::array::from_fn(|_| word());
        let head = Head { next: word(), distance: word(), pending: word(), mark: MARK, told };
        let list = Self { head: Box::new(head), nodes: None, _this_thread: PhantomData };
        list.set(&[], None);
        let rc = set_list(list.address());
        if rc < 0 { Err(io::Error::from_raw_os_error(-rc as i32)) } else { Ok(list) }
    }

    /// Registers the list again, after another has been the calling thread's.
    pub fn renew(&self) {
        set_list(self.address());
    }

    /// Gives the list room for nodes, if it has none yet.
    pub fn use_nodes(&mut self, nodes: impl FnOnce() -> Option<Arc<Nodes>>) {
        if self.nodes.is_none() {
            self.nodes = nodes();
            let distance = self.nodes.as_ref().map_or(0, |nodes| nodes.distance);
            self.head.distance.store(distance, Ordering::Release);
        }
    }

    /// Tells others.
    pub fn tell(&self, Told { list, pc }: Told) {
        self.head.told[0].store(list, Ordering::Release);
        self.head.told[1].store(pc, Ordering::Release);
    }

    fn address(&self) -> u64 {
        std::ptr::from_ref::<Head>(&self.head) as u64
    }

    fn node(&self, owned: Owned) -> Option<u64> {
        self.nodes.as_ref()?.at(owned.offset).map(|at| at | u64::from(owned.pi))
    }

    /// Says which futexes the thread owns, and which one it is about to take or give back.
    pub fn set(&self, owned: &[Owned], pending: Option<Owned>) {
        let mut next = self.address();
        for node in owned.iter().rev().filter_map(|&o| self.node(o)) {
            if let Some(nodes) = &self.nodes {
                nodes.write(node & !1, next);
            }
            next = node;
        }
        self.head.next.store(next, Ordering::Release);
        let pending = pending.and_then(|p| self.node(p)).unwrap_or(0);
        self.head.pending.store(pending, Ordering::Release);
    }

    /// True if the thread owns nothing that it has told of.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.next.load(Ordering::Relaxed) == self.address()
            && self.head.pending.load(Ordering::Relaxed) == 0
    }
}

impl Drop for RobustList {
    fn drop(&mut self) {
        set_list(0);
    }
}

fn set_list(head: u64) -> i64 {
    // SAFETY: null, or a head that lives until its list is dropped, which registers null.
    unsafe { syscall::raw(libc::SYS_set_robust_list, [head, HEAD as u64, 0, 0, 0, 0]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn the_kernel_marks_what_a_thread_owned_when_it_ended() {
        let words: &'static [AtomicU32; 4] = Box::leak(Box::new([const { AtomicU32::new(0) }; 4]));
        let nodes = Nodes::new(HostAddr(words.as_ptr() as usize), size_of_val(words)).unwrap();
        let run = std::thread::spawn(move || {
            // SAFETY: returns a number.
            let tid = unsafe { libc::gettid() } as u32;
            words.iter().for_each(|w| w.store(tid, Ordering::Relaxed));
            let mut list = match RobustList::register() {
                // qemu-user has no such lists, Linux always.
                Err(e) if e.raw_os_error() == Some(libc::ENOSYS) => return false,
                list => list.unwrap(),
            };
            assert!(list.is_empty());
            list.use_nodes(|| Some(Arc::clone(&nodes)));
            let owned = |offset| Owned { offset, pi: false };
            list.set(&[owned(0), owned(8)], Some(owned(12)));
            assert!(!list.is_empty());
            std::mem::forget(list);
            std::mem::forget(nodes);
            true
        });
        if !run.join().unwrap() {
            eprintln!("not checked: the kernel has no robust lists");
            return;
        }
        let died = |w: &AtomicU32| w.load(Ordering::Relaxed) & 0x4000_0000 != 0;
        // `join` may come before the kernel's walk: glibc's threads end behind it.
        for _ in 0..1000 {
            if died(&words[3]) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert_eq!(words.each_ref().map(died), [true, false, true, true]);
    }

    #[test]
    fn what_a_thread_tells_is_heard_by_its_id() {
        std::thread::spawn(|| {
            // SAFETY: returns a number.
            let tid = unsafe { libc::gettid() };
            match told(tid) {
                Err(e) if e.raw_os_error() == Some(libc::ENOSYS) => return,
                told => assert_eq!(told.unwrap(), Told::default(), "the C library's list"),
            }
            let list = RobustList::register().unwrap();
            list.tell(Told { list: 7, pc: 8 });
            assert_eq!(told(tid).unwrap(), Told { list: 7, pc: 8 });
            drop(list);
            assert_eq!(told(tid).unwrap(), Told::default());
        })
        .join()
        .unwrap();
    }
}
