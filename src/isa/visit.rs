//! Decoding for somebody who does something with each instruction at once: a function for each row
//! of the two tables, in which everything that the row says is a constant.

use super::compressed::{CFormat, COMPRESSED, for_each_compressed};
use super::decode;
use super::table::for_each_insn;
use super::{Insn, Isa, Op, TABLE};
use std::marker::PhantomData;

/// A visitor of decoded instructions.
pub(crate) trait Visitor: 'static {
    /// State that all visits share.
    type State<'a>;
    /// Result of one visit.
    type Result;

    /// Visits one instruction. To be inlined: `insn.op` is a constant then, and so is what follows
    /// from it.
    fn visit(state: &mut Self::State<'_>, insn: Insn) -> Self::Result;
}

/// Decodes the instruction in `bits`, as [`super::decode()`] does, and handles it.
#[inline(always)]
pub(crate) fn visit<H: Visitor>(
    bits: u32,
    isa: &Isa,
    state: &mut H::State<'_>,
) -> Option<H::Result> {
    let handler = if bits & 3 == 3 {
        Visits::<H>::WIDE[usize::from(decode::find_wide(bits, isa)?)]
    } else {
        Visits::<H>::NARROW[usize::from(decode::find_narrow(bits & 0xffff, isa)?)]
    };
    handler(state, bits)
}

/// Decodes an encoding of one row and handles it; `None` if its operands are reserved.
type Function<H> =
    for<'a, 'b> fn(&'a mut <H as Visitor>::State<'b>, u32) -> Option<<H as Visitor>::Result>;

/// The functions for a handler.
struct Visits<H>(PhantomData<H>);

macro_rules! wide_visits {
    ($($op:ident $mn:literal $ext:ident $(+ $more:ident)* $fmt:ident $enc:literal;)*) => {
        impl<H: Visitor> Visits<H> {
            /// By row of [`TABLE`].
            const WIDE: &'static [Function<H>] = &[$(wide::<H, { Op::$op as usize }>),*];
        }
    };
}
for_each_insn!(wide_visits);

macro_rules! narrow_visits {
    ($($mn:literal $ext:ident $(+ $more:ident)* $fmt:ident $op:ident $enc:literal;)*) => {
        impl<H: Visitor> Visits<H> {
            /// By row of [`COMPRESSED`].
            const NARROW: &'static [Function<H>] =
                &[$(narrow::<H, { row_of(Op::$op, CFormat::$fmt) }>),*];
        }
    };
}
for_each_compressed!(narrow_visits);

fn wide<H: Visitor, const ROW: usize>(state: &mut H::State<'_>, word: u32) -> Option<H::Result> {
    let operands = const { TABLE[ROW].format.plan() }.operands(word)?;
    Some(H::visit(state, operands.insn(const { TABLE[ROW].op }, 4, word)))
}

fn narrow<H: Visitor, const ROW: usize>(state: &mut H::State<'_>, bits: u32) -> Option<H::Result> {
    let half = bits & 0xffff;
    let operands = const { COMPRESSED[ROW].format.plan() }.operands(half)?;
    Some(H::visit(state, operands.insn(const { COMPRESSED[ROW].op }, 2, half)))
}

/// A row of [`COMPRESSED`]. Rows that agree in this do the same.
const fn row_of(op: Op, format: CFormat) -> usize {
    let mut row = 0;
    while COMPRESSED[row].op as u16 != op as u16 || COMPRESSED[row].format as u8 != format as u8 {
        row += 1;
    }
    row
}
