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

/// Distance in instructions, modulo 2^32.
pub(super) fn words(site: CodePtr, target: CodePtr) -> u32 {
    ((target.0.wrapping_sub(site.0) as i32) >> 2) as u32
}
