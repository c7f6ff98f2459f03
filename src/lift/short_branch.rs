//! Branches over a few instructions, which are lifted to see whether they may as well be executed
//! conditionally: `opt::if_convert` says so.

use super::rule;
use crate::ir::{Builder, Node, Op};
use crate::isa::{self, Insn, Isa};
use crate::opt::{self, MAX_SKIPPED};

/// Makes the last operation of `b`, if it is a branch over a few simple operations, those
/// operations on its condition. `code` is what follows the branch, whose instructions have not been
/// lifted, at `pc`; `insns` of them may be. The address of the instruction behind them; `None` if
/// nothing has changed.
pub(super) fn convert(b: &mut Builder, code: &[u8], isa: &Isa, pc: u64, insns: u32) -> Option<u64> {
    let &Node { op: Op::Branch { target: end, .. }, .. } = b.block().nodes.last()? else {
        return None;
    };
    let len = usize::try_from(end.checked_sub(pc)?).ok()?;
    let code = code.get(..len).filter(|_| (2..=4 * MAX_SKIPPED).contains(&len))?;
    let (nodes, before) = (b.block().nodes.len(), b.block().insns);
    if lift_skipped(b, code, isa, pc, insns) && opt::if_convert(b, nodes - 1) {
        return Some(end);
    }
    b.rewind(nodes, before);
    None
}

/// Lifts all of `code`, at `pc`. False if something is there that cannot be conditional.
fn lift_skipped(b: &mut Builder, code: &[u8], isa: &Isa, pc: u64, insns: u32) -> bool {
    let (mut at, mut left) = (0, insns.min(MAX_SKIPPED as u32));
    while let Some(&[low, high]) = code.get(at..).and_then(|rest| rest.first_chunk()) {
        let mut bits = u32::from(low) | u32::from(high) << 8;
        if bits & 3 == 3 {
            let Some(&wide) = code.get(at..).and_then(|rest| rest.first_chunk()) else {
                return false;
            };
            bits = u32::from_le_bytes(wide);
        }
        let simple = |insn: &Insn| left != 0 && rule::is_simple(insn.op);
        let Some(insn) = isa::decode(bits, isa).filter(simple) else { return false };
        left -= 1;
        let pc = pc.wrapping_add(at as u64);
        b.at(pc);
        rule::apply(b, insn, pc);
        at += usize::from(insn.len);
    }
    at == code.len()
}
