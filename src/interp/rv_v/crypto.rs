//! Zvkned (AES), Zvkg (GHASH), Zvknha and Zvknhb (SHA-2): operations on groups of four elements,
//! the first of which is the least significant (FIPS 197, FIPS 180-4, NIST SP 800-38D).

use super::Op;
use super::element::Exec;
use super::row::{Action, Eew, Row};

impl Exec<'_> {
    /// Group `n` of `N` elements of 32 bits.
    pub(super) fn words<const N: usize>(&self, r: u8, n: usize) -> [u32; N] {
        std::array::from_fn(|i| self.get(r, n * N + i, 2) as u32)
    }

    pub(super) fn set_words<const N: usize>(&mut self, r: u8, n: usize, words: [u32; N]) {
        for (i, word) in words.into_iter().enumerate() {
            self.set(r, n * N + i, 2, word.into());
        }
    }

    /// Group `n` as a block of bytes.
    fn block(&self, r: u8, n: usize) -> [u8; 16] {
        let words = self.words::<4>(r, n).map(u32::to_le_bytes);
        std::array::from_fn(|i| words[i / 4][i % 4])
    }

    fn set_block(&mut self, r: u8, n: usize, block: [u8; 16]) {
        let word = |i| u32::from_le_bytes(std::array::from_fn(|b| block[4 * i + b]));
        self.set_words::<4>(r, n, std::array::from_fn(word));
    }

    /// The numbers of the groups of `N` elements.
    pub(super) fn groups<const N: usize>(&self) -> std::ops::Range<usize> {
        self.start / N..self.vl / N
    }
}

/// An instruction on groups of four words.
pub(super) const fn words(whole: fn(&mut Exec<'_>)) -> Row {
    vector(whole).groups(2, 4)
}

const fn vector(whole: fn(&mut Exec<'_>)) -> Row {
    Row::new(Action::Groups(whole)).accumulates()
}

/// The same where `vs2` is one group for all.
const fn one_key(whole: fn(&mut Exec<'_>)) -> Row {
    words(whole).of(Eew::Times(0), Eew::First(0), Eew::Unused).apart()
}

const fn own_keys(whole: fn(&mut Exec<'_>)) -> Row {
    words(whole).of(Eew::Times(0), Eew::Times(0), Eew::Unused)
}

/// The operands of SHA-2 keep apart; words have 32 or 64 bits.
const fn sha2(whole: fn(&mut Exec<'_>)) -> Row {
    vector(whole).apart().groups(0, 4)
}

pub(super) const ROWS: &[(Op, Row)] = &[
    (Op::VghshVv, words(|e| ghash(e, true))),
    (Op::VgmulVv, own_keys(|e| ghash(e, false))),
    (Op::VaesdmVv, own_keys(|e| aes(e, false, decrypt_middle))),
    (Op::VaesdmVs, one_key(|e| aes(e, true, decrypt_middle))),
    (Op::VaesdfVv, own_keys(|e| aes(e, false, decrypt_final))),
    (Op::VaesdfVs, one_key(|e| aes(e, true, decrypt_final))),
    (Op::VaesemVv, own_keys(|e| aes(e, false, encrypt_middle))),
    (Op::VaesemVs, one_key(|e| aes(e, true, encrypt_middle))),
    (Op::VaesefVv, own_keys(|e| aes(e, false, encrypt_final))),
    (Op::VaesefVs, one_key(|e| aes(e, true, encrypt_final))),
    (Op::VaeszVs, one_key(|e| aes(e, true, add_key))),
    (Op::Vaeskf1Vi, own_keys(expand_128)),
    (Op::Vaeskf2Vi, own_keys(expand_256)),
    (Op::Vsha2msVv, sha2(|e| sha2_groups(e, schedule))),
    (Op::Vsha2chVv, sha2(|e| sha2_groups(e, |e, d, a, w| rounds(e, d, a, [w[2], w[3]])))),
    (Op::Vsha2clVv, sha2(|e| sha2_groups(e, |e, d, a, w| rounds(e, d, a, [w[0], w[1]])))),
];

/// The polynomial of AES, without its highest power.
const AES: u8 = 0x1b;

/// Product in GF(2^8) with a polynomial.
pub(super) const fn product(mut a: u8, mut b: u8, polynomial: u8) -> u8 {
    let mut product = 0;
    while b != 0 {
        if b & 1 != 0 {
            product ^= a;
        }
        a = (a << 1) ^ if a & 0x80 != 0 { polynomial } else { 0 };
        b >>= 1;
    }
    product
}

/// The inverse in GF(2^8), which is the power of 254; of 0 it is 0.
pub(super) const fn inverse(a: u8, polynomial: u8) -> u8 {
    let (mut square, mut power, mut n) = (a, 1, 1);
    while n < 8 {
        square = product(square, square, polynomial);
        power = product(power, square, polynomial);
        n += 1;
    }
    power
}

/// The S-box: the inverse, and an affine map.
const SUB: [u8; 256] = {
    let mut table = [0; 256];
    let mut a = 0;
    while a < 256 {
        let inverse = inverse(a as u8, AES);
        table[a] = inverse
            ^ inverse.rotate_left(1)
            ^ inverse.rotate_left(2)
            ^ inverse.rotate_left(3)
            ^ inverse.rotate_left(4)
            ^ 0x63;
        a += 1;
    }
    table
};

const INVERSE_SUB: [u8; 256] = {
    let mut table = [0; 256];
    let mut a = 0;
    while a < 256 {
        table[SUB[a] as usize] = a as u8;
        a += 1;
    }
    table
};

fn sub(byte: u8) -> u8 {
    SUB[usize::from(byte)]
}

fn sub_word(word: u32) -> u32 {
    u32::from_le_bytes(word.to_le_bytes().map(sub))
}

fn inverse_sub(byte: u8) -> u8 {
    INVERSE_SUB[usize::from(byte)]
}

type Block = [u8; 16];

/// Rotates row `r` of the columns by `r`; the inverse the other way.
fn shift_rows(block: Block, inverse: bool) -> Block {
    std::array::from_fn(|i| {
        let (column, row) = (i / 4, i % 4);
        let from = if inverse { column + 4 - row } else { column + row };
        block[4 * (from % 4) + row]
    })
}

/// Multiplies each column by the circulant matrix of `factors`.
fn mix_columns(block: Block, factors: [u8; 4]) -> Block {
    std::array::from_fn(|i| {
        let (column, row) = (i / 4, i % 4);
        (0..4)
            .fold(0, |sum, n| sum ^ product(block[4 * column + n], factors[(n + 4 - row) % 4], AES))
    })
}

fn add_key(block: Block, key: Block) -> Block {
    std::array::from_fn(|i| block[i] ^ key[i])
}

fn encrypt_final(block: Block, key: Block) -> Block {
    add_key(shift_rows(block.map(sub), false), key)
}

fn encrypt_middle(block: Block, key: Block) -> Block {
    add_key(mix_columns(shift_rows(block.map(sub), false), [2, 3, 1, 1]), key)
}

fn decrypt_final(block: Block, key: Block) -> Block {
    add_key(shift_rows(block, true).map(inverse_sub), key)
}

/// The key is added before columns are mixed.
fn decrypt_middle(block: Block, key: Block) -> Block {
    mix_columns(decrypt_final(block, key), [14, 11, 13, 9])
}

/// One round on each block of `vd`.
fn aes(e: &mut Exec<'_>, one_key: bool, round: fn(Block, Block) -> Block) {
    let (vd, vs2) = (e.i.rd, e.i.rs2);
    for n in e.groups::<4>() {
        let key = e.block(vs2, if one_key { 0 } else { n });
        let block = round(e.block(vd, n), key);
        e.set_block(vd, n, block);
    }
}

/// Number of a round: those that there are not have bit 3 inverted.
fn round_number(e: &Exec<'_>, known: std::ops::RangeInclusive<u32>) -> u32 {
    let n = e.i.imm as u32 & 15;
    if known.contains(&n) { n } else { n ^ 8 }
}

/// The constant of round `n` of key expansion, from 1 on.
fn round_constant(n: u32) -> u32 {
    (1..n).fold(1, |power, _| product(power, 2, AES)).into()
}

/// Adds `first` and then each sum to the next word.
fn chain(first: u32, words: [u32; 4]) -> [u32; 4] {
    let mut sum = first;
    words.map(|word| {
        sum ^= word;
        sum
    })
}

fn expand_128(e: &mut Exec<'_>) {
    let round = round_number(e, 1..=10);
    for n in e.groups::<4>() {
        let key = e.words::<4>(e.i.rs2, n);
        let first = sub_word(key[3].rotate_right(8)) ^ round_constant(round);
        e.set_words(e.i.rd, n, chain(first, key));
    }
}

fn expand_256(e: &mut Exec<'_>) {
    let round = round_number(e, 2..=14);
    for n in e.groups::<4>() {
        let (before, key) = (e.words::<4>(e.i.rd, n), e.words::<4>(e.i.rs2, n));
        let first = if !round.is_multiple_of(2) {
            sub_word(key[3])
        } else {
            sub_word(key[3].rotate_right(8)) ^ round_constant(round / 2)
        };
        e.set_words(e.i.rd, n, chain(first, before));
    }
}

/// Multiplies in GF(2^128), whose polynomials have their lowest power in the highest bit of bytes.
/// With `adds`, `vs1` is added before.
fn ghash(e: &mut Exec<'_>, adds: bool) {
    let reverse = |block: Block| u128::from_le_bytes(block.map(u8::reverse_bits));
    for n in e.groups::<4>() {
        let mut factor = reverse(e.block(e.i.rd, n));
        if adds {
            factor ^= reverse(e.block(e.i.rs1, n));
        }
        let mut power = reverse(e.block(e.i.rs2, n));
        let mut product = 0;
        for bit in 0..128 {
            if factor >> bit & 1 != 0 {
                product ^= power;
            }
            let carry = power >> 127 != 0;
            power = power << 1 ^ if carry { 0x87 } else { 0 };
        }
        e.set_block(e.i.rd, n, product.to_le_bytes().map(u8::reverse_bits));
    }
}

/// Words of SHA-2, of 32 or 64 bits.
type Words = [u64; 4];

/// What differs between SHA-256 and SHA-512.
struct Sha2 {
    wide: bool,
}

impl Sha2 {
    fn rotate(&self, word: u64, by: u32) -> u64 {
        if self.wide { word.rotate_right(by) } else { (word as u32).rotate_right(by).into() }
    }

    fn add(&self, words: &[u64]) -> u64 {
        let sum = words.iter().fold(0u64, |sum, word| sum.wrapping_add(*word));
        if self.wide { sum } else { u64::from(sum as u32) }
    }

    /// Three rotations, added.
    fn sum(&self, word: u64, narrow: [u32; 3], wide: [u32; 3]) -> u64 {
        let by = if self.wide { wide } else { narrow };
        by.into_iter().fold(0, |sum, by| sum ^ self.rotate(word, by))
    }

    /// Two rotations and a shift, added.
    fn small_sum(&self, word: u64, narrow: [u32; 3], wide: [u32; 3]) -> u64 {
        let [a, b, shift] = if self.wide { wide } else { narrow };
        self.rotate(word, a) ^ self.rotate(word, b) ^ word >> shift
    }
}

fn sha2_groups(e: &mut Exec<'_>, step: fn(&Sha2, Words, Words, Words) -> Words) {
    let (width, variant) = (e.ty.sew, Sha2 { wide: e.ty.sew == 3 });
    for n in e.groups::<4>() {
        let group = |r| std::array::from_fn(|i| e.get(r, 4 * n + i, width));
        let result = step(&variant, group(e.i.rd), group(e.i.rs2), group(e.i.rs1));
        for (i, word) in result.into_iter().enumerate() {
            e.set(e.i.rd, 4 * n + i, width, word);
        }
    }
}

/// Words 16 to 19 of the message schedule, of 0 to 3, of 4 and 9 to 11, and of 12 to 15.
fn schedule(s: &Sha2, low: Words, middle: Words, high: Words) -> Words {
    let sigma0 = |word| s.small_sum(word, [7, 18, 3], [1, 8, 7]);
    let sigma1 = |word| s.small_sum(word, [17, 19, 10], [19, 61, 6]);
    let w16 = s.add(&[sigma1(high[2]), middle[1], sigma0(low[1]), low[0]]);
    let w17 = s.add(&[sigma1(high[3]), middle[2], sigma0(low[2]), low[1]]);
    let w18 = s.add(&[sigma1(w16), middle[3], sigma0(low[3]), low[2]]);
    let w19 = s.add(&[sigma1(w17), high[0], sigma0(middle[0]), low[3]]);
    [w16, w17, w18, w19]
}

/// Two rounds: of h, g, d, c in `hgdc` and f, e, b, a in `feba` the next f, e, b, a; the others are
/// what these were.
fn rounds(s: &Sha2, hgdc: Words, feba: Words, words: [u64; 2]) -> Words {
    let [mut h, mut g, mut d, mut c] = hgdc;
    let [mut f, mut e, mut b, mut a] = feba;
    for word in words {
        let choice = e & f ^ !e & g;
        let majority = a & b ^ a & c ^ b & c;
        let sum1 = s.sum(e, [6, 11, 25], [14, 18, 41]);
        let sum0 = s.sum(a, [2, 13, 22], [28, 34, 39]);
        let t1 = s.add(&[h, sum1, choice, word]);
        let t2 = s.add(&[sum0, majority]);
        (h, g, f, e) = (g, f, e, s.add(&[d, t1]));
        (d, c, b, a) = (c, b, a, s.add(&[t1, t2]));
    }
    let _ = (h, g, d, c);
    [f, e, b, a]
}
