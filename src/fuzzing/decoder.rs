//! The decoder, the encoder and the disassembler agree, and take any bits.

use crate::isa::{self, Insn, Isa, Op};

/// Checks one word.
///
/// # Errors
/// What is wrong, in words.
pub fn check_decoder(bits: u32, isa: &Isa) -> Result<(), String> {
    let Some(insn) = isa::decode(bits, isa) else { return Ok(()) };
    let text = isa::disasm(&insn, 0x1_0000).to_string();
    if text.is_empty() {
        return Err(format!("{bits:#x}: no text"));
    }
    let wanted = if bits & 3 == 3 { (4, bits) } else { (2, bits & 0xffff) };
    if (insn.len, insn.bits) != wanted {
        return Err(format!("{bits:#x} `{text}`: length or bits are wrong: {insn:?}"));
    }
    let again = isa::encode(&insn);
    let Some(back) = isa::decode(again, &Isa::MAX) else {
        return Err(format!("{bits:#x} `{text}`: encoded as {again:#x}, which is illegal"));
    };
    // A fence whose ignored fields are not zero may be a fence with a name of its own without them.
    let named = matches!(back.op, Op::FenceTso | Op::Pause);
    if insn.op == Op::Fence && named && (bits >> 7 & 0x1f, bits >> 15 & 0x1f) != (0, 0) {
        return Ok(());
    }
    let operands = |i: &Insn| (i.op, i.rd, i.rs1, i.rs2, i.rs3, i.rm, i.imm);
    if operands(&insn) != operands(&back) {
        return Err(format!("{bits:#x} `{text}`: {insn:?} encoded as {again:#x}: {back:?}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::Rng;

    #[test]
    fn a_fence_with_ignored_fields_is_no_pause() {
        check_decoder(0x10f_010f, &Isa::MAX).unwrap();
    }

    #[test]
    fn words_and_all_halfwords() {
        let isas = [Isa::MAX, Isa::rv64gc(), "rv64i".parse().unwrap(), "rva22u64".parse().unwrap()];
        let mut rng = Rng::new(1, 0);
        for isa in &isas {
            for half in 0..0x1_0000 {
                check_decoder(half, isa).unwrap();
            }
            for _ in 0..200_000 {
                check_decoder(rng.next_u64() as u32, isa).unwrap();
            }
        }
    }
}
