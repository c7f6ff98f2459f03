//! Many cases, on all threads, with a report of the first difference.

use super::program::Kind;
use super::report::Mismatch;
use super::rig::{BATCH, Rig, Setup, Subject};
use super::rng::Rng;
use crate::isa::Isa;
use crate::mem::Mode;
use crate::runtime::Interrupter;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What to do.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Everything follows from it.
    pub seed: u64,
    /// What cases are made of.
    pub kind: Kind,
    /// What is compared with the interpreter.
    pub subject: Subject,
    /// Stop after this time.
    pub time: Duration,
    /// Stop after this many cases.
    pub cases: u64,
    /// Threads; with 0 the calling thread works alone, and cases that hang do so for ever.
    pub jobs: usize,
}

/// How far a campaign has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Cases that ran on both engines.
    pub done: u64,
    /// Cases that did not end and were given up.
    pub skipped: u64,
    /// Blocks that were translated, and so executed, in those that ran on both engines.
    pub blocks: u64,
    /// There is a difference, which is being made smaller.
    pub found: bool,
}

/// Sets of instructions that are tried, with the host features that are left out then.
const SETUPS: [(&str, &str); 9] = [
    ("default", ""),
    ("max", ""),
    ("max,vlen=256", ""),
    ("default", "bmi1 bmi2 lse"),
    ("default", "avx fma pmull"),
    ("default", "avx bmi1 bmi2 fma lzcnt pclmul popcnt sse4.1 lse pmull"),
    ("rv64gc", "lzcnt popcnt"),
    ("rva22u64", "pclmul sse4.1 pmull"),
    ("rv64imafd_zba_zbb_zbs", "lse"),
];

/// All setups; each batch of cases runs on one of them.
fn setups() -> Vec<Setup> {
    let all = SETUPS
        .iter()
        .flat_map(|s| [Mode::Identity, Mode::Guarded, Mode::Sandbox].map(|mode| (s, mode)));
    let setup = |(n, ((isa, masked), mode)): (usize, (&(&str, &'static str), Mode))| Setup {
        mode,
        isa: isa.parse().unwrap_or(Isa::MAX),
        masked,
        hot: (n % 2 == 1).then_some((n / 2 % 4) as u32),
    };
    all.enumerate().map(setup).collect()
}

/// Index of the setup of a batch.
fn setup_of(seed: u64, batch: u64, setups: usize) -> usize {
    Rng::new(!seed, batch).below(setups as u32) as usize
}

/// A hang of the subject is a difference too: after this time it is interrupted.
const PATIENCE: Duration = Duration::from_secs(10);

struct Shared<'a> {
    campaign: &'a Campaign,
    started: Instant,
    setups: Vec<Setup>,
    next_batch: AtomicU64,
    done: AtomicU64,
    skipped: AtomicU64,
    blocks: AtomicU64,
    stop: AtomicBool,
    differs: AtomicBool,
    found: Mutex<Option<Box<Mismatch>>>,
}

/// One worker as the watchdog sees it.
#[derive(Default)]
pub(super) struct Watched {
    /// Counts cases.
    pub(super) beat: AtomicU64,
    /// What can interrupt the rig that runs now.
    pub(super) rig: Mutex<Option<Interrupter>>,
}

/// Runs a campaign; `report` is told of its progress now and then, from one thread. Returns how
/// many cases ran, and the first difference.
///
/// # Errors
/// The host has no memory for the engines.
pub fn run(
    campaign: &Campaign,
    mut report: impl FnMut(Progress),
) -> io::Result<(Progress, Option<Box<Mismatch>>)> {
    let shared = Shared {
        campaign,
        started: Instant::now(),
        setups: setups(),
        next_batch: AtomicU64::new(0),
        done: AtomicU64::new(0),
        skipped: AtomicU64::new(0),
        blocks: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        differs: AtomicBool::new(false),
        found: Mutex::new(None),
    };
    let progress = || Progress {
        done: shared.done.load(Ordering::Relaxed),
        skipped: shared.skipped.load(Ordering::Relaxed),
        blocks: shared.blocks.load(Ordering::Relaxed),
        found: shared.differs.load(Ordering::Relaxed),
    };
    if campaign.jobs == 0 {
        worker(&shared, &Watched::default())?;
        let done = progress();
        return Ok((done, shared.found.into_inner().unwrap_or_else(PoisonError::into_inner)));
    }
    let watched: Vec<Watched> = (0..campaign.jobs.max(1)).map(|_| Watched::default()).collect();
    let start = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = watched.iter().map(|w| scope.spawn(|| worker(&shared, w))).collect();
        let mut beats = vec![(0, start); watched.len()];
        while !workers.iter().all(|w| w.is_finished()) {
            std::thread::sleep(Duration::from_millis(20));
            if start.elapsed() >= campaign.time {
                shared.stop.store(true, Ordering::Relaxed);
            }
            for (w, beat) in watched.iter().zip(&mut beats) {
                watch(w, beat);
            }
            report(progress());
        }
        for worker in workers {
            worker.join().map_err(|_| io::Error::other("a fuzzing thread panicked"))??;
        }
        io::Result::Ok(())
    })?;
    let done = progress();
    Ok((done, shared.found.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

/// Interrupts a worker whose case has not ended for too long.
pub(super) fn watch(watched: &Watched, beat: &mut (u64, Instant)) {
    let now = watched.beat.load(Ordering::Relaxed);
    if now != beat.0 {
        *beat = (now, Instant::now());
    } else if beat.1.elapsed() > PATIENCE {
        let rig = watched.rig.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(interrupter) = &*rig {
            interrupter.interrupt();
        }
        beat.1 = Instant::now();
    }
}

fn worker(shared: &Shared<'_>, watched: &Watched) -> io::Result<()> {
    let campaign = shared.campaign;
    let mut rigs: Vec<Option<Rig>> = shared.setups.iter().map(|_| None).collect();
    while !shared.stop.load(Ordering::Relaxed) && shared.started.elapsed() < campaign.time {
        let batch = shared.next_batch.fetch_add(1, Ordering::Relaxed);
        let first = batch * BATCH as u64;
        if first >= campaign.cases {
            break;
        }
        let count = (campaign.cases - first).min(BATCH as u64);
        let index = setup_of(campaign.seed, batch, shared.setups.len());
        let rig = match &mut rigs[index] {
            Some(rig) => rig,
            slot => slot.insert(Rig::new(shared.setups[index].clone(), campaign.subject)?),
        };
        *watched.rig.lock().unwrap_or_else(PoisonError::into_inner) = rig.interrupter();
        let cases: Vec<_> =
            (first..first + count).map(|n| rig.case(campaign.seed, n, campaign.kind)).collect();
        rig.place(cases.iter())?;
        let translated = |rig: &Rig| rig.machine().map_or(0, |m| m.stats().blocks);
        let before = translated(rig);
        for case in &cases {
            watched.beat.fetch_add(1, Ordering::Relaxed);
            match rig.check(case) {
                Ok(true) => shared.done.fetch_add(1, Ordering::Relaxed),
                Ok(false) => shared.skipped.fetch_add(1, Ordering::Relaxed),
                Err(mismatch) => {
                    shared.stop.store(true, Ordering::Relaxed);
                    shared.differs.store(true, Ordering::Relaxed);
                    let smaller = rig.shrink(mismatch)?;
                    let mut found = shared.found.lock().unwrap_or_else(PoisonError::into_inner);
                    found.get_or_insert(describe(campaign, smaller));
                    return Ok(());
                }
            };
        }
        shared.blocks.fetch_add(translated(rig) - before, Ordering::Relaxed);
    }
    Ok(())
}

fn describe(campaign: &Campaign, mut mismatch: Box<Mismatch>) -> Box<Mismatch> {
    let kind = match campaign.kind {
        Kind::Single => " --single",
        Kind::Block => "",
        Kind::Compiled => " --compiled",
    };
    let number = mismatch.case.number;
    mismatch.replay = Some(format!("rvnative fuzz{kind} --seed {} --case {number}", campaign.seed));
    mismatch
}

/// Runs one case again, alone.
///
/// # Errors
/// The host has no memory for the engines.
pub fn replay(campaign: &Campaign, number: u64) -> io::Result<Option<Box<Mismatch>>> {
    let setups = setups();
    let index = setup_of(campaign.seed, number / BATCH as u64, setups.len());
    let mut rig = Rig::new(setups[index].clone(), campaign.subject)?;
    let case = rig.case(campaign.seed, number, campaign.kind);
    match rig.check_alone(&case)? {
        Ok(_) => Ok(None),
        Err(mismatch) => Ok(Some(describe(campaign, rig.shrink(mismatch)?))),
    }
}

/// Runs the program that `bytes` say, for fuzzers that choose them: the first says on which of the
/// setups, the second at which place, and each of the others decides about something, so that
/// similar bytes are similar programs. Engines are kept from case to case.
///
/// # Panics
/// The engines disagree.
pub fn check_bytes(kind: Kind, bytes: &[u8]) {
    thread_local! {
        static RIGS: RefCell<HashMap<usize, Rig>> = RefCell::default();
    }
    let [setup, place, decisions @ ..] = bytes else { return };
    let setups = setups();
    let index = usize::from(*setup) % setups.len();
    RIGS.with_borrow_mut(|rigs| {
        let rig = rigs.entry(index).or_insert_with(|| {
            Rig::new(setups[index].clone(), Subject::Translator).expect("memory for the engines")
        });
        let case = rig.case_of(Rng::of_bytes(decisions), u64::from(*place), kind);
        if let Err(mismatch) = rig.check_alone(&case).expect("memory can be protected") {
            panic!("{mismatch}");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Op;

    fn campaign(kind: Kind, subject: Subject, cases: u64) -> Campaign {
        Campaign { seed: 1, kind, subject, time: Duration::from_secs(600), cases, jobs: 1 }
    }

    #[test]
    fn cached_and_single_steps_agree() {
        for kind in [Kind::Single, Kind::Block, Kind::Compiled] {
            let (progress, found) = run(&campaign(kind, Subject::Steps, 4000), |_| ()).unwrap();
            if let Some(m) = found {
                panic!("{m}");
            }
            assert_eq!(progress.done + progress.skipped, 4000);
            assert_eq!(progress.blocks, 0);
            assert!(progress.skipped < 40, "{progress:?}");
        }
    }

    /// A second or so of what `rvnative fuzz` does.
    #[test]
    fn translator_and_interpreter_agree() {
        let kinds = [(Kind::Single, 60_000), (Kind::Block, 15_000), (Kind::Compiled, 15_000)];
        for (kind, cases) in kinds {
            let c = Campaign { jobs: 2, ..campaign(kind, Subject::Translator, cases) };
            let (progress, found) = run(&c, |_| ()).unwrap();
            if let Some(m) = found {
                panic!("{m}");
            }
            assert_eq!(progress.done + progress.skipped, cases);
            // A program that begins with a rounding mode of its own is interpreted.
            assert!(progress.blocks > progress.done / 2, "{progress:?}");
        }
    }

    #[test]
    fn any_bytes_are_a_program() {
        check_bytes(Kind::Compiled, &[]);
        check_bytes(Kind::Compiled, &[1]);
        let mut rng = Rng::new(3, 0);
        for n in 0..300 {
            let bytes: Vec<u8> = (0..n).map(|_| rng.next_u64() as u8).collect();
            for kind in [Kind::Single, Kind::Block, Kind::Compiled] {
                check_bytes(kind, &bytes);
            }
        }
        // The same decision again and again.
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            check_bytes(Kind::Compiled, &[byte; 600]);
        }
    }

    #[test]
    fn a_planted_fault_is_found_and_shrunk() {
        for op in [Op::Sltu, Op::Mulhu, Op::AmomaxW, Op::FminS] {
            let c = campaign(Kind::Block, Subject::Planted(op), 100_000);
            let (_, found) = run(&c, |_| ()).unwrap();
            let found = found.unwrap_or_else(|| panic!("a wrong {op:?} was not found"));
            let text = found.to_string();
            assert!(text.contains(op.mnemonic()), "{text}");
            assert!(text.contains("--seed 1 --case "), "{text}");
            let again = replay(&c, found.case.number).unwrap();
            assert!(again.is_some(), "the case does not show it again:\n{text}");
        }
    }
}
