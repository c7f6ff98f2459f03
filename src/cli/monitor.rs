//! What a debugger's user can ask of us by `monitor`.

use super::fail::{Failure, describe};
use super::stats;
use rvnative::debug::{code_at, dump};
use rvnative::isa::{decode, disasm};
use rvnative::linux::request_debugger;
use rvnative::runtime::Machine;
use std::fmt::Write as _;
use std::process::ExitCode;

/// No such process (errno(3)).
const ESRCH: i32 = 3;

const HELP: &str = "\
help         this list
stats        counters of the translator
ir PC        the block at PC: its operations
host PC      the same, with the host code that they become
insns PC [N] N instructions from PC on, as this processor decodes them
";

/// `rvnative debug PID`.
pub(super) fn attach(pid: u32) -> Result<ExitCode, Failure> {
    let path = request_debugger(pid).map_err(|e| match e.raw_os_error() {
        Some(ESRCH) => Failure::new(format_args!("there is no guest process {pid}"))
            .hint("the number is that of a process which runs `rvnative`"),
        _ => Failure::new(format_args!("process {pid}: {}", describe(&e))),
    })?;
    println!("target remote {}", path.display());
    Ok(ExitCode::SUCCESS)
}

/// Answers a command.
pub(super) fn answer(machine: &Machine, command: &str) -> String {
    let mut words = command.split_whitespace();
    let name = words.next().unwrap_or("help");
    let args: Vec<&str> = words.collect();
    let address = args
        .first()
        .and_then(|text| u64::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok());
    match (name, address) {
        ("help", _) => HELP.into(),
        ("stats", _) => stats::text(machine),
        ("ir" | "host", Some(pc)) => match machine.translate_for_dump(pc & !1) {
            Ok(block) if name == "ir" => block.ir.to_string(),
            Ok(block) => dump(&block),
            Err(e) => format!("there is no translation of {pc:#x}: {e}\n"),
        },
        ("insns", Some(pc)) => {
            let count = args.get(1).and_then(|n| n.parse().ok()).unwrap_or(10_u32).min(1000);
            instructions(machine, pc & !1, count)
        }
        ("ir" | "host" | "insns", None) => format!("usage: {name} PC, in hexadecimal\n"),
        _ => format!("there is no command `{name}`\n{HELP}"),
    }
}

fn instructions(machine: &Machine, mut pc: u64, count: u32) -> String {
    let mut text = String::new();
    for _ in 0..count {
        let Some(bits) = code_at(machine.memory(), pc) else { break };
        let insn = decode(bits, machine.isa());
        let shown = insn.map_or_else(|| "?".into(), |insn| disasm(&insn, pc).to_string());
        let _ = writeln!(text, "{pc:16x}  {shown}");
        pc = pc.wrapping_add(if bits & 3 == 3 { 4 } else { 2 });
    }
    text
}
