//! Robust lists that the host's kernel walks when a thread ends, however it ends
//! (set_robust_list(2); kernel: `exit_robust_list` in `kernel/futex/core.c`).
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

/// `struct robust_list_head`.
#[repr(C)]
#[derive(Debug)]
struct Head {
    next: AtomicU64,
    distance: u64,
    pending: AtomicU64,
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
    nodes: Arc<Nodes>,
    _this_thread: PhantomData<*const ()>,
}

impl RobustList {
    /// Registers an empty list for the calling thread, in place of the C library's.
    ///
    /// # Errors
    /// What `set_robust_list` says.
    pub fn register(nodes: &Arc<Nodes>) -> io::Result<Self> {
        let head = Box::new(Head {
            next: AtomicU64::new(0),
            distance: nodes.distance,
            pending: AtomicU64::new(0),
        });
        let list = Self { head, nodes: Arc::clone(nodes), _this_thread: PhantomData };
        list.set(&[], None);
        let rc = set_list(list.address());
        if rc < 0 { Err(io::Error::from_raw_os_error(-rc as i32)) } else { Ok(list) }
    }

    fn address(&self) -> u64 {
        std::ptr::from_ref::<Head>(&self.head) as u64
    }

    fn node(&self, owned: Owned) -> Option<u64> {
        self.nodes.at(owned.offset).map(|at| at | u64::from(owned.pi))
    }

    /// Says which futexes the thread owns, and which one it is about to take or give back.
    pub fn set(&self, owned: &[Owned], pending: Option<Owned>) {
        let mut next = self.address();
        for node in owned.iter().rev().filter_map(|&o| self.node(o)) {
            self.nodes.write(node & !1, next);
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
    unsafe { syscall::raw(libc::SYS_set_robust_list, [head, size_of::<Head>() as u64, 0, 0, 0, 0]) }
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
            let list = match RobustList::register(&nodes) {
                // qemu-user has no such lists, Linux always.
                Err(e) if e.raw_os_error() == Some(libc::ENOSYS) => return false,
                list => list.unwrap(),
            };
            assert!(list.is_empty());
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
}
