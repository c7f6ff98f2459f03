//! What an instruction becomes: a table with one rule for each, and what a rule does.

use super::{csr, rv_a, rv_f, rv_i, rv_m, rv_v, rv_zb, zic};
use crate::ir::{BinOp, Builder, Cond, ExitKind, LoadKind, MemSize, Op, Reg, Src, UnOp, Width};
use crate::isa::{self, Format, Insn};
use crate::opt;

/// How to lift an instruction. Operands come from the instruction, in their usual fields.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// `rd = rs1 op rs2`
    Bin(BinOp, Width),
    /// `rd = rs1 op imm`
    BinImm(BinOp, Width),
    /// `rd = op rs1`
    Un(UnOp, Width),
    /// `rd = imm`
    Const,
    /// `rd = pc + imm`
    PcRelative,
    /// `rd = 0`
    Zero,
    /// `jal`
    Jal,
    /// `jalr`
    Jalr,
    /// Conditional branch.
    Branch(Cond),
    /// Integer load: size, sign-extended.
    Load(MemSize, bool),
    /// Integer store.
    Store(MemSize),
    /// Atomics and ordering.
    Atomic(rv_a::Atomic),
    /// Access to a CSR.
    Csr,
    /// Floating point.
    Float(rv_f::Float),
    /// Vectors.
    Vector(rv_v::Vector),
    /// Leaves translated code.
    Exit(ExitKind),
    /// The interpreter executes it.
    Helper,
}

/// A rule for each instruction, by `isa::Op as usize`.
static RULES: [Rule; isa::Op::COUNT] = collect(&[
    rv_i::RULES,
    rv_m::RULES,
    rv_a::RULES,
    rv_f::RULES,
    rv_zb::RULES,
    csr::RULES,
    zic::RULES,
    rv_v::RULES,
]);

/// Puts the tables of the extensions in order. It fails, and so the build does, unless each
/// instruction is in exactly one.
const fn collect(tables: &[&[(isa::Op, Rule)]]) -> [Rule; isa::Op::COUNT] {
    let mut rules = [None; isa::Op::COUNT];
    let mut t = 0;
    while t < tables.len() {
        let mut i = 0;
        while i < tables[t].len() {
            let (op, rule) = tables[t][i];
            assert!(rules[op as usize].is_none(), "an instruction has two rules");
            rules[op as usize] = Some(rule);
            i += 1;
        }
        t += 1;
    }
    let mut all = [Rule::Helper; isa::Op::COUNT];
    let mut i = 0;
    while i < all.len() {
        all[i] = rules[i].expect("an instruction has no rule");
        i += 1;
    }
    all
}

/// Whether `op` has no translation of its own: the interpreter executes it.
#[must_use]
pub fn is_helper(op: isa::Op) -> bool {
    matches!(RULES[op as usize], Rule::Helper | Rule::Vector(rv_v::Vector::Other))
}

/// Whether `op` only computes something from registers, raising no flags.
pub(super) fn is_simple(op: isa::Op) -> bool {
    match RULES[op as usize] {
        Rule::Bin(..) | Rule::BinImm(..) | Rule::Const | Rule::PcRelative => true,
        Rule::Float(what) => what.is_simple(),
        _ => false,
    }
}

/// Where execution goes after an instruction.
pub(super) enum Flow {
    /// To the next instruction.
    Next,
    /// To the next instruction, but not only there, or not at once.
    Exit,
    /// To this address. No operation says so yet.
    Jump(u64),
    /// Somewhere else; the last operation says where.
    End,
    /// Nowhere: the instruction is not legal here. There is no operation.
    Illegal,
}

/// Adds the operations of `insn`, at `pc`, to `b`.
// Who needs the whole instruction is given a copy, so that its parts can be in registers here.
#[inline(always)]
pub(super) fn apply(b: &mut Builder, insn: Insn, pc: u64) -> Flow {
    let rd = Reg(insn.rd);
    match RULES[insn.op as usize] {
        Rule::Bin(op, w) if !rd.is_zero() => {
            let (a, other) = (Reg(insn.rs1), Src::Reg(Reg(insn.rs2)));
            opt::add(b, Op::Bin { op, w, rd, a, b: other });
        }
        Rule::BinImm(op, w) if !rd.is_zero() => {
            opt::add(b, Op::Bin { op, w, rd, a: Reg(insn.rs1), b: Src::Imm(insn.imm) });
        }
        Rule::Un(op, w) if !rd.is_zero() => opt::add(b, Op::Un { op, w, rd, a: Reg(insn.rs1) }),
        Rule::Const if !rd.is_zero() => opt::add(b, Op::Const { rd, value: insn.imm as u64 }),
        Rule::PcRelative if !rd.is_zero() => {
            opt::add(b, Op::Const { rd, value: pc.wrapping_add(insn.imm as u64) });
        }
        Rule::Zero if !rd.is_zero() => opt::add(b, Op::Const { rd, value: 0 }),
        // Writes to x0 and nothing else: a HINT, or code that has no effect.
        Rule::Bin(..)
        | Rule::BinImm(..)
        | Rule::Un(..)
        | Rule::Const
        | Rule::PcRelative
        | Rule::Zero => {}
        Rule::Jal => return rv_i::jal(b, &{ insn }, pc),
        Rule::Jalr => return rv_i::jalr(b, &{ insn }, pc),
        Rule::Branch(cond) => return rv_i::branch(b, cond, &{ insn }, pc),
        Rule::Exit(kind) => {
            opt::add(b, Op::Exit(kind));
            return Flow::End;
        }
        Rule::Csr if csr::lift(b, &{ insn }) => {}
        Rule::Csr => return Flow::Exit,
        Rule::Helper => {
            helper(b, &{ insn });
            return Flow::Exit;
        }
        Rule::Load(size, signed) => {
            let kind = LoadKind { size, signed };
            opt::add(b, Op::Load { kind, rd, base: Reg(insn.rs1), off: insn.imm });
        }
        Rule::Store(size) => {
            opt::add(b, Op::Store { size, src: Reg(insn.rs2), base: Reg(insn.rs1), off: insn.imm });
        }
        Rule::Atomic(what) => rv_a::lift(b, what, &{ insn }),
        Rule::Float(what) => rv_f::lift(b, what, &{ insn }),
        Rule::Vector(what) => return rv_v::lift(b, what, &{ insn }),
    }
    Flow::Next
}

/// Lets the interpreter execute `insn`.
pub(super) fn helper(b: &mut Builder, insn: &Insn) {
    let (reads, writes) = helper_registers(insn);
    opt::add(b, Op::Helper { reads, writes });
    b.vectors.config = None;
}

/// The integer registers that the interpreter reads and writes when it executes `insn`.
pub(super) fn helper_registers(insn: &Insn) -> (u32, u32) {
    let bit = |n: u8| 1u32 << (n & 31);
    let (rd, rs1, rs2) = (bit(insn.rd), bit(insn.rs1), bit(insn.rs2));
    let (reads, writes) = match insn.op.format() {
        Format::R | Format::MopRr => (rs1 | rs2, rd),
        Format::Unary | Format::I | Format::Shamt6 | Format::Shamt5 => (rs1, rd),
        Format::Load | Format::Jalr | Format::Csr | Format::Lr | Format::MopR => (rs1, rd),
        Format::Store | Format::B => (rs1 | rs2, 0),
        Format::U | Format::J | Format::CsrImm => (0, rd),
        Format::Fence | Format::FenceTso | Format::FenceI | Format::Bare => (0, 0),
        // `amocas` compares with its destination.
        Format::Amo => (rs1 | rs2 | rd, rd),
        // Registers named in pairs; the pair of x0 is zero as a whole.
        Format::AmoPair => {
            let pair = |n: u8| if n == 0 { 0 } else { bit(n) | bit(n + 1) };
            (rs1 | pair(insn.rs2) | pair(insn.rd), pair(insn.rd))
        }
        Format::Cbo | Format::FpLoad | Format::FpStore => (rs1, 0),
        Format::IntToFp | Format::IntToFpRm => (rs1, 0),
        Format::FpR4 | Format::FpRm | Format::FpUnaryRm | Format::Fp | Format::Fli => (0, 0),
        Format::FpCmp | Format::FpToInt | Format::FpToIntRm | Format::FpToIntRtz => (0, rd),
        Format::Vsetvli => (rs1, rd),
        Format::Vsetivli | Format::VecToX => (0, rd),
        Format::VecVx | Format::VecMacVx | Format::VecVxm | Format::VecMvX => (rs1, 0),
        Format::VecMem | Format::VecMemIndexed => (rs1, 0),
        Format::VecMemStrided => (rs1 | rs2, 0),
        Format::VecVv
        | Format::VecVi
        | Format::VecVu
        | Format::VecVu6
        | Format::VecVf
        | Format::VecMacVv
        | Format::VecMacVf
        | Format::VecVvm
        | Format::VecVim
        | Format::VecVfm
        | Format::VecUnary
        | Format::VecMvV
        | Format::VecMvI
        | Format::VecMvF
        | Format::VecToF
        | Format::VecId => (0, 0),
    };
    // x0 needs no care.
    (reads & !1, writes & !1)
}
