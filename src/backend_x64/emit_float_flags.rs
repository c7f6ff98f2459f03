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
use crate::ir::{FBinOp, FCmpOp, FUnOp, Fmt, LoadKind, MemSize, Node, Op, Reg, Rounding, Src};

/// What an operation means to a register that is to have the flags.
enum Meaning {
    /// It is overwritten.
    Overwritten,
    /// It is not looked at, and flags stay as they are. An integer register may be written.
    Neutral(Reg),
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
        match self.meaning(node, rd) {
            Meaning::Neutral(_) | Meaning::Leaves => return,
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
        for node in nodes {
            match self.meaning(node, rd) {
                Meaning::Overwritten => return true,
                Meaning::Neutral(to) => written |= 1 << to.0,
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
                Meaning::Leaves | Meaning::Unknown => return false,
            }
        }
        false
    }

    fn meaning(&self, node: &Node, flags: Reg) -> Meaning {
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
        const D: Fmt = Fmt::D;
        const DYN: Rounding = Rounding::Dyn;
        match node.op {
            Op::Const { rd, .. } => writes(rd, &[]),
            Op::Bin { rd, a, b: Src::Reg(b), .. } => writes(rd, &[a, b]),
            Op::Bin { rd, a, .. } | Op::Un { rd, a, .. } => writes(rd, &[a]),
            Op::Select { x, y, rd, a, b: Src::Reg(b), .. } => writes(rd, &[x, y, rd, a, b]),
            Op::Select { x, y, rd, a, .. } => writes(rd, &[x, y, rd, a]),
            Op::FSelect { x, y, fmt: D, .. } => writes(Reg::ZERO, &[x, y]),
            Op::ReadFlags { rd } if rd == flags => Meaning::Overwritten,
            Op::Load { kind: LoadKind { size, .. }, rd, base, off } if base != flags => {
                Meaning::Loads { base, off, size, rd }
            }
            Op::FLoad { fmt, base, off, .. } if base != flags && fmt != Fmt::H => {
                let size = if fmt == D { MemSize::D } else { MemSize::W };
                Meaning::Loads { base, off, size, rd: Reg::ZERO }
            }
            Op::Store { src, base, .. } if src != flags && base != flags => Meaning::Leaves,
            Op::FStore { fmt, base, .. } if base != flags && fmt != Fmt::H => Meaning::Leaves,
            Op::Branch { a, b, target, .. } if a != flags && b != flags && target > node.pc => {
                Meaning::Leaves
            }
            Op::FBin { op: FBinOp::Sgnj | FBinOp::Sgnjn | FBinOp::Sgnjx, fmt: D, .. } => {
                Meaning::Neutral(Reg::ZERO)
            }
            Op::FBin {
                op: FBinOp::Add | FBinOp::Sub | FBinOp::Mul | FBinOp::Div,
                fmt: D,
                rm: DYN,
                ..
            }
            | Op::FUn { op: FUnOp::Sqrt, fmt: D, rm: DYN, .. } => Meaning::Raises(Reg::ZERO),
            Op::FMulAdd { fmt: D, rm: DYN, .. } if self.cpu.fma => Meaning::Raises(Reg::ZERO),
            Op::FCmp { op: FCmpOp::LtKeep | FCmpOp::LeKeep, fmt: D, rd, .. } => writes(rd, &[]),
            Op::FCmp { fmt: D, rd, .. } => raises(rd, &[]),
            Op::FMoveToInt { fmt: D, rd, .. } => writes(rd, &[]),
            Op::FMoveFromInt { fmt: D, a, .. } => writes(Reg::ZERO, &[a]),
            Op::FFromInt { rm: DYN, a, .. } => raises(Reg::ZERO, &[a]),
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
