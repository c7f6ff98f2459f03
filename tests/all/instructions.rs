//! `docs/instructions.md` says what the tables say. `BLESS=1` writes it.

use rvnative::isa::TABLE;
use rvnative::lift::is_helper;
use std::fmt::Write as _;
use std::path::Path;

const HEAD: &str = "\
# Instructions

Every instruction that is known, in the order of the manual's chapters. The interpreter executes all
of them. Translated code has operations of its own for those marked `yes`; for the others it calls
the interpreter. Everything else is an illegal instruction.

Of vectors, those marked `yes` have such operations on x86-64 with AVX2, if no mask is used and AVX2
has an instruction for elements of their width.

16-bit instructions (C, Zcb) are other encodings of these.

This file is written by `BLESS=1 cargo test --test all instructions`.

| instruction | extensions | translated |
|---|---|---|
";

fn document() -> String {
    let mut text = HEAD.to_owned();
    for row in TABLE {
        let needs: Vec<_> = row.needs.iter().map(|ext| ext.name()).collect();
        let how = if is_helper(row.op) { "by the interpreter" } else { "yes" };
        writeln!(text, "| `{}` | {} | {how} |", row.mnemonic, needs.join(", ")).expect("a string");
    }
    text
}

#[test]
fn the_list_of_instructions_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/instructions.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, document()).expect("cannot write the list");
    }
    let text = std::fs::read_to_string(&path).expect("cannot read the list");
    assert!(text == document(), "docs/instructions.md is out of date: run with BLESS=1");
}
