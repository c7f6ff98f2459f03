//! How often each part of each block was executed, from the counters of `Options::count`.
//!
//! A block is cut where its counters stand (`backend::CountPoint`): each part of it is executed as
//! often as the counter before it says, as far as nothing in it jumps on the likely path. Faults
//! and polls that leave in the middle count as if the part had been executed to its end; stubs,
//! helpers and the code that counts are not counted.

use crate::backend::{CountPoint, Counted, LinkSite};
use crate::ir::{Block, Node, Op};
use crate::isa::{self, Isa};
use crate::runtime::{BlockCounts, Observer, TranslatedBlock, backend_name};
use crate::util::CodePtr;
use iced_x86::{Decoder, DecoderOptions, Instruction};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keeps every block that is translated, with its counters. Clones share what they keep.
#[derive(Clone, Default)]
pub struct Profiler(Arc<Mutex<Vec<ProfiledBlock>>>);

/// A translated block and how often its parts were executed.
pub struct ProfiledBlock {
    /// The operations.
    pub ir: Block,
    /// Guest code it was made from: address and bytes, in order of execution.
    pub code: Vec<(u64, Vec<u8>)>,
    /// Host address of `hot`.
    pub hot_at: u64,
    /// Host code on the likely path, with the code that counts.
    pub hot: Vec<u8>,
    /// Host address of `cold`.
    pub cold_at: u64,
    /// Host code of exits and slow paths.
    pub cold: Vec<u8>,
    parts: Vec<Part>,
    counts: BlockCounts,
}

/// A part of a block, to be shown.
pub(super) struct Listed<'a> {
    /// Number of executions.
    pub(super) times: u64,
    /// Addresses and encodings of guest instructions.
    pub(super) guest: Vec<(u64, u32)>,
    /// Operations.
    pub(super) nodes: Vec<Node>,
    /// Host address of `host`.
    pub(super) host_at: u64,
    /// Host code, without that which counts.
    pub(super) host: &'a [u8],
}

/// Part of a block that one counter counts.
struct Part {
    counted: Counted,
    /// Guest addresses.
    addresses: Range<u64>,
    /// Whether its host code is in the cold part, and where.
    cold: bool,
    code: Range<usize>,
    /// Guest instructions that begin in it.
    guest: u32,
    /// Host instructions of it.
    host: u32,
    /// End of the part.
    end: End,
}

/// End of a part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// With the next part.
    Falls,
    /// With a conditional branch.
    Branch,
    Jump,
    Call,
    CallIndirect,
    JumpIndirect,
    Return,
    Exit,
}

/// Number of executed instructions and operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// Guest instructions by translated code.
    pub guest: u64,
    /// Host instructions of blocks.
    pub host: u64,
    /// Conditional branches.
    pub branches: u64,
    /// Those that were taken.
    pub taken: u64,
    /// Direct jumps from block to block.
    pub jumps: u64,
    /// Direct calls.
    pub calls: u64,
    /// Jumps through a register, other than calls and returns.
    pub indirect_jumps: u64,
    /// Calls through a register.
    pub indirect_calls: u64,
    /// Returns.
    pub returns: u64,
    /// Returns that came to where they were predicted to come.
    pub return_hits: u64,
    /// Guest instructions in parts that were executed once.
    pub once: u64,
    /// Different guest instructions that were executed, counted once for each block they are in.
    pub distinct: u64,
}

impl Executed {
    /// Names and values, in order.
    #[must_use]
    pub fn list(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("executed_guest", self.guest),
            ("executed_host", self.host),
            ("executed_branches", self.branches),
            ("executed_taken", self.taken),
            ("executed_jumps", self.jumps),
            ("executed_calls", self.calls),
            ("executed_indirect_jumps", self.indirect_jumps),
            ("executed_indirect_calls", self.indirect_calls),
            ("executed_returns", self.returns),
            ("return_hits", self.return_hits),
            ("executed_once", self.once),
            ("executed_distinct", self.distinct),
        ]
    }
}

impl std::ops::AddAssign for Executed {
    fn add_assign(&mut self, o: Self) {
        self.guest += o.guest;
        self.host += o.host;
        self.branches += o.branches;
        self.taken += o.taken;
        self.jumps += o.jumps;
        self.calls += o.calls;
        self.indirect_jumps += o.indirect_jumps;
        self.indirect_calls += o.indirect_calls;
        self.returns += o.returns;
        self.return_hits += o.return_hits;
        self.once += o.once;
        self.distinct += o.distinct;
    }
}

impl Profiler {
    /// The blocks so far.
    pub fn blocks(&self) -> MutexGuard<'_, Vec<ProfiledBlock>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sum over all blocks.
    #[must_use]
    pub fn executed(&self) -> Executed {
        let mut sum = Executed::default();
        self.blocks().iter().for_each(|b| sum += b.executed());
        sum
    }
}

impl Observer for Profiler {
    fn translated(&mut self, block: &TranslatedBlock<'_>) {
        if let Some(counts) = block.counts {
            self.blocks().push(ProfiledBlock::new(block, counts.clone()));
        }
    }
}

impl ProfiledBlock {
    fn new(block: &TranslatedBlock<'_>, counts: BlockCounts) -> Self {
        let mut code = Vec::new();
        for &(at, len) in &block.ir.ranges {
            let mut bytes = vec![0; len as usize];
            // What is not there any more cannot be shown.
            if block.memory.read_bytes(at, &mut bytes).is_ok() {
                code.push((at, bytes));
            }
        }
        let parts = parts(block, &instructions(&code));
        Self {
            ir: block.ir.clone(),
            code,
            hot_at: block.hot_at,
            hot: block.hot.to_vec(),
            cold_at: block.cold_at,
            cold: block.cold.to_vec(),
            parts,
            counts,
        }
    }

    /// Number of times that it was entered.
    #[must_use]
    pub fn entered(&self) -> u64 {
        self.counts.get(0)
    }

    /// Its parts, in the order in which they were emitted.
    pub(super) fn listed(&self) -> Vec<Listed<'_>> {
        let listed = |(n, part): (usize, &Part)| {
            let inside = |pc: &u64| part.addresses.contains(pc);
            let (code, base) =
                if part.cold { (&self.cold, self.cold_at) } else { (&self.hot, self.hot_at) };
            Listed {
                times: self.counts.get(n),
                guest: instructions(&self.code).into_iter().filter(|(pc, _)| inside(pc)).collect(),
                nodes: self.ir.nodes.iter().filter(|n| inside(&n.pc)).copied().collect(),
                host_at: base + part.code.start as u64,
                host: &code[part.code.clone()],
            }
        };
        self.parts.iter().enumerate().map(listed).collect()
    }

    /// Instructions executed in this block.
    #[must_use]
    pub fn executed(&self) -> Executed {
        let (mut sum, mut skipped) = (Executed::default(), 0);
        for (n, part) in self.parts.iter().enumerate() {
            let times = self.counts.get(n);
            let guest = u64::from(part.guest);
            sum.host += times * u64::from(part.host);
            if let Counted::Skipped(_) = part.counted {
                skipped += times * guest;
                continue;
            }
            sum.guest += times * guest;
            if let Counted::Group { iterations, .. } = part.counted {
                sum.branches += times * u64::from(iterations);
                sum.taken += times * u64::from(iterations);
                continue;
            }
            sum.once += if times == 1 { guest } else { 0 };
            sum.distinct += if times == 0 { 0 } else { guest };
            match part.end {
                End::Falls | End::Exit => {}
                End::Branch => {
                    let guest = |p: &Part| matches!(p.counted, Counted::Guest(_));
                    let next = self.parts.iter().skip(n + 1).position(guest).map(|m| n + 1 + m);
                    let passed = next.map_or(times, |next| self.counts.get(next));
                    // What goes back to the next copy of a loop comes by a part of nothing.
                    let copy = |p: &Part| p.host == 0 && p.addresses.is_empty();
                    let back = next.is_some_and(|next| copy(&self.parts[next]));
                    sum.branches += times;
                    sum.taken += if back { passed } else { times.saturating_sub(passed) };
                }
                End::Jump => sum.jumps += times,
                End::Call => sum.calls += times,
                End::CallIndirect => sum.indirect_calls += times,
                End::JumpIndirect => sum.indirect_jumps += times,
                End::Return => sum.returns += times,
            }
            if part.counted == Counted::Return {
                sum.return_hits += times;
            }
        }
        sum.guest = sum.guest.saturating_sub(skipped);
        sum
    }
}

/// Addresses and encodings of the instructions in `code`.
fn instructions(code: &[(u64, Vec<u8>)]) -> Vec<(u64, u32)> {
    let mut all = Vec::new();
    for (start, bytes) in code {
        let mut at = 0;
        while at < bytes.len() {
            let len = if bytes[at] & 3 == 3 { 4 } else { 2 };
            let mut word = [0; 4];
            let there = &bytes[at..(at + len).min(bytes.len())];
            word[..there.len()].copy_from_slice(there);
            all.push((start + at as u64, u32::from_le_bytes(word)));
            at += len;
        }
    }
    all
}

fn parts(block: &TranslatedBlock<'_>, instructions: &[(u64, u32)]) -> Vec<Part> {
    let points = block.points;
    let part = |(n, point): (usize, &CountPoint)| {
        let addresses = match point.counted {
            Counted::Guest(from) => {
                let next = points[n + 1..].iter().find_map(|p| match p.counted {
                    Counted::Guest(next) => Some(next),
                    _ => None,
                });
                from..next.unwrap_or(u64::MAX)
            }
            _ => 0..0,
        };
        let inside = match point.counted {
            Counted::Skipped(branch) => skipped(branch, instructions),
            Counted::Group { from, to, .. } => from..to,
            _ => addresses.clone(),
        };
        let iterations = match point.counted {
            Counted::Group { iterations, .. } => iterations,
            _ => 1,
        };
        let guest = instructions.iter().filter(|(pc, _)| inside.contains(pc)).count() as u32;
        let guest = guest * iterations;
        let end = if addresses.is_empty() { End::Falls } else { end(block.ir, &addresses) };
        let (cold, code) = host_range(block, point);
        let host = count_instructions(&(if cold { block.cold } else { block.hot })[code.clone()]);
        Part { counted: point.counted, addresses, cold, code, guest, host, end }
    };
    points.iter().enumerate().map(part).collect()
}

/// Addresses of the instructions that the branch at `pc` skips.
fn skipped(pc: u64, instructions: &[(u64, u32)]) -> Range<u64> {
    let branch = instructions.iter().find(|(at, _)| *at == pc);
    match branch.and_then(|(_, bits)| isa::decode(*bits, &Isa::default())) {
        Some(insn) => pc + u64::from(insn.len)..pc.wrapping_add(insn.imm as u64),
        None => 0..0,
    }
}

fn end(block: &Block, range: &Range<u64>) -> End {
    let last = block.nodes.iter().rev().find(|n| range.contains(&n.pc));
    match last.map(|n| n.op) {
        Some(Op::Branch { .. }) => End::Branch,
        Some(Op::Jump { .. }) => End::Jump,
        Some(Op::Call { .. }) => End::Call,
        Some(Op::CallIndirect { .. }) => End::CallIndirect,
        Some(Op::JumpIndirect { is_return: true, .. }) => End::Return,
        Some(Op::JumpIndirect { .. }) => End::JumpIndirect,
        Some(Op::Exit(_)) => End::Exit,
        _ if range.end == u64::MAX => End::Jump,
        _ => End::Falls,
    }
}

/// The host code between `point` and the next one, or a stub, or the end: whether it is cold, and
/// where it is in its part.
fn host_range(block: &TranslatedBlock<'_>, point: &CountPoint) -> (bool, Range<usize>) {
    let [hot, cold] = block.places;
    let is_cold = point.end.0 >= cold;
    let (base, len) = if is_cold { (cold, block.cold.len()) } else { (hot, block.hot.len()) };
    let starts = block.points.iter().map(|p| p.start);
    let stubs = block.links.iter().map(|l: &LinkSite| l.stub);
    let after = |at: &CodePtr| *at >= point.end && at.0 <= base + len as u32;
    let end = starts.chain(stubs).filter(after).min();
    (is_cold, (point.end.0 - base) as usize..end.map_or(len, |at| (at.0 - base) as usize))
}

/// The number of instructions in host code.
fn count_instructions(code: &[u8]) -> u32 {
    if backend_name() != "x86-64" {
        return code.len() as u32 / 4;
    }
    let mut decoder = Decoder::new(64, code, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    let mut n = 0;
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        n += 1;
    }
    n
}
