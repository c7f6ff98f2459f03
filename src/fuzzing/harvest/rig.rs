//! The interpreter and the translator over one memory, block by block and chain by chain.
//!
//! The interpreter goes first and leaves a trace of every state on its way. What it has written is
//! undone; then translated code runs, a piece at a time. A piece ends where translated code is
//! left: at a jump to what is not translated yet, by an exit, and, if the trace has no end, at the
//! first poll. The state there must be one of the trace's, further on than the last. From a block's
//! second state on, what the states before have met is translated and connected already, so jumps,
//! calls, returns and loops are executed as in a program that runs.

use super::finding::{Difference, Got};
use super::image::Image;
use super::scan;
use super::start::{Surroundings, start, steer};
use super::trace::{End, MOST, Trace};
use super::world::{ADDRESS_BITS, World, place};
use crate::cpu::{Exit, Hart};
use crate::fuzzing::Rng;
use crate::fuzzing::rig::strays;
use crate::interp;
use crate::isa::{Insn, Isa};
use crate::mem::{Memory, Mode, Prot};
use crate::runtime::{Cpu, EngineKind, HostFeatures, Interrupter, Machine, Options};
use crate::util::page_down;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Pieces of translated code that are executed from a state.
const CHAIN: usize = 8;
/// Instructions of a trace; and if translated code has run further, of a second try.
const BUDGETS: [usize; 2] = [64, usize::MAX];
/// Changes of a state that are tried so that a trace comes further.
const STEERS: usize = 8;
/// Bytes of code memory: for the blocks behind one.
const ARENA: usize = 2 << 20;
/// Decoded instructions that are kept: most are executed again from the next state.
const DECODED: usize = 512;

/// What a rig is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) mode: Mode,
    pub(super) isa: Isa,
    /// Instruction sets of the host that are not used.
    pub(super) masked: &'static str,
    /// Code lies above 2 GiB.
    pub(super) high: bool,
}

/// Instructions of the guest, and host features that are left out.
const HOSTS: [(&str, &str); 6] = [
    ("default", ""),
    ("default", ""),
    ("default", "bmi1 bmi2 lse"),
    ("default", "avx2 fma pmull"),
    ("default", "avx bmi1 bmi2 fma lzcnt pclmul popcnt sse4.1 lse pmull"),
    ("rv64gc", "lzcnt popcnt"),
];
const MODES: [Mode; 3] = [Mode::Identity, Mode::Guarded, Mode::Sandbox];

/// Number of setups.
pub(super) const SETUPS: u32 = (HOSTS.len() * MODES.len() * 2) as u32;

impl Setup {
    /// Setup `n`, which is below [`SETUPS`].
    pub(super) fn new(n: u32) -> Self {
        let n = n as usize;
        let (isa, masked) = HOSTS[n / 6 % HOSTS.len()];
        let mode = MODES[n / 2 % MODES.len()];
        Self { mode, isa: isa.parse().unwrap_or_default(), masked, high: n % 2 == 1 }
    }

    /// The setup that a memory has got instead of setup `n`, where it could not have its mode.
    fn with_mode(n: u32, mode: Mode) -> u32 {
        let m = MODES.iter().position(|&m| m == mode).unwrap_or(0) as u32;
        n / 6 * 6 + m * 2 + n % 2
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Pieces of translated code that were executed and compared.
    pub(super) executions: u64,
    /// States that could not be tried.
    pub(super) left_out: u64,
}

/// Both engines with the code of one image.
pub(super) struct Rig<'a> {
    image: &'a Image,
    functions: &'a [u64],
    seed: u64,
    /// Number of the setup.
    pub(super) number: u32,
    pub(super) setup: Setup,
    cpu: Cpu,
    machine: Arc<Machine>,
    world: World,
    trace: Trace,
    /// What memory should be; the pristine data between runs.
    expected: Vec<u8>,
    /// Code has been changed: it is read from memory, not from the image.
    patched: bool,
    /// What the interpreter executes instead of an instruction, so that a difference can be found.
    planted: Option<fn(&Insn) -> Insn>,
    /// Instructions of the image by their offsets, each in the place that the offset says.
    decoded: Vec<Option<(u64, Insn)>>,
    pub(super) counts: Counts,
}

/// The instruction at a place of an image, or what fetching it gives.
struct Decoder<'a> {
    image: &'a Image,
    memory: &'a Memory,
    isa: &'a Isa,
    base: u64,
    patched: bool,
    planted: Option<fn(&Insn) -> Insn>,
    decoded: &'a mut [Option<(u64, Insn)>],
}

impl Decoder<'_> {
    fn decode(&mut self, pc: u64) -> Result<Insn, Exit> {
        let offset = self.memory.effective(pc).wrapping_sub(self.base);
        let place = (offset / 2) as usize % DECODED;
        let known = self.decoded[place].filter(|known| known.0 == offset && !self.patched);
        let insn = if let Some((_, insn)) = known {
            insn
        } else {
            let quick = !self.patched && offset < self.image.bytes.len() as u64;
            match scan::decode(&self.image.bytes, offset, self.isa) {
                Ok(insn) if quick => {
                    self.decoded[place] = Some((offset, insn));
                    insn
                }
                // It finds out what is wrong.
                _ => interp::fetch(self.memory, self.isa, pc)?,
            }
        };
        Ok(self.planted.map_or(insn, |planted| planted(&insn)))
    }
}

impl<'a> Rig<'a> {
    /// Makes both engines for setup `number`, or the one that can be had instead.
    pub(super) fn new(
        image: &'a Image,
        functions: &'a [u64],
        number: u32,
        seed: u64,
    ) -> io::Result<Self> {
        let mut setup = Setup::new(number);
        let mut host_features = HostFeatures::detect();
        for name in setup.masked.split(' ').filter(|n| !n.is_empty()) {
            // A name that is not of this host masks nothing.
            let _ = host_features.set(name, false);
        }
        let options = Options {
            host_features,
            engine: EngineKind::EagerRegions,
            isa: setup.isa,
            mode: setup.mode,
            address_bits: ADDRESS_BITS,
            exact_flags: true,
            arena_size: ARENA,
            ..Options::default()
        };
        let machine = Machine::new(&options)?;
        setup.mode = machine.options().mode;
        let number = Setup::with_mode(number, setup.mode);
        let base = place(setup.mode, setup.high);
        let world = World::new(machine.memory(), image, base, seed, functions)?;
        Ok(Self {
            image,
            functions,
            seed,
            number,
            setup,
            cpu: Cpu::new(Arc::clone(&machine))?,
            machine,
            expected: world.pristine.clone(),
            world,
            trace: Trace::default(),
            patched: false,
            planted: None,
            decoded: vec![None; DECODED],
            counts: Counts::default(),
        })
    }

    /// Stops translated code from outside.
    pub(super) fn interrupter(&self) -> Interrupter {
        self.cpu.interrupter()
    }

    /// Lets the interpreter execute what `planted` makes of each instruction.
    #[cfg(test)]
    pub(super) fn plant(&mut self, planted: fn(&Insn) -> Insn) {
        self.planted = Some(planted);
    }

    /// Address of the image's first byte.
    pub(super) fn base(&self) -> u64 {
        self.world.base
    }

    /// Executes the block at `offset` from `states` states, with both engines.
    ///
    /// # Errors
    /// The first difference.
    pub(super) fn check(&mut self, offset: u64, states: u32) -> Result<(), Box<Difference>> {
        self.world.tidy(self.machine.memory());
        self.cpu.forget_translations();
        for n in 0..states {
            self.check_state(offset, n)?;
        }
        Ok(())
    }

    fn check_state(&mut self, offset: u64, n: u32) -> Result<(), Box<Difference>> {
        let mut rng = Rng::new(self.seed, offset << 8 | u64::from(n));
        let around = Surroundings {
            base: self.world.base,
            functions: self.functions,
            sandbox: self.setup.mode == Mode::Sandbox,
        };
        let mut hart = start(&mut rng, n, around);
        hart.pc = self.world.base + offset;
        self.record(hart.clone(), BUDGETS[0], true);
        for _ in 0..STEERS {
            if !steer(&mut rng, &self.trace, &mut hart) {
                break;
            }
            self.undo();
            self.record(hart.clone(), BUDGETS[0], true);
        }
        for (i, budget) in BUDGETS.into_iter().enumerate() {
            if i > 0 || self.trace.end == Some(End::Fails) {
                self.undo();
                self.record(hart.clone(), budget, false);
            }
            self.undo();
            if self.trace.end == Some(End::Counter) || self.strays() {
                self.counts.left_out += 1;
                return Ok(());
            }
            let result = self.run_translated(hart.clone());
            let cut = self.trace.end == Some(End::Cut);
            match result {
                Ok(()) => break,
                // It may have come further than the trace.
                Err(d) if cut && i == 0 && d.may_be_ahead() => {}
                Err(_) if self.trace.aliased(self.machine.memory()) => {
                    self.counts.left_out += 1;
                    break;
                }
                Err(mut d) => {
                    d.state = n;
                    return Err(d);
                }
            }
        }
        Ok(())
    }

    fn record(&mut self, hart: Hart, budget: usize, trying: bool) {
        let memory = self.machine.memory();
        let mut decoder = Decoder {
            image: self.image,
            memory,
            isa: &self.setup.isa,
            base: self.world.base,
            patched: self.patched,
            planted: self.planted,
            decoded: &mut self.decoded,
        };
        let decode = |pc| decoder.decode(pc);
        let limits = (budget, trying);
        self.trace.record(hart, (memory, &self.setup.isa), &mut self.world, limits, decode);
    }

    fn undo(&self) {
        self.trace.undo(self.machine.memory(), &self.world);
    }

    /// True if the trace ends with an access that a region does not promise to catch.
    fn strays(&self) -> bool {
        self.trace.exit().is_some_and(|exit| strays(self.setup.mode, &exit))
    }

    /// Runs translated code along the trace, and leaves memory as it was.
    fn run_translated(&mut self, hart: Hart) -> Result<(), Box<Difference>> {
        *self.cpu.hart_mut() = hart.clone();
        let (last, armed) = (self.trace.last(), self.trace.end == Some(End::Cut));
        let mut at = 0;
        let mut exited = false;
        // Where the pieces began.
        let mut pieces = Vec::with_capacity(CHAIN);
        // What one piece may execute has room before the end of a trace that could go on.
        let enough = if armed && last == MOST { MOST / 2 } else { last };
        while pieces.len() < CHAIN && !exited && !(armed && at >= enough) {
            pieces.push(self.cpu.hart().pc);
            let run = catch_unwind(AssertUnwindSafe(|| self.cpu.run_piece(armed)));
            self.counts.executions += 1;
            let got = self.cpu.hart().clone();
            let found = match run {
                Err(payload) => Err(Got::Panic(super::super::rig::message(&*payload))),
                Ok(Some(exit)) => {
                    exited = true;
                    let right = Some(exit) == self.trace.exit()
                        && super::trace::same(&self.trace.states[last], &got);
                    if right { Ok(last) } else { Err(Got::Exit(exit)) }
                }
                Ok(None) => self.trace.find(at, &got).ok_or(Got::State),
            };
            match found {
                Err(what) => {
                    let d = self.difference(&hart, at, got, what, pieces);
                    self.world.restore_all(self.machine.memory());
                    return Err(d);
                }
                Ok(n) if n == at && at < last => {
                    // Left at a poll before anything was done, or back where it was.
                    let _ = self.cpu.step();
                    at += 1;
                }
                Ok(n) => at = n,
            }
            if self.cpu.hart().frm > 3 {
                break;
            }
        }
        self.compare_memory(&hart, at, exited, pieces)
    }

    /// Compares memory with what it should be at state `at` of the trace, or at a later one that is
    /// the same in all registers; then makes it what it was before.
    fn compare_memory(
        &mut self,
        hart: &Hart,
        at: usize,
        exited: bool,
        pieces: Vec<u64>,
    ) -> Result<(), Box<Difference>> {
        let memory = self.machine.memory();
        let got = self.cpu.hart().clone();
        let mut candidate = Some(at);
        while let Some(n) = candidate {
            self.trace.apply(&mut self.expected, n, exited);
            let same = *self.world.all(memory) == *self.expected;
            self.trace.revert(&mut self.expected, &self.world.pristine);
            if same {
                self.trace.undo(memory, &self.world);
                return Ok(());
            }
            candidate = self.trace.find(n + 1, &got);
        }
        let d = self.difference(hart, at, got, Got::Memory(exited), pieces);
        self.world.restore_all(self.machine.memory());
        Err(d)
    }

    fn difference(
        &mut self,
        hart: &Hart,
        at: usize,
        got: Hart,
        what: Got,
        pieces: Vec<u64>,
    ) -> Box<Difference> {
        let exited = matches!(what, Got::Exit(_) | Got::Memory(true));
        let last = self.trace.last();
        // Where the interpreter was when it was there, or at last.
        let there = (at..=last).rev().find(|&n| self.trace.states[n].pc == got.pc);
        let there = match what {
            Got::Memory(_) => at,
            Got::Exit(_) => last,
            Got::State | Got::Panic(_) => there.unwrap_or(last),
        };
        self.trace.apply(&mut self.expected, there, exited);
        let found = self.world.all(self.machine.memory()).to_vec();
        let memory = Difference::words(&self.world.pristine, &self.expected, &found);
        self.trace.revert(&mut self.expected, &self.world.pristine);
        let pcs = self.trace.states.iter().map(|s| s.pc);
        let code = pcs.zip(self.trace.insns.iter().copied()).take(there + 1).collect();
        Box::new(Difference {
            state: 0,
            start: hart.clone(),
            expected: self.trace.states[there].clone(),
            got,
            expected_exit: self.trace.exit(),
            what,
            memory,
            code,
            pieces,
            translations: Vec::new(),
        })
    }

    /// Replaces instructions by `nop` as long as the block at `offset` shows a difference, so that
    /// what matters is left; then adds how the pieces are translated.
    pub(super) fn shrink(&mut self, offset: u64, found: Box<Difference>) -> Box<Difference> {
        let mut best = found;
        let states = best.state + 1;
        let mut again = true;
        while again {
            again = false;
            let mut pcs: Vec<(u64, u8)> = best.code.iter().map(|(pc, i)| (*pc, i.len)).collect();
            pcs.sort_unstable();
            pcs.dedup();
            for (pc, len) in pcs.into_iter().rev() {
                let mut old = [0; 4];
                let old = &mut old[..usize::from(len)];
                let nop: &[u8] = if len == 2 { &[1, 0] } else { &[0x13, 0, 0, 0] };
                let at = self.machine.memory().effective(pc);
                if self.machine.memory().read_bytes(at, old).is_err() || old == nop {
                    continue;
                }
                if self.patch(at, nop).is_err() {
                    continue;
                }
                match self.check(offset, states) {
                    Err(smaller) => {
                        best = smaller;
                        again = true;
                    }
                    // Back to what it was.
                    Ok(()) => drop(self.patch(at, old)),
                }
            }
        }
        self.describe(&mut best);
        self.unpatch();
        best
    }

    /// Adds how the pieces of a difference are translated.
    fn describe(&self, difference: &mut Difference) {
        let mut pieces = difference.pieces.clone();
        pieces.reverse();
        // The last one first, as it is where the difference was seen.
        for pc in pieces.into_iter().take(2) {
            let dump = || self.machine.translate_for_dump(pc).map(|t| crate::debug::dump(&t));
            if let Ok(Ok(text)) = catch_unwind(AssertUnwindSafe(dump))
                && !difference.translations.contains(&text)
            {
                difference.translations.push(text);
            }
        }
    }

    /// Replaces bytes of code.
    fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let memory = self.machine.memory();
        let first = page_down(at);
        let len = at + bytes.len() as u64 - first;
        memory.protect(first, len, Prot::RW).map_err(io::Error::other)?;
        let written = memory.write_bytes(at, bytes);
        memory.protect(first, len, Prot::RX).map_err(io::Error::other)?;
        self.patched = true;
        written.map_err(io::Error::other)
    }

    /// Makes code what it was.
    fn unpatch(&mut self) {
        let image = self.image;
        if self.patched && self.patch(self.world.base, &image.bytes).is_ok() {
            self.patched = false;
        }
    }
}
