//! What operations of the IR mean, by `ir::eval`, against the interpreter: every instruction that
//! becomes operations the evaluator knows, on registers with special values.
//!
//! Accesses to memory are left to the evaluator's own tests and to the engines.

use super::Rng;
use crate::cpu::Hart;
use crate::interp;
use crate::ir::{self, Flow, Op, Registers};
use crate::isa::{self, Isa, encode};
use crate::lift::{Code, Lifter, Limits};
use crate::mem::{Memory, Mode};
use std::collections::BTreeSet;

const START: u64 = 0x10000;

/// Values at which integer or floating-point operations change their ways.
const SPECIAL: [u64; 24] = [
    0,
    1,
    2,
    31,
    32,
    63,
    64,
    0x7f,
    0x80,
    0x8000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX,
    u64::MAX - 1,
    0xffff_ffff_8000_0000,
    0x7ff8_0000_0000_0000,
    0xffff_ffff_7fc0_0000,
    // 1 and its neighbours, single and double.
    0xffff_ffff_3f80_0000,
    0xffff_ffff_3f80_0001,
    0x3ff0_0000_0000_0000,
    0x3fef_ffff_ffff_ffff,
];

/// No memory: what accesses it is not evaluated.
struct Nothing;

impl ir::Memory for Nothing {
    fn load(&mut self, addr: u64, _bytes: u32) -> u64 {
        unreachable!("a load from {addr:#x}")
    }

    fn store(&mut self, addr: u64, _bytes: u32, _value: u64) {
        unreachable!("a store to {addr:#x}")
    }
}

/// The registers behind `nodes`, and the pc; `None` if the evaluator does not know.
fn evaluate(block: &ir::Block, mut registers: Registers) -> Option<(Registers, u64)> {
    for node in &block.nodes {
        if let Op::Load { .. } | Op::Store { .. } | Op::FLoad { .. } | Op::FStore { .. } = node.op {
            return None;
        }
        match ir::eval(&node.op, &mut registers, &mut Nothing) {
            Flow::Next => {}
            Flow::Goto(pc) | Flow::Call(pc) => return Some((registers, pc)),
            Flow::Leave(_) | Flow::Unknown => return None,
        }
    }
    Some((registers, block.next))
}

#[test]
fn the_evaluator_gives_what_the_interpreter_does() {
    let memory = Memory::new(Mode::Guarded, 1 << 20).expect("a memory");
    let mut rng = Rng::new(14, 0);
    let mut lifter = Lifter::new();
    let one =
        Limits { max_insns: 1, max_exits: 1, max_jumps: 0, each_branch: false, vectors: None };
    let mut compared = BTreeSet::new();
    for op in isa::Op::all() {
        for _ in 0..400 {
            let insn = isa::random::insn(op, || rng.next_u64());
            let code = encode(&insn).to_le_bytes();
            let mut code = Code { start: START, bytes: &code };
            let block = lifter.lift(&mut code, &Isa::MAX, START, &one);
            let mut hart = Hart::new();
            hart.pc = START;
            for r in 0..32 {
                let value = |rng: &mut Rng| {
                    if rng.chance(60) { rng.pick(&SPECIAL) } else { rng.next_u64() }
                };
                (hart.x[r], hart.f[r]) = (value(&mut rng), value(&mut rng));
            }
            hart.x[0] = 0;
            (hart.frm, hart.fflags) = (rng.below(5) as u8, rng.below(32) as u8);
            let before = Registers {
                x: hart.x,
                f: hart.f,
                fflags: hart.fflags,
                frm: hart.frm,
                ..Registers::default()
            };
            let Some((after, pc)) = evaluate(block, before) else { continue };
            interp::execute(&mut hart, &memory, &insn).expect("it completes");
            compared.insert(op.mnemonic());
            let text = isa::disasm(&insn, START);
            assert_eq!(after.x, hart.x, "{text} from {:x?}: {block:?}", before.x);
            assert_eq!(after.f, hart.f, "{text} from {:x?}: {block:?}", before.f);
            assert_eq!(after.fflags, hart.fflags, "{text} from {:x?}: {block:?}", before.f);
            assert_eq!(pc, hart.pc, "{text} from {:x?}: {block:?}", before.x);
        }
    }
    for mnemonic in [
        "add",
        "sraiw",
        "rem",
        "clmulr",
        "orc.b",
        "czero.eqz",
        "bgeu",
        "jalr",
        "fmadd.d",
        "fcvt.s.d",
    ] {
        assert!(compared.contains(mnemonic), "{mnemonic} is not evaluated");
    }
    assert!(compared.len() >= 170, "only {} instructions are evaluated", compared.len());
}
