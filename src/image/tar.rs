//! Tar archives, entry by entry: ustar, GNU and pax formats, with sparse files and attributes.
//!
//! The crate `tar` reads the fields of headers; what an entry consists of is decided here, since
//! all that an archive says about one is to have a limit, and attributes may have any bytes.

use super::limits;
use std::io::{self, BufRead, Read, Seek};
use tar::{EntryType, GnuHeader, GnuSparseHeader, Header};

/// Bytes of a block.
const BLOCK: usize = 512;

/// What an entry makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Symlink(Vec<u8>),
    /// To another entry's path.
    HardLink(Vec<u8>),
    Fifo,
    /// A device's type (`S_IFCHR`, `S_IFBLK`), major and minor number.
    Device(u32, u32, u32),
}

/// An entry of an archive, but for its data.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub path: Vec<u8>,
    pub kind: Kind,
    /// The low 12 bits.
    pub mode: u32,
    pub owner: (u32, u32),
    /// Seconds and nanoseconds.
    pub mtime: (i64, u32),
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Bytes of the file.
    pub size: u64,
    /// Where the data belongs, of a file with holes: offset and length.
    pub parts: Option<Vec<(u64, u64)>>,
}

/// Reads an archive.
pub(super) struct Reader<R> {
    inner: R,
    /// Goes ahead by a number of bytes.
    skip: fn(&mut R, u64) -> io::Result<()>,
    /// Bytes of the current entry's data that were not read yet, and those behind them up to the
    /// next block.
    left: u64,
    padding: u64,
    entries: u64,
}

/// What extended headers say of the next entry.
#[derive(Default)]
struct Extension {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    owner: (Option<u32>, Option<u32>),
    mtime: Option<(i64, u32)>,
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// `GNU.sparse.*`: version, name, size, map of the old versions.
    sparse_version: (Option<u64>, Option<u64>),
    sparse_name: Option<Vec<u8>>,
    sparse_size: Option<u64>,
    sparse_map: Vec<u64>,
}

fn bad(what: impl Into<String>) -> io::Error {
    io::Error::other(what.into())
}

/// A decimal number of ASCII digits.
fn number(text: &[u8]) -> io::Result<u64> {
    let text = std::str::from_utf8(text).ok().filter(|t| !t.starts_with('+'));
    text.and_then(|t| t.parse().ok()).ok_or_else(|| bad("a number of an extended header is none"))
}

fn id(value: u64) -> io::Result<u32> {
    let id = u32::try_from(value).ok().filter(|&id| id != u32::MAX);
    id.ok_or_else(|| bad(format!("there is no user or group {value}")))
}

/// A time as pax writes it: seconds, and a fraction perhaps.
fn time(text: &[u8]) -> io::Result<(i64, u32)> {
    let wrong = || bad("a time of an extended header is none");
    let text = std::str::from_utf8(text).map_err(|_| wrong())?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().map_err(|_| wrong())?;
    if !fraction.bytes().all(|d| d.is_ascii_digit()) {
        return Err(wrong());
    }
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanos: u32 = digits.parse().map_err(|_| wrong())?;
    // The fraction counts towards the past, too.
    Ok(if whole.starts_with('-') && nanos > 0 {
        (seconds.saturating_sub(1), 1_000_000_000 - nanos)
    } else {
        (seconds, nanos)
    })
}

/// A number of a header: octal digits, of which there may be none, or binary if it is too large
/// for them (GNU). Times may be negative.
fn field(bytes: &[u8]) -> io::Result<i64> {
    let wrong = || bad("a number of a header is none");
    if bytes[0] & 0x80 != 0 {
        // The top bit is a mark; the next one is the sign.
        let first = i128::from((bytes[0] << 1) as i8 >> 1);
        let value = bytes[1..].iter().try_fold(first, |n, &b| {
            n.checked_mul(256).map(|n| n + i128::from(b)).ok_or_else(wrong)
        });
        return i64::try_from(value?).map_err(|_| wrong());
    }
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    bytes[..end].trim_ascii().iter().try_fold(0_i64, |n, &b| match b {
        b'0'..=b'7' if n < 1 << 60 => Ok(n * 8 + i64::from(b - b'0')),
        _ => Err(wrong()),
    })
}

/// A number of a header that is none of a time.
fn count(bytes: &[u8]) -> io::Result<u64> {
    u64::try_from(field(bytes)?).map_err(|_| bad("a number of a header is negative"))
}

/// Up to the first NUL.
fn until_nul(bytes: &[u8]) -> Vec<u8> {
    bytes.split(|&b| b == 0).next().unwrap_or_default().to_vec()
}

impl Extension {
    /// Adds the records of a pax header: `LENGTH KEY=VALUE\n`.
    fn add(&mut self, mut records: &[u8]) -> io::Result<()> {
        let wrong = || bad("an extended header is damaged");
        while !records.is_empty() {
            let space = records.iter().take(20).position(|&b| b == b' ').ok_or_else(wrong)?;
            let length = number(&records[..space])? as usize;
            if length > records.len() || length < space + 2 {
                return Err(wrong());
            }
            let (record, rest) = records.split_at(length);
            records = rest;
            let [record @ .., b'\n'] = &record[space + 1..] else { return Err(wrong()) };
            let equals = record.iter().position(|&b| b == b'=').ok_or_else(wrong)?;
            self.set(&record[..equals], &record[equals + 1..])?;
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(number(value)?),
            b"uid" => self.owner.0 = Some(id(number(value)?)?),
            b"gid" => self.owner.1 = Some(id(number(value)?)?),
            b"mtime" => self.mtime = Some(time(value)?),
            b"GNU.sparse.major" => self.sparse_version.0 = Some(number(value)?),
            b"GNU.sparse.minor" => self.sparse_version.1 = Some(number(value)?),
            b"GNU.sparse.name" => self.sparse_name = Some(value.to_vec()),
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => self.sparse_size = Some(number(value)?),
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => self.sparse_map.push(number(value)?),
            b"GNU.sparse.map" if !value.is_empty() => {
                let numbers = value.split(|&b| b == b',').map(number);
                self.sparse_map = numbers.collect::<io::Result<_>>()?;
            }
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.attributes.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Ok(())
    }
}

/// Pairs of a map of a sparse file.
fn pairs(numbers: &[u64]) -> io::Result<Vec<(u64, u64)>> {
    if !numbers.len().is_multiple_of(2) {
        return Err(bad("the map of a sparse file is damaged"));
    }
    Ok(numbers.chunks(2).map(|pair| (pair[0], pair[1])).collect())
}

/// Number of an old sparse header; `None` if it is not used.
fn sparse_part(part: &GnuSparseHeader) -> io::Result<Option<(u64, u64)>> {
    if part.is_empty() { Ok(None) } else { Ok(Some((part.offset()?, part.length()?))) }
}

impl<R: Read> Reader<R> {
    /// Of data that is all read.
    pub(super) fn new(inner: R) -> Self {
        fn read<R: Read>(inner: &mut R, count: u64) -> io::Result<()> {
            if io::copy(&mut inner.take(count), &mut io::sink())? < count {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(())
        }
        Self { inner, skip: read, left: 0, padding: 0, entries: 0 }
    }

    /// What the archive is read from: at the current entry's data, or behind the last entry.
    pub(super) fn into_inner(self) -> R {
        self.inner
    }

    /// A block; `None` at the end of the data.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.inner.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(Some(block))
    }

    /// The next header; `None` at the end of the archive.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let Some(block) = self.block()? else { return Ok(None) };
        if block == [0; BLOCK] {
            return Ok(None);
        }
        // Of the field of the sum itself, spaces count.
        let blanked = |i: usize, b: u8| if (148..156).contains(&i) { b' ' } else { b };
        let bytes = || block.iter().enumerate().map(|(i, &b)| blanked(i, b));
        let sum: u32 = bytes().map(u32::from).sum();
        let signed: i32 = bytes().map(|b| i32::from(b as i8)).sum();
        let header = Header::from_byte_slice(&block).clone();
        let said = field(&header.as_old().cksum).map_err(|_| bad("no tar archive"))?;
        if said != i64::from(sum) && said != i64::from(signed) {
            return Err(bad("no tar archive, or a damaged one: a header has another sum"));
        }
        Ok(Some(header))
    }

    /// Reads what describes an entry, and has the given size.
    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > limits::EXTENSION {
            return Err(bad(format!("an extended header of {size} bytes")));
        }
        let mut data = Vec::new();
        self.left = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
        self.read_to_end(&mut data)?;
        if self.left > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.skip()?;
        Ok(data)
    }

    /// Goes behind the current entry's data.
    fn skip(&mut self) -> io::Result<()> {
        let (left, padding) = (self.left, self.padding);
        (self.left, self.padding) = (0, 0);
        if left > 0 {
            (self.skip)(&mut self.inner, left)?;
        }
        // Some tools (umoci insert) end an archive with the data of the last entry.
        io::copy(&mut (&mut self.inner).take(padding), &mut io::sink())?;
        Ok(())
    }

    /// The next entry; `None` at the end of the archive. Its data is what is read from `self` then.
    ///
    /// # Errors
    /// The archive is damaged, or asks for more than is allowed.
    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        self.skip()?;
        let mut extension = Extension::default();
        let mut extensions = 0;
        loop {
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            self.entries += 1;
            if self.entries > limits::ENTRIES {
                return Err(bad(format!("more than {} entries", limits::ENTRIES)));
            }
            let kind = header.entry_type();
            if kind.is_gnu_longname() || kind.is_gnu_longlink() || is_pax(kind) {
                extensions += 1;
                if extensions > 16 {
                    return Err(bad("too many extended headers before an entry"));
                }
                let data = self.extension(count(&header.as_old().size)?)?;
                match kind {
                    EntryType::GNULongName => extension.path = Some(until_nul(&data)),
                    EntryType::GNULongLink => extension.link = Some(until_nul(&data)),
                    EntryType::XHeader => extension.add(&data)?,
                    // Comments of who has made the archive: no tool for images applies them.
                    _ => {}
                }
                continue;
            }
            return self.entry(&header, extension).map(Some);
        }
    }

    fn entry(&mut self, header: &Header, extension: Extension) -> io::Result<Entry> {
        let size = match extension.size {
            Some(size) => size,
            None => count(&header.as_old().size)?,
        };
        let stored_path = extension.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let path = extension.sparse_name.unwrap_or(stored_path);
        let link = || match &extension.link {
            Some(link) => Ok(link.clone()),
            None => header
                .link_name_bytes()
                .map(std::borrow::Cow::into_owned)
                .ok_or_else(|| bad("a link that leads nowhere")),
        };
        let device = |kind| -> io::Result<Kind> {
            // Both formats have them in the same place.
            let bytes = header.as_bytes();
            let part = |field| io::Result::Ok(u32::try_from(count(field)?).unwrap_or(u32::MAX));
            Ok(Kind::Device(kind, part(&bytes[329..337])?, part(&bytes[337..345])?))
        };
        let kind = match header.entry_type() {
            // Before ustar, a slash at the end made a directory.
            EntryType::Regular if path.ends_with(b"/") => Kind::Directory,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Kind::File,
            EntryType::Directory => Kind::Directory,
            EntryType::Symlink => Kind::Symlink(link()?),
            EntryType::Link => Kind::HardLink(link()?),
            EntryType::Fifo => Kind::Fifo,
            EntryType::Char => device(0o020_000)?,
            EntryType::Block => device(0o060_000)?,
            other => {
                return Err(bad(format!("an entry of the unknown type {:#x}", other.as_byte())));
            }
        };
        let (old, has_data) = (header.as_old(), kind == Kind::File);
        self.left = size;
        self.padding = size.checked_next_multiple_of(BLOCK as u64).map_or(0, |end| end - size);
        let mut entry = Entry {
            path,
            kind,
            mode: (field(&old.mode)? & 0o7777) as u32,
            owner: (
                extension.owner.0.map_or_else(|| count(&old.uid).and_then(id), Ok)?,
                extension.owner.1.map_or_else(|| count(&old.gid).and_then(id), Ok)?,
            ),
            mtime: match extension.mtime {
                Some(time) => time,
                None => (field(&old.mtime)?, 0),
            },
            attributes: extension.attributes,
            size: if has_data { size } else { 0 },
            parts: None,
        };
        if header.entry_type() == EntryType::GNUSparse {
            let gnu = header.as_gnu().ok_or_else(|| bad("a sparse file of an unknown kind"))?;
            entry.size = gnu.real_size()?;
            entry.parts = Some(self.old_map(gnu)?);
        } else if has_data && let Some(size) = extension.sparse_size {
            entry.size = size;
            entry.parts = Some(match extension.sparse_version {
                (Some(1), _) => self.map_in_data()?,
                _ => pairs(&extension.sparse_map)?,
            });
        }
        if let Some(parts) = &entry.parts {
            check_parts(parts, entry.size, self.left)?;
        }
        Ok(entry)
    }

    /// The map of a sparse file of the old GNU format, which goes on in blocks behind its header.
    fn old_map(&mut self, header: &GnuHeader) -> io::Result<Vec<(u64, u64)>> {
        let mut parts = Vec::new();
        for part in &header.sparse {
            parts.extend(sparse_part(part)?);
        }
        let mut goes_on = header.is_extended();
        while goes_on {
            let block = self.block()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let mut more = tar::GnuExtSparseHeader::new();
            more.as_mut_bytes().copy_from_slice(&block);
            for part in more.sparse() {
                parts.extend(sparse_part(part)?);
            }
            if parts.len() as u64 > limits::EXTENSION / 16 {
                return Err(bad("a sparse file with too many parts"));
            }
            goes_on = more.is_extended();
        }
        Ok(parts)
    }

    /// The map of a sparse file at the start of its data (`GNU.sparse` 1.0): decimal numbers, each
    /// on a line, up to the end of a block.
    fn map_in_data(&mut self) -> io::Result<Vec<(u64, u64)>> {
        let wrong = || bad("the map of a sparse file is damaged");
        let (mut text, mut numbers) = (Vec::new(), Vec::new());
        let mut wanted = None;
        while wanted.is_none_or(|n| (numbers.len() as u64) < n) {
            let mut block = [0; BLOCK];
            if self.left < BLOCK as u64 {
                return Err(wrong());
            }
            self.read_exact(&mut block)?;
            for byte in block {
                if wanted.is_some_and(|n| numbers.len() as u64 >= n) {
                    break;
                }
                match byte {
                    b'\n' if wanted.is_none() => {
                        let count = number(&text)?;
                        if count > limits::EXTENSION / 16 {
                            return Err(bad("a sparse file with too many parts"));
                        }
                        wanted = Some(2 * count);
                        text.clear();
                    }
                    b'\n' => {
                        numbers.push(number(&text)?);
                        text.clear();
                    }
                    digit if text.len() < 20 => text.push(digit),
                    _ => return Err(wrong()),
                }
            }
        }
        pairs(&numbers)
    }
}

impl<R: BufRead + Seek> Reader<R> {
    /// Of a file, in which data that nobody wants is passed over.
    pub(super) fn seeking(inner: R) -> Self {
        fn seek<R: Seek>(inner: &mut R, count: u64) -> io::Result<()> {
            let count = i64::try_from(count).map_err(|_| bad("an entry of an impossible size"))?;
            inner.seek_relative(count)
        }
        Self { inner, skip: seek, left: 0, padding: 0, entries: 0 }
    }

    /// Where in the file the current entry's data is.
    pub(super) fn position(&mut self) -> io::Result<u64> {
        self.inner.stream_position()
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let n = self.inner.read(&mut buffer[..wanted])?;
        self.left -= n as u64;
        Ok(n)
    }
}

fn is_pax(kind: EntryType) -> bool {
    kind.is_pax_local_extensions() || kind.is_pax_global_extensions()
}

/// Parts of a sparse file follow each other, lie within the file, and are all the data there is.
fn check_parts(parts: &[(u64, u64)], size: u64, data: u64) -> io::Result<()> {
    let (mut end, mut sum) = (0_u64, 0_u64);
    for &(at, length) in parts {
        if at < end {
            return Err(bad("the parts of a sparse file overlap"));
        }
        let next = at.checked_add(length).filter(|&next| next <= size);
        end = next.ok_or_else(|| bad("a part of a sparse file lies behind its end"))?;
        sum += length;
    }
    if sum == data { Ok(()) } else { Err(bad("the map of a sparse file does not fit its data")) }
}
