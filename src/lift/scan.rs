//! Which instructions make a block.
//!
//! A block is a superblock: one entry, many exits, laid out along the path that is likely taken.
//! Longer blocks let the backend keep values in registers and constants in mind, and save jumps;
//! the price is code that is translated more than once. The policy:
//!
//! - A conditional branch is assumed not taken. Forward ones skip rare code more often than not;
//!   after a backward one comes what follows the loop.
//! - A branch over one or two instructions that only compute is no branch but makes them
//!   conditional (see `opt::if_convert`).
//! - A forward `jal x0` is followed (at most `Limits::max_jumps` of them) if its target can be
//!   fetched and is not a loop head. A backward one ends the block with a jump: it almost always
//!   closes a loop. As a block only ever goes forward, it never meets itself, and each cycle in
//!   guest code has a block that starts at the target of its backward edge. Were backward jumps
//!   followed, blocks of a loop longer than a block would begin at ever new places.
//! - After a call the block goes on at the return address, so that returning is no more than a
//!   host return into the middle of it.
//! - A block ends *before* a loop head: an address that a backward branch or jump further on goes
//!   to. The head then is a block of its own, and the loop runs in it rather than in a copy of its
//!   first iteration. LoopHeaders are found by a look ahead over the raw encodings, which costs a
//!   fraction of decoding; what it misses (loops longer than the look-ahead) costs speed only. So
//!   does what it finds in data.
//! - Indirect jumps, environment calls, breakpoints and `fence.i` end a block. So do the limits,
//!   and an instruction that cannot be fetched or decoded: it gets a block of its own, if it is
//!   ever reached, which says so. Without compressed instructions, a branch or jump to a target
//!   that is not aligned to 4 bytes is such an instruction: the interpreter faults on it if it is
//!   taken. (Of `jalr` only the target could tell. It is found out there, one instruction late.)

use super::idioms;
use super::loop_headers::{LoopHeaders, PageScan};
use super::rule::{self, Flow};
use super::short_branch;
use super::{CodeSource, Limits, Piece};
use crate::ir::{Builder, ExitKind, Op, Vectors};
use crate::isa::{self, Ext, Format, Insn, Isa, Visitor};
use crate::opt;

/// Most instructions of a block.
const MAX_INSNS: u32 = 1024;

/// Lifts the block at `pc` into `builder`.
pub(super) fn scan<S: CodeSource + ?Sized>(
    (builder, scanned): (&mut Builder, &mut PageScan),
    source: &mut S,
    isa: &Isa,
    pc: u64,
    limits: &Limits,
) {
    builder.start(pc);
    // Where all instructions of a block are to be executed, an illegal one must end it.
    let vlenb = if limits.each_branch { 0 } else { isa.vlenb() };
    builder.vectors = Vectors { vlenb, config: limits.vectors };
    let mut scan = Scan {
        builder,
        isa,
        compressed: isa.has(Ext::Zca),
        start: pc,
        pc,
        run: pc,
        max_insns: limits.max_insns.clamp(1, MAX_INSNS),
        exits_left: limits.max_exits.max(1),
        jumps_left: limits.max_jumps,
        each_branch: limits.each_branch,
    };
    loop {
        let Some(piece) = source.piece(scan.pc).filter(|piece| piece.rest().len() >= 2) else {
            scan.unfetchable();
            return;
        };
        match scan.piece(piece, scanned) {
            Step::Go => {}
            Step::Done => return,
            Step::Straddle(low) => {
                let high = source.piece(scan.pc.wrapping_add(2));
                let Some(&high) = high.and_then(|piece| piece.rest().first_chunk()) else {
                    scan.unfetchable();
                    return;
                };
                let bits = u32::from(low) | u32::from(u16::from_le_bytes(high)) << 16;
                let step = match scan.insn(bits) {
                    After::Next => Step::Go,
                    After::Exit => scan.exit(&[]),
                    After::Step(step) => step,
                };
                if step == Step::Done {
                    return;
                }
            }
        }
    }
}

/// What comes after an instruction or a piece of code.
#[derive(PartialEq, Eq)]
enum Step {
    /// Lifting goes on at `pc`.
    Go,
    /// An instruction at `pc` whose low half, this, is the last of a piece of code.
    Straddle(u16),
    /// The block is complete.
    Done,
}

/// What comes after an instruction.
enum After {
    /// The one behind it.
    Next,
    /// The same; but the instruction may leave the block.
    Exit,
    /// What this says.
    Step(Step),
}

struct Scan<'a> {
    builder: &'a mut Builder,
    isa: &'a Isa,
    /// Instructions need not be aligned to 4 bytes.
    compressed: bool,
    /// Entry of the block.
    start: u64,
    /// The next instruction.
    pc: u64,
    /// Where the contiguous code that `pc` is in begins.
    run: u64,
    max_insns: u32,
    exits_left: u32,
    jumps_left: u32,
    each_branch: bool,
}

impl Scan<'_> {
    /// Lifts from `piece`, which is what can be read at `pc`. `scanned` is for one about which
    /// nothing is kept.
    fn piece(&mut self, piece: Piece<'_>, scanned: &mut PageScan) -> Step {
        let left = self.max_insns - self.builder.block().insns;
        let code = piece.rest();
        let heads = match piece.scanned {
            Some(kept) => LoopHeaders::find(kept, piece.code, piece.start, left),
            None => {
                scanned.forget();
                LoopHeaders::find(scanned, code, 0, left)
            }
        };
        let base = self.pc;
        let mut head = heads.next(if base == self.start { 2 } else { 0 });
        // Up to where nothing but the next instruction is to be looked at.
        let mut plain = head.min(code.len().saturating_sub(3));
        loop {
            let offset = self.pc.wrapping_sub(base) as usize;
            let bits = match code.get(offset..).and_then(|rest| rest.first_chunk()) {
                Some(&wide) if offset < plain => u32::from_le_bytes(wide),
                _ if offset == head && self.search(code.get(offset..).unwrap_or_default()) => {
                    if self.exits_left == 0 {
                        return self.stop();
                    }
                    continue;
                }
                _ if offset == head => return self.stop(),
                _ if offset > head => {
                    head = heads.next(offset);
                    plain = head.min(code.len().saturating_sub(3));
                    continue;
                }
                Some(&wide) => u32::from_le_bytes(wide),
                None => match code.get(offset..).and_then(|rest| rest.first_chunk()) {
                    Some(&half) if half[0] & 3 == 3 => {
                        return Step::Straddle(u16::from_le_bytes(half));
                    }
                    Some(&half) => u32::from(u16::from_le_bytes(half)),
                    None => return Step::Go,
                },
            };
            match self.insn(bits) {
                After::Next => {}
                After::Exit => {
                    let end = code.len().min(head);
                    let next = self.pc.wrapping_sub(base) as usize;
                    if self.exit(code.get(next..end).unwrap_or_default()) == Step::Done {
                        return Step::Done;
                    }
                }
                After::Step(step) => return step,
            }
        }
    }

    /// Lifts one instruction.
    #[inline(always)]
    fn insn(&mut self, bits: u32) -> After {
        if self.builder.block().insns == self.max_insns {
            return After::Step(self.stop());
        }
        match isa::visit::<Lift>(bits, self.isa, self) {
            // By far the most.
            Some(Flow::Next) => After::Next,
            flow => self.after(flow, bits),
        }
    }

    /// What comes after the instruction in `bits`, which was lifted with this result.
    #[inline(never)]
    fn after(&mut self, flow: Option<Flow>, bits: u32) -> After {
        After::Step(match flow {
            Some(Flow::Next) => return After::Next,
            Some(Flow::Exit) => return After::Exit,
            Some(Flow::Jump(target)) => self.jump(target),
            Some(Flow::End) => {
                self.end_run();
                Step::Done
            }
            Some(Flow::Illegal) | None => self.illegal(if bits & 3 == 3 { 4 } else { 2 }),
        })
    }

    /// Goes on behind the loop that `code` begins with, if it can be done without looping.
    fn search(&mut self, code: &[u8]) -> bool {
        let room = self.max_insns - self.builder.block().insns >= idioms::MOST_EXECUTED;
        if !room || self.each_branch {
            return false;
        }
        let behind = idioms::clz_loop(self.builder, code, self.isa, self.pc);
        if let Some(pc) = behind {
            self.pc = pc;
            self.exits_left -= 1;
        }
        behind.is_some()
    }

    /// Goes on behind an instruction that may leave the block, with what `code` says.
    fn exit(&mut self, code: &[u8]) -> Step {
        let left = self.max_insns - self.builder.block().insns;
        let mut convert = || short_branch::convert(self.builder, code, self.isa, self.pc, left);
        match if self.each_branch { None } else { convert() } {
            Some(end) => self.pc = end,
            None => self.exits_left -= 1,
        }
        if self.exits_left == 0 { self.stop() } else { Step::Go }
    }

    /// Goes on at `target`, or ends the block with a jump there.
    fn jump(&mut self, target: u64) -> Step {
        self.end_run();
        // The instruction that jumps is before `pc`.
        if target < self.pc || self.jumps_left == 0 {
            opt::add(self.builder, Op::Jump { target });
            return Step::Done;
        }
        self.jumps_left -= 1;
        (self.pc, self.run) = (target, target);
        Step::Go
    }

    /// Ends the block before `pc`.
    fn stop(&mut self) -> Step {
        // A jump to `pc` is being followed if nothing of its target has been lifted.
        if self.pc == self.run && self.pc != self.start {
            opt::add(self.builder, Op::Jump { target: self.pc });
        } else {
            self.end_run();
            self.builder.set_next(self.pc);
        }
        Step::Done
    }

    /// Ends the block before an instruction of `len` bytes that is not legal.
    fn illegal(&mut self, len: u64) -> Step {
        if self.pc != self.start {
            return self.stop();
        }
        self.builder.at(self.pc);
        opt::add(self.builder, Op::Exit(ExitKind::Fetch));
        self.pc = self.pc.wrapping_add(len);
        self.end_run();
        Step::Done
    }

    /// Ends the block before an instruction that cannot be fetched, or only in part.
    fn unfetchable(&mut self) {
        if self.pc != self.start {
            self.stop();
            return;
        }
        self.builder.at(self.pc);
        opt::add(self.builder, Op::Exit(ExitKind::Fetch));
    }

    /// Says that the code from `run` up to `pc` was read.
    fn end_run(&mut self) {
        let len = self.pc.wrapping_sub(self.run);
        if len != 0 {
            self.builder.read_range(self.run, len as u32);
        }
    }
}

/// Adds the operations of an instruction to the block.
struct Lift;

impl Visitor for Lift {
    type State<'a> = Scan<'a>;
    type Result = Flow;

    #[inline(always)]
    fn visit(scan: &mut Scan<'_>, insn: Insn) -> Flow {
        let pc = scan.pc;
        if !scan.compressed && misaligned(&insn, pc) {
            return Flow::Illegal;
        }
        if matches!(insn.op.format(), Format::Csr | Format::CsrImm)
            && !isa::csr::legal(&{ insn }, scan.isa)
        {
            return Flow::Illegal;
        }
        scan.pc = pc.wrapping_add(u64::from(insn.len));
        scan.builder.at(pc);
        rule::apply(scan.builder, insn, pc)
    }
}

/// Whether, where all instructions are aligned to 4 bytes, `insn` at `pc` is not, or goes or may go
/// to one that is not.
fn misaligned(insn: &Insn, pc: u64) -> bool {
    let format = insn.op.format();
    let relative = matches!(format, Format::B | Format::J);
    pc & 2 != 0 || relative && insn.imm & 2 != 0 || format == Format::Jalr
}
