//! `rvnative disasm`.

use super::fail::Failure;
use super::flags::DisasmFlags;
use rvnative::isa::{self, Isa};
use rvnative::vm::elf::{self, Elf, SymbolEntry};
use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::Range;
use std::process::ExitCode;

pub(super) fn disasm(flags: &DisasmFlags) -> Result<ExitCode, Failure> {
    let path = &flags.program;
    let bytes = std::fs::read(path).map_err(|e| Failure::file(path, &e))?;
    let elf = Elf::parse(&bytes, bytes.len() as u64).map_err(|e| {
        Failure::new(format_args!("{}: {e}", path.display())).code(Failure::CANNOT_RUN)
    })?;
    let isa = match &flags.cpu {
        Some(spec) => spec.parse().map_err(Failure::new)?,
        None => Isa::MAX,
    };
    let symbols = elf::symbols(&bytes);
    let wanted = wanted(flags, &symbols)?;
    let mut listing = Listing { isa, symbols: &symbols, out: String::new() };
    let mut any = false;
    for segment in elf.segments.iter().filter(|s| s.prot.executable()) {
        let file = &bytes[segment.file.start as usize..segment.file.end as usize];
        let range = segment.addr..segment.addr + file.len() as u64;
        let part = range.start.max(wanted.start)..range.end.min(wanted.end);
        if part.start >= part.end {
            continue;
        }
        any = true;
        let code = &file[(part.start - range.start) as usize..(part.end - range.start) as usize];
        listing.code(part.start, code);
    }
    if !any {
        return Err(Failure::new("no code in that range").hint("addresses are hexadecimal"));
    }
    // A reader that has seen enough, such as `head`, is no failure.
    let _ = std::io::stdout().write_all(listing.out.as_bytes());
    Ok(ExitCode::SUCCESS)
}

/// The addresses to list.
fn wanted(flags: &DisasmFlags, symbols: &[SymbolEntry]) -> Result<Range<u64>, Failure> {
    let Some(name) = &flags.symbol else {
        return Ok(flags.start.unwrap_or(0)..flags.end.unwrap_or(u64::MAX));
    };
    let symbol = symbols.iter().find(|s| s.name == *name).ok_or_else(|| {
        let f = Failure::new(format_args!("no symbol `{name}` in {}", flags.program.display()));
        if symbols.is_empty() {
            f.hint("the program is stripped: use --start and --end")
        } else {
            f
        }
    })?;
    let next = symbols.iter().map(|s| s.addr).find(|&a| a > symbol.addr).unwrap_or(u64::MAX);
    let end = if symbol.size == 0 { next } else { symbol.addr.saturating_add(symbol.size) };
    Ok(symbol.addr..end)
}

struct Listing<'a> {
    isa: Isa,
    symbols: &'a [SymbolEntry],
    out: String,
}

impl Listing<'_> {
    /// Lists code in objdump's form: symbols as headings; address, bits, instruction.
    fn code(&mut self, start: u64, code: &[u8]) {
        let mut at = 0;
        while at + 2 <= code.len() {
            let pc = start + at as u64;
            self.heading(pc);
            let low = u16::from_le_bytes([code[at], code[at + 1]]);
            let wide = low & 3 == 3 && at + 4 <= code.len();
            let high = if wide { u16::from_le_bytes([code[at + 2], code[at + 3]]) } else { 0 };
            let bits = u32::from(high) << 16 | u32::from(low);
            let len = if wide { 4 } else { 2 };
            let text = match isa::decode(bits, &self.isa) {
                Some(insn) => isa::disasm(&insn, pc).to_string(),
                None => isa::disasm::unknown(bits, len).to_string(),
            };
            let raw = if wide { format!("{bits:08x}") } else { format!("{low:04x}") };
            let _ = writeln!(self.out, "{pc:8x}:\t{raw:<8}\t{text}");
            at += usize::from(len);
        }
    }

    fn heading(&mut self, pc: u64) {
        let first = self.symbols.partition_point(|s| s.addr < pc);
        for s in self.symbols[first..].iter().take_while(|s| s.addr == pc) {
            let _ = writeln!(self.out, "\n{pc:016x} <{}>:", s.name);
        }
    }
}
