//! Addresses of `AF_UNIX` sockets (unix(7)) in guest memory, where the guest has a root filesystem
//! of its own: [`crate::linux::fs::rootfs`] knows what they mean.

use crate::linux::abi::{Errno, Fd, GuestPtr, SysResult};
use crate::linux::args::host;
use crate::linux::fs::rootfs::unix::Address;
use crate::linux::host::HostArg;
use crate::linux::process::Thread;

/// Longest address (`struct sockaddr_storage`).
const MAX_ADDRESS: usize = 128;

impl Address {
    /// As an argument of a call.
    pub(crate) fn arg(&self) -> HostArg<'_> {
        HostArg::slice(&self.bytes)
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> i32 {
        self.bytes.len() as i32
    }

    /// Where it is in our memory.
    pub(crate) fn address(&self) -> u64 {
        crate::linux::host::address_of(&self.bytes)
    }
}

impl Thread {
    /// The bytes of an address; `None` for one that is for the kernel to refuse.
    fn socket_address(&self, addr: u64, len: u64) -> Result<Option<Vec<u8>>, Errno> {
        if addr == 0 || len as usize > MAX_ADDRESS {
            return Ok(None);
        }
        let mut bytes = vec![0; len as usize];
        self.memory().read_bytes(addr, &mut bytes)?;
        Ok(Some(bytes))
    }

    /// The host's address of an existing socket that has a name in the file system; `None` for
    /// others, or where the host's names are the guest's.
    ///
    /// # Errors
    /// `EFAULT`, and as path resolution.
    pub(crate) fn unix_address(&self, addr: u64, len: u64) -> Result<Option<Address>, Errno> {
        let Some(world) = self.process.options.files.world() else { return Ok(None) };
        let Some(bytes) = self.socket_address(addr, len)? else { return Ok(None) };
        world.address(&bytes)
    }

    /// Binds a socket to a name in the file system; `None` as for [`Self::unix_address`].
    ///
    /// # Errors
    /// As bind(2).
    pub(crate) fn bind_unix(&self, fd: Fd, addr: u64, len: u64) -> Result<Option<u64>, Errno> {
        let Some(world) = self.process.options.files.world() else { return Ok(None) };
        let Some(bytes) = self.socket_address(addr, len)? else { return Ok(None) };
        let bind = |host: &[u8]| host!(self, SYS_bind, fd, HostArg::slice(host), host.len() as u64);
        let Some(at) = world.bind(&bytes, bind)? else { return Ok(None) };
        if self.marks(0o777) {
            self.born(at.spot(), 0o777, None);
        }
        Ok(Some(0))
    }

    /// Makes of an address that a call has written to guest memory the guest's. `room` is how many
    /// bytes there are, `len` the address's length; its new length is the result.
    ///
    /// # Errors
    /// `EFAULT`.
    pub(crate) fn export_unix_address(&self, addr: u64, room: u64, len: u32) -> Result<u32, Errno> {
        let Some(world) = self.process.options.files.world() else { return Ok(len) };
        let there = u64::from(len).min(room);
        if there == 0 {
            return Ok(len);
        }
        let Some(bytes) = self.socket_address(addr, there)? else { return Ok(len) };
        let guest = world.guest_address(&bytes);
        self.memory().write_bytes(addr, &guest[..guest.len().min(room as usize)])?;
        Ok(guest.len() as u32)
    }
}

/// Where a call writes an address and its length.
pub(crate) struct AddressOut {
    addr: u64,
    len: GuestPtr<i32>,
    room: u64,
    /// In a world of the guest's own the host writes here.
    bytes: [u8; MAX_ADDRESS],
    written: i32,
    ours: bool,
}

impl AddressOut {
    /// A buffer whose address may be null, and its length in and out.
    pub(crate) fn new(t: &Thread, addr: u64, len: GuestPtr<i32>) -> Self {
        // A length that cannot be read or is negative is for the kernel to refuse.
        let given = if addr == 0 { -1 } else { len.read(t.memory()).unwrap_or(-1) };
        Self {
            addr,
            len,
            room: u64::try_from(given).unwrap_or(0),
            bytes: [0; MAX_ADDRESS],
            written: MAX_ADDRESS as i32,
            ours: given >= 0 && t.process.options.files.world().is_some(),
        }
    }

    pub(crate) fn args(&mut self, t: &Thread) -> Result<[HostArg<'_>; 2], Errno> {
        if self.addr == 0 {
            return Ok([HostArg::NULL; 2]);
        }
        if self.ours {
            return Ok([HostArg::of_mut(&mut self.bytes), HostArg::of_mut(&mut self.written)]);
        }
        Ok([t.output(self.addr, self.room)?, t.output(self.len.0, 4)?])
    }

    /// Passes on the result of the call, when what it has written is in the guest's terms.
    pub(crate) fn finish(&self, t: &Thread, result: SysResult) -> SysResult {
        if result.is_ok()
            && self.ours
            && let Some(world) = t.process.options.files.world()
        {
            let there = usize::try_from(self.written).unwrap_or(0).min(MAX_ADDRESS);
            let guest = world.guest_address(&self.bytes[..there]);
            let fits = guest.len().min(self.room as usize);
            t.memory().write_bytes(self.addr, &guest[..fits])?;
            self.len.write(t.memory(), &(guest.len() as i32))?;
        }
        result
    }
}
