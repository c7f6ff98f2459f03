//! Loops of one block: where they end, what is in them, and several iterations in a row.

use crate::ir::{Block, Node, Op, VSrc};

/// The loop that a block begins with.
#[derive(Clone, Copy)]
pub struct Loop<'a> {
    /// Its operations: up to the last branch or jump back to the block's entry.
    pub nodes: &'a [Node],
    /// Where execution goes on when the last of them does not go back.
    pub after: u64,
}

impl<'a> Loop<'a> {
    /// The loop that `block` begins with. `None` if there is none, or calls are in it.
    #[must_use]
    pub fn of(block: &'a Block) -> Option<Self> {
        let back = |n: &Node| match n.op {
            Op::Branch { target, .. } | Op::Jump { target } => target == block.pc,
            _ => false,
        };
        let nodes = &block.nodes[..=block.nodes.iter().rposition(back)?];
        let after = block.nodes.get(nodes.len()).map_or(block.next, |n| n.pc);
        let call = |n: &Node| matches!(n.op, Op::Call { .. } | Op::CallIndirect { .. });
        (!nodes.iter().any(call)).then_some(Self { nodes, after })
    }

    /// True if floating-point operations with NaN boxes or rounding are in it.
    #[must_use]
    pub fn has_float(&self) -> bool {
        let float = |n: &Node| {
            matches!(n.op, Op::FBin { .. } | Op::FUn { .. } | Op::FMulAdd { .. } | Op::FCmp { .. })
        };
        self.nodes.iter().any(float)
    }

    /// True if an operation of vectors has to do with a floating-point register.
    #[must_use]
    pub fn moves_numbers_to_vectors(&self) -> bool {
        let moves = |n: &Node| match n.op {
            Op::VBin { b, .. } | Op::VMove { b, .. } => matches!(b, VSrc::F(_)),
            Op::VToFloat { .. } => true,
            _ => false,
        };
        self.nodes.iter().any(moves)
    }

    /// True if it makes reservations.
    #[must_use]
    pub fn reserves(&self) -> bool {
        self.nodes.iter().any(|n| matches!(n.op, Op::LoadReserved { .. }))
    }

    /// Up to `times` iterations in a row, of at most `most` operations together. `None` if there
    /// is room for one alone, or the loop is a single instruction.
    #[must_use]
    pub fn unrolled(&self, times: usize, most: usize) -> Option<Vec<Node>> {
        let times = (most / self.nodes.len()).min(times);
        let (last, body) = self.nodes.split_last()?;
        if times < 2 || body.first().is_none_or(|n| n.pc == last.pc) {
            return None;
        }
        let mut row = Vec::with_capacity(times * self.nodes.len());
        for _ in 1..times {
            row.extend_from_slice(body);
            if let Op::Branch { cond, a, b, .. } = last.op {
                let leaves = Op::Branch { cond: cond.inverse(), a, b, target: self.after };
                row.push(Node::new(leaves, last.pc));
            }
        }
        row.extend_from_slice(self.nodes);
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{Event, Random, State, block};
    use super::*;
    use crate::ir::Flow;

    /// What happens from `state` on until `nodes`, which are entered anew whenever they go back,
    /// are left. Going back is no event: what is executed is compared, not where polls are.
    fn events(nodes: &[Node], after: u64, mut state: State) -> (Vec<Event>, State) {
        let mut events = Vec::new();
        loop {
            let (found, flow) = state.run(nodes);
            events.extend(found.into_iter().filter(|e| !matches!(e.op, Op::Branch { .. })));
            match flow {
                Flow::Goto(0x1000) => {}
                Flow::Next => return (events, state),
                other => {
                    assert_eq!(other, Flow::Goto(after));
                    return (events, state);
                }
            }
        }
    }

    #[test]
    fn iterations_in_a_row_do_what_they_do_one_after_the_other() {
        let loops: [&[&str]; 3] = [
            &[
                "load.d x5, [x6 + 0]",
                "add.d x6, x6, 8",
                "add.d x7, x7, -1",
                "branch.ne x7, x0, 0x1000",
            ],
            &["store.w x7, [x6 + 4]", "add.d x7, x7, -1", "branch.lt x0, x7, 0x1000"],
            &["add.d x7, x7, -1", "branch.geu x7, x8, 0x1000"],
        ];
        let mut random = Random::default();
        for lines in loops {
            let block = block(lines);
            let found = Loop::of(&block).expect("a loop");
            let row = found.unrolled(4, 64).expect("a row");
            assert_eq!(row.len(), 4 * lines.len());
            for n in 1..20 {
                let mut state = State::random(&mut random);
                (state.registers.x[7], state.registers.x[8]) = (n, 1);
                let (one, after_one) = events(found.nodes, found.after, state.clone());
                let (many, after_many) = events(&row, found.after, state);
                assert_eq!(one, many, "{lines:?} {n} times");
                assert_eq!(after_one.registers.x, after_many.registers.x);
            }
        }
    }

    #[test]
    fn a_loop_ends_at_its_last_branch_back_and_has_no_calls() {
        let lines = ["add.d x7, x7, -1", "branch.ne x7, x0, 0x1000", "add.d x5, x5, 1"];
        let looping = block(&lines);
        let found = Loop::of(&looping).expect("a loop");
        assert_eq!((found.nodes.len(), found.after), (2, 0x1008));
        assert!(Loop::of(&block(&["call 0x40, x1 = 0x1004", lines[1]])).is_none());
        assert!(Loop::of(&block(&["branch.ne x7, x0, 0x2000"])).is_none());
        // Each iteration would be one more instruction in front of a poll, and nothing else.
        let single = block(&["branch.ne x7, x0, 0x1000"]);
        assert!(Loop::of(&single).is_some_and(|l| l.unrolled(4, 64).is_none()));
        assert!(found.unrolled(4, 3).is_none());
        assert_eq!(found.unrolled(4, 7).map(|row| row.len()), Some(6));
    }
}
