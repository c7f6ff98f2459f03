//! The disassembler: the text of an instruction as `riscv64-linux-gnu-objdump -d` (binutils 2.40)
//! prints it, with its aliases; for extensions that 2.40 does not know, as the specification of the
//! extension and later binutils write it.
//!
//! Mnemonic and operands are separated by a tab. Targets of branches and jumps are addresses
//! (`0x10430`); the symbols and the `# address` comments that objdump adds are left out.

use std::borrow::Cow;
use std::fmt;

use super::reg::{RA, f_name, v_name, x_name};
use super::{Format, Insn, Op, csr};

/// The text of `insn`, which lies at `pc`.
pub fn disasm(insn: &Insn, pc: u64) -> impl fmt::Display + use<> {
    Disasm { insn: *insn, pc }
}

/// What objdump prints for `bits` (an encoding of `len` bytes, 2 or 4) that is no instruction; that
/// of zeros, which are guaranteed to be illegal, has a name.
pub fn unknown(bits: u32, len: u8) -> impl fmt::Display {
    match (bits & 0xffff, len) {
        (0, 2) => "unimp".to_owned(),
        (half, 2) => format!(".2byte\t{half:#x}"),
        _ => format!(".4byte\t{bits:#x}"),
    }
}

struct Disasm {
    insn: Insn,
    pc: u64,
}

impl fmt::Display for Disasm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = compressed_hint(&self.insn)
            .or_else(|| alias(&self.insn, self.pc))
            .unwrap_or_else(|| plain(&self.insn, self.pc));
        f.write_str(&text.name)?;
        if !text.operands.is_empty() {
            write!(f, "\t{}", text.operands)?;
        }
        Ok(())
    }
}

/// Mnemonic and operands.
struct Text {
    name: Cow<'static, str>,
    operands: String,
}

fn text(name: impl Into<Cow<'static, str>>, operands: impl Into<String>) -> Text {
    Text { name: name.into(), operands: operands.into() }
}

/// The text without regard to special values of operands.
fn plain(insn: &Insn, pc: u64) -> Text {
    let Insn { op, imm, .. } = *insn;
    let name = short_name(op);
    let (rd, rs1, rs2) = (x_name(insn.rd), x_name(insn.rs1), x_name(insn.rs2));
    let (fd, fs1, fs2, fs3) =
        (f_name(insn.rd), f_name(insn.rs1), f_name(insn.rs2), f_name(insn.rs3));
    let target = pc.wrapping_add_signed(i64::from(imm));
    let rm = rounding(insn);
    match op.format() {
        Format::R => text(name, format!("{rd},{rs1},{rs2}")),
        Format::Unary => text(name, format!("{rd},{rs1}")),
        Format::I => text(name, format!("{rd},{rs1},{imm}")),
        Format::Shamt6 | Format::Shamt5 => text(name, format!("{rd},{rs1},{imm:#x}")),
        Format::Load => text(name, format!("{rd},{imm}({rs1})")),
        Format::Store => text(name, format!("{rs2},{imm}({rs1})")),
        Format::B => text(name, format!("{rs1},{rs2},{target:#x}")),
        Format::U => text(name, format!("{rd},{:#x}", imm as u32 >> 12)),
        Format::J => text(name, format!("{rd},{target:#x}")),
        Format::Jalr if imm == 0 => text(name, format!("{rd},{rs1}")),
        Format::Jalr => text(name, format!("{rd},{imm}({rs1})")),
        Format::Fence => {
            text(name, format!("{},{}", fence_set(imm as u32 >> 4), fence_set(imm as u32)))
        }
        Format::FenceTso | Format::FenceI | Format::Bare => text(name, ""),
        Format::Csr => text(name, format!("{rd},{},{rs1}", csr_name(insn))),
        Format::CsrImm => text(name, format!("{rd},{},{}", csr_name(insn), insn.rs1)),
        Format::Lr => text(ordered(insn), format!("{rd},({rs1})")),
        Format::Amo | Format::AmoPair => text(ordered(insn), format!("{rd},{rs2},({rs1})")),
        Format::Cbo => text(name, format!("({rs1})")),
        Format::MopR => text(format!("{name}.{imm}"), format!("{rd},{rs1}")),
        Format::MopRr => text(format!("{name}.{imm}"), format!("{rd},{rs1},{rs2}")),
        Format::FpLoad => text(name, format!("{fd},{imm}({rs1})")),
        Format::FpStore => text(name, format!("{fs2},{imm}({rs1})")),
        Format::FpR4 => text(name, format!("{fd},{fs1},{fs2},{fs3}{rm}")),
        Format::FpRm => text(name, format!("{fd},{fs1},{fs2}{rm}")),
        Format::FpUnaryRm => text(name, format!("{fd},{fs1}{rm}")),
        Format::Fp => text(name, format!("{fd},{fs1},{fs2}")),
        Format::FpCmp => text(name, format!("{rd},{fs1},{fs2}")),
        Format::FpToInt => text(name, format!("{rd},{fs1}")),
        Format::FpToIntRm | Format::FpToIntRtz => text(name, format!("{rd},{fs1}{rm}")),
        Format::IntToFp => text(name, format!("{fd},{rs1}")),
        Format::IntToFpRm => text(name, format!("{fd},{rs1}{rm}")),
        Format::Fli => text(name, format!("{fd},{}", FLI[usize::from(insn.rs1 & 31)])),
        Format::Vsetvli => text(name, format!("{rd},{rs1},{}", vtype(imm))),
        Format::Vsetivli => text(name, format!("{rd},{},{}", insn.rs1, vtype(imm))),
        _ => vector(insn),
    }
}

/// The text of an instruction whose format is one of vectors.
fn vector(insn: &Insn) -> Text {
    let Insn { op, imm, .. } = *insn;
    let name = op.mnemonic();
    let (rd, rs1, rs2, fd, fs1) =
        (x_name(insn.rd), x_name(insn.rs1), x_name(insn.rs2), f_name(insn.rd), f_name(insn.rs1));
    let (vd, vs1, vs2) = (v_name(insn.rd), v_name(insn.rs1), v_name(insn.rs2));
    let mask = if insn.masked() { ",v0.t" } else { "" };
    match op.format() {
        Format::VecVv => text(name, format!("{vd},{vs2},{vs1}{mask}")),
        Format::VecVx => text(name, format!("{vd},{vs2},{rs1}{mask}")),
        Format::VecVi | Format::VecVu | Format::VecVu6 => {
            text(name, format!("{vd},{vs2},{imm}{mask}"))
        }
        Format::VecVf => text(name, format!("{vd},{vs2},{fs1}{mask}")),
        Format::VecMacVv => text(name, format!("{vd},{vs1},{vs2}{mask}")),
        Format::VecMacVx => text(name, format!("{vd},{rs1},{vs2}{mask}")),
        Format::VecMacVf => text(name, format!("{vd},{fs1},{vs2}{mask}")),
        Format::VecVvm => text(name, format!("{vd},{vs2},{vs1},v0")),
        Format::VecVxm => text(name, format!("{vd},{vs2},{rs1},v0")),
        Format::VecVim => text(name, format!("{vd},{vs2},{imm},v0")),
        Format::VecVfm => text(name, format!("{vd},{vs2},{fs1},v0")),
        Format::VecUnary => text(name, format!("{vd},{vs2}{mask}")),
        Format::VecMvV => text(name, format!("{vd},{vs1}")),
        Format::VecMvX => text(name, format!("{vd},{rs1}")),
        Format::VecMvI => text(name, format!("{vd},{imm}")),
        Format::VecMvF => text(name, format!("{vd},{fs1}")),
        Format::VecToX => text(name, format!("{rd},{vs2}{mask}")),
        Format::VecToF => text(name, format!("{fd},{vs2}")),
        Format::VecId => text(name, format!("{vd}{mask}")),
        Format::VecMem => text(segments(insn), format!("{vd},({rs1}){mask}")),
        Format::VecMemStrided => text(segments(insn), format!("{vd},({rs1}),{rs2}{mask}")),
        Format::VecMemIndexed => text(segments(insn), format!("{vd},({rs1}),{vs2}{mask}")),
        _ => text(name, ""),
    }
}

/// What `vsetvli` and `vsetivli` set: names, or the number if a bit or a value is reserved.
fn vtype(imm: i32) -> String {
    const LMUL: [&str; 8] = ["m1", "m2", "m4", "m8", "", "mf8", "mf4", "mf2"];
    let lmul = LMUL[imm as usize & 7];
    let sew = imm >> 3 & 7;
    if imm >> 8 != 0 || sew > 3 || lmul.is_empty() {
        return imm.to_string();
    }
    let tail = if imm & 0x40 != 0 { "ta" } else { "tu" };
    let mask = if imm & 0x80 != 0 { "ma" } else { "mu" };
    format!("e{},{lmul},{tail},{mask}", 8 << sew)
}

/// The mnemonic of a vector access, which for segments has their number of fields.
fn segments(insn: &Insn) -> Cow<'static, str> {
    /// Mnemonics up to their `e`, and what they are with more than one field.
    const NAMES: [(&str, &str); 10] = [
        ("vlse", "vlsseg"),
        ("vsse", "vssseg"),
        ("vluxe", "vluxseg"),
        ("vloxe", "vloxseg"),
        ("vsuxe", "vsuxseg"),
        ("vsoxe", "vsoxseg"),
        ("vle", "vlseg"),
        ("vse", "vsseg"),
        ("vl", ""),
        ("vs", ""),
    ];
    let name = insn.op.mnemonic();
    let (prefix, long) = NAMES.into_iter().find(|(p, _)| name.starts_with(p)).unwrap_or_default();
    match insn.fields() {
        fields if fields > 1 && !long.is_empty() => {
            format!("{long}{fields}{}", &name[prefix.len() - 1..]).into()
        }
        _ => name.into(),
    }
}

/// The mnemonic as objdump 2.40 has it: without the `i` where the assembler accepts the name of the
/// register form for the immediate one.
fn short_name(op: Op) -> &'static str {
    match op {
        Op::Addi => "add",
        Op::Addiw => "addw",
        Op::Andi => "and",
        Op::Ori => "or",
        Op::Xori => "xor",
        Op::Slli => "sll",
        Op::Srli => "srl",
        Op::Srai => "sra",
        Op::Slliw => "sllw",
        Op::Srliw => "srlw",
        Op::Sraiw => "sraw",
        Op::Rori => "ror",
        Op::Roriw => "rorw",
        Op::Bclri => "bclr",
        Op::Bexti => "bext",
        Op::Binvi => "binv",
        Op::Bseti => "bset",
        Op::Csrrwi => "csrrw",
        Op::Csrrsi => "csrrs",
        Op::Csrrci => "csrrc",
        _ => op.mnemonic(),
    }
}

/// The values of `fli`, by index (manual, "Zfa"), as C's `%a` writes them.
const FLI: [&str; 32] = [
    "-0x1p+0", "min", "0x1p-16", "0x1p-15", "0x1p-8", "0x1p-7", "0x1p-4", "0x1p-3", "0x1p-2",
    "0x1.4p-2", "0x1.8p-2", "0x1.cp-2", "0x1p-1", "0x1.4p-1", "0x1.8p-1", "0x1.cp-1", "0x1p+0",
    "0x1.4p+0", "0x1.8p+0", "0x1.cp+0", "0x1p+1", "0x1.4p+1", "0x1.8p+1", "0x1p+2", "0x1p+3",
    "0x1p+4", "0x1p+7", "0x1p+8", "0x1p+15", "0x1p+16", "inf", "nan",
];

/// The rounding mode with its comma; nothing for the dynamic one, and for conversions that are
/// exact and have the mode that assemblers give them.
fn rounding(insn: &Insn) -> &'static str {
    let exact = matches!(
        insn.op,
        Op::FcvtDS | Op::FcvtDW | Op::FcvtDWu | Op::FcvtSH | Op::FcvtDH | Op::FcvtSBf16
    );
    match insn.rm {
        0 if exact => "",
        0 => ",rne",
        1 => ",rtz",
        2 => ",rdn",
        3 => ",rup",
        4 => ",rmm",
        _ => "",
    }
}

/// The mnemonic of an atomic with its ordering.
fn ordered(insn: &Insn) -> Cow<'static, str> {
    let name = insn.op.mnemonic();
    match (insn.aq(), insn.rl()) {
        (false, false) => name.into(),
        (true, false) => format!("{name}.aq").into(),
        (false, true) => format!("{name}.rl").into(),
        (true, true) => format!("{name}.aqrl").into(),
    }
}

/// A predecessor or successor set of `fence`, in the low four bits of `set`.
fn fence_set(set: u32) -> &'static str {
    const NAMES: [&str; 16] = [
        "unknown", "w", "r", "rw", "o", "ow", "or", "orw", "i", "iw", "ir", "irw", "io", "iow",
        "ior", "iorw",
    ];
    NAMES[(set & 15) as usize]
}

fn csr_name(insn: &Insn) -> Cow<'static, str> {
    let number = insn.imm as u16;
    csr::name(number).unwrap_or_else(|| format!("{number:#x}").into())
}

/// 16-bit HINTs, which objdump prints by the name of the encoding.
fn compressed_hint(insn: &Insn) -> Option<Text> {
    if insn.len != 2 {
        return None;
    }
    let Insn { op, rd, imm, .. } = *insn;
    let (rd_name, rs2) = (x_name(rd), x_name(insn.rs2));
    match insn.encoding() {
        "c.mop.n" => Some(text(format!("c.mop.{}", insn.bits >> 7 & 15), "")),
        "c.addi" if rd == 0 && imm != 0 => Some(text("c.nop", imm.to_string())),
        "c.addi" if rd != 0 && imm == 0 => Some(text("add", format!("{rd_name},{rd_name},0"))),
        "c.li" if rd == 0 => Some(text("c.li", format!("zero,{imm}"))),
        "c.lui" if rd == 0 => Some(text("c.lui", format!("zero,{:#x}", imm as u32 >> 12))),
        "c.mv" if rd == 0 => Some(text("c.mv", format!("zero,{rs2}"))),
        "c.add" if rd == 0 => match insn.rs2 {
            2..=5 => Some(text(ntl(insn.rs2), "")),
            _ => Some(text("c.add", format!("zero,{rs2}"))),
        },
        "c.slli" | "c.srli" | "c.srai" if imm == 0 => {
            Some(text(format!("c.{}64", op.mnemonic()), rd_name))
        }
        "c.slli" if rd == 0 => Some(text("c.slli", format!("zero,{imm:#x}"))),
        _ => None,
    }
}

/// The non-temporal HINT that names x2 to x5.
fn ntl(rs2: u8) -> &'static str {
    match rs2 {
        2 => "ntl.p1",
        3 => "ntl.pall",
        4 => "ntl.s1",
        _ => "ntl.all",
    }
}

/// The text where operands have special values.
fn alias(insn: &Insn, pc: u64) -> Option<Text> {
    let Insn { op, rd, rs1, rs2, imm, .. } = *insn;
    let (s, t) = (x_name(rs1), x_name(rs2));
    let target = pc.wrapping_add_signed(i64::from(imm));
    let two = |name: &'static str, a: &str, b: &str| Some(text(name, format!("{a},{b}")));
    match op.format() {
        Format::I => immediate_alias(insn),
        Format::R => register_alias(insn),
        Format::B => {
            let name = match (op, rs1, rs2) {
                (Op::Beq, _, 0) => "beqz",
                (Op::Bne, _, 0) => "bnez",
                (Op::Blt, _, 0) => "bltz",
                (Op::Bge, 0, _) => "blez",
                (Op::Bge, _, 0) => "bgez",
                (Op::Blt, 0, _) => "bgtz",
                _ => return None,
            };
            Some(text(name, format!("{},{target:#x}", if rs2 == 0 { s } else { t })))
        }
        Format::J if rd == 0 => Some(text("j", format!("{target:#x}"))),
        Format::J if rd == RA => Some(text("jal", format!("{target:#x}"))),
        Format::Jalr => match (rd, rs1, imm) {
            (0, RA, 0) => Some(text("ret", "")),
            (0, _, 0) => Some(text("jr", s)),
            (0, _, _) => Some(text("jr", format!("{imm}({s})"))),
            (RA, _, 0) => Some(text("jalr", s)),
            (RA, _, _) => Some(text("jalr", format!("{imm}({s})"))),
            _ => None,
        },
        Format::Fence if imm == 0x0ff => Some(text("fence", "")),
        Format::Csr => csr_alias(insn),
        Format::CsrImm => csr_imm_alias(insn),
        Format::VecVx | Format::VecVi | Format::VecVu => vector_scalar_alias(insn),
        Format::VecVv => vector_alias(insn),
        Format::VecMem => match op {
            Op::Vl1re8V => Some("vl1r.v"),
            Op::Vl2re8V => Some("vl2r.v"),
            Op::Vl4re8V => Some("vl4r.v"),
            Op::Vl8re8V => Some("vl8r.v"),
            _ => None,
        }
        .map(|name| text(name, format!("{},({s})", v_name(rd)))),
        Format::Fp if rs1 == rs2 => {
            let (fd, fs) = (f_name(rd), f_name(rs1));
            match op {
                Op::FsgnjH => two("fmv.h", fd, fs),
                Op::FsgnjnH => two("fneg.h", fd, fs),
                Op::FsgnjxH => two("fabs.h", fd, fs),
                Op::FsgnjS => two("fmv.s", fd, fs),
                Op::FsgnjD => two("fmv.d", fd, fs),
                Op::FsgnjnS => two("fneg.s", fd, fs),
                Op::FsgnjnD => two("fneg.d", fd, fs),
                Op::FsgnjxS => two("fabs.s", fd, fs),
                Op::FsgnjxD => two("fabs.d", fd, fs),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Vector instructions with a scalar operand of special value.
fn vector_scalar_alias(insn: &Insn) -> Option<Text> {
    let (vd, vs2) = (v_name(insn.rd), v_name(insn.rs2));
    let mask = if insn.masked() { ",v0.t" } else { "" };
    let name = match (insn.op, insn.rs1, insn.imm) {
        (Op::VrsubVx, 0, _) => "vneg.v",
        (Op::VwaddVx, 0, _) => "vwcvt.x.x.v",
        (Op::VwadduVx, 0, _) => "vwcvtu.x.x.v",
        (Op::VnsrlWx, 0, _) => "vncvt.x.x.w",
        (Op::VxorVi, _, -1) => "vnot.v",
        _ => return None,
    };
    Some(text(name, format!("{vd},{vs2}{mask}")))
}

/// Vector instructions with operands that are the same register.
fn vector_alias(insn: &Insn) -> Option<Text> {
    if insn.rs1 != insn.rs2 {
        return None;
    }
    let (vd, vs2) = (v_name(insn.rd), v_name(insn.rs2));
    let mask = if insn.masked() { ",v0.t" } else { "" };
    let (name, same) = match insn.op {
        Op::VfsgnjnVv => ("vfneg.v", false),
        Op::VfsgnjxVv => ("vfabs.v", false),
        Op::VmandMm => ("vmmv.m", false),
        Op::VmnandMm => ("vmnot.m", false),
        Op::VmxorMm => ("vmclr.m", true),
        Op::VmxnorMm => ("vmset.m", true),
        _ => return None,
    };
    match (same, insn.rd == insn.rs2) {
        (false, _) => Some(text(name, format!("{vd},{vs2}{mask}"))),
        (true, true) => Some(text(name, vd)),
        (true, false) => None,
    }
}

fn immediate_alias(insn: &Insn) -> Option<Text> {
    let Insn { op, rd, rs1, imm, .. } = *insn;
    let (d, s) = (x_name(rd), x_name(rs1));
    let two = |name: &'static str| Some(text(name, format!("{d},{s}")));
    match op {
        Op::Addi if rd == 0 && rs1 == 0 && imm == 0 => Some(text("nop", "")),
        Op::Addi if rs1 == 0 => Some(text("li", format!("{d},{imm}"))),
        Op::Addi if imm == 0 => two("mv"),
        Op::Addiw if imm == 0 => two("sext.w"),
        Op::Xori if imm == -1 => two("not"),
        Op::Andi if imm == 255 => two("zext.b"),
        Op::Sltiu if imm == 1 => two("seqz"),
        Op::Ori if rd == 0 => {
            let name = match imm & 31 {
                0 => "prefetch.i",
                1 => "prefetch.r",
                3 => "prefetch.w",
                _ => return None,
            };
            Some(text(name, format!("{}({s})", imm & !31)))
        }
        _ => None,
    }
}

fn register_alias(insn: &Insn) -> Option<Text> {
    let Insn { op, rd, rs1, rs2, .. } = *insn;
    let (d, s, t) = (x_name(rd), x_name(rs1), x_name(rs2));
    let two = |name: &'static str, source: &str| Some(text(name, format!("{d},{source}")));
    match (op, rs1, rs2) {
        (Op::Add, 0, 2..=5) if rd == 0 => Some(text(ntl(rs2), "")),
        // The compressed form has only one thing to say.
        (Op::Add, 0, _) if insn.len == 2 => two("mv", t),
        (Op::Sub, 0, _) => two("neg", t),
        (Op::Subw, 0, _) => two("negw", t),
        (Op::Slt, _, 0) => two("sltz", s),
        (Op::Slt, 0, _) => two("sgtz", t),
        (Op::Sltu, 0, _) => two("snez", t),
        (Op::AddUw, _, 0) => two("zext.w", s),
        _ => None,
    }
}

fn csr_alias(insn: &Insn) -> Option<Text> {
    let Insn { op, rd, rs1, .. } = *insn;
    let number = insn.imm as u16;
    let (d, s, csr) = (x_name(rd), x_name(rs1), csr_name(insn));
    let float = match number {
        csr::FFLAGS => Some(("frflags", "fsflags")),
        csr::FRM => Some(("frrm", "fsrm")),
        csr::FCSR => Some(("frcsr", "fscsr")),
        _ => None,
    };
    match (op, float) {
        (Op::Csrrw, _) if number == csr::CYCLE && rd == 0 && rs1 == 0 => Some(text("unimp", "")),
        (Op::Csrrw, Some((_, write))) if rd == 0 => Some(text(write, s)),
        (Op::Csrrw, Some((_, write))) => Some(text(write, format!("{d},{s}"))),
        (Op::Csrrw, None) if rd == 0 => Some(text("csrw", format!("{csr},{s}"))),
        (Op::Csrrs, _) if rs1 == 0 => match (number, float) {
            (_, Some((read, _))) => Some(text(read, d)),
            (csr::CYCLE, _) => Some(text("rdcycle", d)),
            (csr::TIME, _) => Some(text("rdtime", d)),
            (csr::INSTRET, _) => Some(text("rdinstret", d)),
            _ => Some(text("csrr", format!("{d},{csr}"))),
        },
        (Op::Csrrs, _) if rd == 0 => Some(text("csrs", format!("{csr},{s}"))),
        (Op::Csrrc, _) if rd == 0 => Some(text("csrc", format!("{csr},{s}"))),
        _ => None,
    }
}

fn csr_imm_alias(insn: &Insn) -> Option<Text> {
    let Insn { op, rd, rs1: value, .. } = *insn;
    let (d, csr) = (x_name(rd), csr_name(insn));
    let float = match insn.imm as u16 {
        csr::FFLAGS => Some("fsflagsi"),
        csr::FRM => Some("fsrmi"),
        _ => None,
    };
    match (op, float) {
        (Op::Csrrwi, Some(write)) => Some(text(write, format!("{d},{value}"))),
        (Op::Csrrwi, None) if rd == 0 => Some(text("csrw", format!("{csr},{value}"))),
        (Op::Csrrsi, _) if rd == 0 => Some(text("csrs", format!("{csr},{value}"))),
        (Op::Csrrci, _) if rd == 0 => Some(text("csrc", format!("{csr},{value}"))),
        _ => None,
    }
}

#[cfg(test)]
#[path = "disasm_tests.rs"]
mod tests;
