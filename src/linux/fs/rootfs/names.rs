//! The guest's names of what descriptors refer to.

use super::world::{Mount, World};
use crate::linux::abi::{Errno, Fd};
use crate::linux::host::{HostArg, host_call};
use std::ffi::{CStr, CString};
use std::os::fd::AsRawFd;

/// A path to what the descriptor `fd` of the calling thread refers to.
pub(crate) fn fd_path(fd: i32) -> CString {
    CString::new(format!("/proc/thread-self/fd/{fd}")).unwrap_or_default()
}

/// The text of a link; `dir` and `path` are as for readlinkat(2).
///
/// # Errors
/// The host's.
pub(crate) fn read_link(dir: Fd, path: &CStr) -> Result<Vec<u8>, Errno> {
    let mut text = vec![0_u8; 4096];
    let room = text.len() as u64;
    let args = [dir.into(), HostArg::path(path), HostArg::slice_mut(&mut text), room.into()];
    let n = host_call(libc::SYS_readlinkat, &args)? as usize;
    text.truncate(n);
    Ok(text)
}

/// What follows `dir` in `path`, if it lies there.
fn below<'a>(dir: &[u8], path: &'a [u8]) -> Option<&'a [u8]> {
    let rest = path.strip_prefix(if dir == b"/" { &dir[..0] } else { dir })?;
    match rest {
        b"/" => Some(b""),
        [] | [b'/', ..] => Some(rest),
        _ => None,
    }
}

impl World {
    /// The guest's name of a host path; `None` for what is outside.
    pub(crate) fn guest_name(&self, host: &[u8]) -> Option<Vec<u8>> {
        let mounts = self.mounts.iter().map(|m| (&m.host, &m.guest));
        let all = mounts.chain(self.aliases.iter().map(|(host, guest)| (host, guest)));
        let known = all.filter_map(|(path, guest)| Some((guest, below(path, host)?)));
        // The longest host path leaves the shortest rest.
        let best = known.min_by_key(|(_, rest)| rest.len());
        let (guest, rest) = best.or_else(|| {
            // The host may have renamed what is mounted.
            let now = |m: &Mount| read_link(Fd::CWD, &fd_path(m.fd.as_raw_fd())).ok();
            self.mounts.iter().find_map(|m| Some((&m.guest, below(&now(m)?, host)?)))
        })?;
        let name = [guest, rest].concat();
        Some(if name.is_empty() { b"/".to_vec() } else { name })
    }

    /// The guest's name of an open file or, for [`Fd::CWD`], of the working directory.
    ///
    /// # Errors
    /// `EBADF`; `ENOENT` for what is outside or has no name; `ENAMETOOLONG`.
    pub(crate) fn name_of(&self, fd: Fd) -> Result<Vec<u8>, Errno> {
        let link = if fd == Fd::CWD { c"/proc/thread-self/cwd".into() } else { fd_path(fd.0) };
        let host = read_link(Fd::CWD, &link).map_err(|e| match e {
            Errno::ENAMETOOLONG => e,
            _ => Errno::EBADF,
        })?;
        self.guest_name(&host).ok_or(Errno::ENOENT)
    }

    /// What the guest reads in a link of `/proc/PID` whose text is `host`; `link` is its name.
    pub(crate) fn magic_text(&self, link: &[u8], host: Vec<u8>) -> Vec<u8> {
        if link.ends_with(b"/root") {
            return b"/".to_vec();
        }
        // What is outside keeps the host's name, which means nothing here.
        if host.first() == Some(&b'/') { self.guest_name(&host).unwrap_or(host) } else { host }
    }
}
