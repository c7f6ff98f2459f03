//! Register numbers and their ABI names (psABI, "Register Convention").

/// The register that is always zero.
pub const ZERO: u8 = 0;
/// Return address.
pub const RA: u8 = 1;
/// Stack pointer.
pub const SP: u8 = 2;
/// Global pointer.
pub const GP: u8 = 3;
/// Thread pointer.
pub const TP: u8 = 4;
/// Alternate link register of the psABI (millicode calls).
pub const T0: u8 = 5;
/// First argument and return value; arguments go up to a7 = 17.
pub const A0: u8 = 10;
/// Second argument.
pub const A1: u8 = 11;
/// System call number.
pub const A7: u8 = 17;

const X_NAMES: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
    "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
    "t5", "t6",
];

const F_NAMES: [&str; 32] = [
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2",
    "fa3", "fa4", "fa5", "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9",
    "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
];

/// The ABI name of integer register `n`; only the low five bits count.
pub fn x_name(n: u8) -> &'static str {
    X_NAMES[usize::from(n & 31)]
}

/// The ABI name of floating-point register `n`; only the low five bits count.
pub fn f_name(n: u8) -> &'static str {
    F_NAMES[usize::from(n & 31)]
}

const V_NAMES: [&str; 32] = [
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14",
    "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27",
    "v28", "v29", "v30", "v31",
];

/// The name of vector register `n`; only the low five bits count.
pub fn v_name(n: u8) -> &'static str {
    V_NAMES[usize::from(n & 31)]
}

/// The vector register with the name `name`.
pub fn parse_v(name: &str) -> Option<u8> {
    V_NAMES.iter().position(|n| *n == name).and_then(|n| u8::try_from(n).ok())
}

/// The integer register with the ABI name or the number name (`x10`) `name`.
pub fn parse_x(name: &str) -> Option<u8> {
    if name == "fp" {
        return Some(8);
    }
    parse(name, 'x', &X_NAMES)
}

/// The floating-point register with the ABI name or the number name (`f10`) `name`.
pub fn parse_f(name: &str) -> Option<u8> {
    parse(name, 'f', &F_NAMES)
}

fn parse(name: &str, letter: char, names: &[&str; 32]) -> Option<u8> {
    if let Some(i) = names.iter().position(|n| *n == name) {
        return u8::try_from(i).ok();
    }
    let digits = name.strip_prefix(letter)?;
    let plain =
        digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    digits.parse().ok().filter(|n| plain && *n < 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for n in 0..32 {
            assert_eq!(parse_x(x_name(n)), Some(n));
            assert_eq!(parse_f(f_name(n)), Some(n));
            assert_eq!(parse_v(v_name(n)), Some(n));
            assert_eq!(parse_x(&format!("x{n}")), Some(n));
            assert_eq!(parse_f(&format!("f{n}")), Some(n));
        }
        assert_eq!(parse_x("fp"), Some(8));
        for bad in ["", "x", "x32", "x01", "x+1", "ft0", "X1"] {
            assert_eq!(parse_x(bad), None, "{bad}");
        }
    }
}
