//! Every form of an instruction with every class of operand is what the disassembler takes it for.

use super::*;
use crate::backend::CodeBuf;
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

/// Mnemonic, positions of the register, if there is one, and of the operand in memory or in a
/// register, what follows as an immediate, and how it is emitted.
type Form = (Mnemonic, Option<u32>, u32, Option<i32>, fn(&mut Asm<'_>, u8, Rm));

const FORMS: &[Form] = &[
    (Mnemonic::Mov, Some(0), 1, None, |a, r, rm| a.mov(Sz::D, r, rm)),
    (Mnemonic::Mov, Some(1), 0, None, |a, r, rm| a.mov_to(Sz::Q, rm, r)),
    (Mnemonic::Movsxd, Some(0), 1, None, |a, r, rm| a.movsxd(r, rm)),
    (Mnemonic::Lea, Some(0), 1, None, |a, r, rm| a.lea(Sz::Q, r, rm)),
    (Mnemonic::Add, Some(0), 1, None, |a, r, rm| a.alu(Alu::Add, Sz::Q, r, rm)),
    (Mnemonic::Or, Some(0), 1, None, |a, r, rm| a.alu(Alu::Or, Sz::D, r, rm)),
    (Mnemonic::And, Some(1), 0, None, |a, r, rm| a.alu_to(Alu::And, Sz::Q, rm, r)),
    (Mnemonic::Xor, Some(1), 0, None, |a, r, rm| a.alu_to(Alu::Xor, Sz::D, rm, r)),
    (Mnemonic::Sub, None, 0, Some(-128), |a, _, rm| a.alu_imm(Alu::Sub, Sz::Q, rm, -128)),
    (Mnemonic::Cmp, None, 0, Some(128), |a, _, rm| a.alu_imm(Alu::Cmp, Sz::D, rm, 128)),
    (Mnemonic::Mov, None, 0, Some(-2), |a, _, rm| a.mov_mem_imm(Sz::Q, rm, -2)),
    (Mnemonic::Shl, None, 0, Some(1), |a, _, rm| a.shift_imm(Shift::Shl, Sz::Q, rm, 1)),
    (Mnemonic::Shr, None, 0, Some(31), |a, _, rm| a.shift_imm(Shift::Shr, Sz::D, rm, 31)),
    (Mnemonic::Sar, None, 0, Some(63), |a, _, rm| a.shift_imm(Shift::Sar, Sz::Q, rm, 63)),
    (Mnemonic::Rol, None, 0, Some(2), |a, _, rm| a.shift_imm(Shift::Rol, Sz::D, rm, 2)),
    (Mnemonic::Ror, None, 0, Some(1), |a, _, rm| a.shift_imm(Shift::Ror, Sz::Q, rm, 1)),
    (Mnemonic::Not, None, 0, None, |a, _, rm| a.unary(2, Sz::Q, rm)),
    (Mnemonic::Neg, None, 0, None, |a, _, rm| a.unary(3, Sz::D, rm)),
    (Mnemonic::Mul, None, 0, None, |a, _, rm| a.unary(4, Sz::Q, rm)),
    (Mnemonic::Idiv, None, 0, None, |a, _, rm| a.unary(7, Sz::D, rm)),
    (Mnemonic::Imul, Some(0), 1, None, |a, r, rm| a.imul(Sz::Q, r, rm)),
    (Mnemonic::Imul, Some(0), 1, Some(127), |a, r, rm| a.imul_imm(Sz::D, r, rm, 127)),
    (Mnemonic::Imul, Some(0), 1, Some(-129), |a, r, rm| a.imul_imm(Sz::Q, r, rm, -129)),
    (Mnemonic::Movzx, Some(0), 1, None, |a, r, rm| a.movzx8(r, rm)),
    (Mnemonic::Mov, Some(1), 0, None, |a, r, rm| a.ins8(Pp::None, Map::One, 0x88, r, rm)),
    (Mnemonic::Mov, Some(1), 0, None, |a, r, rm| {
        a.ins(Pp::P66, Map::One, Sz::D, 0x89, r, rm);
    }),
    (Mnemonic::Cmovle, Some(0), 1, None, |a, r, rm| a.cmov(Cc::LE, Sz::Q, r, rm)),
    (Mnemonic::Popcnt, Some(0), 1, None, |a, r, rm| {
        a.ins(Pp::F3, Map::M0F, Sz::Q, 0xb8, r, rm);
    }),
    (Mnemonic::Addsd, Some(0), 1, None, |a, r, rm| {
        a.ins(Pp::F2, Map::M0F, Sz::D, 0x58, r, rm);
    }),
    (Mnemonic::Pshufb, Some(0), 1, None, |a, r, rm| {
        a.ins(Pp::P66, Map::M0F38, Sz::D, 0x00, r, rm);
    }),
    (Mnemonic::Roundsd, Some(0), 1, Some(9), |a, r, rm| {
        a.ins(Pp::P66, Map::M0F3A, Sz::D, 0x0b, r, rm);
        a.byte(9);
    }),
    (Mnemonic::Vaddsd, Some(0), 2, None, |a, r, rm| {
        a.vex(Pp::F2, Map::M0F, false, 0x58, r, 9, rm);
    }),
    (Mnemonic::Vfmadd213sd, Some(0), 2, None, |a, r, rm| {
        a.vex(Pp::P66, Map::M0F38, true, 0xa9, r, 9, rm);
    }),
    (Mnemonic::Vaddps, Some(0), 2, None, |a, r, rm| {
        a.vex256(Pp::None, Map::M0F, false, 0x58, r, 9, rm);
    }),
    (Mnemonic::Vblendvpd, Some(0), 2, None, |a, r, rm| {
        a.vex(Pp::P66, Map::M0F3A, false, 0x4b, r, 9, rm);
        a.byte(1 << 4);
    }),
    (Mnemonic::Shlx, Some(0), 1, None, |a, r, rm| {
        a.vex(Pp::P66, Map::M0F38, true, 0xf7, r, 9, rm);
    }),
];

/// The one instruction that `emit` makes.
fn made(mode: Mode, emit: impl FnOnce(&mut Asm<'_>)) -> Instruction {
    let mut buf = CodeBuf::default();
    buf.start(0, [0x1000, 0x10_0000], 0);
    emit(&mut Asm::new(Out::new(&mut buf), mode));
    let i = Decoder::with_ip(64, &buf.hot, 0x1000, DecoderOptions::NONE).decode();
    assert!(!i.is_invalid() && i.len() == buf.hot.len(), "{i:?} of {:02x?}", &buf.hot[..]);
    i
}

/// Registers, and memory by all bases, indices and lengths of displacements.
fn operands() -> Vec<Rm> {
    let mut all: Vec<Rm> = (0..16).map(Rm::R).collect();
    let indices = || (0..16).filter(|index| *index != 4).map(|index| (index, index & 3));
    for disp in [0, 127, 128, -128, -129, i32::MIN] {
        all.push(Rm::S(disp));
        let guest = |base, index| Rm::M(Guest { base, index, disp });
        all.push(guest(None, None));
        all.extend(indices().map(|index| guest(None, Some(index))));
        for base in 0..16 {
            all.extend([Rm::B(base, disp), guest(Some(base), None)]);
            all.extend(indices().map(|index| guest(Some(base), Some(index))));
            all.extend(indices().map(|(index, scale)| Rm::X(base, index, scale, disp)));
        }
    }
    all
}

fn number(r: Register) -> Option<u8> {
    (r != Register::None).then(|| r.full_register().number() as u8)
}

/// Whether operand `op` of an instruction is `rm`, in the shortest form there is.
fn is_operand(i: &Instruction, op: u32, rm: Rm, mode: Mode) -> bool {
    let (base, index, disp) = match rm {
        Rm::R(r) => {
            return i.op_kind(op) == OpKind::Register && number(i.op_register(op)) == Some(r);
        }
        Rm::S(disp) => (Some(RBP), None, disp),
        Rm::M(Guest { base, index, disp }) => (base, index, disp),
        Rm::B(base, disp) => (Some(base), None, disp),
        Rm::X(base, index, scale, disp) => (Some(base), Some((index, scale)), disp),
    };
    let guest = matches!(rm, Rm::M(_));
    let scale = i.memory_index_scale().trailing_zeros() as u8;
    let len = match (base, i8::try_from(disp)) {
        (Some(base), Ok(0)) if base & 7 != 5 => 0,
        (Some(_), Ok(_)) => 1,
        _ => 4,
    };
    let short = |r: Register| r == Register::None || r.is_gpr32();
    i.op_kind(op) == OpKind::Memory
        && number(i.memory_base()) == base
        && number(i.memory_index()).map(|r| (r, scale)) == index
        && i.memory_displacement64() as i32 == disp
        && i.memory_displ_size().min(4) == len
        && (i.segment_prefix() == Register::GS) == (guest && mode != Mode::Identity)
        && (!(guest && mode == Mode::Sandbox) || short(i.memory_base()) && short(i.memory_index()))
}

#[test]
fn every_form_takes_every_operand() {
    let operands = operands();
    for mode in [Mode::Identity, Mode::Guarded, Mode::Sandbox] {
        for &(mnemonic, reg, at, imm, emit) in FORMS {
            let wants_memory = mnemonic == Mnemonic::Lea;
            let fits = |rm: &&Rm| match rm {
                Rm::R(_) => mode == Mode::Identity && !wants_memory,
                Rm::M(_) => !wants_memory,
                _ => mode == Mode::Identity,
            };
            for rm in operands.iter().filter(fits) {
                for r in [0, 5, 6, 8, 12] {
                    let i = made(mode, |a| emit(a, r, *rm));
                    let right = i.mnemonic() == mnemonic
                        && is_operand(&i, at, *rm, mode)
                        && reg.is_none_or(|op| is_operand(&i, op, Rm::R(r), mode))
                        && imm.is_none_or(|k| i.immediate(i.op_count() - 1) as i32 == k)
                        && (i.op_count() < 3 || imm.is_some() || has_third(&i, at));
                    assert!(right, "{i} for {mnemonic:?} of {r} and {rm:?}");
                }
            }
        }
    }
}

/// Whether the operand that is neither the register nor at `at` is register 9.
fn has_third(i: &Instruction, at: u32) -> bool {
    is_operand(i, if at == 1 { 2 } else { 1 }, Rm::R(9), Mode::Identity)
}

#[test]
fn constants_take_as_few_bytes_as_they_can() {
    for r in 0..16 {
        let rex = usize::from(r >= 8);
        for (value, len) in [
            (1, 5 + rex),
            (u64::from(u32::MAX), 5 + rex),
            (u64::MAX, 7),
            (1 << 31 | u64::MAX << 32, 7),
            (1 << 32, 10),
            (i64::MAX as u64, 10),
        ] {
            let i = made(Mode::Identity, |a| a.mov_imm(r, value));
            assert_eq!((i.mnemonic(), i.len()), (Mnemonic::Mov, len), "{i}");
            assert_eq!((number(i.op0_register()), i.immediate(1)), (Some(r), value), "{i}");
        }
        let i = made(Mode::Identity, |a| a.mov_imm(r, 0));
        assert_eq!((i.mnemonic(), i.len()), (Mnemonic::Xor, 2 + rex), "{i}");
    }
}

#[test]
fn conditions_and_targets_are_as_named() {
    for (n, cc) in [
        (1, Cc::O),
        (3, Cc::B),
        (4, Cc::AE),
        (5, Cc::E),
        (6, Cc::NE),
        (7, Cc::BE),
        (8, Cc::A),
        (9, Cc::S),
        (10, Cc::NS),
        (11, Cc::P),
        (12, Cc::NP),
        (13, Cc::L),
        (14, Cc::GE),
        (15, Cc::LE),
        (16, Cc::G),
    ] {
        let jump = made(Mode::Identity, |a| a.jcc(cc, CodePtr(0x800)));
        assert_eq!(jump.near_branch_target(), 0x800, "{jump}");
        let set = made(Mode::Identity, |a| a.setcc(cc, 6));
        let moved = made(Mode::Identity, |a| a.cmov(cc, Sz::D, 1, Rm::R(9)));
        for i in [jump, set, moved] {
            assert_eq!(i.condition_code() as u32, n, "{i}");
        }
    }
    let jump = made(Mode::Identity, |a| a.jmp(CodePtr(0x2000)));
    assert_eq!((jump.mnemonic(), jump.near_branch_target()), (Mnemonic::Jmp, 0x2000));
    let test = made(Mode::Identity, |a| a.test(Sz::Q, 9, 12));
    assert_eq!(test.mnemonic(), Mnemonic::Test);
    let shift = made(Mode::Identity, |a| a.shift_cl(Shift::Sar, Sz::Q, 12));
    assert_eq!((shift.mnemonic(), number(shift.op0_register())), (Mnemonic::Sar, Some(12)));
}

/// All instructions that `emit` makes in the part at `base`, hot or cold, behind `before` bytes.
fn all(cold: bool, before: u32, emit: impl FnOnce(&mut Asm<'_>)) -> Vec<Instruction> {
    let mut buf = CodeBuf::default();
    let bases = [0x1000, 0x10_0000];
    buf.start(0, bases, 0);
    let mut a = Asm::new(Out::new(&mut buf), Mode::Identity);
    (0..before).for_each(|_| a.byte(0x90));
    emit(&mut a);
    let (code, base) = if cold { (&buf.cold, bases[1]) } else { (&buf.hot, bases[0]) };
    let all = Decoder::with_ip(64, code, base.into(), DecoderOptions::NONE);
    all.into_iter().skip(if cold { 0 } else { before as usize }).collect()
}

#[test]
fn links_in_the_cold_part_and_short_jumps() {
    for (reg, value, target) in [(0, 0, 0x40), (7, u32::MAX, 0xf_ffff), (1, 9, 0x20_0000)] {
        let made = all(true, 0, |a| a.mov_jmp_in_cold(reg, value, CodePtr(target)));
        let [mov, jmp] = made[..] else { panic!("{made:?}") };
        assert_eq!((mov.mnemonic(), jmp.mnemonic()), (Mnemonic::Mov, Mnemonic::Jmp));
        assert_eq!((number(mov.op0_register()), mov.immediate32()), (Some(reg), value));
        assert_eq!(jmp.near_branch_target(), u64::from(target));
    }
    for over in [0, 1, 127] {
        let made = all(false, 3, |a| {
            let label = a.jcc_short(Cc::B);
            (0..over).for_each(|_| a.byte(0x90));
            a.bind_short(label);
        });
        assert_eq!((made[0].mnemonic(), made[0].len()), (Mnemonic::Jb, 2));
        assert_eq!(made[0].near_branch_target(), 0x1000 + 3 + 2 + over);
    }
}

#[test]
fn four_bytes_to_be_patched_lie_in_one_line() {
    for (before, ahead) in (0..64).flat_map(|before| [(before, 1), (before, 2)]) {
        let made = all(false, before, |a| {
            a.pad_for_patch(ahead);
            if ahead == 1 {
                a.byte(0xe9)
            } else {
                a.bytes(&[0x0f, 0x84])
            }
            a.imm32(0);
        });
        let jump = made[made.len() - 1];
        let at = jump.next_ip() - 4;
        assert_eq!(at / 64, (at + 3) / 64, "{made:?}");
        let padded = (before + ahead) % 64 > 60;
        assert_eq!(made.len(), 1 + usize::from(padded), "{made:?}");
        assert!(made.len() == 1 || made[0].mnemonic() == Mnemonic::Nop, "{made:?}");
        // A comparison and the jump stay together.
        let made = all(false, before, |a| {
            a.alu(Alu::Cmp, Sz::Q, 9, Rm::R(1));
            a.pad_for_patch(2);
            a.bytes(&[0x0f, 0x84]);
            a.imm32(0);
        });
        let [compare, jump] = made[..] else { panic!("{made:?}") };
        assert_eq!((compare.mnemonic(), jump.mnemonic()), (Mnemonic::Cmp, Mnemonic::Je));
        assert!(is_operand(&compare, 0, Rm::R(9), Mode::Identity), "{compare}");
        assert!(is_operand(&compare, 1, Rm::R(1), Mode::Identity), "{compare}");
        let at = jump.next_ip() - 4;
        assert_eq!(at / 64, (at + 3) / 64, "{made:?}");
    }
}
