//! `run --coverage`, which writes the code that was executed, and `rvnative cov`, which tells it.

use super::fail::Failure;
use super::flags::{CovCommand, CovSource};
use super::settings::{Key, Settings};
use rvnative::debug::{Coverage, Drcov, Lines, SourceFile};
use rvnative::runtime::Machine;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Writes the file of `--coverage` at the end of each process.
pub(super) struct Writer {
    file: PathBuf,
    coverage: Coverage,
}

/// Empties the file that a setting names, of the calling process if it names one for each: nothing
/// of an earlier run will be in it, and what the program starts adds to it.
pub(super) fn empty(settings: &Settings, key: Key) -> Result<(), Failure> {
    let Some(file) = settings.get(key) else { return Ok(()) };
    let file = path_of(file, std::process::id());
    File::create(&file).map_err(|e| Failure::file(&file, &e).code(Failure::SETUP))?;
    Ok(())
}

/// The path for a process: `%p` is its id.
pub(super) fn path_of(name: &OsStr, pid: u32) -> PathBuf {
    let mut out = Vec::new();
    let mut rest = name.as_bytes();
    while let Some(at) = rest.windows(2).position(|w| w == b"%p") {
        out.extend(&rest[..at]);
        out.extend(pid.to_string().bytes());
        rest = &rest[at + 2..];
    }
    out.extend(rest);
    std::ffi::OsString::from_vec(out).into()
}

impl Writer {
    /// A writer as the settings ask for; `None` if they do not.
    pub(super) fn new(settings: &Settings, coverage: Option<&Coverage>) -> Option<Self> {
        let file = settings.get(Key::Coverage)?;
        Some(Self { file: file.into(), coverage: coverage?.clone() })
    }

    /// Adds what the calling process has executed to its file.
    pub(super) fn write(&self, machine: &Machine) {
        machine.tell_noted();
        let path = path_of(self.file.as_os_str(), std::process::id());
        if let Err(e) = add(&path, self.coverage.executed()) {
            let text = format!("rvnative: coverage: {}: {e}\n", path.display());
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }
}

/// Adds to a file, which other processes may do at the same moment.
fn add(path: &Path, mut executed: Drcov) -> io::Result<()> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let mut file = open?;
    // Where there are no locks, processes that end at one moment may lose something.
    let _ = file.lock();
    let mut before = Vec::new();
    file.read_to_end(&mut before)?;
    if let Ok(before) = Drcov::parse(&before) {
        executed.merge(&before);
    }
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(&executed.to_bytes())
}

/// `rvnative cov`.
pub(super) fn cov(command: &CovCommand) -> Result<ExitCode, Failure> {
    match command {
        CovCommand::Merge { output, files } => {
            let bytes = read_all(files)?.to_bytes();
            std::fs::write(output, bytes).map_err(|e| Failure::file(output, &e))?;
        }
        CovCommand::Report(source) => print(&report(source)?)?,
        CovCommand::Lcov(source) => {
            let (_, lines) = lines(source)?;
            if lines.files.is_empty() {
                return Err(no_lines(&lines));
            }
            print(&lines.lcov())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(text: &str) -> Result<(), Failure> {
    Ok(io::stdout().write_all(text.as_bytes())?)
}

fn no_lines(lines: &Lines) -> Failure {
    let names: Vec<_> = lines.modules.iter().map(|(path, _)| path.display().to_string()).collect();
    let f = Failure::new(format_args!("no source lines are known of {}", names.join(", ")));
    f.hint("compile with -g; -L says below which directory the program's files are")
}

fn read_all(files: &[PathBuf]) -> Result<Drcov, Failure> {
    let mut all = Drcov::default();
    for path in files {
        let bytes = std::fs::read(path).map_err(|e| Failure::file(path, &e))?;
        let failed = |e| Failure::new(format_args!("{}: {e}", path.display()));
        all.merge(&Drcov::parse(&bytes).map_err(failed)?);
    }
    Ok(all)
}

fn lines(source: &CovSource) -> Result<(Drcov, Lines), Failure> {
    let drcov = read_all(&source.files)?;
    let lines = Lines::of(&drcov, &source.root);
    Ok((drcov, lines))
}

fn report(source: &CovSource) -> Result<String, Failure> {
    let (drcov, lines) = lines(source)?;
    let mut out = String::from("    blocks       bytes  lines  module\n");
    for (n, (path, told)) in lines.modules.iter().enumerate() {
        let (mut blocks, mut bytes, mut end) = (0, 0, 0);
        // They come in order, and may overlap.
        for (module, start, len) in drcov.blocks() {
            if usize::from(module) == n {
                let stop = u64::from(start) + u64::from(len);
                blocks += 1;
                bytes += stop.saturating_sub(u64::from(start).max(end));
                end = end.max(stop);
            }
        }
        let told = if *told { "yes" } else { "no" };
        let _ = writeln!(out, "{blocks:10}  {bytes:10}  {told:>5}  {}", path.display());
    }
    if !lines.files.is_empty() {
        out += "\n     lines  executed            functions  executed  source\n";
    }
    for (path, file) in &lines.files {
        let SourceFile { lines, functions } = file;
        let (hit, entered) = (file.lines_hit(), file.functions_hit());
        let share = 100.0 * hit as f64 / lines.len().max(1) as f64;
        let _ = writeln!(
            out,
            "{:10}  {hit:8}  {share:5.1}%  {:12}  {entered:8}  {path}",
            lines.len(),
            functions.len(),
        );
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_process() {
        assert_eq!(path_of("/a/%p.%p".as_ref(), 12), Path::new("/a/12.12"));
        assert_eq!(path_of("/a/%".as_ref(), 12), Path::new("/a/%"));
    }
}
