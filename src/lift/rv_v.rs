//! V and the extensions of vectors.
//!
//! What an instruction does depends on `vtype` and `vl`. The operation it becomes is for those that
//! an instruction before it in the block is taken to have set: VLMAX elements, unless it asks for a
//! constant number of them. So what depends on them is decided here: which registers are a group,
//! how many bytes there are, and whether the instruction is legal. The interpreter executes masked
//! instructions, and all of which nothing is known.

use super::rule::{Flow, Rule, helper, helper_registers};
use crate::cpu::{lmul_log2, vlmax};
use crate::ir::{Builder, FReg, MemSize, Op, Reg, Src, VBinOp, VConfig, VGroup, VSrc};
use crate::isa::table_v::for_each_vector_insn;
use crate::isa::{self, Format, Insn};
use crate::opt;

/// What a vector instruction becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Vector {
    /// `vsetvli`
    Set,
    /// `vsetivli`
    SetImm,
    /// Unit-stride load.
    Load(MemSize),
    /// Unit-stride store.
    Store(MemSize),
    /// Load of whole registers.
    LoadWhole,
    /// Store of whole registers.
    StoreWhole,
    /// `vd = vs2 op vs1`, or `rs1`, or a constant.
    Bin(VBinOp),
    /// `vd =` elements of `vs2`, which are narrower.
    Extend(VBinOp),
    /// `vd[0] = vs1[0] op vs2[0] op ...`
    Reduce(VBinOp),
    /// `rd = vs2[0]`
    ToInt,
    /// `fd = vs2[0]`
    ToFloat,
    /// `vd[0] = rs1`
    Insert,
    /// Whole registers.
    Copy,
    /// To elements with higher numbers, by a constant.
    SlideUp,
    /// To elements with lower numbers, by a constant.
    SlideDown,
    /// To the elements below; `rs1` becomes the last one.
    Slide1Down,
    /// The interpreter executes it.
    Other,
}

macro_rules! rules {
    ($($op:ident $mn:literal $ext:ident $(+ $more:ident)* $fmt:ident $enc:literal;)*) => {
        pub(super) const RULES: &[(isa::Op, Rule)] =
            &[$((isa::Op::$op, rule(isa::Op::$op, Format::$fmt))),*];
    };
}
for_each_vector_insn!(rules {});

/// The rule for `op`.
const fn rule(op: isa::Op, format: Format) -> Rule {
    use isa::Op;
    Rule::Vector(match op {
        Op::Vsetvli => Vector::Set,
        Op::Vsetivli => Vector::SetImm,
        Op::Vle8V => Vector::Load(MemSize::B),
        Op::Vle16V => Vector::Load(MemSize::H),
        Op::Vle32V => Vector::Load(MemSize::W),
        Op::Vle64V => Vector::Load(MemSize::D),
        Op::Vse8V => Vector::Store(MemSize::B),
        Op::Vse16V => Vector::Store(MemSize::H),
        Op::Vse32V => Vector::Store(MemSize::W),
        Op::Vse64V => Vector::Store(MemSize::D),
        Op::Vl1re8V | Op::Vl1re16V | Op::Vl1re32V | Op::Vl1re64V => Vector::LoadWhole,
        Op::Vl2re8V | Op::Vl2re16V | Op::Vl2re32V | Op::Vl2re64V => Vector::LoadWhole,
        Op::Vl4re8V | Op::Vl4re16V | Op::Vl4re32V | Op::Vl4re64V => Vector::LoadWhole,
        Op::Vl8re8V | Op::Vl8re16V | Op::Vl8re32V | Op::Vl8re64V => Vector::LoadWhole,
        Op::Vs1rV | Op::Vs2rV | Op::Vs4rV | Op::Vs8rV => Vector::StoreWhole,
        Op::VmvVV | Op::VmvVX | Op::VmvVI => Vector::Bin(VBinOp::Move),
        Op::VaddVv | Op::VaddVx | Op::VaddVi => Vector::Bin(VBinOp::Add),
        Op::VsubVv | Op::VsubVx => Vector::Bin(VBinOp::Sub),
        Op::VrsubVx | Op::VrsubVi => Vector::Bin(VBinOp::Rsub),
        Op::VandVv | Op::VandVx | Op::VandVi => Vector::Bin(VBinOp::And),
        Op::VorVv | Op::VorVx | Op::VorVi => Vector::Bin(VBinOp::Or),
        Op::VxorVv | Op::VxorVx | Op::VxorVi => Vector::Bin(VBinOp::Xor),
        Op::VminVv | Op::VminVx => Vector::Bin(VBinOp::Min),
        Op::VminuVv | Op::VminuVx => Vector::Bin(VBinOp::Minu),
        Op::VmaxVv | Op::VmaxVx => Vector::Bin(VBinOp::Max),
        Op::VmaxuVv | Op::VmaxuVx => Vector::Bin(VBinOp::Maxu),
        Op::VsllVv | Op::VsllVx | Op::VsllVi => Vector::Bin(VBinOp::Sll),
        Op::VsrlVv | Op::VsrlVx | Op::VsrlVi => Vector::Bin(VBinOp::Srl),
        Op::VsraVv | Op::VsraVx | Op::VsraVi => Vector::Bin(VBinOp::Sra),
        Op::VmulVv | Op::VmulVx => Vector::Bin(VBinOp::Mul),
        Op::VmulhVv | Op::VmulhVx => Vector::Bin(VBinOp::Mulh),
        Op::VmulhuVv | Op::VmulhuVx => Vector::Bin(VBinOp::Mulhu),
        Op::VmaccVv | Op::VmaccVx => Vector::Bin(VBinOp::Macc),
        Op::VnmsacVv | Op::VnmsacVx => Vector::Bin(VBinOp::Nmsac),
        Op::VmaddVv | Op::VmaddVx => Vector::Bin(VBinOp::Madd),
        Op::VnmsubVv | Op::VnmsubVx => Vector::Bin(VBinOp::Nmsub),
        Op::VzextVf2 => Vector::Extend(VBinOp::Zext2),
        Op::VzextVf4 => Vector::Extend(VBinOp::Zext4),
        Op::VzextVf8 => Vector::Extend(VBinOp::Zext8),
        Op::VsextVf2 => Vector::Extend(VBinOp::Sext2),
        Op::VsextVf4 => Vector::Extend(VBinOp::Sext4),
        Op::VsextVf8 => Vector::Extend(VBinOp::Sext8),
        Op::VfaddVv | Op::VfaddVf => Vector::Bin(VBinOp::FAdd),
        Op::VfsubVv | Op::VfsubVf => Vector::Bin(VBinOp::FSub),
        Op::VfrsubVf => Vector::Bin(VBinOp::FRsub),
        Op::VfmulVv | Op::VfmulVf => Vector::Bin(VBinOp::FMul),
        Op::VfdivVv | Op::VfdivVf => Vector::Bin(VBinOp::FDiv),
        Op::VfrdivVf => Vector::Bin(VBinOp::FRdiv),
        Op::VfmaccVv | Op::VfmaccVf => Vector::Bin(VBinOp::FMacc),
        Op::VfnmaccVv | Op::VfnmaccVf => Vector::Bin(VBinOp::FNmacc),
        Op::VfmsacVv | Op::VfmsacVf => Vector::Bin(VBinOp::FMsac),
        Op::VfnmsacVv | Op::VfnmsacVf => Vector::Bin(VBinOp::FNmsac),
        Op::VfmaddVv | Op::VfmaddVf => Vector::Bin(VBinOp::FMadd),
        Op::VfnmaddVv | Op::VfnmaddVf => Vector::Bin(VBinOp::FNmadd),
        Op::VfmsubVv | Op::VfmsubVf => Vector::Bin(VBinOp::FMsub),
        Op::VfnmsubVv | Op::VfnmsubVf => Vector::Bin(VBinOp::FNmsub),
        Op::VfmvVF => Vector::Bin(VBinOp::Move),
        Op::VredsumVs => Vector::Reduce(VBinOp::Add),
        Op::VredandVs => Vector::Reduce(VBinOp::And),
        Op::VredorVs => Vector::Reduce(VBinOp::Or),
        Op::VredxorVs => Vector::Reduce(VBinOp::Xor),
        Op::VredminuVs => Vector::Reduce(VBinOp::Minu),
        Op::VredminVs => Vector::Reduce(VBinOp::Min),
        Op::VredmaxuVs => Vector::Reduce(VBinOp::Maxu),
        Op::VredmaxVs => Vector::Reduce(VBinOp::Max),
        Op::VfredusumVs | Op::VfredosumVs => Vector::Reduce(VBinOp::FAdd),
        Op::VmvXS => Vector::ToInt,
        Op::VfmvFS => Vector::ToFloat,
        Op::VmvSX | Op::VfmvSF => Vector::Insert,
        Op::Vmv1rV | Op::Vmv2rV | Op::Vmv4rV | Op::Vmv8rV => Vector::Copy,
        Op::VslideupVi => Vector::SlideUp,
        Op::VslidedownVi => Vector::SlideDown,
        Op::Vslide1downVx | Op::Vfslide1downVf => Vector::Slide1Down,
        // They set `vl`.
        Op::Vsetvl | Op::Vle8ffV | Op::Vle16ffV | Op::Vle32ffV | Op::Vle64ffV => {
            return Rule::Helper;
        }
        _ => match format {
            Format::VecVf | Format::VecMacVf | Format::VecVfm => return Rule::Helper,
            _ => Vector::Other,
        },
    })
}

/// Adds the operation of `insn` to `b`.
#[inline(never)]
pub(super) fn lift(b: &mut Builder, what: Vector, insn: &Insn) -> Flow {
    if b.vectors.vlenb == 0 {
        helper(b, insn);
        return Flow::Exit;
    }
    match what {
        Vector::Set | Vector::SetImm => return set(b, what, insn),
        _ => {
            let (reads, writes) = helper_registers(insn);
            if let Some(op) = operation(b, what, insn) {
                opt::add(b, op);
            } else if matches!(
                insn.op.format(),
                Format::VecVf | Format::VecMacVf | Format::VecMvF | Format::VecToF
            ) {
                helper(b, insn);
                return Flow::Exit;
            } else {
                opt::add(b, Op::VHelper { reads, writes });
            }
        }
    }
    Flow::Next
}

/// Sets type and length.
fn set(b: &mut Builder, what: Vector, insn: &Insn) -> Flow {
    let vlenb = b.vectors.vlenb;
    let before = b.vectors.config;
    let rd = Reg(insn.rd);
    // The type is what `vsetivli` has in the same place.
    let op = vlmax(insn.imm as u64, vlenb).and_then(|most| {
        let vtype = insn.imm as u8;
        let config = |vl: u64| VConfig { vtype, vl: vl.min(most.into()) as u16 };
        let (avl, config) = match (what, insn.rd, insn.rs1) {
            (Vector::SetImm, ..) => (None, config(insn.rs1.into())),
            (_, 0, 0) => {
                let from = before?;
                let same = vlmax(from.vtype.into(), vlenb) == Some(most);
                return same.then_some(Op::VRetype { from, to: config(from.vl.into()) });
            }
            (_, _, 0) => (None, config(u64::MAX)),
            _ => match opt::constant(b, Reg(insn.rs1)) {
                Some(avl) => (None, config(avl)),
                None => (Some(Reg(insn.rs1)), config(u64::MAX)),
            },
        };
        let avl = avl.map_or(Src::Imm(config.vl.into()), Src::Reg);
        (config.vl != 0).then_some(Op::VSet { rd, avl, config })
    });
    let Some(op) = op else {
        helper(b, insn);
        return Flow::Exit;
    };
    opt::add(b, op);
    if let Op::VSet { config, .. } | Op::VRetype { to: config, .. } = op {
        b.vectors.config = Some(config);
    }
    Flow::Next
}

/// The operation that `insn` is where `vtype` and `vl` are what they are taken to be, if there is
/// one.
fn operation(b: &Builder, what: Vector, insn: &Insn) -> Option<Op> {
    let vlenb = b.vectors.vlenb;
    let base = Reg(insn.rs1);
    let whole = insn.fields() as u8;
    if let Vector::LoadWhole | Vector::StoreWhole = what {
        let group = registers(insn.rd, whole, vlenb).filter(|_| !base.is_zero())?;
        let bytes = i32::from(vlenb) * i32::from(whole);
        return Some(match what {
            Vector::LoadWhole => Op::VLoadWhole { bytes, vd: group, base },
            _ => Op::VStoreWhole { bytes, vs: group, base },
        });
    }
    let config = b.vectors.config?;
    let lmul = lmul_log2(config.vtype);
    let group = |r: u8, lmul: i32| registers(r, 1 << lmul.max(0), vlenb);
    match what {
        Vector::Load(width) | Vector::Store(width) => {
            if insn.masked() || insn.fields() != 1 || base.is_zero() {
                return None;
            }
            let lmul = lmul + width.bytes().ilog2() as i32 - i32::from(config.sew());
            let group = group(insn.rd, lmul).filter(|_| (-3..=3).contains(&lmul))?;
            Some(match what {
                Vector::Load(_) => Op::VLoad { config, width, vd: group, base },
                _ => Op::VStore { config, width, vs: group, base },
            })
        }
        Vector::Bin(op) => {
            let move_to = op == VBinOp::Move;
            if !move_to && insn.masked() {
                return None;
            }
            let vd = group(insn.rd, lmul)?;
            let a = if move_to { vd } else { group(insn.rs2, lmul)? };
            let b = match scalar(insn) {
                Some(scalar) => scalar,
                None => VSrc::Group(group(insn.rs1, lmul)?),
            };
            let numbers = op.is_float() || matches!(b, VSrc::F(_));
            (!numbers || config.sew() >= 2).then_some(Op::VBin { op, config, vd, a, b })
        }
        Vector::Extend(op) => {
            let lmul_of_source = lmul - i32::from(op.narrower());
            if insn.masked() || op.narrower() > config.sew() || lmul_of_source < -3 {
                return None;
            }
            let (vd, source) = (group(insn.rd, lmul)?, group(insn.rs2, lmul_of_source)?);
            // A few overlaps are legal. They are rare.
            let [end, end_of_source] = [(insn.rd, lmul), (insn.rs2, lmul_of_source)]
                .map(|(r, lmul)| r + (1 << lmul.max(0)));
            let apart = end <= insn.rs2 || end_of_source <= insn.rd;
            apart.then_some(Op::VBin { op, config, vd, a: vd, b: VSrc::Group(source) })
        }
        Vector::Reduce(op) => {
            let [vd, init] = [insn.rd, insn.rs1].map(|r| group(r, 0));
            let (vd, init, a) = (vd?, init?, group(insn.rs2, lmul)?);
            let legal = !insn.masked() && (!op.is_float() || config.sew() >= 2);
            legal.then_some(Op::VReduce { op, config, vd, a, init })
        }
        Vector::ToInt => Some(Op::VToInt { config, rd: Reg(insn.rd), a: group(insn.rs2, 0)? }),
        Vector::ToFloat if config.sew() >= 2 => {
            Some(Op::VToFloat { config, fd: FReg(insn.rd), a: group(insn.rs2, 0)? })
        }
        Vector::Insert
        | Vector::Copy
        | Vector::SlideUp
        | Vector::SlideDown
        | Vector::Slide1Down => elements_moved(what, insn, config, vlenb),
        _ => None,
    }
}

/// The operation of an instruction that moves elements to others.
fn elements_moved(what: Vector, insn: &Insn, config: VConfig, vlenb: u16) -> Option<Op> {
    let (sew, lmul) = (config.sew(), lmul_log2(config.vtype));
    let group = |r: u8| registers(r, 1 << lmul.max(0), vlenb);
    let none = VSrc::Imm(0);
    let vl = config.vl;
    if matches!(scalar(insn), Some(VSrc::F(_))) && sew < 2 {
        return None;
    }
    // From and to which bytes so many elements are copied, and how many follow.
    let (vd, a, copied, filled, b) = match what {
        Vector::Copy => {
            let count = 1 + (insn.bits >> 15 & 7) as u8;
            let [vd, a] = [insn.rd, insn.rs2].map(|r| registers(r, count, vlenb));
            (vd?, a?, (u16::from(count) * vlenb) >> sew, 0, none)
        }
        Vector::Insert => {
            let vd = registers(insn.rd, 1, vlenb)?;
            (vd, vd, 0, 1, scalar(insn)?)
        }
        _ if insn.masked() => return None,
        Vector::SlideUp => {
            let (vd, a) = (group(insn.rd)?, group(insn.rs2)?);
            let by = vl.min(insn.imm as u16);
            if vd == a {
                return None;
            }
            (VGroup(vd.0 + (by << sew)), a, vl - by, 0, none)
        }
        Vector::SlideDown => {
            let all = vlmax(config.vtype.into(), vlenb)?;
            let by = all.min(insn.imm as u16);
            let a = group(insn.rs2)?;
            let copied = vl.min(all - by);
            (group(insn.rd)?, VGroup(a.0 + (by << sew)), copied, vl - copied, none)
        }
        _ => {
            let a = group(insn.rs2)?;
            (group(insn.rd)?, VGroup(a.0 + (1 << sew)), vl - 1, 1, scalar(insn)?)
        }
    };
    let bytes = i32::from(copied) << sew;
    Some(Op::VMove { config, bytes, vd, a, filled: filled.into(), b })
}

/// The second operand of `insn`, if it is the same for all elements.
fn scalar(insn: &Insn) -> Option<VSrc> {
    Some(match insn.op.format() {
        Format::VecVv | Format::VecMacVv | Format::VecMvV => return None,
        Format::VecVx | Format::VecMacVx | Format::VecMvX if insn.rs1 == 0 => VSrc::Imm(0),
        Format::VecVx | Format::VecMacVx | Format::VecMvX => VSrc::X(Reg(insn.rs1)),
        Format::VecVf | Format::VecMacVf | Format::VecMvF => VSrc::F(FReg(insn.rs1)),
        _ => VSrc::Imm(insn.imm),
    })
}

/// `count` registers from `first` on, if a group may begin there.
fn registers(first: u8, count: u8, vlenb: u16) -> Option<VGroup> {
    first.is_multiple_of(count).then(|| VGroup(u16::from(first) * vlenb))
}

#[cfg(test)]
mod tests {
    use super::super::{Code, Lifter, Limits};
    use crate::isa::Isa;

    /// The operations that `words` become, without the `ret` put after them.
    fn ops(words: &[u32], limits: &Limits) -> Vec<String> {
        let mut words = words.to_vec();
        words.push(0x0000_8067);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut code = Code { start: 0x1000, bytes: &bytes };
        let mut lifter = Lifter::new();
        let block = lifter.lift(&mut code, &Isa::MAX, 0x1000, limits);
        let nodes = block.nodes.iter().take(words.len() - 1);
        nodes.map(|node| node.op.to_string()).collect()
    }

    #[test]
    fn operations_are_for_what_the_instruction_before_them_sets() {
        let vsetvli_a5_a3_e32_m1 = 0x0d06_f7d7;
        let vsetvli_zero_zero_e16_mf2 = 0x0cf0_7057;
        let (vle32_v1_a1, vse32_v2_a0, vle32_v1_a1_masked) =
            (0x0205_e087, 0x0205_6127, 0x0005_e087);
        let vmacc_vx_v2_a2_v1 = 0xb616_6157;
        let words = [
            vle32_v1_a1,
            vsetvli_a5_a3_e32_m1,
            vle32_v1_a1,
            vle32_v1_a1_masked,
            vmacc_vx_v2_a2_v1,
            vsetvli_zero_zero_e16_mf2,
            vse32_v2_a0,
        ];
        let expected = [
            "vhelper reads {x11} writes {}",
            "vset x15, x13, 0xd0*4",
            "vload.w [x11], v16, 0xd0*4",
            "vhelper reads {x11} writes {}",
            "vmacc v32, v16, x12, 0xd0*4",
            "vretype 0xd0*4, 0xcf*4",
            "vstore.w [x10], v32, 0xcf*4",
        ];
        assert_eq!(ops(&words, &Limits::default()), expected);
        // An illegal instruction must end a block that has been paid for.
        let paid = Limits { each_branch: true, max_exits: 1, ..Limits::default() };
        assert_eq!(ops(&words[1..], &paid), ["helper reads {x13} writes {x15}"]);
    }

    #[test]
    fn reserved_and_unknown_operands_are_left_to_the_interpreter() {
        let (vsetivli_3_e32_m2, vsetvli_e8_mf8) = (0xcd11_f057, 0x0c50_7057 | 15 << 7);
        let (vle32_v1, vle64_v4, vle8ff) = (0x0205_e087, 0x0205_f207, 0x0305_8087);
        let words = [vsetivli_3_e32_m2, vle32_v1, vle64_v4, vle8ff, vle64_v4];
        let expected = [
            "vset x0, 3, 0xd1*3",
            // Groups of two registers do not begin at v1.
            "vhelper reads {x11} writes {}",
            "vload.d [x11], v64, 0xd1*3",
            // It sets `vl`.
            "helper reads {x11} writes {}",
            "vhelper reads {x11} writes {}",
        ];
        assert_eq!(ops(&words, &Limits::default()), expected);
        // LMUL would be 1 for elements of 64 bits, and is 1/8 for those of 8.
        let expected = ["vset x15, 2, 0xc5*2", "vload.d [x11], v64, 0xc5*2"];
        assert_eq!(ops(&[vsetvli_e8_mf8, vle64_v4], &Limits::default()), expected);
        // vzext.vf4 v8, v4; over its own source; of elements that are too narrow.
        let (apart, over, vf8) = (0x4a42_2457, 0x4a82_2457, 0x4a41_2457);
        let expected = [
            "vset x0, 3, 0xd1*3",
            "vzext4 v128, v128, v64, 0xd1*3",
            "vhelper reads {} writes {}",
            "vhelper reads {} writes {}",
        ];
        assert_eq!(ops(&[vsetivli_3_e32_m2, apart, over, vf8], &Limits::default()), expected);
    }
}
