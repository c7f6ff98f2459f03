//! Files of DynamoRIO's drcov, version 2, which Lighthouse and other tools read: a table of
//! modules, and blocks by module, offset and length.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What was executed, by module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drcov {
    modules: Vec<Module>,
    /// In order, each once.
    blocks: Vec<(u16, u32, u16)>,
}

/// A file that was mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its path, as the guest knows it.
    pub path: PathBuf,
    /// Where its first segment began, rounded down to a page.
    pub base: u64,
    /// Where its last segment ended.
    pub end: u64,
    /// Address of its entry point.
    pub entry: u64,
}

/// Why a file is not one of drcov that can be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DrcovError {
    /// It begins otherwise.
    #[error("this is no drcov file of version 2")]
    Version,
    /// The table of modules is damaged.
    #[error("the table of modules cannot be read at line {0}")]
    Modules(usize),
    /// The table of blocks is missing, or is not as long as it should be.
    #[error("the table of blocks is not whole")]
    Blocks,
}

/// Bytes of a block in a file.
const BLOCK: usize = 8;

impl Drcov {
    /// The modules, by number.
    #[must_use]
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// Module, offset from its base and length of each block, in order.
    pub fn blocks(&self) -> impl Iterator<Item = (u16, u32, u16)> {
        self.blocks.iter().copied()
    }

    /// Adds blocks.
    pub fn add(&mut self, blocks: impl IntoIterator<Item = (u16, u32, u16)>) {
        self.blocks.extend(blocks);
        self.blocks.sort_unstable();
        self.blocks.dedup();
    }

    /// The number of a module, which is added if there is none of its path; `None` if there are as
    /// many as have numbers.
    pub fn module(&mut self, module: Module) -> Option<u16> {
        let known = self.modules.iter().position(|m| m.path == module.path);
        let number = known.unwrap_or_else(|| {
            self.modules.push(module);
            self.modules.len() - 1
        });
        // The greatest number stands for code without a module.
        u16::try_from(number).ok().filter(|&n| n != u16::MAX)
    }

    /// Adds what is in `other`. Modules are the same if their paths are.
    pub fn merge(&mut self, other: &Self) {
        let numbers: Vec<_> = other.modules.iter().map(|m| self.module(m.clone())).collect();
        self.add(other.blocks().filter_map(|(module, start, len)| {
            Some((numbers.get(usize::from(module)).copied().flatten()?, start, len))
        }));
    }

    /// The file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!(
            "DRCOV VERSION: 2\nDRCOV FLAVOR: rvnative\nModule Table: version 2, count {}\n\
             Columns: id, base, end, entry, path\n",
            self.modules.len()
        )
        .into_bytes();
        for (n, m) in self.modules.iter().enumerate() {
            let mut line = String::new();
            let _ = write!(line, "{n:3}, {:#018x}, {:#018x}, {:#018x}, ", m.base, m.end, m.entry);
            text.extend(line.as_bytes());
            // A line has one path.
            text.extend(m.path.as_os_str().as_bytes().iter().map(|&b| match b {
                b'\n' => b'?',
                b => b,
            }));
            text.push(b'\n');
        }
        text.extend(format!("BB Table: {} bbs\n", self.blocks.len()).as_bytes());
        for (module, start, len) in self.blocks() {
            text.extend(start.to_le_bytes());
            text.extend(len.to_le_bytes());
            text.extend(module.to_le_bytes());
        }
        text
    }

    /// Reads a file, of rvnative or of another tool that writes version 2.
    ///
    /// # Errors
    /// It is not one.
    pub fn parse(bytes: &[u8]) -> Result<Self, DrcovError> {
        let mut lines = Lines { bytes, number: 0 };
        if lines.next().map(str_of) != Some("DRCOV VERSION: 2") {
            return Err(DrcovError::Version);
        }
        let mut drcov = Self::default();
        let mut columns: Vec<String> =
            ["id", "base", "end", "entry", "path"].map(String::from).into();
        let mut numbers = Vec::new();
        loop {
            let line = lines.next().ok_or(DrcovError::Blocks)?;
            let text = str_of(line);
            if let Some(names) = text.strip_prefix("Columns:") {
                columns = names.split(',').map(|name| name.trim().to_owned()).collect();
            } else if let Some(count) = text.strip_prefix("BB Table: ") {
                let count = count.strip_suffix(" bbs").and_then(|n| n.trim().parse().ok());
                drcov.read_blocks(lines.bytes, count.ok_or(DrcovError::Blocks)?, &numbers)?;
                return Ok(drcov);
            } else if !text.starts_with("DRCOV FLAVOR:") && !text.starts_with("Module Table:") {
                let module = module(line, &columns).ok_or(DrcovError::Modules(lines.number))?;
                numbers.push(drcov.module(module));
            }
        }
    }

    fn read_blocks(
        &mut self,
        bytes: &[u8],
        count: usize,
        numbers: &[Option<u16>],
    ) -> Result<(), DrcovError> {
        let len = count.checked_mul(BLOCK).ok_or(DrcovError::Blocks)?;
        let bytes = bytes.get(..len).ok_or(DrcovError::Blocks)?;
        self.add(bytes.chunks_exact(BLOCK).filter_map(|block| {
            let start = u32::from_le_bytes([block[0], block[1], block[2], block[3]]);
            let half = |n: usize| u16::from_le_bytes([block[n], block[n + 1]]);
            // What is of no module cannot be told of.
            Some((numbers.get(usize::from(half(6))).copied().flatten()?, start, half(4)))
        }));
        Ok(())
    }
}

/// The lines of a text that is followed by something else.
struct Lines<'a> {
    bytes: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let end = self.bytes.iter().position(|&b| b == b'\n')?;
        let line = &self.bytes[..end];
        self.bytes = &self.bytes[end + 1..];
        self.number += 1;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// A line as text; nothing if it is none.
fn str_of(line: &[u8]) -> &str {
    std::str::from_utf8(line).unwrap_or_default()
}

/// A row of the table of modules. The path is the last column and may have commas.
fn module(line: &[u8], columns: &[String]) -> Option<Module> {
    let fields: Vec<&[u8]> = line.splitn(columns.len(), |&b| b == b',').collect();
    let field = |name: &str| fields.get(columns.iter().position(|c| c == name)?).copied();
    let number = |name: &str| {
        let digits = str_of(field(name)?).trim().strip_prefix("0x")?.to_owned();
        u64::from_str_radix(&digits, 16).ok()
    };
    let path = field("path")?.trim_ascii();
    Some(Module {
        path: Path::new(OsStr::from_bytes(path)).to_owned(),
        base: number("base").or_else(|| number("start"))?,
        end: number("end")?,
        entry: number("entry").unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module_at(path: &str, base: u64) -> Module {
        Module { path: path.into(), base, end: base + 0x2000, entry: base + 0x100 }
    }

    fn sample() -> Drcov {
        let mut drcov = Drcov::default();
        assert_eq!(drcov.module(module_at("/bin/a, b", 0x10000)), Some(0));
        assert_eq!(drcov.module(module_at("/lib/c", 0x4000_0000)), Some(1));
        drcov.add([(1, 0x10, 6), (0, 0x100, 2)]);
        drcov
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Drcov::parse(&sample().to_bytes()), Ok(sample()));
        assert_eq!(Drcov::parse(&Drcov::default().to_bytes()), Ok(Drcov::default()));
    }

    #[test]
    fn files_of_other_tools_are_read() {
        let mut text = b"DRCOV VERSION: 2\nDRCOV FLAVOR: drcov-64\n\
            Module Table: version 2, count 1\n\
            Columns: id, base, end, entry, checksum, timestamp, path\n \
            0, 0x0000000000400000, 0x0000000000500000, 0x0000000000400100, 0x0, 0x0, C:\\x.exe\n\
            BB Table: 2 bbs\n"
            .to_vec();
        text.extend([0x10, 0, 0, 0, 4, 0, 0, 0, 0x20, 0, 0, 0, 2, 0, 0xff, 0xff]);
        let drcov = Drcov::parse(&text).unwrap();
        assert_eq!(drcov.modules()[0].path, Path::new("C:\\x.exe"));
        assert_eq!(drcov.blocks().collect::<Vec<_>>(), [(0, 0x10, 4)]);
    }

    #[test]
    fn modules_are_joined_by_path() {
        let mut all = Drcov::default();
        all.module(module_at("/lib/c", 0x5000_0000));
        all.add([(0, 0x20, 4)]);
        all.merge(&sample());
        assert_eq!(all.modules().len(), 2);
        assert_eq!(all.blocks().collect::<Vec<_>>(), [(0, 0x10, 6), (0, 0x20, 4), (1, 0x100, 2)]);
    }

    #[test]
    fn damaged_files_are_refused() {
        let bytes = sample().to_bytes();
        for len in 0..bytes.len() {
            assert!(Drcov::parse(&bytes[..len]).is_err(), "{len} bytes");
        }
        let more = String::from_utf8_lossy(&bytes).replace("2 bbs", "18446744073709551615 bbs");
        assert_eq!(Drcov::parse(more.as_bytes()), Err(DrcovError::Blocks));
        assert_eq!(Drcov::parse(b"DRCOV VERSION: 3\n"), Err(DrcovError::Version));
        let text =
            b"DRCOV VERSION: 2\nModule Table: version 2, count 1\nnothing\nBB Table: 0 bbs\n";
        assert_eq!(Drcov::parse(text), Err(DrcovError::Modules(3)));
    }
}
