//! `rvnative fuzz`.

use super::fail::Failure;
use super::flags::FuzzFlags;
use rvnative::fuzzing::{self, Campaign, Kind, Mismatch, Progress, Subject};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

pub(super) fn fuzz(flags: &FuzzFlags) -> Result<ExitCode, Failure> {
    // A panic of an engine is a finding, which is shown with its message.
    std::panic::set_hook(Box::new(|_| ()));
    let jobs =
        flags.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
    let campaign = Campaign {
        seed: flags.seed,
        kind: match (flags.single, flags.compiled) {
            (true, _) => Kind::Single,
            (_, true) => Kind::Compiled,
            _ => Kind::Block,
        },
        subject: Subject::Translator,
        time: match flags.blocks {
            Some(_) => Duration::MAX,
            None => Duration::from_secs(flags.seconds),
        },
        cases: flags.blocks.unwrap_or(u64::MAX),
        jobs,
    };
    if let Some(number) = flags.case {
        return Ok(match fuzzing::replay(&campaign, number)? {
            Some(mismatch) => show(&mismatch),
            None => {
                println!("case {number}: no difference");
                ExitCode::SUCCESS
            }
        });
    }
    let start = Instant::now();
    let live = std::io::stderr().is_terminal();
    let rate = |done: u64| done as f64 / start.elapsed().as_secs_f64().max(1e-9);
    let mut told = false;
    let report = |p: Progress| {
        if p.found && !told {
            told = true;
            eprintln!("difference found; leaving out what does not matter");
        } else if live {
            let _ =
                write!(std::io::stderr(), "\r{} cases, {:.0} per second ", p.done, rate(p.done));
        }
    };
    let (progress, found) = fuzzing::run(&campaign, report)?;
    if live {
        let _ = writeln!(std::io::stderr());
    }
    println!(
        "{} cases of {} blocks on {jobs} threads in {:.1} s: {:.0} cases per second; {} did not end \
         and were left out",
        progress.done,
        progress.blocks,
        start.elapsed().as_secs_f64(),
        rate(progress.done),
        progress.skipped,
    );
    Ok(match found {
        Some(mismatch) => show(&mismatch),
        None => {
            println!("no difference");
            ExitCode::SUCCESS
        }
    })
}

fn show(mismatch: &Mismatch) -> ExitCode {
    println!("{mismatch}");
    ExitCode::FAILURE
}
