//! What floating-point operations mean: arithmetic, comparisons and conversions, exactly, with
//! the flags that they raise.

use super::eval::Registers;
use super::{FBinOp, FCmpOp, FReg, FSelectOp, FUnOp, Fmt, IntFmt, Op, Reg, Rounding};
use crate::softfloat::{self, F16, F32, F64, Format, IntType, Round};

/// Executes a floating-point operation on `r`; `None`, with nothing done, if it is none, or if it
/// is rounded as a reserved value of `frm` says.
pub(super) fn eval(op: &Op, r: &mut Registers) -> Option<()> {
    match *op {
        Op::FBin { op, fmt, rm, fd, a, b } => by_format(fmt, FBin(op, rm, fd, a, b), r),
        Op::FUn { op, fmt, rm, fd, a } => by_format(fmt, FUn(op, rm, fd, a), r),
        Op::FMulAdd { fmt, rm, neg_product, neg_addend, fd, a, b, c } => {
            by_format(fmt, FMulAdd(rm, [neg_product, neg_addend], fd, [a, b, c]), r)
        }
        Op::FCmp { op, fmt, rd, a, b } => by_format(fmt, FCmp(op, rd, a, b), r),
        Op::FClass { fmt, rd, a } => by_format(fmt, FClass(rd, a), r),
        Op::FToInt { fmt, int, rm, rd, a } => by_format(fmt, FToInt(int, rm, rd, a), r),
        Op::FFromInt { fmt, int, rm, fd, a } => by_format(fmt, FFromInt(int, rm, fd, a), r),
        Op::FConvert { from, to, rm, fd, a } => by_format(from, FConvert(to, rm, fd, a), r),
        Op::FSelect { cond, x, y, op, fmt, fd, a } => {
            let [x, y] = [x, y].map(|q| r.x[usize::from(q.0)]);
            if cond.holds(x, y) { Some(()) } else { by_format(fmt, FSelect(op, fd, a), r) }
        }
        _ => None,
    }
}

/// What is done alike with values of each format.
trait Generic {
    /// Does it with values of format `F`; `None` if the rounding mode is reserved.
    fn run<F: Format>(self, r: &mut Registers) -> Option<()>;
}

fn by_format(fmt: Fmt, what: impl Generic, r: &mut Registers) -> Option<()> {
    match fmt {
        Fmt::H => what.run::<F16>(r),
        Fmt::S => what.run::<F32>(r),
        Fmt::D => what.run::<F64>(r),
    }
}

/// All bits of a format.
const fn mask<F: Format>() -> u64 {
    F::SIGN | (F::SIGN - 1)
}

impl Registers {
    /// A register as an operand: a narrower value that is not NaN-boxed is the canonical NaN.
    fn operand<F: Format>(&self, a: FReg) -> u64 {
        let bits = self.f[usize::from(a.0)];
        if bits | mask::<F>() == u64::MAX { bits & mask::<F>() } else { F::NAN }
    }

    /// Writes a result, NaN-boxed.
    fn result<F: Format>(&mut self, fd: FReg, bits: u64) {
        self.f[usize::from(fd.0)] = bits | !mask::<F>();
    }

    /// The mode that an operation is rounded in; `None` if `frm` is reserved.
    fn rounding(&self, rm: Rounding) -> Option<Round> {
        Some(match rm {
            Rounding::Rne => Round::NearestEven,
            Rounding::Rtz => Round::Zero,
            Rounding::Rdn => Round::Down,
            Rounding::Rup => Round::Up,
            Rounding::Rmm => Round::NearestAway,
            Rounding::Dyn => return Round::ALL.get(usize::from(self.frm)).copied(),
        })
    }
}

/// `fd = a op b`
struct FBin(FBinOp, Rounding, FReg, FReg, FReg);

impl Generic for FBin {
    fn run<F: Format>(self, r: &mut Registers) -> Option<()> {
        let Self(op, rm, fd, a, b) = self;
        let [x, y] = [a, b].map(|q| r.operand::<F>(q));
        let sign = |sign: u64| x & !F::SIGN | sign & F::SIGN;
        let round = r.rounding(rm);
        let flags = &mut r.fflags;
        let value = match op {
            FBinOp::Add => softfloat::add::<F>(x, y, round?, flags),
            FBinOp::Sub => softfloat::sub::<F>(x, y, round?, flags),
            FBinOp::Mul => softfloat::mul::<F>(x, y, round?, flags),
            FBinOp::Div => softfloat::div::<F>(x, y, round?, flags),
            FBinOp::Min => softfloat::min::<F>(x, y, flags),
            FBinOp::Max => softfloat::max::<F>(x, y, flags),
            FBinOp::Minm => softfloat::minimum::<F>(x, y, flags),
            FBinOp::Maxm => softfloat::maximum::<F>(x, y, flags),
            FBinOp::Sgnj => sign(y),
            FBinOp::Sgnjn => sign(!y),
            FBinOp::Sgnjx => sign(x ^ y),
        };
        r.result::<F>(fd, value);
        Some(())
    }
}

/// `fd = op a`
struct FUn(FUnOp, Rounding, FReg, FReg);

impl Generic for FUn {
    fn run<F: Format>(self, r: &mut Registers) -> Option<()> {
        let Self(op, rm, fd, a) = self;
        let (x, round) = (r.operand::<F>(a), r.rounding(rm)?);
        let value = match op {
            FUnOp::Sqrt => softfloat::sqrt::<F>(x, round, &mut r.fflags),
            FUnOp::Round => softfloat::round_to_int::<F>(x, round, &mut r.fflags),
            FUnOp::RoundNx => softfloat::round_to_int_exact::<F>(x, round, &mut r.fflags),
        };
        r.result::<F>(fd, value);
        Some(())
    }
}

/// `fd = ±(a * b) ± c`; changing the sign of an operand is exact.
struct FMulAdd(Rounding, [bool; 2], FReg, [FReg; 3]);

impl Generic for FMulAdd {
    fn run<F: Format>(self, r: &mut Registers) -> Option<()> {
        let Self(rm, negated, fd, operands) = self;
        let [a, b, c] = operands.map(|q| r.operand::<F>(q));
        let [product, addend] = negated.map(|n| if n { F::SIGN } else { 0 });
        let round = r.rounding(rm)?;
        let value = softfloat::mul_add::<F>(a ^ product, b, c ^ addend, round, &mut r.fflags);
        r.result::<F>(fd, value);
        Some(())
    }
}

/// `rd = a op b`
struct FCmp(FCmpOp, Reg, FReg, FReg);

impl Generic for FCmp {
    fn run<F: Format>(self, r: &mut Registers) -> Option<()> {
        let Self(op, rd, a, b) = self;
        let [a, b] = [a, b].map(|q| r.operand::<F>(q));
        let flags = &mut r.fflags;
        let result = match op {
            FCmpOp::Eq => softfloat::equal::<F>(a, b, flags),
            FCmpOp::Lt => softfloat::less_than::<F>(a, b, flags),
            FCmpOp::Le => softfloat::less_equal::<F>(a, b, flags),
            FCmpOp::Ltq => softfloat::less_than_quiet::<F>(a, b, flags),
            FCmpOp::Leq => softfloat::less_equal_quiet::<F>(a, b, flags),
            FCmpOp::LtKeep => softfloat::less_than::<F>(a, b, &mut 0),
            FCmpOp::LeKeep => softfloat::less_equal::<F>(a, b, &mut 0),
        };
        r.set(rd, u64::from(result));
        Some(())
    }
}

/// `rd = class of a`
struct FClass(Reg, FReg);

impl Generic for FClass {
    fn run<F: Format>(self, r: &mut Registers) -> Option<()> {
        let class = softfloat::classify::<F>(r.operand::<F>(self.1));
        r.set(self.0, 1 << class as u8);
        Some(())
    }
}

impl IntFmt {
    const fn int_type(self) -> IntType {
        match self {
            Self::W => IntType::I32,
            Self::Wu => IntType::U32,
            Self::L => IntType::I64,
            Self::Lu => IntType::U64,
        }
    }
}

/// Floating point to integer.
struct FToInt(IntFmt, Rounding, Reg, FReg);

impl Generic for FToInt {
    fn run<F: Format>(self, r: &mut Registers) -> Option<()> {
        let Self(int, rm, rd, a) = self;
        let (x, round) = (r.operand::<F>(a), r.rounding(rm)?);
        let value = softfloat::to_int::<F>(x, int.int_type(), round, &mut r.fflags);
        r.set(rd, value);
        Some(())
    }
}

/// Integer to floating point.
struct FFromInt(IntFmt, Rounding, FReg, Reg);

impl Generic for FFromInt {
    fn run<F: Format>(self, r: &mut Registers) -> Option<()> {
        let Self(int, rm, fd, a) = self;
        let (x, round) = (r.x[usize::from(a.0)], r.rounding(rm)?);
        let value = softfloat::from_int::<F>(x, int.int_type(), round, &mut r.fflags);
        r.result::<F>(fd, value);
        Some(())
    }
}

/// From the format to another.
struct FConvert(Fmt, Rounding, FReg, FReg);

impl Generic for FConvert {
    fn run<F: Format>(self, r: &mut Registers) -> Option<()> {
        let Self(to, rm, fd, a) = self;
        let (x, round) = (r.operand::<F>(a), r.rounding(rm)?);
        match to {
            Fmt::H => {
                let value = softfloat::convert::<F, F16>(x, round, &mut r.fflags);
                r.result::<F16>(fd, value);
            }
            Fmt::S => {
                let value = softfloat::convert::<F, F32>(x, round, &mut r.fflags);
                r.result::<F32>(fd, value);
            }
            Fmt::D => {
                let value = softfloat::convert::<F, F64>(x, round, &mut r.fflags);
                r.result::<F64>(fd, value);
            }
        }
        Some(())
    }
}

/// `fd = op a`, where the condition says so.
struct FSelect(FSelectOp, FReg, FReg);

impl Generic for FSelect {
    fn run<F: Format>(self, r: &mut Registers) -> Option<()> {
        let Self(op, fd, a) = self;
        let x = r.operand::<F>(a);
        let value = match op {
            FSelectOp::Move => x,
            FSelectOp::Neg => x ^ F::SIGN,
            FSelectOp::Abs => x & !F::SIGN,
            FSelectOp::Zero => 0,
        };
        r.result::<F>(fd, value);
        Some(())
    }
}
