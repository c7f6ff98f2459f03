//! Fixed point: saturating and averaging arithmetic, scaling shifts, narrowing clips.

use super::Op;
use super::element::Env;
use super::row::Row;

/// `value / 2^shift`, rounded as `vxrm` says.
fn round_off(e: &Env, value: i128, shift: u32) -> i128 {
    if shift == 0 {
        return value;
    }
    let below = value & ((1 << shift) - 1);
    let half = 1 << (shift - 1);
    let odd = value >> shift & 1 != 0;
    let up = match e.vxrm {
        0 => below >= half,
        1 => below > half || below == half && odd,
        2 => false,
        _ => !odd && below != 0,
    };
    (value >> shift) + i128::from(up)
}

/// The nearest signed element.
fn saturate(e: &mut Env, value: i128) -> i128 {
    let greatest = (1 << (e.bits() - 1)) - 1;
    clamp(e, value, -greatest - 1, greatest)
}

/// The nearest unsigned element.
fn saturate_unsigned(e: &mut Env, value: i128) -> i128 {
    let greatest = (1 << e.bits()) - 1;
    clamp(e, value, 0, greatest)
}

fn clamp(e: &mut Env, value: i128, least: i128, greatest: i128) -> i128 {
    let near = value.clamp(least, greatest);
    e.saturated |= near != value;
    near
}

fn amount(e: &Env, b: i128) -> u32 {
    b as u32 & (e.bits() - 1)
}

/// Of narrowing clips, modulo the width of the wider operand.
fn clip_amount(e: &Env, b: i128) -> u32 {
    b as u32 & (2 * e.bits() - 1)
}

const SADDU: Row = Row::unsigned(|e, _, a, b| saturate_unsigned(e, a + b));
const SADD: Row = Row::signed(|e, _, a, b| saturate(e, a + b));
const SSUBU: Row = Row::unsigned(|e, _, a, b| saturate_unsigned(e, a - b));
const SSUB: Row = Row::signed(|e, _, a, b| saturate(e, a - b));
const AADDU: Row = Row::unsigned(|e, _, a, b| round_off(e, a + b, 1));
const AADD: Row = Row::signed(|e, _, a, b| round_off(e, a + b, 1));
const ASUBU: Row = Row::unsigned(|e, _, a, b| round_off(e, a - b, 1));
const ASUB: Row = Row::signed(|e, _, a, b| round_off(e, a - b, 1));
const SMUL: Row = Row::signed(|e, _, a, b| {
    let product = round_off(e, a * b, e.bits() - 1);
    saturate(e, product)
});
const SSRL: Row = Row::unsigned(|e, _, a, b| round_off(e, a, amount(e, b)));
const SSRA: Row = Row::signed(|e, _, a, b| round_off(e, a, amount(e, b)));
const NCLIPU: Row = Row::unsigned(|e, _, a, b| {
    let scaled = round_off(e, a, clip_amount(e, b));
    saturate_unsigned(e, scaled)
})
.narrows();
const NCLIP: Row = Row::signed(|e, _, a, b| {
    let scaled = round_off(e, a, clip_amount(e, b));
    saturate(e, scaled)
})
.narrows();

pub(super) const ROWS: &[(Op, Row)] = &[
    (Op::VsadduVv, SADDU),
    (Op::VsadduVx, SADDU),
    (Op::VsadduVi, SADDU),
    (Op::VsaddVv, SADD),
    (Op::VsaddVx, SADD),
    (Op::VsaddVi, SADD),
    (Op::VssubuVv, SSUBU),
    (Op::VssubuVx, SSUBU),
    (Op::VssubVv, SSUB),
    (Op::VssubVx, SSUB),
    (Op::VaadduVv, AADDU),
    (Op::VaadduVx, AADDU),
    (Op::VaaddVv, AADD),
    (Op::VaaddVx, AADD),
    (Op::VasubuVv, ASUBU),
    (Op::VasubuVx, ASUBU),
    (Op::VasubVv, ASUB),
    (Op::VasubVx, ASUB),
    (Op::VsmulVv, SMUL),
    (Op::VsmulVx, SMUL),
    (Op::VssrlVv, SSRL),
    (Op::VssrlVx, SSRL),
    (Op::VssrlVi, SSRL),
    (Op::VssraVv, SSRA),
    (Op::VssraVx, SSRA),
    (Op::VssraVi, SSRA),
    (Op::VnclipuWv, NCLIPU),
    (Op::VnclipuWx, NCLIPU),
    (Op::VnclipuWi, NCLIPU),
    (Op::VnclipWv, NCLIP),
    (Op::VnclipWx, NCLIP),
    (Op::VnclipWi, NCLIP),
];
