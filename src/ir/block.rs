//! How operations are put together.

use super::op::{LoadKind, MemSize, Op};
use super::{OpClass, VConfig};

/// An operation and the guest instruction it belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// What to do.
    pub op: Op,
    /// Address of the guest instruction.
    pub pc: u64,
    reads: u32,
    writes: u32,
    shape: OpClass,
}

impl Node {
    /// `op`, for the guest instruction at `pc`.
    // Inlined so that what it reads and writes is not looked up where the kind of `op` is known.
    #[inline(always)]
    #[must_use]
    pub const fn new(op: Op, pc: u64) -> Self {
        Self { op, pc, reads: op.reads(), writes: op.writes(), shape: op.class(pc) }
    }

    /// As [`Op::reads`].
    #[must_use]
    pub const fn reads(&self) -> u32 {
        self.reads
    }

    /// As [`Op::writes`].
    #[must_use]
    pub const fn writes(&self) -> u32 {
        self.writes
    }

    /// As [`Op::class`].
    #[must_use]
    pub const fn class(&self) -> OpClass {
        self.shape
    }
}

/// A piece of guest code with one entry, at its first node. It may be left at any branch, fault
/// or call, and at its end.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// Address of the entry.
    pub pc: u64,
    /// Operations in order of execution. Several nodes may belong to one instruction, and one
    /// node may stand for two; then its pc is the first's and nothing before it can fault.
    pub nodes: Vec<Node>,
    /// Where execution goes on after the last node; the block's own address if that node ends it.
    pub next: u64,
    /// Guest code that was read: (address, bytes), each within one page or straddling one
    /// boundary, in order of execution.
    pub ranges: Vec<(u64, u32)>,
    /// Number of guest instructions.
    pub insns: u32,
    /// See [`Self::loops`].
    pub(super) loops: bool,
    /// See [`Self::goes_back`].
    pub(super) goes_back: bool,
    /// Loads of unsigned bytes, and perhaps some that are not there any more.
    pub(super) byte_loads: u32,
}

impl Block {
    /// Whether execution goes on at `next` after the last node.
    #[must_use]
    pub fn falls_through(&self) -> bool {
        !self.nodes.last().is_some_and(|node| node.op.ends_block())
    }

    /// Whether a branch or jump in it goes back to its entry.
    #[must_use]
    pub const fn loops(&self) -> bool {
        self.loops
    }

    /// Whether a branch or jump in it goes to a lower address than its own.
    #[must_use]
    pub const fn goes_back(&self) -> bool {
        self.goes_back
    }

    /// At least the number of loads of unsigned bytes in it.
    #[must_use]
    pub const fn byte_loads(&self) -> u32 {
        self.byte_loads
    }

    /// Adds a node.
    // Inlined so that only branches and jumps are looked at.
    #[inline(always)]
    pub(super) fn add(&mut self, node: Node) {
        if let Op::Branch { target, .. } | Op::Jump { target } = node.op {
            self.loops |= target == self.pc;
            self.goes_back |= target <= node.pc;
        }
        if let Op::Load { kind: LoadKind { size: MemSize::B, signed: false }, .. } = node.op {
            self.byte_loads += 1;
        }
        self.nodes.push(node);
    }
}

/// What is known of vectors while a block is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vectors {
    /// Bytes of a register; 0 if there are none, or the interpreter is to execute all
    /// instructions.
    pub vlenb: u16,
    /// What `vtype` and `vl` are taken to be, by the instruction that has set them last.
    pub config: Option<VConfig>,
}

/// Makes a [`Block`], reusing the memory of the last one.
#[derive(Default)]
pub struct Builder {
    block: Block,
    pc: u64,
    /// Of the instruction that comes next.
    pub vectors: Vectors,
}

impl Builder {
    /// Starts a block at `pc`.
    pub fn start(&mut self, pc: u64) {
        let b = &mut self.block;
        (b.pc, b.next, b.insns, b.byte_loads) = (pc, pc, 0, 0);
        (b.loops, b.goes_back) = (false, false);
        b.nodes.clear();
        b.ranges.clear();
        self.pc = pc;
    }

    /// Says that the operations that follow belong to the instruction at `pc`.
    #[inline]
    pub fn at(&mut self, pc: u64) {
        self.pc = pc;
        self.block.insns += 1;
    }

    /// Says that the operations of the last instruction stand for so many more that are executed.
    pub fn stand_for(&mut self, insns: u32) {
        self.block.insns += insns;
    }

    /// Adds an operation.
    #[inline(always)]
    pub fn push(&mut self, op: Op) {
        self.block.add(Node::new(op, self.pc));
    }

    /// Adds an operation that belongs to the instruction at `pc`.
    pub fn push_at(&mut self, pc: u64, op: Op) {
        self.block.add(Node::new(op, pc));
    }

    /// Says where execution goes on.
    pub fn set_next(&mut self, next: u64) {
        self.block.next = next;
    }

    /// Says that `len` bytes of code at `addr` were read.
    pub fn read_range(&mut self, addr: u64, len: u32) {
        if let Some((start, n)) = self.block.ranges.last_mut()
            && *start + u64::from(*n) == addr
        {
            *n += len;
            return;
        }
        self.block.ranges.push((addr, len));
    }

    /// The nodes so far, for looking back.
    #[must_use]
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// Puts `op` in the place of that of node `n`, for the same instruction.
    pub fn replace(&mut self, n: usize, op: Op) {
        let node = &mut self.block.nodes[n];
        *node = Node::new(op, node.pc);
    }

    /// Takes back the last node, whose result nothing will see; the next one stands for both
    /// instructions.
    pub fn drop_last(&mut self) {
        if let Some(node) = self.block.nodes.pop() {
            self.pc = node.pc;
        }
    }

    /// Forgets the nodes behind the first `nodes`, and the instructions behind the first `insns`.
    pub fn rewind(&mut self, nodes: usize, insns: u32) {
        self.block.nodes.truncate(nodes);
        self.block.insns = insns;
    }
}
