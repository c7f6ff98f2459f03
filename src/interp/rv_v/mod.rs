//! V and the extensions of vectors (unprivileged manual, chapters "V" and "Cryptography Extensions:
//! Vector Instructions").
//!
//! Reading order: `row` (what a table says about an instruction), `legal` (which operands it may
//! have), `element` (the walk over elements), then the tables, one file for each group: `int`,
//! `fixed`, `float`, `mask`, `permute`, `reduce`, `bits`, `crypto`, `sm`; `memory` for accesses,
//! `config` for `vsetvl`.
//!
//! Elements are read as integers of 128 bits, extended as the operation sees them, whatever their
//! width, so that an operation is one function. In all that the manual leaves open, agnostic
//! elements stay what they are.

mod bits;
mod config;
mod crypto;
mod element;
mod fixed;
mod float;
mod int;
mod legal;
mod mask;
mod memory;
mod permute;
mod reduce;
mod row;
mod sm;

use super::{Data, Handler, Hart, Insn, Op, Step, Stop, illegal, next, x};
use crate::cpu::Vector;
use element::Exec;
use row::{Action, Row};

/// The first row of vector instructions, which are the last ones of the table.
const FIRST: usize = Op::Vsetvli as usize;

/// What each vector instruction does, from [`FIRST`] on.
static ROWS: [Row; Op::COUNT - FIRST] = collect(&[
    config::ROWS,
    memory::ROWS,
    int::ROWS,
    fixed::ROWS,
    float::ROWS,
    mask::ROWS,
    permute::ROWS,
    reduce::ROWS,
    bits::ROWS,
    crypto::ROWS,
    sm::ROWS,
]);

/// Puts the tables in order. The build fails unless each instruction is in exactly one.
const fn collect(tables: &[&[(Op, Row)]]) -> [Row; Op::COUNT - FIRST] {
    let mut rows = [None; Op::COUNT - FIRST];
    let mut t = 0;
    while t < tables.len() {
        let mut i = 0;
        while i < tables[t].len() {
            let (op, row) = tables[t][i];
            assert!(rows[op as usize - FIRST].is_none(), "a vector instruction has two rows");
            rows[op as usize - FIRST] = Some(row);
            i += 1;
        }
        t += 1;
    }
    let mut all = [tables[0][0].1; Op::COUNT - FIRST];
    let mut i = 0;
    while i < all.len() {
        all[i] = rows[i].expect("a vector instruction has no row");
        i += 1;
    }
    all
}

/// The function that executes `op`, an instruction of vectors.
pub(super) fn handler<M: Data>(op: Op) -> Handler<M> {
    match ROWS[op as usize - FIRST].action {
        Action::Access(_) => memory::access,
        _ => |h, _, i, pc| {
            execute(h, i)?;
            next(i, pc)
        },
    }
}

/// The row of `i`, and the vector state, taken out of the hart meanwhile: without, all vector
/// instructions are illegal.
fn begin(h: &mut Hart, i: &Insn) -> Result<(&'static Row, Box<Vector>), Stop> {
    if h.vector_unit.vlenb == 0 {
        return Err(illegal(i));
    }
    let row = &ROWS[(i.op as usize).saturating_sub(FIRST)];
    Ok((row, h.vector.take().unwrap_or_default()))
}

/// Executes `i`, which does not access memory. An illegal one changes nothing.
fn execute(h: &mut Hart, i: &Insn) -> Result<(), Stop> {
    let (row, mut v) = begin(h, i)?;
    let legal = match row.action {
        Action::Config(set) => {
            set(h, &mut v, i);
            true
        }
        _ => Exec::new(h, &mut v, i, row).is_some_and(|mut e| {
            e.run(h, row);
            e.finish(h);
            true
        }),
    };
    h.vector = Some(v);
    if legal { Ok(()) } else { Err(illegal(i)) }
}
