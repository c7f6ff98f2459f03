//! What the host CPU can do beyond ARMv8.0.

/// Optional instructions that the emitter uses if they are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Atomic instructions in place of exclusive pairs (FEAT_LSE).
    pub lse: bool,
    /// Carry-less products of 64 bits (FEAT_PMULL).
    pub pmull: bool,
}

/// Names as `--host-features` takes them, with their fields.
type Field = fn(&mut Features) -> &mut bool;
const NAMES: [(&str, Field); 2] = [("lse", |f| &mut f.lse), ("pmull", |f| &mut f.pmull)];

impl Features {
    /// Only what every aarch64 CPU has.
    pub const BASELINE: Self = Self { lse: false, pmull: false };

    /// What this machine has; [`Self::BASELINE`] on another architecture.
    #[must_use]
    pub fn detect() -> Self {
        crate::sys::host_features_a64()
            .map_or(Self::BASELINE, |h| Self { lse: h.lse, pmull: h.pmull })
    }

    /// Switches a feature by name. `None` if there is no such name.
    pub fn set(&mut self, name: &str, on: bool) -> Option<()> {
        let (_, field) = NAMES.iter().find(|(n, _)| *n == name)?;
        *field(self) = on;
        Some(())
    }

    /// Names of all features, and whether each is on.
    #[must_use]
    pub fn list(mut self) -> Vec<(&'static str, bool)> {
        NAMES.iter().map(|(n, field)| (*n, *field(&mut self))).collect()
    }
}
