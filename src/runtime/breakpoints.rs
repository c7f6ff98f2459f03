//! Addresses at which execution stops for a debugger. Guest memory is not touched: the copies of
//! code that are translated have an `ebreak` there, and the interpreter looks before it executes.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Encodings of `c.ebreak` and `ebreak`.
const EBREAK: ([u8; 2], [u8; 4]) = ([0x02, 0x90], [0x73, 0x00, 0x10, 0x00]);

/// The breakpoints of a machine.
#[derive(Debug, Default)]
pub(super) struct Breakpoints {
    set: Mutex<BTreeSet<u64>>,
    /// Number of them in the low half; the high half grows with every change.
    state: AtomicU64,
}

impl Breakpoints {
    /// Held while the process is copied.
    pub(super) fn hold(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds or removes one; false if it was so already.
    pub(super) fn set(&self, pc: u64, on: bool) -> bool {
        let mut set = self.hold();
        let changed = if on { set.insert(pc) } else { set.remove(&pc) };
        if changed {
            let version = (self.state.load(Ordering::Relaxed) >> 32) + 1;
            self.state.store(version << 32 | set.len() as u64, Ordering::Release);
        }
        changed
    }

    /// True if there is one.
    pub(super) fn any(&self) -> bool {
        self.state.load(Ordering::Acquire) as u32 != 0
    }

    /// Another number after every change.
    pub(super) fn version(&self) -> u64 {
        self.state.load(Ordering::Acquire) >> 32
    }

    /// True if there is one at `pc`.
    pub(super) fn contains(&self, pc: u64) -> bool {
        self.any() && self.hold().contains(&pc)
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<u64> {
        self.hold().iter().copied().collect()
    }

    /// Puts them into a copy of the code at `start`; `short` if instructions may have two bytes.
    pub(super) fn mark(&self, start: u64, code: &mut [u8], short: bool) {
        if !self.any() {
            return;
        }
        let insn: &[u8] = if short { &EBREAK.0 } else { &EBREAK.1 };
        let range: Range<u64> = start..start.saturating_add(code.len() as u64);
        for pc in self.hold().range(range) {
            let at = (pc - start) as usize;
            // Of one at the very end only a part is in the copy.
            let end = code.len().min(at + insn.len());
            code[at..end].copy_from_slice(&insn[..end - at]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_marked_and_versions_grow() {
        let all = Breakpoints::default();
        let mut code = [0x13; 8];
        all.mark(0x1000, &mut code, true);
        assert_eq!(code, [0x13; 8]);
        assert!(all.set(0x1002, true) && !all.set(0x1002, true) && all.set(0x1006, true));
        let before = all.version();
        all.mark(0x1000, &mut code, false);
        assert_eq!(code, [0x13, 0x13, 0x73, 0, 0x10, 0, 0x73, 0]);
        let mut code = [0x13; 3];
        all.mark(0x1000, &mut code, true);
        assert_eq!(code, [0x13, 0x13, 0x02]);
        assert!(all.contains(0x1002) && !all.contains(0x1004));
        assert!(all.set(0x1002, false) && all.version() != before);
        assert_eq!(all.all(), [0x1006]);
        assert!(all.set(0x1006, false) && !all.any());
    }
}
