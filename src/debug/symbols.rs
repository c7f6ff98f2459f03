//! Names of guest addresses, from the symbol tables of the files that are mapped there.

use crate::mem::{Backing, Memory};
use crate::vm::elf::{self, Elf, SymbolEntry};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Symbol tables, read as they are needed.
#[derive(Debug, Default)]
pub struct Symbols {
    roots: Vec<PathBuf>,
    modules: BTreeMap<PathBuf, Option<Module>>,
}

#[derive(Debug)]
struct Module {
    elf: Elf,
    functions: Vec<SymbolEntry>,
}

impl Symbols {
    /// `roots` are directories below which the guest's files are looked for first.
    #[must_use]
    pub fn new(roots: Vec<PathBuf>) -> Self {
        Self { roots, modules: BTreeMap::new() }
    }

    /// Where the function at `pc` begins, if there is a symbol of it.
    pub fn start(&mut self, memory: &Memory, pc: u64) -> Option<u64> {
        let (_, at, module) = self.module(memory, pc)?;
        let (_, inside) = module?.function(at)?;
        Some(pc - inside)
    }

    /// The function at `pc`, or the file if it tells of none; `None` where no file is mapped.
    pub fn function(&mut self, memory: &Memory, pc: u64) -> Option<String> {
        let (path, at, module) = self.module(memory, pc)?;
        let found = module.and_then(|m| m.function(at)).map(|(f, _)| f.name.clone());
        Some(found.unwrap_or_else(|| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            format!("[{file}]")
        }))
    }

    /// What is at `pc`: a function and an offset, or the name of a file and an offset; `None` where
    /// no file is mapped.
    pub fn name(&mut self, memory: &Memory, pc: u64) -> Option<String> {
        let (path, at, module) = self.module(memory, pc)?;
        let found = module.and_then(|m| m.find(at));
        Some(found.unwrap_or_else(|| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            format!("{file}+{at:#x}")
        }))
    }

    /// The file that is mapped at `pc`, which of its bytes is there, and its symbols if it has any.
    fn module(&mut self, memory: &Memory, pc: u64) -> Option<(Arc<PathBuf>, u64, Option<&Module>)> {
        let (range, mapping) = memory.mapping(pc)?;
        let Backing::File { path, offset, .. } = mapping.backing else { return None };
        let roots = &self.roots;
        let known = self.modules.entry(path.to_path_buf());
        let module = known.or_insert_with(|| Module::read(roots, &path)).as_ref();
        Some((path, offset + (pc - range.start), module))
    }
}

/// The guest's file `path`, below one of `roots` or as it is.
pub(super) fn read_below(roots: &[PathBuf], path: &Path) -> Option<Vec<u8>> {
    let below = path.strip_prefix("/").unwrap_or(path);
    let mut places = roots.iter().map(|root| root.join(below)).chain([path.to_owned()]);
    places.find_map(|place| std::fs::read(place).ok())
}

/// Up to `most` bytes from the beginning of the same file, and its size.
pub(super) fn read_head_below(roots: &[PathBuf], path: &Path, most: u64) -> Option<(Vec<u8>, u64)> {
    let below = path.strip_prefix("/").unwrap_or(path);
    let mut places = roots.iter().map(|root| root.join(below)).chain([path.to_owned()]);
    let file = places.find_map(|place| File::open(place).ok())?;
    let mut bytes = Vec::new();
    (&file).take(most).read_to_end(&mut bytes).ok()?;
    Some((bytes, file.metadata().ok()?.len()))
}

impl Module {
    fn read(roots: &[PathBuf], path: &Path) -> Option<Self> {
        let bytes = read_below(roots, path)?;
        let elf = Elf::parse(&bytes, bytes.len() as u64).ok()?;
        let functions = elf::symbols(&bytes).into_iter().filter(|s| s.function).collect();
        Some(Self { elf, functions })
    }

    /// The function that byte `at` of the file belongs to, as text.
    fn find(&self, at: u64) -> Option<String> {
        let (function, offset) = self.function(at)?;
        Some(match offset {
            0 => function.name.clone(),
            _ => format!("{}+{offset:#x}", function.name),
        })
    }

    /// The function that byte `at` of the file belongs to, and how far it is from its beginning.
    fn function(&self, at: u64) -> Option<(&SymbolEntry, u64)> {
        let segment = self.elf.segments.iter().find(|s| s.file.contains(&at))?;
        let addr = segment.addr + (at - segment.file.start);
        let n = self.functions.partition_point(|s| s.addr <= addr).checked_sub(1)?;
        let function = &self.functions[n];
        let offset = addr - function.addr;
        // Behind the end of a function that says where it ends is something without a name.
        if function.size != 0 && offset >= function.size {
            return None;
        }
        Some((function, offset))
    }
}
