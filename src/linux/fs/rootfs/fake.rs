//! A fake root: what changes about files when the guest believes to be someone else than the
//! host's user, who owns everything that the guest makes.
//!
//! The host's files keep the permissions that their owner needs to work with them; what the guest
//! has asked for beyond that is remembered ([`super::owners`]) and shown. Files of the host's user
//! without an entry belong to the guest's root.

use super::names::fd_path;
use super::owners::Entry;
use super::world::World;
use crate::linux::abi::{Errno, Fd, Pod, Statx};
use crate::linux::host::{HostArg, host_call};
use crate::linux::task::credentials::Credentials;
use std::ffi::CStr;
use std::os::fd::AsRawFd;

/// Permissions that are remembered and never the host's: set-user-ID and set-group-ID.
pub(super) const NEVER_REAL: u32 = libc::S_ISUID | libc::S_ISGID;

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
pub(super) fn needed(mode: u16) -> u32 {
    match u32::from(mode) & libc::S_IFMT {
        libc::S_IFDIR => 0o700,
        libc::S_IFLNK => 0,
        _ => 0o600,
    }
}

pub(super) fn permissions(x: &Statx) -> u32 {
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
