//! Integer arithmetic, comparisons, merges and moves.

use super::Op;
use super::element::Env;
use super::row::{Action, Eew, Operation, Row};

/// `vs2` signed and `vs1` not.
const fn mixed(operation: Operation) -> Row {
    Row::new(Action::Elements(operation, true, false))
}

/// `vs1` signed and `vs2` not.
const fn mixed_other(operation: Operation) -> Row {
    Row::new(Action::Elements(operation, false, true))
}

/// Extends elements that are narrower by a power of two.
const fn extension(times: i8, signed: bool) -> Row {
    let row = Row::new(Action::Elements(|_, _, a, _| a, signed, false));
    row.of(Eew::Times(0), Eew::Times(-times), Eew::Unused)
}

/// A move: there is no `vs2`.
const MOVE: Row = Row::unsigned(|_, _, _, b| b).of(Eew::Times(0), Eew::Unused, Eew::Times(0));

const ADD: Row = Row::unsigned(|_, _, a, b| a + b);
const ADD_SIGNED: Row = Row::signed(|_, _, a, b| a + b);
const SUB: Row = Row::unsigned(|_, _, a, b| a - b);
const SUB_SIGNED: Row = Row::signed(|_, _, a, b| a - b);
const REVERSE_SUB: Row = Row::unsigned(|_, _, a, b| b - a);
const AND: Row = Row::unsigned(|_, _, a, b| a & b);
const OR: Row = Row::unsigned(|_, _, a, b| a | b);
const XOR: Row = Row::unsigned(|_, _, a, b| a ^ b);
const SLL: Row = Row::unsigned(|e, _, a, b| a << amount(e, b));
const SRL: Row = Row::unsigned(|e, _, a, b| a >> amount(e, b));
const SRA: Row = Row::signed(|e, _, a, b| a >> amount(e, b));
const NARROW_SRL: Row = Row::unsigned(|e, _, a, b| a >> wide_amount(e, b)).narrows();
const NARROW_SRA: Row = Row::signed(|e, _, a, b| a >> wide_amount(e, b)).narrows();
const MIN: Row = Row::signed(|_, _, a, b| a.min(b));
const MIN_UNSIGNED: Row = Row::unsigned(|_, _, a, b| a.min(b));
const MAX: Row = Row::signed(|_, _, a, b| a.max(b));
const MAX_UNSIGNED: Row = Row::unsigned(|_, _, a, b| a.max(b));
const EQUAL: Row = Row::unsigned(|_, _, a, b| (a == b).into()).tests();
const UNEQUAL: Row = Row::unsigned(|_, _, a, b| (a != b).into()).tests();
const LESS: Row = Row::signed(|_, _, a, b| (a < b).into()).tests();
const LESS_UNSIGNED: Row = Row::unsigned(|_, _, a, b| (a < b).into()).tests();
const LESS_EQUAL: Row = Row::signed(|_, _, a, b| (a <= b).into()).tests();
const LESS_EQUAL_UNSIGNED: Row = Row::unsigned(|_, _, a, b| (a <= b).into()).tests();
const GREATER: Row = Row::signed(|_, _, a, b| (a > b).into()).tests();
const GREATER_UNSIGNED: Row = Row::unsigned(|_, _, a, b| (a > b).into()).tests();
const ADD_CARRY: Row = Row::unsigned(|e, _, a, b| a + b + i128::from(e.carry));
const CARRY_OUT: Row =
    Row::unsigned(|e, _, a, b| (a + b + i128::from(e.carry)) >> e.bits()).tests();
const SUB_BORROW: Row = Row::unsigned(|e, _, a, b| a - b - i128::from(e.carry));
const BORROW_OUT: Row =
    Row::unsigned(|e, _, a, b| (a - b - i128::from(e.carry) < 0).into()).tests();
const MERGE: Row = Row::unsigned(|e, _, a, b| if e.carry { b } else { a });
const MUL: Row = Row::unsigned(|_, _, a, b| a.wrapping_mul(b));
const MUL_SIGNED: Row = Row::signed(|_, _, a, b| a * b);
const MULH: Row = Row::signed(|e, _, a, b| (a * b) >> e.bits());
// The product of two unsigned elements of 64 bits has 128.
const MULH_UNSIGNED: Row =
    Row::unsigned(|e, _, a, b| (a.wrapping_mul(b) as u128 >> e.bits()) as i128);
const MULH_MIXED: Row = mixed(|e, _, a, b| (a * b) >> e.bits());
const DIV: Row = Row::signed(|_, _, a, b| if b == 0 { -1 } else { a / b });
const DIV_UNSIGNED: Row = Row::unsigned(|_, _, a, b| if b == 0 { -1 } else { a / b });
const REM: Row = Row::signed(|_, _, a, b| if b == 0 { a } else { a % b });
const REM_UNSIGNED: Row = Row::unsigned(|_, _, a, b| if b == 0 { a } else { a % b });
const MACC: Row = Row::unsigned(|_, d, a, b| d.wrapping_add(a.wrapping_mul(b))).accumulates();
const NMSAC: Row = Row::unsigned(|_, d, a, b| d.wrapping_sub(a.wrapping_mul(b))).accumulates();
const MADD: Row = Row::unsigned(|_, d, a, b| a.wrapping_add(d.wrapping_mul(b))).accumulates();
const NMSUB: Row = Row::unsigned(|_, d, a, b| a.wrapping_sub(d.wrapping_mul(b))).accumulates();
const WIDE_MACC: Operation = |_, d, a, b| d + a * b;
const WMACC: Row = Row::signed(WIDE_MACC).accumulates().widens();
const WMACC_UNSIGNED: Row = Row::unsigned(WIDE_MACC).accumulates().widens();
const WMACC_SU: Row = mixed_other(WIDE_MACC).accumulates().widens();
const WMACC_US: Row = mixed(WIDE_MACC).accumulates().widens();

/// Shift amounts are taken modulo the width.
fn amount(e: &Env, b: i128) -> u32 {
    b as u32 & (e.bits() - 1)
}

/// Of narrowing shifts, modulo that of the wider operand.
fn wide_amount(e: &Env, b: i128) -> u32 {
    b as u32 & (2 * e.bits() - 1)
}

pub(super) const ROWS: &[(Op, Row)] = &[
    (Op::VaddVv, ADD),
    (Op::VaddVx, ADD),
    (Op::VaddVi, ADD),
    (Op::VsubVv, SUB),
    (Op::VsubVx, SUB),
    (Op::VrsubVx, REVERSE_SUB),
    (Op::VrsubVi, REVERSE_SUB),
    (Op::VwadduVv, ADD.widens()),
    (Op::VwadduVx, ADD.widens()),
    (Op::VwaddVv, ADD_SIGNED.widens()),
    (Op::VwaddVx, ADD_SIGNED.widens()),
    (Op::VwsubuVv, SUB.widens()),
    (Op::VwsubuVx, SUB.widens()),
    (Op::VwsubVv, SUB_SIGNED.widens()),
    (Op::VwsubVx, SUB_SIGNED.widens()),
    (Op::VwadduWv, ADD.widens_one()),
    (Op::VwadduWx, ADD.widens_one()),
    (Op::VwaddWv, ADD_SIGNED.widens_one()),
    (Op::VwaddWx, ADD_SIGNED.widens_one()),
    (Op::VwsubuWv, SUB.widens_one()),
    (Op::VwsubuWx, SUB.widens_one()),
    (Op::VwsubWv, SUB_SIGNED.widens_one()),
    (Op::VwsubWx, SUB_SIGNED.widens_one()),
    (Op::VzextVf8, extension(3, false)),
    (Op::VsextVf8, extension(3, true)),
    (Op::VzextVf4, extension(2, false)),
    (Op::VsextVf4, extension(2, true)),
    (Op::VzextVf2, extension(1, false)),
    (Op::VsextVf2, extension(1, true)),
    (Op::VadcVvm, ADD_CARRY),
    (Op::VadcVxm, ADD_CARRY),
    (Op::VadcVim, ADD_CARRY),
    (Op::VmadcVvm, CARRY_OUT),
    (Op::VmadcVxm, CARRY_OUT),
    (Op::VmadcVim, CARRY_OUT),
    (Op::VmadcVv, CARRY_OUT),
    (Op::VmadcVx, CARRY_OUT),
    (Op::VmadcVi, CARRY_OUT),
    (Op::VsbcVvm, SUB_BORROW),
    (Op::VsbcVxm, SUB_BORROW),
    (Op::VmsbcVvm, BORROW_OUT),
    (Op::VmsbcVxm, BORROW_OUT),
    (Op::VmsbcVv, BORROW_OUT),
    (Op::VmsbcVx, BORROW_OUT),
    (Op::VandVv, AND),
    (Op::VandVx, AND),
    (Op::VandVi, AND),
    (Op::VorVv, OR),
    (Op::VorVx, OR),
    (Op::VorVi, OR),
    (Op::VxorVv, XOR),
    (Op::VxorVx, XOR),
    (Op::VxorVi, XOR),
    (Op::VsllVv, SLL),
    (Op::VsllVx, SLL),
    (Op::VsllVi, SLL),
    (Op::VsrlVv, SRL),
    (Op::VsrlVx, SRL),
    (Op::VsrlVi, SRL),
    (Op::VsraVv, SRA),
    (Op::VsraVx, SRA),
    (Op::VsraVi, SRA),
    (Op::VnsrlWv, NARROW_SRL),
    (Op::VnsrlWx, NARROW_SRL),
    (Op::VnsrlWi, NARROW_SRL),
    (Op::VnsraWv, NARROW_SRA),
    (Op::VnsraWx, NARROW_SRA),
    (Op::VnsraWi, NARROW_SRA),
    (Op::VmseqVv, EQUAL),
    (Op::VmseqVx, EQUAL),
    (Op::VmseqVi, EQUAL),
    (Op::VmsneVv, UNEQUAL),
    (Op::VmsneVx, UNEQUAL),
    (Op::VmsneVi, UNEQUAL),
    (Op::VmsltuVv, LESS_UNSIGNED),
    (Op::VmsltuVx, LESS_UNSIGNED),
    (Op::VmsltVv, LESS),
    (Op::VmsltVx, LESS),
    (Op::VmsleuVv, LESS_EQUAL_UNSIGNED),
    (Op::VmsleuVx, LESS_EQUAL_UNSIGNED),
    (Op::VmsleuVi, LESS_EQUAL_UNSIGNED),
    (Op::VmsleVv, LESS_EQUAL),
    (Op::VmsleVx, LESS_EQUAL),
    (Op::VmsleVi, LESS_EQUAL),
    (Op::VmsgtuVx, GREATER_UNSIGNED),
    (Op::VmsgtuVi, GREATER_UNSIGNED),
    (Op::VmsgtVx, GREATER),
    (Op::VmsgtVi, GREATER),
    (Op::VminuVv, MIN_UNSIGNED),
    (Op::VminuVx, MIN_UNSIGNED),
    (Op::VminVv, MIN),
    (Op::VminVx, MIN),
    (Op::VmaxuVv, MAX_UNSIGNED),
    (Op::VmaxuVx, MAX_UNSIGNED),
    (Op::VmaxVv, MAX),
    (Op::VmaxVx, MAX),
    (Op::VmulVv, MUL),
    (Op::VmulVx, MUL),
    (Op::VmulhVv, MULH),
    (Op::VmulhVx, MULH),
    (Op::VmulhuVv, MULH_UNSIGNED),
    (Op::VmulhuVx, MULH_UNSIGNED),
    (Op::VmulhsuVv, MULH_MIXED),
    (Op::VmulhsuVx, MULH_MIXED),
    (Op::VdivuVv, DIV_UNSIGNED),
    (Op::VdivuVx, DIV_UNSIGNED),
    (Op::VdivVv, DIV),
    (Op::VdivVx, DIV),
    (Op::VremuVv, REM_UNSIGNED),
    (Op::VremuVx, REM_UNSIGNED),
    (Op::VremVv, REM),
    (Op::VremVx, REM),
    (Op::VwmulVv, MUL_SIGNED.widens()),
    (Op::VwmulVx, MUL_SIGNED.widens()),
    (Op::VwmuluVv, MUL.widens()),
    (Op::VwmuluVx, MUL.widens()),
    (Op::VwmulsuVv, mixed(|_, _, a, b| a * b).widens()),
    (Op::VwmulsuVx, mixed(|_, _, a, b| a * b).widens()),
    (Op::VmaccVv, MACC),
    (Op::VmaccVx, MACC),
    (Op::VnmsacVv, NMSAC),
    (Op::VnmsacVx, NMSAC),
    (Op::VmaddVv, MADD),
    (Op::VmaddVx, MADD),
    (Op::VnmsubVv, NMSUB),
    (Op::VnmsubVx, NMSUB),
    (Op::VwmaccuVv, WMACC_UNSIGNED),
    (Op::VwmaccuVx, WMACC_UNSIGNED),
    (Op::VwmaccVv, WMACC),
    (Op::VwmaccVx, WMACC),
    (Op::VwmaccsuVv, WMACC_SU),
    (Op::VwmaccsuVx, WMACC_SU),
    (Op::VwmaccusVx, WMACC_US),
    (Op::VmergeVvm, MERGE),
    (Op::VmergeVxm, MERGE),
    (Op::VmergeVim, MERGE),
    (Op::VmvVV, MOVE),
    (Op::VmvVX, MOVE),
    (Op::VmvVI, MOVE),
];
