//! Translated code as text: the operations, then the host's instructions.

use crate::runtime::{Translation, backend_name};
use iced_x86::{Decoder, DecoderOptions, Formatter, GasFormatter};
use std::fmt::Write as _;
use yaxpeax_arch::{Decoder as _, U8Reader};
use yaxpeax_arm::armv8::a64::InstDecoder;

/// Host code as text, one instruction on each line, `at` being its address and `host` the name of
/// its backend ([`crate::backend::Backend::NAME`]).
#[must_use]
pub fn host_code(host: &str, code: &[u8], at: u64) -> String {
    if host == "aarch64" { code_a64(code) } else { code_x64(code, at) }
}

/// aarch64 code. Targets of branches are distances from the instruction.
fn code_a64(code: &[u8]) -> String {
    let decoder = InstDecoder::default();
    let mut out = String::new();
    for (i, word) in code.chunks_exact(4).enumerate() {
        let bytes = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        let text = match decoder.decode(&mut U8Reader::new(word)) {
            Ok(insn) => insn.to_string(),
            Err(_) => format!(".inst {bytes:#010x}"),
        };
        let _ = writeln!(out, "  {:+5}  {bytes:08x}  {text}", 4 * i);
    }
    out
}

fn code_x64(code: &[u8], at: u64) -> String {
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
    out += &host_code(backend_name(), &t.hot, t.hot_at);
    let _ = writeln!(out, "cold, {} bytes:", t.cold.len());
    out += &host_code(backend_name(), &t.cold, t.cold_at);
    out
}
