//! Guest instructions in, IR text out.

use super::*;
use crate::ir::verify;
use crate::isa::{Format, Insn, Op, encode};

/// Where the code of most tests is.
const START: u64 = 0x1000;

/// The encoding of `op` with these operands; each row takes those that it has.
fn word(op: Op, rd: u8, rs1: u8, rs2: u8, imm: i32) -> u32 {
    encode(&Insn { op, rd, rs1, rs2, rs3: 4, rm: 7, len: 4, imm, bits: 0 })
}

/// Three registers.
fn r(op: Op, rd: u8, rs1: u8, rs2: u8) -> u32 {
    word(op, rd, rs1, rs2, 0)
}

/// Two registers, or one and a CSR, and a constant.
fn i(op: Op, rd: u8, rs1: u8, imm: i32) -> u32 {
    word(op, rd, rs1, 0, imm)
}

/// Store or branch.
fn s(op: Op, rs1: u8, rs2: u8, imm: i32) -> u32 {
    word(op, 0, rs1, rs2, imm)
}

/// `lui`, `auipc` or `jal`.
fn u(op: Op, rd: u8, imm: i32) -> u32 {
    word(op, rd, 0, 0, imm)
}

fn ret() -> u32 {
    i(Op::Jalr, 0, 1, 0)
}

/// 16-bit encodings, which the encoder does not make.
const C_NOP: u16 = 0x0001;
/// `c.jr ra`
const C_RET: u16 = 0x8082;
/// `c.li a0, 0`
const C_LI_A0_0: u16 = 0x4501;

/// Bytes of code.
#[derive(Default)]
struct Asm(Vec<u8>);

impl Asm {
    fn words(words: &[u32]) -> Self {
        Self::default().w(words)
    }
    fn w(mut self, words: &[u32]) -> Self {
        self.0.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        self
    }
    fn h(mut self, halves: &[u16]) -> Self {
        self.0.extend(halves.iter().flat_map(|half| half.to_le_bytes()));
        self
    }
    fn lift(&self) -> Block {
        self.lift_at(START)
    }
    fn lift_at(&self, pc: u64) -> Block {
        lift(&mut Code { start: START, bytes: &self.0 }, pc, &Limits::default())
    }
}

fn lift(source: &mut dyn CodeSource, pc: u64, limits: &Limits) -> Block {
    let block = Lifter::new().lift(source, &Isa::MAX, pc, limits).clone();
    assert_eq!(verify(&block), Ok(()), "{block}");
    block
}

/// The operations that `words` become, one line each, without those of the `ret` put after them.
fn ops(words: &[u32]) -> Vec<String> {
    let block = Asm::words(words).w(&[ret()]).lift();
    assert_eq!(block.insns as usize, words.len() + 1, "{block}");
    let (last, nodes) = block.nodes.split_last().expect("no return");
    assert!(last.op.to_string().starts_with("return"), "{block}");
    nodes.iter().map(|node| node.op.to_string()).collect()
}

#[track_caller]
fn check(block: &Block, text: &str) {
    let lines = |text: &str| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
    assert_eq!(lines(&block.to_string()), lines(text.trim()));
}

mod fusion {
    use super::*;

    #[test]
    fn moves_and_constants() {
        assert_eq!(ops(&[r(Op::Add, 5, 0, 6)]), ["add.d x5, x6, 0"]);
        assert_eq!(ops(&[r(Op::Add, 5, 6, 0)]), ["add.d x5, x6, 0"]);
        assert_eq!(ops(&[i(Op::Addi, 5, 6, 0)]), ["add.d x5, x6, 0"]);
        assert_eq!(ops(&[r(Op::Addw, 5, 0, 6)]), ["add.w x5, x6, 0"]);
        assert_eq!(ops(&[i(Op::Addiw, 5, 5, 0)]), ["add.w x5, x5, 0"]);
        assert_eq!(ops(&[i(Op::Addi, 5, 0, -3)]), ["const x5, 0xfffffffffffffffd"]);
        assert_eq!(ops(&[r(Op::AddUw, 5, 6, 0)]), ["zextw.d x5, x6"]);
    }

    #[test]
    fn without_effect() {
        assert_eq!(ops(&[i(Op::Addi, 0, 0, 0), i(Op::Addi, 0, 3, 7)]), [""; 0]);
        assert_eq!(ops(&[i(Op::Addi, 3, 3, 0), r(Op::Mul, 0, 1, 2)]), [""; 0]);
        assert_eq!(ops(&[u(Op::Lui, 0, 0x1000), r(Op::Sh1add, 0, 1, 2)]), [""; 0]);
        assert_eq!(ops(&[r(Op::FclassD, 0, 1, 0), r(Op::FmvXD, 0, 1, 0)]), [""; 0]);
    }

    #[test]
    fn effects_stay_though_the_result_is_dropped() {
        assert_eq!(ops(&[i(Op::Lw, 0, 3, 4)]), ["load.w x0, [x3 + 4]"]);
        assert_eq!(ops(&[r(Op::AmoaddD, 0, 3, 4)]), ["amo.add.d x0, [x3], x4"]);
        assert_eq!(ops(&[r(Op::FeqD, 0, 3, 4)]), ["feq.d x0, f3, f4"]);
        assert_eq!(ops(&[i(Op::Csrrw, 0, 3, 1)]), ["swapflags x0, x3"]);
        assert_eq!(ops(&[i(Op::Csrrw, 0, 3, 3)]), ["helper reads {x3} writes {}"]);
    }

    #[test]
    fn a_comparison_between_saving_and_restoring_flags_keeps_them() {
        let saved = |compare, restored| {
            ops(&[i(Op::Csrrs, 5, 0, 1), r(compare, 10, 3, 4), i(Op::Csrrw, 0, restored, 1)])
        };
        assert_eq!(saved(Op::FltD, 5), ["readflags x5", "fltkeep.d x10, f3, f4"]);
        assert_eq!(saved(Op::FleD, 5), ["readflags x5", "flekeep.d x10, f3, f4"]);
        assert_eq!(saved(Op::FltS, 5), ["readflags x5", "fltkeep.s x10, f3, f4"]);
        let not_fused = ["readflags x5", "flt.d x10, f3, f4", "swapflags x0, x6"];
        assert_eq!(saved(Op::FltD, 6), not_fused);
    }

    #[test]
    fn constants_in_place() {
        let li = [u(Op::Lui, 5, 0x12345 << 12), i(Op::Addiw, 5, 5, 0x678), i(Op::Slli, 5, 5, 4)];
        assert_eq!(ops(&li), ["const x5, 0x123456780"]);
        let top = [u(Op::Lui, 5, i32::MIN), i(Op::Addiw, 5, 5, -1)];
        assert_eq!(ops(&top), ["const x5, 0x7fffffff"]);
        // The first constant stays where another register gets the second.
        let two = [u(Op::Lui, 5, 0x1000), i(Op::Addi, 6, 5, 1)];
        assert_eq!(ops(&two), ["const x5, 0x1000", "const x6, 0x1001"]);
        let pc = [u(Op::Auipc, 5, 0x1000), i(Op::Addi, 5, 5, 8)];
        assert_eq!(ops(&pc), ["const x5, 0x2008"]);
    }

    #[test]
    fn extensions_in_place() {
        let pair = |left, right, n, m| ops(&[i(left, 5, 6, n), i(right, 5, 5, m)]);
        assert_eq!(pair(Op::Slli, Op::Srli, 32, 32), ["zextw.d x5, x6"]);
        assert_eq!(pair(Op::Slli, Op::Srli, 32, 29), ["slluw.d x5, x6, 3"]);
        assert_eq!(pair(Op::Slli, Op::Srli, 48, 48), ["zexth.d x5, x6"]);
        assert_eq!(pair(Op::Slli, Op::Srli, 56, 56), ["and.d x5, x6, 255"]);
        assert_eq!(pair(Op::Slli, Op::Srai, 32, 32), ["add.w x5, x6, 0"]);
        assert_eq!(pair(Op::Slli, Op::Srai, 48, 48), ["sexth.d x5, x6"]);
        assert_eq!(pair(Op::Slliw, Op::Sraiw, 24, 24), ["sextb.d x5, x6"]);
        assert_eq!(pair(Op::Slliw, Op::Srliw, 16, 16), ["zexth.d x5, x6"]);
        assert_eq!(pair(Op::Slli, Op::Srli, 32, 33).len(), 2);
        assert_eq!(pair(Op::Slli, Op::Srliw, 16, 16).len(), 2);
        // The shifted value is seen afterwards.
        let kept = [i(Op::Slli, 5, 6, 32), i(Op::Srli, 7, 5, 32)];
        assert_eq!(ops(&kept), ["sll.d x5, x6, 32", "srl.d x7, x5, 32"]);
    }

    #[test]
    fn a_loaded_value_is_no_constant() {
        let words = [u(Op::Lui, 5, 0x1000), i(Op::Lw, 5, 5, 0), i(Op::Addi, 5, 5, 1)];
        assert_eq!(ops(&words), ["const x5, 0x1000", "load.w x5, [x5 + 0]", "add.d x5, x5, 1"]);
    }

    #[test]
    fn far_calls_and_jumps() {
        // Nobody sees the upper part of a call's target: the link register holds it.
        let call = Asm::words(&[u(Op::Auipc, 1, 0x2000), i(Op::Jalr, 1, 1, 16), ret()]).lift();
        check(
            &call,
            "block 0x1000 insns 3
            range 0x1000 12
            0x1000 call 0x3010, x1 = 0x1008
            0x1008 return [x1 + 0], x0 = 0x100c",
        );
        // A tail call through t1 leaves it there.
        let tail = Asm::words(&[u(Op::Auipc, 6, 0x2000), i(Op::Jalr, 0, 6, 17)]).lift();
        check(
            &tail,
            "block 0x1000 insns 2
            range 0x1000 8
            0x1000 const x6, 0x3000
            0x1004 jump 0x3010",
        );
    }
}

mod jumps {
    use super::*;

    #[test]
    fn hints() {
        let last = |rd, rs1| {
            let block = Asm::words(&[i(Op::Jalr, rd, rs1, -2)]).lift();
            block.nodes[0].op.to_string()
        };
        assert_eq!(last(0, 1), "return [x1 + -2], x0 = 0x1004");
        assert_eq!(last(0, 5), "return [x5 + -2], x0 = 0x1004");
        assert_eq!(last(0, 6), "jump [x6 + -2], x0 = 0x1004");
        assert_eq!(last(6, 7), "jump [x7 + -2], x6 = 0x1004");
        assert_eq!(last(7, 1), "return [x1 + -2], x7 = 0x1004");
        assert_eq!(last(1, 1), "call [x1 + -2], x1 = 0x1004");
        assert_eq!(last(1, 10), "call [x10 + -2], x1 = 0x1004");
        assert_eq!(last(5, 1), "call [x1 + -2], x5 = 0x1004");
        // x0 as the base is a constant address.
        assert_eq!(last(1, 0), "call 0xfffffffffffffffe, x1 = 0x1004");
    }

    #[test]
    fn a_call_goes_on_after_it() {
        let block = Asm::words(&[u(Op::Jal, 1, 0x100), i(Op::Addi, 10, 10, 1), ret()]).lift();
        check(
            &block,
            "block 0x1000 insns 3
            range 0x1000 12
            0x1000 call 0x1100, x1 = 0x1004
            0x1004 add.d x10, x10, 1
            0x1008 return [x1 + 0], x0 = 0x100c",
        );
    }

    #[test]
    fn a_call_of_what_follows_reads_the_pc() {
        let block = Asm::words(&[u(Op::Jal, 1, 4), ret()]).lift();
        check(
            &block,
            "block 0x1000 insns 2
            range 0x1000 8
            0x1000 const x1, 0x1004
            0x1004 jump 0x1004",
        );
    }

    #[test]
    fn a_link_that_is_no_call() {
        let block = Asm::words(&[u(Op::Jal, 7, 8), C_NOP.into(), ret()]).lift();
        check(
            &block,
            "block 0x1000 insns 2
            range 0x1000 4
            range 0x1008 4
            0x1000 const x7, 0x1004
            0x1008 return [x1 + 0], x0 = 0x100c",
        );
    }

    #[test]
    fn forward_jumps_are_followed() {
        let add = |n| i(Op::Addi, 10, 10, n);
        let block = Asm::words(&[add(1), u(Op::Jal, 0, 8), add(2), add(3), ret()]).lift();
        check(
            &block,
            "block 0x1000 insns 4
            range 0x1000 8
            range 0x100c 8
            0x1000 add.d x10, x10, 1
            0x100c add.d x10, x10, 3
            0x1010 return [x1 + 0], x0 = 0x1014",
        );
    }

    #[test]
    fn jumps_out_of_the_code_are_not_followed() {
        let block = Asm::words(&[u(Op::Jal, 0, 0x1000)]).lift();
        check(&block, "block 0x1000 insns 1\nrange 0x1000 4\n0x1000 jump 0x2000");
    }

    #[test]
    fn jumps_to_an_illegal_instruction_are_not_followed() {
        let block = Asm::words(&[u(Op::Jal, 0, 8), ret(), 0]).lift();
        check(&block, "block 0x1000 insns 1\nrange 0x1000 4\n0x1000 jump 0x1008");
    }

    #[test]
    fn so_many_jumps_and_no_more() {
        let block = Asm::words(&[u(Op::Jal, 0, 4); 10]).lift();
        assert_eq!(block.insns, Limits::default().max_jumps + 1);
        check(&block, "block 0x1000 insns 5\nrange 0x1000 20\n0x1010 jump 0x1014");
    }

    #[test]
    fn a_jump_to_itself() {
        let block = Asm::words(&[u(Op::Jal, 0, 0)]).lift();
        check(&block, "block 0x1000 insns 1\nrange 0x1000 4\n0x1000 jump 0x1000");
    }
}

mod ends {
    use super::*;

    #[test]
    fn before_a_loop_head() {
        let code = Asm::words(&[
            i(Op::Addi, 10, 0, 5),
            i(Op::Addi, 10, 10, -1),
            s(Op::Bne, 10, 0, -4),
            ret(),
        ]);
        check(
            &code.lift(),
            "block 0x1000 insns 1
            range 0x1000 4
            0x1000 const x10, 0x5
            next 0x1004",
        );
        check(
            &code.lift_at(0x1004),
            "block 0x1004 insns 3
            range 0x1004 12
            0x1004 add.d x10, x10, -1
            0x1008 branch.ne x10, x0, 0x1004
            0x100c return [x1 + 0], x0 = 0x1010",
        );
    }

    #[test]
    fn before_the_head_of_a_loop_that_jumps_back() {
        let add = i(Op::Addi, 10, 10, 1);
        let code = Asm::words(&[add, add, s(Op::Beq, 10, 11, 8), u(Op::Jal, 0, -8), ret()]);
        assert_eq!((code.lift().insns, code.lift().next), (1, 0x1004));
        check(
            &code.lift_at(0x1004),
            "block 0x1004 insns 3
            range 0x1004 12
            0x1004 add.d x10, x10, 1
            0x1008 branch.eq x10, x11, 0x1010
            0x100c jump 0x1004",
        );
    }

    #[test]
    fn before_a_loop_head_that_is_jumped_to() {
        let add = i(Op::Addi, 10, 10, 1);
        let code = Asm::words(&[u(Op::Jal, 0, 8), add, add, s(Op::Bne, 10, 11, -4), ret()]);
        check(&code.lift(), "block 0x1000 insns 1\nrange 0x1000 4\n0x1000 jump 0x1008");
    }

    #[test]
    fn before_a_loop_head_that_is_returned_to() {
        let code = Asm::words(&[u(Op::Jal, 1, 0x40), i(Op::Addi, 8, 8, -1), s(Op::Bne, 8, 0, -4)]);
        check(
            &code.lift(),
            "block 0x1000 insns 1
            range 0x1000 4
            0x1000 call 0x1040, x1 = 0x1004
            next 0x1004",
        );
    }

    #[test]
    fn with_what_stops_the_hart() {
        for (op, name) in [(Op::Ecall, "ecall"), (Op::Ebreak, "ebreak"), (Op::FenceI, "fence.i")] {
            let block = Asm::words(&[i(Op::Addi, 17, 0, 93), i(op, 0, 0, 0), ret()]).lift();
            let text = "block 0x1000 insns 2\nrange 0x1000 8\n0x1000 const x17, 0x5d\n0x1004 exit ";
            check(&block, &format!("{text}{name}"));
        }
    }

    #[test]
    fn before_what_is_not_legal() {
        let code = Asm::default().h(&[C_LI_A0_0, 0, C_NOP]);
        check(
            &code.lift(),
            "block 0x1000 insns 1\nrange 0x1000 2\n0x1000 const x10, 0x0\nnext 0x1002",
        );
        check(&code.lift_at(0x1002), "block 0x1002 insns 1\nrange 0x1002 2\n0x1002 exit fetch");
        let wide = Asm::words(&[u32::MAX]).lift();
        check(&wide, "block 0x1000 insns 1\nrange 0x1000 4\n0x1000 exit fetch");
    }

    #[test]
    fn before_what_cannot_be_fetched() {
        let code = Asm::default().h(&[C_NOP, C_LI_A0_0]);
        check(
            &code.lift(),
            "block 0x1000 insns 2\nrange 0x1000 4\n0x1002 const x10, 0x0\nnext 0x1004",
        );
        for pc in [0x1004, 0, u64::MAX - 1] {
            let block = code.lift_at(pc);
            check(&block, &format!("block {pc:#x} insns 1\n{pc:#x} exit fetch"));
        }
    }

    #[test]
    fn before_an_instruction_whose_second_half_cannot_be_fetched() {
        let code = Asm::default().h(&[C_LI_A0_0, ret() as u16]);
        check(
            &code.lift(),
            "block 0x1000 insns 1\nrange 0x1000 2\n0x1000 const x10, 0x0\nnext 0x1002",
        );
        check(&code.lift_at(0x1002), "block 0x1002 insns 1\n0x1002 exit fetch");
    }

    #[test]
    fn at_the_limits() {
        let code = Asm::words(&[i(Op::Addi, 10, 10, 1); 2000]);
        let mut source = Code { start: START, bytes: &code.0 };
        for (max_insns, insns) in [(0, 1), (1, 1), (7, 7), (u32::MAX, 1024)] {
            let block = lift(&mut source, START, &Limits { max_insns, ..Limits::default() });
            assert_eq!((block.insns, block.next), (insns, START + u64::from(insns) * 4));
        }
        let code = Asm::words(&[s(Op::Beq, 1, 2, 8); 100]);
        let mut source = Code { start: START, bytes: &code.0 };
        for (max_exits, insns) in [(0, 1), (3, 3)] {
            let block = lift(&mut source, START, &Limits { max_exits, ..Limits::default() });
            assert_eq!(block.insns, insns);
        }
    }
}

mod fetching {
    use super::*;

    /// Code that can be read in pieces of `size` bytes.
    struct Pieces<'a> {
        code: Code<'a>,
        size: usize,
    }

    impl CodeSource for Pieces<'_> {
        fn bytes(&mut self, addr: u64) -> Option<&[u8]> {
            let bytes = self.code.bytes(addr)?;
            let left = self.size - (addr - START) as usize % self.size;
            Some(&bytes[..left.min(bytes.len())])
        }
    }

    /// 2, 4, 4, 2, 4, 2 bytes.
    fn mixed() -> Asm {
        Asm::default()
            .h(&[C_LI_A0_0])
            .w(&[i(Op::Addi, 11, 11, 1), i(Op::Lw, 12, 11, 4)])
            .h(&[C_NOP])
            .w(&[s(Op::Sw, 11, 12, 4)])
            .h(&[C_RET])
    }

    #[test]
    fn pieces_make_no_difference() {
        let code = mixed();
        let whole = code.lift();
        check(
            &whole,
            "block 0x1000 insns 6
            range 0x1000 18
            0x1000 const x10, 0x0
            0x1002 add.d x11, x11, 1
            0x1006 load.w x12, [x11 + 4]
            0x100c store.w x12, [x11 + 4]
            0x1010 return [x1 + 0], x0 = 0x1012",
        );
        for size in [2, 4, 6, 8, 16] {
            let code = Code { start: START, bytes: &code.0 };
            assert_eq!(
                lift(&mut Pieces { code, size }, START, &Limits::default()),
                whole,
                "{size}"
            );
        }
    }

    #[test]
    fn an_odd_byte_at_the_end_is_no_instruction() {
        let mut code = Asm::default().h(&[C_LI_A0_0]);
        code.0.push(0x01);
        assert_eq!(code.lift().next, 0x1002);
    }

    #[test]
    fn instructions_may_overlap() {
        // The upper half of this `lui x15` is `c.jr ra`: whoever jumps there sees another program.
        let code = Asm::words(&[u(Op::Lui, 15, u32::from(C_RET).cast_signed() << 16), ret()]);
        assert_eq!(code.lift().nodes[0].op.to_string(), "const x15, 0xffffffff80820000");
        check(
            &code.lift_at(0x1002),
            "block 0x1002 insns 1
            range 0x1002 2
            0x1002 return [x1 + 0], x0 = 0x1004",
        );
    }

    #[test]
    fn a_branch_into_the_middle_of_an_instruction() {
        let code = Asm::words(&[s(Op::Beq, 0, 0, 6), u(Op::Lui, 15, 0x4501_0000), ret()]);
        let block = code.lift();
        assert_eq!(block.nodes[0].op.to_string(), "branch.eq x0, x0, 0x1006");
        assert_eq!(block.nodes[1].op.to_string(), "const x15, 0x45010000");
        let middle = code.lift_at(0x1006);
        assert_eq!(middle.nodes[0].op.to_string(), "const x10, 0x0");
        assert_eq!(middle.nodes[1].op.to_string(), "return [x1 + 0], x0 = 0x100c");
    }

    #[test]
    fn a_loop_head_in_the_middle_of_an_instruction() {
        // Decoding in step passes over the head, which is then no place to end at.
        let code = Asm::words(&[u(Op::Lui, 15, 0x4501_0000), s(Op::Bne, 10, 11, -2), ret()]);
        assert_eq!(code.lift().insns, 3);
    }

    #[test]
    fn targets_are_aligned_where_all_instructions_are() {
        let isa: Isa = "rv64g".parse().expect("an isa string");
        // The branch goes to the middle of the first `ret`; the second is not aligned.
        let code = Asm::words(&[i(Op::Addi, 10, 10, 1), s(Op::Beq, 10, 11, 6), ret()]);
        let code = code.h(&[C_NOP]).w(&[ret()]);
        let at = |pc| {
            let mut source = Code { start: START, bytes: &code.0 };
            Lifter::new().lift(&mut source, &isa, pc, &Limits::default()).to_string()
        };
        let before =
            "block 0x1000 insns 1\nrange 0x1000 4\n0x1000 add.d x10, x10, 1\nnext 0x1004\n";
        assert_eq!(at(0x1000), before);
        for pc in [0x1004, 0x100e] {
            let exit = format!("block {pc:#x} insns 1\nrange {pc:#x} 4\n{pc:#x} exit fetch\n");
            assert_eq!(at(pc), exit);
        }
    }

    #[test]
    fn compressed_returns_link_past_two_bytes() {
        // c.jalr a0
        let block = Asm::default().h(&[0x9502, C_RET]).lift();
        assert_eq!(block.nodes[0].op.to_string(), "call [x10 + 0], x1 = 0x1002");
    }
}

mod instructions {
    use super::*;

    #[test]
    fn helpers_name_their_registers() {
        let one = |word| ops(&[word]).remove(0);
        assert_eq!(one(i(Op::Csrrs, 10, 11, 2)), "helper reads {x11} writes {x10}");
        assert_eq!(one(i(Op::Csrrwi, 10, 11, 2)), "helper reads {} writes {x10}");
        assert_eq!(
            one(r(Op::AmocasQ, 10, 12, 14)),
            "helper reads {x10 x11 x12 x14 x15} writes {x10 x11}"
        );
        assert_eq!(one(r(Op::AmocasQ, 0, 12, 0)), "helper reads {x12} writes {}");
        assert_eq!(one(r(Op::CboZero, 0, 12, 0)), "helper reads {x12} writes {}");
        assert_eq!(one(r(Op::WrsNto, 0, 0, 0)), "helper reads {} writes {}");
        assert_eq!(one(r(Op::FcvtmodWD, 10, 12, 0)), "helper reads {} writes {x10}");
    }

    #[test]
    fn fences() {
        assert_eq!(ops(&[i(Op::Fence, 0, 0, 0x33)]), ["fence rw:rw"]);
        assert_eq!(ops(&[i(Op::Fence, 0, 0, 0xff)]), ["fence rw:rw"]);
        assert_eq!(ops(&[i(Op::Fence, 0, 0, 0x31)]), ["fence rw:w"]);
        assert_eq!(ops(&[i(Op::Fence, 0, 0, 0x82)]), ["fence r:r"]);
        assert_eq!(ops(&[i(Op::Fence, 0, 0, 0x30)]), [""; 0]);
        assert_eq!(ops(&[i(Op::FenceTso, 0, 0, 0)]), ["fence r:rw", "fence w:w"]);
        assert_eq!(ops(&[i(Op::Pause, 0, 0, 0)]), ["pause"]);
    }

    #[test]
    fn floating_point() {
        let one = |word| ops(&[word]).remove(0);
        assert_eq!(one(r(Op::FaddD, 1, 2, 3)), "fadd.d.dyn f1, f2, f3");
        assert_eq!(one(r(Op::FminmS, 1, 2, 3)), "fminm.s.rne f1, f2, f3");
        assert_eq!(one(r(Op::FnmsubD, 1, 2, 3)), "fnmsub.d.dyn f1, f2, f3, f4");
        assert_eq!(one(r(Op::FcvtWuD, 1, 2, 0)), "ftoint.wu.d.dyn x1, f2");
        assert_eq!(one(r(Op::FcvtSLu, 1, 2, 0)), "ffromint.s.lu.dyn f1, x2");
        assert_eq!(one(r(Op::FcvtSD, 1, 2, 0)), "fconvert.s.d.dyn f1, f2");
        assert_eq!(one(r(Op::FmvXW, 1, 2, 0)), "fmovetoint.s x1, f2");
        assert_eq!(one(s(Op::Fsh, 2, 3, -4)), "fstore.h f3, [x2 + -4]");
        assert_eq!(one(r(Op::FliS, 1, 0, 0)), "fconst f1, 0xffffffffbf800000");
        assert_eq!(one(r(Op::FliD, 1, 1, 0)), "fconst f1, 0x10000000000000");
        assert_eq!(one(r(Op::FliS, 1, 1, 0)), "fconst f1, 0xffffffff00800000");
        assert_eq!(one(r(Op::FliS, 1, 31, 0)), "fconst f1, 0xffffffff7fc00000");
        assert_eq!(one(r(Op::FliD, 1, 30, 0)), "fconst f1, 0x7ff0000000000000");
    }

    /// A random instruction of each kind lifts to operations that are sound.
    #[test]
    fn all_are_sound() {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            state.rotate_left(32)
        };
        for op in Op::all() {
            for _ in 0..50 {
                let insn = crate::isa::random::insn(op, &mut next);
                let block = Asm::words(&[encode(&insn), ret()]).lift();
                use crate::ir::Op::{Helper, VHelper};
                let helper = matches!(block.nodes[0].op, Helper { .. } | VHelper { .. });
                // Of those, which CSR it is decides; of vectors, what `vtype` and `vl` are.
                let csr = matches!(op.format(), Format::Csr | Format::CsrImm);
                let vectors = op as usize >= Op::Vsetvli as usize;
                let either = csr || vectors && helper;
                assert!(either || helper == is_helper(op), "{insn:?}: {block}");
            }
        }
    }
}

mod short_branch {
    use super::*;

    /// The operations that `words` become, and nothing else: there is no branch.
    fn selected(words: &[u32], expected: &[&str]) {
        assert_eq!(ops(words), expected);
        let first = Asm::words(words).w(&[ret()]).lift().nodes;
        assert!(first.iter().rev().skip(1).all(|n| n.pc <= START + 4), "they are the branch's");
    }

    #[test]
    fn one_or_two_operations() {
        selected(
            &[s(Op::Blt, 5, 6, 8), r(Op::Add, 5, 0, 6)],
            &["unless.lt x5, x6: add.d x5, x6, 0"],
        );
        selected(
            &[s(Op::Bne, 5, 0, 12), i(Op::Addi, 7, 0, -1), r(Op::Subw, 8, 0, 8)],
            &["unless.ne x5, x0: add.d x7, x0, -1", "unless.ne x5, x0: sub.w x8, x0, x8"],
        );
        // Both make one operation.
        selected(
            &[s(Op::Beq, 5, 0, 12), i(Op::Slli, 7, 7, 32), i(Op::Srai, 7, 7, 32)],
            &["unless.eq x5, x0: add.w x7, x7, 0"],
        );
        selected(&[s(Op::Beq, 5, 0, 8), i(Op::Addi, 0, 0, 0)], &[]);
    }

    #[test]
    fn floats_on_the_result_of_a_comparison() {
        let copy = [s(Op::Beq, 5, 0, 8), r(Op::FsgnjS, 1, 2, 2)];
        let [branch, fmv] = copy;
        selected(
            &[r(Op::FltS, 5, 1, 2), branch, fmv],
            &["flt.s x5, f1, f2", "unless.eq x5, x0: move.s f1, f2"],
        );
        selected(
            &[r(Op::FleD, 5, 1, 2), branch, r(Op::FmvDX, 3, 0, 0)],
            &["fle.d x5, f1, f2", "unless.eq x5, x0: zero.d f3, f0"],
        );
        let zero = "fsgnj.s.rne f1, f2, f2";
        assert_eq!(ops(&copy), ["branch.eq x5, x0, 0x1008", zero]);
        let overwritten = [r(Op::FltS, 5, 1, 2), i(Op::Andi, 5, 6, 1), branch, fmv];
        assert!(ops(&overwritten)[2].starts_with("branch"));
    }

    #[test]
    fn what_stays_a_branch() {
        let stays = |words: &[u32]| {
            let ops = ops(words);
            assert!(ops[0].starts_with("branch"), "{ops:?}");
            assert!(ops.iter().all(|op| !op.starts_with("unless")), "{ops:?}");
        };
        let branch = |imm| s(Op::Blt, 5, 6, imm);
        let copy = r(Op::Add, 7, 0, 8);
        stays(&[branch(16), copy, copy, copy]);
        stays(&[branch(8), i(Op::Ld, 7, 8, 0)]);
        stays(&[branch(12), copy, s(Op::Sd, 7, 8, 0)]);
        stays(&[branch(8), r(Op::Mul, 7, 8, 9)]);
        stays(&[branch(8), r(Op::Sll, 7, 8, 9)]);
        stays(&[branch(8), r(Op::FaddD, 7, 8, 9)]);
        // The second operation would be on another condition.
        stays(&[branch(12), r(Op::Add, 5, 0, 8), copy]);
        // Into the middle of an instruction.
        stays(&[branch(6), copy]);
        // A loop begins in what is skipped.
        let code = [branch(12), copy, copy, s(Op::Bne, 5, 6, -4)];
        let block = Asm::words(&code).w(&[ret()]).lift();
        assert!(block.nodes[0].op.to_string().starts_with("branch"), "{block}");
        // There are not instructions enough left.
        let mut code = Code { start: START, bytes: &Asm::words(&[branch(12), copy, copy]).0 };
        let limits = Limits { max_insns: 2, ..Limits::default() };
        let block = lift(&mut code, START, &limits);
        assert_eq!(block.insns, 2, "{block}");
        assert!(block.nodes[0].op.to_string().starts_with("branch"), "{block}");
    }
}

mod idioms {
    use super::*;

    /// libgcc's loop with counter x15, byte x13 and what is shifted, x10 to x14.
    const LOOP: [(Op, u8, u8, u8, i32); 6] = [
        (Op::Addi, 15, 0, 0, 56),
        (Op::Srl, 14, 10, 15, 0),
        (Op::Andi, 13, 14, 0, 255),
        (Op::Bne, 0, 13, 0, 64),
        (Op::Addi, 15, 15, 0, -8),
        (Op::Bne, 0, 15, 0, -16),
    ];

    fn lifted(code: &[(Op, u8, u8, u8, i32)]) -> Block {
        let words = code.iter().map(|&(op, rd, rs1, rs2, imm)| word(op, rd, rs1, rs2, imm));
        Asm::words(&words.collect::<Vec<_>>()).w(&[ret()]).lift()
    }

    #[test]
    fn the_loop_is_no_loop() {
        let block = lifted(&LOOP);
        let ops: Vec<String> = block.nodes.iter().map(|node| node.op.to_string()).collect();
        let target = format!("branch.ne x15, x0, {:#x}", START + 12 + 64);
        let expected = [
            "const x15, 0x38",
            "or.d x14, x10, 1",
            "clz.d x14, x14",
            "xor.d x14, x14, 63",
            "and.d x15, x14, 56",
            "srl.d x14, x10, x15",
            "add.d x13, x14, 0",
            &target,
            "const x14, 0x0",
            "const x13, 0x0",
        ];
        assert_eq!(ops[..expected.len()], expected);
        assert_eq!(ops.len(), expected.len() + 1, "{block}");
        // What it stands for is all that may be executed.
        assert_eq!(block.insns, 2 + 35);
        assert_eq!(block.ranges, [(START, 28)]);
    }

    #[test]
    fn others_stay() {
        for (at, changed) in [
            (0, (Op::Addi, 15, 0, 0, 48)),
            (1, (Op::Srlw, 14, 10, 15, 0)),
            (1, (Op::Srl, 14, 14, 15, 0)),
            (1, (Op::Srl, 14, 10, 16, 0)),
            (2, (Op::Andi, 13, 14, 0, 127)),
            (2, (Op::Andi, 10, 14, 0, 255)),
            (3, (Op::Bne, 0, 13, 16, 64)),
            (4, (Op::Addi, 15, 15, 0, -4)),
            (5, (Op::Bne, 0, 15, 0, -12)),
        ] {
            let mut code = LOOP;
            code[at] = changed;
            let block = lifted(&code);
            assert!(block.insns < 10, "{at}: {block}");
        }
    }
}
