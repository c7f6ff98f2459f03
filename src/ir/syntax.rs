//! The text of each operation: one row for both directions, printing and parsing.

use std::fmt::{self, Formatter, Write};

use super::{
    AmoOp, BinOp, Bytes, Cond, ExitKind, FBinOp, FCmpOp, FReg, FSelectOp, FUnOp, Fence, Fmt,
    IntFmt, LoadKind, MemSize, Reg, Rounding, Src, UnOp, VBinOp, VConfig, VGroup, VSrc, Width,
};
use crate::util::Counter;

/// Hands the rows to the macro `$m`. A row is `[OpClass] "text" field "text" field "text" ...;`
/// where the shape is both a pattern that binds the fields and an expression made of them. No text
/// may fit two rows: rows that begin with a field rely on its names being different from all
/// others.
macro_rules! for_each_form { ($m:ident) => { $m! {
    [Op::Const { rd, value }] "const " rd ", " value "";
    [Op::Bin { op, w, rd, a, b }] "" op "." w " " rd ", " a ", " b "";
    [Op::Un { op, w, rd, a }] "" op "." w " " rd ", " a "";
    [Op::Load { kind, rd, base, off }] "load." kind " " rd ", [" base " + " off "]";
    [Op::LoadWord { size, reverse: false, rd, bytes, base, off }]
        "loadword." size " " rd ", " bytes " of [" base " + " off "]";
    [Op::LoadWord { size, reverse: true, rd, bytes, base, off }]
        "loadreversed." size " " rd ", " bytes " of [" base " + " off "]";
    [Op::Bytes { rd, bytes, word }] "bytes " rd ", " bytes " of " word "";
    [Op::Store { size, src, base, off }] "store." size " " src ", [" base " + " off "]";
    [Op::FLoad { fmt, fd, base, off }] "fload." fmt " " fd ", [" base " + " off "]";
    [Op::FStore { fmt, fs, base, off }] "fstore." fmt " " fs ", [" base " + " off "]";
    [Op::Amo { op, size, rd, base, src }] "amo." op "." size " " rd ", [" base "], " src "";
    [Op::LoadReserved { size, rd, base }] "lr." size " " rd ", [" base "]";
    [Op::StoreConditional { size, rd, base, src }] "sc." size " " rd ", [" base "], " src "";
    [Op::Cas { size, rd, base, src }] "cas." size " " rd ", [" base "], " src "";
    [Op::Fence(fence)] "fence " fence "";
    [Op::Pause] "pause";
    [Op::FBin { op, fmt, rm, fd, a, b }] "" op "." fmt "." rm " " fd ", " a ", " b "";
    [Op::FUn { op, fmt, rm, fd, a }] "" op "." fmt "." rm " " fd ", " a "";
    [Op::FMulAdd { fmt, rm, neg_product: false, neg_addend: false, fd, a, b, c }]
        "fmadd." fmt "." rm " " fd ", " a ", " b ", " c "";
    [Op::FMulAdd { fmt, rm, neg_product: false, neg_addend: true, fd, a, b, c }]
        "fmsub." fmt "." rm " " fd ", " a ", " b ", " c "";
    [Op::FMulAdd { fmt, rm, neg_product: true, neg_addend: false, fd, a, b, c }]
        "fnmsub." fmt "." rm " " fd ", " a ", " b ", " c "";
    [Op::FMulAdd { fmt, rm, neg_product: true, neg_addend: true, fd, a, b, c }]
        "fnmadd." fmt "." rm " " fd ", " a ", " b ", " c "";
    [Op::FCmp { op, fmt, rd, a, b }] "" op "." fmt " " rd ", " a ", " b "";
    [Op::FClass { fmt, rd, a }] "fclass." fmt " " rd ", " a "";
    [Op::FToInt { fmt, int, rm, rd, a }] "ftoint." int "." fmt "." rm " " rd ", " a "";
    [Op::FFromInt { fmt, int, rm, fd, a }] "ffromint." fmt "." int "." rm " " fd ", " a "";
    [Op::FConvert { from, to, rm, fd, a }] "fconvert." to "." from "." rm " " fd ", " a "";
    [Op::FMoveToInt { fmt, rd, a }] "fmovetoint." fmt " " rd ", " a "";
    [Op::FMoveFromInt { fmt, fd, a }] "fmovefromint." fmt " " fd ", " a "";
    [Op::FConst { fd, bits }] "fconst " fd ", " bits "";
    [Op::ReadFlags { rd }] "readflags " rd "";
    [Op::SwapFlags { rd, a }] "swapflags " rd ", " a "";
    [Op::ReadRounding { rd }] "readrounding " rd "";
    [Op::ReadCounter { counter, rd }] "readcounter." counter " " rd "";
    [Op::Helper { reads, writes }] "helper reads " reads " writes " writes "";
    [Op::VSet { rd, avl, config }] "vset " rd ", " avl ", " config "";
    [Op::VRetype { from, to }] "vretype " from ", " to "";
    [Op::VLoad { config, width, vd, base }] "vload." width " [" base "], " vd ", " config "";
    [Op::VStore { config, width, vs, base }] "vstore." width " [" base "], " vs ", " config "";
    [Op::VLoadWhole { bytes, vd, base }] "vload [" base "], " vd ", " bytes "";
    [Op::VStoreWhole { bytes, vs, base }] "vstore [" base "], " vs ", " bytes "";
    [Op::VBin { op, config, vd, a, b }] "" op " " vd ", " a ", " b ", " config "";
    [Op::VMove { config, bytes, vd, a, filled, b }]
        "vcopy " bytes " " vd ", " a ", " filled "*" b ", " config "";
    [Op::VReduce { op, config, vd, a, init }] "vreduce." op " " vd ", " a ", " init ", " config "";
    [Op::VToInt { config, rd, a }] "vtoint " rd ", " a ", " config "";
    [Op::VToFloat { config, fd, a }] "vtofloat " fd ", " a ", " config "";
    [Op::VHelper { reads, writes }] "vhelper reads " reads " writes " writes "";
    [Op::Branch { cond, a, b, target }] "branch." cond " " a ", " b ", " target "";
    [Op::Select { cond, x, y, op, w, rd, a, b }]
        "unless." cond " " x ", " y ": " op "." w " " rd ", " a ", " b "";
    [Op::FSelect { cond, x, y, op, fmt, fd, a }]
        "unless." cond " " x ", " y ": " op "." fmt " " fd ", " a "";
    [Op::Jump { target }] "jump " target "";
    [Op::Call { target, link, ret }] "call " target ", " link " = " ret "";
    [Op::CallIndirect { base, off, link, ret }] "call [" base " + " off "], " link " = " ret "";
    [Op::JumpIndirect { base, off, link, ret, is_return: false }]
        "jump [" base " + " off "], " link " = " ret "";
    [Op::JumpIndirect { base, off, link, ret, is_return: true }]
        "return [" base " + " off "], " link " = " ret "";
    [Op::Exit(kind)] "exit " kind "";
} } }
pub(super) use for_each_form;

/// A part of an operation as text.
pub(super) trait Field: Sized {
    /// Writes the text, which has no spaces but within braces.
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result;
    /// Reads exactly what `write` writes.
    fn read(text: &str) -> Option<Self>;
    /// Some value, made of `random` bits; all values come up.
    #[cfg(test)]
    fn any(random: u64) -> Self;
}

/// Gives an enumeration without payload a name for each variant.
macro_rules! names { ($name:ident { $($variant:ident $text:literal,)* }) => {
    impl $name {
        /// All values.
        pub const ALL: &[Self] = &[$(Self::$variant),*];

        /// The name in the text of a block.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self { $(Self::$variant => $text),* }
        }
    }

    impl Field for $name {
        fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
            f.write_str(self.name())
        }
        fn read(text: &str) -> Option<Self> {
            Self::ALL.iter().copied().find(|value| value.name() == text)
        }
        #[cfg(test)]
        fn any(random: u64) -> Self {
            Self::ALL[(random % Self::ALL.len() as u64) as usize]
        }
    }
} }

names! { Width {
    W "w",
    D "d",
} }
names! { BinOp {
    Add "add",
    Sub "sub",
    And "and",
    Or "or",
    Xor "xor",
    AndNot "andnot",
    OrNot "ornot",
    XorNot "xornot",
    Sll "sll",
    Srl "srl",
    Sra "sra",
    Rol "rol",
    Ror "ror",
    Slt "slt",
    Sltu "sltu",
    Min "min",
    Minu "minu",
    Max "max",
    Maxu "maxu",
    Sh1add "sh1add",
    Sh2add "sh2add",
    Sh3add "sh3add",
    AddUw "adduw",
    Sh1addUw "sh1adduw",
    Sh2addUw "sh2adduw",
    Sh3addUw "sh3adduw",
    SllUw "slluw",
    Bclr "bclr",
    Bext "bext",
    Binv "binv",
    Bset "bset",
    Mul "mul",
    Mulh "mulh",
    Mulhsu "mulhsu",
    Mulhu "mulhu",
    Div "div",
    Divu "divu",
    Rem "rem",
    Remu "remu",
    Clmul "clmul",
    Clmulh "clmulh",
    Clmulr "clmulr",
    CzeroEqz "czeroeqz",
    CzeroNez "czeronez",
} }
names! { UnOp {
    Clz "clz",
    Ctz "ctz",
    Cpop "cpop",
    SextB "sextb",
    SextH "sexth",
    ZextH "zexth",
    ZextW "zextw",
    Rev8 "rev8",
    OrcB "orcb",
} }
names! { MemSize {
    B "b",
    H "h",
    W "w",
    D "d",
    Q "q",
} }
names! { Cond {
    Eq "eq",
    Ne "ne",
    Lt "lt",
    Ge "ge",
    Ltu "ltu",
    Geu "geu",
} }
names! { AmoOp {
    Swap "swap",
    Add "add",
    Xor "xor",
    And "and",
    Or "or",
    Min "min",
    Max "max",
    Minu "minu",
    Maxu "maxu",
} }
names! { Fmt {
    H "h",
    S "s",
    D "d",
} }
names! { IntFmt {
    W "w",
    Wu "wu",
    L "l",
    Lu "lu",
} }
names! { Rounding {
    Rne "rne",
    Rtz "rtz",
    Rdn "rdn",
    Rup "rup",
    Rmm "rmm",
    Dyn "dyn",
} }
names! { FBinOp {
    Add "fadd",
    Sub "fsub",
    Mul "fmul",
    Div "fdiv",
    Min "fmin",
    Max "fmax",
    Minm "fminm",
    Maxm "fmaxm",
    Sgnj "fsgnj",
    Sgnjn "fsgnjn",
    Sgnjx "fsgnjx",
} }
names! { FUnOp {
    Sqrt "fsqrt",
    Round "fround",
    RoundNx "froundnx",
} }
names! { FCmpOp {
    Eq "feq",
    Lt "flt",
    Le "fle",
    Ltq "fltq",
    Leq "fleq",
    LtKeep "fltkeep",
    LeKeep "flekeep",
} }
names! { FSelectOp {
    Move "move",
    Neg "neg",
    Abs "abs",
    Zero "zero",
} }
names! { VBinOp {
    Move "vmove",
    Add "vadd",
    Sub "vsub",
    Rsub "vrsub",
    And "vand",
    Or "vor",
    Xor "vxor",
    Min "vmin",
    Minu "vminu",
    Max "vmax",
    Maxu "vmaxu",
    Sll "vsll",
    Srl "vsrl",
    Sra "vsra",
    Mul "vmul",
    Mulh "vmulh",
    Mulhu "vmulhu",
    Macc "vmacc",
    Nmsac "vnmsac",
    Madd "vmadd",
    Nmsub "vnmsub",
    Zext2 "vzext2",
    Zext4 "vzext4",
    Zext8 "vzext8",
    Sext2 "vsext2",
    Sext4 "vsext4",
    Sext8 "vsext8",
    FAdd "vfadd",
    FSub "vfsub",
    FRsub "vfrsub",
    FMul "vfmul",
    FDiv "vfdiv",
    FRdiv "vfrdiv",
    FMacc "vfmacc",
    FNmacc "vfnmacc",
    FMsac "vfmsac",
    FNmsac "vfnmsac",
    FMadd "vfmadd",
    FNmadd "vfnmadd",
    FMsub "vfmsub",
    FNmsub "vfnmsub",
} }
names! { Counter {
    Monotonic "monotonic",
    MonotonicCoarse "monotonic-coarse",
    MonotonicRaw "monotonic-raw",
    Boottime "boottime",
    Realtime "realtime",
    RealtimeCoarse "realtime-coarse",
    Tai "tai",
    Processor "processor",
} }
names! { ExitKind {
    Ecall "ecall",
    Ebreak "ebreak",
    FenceI "fence.i",
    Fetch "fetch",
} }

/// The number after `prefix`, in decimal, below 32.
fn register(text: &str, prefix: char) -> Option<u8> {
    (0..32).find(|n| text.strip_prefix(prefix) == Some(n.to_string().as_str()))
}

impl Field for Reg {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "x{}", self.0)
    }
    fn read(text: &str) -> Option<Self> {
        register(text, 'x').map(Self)
    }
    #[cfg(test)]
    fn any(random: u64) -> Self {
        Self(random as u8 & 31)
    }
}

impl Field for FReg {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "f{}", self.0)
    }
    fn read(text: &str) -> Option<Self> {
        register(text, 'f').map(Self)
    }
    #[cfg(test)]
    fn any(random: u64) -> Self {
        Self(random as u8 & 31)
    }
}

/// `v32`: the register or registers that begin at byte 32.
impl Field for VGroup {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
    fn read(text: &str) -> Option<Self> {
        text.strip_prefix('v')?.parse().ok().map(Self)
    }
    #[cfg(test)]
    fn any(random: u64) -> Self {
        Self(random as u16)
    }
}

impl Field for VSrc {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => group.write(f),
            Self::X(r) => r.write(f),
            Self::Imm(value) => value.write(f),
            Self::F(r) => r.write(f),
        }
    }
    fn read(text: &str) -> Option<Self> {
        let register = || FReg::read(text).map(Self::F).or_else(|| Reg::read(text).map(Self::X));
        let other = || register().or_else(|| i32::read(text).map(Self::Imm));
        VGroup::read(text).map(Self::Group).or_else(other)
    }
    #[cfg(test)]
    fn any(random: u64) -> Self {
        match random >> 62 {
            0 => Self::X(Reg::any(random)),
            1 => Self::Imm(i32::any(random)),
            2 => Self::F(FReg::any(random)),
            _ => Self::Group(VGroup::any(random)),
        }
    }
}

/// `0xd0*4`: `vtype`, and `vl`.
impl Field for VConfig {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}*{}", self.vtype, self.vl)
    }
    fn read(text: &str) -> Option<Self> {
        let (vtype, vl) = text.strip_prefix("0x")?.split_once('*')?;
        Some(Self { vtype: u8::from_str_radix(vtype, 16).ok()?, vl: vl.parse().ok()? })
    }
    #[cfg(test)]
    fn any(random: u64) -> Self {
        Self { vtype: random as u8, vl: (random >> 8) as u16 }
    }
}

impl Field for i32 {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    #[cfg(test)]
    fn any(random: u64) -> Self {
        random as Self
    }
}

impl Field for u64 {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#x}")
    }
    fn read(text: &str) -> Option<Self> {
        Self::from_str_radix(text.strip_prefix("0x")?, 16).ok()
    }
    #[cfg(test)]
    fn any(random: u64) -> Self {
        random
    }
}

impl Field for Src {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reg(r) => r.write(f),
            Self::Imm(value) => value.write(f),
        }
    }
    fn read(text: &str) -> Option<Self> {
        Reg::read(text).map(Self::Reg).or_else(|| i32::read(text).map(Self::Imm))
    }
    #[cfg(test)]
    fn any(random: u64) -> Self {
        if random >> 63 == 0 { Self::Reg(Reg::any(random)) } else { Self::Imm(i32::any(random)) }
    }
}

/// `bu` for an unsigned byte, `b` for a signed one. A doubleword fills the register: `d`.
impl Field for LoadKind {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.size.write(f)?;
        f.write_str(if self.signed || self.size == MemSize::D { "" } else { "u" })
    }
    fn read(text: &str) -> Option<Self> {
        if text == "d" {
            return Some(Self { size: MemSize::D, signed: false });
        }
        let unsigned = text.strip_suffix('u');
        let size = MemSize::read(unsigned.unwrap_or(text))?;
        (size != MemSize::D).then_some(Self { size, signed: unsigned.is_none() })
    }
    #[cfg(test)]
    fn any(random: u64) -> Self {
        let size = MemSize::any(random >> 1);
        Self { size, signed: random & 1 != 0 && size != MemSize::D }
    }
}

/// `2..4@1`: the third and fourth byte, one byte up; with a sign, `2..4@1s`.
impl Field for Bytes {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { from, len, to, signed } = self;
        write!(f, "{from}..{}@{to}{}", from + len, if *signed { "s" } else { "" })
    }
    fn read(text: &str) -> Option<Self> {
        let unsigned = text.strip_suffix('s');
        let (from, rest) = unsigned.unwrap_or(text).split_once("..")?;
        let (end, to) = rest.split_once('@')?;
        let [from, end, to]: [u8; 3] = [from, end, to].map(|n| n.parse().unwrap_or(u8::MAX));
        let len = end.checked_sub(from)?;
        let bytes = Self { from, len, to, signed: unsigned.is_some() };
        (from < 8 && to < 8 && len <= 8 && bytes.exist()).then_some(bytes)
    }
    #[cfg(test)]
    fn any(random: u64) -> Self {
        let part = |shift: u32, below: u8| (random >> shift) as u8 % below;
        let len = 1 + part(0, 8);
        let (from, to) = (part(8, 9 - len), part(16, 9 - len));
        Self { from, len, to, signed: part(24, 2) != 0 }
    }
}

/// `rw:w`: reads and writes before, writes after.
impl Field for Fence {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let part = |on, text| if on { text } else { "" };
        f.write_str(part(self.pr, "r"))?;
        f.write_str(part(self.pw, "w"))?;
        f.write_char(':')?;
        f.write_str(part(self.sr, "r"))?;
        f.write_str(part(self.sw, "w"))
    }
    fn read(text: &str) -> Option<Self> {
        let set = |text: &str| match text {
            "" => Some((false, false)),
            "r" => Some((true, false)),
            "w" => Some((false, true)),
            "rw" => Some((true, true)),
            _ => None,
        };
        let (before, after) = text.split_once(':')?;
        let ((pr, pw), (sr, sw)) = (set(before)?, set(after)?);
        Some(Self { pr, pw, sr, sw })
    }
    #[cfg(test)]
    fn any(random: u64) -> Self {
        let bit = |n: u32| random >> n & 1 != 0;
        Self { pr: bit(0), pw: bit(1), sr: bit(2), sw: bit(3) }
    }
}

/// A set of integer registers, one bit each: `{x1 x5}`.
impl Field for u32 {
    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        let mut space = "";
        for n in (0..32).filter(|n| self >> n & 1 != 0) {
            write!(f, "{space}x{n}")?;
            space = " ";
        }
        f.write_char('}')
    }
    fn read(text: &str) -> Option<Self> {
        let list = text.strip_prefix('{')?.strip_suffix('}')?;
        let mut registers = list.split(' ').filter(|name| !name.is_empty());
        registers.try_fold(0, |set, name| Some(set | 1 << Reg::read(name)?.0))
    }
    #[cfg(test)]
    fn any(random: u64) -> Self {
        random as Self
    }
}
