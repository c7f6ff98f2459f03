//! What the `riscv_hwprobe` system call says about an [`Isa`] (kernel:
//! `Documentation/arch/riscv/hwprobe.rst` and `arch/riscv/include/uapi/asm/hwprobe.h`).

use super::{Ext, Isa};

/// Vendor, architecture and implementation numbers: keys 0 to 2. All are 0, "not implemented".
pub const KEY_MVENDORID: i64 = 0;
/// See [`KEY_MVENDORID`].
pub const KEY_MARCHID: i64 = 1;
/// See [`KEY_MVENDORID`].
pub const KEY_MIMPID: i64 = 2;
/// Bit 0: the base IMA.
pub const KEY_BASE_BEHAVIOR: i64 = 3;
/// A bit for each extension.
pub const KEY_IMA_EXT_0: i64 = 4;
/// Old form of [`KEY_MISALIGNED_SCALAR_PERF`].
pub const KEY_CPUPERF_0: i64 = 5;
/// Block size of Zicboz in bytes.
pub const KEY_ZICBOZ_BLOCK_SIZE: i64 = 6;
/// Highest address that user space can use. The caller's to answer.
pub const KEY_HIGHEST_VIRT_ADDRESS: i64 = 7;
/// Frequency of the `time` CSR in Hz. The caller's to answer.
pub const KEY_TIME_CSR_FREQ: i64 = 8;
/// How fast misaligned scalar accesses are.
pub const KEY_MISALIGNED_SCALAR_PERF: i64 = 9;
/// How fast misaligned vector accesses are.
pub const KEY_MISALIGNED_VECTOR_PERF: i64 = 10;
/// Vendor extensions of T-Head.
pub const KEY_VENDOR_EXT_THEAD_0: i64 = 11;
/// Block size of Zicbom in bytes.
pub const KEY_ZICBOM_BLOCK_SIZE: i64 = 12;
/// Vendor extensions of SiFive.
pub const KEY_VENDOR_EXT_SIFIVE_0: i64 = 13;
/// Vendor extensions of MIPS.
pub const KEY_VENDOR_EXT_MIPS_0: i64 = 14;
/// Block size of Zicbop in bytes.
pub const KEY_ZICBOP_BLOCK_SIZE: i64 = 15;
/// More extensions, none of which is implemented.
pub const KEY_IMA_EXT_1: i64 = 16;

/// Bytes in a cache block, as Zicbom, Zicbop and Zicboz see it (Zic64b).
pub const CACHE_BLOCK: u64 = 64;

const MISALIGNED_FAST: u64 = 3;
const MISALIGNED_VECTOR_UNSUPPORTED: u64 = 4;

/// Bits of [`KEY_IMA_EXT_0`] for the parts of V: Zve32x, Zve32f, Zve64x, Zve64f, Zve64d.
const PARTS_OF_V: u64 = 0x1f << 37;

/// Bit numbers of [`KEY_IMA_EXT_0`].
const EXT_0: &[(Ext, u32)] = &[
    (Ext::D, 0),
    (Ext::C, 1),
    (Ext::V, 2),
    (Ext::Zba, 3),
    (Ext::Zbb, 4),
    (Ext::Zbs, 5),
    (Ext::Zicboz, 6),
    (Ext::Zbc, 7),
    (Ext::Zkt, 16),
    (Ext::Zvbb, 17),
    (Ext::Zvbc, 18),
    (Ext::Zvkb, 19),
    (Ext::Zvkg, 20),
    (Ext::Zvkned, 21),
    (Ext::Zvknha, 22),
    (Ext::Zvknhb, 23),
    (Ext::Zvksed, 24),
    (Ext::Zvksh, 25),
    (Ext::Zvkt, 26),
    (Ext::Zfh, 27),
    (Ext::Zfhmin, 28),
    (Ext::Zihintntl, 29),
    (Ext::Zvfh, 30),
    (Ext::Zvfhmin, 31),
    (Ext::Zfa, 32),
    (Ext::Zacas, 34),
    (Ext::Zicond, 35),
    (Ext::Zihintpause, 36),
    (Ext::Zimop, 42),
    (Ext::Zca, 43),
    (Ext::Zcb, 44),
    (Ext::Zcd, 45),
    (Ext::Zcmop, 47),
    (Ext::Zawrs, 48),
    (Ext::Zicntr, 50),
    (Ext::Zihpm, 51),
    (Ext::Zfbfmin, 52),
    (Ext::Zvfbfmin, 53),
    (Ext::Zvfbfwma, 54),
    (Ext::Zicbom, 55),
    (Ext::Zaamo, 56),
    (Ext::Zalrsc, 57),
    (Ext::Zabha, 58),
    (Ext::Zicbop, 60),
];

impl Isa {
    /// The value of the `riscv_hwprobe` key `key`. `None` for keys that are unknown, for which the
    /// system call answers key -1, and for the two that say nothing about the instruction set
    /// ([`KEY_HIGHEST_VIRT_ADDRESS`], [`KEY_TIME_CSR_FREQ`]).
    pub fn hwprobe(&self, key: i64) -> Option<u64> {
        let block = |ext| if self.has(ext) { CACHE_BLOCK } else { 0 };
        let value = match key {
            KEY_MVENDORID | KEY_MARCHID | KEY_MIMPID => 0,
            KEY_BASE_BEHAVIOR => u64::from(self.has(Ext::M) && self.has(Ext::A)),
            KEY_IMA_EXT_0 => {
                let parts = if self.has(Ext::V) { PARTS_OF_V } else { 0 };
                let has = EXT_0.iter().filter(|(ext, _)| self.has(*ext));
                has.map(|(_, bit)| 1 << bit).sum::<u64>() | parts
            }
            KEY_CPUPERF_0 | KEY_MISALIGNED_SCALAR_PERF => MISALIGNED_FAST,
            KEY_ZICBOZ_BLOCK_SIZE => block(Ext::Zicboz),
            KEY_MISALIGNED_VECTOR_PERF if self.has(Ext::V) => MISALIGNED_FAST,
            KEY_MISALIGNED_VECTOR_PERF => MISALIGNED_VECTOR_UNSUPPORTED,
            KEY_VENDOR_EXT_THEAD_0 | KEY_VENDOR_EXT_SIFIVE_0 | KEY_VENDOR_EXT_MIPS_0 => 0,
            KEY_ZICBOM_BLOCK_SIZE => block(Ext::Zicbom),
            KEY_ZICBOP_BLOCK_SIZE => block(Ext::Zicbop),
            KEY_IMA_EXT_1 => 0,
            _ => return None,
        };
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_the_set() {
        let gc = Isa::rv64gc();
        let bits = |isa: &str| isa.parse::<Isa>().unwrap().hwprobe(KEY_IMA_EXT_0);
        // FD, C, Zca, Zcd, Zicntr, Zihpm, Zaamo, Zalrsc.
        let expected = 1 | 1 << 1 | 1 << 43 | 1 << 45 | 1 << 50 | 1 << 51 | 1 << 56 | 1 << 57;
        assert_eq!(bits("rv64gc"), Some(expected));
        assert_eq!(bits("rv64gc,+zba,+zbb"), Some(expected | 1 << 3 | 1 << 4));
        assert_eq!(gc.hwprobe(KEY_BASE_BEHAVIOR), Some(1));
        assert_eq!("rv64ic".parse::<Isa>().unwrap().hwprobe(KEY_BASE_BEHAVIOR), Some(0));
        assert_eq!(gc.hwprobe(KEY_ZICBOZ_BLOCK_SIZE), Some(0));
        assert_eq!(Isa::MAX.hwprobe(KEY_ZICBOZ_BLOCK_SIZE), Some(64));
        assert_eq!(gc.hwprobe(KEY_CPUPERF_0), Some(3));
        assert_eq!(bits("rv64gcv"), Some(expected | 1 << 2 | 0x1f << 37));
        let vectors = |isa: &str| isa.parse::<Isa>().unwrap().hwprobe(KEY_MISALIGNED_VECTOR_PERF);
        assert_eq!((vectors("rv64gc"), vectors("rv64gcv")), (Some(4), Some(3)));
        for key in [-1, KEY_HIGHEST_VIRT_ADDRESS, KEY_TIME_CSR_FREQ, 17] {
            assert_eq!(gc.hwprobe(key), None);
        }
    }

    /// An extension with instructions of its own must have its bit; only properties of memory and
    /// what is told otherwise have none.
    #[test]
    fn every_extension_is_told() {
        let elsewhere = [Ext::I, Ext::M, Ext::A, Ext::F, Ext::Zicsr, Ext::Zifencei];
        let property = [
            Ext::Zic64b,
            Ext::Ziccamoa,
            Ext::Ziccamoc,
            Ext::Ziccif,
            Ext::Zicclsm,
            Ext::Ziccrse,
            Ext::Za64rs,
        ];
        for ext in Ext::ALL {
            let told = EXT_0.iter().filter(|(e, _)| e == ext).count();
            let expected = !elsewhere.contains(ext) && !property.contains(ext);
            assert_eq!(told, usize::from(expected), "{}", ext.name());
        }
    }
}
