//! Running fast: decoded blocks, found by address or by a link from the block before.

use super::{Exit, Handler, Hart, Insn, Isa, Memory, Op, fetch, handler_for, rv_i};
use crate::util::page_down;
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Most instructions in a block: the stop flag is looked at between blocks.
const MAX_BLOCK: usize = 64;
/// Most decoded instructions in the cache (some tens of megabytes); beyond, it starts afresh.
const MAX_CACHED: usize = 1 << 20;

/// A decoded instruction and the function that executes it.
struct Slot {
    run: Handler<Memory>,
    insn: Insn,
}

/// Instructions of which only the last may be a jump.
struct Block {
    slots: Box<[Slot]>,
    /// Effective addresses of the bytes it was decoded from.
    bytes: Range<u64>,
    /// Where it went last, and which block that is: `[0]` for the instruction behind the block,
    /// `[1]` for anything else.
    links: [Option<Link>; 2],
    /// How many of its instructions were noted as executed; all there can be if nobody notes.
    noted: usize,
}

/// Where guest code is noted that the interpreter has executed: ranges of addresses, each for the
/// first time since the block cache was cleared.
pub type Noted = Arc<Mutex<Vec<Range<u64>>>>;

#[derive(Clone, Copy)]
struct Link {
    pc: u64,
    block: usize,
}

/// An interpreter with a cache of decoded blocks. It belongs to one thread and, between calls of
/// [`Interp::clear`], to one memory and one `Isa`.
#[derive(Default)]
pub struct Interp {
    blocks: Vec<Block>,
    by_pc: FxHashMap<u64, usize>,
    cached: usize,
    noted: Option<Noted>,
}

impl std::fmt::Debug for Interp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Interp({} blocks, {} instructions)", self.blocks.len(), self.cached)
    }
}

impl Interp {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty cache; what is executed is noted.
    #[must_use]
    pub fn noting(noted: Noted) -> Self {
        Self { noted: Some(noted), ..Self::default() }
    }

    /// Forgets all blocks.
    pub fn clear(&mut self) {
        self.blocks.clear();
        self.by_pc.clear();
        self.cached = 0;
    }

    /// Executes instructions until something stops the hart, at most `budget` of them. Returns
    /// the reason and how many instructions completed; the one that caused the exit did not.
    ///
    /// The stop flag is looked at before each block, and so are events of code pages, which
    /// interrupt too. What other code has been written since it was first executed is seen only
    /// after [`Interp::clear`], which the caller does on [`Exit::FenceI`] and when it has taken
    /// these events.
    pub fn run(
        &mut self,
        hart: &mut Hart,
        mem: &Memory,
        isa: &Isa,
        budget: u64,
        stop: &AtomicBool,
    ) -> (Exit, u64) {
        let mut left = budget;
        // The block that was left last, and through which of its links.
        let mut from = None;
        loop {
            if left == 0 {
                return (Exit::OutOfFuel, budget);
            }
            if stop.load(Ordering::Relaxed) || mem.has_code_events() {
                return (Exit::Interrupted, budget - left);
            }
            let index = match self.find(hart.pc, from, mem, isa) {
                Ok(index) => index,
                Err(exit) => return (exit, budget - left),
            };
            let slots = &self.blocks[index].slots;
            let slots = &slots[..slots.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
            let (done, exit) = run_slots(slots, hart, mem);
            left -= done as u64;
            if done >= self.blocks[index].noted {
                self.note(index, done, exit.as_ref());
            }
            if let Some(exit) = exit {
                return (exit, budget - left);
            }
            from = Some(index);
        }
    }

    /// Notes that the first `done` instructions of a block were executed, and one that asks for
    /// something to be served.
    #[cold]
    fn note(&mut self, index: usize, done: usize, exit: Option<&Exit>) {
        let Some(noted) = &self.noted else { return };
        let block = &mut self.blocks[index];
        let served = matches!(exit, Some(Exit::Ecall | Exit::Ebreak | Exit::FenceI));
        let done = done + usize::from(served);
        if done > block.noted {
            let len = |n: usize| block.slots[..n].iter().map(|s| u64::from(s.insn.len)).sum();
            let at = |n| block.bytes.start.saturating_add(len(n));
            let range = at(block.noted)..at(done);
            noted.lock().unwrap_or_else(PoisonError::into_inner).push(range);
            block.noted = done;
        }
        if block.noted == block.slots.len() {
            block.noted = usize::MAX;
        }
    }

    /// The block at `pc`, which was reached from the block `from`.
    #[inline]
    fn find(
        &mut self,
        pc: u64,
        from: Option<usize>,
        mem: &Memory,
        isa: &Isa,
    ) -> Result<usize, Exit> {
        let Some(from) = from else { return self.lookup(pc, mem, isa).map(|(block, _)| block) };
        for link in self.blocks[from].links.into_iter().flatten() {
            if link.pc == pc {
                return Ok(link.block);
            }
        }
        let (block, cleared) = self.lookup(pc, mem, isa)?;
        if !cleared {
            let Block { bytes, links, .. } = &mut self.blocks[from];
            links[usize::from(mem.effective(pc) != bytes.end)] = Some(Link { pc, block });
        }
        Ok(block)
    }

    /// The block at `pc`, decoded if it is new; true if the cache was cleared to make room.
    #[cold]
    fn lookup(&mut self, pc: u64, mem: &Memory, isa: &Isa) -> Result<(usize, bool), Exit> {
        if let Some(&block) = self.by_pc.get(&pc) {
            return Ok((block, false));
        }
        let mut block = decode_block(pc, mem, isa)?;
        if self.noted.is_some() {
            block.noted = 0;
        }
        let full = self.cached + block.slots.len() > MAX_CACHED;
        if full {
            self.clear();
        }
        self.cached += block.slots.len();
        self.blocks.push(block);
        self.by_pc.insert(pc, self.blocks.len() - 1);
        Ok((self.blocks.len() - 1, full))
    }
}

/// Executes the slots in order, the first of which is the one at `hart.pc`. Returns how many
/// completed, and why it was not all of them.
#[inline]
fn run_slots(slots: &[Slot], hart: &mut Hart, mem: &Memory) -> (usize, Option<Exit>) {
    let mut pc = hart.pc;
    for (done, slot) in slots.iter().enumerate() {
        match (slot.run)(hart, mem, &slot.insn, pc) {
            Ok(next) => pc = next,
            Err(stop) => {
                hart.pc = pc;
                return (done, Some(*stop.0));
            }
        }
    }
    hart.pc = pc;
    (slots.len(), None)
}

/// Decodes from `pc` up to a jump, to something that cannot be executed, or to the page's end.
/// The last instruction may reach into the next page.
fn decode_block(pc: u64, mem: &Memory, isa: &Isa) -> Result<Block, Exit> {
    let start = mem.effective(pc);
    let mut slots = Vec::new();
    let mut at = pc;
    // Whether it can be fetched at all is found out by doing so.
    let _ = mem.watch_code(start..start.saturating_add(1));
    while slots.len() < MAX_BLOCK {
        let first = mem.effective(at);
        if page_down(first) != page_down(start) {
            break;
        }
        let last = mem.effective(at.wrapping_add(2));
        if page_down(last) != page_down(start) {
            let _ = mem.watch_code(last..last.saturating_add(1));
        }
        let insn = match fetch(mem, isa, at) {
            Ok(insn) => insn,
            // What lies before it can be executed; it is met again when its turn has come.
            Err(_) if !slots.is_empty() => break,
            Err(exit) => return Err(exit),
        };
        slots.push(Slot { run: handler_for(&insn, isa), insn });
        at = at.wrapping_add(u64::from(insn.len));
        if ends_block(insn.op) {
            break;
        }
    }
    let bytes = start..start.saturating_add(at.wrapping_sub(pc));
    Ok(Block { slots: slots.into(), bytes, links: [None; 2], noted: usize::MAX })
}

/// True for what goes elsewhere than to the next instruction, or never completes.
fn ends_block(op: Op) -> bool {
    rv_i::jumps(op) || matches!(op, Op::Ecall | Op::Ebreak | Op::FenceI)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{Access, Fault};
    use crate::mem::{Mode, Prot};

    const CODE: u64 = 0x10000;

    /// Sums x10 = 1 + 2 + ... + x11 and stops at an `ecall`.
    const SUM: [u32; 5] = [
        0x0000_0513, // li a0, 0
        0x00b5_0533, // add a0, a0, a1
        0xfff5_8593, // addi a1, a1, -1
        0xfe05_9ce3, // bnez a1, -8
        0x0000_0073, // ecall
    ];

    fn with_code(code: &[u32], prot: Prot) -> (Memory, Hart) {
        crate::sys::signal::install_handlers().unwrap();
        let mem = Memory::new(Mode::Guarded, 1 << 20).unwrap();
        mem.map_zero(CODE, 0x1000, Prot::RW).unwrap();
        let bytes: Vec<u8> = code.iter().flat_map(|w| w.to_le_bytes()).collect();
        mem.write_bytes(CODE, &bytes).unwrap();
        mem.protect(CODE, 0x1000, prot).unwrap();
        let mut hart = Hart::new();
        hart.pc = CODE;
        (mem, hart)
    }

    fn go(i: &mut Interp, hart: &mut Hart, mem: &Memory, budget: u64) -> (Exit, u64) {
        // What the tests do to code between two runs.
        let _ = mem.take_code_events();
        i.run(hart, mem, &Isa::default(), budget, &AtomicBool::new(false))
    }

    #[test]
    fn budget_is_exact_at_every_instruction() {
        let (mem, mut hart) = with_code(&SUM, Prot::RX);
        hart.x[11] = 9;
        let (mut stepped, mut whole) = (hart.clone(), hart.clone());
        assert_eq!(go(&mut Interp::new(), &mut whole, &mem, 1000), (Exit::Ecall, 28));
        assert_eq!((whole.x[10], whole.pc), (45, CODE + 16));
        for fuel in 0..=28 {
            let mut short = hart.clone();
            let expected = if fuel < 28 { Exit::OutOfFuel } else { Exit::Ecall };
            let budget = if fuel < 28 { fuel } else { 29 };
            assert_eq!(go(&mut Interp::new(), &mut short, &mem, budget), (expected, fuel));
            assert_eq!(short, stepped);
            let _ = crate::interp::step(&mut stepped, &mem, &Isa::default());
        }
    }

    #[test]
    fn stop_flag_and_zero_budget() {
        let (mem, mut hart) = with_code(&SUM, Prot::RX);
        let stop = AtomicBool::new(true);
        let mut interp = Interp::new();
        let exit = interp.run(&mut hart, &mem, &Isa::default(), 7, &stop);
        assert_eq!(exit, (Exit::Interrupted, 0));
        assert_eq!(go(&mut interp, &mut hart, &mem, 0), (Exit::OutOfFuel, 0));
    }

    #[test]
    fn new_code_is_seen_when_the_cache_is_cleared() {
        let (mem, hart) = with_code(&[0x0010_0513, 0x0000_100f, 0x0000_0073], Prot::RWX);
        let mut interp = Interp::new();
        mem.expect_fences(CODE..CODE + 4);
        let run = |interp: &mut Interp| {
            let mut h = hart.clone();
            assert_eq!(go(interp, &mut h, &mem, 10), (Exit::FenceI, 1));
            assert_eq!(h.pc, CODE + 4);
            h.x[10]
        };
        assert_eq!(run(&mut interp), 1);
        mem.write_u32(CODE, 0x0020_0513).unwrap();
        assert_eq!(mem.take_dirty_code(), [CODE]);
        assert_eq!(run(&mut interp), 1);
        interp.clear();
        assert_eq!(run(&mut interp), 2);
    }

    #[test]
    fn fetch_faults_are_precise() {
        let (mem, mut hart) = with_code(&[0x0000_0013], Prot::RX);
        // A 4-byte instruction whose second half is on a page that is not mapped.
        mem.protect(CODE, 0x1000, Prot::RWX).unwrap();
        mem.write_u16(CODE + 0xffe, 0x0013).unwrap();
        let beyond = Fault {
            addr: CODE + 0x1000,
            access: Access::Execute,
            mapped: false,
            beyond_file: false,
        };
        hart.pc = CODE + 0xffe;
        let before = hart.clone();
        assert_eq!(go(&mut Interp::new(), &mut hart, &mem, 5), (Exit::Fault(beyond), 0));
        assert_eq!(hart, before);
        // The same, met in the middle of a block: what is before it completes.
        mem.write_u16(CODE + 0xffc, 0x0505).unwrap();
        hart.pc = CODE + 0xffc;
        assert_eq!(go(&mut Interp::new(), &mut hart, &mem, 5), (Exit::Fault(beyond), 1));
        assert_eq!((hart.x[10], hart.pc), (1, CODE + 0xffe));
        // Mapped but not executable.
        mem.map_zero(CODE + 0x1000, 0x1000, Prot::RW).unwrap();
        let refused = Fault { mapped: true, ..beyond };
        assert_eq!(
            crate::interp::step(&mut hart, &mem, &Isa::default()),
            Err(Exit::Fault(refused))
        );
        hart.pc = CODE + 0x1000;
        assert_eq!(go(&mut Interp::new(), &mut hart, &mem, 5), (Exit::Fault(refused), 0));
    }

    #[test]
    fn without_c_a_misaligned_target_stops_the_jump() {
        let isa: Isa = "max,-c".parse().unwrap();
        // jalr ra, 2(a0); beq x0, x0, +6.
        let (mem, mut hart) = with_code(&[0x0025_00e7, 0x0000_0363], Prot::RX);
        let misaligned = |addr| {
            Exit::Misaligned(Fault {
                addr,
                access: Access::Execute,
                mapped: true,
                beyond_file: false,
            })
        };
        hart.x[10] = CODE;
        let before = hart.clone();
        assert_eq!(crate::interp::step(&mut hart, &mem, &isa), Err(misaligned(CODE + 2)));
        assert_eq!(hart, before);
        hart.pc = CODE + 4;
        let exit = Interp::new().run(&mut hart, &mem, &isa, 9, &AtomicBool::new(false));
        assert_eq!(exit, (misaligned(CODE + 10), 0));
    }

    #[test]
    fn a_sandbox_sees_the_low_half_of_addresses() {
        crate::sys::signal::install_handlers().unwrap();
        let mem = Memory::new(Mode::Sandbox, 0).unwrap();
        mem.map_zero(CODE, 0x1000, Prot::RWX).unwrap();
        // ld a0, 0(a1); ld a0, 0(a2)
        mem.write_bytes(CODE, &[0x03, 0xb5, 0x05, 0, 0x03, 0x35, 0x06, 0]).unwrap();
        let mut hart = Hart::new();
        hart.pc = CODE | 7 << 32;
        (hart.x[11], hart.x[12]) = (CODE | 5 << 40, 0x20000 | 9 << 32);
        let refused =
            Fault { addr: 0x20000, access: Access::Read, mapped: false, beyond_file: false };
        let mut interp = Interp::new();
        assert_eq!(go(&mut interp, &mut hart, &mem, 9), (Exit::Fault(refused), 1));
        assert_eq!((hart.pc, hart.x[10]), ((CODE + 4) | (7 << 32), 0x0006_3503_0005_b503));
    }

    #[test]
    fn a_full_cache_starts_afresh() {
        let (mem, mut hart) = with_code(&SUM, Prot::RX);
        let mut interp = Interp { cached: MAX_CACHED, ..Interp::new() };
        hart.x[11] = 100;
        assert_eq!(go(&mut interp, &mut hart, &mem, 1000), (Exit::Ecall, 301));
        assert!(interp.cached < 10);
    }
}
