//! What the host CPU can do beyond ARMv8.0.

use crate::backend::features;

features! {
    /// Atomic instructions in place of exclusive pairs (FEAT_LSE).
    lse: "lse",
    /// Carry-less products of 64 bits (FEAT_PMULL).
    pmull: "pmull",
}

impl Features {
    /// What this machine has; [`Self::BASELINE`] on another architecture.
    #[must_use]
    pub fn detect() -> Self {
        crate::sys::host_features_a64()
            .map_or(Self::BASELINE, |h| Self { lse: h.lse, pmull: h.pmull })
    }
}
