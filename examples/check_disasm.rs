//! Compares the disassembler with GNU objdump: reads the output of `riscv64-linux-gnu-objdump -d` on
//! standard input and reports each line that `rvnative::isa::disasm` prints otherwise.
//!
//! ```text
//! riscv64-linux-gnu-objdump -d prog | cargo run --release --example check_disasm
//! ```
//!
//! Exit code 1 if lines differ or if there was nothing to compare.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::process::ExitCode;

use rvnative::isa::disasm::{disasm, unknown};
use rvnative::isa::{Insn, Isa, Op, decode};

/// How many differences are printed for each mnemonic of objdump's; all are counted.
const SHOWN: usize = 3;

fn main() -> std::io::Result<ExitCode> {
    let (mut compared, mut unnamed, mut different) = (0_u64, 0_u64, 0_usize);
    let gc = Isa::rv64gc();
    let mut shown = BTreeMap::<String, usize>::new();
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let Some((pc, bits, len, theirs)) = instruction(&line) else { continue };
        // objdump goes by the extensions that the file names; most files name those of rv64gc.
        let read = |isa: &Isa| decode(bits, isa).filter(|insn| insn.len == len);
        let (all, base) = (read(&Isa::MAX), read(&gc));
        if theirs.starts_with('.') {
            unnamed += 1;
            if base.is_none_or(|insn| unknown_to_objdump(&insn)) {
                continue;
            }
        }
        let print = |insn: Option<Insn>| match insn {
            Some(insn) => disasm(&insn, pc).to_string(),
            None => unknown(bits, len).to_string(),
        };
        let ours = print(all);
        compared += 1;
        if ours != theirs && print(base) != theirs {
            different += 1;
            let name = theirs.split('\t').next().unwrap_or_default().to_owned();
            let count = shown.entry(name).or_default();
            *count += 1;
            if *count <= SHOWN {
                writeln!(
                    out,
                    "{pc:#x} {bits:0width$x}\n  objdump: {theirs}\n  ours:    {ours}",
                    width = usize::from(len) * 2
                )?;
            }
        }
    }
    writeln!(out, "{compared} lines compared, {different} differ; {unnamed} unknown to objdump")?;
    Ok(if different == 0 && compared > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Address, encoding, its length in bytes, and text of a line such as `   10430:\t8082\tret`.
/// `None` for other lines.
fn instruction(line: &str) -> Option<(u64, u32, u8, String)> {
    let mut fields = line.splitn(3, '\t');
    let pc = u64::from_str_radix(fields.next()?.trim().strip_suffix(':')?, 16).ok()?;
    let hex = fields.next()?.trim();
    let bits = u32::from_str_radix(hex, 16).ok()?;
    let len = match hex.len() {
        4 => 2,
        8 => 4,
        _ => return None,
    };
    Some((pc, bits, len, normal(fields.next()?)))
}

/// Legal instructions that objdump takes for data: fences with reserved fields, and (until binutils
/// 2.41) exact conversions with a rounding mode.
fn unknown_to_objdump(insn: &Insn) -> bool {
    let exact = matches!(insn.op, Op::FcvtDS | Op::FcvtDW | Op::FcvtDWu) && insn.rm != 0;
    exact || matches!(insn.op, Op::Fence | Op::FenceTso | Op::FenceI)
}

/// The name that binutils up to 2.40 has for what later ones call `name`.
fn old_name(name: &str) -> &str {
    const NAMES: [(&str, &str); 23] = [
        ("addi", "add"),
        ("addiw", "addw"),
        ("andi", "and"),
        ("ori", "or"),
        ("xori", "xor"),
        ("slli", "sll"),
        ("srli", "srl"),
        ("srai", "sra"),
        ("slliw", "sllw"),
        ("srliw", "srlw"),
        ("sraiw", "sraw"),
        ("rori", "ror"),
        ("roriw", "rorw"),
        ("bclri", "bclr"),
        ("bexti", "bext"),
        ("binvi", "binv"),
        ("bseti", "bset"),
        ("csrrwi", "csrrw"),
        ("csrrsi", "csrrs"),
        ("csrrci", "csrrc"),
        ("csrwi", "csrw"),
        ("csrsi", "csrs"),
        ("csrci", "csrc"),
    ];
    NAMES.iter().find(|(new, _)| *new == name).map_or(name, |(_, old)| old)
}

/// objdump's text without symbols and comments, with `0x` before the targets of branches.
fn normal(text: &str) -> String {
    let (name, operands) = text.trim_end().split_once('\t').unwrap_or((text.trim_end(), ""));
    let text = [old_name(name), operands].join("\t");
    let text = text.split(" # ").next().unwrap_or_default();
    let text = text.split("\t# ").next().unwrap_or_default().trim_end();
    match text.split_once(" <") {
        Some((before, _)) => {
            let start = before.rfind(['\t', ',']).map_or(0, |i| i + 1);
            let (head, target) = before.split_at(start);
            format!("{head}0x{}", target.trim_start_matches("0x"))
        }
        None => text.to_owned(),
    }
}
