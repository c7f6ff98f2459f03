//! Tests of the decoder and the encoder.

use super::*;
use crate::isa::{Ext, Op, random};

/// A stream of random values (xorshift64*).
fn stream(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed | 1;
    move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

fn isa(text: &str) -> Isa {
    text.parse().unwrap()
}

fn op(word: u32) -> Option<Op> {
    decode(word, &Isa::MAX).map(|insn| insn.op)
}

fn overlaps(a: Pattern, b: Pattern) -> bool {
    a.mask & b.mask & (a.bits ^ b.bits) == 0
}

#[test]
fn only_named_rows_overlap() {
    // The first of each pair is the specific one.
    let known = [("fence.tso", "fence"), ("pause", "fence")];
    for (i, a) in TABLE.iter().enumerate() {
        for b in &TABLE[i + 1..] {
            let specific = [(a, b), (b, a)].iter().any(|(s, g)| {
                known.contains(&(s.mnemonic, g.mnemonic))
                    && s.pattern.mask & g.pattern.mask == g.pattern.mask
                    && s.pattern.mask != g.pattern.mask
            });
            assert!(!overlaps(a.pattern, b.pattern) || specific, "{} {}", a.mnemonic, b.mnemonic);
        }
    }
}

#[test]
fn only_named_compressed_rows_overlap() {
    let known = [
        ("c.addi16sp", "c.lui"),
        ("c.mop.n", "c.lui"),
        ("c.jr", "c.mv"),
        ("c.jalr", "c.add"),
        ("c.ebreak", "c.jalr"),
        ("c.ebreak", "c.add"),
    ];
    for (i, a) in COMPRESSED.iter().enumerate() {
        for b in &COMPRESSED[i + 1..] {
            let specific = [(a, b), (b, a)].iter().any(|(s, g)| {
                known.contains(&(s.mnemonic, g.mnemonic))
                    && s.pattern.mask & g.pattern.mask == g.pattern.mask
                    && s.pattern.mask != g.pattern.mask
            });
            assert!(!overlaps(a.pattern, b.pattern) || specific, "{} {}", a.mnemonic, b.mnemonic);
        }
    }
}

#[test]
fn every_row_is_32_bits_wide_by_its_low_bits() {
    for row in TABLE {
        assert_eq!(row.pattern.bits & 3, 3, "{}", row.mnemonic);
        assert_eq!(row.op.row().op, row.op);
    }
    for row in COMPRESSED {
        assert_ne!(row.pattern.bits & 3, 3, "{}", row.mnemonic);
        assert_eq!(row.pattern.mask & 3, 3, "{}", row.mnemonic);
    }
}

/// The index must find what a plain search of the table finds.
#[test]
fn index_agrees_with_a_search() {
    let mut next = stream(1);
    let isas = ["max", "rv64i", "rv64gc", "max,-zihintpause", "max,-zacas", "max,-d"].map(isa);
    for round in 0..400_000 {
        let random = next();
        // Half of the words are near a row, so that rare rows are met.
        let pattern = TABLE[(random >> 40) as usize % TABLE.len()].pattern;
        let near = round % 2 == 0;
        let word =
            if near { random as u32 & !pattern.mask | pattern.bits } else { random as u32 | 3 };
        for isa in &isas {
            let found = TABLE
                .iter()
                .filter(|r| r.pattern.matches(word) && isa.exts().contains_all(r.needs))
                .max_by_key(|r| r.pattern.mask.count_ones())
                .and_then(|r| Some(r.format.plan().operands(word)?.insn(r.op, 4, word)));
            assert_eq!(decode(word, isa), found, "{word:#010x} {isa}");
        }
    }
    for half in (0..0x1_0000).filter(|half| half & 3 != 3) {
        for isa in &isas {
            let found = COMPRESSED
                .iter()
                .filter(|r| r.pattern.matches(half) && isa.exts().contains_all(r.needs))
                .max_by_key(|r| r.pattern.mask.count_ones())
                .and_then(|r| Some(r.format.plan().operands(half)?.insn(r.op, 2, half)));
            assert_eq!(decode(half, isa), found, "{half:#06x} {isa}");
        }
    }
}

#[test]
fn every_row_round_trips() {
    let mut next = stream(2);
    for op in Op::all() {
        for _ in 0..500 {
            let insn = random::insn(op, &mut next);
            assert_eq!(insn.op, op);
            assert_eq!(insn.encoding(), op.mnemonic());
            let word = encode(&insn);
            let back = decode(word, &Isa::MAX).unwrap();
            assert_eq!(Insn { bits: insn.bits, ..back }, insn, "{}", op.mnemonic());
            // Only fields that the architecture ignores may differ.
            let ignored = match op.format() {
                Format::Fence | Format::FenceTso => 0x000f_8f80,
                Format::FenceI => 0xffff_8f80,
                _ => 0,
            };
            assert_eq!((word ^ insn.bits) & !ignored, 0, "{} {:#x}", op.mnemonic(), insn.bits);
        }
    }
}

/// All 16-bit encodings: each decodes to an instruction whose 32-bit encoding has the same
/// operands.
#[test]
fn every_compressed_encoding_expands() {
    let mut seen = std::collections::BTreeMap::new();
    for half in 0..0x1_0000_u32 {
        assert_eq!(decode(half | 0xabcd_0000, &Isa::MAX).is_some_and(|i| i.len == 2), {
            half & 3 != 3 && decode(half, &Isa::MAX).is_some()
        });
        let Some(insn) = decode(half, &Isa::MAX).filter(|_| half & 3 != 3) else { continue };
        assert_eq!((insn.len, insn.bits), (2, half));
        let wide = decode(encode(&insn), &Isa::MAX).unwrap();
        assert_eq!(Insn { len: 2, bits: half, ..wide }, insn, "{half:#06x}");
        *seen.entry(insn.encoding()).or_insert(0) += 1;
    }
    // The sizes of the encoding space, by the manual's rules on reserved operands.
    let expected = [
        ("c.addi", 2048),
        ("c.addi16sp", 63),
        ("c.addi4spn", 255 * 8),
        ("c.addiw", 31 * 64),
        ("c.addw", 64),
        ("c.and", 64),
        ("c.andi", 512),
        ("c.add", 32 * 31),
        ("c.beqz", 2048),
        ("c.bnez", 2048),
        ("c.ebreak", 1),
        ("c.fld", 2048),
        ("c.fldsp", 2048),
        ("c.fsd", 2048),
        ("c.fsdsp", 2048),
        ("c.j", 2048),
        ("c.jalr", 31),
        ("c.jr", 31),
        ("c.lbu", 256),
        ("c.ld", 2048),
        ("c.ldsp", 31 * 64),
        ("c.lh", 128),
        ("c.lhu", 128),
        ("c.li", 2048),
        ("c.lui", 31 * 63),
        ("c.lw", 2048),
        ("c.lwsp", 31 * 64),
        ("c.mop.n", 8),
        ("c.mul", 64),
        ("c.mv", 32 * 31),
        ("c.not", 8),
        ("c.or", 64),
        ("c.sb", 256),
        ("c.sd", 2048),
        ("c.sdsp", 2048),
        ("c.sext.b", 8),
        ("c.sext.h", 8),
        ("c.sh", 128),
        ("c.slli", 2048),
        ("c.srai", 512),
        ("c.srli", 512),
        ("c.sub", 64),
        ("c.subw", 64),
        ("c.sw", 2048),
        ("c.swsp", 2048),
        ("c.xor", 64),
        ("c.zext.b", 8),
        ("c.zext.h", 8),
        ("c.zext.w", 8),
    ];
    let expected = std::collections::BTreeMap::from(expected);
    assert_eq!(seen, expected);
}

#[test]
fn reserved_encodings_are_illegal() {
    let halves = [
        ("all zero", 0x0000),
        ("c.addi4spn a0,sp,0", 0x0008),
        ("c.addiw zero,1", 0x2005),
        ("c.addi16sp sp,0", 0x6101),
        ("c.lui a0,0", 0x6501),
        ("c.lui a0,0 with an even mop number", 0x6401),
        ("c.mop.17 does not exist", 0x6881),
        ("c.lwsp zero", 0x4002),
        ("c.ldsp zero", 0x6002),
        ("c.jr zero", 0x8002),
        ("quadrant 0, 100 with bit 12", 0x9000),
        ("c.sh with bit 6", 0x8c40),
        ("100 1 11 11 110", 0x9c79),
        ("100 1 11 11 111", 0x9c7d),
    ];
    for (what, half) in halves {
        assert_eq!(decode(half, &Isa::MAX), None, "{what}");
    }
    let words = [
        ("all ones", 0xffff_ffff),
        ("slli with bit 26", 0x0400_1013 | 1 << 7),
        ("slliw with shamt 32", 0x0200_101b),
        ("srai with bit 31", 0xc000_5013),
        ("branch funct3 2", 0x0000_2063),
        ("load funct3 7", 0x0000_7003),
        ("store funct3 4", 0x0000_4023),
        ("lr.w with rs2", 0x1010_202f),
        ("amocas.q odd rd", 0x2800_40af),
        ("amocas.q odd rs2", 0x2810_402f),
        ("fadd.s rm 5", 0x0000_5053),
        ("fadd.s rm 6", 0x0000_6053),
        ("fcvt.d.s rm 5", 0x4200_5053),
        ("fmadd.d rm 6", 0x0200_6043),
        ("fmadd.q", 0x0600_0043),
        ("fcvtmod.w.d rm 0", 0xc280_0053),
        ("fsqrt.s with rs2", 0x5810_0053),
        ("ecall with rd", 0x0000_00f3),
        ("cbo with rd", 0x0000_208f | 1 << 7),
        ("cbo.5", 0x0050_200f),
        ("mret", 0x3020_0073),
        ("48-bit", 0x0000_001f),
    ];
    for (what, word) in words {
        assert_eq!(decode(word, &Isa::MAX), None, "{what}");
    }
}

#[test]
fn rounding_modes() {
    for rm in 0..8 {
        // fdiv.d fa0,fa1,fa2; fcvt.w.s; fmadd.s
        for base in [0x1ac5_8553, 0xc005_0553, 0x00b5_0543] {
            let legal = rm != 5 && rm != 6;
            assert_eq!(decode(base & !0x7000 | rm << 12, &Isa::MAX).is_some(), legal);
        }
    }
    let modular = decode(0xc285_9553, &Isa::MAX).unwrap();
    assert_eq!((modular.op, modular.rm), (Op::FcvtmodWD, 1));
}

#[test]
fn extensions_gate_their_rows() {
    for row in TABLE {
        for ext in row.needs.iter().filter(|ext| *ext != Ext::I) {
            let mut isa = Isa::MAX;
            isa.disable(ext);
            let insn = random::insn(row.op, stream(u64::from(row.pattern.bits)));
            let found = decode(insn.bits, &isa).map(|insn| insn.op);
            // Without its extension `pause` is what it always was.
            let expected = (row.op == Op::Pause).then_some(Op::Fence);
            assert_eq!(found, expected, "{}", row.mnemonic);
        }
    }
    for row in COMPRESSED {
        for ext in row.needs.iter() {
            let mut isa = Isa::MAX;
            isa.disable(ext);
            let taken = (0..0x1_0000)
                .filter(|half| row.pattern.matches(*half))
                .filter(|half| {
                    decode(*half, &Isa::MAX).is_some_and(|i| i.encoding() == row.mnemonic)
                })
                .any(|half| decode(half, &isa).is_some());
            assert!(!taken, "{} without {}", row.mnemonic, ext.name());
        }
    }
    assert!(random::compressed(&isa("max,-c"), stream(3)).is_none());
}

#[test]
fn fields() {
    let insn = |word| decode(word, &Isa::MAX).unwrap();
    let lui = insn(0xffff_f537);
    assert_eq!((lui.op, lui.rd, lui.imm), (Op::Lui, 10, -4096));
    let csr = insn(0xc010_2573);
    assert_eq!((csr.op, csr.imm, csr.rs1), (Op::Csrrs, 0xc01, 0));
    let csri = insn(0x0020_d073);
    assert_eq!((csri.op, csri.imm, csri.rs1), (Op::Csrrwi, 2, 1));
    let amo = insn(0x06b5_262f);
    assert_eq!((amo.op, amo.rd, amo.rs1, amo.rs2), (Op::AmoaddW, 12, 10, 11));
    assert!(amo.aq() && amo.rl());
    let fma = insn(0x6ac5_f543);
    assert_eq!(
        (fma.op, fma.rd, fma.rs1, fma.rs2, fma.rs3, fma.rm),
        (Op::FmaddD, 10, 11, 12, 13, 7)
    );
    let fli = insn(0xf01f_8553);
    assert_eq!((fli.op, fli.rs1, fli.rs2), (Op::FliS, 31, 0));
    let branch = insn(0xfe00_0ee3);
    assert_eq!((branch.op, branch.imm), (Op::Beq, -4));
    assert_eq!(insn(0x8330_000f).op, Op::FenceTso);
    assert_eq!(insn(0x0100_000f).op, Op::Pause);
    assert_eq!(op(0x0100_008f), Some(Op::Fence), "pause with rd is a fence");
    assert_eq!(insn(0x0ff0_000f).imm, 0x0ff);
    // HINTs stay what they are an encoding of.
    assert_eq!(op(0x0020_0033), Some(Op::Add));
    assert_eq!(op(0x0015_6013), Some(Op::Ori));
}

#[test]
fn insn_is_small() {
    assert_eq!(size_of::<Insn>(), 16);
    assert_eq!(size_of::<Option<Insn>>(), 16);
}
