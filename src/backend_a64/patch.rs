//! Branch instructions that are replaced as a whole: `b` by `b` and `bl` by `bl`, which the
//! architecture allows while other threads execute them (Arm ARM, "Concurrent modification and
//! execution of instructions").

use crate::util::CodePtr;

/// `b` at `site` to `target`; at most 128 MiB apart, which an arena is not larger than.
pub(super) fn b(site: CodePtr, target: CodePtr) -> u32 {
    0x1400_0000 | words(site, target) & 0x03ff_ffff
}

/// `bl` at `site` to `target`.
pub(super) fn bl(site: CodePtr, target: CodePtr) -> u32 {
    b(site, target) | 1 << 31
}

/// A conditional branch without a target, at `site`, to `target`; `None` if it does not reach it.
pub(super) fn conditional(word: u32, site: CodePtr, target: CodePtr) -> Option<u32> {
    let bits = if is_bit_test(word) { 14 } else { 19 };
    let words = words(site, target) as i32;
    let field = words as u32 & ((1 << bits) - 1);
    (words >> (bits - 1) == 0 || words >> (bits - 1) == -1).then_some(word | field << 5)
}

/// True for `tbz` and `tbnz`, which reach less far than the other conditional branches.
const fn is_bit_test(word: u32) -> bool {
    word & 0x7e00_0000 == 0x3600_0000
}

/// Distance in instructions, modulo 2^32.
pub(super) fn words(site: CodePtr, target: CodePtr) -> u32 {
    ((target.0.wrapping_sub(site.0) as i32) >> 2) as u32
}

/// The word of a `b` or `bl` whose target has moved away by `bytes`, modulo 2^32.
pub(super) const fn farther(word: u32, bytes: u32) -> u32 {
    word & !0x03ff_ffff | word.wrapping_add(((bytes as i32) >> 2) as u32) & 0x03ff_ffff
}

/// `movz w0, low ; movk w0, high, lsl 16`: the id of a link, whatever it is.
pub(super) const fn load_id(id: u32) -> [u32; 2] {
    [0x5280_0000 | (id & 0xffff) << 5, 0x72a0_0000 | (id >> 16) << 5]
}
