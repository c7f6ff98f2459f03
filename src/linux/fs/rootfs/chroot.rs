//! Another root directory inside (chroot(2); kernel: `set_fs_root` in `fs/fs_struct.c`).

use super::names::fd_path;
use super::resolve::Want;
use super::setup::lift;
use super::world::{Mount, World};
use crate::linux::abi::{Errno, Fd};
use crate::linux::host::{HostArg, has_capability, host_call, host_fd};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// `CAP_SYS_CHROOT`.
const CAP_SYS_CHROOT: u32 = 18;

/// The world of a process. One that has been replaced stays, since another thread may be looking
/// something up in it.
#[derive(Debug)]
pub(crate) struct Worlds {
    world: Arc<World>,
    next: OnceLock<Box<Self>>,
}

impl Worlds {
    /// One that is not replaced yet.
    pub(crate) fn new(world: World) -> Self {
        Self { world: Arc::new(world), next: OnceLock::new() }
    }

    /// The same world, for a process that replaces it for itself.
    pub(crate) fn fork(&self) -> Self {
        Self { world: Arc::clone(&self.last().world), next: OnceLock::new() }
    }

    fn last(&self) -> &Self {
        let mut last = self;
        while let Some(next) = last.next.get() {
            last = next;
        }
        last
    }

    /// Makes the directory `path` the root. The working directory stays where it is: outside, its
    /// names lead nowhere.
    ///
    /// # Errors
    /// Those of chroot(2).
    pub(crate) fn chroot(&self, path: &[u8]) -> Result<(), Errno> {
        self.replace(self.below(path)?);
        Ok(())
    }

    /// Leaves descriptors alone that a process has opened which shares our memory and not our
    /// table of descriptors: its end has closed them, and their numbers may be others' here.
    pub(crate) fn forget_opened(&self) {
        self.world.bound().forget_opened();
        if let Some(next) = self.next.get() {
            next.forget_opened();
            std::mem::forget(Arc::clone(&next.world));
        }
    }

    /// Makes another world the process's.
    pub(super) fn replace(&self, world: World) {
        let mut next = Box::new(Self::new(world));
        // Whoever comes later wins, as in the kernel.
        while let Err(mine) = self.last().next.set(next) {
            next = mine;
        }
    }
}

impl Deref for Worlds {
    type Target = World;

    fn deref(&self) -> &World {
        &self.last().world
    }
}

impl World {
    /// The world whose root is a directory of this one.
    fn below(&self, path: &[u8]) -> Result<Self, Errno> {
        let found = self.resolve(Fd::CWD, path, Want::Object)?;
        let fd = found.at.fd();
        let place = match found.guest {
            Some(place) => place,
            None => self.name_of(Fd(fd))?,
        };
        let place = if place == b"/" { &b""[..] } else { &place };
        let here = [fd.into(), HostArg::path(c"."), (libc::O_PATH | libc::O_CLOEXEC).into()];
        let root = host_fd(libc::SYS_openat, &here)?;
        // A fake root may enter what is closed to its owner.
        if !self.is_faked() {
            let path = fd_path(fd);
            let enter = [libc::AT_FDCWD.into(), HostArg::path(&path), libc::X_OK.into()];
            host_call(libc::SYS_faccessat, &enter)?;
            if !has_capability(CAP_SYS_CHROOT) {
                return Err(Errno::EPERM);
            }
        }
        let root = lift(root).map_err(|_| Errno::ENOMEM)?;
        let mut mounts = vec![Mount::new(Vec::new(), root, found.read_only)?];
        for m in &self.mounts {
            if let Some(rest @ [b'/', ..]) = m.guest.strip_prefix(place) {
                mounts.push(Mount { guest: rest.to_vec(), ..m.clone() });
            }
        }
        let mut before = self.before.clone();
        before.push(Arc::clone(&self.mounts[0].fd));
        let (fake, lease, own_mounts) = (self.fake.clone(), self.lease.clone(), self.own_mounts);
        let world = Self { fake, lease, before, own_mounts, ..Self::new(mounts) };
        if let Some(exe) = self.exe.get() {
            let _ = world.exe.set(exe.clone());
        }
        Ok(world)
    }
}
