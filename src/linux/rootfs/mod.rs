//! A root filesystem of the guest's own (`--rootfs`): a directory of the host is its `/`, further
//! host files and directories are bound into it, and nothing else has a name.
//!
//! The rule that keeps the guest inside: the host's kernel never follows a symbolic link on our
//! behalf. A path is given to it only beneath a descriptor of a directory that is known to be
//! inside, with `RESOLVE_NO_SYMLINKS` and without `..`; links, `..` and mount points are this
//! module's work ([`resolve`]), component by component, on descriptors. What a name means may
//! change between two steps, but each step starts and ends inside.
//!
//! A process has one world at a time; `chroot` replaces it ([`chroot`]), and so do new mount
//! namespaces and `pivot_root` ([`namespace`]).

mod chroot;
mod fake;
mod mounts;
mod names;
mod namespace;
mod open;
mod owners;
mod resolve;
mod setup;
mod shortcut;
mod unix;

pub(super) use chroot::Worlds;
use fake::Fake;
pub(super) use mounts::{Format as MountFormat, escaped, id_of as mount_id};
pub(super) use names::{fd_path, read_link};
pub(super) use namespace::overlay_options;
pub(super) use open::{open, open_with};
pub(super) use resolve::{Handle, Resolved, Want};
pub use setup::RootFs;
use shortcut::Links;
pub(super) use unix::Address;
use unix::Bound;

use super::abi::Fd;
use super::host::host_call;
use super::process::lock;
use crate::sys::fd::kept_aside;
use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

/// Something of the host that has a place in the guest's world.
#[derive(Clone, Debug)]
struct Mount {
    /// Where: `/dev/null`, and nothing for the root.
    guest: Vec<u8>,
    /// `O_PATH` descriptor of what is there.
    fd: Arc<OwnedFd>,
    /// Host path of that when it was opened.
    host: Vec<u8>,
    is_dir: bool,
    /// Changes answer `EROFS`.
    read_only: bool,
    /// It is the host's `/proc`, with its links that are no text.
    is_proc: bool,
}

/// All the files that a guest can name.
#[derive(Debug)]
pub(super) struct World {
    /// The root first.
    mounts: Vec<Mount>,
    /// By the place.
    places: HashMap<Vec<u8>, usize>,
    /// Last components of all places: a relative path without one of these crosses none.
    last_names: HashSet<Vec<u8>>,
    /// Some mount is read-only.
    any_read_only: bool,
    /// Links that lookups have met.
    links: Mutex<Links>,
    /// Sockets that this process has bound.
    bound: Mutex<Bound>,
    /// What a fake root needs.
    fake: Option<Arc<Fake>>,
    /// Roots that this one has replaced, which stay open.
    before: Vec<Arc<OwnedFd>>,
    /// It has a mount namespace of the guest's own ([`namespace`]).
    own_mounts: bool,
    /// Host paths and places of what was bound before that: descriptors may still have them.
    aliases: Vec<(Vec<u8>, Vec<u8>)>,
    /// The guest's name of the running program.
    pub exe: OnceLock<Vec<u8>>,
}

impl World {
    fn new(mounts: Vec<Mount>) -> Self {
        let places = mounts.iter().enumerate().map(|(i, m)| (m.guest.clone(), i)).collect();
        let last = |m: &Mount| m.guest.rsplit(|&b| b == b'/').next().map(<[u8]>::to_vec);
        Self {
            places,
            last_names: mounts.iter().skip(1).filter_map(last).collect(),
            any_read_only: mounts.iter().any(|m| m.read_only),
            mounts,
            links: Mutex::default(),
            bound: Mutex::default(),
            fake: None,
            before: Vec::new(),
            own_mounts: false,
            aliases: Vec::new(),
            exe: OnceLock::new(),
        }
    }

    /// The mount that holds a place, and the rest of the path without a slash at its start.
    /// `place` is free of links, `.` and `..`.
    fn mount_of<'a>(&self, place: &'a [u8]) -> (usize, &'a [u8]) {
        let mut end = place.len();
        loop {
            if let Some(&i) = self.places.get(&place[..end]) {
                let rest = &place[end..];
                return (i, rest.strip_prefix(b"/").unwrap_or(rest));
            }
            // The root has the empty place, so this ends.
            end = place[..end].iter().rposition(|&b| b == b'/').unwrap_or(0);
        }
    }

    /// True if a path leads to a symbolic link.
    pub(super) fn is_link(&self, path: &[u8]) -> bool {
        let Ok(found) = self.resolve(Fd::CWD, path, Want::Entry) else { return false };
        let name = found.name.and_then(|name| CString::new(name).ok());
        name.is_some_and(|name| read_link(Fd(found.at.fd()), &name).is_ok())
    }

    /// True if `fd` is one of the descriptors that hold the world: not the guest's.
    pub(super) fn holds(&self, fd: i32) -> bool {
        kept_aside().chain(self.inherited()).any(|held| held == fd)
            || self.bound().held().any(|held| held == fd)
            || self.before.iter().any(|held| held.as_raw_fd() == fd)
    }

    /// True for the number of such a descriptor, in text.
    fn is_held(&self, number: &[u8]) -> bool {
        let number = std::str::from_utf8(number).ok().and_then(|n| n.parse().ok());
        number.is_some_and(|n| self.holds(n))
    }

    /// Lets the descriptors outlive the next `execve`, whatever the guest has done to them.
    pub(super) fn keep_open(&self) {
        for fd in self.inherited() {
            let _ = host_call(libc::SYS_fcntl, &[fd.into(), libc::F_SETFD.into(), 0.into()]);
        }
        let close = libc::FD_CLOEXEC;
        for fd in &self.before {
            let args = [fd.as_raw_fd().into(), libc::F_SETFD.into(), close.into()];
            let _ = host_call(libc::SYS_fcntl, &args);
        }
    }

    /// Numbers of the descriptors that the next program is told of.
    fn inherited(&self) -> impl Iterator<Item = i32> + '_ {
        self.mounts.iter().map(|m| m.fd.as_raw_fd()).chain(self.owners_fd())
    }

    /// Numbers of all descriptors that are not the guest's.
    pub(super) fn held(&self) -> Vec<i32> {
        let bound = self.bound();
        let before = self.before.iter().map(|fd| fd.as_raw_fd());
        kept_aside().chain(self.inherited()).chain(bound.held()).chain(before).collect()
    }

    /// What has been bound. To be held while the process is copied.
    pub(super) fn bound(&self) -> MutexGuard<'_, Bound> {
        lock(&self.bound)
    }
}
