//! Reading an ELF file: what a loader needs, checked, and symbols for people.
//!
//! Every number in the file is taken for hostile. What [`Elf::parse`] returns holds: each segment's
//! bytes lie in the file, no segment wraps, no two of them overlap. That the addresses fit into a
//! guest's address space is for the loader to check, which alone knows it.
//! Sources: System V gABI, chapters 4 and 5; RISC-V psABI, "ELF Object Files".

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB, ELFMAG, EM_RISCV};
use goblin::elf::header::{ET_DYN, ET_EXEC};
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_PHDR};
use goblin::elf::section_header::{SHT_DYNSYM, SHT_SYMTAB};
use goblin::elf::sym::{STT_FILE, STT_SECTION, STT_TLS};
use goblin::elf::{Header, ProgramHeader, SectionHeader, Sym, Symtab};
use std::ops::Range;

use crate::mem::Prot;
use crate::util::{PAGE_SIZE, page_down, page_up};

/// Why a file cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ElfError {
    /// The magic number is missing.
    #[error("not an ELF file")]
    NotElf,
    /// `EI_CLASS` is not 64-bit.
    #[error("not a 64-bit ELF file: rvnative runs RV64 programs only")]
    Class,
    /// `EI_DATA` is not little-endian.
    #[error("not a little-endian ELF file")]
    ByteOrder,
    /// `e_machine` is not RISC-V; the number is in the file's header.
    #[error("built for another machine (e_machine {0}), not for RISC-V")]
    Machine(u16),
    /// `e_type` is neither an executable nor a shared object.
    #[error("neither an executable nor a position-independent program (e_type {0})")]
    Type(u16),
    /// The header or a table ends beyond the end of the file.
    #[error("truncated: {0} ends beyond the end of the file")]
    Truncated(&'static str),
    /// `e_phentsize` is not the size of a program header.
    #[error("program headers have {0} bytes, not 56")]
    HeaderSize(u16),
    /// No `PT_LOAD` segment with a size.
    #[error("nothing to load: no PT_LOAD segment")]
    NothingToLoad,
    /// A segment takes more bytes from the file than it has in memory.
    #[error("segment {0} is larger in the file than in memory")]
    FileSize(usize),
    /// `p_vaddr + p_memsz` wraps.
    #[error("segment {0} wraps around the address space")]
    Wraps(usize),
    /// `p_offset` and `p_vaddr` differ modulo the page size.
    #[error("segment {0} is not aligned: file offset and address differ modulo the page size")]
    Alignment(usize),
    /// Two segments claim the same bytes.
    #[error("segments {0} and {1} overlap")]
    Overlap(usize, usize),
    /// `PT_INTERP` is no NUL-terminated path of reasonable length.
    #[error("bad PT_INTERP: not a path")]
    Interpreter,
}

/// One `PT_LOAD` segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Address of the first byte, before a load bias.
    pub addr: u64,
    /// Bytes in memory; those beyond `file` are zero.
    pub size: u64,
    /// Byte range of its contents in the file.
    pub file: Range<u64>,
    /// Permissions of its pages.
    pub prot: Prot,
}

impl Segment {
    /// Addresses, before a load bias.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.addr..self.addr + self.size
    }
}

/// What the headers of an ELF file say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// True for `ET_DYN`: it may be loaded anywhere.
    pub relocatable: bool,
    /// Where execution begins, before a load bias.
    pub entry: u64,
    /// Lowest address first, none empty.
    pub segments: Vec<Segment>,
    /// Path of the program interpreter (the dynamic linker), if it asks for one.
    pub interpreter: Option<Vec<u8>>,
    /// Address of the program headers in memory, before a load bias, if a segment holds them.
    pub phdr: Option<u64>,
    /// Number of program headers.
    pub phnum: u16,
    /// True if `PT_GNU_STACK` asks for a stack whose contents can be executed.
    pub exec_stack: bool,
}

/// Size of one program header.
const PHDR_SIZE: u64 = 56;
/// Longest path of an interpreter, with its NUL (Linux: `PATH_MAX`).
const MAX_INTERPRETER: u64 = 4096;

const CTX: Ctx = Ctx { container: Container::Big, le: Endian::Little };

impl Elf {
    /// Reads the headers of a whole file, or of as much of it as holds them if `len`, the size of
    /// the file, is larger than `bytes`.
    ///
    /// # Errors
    /// What is wrong with it; see [`ElfError`].
    pub fn parse(bytes: &[u8], len: u64) -> Result<Self, ElfError> {
        let header = header(bytes)?;
        let end = header.e_phoff.checked_add(u64::from(header.e_phnum) * PHDR_SIZE);
        if end.is_none_or(|e| e > bytes.len() as u64) {
            return Err(ElfError::Truncated("the program header table"));
        }
        let headers =
            ProgramHeader::parse(bytes, header.e_phoff as usize, usize::from(header.e_phnum), CTX)
                .map_err(|_| ElfError::Truncated("the program header table"))?;
        let segments = segments(&headers, len)?;
        let phdr = headers.iter().find(|p| p.p_type == PT_PHDR).map(|p| p.p_vaddr).or_else(|| {
            let table = header.e_phoff..end?;
            let holder =
                segments.iter().find(|s| s.file.start <= table.start && table.end <= s.file.end)?;
            Some(holder.addr + (table.start - holder.file.start))
        });
        Ok(Self {
            relocatable: header.e_type == ET_DYN,
            entry: header.e_entry,
            segments,
            interpreter: interpreter(&headers, bytes)?,
            phdr,
            phnum: header.e_phnum,
            exec_stack: headers.iter().any(|p| p.p_type == PT_GNU_STACK && p.p_flags & PF_X != 0),
        })
    }

    /// True if no page that can be executed can be written to.
    #[must_use]
    pub fn has_constant_code(&self) -> bool {
        let pages = |s: &Segment| {
            let range = s.range();
            page_down(range.start)..page_up(range.end).unwrap_or(u64::MAX)
        };
        let meet = |a: Range<u64>, b: Range<u64>| a.start < b.end && b.start < a.end;
        let all = || self.segments.iter();
        all()
            .filter(|s| s.prot.executable())
            .all(|code| !all().any(|data| data.prot.writable() && meet(pages(code), pages(data))))
    }

    /// Lowest and one past the highest address, before a load bias.
    #[must_use]
    pub fn span(&self) -> Range<u64> {
        let start = self.segments.first().map_or(0, |s| s.addr);
        let end = self.segments.last().map_or(0, |s| s.addr + s.size);
        start..end
    }
}

fn header(bytes: &[u8]) -> Result<Header, ElfError> {
    if !bytes.starts_with(ELFMAG) {
        return Err(ElfError::NotElf);
    }
    if bytes.len() < 64 {
        return Err(ElfError::Truncated("the ELF header"));
    }
    if bytes[EI_CLASS] != ELFCLASS64 {
        return Err(ElfError::Class);
    }
    if bytes[EI_DATA] != ELFDATA2LSB {
        return Err(ElfError::ByteOrder);
    }
    let header =
        goblin::elf::Elf::parse_header(bytes).map_err(|_| ElfError::Truncated("the ELF header"))?;
    if header.e_machine != EM_RISCV {
        return Err(ElfError::Machine(header.e_machine));
    }
    if header.e_type != ET_EXEC && header.e_type != ET_DYN {
        return Err(ElfError::Type(header.e_type));
    }
    if header.e_phnum == 0 {
        return Err(ElfError::NothingToLoad);
    }
    if u64::from(header.e_phentsize) != PHDR_SIZE {
        return Err(ElfError::HeaderSize(header.e_phentsize));
    }
    Ok(header)
}

fn segments(headers: &[ProgramHeader], len: u64) -> Result<Vec<Segment>, ElfError> {
    let mut out: Vec<(usize, Segment)> = Vec::new();
    for (i, p) in headers.iter().enumerate() {
        if p.p_type != PT_LOAD || p.p_memsz == 0 {
            continue;
        }
        if p.p_filesz > p.p_memsz {
            return Err(ElfError::FileSize(i));
        }
        let end = p.p_offset.checked_add(p.p_filesz);
        let end = end.filter(|&e| e <= len).ok_or(ElfError::Truncated("a segment"))?;
        // The last page must not wrap either, for loaders round up.
        if p.p_vaddr.checked_add(p.p_memsz).is_none_or(|e| e > u64::MAX - PAGE_SIZE) {
            return Err(ElfError::Wraps(i));
        }
        if p.p_filesz != 0 && p.p_offset % PAGE_SIZE != p.p_vaddr % PAGE_SIZE {
            return Err(ElfError::Alignment(i));
        }
        let file = if p.p_filesz == 0 { 0..0 } else { p.p_offset..end };
        let bit = |flag, value| if p.p_flags & flag != 0 { value } else { 0 };
        let prot = Prot::from_linux(bit(PF_R, 1) | bit(PF_W, 2) | bit(PF_X, 4));
        out.push((i, Segment { addr: p.p_vaddr, size: p.p_memsz, file, prot }));
    }
    if out.is_empty() {
        return Err(ElfError::NothingToLoad);
    }
    out.sort_by_key(|(_, s)| s.addr);
    for pair in out.windows(2) {
        if pair[0].1.range().end > pair[1].1.addr {
            return Err(ElfError::Overlap(pair[0].0, pair[1].0));
        }
    }
    Ok(out.into_iter().map(|(_, s)| s).collect())
}

fn interpreter(headers: &[ProgramHeader], bytes: &[u8]) -> Result<Option<Vec<u8>>, ElfError> {
    let Some(p) = headers.iter().find(|p| p.p_type == PT_INTERP) else { return Ok(None) };
    if !(2..=MAX_INTERPRETER).contains(&p.p_filesz) {
        return Err(ElfError::Interpreter);
    }
    let end = p.p_offset.checked_add(p.p_filesz).filter(|&e| e <= bytes.len() as u64);
    let end = end.ok_or(ElfError::Truncated("the interpreter's path"))?;
    let path = &bytes[p.p_offset as usize..end as usize];
    match path.iter().position(|&b| b == 0) {
        Some(n) if n > 0 => Ok(Some(path[..n].to_vec())),
        _ => Err(ElfError::Interpreter),
    }
}

/// A symbol with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolEntry {
    /// Name, as in the file.
    pub name: String,
    /// Value, before a load bias.
    pub addr: u64,
    /// Bytes; 0 if the file does not say.
    pub size: u64,
    /// True for `STT_FUNC`.
    pub function: bool,
}

/// Defined symbols, lowest address first: of `.symtab`, or of `.dynsym` in a stripped file. A file
/// without sections, or whose tables are damaged, has none: symbols are a convenience. Names may
/// share their ends, as linkers make them do, but together have at most `MAX_SHARED` times the
/// bytes of the table that they are in; those behind that are left out.
#[must_use]
pub fn symbols(bytes: &[u8]) -> Vec<SymbolEntry> {
    let mut out = read_symbols(bytes).unwrap_or_default();
    out.sort_by(|a, b| (a.addr, &a.name).cmp(&(b.addr, &b.name)));
    out
}

/// See [`symbols`].
const MAX_SHARED: usize = 4;

fn read_symbols(bytes: &[u8]) -> Option<Vec<SymbolEntry>> {
    let header = header(bytes).ok()?;
    let (offset, count) = (usize::try_from(header.e_shoff).ok()?, usize::from(header.e_shnum));
    if offset == 0 || usize::from(header.e_shentsize) != 64 {
        return None;
    }
    let sections = SectionHeader::parse(bytes, offset, count, CTX).ok()?;
    let table = [SHT_SYMTAB, SHT_DYNSYM]
        .iter()
        .find_map(|&kind| sections.iter().find(|s| s.sh_type == kind))?;
    let contents = |s: &SectionHeader| {
        let end = s.sh_offset.checked_add(s.sh_size)?;
        bytes.get(usize::try_from(s.sh_offset).ok()?..usize::try_from(end).ok()?)
    };
    let names = contents(sections.get(table.sh_link as usize)?)?;
    let count = contents(table)?.len() / Sym::size(Container::Big);
    let symbols = Symtab::parse(bytes, table.sh_offset as usize, count, CTX).ok()?;
    let mut bytes_left = names.len().saturating_mul(MAX_SHARED);
    let named = symbols.iter().filter_map(|s| {
        let skipped = matches!(s.st_type(), STT_FILE | STT_SECTION | STT_TLS);
        if s.st_shndx == 0 || skipped {
            return None;
        }
        let name = names.get(s.st_name..)?;
        let name = name[..name.len().min(bytes_left)].split(|&b| b == 0).next()?;
        bytes_left -= name.len();
        if bytes_left == 0 {
            return None;
        }
        // Mapping symbols of the psABI and local labels are not what people look for.
        if name.is_empty() || name.starts_with(b"$") || name.starts_with(b".L") {
            return None;
        }
        let name = String::from_utf8_lossy(name).into_owned();
        Some(SymbolEntry { name, addr: s.st_value, size: s.st_size, function: s.is_function() })
    });
    Some(named.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program with one segment of `filesz` bytes that follows the headers.
    fn program(filesz: u64, memsz: u64) -> Vec<u8> {
        let mut b = Vec::new();
        b.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        b.extend([2, 0, 243, 0, 1, 0, 0, 0]);
        for v in [0x10078u64, 64, 0] {
            b.extend(v.to_le_bytes());
        }
        b.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]);
        b.extend([1, 0, 0, 0, 5, 0, 0, 0]);
        for v in [0, 0x10000, 0x10000, 120 + filesz, 120 + memsz, 0x1000u64] {
            b.extend(v.to_le_bytes());
        }
        b.resize(120 + filesz as usize, 0);
        b
    }

    fn parse(b: &[u8]) -> Result<Elf, ElfError> {
        Elf::parse(b, b.len() as u64)
    }

    fn with(mut b: Vec<u8>, at: usize, bytes: &[u8]) -> Result<Elf, ElfError> {
        b[at..at + bytes.len()].copy_from_slice(bytes);
        parse(&b)
    }

    #[test]
    fn a_small_program() {
        let elf = parse(&program(8, 100)).unwrap();
        assert_eq!((elf.relocatable, elf.entry, elf.phnum), (false, 0x10078, 1));
        assert_eq!(elf.span(), 0x10000..0x10000 + 220);
        assert_eq!(elf.phdr, Some(0x10040));
        assert_eq!(elf.segments[0].prot, Prot::RX);
        assert_eq!(elf.segments[0].file, 0..128);
        assert_eq!(elf.interpreter, None);
    }

    #[test]
    fn each_defect_is_named() {
        let p = || program(8, 8);
        assert_eq!(parse(b""), Err(ElfError::NotElf));
        assert_eq!(parse(b"#!/bin/sh"), Err(ElfError::NotElf));
        assert_eq!(parse(&p()[..63]), Err(ElfError::Truncated("the ELF header")));
        assert_eq!(parse(&p()[..119]), Err(ElfError::Truncated("the program header table")));
        assert_eq!(parse(&p()[..127]), Err(ElfError::Truncated("a segment")));
        assert_eq!(with(p(), 4, &[1]), Err(ElfError::Class));
        assert_eq!(with(p(), 5, &[2]), Err(ElfError::ByteOrder));
        assert_eq!(with(p(), 18, &[62]), Err(ElfError::Machine(62)));
        assert_eq!(with(p(), 16, &[1]), Err(ElfError::Type(1)));
        assert_eq!(with(p(), 56, &[0]), Err(ElfError::NothingToLoad));
        assert_eq!(with(p(), 64, &[6]), Err(ElfError::NothingToLoad));
        assert_eq!(with(p(), 54, &[32]), Err(ElfError::HeaderSize(32)));
        assert_eq!(with(p(), 104, &[1, 0, 0, 0]), Err(ElfError::FileSize(0)));
        assert_eq!(with(p(), 80, &[1]), Err(ElfError::Alignment(0)));
        assert_eq!(with(p(), 104, &[0xff; 8]), Err(ElfError::Wraps(0)));
        assert_eq!(with(p(), 32, &[0xff; 8]), Err(ElfError::Truncated("the program header table")));
        assert_eq!(with(p(), 72, &[0xff; 8]), Err(ElfError::Truncated("a segment")));
        assert_eq!(with(p(), 56, &[0xff; 2]), Err(ElfError::Truncated("the program header table")));
    }

    #[test]
    fn segments_may_touch_but_not_overlap() {
        let mut b = program(8, 0x1000 - 120);
        let second: Vec<u8> = b[64..120].to_vec();
        b.splice(120..120, second);
        b[56] = 2;
        b.resize(400, 0);
        assert_eq!(parse(&b), Err(ElfError::Overlap(0, 1)));
        b[120 + 16..120 + 24].copy_from_slice(&0x11000u64.to_le_bytes());
        let elf = parse(&b).unwrap();
        assert_eq!(elf.segments.len(), 2);
        b[120 + 16..120 + 24].copy_from_slice(&0x9000u64.to_le_bytes());
        assert_eq!(parse(&b).unwrap().segments[0].addr, 0x9000);
    }

    #[test]
    fn an_interpreter_is_a_path() {
        let mut b = program(8, 8);
        let mut second: Vec<u8> = b[64..120].to_vec();
        second[0] = 3;
        second[8..16].copy_from_slice(&176u64.to_le_bytes());
        second[32..40].copy_from_slice(&8u64.to_le_bytes());
        b.splice(120..120, second);
        b[56] = 2;
        b.extend([0; 100]);
        b[176..184].copy_from_slice(b"/lib/ld\0");
        assert_eq!(parse(&b).unwrap().interpreter.as_deref(), Some(&b"/lib/ld"[..]));
        b[183] = b'x';
        assert_eq!(parse(&b), Err(ElfError::Interpreter));
        b[176] = 0;
        assert_eq!(parse(&b), Err(ElfError::Interpreter));
    }

    #[test]
    fn no_prefix_of_a_program_panics() {
        let b = program(64, 64);
        for n in 0..b.len() {
            let _ = (parse(&b[..n]), symbols(&b[..n]));
        }
    }
}
