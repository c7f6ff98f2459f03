//! Translated code as text: the operations, then the host's instructions.

use crate::runtime::Translation;
use iced_x86::{Decoder, DecoderOptions, Formatter, GasFormatter};
use std::fmt::Write as _;

/// x86-64 host code as text, one instruction on each line, `at` being its address.
#[must_use]
pub fn host_code(code: &[u8], at: u64) -> String {
    let mut decoder = Decoder::with_ip(64, code, at, DecoderOptions::NONE);
    let mut formatter = GasFormatter::new();
    let mut out = String::new();
    while decoder.can_decode() {
        let insn = decoder.decode();
        let start = (insn.ip() - at) as usize;
        let bytes: String =
            code[start..start + insn.len()].iter().map(|b| format!("{b:02x}")).collect();
        let mut text = String::new();
        formatter.format(&insn, &mut text);
        let _ = writeln!(out, "  {:+5}  {bytes:<22} {text}", start);
    }
    out
}

/// A translation as text: the operations, the likely path, the unlikely ones.
#[must_use]
pub fn dump(t: &Translation) -> String {
    let mut out = format!("{}\n", t.ir);
    let _ = writeln!(out, "hot, {} bytes:", t.hot.len());
    out += &host_code(&t.hot, t.hot_at);
    let _ = writeln!(out, "cold, {} bytes:", t.cold.len());
    out += &host_code(&t.cold, t.cold_at);
    out
}
