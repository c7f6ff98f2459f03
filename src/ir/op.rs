//! The operations.

use super::{
    Bytes, FBinOp, FCmpOp, FSelectOp, FUnOp, Fmt, IntFmt, Rounding, VBinOp, VConfig, VGroup, VSrc,
};
use crate::util::Counter;

/// An integer register by number; 0 reads as zero and drops writes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reg(pub u8);

/// A floating-point register by number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FReg(pub u8);

impl Reg {
    /// The register that is always zero.
    pub const ZERO: Self = Self(0);

    /// True for the register that is always zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// Second operand of an integer operation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Src {
    /// A register.
    Reg(Reg),
    /// A constant, sign-extended to 64 bits.
    Imm(i32),
}

/// How wide an integer operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// On the low 32 bits of the operands; the 32-bit result is sign-extended.
    W,
    /// On 64 bits.
    D,
}

/// Integer operations with two operands, `rd = a op b`. Shift and rotate amounts are taken modulo
/// the width, bit numbers modulo 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinOp {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a & b`
    And,
    /// `a | b`
    Or,
    /// `a ^ b`
    Xor,
    /// `a & !b`
    AndNot,
    /// `a | !b`
    OrNot,
    /// `!(a ^ b)`
    XorNot,
    /// `a << b`
    Sll,
    /// Logical `a >> b`.
    Srl,
    /// Arithmetic `a >> b`.
    Sra,
    /// Rotate left.
    Rol,
    /// Rotate right.
    Ror,
    /// 1 if `a < b` signed, else 0.
    Slt,
    /// 1 if `a < b` unsigned, else 0.
    Sltu,
    /// Signed minimum.
    Min,
    /// Unsigned minimum.
    Minu,
    /// Signed maximum.
    Max,
    /// Unsigned maximum.
    Maxu,
    /// `(a << 1) + b`
    Sh1add,
    /// `(a << 2) + b`
    Sh2add,
    /// `(a << 3) + b`
    Sh3add,
    /// `zext32(a) + b`
    AddUw,
    /// `(zext32(a) << 1) + b`
    Sh1addUw,
    /// `(zext32(a) << 2) + b`
    Sh2addUw,
    /// `(zext32(a) << 3) + b`
    Sh3addUw,
    /// `zext32(a) << b`
    SllUw,
    /// `a & !(1 << b)`
    Bclr,
    /// `(a >> b) & 1`
    Bext,
    /// `a ^ (1 << b)`
    Binv,
    /// `a | (1 << b)`
    Bset,
    /// Low half of the product.
    Mul,
    /// High half of the signed product.
    Mulh,
    /// High half of signed `a` times unsigned `b`.
    Mulhsu,
    /// High half of the unsigned product.
    Mulhu,
    /// Signed quotient; -1 for a zero divisor, `a` on overflow.
    Div,
    /// Unsigned quotient; all ones for a zero divisor.
    Divu,
    /// Signed remainder; `a` for a zero divisor, 0 on overflow.
    Rem,
    /// Unsigned remainder; `a` for a zero divisor.
    Remu,
    /// Low half of the carry-less product.
    Clmul,
    /// High half of the carry-less product.
    Clmulh,
    /// Bits 126..63 of the carry-less product.
    Clmulr,
    /// 0 if `b` is zero, else `a`.
    CzeroEqz,
    /// 0 if `b` is not zero, else `a`.
    CzeroNez,
}

/// Integer operations with one operand, `rd = op a`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnOp {
    /// Leading zeros; the width for 0.
    Clz,
    /// Trailing zeros; the width for 0.
    Ctz,
    /// Number of ones.
    Cpop,
    /// Low 8 bits, sign-extended.
    SextB,
    /// Low 16 bits, sign-extended.
    SextH,
    /// Low 16 bits, zero-extended.
    ZextH,
    /// Low 32 bits, zero-extended.
    ZextW,
    /// Bytes in reverse order.
    Rev8,
    /// Each byte 0xff if it is not zero.
    OrcB,
}

/// Size of a memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemSize {
    /// 1 byte.
    B,
    /// 2 bytes.
    H,
    /// 4 bytes.
    W,
    /// 8 bytes.
    D,
    /// 16 bytes (compare-and-swap only).
    Q,
}

impl MemSize {
    /// Bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        match self {
            Self::B => 1,
            Self::H => 2,
            Self::W => 4,
            Self::D => 8,
            Self::Q => 16,
        }
    }
}

/// What an integer load does with what it read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoadKind {
    /// Bytes read: up to `D`.
    pub size: MemSize,
    /// Sign-extended rather than zero-extended; false where it makes no difference.
    pub signed: bool,
}

/// Conditions of branches, comparing two registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cond {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less, signed.
    Lt,
    /// Greater or equal, signed.
    Ge,
    /// Less, unsigned.
    Ltu,
    /// Greater or equal, unsigned.
    Geu,
}

/// Atomic read-modify-write operations; `rd` gets the old value, sign-extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AmoOp {
    /// Exchange.
    Swap,
    /// Add.
    Add,
    /// Exclusive or.
    Xor,
    /// And.
    And,
    /// Or.
    Or,
    /// Signed minimum.
    Min,
    /// Signed maximum.
    Max,
    /// Unsigned minimum.
    Minu,
    /// Unsigned maximum.
    Maxu,
}

/// Memory ordering: accesses of the first set before the fence come before those of the second
/// set after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fence {
    /// Predecessor reads.
    pub pr: bool,
    /// Predecessor writes.
    pub pw: bool,
    /// Successor reads.
    pub sr: bool,
    /// Successor writes.
    pub sw: bool,
}

/// Why a block ends in leaving translated code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum ExitKind {
    /// Environment call.
    Ecall = 0,
    /// Breakpoint.
    Ebreak = 1,
    /// Instruction fence.
    FenceI = 2,
    /// An encoding that is not legal, or that cannot be fetched: the interpreter finds out which.
    Fetch = 3,
}

impl ExitKind {
    /// From the number that translated code is left with.
    #[must_use]
    pub const fn from_raw(n: u64) -> Self {
        match n {
            0 => Self::Ecall,
            1 => Self::Ebreak,
            2 => Self::FenceI,
            _ => Self::Fetch,
        }
    }
}

/// One operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `rd = value`
    Const {
        /// Destination.
        rd: Reg,
        /// Value.
        value: u64,
    },
    /// `rd = a op b`
    Bin {
        /// Operation.
        op: BinOp,
        /// Width.
        w: Width,
        /// Destination.
        rd: Reg,
        /// First operand.
        a: Reg,
        /// Second operand.
        b: Src,
    },
    /// `rd = op a`
    Un {
        /// Operation.
        op: UnOp,
        /// Width; `D` where it makes no difference.
        w: Width,
        /// Destination.
        rd: Reg,
        /// Operand.
        a: Reg,
    },
    /// `rd = memory[base + off]`
    Load {
        /// Size and extension.
        kind: LoadKind,
        /// Destination; the access happens even if it is the zero register.
        rd: Reg,
        /// Address register.
        base: Reg,
        /// Byte offset.
        off: i32,
    },
    /// `word = memory[base + off]`, its bytes in reverse order if so said; `rd = bytes of word`.
    /// The word is kept for the [`Op::Bytes`] that follow, which replace what guest code makes of
    /// it.
    LoadWord {
        /// Size: `H`, `W` or `D`.
        size: MemSize,
        /// The bytes are reversed.
        reverse: bool,
        /// Destination, which the word goes by; not the zero register.
        rd: Reg,
        /// What the destination gets of it.
        bytes: Bytes,
        /// Address register.
        base: Reg,
        /// Byte offset.
        off: i32,
    },
    /// `rd = bytes of word`, of the word that the last [`Op::LoadWord`] for `word` has loaded. From
    /// there to here, nothing else writes that register, nothing reads one that has bytes of it,
    /// and nothing leaves the block or may be left to the interpreter, as what is long may
    /// ([`super::OpClass`]).
    Bytes {
        /// Destination.
        rd: Reg,
        /// Which bytes.
        bytes: Bytes,
        /// Destination of the load.
        word: Reg,
    },
    /// `memory[base + off] = src`
    Store {
        /// Size.
        size: MemSize,
        /// Value; its low bytes are stored.
        src: Reg,
        /// Address register.
        base: Reg,
        /// Byte offset.
        off: i32,
    },
    /// `fd = memory[base + off]`, NaN-boxed.
    FLoad {
        /// Format.
        fmt: Fmt,
        /// Destination.
        fd: FReg,
        /// Address register.
        base: Reg,
        /// Byte offset.
        off: i32,
    },
    /// `memory[base + off] = fs`, the low bytes as they are.
    FStore {
        /// Format.
        fmt: Fmt,
        /// Value.
        fs: FReg,
        /// Address register.
        base: Reg,
        /// Byte offset.
        off: i32,
    },
    /// Atomic read-modify-write at a naturally aligned address; sequentially consistent.
    Amo {
        /// Operation.
        op: AmoOp,
        /// Size: up to `D`.
        size: MemSize,
        /// Destination of the old value, sign-extended.
        rd: Reg,
        /// Address register.
        base: Reg,
        /// Operand.
        src: Reg,
    },
    /// Load and reserve.
    LoadReserved {
        /// `W` or `D`.
        size: MemSize,
        /// Destination.
        rd: Reg,
        /// Address register.
        base: Reg,
    },
    /// Store if still reserved; `rd` = 0 on success, 1 else.
    StoreConditional {
        /// `W` or `D`.
        size: MemSize,
        /// Destination.
        rd: Reg,
        /// Address register.
        base: Reg,
        /// Value.
        src: Reg,
    },
    /// Atomic compare and swap: if memory equals `rd`, it becomes `src`; `rd` gets the old value,
    /// sign-extended. Sizes up to `D`.
    Cas {
        /// Size: up to `D`.
        size: MemSize,
        /// Expected value and destination.
        rd: Reg,
        /// Address register.
        base: Reg,
        /// New value.
        src: Reg,
    },
    /// Memory ordering.
    Fence(Fence),
    /// Tells the host that this is a spin loop.
    Pause,
    /// `fd = a op b`
    FBin {
        /// Operation.
        op: FBinOp,
        /// Format: `S` or `D`.
        fmt: Fmt,
        /// Rounding, where it matters.
        rm: Rounding,
        /// Destination.
        fd: FReg,
        /// First operand.
        a: FReg,
        /// Second operand.
        b: FReg,
    },
    /// `fd = op a`
    FUn {
        /// Operation.
        op: FUnOp,
        /// Format: `S` or `D`.
        fmt: Fmt,
        /// Rounding.
        rm: Rounding,
        /// Destination.
        fd: FReg,
        /// Operand.
        a: FReg,
    },
    /// `fd = ±(a * b) ± c` with one rounding.
    FMulAdd {
        /// Format: `S` or `D`.
        fmt: Fmt,
        /// Rounding.
        rm: Rounding,
        /// The product is negated.
        neg_product: bool,
        /// The addend is negated.
        neg_addend: bool,
        /// Destination.
        fd: FReg,
        /// Factor.
        a: FReg,
        /// Factor.
        b: FReg,
        /// Addend.
        c: FReg,
    },
    /// `rd = a op b`
    FCmp {
        /// Operation.
        op: FCmpOp,
        /// Format: `S` or `D`.
        fmt: Fmt,
        /// Destination.
        rd: Reg,
        /// First operand.
        a: FReg,
        /// Second operand.
        b: FReg,
    },
    /// `rd = class of a` (a bit per class).
    FClass {
        /// Format: `S` or `D`.
        fmt: Fmt,
        /// Destination.
        rd: Reg,
        /// Operand.
        a: FReg,
    },
    /// Floating point to integer.
    FToInt {
        /// Format of the operand: `S` or `D`.
        fmt: Fmt,
        /// Format of the result.
        int: IntFmt,
        /// Rounding.
        rm: Rounding,
        /// Destination.
        rd: Reg,
        /// Operand.
        a: FReg,
    },
    /// Integer to floating point.
    FFromInt {
        /// Format of the result: `S` or `D`.
        fmt: Fmt,
        /// Format of the operand.
        int: IntFmt,
        /// Rounding.
        rm: Rounding,
        /// Destination.
        fd: FReg,
        /// Operand.
        a: Reg,
    },
    /// Between floating-point formats.
    FConvert {
        /// Format of the operand.
        from: Fmt,
        /// Format of the result.
        to: Fmt,
        /// Rounding.
        rm: Rounding,
        /// Destination.
        fd: FReg,
        /// Operand.
        a: FReg,
    },
    /// `rd =` the bits of `a`, sign-extended from the format; no NaN-box check.
    FMoveToInt {
        /// Format.
        fmt: Fmt,
        /// Destination.
        rd: Reg,
        /// Operand.
        a: FReg,
    },
    /// `fd =` the low bits of `a`, NaN-boxed.
    FMoveFromInt {
        /// Format.
        fmt: Fmt,
        /// Destination.
        fd: FReg,
        /// Operand.
        a: Reg,
    },
    /// `fd = bits`, boxed as given.
    FConst {
        /// Destination.
        fd: FReg,
        /// All 64 bits.
        bits: u64,
    },
    /// `rd =` the accrued floating-point flags.
    ReadFlags {
        /// Destination.
        rd: Reg,
    },
    /// `rd =` the accrued floating-point flags, which become the low five bits of `a`.
    SwapFlags {
        /// Destination, or the zero register.
        rd: Reg,
        /// New flags.
        a: Src,
    },
    /// `rd =` the dynamic rounding mode.
    ReadRounding {
        /// Destination.
        rd: Reg,
    },
    /// `rd =` what a counter of the host is at.
    ReadCounter {
        /// Which.
        counter: Counter,
        /// Destination.
        rd: Reg,
    },
    /// The interpreter executes the instruction at this node's pc. Which registers it touches is
    /// given, so that the rest may stay where it is.
    Helper {
        /// Integer registers read, one bit each.
        reads: u32,
        /// Integer registers written, one bit each.
        writes: u32,
    },
    /// `vtype` and `vl` become those of `config`, and `rd` that `vl`, if `avl` is a constant, or
    /// that much at least; else `vl` is less.
    VSet {
        /// Destination, or the zero register.
        rd: Reg,
        /// Number of elements that are asked for.
        avl: Src,
        /// What is set.
        config: VConfig,
    },
    /// `vtype` and `vl` become those of `to`, if they are those of `from`.
    VRetype {
        /// What there is.
        from: VConfig,
        /// What is set; `vl` is the same.
        to: VConfig,
    },
    /// `vd =` elements at `base` and behind it.
    VLoad {
        /// For which `vtype` and `vl`.
        config: VConfig,
        /// Bytes of an element, whatever `vtype` says: up to `D`.
        width: MemSize,
        /// Destination.
        vd: VGroup,
        /// Address register.
        base: Reg,
    },
    /// Elements at `base` and behind it `= vs`.
    VStore {
        /// For which `vtype` and `vl`.
        config: VConfig,
        /// Bytes of an element, whatever `vtype` says: up to `D`.
        width: MemSize,
        /// Value.
        vs: VGroup,
        /// Address register.
        base: Reg,
    },
    /// `vd =` so many bytes at `base`, whatever `vtype` and `vl` are.
    VLoadWhole {
        /// Bytes of whole registers.
        bytes: i32,
        /// Destination.
        vd: VGroup,
        /// Address register.
        base: Reg,
    },
    /// So many bytes at `base = vs`, whatever `vtype` and `vl` are.
    VStoreWhole {
        /// Bytes of whole registers.
        bytes: i32,
        /// Value.
        vs: VGroup,
        /// Address register.
        base: Reg,
    },
    /// `vd = a op b`, for each element.
    VBin {
        /// Operation.
        op: VBinOp,
        /// For which `vtype` and `vl`.
        config: VConfig,
        /// Destination.
        vd: VGroup,
        /// First operand.
        a: VGroup,
        /// Second operand.
        b: VSrc,
    },
    /// `vd =` so many bytes at `a`, from the first on, which may lie behind `vd` in the same group;
    /// then so many elements `b`.
    VMove {
        /// For which `vtype` and `vl`.
        config: VConfig,
        /// Bytes that are copied.
        bytes: i32,
        /// Destination.
        vd: VGroup,
        /// Source.
        a: VGroup,
        /// Elements that follow.
        filled: i32,
        /// Their value, no group.
        b: VSrc,
    },
    /// `vd[0] = init[0] op a[0] op a[1] ...`, from left to right.
    VReduce {
        /// Operation: one that is associative, or [`VBinOp::FAdd`].
        op: VBinOp,
        /// For which `vtype` and `vl`.
        config: VConfig,
        /// Destination.
        vd: VGroup,
        /// Elements.
        a: VGroup,
        /// The first operand.
        init: VGroup,
    },
    /// `rd = a[0]`, sign-extended.
    VToInt {
        /// For which `vtype` and `vl`.
        config: VConfig,
        /// Destination.
        rd: Reg,
        /// Source.
        a: VGroup,
    },
    /// `fd = a[0]`, a number.
    VToFloat {
        /// For which `vtype` and `vl`.
        config: VConfig,
        /// Destination.
        fd: FReg,
        /// Source.
        a: VGroup,
    },
    /// The interpreter executes the vector instruction at this node's pc, which has to do with no
    /// floating-point register and leaves `vtype` and `vl` alone.
    VHelper {
        /// Integer registers read, one bit each.
        reads: u32,
        /// Integer registers written, one bit each.
        writes: u32,
    },
    /// If `a cond b`, goes to `target`; else goes on with the next node.
    Branch {
        /// Condition.
        cond: Cond,
        /// First operand.
        a: Reg,
        /// Second operand.
        b: Reg,
        /// Guest address.
        target: u64,
    },
    /// `rd = a op b`, unless `x cond y`: a branch over an operation that can neither fault nor be
    /// seen otherwise.
    Select {
        /// Condition on which `rd` stays as it is.
        cond: Cond,
        /// First operand of the condition.
        x: Reg,
        /// Second operand of the condition.
        y: Reg,
        /// Operation.
        op: BinOp,
        /// Width.
        w: Width,
        /// Destination.
        rd: Reg,
        /// First operand.
        a: Reg,
        /// Second operand.
        b: Src,
    },
    /// `fd = op a`, unless `x cond y`. A single that is not NaN-boxed is the canonical NaN.
    FSelect {
        /// Condition on which `fd` stays as it is.
        cond: Cond,
        /// First operand of the condition.
        x: Reg,
        /// Second operand of the condition.
        y: Reg,
        /// Operation.
        op: FSelectOp,
        /// Format: `S` or `D`.
        fmt: Fmt,
        /// Destination.
        fd: FReg,
        /// Operand.
        a: FReg,
    },
    /// Goes to `target`. Ends the block.
    Jump {
        /// Guest address.
        target: u64,
    },
    /// `link = ret`, then calls `target`; the next node (or, at the end of the block, code at
    /// `ret`) runs when the callee returns to `ret`.
    Call {
        /// Guest address.
        target: u64,
        /// Register of the return address.
        link: Reg,
        /// Return address.
        ret: u64,
    },
    /// `t = (base + off) & !1; link = ret`, then calls `t`, as [`Op::Call`].
    CallIndirect {
        /// Address register, read before `link` is written.
        base: Reg,
        /// Byte offset.
        off: i32,
        /// Register of the return address.
        link: Reg,
        /// Return address.
        ret: u64,
    },
    /// Goes to `(base + off) & !1`, after `link = ret` if there is a `link`. Ends the block.
    JumpIndirect {
        /// Address register, read before `link` is written.
        base: Reg,
        /// Byte offset.
        off: i32,
        /// Register of the return address, or the zero register.
        link: Reg,
        /// Value of `link`.
        ret: u64,
        /// Expected to return to the latest call.
        is_return: bool,
    },
    /// Leaves translated code at this node's pc. Ends the block.
    Exit(ExitKind),
}
