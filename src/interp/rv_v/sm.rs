//! Zvksed (SM4) and Zvksh (SM3; GB/T 32907 and 32905).

use super::Op;
use super::crypto::{inverse, words};
use super::element::Exec;
use super::row::{Eew, Row};

const fn keys(whole: fn(&mut Exec<'_>)) -> Row {
    words(whole).of(Eew::Times(0), Eew::Times(0), Eew::Unused)
}

pub(super) const ROWS: &[(Op, Row)] = &[
    (Op::Vsm4kVi, keys(expand)),
    (Op::Vsm4rVv, keys(|e| rounds(e, false))),
    (Op::Vsm4rVs, words(|e| rounds(e, true)).of(Eew::Times(0), Eew::First(0), Eew::Unused).apart()),
    (Op::Vsm3meVv, words(schedule).groups(2, 8).apart()),
    (Op::Vsm3cVi, keys(compress).groups(2, 8).apart()),
];

/// The affine map on both sides of the inverse.
const fn affine(byte: u8) -> u8 {
    let (mut result, mut n) = (0xd3, 0);
    while n < 8 {
        result ^= (((byte & 0xa7u8.rotate_left(n)).count_ones() & 1) as u8) << n;
        n += 1;
    }
    result
}

const SUB: [u8; 256] = {
    let mut table = [0; 256];
    let mut a = 0;
    while a < 256 {
        table[a] = affine(inverse(affine(a as u8), 0xf5));
        a += 1;
    }
    table
};

fn sub_word(word: u32) -> u32 {
    u32::from_le_bytes(word.to_le_bytes().map(|byte| SUB[usize::from(byte)]))
}

/// Four steps: each word of the state and the sum of the three after it, with a key, give the next.
fn steps(mut state: [u32; 4], keys: [u32; 4], next: fn(u32, u32) -> u32) -> [u32; 4] {
    for key in keys {
        let [a, b, c, d] = state;
        state = [b, c, d, next(a, sub_word(b ^ c ^ d ^ key))];
    }
    state
}

fn expand(e: &mut Exec<'_>) {
    let group = e.i.imm as u32 & 7;
    // Byte `j`, from the top, of constant `i` is (4 * i + j) * 7.
    let constant = |n: usize| {
        let byte = |j: usize| ((4 * (4 * group as usize + n) + j) * 7) as u8;
        u32::from_be_bytes(std::array::from_fn(byte))
    };
    for n in e.groups::<4>() {
        let keys = steps(e.words(e.i.rs2, n), std::array::from_fn(constant), |a, s| {
            a ^ s ^ s.rotate_left(13) ^ s.rotate_left(23)
        });
        e.set_words(e.i.rd, n, keys);
    }
}

fn rounds(e: &mut Exec<'_>, one_key: bool) {
    for n in e.groups::<4>() {
        let keys = e.words(e.i.rs2, if one_key { 0 } else { n });
        let state = steps(e.words(e.i.rd, n), keys, |a, s| {
            let sum = s.rotate_left(2) ^ s.rotate_left(10) ^ s.rotate_left(18) ^ s.rotate_left(24);
            a ^ s ^ sum
        });
        e.set_words(e.i.rd, n, state);
    }
}

/// Words 16 to 23 of the message schedule, of the 16 before.
fn schedule(e: &mut Exec<'_>) {
    for n in e.groups::<8>() {
        let (low, high) = (e.words::<8>(e.i.rs1, n), e.words::<8>(e.i.rs2, n));
        let mut w = [0; 24];
        w[..8].copy_from_slice(&low.map(u32::swap_bytes));
        w[8..16].copy_from_slice(&high.map(u32::swap_bytes));
        for j in 16..24 {
            let x = w[j - 16] ^ w[j - 9] ^ w[j - 3].rotate_left(15);
            let permuted = x ^ x.rotate_left(15) ^ x.rotate_left(23);
            w[j] = permuted ^ w[j - 13].rotate_left(7) ^ w[j - 6];
        }
        e.set_words::<8>(e.i.rd, n, std::array::from_fn(|j| w[16 + j].swap_bytes()));
    }
}

/// Two rounds of compression on the state a to h.
fn compress(e: &mut Exec<'_>) {
    let round = 2 * (e.i.imm as u32 & 31);
    for n in e.groups::<8>() {
        let w = e.words::<8>(e.i.rs2, n).map(u32::swap_bytes);
        let mut state = e.words::<8>(e.i.rd, n).map(u32::swap_bytes);
        for j in [0, 1] {
            state = compress_once(state, round + j as u32, w[j], w[j] ^ w[j + 4]);
        }
        e.set_words(e.i.rd, n, state.map(u32::swap_bytes));
    }
}

fn compress_once(state: [u32; 8], round: u32, word: u32, sum: u32) -> [u32; 8] {
    let [a, b, c, d, e, f, g, h] = state;
    let early = round < 16;
    let constant: u32 = if early { 0x79cc_4519 } else { 0x7a87_9d8a };
    let ff = if early { a ^ b ^ c } else { a & b | a & c | b & c };
    let gg = if early { e ^ f ^ g } else { e & f | !e & g };
    let turned = a.rotate_left(12);
    let ss1 = turned.wrapping_add(e).wrapping_add(constant.rotate_left(round % 32)).rotate_left(7);
    let tt1 = ff.wrapping_add(d).wrapping_add(ss1 ^ turned).wrapping_add(sum);
    let tt2 = gg.wrapping_add(h).wrapping_add(ss1).wrapping_add(word);
    let permuted = tt2 ^ tt2.rotate_left(9) ^ tt2.rotate_left(17);
    [tt1, a, b.rotate_left(9), c, permuted, e, f.rotate_left(19), g]
}
