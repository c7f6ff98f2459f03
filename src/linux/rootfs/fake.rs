//! A fake root: what changes about files when the guest believes to be someone else than the
//! host's user, who owns everything that the guest makes.
//!
//! The host's files keep the permissions that their owner needs to work with them; what the guest
//! has asked for beyond that is remembered ([`super::owners`]) and shown. Files of the host's user
//! without an entry belong to the guest's root.

use super::World;
use super::names::fd_path;
use super::owners::{Entry, Owners};
use crate::linux::abi::Pod;
use crate::linux::abi::{Errno, Fd, Statx, SysResult};
use crate::linux::credentials::Credentials;
use crate::linux::host::{HostArg, host_call};
use crate::linux::lock::lock;
use crate::linux::path::HostPath;
use crate::linux::process::Thread;
use std::ffi::CStr;
use std::os::fd::AsRawFd;

/// Permissions that are remembered and never the host's: set-user-ID and set-group-ID.
const NEVER_REAL: u32 = libc::S_ISUID | libc::S_ISGID;

/// What makes a root a fake.
#[derive(Debug)]
pub(super) struct Fake {
    pub owners: Owners,
    /// The host's user and group.
    pub user: u32,
    pub group: u32,
}

/// A file: a name in a directory, not followed, or an empty name for what the descriptor is.
pub(crate) type Spot<'a> = (Fd, &'a CStr);

/// What the host knows about a file.
///
/// # Errors
/// The host's.
pub(crate) fn stat((dir, path): Spot<'_>) -> Result<Statx, Errno> {
    let mut x = Statx::zeroed();
    let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH;
    let mask = libc::STATX_BASIC_STATS;
    let args = [dir.into(), path.into(), flags.into(), mask.into(), HostArg::of_mut(&mut x)];
    host_call(libc::SYS_statx, &args)?;
    Ok(x)
}

/// Permissions that the host's user needs for files of this type.
fn needed(mode: u16) -> u32 {
    match u32::from(mode) & libc::S_IFMT {
        libc::S_IFDIR => 0o700,
        libc::S_IFLNK => 0,
        _ => 0o600,
    }
}

fn permissions(x: &Statx) -> u32 {
    u32::from(x.mode) & 0o7777
}

impl World {
    /// True with a fake root.
    pub(crate) fn is_faked(&self) -> bool {
        self.fake.is_some()
    }

    /// Number of the descriptor of the table of owners.
    pub(super) fn owners_fd(&self) -> Option<i32> {
        self.fake.as_ref().map(|f| f.owners.file.as_raw_fd())
    }

    /// Makes of what the host knows about a file what the guest sees.
    pub(crate) fn show(&self, x: &mut Statx) {
        let Some(fake) = &self.fake else { return };
        let entry = fake.owners.get(x);
        if x.uid == fake.user {
            x.uid = 0;
        }
        if x.gid == fake.group {
            x.gid = 0;
        }
        if let Some((user, group)) = entry.owner {
            (x.uid, x.gid) = (user, group);
        }
        if let Some(mode) = entry.mode {
            x.mode = x.mode & !0o7777 | mode as u16;
        }
        if let Some((kind, number)) = entry.device {
            x.mode = x.mode & 0o7777 | kind as u16;
            x.rdev_major = (number & 0xf_ff00) >> 8;
            x.rdev_minor = (number & 0xff) | ((number >> 12) & 0xf_ff00);
        }
    }

    /// Gives the host's user the permissions that it lacks on an object of its own, and remembers
    /// those that it had. False if that changes nothing.
    pub(super) fn unlock(&self, object: i32) -> bool {
        let Some(fake) = &self.fake else { return false };
        let Ok(x) = stat((Fd(object), c"")) else { return false };
        let had = permissions(&x);
        let real = (had & !NEVER_REAL) | needed(x.mode);
        if x.uid != fake.user || had & real & 0o700 == real & 0o700 {
            return false;
        }
        let entry = fake.owners.get(&x);
        fake.owners.set(&x, Entry { mode: entry.mode.or(Some(had)), ..entry });
        let path = fd_path(object);
        let args = [libc::AT_FDCWD.into(), HostArg::path(&path), real.into()];
        host_call(libc::SYS_fchmodat, &args).is_ok()
    }

    /// What execve(2) makes of credentials, given the program's owners and mode.
    pub(crate) fn for_program(&self, c: &Credentials, program: i32) -> Credentials {
        match stat((Fd(program), c"")) {
            Ok(mut x) => {
                self.show(&mut x);
                c.for_program(x.uid, x.gid, u32::from(x.mode))
            }
            Err(_) => c.clone(),
        }
    }
}

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
        let world = self.process.options.world.as_deref()?;
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
        let faked = self.process.options.world.as_ref().is_some_and(|w| w.is_faked());
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
                let world = self.process.options.world.as_ref();
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
