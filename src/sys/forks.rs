//! Noticing that this process is the child of a `fork` that nobody announced.
#![allow(unsafe_code, reason = "a page that a child finds empty")]
//! # Safety
//! The page is mapped for the life of the process and only accessed as one atomic.

use super::mmap::{ADVISE_WIPE_ON_FORK, HostProt, Reservation, host_page_size};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Forks that were noticed between the first ancestor that asked and this process.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The first word of the page. `None` on a host that does not empty pages for children.
static PAGE: OnceLock<Option<&'static AtomicU64>> = OnceLock::new();

/// Reserves the page.
#[cold]
fn reserve() -> Option<&'static AtomicU64> {
    let size = host_page_size();
    let page = Reservation::new(size).ok()?;
    page.map_anon(0..size, HostProt::RW, false).ok()?;
    page.advise(0..size, ADVISE_WIPE_ON_FORK).ok()?;
    let page = std::mem::ManuallyDrop::new(page);
    // SAFETY: the first word of a page that is never unmapped.
    Some(unsafe { AtomicU64::from_ptr(page.base().0 as *mut u64) })
}

/// A number that is another one in the child of a `fork`, whoever made it, than it was in its
/// parent.
#[must_use]
#[inline]
pub fn epoch() -> u64 {
    // Asked before every entry into translated code.
    match PAGE.get_or_init(reserve) {
        None => u64::from(std::process::id()),
        Some(page) => match page.load(Ordering::Acquire) {
            0 => next_epoch(page),
            known => known,
        },
    }
}

/// Numbers this process, whose page is empty.
#[cold]
fn next_epoch(page: &AtomicU64) -> u64 {
    let next = COUNT.fetch_add(1, Ordering::AcqRel) + 1;
    match page.compare_exchange(0, next, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => next,
        Err(other) => other,
    }
}
