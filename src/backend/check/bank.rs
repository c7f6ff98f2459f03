//! What every simulated host has.

use super::{Guest, Random};
use crate::backend::{RegMap, STATE_BIAS, ThreadState, float_slot, slot};
use crate::ir::Memory as _;
use std::mem::offset_of;
use std::ops::Range;

/// Bytes of the thread state that code works on.
const STATE: usize = offset_of!(ThreadState, fault);

/// Registers and the thread state, with random contents at first.
#[derive(Clone)]
pub struct Bank {
    /// Where guest registers live by the contract.
    contract: &'static RegMap,
    /// Where they live in the code that is executed.
    map: RegMap,
    /// General registers.
    pub registers: [u64; 32],
    /// Low halves of vector registers.
    pub vectors: [u64; 32],
    state: [u8; STATE],
    /// For what is not known.
    pub random: Random,
}

/// What an access names.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// Guest memory.
    Guest(u64),
    /// The thread state, at a displacement from the state pointer.
    State(i64),
    /// The host's stack, counters, tables: nothing that matters.
    Other,
}

impl Bank {
    /// One for a host with this map.
    pub fn new(map: &'static RegMap, random: &mut Random) -> Self {
        let random = random.fork();
        Self {
            contract: map,
            map: *map,
            registers: [0; 32],
            vectors: [0; 32],
            state: [0; STATE],
            random,
        }
    }

    /// Says where guest registers live in the code that is executed.
    pub fn set_map(&mut self, map: RegMap) {
        self.map = map;
    }

    /// What the home of a guest register by the contract holds.
    #[must_use]
    pub fn contract_home(&self, r: u8) -> u64 {
        self.home_by(self.contract, r)
    }

    /// Changes that.
    pub fn set_contract_home(&mut self, r: u8, value: u64) {
        match self.contract.int(r) {
            Some(h) => self.set_register(h, value),
            None => self.set_field(slot(r), 8, value),
        }
    }

    fn home_by(&self, map: &RegMap, r: u8) -> u64 {
        map.int(r).map_or_else(|| self.field(slot(r), 8), |h| self.register(h))
    }

    /// What the home of a guest register holds: its host register or its slot.
    #[must_use]
    pub fn home(&self, r: u8) -> u64 {
        self.home_by(&self.map, r)
    }

    /// Changes that.
    pub fn set_home(&mut self, r: u8, value: u64) {
        match self.map.int(r) {
            Some(h) => self.set_register(h, value),
            None => self.set_field(slot(r), 8, value),
        }
    }

    /// What the home of a floating-point register holds: its vector register or its slot.
    #[must_use]
    pub fn float_home(&self, r: u8) -> u64 {
        let vector = self.map.float(r).map(usize::from);
        vector.map_or_else(|| self.field(float_slot(r), 8), |x| self.vectors[x])
    }

    /// Changes that.
    pub fn set_float_home(&mut self, r: u8, value: u64) {
        match self.map.float(r) {
            Some(x) => self.vectors[usize::from(x)] = value,
            None => self.set_field(float_slot(r), 8, value),
        }
    }

    /// A general register.
    #[must_use]
    pub fn register(&self, h: u8) -> u64 {
        self.registers[usize::from(h)]
    }

    /// Changes that.
    pub fn set_register(&mut self, h: u8, value: u64) {
        self.registers[usize::from(h)] = value;
    }

    /// `bytes` bytes of the thread state, at a displacement from the state pointer.
    fn field(&self, disp: i32, bytes: u32) -> u64 {
        let mut out = [0; 8];
        if let Some(from) = self.state.get(range(disp.into(), bytes)) {
            out[..from.len()].copy_from_slice(from);
        }
        u64::from_le_bytes(out)
    }

    /// Changes that.
    pub fn set_field(&mut self, disp: i32, bytes: u32, value: u64) {
        if let Some(to) = self.state.get_mut(range(disp.into(), bytes)) {
            to.copy_from_slice(&value.to_le_bytes()[..bytes as usize]);
        }
    }

    /// What `bytes` bytes at a place hold.
    pub fn read(&mut self, place: Place, bytes: u32, guest: &mut Guest<'_>) -> u64 {
        match place {
            Place::Guest(at) => guest.load(at, bytes),
            Place::State(disp) => self.field(disp as i32, bytes),
            Place::Other => self.random.next_u64() & (u64::MAX >> (64 - 8 * bytes)),
        }
    }

    /// Changes that.
    pub fn write(&mut self, place: Place, bytes: u32, value: u64, guest: &mut Guest<'_>) {
        match place {
            Place::Guest(at) => guest.store(at, bytes, value),
            Place::State(disp) => self.set_field(disp as i32, bytes, value),
            Place::Other => {}
        }
    }

    /// An access by an instruction whose values are not known.
    pub fn touch(&mut self, place: Place, bytes: u32, writes: bool, guest: &mut Guest<'_>) {
        match place {
            Place::Guest(at) => guest.touch(at),
            Place::State(disp) if writes => {
                for at in range(disp, bytes) {
                    let random = self.random.next_u64();
                    if let Some(byte) = self.state.get_mut(at) {
                        *byte = random as u8;
                    }
                }
            }
            Place::State(_) | Place::Other => {}
        }
    }
}

/// Indices into the state's bytes.
fn range(disp: i64, bytes: u32) -> Range<usize> {
    let start = usize::try_from(disp + STATE_BIAS as i64).unwrap_or(usize::MAX);
    start..start.saturating_add(bytes as usize)
}

/// Lets a simulated host be used as the [`Bank`] in its field `bank`.
macro_rules! has_bank {
    ($machine:ident) => {
        impl std::ops::Deref for $machine {
            type Target = $crate::backend::check::Bank;

            fn deref(&self) -> &Self::Target {
                &self.bank
            }
        }

        impl std::ops::DerefMut for $machine {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.bank
            }
        }
    };
}
pub(crate) use has_bank;
