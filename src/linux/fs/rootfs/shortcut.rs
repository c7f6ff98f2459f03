//! Symbolic links that were met before, so that a path through them need not be walked again: what
//! they say is put in their place, and the host resolves the result in one step.
//!
//! What is remembered is a guess. Each link is read again each time, and the result is opened
//! without following any link, so that what is found is what a walk would find: a component that
//! has become a link is refused (`ELOOP`) where it is part of the result, and where it is not, the
//! link behind it is opened with the same care.

use super::names::read_link;
use super::resolve::open_beneath;
use super::world::{Links, World};
use crate::linux::abi::Fd;
use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::sync::{Arc, TryLockError};

/// Links that are remembered at most; then all are forgotten.
const MOST: usize = 1024;
/// Links in one path, at most; more are walked.
const MOST_IN_PATH: usize = 8;

/// A link at a place that a path leads through.
struct Met {
    place: Vec<u8>,
    text: Arc<[u8]>,
}

/// Components of a path.
fn parts(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|&b| b == b'/').filter(|part| !part.is_empty())
}

impl World {
    /// Calls `f` with the table, unless somebody has it: then, and in a process that was copied at
    /// such a moment, one does without.
    fn with_links<T>(&self, f: impl FnOnce(&mut Links) -> T) -> Option<T> {
        match self.links.try_lock() {
            Ok(mut links) => Some(f(&mut links)),
            Err(TryLockError::Poisoned(e)) => Some(f(&mut e.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Takes note of a link that a walk has followed, which is not in a file system of processes.
    pub(super) fn remember(&self, place: &[u8], text: &[u8]) {
        // `..` depends on more than what is said.
        let odd = parts(text).any(|part| matches!(part, b"." | b".."));
        if odd || text.is_empty() {
            return;
        }
        self.with_links(|links| {
            if links.len() >= MOST {
                links.clear();
            }
            links.insert(place.to_vec(), text.into());
        });
    }

    /// The place that an absolute path leads to by way of remembered links, which still are what
    /// they were, and their number. `None` if there are none. The path has neither `.` nor `..`,
    /// nor double slashes, nor one at its end; with `last`, a link at its end is followed.
    pub(super) fn shortcut(&self, path: &[u8], last: bool) -> Option<(Vec<u8>, u32)> {
        let (place, met) = self.with_links(|links| expand(links, path, last))??;
        let until = self.mount_of(&place).0;
        for i in 0..met.len() {
            if !self.is_still(&met[i..], until) {
                self.with_links(|links| links.remove(&met[i].place));
                return None;
            }
        }
        Some((place, met.len() as u32))
    }

    /// True if the first link is as it was. `mount` is that of the place behind the last.
    fn is_still(&self, met: &[Met], mount: usize) -> bool {
        let Met { place, text } = &met[0];
        let (on, below) = self.mount_of(place);
        let dir = self.mounts[on].fd.as_raw_fd();
        // The directories that lead to it are part of the result, where a link is refused.
        let checked = on == mount && met.iter().all(|link| link.text.first() != Some(&b'/'));
        let now = if checked || !below.contains(&b'/') {
            CString::new(below).ok().and_then(|name| read_link(Fd(dir), &name).ok())
        } else {
            let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
            let link = open_beneath(dir, below, flags);
            link.ok().and_then(|link| read_link(Fd(link.as_raw_fd()), c"").ok())
        };
        now.is_some_and(|now| now[..] == text[..])
    }
}

/// The path with the texts of links in their place; `None` if it meets none.
fn expand(links: &Links, path: &[u8], last: bool) -> Option<(Vec<u8>, Vec<Met>)> {
    let ends = (1..=path.len()).filter(|&i| path.get(i).is_none_or(|&b| b == b'/'));
    let mut followed = ends.filter(|&end| last || end != path.len());
    if links.is_empty() || !followed.any(|end| links.contains_key(&path[..end])) {
        return None;
    }
    let mut met = Vec::new();
    let mut place = Vec::new();
    // Components still to go, the next one last.
    let mut todo: Vec<Vec<u8>> = parts(path).rev().map(<[u8]>::to_vec).collect();
    while let Some(part) = todo.pop() {
        let parent = place.len();
        place.push(b'/');
        place.extend_from_slice(&part);
        let Some(text) = links.get(&place).filter(|_| last || !todo.is_empty()) else { continue };
        if met.len() == MOST_IN_PATH {
            return None;
        }
        met.push(Met { place: place.clone(), text: Arc::clone(text) });
        place.truncate(if text.first() == Some(&b'/') { 0 } else { parent });
        todo.extend(parts(text).rev().map(<[u8]>::to_vec));
    }
    Some((place, met))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_replaced_by_what_they_say() {
        let link = |place: &str, text: &str| (place.as_bytes().to_vec(), text.as_bytes().into());
        let links = Links::from([
            link("/bin", "usr/bin"),
            link("/usr/bin/sh", "dash"),
            link("/etc/alternatives/awk", "/usr/bin/mawk"),
            link("/usr/bin/awk", "/etc/alternatives/awk"),
            link("/loop", "loop"),
        ]);
        let place = |path: &str, last| {
            let (place, met) = expand(&links, path.as_bytes(), last)?;
            Some((String::from_utf8(place).unwrap(), met.len()))
        };
        assert_eq!(place("/bin/sh", true), Some(("/usr/bin/dash".into(), 2)));
        assert_eq!(place("/bin/sh", false), Some(("/usr/bin/sh".into(), 1)));
        assert_eq!(place("/bin/awk", true), Some(("/usr/bin/mawk".into(), 3)));
        assert_eq!(place("/usr/bin/dash", true), None);
        assert_eq!(place("/bin", false), None);
        assert_eq!(place("/loop", true), None);
    }
}
