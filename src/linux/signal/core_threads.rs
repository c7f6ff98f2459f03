//! The threads of a process that ends with a core.

use crate::linux::lock::lock;
use crate::linux::signal::core_file::ThreadNote;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

/// The threads of a process while it ends.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    pub(super) begun: AtomicBool,
    pub(super) stopped: Mutex<Vec<ThreadNote>>,
}

impl Gathering {
    /// Keeps threads from stopping, while the process is copied.
    pub(crate) fn hold(&self) -> impl Drop + use<'_> {
        Held { _stopped: lock(&self.stopped) }
    }

    /// In a new process, whose one thread goes on.
    pub(crate) fn after_fork(&self) {
        self.begun.store(false, Ordering::Relaxed);
        lock(&self.stopped).clear();
    }

    /// True if the thread that asks must stop and leave its registers.
    pub(crate) fn begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }
}

struct Held<'a> {
    _stopped: MutexGuard<'a, Vec<ThreadNote>>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {}
}
