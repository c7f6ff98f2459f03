//! One instruction on record: which it is, and what it reads and writes in memory.

use super::{Data, Exit, Fault, Hart, Isa, Memory, fetch, handler_for};
use crate::isa::Insn;
use std::cell::RefCell;

/// An access to memory that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryAccess {
    /// Its address.
    pub addr: u64,
    /// What was loaded or stored, without sign.
    pub value: u128,
    /// Bytes.
    pub size: u64,
    /// It is a store; of those by `cbo.zero`, `value` is one byte of many.
    pub store: bool,
}

/// An instruction that was executed.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its address.
    pub pc: u64,
    /// What it is.
    pub insn: Insn,
    /// Its accesses, in order.
    pub accesses: Vec<MemoryAccess>,
    /// It has completed. If not, it asks for something to be served: `ecall`, `ebreak`, `fence.i`.
    pub completed: bool,
}

/// Memory whose accesses are recorded.
struct RecordedMemory<'a> {
    mem: &'a Memory,
    accesses: RefCell<Vec<MemoryAccess>>,
}

impl RecordedMemory<'_> {
    fn add(&self, addr: u64, value: u128, size: u64, store: bool) {
        self.accesses.borrow_mut().push(MemoryAccess { addr, value, size, store });
    }
}

macro_rules! data {
    ($($read:ident $write:ident $cas:ident $ty:ty;)*) => {
        impl Data for RecordedMemory<'_> {
            $(
                fn $read(&self, addr: u64) -> Result<$ty, Fault> {
                    let value = self.mem.$read(addr)?;
                    self.add(addr, value.into(), size_of::<$ty>() as u64, false);
                    Ok(value)
                }

                fn $write(&self, addr: u64, value: $ty) -> Result<(), Fault> {
                    self.mem.$write(addr, value)?;
                    self.add(addr, value.into(), size_of::<$ty>() as u64, true);
                    Ok(())
                }

                fn $cas(&self, addr: u64, expected: $ty, new: $ty) -> Result<$ty, Fault> {
                    let value = self.mem.$cas(addr, expected, new)?;
                    if value == expected {
                        self.add(addr, new.into(), size_of::<$ty>() as u64, true);
                    }
                    Ok(value)
                }
            )*

            fn cas_u128(&self, addr: u64, expected: u128, new: u128) -> Result<u128, Fault> {
                let value = self.mem.cas_u128(addr, expected, new)?;
                if value == expected {
                    self.add(addr, new, 16, true);
                }
                Ok(value)
            }

            fn fill(&self, addr: u64, byte: u8, len: u64) -> Result<(), Fault> {
                self.mem.fill(addr, byte, len)?;
                self.add(addr, byte.into(), len, true);
                Ok(())
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

/// As [`super::step`], and `tell`s of the instruction, with the hart as it is behind it, unless it
/// faults or is none.
///
/// # Errors
/// As [`super::step`].
pub fn step_recorded(
    hart: &mut Hart,
    mem: &Memory,
    isa: &Isa,
    tell: impl FnOnce(&Hart, &Recorded),
) -> Result<(), Exit> {
    let pc = hart.pc;
    let insn = fetch(mem, isa, pc)?;
    let recorded = RecordedMemory { mem, accesses: RefCell::default() };
    let run = handler_for::<RecordedMemory<'_>>(&insn, isa);
    let result = match run(hart, &recorded, &insn, pc) {
        Ok(pc) => {
            hart.pc = pc;
            Ok(())
        }
        Err(stop) => Err(*stop.0),
    };
    if matches!(result, Ok(()) | Err(Exit::Ecall | Exit::Ebreak | Exit::FenceI)) {
        let accesses = recorded.accesses.into_inner();
        tell(hart, &Recorded { pc, insn, accesses, completed: result.is_ok() });
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::{Mode, Prot};

    #[test]
    fn instructions_are_told_with_their_accesses() {
        crate::sys::signal::install_handlers().unwrap();
        let mem = Memory::new(Mode::Guarded, 1 << 20).unwrap();
        mem.map_zero(0x1_0000, 0x1000, Prot::RWX).unwrap();
        // lw a0, 8(a1); sb a0, 15(a1); amoadd.d a0, a0, (a1); ecall; ld a0, 0(zero)
        let code: [u32; 5] = [0x0085_a503, 0x00a5_87a3, 0x00a5_b52f, 0x0000_0073, 0x0000_3503];
        let bytes: Vec<u8> = code.iter().flat_map(|w| w.to_le_bytes()).collect();
        mem.write_bytes(0x1_0000, &bytes).unwrap();
        mem.write_u32(0x1_0808, 0x8000_0001).unwrap();
        let mut hart = Hart::new();
        (hart.pc, hart.x[11]) = (0x1_0000, 0x1_0800);
        let mut told = Vec::new();
        for _ in code {
            let result = step_recorded(&mut hart, &mem, &Isa::default(), |hart, r| {
                told.push((r.pc, r.completed, r.accesses.clone(), hart.x[10]));
            });
            if result == Err(Exit::Ecall) {
                hart.pc += 4;
            }
        }
        let access = |addr, value, size, store| MemoryAccess { addr, value, size, store };
        assert_eq!(told.len(), 4);
        assert_eq!(told[0].2, [access(0x1_0808, 0x8000_0001, 4, false)]);
        assert_eq!((told[0].1, told[0].3), (true, 0xffff_ffff_8000_0001));
        assert_eq!(told[1].2, [access(0x1_080f, 1, 1, true)]);
        assert_eq!(told[2].2.last(), Some(&access(0x1_0800, 0xffff_ffff_8000_0001, 8, true)));
        assert_eq!((told[3].0, told[3].1), (0x1_000c, false));
    }
}
