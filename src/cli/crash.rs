//! What is said when a program dies of a fault: where, why, and how it came there.

use super::settings::{Key, Settings};
use rvnative::debug::{backtrace, code_at};
use rvnative::isa::{self, Ext, Format, Isa};
use rvnative::linux::{Command, Crash};
use rvnative::mem::{Backing, Memory};
use rvnative::sys::process::Invocation;
use rvnative::sys::standard::closed_at_start;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// Where, why, and the calls.
    Report,
    /// The same, and a debugger is waited for.
    Debugger,
    /// One line, if an instruction is missing.
    Brief,
}

/// What `--on-crash` asks for, and whether there is somebody to read it.
fn detail(settings: &Settings) -> Option<Detail> {
    // Somebody else's file may be there now; and where rights have been gained, whoever started the
    // program may not know its files.
    if closed_at_start().contains(&2) || Invocation::of_process().secure {
        return None;
    }
    match settings.get(Key::OnCrash).and_then(|v| v.to_str()) {
        Some("report") => Some(Detail::Report),
        Some("gdb") => Some(Detail::Debugger),
        Some("brief") => Some(Detail::Brief),
        Some("quiet") => None,
        _ if std::io::stderr().is_terminal() => Some(Detail::Report),
        _ => Some(Detail::Brief),
    }
}

/// Lets `command` tell of crashes as `--on-crash` asks for; `roots` are where the guest's files
/// are.
pub(super) fn watch(command: &mut Command, settings: &Settings, roots: Vec<PathBuf>) {
    let Some(detail) = detail(settings) else { return };
    command.debug_crashes(detail == Detail::Debugger);
    command.on_crash(detail != Detail::Brief, move |crash| {
        let text = match detail {
            Detail::Report => report(crash, &roots),
            Detail::Debugger => {
                let socket = rvnative::linux::debugger_socket(std::process::id());
                let connect = format!("  in gdb: target remote {}\n", socket.display());
                report(crash, &roots) + &connect
            }
            Detail::Brief => brief(crash),
        };
        let _ = std::io::stderr().write_all(text.as_bytes());
    });
}

/// The line about an instruction that is missing; empty for another crash.
fn brief(crash: &Crash<'_>) -> String {
    match missing(crash) {
        Some(why) => format!("rvnative: {}: {why}\n", crash.program.display()),
        None => String::new(),
    }
}

fn report(crash: &Crash<'_>, roots: &[PathBuf]) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "rvnative: {} (thread {}) died of {}",
        crash.program.display(),
        crash.thread,
        cause(crash)
    );
    if let Some(why) = missing(crash) {
        let _ = writeln!(text, "  {why}");
    }
    let pc = crash.hart.pc;
    if let Some(insn) = instruction(crash.memory, pc, &Isa::MAX) {
        let _ = writeln!(text, "  at {pc:#x}: {}", insn.replace('\t', " "));
    }
    let place = crash.memory.mapping(pc);
    match place.as_ref().map(|(range, mapping)| (range.start, &mapping.backing)) {
        Some((start, Backing::File { path, offset, .. })) => {
            let at = offset + (pc - start);
            let _ = writeln!(text, "  in {}, byte {at:#x}", path.display());
        }
        Some(_) => text += "  in memory that is no file's\n",
        None => {
            let _ = writeln!(text, "  at {pc:#x}, where nothing is mapped");
        }
    }
    for (n, frame) in backtrace(crash.memory, crash.hart, roots).iter().enumerate() {
        let name = frame.name.as_deref().unwrap_or("?");
        let line = frame.line.as_ref().map(|line| format!(" ({line})")).unwrap_or_default();
        let _ = writeln!(text, "  #{n:<2} {:#014x} {name}{line}", frame.pc);
    }
    text
}

/// The signal, and what it says.
fn cause(crash: &Crash<'_>) -> String {
    let names = [
        (4, "SIGILL"),
        (5, "SIGTRAP"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (11, "SIGSEGV"),
        (31, "SIGSYS"),
    ];
    let name = names.iter().find(|(n, _)| *n == crash.signal).map_or("a signal", |(_, name)| name);
    let Some(address) = crash.address else { return name.into() };
    match (crash.signal, crash.code) {
        (11, 1) => format!("{name}: nothing is mapped at {address:#x}"),
        (11, 2) => format!("{name}: the access to {address:#x} is not allowed"),
        (7 | 11, _) => format!("{name}, about address {address:#x}"),
        _ => name.into(),
    }
}

/// The text of the instruction at `pc`, if it is one.
fn instruction(memory: &Memory, pc: u64, isa: &Isa) -> Option<String> {
    let bits = code_at(memory, pc)?;
    isa::decode(bits, isa).map(|insn| isa::disasm(&insn, pc).to_string())
}

/// What the program needs and does not have, if it died of that.
fn missing(crash: &Crash<'_>) -> Option<String> {
    if crash.signal != 4 || crash.address.is_none() {
        return None;
    }
    let pc = crash.hart.pc;
    let bits = code_at(crash.memory, pc)?;
    // An instruction that is there was refused for another reason, a reserved operand perhaps.
    if available(bits, crash.isa) {
        return None;
    }
    let at = format!("illegal instruction at {pc:#x}");
    if let Some(text) = instruction(crash.memory, pc, &Isa::MAX) {
        let name = text.split('\t').next().unwrap_or_default();
        let alone = Ext::ALL.iter().copied().find(|&ext| {
            let mut isa = *crash.isa;
            isa.enable(ext);
            available(bits, &isa)
        });
        let which = alone.map_or("extensions", |ext| ext.name());
        let base = if *crash.isa == Isa::default() { "" } else { "...," };
        let add = alone.map_or("max".to_owned(), |ext| format!("{base}+{}", ext.name()));
        let fix = format!("which --cpu leaves out: try --cpu {add}");
        return Some(format!("{at}: `{name}` needs {which}, {fix}"));
    }
    unsupported(bits).map(|what| format!("{at}: it is of {what}, which rvnative does not have"))
}

/// Whether these bits are an instruction of `isa`, to a CSR of it if it accesses one.
fn available(bits: u32, isa: &Isa) -> bool {
    isa::decode(bits, isa).is_some_and(|insn| {
        !matches!(insn.op.format(), Format::Csr | Format::CsrImm) || isa::csr::legal(&insn, isa)
    })
}

/// An extension that we do not have, by the encoding of its instructions (the RISC-V manual's map
/// of major opcodes).
fn unsupported(bits: u32) -> Option<&'static str> {
    let width = bits >> 12 & 7;
    match bits & 0x7f {
        0x57 | 0x77 => Some("a vector extension other than V 1.0"),
        // Widths of floating-point loads and stores are 1 to 4.
        0x07 | 0x27 if matches!(width, 0 | 5..=7) => Some("a vector extension other than V 1.0"),
        0x0b | 0x2b | 0x5b | 0x7b => Some("an extension of a maker of processors"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_tell_their_extension() {
        // vsetvli a5,a2,e32,m1,ta,ma; vle32.v v8,(a1); fld fa5,0(a0); th.* of T-Head.
        assert_eq!(unsupported(0x0d06_77d7), Some("a vector extension other than V 1.0"));
        assert_eq!(unsupported(0x0205_e407), Some("a vector extension other than V 1.0"));
        assert_eq!(unsupported(0x0005_3787), None);
        assert!(unsupported(0x0000_000b).is_some());
    }
}
