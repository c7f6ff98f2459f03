//! Guest memory as a hart would see it had it made stores that it has not made: they are kept here,
//! and loads see them. What is loaded is kept too, so that the same instructions can be executed
//! again, whatever memory holds by then.

use super::{Data, Fault, Memory};
use crate::util::{PAGE_SIZE, page_down};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::sync::Arc;

/// Words that are searched for one by one. Hardly any block stores to more.
const FEW: usize = 16;
/// Words for which the index keeps its memory.
const MANY: usize = 4096;

/// An aligned doubleword, part of which has been stored to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Effective address of the word.
    pub addr: u64,
    /// Contents of memory before the store.
    pub old: u64,
    /// What it would hold now, as far as `seen` says.
    pub new: u64,
    /// The bits of `new` that loads see.
    seen: u64,
    /// The bits that have been stored.
    pub mask: u64,
}

/// A value that was loaded.
#[derive(Clone, Copy)]
struct Loaded {
    addr: u64,
    value: u64,
    size: u8,
    /// Part of it had been stored here.
    own: bool,
}

/// Memory with stores that have not been made. It belongs to one thread.
pub struct Overlay {
    memory: Arc<Memory>,
    log: RefCell<Log>,
}

#[derive(Default)]
struct Log {
    words: Vec<Stored>,
    /// Where in `words` an address is, beyond the first [`FEW`].
    index: FxHashMap<u64, usize>,
    loads: Vec<Loaded>,
    /// Loads that have been replayed, while they are.
    replayed: Option<usize>,
    /// The page for which a store was last found to be allowed.
    allowed: Option<u64>,
}

impl std::fmt::Debug for Overlay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let log = self.log.borrow();
        write!(f, "Overlay({} words, {} loads)", log.words.len(), log.loads.len())
    }
}

impl Overlay {
    /// No stores over `memory`.
    #[must_use]
    pub fn new(memory: Arc<Memory>) -> Self {
        Self { memory, log: RefCell::default() }
    }

    /// Forgets all stores and loads.
    pub fn clear(&self) {
        let log = &mut *self.log.borrow_mut();
        log.forget_words();
        log.loads.clear();
        (log.replayed, log.allowed) = (None, None);
    }

    /// Takes all stores back. The loads that follow must be those that have been, and get the same
    /// values. Returns what was stored.
    pub fn rewind(&self) -> Vec<Stored> {
        let log = &mut *self.log.borrow_mut();
        let stored = log.words.clone();
        log.forget_words();
        log.replayed = Some(0);
        stored
    }

    /// Forgets all loads, and takes for the contents of memory what it holds now, but for `stored`,
    /// where it is what was there before.
    pub fn undo(&self, stored: &[Stored]) {
        self.clear();
        let log = &mut *self.log.borrow_mut();
        for word in stored {
            log.add(Stored { new: word.old, seen: word.mask, mask: 0, ..*word });
        }
    }

    /// True if memory holds what has been stored.
    #[must_use]
    pub fn is_made(&self) -> bool {
        let made = |w: &Stored| {
            self.memory.read_u64(w.addr).is_ok_and(|found| (found ^ w.new) & w.mask == 0)
        };
        self.log.borrow().words.iter().all(made)
    }

    /// Bytes that memory does not hold: effective address, what is expected, and what was found.
    /// Expected is what has been stored; and what was there before, where something else has only
    /// been stored since, as `later` says.
    #[must_use]
    pub fn not_made(&self, later: &[Stored]) -> Vec<(u64, u8, Option<u8>)> {
        let log = self.log.borrow();
        let now = log.words.iter().map(|w| (w.addr, w.new, w.mask));
        let then = later.iter().map(|w| {
            let made = log.find(w.addr).map_or(0, |n| log.words[n].mask);
            (w.addr, w.old, w.mask & !made)
        });
        let mut bytes = Vec::new();
        for (addr, expected, mask) in now.chain(then) {
            let (expected, mask) = (expected.to_le_bytes(), mask.to_le_bytes());
            for n in (0..8).filter(|n| mask[*n] != 0) {
                let found = self.memory.read_u8(addr + n as u64).ok();
                if found != Some(expected[n]) {
                    bytes.push((addr + n as u64, expected[n], found));
                }
            }
        }
        bytes
    }

    /// True if memory holds something else by now than what has been loaded from it, other than
    /// where something has been stored since.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        let log = self.log.borrow();
        log.loads.iter().filter(|l| !l.own).any(|l| {
            let words = [l.addr & !7, l.addr.wrapping_add(u64::from(l.size) - 1) & !7];
            let stored = words.iter().any(|w| log.find(*w).is_some());
            let now = match l.size {
                1 => self.memory.read_u8(l.addr).map(u64::from),
                2 => self.memory.read_u16(l.addr).map(u64::from),
                4 => self.memory.read_u32(l.addr).map(u64::from),
                _ => self.memory.read_u64(l.addr),
            };
            !stored && now != Ok(l.value)
        })
    }

    /// True if something has been loaded from or stored to memory that other processes may write.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        let log = self.log.borrow();
        let mut all = log.loads.iter().map(|l| l.addr).chain(log.words.iter().map(|w| w.addr));
        all.any(|addr| self.memory.mapping(addr).is_some_and(|(_, m)| m.shared))
    }

    /// Loads `size` bytes, which are `read` from memory.
    #[inline]
    fn load(
        &self,
        addr: u64,
        size: u8,
        read: impl FnOnce(&Memory) -> Result<u64, Fault>,
    ) -> Result<u64, Fault> {
        let log = &mut *self.log.borrow_mut();
        if let Some(n) = &mut log.replayed
            && let Some(load) = log.loads.get(*n)
        {
            *n += 1;
            return Ok(load.value);
        }
        let found = read(&self.memory)?;
        let addr = self.memory.effective(addr);
        let value = log.over(addr, size, found);
        log.loads.push(Loaded { addr, value, size, own: value != found });
        Ok(value)
    }

    /// Finds out whether a store of `size` bytes is allowed.
    #[inline]
    fn allow(&self, log: &mut Log, addr: u64, size: u64) -> Result<(), Fault> {
        let page = page_down(addr);
        if log.replayed.is_some() || log.allowed == Some(page) && addr - page <= PAGE_SIZE - size {
            return Ok(());
        }
        self.memory.check_store(addr, size)?;
        log.allowed = Some(page);
        Ok(())
    }

    #[inline]
    fn store(&self, addr: u64, size: u8, value: u64) -> Result<(), Fault> {
        let log = &mut *self.log.borrow_mut();
        self.allow(log, addr, u64::from(size))?;
        log.put(&self.memory, self.memory.effective(addr), size, value);
        Ok(())
    }

    /// Compares and stores, as [`Data`]'s methods do. A lack of permission to store comes first.
    fn exchange(
        &self,
        addr: u64,
        size: u8,
        (expected, new): (u64, u64),
        read: impl FnOnce(&Memory) -> Result<u64, Fault>,
    ) -> Result<u64, Fault> {
        self.allow(&mut self.log.borrow_mut(), addr, u64::from(size))?;
        let found = self.load(addr, size, read)?;
        if found == expected {
            self.store(addr, size, new)?;
        }
        Ok(found)
    }
}

impl Log {
    fn forget_words(&mut self) {
        if self.words.len() > FEW {
            self.index.clear();
        }
        if self.index.capacity() > MANY {
            self.index = FxHashMap::default();
        }
        self.words.clear();
    }

    fn find(&self, word: u64) -> Option<usize> {
        let few = &self.words[..self.words.len().min(FEW)];
        let found = few.iter().position(|w| w.addr == word);
        if found.is_none() && self.words.len() > FEW {
            return self.index.get(&word).copied();
        }
        found
    }

    fn add(&mut self, word: Stored) -> usize {
        if self.words.len() >= FEW {
            self.index.insert(word.addr, self.words.len());
        }
        self.words.push(word);
        self.words.len() - 1
    }

    /// `found`, the `size` bytes that memory holds at `addr`, with what has been stored.
    #[inline]
    fn over(&self, addr: u64, size: u8, found: u64) -> u64 {
        if self.words.is_empty() {
            return found;
        }
        let shift = (addr & 7) * 8;
        let bits = u64::MAX >> (64 - 8 * u32::from(size));
        let mut value = found;
        if let Some(n) = self.find(addr & !7) {
            let Stored { new, seen, .. } = self.words[n];
            value = value & !(seen >> shift) | (new & seen) >> shift;
        }
        if shift + 8 * u64::from(size) > 64
            && let Some(n) = self.find((addr & !7) + 8)
        {
            let Stored { new, seen, .. } = self.words[n];
            value = value & !(seen << (64 - shift)) | (new & seen) << (64 - shift);
        }
        value & bits
    }

    #[inline]
    fn put(&mut self, memory: &Memory, addr: u64, size: u8, value: u64) {
        let shift = (addr & 7) * 8;
        let bits = u64::MAX >> (64 - 8 * u32::from(size));
        self.put_word(memory, addr & !7, value << shift, bits << shift);
        if shift + 8 * u64::from(size) > 64 {
            let over = 64 - shift;
            self.put_word(memory, (addr & !7) + 8, value >> over, bits >> over);
        }
    }

    #[inline]
    fn put_word(&mut self, memory: &Memory, addr: u64, value: u64, mask: u64) {
        let n = self.find(addr).unwrap_or_else(|| {
            // What may be written but not read is taken for 0.
            let old = memory.read_u64(addr).unwrap_or(0);
            self.add(Stored { addr, old, new: 0, seen: 0, mask: 0 })
        });
        let word = &mut self.words[n];
        word.new = word.new & !mask | value & mask;
        word.seen |= mask;
        word.mask |= mask;
    }
}

macro_rules! data {
    ($($read:ident $write:ident $cas:ident $ty:ty;)*) => {
        impl Data for Overlay {
            $(
                fn $read(&self, addr: u64) -> Result<$ty, Fault> {
                    let size = size_of::<$ty>() as u8;
                    self.load(addr, size, |m| m.$read(addr).map(u64::from)).map(|v| v as $ty)
                }

                fn $write(&self, addr: u64, value: $ty) -> Result<(), Fault> {
                    self.store(addr, size_of::<$ty>() as u8, u64::from(value))
                }

                fn $cas(&self, addr: u64, expected: $ty, new: $ty) -> Result<$ty, Fault> {
                    let (size, values) =
                        (size_of::<$ty>() as u8, (u64::from(expected), u64::from(new)));
                    let read = |m: &Memory| m.$read(addr).map(u64::from);
                    self.exchange(addr, size, values, read).map(|v| v as $ty)
                }
            )*

            fn cas_u128(&self, addr: u64, expected: u128, new: u128) -> Result<u128, Fault> {
                self.allow(&mut self.log.borrow_mut(), addr, 16)?;
                let high = addr.wrapping_add(8);
                let found = u128::from(self.read_u64(addr)?) | u128::from(self.read_u64(high)?) << 64;
                if found == expected {
                    self.write_u64(addr, new as u64)?;
                    self.write_u64(high, (new >> 64) as u64)?;
                }
                Ok(found)
            }

            fn fill(&self, addr: u64, byte: u8, len: u64) -> Result<(), Fault> {
                (addr..addr.wrapping_add(len)).try_for_each(|at| self.write_u8(at, byte))
            }
        }
    };
}

data! {
    read_u8 write_u8 cas_u8 u8;
    read_u16 write_u16 cas_u16 u16;
    read_u32 write_u32 cas_u32 u32;
    read_u64 write_u64 cas_u64 u64;
}

#[cfg(test)]
mod tests {
    use super::super::{Access, Mode, Prot};
    use super::*;

    const AT: u64 = 0x1_0000;

    fn overlay() -> (Arc<Memory>, Overlay) {
        crate::sys::signal::install_handlers().unwrap();
        let memory = Arc::new(Memory::new(Mode::Guarded, 1 << 20).unwrap());
        memory.map_zero(AT, 2 * PAGE_SIZE, Prot::RW).unwrap();
        memory.map_zero(AT + 2 * PAGE_SIZE, PAGE_SIZE, Prot::R).unwrap();
        (Arc::clone(&memory), Overlay::new(memory))
    }

    /// The same loads and stores of every size at every alignment, here and in memory of their own.
    #[test]
    fn loads_see_what_memory_would_hold() {
        let (under, o) = overlay();
        let (memory, _) = overlay();
        let mut rng = 7u64;
        for round in 0..2000 {
            rng = rng.wrapping_mul(6364136223846793005).wrapping_add(round);
            let (addr, value) = (AT + PAGE_SIZE - 100 + (rng >> 33) % 200, rng.rotate_left(21));
            match rng >> 60 {
                0 => assert_eq!(o.write_u8(addr, value as u8), memory.write_u8(addr, value as u8)),
                1 => assert_eq!(
                    o.write_u16(addr, value as u16),
                    memory.write_u16(addr, value as u16)
                ),
                2 => assert_eq!(
                    o.write_u32(addr, value as u32),
                    memory.write_u32(addr, value as u32)
                ),
                3 => assert_eq!(o.write_u64(addr, value), memory.write_u64(addr, value)),
                4 => {
                    let (addr, old) = (addr & !7, memory.read_u64(addr & !7).unwrap());
                    assert_eq!(o.cas_u64(addr, old, value), memory.cas_u64(addr, old, value));
                }
                5 => assert_eq!(o.cas_u128(addr & !15, 0, 1), memory.cas_u128(addr & !15, 0, 1)),
                6 => assert_eq!(o.fill(addr & !63, 0, 64), memory.fill(addr & !63, 0, 64)),
                7 | 8 => assert_eq!(o.read_u8(addr), memory.read_u8(addr)),
                9 | 10 => assert_eq!(o.read_u16(addr), memory.read_u16(addr)),
                11 | 12 => assert_eq!(o.read_u32(addr), memory.read_u32(addr)),
                _ => assert_eq!(o.read_u64(addr), memory.read_u64(addr)),
            }
        }
        assert_eq!(under.read_u64(AT + PAGE_SIZE), Ok(0), "nothing is stored");
        assert!(!o.is_made());
        for (addr, expected, found) in o.not_made(&[]) {
            assert_eq!((memory.read_u8(addr), found), (Ok(expected), Some(0)));
            under.write_u8(addr, expected).unwrap();
        }
        assert!(o.is_made() && o.not_made(&[]).is_empty());
    }

    #[test]
    fn stores_fault_as_in_memory() {
        let (memory, o) = overlay();
        let end = AT + 2 * PAGE_SIZE;
        for (addr, mapped) in [(end, true), (end - 3, true), (end + PAGE_SIZE, false), (!7, false)]
        {
            let fault = o.write_u64(addr, 1).unwrap_err();
            assert_eq!((fault.access, fault.mapped), (Access::Write, mapped));
            assert_eq!(memory.write_u64(addr, 1), Err(fault));
        }
        assert_eq!(o.cas_u32(end, 0, 1), memory.cas_u32(end, 0, 1));
        assert!(o.rewind().is_empty());
    }

    #[test]
    fn loads_are_replayed_and_changes_are_noticed() {
        let (memory, o) = overlay();
        memory.write_u32(AT, 5).unwrap();
        assert_eq!((o.read_u32(AT), o.has_changed()), (Ok(5), false));
        o.write_u32(AT + 8, 6).unwrap();
        memory.write_u32(AT, 7).unwrap();
        memory.write_u32(AT + 8, 6).unwrap();
        assert!(o.has_changed() && o.is_made() && !o.is_shared());
        let stored = o.rewind();
        assert_eq!((o.read_u32(AT), o.read_u32(AT + 8)), (Ok(5), Ok(6)));
        assert_eq!(o.not_made(&stored), [(AT + 8, 0, Some(6))], "not stored yet");
        o.undo(&stored);
        assert_eq!((o.read_u32(AT), o.read_u32(AT + 8)), (Ok(7), Ok(0)));
    }
}
