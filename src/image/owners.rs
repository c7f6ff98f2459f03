//! What files of a tree are for the guest and not for the host, by their paths: a tree can be
//! copied with it. `linux` keeps the same by inode numbers, for a tree that is used.

use crate::linux::OwnerEntry;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Bound;
use std::path::Path;

/// By path, without a slash at its start; the root is the empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owners(BTreeMap<Vec<u8>, OwnerEntry>);

impl Owners {
    pub(super) fn set(&mut self, path: Vec<u8>, entry: OwnerEntry) {
        if entry == OwnerEntry::default() {
            self.0.remove(&path);
        } else {
            self.0.insert(path, entry);
        }
    }

    pub(super) fn get(&self, path: &[u8]) -> OwnerEntry {
        self.0.get(path).copied().unwrap_or_default()
    }

    /// Forgets a path and all below it.
    pub(super) fn remove(&mut self, path: &[u8]) {
        self.0.remove(path);
        let below = [path, b"/"].concat();
        let range = (Bound::Included(below.clone()), Bound::Unbounded::<Vec<u8>>);
        let range = self.0.range(range).map(|(path, _)| path);
        let gone: Vec<_> = range.take_while(|path| path.starts_with(&below)).cloned().collect();
        for path in gone {
            self.0.remove(&path);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], OwnerEntry)> {
        self.0.iter().map(|(path, entry)| (&**path, *entry))
    }

    /// As bytes: a line of numbers, then the path, for each, ended by NUL.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let number = |n: Option<u32>| n.map_or("-".to_owned(), |n| n.to_string());
        for (path, entry) in &self.0 {
            let (owner, device) = (entry.owner, entry.device);
            let numbers = [
                number(owner.map(|o| o.0)),
                number(owner.map(|o| o.1)),
                number(entry.mode),
                number(device.map(|d| d.0)),
                number(device.map(|d| d.1)),
            ];
            out.extend(numbers.join(" ").into_bytes());
            out.push(b'\n');
            out.extend(path);
            out.push(0);
        }
        out
    }

    /// The inverse of [`Self::to_bytes`].
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut all = BTreeMap::new();
        for record in bytes.split(|&b| b == 0).filter(|r| !r.is_empty()) {
            let end = record.iter().position(|&b| b == b'\n')?;
            let numbers = std::str::from_utf8(&record[..end]).ok()?.split(' ');
            let number = |n: &str| if n == "-" { Some(None) } else { n.parse().ok().map(Some) };
            let numbers: Vec<Option<u32>> = numbers.map(number).collect::<Option<_>>()?;
            let &[user, group, mode, kind, device] = &numbers[..] else { return None };
            let entry = OwnerEntry { owner: user.zip(group), mode, device: kind.zip(device) };
            all.insert(record[end + 1..].to_vec(), entry);
        }
        Some(Self(all))
    }

    /// From a file that [`Self::to_bytes`] was written to.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.read_to_end(&mut bytes)?;
        let wrong = || io::Error::other("it is damaged");
        Self::from_bytes(&bytes).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_survives_its_bytes_and_forgets_what_is_below() {
        let mut owners = Owners::default();
        let entry = OwnerEntry { owner: Some((1, 2)), mode: Some(0o4755), device: None };
        let device = OwnerEntry { device: Some((0o020_000, 0x103)), ..OwnerEntry::default() };
        for (path, entry) in [
            (&b""[..], entry),
            (b"a", entry),
            (b"a/b\n1 2", device),
            (b"a.b", device),
            (b"ab", entry),
        ] {
            owners.set(path.to_vec(), entry);
        }
        assert_eq!(Owners::from_bytes(&owners.to_bytes()), Some(owners.clone()));
        owners.remove(b"a");
        let left: Vec<_> = owners.iter().map(|(path, _)| path.to_vec()).collect();
        assert_eq!(left, [&b""[..], b"a.b", b"ab"]);
        owners.set(b"ab".to_vec(), OwnerEntry::default());
        assert_eq!(owners.get(b"ab"), OwnerEntry::default());
        assert_eq!(Owners::from_bytes(b"1 2 3\nx\0"), None);
    }
}
