//! How harts and those who want something of them do not miss each other: without locks where
//! translated code runs. Checked for all interleavings by
//! `RUSTFLAGS="--cfg loom" cargo test --lib handshake`.

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

/// What others want of a hart. Who wants something also arms: makes the hart leave translated code.
pub(super) struct Wants(AtomicU32);

impl Wants {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Wants `flag`, and then arms. Async-signal-safe if `arm` is.
    pub(super) fn raise(&self, flag: u32, arm: impl FnOnce()) {
        self.0.fetch_or(flag, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        arm();
    }

    /// True if somebody wants something.
    pub(super) fn any(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    /// What is wanted; it is the caller's to do then.
    pub(super) fn take(&self) -> u32 {
        self.0.swap(0, Ordering::AcqRel)
    }

    /// Undoes the arming of what has been taken, by the hart itself, unless somebody wants
    /// something. The flags are looked at last: who raised one before that, even from a signal
    /// handler in between, is seen, and who raises one later arms by itself.
    pub(super) fn disarm(&self, disarm: impl FnOnce(), arm: impl FnOnce()) {
        disarm();
        fence(Ordering::SeqCst);
        if self.any() {
            arm();
        }
    }
}

/// The right to invalidate, which one hart has at a time while the others wait.
pub(super) struct Turns {
    lock: Mutex<()>,
    busy: AtomicBool,
}

/// The right, until dropped.
pub(super) struct Turn<'a> {
    busy: &'a AtomicBool,
    _lock: MutexGuard<'a, ()>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { lock: Mutex::new(()), busy: AtomicBool::new(false) }
    }

    /// Waits until nobody has the right, and takes it.
    pub(super) fn take(&self) -> Turn<'_> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.busy.store(true, Ordering::Release);
        Turn { busy: &self.busy, _lock: lock }
    }

    /// True if somebody has the right. Whoever has found, with acquire, that there is nothing left
    /// to do since somebody has taken it away, finds here that it is not done yet.
    pub(super) fn busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }
}

impl Drop for Turn<'_> {
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

    /// A hart that goes on disarmed has heard of everybody, and who it has not heard of has armed.
    #[test]
    fn nobody_who_wants_something_is_missed() {
        loom::model(|| {
            let shared = Arc::new((Wants::new(), AtomicBool::new(false)));
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
            turns: Turns,
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
            if s.pending.load(Ordering::Acquire) || s.turns.busy() {
                let _turn = s.turns.take();
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
                turns: Turns::new(),
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
