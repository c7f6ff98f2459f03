//! Owners, modes and device numbers that files have for the guest and not for the host.
//!
//! They are in a file of the user's own, one for each root directory, that all processes of all
//! runs map: a hash table with open addressing, by device and inode number. A slot is taken by one
//! compare-and-swap and never given back, so readers need no lock and a process that dies at any
//! point leaves a table that is whole.

use crate::linux::abi::Statx;
use crate::sys::shared_words::SharedWords;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::Ordering;

/// Slots of the table; what is unused takes no room on the disk.
const SLOTS: usize = 1 << 20;
/// Words of a slot: key, owner, the rest, and one for later.
const SLOT: usize = 4;
/// Slots that are looked at before the table counts as full.
const MAX_PROBES: usize = 1 << 12;
/// Bytes of the file.
const FILE_SIZE: u64 = (SLOTS * SLOT * 8) as u64;

/// What is different about a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// User and group.
    pub owner: Option<(u32, u32)>,
    /// Permissions: the low 12 bits of a mode.
    pub mode: Option<u32>,
    /// Type (`S_IFMT`) and number of a device, which is an empty file to the host.
    pub device: Option<(u32, u32)>,
}

const HAS_OWNER: u64 = 1;
const HAS_MODE: u64 = 2;
const HAS_DEVICE: u64 = 4;

impl Entry {
    /// Owner word, and the word of the rest: flags, 16 bits of mode, device number.
    fn to_words(self) -> (u64, u64) {
        let owner = self.owner.map_or(0, |(u, g)| u64::from(u) | u64::from(g) << 32);
        let mut rest = 0;
        if self.owner.is_some() {
            rest |= HAS_OWNER;
        }
        if let Some(mode) = self.mode {
            rest |= HAS_MODE | u64::from(mode & 0o7777) << 8;
        }
        if let Some((kind, number)) = self.device {
            rest |= HAS_DEVICE | u64::from(kind & libc::S_IFMT) << 8 | u64::from(number) << 32;
        }
        (owner, rest)
    }

    fn from_words(owner: u64, rest: u64) -> Self {
        let has = |bit| rest & bit != 0;
        let mode = (rest >> 8) as u32 & 0xffff;
        Self {
            owner: has(HAS_OWNER).then_some((owner as u32, (owner >> 32) as u32)),
            mode: has(HAS_MODE).then_some(mode & 0o7777),
            device: has(HAS_DEVICE).then_some((mode & libc::S_IFMT, (rest >> 32) as u32)),
        }
    }
}

/// The table.
#[derive(Debug)]
pub(super) struct Owners {
    words: SharedWords,
    /// The file, which the next program inherits.
    pub file: OwnedFd,
}

/// What stands for a file in the table. Different files of one device have different keys.
fn key(x: &Statx) -> u64 {
    let dev = u64::from(x.dev_major) << 32 | u64::from(x.dev_minor);
    // Odd factors keep inode numbers apart; 0 marks a free slot.
    let mixed = x.ino.wrapping_add(dev.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let key = mixed.wrapping_mul(0xd6e8_feb8_6659_fd93);
    if key == 0 { 1 } else { key }
}

impl Owners {
    /// Opens the file of a table, and makes it if need be.
    pub(super) fn file(path: &Path) -> io::Result<OwnedFd> {
        let mut options = std::fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        file.set_len(FILE_SIZE)?;
        Ok(file.into())
    }

    /// Maps the table in `file`, which has [`FILE_SIZE`] bytes.
    pub(super) fn new(file: OwnedFd) -> std::io::Result<Self> {
        Ok(Self { words: SharedWords::new(&file, SLOTS * SLOT)?, file })
    }

    /// First words of the slots in which a key may be.
    fn probes(key: u64) -> impl Iterator<Item = usize> {
        let start = (key >> 44) as usize;
        (0..MAX_PROBES).map(move |i| (start + i) % SLOTS * SLOT)
    }

    /// What is known about the file.
    pub(super) fn get(&self, x: &Statx) -> Entry {
        let key = key(x);
        for slot in Self::probes(key) {
            match self.words.word(slot).load(Ordering::Acquire) {
                0 => break,
                k if k == key => {
                    let rest = self.words.word(slot + 2).load(Ordering::Acquire);
                    return Entry::from_words(
                        self.words.word(slot + 1).load(Ordering::Acquire),
                        rest,
                    );
                }
                _ => {}
            }
        }
        Entry::default()
    }

    /// Remembers what is different about the file. False if the table is full.
    pub(super) fn set(&self, x: &Statx, entry: Entry) -> bool {
        let key = key(x);
        for slot in Self::probes(key) {
            let word = self.words.word(slot);
            let mut found = word.load(Ordering::Acquire);
            if found == 0 {
                if entry == Entry::default() {
                    return true;
                }
                match word.compare_exchange(0, key, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => found = key,
                    Err(other) => found = other,
                }
            }
            if found == key {
                let (owner, rest) = entry.to_words();
                self.words.word(slot + 1).store(owner, Ordering::Release);
                self.words.word(slot + 2).store(rest, Ordering::Release);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::abi::Pod;

    #[test]
    fn entries_survive_their_words() {
        let all = Entry {
            owner: Some((u32::MAX, 7)),
            mode: Some(0o4755),
            device: Some((libc::S_IFCHR, 0x501)),
        };
        let some = Entry { mode: Some(0), ..Entry::default() };
        for e in [Entry::default(), all, some] {
            let (owner, rest) = e.to_words();
            assert_eq!(Entry::from_words(owner, rest), e);
        }
    }

    #[test]
    fn files_are_told_apart_and_forgotten() {
        let file = std::fs::File::from(tempfile());
        file.set_len(FILE_SIZE).unwrap();
        let table = Owners::new(file.into()).unwrap();
        let stat = |ino| Statx { ino, dev_major: 8, ..Statx::zeroed() };
        let owned = |n| Entry { owner: Some((n, n)), ..Entry::default() };
        for ino in 1..5000 {
            assert!(table.set(&stat(ino), owned(ino as u32)));
        }
        assert!(table.set(&stat(7), Entry::default()));
        assert_eq!(table.get(&stat(7)), Entry::default());
        assert_eq!(table.get(&stat(4999)), owned(4999));
        assert_eq!(table.get(&stat(5000)), Entry::default());
        assert_eq!(table.get(&Statx { dev_major: 9, ..stat(8) }), Entry::default());
    }

    fn tempfile() -> OwnedFd {
        use crate::linux::host::{HostArg, host_fd};
        host_fd(libc::SYS_memfd_create, &[HostArg::path(c"owners"), 0.into()]).unwrap()
    }
}
