//! A profile for people: the blocks that executed most, with guest code, operations and host code
//! of each part.

use super::profile::{Listed, Profiler};
use super::{Symbols, host_code};
use crate::isa::{self, Isa};
use crate::mem::Memory;
use crate::runtime::backend_name;
use std::fmt::Write as _;

/// The hottest blocks of a run.
pub struct Report {
    title: String,
    guest: u64,
    host: u64,
    blocks: Vec<Hot>,
}

/// One of them.
struct Hot {
    pc: u64,
    name: String,
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
    /// The `most` blocks that executed the most host instructions. `title` is the program.
    #[must_use]
    pub fn new(
        title: &str,
        profiler: &Profiler,
        memory: &Memory,
        isa: &Isa,
        symbols: &mut Symbols,
        most: usize,
    ) -> Self {
        let blocks = profiler.blocks();
        let mut order: Vec<_> = blocks.iter().map(|b| (b.executed(), b)).collect();
        let sum = |of: fn(&super::Executed) -> u64| order.iter().map(|(e, _)| of(e)).sum();
        let (guest, host) = (sum(|e| e.guest), sum(|e| e.host));
        order.sort_by_key(|(e, b)| (std::cmp::Reverse(e.host), b.ir.pc));
        let hot = order.into_iter().take(most).filter(|(e, _)| e.host != 0);
        let blocks = hot.map(|(executed, block)| {
            let pc = block.ir.pc;
            let name = symbols.name(memory, pc).unwrap_or_else(|| format!("{pc:#x}"));
            let parts = block.listed().into_iter().filter(|l| l.times != 0 && !l.host.is_empty());
            let parts = parts.map(|l| shown(&l, isa)).collect();
            let (guest, host) = (executed.guest, executed.host);
            Hot { pc, name, entered: block.entered(), guest, host, parts }
        });
        Self { title: title.to_owned(), guest, host, blocks: blocks.collect() }
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
        for b in &self.blocks {
            let share = self.share(b.host);
            let _ = writeln!(
                out,
                "{share:6.2}% {:>13} {:>11} {:>11}  {:#x} {}",
                b.entered, b.guest, b.host, b.pc, b.name
            );
        }
        for b in &self.blocks {
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

    /// As one HTML page that needs nothing else.
    #[must_use]
    pub fn html(&self) -> String {
        let mut out = format!(
            "<!doctype html>\n<meta charset=\"utf-8\">\n<title>{0}</title>\n<style>{STYLE}</style>\n\
             <h1>{0}</h1>\n",
            escaped(&self.heading())
        );
        for b in &self.blocks {
            let share = self.share(b.host);
            let _ = writeln!(
                out,
                "<details><summary><span class=\"bar\" style=\"width:{:.0}px\"></span>{share:.2}% \
                 <b>{}</b> <code>{:#x}</code> entered {} times, {} guest, {} host</summary>\n\
                 <table><tr><th>times<th>guest<th>operations<th>host",
                share * 3.0,
                escaped(&b.name),
                b.pc,
                b.entered,
                b.guest,
                b.host
            );
            for p in &b.parts {
                let _ = writeln!(
                    out,
                    "<tr><td>{}<td><pre>{}</pre><td><pre>{}</pre><td><pre>{}</pre>",
                    p.times,
                    escaped(&p.guest),
                    escaped(&p.ir),
                    escaped(&p.host)
                );
            }
            out += "</table></details>\n";
        }
        out
    }
}

const STYLE: &str = "body{font:14px sans-serif;margin:2em}h1{font-size:1.2em}pre{margin:0}\
    td{vertical-align:top;padding:2px 1em 2px 0;border-top:1px solid #ddd}th{text-align:left}\
    summary{cursor:pointer;padding:2px}.bar{display:inline-block;height:10px;background:#c33;\
    margin-right:6px}";

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

/// Text inside an HTML element.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
