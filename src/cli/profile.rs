//! `rvnative profile`: where a program spends its instructions, and on what host code.

use super::fail::Failure;
use super::flags::ProfileFlags;
use super::run;
use super::settings::Key;
use rvnative::debug::{Profiler, Report, Samples};
use rvnative::runtime::Machine;
use rvnative::sys::fd::{Aside, keep_aside};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) fn profile(flags: ProfileFlags) -> Result<ExitCode, Failure> {
    if flags.run.settings.get(Key::Coverage).is_some() {
        return Err(Failure::new("--coverage is a flag of `run`: what is marked is not counted"));
    }
    // The guest may close standard error.
    let text = keep_aside(std::io::stderr().as_fd())?;
    let html = match &flags.html {
        Some(path) => {
            let file = File::create(path).map_err(|e| Failure::file(path, &e))?;
            Some(keep_aside(file.as_fd())?)
        }
        None => None,
    };
    let title = flags.run.command.first().map(|p| p.to_string_lossy().into_owned());
    let writer = Writer {
        text,
        html,
        title: title.unwrap_or_default(),
        most: flags.top,
        pid: std::process::id(),
    };
    run::run_watched(flags.run, Some(writer))
}

/// Writes the report at the end of the process that was started first.
pub(super) struct Writer {
    text: Aside,
    html: Option<Aside>,
    title: String,
    most: usize,
    pid: u32,
}

impl Writer {
    pub(super) fn write(
        &self,
        machine: &Machine,
        (profiler, samples): (&Profiler, &Samples),
        roots: &[PathBuf],
    ) {
        if std::process::id() != self.pid {
            return;
        }
        let (memory, isa) = (machine.memory(), machine.isa());
        let report = Report::new(&self.title, (profiler, samples), memory, isa, roots, self.most);
        // A full disk must not change what the guest does.
        let _ = (&*self.text).write_all(report.text().as_bytes());
        if let Some(mut html) = self.html.as_deref() {
            let _ = html.write_all(report.html().as_bytes());
        }
    }
}
