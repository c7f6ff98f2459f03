//! The memory of the harts that check what an emitter does, and random numbers for them.

use crate::ir;
use crate::mem::Mode;
use rustc_hash::FxHashMap;

/// Random numbers, the same for the same block (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Those that follow from a number.
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Others.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.next_u64())
    }

    /// A value as registers have them: now and then one that is special to many operations.
    pub(super) fn value(&mut self) -> u64 {
        const SPECIAL: [u64; 8] =
            [0, 1, u64::MAX, 1 << 63, 0x7fff_ffff, 0xffff_ffff, 0xffff_ffff_8000_0000, 64];
        let r = self.next_u64();
        match r % 8 {
            0 => SPECIAL[(r >> 8) as usize % SPECIAL.len()],
            1 => r as i32 as u64,
            _ => self.next_u64(),
        }
    }
}

pub(super) fn mix(x: u64) -> u64 {
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// The guest's memory: what is at an address follows from the address, whatever is stored.
#[derive(Clone)]
pub struct Guest<'c> {
    pub(super) key: u64,
    pub(super) mode: Mode,
    /// Addresses of counters, which are none of the guest's.
    pub(super) counters: std::ops::Range<u64>,
    /// What real memory holds, in one of the states.
    pub(super) peek: Option<&'c dyn Fn(u64) -> Option<u64>>,
    /// What has been found there: the guest may write to it meanwhile.
    pub(super) peeked: FxHashMap<u64, Option<u64>>,
    /// What was stored: address, bytes, value.
    pub(super) stores: Vec<(u64, u32, u64)>,
    /// Addresses of accesses whose values are not known.
    pub(super) touched: Vec<u64>,
    /// Something was executed of which not all is known.
    pub unknown: bool,
}

impl Guest<'_> {
    /// How guest addresses become host addresses.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether a host address is that of a counter.
    #[must_use]
    pub fn is_counter(&self, host: u64) -> bool {
        self.counters.contains(&host)
    }

    /// An access of which nothing is known but its address.
    pub fn touch(&mut self, addr: u64) {
        self.touched.push(self.reduced(addr));
    }

    pub(super) const fn reduced(&self, addr: u64) -> u64 {
        match self.mode {
            Mode::Sandbox => addr & 0xffff_ffff,
            Mode::Identity | Mode::Guarded => addr,
        }
    }

    pub(super) fn begin(&mut self) {
        self.stores.clear();
        self.touched.clear();
        self.unknown = false;
    }
}

impl ir::Memory for Guest<'_> {
    fn load(&mut self, addr: u64, bytes: u32) -> u64 {
        let addr = self.reduced(addr);
        if bytes == 8
            && let Some(peek) = self.peek
            && let Some(value) = *self.peeked.entry(addr).or_insert_with(|| peek(addr))
        {
            return value;
        }
        let word = |at: u64| mix(at ^ self.key);
        let (low, shift) = (word(addr & !7), addr % 8 * 8);
        let high = if shift == 0 { 0 } else { word((addr & !7).wrapping_add(8)) << (64 - shift) };
        (low >> shift | high) & (u64::MAX >> (64 - 8 * bytes))
    }

    fn store(&mut self, addr: u64, bytes: u32, value: u64) {
        self.stores.push((self.reduced(addr), bytes, value & (u64::MAX >> (64 - 8 * bytes))));
    }
}
