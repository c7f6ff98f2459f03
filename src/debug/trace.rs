//! What is executed, as text: instructions, accesses to memory, blocks, calls, or commits in the
//! form of Spike's `--log-commits`.

use super::Symbols;
use crate::cpu::Hart;
use crate::interp::Recorded;
use crate::isa::{self, Format, Insn, Op, csr};
use crate::mem::Memory;
use crate::runtime::Observer;
use rustc_hash::FxHashMap;
use std::fmt::Write as _;
use std::io::Write;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceKind {
    /// Each instruction.
    Insns,
    /// Each piece of code that is executed without a jump.
    Blocks,
    /// Calls and returns.
    Calls,
    /// Each access to memory.
    Mem,
    /// Each instruction with what it has changed.
    Commits,
}

/// Code that is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceRange {
    /// These addresses.
    Addresses(Range<u64>),
    /// Functions of this name.
    Function(String),
}

/// What is to be traced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceSpec {
    /// What is told.
    pub kind: TraceKind,
    /// Of which code; of all if there is none.
    pub range: Option<TraceRange>,
    /// Which instructions of a process, by number from 0.
    pub numbers: Range<u64>,
}

/// Why a text is no [`TraceSpec`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// The first word is no kind.
    #[error("`{0}` is nothing that can be traced")]
    Kind(String),
    /// Another word is not understood.
    #[error("`{0}` is no option of a trace")]
    Option(String),
}

impl std::str::FromStr for TraceSpec {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        let mut words = text.split(',');
        let kind = match words.next().unwrap_or_default() {
            "insns" => TraceKind::Insns,
            "blocks" => TraceKind::Blocks,
            "calls" => TraceKind::Calls,
            "mem" => TraceKind::Mem,
            "commits" => TraceKind::Commits,
            other => return Err(TraceError::Kind(other.to_owned())),
        };
        let mut spec = Self { kind, range: None, numbers: 0..u64::MAX };
        for word in words {
            let bad = || TraceError::Option(word.to_owned());
            match word.split_once('=').ok_or_else(bad)? {
                ("range", range) => spec.range = Some(parse_range(range).ok_or_else(bad)?),
                ("start", n) => spec.numbers.start = n.parse().map_err(|_| bad())?,
                ("stop", n) => spec.numbers.end = n.parse().map_err(|_| bad())?,
                _ => return Err(bad()),
            }
        }
        Ok(spec)
    }
}

/// `A-B`, two hexadecimal addresses of which the second is not part of it, or a function's name.
fn parse_range(text: &str) -> Option<TraceRange> {
    let address =
        |digits: &str| u64::from_str_radix(digits.strip_prefix("0x").unwrap_or(digits), 16).ok();
    if let Some((from, to)) = text.split_once('-')
        && let (Some(from), Some(to)) = (address(from), address(to))
    {
        return (from < to).then_some(TraceRange::Addresses(from..to));
    }
    (!text.is_empty()).then(|| TraceRange::Function(text.to_owned()))
}

/// Writes a trace, of a machine with `Options::trace`. Clones write the same one.
#[derive(Clone)]
pub struct Tracer(Arc<Mutex<State>>);

struct State {
    spec: TraceSpec,
    symbols: Symbols,
    out: Box<dyn Write + Send>,
    /// Instructions that the process has executed.
    count: u64,
    /// Text that was not written yet.
    text: String,
    /// Numbers of threads, from 0, and what each is at.
    threads: FxHashMap<u64, Thread>,
    /// Whether code at an address is told of, where that depends on its function.
    inside: FxHashMap<u64, bool>,
}

/// What a thread is at.
#[derive(Default)]
struct Thread {
    number: usize,
    /// Begin of the block, address behind its last instruction, number of instructions.
    block: Option<(u64, u64, u64)>,
    /// Where calls that are told of return to.
    returns: Vec<u64>,
}

/// Bytes of text that are written at once.
const CHUNK: usize = 64 << 10;

impl Tracer {
    /// A tracer that writes to `out`.
    #[must_use]
    pub fn new(spec: TraceSpec, symbols: Symbols, out: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(Mutex::new(State {
            spec,
            symbols,
            out,
            count: 0,
            text: String::new(),
            threads: FxHashMap::default(),
            inside: FxHashMap::default(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what was executed up to now.
    pub fn flush(&self) {
        self.lock().flush();
    }
}

impl Observer for Tracer {
    fn translated(&mut self, _: &crate::runtime::TranslatedBlock<'_>) {}

    fn executed(&mut self, memory: &Memory, thread: u64, hart: &Hart, step: &Recorded) -> bool {
        let state = &mut *self.lock();
        state.executed(memory, thread, hart, step);
        // The process may be copied, end, or wait for somebody who reads the trace.
        if step.insn.op == Op::Ecall || state.text.len() >= CHUNK {
            state.flush();
        }
        state.count < state.spec.numbers.end
    }
}

impl State {
    fn flush(&mut self) {
        // A full disk must not change what the guest does.
        let _ = self.out.write_all(self.text.as_bytes());
        self.text.clear();
    }

    fn executed(&mut self, memory: &Memory, thread: u64, hart: &Hart, step: &Recorded) {
        let number = self.count;
        self.count += 1;
        if !self.spec.numbers.contains(&number) {
            return;
        }
        let threads = self.threads.len();
        let known = self.threads.entry(thread);
        let number =
            known.or_insert_with(|| Thread { number: threads, ..Thread::default() }).number;
        if self.spec.kind == TraceKind::Blocks {
            return self.block(memory, thread, hart, step);
        }
        if !self.is_inside(memory, step.pc) {
            return;
        }
        let who = if number == 0 { String::new() } else { format!("[{number}] ") };
        let pc = step.pc;
        match self.spec.kind {
            TraceKind::Insns => {
                let text = isa::disasm(&step.insn, pc).to_string().replace('\t', " ");
                let bits = encoding(&step.insn);
                let _ = writeln!(self.text, "{who}{pc:#x}: {bits:<8} {text}");
            }
            TraceKind::Mem => {
                for a in &step.accesses {
                    let what = if a.store { "store" } else { "load" };
                    let (addr, size, value) = (a.addr, a.size, a.value);
                    let _ = writeln!(self.text, "{who}{pc:#x}: {what} {size} {addr:#x} {value:#x}");
                }
            }
            TraceKind::Commits => commit(&mut self.text, number, hart, step),
            TraceKind::Calls => self.call(memory, thread, hart, step, &who),
            TraceKind::Blocks => {}
        }
    }

    /// Whether the code at `pc` is told of.
    fn is_inside(&mut self, memory: &Memory, pc: u64) -> bool {
        match &self.spec.range {
            None => true,
            Some(TraceRange::Addresses(range)) => range.contains(&pc),
            Some(TraceRange::Function(name)) => {
                if let Some(&known) = self.inside.get(&pc) {
                    return known;
                }
                let found = self.symbols.name(memory, pc);
                let function = found.as_deref().map(|n| n.split_once('+').map_or(n, |(n, _)| n));
                let inside = function == Some(name);
                self.inside.insert(pc, inside);
                inside
            }
        }
    }

    fn name(&mut self, memory: &Memory, pc: u64) -> String {
        self.symbols.name(memory, pc).map(|name| format!(" {name}")).unwrap_or_default()
    }

    /// Tells of a block once it is left.
    fn block(&mut self, memory: &Memory, thread: u64, hart: &Hart, step: &Recorded) {
        let inside = self.is_inside(memory, step.pc);
        let Some(thread) = self.threads.get_mut(&thread) else { return };
        let next = step.pc.wrapping_add(u64::from(step.insn.len));
        let mut ended = None;
        match &mut thread.block {
            Some((_, end, n)) if *end == step.pc && inside => (*end, *n) = (next, *n + 1),
            other => {
                ended = other.take();
                *other = inside.then_some((step.pc, next, 1));
            }
        }
        let number = thread.number;
        let last = if ends_block(&step.insn) || hart.pc != next && step.completed {
            thread.block.take()
        } else {
            None
        };
        for (start, _, insns) in ended.into_iter().chain(last) {
            let who = if number == 0 { String::new() } else { format!("[{number}] ") };
            let name = self.name(memory, start);
            let _ = writeln!(self.text, "{who}{start:#x}: {insns}{name}");
        }
    }

    /// Tells of a call or a return. What jumps to another function instead of calling it is told of
    /// as nothing.
    fn call(&mut self, memory: &Memory, thread: u64, hart: &Hart, step: &Recorded, who: &str) {
        let Insn { op, rd, rs1, len, .. } = step.insn;
        // The psABI's link registers (unprivileged manual, "Unconditional Jumps").
        let links = |r: u8| r == 1 || r == 5;
        let jumps = matches!(op, Op::Jal | Op::Jalr);
        if jumps && links(rd) {
            let to = hart.pc;
            let name = self.name(memory, to);
            let Some(thread) = self.threads.get_mut(&thread) else { return };
            let depth = thread.returns.len();
            thread.returns.push(step.pc.wrapping_add(u64::from(len)));
            let from = step.pc;
            let _ = writeln!(self.text, "{who}{:depth$}> {to:#x}{name} from {from:#x}", "");
        } else if op == Op::Jalr && rd == 0 && links(rs1) {
            let to = hart.pc;
            let Some(thread) = self.threads.get_mut(&thread) else { return };
            // Where it is no return, or one of a call from before, nothing is known of it.
            if let Some(depth) = thread.returns.iter().rposition(|&at| at == to) {
                thread.returns.truncate(depth);
                let value = hart.x[10];
                let _ = writeln!(self.text, "{who}{:depth$}< {value:#x}", "");
            }
        }
    }
}

/// What goes elsewhere than to the next instruction, or may.
fn ends_block(insn: &Insn) -> bool {
    matches!(insn.op.format(), Format::B | Format::J | Format::Jalr)
        || matches!(insn.op, Op::Ecall | Op::Ebreak | Op::FenceI)
}

/// The digits of an instruction's encoding.
fn encoding(insn: &Insn) -> String {
    let digits = usize::from(insn.len) * 2;
    format!("{:0digits$x}", insn.bits)
}

/// An instruction that has completed, as Spike's `--log-commits` writes it (`execute.cc`): hart,
/// privilege (0 for user mode), pc, encoding, registers with their values, addresses of loads,
/// addresses and values of stores.
fn commit(out: &mut String, number: usize, hart: &Hart, step: &Recorded) {
    if !step.completed {
        return;
    }
    let insn = &step.insn;
    let _ = write!(out, "core{number:4}: 0 {:#018x} (0x{})", step.pc, encoding(insn));
    let (int, float) = written(insn);
    for r in int {
        let _ = write!(out, " x{r:<2} {:#018x}", hart.x[usize::from(r)]);
    }
    if let Some(r) = float {
        let _ = write!(out, " f{r:<2} {:#018x}", hart.f[usize::from(r)]);
    }
    if matches!(insn.op.format(), Format::Csr | Format::CsrImm) && csr::writes(insn) {
        let number = insn.imm as u16;
        let fcsr = u64::from(hart.frm) << 5 | u64::from(hart.fflags);
        let flags = ("c1_fflags", fcsr & 31);
        let mode = ("c2_frm", fcsr >> 5);
        let all: &[_] = match number {
            1 => &[flags],
            2 => &[mode],
            _ => &[flags, mode],
        };
        for (name, value) in all {
            let _ = write!(out, " {name} {value:#018x}");
        }
    }
    let loads = step.accesses.iter().filter(|a| !a.store);
    let mut last = None;
    // An atomic operation may have tried more than once.
    for load in loads.filter(|load| last.replace(load.addr) != Some(load.addr)) {
        let _ = write!(out, " mem {:#018x}", load.addr);
    }
    for store in step.accesses.iter().filter(|a| a.store) {
        let digits = store.size.min(16) as usize * 2;
        let _ = write!(out, " mem {:#018x} 0x{:0digits$x}", store.addr, store.value);
    }
    out.push('\n');
}

/// The registers that an instruction writes, without x0.
fn written(insn: &Insn) -> (Vec<u8>, Option<u8>) {
    let rd = insn.rd;
    match insn.op.format() {
        Format::Store
        | Format::FpStore
        | Format::B
        | Format::Fence
        | Format::FenceTso
        | Format::FenceI
        | Format::Bare
        | Format::Cbo => (Vec::new(), None),
        Format::FpLoad
        | Format::FpR4
        | Format::FpRm
        | Format::FpUnaryRm
        | Format::Fp
        | Format::IntToFp
        | Format::IntToFpRm
        | Format::Fli => (Vec::new(), Some(rd)),
        _ if rd == 0 => (Vec::new(), None),
        Format::AmoPair => (vec![rd, rd + 1], None),
        _ => (vec![rd], None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifications() {
        let spec: TraceSpec = "insns,range=0x10000-10100,start=5,stop=9".parse().unwrap();
        assert_eq!(spec.kind, TraceKind::Insns);
        assert_eq!(spec.range, Some(TraceRange::Addresses(0x10000..0x10100)));
        assert_eq!(spec.numbers, 5..9);
        let spec: TraceSpec = "calls,range=main".parse().unwrap();
        assert_eq!(spec.range, Some(TraceRange::Function("main".into())));
        for bad in
            ["", "all", "mem,range=", "mem,range=20-10", "mem,start=x", "mem,more", "mem,a=b"]
        {
            assert!(bad.parse::<TraceSpec>().is_err(), "{bad}");
        }
    }

    /// Encoding, accesses (address, value, bytes, whether it is a store), and the line.
    type Case = (u32, &'static [(u64, u128, u64, bool)], &'static str);

    /// What Spike 1.1.1 prints for the same instructions, but for the privilege.
    #[test]
    fn commits_are_as_spike_writes_them() {
        let mut hart = Hart::new();
        (hart.x[10], hart.x[2], hart.f[15]) = (0x1234, 0x4000_0000, 0xffff_ffff_3f80_0000);
        let line = |bits: u32, accesses: &[(u64, u128, u64, bool)]| {
            let insn = isa::decode(bits, &isa::Isa::MAX).unwrap();
            let access = |&(addr, value, size, store)| crate::interp::MemoryAccess {
                addr,
                value,
                size,
                store,
            };
            let accesses = accesses.iter().map(access).collect();
            let mut out = String::new();
            let step = Recorded { pc: 0x10078, insn, accesses, completed: true };
            commit(&mut out, 0, &hart, &step);
            out.trim_end().to_owned()
        };
        // li a0, 1; nop; c.mv a0, a1; lw a0, 4(sp); sh a0, 4(sp); flw fa5, 0(sp); fsflags a0
        let cases: [Case; 7] = [
            (0x0010_0513, &[], "(0x00100513) x10 0x0000000000001234"),
            (0x0000_0013, &[], "(0x00000013)"),
            (0x852e, &[], "(0x852e) x10 0x0000000000001234"),
            (
                0x0041_2503,
                &[(0x4000_0004, 0x1234, 4, false)],
                "(0x00412503) x10 0x0000000000001234 mem 0x0000000040000004",
            ),
            (
                0x00a1_1223,
                &[(0x4000_0004, 0x1234, 2, true)],
                "(0x00a11223) mem 0x0000000040000004 0x1234",
            ),
            (
                0x0001_2787,
                &[(0x4000_0000, 0x3f80_0000, 4, false)],
                "(0x00012787) f15 0xffffffff3f800000 mem 0x0000000040000000",
            ),
            (0x0015_1073, &[], "(0x00151073) c1_fflags 0x0000000000000000"),
        ];
        for (bits, accesses, expected) in cases {
            let expected = format!("core   0: 0 0x0000000000010078 {expected}");
            assert_eq!(line(bits, accesses), expected);
        }
    }
}
