//! The profile as a web page: one file, which shows what is in it by itself.

use super::{Report, Shown};
use std::fmt::Write as _;

const PAGE: &str = include_str!("page.html");

impl Report {
    /// As one HTML page that needs nothing else.
    #[must_use]
    pub fn html(&self) -> String {
        PAGE.replacen("@DATA@", &self.json(), 1)
    }

    /// All that the page shows.
    fn json(&self) -> String {
        let mut out = String::from("{");
        let _ = write!(
            out,
            "\"title\":{},\"guest\":{},\"host\":{},",
            text(&self.title),
            self.guest,
            self.host
        );
        let function = |f: &super::Function| {
            let (name, module) = (text(&f.name), text(&f.module));
            format!(
                "{{\"name\":{name},\"module\":{module},\"guest\":{},\"host\":{}}}",
                f.guest, f.host
            )
        };
        list(&mut out, "functions", self.functions.iter().map(function));
        let sample = |(stack, micros): (&Vec<String>, &u64)| {
            let names: Vec<_> = stack.iter().map(|name| text(name)).collect();
            format!("[[{}],{micros}]", names.join(","))
        };
        list(&mut out, "samples", self.samples.iter().map(sample));
        let source = |s: &super::Source| {
            let line =
                |(n, guest, code): &(u32, u64, String)| format!("[{n},{guest},{}]", text(code));
            let lines: Vec<_> = s.lines.iter().map(line).collect();
            let (path, guest) = (text(&s.path), s.guest);
            format!("{{\"path\":{path},\"guest\":{guest},\"lines\":[{}]}}", lines.join(","))
        };
        list(&mut out, "sources", self.sources.iter().map(source));
        let part = |p: &Shown| {
            let (guest, ir, host) = (text(&p.guest), text(&p.ir), text(&p.host));
            format!("{{\"times\":{},\"guest\":{guest},\"ir\":{ir},\"host\":{host}}}", p.times)
        };
        let block = |b: &super::Hot| {
            let parts: Vec<_> = b.parts.iter().map(part).collect();
            format!(
                "{{\"pc\":\"{:#x}\",\"name\":{},\"fn\":{},\"entered\":{},\"guest\":{},\"host\":{},\
                 \"parts\":[{}]}}",
                b.pc,
                text(&b.name),
                text(&b.function),
                b.entered,
                b.guest,
                b.host,
                parts.join(",")
            )
        };
        list(&mut out, "blocks", self.blocks.iter().map(block));
        out.pop();
        out + "}"
    }
}

/// A list of values, by name.
fn list(out: &mut String, name: &str, values: impl Iterator<Item = String>) {
    let _ = write!(out, "\"{name}\":[{}],", values.collect::<Vec<_>>().join(","));
}

/// A string of JSON that may stand inside of a script element.
fn text(s: &str) -> String {
    let mut out = String::from("\"");
    for c in s.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\x1f' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_script() {
        assert_eq!(text("a\"</script>\n\\"), "\"a\\\"\\u003c/script\\u003e\\n\\\\\"");
        assert_eq!(PAGE.matches("@DATA@").count(), 1);
    }
}
