//! Floating point. Operands are the bits of numbers of the element's width; `softfloat` computes.

use super::Op;
use super::element::{Env, widen_bf16};
use super::row::{Action, Eew, Floats, Operation, Row};
use crate::softfloat::{self, Bf16, F16, F32, F64, IntType, Round};

/// Calls a function of `softfloat` for the format of so many bytes, as a power of two.
macro_rules! with_format {
    ($width:expr, $function:ident($($argument:expr),*)) => {
        match $width {
            1 => softfloat::$function::<F16>($($argument),*),
            2 => softfloat::$function::<F32>($($argument),*),
            _ => softfloat::$function::<F64>($($argument),*),
        }
    };
}

/// Operations of two numbers that are rounded.
macro_rules! rounded {
    ($($name:ident)*) => {$(
        pub(super) fn $name(e: &mut Env, _: i128, a: i128, b: i128) -> i128 {
            let (a, b, round, flags) = (a as u64, b as u64, e.round, &mut e.fflags);
            with_format!(e.width, $name(a, b, round, flags)).into()
        }
    )*};
}

rounded! { add sub mul div }

/// Minimum and maximum.
macro_rules! choices {
    ($($name:ident)*) => {$(
        pub(super) fn $name(e: &mut Env, _: i128, a: i128, b: i128) -> i128 {
            let (a, b, flags) = (a as u64, b as u64, &mut e.fflags);
            with_format!(e.width, $name(a, b, flags)).into()
        }
    )*};
}

choices! { min max }

/// Comparisons.
macro_rules! comparisons {
    ($($name:ident)*) => {$(
        fn $name(e: &mut Env, _: i128, a: i128, b: i128) -> i128 {
            let (a, b, flags) = (a as u64, b as u64, &mut e.fflags);
            with_format!(e.width, $name(a, b, flags)).into()
        }
    )*};
}

comparisons! { equal less_than less_equal }

fn sign(e: &Env) -> i128 {
    1 << (e.bits() - 1)
}

/// `±(a * b) ± c`.
fn fused(e: &mut Env, [a, b, c]: [i128; 3], negate_product: bool, negate_addend: bool) -> i128 {
    let sign = |negate, e: &Env| if negate { sign(e) as u64 } else { 0 };
    let a = a as u64 ^ sign(negate_product, e);
    let c = c as u64 ^ sign(negate_addend, e);
    let (b, round, flags) = (b as u64, e.round, &mut e.fflags);
    with_format!(e.width, mul_add(a, b, c, round, flags)).into()
}

const MACC: Operation = |e, d, a, b| fused(e, [a, b, d], false, false);
const NMACC: Operation = |e, d, a, b| fused(e, [a, b, d], true, true);
const MSAC: Operation = |e, d, a, b| fused(e, [a, b, d], false, true);
const NMSAC: Operation = |e, d, a, b| fused(e, [a, b, d], true, false);
const MADD: Operation = |e, d, a, b| fused(e, [d, b, a], false, false);
const NMADD: Operation = |e, d, a, b| fused(e, [d, b, a], true, true);
const MSUB: Operation = |e, d, a, b| fused(e, [d, b, a], false, true);
const NMSUB: Operation = |e, d, a, b| fused(e, [d, b, a], true, false);
const BF16_MACC: Operation = |e, d, a, b| {
    let (a, b) = (widen_bf16(a, &mut e.fflags), widen_bf16(b, &mut e.fflags));
    fused(e, [a, b, d], false, false)
};

fn sqrt(e: &mut Env, _: i128, a: i128, _: i128) -> i128 {
    let (a, round, flags) = (a as u64, e.round, &mut e.fflags);
    with_format!(e.width, sqrt(a, round, flags)).into()
}

fn reciprocal(e: &mut Env, _: i128, a: i128, _: i128) -> i128 {
    let (a, round, flags) = (a as u64, e.round, &mut e.fflags);
    with_format!(e.width, reciprocal_estimate(a, round, flags)).into()
}

fn reciprocal_sqrt(e: &mut Env, _: i128, a: i128, _: i128) -> i128 {
    let (a, flags) = (a as u64, &mut e.fflags);
    with_format!(e.width, reciprocal_sqrt_estimate(a, flags)).into()
}

fn class(e: &mut Env, _: i128, a: i128, _: i128) -> i128 {
    1 << with_format!(e.width, classify(a as u64)) as u8
}

/// The sign of the second operand, which `sign` is made of, on the first.
fn inject(e: &mut Env, a: i128, sign_of: i128) -> i128 {
    a & !sign(e) | sign_of & sign(e)
}

/// The integers of so many bytes.
fn integers(width: u8, signed: bool) -> IntType {
    match (width, signed) {
        (0, true) => IntType::I8,
        (0, false) => IntType::U8,
        (1, true) => IntType::I16,
        (1, false) => IntType::U16,
        (2, true) => IntType::I32,
        (2, false) => IntType::U32,
        (_, true) => IntType::I64,
        (_, false) => IntType::U64,
    }
}

/// From a number to an integer, of whatever widths.
fn to_int(e: &mut Env, a: i128, signed: bool, round: Round) -> i128 {
    let to = integers(e.width, signed);
    with_format!(e.source, to_int(a as u64, to, round, &mut e.fflags)).into()
}

/// From an integer, extended, to a number.
fn from_int(e: &mut Env, a: i128, from: IntType) -> i128 {
    let (a, round, flags) = (a as u64, e.round, &mut e.fflags);
    with_format!(e.width, from_int(a, from, round, flags)).into()
}

const TO_UNSIGNED: Row = Row::unsigned(|e, _, a, _| to_int(e, a, false, e.round));
const TO_SIGNED: Row = Row::unsigned(|e, _, a, _| to_int(e, a, true, e.round));
const TO_UNSIGNED_RTZ: Row = Row::unsigned(|e, _, a, _| to_int(e, a, false, Round::Zero));
const TO_SIGNED_RTZ: Row = Row::unsigned(|e, _, a, _| to_int(e, a, true, Round::Zero));
const FROM_UNSIGNED: Row = Row::unsigned(|e, _, a, _| from_int(e, a, IntType::U64));
const FROM_SIGNED: Row = Row::signed(|e, _, a, _| from_int(e, a, IntType::I64));

/// From one format to the next narrower one.
fn narrow(e: &mut Env, a: i128) -> i128 {
    let (a, round, flags) = (a as u64, e.round, &mut e.fflags);
    match e.width {
        1 => softfloat::convert::<F32, F16>(a, round, flags),
        _ => softfloat::convert::<F64, F32>(a, round, flags),
    }
    .into()
}

fn narrow_to_odd(e: &mut Env, _: i128, a: i128, _: i128) -> i128 {
    let (a, flags) = (a as u64, &mut e.fflags);
    match e.width {
        1 => softfloat::convert_to_odd::<F32, F16>(a, flags),
        _ => softfloat::convert_to_odd::<F64, F32>(a, flags),
    }
    .into()
}

/// Conversions of formats: Zvfhmin has them for half precision.
const CONVERSION: Option<Floats> = Some(Floats { sew: true, twice: true, conversion: true });

const fn binary(operation: Operation) -> Row {
    Row::unsigned(operation).float()
}

const fn test(operation: Operation) -> Row {
    Row::unsigned(operation).float().tests()
}

const fn accumulate(operation: Operation) -> Row {
    Row::unsigned(operation).float().accumulates()
}

/// Both operands are widened.
const fn widening(operation: Operation) -> Row {
    Row::new(Action::Widened(operation, true, true)).floats(true, true).widens()
}

/// The second operand is widened.
const fn widening_one(operation: Operation) -> Row {
    Row::new(Action::Widened(operation, false, true)).floats(true, true).widens_one()
}

const fn unary(operation: Operation) -> Row {
    of_one(Row::unsigned(operation)).float()
}

const fn of_one(row: Row) -> Row {
    Row { vs1: Eew::Unused, ..row }
}

const REVERSE_SUB: Row = binary(|e, d, a, b| sub(e, d, b, a));
const REVERSE_DIV: Row = binary(|e, d, a, b| div(e, d, b, a));
const GREATER: Row = test(|e, d, a, b| less_than(e, d, b, a));
const GREATER_EQUAL: Row = test(|e, d, a, b| less_equal(e, d, b, a));
const UNEQUAL: Row = test(|e, d, a, b| 1 - equal(e, d, a, b));
const SGNJ: Row = binary(|e, _, a, b| inject(e, a, b));
const SGNJN: Row = binary(|e, _, a, b| inject(e, a, !b));
const SGNJX: Row = binary(|e, _, a, b| inject(e, a, a ^ b));
const MERGE: Row = binary(|e, _, a, b| if e.carry { b } else { a });
const MOVE: Row = binary(|_, _, _, b| b).of(Eew::Times(0), Eew::Unused, Eew::Unused);
const WIDE_BF16: Row = Row::unsigned(|e, _, a, _| widen_bf16(a, &mut e.fflags));
const NARROW_BF16: Row = Row::unsigned(|e, _, a, _| {
    softfloat::convert::<F32, Bf16>(a as u64, e.round, &mut e.fflags).into()
});
/// SEW is 16, and wider numbers are singles. (It names no format of SEW.)
const BF16: Option<Floats> = Some(Floats { sew: false, twice: true, conversion: false });

pub(super) const ROWS: &[(Op, Row)] = &[
    (Op::VfaddVv, binary(add)),
    (Op::VfaddVf, binary(add)),
    (Op::VfsubVv, binary(sub)),
    (Op::VfsubVf, binary(sub)),
    (Op::VfrsubVf, REVERSE_SUB),
    (Op::VfwaddVv, widening(add)),
    (Op::VfwaddVf, widening(add)),
    (Op::VfwsubVv, widening(sub)),
    (Op::VfwsubVf, widening(sub)),
    (Op::VfwaddWv, widening_one(add)),
    (Op::VfwaddWf, widening_one(add)),
    (Op::VfwsubWv, widening_one(sub)),
    (Op::VfwsubWf, widening_one(sub)),
    (Op::VfmulVv, binary(mul)),
    (Op::VfmulVf, binary(mul)),
    (Op::VfdivVv, binary(div)),
    (Op::VfdivVf, binary(div)),
    (Op::VfrdivVf, REVERSE_DIV),
    (Op::VfwmulVv, widening(mul)),
    (Op::VfwmulVf, widening(mul)),
    (Op::VfmaccVv, accumulate(MACC)),
    (Op::VfmaccVf, accumulate(MACC)),
    (Op::VfnmaccVv, accumulate(NMACC)),
    (Op::VfnmaccVf, accumulate(NMACC)),
    (Op::VfmsacVv, accumulate(MSAC)),
    (Op::VfmsacVf, accumulate(MSAC)),
    (Op::VfnmsacVv, accumulate(NMSAC)),
    (Op::VfnmsacVf, accumulate(NMSAC)),
    (Op::VfmaddVv, accumulate(MADD)),
    (Op::VfmaddVf, accumulate(MADD)),
    (Op::VfnmaddVv, accumulate(NMADD)),
    (Op::VfnmaddVf, accumulate(NMADD)),
    (Op::VfmsubVv, accumulate(MSUB)),
    (Op::VfmsubVf, accumulate(MSUB)),
    (Op::VfnmsubVv, accumulate(NMSUB)),
    (Op::VfnmsubVf, accumulate(NMSUB)),
    (Op::VfwmaccVv, widening(MACC).accumulates()),
    (Op::VfwmaccVf, widening(MACC).accumulates()),
    (Op::VfwnmaccVv, widening(NMACC).accumulates()),
    (Op::VfwnmaccVf, widening(NMACC).accumulates()),
    (Op::VfwmsacVv, widening(MSAC).accumulates()),
    (Op::VfwmsacVf, widening(MSAC).accumulates()),
    (Op::VfwnmsacVv, widening(NMSAC).accumulates()),
    (Op::VfwnmsacVf, widening(NMSAC).accumulates()),
    (Op::VfsqrtV, unary(sqrt)),
    (Op::Vfrsqrt7V, unary(reciprocal_sqrt)),
    (Op::Vfrec7V, unary(reciprocal)),
    (Op::VfclassV, unary(class)),
    (Op::VfminVv, binary(min)),
    (Op::VfminVf, binary(min)),
    (Op::VfmaxVv, binary(max)),
    (Op::VfmaxVf, binary(max)),
    (Op::VfsgnjVv, SGNJ),
    (Op::VfsgnjVf, SGNJ),
    (Op::VfsgnjnVv, SGNJN),
    (Op::VfsgnjnVf, SGNJN),
    (Op::VfsgnjxVv, SGNJX),
    (Op::VfsgnjxVf, SGNJX),
    (Op::VmfeqVv, test(equal)),
    (Op::VmfeqVf, test(equal)),
    (Op::VmfneVv, UNEQUAL),
    (Op::VmfneVf, UNEQUAL),
    (Op::VmfltVv, test(less_than)),
    (Op::VmfltVf, test(less_than)),
    (Op::VmfleVv, test(less_equal)),
    (Op::VmfleVf, test(less_equal)),
    (Op::VmfgtVf, GREATER),
    (Op::VmfgeVf, GREATER_EQUAL),
    (Op::VfmergeVfm, MERGE),
    (Op::VfmvVF, MOVE),
    (Op::VfcvtXuFV, of_one(TO_UNSIGNED).float()),
    (Op::VfcvtXFV, of_one(TO_SIGNED).float()),
    (Op::VfcvtRtzXuFV, of_one(TO_UNSIGNED_RTZ).float()),
    (Op::VfcvtRtzXFV, of_one(TO_SIGNED_RTZ).float()),
    (Op::VfcvtFXuV, of_one(FROM_UNSIGNED).float()),
    (Op::VfcvtFXV, of_one(FROM_SIGNED).float()),
    (Op::VfwcvtXuFV, of_one(TO_UNSIGNED).float().widens()),
    (Op::VfwcvtXFV, of_one(TO_SIGNED).float().widens()),
    (Op::VfwcvtRtzXuFV, of_one(TO_UNSIGNED_RTZ).float().widens()),
    (Op::VfwcvtRtzXFV, of_one(TO_SIGNED_RTZ).float().widens()),
    (Op::VfwcvtFXuV, of_one(FROM_UNSIGNED).floats(false, true).widens()),
    (Op::VfwcvtFXV, of_one(FROM_SIGNED).floats(false, true).widens()),
    (
        Op::VfwcvtFFV,
        Row {
            floats: CONVERSION,
            ..of_one(Row::new(Action::Widened(|_, _, a, _| a, true, false))).widens()
        },
    ),
    (Op::VfncvtXuFW, of_one(TO_UNSIGNED).floats(false, true).narrows()),
    (Op::VfncvtXFW, of_one(TO_SIGNED).floats(false, true).narrows()),
    (Op::VfncvtRtzXuFW, of_one(TO_UNSIGNED_RTZ).floats(false, true).narrows()),
    (Op::VfncvtRtzXFW, of_one(TO_SIGNED_RTZ).floats(false, true).narrows()),
    (Op::VfncvtFXuW, of_one(FROM_UNSIGNED).float().narrows()),
    (Op::VfncvtFXW, of_one(FROM_SIGNED).float().narrows()),
    (
        Op::VfncvtFFW,
        Row { floats: CONVERSION, ..of_one(Row::unsigned(|e, _, a, _| narrow(e, a))).narrows() },
    ),
    (Op::VfncvtRodFFW, of_one(Row::unsigned(narrow_to_odd)).floats(true, true).narrows()),
    (Op::Vfwcvtbf16FFV, Row { floats: BF16, ..of_one(WIDE_BF16).widens().groups(1, 1) }),
    (Op::Vfncvtbf16FFW, Row { floats: BF16, ..of_one(NARROW_BF16).narrows().groups(1, 1) }),
    (
        Op::Vfwmaccbf16Vv,
        Row { floats: BF16, ..Row::unsigned(BF16_MACC).accumulates().widens().groups(1, 1) },
    ),
    (
        Op::Vfwmaccbf16Vf,
        Row { floats: BF16, ..Row::unsigned(BF16_MACC).accumulates().widens().groups(1, 1) },
    ),
];
