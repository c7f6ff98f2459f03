//! The right to execute guest code, where one hart has it at a time (`EngineKind::Verify`): what a
//! block of one hart reads and writes, no other hart changes meanwhile.
//!
//! A hart may be gone without giving it back, where it was a process of its own that shares memory
//! (`vfork`): it is then still its own when it comes again. So nothing here counts who waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longest time for which somebody who gives way waits until another has come.
const GIVE_WAY: Duration = Duration::from_micros(500);
/// Time after which [`Baton::take`] says that it waits.
const LONG: Duration = Duration::from_secs(1);

/// The right. Holders are told apart by numbers other than 0.
#[derive(Debug, Default)]
pub(super) struct Baton {
    state: Mutex<State>,
    /// Somebody waits for it.
    wanted: AtomicBool,
    free: Condvar,
    taken: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Number of the hart that holds it, or 0.
    holder: u64,
    /// Number of times that it has been taken.
    times: u64,
    /// Somebody has given way and waits until it has been taken.
    giving_way: bool,
}

impl Baton {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for it and takes it. `long` is called whenever that has taken long.
    pub(super) fn take(&self, me: u64, long: impl Fn()) {
        let mut state = self.lock();
        while state.holder != 0 && state.holder != me {
            self.wanted.store(true, Ordering::Relaxed);
            let (again, waited) =
                self.free.wait_timeout(state, LONG).unwrap_or_else(PoisonError::into_inner);
            state = again;
            // Others may wait too: who gives it back must look.
            self.wanted.store(true, Ordering::Relaxed);
            if waited.timed_out() {
                drop(state);
                long();
                state = self.lock();
            }
        }
        state.holder = me;
        state.times += 1;
        if std::mem::take(&mut state.giving_way) {
            self.taken.notify_all();
        }
    }

    /// Gives it back.
    pub(super) fn give(&self) {
        self.lock().holder = 0;
        if self.wanted.load(Ordering::Relaxed) {
            self.free.notify_one();
        }
    }

    /// True if somebody waits for it.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Lets somebody else have it for a while, if anybody waits.
    pub(super) fn give_way(&self, me: u64, long: impl Fn()) {
        let mut state = self.lock();
        self.wanted.store(false, Ordering::Relaxed);
        let times = state.times;
        (state.holder, state.giving_way) = (0, true);
        self.free.notify_one();
        let same = |state: &mut State| state.times == times;
        let waited = self.taken.wait_timeout_while(state, GIVE_WAY, same);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.take(me, long);
    }

    /// Waits until nobody has it and keeps it so until the result is dropped: for `fork`.
    pub(super) fn hold(&self) -> impl Drop + use<'_> {
        let mut state = self.lock();
        while state.holder != 0 {
            self.wanted.store(true, Ordering::Relaxed);
            state = self.free.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Held { _state: state, baton: self }
    }
}

struct Held<'a> {
    _state: MutexGuard<'a, State>,
    baton: &'a Baton,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Who has been woken meanwhile finds it free; others may wait.
        self.baton.free.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn one_has_it_at_a_time_and_everybody_gets_it() {
        let (baton, inside) = (Baton::default(), AtomicU64::new(0));
        let alone = |me: u64| {
            assert_eq!(inside.swap(me, Ordering::Relaxed), 0);
            std::hint::spin_loop();
            assert_eq!(inside.swap(0, Ordering::Relaxed), me);
        };
        std::thread::scope(|scope| {
            for me in 1..=4 {
                let (baton, alone) = (&baton, &alone);
                scope.spawn(move || {
                    for n in 0..2000 {
                        baton.take(me, || ());
                        alone(me);
                        if n % 3 == 0 && baton.is_wanted() {
                            baton.give_way(me, || ());
                            alone(me);
                        }
                        baton.give();
                        if n % 500 == 0 {
                            let held = baton.hold();
                            alone(me);
                            drop(held);
                        }
                    }
                });
            }
        });
        // Who has gone without giving it back has it still.
        baton.take(7, || ());
        baton.take(7, || ());
        baton.give();
        drop(baton.hold());
    }
}
