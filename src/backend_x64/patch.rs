//! Displacements of jumps.

use crate::util::CodePtr;

/// The displacement to store at `site` so that the jump that ends there leads to `target`.
pub(super) fn rel32(site: CodePtr, target: CodePtr) -> u32 {
    target.0.wrapping_sub(site.0.wrapping_add(4))
}
