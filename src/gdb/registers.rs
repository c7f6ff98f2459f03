//! Registers by gdb's numbers: x0-x31, pc, f0-f31, fflags, frm, fcsr; and their description.

use crate::cpu::Hart;
use crate::isa::reg::{f_name, x_name};
use std::fmt::Write as _;

/// Number of registers.
pub const COUNT: usize = 68;
const PC: usize = 32;
const F0: usize = 33;
const FFLAGS: usize = 65;
const FRM: usize = 66;

/// Bytes of a register; `None` if there is no such register.
#[must_use]
pub fn size(n: usize) -> Option<usize> {
    match n {
        0..FFLAGS => Some(8),
        FFLAGS..COUNT => Some(4),
        _ => None,
    }
}

/// The value of a register; of one that is not there, 0.
#[must_use]
pub fn read(hart: &Hart, n: usize) -> u64 {
    match n {
        0..PC => hart.x[n],
        PC => hart.pc,
        F0..FFLAGS => hart.f[n - F0],
        FFLAGS => hart.fflags.into(),
        FRM => hart.frm.into(),
        67 => hart.fcsr().into(),
        _ => 0,
    }
}

/// Its bytes in memory's order.
#[must_use]
pub fn bytes(hart: &Hart, n: usize) -> Vec<u8> {
    read(hart, n).to_le_bytes()[..size(n).unwrap_or(0)].to_vec()
}

/// Sets a register from its bytes; false if there is no such register, or the size is wrong.
pub fn write(hart: &mut Hart, n: usize, bytes: &[u8]) -> bool {
    if size(n) != Some(bytes.len()) {
        return false;
    }
    let value = bytes.iter().rev().fold(0, |v, b| v << 8 | u64::from(*b));
    match n {
        0 => {}
        1..PC => hart.x[n] = value,
        PC => hart.pc = value & !1,
        F0..FFLAGS => hart.f[n - F0] = value,
        FFLAGS => hart.set_fcsr(hart.fcsr() & !0x1f | value as u32 & 0x1f),
        FRM => hart.set_fcsr(hart.fcsr() & 0x1f | (value as u32 & 7) << 5),
        _ => hart.set_fcsr(value as u32),
    }
    hart.clear_reservation();
    true
}

/// All registers, one behind the other.
#[must_use]
pub fn all(hart: &Hart) -> Vec<u8> {
    (0..COUNT).flat_map(|n| bytes(hart, n)).collect()
}

/// The inverse of [`all`]; what is missing at the end stays as it is. False if a register is there
/// in part.
pub fn write_all(hart: &mut Hart, mut from: &[u8]) -> bool {
    let mut new = hart.clone();
    for n in 0..COUNT {
        if from.is_empty() {
            break;
        }
        let Some((bytes, rest)) = from.split_at_checked(size(n).unwrap_or(0)) else { return false };
        // `fcsr` comes last, with the same contents as the two before it.
        write(&mut new, n, bytes);
        from = rest;
    }
    *hart = new;
    true
}

/// The target description (gdb manual, appendix G): gdb's features for RISC-V by name.
#[must_use]
pub fn target_xml() -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n\
         <target version=\"1.0\">\n<architecture>riscv:rv64</architecture>\n\
         <osabi>GNU/Linux</osabi>\n<feature name=\"org.gnu.gdb.riscv.cpu\">\n",
    );
    for n in 0..32_u8 {
        // gdb knows x8 by its other name.
        let name = if n == 8 { "fp" } else { x_name(n) };
        let kind = match name {
            "ra" => "code_ptr",
            "sp" | "gp" | "tp" | "fp" => "data_ptr",
            _ => "int",
        };
        register(&mut xml, (n.into(), 64), name, kind, "general");
    }
    register(&mut xml, (PC, 64), "pc", "code_ptr", "general");
    xml += "</feature>\n<feature name=\"org.gnu.gdb.riscv.fpu\">\n<union id=\"riscv_double\">\n\
            <field name=\"float\" type=\"ieee_single\"/>\n\
            <field name=\"double\" type=\"ieee_double\"/>\n</union>\n";
    for n in 0..32_u8 {
        register(&mut xml, (F0 + usize::from(n), 64), f_name(n), "riscv_double", "float");
    }
    for (n, name) in ["fflags", "frm", "fcsr"].iter().enumerate() {
        register(&mut xml, (FFLAGS + n, 32), name, "int", "float");
    }
    xml += "</feature>\n</target>\n";
    xml
}

fn register(xml: &mut String, (n, bits): (usize, u32), name: &str, kind: &str, group: &str) {
    // lldb finds the registers that every machine has by `generic`; gdb passes over it.
    let generic = match name {
        "pc" | "ra" | "sp" | "fp" => format!(" generic=\"{name}\""),
        _ if (10..18).contains(&n) => format!(" generic=\"arg{}\"", n - 9),
        _ => String::new(),
    };
    let _ = writeln!(
        xml,
        "<reg name=\"{name}\" bitsize=\"{bits}\" type=\"{kind}\" regnum=\"{n}\" \
         group=\"{group}\"{generic}/>"
    );
}
