//! What every block must hold, for tests and debug builds.

use super::{
    BinOp, Block, FBinOp, Fmt, MemSize, Op, OpClass, Reg, Rounding, Src, UnOp, VConfig, VSrc, Width,
};

/// What is wrong with a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", node.map_or(String::new(), |n| format!("node {n}: ")))]
pub struct VerifyError {
    /// The node that is wrong, by number from 0, or the block as a whole.
    pub node: Option<usize>,
    /// What is wrong.
    pub what: &'static str,
}

impl BinOp {
    /// Whether there is a form of width `W`.
    #[must_use]
    pub const fn has_word_form(self) -> bool {
        matches!(
            self,
            Self::Add
                | Self::Sub
                | Self::Sll
                | Self::Srl
                | Self::Sra
                | Self::Rol
                | Self::Ror
                | Self::Mul
                | Self::Div
                | Self::Divu
                | Self::Rem
                | Self::Remu
        )
    }

    /// Whether [`Op::Select`] may have it, with second operand `b`: what takes one or two
    /// instructions on every host.
    #[must_use]
    pub const fn may_be_conditional(self, b: Src) -> bool {
        match self {
            Self::Add | Self::Sub | Self::And | Self::Or | Self::Xor => true,
            Self::Sll | Self::Srl | Self::Sra => matches!(b, Src::Imm(_)),
            _ => false,
        }
    }

    /// The smallest and largest constant that may be the second operand; `None` if it must be a
    /// register.
    #[must_use]
    pub const fn constants(self, w: Width) -> Option<(i32, i32)> {
        match self {
            Self::Add => Some((i32::MIN, i32::MAX)),
            Self::And | Self::Or | Self::Xor | Self::Slt | Self::Sltu => Some((i32::MIN, i32::MAX)),
            Self::Sll | Self::Srl | Self::Sra | Self::Ror => match w {
                Width::W => Some((0, 31)),
                Width::D => Some((0, 63)),
            },
            Self::SllUw | Self::Bclr | Self::Bext | Self::Binv | Self::Bset => Some((0, 63)),
            _ => None,
        }
    }
}

/// Checks `block`.
///
/// # Errors
/// The first rule that is broken.
pub fn verify(block: &Block) -> Result<(), VerifyError> {
    let last = block.nodes.len().saturating_sub(1);
    for (n, node) in block.nodes.iter().enumerate() {
        let fail = |what| Err(VerifyError { node: Some(n), what });
        if node.op.ends_block() && n != last {
            return fail("ends the block, and is not the last");
        }
        if node.pc & 1 != 0 {
            return fail("odd address");
        }
        let within = |&(start, len): &(u64, u32)| node.pc.wrapping_sub(start) < u64::from(len);
        if !block.ranges.is_empty() && !block.ranges.iter().any(within) {
            return fail("address outside the code that was read");
        }
        if !registers_exist(&node.op) {
            return fail("register number above 31");
        }
        if let Err(what) = operation(&node.op) {
            return fail(what);
        }
    }
    words(block)?;
    whole(block).map_err(|what| VerifyError { node: None, what })
}

/// Checks that each word is there when bytes of it are asked for.
fn words(block: &Block) -> Result<(), VerifyError> {
    // Of each register: the word that it stands for, and of which word it has bytes.
    let (mut kept, mut made_of) = ([false; 32], [None; 32]);
    for (n, node) in block.nodes.iter().enumerate() {
        let fail = |what| Err(VerifyError { node: Some(n), what });
        if let Op::Bytes { rd, word, .. } = node.op {
            if !kept[usize::from(word.0)] {
                return fail("bytes of a word that is not kept");
            }
            made_of[usize::from(rd.0)] = Some(word);
            continue;
        }
        for r in (1..32).filter(|r| node.reads() & 1 << r != 0) {
            if let Some(word) = made_of[r] {
                kept[usize::from(word.0)] = false;
            }
        }
        for r in (1..32).filter(|r| node.writes() & 1 << r != 0) {
            (kept[r], made_of[r]) = (false, None);
        }
        if node.class().may_leave() || matches!(node.class(), OpClass::Helped | OpClass::Long) {
            kept = [false; 32];
        }
        if let Op::LoadWord { rd, .. } = node.op {
            made_of.iter_mut().filter(|m| **m == Some(rd)).for_each(|m| *m = None);
            kept[usize::from(rd.0)] = true;
            made_of[usize::from(rd.0)] = Some(rd);
        }
    }
    Ok(())
}

fn whole(block: &Block) -> Result<(), &'static str> {
    const PAGE: u64 = 4096;
    let crossings = |&(start, len): &(u64, u32)| (start % PAGE + u64::from(len) - 1) / PAGE;
    let insns = block.nodes.chunk_by(|a, b| a.pc == b.pc).count();
    let end = block.ranges.last().map(|&(start, len)| start.wrapping_add(u64::from(len)));
    rule(block.pc & 1 == 0, "odd entry")?;
    rule(block.insns as usize >= insns, "more instructions with nodes than instructions")?;
    rule(block.ranges.iter().all(|range| range.1 != 0), "an empty range")?;
    rule(block.ranges.iter().all(|range| crossings(range) <= 1), "a range of three pages")?;
    rule(block.ranges.first().is_none_or(|range| range.0 == block.pc), "code before the entry")?;
    match (block.falls_through(), end) {
        (true, Some(end)) => rule(block.next == end, "goes on where it did not end"),
        (true, None) => rule(false, "falls through, and no code was read"),
        (false, _) => rule(block.next == block.pc, "goes on after its end"),
    }
}

fn rule(holds: bool, what: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(what) }
}

/// Whether the registers of `op` have numbers that exist.
fn registers_exist(op: &Op) -> bool {
    // The text of an operation names each of its registers, and only existing ones are read back.
    op.to_string().parse() == Ok(*op)
}

fn operation(op: &Op) -> Result<(), &'static str> {
    let even = |addr: u64| rule(addr & 1 == 0, "odd address");
    let linked = |link: Reg| rule(!link.is_zero(), "a call that does not link");
    let float = |fmt: Fmt| rule(fmt != Fmt::H, "half-precision arithmetic");
    let configured = |config: VConfig| {
        rule(config.vl != 0 && config.vtype >> 5 & 1 == 0, "no type or no elements")
    };
    let numbers =
        |are: bool, config: VConfig| rule(!are || config.sew() >= 2, "numbers this narrow");
    let exact = |rm: Rounding| rule(rm == Rounding::Rne, "rounding where nothing is rounded");
    match *op {
        Op::Bin { op, w, b, .. } => {
            rule(w == Width::D || op.has_word_form(), "no form of this width")?;
            let Src::Imm(value) = b else { return Ok(()) };
            let allowed = op.constants(w).is_some_and(|(low, high)| (low..=high).contains(&value));
            rule(allowed, "constant that this operation cannot have")
        }
        Op::Select { op, w, b, .. } => {
            rule(w == Width::D || op.has_word_form(), "no form of this width")?;
            rule(op.may_be_conditional(b), "not an operation to be conditional")?;
            let Src::Imm(value) = b else { return Ok(()) };
            let allowed = op.constants(w).is_some_and(|(low, high)| (low..=high).contains(&value));
            rule(allowed, "constant that this operation cannot have")
        }
        Op::Un { op, w, .. } => {
            let word_form = matches!(op, UnOp::Clz | UnOp::Ctz | UnOp::Cpop);
            rule(w == Width::D || word_form, "no form of this width")
        }
        Op::Load { kind, .. } => {
            rule(kind.size != MemSize::Q, "access of 16 bytes")?;
            rule(kind.size != MemSize::D || !kind.signed, "extension of 64 bits")
        }
        Op::LoadWord { size, rd, bytes, .. } => {
            rule(matches!(size, MemSize::H | MemSize::W | MemSize::D), "word of this size")?;
            rule(!rd.is_zero(), "a word that is kept nowhere")?;
            rule(bytes.exist(), "bytes beyond the word")
        }
        Op::Bytes { bytes, word, .. } => {
            rule(!word.is_zero(), "a word that is kept nowhere")?;
            rule(bytes.exist(), "bytes beyond the word")
        }
        Op::Store { size, .. } | Op::Amo { size, .. } | Op::Cas { size, .. } => {
            rule(size != MemSize::Q, "access of 16 bytes")
        }
        Op::LoadReserved { size, .. } | Op::StoreConditional { size, .. } => {
            rule(matches!(size, MemSize::W | MemSize::D), "reservation of this size")
        }
        Op::FBin { op, fmt, rm, .. } => {
            float(fmt)?;
            match op {
                FBinOp::Add | FBinOp::Sub | FBinOp::Mul | FBinOp::Div => Ok(()),
                _ => exact(rm),
            }
        }
        Op::FUn { fmt, .. }
        | Op::FMulAdd { fmt, .. }
        | Op::FSelect { fmt, .. }
        | Op::FCmp { fmt, .. }
        | Op::FClass { fmt, .. }
        | Op::FToInt { fmt, .. }
        | Op::FFromInt { fmt, .. } => float(fmt),
        Op::FConvert { from, to, .. } => rule(from != to, "conversion to the same format"),
        Op::Helper { reads, writes } | Op::VHelper { reads, writes } => {
            rule((reads | writes) & 1 == 0, "names x0")
        }
        Op::VSet { avl, config, .. } => {
            configured(config)?;
            let exact = avl == Src::Imm(config.vl.into()) || matches!(avl, Src::Reg(_));
            rule(exact, "another length than the one that is asked for")
        }
        Op::VRetype { from, to } => {
            configured(from)?;
            configured(to)?;
            rule(from.vl == to.vl, "another length than before")
        }
        Op::VLoad { config, width, .. } | Op::VStore { config, width, .. } => {
            rule(width != MemSize::Q, "elements of 16 bytes")?;
            configured(config)
        }
        Op::VLoadWhole { bytes, .. } | Op::VStoreWhole { bytes, .. } => {
            rule(bytes > 0 && bytes % 16 == 0, "no whole registers")
        }
        Op::VBin { op, config, b, .. } => {
            let narrow = op.narrower() != 0;
            rule(op.narrower() <= config.sew(), "elements of less than a byte")?;
            rule(!narrow || matches!(b, VSrc::Group(_)), "extension of what is no element")?;
            numbers(op.is_float() || matches!(b, VSrc::F(_)), config)?;
            configured(config)
        }
        Op::VMove { config, bytes, filled, b, .. } => {
            rule(bytes >= 0 && filled >= 0, "a negative length")?;
            rule(!matches!(b, VSrc::Group(_)), "filled with what is no scalar")?;
            numbers(matches!(b, VSrc::F(_)), config)?;
            configured(config)
        }
        Op::VReduce { op, config, .. } => {
            numbers(op.is_float(), config)?;
            configured(config)
        }
        Op::VToInt { config, .. } => configured(config),
        Op::VToFloat { config, .. } => {
            numbers(true, config)?;
            configured(config)
        }
        Op::Branch { target, .. } | Op::Jump { target } => even(target),
        Op::Call { target, link, ret } => {
            even(target)?;
            even(ret)?;
            linked(link)
        }
        Op::CallIndirect { link, ret, .. } => {
            even(ret)?;
            linked(link)
        }
        Op::JumpIndirect { ret, .. } => even(ret),
        Op::Const { .. }
        | Op::FLoad { .. }
        | Op::FStore { .. }
        | Op::Fence(_)
        | Op::Pause
        | Op::FMoveToInt { .. }
        | Op::FMoveFromInt { .. }
        | Op::FConst { .. }
        | Op::ReadFlags { .. }
        | Op::SwapFlags { .. }
        | Op::ReadRounding { .. }
        | Op::ReadCounter { .. }
        | Op::Exit(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with `line` at its entry, which read 4 bytes of code.
    fn block(line: &str) -> Block {
        let mut block: Block =
            format!("block 0x1000 insns 1\nrange 0x1000 4\n0x1000 {line}").parse().expect(line);
        if block.falls_through() {
            block.next = 0x1004;
        }
        block
    }

    #[test]
    fn sound_operations_pass() {
        for line in [
            "add.w x1, x2, -1",
            "sra.w x1, x2, 31",
            "bext.d x1, x2, 63",
            "load.d x0, [x2 + -8]",
            "clz.w x1, x2",
            "fadd.d.dyn f1, f2, f3",
            "branch.eq x0, x1, 0x1000",
            "unless.ltu x3, x4: sub.w x1, x2, x3",
            "unless.eq x3, x0: neg.s f1, f2",
            "call 0x2000, x1 = 0x1004",
            "jump 0x1000",
            "return [x1 + 0], x0 = 0x1004",
            "vset x5, x6, 0xd0*4",
            "vadd v16, v32, -1, 0xd0*4",
        ] {
            assert_eq!(verify(&block(line)), Ok(()), "{line}");
        }
    }

    #[test]
    fn unsound_operations_are_found() {
        for line in [
            "and.w x1, x2, x3",
            "sub.d x1, x2, 1",
            "sll.w x1, x2, 32",
            "sll.d x1, x2, -1",
            "rev8.w x1, x2",
            "unless.eq x3, x0: mul.d x1, x2, x3",
            "unless.eq x3, x0: sll.d x1, x2, 64",
            "unless.eq x3, x0: sll.d x1, x2, x3",
            "unless.eq x3, x0: abs.h f1, f2",
            "load.q x1, [x2 + 0]",
            "amo.add.q x1, [x2], x3",
            "lr.h x1, [x2]",
            "fadd.h.rne f1, f2, f3",
            "fmin.s.dyn f1, f2, f3",
            "fconvert.s.s.rne f1, f2",
            "helper reads {x0} writes {}",
            "vset x5, 3, 0x10*4",
            "vset x5, x6, 0x10*0",
            "vretype 0x10*4, 0x18*2",
            "vload.q [x5], v16, 0x10*4",
            "vload [x5], v16, 8",
            "vadd v16, v32, v48, 0x20*4",
            "vzext4 v16, v16, v48, 0xc8*4",
            "vsext2 v16, v16, 3, 0xc8*4",
            "branch.eq x0, x1, 0x1001",
            "call 0x2000, x0 = 0x1004",
            "jump 0x1001",
        ] {
            assert!(verify(&block(line)).is_err(), "{line}");
        }
        let mut bad = block("pause");
        bad.nodes[0].op = Op::Const { rd: Reg(32), value: 0 };
        assert_eq!(verify(&bad).unwrap_err().what, "register number above 31");
    }

    #[test]
    fn unsound_blocks_are_found() {
        let what = |change: fn(&mut Block)| {
            let mut block = block("pause");
            change(&mut block);
            verify(&block).unwrap_err().what
        };
        assert_eq!(what(|b| b.next = 0x1008), "goes on where it did not end");
        assert_eq!(what(|b| b.ranges[0].1 = 0), "address outside the code that was read");
        assert_eq!(what(|b| b.ranges.push((0x3000, 8193))), "a range of three pages");
        assert_eq!(what(|b| b.ranges.insert(0, (0x2000, 4))), "code before the entry");
        assert_eq!(what(|b| b.insns = 0), "more instructions with nodes than instructions");
        assert_eq!(what(|b| b.ranges.clear()), "falls through, and no code was read");
        let mut early = block("jump 0x1000");
        early.nodes.push(early.nodes[0]);
        assert_eq!(verify(&early).unwrap_err().what, "ends the block, and is not the last");
    }
}
