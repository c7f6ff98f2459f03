//! Control and status registers: numbers, names, and what user mode may do with them (manual,
//! "CSR Listing"; Zicsr; Zicntr and Zihpm).

use std::borrow::Cow;

use super::{Ext, Format, Insn, Isa, Op};
use crate::util::Counter;

/// Accrued exception flags: bits 4:0 of `fcsr`.
pub const FFLAGS: u16 = 0x001;
/// Dynamic rounding mode: bits 7:5 of `fcsr`.
pub const FRM: u16 = 0x002;
/// Floating-point control and status.
pub const FCSR: u16 = 0x003;
/// First element that a vector instruction operates on.
pub const VSTART: u16 = 0x008;
/// Fixed-point saturation: bit 0 of `vcsr`.
pub const VXSAT: u16 = 0x009;
/// Fixed-point rounding mode: bits 2:1 of `vcsr`.
pub const VXRM: u16 = 0x00a;
/// Vector control and status.
pub const VCSR: u16 = 0x00f;
/// Vector length.
pub const VL: u16 = 0xc20;
/// Vector type.
pub const VTYPE: u16 = 0xc21;
/// Bytes of a vector register.
pub const VLENB: u16 = 0xc22;
/// Cycle counter.
pub const CYCLE: u16 = 0xc00;
/// Real time in ticks.
pub const TIME: u16 = 0xc01;
/// Retired instructions.
pub const INSTRET: u16 = 0xc02;
/// First of the 29 performance counters.
pub const HPMCOUNTER3: u16 = 0xc03;
/// Last of the performance counters.
pub const HPMCOUNTER31: u16 = 0xc1f;

/// What a CSR counts here. `cycle` and `instret` are the same as `time`: what programs use them for
/// is to tell more work from less. The events of performance counters are the machine's to choose:
/// seven count for the vDSO, the others nothing.
#[must_use]
pub const fn counter(number: u16) -> Option<Counter> {
    Some(match number {
        CYCLE | TIME | INSTRET => Counter::Monotonic,
        0xc18 => Counter::Processor,
        0xc19 => Counter::MonotonicRaw,
        0xc1a => Counter::Tai,
        0xc1b => Counter::Boottime,
        0xc1c => Counter::MonotonicCoarse,
        0xc1d => Counter::RealtimeCoarse,
        0xc1e => Counter::Realtime,
        _ => return None,
    })
}

/// True for an instruction that reads a CSR that changes by itself.
#[must_use]
pub fn reads_counter(insn: &Insn) -> bool {
    let counts = counter(insn.imm as u16).is_some();
    matches!(insn.op.format(), Format::Csr | Format::CsrImm) && counts
}

/// What user mode may do with a CSR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Any instruction that writes it is illegal.
    ReadOnly,
    /// Reads and writes.
    ReadWrite,
}

/// What user mode may do with the CSR `number`; `None` if any access is illegal.
pub fn user_access(number: u16, isa: &Isa) -> Option<Access> {
    let (ext, access) = match number {
        FFLAGS..=FCSR => (Ext::F, Access::ReadWrite),
        VSTART..=VXRM | VCSR => (Ext::V, Access::ReadWrite),
        VL..=VLENB => (Ext::V, Access::ReadOnly),
        CYCLE..=INSTRET => (Ext::Zicntr, Access::ReadOnly),
        HPMCOUNTER3..=HPMCOUNTER31 => (Ext::Zihpm, Access::ReadOnly),
        _ => return None,
    };
    isa.has(ext).then_some(access)
}

/// Whether a CSR instruction writes its CSR: `csrrs` and its kin only where `rs1` is not x0 or the
/// immediate not zero.
pub fn writes(insn: &Insn) -> bool {
    matches!(insn.op, Op::Csrrw | Op::Csrrwi) || insn.rs1 != 0
}

/// Whether a CSR instruction reads its CSR: `csrrw` and `csrrwi` only where `rd` is not x0.
pub fn reads(insn: &Insn) -> bool {
    !matches!(insn.op, Op::Csrrw | Op::Csrrwi) || insn.rd != 0
}

/// Whether user mode may execute the CSR instruction `insn`.
pub fn legal(insn: &Insn, isa: &Isa) -> bool {
    match user_access(insn.imm as u16, isa) {
        Some(Access::ReadWrite) => true,
        Some(Access::ReadOnly) => !writes(insn),
        None => false,
    }
}

/// CSRs whose names end in a number that counts with the CSR's number.
struct Run {
    base: u16,
    prefix: &'static str,
    first: u16,
    count: u16,
    suffix: &'static str,
}

const RUNS: &[Run] = &[
    Run { base: 0x10c, prefix: "sstateen", first: 0, count: 4, suffix: "" },
    Run { base: 0x30c, prefix: "mstateen", first: 0, count: 4, suffix: "" },
    Run { base: 0x31c, prefix: "mstateen", first: 0, count: 4, suffix: "h" },
    Run { base: 0x323, prefix: "mhpmevent", first: 3, count: 29, suffix: "" },
    Run { base: 0x3a0, prefix: "pmpcfg", first: 0, count: 16, suffix: "" },
    Run { base: 0x3b0, prefix: "pmpaddr", first: 0, count: 64, suffix: "" },
    Run { base: 0x60c, prefix: "hstateen", first: 0, count: 4, suffix: "" },
    Run { base: 0x61c, prefix: "hstateen", first: 0, count: 4, suffix: "h" },
    Run { base: 0x723, prefix: "mhpmevent", first: 3, count: 29, suffix: "h" },
    Run { base: 0x7a1, prefix: "tdata", first: 1, count: 3, suffix: "" },
    Run { base: 0xb03, prefix: "mhpmcounter", first: 3, count: 29, suffix: "" },
    Run { base: 0xb83, prefix: "mhpmcounter", first: 3, count: 29, suffix: "h" },
    Run { base: 0xc03, prefix: "hpmcounter", first: 3, count: 29, suffix: "" },
    Run { base: 0xc83, prefix: "hpmcounter", first: 3, count: 29, suffix: "h" },
];

const SINGLES: &[(u16, &str)] = &[
    (0x001, "fflags"),
    (0x002, "frm"),
    (0x003, "fcsr"),
    (0x008, "vstart"),
    (0x009, "vxsat"),
    (0x00a, "vxrm"),
    (0x00f, "vcsr"),
    (0x015, "seed"),
    (0x100, "sstatus"),
    (0x104, "sie"),
    (0x105, "stvec"),
    (0x106, "scounteren"),
    (0x10a, "senvcfg"),
    (0x114, "sieh"),
    (0x140, "sscratch"),
    (0x141, "sepc"),
    (0x142, "scause"),
    (0x143, "stval"),
    (0x144, "sip"),
    (0x14d, "stimecmp"),
    (0x150, "siselect"),
    (0x151, "sireg"),
    (0x154, "siph"),
    (0x15c, "stopei"),
    (0x15d, "stimecmph"),
    (0x180, "satp"),
    (0x200, "vsstatus"),
    (0x204, "vsie"),
    (0x205, "vstvec"),
    (0x214, "vsieh"),
    (0x240, "vsscratch"),
    (0x241, "vsepc"),
    (0x242, "vscause"),
    (0x243, "vstval"),
    (0x244, "vsip"),
    (0x24d, "vstimecmp"),
    (0x250, "vsiselect"),
    (0x251, "vsireg"),
    (0x254, "vsiph"),
    (0x25c, "vstopei"),
    (0x25d, "vstimecmph"),
    (0x280, "vsatp"),
    (0x300, "mstatus"),
    (0x301, "misa"),
    (0x302, "medeleg"),
    (0x303, "mideleg"),
    (0x304, "mie"),
    (0x305, "mtvec"),
    (0x306, "mcounteren"),
    (0x308, "mvien"),
    (0x309, "mvip"),
    (0x30a, "menvcfg"),
    (0x310, "mstatush"),
    (0x313, "midelegh"),
    (0x314, "mieh"),
    (0x318, "mvienh"),
    (0x319, "mviph"),
    (0x31a, "menvcfgh"),
    (0x320, "mcountinhibit"),
    (0x340, "mscratch"),
    (0x341, "mepc"),
    (0x342, "mcause"),
    (0x343, "mtval"),
    (0x344, "mip"),
    (0x34a, "mtinst"),
    (0x34b, "mtval2"),
    (0x350, "miselect"),
    (0x351, "mireg"),
    (0x354, "miph"),
    (0x35c, "mtopei"),
    (0x5a8, "scontext"),
    (0x600, "hstatus"),
    (0x602, "hedeleg"),
    (0x603, "hideleg"),
    (0x604, "hie"),
    (0x605, "htimedelta"),
    (0x606, "hcounteren"),
    (0x607, "hgeie"),
    (0x608, "hvien"),
    (0x609, "hvictl"),
    (0x60a, "henvcfg"),
    (0x613, "hidelegh"),
    (0x615, "htimedeltah"),
    (0x618, "hvienh"),
    (0x61a, "henvcfgh"),
    (0x643, "htval"),
    (0x644, "hip"),
    (0x645, "hvip"),
    (0x646, "hviprio1"),
    (0x647, "hviprio2"),
    (0x64a, "htinst"),
    (0x655, "hviph"),
    (0x656, "hviprio1h"),
    (0x657, "hviprio2h"),
    (0x680, "hgatp"),
    (0x6a8, "hcontext"),
    (0x747, "mseccfg"),
    (0x757, "mseccfgh"),
    (0x7a0, "tselect"),
    (0x7a4, "tinfo"),
    (0x7a5, "tcontrol"),
    (0x7a8, "mcontext"),
    (0x7aa, "mscontext"),
    (0x7b0, "dcsr"),
    (0x7b1, "dpc"),
    (0x7b2, "dscratch0"),
    (0x7b3, "dscratch1"),
    (0xb00, "mcycle"),
    (0xb02, "minstret"),
    (0xb80, "mcycleh"),
    (0xb82, "minstreth"),
    (0xc00, "cycle"),
    (0xc01, "time"),
    (0xc02, "instret"),
    (0xc20, "vl"),
    (0xc21, "vtype"),
    (0xc22, "vlenb"),
    (0xc80, "cycleh"),
    (0xc81, "timeh"),
    (0xc82, "instreth"),
    (0xda0, "scountovf"),
    (0xdb0, "stopi"),
    (0xe12, "hgeip"),
    (0xeb0, "vstopi"),
    (0xf11, "mvendorid"),
    (0xf12, "marchid"),
    (0xf13, "mimpid"),
    (0xf14, "mhartid"),
    (0xf15, "mconfigptr"),
    (0xfb0, "mtopi"),
];

/// The name of the CSR `number`, of any privilege level.
pub fn name(number: u16) -> Option<Cow<'static, str>> {
    if let Ok(i) = SINGLES.binary_search_by_key(&number, |(n, _)| *n) {
        return Some(SINGLES[i].1.into());
    }
    let run = RUNS.iter().find(|run| (run.base..run.base + run.count).contains(&number))?;
    Some(format!("{}{}{}", run.prefix, number - run.base + run.first, run.suffix).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::decode;

    #[test]
    fn names() {
        assert!(SINGLES.is_sorted_by(|a, b| a.0 < b.0));
        let known = [
            (0x001, "fflags"),
            (0xc1f, "hpmcounter31"),
            (0x33f, "mhpmevent31"),
            (0x3ef, "pmpaddr63"),
        ];
        for (number, text) in known {
            assert_eq!(name(number).as_deref(), Some(text));
        }
        assert_eq!(name(0x004), None);
        assert_eq!(name(0x3f0), None);
        let all: std::collections::BTreeSet<_> = (0..4096).filter_map(name).collect();
        assert_eq!(all.len(), (0..4096).filter_map(name).count(), "each name once");
    }

    #[test]
    fn user_mode() {
        let legal = |word, isa: &str| {
            let insn = decode(word, &Isa::MAX).unwrap();
            super::legal(&insn, &isa.parse().unwrap())
        };
        let csr =
            |number: u32, funct3: u32, rs1: u32| number << 20 | rs1 << 15 | funct3 << 12 | 0x573;
        for number in [0x001, 0x002, 0x003] {
            assert!(legal(csr(number, 1, 3), "max"));
            assert!(!legal(csr(number, 1, 3), "rv64i"));
        }
        for number in [0xc00, 0xc01, 0xc02, 0xc03, 0xc1f] {
            // csrrs and csrrci with a zero source read only; csrrw always writes.
            assert!(legal(csr(number, 2, 0), "max"));
            assert!(legal(csr(number, 7, 0), "max"));
            assert!(!legal(csr(number, 2, 1), "max"));
            assert!(!legal(csr(number, 1, 0), "max"));
            assert!(!legal(csr(number, 2, 0), "max,-zicntr,-zihpm"));
        }
        for number in [0x008, 0x009, 0x00a, 0x00f] {
            assert!(legal(csr(number, 1, 3), "max"));
            assert!(!legal(csr(number, 1, 3), "max,-v"));
        }
        for number in [0xc20, 0xc21, 0xc22] {
            assert!(legal(csr(number, 2, 0), "max"));
            assert!(!legal(csr(number, 1, 0), "max"));
            assert!(!legal(csr(number, 2, 0), "max,-v"));
        }
        for number in [0x000, 0x004, 0x015, 0x100, 0x300, 0xc23, 0xc80, 0xf11, 0xfff] {
            assert!(!legal(csr(number, 2, 0), "max"), "{number:#x}");
        }
    }

    #[test]
    fn reading_and_writing() {
        let both = |word| {
            let insn = decode(word, &Isa::MAX).unwrap();
            (reads(&insn), writes(&insn))
        };
        assert_eq!(both(0x0010_1073), (false, true)); // csrrw zero,fflags,zero
        assert_eq!(both(0x0010_1573), (true, true)); // csrrw a0,fflags,zero
        assert_eq!(both(0x0010_2073), (true, false)); // csrrs zero,fflags,zero
        assert_eq!(both(0x0011_6073), (true, true)); // csrrsi zero,fflags,2
        assert_eq!(both(0x0010_7073), (true, false)); // csrrci zero,fflags,0
    }
}
