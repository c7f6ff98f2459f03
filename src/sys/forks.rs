//! Noticing that this process is the child of a `fork` that nobody announced.
#![allow(unsafe_code, reason = "a page that a child finds empty")]
//! # Safety
//! The page is mapped for the life of the process and only accessed as one atomic.

use super::mmap::{ADVISE_WIPE_ON_FORK, HostProt, Reservation, host_page_size};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Forks that were noticed between the first ancestor that asked and this process.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Reserves the page. `None` on a host that does not empty pages for children.
fn page() -> Option<&'static AtomicU64> {
    static PAGE: OnceLock<Option<Reservation>> = OnceLock::new();
    let make = || {
        let size = host_page_size();
        let page = Reservation::new(size).ok()?;
        page.map_anon(0..size, HostProt::RW, false).ok()?;
        page.advise(0..size, ADVISE_WIPE_ON_FORK).ok()?;
        Some(page)
    };
    let page = PAGE.get_or_init(make).as_ref()?;
    // SAFETY: the first word of a page that is never unmapped.
    Some(unsafe { AtomicU64::from_ptr(page.base().0 as *mut u64) })
}

/// A number that is another one in the child of a `fork`, whoever made it, than it was in its
/// parent.
#[must_use]
pub fn epoch() -> u64 {
    let Some(page) = page() else { return u64::from(std::process::id()) };
    match page.load(Ordering::Acquire) {
        0 => {
            let next = COUNT.fetch_add(1, Ordering::AcqRel) + 1;
            match page.compare_exchange(0, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => next,
                Err(other) => other,
            }
        }
        known => known,
    }
}
