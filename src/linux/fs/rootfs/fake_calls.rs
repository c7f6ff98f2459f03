//! What calls do about files for a guest with a fake root ([`super::fake`]).

use super::fake::{NEVER_REAL, Spot, needed, permissions, stat};
use super::owners::Entry;
use super::world::{Fake, World};
use crate::linux::abi::{Errno, Fd, SysResult};
use crate::linux::fs::host_path::HostPath;
use crate::linux::lock::lock;
use crate::linux::process::Thread;
use crate::linux::task::credentials::Credentials;

impl HostPath {
    /// The file itself.
    pub(crate) fn spot(&self) -> Spot<'_> {
        match self.object {
            Some(fd) => (Fd(fd), c""),
            None => (self.dir, self.path.as_c_str()),
        }
    }
}

impl Thread {
    fn fake(&self) -> Option<(&World, &Fake, Credentials)> {
        let world = self.process.options.files.world()?;
        let credentials = lock(&self.process.credentials).clone()?;
        Some((world, world.fake.as_ref()?, credentials))
    }

    /// Changes permissions; `apply` gives the host's file some.
    pub(crate) fn set_mode(
        &self,
        spot: Spot<'_>,
        mode: u32,
        apply: impl FnOnce(u32) -> SysResult,
    ) -> SysResult {
        let Some((world, fake, c)) = self.fake() else { return apply(mode) };
        let x = stat(spot)?;
        if x.uid != fake.user {
            return apply(mode);
        }
        let mut seen = x;
        world.show(&mut seen);
        if c.user.file != 0 && c.user.file != seen.uid {
            return Err(Errno::EPERM);
        }
        let mut wanted = mode & 0o7777;
        if c.user.file != 0 && !c.is_member(seen.gid) {
            wanted &= !libc::S_ISGID;
        }
        let real = (wanted & !NEVER_REAL) | needed(x.mode);
        let result = apply(real)?;
        let entry = fake.owners.get(&x);
        let differs = real != wanted || entry.device.is_some();
        let new = Entry { mode: differs.then_some(wanted), ..entry };
        if new != entry && !fake.owners.set(&x, new) {
            return Err(Errno::ENOSPC);
        }
        Ok(result)
    }

    /// Changes owners; `apply` changes the host's.
    pub(crate) fn set_owner(
        &self,
        spot: Spot<'_>,
        user: u32,
        group: u32,
        apply: impl FnOnce() -> SysResult,
    ) -> SysResult {
        /// Keeps an owner.
        const SAME: u32 = u32::MAX;
        let Some((world, fake, c)) = self.fake() else { return apply() };
        let x = stat(spot)?;
        let mut seen = x;
        world.show(&mut seen);
        let own = c.user.file == seen.uid
            && (user == SAME || user == seen.uid)
            && (group == SAME || group == seen.gid || c.is_member(group));
        if c.user.file != 0 && !own {
            return Err(Errno::EPERM);
        }
        let owner = (
            if user == SAME { seen.uid } else { user },
            if group == SAME { seen.gid } else { group },
        );
        let mut entry = fake.owners.get(&x);
        let before = entry;
        let plain = x.uid == fake.user && x.gid == fake.group && owner == (0, 0);
        entry.owner = if plain { None } else { Some(owner) };
        // As the kernel does, a change of owner ends set-user-ID and set-group-ID of programs.
        if u32::from(seen.mode) & libc::S_IFMT == libc::S_IFREG {
            let mode = permissions(&seen);
            let kept_group = if mode & libc::S_IXGRP == 0 { libc::S_ISGID } else { 0 };
            let new = mode & !(NEVER_REAL & !kept_group);
            if new != mode {
                entry.mode = (new != permissions(&x)).then_some(new);
            }
        }
        if entry != before && !fake.owners.set(&x, entry) {
            return Err(Errno::ENOSPC);
        }
        Ok(0)
    }

    /// Who the guest takes a process for that the host says is these ids'. The host's user may be
    /// any user of the guest: it is taken for the caller's own.
    pub(crate) fn believed_peer(&self, user: u32, group: u32) -> (u32, u32) {
        match self.fake() {
            Some((_, fake, c)) if user == fake.user => (c.user.effective, c.group.effective),
            _ => (user, group),
        }
    }

    /// True if something made now with these permissions needs [`Self::born`].
    pub(crate) fn marks(&self, mode: u32) -> bool {
        self.fake().is_some_and(|(_, _, c)| {
            c.user.file != 0 || c.group.file != 0 || mode & 0o700 != 0o700 || mode & NEVER_REAL != 0
        })
    }

    /// The permissions with which something is made on the host for the guest.
    pub(crate) fn real_mode(&self, mode: u32) -> u32 {
        let faked = self.process.options.files.is_faked();
        if faked { (mode & !NEVER_REAL) | 0o600 | (mode & libc::S_IFMT) } else { mode }
    }

    /// Remembers whose a file is that the guest has just made, asking for these permissions, and
    /// what device it stands for.
    pub(crate) fn born(&self, spot: Spot<'_>, mode: u32, device: Option<(u32, u32)>) {
        let Some((_, fake, c)) = self.fake() else { return };
        let Ok(x) = stat(spot) else { return };
        let mine = (c.user.file, c.group.file);
        let real = permissions(&x);
        let wanted = (real & (mode | !0o700)) | (mode & NEVER_REAL);
        let is_link = u32::from(x.mode) & libc::S_IFMT == libc::S_IFLNK;
        let entry = Entry {
            owner: (mine != (0, 0)).then_some(mine),
            mode: (wanted != real && !is_link).then_some(wanted),
            device,
        };
        if entry != fake.owners.get(&x) {
            fake.owners.set(&x, entry);
        }
    }

    /// Forgets a file whose last name `remove` removes.
    pub(crate) fn dies(&self, spot: Spot<'_>, remove: impl FnOnce() -> SysResult) -> SysResult {
        let Some((_, fake, _)) = self.fake() else { return remove() };
        let before = stat(spot);
        let result = remove()?;
        if let Ok(x) = before {
            let is_dir = u32::from(x.mode) & libc::S_IFMT == libc::S_IFDIR;
            if (x.nlink == 1 || is_dir) && fake.owners.get(&x) != Entry::default() {
                fake.owners.set(&x, Entry::default());
            }
        }
        Ok(result)
    }

    /// Makes a call again that the host has refused for want of permissions in a directory of the
    /// user's own.
    pub(crate) fn unlocked(&self, dirs: &[Fd], call: impl Fn() -> SysResult) -> SysResult {
        match call() {
            Err(Errno::EACCES) => {
                let world = self.process.options.files.world();
                let freed = |world: &World| dirs.iter().filter(|d| world.unlock(d.0)).count() != 0;
                if world.is_some_and(|w| freed(w)) { call() } else { Err(Errno::EACCES) }
            }
            other => other,
        }
    }

    /// Whether the guest may access a file as access(2) says, by its real or, if `effective`, by
    /// its effective ids; `None` if that is for the host to tell.
    pub(crate) fn may(&self, at: &HostPath, wanted: u32, effective: bool) -> Option<SysResult> {
        let (world, fake, c) = self.fake()?;
        let mut x = match stat(at.spot()) {
            Ok(x) => x,
            Err(e) => return Some(Err(e)),
        };
        if x.uid != fake.user || wanted & !7 != 0 {
            return None;
        }
        world.show(&mut x);
        let (user, group) = if effective {
            (c.user.effective, c.group.effective)
        } else {
            (c.user.real, c.group.real)
        };
        let mode = u32::from(x.mode);
        let is_dir = mode & libc::S_IFMT == libc::S_IFDIR;
        let has = if user == 0 {
            6 | u32::from(is_dir || mode & 0o111 != 0)
        } else if user == x.uid {
            mode >> 6
        } else if group == x.gid || c.groups.contains(&x.gid) {
            mode >> 3
        } else {
            mode
        };
        if wanted & 2 != 0 && at.read_only {
            return Some(Err(Errno::EROFS));
        }
        Some(if wanted & !has & 7 == 0 { Ok(0) } else { Err(Errno::EACCES) })
    }
}
