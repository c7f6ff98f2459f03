//! The format of a file of kept code: a head, an index by pages of guest code, and for each page
//! the entries of the blocks that begin in it.
//!
//! Everything is little-endian, and covered by a hash: of the head and the index together, and of
//! each page's entries by itself, which is looked at when they are. That finds accidents; who may
//! write to a file is seen to elsewhere ([`crate::sys::private_dir`]).

use super::NOTE_PLACES;
use crate::backend::portable::Entry;
use crate::sys::private_dir::View;
use crate::util::{PAGE_SIZE, page_down};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hasher;

/// The first bytes of a file; they change with the format.
const MAGIC: u64 = u64::from_le_bytes(*b"rvncode1");
/// Words of a head.
const HEAD: usize = 7;
/// Bytes of a page's row in the index: address, where its entries are, their length, their hash.
const ROW: usize = 32;
/// Largest name in a file.
const MAX_NAME: usize = 4096;
/// Largest file.
pub(super) const MAX_FILE: u64 = 256 << 20;

/// Hash of bytes.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

/// What a file is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    /// What code is translated the same for: see [`super::KeptCode`].
    pub(super) build: u64,
    /// Which code it is.
    pub(super) key: u64,
    /// Its path, as the guest knows it, for people.
    pub(super) name: String,
}

impl Subject {
    fn hash(&self) -> u64 {
        let both = [self.build.to_le_bytes(), self.key.to_le_bytes()];
        hash(both.as_flattened())
    }

    /// Name of the file.
    pub(super) fn file_name(&self) -> String {
        format!("{:016x}{:016x}", self.hash(), self.key)
    }

    /// A note of it: where among the notes, in bytes, and what.
    pub(super) fn note(&self) -> (u64, [u8; 8]) {
        let hash = self.hash();
        // Nothing is noted by zeros.
        (hash % NOTE_PLACES * 8, (hash | 1 << 63).to_le_bytes())
    }
}

/// A file that has been opened.
pub(super) struct KeptFile {
    view: View,
    pub(super) subject: Subject,
    /// Where the entries of each page are, how long, and their hash.
    index: BTreeMap<u64, (usize, usize, u64)>,
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word))
}

impl KeptFile {
    /// The file that `view` shows. `None` if it is none, or not whole.
    pub(super) fn open(view: View) -> Option<Self> {
        let head: Vec<u64> = words(&view.bytes(0, 8 * HEAD)?).collect();
        let [magic, build, key, rows, name_len, total, hashed] = *head.first_chunk()?;
        let (rows, name_len) = (usize::try_from(rows).ok()?, usize::try_from(name_len).ok()?);
        if magic != MAGIC || name_len > MAX_NAME || total != view.len() as u64 {
            return None;
        }
        let rest = view.bytes(8 * HEAD, name_len.checked_add(rows.checked_mul(ROW)?)?)?;
        if hash_of_head(&head[..HEAD - 1], &rest) != hashed {
            return None;
        }
        let (name, rest) = rest.split_at(name_len);
        let mut index = BTreeMap::new();
        for row in rest.as_chunks::<ROW>().0 {
            let row: Vec<u64> = words(row).collect();
            index.insert(row[0], (row[1] as usize, row[2] as usize, row[3]));
        }
        let name = String::from_utf8_lossy(name).into_owned();
        Some(Self { view, subject: Subject { build, key, name }, index })
    }

    /// Bytes of the file.
    pub(super) fn len(&self) -> usize {
        self.view.len()
    }

    /// Addresses of pages that have entries.
    pub(super) fn pages(&self) -> impl Iterator<Item = u64> {
        self.index.keys().copied()
    }

    /// The entries of a page, if there are some and they are whole. `bytes` is memory for them.
    pub(super) fn page(&self, page: u64, mut bytes: Vec<u8>) -> Option<Page> {
        let &(at, len, hashed) = self.index.get(&page)?;
        self.view.read(at, len, &mut bytes)?;
        (hash(&bytes) == hashed).then(|| Page::new(page, bytes)).flatten()
    }
}

fn hash_of_head(head: &[u64], rest: &[u8]) -> u64 {
    let mut bytes: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend_from_slice(rest);
    hash(&bytes)
}

/// The entries of a page.
pub(super) struct Page {
    addr: u64,
    bytes: Vec<u8>,
    /// Number of entries. Their rows are at the beginning, by address: offset in the page, and
    /// where the entry begins.
    count: usize,
}

impl Page {
    fn new(addr: u64, bytes: Vec<u8>) -> Option<Self> {
        let count = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
        (bytes.len() >= count.checked_mul(8)?.checked_add(4)?).then_some(Self {
            addr,
            bytes,
            count,
        })
    }

    /// Its address.
    pub(super) fn addr(&self) -> u64 {
        self.addr
    }

    /// Its memory, for another one.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn row(&self, n: usize) -> [u32; 2] {
        let at = 4 + 8 * n;
        let word = self.bytes.get(at..at + 8).and_then(|bytes| bytes.first_chunk());
        let word = word.map_or(0, |bytes| u64::from_le_bytes(*bytes));
        [word as u32, (word >> 32) as u32]
    }

    /// Bytes of the entry of row `n`.
    fn bytes_of(&self, n: usize) -> Option<&[u8]> {
        let start = self.row(n)[1] as usize;
        let end = if n + 1 < self.count { self.row(n + 1)[1] as usize } else { self.bytes.len() };
        self.bytes.get(start..end)
    }

    /// The entry of the block at `pc`.
    pub(super) fn entry(&self, pc: u64) -> Option<Entry<'_>> {
        Entry::parse(pc, self.bytes(pc)?)
    }

    /// The bytes of it.
    pub(super) fn bytes(&self, pc: u64) -> Option<&[u8]> {
        let offset = pc.checked_sub(self.addr)? as u32;
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            if self.row(middle)[0] < offset { low = middle + 1 } else { high = middle }
        }
        let found = low < self.count && self.row(low)[0] == offset;
        if found { self.bytes_of(low) } else { None }
    }

    /// All entries: addresses of blocks, and bytes.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, &[u8])> {
        (0..self.count).filter_map(|n| {
            Some((self.addr.wrapping_add(u64::from(self.row(n)[0])), self.bytes_of(n)?))
        })
    }
}

/// A file that holds what `old` does, and `new` entries, which take the place of old ones.
pub(super) fn merge<'a>(
    subject: &Subject,
    old: Option<&'a KeptFile>,
    new: impl Iterator<Item = (u64, &'a [u8])>,
) -> Vec<u8> {
    let mut blocks: Vec<(u64, &[u8])> = new.collect();
    let changed: BTreeSet<u64> = blocks.iter().map(|(pc, _)| page_down(*pc)).collect();
    let old_pages =
        old.iter().flat_map(|old| old.pages().filter_map(|page| old.page(page, Vec::new())));
    let (renewed, left): (Vec<Page>, Vec<Page>) =
        old_pages.partition(|page| changed.contains(&page.addr));
    // The order of equals stays, and the last is taken.
    let before = blocks.len();
    blocks.extend(renewed.iter().flat_map(Page::all));
    blocks.rotate_left(before);
    blocks.sort_by_key(|(pc, _)| *pc);
    let mut pages: Vec<(u64, PageBytes<'_>)> =
        left.iter().map(|page| (page.addr, PageBytes::Whole(&page.bytes))).collect();
    for blocks in blocks.chunk_by(|a, b| page_down(a.0) == page_down(b.0)) {
        let last = blocks.chunk_by(|a, b| a.0 == b.0).filter_map(|same| same.last().copied());
        pages.push((page_down(blocks[0].0), PageBytes::Blocks(last.collect())));
    }
    pages.sort_by_key(|(addr, _)| *addr);
    write(subject, &pages)
}

/// What is to be written of a page.
enum PageBytes<'a> {
    /// It is as it was.
    Whole(&'a [u8]),
    /// These entries, in order.
    Blocks(Vec<(u64, &'a [u8])>),
}

impl PageBytes<'_> {
    fn append_to(&self, out: &mut Vec<u8>) {
        let blocks = match self {
            Self::Whole(bytes) => return out.extend_from_slice(bytes),
            Self::Blocks(blocks) => blocks,
        };
        out.extend_from_slice(&(blocks.len() as u32).to_le_bytes());
        let mut at = 4 + 8 * blocks.len();
        for (pc, entry) in blocks {
            out.extend_from_slice(&((pc % PAGE_SIZE) as u32).to_le_bytes());
            out.extend_from_slice(&(at as u32).to_le_bytes());
            at += entry.len();
        }
        blocks.iter().for_each(|(_, entry)| out.extend_from_slice(entry));
    }
}

/// A file of these pages, in order.
fn write(subject: &Subject, pages: &[(u64, PageBytes<'_>)]) -> Vec<u8> {
    let name = subject.name.as_bytes();
    let name = &name[..name.len().min(MAX_NAME)];
    let index = 8 * HEAD + name.len();
    let mut out = vec![0; index + pages.len() * ROW];
    out[8 * HEAD..index].copy_from_slice(name);
    for (n, (addr, bytes)) in pages.iter().enumerate() {
        let at = out.len();
        bytes.append_to(&mut out);
        let row = [*addr, at as u64, (out.len() - at) as u64, hash(&out[at..])];
        let row: Vec<u8> = row.iter().flat_map(|word| word.to_le_bytes()).collect();
        out[index + n * ROW..][..ROW].copy_from_slice(&row);
    }
    let (rows, name_len, total) = (pages.len() as u64, name.len() as u64, out.len() as u64);
    let head = [MAGIC, subject.build, subject.key, rows, name_len, total];
    let hashed = hash_of_head(&head, &out[8 * HEAD..index + pages.len() * ROW]);
    let head: Vec<u8> = head.iter().chain([&hashed]).flat_map(|word| word.to_le_bytes()).collect();
    out[..8 * HEAD].copy_from_slice(&head);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::private_dir::PrivateDir;

    struct Scratch(std::path::PathBuf);

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn files_hold_the_latest_entries_and_are_whole_or_none() {
        let path = std::env::temp_dir().join(format!("rvnative-kept-{}", std::process::id()));
        let scratch = Scratch(path);
        let dir = PrivateDir::new(&scratch.0);
        dir.check(true).unwrap();
        let subject = Subject { build: 7, key: 9, name: "/bin/true".into() };
        let open = |bytes: &[u8]| {
            dir.replace("f", bytes).unwrap();
            dir.read("f", MAX_FILE).ok().and_then(KeptFile::open)
        };
        let all = |file: &KeptFile| -> Vec<(u64, Vec<u8>)> {
            let pages = file.pages().filter_map(|page| file.page(page, Vec::new()));
            pages
                .flat_map(|p| p.all().map(|(pc, e)| (pc, e.to_vec())).collect::<Vec<_>>())
                .collect()
        };
        let first: [(u64, &[u8]); 4] =
            [(0x5002, b"five"), (0x1000, b"one"), (0x1ffe, b""), (0x5002, b"V")];
        let first = merge(&subject, None, first.into_iter());
        let file = open(&first).unwrap();
        assert_eq!(file.subject, subject);
        let entry = |pc: u64, text: &[u8]| (pc, text.to_vec());
        assert_eq!(all(&file), [entry(0x1000, b"one"), entry(0x1ffe, b""), entry(0x5002, b"V")]);
        let more: [(u64, &[u8]); 3] = [(0x3000, b"three"), (0x1004, b"1"), (0x1000, b"I")];
        let second = merge(&subject, Some(&file), more.into_iter());
        let expected = [
            entry(0x1000, b"I"),
            entry(0x1004, b"1"),
            entry(0x1ffe, b""),
            entry(0x3000, b"three"),
            entry(0x5002, b"V"),
        ];
        assert_eq!(all(&open(&second).unwrap()), expected);
        let page = open(&second).unwrap().page(0x1000, Vec::new()).unwrap();
        assert_eq!((page.bytes(0x1004), page.bytes(0x1006)), (Some(&b"1"[..]), None));

        for at in 0..second.len() {
            let mut bad = second.clone();
            bad[at] ^= 1 << (at % 8);
            let found = open(&bad).map(|file| all(&file)).unwrap_or_default();
            assert!(found.len() < expected.len(), "byte {at}");
            assert!(found.iter().all(|entry| expected.contains(entry)), "byte {at}");
        }
        for len in 0..second.len() {
            assert!(open(&second[..len]).is_none(), "{len} bytes");
        }
        // One that gets shorter while it is looked at.
        let file = open(&second).unwrap();
        let short = std::fs::File::options().write(true).open(scratch.0.join("f")).unwrap();
        short.set_len(0).unwrap();
        assert!(file.page(0x1000, Vec::new()).is_none());
    }
}
