//! One instruction under watch: what it reads and writes is compared with ranges of addresses.

use super::{Data, Exit, Fault, Hart, Isa, Memory, fetch, handler_for};
use std::cell::Cell;
use std::ops::Range;

/// What accesses a watchpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchKind {
    /// Stores.
    Write,
    /// Loads.
    Read,
    /// Both.
    Access,
}

/// A range of addresses that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watchpoint {
    /// For which accesses.
    pub kind: WatchKind,
    /// Effective addresses.
    pub range: Range<u64>,
}

/// What an instruction has touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The watchpoint, by its number in the list.
    pub which: usize,
    /// The first byte of it that was accessed.
    pub addr: u64,
}

/// Memory whose accesses are looked at.
struct WatchedMemory<'a> {
    mem: &'a Memory,
    watchpoints: &'a [Watchpoint],
    touched: Cell<Option<Touched>>,
}

impl WatchedMemory<'_> {
    fn look(&self, addr: u64, len: u64, writes: bool, reads: bool) {
        let start = self.mem.effective(addr);
        let end = start.saturating_add(len);
        let hit = self.watchpoints.iter().position(|w| {
            let kind = match w.kind {
                WatchKind::Write => writes,
                WatchKind::Read => reads,
                WatchKind::Access => true,
            };
            kind && w.range.start < end && start < w.range.end
        });
        if let (Some(which), None) = (hit, self.touched.get()) {
            let addr = start.max(self.watchpoints[which].range.start);
            self.touched.set(Some(Touched { which, addr }));
        }
    }
}

macro_rules! data {
    ($($read:ident $write:ident $cas:ident $ty:ty;)*) => {
        impl Data for WatchedMemory<'_> {
            $(
                fn $read(&self, addr: u64) -> Result<$ty, Fault> {
                    self.look(addr, size_of::<$ty>() as u64, false, true);
                    self.mem.$read(addr)
                }

                fn $write(&self, addr: u64, value: $ty) -> Result<(), Fault> {
                    self.look(addr, size_of::<$ty>() as u64, true, false);
                    self.mem.$write(addr, value)
                }

                fn $cas(&self, addr: u64, expected: $ty, new: $ty) -> Result<$ty, Fault> {
                    self.look(addr, size_of::<$ty>() as u64, true, true);
                    self.mem.$cas(addr, expected, new)
                }
            )*

            fn cas_u128(&self, addr: u64, expected: u128, new: u128) -> Result<u128, Fault> {
                self.look(addr, 16, true, true);
                self.mem.cas_u128(addr, expected, new)
            }

            fn fill(&self, addr: u64, byte: u8, len: u64) -> Result<(), Fault> {
                self.look(addr, len, true, false);
                self.mem.fill(addr, byte, len)
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

/// As [`super::step`], and says which of `watchpoints` the instruction has touched.
///
/// # Errors
/// As [`super::step`]: then nothing has been touched.
pub fn step_watched(
    hart: &mut Hart,
    mem: &Memory,
    isa: &Isa,
    watchpoints: &[Watchpoint],
) -> Result<Option<Touched>, Exit> {
    let insn = fetch(mem, isa, hart.pc)?;
    let watched = WatchedMemory { mem, watchpoints, touched: Cell::new(None) };
    let run = handler_for::<WatchedMemory<'_>>(&insn, isa);
    match run(hart, &watched, &insn, hart.pc) {
        Ok(pc) => {
            hart.pc = pc;
            Ok(watched.touched.get())
        }
        Err(stop) => Err(*stop.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::{Mode, Prot};

    #[test]
    fn accesses_are_told_by_kind_and_range() {
        crate::sys::signal::install_handlers().unwrap();
        let mem = Memory::new(Mode::Guarded, 1 << 20).unwrap();
        mem.map_zero(0x1_0000, 0x1000, Prot::RWX).unwrap();
        // ld a0, 8(a1); sb a0, 15(a1); amoadd.d a0, a0, (a1); fence
        let code: [u32; 4] = [0x0085_b503, 0x00a5_87a3, 0x00a5_b52f, 0x0ff0_000f];
        let bytes: Vec<u8> = code.iter().flat_map(|w| w.to_le_bytes()).collect();
        mem.write_bytes(0x1_0000, &bytes).unwrap();
        let all = [WatchKind::Write, WatchKind::Read, WatchKind::Access];
        let run = |kind, range: Range<u64>| -> Vec<Option<u64>> {
            let mut hart = Hart::new();
            (hart.pc, hart.x[11]) = (0x1_0000, 0x1_0800);
            let list = [Watchpoint { kind, range }];
            let step = |_| step_watched(&mut hart, &mem, &Isa::default(), &list).unwrap();
            (0..4).map(step).map(|t| t.map(|t| t.addr)).collect()
        };
        let last = Some(0x1_080f);
        assert_eq!(
            all.map(|kind| run(kind, 0x1_080f..0x1_0810)),
            [
                vec![None, last, None, None],
                vec![last, None, None, None],
                vec![last, last, None, None]
            ]
        );
        let swapped = Some(0x1_0807);
        for kind in all {
            assert_eq!(run(kind, 0x1_0807..0x1_0808), [None, None, swapped, None]);
            assert_eq!(run(kind, 0x1_0810..0x1_0900), [None; 4]);
        }
    }
}
