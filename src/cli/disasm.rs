//! `rvnative disasm`.

use super::fail::Failure;
use super::flags::DisasmFlags;
use rvnative::debug::dump;
use rvnative::isa::{self, Format, Insn, Isa};
use rvnative::mem::Prot;
use rvnative::runtime::{Machine, Options};
use rvnative::util::page_down;
use rvnative::vm::elf::{self, Elf, SymbolEntry};
use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Arc;

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
    let machine = if flags.host { Some(machine(&elf, &bytes, isa)?) } else { None };
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
        match &machine {
            Some(machine) => listing.blocks(machine, part.start, code)?,
            None => listing.code(part.start, code),
        }
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

/// A machine that holds the program's code, for the translator to look at.
fn machine(elf: &Elf, bytes: &[u8], isa: Isa) -> Result<Arc<Machine>, Failure> {
    let defaults = Options::default();
    let machine = Machine::new(&Options { isa, ..defaults })?;
    for s in elf.segments.iter().filter(|s| s.prot.executable()) {
        let first = page_down(s.addr);
        let len = s.addr - first + (s.file.end - s.file.start);
        let memory = machine.memory();
        memory.map_zero(first, len, Prot::RW).map_err(Failure::new)?;
        let code = &bytes[s.file.start as usize..s.file.end as usize];
        memory.write_bytes(s.addr, code).map_err(Failure::new)?;
        memory.protect(first, len, Prot::RX).map_err(Failure::new)?;
    }
    Ok(machine)
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
                Some(insn) => isa::disasm(&insn, pc).to_string() + &self.target(&insn, pc),
                None => isa::disasm::unknown(bits, len).to_string(),
            };
            let raw = if wide { format!("{bits:08x}") } else { format!("{low:04x}") };
            let _ = writeln!(self.out, "{pc:8x}:\t{raw:<8}\t{text}");
            at += usize::from(len);
        }
    }

    /// Lists code block by block: the guest's instructions, the operations, the host's.
    fn blocks(&mut self, machine: &Machine, start: u64, code: &[u8]) -> Result<(), Failure> {
        let end = start + code.len() as u64;
        let mut pc = start;
        while pc < end {
            let translation = machine.translate_for_dump(pc)?;
            let mut next = pc + 2;
            for &(at, len) in &translation.ir.ranges {
                let part = at.max(start)..(at + u64::from(len)).min(end);
                if part.start < part.end {
                    self.code(
                        part.start,
                        &code[(part.start - start) as usize..][..(part.end - part.start) as usize],
                    );
                }
                if at == pc {
                    next = next.max(part.end);
                }
            }
            self.out.push('\n');
            self.out += &dump(&translation);
            self.out.push('\n');
            pc = next;
        }
        Ok(())
    }

    /// Where a branch or jump goes to, by symbol, as objdump says it.
    fn target(&self, insn: &Insn, pc: u64) -> String {
        if !matches!(insn.op.format(), Format::B | Format::J) {
            return String::new();
        }
        let to = pc.wrapping_add(i64::from(insn.imm) as u64);
        let before = self.symbols.partition_point(|s| s.addr <= to);
        let Some(symbol) = self.symbols[..before].iter().rev().find(|s| s.function) else {
            return String::new();
        };
        match to - symbol.addr {
            0 => format!(" <{}>", symbol.name),
            n => format!(" <{}+{n:#x}>", symbol.name),
        }
    }

    fn heading(&mut self, pc: u64) {
        let first = self.symbols.partition_point(|s| s.addr < pc);
        for s in self.symbols[first..].iter().take_while(|s| s.addr == pc) {
            let _ = writeln!(self.out, "\n{pc:016x} <{}>:", s.name);
        }
    }
}
