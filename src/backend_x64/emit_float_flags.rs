//! Reading the accrued flags, and not reading them.
//!
//! Compilers save the flags before a quiet comparison and restore them after it. The comparison
//! here changes none, so the saved flags are dead as a rule: their register is overwritten before
//! anybody looks at it. Reading MXCSR costs as much as ten additions, so it is left out where the
//! rest of the block shows that. Until an operation may raise a flag, the register's value can
//! still be had ([`super::emit_float::FloatState::lazy_flags`]); after that only a faulting load
//! could show that it is wrong, so those loads are tried before.

use super::asm::{Map, Pp, Sz};
use super::emit::Emitter;
use super::regs::RAX;
use crate::ir::{
    FBinOp, FCmpOp, FReg, FUnOp, Fmt, LoadKind, MemSize, Node, Op, Reg, Rounding, Src,
};

/// What an operation means to a register that is to have the flags.
enum Meaning {
    /// It is overwritten.
    Overwritten,
    /// It is not looked at, and flags stay as they are. An integer register may be written.
    Neutral(Reg),
    /// May leave the block with everything at home, where an operand is no boxed single, and is
    /// else neutral.
    Checks(Reg),
    /// Flags may be raised, and an integer register be written.
    Raises(Reg),
    /// A load, which may fault.
    Loads { base: Reg, off: i32, size: MemSize, rd: Reg },
    /// May fault or leave the block, with everything at home.
    Leaves,
    /// It may be looked at.
    Unknown,
}

/// Loads to try at most.
const MAX_LOADS: usize = 6;

impl Emitter<'_, '_> {
    /// `rd` = the accrued flags, unless it is dead.
    pub(super) fn read_flags_or_not(&mut self, rd: Reg, following: &[Node]) {
        if rd.is_zero() || !self.flags_are_dead(rd, following, |_, _| ()) {
            return self.read_flags(rd);
        }
        self.settle_dependents(rd.0);
        self.sym.set_home(rd.0, true);
        self.fp.lazy_flags = Some(rd);
    }

    /// Before `node` is emitted: what it means to the register that is to have the flags.
    pub(super) fn before_node(&mut self, node: &Node, following: &[Node]) {
        let Some(rd) = self.fp.lazy_flags else { return };
        match self.meaning(node, rd, self.fp.boxed) {
            Meaning::Neutral(_) | Meaning::Checks(_) | Meaning::Leaves => return,
            Meaning::Loads { rd: to, .. } if to != rd => return,
            Meaning::Overwritten => {}
            Meaning::Raises(_) | Meaning::Loads { .. } => {
                let mut loads = [None; MAX_LOADS];
                let rest = std::iter::once(node).chain(following);
                self.flags_are_dead(rd, rest, |n, load| loads[n] = Some(load));
                for (base, off, size) in loads.into_iter().flatten() {
                    self.try_load(base, off, size);
                }
            }
            Meaning::Unknown => {
                debug_assert!(false, "the flags were not dead");
                return self.flush_lazy_flags();
            }
        }
        self.fp.lazy_flags = None;
    }

    /// Brings home the flags that `lazy_flags` stands for.
    pub(super) fn flush_lazy_flags(&mut self) {
        if let Some(rd) = self.fp.lazy_flags.take() {
            self.read_flags(rd);
            self.store_held(1 << rd.0);
        }
    }

    /// True if `rd`, which is to have the flags, is overwritten by `nodes` before anybody can look
    /// at it, once the loads that `try_load` is called with are known not to fault.
    fn flags_are_dead<'n>(
        &self,
        rd: Reg,
        nodes: impl IntoIterator<Item = &'n Node>,
        mut try_load: impl FnMut(usize, (Reg, i32, MemSize)),
    ) -> bool {
        let (mut raised, mut loads, mut written) = (false, 0, 0u32);
        let mut boxed = self.fp.boxed;
        for node in nodes {
            match self.meaning(node, rd, boxed) {
                Meaning::Overwritten => return true,
                Meaning::Neutral(to) => written |= 1 << to.0,
                Meaning::Checks(to) if !raised => written |= 1 << to.0,
                Meaning::Raises(to) => {
                    if !raised {
                        (raised, written) = (true, 0);
                    }
                    written |= 1 << to.0;
                }
                Meaning::Loads { base, off, size, rd: to } => {
                    if raised || to == rd {
                        if loads == MAX_LOADS || raised && written & 1 << base.0 & !1 != 0 {
                            return false;
                        }
                        try_load(loads, (base, off, size));
                        loads += 1;
                    }
                    if to == rd {
                        return true;
                    }
                    written |= 1 << to.0;
                }
                Meaning::Leaves if !raised => {}
                Meaning::Checks(_) | Meaning::Leaves | Meaning::Unknown => return false,
            }
            boxed = boxed_after(&node.op, boxed);
        }
        false
    }

    /// What `node` means to `flags`, if the registers in `boxed` are known to be boxed singles.
    fn meaning(&self, node: &Node, flags: Reg, boxed: u32) -> Meaning {
        let writes = |rd: Reg, reads: &[Reg]| {
            if reads.contains(&flags) {
                Meaning::Unknown
            } else if rd == flags {
                Meaning::Overwritten
            } else {
                Meaning::Neutral(rd)
            }
        };
        let raises = |rd: Reg, reads: &[Reg]| match writes(rd, reads) {
            Meaning::Neutral(rd) => Meaning::Raises(rd),
            other => other,
        };
        // Operands that need no check: of which nobody but the operation itself can tell.
        let checked = |fmt: Fmt, operands: &[FReg]| match fmt {
            Fmt::D => true,
            Fmt::S => operands.iter().all(|f| boxed & 1 << f.0 != 0),
            Fmt::H => false,
        };
        let quiet = |fmt: Fmt, operands: &[FReg], rd: Reg| match writes(rd, &[]) {
            Meaning::Neutral(rd) if fmt == Fmt::S && !checked(fmt, operands) => Meaning::Checks(rd),
            meaning => meaning,
        };
        const DYN: Rounding = Rounding::Dyn;
        match node.op {
            Op::Const { rd, .. } => writes(rd, &[]),
            Op::Bin { rd, a, b: Src::Reg(b), .. } => writes(rd, &[a, b]),
            Op::Bin { rd, a, .. } | Op::Un { rd, a, .. } => writes(rd, &[a]),
            Op::Select { x, y, rd, a, b: Src::Reg(b), .. } => writes(rd, &[x, y, rd, a, b]),
            Op::Select { x, y, rd, a, .. } => writes(rd, &[x, y, rd, a]),
            Op::FSelect { x, y, fmt: Fmt::D, .. } => writes(Reg::ZERO, &[x, y]),
            Op::ReadFlags { rd } if rd == flags => Meaning::Overwritten,
            Op::Load { kind: LoadKind { size, .. }, rd, base, off } if base != flags => {
                Meaning::Loads { base, off, size, rd }
            }
            Op::FLoad { fmt, base, off, .. } if base != flags && fmt != Fmt::H => {
                let size = if fmt == Fmt::D { MemSize::D } else { MemSize::W };
                Meaning::Loads { base, off, size, rd: Reg::ZERO }
            }
            Op::Store { src, base, .. } if src != flags && base != flags => Meaning::Leaves,
            Op::FStore { fmt, base, .. } if base != flags && fmt != Fmt::H => Meaning::Leaves,
            Op::Branch { a, b, target, .. } if a != flags && b != flags && target > node.pc => {
                Meaning::Leaves
            }
            Op::FBin { op: FBinOp::Sgnj | FBinOp::Sgnjn | FBinOp::Sgnjx, fmt, a, b, .. }
                if fmt != Fmt::H =>
            {
                quiet(fmt, &[a, b], Reg::ZERO)
            }
            Op::FBin {
                op: FBinOp::Add | FBinOp::Sub | FBinOp::Mul | FBinOp::Div,
                fmt,
                rm: DYN,
                a,
                b,
                ..
            } if checked(fmt, &[a, b]) => Meaning::Raises(Reg::ZERO),
            Op::FUn { op: FUnOp::Sqrt, fmt, rm: DYN, a, .. } if checked(fmt, &[a]) => {
                Meaning::Raises(Reg::ZERO)
            }
            Op::FMulAdd { fmt, rm: DYN, a, b, c, .. }
                if self.cpu.fma && checked(fmt, &[a, b, c]) =>
            {
                Meaning::Raises(Reg::ZERO)
            }
            Op::FCmp { op: FCmpOp::LtKeep | FCmpOp::LeKeep, fmt, rd, a, b } if fmt != Fmt::H => {
                quiet(fmt, &[a, b], rd)
            }
            Op::FCmp { fmt, rd, a, b, .. } if checked(fmt, &[a, b]) => raises(rd, &[]),
            Op::FMoveToInt { fmt: Fmt::D | Fmt::S, rd, .. } => writes(rd, &[]),
            Op::FMoveFromInt { fmt: Fmt::D | Fmt::S, a, .. } => writes(Reg::ZERO, &[a]),
            Op::FFromInt { fmt: Fmt::D | Fmt::S, rm: DYN, a, .. } => raises(Reg::ZERO, &[a]),
            Op::FConvert { from: Fmt::S, to: Fmt::D, a, .. } if checked(Fmt::S, &[a]) => {
                Meaning::Raises(Reg::ZERO)
            }
            Op::FConvert { from: Fmt::D, to: Fmt::S, rm: DYN, .. } => Meaning::Raises(Reg::ZERO),
            _ => Meaning::Unknown,
        }
    }

    /// Loads from an address for nothing: if that faults, it does so before the current
    /// instruction, which the interpreter then executes, and the load after it.
    fn try_load(&mut self, base: Reg, off: i32, size: MemSize) {
        let from = self.address(base, off);
        self.fault_point();
        match size {
            MemSize::B => self.a.ins(Pp::None, Map::M0F, Sz::D, 0xb6, RAX, from),
            MemSize::H => self.a.ins(Pp::None, Map::M0F, Sz::D, 0xb7, RAX, from),
            MemSize::W => self.a.mov(Sz::D, RAX, from),
            MemSize::D | MemSize::Q => self.a.mov(Sz::Q, RAX, from),
        }
    }
}

/// The registers that are known to be boxed singles after `op`, if those in `boxed` were before.
fn boxed_after(op: &Op, boxed: u32) -> u32 {
    let (fmt, fd) = match *op {
        Op::FLoad { fmt, fd, .. }
        | Op::FBin { fmt, fd, .. }
        | Op::FUn { fmt, fd, .. }
        | Op::FMulAdd { fmt, fd, .. }
        | Op::FFromInt { fmt, fd, .. }
        | Op::FMoveFromInt { fmt, fd, .. }
        | Op::FConvert { to: fmt, fd, .. } => (fmt, fd),
        Op::FSelect { fd, .. } | Op::FConst { fd, .. } => (Fmt::D, fd),
        Op::FCmp { fmt: Fmt::S, a, b, .. } => return boxed | 1 << a.0 | 1 << b.0,
        _ => return boxed,
    };
    boxed & !(1 << fd.0) | u32::from(fmt == Fmt::S) << fd.0
}
