//! Immediates: out of an encoding, and into a 32-bit one (manual, "Immediate Encoding Variants" and
//! "Compressed Instruction Formats").

/// Where an encoding keeps its immediate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Imm {
    /// There is none.
    None,
    I,
    S,
    B,
    U,
    J,
    /// Shift amount; bit 25 is a fixed zero where only five bits count.
    Shift,
    /// Bits 31:20 without sign: CSR number or fence sets.
    Unsigned12,
    MopR,
    MopRr,
    /// `vtype` of `vsetvli` and of `vsetivli`.
    Vtype11,
    Vtype10,
    /// Five bits in place of `rs1`: signed and not; and six, with bit 26 on top.
    VectorSigned,
    VectorUnsigned,
    Vector6,
    /// The rest is of 16-bit encodings: six bits, signed; the same times 4096; and as a shift
    /// amount.
    C6,
    CUpper,
    CShift,
    CAddi4spn,
    CAddi16sp,
    /// Offsets in units of 1, 2, 4 and 8 bytes.
    COff1,
    COff2,
    COff4,
    COff8,
    CLoadSp4,
    CLoadSp8,
    CStoreSp4,
    CStoreSp8,
    CJump,
    CBranch,
    /// Immediates of expansions that stand for a fixed value.
    C255,
    CMinus1,
}

impl Imm {
    /// The final value of the immediate of `word`.
    #[inline(always)]
    pub(super) const fn of(self, word: u32) -> i32 {
        match self {
            Imm::None => 0,
            Imm::I => i(word),
            Imm::S => s(word),
            Imm::B => b(word),
            Imm::U => u(word),
            Imm::J => j(word),
            Imm::Shift => bits(word, 25, 20) as i32,
            Imm::Unsigned12 => bits(word, 31, 20) as i32,
            Imm::MopR => mop_r(word),
            Imm::MopRr => mop_rr(word),
            Imm::Vtype11 => bits(word, 30, 20) as i32,
            Imm::Vtype10 => bits(word, 29, 20) as i32,
            Imm::VectorSigned => sext(bits(word, 19, 15), 5),
            Imm::VectorUnsigned => bits(word, 19, 15) as i32,
            Imm::Vector6 => (bits(word, 26, 26) << 5 | bits(word, 19, 15)) as i32,
            Imm::C6 => c6(word),
            Imm::CUpper => c6(word) << 12,
            Imm::CShift => c6(word) & 63,
            Imm::CAddi4spn => c_addi4spn(word),
            Imm::CAddi16sp => c_addi16sp(word),
            Imm::COff1 => (bits(word, 5, 5) << 1 | bits(word, 6, 6)) as i32,
            Imm::COff2 => (bits(word, 5, 5) << 1) as i32,
            Imm::COff4 => {
                (bits(word, 5, 5) << 6 | bits(word, 12, 10) << 3 | bits(word, 6, 6) << 2) as i32
            }
            Imm::COff8 => (bits(word, 6, 5) << 6 | bits(word, 12, 10) << 3) as i32,
            Imm::CLoadSp4 => {
                (bits(word, 3, 2) << 6 | bits(word, 12, 12) << 5 | bits(word, 6, 4) << 2) as i32
            }
            Imm::CLoadSp8 => {
                (bits(word, 4, 2) << 6 | bits(word, 12, 12) << 5 | bits(word, 6, 5) << 3) as i32
            }
            Imm::CStoreSp4 => (bits(word, 8, 7) << 6 | bits(word, 12, 9) << 2) as i32,
            Imm::CStoreSp8 => (bits(word, 9, 7) << 6 | bits(word, 12, 10) << 3) as i32,
            Imm::CJump => c_jump(word),
            Imm::CBranch => c_branch(word),
            Imm::C255 => 255,
            Imm::CMinus1 => -1,
        }
    }
}

/// The offset in bytes of `word`, which is a conditional branch, `jal`, or a 16-bit encoding of
/// one.
pub(crate) const fn jump_offset(word: u32) -> i32 {
    const BRANCH: u32 = 0b110_0011;
    const C_J: u32 = 0b101;
    match (word & 3, bits(word, 15, 13)) {
        (3, _) if bits(word, 6, 0) == BRANCH => b(word),
        (3, _) => j(word),
        (_, C_J) => c_jump(word),
        _ => c_branch(word),
    }
}

/// Bits `high..=low` of `word`, at the bottom.
pub(super) const fn bits(word: u32, high: u32, low: u32) -> u32 {
    word >> low & (u32::MAX >> (31 - (high - low)))
}

/// The low `width` bits of `value`, sign-extended.
pub(super) const fn sext(value: u32, width: u32) -> i32 {
    ((value << (32 - width)) as i32) >> (32 - width)
}

/// I format: bits 31:20.
pub(super) const fn i(word: u32) -> i32 {
    word as i32 >> 20
}

/// S format: bits 31:25 and 11:7.
pub(super) const fn s(word: u32) -> i32 {
    (word as i32 >> 25) << 5 | bits(word, 11, 7) as i32
}

/// B format: a multiple of 2 within 4 KiB.
pub(super) const fn b(word: u32) -> i32 {
    (word as i32 >> 31) << 12
        | (bits(word, 7, 7) << 11 | bits(word, 30, 25) << 5 | bits(word, 11, 8) << 1) as i32
}

/// U format: the value already shifted left by 12.
pub(super) const fn u(word: u32) -> i32 {
    (word & 0xffff_f000) as i32
}

/// J format: a multiple of 2 within 1 MiB.
pub(super) const fn j(word: u32) -> i32 {
    (word as i32 >> 31) << 20
        | (bits(word, 19, 12) << 12 | bits(word, 20, 20) << 11 | bits(word, 30, 21) << 1) as i32
}

/// Inverse of [`i`].
pub(super) const fn put_i(imm: i32) -> u32 {
    (imm as u32) << 20
}

/// Inverse of [`s`].
pub(super) const fn put_s(imm: i32) -> u32 {
    let imm = imm as u32;
    bits(imm, 11, 5) << 25 | bits(imm, 4, 0) << 7
}

/// Inverse of [`b`].
pub(super) const fn put_b(imm: i32) -> u32 {
    let imm = imm as u32;
    bits(imm, 12, 12) << 31 | bits(imm, 10, 5) << 25 | bits(imm, 4, 1) << 8 | bits(imm, 11, 11) << 7
}

/// Inverse of [`u`].
pub(super) const fn put_u(imm: i32) -> u32 {
    imm as u32 & 0xffff_f000
}

/// Inverse of [`j`].
pub(super) const fn put_j(imm: i32) -> u32 {
    let imm = imm as u32;
    bits(imm, 20, 20) << 31
        | bits(imm, 10, 1) << 21
        | bits(imm, 11, 11) << 20
        | bits(imm, 19, 12) << 12
}

/// n of `mop.r.n`: bits 30, 27:26 and 21:20.
pub(super) const fn mop_r(word: u32) -> i32 {
    (bits(word, 30, 30) << 4 | bits(word, 27, 26) << 2 | bits(word, 21, 20)) as i32
}

/// Inverse of [`mop_r`].
pub(super) const fn put_mop_r(n: i32) -> u32 {
    let n = n as u32;
    bits(n, 4, 4) << 30 | bits(n, 3, 2) << 26 | bits(n, 1, 0) << 20
}

/// n of `mop.rr.n`: bits 30 and 27:26.
pub(super) const fn mop_rr(word: u32) -> i32 {
    (bits(word, 30, 30) << 2 | bits(word, 27, 26)) as i32
}

/// Inverse of [`mop_rr`].
pub(super) const fn put_mop_rr(n: i32) -> u32 {
    let n = n as u32;
    bits(n, 2, 2) << 30 | bits(n, 1, 0) << 26
}

/// The five bits in place of `rs1`, and bit 26, which is a fixed one where they are all.
pub(super) const fn put_vector(imm: i32) -> u32 {
    let imm = imm as u32;
    bits(imm, 4, 0) << 15 | bits(imm, 5, 5) << 26
}

const fn c6(word: u32) -> i32 {
    sext(bits(word, 12, 12) << 5 | bits(word, 6, 2), 6)
}

const fn c_addi4spn(word: u32) -> i32 {
    (bits(word, 10, 7) << 6
        | bits(word, 12, 11) << 4
        | bits(word, 5, 5) << 3
        | bits(word, 6, 6) << 2) as i32
}

const fn c_addi16sp(word: u32) -> i32 {
    let imm = bits(word, 12, 12) << 9
        | bits(word, 4, 3) << 7
        | bits(word, 5, 5) << 6
        | bits(word, 2, 2) << 5
        | bits(word, 6, 6) << 4;
    sext(imm, 10)
}

const fn c_jump(word: u32) -> i32 {
    let imm = bits(word, 12, 12) << 11
        | bits(word, 8, 8) << 10
        | bits(word, 10, 9) << 8
        | bits(word, 6, 6) << 7
        | bits(word, 7, 7) << 6
        | bits(word, 2, 2) << 5
        | bits(word, 11, 11) << 4
        | bits(word, 5, 3) << 1;
    sext(imm, 12)
}

const fn c_branch(word: u32) -> i32 {
    let imm = bits(word, 12, 12) << 8
        | bits(word, 6, 5) << 6
        | bits(word, 2, 2) << 5
        | bits(word, 11, 10) << 3
        | bits(word, 4, 3) << 1;
    sext(imm, 9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_goes_in_and_comes_out() {
        for imm in -2048..2048 {
            assert_eq!(i(put_i(imm)), imm);
            assert_eq!(s(put_s(imm)), imm);
            assert_eq!(b(put_b(imm * 2)), imm * 2);
        }
        for imm in -(1 << 19)..1 << 19 {
            assert_eq!(j(put_j(imm * 2)), imm * 2);
            assert_eq!(u(put_u(imm << 12)), imm << 12);
        }
        for n in 0..32 {
            assert_eq!(mop_r(put_mop_r(n)), n);
            assert_eq!(mop_rr(put_mop_rr(n & 7)), n & 7);
        }
    }

    #[test]
    fn fields_do_not_leave_their_bits() {
        assert_eq!(put_s(-1), 0xfe00_0f80);
        assert_eq!(put_b(-1), 0xfe00_0f80);
        assert_eq!(put_j(-1), 0xffff_f000);
        assert_eq!(put_mop_r(-1), 0x4c30_0000);
        assert_eq!(put_mop_rr(-1), 0x4c00_0000);
    }
}
