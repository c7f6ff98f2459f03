//! Where the guest's paths lead on the host.
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
//!
//! Everything that names a file goes through [`Thread::path`] or [`Thread::new_path`], which
//! answer with a directory descriptor and a path.

use super::abi::{Errno, Fd, GuestCStr};
use super::exec;
use super::host::path_of;
use super::others;
use super::process::{Options, Process, Thread};
use super::procfs::{self, ProcFile};
use super::rootfs::{Handle, Resolved, Want, World, fd_path, read_link};
use crate::sys::fd::Aside;
use std::ffi::{CString, OsStr};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Directories that tell about the running system: never looked for below a sysroot.
const OF_THE_HOST: [&str; 5] = ["dev", "proc", "run", "sys", "tmp"];

/// Directories of users, whose files are the host's unless there are such below the prefix: what is
/// new is made there.
const OF_USERS: [&str; 5] = ["home", "media", "mnt", "root", "srv"];

/// Most symbolic links that one lookup follows (`path_resolution(7)`).
const MAX_LINKS: u32 = 40;

/// If the last component is a symbolic link: is it meant, or what it points to?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// What it points to.
    Follow,
    /// The link itself (`O_NOFOLLOW`, `AT_SYMLINK_NOFOLLOW`, `readlink`).
    Keep,
}

/// A guest path in the host's terms.
#[derive(Debug)]
pub(super) struct HostPath {
    /// Directory where a relative path starts.
    pub dir: Fd,
    /// The path to give to the host.
    pub path: CString,
    /// The file of `/proc` that it is, where the guest must see something else than the host.
    pub proc: Option<ProcFile>,
    /// In a world of the guest's own: the descriptor of the object, to which `path` leads by way
    /// of a link.
    pub object: Option<i32>,
    /// In a world of the guest's own: it is on a read-only mount.
    pub read_only: bool,
    /// In a world of the guest's own: it is a mount point.
    pub is_mount: bool,
    /// The guest's name without links, where a world had to find it out.
    pub guest: Option<Vec<u8>>,
    /// What `dir` or `path` leads through.
    _held: Option<Handle>,
}

impl HostPath {
    fn new(dir: Fd, path: Vec<u8>) -> Result<Self, Errno> {
        Ok(Self { path: CString::new(path).map_err(|_| Errno::EINVAL)?, ..Self::of_fd(dir) })
    }

    /// The open file `fd` itself, for calls with `AT_EMPTY_PATH`.
    pub(super) fn of_fd(fd: Fd) -> Self {
        Self {
            dir: fd,
            path: CString::default(),
            proc: None,
            object: None,
            read_only: false,
            is_mount: false,
            guest: None,
            _held: None,
        }
    }

    /// What a lookup in a world has found.
    pub(super) fn of_world(found: Resolved) -> Result<Self, Errno> {
        let proc = found.proc.as_ref().and_then(|name| procfs::classify(Fd::CWD, name));
        let fd = found.at.fd();
        let (dir, path, object) = match found.name {
            Some(name) => (Fd(fd), CString::new(name).map_err(|_| Errno::EINVAL)?, None),
            None => (Fd::CWD, fd_path(fd), Some(fd)),
        };
        Ok(Self {
            dir,
            path,
            proc,
            object,
            read_only: found.read_only,
            is_mount: found.is_mount,
            guest: found.guest,
            _held: Some(found.at),
        })
    }

    /// The path for a call that takes no directory.
    pub(super) fn whole(&self) -> CString {
        if self.dir == Fd::CWD || self.path.as_bytes().first() == Some(&b'/') {
            return self.path.clone();
        }
        let dir = fd_path(self.dir.0).into_bytes();
        CString::new([&dir, &b"/"[..], self.path.as_bytes()].concat()).unwrap_or_default()
    }

    /// The guest's flags `AT_*` for the host: the way to an object goes through a link.
    pub(super) fn flags(&self, guest: u32) -> u32 {
        match self.object {
            Some(_) => guest & !(libc::AT_SYMLINK_NOFOLLOW as u32),
            None => guest,
        }
    }

    /// The text of the link that it is in a world, if it is a link of `/proc/PID`.
    ///
    /// # Errors
    /// As readlinkat(2).
    pub(super) fn magic_link(&self, options: &Options) -> Result<Option<Vec<u8>>, Errno> {
        let Some(world) = &options.world else { return Ok(None) };
        match &self.guest {
            Some(name)
                if self.object.is_none()
                    && world
                        .proc_path(name, self.dir.0, Some(self.path.to_bytes()))
                        .is_some_and(|path| procfs::is_magic(&path)) =>
            {
                let text = read_link(self.dir, &self.path)?;
                Ok(Some(world.magic_text(name, text)))
            }
            _ => Ok(None),
        }
    }

    /// The path, where an empty one does not mean the descriptor.
    ///
    /// # Errors
    /// `ENOENT`.
    pub(super) fn named(self) -> Result<Self, Errno> {
        if self.path.is_empty() { Err(Errno::ENOENT) } else { Ok(self) }
    }

    /// Which of two calls to make: `link` does not follow one, `object` does.
    pub(super) fn number(&self, link: i64, object: i64) -> i64 {
        if self.object.is_some() { object } else { link }
    }

    /// The path, of what is about to be changed.
    ///
    /// # Errors
    /// `EROFS`.
    pub(super) fn changed(self) -> Result<Self, Errno> {
        if self.read_only { Err(Errno::EROFS) } else { Ok(self) }
    }

    /// The path, of what is about to be made.
    ///
    /// # Errors
    /// `EEXIST`, `EROFS`.
    pub(super) fn made(self) -> Result<Self, Errno> {
        if self.is_mount { Err(Errno::EEXIST) } else { self.changed() }
    }

    /// The path, of what is about to be removed or renamed.
    ///
    /// # Errors
    /// `EBUSY`, `EROFS`.
    pub(super) fn removed(self) -> Result<Self, Errno> {
        if self.is_mount { Err(Errno::EBUSY) } else { self.changed() }
    }
}

/// What the guest's file names mean: prefix and program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    /// Absolute path of the prefix.
    pub sysroot: Option<&'a Path>,
    /// Host path of the running program.
    pub exe: &'a Path,
    /// Its file, for when the path does not lead there any more.
    pub exe_file: Option<&'a Aside>,
}

impl Names<'_> {
    /// Where a path leads that names an existing object, or that creates one where nothing of
    /// that name is below the prefix.
    ///
    /// # Errors
    /// `EINVAL` if the path contains a NUL.
    pub(super) fn lookup(&self, dir: Fd, path: Vec<u8>, last: Last) -> Result<HostPath, Errno> {
        let proc = procfs::classify_anywhere(dir, &path);
        if let (Some(ProcFile::OtherExe(pid)), Last::Follow) = (proc, last)
            && let Some(other) = others::find(pid)
        {
            return HostPath::new(Fd::CWD, other.exe_host);
        }
        if proc == Some(ProcFile::Exe) && last == Last::Follow {
            let named = self.exe.exists();
            let exe =
                self.exe_file.filter(|_| !named).map_or(self.exe.to_path_buf(), exec::open_path);
            return HostPath::new(Fd::CWD, exe.into_os_string().into_vec());
        }
        if proc.is_none()
            && let Some(found) = self.find(dir, &path, last)
        {
            return HostPath::new(Fd::CWD, found.into_os_string().into_vec());
        }
        match self.new_below(&path).filter(|_| proc.is_none()) {
            Some(made) => HostPath::new(Fd::CWD, made),
            None => Ok(HostPath { proc, ..HostPath::new(dir, path)? }),
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
    pub(super) fn find(&self, dir: Fd, path: &[u8], last: Last) -> Option<PathBuf> {
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
    pub(super) fn guest(&self, host: &Path) -> PathBuf {
        match self.sysroot.and_then(|root| host.strip_prefix(root).ok()) {
            Some(rest) => Path::new("/").join(rest),
            None => host.to_path_buf(),
        }
    }
}

impl Process {
    /// What file names mean in this process.
    pub(super) fn names(&self) -> Names<'_> {
        Names {
            sysroot: self.options.sysroot.as_deref(),
            exe: &self.exe_host,
            exe_file: self.exe_file.as_deref(),
        }
    }

    /// What the guest calls a file of the host: what is outside keeps the host's name, which means
    /// nothing here.
    pub(super) fn file_name(&self, host: &Path) -> PathBuf {
        match &self.options.world {
            Some(world) => {
                let name = world.guest_name(host.as_os_str().as_bytes());
                name.map_or_else(|| host.to_path_buf(), |n| path_of(&n))
            }
            None => self.names().guest(host),
        }
    }
}

impl Thread {
    /// Copies a path from the guest that names an existing object, or that creates one where
    /// nothing of that name is below the sysroot, and says where it leads.
    ///
    /// # Errors
    /// `EFAULT` and `ENAMETOOLONG`.
    pub(super) fn path(&self, dir: Fd, path: GuestCStr, last: Last) -> Result<HostPath, Errno> {
        let path = path.read_path(self.memory())?;
        match &self.process.options.world {
            Some(world) => {
                let want = if last == Last::Keep { Want::Entry } else { Want::Object };
                in_world(world, dir, &path, want)
            }
            None => self.process.names().lookup(dir, path, last),
        }
    }

    /// Where a path of the guest's leads that is in no memory of its own.
    ///
    /// # Errors
    /// Those of path_resolution(7).
    pub(super) fn located(&self, path: &[u8]) -> Result<HostPath, Errno> {
        match &self.process.options.world {
            Some(world) => in_world(world, Fd::CWD, path, Want::Object)?.named(),
            None => self.process.names().lookup(Fd::CWD, path.to_vec(), Last::Follow),
        }
    }

    /// As [`Self::path`] for a path that is created, removed or renamed: a link at its end is meant
    /// itself.
    ///
    /// # Errors
    /// `EFAULT` and `ENAMETOOLONG`.
    pub(super) fn new_path(&self, dir: Fd, path: GuestCStr) -> Result<HostPath, Errno> {
        let path = path.read_path(self.memory())?;
        match &self.process.options.world {
            Some(world) => in_world(world, dir, &path, Want::Name),
            None => {
                Ok(HostPath { proc: None, ..self.process.names().lookup(dir, path, Last::Keep)? })
            }
        }
    }
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
