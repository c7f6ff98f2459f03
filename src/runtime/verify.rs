//! Translated code and interpreter in lockstep, block by block.
//!
//! The interpreter goes first, on a copy of the registers and on the guest's own memory, and keeps
//! every state it passes through and everything it overwrites. That is undone; then the translated
//! block runs, alone: it is left at its end, at each exit, and at the first poll. The state in
//! which it is left must be one of those that the interpreter has passed through, and memory must
//! be what it was there.
//!
//! What other threads write meanwhile may be undone or taken for a difference, so this is for
//! programs with one thread. Counters differ from one reading to the next: blocks that read them
//! are left to the interpreter.

use super::cpu::Cpu;
use super::observe::Difference;
use crate::cpu::{Exit, Hart};
use crate::interp;
use crate::isa::{self, Format, Insn, Isa, Op, reg};
use crate::lift::Limits;
use crate::mem::Memory;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What the interpreter has done.
struct Trace {
    /// States, the first being that before the first instruction.
    states: Vec<Hart>,
    /// Instructions; one less than there are states.
    insns: Vec<Insn>,
    writes: Vec<Written>,
    /// Why it could not go on behind the last state.
    exit: Option<Exit>,
    /// The last instruction has read a counter.
    counted: bool,
}

/// Bytes that instruction `at` has overwritten.
struct Written {
    at: usize,
    addr: u64,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Cpu {
    /// Executes a block with both engines, as `Cpu::run`'s loop executes translated code.
    ///
    /// # Panics
    /// They differ: a fault of the translator.
    pub(super) fn run_verified(&mut self) -> Option<Exit> {
        let pc = self.hart().pc;
        let (moved, exit) = self.verify_block(&Limits::default(), true);
        if moved || exit.is_some() {
            return exit;
        }
        debug_assert_eq!(self.hart().pc, pc, "what did not move is where it was");
        // At a poll: its instruction alone, without being left there again.
        let one = Limits { max_insns: 1, ..Limits::default() };
        self.verify_block(&one, false).1
    }

    /// True if anything was executed, and why execution must stop.
    fn verify_block(&mut self, limits: &Limits, armed: bool) -> (bool, Option<Exit>) {
        let pc = self.hart().pc;
        let Some(block) = self.block_alone(pc, limits) else {
            return (true, self.step().err());
        };
        let start = *self.hart();
        let machine = std::sync::Arc::clone(self.machine());
        let memory = machine.memory();
        let trace = Trace::record(start, memory, machine.isa(), block.insns.max(1) as usize);
        if trace.counted {
            if let Some(last) = trace.states.last() {
                *self.hart_mut() = *last;
            }
            return (true, None);
        }
        trace.undo(memory);
        let exit = self.enter_alone(block.code, armed && block.loops);
        let got = *self.hart();
        if let Err(what) = trace.compare(&got, exit, memory) {
            let text = trace.describe(&start, &got, exit, &what);
            let translation = machine.translate_for_dump(pc).ok();
            let difference = Difference { pc, text, translation };
            machine.differs(&difference);
            panic!("translated code differs from the interpreter:\n{}", difference.text);
        }
        (!same(&got, &start), exit)
    }
}

impl Trace {
    /// Executes at most `max` instructions from `hart` on.
    fn record(mut hart: Hart, memory: &Memory, isa: &Isa, max: usize) -> Self {
        let mut t =
            Self { states: vec![hart], insns: vec![], writes: vec![], exit: None, counted: false };
        while t.insns.len() < max && !t.counted {
            let insn = decode(memory, hart.pc, isa);
            let place = insn.and_then(|i| written_place(&i, &hart));
            let old = place.map(|(addr, len)| read(memory, addr, len)).unwrap_or_default();
            if let Err(exit) = interp::step(&mut hart, memory, isa) {
                t.exit = Some(exit);
                break;
            }
            let Some(insn) = insn else { break };
            if let Some((addr, len)) = place {
                let new = read(memory, addr, len);
                t.writes.push(Written { at: t.insns.len(), addr, old, new });
            }
            t.counted = reads_counter(&insn);
            t.insns.push(insn);
            t.states.push(hart);
        }
        t
    }

    /// Puts memory back to what it was before the first instruction.
    fn undo(&self, memory: &Memory) {
        for w in self.writes.iter().rev() {
            // It could be written a moment ago.
            let _ = memory.write_bytes(w.addr, &w.old);
        }
    }

    /// Finds the state of the trace in which the other engine has stopped.
    fn compare(&self, got: &Hart, exit: Option<Exit>, memory: &Memory) -> Result<(), String> {
        let mut why = String::from("no state of the interpreter is like this one");
        for (n, state) in self.states.iter().enumerate() {
            let last = n + 1 == self.states.len();
            if !same(state, got) || exit.is_some() && !last {
                continue;
            }
            if exit.is_some() && exit != self.exit {
                why = format!("the interpreter stops with {:?}", self.exit);
                continue;
            }
            match self.wrong_bytes(n, memory) {
                None => return Ok(()),
                Some(text) => why = text,
            }
        }
        Err(why)
    }

    /// Bytes that are not what they were after the first `n` instructions.
    fn wrong_bytes(&self, n: usize, memory: &Memory) -> Option<String> {
        let mut bytes = BTreeMap::new();
        for w in &self.writes {
            let values = if w.at < n { &w.new } else { &w.old };
            for (addr, value) in (w.addr..).zip(values) {
                if w.at < n {
                    bytes.insert(addr, *value);
                } else {
                    bytes.entry(addr).or_insert(*value);
                }
            }
        }
        let mut text = String::new();
        for (addr, value) in bytes {
            let found = memory.read_u8(addr).ok();
            if found != Some(value) {
                let _ = writeln!(text, "  {addr:#x}: {value:02x}, but found {found:02x?}");
            }
        }
        (!text.is_empty()).then(|| format!("memory differs:\n{text}"))
    }

    /// The whole story, for people.
    fn describe(&self, start: &Hart, got: &Hart, exit: Option<Exit>, what: &str) -> String {
        let mut text = String::new();
        for (insn, state) in self.insns.iter().zip(&self.states) {
            let _ = writeln!(
                text,
                "  {:8x}: {:08x}  {}",
                state.pc,
                insn.bits,
                isa::disasm(insn, state.pc)
            );
        }
        let last = self.states.last().unwrap_or(start);
        // The state at the pc where translated code was left, if the interpreter was there.
        let there = self.states.iter().rev().find(|s| s.pc == got.pc).unwrap_or(last);
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
        text
    }
}

/// True if a guest cannot tell the states apart.
fn same(a: &Hart, b: &Hart) -> bool {
    (a.pc, a.fcsr()) == (b.pc, b.fcsr()) && a.x == b.x && a.f == b.f
}

fn decode(memory: &Memory, pc: u64, isa: &Isa) -> Option<Insn> {
    let low = memory.fetch_u16(pc).ok()?;
    let high = if low & 3 == 3 { memory.fetch_u16(pc.wrapping_add(2)).ok()? } else { 0 };
    isa::decode(u32::from(high) << 16 | u32::from(low), isa)
}

/// As many of `len` bytes as can be read.
fn read(memory: &Memory, addr: u64, len: usize) -> Vec<u8> {
    let byte = |n: usize| memory.read_u8(addr.wrapping_add(n as u64)).ok();
    let mut bytes = vec![0; len];
    if memory.read_bytes(addr, &mut bytes).is_ok() {
        return bytes;
    }
    (0..len).map_while(byte).collect()
}

/// Address and number of the bytes that an instruction writes if it succeeds.
fn written_place(insn: &Insn, hart: &Hart) -> Option<(u64, usize)> {
    let base = hart.x[usize::from(insn.rs1)];
    match insn.op.format() {
        Format::Store | Format::FpStore => {
            Some((base.wrapping_add(insn.imm as u64), width(insn.op)))
        }
        Format::Amo | Format::AmoPair => Some((base, width(insn.op))),
        Format::Cbo => Some((base & !63, 64)),
        _ => None,
    }
}

/// Bytes that a store or an atomic writes, from the last letter of its name.
fn width(op: Op) -> usize {
    match op.mnemonic().bytes().last() {
        Some(b'b') => 1,
        Some(b'h') => 2,
        Some(b'w') => 4,
        Some(b'q') => 16,
        _ => 8,
    }
}

/// True for an instruction that reads a counter that counts time.
fn reads_counter(insn: &Insn) -> bool {
    let counts_time = matches!(insn.imm, 0xc00..=0xc02 | 0xc1e);
    matches!(insn.op.format(), Format::Csr | Format::CsrImm) && counts_time
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::{Mode, Prot};

    const CODE: u64 = 0x1_0000;
    const DATA: u64 = 0x2_0000;

    /// `addi a0, a0, 1; sd a0, 0(a1); ld a2, 0(a1); ebreak`.
    const WORDS: [u32; 4] = [0x0015_0513, 0x00a5_b023, 0x0005_b603, 0x0010_0073];

    fn traced() -> (Memory, Hart, Trace) {
        crate::sys::signal::install(super::super::fault::hook).unwrap();
        let memory = Memory::new(Mode::Guarded, 1 << 30).unwrap();
        memory.map_zero(CODE, 0x1000, Prot::RWX).unwrap();
        memory.map_zero(DATA, 0x1000, Prot::RW).unwrap();
        for (i, word) in WORDS.iter().enumerate() {
            memory.write_u32(CODE + 4 * i as u64, *word).unwrap();
        }
        let mut hart = Hart::new();
        hart.pc = CODE;
        (hart.x[10], hart.x[11]) = (6, DATA);
        let trace = Trace::record(hart, &memory, &Isa::MAX, 100);
        trace.undo(&memory);
        (memory, hart, trace)
    }

    #[test]
    fn every_state_on_the_way_is_right() {
        let (memory, hart, trace) = traced();
        assert_eq!((trace.states.len(), trace.exit), (4, Some(Exit::Ebreak)));
        assert_eq!(memory.read_u64(DATA), Ok(0), "undone");
        assert_eq!(trace.compare(&hart, None, &memory), Ok(()));
        assert_eq!(trace.compare(&trace.states[1], None, &memory), Ok(()));
        memory.write_u64(DATA, 7).unwrap();
        assert_eq!(trace.compare(&trace.states[2], None, &memory), Ok(()));
        assert_eq!(trace.compare(&trace.states[3], Some(Exit::Ebreak), &memory), Ok(()));
    }

    #[test]
    fn every_difference_is_seen() {
        let (memory, start, trace) = traced();
        let differs = |got: &Hart, exit| {
            let what = trace.compare(got, exit, &memory).expect_err("a difference");
            trace.describe(&start, got, exit, &what)
        };
        // The store has not been made.
        assert!(differs(&trace.states[2], None).contains("0x20000: 07, but found Some(00)"));
        memory.write_u64(DATA, 7).unwrap();
        let mut wrong = trace.states[3];
        wrong.x[12] = 8;
        assert!(differs(&wrong, None).contains("a2       0000000000000000"));
        let mut wrong = trace.states[3];
        wrong.fflags = 1;
        assert!(differs(&wrong, None).contains("fcsr"));
        assert!(differs(&trace.states[3], Some(Exit::Ecall)).contains("Ebreak"));
        assert!(differs(&trace.states[2], Some(Exit::Ebreak)).contains("sd"));
    }
}
