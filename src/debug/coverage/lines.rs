//! Source lines that were executed, by the line tables of files (DWARF 5, section 6.2).

use super::drcov::Drcov;
use crate::debug::dwarf;
use crate::debug::symbols::read_below;
use crate::util::page_down;
use crate::vm::elf::{self, Elf};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::PathBuf;

/// Lines and functions by source file.
#[derive(Debug, Default)]
pub struct Lines {
    /// By the path that the compiler was given, made absolute by the directory it ran in.
    pub files: BTreeMap<String, SourceFile>,
    /// Modules, and whether they tell of lines.
    pub modules: Vec<(PathBuf, bool)>,
}

/// What is known of a source file.
#[derive(Debug, Default)]
pub struct SourceFile {
    /// Lines for which there is code, and whether any of it was executed.
    pub lines: BTreeMap<u32, bool>,
    /// Functions that begin in it: name, first line, and whether it was entered.
    pub functions: BTreeMap<String, (u32, bool)>,
}

impl SourceFile {
    /// Number of lines that were executed.
    #[must_use]
    pub fn lines_hit(&self) -> usize {
        self.lines.values().filter(|hit| **hit).count()
    }

    /// Number of functions that were entered.
    #[must_use]
    pub fn functions_hit(&self) -> usize {
        self.functions.values().filter(|(_, hit)| *hit).count()
    }
}

impl Lines {
    /// The lines of all files whose code is in modules of `drcov`. `roots` are directories below
    /// which these are looked for first.
    #[must_use]
    pub fn of(drcov: &Drcov, roots: &[PathBuf]) -> Self {
        let mut lines = Self::default();
        for (n, module) in drcov.modules().iter().enumerate() {
            let blocks = drcov.blocks().filter(|(module, ..)| usize::from(*module) == n);
            let blocks = blocks.map(|(_, start, len)| {
                let start = u64::from(start);
                start..start + u64::from(len)
            });
            let blocks = union(blocks.collect());
            let told = read_below(roots, &module.path).and_then(|bytes| lines.add(&bytes, &blocks));
            lines.modules.push((module.path.clone(), told.is_some()));
        }
        lines
    }

    /// Adds the lines of an ELF file; `None` if it tells of none.
    fn add(&mut self, bytes: &[u8], executed: &[Range<u64>]) -> Option<()> {
        let elf = Elf::parse(bytes, bytes.len() as u64).ok()?;
        let base = page_down(elf.span().start);
        let context = dwarf::context(bytes)?;
        let hit = |code: Range<u64>| {
            let n = executed.partition_point(|r| r.end + base <= code.start);
            executed.get(n).is_some_and(|r| r.start + base < code.end)
        };
        let mut any = None;
        for (start, len, location) in context.find_location_range(0, u64::MAX).ok()? {
            let (Some(file), Some(line)) = (location.file, location.line) else { continue };
            // Line 0 is of no source.
            if line == 0 || len == 0 {
                continue;
            }
            any = Some(());
            let file = self.file(file);
            *file.lines.entry(line).or_default() |= hit(start..start.saturating_add(len));
        }
        for symbol in elf::symbols(bytes).into_iter().filter(|s| s.function) {
            let Ok(Some(location)) = context.find_location(symbol.addr) else { continue };
            if let (Some(file), Some(line)) = (location.file, location.line) {
                let entered = hit(symbol.addr..symbol.addr + 1);
                let known = self.file(file).functions.entry(symbol.name).or_insert((line, false));
                known.1 |= entered;
            }
        }
        any
    }

    fn file(&mut self, name: &str) -> &mut SourceFile {
        if !self.files.contains_key(name) {
            self.files.insert(name.to_owned(), SourceFile::default());
        }
        self.files.entry(name.to_owned()).or_default()
    }

    /// As lcov's tools read it (geninfo(1)). How often a line was executed is not known: once
    /// stands for any number.
    #[must_use]
    pub fn lcov(&self) -> String {
        let mut out = String::from("TN:\n");
        for (path, file) in &self.files {
            let _ = writeln!(out, "SF:{path}");
            for (name, (line, _)) in &file.functions {
                let _ = writeln!(out, "FN:{line},{name}");
            }
            for (name, (_, hit)) in &file.functions {
                let _ = writeln!(out, "FNDA:{},{name}", u8::from(*hit));
            }
            let _ = writeln!(out, "FNF:{}\nFNH:{}", file.functions.len(), file.functions_hit());
            for (line, hit) in &file.lines {
                let _ = writeln!(out, "DA:{line},{}", u8::from(*hit));
            }
            let _ = writeln!(out, "LF:{}\nLH:{}", file.lines.len(), file.lines_hit());
            out += "end_of_record\n";
        }
        out
    }
}

/// The ranges in order, none of which touches another.
fn union(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_by_key(|r| r.start);
    let mut out: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}
