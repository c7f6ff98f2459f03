//! The disassembler against a file of what objdump printed; `tests/isa/objdump.sh` compares whole
//! programs.

use std::collections::BTreeSet;

use super::*;
use crate::isa::compressed::COMPRESSED;
use crate::isa::{Isa, decode};

/// Address, encoding and text of each line.
fn golden() -> impl Iterator<Item = (u64, Insn, &'static str)> {
    let lines = include_str!("../../tests/isa/disasm.txt").lines();
    lines.filter(|line| !line.starts_with('#')).map(|line| {
        let mut fields = line.splitn(3, '\t');
        let mut field = || fields.next().unwrap_or_else(|| panic!("too few fields: {line}"));
        let pc = u64::from_str_radix(field(), 16).unwrap();
        let bits = u32::from_str_radix(field(), 16).unwrap();
        let insn = decode(bits, &Isa::MAX).unwrap_or_else(|| panic!("illegal: {line}"));
        (pc, insn, field())
    })
}

#[test]
fn prints_what_objdump_prints() {
    let wrong: Vec<_> = golden()
        .map(|(pc, insn, text)| (insn.bits, disasm(&insn, pc).to_string(), text))
        .filter(|(_, found, text)| found != text)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#x?}");
}

#[test]
fn every_encoding_is_in_the_file() {
    let seen: BTreeSet<_> = golden().map(|(_, insn, _)| insn.encoding()).collect();
    let all = Op::all().map(Op::mnemonic).chain(COMPRESSED.iter().map(|row| row.mnemonic));
    let missing: Vec<_> = all.filter(|name| !seen.contains(name)).collect();
    assert!(missing.is_empty(), "no line for {missing:?}");
}

#[test]
fn targets_wrap_around() {
    let back = decode(0xffdf_f06f, &Isa::MAX).unwrap();
    assert_eq!(disasm(&back, 0).to_string(), "j\t0xfffffffffffffffc");
}

#[test]
fn what_is_no_instruction() {
    assert_eq!(unknown(0xffff_ffff, 4).to_string(), ".4byte\t0xffffffff");
    assert_eq!(unknown(0xabcd_8000, 2).to_string(), ".2byte\t0x8000");
    assert_eq!(unknown(0, 2).to_string(), "unimp");
}
