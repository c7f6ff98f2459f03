//! Extensions, sets of them, profiles, and `Isa`: what this hart implements.

use std::fmt;
use std::str::FromStr;

macro_rules! define_ext {
    ($($name:ident $text:literal $doc:literal;)*) => {
        /// An extension of RV64, in the order in which Linux prints them in `/proc/cpuinfo`
        /// (kernel: `riscv_isa_ext` in `arch/riscv/kernel/cpufeature.c`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Ext { $(#[doc = $doc] $name),* }

        impl Ext {
            /// All extensions, in canonical order.
            pub const ALL: &[Ext] = &[$(Ext::$name),*];

            /// The name in lower case, as in ISA strings.
            pub const fn name(self) -> &'static str {
                match self { $(Ext::$name => $text),* }
            }
        }
    };
}

define_ext! {
    I "i" "The base integer instructions.";
    M "m" "Multiplication and division.";
    A "a" "Atomics: Zaamo and Zalrsc.";
    F "f" "Single-precision floating point.";
    D "d" "Double-precision floating point.";
    C "c" "Compressed instructions: Zca, and Zcd where there is D.";
    V "v" "Vectors: VLEN of 128 bits or more, elements of up to 64 bits (Zve64d, Zvl128b).";
    Zic64b "zic64b" "Cache blocks are 64 bytes.";
    Zicbom "zicbom" "Cache-block management.";
    Zicbop "zicbop" "Cache-block prefetch HINTs.";
    Zicboz "zicboz" "Cache-block zero.";
    Ziccamoa "ziccamoa" "Main memory supports all of A.";
    Ziccamoc "ziccamoc" "Main memory supports compare-and-swap.";
    Ziccif "ziccif" "Main memory supports instruction fetch with atomicity.";
    Zicclsm "zicclsm" "Main memory supports misaligned loads and stores.";
    Ziccrse "ziccrse" "Main memory makes LR/SC loops eventually succeed.";
    Zicntr "zicntr" "The CSRs cycle, time and instret.";
    Zicond "zicond" "Conditional zero.";
    Zicsr "zicsr" "CSR instructions.";
    Zifencei "zifencei" "Instruction-fetch fence.";
    Zihintntl "zihintntl" "Non-temporal locality HINTs.";
    Zihintpause "zihintpause" "The pause HINT.";
    Zihpm "zihpm" "The CSRs hpmcounter3 to hpmcounter31.";
    Zimop "zimop" "May-be-operations.";
    Za64rs "za64rs" "Reservation sets are 64 bytes, naturally aligned.";
    Zaamo "zaamo" "Atomic read-modify-write.";
    Zabha "zabha" "Atomics on bytes and halfwords.";
    Zacas "zacas" "Atomic compare and swap.";
    Zalrsc "zalrsc" "Load-reserved and store-conditional.";
    Zawrs "zawrs" "Wait on reservation set.";
    Zfa "zfa" "Additional floating point.";
    Zfbfmin "zfbfmin" "bfloat16: conversions.";
    Zfh "zfh" "Half precision.";
    Zfhmin "zfhmin" "Half precision: loads, stores, moves and conversions.";
    Zca "zca" "Compressed instructions without floating point.";
    Zcb "zcb" "More compressed instructions.";
    Zcd "zcd" "Compressed double-precision loads and stores.";
    Zcmop "zcmop" "Compressed may-be-operations.";
    Zba "zba" "Address generation.";
    Zbb "zbb" "Basic bit manipulation.";
    Zbc "zbc" "Carry-less multiplication.";
    Zbs "zbs" "Single-bit instructions.";
    Zkt "zkt" "Data-independent execution time.";
    Zvbb "zvbb" "Vector bit manipulation.";
    Zvbc "zvbc" "Vector carry-less multiplication.";
    Zvfbfmin "zvfbfmin" "Vector bfloat16: conversions.";
    Zvfbfwma "zvfbfwma" "Vector bfloat16: widening multiply-add.";
    Zvfh "zvfh" "Vector half precision.";
    Zvfhmin "zvfhmin" "Vector half precision: conversions.";
    Zvkb "zvkb" "Vector bit manipulation for cryptography, a part of Zvbb.";
    Zvkg "zvkg" "Vector GCM and GMAC.";
    Zvkned "zvkned" "Vector AES.";
    Zvknha "zvknha" "Vector SHA-256.";
    Zvknhb "zvknhb" "Vector SHA-256 and SHA-512.";
    Zvksed "zvksed" "Vector SM4.";
    Zvksh "zvksh" "Vector SM3.";
    Zvkt "zvkt" "Data-independent execution time of vector instructions.";
}

impl Ext {
    /// What must be there for this extension to be there, not counting `I`.
    const fn implies(self) -> &'static [Ext] {
        match self {
            Ext::A => &[Ext::Zaamo, Ext::Zalrsc],
            Ext::F => &[Ext::Zicsr],
            Ext::D | Ext::Zfa | Ext::Zfhmin => &[Ext::F],
            // Zfbfmin has the moves, loads and stores of Zfhmin.
            Ext::Zfh | Ext::Zfbfmin => &[Ext::Zfhmin],
            Ext::V => &[Ext::D],
            Ext::Zvbb => &[Ext::Zvkb],
            Ext::Zvfh => &[Ext::Zvfhmin, Ext::Zfhmin],
            Ext::Zvfbfwma => &[Ext::Zvfbfmin, Ext::Zfbfmin],
            Ext::Zvknhb => &[Ext::Zvknha],
            Ext::Zvbc
            | Ext::Zvfbfmin
            | Ext::Zvfhmin
            | Ext::Zvkb
            | Ext::Zvkg
            | Ext::Zvkned
            | Ext::Zvknha
            | Ext::Zvksed
            | Ext::Zvksh
            | Ext::Zvkt => &[Ext::V],
            Ext::Ziccamoc => &[Ext::Zacas],
            Ext::C | Ext::Zcb | Ext::Zcmop => &[Ext::Zca],
            Ext::Zcd => &[Ext::Zca, Ext::D],
            Ext::Zabha | Ext::Zacas => &[Ext::Zaamo],
            Ext::Zawrs => &[Ext::Zalrsc],
            Ext::Zicntr | Ext::Zihpm => &[Ext::Zicsr],
            _ => &[],
        }
    }

    /// The extension with this name, in lower case.
    pub fn from_name(name: &str) -> Option<Ext> {
        Ext::ALL.iter().copied().find(|ext| ext.name() == name)
    }
}

/// A set of extensions. A plain set: no rule holds between its members (see [`Isa`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ExtSet(u64);

const _: () = assert!(Ext::ALL.len() <= 64, "ExtSet is a u64");

impl ExtSet {
    /// The empty set.
    pub const EMPTY: ExtSet = ExtSet(0);

    /// This set and `ext`.
    #[must_use]
    pub const fn with(self, ext: Ext) -> ExtSet {
        ExtSet(self.0 | 1 << ext as u8)
    }

    /// This set without `ext`.
    #[must_use]
    pub const fn without(self, ext: Ext) -> ExtSet {
        ExtSet(self.0 & !(1 << ext as u8))
    }

    /// Whether `ext` is in the set.
    #[inline]
    pub const fn contains(self, ext: Ext) -> bool {
        self.0 >> ext as u8 & 1 != 0
    }

    /// Whether all of `other` is in the set.
    #[inline]
    pub const fn contains_all(self, other: ExtSet) -> bool {
        other.0 & !self.0 == 0
    }

    /// The members, in canonical order.
    pub fn iter(self) -> impl Iterator<Item = Ext> {
        Ext::ALL.iter().copied().filter(move |ext| self.contains(*ext))
    }
}

impl FromIterator<Ext> for ExtSet {
    fn from_iter<T: IntoIterator<Item = Ext>>(iter: T) -> Self {
        iter.into_iter().fold(ExtSet::EMPTY, ExtSet::with)
    }
}

/// A RISC-V application profile (RVA profiles specification).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// RVA20U64.
    Rva20u64,
    /// RVA22U64.
    Rva22u64,
    /// RVA23U64.
    Rva23u64,
}

/// What RVA20U64 mandates. (Its Za128rs follows from Za64rs.)
const RVA20: &[&str] = &[
    "i", "m", "a", "f", "d", "c", "zicsr", "zicntr", "ziccif", "ziccrse", "ziccamoa", "zicclsm",
    "za64rs",
];
/// What RVA22U64 mandates beyond RVA20U64.
const RVA22: &[&str] = &[
    "zihpm",
    "zba",
    "zbb",
    "zbs",
    "zihintpause",
    "zic64b",
    "zicbom",
    "zicbop",
    "zicboz",
    "zfhmin",
    "zkt",
];
/// What RVA23U64 mandates beyond RVA22U64.
const RVA23: &[&str] = &[
    "v",
    "zvfhmin",
    "zvbb",
    "zvkt",
    "zihintntl",
    "zicond",
    "zimop",
    "zcmop",
    "zcb",
    "zfa",
    "zawrs",
    "supm",
];

impl Profile {
    /// All profiles.
    pub const ALL: [Profile; 3] = [Profile::Rva20u64, Profile::Rva22u64, Profile::Rva23u64];

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Profile::Rva20u64 => "rva20u64",
            Profile::Rva22u64 => "rva22u64",
            Profile::Rva23u64 => "rva23u64",
        }
    }

    /// The mandatory extensions, by name.
    pub fn mandatory(self) -> impl Iterator<Item = &'static str> {
        let layers: &[&[&str]] = match self {
            Profile::Rva20u64 => &[RVA20],
            Profile::Rva22u64 => &[RVA20, RVA22],
            Profile::Rva23u64 => &[RVA20, RVA22, RVA23],
        };
        layers.iter().flat_map(|layer| layer.iter().copied())
    }

    /// The mandatory extensions that are not implemented, so that an [`Isa`] made from this profile
    /// lacks them: RVA23U64's pointer masking.
    pub fn absent(self) -> impl Iterator<Item = &'static str> {
        self.mandatory().filter(|name| Ext::from_name(name).is_none())
    }
}

/// Why a string names no [`Isa`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseIsaError {
    /// The base is not a profile, `max`, `default`, or `rv64` followed by `i` or `g`.
    #[error(
        "unknown base `{0}`: expected rv64i..., rv64g..., rva20u64, rva22u64, rva23u64, max or \
         default"
    )]
    UnknownBase(String),
    /// An extension that is unknown or not implemented.
    #[error("extension `{0}` is not implemented")]
    UnknownExtension(String),
    /// Something after a comma that does not begin with `+`, `-` or `vlen=`.
    #[error("expected `+extension`, `-extension` or `vlen=bits`, found `{0}`")]
    MissingSign(String),
    /// The base integer instructions cannot be taken away.
    #[error("the base `i` cannot be removed")]
    NoBase,
    /// A length of vector registers that is not supported.
    #[error("vlen is 128, 256 or 512, not `{0}`")]
    UnknownVlen(String),
}

/// What a hart implements: a set of extensions that is closed under the manual's dependencies.
///
/// Made from a string: `default` (all that is translated to host code: no vectors, and no
/// arithmetic in half precision), `max` (all that is implemented), a profile, or an ISA string such
/// as `rv64gc` or `rv64imafdc_zba_zbb`, followed by any number of `,+ext`, `,-ext` and
/// `,vlen=bits`. A string that starts with a sign changes the default. Taking an extension away
/// takes with it what depends on it. Vector registers have 128 bits unless `vlen=256`, `vlen=512`,
/// `zvl256b` or `zvl512b` says otherwise.
///
/// As Linux does, an ISA string always has Zicsr, Zifencei, Zicntr and Zihpm, which were part of
/// `i` when the port began; and so have profiles Zifencei. `,-zifencei` removes it.
///
/// ```
/// let isa: rvnative::isa::Isa = "rv64gc,+zba,-c".parse()?;
/// assert!(isa.has(rvnative::isa::Ext::Zba) && !isa.has(rvnative::isa::Ext::Zca));
/// # Ok::<(), rvnative::isa::ParseIsaError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Isa {
    set: ExtSet,
    /// Bits of a vector register; [`MIN_VLEN`] also where there are none.
    vlen: u16,
}

/// Bits of a vector register, the least that V allows.
const MIN_VLEN: u16 = 128;
/// The lengths of vector registers that are supported.
const VLENS: [u16; 3] = [MIN_VLEN, 256, 512];

/// What [`Isa::default`] lacks: what the interpreter executes, and promises without instructions
/// that came with it.
const NOT_DEFAULT: &[Ext] = &[Ext::V, Ext::Zfh, Ext::Zfbfmin, Ext::Ziccamoc, Ext::Zkt];

impl Default for Isa {
    fn default() -> Isa {
        let mut isa = Isa::MAX;
        NOT_DEFAULT.iter().for_each(|&ext| isa.disable(ext));
        isa
    }
}

impl Isa {
    /// Everything that is implemented.
    pub const MAX: Isa = {
        let mut set = ExtSet::EMPTY;
        let mut i = 0;
        while i < Ext::ALL.len() {
            set = set.with(Ext::ALL[i]);
            i += 1;
        }
        Isa { set, vlen: MIN_VLEN }
    };

    /// The base `i` alone, without even Zicsr.
    pub const BASE: Isa = Isa { set: ExtSet::EMPTY.with(Ext::I), vlen: MIN_VLEN };

    /// RV64GC with what Linux takes for granted.
    pub fn rv64gc() -> Isa {
        let mut isa = Isa::linux_base();
        [Ext::M, Ext::A, Ext::D, Ext::C].into_iter().for_each(|ext| isa.enable(ext));
        isa
    }

    /// What is implemented of a profile (see [`Profile::absent`]), and Zifencei.
    pub fn from_profile(profile: Profile) -> Isa {
        let mut isa = Isa::BASE;
        isa.enable(Ext::Zifencei);
        profile.mandatory().filter_map(Ext::from_name).for_each(|ext| isa.enable(ext));
        isa
    }

    fn linux_base() -> Isa {
        let mut isa = Isa::BASE;
        [Ext::Zifencei, Ext::Zicntr, Ext::Zihpm].into_iter().for_each(|ext| isa.enable(ext));
        isa
    }

    /// Adds what `name` stands for.
    fn add(&mut self, name: &str) -> Result<(), ParseIsaError> {
        named(name)?.iter().for_each(|&ext| self.enable(ext));
        let vlen = VLENS.into_iter().find(|vlen| name == format!("zvl{vlen}b"));
        self.vlen = self.vlen.max(vlen.unwrap_or(MIN_VLEN));
        Ok(())
    }

    /// The set of extensions.
    #[inline]
    pub const fn exts(&self) -> ExtSet {
        self.set
    }

    /// Whether `ext` is implemented.
    #[inline]
    pub const fn has(&self, ext: Ext) -> bool {
        self.set.contains(ext)
    }

    /// Bytes of a vector register: 0 without V.
    #[inline]
    pub const fn vlenb(&self) -> u16 {
        if self.has(Ext::V) { self.vlen / 8 } else { 0 }
    }

    /// Adds `ext` and all it depends on.
    pub fn enable(&mut self, ext: Ext) {
        if !self.set.contains(ext) {
            self.set = self.set.with(ext);
            ext.implies().iter().for_each(|&e| self.enable(e));
        }
        self.compose();
    }

    /// Removes `ext` and all that depends on it; `A` and `C` also with their parts. `I` stays.
    pub fn disable(&mut self, ext: Ext) {
        if ext == Ext::I || !self.set.contains(ext) {
            return;
        }
        if matches!(ext, Ext::A | Ext::C) {
            ext.implies().iter().for_each(|&part| self.remove(part));
        }
        self.remove(ext);
        self.compose();
    }

    /// Removes `ext` and all that depends on it.
    fn remove(&mut self, ext: Ext) {
        if !self.set.contains(ext) {
            return;
        }
        self.set = self.set.without(ext);
        if ext == Ext::Zcd && self.has(Ext::D) {
            self.set = self.set.without(Ext::C);
        }
        for &other in Ext::ALL {
            if other.implies().contains(&ext) {
                self.remove(other);
            }
        }
    }

    /// The names that stand for combinations: A is Zaamo with Zalrsc; C is Zca, with Zcd if there
    /// is D.
    fn compose(&mut self) {
        if self.has(Ext::Zaamo) && self.has(Ext::Zalrsc) {
            self.set = self.set.with(Ext::A);
        }
        if self.has(Ext::C) && self.has(Ext::D) {
            self.set = self.set.with(Ext::Zcd);
        }
        if self.has(Ext::Zca) && (!self.has(Ext::D) || self.has(Ext::Zcd)) {
            self.set = self.set.with(Ext::C);
        }
    }

    /// The ISA string in canonical order, as in the `isa` line of `/proc/cpuinfo`.
    pub fn march_string(&self) -> String {
        let mut text = String::from("rv64");
        for ext in self.set.iter() {
            if ext.name().len() > 1 {
                text.push('_');
            }
            text.push_str(ext.name());
        }
        text
    }

    /// The auxiliary vector's `AT_HWCAP`: bit `letter - 'A'` for each single-letter extension
    /// (kernel: `COMPAT_HWCAP_ISA_*` in `arch/riscv/include/uapi/asm/hwcap.h`).
    pub fn hwcap(&self) -> u64 {
        let letter = |ext: Ext| match ext.name().as_bytes() {
            [letter] => 1 << (letter - b'a'),
            _ => 0,
        };
        self.set.iter().map(letter).sum()
    }
}

/// The ISA string, and the length of vector registers if it is not that of V.
impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.march_string())?;
        if self.has(Ext::V) && self.vlen > MIN_VLEN {
            write!(f, "_zvl{}b", self.vlen)
        } else {
            Ok(())
        }
    }
}

impl FromStr for Isa {
    type Err = ParseIsaError;

    fn from_str(text: &str) -> Result<Isa, ParseIsaError> {
        let lower = text.trim().to_ascii_lowercase();
        let mut items = lower.split(',').map(str::trim);
        let mut isa = Isa::default();
        if !lower.starts_with(['+', '-']) {
            isa = parse_base(items.next().unwrap_or_default())?;
        }
        for item in items {
            if let Some(name) = item.strip_prefix('+') {
                isa.add(name)?;
            } else if let Some(bits) = item.strip_prefix("vlen=") {
                let vlen = VLENS.into_iter().find(|vlen| vlen.to_string() == bits);
                isa.vlen = vlen.ok_or_else(|| ParseIsaError::UnknownVlen(bits.to_owned()))?;
            } else if let Some(name) = item.strip_prefix('-') {
                for &ext in named(name)? {
                    if ext == Ext::I {
                        return Err(ParseIsaError::NoBase);
                    }
                    isa.disable(ext);
                }
            } else {
                return Err(ParseIsaError::MissingSign(item.to_owned()));
            }
        }
        Ok(isa)
    }
}

fn parse_base(base: &str) -> Result<Isa, ParseIsaError> {
    match base {
        "max" => return Ok(Isa::MAX),
        "default" => return Ok(Isa::default()),
        _ => {}
    }
    if let Some(profile) = Profile::ALL.into_iter().find(|p| p.name() == base) {
        return Ok(Isa::from_profile(profile));
    }
    let unknown = || ParseIsaError::UnknownBase(base.to_owned());
    let rest =
        base.strip_prefix("rv64").filter(|r| r.starts_with(['i', 'g'])).ok_or_else(unknown)?;
    let mut isa = Isa::linux_base();
    for part in rest.split('_') {
        let mut part = part;
        // Single letters run together, each with an optional version; the first `z` ends them.
        while !part.is_empty() {
            let length =
                if part.starts_with(['z', 's', 'x']) { part.len() } else { letter_len(part) };
            let (name, tail) = part.split_at(length);
            isa.add(strip_version(name))?;
            part = tail;
        }
    }
    Ok(isa)
}

/// The length of the first letter of `part` and of the version (`2`, `2p1`) after it.
fn letter_len(part: &str) -> usize {
    let first = part.chars().next().map_or(0, char::len_utf8);
    let digits = |s: &str| s.bytes().take_while(u8::is_ascii_digit).count();
    let major = digits(&part[first..]);
    let end = first + major;
    match part[end..].strip_prefix('p').map(digits) {
        Some(minor) if major > 0 && minor > 0 => end + 1 + minor,
        _ => end,
    }
}

/// `name` without a version such as `1p0`, or a bare number after a single letter.
fn strip_version(name: &str) -> &str {
    let is_digit = |c: char| c.is_ascii_digit();
    let major = name.trim_end_matches(is_digit);
    if major.len() == 1 {
        return major;
    }
    match major.strip_suffix('p') {
        Some(rest) if major.len() < name.len() && rest.ends_with(is_digit) => {
            rest.trim_end_matches(is_digit)
        }
        _ => name,
    }
}

/// The extensions that `name` stands for.
fn named(name: &str) -> Result<&'static [Ext], ParseIsaError> {
    match name {
        "g" => Ok(&[Ext::M, Ext::A, Ext::D, Ext::Zifencei]),
        "b" => Ok(&[Ext::Zba, Ext::Zbb, Ext::Zbs]),
        // V contains them all, and its parts are not to be had alone.
        "zve32x" | "zve32f" | "zve64x" | "zve64f" | "zve64d" => Ok(&[Ext::V]),
        "zvl32b" | "zvl64b" | "zvl128b" | "zvl256b" | "zvl512b" => Ok(&[Ext::V]),
        "zvkn" => Ok(&[Ext::Zvkned, Ext::Zvknhb, Ext::Zvkb, Ext::Zvkt]),
        "zvknc" => Ok(&[Ext::Zvkned, Ext::Zvknhb, Ext::Zvkb, Ext::Zvkt, Ext::Zvbc]),
        "zvkng" => Ok(&[Ext::Zvkned, Ext::Zvknhb, Ext::Zvkb, Ext::Zvkt, Ext::Zvkg]),
        "zvks" => Ok(&[Ext::Zvksed, Ext::Zvksh, Ext::Zvkb, Ext::Zvkt]),
        "zvksc" => Ok(&[Ext::Zvksed, Ext::Zvksh, Ext::Zvkb, Ext::Zvkt, Ext::Zvbc]),
        "zvksg" => Ok(&[Ext::Zvksed, Ext::Zvksh, Ext::Zvkb, Ext::Zvkt, Ext::Zvkg]),
        _ => Ext::ALL
            .iter()
            .position(|ext| ext.name() == name)
            .map(|i| &Ext::ALL[i..=i])
            .ok_or_else(|| ParseIsaError::UnknownExtension(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn isa(text: &str) -> Isa {
        text.parse().unwrap()
    }

    #[test]
    fn strings() {
        assert_eq!(isa("rv64gc"), Isa::rv64gc());
        assert_eq!(isa("RV64IMAFDC_zicsr_zifencei"), Isa::rv64gc());
        assert_eq!(isa("rv64i2p1_m2p0_a2p1_f2p2_d2p2_c2p0_zicsr2p0_zifencei2p0"), Isa::rv64gc());
        assert_eq!(isa("rv64i2p1m2"), isa("rv64im"));
        assert_eq!(isa("rv64gc_zic64b1p0_za64rs"), isa("rv64gc,+za64rs,+zic64b"));
        assert_eq!(isa("rv64gc_b"), isa("rv64gczba_zbb_zbs"));
        assert_eq!(isa("default"), Isa::default());
        assert_eq!(isa("-zba"), isa("default,-zba"));
        assert_eq!(isa("max,-v,-zfh,-zfbfmin,-ziccamoc,-zkt"), Isa::default());
        assert_eq!(isa("rv64gcv"), isa("rv64gc,+v"));
        assert_eq!(isa("rv64gc_zvl256b"), isa("rv64gc,+zve64d,vlen=256"));
        assert_eq!(isa("rv64gcv,vlen=512").to_string(), isa("rv64gcv").to_string() + "_zvl512b");
        let vlenb = ["rv64gc,vlen=256", "rv64gcv", "rv64gcv,vlen=256", "rv64gcv_zvl512b"];
        assert_eq!(vlenb.map(|text| isa(text).vlenb()), [0, 16, 32, 64]);
        assert_eq!(isa("rv64gcv").hwcap(), 0x20_112d);
        assert_eq!(isa("rv64gc").hwcap(), 0x112d);
        assert_eq!(
            isa("rv64gc").march_string(),
            "rv64imafdc_zicntr_zicsr_zifencei_zihpm_zaamo_zalrsc_zca_zcd"
        );
    }

    #[test]
    fn every_march_string_reads_back() {
        for base in ["rv64i", "rv64gc", "rva20u64", "rva22u64", "rva23u64", "default", "max"] {
            for ext in Ext::ALL.iter().filter(|ext| **ext != Ext::I) {
                for text in [format!("{base},+{}", ext.name()), format!("{base},-{}", ext.name())] {
                    let set = isa(&text);
                    assert_eq!(set.has(*ext), text.contains('+'), "{text}");
                    let mut back = isa(&set.to_string());
                    // The string cannot say that a part of the Linux base is missing.
                    for gone in [Ext::Zicntr, Ext::Zihpm, Ext::Zifencei, Ext::Zicsr] {
                        if !set.has(gone) {
                            back.disable(gone);
                        }
                    }
                    assert_eq!(back, set, "{text}");
                }
            }
        }
    }

    #[test]
    fn dependencies() {
        assert!(!isa("rv64gc,-f").has(Ext::D));
        assert!(!isa("rv64gc,-zicsr").has(Ext::F));
        assert!(!isa("max,-c").exts().iter().any(|ext| ext.name().starts_with("zc")));
        assert!(isa("max,-c,+zcb").has(Ext::Zca));
        assert!(isa("max,-zcd").has(Ext::Zca) && !isa("max,-zcd").has(Ext::C));
        assert!(isa("max,-d").has(Ext::C) && !isa("max,-d").has(Ext::Zcd));
        assert!(!isa("max,-a").has(Ext::Zacas) && !isa("max,-a").has(Ext::Zawrs));
        assert!(isa("max,-zaamo").has(Ext::Zalrsc) && !isa("max,-zaamo").has(Ext::A));
    }

    #[test]
    fn errors() {
        let error = |text: &str| text.parse::<Isa>().unwrap_err();
        assert_eq!(error("rv32gc"), ParseIsaError::UnknownBase("rv32gc".into()));
        assert_eq!(error(""), ParseIsaError::UnknownBase(String::new()));
        assert_eq!(error("rv64"), ParseIsaError::UnknownBase("rv64".into()));
        assert_eq!(error("rv64gch"), ParseIsaError::UnknownExtension("h".into()));
        assert_eq!(error("rv64gcv,vlen=64"), ParseIsaError::UnknownVlen("64".into()));
        assert_eq!(error("rv64gc,zba"), ParseIsaError::MissingSign("zba".into()));
        assert_eq!(error("rv64gc,+é"), ParseIsaError::UnknownExtension("é".into()));
        assert_eq!(error("rv64gcé"), ParseIsaError::UnknownExtension("é".into()));
        assert_eq!(error("max,-i"), ParseIsaError::NoBase);
        assert_eq!(error("max,+"), ParseIsaError::UnknownExtension(String::new()));
    }

    #[test]
    fn profiles_say_what_they_lack() {
        assert_eq!(Profile::Rva20u64.absent().count(), 0);
        assert_eq!(Profile::Rva22u64.absent().count(), 0);
        assert_eq!(Profile::Rva23u64.absent().collect::<Vec<_>>(), ["supm"]);
    }
}
