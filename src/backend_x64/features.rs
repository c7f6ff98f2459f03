//! What the host CPU can do beyond the x86-64 baseline (SSE2).

use crate::backend::features;

features! {
    /// Three-operand vector encodings.
    avx: "avx",
    /// 256-bit vectors of integers, and broadcasts from registers.
    avx2: "avx2",
    /// `andn`.
    bmi1: "bmi1",
    /// `shlx`, `rorx` and kin.
    bmi2: "bmi2",
    /// `vfmadd` and kin.
    fma: "fma",
    /// `lzcnt`.
    lzcnt: "lzcnt",
    /// `pclmulqdq`.
    pclmul: "pclmul",
    /// `popcnt`.
    popcnt: "popcnt",
    /// `roundsd`, `pextrd` and kin.
    sse41: "sse4.1",
}

impl Features {
    /// What this machine has; [`Self::BASELINE`] on another architecture.
    #[must_use]
    pub fn detect() -> Self {
        crate::sys::host_features_x64().map_or(Self::BASELINE, |h| Self {
            avx: h.avx,
            avx2: h.avx2 && h.avx,
            bmi1: h.bmi1,
            bmi2: h.bmi2,
            fma: h.fma && h.avx,
            lzcnt: h.lzcnt,
            pclmul: h.pclmul,
            popcnt: h.popcnt,
            sse41: h.sse41,
        })
    }
}
