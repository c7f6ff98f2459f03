//! `--stats`: what a process has done, when it ends or starts another program.

use super::fail::Failure;
use super::settings::{Key, Settings, StatsFormat};
use rvnative::debug::Profiler;
use rvnative::runtime::Machine;
use rvnative::sys::fd::{Aside, keep_aside};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::path::Path;

/// What prints the counters of one process and its children.
pub(super) struct Printer {
    format: StatsFormat,
    out: Option<Aside>,
    program: String,
    profiler: Option<Profiler>,
}

impl Printer {
    /// A printer as the settings ask for; `None` if they do not.
    pub(super) fn new(
        settings: &Settings,
        program: &Path,
        profiler: Option<&Profiler>,
    ) -> Result<Option<Self>, Failure> {
        let Some(format) = settings.stats_format() else { return Ok(None) };
        let out = match settings.get(Key::StatsFile) {
            Some(path) => {
                let path = Path::new(path);
                let file = OpenOptions::new().create(true).append(true).open(path);
                let file = file.map_err(|e| Failure::file(path, &e).code(Failure::SETUP))?;
                keep_aside(file.as_fd()).ok()
            }
            // The guest may close standard error before it ends. What it has closed before cannot
            // be written to.
            None => keep_aside(std::io::stderr().as_fd()).ok(),
        };
        let program = program.to_string_lossy().into_owned();
        Ok(Some(Self { format, out, program, profiler: profiler.cloned() }))
    }

    /// Prints the counters of the calling process.
    pub(super) fn print(&self, machine: &Machine) {
        let stats = machine.stats();
        let mut values = vec![("pid", u64::from(std::process::id()))];
        values.extend(stats.list());
        if let Some(profiler) = &self.profiler {
            values.extend(profiler.executed().list());
        }
        let helpers = machine.helper_calls();
        let helpers: Vec<_> = helpers.iter().map(|(op, n)| (op.mnemonic(), *n)).collect();
        let text = match self.format {
            StatsFormat::Text => as_text(&self.program, &values, &helpers),
            StatsFormat::Json => as_json(&self.program, &values, &helpers),
        };
        // A full disk must not change what the guest does.
        if let Some(mut out) = self.out.as_deref() {
            let _ = out.write_all(text.as_bytes());
        }
    }
}

/// The counters of a machine, as a debugger's user reads them.
pub(super) fn text(machine: &Machine) -> String {
    let helpers = machine.helper_calls();
    let helpers: Vec<_> = helpers.iter().map(|(op, n)| (op.mnemonic(), *n)).collect();
    as_text("", &machine.stats().list(), &helpers)
}

fn as_text(program: &str, values: &[(&str, u64)], helpers: &[(&str, u64)]) -> String {
    let mut out = format!("{:<24} {program}\n", "program");
    for (name, n) in values {
        let _ = writeln!(out, "{name:<24} {n:>16}");
    }
    for (name, n) in helpers {
        let _ = writeln!(out, "{:<24} {n:>16}", format!("helper {name}"));
    }
    let value = |name| values.iter().find(|(n, _)| *n == name).map_or(0, |(_, v)| *v);
    let (guest, host) = (value("executed_guest"), value("executed_host"));
    if guest != 0 {
        let _ = writeln!(out, "{:<24} {:>16.3}", "host per guest", host as f64 / guest as f64);
    }
    out
}

fn as_json(program: &str, values: &[(&str, u64)], helpers: &[(&str, u64)]) -> String {
    let fields = |list: &[(&str, u64)]| {
        let fields: Vec<_> = list.iter().map(|(name, n)| format!("\"{name}\":{n}")).collect();
        fields.join(",")
    };
    let program: String = program.chars().flat_map(json_char).collect();
    format!(
        "{{\"program\":\"{program}\",{},\"helpers\":{{{}}}}}\n",
        fields(values),
        fields(helpers)
    )
}

/// A character inside a JSON string.
fn json_char(c: char) -> Vec<char> {
    match c {
        '"' | '\\' => vec!['\\', c],
        c if c < ' ' => format!("\\u{:04x}", c as u32).chars().collect(),
        c => vec![c],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        let text = as_json("a\"\\\n", &[("pid", 7)], &[("csrrw", 1)]);
        let expected = r#"{"program":"a\"\\\u000a","pid":7,"helpers":{"csrrw":1}}"#;
        assert_eq!(text.trim_end(), expected);
    }
}
