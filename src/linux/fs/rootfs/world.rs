//! The files of a guest with a root of its own, and what hangs together with them.

use super::bound::Bound;
use super::owners::Owners;
use crate::linux::host::host_call;
use crate::linux::lock::lock;
use crate::sys::fd::kept_aside;
use std::collections::{HashMap, HashSet};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

/// Something of the host that has a place in the guest's world.
#[derive(Clone, Debug)]
pub(super) struct Mount {
    /// Where: `/dev/null`, and nothing for the root.
    pub(super) guest: Vec<u8>,
    /// `O_PATH` descriptor of what is there.
    pub(super) fd: Arc<OwnedFd>,
    /// Host path of that when it was opened.
    pub(super) host: Vec<u8>,
    pub(super) is_dir: bool,
    /// Changes answer `EROFS`.
    pub(super) read_only: bool,
    /// It is the host's `/proc`, with its links that are no text.
    pub(super) is_proc: bool,
}

/// Texts of links by their places.
pub(super) type Links = HashMap<Vec<u8>, Arc<[u8]>>;

/// What makes a root a fake.
#[derive(Debug)]
pub(super) struct Fake {
    pub owners: Owners,
    /// The host's user and group.
    pub user: u32,
    pub group: u32,
}

/// All the files that a guest can name.
#[derive(Debug)]
pub(crate) struct World {
    /// The root first.
    pub(super) mounts: Vec<Mount>,
    /// By the place.
    pub(super) places: HashMap<Vec<u8>, usize>,
    /// Last components of all places: a relative path without one of these crosses none.
    pub(super) last_names: HashSet<Vec<u8>>,
    /// Some mount is read-only.
    pub(super) any_read_only: bool,
    /// Links that lookups have met.
    pub(super) links: Mutex<Links>,
    /// Sockets that this process has bound.
    pub(super) bound: Mutex<Bound>,
    /// What a fake root needs.
    pub(super) fake: Option<Arc<Fake>>,
    /// What the guest's processes hold open as long as one of them lives.
    pub(super) lease: Option<Arc<OwnedFd>>,
    /// Roots that this one has replaced, which stay open.
    pub(super) before: Vec<Arc<OwnedFd>>,
    /// It has a mount namespace of the guest's own ([`super::namespace`]).
    pub(super) own_mounts: bool,
    /// Host paths and places of what was bound before that: descriptors may still have them.
    pub(super) aliases: Vec<(Vec<u8>, Vec<u8>)>,
    /// The guest's name of the running program.
    pub exe: OnceLock<Vec<u8>>,
}

impl World {
    pub(super) fn new(mounts: Vec<Mount>) -> Self {
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
            lease: None,
            before: Vec::new(),
            own_mounts: false,
            aliases: Vec::new(),
            exe: OnceLock::new(),
        }
    }

    /// The mount that holds a place, and the rest of the path without a slash at its start.
    /// `place` is free of links, `.` and `..`.
    pub(super) fn mount_of<'a>(&self, place: &'a [u8]) -> (usize, &'a [u8]) {
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

    /// True if `fd` is one of the descriptors that hold the world: not the guest's.
    pub(crate) fn holds(&self, fd: i32) -> bool {
        kept_aside().chain(self.inherited()).any(|held| held == fd)
            || self.bound().held().any(|held| held == fd)
            || self.before.iter().any(|held| held.as_raw_fd() == fd)
    }

    /// True for the number of such a descriptor, in text.
    pub(super) fn is_held(&self, number: &[u8]) -> bool {
        let number = std::str::from_utf8(number).ok().and_then(|n| n.parse().ok());
        number.is_some_and(|n| self.holds(n))
    }

    /// Lets the descriptors outlive the next `execve`, whatever the guest has done to them.
    pub(crate) fn keep_open(&self) {
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
    pub(crate) fn inherited(&self) -> impl Iterator<Item = i32> + '_ {
        let lease = self.lease.iter().map(|fd| fd.as_raw_fd());
        self.mounts.iter().map(|m| m.fd.as_raw_fd()).chain(self.owners_fd()).chain(lease)
    }

    /// Numbers of all descriptors that are not the guest's.
    pub(crate) fn held(&self) -> Vec<i32> {
        let bound = self.bound();
        let before = self.before.iter().map(|fd| fd.as_raw_fd());
        kept_aside().chain(self.inherited()).chain(bound.held()).chain(before).collect()
    }

    /// What has been bound. To be held while the process is copied.
    pub(crate) fn bound(&self) -> MutexGuard<'_, Bound> {
        lock(&self.bound)
    }
}
