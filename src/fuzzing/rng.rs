//! A small random number generator: the same numbers for the same seed, on every host, for ever.

/// `splitmix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014), or
/// bytes that somebody else has chosen, and from where they end on, `splitmix64`.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
    /// What is taken first. A small number takes one byte, so that a fuzzer that changes a byte
    /// changes one decision.
    bytes: Vec<u8>,
    /// How many of them have been taken.
    taken: usize,
}

impl Rng {
    /// The generator for case `number` of `seed`.
    #[must_use]
    pub fn new(seed: u64, number: u64) -> Self {
        let mut mix = Self { state: seed, bytes: Vec::new(), taken: 0 };
        let start = mix.next_u64() ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut rng = Self { state: start, ..mix };
        rng.next_u64();
        rng
    }

    /// A generator whose numbers are made of `bytes`, and the same for all where they have ended.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), ..Self::new(0, 0) }
    }

    /// 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        if self.taken < self.bytes.len() {
            return self.take(8);
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// The next `n` bytes, of those that are left.
    #[cold]
    fn take(&mut self, n: usize) -> u64 {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let taken = rest.iter().take(n);
        self.taken += n;
        taken.rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
    }

    /// A number below `n`, which is not 0.
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        if self.taken < self.bytes.len() {
            let bits = if n <= 1 << 8 { 8 } else { 32 };
            return ((self.take(bits / 8) * u64::from(n)) >> bits) as u32;
        }
        (((self.next_u64() >> 32) * u64::from(n)) >> 32) as u32
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// One of `items`, of which there is at least one.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u32) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_for_ever() {
        let mut rng = Rng::new(1, 2);
        let again = Rng::new(1, 2).next_u64();
        assert_eq!(rng.next_u64(), again);
        assert_ne!(rng.next_u64(), again);
    }

    #[test]
    fn each_byte_is_one_decision() {
        let decisions = |bytes: &[u8]| {
            let mut rng = Rng::of_bytes(bytes);
            [rng.below(4), rng.below(100), rng.below(256), rng.below(1000), rng.below(7)]
        };
        let [a, b, c, d, e] = decisions(&[0x80, 0xff, 7]);
        assert_eq!((a, b, c), (2, 99, 7));
        // What comes behind the bytes is always the same.
        assert_eq!(decisions(&[0, 0xff, 7]), [0, b, c, d, e]);
        assert!(d < 1000 && e < 7);
        // A number takes what there is.
        assert_eq!(Rng::of_bytes(&[1, 2]).next_u64(), 0x201);
    }
}
