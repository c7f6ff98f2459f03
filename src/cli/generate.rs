//! `rvnative completions` and `rvnative man`: what follows from the flags.

use super::fail::Failure;
use super::flags::Cli;
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

/// Prints the completions of a shell.
pub(super) fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rvnative", &mut script);
    match io::stdout().write_all(&script) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Writes a manual page for each command into a directory, which is made if need be.
pub(super) fn man(dir: &Path) -> Result<ExitCode, Failure> {
    let failed = |e: io::Error| Failure::file(dir, &e).code(Failure::SETUP);
    std::fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}
