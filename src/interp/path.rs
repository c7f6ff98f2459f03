//! Executing the instructions of a block of translated code as long as that code would.
//!
//! Such a block is a list of instructions that are not all in a row, and parts of which may be
//! executed again and again, before it is left. Which jumps stay inside is for the caller to say.

use super::{Data, Exit, Handler, Hart, Insn, Isa, handler_for};
use crate::isa::{Format, Op};
use std::sync::atomic::{AtomicBool, Ordering};

/// What comes after a jump, or a branch that is taken. (What goes to the next instruction of the
/// path stays inside in any case.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The instruction at the target, if the path has it.
    Inside,
    /// The instruction at the target, if the path can be entered there and it lies behind; on a
    /// path of several pieces, if one begins there.
    Entry,
}

/// Instructions in the order in which translated code has them.
pub struct Path<M> {
    steps: Box<[PathStep<M>]>,
    /// Addresses at which the path can be entered, other than by going along it.
    entries: Box<[u64]>,
    /// The pieces of a path of several, by address: the first instruction of each, by its number.
    pieces: Box<[(u64, usize)]>,
}

struct PathStep<M> {
    run: Handler<M>,
    pc: u64,
    insn: Insn,
    taken: Taken,
    /// It has been seen to go to an entry that does not lie behind.
    enters: AtomicBool,
}

/// A place on a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The instruction executed next, by its number on the path.
    at: usize,
    /// Calls inside that have not returned.
    calls: u32,
}

/// Why execution along a path has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It has left the path.
    Left,
    /// Something stopped the hart.
    Exit(Exit),
    /// As many instructions as were asked for have been executed.
    Enough,
}

impl<M: Data> Path<M> {
    /// A path along `insns` with their addresses, for a hart with `isa`; `entries` must be in
    /// order.
    #[must_use]
    pub fn new(
        insns: impl IntoIterator<Item = (u64, Insn, Taken)>,
        entries: Vec<u64>,
        isa: &Isa,
    ) -> Self {
        let step = |(pc, insn, taken)| PathStep {
            run: handler_for(&insn, isa),
            pc,
            insn,
            taken,
            enters: AtomicBool::new(false),
        };
        let pieces = Box::default();
        Self { steps: insns.into_iter().map(step).collect(), entries: entries.into(), pieces }
    }

    /// A path of several pieces, each of which begins at an address of its own. Jumps that do not
    /// stay inside of theirs go to the beginning of any.
    #[must_use]
    pub fn of_pieces(pieces: Vec<Vec<(u64, Insn, Taken)>>, isa: &Isa) -> Self {
        let mut at = 0;
        let mut starts = Vec::with_capacity(pieces.len());
        for piece in &pieces {
            starts.extend(piece.first().map(|first| (first.0, at)));
            at += piece.len();
        }
        let path = Self::new(pieces.into_iter().flatten(), Vec::new(), isa);
        Self { pieces: starts.into(), ..path }
    }

    /// Number of instructions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// True if there are no instructions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The instruction at a place, if there is one.
    #[must_use]
    pub fn insn(&self, place: Place) -> Option<&Insn> {
        self.steps.get(place.at).map(|step| &step.insn)
    }

    /// Executes at most `max` instructions from `place` on, where `hart` is, and moves both on.
    /// Returns how many completed and why it was not more.
    pub fn run(&self, hart: &mut Hart, mem: &M, place: &mut Place, max: u64) -> (u64, End) {
        let mut pc = hart.pc;
        let mut done = 0;
        let end = loop {
            if done == max {
                break End::Enough;
            }
            let Some(step) = self.steps.get(place.at) else { break End::Left };
            pc = match (step.run)(hart, mem, &step.insn, pc) {
                Ok(next) => next,
                Err(stop) => break End::Exit(*stop.0),
            };
            done += 1;
            if self.steps.get(place.at + 1).is_some_and(|next| next.pc == pc) {
                place.at += 1;
            } else if !self.follow(step, pc, place) {
                break End::Left;
            }
        };
        hart.pc = pc;
        (done, end)
    }

    /// Goes to `target` if the jump `step` stays inside.
    fn follow(&self, step: &PathStep<M>, target: u64, place: &mut Place) -> bool {
        if !self.pieces.is_empty() {
            return self.follow_in_pieces(step, target, place);
        }
        let links = step.insn.rd == 1;
        let enters = || self.entries.binary_search(&target).is_ok();
        let inside = match step.taken {
            Taken::Inside => true,
            Taken::Entry if step.enters.load(Ordering::Relaxed) => enters(),
            Taken::Entry if step.insn.op.format() == Format::Jalr && !links => {
                place.calls != 0 && enters()
            }
            Taken::Entry => step.insn.op != Op::Jalr && target <= step.pc && enters(),
        };
        let found = self.steps.iter().position(|s| s.pc == target).filter(|_| inside);
        if let Some(at) = found {
            if matches!(step.insn.op, Op::Jal | Op::Jalr) {
                let calls = if links { place.calls + 1 } else { place.calls.saturating_sub(1) };
                place.calls = calls;
            }
            place.at = at;
        }
        found.is_some()
    }

    /// The same on a path of several pieces.
    fn follow_in_pieces(&self, step: &PathStep<M>, target: u64, place: &mut Place) -> bool {
        let found = match step.taken {
            Taken::Inside => {
                let ends = self.pieces.iter().map(|piece| piece.1).filter(|at| *at > place.at);
                let rest = place.at + 1..ends.min().unwrap_or(self.steps.len());
                rest.into_iter().find(|at| self.steps[*at].pc == target)
            }
            Taken::Entry => None,
        };
        let piece = || self.pieces.iter().find(|piece| piece.0 == target).map(|piece| piece.1);
        let found = found.or_else(piece);
        place.at = found.unwrap_or(place.at);
        found.is_some()
    }

    /// Says that the jump at `place`, which would have left the path for `target`, does not. False
    /// if it cannot stay inside, or was known to.
    pub fn stays(&self, place: Place, target: u64) -> bool {
        let step = self.steps.get(place.at).filter(|_| self.entries.binary_search(&target).is_ok());
        step.is_some_and(|step| !step.enters.swap(true, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa;
    use crate::mem::{Memory, Mode};

    const AT: u64 = 0x1_0000;

    fn path(words: &[u32], taken: Taken) -> Path<Memory> {
        let insn = |w: &u32| isa::decode(*w, &Isa::MAX).unwrap();
        let steps = words.iter().zip((AT..).step_by(4)).map(|(w, pc)| (pc, insn(w), taken));
        Path::new(steps, vec![AT], &Isa::MAX)
    }

    fn run(path: &Path<Memory>, n: u64, max: u64) -> (u64, End, u64) {
        let memory = Memory::new(Mode::Guarded, 1 << 20).unwrap();
        let mut hart = Hart::new();
        (hart.pc, hart.x[10]) = (AT, n);
        let (done, end) = path.run(&mut hart, &memory, &mut Place::default(), max);
        (done, end, hart.pc)
    }

    #[test]
    fn loops_stay_inside_and_other_jumps_leave() {
        // addi a0, a0, -1; bnez a0, -4; nop
        let p = path(&[0xfff5_0513, 0xfe05_1ee3, 0x13], Taken::Entry);
        assert_eq!(run(&p, 5, 100), (11, End::Left, AT + 12));
        assert_eq!(run(&p, 5, 7), (7, End::Enough, AT + 4));
        // nop; addi a0, a0, -1; bnez a0, -4: not to an entry.
        let p = path(&[0x13, 0xfff5_0513, 0xfe05_1ee3], Taken::Entry);
        assert_eq!(run(&p, 5, 100), (3, End::Left, AT + 4));
        let p = path(&[0x13, 0xfff5_0513, 0xfe05_1ee3], Taken::Inside);
        assert_eq!(run(&p, 5, 100), (11, End::Left, AT + 12));
    }

    #[test]
    fn jumps_learn_that_they_stay() {
        // jalr x0, 0(a0); ecall
        let p = path(&[0x0005_0067, 0x73], Taken::Entry);
        assert_eq!(run(&p, AT, 9), (1, End::Left, AT));
        assert!(!p.stays(Place::default(), AT + 4) && p.stays(Place::default(), AT));
        assert!(!p.stays(Place::default(), AT));
        assert_eq!(run(&p, AT, 9), (9, End::Enough, AT));
        let p = path(&[0x73], Taken::Entry);
        assert_eq!(run(&p, 0, 9), (0, End::Exit(Exit::Ecall), AT));
    }

    #[test]
    fn jumps_go_from_piece_to_piece() {
        let insn = |w: u32| isa::decode(w, &Isa::MAX).unwrap();
        let piece = |at: u64, words: &[u32]| -> Vec<_> {
            words
                .iter()
                .zip((at..).step_by(4))
                .map(|(w, pc)| (pc, insn(*w), Taken::Entry))
                .collect()
        };
        // addi a0, a0, -1; bnez a0, +12; nop, and where that leads: bnez a0, -16; nop
        let first = piece(AT, &[0xfff5_0513, 0x0005_1663, 0x13]);
        let second = piece(AT + 16, &[0xfe05_18e3, 0x13]);
        let p = Path::of_pieces(vec![first, second], &Isa::MAX);
        assert_eq!(run(&p, 3, 100), (9, End::Left, AT + 12));
        assert_eq!(run(&p, 3, 4), (4, End::Enough, AT + 4));
    }
}
