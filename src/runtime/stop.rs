//! Stop requests to harts that execute translated code, which need no lock there, and the lock that
//! serialises invalidation. Checked for all interleavings by
//! `RUSTFLAGS="--cfg loom" cargo test --lib runtime::stop`.

#[cfg(all(loom, test))]
use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU32, Ordering, fence},
};
use std::sync::PoisonError;
#[cfg(not(all(loom, test)))]
use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU32, Ordering, fence},
};

/// Stop requests to a hart, a bit for each kind. Another thread that sets one also arms: it makes
/// the hart leave translated code at its next poll.
pub(super) struct StopRequests(AtomicU32);

impl StopRequests {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Sets `flag`, and then arms. Async-signal-safe if `arm` is.
    pub(super) fn raise(&self, flag: u32, arm: impl FnOnce()) {
        self.0.fetch_or(flag, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        arm();
    }

    /// True if there is a request.
    #[inline]
    pub(super) fn any(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    /// Takes all requests; the caller serves them.
    pub(super) fn take(&self) -> u32 {
        self.0.swap(0, Ordering::AcqRel)
    }

    /// Undoes the arming of requests that have been taken, unless there are new ones; called by the
    /// hart itself. The flags are read last: one that was set before, even by a signal handler in
    /// between, is seen, and whoever sets one later arms afterwards.
    pub(super) fn disarm(&self, disarm: impl FnOnce(), arm: impl FnOnce()) {
        disarm();
        fence(Ordering::SeqCst);
        if self.any() {
            arm();
        }
    }
}

/// The lock that serialises invalidation of translations: one hart holds it while the others wait.
pub(super) struct InvalidationLock {
    lock: Mutex<()>,
    busy: AtomicBool,
}

/// The lock is held until this is dropped.
pub(super) struct Invalidating<'a> {
    busy: &'a AtomicBool,
    _lock: MutexGuard<'a, ()>,
}

impl InvalidationLock {
    pub(super) fn new() -> Self {
        Self { lock: Mutex::new(()), busy: AtomicBool::new(false) }
    }

    /// Waits for the lock, and takes it.
    pub(super) fn take(&self) -> Invalidating<'_> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.busy.store(true, Ordering::Release);
        Invalidating { busy: &self.busy, _lock: lock }
    }

    /// True if the lock is held. After an acquire load has shown that another thread has taken the
    /// list of events, this is true until that thread has finished invalidating.
    #[inline]
    pub(super) fn busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }
}

impl Drop for Invalidating<'_> {
    fn drop(&mut self) {
        // The lock, a field, is released after this.
        self.busy.store(false, Ordering::Release);
    }
}

#[cfg(all(loom, test))]
mod tests {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// A hart that goes on disarmed has taken all requests, or is armed for those that it has not.
    #[test]
    fn no_stop_request_is_missed() {
        loom::model(|| {
            let shared = Arc::new((StopRequests::new(), AtomicBool::new(false)));
            let raisers: Vec<_> = [1, 2]
                .into_iter()
                .map(|flag| {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        shared.0.raise(flag, || shared.1.store(true, Ordering::Relaxed));
                    })
                })
                .collect();
            let (wants, armed) = &*shared;
            let heard = wants.take();
            wants.disarm(
                || armed.store(false, Ordering::Relaxed),
                || armed.store(true, Ordering::Relaxed),
            );
            for raiser in raisers {
                raiser.join().unwrap();
            }
            let rest = wants.take();
            assert_eq!(heard | rest, 3);
            assert!(rest == 0 || armed.load(Ordering::Relaxed));
        });
    }

    /// Both harts change a mapping; each runs code afterwards, and none of what it made void.
    #[test]
    fn nobody_goes_on_before_what_was_taken_is_done() {
        struct Shared {
            invalidation: InvalidationLock,
            pending: AtomicBool,
            events: Mutex<Vec<usize>>,
            valid: [AtomicBool; 2],
        }
        fn change_and_serve(s: &Shared, me: usize) {
            {
                let mut events = s.events.lock().unwrap();
                events.push(me);
                s.pending.store(true, Ordering::Release);
            }
            if s.pending.load(Ordering::Acquire) || s.invalidation.busy() {
                let _turn = s.invalidation.take();
                let taken = {
                    let mut events = s.events.lock().unwrap();
                    s.pending.store(false, Ordering::Release);
                    std::mem::take(&mut *events)
                };
                for n in taken {
                    s.valid[n].store(false, Ordering::Relaxed);
                }
            }
            assert!(!s.valid[me].load(Ordering::Relaxed), "stale code is run");
        }
        loom::model(|| {
            let shared = Arc::new(Shared {
                invalidation: InvalidationLock::new(),
                pending: AtomicBool::new(false),
                events: Mutex::new(Vec::new()),
                valid: [AtomicBool::new(true), AtomicBool::new(true)],
            });
            let other = Arc::clone(&shared);
            let hart = thread::spawn(move || change_and_serve(&other, 1));
            change_and_serve(&shared, 0);
            hart.join().unwrap();
        });
    }
}
