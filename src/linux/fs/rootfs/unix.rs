//! Addresses of `AF_UNIX` sockets that are paths (unix(7)).
//!
//! The host gets a path through a descriptor: to connect, of the socket; to bind, of its directory,
//! which stays open for the socket's name to mean something to other processes of the same world.
//! The kernel reports such addresses as they were given, so they are translated back.

use super::names::read_link;
use super::resolve::Want;
use super::setup::lift;
use super::world::World;
use crate::linux::abi::{Errno, Fd};
use crate::linux::fs::host_path::HostPath;
use crate::linux::host::{HostArg, file_identity, host_call, host_fd};
use std::ffi::CString;
use std::os::fd::AsRawFd;

/// Bytes of `sun_family`, which the path follows.
const FAMILY: usize = 2;
/// Bytes of `sun_path`.
const MAX_PATH: usize = 108;

/// An address as the host gets it.
#[derive(Debug)]
pub(crate) struct Address {
    /// `struct sockaddr_un`.
    pub bytes: Vec<u8>,
    /// What the path leads through.
    _held: Option<HostPath>,
}

/// The path in an address, if it is of a socket in the file system.
fn path_in(address: &[u8]) -> Option<&[u8]> {
    let (family, rest) = address.split_at_checked(FAMILY)?;
    let end = rest.iter().position(|&b| b == 0).unwrap_or(rest.len());
    let family = u16::from_ne_bytes(family.try_into().ok()?);
    (i32::from(family) == libc::AF_UNIX && end != 0).then(|| &rest[..end])
}

fn address_of(path: &[u8]) -> Vec<u8> {
    let mut all = (libc::AF_UNIX as u16).to_ne_bytes().to_vec();
    all.extend_from_slice(path);
    all.push(0);
    all
}

impl World {
    /// The host's address of a socket to connect or send to; `None` if it is the guest's.
    ///
    /// # Errors
    /// Those of path_resolution(7).
    pub(crate) fn address(&self, guest: &[u8]) -> Result<Option<Address>, Errno> {
        let Some(path) = path_in(guest) else { return Ok(None) };
        let at = HostPath::of_world(self.resolve(Fd::CWD, path, Want::Object)?)?;
        let bytes = address_of(at.path.to_bytes());
        Ok(Some(Address { bytes, _held: Some(at) }))
    }

    /// Binds the socket `fd` to a path; `bind` makes the host's call. `None` if the address is
    /// none of this kind.
    ///
    /// # Errors
    /// Of path_resolution(7) and bind(2).
    pub(crate) fn bind(
        &self,
        guest: &[u8],
        bind: impl FnOnce(&[u8]) -> Result<u64, Errno>,
    ) -> Result<Option<HostPath>, Errno> {
        let Some(path) = path_in(guest) else { return Ok(None) };
        let at = HostPath::of_world(self.resolve(Fd::CWD, path, Want::Name)?)?;
        if at.is_mount {
            return Err(Errno::EADDRINUSE);
        }
        let at = at.changed()?;
        let dir = format!("/proc/{}/fd/{}/", std::process::id(), self.keep_dir(at.dir)?);
        let name = at.path.to_bytes();
        let host = [dir.as_bytes(), name].concat();
        if host.len() < MAX_PATH {
            bind(&address_of(&host))?;
            self.bound().addresses.insert(host, path.to_vec());
            return Ok(Some(at));
        }
        // Too long together: by a short name first, that no one else uses.
        let short = format!(".{:x}", std::process::id());
        let host = [dir.as_bytes(), short.as_bytes()].concat();
        bind(&address_of(&host))?;
        let short = CString::new(short).map_err(|_| Errno::EINVAL)?;
        let (from, to) = (HostArg::path(&short), HostArg::path(&at.path));
        let flags = libc::RENAME_NOREPLACE;
        let args = [at.dir.into(), from, at.dir.into(), to, flags.into()];
        if let Err(e) = host_call(libc::SYS_renameat2, &args) {
            let _ = host_call(libc::SYS_unlinkat, &[at.dir.into(), from, 0.into()]);
            return Err(if e == Errno::EEXIST { Errno::EADDRINUSE } else { e });
        }
        self.bound().addresses.insert(host, path.to_vec());
        Ok(Some(at))
    }

    /// Makes sure that a directory is inside, from which a path starts.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(super) fn is_inside(&self, dir: Fd) -> Result<(), Errno> {
        /// Directories that are remembered, at most.
        const MANY: usize = 1 << 14;
        let file = file_identity(dir.0)?;
        let key = (file.dev, file.inode);
        if self.bound().inside.contains(&key) {
            return Ok(());
        }
        self.start(dir)?;
        let mut bound = self.bound();
        if bound.inside.len() >= MANY {
            bound.inside.clear();
        }
        bound.inside.insert(key);
        Ok(())
    }

    /// Number of a descriptor of the directory that stays open.
    fn keep_dir(&self, dir: Fd) -> Result<i32, Errno> {
        let flags = libc::O_PATH | libc::O_CLOEXEC;
        let fd = host_fd(libc::SYS_openat, &[dir.into(), HostArg::path(c"."), flags.into()])?;
        let identity = file_identity(fd.as_raw_fd())?;
        let identity = (identity.dev, identity.inode);
        let mut bound = self.bound();
        if let Some(fd) = bound.dirs.get(&identity) {
            return Ok(fd.as_raw_fd());
        }
        let fd = lift(fd)?;
        let number = fd.as_raw_fd();
        let cloexec = [number.into(), libc::F_SETFD.into(), libc::FD_CLOEXEC.into()];
        host_call(libc::SYS_fcntl, &cloexec)?;
        bound.dirs.insert(identity, fd);
        Ok(number)
    }

    /// The guest's address for one that the host reports.
    pub(crate) fn guest_address(&self, host: &[u8]) -> Vec<u8> {
        let Some(path) = path_in(host) else { return host.to_vec() };
        if let Some(known) = self.bound().addresses.get(path) {
            return address_of(known);
        }
        let dir = path.iter().rposition(|&b| b == b'/').unwrap_or(0);
        let is_ours = path.strip_prefix(b"/proc/").is_some_and(|p| p.first() != Some(&b's'));
        if !is_ours || !path[..dir].windows(4).any(|w| w == b"/fd/") {
            return host.to_vec();
        }
        let link = CString::new(&path[..dir]).ok().and_then(|l| read_link(Fd::CWD, &l).ok());
        match link.and_then(|l| self.guest_name(&l)) {
            Some(name) if name == b"/" => address_of(&path[dir..]),
            Some(name) => address_of(&[&name, &path[dir..]].concat()),
            // Whoever bound it is gone.
            None => address_of(&path[dir + 1..]),
        }
    }
}
