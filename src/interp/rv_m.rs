//! M: multiplication and division (unprivileged manual, chapter "M"). Division never traps: by
//! zero it gives all ones and the dividend, and the one overflow gives the dividend and zero.

use super::{Data, Hart, Insn, Step, next, word, x};

binary! {
    mul |a, b| a.wrapping_mul(b);
    mulh |a, b| ((i128::from(a as i64) * i128::from(b as i64)) >> 64) as u64;
    // A signed 64-bit number times an unsigned one fits 128 bits.
    mulhsu |a, b| ((i128::from(a as i64) * i128::from(b)) >> 64) as u64;
    mulhu |a, b| ((u128::from(a) * u128::from(b)) >> 64) as u64;
    div |a, b| if b == 0 { u64::MAX } else { (a as i64).wrapping_div(b as i64) as u64 };
    divu |a, b| a.checked_div(b).unwrap_or(u64::MAX);
    rem |a, b| if b == 0 { a } else { (a as i64).wrapping_rem(b as i64) as u64 };
    remu |a, b| a.checked_rem(b).unwrap_or(a);
    mulw |a, b| word(a.wrapping_mul(b));
    divw |a, b| if b as i32 == 0 { u64::MAX } else { (a as i32).wrapping_div(b as i32) as u64 };
    divuw |a, b| word(u64::from((a as u32).checked_div(b as u32).unwrap_or(u32::MAX)));
    remw |a, b| if b as i32 == 0 { word(a) } else { (a as i32).wrapping_rem(b as i32) as u64 };
    remuw |a, b| word(u64::from((a as u32).checked_rem(b as u32).unwrap_or(a as u32)));
}
