//! RV64I: integer computation, loads and stores, jumps and branches (unprivileged manual,
//! chapters "RV32I" and "RV64I").

use super::{Access, Data, Exit, Hart, Insn, Op, Step, dispatch, misaligned, next, word, x};

// Shift amounts are the low six bits of `rs2`, or the low five for `*w`; the decoder admits no
// larger immediate.
binary! {
    add |a, b| a.wrapping_add(b);
    sub |a, b| a.wrapping_sub(b);
    sll |a, b| a << (b & 63);
    slt |a, b| u64::from((a as i64) < b as i64);
    sltu |a, b| u64::from(a < b);
    xor |a, b| a ^ b;
    srl |a, b| a >> (b & 63);
    sra |a, b| (a as i64 >> (b & 63)) as u64;
    or |a, b| a | b;
    and |a, b| a & b;
    addw |a, b| word(a.wrapping_add(b));
    subw |a, b| word(a.wrapping_sub(b));
    sllw |a, b| word(a << (b & 31));
    srlw |a, b| word(u64::from(a as u32 >> (b & 31)));
    sraw |a, b| (a as i32 >> (b & 31)) as u64;
}

immediate! {
    addi |a, imm| a.wrapping_add(imm);
    slti |a, imm| u64::from((a as i64) < imm as i64);
    sltiu |a, imm| u64::from(a < imm);
    xori |a, imm| a ^ imm;
    ori |a, imm| a | imm;
    andi |a, imm| a & imm;
    slli |a, shamt| a << (shamt & 63);
    srli |a, shamt| a >> (shamt & 63);
    srai |a, shamt| (a as i64 >> (shamt & 63)) as u64;
    addiw |a, imm| word(a.wrapping_add(imm));
    slliw |a, shamt| word(a << (shamt & 31));
    srliw |a, shamt| word(u64::from(a as u32 >> (shamt & 31)));
    sraiw |a, shamt| (a as i32 >> (shamt & 31)) as u64;
}

pub(super) fn lui(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    h.set_x(i.rd, i.imm as u64);
    next(i, pc)
}

pub(super) fn auipc(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    h.set_x(i.rd, pc.wrapping_add(i.imm as u64));
    next(i, pc)
}

/// Address of a load or store.
#[inline(always)]
pub(super) fn address(h: &Hart, i: &Insn) -> u64 {
    x(h, i.rs1).wrapping_add(i.imm as u64)
}

macro_rules! loads {
    ($($name:ident $read:ident $as:ty;)*) => {$(
        pub(super) fn $name(h: &mut Hart, m: &impl Data, i: &Insn, pc: u64) -> Step {
            let v = m.$read(address(h, i))?;
            h.set_x(i.rd, v as $as as u64);
            next(i, pc)
        }
    )*};
}

loads! {
    lb read_u8 i8;
    lh read_u16 i16;
    lw read_u32 i32;
    ld read_u64 u64;
    lbu read_u8 u8;
    lhu read_u16 u16;
    lwu read_u32 u32;
}

macro_rules! stores {
    ($($name:ident $write:ident $as:ty;)*) => {$(
        pub(super) fn $name(h: &mut Hart, m: &impl Data, i: &Insn, pc: u64) -> Step {
            m.$write(address(h, i), x(h, i.rs2) as $as)?;
            next(i, pc)
        }
    )*};
}

stores! {
    sb write_u8 u8;
    sh write_u16 u16;
    sw write_u32 u32;
    sd write_u64 u64;
}

pub(super) fn jal(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    h.set_x(i.rd, pc.wrapping_add(u64::from(i.len)));
    Ok(pc.wrapping_add(i.imm as u64))
}

pub(super) fn jalr(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
    // The target first: `rd` may be `rs1`.
    let target = address(h, i) & !1;
    h.set_x(i.rd, pc.wrapping_add(u64::from(i.len)));
    Ok(target)
}

macro_rules! branches {
    ($($name:ident |$a:ident, $b:ident| $taken:expr;)*) => {$(
        pub(super) fn $name(h: &mut Hart, _: &impl Data, i: &Insn, pc: u64) -> Step {
            let ($a, $b) = (x(h, i.rs1), x(h, i.rs2));
            if $taken { Ok(pc.wrapping_add(i.imm as u64)) } else { next(i, pc) }
        }
    )*};
}

branches! {
    beq |a, b| a == b;
    bne |a, b| a != b;
    blt |a, b| (a as i64) < b as i64;
    bge |a, b| a as i64 >= b as i64;
    bltu |a, b| a < b;
    bgeu |a, b| a >= b;
}

/// True for the instructions whose target must be 4-byte aligned on a hart without compressed
/// instructions.
pub(super) fn jumps(op: Op) -> bool {
    matches!(op, Op::Jal | Op::Jalr | Op::Beq | Op::Bne | Op::Blt | Op::Bge | Op::Bltu | Op::Bgeu)
}

/// A jump or branch on a hart without compressed instructions: the misaligned target is reported
/// on the jump itself, which then has no effect.
pub(super) fn jump_without_c<M: Data>(h: &mut Hart, m: &M, i: &Insn, pc: u64) -> Step {
    let link = x(h, i.rd);
    let target = dispatch::handler(i.op)(h, m, i, pc)?;
    if target & 3 != 0 {
        h.set_x(i.rd, link);
        return Err(misaligned(target, Access::Execute));
    }
    Ok(target)
}

pub(super) fn ecall(_: &mut Hart, _: &impl Data, _: &Insn, _: u64) -> Step {
    Err(Exit::Ecall.into())
}

pub(super) fn ebreak(_: &mut Hart, _: &impl Data, _: &Insn, _: u64) -> Step {
    Err(Exit::Ebreak.into())
}
