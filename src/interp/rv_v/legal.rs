//! Which operands a vector instruction may have: everything that the decoder cannot see, because it
//! depends on `vtype`, `vl` and `vstart` (manual, "Vector Operands" and "Vector Instruction
//! Constraints").

use super::row::{Access, AccessKind, Eew, Floats, Groups, Row};
use super::{Hart, Insn, Vector};
use crate::cpu::{VILL, VectorUnit, lmul_log2};
use crate::isa::Format;
use crate::softfloat::Round;

/// The registers of an operand.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Group {
    first: u8,
    /// Registers.
    count: u8,
    /// Bits of an element, as a power of two.
    width: i8,
    /// LMUL is less than one.
    fraction: bool,
}

impl Group {
    const V0: Self = Self { first: 0, count: 1, width: 0, fraction: false };

    fn end(self) -> u8 {
        self.first + self.count
    }

    fn overlaps(self, other: Self) -> bool {
        self.first < other.end() && other.first < self.end()
    }

    /// Whether this destination may overlap `source`: if widths are the same, or in the lowest
    /// registers of a wider source, or in the highest registers of a wider destination.
    fn may_overlap(self, source: Self) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        match self.width.cmp(&source.width) {
            Equal => true,
            Less => self.first == source.first,
            Greater => !source.fraction && self.end() == source.end(),
        }
    }
}

/// `vtype`, taken apart.
#[derive(Clone, Copy)]
pub(super) struct Type {
    /// Bytes of an element, as a power of two.
    pub(super) sew: u8,
    /// LMUL, as a power of two.
    pub(super) lmul: i32,
}

impl Type {
    /// The type, unless it is `vill`.
    pub(super) fn of(v: &Vector) -> Option<Self> {
        let known = v.vtype != VILL;
        known.then(|| Self { sew: v.vtype >> 3 & 3, lmul: lmul_log2(v.vtype) })
    }

    /// The registers of an operand, the first of which is `first`; `None` if they are reserved.
    fn group(self, eew: Eew, first: u8) -> Option<Group> {
        match eew {
            Eew::Unused => None,
            Eew::Mask => Some(Group { first, ..Group::V0 }),
            Eew::First(times) => {
                let width = self.width(times)?;
                Some(Group { first, count: 1, width, fraction: false })
            }
            Eew::Registers(count) => {
                let width = self.width(0)?;
                let aligned = first.is_multiple_of(count);
                aligned.then_some(Group { first, count, width, fraction: false })
            }
            Eew::Times(times) => self.sized(first, self.width(times)?),
            Eew::Bits16 => self.sized(first, 4),
        }
    }

    /// Bits of elements of SEW times a power of two, as a power of two.
    fn width(self, times: i8) -> Option<i8> {
        let width = self.sew as i8 + 3 + times;
        (3..=6).contains(&width).then_some(width)
    }

    /// The group of elements of `width` for as many as there are of SEW.
    fn sized(self, first: u8, width: i8) -> Option<Group> {
        let lmul = self.lmul + i32::from(width) - i32::from(self.sew) - 3;
        let count = 1u8.checked_shl(lmul.max(0) as u32)?;
        let legal = (-3..=3).contains(&lmul) && first.is_multiple_of(count);
        legal.then_some(Group { first, count, width, fraction: lmul < 0 })
    }
}

/// Whether `i` is legal; `vtype` if so.
pub(super) fn check(h: &Hart, v: &Vector, i: &Insn, row: &Row) -> Option<Type> {
    let ty = Type::of(v)?;
    let resumed = row.needs_start && v.vstart != 0;
    if resumed || !row.floats.is_none_or(|floats| formats(h, ty, floats)) {
        return None;
    }
    if let Some(groups) = row.groups
        && !element_groups(h.vector_unit, v, ty, groups)
    {
        return None;
    }
    // An operand that is not there is left out; one that is reserved ends it.
    let operand = |eew: Eew, first: u8| match eew {
        Eew::Unused => Some(None),
        _ => ty.group(eew, first).map(Some),
    };
    let format = i.op.format();
    let vs1 = match format {
        Format::VecVv | Format::VecMacVv | Format::VecVvm | Format::VecMvV => row.vs1,
        _ => Eew::Unused,
    };
    let with_v0 =
        matches!(format, Format::VecVvm | Format::VecVxm | Format::VecVim | Format::VecVfm);
    let vd = operand(row.vd, i.rd)?;
    let sources = [
        operand(row.vs2, i.rs2)?,
        operand(vs1, i.rs1)?,
        (i.masked() || with_v0).then_some(Group::V0),
        vd.filter(|_| row.reads_vd),
    ];
    let scalar = matches!(row.vd, Eew::First(_));
    agree(vd.filter(|_| !scalar), i.masked(), row.apart, sources).then_some(ty)
}

/// Whether destination and sources may be what they are together.
fn agree(vd: Option<Group>, masked: bool, apart: bool, sources: [Option<Group>; 4]) -> bool {
    let [vs2, vs1, v0, _] = sources;
    for (n, a) in sources.iter().enumerate() {
        for b in &sources[n + 1..] {
            if let (Some(a), Some(b)) = (a, b)
                && a.width != b.width
                && a.overlaps(*b)
            {
                // One register with elements of two widths.
                return false;
            }
        }
    }
    let Some(vd) = vd else { return true };
    let data = [vs2, vs1]
        .into_iter()
        .flatten()
        .all(|source| !vd.overlaps(source) || !apart && vd.may_overlap(source));
    // Only a mask may be written over the mask that is in use, and not where it is read once more.
    let mask = v0.is_none_or(|v0| !vd.overlaps(v0) || vd.width == 0 && !(apart && masked));
    data && mask
}

/// Whether there are formats of floating point of the widths that `floats` names, and the rounding
/// mode is one.
fn formats(h: &Hart, ty: Type, floats: Floats) -> bool {
    let unit = h.vector_unit;
    let format = |width: u8| match width {
        1 => unit.half || floats.conversion && unit.half_conversions,
        width => width == 2 || width == 3,
    };
    let known = (!floats.sew || format(ty.sew)) && (!floats.twice || format(ty.sew + 1));
    known && Round::of(7, h.frm).is_some()
}

/// Whether `vl` and `vstart` are of whole groups, and a register group has room for one.
fn element_groups(unit: VectorUnit, v: &Vector, ty: Type, groups: Groups) -> bool {
    // SHA-2 takes 64 bits too, if there is Zvknhb; Zvbc takes them one by one.
    let sew =
        ty.sew == groups.sew || groups.sew == 0 && (ty.sew == 2 || ty.sew == 3 && unit.sha512);
    let bytes = usize::from(groups.elements) << ty.sew;
    let register = usize::from(unit.vlenb);
    let room = if ty.lmul >= 0 { register << ty.lmul } else { register >> -ty.lmul };
    let whole = v.vl.is_multiple_of(groups.elements) && v.vstart.is_multiple_of(groups.elements);
    sew && whole && (groups.elements == 1 || bytes <= room)
}

/// Registers between the fields of a segment access, and the type; `None` if it is illegal.
pub(super) fn check_access(v: &Vector, i: &Insn, access: Access) -> Option<(Type, u8)> {
    let fields = i.fields() as u8;
    if access.kind == AccessKind::Whole {
        // Whatever `vtype` and `vl` are.
        return i.rd.is_multiple_of(fields).then_some((Type { sew: access.width, lmul: 0 }, 1));
    }
    let ty = Type::of(v)?;
    let width = access.width as i8 + 3;
    let (data, index) = match access.kind {
        AccessKind::Mask => return Some((ty, 1)),
        AccessKind::Indexed => (ty.group(Eew::Times(0), i.rd)?, Some(ty.sized(i.rs2, width)?)),
        _ => (ty.sized(i.rd, width)?, None),
    };
    let all = Group { count: data.count.checked_mul(fields).filter(|n| *n <= 8)?, ..data };
    let v0 = i.masked().then_some(Group::V0);
    let segments = fields > 1;
    let legal = if access.store {
        agree(None, false, false, [index, Some(all), v0, None])
    } else {
        agree(Some(all), i.masked(), segments, [index, None, v0, None])
    };
    (all.end() <= 32 && legal).then_some((ty, data.count))
}
