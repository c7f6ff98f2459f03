//! Which registers an operation reads and writes.

use super::{FReg, Op, Reg, Src, VSrc};

const fn bit(r: Reg) -> u32 {
    1 << (r.0 & 31)
}

const fn float(f: FReg) -> u32 {
    1 << (f.0 & 31)
}

const fn source(s: Src) -> u32 {
    match s {
        Src::Reg(r) => bit(r),
        Src::Imm(_) => 0,
    }
}

impl Op {
    /// Integer registers that are read, one bit each; never x0.
    #[inline(always)]
    #[must_use]
    pub const fn reads(&self) -> u32 {
        let set = match *self {
            Self::Const { .. }
            | Self::Fence(_)
            | Self::Pause
            | Self::FBin { .. }
            | Self::FUn { .. }
            | Self::FMulAdd { .. }
            | Self::FCmp { .. }
            | Self::FClass { .. }
            | Self::FToInt { .. }
            | Self::FConvert { .. }
            | Self::FMoveToInt { .. }
            | Self::FConst { .. }
            | Self::ReadFlags { .. }
            | Self::ReadRounding { .. }
            | Self::ReadCounter { .. }
            | Self::Jump { .. }
            | Self::Call { .. }
            | Self::Exit(_) => 0,
            Self::Bin { a, b, .. } => bit(a) | source(b),
            Self::Un { a, .. } | Self::FFromInt { a, .. } | Self::FMoveFromInt { a, .. } => bit(a),
            Self::SwapFlags { a, .. } => source(a),
            Self::Bytes { word, .. } => bit(word),
            Self::Load { base, .. }
            | Self::LoadWord { base, .. }
            | Self::FLoad { base, .. }
            | Self::FStore { base, .. }
            | Self::LoadReserved { base, .. }
            | Self::CallIndirect { base, .. }
            | Self::JumpIndirect { base, .. } => bit(base),
            Self::Store { src, base, .. }
            | Self::Amo { src, base, .. }
            | Self::StoreConditional { src, base, .. } => bit(src) | bit(base),
            Self::Cas { rd, src, base, .. } => bit(rd) | bit(src) | bit(base),
            Self::Helper { reads, .. } | Self::VHelper { reads, .. } => reads,
            Self::VSet { avl, .. } => source(avl),
            Self::VLoad { base, .. }
            | Self::VStore { base, .. }
            | Self::VLoadWhole { base, .. }
            | Self::VStoreWhole { base, .. } => bit(base),
            Self::VBin { b: VSrc::X(r), .. } | Self::VMove { b: VSrc::X(r), .. } => bit(r),
            Self::VBin { .. }
            | Self::VMove { .. }
            | Self::VRetype { .. }
            | Self::VReduce { .. }
            | Self::VToInt { .. }
            | Self::VToFloat { .. } => 0,
            Self::Branch { a, b, .. } => bit(a) | bit(b),
            // The destination may stay what it is.
            Self::Select { x, y, rd, a, b, .. } => bit(x) | bit(y) | bit(rd) | bit(a) | source(b),
            Self::FSelect { x, y, .. } => bit(x) | bit(y),
        };
        set & !1
    }

    /// Integer registers that are written, one bit each; never x0.
    #[inline(always)]
    #[must_use]
    pub const fn writes(&self) -> u32 {
        let set = match *self {
            Self::Const { rd, .. }
            | Self::Bin { rd, .. }
            | Self::Un { rd, .. }
            | Self::Select { rd, .. }
            | Self::Load { rd, .. }
            | Self::LoadWord { rd, .. }
            | Self::Bytes { rd, .. }
            | Self::Amo { rd, .. }
            | Self::LoadReserved { rd, .. }
            | Self::StoreConditional { rd, .. }
            | Self::Cas { rd, .. }
            | Self::FCmp { rd, .. }
            | Self::FClass { rd, .. }
            | Self::FToInt { rd, .. }
            | Self::FMoveToInt { rd, .. }
            | Self::ReadFlags { rd }
            | Self::SwapFlags { rd, .. }
            | Self::ReadRounding { rd }
            | Self::ReadCounter { rd, .. } => bit(rd),
            Self::Call { link, .. }
            | Self::CallIndirect { link, .. }
            | Self::JumpIndirect { link, .. } => bit(link),
            Self::Helper { writes, .. } | Self::VHelper { writes, .. } => writes,
            Self::VSet { rd, .. } | Self::VToInt { rd, .. } => bit(rd),
            Self::Store { .. }
            | Self::FLoad { .. }
            | Self::FStore { .. }
            | Self::Fence(_)
            | Self::Pause
            | Self::FBin { .. }
            | Self::FUn { .. }
            | Self::FMulAdd { .. }
            | Self::FFromInt { .. }
            | Self::FConvert { .. }
            | Self::FMoveFromInt { .. }
            | Self::FConst { .. }
            | Self::FSelect { .. }
            | Self::VRetype { .. }
            | Self::VLoad { .. }
            | Self::VStore { .. }
            | Self::VLoadWhole { .. }
            | Self::VStoreWhole { .. }
            | Self::VBin { .. }
            | Self::VMove { .. }
            | Self::VReduce { .. }
            | Self::VToFloat { .. }
            | Self::Branch { .. }
            | Self::Jump { .. }
            | Self::Exit(_) => 0,
        };
        set & !1
    }

    /// Floating-point registers that are read, one bit each. What [`Op::Helper`] does is not told.
    #[must_use]
    pub const fn float_reads(&self) -> u32 {
        match *self {
            Self::FStore { fs, .. } => float(fs),
            Self::FBin { a, b, .. } | Self::FCmp { a, b, .. } => float(a) | float(b),
            Self::FMulAdd { a, b, c, .. } => float(a) | float(b) | float(c),
            Self::FUn { a, .. }
            | Self::FClass { a, .. }
            | Self::FToInt { a, .. }
            | Self::FConvert { a, .. }
            | Self::FMoveToInt { a, .. } => float(a),
            // The destination may stay what it is.
            Self::FSelect { fd, a, .. } => float(fd) | float(a),
            Self::VBin { b: VSrc::F(f), .. } | Self::VMove { b: VSrc::F(f), .. } => float(f),
            _ => 0,
        }
    }

    /// Floating-point registers that are written, one bit each; as [`Self::float_reads`].
    #[must_use]
    pub const fn float_writes(&self) -> u32 {
        match *self {
            Self::FLoad { fd, .. }
            | Self::FBin { fd, .. }
            | Self::FUn { fd, .. }
            | Self::FMulAdd { fd, .. }
            | Self::FFromInt { fd, .. }
            | Self::FConvert { fd, .. }
            | Self::FMoveFromInt { fd, .. }
            | Self::FConst { fd, .. }
            | Self::FSelect { fd, .. }
            | Self::VToFloat { fd, .. } => float(fd),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_are_what_the_text_says() {
        // The destination comes first where there is one.
        let cases = [
            ("add.d x5, x6, x7", 1 << 6 | 1 << 7, 1 << 5),
            ("add.d x0, x6, 1", 1 << 6, 0),
            ("load.d x5, [x6 + 8]", 1 << 6, 1 << 5),
            ("store.d x5, [x6 + 8]", 1 << 5 | 1 << 6, 0),
            ("cas.d x5, [x6], x7", 1 << 5 | 1 << 6 | 1 << 7, 1 << 5),
            ("branch.eq x5, x0, 0x10", 1 << 5, 0),
            ("unless.eq x5, x6: add.d x7, x8, x9", 0x1f << 5, 1 << 7),
            ("unless.ne x5, x0: move.d f7, f8", 1 << 5, 0),
            ("call 0x10, x1 = 0x20", 0, 1 << 1),
            ("helper reads {x3} writes {x4}", 1 << 3, 1 << 4),
            ("vhelper reads {x3} writes {x4}", 1 << 3, 1 << 4),
            ("vset x5, x6, 0x10*4", 1 << 6, 1 << 5),
            ("vload.d [x6], v16, 0x10*4", 1 << 6, 0),
            ("vadd v16, v32, x6, 0x10*4", 1 << 6, 0),
        ];
        for (text, reads, writes) in cases {
            let op: Op = text.parse().expect(text);
            assert_eq!((op.reads(), op.writes()), (reads, writes), "{text}");
        }
    }
}
