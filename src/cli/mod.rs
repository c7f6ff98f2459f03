//! The command line.
//!
//! Reading order: `flags` (what can be said), `settings` (of that, what a run inherits), `run` and
//! the other commands, one file each, `qemu` (the command line of another name), `crash` (what is
//! said when a program dies), `fail` (what is said when something is wrong, and exit codes).
//!
//! Starting a program is on everybody's path: nothing is set up here that was not asked for.

mod afl;
mod binfmt;
mod cache;
mod coverage;
mod crash;
mod disasm;
mod fail;
mod flags;
#[cfg(feature = "fuzzing")]
mod fuzz;
mod generate;
mod image;
mod info;
mod log;
mod monitor;
mod profile;
mod qemu;
mod run;
mod settings;
mod stats;
mod trace;

use clap::Parser;
use clap::error::ErrorKind;
use fail::Failure;
use flags::{Cli, Command};
use rvnative::linux::Reentry;
use rvnative::sys::process::Invocation;
use settings::Settings;
use std::ffi::OsString;
use std::process::ExitCode;

/// Words that begin a command; anything else is `run`.
const COMMANDS: [&str; 14] = [
    "run",
    "image",
    "profile",
    "debug",
    "cov",
    "cache",
    "disasm",
    "engines",
    "info",
    "binfmt",
    "fuzz",
    "completions",
    "man",
    "help",
];
/// Flags that are not those of `run`.
const GLOBAL: [&str; 4] = ["-h", "--help", "-V", "--version"];

/// Runs the command that the arguments ask for, whatever the limit of the stack is.
pub(crate) fn main() -> ExitCode {
    rvnative::linux::with_room(run_command)
}

fn run_command() -> ExitCode {
    let for_program = Invocation::of_process().is_for_program();
    // A program that a guest has started: not for people, and on everybody's path. Where the kernel
    // has started us for a program, with its rights perhaps, the arguments are a stranger's.
    match Reentry::from_args(std::env::args_os()) {
        Some(reentry) if !for_program => {
            return run::reenter(reentry).unwrap_or_else(Failure::report);
        }
        _ => {}
    }
    let mut args: Vec<OsString> = std::env::args_os().collect();
    if args.first().is_some_and(|called| qemu::is_name(called)) {
        return qemu::run(&args);
    }
    if let Some(launch) = binfmt::launch(&args) {
        // How tools find out whether programs of a machine run without an emulator (arch-test(1)).
        if binfmt::variable("QEMU_VERSION").is_some() {
            return qemu::run(&["qemu-riscv64".into()]);
        }
        let mut settings = Settings::default();
        settings.complete(binfmt::variable);
        return launch.run(&settings, &[]).unwrap_or_else(Failure::report);
    }
    let first = args.get(1).and_then(|a| a.to_str());
    // `rvnative prog.elf` is `rvnative run prog.elf`. A program named like a command needs a `./`.
    let shorthand =
        args.len() > 1 && first.is_none_or(|f| !COMMANDS.contains(&f) && !GLOBAL.contains(&f));
    if shorthand {
        args.insert(1, "run".into());
    }
    let runs = args.get(1).is_some_and(|a| a == "run" || a == "profile");
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(e) => return usage(&e, runs),
    };
    let result = match cli.command {
        Command::Run(flags) => run::run(*flags),
        Command::Image(flags) => image::image(flags),
        Command::Profile(flags) => profile::profile(*flags),
        Command::Debug { pid } => monitor::attach(pid),
        Command::Cov(flags) => coverage::cov(&flags.command),
        Command::Disasm(flags) => disasm::disasm(&flags),
        Command::Engines => info::engines(),
        Command::Cache(flags) => cache::cache(&flags),
        Command::Info => info::info(),
        Command::Binfmt(flags) => binfmt::binfmt(flags),
        Command::Completions { shell } => generate::completions(shell),
        Command::Man { dir } => generate::man(&dir),
        #[cfg(feature = "fuzzing")]
        Command::Fuzz(flags) => fuzz::fuzz(&flags),
    };
    result.unwrap_or_else(Failure::report)
}

/// Prints help or what is wrong with the arguments. A usage error of `run` must not look like an
/// exit code of the guest.
fn usage(e: &clap::Error, runs: bool) -> ExitCode {
    // What cannot be printed cannot be complained about either.
    let _ = e.print();
    match e.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ if runs => ExitCode::from(Failure::SETUP),
        _ => ExitCode::from(2),
    }
}
