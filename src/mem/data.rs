//! Reading and writing guest memory.
//!
//! All accesses here work at any alignment and wrap as the hart's address arithmetic does: in
//! `Identity` and `Guarded` mode an address outside the region is a fault, in `Sandbox` mode
//! addresses are taken modulo 2^32.

use super::map::Memory;
use super::{Access, Fault, Mode};
use crate::sys::access::{self, Refused};
use crate::util::{HostAddr, PAGE_SIZE, page_down};

macro_rules! data {
    ($($read:ident $write:ident $cas:ident $ty:ty;)*) => {
        /// What instructions load from, store to and change atomically: the guest's memory, or
        /// something that passes for it.
        ///
        /// All methods fail with the fault that the guest must see.
        #[allow(clippy::missing_errors_doc, reason = "the same for all: see above")]
        pub trait Data {
            $(
                #[doc = concat!("Reads a little-endian `", stringify!($ty), "`.")]
                fn $read(&self, addr: u64) -> Result<$ty, Fault>;
                #[doc = concat!("Writes a little-endian `", stringify!($ty), "`.")]
                fn $write(&self, addr: u64, value: $ty) -> Result<(), Fault>;
                #[doc = concat!("Compares a naturally aligned `", stringify!($ty), "` with `expected` and, if equal, writes `new`. Returns what was found.")]
                fn $cas(&self, addr: u64, expected: $ty, new: $ty) -> Result<$ty, Fault>;
            )*
            /// As `cas_u64` for 16 bytes at a 16-byte aligned address.
            fn cas_u128(&self, addr: u64, expected: u128, new: u128) -> Result<u128, Fault>;
            /// Sets `len` bytes to `byte`.
            fn fill(&self, addr: u64, byte: u8, len: u64) -> Result<(), Fault>;
        }

        impl Data for Memory {
            $(
                #[inline]
                fn $read(&self, addr: u64) -> Result<$ty, Fault> {
                    self.$read(addr)
                }
                #[inline]
                fn $write(&self, addr: u64, value: $ty) -> Result<(), Fault> {
                    self.$write(addr, value)
                }
                #[inline]
                fn $cas(&self, addr: u64, expected: $ty, new: $ty) -> Result<$ty, Fault> {
                    self.$cas(addr, expected, new)
                }
            )*
            fn cas_u128(&self, addr: u64, expected: u128, new: u128) -> Result<u128, Fault> {
                self.cas_u128(addr, expected, new)
            }
            fn fill(&self, addr: u64, byte: u8, len: u64) -> Result<(), Fault> {
                self.fill(addr, byte, len)
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

macro_rules! accessors {
    ($($read:ident $write:ident $cas:ident $ty:ty, $load:ident $store:ident $exchange:ident;)*) => {$(
        #[doc = concat!("Reads a little-endian `", stringify!($ty), "`.")]
        ///
        /// # Errors
        /// The fault that the guest must see.
        #[inline]
        pub fn $read(&self, addr: u64) -> Result<$ty, Fault> {
            loop {
                let at = self.host(addr, size_of::<$ty>() as u64, Access::Read)?;
                // SAFETY: `host` returns addresses of the region.
                match unsafe { access::$load(at) } {
                    Ok(v) => return Ok(v as $ty),
                    Err(_) => self.resolve_fault(addr, size_of::<$ty>() as u64, Access::Read)?,
                }
            }
        }

        #[doc = concat!("Writes a little-endian `", stringify!($ty), "`.")]
        ///
        /// # Errors
        /// The fault that the guest must see; nothing was written then, unless the access spans
        /// two pages.
        #[inline]
        pub fn $write(&self, addr: u64, value: $ty) -> Result<(), Fault> {
            loop {
                let at = self.host(addr, size_of::<$ty>() as u64, Access::Write)?;
                // SAFETY: `host` returns addresses of the region.
                match unsafe { access::$store(at, u64::from(value)) } {
                    Ok(()) => return Ok(()),
                    Err(_) => self.resolve_fault(addr, size_of::<$ty>() as u64, Access::Write)?,
                }
            }
        }

        #[doc = concat!("Compares a naturally aligned `", stringify!($ty), "` with `expected` and, if equal, writes `new`, as one sequentially consistent access. Returns what was found.")]
        ///
        /// # Errors
        /// The fault that the guest must see, also where memory can be read but not written.
        pub fn $cas(&self, addr: u64, expected: $ty, new: $ty) -> Result<$ty, Fault> {
            loop {
                let at = self.host(addr, size_of::<$ty>() as u64, Access::Write)?;
                // SAFETY: `host` returns addresses of the region.
                match unsafe { access::$exchange(at, u64::from(expected), u64::from(new)) } {
                    Ok(v) => return Ok(v as $ty),
                    Err(_) => self.resolve_fault(addr, size_of::<$ty>() as u64, Access::Write)?,
                }
            }
        }
    )*};
}

impl Memory {
    accessors! {
        read_u8 write_u8 cas_u8 u8, load_1 store_1 cas_1;
        read_u16 write_u16 cas_u16 u16, load_2 store_2 cas_2;
        read_u32 write_u32 cas_u32 u32, load_4 store_4 cas_4;
        read_u64 write_u64 cas_u64 u64, load_8 store_8 cas_8;
    }

    /// As [`Self::cas_u64`] for 16 bytes at a 16-byte aligned address.
    ///
    /// # Errors
    /// The fault that the guest must see.
    pub fn cas_u128(&self, addr: u64, expected: u128, new: u128) -> Result<u128, Fault> {
        loop {
            let at = self.host(addr, 16, Access::Write)?;
            // SAFETY: `host` returns addresses of the region.
            match unsafe { access::cas_16(at, expected, new) } {
                Ok(v) => return Ok(v),
                Err(_) => self.resolve_fault(addr, 16, Access::Write)?,
            }
        }
    }

    /// Host address of an access, which is in the region or its guards.
    #[inline]
    fn host(&self, addr: u64, len: u64, access: Access) -> Result<HostAddr, Fault> {
        let a = match self.mode {
            Mode::Sandbox => addr & 0xffff_ffff,
            Mode::Identity | Mode::Guarded
                if addr < self.size && !self.meets_hole(&(addr..addr + len)) =>
            {
                addr
            }
            Mode::Identity | Mode::Guarded => {
                return Err(Fault { addr, access, mapped: false, beyond_file: false });
            }
        };
        debug_assert!(len <= 16, "the upper guard covers the widest access");
        Ok(HostAddr(self.base.0 + a as usize))
    }

    /// Copies guest memory into `to`.
    ///
    /// # Errors
    /// The fault; `to` holds what was read before it.
    pub fn read_bytes(&self, addr: u64, to: &mut [u8]) -> Result<(), Fault> {
        self.chunks(addr, to.len(), Access::Read, |guest, done, n| {
            let to = HostAddr(to[done..done + n].as_mut_ptr() as usize);
            // SAFETY: `guest` is in the region, `to` a slice of `n` bytes.
            unsafe { access::copy(to, guest, n) }
        })
    }

    /// Copies `from` into guest memory.
    ///
    /// # Errors
    /// The fault; what lies before it has been written.
    pub fn write_bytes(&self, addr: u64, from: &[u8]) -> Result<(), Fault> {
        self.chunks(addr, from.len(), Access::Write, |guest, done, n| {
            let from = HostAddr(from[done..done + n].as_ptr() as usize);
            // SAFETY: `guest` is in the region, `from` a slice of `n` bytes.
            unsafe { access::copy(guest, from, n) }
        })
    }

    /// Sets `len` bytes of guest memory to `byte`.
    ///
    /// # Errors
    /// The fault; what lies before it has been written.
    pub fn fill(&self, addr: u64, byte: u8, len: u64) -> Result<(), Fault> {
        self.chunks(addr, len as usize, Access::Write, |guest, _, n| {
            // SAFETY: `guest` is in the region.
            unsafe { access::fill(guest, byte, n) }
        })
    }

    /// Runs `op(host, bytes done, bytes to do)` over a guest range, again after each fault that
    /// could be resolved.
    fn chunks(
        &self,
        addr: u64,
        len: usize,
        access: Access,
        mut op: impl FnMut(HostAddr, usize, usize) -> Result<(), usize>,
    ) -> Result<(), Fault> {
        let mut done = 0;
        while done < len {
            let a = self.effective(addr.wrapping_add(done as u64));
            let room = if a < self.size { self.end_from(a) - a } else { 0 };
            if room == 0 {
                return Err(Fault { addr: a, access, mapped: false, beyond_file: false });
            }
            let n = (len - done).min(room as usize);
            match op(HostAddr(self.base.0 + a as usize), done, n) {
                Ok(()) => done += n,
                Err(left) => {
                    done += n - left;
                    let at = self.effective(addr.wrapping_add(done as u64));
                    self.resolve_fault(at, 1, access)?;
                }
            }
        }
        Ok(())
    }

    /// Reads a NUL-terminated string of at most `max` bytes, without the NUL.
    ///
    /// # Errors
    /// The fault, or `Ok(None)` if there is no NUL within `max` bytes.
    pub fn read_c_string(&self, addr: u64, max: usize) -> Result<Option<Vec<u8>>, Fault> {
        let mut out = Vec::new();
        while out.len() < max {
            let at = addr.wrapping_add(out.len() as u64);
            // Never across a page: the string may end before an unmapped one.
            let room = (PAGE_SIZE - (at - page_down(at))) as usize;
            let n = room.min(max - out.len()).min(256);
            let mut part = [0; 256];
            self.read_bytes(at, &mut part[..n])?;
            if let Some(nul) = part[..n].iter().position(|&b| b == 0) {
                out.extend_from_slice(&part[..nul]);
                return Ok(Some(out));
            }
            out.extend_from_slice(&part[..n]);
        }
        Ok(None)
    }

    /// Host address of a guest range, for the kernel to read or write in place. The kernel checks
    /// access itself (`EFAULT`); what is checked here is that the range lies in the guest's
    /// address space. With `Access::Write`, translated code in the range is marked dirty, and the
    /// range stays writable until [`Self::kernel_has_written`].
    ///
    /// # Errors
    /// The range leaves the address space.
    pub fn kernel_range(&self, addr: u64, len: u64, access: Access) -> Result<HostAddr, Fault> {
        let a = self.effective(addr);
        if a > self.size || len > self.size - a || self.meets_hole(&(a..a + len)) {
            return Err(Fault { addr, access, mapped: false, beyond_file: false });
        }
        if access == Access::Write && len != 0 {
            self.kernel_will_write(a..a + len);
        }
        Ok(HostAddr(self.base.0 + a as usize))
    }

    /// Reads an instruction word's 16-bit parcel for execution.
    ///
    /// # Errors
    /// A fault with [`Access::Execute`].
    pub fn fetch_u16(&self, addr: u64) -> Result<u16, Fault> {
        let a = self.effective(addr);
        let refuse = |mapped| Fault { addr, access: Access::Execute, mapped, beyond_file: false };
        match self.lock().map.get(a) {
            Some((_, m)) if m.prot.executable() => {}
            Some(_) => return Err(refuse(true)),
            None => return Err(refuse(false)),
        }
        self.read_u16(addr).map_err(|f| Fault { access: Access::Execute, ..f })
    }

    /// Tries the access on every page of the range now. If the host refuses, the first address at
    /// which it does, and why. Contents stay as they are.
    pub(super) fn probe(&self, addr: u64, len: u64, access: Access) -> Result<(), (u64, Refused)> {
        let mut at = addr;
        while at - addr < len.max(1) {
            let Ok(host) = self.host(at, 1, access) else { return Err((at, Refused::Nothing)) };
            // SAFETY: `host` returns addresses of the region.
            let mut tried = unsafe { access::load_1(host) };
            if let (Ok(byte), Access::Write) = (tried, access) {
                // SAFETY: as above. Where the byte has changed meanwhile, it is not written.
                tried = unsafe { access::cas_1(host, byte, byte) };
            }
            tried.map_err(|_| (at, access::refused()))?;
            at = page_down(at) + PAGE_SIZE;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Access, Fault, Memory, Mode, Prot};
    use crate::util::PAGE_SIZE;

    /// However bytes are moved, the first one that cannot be is known, and those before it are
    /// done.
    #[test]
    fn moving_bytes_stops_at_the_one_that_faults() {
        let end = 0x11000;
        let mem = Memory::new(Mode::Guarded, 1 << 20).unwrap();
        mem.map_zero(end - PAGE_SIZE, PAGE_SIZE, Prot::RW).unwrap();
        mem.map_zero(end, PAGE_SIZE, Prot::NONE).unwrap();
        let bytes: Vec<u8> = (1..=100).collect();
        for before in 0..50 {
            for len in 0..=bytes.len() {
                let (at, done) = (end - before as u64, len.min(before));
                let expected = |access| match len > before {
                    true => Err(Fault { addr: end, access, mapped: true, beyond_file: false }),
                    false => Ok(()),
                };
                mem.fill(end - 128, 0, 128).unwrap();
                assert_eq!(mem.write_bytes(at, &bytes[..len]), expected(Access::Write));
                let mut back = vec![0; len];
                assert_eq!(mem.read_bytes(at, &mut back), expected(Access::Read));
                assert_eq!(back[..done], bytes[..done], "{before} {len}");
                assert_eq!(mem.fill(at, 0xa5, len as u64), expected(Access::Write));
                let mut all = [0; 128];
                mem.read_bytes(end - 128, &mut all).unwrap();
                let filled = 128 - before..128 - before + done;
                for (i, &byte) in all.iter().enumerate() {
                    assert_eq!(byte, if filled.contains(&i) { 0xa5 } else { 0 }, "{before} {len}");
                }
            }
        }
    }
}
