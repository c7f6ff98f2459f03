//! A profile for people: the blocks that executed most, with guest code, operations and host code
//! of each part.

use super::backtrace::Images;
use super::profile::{Listed, Profiler};
use super::symbols::read_below;
use super::{Executed, ProfiledBlock, Samples, Symbols, dwarf, host_code};
use crate::isa::{self, Isa};
use crate::mem::{Backing, Memory};
use crate::runtime::backend_name;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

mod html;

/// The hottest blocks of a run.
pub struct Report {
    title: String,
    guest: u64,
    host: u64,
    blocks: Vec<Hot>,
    /// For the page, of which the text has none: the functions, those that executed most first.
    functions: Vec<Function>,
    sources: Vec<Source>,
    samples: BTreeMap<Vec<String>, u64>,
    /// Blocks that the text shows; the page shows all.
    most: usize,
}

/// What a function has executed.
struct Function {
    name: String,
    module: String,
    guest: u64,
    host: u64,
}

/// What was executed for a source file: line, guest instructions, text.
struct Source {
    path: String,
    guest: u64,
    lines: Vec<(u32, u64, String)>,
}

/// One of them.
struct Hot {
    pc: u64,
    name: String,
    function: String,
    entered: u64,
    guest: u64,
    host: u64,
    parts: Vec<Shown>,
}

/// A part of a block: how often it was executed, and its code as text.
struct Shown {
    times: u64,
    guest: String,
    ir: String,
    host: String,
}

impl Report {
    /// What a run has executed; `title` is the program. The text has the `most` blocks that
    /// executed the most host instructions, the page a few more. `roots` are directories below
    /// which the guest's files are looked for first.
    #[must_use]
    pub fn new(
        title: &str,
        (profiler, samples): (&Profiler, &Samples),
        memory: &Memory,
        isa: &Isa,
        roots: &[PathBuf],
        most: usize,
    ) -> Self {
        let blocks = profiler.blocks();
        let mut symbols = Symbols::new(roots.to_vec());
        let mut order: Vec<_> = blocks.iter().map(|b| (b.executed(), b)).collect();
        let sum = |of: fn(&Executed) -> u64| order.iter().map(|(e, _)| of(e)).sum();
        let (guest, host) = (sum(|e| e.guest), sum(|e| e.host));
        order.sort_by_key(|(e, b)| (Reverse(e.host), b.ir.pc));
        order.retain(|(e, _)| e.host != 0);
        let functions = functions(&order, memory, &mut symbols);
        let sources = sources(&order, memory, roots);
        let hot = order.into_iter().take(most.max(ON_PAGE)).map(|(executed, block)| {
            let pc = block.ir.pc;
            let name = symbols.name(memory, pc).unwrap_or_else(|| format!("{pc:#x}"));
            let function = symbols.function(memory, pc).unwrap_or_else(|| name.clone());
            let parts = block.listed().into_iter().filter(|l| l.times != 0 && !l.host.is_empty());
            let parts = parts.map(|l| shown(&l, isa)).collect();
            let (guest, host) = (executed.guest, executed.host);
            Hot { pc, name, function, entered: block.entered(), guest, host, parts }
        });
        let blocks = hot.collect();
        let samples = samples.by_name(memory);
        Self { title: title.to_owned(), guest, host, blocks, functions, sources, samples, most }
    }

    fn share(&self, n: u64) -> f64 {
        100.0 * n as f64 / self.host.max(1) as f64
    }

    fn heading(&self) -> String {
        let ratio = self.host as f64 / self.guest.max(1) as f64;
        let (guest, host) = (self.guest, self.host);
        format!("{}: {guest} guest and {host} host instructions, {ratio:.3} for one", self.title)
    }

    /// As text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("{}\n", self.heading());
        let _ = writeln!(out, "\n  share       entered       guest        host  block");
        for b in self.blocks.iter().take(self.most) {
            let share = self.share(b.host);
            let _ = writeln!(
                out,
                "{share:6.2}% {:>13} {:>11} {:>11}  {:#x} {}",
                b.entered, b.guest, b.host, b.pc, b.name
            );
        }
        for b in self.blocks.iter().take(self.most) {
            let _ = writeln!(out, "\n{:#x} {}: {:.2}%", b.pc, b.name, self.share(b.host));
            for p in &b.parts {
                let _ = writeln!(out, " {} times", p.times);
                for (name, code) in [("guest", &p.guest), ("ir", &p.ir), ("host", &p.host)] {
                    if !code.is_empty() {
                        let _ = writeln!(out, "  {name}:");
                        code.lines().for_each(|l| out += &format!("    {}\n", l.trim_end()));
                    }
                }
            }
        }
        out
    }
}

/// Blocks on the page at least.
const ON_PAGE: usize = 200;
/// Source files on the page, and lines of each, at most.
const FILES: usize = 60;
const LINES: usize = 20_000;

/// What each function has executed.
fn functions(
    blocks: &[(Executed, &ProfiledBlock)],
    memory: &Memory,
    symbols: &mut Symbols,
) -> Vec<Function> {
    let mut all: FxHashMap<(String, String), (u64, u64)> = FxHashMap::default();
    for (executed, block) in blocks {
        let pc = block.ir.pc;
        let name = symbols.function(memory, pc).unwrap_or_else(|| format!("{pc:#x}"));
        let module = match memory.mapping(pc).map(|(_, mapping)| mapping.backing) {
            Some(Backing::File { path, .. }) => path.display().to_string(),
            _ => String::new(),
        };
        let sum = all.entry((name, module)).or_default();
        *sum = (sum.0 + executed.guest, sum.1 + executed.host);
    }
    let function = |((name, module), (guest, host))| Function { name, module, guest, host };
    let mut all: Vec<_> = all.into_iter().map(function).collect();
    all.sort_by(|a, b| (Reverse(a.host), &a.name).cmp(&(Reverse(b.host), &b.name)));
    all
}

/// What was executed for each source line.
fn sources(
    blocks: &[(Executed, &ProfiledBlock)],
    memory: &Memory,
    roots: &[PathBuf],
) -> Vec<Source> {
    let mut images = Images::new(roots.to_vec());
    // Number of executions by address, in each file.
    let mut files: BTreeMap<PathBuf, FxHashMap<u64, u64>> = BTreeMap::new();
    for (_, block) in blocks {
        for part in block.listed() {
            for &(pc, _) in part.guest.iter().filter(|_| part.times != 0) {
                if let Some((path, addr)) = images.place(memory, pc) {
                    *files.entry(path).or_default().entry(addr).or_default() += part.times;
                }
            }
        }
    }
    let mut lines: BTreeMap<String, BTreeMap<u32, u64>> = BTreeMap::new();
    for (path, counts) in files {
        let Some(bytes) = read_below(roots, &path) else { continue };
        let Some(context) = dwarf::context(&bytes) else { continue };
        for (addr, times) in counts {
            let Ok(Some(location)) = context.find_location(addr) else { continue };
            if let (Some(file), Some(line)) = (location.file, location.line) {
                *lines.entry(file.to_owned()).or_default().entry(line).or_default() += times;
            }
        }
    }
    let source = |(path, counts): (String, BTreeMap<u32, u64>)| {
        let guest = counts.values().sum();
        let text = read_below(roots, Path::new(&path)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let mut lines: Vec<_> = text.lines().take(LINES).zip(1..).collect();
        if lines.is_empty() {
            lines = counts.keys().map(|&n| ("", n)).collect();
        }
        let count = |n| counts.get(&n).copied().unwrap_or(0);
        let lines = lines.into_iter().map(|(text, n)| (n, count(n), text.to_owned())).collect();
        Source { path, guest, lines }
    };
    let mut all: Vec<_> = lines.into_iter().map(source).collect();
    all.sort_by_key(|s| Reverse(s.guest));
    all.truncate(FILES);
    all
}

fn shown(part: &Listed<'_>, isa: &Isa) -> Shown {
    let mut guest = String::new();
    for &(pc, bits) in &part.guest {
        let text = match isa::decode(bits, isa) {
            Some(insn) => isa::disasm(&insn, pc).to_string(),
            None => format!("{bits:#x}"),
        };
        let _ = writeln!(guest, "{pc:8x}  {text}");
    }
    let ir = part.nodes.iter().map(|node| format!("{node}\n")).collect();
    Shown { times: part.times, guest, ir, host: host_code(backend_name(), part.host, part.host_at) }
}
