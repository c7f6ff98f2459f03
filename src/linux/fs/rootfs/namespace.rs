//! Mounts of the guest's own (mount_namespaces(7), pivot_root(2)): in a mount namespace that the
//! guest has made, what a world binds becomes mounts of the host's kernel, and so does what the
//! guest mounts there. The host's root stays ours, and has no name in the world: to pivot is to
//! exchange what is mounted where the host has the world's root, and the world.

use super::chroot::Worlds;
use super::names::{fd_path, read_link};
use super::resolve::{Handle, Want, open_beneath};
use super::setup::{lift, open_host};
use super::world::{Mount, World};
use crate::linux::abi::{Errno, Fd};
use crate::linux::fs::proc::names::{self, MountFormat, escaped};
use crate::linux::host::{HostArg, file_identity, host_call, host_fd, path_of};
use crate::sys::async_signal;
use crate::sys::process::{CloneMore, lend};
use std::ffi::{CStr, CString};
use std::fmt::Write as _;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, OnceLock};

/// The place of a root that has been replaced and lies on top of its successor, in the names of
/// what only the world knows of: no path leads there.
const ON_TOP: &[u8] = b"/\0root";
/// Where descriptors lead whose mount has been taken away. No path leads there either.
const GONE: &[u8] = b"/\0gone";

/// `mount` of the host; a missing text is a null pointer.
fn mount(source: Option<&CStr>, target: &CStr, flags: u64) -> Result<(), Errno> {
    let source = source.map_or(HostArg::NULL, HostArg::path);
    let args = [source, HostArg::path(target), HostArg::NULL, flags.into(), HostArg::NULL];
    host_call(libc::SYS_mount, &args).map(drop)
}

fn bind(source: &OwnedFd, target: &OwnedFd, read_only: bool) -> Result<(), Errno> {
    let (from, to) = (fd_path(source.as_raw_fd()), fd_path(target.as_raw_fd()));
    mount(Some(&from), &to, libc::MS_BIND | libc::MS_REC)?;
    if !read_only {
        return Ok(());
    }
    // The new mount is on top of what `target` refers to.
    let place = CString::new(read_link(Fd::CWD, &to)?).map_err(|_| Errno::EINVAL)?;
    // `struct mount_attr`: set, clear, propagation, name space.
    let attributes = [libc::MOUNT_ATTR_RDONLY, 0, 0, 0];
    let size = size_of_val(&attributes) as u64;
    let args = [
        libc::AT_FDCWD.into(),
        HostArg::path(&place),
        (libc::AT_RECURSIVE as u32).into(),
        HostArg::slice(&attributes),
        size.into(),
    ];
    host_call(libc::SYS_mount_setattr, &args).map(drop)
}

/// True for the root of a mount.
fn is_mount_root(fd: i32) -> bool {
    /// `STATX_ATTR_MOUNT_ROOT`, and where `struct statx` has its attributes.
    const MOUNT_ROOT: u64 = 0x2000;
    let mut statx = [0_u64; 32];
    let args = [
        fd.into(),
        HostArg::path(c""),
        libc::AT_EMPTY_PATH.into(),
        0.into(),
        HostArg::slice_mut(&mut statx),
    ];
    host_call(libc::SYS_statx, &args).is_ok() && statx[1] & MOUNT_ROOT != 0
}

impl Mount {
    /// What is mounted, found again by its path in the calling thread's namespace.
    fn renewed(&self) -> Result<OwnedFd, Errno> {
        let path = read_link(Fd::CWD, &fd_path(self.fd.as_raw_fd()))?;
        let fd = open_host(&path_of(&path))?;
        let (old, new) = (file_identity(self.fd.as_raw_fd())?, file_identity(fd.as_raw_fd())?);
        // Somebody may have put another file there.
        let same = old.dev == new.dev && old.inode == new.inode;
        if same { Ok(fd) } else { Err(Errno::EPERM) }
    }
}

impl Worlds {
    /// After the process has got a mount namespace of its own: the world in that one. If that
    /// fails, the world stays what it was, and nothing can be mounted.
    pub(crate) fn enter_new_namespace(&self) {
        let cwd = self.name_of(Fd::CWD);
        match self.in_new_namespace() {
            Ok(world) => self.replace(world),
            Err(e) => return tracing::debug!("no mounts in the new namespace: {e:?}"),
        }
        // The working directory is on the mounts that the root has been put on top of.
        if let Ok(name) = cwd
            && let Ok(found) = self.resolve(Fd::CWD, &name, Want::Object)
        {
            let _ = host_call(libc::SYS_fchdir, &[found.at.fd().into()]);
        }
    }

    /// After the process has joined a mount namespace.
    pub(crate) fn enter_namespace(&self) {
        let renewed = |m: &Mount| Mount::new(m.guest.clone(), lift(m.renewed()?)?, m.read_only);
        let known = &self.mounts[0];
        // The root was made a mount where a guest made the namespace, and may be another there.
        let there = open_host(&path_of(&known.host)).ok();
        let own = there.as_ref().is_some_and(|root| is_mount_root(root.as_raw_fd()));
        let root = match there.filter(|_| own) {
            Some(root) => lift(root).and_then(|root| Mount::new(Vec::new(), root, false)),
            None => renewed(known),
        };
        let Ok(root) = root else { return };
        let others = self.mounts.iter().skip(1).filter(|_| !own).filter_map(|m| renewed(m).ok());
        let mounts = std::iter::once(root).chain(others).collect();
        self.replace(self.successor(mounts, own));
        // The kernel goes to the root that it knows of.
        let _ = host_call(libc::SYS_fchdir, &[self.mounts[0].fd.as_raw_fd().into()]);
    }

    /// Exchanges the root (pivot_root(2)). Who was in the old root is in the new one.
    ///
    /// # Errors
    /// Those of the call.
    pub(crate) fn pivot(&self, new: &[u8], old: &[u8]) -> Result<(), Errno> {
        self.replace(self.pivoted(new, old)?);
        Ok(())
    }

    /// Takes a mount away that only this world knows of. False if there is none.
    pub(crate) fn take_away(&self, place: &[u8]) -> bool {
        let known = self.mounts.iter().skip(1).any(|m| m.guest == place);
        if known {
            self.forget(|guest| is_at_or_below(guest, place));
        }
        known
    }

    /// After the host has taken a mount away: what this world alone knows of below it.
    pub(crate) fn taken_away(&self, place: &[u8]) {
        let place = if place == b"/" { ON_TOP } else { place };
        self.forget(|guest| guest != place && is_at_or_below(guest, place));
    }

    fn forget(&self, gone: impl Fn(&[u8]) -> bool) {
        let known = self.mounts.iter().map(|m| &m.guest).chain(self.aliases.iter().map(|a| &a.1));
        if !known.clone().any(|guest| gone(guest)) {
            return;
        }
        let mounts = self.mounts.iter().filter(|m| !gone(&m.guest)).cloned().collect();
        // Descriptors of what was there go on working.
        let moved = |guest: &Vec<u8>| {
            if gone(guest) { [GONE, guest].concat() } else { guest.clone() }
        };
        let aliases = self.aliases.iter().map(|(host, guest)| (host.clone(), moved(guest)));
        self.replace(World { aliases: aliases.collect(), ..self.successor(mounts, true) });
    }
}

fn is_at_or_below(guest: &[u8], place: &[u8]) -> bool {
    matches!(guest.strip_prefix(place), Some([] | [b'/', ..]))
}

/// Lets the kernel exchange what is mounted at `root` for `new`, in which `below` becomes the place
/// of the former. The kernel does so for the root of a process, so a thread takes it for its own.
fn exchange(root: i32, new: i32, below: &CStr) -> Result<(), Errno> {
    let steps = || {
        host_call(libc::SYS_unshare, &[HostArg::int(libc::CLONE_FS)])?;
        host_call(libc::SYS_fchdir, &[root.into()])?;
        host_call(libc::SYS_chroot, &[HostArg::path(c".")])?;
        host_call(libc::SYS_fchdir, &[new.into()])?;
        host_call(libc::SYS_pivot_root, &[HostArg::path(c"."), HostArg::path(below)])
    };
    let mut result = Err(Errno::EAGAIN);
    let mask = async_signal::set_mask(!0);
    let ran = lend(&CloneMore::default(), &mut || result = steps());
    async_signal::set_mask(mask);
    ran?;
    result.map(drop)
}

impl World {
    /// What the guest mounts is mounted: it has a mount namespace of its own.
    pub(crate) fn has_own_mounts(&self) -> bool {
        self.own_mounts
    }

    /// A world with other mounts, in the place of this one.
    fn successor(&self, mounts: Vec<Mount>, own_mounts: bool) -> Self {
        let gone = self.mounts.iter().map(|m| &m.fd);
        let gone = gone.filter(|fd| !mounts.iter().any(|m| Arc::ptr_eq(&m.fd, fd)));
        let before = self.before.iter().chain(gone).cloned().collect();
        let world = Self {
            fake: self.fake.clone(),
            lease: self.lease.clone(),
            aliases: self.aliases.clone(),
            before,
            own_mounts,
            ..Self::new(mounts)
        };
        if let Some(exe) = self.exe.get() {
            let _ = world.exe.set(exe.clone());
        }
        world
    }

    fn in_new_namespace(&self) -> Result<Self, Errno> {
        // Nothing that is mounted here is seen by others. Without a mount at the root there are
        // no others.
        let _ = mount(None, c"/", libc::MS_SLAVE | libc::MS_REC);
        let root = self.mounts[0].renewed()?;
        let path = read_link(Fd::CWD, &fd_path(root.as_raw_fd()))?;
        bind(&root, &root, false)?;
        let root = lift(open_host(&path_of(&path))?)?;
        let mut mounts = vec![Mount::new(Vec::new(), root, self.mounts[0].read_only)?];
        let mut aliases = Vec::new();
        let mut others: Vec<_> = self.mounts.iter().skip(1).collect();
        // Those that hold others come first.
        others.sort_by_key(|m| m.guest.len());
        for m in others {
            let Ok(source) = m.renewed() else { continue };
            let place = m.guest.strip_prefix(b"/").unwrap_or(&m.guest);
            let holds = |k: &&Mount| m.guest.starts_with(&[&k.guest, &b"/"[..]].concat());
            // Below one that only the world knows of, it is one too.
            let target = match mounts.iter().skip(1).find(holds) {
                Some(_) => Err(Errno::ENOENT),
                None => open_beneath(mounts[0].fd.as_raw_fd(), place, libc::O_PATH),
            };
            let bound = target.and_then(|target| bind(&source, &target, m.read_only));
            match bound {
                Ok(()) => aliases.push((m.host.clone(), m.guest.clone())),
                // A place that the tree lacks.
                Err(_) => mounts.push(Mount::new(m.guest.clone(), lift(source)?, m.read_only)?),
            }
        }
        Ok(Self { aliases, ..self.successor(mounts, true) })
    }

    fn pivoted(&self, new: &[u8], old: &[u8]) -> Result<Self, Errno> {
        let directory = |path: &[u8]| {
            let found = self.resolve(Fd::CWD, path, Want::Object)?;
            let name = self.name_of(Fd(found.at.fd()))?;
            let here = [found.at.fd().into(), HostArg::path(c"."), libc::O_PATH.into()];
            Ok::<_, Errno>((host_fd(libc::SYS_openat, &here)?, name))
        };
        let ((root, place), (_, old)) = (directory(new)?, directory(old)?);
        if !self.own_mounts {
            return Err(Errno::EPERM);
        }
        if place == b"/" || old == b"/" {
            return Err(Errno::EBUSY);
        }
        let below = old.strip_prefix(&place[..]).ok_or(Errno::EINVAL)?;
        let from_there = [&b"."[..], below].concat();
        let root = lift(root)?;
        let from_there = CString::new(from_there).map_err(|_| Errno::EINVAL)?;
        exchange(self.mounts[0].fd.as_raw_fd(), root.as_raw_fd(), &from_there)?;
        let below = if below.is_empty() { ON_TOP } else { below };
        let moved = |guest: &[u8]| {
            let inside = guest.strip_prefix(&place[..]).filter(|rest| rest.first() == Some(&b'/'));
            inside.map_or_else(|| [below, guest].concat(), <[u8]>::to_vec)
        };
        let mut mounts = vec![Mount::new(Vec::new(), root, false)?];
        let others = self.mounts.iter().skip(1);
        mounts.extend(others.map(|m| Mount { guest: moved(&m.guest), ..m.clone() }));
        let aliases = self.aliases.iter().map(|(host, guest)| (host.clone(), moved(guest)));
        let exe = self.exe.get().map_or_else(OnceLock::new, |exe| OnceLock::from(moved(exe)));
        Ok(Self { aliases: aliases.collect(), exe, ..self.successor(mounts, true) })
    }

    /// Directory and name of a mount point, not to be followed, for umount(2): a descriptor of what
    /// is mounted would keep it busy.
    ///
    /// # Errors
    /// Those of path_resolution(7).
    pub(crate) fn mount_point(&self, place: &[u8]) -> Result<(Handle, CString), Errno> {
        let found = self.resolve(Fd::CWD, place, Want::Name)?;
        let name = found.name.ok_or(Errno::EINVAL)?;
        let dir = fd_path(found.at.fd()).into_bytes();
        let path = CString::new([&dir, &b"/"[..], &name].concat()).map_err(|_| Errno::EINVAL)?;
        Ok((found.at, path))
    }

    /// The path in our `/proc` of what is at a place, if that is on a file system of processes.
    /// `at` is a descriptor of it, or of the directory in which it is `name`.
    pub(crate) fn proc_path(&self, place: &[u8], at: i32, name: Option<&[u8]>) -> Option<Vec<u8>> {
        let (mount, rest) = self.mount_of(place);
        if self.mounts[mount].is_proc {
            return Some([&b"/proc/"[..], rest].concat());
        }
        if !self.own_mounts {
            return None;
        }
        names::path_by_mount(at, name)
    }

    /// Lines of the host's `mountinfo` that are of mounts below the root, in the guest's names.
    /// What holds the root, which nobody sees, has the number `holder`.
    pub(super) fn write_own_mounts(
        &self,
        out: &mut String,
        format: MountFormat,
        host: &str,
        holder: u64,
    ) {
        let Some(id) = self.mounts[0].host_id() else { return };
        let mut inside = vec![id.as_str()];
        let below = escaped(&self.mounts[0].host);
        for line in host.lines() {
            let fields: Vec<_> = line.splitn(6, ' ').collect();
            let [id, parent, device, root, place, rest] = fields[..] else { continue };
            if id != inside[0] && !inside.contains(&parent) {
                continue;
            }
            let Some(name) = place.strip_prefix(below.trim_end_matches('/')) else { continue };
            inside.push(id);
            let holder = holder.to_string();
            let parent = if id == inside[0] { &holder } else { parent };
            let name = if name.is_empty() { "/" } else { name };
            let mut right = rest.split(" - ").nth(1).unwrap_or("").splitn(3, ' ');
            let (kind, source, all) = (right.next(), right.next(), right.next());
            let (kind, source) = (kind.unwrap_or("none"), source.unwrap_or("none"));
            let options = rest.split(' ').next().unwrap_or("");
            let _ = match format {
                MountFormat::MountInfo => {
                    writeln!(out, "{id} {parent} {device} {root} {name} {rest}")
                }
                MountFormat::Mounts => {
                    let more = all.and_then(|all| all.get(2..)).unwrap_or("");
                    writeln!(out, "{source} {name} {kind} {options}{more} 0 0")
                }
                MountFormat::MountStats => {
                    writeln!(out, "device {source} mounted on {name} with fstype {kind}")
                }
            };
        }
    }
}

/// The options of an overlay with the guest's paths replaced by what `host` says of each.
///
/// # Errors
/// Those of `host`.
pub(crate) fn overlay_options(
    data: &[u8],
    mut host: impl FnMut(&[u8]) -> Result<Vec<u8>, Errno>,
) -> Result<Vec<u8>, Errno> {
    let mut options = Vec::new();
    for option in data.split(|&b| b == b',') {
        let at = option.iter().position(|&b| b == b'=').map_or(option.len(), |at| at + 1);
        let (key, value) = option.split_at(at);
        options.push(match key {
            b"lowerdir=" => {
                let layers: Result<Vec<_>, _> =
                    value.split(|&b| b == b':').map(&mut host).collect();
                [key, &layers?.join(&b':')].concat()
            }
            b"upperdir=" | b"workdir=" => [key, &host(value)?].concat(),
            _ => option.to_vec(),
        });
    }
    Ok(options.join(&b','))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_overlays_are_replaced() {
        let host = |path: &[u8]| Ok([b"/host", path].concat());
        let made = overlay_options(b"lowerdir=/a:/b,upperdir=/c,workdir=/d,userxattr", host);
        let wanted = b"lowerdir=/host/a:/host/b,upperdir=/host/c,workdir=/host/d,userxattr";
        assert_eq!(made.unwrap(), wanted);
        assert_eq!(overlay_options(b"", host).unwrap(), b"");
    }
}
