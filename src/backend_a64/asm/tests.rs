//! What is encoded here is what the disassembler takes it for.

use super::*;
use crate::backend::CodeBuf;
use yaxpeax_arch::{Decoder as _, U8Reader};
use yaxpeax_arm::armv8::a64::InstDecoder;

const CONDITIONS: [(Cc, &str); 12] = [
    (Cc::EQ, "eq"),
    (Cc::NE, "ne"),
    (Cc::HS, "hs"),
    (Cc::LO, "lo"),
    (Cc::MI, "mi"),
    (Cc::VS, "vs"),
    (Cc::HI, "hi"),
    (Cc::LS, "ls"),
    (Cc::GE, "ge"),
    (Cc::LT, "lt"),
    (Cc::GT, "gt"),
    (Cc::LE, "le"),
];

/// The one instruction that `emit` makes, at 0x1000.
fn made(emit: impl FnOnce(&mut Asm<'_>)) -> String {
    let mut buf = CodeBuf::default();
    buf.start(0, [0x1000, 0x10_0000], 0);
    emit(&mut Asm::new(Out::new(&mut buf)));
    assert_eq!(buf.hot.len(), 4);
    let insn = InstDecoder::default().decode(&mut U8Reader::new(&buf.hot));
    insn.expect("an instruction").to_string()
}

#[test]
fn conditions_are_as_named() {
    for (cc, name) in CONDITIONS {
        assert_eq!(made(|a| a.csel(cc, Sz::X, 3, 17, 31)), format!("csel x3, x17, xzr, {name}"));
        assert_eq!(made(|a| a.csel(cc, Sz::W, 30, 0, 9)), format!("csel w30, w0, w9, {name}"));
        assert_eq!(made(|a| a.fcsel(cc, 30, 0, 29)), format!("fcsel d30, d0, d29, {name}"));
        assert_eq!(made(|a| a.csinv(cc, Sz::X, 3, 17, 8)), format!("csinv x3, x17, x8, {name}"));
        assert_eq!(made(|a| a.cset(cc, 29)), format!("cset w29, {name}"));
    }
}

#[test]
fn branches_lead_where_they_should() {
    let tests = [
        (Test::Zero(Sz::X, 30, true), "cbz x30, "),
        (Test::Zero(Sz::W, 1, false), "cbnz w1, "),
        (Test::Bit(0, 17, true), "tbnz w17, #0x0, "),
        (Test::Bit(31, 17, false), "tbz w17, #0x1f, "),
        (Test::negative(Sz::X, 3, true), "tbnz x3, #0x3f, "),
    ];
    let conditions = CONDITIONS.map(|(cc, name)| (Test::Flags(cc), format!("b.{name} ")));
    let tests = tests.map(|(test, text)| (test, text.to_owned()));
    for (test, text) in tests.into_iter().chain(conditions) {
        for (target, distance) in [(0x800u32, "$-0x800"), (0x1100, "$+0x100")] {
            assert_eq!(made(|a| a.branch_to(test, CodePtr(target))), text.clone() + distance);
        }
        assert_eq!(test.inverse().inverse(), test);
    }
    assert_eq!(made(|a| a.b(CodePtr(0x800_0ffc))), "b $+0x7fffffc");
    assert_eq!(made(|a| a.call(CodePtr(0x400))), "bl $-0xc00");
}
