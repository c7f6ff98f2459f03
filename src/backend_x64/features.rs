//! What the host CPU can do beyond the x86-64 baseline (SSE2).

/// Optional instructions that the emitter uses if they are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Three-operand vector encodings.
    pub avx: bool,
    /// 256-bit vectors of integers, and broadcasts from registers.
    pub avx2: bool,
    /// `andn`.
    pub bmi1: bool,
    /// `shlx`, `rorx` and kin.
    pub bmi2: bool,
    /// `vfmadd` and kin.
    pub fma: bool,
    /// `lzcnt`.
    pub lzcnt: bool,
    /// `pclmulqdq`.
    pub pclmul: bool,
    /// `popcnt`.
    pub popcnt: bool,
    /// `roundsd`, `pextrd` and kin.
    pub sse41: bool,
}

/// Names as `--host-features` takes them, with their fields.
type Field = fn(&mut Features) -> &mut bool;
const NAMES: [(&str, Field); 9] = [
    ("avx", |f| &mut f.avx),
    ("avx2", |f| &mut f.avx2),
    ("bmi1", |f| &mut f.bmi1),
    ("bmi2", |f| &mut f.bmi2),
    ("fma", |f| &mut f.fma),
    ("lzcnt", |f| &mut f.lzcnt),
    ("pclmul", |f| &mut f.pclmul),
    ("popcnt", |f| &mut f.popcnt),
    ("sse4.1", |f| &mut f.sse41),
];

impl Features {
    /// Only what every x86-64 CPU has.
    pub const BASELINE: Self = Self {
        avx: false,
        avx2: false,
        bmi1: false,
        bmi2: false,
        fma: false,
        lzcnt: false,
        pclmul: false,
        popcnt: false,
        sse41: false,
    };

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
