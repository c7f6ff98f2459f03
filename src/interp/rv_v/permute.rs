//! Moves between scalars and elements, slides, gathers, compression, copies of registers.

use super::element::{Exec, extend};
use super::row::{Action, Eew, Row};
use super::{Hart, Op};
use crate::isa::Format;

const fn whole(whole: fn(&mut Exec<'_>, &mut Hart)) -> Row {
    Row::new(Action::Whole(whole))
}

/// To a scalar, of the first element.
const fn from_first(action: fn(&mut Exec<'_>, &mut Hart)) -> Row {
    whole(action).of(Eew::Unused, Eew::First(0), Eew::Unused)
}

const SET_FIRST: Row = whole(set_first).of(Eew::First(0), Eew::Unused, Eew::Unused);
const SLIDE_UP: Row = whole(slide_up).apart();
const SLIDE_DOWN: Row = whole(slide_down);
const SLIDE1_UP: Row = whole(slide1_up).apart();
const SLIDE1_DOWN: Row = whole(slide1_down);
const GATHER: Row = whole(gather).apart();

/// Copies of whole registers.
const fn copy_of(registers: u8) -> Row {
    whole(copy).of(Eew::Registers(registers), Eew::Registers(registers), Eew::Unused)
}

pub(super) const ROWS: &[(Op, Row)] = &[
    (
        Op::VmvXS,
        from_first(|e, h| {
            let element = e.get(e.i.rs2, 0, e.ty.sew);
            h.set_x(e.i.rd, extend(element, e.ty.sew, true) as u64);
        }),
    ),
    (Op::VmvSX, SET_FIRST),
    (
        Op::VfmvFS,
        from_first(|e, h| {
            let element = e.get(e.i.rs2, 0, e.ty.sew);
            // NaN-boxed.
            let boxes = u64::MAX.checked_shl(8 << e.ty.sew).unwrap_or(0);
            h.f[usize::from(e.i.rd & 31)] = element | boxes;
        })
        .float(),
    ),
    (Op::VfmvSF, SET_FIRST.float()),
    (Op::VslideupVx, SLIDE_UP),
    (Op::VslideupVi, SLIDE_UP),
    (Op::VslidedownVx, SLIDE_DOWN),
    (Op::VslidedownVi, SLIDE_DOWN),
    (Op::Vslide1upVx, SLIDE1_UP),
    (Op::Vslide1downVx, SLIDE1_DOWN),
    (Op::Vfslide1upVf, SLIDE1_UP.float()),
    (Op::Vfslide1downVf, SLIDE1_DOWN.float()),
    (Op::VrgatherVv, GATHER),
    (Op::VrgatherVx, GATHER),
    (Op::VrgatherVi, GATHER),
    (Op::Vrgatherei16Vv, GATHER.of(Eew::Times(0), Eew::Times(0), Eew::Bits16)),
    (
        Op::VcompressVm,
        whole(compress).of(Eew::Times(0), Eew::Times(0), Eew::Mask).apart().needs_start(),
    ),
    (Op::Vmv1rV, copy_of(1)),
    (Op::Vmv2rV, copy_of(2)),
    (Op::Vmv4rV, copy_of(4)),
    (Op::Vmv8rV, copy_of(8)),
];

fn set_first(e: &mut Exec<'_>, h: &mut Hart) {
    if e.start < e.vl {
        let value = e.scalar(h).unwrap_or_default();
        e.set(e.i.rd, 0, e.ty.sew, value);
    }
}

/// Element `n` of `vs2`, or 0 where there is none.
fn element(e: &Exec<'_>, n: Option<usize>) -> u64 {
    n.filter(|n| *n < e.vlmax()).map_or(0, |n| e.get(e.i.rs2, n, e.ty.sew))
}

/// The scalar operand as a number of elements: all of it.
fn offset(e: &Exec<'_>, h: &Hart) -> usize {
    e.scalar(h).and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX)
}

/// Writes `value` of each active element from `start` on.
fn write(e: &mut Exec<'_>, start: usize, value: impl Fn(&Exec<'_>, usize) -> u64) {
    for n in start..e.vl {
        if e.active(n) {
            e.set(e.i.rd, n, e.ty.sew, value(e, n));
        }
    }
}

fn slide_up(e: &mut Exec<'_>, h: &mut Hart) {
    let offset = offset(e, h);
    write(e, e.start.max(offset), |e, n| element(e, Some(n - offset)));
}

fn slide_down(e: &mut Exec<'_>, h: &mut Hart) {
    let offset = offset(e, h);
    write(e, e.start, |e, n| element(e, n.checked_add(offset)));
}

fn slide1_up(e: &mut Exec<'_>, h: &mut Hart) {
    let scalar = e.scalar(h).unwrap_or_default();
    write(e, e.start, |e, n| if n == 0 { scalar } else { element(e, Some(n - 1)) });
}

fn slide1_down(e: &mut Exec<'_>, h: &mut Hart) {
    let scalar = e.scalar(h).unwrap_or_default();
    write(e, e.start, |e, n| if n + 1 == e.vl { scalar } else { element(e, Some(n + 1)) });
}

fn gather(e: &mut Exec<'_>, h: &mut Hart) {
    let width = if e.i.op == Op::Vrgatherei16Vv { 1 } else { e.ty.sew };
    if e.i.op.format() == Format::VecVv {
        write(e, e.start, |e, n| element(e, usize::try_from(e.get(e.i.rs1, n, width)).ok()));
    } else {
        let chosen = element(e, Some(offset(e, h)));
        write(e, e.start, |_, _| chosen);
    }
}

fn compress(e: &mut Exec<'_>, _: &mut Hart) {
    let mut to = 0;
    for n in 0..e.vl {
        if e.bit(e.i.rs1, n) {
            let value = e.get(e.i.rs2, n, e.ty.sew);
            e.set(e.i.rd, to, e.ty.sew, value);
            to += 1;
        }
    }
}

/// Copies whole registers, with `vstart` counting elements of SEW in all of them.
fn copy(e: &mut Exec<'_>, _: &mut Hart) {
    let registers = (e.i.bits >> 15 & 7) as usize + 1;
    for n in e.start..registers * e.per_register() {
        let value = e.get(e.i.rs2, n, e.ty.sew);
        e.set(e.i.rd, n, e.ty.sew, value);
    }
}
