//! Addresses of AF_UNIX sockets (unix(7)) in a root filesystem of the guest's own. The host binds
//! and connects by way of a descriptor of the directory or of the socket, and hands out the names
//! that it was given: those are turned back into the guest's.

use super::abi::{Errno, Fd, GuestPtr};
use super::host::HostArg;
use super::path::HostPath;
use super::process::{Process, Thread, lock};
use super::rootfs::Want;

/// Bytes of `sun_path`.
const SUN_PATH: usize = 108;
/// Bytes before it: the family.
const FAMILY: usize = size_of::<u16>();

/// The address of a socket that has a name in the file system, in the host's terms.
#[derive(Debug)]
pub(super) struct HostAddress {
    /// `struct sockaddr_un` with the NUL behind the name.
    bytes: Vec<u8>,
    guest: Vec<u8>,
    /// What the name leads through.
    _path: HostPath,
}

impl HostAddress {
    /// As an argument of a call.
    pub(super) fn arg(&self) -> HostArg<'_> {
        HostArg::slice(&self.bytes)
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> i32 {
        self.bytes.len() as i32
    }

    /// Where it is in our memory.
    pub(super) fn address(&self) -> u64 {
        super::host::address_of(&self.bytes)
    }
}

impl Thread {
    /// The host's form of a socket address of the guest; `None` for what has no name in the file
    /// system, or where the host's names are the guest's. `Want::Name` is for bind, `Want::Object`
    /// for an existing socket.
    ///
    /// # Errors
    /// As path resolution; `EROFS`; `ENAMETOOLONG` if the last component leaves no room for what
    /// leads to it.
    pub(super) fn unix_address(
        &self,
        addr: u64,
        len: u64,
        want: Want,
    ) -> Result<Option<HostAddress>, Errno> {
        let Some(world) = &self.process.options.world else { return Ok(None) };
        let len = len as usize;
        if addr == 0 || len <= FAMILY || len > FAMILY + SUN_PATH {
            return Ok(None);
        }
        let mut bytes = [0; FAMILY + SUN_PATH];
        self.memory().read_bytes(addr, &mut bytes[..len])?;
        let (family, name) = bytes[..len].split_at(FAMILY);
        let guest = name.split(|&b| b == 0).next().unwrap_or_default();
        if family != (libc::AF_UNIX as u16).to_ne_bytes() || guest.is_empty() {
            return Ok(None);
        }
        let path = HostPath::of_world(world.resolve(Fd::CWD, guest, want)?)?;
        if path.read_only && want == Want::Name {
            return Err(Errno::EROFS);
        }
        let host = path.whole().into_bytes_with_nul();
        if host.len() > SUN_PATH {
            return Err(Errno::ENAMETOOLONG);
        }
        let bytes = [family, &host[..]].concat();
        Ok(Some(HostAddress { bytes, guest: guest.to_vec(), _path: path }))
    }

    /// Replaces the host's name by the guest's in an address that a call has written, for which
    /// there were `room` bytes.
    ///
    /// # Errors
    /// `EFAULT`.
    pub(super) fn export_unix_address(
        &self,
        addr: u64,
        room: u64,
        len: GuestPtr<i32>,
    ) -> Result<(), Errno> {
        if addr == 0 || self.process.options.world.is_none() {
            return Ok(());
        }
        let found = len.read(self.memory())?;
        if found <= FAMILY as i32 || found as usize > FAMILY + SUN_PATH || room < found as u64 {
            return Ok(());
        }
        let mut bytes = vec![0; found as usize];
        self.memory().read_bytes(addr, &mut bytes)?;
        if let Some(guest) = lock(&self.process.socket_names).get(&bytes) {
            let name = [&bytes[..FAMILY], guest, b"\0"].concat();
            let n = name.len().min(room as usize);
            self.memory().write_bytes(addr, &name[..n])?;
            len.write(self.memory(), &(name.len() as i32))?;
        }
        Ok(())
    }
}

impl Process {
    /// Keeps in mind what the guest calls an address that a socket has been given.
    pub(super) fn name_socket(&self, address: &HostAddress) {
        lock(&self.socket_names).insert(address.bytes.clone(), address.guest.clone());
    }
}
