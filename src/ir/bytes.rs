//! Words that guest code puts together from bytes, and what is left of them in registers on the
//! way.

/// Some neighbouring bytes of a word, at the place of others: `(word >> 8 * from)` cut to `len`
/// bytes, `<< 8 * to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes {
    /// The lowest of them, 0 to 7.
    pub from: u8,
    /// How many: 1 to 8, and not beyond the word.
    pub len: u8,
    /// Where the lowest of them goes, 0 to 7; none is lost.
    pub to: u8,
    /// The low half of the result is sign-extended.
    pub signed: bool,
}

impl Bytes {
    /// The whole of a word of so many bytes.
    #[must_use]
    pub const fn whole(len: u8) -> Self {
        Self { from: 0, len, to: 0, signed: false }
    }

    /// These bytes of `word`.
    #[must_use]
    pub const fn of(self, word: u64) -> u64 {
        let low = word >> (8 * self.from) & (u64::MAX >> (64 - 8 * self.len));
        let value = low << (8 * self.to);
        if self.signed { value as i32 as u64 } else { value }
    }

    /// True if the result is known to be its low half sign-extended.
    #[must_use]
    pub const fn is_narrow(self) -> bool {
        self.signed || self.to + self.len < 4
    }

    /// True if there are such bytes.
    #[must_use]
    pub const fn exist(self) -> bool {
        self.len > 0 && self.from + self.len <= 8 && self.to + self.len <= 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_a_word() {
        const WORD: u64 = 0x8877_6655_4433_2211;
        assert_eq!(Bytes::whole(8).of(WORD), WORD);
        assert_eq!(Bytes::whole(3).of(WORD), 0x33_2211);
        assert_eq!(Bytes { from: 6, len: 2, to: 1, signed: false }.of(WORD), 0x88_7700);
        let top = Bytes { from: 7, len: 1, to: 3, signed: true };
        assert_eq!(top.of(WORD), 0xffff_ffff_8800_0000);
        assert!(top.is_narrow() && Bytes::whole(3).is_narrow() && !Bytes::whole(4).is_narrow());
    }
}
