//! `rvnative fuzz`.

use super::fail::Failure;
use super::flags::FuzzFlags;
use rvnative::fuzzing::{self, Campaign, Group, Harvest, HarvestError, Kind, Mismatch, Progress};
use rvnative::fuzzing::{Reaped, Subject};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

pub(super) fn fuzz(flags: &FuzzFlags) -> Result<ExitCode, Failure> {
    // A panic of an engine is a finding, which is shown with its message.
    std::panic::set_hook(Box::new(|_| ()));
    let jobs =
        flags.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
    if !flags.from.is_empty() {
        return harvest(flags, jobs);
    }
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
            None => Duration::from_secs(flags.seconds.unwrap_or(10)),
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

/// Code of real programs.
fn harvest(flags: &FuzzFlags, jobs: usize) -> Result<ExitCode, Failure> {
    let plan = Harvest {
        from: flags.from.clone(),
        seed: flags.seed,
        states: flags.states,
        jobs,
        time: flags.seconds.map_or(Duration::MAX, Duration::from_secs),
        blocks: flags.blocks.unwrap_or(u64::MAX),
        sample: flags.sample,
        keep_going: flags.keep_going,
    };
    if let (Some(addr), Some(setup)) = (flags.at, flags.setup) {
        return Ok(match fuzzing::replay_at(&plan, addr, setup).map_err(no_code)? {
            Some(finding) => say(&finding.to_string(), ExitCode::FAILURE),
            None => say(&format!("{addr:#x}: no difference\n"), ExitCode::SUCCESS),
        });
    }
    let start = Instant::now();
    let rate = |n: u64| n as f64 / start.elapsed().as_secs_f64().max(1e-9);
    let live = std::io::stderr().is_terminal();
    let report = |r: Reaped| {
        if live {
            let (blocks, rate) = (r.blocks, rate(r.executions));
            let _ =
                write!(std::io::stderr(), "\r{blocks} blocks, {rate:.0} executions per second ");
        }
    };
    let crop = fuzzing::harvest(&plan, report).map_err(no_code)?;
    if live {
        let _ = writeln!(std::io::stderr());
    }
    for text in &crop.damaged {
        let _ = writeln!(std::io::stderr(), "rvnative: left out: {text}");
    }
    let r = crop.reaped;
    let mut text = format!(
        "{} different blocks at {} places of {} files on {jobs} threads in {:.1} s: {} executions, \
         {:.0} per second; {} states were left out\n",
        r.blocks,
        r.places,
        r.files,
        start.elapsed().as_secs_f64(),
        r.executions,
        rate(r.executions),
        r.left_out,
    );
    if crop.groups.is_empty() {
        return Ok(say(&(text + "no difference\n"), ExitCode::SUCCESS));
    }
    for group in &crop.groups {
        let _ = writeln!(text, "\n{}", group.first);
    }
    let _ = writeln!(text, "{} blocks differ, in {} ways:", r.differences, crop.groups.len());
    for Group { first, count } in &crop.groups {
        let _ = writeln!(text, "  {count:6}  {}\n          {}", first.kind, first.replay);
    }
    Ok(say(&text, ExitCode::FAILURE))
}

/// Prints `text`; who reads it may stop reading.
fn say(text: &str, code: ExitCode) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    code
}

/// As for a program that cannot be run.
fn no_code(e: HarvestError) -> Failure {
    let missing = e.host().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound);
    let code = if missing { Failure::NOT_FOUND } else { Failure::CANNOT_RUN };
    match e.host() {
        Some(host) => Failure::file(e.path(), host),
        None => Failure::new(e).code(code),
    }
}

fn show(mismatch: &Mismatch) -> ExitCode {
    println!("{mismatch}");
    ExitCode::FAILURE
}
