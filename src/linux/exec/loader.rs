//! Loading a program and its dynamic linker into an empty address space (kernel:
//! `fs/binfmt_elf.c`).

use crate::linux::fs::namespace::Located;
use crate::linux::mm::layout::{self, STACK_GAP};
use crate::mem::{Backing, MapError, Mapping, Memory, Prot};
use crate::util::{PAGE_SIZE, page_down, page_up};
use crate::vm::elf::{Elf, ElfError};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a program cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be opened or read.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is no program that we can run.
    #[error("{}: {error}", path.display())]
    Elf {
        /// Which.
        path: PathBuf,
        /// Why.
        error: ElfError,
    },
    /// The program names a dynamic linker that is not there.
    #[error("{}: its dynamic linker {} cannot be opened: {error}", program.display(), path.display())]
    Interpreter {
        /// The program.
        program: PathBuf,
        /// Its dynamic linker, as it names it.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A segment does not fit into the address space.
    #[error("{}: addresses {:#x}..{:#x} are not available to programs", path.display(), range.start, range.end)]
    Addresses {
        /// Which file.
        path: PathBuf,
        /// What it asks for.
        range: Range<u64>,
    },
    /// Arguments and environment are longer than the stack allows.
    #[error("arguments and environment are too long")]
    TooLong,
    /// The machine could not be set up.
    #[error("cannot set up guest memory: {0}")]
    Memory(#[from] MapError),
    /// The host has no room for guest memory and code cache.
    #[error("cannot reserve guest memory and code cache: {0}")]
    Reserve(io::Error),
    /// No executable is known that becomes a guest program when it is told to: this process's own
    /// has not looked for a [`Reentry`](crate::linux::Reentry).
    #[error("nothing to start the program with: this executable has not looked for a `Reentry`")]
    NoReentry,
    /// The host refused something.
    #[error("{0}")]
    Host(#[from] io::Error),
}

impl LoadError {
    /// Exit code by the convention of shells: 127 if the program was not found, 126 if it cannot be
    /// run, 125 if we could not set up.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::File { error, .. } | Self::Interpreter { error, .. }
                if error.kind() == io::ErrorKind::NotFound =>
            {
                127
            }
            Self::Memory(_) | Self::Reserve(_) | Self::Host(_) | Self::NoReentry => 125,
            _ => 126,
        }
    }

    /// What may help, if anything is known to.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Interpreter { .. } => Some(
                "-L DIR names a directory with the program's libraries, such as /usr/riscv64-linux-gnu",
            ),
            Self::Reserve(_) => {
                Some("a limit of address space (ulimit -v) must leave room for both")
            }
            Self::Elf { error: ElfError::NotElf, .. } => {
                Some("scripts need a first line with #! and a riscv64 interpreter")
            }
            _ => None,
        }
    }
}

/// An open program file with its headers read.
#[derive(Debug)]
pub(crate) struct Image {
    pub file: File,
    pub path: PathBuf,
    pub elf: Elf,
}

/// How much of a file is read to find its headers: those of nearly all are in its first page, of
/// every program that a linker makes in the second length; beyond the last they are not looked for.
const HEADS: [u64; 3] = [4 << 10, 64 << 10, 256 << 20];

impl Image {
    /// Opens a host file and reads its headers.
    pub(crate) fn open(path: &Path) -> Result<Self, LoadError> {
        let failed = |error| LoadError::File { path: path.to_owned(), error };
        Self::from_file(File::open(path).map_err(failed)?, path)
    }

    /// Reads the headers of the program `file`, which `path` names.
    pub(crate) fn from_file(file: File, path: &Path) -> Result<Self, LoadError> {
        let failed = |error| LoadError::File { path: path.to_owned(), error };
        let meta = file.metadata().map_err(failed)?;
        if !meta.is_file() {
            return Err(failed(io::Error::from_raw_os_error(libc::EACCES)));
        }
        let elf = read_headers(&file, meta.len()).map_err(failed)?;
        let elf = elf.map_err(|error| LoadError::Elf { path: path.to_owned(), error })?;
        Ok(Self { file, path: path.to_owned(), elf })
    }
}

fn read_headers(file: &File, len: u64) -> io::Result<Result<Elf, ElfError>> {
    let mut heads = HEADS.into_iter().map(|head| head.min(len));
    loop {
        let mut bytes = vec![0; heads.next().unwrap_or(0) as usize];
        file.read_exact_at(&mut bytes, 0)?;
        let elf = Elf::parse(&bytes, len);
        let more = bytes.starts_with(b"\x7fELF") && (bytes.len() as u64) < len;
        if elf.is_ok() || !more || heads.len() == 0 {
            return Ok(elf);
        }
    }
}

/// What the start of the program needs to know of what was loaded.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// Where execution begins.
    pub start: u64,
    /// The program's own entry (`AT_ENTRY`).
    pub entry: u64,
    /// Its program headers in memory (`AT_PHDR`), 0 if they are in no segment.
    pub phdr: u64,
    pub phnum: u16,
    /// Where the dynamic linker lies (`AT_BASE`), 0 without one.
    pub base: u64,
    /// First page behind the program: where the heap begins.
    pub brk: u64,
}

/// Maps a program, and its dynamic linker if it names one. `find` says where that is.
pub(crate) fn load(
    mem: &Memory,
    top: u64,
    image: &Image,
    guest_path: &Path,
    find: impl FnOnce(&Path) -> io::Result<Located>,
) -> Result<Loaded, LoadError> {
    let elf = &image.elf;
    let span = elf.span();
    let bias = if elf.relocatable {
        layout::pie_base(mem.size()).wrapping_sub(page_down(span.start))
    } else {
        0
    };
    let end = map_image(mem, top, image, guest_path, bias)?;
    let entry = elf.entry.wrapping_add(bias);
    let mut loaded = Loaded {
        start: entry,
        entry,
        phdr: elf.phdr.map_or(0, |p| p.wrapping_add(bias)),
        phnum: elf.phnum,
        base: 0,
        brk: end,
    };
    if let Some(interpreter) = &elf.interpreter {
        let named = crate::linux::host::path_of(interpreter);
        let linker = open_linker(guest_path, &named, find(&named))?;
        let len = linker.elf.span();
        let size = page_up(len.end).unwrap_or(u64::MAX) - page_down(len.start);
        let base = if linker.elf.relocatable {
            let at = layout::find_room(mem, top, size, true)
                .ok_or_else(|| LoadError::Addresses { path: named.clone(), range: len.clone() })?;
            at.wrapping_sub(page_down(len.start))
        } else {
            0
        };
        map_image(mem, top, &linker, &named, base)?;
        loaded.base = base;
        loaded.start = linker.elf.entry.wrapping_add(base);
    }
    Ok(loaded)
}

fn open_linker(
    program: &Path,
    named: &Path,
    found: io::Result<Located>,
) -> Result<Image, LoadError> {
    let missing = |error| LoadError::Interpreter {
        program: program.to_owned(),
        path: named.to_owned(),
        error,
    };
    let found = found.map_err(missing)?;
    Image::open(&found.host).map_err(|e| match e {
        LoadError::File { error, .. } => missing(error),
        other => other,
    })
}

/// Maps all segments, moved by `bias`. Returns the first page behind them.
fn map_image(
    mem: &Memory,
    top: u64,
    image: &Image,
    guest_path: &Path,
    bias: u64,
) -> Result<u64, LoadError> {
    let refuse = |range: &Range<u64>| LoadError::Addresses {
        path: image.path.clone(),
        range: range.clone(),
    };
    let meta = image.file.metadata()?;
    let path = Arc::new(guest_path.to_owned());
    let mut last = 0;
    for s in &image.elf.segments {
        let unbiased = s.range();
        let start = s.addr.wrapping_add(bias);
        let fits = start >= layout::min_addr(mem) && start < top && s.size <= top - start;
        if !fits {
            return Err(refuse(&unbiased));
        }
        let first = page_down(start);
        let end = page_up(start + s.size).ok_or_else(|| refuse(&unbiased))?;
        let file_len = s.file.end - s.file.start;
        let file_end = if file_len == 0 { first } else { page_up(start + file_len).unwrap_or(end) };
        if file_len != 0 {
            let offset = page_down(s.file.start);
            let backing = Backing::File {
                path: Arc::clone(&path),
                offset,
                dev: meta.dev(),
                inode: meta.ino(),
            };
            let mapping = Mapping { backing, ..Mapping::anonymous(s.prot, None) };
            mem.map(first, file_end - first, mapping, Some(image.file.as_fd()), false)?;
        }
        if end > file_end {
            let zero = Mapping::anonymous(s.prot, None);
            mem.map(file_end, end - file_end, zero, None, false)?;
        }
        // What the file holds behind the segment's bytes in their last page is not the segment's.
        let tail = start + file_len..file_end.min(start + s.size);
        if s.size > file_len && tail.start < tail.end && s.prot.writable() {
            mem.fill(tail.start, 0, file_end - tail.start)
                .map_err(|_| io::Error::from_raw_os_error(libc::EIO))?;
        }
        last = last.max(end);
    }
    Ok(last)
}

/// The main thread's stack, mapped at the top of the address space: `size` bytes, whole pages.
/// It can be executed if the program asks for that (fs/binfmt_elf.c, `PT_GNU_STACK`).
pub(crate) fn map_stack(mem: &Memory, size: u64, exec: bool) -> Result<Range<u64>, LoadError> {
    let top = mem.top() - PAGE_SIZE;
    let size = page_up(size).unwrap_or(u64::MAX).clamp(32 * PAGE_SIZE, mem.size() / 4);
    let prot = if exec { Prot::RWX } else { Prot::RW };
    let stack = Mapping::anonymous(prot, Some("[stack]"));
    mem.map(top - size, size, stack, None, false)?;
    Ok(top - size..top)
}

/// Below this, mappings are placed.
pub(crate) fn mmap_top(stack: &Range<u64>) -> u64 {
    stack.start - STACK_GAP
}
