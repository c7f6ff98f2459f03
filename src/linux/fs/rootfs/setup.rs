//! Making a world: what is bound where, and handing it on to a program that the guest starts.

use super::names::{fd_path, read_link};
use super::owners::Owners;
use super::resolve::Want;
use super::world::{Fake, Mount, World};
use crate::linux::abi::{Errno, Fd};
use crate::linux::host::{HostArg, host_call, host_fd, inherited_fd};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What files a guest sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RootFs {
    pub(crate) prefix: Option<PathBuf>,
    pub(crate) root: Option<PathBuf>,
    binds: Vec<Bind>,
    fake_root: bool,
    /// Where the table of owners is, if not in the usual place.
    owners_file: Option<PathBuf>,
    lease: Option<Lease>,
}

/// A file that all processes of the guest hold open.
#[derive(Clone, Debug)]
struct Lease(Arc<OwnedFd>);

impl PartialEq for Lease {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Lease {}

/// A host file or directory and its place in the guest's world.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bind {
    host: PathBuf,
    guest: PathBuf,
    read_only: bool,
    /// Passed over where the host has it not.
    optional: bool,
}

/// What of the host every root filesystem has, if the host has it.
const STANDARD: [&str; 13] = [
    "/proc",
    "/sys",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/shm",
    "/etc/resolv.conf",
    "/etc/hosts",
];

/// Links that programs expect in `/dev`.
const LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

fn directory(dir: &Path) -> io::Result<PathBuf> {
    let dir = std::fs::canonicalize(dir)?;
    if dir.is_dir() { Ok(dir) } else { Err(io::Error::from_raw_os_error(libc::ENOTDIR)) }
}

impl RootFs {
    /// The host's.
    #[must_use]
    pub fn host() -> Self {
        Self::default()
    }

    /// The host's, but absolute paths that exist below `dir` are those (`-L`).
    ///
    /// # Errors
    /// `dir` is not a directory, or cannot be looked at.
    pub fn prefix(dir: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self { prefix: Some(directory(dir.as_ref())?), ..Self::default() })
    }

    /// Those below `dir` and no others, but for `/proc`, `/sys`, the usual devices and, for the
    /// network's sake, `/etc/resolv.conf` and `/etc/hosts` of the host (`-C`).
    ///
    /// # Errors
    /// `dir` is not a directory, or cannot be looked at.
    pub fn dir(dir: impl AsRef<Path>) -> io::Result<Self> {
        let bind = |path: &&str| Bind {
            host: path.into(),
            guest: path.into(),
            read_only: false,
            optional: true,
        };
        let binds = STANDARD.iter().map(bind).collect();
        Ok(Self { root: Some(directory(dir.as_ref())?), binds, ..Self::default() })
    }

    /// Gives a host file or directory a place in the guest's world, which hides what is there
    /// (`-b`). Where the directory has nothing of that name, an empty file or directory is made
    /// in it.
    pub fn bind(
        &mut self,
        host: impl AsRef<Path>,
        guest: impl AsRef<Path>,
        read_only: bool,
    ) -> &mut Self {
        let guest = Path::new("/").join(guest);
        self.binds.retain(|b| b.guest != guest);
        self.binds.push(Bind { host: host.as_ref().to_owned(), guest, read_only, optional: false });
        self
    }
}

impl RootFs {
    /// Makes the guest believe to be root: owners, permissions and devices that it gives to files
    /// are remembered and shown, though the host's files stay the calling user's (`-F`). They are
    /// kept in `$XDG_STATE_HOME/rvnative/owners`, for later runs with the same directory.
    pub fn fake_root(&mut self, on: bool) -> &mut Self {
        self.fake_root = on;
        self
    }

    /// Keeps what [`Self::fake_root`] remembers in a file of the caller's choice, made by
    /// [`FileOwners`](super::FileOwners).
    #[doc(hidden)]
    pub fn owners_file(&mut self, file: impl Into<PathBuf>) -> &mut Self {
        self.owners_file = Some(file.into());
        self
    }

    /// Lets every process of the guest hold `file` open, so that a lock of it (flock(2)) lasts
    /// until the last of them has ended. The guest does not see the descriptor.
    ///
    /// # Errors
    /// There is no number for the descriptor.
    #[doc(hidden)]
    pub fn lease(&mut self, file: OwnedFd) -> io::Result<&mut Self> {
        self.lease = Some(Lease(Arc::new(lift(file)?)));
        Ok(self)
    }

    /// The table of owners of a root directory.
    fn owners(&self, root: i32) -> Result<Owners, (PathBuf, Errno)> {
        let failed = |path: &Path, e: io::Error| (path.to_owned(), Errno::from(e));
        if let Some(path) = &self.owners_file {
            let file = Owners::file(path).and_then(|file| Ok(lift(file)?));
            return file.and_then(Owners::new).map_err(|e| failed(path, e));
        }
        let of_home = || std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".local/state"));
        let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or_else(of_home);
        let mut path = state.unwrap_or_else(std::env::temp_dir).join("rvnative/owners");
        std::fs::create_dir_all(&path).map_err(|e| failed(&path, e))?;
        let x = super::fake::stat((Fd(root), c"")).map_err(|e| (path.clone(), e))?;
        path.push(format!("{}:{}-{}", x.dev_major, x.dev_minor, x.ino));
        let file = Owners::file(&path).map_err(|e| failed(&path, e))?;
        let file = lift(file).map_err(|e| (path.clone(), e))?;
        Owners::new(file).map_err(|e| failed(&path, e))
    }
}

impl Fake {
    fn new(owners: Owners) -> Self {
        let [user, _, group, _] = crate::sys::process::ids().1;
        Self { owners, user, group }
    }
}

/// Descriptors of the world are above those that a guest may have.
pub(super) fn lift(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    /// Not so high that tables of descriptors become large.
    const HIGHEST: u64 = 4000;
    /// Room for the descriptors of a world.
    const ROOM: u64 = 96;
    let limit = |new: HostArg<'_>, old: HostArg<'_>| {
        let args = [0.into(), libc::RLIMIT_NOFILE.into(), new, old];
        host_call(libc::SYS_prlimit64, &args)
    };
    let mut old = [0_u64; 2];
    limit(HostArg::NULL, HostArg::of_mut(&mut old))?;
    let from = old[0].min(HIGHEST);
    let raised = [(from + ROOM).max(old[0]).min(old[1]), old[1]];
    limit(HostArg::of(&raised), HostArg::NULL)?;
    let from = from.min(raised[0].saturating_sub(ROOM));
    // They stay open in a program that the guest starts, which is us again.
    let high =
        host_fd(libc::SYS_fcntl, &[fd.as_raw_fd().into(), libc::F_DUPFD.into(), from.into()]);
    limit(HostArg::of(&old), HostArg::NULL)?;
    high
}

pub(super) fn open_host(path: &Path) -> Result<OwnedFd, Errno> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    let flags = libc::O_PATH | libc::O_CLOEXEC;
    let args = [libc::AT_FDCWD.into(), HostArg::path(&path), flags.into()];
    host_fd(libc::SYS_openat, &args)
}

impl Mount {
    pub(super) fn new(guest: Vec<u8>, fd: OwnedFd, read_only: bool) -> Result<Self, Errno> {
        let number = fd.as_raw_fd();
        let host = read_link(Fd::CWD, &fd_path(number))?;
        let is_dir =
            host_fd(libc::SYS_openat, &[number.into(), HostArg::path(c"."), libc::O_PATH.into()])
                .is_ok();
        let is_proc = host == b"/proc";
        Ok(Self { guest, fd: Arc::new(fd), host, is_dir, read_only, is_proc })
    }
}

/// Stands for a mount namespace of the guest's own in the words that describe a world.
const OWN_MOUNTS: &[u8] = b"+";
/// Stands before a host path and a place of the guest.
const ALIAS: &[u8] = b"=";
/// Stands before the number of the lease's descriptor.
const LEASE: &[u8] = b"!";

impl World {
    /// The world that a description asks for; `None` for the host's own.
    ///
    /// # Errors
    /// Of the host, with the path.
    pub(crate) fn open(files: &RootFs) -> Result<Option<Self>, (PathBuf, Errno)> {
        let Some(root) = &files.root else { return Ok(None) };
        let opened = |path: &Path, guest: Vec<u8>, read_only| {
            open_host(path)
                .and_then(lift)
                .and_then(|fd| Mount::new(guest, fd, read_only))
                .map_err(|e| (path.to_owned(), e))
        };
        let mut world = Self::new(vec![opened(root, Vec::new(), false)?]);
        for bind in &files.binds {
            let mount = match opened(&bind.host, Vec::new(), bind.read_only) {
                Err(_) if bind.optional => continue,
                other => other?,
            };
            // An empty /etc/hosts would outlast this run, and mean something to other users of the
            // tree.
            let listed = !bind.optional || mount.is_dir || bind.guest.starts_with("/dev");
            let place = world.make_place(bind.guest.as_os_str().as_bytes(), mount.is_dir, listed);
            let guest = match place {
                Err(_) if bind.optional => continue,
                other => other.map_err(|e| (bind.guest.clone(), e))?,
            };
            world.mounts.retain(|m| m.guest != guest);
            world.mounts.push(Mount { guest, ..mount });
            let mounts = std::mem::take(&mut world.mounts);
            world = Self::new(mounts);
        }
        world.make_links();
        if files.fake_root {
            let owners = files.owners(world.mounts[0].fd.as_raw_fd())?;
            world.fake = Some(Arc::new(Fake::new(owners)));
        }
        world.lease = files.lease.as_ref().map(|lease| Arc::clone(&lease.0));
        Ok(Some(world))
    }

    /// Where a thing is mounted that the guest calls `path`: free of links, and there if its
    /// directory is to list it.
    fn make_place(&self, path: &[u8], is_dir: bool, listed: bool) -> Result<Vec<u8>, Errno> {
        let mut place = Vec::new();
        let mut parts = path.split(|&b| b == b'/').filter(|p| !p.is_empty()).peekable();
        while let Some(part) = parts.next() {
            let next = [&place, &b"/"[..], part].concat();
            let wants_dir = is_dir || parts.peek().is_some();
            let mut found = self.resolve(Fd::CWD, &next, Want::Object);
            if listed && matches!(found, Err(Errno::ENOENT)) {
                // A root that cannot be written does not list it.
                let _ = self.make_empty(&next, wants_dir);
                found = self.resolve(Fd::CWD, &next, Want::Object);
            }
            place = match found {
                Ok(found) => self.name_of(Fd(found.at.fd()))?,
                Err(Errno::ENOENT) => next,
                Err(e) => return Err(e),
            };
            if place == b"/" {
                place.clear();
            }
        }
        Ok(place)
    }

    /// Makes an empty directory or file, so that a mount point is listed in its directory.
    fn make_empty(&self, path: &[u8], is_dir: bool) -> Result<(), Errno> {
        let found = self.resolve(Fd::CWD, path, Want::Name)?;
        let name = CString::new(found.name.unwrap_or_default()).map_err(|_| Errno::EINVAL)?;
        let at = found.at.fd();
        if is_dir {
            let args = [at.into(), HostArg::path(&name), 0o755.into()];
            host_call(libc::SYS_mkdirat, &args)?;
        } else {
            let mode = libc::S_IFREG | 0o644;
            let args = [at.into(), HostArg::path(&name), mode.into(), 0.into()];
            host_call(libc::SYS_mknodat, &args)?;
        }
        Ok(())
    }

    /// Makes the usual links in `/dev`. A directory that cannot be written stays without.
    fn make_links(&self) {
        for (name, target) in LINKS {
            let path = format!("/dev/{name}");
            let Ok(found) = self.resolve(Fd::CWD, path.as_bytes(), Want::Name) else {
                return;
            };
            let names = (CString::new(name), CString::new(target));
            if let (Ok(name), Ok(target)) = names {
                let at = found.at.fd();
                let args = [HostArg::path(&target), at.into(), HostArg::path(&name)];
                let _ = host_call(libc::SYS_symlinkat, &args);
            }
        }
    }

    /// What the next program of this process needs to have the same world: three words for each
    /// descriptor.
    pub(crate) fn to_words(&self) -> Vec<Vec<u8>> {
        let words = |m: &Mount| {
            let rights = if m.read_only { "ro" } else { "rw" };
            let fd = m.fd.as_raw_fd();
            [m.guest.clone(), fd.to_string().into_bytes(), rights.into()]
        };
        let owners =
            self.owners_fd().map(|fd| [b"-".to_vec(), fd.to_string().into(), b"rw".into()]);
        let lease = self.lease.as_ref().map(|fd| fd.as_raw_fd().to_string().into_bytes());
        let lease = lease.map(|fd| [LEASE.to_vec(), fd, b"ro".into()]);
        let own = self.own_mounts.then(|| [OWN_MOUNTS, b"", b""].map(<[u8]>::to_vec));
        let alias =
            |(host, guest): &(Vec<u8>, _)| [ALIAS.to_vec(), host.clone(), Vec::clone(guest)];
        // What no name leads to stays behind.
        let named = |guest: &[u8]| !guest.contains(&0);
        let aliases = self.aliases.iter().filter(|(_, guest)| named(guest)).map(alias);
        self.mounts
            .iter()
            .filter(|m| named(&m.guest))
            .map(words)
            .chain(owners)
            .chain(lease)
            .chain(own)
            .chain(aliases)
            .flatten()
            .collect()
    }

    /// The inverse of [`Self::to_words`]; `None` if these are not such words.
    pub(crate) fn from_words(words: &[Vec<u8>]) -> Option<Self> {
        let (mut mounts, mut fake, mut own_mounts) = (Vec::new(), None, false);
        let mut lease = None;
        let mut aliases = Vec::new();
        for w in words.chunks(3) {
            let [guest, fd, rights] = w else { return None };
            match &guest[..] {
                OWN_MOUNTS => own_mounts = true,
                ALIAS => aliases.push((fd.clone(), rights.clone())),
                _ => {}
            }
            if matches!(&guest[..], OWN_MOUNTS | ALIAS) {
                continue;
            }
            let fd = inherited_fd(std::str::from_utf8(fd).ok()?.parse().ok()?).ok()?;
            if guest == LEASE {
                lease = Some(Arc::new(fd));
            } else if guest == b"-" {
                fake = Some(Arc::new(Fake::new(Owners::new(fd).ok()?)));
            } else {
                mounts.push(Mount::new(guest.clone(), fd, rights == b"ro").ok()?);
            }
        }
        (!mounts.is_empty()).then(|| Self { fake, lease, own_mounts, aliases, ..Self::new(mounts) })
    }
}
