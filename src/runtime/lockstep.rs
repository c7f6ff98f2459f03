//! Translated code and interpreter in lockstep, block by block.
//!
//! The interpreter goes first, on a copy of the registers and on an [`Overlay`] of the guest's
//! memory, which keeps its stores to itself. Then the translated block runs, alone: it is left at
//! its end and at each exit. Registers must then be what the interpreter has made of them, and
//! memory must hold what it has stored. So what others see of a block happens once.
//!
//! The interpreter follows the path that translated code should take, loops inside of the block
//! included. If the results differ, there are other reasons than a fault of the translator:
//!
//! - Translated code was left before its end, by a signal or at a store to code. So the interpreter
//!   is taken through the block once more, with the values that it loaded the first time, and each
//!   state that it passes through compared.
//! - Somebody else has written to memory in between. Other harts have not: one runs at a time
//!   ([`super::baton`]). But the kernel may, for a system call of another thread, and so may
//!   another process. So it is found out whether the interpreter comes to the same result with what
//!   memory holds now; and where that cannot be told, a difference is one if it comes again.
//!
//! A loop that does not end soon would be executed by the interpreter for ever before its
//! translation gets to run: it is cut in two blocks, before the jump back, for a number of
//! iterations. Counters differ from one reading to the next: instructions that read them are left
//! to the interpreter, and blocks are cut before them.

use super::cpu::Cpu;
use super::machine::Machine;
use super::observe::Difference;
use super::stats::{add, add_alone};
use super::units::{BlockKey, TransMode};
use super::unlinked::UnlinkedBlock;
use crate::cpu::{Exit, Hart};
use crate::interp::{End, Place};
use crate::isa::{self, reg};
use crate::mem::{Overlay, Stored};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Instructions that the interpreter executes before a block is taken for one that does not end
/// soon.
const SOON: u64 = 1 << 18;
/// Blocks that a hart executes before others get their turn.
const TURN: u32 = 256;
/// Blocks that a hart finds without the cache's lock.
const RECENT: usize = 2048;
/// Times in a row that a difference at one block may be due to others.
const MOST_RACES: u32 = 8;
/// Instructions that a report shows.
const SHOWN: usize = 160;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// State of a hart for lockstep.
pub(super) struct Lockstep {
    /// Number of the hart, not 0.
    me: u64,
    overlay: Overlay,
    /// Blocks left of its turn.
    left: u32,
    /// Blocks by address and limit, and what they depend on.
    recent: Vec<Option<(BlockKey, Arc<UnlinkedBlock>)>>,
    version: (u64, u64),
}

/// The right to run guest code, until dropped.
pub(super) struct Turn(Arc<Machine>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.baton.give();
    }
}

impl Lockstep {
    pub(super) fn new(machine: &Machine) -> Self {
        Self {
            me: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            overlay: Overlay::new(machine.shared_memory()),
            left: 0,
            recent: vec![None; RECENT],
            version: (0, 0),
        }
    }
}

/// Way in which translated code was left.
struct Outcome {
    hart: Hart,
    /// Why it could not go on.
    exit: Option<Exit>,
}

/// What both engines have made of a block.
struct Trace {
    start: Hart,
    /// What the interpreter has made of it.
    hart: Hart,
    /// Instructions that completed.
    insns: u64,
    end: End,
    /// The instruction that was executed last.
    last: Place,
    /// What translated code has.
    got: Outcome,
}

impl Cpu {
    /// Waits until this hart may run guest code, where one at a time does.
    pub(super) fn take_turn(&self) -> Option<Turn> {
        let me = self.lockstep.as_ref()?.me;
        let machine = self.machine();
        machine.baton.take(me, || machine.kick_all());
        Some(Turn(Arc::clone(machine)))
    }

    /// Executes a block with both engines, as `Cpu::run`'s loop executes translated code.
    ///
    /// # Panics
    /// They differ: a fault of the translator.
    pub(super) fn run_verified(&mut self) -> Option<Exit> {
        let mut lockstep = self.lockstep.take()?;
        if lockstep.left == 0 {
            lockstep.left = TURN;
            let machine = self.machine();
            if machine.baton.is_wanted() {
                machine.baton.give_way(lockstep.me, || machine.kick_all());
                self.lockstep = Some(lockstep);
                // Others may have changed what this hart is to look at.
                return None;
            }
        }
        lockstep.left -= 1;
        let exit = self.verify(&mut lockstep);
        self.lockstep = Some(lockstep);
        exit
    }

    /// Chooses what to execute, and does.
    fn verify(&mut self, l: &mut Lockstep) -> Option<Exit> {
        self.adopt_changes();
        let block = match self.find_unlinked(l, TransMode::default()) {
            Some(block) if !block.path.is_empty() => block,
            _ => return self.step().err(),
        };
        let cut = match (block.counter, block.back) {
            (Some(at), _) => Some(at),
            (None, Some(at)) if block.in_pieces() => Some(at),
            _ => None,
        };
        if let Some(at) = cut {
            return self.verify_until(l, at);
        }
        match self.verify_block(l, &block) {
            Ok(exit) => exit,
            Err(TooLong) => {
                block.is_long();
                self.verify_until(l, block.back.unwrap_or(0))
            }
        }
    }

    /// Executes the block, cut before instruction `at`.
    fn verify_until(&mut self, l: &mut Lockstep, at: u32) -> Option<Exit> {
        let cut = TransMode { max_insns: at, ..TransMode::default() };
        let block = if at == 0 { None } else { self.find_unlinked(l, cut) };
        match block.map(|block| self.verify_block(l, &block)) {
            Some(Ok(exit)) => exit,
            _ => self.step().err(),
        }
    }

    /// The block at the pc, made for `mode`.
    fn find_unlinked(&mut self, l: &mut Lockstep, mode: TransMode) -> Option<Arc<UnlinkedBlock>> {
        let key = BlockKey { pc: self.hart().pc, mode };
        let version = self.version();
        if l.version != version {
            l.version = version;
            l.recent.fill(None);
        }
        let slot = (key.pc >> 1 ^ u64::from(mode.max_insns) << 5) as usize % RECENT;
        if let Some((of, block)) = &l.recent[slot]
            && *of == key
        {
            return Some(Arc::clone(block));
        }
        let block = self.unlinked_block(key)?;
        if self.version() == version {
            l.recent[slot] = Some((key, Arc::clone(&block)));
        }
        Some(block)
    }

    /// Executes `block` with both engines. Nothing has happened if that takes too long.
    fn verify_block(
        &mut self,
        l: &Lockstep,
        block: &Arc<UnlinkedBlock>,
    ) -> Result<Option<Exit>, TooLong> {
        let start = self.hart().clone();
        let polled = block.is_polled();
        let (mut hart, mut place) = (start.clone(), Place::default());
        l.overlay.clear();
        let max = if polled { block.between_polls } else { SOON };
        let (insns, end) = block.path.run(&mut hart, &l.overlay, &mut place, max);
        if end == End::Enough && !polled {
            return Err(TooLong);
        }
        let exit = self.enter_unlinked(block.code, polled);
        if exit == exit_of(end) && same(&hart, self.hart()) && l.overlay.is_made() {
            add_alone(&self.machine().counters.verified, insns);
            if block.races.load(Ordering::Relaxed) != 0 {
                block.races.store(0, Ordering::Relaxed);
            }
            return Ok(exit);
        }
        let got = Outcome { hart: self.hart().clone(), exit };
        let trace = Trace { start, hart, insns, end, last: place, got };
        if let Err(what) = self.explain(l, block, &trace) {
            self.report(l, block, &trace, &what);
        }
        Ok(exit)
    }

    /// Looks for another reason for different results than a fault of the translator; `Err` if
    /// there is none.
    fn explain(&self, l: &Lockstep, block: &UnlinkedBlock, t: &Trace) -> Result<(), String> {
        let (machine, overlay) = (self.machine(), &l.overlay);
        let shared = overlay.is_shared();
        let changed = shared || overlay.has_changed();
        let stored = overlay.rewind();
        let Err(what) = t.replay(block, overlay, &stored) else {
            add_alone(&machine.counters.verified, t.insns);
            return Ok(());
        };
        if t.end == End::Left && block.path.stays(t.last, t.hart.pc) {
            return Ok(());
        }
        overlay.undo(&stored);
        let end = t.again(block, overlay);
        let changed = changed || block.conditional || end != Some(t.end);
        let unclear = (shared || machine.has_several_harts()) && changed;
        let excused = || block.races.fetch_add(1, Ordering::Relaxed) < MOST_RACES;
        if end.is_none() || unclear && excused() {
            add(&machine.counters.races, 1);
            return Ok(());
        }
        overlay.undo(&stored);
        Err(what)
    }

    fn report(&self, l: &Lockstep, block: &UnlinkedBlock, t: &Trace, what: &str) -> ! {
        let pc = t.start.pc;
        let text = t.describe(block, &l.overlay, what);
        let translation = self.machine().translate_for_dump(pc).ok();
        let difference = Difference { pc, text, translation };
        self.machine().differs(&difference);
        panic!("translated code differs from the interpreter:\n{}", difference.text);
    }
}

/// The interpreter would go on for a long time.
struct TooLong;

impl Trace {
    /// Takes the interpreter through the block as before, to a state in which translated code may
    /// have been left.
    fn replay(
        &self,
        block: &UnlinkedBlock,
        overlay: &Overlay,
        stored: &[Stored],
    ) -> Result<(), String> {
        let mut why = String::from("no state of the interpreter is like this one");
        let (mut hart, mut place) = (self.start.clone(), Place::default());
        for n in 0..=self.insns {
            let exit = exit_of(self.end).filter(|_| n == self.insns);
            match self.fits(&hart, exit, overlay, stored) {
                Some(Ok(())) => return Ok(()),
                Some(Err(text)) => why = text,
                None => {}
            }
            if n < self.insns {
                block.path.run(&mut hart, overlay, &mut place, 1);
            }
        }
        Err(why)
    }

    /// Takes the interpreter through the block with what memory holds now. `None` if it comes to
    /// the state in which translated code was left, or else how that ends.
    fn again(&self, block: &UnlinkedBlock, overlay: &Overlay) -> Option<End> {
        let (mut hart, mut place) = (self.start.clone(), Place::default());
        let most = self.insns + block.between_polls;
        let mut end = End::Enough;
        for _ in 0..=most {
            if let Some(Ok(())) = self.fits(&hart, exit_of(end), overlay, &[]) {
                return None;
            }
            if end != End::Enough {
                break;
            }
            end = block.path.run(&mut hart, overlay, &mut place, 1).1;
        }
        if let Some(Ok(())) = self.fits(&hart, exit_of(end), overlay, &[]) {
            return None;
        }
        Some(end)
    }

    /// Whether translated code may have been left in the state `hart`, in which the interpreter
    /// stops with `exit`, if it stops. `None`: registers are different; `Err`: something else is.
    /// What is `stored` beyond that state must not have been yet.
    fn fits(
        &self,
        hart: &Hart,
        exit: Option<Exit>,
        overlay: &Overlay,
        stored: &[Stored],
    ) -> Option<Result<(), String>> {
        if !same(hart, &self.got.hart) {
            return None;
        }
        if self.got.exit.is_some() && self.got.exit != exit {
            return Some(Err(format!("the interpreter stops with {exit:?}")));
        }
        let mut text = String::new();
        for (addr, expected, found) in overlay.not_made(stored) {
            let _ = writeln!(text, "  {addr:#x}: {expected:02x}, but found {found:02x?}");
        }
        Some(if text.is_empty() { Ok(()) } else { Err(format!("memory differs:\n{text}")) })
    }

    /// The whole story, for people.
    fn describe(&self, block: &UnlinkedBlock, overlay: &Overlay, what: &str) -> String {
        let (start, got) = (&self.start, &self.got.hart);
        let (mut hart, mut place) = (self.start.clone(), Place::default());
        let mut shown = VecDeque::new();
        // The state at the pc where translated code was left, if the interpreter was there.
        let mut there = None;
        for n in 0..=self.insns {
            if hart.pc == got.pc {
                there = Some(hart.clone());
            }
            if n == self.insns && self.end == End::Left {
                break;
            }
            shown.extend(block.path.insn(place).map(|insn| (hart.pc, *insn)));
            if shown.len() > SHOWN {
                shown.pop_front();
            }
            block.path.run(&mut hart, overlay, &mut place, 1);
        }
        let there = there.unwrap_or(self.hart.clone());
        let mut text = String::new();
        for (pc, insn) in shown {
            let _ = writeln!(text, "  {pc:8x}: {:08x}  {}", insn.bits, isa::disasm(&insn, pc));
        }
        let exit = self.got.exit;
        let _ = writeln!(text, "translated code was left at {:#x} with {exit:?}: {what}", got.pc);
        let _ = writeln!(text, "  register at start          interpreter       translated");
        let mut row = |name: &str, a: u64, b: u64, c: u64| {
            if b != c {
                let _ = writeln!(text, "  {name:<8} {a:016x}  {b:016x}  {c:016x}");
            }
        };
        for r in 0..32u8 {
            let i = usize::from(r);
            row(reg::x_name(r), start.x[i], there.x[i], got.x[i]);
            row(reg::f_name(r), start.f[i], there.f[i], got.f[i]);
        }
        row("pc", start.pc, there.pc, got.pc);
        row("fcsr", start.fcsr().into(), there.fcsr().into(), got.fcsr().into());
        if there.vector != got.vector {
            let _ = writeln!(text, "  vector state differs");
        }
        text
    }
}

fn exit_of(end: End) -> Option<Exit> {
    match end {
        End::Exit(exit) => Some(exit),
        End::Left | End::Enough => None,
    }
}

/// True if a guest cannot tell the states apart.
fn same(a: &Hart, b: &Hart) -> bool {
    (a.pc, a.fcsr()) == (b.pc, b.fcsr()) && a.x == b.x && a.f == b.f && a.vector == b.vector
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lift::Limits;
    use crate::lift::{Code, Lifter};
    use crate::mem::{Memory, Mode, Prot};
    use crate::util::CodePtr;

    const CODE: u64 = 0x1_0000;
    const DATA: u64 = 0x2_0000;

    /// `addi a0, a0, 1; sd a0, 0(a1); ld a2, 0(a1); ebreak`.
    const WORDS: [u32; 4] = [0x0015_0513, 0x00a5_b023, 0x0005_b603, 0x0010_0073];

    /// The block, what the interpreter has made of it, and the state after each instruction.
    struct Rig {
        memory: Arc<Memory>,
        overlay: Overlay,
        block: UnlinkedBlock,
        trace: Trace,
        states: Vec<Hart>,
        stored: Vec<Stored>,
    }

    fn traced() -> Rig {
        crate::sys::signal::install(super::super::fault::hook).unwrap();
        let memory = Arc::new(Memory::new(Mode::Guarded, 1 << 30).unwrap());
        memory.map_zero(DATA, 0x1000, Prot::RW).unwrap();
        let bytes = WORDS.map(u32::to_le_bytes).concat();
        let mut source = Code { start: CODE, bytes: &bytes };
        let mut lifter = Lifter::new();
        let lifted = lifter.lift(&mut source, &isa::Isa::MAX, CODE, &Limits::default());
        let block = UnlinkedBlock::new(lifted, &mut source, &isa::Isa::MAX, (CodePtr(0), 1));
        let mut start = Hart::new();
        start.pc = CODE;
        (start.x[10], start.x[11]) = (6, DATA);
        let overlay = Overlay::new(Arc::clone(&memory));
        let (mut hart, mut place, mut states) =
            (start.clone(), Place::default(), vec![start.clone()]);
        let end = loop {
            match block.path.run(&mut hart, &overlay, &mut place, 1) {
                (_, End::Enough) => states.push(hart.clone()),
                (_, end) => break end,
            }
        };
        let got = Outcome { hart: hart.clone(), exit: exit_of(end) };
        let trace = Trace { start, hart, insns: 3, end, last: place, got };
        let stored = overlay.rewind();
        Rig { memory, overlay, block, trace, states, stored }
    }

    impl Rig {
        /// What is said if translated code was left like that.
        fn judge(&mut self, hart: Hart, exit: Option<Exit>) -> Result<(), String> {
            self.trace.got = Outcome { hart, exit };
            self.overlay.rewind();
            let said = self.trace.replay(&self.block, &self.overlay, &self.stored);
            self.overlay.rewind();
            said.map_err(|what| self.trace.describe(&self.block, &self.overlay, &what))
        }
    }

    #[test]
    fn every_state_on_the_way_is_right() {
        let mut rig = traced();
        assert_eq!((rig.states.len(), rig.trace.end), (4, End::Exit(Exit::Ebreak)));
        assert_eq!(rig.memory.read_u64(DATA), Ok(0), "nothing is stored");
        for n in 0..2 {
            assert_eq!(rig.judge(rig.states[n].clone(), None), Ok(()));
        }
        rig.memory.write_u64(DATA, 7).unwrap();
        assert_eq!(rig.judge(rig.states[2].clone(), None), Ok(()));
        assert_eq!(rig.judge(rig.states[3].clone(), Some(Exit::Ebreak)), Ok(()));
    }

    #[test]
    fn every_difference_is_seen() {
        let mut rig = traced();
        let unmade = rig.judge(rig.states[2].clone(), None).expect_err("a difference");
        assert!(unmade.contains("0x20000: 07, but found Some(00)"), "{unmade}");
        rig.memory.write_u64(DATA, 7).unwrap();
        let mut differs = |n: usize, exit, change: fn(&mut Hart)| {
            let mut got = rig.states[n].clone();
            change(&mut got);
            rig.judge(got, exit).expect_err("a difference")
        };
        assert!(differs(3, None, |h| h.x[12] = 8).contains("a2       0000000000000000"));
        assert!(differs(3, None, |h| h.fflags = 1).contains("fcsr"));
        assert!(differs(3, Some(Exit::Ecall), |_| ()).contains("Ebreak"));
        assert!(differs(2, Some(Exit::Ebreak), |_| ()).contains("sd"));
        // Stored too early.
        assert!(differs(1, None, |_| ()).contains("0x20000: 00, but found Some(07)"));
    }

    #[test]
    fn what_others_write_is_told_from_a_difference() {
        let mut rig = traced();
        rig.memory.write_u64(DATA, 7).unwrap();
        rig.trace.got = Outcome { hart: rig.states[3].clone(), exit: Some(Exit::Ebreak) };
        rig.overlay.undo(&rig.stored);
        assert_eq!(rig.trace.again(&rig.block, &rig.overlay), None);
        rig.trace.got.exit = None;
        rig.trace.got.hart.x[12] = 9;
        rig.overlay.undo(&rig.stored);
        assert_eq!(rig.trace.again(&rig.block, &rig.overlay), Some(End::Exit(Exit::Ebreak)));
    }
}
