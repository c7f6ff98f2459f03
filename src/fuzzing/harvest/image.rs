//! The code of an ELF file, laid out as in memory, and files found in directories.
//!
//! Any file may be given: every number in it is checked. Sources: System V gABI, chapters 4 and 5.

use super::error::{Error, Problem};
use crate::sys::mmap::memfd;
use crate::util::PAGE_SIZE;
use crate::vm::elf::{self, ElfError, SymbolEntry};
use goblin::container::{Container, Ctx, Endian};
use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS64, ELFDATA2LSB, ELFMAG, EM_RISCV};
use goblin::elf::header::{ET_DYN, ET_EXEC, ET_REL};
use goblin::elf::program_header::{PF_X, PT_LOAD};
use goblin::elf::section_header::{SHF_ALLOC, SHF_EXECINSTR, SHT_NOBITS, SHT_STRTAB};
use goblin::elf::{Header, ProgramHeader, SectionHeader};
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

const CTX: Ctx = Ctx { container: Container::Big, le: Endian::Little };
/// Largest distance between the first and the last byte of code of a file.
const MAX_SPAN: u64 = 1 << 30;
/// Sections of a relocatable file are laid out one behind the other, at multiples of this.
const SECTION_ALIGN: u64 = 64;

/// A piece of code of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The section's name, or `segment N`.
    pub(super) name: String,
    /// Offsets in the image.
    pub(super) range: Range<u64>,
}

/// The code of a file.
#[derive(Debug)]
pub(super) struct Image {
    /// The file.
    pub(super) path: PathBuf,
    /// Address of the image's first byte in the file's own terms; a multiple of the page size.
    pub(super) low: u64,
    /// Whole pages; zero where there is no code.
    pub(super) bytes: Vec<u8>,
    /// The same bytes, to be mapped.
    pub(super) file: File,
    /// The code in it, lowest first; parts do not overlap.
    pub(super) parts: Vec<Part>,
    /// Symbols of the file, lowest first.
    symbols: Vec<SymbolEntry>,
}

impl Image {
    /// Reads the code of the file at `path`, whose contents are `bytes`.
    ///
    /// # Errors
    /// It is none that has RISC-V code, or is damaged.
    pub(super) fn new(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let fail = |problem| Error::new(path, problem);
        let header = header(bytes).map_err(|e| fail(e.into()))?;
        let places = places(&header, bytes).map_err(|e| fail(e.into()))?;
        let (Some(first), Some(last)) = (places.first(), places.last()) else {
            return Err(fail(Problem::NoCode));
        };
        let low = first.addr / PAGE_SIZE * PAGE_SIZE;
        let span = (last.addr - low).saturating_add(last.file.len() as u64);
        if span > MAX_SPAN {
            return Err(fail(Problem::TooLarge));
        }
        let mut image = vec![0; span.next_multiple_of(PAGE_SIZE) as usize];
        let mut parts: Vec<Part> = Vec::new();
        for place in places {
            let start = place.addr - low;
            let end = start + place.file.len() as u64;
            // Of two that claim the same bytes, one does.
            if parts.last().is_some_and(|p| p.range.end > start) {
                continue;
            }
            image[start as usize..end as usize].copy_from_slice(&bytes[place.file]);
            parts.push(Part { name: place.name, range: start..end });
        }
        let write = || {
            let mut file = memfd(c"rvnative-image", image.len())?;
            file.write_all(&image)?;
            std::io::Result::Ok(file)
        };
        let file = write().map_err(|e| fail(Problem::Io(e)))?;
        let symbols = elf::symbols(bytes).into_iter().filter(|s| s.function).collect();
        Ok(Self { path: path.to_owned(), low, bytes: image, file, parts, symbols })
    }

    /// Offsets of the functions that the file names, as far as they are in its code.
    pub(super) fn functions(&self) -> impl Iterator<Item = u64> {
        self.symbols.iter().filter_map(|s| s.addr.checked_sub(self.low))
    }

    /// The part that `offset` is in.
    pub(super) fn part(&self, offset: u64) -> Option<&Part> {
        let n = self.parts.partition_point(|p| p.range.start <= offset);
        self.parts.get(n.checked_sub(1)?).filter(|p| p.range.contains(&offset))
    }

    /// What people call the place at `offset`: section, address, and a symbol if there is one near.
    pub(super) fn name(&self, offset: u64) -> String {
        let addr = self.low + offset;
        let n = self.symbols.partition_point(|s| s.addr <= addr);
        let symbol = n.checked_sub(1).map(|n| &self.symbols[n]);
        let near = symbol.filter(|s| addr - s.addr < s.size.max(1));
        match (near, self.part(offset)) {
            (Some(s), _) => format!("{addr:#x} ({}+{:#x})", s.name, addr - s.addr),
            (None, Some(p)) => format!("{addr:#x} ({}+{:#x})", p.name, offset - p.range.start),
            (None, None) => format!("{addr:#x}"),
        }
    }
}

/// Where a piece of code is, in memory and in the file.
struct Place {
    name: String,
    addr: u64,
    file: Range<usize>,
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
    if !matches!(header.e_type, ET_EXEC | ET_DYN | ET_REL) {
        return Err(ElfError::Type(header.e_type));
    }
    Ok(header)
}

/// All code: sections with instructions, or executable segments where the file has no sections.
fn places(header: &Header, bytes: &[u8]) -> Result<Vec<Place>, ElfError> {
    let mut places = sections(header, bytes)?;
    if places.is_empty() {
        places = segments(header, bytes)?;
    }
    places.sort_by_key(|p| p.addr);
    Ok(places)
}

fn within(bytes: &[u8], start: u64, len: u64) -> Option<Range<usize>> {
    let end = start.checked_add(len).filter(|&e| e <= bytes.len() as u64)?;
    Some(start as usize..end as usize)
}

fn sections(header: &Header, bytes: &[u8]) -> Result<Vec<Place>, ElfError> {
    let (count, size) = (usize::from(header.e_shnum), u64::from(header.e_shentsize));
    if header.e_shoff == 0 || count == 0 {
        return Ok(Vec::new());
    }
    let table = within(bytes, header.e_shoff, count as u64 * 64).filter(|_| size == 64);
    let truncated = || ElfError::Truncated("the section header table");
    let table = table.ok_or_else(truncated)?;
    let all = SectionHeader::parse(bytes, table.start, count, CTX).map_err(|_| truncated())?;
    let names = all.get(usize::from(header.e_shstrndx)).filter(|s| s.sh_type == SHT_STRTAB);
    let names = names.and_then(|s| within(bytes, s.sh_offset, s.sh_size));
    let names = names.map_or(&[][..], |range| &bytes[range]);
    let mut places = Vec::new();
    let mut next = 0;
    let wanted = u64::from(SHF_ALLOC | SHF_EXECINSTR);
    for s in all.iter().filter(|s| s.sh_flags & wanted == wanted && s.sh_size > 0) {
        if s.sh_type == SHT_NOBITS {
            continue;
        }
        let file = within(bytes, s.sh_offset, s.sh_size);
        let file = file.ok_or(ElfError::Truncated("a section"))?;
        let name = names.get(s.sh_name..).unwrap_or_default().split(|&b| b == 0).next();
        let name = String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
        let addr = if header.e_type == ET_REL { next } else { s.sh_addr };
        next = (next + s.sh_size).next_multiple_of(SECTION_ALIGN);
        // An address that is odd, or wraps, is that of nothing.
        if addr & 1 == 0 && addr.checked_add(s.sh_size).is_some() {
            places.push(Place { name, addr, file });
        }
    }
    Ok(places)
}

fn segments(header: &Header, bytes: &[u8]) -> Result<Vec<Place>, ElfError> {
    let count = usize::from(header.e_phnum);
    if header.e_phoff == 0 || count == 0 {
        return Ok(Vec::new());
    }
    let truncated = || ElfError::Truncated("the program header table");
    let table = within(bytes, header.e_phoff, count as u64 * 56);
    let table = table.filter(|_| header.e_phentsize == 56).ok_or_else(truncated)?;
    let all = ProgramHeader::parse(bytes, table.start, count, CTX).map_err(|_| truncated())?;
    let mut places = Vec::new();
    for (i, p) in all.iter().enumerate() {
        if p.p_type != PT_LOAD || p.p_flags & PF_X == 0 || p.p_filesz == 0 {
            continue;
        }
        let file = within(bytes, p.p_offset, p.p_filesz);
        let file = file.ok_or(ElfError::Truncated("a segment"))?;
        if p.p_vaddr & 1 == 0 && p.p_vaddr.checked_add(p.p_filesz).is_some() {
            places.push(Place { name: format!("segment {i}"), addr: p.p_vaddr, file });
        }
    }
    Ok(places)
}

/// True if a file that begins with `head` is an ELF file for RISC-V, of whatever quality.
fn for_riscv(head: &[u8]) -> bool {
    let machine = head.get(18..20).and_then(|b| b.first_chunk());
    head.starts_with(ELFMAG) && machine.is_some_and(|b| u16::from_le_bytes(*b) == EM_RISCV)
}

/// The files that `paths` name: files as they are, and what is for RISC-V below directories, in the
/// order of their names. Links below directories are not followed.
///
/// # Errors
/// One does not exist, cannot be read, is neither a file nor a directory, or is a directory without
/// such files.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for path in paths {
        let meta = fs::metadata(path).map_err(|e| Error::new(path, Problem::Io(e)))?;
        if meta.is_file() {
            found.push(path.clone());
        } else if meta.is_dir() {
            let before = found.len();
            // Of this directory; those below it that cannot be read are passed over.
            fs::read_dir(path).map_err(|e| Error::new(path, Problem::Io(e)))?;
            walk(path, &mut found);
            if found.len() == before {
                return Err(Error::new(path, Problem::NoFiles));
            }
        } else {
            return Err(Error::new(path, Problem::NoFile));
        }
    }
    Ok(found)
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let Ok(kind) = entry.file_type() else { continue };
        let path = entry.path();
        if kind.is_dir() {
            walk(&path, found);
        } else if kind.is_file() {
            let mut head = [0; 20];
            let read = File::open(&path).and_then(|mut f| f.read_exact(&mut head));
            if read.is_ok() && for_riscv(&head) {
                found.push(path);
            }
        }
    }
}
