//! What the guest's file names mean: the host's names, those of a tree laid over the host's, or
//! names in a world of the guest's own. Here is what differs between the three.
//!
//! With a sysroot (`-L`), one rule says where an absolute path is, whatever is done with it: below
//! the prefix, if it is there; else where the host's path says, if it is there; else, to be made,
//! below the prefix if its directory is there, and otherwise at the host's path. So what is
//! replaced or removed is what was read. `/dev`, `/proc` and their like are always the host's, and
//! what is new in the directories of users too. Symbolic links below the prefix are followed as if
//! the prefix were the root. It is a convenience and no boundary.
//!
//! With a root filesystem (`-C`), every path is looked up in that world ([`super::rootfs`]), and
//! what goes to the host is a descriptor of ours, or one name in a directory of which we hold one.

use crate::linux::abi::{Errno, Fd, Statx};
use crate::linux::fs::host_path::{HostPath, Last};
use crate::linux::fs::proc::names::{self, ProcFile};
use crate::linux::fs::rootfs::{Handle, Want, World, Worlds, fd_path, read_link};
use crate::linux::host::path_of;
use crate::linux::task::peers;
use crate::sys::fd::{Aside, kept_aside};
use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Directories that tell about the running system: never looked for below a sysroot.
const OF_THE_HOST: [&str; 5] = ["dev", "proc", "run", "sys", "tmp"];

/// Directories of users, whose files are the host's unless there are such below the prefix: what is
/// new is made there.
const OF_USERS: [&str; 5] = ["home", "media", "mnt", "root", "srv"];

/// Most symbolic links that one lookup follows (`path_resolution(7)`).
const MAX_LINKS: u32 = 40;

/// The files that a guest can name.
#[derive(Clone, Debug, Default)]
pub(crate) enum Namespace {
    /// The host's.
    #[default]
    Host,
    /// The host's, but absolute paths that exist below this directory are those (`-L`).
    Sysroot(PathBuf),
    /// Those of a root of the guest's own (`-C`).
    Rootfs(Arc<Worlds>),
}

/// The running program: a link of `/proc` stands for its file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program<'a> {
    /// Its host path.
    pub path: &'a Path,
    /// Its file, for when the path does not lead there any more.
    pub file: Option<&'a Aside>,
}

impl Namespace {
    /// The world, for calls that only a guest in one can make, or that need no conversion
    /// elsewhere.
    pub(crate) fn world(&self) -> Option<&Arc<Worlds>> {
        match self {
            Self::Rootfs(world) => Some(world),
            Self::Host | Self::Sysroot(_) => None,
        }
    }

    /// Where names are the host's, perhaps with a prefix.
    fn names<'a>(&'a self, program: Program<'a>) -> Names<'a> {
        let sysroot = match self {
            Self::Sysroot(dir) => Some(dir.as_path()),
            Self::Host | Self::Rootfs(_) => None,
        };
        Names { sysroot, exe: program.path, exe_file: program.file }
    }

    /// Where a path leads that names an existing object, or that creates one where nothing of that
    /// name is below the prefix.
    ///
    /// # Errors
    /// Those of path_resolution(7).
    pub(crate) fn lookup(
        &self,
        program: Program<'_>,
        dir: Fd,
        path: Vec<u8>,
        last: Last,
    ) -> Result<HostPath, Errno> {
        let want = if last == Last::Keep { Want::Entry } else { Want::Object };
        match self {
            Self::Rootfs(world) => in_world(world, dir, &path, want),
            Self::Host | Self::Sysroot(_) => self.names(program).lookup(dir, path, last),
        }
    }

    /// As [`Self::lookup`] for a path that is created, removed or renamed: a link at its end is
    /// meant itself.
    ///
    /// # Errors
    /// Those of path_resolution(7).
    pub(crate) fn lookup_new(
        &self,
        program: Program<'_>,
        dir: Fd,
        path: Vec<u8>,
    ) -> Result<HostPath, Errno> {
        match self {
            Self::Rootfs(world) => in_world(world, dir, &path, Want::Name),
            Self::Host | Self::Sysroot(_) => {
                Ok(self.names(program).lookup(dir, path, Last::Keep)?.with_proc(None))
            }
        }
    }

    /// Where the host finds what the guest calls `path`: in its world, or below the sysroot if it
    /// is there.
    ///
    /// # Errors
    /// In a world of the guest's own, those of path_resolution(7).
    pub(crate) fn locate(&self, path: &Path) -> Result<Located, Errno> {
        let bytes = path.as_os_str().as_bytes();
        if let Self::Rootfs(world) = self {
            let found = world.resolve(Fd::CWD, bytes, Want::Object)?;
            let host = path_of(fd_path(found.at.fd()).as_bytes());
            return Ok(Located { host, held: Some(found.at) });
        }
        let names = self.names(Program { path: Path::new(""), file: None });
        let inside = names.find(Fd::CWD, bytes, Last::Follow);
        Ok(Located { host: inside.unwrap_or_else(|| path.to_owned()), held: None })
    }

    /// True if the guest's path leads to a symbolic link.
    pub(crate) fn is_link(&self, path: &Path) -> bool {
        match self {
            Self::Rootfs(world) => world.is_link(path.as_os_str().as_bytes()),
            Self::Host | Self::Sysroot(_) => {
                self.locate(path).is_ok_and(|found| found.host.is_symlink())
            }
        }
    }

    /// What the guest calls a file of the host; `None` for what has no name in its world.
    pub(crate) fn guest_name(&self, host: &Path) -> Option<PathBuf> {
        match self {
            Self::Rootfs(world) => {
                world.guest_name(host.as_os_str().as_bytes()).map(|name| path_of(&name))
            }
            Self::Host | Self::Sysroot(_) => {
                Some(self.names(Program { path: host, file: None }).guest(host))
            }
        }
    }

    /// A path, for the guest, to an open directory.
    ///
    /// # Errors
    /// As [`World::name_of`].
    pub(crate) fn directory(&self, dir: Fd) -> Result<PathBuf, Errno> {
        match self {
            Self::Rootfs(world) => Ok(path_of(&world.name_of(dir)?)),
            Self::Host | Self::Sysroot(_) => Ok(PathBuf::from(format!("/proc/self/fd/{}", dir.0))),
        }
    }

    /// What the host calls the open file `fd` of a `/proc`, in our `/proc`: the guest may have
    /// mounted one of its own, whose numbers are those of another name space of processes.
    pub(crate) fn in_our_proc(&self, fd: Fd, host: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rootfs(world) => {
                world.proc_path(&world.guest_name(host).unwrap_or_default(), fd.0, None)
            }
            Self::Host | Self::Sysroot(_) if host.starts_with(b"/proc/") => Some(host.to_vec()),
            Self::Host | Self::Sysroot(_) => names::path_by_mount(fd.0, None),
        }
    }

    /// The text of the link that a path is, if it is a link of `/proc/PID` in a world.
    ///
    /// # Errors
    /// As readlinkat(2).
    pub(crate) fn magic_link(&self, at: &HostPath) -> Result<Option<Vec<u8>>, Errno> {
        let Self::Rootfs(world) = self else { return Ok(None) };
        match &at.guest {
            Some(name)
                if at.object.is_none()
                    && world
                        .proc_path(name, at.dir.0, Some(at.path.to_bytes()))
                        .is_some_and(|path| names::is_magic(&path)) =>
            {
                let text = read_link(at.dir, &at.path)?;
                Ok(Some(world.magic_text(name, text)))
            }
            _ => Ok(None),
        }
    }

    /// True if `fd` is not the guest's: it holds its world, or serves a tool.
    pub(crate) fn holds(&self, fd: Fd) -> bool {
        match self {
            Self::Rootfs(world) => world.holds(fd.0),
            Self::Host | Self::Sysroot(_) => kept_aside().any(|held| held == fd.0),
        }
    }

    /// Numbers of all such descriptors.
    pub(crate) fn held(&self) -> Vec<i32> {
        match self {
            Self::Rootfs(world) => world.held(),
            Self::Host | Self::Sysroot(_) => kept_aside().collect(),
        }
    }

    /// True if the guest believes to be another user than the host's (a fake root).
    pub(crate) fn is_faked(&self) -> bool {
        self.world().is_some_and(|world| world.is_faked())
    }

    /// Makes of what the host knows about a file what the guest sees.
    pub(crate) fn show(&self, x: &mut Statx) {
        if let Self::Rootfs(world) = self {
            world.show(x);
        }
    }

    /// The same names, for a process that changes its root for itself.
    pub(crate) fn fork(&self) -> Self {
        match self {
            Self::Rootfs(world) => Self::Rootfs(Arc::new(world.fork())),
            other => other.clone(),
        }
    }
}

/// Names that are the host's: prefix and program.
#[derive(Clone, Copy, Debug)]
struct Names<'a> {
    /// Absolute path of the prefix.
    sysroot: Option<&'a Path>,
    /// Host path of the running program.
    exe: &'a Path,
    /// Its file, for when the path does not lead there any more.
    exe_file: Option<&'a Aside>,
}

impl Names<'_> {
    /// Where a path leads that names an existing object, or that creates one where nothing of
    /// that name is below the prefix.
    ///
    /// # Errors
    /// `EINVAL` if the path contains a NUL.
    fn lookup(&self, dir: Fd, path: Vec<u8>, last: Last) -> Result<HostPath, Errno> {
        let proc = names::classify_anywhere(dir, &path);
        if let (Some(ProcFile::OtherExe(pid)), Last::Follow) = (proc, last)
            && let Some(other) = peers::find(pid)
        {
            return HostPath::new(Fd::CWD, other.exe_host);
        }
        if proc == Some(ProcFile::Exe) && last == Last::Follow {
            let named = self.exe.exists();
            let exe = self.exe_file.filter(|_| !named).map_or(self.exe.to_path_buf(), open_path);
            return HostPath::new(Fd::CWD, exe.into_os_string().into_vec());
        }
        if proc.is_none()
            && let Some(found) = self.find(dir, &path, last)
        {
            return HostPath::new(Fd::CWD, found.into_os_string().into_vec());
        }
        match self.new_below(&path).filter(|_| proc.is_none()) {
            Some(made) => HostPath::new(Fd::CWD, made),
            None => Ok(HostPath::new(dir, path)?.with_proc(proc)),
        }
    }

    /// The host path of a name that neither the prefix nor the host has, in a directory below the
    /// prefix; `None` for any other.
    fn new_below(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.sysroot?;
        let end = path.len() - path.iter().rev().take_while(|&&b| b == b'/').count();
        let (path, slashes) = path.split_at(end);
        let at = path.iter().rposition(|&b| b == b'/')?;
        let (dir, name) = (&path[..=at], &path[at + 1..]);
        if matches!(name, b"." | b"..") || fs::symlink_metadata(path_of(path)).is_ok() {
            return None;
        }
        let found = self.below_sysroot(dir, Last::Follow)?;
        let first = found.strip_prefix(self.sysroot?).ok()?.components().next()?;
        if OF_USERS.iter().any(|name| first.as_os_str() == *name) {
            return None;
        }
        Some([found.as_os_str().as_bytes(), b"/", name, slashes].concat())
    }

    /// The host path of what a guest path names below the prefix, if it does, be it by way of
    /// links of the host, such as a virtual environment's `bin/python3`.
    fn find(&self, dir: Fd, path: &[u8], last: Last) -> Option<PathBuf> {
        self.sysroot?;
        let mut path = path.to_vec();
        for _ in 0..MAX_LINKS {
            if let Some(found) = self.below_sysroot(&path, last) {
                return Some(found);
            }
            if last == Last::Keep || (dir != Fd::CWD && path.first() != Some(&b'/')) {
                return None;
            }
            let link = Path::new(OsStr::from_bytes(&path));
            let target = fs::read_link(link).ok()?;
            // A relative target starts where the link is.
            path = link.parent()?.join(target).into_os_string().into_vec();
        }
        None
    }

    /// The host path of what an absolute guest path names below the prefix, if it does.
    fn below_sysroot(&self, path: &[u8], last: Last) -> Option<PathBuf> {
        let root = self.sysroot?;
        if path.first() != Some(&b'/') || root == Path::new("/") {
            return None;
        }
        // A trailing slash asks for a directory, and for what a link points to.
        let wants_dir = path.ends_with(b"/") || path.ends_with(b"/.");
        let last = if wants_dir { Last::Follow } else { last };
        let found = walk(root, path, last)?;
        let first = found.strip_prefix(root).ok()?.components().next();
        // The bare root is the host's too: a program that lists it sees the world it works in.
        let hosts = first.is_none_or(|c| OF_THE_HOST.iter().any(|name| c.as_os_str() == *name));
        if hosts || (wants_dir && !found.is_dir()) { None } else { Some(found) }
    }

    /// The guest's name of a host file: without the prefix, if it lies below it.
    fn guest(&self, host: &Path) -> PathBuf {
        match self.sysroot.and_then(|root| host.strip_prefix(root).ok()) {
            Some(rest) => Path::new("/").join(rest),
            None => host.to_path_buf(),
        }
    }
}

/// A path of the host to a file that this process has open, for every process.
pub(crate) fn open_path(file: &Aside) -> PathBuf {
    PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()))
}

/// A file of the guest, as the host finds it.
#[derive(Debug)]
pub(crate) struct Located {
    /// Host path.
    pub host: PathBuf,
    /// The descriptor that the path leads through, if it does.
    pub held: Option<Handle>,
}

/// Looks a path up in a world. An empty one is left to the host, which knows which calls allow it.
fn in_world(world: &World, dir: Fd, path: &[u8], want: Want) -> Result<HostPath, Errno> {
    if path.is_empty() {
        return Ok(HostPath::of_fd(dir));
    }
    HostPath::of_world(world.resolve(dir, path, want)?)
}

/// Follows `path` below `root`, which is taken for `/`. `None` if there is no such object.
fn walk(root: &Path, path: &[u8], last: Last) -> Option<PathBuf> {
    let mut links = 0;
    let mut at = root.to_path_buf();
    // Components still to go, the next one last.
    let mut todo: Vec<_> = path.split(|&b| b == b'/').rev().map(<[u8]>::to_vec).collect();
    while let Some(part) = todo.pop() {
        match part.as_slice() {
            b"" | b"." => {}
            b".." => {
                if at != root {
                    at.pop();
                }
            }
            name => {
                at.push(OsStr::from_bytes(name));
                let is_last = todo.iter().all(|p| p.is_empty());
                let meta = fs::symlink_metadata(&at).ok()?;
                if !meta.is_symlink() || (is_last && last == Last::Keep) {
                    continue;
                }
                links += 1;
                if links > MAX_LINKS {
                    return None;
                }
                let target = fs::read_link(&at).ok()?.into_os_string().into_vec();
                if target.first() == Some(&b'/') {
                    at = root.to_path_buf();
                } else {
                    at.pop();
                }
                todo.extend(target.split(|&b| b == b'/').rev().map(<[u8]>::to_vec));
            }
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A prefix with some links in it, removed at the end of the test.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("rvn-path-{name}-{}", std::process::id()));
            fs::create_dir_all(root.join("usr/lib")).unwrap();
            fs::write(root.join("usr/lib/ld.so"), b"ld").unwrap();
            fs::create_dir_all(root.join("dev")).unwrap();
            symlink("usr/lib", root.join("lib")).unwrap();
            symlink("/usr/lib/ld.so", root.join("absolute")).unwrap();
            symlink("../../../lib", root.join("usr/up")).unwrap();
            symlink("loop", root.join("loop")).unwrap();
            Self(root)
        }

        fn find(&self, path: &str, last: Last) -> Option<String> {
            let names =
                Names { sysroot: Some(&self.0), exe: Path::new("/bin/true"), exe_file: None };
            let found = names.below_sysroot(path.as_bytes(), last)?;
            Some(found.strip_prefix(&self.0).unwrap().to_str().unwrap().to_owned())
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_name_has_one_place() {
        let tree = Tree::new("place");
        fs::create_dir_all(tree.0.join("root")).unwrap();
        let names = Names { sysroot: Some(&tree.0), exe: Path::new("/bin/true"), exe_file: None };
        let place = |path: &str, last| {
            let found = names.lookup(Fd::CWD, path.as_bytes().to_vec(), last).unwrap();
            let path = path_of(found.path.as_bytes());
            path.strip_prefix(&tree.0).map_or_else(|_| path.clone(), |p| Path::new("@").join(p))
        };
        for last in [Last::Keep, Last::Follow] {
            let at = |path| place(path, last);
            // There already, in the prefix and on the host.
            assert_eq!(at("/usr/lib/ld.so"), Path::new("@/usr/lib/ld.so"));
            assert_eq!(at("/proc/version"), Path::new("/proc/version"));
            // New, in a directory of the prefix, by way of a link too, and in none.
            assert_eq!(at("/usr/lib/new"), Path::new("@/usr/lib/new"));
            assert_eq!(at("/lib/new/"), Path::new("@/usr/lib/new/"));
            assert_eq!(at("/no-such/new"), Path::new("/no-such/new"));
            assert_eq!(at("/new-in-the-root"), Path::new("/new-in-the-root"));
            // In directories of the host and of users.
            assert_eq!(at("/dev/no-such"), Path::new("/dev/no-such"));
            assert_eq!(at("/root/no-such"), Path::new("/root/no-such"));
            assert_eq!(at("relative"), Path::new("relative"));
        }
        assert_eq!(place("/absolute", Last::Keep), Path::new("@/absolute"));
        assert_eq!(place("/absolute", Last::Follow), Path::new("@/usr/lib/ld.so"));
    }

    #[test]
    fn links_are_followed_as_if_the_prefix_were_the_root() {
        let tree = Tree::new("links");
        let ld = Some("usr/lib/ld.so".to_owned());
        assert_eq!(tree.find("/lib/ld.so", Last::Follow), ld);
        assert_eq!(tree.find("//usr/./lib//ld.so", Last::Follow), ld);
        assert_eq!(tree.find("/absolute", Last::Follow), ld);
        assert_eq!(tree.find("/usr/up/ld.so", Last::Follow), ld);
        assert_eq!(tree.find("/../../lib/../lib/ld.so", Last::Follow), ld);
        assert_eq!(tree.find("/absolute", Last::Keep), Some("absolute".to_owned()));
        assert_eq!(tree.find("/lib", Last::Keep), Some("lib".to_owned()));
        assert_eq!(tree.find("/lib/", Last::Keep), Some("usr/lib".to_owned()));
    }

    #[test]
    fn what_is_not_below_the_prefix_is_the_hosts() {
        let tree = Tree::new("absent");
        for path in [
            "/",
            "/dev",
            "/usr/../dev",
            "/nothing",
            "/loop",
            "lib/ld.so",
            "/lib/ld.so/",
            "/usr/lib/ld.so/x",
            "",
        ] {
            assert_eq!(tree.find(path, Last::Follow), None, "{path}");
        }
        let names = Names { sysroot: Some(&tree.0), exe: Path::new("/bin/true"), exe_file: None };
        let found = names.lookup(Fd(7), b"/nothing".to_vec(), Last::Follow).unwrap();
        assert_eq!((found.dir, found.path.as_bytes()), (Fd(7), &b"/nothing"[..]));
        assert_eq!(names.guest(&tree.0.join("usr/lib")), Path::new("/usr/lib"));
        assert_eq!(names.guest(Path::new("/usr/lib")), Path::new("/usr/lib"));
    }

    #[test]
    fn a_link_of_the_host_leads_below_the_prefix() {
        let tree = Tree::new("outside");
        let outside = Tree::new("outside-link");
        let link = outside.0.join("python");
        symlink("/usr/lib/ld.so", &link).unwrap();
        symlink("python", outside.0.join("python3")).unwrap();
        let names = Names { sysroot: Some(&tree.0), exe: Path::new("/bin/true"), exe_file: None };
        let wanted = Some(tree.0.join("usr/lib/ld.so"));
        for name in ["python", "python3"] {
            let path = outside.0.join(name);
            let path = path.as_os_str().as_bytes();
            assert_eq!(names.find(Fd::CWD, path, Last::Follow), wanted);
            assert_eq!(names.find(Fd::CWD, path, Last::Keep), None);
        }
    }

    #[test]
    fn the_program_is_found_behind_its_proc_link() {
        let names = Names { sysroot: None, exe: Path::new("/opt/guest"), exe_file: None };
        let exe = names.lookup(Fd::CWD, b"/proc/self/exe".to_vec(), Last::Follow).unwrap();
        assert_eq!(exe.path.as_bytes(), b"/opt/guest");
        let link = names.lookup(Fd::CWD, b"/proc/self/exe".to_vec(), Last::Keep).unwrap();
        assert_eq!(link.proc, Some(ProcFile::Exe));
    }
}
