//! Zba, Zbb, Zbc, Zbs and Zicond (unprivileged manual, chapters "B" and "Zicond").

use super::{Data, Hart, Insn, Step, next, word, x};

/// The low 32 bits, zero-extended.
#[inline(always)]
fn uw(v: u64) -> u64 {
    u64::from(v as u32)
}

binary! {
    add_uw |a, b| b.wrapping_add(uw(a));
    sh1add |a, b| b.wrapping_add(a << 1);
    sh2add |a, b| b.wrapping_add(a << 2);
    sh3add |a, b| b.wrapping_add(a << 3);
    sh1add_uw |a, b| b.wrapping_add(uw(a) << 1);
    sh2add_uw |a, b| b.wrapping_add(uw(a) << 2);
    sh3add_uw |a, b| b.wrapping_add(uw(a) << 3);

    andn |a, b| a & !b;
    orn |a, b| a | !b;
    xnor |a, b| !(a ^ b);
    max |a, b| (a as i64).max(b as i64) as u64;
    maxu |a, b| a.max(b);
    min |a, b| (a as i64).min(b as i64) as u64;
    minu |a, b| a.min(b);
    // `rotate_*` take the amount modulo the width.
    rol |a, b| a.rotate_left(b as u32);
    ror |a, b| a.rotate_right(b as u32);
    rolw |a, b| word(u64::from((a as u32).rotate_left(b as u32)));
    rorw |a, b| word(u64::from((a as u32).rotate_right(b as u32)));

    clmul |a, b| carryless_product(a, b) as u64;
    clmulr |a, b| (carryless_product(a, b) >> 63) as u64;
    clmulh |a, b| (carryless_product(a, b) >> 64) as u64;

    bclr |a, b| a & !(1 << (b & 63));
    bext |a, b| a >> (b & 63) & 1;
    binv |a, b| a ^ 1 << (b & 63);
    bset |a, b| a | 1 << (b & 63);

    czero_eqz |a, b| if b == 0 { 0 } else { a };
    czero_nez |a, b| if b != 0 { 0 } else { a };
}

immediate! {
    slli_uw |a, shamt| uw(a) << (shamt & 63);
    rori |a, shamt| a.rotate_right(shamt as u32);
    roriw |a, shamt| word(u64::from((a as u32).rotate_right(shamt as u32)));
    bclri |a, shamt| a & !(1 << (shamt & 63));
    bexti |a, shamt| a >> (shamt & 63) & 1;
    binvi |a, shamt| a ^ 1 << (shamt & 63);
    bseti |a, shamt| a | 1 << (shamt & 63);
}

unary! {
    clz |a| u64::from(a.leading_zeros());
    ctz |a| u64::from(a.trailing_zeros());
    cpop |a| u64::from(a.count_ones());
    clzw |a| u64::from((a as u32).leading_zeros());
    ctzw |a| u64::from((a as u32).trailing_zeros());
    cpopw |a| u64::from((a as u32).count_ones());
    sext_b |a| a as i8 as u64;
    sext_h |a| a as i16 as u64;
    zext_h |a| u64::from(a as u16);
    orc_b |a| u64::from_le_bytes(a.to_le_bytes().map(|b| if b == 0 { 0 } else { 0xff }));
    rev8 |a| a.swap_bytes();
}

/// Product of two polynomials over GF(2).
fn carryless_product(a: u64, b: u64) -> u128 {
    (0..64).filter(|n| b >> n & 1 != 0).fold(0, |sum, n| sum ^ u128::from(a) << n)
}
