//! The loop in which libgcc's `__clzdi2` and `__ctzdi2`, which compilers call where there is no
//! Zbb, look for the highest byte of a doubleword that is not zero:
//!
//! ```text
//!     li   i, 56
//! 1:  srl  t, a, i
//!     andi m, t, 255
//!     bnez m, out
//!     addi i, i, -8
//!     bnez i, 1b
//! ```
//!
//! Hosts count leading zeros. What the loop writes, it writes before it reads it, and nothing in it
//! can fault, so that only the end of it is ever seen: at `out`, or behind it with `t` and `m`
//! zero, as a byte that is not zero has not been found in front of the lowest.

use crate::ir::{BinOp, Builder, Cond, Op, Reg, Src, UnOp, Width};
use crate::isa::{self, Insn, Isa};
use crate::opt;

/// Instructions of the loop.
const INSNS: usize = 5;
/// Most of them that are executed: the lowest byte is not looked at.
pub(super) const MOST_EXECUTED: u32 = 7 * INSNS as u32;

/// Adds what the loop does that `code`, at `pc`, begins with, if it is this one and `b` has just
/// made its counter 56. The address behind it; `None` if nothing has changed.
pub(super) fn clz_loop(b: &mut Builder, code: &[u8], isa: &Isa, pc: u64) -> Option<u64> {
    let Op::Const { rd: i, value: 56 } = b.block().nodes.last()?.op else { return None };
    let ([shift, mask, found, step, back], len) = decode(code, isa)?;
    let (a, t, m) = (Reg(shift.rs1), Reg(shift.rd), Reg(mask.rd));
    let [found_at, back_at] = [shift.len + mask.len, len - back.len].map(u64::from);
    let ops = [shift.op, mask.op, found.op, step.op, back.op];
    let same = ops == [isa::Op::Srl, isa::Op::Andi, isa::Op::Bne, isa::Op::Addi, isa::Op::Bne]
        && (shift.rs2, mask.rs1, mask.imm) == (i.0, t.0, 255)
        && (found.rs1, found.rs2) == (m.0, 0)
        && (step.rd, step.rs1, step.imm) == (i.0, i.0, -8)
        && (back.rs1, back.rs2, back.imm) == (i.0, 0, -(back_at as i32));
    let all = [a, t, m, i];
    let different = (0..4).all(|n| !all[n].is_zero() && !all[..n].contains(&all[n]));
    if !same || !different {
        return None;
    }
    let bin = |op, rd, a, b| Op::Bin { op, w: Width::D, rd, a, b };
    b.at(pc);
    // The number of the highest bit that is set, and that of its byte's lowest.
    opt::add(b, bin(BinOp::Or, t, a, Src::Imm(1)));
    opt::add(b, Op::Un { op: UnOp::Clz, w: Width::D, rd: t, a: t });
    opt::add(b, bin(BinOp::Xor, t, t, Src::Imm(63)));
    opt::add(b, bin(BinOp::And, i, t, Src::Imm(56)));
    opt::add(b, bin(BinOp::Srl, t, a, Src::Reg(i)));
    opt::add(b, bin(BinOp::Add, m, t, Src::Imm(0)));
    b.at(pc.wrapping_add(found_at));
    let target = pc.wrapping_add(found_at).wrapping_add(found.imm as u64);
    opt::add(b, Op::Branch { cond: Cond::Ne, a: i, b: Reg::ZERO, target });
    b.at(pc.wrapping_add(back_at));
    opt::add(b, Op::Const { rd: t, value: 0 });
    opt::add(b, Op::Const { rd: m, value: 0 });
    b.stand_for(MOST_EXECUTED - 3);
    Some(pc.wrapping_add(u64::from(len)))
}

/// The first instructions of `code`, and their bytes.
fn decode(code: &[u8], isa: &Isa) -> Option<([Insn; INSNS], u8)> {
    let mut at = 0;
    let mut next = || {
        let half = u16::from_le_bytes(*code.get(usize::from(at)..)?.first_chunk()?);
        let bits = if half & 3 == 3 {
            u32::from_le_bytes(*code.get(usize::from(at)..)?.first_chunk()?)
        } else {
            u32::from(half)
        };
        let insn = isa::decode(bits, isa)?;
        at += insn.len;
        Some(insn)
    };
    let insns = [next()?, next()?, next()?, next()?, next()?];
    Some((insns, at))
}
