//! The decoder.

use super::{Insn, Isa, TABLE};

pub(super) fn decode(bits: u32, isa: &Isa) -> Option<Insn> {
    let row = TABLE
        .iter()
        .filter(|row| row.pattern.matches(bits) && isa.exts().contains_all(row.needs))
        .max_by_key(|row| row.pattern.mask.count_ones())?;
    let field = |low: u32| (bits >> low & 31) as u8;
    Some(Insn {
        op: row.op,
        rd: field(7),
        rs1: field(15),
        rs2: field(20),
        rs3: field(27),
        rm: (bits >> 12 & 7) as u8,
        len: 4,
        imm: bits as i32 >> 20,
        bits,
    })
}
