//! Guest memory as slices, for whoever knows that nobody else accesses it.

use super::map::{Backing, Memory};
use super::{Access, Fault};
use std::ops::Range;

/// Guest memory while no guest code runs and its mappings stay as they are.
#[derive(Debug)]
pub struct View<'a>(&'a Memory);

impl<'a> View<'a> {
    /// A view of `memory`.
    ///
    /// # Safety
    /// As long as the view exists nobody else accesses the memory or changes its mappings or their
    /// protection.
    #[must_use]
    pub unsafe fn new(memory: &'a Memory) -> Self {
        Self(memory)
    }

    /// The `len` bytes at `addr`.
    ///
    /// # Errors
    /// The first byte that the guest could not read; or that is in a mapping which others may write
    /// to or cut short, since it is shared or of a file.
    pub fn bytes(&self, addr: u64, len: usize) -> Result<&[u8], Fault> {
        let range = self.0.own_range(addr, len, Access::Read)?;
        let start = (self.0.base.0 + range.start as usize) as *const u8;
        // SAFETY: private pages that can be read, see `own_range`; nobody writes to them, see
        // `new`, and whoever does by this view has borrowed it.
        Ok(unsafe { std::slice::from_raw_parts(start, len) })
    }

    /// The same, to be written to. Translations of code in it are void.
    ///
    /// # Errors
    /// As [`Self::bytes`], of writing.
    pub fn bytes_mut(&mut self, addr: u64, len: usize) -> Result<&mut [u8], Fault> {
        let range = self.0.own_range(addr, len, Access::Write)?;
        let start = (self.0.base.0 + range.start as usize) as *mut u8;
        // What is not protected now is not either before the next code is translated.
        self.0.unprotect_code(range);
        // SAFETY: as above, and the view is borrowed alone.
        Ok(unsafe { std::slice::from_raw_parts_mut(start, len) })
    }
}

impl Memory {
    /// The range of `len` bytes at `addr`, all of which is in private anonymous mappings that allow
    /// the access.
    fn own_range(&self, addr: u64, len: usize, access: Access) -> Result<Range<u64>, Fault> {
        let start = self.effective(addr);
        let end = start.saturating_add(len as u64);
        let mut at = start;
        let fault = |addr, mapped| Fault { addr, access, mapped, beyond_file: false };
        for (part, mapping) in self.lock().map.overlapping(start..end.min(self.size)) {
            if part.start > at {
                break;
            }
            let allowed = match access {
                Access::Read => mapping.prot.readable(),
                Access::Write => mapping.prot.writable(),
                Access::Execute => mapping.prot.executable(),
            };
            let own = matches!(mapping.backing, Backing::Anonymous(_)) && !mapping.shared;
            if !(allowed && own) {
                return Err(fault(at, true));
            }
            at = part.end.min(end);
        }
        // Nothing is mapped at 0, so that an empty range is never at a null pointer.
        if at < end || start == 0 || end > self.size {
            Err(fault(at, false))
        } else {
            Ok(start..end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Access, Fault, Mapping, Memory, Mode, Prot};
    use super::*;
    use crate::util::PAGE_SIZE;

    fn fault(addr: u64, access: Access, mapped: bool) -> Fault {
        Fault { addr, access, mapped, beyond_file: false }
    }

    #[test]
    fn slices_are_what_the_guest_may_access() {
        crate::sys::signal::install_handlers().unwrap();
        for mode in [Mode::Guarded, Mode::Sandbox] {
            let mem = Memory::new(mode, 1 << 20).unwrap();
            mem.map_zero(0x1_0000, 2 * PAGE_SIZE, Prot::RW).unwrap();
            mem.map_zero(0x1_2000, PAGE_SIZE, Prot::R).unwrap();
            mem.map_zero(0x1_3000, PAGE_SIZE, Prot::NONE).unwrap();
            let shared = Mapping { shared: true, ..Mapping::anonymous(Prot::RW, None) };
            mem.map(0x2_0000, PAGE_SIZE, shared, None, false).unwrap();
            mem.write_u32(0x1_0ffe, 0x0403_0201).unwrap();
            // SAFETY: nobody else knows the memory.
            let mut view = unsafe { View::new(&mem) };
            assert_eq!(view.bytes(0x1_0ffe, 4), Ok(&[1, 2, 3, 4][..]));
            assert_eq!(view.bytes(0x1_0000, 0x3000).map(<[u8]>::len), Ok(0x3000));
            let refused = fault(0x1_3000, Access::Read, true);
            assert_eq!(view.bytes(0x1_0000, 0x3001), Err(refused));
            view.bytes_mut(0x1_0ffe, 4).unwrap().copy_from_slice(&[9, 8, 7, 6]);
            assert_eq!(mem.read_u32(0x1_0ffe), Ok(0x0607_0809));
            let refused = fault(0x1_2000, Access::Write, true);
            assert_eq!(view.bytes_mut(0x1_1fff, 2), Err(refused));
            assert_eq!(view.bytes(0x2_0000, 1), Err(fault(0x2_0000, Access::Read, true)));
            assert_eq!(view.bytes(0x3_0000, 1), Err(fault(0x3_0000, Access::Read, false)));
            for (addr, len) in [(0, 0), (mem.size() - 1, 2), (0x1_0000, usize::MAX)] {
                assert!(view.bytes(addr, len).is_err(), "{addr:#x} {len:#x}");
            }
            assert_eq!(view.bytes(0x1_0000, 0), Ok(&[][..]));
        }
    }

    #[test]
    fn a_slice_to_write_to_voids_translations() {
        crate::sys::signal::install_handlers().unwrap();
        let mem = Memory::new(Mode::Guarded, 1 << 20).unwrap();
        mem.map_zero(0x1_0000, PAGE_SIZE, Prot::RWX).unwrap();
        assert!(mem.watch_code(0x1_0000..0x1_0004).is_some());
        // SAFETY: nobody else knows the memory.
        let mut view = unsafe { View::new(&mem) };
        view.bytes_mut(0x1_0800, 1).unwrap()[0] = 1;
        assert_eq!(mem.take_code_events().len(), 1);
    }
}
