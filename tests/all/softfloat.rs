//! `rvnative::softfloat` against Berkeley SoftFloat 3, an independent implementation, built with
//! its RISC-V specialization (tininess after rounding, canonical NaNs, RISC-V's results of invalid
//! conversions).
//!
//! Compared are result bits and all five flags of: add, sub, mul, div, sqrt, fused multiply-add,
//! the five comparisons, conversions to and from all four integer types, between all formats,
//! and rounding to integral; in half, single and double precision, in all five rounding modes.
//! `fcvtmod`, minimum and maximum, `fround`'s inexact flag and classification have no counterpart
//! there: what is expected of them is put together here from SoftFloat's remainder, comparisons
//! and predicates.
//!
//! Operands: all combinations of some forty special ones (zeros, subnormal and normal limits,
//! one and its neighbours, infinities, NaNs of both kinds, limits of integers), then random ones
//! of several shapes: any bits, few bits, extreme and near exponents, and neighbours of another
//! operand, so that results cancel, tie, overflow and become subnormal often.
//!
//! `cargo test` does 100,000 random cases per operation, format and mode. The long run is
//! `RVNATIVE_FP_CASES=10000000 cargo test --release --test all softfloat -- --nocapture`.

use rvnative::softfloat::{self as fp, F16, F32, F64, Format, IntType, Round};
use softfloat_wrapper::{self as soft, ExceptionFlags, Float, RoundingMode};

/// What we do: operands, mode, flags to add to.
type Ours = fn([u64; 3], Round, &mut u8) -> u64;
/// What SoftFloat does; flags are its own affair.
type Theirs = fn([u64; 3], RoundingMode) -> u64;

struct Case {
    name: &'static str,
    operands: usize,
    /// Operands are integers, not of the format.
    from_int: bool,
    ours: Ours,
    theirs: Theirs,
}

fn mode(round: Round) -> RoundingMode {
    match round {
        Round::NearestEven => RoundingMode::TiesToEven,
        Round::Zero => RoundingMode::TowardZero,
        Round::Down => RoundingMode::TowardNegative,
        Round::Up => RoundingMode::TowardPositive,
        Round::NearestAway => RoundingMode::TiesToAway,
    }
}

fn raise(flag: u8) {
    let mut flags = ExceptionFlags::default();
    flags.get();
    ExceptionFlags::from_bits(flags.to_bits() | flag).set();
}

/// Minimum or maximum by SoftFloat's comparisons: the one that `less(a, b)` prefers.
fn choice<T: Float + Copy>(a: T, b: T, minimum: bool, numbers: bool) -> Option<T> {
    if a.is_signaling_nan() || b.is_signaling_nan() {
        raise(16);
    }
    match (a.is_nan(), b.is_nan()) {
        (true, false) if numbers => return Some(b),
        (false, true) if numbers => return Some(a),
        (false, false) => {}
        _ => return None,
    }
    let a_less = a.lt_quiet(b) || a.is_negative_zero() && b.is_positive_zero();
    Some(if a_less == minimum { a } else { b })
}

/// The bit of `fclass`.
fn class<T: Float>(a: T) -> u64 {
    let bits = [
        a.is_negative_infinity(),
        a.is_negative_normal(),
        a.is_negative_subnormal(),
        a.is_negative_zero(),
        a.is_positive_zero(),
        a.is_positive_subnormal(),
        a.is_positive_normal(),
        a.is_positive_infinity(),
        a.is_signaling_nan(),
        a.is_nan() && !a.is_signaling_nan(),
    ];
    bits.iter().enumerate().map(|(n, &is)| u64::from(is) << n).sum()
}

macro_rules! case {
    ($cases:ident $name:ident $operands:literal, $ours:expr, $theirs:expr) => {
        $cases.push(Case {
            name: stringify!($name),
            operands: $operands,
            from_int: false,
            ours: $ours,
            theirs: $theirs,
        })
    };
}

macro_rules! cases_of_format {
    ($function:ident $f:ident $bits:ty) => {
        fn $function() -> Vec<Case> {
            type S = soft::$f;
            fn of(bits: u64) -> S {
                S::from_bits(bits as $bits)
            }
            fn bits(v: S) -> u64 {
                v.to_bits().into()
            }
            let mut c = Vec::new();
            case!(c add 2, |[a, b, _], r, f| fp::add::<$f>(a, b, r, f), |[a, b, _], r| bits(of(a).add(of(b), r)));
            case!(c sub 2, |[a, b, _], r, f| fp::sub::<$f>(a, b, r, f), |[a, b, _], r| bits(of(a).sub(of(b), r)));
            case!(c mul 2, |[a, b, _], r, f| fp::mul::<$f>(a, b, r, f), |[a, b, _], r| bits(of(a).mul(of(b), r)));
            case!(c div 2, |[a, b, _], r, f| fp::div::<$f>(a, b, r, f), |[a, b, _], r| bits(of(a).div(of(b), r)));
            case!(c sqrt 1, |[a, ..], r, f| fp::sqrt::<$f>(a, r, f), |[a, ..], r| bits(of(a).sqrt(r)));
            case!(c mul_add 3, |[x, y, z], r, f| fp::mul_add::<$f>(x, y, z, r, f), |[x, y, z], r| bits(of(x).fused_mul_add(of(y), of(z), r)));
            case!(c equal 2, |[a, b, _], _, f| fp::equal::<$f>(a, b, f).into(), |[a, b, _], _| of(a).eq(of(b)).into());
            case!(c less_than 2, |[a, b, _], _, f| fp::less_than::<$f>(a, b, f).into(), |[a, b, _], _| of(a).lt(of(b)).into());
            case!(c less_equal 2, |[a, b, _], _, f| fp::less_equal::<$f>(a, b, f).into(), |[a, b, _], _| of(a).le(of(b)).into());
            case!(c less_than_quiet 2, |[a, b, _], _, f| fp::less_than_quiet::<$f>(a, b, f).into(), |[a, b, _], _| of(a).lt_quiet(of(b)).into());
            case!(c less_equal_quiet 2, |[a, b, _], _, f| fp::less_equal_quiet::<$f>(a, b, f).into(), |[a, b, _], _| of(a).le_quiet(of(b)).into());
            case!(c min 2, |[a, b, _], _, f| fp::min::<$f>(a, b, f), |[a, b, _], _| choice(of(a), of(b), true, true).map_or($f::NAN, bits));
            case!(c max 2, |[a, b, _], _, f| fp::max::<$f>(a, b, f), |[a, b, _], _| choice(of(a), of(b), false, true).map_or($f::NAN, bits));
            case!(c minimum 2, |[a, b, _], _, f| fp::minimum::<$f>(a, b, f), |[a, b, _], _| choice(of(a), of(b), true, false).map_or($f::NAN, bits));
            case!(c maximum 2, |[a, b, _], _, f| fp::maximum::<$f>(a, b, f), |[a, b, _], _| choice(of(a), of(b), false, false).map_or($f::NAN, bits));
            case!(c classify 1, |[a, ..], _, _| 1 << fp::classify::<$f>(a) as u8, |[a, ..], _| class(of(a)));
            case!(c to_i32 1, |[a, ..], r, f| fp::to_int::<$f>(a, IntType::I32, r, f), |[a, ..], r| of(a).to_i32(r, true) as u64);
            case!(c to_u32 1, |[a, ..], r, f| fp::to_int::<$f>(a, IntType::U32, r, f), |[a, ..], r| of(a).to_u32(r, true) as i32 as u64);
            case!(c to_i64 1, |[a, ..], r, f| fp::to_int::<$f>(a, IntType::I64, r, f), |[a, ..], r| of(a).to_i64(r, true) as u64);
            case!(c to_u64 1, |[a, ..], r, f| fp::to_int::<$f>(a, IntType::U64, r, f), |[a, ..], r| of(a).to_u64(r, true));
            case!(c to_half 1, |[a, ..], r, f| fp::convert::<$f, F16>(a, r, f), |[a, ..], r| of(a).to_f16(r).to_bits().into());
            case!(c to_single 1, |[a, ..], r, f| fp::convert::<$f, F32>(a, r, f), |[a, ..], r| of(a).to_f32(r).to_bits().into());
            case!(c to_double 1, |[a, ..], r, f| fp::convert::<$f, F64>(a, r, f), |[a, ..], r| of(a).to_f64(r).to_bits());
            case!(c round_to_int 1, |[a, ..], r, f| fp::round_to_int::<$f>(a, r, f), |[a, ..], r| bits(of(a).round_to_integral(r)));
            case!(c round_to_int_exact 1, |[a, ..], r, f| fp::round_to_int_exact::<$f>(a, r, f), |[a, ..], r| {
                let rounded = of(a).round_to_integral(r);
                if !rounded.is_nan() && rounded.to_bits() != of(a).to_bits() {
                    raise(1);
                }
                bits(rounded)
            });
            let start = c.len();
            case!(c from_i32 1, |[a, ..], r, f| fp::from_int::<$f>(a, IntType::I32, r, f), |[a, ..], r| bits(S::from_i32(a as i32, r)));
            case!(c from_u32 1, |[a, ..], r, f| fp::from_int::<$f>(a, IntType::U32, r, f), |[a, ..], r| bits(S::from_u32(a as u32, r)));
            case!(c from_i64 1, |[a, ..], r, f| fp::from_int::<$f>(a, IntType::I64, r, f), |[a, ..], r| bits(S::from_i64(a as i64, r)));
            case!(c from_u64 1, |[a, ..], r, f| fp::from_int::<$f>(a, IntType::U64, r, f), |[a, ..], r| bits(S::from_u64(a, r)));
            c[start..].iter_mut().for_each(|case| case.from_int = true);
            c
        }
    };
}

cases_of_format!(half_cases F16 u16);
cases_of_format!(single_cases F32 u32);
cases_of_format!(double_cases F64 u64);

/// `fcvtmod.w.d`: SoftFloat's remainder by 2^32 is exact, and below 2^53 `to_i64` is.
fn modular(a: u64) -> u64 {
    let value = soft::F64::from_bits(a);
    ExceptionFlags::default().set();
    let _ = value.to_i32(RoundingMode::TowardZero, true);
    let mut flags = ExceptionFlags::default();
    flags.get();
    let result = if value.is_nan() || value.is_positive_infinity() || value.is_negative_infinity() {
        0
    } else if value.abs().lt_quiet(soft::F64::from_f64(9e15)) {
        value.to_i64(RoundingMode::TowardZero, false) as i32
    } else {
        let rest = value.rem(soft::F64::from_f64(4_294_967_296.0), RoundingMode::TowardZero);
        rest.to_i64(RoundingMode::TowardZero, false) as i32
    };
    flags.set();
    result as u64
}

/// Small, fast and the same everywhere (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 32) % n
    }
}

/// Operands that are interesting by themselves.
fn specials<F: Format>() -> Vec<u64> {
    let one = (F::INFINITY >> 1) & F::INFINITY;
    let unit = F::FRACTION + 1;
    let positive = [
        0,
        1,
        2,
        F::FRACTION / 2 + 1,
        F::FRACTION,
        F::FRACTION + 1,
        F::FRACTION + 2,
        one - unit,
        one - 1,
        one,
        one + 1,
        one + unit / 2,
        one + unit,
        one + unit * u64::from(F::FRACTION_BITS),
        one + unit * u64::from(F::FRACTION_BITS + 1) + 1,
        F::INFINITY - unit,
        F::INFINITY - 1,
        F::INFINITY,
        F::INFINITY + 1,
        F::NAN - 1,
        F::NAN,
        F::NAN + 1,
    ];
    positive.into_iter().flat_map(|v| [v, v | F::SIGN]).collect()
}

/// A random operand of a random shape; `other` is one that may be stayed close to.
fn operand<F: Format>(random: &mut Random, specials: &[u64], other: u64) -> u64 {
    let mask = F::SIGN | (F::SIGN - 1);
    let unit = F::FRACTION + 1;
    let bits = random.next() & mask;
    let one = (F::INFINITY >> 1) & F::INFINITY;
    match random.below(8) {
        0 | 1 => bits,
        2 => specials[random.below(specials.len() as u64) as usize],
        // Near in value, of either sign.
        3 => (other.wrapping_add(random.below(9)).wrapping_sub(4) ^ bits & F::SIGN) & mask,
        // Near in exponent.
        4 => {
            let near = (other & F::INFINITY)
                .wrapping_add(unit.wrapping_mul(random.below(8)))
                .wrapping_sub(unit * 4)
                & F::INFINITY;
            near | bits & (F::FRACTION | F::SIGN)
        }
        // Few bits: exact results and ties.
        5 => bits & (F::INFINITY | F::SIGN) | 1 << random.below(F::FRACTION_BITS.into()),
        // About one, and where integers end.
        6 => {
            let exponent = (one >> F::FRACTION_BITS) + random.below(70);
            let field = (exponent << F::FRACTION_BITS).min(F::INFINITY - unit);
            field.wrapping_sub(unit * 3) & F::INFINITY | bits & (F::FRACTION | F::SIGN)
        }
        // Subnormal, just above, or huge.
        _ => {
            let low = random.below(3) * unit;
            let field = if random.below(3) == 0 { F::INFINITY - unit - low } else { low };
            field | bits & (F::FRACTION | F::SIGN)
        }
    }
}

/// A random integer, with few significant bits as often as with many.
fn integer(random: &mut Random) -> u64 {
    let near = 1u64 << random.below(64);
    match random.below(4) {
        0 => random.next(),
        1 => random.next() >> random.below(64),
        2 => (random.next() as i64 >> random.below(64)) as u64,
        _ => near.wrapping_add(random.below(5)).wrapping_sub(2),
    }
}

fn compare(format: &str, case: &Case, operands: [u64; 3], round: Round) {
    // Flags are sticky: what was set before stays.
    let mut flags = 0;
    let ours = (case.ours)(operands, round, &mut flags);
    ExceptionFlags::default().set();
    let theirs = (case.theirs)(operands, mode(round));
    let mut expected = ExceptionFlags::default();
    expected.get();
    assert!(
        ours == theirs && flags == expected.to_bits(),
        "{format} {} {round:?} {:x?}: {ours:#x} flags {flags:#x}, SoftFloat {theirs:#x} flags {:#x}",
        case.name,
        &operands[..case.operands],
        expected.to_bits(),
    );
}

fn compare_format<F: Format>(format: &str, cases: &[Case]) {
    let random_cases: u64 = std::env::var("RVNATIVE_FP_CASES")
        .map_or(100_000, |n| n.parse().expect("RVNATIVE_FP_CASES is a number"));
    let specials = specials::<F>();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut count = 0;
    // A format is not converted to itself.
    let own = format!("to_{format}");
    for case in cases.iter().filter(|case| case.name != own) {
        for round in Round::ALL {
            let n = specials.len();
            for index in 0..n.pow(case.operands as u32) {
                let pick = [index % n, index / n % n, index / n / n].map(|i| specials[i]);
                compare(format, case, pick, round);
                count += 1;
            }
            for _ in 0..random_cases {
                let operands = if case.from_int {
                    [integer(&mut random), 0, 0]
                } else {
                    let a = operand::<F>(&mut random, &specials, 0);
                    let b = operand::<F>(&mut random, &specials, a);
                    // For cancellation the addend must be near the product, not near an operand.
                    let product = fp::mul::<F>(a, b, round, &mut 0);
                    [a, b, operand::<F>(&mut random, &specials, product)]
                };
                compare(format, case, operands, round);
                count += 1;
            }
        }
    }
    println!("{format}: {count} comparisons with SoftFloat");
}

#[test]
fn half_precision_agrees_with_softfloat() {
    compare_format::<F16>("half", &half_cases());
}

#[test]
fn single_precision_agrees_with_softfloat() {
    compare_format::<F32>("single", &single_cases());
}

#[test]
fn double_precision_agrees_with_softfloat() {
    let mut cases = double_cases();
    case!(cases to_int_modular 1, |[a, ..], _, f| fp::to_int_modular::<F64>(a, f), |[a, ..], _| modular(a));
    compare_format::<F64>("double", &cases);
}
