//! Features of the host's processor.

/// Optional x86-64 instruction sets.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names are the CPU's")]
pub struct HostX64 {
    pub avx: bool,
    pub avx2: bool,
    pub bmi1: bool,
    pub bmi2: bool,
    pub fma: bool,
    pub lzcnt: bool,
    pub pclmul: bool,
    pub popcnt: bool,
    pub sse41: bool,
}

/// What an x86-64 host has; `None` on another one.
#[must_use]
pub fn host_features_x64() -> Option<HostX64> {
    #[cfg(target_arch = "x86_64")]
    return Some(HostX64 {
        avx: std::is_x86_feature_detected!("avx"),
        avx2: std::is_x86_feature_detected!("avx2"),
        bmi1: std::is_x86_feature_detected!("bmi1"),
        bmi2: std::is_x86_feature_detected!("bmi2"),
        fma: std::is_x86_feature_detected!("fma"),
        lzcnt: std::is_x86_feature_detected!("lzcnt"),
        pclmul: std::is_x86_feature_detected!("pclmulqdq"),
        popcnt: std::is_x86_feature_detected!("popcnt"),
        sse41: std::is_x86_feature_detected!("sse4.1"),
    });
    #[cfg(not(target_arch = "x86_64"))]
    None
}

/// Optional aarch64 instructions.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names are the CPU's")]
pub struct HostA64 {
    pub lse: bool,
    pub pmull: bool,
}

/// What an aarch64 host has; `None` on another one.
#[must_use]
pub fn host_features_a64() -> Option<HostA64> {
    #[cfg(target_arch = "aarch64")]
    return Some(HostA64 {
        lse: std::arch::is_aarch64_feature_detected!("lse"),
        // Rust names AES and PMULL together.
        pmull: std::arch::is_aarch64_feature_detected!("aes"),
    });
    #[cfg(not(target_arch = "aarch64"))]
    None
}
