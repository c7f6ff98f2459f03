//! Two engines side by side: the interpreter, and what is to be compared with it.

use super::pool::Pool;
use super::program::{Case, DATA, DATA_LEN, Kind, MAX_CODE, READ_ONLY_LEN};
use super::report::Mismatch;
use super::rng::Rng;
use crate::cpu::{Exit, Hart};
use crate::debug;
use crate::interp::{self, Interp};
use crate::isa::{self, Isa, Op};
use crate::mem::{Access, Memory, Mode, Prot};
use crate::runtime::{
    Cpu, EngineKind, HostFeatures, Interrupter, Machine, Options, ignores_top_byte,
};
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Where programs are placed. The distance between two is no multiple of anything, so that
/// instructions and blocks lie across page boundaries too.
const CODE: u64 = 0x10_0000;
/// Programs that are placed at once: changing code costs system calls, running it does not.
pub(super) const BATCH: usize = 128;
/// Most instructions that a program may execute; all are meant to end long before.
const BUDGET: u64 = 20_000;
/// Address bits in `Guarded` mode.
pub(super) const ADDRESS_BITS: u32 = 34;

/// What is compared with the interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The translator.
    Translator,
    /// The interpreter without its cache: one instruction at a time.
    Steps,
    /// As `Steps`, with a wrong `op`: the fuzzer must find it.
    Planted(Op),
}

/// What a rig is like, apart from its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// How addresses are formed.
    pub mode: Mode,
    /// Which instructions there are.
    pub isa: Isa,
    /// Instruction sets of the host that are not used.
    pub masked: &'static str,
    /// After how many entries of a block a loop is hot; without, loops are regions at once.
    pub hot: Option<u32>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Exit(Exit),
    /// The engine itself failed, with this message.
    Panic(String),
}

/// What a program left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) exit: End,
    pub(super) hart: Hart,
    pub(super) data: Vec<u8>,
}

/// The engine under test.
enum Engine {
    Cpu(Box<Cpu>),
    Steps { hart: Box<Hart>, memory: Box<Memory>, planted: Option<Op> },
}

impl Engine {
    fn new(subject: Subject, options: &Options) -> io::Result<Self> {
        // Made in any case: it installs the handler that the interpreter needs too.
        let cpu = Cpu::new(Machine::new(options)?)?;
        let planted = match subject {
            Subject::Translator => {
                lay_out(cpu.machine().memory())?;
                return Ok(Self::Cpu(Box::new(cpu)));
            }
            Subject::Planted(op) => Some(op),
            Subject::Steps => None,
        };
        let memory = Box::new(Memory::new(beside(options.mode), 1 << options.address_bits)?);
        lay_out(&memory)?;
        Ok(Self::Steps { hart: Box::new(Hart::new()), memory, planted })
    }
}

/// Two engines with a memory each, ready to run cases.
pub struct Rig {
    setup: Setup,
    pool: Pool,
    reference: Memory,
    interp: Interp,
    engine: Engine,
    subject: Subject,
    options: Options,
    stop: AtomicBool,
    /// Scratch: what is in the data after a run, of reference and subject.
    found: [Vec<u8>; 2],
}

impl std::fmt::Debug for Rig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rig({:?})", self.setup)
    }
}

/// The mode of a memory beside the translator's, of which only one can have `Identity`.
fn beside(mode: Mode) -> Mode {
    if mode == Mode::Identity { Mode::Guarded } else { mode }
}

/// Gives a memory the layout of all cases.
fn lay_out(memory: &Memory) -> io::Result<()> {
    let code_len = (BATCH * MAX_CODE) as u64;
    let map = |at, len, prot| memory.map_zero(at, len, prot).map_err(io::Error::other);
    map(CODE, code_len, Prot::RX)?;
    map(DATA, DATA_LEN as u64, Prot::RW)?;
    map(DATA + DATA_LEN as u64, READ_ONLY_LEN, Prot::R)
}

impl Rig {
    /// Makes both engines.
    ///
    /// # Errors
    /// What the host says when memory is reserved.
    pub fn new(setup: Setup, subject: Subject) -> io::Result<Self> {
        let reference = Memory::new(beside(setup.mode), 1 << ADDRESS_BITS)?;
        lay_out(&reference)?;
        let mut host_features = HostFeatures::detect();
        for name in setup.masked.split(' ').filter(|n| !n.is_empty()) {
            // A name that is not of this host masks nothing.
            let _ = host_features.set(name, false);
        }
        let options = Options {
            host_features,
            engine: setup.hot.map_or(EngineKind::EagerRegions, |_| EngineKind::Regions),
            hot_entries: setup.hot.unwrap_or(0),
            isa: setup.isa,
            mode: setup.mode,
            address_bits: ADDRESS_BITS,
            exact_flags: true,
            // As in the library, where this is the mode.
            foreign_handlers: setup.mode == Mode::Sandbox,
            // Small, so that full caches are part of what is tested.
            arena_size: 4 << 20,
            ..Options::default()
        };
        Ok(Self {
            pool: Pool::new(&setup.isa),
            engine: Engine::new(subject, &options)?,
            subject,
            options,
            setup,
            reference,
            interp: Interp::new(),
            stop: AtomicBool::new(false),
            found: [vec![0; DATA_LEN], vec![0; DATA_LEN]],
        })
    }

    /// What it is like.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Stops the subject from outside, if it can be stopped.
    #[must_use]
    pub fn interrupter(&self) -> Option<Interrupter> {
        match &self.engine {
            Engine::Cpu(cpu) => Some(cpu.interrupter()),
            Engine::Steps { .. } => None,
        }
    }

    /// Case `number` of `seed` for this rig.
    #[must_use]
    pub fn case(&self, seed: u64, number: u64, kind: Kind) -> Case {
        self.case_of(Rng::new(seed, number), number, kind)
    }

    /// Case `number`, which follows from `rng`.
    #[must_use]
    pub fn case_of(&self, rng: Rng, number: u64, kind: Kind) -> Case {
        Case::new(rng, number, kind, &self.setup, &self.pool, address(number))
    }

    fn subject_memory(&self) -> &Memory {
        match &self.engine {
            Engine::Cpu(cpu) => cpu.machine().memory(),
            Engine::Steps { memory, .. } => memory,
        }
    }

    /// Puts the code of up to `BATCH` cases into both memories, each at its place.
    ///
    /// # Errors
    /// The host refuses to change the protection of pages.
    pub fn place<'a>(&mut self, cases: impl Iterator<Item = &'a Case>) -> io::Result<()> {
        let len = (BATCH * MAX_CODE) as u64;
        let mut image = vec![0; BATCH * MAX_CODE];
        for case in cases {
            let at = slot(case.number) * MAX_CODE;
            image[at..at + case.code.len()].copy_from_slice(&case.code);
        }
        for memory in [&self.reference, self.subject_memory()] {
            // Whatever was decoded or translated here is void from now on.
            memory.protect(CODE, len, Prot::RW).map_err(io::Error::other)?;
            memory.write_bytes(CODE, &image).map_err(io::Error::other)?;
            memory.protect(CODE, len, Prot::RX).map_err(io::Error::other)?;
        }
        self.interp.clear();
        Ok(())
    }

    /// Runs a case that has been placed. `Ok(false)`: it did not end within the budget.
    ///
    /// # Errors
    /// The difference between both engines.
    pub fn check(&mut self, case: &Case) -> Result<bool, Box<Mismatch>> {
        let mut expected = Hart::clone(&case.hart);
        expected.pc = address(case.number);
        let mut got = expected.clone();
        if self.reference.write_bytes(DATA, &case.data).is_err() {
            return Ok(false);
        }
        let expected_exit = self.run_reference(&mut expected);
        if expected_exit == Exit::OutOfFuel || strays(self.setup.mode, &expected_exit) {
            return Ok(false);
        }
        let _ = self.subject_memory().write_bytes(DATA, &case.data);
        let expected_exit = End::Exit(expected_exit);
        let run = catch_unwind(AssertUnwindSafe(|| self.run_subject(&mut got)));
        let got_exit = run.map_or_else(|payload| End::Panic(message(&*payload)), End::Exit);
        let [mut left, mut right] = std::mem::take(&mut self.found);
        let readable = self.reference.read_bytes(DATA, &mut left).is_ok()
            && self.subject_memory().read_bytes(DATA, &mut right).is_ok();
        let same = readable
            && expected_exit == got_exit
            && left == right
            && expected.x == got.x
            && expected.f == got.f
            && expected.pc == got.pc
            && expected.fcsr() == got.fcsr()
            && expected.vector == got.vector;
        let result = if same {
            Ok(true)
        } else {
            let translation = self.translation(case);
            if matches!(got_exit, End::Panic(_)) {
                // What it left behind is of no use.
                self.engine = Engine::new(self.subject, &self.options).expect("memory for it");
            }
            let outcome = |exit, hart, data: &[u8]| Outcome { exit, hart, data: data.to_vec() };
            Err(Box::new(Mismatch::new(
                case,
                &self.setup,
                outcome(expected_exit, expected, &left),
                outcome(got_exit, got, &right),
                translation,
            )))
        };
        self.found = [left, right];
        result
    }

    /// What the translator makes of the beginning of the program.
    fn translation(&self, case: &Case) -> Option<String> {
        let machine = self.machine()?;
        let dump = || machine.translate_for_dump(address(case.number)).map(|t| debug::dump(&t));
        catch_unwind(AssertUnwindSafe(dump)).ok()?.ok()
    }

    /// Places one case alone and runs it.
    ///
    /// # Errors
    /// The difference.
    pub fn check_alone(&mut self, case: &Case) -> io::Result<Result<bool, Box<Mismatch>>> {
        self.place(std::iter::once(case))?;
        Ok(self.check(case))
    }

    /// Replaces instructions by `nop` as long as the difference stays, so that what matters is
    /// left.
    ///
    /// # Errors
    /// The host refuses to change the protection of pages.
    pub fn shrink(&mut self, found: Box<Mismatch>) -> io::Result<Box<Mismatch>> {
        let mut best = found;
        let mut again = true;
        while again {
            again = false;
            for i in (0..best.case.starts.len()).rev() {
                let mut case = best.case.clone();
                let at = usize::from(case.starts[i]);
                let end = case.starts.get(i + 1).map_or(case.code.len(), |&e| usize::from(e));
                let nop: &[u8] = if end - at == 2 { &[1, 0] } else { &[0x13, 0, 0, 0] };
                let Some(place) = case.code.get_mut(at..end).filter(|p| p.len() == nop.len())
                else {
                    continue;
                };
                if *place == *nop {
                    continue;
                }
                place.copy_from_slice(nop);
                if let Err(smaller) = self.check_alone(&case)? {
                    best = smaller;
                    again = true;
                }
            }
        }
        Ok(best)
    }

    fn run_reference(&mut self, hart: &mut Hart) -> Exit {
        let mut left = BUDGET;
        loop {
            let (exit, done) =
                self.interp.run(hart, &self.reference, &self.setup.isa, left, &self.stop);
            left -= done;
            if exit == Exit::Interrupted && self.reference.has_code_events() {
                let _ = self.reference.take_code_events();
                self.interp.clear();
                continue;
            }
            if exit != Exit::FenceI || left == 0 {
                return exit;
            }
            hart.pc += 4;
            left -= 1;
        }
    }

    fn run_subject(&mut self, state: &mut Hart) -> Exit {
        match &mut self.engine {
            Engine::Cpu(cpu) => {
                *cpu.hart_mut() = state.clone();
                let exit = cpu.run();
                *state = cpu.hart().clone();
                exit
            }
            Engine::Steps { hart, memory, planted } => {
                **hart = state.clone();
                let exit = loop {
                    match step(hart, memory, &self.setup.isa, *planted) {
                        Ok(()) => {}
                        Err(Exit::FenceI) => hart.pc += 4,
                        Err(exit) => break exit,
                    }
                };
                *state = Hart::clone(hart);
                exit
            }
        }
    }
}

/// One instruction; `planted` does what `xor` with the same operands does.
fn step(hart: &mut Hart, memory: &Memory, isa: &Isa, planted: Option<Op>) -> Result<(), Exit> {
    if let Some(op) = planted {
        let mut bytes = [0; 4];
        let readable = memory.read_bytes(hart.pc, &mut bytes).is_ok();
        let insn = isa::decode(u32::from_le_bytes(bytes), isa);
        if let Some(insn) = insn.filter(|i| readable && i.op == op) {
            return interp::execute(hart, memory, &isa::Insn { op: Op::Xor, ..insn });
        }
    }
    interp::step(hart, memory, isa)
}

/// True for an exit by an access that a region of `mode` does not promise to catch: one so far away
/// that it may hit memory of this process, or whose address is right but for a top byte that the
/// host takes no notice of.
pub(super) fn strays(mode: Mode, exit: &Exit) -> bool {
    let Exit::Fault(f) = exit else { return false };
    if mode == Mode::Sandbox || f.access == Access::Execute {
        return false;
    }
    let size = 1 << ADDRESS_BITS;
    // What the host makes of it.
    let top = if ignores_top_byte() { 8 } else { 0 };
    let addr = ((f.addr << top) as i64 >> top) as u64;
    let near = addr.wrapping_add(size) < 3 * size && addr == f.addr;
    // Not canonical on any host, wherever the region lies: always caught.
    let wild = (1 << 47..u64::MAX - (1 << 47)).contains(&addr);
    !near && !wild
}

/// What a panic said.
pub(super) fn message(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "no message".to_owned(),
    }
}

fn slot(number: u64) -> usize {
    (number % BATCH as u64) as usize
}

/// Where the code of case `number` is placed.
pub(super) fn address(number: u64) -> u64 {
    CODE + (slot(number) * MAX_CODE) as u64
}

/// Machines that a test or a command has made, for whoever wants to look inside.
impl Rig {
    /// The machine of the translator.
    #[must_use]
    pub fn machine(&self) -> Option<&Arc<Machine>> {
        match &self.engine {
            Engine::Cpu(cpu) => Some(cpu.machine()),
            Engine::Steps { .. } => None,
        }
    }
}
