//! Loads and stores.
//!
//! Elements are accessed in order. Where one faults, those before it are done, `vstart` is its
//! number, and the instruction goes on there when it is executed again.

use super::element::{get, set};
use super::legal::{self, Type};
use super::row::{Access, AccessKind, Action, Row};
use super::{Data, Hart, Insn, Op, Step, Vector, begin, illegal, next, x};
use crate::mem::Fault;
use crate::util::PAGE_SIZE;

const fn row(kind: AccessKind, width: u8, store: bool) -> Row {
    Row::new(Action::Access(Access { kind, width, store }))
}

const fn load(kind: AccessKind, width: u8) -> Row {
    row(kind, width, false)
}

const fn store(kind: AccessKind, width: u8) -> Row {
    row(kind, width, true)
}

use AccessKind::{FaultOnlyFirst, Indexed, Mask, Strided, Unit, Whole};

pub(super) const ROWS: &[(Op, Row)] = &[
    (Op::Vle8V, load(Unit, 0)),
    (Op::Vle16V, load(Unit, 1)),
    (Op::Vle32V, load(Unit, 2)),
    (Op::Vle64V, load(Unit, 3)),
    (Op::Vse8V, store(Unit, 0)),
    (Op::Vse16V, store(Unit, 1)),
    (Op::Vse32V, store(Unit, 2)),
    (Op::Vse64V, store(Unit, 3)),
    (Op::Vle8ffV, load(FaultOnlyFirst, 0)),
    (Op::Vle16ffV, load(FaultOnlyFirst, 1)),
    (Op::Vle32ffV, load(FaultOnlyFirst, 2)),
    (Op::Vle64ffV, load(FaultOnlyFirst, 3)),
    (Op::VlmV, load(Mask, 0)),
    (Op::VsmV, store(Mask, 0)),
    (Op::Vlse8V, load(Strided, 0)),
    (Op::Vlse16V, load(Strided, 1)),
    (Op::Vlse32V, load(Strided, 2)),
    (Op::Vlse64V, load(Strided, 3)),
    (Op::Vsse8V, store(Strided, 0)),
    (Op::Vsse16V, store(Strided, 1)),
    (Op::Vsse32V, store(Strided, 2)),
    (Op::Vsse64V, store(Strided, 3)),
    (Op::Vluxei8V, load(Indexed, 0)),
    (Op::Vluxei16V, load(Indexed, 1)),
    (Op::Vluxei32V, load(Indexed, 2)),
    (Op::Vluxei64V, load(Indexed, 3)),
    (Op::Vloxei8V, load(Indexed, 0)),
    (Op::Vloxei16V, load(Indexed, 1)),
    (Op::Vloxei32V, load(Indexed, 2)),
    (Op::Vloxei64V, load(Indexed, 3)),
    (Op::Vsuxei8V, store(Indexed, 0)),
    (Op::Vsuxei16V, store(Indexed, 1)),
    (Op::Vsuxei32V, store(Indexed, 2)),
    (Op::Vsuxei64V, store(Indexed, 3)),
    (Op::Vsoxei8V, store(Indexed, 0)),
    (Op::Vsoxei16V, store(Indexed, 1)),
    (Op::Vsoxei32V, store(Indexed, 2)),
    (Op::Vsoxei64V, store(Indexed, 3)),
    (Op::Vl1re8V, load(Whole, 0)),
    (Op::Vl1re16V, load(Whole, 1)),
    (Op::Vl1re32V, load(Whole, 2)),
    (Op::Vl1re64V, load(Whole, 3)),
    (Op::Vl2re8V, load(Whole, 0)),
    (Op::Vl2re16V, load(Whole, 1)),
    (Op::Vl2re32V, load(Whole, 2)),
    (Op::Vl2re64V, load(Whole, 3)),
    (Op::Vl4re8V, load(Whole, 0)),
    (Op::Vl4re16V, load(Whole, 1)),
    (Op::Vl4re32V, load(Whole, 2)),
    (Op::Vl4re64V, load(Whole, 3)),
    (Op::Vl8re8V, load(Whole, 0)),
    (Op::Vl8re16V, load(Whole, 1)),
    (Op::Vl8re32V, load(Whole, 2)),
    (Op::Vl8re64V, load(Whole, 3)),
    (Op::Vs1rV, store(Whole, 0)),
    (Op::Vs2rV, store(Whole, 0)),
    (Op::Vs4rV, store(Whole, 0)),
    (Op::Vs8rV, store(Whole, 0)),
];

/// An access, laid out.
struct Layout {
    store: bool,
    /// Bytes of an element in memory, as a power of two.
    width: u8,
    fields: u8,
    /// Registers from one field to the next.
    step: u8,
    /// Elements, or segments.
    count: usize,
    vlenb: usize,
    place: Place,
}

/// Where elements are.
#[derive(Clone, Copy)]
enum Place {
    /// So many bytes from one to the next.
    Strided { base: u64, stride: u64 },
    /// At unsigned offsets, of so many bytes (a power of two), in the group of a register.
    Indexed { base: u64, indices: u8, width: u8 },
}

impl Layout {
    /// The layout of `i` and its first element; `None` if it is illegal.
    fn of(h: &Hart, v: &Vector, i: &Insn, access: Access) -> Option<Self> {
        let (Type { sew, .. }, step) = legal::check_access(v, i, access)?;
        let (base, vlenb) = (x(h, i.rs1), usize::from(h.vector_unit.vlenb));
        let width = if access.kind == Indexed { sew } else { access.width };
        let (vl, all) = (usize::from(v.vl), i.fields() as u8);
        let (fields, count) = match access.kind {
            Mask => (1, vl.div_ceil(8)),
            Whole => (1, (usize::from(all) * vlenb) >> width),
            _ => (all, vl),
        };
        let place = match access.kind {
            Strided => Place::Strided { base, stride: x(h, i.rs2) },
            Indexed => Place::Indexed { base, indices: i.rs2, width: access.width },
            _ => Place::Strided { base, stride: u64::from(fields) << width },
        };
        Some(Self { store: access.store, width, fields, step, count, vlenb, place })
    }

    fn address(&self, v: &Vector, n: usize) -> u64 {
        match self.place {
            Place::Strided { base, stride } => base.wrapping_add(stride.wrapping_mul(n as u64)),
            Place::Indexed { base, indices, width } => {
                base.wrapping_add(get(v, self.vlenb, indices, n, width))
            }
        }
    }

    /// Accesses all fields of segment `n`.
    fn segment(&self, m: &impl Data, v: &mut Vector, i: &Insn, n: usize) -> Result<(), Fault> {
        let base = self.address(v, n);
        for field in 0..self.fields {
            let addr = base.wrapping_add(u64::from(field) << self.width);
            let r = i.rd + field * self.step;
            if self.store {
                let value = get(v, self.vlenb, r, n, self.width);
                match self.width {
                    0 => m.write_u8(addr, value as u8)?,
                    1 => m.write_u16(addr, value as u16)?,
                    2 => m.write_u32(addr, value as u32)?,
                    _ => m.write_u64(addr, value)?,
                }
            } else {
                let value = match self.width {
                    0 => m.read_u8(addr)?.into(),
                    1 => m.read_u16(addr)?.into(),
                    2 => m.read_u32(addr)?.into(),
                    _ => m.read_u64(addr)?,
                };
                set(v, self.vlenb, r, n, self.width, value);
            }
        }
        Ok(())
    }

    /// Of a fault-only-first load how many segments are loaded: those that end in the page in which
    /// the first begins, which the manual allows, and one in any case. So translated code and the
    /// interpreter do the same, and nothing but the first element can fault.
    fn within_page(&self, v: &Vector) -> usize {
        let room = PAGE_SIZE - self.address(v, 0) % PAGE_SIZE;
        let fit = room / (u64::from(self.fields) << self.width);
        self.count.min(fit.max(1) as usize)
    }
}

/// Executes a load or store.
pub(super) fn access<M: Data>(h: &mut Hart, m: &M, i: &Insn, pc: u64) -> Step {
    let (row, mut v) = begin(h, i)?;
    let layout = match row.action {
        Action::Access(access) => Layout::of(h, &v, i, access).map(|layout| (layout, access.kind)),
        _ => None,
    };
    let result = match layout {
        Some((layout, kind)) => elements(&layout, kind, m, &mut v, i).map_err(Into::into),
        None => Err(illegal(i)),
    };
    h.vector = Some(v);
    result?;
    next(i, pc)
}

/// Accesses the active elements in order.
fn elements<M: Data>(
    layout: &Layout,
    kind: AccessKind,
    m: &M,
    v: &mut Vector,
    i: &Insn,
) -> Result<(), Fault> {
    let start = usize::from(v.vstart);
    let mut count = layout.count;
    if kind == FaultOnlyFirst && start < count {
        count = layout.within_page(v).max(start + 1);
    }
    for n in start..count {
        let active = !i.masked() || get(v, layout.vlenb, 0, n / 8, 0) >> (n % 8) & 1 != 0;
        if !active {
            continue;
        }
        if let Err(fault) = layout.segment(m, v, i, n) {
            if kind == FaultOnlyFirst && n > 0 {
                count = n;
                break;
            }
            v.vstart = n as u16;
            return Err(fault);
        }
    }
    if kind == FaultOnlyFirst {
        v.vl = count as u16;
    }
    v.vstart = 0;
    Ok(())
}
